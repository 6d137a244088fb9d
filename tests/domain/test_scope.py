"""What each kind of identity may see; who is not named here sees nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.events import EventModel
from schemas.events.order import ActingPrimeMinister, Entrusted
from schemas.events.registry import CentreRegistered, ProvinceRegistered
from services.domain.chain import Chain
from services.domain.matrix import matrix_at
from services.domain.registry import Entry, registry_of
from services.domain.scope import NOTHING, Resource, Scope, may_retry, scope_of
from services.identity.identity import HOLDERS, OFFICES, Identity
from tests.domain.prime_minister import HOUR, NEARLY, away, function, gives, order, ring, tenure

DAY = datetime(2024, 9, 30, 17, tzinfo=UTC)
"""The first moment of October in Bangkok."""

PHUKET, PHANG_NGA, BANGKOK, KRABI = "TH-83", "TH-82", "TH-10", "TH-81"
PLACES = frozenset({PHUKET, PHANG_NGA, BANGKOK, KRABI, "TH"})
UNITS = frozenset({"moi", "moi.ddpm", "moph"})
AGENDAS = frozenset({"drugs", "dust"})
DEPUTIES = frozenset({"a", "b", "c"})


def entry(subject: str, name: str, model: EventModel, until: date | None = None) -> Entry:
    return Entry(subject, name, None, until, model)


def centre(name: str, level: str, until: date | None = None, **fields: str) -> Entry:
    body = {"centre": name, "level": level, "name_th": name, "source": "test", **fields}
    return entry("centre", name, CentreRegistered.model_validate(body), until)


def province(code: str) -> Entry:
    return entry("province", code, ProvinceRegistered(province=code, name_th=code, source="test"))


REGISTRY = registry_of(
    [
        *(province(code) for code in (PHUKET, PHANG_NGA, BANGKOK, KRABI)),
        centre("pmoc", "PMOC"),
        centre("moc:moi", "MOC", ministry="moi"),
        centre("moc:moph", "MOC", ministry="moph"),
        centre("doc:moi.ddpm", "DOC", ministry="moi", department="moi.ddpm", parent="moc:moi"),
        centre("poc:TH-83", "POC", province=PHUKET, parent="moc:moi"),
        centre("poc:TH-82", "POC", province=PHANG_NGA, parent="moc:moi"),
        centre("poc:TH-81", "POC", date(2024, 1, 1), province=KRABI, parent="moc:moi"),
        centre("city:TH-10", "other", province=BANGKOK),
        centre("press:cnn", "other"),
    ]
)
CENTRES = {
    "pmoc": None, "moc:moi": None, "moc:moph": None, "doc:moi.ddpm": None, "poc:TH-83": PHUKET,
    "poc:TH-82": PHANG_NGA, "city:TH-10": BANGKOK, "press:cnn": None,
}  # fmt: skip
BOTH = Entrusted(deputy="b", inspector="i", provinces=[PHANG_NGA, PHUKET], duties=["inspect"])
CHAIN = Chain(
    (
        order(
            "1/2567",
            DAY,
            gives(PHUKET, "a"),
            function("moi", "a"),
            gives("drugs", "a", "oversee", "agenda"),
            gives(PHANG_NGA, "b"),
            gives(KRABI, "c"),
            ring("a", "b"),
            Entrusted(deputy="a", inspector="s", provinces=[PHUKET], duties=["inspect"]),
            Entrusted(deputy="b", inspector="s", provinces=[PHANG_NGA], duties=["urge"]),
        ),
        order("2/2567", DAY + HOUR, away("a"), BOTH, effective_to=DAY + 2 * HOUR),
        order(
            "3/2567",
            DAY + 3 * HOUR,
            ActingPrimeMinister(deputy="c"),
            effective_to=DAY + 4 * HOUR,
        ),
    )
)
READS = frozenset({Resource.REFERENCE, Resource.SITUATION, Resource.CENTRES})


@dataclass(frozen=True)
class Seen:
    """All that one identity sees; what is not named is not seen."""

    resources: frozenset[Resource] = READS
    places: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    """Whose incidents are seen wherever they are."""
    agendas: frozenset[str] = frozenset()
    deputies: frozenset[str] = frozenset()
    centres: frozenset[str] = frozenset()
    matters: frozenset[str | None] = frozenset()
    """From whom single matters are reserved, as far as that is seen; None is whoever holds them."""


def of(*names: str) -> frozenset[str]:
    return frozenset(names)


OVERVIEWS = READS | {Resource.OVERVIEW}
NATION = Seen(OVERVIEWS, PLACES, UNITS, AGENDAS, DEPUTIES, frozenset(CENTRES))
PRIME_MINISTER = replace(
    NATION, resources=OVERVIEWS | {Resource.MATTERS}, matters=DEPUTIES | {None}
)
REFERENCE = Seen(frozenset({Resource.REFERENCE}))
OF_A = Seen(OVERVIEWS, of(PHUKET), of("moi"), of("drugs"), of("a"), of("poc:TH-83"), of("a"))
OF_B = Seen(OVERVIEWS, of(PHANG_NGA), deputies=of("b"), centres=of("poc:TH-82"), matters=of("b"))
OF_A_AND_B = Seen(
    OVERVIEWS,
    of(PHUKET, PHANG_NGA),
    of("moi"),
    of("drugs"),
    of("a", "b"),
    of("poc:TH-83", "poc:TH-82"),
    of("a", "b"),
)
OF_C = Seen(OVERVIEWS, of(KRABI), deputies=of("c"), matters=of("c"))
OF_PHUKET = Seen(places=of(PHUKET), centres=of("poc:TH-83"))
OF_THE_OPERATOR = Seen(
    frozenset({Resource.REFERENCE, Resource.CENTRES, Resource.QUARANTINE}),
    centres=frozenset(CENTRES),
)

EVERYBODY = {
    "pm": PRIME_MINISTER,
    "pmoc": PRIME_MINISTER,
    "committee": NATION,
    "cabinet": NATION,
    "interior": NATION,
    "opdc": NATION,
    "budget": NATION,
    "analyst": NATION,
    "operator": OF_THE_OPERATOR,
    "screening": REFERENCE,
    "deputy:a": OF_A,
    "secretariat:a": OF_A,
    "deputy:b": OF_B,
    "secretariat:b": OF_B,
    "deputy:c": OF_C,
    "secretariat:c": OF_C,
    "deputy:nobody": Seen(OVERVIEWS, deputies=of("nobody"), matters=of("nobody")),
    "inspector:s": Seen(places=of(PHUKET, PHANG_NGA), centres=of("poc:TH-83", "poc:TH-82")),
    "inspector:i": REFERENCE,
    "inspector:a": REFERENCE,
    "governor:TH-83": OF_PHUKET,
    "governor:TH-99": REFERENCE,
    "poc:TH-83": OF_PHUKET,
    "poc:TH-99": REFERENCE,
    "poc:TH-81": REFERENCE,
    "city:TH-10": Seen(places=of(BANGKOK), centres=of("city:TH-10")),
    "press:cnn": Seen(centres=of("press:cnn")),
    "moc:moi": Seen(units=of("moi", "moi.ddpm"), centres=of("moc:moi", "doc:moi.ddpm")),
    "moc:moph": Seen(units=of("moph"), centres=of("moc:moph")),
    "doc:moi.ddpm": Seen(units=of("moi", "moi.ddpm"), centres=of("doc:moi.ddpm")),
    "doc:unheard-of": REFERENCE,
}
AT_OTHER_MOMENTS = [
    ("deputy:a", DAY - NEARLY, Seen(OVERVIEWS, deputies=of("a"), matters=of("a"))),
    ("deputy:a", DAY + HOUR, OF_A),
    ("deputy:b", DAY + HOUR - NEARLY, OF_B),
    ("deputy:b", DAY + HOUR, OF_A_AND_B),
    ("secretariat:b", DAY + HOUR, OF_A_AND_B),
    ("deputy:b", DAY + 2 * HOUR, OF_B),
    ("inspector:i", DAY + HOUR, Seen(places=of(PHANG_NGA), centres=of("poc:TH-82"))),
    ("inspector:i", DAY + 2 * HOUR, REFERENCE),
    ("deputy:c", DAY + 3 * HOUR, PRIME_MINISTER),
    ("secretariat:c", DAY + 3 * HOUR, OF_C),
    ("deputy:a", DAY + 3 * HOUR, OF_A),
    ("deputy:c", DAY + 4 * HOUR, OF_C),
]


def scope_at(identity: str, moment: datetime = DAY) -> Scope:
    return scope_of(Identity.parse(identity), matrix_at(CHAIN, moment), REGISTRY)


def seen_by(scope: Scope) -> Seen:
    """Every resource, place, unit, agenda, deputy and centre, asked for one by one."""
    situation = scope.reads(Resource.SITUATION)
    return Seen(
        frozenset(filter(scope.reads, Resource)),
        frozenset(one for one in PLACES if situation and scope.sees_place(one)),
        frozenset(one for one in UNITS if situation and scope.sees_everywhere([one], [])),
        frozenset(one for one in AGENDAS if situation and scope.sees_everywhere([], [one])),
        frozenset(one for one in (*DEPUTIES, "nobody") if scope.sees_deputy(one))
        - (of("nobody") if scope.nation else of()),
        frozenset(one for one, place in CENTRES.items() if scope.sees_centre(one, place)),
        frozenset(one for one in (*DEPUTIES, "nobody", None) if scope.sees_matter(one))
        - (of("nobody") if scope.nation else of()),
    )


@pytest.mark.parametrize("identity", EVERYBODY)
def test_what_each_identity_sees_of_everything_there_is(identity: str) -> None:
    assert seen_by(scope_at(identity)) == EVERYBODY[identity]


@pytest.mark.parametrize(("identity", "moment", "seen"), AT_OTHER_MOMENTS)
def test_scope_follows_the_orders_of_the_moment(
    identity: str, moment: datetime, seen: Seen
) -> None:
    assert seen_by(scope_at(identity, moment)) == seen


def test_no_kind_of_identity_is_forgotten() -> None:
    asked = {identity.partition(":")[0] for identity in EVERYBODY}
    assert asked >= OFFICES | HOLDERS | {"pmoc", "poc", "moc", "doc"}


@pytest.mark.parametrize("identity", EVERYBODY)
def test_what_is_said_of_a_place_is_seen_with_the_place_or_with_the_whole_incident(
    identity: str,
) -> None:
    scope = scope_at(identity)
    for place in PLACES:
        for unit in UNITS:
            everywhere = scope.sees_everywhere([unit], [])
            said = scope.sees_said(place, [unit], [])
            assert said == (everywhere or scope.sees_place(place))


def test_an_identity_no_rule_names_sees_nothing() -> None:
    assert scope_of(Identity("deputy"), matrix_at(CHAIN, DAY), REGISTRY) == NOTHING
    assert seen_by(NOTHING) == Seen(frozenset())


@pytest.mark.parametrize("identity", EVERYBODY)
def test_only_an_operator_has_things_tried_again(identity: str) -> None:
    assert may_retry(Identity.parse(identity)) == (identity == "operator")


def test_who_acts_for_an_empty_post_sees_what_its_holder_saw_who_sees_it_no_more() -> None:
    left = Chain(CHAIN.orders, (tenure("a", "2024-01-01", "2024-10-05"),))
    matrix = matrix_at(left, DAY + timedelta(days=5))
    substitute, before = (
        scope_of(Identity.parse(one), matrix, REGISTRY) for one in ("deputy:b", "deputy:a")
    )
    assert seen_by(substitute) == OF_A_AND_B
    assert seen_by(before) == Seen(OVERVIEWS, deputies=of("a"), matters=of("a"))
