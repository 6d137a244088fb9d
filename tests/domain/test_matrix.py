"""Who holds what on a day, by example and against a naive reading of the orders day by day."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.domain.matrix import Assigned, Cell, Matrix, Order, Tenure

BEGIN = date(2024, 1, 1)
A_DAY = timedelta(days=1)


def area(number: str, day: date, **holders: str) -> Order:
    """A complete area order: `area("1/2567", BEGIN, TH_83="a")`."""
    given = tuple(
        Assigned("area", target.replace("_", "-"), deputy, "area")
        for target, deputy in holders.items()
    )
    return Order(number, "area", "complete", day, assignments=given)


def holder(matrix: Matrix, target: str = "TH-83") -> str:
    """The one who holds the province, or its cover."""
    cell = matrix.cell("area", target)
    return cell.holdings[0].given.deputy if cell.holdings else cell.cover


def on(day: date, *orders: Order, tenures: tuple[Tenure, ...] = ()) -> Matrix:
    return Matrix(day, orders, tenures)


def test_an_order_rules_from_its_day_on() -> None:
    order = area("1/2567", BEGIN, TH_83="a")
    assert holder(on(BEGIN - A_DAY, order)) == "uncovered"
    assert holder(on(BEGIN, order)) == "a"


def test_an_order_s_end_is_the_first_day_after_it() -> None:
    order = replace(area("1/2567", BEGIN, TH_83="a"), effective_to=BEGIN + A_DAY)
    assert holder(on(BEGIN, order)) == "a"
    assert holder(on(BEGIN + A_DAY, order)) == "uncovered"


def test_a_complete_order_ends_the_one_before_it_also_where_it_names_nobody() -> None:
    first = area("1/2567", BEGIN, TH_83="a", TH_82="a")
    second = area("2/2567", BEGIN + A_DAY, TH_82="b")
    assert holder(on(BEGIN + A_DAY, first, second)) == "uncovered"
    assert holder(on(BEGIN + A_DAY, first, second), "TH-82") == "b"


def test_what_a_complete_order_ended_does_not_come_back_when_it_lapses() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    second = replace(area("2/2567", BEGIN + A_DAY, TH_83="b"), effective_to=BEGIN + 2 * A_DAY)
    assert holder(on(BEGIN + 2 * A_DAY, first, second)) == "uncovered"


def test_a_complete_area_order_leaves_functions_alone() -> None:
    function = Order(
        "1/2567",
        "function",
        "complete",
        BEGIN,
        assignments=(Assigned("function", "moi", "a", "oversee"),),
    )
    later = area("2/2567", BEGIN + A_DAY, TH_83="b")
    assert on(BEGIN + A_DAY, function, later).cell("function", "moi").cover == "overseer"


def test_the_later_amendment_that_names_a_province_wins() -> None:
    """378/2567 and 407/2567 amend 315/2567: the later order that names a province wins."""
    first = area("315/2567", BEGIN, TH_83="a", TH_82="a", TH_81="a")
    second = replace(
        area("378/2567", BEGIN + A_DAY, TH_83="b", TH_82="b"),
        scope="amending",
        amends=("315/2567",),
    )
    third = replace(
        area("407/2567", BEGIN + 2 * A_DAY, TH_83="c"), scope="amending", amends=("315/2567",)
    )
    matrix = on(BEGIN + 2 * A_DAY, third, first, second)
    assert [holder(matrix, target) for target in ("TH-83", "TH-82", "TH-81")] == ["c", "b", "a"]


def test_an_amendment_falls_with_what_it_amends() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    amending = replace(area("2/2567", BEGIN, TH_83="b"), scope="amending", amends=("1/2567",))
    revoking = Order("3/2567", "revocation", "complete", BEGIN + A_DAY, revokes=("1/2567",))
    assert holder(on(BEGIN + A_DAY, first, amending, revoking)) == "uncovered"


def test_an_amendment_of_an_order_the_archive_lacks_stands_by_itself() -> None:
    amending = replace(area("2/2567", BEGIN, TH_83="b"), scope="amending", amends=("1/2560",))
    assert holder(on(BEGIN, amending)) == "b"


def test_revocation_ends_an_order_on_the_revoking_order_s_day() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    revoking = Order("2/2567", "revocation", "complete", BEGIN + A_DAY, revokes=("1/2567",))
    assert holder(on(BEGIN, first, revoking)) == "a"
    assert holder(on(BEGIN + A_DAY, first, revoking)) == "uncovered"


def test_an_order_revoked_before_its_day_never_ends_another() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    stopped = area("2/2567", BEGIN + 2 * A_DAY, TH_83="b")
    revoking = Order("3/2567", "revocation", "complete", BEGIN + A_DAY, revokes=("2/2567",))
    assert holder(on(BEGIN + 3 * A_DAY, first, stopped, revoking)) == "a"


def test_cover_is_not_known_from_a_missing_order_to_the_next_complete_one() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    missing = replace(area("2/2567", BEGIN + A_DAY), order_missing=True)
    partial = replace(area("3/2567", BEGIN + 2 * A_DAY, TH_82="b"), scope="partial")
    complete = area("4/2567", BEGIN + 3 * A_DAY, TH_82="c")
    orders = (first, missing, partial, complete)
    assert holder(on(BEGIN + A_DAY, *orders)) == "not_known"
    assert holder(on(BEGIN + 2 * A_DAY, *orders)) == "not_known"
    assert holder(on(BEGIN + 2 * A_DAY, *orders), "TH-82") == "b"
    assert holder(on(BEGIN + 3 * A_DAY, *orders)) == "uncovered"


def test_bangkok_is_outside_the_scheme_whatever_an_order_says() -> None:
    order = area("1/2567", BEGIN, TH_10="a")
    assert on(BEGIN, order).cell("area", "TH-10") == Cell("area", "TH-10", "outside_scheme")


def test_one_unit_may_have_an_overseer_and_another_commander() -> None:
    given = (
        Assigned("function", "opm.prd", "a", "oversee"),
        Assigned("function", "opm.prd", "b", "command"),
        Assigned("function", "opm.prd", "c", "command"),
    )
    cell = on(BEGIN, Order("1/2567", "function", "complete", BEGIN, assignments=given)).cell(
        "function", "opm.prd"
    )
    assert [(one.given.deputy, one.given.power) for one in cell.holdings] == [
        ("a", "oversee"),
        ("b", "command"),
    ]


def test_who_leaves_office_holds_no_more_and_needs_a_new_order() -> None:
    order = area("1/2567", BEGIN, TH_83="a")
    tenures = (
        Tenure("a", "deputy_pm", BEGIN, BEGIN + A_DAY),
        Tenure("a", "deputy_pm", BEGIN + 2 * A_DAY),
    )
    assert holder(on(BEGIN, order, tenures=tenures)) == "a"
    assert holder(on(BEGIN + A_DAY, order, tenures=tenures)) == "uncovered"
    assert holder(on(BEGIN + 3 * A_DAY, order, tenures=tenures)) == "uncovered"


def test_who_changes_office_without_a_gap_holds_on() -> None:
    tenures = (
        Tenure("a", "minister_pm_office", BEGIN, BEGIN + A_DAY),
        Tenure("a", "deputy_pm", BEGIN + A_DAY),
    )
    matrix = on(BEGIN + A_DAY, area("1/2567", BEGIN, TH_83="a"), tenures=tenures)
    assert holder(matrix) == "a"
    assert matrix.cell("area", "TH-83").holdings[0].office == "deputy_pm"


def test_the_targets_are_those_that_orders_in_force_name() -> None:
    first, second = area("1/2567", BEGIN, TH_83="a"), area("2/2567", BEGIN + A_DAY, TH_82="b")
    assert on(BEGIN + A_DAY, first, second).targets("area") == ["TH-82"]
    assert on(BEGIN + A_DAY, first, second).targets("function") == []


def test_the_area_passes_on_the_day_and_yesterday_stays_as_it_was() -> None:
    first = area("1/2567", BEGIN, TH_83="a")
    second = area("2/2567", date(2024, 10, 1), TH_83="b")
    before, after = date(2024, 9, 30), date(2024, 10, 1)
    assert on(before, first).provinces_of("a") == on(before, first, second).provinces_of("a")
    assert on(after, first, second).provinces_of("a") == frozenset()
    assert on(after, first, second).provinces_of("b") == {"TH-83"}


def test_of_two_orders_of_one_day_the_higher_number_is_the_later() -> None:
    low, high = area("9/2567", BEGIN, TH_83="a"), area("10/2567", BEGIN, TH_83="b")
    assert holder(on(BEGIN, high, low)) == "b"


TARGETS = ("TH-10", "TH-82", "TH-83", "moi")
NUMBERS = tuple(f"{serial}/2567" for serial in range(1, 7))
days = st.integers(0, 6).map(lambda days: BEGIN + days * A_DAY)
some_numbers = st.lists(st.sampled_from(NUMBERS), max_size=2, unique=True).map(tuple)
assigned = st.builds(
    Assigned,
    dimension=st.sampled_from(("area", "function")),
    target=st.sampled_from(TARGETS),
    deputy=st.sampled_from("abc"),
    power=st.sampled_from(("area", "oversee", "command")),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Order], list[Tenure]]:
    orders = [
        Order(
            number=number,
            kind=draw(st.sampled_from(("area", "function", "mixed", "acting", "revocation"))),
            scope=draw(st.sampled_from(("complete", "amending", "partial"))),
            effective_from=(begin := draw(days)),
            effective_to=draw(st.none() | st.integers(1, 4).map(lambda n: begin + n * A_DAY)),
            revokes=draw(some_numbers),
            amends=draw(some_numbers),
            order_missing=draw(st.booleans()),
            assignments=tuple(draw(st.lists(assigned, max_size=4))),
        )
        for number in draw(st.lists(st.sampled_from(NUMBERS), unique=True, max_size=6))
    ]
    tenures = [
        Tenure(deputy, "deputy_pm", begin := draw(days), begin + draw(st.integers(1, 5)) * A_DAY)
        for deputy in draw(st.lists(st.sampled_from("ab"), max_size=3))
    ]
    return orders, tenures


@given(histories(), days)
def test_the_matrix_agrees_with_living_through_the_days(
    history: tuple[list[Order], list[Tenure]], day: date
) -> None:
    orders, tenures = history
    matrix = Matrix(day, orders, tenures)
    for dimension in ("area", "function"):
        for target in TARGETS:
            cell = matrix.cell(dimension, target)
            found = cell.cover, sorted((h.given.deputy, h.given.power) for h in cell.holdings)
            assert found == lived_through(orders, tenures, day, dimension, target)


@given(histories(), days)
def test_every_target_has_one_cover_and_every_holding_its_holder(
    history: tuple[list[Order], list[Tenure]], day: date
) -> None:
    matrix = Matrix(day, *history)
    held = {
        (h.given.dimension, h.given.target, h.given.power)
        for deputy in "abc"
        for h in matrix.held_by(deputy)
    }
    cells = [matrix.cell(d, target) for d in ("area", "function") for target in TARGETS]
    assert held == {(c.dimension, c.target, h.given.power) for c in cells for h in c.holdings}
    assert all(bool(cell.holdings) == (cell.cover == "overseer") for cell in cells)


def lived_through(
    orders: list[Order], tenures: list[Tenure], day: date, dimension: str, target: str
) -> tuple[str, list[tuple[str, str]]]:
    """The naive oracle: every day from the first, what takes effect that day is written down."""
    if (dimension, target) == ("area", "TH-10"):
        return "outside_scheme", []
    begun: list[Order] = []
    dead: set[str] = set()
    over: dict[str, set[str]] = {}
    unknown_since: Order | None = None
    today = BEGIN
    while today <= day:
        for order in sorted(orders, key=lambda o: int(o.number.split("/")[0])):
            if order.effective_from != today or order.number in dead:
                continue
            dead.update(number for number in order.revokes if number != order.number)
            if dimension in speaks_of(order):
                if order.scope == "complete":
                    for earlier in begun:
                        over.setdefault(earlier.number, set()).add(dimension)
                    unknown_since = None
                if order.order_missing:
                    unknown_since = order
            begun.append(order)
        today += A_DAY
    ruling: list[Order] = []
    for order in begun:
        amended = [one for one in begun[: begun.index(order)] if one.number in order.amends]
        if (
            order.number not in dead
            and speaks_of(order)
            and (order.effective_to is None or day < order.effective_to)
            and not ended_everywhere(order, begun)
            and (not amended or any(one in ruling for one in amended))
        ):
            ruling.append(order)
    naming = [
        order
        for order in ruling
        if any((g.dimension, g.target) == (dimension, target) for g in order.assignments)
        and not completed_after(order, begun, dimension)
    ]
    if naming and (unknown_since is None or begun.index(naming[-1]) >= begun.index(unknown_since)):
        first_of_power: dict[str, str] = {}
        for given_ in naming[-1].assignments:
            if (given_.dimension, given_.target) == (dimension, target):
                first_of_power.setdefault(given_.power, given_.deputy)
        holders = [
            (deputy, power)
            for power, deputy in first_of_power.items()
            if stayed(tenures, deputy, naming[-1].effective_from, day)
        ]
        return ("overseer" if holders else "uncovered"), sorted(holders)
    return ("not_known" if unknown_since is not None else "uncovered"), []


def speaks_of(order: Order) -> set[str]:
    if order.kind == "mixed":
        everything = {"area", "function", "agenda"}
        return everything if order.order_missing else {g.dimension for g in order.assignments}
    return {order.kind} if order.kind in ("area", "function", "agenda") else set()


def completed_after(order: Order, begun: list[Order], dimension: str) -> bool:
    later = begun[begun.index(order) + 1 :]
    return any(one.scope == "complete" and dimension in speaks_of(one) for one in later)


def ended_everywhere(order: Order, begun: list[Order]) -> bool:
    return all(completed_after(order, begun, dimension) for dimension in speaks_of(order))


def stayed(tenures: list[Tenure], deputy: str, since: date, day: date) -> bool:
    own = [tenure for tenure in tenures if tenure.deputy == deputy]
    if not own:
        return True

    def there(on: date) -> bool:
        return any(t.valid_from <= on and (t.valid_to is None or on < t.valid_to) for t in own)

    lived = [since + n * A_DAY for n in range((day - since).days + 1)]
    been_there = False
    for one in lived:
        if been_there and not there(one):
            return False
        been_there = been_there or there(one)
    # Who left on the very day the order began was not there, and left nothing.
    return there(day)
