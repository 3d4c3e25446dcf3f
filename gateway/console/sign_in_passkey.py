"""Passkeys of our own, where no identity provider is set up: an invitation makes one, and it signs its officer in.

Invariant: a passkey works once a challenge, on this site's own address, with the person verified by their device (a PIN or a
biometric), and never with a counter that went back. An invitation is used once, by whoever holds the link: it is handed over in
person. Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; the library checks them.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from starlette.responses import Response

from gateway.actions.change_officer import say_officer_changed
from gateway.actions.prove import Occasion
from gateway.console.door import Console, Visit, digest, origin
from gateway.console.pages import go, page
from gateway.console.sign_in import begin, begin_try, derived, end_try, sign_in_page, try_secret
from gateway.parts import Supply
from gateway.store import officers, sessions
from gateway.store.officers import OfficerRow, PasskeyRow
from gateway.store.transaction import Tx

if TYPE_CHECKING:
    from gateway.console.passkeys import Asked, NewPasskey

GET, CREATE = "passkey", "invitation"
MOST_PASSKEYS = 10

_log = structlog.get_logger()


async def get_passkey(console: Console, visit: Visit) -> Response:
    """The page whose button asks the browser for a passkey; any of this site will do."""
    if console.provider is not None:
        return sign_in_page(console, visit, failed="not-set-up", status=404)
    secret = secrets.token_urlsafe(32)
    from gateway.console import passkeys

    options = passkeys.options_to_sign_in(_asked(console, secret))
    response = page(visit, "passkey.html", options=options)
    await begin_try(console, GET, secret, response)
    return response


async def post_passkey(console: Console, visit: Visit) -> Response:
    """Sign in whose passkey it is."""
    if console.provider is not None or not await _use_try(console, visit, GET):
        return _failed(console, visit, "passkey")
    said, now = visit.form.get("credential", ""), console.parts.clock()
    named, fresh = _credential_id(said), secrets.token_urlsafe(32)
    found = await console.parts.store.read(lambda tx: officers.passkey(tx, named))
    count = None if found is None else _checked(console, visit, said, found)
    if found is None or count is None:
        return _failed(console, visit, "passkey")

    def enter(tx: Tx) -> bool:
        known, row = officers.passkey(tx, named), officers.find(tx, found.officer)
        if known is None or known.sign_count != found.sign_count or row is None or not row.is_active:
            return False
        officers.passkey_used(tx, named, count, now)
        begin(tx, console, visit, row, sessions.BY_PASSKEY, fresh, now)
        return True

    if not await console.parts.store.transact(enter):
        return _failed(console, visit, "suspended-or-no-role")
    response = go("/")
    console.begin(response, fresh)
    end_try(console, response)
    _log.info("sign_in.done", way=GET)
    return response


async def get_invitation(console: Console, visit: Visit) -> Response:
    """The page whose button makes a passkey. Looking at it uses nothing up."""
    token, now = visit.request.query_params.get("token", ""), console.parts.clock()
    row = await console.parts.store.read(
        lambda tx: _invited(tx, sessions.look_at_link(tx, digest(token), sessions.INVITATION, now))
    )
    if row is None or console.provider is not None:
        return _failed(console, visit, "invitation")
    have = await console.parts.store.read(lambda tx: officers.passkeys_of(tx, row.key))
    secret = secrets.token_urlsafe(32)
    from gateway.console import passkeys

    handle = bytes.fromhex(console.parts.keys.fingerprint("passkey", row.key.encode()))
    made = passkeys.options_to_make(_asked(console, secret), row.name, handle, [each.id for each in have])
    response = page(visit, "invitation.html", options=made, token=token, name=row.name)
    await begin_try(console, CREATE, secret, response)
    return response


async def post_invitation(console: Console, visit: Visit) -> Response:
    """Keep the public half of the passkey that the browser made; then one signs in with it."""
    if console.provider is not None or not await _use_try(console, visit, CREATE):
        return _failed(console, visit, "invitation")
    made = _made(console, visit)
    if made is None:
        return _failed(console, visit, "passkey")
    now, seed = console.parts.clock(), secrets.token_bytes(32)
    link = digest(visit.form.get("token", ""))

    def keep(tx: Tx) -> bool:
        row = _invited(tx, sessions.use_link(tx, link, sessions.INVITATION, now))
        if row is None or officers.passkey(tx, made.id) is not None:
            return False
        if len(officers.passkeys_of(tx, row.key)) >= MOST_PASSKEYS:
            return False
        key = PasskeyRow(made.id, row.key, made.public_key, made.sign_count, now, None)
        officers.add_passkey(tx, key)
        say_officer_changed(tx, console.parts, Occasion(now, Supply(seed)), row.name, "passkey-added")
        return True
        # A crash after the commit: the passkey is there; the officer signs in with it.

    if not await console.parts.store.transact(keep):
        return _failed(console, visit, "invitation")
    response = go("/sign-in/passkey")
    end_try(console, response)
    return response


def _invited(tx: Tx, link: sessions.LinkRow | None) -> OfficerRow | None:
    row = officers.find(tx, link.officer) if link is not None else None
    return row if row is not None and row.is_active else None


def _made(console: Console, visit: Visit) -> NewPasskey | None:
    from gateway.console import passkeys

    asked = _asked(console, try_secret(console, visit))
    return passkeys.made(asked, visit.form.get("credential", ""))


def _checked(console: Console, visit: Visit, said: str, known: PasskeyRow) -> int | None:
    from gateway.console import passkeys

    asked = _asked(console, try_secret(console, visit))
    return passkeys.counted(asked, said, known.public_key, known.sign_count)


def _asked(console: Console, secret: str) -> Asked:
    """One try of one browser: its secret makes the challenge."""
    from gateway.console import passkeys

    address = console.parts.settings.console_address
    return passkeys.Asked(_site(console), origin(address), derived(secret, "challenge").encode())


async def _use_try(console: Console, visit: Visit, kind: str) -> bool:
    secret, now = try_secret(console, visit), console.parts.clock()
    if not secret:
        return False
    return await console.parts.store.transact(lambda tx: sessions.use_try(tx, digest(secret), kind, now))


def _site(console: Console) -> str:
    """The relying party: the host of the console's own address."""
    return urlsplit(console.parts.settings.console_address).hostname or ""


def _credential_id(said: str) -> str:
    try:
        return str(json.loads(said)["id"])[:1024]
    except (ValueError, TypeError, KeyError):
        return ""


def _failed(console: Console, visit: Visit, reason: str) -> Response:
    _log.warning("sign_in.refused", way=GET, reason=reason)
    response = sign_in_page(console, visit, failed=reason, status=403)
    end_try(console, response)
    return response
