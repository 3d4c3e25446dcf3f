"""`gateway witness` on a partner's machine: what it makes, what it keeps, and what it refuses with one line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.witness import app
from gateway.ledger.checkpoint import log_key, parse_vkey, witness_key
from keys.signing import FileSigner

LOG = str(log_key("gateway.example", FileSigner.generate("log", "Ed25519")))
NEXT_KEY = str(log_key("gateway.example", FileSigner.generate("log-2", "Ed25519")))
WITNESS = str(witness_key("w.example", FileSigner.generate("w", "Ed25519")))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def init(folder: Path, *logs: str, name: str = "witness.police.example") -> Result:
    named = [word for log in logs for word in ("--log", log)]
    return run("init", "--dir", str(folder), "--name", name, *named, "--json")


def test_a_witness_has_a_key_of_its_own_that_nobody_else_can_read(tmp_path: Path) -> None:
    told = json.loads(init(tmp_path / "witness", LOG).stdout)
    key = parse_vkey(told["vkey"])
    assert (key.name, key.kind) == ("witness.police.example", 4)
    assert told["logs"] == [{"origin": "gateway.example", "size": None, "root": None}]
    assert stat.S_IMODE((tmp_path / "witness" / "witness.pem").stat().st_mode) == 0o600
    assert json.loads(run("show", "--dir", str(tmp_path / "witness"), "--json").stdout) == told


def test_a_repeat_keeps_the_key_and_takes_the_logs_that_are_named_now(tmp_path: Path) -> None:
    first, second = (json.loads(init(tmp_path, *logs).stdout) for logs in ((LOG,), (LOG, NEXT_KEY)))
    assert first["vkey"] == second["vkey"]
    assert {log["origin"] for log in second["logs"]} == {"gateway.example"}


def test_one_key_never_signs_under_two_names(tmp_path: Path) -> None:
    init(tmp_path, LOG)
    assert init(tmp_path, LOG, name="other.example").exit_code == 2


@pytest.mark.parametrize("log", ["", "nonsense", WITNESS], ids=["none", "nonsense", "a witness's"])
def test_a_log_is_named_by_a_log_s_key(tmp_path: Path, log: str) -> None:
    refused = init(tmp_path / "w", log)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("words", [("show",), ("serve",)])
def test_where_there_is_no_witness_one_line_says_how_to_make_one(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    refused = run(*words, "--dir", str(tmp_path / "nothing"))
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "gateway witness init" in refused.stderr


@pytest.mark.parametrize(
    "more", [("--listen", "8460"), ("--listen", "127.0.0.1:x"), ("--tls-cert", "cert.pem")]
)
def test_a_listener_that_is_none_is_refused(tmp_path: Path, more: tuple[str, ...]) -> None:
    init(tmp_path, LOG)
    assert run("serve", "--dir", str(tmp_path), *more).exit_code == 2
