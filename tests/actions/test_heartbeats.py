"""The log grows by a heartbeat on a fixed rhythm, whatever happens or does not: its counts are commitments."""

from __future__ import annotations

import asyncio
import json

from gateway.actions.beat import CHAIN
from gateway.core.receipts import Event
from gateway.dispatch.timetable import beat_when_due, begin_log, seal_waiting
from gateway.ledger.appending import disclosures_label
from gateway.ledger.verify import unb64url
from gateway.store import log
from tests.actions.scene import refer
from tests.gateway_house import House


async def beats(house: House) -> list[log.EntryRow]:
    return await house.parts.store.read(lambda tx: log.entries_of_chain(tx, None, CHAIN))


async def test_each_beat_of_the_rhythm_has_one_heartbeat_whoever_looks_and_how_often(house: House) -> None:
    assert await beat_when_due(house.parts)
    assert not any(await asyncio.gather(*(beat_when_due(house.parts) for _ in range(5))))
    house.clock.move_by(minutes=59)
    assert not await beat_when_due(house.parts)
    house.clock.move_by(minutes=1)
    assert await beat_when_due(house.parts)
    house.clock.move_by(hours=5, minutes=20)
    assert [await beat_when_due(house.parts) for _ in range(2)] == [True, False], (
        "what was missed is not made up"
    )
    house.clock.move_by(minutes=40)
    assert await beat_when_due(house.parts), "the rhythm stays where it was"
    assert {entry.event for entry in await beats(house)} == {Event.HEARTBEAT.text}


async def test_a_heartbeat_commits_to_the_open_work_and_tells_nothing_in_clear(house: House) -> None:
    await refer(house)
    await beat_when_due(house.parts)
    (entry,) = await beats(house)
    assert entry.disclosures is not None
    statement = json.loads(entry.statement)
    assert set(statement) == {
        "_sd",
        "_sd_alg",
        "event",
        "id",
        "iss",
        "kid",
        "prev",
        "ref",
        "seq",
        "time",
        "v",
    }
    raw = house.parts.keys.own.open(disclosures_label(entry.id), entry.disclosures)
    opened = {name: value for _, name, value in (json.loads(unb64url(one)) for one in json.loads(raw))}
    assert sum(count for name, count in opened.items() if name.startswith("deliveries_")) > 0
    assert opened["holds_open"] == 0
    assert opened["unsealed"] > 0


async def test_an_empty_log_begins_with_a_heartbeat_and_another_one_does_not(house: House) -> None:
    await begin_log(house.parts)
    newest = await house.parts.store.read(log.latest_checkpoint)
    assert newest is not None
    assert len(await beats(house)) == 1
    house.clock.move_by(hours=3)
    await begin_log(house.parts)
    assert await seal_waiting(house.parts) == 0
    assert len(await beats(house)) == 1
