"""How long what an incident holds is kept once it has ended, by the partnership's own classes (domain section 8, G-12).

The invariants: of several classes that fit, the longest counts; what is not known never shortens; without a class nothing ever
comes due. Years run from the incident's end and never from a birth: dates of birth are sealed, and nothing that watches the
clock can read them. Twenty-six years from the end is never earlier than the 25th birthday, of a child not yet born either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

CodesOf = Mapping[str, Collection[str]]


class RetentionClass(Enum):
    """The words a pack may use. CASE takes whatever no narrower class takes; IMPORTED is for rows of an older register."""

    CASE = "case"
    LOOKED_AFTER = "looked-after"
    REVIEW = "review"
    IMPORTED = "imported-register"


@dataclass(frozen=True, slots=True)
class Retention:
    """One class: how many years, and which incidents: any message with one of these codes, or any of these types."""

    kind: RetentionClass
    years: int
    when: Mapping[str, frozenset[str]] = field(default_factory=dict)
    received: frozenset[str] = frozenset()
    clause: str = ""

    @property
    def is_for_all(self) -> bool:
        return not self.when and not self.received


@dataclass(frozen=True, slots=True)
class Kept:
    """Which class decides, and the last day on which the content is kept."""

    kind: RetentionClass
    until_on: date


def kept_until(
    rules: Iterable[Retention], ended_on: date, told: Collection[tuple[str, CodesOf]]
) -> Kept | None:
    """Until when an incident is kept that ended on a day, by what its messages told (type and codes); None for ever."""
    fitting = [rule for rule in rules if rule.kind is not RetentionClass.IMPORTED and _fits(rule, told)]
    if not fitting:
        return None
    longest = max(fitting, key=lambda rule: rule.years)
    return Kept(longest.kind, years_after(ended_on, longest.years))


def imported_years(rules: Iterable[Retention]) -> int | None:
    """For how many years after its alert an imported row is kept; None for ever."""
    return next((rule.years for rule in rules if rule.kind is RetentionClass.IMPORTED), None)


def years_after(day: date, years: int) -> date:
    """The same day of the month years later; the 29th of February becomes the 1st of March, never a day earlier."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _fits(rule: Retention, told: Collection[tuple[str, CodesOf]]) -> bool:
    if rule.is_for_all:
        return True
    received = any(message_type in rule.received for message_type, _ in told)
    said = bool(rule.when) and any(
        all(values.intersection(codes.get(code, ())) for code, values in rule.when.items())
        for _, codes in told
    )
    return received or said
