"""Signing in and out: what every way in shares, and the one-time links of development.

A link is opened with GET and used with POST, so that the preview of a chat or a mail scanner does not use it up. Whatever the
way in, a session begins under a fresh secret, and the browser's session before it is over. The other ways stand in
`sign_in_oidc` and `sign_in_passkey`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

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

LINK_LIFE = timedelta(minutes=15)
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
    return sign_in_page(console, visit, visit.request.query_params.get("token", ""))


def sign_in_page(
    console: Console, visit: Visit, token: str = "", failed: str = "", status: int = 200
) -> Response:
    """`failed`: why the last try came to nothing, as a word of the page."""
    is_production = console.parts.settings.is_production
    given = "" if is_production else token
    return page(visit, "sign_in.html", status, token=given, is_production=is_production, failed=failed)


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


async def post_sign_out(console: Console, visit: Visit) -> Response:
    """End the session here and in the browser."""
    secret = console.secret(visit.request)
    await console.parts.store.transact(lambda tx: sessions.end(tx, digest(secret)))
    response = go("/sign-in")
    console.end(response)
    return response


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
