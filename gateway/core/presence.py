"""Who is at work when: leave, weekly working patterns, terms and holidays, and whether a school stands open.

Invariant: everything here is a pure question about one instant or day; days are those of Europe/London. A pattern is written
as people say it: `mon-wed`, `mon-thu 17:00-08:30, fri-sun` (an out-of-hours rota), `term`, `term mon-fri`, `holidays` (the
contact while a school is closed). Source: domain analysis G-03, G-04, S3-07.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
LONGEST_PATTERN = 200  # characters

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_SPAN = re.compile(rf"({_DAY})(?: ?- ?({_DAY}))?(?: (\d\d:\d\d) ?- ?(\d\d:\d\d))?")


class Season(Enum):
    """The part of a school's year that a pattern speaks of."""

    ANY = "any"
    TERM = "term"
    HOLIDAYS = "holidays"


@dataclass(frozen=True, slots=True)
class Shift:
    """Some days of the week (0 is Monday), all day or between two times; one that ends before it begins ends next day."""

    days: frozenset[int]
    begins: time | None = None
    ends: time | None = None

    def covers(self, local: datetime) -> bool:
        if self.begins is None or self.ends is None:
            return local.weekday() in self.days
        wall = local.time()
        if self.begins < self.ends:
            return local.weekday() in self.days and self.begins <= wall < self.ends
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and wall >= self.begins) or (
            yesterday in self.days and wall < self.ends
        )


@dataclass(frozen=True, slots=True)
class Pattern:
    """When somebody is at work every week. `text` is how it was written; no shifts means every day."""

    text: str
    shifts: tuple[Shift, ...] = ()
    season: Season = Season.ANY

    def is_at_work(self, at: datetime, in_term: bool | None) -> bool:
        """`in_term` is None where no term dates are known: then it counts as term."""
        if self.season is Season.TERM and in_term is False:
            return False
        if self.season is Season.HOLIDAYS and in_term is not False:
            return False
        local = at.astimezone(LONDON)
        return not self.shifts or any(shift.covers(local) for shift in self.shifts)


@dataclass(frozen=True, slots=True)
class Term:
    """A stretch of days on which schools are at work, both ends included."""

    name: str
    starts_on: date
    ends_on: date


class Standing(Enum):
    """Whether a school exists, as GIAS says it."""

    OPEN = "open"
    CLOSED = "closed"
    PROPOSED = "proposed"


@dataclass(frozen=True, slots=True)
class School:
    """What the register of schools (GIAS) says of one. `council` is the DfE code of its local authority.

    The office's address and telephone are for an officer who looks for the lead: no letter ever goes there.
    """

    standing: Standing
    council: str | None = None
    opened_on: date | None = None
    closed_on: date | None = None
    office_email: str | None = None
    office_telephone: str | None = None

    def is_open(self, on: date) -> bool:
        """The day of closing still counts as open; a school said to be closed without a date is closed."""
        if self.opened_on is not None and on < self.opened_on:
            return False
        if self.closed_on is not None:
            return on <= self.closed_on
        if self.standing is Standing.PROPOSED:
            return self.opened_on is not None
        return self.standing is Standing.OPEN


def local_day(at: datetime) -> date:
    """The day in Europe/London at an instant."""
    return at.astimezone(LONDON).date()


def begin_of(day: date) -> datetime:
    """The first instant of a day in Europe/London, aware."""
    return datetime.combine(day, time(0), tzinfo=LONDON)


def end_of(day: date) -> datetime:
    """The instant at which a day in Europe/London is over."""
    return begin_of(day + timedelta(days=1))


def is_in_term(terms: tuple[Term, ...], on: date) -> bool | None:
    """None where no terms are known. Terms that have run out say holiday, so that somebody looks."""
    return any(term.starts_on <= on <= term.ends_on for term in terms) if terms else None


def read_pattern(text: str) -> Pattern | None:
    """A pattern as people write it, or None when it is none."""
    written = " ".join(text.lower().split())
    if not written or len(written) > LONGEST_PATTERN:
        return None
    word, _, rest = written.partition(" ")
    season = next((s for s in (Season.TERM, Season.HOLIDAYS) if s.value == word), Season.ANY)
    parts = (rest if season is not Season.ANY else written).split(",")
    if season is not Season.ANY and not rest:
        return Pattern(written, (), season)
    shifts = [_shift(part.strip()) for part in parts]
    if not all(shifts):
        return None
    return Pattern(written, tuple(shift for shift in shifts if shift), season)


def _shift(text: str) -> Shift | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    first, last, begins, ends = found.groups()
    start, end = _DAYS.index(first), _DAYS.index(last or first)
    days = frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))
    if begins is None:
        return Shift(days)
    try:
        return Shift(days, time.fromisoformat(begins), time.fromisoformat(ends))
    except ValueError:
        return None
