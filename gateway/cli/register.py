"""`gateway register`: take a register out of the house, and take over the spreadsheet from before it (S3-18).

Invariants: every export is stated in the ledger before the file exists; names and words leave only on two officers' word.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.import_register import RegisterImport, import_register, planned_import
from gateway.actions.read_register import REGISTERS
from gateway.cli.directory import the_partnership
from gateway.cli.session import JsonFlag, Officer, answer, opened, run, stop
from gateway.cli.sheets import Month, Out, Partnership, Taken, Year, take_out
from gateway.core.written_times import written
from gateway.partnerships.directory_tables import LARGEST_BYTES
from gateway.partnerships.register_files import Words, read_register_file
from gateway.store import registers

app = typer.Typer(
    help="The registers: alerts, returns, learning, the lists by label, what is due and overdue.",
    no_args_is_help=True,
)

EXPORT_EXAMPLE = (
    'Example: gateway register export alerts --out alerts.xlsx --reason monthly-board --officer "W. Stave"'
)
IMPORT_EXAMPLE = (
    "Example: gateway register import alerts-2025.xlsx --source alerts-2025 --dry-run "
    "(then --officer 'Winifred Stave' in its place)"
)

_SOURCE = re.compile("[a-z0-9-]{1,40}")


@app.command("export", epilog=EXPORT_EXAMPLE)
def export(
    name: Annotated[str, typer.Argument(metavar="REGISTER", help=f"One of {', '.join(REGISTERS)}.")],
    officer: Officer,
    reason: Annotated[str, typer.Option(metavar="CODE", help="Why, as a code without names: monthly-board.")],
    out: Out = None,
    year: Year = "",
    month: Month = "",
    with_names: Annotated[
        bool,
        typer.Option("--with-names", help="Also children's names and the words of lessons. Two officers."),
    ] = False,
    second_officer: Annotated[
        str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
    ] = "",
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """Write a register as CSV, XLSX or JSON: every row there is, or those of one month or year. The export is recorded."""
    if name not in REGISTERS:
        stop(f"there is no such register: {', '.join(REGISTERS)}", 1)
    asked = Taken(name, partnership, year, month, officer, second_officer, reason, with_names)
    take_out(asked, out, as_json)


@app.command("import", epilog=IMPORT_EXAMPLE)
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.xlsx", help="The spreadsheet of alerts.")],
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="What to call the spreadsheet: alerts-2025.")
    ],
    partnership: Partnership = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    officer: Annotated[str, typer.Option("--officer", metavar="NAME", help="Who does this.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Take over the alerts of an older spreadsheet: whole, or not at all when any row has a fault.

    Columns: reference, alerted_on (both needed), reasons, label, decision, decided_on, notified_on, national_reference,
    rapid_review_on, panel_on, outcome. Rows are shown as imported; no clock runs on them. The same file again changes nothing.
    """
    if not _SOURCE.fullmatch(source):
        stop("--source is small letters, figures and hyphens, such as alerts-2025", 2)
    try:
        with file.open("rb") as opened_file:
            content = opened_file.read(LARGEST_BYTES + 1)
    except OSError:
        stop("cannot read that file: name one CSV or XLSX file that you may open", 2)
    told = run(_import(file.name, content, source, partnership, None if dry_run else officer))
    answer(told, _import_in_words(told), as_json)
    raise typer.Exit(1 if told["errors"] else 0)


@app.command("uses", epilog="Example: gateway register uses --json")
def uses(partnership: Partnership = "", as_json: JsonFlag = False) -> None:
    """List who took out or took over which register, when and why; newest first."""
    found = run(_uses(partnership))
    lines = [
        f"{row['at']} {row['act']} {row['what']} ({row['form']}, {row['rows']} rows) by {row['officer']}: {row['why']}"
        for row in found
    ]
    answer(found, lines or ["nothing was taken out yet"], as_json)


async def _uses(wanted: str) -> list[dict[str, Any]]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        found = await parts.store.read(lambda tx: registers.uses(tx, partnership))
    return [asdict(use) | {"at": written(use.at)} for use in found]


async def _import(name: str, content: bytes, source: str, wanted: str, officer: str | None) -> dict[str, Any]:
    """Without an officer a dry run."""
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        pack = (await parts.partnerships.snapshot(partnership)).pack
        today = pack.calendar.local(parts.clock()).date()
        file = read_register_file(name, content, source, Words.of(pack), today)
        asked = RegisterImport(partnership, source, file.rows, officer or "")
        if officer is None or file.faults:
            done = await parts.store.read(lambda tx: planned_import(tx, asked))
        else:
            done = await parts.perform(import_register, asked, partnership, None)
    return {
        "partnership": partnership,
        "source": source,
        "rows": len(file.rows),
        "errors": [asdict(fault) for fault in file.faults],
        "added": list(done.added),
        "changed": list(done.changed),
        "same": len(done.same),
        "written": done.receipt is not None,
        "receipt": {"id": done.receipt.id, "jws": done.receipt.jws} if done.receipt else None,
    }


def _import_in_words(told: dict[str, Any]) -> list[str]:
    lines = [f"row {e['row']}, {e['column'] or 'the whole row'}: {e['what']}" for e in told["errors"]]
    if lines:
        return [*lines, "nothing was taken over: mend the rows above"]
    counts = f"{len(told['added'])} new, {len(told['changed'])} changed, {told['same']} as they were"
    return [f"{told['rows']} rows read: {counts}", "taken over" if told["written"] else "nothing was changed"]
