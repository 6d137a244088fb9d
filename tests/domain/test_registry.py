"""What the registry in memory says about a day."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.events.record import NetworkOpened
from schemas.events.registry import CentreRegistered, PrecedenceSet, ProvinceRegistered
from services.domain.registry import Entry, Registry, day_of, registry_of


def province(code: str, *, since: date | None = None, succeeds: tuple[str, ...] = ()) -> Entry:
    model = ProvinceRegistered(
        province=code, name_th=code, valid_from=since, source="test", succeeds=list(succeeds)
    )
    return Entry("province", code, since, None, model)


def centre(
    name: str, *, parent: str | None = None, since: date | None = None, until: date | None = None
) -> Entry:
    model = CentreRegistered(
        centre=name,
        level="other",
        parent=parent,
        name_th=name,
        valid_from=since,
        valid_to=until,
        source="test",
    )
    return Entry("centre", name, since, until, model)


BUENG_KAN = province("TH-38", since=date(2011, 3, 23), succeeds=("TH-43",))


def test_a_province_is_there_from_its_first_day_on() -> None:
    registry = registry_of([BUENG_KAN])
    assert registry.province("TH-38", date(2011, 3, 22)) is None
    assert registry.province("TH-38", date(2011, 3, 23)) is not None


def test_what_a_province_was_cut_out_of_is_known() -> None:
    assert registry_of([BUENG_KAN]).succeeds("TH-38") == ("TH-43",)


def test_the_day_of_a_moment_is_bangkoks() -> None:
    assert day_of(datetime(2011, 3, 22, 16, 59, tzinfo=UTC)) == date(2011, 3, 22)
    assert day_of(datetime(2011, 3, 22, 17, 0, tzinfo=UTC)) == date(2011, 3, 23)


def test_between_two_versions_nothing_is_registered() -> None:
    registry = registry_of(
        [
            centre("poc:TH-83", since=date(2001, 10, 1), until=date(2002, 10, 1)),
            centre("poc:TH-83", since=date(2003, 10, 1)),
        ]
    )
    assert registry.centre("poc:TH-83", date(2002, 9, 30)) is not None
    assert registry.centre("poc:TH-83", date(2002, 10, 1)) is None
    assert registry.centre("poc:TH-83", date(2003, 10, 1)) is not None


def test_a_version_stated_again_replaces_what_was_stated_before() -> None:
    registry = registry_of([centre("a", parent="b"), centre("a", parent="c")])
    found = registry.centre("a", date(2020, 1, 1))
    assert found is not None
    assert found.parent == "c"


def test_a_centre_is_above_what_is_below_it_at_any_distance() -> None:
    registry = registry_of([centre("a"), centre("b", parent="a"), centre("c", parent="b")])
    day = date(2020, 1, 1)
    assert registry.is_above("a", "c", day)
    assert registry.is_above("b", "c", day)
    assert not registry.is_above("c", "a", day)
    assert not registry.is_above("c", "c", day)


def test_a_ring_of_parents_holds_nobody() -> None:
    registry = registry_of([centre("a", parent="b"), centre("b", parent="a")])
    assert not registry.is_above("c", "a", date(2020, 1, 1))


def test_the_parent_is_that_of_the_day() -> None:
    registry = registry_of(
        [centre("a"), centre("b", parent="a"), centre("b", parent="x", since=date(2016, 9, 16))]
    )
    assert registry.is_above("a", "b", date(2016, 9, 15))
    assert not registry.is_above("a", "b", date(2016, 9, 16))


def test_above_a_centre_that_is_gone_stands_who_stood_last() -> None:
    registry = registry_of([centre("a"), centre("b", parent="a", until=date(2016, 9, 16))])
    assert registry.is_above("a", "b", date(2020, 1, 1))


def test_precedence_is_that_of_the_day() -> None:
    def rule(since: date | None, *sources: str) -> Entry:
        model = PrecedenceSet(valid_from=since, sources=list(sources), source="test")
        return Entry("precedence", "figures", since, None, model)

    registry = registry_of([rule(None, "poc"), rule(date(2010, 1, 1), "MOC", "poc")])
    before, after = (registry.precedence(day) for day in (date(2009, 12, 31), date(2010, 1, 1)))
    assert before is not None
    assert after is not None
    assert (before.sources, after.sources) == (["poc"], ["MOC", "poc"])


def test_the_opening_is_not_known_before_it_is_stated() -> None:
    assert Registry().opened_at is None
    opened = datetime(2026, 1, 1, tzinfo=UTC)
    entry = Entry("network", "opening", None, None, NetworkOpened(opened_at=opened))
    assert registry_of([entry]).opened_at == opened


def test_each_gives_what_there_was_on_the_day_by_id() -> None:
    registry = registry_of([province("TH-43"), BUENG_KAN, centre("pmoc")])
    codes = [found.province for found in registry.each(ProvinceRegistered, date(2010, 1, 1))]
    assert codes == ["TH-43"]
    assert registry.centres() == ("pmoc",)


def test_ministries_and_departments_unknown_are_none() -> None:
    assert Registry().ministry("moi", date(2020, 1, 1)) is None
    assert Registry().department("moi.ddpm", date(2020, 1, 1)) is None


def test_an_entry_of_another_kind_under_the_subject_is_not_taken_for_it() -> None:
    odd = Entry("province", "TH-83", None, None, NetworkOpened(opened_at=datetime.now(UTC)))
    assert registry_of([odd]).province("TH-83", date(2020, 1, 1)) is None


@given(st.permutations([None, date(2001, 1, 1), date(2005, 1, 1), date(2010, 1, 1)]))
def test_the_order_of_registration_does_not_matter(begins: list[date | None]) -> None:
    registry = registry_of([centre("a", parent=f"org:{since}", since=since) for since in begins])
    found = registry.centre("a", date(2007, 1, 1))
    assert found is not None
    assert found.parent == "org:2005-01-01"
