"""Times as people are told them, in letters and on pages alike: "5pm on Friday 4 December 2026" (GOV.UK style guide, dates and times).

Each takes the wall time that is to be told: whoever has an instant says first in whose zone.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta


def when(local: datetime) -> str:
    """ "5pm on Friday 4 December 2026", to the minute."""
    return f"{clock_time(local.time())} on {day(local.date())}"


def limit(local: datetime) -> str:
    """As `when`; a limit at midnight is named by the day that it ends."""
    if local.time() == time(0):
        return f"the end of {day(local.date() - timedelta(days=1))}"
    return when(local)


def day(on: date) -> str:
    """ "Friday 4 December 2026"."""
    return f"{on:%A} {on.day} {on:%B %Y}"


def clock_time(wall: time) -> str:
    """ "9am", "9:30am", "midday", "midnight"."""
    if wall.minute == 0 and wall.hour in (0, 12):
        return "midday" if wall.hour else "midnight"
    minutes = f":{wall.minute:02}" if wall.minute else ""
    return f"{wall.hour % 12 or 12}{minutes}{'am' if wall.hour < 12 else 'pm'}"
