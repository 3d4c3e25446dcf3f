"""Messages, receipts and proofs: each agency reads its own, and what is another's looks like nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.agency.client import AgencyProblem
from gateway.agency.receiving import check_receipt
from gateway.api import receipts
from gateway.core.messages import AgencyId
from gateway.dispatch.timetable import seal_waiting
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients
from keys.signing import FileSigner
from tests.actions.scene import ICB, POLICE, UNIT, refer
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, gateway_house

NOTHING = (404, "not-found")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def test_a_receipt_is_a_promise_until_it_is_sealed_and_then_has_a_proof(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "SEALED_WITHIN_SECONDS", 0)
    answer = await refer(house)
    receipt = answer["receipt"]["id"]
    async with Raw(house, POLICE) as police:
        before = (await police.call("GET", f"/v1/receipts/{receipt}", headers=())).document
        early = await police.call("GET", f"/v1/receipts/{receipt}/proof", headers=())
        await seal_waiting(house.parts)
        after = (await police.call("GET", f"/v1/receipts/{receipt}", headers=())).document
        proof = await police.call("GET", f"/v1/receipts/{receipt}/proof", headers=())
    assert (before["sealed"], after["sealed"]) == (False, True)
    assert before["jws"] == after["jws"] == answer["receipt"]["jws"]
    assert (early.status, early.code) == NOTHING
    assert early.headers["Retry-After"] == "1"
    assert proof.body.startswith(b"c2sp.org/tlog-proof@v1\n")


async def test_who_asks_for_a_proof_before_the_seal_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "SEALED_WITHIN_SECONDS", 30)
    answer = await refer(house)
    async with Raw(house, POLICE) as police:
        path = f"/v1/receipts/{answer['receipt']['id']}/proof"
        asked = asyncio.create_task(police.call("GET", path, headers=()))
        await police.client.token()
        await seal_waiting(house.parts)
        assert (await asked).body.startswith(b"c2sp.org/tlog-proof@v1\n")


async def test_another_agency_s_messages_and_receipts_look_like_none_at_all(house: House) -> None:
    answer = await refer(house)
    await seal_waiting(house.parts)
    message, receipt = answer["id"], answer["receipt"]["id"]
    nobody = "msg-" + "a" * 26, "ev-" + "a" * 26
    async with Raw(house, ICB) as icb:  # a recipient of the message, but not its sender
        for mine, none in (
            (f"/v1/messages/{message}", f"/v1/messages/{nobody[0]}"),
            (f"/v1/messages/{message}/receipts", f"/v1/messages/{nobody[0]}/receipts"),
            (f"/v1/receipts/{receipt}", f"/v1/receipts/{nobody[1]}"),
            (f"/v1/receipts/{receipt}/proof", f"/v1/receipts/{nobody[1]}/proof"),
        ):
            foreign, unknown = [await icb.call("GET", path, headers=()) for path in (mine, none)]
            assert (foreign.status, foreign.code) == (unknown.status, unknown.code) == NOTHING
            told = [
                {k: v for k, v in said.document.items() if k != "instance"} for said in (foreign, unknown)
            ]
            assert told[0] == told[1]


async def test_a_recipient_reads_the_statements_of_its_own_answers_and_of_what_it_fetched(
    house: House,
) -> None:
    answer = await refer(house)
    async with Raw(house, UNIT) as unit, Raw(house, ICB) as icb:

        async def seen(by: Raw, receipt: str) -> list[int]:
            paths = (f"/v1/receipts/{receipt}", f"/v1/receipts/{receipt}/proof")
            return [(await by.call("GET", path, headers=())).status for path in paths]

        (item,) = await unit.client.inbox()
        said = await unit.client.acknowledge(item["id"], "person", "sbu", "Winifred Stave")
        await seal_waiting(house.parts)
        mine, accepted = said["receipt"]["id"], answer["receipt"]["id"]
        assert await seen(unit, mine) == [200, 200]
        assert await seen(icb, mine) == [404, 404], "another recipient's"
        assert await seen(unit, accepted) == [404, 404], "it has not fetched the content"
        fetched = (await unit.call("GET", f"/v1/inbox/{item['id']}", headers=())).document
        assert fetched["receipt"]["id"] == accepted
        assert await seen(unit, accepted) == [200, 200]
        assert await seen(icb, accepted) == [404, 404]
        async with Raw(house, POLICE) as police:
            assert await seen(police, mine) == [200, 200], "the sender reads all of its message's"


async def test_a_message_s_receipts_grow_with_what_happens_to_it(house: House) -> None:
    answer = await refer(house)
    async with house.client(UNIT) as unit:
        (item,) = await unit.inbox()
        await unit.fetch(item["id"])
        await unit.acknowledge(item["id"], "person", "sbu", "Winifred Stave")
    async with house.client(POLICE) as police:
        receipts = await police.receipts(answer["id"])
        state = await police.message(answer["id"])
    events = [receipt["event"] for receipt in receipts]
    assert events == ["SubmissionAcceptance", "ContentHandover", "ConsignmentAcceptance", "DutyMet"]
    met = {duty["expects"]: duty["state"] for duty in state["duties"]}
    assert met["acknowledgement"] == "met"
    by = {delivery["role"]: delivery["acknowledged_by"] for delivery in state["deliveries"]}
    assert (by["sbu"], by["dsp-icb"]) == ("person", None)


async def test_the_published_keys_check_a_receipt_and_hold_nothing_private(house: House) -> None:
    answer = await refer(house)
    async with Raw(house, POLICE) as anybody:
        keys = (await anybody.call("GET", "/v1/receipts/jwks", headers=(), credentials={})).document
    assert all(set(key) <= {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"} for key in keys["keys"])
    assert check_receipt(answer["receipt"], keys).event == "SubmissionAcceptance"


async def test_the_log_is_for_witnesses_and_auditors_alone(house: House) -> None:
    async with Raw(house, POLICE) as police:
        for path in ("/v1/log/checkpoint", "/v1/log/tile/0/000"):
            said = await police.call("GET", path, headers=())
            assert (said.status, said.code) == (403, "insufficient-scope")


async def test_a_witness_reads_checkpoint_and_tiles_and_a_tile_that_is_none_is_not_found(
    house: House,
) -> None:
    key = FileSigner.generate("witness-1", "ES256")
    jwks, at = check_jwks({"keys": [key.public_jwk()]}), house.clock()
    await house.parts.store.transact(
        lambda tx: clients.add(tx, "witness", AgencyId(UNIT), jwks, ("log.read",), at)
    )
    await refer(house)
    size = await seal_waiting(house.parts)
    async with Raw(house, "witness", key) as raw:
        note = await raw.call("GET", "/v1/log/checkpoint", headers=())
        assert note.body.splitlines()[1] == str(size).encode()
        whole = await raw.call("GET", f"/v1/log/tile/0/000.p/{size}", headers=())
        assert len(whole.body) == 32 * size
        for tile in (
            "0/001",
            "99/000",
            f"0/000.p/{size + 1}",
            "0/000.p/0",
            "0/000.p/999",
            "0/" + "x999/" * 5 + "999",
            "0/" + "x000/" * 900 + "000",
            "0/%D9%A3%D9%A3%D9%A3",
            "../0/000",
            "0/000/",
            "-1/000",
            "0/000.p/%00",
        ):
            said = await raw.call("GET", f"/v1/log/tile/{tile}", headers=())
            assert (tile[:40], said.status) in ((tile[:40], 404), (tile[:40], 401))


async def test_an_agency_that_is_not_involved_finds_no_incident(house: House) -> None:
    answer = await refer(house, body={"agencies_involved": [POLICE]})
    async with house.client("northshire-hospitals") as hospitals:
        for incident in (answer["incident"], "SI-7K3M-9QPX-2D"):
            with pytest.raises(AgencyProblem) as refused:
                await hospitals.incident(incident)
            assert (refused.value.status, refused.value.code) == NOTHING
