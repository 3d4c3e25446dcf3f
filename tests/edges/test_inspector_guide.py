"""The inspector's guide is true: its commands run in its order, with the gateway's own command and without it."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.receipts import Event
from gateway.store import log
from tests.command_line import attempt, gateway
from tests.edges.test_guides import blocks
from tests.gateway_house import House, RealTime, gateway_house

UNIT = "south-tyneside-sbu"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "house").mkdir()
    async with gateway_house(tmp_path / "house", clock=RealTime()) as running:
        yield running


async def test_the_inspectors_guide_is_followed_line_by_line(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_for = await _staged(house, tmp_path)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for kind, text in blocks("inspector.md"):
        for line in text.splitlines() if kind in ("console", "sh") else ():
            for word, value in stands_for.items():
                line = line.replace(word, value)
            said = await (_by_gateway(house, line) if kind == "console" else _alone(line, tmp_path))
            assert "INVALID" not in said, (line, said)
            assert ("evidence verify" not in line and "verify.py" not in line) or said.startswith("VALID"), (
                said
            )
            ran += 1
    assert ran == 13
    verdict = await gateway(house, "evidence", "verify", "evidence.zip", "--policy", "policy.json")
    assert verdict["reason"].endswith("; peers: 1 signed by keys that the policy names")
    with zipfile.ZipFile("part.zip") as part:
        assert [name for name in part.namelist() if name.endswith(".disclosures")] != []
        assert "Winifred" not in "".join(part.read(name).decode("latin-1") for name in part.namelist())


async def _staged(house: House, folder: Path) -> dict[str, str]:
    """A referral that a person acknowledged under their agency's signature, and a checkpoint that somebody kept."""
    async with house.client("northshire-police") as police:
        referral = await police.submit(house.example("referral", reference="NP-1"))
        await police.proof(referral["receipt"]["id"], wait_seconds=10)
    kept = await house.parts.store.read(log.latest_checkpoint)
    assert kept is not None
    (folder / "witness.note").write_text(kept.note)
    async with house.client(UNIT) as unit:
        (delivery,) = [one["id"] for one in await unit.inbox() if one["message"] == referral["id"]]
        await unit.fetch(delivery)
        said = await unit.acknowledge(delivery, "person", "sbu", "Winifred Stave")
    instant = house.clock().isoformat().replace("+00:00", "Z")
    names = {"INCIDENT": referral["incident"], "RECEIPT": said["receipt"]["id"], "REF": referral["id"]}
    return names | {"INSTANT": instant, "SIZE": str(kept.size)}


async def _by_gateway(house: House, line: str) -> str:
    status, out, err = await attempt(house, *shlex.split(line)[1:])
    assert status == 0, (line, err)
    return out


async def _alone(line: str, folder: Path) -> str:
    if line.startswith("python verify.py"):
        with zipfile.ZipFile(folder / "evidence.zip") as bundle:
            bundle.extract("verify.py", folder)
    command = line.replace("python ", f"{shlex.quote(sys.executable)} ")
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", command], cwd=folder, capture_output=True, text=True, env={}
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


async def test_every_kind_of_receipt_is_explained_by_the_command(house: House) -> None:
    told = await gateway(house, "evidence", "events")
    assert {one["event"]: one["shows"] for one in told} == {event.text: event.meaning for event in Event}
    _, out, _ = await attempt(house, "evidence", "events")
    assert f"Relay to ordinary mail\n    {Event.RELAY_TO_NON_ERDS.meaning}" in out
    assert json.dumps(told).isascii()
