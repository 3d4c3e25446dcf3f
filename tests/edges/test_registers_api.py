"""`GET …/registers/…` and `…/reports/…`: for the business unit and the council alone, and every answer is an entry."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openpyxl.reader.excel import load_workbook

from gateway.api.door import READ, REPORTS, WRITE
from gateway.api.registers import XLSX
from gateway.core.messages import PartnershipId
from gateway.store import registers
from gateway.store import tables as t
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    SCHOOL,
    UNIT,
    decide_all,
    entries_named,
    refer,
)
from tests.edges.at_the_door import Raw, Said
from tests.gateway_house import House, gateway_house

HERE = "/v1/partnerships/south-tyneside"
NOBODY_S = {"code": "not-found", "status": 404}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def ask(
    house: House, agency: str, path: str, query: str = "", accept: str = "application/json"
) -> Said:
    async with Raw(house, agency) as caller:
        return await caller.call("GET", path, headers=(("Accept", accept),), query=query)


async def widen(house: House, agency: str) -> None:
    """The operator gave this agency's software the scope by mistake."""
    scopes = t.client.update().where(t.client.c.id == agency).values(scopes=[WRITE, READ, REPORTS])
    assert await house.parts.store.transact(lambda tx: tx.execute(scopes).rowcount) == 1


@pytest.mark.parametrize("agency", [UNIT, COUNCIL])
async def test_business_unit_and_council_read_the_register(house: House, agency: str) -> None:
    """S3-18."""
    referral = await refer(house)
    await decide_all(house, referral)
    said = await ask(house, agency, f"{HERE}/registers/alerts")
    assert said.status == 200
    (row,) = said.document["rows"]
    assert (row["reference"], row["decision"]) == (referral["incident"], "sin-and-rapid-review")
    assert set(row) == set(said.document["columns"])
    assert agency in said.document["watermark"]


@pytest.mark.parametrize("agency", [POLICE, ICB, HOSPITALS, SCHOOL])
async def test_to_every_other_kind_of_agency_there_are_no_registers(house: House, agency: str) -> None:
    """The constant answer, whatever is asked for, even with the scope."""
    await widen(house, agency)
    await refer(house)
    answers = [
        await ask(house, agency, path)
        for path in (
            f"{HERE}/registers/alerts",
            f"{HERE}/reports/annual",
            f"{HERE}/registers/no-such",
            "/v1/partnerships/southampton/registers/alerts",
        )
    ]
    for said in answers:
        assert {name: said.document[name] for name in NOBODY_S} == NOBODY_S
    assert len({tuple(sorted(said.document)) for said in answers}) == 1
    assert await entries_named(house, "RegisterExported") == []


async def test_asking_for_the_headers_alone_takes_nothing_out(house: House) -> None:
    async with Raw(house, UNIT) as unit:
        said = await unit.call("HEAD", f"{HERE}/registers/alerts", headers=(("Accept", "text/csv"),))
    assert (said.status, said.body) == (200, b"")
    assert said.headers["Content-Type"].startswith("text/csv")
    assert await entries_named(house, "RegisterExported") == []


async def test_without_the_scope_nothing_is_read(house: House) -> None:
    async with Raw(house, POLICE) as police:
        said = await police.call("GET", f"{HERE}/registers/alerts", headers=())
    assert (said.status, said.code) == (403, "insufficient-scope")
    assert 'scope="reports.read"' in said.headers["WWW-Authenticate"]


async def test_another_partnership_s_register_does_not_exist(house: House) -> None:
    for path in ("/v1/partnerships/southampton/registers/alerts", "/v1/partnerships/nowhere/reports/annual"):
        assert (await ask(house, UNIT, path)).status == 404
    assert await entries_named(house, "RegisterExported") == []


async def test_reports_answer_by_period_and_withhold_small_numbers(house: House) -> None:
    """S4-22, S0-24: one alert is a small number."""
    await refer(house)
    timely = await ask(house, UNIT, f"{HERE}/reports/timeliness", "?year=2026")
    assert {row["clock"] for row in timely.document["rows"]} >= {"K11"}
    annual = await ask(house, UNIT, f"{HERE}/reports/annual", "?year=2026")
    counts = {row["count"] for row in annual.document["rows"] if row["section"] == "quarter"}
    assert counts == {"c"}
    for name in ("digest", "annual", "timeliness"):
        assert (await ask(house, UNIT, f"{HERE}/reports/{name}")).status == 200


async def test_a_period_that_is_none_is_refused_and_recorded_nowhere(house: House) -> None:
    for query in ("?year=26", "?month=2026-13", "?year=2026&month=2026-11"):
        said = await ask(house, UNIT, f"{HERE}/reports/annual", query)
        assert (said.status, said.code) == (400, "malformed-request")
    assert await entries_named(house, "RegisterExported") == []


async def test_csv_or_a_workbook_is_given_to_who_names_it(house: House) -> None:
    await refer(house)
    said = await ask(house, UNIT, f"{HERE}/registers/alerts", accept="text/csv")
    assert said.headers["Content-Type"].startswith("text/csv")
    assert said.headers["Vary"] == "Accept"
    lines = list(csv.reader(io.StringIO(said.body.decode(), newline="")))
    assert len(lines) == 3
    workbook = await ask(house, UNIT, f"{HERE}/registers/alerts", accept=XLSX)
    assert (workbook.status, workbook.headers["Content-Type"]) == (200, XLSX)
    sheet = load_workbook(io.BytesIO(workbook.body)).worksheets[0]
    assert [[str(cell.value or "") for cell in row] for row in sheet.iter_rows()][1:] == lines[1:]
    for accept in ("*/*", "application/json, text/csv", ""):
        assert (await ask(house, UNIT, f"{HERE}/registers/alerts", accept=accept)).document["rows"]


async def test_no_name_of_a_child_is_handed_out(house: House) -> None:
    await refer(house)
    child = house.example("referral")["body"]["children"][0]
    for name in ("alerts", "returns", "learning", "need-to-know", "due-this-week", "overdue-by-agency"):
        said = await ask(house, UNIT, f"{HERE}/registers/{name}")
        assert said.status == 200
        assert child["family_name"].encode() not in said.body


async def test_every_answer_is_an_entry_under_the_client_s_id(house: House) -> None:
    said = await ask(house, UNIT, f"{HERE}/registers/returns")
    (entry,) = await entries_named(house, "RegisterExported")
    (use,) = await house.parts.store.read(lambda tx: registers.uses(tx, PartnershipId("south-tyneside")))
    assert entry.chain == use.id == said.document["export"]
    assert (use.officer, use.form, use.why, use.with_names) == (UNIT, "api", "api", False)
