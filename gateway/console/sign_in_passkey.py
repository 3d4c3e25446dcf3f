"""Passkeys of our own, where no identity provider is set up: an invitation makes one, and it signs its officer in.

Invariant: a passkey works once a challenge, on this site's own address, with the person verified by their device (a PIN or a
biometric), and never with a counter that went back. An invitation is used once, by whoever holds the link: it is handed over in
person. Source: W3C Web Authentication Level 3, sections 7.1 and 7.2; the library checks them.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlsplit

import structlog
from starlette.responses import Response
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from gateway.actions.change_officer import say_officer_changed
from gateway.actions.prove import Occasion
from gateway.console.door import Console, Visit, digest, origin
from gateway.console.pages import go, page
from gateway.console.sign_in import begin, begin_try, derived, end_try, sign_in_page, try_secret
from gateway.parts import Supply
from gateway.store import officers, sessions
from gateway.store.officers import OfficerRow, PasskeyRow
from gateway.store.transaction import Tx

GET, CREATE = "passkey", "invitation"
SERVICE = "Safeguarding gateway"
MOST_PASSKEYS = 10
_ALWAYS_VERIFIED = UserVerificationRequirement.REQUIRED
_IMPOSSIBLE = (WebAuthnException, ValueError, TypeError, KeyError)  # what the library says of bad answers

_log = structlog.get_logger()


async def get_passkey(console: Console, visit: Visit) -> Response:
    """The page whose button asks the browser for a passkey; any of this site will do."""
    if console.provider is not None:
        return sign_in_page(console, visit, failed="not-set-up", status=404)
    secret = secrets.token_urlsafe(32)
    options = options_to_json(
        generate_authentication_options(
            rp_id=_site(console), challenge=_challenge(secret), user_verification=_ALWAYS_VERIFIED
        )
    )
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
    made = generate_registration_options(
        rp_id=_site(console),
        rp_name=SERVICE,
        user_name=row.name,
        user_id=bytes.fromhex(console.parts.keys.fingerprint("passkey", row.key.encode())),
        challenge=_challenge(secret),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_ALWAYS_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.id)) for each in have],
    )
    response = page(visit, "invitation.html", options=options_to_json(made), token=token, name=row.name)
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
    link, named = digest(visit.form.get("token", "")), bytes_to_base64url(made.credential_id)

    def keep(tx: Tx) -> bool:
        row = _invited(tx, sessions.use_link(tx, link, sessions.INVITATION, now))
        if row is None or officers.passkey(tx, named) is not None:
            return False
        if len(officers.passkeys_of(tx, row.key)) >= MOST_PASSKEYS:
            return False
        key = PasskeyRow(named, row.key, made.credential_public_key, made.sign_count, now, None)
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


def _made(console: Console, visit: Visit) -> VerifiedRegistration | None:
    """What the browser made, once it holds."""
    try:
        return verify_registration_response(
            credential=visit.form.get("credential", ""),
            expected_challenge=_challenge(try_secret(console, visit)),
            expected_rp_id=_site(console),
            expected_origin=origin(console.parts.settings.console_address),
            require_user_verification=True,
        )
    except _IMPOSSIBLE:
        return None


def _checked(console: Console, visit: Visit, said: str, known: PasskeyRow) -> int | None:
    """The authenticator's counter, when the answer holds; a counter that went back means a copy, and does not."""
    try:
        return int(
            verify_authentication_response(
                credential=said,
                expected_challenge=_challenge(try_secret(console, visit)),
                expected_rp_id=_site(console),
                expected_origin=origin(console.parts.settings.console_address),
                credential_public_key=known.public_key,
                credential_current_sign_count=known.sign_count,
                require_user_verification=True,
            ).new_sign_count
        )
    except _IMPOSSIBLE:
        return None


async def _use_try(console: Console, visit: Visit, kind: str) -> bool:
    secret, now = try_secret(console, visit), console.parts.clock()
    if not secret:
        return False
    return await console.parts.store.transact(lambda tx: sessions.use_try(tx, digest(secret), kind, now))


def _challenge(secret: str) -> bytes:
    return derived(secret, "challenge").encode()


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
