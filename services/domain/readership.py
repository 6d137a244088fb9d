"""Which directives a reader may see: drafts are their writers', others both sides' and overseers'.

Source: the holder sees area, function and agenda by the orders in force (domain.md 2); a centre
receives directives (domain.md 1). That an addressee keeps what was addressed to it is ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.events.registry import DepartmentRegistered
from services.domain.addressees import ever_spoken_for
from services.domain.chain import PRIME_MINISTER
from services.domain.issuing import Circumstances, acts_as_prime_minister
from services.domain.matrix import Holding
from services.domain.scope import Reader
from services.domain.substitution import acted_for_by, exercised

EVERYTHING = "everything"
OWN, ADDRESSEE, POWER = "own:", "addressee:", "power:"
"""How a name begins by which somebody is entitled to what not every reader of directives sees."""


@dataclass(frozen=True, slots=True)
class Readership:
    """What of all directives one reader sees at one moment."""

    everything: bool = False
    issued: bool = False
    """Every one that was issued and is not confidential."""
    own: frozenset[str] = frozenset()
    """In whose name: these with their drafts."""
    powers: frozenset[str] = frozenset()
    """`dimension:target:power` held now: the issuer's side of what was issued by them."""
    places: frozenset[str] = frozenset()
    """Provinces, ministries and units overseen: what is addressed to them, or lies in them."""
    agendas: frozenset[str] = frozenset()
    addressees: frozenset[str] = frozenset()
    """Whom the reader speaks for, or did: what was issued to them, for ever."""

    @property
    def is_empty(self) -> bool:
        """Whether no directive is ever for this reader."""
        return self == Readership()

    @property
    def entitled(self) -> frozenset[str]:
        """By which names drafts and what is confidential are read, as their rows have them."""
        everything = {EVERYTHING} if self.everything else set()
        return frozenset(everything).union(
            (f"{OWN}{deputy}" for deputy in self.own),
            (f"{ADDRESSEE}{one}" for one in self.addressees),
            (f"{POWER}{power}" for power in self.powers),
        )

    @property
    def sees_sides(self) -> bool:
        """Whether all addressees are seen beside each other; an addressee sees itself alone."""
        return not self.addressees


def readership_of(reader: Reader, now: Circumstances) -> Readership:
    """What this reader sees at the moment."""
    if acts_as_prime_minister(reader, now.matrix):
        return Readership(everything=True)
    match reader.kind, reader.name:
        case "pm", _:
            return Readership(everything=True)
        case "pmoc", _:
            return Readership(issued=True, own=frozenset({PRIME_MINISTER}))
        case "deputy", str(deputy):
            acting = (one.acting_for for one in acted_for_by(now.matrix, deputy))
            return _of_holders({deputy, *acting}, exercised(now.matrix, deputy), now)
        case "secretariat", str(deputy):
            return _of_holders({deputy}, now.matrix.held_by(deputy), now)
        case _, str():
            return Readership(addressees=ever_spoken_for(reader, now.registry))
        case _:
            return Readership()


def _of_holders(deputies: Iterable[str], held: Sequence[Holding], now: Circumstances) -> Readership:
    ministries = {one.given.target for one in held if one.given.dimension == "function"}
    units = (
        unit.department
        for unit in now.registry.each(DepartmentRegistered, now.day)
        if unit.ministry in ministries
    )
    return Readership(
        own=frozenset(deputies),
        powers=frozenset(power for holding in held for power in _powers(holding)),
        places=frozenset(
            {one.given.target for one in held if one.given.dimension != "agenda"}.union(units)
        ),
        agendas=frozenset(one.given.target for one in held if one.given.dimension == "agenda"),
    )


def _powers(holding: Holding) -> Iterator[str]:
    for power in holding.power.split("+"):
        yield f"{holding.given.dimension}:{holding.given.target}:{power}"
