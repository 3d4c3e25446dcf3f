"""`gateway rules`: what the rule packs say, and how a date under one of their clocks is counted.

The invariant: the same pure functions answer here and set the duties' due instants; nothing is stored or changed.
Exit status: 0 answered, 1 the answer is no (unknown pack or clock, holiday data ends), 2 unreadable input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, NoReturn

import typer

from gateway.core.clocks import Clock, DayEnd, Due, Unit, due, target
from gateway.core.errors import Misconfigured
from gateway.core.working_days import Calendar, CalendarEnds, TimeFault, read_instant
from gateway.partnerships.calendars import load_calendar
from gateway.partnerships.clock_tables import ClockTable, load_clock_table, pack_names

app = typer.Typer(help="Rule packs: list them, and see how a deadline is counted.", no_args_is_help=True)

ANSWER_IS_NO, WRONG_USE = 1, 2
HOLIDAYS_SHOULD_REACH = timedelta(days=365)
HYPOTHETICAL = "hypothetical holiday"

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

EXPLAIN_EXAMPLE = "Example: gateway rules explain south-tyneside K11 --from 2026-11-23T10:00+00:00"
LIST_EXAMPLE = "Example: gateway rules list --json"


@app.command("explain", epilog=EXPLAIN_EXAMPLE)
def explain(
    pack: Annotated[
        str, typer.Argument(metavar="PACK", help="A rule pack, as `gateway rules list` names it.")
    ],
    clock: Annotated[str, typer.Argument(metavar="CLOCK", help="A clock of that pack, such as K12.")],
    start: Annotated[
        str, typer.Option("--from", metavar="INSTANT", help="When it starts: ISO 8601 with offset.")
    ],
    on_holiday: Annotated[
        list[str] | None,
        typer.Option(
            "--on-holiday", metavar="DATE", help="Suppose one more public holiday; may be repeated."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show when a duty under one clock of a pack would be due, and how that is counted."""
    start_at = _instant(start)
    supposed = {_date(each): HYPOTHETICAL for each in on_holiday or ()}
    try:
        table, calendar = _pack(pack)
        found = _clock(table, clock)
        answer = due(found, start_at, _supposing(calendar, supposed))
        if as_json:
            typer.echo(json.dumps(_document(table, answer)))
        else:
            typer.echo(_sentence(answer, target(found, start_at, _supposing(calendar, supposed)), calendar))
    except CalendarEnds as ends:
        _stop(ANSWER_IS_NO, str(ends))
    except Misconfigured as fault:
        _stop(WRONG_USE, str(fault))


@app.command("list", epilog=LIST_EXAMPLE)
def list_packs(
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Judge review dates on this day, not today.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the rule packs with version and review date; what is overdue or running out is said."""
    day = _today() if on is None else _date(on)
    try:
        rows = [_row(load_clock_table(name), load_calendar(name), day) for name in pack_names()]
    except Misconfigured as fault:
        _stop(WRONG_USE, str(fault))
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['pack']}  {row['version']}  review due {row['review_due_on']}  {row['title']}")
        for warning in row["warnings"]:
            typer.echo(f"  warning: {warning}")


def _pack(name: str) -> tuple[ClockTable, Calendar]:
    if name not in pack_names():  # a name from the list, so never a path
        _stop(ANSWER_IS_NO, f"there is no such rule pack; there are {', '.join(pack_names())}")
    return load_clock_table(name), load_calendar(name)


def _clock(table: ClockTable, clock_id: str) -> Clock:
    if clock_id not in table.clocks:
        _stop(ANSWER_IS_NO, f"pack {table.header.name} has no such clock; it has {', '.join(table.clocks)}")
    return table.clocks[clock_id]


def _supposing(calendar: Calendar, supposed: Mapping[date, str]) -> Calendar:
    """Real holidays keep their own titles when one of them is also supposed."""
    return calendar.with_closed({day: why for day, why in supposed.items() if day not in calendar.closed})


def _instant(text: str) -> datetime:
    read = read_instant(text)
    if isinstance(read, TimeFault):
        _stop(
            WRONG_USE, "write --from as an ISO 8601 instant with its offset, such as 2026-11-23T10:00+00:00"
        )
    return read


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        _stop(WRONG_USE, "write a date as year-month-day, such as 2026-12-28")


def _document(table: ClockTable, answer: Due) -> dict[str, Any]:
    clock = answer.clock
    return {
        "pack": table.header.name,
        "version": table.header.version,
        "clock": clock.id,
        "unit": clock.unit.value,
        "amount": clock.amount,
        "convention": clock.convention.value,
        "statutory": clock.statutory,
        "start": clock.start,
        "due_on": answer.due_on.isoformat() if answer.due_on else None,
        "due_at": _utc(answer.due_at) if answer.due_at else None,
        "counted": [day.isoformat() for day in answer.counted],
        "skipped": [{"date": each.on.isoformat(), "why": each.why} for each in answer.skipped],
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _sentence(answer: Due, aim: Due | None, calendar: Calendar) -> str:
    """The same answer in plain words; the aim of a clock that has one comes after it."""
    match answer.clock.unit:
        case Unit.NONE:
            said = "no limit: it only grows older"
        case Unit.AS_SET:
            said = "no limit of its own: the day is set case by case"
        case _:
            said = f"{'exactly on' if answer.clock.exact else 'due by'} {_when(answer, calendar)}{_counting(answer)}"
    return said if aim is None else f"{said}\ntarget: by {_when(aim, calendar)}{_counting(aim)}"


def _when(answer: Due, calendar: Calendar) -> str:
    assert answer.due_on is not None
    assert answer.due_at is not None
    wall = calendar.local(answer.due_at)
    match answer.clock.day_end:
        case DayEnd.MIDNIGHT:
            return f"the end of {_day(answer.due_on)}"
        case DayEnd.COB if answer.clock.exact:
            return f"{_day(answer.due_on)}, by {_hour(wall)}"
        case DayEnd.COB:
            return f"{_hour(wall)} on {_day(answer.due_on)}"
        case DayEnd.HOURS:
            return f"{_exact(wall)} on {_day(answer.due_on)} ({wall:%Z})"


def _exact(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second or wall.microsecond else f"{wall:%H:%M}"


def _hour(wall: datetime) -> str:
    minutes = f":{wall:%M}" if wall.minute else ""
    return f"{wall.hour % 12 or 12}{minutes}{'am' if wall.hour < 12 else 'pm'}"


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _counting(answer: Due) -> str:
    parts = []
    if answer.counted:
        parts.append(f"counted {', '.join(_short(day) for day in answer.counted)}")
    if answer.skipped:
        parts.append("skipped " + ", ".join(f"{_short(each.on)} {each.why}" for each in answer.skipped))
    return f" ({'; '.join(parts)})" if parts else ""


def _short(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _row(table: ClockTable, calendar: Calendar, day: date) -> dict[str, Any]:
    header = table.header
    overdue = header.review_overdue(day)
    warnings = []
    if overdue:
        warnings.append(f"its review was due on {header.review_due_on} and is overdue")
    if calendar.covers_until - day < HOLIDAYS_SHOULD_REACH:
        warnings.append(f"holiday data ends on {calendar.covers_until}: upload a newer file")
    return {
        "pack": header.name,
        "title": header.title,
        "version": header.version,
        "effective_on": header.effective_on.isoformat(),
        "review_due_on": header.review_due_on.isoformat(),
        "review_overdue": overdue,
        "working_together": header.working_together,
        "status": header.status,
        "holidays": calendar.version,
        "holidays_until": calendar.covers_until.isoformat(),
        "clocks": list(table.clocks),
        "warnings": warnings,
    }


def _today() -> date:
    """Today in England; imported when needed, so that `explain` starts at once."""
    from gateway.app import local_today

    return local_today()


def _stop(status: int, remedy: str) -> NoReturn:
    """One line on standard error that says what to do; what was typed is not repeated."""
    typer.echo(" ".join(remedy.split()), err=True)
    raise typer.Exit(status)
