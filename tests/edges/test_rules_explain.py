"""`gateway rules explain` and `gateway rules list`: the contract's JSON, exit status, and words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.rules import app
from gateway.partnerships.calendars import shipped_holidays
from tests.core.test_working_days import vectors

MONDAY = "2026-11-23T10:00+00:00"
KEYS = [
    "pack",
    "version",
    "clock",
    "unit",
    "amount",
    "convention",
    "statutory",
    "start",
    "due_on",
    "due_at",
    "counted",
    "skipped",
    "holidays",
    "holidays_from",
]


@pytest.fixture(autouse=True)
def _outside_any_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the folder in which the tests are started is no part of them."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def explain(pack: str, clock: str, start: str, *more: str) -> dict[str, Any]:
    result = run("explain", pack, clock, "--from", start, "--json", *more)
    assert (result.exit_code, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    assert list(document) == KEYS
    return document


def test_the_answer_is_the_contracts_document() -> None:
    """K12, C-02, C-10: five working days, midnight, exclusive."""
    assert explain("south-tyneside", "K12", MONDAY) == {
        "pack": "south-tyneside",
        "version": "2026.1",
        "clock": "K12",
        "unit": "working-days",
        "amount": 5,
        "convention": "A",
        "statutory": True,
        "start": "aware_at",
        "due_on": "2026-11-30",
        "due_at": "2026-12-01T00:00:00Z",
        "counted": ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"],
        "skipped": [{"date": "2026-11-28", "why": "Saturday"}, {"date": "2026-11-29", "why": "Sunday"}],
        "holidays": shipped_holidays().version,
        "holidays_from": "shipped",
    }


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_the_command_agrees_with_the_worked_examples(vector: dict[str, Any]) -> None:
    """Sections 11.3 and 11.4, convention A (K11, K12, K15, K17, K08, K07, K16, K17b)."""
    start, days = vector["utc"], vector["wd"]["A"]
    assert explain("south-tyneside", "K11", start)["due_on"] == days["1"]
    assert explain("statutory-minimum", "K12", start)["due_on"] == days["5"]
    assert explain("south-tyneside", "K15", start)["due_on"] == days["8"]
    assert explain("derby", "K17", start)["due_on"] == days["15"]
    assert explain("tower-hamlets", "K16", start)["due_on"] == vector["cal_rollback"]["10"]
    assert explain("tower-hamlets", "K17b", start)["due_on"] == vector["cal"]["15"]


@pytest.mark.parametrize(
    ("pack", "clock", "start", "due_on", "due_at"),
    [
        ("tower-hamlets", "K08", "2026-10-24T10:00+01:00", "2026-10-25", "2026-10-25T09:00:00Z"),
        ("dcs-notification", "K07", "2026-12-25T09:00+00:00", "2026-12-28", "2026-12-28T09:00:00Z"),
        ("derby", "K01", "2027-03-28T00:30:15Z", "2027-03-28", "2027-03-28T02:30:15Z"),
        ("south-tyneside", "K11", "2027-06-07T10:00+01:00", "2027-06-08", "2027-06-08T16:00:00Z"),
        ("statutory-minimum", "K20", "2026-08-31T10:00+01:00", "2027-02-28", "2027-03-01T00:00:00Z"),
        ("southampton", "K13", MONDAY, None, None),
        ("south-tyneside", "K19", MONDAY, None, None),
    ],
)
def test_due_instants_are_utc_and_null_without_a_limit(
    pack: str, clock: str, start: str, due_on: str | None, due_at: str | None
) -> None:
    """C-07, C-10, X-08."""
    answer = explain(pack, clock, start)
    assert (answer["due_on"], answer["due_at"]) == (due_on, due_at)


def test_hours_months_and_limitless_clocks_count_no_days() -> None:
    for pack, clock in (("derby", "K01"), ("derby", "K06"), ("southampton", "K13")):
        assert explain(pack, clock, MONDAY)["counted"] == []


def test_a_supposed_holiday_moves_the_due_and_says_so() -> None:
    """C-12: what a proclaimed day would do, before it is in the data; a real holiday keeps its own title."""
    answer = explain(
        "south-tyneside", "K12", MONDAY, "--on-holiday", "2026-11-25", "--on-holiday", "2026-12-25"
    )
    assert answer["due_on"] == "2026-12-01"
    assert {"date": "2026-11-25", "why": "hypothetical holiday"} in answer["skipped"]
    christmas = explain("south-tyneside", "K12", "2026-12-24T10:00Z", "--on-holiday", "2026-12-25")
    assert christmas["skipped"][0] == {"date": "2026-12-25", "why": "Christmas Day"}


@pytest.mark.parametrize(
    ("pack", "clock", "start", "says"),
    [
        ("south-tyneside", "K11", MONDAY, "due by 5pm on Tuesday 24 November 2026 (counted Tue 24 Nov)"),
        (
            "south-tyneside",
            "K12",
            "2026-11-27T17:30Z",
            "due by the end of Friday 4 December 2026 (counted Mon 30 Nov, Tue 1 Dec, Wed 2 Dec, Thu 3 Dec, "
            "Fri 4 Dec; skipped Sat 28 Nov Saturday, Sun 29 Nov Sunday)",
        ),
        ("south-tyneside", "K15", "2026-11-30T16:00Z", "exactly on Thursday 10 December 2026, by 5pm"),
        ("tower-hamlets", "K08", "2026-10-24T10:00+01:00", "due by 09:00 on Sunday 25 October 2026 (GMT)"),
        ("derby", "K01", "2026-07-01T10:00:30+01:00", "due by 12:00:30 on Wednesday 1 July 2026 (BST)"),
        (
            "southampton",
            "K13",
            MONDAY,
            "no limit: it only grows older\ntarget: by 5pm on Tuesday 24 November",
        ),
        ("south-tyneside", "K19", MONDAY, "the day is set case by case"),
        ("derby", "K02", MONDAY, "\ntarget: by 5pm on Monday 23 November 2026"),
    ],
)
def test_without_json_the_answer_is_in_plain_words(pack: str, clock: str, start: str, says: str) -> None:
    result = run("explain", pack, clock, "--from", start)
    assert (result.exit_code, result.stderr) == (0, "")
    assert says in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("nowhere", "K12", "--from", MONDAY), 1, "no such rule pack"),
        (("../derby", "K12", "--from", MONDAY), 1, "no such rule pack"),
        (("bank-holidays", "K12", "--from", MONDAY), 1, "no such rule pack"),
        (("derby", "K11", "--from", MONDAY), 1, "no such clock"),
        (("derby", "k01", "--from", MONDAY), 1, "no such clock"),
        (("derby", "K02", "--from", "2028-12-29T10:00Z"), 1, "holiday data ends on 2028-12-31"),
        (("derby", "K02", "--from", "2018-12-28T10:00Z"), 1, "holiday data begins on 2019-01-01"),
        (("derby", "K02", "--from", "2026-11-23T10:00"), 2, "with its offset"),
        (("derby", "K02", "--from", "2026-02-30T10:00Z"), 2, "with its offset"),
        (("derby", "K02", "--from", "yesterday"), 2, "with its offset"),
        (("derby", "K01", "--from", "9999-12-31T23:59Z"), 2, "with its offset"),
        (("derby", "K01", "--from", "0001-01-01T00:00+14:00"), 2, "with its offset"),
        (("derby", "K02", "--from", MONDAY, "--on-holiday", "Monday"), 2, "year-month-day"),
        (("nowhere", "K02", "--from", "yesterday"), 2, "with its offset"),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_no_and_unreadable_are_one_line_on_standard_error(
    arguments: tuple[str, ...], status: int, says: str, as_json: tuple[str, ...]
) -> None:
    """Contract section 2: 1 the answer is no, 2 unreadable input; never a traceback, never what was typed."""
    result = run("explain", *arguments, *as_json)
    assert result.exit_code == status
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert "nowhere" not in result.stderr
    assert "yesterday" not in result.stderr


@pytest.mark.parametrize("command", ["explain", "list"])
def test_help_shows_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: gateway rules {command}" in result.stdout


def test_the_list_names_each_pack_with_version_and_review_date() -> None:
    """X-24: a lapsed review warns and hides nothing."""
    result = run("list", "--on", "2026-11-22", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    packs = {row["pack"]: row for row in json.loads(result.stdout)}
    assert len(packs) == 7
    assert packs["southampton"]["version"] == "2026.1"
    assert packs["southampton"]["review_due_on"] == "2022-08-10"
    assert packs["southampton"]["review_overdue"] is True
    assert packs["south-tyneside"]["warnings"] == []
    assert "K15" in packs["south-tyneside"]["clocks"]


def test_the_list_in_words_warns_of_a_lapsed_review() -> None:
    """X-24; with today's date when none is given, which is past 2022."""
    result = run("list")
    assert result.exit_code == 0
    assert "southampton  2026.1  review due 2022-08-10" in result.stdout
    assert "warning: its review was due on 2022-08-10 and is overdue" in result.stdout


@pytest.mark.parametrize(
    ("on", "warned"), [("2027-12-31", False), ("2028-01-01", False), ("2028-01-02", True)]
)
def test_holiday_data_that_ends_within_a_year_is_warned_of(on: str, warned: bool) -> None:
    """Section 11.2: warn when it ends within 12 months (2028 has 366 days)."""
    rows = json.loads(run("list", "--on", on, "--json").stdout)
    assert rows
    assert all(("holiday data ends on 2028-12-31" in " ".join(row["warnings"])) is warned for row in rows)


def test_a_date_that_cannot_be_read_is_wrong_use_for_the_list_too() -> None:
    result = run("list", "--on", "soon")
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_command_imports_nothing_heavy() -> None:
    """It answers at a prompt: no web framework, database or model library is loaded to count days."""
    code = (
        "import sys, gateway.cli.rules;"
        "print([m for m in ('pydantic', 'sqlalchemy', 'fastapi', 'holidays', 'aiohttp') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True
    )
    assert answer.stdout.strip() == "[]"
