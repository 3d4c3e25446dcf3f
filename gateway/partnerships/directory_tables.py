"""The rows of a CSV or XLSX file as text, with their numbers as a person sees them in the file.

Invariant: a file is data. A formula is never evaluated and its remembered value never taken, a workbook that unpacks to more
than it should is not unpacked, and sizes, rows and columns have bounds. Whatever cannot be read says why, and where.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from openpyxl.reader.excel import load_workbook

LARGEST_BYTES = 5 * 1024 * 1024
LARGEST_UNPACKED_BYTES = 64 * 1024 * 1024
MOST_PARTS = 200  # of a workbook
MOST_ROWS = 20_000
MOST_COLUMNS = 256  # the register of schools has about 140

Row = tuple[int, list[str]]


class Unreadable(Exception):
    """The file is not one that can be read; says what to do, and in which row and column where it is one cell."""

    def __init__(self, what: str, row: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.row, self.column = row, column


def table(name: str, content: bytes, also_windows: bool = False) -> Iterator[Row]:
    """The rows of a file; Unreadable, perhaps only after some of them.

    `also_windows` takes a CSV file that is not UTF-8 as Windows-1252, in which the register of schools is published.
    """
    if len(content) > LARGEST_BYTES:
        raise Unreadable("the file is larger than 5 MiB: split it")
    is_workbook = name.lower().endswith(".xlsx")
    rows = _from_xlsx(content) if is_workbook else _from_csv(content, also_windows)
    for count, row in enumerate(rows):
        if count > MOST_ROWS:
            raise Unreadable(f"there are more than {MOST_ROWS} rows: split the file")
        if len(row[1]) > MOST_COLUMNS:
            raise Unreadable(f"there are more than {MOST_COLUMNS} columns", row[0])
        yield row


def _from_csv(content: bytes, also_windows: bool) -> Iterator[Row]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if not also_windows:
            raise Unreadable("the file is not UTF-8: save it as CSV UTF-8") from None
        text = content.decode("cp1252", "replace")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = 1
    try:
        for cells in reader:
            yield first, cells
            first = reader.line_num + 1
    except csv.Error:
        raise Unreadable(f"row {first} is not CSV: look for a quotation mark that is not closed") from None


def _from_xlsx(content: bytes) -> Iterator[Row]:
    """The first sheet."""
    try:
        _refuse_bomb(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)  # type: ignore[no-untyped-call]
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()  # what the file claims of its size decides nothing
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            yield number, [_cell(cell, number, column) for column, cell in enumerate(cells, start=1)]
        book.close()
    except (Unreadable, GeneratorExit):
        raise
    except Exception:  # a hostile workbook breaks a parser in many ways
        raise Unreadable("the file is not an XLSX workbook with a sheet") from None


def _refuse_bomb(content: bytes) -> None:
    """By the sizes in the archive's own list, which `zipfile` holds each part to while it unpacks."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED_BYTES:
        raise Unreadable("the workbook unpacks to more than 64 MiB: save the one sheet as CSV")


def _cell(cell: Any, row: int, column: int) -> str:
    if cell.data_type == "f":
        raise Unreadable("this cell holds a formula: put its value in its place", row, column)
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time(0):
        return value.date().isoformat()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
