"""Used once means once: of any number of equal requests exactly one passes (RFC 9449 section 11.1, RFC 7523
section 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.messages import AgencyId
from gateway.oauth.registry import Registry
from gateway.store import clients
from gateway.store.tables import book
from gateway.store.transaction import Store
from tests.edges.oauth_caller import Answer, Caller, Key

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
UNTIL = AT + timedelta(seconds=75)


def fifty_at_once(ask: Callable[[], Answer]) -> list[int]:
    with ThreadPoolExecutor(50) as pool:
        return sorted(answer.status for answer in pool.map(lambda _: ask(), range(50)))


def test_fifty_equal_token_requests_give_one_token(caller: Caller) -> None:
    form, proof = caller.form(), caller.proof()
    assert fifty_at_once(lambda: caller.ask_token(form, [proof])) == [200] + [401] * 49


def test_one_assertion_under_fifty_proofs_gives_one_token(caller: Caller) -> None:
    form = caller.form()
    assert fifty_at_once(lambda: caller.ask_token(form)) == [200] + [401] * 49


def test_fifty_equal_calls_pass_once(caller: Caller) -> None:
    token = caller.token()
    proof = caller.proof("GET", "/v1/ping", token=token)
    assert fifty_at_once(lambda: caller.call(token, proof)) == [200] + [401] * 49


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url, book)
    opened.create_tables()
    yield opened
    opened.close()


async def test_of_fifty_concurrent_burns_of_two_keys_one_succeeds(store: Store) -> None:
    registry = Registry(store, lambda: AT)
    keys = [("a" * 64, UNTIL), ("b" * 64, UNTIL)]
    orders = [keys, keys[::-1]]
    burns = await asyncio.gather(*(registry.burn(orders[n % 2]) for n in range(50)))
    assert sorted(burns) == [False] * 49 + [True]


async def test_a_burn_that_fails_for_one_key_burns_none(store: Store) -> None:
    registry = Registry(store, lambda: AT)
    assert await registry.burn([("known", UNTIL)])
    assert not await registry.burn([("fresh", UNTIL), ("known", UNTIL)])
    assert await registry.burn([("fresh", UNTIL)])


async def test_a_revoked_token_stays_revoked_however_often(store: Store) -> None:
    registry = Registry(store, lambda: AT)
    assert not await registry.is_revoked("token-1")
    for _ in range(2):
        await registry.revoke("token-1", UNTIL)
    assert await registry.is_revoked("token-1")
    assert not await registry.is_revoked("token-2")


async def test_a_client_is_found_as_enrolled_and_changed_as_asked(store: Store) -> None:
    key = Key.make("ES256")
    jwks = {"keys": [{**key.jwk, "kid": "k", "alg": "ES256", "use": "sig"}]}
    agency = AgencyId("invented-police")
    await store.transact(lambda tx: clients.add(tx, "client-1", agency, jwks, ("messages.write",), AT))
    found = await store.read(lambda tx: clients.find(tx, "client-1"))
    assert found == clients.ClientRow(
        "client-1", agency, jwks, ("messages.write",), clients.ACTIVE, None, AT, frozenset()
    )
    assert await store.read(clients.listed) == (found,)
    assert await store.read(lambda tx: clients.find(tx, "client-2")) is None
    for change in (clients.suspend, clients.recall_tokens):
        assert await store.transact(lambda tx, change=change: change(tx, "client-1", UNTIL))
        assert not await store.transact(lambda tx, change=change: change(tx, "client-2", UNTIL))
    suspended = await store.read(lambda tx: clients.find(tx, "client-1"))
    assert suspended is not None
    assert (suspended.status, suspended.tokens_not_before) == (clients.SUSPENDED, UNTIL)
    assert await store.transact(lambda tx: clients.reinstate(tx, "client-1"))
    assert await store.transact(lambda tx: clients.approve(tx, "client-1", {"keys": []}))
    changed = await store.read(lambda tx: clients.find(tx, "client-1"))
    assert changed is not None
    assert (changed.status, changed.jwks, changed.tokens_not_before) == (clients.ACTIVE, {"keys": []}, UNTIL)


async def test_an_unknown_client_is_not_remembered_as_unknown(store: Store) -> None:
    registry = Registry(store, lambda: AT)
    assert await registry.find_client("client-1") is None
    jwks = {"keys": [{**Key.make("ES256").jwk, "kid": "k"}]}
    await store.transact(lambda tx: clients.add(tx, "client-1", AgencyId("a"), jwks, (), AT))
    found = await registry.find_client("client-1")
    assert found is not None
    assert found.agency == "a"
