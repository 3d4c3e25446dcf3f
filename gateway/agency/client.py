"""An agency's own software: gets tokens, sends messages, collects what waits and checks every receipt.

What `gateway submit`, the demonstration and the tests use, and an example for those who write their own. It knows the
gateway by its public surface alone. Each request carries a fresh DPoP proof (RFC 9449) by a key that lives as long as the
client; the registered key signs the client assertion only (RFC 7523, FAPI 2.0). With a certificate every connection shows
that instead (mutual TLS, RFC 8705). Invariant: `submit` returns only an answer
whose receipt is signed by the gateway's published key and names the SHA-256 of exactly the bytes that were sent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from gateway.agency.receiving import Checked, ReceiptFalse, check_acceptance, check_receipt, knows
from gateway.agency.request_signature import signature_headers
from gateway.core.written_times import written
from keys.signing import FileSigner, Signer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60
KEY_MEMBERS = frozenset(("kty", "crv", "x", "y", "e", "n"))
FORM = "application/x-www-form-urlencoded"
RENEW_BEFORE_SECONDS = 30
REQUEST_SECONDS = 30
FILE_SECONDS = 600  # besides, for a file of 25 MiB on a slow line and its scan
PIECE_BYTES = 64 * 1024
LONGEST_PAUSE_SECONDS = 30.0
PAUSES_SECONDS = (0.2, 1.0, 3.0)
ASK_AGAIN_SECONDS = 0.2
BUSY = frozenset({429, 502, 503, 504})


class AgencyProblem(Exception):
    """The gateway answered no: `code` is its stable code (or the OAuth error), `errors` its field faults."""

    def __init__(
        self, status: int, code: str, title: str, errors: Sequence[Mapping[str, str]] = (), detail: str = ""
    ) -> None:
        super().__init__(f"{status} {code}: {title}" + (f" {detail}" if detail else ""))
        self.status = status
        self.code = code
        self.title = title
        self.errors = tuple(errors)
        self.detail = detail


class Unreachable(Exception):
    """No answer came, after repeating: whether anything was taken is unknown, and a repeat with the same reference is safe."""


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer as it came."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        """The JSON object that it holds; an empty one when it holds none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class AgencyClient:
    """One agency's client; use it as `async with`. Every time it states comes from `clock`.

    `issuer` is the gateway's public address when it is reached under another one (tokens and proofs are made out to it).
    `certificate` are the files (PEM) of a certificate's chain and its private key: `base_url` is then the gateway's address for
    mutual TLS, no DPoP is used, and `key` is None where the certificate alone was registered.
    `signs`: each message is signed with the registered key (RFC 9421); the receipt then keeps that signature.
    `pauses_seconds` are the waits before each repeat when the gateway is busy, restarting or cannot be reached.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        key: Signer | None,
        *,
        clock: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
        issuer: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        signs: bool = False,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.client_id = client_id
        self._key = key
        self._clock = clock
        self._tls = tls if certificate is None else _showing(certificate, tls)
        self._scheme = "DPoP" if certificate is None else "Bearer"
        self._issuer = (issuer or base_url).rstrip("/")
        self._target = self._issuer if certificate is None else self.base_url  # what a signed request names
        self._pauses = tuple(pauses_seconds)
        self._signs = signs and key is not None
        if key is None and certificate is None:
            raise ValueError("a client shows a key or a certificate")
        self._proof_key = FileSigner.generate("proof", "ES256")
        self._session: aiohttp.ClientSession | None = None
        self._token: tuple[str, float] | None = None
        self._nonce: str | None = None  # for proofs, as the last answer gave it
        self._jwks: Mapping[str, Any] | None = None
        self._fetched: dict[
            str, dict[str, str]
        ] = {}  # by delivery: what a signature under its answer says of it
        self._receipt_issuer: str | None = None  # as the first receipt named it; it may not change

    async def __aenter__(self) -> AgencyClient:
        connector = aiohttp.TCPConnector(ssl=self._tls or True)
        self._session = aiohttp.ClientSession(connector=connector, raise_for_status=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def token(self) -> str:
        """An access token, kept until half a minute before it expires."""
        now = self._clock().timestamp()
        if self._token is not None and now < self._token[1]:
            return self._token[0]
        answer = await self._repeating("POST", "/oauth2/token", self._ask_token)
        self._token = (
            str(answer["access_token"]),
            now + max(1, int(answer["expires_in"]) - RENEW_BEFORE_SECONDS),
        )
        return self._token[0]

    async def submit(
        self, message: Mapping[str, Any] | bytes, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Send one message; the gateway's answer, its receipt checked.

        AgencyProblem when it is refused, ReceiptFalse when the receipt does not hold, Unreachable when nothing answers.
        """
        payload = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        headers = {"Content-Digest": content_digest(payload)}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = f'"{idempotency_key}"'
        if self._signs and self._key is not None:
            address, at = f"{self._target}/v1/messages", int(self._clock().timestamp())
            headers |= signature_headers(self._key, "POST", address, headers["Content-Digest"], at)
        answer = await self._call("POST", "/v1/messages", payload, headers)
        if not isinstance(answer, dict) or not isinstance(answer.get("receipt"), dict):
            raise ReceiptFalse("the answer holds no receipt")
        check_acceptance(await self.check(answer["receipt"]), str(answer.get("id")), payload)
        return answer

    async def attach(
        self, file: Path | bytes, media_type: str = "application/octet-stream"
    ) -> dict[str, Any]:
        """Send one file that a message will name; its `id` and `sha256` go into the message's `attachments` as they are.

        Read from disk piece by piece. ReceiptFalse when the gateway answers with another digest than the file has.
        """
        sha256 = await asyncio.to_thread(_sha256, file)
        headers = {"Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"}
        answer: dict[str, Any] = await self._call(
            "POST",
            "/v1/attachments",
            file,
            headers | {"Content-Type": media_type},
            patience_seconds=FILE_SECONDS,
        )
        if answer.get("sha256") != sha256:
            raise ReceiptFalse("the gateway names another file than was sent")
        return answer

    async def fetch_attachment(self, delivery: str, attachment: str, sha256: str, into: Path) -> None:
        """Write a file of a delivery's message to `into`; ReceiptFalse, and no file, when it is not what the message names."""
        path = f"/v1/inbox/{_id(delivery)}/attachments/{_id(attachment)}"
        content = await self._call("GET", path, patience_seconds=FILE_SECONDS, into=into)
        if content != sha256:
            await asyncio.to_thread(into.unlink)
            raise ReceiptFalse("the attachment is not the one that the message names")

    async def check(self, receipt: Mapping[str, Any]) -> Checked:
        """A receipt checked against the gateway's published keys; ReceiptFalse when it does not hold."""
        jws = str(receipt.get("jws"))
        if self._jwks is None or not knows(self._jwks, jws):  # never fetched, or keys rotated since
            self._jwks = await self._repeating("GET", "/v1/receipts/jwks", self._plain)
        checked = check_receipt(receipt, self._jwks, self._receipt_issuer)
        self._receipt_issuer = checked.issuer
        return checked

    async def inbox(self, wait_seconds: int = 0) -> list[dict[str, Any]]:
        """Everything that waits for the agency, oldest first; waits up to `wait_seconds` for the first to come."""
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        found: list[dict[str, Any]] = []
        page = await self._call("GET", "/v1/inbox", headers=headers, patience_seconds=wait_seconds)
        found += page["deliveries"]
        while page["next"]:
            page = await self._call("GET", "/v1/inbox", query={"after": page["next"]})
            found += page["deliveries"]
        return found

    async def fetch(self, delivery: str) -> dict[str, Any]:
        """One delivery with the content of its message: a hand-over to this software, no acknowledgement."""
        found = await self._read(f"/v1/inbox/{_id(delivery)}")
        if found.get("notice"):  # told of it alone: there is nothing to sign for
            return found
        content = base64.b64decode(found["payload"])
        self._fetched[delivery] = {
            "delivery": delivery,
            "message": str(found["message"]),
            "role": str(found["role"]),
            "content_sha256": hashlib.sha256(content).hexdigest(),
        }
        return found

    async def acknowledge(
        self, delivery: str, by: str, role: str, name: str | None = None, copies: str | None = None
    ) -> dict[str, Any]:
        """Say that a person (`by="person"`) or this software (`by="system"`) has it; only a person's word meets a duty.

        Signed with the registered key when the content was fetched before: what was never seen is not signed for.
        `copies`: of a message that was taken back, they are `destroyed` or `returned`.
        """
        said = {"by": by, "role": role} | ({"name": name} if name else {})
        said |= {"copies": copies} if copies else {}
        signed = self.signature(delivery, said)
        return await self._say(f"/v1/inbox/{_id(delivery)}/acknowledgement", said | signed)

    async def decline(self, delivery: str, reason: str) -> dict[str, Any]:
        """Say that it is not for this agency, and why: an officer hears of it."""
        signed = self.signature(delivery, {"by": "declined", "reason": reason})
        return await self._say(f"/v1/inbox/{_id(delivery)}/decline", {"reason": reason} | signed)

    def signature(self, delivery: str, said: Mapping[str, str]) -> dict[str, str]:
        """The member `signed` of an answer: this agency's own proof of what it received; nothing without content or key."""
        if self._key is None or delivery not in self._fetched:
            return {}
        time = written(self._clock())
        told = {"v": "acknowledgement/1", "time": time} | self._fetched[delivery]
        jwk = {name: value for name, value in self._key.public_jwk().items() if name in KEY_MEMBERS}
        return {
            "signed": compact_jws({"typ": "acknowledgement+jws", "jwk": jwk}, told | dict(said), self._key)
        }

    async def duties(self) -> dict[str, list[dict[str, Any]]]:
        """`owed_by_me` and `owed_to_me`, soonest due first."""
        found: dict[str, list[dict[str, Any]]] = {"owed_by_me": [], "owed_to_me": []}
        after: str | None = ""
        while after is not None:
            page = await self._call(
                "GET", "/v1/duties", query={"limit": "100"} | ({"after": after} if after else {})
            )
            for name, duties in found.items():
                duties += page[name]
            after = page["next"]
        return found

    async def message(self, message: str) -> dict[str, Any]:
        """The state of a message that this agency sent, with its deliveries."""
        return await self._read(f"/v1/messages/{_id(message)}")

    async def receipts(self, message: str) -> list[dict[str, Any]]:
        """Every receipt of a message that this agency sent, oldest first."""
        found: list[dict[str, Any]] = (await self._read(f"/v1/messages/{_id(message)}/receipts"))["receipts"]
        return found

    async def proof(self, receipt: str, wait_seconds: float = 0) -> str:
        """The offline proof (tlog-proof@v1) that a receipt is in the log; asks again for `wait_seconds` while it is not."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while True:
            try:
                return str(await self._call("GET", f"/v1/receipts/{_id(receipt)}/proof"))
            except AgencyProblem as problem:
                if problem.status != 404 or asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def incident(self, incident: str) -> dict[str, Any]:
        """The incident's timeline, as far as this agency may see it."""
        return await self._read(f"/v1/incidents/{_id(incident)}")

    async def directory(self, partnership: str) -> dict[str, Any]:
        """The partnership's agencies and the roles held there."""
        return await self._read(f"/v1/partnerships/{_id(partnership)}/directory")

    def proof_of_key(self, method: str, path: str, token: str | None = None) -> str:
        """A DPoP proof for one request (RFC 9449 section 4.2)."""
        jwk = {k: v for k, v in self._proof_key.public_jwk().items() if k in ("kty", "crv", "x", "y")}
        claims: dict[str, Any] = {
            "htm": method,
            "htu": self._issuer + path,
            "iat": int(self._clock().timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        if token is not None:
            claims["ath"] = _b64url(hashlib.sha256(token.encode()).digest())
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        return compact_jws({"typ": "dpop+jwt", "jwk": jwk}, claims, self._proof_key)

    def token_form(self) -> bytes:
        """The body of one token request, with a fresh assertion where a key proves the client."""
        return urlencode({"grant_type": "client_credentials", **self._identity()}).encode()

    async def once(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Plain:
        """One request with exactly these headers, never repeated, whatever its answer; Unreachable when there is none."""
        try:
            async with await self._send(method, path, headers or {}, body) as response:
                text = await response.text()
                return Plain(response.status, response.content_type, dict(response.headers), text)
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise Unreachable(f"{self.base_url} gave no answer ({type(fault).__name__})") from fault

    async def _read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._call("GET", path)
        return found

    async def _say(self, path: str, said: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call("POST", path, json.dumps(said).encode())
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        body: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        patience_seconds: float = 0,
        into: Path | None = None,
    ) -> Any:
        """One authenticated request, repeated while the gateway is busy. A token refused is replaced once.

        With `into` the body of a good answer goes into that file, and its SHA-256 in hexadecimal is returned.
        """

        async def ask(method: str, path: str) -> aiohttp.ClientResponse:
            token = await self.token()
            sent = {
                **(headers or {}),
                "Authorization": f"{self._scheme} {token}",
                **self._proof(method, path, token),
            }
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
            return await self._send(method, path, sent, body, query, patience_seconds)

        try:
            return await self._repeating(method, path, ask, into)
        except AgencyProblem as problem:
            if problem.status != 401 or self._token is None:
                raise
            self._token = None
        return await self._repeating(method, path, ask, into)

    async def _repeating(
        self, method: str, path: str, ask: Callable[[str, str], Any], into: Path | None = None
    ) -> Any:
        """Ask until there is an answer other than "busy": at most once more than there are pauses."""
        for pause in (*self._pauses, None):
            try:
                response: aiohttp.ClientResponse = await ask(method, path)
                if await _wants_nonce(response):  # RFC 9449 sections 8 and 9: the answer brought it
                    response.release()
                    response = await ask(method, path)
                async with response:
                    if into is not None and response.status == 200:
                        return await _written(response, into)
                    if response.status not in BUSY or pause is None:
                        return await _answer(response)
                    wait_seconds = max(pause, _retry_after(response))
            except (aiohttp.ClientError, TimeoutError, OSError) as fault:
                if pause is None or isinstance(fault, aiohttp.ClientSSLError):
                    raise Unreachable(f"{self.base_url} gave no answer ({type(fault).__name__})") from fault
                wait_seconds = pause
            await asyncio.sleep(wait_seconds)
        raise AssertionError("the last try returns or raises")

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | Path | None = None,
        query: Mapping[str, str] | None = None,
        patience_seconds: float = 0,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("use the client as `async with AgencyClient(...) as client`")
        response = await self._session.request(
            method,
            self.base_url + path,
            params=query,
            data=body.open("rb") if isinstance(body, Path) else body and io.BytesIO(body),
            headers=headers,
            allow_redirects=False,  # a token follows nobody elsewhere
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS + patience_seconds),
        )
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
        return response

    async def _plain(self, method: str, path: str) -> aiohttp.ClientResponse:
        return await self._send(method, path, {})

    async def _ask_token(self, method: str, path: str) -> aiohttp.ClientResponse:
        """A fresh assertion and proof for each try: both may be used once (RFC 7523 section 3, RFC 9449 section 5)."""
        headers = {"Content-Type": FORM, **self._proof(method, path)}
        return await self._send(method, path, headers, self.token_form())

    def _proof(self, method: str, path: str, token: str | None = None) -> dict[str, str]:
        """The header with a proof; none where the certificate is the proof."""
        return {"DPoP": self.proof_of_key(method, path, token)} if self._scheme == "DPoP" else {}

    def _identity(self) -> dict[str, str]:
        """Who asks for a token: by an assertion, or by name where the certificate says the rest (RFC 8705 section 2)."""
        if self._key is None:
            return {"client_id": self.client_id}
        issued_at = int(self._clock().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._issuer,
            "iat": issued_at,
            "exp": issued_at + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"typ": "client-authentication+jwt", "kid": self._key.kid}
        assertion = compact_jws(header, claims, self._key)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _showing(certificate: tuple[Path, Path], trusted: ssl.SSLContext | None) -> ssl.SSLContext:
    """TLS that shows the certificate to whoever asks for it; ssl.SSLError or OSError when it cannot be used."""
    context = trusted or ssl.create_default_context()
    context.load_cert_chain(*certificate)
    return context


def compact_jws(header: Mapping[str, Any], claims: Mapping[str, Any], key: Signer) -> str:
    """A compact JWS (RFC 7515) whose `alg` is the signer's."""
    parts = ({"alg": key.algorithm, **header}, claims)
    signed = ".".join(_b64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_b64url(key.sign(signed.encode()))}"


def content_digest(body: bytes) -> str:
    """The Content-Digest of RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


async def _wants_nonce(response: aiohttp.ClientResponse) -> bool:
    """Whether the proof lacked the nonce that the answer gives: nothing was done, nor used up."""
    if "DPoP-Nonce" not in response.headers:
        return False
    if response.status == 401:
        return "use_dpop_nonce" in response.headers.get("WWW-Authenticate", "")
    return response.status == 400 and b'"use_dpop_nonce"' in await response.read()


async def _written(response: aiohttp.ClientResponse, into: Path) -> str:
    """The answer's body, written to a file as it comes; its SHA-256."""
    digest = hashlib.sha256()
    with into.open("wb") as written:
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            digest.update(piece)
            written.write(piece)
    return digest.hexdigest()


def _sha256(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return hashlib.sha256(file).hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


async def _answer(response: aiohttp.ClientResponse) -> Any:
    """The answer's JSON (or text); AgencyProblem when it is a no, or not in a form of ours."""
    text = await response.text()
    is_json = response.content_type.endswith("json")
    try:
        said = json.loads(text) if is_json else text
    except ValueError:
        raise AgencyProblem(response.status, "unreadable", "The answer is not JSON.") from None
    if 200 <= response.status < 300:
        return said
    if not isinstance(said, dict):
        raise AgencyProblem(response.status, "unreadable", "The answer is not a problem document.")
    code = str(said.get("code") or said.get("error") or "unknown")
    title = str(said.get("title") or said.get("error_description") or "")
    errors = said.get("errors")
    found = errors if isinstance(errors, list) else []
    raise AgencyProblem(response.status, code, title, found, str(said.get("detail") or ""))


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """`Retry-After` in seconds, or 0; never longer than is sensible to wait here."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE_SECONDS) if asked.isascii() and asked.isdecimal() else 0.0


def _id(given: str) -> str:
    return quote(given, safe="")


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
