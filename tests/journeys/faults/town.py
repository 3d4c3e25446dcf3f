"""The deployment under fault: serving processes, workers, PostgreSQL, Valkey, the lines between them, a partner, and submitters.

Both modes of dispatch share the database: one serving process has no broker and carries by its own loop beside the Celery workers.
Submitters send the same bytes until somebody answers; everything else is the gateway's own affair.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import trustme

from gateway.agency.client import AgencyClient, AgencyProblem, Unreachable
from gateway.app import system_clock
from gateway.core.messages import AgencyId, IncidentId
from gateway.demo import invented
from gateway.demo.partnership import AGENCIES, HOSPITALS, POLICE
from gateway.settings import Settings
from keys.signing import FileSigner
from tests.bench.house import document
from tests.journeys.deployment import client_tls, set_up
from tests.journeys.faults.far_end import FarEnd, far_end
from tests.journeys.faults.machines import Broker, Child, Children, Postgres, postgres
from tests.journeys.faults.network import Line
from tests.journeys.faults.plan import Fault, Scale, faults
from tests.journeys.mortal_gateway import toml
from tests.journeys.test_kill import inhabit
from tests.mail_servers import free_ports

WEBHOOK_SECONDS = 1.5
RETURNS = 4  # to each referral
REPEATED = 0.1  # the share of answered submissions that are sent once more
AGAIN_SECONDS = 0.3
SEALING = """SELECT application_name FROM pg_stat_activity WHERE state <> 'idle' AND datname = 'book'
    AND (query ILIKE 'UPDATE entry SET leaf_index%' OR query ILIKE 'INSERT INTO checkpoint%' OR query ILIKE '%INTO tile%')"""


class Contradicted(AssertionError):
    """The same submission was answered twice, in two ways."""


@dataclass
class Town:
    """Everything that stands, and what was seen."""

    scale: Scale
    settings: Settings  # of the judge, who reaches the database by no line that is cut
    database: Postgres
    broker: Broker
    children: Children
    to_gateway: Line
    to_database: Line
    partner: FarEnd
    keys: dict[AgencyId, FileSigner]
    authority: trustme.CA
    drawn: random.Random
    answers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refusals: Counter[str] = field(
        default_factory=Counter
    )  # what submitters were told before they had an answer
    repeats: int = 0
    befell: Counter[Fault] = field(default_factory=Counter)
    is_over: bool = False  # submitters wait for their last answers and go

    def client(self, agency: AgencyId) -> AgencyClient:
        return AgencyClient(
            self.settings.public_url,
            agency,
            self.keys[agency],
            clock=system_clock,
            tls=client_tls(self.authority),
            pauses_seconds=(0.2, 0.5),
        )

    # --- submitting ---------------------------------------------------------------------------------------------------

    async def submit_for_ever(self, number: int) -> None:
        """One submitter: a referral, its returns, and another, until all is over; what was sent is answered first."""
        async with self.client(POLICE) as police, self.client(HOSPITALS) as hospitals:
            for turn in range(1_000_000):
                made = json.loads(document("referral", f"referral-{number}-{turn}", None))
                opened = await self.submit(police, made)
                for back in range(RETURNS):
                    if self.is_over:
                        return
                    answer = invented.message(
                        "information-return",
                        system_clock(),
                        f"return-{number}-{turn}-{back}",
                        IncidentId(opened["incident"]),
                        in_reply_to=opened["id"],
                    )
                    await self.submit((police, hospitals)[back % 2], answer)

    async def submit(self, client: AgencyClient, made: dict[str, Any]) -> dict[str, Any]:
        """Until answered; then, now and then, once more: the answer must be the same."""
        answer = await self._until_answered(client, made)
        self.answers[client.client_id, made["reference"]] = answer
        await asyncio.sleep(self.scale.pause_seconds)
        if self.drawn.random() < REPEATED:
            self.repeats += 1
            if await self._until_answered(client, made) != answer:
                raise Contradicted(made["reference"])
        return answer

    async def _until_answered(self, client: AgencyClient, made: dict[str, Any]) -> dict[str, Any]:
        while True:
            try:
                return await client.submit(made)
            except Unreachable:
                self.refusals["no answer"] += 1
            except AgencyProblem as problem:
                # A process whose clock is wrong believes no proof of possession, and no assertion.
                if problem.status not in (400, 401) and problem.status < 500:
                    raise
                self.refusals[f"{problem.status} {problem.code}"] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    # --- faults -------------------------------------------------------------------------------------------------------

    async def suffer(self) -> None:
        """Faults, one after another, for as long as the scale says and until every kind has befallen."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.scale.seconds
        wanted = len(self.possible) * self.scale.rounds
        for fault in faults(self.scale.seed, self.scale.rounds):
            if loop.time() >= until and self.befell.total() >= wanted:
                return
            if fault in self.possible:
                await self.befall(fault)
                self.befell[fault] += 1
                await asyncio.sleep(self.scale.gap_seconds)

    @property
    def possible(self) -> frozenset[Fault]:
        """What this machine lets be done: a small disk must be mounted, a clock needs Debian's faketime."""
        impossible = {Fault.DISK} if self.database.disk is None else set()
        if not any(child.clock_file for child in self.children.every):
            impossible.add(Fault.CLOCK)
        return frozenset(set(Fault) - impossible)

    async def befall(self, fault: Fault) -> None:
        acts: dict[Fault, Callable[[], Awaitable[object]]] = {
            Fault.API: lambda: self._kill("api"),
            Fault.WORKER: lambda: self._kill("worker"),
            Fault.SEQUENCER: self._kill_sequencer,
            Fault.BROKER: lambda: asyncio.to_thread(self.broker.die_and_return, 1.0),
            Fault.DATABASE: self._kill_database,
            Fault.CLIENTS_CUT: lambda: self.to_gateway.cut(1.0),
            Fault.DATABASE_CUT: lambda: self.to_database.cut(1.0),
            Fault.DISK: self._fill_disk,
            Fault.CLOCK: self._step_clock,
            Fault.PAUSE: lambda: self.drawn.choice(self.children.every).pause(2.0),
        }
        await acts[fault]()

    async def _kill(self, prefix: str) -> None:
        self.drawn.choice(self.children.named(prefix)).kill()

    async def _kill_sequencer(self) -> None:
        """Looked for in PostgreSQL's own list of what runs, until somebody is in the middle of it."""
        async with asyncio.timeout(60):
            while True:
                name = await asyncio.to_thread(self._who_seals)
                for child in self.children.every:
                    if child.name == name:
                        child.kill()
                        return

    def _who_seals(self) -> str | None:
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(
                host=str(self.database.folder), user="postgres", dbname="postgres", autocommit=True
            ) as link,
        ):
            for _ in range(2_000):
                for (name,) in link.execute(SEALING).fetchall():
                    return str(name)
        return None

    async def _kill_database(self) -> None:
        await asyncio.to_thread(self.database.kill)
        await asyncio.to_thread(self.database.start)

    async def _fill_disk(self) -> None:
        ballast = await asyncio.to_thread(self.database.fill_disk)
        await asyncio.sleep(2.0)
        ballast.unlink()

    async def _step_clock(self) -> None:
        """Forward, back, or right again."""
        child = self.drawn.choice([child for child in self.children.every if child.clock_file])
        step = self.scale.clock_step_seconds
        child.step_clock(self.drawn.choice((-step, 0, step)))

    def calm(self) -> None:
        """Nothing goes wrong any more, clocks are right, and nothing new is sent."""
        self.is_over = True
        self.partner.is_calm = True
        for child in self.children.every:
            if child.clock_file:
                child.step_clock(0)


@asynccontextmanager
async def town(scale: Scale, folder: Path) -> AsyncIterator[Town]:
    """Furnished; no process runs yet."""
    authority = trustme.CA()
    async with AsyncExitStack() as stack:
        database = stack.enter_context(postgres(scale.disk_mib))
        for name in ("book", "custody"):
            database.database(name)
        broker = Broker()
        stack.callback(broker.close)
        partner = await stack.enter_async_context(far_end(authority, scale.seed, WEBHOOK_SECONDS))
        settings = set_up(
            folder, authority, fetch_development_hosts=[partner.host], **_settings(database, broker)
        )
        keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
        await inhabit(settings, keys, partner)
        wire = folder / "wire"
        wire.mkdir()
        to_database = Line(wire / ".s.PGSQL.5432", [database.socket])
        children, ports = _children(scale, folder, database, wire)
        to_gateway = Line(int(settings.listen.rpartition(":")[2]), ports)
        for line in (to_database, to_gateway):
            await line.open()
            stack.push_async_callback(line.close)
        here = Town(
            *(scale, settings, database, broker, children, to_gateway, to_database, partner, keys, authority),
            drawn=random.Random(scale.seed),
        )
        stack.push_async_callback(children.stop)
        yield here


def _settings(database: Postgres, broker: Broker) -> dict[str, Any]:
    return {
        "database_url": database.url("book"),
        "custody_url": database.url("custody"),
        "broker_url": f"redis://127.0.0.1:{broker.port}/0",
        "webhook_timeout_seconds": WEBHOOK_SECONDS,
        "lease_seconds": 4.0,
        "sweep_interval_seconds": 0.5,
        "seal_interval_seconds": 0.5,
        "store_connections": 4,
        **dict.fromkeys(
            (
                f"{who}_{limit}"
                for who in ("address", "client")
                for limit in ("requests_per_second", "burst_requests")
            ),
            100_000,
        ),
    }


def _children(
    scale: Scale, folder: Path, database: Postgres, wire: Path
) -> tuple[Children, list[int | Path]]:
    """Their settings files. The first serving process has no broker, so it carries and seals; it and the last have clocks of their
    own. Celery's pool cannot sleep under libfaketime (EINVAL), so no worker has.
    """
    has_clock = shutil.which("faketime") is not None
    common = tomllib.loads((folder / "gateway.toml").read_text())
    children, ports = Children(), free_ports(2 * scale.apis)
    names = [("api", ("serve",))] * scale.apis + [("worker", ("work", "--processes", "1"))] * scale.workers
    counted: Counter[str] = Counter()
    for kind, words in names:
        counted[kind] += 1
        number, name = counted[kind], f"{kind}-{counted[kind]}"
        mine = common | {
            "database_url": database.url("book", wire, name),
            "custody_url": database.url("custody", wire, name),
        }
        if kind == "api":
            mine["listen"] = f"127.0.0.1:{ports[number - 1]}"
            mine["operator_listen"] = f"127.0.0.1:{ports[scale.apis + number - 1]}"
            if number == 1:
                del mine["broker_url"]
        file = folder / f"{name}.toml"
        file.write_text(toml(mine))
        clock = None
        if has_clock and kind == "api" and number in (1, scale.apis):
            clock = folder / f"{name}.clock"
            clock.write_text("+0")
        children.every.append(Child(name, words, file, clock))
    return children, list(ports[: scale.apis])


def machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
