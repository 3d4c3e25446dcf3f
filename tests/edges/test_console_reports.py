"""Reports and registers in the console: what is shown, drawn, withheld, taken out; and by whom."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date
from io import BytesIO

import pytest
import pytest_asyncio
from openpyxl.reader.excel import load_workbook

from gateway.console.charts import section_charts, stacked, timeliness_charts
from gateway.console.reports import ABOUT, periods
from gateway.core.permissions import OfficerRole
from gateway.core.registers import Sheet
from gateway.core.reports import FIGURE_COLUMNS, TIMELINESS_COLUMNS
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import registers
from tests.edges.console_person import OFFICER, signed_in
from tests.edges.test_console import refer
from tests.gateway_house import House, gateway_house

in_one_house = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("reports")) as running:
        await refer(running, "NP-reported")
        yield running


def timely(*rows: tuple[object, ...]) -> Sheet:
    filled = tuple((*row[:2], "no", *row[2:], None, None, None, None) for row in rows)
    return Sheet("timeliness", "Timeliness", TIMELINESS_COLUMNS, filled)  # type: ignore[arg-type]


def test_a_bar_is_as_long_as_what_it_says_beside_the_longest() -> None:
    chart = stacked(
        "Due", [("A", {"met": 3, "met_late": 0, "missed": 1, "open": 0, "waived": 0}), ("B", _met(2))]
    )
    first, second = chart.bars
    assert [(piece.manner, piece.at, piece.width) for piece in first.pieces] == [
        ("met", 0.0, 750.0),
        ("missed", 750.0, 250.0),
    ]
    assert [piece.width for piece in second.pieces] == [500.0]
    assert first.words == "4 due: 3 met in time, 1 missed"
    assert [manner for manner, _ in chart.manners] == ["met", "missed"]


def _met(count: int) -> dict[str, int]:
    return {"met": count, "met_late": 0, "missed": 0, "open": 0, "waived": 0}


def test_s4_22_the_bars_of_agencies_add_up_over_all_clocks() -> None:
    sheet = timely(
        ("K11", "all", 3, 2, 0, 1, 0, 0),
        ("K11", "a", 2, 2, 0, 0, 0, 0),
        ("K11", "b", 1, 0, 0, 1, 0, 0),
        ("K12", "all", 1, 0, 1, 0, 0, 0),
        ("K12", "a", 1, 0, 1, 0, 0, 0),
    )
    clocks, agencies = timeliness_charts(sheet, {"K11": "K11: triage"}, {"a": "Alpha"})
    assert [(bar.name, bar.words) for bar in clocks.bars] == [
        ("K11: triage", "3 due: 2 met in time, 1 missed"),
        ("K12", "1 due: 1 met late"),
    ]
    assert [(bar.name, bar.words) for bar in agencies.bars] == [
        ("Alpha", "3 due: 2 met in time, 1 met late"),
        ("b", "1 due: 1 missed"),
    ]


def test_what_is_withheld_has_no_bar_that_could_be_measured() -> None:
    rows = (
        ("decision", "total", 20, 20, None),
        ("decision", "x", "c", 20, None),
        ("decision", "y", 12, 20, None),
    )
    (chart,) = section_charts(Sheet("annual", "Year", FIGURE_COLUMNS, rows), ["decision", "nature"])
    assert [(bar.name, bar.words, bool(bar.pieces)) for bar in chart.bars] == [
        ("x", "withheld", False),
        ("y", "12", True),
    ]


def test_days_to_choose_are_whole_months_and_years_from_april() -> None:
    told = periods("timeliness", date(2027, 2, 3))
    assert told[0] == ("2026", "April 2026 to March 2027")
    assert ("2026-12", "December 2026") in told
    assert all(len(value) == 7 for value, _ in periods("digest", date(2027, 2, 3)))
    assert all(len(value) == 4 for value, _ in periods("annual", date(2027, 2, 3)))


@in_one_house
async def test_every_report_and_register_opens_and_names_no_child(house: House) -> None:
    child = house.example("referral")["body"]["children"][0]["family_name"]
    async with signed_in(house) as person:
        for name, (title, _) in ABOUT.items():
            page = await person.get(f"/console/reports/{name}")
            assert page.status == 200, name
            assert title in page.words
            assert child not in page.words
        timeliness = await person.get("/console/reports")
        assert "3 due: 3 open" in timeliness.words
        assert len(re.findall("<rect", timeliness.text)) > 3
        assert "The same as a table" in timeliness.words


@in_one_house
async def test_days_and_lists_that_there_are_not_are_not_found(house: House) -> None:
    async with signed_in(house) as person:
        for path in ("none", "alerts?period=2026-13", "alerts?page=0", "alerts?partnership=elsewhere"):
            assert (await person.get(f"/console/reports/{path}")).status == 404, path


@in_one_house
async def test_s3_18_a_register_leaves_with_who_when_and_why_in_it_and_on_record(house: House) -> None:
    async with signed_in(house) as person:
        await person.get("/console/reports/alerts")
        assert person.last is not None
        told = {"form_token": person.last.hidden("form_token"), "partnership": SOUTH_TYNESIDE}
        csv = await person.post("/console/reports/alerts/taken", **told, form="csv", why="inspection")
        assert csv.status == 200
        assert OFFICER in csv.text.splitlines()[0]
        assert "inspection" in csv.text.splitlines()[0]
        assert "SI-" in csv.text
        without = await person.post("/console/reports/alerts/taken", **told, form="csv", why="")
        assert without.status == 400
    uses = await house.parts.store.read(lambda tx: registers.uses(tx, SOUTH_TYNESIDE))
    of_alerts = [(use.officer, use.why, use.with_names) for use in uses if use.what == "alerts"]
    assert of_alerts == [(OFFICER, "inspection", False)]


@in_one_house
async def test_an_auditor_sees_the_figures_and_takes_nothing_out(house: House) -> None:
    async with signed_in(house, "The reading auditor", [OfficerRole.AUDITOR]) as person:
        page = await person.get("/console/reports")
        assert page.status == 200
        assert "Take it out" not in page.words


@in_one_house
async def test_a_workbook_opens_as_one(house: House) -> None:
    async with signed_in(house) as person:
        await person.get("/console/reports")
        assert person.last is not None
        fields = {"form_token": person.last.hidden("form_token"), "partnership": SOUTH_TYNESIDE}
        fields |= {"form": "xlsx", "why": "monthly-board"}
        url = person.base + "/console/reports/timeliness/taken"
        async with person.session.post(url, data=fields) as answer:
            book = load_workbook(BytesIO(await answer.read()))  # type: ignore[no-untyped-call]
    assert book.worksheets[0]["A2"].value == "clock"
