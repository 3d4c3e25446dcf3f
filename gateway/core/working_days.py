"""Working days in England: which days count, from which day counting starts, and where counting ends.

The invariant: a date is never computed from days the holiday data does not cover; it is refused (`CalendarEnds`).
Public holidays bind every clock; local closures bind only the local clocks that ask for them (C-01). Wall times are
read in the calendar's zone, instants are aware UTC. Rules: domain analysis C-01 to C-05, C-08, C-14, C-15, X-21.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import assert_never
from zoneinfo import ZoneInfo

from gateway.core.errors import Misconfigured

ONE_DAY = timedelta(days=1)
WEEKEND = {5: "Saturday", 6: "Sunday"}
EARLIEST_YEAR, LATEST_YEAR = 1900, 2199  # outside: a typing slip, and near the ends of what dates can hold


class Convention(Enum):
    """From which day counting starts (C-03 to C-05). B never moves a statutory clock (C-06)."""

    A = "A"  # the date of receipt is day 0, whatever the hour and whether or not it is a working day
    B = "B"  # receipt after close, or on a closed day, is deemed received on the next working day: that is day 0
    C = "C"  # inclusive: the date of receipt is day 1 when it is a working day


class TimeFault(Enum):
    """Why a written time is not an instant (C-14). The value is the stable code of a field error."""

    UNREADABLE = "unreadable-time"
    WITHOUT_OFFSET = "time-without-offset"
    OUT_OF_RANGE = "time-out-of-range"
    AMBIGUOUS = "ambiguous-time"
    DOES_NOT_EXIST = "non-existent-time"


class CalendarEnds(Misconfigured):
    """A date was asked for that the holiday data does not cover: no date is better than a silently wrong one."""

    def __init__(self, calendar: Calendar, day: date) -> None:
        past_end = day > calendar.covers_until
        reach = f"ends on {calendar.covers_until}" if past_end else f"begins on {calendar.covers_from}"
        super().__init__(f"holiday data {reach}: upload a bank-holiday file that covers {day.year}")
        self.covers_from = calendar.covers_from
        self.covers_until = calendar.covers_until


@dataclass(frozen=True, slots=True)
class Skipped:
    """A day passed over while counting, and why in plain words."""

    on: date
    why: str


@dataclass(frozen=True, slots=True)
class Count:
    """Where counting ended. `counted` and `skipped` share no day and are in order."""

    on: date
    counted: tuple[date, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version of a partnership's closed days and opening hours.

    `closed` are the public holidays of the division and bind statutory clocks. `local_closures` (a Christmas shutdown,
    privilege days) are still working days except for local clocks that opt in (C-01).
    """

    version: str
    covers_from: date
    covers_until: date
    closed: Mapping[date, str]
    local_closures: Mapping[date, str] = field(default_factory=dict)
    opens: time = time(9)
    closes: time = time(17)
    zone: str = "Europe/London"

    def __post_init__(self) -> None:
        if self.covers_from > self.covers_until:
            raise Misconfigured("calendar: covers_from is after covers_until")
        if self.opens >= self.closes:
            raise Misconfigured("calendar: opens must be earlier than closes")

    def local(self, at: datetime) -> datetime:
        """The wall time of an instant in this calendar's zone; a naive datetime is refused as a bug."""
        if at.tzinfo is None:
            raise ValueError("an instant must carry an offset")
        return at.astimezone(ZoneInfo(self.zone))

    def instant(self, on: date, wall: time) -> datetime:
        """The UTC instant of a wall time in this calendar's zone; the first pass when the hour comes twice."""
        return datetime.combine(on, wall, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def with_closed(self, days: Mapping[date, str]) -> Calendar:
        """The same calendar with more public holidays, as when one is proclaimed (C-12) or supposed."""
        return replace(self, closed={**self.closed, **days}, version=f"{self.version}+{len(days)}")


def why_closed(calendar: Calendar, day: date, *, local: bool = False) -> str | None:
    """Why a day is not a working day, or None when it is one. `local` also heeds local closures.

    Raises CalendarEnds outside the days the holiday data covers.
    """
    if not calendar.covers_from <= day <= calendar.covers_until:
        raise CalendarEnds(calendar, day)
    if day in calendar.closed:
        return calendar.closed[day]
    weekend = WEEKEND.get(day.weekday())
    return calendar.local_closures.get(day) if local and weekend is None else weekend


def is_working_day(calendar: Calendar, day: date, *, local: bool = False) -> bool:
    """Monday to Friday and no public holiday (C-01); raises CalendarEnds outside the covered days."""
    return why_closed(calendar, day, local=local) is None


def next_working_day(calendar: Calendar, day: date, *, local: bool = False) -> date:
    """The first working day after `day`."""
    return next(d for d in _days_from(day, 1) if is_working_day(calendar, d, local=local))


def previous_working_day(calendar: Calendar, day: date, *, local: bool = False) -> date:
    """The last working day before `day`."""
    return next(d for d in _days_from(day, -1) if is_working_day(calendar, d, local=local))


def day_zero(calendar: Calendar, start_at: datetime, convention: Convention, *, local: bool = False) -> date:
    """The day from which counting starts (C-02 to C-05). Exactly at close still counts as in hours."""
    received = calendar.local(start_at)
    match convention:
        case Convention.A | Convention.C:
            return received.date()
        case Convention.B:
            in_time = received.time() <= calendar.closes
            if in_time and is_working_day(calendar, received.date(), local=local):
                return received.date()
            return next_working_day(calendar, received.date(), local=local)
        case _:
            assert_never(convention)


def count_from(
    calendar: Calendar, start_at: datetime, amount: int, convention: Convention, *, local: bool = False
) -> Count:
    """The `amount`th working day after an instant, by a convention, with what was counted and what was passed over."""
    zero = day_zero(calendar, start_at, convention, local=local)
    count = add_working_days(calendar, zero, amount, inclusive=convention is Convention.C, local=local)
    received_on = calendar.local(start_at).date()
    if zero == received_on:
        return count
    waited = tuple(
        Skipped(day, why_closed(calendar, day, local=local) or f"received after {calendar.closes:%H:%M}")
        for day in _days_between(received_on, zero)
    )
    return replace(count, skipped=waited + count.skipped)


def add_working_days(
    calendar: Calendar, zero: date, amount: int, *, inclusive: bool = False, local: bool = False
) -> Count:
    """The `amount`th working day after day `zero`; `inclusive` counts `zero` itself as day 1 (C-05).

    `amount` is at least 1. Raises CalendarEnds when counting would leave the covered days.
    """
    if amount < 1:
        raise ValueError("count at least one working day")
    counted: list[date] = []
    skipped: list[Skipped] = []
    for day in _days_from(zero, 1, first=0 if inclusive else 1):
        why = why_closed(calendar, day, local=local)
        if why is None:
            counted.append(day)
        else:
            skipped.append(Skipped(day, why))
        if len(counted) == amount:
            break
    return Count(counted[-1], tuple(counted), tuple(skipped))


def working_days_left(calendar: Calendar, today: date, due_on: date, *, local: bool = False) -> int:
    """Working days d with today < d <= due_on (C-15): due today is 0, overdue is minus the working days since.

    On the closed days right after a due day this is 0 as well: compare instants to know whether it is overdue.
    """
    if today > due_on:
        return -working_days_left(calendar, due_on, today, local=local)
    later = (d for d in _days_between(today + ONE_DAY, due_on + ONE_DAY))
    return sum(is_working_day(calendar, d, local=local) for d in later)


def add_months(day: date, months: int) -> date:
    """The same day of the month, `months` later; the last day of that month when it has no such day."""
    years, month_index = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month_index + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def read_instant(text: str) -> datetime | TimeFault:
    """An ISO 8601 date and time that carries its offset, as a UTC instant (C-14)."""
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        return TimeFault.UNREADABLE
    if len(text) < len("2026-11-23T10:00") or not text.isascii():
        return TimeFault.UNREADABLE
    if written.tzinfo is None:
        return TimeFault.WITHOUT_OFFSET
    if not EARLIEST_YEAR <= written.year <= LATEST_YEAR:
        return TimeFault.OUT_OF_RANGE
    return written.astimezone(UTC)


def read_wall_time(wall: datetime, zone: str, fold: int | None = None) -> datetime | TimeFault:
    """The UTC instant of a naive wall time as a person typed it (C-14).

    In the hour that comes twice, `fold` must say which pass (0 the first, 1 the second); a time in the hour that the
    spring change leaves out does not exist and is refused, never shifted.
    """
    if wall.tzinfo is not None:
        raise ValueError("a wall time carries no offset")
    if not EARLIEST_YEAR <= wall.year <= LATEST_YEAR:
        return TimeFault.OUT_OF_RANGE
    passes = [wall.replace(tzinfo=ZoneInfo(zone), fold=each) for each in (0, 1)]
    if passes[0].utcoffset() == passes[1].utcoffset():
        return passes[0].astimezone(UTC)
    if passes[0].astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall.replace(fold=0):
        return TimeFault.DOES_NOT_EXIST
    if fold is None:
        return TimeFault.AMBIGUOUS
    return passes[fold].astimezone(UTC)


def _days_from(day: date, step: int, first: int = 1) -> Iterator[date]:
    """Endless days; the covered range of the calendar ends every walk."""
    walked, pace = day + first * step * ONE_DAY, step * ONE_DAY
    while True:
        yield walked
        walked += pace


def _days_between(first: date, end: date) -> Iterator[date]:
    """Days from `first` until before `end`."""
    return (first + n * ONE_DAY for n in range((end - first).days))
