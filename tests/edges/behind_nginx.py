"""A gateway on a unix socket behind Debian's nginx, and callers that come over mutual TLS: rightly, or as badly as they like."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.app import system_clock
from gateway.core.messages import AgencyId
from gateway.oauth.certificates import authority_entry, pin_entry
from gateway.store import clients
from tests.edges.oauth_caller import Answer
from tests.gateway_house import House, MovableClock, gateway_house
from tests.nginx import API_NAME, MTLS_NAME, PROXY_SECRET, NamedClient, Proxy, nginx
from tests.servers import free_port

SCOPES = ("messages.write", "messages.read")
ICB = "northshire-icb"
CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def files(self, folder: Path, name: str) -> tuple[Path, Path]:
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{name}.pem").write_bytes(self.pem)
        (folder / f"{name}.key").write_bytes(self.key.private_bytes(serialization.Encoding.PEM, kind, plain))
        return folder / f"{name}.pem", folder / f"{name}.key"


def identity(
    names: Iterable[x509.GeneralName] = (),
    *,
    by: Identity | None = None,
    days: float = 365,
    begins: timedelta = timedelta(days=-1),
    is_authority: bool = False,
    usages: Iterable[x509.ObjectIdentifier] | None = (CLIENT_AUTH,),
    key: PrivateKey | None = None,
) -> Identity:
    """A certificate issued by `by`, or self-signed."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"invented {x509.random_serial_number():x}")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usages and not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return Identity(builder.sign(by.key if by else key, hashes.SHA256()), key)


@dataclass(frozen=True)
class Edge:
    """A gateway behind its proxy."""

    house: House
    proxy: Proxy
    away: Path

    @property
    def socket_path(self) -> Path:
        return self.away / "gateway.sock"

    async def enrol(
        self, client: str, entries: Iterable[Mapping[str, Any]], jwks: dict[str, Any] | None = None
    ) -> None:
        keys, at = jwks or {"keys": []}, self.house.clock()
        agency, listed = AgencyId(ICB), tuple(entries)
        await self.house.parts.store.transact(
            lambda tx: clients.add(tx, client, agency, keys, SCOPES, at, certificates=listed)
        )

    async def pin(self, client: str, shown: Identity, **more: Any) -> None:
        await self.enrol(client, [pin_entry(shown.pem, self.house.clock())], **more)

    async def trust(self, client: str, authority: Identity, kind: str, name: str) -> None:
        await self.enrol(client, [authority_entry(authority.pem, kind, name, self.house.clock())])

    def client(self, client: str, shown: Identity, **changes: Any) -> NamedClient:
        given: dict[str, Any] = {
            "clock": self.house.clock,
            "tls": self.proxy.trusting(),
            "issuer": self.proxy.api_url,
            "certificate": shown.files(self.away, client),
            "pauses_seconds": (),
        }
        key = changes.pop("key", None)
        return NamedClient(changes.pop("base_url", self.proxy.mtls_url), client, key, **(given | changes))

    async def ask(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        shown: Identity | None = None,
        host: str = MTLS_NAME,
        server_name: str | None = None,
    ) -> Answer:
        """One request over TLS with this certificate; `server_name` is the name in the handshake when it is another."""
        return await asyncio.to_thread(
            self._ask, method, path, tuple(headers), body, shown, host, server_name or host
        )

    async def token(
        self, client: str, shown: Identity | None, *headers: tuple[str, str], **form: str
    ) -> Answer:
        asked = {"grant_type": "client_credentials", "client_id": client} | form
        sent = (("Content-Type", "application/x-www-form-urlencoded"), *headers)
        return await self.ask("POST", "/oauth2/token", sent, urlencode(asked).encode(), shown=shown)

    async def call(
        self, token: str, shown: Identity | None, *headers: tuple[str, str], host: str = MTLS_NAME
    ) -> Answer:
        sent = (("Authorization", f"Bearer {token}"), *headers)
        return await self.ask("GET", "/v1/inbox", sent, shown=shown, host=host)

    def tls(self, shown: Identity | None, server_name: str) -> ssl.SSLSocket:
        context = self.proxy.trusting()
        if shown is not None:
            context.load_cert_chain(*shown.files(self.away, "caller"))
        plain = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=20)
        return context.wrap_socket(plain, server_hostname=server_name)

    def _ask(
        self,
        method: str,
        path: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
        shown: Identity | None,
        host: str,
        server_name: str,
    ) -> Answer:
        with self.tls(shown, server_name) as channel:
            return exchange(channel, method, path, host, headers, body)

    async def past_the_proxy(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Straight to the gateway's socket, as some other program on its machine would."""
        return await asyncio.to_thread(self._past_the_proxy, path, headers)

    def _past_the_proxy(self, path: str, headers: tuple[tuple[str, str], ...]) -> Answer:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(self.socket_path))
            return exchange(channel, "GET", path, API_NAME, headers, None)


def exchange(
    channel: socket.socket,
    method: str,
    path: str,
    host: str,
    headers: Iterable[tuple[str, str]],
    body: bytes | None,
) -> Answer:
    connection = http.client.HTTPConnection(host)
    connection.sock = channel
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


@asynccontextmanager
async def behind_nginx(
    folder: Path,
    away: Path,
    changes: Mapping[str, str] | None = None,
    clock: MovableClock | None = None,
    **more: Any,
) -> AsyncIterator[Edge]:
    """`away` needs a short name: a socket's path may have 107 characters. `more` are further settings."""
    port, secret_file = free_port(), away / "proxy-secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(f"{PROXY_SECRET}\n")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(away / "gateway.sock"))
    listener.listen(128)
    settings: dict[str, Any] = {
        "listen": f"unix:{away / 'gateway.sock'}",
        "public_url": f"https://{API_NAME}:{port}",
        "mtls_url": f"https://{MTLS_NAME}:{port}",
        "proxy_secret_file": secret_file,
        "tls_cert_file": None,
        "tls_key_file": None,
    }
    clock = clock or MovableClock(system_clock())
    async with gateway_house(folder, listener=listener, clock=clock, **settings, **more) as house:
        with nginx(away, port, changes) as proxy:
            yield Edge(house, proxy, away)


def document(answer: Answer) -> Any:
    return json.loads(answer.body)
