"""The inbox: pages without gaps or repeats, waiting for what comes, and cursors that nobody gave out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api.door import MOST_WAITING
from gateway.api.inbox import LONGEST_WAIT_SECONDS
from gateway.api.pages import MOST
from gateway.store import clients
from schemas.conversions import STEPS, Added
from tests.actions.scene import events_of, refer
from tests.edges.at_the_door import MARKER, Raw
from tests.gateway_house import House, gateway_house

UNIT, ICB = "south-tyneside-sbu", "northshire-icb"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        yield running


@pytest.fixture
async def unit(house: House) -> AsyncIterator[Raw]:
    async with Raw(house, UNIT) as raw:
        yield raw


async def page(unit: Raw, query: str) -> Any:
    return await unit.call("GET", "/v1/inbox", headers=(), query=query)


async def test_pages_hold_everything_once_and_oldest_first(house: House, unit: Raw) -> None:
    sent = []
    for number in range(7):
        sent.append((await refer(house))["id"])
        if number % 2:
            house.clock.move_by(seconds=1)  # some share an instant: the cursor must tell them apart
    seen: list[dict[str, Any]] = []
    query = "?limit=3"
    while query:
        found = (await page(unit, query)).document
        assert len(found["deliveries"]) <= 3
        seen += found["deliveries"]
        query = f"?limit=3&after={found['next']}" if found["next"] else ""
    assert len(seen) == len({item["id"] for item in seen}) == 7
    assert {item["message"] for item in seen} == set(sent)
    assert [item["created_at"] for item in seen] == sorted(item["created_at"] for item in seen)


async def test_content_comes_in_the_version_that_the_client_chose_and_the_bytes_as_they_were_sent(
    house: House, unit: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contract section 4. The second version and the step to it are invented."""
    step = (Added(("body", "weapons"), default="not recorded"),)
    await refer(house)
    (waiting,) = (await page(unit, "")).document["deliveries"]
    where = f"/v1/inbox/{waiting['id']}"
    before = (await unit.call("GET", where, headers=())).document
    assert before["converted"] is None
    await house.parts.store.transact(lambda tx: clients.show_versions(tx, UNIT, {"referral": 2}))
    as_sent = (await unit.call("GET", where, headers=())).document
    assert (as_sent["content"], as_sent["converted"]) == (before["content"], None), "no step leads there"
    monkeypatch.setitem(STEPS, ("referral", 1), step)  # type: ignore[arg-type]
    after = (await unit.call("GET", where, headers=())).document
    assert after["converted"] == {"from_version": 1, "left_out": []}
    assert (after["content"]["version"], after["content"]["body"]["weapons"]) == (2, "not recorded")
    assert after["payload"] == before["payload"]


async def test_a_full_last_page_is_followed_by_an_empty_one(house: House, unit: Raw) -> None:
    for _ in range(2):
        await refer(house)
    first = (await page(unit, "?limit=2")).document
    last = (await page(unit, f"?limit=2&after={first['next']}")).document
    assert (len(first["deliveries"]), last) == (2, {"deliveries": [], "next": None})


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


DELIVERY = "dlv-" + "a" * 26


@pytest.mark.filterwarnings("error")
async def test_a_cursor_that_nobody_gave_out_is_refused_in_our_words(
    unit: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = [
        MARKER,
        "%00",
        "%ff%fe",
        "%F0%9F%92%A9",
        "=" * 8,
        "A",
        cursor(MARKER),
        cursor(f"2026-11-02T10:00:00+00:00 {MARKER}"),
        cursor(f"2026-11-02T10:00:00+00:00 {DELIVERY}' OR 1=1"),
        cursor("2026-11-02T10:00:00+00:00 dlv-\x00"),
        cursor(f"2026-11-02T10:00:00 {DELIVERY}"),
        cursor(f"0001-01-01T00:00:00+23:59 {DELIVERY}"),
        cursor(f"9999-12-31T23:59:59-23:59 {DELIVERY}"),
        cursor(f"2026-13-45T99:00:00+00:00 {DELIVERY}"),
        cursor(f"2026-11-02T10:00:00+00:00 {DELIVERY}") + "!!",
        "A" * 8000,
    ]
    for after in hostile:
        said = await page(unit, f"?after={after}")
        assert (after, said.status, said.code) == (after, 400, "malformed-request")
        assert MARKER.encode() not in said.body
    logged = capsys.readouterr()
    assert MARKER not in logged.out + logged.err


async def test_a_cursor_at_either_end_of_time_is_only_early_or_late(house: House, unit: Raw) -> None:
    await refer(house)
    for at, count in (("0001-01-01T00:00:00+00:00", 1), ("9999-12-31T23:59:59+00:00", 0)):
        found = (await page(unit, f"?after={cursor(f'{at} {DELIVERY}')}")).document
        assert len(found["deliveries"]) == count


async def test_a_limit_that_is_no_number_from_one_to_a_hundred_is_refused(unit: Raw) -> None:
    for limit in ("0", "-1", "101", "1.0", "1e2", "", "%D9%A3", "9" * 5000, "%00", "%201", "0x10", MARKER):
        said = await page(unit, f"?limit={limit}")
        assert (limit, said.status, said.code) == (limit, 400, "malformed-request")
        assert MARKER.encode() not in said.body
    assert (await page(unit, f"?limit={MOST}")).status == 200


@pytest.mark.parametrize(
    "prefer", [f"wait={LONGEST_WAIT_SECONDS}", 'respond-async, WAIT = "99999"; x', "handling=lenient,wait=31"]
)
async def test_waiting_ends_when_something_comes(house: House, unit: Raw, prefer: str) -> None:
    """RFC 7240 section 2: the name has no case, the value may be quoted, others may stand beside it."""

    async def wait() -> Any:
        return await unit.call("GET", "/v1/inbox", headers=(("Prefer", prefer),))

    waiting = asyncio.create_task(wait())
    referral = await refer(house)
    async with asyncio.timeout(LONGEST_WAIT_SECONDS - 5):
        found = await waiting
    assert [item["message"] for item in found.document["deliveries"]] == [referral["id"]]
    assert found.headers["Preference-Applied"] == f"wait={LONGEST_WAIT_SECONDS}"


async def test_of_one_clients_requests_only_so_many_are_held_open(house: House, unit: Raw) -> None:
    """Each looks into the store again and again: a client that opened a thousand would slow down everybody."""
    wait = (("Prefer", f"wait={LONGEST_WAIT_SECONDS}"),)
    asked = [
        asyncio.create_task(unit.call("GET", "/v1/inbox", headers=wait)) for _ in range(MOST_WAITING + 1)
    ]
    async with asyncio.timeout(LONGEST_WAIT_SECONDS - 5):
        done, held = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert [(await one).document["deliveries"] for one in done] == [[]]
        await refer(house)
        assert [len((await one).document["deliveries"]) for one in held] == [1] * MOST_WAITING


async def test_waiting_ends_when_the_gateway_stops(house: House, unit: Raw) -> None:
    """Else every deployment would wait for every inbox, and cut it off in the end."""
    waiting = asyncio.create_task(
        unit.call("GET", "/v1/inbox", headers=(("Prefer", f"wait={LONGEST_WAIT_SECONDS}"),))
    )
    house.gateway.web.state.closing.set()
    async with asyncio.timeout(LONGEST_WAIT_SECONDS - 5):
        said = await waiting
    assert (said.status, said.document) == (200, {"deliveries": [], "next": None})


async def test_a_wait_that_is_no_number_waits_not(unit: Raw) -> None:
    async with asyncio.timeout(5):
        for prefer in ("wait=", "wait=-5", "wait=abc", "await=9", "respond-async", f"wait={MARKER}"):
            said = await unit.call("GET", "/v1/inbox", headers=(("Prefer", prefer),))
            assert (prefer, said.status, said.document["deliveries"]) == (prefer, 200, [])
            assert "Preference-Applied" not in said.headers


async def test_an_inbox_shows_its_own_agency_s_deliveries_alone_and_no_content(
    house: House, unit: Raw
) -> None:
    await refer(house)
    mine = await page(unit, "")
    async with Raw(house, ICB) as icb:
        theirs = await page(icb, "")
    ids = [{item["id"] for item in found.document["deliveries"]} for found in (mine, theirs)]
    assert all(ids)
    assert not ids[0] & ids[1]
    assert b"Testington" not in mine.body


async def test_what_is_said_of_a_delivery_is_read_strictly(
    house: House, unit: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    path = f"/v1/inbox/{item['id']}"
    wrong: list[tuple[str, bytes, int]] = [
        ("acknowledgement", b"{}", 422),
        ("acknowledgement", b'{"by": "robot", "role": "sbu"}', 422),
        ("acknowledgement", b'{"by": "person", "role": "' + MARKER.encode() + b'"}', 422),
        ("acknowledgement", b'{"by": "person", "role": "no-such-role"}', 422),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "' + MARKER.encode() + b'": 1}', 422),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "name": ""}', 422),
        ("acknowledgement", b'{"by": "person", "by": "system", "role": "sbu"}', 400),
        ("acknowledgement", b'["person"]', 400),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "name": "a\\u0000"}', 400),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "name": "C. \\u202edeeR"}', 422),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "name": "C. Reed\\nBcc: x"}', 422),
        ("decline", b'{"reason": "Not ours \\u202e\\u0007"}', 422),
        ("acknowledgement", b'{"by": "person", "role": "sbu", "name": "' + b"x" * 20_000 + b'"}', 413),
        ("decline", b"{}", 422),
        ("decline", b'{"reason": ""}', 422),
        ("decline", b'{"reason": ["' + MARKER.encode() + b'"]}', 422),
        ("decline", b'{"reason": "' + MARKER.encode() + b'"', 400),
    ]
    for verb, body, status in wrong:
        said = await unit.call("POST", f"{path}/{verb}", body)
        assert (verb, body[:60], said.status) == (verb, body[:60], status)
        assert MARKER.encode() not in said.body
    assert len((await page(unit, "")).document["deliveries"]) == 1, "nothing of it counted"
    logged = capsys.readouterr()
    assert MARKER not in logged.out + logged.err


async def test_what_is_wrong_with_an_answer_is_named_as_in_a_message(house: House, unit: Raw) -> None:
    await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    body = b'{"by": "robot", "name": 1, "x": 2}'
    said = await unit.call("POST", f"/v1/inbox/{item['id']}/acknowledgement", body)
    assert {(fault["pointer"], fault["code"]) for fault in said.document["errors"]} == {
        ("/by", "not-in-vocabulary"),
        ("/role", "required"),
        ("/name", "wrong-type"),
        ("", "unknown-member"),
    }


@pytest.mark.parametrize(
    ("verb", "said", "other"),
    [
        ("acknowledgement", {"by": "system", "role": "sbu"}, {"by": "system", "role": "dsp-la"}),
        (
            "acknowledgement",
            {"by": "person", "role": "sbu", "name": "W. Stave"},
            {"by": "person", "role": "sbu"},
        ),
        ("decline", {"reason": "Not one of ours"}, {"reason": "Not ours"}),
    ],
)
async def test_the_same_answer_again_is_the_same_statement_and_another_is_refused(
    house: House, unit: Raw, verb: str, said: dict[str, str], other: dict[str, str]
) -> None:
    """Repeats are harmless: whoever did not get the receipt asks again, ten at once as well as later."""
    await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    path = f"/v1/inbox/{item['id']}/{verb}"
    answers = await asyncio.gather(*(unit.call("POST", path, json.dumps(said).encode()) for _ in range(5)))
    assert {one.status for one in answers} == {201}
    assert len({one.body for one in answers}) == 1
    assert sorted("Idempotency-Replayed" in one.headers for one in answers) == [False] + [True] * 4
    refused = await unit.call("POST", path, json.dumps(other).encode())
    assert (refused.status, refused.code) == (409, "conflicting-state")


async def test_asking_for_the_headers_alone_hands_nothing_over(house: House, unit: Raw) -> None:
    """HEAD shows no content, so that nobody has it and nothing is stated (RFC 9110 section 9.3.2)."""
    referral = await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    said = await unit.call("HEAD", f"/v1/inbox/{item['id']}", headers=())
    assert (said.status, said.body) == (200, b"")
    assert (await page(unit, "")).document["deliveries"] == [item]
    assert "ContentHandover" not in await events_of(house, referral["id"])
    assert (await unit.call("HEAD", "/v1/inbox/dlv-none", headers=())).status == 404


async def test_a_proof_answers_one_delivery_once(house: House, unit: Raw) -> None:
    await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    path = f"/v1/inbox/{item['id']}/acknowledgement"
    proof = await unit.credentials("POST", path)
    body = b'{"by": "system", "role": "sbu"}'
    assert (await unit.call("POST", path, body, credentials=proof)).status == 201
    again = await unit.call("POST", path, b'{"by": "person", "role": "sbu"}', credentials=proof)
    assert (again.status, again.code) == (401, "proof-replayed")
    assert "WWW-Authenticate" in again.headers


async def test_a_delivery_shows_the_exact_bytes_and_what_proves_them(house: House, unit: Raw) -> None:
    referral = await refer(house)
    (item,) = (await page(unit, "")).document["deliveries"]
    found = (await unit.call("GET", f"/v1/inbox/{item['id']}", headers=())).document
    assert found["message"] == referral["id"]
    assert found["receipt"]["jws"] == referral["receipt"]["jws"]
    assert len(found["receipt"]["disclosures"]) == 1
    assert base64.b64decode(found["payload"]).startswith(b"{")
