"""`gateway init`, `migrate` and `doctor`: what an operator does first, from nothing to a sound deployment."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.dates_at_hand import Dates
from gateway.cli.operator import about_holidays, app
from gateway.partnerships.calendars import shipped_holidays
from gateway.settings import PREFIX, Settings

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty directory, with no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, words)


def test_from_nothing_to_sound_in_three_commands(run: Run) -> None:
    assert run("doctor").exit_code == 1
    assert run("init").exit_code == 0
    assert run("migrate").exit_code == 0
    assert run("doctor").exit_code == 0


@pytest.mark.parametrize(
    ("until", "uncounted", "is_sound", "says"),
    [
        (date(2028, 1, 5), 0, True, ""),
        (date(2027, 1, 4), 0, True, "warning: holiday data ends on 2027-01-04: upload a newer file"),
        (date(2027, 1, 4), 3, False, "duties that have no date until then: 3"),
        (date(2026, 12, 31), 0, False, "gateway calendar upload"),
    ],
)
def test_edge_case_14_holiday_data_that_ends_is_warned_of_a_year_ahead_and_is_a_fault_once_it_has(
    until: date, uncounted: int, is_sound: bool, says: str
) -> None:
    listed = replace(shipped_holidays(), covers_until=until)
    found = about_holidays(Dates({}, (), listed, uncounted, ()), date(2027, 1, 4))
    assert found.ok is is_sound
    assert says in found.advice


def test_doctor_answers_one_json_document_with_checks_and_every_setting(run: Run) -> None:
    run("init")
    result = run("doctor", "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 1, "not migrated yet"
    assert all({"check", "ok", "advice"} <= row.keys() for row in rows)
    wrong = {row["check"]: row["advice"] for row in rows if not row["ok"]}
    assert set(wrong) == {"the book database is up to date", "the custody database is up to date"}
    assert all("gateway migrate" in advice for advice in wrong.values())
    listed = {row["check"]: row["origin"] for row in rows if "origin" in row}
    assert set(listed) == {PREFIX + name.upper() for name in Settings.model_fields} | {
        "GATEWAY_SETTINGS_FILE"
    }
    assert listed["GATEWAY_MODE"] == "file"


def test_doctor_says_last_what_is_to_mend_and_names_a_file_that_is_not_there(run: Run) -> None:
    """Whoever looks at night sees the last lines of a terminal, and not a hundred defaults."""
    run("init")
    run("migrate")
    with Path("var/gateway.toml").open("a") as settings:
        settings.write('\nsmtp_password_file = "etc/smtp-password"\n')
    result = run("doctor")
    lines = result.stdout.strip().splitlines()
    assert result.exit_code == 1
    assert lines[-1].startswith("To mend: 1. Warnings: ")
    assert lines[-3].startswith("MEND  every file that a setting names is there")
    assert "GATEWAY_SMTP_PASSWORD_FILE (etc/smtp-password)" in lines[-3]
    assert not any(line.startswith("GATEWAY_DRAIN_SECONDS") for line in lines), "a default"
    assert any(line.startswith("GATEWAY_SMTP_PASSWORD_FILE=etc/smtp-password") for line in lines)
    assert run("migrate").exit_code == 0, "no other command minds"


def test_looking_makes_nothing(run: Run) -> None:
    run("doctor")
    assert list(Path().iterdir()) == []


def test_init_keeps_what_is_there(run: Run) -> None:
    first = told(run("init", "--json"))
    Path("var/gateway.toml").write_text('mode = "development"\nissuer = "mine.test"\n')
    kept = {path: path.read_bytes() for path in Path("var").rglob("*") if path.is_file()}
    second = told(run("init", "--json"))
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert kept == {path: path.read_bytes() for path in Path("var").rglob("*") if path.is_file()}


def test_init_writes_every_setting_with_its_default_and_a_file_that_stays_readable(run: Run) -> None:
    run("init")
    text = Path("var/gateway.toml").read_text()
    assert stat.S_IMODE(Path("var/gateway.toml").stat().st_mode) == 0o600
    assert tomllib.loads(text) == {"mode": "development"}
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    defaults = tomllib.loads("\n".join(lines))
    assert Settings(**defaults | {"mode": "production"}) == Settings(mode="production")
    assert all(f"{name} =" in text for name in Settings.model_fields)


def test_keys_are_private_and_made_for_the_mode(run: Run) -> None:
    run("init")
    assert stat.S_IMODE(Path("var/keys").stat().st_mode) == 0o700
    assert all(key.stem.startswith("development-") for key in Path("var/keys").rglob("*.pem"))
    Path("var").rename("development")
    assert told(run("init", "--production", "--json"))["mode"] == "production"
    made = list(Path("var/keys").rglob("*.pem"))
    assert made
    assert not [key for key in made if key.stem.startswith("development-")]


def test_the_settings_file_and_directories_named_in_the_environment_are_used(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SETTINGS_FILE", str(tmp_path / "etc/gateway.toml"))
    monkeypatch.setenv("GATEWAY_KEYS_DIR", str(tmp_path / "custody"))
    monkeypatch.setenv("GATEWAY_VAR_DIR", str(tmp_path / "data"))
    for command in ("init", "migrate", "doctor"):
        assert run(command).exit_code == 0
    assert (tmp_path / "etc/gateway.toml").is_file()
    assert (tmp_path / "custody/master.key").is_file()
    assert (tmp_path / "data/gateway.sqlite3").is_file()
    assert not (tmp_path / "var").exists()


def test_migrating_again_changes_nothing(run: Run) -> None:
    run("init")
    first, second = told(run("migrate", "--json")), told(run("migrate", "--json"))
    assert (
        first
        == second
        == [
            {"database": "book", "is_current": True},
            {"database": "custody", "is_current": True},
        ]
    )


def test_migrate_and_doctor_work_on_postgresql(
    run: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    monkeypatch.setenv("GATEWAY_DATABASE_URL", postgres_url)
    monkeypatch.setenv("GATEWAY_CUSTODY_URL", "sqlite:///var/custody.sqlite3")
    assert run("migrate").exit_code == 0
    assert run("doctor").exit_code == 0


def test_development_keys_in_production_are_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    monkeypatch.setenv("GATEWAY_MODE", "production")
    wrong = [row["check"] for row in json.loads(run("doctor", "--json").stdout) if not row["ok"]]
    assert "no development keys" in wrong
    assert "the key ring opens" in wrong


@pytest.mark.parametrize("command", ["init", "migrate", "doctor"])
def test_a_bad_setting_is_one_line_and_exit_2(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_LEASE_SECONDS", "hunter2")
    result = run(command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "GATEWAY_LEASE_SECONDS" in result.stderr
    assert "hunter2" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    ["postgresql://gateway:hunter2@127.0.0.1:1/book", "sqlite:////nowhere/at/all/book.sqlite3", "mysql://db"],
)
def test_a_database_that_cannot_be_reached_is_one_line_and_exit_2(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    result = run("migrate")
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.stderr
    assert run("doctor").exit_code == 1


def test_an_unknown_setting_in_the_environment_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ISUER", "slip.test")
    wrong = [row for row in json.loads(run("doctor", "--json").stdout) if not row["ok"]]
    assert "GATEWAY_ISUER" in wrong[0]["advice"]


@pytest.mark.parametrize("command", ["init", "migrate", "doctor"])
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: gateway {command}" in result.stdout


def test_an_unknown_option_is_wrong_use(run: Run) -> None:
    assert run("doctor", "--loudly").exit_code == 2


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_production_without_a_scanner_is_told_that_it_takes_no_attachment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    monkeypatch.setenv("GATEWAY_MODE", "production")
    for url, advised in (("", True), ("unix:/run/clamav/clamd.ctl", False)):
        monkeypatch.setenv("GATEWAY_SCANNER_URL", url)
        rows = json.loads(run("doctor", "--json").stdout)
        (said,) = [row for row in rows if row["check"] == "attachments are scanned"]
        assert (said["ok"], "no attachment is taken" in said["advice"]) == (True, advised)
