"""Counts that may be shown: reporting years, shares, medians, and small numbers withheld so that nobody works them out.

Public papers hold no case-level data, and with two notifications a year almost every local count points at a child. So a count
below five is withheld ("c", as the Department for Education writes it), and with it as many others as are needed: whoever
knows the published cells, the total and this very rule is still left with more than one value for each withheld cell.
Sources: domain analysis section 6.2, P-16 (reporting year 1 April to 31 March), S4-22.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median

from gateway.core.working_days import add_months

SMALLEST_SHOWN = 5
WITHHELD = "c"
YEAR_BEGINS_MONTH = 4

Figure = int | None  # None: withheld

_YEAR, _MONTH = re.compile(r"20[0-9]{2}"), re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days from `first_on` until before `end_on`, and what people call them."""

    name: str
    first_on: date
    end_on: date


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Counts of one population by one feature, as they may be shown. The cells add up to the total."""

    total: Figure
    cells: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many. `percent` is a whole number, None where there is nothing to share or a count is withheld."""

    part: Figure
    whole: Figure
    percent: int | None


def april_year(begins: int) -> Period:
    """The reporting year that begins on 1 April: `2026` is 2026-27 (P-16)."""
    first_on = date(begins, YEAR_BEGINS_MONTH, 1)
    return Period(f"{begins}-{(begins + 1) % 100:02d}", first_on, add_months(first_on, 12))


def month_of(year: int, month: int) -> Period:
    """One calendar month."""
    first_on = date(year, month, 1)
    return Period(f"{year}-{month:02d}", first_on, add_months(first_on, 1))


def named_period(year: str, month: str) -> Period | None:
    """The period of a year such as `2026` (from its April) or a month such as `2026-11`; None when neither is given.

    ValueError, saying what to give, when both are or either is something else.
    """
    if year and month:
        raise ValueError("give a year or a month, not both")
    if _YEAR.fullmatch(year):
        return april_year(int(year))
    if _MONTH.fullmatch(month):
        return month_of(int(month[:4]), int(month[5:]))
    if year or month:
        raise ValueError("a year is such as 2026 (April 2026 to March 2027), a month such as 2026-11")
    return None


def quarters(year: Period) -> tuple[Period, ...]:
    """The four quarters of a reporting year, `Q1` being April to June."""
    starts = [add_months(year.first_on, 3 * n) for n in range(5)]
    return tuple(Period(f"Q{n + 1}", starts[n], starts[n + 1]) for n in range(4))


def suppressed(counts: Mapping[str, int], smallest: int = SMALLEST_SHOWN) -> Breakdown:
    """The counts with small ones withheld, and with them what would give them away.

    1. A total below `smallest`, other than nought, withholds everything: noughts beside it would narrow the rest down.
    2. A cell below `smallest`, other than nought, is withheld.
    3. While only one is withheld, or the withheld ones come to less than `smallest` each, the smallest shown cells go too:
       all of that size, since choosing among equals would tell them apart; noughts last, since they say least.
    """
    total = sum(counts.values())
    if 0 < total < smallest:
        return Breakdown(None, dict.fromkeys(counts))
    withheld = {name for name, count in counts.items() if 0 < count < smallest}
    while (
        withheld and (shown := counts.keys() - withheld) and not _hide_each_other(counts, withheld, smallest)
    ):
        next_size = min((counts[name] for name in shown if counts[name]), default=0)
        withheld |= {name for name in shown if counts[name] == next_size}
    return Breakdown(total, {name: None if name in withheld else count for name, count in counts.items()})


def share(part: int, whole: int, smallest: int = SMALLEST_SHOWN) -> Share:
    """`part` of `whole` as it may be shown: withheld when either the part or what is left of the whole is small."""
    shown = suppressed({"part": part, "rest": whole - part}, smallest)
    if shown.total is None or shown.cells["part"] is None:
        return Share(None, shown.total, None)
    return Share(part, whole, percent(part, whole))


def percent(part: int, whole: int) -> int | None:
    """Whole per cent, halves away from nought; 100 only for all and 0 only for none. None of nothing."""
    if whole == 0:
        return None
    rounded = (200 * part + whole) // (2 * whole)
    if rounded == 100 and part < whole:
        return 99
    return 1 if rounded == 0 and part else rounded


def middle(values: Iterable[float]) -> float | None:
    """The median to one decimal; None of nothing."""
    known = list(values)
    return round(float(median(known)), 1) if known else None


def written(figure: Figure) -> int | str:
    """A count as it is shown: itself, or `c`."""
    return WITHHELD if figure is None else figure


def _hide_each_other(counts: Mapping[str, int], withheld: Collection[str], smallest: int) -> bool:
    """Whether the sum of the withheld cells, which a stranger can work out, leaves open how it is split."""
    return len(withheld) > 1 and sum(counts[name] for name in withheld) >= smallest * len(withheld)
