"""The log is judged by an implementation that is not ours: Go's `golang.org/x/mod/sumdb`, the reference of signed notes and tiles."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import tree
from gateway.ledger.checkpoint import cosignature, log_key, sign_checkpoint
from tests.ledger.scene import LOG, ORIGIN, OTHER_LOG, START, WITNESSES
from tests.ledger.test_tree import Kept, kept

pytestmark = pytest.mark.needs("go")

GO_LIBRARIES = Path("/usr/share/gocode")  # where Debian's golang-golang-x-mod-dev lies
SIZES = (1, 2, 3, 7, 8, 255, 256)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled from Debian's packages alone: nothing is downloaded."""
    if not (GO_LIBRARIES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("NOT RUN: golang-golang-x-mod-dev is not installed")
    folder = tmp_path_factory.mktemp("go")
    settings = {"GO111MODULE": "off", "GOPATH": str(GO_LIBRARIES), "GOCACHE": str(folder), "GOFLAGS": ""}
    source = Path(__file__).with_name("judge.go")
    program = folder / "judge"
    subprocess.run(
        [shutil.which("go") or "go", "build", "-o", str(program), str(source)],
        env=os.environ | settings,
        cwd=folder,
        check=True,
        timeout=100,
    )
    return program


def judged(judge: Path, questions: Iterable[dict[str, Any]]) -> list[str]:
    asked = "".join(json.dumps(one) + "\n" for one in questions)
    done = subprocess.run([str(judge)], input=asked, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def flipped(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]


def note(size: int = 9, root: bytes = b"r" * 32) -> str:
    return sign_checkpoint(LOG, ORIGIN, size, root)


def inclusion(grown: Kept, index: int, size: int) -> dict[str, Any]:
    return {
        "Kind": "inclusion",
        "Size": size,
        "Index": index,
        "Leaf": b64(b"leaf %d" % index),
        "Root": b64(tree.root_hash(grown, size)),
        "Proof": [b64(one) for one in tree.inclusion_proof(grown, index, size)],
    }


def consistency(grown: Kept, size1: int, size: int) -> dict[str, Any]:
    return {
        "Kind": "consistency",
        "Size1": size1,
        "Size": size,
        "Root1": b64(tree.root_hash(grown, size1)),
        "Root": b64(tree.root_hash(grown, size)),
        "Proof": [b64(one) for one in tree.consistency_proof(grown, size1, size)],
    }


def test_go_takes_our_checkpoints_with_witnesses_and_without(judge: Path) -> None:
    """A cosignature is of a kind that Go's library does not know: it must let it stand and find the log's own line."""
    key = str(log_key(ORIGIN, LOG))
    signed = note()
    lines = [cosignature(signer, name, signed, START) for name, signer in WITNESSES.items()]
    questions = [{"Kind": "note", "Key": key, "Note": one} for one in (signed, signed + "".join(lines))]
    assert judged(judge, questions) == ["ok", "ok"]


def test_go_refuses_a_checkpoint_that_was_changed_or_signed_by_another(judge: Path) -> None:
    key, other = str(log_key(ORIGIN, LOG)), str(log_key(ORIGIN, OTHER_LOG))
    signed = note()
    larger = signed.replace("\n9\n", "\n10\n")
    assert larger != signed
    asked = [(key, larger), (other, signed), (key, signed.rstrip("\n"))]
    answers = judged(judge, [{"Kind": "note", "Key": one, "Note": text} for one, text in asked])
    assert len(answers) == len(asked)
    assert all(answer.startswith("no: ") for answer in answers)


def test_go_takes_every_proof_that_a_leaf_is_in_a_tree_and_refuses_any_other(judge: Path) -> None:
    grown = kept(300)
    sound = [inclusion(grown, index, size) for size in (*SIZES, 300) for index in {0, size // 2, size - 1}]
    assert judged(judge, sound) == ["ok"] * len(sound)
    one = inclusion(grown, 130, 300)
    spoiled = [
        one | {"Index": 131},
        one | {"Leaf": b64(b"leaf 131")},
        one | {"Size": 200},
        one | {"Root": b64(flipped(tree.root_hash(grown, 300)))},
        one | {"Proof": one["Proof"][:-1]},
        one | {"Proof": [*one["Proof"], one["Proof"][0]]},
    ]
    assert all(answer.startswith("no: ") for answer in judged(judge, spoiled))


def test_go_takes_every_proof_that_a_tree_goes_on_from_an_earlier_one_and_refuses_any_other(
    judge: Path,
) -> None:
    grown = kept(300)
    sound = [consistency(grown, size1, 300) for size1 in (*SIZES, 299)]
    assert judged(judge, sound) == ["ok"] * len(sound)
    one = consistency(grown, 255, 300)
    spoiled = [
        one | {"Root1": one["Root"]},
        one | {"Size1": 254},
        one | {"Proof": one["Proof"][1:]},
        one | {"Root": b64(flipped(tree.root_hash(grown, 300)))},
    ]
    assert all(answer.startswith("no: ") for answer in judged(judge, spoiled))


def test_go_finds_our_root_in_our_tile(judge: Path) -> None:
    def tile(count: int) -> dict[str, Any]:
        grown = kept(count)
        return {
            "Kind": "tile",
            "Size": count,
            "Width": count,
            "Tile": b64(grown(0, 0)),
            "Root": b64(tree.root_hash(grown, count)),
        }

    assert judged(judge, map(tile, SIZES[:-1])) == ["ok"] * len(SIZES[:-1])
    spoiled = tile(200)
    assert judged(judge, [spoiled | {"Root": tile(199)["Root"]}])[0].startswith("no: ")
