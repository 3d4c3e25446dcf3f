"""An officer's own account: their roles, what those let them do, where they are signed in, and signing out everywhere."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from gateway.console.door import Console, Visit, digest
from gateway.console.officer_words import ABILITIES, OFFICER_ROLES, WAYS_IN
from gateway.console.pages import go, page
from gateway.core.alerts import QuietHours
from gateway.core.officers import name_key
from gateway.core.permissions import OfficerRole
from gateway.store import officers, sessions

NOTICES = {"quiet": "Your quiet hours are set."}


async def get_account(console: Console, visit: Visit) -> Response:
    """Who I am here, what I may do, and my sessions."""
    officer, now = visit.signed_in, console.parts.clock()
    idle = timedelta(seconds=console.parts.settings.session_idle_seconds)
    settings = console.parts.settings
    usual = QuietHours(settings.alert_quiet_from, settings.alert_quiet_until)
    row = await console.parts.store.read(lambda tx: officers.find(tx, officer.name))
    rows = await console.parts.store.read(
        lambda tx: sessions.of_officer(tx, name_key(officer.name), now, idle)
    )
    return page(
        visit,
        "account.html",
        sessions=rows,
        this=digest(console.secret(visit.request)),
        roles=[OFFICER_ROLES[role] for role in OfficerRole if role in officer.roles],
        abilities=[words for needs, words in ABILITIES.items() if officer.may(needs)],
        ways_in=WAYS_IN,
        quiet=row.quiet if row else None,
        usual=usual,
        has_address=bool(row and row.email),
        notice=NOTICES.get(visit.request.query_params.get("done", "")),
    )


async def post_sign_out_everywhere(console: Console, visit: Visit) -> Response:
    """End every session of this officer, this one too."""
    key = name_key(visit.signed_in.name)
    await console.parts.store.transact(lambda tx: sessions.end_all(tx, key))
    response = go("/sign-in")
    console.end(response)
    return response
