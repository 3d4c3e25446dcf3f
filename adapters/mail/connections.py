"""Connections to the mail relay that are kept open: bounded in number, each used by one letter at a time, never in clear.

Invariants: STARTTLS is demanded (left to itself the library sends in clear to a server without it), with TLS 1.2 or newer
and a verified certificate, before anything else is said. The last used is used first, so that few stay open when little
goes out. A connection whose state is not known is dropped. Sources: RFC 3207, RFC 5321.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiosmtplib

MOST = 4


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server that takes our letters. `ca_file` replaces the system's certificate authorities."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout_seconds: float = 30.0
    idle_seconds: float = 60.0  # after this long a kept connection is not trusted any more


def relay_from_url(url: str, ca_file: str | None = None) -> Relay:
    """A relay from `smtp://[user:password@]host[:port]`; the port is 587 when none is named. ValueError otherwise."""
    parts = urlsplit(url)
    if parts.scheme != "smtp" or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError("the relay is written smtp://host:port")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Relay(parts.hostname, parts.port or 587, username, password, ca_file)


async def is_there(relay: Relay) -> bool:
    """Whether the mail server greets (RFC 5321 section 3.1); nothing is sent and nobody signs in."""
    try:
        async with asyncio.timeout(relay.timeout_seconds):
            reader, writer = await asyncio.open_connection(relay.host, relay.port)
            try:
                greeting = await reader.readline()
                writer.write(b"QUIT\r\n")
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()
            return greeting.startswith(b"220")
    except (OSError, ValueError):
        return False


def client_tls(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and name verified."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Connection:
    """One connection to the relay, made when it is first needed and made again when it was cut."""

    def __init__(self, relay: Relay, tls: ssl.SSLContext, hostname: str) -> None:
        self._relay = relay
        self._tls = tls
        self._hostname = hostname
        self._client: aiosmtplib.SMTP | None = None
        self._wire: asyncio.WriteTransport | None = None
        self._used_at = 0.0
        self.made = 0

    async def begin(self, sender: str, *options: str) -> aiosmtplib.SMTP:
        """A session in which the relay has just taken MAIL; `options` are for relays that know DSN (RFC 3461).

        The first command on a kept connection shows whether the far end still keeps it too; if not, a new one is made.
        """
        kept = self._kept()
        if kept is not None:
            try:
                return await _mail(kept, sender, options)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError):
                pass
            except aiosmtplib.SMTPSenderRefused as refused:
                if refused.code != 421:  # "closing": said when a kept connection was left alone too long
                    raise
        await self.drop()
        return await _mail(await self._connected(), sender, options)

    def used(self) -> None:
        """A letter went through: the connection is as good as new."""
        self._used_at = asyncio.get_running_loop().time()

    async def forget(self) -> bool:
        """Have the relay forget what was begun; False when it does not answer as it should."""
        try:
            if self._client is not None:
                await self._client.rset(timeout=5)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return False
        return True

    async def drop(self) -> None:
        """Say goodbye if the far end listens, and let go."""
        client, self._client = self._client, None
        wire, self._wire = self._wire, None
        if client is None:
            return
        try:
            if client.is_connected:
                await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass
        finally:
            client.close()
            if wire is not None:
                wire.abort()  # a TLS goodbye that nobody answers would keep the socket open
                await asyncio.sleep(0)

    def _kept(self) -> aiosmtplib.SMTP | None:
        client = self._client
        if client is None or not client.is_connected:
            return None
        is_fresh = asyncio.get_running_loop().time() - self._used_at <= self._relay.idle_seconds
        return client if is_fresh else None

    async def _connected(self) -> aiosmtplib.SMTP:
        self.made += 1
        self._client = client = aiosmtplib.SMTP(
            hostname=self._relay.host,
            port=self._relay.port,
            start_tls=False,  # done below, where it cannot be left out
            timeout=self._relay.timeout_seconds,
            local_hostname=self._hostname,
        )
        await client.connect()
        if isinstance(client.transport, asyncio.WriteTransport):
            self._wire = client.transport
        await client.starttls(tls_context=self._tls)  # raises when it is not offered: nothing goes in clear
        # What is offered after STARTTLS counts, and the library has forgotten it (RFC 3207).
        await client.ehlo()
        if self._relay.username is not None:
            await client.login(self._relay.username, self._relay.password or "")
        self.used()
        return client


class Connections:
    """At most `most` connections to one relay."""

    def __init__(self, relay: Relay, hostname: str, most: int = MOST) -> None:
        self._relay = relay
        self._hostname = hostname
        self._tls = client_tls(relay.ca_file)
        self._free = asyncio.Semaphore(most)
        self._all: list[Connection] = []
        self._idle: list[Connection] = []

    @property
    def made(self) -> int:
        """How many times a connection was made, ever."""
        return sum(one.made for one in self._all)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection for one letter, waited for while all are in use."""
        async with self._free:
            connection = self._idle.pop() if self._idle else self._another()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    async def aclose(self) -> None:
        for connection in self._idle:
            await connection.drop()

    def _another(self) -> Connection:
        connection = Connection(self._relay, self._tls, self._hostname)
        self._all.append(connection)
        return connection


async def _mail(client: aiosmtplib.SMTP, sender: str, options: tuple[str, ...]) -> aiosmtplib.SMTP:
    await client.mail(sender, options=options if client.supports_extension("dsn") else ())
    return client
