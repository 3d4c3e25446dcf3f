"""What it costs to let somebody in: a token request and a protected call, beside the bare cryptography of each.

Processor time of this process, all its threads: the store's writer, which burns what may be used once, counts too. Requests
go straight into the application (ASGI), without sockets, in the event loop that it is served in. Everything is signed before it is measured. Bare cryptography, done
in the same round: for a token two ES256 verifications (assertion, proof) and one signature; for a call two verifications
(token, proof), though a token that was seen lately is not verified again. Nothing may grow with the number of registered
clients: the same callers ask in a register that holds nobody else, and in one with ten thousand.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import json
import logging
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog
import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from gateway.agency.client import compact_jws
from gateway.core.messages import AgencyId
from gateway.oauth.key_policy import check_jwks
from gateway.oauth.parts import OAuthParts
from gateway.oauth.registry import parts_of_store
from gateway.oauth.resource import authenticate, need_scope
from gateway.oauth.routes import oauth_routes
from gateway.oauth.token_keys import always
from gateway.store import clients
from gateway.store.tables import book
from gateway.store.transaction import Store, Tx
from keys.signing import FileSigner

URL = "https://gateway.council.example"
PATH = "/v1/inbox"
CALLERS = 50
MANY = 10_000
AT_ONCE = 32
CALLS, ROUNDS = 400, 7

Asked = Sequence[Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Caller:
    """One client's software."""

    id: str
    key: FileSigner
    proof_key: FileSigner


@dataclass(frozen=True, slots=True)
class Register:
    """A gateway's OAuth on a register of so many clients, of which the same few call."""

    parts: OAuthParts
    web: Starlette
    callers: tuple[Caller, ...]


def measured() -> dict[str, Any]:
    """Microseconds of processor time, medians over the rounds, registers in turn."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return uvloop.run(_measured())


async def _measured() -> dict[str, Any]:
    callers = tuple(_caller(f"caller-{number}") for number in range(CALLERS))
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-oauth-") as folder:
        stores = {count: _store(Path(folder) / f"{count}.sqlite3") for count in (CALLERS, MANY)}
        registers = {count: await _register(store, callers, count) for count, store in stores.items()}
        for number in range(ROUNDS + 1):  # the first warms up
            in_turn = dict(reversed(registers.items()) if number % 2 else registers.items())
            for name, took in (await _round(in_turn)).items():
                figures.setdefault(name, []).extend([took] if number else [])
        for store in stores.values():
            await store.aclose()
    return _told({name: statistics.median(took) for name, took in figures.items()})


def _told(medians: dict[str, float]) -> dict[str, Any]:
    few, many = (f"{{}}, {count} clients" for count in (CALLERS, MANY))
    told: dict[str, Any] = {"us": {name: round(value, 1) for name, value in medians.items()}}
    for kind in ("token", "call"):
        least, most = medians[few.format(kind)], medians[many.format(kind)]
        told[f"{kind} to its cryptography"] = round(least / medians[f"{kind}, cryptography"], 2)
        told[f"{kind}: {MANY} clients to {CALLERS}"] = round(most / least, 2)
    return told


async def _round(registers: dict[int, Register]) -> dict[str, float]:
    took = {f"{kind}, cryptography": _cryptography(*work) for kind, work in BARE.items()}
    for count, register in registers.items():
        tokens: dict[str, str] = {}
        took[f"token, {count} clients"] = await _cpu_us(_token_requests(register, tokens))
        took[f"call, {count} clients"] = await _cpu_us(_calls(register, tokens))
    return took


BARE = {"token": (2, 1), "call": (2, 0)}  # verifications and signatures


def _cryptography(verifications: int, signatures: int) -> float:
    """The bare ES256 operations of one request, as `cryptography` does them."""
    private = ec.generate_private_key(ec.SECP256R1())
    public, made = private.public_key(), b"x" * 400
    algorithm = ec.ECDSA(hashes.SHA256())
    signed = private.sign(made, algorithm)

    def once() -> None:
        for _ in range(verifications):
            public.verify(signed, made, algorithm)
        for _ in range(signatures):
            private.sign(made, algorithm)

    began_at = time.process_time_ns()
    for _ in range(CALLS):
        once()
    return (time.process_time_ns() - began_at) / CALLS / 1000


async def _cpu_us(asked: Asked) -> float:
    """Processor time for each, so many in flight at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(coroutine: Coroutine[Any, Any, None]) -> None:
        async with free:
            await coroutine

    gc.collect()
    began_at = time.process_time_ns()
    await asyncio.gather(*map(one, asked))
    return (time.process_time_ns() - began_at) / len(asked) / 1000


# --- what is asked ---------------------------------------------------------------------------------------------------


def _token_requests(register: Register, tokens: dict[str, str]) -> Asked:
    path = "/oauth2/token"
    sent = []
    for number in range(CALLS):
        caller = register.callers[number % CALLERS]
        now = int(time.time())
        claims = {"iss": caller.id, "sub": caller.id, "aud": URL, "iat": now, "exp": now + 60, "jti": _jti()}
        header = {"typ": "client-authentication+jwt", "kid": caller.key.kid}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": compact_jws(header, claims, caller.key),
        }
        headers = [
            (b"dpop", _proof(caller, "POST", path).encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ]
        sent.append((caller, headers, urlencode(form).encode()))

    async def ask(caller: Caller, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        status, answer = await _post(register.web, path, headers, body)
        if status != 200:
            raise SystemExit(f"a token was refused, so nothing was measured: {answer!r}")
        tokens[caller.id] = json.loads(answer)["access_token"]

    return [ask(*one) for one in sent]


def _calls(register: Register, tokens: dict[str, str]) -> Asked:
    """The checks at the door of /v1: token and proof, and the proof burnt."""
    sent = []
    for number in range(CALLS):
        caller = register.callers[number % CALLERS]
        token = tokens[caller.id]
        proof = _proof(caller, "GET", PATH, token)
        sent.append([(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())])

    async def call(headers: list[tuple[bytes, bytes]]) -> None:
        principal = await authenticate(headers, "GET", PATH, register.parts)
        need_scope(principal, "messages.read", register.parts)
        if not await register.parts.burn([principal.proof]):
            raise SystemExit("a fresh proof was known, so nothing was measured")

    return [call(one) for one in sent]


async def _post(
    web: Callable[..., Any], path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, bytes]:
    """One request through the application, as the server would hand it over."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 443),
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await web(scope, receive, send)
    return said[0]["status"], b"".join(part.get("body", b"") for part in said)


# --- who asks --------------------------------------------------------------------------------------------------------


def _caller(name: str) -> Caller:
    return Caller(name, FileSigner.generate(f"{name}-1", "ES256"), FileSigner.generate("proof", "ES256"))


def _store(file: Path) -> Store:
    store = Store.open(f"sqlite:///{file}", book)
    store.create_tables()
    return store


async def _register(store: Store, callers: Sequence[Caller], count: int) -> Register:
    """A register with these callers and as many others as make up `count`, each with a key of its own."""
    at = datetime.now(UTC)
    strangers = [
        (f"stranger-{number}", FileSigner.generate("1", "ES256")) for number in range(count - CALLERS)
    ]
    known = [(caller.id, caller.key) for caller in callers] + strangers

    def write(tx: Tx) -> None:
        for name, key in known:
            keys = check_jwks({"keys": [key.public_jwk()]})
            clients.add(tx, name, AgencyId(name), keys, ("messages.write", "messages.read"), at)

    await store.transact(write)
    keys_now = always(FileSigner.generate("token-1", "ES256"), ())
    parts = parts_of_store(store, public_url=URL, keys_now=keys_now, clock=lambda: datetime.now(UTC))
    return Register(parts, Starlette(routes=oauth_routes(parts)), tuple(callers))


def _proof(caller: Caller, method: str, path: str, token: str | None = None) -> str:
    public = {n: v for n, v in caller.proof_key.public_jwk().items() if n in ("kty", "crv", "x", "y")}
    claims: dict[str, Any] = {"htm": method, "htu": URL + path, "iat": int(time.time()), "jti": _jti()}
    if token is not None:
        claims["ath"] = (
            base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        )
    return compact_jws({"typ": "dpop+jwt", "jwk": public}, claims, caller.proof_key)


def _jti() -> str:
    return secrets.token_urlsafe(16)
