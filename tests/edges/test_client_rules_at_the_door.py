"""What two officers decided about a client holds at the door: its keys' states, its types of message, its audience."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.core import client_keys
from gateway.core.messages import AgencyId
from gateway.core.receipts import Event
from gateway.oauth.registry import CLIENT_REMEMBERED_SECONDS, Registry
from gateway.store import clients, tables
from gateway.store.transaction import Store
from tests.edges.at_the_door import Raw
from tests.edges.conftest import Clock, Door
from tests.edges.oauth_caller import Answer, Caller, Key
from tests.gateway_house import House, gateway_house

FORGOTTEN = timedelta(seconds=CLIENT_REMEMBERED_SECONDS + 1)


def with_keys(door: Door, caller: Caller, change: Any) -> None:
    """Change every kept key of the client."""

    def turn(tx: Any) -> None:
        row = clients.find(tx, caller.client_id)
        assert row is not None
        clients.approve(tx, caller.client_id, {"keys": [change(key) for key in row.keys]})

    door.change(turn)


def ask(door: Door, caller: Caller, **claims: Any) -> Answer:
    now = int(door.clock().timestamp())
    assertion = caller.assertion(claims={"iat": now, "exp": now + 60, **claims})
    return caller.ask_token(caller.form(client_assertion=assertion), [caller.proof(claims={"iat": now})])


def test_a_key_that_waits_for_approval_opens_nothing(own_door: Door) -> None:
    caller = own_door.caller()
    with_keys(own_door, caller, lambda key: {**key, "status": client_keys.PENDING})
    assert ask(own_door, caller).status == 401
    with_keys(own_door, caller, client_keys.approved)
    own_door.clock.ahead = FORGOTTEN
    assert ask(own_door, caller).status == 200


def test_a_revoked_key_gets_no_token_and_those_in_hand_are_dead_within_30_seconds(own_door: Door) -> None:
    caller = own_door.caller()
    token = caller.token()
    with_keys(own_door, caller, lambda key: client_keys.revoked(key, "compromised"))
    own_door.change(lambda tx: clients.recall_tokens(tx, caller.client_id, own_door.clock()))
    own_door.clock.ahead = FORGOTTEN
    now = int(own_door.clock().timestamp())
    proof = caller.proof("GET", "/v1/ping", token=token, claims={"iat": now})
    assert caller.call(token, proof).status == 401
    assert ask(own_door, caller).status == 401


def test_keys_overlap_during_a_rotation_and_the_older_one_ends_by_itself(own_door: Door) -> None:
    caller = own_door.caller()
    ends_at = own_door.clock() + timedelta(hours=24)
    with_keys(own_door, caller, lambda key: client_keys.retired(key, ends_at))
    assert ask(own_door, caller).status == 200
    own_door.clock.ahead = timedelta(hours=23, minutes=59)
    assert ask(own_door, caller).status == 200
    own_door.clock.ahead = timedelta(hours=24, seconds=1)
    assert ask(own_door, caller).status == 401


def test_the_token_address_as_audience_is_taken_only_from_an_excepted_client_and_only_for_a_while(
    own_door: Door,
) -> None:
    """RFC 10070: the issuer alone; the exception ends by itself."""
    caller, other = own_door.caller(), own_door.caller()
    address = f"{own_door.base}/oauth2/token"
    assert ask(own_door, caller, aud=address).status == 401
    until = own_door.clock() + timedelta(days=10)
    own_door.change(lambda tx: clients.allow_legacy_audience(tx, caller.client_id, until))
    own_door.clock.ahead = FORGOTTEN
    with capture_logs() as logs:
        assert ask(own_door, caller, aud=address).status == 200
    assert [one["client"] for one in logs if one["event"] == "oauth.legacy_audience"] == [caller.client_id]
    assert ask(own_door, caller).status == 200, "the right audience is taken too"
    assert ask(own_door, other, aud=address).status == 401
    for wrong in ([address], [own_door.base, address], f"{address}/", f"{own_door.base}/oauth2/revoke"):
        assert ask(own_door, caller, aud=wrong).status == 401
    own_door.clock.ahead = timedelta(days=10)
    assert ask(own_door, caller, aud=address).status == 401
    assert ask(own_door, caller).status == 200


@pytest.fixture
async def house(tmp_path: Any) -> Any:
    async with gateway_house(tmp_path) as house:
        yield house


async def test_a_client_sends_only_the_types_it_is_registered_for_and_a_refusal_leaves_an_entry(
    house: House,
) -> None:
    police = "northshire-police"
    scopes = ("messages.write", "messages.read")
    await house.parts.store.transact(lambda tx: clients.permit(tx, police, scopes, ("call-log",)))
    async with Raw(house, police) as raw:
        refused = await raw.post(_bytes(house.example("referral", reference="NP-1")))
        assert (refused.status, refused.code) == (403, "not-permitted")
        assert [error["pointer"] for error in refused.document["errors"]] == ["/type"]
        query = tables.entry.select().where(tables.entry.c.event == Event.SUBMISSION_REJECTION.text)
        (entry,) = await house.parts.store.read(lambda tx: tx.execute(query).all())
        assert b"not-permitted" in entry.statement
        await house.parts.store.transact(lambda tx: clients.permit(tx, police, scopes, ("referral",)))
        house.clock.move_by(seconds=CLIENT_REMEMBERED_SECONDS + 1)
        taken = await raw.post(_bytes(house.example("referral", reference="NP-1")))
        assert taken.status == 201, taken.body


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


async def test_a_suspension_bites_in_every_process_on_postgresql_within_a_minute(postgres_url: str) -> None:
    """Two processes have a store and a memory of their own; one suspends, the other had just looked the client up."""
    here, there = (Store.open(postgres_url, tables.book) for _ in range(2))
    clock = Clock()
    registry = Registry(there, clock)
    try:
        await _suspended_elsewhere(here, registry, clock)
    finally:
        await here.aclose()
        await there.aclose()


async def _suspended_elsewhere(here: Store, registry: Registry, clock: Any) -> None:
    here.create_tables()
    jwks = {"keys": [{**Key.make("ES256").jwk, "kid": "k"}]}
    await here.transact(lambda tx: clients.add(tx, "np-1", AgencyId("a"), jwks, (), clock()))
    before = await registry.find_client("np-1")
    await here.transact(lambda tx: clients.suspend(tx, "np-1", clock()))
    clock.ahead = FORGOTTEN
    after = await registry.find_client("np-1")
    assert before is not None
    assert after is not None
    assert (before.status.value, after.status.value) == ("active", "suspended")
    assert timedelta(minutes=1) > FORGOTTEN
