"""The agency's own software against a whole gateway over HTTPS: what it may rely on, and what it notices."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, web

from gateway.agency.client import AgencyClient, AgencyProblem, Unreachable
from gateway.agency.receiving import ReceiptFalse, check_acceptance, check_receipt
from gateway.api.pages import PAGE
from gateway.demo.partnership import ICB
from gateway.store import clients
from keys.signing import FileSigner
from tests.gateway_house import LOOPBACK, House, gateway_house
from tests.partner_agency import Manners, partner_agency, webhook_server

POLICE = "northshire-police"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        yield running


@pytest.fixture
async def police(house: House) -> AsyncIterator[AgencyClient]:
    async with house.client(POLICE) as client:
        yield client


@asynccontextmanager
async def between(house: House, meddle: Callable[[web.Request, int, bytes], tuple[int, bytes] | None]) -> Any:
    """Somebody between the agency and the gateway, under another address; `meddle` may change an answer, and answers None
    to cut the connection."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        async with session.request(
            request.method, house.base_url + request.path, data=await request.read(), headers=headers
        ) as answer:
            changed = meddle(request, answer.status, await answer.read())
            if changed is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.Response(status=changed[0], body=changed[1], content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with ClientSession(connector=TCPConnector(ssl=house.trusting())) as session:
        try:
            await web.TCPSite(runner, LOOPBACK, 0).start()
            yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def test_a_token_is_kept_until_shortly_before_it_expires(house: House, police: AgencyClient) -> None:
    first = await police.token()
    house.clock.move_by(seconds=200)
    assert await police.token() == first
    house.clock.move_by(seconds=80)
    assert await police.token() != first


async def test_a_stranger_gets_no_token(house: House) -> None:
    async with house.client(POLICE, key=FileSigner.generate(f"{POLICE}-1", "ES256")) as stranger:
        with pytest.raises(AgencyProblem) as refused:
            await stranger.token()
    assert (refused.value.status, refused.value.code) == (401, "invalid_client")


async def test_a_token_that_was_recalled_is_replaced_without_the_caller_noticing(
    house: House, police: AgencyClient
) -> None:
    first = await police.token()
    house.clock.move_by(seconds=31)  # beyond the time that a client and its tokens are remembered
    at = house.clock()
    await house.parts.store.transact(lambda tx: clients.recall_tokens(tx, POLICE, at))
    assert (await police.duties())["owed_by_me"] == []
    assert await police.token() != first


async def test_a_referral_is_taken_with_a_receipt_of_exactly_its_bytes(
    house: House, police: AgencyClient
) -> None:
    answer = await police.submit(house.example("referral", reference="NP-1"))
    assert answer["decision"] == "forward"
    assert answer["incident"].startswith("SI-")
    assert {duty["clock"] for duty in answer["duties"]} == {"K11", "K12", "G01"}
    checked = await police.check(answer["receipt"])
    assert checked.disclosed["reference"] == "NP-1"
    assert checked.issuer == house.parts.settings.issuer


async def test_a_repeat_has_the_same_receipt_and_other_content_is_refused(
    house: House, police: AgencyClient
) -> None:
    message = house.example("referral", reference="NP-2")
    first = await police.submit(message)
    assert await police.submit(message) == first
    with pytest.raises(AgencyProblem) as refused:
        await police.submit(house.example("referral", reference="NP-2", marking="OFFICIAL"))
    assert (refused.value.status, refused.value.code) == (422, "reference-reused")


async def test_an_idempotency_key_belongs_to_one_message(house: House, police: AgencyClient) -> None:
    message = house.example("referral", reference="NP-3")
    first = await police.submit(message, idempotency_key="once")
    assert await police.submit(message, idempotency_key="once") == first
    with pytest.raises(AgencyProblem) as refused:
        await police.submit(house.example("referral", reference="NP-4"), idempotency_key="once")
    assert (refused.value.status, refused.value.code) == (422, "idempotency-key-reused")


async def test_field_faults_come_with_pointers_and_never_with_the_value(
    house: House, police: AgencyClient
) -> None:
    with pytest.raises(AgencyProblem) as refused:
        await police.submit(house.example("referral", {"referral_kind": "Elowen"}))
    assert (refused.value.status, refused.value.code) == (422, "invalid-message")
    assert "/body/referral_kind" in {error["pointer"] for error in refused.value.errors}
    assert "Elowen" not in f"{refused.value} {refused.value.errors}"


async def test_an_answer_lost_on_the_way_is_asked_for_again_and_is_the_same(house: House) -> None:
    lost: list[bytes] = []

    def lose_the_first(request: web.Request, status: int, body: bytes) -> tuple[int, bytes] | None:
        if request.path == "/v1/messages" and not lost:
            lost.append(body)
            return None
        return status, body

    async with (
        between(house, lose_the_first) as address,
        house.client(POLICE, base_url=address, issuer=house.base_url) as police,
    ):
        answer = await police.submit(house.example("referral", reference="NP-5"))
    assert answer == json.loads(lost[0]), "the first was taken, and the repeat has the same receipt"


async def test_a_gateway_that_is_busy_is_asked_again_and_a_lasting_no_is_told(house: House) -> None:
    asked: list[str] = []

    def busy(request: web.Request, status: int, body: bytes) -> tuple[int, bytes]:
        asked.append(request.path)
        problem = {"code": "unavailable", "title": "Cannot take this now"}
        return (503, json.dumps(problem).encode()) if request.path == "/v1/duties" else (status, body)

    async with (
        between(house, busy) as address,
        house.client(POLICE, base_url=address, issuer=house.base_url) as police,
    ):
        with pytest.raises(AgencyProblem) as refused:
            await police.duties()
    assert (refused.value.status, refused.value.code) == (503, "unavailable")
    assert asked.count("/v1/duties") == 3, "once, and once after each pause"


@pytest.mark.parametrize("spoil", ["signature", "statement", "disclosure", "content", "message"])
async def test_a_receipt_changed_on_the_way_is_noticed(house: House, spoil: str) -> None:
    def meddle(request: web.Request, status: int, body: bytes) -> tuple[int, bytes]:
        return (status, spoilt(body, spoil)) if request.path == "/v1/messages" else (status, body)

    async with (
        between(house, meddle) as address,
        house.client(POLICE, base_url=address, issuer=house.base_url) as police,
    ):
        with pytest.raises(ReceiptFalse):
            await police.submit(house.example("referral", reference=f"NP-{spoil}"))


def spoilt(body: bytes, what: str) -> bytes:
    answer = json.loads(body)
    receipt = answer["receipt"]
    header, statement, signature = receipt["jws"].split(".")
    match what:
        case "signature":
            signature = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
        case "statement":
            claims = json.loads(base64.urlsafe_b64decode(statement + "=="))
            claims["time"] = "2020-01-01T00:00:00.000Z"
            encoded = json.dumps(claims, sort_keys=True, separators=(",", ":")).encode()
            statement = base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()
        case "disclosure":
            first = receipt["disclosures"][0]
            receipt["disclosures"][0] = (
                base64.urlsafe_b64encode(b'["x","sender","other"]').decode() + first[:0]
            )
        case "content":  # what says which bytes were taken is left out
            receipt["disclosures"] = [
                one
                for one in receipt["disclosures"]
                if b"payload_sha256" not in base64.urlsafe_b64decode(one + "==")
            ]
        case "message":
            answer["id"] = "msg-aaaaaaaaaaaaaaaaaaaaaaaaaa"
    receipt["jws"] = f"{header}.{statement}.{signature}"
    return json.dumps(answer).encode()


async def test_a_receipt_signed_by_another_key_is_noticed(house: House, police: AgencyClient) -> None:
    payload = json.dumps(house.example("referral", reference="NP-6")).encode()
    answer = await police.submit(payload)
    kid = house.parts.keys.receipts.kid
    stranger = FileSigner.generate(kid, "ES256").public_jwk()
    with pytest.raises(ReceiptFalse):
        check_receipt(answer["receipt"], {"keys": [stranger]})
    genuine = {"keys": [house.parts.keys.receipts.public_jwk()]}
    with pytest.raises(ReceiptFalse):
        check_receipt(answer["receipt"], genuine, issuer="another.example")
    with pytest.raises(ReceiptFalse):
        check_acceptance(check_receipt(answer["receipt"], genuine), answer["id"], payload + b" ")


async def test_a_gateway_with_another_certificate_or_none_is_not_talked_to(house: House) -> None:
    strange = ssl.create_default_context()
    trustme.CA().configure_trust(strange)
    async with house.client(POLICE, tls=strange) as police:
        with pytest.raises(Unreachable):
            await police.duties()


async def test_what_waits_is_collected_acknowledged_and_gone(house: House, police: AgencyClient) -> None:
    sent = await police.submit(house.example("referral", reference="NP-7"))
    async with partner_agency(house, "south-tyneside-sbu") as unit:
        delivery = await unit.wait_for("referral")
        assert delivery["content"]["reference"] == "NP-7"
        assert [duty["state"] for duty in (await unit.client.duties())["owed_by_me"]] == ["open"]
        await unit.acknowledge(delivery, "Winifred Stave")
        assert await unit.client.inbox() == []
        assert [duty["state"] for duty in (await unit.client.duties())["owed_by_me"]] == ["met"]
        with pytest.raises(AgencyProblem) as again:
            await unit.client.acknowledge(delivery["id"], "person", "sbu")
        assert again.value.status == 409
    events = [receipt["event"] for receipt in await police.receipts(sent["id"])]
    assert events[0] == "SubmissionAcceptance"
    assert events[-1] == "DutyMet"
    assert {"ContentHandover", "ConsignmentAcceptance"} <= set(events)


async def test_a_system_taking_over_is_no_acknowledgement_and_a_decline_is_told_to_an_officer(
    house: House, police: AgencyClient
) -> None:
    await police.submit(house.example("referral", reference="NP-8"))
    async with partner_agency(house, "south-tyneside-sbu") as unit, partner_agency(house, ICB) as icb:
        delivery = await unit.wait_for("referral")
        await unit.client.acknowledge(delivery["id"], "system", "sbu")
        assert [duty["state"] for duty in (await unit.client.duties())["owed_by_me"]] == ["open"]
        declined = await icb.client.decline((await icb.wait_for("referral"))["id"], "Not one of ours")
        checked = await icb.client.check(declined["receipt"])
    assert checked.event == "ConsignmentRejection"
    assert checked.disclosed["words"] == "Not one of ours"


async def test_a_receipt_is_proved_to_be_in_the_log_and_only_to_its_sender(
    house: House, police: AgencyClient
) -> None:
    answer = await police.submit(house.example("referral", reference="NP-9"))
    proof = await police.proof(answer["receipt"]["id"], wait_seconds=20)
    assert proof.startswith("c2sp.org/tlog-proof@v1\n")
    async with house.client(ICB) as icb:
        for nobody_elses in (icb.proof(answer["receipt"]["id"]), icb.message(answer["id"])):
            with pytest.raises(AgencyProblem) as refused:
                await nobody_elses
            assert refused.value.status == 404


async def test_an_agency_told_by_webhook_fetches_what_it_was_told_of(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with (
        webhook_server(authority) as server,
        gateway_house(tmp_path, authority=authority, hooks={ICB: server}) as house,
        partner_agency(house, POLICE) as police,
        partner_agency(house, ICB) as icb,
    ):
        sent = await police.send("referral")
        notice = await server.next_notice()
        assert set(notice.document) == {"type", "timestamp", "delivery", "message", "incident", "url"}
        fetched = await icb.client.fetch(notice.delivery)
        assert fetched["message"] == sent["id"]
        assert server.forged == 0
        assert not server.is_genuine({"webhook-id": notice.id}, b"{}")


async def test_a_partner_that_cuts_the_connection_is_told_again_under_the_same_id(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with (
        webhook_server(authority) as server,
        gateway_house(tmp_path, authority=authority, hooks={ICB: server}) as house,
        partner_agency(house, POLICE) as police,
    ):
        server.manners = Manners.DEAF
        await police.send("referral")
        notice = await server.next_notice()
        server.manners = Manners.PROPER
        while server.attempts < 2:  # each look moves the time on towards the next attempt
            house.clock.move_by(seconds=10)
            await police.client.inbox(1)
        assert server.known == {notice.id}, "a repeat carries the same id"
        assert server.notices.empty()


async def test_a_proof_used_twice_is_refused_with_a_challenge(house: House, police: AgencyClient) -> None:
    """RFC 9449 section 11.1 for a submission, whose proof is burnt in the transaction, and for everything else."""
    message = json.dumps(house.example("referral", reference="NP-10")).encode()
    incident = (await police.submit(message))["incident"]
    token = await police.token()
    async with ClientSession(connector=TCPConnector(ssl=house.trusting())) as session:
        for method, path, body in (
            ("POST", "/v1/messages", message),
            ("GET", f"/v1/incidents/{incident}", None),
        ):
            headers = {"Authorization": f"DPoP {token}", "DPoP": police.proof_of_key(method, path, token)}
            headers |= {"Content-Type": "application/json"} if body else {}
            first = await session.request(method, house.base_url + path, data=body, headers=headers)
            assert first.status in (200, 201)
            assert first.headers.get("Idempotency-Replayed") == ("true" if body else None)
            again = await session.request(method, house.base_url + path, data=body, headers=headers)
            assert (again.status, (await again.json())["code"]) == (401, "proof-replayed")
            assert again.headers["WWW-Authenticate"].startswith("DPoP ")


async def test_what_is_not_there_or_not_allowed_is_a_problem_document(house: House) -> None:
    async with ClientSession(connector=TCPConnector(ssl=house.trusting())) as session:
        absent = await session.get(f"{house.base_url}/v1/nowhere")
        wrong = await session.delete(f"{house.base_url}/v1/messages")
        for answer, status, code in ((absent, 404, "not-found"), (wrong, 405, "method-not-allowed")):
            assert (answer.status, (await answer.json())["code"]) == (status, code)
            assert answer.content_type == "application/problem+json"
        assert wrong.headers["Allow"] == "POST"


async def test_the_same_message_sent_at_once_many_times_is_one_message(
    house: House, police: AgencyClient
) -> None:
    message = house.example("referral", reference="NP-11")
    answers = await asyncio.gather(*(police.submit(message) for _ in range(8)))
    assert len({answer["id"] for answer in answers}) == 1
    async with partner_agency(house, "south-tyneside-sbu") as unit:
        await unit.wait_for("referral")
        assert len(await unit.client.inbox()) == 1


async def test_an_inbox_of_several_pages_is_read_whole_and_in_order(
    house: House, police: AgencyClient
) -> None:
    sent = []
    for number in range(PAGE + 3):
        sent.append((await police.submit(house.example("referral", reference=f"NP-P{number}")))["id"])
        house.clock.move_by(seconds=1)
    async with partner_agency(house, "south-tyneside-sbu") as unit:
        waiting: list[dict[str, Any]] = []
        while len(waiting) < len(sent):  # delivered beside the API; looks again until all are there
            waiting = await unit.client.inbox(1)
    assert [item["message"] for item in waiting] == sent
