"""The in-process loop: carries, reads, watches clocks and seals while the gateway serves.

One task per job, each at its own pace, all woken when a transaction made work. What it misses, the next sweep finds: the
database is the queue. Where a broker is set, workers elsewhere do all this (`celery_worker`) and `Hints` only wakes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from gateway.core.errors import Unavailable, place_of
from gateway.dispatch.anchoring import (
    RolledBack,
    anchor_newest,
    must_not_be_rolled_back,
    refuse_if_it_stands_contradicted,
)
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.erasing import finish_erasures
from gateway.dispatch.intake import read_kept
from gateway.dispatch.keeping import watch_retention
from gateway.dispatch.published_keys import fetch_published_keys
from gateway.dispatch.sandbox import end_sandbox_matters, play_sandbox
from gateway.dispatch.timetable import (
    beat_when_due,
    begin_log,
    brief_units,
    chase_due,
    climb_due,
    end_waiting_webhooks,
    open_periodic_matters,
    recount_open,
    seal_waiting,
    sweep_attachments,
    sweep_keys,
    sweep_proofs,
)
from gateway.dispatch.under_way import UnderWay
from gateway.parts import Parts

CHASE_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 30.0
CONTRADICTION_SECONDS = 5.0

HINT_SECONDS = 0.05  # at least so long between two hints

_log = structlog.get_logger()

Job = Callable[[], Awaitable[object]]


async def carry_and_read(parts: Parts, under_way: UnderWay) -> bool:
    """One round of what is due now; whether there was anything. What takes long goes on in `under_way`."""
    carried = await carry_due(parts, under_way)
    read = await read_kept(parts)
    return bool(carried or read)


async def carry_and_read_all(parts: Parts) -> None:
    """Until nothing is due and nothing under way; beside a far end that hangs, what becomes due is carried."""
    under_way = UnderWay(parts)
    try:
        while (was_busy := await carry_and_read(parts, under_way)) or under_way.goes_on:
            if not was_busy:
                await under_way.rest(parts.settings.sweep_interval_seconds)
    finally:
        await under_way.all_end()


async def watch_clocks(parts: Parts, ways_in: frozenset[str]) -> None:
    """What is looked at every second: duties whose time has come, and the sandbox's peers."""
    await chase_due(parts, ways_in)
    await climb_due(parts)
    await play_sandbox(parts)


async def housekeep(parts: Parts) -> None:
    """What may wait half a minute."""
    await recount_open(parts)
    await open_periodic_matters(parts)
    await finish_erasures(parts)
    await sweep_proofs(parts)
    await sweep_attachments(parts)
    await sweep_keys(parts)
    await end_waiting_webhooks(parts)
    await fetch_published_keys(parts)
    await end_sandbox_matters(parts)
    await watch_retention(parts)
    await brief_units(parts)


class Dispatch:
    """Everything that runs beside the API in one process. `ways_in` names what must be read before a silence is stated."""

    def __init__(self, parts: Parts, ways_in: frozenset[str] = frozenset()) -> None:
        self._parts = parts
        self._ways_in = ways_in
        self._tasks: list[asyncio.Task[None]] = []
        self._under_way = UnderWay(parts)
        self.on_contradiction: Callable[[RolledBack], None] | None = None  # stops whatever serves here

    def start(self) -> None:
        """Begin; call within the event loop that serves."""
        self._parts.store.on_wake = self._under_way.woken.set
        parts, settings = self._parts, self._parts.settings
        jobs: list[tuple[Job, float]] = [
            (lambda: seal_waiting(parts), settings.seal_interval_seconds),
            (lambda: watch_clocks(parts, self._ways_in), CHASE_SECONDS),
            (lambda: housekeep(parts), HOUSEKEEPING_SECONDS),
        ]
        self._tasks = [asyncio.create_task(self._every(job, pause)) for job, pause in jobs]
        self._tasks.append(asyncio.create_task(self._carry()))
        self._tasks.append(asyncio.create_task(self._beat()))
        if settings.is_anchored:
            self._tasks.append(asyncio.create_task(self._anchor()))

    async def stop(self) -> None:
        """Finish what runs; nothing is lost by stopping at any point."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._under_way.stop()

    async def _carry(self) -> None:
        """Carry and read while there is work; then sleep until woken or until the sweep."""
        while True:
            busy = await self._guarded(lambda: carry_and_read(self._parts, self._under_way))
            if not busy:
                await self._under_way.rest(self._parts.settings.sweep_interval_seconds)

    async def _beat(self) -> None:
        """Heartbeats, also after a start on a fixed rhythm: when processes begin is nobody's business either."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            await self._guarded(lambda: beat_when_due(self._parts))

    async def _anchor(self) -> None:
        """At once, then at fixed instants, so that when the log is anchored tells nothing of when things happened."""
        await self._guarded(lambda: begin_log(self._parts))
        every, is_compared = self._parts.settings.anchor_interval_seconds, False
        while True:
            try:
                if (
                    not is_compared
                ):  # none may have answered at the start, and a log that rests is not anchored again
                    is_compared = bool(await self._guarded(lambda: must_not_be_rolled_back(self._parts)))
                await self._guarded(lambda: anchor_newest(self._parts))
            except RolledBack as contradicted:
                if self.on_contradiction is not None:
                    self.on_contradiction(contradicted)
                return
            await asyncio.sleep(every - self._parts.clock().timestamp() % every)

    async def _every(self, job: Job, pause_seconds: float) -> None:
        while True:
            await self._guarded(job)
            await asyncio.sleep(pause_seconds)

    async def _guarded(self, job: Job) -> object:
        """A job's fault is logged and the loop goes on: work that was not done is still there."""
        try:
            return await job()
        except RolledBack:
            raise
        except Exception as fault:
            _log.error("dispatch.fault", fault=type(fault).__name__, where=place_of(fault))
            await asyncio.sleep(self._parts.settings.sweep_interval_seconds)
            return None


class Hints:
    """In place of `Dispatch` where workers do the work: tells them, through the broker, that there is some.

    `send` blocks and may fail: nothing depends on it, for every worker also looks by itself.
    """

    def __init__(self, parts: Parts, send: Callable[[], None]) -> None:
        self._parts = parts
        self._send = send
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.on_contradiction: Callable[[RolledBack], None] | None = None  # stops whatever serves here

    def start(self) -> None:
        """Begin; call within the event loop that serves."""
        self._parts.store.on_wake = self._woken.set
        self._tasks = [asyncio.create_task(one) for one in (self._hint(), self._watch())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        """Workers ask the witnesses; what they were shown against the log stops whatever serves too."""
        while True:
            await asyncio.sleep(CONTRADICTION_SECONDS)
            try:
                with suppress(Unavailable):  # told elsewhere; looked at again
                    await refuse_if_it_stands_contradicted(self._parts)
            except RolledBack as contradicted:
                if self.on_contradiction is not None:
                    self.on_contradiction(contradicted)
                return

    async def _hint(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await asyncio.to_thread(self._send)
            except Exception as fault:
                _log.warning("broker.trouble", fault=type(fault).__name__)
            await asyncio.sleep(HINT_SECONDS)
