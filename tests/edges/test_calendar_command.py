"""`gateway calendar`: two officers put gov.uk's list in force; a dry run shows what would move; a cut-off list is refused (C-12)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.cli.dates_at_hand import warnings
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import packs
from gateway.partnerships.calendars import shipped_holidays
from gateway.store import holidays
from gateway.store import packs as pack_rows
from gateway.store import tables as t
from tests.actions.test_calendar_change import government_list
from tests.command_line import attempt, gateway
from tests.edges.test_officer_commands import refer
from tests.gateway_house import House, RealTime, gateway_house

TWO = ("--officer", "Winifred Stave", "--second-officer", "Desmond Quill")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


def proclaimed(house: House) -> date:
    """The next working day that no list knows as closed: a duty due in five working days passes over it."""
    day = house.clock().date() + timedelta(days=1)
    while day.weekday() > 4 or day in shipped_holidays().divisions["england-and-wales"]:
        day += timedelta(days=1)
    return day


def file_of(folder: Path, document: Any) -> str:
    file = folder / "bank-holidays.json"
    file.write_text(json.dumps(document))
    return str(file)


async def test_a_dry_run_shows_what_would_move_and_changes_nothing(house: House, tmp_path: Path) -> None:
    referral = await refer(house)
    file = file_of(tmp_path, government_list({proclaimed(house): "Invented Day"}))
    told = await gateway(house, "calendar", "upload", file, *TWO, "--dry-run")
    assert told["added"] == [str(proclaimed(house))]
    assert (told["removed"], told["receipt"]) == ([], None)
    assert {move["clock"] for move in told["moves"]} >= {"K12"}
    assert {move["incident"] for move in told["moves"]} == {referral["incident"]}
    assert await house.parts.store.read(holidays.current_version) is None
    assert not [row for row in (await gateway(house, "duties", "list"))["duties"] if row["due_changes"]]


async def test_two_officers_put_a_list_in_force_and_open_duties_move(house: House, tmp_path: Path) -> None:
    await refer(house)
    file = file_of(tmp_path, government_list({proclaimed(house): "Invented Day"}))
    told = await gateway(house, "calendar", "upload", file, *TWO)
    assert told["receipt"].startswith("ev-")
    rows = (await gateway(house, "duties", "list"))["duties"]
    moved = {row["id"]: row["due_at"] for row in rows if row["due_changes"]}
    assert moved == {move["duty"]: move["new_due_at"] for move in told["moves"]}
    shown = await gateway(house, "calendar", "list")
    assert shown["version"] == told["version"]
    assert {"date": str(proclaimed(house)), "title": "Invented Day"} in shown["ahead"]
    assert [(one["officer"], one["in_force"]) for one in shown["uploaded"]] == [("Winifred Stave", True)]
    status, _, err = await attempt(house, "calendar", "upload", file, *TWO)
    assert (status, err) == (1, "gateway: This list is in force already.\n")


async def test_one_officer_is_not_two_and_a_cut_off_list_is_one_line(house: House, tmp_path: Path) -> None:
    document = government_list({})
    file = file_of(tmp_path, document)
    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred stave")
    status, _, err = await attempt(house, "calendar", "upload", file, *alone)
    assert (status, len(err.splitlines())) == (1, 1)
    document["england-and-wales"]["events"] = document["england-and-wales"]["events"][:12]
    status, out, err = await attempt(house, "calendar", "upload", file_of(tmp_path, document), *TWO)
    assert (status, out) == (2, "")
    assert "incomplete for England in 2027" in err
    status, _, err = await attempt(house, "calendar", "upload", str(tmp_path / "none.json"), *TWO)
    assert (status, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("today", "warned"), [("2028-01-01", False), ("2028-01-02", True), ("2029-06-01", True)]
)
def test_a_list_that_ends_within_a_year_is_warned_of(today: str, warned: bool) -> None:
    assert bool(warnings(shipped_holidays(), date.fromisoformat(today))) is warned


async def test_the_doctor_warns_of_what_grows_old_and_stops_nothing(house: House, tmp_path: Path) -> None:
    """X-24, S2-25, C-12: a lapsed review and holiday data that runs out are said; the exit status does not change."""
    named = ("reviews of the rule packs in force", "holiday data reaches a year ahead")
    _, out, _ = await attempt(house, "doctor", "--json")
    assert [row for row in json.loads(out) if row["check"] in named] == [
        {"check": name, "ok": True, "advice": ""} for name in named
    ]
    files = {**(await _files(house)), "rules.toml": await _rules_reviewed_on(house, "2020-01-01")}
    lapse = update(t.pack).values(files=files, digest=packs.digest(files))
    await house.parts.store.transact(lambda tx: tx.execute(lapse).rowcount)
    _, out, _ = await attempt(house, "doctor", "--json")
    rows = {row["check"]: row for row in json.loads(out)}
    assert rows[named[0]]["ok"] is True
    assert "overdue: south-tyneside (since 2020-01-01)" in rows[named[0]]["advice"]


async def _files(house: House) -> dict[str, str]:
    row = await house.parts.store.read(lambda tx: pack_rows.current(tx, SOUTH_TYNESIDE))
    assert row is not None
    return dict(row.files)


async def _rules_reviewed_on(house: House, day: str) -> str:
    return re.sub(r"review_due_on = \S+", f"review_due_on = {day}", (await _files(house))["rules.toml"])
