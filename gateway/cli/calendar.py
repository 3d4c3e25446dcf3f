"""`gateway calendar`: the lists of bank holidays by which due dates are counted. Nothing is fetched: officers upload.

gov.uk publishes `bank-holidays.json` about two years ahead; one-off holidays are proclaimed at short notice (C-12).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.change_calendar import (
    LARGEST_LIST_BYTES,
    CalendarChange,
    Moved,
    change_calendar,
    government_list,
    in_force,
    would_move,
)
from gateway.actions.settle import settle
from gateway.app import local_today
from gateway.cli.dates_at_hand import warnings
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run
from gateway.core.officers import TwoOfficers
from gateway.core.written_times import written_or_null
from gateway.dispatch.timetable import recount_open
from gateway.partnerships.calendars import ENGLAND, BankHolidays, joined
from gateway.store import holidays

app = typer.Typer(
    help="The bank holidays by which due dates are counted: list and upload.", no_args_is_help=True
)


@app.command("list")
def list_calendars(as_json: JsonFlag = False) -> None:
    """Show the list of bank holidays in force, how far it reaches, and the lists before it.

    Example: gateway calendar list
    """
    told = run(_list())
    lines = [f"in force: {told['version']}, covers {told['covers_from']} to {told['covers_until']}"]
    lines += [f"{day['date']}  {day['title']}" for day in told["ahead"]]
    lines += [
        f"{one['version']}  uploaded {one['uploaded_at']} by {one['officer']}, {one['second_officer']}"
        for one in told["uploaded"]
    ]
    lines += [f"warning: {one}" for one in told["warnings"]]
    answer(told, lines, as_json)


@app.command()
def upload(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="gov.uk's bank-holidays.json, as it is downloaded.")
    ],
    officer: Officer,
    second_officer: SecondOfficer,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a list of bank holidays in force and count every open duty anew; closed ones stay as they are.

    Example: gateway calendar upload bank-holidays.json --officer "W. Stave" --second-officer "C. Reed"
    """
    try:
        raw = file.read_bytes()
    except OSError as fault:
        raise typer.BadParameter(f"FILE cannot be read: {fault.strerror}") from None
    if len(raw) > LARGEST_LIST_BYTES:
        raise typer.BadParameter("FILE is too large to be a list of bank holidays")
    told = run(_upload(raw, TwoOfficers(officer, second_officer), dry_run))
    lines = [
        f"added: {', '.join(told['added']) or 'none'}",
        f"removed: {', '.join(told['removed']) or 'none'}",
    ]
    lines += [
        f"{one['duty']}  {one['clock']}  {one['old_due_at'] or 'not counted'} -> {one['new_due_at']}"
        for one in told["moves"]
    ]
    lines += [f"warning: {one}" for one in told["warnings"]]
    lines.append(f"receipt {told['receipt']}" if told["receipt"] else "Nothing was changed: a dry run.")
    answer(told, lines, as_json)


async def _list() -> dict[str, Any]:
    today = local_today()
    async with opened() as parts:
        listed, rows = await parts.store.read(lambda tx: (in_force(tx), holidays.every(tx)))
    england = listed.divisions[ENGLAND]
    return {
        **_reach(listed),
        "ahead": [{"date": str(day), "title": why} for day, why in sorted(england.items()) if day >= today],
        "uploaded": [
            {
                "version": row.version,
                "uploaded_at": row.uploaded_at.isoformat(),
                "officer": row.uploaded_by,
                "second_officer": row.seconded_by,
                "in_force": row.current,
            }
            for row in rows
        ],
        "warnings": warnings(listed, today),
    }


async def _upload(raw: bytes, officers: TwoOfficers, dry_run: bool) -> dict[str, Any]:
    today = local_today()
    async with opened() as parts:
        before = await parts.store.read(in_force)
        newer = government_list(raw, before, today)
        listed = joined(before, newer)
        moves = await parts.store.read(lambda tx: would_move(tx, listed))
        receipt = None
        if not dry_run:
            stated = await settle(parts, change_calendar, CalendarChange(newer, officers))
            receipt = stated.id
            await recount_open(parts)
    old, new = before.divisions[ENGLAND], listed.divisions[ENGLAND]
    return {
        **_reach(listed),
        "dry_run": dry_run,
        "added": [str(day) for day in sorted(new.keys() - old.keys())],
        "removed": [str(day) for day in sorted(old.keys() - new.keys())],
        "moves": [_move(each) for each in moves],
        "warnings": warnings(listed, today),
        "receipt": receipt,
    }


def _move(each: Moved) -> dict[str, Any]:
    old, new = each.duty.due_at, each.due.due_at
    return {
        "duty": each.duty.id,
        "incident": each.duty.incident,
        "clock": each.duty.clock,
        "old_due_at": written_or_null(old),
        "new_due_at": written_or_null(new),
    }


def _reach(listed: BankHolidays) -> dict[str, str]:
    return {
        "version": listed.version,
        "covers_from": listed.covers_from.isoformat(),
        "covers_until": listed.covers_until.isoformat(),
    }
