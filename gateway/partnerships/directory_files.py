"""Reads a directory file (CSV or XLSX), fault by fault with row and column.

Columns: an agency is `id, kind, name, code`; a person in a seat is `agency, role, rank, name, email, telephone`, where they
do not always work `works, absent_from, absent_until`, and where the seat is reached otherwise than by the inbox `adapter,
address, secret`. One file may hold both: a row with `id` is an agency, a row with `agency` a person. The role `*` with an
adapter is a way for every role of the agency. The name `(nobody)` empties a seat. Of kind `schools` it may be an extract of
the register of schools (GIAS); of kind `terms` it holds term dates. Source: domain analysis S4-05, G-04; contract section 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.partnerships import gias
from gateway.partnerships.directory_rows import (
    AGENCY_COLUMNS,
    PEOPLE_COLUMNS,
    TERM_COLUMNS,
    DirectoryFile,
    Row,
    RowFault,
)
from gateway.partnerships.directory_tables import Unreadable, table

KINDS = ("schools", "agencies", "people", "terms")
_NEEDED = {"people": {"agency", "role"}, "terms": set(TERM_COLUMNS)}


def read_file(name: str, content: bytes, kind: str | None = None, allow_test: bool = True) -> DirectoryFile:
    """The rows of a `.csv` or `.xlsx` file. `kind` (see KINDS) narrows it; None takes agencies and people together.

    `allow_test` takes addresses under `.test`, which exist nowhere.
    """
    found = DirectoryFile()
    headings: list[str] = []
    try:
        for number, cells in table(name, content, also_windows=kind == "schools"):
            if not headings:
                headings = [cell.strip().lower() for cell in cells]
                found.faults += _heading_faults(headings, kind)
                if found.faults:
                    return found
            elif any(cell.strip() for cell in cells):
                _read_row(number, cells, headings, found, kind, allow_test)
    except Unreadable as fault:
        column = headings[fault.column - 1] if 0 < fault.column <= len(headings) else ""
        found.faults.append(RowFault(fault.row, column, str(fault)))
    else:
        if not headings:
            found.faults.append(RowFault(1, "", "the file is empty: the first row names the columns"))
    return found


def _read_row(
    number: int,
    cells: list[str],
    headings: list[str],
    found: DirectoryFile,
    kind: str | None,
    allow_test: bool,
) -> None:
    found.rows += 1
    if any(cell.strip() for cell in cells[len(headings) :]):
        found.faults.append(RowFault(number, "", "there are more values than columns"))
        return
    values = dict(zip(headings, (cell.strip() for cell in cells), strict=False))
    row = Row(number, values, found, kind, allow_test)
    if kind == "schools" and gias.is_register(headings):
        row.read_register()
    else:
        row.read()


def _heading_faults(headings: list[str], kind: str | None) -> Iterator[RowFault]:
    if kind == "schools" and gias.is_register(headings):
        yield from _register_faults(headings)
        return
    people, agencies = kind in (None, "people"), kind in (None, "agencies", "schools")
    known = {*(PEOPLE_COLUMNS if people else ()), *(AGENCY_COLUMNS if agencies else ())}
    known |= set(TERM_COLUMNS) if kind == "terms" else set()
    needed = _NEEDED.get(kind, {"id", "name"}) if kind else set()
    for heading in dict.fromkeys(headings):
        if heading not in known:
            what = f"this column is not known; the columns are {', '.join(sorted(known))}"
            yield RowFault(1, heading[:40] if heading.isprintable() else "", what)
        elif headings.count(heading) > 1:
            yield RowFault(1, heading, "this column stands twice")
    for missing in sorted(needed - set(headings)):
        yield RowFault(1, missing, "this column is missing")
    if kind is None and not {"id", "agency"} & set(headings):
        yield RowFault(1, "id", "there is neither a column id (agencies) nor agency (people)")


def _register_faults(headings: list[str]) -> Iterator[RowFault]:
    """The register has more than a hundred columns: only those that are used must be there once."""
    for missing in sorted(gias.NEEDED - set(headings)):
        yield RowFault(1, missing, "this column is missing")
    for column in sorted(gias.USED):
        if headings.count(column) > 1:
            yield RowFault(1, column, "this column stands twice")
