"""Signing in and out: what every way in shares, and the one-time links of development.

A link is opened with GET and used with POST, so that the preview of a chat or a mail scanner does not use it up. Whatever the
way in, a session begins under a fresh secret, and the browser's session before it is over. The other ways stand in
`sign_in_oidc` and `sign_in_passkey`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

import structlog
from starlette.responses import Response

from gateway.console.door import BASE, Console, Visit, digest
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.officers import tidy_name
from gateway.core.permissions import OfficerRole
from gateway.parts import Parts
from gateway.store import officers, sessions
from gateway.store.officers import OfficerRow
from gateway.store.sessions import SessionRow
from gateway.store.transaction import Tx

_log = structlog.get_logger()

LINK_LIFE, TRY_LIFE = timedelta(minutes=15), timedelta(minutes=10)
FAILURES = {
    "link": "This link cannot be used. It was used before, or is more than 15 minutes old.",
    "not-set-up": "This way of signing in is not set up here.",
    "no-officer": "Your account is known, but you are no officer here. Ask an administrator.",
    "suspended-or-no-role": "Your account does not let you in. Ask an administrator.",
    "name-taken": "Another officer has your name. Ask an administrator.",
    "not-strong-enough": "Sign in with your second factor too, then try again.",
    "provider-unreachable": "Your organisation's sign-in cannot be reached now. Try again in a moment.",
    "provider-refused": "Your organisation's sign-in did not let you in.",
    "passkey": "This passkey is not known here, or could not be checked. Try again, or ask an administrator.",
    "invitation": "This invitation cannot be used. It was used before, or is more than 24 hours old.",
    "other": "Signing in did not work. Start again from this page.",
}
EVERYTHING = (OfficerRole.OFFICER, OfficerRole.MANAGER, OfficerRole.ADMINISTRATOR)


async def create_sign_in_link(parts: Parts, officer: str, roles: Sequence[OfficerRole] = EVERYTHING) -> str:
    """A web address that signs `officer` in once within 15 minutes; Misconfigured in production and without a name.

    Somebody who is no officer yet is made one with `roles`; an officer keeps theirs.
    """
    name = tidy_name(officer)
    if parts.settings.is_production:
        raise Misconfigured("one-time sign-in links are for development; production does not make them")
    if not name:
        raise Misconfigured("name the officer whom the link signs in")
    secret, until = secrets.token_urlsafe(32), parts.clock() + LINK_LIFE
    await parts.store.transact(
        lambda tx: sessions.add_link(tx, digest(secret), sessions.SIGN_IN, name, until, roles)
    )
    return f"{parts.settings.console_address}{BASE}/sign-in?{urlencode({'token': secret})}"


async def get_sign_in(console: Console, visit: Visit) -> Response:
    """The ways in that there are: the button that uses a link, or the words that say what is missing."""
    asked = visit.request.query_params
    leave_url = await _leave_url(console) if "left" in asked else None
    return sign_in_page(console, visit, asked.get("token", ""), leave_url=leave_url)


def sign_in_page(
    console: Console,
    visit: Visit,
    token: str = "",
    failed: str = "",
    status: int = 200,
    leave_url: str | None = None,
) -> Response:
    """`failed`: why the last try came to nothing, as a coarse word."""
    is_production = console.parts.settings.is_production
    shown = {
        "token": "" if is_production else token,
        "is_production": is_production,
        "has_provider": console.provider is not None,
        "failed": FAILURES.get(failed, FAILURES["other"]) if failed else "",
        "leave_url": leave_url,
    }
    return page(visit, "sign_in.html", status, **shown)


async def post_sign_in(console: Console, visit: Visit) -> Response:
    """Use a link once and begin a session."""
    now = console.parts.clock()
    if console.parts.settings.is_production:
        return sign_in_page(console, visit, status=403)
    link, secret = digest(visit.form.get("token", "")), secrets.token_urlsafe(32)

    def use(tx: Tx) -> bool:
        used = sessions.use_link(tx, link, sessions.SIGN_IN, now)
        row = _of_development(tx, used, now) if used is not None else None
        if row is None or not row.is_active:
            return False
        begin(tx, console, visit, row, sessions.BY_LINK, secret, now)
        return True
        # A crash after the commit leaves a session whose secret nobody has: ask for another link.

    if not await console.parts.store.transact(use):
        return sign_in_page(console, visit, failed="link", status=403)
    response = go("/")
    console.begin(response, secret)
    return response


async def begin_try(console: Console, kind: str, secret: str, response: Response) -> None:
    """A sign-in is under way in this browser for ten minutes: what it must bring back is derived from the secret."""
    now = console.parts.clock()
    await console.parts.store.transact(
        lambda tx: sessions.add_try(tx, digest(secret), kind, now, now + TRY_LIFE)
    )
    seconds = int(TRY_LIFE.total_seconds())
    # Lax: another site, the provider, sends the browser back.
    response.set_cookie(
        _try_cookie(console),
        secret,
        max_age=seconds,
        path="/",
        secure=console.is_over_tls,
        httponly=True,
        samesite="lax",
    )


def try_secret(console: Console, visit: Visit) -> str:
    """The secret of the sign-in that is under way in this browser; empty when none is."""
    return visit.request.cookies.get(_try_cookie(console), "")


def end_try(console: Console, response: Response) -> None:
    response.delete_cookie(
        _try_cookie(console), path="/", secure=console.is_over_tls, httponly=True, samesite="lax"
    )


def derived(secret: str, what: str) -> str:
    """What this sign-in sends along: nobody who sees one of them can make another."""
    made = hmac.new(secret.encode(), f"sign-in {what}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _try_cookie(console: Console) -> str:
    return "__Host-console-try" if console.is_over_tls else "console-try"


def begin(
    tx: Tx, console: Console, visit: Visit, row: OfficerRow, way: str, secret: str, now: datetime
) -> None:
    """A session under a fresh secret; whatever session the browser had is over. Refused for who may not sign in."""
    if not row.is_active:
        raise Refused(
            ErrorCode.NOT_PERMITTED, detail="Your account does not let you in. Ask an administrator."
        )
    sessions.end(tx, digest(console.secret(visit.request)))
    ends_at = now + timedelta(seconds=console.parts.settings.session_lifetime_seconds)
    sessions.begin(tx, SessionRow(digest(secret), row.key, way, now, now, ends_at))
    officers.change(tx, row.name, signed_in_at=now)


async def post_sign_out(console: Console, visit: Visit) -> Response:
    """End the session here and in the browser."""
    secret = console.secret(visit.request)
    await console.parts.store.transact(lambda tx: sessions.end(tx, digest(secret)))
    response = go("/sign-in" if console.provider is None else "/sign-in?left=1")
    console.end(response)
    return response


async def _leave_url(console: Console) -> str | None:
    """Where to sign out of the provider too; nothing when it cannot be asked: the session here is over anyway."""
    if console.provider is None:
        return None
    try:
        return await console.provider.leave_url()
    except Exception as fault:
        _log.warning("sign_in.provider", fault=type(fault).__name__)
        return None


def _of_development(tx: Tx, link: sessions.LinkRow, now: datetime) -> OfficerRow | None:
    """The officer whom a link names, made if there is none: nobody's account is checked in development."""
    if officers.find(tx, link.officer) is None:
        values = {
            "roles": officers.roles_as_kept(link.roles),
            "partnerships": None,
            "subject": None,
            "email": None,
            "state": officers.ACTIVE,
            "source": officers.DEVELOPMENT,
            "added_at": now,
            "added_by": "development",
            "seconded_by": None,
        }
        officers.add(tx, link.officer, values)
    return officers.find(tx, link.officer)
