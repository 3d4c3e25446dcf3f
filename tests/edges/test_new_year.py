"""One log a year: an incident over New Year is proved under both logs, and the old one stays served, whole and closed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.core.messages import AgencyId
from gateway.dispatch.timetable import fill_up, seal_waiting
from gateway.ledger import verify
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients, log
from keys.signing import FileSigner
from tests.actions.scene import UNIT, refer
from tests.command_line import attempt, gateway
from tests.edges.at_the_door import Raw
from tests.edges.console_person import signed_in
from tests.gateway_house import House, gateway_house

OLD, NEW = "gateway.example/ledger/2026", "gateway.example/ledger/2027"
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An incident of November, sealed; its export in January stands in the new year's log."""
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def test_an_incident_over_new_year_is_proved_under_both_logs(house: House) -> None:
    answer = await refer(house)
    await seal_waiting(house.parts)
    house.clock.move_to(NEW_YEAR)
    assert await seal_waiting(house.parts) == 0, "no log begins before there is something to seal"
    await fill_up(house.parts, OLD, 1_000_000)
    begun = await house.parts.store.read(log.latest_checkpoint)
    assert begun is not None
    assert (begun.log, begun.size) == (NEW, 1), "what was to be filled up is the old log, which is over"
    await fill_up(house.parts, NEW, 4)
    await refer(house, reference="NP-2")
    size = await seal_waiting(house.parts)
    closed = await house.parts.store.read(lambda tx: log.latest_checkpoint(tx, OLD))
    first = await house.parts.store.read(lambda tx: log.first_leaf(tx, NEW))
    assert closed is not None
    assert first is not None
    stated = json.loads(first.statement)
    assert (stated["event"], stated["reason"], stated["ref"]) == (verify.LINK, "follows-2026", "log-2027")
    assert stated["after"] == {"root": closed.root.hex(), "size": closed.size}
    await _old_log_stays_served(house, closed, size)
    await _bundle_is_valid(house, str(answer["incident"]), closed.size)
    await _whole_log_shows_what_is_not_stated(house, str(answer["id"]))
    assert await house.parts.store.read(lambda tx: log.latest_checkpoint(tx, OLD)) == closed


async def _old_log_stays_served(house: House, closed: log.CheckpointRow, size: int) -> None:
    key = FileSigner.generate("witness-1", "ES256")
    jwks, at = check_jwks({"keys": [key.public_jwk()]}), house.clock()
    await house.parts.store.transact(
        lambda tx: clients.add(tx, "witness", AgencyId(UNIT), jwks, ("log.read",), at)
    )
    async with Raw(house, "witness", key) as raw:
        old = await raw.call("GET", "/v1/log/2026/checkpoint", headers=())
        assert old.body.decode() == closed.note
        tile = await raw.call("GET", f"/v1/log/2026/tile/0/000.p/{closed.size}", headers=())
        assert len(tile.body) == 32 * closed.size
        for path in ("/v1/log/checkpoint", "/v1/log/2027/checkpoint"):
            new = await raw.call("GET", path, headers=())
            assert new.body.decode().split("\n")[:2] == [NEW, str(size)]
        for path in ("/v1/log/2025/checkpoint", "/v1/log/2028/tile/0/000"):
            assert (await raw.call("GET", path, headers=())).status == 404


async def _bundle_is_valid(house: House, incident: str, closed: int) -> None:
    bundle, policy = house.folder / "evidence.zip", house.folder / "policy.json"
    asked = ("evidence", "export", incident, "--out", str(bundle), "--officer", "W. Stave")
    await gateway(house, *asked, "--pinned", f"2026/{closed}")
    await gateway(house, "evidence", "policy", "--out", str(policy))
    found = await gateway(house, "evidence", "verify", str(bundle), "--policy", str(policy))
    assert (found["verdict"], found["content"]) == ("VALID", "matches")
    async with signed_in(house) as officer:
        taken = verify.load_policy((await officer.get("/console/policy.json")).text.encode())
    assert {key.name for key in taken.logs} >= {OLD, NEW}, "the page's policy checks the old year too"
    names = set(zipfile.ZipFile(bundle).namelist())
    assert {"links/2027.jws", "links/2027.proof", f"checkpoints/2026_{closed}.note"} <= names


async def _whole_log_shows_what_is_not_stated(house: House, ref: str) -> None:
    """What was sent in November and never acknowledged, over both logs; spoiled, neither says anything."""
    folder, policy = house.folder / "log", str(house.folder / "policy.json")
    officers = ("--officer", "W. Stave", "--second-officer", "C. Reed")
    await gateway(house, "evidence", "log", "--out", str(folder), *officers)
    asked = ("evidence", "absence", str(folder), "--ref", ref, "--event", "ConsignmentAcceptance")
    asked += ("--before", "2027-01-01T00:00:00Z", "--policy", policy)
    assert (await gateway(house, *asked))["absent"] is True
    leaves = folder / "earlier" / "2026" / "leaves.jsonl"
    leaves.write_bytes(leaves.read_bytes() + b'{"added":"later"}\n')
    status, out, _ = await attempt(house, *asked, "--json")
    assert (status, json.loads(out)["reason"]) == (
        1,
        "a log does not begin at the last state of the one before it",
    )
