"""The one guarded HTTP connection out of the building: webhooks, witnesses, time stamps, clients' published keys.

Addresses come from partners, so each is a way to make this house talk to its own inside (server-side request forgery).
What holds for every call:

1. `https` only, no user in the address, no redirect followed, no proxy from the environment, no cookies.
2. The host is resolved once. If any address that comes back is not a public one (loopback, private, link-local with the
   cloud's metadata, shared, multicast, reserved, or an IPv4 one of these wrapped in IPv6), nothing is connected; else
   the connection goes to just these addresses, and the certificate must still be the host's (TLS 1.2 or newer).
3. One time limit over everything; of the answer's body no more than a limit is read, and nothing is unpacked.

Hosts of a development machine can be excepted by name from 1 (TLS) and 2; production refuses to start with any.
The caller must still treat the answer as a stranger's. Source: OWASP's SSRF prevention; RFC 6890 for the address blocks.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from adapters.connecting import Session

Resolve = Callable[[str, int], Awaitable[list[str]]]

# Public by number yet inside by use: a cloud's own services, and relays that reach elsewhere.
ALSO_INSIDE = tuple(
    ip_network(block)
    for block in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "5f00::/16",
    )
)
NAT64 = ip_network("64:ff9b::/96")


class FetchFailed(Exception):
    """No answer came. `reason` is a coarse code: url-refused, address-refused, dns, tls, time-out, refused-connection,
    connection-lost, not-http. It never holds the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What the far end said. `body` is whole only if `complete`; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    complete: bool
    evidence: Mapping[str, str]  # tls version and the SHA-256 of the far end's certificate


class Fetcher:
    """Makes guarded requests and keeps connections open between them. Belongs to one event loop; close it there."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        development_hosts: Collection[str] = (),
        total_seconds: float = 15.0,
        connections: int = 100,
        resolve: Resolve | None = None,
    ) -> None:
        self._tls = tls
        self._excepted = frozenset(host.lower() for host in development_hosts)
        self._total_seconds = total_seconds
        self._connections = connections
        self._resolve = resolve or system_resolve
        self._session: Session | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        body_limit_bytes: int = 4096,
    ) -> Answer:
        """One request and the answer to it, whatever its status; FetchFailed when no answer came."""
        address = self._permitted(url)
        if self._session is None:
            self._session = self._open_session()
        return await self._session.request(method, address, headers or {}, body, body_limit_bytes)

    async def check(self, url: str) -> None:
        """Whether this address may be called as things stand, without calling it; FetchFailed(url-refused, address-refused, dns).

        No promise for later: every request looks anew.
        """
        address = self._permitted(url)
        host, port = address.host or "", address.port or 443
        if self._is_excepted(host, port) or _is_number(host):
            return
        try:
            found = await asyncio.wait_for(self._resolve(host, port), self._total_seconds)
        except (OSError, UnicodeError, TimeoutError):
            raise FetchFailed("dns") from None
        if not found:
            raise FetchFailed("dns")
        if not all(is_public(one) for one in found):
            raise FetchFailed("address-refused")

    async def aclose(self) -> None:
        """Close the connections kept open; a repeat does nothing, and a later request opens anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    def _permitted(self, url: str) -> URL:
        """The parsed address; FetchFailed for what rule 1 or, with a bare number as host, rule 2 refuses."""
        try:
            parsed = URL(url)
            host, port = parsed.host, parsed.port
        except ValueError:
            raise FetchFailed("url-refused") from None
        if not host or not port or parsed.user is not None or parsed.password is not None:
            raise FetchFailed("url-refused")
        if self._is_excepted(host, port):
            if parsed.scheme not in {"http", "https"}:
                raise FetchFailed("url-refused")
            return parsed
        if parsed.scheme != "https":
            raise FetchFailed("url-refused")
        if _is_number(host) and not is_public(host):
            raise FetchFailed("address-refused")
        return parsed

    def _is_excepted(self, host: str, port: int) -> bool:
        return host.lower() in self._excepted or f"{host.lower()}:{port}" in self._excepted

    def _open_session(self) -> Session:
        """aiohttp and the machine's authorities are loaded by the first request: much of the gateway's start, and many send none."""
        from adapters.connecting import Session

        tls = self._tls or _trusted_by_the_machine()
        tls.minimum_version = max(tls.minimum_version, ssl.TLSVersion.TLSv1_2)
        return Session(tls, self._connections, self._total_seconds, self._resolve, self._is_excepted)


@cache
def _trusted_by_the_machine() -> ssl.SSLContext:
    """Read once for all: there are more than a hundred."""
    return ssl.create_default_context()


def is_public(address: str) -> bool:
    """Whether this IP address is one of the public internet, for connecting to."""
    number = ip_address(address)
    if isinstance(number, IPv6Address):
        if number.ipv4_mapped is not None:
            return _is_public_number(number.ipv4_mapped)
        if number in NAT64:
            return _is_public_number(IPv4Address(int(number) & 0xFFFF_FFFF))
        if number.is_site_local or number.scope_id is not None:
            return False
    return _is_public_number(number)


def _is_public_number(number: IPv4Address | IPv6Address) -> bool:
    if number.is_multicast or number.is_reserved or number.is_unspecified or not number.is_global:
        return False
    return not any(number in block for block in ALSO_INSIDE if block.version == number.version)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def system_resolve(host: str, port: int) -> list[str]:
    """The host's addresses as this machine's resolver gives them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
