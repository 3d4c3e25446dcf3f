"""A form that is sent twice is done once; one that a crash cut off is done after a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.store import sessions
from gateway.store.sessions import FORM_GIVEN_UP, FormUse
from gateway.store.tables import book
from gateway.store.transaction import Store

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Store]:
    opened = Store.open(database_url, book)
    opened.create_tables()
    yield opened
    await opened.aclose()


async def claim(books: Store, at: datetime = NOW) -> FormUse | None:
    return await books.transact(lambda tx: sessions.claim_form(tx, "form", at))


async def test_a_form_is_done_by_whoever_sends_it_first_and_others_learn_where_it_led(books: Store) -> None:
    assert await claim(books) is None
    assert await claim(books) == FormUse(NOW, None)
    await books.transact(lambda tx: sessions.form_done(tx, "form", "/held?done=released"))
    assert await claim(books, NOW + timedelta(hours=1)) == FormUse(NOW, "/held?done=released")


async def test_a_form_that_changed_nothing_or_was_cut_off_is_done_again(books: Store) -> None:
    assert await claim(books) is None
    await books.transact(lambda tx: sessions.form_undone(tx, "form"))
    assert await claim(books) is None
    assert await claim(books, NOW + FORM_GIVEN_UP) is None
