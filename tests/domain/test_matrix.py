"""Who holds what at a moment, by example."""

from datetime import UTC, datetime

from schemas.events.order import CabinetEnd, TenureEnd
from services.domain.chain import Chain
from services.domain.matrix import Cell, matrix_at
from services.domain.validity import Validity
from tests.domain.prime_minister import (
    BEGIN,
    HOUR,
    NEARLY,
    appointed,
    area,
    at,
    function,
    gives,
    holder,
    order,
    part_revoked,
    powers,
    tenure,
)


def test_an_order_rules_from_its_moment_on() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    assert holder(at(BEGIN - NEARLY, first)) == "uncovered"
    assert holder(at(BEGIN, first)) == "a"


def test_an_order_s_end_is_the_first_moment_after_it() -> None:
    first = order("1/2567", BEGIN, gives("TH-83", "a"), effective_to=BEGIN + HOUR)
    assert holder(at(BEGIN + HOUR - NEARLY, first)) == "a"
    assert holder(at(BEGIN + HOUR, first)) == "uncovered"


def test_a_complete_order_ends_the_one_before_it_also_where_it_names_nobody() -> None:
    first = area("1/2567", BEGIN, TH_83="a", TH_82="a")
    second = area("2/2567", BEGIN + HOUR, TH_82="b")
    assert holder(at(BEGIN + HOUR, first, second)) == "uncovered"
    assert holder(at(BEGIN + HOUR, first, second), "TH-82") == "b"


def test_what_a_complete_order_ended_does_not_come_back_when_it_lapses() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    second = order(
        "2/2567",
        BEGIN + HOUR,
        gives("TH-83", "b"),
        complete=["area"],
        effective_to=BEGIN + 2 * HOUR,
    )
    assert holder(at(BEGIN + 2 * HOUR, first, second)) == "uncovered"


def test_a_complete_area_order_leaves_functions_alone() -> None:
    mixed = order("1/2567", BEGIN, function("moi", "a"), gives("TH-83", "a"))
    later = area("2/2567", BEGIN + HOUR, TH_82="b")
    matrix = at(BEGIN + HOUR, mixed, later)
    assert powers(matrix, "moi") == {"a": "oversee"}
    assert holder(matrix) == "uncovered"


def test_the_later_amendment_that_names_a_province_wins() -> None:
    """378/2567 and 407/2567 amend 315/2567: the later order that names a province wins."""
    first = area("315/2567", BEGIN, TH_83="a", TH_82="a", TH_81="a")
    given = gives("TH-83", "b"), gives("TH-82", "b")
    second = order("378/2567", BEGIN + HOUR, *given, amends=["315/2567"])
    third = order("407/2567", BEGIN + 2 * HOUR, gives("TH-83", "c"), amends=["315/2567"])
    matrix = at(BEGIN + 2 * HOUR, third, first, second)
    assert [holder(matrix, target) for target in ("TH-83", "TH-82", "TH-81")] == ["c", "b", "a"]


def test_what_an_amendment_named_is_as_before_when_the_amendment_alone_lapses() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    second = order(
        "2/2567", BEGIN, gives("TH-83", "b"), amends=["1/2567"], effective_to=BEGIN + HOUR
    )
    assert holder(at(BEGIN, first, second)) == "b"
    assert holder(at(BEGIN + HOUR, first, second)) == "a"


def test_an_amendment_falls_with_what_it_amends() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    amending = order("2/2567", BEGIN, gives("TH-83", "b"), amends=["1/2567"])
    revoking = order("3/2567", BEGIN + HOUR, revokes=["1/2567"])
    assert holder(at(BEGIN + HOUR, first, amending, revoking)) == "uncovered"


def test_an_amendment_of_an_order_the_archive_lacks_stands_by_itself() -> None:
    amending = order("2/2567", BEGIN, gives("TH-83", "b"), amends=["1/2560"])
    assert holder(at(BEGIN, amending)) == "b"


def test_an_order_revoked_before_its_moment_never_ends_another() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    stopped = area("2/2567", BEGIN + 2 * HOUR, TH_83="b")
    revoking = order("3/2567", BEGIN + HOUR, revokes=["2/2567"])
    assert holder(at(BEGIN + 3 * HOUR, first, stopped, revoking)) == "a"


def test_a_number_stated_again_replaces_what_was_stated_before() -> None:
    first, again = area("1/2567", BEGIN, TH_83="a"), area("1/2567", BEGIN, TH_83="b")
    assert holder(at(BEGIN, first, again)) == "b"


def test_a_part_revoked_is_nobody_s_for_good_and_the_rest_stands() -> None:
    first = area("1/2567", BEGIN, TH_83="a", TH_82="a")
    amending = order("2/2567", BEGIN, gives("TH-83", "b"), amends=["1/2567"])
    revoking = order(
        "3/2567", BEGIN + HOUR, part_revoked("2/2567", "TH-83"), effective_to=BEGIN + 2 * HOUR
    )
    chain = first, amending, revoking
    assert holder(at(BEGIN + HOUR - NEARLY, *chain)) == "b"
    assert holder(at(BEGIN + HOUR, *chain)) == "uncovered"
    assert holder(at(BEGIN + HOUR, *chain), "TH-82") == "a"
    assert holder(at(BEGIN + 2 * HOUR, *chain)) == "uncovered"


def test_one_power_of_two_may_be_revoked() -> None:
    first = order("1/2567", BEGIN, function("moi", "a", "oversee+command"))
    revoking = order("2/2567", BEGIN + HOUR, part_revoked("1/2567", "moi", "command"))
    assert powers(at(BEGIN + HOUR, first, revoking), "moi") == {"a": "oversee"}


def test_what_is_revoked_of_an_order_whose_text_is_missing_is_known_to_be_nobody_s() -> None:
    missing = order("1/2567", BEGIN, missing=["area"])
    revoking = order("2/2567", BEGIN + HOUR, part_revoked("1/2567", "TH-83"))
    matrix = at(BEGIN + HOUR, missing, revoking)
    assert (holder(matrix), holder(matrix, "TH-82")) == ("uncovered", "not_known")


def test_cover_is_not_known_from_a_missing_order_to_the_next_complete_one() -> None:
    chain = (
        area("1/2567", BEGIN, TH_83="a"),
        order("2/2567", BEGIN + HOUR, missing=["area"]),
        order("3/2567", BEGIN + 2 * HOUR, gives("TH-82", "b")),
        area("4/2567", BEGIN + 3 * HOUR, TH_82="c"),
    )
    assert holder(at(BEGIN + HOUR, *chain)) == "not_known"
    assert holder(at(BEGIN + 2 * HOUR, *chain)) == "not_known"
    assert holder(at(BEGIN + 2 * HOUR, *chain), "TH-82") == "b"
    assert holder(at(BEGIN + 3 * HOUR, *chain)) == "uncovered"


def test_bangkok_is_outside_the_scheme_whatever_an_order_says() -> None:
    first = area("1/2567", BEGIN, TH_10="a")
    assert at(BEGIN, first).cell("area", "TH-10") == Cell("area", "TH-10", "outside_scheme")


def test_one_unit_may_have_an_overseer_and_another_commander() -> None:
    given = function("opm", "a"), function("opm", "b", "command"), function("opm", "c", "command")
    first = order("1/2567", BEGIN, *given)
    assert powers(at(BEGIN, first), "opm") == {"a": "oversee", "b": "command"}


def test_a_later_order_takes_the_power_it_names_and_no_other() -> None:
    first = order("1/2567", BEGIN, function("moi", "a", "oversee+command"))
    second = order("2/2567", BEGIN + HOUR, function("moi", "b", "command"))
    assert powers(at(BEGIN + HOUR, first, second), "moi") == {"a": "oversee", "b": "command"}


def test_a_unit_is_its_ministry_s_holder_s_unless_an_order_carves_it_out_or_names_it() -> None:
    given = (
        function("moj", "a", except_targets=["moj.dsi"]),
        function("moj", "b", "command"),
        function("moj.cifs", "c"),
    )
    matrix = at(BEGIN, order("1/2567", BEGIN, *given))
    assert powers(matrix, "moj.doc", within="moj") == {"a": "oversee", "b": "command"}
    assert powers(matrix, "moj.dsi", within="moj") == {"b": "command"}
    assert powers(matrix, "moj.cifs", within="moj") == {"c": "oversee", "b": "command"}
    assert powers(matrix, "moj.doc") == {}


def test_what_is_carved_out_is_uncovered_and_never_not_known() -> None:
    missing = order("1/2567", BEGIN, missing=["function"])
    given = order("2/2567", BEGIN, function("moj", "a", except_targets=["moj.dsi"]))
    matrix = at(BEGIN, missing, given)
    assert matrix.cell("function", "moj.dsi", within="moj").cover == "uncovered"
    assert matrix.cell("function", "moi.ddpm", within="moi").cover == "not_known"


def test_who_leaves_office_holds_no_more_and_needs_a_new_order() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    tenures = tenure("a", "2024-01-01", "2024-01-03"), tenure("a", "2024-01-04")

    def on(day: int, hour: int = 0) -> str:
        # Midnight in Bangkok is 17:00 of the day before in UTC.
        moment = datetime(2024, 1, day - 1, 17, tzinfo=UTC) + hour * HOUR
        return holder(at(moment, first, tenures=tenures))

    assert (on(2), on(3, hour=-1), on(3), on(5)) == ("a", "a", "uncovered", "uncovered")


def test_who_changes_office_without_a_gap_holds_on() -> None:
    minister = tenure("a", "2024-01-01", "2024-01-02", office="minister_pm_office")
    tenures = minister, tenure("a", "2024-01-02")
    matrix = at(BEGIN + 24 * HOUR, area("1/2567", BEGIN, TH_83="a"), tenures=tenures)
    assert holder(matrix) == "a"
    assert matrix.cell("area", "TH-83").holdings[0].office == "deputy_pm"


def test_an_appointment_begins_a_tenure_and_a_later_order_ends_it_to_the_second() -> None:
    chain = (
        order("1/2567", BEGIN, appointed("a")),
        area("2/2567", BEGIN, TH_83="a"),
        order("3/2567", BEGIN + HOUR, TenureEnd(tenure="a.1")),
        order("4/2567", BEGIN + 2 * HOUR, appointed("a", "a.2")),
    )
    assert at(BEGIN - NEARLY, *chain).office_of("a") is None
    assert at(BEGIN, *chain).office_of("a") == "deputy_pm"
    assert holder(at(BEGIN + HOUR - NEARLY, *chain)) == "a"
    assert holder(at(BEGIN + HOUR, *chain)) == "uncovered"
    assert at(BEGIN + 2 * HOUR, *chain).office_of("a") == "deputy_pm"
    assert holder(at(BEGIN + 2 * HOUR, *chain)) == "uncovered"


def test_an_order_may_end_a_tenure_that_an_archive_registered() -> None:
    ending = order("1/2567", BEGIN, TenureEnd(tenure="a.2023-01-01"))
    matrix = at(BEGIN, ending, tenures=(tenure("a", "2023-01-01"),))
    assert not matrix.is_in_office("a")


def test_the_end_of_a_cabinet_ends_every_tenure_and_assignment() -> None:
    chain = (
        order("1/2567", BEGIN, appointed("b"), missing=["function"]),
        area("2/2567", BEGIN, TH_83="a", TH_82="b"),
        order("3/2567", BEGIN + HOUR, CabinetEnd()),
        area("4/2567", BEGIN + HOUR, TH_82="a"),
        order("5/2567", BEGIN + HOUR, appointed("a", "a.2")),
    )
    after = at(BEGIN + HOUR, *chain, tenures=(tenure("a", "2023-01-01"),))
    assert (holder(after), holder(after, "TH-82")) == ("uncovered", "a")
    assert after.office_of("b") is None
    assert after.cell("function", "moi").cover == "uncovered"
    before = at(BEGIN + HOUR - NEARLY, *chain, tenures=(tenure("a", "2023-01-01"),))
    assert (holder(before), holder(before, "TH-82")) == ("a", "b")


def test_the_targets_are_those_that_orders_in_force_name() -> None:
    first, second = area("1/2567", BEGIN, TH_83="a"), area("2/2567", BEGIN + HOUR, TH_82="b")
    assert at(BEGIN + HOUR, first, second).targets("area") == ["TH-82"]
    assert at(BEGIN + HOUR, first, second).targets("function") == []


def test_the_area_passes_on_at_the_second_and_the_past_stays_as_it_was() -> None:
    october = datetime(2024, 9, 30, 17, tzinfo=UTC)
    first, second = area("1/2567", BEGIN, TH_83="a"), area("2/2567", october, TH_83="b")
    before = october - NEARLY
    assert at(before, first).provinces_of("a") == at(before, first, second).provinces_of("a")
    assert at(october, first, second).provinces_of("a") == frozenset()
    assert at(october, first, second).provinces_of("b") == {"TH-83"}


def test_of_two_orders_of_one_moment_the_higher_number_is_the_later() -> None:
    low, high = area("9/2567", BEGIN, TH_83="a"), area("10/2567", BEGIN, TH_83="b")
    assert holder(at(BEGIN, high, low)) == "b"


def test_the_boundaries_are_the_moments_at_which_anything_begins_or_ends() -> None:
    lapsing = order("1/2567", BEGIN, effective_to=BEGIN + HOUR)
    chain = Chain((lapsing,), (tenure("a", "2024-01-02", "2024-01-03"),))
    midnight = datetime(2024, 1, 1, 17, tzinfo=UTC)
    assert Validity(chain).boundaries == [BEGIN, BEGIN + HOUR, midnight, midnight + 24 * HOUR]
    assert matrix_at(chain, midnight).in_force == []
