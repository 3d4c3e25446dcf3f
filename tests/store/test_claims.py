"""In which order due deliveries are taken, on both engines: urgency first, then one agency after the other."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from gateway.core.deliveries import DeliveryState
from gateway.core.messages import AgencyId, PartnershipId, RoleId
from gateway.core.webhooks import OPEN, WebhookState
from gateway.store import deliveries, webhooks
from gateway.store import tables as t
from gateway.store.tables import book
from gateway.store.transaction import Store, Tx
from gateway.store.webhooks import WebhookRow

P = PartnershipId("p")
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


async def owe(books: Store, *owed: tuple[str, str, int], due_every: timedelta = timedelta(seconds=1)) -> None:
    """Deliveries by id, agency and priority, each due so long after the one before, the first an hour ago."""

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
                "next_at": NOW - timedelta(hours=1) + number * due_every,
            }
            for number, (id_, agency, priority) in enumerate(owed)
        ]
        deliveries.owe(tx, rows)

    await books.transact(write)


async def take(books: Store, most: int, each: int | None = None, **carried: int) -> list[str]:
    until, to_each = NOW + timedelta(minutes=2), {AgencyId(name): count for name, count in carried.items()}
    rows = await books.transact(lambda tx: deliveries.claim(tx, NOW, until, most, each, to_each))
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


async def test_its_share_is_of_all_its_queues_and_of_what_is_carried_already(books: Store) -> None:
    calm = [(f"a{number}", "council", 3) for number in range(4)]
    await owe(
        books, ("now0", "council", 1), ("now1", "council", 1), *calm, ("b0", "icb", 5), ("b1", "icb", 5)
    )
    assert (await take(books, 32, each=2, council=2, icb=1)) == ["b0"]
    assert (await take(books, 32, each=3)) == ["now0", "now1", "a0", "b1"]
    assert (await take(books, 1, each=3, council=2)) == ["a1"]
    assert (await take(books, 32, each=3, council=3, icb=2)) == []


async def test_what_is_taken_is_what_ranking_every_due_delivery_would_take(books: Store) -> None:
    """Until nothing is left, whatever the queues look like: unequal ones, of several priorities, some of it not due yet."""
    drawn = random.Random(7)
    owed = [(f"d{number}", f"a{drawn.randrange(5)}", drawn.choice((1, 3, 5))) for number in range(60)]
    await owe(books, *owed, due_every=timedelta(minutes=2))  # the first of them an hour ago
    due = [(priority, agency, id_) for id_, agency, priority in owed[:31]]
    while due:
        turns: dict[tuple[int, str], int] = Counter()
        ranked = []
        for number, (priority, agency, id_) in enumerate(due):
            turns[priority, agency] += 1
            if turns[priority, agency] <= 2:
                ranked.append((priority, turns[priority, agency], number, id_))
        expected = [id_ for *_, id_ in sorted(ranked)[:4]]
        assert (await take(books, 4, each=2)) == expected
        due = [one for one in due if one[-1] not in expected]
    assert (await take(books, 4, each=2)) == []


async def test_workers_that_claim_at_once_take_one_behind_the_other_and_nothing_twice(
    postgres_url: str,
) -> None:
    """Though a single agency is owed to, and the first worker has not committed yet."""
    async with contextlib.AsyncExitStack() as leaving:
        stores = [Store.open(postgres_url, book, writers=1) for _ in range(4)]
        for store in stores:
            leaving.push_async_callback(store.aclose)
        stores[0].create_tables()
        await owe(stores[0], *((f"a{number:02}", "council", 3) for number in range(10)))
        may_end, taken = threading.Event(), []
        leaving.callback(may_end.set)

        def claim(tx: Tx, has_claimed: threading.Event) -> list[str]:
            rows = deliveries.claim(tx, NOW, NOW + timedelta(minutes=2), most=8, each=2)
            has_claimed.set()
            assert may_end.wait(20)
            return [row.id for row in rows]

        for store in stores:
            has_claimed = threading.Event()
            taken.append(asyncio.ensure_future(store.transact(partial(claim, has_claimed=has_claimed))))
            assert await asyncio.to_thread(has_claimed.wait, 20)
        may_end.set()
        assert await asyncio.gather(*taken) == [[f"a0{n}", f"a0{n + 1}"] for n in (0, 2, 4, 6)]
        assert (await take(stores[0], 8)) == ["a08", "a09"]


@pytest.mark.parametrize("state", list(DeliveryState))
async def test_a_delivery_has_its_next_instant_as_long_as_it_is_to_be_carried_and_no_longer(
    books: Store, state: DeliveryState
) -> None:
    """On both engines, whoever writes it: nothing is pending for ever, and nothing final is looked at for ever."""
    await owe(books, ("dlv-1", "police", 1))

    async def write(next_at: datetime | None) -> None:
        values = {"state": state.value, "next_at": next_at}
        await books.transact(lambda tx: tx.execute(update(t.delivery).values(values)) and None)

    right, wrong = (NOW, None) if state is DeliveryState.PENDING else (None, NOW)
    await write(right)
    with pytest.raises(IntegrityError):
        await write(wrong)


async def test_an_outcome_that_names_neither_an_end_nor_a_next_try_is_not_written(books: Store) -> None:
    await owe(books, ("dlv-1", "police", 1))
    (row,) = await books.transact(lambda tx: deliveries.claim(tx, NOW, NOW + timedelta(minutes=2), 1))
    with pytest.raises(IntegrityError):
        await books.transact(lambda tx: deliveries.settle(tx, row.id, row.attempt, {"last_reason": "dns"}))
    later = {"next_at": NOW + timedelta(minutes=1), "last_reason": "dns"}
    assert await books.transact(lambda tx: deliveries.settle(tx, row.id, row.attempt, later))


@pytest.mark.parametrize("state", OPEN)
async def test_an_endpoint_that_somebody_is_to_answer_for_lapses(books: Store, state: WebhookState) -> None:
    row = WebhookRow("whk-1", P, AgencyId("icb"), RoleId("*"), "u", "icb", state, NOW, None, None, None)
    if state is WebhookState.IN_FORCE:
        await books.transact(lambda tx: webhooks.add(tx, row))
    else:
        with pytest.raises(IntegrityError):
            await books.transact(lambda tx: webhooks.add(tx, row))
