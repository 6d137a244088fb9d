"""What a question of authority is about, and its answers: the grounds, or one of the refusals."""

from dataclasses import dataclass
from typing import Literal

from schemas.events.order import Dimension
from services.domain.matrix import Cover
from services.domain.rejected import Rejected

type Capacity = Literal["holder", "substitute", "acting_pm", "prime_minister", "entrusted"]


@dataclass(frozen=True, slots=True)
class Agency:
    """A ministry or a unit, and the ministry that the unit stands under at the moment."""

    unit: str
    ministry: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What an act is about. With provinces and agencies: each agency in each province."""

    provinces: tuple[str, ...] = ()
    agencies: tuple[Agency, ...] = ()
    agendas: tuple[str, ...] = ()
    """What the matter belongs to; the holder of one of them reaches all of it."""
    matter: str | None = None
    """The subject of the one matter: `directives/…`, `incidents/…`."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One clause of one order; `clause` counts from 1."""

    order: str
    clause: int


@dataclass(frozen=True, slots=True)
class Basis:
    """A holding that lets the act be done, and the order that gives it."""

    given_by: Citation
    dimension: Dimension
    target: str
    power: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why somebody may act: in which capacity, for whom, under which orders."""

    capacity: Capacity
    acting_for: str | None = None
    """The deputy whose power it is, of a substitute and of an inspector."""
    bases: tuple[Basis, ...] = ()
    """What the holder holds; nothing for a Prime Minister."""
    made_so_by: Citation | None = None
    """What makes a substitute, an acting PM or an entrusted inspector of them."""


@dataclass
class NotADecider(Rejected):
    """This kind of identity decides nothing here: who prepares does not decide.

    Source: inspectors prepare and submit what the deputy decides on (domain.md 2).
    """

    kind: str
    rule = "not-a-decider"


@dataclass
class NotInOffice(Rejected):
    """The person is in no office at the moment.

    Source: an assignment ends when its holder leaves office (domain.md 2).
    """

    deputy: str
    rule = "not-in-office"


@dataclass
class DeputyAway(Rejected):
    """An order says that the deputy is away or unable; the substitute acts (domain.md 2)."""

    deputy: str
    rule = "deputy-away"


@dataclass
class DeputyPresent(Rejected):
    """A substitute acts only while the deputy is away or unable or the post empty (domain.md 2)."""

    deputy: str
    rule = "deputy-present"


@dataclass
class EarlierSubstitute(Rejected):
    """Of the substitutes the first who is present acts (domain.md 2)."""

    deputy: str
    acting: str
    rule = "earlier-substitute"


@dataclass
class OutsideMatrix(Rejected):
    """No order in force gives this to the person. `cover` is what is known of the first target.

    Source: a directive to an agency outside the issuer's matrix is refused (domain.md 6).
    """

    targets: tuple[str, ...]
    cover: Cover
    rule = "outside-matrix"


@dataclass
class WrongKindOfPower(Rejected):
    """The person holds it by a power that does not let this be done.

    Source: overseer is not commander (domain.md 6).
    """

    targets: tuple[str, ...]
    held: tuple[str, ...]
    needed: tuple[str, ...]
    rule = "wrong-kind-of-power"


@dataclass
class MatterReserved(Rejected):
    """The PM has ordered otherwise: the power over this matter rests.

    Source: เว้นแต่นายกรัฐมนตรีจะสั่งการเป็นอย่างอื่น, domain.md 3.
    """

    order: str
    clause: int
    rule = "matter-reserved"


@dataclass
class BeyondPowers(Rejected):
    """A part is within the person's powers and the rest is not.

    It can be sent to the PM with an opinion. Source: a matter that touches several deputies goes
    up, not sideways (domain.md 3).
    """

    beyond: tuple[str, ...]
    offer: str = "send-to-prime-minister-with-opinion"
    rule = "beyond-powers"


@dataclass
class FundPowerNotGiven(Rejected):
    """Emergency money is approved by deputy PMs, and by nobody else unless an order says so.

    Source: the regulation gives the fund power to deputy PMs alone (domain.md 2).
    """

    deputy: str
    rule = "fund-power-not-given"


@dataclass
class ConsentMissing(Rejected):
    """Who acts as Prime Minister decides neither personnel nor money of the PM without the PM's
    prior consent (domain.md 2)."""

    act: str
    rule = "consent-missing"


@dataclass
class NeverEntrusted(Rejected):
    """This is never entrusted to an inspector (domain.md 2 and 3, powers 1, 4, 5 and 7)."""

    act: str
    rule = "never-entrusted"


@dataclass
class NotEntrusted(Rejected):
    """No deputy who holds the place has entrusted this duty to the inspector."""

    inspector: str
    act: str
    rule = "not-entrusted"
