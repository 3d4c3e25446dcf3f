"""How long each kind of kill is felt: two serving processes, two Celery workers, PostgreSQL with its flushes on, Valkey.

Straight after the kill one referral is sent, again and again until somebody answers. Counted from the kill: seconds until it is
answered, until all its deliveries are final, and until every entry about it is sealed. Whoever was killed is started again by a
supervisor a third of a second later; leases run for four seconds here (120 as delivered: what was in the hand of a worker that died
waits so long, and nothing else does).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from gateway.app import system_clock
from gateway.demo import invented
from gateway.demo.partnership import POLICE
from tests.journeys.faults.plan import Fault, Scale
from tests.journeys.faults.town import Town, town

KILLS = (Fault.API, Fault.WORKER, Fault.SEQUENCER, Fault.BROKER, Fault.DATABASE)
SCALE = Scale(
    seconds=0,
    gap_seconds=0,
    submitters=1,
    pause_seconds=0,
    apis=2,
    workers=2,
    clock_step_seconds=0,
    disk_mib=512,
    settle_seconds=60,
    rounds=1,
)
ALL_WITHIN_SECONDS = 60
WAITING = "SELECT count(*) FROM delivery WHERE message = %s AND state = 'pending'"
UNSEALED = "SELECT count(*) FROM entry WHERE chain = %s AND leaf_index IS NULL"


def measured() -> dict[str, Any]:
    """Seconds by kind of kill: answered, delivered, sealed; and the same when nothing is killed."""
    with tempfile.TemporaryDirectory(prefix="bench-recovery-") as name:
        return asyncio.run(_measured(Path(name)))


async def _measured(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    async with town(SCALE, folder) as here:
        here.calm()
        here.is_over = False
        here.children.start()
        await _one(here, "begun", None)  # until everybody is up
        for kill in (None, *KILLS):
            name = kill.value if kill else "nothing is killed"
            told[name] = await _one(here, name, kill)
    return told


async def _one(here: Town, name: str, kill: Fault | None) -> dict[str, float]:
    began_at = time.perf_counter()
    falling = asyncio.create_task(here.befall(kill)) if kill else None
    await asyncio.sleep(0)
    if kill is Fault.SEQUENCER and falling is not None:
        await _until_somebody_seals(here, falling)
        began_at = time.perf_counter()
    async with here.client(POLICE) as police:
        answer = await here.submit(police, invented.referral(system_clock(), f"recovery-{name}"))
    answered = time.perf_counter()
    async with asyncio.timeout(ALL_WITHIN_SECONDS):
        delivered = await _when_none(here, WAITING, answer["id"])
        sealed = await _when_none(here, UNSEALED, answer["id"])
        if falling is not None:
            await falling
    took = {"answered": answered, "delivered": delivered, "sealed": sealed}
    return {what: round(at - began_at, 2) for what, at in took.items()}


async def _until_somebody_seals(here: Town, falling: asyncio.Task[None]) -> None:
    """Nobody seals while nothing is said: messages come until the sequencer was met at its work."""
    async with here.client(POLICE) as police:
        for number in range(1_000):
            if falling.done():
                return
            await here.submit(police, invented.referral(system_clock(), f"sealing-{number}"))
    raise SystemExit("nobody was met sealing, so nothing was measured")


async def _when_none(here: Town, query: str, message: str) -> float:
    while True:
        try:
            if not await asyncio.to_thread(_count, here, query, message):
                return time.perf_counter()
        except psycopg.OperationalError:
            pass
        await asyncio.sleep(0.05)


def _count(here: Town, query: str, message: str) -> int:
    with psycopg.connect(host=str(here.database.folder), user="postgres", dbname="book") as link:
        row = link.execute(query.encode(), (message,)).fetchone()
        return int(row[0]) if row else 0
