"""A gateway that serves: listeners, what runs beside them, and stopping everything in order.

Parts are made in `app`; here they become an application that answers, and are closed again.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from gateway.api.application import agency_api
from gateway.api.operator import operator_app
from gateway.api.proxy import behind_the_proxy
from gateway.app import build_parts, close, shout_of_development
from gateway.app.ways_in import MAILBOX, MESH, watch_mailbox, watch_mesh, ways_in_of
from gateway.console.application import console_app, console_site, home
from gateway.console.door import BASE as CONSOLE
from gateway.core.errors import Misconfigured
from gateway.dispatch.anchoring import RolledBack, must_not_be_rolled_back
from gateway.dispatch.erasing import reapply_erasures
from gateway.dispatch.loop import Dispatch, Hints
from gateway.parts import Clock, Parts
from gateway.settings import Settings
from gateway.store.serving_lock import alone_on_sqlite

KEEP_ALIVE_SECONDS = 75

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs in this process: its parts, its web application and what runs beside it."""

    parts: Parts
    web: Starlette
    dispatch: Dispatch | Hints
    ways_in: frozenset[str]  # what is read here; nothing where workers read


def build(settings: Settings, clock: Clock | None = None, hint: Callable[[], None] | None = None) -> Gateway:
    """Everything that serves in one process. With `hint` the work beside it is done by workers, who are told by it."""
    parts = build_parts(settings, clock)
    shout_of_development(parts)
    ways_in = frozenset() if hint else ways_in_of(settings)
    dispatch = Hints(parts, hint) if hint else Dispatch(parts, ways_in)
    web = agency_api(parts)
    console = console_app(parts)
    web.router.routes += [Route(CONSOLE, home), Mount(CONSOLE, console)]
    web.state.closing = console.state.closing
    return Gateway(parts, web, dispatch, ways_in)


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Dispatch and mailbox run while this lasts; afterwards everything is closed in order."""
    try:
        await gateway.parts.partnerships.must_be_sound()
        await must_not_be_rolled_back(gateway.parts)  # before anything is written: this may be an older book
        await reapply_erasures(gateway.parts)  # before anything is served: a restore may have undone some
    except Exception:
        await close(gateway.parts)
        raise
    gateway.dispatch.start()
    stop = threading.Event()
    watcher = asyncio.create_task(watch_mailbox(gateway.parts, stop)) if MAILBOX in gateway.ways_in else None
    posted = asyncio.create_task(watch_mesh(gateway.parts)) if MESH in gateway.ways_in else None
    try:
        yield gateway
    finally:
        stop.set()
        await gateway.dispatch.stop()
        if posted is not None:
            posted.cancel()
            await asyncio.wait([posted])
        if watcher is not None:
            await asyncio.wait_for(watcher, 30)
        await gateway.web.state.limits.aclose()
        await close(gateway.parts)


async def serve(
    settings: Settings,
    clock: Clock | None = None,
    ready: Callable[[], None] | None = None,
    hint: Callable[[], None] | None = None,
) -> None:
    """Serve until told to stop. On SQLite one serving process holds the lock."""
    with alone_on_sqlite(settings):
        await _serve(settings, clock, ready, hint)


async def work(settings: Settings, ready: Callable[[], None] | None = None) -> None:
    """Do the work beside the API until SIGTERM or SIGINT, in a process without listeners: PostgreSQL, no broker."""
    if settings.is_on_sqlite:
        raise Misconfigured(
            "on SQLite the serving process does the work: set GATEWAY_DATABASE_URL to PostgreSQL for workers"
        )
    stopped = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    gateway = build(settings)
    async with running(gateway):
        contradicted = _stopped_when_contradicted(gateway, stopped.set)
        if ready is not None:
            ready()
        await stopped.wait()
    _refuse(contradicted)


def _stopped_when_contradicted(gateway: Gateway, stop: Callable[[], None]) -> list[RolledBack]:
    """Stop as soon as a witness contradicts the log; why, once that is so."""
    why: list[RolledBack] = []

    def contradicted(fault: RolledBack) -> None:
        why.append(fault)
        stop()

    gateway.dispatch.on_contradiction = contradicted
    return why


def _refuse(contradicted: list[RolledBack]) -> None:
    for fault in contradicted:
        raise fault


async def _serve(
    settings: Settings,
    clock: Clock | None,
    ready: Callable[[], None] | None,
    hint: Callable[[], None] | None,
) -> None:
    """Ports are taken before anything is opened; agencies are drained before the operator's listener goes."""
    with ExitStack() as ports:
        sockets = _ports(ports, settings)
        gateway = build(settings, clock, hint)
        spare_what_stays()
        async with running(gateway):
            servers = _servers(gateway)
            contradicted = _stopped_when_contradicted(
                gateway, lambda: setattr(servers[0], "should_exit", True)
            )
            with _stopped_by_signals(servers[0]):
                await _together(servers, sockets, ready)
        _refuse(contradicted)


def spare_what_stays() -> None:
    """What was loaded at the start stays for good: the collector need not walk it, nor come after every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


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
    """A listener that leaves signals to `serve`, which stops everything in order, and says that it stops before it waits for
    answers that would go on: `closing` ends them."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event | None = None) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._closing is not None:
            self._closing.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def web_server(web: Starlette, settings: Settings) -> uvicorn.Server:
    """The agencies' listener: TLS of our own, or a unix socket behind the proxy that ends TLS."""
    listen: dict[str, Any] = {}
    if settings.listen.startswith("unix:"):
        listen["uds"] = settings.listen.removeprefix("unix:")
    else:
        listen["host"], listen["port"] = _host_and_port(settings.listen)
    if settings.tls_cert_file is not None:
        listen |= {"ssl_certfile": str(settings.tls_cert_file), "ssl_keyfile": str(settings.tls_key_file)}
        listen["ssl_context_factory"] = _tls_from_1_2
    config = _quiet(behind_the_proxy(web, settings), settings.drain_seconds, listen)
    try:
        config.load()
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            "the certificate or its key cannot be used: mend GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE"
        ) from None
    return _Listener(config, getattr(web.state, "closing", None))


def operator_server(parts: Parts) -> uvicorn.Server:
    """Health and metrics, on the operator's listener only."""
    listen: dict[str, Any] = {}
    if parts.settings.operator_listen.startswith("unix:"):
        listen["uds"] = parts.settings.operator_listen.removeprefix("unix:")
    else:
        listen["host"], listen["port"] = _host_and_port(parts.settings.operator_listen)
    return _Listener(_quiet(operator_app(parts), 1, listen))


def console_server(parts: Parts) -> uvicorn.Server:
    """The console alone without TLS, on loopback: in development only, where browsers refuse our certificate."""
    host, port = _host_and_port(parts.settings.console_listen or "")
    site = console_site(parts)
    return _Listener(_quiet(site, 1, {"host": host, "port": port}), site.state.closing)


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _quiet(web: Any, drain_seconds: float, listen: Mapping[str, Any]) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # nothing is ever taken from a Forwarded header
        date_header=True,
        timeout_graceful_shutdown=int(drain_seconds),
        # Longer than proxies and clients keep an idle connection (nginx: 60 s): whoever closes first may cut a request that
        # is on its way, and one that cannot be repeated safely is then an error to its sender.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **listen,
    )


def _tls_from_1_2(config: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
