"""`gateway mail read` as users and acceptance checks call it. Contract section 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.mail.message_form import FilledMessage, read_message_form
from gateway.cli.mail import app
from tests.adapters.mail.mails import ENROLLED, SERVER, filled, letter_with, mail

KEYS = ["kind", "reference", "verdict", "answers", "suggested", "flags", "reasons"]
QUESTIONS = ["roll_from", "roll_to", "previous_school", "records_held"]


@pytest.fixture
def reply(tmp_path: Path) -> str:
    (tmp_path / "reply.eml").write_bytes(mail(filled()))
    return str(tmp_path / "reply.eml")


def run(*arguments: str, command: str = "read", **environment: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [command, *arguments], env=environment)
    return result.exit_code, result.stdout, result.stderr


def test_the_json_is_the_contracts_and_nothing_else(reply: str) -> None:
    code, out, err = run(reply, "--enrolled", ENROLLED, "--authserv-id", SERVER, "--json")
    document = json.loads(out)
    assert (code, err, list(document), list(document["answers"]), list(document["suggested"])) == (
        0,
        "",
        KEYS,
        QUESTIONS,
        QUESTIONS,
    )
    assert document["answers"] == {
        "roll_from": "2021-09-06", "roll_to": "present", "previous_school": "Valley Primary School", "records_held": False,
    }  # fmt: skip


def test_the_trusted_server_may_come_from_the_environment(reply: str) -> None:
    named = run(reply, "--enrolled", ENROLLED, "--json", GATEWAY_MAIL_AUTHSERV_ID=SERVER)
    unnamed = run(reply, "--enrolled", ENROLLED, "--json")
    assert (json.loads(named[1])["verdict"], json.loads(unnamed[1])["verdict"]) == (
        "complete",
        "needs_review",
    )


def test_without_an_enrolled_address_it_is_never_complete_and_still_done(reply: str) -> None:
    code, out, _ = run(reply, "--authserv-id", SERVER, "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "needs_review")


def test_words_for_people_name_the_reasons(reply: str) -> None:
    code, out, _ = run(reply)
    assert code == 0
    assert "needs_review" in out
    assert "- No address is enrolled" in out


@pytest.mark.parametrize("name", ["missing.eml", "."])
def test_a_file_that_cannot_be_opened_is_wrong_use_in_one_line(tmp_path: Path, name: str) -> None:
    code, out, err = run(str(tmp_path / name), "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_file_that_is_no_mail_is_read_as_unreadable(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"\x00\xff" * 100)
    code, out, _ = run(str(tmp_path / "junk"), "--json")
    assert (code, json.loads(out)["kind"], json.loads(out)["verdict"]) == (0, "unreadable", "needs_review")


def test_our_own_letter_is_known_when_it_comes_back_filled_in(tmp_path: Path) -> None:
    """The installed rule packs' letters are what the command knows; a stranger's letter stays for a person."""
    (tmp_path / "strange.eml").write_bytes(mail(letter_with()))
    _, out, _ = run(str(tmp_path / "strange.eml"), "--enrolled", ENROLLED, "--authserv-id", SERVER, "--json")
    assert json.loads(out)["flags"] == ["additional_information"]
    template = next(
        Path(__file__).resolve().parents[3].glob("gateway/partnerships/south-tyneside/letters/dsl-letter.txt")
    )
    from adapters.mail.letter import dsl_letter_text
    from tests.adapters.mail.test_letter import FACTS

    text = dsl_letter_text(template.read_text("utf-8"), FACTS)
    answered = text.replace("(from and to):", "(from and to): 06/09/2021 to present").replace(
        "applicable):", "applicable): N/A"
    )
    (tmp_path / "ours.eml").write_bytes(mail(answered.replace("Yes / No", "No")))
    _, out, _ = run(str(tmp_path / "ours.eml"), "--enrolled", ENROLLED, "--authserv-id", SERVER, "--json")
    assert json.loads(out)["verdict"] == "complete", out


def test_reading_works_from_any_folder_and_without_our_environment(reply: str, tmp_path: Path) -> None:
    """The child process finds its program though it inherits nothing."""
    program = "from gateway.cli.mail import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", program, "read", reply, "--enrolled", ENROLLED, "--authserv-id", SERVER, "--json"],
        cwd=tmp_path, env={}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["verdict"] == "complete"


def test_a_form_is_written_once_for_a_type_that_is_taken_by_mail_and_for_no_other(tmp_path: Path) -> None:
    out = tmp_path / "form.pdf"
    asked = ("call-log", "--partnership", "south-tyneside", "--out", str(out), "--json")
    status, said, _ = run(*asked, command="form")
    assert (status, json.loads(said)) == (0, {"type": "call-log", "version": 1, "file": str(out)})
    form = read_message_form(out.read_bytes())
    assert isinstance(form, FilledMessage)
    assert form.values["/partnership"] == "south-tyneside"
    assert run("call-log", "--out", str(out), command="form")[0] == 2, "nothing is written over"
    assert run("triage-decision", "--out", str(tmp_path / "other.pdf"), command="form")[0] == 1
    assert run("call-log", "--out", str(tmp_path / "nowhere" / "x.pdf"), command="form")[0] == 2
