"""`gateway register`: take a register out of the house, and take over the spreadsheet from before it (S3-18).

Invariants: every export is stated in the ledger before the file exists; names and words leave only on two officers' word.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.actions.read_register import REGISTERS
from gateway.cli.directory import the_partnership
from gateway.cli.session import JsonFlag, Officer, answer, opened, run, stop
from gateway.cli.sheets import Month, Out, Partnership, Taken, Year, take_out
from gateway.store import registers

app = typer.Typer(
    help="The registers: alerts, returns, learning, and the lists by label.", no_args_is_help=True
)

EXPORT_EXAMPLE = (
    'Example: gateway register export alerts --out alerts.xlsx --reason monthly-board --officer "W. Stave"'
)


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
    return [asdict(use) | {"at": use.at.isoformat().replace("+00:00", "Z")} for use in found]
