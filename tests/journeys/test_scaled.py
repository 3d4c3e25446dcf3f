"""On PostgreSQL with Celery over Valkey: API processes that only answer, workers that do the work, and whatever dies loses nothing.

The broker's memory is worth nothing: Valkey is killed in the middle and comes back empty, a worker is killed with its
children, and everything that was answered is delivered all the same, once by id.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
import trustme

from gateway.agency.client import AgencyClient
from gateway.api.operator import operator_app
from gateway.app import build_parts, close, system_clock
from gateway.core.errors import Unavailable
from gateway.core.messages import AgencyId, IncidentId
from gateway.demo import invented
from gateway.demo.partnership import AGENCIES, HOSPITALS, POLICE
from gateway.ledger.checkpoint import log_key, origin_at, sign_checkpoint
from gateway.settings import Settings
from keys import custody as key_ring
from keys.signing import DEVELOPMENT_PREFIX, FileSigner
from tests.journeys.deployment import client_tls, eventually, number_of, set_up
from tests.journeys.mortal_gateway import command, environment, toml
from tests.journeys.test_kill import inhabit, partners_web_server
from tests.notaries import WitnessHere, WitnessProcess, lying_witness, make_witness
from tests.partner_agency import WebhookServer
from tests.servers import PostgresServer, free_port, valkey_server

INCIDENTS, RETURNS = 6, 5


class _Immortal:
    """The web server of a partner tells of what it was told; here nobody dies of it."""

    def happened(self, kind: str) -> None:
        pass


@contextmanager
def process(settings_file: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """One `gateway` command in a process group of its own, which is stopped at the end if it still lives."""
    log = settings_file.with_suffix(f".{words[0]}.log").open("ab")
    running = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment(settings_file),
        cwd=settings_file.parent,
        start_new_session=True,
    )
    log.close()
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(30)


def kill_with_children(running: subprocess.Popen[bytes]) -> None:
    os.killpg(running.pid, signal.SIGKILL)
    running.wait(10)


@asynccontextmanager
async def partner(authority: trustme.CA) -> AsyncIterator[WebhookServer]:
    async with partners_web_server(authority, _Immortal()) as webhook:  # type: ignore[arg-type]
        yield webhook


async def submit_a_life(clients: dict[Any, AgencyClient], number: int) -> None:
    """A referral and its returns, each answered."""
    answer = await clients[POLICE].submit(invented.referral(system_clock(), f"referral-{number}"))
    for turn in range(RETURNS):
        made = invented.message(
            "information-return",
            system_clock(),
            f"return-{number}-{turn}",
            IncidentId(answer["incident"]),
            in_reply_to=answer["id"],
        )
        await clients[HOSPITALS].submit(made)


async def nothing_waits(settings: Settings, webhook: WebhookServer) -> None:
    """Until everything is delivered and sealed; every webhook delivery reached its partner under its one id."""
    parts = build_parts(settings)
    try:

        async def still() -> bool | None:
            waiting = await number_of(parts, "delivery WHERE state = 'pending'")
            unsealed = await number_of(parts, "entry WHERE leaf_index IS NULL")
            return None if waiting or unsealed else True

        await eventually(still, "workers to carry and to seal")
        assert await number_of(parts, "message WHERE client IS NOT NULL") == INCIDENTS * (1 + RETURNS)
        told = await number_of(parts, "delivery WHERE adapter = 'webhook' AND state = 'delivered'")
        assert told == await number_of(parts, "delivery WHERE adapter = 'webhook'") == len(webhook.known) > 0
    finally:
        await close(parts)


@dataclass(frozen=True)
class Deployment:
    """What stands before any process runs."""

    settings: Settings
    file: Path
    clients: dict[AgencyId, AgencyClient]
    webhook: WebhookServer


@asynccontextmanager
async def deployment(folder: Path, postgres: PostgresServer, **more: Any) -> AsyncIterator[Deployment]:
    """Databases, enrolled partners and their clients, which go on asking while nothing serves."""
    authority = trustme.CA()
    databases = [postgres.fresh_database(), postgres.fresh_database()]
    async with AsyncExitStack() as stack:
        for url in databases:
            stack.callback(postgres.give_back, url)
        webhook = await stack.enter_async_context(partner(authority))
        settings = set_up(
            folder,
            authority,
            database_url=databases[0],
            custody_url=databases[1],
            fetch_development_hosts=[webhook.host],
            lease_seconds=3.0,
            sweep_interval_seconds=0.5,
            seal_interval_seconds=0.2,
            **more,
        )
        keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
        await inhabit(settings, keys, webhook)
        clients = {}
        for agency in (POLICE, HOSPITALS):
            client = AgencyClient(
                settings.public_url,
                agency,
                keys[agency],
                clock=system_clock,
                tls=client_tls(authority),
                pauses_seconds=(0.2,) * 200,
            )
            clients[agency] = await stack.enter_async_context(client)
        yield Deployment(settings, folder / "gateway.toml", clients, webhook)


@pytest.mark.timeout(180)
async def test_workers_deliver_all_that_was_answered_though_the_broker_and_a_worker_are_killed(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    port, witness = free_port(), witness_of(tmp_path)
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(
            deployment(
                tmp_path,
                postgres,
                broker_url=f"redis://127.0.0.1:{port}/0",
                witnesses=[witness.setting],
                anchor_interval_seconds=1.0,
            )
        )
        witness.start()
        stack.callback(witness.kill)
        broker = stack.enter_context(ExitStack())
        broker.enter_context(valkey_server(port))
        serving = stack.enter_context(process(here.file, "serve"))
        doomed = stack.enter_context(process(here.file, "work", "--processes", "1"))

        await submit_a_life(here.clients, 0)
        await eventually(lambda: _any(here.webhook), "the first worker to carry something")
        kill_with_children(doomed)
        await asyncio.to_thread(broker.close)  # and with it whatever was queued
        for number in range(1, INCIDENTS):
            await submit_a_life(here.clients, number)  # answered all the same: nothing is enqueued on the way
        broker.enter_context(valkey_server(port))
        stack.enter_context(process(here.file, "work", "--processes", "2"))
        await nothing_waits(here.settings, here.webhook)

        status, out, err = await command(here.file, "reconcile", "--json")
        assert status == 0, (out, err)
        figures = json.loads(out)
        assert figures["unexplained"] == figures["pending"] == figures["failed"] == 0
        await workers_anchor_and_all_stops_when_a_witness_shows_another_log(here.settings, witness, serving)
    followed_from_door_to_worker(tmp_path)


def followed_from_door_to_worker(folder: Path) -> None:
    """The serving process and the workers say the same trace of one message, whichever of them carried it."""
    door = {
        line["message"]: line["trace"]
        for line in logged(folder, "serve")
        if line["event"] == "message.accepted"
    }
    carried = [line for line in logged(folder, "work") if line["event"] == "delivery.attempted"]
    seen = [line for line in carried if line["message"] in door]
    spared = list(door)[
        1 + RETURNS :
    ]  # of the first life the killed worker may have recorded one and not said so
    assert {line["message"] for line in seen} >= set(spared)
    assert all(line["trace"] == door[line["message"]] for line in seen)
    assert len(set(door.values())) == len(door) == INCIDENTS * (1 + RETURNS)


def logged(folder: Path, word: str) -> list[dict[str, Any]]:
    """The JSON lines that the processes of one command wrote."""
    lines = (folder / f"gateway.{word}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def witness_of(folder: Path) -> WitnessProcess:
    """A witness of the deployment's log, whose keys are made here."""
    key_ring.create(folder / "keys", DEVELOPMENT_PREFIX)
    vkey = str(log_key(ORIGIN, key_ring.load(folder / "keys").log))
    return make_witness(folder / "witness", "witness.example", [vkey], WitnessHere)


ORIGIN = origin_at(Settings(mode="development").issuer, system_clock(), None)


async def workers_anchor_and_all_stops_when_a_witness_shows_another_log(
    settings: Settings, witness: WitnessProcess, serving: subprocess.Popen[bytes]
) -> None:
    """The workers ask; what they are shown stops the processes that only answer, and readiness says so meanwhile."""
    parts = build_parts(settings)
    operator = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=operator_app(parts)), base_url="http://operator"
    )

    async def anchored() -> bool | None:
        shown, made = await number_of(parts, "anchor"), await number_of(parts, "filler")
        return True if shown > 1 and made else None

    async def unready() -> bool | None:
        answer = await operator.get("/readyz")
        return True if answer.status_code == 503 and answer.json()["reason"] == "log-contradicted" else None

    try:
        await eventually(anchored, "workers to have the log confirmed, step by step")
        assert await unready() is None
        witness.kill()
        with lying_witness(witness.port) as liar:
            liar.posted = (409, b"1000000\n")
            own = sign_checkpoint(parts.keys.log, ORIGIN, 1_000_000, bytes(32))
            liar.shown = (200, own.encode())
            await eventually(unready, "readiness to say that the log is contradicted")
            assert await asyncio.to_thread(serving.wait, 30) == 2
    finally:
        await operator.aclose()
        await close(parts)


async def _any(webhook: WebhookServer) -> bool | None:
    return True if webhook.known else None


@pytest.mark.timeout(180)
async def test_a_worker_without_a_broker_delivers_what_a_killed_process_had_answered(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """`gateway work` beside a serving process finds the work by itself, and ends in order when told."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(deployment(tmp_path, postgres))
        worker = stack.enter_context(process(here.file, "work"))
        serving = stack.enter_context(process(here.file, "serve"))
        await here.clients[POLICE].submit(invented.referral(system_clock(), "referral-1"))
        kill_with_children(serving)
        parts = build_parts(here.settings)
        stack.push_async_callback(close, parts)

        async def told() -> bool | None:
            owed = await number_of(parts, "delivery WHERE adapter = 'webhook'")
            unsealed = await number_of(parts, "entry WHERE leaf_index IS NULL")
            return True if len(here.webhook.known) == owed > 0 and not unsealed else None

        await eventually(told, "the worker to carry and seal what was left")
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 30) == 0


async def test_messages_through_the_broker_carry_nothing_about_anybody(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """What stands in Valkey is the name of a task; a worker that never comes leaves no growing queue behind."""
    from gateway.dispatch.celery_worker import CARRY, hint_through  # celery takes half a second

    with valkey_server() as server:
        settings = Settings(
            mode="development",
            broker_url=server.url,
            database_url="postgresql+psycopg://nobody@/none",
            custody_url="postgresql+psycopg://nobody@/none2",
            var_dir=tmp_path,
        )
        hint_through(settings)()
        with redis.Redis(port=server.port) as link:
            (message,) = link.lrange("gateway", 0, -1)
    document = json.loads(message)
    assert document["headers"]["task"] == CARRY
    assert document["headers"]["expires"] is not None
    assert json.loads(base64.b64decode(document["body"]))[:2] == [[], {}]


def test_a_worker_that_finds_no_database_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every task that comes while the database is away would otherwise leave a dozen threads and a loop."""
    from gateway.dispatch.celery_worker import _House  # celery takes half a second

    key_ring.create(tmp_path / "keys", DEVELOPMENT_PREFIX)
    nowhere = f"postgresql+psycopg://nobody@/none?host={tmp_path}"
    file = tmp_path / "gateway.toml"
    values = {
        "mode": "development",
        "var_dir": str(tmp_path),
        "keys_dir": str(tmp_path / "keys"),
        "database_url": nowhere,
        "custody_url": f"{nowhere}2",
    }
    file.write_text(toml(values))
    monkeypatch.setenv("GATEWAY_SETTINGS_FILE", str(file))
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(Unavailable):
            _House()
    assert threading.active_count() == before
