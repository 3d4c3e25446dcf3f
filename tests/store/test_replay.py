"""A one-use key is used once, whoever asks at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.store import replay, tables
from gateway.store.replay import KEPT_AFTERWARDS
from gateway.store.transaction import Store

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Store]:
    opened = Store.open(database_url, tables.book)
    opened.create_tables()
    yield opened
    await opened.aclose()


async def test_a_key_is_burnt_once_however_many_ask_at_once(book: Store) -> None:
    answers = await asyncio.gather(
        *[book.transact(lambda tx: replay.burn(tx, "k", LATER, NOW)) for _ in range(20)]
    )
    assert sorted(answers) == [False] * 19 + [True]
    assert await book.transact(lambda tx: replay.burn(tx, "other", LATER, NOW))


async def test_a_burn_that_is_rolled_back_leaves_the_key_unused(book: Store) -> None:
    def burn_and_fail(tx: object) -> None:
        assert replay.burn(tx, "k", LATER, NOW)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        await book.transact(burn_and_fail)
    assert await book.transact(lambda tx: replay.burn(tx, "k", LATER, NOW))


async def test_an_expired_key_is_free_whether_or_not_it_was_swept(book: Store) -> None:
    assert await book.transact(lambda tx: replay.burn(tx, "k", LATER, NOW))
    just_before = LATER - timedelta(microseconds=1)
    assert not await book.transact(lambda tx: replay.burn(tx, "k", LATER, just_before))
    assert await book.transact(lambda tx: replay.burn(tx, "k", LATER + timedelta(minutes=5), LATER))
    assert not await book.transact(lambda tx: replay.burn(tx, "k", LATER, LATER))


async def test_sweeping_forgets_only_what_expired_an_hour_ago(book: Store) -> None:
    kept = NOW - KEPT_AFTERWARDS
    for key, expires_at in (
        ("old", kept),
        ("older", NOW - timedelta(days=1)),
        ("live", LATER),
        ("late", NOW),
    ):
        await book.transact(lambda tx, k=key, e=expires_at: replay.burn(tx, k, e, NOW - timedelta(days=2)))  # type: ignore[misc]
    assert await book.transact(lambda tx: replay.sweep(tx, NOW)) == 2
    assert not await book.transact(lambda tx: replay.burn(tx, "live", LATER, NOW))


async def test_a_clock_that_ran_ahead_swept_nothing_that_could_be_used_again(book: Store) -> None:
    assert await book.transact(lambda tx: replay.burn(tx, "k", LATER, NOW))
    await book.transact(lambda tx: replay.sweep(tx, LATER + timedelta(minutes=5)))
    assert not await book.transact(lambda tx: replay.burn(tx, "k", LATER, NOW))
