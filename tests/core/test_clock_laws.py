"""Laws that hold for every working-day clock, start and amount (C-01 to C-06, C-10, C-12, C-15), and the edge cases by number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.clocks import Clock, DayEnd, Due, Roll, Unit, due
from gateway.core.working_days import Convention, is_working_day, working_days_left
from tests.core.test_working_days import ENGLAND, at

STARTS = st.datetimes(datetime(2019, 2, 1), datetime(2028, 9, 1), timezones=st.just(UTC))
AMOUNTS = st.integers(1, 40)
CONVENTIONS = st.sampled_from(Convention)
DAY_ENDS = st.sampled_from([DayEnd.MIDNIGHT, DayEnd.COB])
ONE_DAY = timedelta(days=1)


def clock(amount: int, convention: Convention = Convention.A, day_end: DayEnd = DayEnd.MIDNIGHT) -> Clock:
    return Clock("V1", Unit.WORKING_DAYS, amount, "aware_at", day_end, convention=convention)


def instant(found: Due) -> datetime:
    assert found.due_at is not None
    return found.due_at


def day(found: Due) -> date:
    assert found.due_on is not None
    return found.due_on


@given(STARTS, AMOUNTS, CONVENTIONS, DAY_ENDS)
def test_c_01_a_working_day_clock_is_never_due_on_a_closed_day(
    start: datetime, amount: int, convention: Convention, day_end: DayEnd
) -> None:
    assert is_working_day(ENGLAND, day(due(clock(amount, convention, day_end), start, ENGLAND)))


@given(STARTS, AMOUNTS, DAY_ENDS)
def test_c_06_convention_a_is_never_due_later_than_b(start: datetime, amount: int, day_end: DayEnd) -> None:
    a, b = (
        due(clock(amount, convention, day_end), start, ENGLAND) for convention in (Convention.A, Convention.B)
    )
    assert instant(a) <= instant(b)


@given(STARTS, st.timedeltas(timedelta(0), timedelta(days=60)), AMOUNTS, CONVENTIONS, DAY_ENDS)
def test_a_later_start_is_never_due_earlier(
    start: datetime, later: timedelta, amount: int, convention: Convention, day_end: DayEnd
) -> None:
    counted = clock(amount, convention, day_end)
    assert instant(due(counted, start, ENGLAND)) <= instant(due(counted, start + later, ENGLAND))


@given(STARTS, AMOUNTS, st.integers(1, 10), CONVENTIONS)
def test_more_days_are_due_strictly_later(
    start: datetime, amount: int, more: int, convention: Convention
) -> None:
    less, longer = (due(clock(n, convention), start, ENGLAND) for n in (amount, amount + more))
    assert instant(less) < instant(longer)


@given(STARTS, AMOUNTS, st.integers(0, 60))
def test_c_12_one_more_holiday_never_brings_a_limit_forward_nor_moves_it_by_more_than_it_must(
    start: datetime, amount: int, after: int
) -> None:
    """At most to the next working day, and not at all when the holiday lies outside what was counted."""
    proclaimed = ENGLAND.local(start).date() + after * ONE_DAY
    known = {**ENGLAND.closed, proclaimed: "Invented Day"}
    before, since = (
        due(clock(amount), start, calendar) for calendar in (ENGLAND, replace(ENGLAND, closed=known))
    )
    assert instant(before) <= instant(since)
    if proclaimed not in before.counted:
        assert day(before) == day(since)
    else:
        assert working_days_left(ENGLAND, day(before), day(since)) == 1


@given(STARTS, st.integers(1, 60), st.sampled_from(Roll))
def test_c_08_what_rolls_lands_on_a_working_day_on_the_side_it_rolls_to(
    start: datetime, amount: int, roll: Roll
) -> None:
    counted = Clock("V1", Unit.CALENDAR_DAYS, amount, "aware_at", DayEnd.MIDNIGHT, roll=roll)
    stands = ENGLAND.local(start).date() + amount * ONE_DAY
    landed = day(due(counted, start, ENGLAND))
    if roll is Roll.NONE:
        assert landed == stands
        return
    assert is_working_day(ENGLAND, landed)
    assert landed <= stands if roll is Roll.BACK else landed >= stands


@given(STARTS, AMOUNTS)
def test_c_15_on_the_due_day_nothing_is_left_and_the_day_before_one_is(start: datetime, amount: int) -> None:
    due_on = day(due(clock(amount), start, ENGLAND))
    assert working_days_left(ENGLAND, due_on, due_on) == 0
    assert working_days_left(ENGLAND, due_on - ONE_DAY, due_on) == 1


def test_edge_cases_1_to_4_the_close_of_business_and_the_three_conventions() -> None:
    def by(start: str, amount: int, convention: Convention) -> date:
        return day(due(clock(amount, convention), at(start), ENGLAND))

    at_close, after = "2026-11-30T17:00:00Z", "2026-11-30T17:00:01Z"
    assert by(at_close, 1, Convention.A) == by(after, 1, Convention.A) == date(2026, 12, 1)
    assert (by(at_close, 1, Convention.B), by(after, 1, Convention.B)) == (
        date(2026, 12, 1),
        date(2026, 12, 2),
    )
    friday = "2026-11-27T17:30:00Z"
    assert (by(friday, 1, Convention.A), by(friday, 1, Convention.B)) == (
        date(2026, 11, 30),
        date(2026, 12, 1),
    )
    monday, eve = "2026-11-23T10:00:00Z", "2026-12-24T10:00:00Z"
    assert (by(monday, 5, Convention.C), by(monday, 5, Convention.A)) == (
        date(2026, 11, 27),
        date(2026, 11, 30),
    )
    assert (by(eve, 5, Convention.C), by(eve, 5, Convention.A)) == (date(2027, 1, 4), date(2027, 1, 5))


def test_edge_cases_5_and_6_before_and_after_the_funeral_was_announced() -> None:
    funeral = date(2022, 9, 19)
    before = replace(ENGLAND, closed={on: why for on, why in ENGLAND.closed.items() if on != funeral})
    for start, amount, old, new in (
        ("2022-09-08T10:00Z", 8, date(2022, 9, 20), date(2022, 9, 21)),
        ("2022-09-12T10:00Z", 5, date(2022, 9, 19), date(2022, 9, 20)),
    ):
        assert day(due(clock(amount), at(start), before)) == old
        assert day(due(clock(amount), at(start), ENGLAND)) == new
