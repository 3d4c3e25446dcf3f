"""The demonstration as anyone runs it first: `gateway demo --once`, and what it leaves can be checked without the gateway."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import verify
from tests.servers import free_port

LEAVES = ("evidence.zip", "evidence-erased.zip", "policy.json")
TIME_LIMIT_SECONDS = 180


@dataclass(frozen=True)
class Played:
    """One run of the demonstration."""

    folder: Path
    status: int
    out: str
    err: str

    @property
    def steps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.out)
        return found


def demonstrate(folder: Path, *words: str) -> Played:
    """A process of its own, in an empty directory, with none of this machine's settings."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--json", "--folder", str(folder), *words],
        cwd=elsewhere,
        env={name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
    )
    return Played(folder, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Played in a folder where something lies from an earlier run that was cut off."""
    folder = tmp_path_factory.mktemp("demonstration") / "demo"
    (folder / "run-20260101T000000").mkdir(parents=True)
    (folder / "run-20260101T000000" / "gateway.sqlite3").write_bytes(b"half a database")
    for name in LEAVES:
        (folder / name).write_bytes(b"from an earlier run")
    return demonstrate(folder, "--once")


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
def test_every_step_is_as_it_should_be(played: Played) -> None:
    assert [step["step"] for step in played.steps if not step["ok"]] == []
    assert played.status == 0, played.err
    assert len(played.steps) > 20
    assert len([step for step in played.steps if step["receipt"]]) >= 10


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
def test_it_leaves_its_evidence_and_nothing_of_earlier_runs(played: Played) -> None:
    left = sorted(path.name for path in played.folder.iterdir())
    assert [name for name in left if not name.startswith("run-")] == sorted(LEAVES)
    runs = [name for name in left if name.startswith("run-")]
    assert len(runs) == 1
    assert runs != ["run-20260101T000000"]


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
@pytest.mark.parametrize(
    ("name", "content"), [("evidence.zip", "matches"), ("evidence-erased.zip", "erased")]
)
def test_the_bundles_own_verifier_finds_it_valid_without_the_gateway(
    played: Played, tmp_path: Path, name: str, content: str
) -> None:
    status, found = verified_by_itself(played.folder / name, played.folder / "policy.json", tmp_path)
    assert (status, found["verdict"], found["content"]) == (0, "VALID", content)
    assert found["receipts"] > 50


@pytest.mark.timeout(TIME_LIMIT_SECONDS)
@pytest.mark.parametrize("name", ["evidence.zip", "evidence-erased.zip"])
def test_one_changed_byte_is_noticed(played: Played, tmp_path: Path, name: str) -> None:
    """In the first receipt by the bundle's own verifier; at a hundred other places by the same code in this process."""
    whole = (played.folder / name).read_bytes()
    with zipfile.ZipFile(played.folder / name) as opened:
        receipt = opened.read("receipts/0001.jws")
    changed = tmp_path / "changed.zip"
    changed.write_bytes(with_a_changed_byte(whole, whole.index(receipt) + len(receipt) // 2))
    status, found = verified_by_itself(
        changed, played.folder / "policy.json", tmp_path, program_of=played.folder / name
    )
    assert (status, found["verdict"]) == (1, "INVALID")
    policy = verify.load_policy((played.folder / "policy.json").read_bytes())
    for place in random.Random(2026).sample(content_places(played.folder / name), 100):
        assert verdict(with_a_changed_byte(whole, place), policy) == "INVALID", (
            f"byte {place} of {len(whole)}"
        )


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with taken_port() as port:
        refused = demonstrate(tmp_path / "demo", "--port", str(port))
    assert refused.status == 2
    assert refused.out == ""
    said = [line for line in refused.err.splitlines() if not line.startswith("{")]
    assert len(said) == 1, refused.err
    assert "--port" in said[0]


@pytest.mark.long
@pytest.mark.timeout(2 * TIME_LIMIT_SECONDS)
def test_it_plays_again_in_the_same_folder(played: Played) -> None:
    again = demonstrate(played.folder, "--once")
    assert again.status == 0, again.err
    assert len(again.steps) == len(played.steps)


def verified_by_itself(
    bundle: Path, policy: Path, empty: Path, program_of: Path | None = None
) -> tuple[int, dict[str, Any]]:
    """What the verifier inside a bundle says, run alone: isolated Python, a directory that holds nothing else of ours."""
    with zipfile.ZipFile(program_of or bundle) as opened:
        program = Path(opened.extract("verify.py", empty))
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(bundle), "--policy", str(policy), "--json"],
        cwd=empty,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def content_places(bundle: Path) -> list[int]:
    """Where the bytes of the bundle's files lie; what is between them is the zip's own."""
    with zipfile.ZipFile(bundle) as opened:
        begins = [
            (file.header_offset + 30 + len(file.filename.encode()), file.file_size)
            for file in opened.infolist()
        ]
    return [place for start, size in begins for place in range(start, start + size)]


def verdict(bundle: bytes, policy: verify.Policy) -> str:
    return verify.verify_bundle(bundle, policy).verdict


def with_a_changed_byte(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :]


@contextmanager
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port
