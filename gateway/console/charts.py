"""Figures as bars: what the report's table says, drawn from the same rows by the server, without a script or a style in the page.

Invariants: no bar says what the table beside it does not; a bar's words carry its meaning, colour and pattern only repeat it; a
figure that is withheld has no bar, so that its length cannot be measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.figures import WITHHELD
from gateway.core.registers import Cell, Sheet
from gateway.core.reports import EVERY_AGENCY

FULL = 1000.0  # units of a bar's own coordinates

MANNERS = (
    ("met", "met in time"),
    ("met_late", "met late"),
    ("missed", "missed"),
    ("open", "open"),
    ("waived", "waived"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a bar: which manner it is drawn in, from where and how wide in thousandths of the longest bar."""

    manner: str
    at: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart: its name, what it says in words, and its pieces; no pieces where the figure is withheld."""

    name: str
    words: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one kind; `manners` is the key, in order, of those that occur."""

    title: str
    bars: tuple[Bar, ...]
    manners: tuple[tuple[str, str], ...] = ()


def timeliness_charts(sheet: Sheet, clocks: dict[str, str], agencies: dict[str, str]) -> list[Chart]:
    """By clock over all agencies, and by agency over all clocks."""
    rows = [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
    by_clock = [
        (clocks.get(str(row["clock"]), str(row["clock"])), _counts(row))
        for row in rows
        if row["agency"] == EVERY_AGENCY
    ]
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["agency"] != EVERY_AGENCY:
            counts = totals.setdefault(str(row["agency"]), {manner: 0 for manner, _ in MANNERS})
            for manner, count in _counts(row).items():
                counts[manner] += count
    by_agency = [(agencies.get(agency, agency), counts) for agency, counts in totals.items()]
    return [
        stacked("What fell due, by clock", by_clock),
        stacked("What fell due, by agency", sorted(by_agency, key=lambda one: one[0].casefold())),
    ]


def stacked(title: str, rows: Sequence[tuple[str, dict[str, int]]]) -> Chart:
    """A bar a row, its pieces side by side; the longest bar is as wide as there is room."""
    longest = max((sum(counts.values()) for _, counts in rows), default=0) or 1
    bars = tuple(Bar(name, _said(counts), _pieces(counts, longest)) for name, counts in rows)
    used = {manner for _, counts in rows for manner, count in counts.items() if count}
    return Chart(title, bars, tuple(manner for manner in MANNERS if manner[0] in used))


def section_charts(sheet: Sheet, sections: Sequence[str]) -> list[Chart]:
    """The counts of a digest or a year: a chart for each of these sections with anything to compare."""
    found = []
    for section in sections:
        rows = [(str(row[1]), row[2]) for row in sheet.rows if row[0] == section and row[1] != "total"]
        if len(rows) > 1 and any(isinstance(count, int) and count for _, count in rows):
            found.append(_plain(section, rows))
    return found


def _plain(title: str, rows: Sequence[tuple[str, Cell]]) -> Chart:
    longest = max((count for _, count in rows if isinstance(count, int)), default=0) or 1
    bars = []
    for name, count in rows:
        words = "withheld" if count == WITHHELD else str(count)
        width = count * FULL / longest if isinstance(count, int) else 0.0
        bars.append(Bar(name, words, (Piece("plain", 0.0, round(width, 1)),) if width else ()))
    return Chart(title, tuple(bars))


def _counts(row: dict[str, Cell]) -> dict[str, int]:
    return {manner: count if isinstance(count := row[manner], int) else 0 for manner, _ in MANNERS}


def _said(counts: dict[str, int]) -> str:
    """ "8 of 10 due: 7 met in time, 1 missed" in one line."""
    said = ", ".join(f"{counts[manner]} {words}" for manner, words in MANNERS if counts[manner])
    return f"{sum(counts.values())} due: {said}" if said else "nothing due"


def _pieces(counts: dict[str, int], longest: int) -> tuple[Piece, ...]:
    return tuple(_side_by_side(((manner, counts[manner]) for manner, _ in MANNERS), longest))


def _side_by_side(counts: Iterable[tuple[str, int]], longest: int) -> Iterable[Piece]:
    at = 0.0
    for manner, count in counts:
        width = count * FULL / longest
        if width:
            yield Piece(manner, round(at, 1), round(width, 1))
        at += width
