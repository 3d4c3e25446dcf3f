"""Reads a directory file (CSV or XLSX) and says what it would change, fault by fault with row and column.

The invariant: nothing is half done. A file with a fault anywhere changes nothing, and what stands in no row stays as it is.
Columns: an agency is `id, kind, name, code`; a person in a seat is `agency, role, rank, name, email, telephone` and, where
the seat is reached otherwise than by the inbox, `adapter, address, secret`. One file may hold both: a row with `id` is an
agency, a row with `agency` a person. The role `*` with an adapter is a way for every role of the agency. The name `(nobody)`
empties a seat. Source: domain analysis S4-05, G-04; contract section 4.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from openpyxl.reader.excel import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from gateway.core import identifiers
from gateway.core.messages import AgencyId, AgencyKind, RoleId, Seat
from gateway.core.routing import Agency, Directory, Holder, Way
from gateway.partnerships.packs import ROLES

AGENCY_COLUMNS = ("id", "kind", "name", "code")
PEOPLE_COLUMNS = (
    "agency",
    "role",
    "rank",
    "name",
    "email",
    "telephone",
    "adapter",
    "address",
    "secret",
)
ADAPTERS = ("inbox", "webhook", "mail")
NOBODY = "(nobody)"
EVERY_ROLE = RoleId("*")
LARGEST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 20_000
LONGEST_CELL = 500
MOST_RANK = 20

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TELEPHONE = re.compile(r"\+?[0-9 ()-]{5,30}(?: ?(?:ext|x)\.? ?[0-9]{1,6})?")
_CODE = re.compile(r"[A-Za-z0-9-]{1,32}")
_CODES: Mapping[AgencyKind, tuple[Callable[[str], bool], str]] = {
    AgencyKind.SCHOOL: (identifiers.is_school_urn, "a school's URN has six digits"),
    AgencyKind.LOCAL_AUTHORITY: (
        identifiers.is_local_authority_code,
        "a council's code has three digits (DfE) or is like E08000023 (ONS)",
    ),
    AgencyKind.POLICE: (identifiers.is_police_force_code, "a police force's code is E23 and six digits"),
    AgencyKind.ICB: (
        identifiers.is_ods_code,
        "an NHS organisation's code has three to six capitals and digits",
    ),
    AgencyKind.HEALTH_PROVIDER: (
        identifiers.is_ods_code,
        "an NHS organisation's code has three to six capitals and digits",
    ),
}


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong in one row (1 is the row of headings) and column, in plain words without the value."""

    row: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A holder of a seat, or None where the seat is emptied or only a way is given. `secret` is still in clear."""

    row: int
    seat: Seat
    holder: Holder | None
    empties: bool
    way: Way | None


@dataclass(slots=True)
class DirectoryFile:
    """A file as it was read. Apply it only when there are no faults."""

    rows: int = 0
    agencies: list[tuple[int, Agency]] = field(default_factory=list)
    people: list[PersonRow] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that becomes different. `old_address` is an e-mail address that must be told that it was replaced."""

    change: str  # added, changed, removed
    what: str  # agency, holder, way
    agency: AgencyId
    role: RoleId | None = None
    rank: int | None = None
    old_address: str | None = None


@dataclass(slots=True)
class Plan:
    """What a file would do to one partnership's directory."""

    faults: list[RowFault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    agencies: list[Agency] = field(default_factory=list)
    seats: dict[Seat, tuple[Holder, ...]] = field(default_factory=dict)
    ways: dict[Seat, Way] = field(default_factory=dict)


SameSecret = Callable[[Seat, bytes, bytes], bool]  # (seat, in clear, sealed)


def read_file(name: str, content: bytes, kind: str | None = None, allow_test: bool = True) -> DirectoryFile:
    """The rows of a `.csv` or `.xlsx` file. `kind` (schools, agencies, people) narrows it; None takes a file of both.

    `allow_test` takes addresses under `.test`, which exist nowhere.
    """
    found = DirectoryFile()
    try:
        table = list(_table(name, content))
    except _Unreadable as fault:
        found.faults.append(RowFault(0, "", str(fault)))
        return found
    if not table:
        found.faults.append(RowFault(1, "", "the file is empty: the first row names the columns"))
        return found
    headings = [cell.strip().lower() for cell in table[0][1]]
    found.faults += _heading_faults(headings, kind)
    if found.faults:
        return found
    for number, cells in table[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        found.rows += 1
        if len(cells) > len(headings):
            found.faults.append(RowFault(number, "", "there are more values than columns"))
            continue
        row = dict(zip(headings, (cell.strip() for cell in cells), strict=False))
        _Row(number, row, found, kind, allow_test).read()
    return found


def plan(
    file: DirectoryFile,
    now: Directory,
    known_elsewhere: Mapping[AgencyId, Agency],
    same_secret: SameSecret = lambda seat, clear, sealed: False,
) -> Plan:
    """What the file changes of the directory as it is `now`; the plan's faults include the file's own.

    `known_elsewhere` are the file's agencies that any partnership knows: one that is no member here joins as it is.
    """
    result = Plan(faults=list(file.faults))
    _plan_agencies(result, file, now, known_elsewhere)
    members = {*now.agencies, *(agency.id for _, agency in file.agencies)}
    for person in file.people:
        if person.seat.agency not in members:
            what = "this agency is not in the directory: give it a row of its own, or import agencies first"
            result.faults.append(RowFault(person.row, "agency", what))
    _plan_seats(result, file, now)
    _plan_ways(result, file, now, same_secret)
    result.faults.sort(key=lambda fault: fault.row)
    return result


def _plan_agencies(
    result: Plan, file: DirectoryFile, now: Directory, elsewhere: Mapping[AgencyId, Agency]
) -> None:
    urns = {a.code: a.id for a in now.agencies.values() if a.kind is AgencyKind.SCHOOL and a.code}
    seen: set[AgencyId] = set()
    for row, agency in file.agencies:
        if agency.id in seen:
            result.faults.append(RowFault(row, "id", "this agency stands twice in the file"))
            continue
        seen.add(agency.id)
        urn = agency.code if agency.kind is AgencyKind.SCHOOL else None
        if urn is not None and urns.setdefault(urn, agency.id) != agency.id:
            result.faults.append(RowFault(row, "code", "another school has this URN"))
        before = now.agencies.get(agency.id)
        if before is None and elsewhere.get(agency.id, agency) != agency:
            what = "another partnership knows an agency of this id with another kind, name or code"
            result.faults.append(RowFault(row, "id", what))
        elif before != agency:
            result.agencies.append(agency)
            result.changes.append(Change("changed" if before else "added", "agency", agency.id))


def _plan_seats(result: Plan, file: DirectoryFile, now: Directory) -> None:
    """The file's holders of a seat take the place of all those before; whoever stays keeps an announced absence."""
    wanted: dict[Seat, list[Holder]] = {}
    for person in file.people:
        if person.holder is None and not person.empties:
            continue
        holders = wanted.setdefault(person.seat, [])
        if person.holder is None:
            continue
        if any(holder.rank == person.holder.rank for holder in holders):
            what = "two people have this rank in the same seat"
            result.faults.append(RowFault(person.row, "rank", what))
        holders.append(person.holder)
    for seat, holders in wanted.items():
        before = {holder.rank: holder for holder in now.seats.get(seat, ())}
        after = {h.rank: _with_absence(h, before.values()) for h in holders}
        changes = list(_holder_changes(seat, before, after))
        if changes:
            result.changes += changes
            result.seats[seat] = tuple(sorted(after.values(), key=lambda holder: holder.rank))


def _with_absence(holder: Holder, before: Iterable[Holder]) -> Holder:
    same = next((b for b in before if b.name == holder.name), None)
    if same is None:
        return holder
    return replace(holder, absent_from=same.absent_from, absent_until=same.absent_until)


def _holder_changes(
    seat: Seat, before: Mapping[int, Holder], after: Mapping[int, Holder]
) -> Iterator[Change]:
    still_reached = {(holder.email or "").casefold() for holder in after.values()}
    for rank in sorted({*before, *after}):
        old, new = before.get(rank), after.get(rank)
        if old == new:
            continue
        kind = "added" if old is None else "removed" if new is None else "changed"
        lost = old.email if old and old.email and old.email.casefold() not in still_reached else None
        yield Change(kind, "holder", seat.agency, seat.role, rank, lost)


def _plan_ways(result: Plan, file: DirectoryFile, now: Directory, same_secret: SameSecret) -> None:
    given: dict[Seat, Way] = {}
    for person in file.people:
        if person.way is None:
            continue
        before = now.ways.get(person.seat)
        way = person.way
        if given.setdefault(person.seat, way) != way:
            what = "the same seat is given two ways"
            result.faults.append(RowFault(person.row, "adapter", what))
        kept = before is not None and (before.adapter, before.address) == (way.adapter, way.address)
        if way.adapter == "webhook" and way.secret is None and not (kept and before and before.secret):
            result.faults.append(RowFault(person.row, "secret", "a new or moved webhook needs its secret"))
        secret_stays = way.secret is None or (
            before is not None
            and before.secret is not None
            and same_secret(person.seat, way.secret, before.secret)
        )
        if not (kept and secret_stays) and person.seat not in result.ways:
            result.ways[person.seat] = way
            kind = "added" if before is None else "changed"
            result.changes.append(Change(kind, "way", person.seat.agency, person.seat.role))


class _Row:
    """One row while it is read: notes every fault of it, so that a file is mended in one go."""

    def __init__(
        self, number: int, cells: Mapping[str, str], into: DirectoryFile, kind: str | None, allow_test: bool
    ) -> None:
        self._number = number
        self._cells = cells
        self._into = into
        self._kind = kind
        self._allow_test = allow_test
        self._faulty = False

    def read(self) -> None:
        for column, cell in self._cells.items():
            if len(cell) > LONGEST_CELL or not cell.isprintable():
                self._fault(column, "this is too long or holds characters that cannot be shown")
        if self._faulty:
            return
        is_agency, is_person = bool(self._get("id")), bool(self._get("agency"))
        if self._kind is None and is_agency == is_person:
            self._fault("id", "give either an id (an agency) or an agency (a person in a seat)")
        elif is_agency or self._kind in ("agencies", "schools"):
            self._agency()
        else:
            self._person()

    def _agency(self) -> None:
        name, code = self._needs("name"), self._get("code") or None
        kind = self._one_of_kinds()
        agency_id = self._slug("id")
        if kind is AgencyKind.SCHOOL and code is None:
            self._fault("code", "a school needs its URN")
        elif code is not None:
            is_right, what = _CODES.get(kind, (_is_code, "a code is up to 32 letters, digits and dashes"))
            if not is_right(code):
                self._fault("code", what)
        if not self._faulty:
            self._into.agencies.append((self._number, Agency(AgencyId(agency_id), kind, name, code)))

    def _one_of_kinds(self) -> AgencyKind:
        text = self._get("kind") or ("school" if self._kind == "schools" else "")
        found = next((kind for kind in AgencyKind if kind.value == text), None)
        if found is None or (self._kind == "schools" and found is not AgencyKind.SCHOOL):
            self._fault("kind", f"the kind is one of {', '.join(kind.value for kind in AgencyKind)}")
        return found or AgencyKind.OTHER

    def _person(self) -> None:
        seat = Seat(AgencyId(self._slug("agency")), RoleId(self._needs("role")))
        if seat.role not in ROLES and seat.role != EVERY_ROLE:
            self._fault("role", "there is no such role; see gateway/partnerships/README.md")
        way, empties = self._way(), self._get("name") == NOBODY
        holder = None if empties or not self._get("name") else self._holder()
        if seat.role == EVERY_ROLE and (holder or empties or way is None):
            self._fault("role", "the role * takes an adapter and no person")
        elif holder is None and not empties and way is None and not self._faulty:
            self._fault("name", f"a seat needs a name; {NOBODY} empties it")
        if way is not None and way.adapter == "mail" and holder is not None and holder.email is None:
            self._fault("email", "a seat that is reached by mail needs an e-mail address")
        if not self._faulty:
            self._into.people.append(PersonRow(self._number, seat, holder, empties, way))

    def _holder(self) -> Holder:
        telephone = self._get("telephone") or None
        if telephone is not None and not _TELEPHONE.fullmatch(telephone):
            self._fault("telephone", "write a telephone number with digits, spaces and a leading + if any")
        rank = self._get("rank") or "0"
        if not (rank.isascii() and rank.isdigit() and int(rank) <= MOST_RANK):
            self._fault("rank", f"the rank is a whole number from 0 (first) to {MOST_RANK}")
            rank = "0"
        return Holder(self._get("name"), self._email(), telephone, int(rank))

    def _email(self) -> str | None:
        text = self._get("email")
        if not text:
            return None
        try:
            return validate_email(
                text, check_deliverability=False, test_environment=self._allow_test
            ).normalized
        except EmailNotValidError:
            self._fault("email", "this is not an e-mail address")
            return None

    def _way(self) -> Way | None:
        adapter, address, secret = self._get("adapter"), self._get("address"), self._get("secret")
        if not adapter:
            for column in ("address", "secret"):
                if self._get(column):
                    self._fault(column, "this needs an adapter beside it")
            return None
        if adapter not in ADAPTERS:
            self._fault("adapter", f"the adapter is one of {', '.join(ADAPTERS)}")
        elif adapter != "webhook":
            for column in ("address", "secret"):
                if self._get(column):
                    self._fault(column, "only a webhook has one; e-mail goes to the person in the seat")
        else:
            if not _is_https(address):
                self._fault("address", "a webhook's address is an https URL without name or password in it")
            if secret and not all(_is_secret(one) for one in secret.split()):
                self._fault("secret", "a webhook's secret is whsec_ and base64 of 24 to 64 bytes")
        return Way(adapter, address or None, secret.encode() if secret else None)

    def _slug(self, column: str) -> str:
        text = self._needs(column)
        if text and (len(text) > 64 or not _SLUG.fullmatch(text)):
            self._fault(
                column, "an id is small letters, digits and single dashes, such as harbour-view-primary"
            )
        return text

    def _needs(self, column: str) -> str:
        text = self._get(column)
        if not text:
            self._fault(column, "this is missing")
        return text

    def _get(self, column: str) -> str:
        return self._cells.get(column, "")

    def _fault(self, column: str, what: str) -> None:
        self._faulty = True
        self._into.faults.append(RowFault(self._number, column, what))


class _Unreadable(Exception):
    """The file is not one that can be read; says what to do."""


def _table(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers as a person sees them in the file."""
    if len(content) > LARGEST_BYTES:
        raise _Unreadable("the file is larger than 5 MiB: split it")
    rows = _from_xlsx(content) if name.lower().endswith(".xlsx") else _from_csv(content)
    for count, row in enumerate(rows):
        if count > MOST_ROWS:
            raise _Unreadable(f"there are more than {MOST_ROWS} rows: split the file")
        yield row


def _from_csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("the file is not UTF-8: save it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = 1
    try:
        for cells in reader:
            yield first, cells
            first = reader.line_num + 1
    except csv.Error:
        raise _Unreadable(f"row {first} is not CSV: look for a quotation mark that is not closed") from None


def _from_xlsx(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The first sheet. A cell that holds a formula gives the value that was saved with it."""
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)  # type: ignore[no-untyped-call]
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            yield number, [_cell(cell) for cell in cells]
        book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError):
        raise _Unreadable("the file is not an XLSX workbook with a sheet") from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _heading_faults(headings: list[str], kind: str | None) -> Iterator[RowFault]:
    people, agencies = kind in (None, "people"), kind in (None, "agencies", "schools")
    known = {*(PEOPLE_COLUMNS if people else ()), *(AGENCY_COLUMNS if agencies else ())}
    needed = {"agency", "role"} if kind == "people" else {"id", "name"} if kind else set()
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


def _is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            parts.scheme == "https"
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not parts.fragment
        )
    except ValueError:
        return False


def _is_secret(text: str) -> bool:
    """Standard Webhooks, "Signature scheme": 24 to 64 bytes."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    return text.startswith("whsec_") and 24 <= len(key) <= 64
