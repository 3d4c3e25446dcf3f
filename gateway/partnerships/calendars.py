"""Reads bank-holiday data and a pack's `calendar.toml` into the core's `Calendar`.

The invariant: nothing is fetched. A dated copy in the shape of gov.uk's `bank-holidays.json` is shipped, with a wrapper
that says its version and the days it covers; a newer one may be uploaded. A pack names the version it was made for.
Source: domain analysis section 11.2, C-12.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.core.errors import Misconfigured
from gateway.core.working_days import Calendar

FOLDER = Path(__file__).parent
SHIPPED_HOLIDAYS = FOLDER / "bank-holidays" / "england-and-wales.json"
T = TypeVar("T")

ENGLAND = "england-and-wales"
HOLIDAYS_A_YEAR = 8
HOLIDAYS_SHOULD_REACH = timedelta(
    days=365
)  # a list that ends sooner is warned of: gov.uk publishes two years ahead
SATURDAY = 5
CALENDAR_KEYS = frozenset({"division", "bank_holidays", "zone", "opens", "closes", "local_closures"})


@dataclass(frozen=True, slots=True)
class BankHolidays:
    """One dated copy: `divisions` holds the observed dates and titles of each division of the United Kingdom."""

    version: str
    covers_from: date
    covers_until: date
    divisions: Mapping[str, Mapping[date, str]]


@cache
def shipped_holidays() -> BankHolidays:
    """The copy that is part of this release."""
    return read_holidays(SHIPPED_HOLIDAYS.read_text(encoding="utf-8"))


def read_holidays(text: str) -> BankHolidays:
    """A wrapped copy: `version`, `covers_from`, `covers_until` and gov.uk's own document under `holidays`.

    Raises Misconfigured when anything is missing, malformed or outside the days the copy says it covers.
    """
    try:
        wrapper = json.loads(text)
        divisions = {name: _events(each["events"]) for name, each in wrapper["holidays"].items()}
        covers_from = date.fromisoformat(wrapper["covers_from"])
        covers_until = date.fromisoformat(wrapper["covers_until"])
        version = str(wrapper["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Misconfigured("bank holidays: not a wrapped copy of gov.uk's bank-holidays.json") from fault
    if any(not covers_from <= day <= covers_until for days in divisions.values() for day in days):
        raise Misconfigured("bank holidays: an event lies outside covers_from to covers_until")
    return BankHolidays(version, covers_from, covers_until, divisions)


def read_government_list(text: str, version: str) -> BankHolidays:
    """gov.uk's own `bank-holidays.json` as it is downloaded; covers whole years, from its first to its last.

    Raises Misconfigured when it is not that, or when a year of England is incomplete: counting by it would be silently wrong
    (edge case 14 of section 11.6).
    """
    try:
        divisions = {name: _events(each["events"]) for name, each in json.loads(text).items()}
        england = divisions[ENGLAND]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise Misconfigured("bank holidays: give gov.uk's bank-holidays.json as it is downloaded") from fault
    years = range(min(england).year, max(england).year + 1) if england else range(0)
    short = [year for year in years if sum(day.year == year for day in england) < HOLIDAYS_A_YEAR]
    if short or not england:
        words = ", ".join(map(str, short)) or "every year"
        raise Misconfigured(
            f"bank holidays: the list is incomplete for England in {words}: download it again"
        )
    if weekend := [day for day in england if day.weekday() >= SATURDAY]:
        raise Misconfigured(f"bank holidays: {weekend[0]} is a weekend; only observed days are listed")
    return BankHolidays(version, date(years[0], 1, 1), date(years[-1], 12, 31), divisions)


def joined(older: BankHolidays, newer: BankHolidays) -> BankHolidays:
    """The newer list for the years that it covers, and the older one for those before and after: reach is never lost."""
    names = {*older.divisions, *newer.divisions}
    divisions = {name: _joined_days(older, newer, name) for name in sorted(names)}
    return BankHolidays(
        newer.version,
        min(older.covers_from, newer.covers_from),
        max(older.covers_until, newer.covers_until),
        divisions,
    )


def _joined_days(older: BankHolidays, newer: BankHolidays, division: str) -> dict[date, str]:
    new = newer.divisions.get(division, {})
    reach = (newer.covers_from, newer.covers_until) if division in newer.divisions else None
    old = older.divisions.get(division, {})
    kept = {day: why for day, why in old.items() if reach is None or not reach[0] <= day <= reach[1]}
    return dict(sorted({**kept, **new}.items()))


def write_holidays(listed: BankHolidays) -> str:
    """A dated copy as `read_holidays` reads it."""
    return json.dumps(
        {
            "version": listed.version,
            "covers_from": listed.covers_from.isoformat(),
            "covers_until": listed.covers_until.isoformat(),
            "holidays": {
                name: {
                    "division": name,
                    "events": [{"title": why, "date": day.isoformat()} for day, why in days.items()],
                }
                for name, days in listed.divisions.items()
            },
        }
    )


def load_calendar(pack: str, holidays: BankHolidays | None = None) -> Calendar:
    """The calendar of a pack that ships with this release, by its folder name (the caller knows it exists)."""
    return read_calendar((FOLDER / pack / "calendar.toml").read_text(encoding="utf-8"), holidays)


def read_calendar(text: str, holidays: BankHolidays | None = None) -> Calendar:
    """A `calendar.toml` joined with the bank holidays it names, by default the shipped copy.

    Raises Misconfigured with the remedy.
    """
    holidays = holidays or shipped_holidays()
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Misconfigured(f"calendar.toml: not TOML: {fault}") from fault
    if unknown := sorted(set(table) - CALENDAR_KEYS):
        raise Misconfigured(f"calendar.toml: remove what is not known here: {', '.join(unknown)}")
    if (
        _typed(table, "bank_holidays", str) > holidays.version
    ):  # a newer copy serves a pack made for an older one
        raise Misconfigured(
            f"calendar.toml: bank_holidays is newer than the copy in use, {holidays.version!r}"
        )
    closed = holidays.divisions.get(_typed(table, "division", str))
    if closed is None:
        raise Misconfigured(f"calendar.toml: division must be one of {', '.join(sorted(holidays.divisions))}")
    return Calendar(
        version=holidays.version,
        covers_from=holidays.covers_from,
        covers_until=holidays.covers_until,
        closed=closed,
        local_closures=_local_closures(_typed(table, "local_closures", list)),
        opens=_typed(table, "opens", time),
        closes=_typed(table, "closes", time),
        zone=_known_zone(_typed(table, "zone", str)),
    )


def _events(events: list[dict[str, Any]]) -> dict[date, str]:
    """Observed dates with their titles; a substitute day says so (only the observed date is ever listed)."""
    return {date.fromisoformat(event["date"]): _title(event["title"], event.get("notes")) for event in events}


def _title(title: str, notes: str | None) -> str:
    return f"{title} ({notes.lower()})" if notes else title


def _typed(table: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = table.get(key)
    if not isinstance(value, kind):
        raise Misconfigured(f"calendar.toml: {key} must be given as a {kind.__name__}")
    return value


def _local_closures(entries: list[Any]) -> dict[date, str]:
    try:
        return {_plain_date(entry["date"]): str(entry["title"]) for entry in entries}
    except (KeyError, TypeError) as fault:
        raise Misconfigured('calendar.toml: a local closure is { date = 2026-12-24, title = "…" }') from fault


def _plain_date(value: object) -> date:
    if type(value) is not date:
        raise TypeError("not a date")
    return value


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise Misconfigured("calendar.toml: zone must be a name of the time-zone database") from fault
