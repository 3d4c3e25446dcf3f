"""Outcomes of one batch are recorded together, on both engines, and none depends on another's."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway.actions.deliver import Attempted, deliver_each
from gateway.core.deliveries import Delivered, DeliveryState
from gateway.dispatch.recording import Recording
from gateway.store import deliveries
from gateway.store import tables as t
from gateway.store.deliveries import DeliveryRow
from gateway.store.log import Overtaken
from tests.actions.scene import deliveries_of, entries_of, refer
from tests.gateway_house import House, gateway_house
from tests.servers import PostgresServer

SENT = Delivered("ConsignmentNotification", {"status": "204"})
SAID = "ConsignmentNotification"


@pytest.fixture(params=["sqlite", "postgresql"])
async def still(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house on either engine whose dispatch stands still."""
    urls: dict[str, Any] = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        urls = {name: server.fresh_database() for name in ("database_url", "custody_url")}
    async with gateway_house(tmp_path, **urls) as running:
        await running.gateway.dispatch.stop()
        yield running
    for url in urls.values():
        server.give_back(url)


async def claimed(house: House) -> list[DeliveryRow]:
    now = house.clock()
    until = now + timedelta(minutes=2)
    return await house.parts.store.transact(lambda tx: deliveries.claim(tx, now, until, 32))


async def recorded(house: House, rows: list[DeliveryRow]) -> list[Any]:
    """Each by a task of its own, as they are carried; what each was told."""
    recording = Recording(house.parts)
    each = (recording.record(Attempted(row, SENT)) for row in rows)
    return await asyncio.gather(*each, return_exceptions=True)


async def told(house: House, message: str) -> list[str]:
    """The deliveries that a message's chain says were made; every link of the chain is looked at."""
    before, made = "", []
    for number, entry in enumerate(await entries_of(house, message), start=1):
        said = json.loads(entry.statement)
        assert (said["seq"], said["prev"]) == (number, before)
        before = hashlib.sha256(b"\0" + entry.statement).hexdigest()
        made += [said["id"]] if said["event"] == SAID else []
    return made


async def test_one_that_was_overtaken_is_recorded_by_nobody_and_the_others_are(still: House) -> None:
    first, second = await refer(still), await refer(still)
    rows = await claimed(still)
    assert len(rows) == 8
    other = next(row for row in rows if row.message == second["id"])
    await still.parts.store.transact(lambda tx: deliveries.change(tx, other.id, attempt=2))
    asked = [Attempted(row, SENT) for row in rows]
    with pytest.raises(Overtaken):
        await still.parts.perform(deliver_each, asked, rows[0].partnership, None)
    assert await recorded(still, rows) == [None if row is other else DeliveryState.DELIVERED for row in rows]
    assert [len(await told(still, one["id"])) for one in (first, second)] == [4, 3]


async def test_a_fault_of_one_is_told_to_it_alone(still: House) -> None:
    """Here a chain that an attacker gave to another partnership: nothing is ever appended to it."""
    first, second = await refer(still), await refer(still)
    spoilt = update(t.chain).where(t.chain.c.ref == second["id"]).values(partnership="elsewhere")
    await still.parts.store.transact(lambda tx: tx.execute(spoilt) and None)
    rows = await claimed(still)
    for row, answer in zip(rows, await recorded(still, rows), strict=True):
        is_spoilt = row.message == second["id"]
        assert isinstance(answer, ValueError) if is_spoilt else answer is DeliveryState.DELIVERED
    assert len(await told(still, first["id"])) == 4
    states = {row.state for row in await deliveries_of(still, second["id"])}
    assert states == {DeliveryState.PENDING}, "their leases run out and they are carried again"


@pytest.mark.parametrize("turns", [1, 4])
async def test_whoever_is_cancelled_while_it_records_for_all_takes_no_other_s_outcome_with_it(
    house: House, turns: int
) -> None:
    referral = await refer(house)
    rows = await claimed(house)
    recording = Recording(house.parts)
    tasks = [asyncio.create_task(recording.record(Attempted(row, SENT))) for row in rows]
    for _ in range(turns):  # of the loop: it waits its turn, for the others, or for the commit
        await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(task.exception() for task in tasks[1:])
    assert {row.state for row in await deliveries_of(house, referral["id"])} == {DeliveryState.DELIVERED}
    assert len(await told(house, referral["id"])) == 4
