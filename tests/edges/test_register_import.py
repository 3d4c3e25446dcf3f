"""`gateway register import`: the old spreadsheet, whole or not at all, marked as imported, and nothing runs on it (S3-18)."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.workbook.workbook import Workbook

from gateway.partnerships import packs
from gateway.partnerships.register_files import RegisterFile, Words, read_register_file
from tests.actions.scene import entries_named, rows
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

OFFICER = ("--officer", "Winifred Stave")
SOURCE = ("--source", "alerts-2025")
WORDS = Words.of(packs.shipped("south-tyneside"))
TODAY = date(2026, 11, 2)
GOOD = (
    "Reference,Alerted on,reasons,label,decision,decided_on,outcome\r\n"
    "SI/25/7,03/06/2025,Death; neglect,need to know case,no-further-action,2025-06-05,none\r\n"
    "SI/25/8,2025-06-09,,,,,\r\n"
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        await running.gateway.dispatch.stop()
        yield running


def read(text: str) -> RegisterFile:
    return read_register_file("alerts.csv", text.encode(), "alerts-2025", WORDS, TODAY)


async def take_over(house: House, text: str, *words: str) -> Any:
    file = house.folder / "alerts-2025.csv"
    file.write_bytes(text.encode())
    return await gateway(house, "register", "import", str(file), *SOURCE, *words)


async def register(house: House) -> list[dict[str, Any]]:
    told = await gateway(house, "register", "export", "alerts", "--reason", "check", *OFFICER)
    return list(told["rows"])


async def test_rows_are_shown_as_imported_and_nothing_runs_on_them(house: House) -> None:
    """No incident, no clock, no duty, nothing to deliver: only the rows and the entry."""
    before = await rows(house)
    told = await take_over(house, GOOD, *OFFICER)
    after = await rows(house)
    assert (told["added"], told["written"]) == (["SI/25/7", "SI/25/8"], True)
    grown = {name for name, count in after.items() if count != before[name]}
    assert grown == {"imported_alert", "register_use", "entry", "chain"}
    (first, second) = await register(house)
    assert (first["reference"], first["status"], first["source"]) == (
        "SI/25/7",
        "imported",
        "imported: alerts-2025",
    )
    assert (first["reasons"], first["label"], first["opened_on"]) == (
        "death, neglect",
        "Need to Know case",
        "2025-06-03",
    )
    assert first["K12_on_time"] is second["K12_on_time"] is None


async def test_a_dry_run_changes_nothing(house: House) -> None:
    before = await rows(house)
    told = await take_over(house, GOOD, "--dry-run")
    assert (told["added"], told["written"], told["receipt"]) == (["SI/25/7", "SI/25/8"], False, None)
    assert await rows(house) == before


async def test_the_same_file_again_changes_nothing_and_a_mended_row_replaces_its_own(house: House) -> None:
    await take_over(house, GOOD, *OFFICER)
    before = await rows(house)
    again = await take_over(house, GOOD, *OFFICER)
    assert (again["added"], again["changed"], again["same"], again["written"]) == ([], [], 2, False)
    assert await rows(house) == before
    mended = await take_over(house, GOOD.replace("2025-06-09", "2025-06-10"), *OFFICER)
    assert (mended["changed"], mended["same"]) == (["SI/25/8"], 1)
    assert [row["opened_on"] for row in await register(house)] == ["2025-06-03", "2025-06-10"]
    assert len(await entries_named(house, "RegisterImported")) == 2


async def test_one_fault_and_nothing_is_taken_over(house: House) -> None:
    before = await rows(house)
    file = house.folder / "alerts.csv"
    file.write_text(GOOD + "SI/25/9,31/02/2025,,,,,\n")
    status, out, _ = await attempt(house, "register", "import", str(file), *SOURCE, *OFFICER)
    assert status == 1
    assert "row 4, alerted_on:" in out
    assert "nothing was taken over" in out
    assert await rows(house) == before


async def test_taking_over_needs_somebody(house: House) -> None:
    file = house.folder / "alerts.csv"
    file.write_text(GOOD)
    before = await rows(house)
    assert (await attempt(house, "register", "import", str(file), *SOURCE))[0] == 1
    assert (await attempt(house, "register", "import", "no-such.csv", *SOURCE, *OFFICER))[0] == 2
    assert (await attempt(house, "register", "import", str(file), "--source", "A B", *OFFICER))[0] == 2
    assert await rows(house) == before


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("Robin Example,2025-06-03,,,,,", "reference"),
        ("A1,,,,,,", "alerted_on"),
        ("A1,03.06.2025,,,,,", "alerted_on"),
        ("A1,2027-06-03,,,,,", "alerted_on"),
        ("A1,2025-06-03,Robin fell,,,,", "reasons"),
        ("A1,2025-06-03,,Robin's case,,,", "label"),
        ("A1,2025-06-03,,,perhaps,,", "decision"),
        ("A1,2025-06-03,,,,soon,", "decided_on"),
        ("A1,2025-06-03,,,,,=1+1", "outcome"),
        ("A1,2025-06-03,,,,,,surplus", ""),
        ("SI/25/7,2025-06-03,,,,,", "reference"),
    ],
)
def test_each_fault_names_its_row_and_column_and_repeats_nothing(row: str, column: str) -> None:
    found = read(GOOD + row + "\r\n")
    assert [(fault.row, fault.column) for fault in found.faults] == [(4, column)]
    assert not [word for word in ("Robin", "perhaps", "surplus", "1+1") if word in found.faults[0].what]


def test_a_column_that_may_name_somebody_is_refused() -> None:
    found = read("reference,alerted_on,child\nA1,2025-06-03,Robin Example\n")
    assert [(fault.row, fault.column) for fault in found.faults] == [(1, "child")]
    assert found.rows == []


def test_a_workbook_is_read_as_the_csv_file_is() -> None:
    book: Any = Workbook()  # type: ignore[no-untyped-call]
    page = book.worksheets[0]
    page.append(["Reference", "Alerted on", "Reasons", "label", "decision", "decided_on", "outcome"])
    days = [datetime(2025, 6, 3), date(2025, 6, 5)]
    coded = ["Death; neglect", "need to know case", "no-further-action"]
    page.append(["SI/25/7", days[0], *coded, days[1], "none"])
    page.append(["SI/25/8", "2025-06-09"])
    out = io.BytesIO()
    book.save(out)
    found = read_register_file("alerts.xlsx", out.getvalue(), "alerts-2025", WORDS, TODAY)
    assert found.faults == []
    assert found.rows == read(GOOD).rows


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.xlsx"]))
def test_no_file_breaks_the_reader(content: bytes, name: str) -> None:
    found = read_register_file(name, content, "alerts-2025", WORDS, TODAY)
    assert found.faults
    assert found.rows == []
