"""In which order due deliveries are taken, on both engines: urgency first, then one agency after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.store import deliveries
from gateway.store import tables as t
from gateway.store.tables import book
from gateway.store.transaction import Store, Tx

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
MESSAGE: dict[str, Any] = {
    "id": "msg-1",
    "partnership": "p",
    "type": "referral",
    "version": 1,
    "agency": "police",
    "reference": "r",
    "fingerprint": "f",
    "facts": {},
    "created_at": NOW,
    "arrived_at": NOW,
    "recorded_at": NOW,
    "decision": "forward",
    "rule": "r",
    "answer": {},
    "receipt": "rcp-1",
}


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Store]:
    opened = Store.open(database_url, book)
    opened.create_tables()
    yield opened
    await opened.aclose()


async def owe(books: Store, *owed: tuple[str, str, int]) -> None:
    """Deliveries by id, agency and priority, each owed a second after the one before."""

    def write(tx: Tx) -> None:
        tx.execute(insert(t.message), MESSAGE)
        rows = [
            {
                "id": id_,
                "partnership": "p",
                "message": "msg-1",
                "agency": agency,
                "role": "lead",
                "adapter": "inbox",
                "priority": priority,
                "state": "pending",
                "rule": "r",
                "to_deputy": False,
                "attempt": 0,
                "created_at": NOW,
                "next_at": NOW - timedelta(hours=1) + timedelta(seconds=number),
            }
            for number, (id_, agency, priority) in enumerate(owed)
        ]
        deliveries.owe(tx, rows)

    await books.transact(write)


async def take(books: Store, most: int, each: int | None = None) -> list[str]:
    until = NOW + timedelta(minutes=2)
    rows = await books.transact(lambda tx: deliveries.claim(tx, NOW, until, most, each))
    return [row.id for row in rows]


async def test_what_is_urgent_overtakes_a_bulk_that_was_there_before_it(books: Store) -> None:
    bulk = [(f"letter-{number}", f"school-{number}", 5) for number in range(6)]
    await owe(books, *bulk, ("alert", "police", 1), ("referral", "icb", 3))
    assert (await take(books, 3)) == ["alert", "referral", "letter-0"]


async def test_a_burst_to_one_agency_starves_no_other_and_each_keeps_its_own_order(books: Store) -> None:
    burst = [(f"a{number}", "council", 3) for number in range(6)]
    await owe(books, *burst, ("b0", "icb", 3), ("b1", "icb", 3), ("c0", "police", 3))
    assert (await take(books, 5)) == ["a0", "b0", "c0", "a1", "b1"]
    assert (await take(books, 5)) == ["a2", "a3", "a4", "a5"], "what is leased is nobody else's"


async def test_of_one_agency_no_more_is_taken_at_once_than_its_share(books: Store) -> None:
    await owe(books, *((f"a{number}", "council", 3) for number in range(6)), ("b0", "icb", 5))
    assert (await take(books, 32, each=2)) == ["a0", "a1", "b0"]
