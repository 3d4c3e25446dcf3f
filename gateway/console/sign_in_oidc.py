"""Signing in with the organisation's OpenID Connect provider, and finding out which officer that is.

Invariant: an answer is taken once, in the browser that asked, for the request that it made: state, nonce and PKCE verifier are
derived from a secret that stands in that browser's cookie alone. Whoever is no officer here, or has no role, is not let in: an account
at the provider is not enough. A suspended officer stays out whatever the provider says.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from starlette.responses import RedirectResponse, Response

from gateway.actions.change_officer import say_officer_changed
from gateway.actions.prove import Occasion
from gateway.console.door import Console, Visit, digest
from gateway.console.pages import page
from gateway.console.sign_in import (
    begin,
    begin_try,
    derived,
    end_try,
    sign_in_page,
    try_secret,
)
from gateway.parts import Supply
from gateway.store import officers, sessions
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx

if TYPE_CHECKING:
    from gateway.console.sign_in_provider import Person

KIND = "oidc"

_log = structlog.get_logger()


async def get_oidc(console: Console, visit: Visit) -> Response:
    """Send the browser to the provider."""
    from gateway.console.sign_in_provider import SignInFailed

    if console.provider is None:
        return sign_in_page(console, visit, failed="not-set-up", status=404)
    secret = secrets.token_urlsafe(32)
    try:
        url = await console.provider.authorization_url(
            derived(secret, "state"), derived(secret, "nonce"), derived(secret, "verifier")
        )
    except SignInFailed as failed:
        return _failed(console, visit, failed.reason)
    response = RedirectResponse(url, 303)
    await begin_try(console, KIND, secret, response)
    return response


async def get_callback(console: Console, visit: Visit) -> Response:
    """The provider sent the browser back. 1. Ours, and once. 2. From whom. 3. The code. 4. Which officer. 5. A session."""
    from gateway.console.sign_in_provider import SignInFailed

    if console.provider is None:
        return sign_in_page(console, visit, failed="not-set-up", status=404)
    said, secret = visit.request.query_params, try_secret(console, visit)
    try:
        if not hmac.compare_digest(said.get("state", "").encode(), derived(secret, "state").encode()):
            raise SignInFailed("not-asked-for")
        if not secret or not await _use_try(console, secret):
            raise SignInFailed("not-asked-for")
        await console.provider.check_issuer(said.get("iss"))
        if "error" in said or not said.get("code"):
            raise SignInFailed("provider-refused")
        person = await console.provider.person(
            said["code"], derived(secret, "nonce"), derived(secret, "verifier")
        )
        fresh = await _signed_in(console, visit, person)
    except SignInFailed as failed:
        return _failed(console, visit, failed.reason)
    response = page(visit, "signed_in.html")
    console.begin(response, fresh)
    end_try(console, response)
    _log.info("sign_in.done", way=KIND)
    return response


async def _use_try(console: Console, secret: str) -> bool:
    now = console.parts.clock()
    return await console.parts.store.transact(lambda tx: sessions.use_try(tx, digest(secret), KIND, now))


async def _signed_in(console: Console, visit: Visit, person: Person) -> str:
    """The secret of the session that begins."""
    from gateway.console.sign_in_provider import SignInFailed

    now, fresh, seed = console.parts.clock(), secrets.token_urlsafe(32), secrets.token_bytes(32)

    def enter(tx: Tx) -> str | None:
        row, why_not = _officer(tx, console, person, Occasion(now, Supply(seed)))
        if row is None or not row.is_active:
            return why_not or "suspended-or-no-role"
        begin(tx, console, visit, row, sessions.BY_OIDC, fresh, now)
        return None

    why_not = await console.parts.store.transact(enter)
    if why_not is not None:
        raise SignInFailed(why_not)
    return fresh


def _officer(
    tx: Tx, console: Console, person: Person, occasion: Occasion
) -> tuple[OfficerRow | None, str | None]:
    """The officer of this account, or why there is none. With roles from the provider it is made and kept as the provider says."""
    row = officers.of_subject(tx, person.subject)
    if person.roles is None:
        return row, None if row is not None else "no-officer"
    if row is None:
        if not person.roles:
            return None, "no-officer"
        if not person.name or officers.find(tx, person.name) is not None:
            return None, "name-taken"  # two people whom receipts could not tell apart
        officers.add(tx, person.name, _values(person, occasion.at))
        say_officer_changed(tx, console.parts, occasion, person.name, "added-by-claims")
    elif row.roles != person.roles:
        officers.change(tx, row.name, roles=officers.roles_as_kept(person.roles))
        say_officer_changed(tx, console.parts, occasion, row.name, "roles-by-claims")
    return officers.of_subject(tx, person.subject), None


def _values(person: Person, now: datetime) -> dict[str, object]:
    return {
        "roles": officers.roles_as_kept(person.roles or frozenset()),
        "partnerships": None,
        "subject": person.subject,
        "email": None,
        "state": officers.ACTIVE,
        "source": officers.CLAIMS,
        "added_at": now,
        "added_by": "identity provider",
        "seconded_by": None,
    }


def _failed(console: Console, visit: Visit, reason: str) -> Response:
    _log.warning("sign_in.refused", way=KIND, reason=reason)
    response = sign_in_page(console, visit, failed=reason, status=403)
    end_try(console, response)
    return response
