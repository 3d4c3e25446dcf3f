"""`gateway register` and `gateway report`: files that a spreadsheet opens and never runs, and an entry for each."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl.reader.excel import load_workbook

from gateway.actions.read_register import lessons_of
from gateway.core.registers import Sheet
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import sheets
from gateway.store import registers
from gateway.store import tables as t
from gateway.store.registers import Use
from gateway.store.transaction import Tx
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    UNIT,
    decide_all,
    entries_named,
    events_of,
    incident_of,
    refer,
    send,
)
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, example, gateway_house

WHY = ("--reason", "monthly-board", "--officer", "Winifred Stave")
LESSONS = {"theme": "themes", "lesson": "lessons", "passed on to": "forums"}
SECOND = ("--second-officer", "Caspian Reed")
HOSTILE = ("=1+1", "+44", "-2", "@SUM(A1)", "\tx", "\rx", "  =1+1")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        await running.gateway.dispatch.stop()
        yield running


async def uses(house: House) -> list[Use]:
    return await house.parts.store.read(lambda tx: registers.uses(tx, SOUTH_TYNESIDE))


async def test_the_alert_register_is_taken_out_as_csv_and_as_xlsx(house: House, tmp_path: Path) -> None:
    """S3-18: a register with CSV and XLSX export."""
    referral = await refer(house)
    await decide_all(house, referral)
    for name in ("alerts.csv", "alerts.xlsx"):
        told = await gateway(house, "register", "export", "alerts", "--out", str(tmp_path / name), *WHY)
        (row,) = told["rows"]
        assert (row["reference"], row["decision"]) == (referral["incident"], "sin-and-rapid-review")
        assert row["K12_on_time"] == "running"
    lines = list(csv.reader(io.StringIO((tmp_path / "alerts.csv").read_text("utf-8-sig"), newline="")))
    book = load_workbook(tmp_path / "alerts.xlsx")
    page = book.worksheets[0]
    assert page.freeze_panes == "A3"
    found = [
        ["" if cell is None else str(cell) for cell in cells] for cells in page.iter_rows(values_only=True)
    ]
    assert found[1:] == lines[1:]
    for first in (lines[0][0], found[0][0]):
        assert "Winifred Stave" in first
        assert "monthly-board" in first
    assert stat.S_IMODE((tmp_path / "alerts.csv").stat().st_mode) == 0o600


async def test_every_export_is_an_entry_and_says_who_and_why(house: House) -> None:
    """Domain analysis section 8: exports are counted in the audit, with a reason."""
    told = await gateway(house, "register", "export", "returns", *WHY)
    await gateway(house, "report", "timeliness")
    entries = await entries_named(house, "RegisterExported")
    rows = await uses(house)
    assert {entry.chain for entry in entries} == {row.id for row in rows}
    listed = await gateway(house, "register", "uses")
    assert [row["id"] for row in listed] == [row.id for row in rows]
    first = next(row for row in rows if row.id == told["export"])
    assert (first.officer, first.why, first.what, first.with_names) == (
        "Winifred Stave",
        "monthly-board",
        "returns",
        False,
    )


async def test_an_export_without_a_plain_reason_gives_nothing(house: House, tmp_path: Path) -> None:
    out = tmp_path / "alerts.csv"
    for why in ("", "for Robin Example"):
        words = ("register", "export", "alerts", "--out", str(out), "--officer", "W. Stave", "--reason", why)
        status, _, err = await attempt(house, *words)
        assert (status, err.count("\n")) == (1, 1)
    assert not out.exists()
    assert await uses(house) == []


async def test_names_need_two_officers_and_leave_an_entry_on_each_incident(house: House) -> None:
    referral = await refer(house)
    family = house.example("referral")["body"]["children"][0]["family_name"]
    plain = await gateway(house, "register", "export", "alerts", *WHY)
    assert family not in json.dumps(plain)
    for second in ((), ("--second-officer", " winifred  STAVE ")):
        status, out, _ = await attempt(house, "register", "export", "alerts", "--with-names", *WHY, *second)
        assert (status, out) == (1, "")
    named = await gateway(house, "register", "export", "alerts", "--with-names", *WHY, *SECOND)
    assert family in named["rows"][0]["children"]
    assert "Caspian Reed" in named["watermark"]
    chain = (await incident_of(house, referral)).chain
    assert (await events_of(house, chain)).count("RegisterExported") == 1
    (with_names,) = [row for row in await uses(house) if row.with_names]
    assert (with_names.id, with_names.second_officer) == (named["export"], "Caspian Reed")


async def test_the_learning_log_gives_words_only_to_two_officers(house: House) -> None:
    """S4-24; what agencies learnt is sealed content."""
    referral = await refer(house)
    request = await send(
        house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"]
    )
    await send(
        house, HOSPITALS, "information-return", incident=referral["incident"], in_reply_to=request["id"]
    )
    learnt = house.example("information-return")["body"]["learning"]
    plain = await gateway(house, "register", "export", "learning", *WHY)
    assert [row["agency"] for row in plain["rows"]] == [HOSPITALS]
    assert learnt not in json.dumps(plain, ensure_ascii=False)
    named = await gateway(house, "register", "export", "learning", "--with-names", *WHY, *SECOND)
    found = {row["kind"]: row["words"] for row in named["rows"]}
    assert found["lesson"] == learnt


def test_what_a_review_asks_of_agencies_stands_with_its_owner_and_day() -> None:
    """S4-24: each action of a rapid review report, as the published example has it."""
    body = example("rapid-review-report")["body"]
    found = [one for one in lessons_of(body) if one.kind == "action"]
    asked = [(one["action"], one["agency"], one["due_on"]) for one in body["actions"]]
    assert asked
    assert [(one.words, one.owner, one.due_on) for one in found] == asked
    assert [one.words for one in lessons_of(body) if one.kind == "lesson"] == body["learning"]


async def test_the_return_tracker_shows_what_was_asked_and_what_came(house: House) -> None:
    """S4-12."""
    referral = await refer(house)
    await send(
        house, UNIT, "information-request", {"agencies": [HOSPITALS, COUNCIL]}, incident=referral["incident"]
    )
    told = await gateway(house, "register", "export", "returns", *WHY)
    assert {row["agency"]: row["state"] for row in told["rows"]} == {HOSPITALS: "open", COUNCIL: "open"}


async def test_reports_answer_for_their_period(house: House) -> None:
    """S4-22, S3-15, S0-24."""
    await refer(house)
    today = house.clock()
    begins = today.year if today.month >= 4 else today.year - 1
    timely = await gateway(house, "report", "timeliness", "--year", str(begins))
    assert {row["clock"] for row in timely["rows"]} >= {"K11"}
    annual = await gateway(house, "report", "annual", "--year", str(begins))
    total = next(row for row in annual["rows"] if row["section"] == "quarter" and row["item"] == "total")
    assert total["count"] == "c", "one alert is a small number"
    empty = await gateway(house, "report", "digest", "--month", "2020-01")
    assert empty["rows"][0]["count"] == 0


async def test_the_digest_tells_the_lessons_of_its_month_and_each_opening_is_an_entry(house: House) -> None:
    """S3-15, S0-24: themes, lessons and how they were passed on; a digest of another month stays out."""
    referral = await refer(house)
    first_on = house.clock().date().replace(day=1)
    month = f"{first_on:%Y-%m}"
    days = {"period_from_on": first_on.isoformat(), "period_to_on": first_on.replace(day=28).isoformat()}
    ours = house.example("learning-digest", days)
    other = {"period_from_on": "2020-01-01", "period_to_on": "2020-01-31", "lessons": ["Another month."]}
    for number, document in enumerate((ours, house.example("learning-digest", other))):
        await put_in(house, referral, f"LD-{number}", document)
    told = await gateway(house, "report", "digest", "--month", month)
    found = {
        section: [row["item"] for row in told["rows"] if row["section"] == section] for section in LESSONS
    }
    assert found == {name: ours["body"][member] for name, member in LESSONS.items()}
    chain = (await incident_of(house, referral)).chain
    assert (await events_of(house, chain)).count("RegisterExported") == 1


async def put_in(house: House, referral: Any, reference: str, document: Any) -> None:
    """A message of a type for which this partnership's pack has no route yet, as it would be on record."""
    key = await house.parts.key_of(referral["incident"])
    assert key is not None

    def copy(tx: Tx) -> None:
        row = dict(tx.execute(t.message.select().where(t.message.c.id == referral["id"])).one()._mapping)
        own = {"id": f"msg-{reference}", "type": "learning-digest", "reference": reference}
        sealed = key.seal(f"message:msg-{reference}", json.dumps(document).encode())
        tx.execute(t.message.insert(), row | own | {"sealed": sealed})

    await house.parts.store.transact(copy)


async def test_wrong_use_is_one_line_and_exit_2(house: House, tmp_path: Path) -> None:
    for words in (
        ("register", "export", "alerts", "--out", str(tmp_path / "alerts.pdf"), *WHY),
        ("register", "export", "alerts", "--year", "26", *WHY),
        ("register", "export", "alerts", "--year", "2026", "--month", "2026-11", *WHY),
        ("register", "export", "returns", "--with-names", *WHY, *SECOND),
        ("report", "digest", "--month", "2026-13"),
    ):
        status, out, err = await attempt(house, *words)
        assert (status, out, err.count("\n")) == (2, "", 1), words
    assert (await attempt(house, "register", "export", "no-such", *WHY))[0] == 1
    assert await uses(house) == []


async def test_an_erased_incident_stays_in_the_register_without_content(house: House) -> None:
    referral = await refer(house)
    officers = ("--officer", "Winifred Stave", *SECOND)
    await gateway(house, "erase", referral["incident"], "--reason", "retention-ended", *officers)
    named = await gateway(house, "register", "export", "alerts", "--with-names", *WHY, *SECOND)
    (row,) = named["rows"]
    assert (row["status"], row["children"]) == ("erased", None)


def test_no_cell_of_a_csv_file_is_run_as_a_formula() -> None:
    sheet = Sheet("alerts", "Alerts", tuple("abcdefg"), (HOSTILE,))
    text = sheets.as_csv(sheet, "=who")
    assert text.startswith('"\'=who"')
    (_, _, cells) = csv.reader(io.StringIO(text, newline=""))
    assert cells == [f"'{cell}" for cell in HOSTILE]


def test_no_cell_of_a_workbook_is_run_as_a_formula() -> None:
    sheet = Sheet("alerts", "Alerts", tuple("abcdefghi"), ((*HOSTILE, 7, None),))
    page = load_workbook(io.BytesIO(sheets.as_xlsx(sheet, "=who"))).worksheets[0]
    kinds = {cell.data_type for row in page.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"s", "n"}
    assert page["A3"].value == "=1+1"
    assert page["H3"].value == 7
