"""What every page passes: who is signed in, does the form come from our own page, and which headers go out.

Invariants: no page but sign-in and the style sheet without a session; no POST without the session's form token; only
digests of session secrets are stored. Nothing is taken from the Host header.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import overview, sessions
from gateway.store.sessions import SessionRow
from gateway.store.transaction import Tx

BASE = "/console"
FORM_TOKEN = "form_token"
FORM_LIMIT_BYTES = 65_536
MOST_FIELDS = 50
TOUCH_EVERY = timedelta(seconds=30)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Officer:
    """A person signed in, and the partnerships whose incidents they may see."""

    name: str
    partnerships: tuple[PartnershipId, ...]
    form_token: str


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
    """What the pages share."""

    parts: Parts

    @property
    def is_over_tls(self) -> bool:
        return urlsplit(address(self.parts.settings)).scheme == "https"

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

    async def officer(self, request: Request) -> Officer | None:
        """Who is signed in; None when the session is unknown, ended or was left alone for too long."""
        secret = request.cookies.get(self.cookie)
        if not secret:
            return None
        now, idle = self.parts.clock(), timedelta(seconds=self.parts.settings.session_idle_seconds)

        def look(tx: Tx) -> tuple[SessionRow, tuple[PartnershipId, ...]] | None:
            found = sessions.find(tx, digest(secret), now, idle)
            return None if found is None else (found, overview.partnerships(tx))

        found = await self.parts.store.read(look)
        if found is None:
            return None
        session, partnerships = found
        if now - session.seen_at >= min(TOUCH_EVERY, idle / 4):
            await self.parts.store.transact(lambda tx: sessions.touch(tx, session.id, now))
        return Officer(session.officer, partnerships, form_token(secret))


def address(settings: Settings) -> str:
    """The web address officers use, without the path."""
    if settings.console_url:
        return settings.console_url
    if settings.console_listen and not settings.is_production:
        return f"http://localhost:{settings.console_listen.rpartition(':')[2]}"
    return settings.public_url


def digest(secret: str) -> str:
    """What is stored in place of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_token(secret: str) -> str:
    """The token that a session's forms carry: made from the cookie's secret, so nobody without it can make one."""
    return hmac.new(secret.encode(), b"console form", hashlib.sha256).hexdigest()


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; Refused when it is too large, not a form, or sent from another site's page."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(ErrorCode.NOT_PERMITTED)
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise Refused(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FORM_LIMIT_BYTES:
            raise Refused(ErrorCode.TOO_LARGE)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Refused(ErrorCode.MALFORMED_REQUEST) from None


def check_form(officer: Officer, form: Mapping[str, str]) -> None:
    """Refused unless the form carries this session's token."""
    if not hmac.compare_digest(form.get(FORM_TOKEN, "").encode(), officer.form_token.encode()):
        raise Refused(
            ErrorCode.NOT_PERMITTED, detail="This page was open for too long. Go back and try again."
        )
