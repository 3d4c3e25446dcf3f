"""When people of the unit are written to: not at night, unless the law sets the limit.

Invariant: what the law sets goes at once, at any hour; the rest waits for the next working morning, and is then still told. Times are
the partnership's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.core.clocks import Reminder, Stage
from gateway.core.working_days import Calendar, CalendarEnds, is_working_day

BEFORE = (Stage.HALF, Stage.DAY_BEFORE)
FARTHEST_DAYS = 14


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Nobody is written to from `starts` until `ends` of the next working day. Equal: never quiet but on closed days."""

    starts: time
    ends: time


def last_before_due(plan: tuple[Reminder, ...]) -> Stage | None:
    """The stage at which there is still time: the last before the limit."""
    before = [each for each in plan if each.stage in BEFORE]
    return max(before, key=lambda each: each.at).stage if before else None


def may_go_at(at: datetime, calendar: Calendar, quiet: QuietHours, *, statutory: bool) -> datetime:
    """At once when the law sets the limit or it is day; else the next working morning."""
    try:
        return at if statutory or not is_quiet(at, calendar, quiet) else _next_morning(at, calendar, quiet)
    except CalendarEnds:
        return at  # better at night than not


def _next_morning(at: datetime, calendar: Calendar, quiet: QuietHours) -> datetime:
    local = calendar.local(at)
    for ahead in range(FARTHEST_DAYS):
        day = local.date() + timedelta(days=ahead)
        morning = datetime.combine(day, quiet.ends, local.tzinfo)
        if morning > local and is_working_day(calendar, day):
            return morning.astimezone(at.tzinfo)
    return at  # a calendar without a working day for a fortnight keeps nothing from anybody


def is_quiet(at: datetime, calendar: Calendar, quiet: QuietHours) -> bool:
    """Evening, night, or a closed day; raises CalendarEnds outside the covered days."""
    local = calendar.local(at)
    return not is_working_day(calendar, local.date()) or not (quiet.ends <= local.time() < quiet.starts)
