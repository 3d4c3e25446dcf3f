"""When people of the unit are written to: not at night, unless the law sets the limit.

Invariant: what the law sets is told to somebody at once, at any hour: to who is on call, or to everybody while nobody is. The rest
waits for the next working morning, and is then still told. Times are the partnership's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.core.clocks import Reminder, Stage
from gateway.core.working_days import Calendar, CalendarEnds, is_working_day

BEFORE = (Stage.HALF, Stage.DAY_BEFORE)
FARTHEST_DAYS = 14
LEAST_OPEN_MINUTES = 6 * 60


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Nobody is written to from `starts` until `ends` of the next working day. Equal: never quiet but on closed days."""

    starts: time
    ends: time

    @property
    def is_sound(self) -> bool:
        """Ends in the morning, begins in the evening, and leaves hours enough between: nobody silences themselves."""
        if self.starts == self.ends:
            return True
        open_minutes = (self.starts.hour - self.ends.hour) * 60 + self.starts.minute - self.ends.minute
        return open_minutes >= LEAST_OPEN_MINUTES


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is asked at night: whether anybody who can be reached is on call at the instant, and whether this person is."""

    anybody: bool
    is_theirs: bool


def last_before_due(plan: tuple[Reminder, ...]) -> Stage | None:
    """The stage at which there is still time: the last before the limit."""
    before = [each for each in plan if each.stage in BEFORE]
    return max(before, key=lambda each: each.at).stage if before else None


def may_go_at(
    at: datetime, calendar: Calendar, quiet: QuietHours, watch: Watch, *, statutory: bool
) -> datetime:
    """When one person is told: at once by day; at night what the law sets goes at once to who is on call, and to everybody
    while nobody is; the rest waits for the next working morning. Nobody is left out: who sleeps is told then."""
    wakes = statutory and (watch.is_theirs or not watch.anybody)
    try:
        return at if wakes or not is_quiet(at, calendar, quiet) else _next_morning(at, calendar, quiet)
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
    by_day = quiet.starts == quiet.ends or quiet.ends <= local.time() < quiet.starts
    return not (by_day and is_working_day(calendar, local.date()))
