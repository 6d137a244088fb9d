"""Who signs with what: the keys of centres, and from when on a centre has to sign."""

from typing import Annotated, ClassVar, Self

from pydantic import StringConstraints, model_validator

from schemas.events.model import Centre, EventModel, Key, Moment, Text

PublicKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""An Ed25519 public key: its 32 bytes (RFC 8032) in base64."""


class KeyRegistered(EventModel):
    """A centre signs with this key in an interval; keys may overlap, as when they are changed.

    Stated again with the same id, it replaces what was stated before: an end, or that the private
    key may have got into other hands.
    """

    type: ClassVar[str] = "key.registered.v1"

    centre: Centre
    key_id: Key
    public_key: PublicKey
    valid_from: Moment
    valid_to: Moment | None = None
    """The first moment at which it is not valid any more; None: not known yet."""
    revoked_from: Moment | None = None
    """Somebody else may have had the key from then on: what it signed of that time counts no more,
    and nothing that it signed is taken in from now on."""
    source: Text
    """Where the fact stands."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be later than valid_from")
        return self


class SigningRequired(EventModel):
    """In this interval the centre's events are taken in only when it has signed them.

    Stated again with the same beginning, it replaces what was stated before.
    """

    type: ClassVar[str] = "signing.required.v1"

    centre: Centre
    required_from: Moment
    required_to: Moment | None = None
    source: Text

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.required_to is not None and self.required_to <= self.required_from:
            raise ValueError("required_to must be later than required_from")
        return self
