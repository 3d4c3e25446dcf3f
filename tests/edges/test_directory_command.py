"""`gateway directory`: whole or not at all, two officers, an entry in the ledger, the old address told."""

from __future__ import annotations

import base64
import io
import time
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from adapters.mail.mailbox import Mailbox, account_from_url
from gateway.core.deliveries import OUR_FAULT, DeliveryState
from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory
from gateway.dispatch.carrying import carry_due
from gateway.partnerships.directory_rows import AGENCY_COLUMNS, PEOPLE_COLUMNS
from gateway.store import deliveries, directory, messages, tables
from tests.edges.office import OFFICERS, Office, Told, deployed
from tests.mail_servers import mail_house

P = PartnershipId("south-tyneside")
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
AGENCIES = """id,kind,name,code
northshire-police,police,Northshire Police,E23000099
council,local-authority,Invented Council,E08000023
"""
SCHOOLS = "id,name,code\nharbour-view-primary,Harbour View Primary School,999901\n"
PEOPLE = f"""agency,role,rank,name,email,telephone,adapter,address,secret
northshire-police,dsp-police,0,Alasdair Holt,a.holt@northshire-police.example,01632 960101
northshire-police,dsp-police,1,Morag Ashdown,m.ashdown@northshire-police.example,01632 960102
northshire-police,*,,,,,webhook,https://hooks.northshire-police.example/in,{SECRET}
harbour-view-primary,dsl,,Bethany Oakes,dsl@harbour-view.example,01632 960141,mail
"""
COMBINED = f"""id,kind,name,code,agency,role,rank,email,telephone,adapter,address,secret
northshire-police,police,Northshire Police,E23000099
harbour-view-primary,school,Harbour View Primary School,999901
,,Alasdair Holt,,northshire-police,dsp-police,0,a.holt@northshire-police.example,01632 960101
,,Morag Ashdown,,northshire-police,dsp-police,1,m.ashdown@northshire-police.example,01632 960102
,,,,northshire-police,*,,,,webhook,https://hooks.northshire-police.example/in,{SECRET}
,,Bethany Oakes,,harbour-view-primary,dsl,,dsl@harbour-view.example,01632 960141,mail
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    return deployed(template, tmp_path, monkeypatch, capsys)


def bring(gateway: Office, content: str | bytes, *more: str, name: str = "file.csv") -> Told:
    file = gateway.write(name, content)
    return gateway("directory", "import", file, "--partnership", P, "--json", *(more or OFFICERS))


def now(gateway: Office) -> Directory:
    return gateway.read(lambda tx: directory.load(tx, P))


def entries(gateway: Office) -> list[str]:
    query = tables.entry.select().where(tables.entry.c.chain == f"directory-{P}")
    return [row.event for row in gateway.read(lambda tx: tx.execute(query).all())]


def test_agencies_schools_and_people_may_come_one_after_the_other_or_in_one_file(gateway: Office) -> None:
    assert bring(gateway, AGENCIES, "--kind", "agencies", *OFFICERS).status == 0
    assert bring(gateway, SCHOOLS, "--kind", "schools", *OFFICERS).status == 0
    assert bring(gateway, PEOPLE, "--kind", "people", *OFFICERS).status == 0
    found = now(gateway)
    assert set(found.agencies) == {"northshire-police", "council", "harbour-view-primary"}
    seat = Seat(AgencyId("northshire-police"), RoleId("dsp-police"))
    assert [holder.name for holder in found.seats[seat]] == ["Alasdair Holt", "Morag Ashdown"]
    assert found.way_to(seat).adapter == "webhook"
    again = bring(gateway, COMBINED).document
    assert (again["changes"], again["written"]) == ([], False)
    assert entries(gateway) == [Event.DIRECTORY_CHANGED.text] * 3


def test_a_webhook_secret_is_sealed_as_dispatch_opens_it_and_never_listed(gateway: Office) -> None:
    bring(gateway, COMBINED)
    way = now(gateway).ways[Seat(AgencyId("northshire-police"), RoleId("*"))]
    assert way.secret is not None
    assert SECRET.encode() not in way.secret

    async def opened(parts: object) -> bytes:
        return parts.keys.open_secret(f"way:{P}:northshire-police", way.secret)  # type: ignore[attr-defined]

    assert gateway.look(opened) == SECRET.encode()
    assert SECRET not in gateway("directory", "list", "--partnership", P, "--json").out


def test_a_dry_run_says_the_same_and_writes_nothing(gateway: Office) -> None:
    dry = bring(gateway, COMBINED, "--dry-run").document
    assert (now(gateway).agencies, entries(gateway)) == ({}, [])
    real = bring(gateway, COMBINED).document
    assert (dry["changes"], dry["written"], real["written"]) == (real["changes"], False, True)


@pytest.mark.parametrize("second", ["", "Winifred Stave", "winifred stave"])
def test_one_officer_changes_nothing(gateway: Office, second: str) -> None:
    told = bring(gateway, COMBINED, "--officer", "Winifred Stave", "--second-officer", second)
    assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert now(gateway).agencies == {}


def test_one_fault_anywhere_and_nothing_is_written(gateway: Office) -> None:
    told = bring(gateway, COMBINED.replace("999901", "99990"))
    assert told.status == 1
    assert [(e["row"], e["column"]) for e in told.document["errors"]] == [(3, "code"), (7, "agency")]
    assert (told.document["written"], now(gateway).agencies, entries(gateway)) == (False, {}, [])


FAULTS = {
    "id": ("northshire-police,police", "Northshire Police,police", 2),
    "kind": ("police,Northshire", "constabulary,Northshire", 2),
    "code": ("E23000099", "E2300009", 2),
    "role": ("dsp-police,0", "dsp-duke,0", 4),
    "rank": ("dsp-police,1", "dsp-police,0", 5),
    "email": ("a.holt@northshire-police.example", "a.holt.example", 4),
    "telephone": ("01632 960101", "call me", 4),
    "adapter": (",mail", ",pigeon", 7),
    "address": ("https://hooks", "http://hooks", 6),
    "secret": (SECRET, "whsec_c2hvcnQ=", 6),
    "agency": (",,Bethany Oakes,,harbour-view-primary", ",,Bethany Oakes,,nowhere", 7),
}


@pytest.mark.parametrize("column", FAULTS)
def test_each_fault_names_its_row_and_column_and_never_the_value(gateway: Office, column: str) -> None:
    old, new, row = FAULTS[column]
    assert COMBINED.count(old) == 1 or column == "id"
    told = bring(gateway, COMBINED.replace(old, new, 1))
    assert told.status == 1
    found = {(e["row"], e["column"]) for e in told.document["errors"]}
    assert (row, column) in found
    assert not [e for e in told.document["errors"] if new.rsplit(",", 1)[-1] in e["what"]]


def test_an_address_that_mail_servers_lose_in_silence_is_refused_where_it_is_entered(gateway: Office) -> None:
    """Letters beyond ASCII before the @; a domain with such letters has an ASCII form, which is kept."""
    bring(gateway, AGENCIES)
    people = "agency,role,name,email\nnorthshire-police,dsp-police,Kit Marchbanks,{}\n"
    assert bring(gateway, people.format("si\u00e2n@northshire-police.example")).status == 1
    assert bring(gateway, people.format("kit@si\u00e2n.example")).status == 0
    (holder,) = now(gateway).seats[Seat(AgencyId("northshire-police"), RoleId("dsp-police"))]
    assert holder.email == "kit@xn--sin-jla.example"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("colour,id\nred,x\n", "not known"),
        ("id,id\nx,x\n", "twice"),
        ("name\nx\n", "neither"),
        ('id,kind,name\n"x,police,X\n', "quotation mark"),
        (b"id,kind,name\nx,police,Caf\xe9\n", "UTF-8"),
        ("id,kind,name\nx,police,X,1,2\n", "more values"),
    ],
)
def test_a_file_that_is_not_a_directory_file_says_why(
    gateway: Office, content: str | bytes, words: str
) -> None:
    told = bring(gateway, content)
    assert told.status == 1
    assert any(words in error["what"] for error in told.document["errors"])


def test_a_byte_order_mark_and_a_workbook_are_read_alike(gateway: Office) -> None:
    book = openpyxl.Workbook()
    for line in COMBINED.splitlines():
        book.active.append([int(cell) if cell == "999901" else cell or None for cell in line.split(",")])
    saved = io.BytesIO()
    book.save(saved)
    from_book = bring(gateway, saved.getvalue(), "--dry-run", name="file.xlsx").document
    from_csv = bring(gateway, "\ufeff" + COMBINED.replace("\n", "\r\n"), "--dry-run").document
    assert from_book == from_csv
    assert len(from_csv["changes"]) == 7
    assert bring(gateway, b"PK\x03\x04 no book", "--dry-run", name="file.xlsx").status == 1


def test_a_replaced_address_is_named_to_be_told_and_a_kept_one_is_not(gateway: Office) -> None:
    bring(gateway, COMBINED)
    told = bring(gateway, COMBINED.replace("a.holt@", "alasdair.holt@")).document
    (change,) = told["changes"]
    assert (change["change"], change["role"], change["old_address"]) == (
        "changed",
        "dsp-police",
        "a.holt@northshire-police.example",
    )
    (owed,) = told["told"]
    delivery = gateway.read(lambda tx: deliveries.find(tx, owed["delivery"]))
    assert (owed["address"], delivery.adapter, delivery.state) == (
        "a.holt@northshire-police.example",
        "mail",
        DeliveryState.PENDING,
    )
    assert b"a.holt" not in gateway.read(lambda tx: messages.find(tx, [P], delivery.message)).sealed
    swapped = COMBINED.replace("a.holt@", "alasdair.holt@").replace("police,1,m", "police,2,m")
    assert not [c for c in bring(gateway, swapped).document["changes"] if c["old_address"]]


def test_who_is_not_in_the_file_any_more_leaves_the_seat_and_other_seats_stay(gateway: Office) -> None:
    bring(gateway, COMBINED)
    only = "agency,role,name,email\nnorthshire-police,dsp-police,Kit Marchbanks,k@northshire-police.example\n"
    told = bring(gateway, only).document
    assert [(c["change"], c["rank"]) for c in told["changes"]] == [("changed", 0), ("removed", 1)]
    empty = "agency,role,name\nnorthshire-police,dsp-police,(nobody)\n"
    assert [c["change"] for c in bring(gateway, empty).document["changes"]] == ["removed"]
    assert set(now(gateway).seats) == {Seat(AgencyId("harbour-view-primary"), RoleId("dsl"))}


def test_an_announced_absence_outlives_an_import(gateway: Office) -> None:
    bring(gateway, COMBINED)
    seat, since = Seat(AgencyId("northshire-police"), RoleId("dsp-police")), datetime(2026, 1, 1, tzinfo=UTC)
    gateway.look(
        lambda parts: parts.store.transact(
            lambda tx: directory.set_absence(tx, P, seat, 0, {"absent_from": since})
        )
    )
    bring(gateway, COMBINED.replace("01632 960101", "01632 960109"))
    holders = now(gateway).seats[seat]
    assert (holders[0].telephone, holders[0].absent_from) == ("01632 960109", since)


def test_a_moved_webhook_needs_a_secret_of_its_own(gateway: Office) -> None:
    bring(gateway, COMBINED)
    moved = COMBINED.replace(SECRET, "").replace("/in,", "/elsewhere,")
    told = bring(gateway, moved).document
    assert [(e["row"], e["column"]) for e in told["errors"]] == [(6, "secret")]
    unmoved = bring(gateway, COMBINED.replace(SECRET, "")).document
    assert (unmoved["errors"], unmoved["changes"]) == ([], [])


def test_check_says_which_roles_and_schools_nobody_can_be_reached_in(gateway: Office) -> None:
    bring(gateway, COMBINED + "cliffside,school,Cliffside Secondary School,999902\n")
    seat, since = Seat(AgencyId("northshire-police"), RoleId("dsp-police")), datetime(2026, 1, 1, tzinfo=UTC)
    for rank in (0, 1):
        gateway.look(
            lambda parts, rank=rank: parts.store.transact(
                lambda tx: directory.set_absence(tx, P, seat, rank, {"absent_from": since})
            )
        )
    told = gateway("directory", "check", "--partnership", P, "--json")
    assert told.status == 1
    gaps = {(row["gap"], row["agency"], row["role"]) for row in told.document}
    assert {
        ("nobody-holds-the-role", None, "sbu"),
        ("nobody-holds-the-role", None, "dsp-la"),
        ("all-absent", "northshire-police", "dsp-police"),
        ("school-without-lead", "cliffside", "dsl"),
        ("way-not-set-up", "harbour-view-primary", "dsl"),
    } <= gaps
    assert ("nobody-holds-the-role", None, "dsp-police") not in gaps
    assert not any(role.startswith("owner") for _, _, role in gaps), "a word for whoever owes it is no role"


def test_list_has_every_agency_and_seat(gateway: Office) -> None:
    bring(gateway, COMBINED)
    document = gateway("directory", "list", "--partnership", P, "--json").document
    assert [agency["id"] for agency in document["agencies"]] == ["harbour-view-primary", "northshire-police"]
    assert {(seat["role"], seat["adapter"]) for seat in document["seats"]} == {
        ("dsl", "mail"),
        ("*", "webhook"),
        ("dsp-police", "webhook"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ("import", "absent.csv", "--partnership", P, "--dry-run"),
        ("import", "file.csv", "--kind", "dukes"),
        ("list",),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(gateway: Office, words: tuple[str, ...]) -> None:
    gateway.write("file.csv", AGENCIES)
    told = gateway("directory", *words)
    assert (told.status, told.out) == (2, "")
    assert len([line for line in told.err.splitlines() if line.startswith("gateway:")]) == 1


@pytest.mark.parametrize("command", ["import", "check", "list"])
def test_every_command_has_help_with_an_example(gateway: Office, command: str) -> None:
    told = gateway("directory", command, "--help")
    words = " ".join(told.out.split())
    assert told.status == 0
    assert f"Example: gateway directory {command}" in words
    if command == "import":
        assert all(column in words for column in {*AGENCY_COLUMNS, *PEOPLE_COLUMNS})


def test_the_old_address_is_told_by_mail_though_that_fails_at_first_and_nobody_is_named(
    gateway: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway("rules", "activate", P, *OFFICERS).status == 0
    bring(gateway, COMBINED)
    (owed,) = bring(gateway, COMBINED.replace("a.holt@", "alasdair.holt@")).document["told"]
    gateway.look(carry_due)  # no mail is set up yet: our own fault, so that it is tried again
    failed = gateway.read(lambda tx: deliveries.find(tx, owed["delivery"]))
    assert (failed.state, failed.attempt, failed.last_reason) == (DeliveryState.PENDING, 1, OUR_FAULT)
    with mail_house(("northshire-police.example",)) as house:
        monkeypatch.setenv("GATEWAY_SMTP_URL", house.smtp_url())
        monkeypatch.setenv("GATEWAY_SMTP_CA_FILE", str(house.ca_file))
        monkeypatch.setenv("GATEWAY_MAIL_DOMAIN", "northshire-police.example")
        monkeypatch.setenv("GATEWAY_MAIL_FROM", "Gateway <gateway@northshire-police.example>")
        due = {"next_at": failed.created_at}
        gateway.look(
            lambda parts: parts.store.transact(lambda tx: deliveries.change(tx, owed["delivery"], **due))
        )
        assert gateway.look(carry_due) == 1
        done = gateway.read(lambda tx: deliveries.find(tx, owed["delivery"]))
        assert (done.state, done.attempt) == (DeliveryState.RELAYED, 2)
        account = account_from_url(house.imap_url("a.holt@northshire-police.example"), str(house.ca_file))
        deadline = time.monotonic() + 20
        found: list[bytes] = []
        while not found and time.monotonic() < deadline:
            with Mailbox(account) as mailbox:
                found = [mail.raw for mail in mailbox.fetch()]
            time.sleep(0.05)
        text = b"".join(found).decode()
        assert "your address was replaced" in text
        assert "Holt" not in text.split("\n\n", 1)[-1]
        assert "alasdair" not in text
        counted = gateway("reconcile", "--json")
    assert counted.document["messages"]["unexplained"] == 0


def test_what_seals_a_notice_is_not_swept_away(gateway: Office) -> None:
    bring(gateway, COMBINED)
    (owed,) = bring(gateway, COMBINED.replace("a.holt@", "alasdair.holt@")).document["told"]
    row = gateway.read(lambda tx: deliveries.find(tx, owed["delivery"]))
    key = gateway.read(lambda tx: messages.find(tx, [P], row.message)).data_key
    assert gateway.read(lambda tx: messages.is_sealed_by(tx, key))
    assert not gateway.read(lambda tx: messages.is_sealed_by(tx, "piece-unknown"))
