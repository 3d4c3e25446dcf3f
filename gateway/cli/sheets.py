"""What `register` and `report` share: read a sheet, state that it is taken out, and only then write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.export_register import Export, Exported, export_register
from gateway.actions.read_register import (
    HOLD_LESSONS,
    HOLD_NAMES,
    Wanted,
    incidents_opened,
    read_register,
    usual_period,
)
from gateway.cli.directory import the_partnership
from gateway.cli.session import answer, opened, run, stop
from gateway.core.figures import Period, named_period
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.registers import Sheet
from gateway.partnerships import sheets
from gateway.parts import Parts
from keys.sealing import DataKey

Partnership = Annotated[
    str, typer.Option("--partnership", metavar="P", help="Whose; the one in force when there is one.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Where to write it: .csv, .xlsx or .json. CSV on screen without it."
    ),
]
Year = Annotated[
    str, typer.Option("--year", metavar="YYYY", help="From 1 April of this year to 31 March of the next.")
]
Month = Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="One calendar month.")]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an officer asks to take out, as the command line has it."""

    name: str
    partnership: str
    year: str
    month: str
    officer: str
    second_officer: str
    why: str
    with_names: bool = False


def take_out(asked: Taken, out: Path | None, as_json: bool) -> None:
    """Run one export to its end; every refusal comes before anything is written."""
    form = _form(out, as_json)
    sheet, exported, watermark = run(_exported(asked, form))
    told: dict[str, Any] = sheets.document(sheet) | {
        "export": exported.id,
        "watermark": watermark,
        "receipt": {"id": exported.receipt.id, "jws": exported.receipt.jws},
    }
    if out is not None:
        _write(out, _content(sheet, watermark, form))
        told["file"] = str(out)
        lines = [f"Wrote {len(sheet.rows)} rows to {out}. The export is recorded as {exported.id}."]
    else:
        lines = sheets.as_csv(sheet, watermark).splitlines()
    answer(told, lines, as_json)


def period_named(year: str, month: str) -> Period | None:
    """The period that the options name; one line and exit 2 when they name none that there is."""
    try:
        return named_period(year, month)
    except ValueError as fault:
        stop(f"--year, --month: {fault}", 2)


def _form(out: Path | None, as_json: bool) -> str:
    form = ("json" if as_json else "csv") if out is None else out.suffix.lower().removeprefix(".")
    if form not in sheets.FORMS:
        stop("--out names a file that ends in .csv, .xlsx or .json", 2)
    return form


async def _exported(asked: Taken, form: str) -> tuple[Sheet, Exported, str]:
    if asked.with_names:
        if asked.name not in HOLD_NAMES:
            stop("this register holds no names: leave --with-names out", 2)
        TwoOfficers(asked.officer, asked.second_officer)
    async with opened() as parts:
        partnership = await the_partnership(parts, asked.partnership)
        pack = (await parts.partnerships.snapshot(partnership)).pack
        now = parts.clock()
        named_days = period_named(asked.year, asked.month)
        wanted = Wanted(asked.name, named_days or usual_period(asked.name, pack.calendar.local(now).date()))
        keys: dict[IncidentId, DataKey] | None = None
        if asked.with_names or asked.name in HOLD_LESSONS:
            named = await parts.store.read(lambda tx: incidents_opened(tx, pack, wanted))
            keys = await _keys(parts, named)
        sheet = await parts.store.read(lambda tx: read_register(tx, pack, wanted, now, keys))
        export = Export(
            partnership,
            sheet,
            form,
            asked.officer,
            asked.why,
            asked.second_officer or None,
            asked.with_names,
            keys or {},
        )
        exported = await parts.perform(export_register, export, partnership, None)
        return sheet, exported, exported.watermark(export)


async def _keys(parts: Parts, named: list[IncidentId]) -> dict[IncidentId, DataKey]:
    """The incidents' data keys, unwrapped for this one export."""
    found = {incident: await parts.key_of(incident) for incident in named}
    return {incident: key for incident, key in found.items() if key is not None}


def _content(sheet: Sheet, watermark: str, form: str) -> bytes:
    match form:
        case "xlsx":
            return sheets.as_xlsx(sheet, watermark)
        case "json":
            return sheets.as_json(sheet, watermark).encode()
    return sheets.as_csv(sheet, watermark).encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8


def _write(out: Path, content: bytes) -> None:
    """Private to its owner."""
    try:
        out.touch(mode=0o600)
        out.write_bytes(content)
    except OSError as fault:
        stop(f"{out} cannot be written: {fault.strerror}", 2)
