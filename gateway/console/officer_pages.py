"""Who works here: every officer with their roles, passkeys, last sign-in and quiet hours; who is on call; setting people up.

An administrator's click changes who may work here; wherever it gives somebody an administrator's power, or another way into an
account that has one, it waits for a second officer (`actions.agree_arrangements`). Officers are named in addresses by a keyed digest.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import time
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.actions.agree_arrangements import NONE
from gateway.actions.change_officer import (
    ADDRESS,
    ON_CALL_ROLES,
    Invitation,
    NewAddress,
    NewOfficer,
    NewRoles,
    QuietAsked,
    Suspension,
    Turn,
    TurnEnd,
    add_officer,
    change_address,
    change_roles,
    end_turn,
    invite_officer,
    put_on_call,
    set_quiet_hours,
    suspend_officer,
)
from gateway.actions.tell_managers import recipient_of
from gateway.console.arrangements import ask_about_all, must_see_all, settled
from gateway.console.door import BASE, Console, Visit, digest
from gateway.console.forms import local_instant
from gateway.console.officer_words import OFFICER_ROLES
from gateway.console.pages import go, page
from gateway.core.alerts import QuietHours
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import name_key
from gateway.core.permissions import OfficerRole
from gateway.core.presence import local_day
from gateway.parts import Parts
from gateway.store import officers
from gateway.store.officers import OfficerRow, TurnRow
from gateway.store.transaction import Tx

ADMIN = OfficerRole.ADMINISTRATOR
NOTICES = {
    "added": "They are an officer now. Invite them to make a passkey, or let them sign in with your organisation's account.",
    "address": "Alerts reach them there.",
    "roles": "They have these roles from the next page they open.",
    "suspended": "They are signed out everywhere and let in nowhere.",
    "lifted": "They may sign in again.",
    "on-call": "They are on call for that time.",
    "off-call": "That turn is taken back.",
}
TURN_NEEDS = "Give the days and times from when and until when."
SOURCES = {"list": "Added here", "claims": "Groups of your organisation", "development": "Development link"}


@dataclass(frozen=True, slots=True)
class OfficerLine:
    """One officer as the list shows them; `id` is how addresses name them."""

    id: str
    row: OfficerRow
    passkeys: int
    is_on_call: bool


async def get_officers(console: Console, visit: Visit) -> Response:
    """Everybody who may work here, and who is on call."""
    now = console.parts.clock()

    def read(tx: Tx) -> tuple[list[OfficerLine], list[TurnRow]]:
        here = officers.on_call_at(tx, now)
        lines = [
            OfficerLine(
                recipient_of(console.parts, row), row, len(officers.passkeys_of(tx, row.key)), row.key in here
            )
            for row in officers.every(tx)
        ]
        return lines, officers.turns(tx, now)

    lines, turns = await console.parts.store.read(read)
    shown: dict[str, Any] = {
        "lines": lines,
        "turns": turns,
        "people": {one.row.key: one.row.name for one in lines},
        "may_be_called": [
            (one.id, one.row.name)
            for one in lines
            if one.row.is_active and one.row.email and one.row.roles & ON_CALL_ROLES
        ],
        "usual": QuietHours(
            console.parts.settings.alert_quiet_from, console.parts.settings.alert_quiet_until
        ),
        "has_provider": console.provider is not None,
        "now": now,
        "today": local_day(now),
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
        **_words(),
    }
    return page(visit, "officers.html", here="officers", **shown)


async def get_officer(console: Console, visit: Visit) -> Response:
    """One of them, with the forms that change what they may do."""
    row = await _found(console, visit)
    return await _shown(console, visit, row)


async def post_added(console: Console, visit: Visit) -> Response:
    """One more officer; an administrator waits for a second officer."""
    await must_see_all(console, visit)
    name, roles, form = visit.form.get("name", "").strip(), _roles(visit), visit.form
    email, subject = form.get("email", "").strip(), form.get("subject", "").strip()
    if not name or not roles or (email and not ADDRESS.fullmatch(email)):
        detail = "Give the name, at least one role, and an address that is one. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    account = f"{console.parts.settings.oidc_issuer or ''} {subject}" if subject else ""
    if ADMIN in roles:
        fields = {"name": name, "roles": _kept(roles), "email": email or NONE, "subject": account or NONE}
        return await ask_about_all(console, visit, "add-officer", fields)
    asked = NewOfficer(name, roles, visit.signed_in.name, "", email or None, account or None)
    await settled(console, add_officer, asked)
    return go("/officers?done=added")


async def post_roles(console: Console, visit: Visit) -> Response:
    await must_see_all(console, visit)
    row, roles = await _found(console, visit), _roles(visit)
    if not roles:
        detail = "Choose at least one role, or suspend them. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    if ADMIN in roles or row.key == name_key(visit.signed_in.name):
        return await ask_about_all(console, visit, "officer-roles", {"name": row.name, "roles": _kept(roles)})
    await settled(console, change_roles, NewRoles(row.name, roles, visit.signed_in.name))
    return go(f"{_path(console, row)}?done=roles")


async def post_suspended(console: Console, visit: Visit) -> Response:
    """At once, by one: whoever should not be here is out before a second is found."""
    await must_see_all(console, visit)
    row = await _found(console, visit)
    if row.key == name_key(visit.signed_in.name):
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Ask another administrator to suspend you.")
    await settled(console, suspend_officer, Suspension(row.name, visit.signed_in.name))
    return go(f"{_path(console, row)}?done=suspended")


async def post_lifted(console: Console, visit: Visit) -> Response:
    await must_see_all(console, visit)
    row = await _found(console, visit)
    if ADMIN in row.roles:
        return await ask_about_all(console, visit, "let-officer-in", {"name": row.name})
    asked = Suspension(row.name, visit.signed_in.name, lift=True)
    await settled(console, suspend_officer, asked)
    return go(f"{_path(console, row)}?done=lifted")


async def post_address(console: Console, visit: Visit) -> Response:
    """The first address at once; another in its place waits for a second officer."""
    await must_see_all(console, visit)
    row, email = await _found(console, visit), visit.form.get("email", "").strip()
    if (email and not ADDRESS.fullmatch(email)) or (not email and row.email is None):
        detail = "Give an e-mail address. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    if row.email is not None:
        return await ask_about_all(
            console, visit, "officer-address", {"name": row.name, "email": email or NONE}
        )
    asked = NewAddress(row.name, email, visit.signed_in.name)
    await settled(console, change_address, asked)
    return go(f"{_path(console, row)}?done=address")


async def post_invited(console: Console, visit: Visit) -> Response:
    """A link with which they make a passkey, shown once; it works at once, or when a second officer has agreed."""
    await must_see_all(console, visit)
    row, secret = await _found(console, visit), secrets.token_urlsafe(32)
    if console.provider is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="Officers sign in at your organisation's provider."
        )
    replace = visit.form.get("replace") == "yes"
    have = await console.parts.store.read(lambda tx: officers.passkeys_of(tx, row.key))
    takes_two = bool(have) or ADMIN in row.roles
    if takes_two:
        fields = {"name": row.name, "link": digest(secret), "replace": "yes" if replace else "no"}
        await ask_about_all(console, visit, "invite-officer", fields)
    else:
        asked = Invitation(row.name, digest(secret), visit.signed_in.name, replace=replace)
        await settled(console, invite_officer, asked)
    link = f"{console.parts.settings.console_address}{BASE}/invitation?{urlencode({'token': secret})}"
    return await _shown(console, visit, row, link, takes_two=takes_two)


async def post_on_call(console: Console, visit: Visit) -> Response:
    """Somebody is on call from a day and hour of London until another."""
    wanted, form = visit.form.get("officer", ""), visit.form
    row = await console.parts.store.read(lambda tx: _named(tx, console.parts, wanted))
    if row is None:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose who is on call. Go back and try again.")
    starts_at, ends_at = (
        local_instant(form.get(f"{each}_on", ""), form.get(f"{each}_at", ""), TURN_NEEDS)
        for each in ("from", "until")
    )
    asked = Turn(row.name, starts_at, ends_at, visit.signed_in.name)
    await settled(console, put_on_call, asked)
    return go("/officers?done=on-call")


async def post_off_call(console: Console, visit: Visit) -> Response:
    asked = TurnEnd(visit.path("turn"), visit.signed_in.name)
    await settled(console, end_turn, asked)
    return go("/officers?done=off-call")


async def post_quiet(console: Console, visit: Visit) -> Response:
    """One's own quiet hours, or the unit's again."""
    officer, form, hours = visit.signed_in.name, visit.form, None
    if form.get("as") != "unit":
        try:
            starts, ends = (time.fromisoformat(form.get(name, "")) for name in ("quiet_from", "quiet_until"))
        except ValueError:
            detail = "Give both times, such as 19:00 and 07:30. Go back and try again."
            raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail) from None
        hours = QuietHours(starts.replace(tzinfo=None), ends.replace(tzinfo=None))
    await settled(console, set_quiet_hours, QuietAsked(officer, hours, officer))
    return go("/account?done=quiet")


async def _shown(
    console: Console, visit: Visit, row: OfficerRow, link: str = "", *, takes_two: bool = False
) -> Response:
    have = await console.parts.store.read(lambda tx: officers.passkeys_of(tx, row.key))
    shown: dict[str, Any] = {
        "row": row,
        "passkeys": have,
        "path": _path(console, row),
        "is_self": row.key == name_key(visit.signed_in.name),
        "has_provider": console.provider is not None,
        "sources": SOURCES,
        "link": link,
        "takes_two": takes_two,
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
        **_words(),
    }
    return page(visit, "officer.html", here="officers", **shown)


def _words() -> dict[str, Any]:
    return {
        "role_words": {role.value: said for role, said in OFFICER_ROLES.items()},
        "all_roles": list(OFFICER_ROLES.items()),
    }


def _roles(visit: Visit) -> frozenset[OfficerRole]:
    return frozenset(role for role in OfficerRole if visit.form.get(f"role-{role.value}") == "yes")


def _kept(roles: frozenset[OfficerRole]) -> str:
    return ",".join(officers.roles_as_kept(roles))


def _path(console: Console, row: OfficerRow) -> str:
    return f"/officers/{recipient_of(console.parts, row)}"


def _named(tx: Tx, parts: Parts, wanted: str) -> OfficerRow | None:
    return next((row for row in officers.every(tx) if recipient_of(parts, row) == wanted), None)


async def _found(console: Console, visit: Visit) -> OfficerRow:
    wanted = visit.path("officer")
    row = await console.parts.store.read(lambda tx: _named(tx, console.parts, wanted))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return row
