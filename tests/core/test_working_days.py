"""Working days, conventions and written times: domain analysis section 11, C-01 to C-05, C-08, C-14, C-15, X-21, X-23."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ages import age_on, birthday
from gateway.core.errors import Misconfigured
from gateway.core.working_days import (
    Calendar,
    CalendarEnds,
    Convention,
    Skipped,
    TimeFault,
    add_months,
    add_working_days,
    count_from,
    day_zero,
    is_working_day,
    previous_working_day,
    read_instant,
    read_wall_time,
    why_closed,
    working_days_left,
)
from gateway.partnerships.calendars import load_calendar

VECTORS = Path(__file__).resolve().parents[2] / "../shared/vectors/deadlines/england.json"
ENGLAND = load_calendar("statutory-minimum")
LONDON = "Europe/London"


def vectors() -> list[dict[str, Any]]:
    """The 30 worked examples, or none: the test that counts them says so loudly."""
    return json.loads(VECTORS.read_text())["vectors"] if VECTORS.is_file() else []


def at(text: str) -> datetime:
    read = read_instant(text)
    assert isinstance(read, datetime)
    return read


def end_of(text: str, amount: int, convention: Convention, calendar: Calendar = ENGLAND) -> date:
    return count_from(calendar, at(text), amount, convention).on


def test_all_thirty_worked_examples_are_at_hand() -> None:
    if not VECTORS.is_file():
        assert "CI" not in os.environ, "NOT RUN: vectors not found"
        pytest.skip("NOT RUN: vectors not found")
    assert len(vectors()) == 30


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: f"{v['id']}-{v['desc']}")
def test_working_days_agree_with_the_worked_examples_in_both_conventions(vector: dict[str, Any]) -> None:
    """C-02, C-03, C-04 on all 30 examples of section 11.3."""
    start_at = at(vector["utc"])
    assert is_working_day(ENGLAND, ENGLAND.local(start_at).date()) is vector["is_working_day"]
    for letter, by_amount in vector["wd"].items():
        got = {n: count_from(ENGLAND, start_at, int(n), Convention(letter)).on.isoformat() for n in by_amount}
        assert got == by_amount


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_written_wall_times_are_the_instants_of_the_worked_examples(vector: dict[str, Any]) -> None:
    """C-14: examples 22 and 23 are the same wall time, told apart by the fold."""
    wall = datetime.fromisoformat(vector["received_local"])
    assert read_wall_time(wall, LONDON, vector["fold"]) == at(vector["utc"])


@pytest.mark.parametrize(
    ("received", "convention", "due_on"),
    [
        ("2026-11-30T17:00:00+00:00", Convention.A, "2026-12-01"),
        ("2026-11-30T17:00:01+00:00", Convention.A, "2026-12-01"),
        ("2026-11-30T17:00:00+00:00", Convention.B, "2026-12-01"),
        ("2026-11-30T17:00:01+00:00", Convention.B, "2026-12-02"),
        ("2026-11-30T17:00:00.000001+00:00", Convention.B, "2026-12-02"),
        ("2026-11-27T17:30+00:00", Convention.A, "2026-11-30"),
        ("2026-11-27T17:30+00:00", Convention.B, "2026-12-01"),
        ("2027-05-28T17:00:00+01:00", Convention.B, "2027-06-01"),
        ("2027-05-28T16:00:01Z", Convention.B, "2027-06-02"),
    ],
)
def test_exactly_at_close_is_in_hours_and_a_second_later_is_not(
    received: str, convention: Convention, due_on: str
) -> None:
    """C-04 and edge cases 1 and 2 of section 11.6; the close is a wall time, in summer too."""
    assert end_of(received, 1, convention) == date.fromisoformat(due_on)


@pytest.mark.parametrize(
    ("received", "inclusive_end", "usual_end"),
    [
        ("2026-11-23T10:00Z", "2026-11-27", "2026-11-30"),
        ("2026-12-24T15:00Z", "2027-01-04", "2027-01-05"),
        ("2026-11-28T11:00Z", "2026-12-04", "2026-12-04"),
    ],
)
def test_the_inclusive_reading_ends_a_working_day_sooner(
    received: str, inclusive_end: str, usual_end: str
) -> None:
    """C-05 and edge cases 3 and 4; from a Saturday both count Monday first."""
    assert end_of(received, 5, Convention.C).isoformat() == inclusive_end
    assert end_of(received, 5, Convention.A).isoformat() == usual_end


@pytest.mark.parametrize(
    ("started", "amount", "before", "after"),
    [("2022-09-08", 8, "2022-09-20", "2022-09-21"), ("2022-09-12", 5, "2022-09-19", "2022-09-20")],
)
def test_a_holiday_proclaimed_at_short_notice_moves_what_it_falls_into(
    started: str, amount: int, before: str, after: str
) -> None:
    """C-12, edge cases 5 and 6: 19 September 2022."""
    funeral = date(2022, 9, 19)
    closed = {day: why for day, why in ENGLAND.closed.items() if day != funeral}
    unannounced = Calendar("before", ENGLAND.covers_from, ENGLAND.covers_until, closed)
    announced = unannounced.with_closed({funeral: "State funeral"})
    assert end_of(f"{started}T10:00Z", amount, Convention.A, unannounced).isoformat() == before
    assert end_of(f"{started}T10:00Z", amount, Convention.A, announced).isoformat() == after
    assert announced.version != unannounced.version


def test_days_passed_over_are_named_with_their_reason() -> None:
    """C-06: a date can be explained day by day."""
    count = count_from(ENGLAND, at("2026-12-24T15:00Z"), 2, Convention.A)
    assert [day.isoformat() for day in count.counted] == ["2026-12-29", "2026-12-30"]
    assert count.skipped == (
        Skipped(date(2026, 12, 25), "Christmas Day"),
        Skipped(date(2026, 12, 26), "Saturday"),
        Skipped(date(2026, 12, 27), "Sunday"),
        Skipped(date(2026, 12, 28), "Boxing Day (substitute day)"),
    )


def test_deemed_receipt_says_why_the_day_of_arrival_does_not_count() -> None:
    """C-04: Friday evening is deemed Monday, so the days until then are explained as well."""
    count = count_from(ENGLAND, at("2026-11-27T17:30Z"), 1, Convention.B)
    assert count.skipped == (
        Skipped(date(2026, 11, 27), "received after 17:00"),
        Skipped(date(2026, 11, 28), "Saturday"),
        Skipped(date(2026, 11, 29), "Sunday"),
    )
    assert count.counted == (date(2026, 12, 1),)


def test_local_closures_bind_only_who_asks_for_them() -> None:
    """C-01: a Christmas shutdown is a working day for statutory clocks."""
    shutdown = date(2026, 12, 30)
    calendar = Calendar(
        "x", ENGLAND.covers_from, ENGLAND.covers_until, ENGLAND.closed, {shutdown: "Shutdown"}
    )
    assert is_working_day(calendar, shutdown)
    assert why_closed(calendar, shutdown, local=True) == "Shutdown"
    assert add_working_days(calendar, date(2026, 12, 29), 1).on == shutdown
    assert add_working_days(calendar, date(2026, 12, 29), 1, local=True).on == date(2026, 12, 31)


def test_a_date_beyond_the_holiday_data_is_refused_with_the_remedy() -> None:
    """Edge case 14: no silent wrong date, at either end of the data."""
    with pytest.raises(CalendarEnds, match="holiday data ends on 2028-12-31: upload"):
        add_working_days(ENGLAND, date(2028, 12, 29), 1)
    with pytest.raises(CalendarEnds, match="holiday data begins on 2019-01-01"):
        is_working_day(ENGLAND, date(2018, 12, 31))
    assert add_working_days(ENGLAND, date(2028, 12, 28), 1).on == date(2028, 12, 29)
    assert add_working_days(ENGLAND, date(2018, 12, 31), 1).on == date(2019, 1, 2)


def test_the_last_day_covered_is_still_answered() -> None:
    week = Calendar("short", date(2026, 11, 23), date(2026, 11, 27), {})
    assert add_working_days(week, date(2026, 11, 23), 4).on == date(2026, 11, 27)
    with pytest.raises(CalendarEnds):
        add_working_days(week, date(2026, 11, 23), 5)
    with pytest.raises(CalendarEnds):
        previous_working_day(week, date(2026, 11, 23))


@pytest.mark.parametrize(
    ("today", "left"),
    [
        ("2026-12-23", 3),
        ("2026-12-24", 2),
        ("2026-12-27", 2),
        ("2026-12-29", 1),
        ("2026-12-30", 0),
        ("2026-12-31", -1),
        ("2027-01-01", -1),
        ("2027-01-04", -2),
    ],
)
def test_working_days_left_reach_zero_on_the_due_day_and_count_on_below(today: str, left: int) -> None:
    """C-15."""
    assert working_days_left(ENGLAND, date.fromisoformat(today), date(2026, 12, 30)) == left


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-08-31", 6, "2027-02-28"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2026-11-30", 1, "2026-12-30"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-11-23", 6, "2027-05-23"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-12-15", 12, "2027-12-15"),
    ],
)
def test_months_end_on_the_same_day_or_the_last_of_the_month(start: str, months: int, end: str) -> None:
    """K18, K20 and K06."""
    assert add_months(date.fromisoformat(start), months).isoformat() == end


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2026-11-23T10:00", TimeFault.WITHOUT_OFFSET),
        ("2026-11-23", TimeFault.UNREADABLE),
        ("2026-11-31T10:00Z", TimeFault.UNREADABLE),
        ("2026-11-23T24:01Z", TimeFault.UNREADABLE),
        ("2026-11-23T23:59:60Z", TimeFault.UNREADABLE),
        ("23/11/2026 10:00", TimeFault.UNREADABLE),
        ("tomorrow", TimeFault.UNREADABLE),
        ("", TimeFault.UNREADABLE),
        ("٢٠٢٦-11-23T10:00Z", TimeFault.UNREADABLE),
        ("0001-01-01T00:00+14:00", TimeFault.OUT_OF_RANGE),
        ("9999-12-31T23:59-12:00", TimeFault.OUT_OF_RANGE),
    ],
)
def test_a_written_instant_without_offset_or_meaning_is_not_one(text: str, fault: TimeFault) -> None:
    """C-14: an instant carries its offset."""
    assert read_instant(text) is fault


def test_the_hour_that_comes_twice_is_two_instants_an_hour_apart() -> None:
    """C-14, edge case 9: +2 h are 02:30 GMT and 03:30 GMT."""
    wall = datetime(2026, 10, 25, 1, 30)
    first, second = (read_wall_time(wall, LONDON, fold) for fold in (0, 1))
    assert (first, second) == (at("2026-10-25T01:30+01:00"), at("2026-10-25T01:30+00:00"))
    assert isinstance(first, datetime)
    assert isinstance(second, datetime)
    later = [ENGLAND.local(each + timedelta(hours=2)) for each in (first, second)]
    assert [f"{each:%H:%M %Z}" for each in later] == ["02:30 GMT", "03:30 GMT"]


@pytest.mark.parametrize("minute", [0, 30, 59])
def test_an_ambiguous_wall_time_needs_its_fold(minute: int) -> None:
    """C-14."""
    assert read_wall_time(datetime(2026, 10, 25, 1, minute), LONDON) is TimeFault.AMBIGUOUS


@pytest.mark.parametrize("fold", [None, 0, 1])
@pytest.mark.parametrize("minute", [0, 30, 59])
def test_a_wall_time_that_does_not_exist_is_refused_not_shifted(minute: int, fold: int | None) -> None:
    """C-14, edge case 10: 01:30 on 28 March 2027."""
    assert read_wall_time(datetime(2027, 3, 28, 1, minute), LONDON, fold) is TimeFault.DOES_NOT_EXIST


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2027-03-28T00:59", "2027-03-28T00:59Z"),
        ("2027-03-28T02:00", "2027-03-28T01:00Z"),
        ("2026-10-25T00:59", "2026-10-24T23:59Z"),
        ("2026-10-25T02:00", "2026-10-25T02:00Z"),
    ],
)
def test_wall_times_beside_the_clock_changes_are_read_as_they_stand(wall: str, instant: str) -> None:
    """C-14: only the hour itself is in doubt."""
    assert read_wall_time(datetime.fromisoformat(wall), LONDON) == at(instant)


def test_a_naive_instant_is_a_bug_and_a_wall_time_with_offset_as_well() -> None:
    with pytest.raises(ValueError, match="offset"):
        day_zero(ENGLAND, datetime(2026, 11, 23, 10), Convention.A)
    with pytest.raises(ValueError, match="offset"):
        read_wall_time(datetime(2026, 11, 23, 10, tzinfo=UTC), LONDON)
    assert read_wall_time(datetime(1026, 11, 23, 10), LONDON) is TimeFault.OUT_OF_RANGE


def test_nothing_is_counted_for_no_days() -> None:
    with pytest.raises(ValueError, match="at least one"):
        add_working_days(ENGLAND, date(2026, 11, 23), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"covers_from": date(2027, 1, 1), "covers_until": date(2026, 1, 1)},
        {"opens": time(17), "closes": time(9)},
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    right = {"covers_from": date(2026, 1, 1), "covers_until": date(2026, 12, 31)}
    with pytest.raises(Misconfigured):
        Calendar(**{"version": "x", "closed": {}, **right, **wrong})


MOMENTS = st.datetimes(datetime(2019, 1, 7), datetime(2028, 10, 1), timezones=st.just(UTC))


@given(MOMENTS, st.integers(1, 30))
def test_convention_a_is_never_later_than_b_and_never_earlier_than_c(start_at: datetime, amount: int) -> None:
    """C-06: A may be used for statutory clocks because B only ever gives more time."""
    ends = {each: count_from(ENGLAND, start_at, amount, each).on for each in Convention}
    assert ends[Convention.C] <= ends[Convention.A] <= ends[Convention.B]


@given(MOMENTS, st.integers(1, 30), st.sampled_from(Convention))
def test_every_day_up_to_the_end_is_counted_or_skipped_once(
    start_at: datetime, amount: int, convention: Convention
) -> None:
    """C-01, C-02: nothing is lost or counted twice, and only working days count."""
    count = count_from(ENGLAND, start_at, amount, convention)
    skipped = [each.on for each in count.skipped]
    assert len(count.counted) == amount
    assert count.on == count.counted[-1] > ENGLAND.local(start_at).date() - timedelta(days=1)
    assert not set(count.counted) & set(skipped)
    assert all(is_working_day(ENGLAND, day) for day in count.counted)
    assert skipped == sorted(skipped)


@given(MOMENTS, st.integers(1, 30))
def test_working_days_left_undoes_the_count(start_at: datetime, amount: int) -> None:
    """C-15 against C-02."""
    start_on = start_at.date()
    assert working_days_left(ENGLAND, start_on, add_working_days(ENGLAND, start_on, amount).on) == amount


@pytest.mark.parametrize(
    ("born", "age", "day"),
    [
        ("2004-02-29", 25, "2029-03-01"),
        ("2004-02-29", 24, "2028-02-29"),
        ("2004-02-28", 25, "2029-02-28"),
        ("2010-11-23", 18, "2028-11-23"),
    ],
)
def test_a_birthday_on_29_february_falls_on_1_march_in_other_years(born: str, age: int, day: str) -> None:
    """Edge case 16, our written choice."""
    reached_on = date.fromisoformat(day)
    assert birthday(date.fromisoformat(born), age) == reached_on
    assert age_on(date.fromisoformat(born), reached_on) == age
    assert age_on(date.fromisoformat(born), reached_on - timedelta(days=1)) == age - 1
