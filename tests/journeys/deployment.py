"""What the journeys with real processes share: a deployment on disk, patience, and a look into its tables."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import trustme
from sqlalchemy import text

from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import migrations
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX
from tests.journeys.mortal_gateway import toml
from tests.mail_servers import free_ports

Found = TypeVar("Found")

PATIENCE_SECONDS = 60
LOOK_AGAIN_SECONDS = 0.1


def set_up(folder: Path, authority: trustme.CA, **more: Any) -> Settings:
    """A settings file (`gateway.toml`), keys, a certificate for localhost and databases; `more` are further settings."""
    port, operator_port = free_ports(2)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.pem")
    (folder / "tls.key").touch(mode=0o600)
    (folder / "tls.key").write_bytes(certificate.private_key_pem.bytes())
    values: dict[str, Any] = {
        "mode": "development",
        "public_url": f"https://localhost:{port}",
        "listen": f"127.0.0.1:{port}",
        "operator_listen": f"127.0.0.1:{operator_port}",
        "tls_cert_file": str(folder / "tls.pem"),
        "tls_key_file": str(folder / "tls.key"),
        "var_dir": str(folder / "var"),
        "keys_dir": str(folder / "keys"),
        "fetch_ca_file": str(folder / "authority.pem"),
        "drain_seconds": 1.0,
        **more,
    }
    (folder / "gateway.toml").write_text(toml(values))
    settings = Settings(**values)
    settings.var_dir.mkdir(mode=0o700)
    custody.create(settings.keys_dir, DEVELOPMENT_PREFIX)
    migrations.migrate(settings.book_url, "book")
    migrations.migrate(settings.keys_book_url, "custody")
    return settings


async def eventually(look: Callable[[], Awaitable[Found | None]], what: object) -> Found:
    """What `look` finds, looked for until it is there."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        found = await look()
        if found is not None:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"still waiting for: {what}"
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def rows(parts: Parts, query: str) -> list[Any]:
    return await parts.store.read(lambda tx: list(tx.execute(text(query))))


async def number_of(parts: Parts, what: str) -> int:
    return int((await rows(parts, f"SELECT count(*) AS n FROM {what}"))[0].n)


def server_tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
