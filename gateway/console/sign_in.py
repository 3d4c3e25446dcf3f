"""Signing in and out. In development by a one-time link; production refuses links, and says that sign-in is not set up.

A link is opened with GET and used with POST, so that the preview of a chat or a mail scanner does not use it up.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.console.door import BASE, Console, Visit, address, digest
from gateway.console.pages import go, page
from gateway.core.errors import Misconfigured
from gateway.parts import Parts
from gateway.store import sessions
from gateway.store.transaction import Tx

LINK_LIFE = timedelta(minutes=15)


async def create_sign_in_link(parts: Parts, officer: str) -> str:
    """A web address that signs `officer` in once within 15 minutes; Misconfigured in production and without a name."""
    name = " ".join(officer.split())
    if parts.settings.is_production:
        raise Misconfigured("one-time sign-in links are for development; production does not make them")
    if not name:
        raise Misconfigured("name the officer whom the link signs in")
    secret, until = secrets.token_urlsafe(32), parts.clock() + LINK_LIFE
    await parts.store.transact(lambda tx: sessions.add_link(tx, digest(secret), name, until))
    return f"{address(parts.settings)}{BASE}/sign-in?{urlencode({'token': secret})}"


async def get_sign_in(console: Console, visit: Visit) -> Response:
    """The page with the button that uses a link, or the words that say what is missing."""
    token = "" if console.parts.settings.is_production else visit.request.query_params.get("token", "")
    is_production = console.parts.settings.is_production
    return page(visit, "sign_in.html", token=token, is_production=is_production, failed=False)


async def post_sign_in(console: Console, visit: Visit) -> Response:
    """Use a link once and begin a session under a fresh secret."""
    settings, now = console.parts.settings, console.parts.clock()
    if settings.is_production:
        return page(visit, "sign_in.html", 403, token="", is_production=True, failed=False)
    link, secret = digest(visit.form.get("token", "")), secrets.token_urlsafe(32)
    ends_at = now + timedelta(seconds=settings.session_lifetime_seconds)

    def use(tx: Tx) -> str | None:
        officer = sessions.use_link(tx, link, now)
        if officer is not None:
            sessions.begin(tx, digest(secret), officer, now, ends_at)
        return officer
        # A crash after the commit leaves a session whose secret nobody has: ask for another link.

    if await console.parts.store.transact(use) is None:
        return page(visit, "sign_in.html", 403, token="", is_production=False, failed=True)
    response = go("/")
    console.begin(response, secret)
    return response


async def post_sign_out(console: Console, visit: Visit) -> Response:
    """End the session here and in the browser."""
    secret = visit.request.cookies.get(console.cookie, "")
    await console.parts.store.transact(lambda tx: sessions.end(tx, digest(secret)))
    response = go("/sign-in")
    console.end(response)
    return response
