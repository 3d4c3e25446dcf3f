"""Reads the `[pack]` table and the `[[clock]]` tables of a rule pack's `rules.toml` into the core's clocks.

The invariant: a key that is not known is refused, never ignored, and every pack carries the statutory minimum
unchanged (`weakened`). Other tables of `rules.toml` belong to other readers. Source: domain analysis sections 3.4 and
11.7, S2-25, X-03, X-20, X-24.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from gateway.core.clocks import Clock, DayEnd, OtherStart, Roll, Unit
from gateway.core.errors import Misconfigured
from gateway.core.working_days import Convention

FOLDER = Path(__file__).parent
STATUTORY_MINIMUM = "statutory-minimum"

E = TypeVar("E", bound=Enum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PackHeader:
    """Which arrangements these are. `working_together` is the edition the source cites (X-20), `status` what the pack
    may be used for; a lapsed `review_due_on` warns and disables nothing (X-24)."""

    name: str
    title: str
    version: str
    effective_on: date
    review_due_on: date
    working_together: str
    source: str
    status: str

    def review_overdue(self, today: date) -> bool:
        """Whether the review date has passed: due today is not overdue."""
        return today > self.review_due_on


@dataclass(frozen=True, slots=True)
class ClockTable:
    """A pack's header and its clocks by id, in the order of the file."""

    header: PackHeader
    clocks: Mapping[str, Clock]


def pack_names() -> tuple[str, ...]:
    """The packs that ship with this release, by folder name."""
    return tuple(sorted(rules.parent.name for rules in FOLDER.glob("*/rules.toml")))


def load_clock_table(pack: str, folder: Path = FOLDER) -> ClockTable:
    """The clocks of the pack in `folder / pack`, a name from `pack_names`. Raises Misconfigured.

    A pack that lacks or changes a clock of the shipped statutory minimum is refused.
    """
    table = read_clock_table((folder / pack / "rules.toml").read_text(encoding="utf-8"))
    if table.header.name != pack:
        raise Misconfigured(f"{pack}/rules.toml: [pack] name must be the name of its folder")
    minimum = read_clock_table((FOLDER / STATUTORY_MINIMUM / "rules.toml").read_text(encoding="utf-8"))
    if changed := weakened(table.clocks, minimum.clocks):
        raise Misconfigured(f"{pack}/rules.toml: restore the statutory clocks {', '.join(changed)}")
    return table


def read_clock_table(text: str) -> ClockTable:
    """The header and clocks of one `rules.toml`. Raises Misconfigured with the table, the key and the remedy."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Misconfigured(f"rules.toml: not TOML: {fault}") from fault
    return ClockTable(_header(document.get("pack")), read_clocks(document))


def read_clocks(document: Mapping[str, Any]) -> dict[str, Clock]:
    """The clocks of a parsed `rules.toml` by id, in its order; other tables are not looked at. Raises Misconfigured."""
    tables = document.get("clock", [])
    if not isinstance(tables, list):
        raise Misconfigured("rules.toml: write each clock as [[clock]]")
    clocks: dict[str, Clock] = {}
    for number, table in enumerate(tables, start=1):
        clock = _clock(table, f"rules.toml: clock {number}")
        if clock.id in clocks:
            raise Misconfigured(f"rules.toml: clock {clock.id} stands twice")
        clocks[clock.id] = clock
    return clocks


def weakened(clocks: Mapping[str, Clock], minimum: Mapping[str, Clock]) -> tuple[str, ...]:
    """The ids of the statutory minimum's clocks that a pack lacks or states otherwise; wording may differ."""
    return tuple(
        name for name, clock in minimum.items() if name not in clocks or _limit(clocks[name]) != _limit(clock)
    )


def _limit(clock: Clock) -> Clock:
    return replace(clock, clause="", note="")


def _header(table: object) -> PackHeader:
    known = _Table(table, "rules.toml: [pack]")
    header = PackHeader(
        name=known.needs("name", str),
        title=known.needs("title", str),
        version=known.needs("version", str),
        effective_on=known.needs("effective_on", date),
        review_due_on=known.needs("review_due_on", date),
        working_together=known.needs("working_together", str),
        source=known.needs("source", str),
        status=known.needs("status", str),
    )
    known.nothing_else()
    return header


def _clock(table: object, where: str) -> Clock:
    known = _Table(table, where)
    clock = Clock(
        id=known.needs("id", str),
        unit=known.one_of("unit", Unit),
        amount=known.may("amount", int),
        start=known.needs("start", str),
        day_end=known.one_of("day_end", DayEnd),
        other_start=_other_start(known.may("other_start", dict), where),
        roll=known.one_of("roll", Roll, Roll.NONE),
        convention=known.one_of("convention", Convention, Convention.A),
        statutory=known.may("statutory", bool) or False,
        exact=known.may("exact", bool) or False,
        target_only=known.may("target_only", bool) or False,
        target_amount=known.may("target_amount", int),
        local_closures=known.may("local_closures", bool) or False,
        clause=known.needs("clause", str),
        note=known.may("note", str) or "",
    )
    known.nothing_else()
    return clock


def _other_start(table: dict[str, Any] | None, where: str) -> OtherStart | None:
    if table is None:
        return None
    known = _Table(table, f"{where}: other_start")
    other = OtherStart(flag=known.needs("flag", str), event=known.needs("event", str))
    known.nothing_else()
    return other


class _Table:
    """One TOML table that remembers what was asked of it, so that an unknown key is found."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise Misconfigured(f"{where} is missing or not a table")
        self._table: dict[str, Any] = table
        self._where = where
        self._asked: set[str] = set()

    def may(self, key: str, kind: type[T]) -> T | None:
        self._asked.add(key)
        value = self._table.get(key)
        if value is not None and type(value) is not kind:  # exact: true is not 1, a date-time is not a date
            raise Misconfigured(f"{self._where}: {key} must be a {kind.__name__}")
        return value

    def needs(self, key: str, kind: type[T]) -> T:
        value = self.may(key, kind)
        if value is None or value == "":
            raise Misconfigured(f"{self._where}: {key} is missing")
        return value

    def one_of(self, key: str, kind: type[E], absent: E | None = None) -> E:
        value = self.may(key, str)
        if value is None and absent is not None:
            return absent
        found = next((each for each in kind if each.value == value), None)
        if found is None:
            raise Misconfigured(f"{self._where}: {key} must be one of {', '.join(e.value for e in kind)}")
        return found

    def nothing_else(self) -> None:
        if unknown := sorted(set(self._table) - self._asked):
            raise Misconfigured(f"{self._where}: remove what is not known here: {', '.join(unknown)}")
