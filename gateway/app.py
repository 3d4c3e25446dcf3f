"""The composition root: settings become parts, parts become a running gateway. The only file that names adapters.

Also the only place where the time is read: every other room is given the clock.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.routing import Mount

from adapters.fetch import Fetcher
from adapters.inbox import InboxAdapter
from adapters.mail.findings import Expected
from adapters.mail.letter import Correspondence, LetterFacts, as_html, dsl_letter_subject, dsl_letter_text
from adapters.mail.mailbox import Mailbox, RawMail, account_from_url, trouble_code
from adapters.mail.reading import read_mail
from adapters.mail.sending import MailAdapter, relay_from_url
from adapters.webhook import WebhookAdapter
from gateway.api.application import agency_api
from gateway.console.application import console_app, console_site
from gateway.console.door import BASE as CONSOLE
from gateway.core.deliveries import Adapter, Letter
from gateway.core.errors import Misconfigured
from gateway.core.replies import MailExpected, MailReading
from gateway.dispatch import intake
from gateway.dispatch.loop import Dispatch
from gateway.moving_clock import MovingClock
from gateway.parts import Clock, Partnerships, Parts
from gateway.settings import Settings
from gateway.store import mail as mail_rows
from gateway.store import tables
from gateway.store.serving_lock import serving_lock
from gateway.store.transaction import Store
from keys import custody

MAILBOX = "mailbox"
STARTED = time.monotonic()

_log = structlog.get_logger()


def system_clock() -> datetime:
    """The time now, aware UTC."""
    return datetime.now(UTC)


def clock_of(settings: Settings) -> Clock:
    """The system's clock, or in development one that can be moved."""
    if settings.clock == "development" and not settings.is_production:
        return MovingClock(settings.var_dir / "clock", system_clock)
    return system_clock


def local_today() -> date:
    return datetime.now(ZoneInfo("Europe/London")).date()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs in this process: its parts, its web application and what runs beside it."""

    parts: Parts
    web: FastAPI
    dispatch: Dispatch
    ways_in: frozenset[str]


def build_parts(settings: Settings, clock: Clock | None = None) -> Parts:
    """Open keys, stores and adapters; Misconfigured with one line when something is unsafe or missing."""
    _log_to_standard_error()
    clock = clock or clock_of(settings)
    refusals = settings.refusals()
    if refusals:
        raise Misconfigured(f"{refusals[0].check}: {refusals[0].advice}")
    try:
        keys = custody.load(settings.keys_dir)
    except (OSError, ValueError, KeyError):
        raise Misconfigured(f"no usable keys in {settings.keys_dir}: run `gateway init`") from None
    if keys.are_for_development:
        _log.warning(
            "keys.for_development",
            advice="anyone who can read them can forge receipts; never use them for real",
        )
    adapters = _adapters(settings, clock)  # what refuses to be set up does so before anything is opened
    book = Store.open(settings.book_url, tables.book, queue_limit=settings.store_queue_length)
    custody_store = Store.open(
        settings.keys_book_url, tables.custody, queue_limit=settings.store_queue_length
    )
    return Parts(
        settings=settings,
        clock=clock,
        store=book,
        custody=custody_store,
        keys=keys,
        partnerships=Partnerships(book, clock),
        adapters=adapters,
        compose=compose_letter,
        read_mail=_mail_reader(settings),
    )


def _log_to_standard_error() -> None:
    """One JSON line a fact on standard error: standard output belongs to what a command answers."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def build(settings: Settings, clock: Clock | None = None) -> Gateway:
    """Everything that serves in one process."""
    parts = build_parts(settings, clock)
    ways_in = frozenset({MAILBOX}) if settings.imap_url else frozenset()
    dispatch = Dispatch(parts, ways_in)
    web = agency_api(parts)
    web.router.routes.append(Mount(CONSOLE, console_app(parts)))
    return Gateway(parts, web, dispatch, ways_in)


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Dispatch and mailbox run while this lasts; afterwards everything is closed in order."""
    gateway.dispatch.start()
    stop = threading.Event()
    watcher = _watch_mailbox(gateway, stop) if gateway.ways_in else None
    try:
        yield gateway
    finally:
        stop.set()
        await gateway.dispatch.stop()
        if watcher is not None:
            await asyncio.wait_for(watcher, 30)
        await close(gateway.parts)


async def close(parts: Parts) -> None:
    for adapter in parts.adapters.values():
        await adapter.aclose()
    await parts.store.aclose()
    await parts.custody.aclose()


async def serve(
    settings: Settings, clock: Clock | None = None, ready: Callable[[], None] | None = None
) -> None:
    """Serve until told to stop. On SQLite one serving process holds the lock."""
    lock = serving_lock(settings.var_dir / "serving.lock") if settings.is_on_sqlite else None
    if lock is None:
        await _serve(settings, clock, ready)
        return
    with lock:
        await _serve(settings, clock, ready)


async def _serve(settings: Settings, clock: Clock | None, ready: Callable[[], None] | None) -> None:
    """Ports are taken before anything is opened; agencies are drained before the operator's listener goes."""
    with ExitStack() as ports:
        sockets = _ports(ports, settings)
        gateway = build(settings, clock)
        async with running(gateway):
            servers = _servers(gateway)
            with _stopped_by_signals(servers[0]):
                await _together(servers, sockets, ready)


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[None]:
    """The listeners of a gateway that runs as part of something else, which stops them: the demonstration."""
    with ExitStack() as ports:
        sockets, servers = _ports(ports, gateway.parts.settings), _servers(gateway)
        up = asyncio.Event()
        task = asyncio.create_task(_together(servers, sockets, up.set))
        await asyncio.wait([task, asyncio.create_task(up.wait())], return_when=asyncio.FIRST_COMPLETED)
        try:
            yield
        finally:
            servers[0].should_exit = True
            await task


def _ports(held: ExitStack, settings: Settings) -> list[socket.socket | None]:
    """What `_servers` listen on, in their order."""
    wanted = [(settings.listen, "LISTEN"), (settings.operator_listen, "OPERATOR_LISTEN")]
    if settings.console_listen is not None:
        wanted.append((settings.console_listen, "CONSOLE_LISTEN"))
    return [_port(held, listen, setting) for listen, setting in wanted]


def _servers(gateway: Gateway) -> list[uvicorn.Server]:
    """The agencies' listener, the operator's, and in development the console's own."""
    settings = gateway.parts.settings
    servers = [web_server(gateway.web, settings), operator_server(gateway.parts)]
    return [*servers, console_server(gateway.parts)] if settings.console_listen is not None else servers


async def _together(
    servers: list[uvicorn.Server], sockets: list[socket.socket | None], ready: Callable[[], None] | None
) -> None:
    """Run until one of them ends, then end the others."""
    tasks = [
        asyncio.create_task(server.serve([port] if port else None))
        for server, port in zip(servers, sockets, strict=True)
    ]
    for server, task in zip(servers, tasks, strict=True):
        await _started(server, task)
    if ready is not None and all(server.started for server in servers):
        ready()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    """uvicorn tells of its start by a flag alone."""
    while not server.started and not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def _port(held: ExitStack, listen: str, setting: str) -> socket.socket | None:
    """The bound port; None for a unix socket, which uvicorn makes. Misconfigured when it cannot be had."""
    if listen.startswith("unix:"):
        return None
    host, port = _host_and_port(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return held.enter_context(socket.create_server((host, port), family=family, backlog=2048))
    except OSError as fault:
        taken = fault.errno == errno.EADDRINUSE
        why = "something else listens there" if taken else "this machine does not give it"
        raise Misconfigured(
            f"cannot listen on {listen}: {why}; stop that, or set GATEWAY_{setting} to another host:port"
        ) from None


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and SIGINT drain: running requests end, then dispatch, then the stores. A second SIGINT does not wait."""
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone: whoever runs this in another one stops it in his own way
        return

    def stop(by: signal.Signals) -> None:
        server.force_exit = server.should_exit and by is signal.SIGINT
        server.should_exit = True

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop, one)
    try:
        yield
    finally:
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(one)


class _Listener(uvicorn.Server):
    """A listener that leaves signals to `serve`, which stops everything in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def web_server(web: FastAPI, settings: Settings) -> uvicorn.Server:
    """The agencies' listener: TLS of our own, or a unix socket behind the proxy that ends TLS."""
    listen: dict[str, Any] = {}
    if settings.listen.startswith("unix:"):
        listen["uds"] = settings.listen.removeprefix("unix:")
    else:
        listen["host"], listen["port"] = _host_and_port(settings.listen)
    if settings.tls_cert_file is not None:
        listen |= {"ssl_certfile": str(settings.tls_cert_file), "ssl_keyfile": str(settings.tls_key_file)}
        listen["ssl_context_factory"] = _tls_from_1_2
    config = _quiet(web, settings.drain_seconds, listen)
    try:
        config.load()
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            "the certificate or its key cannot be used: mend GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE"
        ) from None
    return _Listener(config)


def operator_server(parts: Parts) -> uvicorn.Server:
    """Health and metrics, on the operator's listener only."""
    from gateway.api.operator import operator_app

    listen: dict[str, Any] = {}
    if parts.settings.operator_listen.startswith("unix:"):
        listen["uds"] = parts.settings.operator_listen.removeprefix("unix:")
    else:
        listen["host"], listen["port"] = _host_and_port(parts.settings.operator_listen)
    return _Listener(_quiet(operator_app(parts), 1, listen))


def console_server(parts: Parts) -> uvicorn.Server:
    """The console alone without TLS, on loopback: in development only, where browsers refuse our certificate."""
    host, port = _host_and_port(parts.settings.console_listen or "")
    return _Listener(_quiet(console_site(parts), 1, {"host": host, "port": port}))


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _quiet(web: Any, drain_seconds: float, listen: Mapping[str, Any]) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=int(drain_seconds),
        **listen,
    )


def _tls_from_1_2(config: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _adapters(settings: Settings, clock: Clock) -> dict[str, Adapter]:
    """The registry of ways out. A way that is not set up is absent, and the rules' check says so."""
    tls = ssl.create_default_context(cafile=str(settings.fetch_ca_file) if settings.fetch_ca_file else None)
    fetcher = Fetcher(
        tls=tls,
        development_hosts=settings.fetch_development_hosts,
        total_seconds=settings.webhook_timeout_seconds,
    )
    found: dict[str, Adapter] = {
        "inbox": InboxAdapter(),
        "webhook": WebhookAdapter(fetcher, clock, settings.public_url),
    }
    if settings.smtp_url:
        found["mail"] = _mail_adapter(settings)
    return found


def _mail_adapter(settings: Settings) -> MailAdapter:
    if not settings.mail_domain or not settings.mail_from:
        raise Misconfigured("GATEWAY_SMTP_URL needs GATEWAY_MAIL_DOMAIN and GATEWAY_MAIL_FROM besides")
    relay = relay_from_url(
        _with_password(settings.smtp_url or "", settings.smtp_password_file),
        str(settings.smtp_ca_file) if settings.smtp_ca_file else None,
    )
    name, address = parseaddr(settings.mail_from)
    return MailAdapter(relay, Correspondence(settings.mail_domain, address, name or settings.mail_domain))


def _mail_reader(settings: Settings) -> Callable[[bytes, MailExpected], MailReading]:
    """The mail reader with this deployment's trusted server; see `adapters.mail.reading`."""

    def read(raw: bytes, expected: MailExpected) -> MailReading:
        reading = read_mail(
            raw,
            Expected(
                enrolled=expected.enrolled,
                authserv_id=settings.mail_authserv_id,
                envelope_to=expected.envelope_to,
                letters=expected.letters,
            ),
        )
        contract = reading.contract()
        answers = contract["answers"]
        return MailReading(
            reading.kind.value,
            reading.verdict.value,
            reading.reference,
            reading.token,
            answers if isinstance(answers, dict) else {},
            reading.flags,
            reading.reasons,
            {**contract, "sender": reading.sender},
        )

    return read


def compose_letter(templates: Mapping[str, str], document: Mapping[str, Any], token: str | None) -> Letter:
    """A message as an e-mail: the pack's letter for its type, or a notice without content that something waits."""
    if document["type"] == "dsl-letter":
        return _dsl_letter(templates, document, token)
    subject = f"Safeguarding gateway: a message waits, incident {document['incident']}"
    text = (
        "A message about a safeguarding incident waits for your agency in the gateway.\n\n"
        f"Incident: {document['incident']}\n\nPlease collect it with your agency's system. "
        "This e-mail carries no details on purpose.\n"
    )
    return Letter(subject, text, as_html(text))


def _dsl_letter(templates: Mapping[str, str], document: Mapping[str, Any], token: str | None) -> Letter:
    body = document["body"]
    born_on = body.get("child_date_of_birth")
    facts = LetterFacts(
        reference=body["letter_reference"],
        date_on=datetime.fromisoformat(document["created_at"]).astimezone(ZoneInfo("Europe/London")).date(),
        council=body["council"],
        school=body["school_name"],
        dsl_names=(body["dsl_name"],) if body.get("dsl_name") else (),
        child_name=body["child_name"],
        child_born_on=date.fromisoformat(born_on) if born_on else None,
        adviser_name=body["adviser"]["name"],
        adviser_post=document["author"]["post"],
        adviser_telephone=body["adviser"]["telephone"],
    )
    text = dsl_letter_text(templates["dsl-letter.txt"], facts)
    subject = dsl_letter_subject(templates["dsl-letter.subject.txt"], facts.reference)
    return Letter(subject, text, as_html(text), reply_token=token)


def _watch_mailbox(gateway: Gateway, stop: threading.Event) -> asyncio.Task[None]:
    """Read the mailbox in a thread of its own until stopped; every complete read moves the watermark."""
    return asyncio.create_task(_mailbox_rounds(gateway, stop))


async def _mailbox_rounds(gateway: Gateway, stop: threading.Event) -> None:
    settings = gateway.parts.settings
    account = account_from_url(
        _with_password(settings.imap_url or "", settings.imap_password_file),
        str(settings.imap_ca_file) if settings.imap_ca_file else None,
    )
    while not stop.is_set():
        try:
            await read_mailbox_once(gateway.parts, Mailbox(account))
        except Exception as fault:  # the mailbox is down: alarm, and no silence is stated meanwhile
            _log.error("mailbox.trouble", reason=trouble_code(fault))
        with suppress(asyncio.CancelledError):
            await _sleep_or_stop(settings.imap_interval_seconds, stop)


async def read_mailbox_once(parts: Parts, mailbox: Mailbox) -> int:
    """Take everything that lies in the mailbox: store each mail, then mark it; how many came."""
    read_from = parts.clock()
    loop = asyncio.get_running_loop()

    def store(found: RawMail) -> None:
        coming = intake.keep(
            parts,
            MAILBOX,
            found.raw,
            envelope_to=None,
            arrived_at=found.arrived_at,
            uidvalidity=found.uidvalidity,
            uid=found.uid,
        )
        asyncio.run_coroutine_threadsafe(coming, loop).result()

    def take_all() -> int:
        count = 0
        with mailbox:
            for found in mailbox.fetch():
                store(found)
                mailbox.mark(found.uid)
                count += 1
        return count

    taken = await asyncio.to_thread(take_all)
    await parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MAILBOX, read_from))
    return taken


async def _sleep_or_stop(seconds: float, stop: threading.Event) -> None:
    await asyncio.to_thread(stop.wait, seconds)


def _with_password(url: str, password_file: Path | None) -> str:
    """The URL with the password from its file, percent-encoded as the name in it is already; held in memory only."""
    if password_file is None:
        return url
    parts = urlsplit(url)
    secret = quote(password_file.read_text("utf-8").strip(), safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{secret}@{host}"))
