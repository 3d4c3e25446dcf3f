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
from structlog.testing import capture_logs

from gateway.actions.deliver import Attempted, NotTogether, deliver_each
from gateway.core.deliveries import Delivered, DeliveryState
from gateway.dispatch.recording import Recording
from gateway.store import deliveries, incidents
from gateway.store import tables as t
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx
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
    with pytest.raises(NotTogether):
        await still.parts.perform(deliver_each, asked, rows[0].partnership, None)
    assert await recorded(still, rows) == [None if row is other else DeliveryState.DELIVERED for row in rows]
    assert [len(await told(still, one["id"])) for one in (first, second)] == [4, 3]


async def test_a_fault_of_one_is_told_to_it_alone_and_the_log_names_those_it_was_among(still: House) -> None:
    """Here a chain that an attacker gave to another partnership: nothing is ever appended to it."""
    first, second = await refer(still), await refer(still)
    spoilt = update(t.chain).where(t.chain.c.ref == second["id"]).values(partnership="elsewhere")
    await still.parts.store.transact(lambda tx: tx.execute(spoilt) and None)
    rows = await claimed(still)
    with capture_logs() as logs:
        answers = await recorded(still, rows)
    assert [one["deliveries"] for one in logs] == [[row.id for row in rows]]
    for row, answer in zip(rows, answers, strict=True):
        is_spoilt = row.message == second["id"]
        assert isinstance(answer, ValueError) if is_spoilt else answer is DeliveryState.DELIVERED
    assert len(await told(still, first["id"])) == 4
    states = {row.state for row in await deliveries_of(still, second["id"])}
    assert states == {DeliveryState.PENDING}, "their leases run out and they are carried again"


async def test_who_has_one_of_the_incidents_keeps_nobody_waiting_for_the_others(still: House) -> None:
    first, second = await refer(still), await refer(still)
    rows = await claimed(still)
    asked = [Attempted(row, SENT) for row in rows]
    answers: list[object] = []

    def hold_and_let_them_try(tx: Tx) -> None:
        incidents.lock(tx, rows[0].partnership, first["incident"])
        trying = still.parts.perform(deliver_each, asked, rows[0].partnership, None)
        with pytest.raises(NotTogether):
            asyncio.run_coroutine_threadsafe(trying, loop).result(timeout=4)
        answers.append("at once")

    loop = asyncio.get_running_loop()
    if still.parts.store.engine_name == "postgresql":  # SQLite's one writer waits for nobody
        await still.parts.store.transact(hold_and_let_them_try)
        assert answers == ["at once"]
    assert set(await recorded(still, rows)) == {DeliveryState.DELIVERED}
    assert [len(await told(still, one["id"])) for one in (first, second)] == [4, 4]


@pytest.mark.parametrize("cancelled", [1, 4], ids=["one", "all of them, as at a stop"])
@pytest.mark.parametrize("turns", [1, 4])
async def test_what_was_carried_is_written_down_although_who_carried_it_is_cancelled(
    house: House, turns: int, cancelled: int
) -> None:
    referral = await refer(house)
    rows = await claimed(house)
    recording = Recording(house.parts)
    tasks = [asyncio.create_task(recording.record(Attempted(row, SENT))) for row in rows]
    for _ in range(turns):  # of the loop: it waits its turn, for the others, or for the commit
        await asyncio.sleep(0)
    for task in tasks[:cancelled]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in ended] == [n < cancelled for n in range(4)]
    assert {row.state for row in await deliveries_of(house, referral["id"])} == {DeliveryState.DELIVERED}
    assert len(await told(house, referral["id"])) == 4
