"""Builds the stage, brings the cast together, plays the story, and leaves the gateway up or takes it down."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import structlog

from adapters.mail.receiver import Receiver
from gateway.agency.client import AgencyClient, AgencyProblem, Unreachable
from gateway.app import system_clock
from gateway.console.sign_in import create_sign_in_link
from gateway.core.errors import Misconfigured
from gateway.core.messages import RoleId
from gateway.demo.partners import OwnMailServer, School, WebhookReceiver
from gateway.demo.partnership import (
    BUSINESS_UNIT,
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    SCHOOL,
    SECONDARY,
    Enrolment,
    enrol,
)
from gateway.demo.stage import Ports, Stage, prepare_folder, set_up
from gateway.demo.story import OFFICER, Cast, Step, StepFailed, play
from gateway.demo.week import AGREES, leave_a_week
from gateway.dispatch import intake
from gateway.moving_clock import MovingClock
from gateway.serving import Gateway, build, listening, running
from gateway.store.directory import WayRow
from gateway.store.serving_lock import is_held, serving_lock, turn
from keys.signing import FileSigner

DAYS_BACK = 28
LOCK = "serving.lock"
SPEAKERS = (POLICE, ICB, COUNCIL, BUSINESS_UNIT, HOSPITALS)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What was asked: where files go, whether to stop afterwards, which port, and how steps are told."""

    folder: Path
    once: bool
    port: int
    tell: Callable[[Step], None]
    tell_open: Callable[[str], None]


async def perform(asked: Demonstration) -> list[Step]:
    """Play it; the steps, the last of them not ok when something failed."""
    _quieten()
    real = system_clock()
    start_at = _working_morning(real - timedelta(days=DAYS_BACK))
    if not asked.once:
        _refuse_taken(asked.port, asked.port + 1, asked.port + 2)
    async with AsyncExitStack() as stack:
        folder = _fresh(asked.folder, real, stack)
        cast = await assemble(asked, folder, start_at, stack)
        try:
            await play(cast)
            await leave_a_week(cast, system_clock())
        except (StepFailed, AgencyProblem, Unreachable, TimeoutError) as fault:
            step = Step(str(fault) or "no answer came in time", False)
            cast.steps.append(step)
            asked.tell(step)
            return cast.steps
        if not asked.once:
            await _tell_where(asked, cast)
            await asyncio.Event().wait()
        return cast.steps


async def assemble(asked: Demonstration, folder: Path, start_at: datetime, stack: AsyncExitStack) -> Cast:
    """Everything that takes part, started in order and stopped in reverse."""
    ports_taken = (_free_port(), _free_port()) if asked.once else (asked.port, asked.port + 1)
    console_port = _free_port() if asked.once else asked.port + 2
    certificates = prepare_folder(folder, start_at, system_clock())
    clock = MovingClock(folder / "clock", system_clock)
    clock.move_to(start_at)
    mail_port = _free_port()
    webhook_port = _free_port()
    stage = set_up(folder, Ports(*ports_taken, mail_port, webhook_port, console_port), certificates, clock)
    gateway = build(stage.settings, clock)
    schools = {domain: School(domain, clock) for domain in ("harbour-view.example", "cliffside.example")}
    relay = Receiver(_deliver_to(schools), certificates.server(), mail_port)
    webhook = WebhookReceiver(certificates.server(), stage.webhook_secret)
    await relay.start()
    stack.push_async_callback(relay.stop)
    await webhook.start(webhook_port)
    stack.push_async_callback(webhook.stop)
    signers = {agency: FileSigner.generate(f"{agency}-1", "ES256") for agency in SPEAKERS}
    await enrol(gateway.parts, Enrolment(signers, _ways(gateway, stage, webhook_port)))
    await stack.enter_async_context(running(gateway))
    await stack.enter_async_context(listening(gateway))
    own = OwnMailServer(stage.settings.mail_authserv_id or "", schools)
    door = Receiver(_take_in(gateway, own), certificates.server())
    own_port = await door.start()
    stack.push_async_callback(door.stop)
    clients: dict[str, AgencyClient] = {}
    for agency, signer in signers.items():
        client = AgencyClient(
            stage.settings.public_url, agency, signer, clock=clock, tls=certificates.client()
        )
        clients[agency] = await stack.enter_async_context(client)
    return Cast(gateway, stage, clients, schools, webhook, own, own_port, asked.tell)


def _ways(gateway: Gateway, stage: Stage, webhook_port: int) -> tuple[WayRow, ...]:
    """The ICB's partner seat is told by webhook; schools are written to."""
    label = f"way:south-tyneside:{ICB}"
    secret = gateway.parts.keys.seal_secret(label, stage.webhook_secret.encode())
    url = f"https://localhost:{webhook_port}/hook"
    return (
        WayRow(ICB, RoleId("dsp-icb"), "webhook", url, secret),
        WayRow(SCHOOL, RoleId("dsl"), "mail", None, None),
        WayRow(SECONDARY, RoleId("dsl"), "mail", None, None),
    )


def _deliver_to(schools: dict[str, School]) -> Callable[[bytes, str, str], Any]:
    """The loopback mail catcher: one server that plays every school's."""

    async def take(raw: bytes, envelope_to: str, envelope_from: str) -> None:
        await schools[envelope_to.rpartition("@")[2]].take(raw)

    return take


def _take_in(gateway: Gateway, own: OwnMailServer) -> Callable[[bytes, str, str], Any]:
    """Our own mail server: checks, stamps, and stores before it says 250."""

    async def take(raw: bytes, envelope_to: str, envelope_from: str) -> None:
        parts = gateway.parts
        stamped = await asyncio.to_thread(own.stamped, raw)
        await intake.keep(parts, "receiver", stamped, envelope_to=envelope_to, arrived_at=parts.clock())

    return take


def _fresh(folder: Path, real: datetime, stack: AsyncExitStack) -> Path:
    """A folder for this run alone, held until `stack` ends, so that each demonstration has its own database and log.

    Older runs are removed, but for one that is still up. Raises Misconfigured where nothing can be written.
    """
    try:
        for made in (folder.parent, folder):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        with turn(folder):
            for older in folder.glob("run-*"):
                if not is_held(older / LOCK):
                    shutil.rmtree(older, ignore_errors=True)
            own = Path(mkdtemp(prefix=f"run-{real:%Y%m%dT%H%M%S}-", dir=folder))
            stack.enter_context(serving_lock(own / LOCK))
            return own
    except OSError as fault:
        raise Misconfigured(
            f"{folder} cannot be written ({fault.strerror}): name another with --folder"
        ) from None


def _working_morning(day: datetime) -> datetime:
    """The Monday on or before a day, at ten in the morning."""
    monday = day - timedelta(days=day.weekday())
    return monday.replace(hour=10, minute=0, second=0, microsecond=0)


def _refuse_taken(*ports: int) -> None:
    """Before anything is touched: Misconfigured when somebody else listens where this would."""
    for port in ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            raise Misconfigured(
                f"cannot listen on port {port}: stop what does, or choose others with --port"
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _tell_where(asked: Demonstration, cast: Cast) -> None:
    settings = cast.stage.settings
    link = await create_sign_in_link(cast.gateway.parts, OFFICER)
    command = f"GATEWAY_SETTINGS_FILE={cast.stage.settings_file} .venv/bin/gateway"
    asked.tell_open(
        f'\nThe gateway stays up. Open the link of "Sign in"; the README says what to try first.\n'
        f"  Sign in   {link}  (works once, for 15 minutes)\n"
        f'  Again     {command} console link --officer "{OFFICER}"  (or --officer "{AGREES}", who agrees to what you ask)\n'
        f"  API       {settings.public_url}  (certificate: {cast.stage.certificates.authority})\n"
        f"  Console   {settings.console_url}/console/\n"
        f"  Operator  http://{settings.operator_listen}/readyz\n"
        f"  Evidence  {asked.folder}/evidence.zip, {asked.folder}/evidence-erased.zip, {asked.folder}/policy.json\n"
        f"  Commands  {command} duties list\n"
        "Stop with Ctrl-C."
    )


def _quieten() -> None:
    """Steps are told in words; the log keeps to warnings, and says nothing of keys that shout by design."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
