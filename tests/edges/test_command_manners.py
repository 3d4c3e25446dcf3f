"""What every command keeps to, whatever goes wrong: exit status, one line on standard error, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.__main__ import main
from gateway.cli.groups import application
from gateway.core.errors import Misconfigured
from gateway.demo.run import Demonstration, perform
from gateway.settings import PREFIX
from gateway.store.serving_lock import is_held, serving_lock

Run = Callable[..., tuple[int, str, str]]
DATABASES = ("gateway.sqlite3", "gateway-custody.sqlite3")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty directory, with no setting in the environment and nothing on standard input."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gateway", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def deployed(run: Run) -> Run:
    assert run("init")[0] == run("migrate")[0] == 0
    return run


def test_a_command_without_any_settings_says_how_to_begin(run: Run, tmp_path: Path) -> None:
    status, out, err = run("held", "list")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert "run `gateway init`" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("held", "list"), ("held", "show", "hld-0", "--officer", "W. Stave")])
def test_standard_error_holds_nothing_but_the_one_line_of_the_answer(
    deployed: Run, words: tuple[str, ...]
) -> None:
    """Development keys shout where something serves or works with them, and in `doctor`, not in every answer."""
    status, _, err = deployed(*words)
    assert err == ("" if status == 0 else "gateway: There is no hold of this id.\n")


@pytest.mark.parametrize("missing", DATABASES)
def test_a_database_that_is_gone_is_named_and_no_empty_one_is_made_in_its_place(
    deployed: Run, missing: str
) -> None:
    Path("var", missing).unlink()
    status, out, err = deployed("held", "list", "--json")
    assert (status, out) == (2, "")
    assert err.endswith("database is not there: run `gateway migrate`, or load a back-up\n")
    assert not Path("var", missing).exists()


def test_a_database_without_tables_is_to_be_migrated(deployed: Run) -> None:
    for name in DATABASES:
        Path("var", name).write_bytes(b"")
    assert deployed("held", "list") == (
        2,
        "",
        "gateway: the book database is not up to date: run `gateway migrate`\n",
    )


def test_a_file_that_is_no_database_is_one_line(deployed: Run) -> None:
    Path("var", "gateway.sqlite3").write_bytes(b"no database at all" * 100)
    status, out, err = deployed("held", "list")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the book database cannot be reached" in err


def test_nobody_else_may_put_keys_into_the_folder_whatever_the_umask_is(run: Run) -> None:
    before = os.umask(0)
    try:
        run("init")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("var").stat().st_mode) == 0o700


def test_wrong_use_says_where_help_is(run: Run) -> None:
    assert run("nosuch") == (2, "", "gateway: No such command 'nosuch': see `gateway --help`\n")
    assert run("held", "show") == (
        2,
        "",
        "gateway: Missing argument 'HOLD': see `gateway held show --help`\n",
    )
    status, out, err = run("rules")
    assert (status, out) == (2, "")
    assert err == (
        "gateway: say which command: explain, list, check, route, replay, activate: see `gateway rules --help`\n"
    )


def test_an_answer_that_cannot_be_written_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status, _, err = run("rules", "list")
    # What is left of it goes nowhere when the file is closed: a second fault would be Python's, with words of its own.
    assert (status, err) == (2, "gateway: a file, or standard output: No space left on device\n")


def test_a_question_that_nobody_answers_is_wrong_use(deployed: Run) -> None:
    status, _, err = deployed("incidents", "search", "--officer", "W. Stave", "--reason", "duplicate-check")
    assert status == 2
    assert "standard input ended before the question was answered" in err


def test_who_is_looked_for_is_a_file_or_standard_input_and_never_an_argument(deployed: Run) -> None:
    for child in ("9990000018", "-", "absent.json"):
        status, out, err = deployed("subject-access", child, "--out", "answer", "--officer", "W. Stave")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "name a file that says who" in err
        assert "9990000018" not in err


def test_a_fault_of_the_gateways_own_shows_its_place_and_no_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ExceptionGroup("several", [KeyError("Elowen Testington")])

    monkeypatch.setattr("gateway.cli.rules.holidays_here", broken)
    status, out, err = run("rules", "list")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "KeyError in test_command_manners.py:" in err
    assert "Elowen" not in err


def test_several_partnerships_are_named_and_so_is_the_lack_of_one(deployed: Run) -> None:
    assert "`gateway rules activate PACK`" in deployed("directory", "list")[2]
    officers = ("--officer", "W. Stave", "--second-officer", "C. Reed")
    for pack in ("derby", "south-tyneside"):
        assert deployed("rules", "activate", pack, *officers)[0] == 0
    assert deployed("report", "timeliness") == (
        2,
        "",
        "gateway: say which with --partnership: derby, south-tyneside\n",
    )


def test_a_clock_is_explained_from_a_folder_too(run: Run) -> None:
    """A partnership that writes its pack sees its own dates before anybody puts it in force."""
    shipped = Path(__file__).parents[2] / "gateway" / "partnerships" / "derby"
    own = Path("near-here")
    own.mkdir()
    text = (shipped / "rules.toml").read_text("utf-8").replace('name = "derby"', 'name = "near-here"', 1)
    (own / "rules.toml").write_text(text, "utf-8")
    (own / "calendar.toml").write_bytes((shipped / "calendar.toml").read_bytes())
    words = ("K02", "--from", "2026-11-27T17:30+00:00", "--json")
    told = [json.loads(run("rules", "explain", pack, *words)[1]) for pack in ("derby", "./near-here")]
    assert told[1] == told[0] | {"pack": "near-here"}
    (own / "calendar.toml").unlink()
    assert run("rules", "explain", "./near-here", *words)[0] == 2
    assert run("rules", "explain", "./nowhere", *words)[0] == 1


def test_every_command_answers_with_json_and_shows_an_example() -> None:
    """Contract section 2: also those that go on until they are stopped, which say first where they are."""
    commands = dict(_commands(typer.main.get_command(application([])), "gateway"))
    assert len(commands) > 100
    for name, command in commands.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, name
        assert f"Example: {name}" in f"{command.help} {command.epilog}", name


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, one in below.items():
        yield from _commands(one, f"{name} {word}")


def test_a_message_that_does_not_meet_its_schema_is_told_where(run: Run) -> None:
    example = Path(__file__).parents[2] / "schemas" / "v1" / "examples" / "referral.json"
    Path("message.json").write_text(json.dumps(json.loads(example.read_text("utf-8")) | {"version": 9}))
    status, out, err = run("rules", "route", "south-tyneside", "message.json", "--json")
    assert (status, out) == (1, "")
    assert err.endswith(": /version unknown-version\n")


# --- the demonstration's folder -----------------------------------------------------------------------------------------


async def test_a_demonstration_that_cannot_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder would be")
    asked = Demonstration(tmp_path / "var" / "demo", True, 8443, lambda step: None, lambda words: None)
    with pytest.raises(Misconfigured, match="name another with --folder"):
        await perform(asked)


def test_a_lock_tells_whether_somebody_holds_it(tmp_path: Path) -> None:
    """A demonstration removes older runs, and never one that is still up."""
    lock = tmp_path / "serving.lock"
    assert not is_held(lock)
    assert not lock.exists()
    with serving_lock(lock):
        assert is_held(lock)
    assert not is_held(lock)
