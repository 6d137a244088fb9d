"""Who speaks: an office, a person's office, or a centre."""

import re
from dataclasses import dataclass

from schemas.ids import CentreId, source_of_centre

OFFICES = frozenset(
    {"pm", "screening", "committee", "cabinet", "interior", "opdc", "budget", "analyst", "operator"}
)
"""Identities that are one in the country. `committee` is its office, `cabinet` its secretary."""

HOLDERS = frozenset({"deputy", "secretariat", "inspector", "governor"})
"""Identities of a person or of who works for one: `deputy:ID`, `secretariat:ID` (the deputy's),
`inspector:ID`, `governor:TH-83`. Every other `word:name` is a centre."""

_NAMED = re.compile(r"([a-z]+):([A-Za-z0-9][A-Za-z0-9.-]{0,61})")
_PROVINCE = re.compile(r"TH-[0-9]{2}")
_OF_A_PROVINCE = frozenset({"governor", "poc"})


class UnknownIdentity(ValueError):
    """The text names no identity of the network."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks. `str()` gives the text that `parse` reads."""

    kind: str
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """The identity a text names: `pm`, `deputy:ID`, `poc:TH-83`, `city:TH-10`.

        Raises:
            UnknownIdentity: it names none.
        """
        if text in OFFICES or text == "pmoc":
            return cls(text)
        found = _NAMED.fullmatch(text)
        if found is None or found[1] in OFFICES or found[1] == "pmoc":
            raise UnknownIdentity(f"{text!r} is no identity")
        kind, name = found.groups()
        if kind in _OF_A_PROVINCE and not _PROVINCE.fullmatch(name):
            raise UnknownIdentity(f"{text!r} names no province, as {kind}:TH-83 does")
        return cls(kind, name)

    @property
    def centre(self) -> CentreId | None:
        """The centre, when the identity is a centre's own."""
        if self.kind in OFFICES or self.kind in HOLDERS:
            return None
        return CentreId(str(self))

    @property
    def source(self) -> str | None:
        """The URI of the centre's events, when the identity is a centre's own."""
        return None if self.centre is None else source_of_centre(self.centre)

    def __str__(self) -> str:
        return self.kind if self.name is None else f"{self.kind}:{self.name}"
