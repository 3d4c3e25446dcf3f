"""Connections of the guarded fetch: to the addresses that were looked at and to no others. `adapters.fetch` says what holds.

Stands apart so that aiohttp is loaded by whoever makes the first request.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable, Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from adapters.fetch import Answer, FetchFailed, Resolve, is_public

AGENT = "safeguarding-gateway"


class Session:
    """Connections kept open between requests, in one event loop."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        connections: int,
        total_seconds: float,
        resolve: Resolve,
        is_excepted: Callable[[str, int], bool],
    ) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_GuardedResolver(resolve, is_excepted),
                ssl=tls,
                use_dns_cache=False,  # a connection kept open stays where it is; a new one asks anew
                limit=connections,
                limit_per_host=8,
            ),
            response_class=_WitnessedResponse,
            timeout=aiohttp.ClientTimeout(total=total_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": AGENT},
            auto_decompress=False,
            trust_env=False,
        )

    async def request(
        self, method: str, address: URL, headers: Mapping[str, str], body: bytes | None, body_limit_bytes: int
    ) -> Answer:
        """One request to an address that is permitted; FetchFailed when no answer came."""
        try:
            async with self._session.request(
                method, address, headers=headers, data=body, allow_redirects=False
            ) as response:
                read, complete = await _read(response, body_limit_bytes)
                return Answer(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=read,
                    complete=complete,
                    evidence=getattr(response, "evidence", {}),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as fault:
            raise FetchFailed(_reason(fault)) from None

    async def aclose(self) -> None:
        await self._session.close()


class _AddressRefused(OSError):
    """The host has an address inside."""


class _GuardedResolver(AbstractResolver):
    """Resolves once and answers all addresses or, when one of them lies inside, none: a host that mixes them is an
    attack (DNS rebinding) or a mistake, and picking the harmless ones would hide it."""

    def __init__(self, resolve: Resolve, is_excepted: Callable[[str, int], bool]) -> None:
        self._resolve = resolve
        self._is_excepted = is_excepted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._resolve(host, port)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if not self._is_excepted(host, port) and not all(map(is_public, addresses)):
            raise _AddressRefused("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is kept open."""


class _WitnessedResponse(aiohttp.ClientResponse):
    """A response that notes who answered before its connection goes back to the pool."""

    evidence: Mapping[str, str]

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        transport = connection.transport
        self.evidence = _evidence(transport.get_extra_info("ssl_object") if transport else None)
        return await super().start(connection)


def _evidence(tls: ssl.SSLObject | None) -> Mapping[str, str]:
    certificate = tls.getpeercert(binary_form=True) if tls else None
    if tls is None or certificate is None:
        return {}
    return {"tls": tls.version() or "", "certificate_sha256": hashlib.sha256(certificate).hexdigest()}


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether that was all. A body that breaks off is incomplete, not a failure: the status
    line has been said. What is left unread closes the connection, so that nobody feeds us for ever."""
    read = bytearray()
    try:
        while len(read) <= limit and (chunk := await response.content.read(limit + 1 - len(read))):
            read += chunk
    except (aiohttp.ClientError, TimeoutError, OSError):
        response.close()
        return bytes(read[:limit]), False
    if len(read) > limit:
        response.close()
    return bytes(read[:limit]), len(read) <= limit


def _reason(fault: Exception) -> str:
    """The coarse code of what went wrong, from the inside of aiohttp's wrapping out."""
    inner = getattr(fault, "os_error", fault)
    match inner:
        case _AddressRefused():
            return "address-refused"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "dns"
        case ssl.SSLError() | aiohttp.ClientSSLError() | ssl.CertificateError():
            return "tls"
        case TimeoutError():
            return "time-out"
        case ConnectionRefusedError():
            return "refused-connection"
        case aiohttp.InvalidURL() | UnicodeError():
            return "url-refused"
        case aiohttp.ClientResponseError():
            return "not-http"
    return "refused-connection" if isinstance(fault, aiohttp.ClientConnectorError) else "connection-lost"
