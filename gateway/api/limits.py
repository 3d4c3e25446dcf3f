"""Limits on how fast is asked: by address before authentication, by client after it.

They protect the machine, not the child: whatever is wrong with them, requests are let through. Where processes share a broker,
a client's bucket is shared through it; when the broker is away each process counts for itself, and says so once. (What is used
once, proofs and assertions, is another matter: that stands in the database and fails closed.) A client's bucket is opened only
by its own proof of possession, so nobody can empty another's. No address is kept beyond memory or written to the log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.problems import too_many
from gateway.core.rates import Buckets, Rate
from gateway.settings import Settings

PEER_HEADER = b"x-client-address"  # of the proxy, which always sets it; believed on a unix socket alone
REMEMBERED = 20_000
SAID_AGAIN_SECONDS = 60.0
APART_SECONDS = 5.0  # how long each process counts for itself after the broker failed

_log = structlog.get_logger()

Now = Callable[[], float]


class Shared(Protocol):
    """Buckets that several processes share; `take` as in `Buckets`, raising when it cannot be told in time."""

    def take(self, key: str, rate: Rate) -> Awaitable[float]: ...
    def aclose(self) -> Awaitable[None]: ...


@dataclass
class Limits:
    """The buckets in force. `now` is a steady clock in seconds; absent, the event loop's."""

    by_address: Rate
    by_client: Rate
    is_behind_proxy: bool
    shared: Shared | None = None
    now: Now = field(default_factory=lambda: lambda: asyncio.get_running_loop().time())
    _apart_until: float = -math.inf

    def __post_init__(self) -> None:
        self._addresses = Buckets(self.by_address, REMEMBERED)
        self._clients = Buckets(self.by_client, REMEMBERED)
        self._said = Buckets(Rate(1 / SAID_AGAIN_SECONDS, 1), REMEMBERED)

    async def client_wait(self, client_id: str) -> float:
        """Count one request of an authenticated client: 0, or the seconds that it must wait."""
        wait_seconds = await self._take_shared(client_id)
        if wait_seconds is None:
            wait_seconds = self._clients.take(client_id, self.now())
        if wait_seconds:
            self._say_once(
                f"client {client_id}", lambda: _log.warning("limits.reached", by="client", client=client_id)
            )
        return wait_seconds

    def address_wait(self, scope: Scope) -> float:
        """Count one request of wherever it came from: 0, or the seconds to wait; 0 when that is not known."""
        peer = self._peer(scope)
        wait_seconds = self._addresses.take(peer, self.now()) if peer else 0.0
        if wait_seconds:
            self._say_once("address", lambda: _log.warning("limits.reached", by="address"))
        return wait_seconds

    async def aclose(self) -> None:
        if self.shared is not None:
            await self.shared.aclose()

    async def _take_shared(self, client_id: str) -> float | None:
        """None where nothing is shared, or cannot be just now."""
        if self.shared is None or self.now() < self._apart_until:
            return None
        try:
            return await self.shared.take(client_id, self.by_client)
        except (
            Exception
        ) as fault:  # whatever is wrong with the broker: limits are no reason to refuse anybody
            self._apart_until = self.now() + APART_SECONDS
            kind = type(fault).__name__
            self._say_once("broker", lambda: _log.warning("limits.apart", fault=kind))
            return None

    def _peer(self, scope: Scope) -> str | None:
        if self.is_behind_proxy:
            return network_of([value for name, value in scope["headers"] if name == PEER_HEADER])
        client = scope.get("client")
        return network_of([client[0].encode()]) if client else None

    def _say_once(self, about: str, say: Callable[[], None]) -> None:
        """Once a minute for each: a flood of requests is no flood of lines."""
        if not self._said.take(about, self.now()):
            say()


def network_of(addresses: Iterable[bytes]) -> str | None:
    """Whose bucket it is: one IPv4 address, or the /64 that one customer has of IPv6. None for anything but one address."""
    try:
        (address,) = addresses
        return _network(address)
    except ValueError:
        return None


@lru_cache(maxsize=1024)  # the same few ask again and again
def _network(address: bytes) -> str:
    found = ipaddress.ip_address(address.decode("ascii").partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))


class LimitedByAddress:
    """The application behind the limit by address. Whoever is too fast is not read at all."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait_seconds = self._limits.address_wait(scope) if scope["type"] == "http" else 0.0
        app = too_many(wait_seconds) if wait_seconds else self._app
        await app(scope, receive, send)


def limits_of(settings: Settings) -> Limits:
    """The limits of one serving process, sharing clients' buckets where there is a broker."""
    shared: Shared | None = None
    if settings.broker_url is not None:
        from gateway.api.shared_limits import SharedBuckets  # redis is loaded only where there is a broker

        shared = SharedBuckets(settings.broker_url)
    return Limits(
        by_address=Rate(settings.address_requests_per_second, settings.address_burst_requests),
        by_client=Rate(settings.client_requests_per_second, settings.client_burst_requests),
        is_behind_proxy=settings.listen.startswith("unix:"),
        shared=shared,
    )
