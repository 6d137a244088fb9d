"""Signing on the centre's side: lines as they will be sent, with their `dssematerial`.

The bytes of `data` stay as they are; the attributes are written anew around them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.envelope import CONTENT_TYPE
from services.cli.key import private_key
from services.domain.signatures import CORE, sign
from services.domain.signing import key_id_of
from services.ingest.reading import Stated, read

_DATA = ("data", "data_base64")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Signer:
    """A private key, and the id by which its signatures name it."""

    key_id: str
    key: Ed25519PrivateKey

    @classmethod
    def open(cls, file: Path) -> "Signer":
        """The signer whose key is in the file.

        Raises:
            Refusal: as `private_key`.
        """
        key = private_key(file)
        return cls(key_id_of(key.public_key().public_bytes_raw()), key)

    def sign(self, content: bytes) -> bytes:
        """One event in structured mode, signed with every extension attribute it has.

        One that the door would refuse, or that is signed already, stays as it is.
        """
        stated = read(content, now=datetime.now(UTC))
        # The door says better than we could what is wrong with it.
        if not isinstance(stated, Stated) or stated.envelope.dssematerial is not None:
            return content
        members = _MEMBERS.decode(content)
        attributes = {name: raw for name, raw in members.items() if bytes(raw) != b"null"}
        # What means the same as nothing is left out, and what is implied is stated, so that the
        # signature holds for every verifier at the far end.
        if stated.envelope.realm == "actual":
            attributes.pop("realm", None)
        attributes.setdefault("datacontenttype", msgspec.Raw(msgspec.json.encode(CONTENT_TYPE)))
        names = sorted(attributes.keys() - {*CORE, *_DATA})
        material = sign(stated.envelope, stated.data, names, key_id=self.key_id, key=self.key)
        sealed = {"dssematerial": msgspec.Raw(msgspec.json.encode(material))}
        data = {name: attributes.pop(name) for name in _DATA if name in attributes}
        return msgspec.json.encode({**attributes, **sealed, **data})
