"""Clocks: the rules that give a duty its due instant, and whether an event met it.

The invariants: a statutory clock never uses convention B, never rolls forward, never ends at close of business and
never heeds a local closure, so that no local choice can move it later or report a false breach (C-01, C-06, C-10).
The same clock, start and calendar always give the same `Due`; open duties are recomputed only when holidays change
(C-12). There is no pause: a statutory clock cannot have one (C-13). Source: domain analysis sections 3.4 and 11.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import assert_never

from gateway.core.errors import Misconfigured
from gateway.core.working_days import (
    ONE_DAY,
    Calendar,
    CalendarEnds,
    Convention,
    Count,
    Skipped,
    add_months,
    count_from,
    day_zero,
    is_working_day,
    next_working_day,
    previous_working_day,
    why_closed,
)

REMINDS_WITHIN = timedelta(days=31)  # after a due day: farther than two working days after it ever are


class Unit(Enum):
    """What a clock's amount counts. NONE has no limit and only ages (K13); AS_SET is set case by case (K19)."""

    HOURS = "hours"
    WORKING_DAYS = "working-days"
    CALENDAR_DAYS = "calendar-days"
    MONTHS = "months"
    NONE = "none"
    AS_SET = "as-set"


class DayEnd(Enum):
    """When the due day ends (C-10)."""

    MIDNIGHT = "midnight"  # before 00:00 local of the next day (exclusive)
    COB = "cob"  # by 17:00:00 local, the calendar's closing time (inclusive)
    HOURS = "hours"  # not a day's end: the exact instant (inclusive)


class Roll(Enum):
    """What happens when a calendar-day clock lands on a closed day (C-08)."""

    NONE = "none"
    BACK = "back"
    FORWARD = "forward"


class Stage(Enum):
    """When somebody is reminded or told (G-02), in order."""

    HALF = "half"
    DAY_BEFORE = "one-working-day-before"
    DUE = "due"
    ONE_AFTER = "one-working-day-after"
    TWO_AFTER = "two-working-days-after"


class BadClock(Misconfigured, ValueError):
    """A clock that contradicts itself or would move a statutory limit; the rule pack is refused."""


@dataclass(frozen=True, slots=True)
class OtherStart:
    """Another event that starts the clock when the matter carries a flag (X-02: K08 when retrospective)."""

    flag: str
    event: str


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a rule pack. `amount` counts `unit`; it is None where there is no limit or the limit is set later.

    `target_amount` is an earlier or softer aim in working days, 0 meaning the same working day (K02, K13): missing it
    shows amber. `target_only` makes the whole clock such an aim (K12b, X-01). `exact` means on that day, neither
    early nor late (K15, X-04).
    """

    id: str
    unit: Unit
    amount: int | None
    start: str
    day_end: DayEnd
    other_start: OtherStart | None = None
    roll: Roll = Roll.NONE
    convention: Convention = Convention.A
    statutory: bool = False
    exact: bool = False
    target_only: bool = False
    target_amount: int | None = None
    local_closures: bool = False
    clause: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for wrong, why in _faults(self):
            if wrong:
                raise BadClock(f"clock {self.id}: {why}")


@dataclass(frozen=True, slots=True)
class Due:
    """When a duty is due, and how that was counted. Both are None where there is no limit.

    `due_at` is UTC. `counted` are the days counted, `skipped` those passed over, each with its reason; both are empty for
    hours and months.
    """

    clock: Clock
    start_at: datetime
    due_on: date | None
    due_at: datetime | None
    counted: tuple[date, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def inclusive(self) -> bool:
        """Whether an event exactly at `due_at` is on time (C-10)."""
        return self.clock.day_end is not DayEnd.MIDNIGHT


@dataclass(frozen=True, slots=True)
class Beginning:
    """Which event starts a clock and when. `by_flag` names the flag that chose another event (label it so)."""

    event: str
    at: datetime
    by_flag: str | None = None


@dataclass(frozen=True, slots=True)
class Reminder:
    stage: Stage
    at: datetime


def begins(clock: Clock, moments: Mapping[str, datetime], flags: Collection[str] = ()) -> Beginning | None:
    """The moment that starts a clock, or None while it has not happened; moments are never inferred from one another.

    With its flag set, the other event starts the clock when it is later than the usual one or the usual one is unknown
    (X-02: awareness of a retrospective alert; a review without notification starts at the partners' decision).
    """
    usual = moments.get(clock.start)
    other = clock.other_start
    if other is not None and other.flag in flags and other.event in moments:
        instead = moments[other.event]
        if usual is None or instead > usual:
            return Beginning(other.event, instead, other.flag)
    return None if usual is None else Beginning(clock.start, usual)


def due(clock: Clock, start_at: datetime, calendar: Calendar) -> Due:
    """When a duty under this clock is due. Raises CalendarEnds where the holiday data does not reach."""
    start_at = _in_utc(start_at)
    match clock.unit:
        case Unit.NONE | Unit.AS_SET:
            return Due(clock, start_at, None, None)
        case Unit.HOURS:
            due_at = start_at + timedelta(hours=_amount(clock))
            return Due(clock, start_at, calendar.local(due_at).date(), due_at)
        case Unit.WORKING_DAYS:
            return _due_on(
                clock, start_at, _working_days(clock, start_at, _amount(clock), calendar), calendar
            )
        case Unit.CALENDAR_DAYS:
            return _due_on(clock, start_at, _calendar_days(clock, start_at, calendar), calendar)
        case Unit.MONTHS:
            zero = day_zero(calendar, start_at, clock.convention, local=clock.local_closures)
            landing = add_months(zero, _amount(clock))
            return _due_on(clock, start_at, _rolled(clock, Count(landing, (), ()), calendar), calendar)
        case _:
            assert_never(clock.unit)


def due_of_duty(clock: Clock, start_at: datetime, calendar: Calendar) -> Due:
    """As `due`, but a start before the holiday data begins is counted from the data's first day (S2-04).

    Such a duty is long overdue either way, and no message is refused for being about something that came to light years
    later. Raises CalendarEnds where the holiday data ends before the due day.
    """
    try:
        return due(clock, start_at, calendar)
    except CalendarEnds as ends:
        if calendar.local(start_at).date() >= ends.covers_from:
            raise
        first_at = calendar.instant(ends.covers_from, calendar.opens)
        return replace(due(clock, first_at, calendar), start_at=_in_utc(start_at))


def due_or_uncounted(clock: Clock, start_at: datetime, calendar: Calendar) -> tuple[Due, bool]:
    """As `due_of_duty`, and whether the holiday data ends too early to give a date (edge case 14 of section 11.6).

    No message is refused because a list of holidays is out of date: its duty waits without a date for a newer list.
    """
    try:
        return due_of_duty(clock, start_at, calendar), False
    except CalendarEnds:
        return Due(clock, _in_utc(start_at), None, None), True


def due_set_at(clock: Clock, start_at: datetime, set_at: datetime, calendar: Calendar) -> Due:
    """The due of a clock whose instant a message sets (K19). Raises ValueError for a clock that is counted."""
    if clock.unit is not Unit.AS_SET:
        raise ValueError(f"clock {clock.id} is counted, not set")
    last_at = set_at - timedelta(microseconds=1) if clock.day_end is DayEnd.MIDNIGHT else set_at
    return Due(clock, _in_utc(start_at), calendar.local(last_at).date(), _in_utc(set_at))


def target(clock: Clock, start_at: datetime, calendar: Calendar) -> Due | None:
    """The softer aim of a clock that has one (X-08, X-09): amber when passed, never a breach.

    "Same working day" counts from the deemed day (C-04), so that it is never passed before it began.
    """
    if clock.target_amount is None:
        return None
    aim = replace(
        clock,
        unit=Unit.WORKING_DAYS,
        amount=max(clock.target_amount, 1),
        statutory=False,
        exact=False,
        target_only=True,
        target_amount=None,
    )
    if clock.target_amount:
        return due(aim, start_at, calendar)
    same_day = day_zero(calendar, start_at, Convention.B, local=clock.local_closures)
    return _due_on(aim, _in_utc(start_at), Count(same_day, (), ()), calendar)


def reminders(due: Due, calendar: Calendar) -> tuple[Reminder, ...]:
    """When to remind and escalate (G-02): half-way, one working day before, at due, one and two working days after.

    Strictly ordered, nothing at or before the start. For clocks in days the first two fall into office hours; a short
    clock has one of them (nobody is reminded on the day it started). Empty where there is no limit. Past the end of the
    holiday data only weekends are closed: somebody is rather reminded on a holiday than never.
    """
    if due.due_at is None or due.due_on is None:
        return ()
    if calendar.local(due.start_at).date() < calendar.covers_from:
        return (Reminder(Stage.DUE, due.due_at),)  # late when it came: there is nothing to remind of
    reach_on = due.due_on + REMINDS_WITHIN
    if calendar.covers_until < reach_on:
        calendar = replace(calendar, covers_until=reach_on)
    local = due.clock.local_closures
    before_on = previous_working_day(calendar, due.due_on, local=local)
    one_on = next_working_day(calendar, due.due_on, local=local)
    two_on = next_working_day(calendar, one_on, local=local)
    after = (
        Reminder(Stage.DUE, due.due_at),
        Reminder(Stage.ONE_AFTER, _same_end_at(due, one_on, calendar)),
        Reminder(Stage.TWO_AFTER, _same_end_at(due, two_on, calendar)),
    )
    half = Reminder(Stage.HALF, _half_way_at(due, due.due_at, calendar))
    if before_on <= calendar.local(due.start_at).date():
        return _after_start(due, (half, *after))
    day_before = Reminder(Stage.DAY_BEFORE, _same_start_at(due, before_on, calendar))
    return _after_start(due, ((half, day_before) if half.at < day_before.at else (day_before,)) + after)


def _faults(clock: Clock) -> tuple[tuple[bool, str], ...]:
    limited = clock.unit not in (Unit.NONE, Unit.AS_SET)
    in_hours = clock.unit is Unit.HOURS
    may_roll = clock.unit in (Unit.CALENDAR_DAYS, Unit.MONTHS)
    return (
        (limited and (clock.amount is None or clock.amount < 1), "amount must be a whole number from 1"),
        (not limited and clock.amount is not None, "a clock without a counted limit has no amount"),
        (
            in_hours is not (clock.day_end is DayEnd.HOURS),
            "day_end hours goes with unit hours and only with it",
        ),
        (clock.roll is not Roll.NONE and not may_roll, "only calendar days and months roll"),
        (clock.exact and clock.unit is not Unit.WORKING_DAYS, "only a working day can be exact"),
        (clock.target_amount is not None and clock.target_amount < 0, "target_amount must be 0 or more"),
        (
            clock.target_amount is not None and clock.unit not in (Unit.NONE, Unit.WORKING_DAYS),
            "no target here",
        ),
        (clock.statutory and clock.convention is Convention.B, "convention B never moves a statutory clock"),
        (clock.statutory and clock.roll is Roll.FORWARD, "a statutory clock never rolls forward"),
        (clock.statutory and clock.day_end is DayEnd.COB, "a statutory day ends at midnight"),
        (clock.statutory and clock.local_closures, "local closures never move a statutory clock"),
        (clock.statutory and not limited, "a statutory clock has a counted limit"),
        (clock.statutory and clock.target_only, "a statutory clock is not a mere target"),
    )


def _amount(clock: Clock) -> int:
    if clock.amount is None:
        raise BadClock(f"clock {clock.id}: amount is missing")
    return clock.amount


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant must carry an offset")
    return at.astimezone(UTC)


def _working_days(clock: Clock, start_at: datetime, amount: int, calendar: Calendar) -> Count:
    return count_from(calendar, start_at, amount, clock.convention, local=clock.local_closures)


def _calendar_days(clock: Clock, start_at: datetime, calendar: Calendar) -> Count:
    """Days are added to the date (C-08); under convention C the first day counted is the date itself."""
    zero = day_zero(calendar, start_at, clock.convention, local=clock.local_closures)
    first = zero if clock.convention is Convention.C else zero + ONE_DAY
    counted = tuple(first + n * ONE_DAY for n in range(_amount(clock)))
    return _rolled(clock, Count(counted[-1], counted, ()), calendar)


def _rolled(clock: Clock, count: Count, calendar: Calendar) -> Count:
    """Move a landing on a closed day to the working day before or after it; the days passed over are skipped."""
    local = clock.local_closures
    if clock.roll is Roll.NONE or is_working_day(calendar, count.on, local=local):
        return count
    back = clock.roll is Roll.BACK
    on = (previous_working_day if back else next_working_day)(calendar, count.on, local=local)
    first, last = (on + ONE_DAY, count.on) if back else (count.on, on - ONE_DAY)
    passed = tuple(first + n * ONE_DAY for n in range((last - first).days + 1))
    kept = tuple(day for day in count.counted if day not in passed)
    counted = (*kept, on) if count.counted and not back else kept
    return Count(on, counted, tuple(Skipped(d, why_closed(calendar, d, local=local) or "") for d in passed))


def _due_on(clock: Clock, start_at: datetime, count: Count, calendar: Calendar) -> Due:
    end_at = _day_end_at(clock.day_end, count.on, calendar)
    return Due(clock, start_at, count.on, end_at, count.counted, count.skipped)


def _day_end_at(day_end: DayEnd, on: date, calendar: Calendar) -> datetime:
    match day_end:
        case DayEnd.MIDNIGHT:
            return calendar.instant(on + ONE_DAY, time(0))
        case DayEnd.COB:
            return calendar.instant(on, calendar.closes)
        case DayEnd.HOURS:
            raise BadClock("a clock in hours ends at an instant, not with a day")
        case _:
            assert_never(day_end)


def _after_start(due: Due, plan: tuple[Reminder, ...]) -> tuple[Reminder, ...]:
    return tuple(each for each in plan if each.at > due.start_at)


def _half_way_at(due: Due, due_at: datetime, calendar: Calendar) -> datetime:
    """Half of the working days, at opening; half of the elapsed time for other units, in office hours if it can be."""
    if due.clock.unit is Unit.WORKING_DAYS and due.counted:
        return calendar.instant(due.counted[(len(due.counted) - 1) // 2], calendar.opens)
    half_at = due.start_at + (due_at - due.start_at) / 2
    if due.clock.day_end is DayEnd.HOURS:
        return half_at
    in_hours_at = _in_office_hours_at(half_at, calendar, local=due.clock.local_closures)
    return in_hours_at if in_hours_at < due_at else half_at


def _in_office_hours_at(at: datetime, calendar: Calendar, *, local: bool) -> datetime:
    wall = calendar.local(at)
    open_today = is_working_day(calendar, wall.date(), local=local)
    if open_today and calendar.opens <= wall.time() <= calendar.closes:
        return at
    if open_today and wall.time() < calendar.opens:
        return calendar.instant(wall.date(), calendar.opens)
    return calendar.instant(next_working_day(calendar, wall.date(), local=local), calendar.opens)


def _same_start_at(due: Due, on: date, calendar: Calendar) -> datetime:
    """Opening time of another day; for hours the wall time of the due."""
    if due.clock.day_end is DayEnd.HOURS:
        return _same_end_at(due, on, calendar)
    return calendar.instant(on, calendar.opens)


def _same_end_at(due: Due, on: date, calendar: Calendar) -> datetime:
    """The end of another day as this due's day ends; for hours the same wall time."""
    if due.clock.day_end is DayEnd.HOURS and due.due_at is not None:
        return calendar.instant(on, calendar.local(due.due_at).time())
    return _day_end_at(due.clock.day_end, on, calendar)
