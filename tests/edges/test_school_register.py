"""Schools from the register (GIAS), term dates, patterns and workbooks: whole or not at all, faults by row and column."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest

from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.presence import Standing, Term
from gateway.core.routing import Directory
from gateway.partnerships.directory_files import read_file
from gateway.partnerships.directory_tables import LARGEST_UNPACKED_BYTES
from gateway.store import directory
from tests.edges.office import OFFICERS, Office, Told, deployed

P = PartnershipId("south-tyneside")
HEADINGS = (
    "URN,LA (code),LA (name),EstablishmentNumber,EstablishmentName,EstablishmentStatus (name),OpenDate,CloseDate,"
    "Postcode,MainEmail,TelephoneNum,Gender (name)"
)
REGISTER = f"""{HEADINGS}
999901,393,Invented,2001,Harbour View Primary School,Open,01-09-1998,,ZZ99 1AA,office@harbour-view.example,01632960141,Mixed
999902,393,Invented,2002,St Bede's Caf\u00e9 School,"Open, but proposed to close",,31-08-2027,ZZ99 1AB,,,Mixed
999903,393,Invented,2003,Long Gone School,Closed,01-09-1950,31-08-2001,ZZ99 1AC,,,Mixed
"""
HARBOUR = AgencyId("harbour-view-primary-school-999901")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    return deployed(template, tmp_path, monkeypatch, capsys)


def bring(gateway: Office, content: str | bytes, kind: str, *more: str, name: str = "file.csv") -> Told:
    file = gateway.write(name, content)
    words = ("directory", "import", file, "--partnership", P, "--json", *(more or OFFICERS))
    return gateway(*words, *(("--kind", kind) if kind else ()))


def now(gateway: Office) -> Directory:
    return gateway.read(lambda tx: directory.load(tx, P))


def workbook(text: str, **cells: object) -> bytes:
    book = openpyxl.Workbook()
    for line in text.splitlines():
        book.active.append([int(cell) if cell.isdigit() else cell or None for cell in line.split(",")])
    for place, value in cells.items():
        book.active[place] = value
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def test_the_register_is_read_as_it_is_published(gateway: Office) -> None:
    told = bring(gateway, REGISTER.encode("cp1252"), "schools").document
    assert (told["rows"], told["errors"], told["passed_over"]) == (3, [], 1)
    found = now(gateway)
    assert set(found.agencies) == {HARBOUR, "st-bedes-cafe-school-999902"}
    school = found.agencies[HARBOUR].school
    assert school is not None
    assert (school.standing, school.council, school.opened_on) == (Standing.OPEN, "393", date(1998, 9, 1))
    assert found.school("999901") == HARBOUR
    assert bring(gateway, REGISTER.encode(), "schools").document["changes"] == [], "UTF-8 is read alike"
    assert gateway("directory", "list", "--partnership", P).status == 0


def test_a_school_that_is_known_keeps_its_id_and_is_told_closed(gateway: Office) -> None:
    bring(gateway, "id,name,code\nharbour-view,Harbour View,999901\n", "schools")
    closed = REGISTER.replace(
        "Harbour View Primary School,Open,01-09-1998,", "Harbour View,Closed,01-09-1998,31-08-2025"
    )
    bring(gateway, closed, "schools")
    school = now(gateway).agencies[AgencyId("harbour-view")].school
    assert school is not None
    assert (school.is_open(date(2025, 8, 31)), school.is_open(date(2026, 1, 1))) == (True, False)
    gaps = gateway("directory", "check", "--partnership", P, "--json").document
    assert ("school-closed", "harbour-view") in {(gap["gap"], gap["agency"]) for gap in gaps}
    bring(gateway, "id,name,code\nharbour-view,Harbour View Renamed,999901\n", "schools")
    assert now(gateway).agencies[AgencyId("harbour-view")].school == school, "a plain row says nothing of it"


@pytest.mark.parametrize(
    ("old", "new", "row", "column"),
    [
        ("999901", "99901", 2, "urn"),
        ("School,Open,", "School,Burnt,", 2, "establishmentstatus (name)"),
        ("01-09-1998", "1998", 2, "opendate"),
        ("office@harbour-view.example", "office", 2, "mainemail"),
        ("EstablishmentStatus (name)", "Status", 1, "establishmentstatus (name)"),
        ("LA (name)", "URN", 1, "urn"),
    ],
)
def test_each_fault_of_the_register_names_row_and_column(
    gateway: Office, old: str, new: str, row: int, column: str
) -> None:
    told = bring(gateway, REGISTER.replace(old, new, 1), "schools")
    assert told.status == 1
    assert (row, column) in {(e["row"], e["column"]) for e in told.document["errors"]}
    assert now(gateway).agencies == {}


def test_term_dates_of_a_council_serve_its_schools(gateway: Office) -> None:
    bring(gateway, "id,kind,name,code\ncouncil,local-authority,Invented Council,E08000023\n", "agencies")
    bring(gateway, REGISTER, "schools")
    terms = "agency,term,starts_on,ends_on\ncouncil,Autumn,2026-09-01,18-12-2026\ncouncil,Spring,2027-01-04,2027-03-25\n"
    told = bring(gateway, terms, "terms").document
    assert [(c["what"], c["agency"]) for c in told["changes"]] == [("terms", "council")]
    found = now(gateway)
    assert found.terms[AgencyId("council")][0] == Term("Autumn", date(2026, 9, 1), date(2026, 12, 18))
    assert [found.in_term(HARBOUR, day) for day in (date(2026, 12, 18), date(2026, 12, 19))] == [True, False]
    assert bring(gateway, terms, "terms").document["changes"] == []
    for wrong in ("2027-01-04,2027-01-03", "2026-12-01,2027-03-25", "soon,2027-03-25"):
        assert bring(gateway, terms.replace("2027-01-04,2027-03-25", wrong), "terms").status == 1
    assert (
        bring(gateway, terms.replace("council,", "nowhere,"), "terms").document["errors"][0]["column"]
        == "agency"
    )


PEOPLE = """agency,role,rank,name,email,adapter,address,works,absent_from,absent_until
{school},dsl,0,Bethany Oakes,dsl@harbour-view.example,mail,safeguarding@harbour-view.example,mon-wed,2026-12-01,2026-12-02
{school},dsl,1,Rafferty Lund,deputy@harbour-view.example,mail,safeguarding@harbour-view.example,term thu-fri
"""


def test_patterns_leave_and_a_team_mailbox_come_with_the_people_and_stay(gateway: Office) -> None:
    bring(gateway, REGISTER, "schools")
    assert bring(gateway, PEOPLE.format(school=HARBOUR), "people").document["errors"] == []
    seat = Seat(HARBOUR, RoleId("dsl"))

    def address(day: int) -> str | None:
        return now(gateway).mail_address(seat, datetime(2026, 12, day, 12, tzinfo=UTC))

    assert address(7) == "dsl@harbour-view.example"  # a Monday
    assert address(1) == "safeguarding@harbour-view.example", (
        "Bethany is on leave, Rafferty does not work Tuesdays"
    )
    assert address(3) == "deputy@harbour-view.example"
    again = f"agency,role,rank,name,email\n{HARBOUR},dsl,0,Bethany Oakes,lead@harbour-view.example\n"
    bring(gateway, again, "people")
    (holder,) = now(gateway).seats[seat]
    assert (holder.works and holder.works.text, holder.absent_from is None) == ("mon-wed", False)
    always = (
        f"agency,role,rank,name,email,works\n{HARBOUR},dsl,0,Bethany Oakes,lead@harbour-view.example,always\n"
    )
    bring(gateway, always, "people")
    assert now(gateway).seats[seat][0].works is None


def test_a_replaced_team_mailbox_is_told(gateway: Office) -> None:
    bring(gateway, REGISTER, "schools")
    bring(gateway, PEOPLE.format(school=HARBOUR), "people")
    moved = PEOPLE.format(school=HARBOUR).replace("safeguarding@", "team@")
    (change,) = bring(gateway, moved, "people", "--dry-run").document["changes"]
    assert (change["what"], change["old_address"]) == ("way", "safeguarding@harbour-view.example")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("mon-wed", "weekly", "works"),
        ("2026-12-01,2026-12-02", "2026-12-03,2026-12-02", "absent_until"),
        ("2026-12-01,2026-12-02", "1 Dec,", "absent_from"),
        ("safeguarding@harbour-view.example", "the office", "address"),
    ],
)
def test_a_fault_in_a_pattern_or_leave_names_its_column(
    gateway: Office, old: str, new: str, column: str
) -> None:
    bring(gateway, REGISTER, "schools")
    told = bring(gateway, PEOPLE.format(school=HARBOUR).replace(old, new), "people")
    assert (2, column) in {(e["row"], e["column"]) for e in told.document["errors"]}


def test_a_workbook_of_the_register_gives_what_the_csv_gives() -> None:
    plain = REGISTER.replace('"Open, but proposed to close"', "Open").replace("01632960141", "")
    book = workbook(plain, G2=datetime(1998, 9, 1))
    from_csv, from_book = (
        read_file(*file, "schools") for file in (("a.csv", plain.encode()), ("a.xlsx", book))
    )
    assert (from_book.faults, from_book.agencies) == ([], from_csv.agencies)


def test_a_formula_is_never_evaluated_nor_its_remembered_value_taken() -> None:
    found = read_file("a.xlsx", workbook("id,kind,name,code\nx,police,X,\n", C2='=CONCATENATE("X","Y")'))
    (fault,) = found.faults
    assert (fault.row, fault.column, found.agencies) == (2, "name", [])
    assert "formula" in fault.what


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked() -> None:
    saved = io.BytesIO()
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(LARGEST_UNPACKED_BYTES + 1))
    assert len(saved.getvalue()) < 100_000
    (fault,) = read_file("a.xlsx", saved.getvalue()).faults
    assert "64 MiB" in fault.what


def test_a_workbook_with_a_cell_far_out_is_refused_and_not_filled_up() -> None:
    wide = workbook("id,kind,name,code\n", XFD2="x")
    assert "256 columns" in read_file("a.xlsx", wide).faults[0].what
    deep = workbook("id,kind,name,code\n", A900000="x")
    assert "20000 rows" in read_file("a.xlsx", deep).faults[0].what
