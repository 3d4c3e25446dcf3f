"""`gateway report`: how timely the work is, the month's digest, the year from April to March (S4-22, S3-15, S0-24)."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.session import JsonFlag
from gateway.cli.sheets import Month, Out, Partnership, Taken, Year, take_out

app = typer.Typer(help="Figures: timeliness, the monthly digest, the year.", no_args_is_help=True)

Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="Who takes it out of the house.")]
Reason = Annotated[str, typer.Option("--reason", metavar="CODE", help="Why, as a code without names.")]

SOMEBODY, SOME_REASON = "the command line", "report"


@app.command("timeliness", epilog="Example: gateway report timeliness --year 2026 --out timeliness.xlsx")
def timeliness(
    year: Year = "",
    month: Month = "",
    out: Out = None,
    officer: Officer = SOMEBODY,
    reason: Reason = SOME_REASON,
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """What fell due, by clock and by agency: met, met late, missed, open. Every number stands: not for publication."""
    take_out(Taken("timeliness", partnership, year, month, officer, "", reason), out, as_json)


@app.command("digest", epilog="Example: gateway report digest --month 2026-11 --out digest.csv")
def digest(
    month: Month = "",
    out: Out = None,
    officer: Officer = SOMEBODY,
    reason: Reason = SOME_REASON,
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """One month in numbers for the partners; small numbers are withheld."""
    take_out(Taken("digest", partnership, "", month, officer, "", reason), out, as_json)


@app.command("annual", epilog="Example: gateway report annual --year 2026 --out annual.xlsx")
def annual(
    year: Year = "",
    out: Out = None,
    officer: Officer = SOMEBODY,
    reason: Reason = SOME_REASON,
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """The figures of a year from April to March; small numbers are withheld."""
    take_out(Taken("annual", partnership, year, "", officer, "", reason), out, as_json)
