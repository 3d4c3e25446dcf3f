"""Sheets as files to hand out: CSV, XLSX and JSON.

Cells are shown and never run: in CSV a text that begins as a formula would (`=`, `+`, `-`, `@`, tab, line break) gets an
apostrophe before it and every field is quoted; XLSX cells are texts or numbers, never formulas. The first row says who took
the sheet out, when and why.
Source: domain analysis section 8 (security of exports); OWASP, CSV injection.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from gateway.core.registers import Cell, Sheet

if TYPE_CHECKING:  # openpyxl takes a tenth of the gateway's start: whoever writes the first workbook loads it
    from openpyxl.cell.cell import Cell as XlsxCell

LONGEST_TITLE = 31  # a worksheet's name in XLSX
FORMS = ("csv", "xlsx", "json")

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(sheet: Sheet, watermark: str) -> str:
    """The sheet as CSV in UTF-8 with its watermark above the headings; every field quoted (RFC 4180, OWASP)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([harmless(watermark)])
    writer.writerow(sheet.columns)
    writer.writerows([harmless(cell) for cell in row] for row in sheet.rows)
    return out.getvalue()


def as_xlsx(sheet: Sheet, watermark: str) -> bytes:
    """The sheet as one worksheet: watermark, headings that stay in view, then texts and numbers and no formula."""
    from openpyxl.styles.fonts import Font
    from openpyxl.workbook.workbook import Workbook

    book = Workbook()  # type: ignore[no-untyped-call]
    page = book.worksheets[0]
    page.title = sheet.title[:LONGEST_TITLE]
    for number, row in enumerate([(watermark,), sheet.columns, *sheet.rows], start=1):
        for place, value in enumerate(row, start=1):
            if value is not None:
                _write(page.cell(row=number, column=place), value)
    for place in range(1, len(sheet.columns) + 1):
        page.cell(row=2, column=place).font = Font(bold=True)  # type: ignore[no-untyped-call]
    page.freeze_panes = "A3"
    out = io.BytesIO()
    book.save(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


def as_json(sheet: Sheet, watermark: str) -> str:
    """The sheet as one JSON document, each row an object by column."""
    return json.dumps(document(sheet) | {"watermark": watermark}, indent=2, ensure_ascii=False) + "\n"


def document(sheet: Sheet) -> dict[str, object]:
    """The sheet as JSON has it; nothing is altered, since JSON runs nothing."""
    rows = [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
    return {"name": sheet.name, "title": sheet.title, "columns": list(sheet.columns), "rows": rows}


def harmless(cell: Cell) -> str | int | float:
    """The cell as a spreadsheet may be given it: a text that would be run as a formula is marked as text."""
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_BEGINS_A_FORMULA):
        return f"'{cell}"
    return cell


def _write(place: XlsxCell, value: str | int | float) -> None:
    """openpyxl takes a text that begins with `=` for a formula unless it is told otherwise."""
    place.value = "".join(c for c in value if c >= " " or c in "\n\t") if isinstance(value, str) else value
    if isinstance(value, str):
        place.data_type = "s"
        place.quotePrefix = True
