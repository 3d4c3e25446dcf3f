"""The hop from the proxy that ends TLS: what comes round it is refused, and what it says of the client is passed on.

Invariant: with a proxy secret nothing is answered that does not carry it, exactly once (compared in constant time). A client
certificate reaches the application in one form only, as the ASGI TLS extension says it, and only when it came with the
secret; the headers it came in are taken away, and so are look-alikes. Without a secret no certificate is believed at all.

The proxy sets `X-Proxy-Secret`, `X-Client-Verify` and `X-Client-Cert` on every request, whatever a client sent (RFC 8705
section 6.5, RFC 9440 section 4). nginx cannot write the `Client-Cert` of RFC 9440, so the names are private ones.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.problems import problem
from gateway.core.errors import ErrorCode, Misconfigured
from gateway.settings import Settings

SHORTEST_SECRET_BYTES = 32

_SECRET, _VERIFY, _CERTIFICATE = b"x-proxy-secret", b"x-client-verify", b"x-client-cert"
_HOSTLESS = frozenset({"1.0"})
_OURS = frozenset({_SECRET, _VERIFY, _CERTIFICATE})

_log = structlog.get_logger()


def behind_the_proxy(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application as it may be listened for: whole when there is no secret, else for the proxy alone.

    Misconfigured when the secret cannot be read or is too short to be one.
    """
    secret = None if settings.proxy_secret_file is None else read_secret(settings.proxy_secret_file)
    return _Hop(app, secret, believes_certificates=secret is not None and settings.mtls_url is not None)


def read_secret(file: Path) -> bytes:
    """The secret in a file; spaces and line ends around it do not count."""
    try:
        secret = file.read_bytes().strip()
    except OSError:
        raise Misconfigured(f"GATEWAY_PROXY_SECRET_FILE: {file} cannot be read") from None
    if len(secret) < SHORTEST_SECRET_BYTES or not secret.isalnum():
        raise Misconfigured(
            f"GATEWAY_PROXY_SECRET_FILE holds {SHORTEST_SECRET_BYTES} or more letters and digits: `openssl rand -hex 32`"
        )
    return secret


class _Hop:
    def __init__(self, app: ASGIApp, secret: bytes | None, *, believes_certificates: bool) -> None:
        self._app = app
        self._secret = secret
        self._believes = believes_certificates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing else is served
        told: dict[bytes, list[bytes]] = {name: [] for name in _OURS}
        kept: list[tuple[bytes, bytes]] = []
        hosts = 0
        for name, value in scope["headers"]:
            plain = name.replace(b"_", b"-")  # to some servers X_Client_Verify is the same name
            hosts += name == b"host"
            if plain not in _OURS:
                kept.append((name, value))
            elif plain == name:
                told[name].append(value)
        if self._secret is not None and not _is_sole(told[_SECRET], self._secret):
            _log.warning("proxy.missed")
            await problem(ErrorCode.MISDIRECTED)(scope, receive, send)
            return
        if hosts > 1 or (hosts == 0 and scope["http_version"] not in _HOSTLESS):
            detail = "A request names its host, once."  # RFC 9112 section 3.2
            await problem(ErrorCode.MALFORMED_REQUEST, detail=detail)(scope, receive, send)
            return
        passed = {**scope, "headers": kept}
        if self._believes:
            passed["extensions"] = {**(scope.get("extensions") or {}), "tls": _handshake(told)}
        await self._app(passed, receive, send)


def _is_sole(values: list[bytes], expected: bytes) -> bool:
    return len(values) == 1 and hmac.compare_digest(values[0], expected)


def _handshake(told: dict[bytes, list[bytes]]) -> dict[str, Any]:
    """The ASGI TLS extension: no certificate unless each header came once; an error unless the proxy verified it."""
    verified, certificates = told[_VERIFY], told[_CERTIFICATE]
    if len(verified) != 1 or len(certificates) != 1 or verified[0] == b"NONE":
        return {"client_cert_chain": [], "client_cert_error": None}
    error = None if verified[0] == b"SUCCESS" else verified[0].decode("latin-1")
    return {"client_cert_chain": [unquote(certificates[0].decode("latin-1"))], "client_cert_error": error}
