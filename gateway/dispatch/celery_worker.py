"""The same work on more machines: Celery tasks over Valkey or Redis that run what the in-process loop runs.

A Celery message is only a wake-up: what is owed stands in the database, is claimed there under a lease, and is found by
the sweep when the broker forgets everything. So messages carry no data, are acknowledged at once and never retried, and
grow stale when the next one is due. Start with `gateway work`, or
`celery -A gateway.dispatch.celery_worker worker --beat`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import uvloop
from celery import Celery, signals

from gateway.app import build_parts, close, shout_of_development
from gateway.app.ways_in import own_account, read_mailbox_once, read_mesh_once, ways_in_of
from gateway.core.errors import Misconfigured
from gateway.dispatch.anchoring import anchor_newest
from gateway.dispatch.erasing import reapply_erasures
from gateway.dispatch.loop import (
    CHASE_SECONDS,
    HOUSEKEEPING_SECONDS,
    carry_and_read_all,
    housekeep,
    watch_clocks,
)
from gateway.dispatch.timetable import beat_when_due, seal_waiting
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.settings.checks import refusals
from gateway.store import log

BROKER_SECONDS = 5.0  # longest wait for the broker: publishing is a hint and never worth more


async def _chase(parts: Parts) -> None:
    await watch_clocks(parts, ways_in_of(parts.settings))


async def _read_mailbox(parts: Parts) -> None:
    await read_mailbox_once(parts, own_account(parts.settings))


Job = Callable[[Parts], Awaitable[object]]
CARRY, SEAL, CHASE, HOUSEKEEP = "gateway.carry", "gateway.seal", "gateway.chase", "gateway.housekeep"
MAILBOX, ANCHOR, BEAT = "gateway.mailbox", "gateway.anchor", "gateway.beat"
MESH = "gateway.mesh"
JOBS: dict[str, Job] = {
    CARRY: carry_and_read_all,
    SEAL: seal_waiting,
    CHASE: _chase,
    HOUSEKEEP: housekeep,
    MAILBOX: _read_mailbox,
    ANCHOR: anchor_newest,
    BEAT: beat_when_due,
    MESH: read_mesh_once,
}


def __getattr__(name: str) -> Any:
    """`celery -A gateway.dispatch.celery_worker` asks for `app`: made from the settings in force, not at import."""
    if name in ("app", "celery"):
        return celery_app(Settings.load())
    raise AttributeError(name)


@cache
def celery_app(settings: Settings) -> Celery:
    """The tasks and their timetable. Misconfigured without a broker, or on SQLite, which serves one process."""
    refused = refusals(settings)
    if refused:
        raise Misconfigured(f"{refused[0].check}: {refused[0].advice}")
    if settings.broker_url is None:
        raise Misconfigured("Celery workers need GATEWAY_BROKER_URL; without it, run `gateway work`")
    app = Celery("gateway", broker=settings.broker_url)
    app.conf.update(_configuration(settings))
    for name, job in JOBS.items():
        app.task(name=name)(_task(job))
    return app


def hint_through(settings: Settings) -> Callable[[], None]:
    """A call that wakes a worker; raises within seconds when the broker is away."""
    app = celery_app(settings)
    return lambda: app.send_task(CARRY, retry=False, expires=settings.sweep_interval_seconds) and None


def arguments(concurrency: int) -> list[str]:
    """How `gateway work` starts Celery: the timetable in each worker (running a step twice is harmless)."""
    beat = ["--beat", "--scheduler", "celery.beat:Scheduler"]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    return ["worker", *beat, *quiet, "--concurrency", str(concurrency)]


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,
        "task_default_queue": "gateway",
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,  # our own lines stay one JSON document a line
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            "visibility_timeout": max(int(2 * settings.lease_seconds), 1),
            "socket_timeout": BROKER_SECONDS,
            "socket_connect_timeout": BROKER_SECONDS,
        },
        "beat_max_loop_interval": 1,
        "beat_schedule": {name: _every(name, seconds) for name, seconds in _timetable(settings).items()},
    }


def _timetable(settings: Settings) -> dict[str, float]:
    table = {
        CARRY: settings.sweep_interval_seconds,
        SEAL: settings.seal_interval_seconds,
        CHASE: CHASE_SECONDS,
        HOUSEKEEP: HOUSEKEEPING_SECONDS,
        BEAT: HOUSEKEEPING_SECONDS,
    }
    if settings.mesh_url:
        table[MESH] = settings.mesh_interval_seconds
    if settings.is_anchored:
        table[ANCHOR] = settings.anchor_interval_seconds
    return {**table, MAILBOX: settings.imap_interval_seconds} if settings.imap_url else table


def _every(task: str, seconds: float) -> dict[str, Any]:
    """Stale when the next one comes, so that a long stop of all workers leaves no queue of them."""
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}


class _House:
    """One worker process: its parts and the event loop on which their connections stay open."""

    def __init__(self) -> None:
        self.parts = build_parts(Settings.load())
        shout_of_development(self.parts)
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            self.runner.run(reapply_erasures(self.parts))
        except BaseException:
            self.leave()  # the database is away: every task that comes meanwhile tries anew, and must leave nothing behind
            raise

    def leave(self) -> None:
        self.runner.run(close(self.parts))
        self.runner.close()


@cache
def _house(process: int) -> _House:
    """Made in the process that uses it: connections and threads do not survive a fork."""
    assert process == os.getpid()
    return _House()


def _task(job: Job) -> Callable[[], None]:
    def task() -> None:
        house = _house(os.getpid())
        house.runner.run(_unless_contradicted(job, house.parts))

    return task


async def _unless_contradicted(job: Job, parts: Parts) -> None:
    """Nothing runs on a book that a witness showed to be an older or another one; anchoring goes on to say so."""
    if job is anchor_newest or not await parts.store.read(log.contradictions):
        await job(parts)


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _leave(**_: object) -> None:
    if _house.cache_info().currsize:
        _house(os.getpid()).leave()
