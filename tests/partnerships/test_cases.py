"""A partnership's worked examples (`cases.toml`) hold: who receives a message, what is owed, by which instant."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import packs_at_hand
from gateway.core.messages import PartnershipId
from gateway.partnerships import packs
from gateway.settings import PREFIX

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "v1" / "examples"


def cases() -> list[Any]:
    """Every case of every pack, with the pack's name."""
    found = []
    for file in files():
        folder = file.parent
        pack = folder.name if folder.parent == packs.HERE else str(folder)
        for case in tomllib.loads(file.read_text("utf-8"))["case"]:
            found.append(pytest.param(pack, case, id=f"{folder.name}: {case['id']}"))
    return found


def files() -> list[Path]:
    """Those of the shipped packs, and of the invented one beside this file."""
    return sorted([*packs.HERE.glob("*/cases.toml"), *Path(__file__).parent.glob("*/cases.toml")])


def message(case: dict[str, Any]) -> bytes:
    """The published example with the case's changes; an empty text stands for null, which TOML lacks."""
    document = json.loads((EXAMPLES / f"{case['example']}.json").read_text("utf-8"))
    for path, value in case.get("change", {}).items():
        *parents, last = path.split(".")
        inner = document
        for parent in parents:
            inner = inner[parent]
        inner[last] = value if value != "" else None
    return json.dumps(document).encode()


@pytest.mark.parametrize(("pack", "case"), cases())
def test_a_worked_example_holds(
    pack: str, case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no deployment here: a directory is assumed
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    at, released = datetime.fromisoformat(case["at"]), case.get("released", False)
    earlier = {name: datetime.fromisoformat(known) for name, known in case.get("earlier", {}).items()}
    told = packs_at_hand.route(pack, message(case), case["sender"], at, released, earlier)
    assert told["assumed_directory"]
    assert (told["decision"], told["rule"]) == (case["decision"], case["rule"])
    assert [each["role"] for each in told["deliveries"]] == case.get("to", [])
    assert in_short(told["duties"]) == case.get("duties", [])
    assert told["held"] == case.get("held", [])
    follows = told.get("follows", {"outcome": None, "deliveries": [], "duties": []})
    assert follows["outcome"] == case.get("outcome")
    assert [each["role"] for each in follows["deliveries"]] == case.get("then_to", [])
    assert in_short(follows["duties"]) == case.get("then_duties", [])
    assert {name: follows[name] for name in case.get("then", {})} == case.get("then", {})


def in_short(duties: list[dict[str, Any]]) -> list[str]:
    """What is owed, with its task where it has one: "dcs: review-decision dcs-review, V3, None"."""
    return [
        f"{each['role']}: {' '.join(filter(None, (each['expects'], each['task'])))}, "
        f"{each['clock']}, {each['due_at']}"
        for each in duties
    ]


def test_every_route_of_a_pack_with_cases_but_the_plain_ones_has_one() -> None:
    """What sets a clock going is shown by example."""
    for file in files():
        shown = {case["rule"] for case in tomllib.loads(file.read_text("utf-8"))["case"]}
        pack = packs.parse(PartnershipId(file.parent.name), packs.read_files(file.parent))
        assert {route.id for route in pack.routes if route.duties} <= shown
