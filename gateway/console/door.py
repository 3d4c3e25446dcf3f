"""What every page passes: who is signed in, does the form come from our own page, and which headers go out.

Invariants: no page but sign-in and the static files without a session; no POST without the session's form token, nor from
another site's page; only digests of session secrets are stored; a session of somebody who was suspended, or who signed in as only
development allows, is none. Nothing is taken from the Host header.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage, Message
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.core.permissions import Needs, OfficerRole, may
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import officers, overview, sessions
from gateway.store.officers import OfficerRow
from gateway.store.sessions import SessionRow
from gateway.store.transaction import Tx

if TYPE_CHECKING:
    from gateway.console.sign_in_provider import Provider

BASE = "/console"
FORM_TOKEN = "form_token"
FORM_LIMIT_BYTES = 65_536
FILE_FORM_LIMIT_BYTES = 1_200_000  # a form that brings a file
MOST_PARTS = 20  # of a form that brings a file
MOST_FIELDS = 400  # the longest form is that of a referral with several children
TOUCH_EVERY = timedelta(seconds=30)
WARNED_BEFORE = timedelta(minutes=20)  # a warning stands on every page from so long before a session's end

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), geolocation=(), microphone=(), publickey-credentials-create=(self), publickey-credentials-get=(self)"
    ),
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


@dataclass(frozen=True, slots=True)
class Officer:
    """A person signed in: the partnerships whose incidents they may see, their roles, and until when the session lasts.

    `leaves_at` is when they are signed out if they do nothing, `ends_at` when at the latest.
    """

    name: str
    partnerships: tuple[PartnershipId, ...]
    form_token: str
    roles: frozenset[OfficerRole]
    leaves_at: datetime
    ends_at: datetime
    ends_soon: bool

    def may(self, needs: str) -> bool:
        """For pages: whether they may do it, by its name in the table of permissions."""
        return may(self.roles, Needs(needs))


@dataclass(frozen=True, slots=True)
class Visit:
    """One request that was let in. `officer` is None only on public pages. `form` holds the fields of a POST."""

    request: Request
    officer: Officer | None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def signed_in(self) -> Officer:
        if self.officer is None:
            raise Refused(ErrorCode.NOT_AUTHENTICATED)
        return self.officer

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages share. `closing` is set when the gateway stops: what would go on for long ends then."""

    parts: Parts
    provider: Provider | None = None  # where officers sign in; None: with passkeys of our own
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over_tls(self) -> bool:
        return urlsplit(self.parts.settings.console_address).scheme == "https"

    @property
    def cookie(self) -> str:
        """RFC 6265bis section 4.1.3.2: with this prefix a browser keeps it to this host, all paths and TLS."""
        return "__Host-console" if self.is_over_tls else "console"

    def begin(self, response: Response, secret: str) -> None:
        """Give the browser its session."""
        response.set_cookie(
            self.cookie, secret, path="/", secure=self.is_over_tls, httponly=True, samesite="strict"
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(
            self.cookie, path="/", secure=self.is_over_tls, httponly=True, samesite="strict"
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes out with every answer, unless a page says otherwise."""
        return HEADERS | OVER_TLS if self.is_over_tls else HEADERS

    def secret(self, request: Request) -> str:
        """What the browser's cookie holds; empty when it has none."""
        return request.cookies.get(self.cookie, "")

    async def officer(self, request: Request, *, is_doing: bool = True) -> Officer | None:
        """Who is signed in; None when the session is unknown, ended, left alone for too long, or its officer was suspended.

        What a page asks for by itself is not `is_doing`: it keeps no session alive.
        """
        secret = self.secret(request)
        if not secret:
            return None
        now, idle = self.parts.clock(), timedelta(seconds=self.parts.settings.session_idle_seconds)

        def look(tx: Tx) -> tuple[SessionRow, OfficerRow, tuple[PartnershipId, ...]] | None:
            found = sessions.find(tx, digest(secret), now, idle)
            return None if found is None else (*found, overview.partnerships(tx))

        found = await self.parts.store.read(look)
        if found is None or not self._is_good(*found[:2]):
            return None
        session, row, here = found
        seen_at = session.seen_at
        if is_doing and now - seen_at >= min(TOUCH_EVERY, idle / 4):
            await self.parts.store.transact(lambda tx: sessions.touch(tx, session.id, now))
            seen_at = now
        within = here if row.partnerships is None else tuple(p for p in here if p in row.partnerships)
        leaves_at = min(seen_at + idle, session.ends_at)
        ends_soon = session.ends_at - now <= WARNED_BEFORE
        token = form_token(secret, secrets.token_urlsafe(16))
        return Officer(row.name, within, token, row.roles, leaves_at, session.ends_at, ends_soon)

    def _is_good(self, session: SessionRow, row: OfficerRow) -> bool:
        """Fails closed: what only development allows is nothing in production."""
        is_of_development = session.way == sessions.BY_LINK or row.source == officers.DEVELOPMENT
        return row.is_active and not (is_of_development and self.parts.settings.is_production)


def digest(secret: str) -> str:
    """What is stored in place of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def own_origins(settings: Settings) -> frozenset[str]:
    """Where our own pages are served: what the Origin of a form may say."""
    found = {origin(url) for url in (settings.public_url, settings.console_address)}
    if settings.console_listen and not settings.is_production:
        port = settings.console_listen.rpartition(":")[2]
        found |= {f"http://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(found)


def origin(url: str) -> str:
    """Scheme, host and port of an address, as browsers write an origin (RFC 6454 section 6.2)."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def form_token(secret: str, number: str) -> str:
    """The token that one page's forms carry: made from the cookie's secret, so nobody without it can make one."""
    made = hmac.new(secret.encode(), f"console form {number}".encode(), hashlib.sha256).hexdigest()
    return f"{number}.{made}"


def check_origin(request: Request, own: frozenset[str]) -> None:
    """Refused when the browser says that a form comes from another site's page.

    Fetch Metadata where there is any; else the Origin, which is `null` under our referrer policy and then says nothing.
    """
    site, named = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = site in ("same-origin", "none") if site is not None else named != "null"
    if not is_ours or named not in (None, "null", *own):
        raise Refused(
            ErrorCode.NOT_PERMITTED,
            detail="This form did not come from a page of this service. Open it again.",
        )


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; Refused when it is too large or not a form."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise Refused(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
    body = await _body(request, FORM_LIMIT_BYTES)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Refused(ErrorCode.MALFORMED_REQUEST) from None


async def read_file_form(request: Request) -> dict[str, str]:
    """The fields of a form that may bring a text file (RFC 7578), the file's text under its field's name; kept in memory only.

    Refused when it is too large, not a form, or the file is no text.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "multipart/form-data":
        return await read_form(request)
    body = await _body(request, FILE_FORM_LIMIT_BYTES)
    try:
        return _parts_of(request.headers["content-type"], body)
    except (ValueError, LookupError, TypeError):  # UnicodeDecodeError is a ValueError
        detail = "That file cannot be read. Choose it again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail) from None


def _parts_of(content_type: str, body: bytes) -> dict[str, str]:
    """The parts of a multipart body by their names, as text; ValueError when it is none."""
    whole = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    found = email.message_from_bytes(whole, policy=email.policy.HTTP)
    parts = list(found.iter_parts()) if isinstance(found, EmailMessage) and found.is_multipart() else []
    if not 0 < len(parts) <= MOST_PARTS:
        raise ValueError("no form")
    return {_named(part): bytes(part.get_payload(decode=True)).decode("utf-8") for part in parts}


def _named(part: Message) -> str:
    name = part.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise TypeError("no name")
    return name


async def _body(request: Request, limit_bytes: int) -> bytes:
    """The whole body; Refused as soon as it is larger."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > limit_bytes:
            raise Refused(ErrorCode.TOO_LARGE)
    return body


def check_form(secret: str, form: Mapping[str, str]) -> None:
    """Refused unless the form carries a token of this session's own pages."""
    given = form.get(FORM_TOKEN, "")
    if not hmac.compare_digest(given.encode(), form_token(secret, given.partition(".")[0]).encode()):
        raise Refused(
            ErrorCode.NOT_PERMITTED, detail="This page was open for too long. Go back and try again."
        )


def form_digest(secret: str, path: str, form: Mapping[str, str]) -> str:
    """One form as one page of one session sent it: the same again when it is sent twice, and nothing to whoever reads it."""
    said = json.dumps([path, sorted(form.items())]).encode()
    return hmac.new(secret.encode(), b"console form sent " + said, hashlib.sha256).hexdigest()
