"""When a matter that comes round is due to be opened: each month's end, each year's start (K06, K18).

Pure: the same rule, calendar and bounds give the same periods for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from gateway.core.rules import Every, Periodic
from gateway.core.working_days import ONE_DAY, Calendar

_LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Period:
    """`at` is the moment that clocks start from: the last second of a month, the first of a year. It is opened from
    `opens_at` on, the local midnight there."""

    key: str  # 2026-11 for a month, 2026-04 for a year that begins in April
    at: datetime
    opens_at: datetime


def periods(rule: Periodic, calendar: Calendar, after: datetime, until: datetime) -> tuple[Period, ...]:
    """Those that open later than `after` and not later than `until`, oldest first."""
    last = calendar.local(until).date()
    found = (_period(rule, calendar, first) for first in _firsts(calendar.local(after).date(), last))
    return tuple(period for period in found if period is not None and after < period.opens_at <= until)


def _firsts(since: date, until: date) -> Iterator[date]:
    """The first day of every month from that of `since`."""
    first = since.replace(day=1)
    while first <= until:
        yield first
        first = date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _period(rule: Periodic, calendar: Calendar, first: date) -> Period | None:
    opens_at = calendar.instant(first, time(0))
    if rule.every is Every.MONTH:
        over = first - ONE_DAY
        return Period(f"{over:%Y-%m}", calendar.instant(over, _LAST_SECOND), opens_at)
    return Period(f"{first:%Y-%m}", opens_at, opens_at) if first.month == rule.month else None
