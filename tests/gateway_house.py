"""A whole gateway in a temporary folder, served over HTTPS on loopback, with an invented partnership and a clock that tests move.

    async with gateway_house(tmp_path) as house:
        async with house.client("northshire-police") as police:
            await police.submit(house.example("referral", reference="NP-1"))
        house.clock.move_by(hours=30)

Real parts throughout: migrated SQLite databases, development keys, the shipped South Tyneside pack, uvicorn, TLS. The
clock stands still until it is moved, so that due instants are exact.
"""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme
import uvicorn

from gateway.agency.client import AgencyClient
from gateway.app import system_clock
from gateway.core.messages import AgencyId, RoleId
from gateway.demo.partnership import AGENCIES, SOUTH_TYNESIDE, Enrolment, enrol
from gateway.parts import Parts
from gateway.serving import Gateway, build, running, web_server
from gateway.settings import Settings
from gateway.store import migrations
from gateway.store.directory import WayRow
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX, FileSigner
from tests.partner_agency import WebhookServer

START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)  # a Monday, soon after the example referral was written
EXAMPLES = Path(__file__).resolve().parents[1] / "schemas" / "v1" / "examples"
LOOPBACK = "127.0.0.1"


@dataclass
class MovableClock:
    """Stands still until it is moved; it only goes forward."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def move_by(self, **amount: float) -> None:
        self.move_to(self.at + timedelta(**amount))

    def move_to(self, at: datetime) -> None:
        assert at >= self.at, "a clock only goes forward"
        self.at = at


class RealTime(MovableClock):
    """The time as it is, for programs of their own that cannot be given the house's clock."""

    def __call__(self) -> datetime:
        return system_clock()


@dataclass
class House:
    """A running gateway, its clients' keys and its clock."""

    folder: Path
    base_url: str
    gateway: Gateway
    clock: MovableClock
    authority: trustme.CA
    keys: dict[AgencyId, FileSigner]
    ca_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.ca_file = self.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(self.ca_file)

    @property
    def parts(self) -> Parts:
        return self.gateway.parts

    def trusting(self) -> ssl.SSLContext:
        """TLS that trusts the house's authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def client(self, agency: str, **changes: Any) -> AgencyClient:
        """The agency's client software; `changes` replace arguments of AgencyClient."""
        given: dict[str, Any] = {"clock": self.clock, "tls": self.trusting(), "pauses_seconds": (0.05, 0.05)}
        key = changes.pop("key", None) or self.keys[AgencyId(agency)]
        return AgencyClient(changes.pop("base_url", self.base_url), agency, key, **(given | changes))

    def key_file(self, agency: str) -> Path:
        """The agency's private key as its software keeps it."""
        path = self.folder / f"{agency}.jwk"
        path.write_text(json.dumps(self.keys[AgencyId(agency)].private_jwk()))
        return path

    def example(self, slug: str, body: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
        """The published example of a message type, written now, with members of envelope and body replaced."""
        return example(slug, body, **({"created_at": self.clock().isoformat()} | envelope))


def example(slug: str, body: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(json.loads((EXAMPLES / f"{slug}.json").read_text()))
    document |= envelope
    document["body"] |= body or {}
    return document


@asynccontextmanager
async def gateway_house(
    folder: Path,
    *,
    authority: trustme.CA | None = None,
    hooks: Mapping[AgencyId, WebhookServer] | None = None,
    clock: MovableClock | None = None,
    listener: socket.socket | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Serve until the block ends; `settings` replace settings. Agencies with a web server in `hooks` are told by webhook;
    its certificate must be of `authority`. With `listener` the caller says where it listens, and settles `public_url`."""
    authority, clock, hooks = authority or trustme.CA(), clock or MovableClock(), hooks or {}
    if hooks:
        authority.cert_pem.write_to_path(folder / "partners.pem")
        settings["fetch_ca_file"] = folder / "partners.pem"
        settings["fetch_development_hosts"] = tuple(server.host for server in hooks.values())
    if listener is None:
        listener = _listener()
        base_url = f"https://{LOOPBACK}:{listener.getsockname()[1]}"
    else:
        base_url = settings["public_url"]
    in_force = _settings(folder, base_url, authority, settings)
    gateway = build(in_force, clock)
    keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
    server = web_server(gateway.web, in_force)
    async with running(gateway):
        await enrol(gateway.parts, Enrolment(keys, tuple(_ways(gateway.parts, clock, hooks))))
        async with _serving(server, listener, gateway.web.state.closing):
            yield House(folder, base_url, gateway, clock, authority, keys)


def _listener() -> socket.socket:
    """By naming TCP, which `socket.create_server` does not, asyncio too sends small answers at once (TCP_NODELAY)."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((LOOPBACK, 0))
    return listener


def _ways(parts: Parts, clock: MovableClock, hooks: Mapping[AgencyId, WebhookServer]) -> Iterator[WayRow]:
    for agency, server in hooks.items():
        server.clock = clock
        sealed = parts.keys.seal_secret(f"way:{SOUTH_TYNESIDE}:{agency}", server.secret.encode())
        yield WayRow(agency, RoleId("*"), "webhook", server.url, sealed)


def _settings(folder: Path, base_url: str, authority: trustme.CA, changes: dict[str, Any]) -> Settings:
    """Development settings with everything in `folder`, its keys made and its databases migrated."""
    certificate = authority.issue_cert(LOOPBACK)
    certificate_file, key_file = folder / "tls.pem", folder / "tls.key"
    certificate.cert_chain_pems[0].write_to_path(certificate_file)
    key_file.touch(mode=0o600)
    certificate.private_key_pem.write_to_path(key_file)
    usual: dict[str, Any] = {
        "mode": "development",
        "clock": "development",
        "issuer": "gateway.example",
        "public_url": base_url,
        "listen": base_url.removeprefix("https://"),
        "tls_cert_file": certificate_file,
        "tls_key_file": key_file,
        "var_dir": folder / "var",
        "keys_dir": folder / "keys",
        "seal_interval_seconds": 0.05,
        "sweep_interval_seconds": 0.2,
        "drain_seconds": 1.0,
    }
    settings = Settings(**(usual | changes))
    settings.var_dir.mkdir(mode=0o700, exist_ok=True)
    custody.create(settings.keys_dir, DEVELOPMENT_PREFIX)
    migrate(settings)
    return settings


def migrate(settings: Settings) -> None:
    """Both databases at the newest revision; on SQLite as copies of ones that this process migrated once."""
    urls: dict[migrations.Which, str] = {"book": settings.book_url, "custody": settings.keys_book_url}
    for which, url in urls.items():
        file = Path(url.removeprefix("sqlite:///"))
        if settings.is_on_sqlite and not file.exists():
            file.touch(mode=0o600)
            file.write_bytes(_migrated(which))
        else:
            migrations.migrate(url, which)


@cache
def _migrated(which: migrations.Which) -> bytes:
    """A migrated SQLite database, as a file's content."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "database"
        migrations.migrate(f"sqlite:///{file}", which)
        assert [one.name for one in file.parent.iterdir()] == [file.name], "all of it stands in one file"
        return file.read_bytes()


@asynccontextmanager
async def _serving(
    server: uvicorn.Server, listener: socket.socket, closing: asyncio.Event
) -> AsyncIterator[None]:
    """What `server.serve` does, but stopping at once: uvicorn asks ten times a second whether it shall stop, then waits as long
    again."""
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    running = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        running.cancel()
        closing.set()
        await _drained(server)
        listener.close()


async def _drained(server: uvicorn.Server) -> None:
    """No new connection; whatever was asked is answered, within `drain_seconds`."""
    for one in server.servers:
        one.close()
    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    try:
        async with asyncio.timeout(server.config.timeout_graceful_shutdown):
            while state.connections or state.tasks:
                await asyncio.sleep(0.002)
    except TimeoutError:
        for task in state.tasks:
            task.cancel()
