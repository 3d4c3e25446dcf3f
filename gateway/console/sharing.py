"""Who else is in it: guests, incidents that are handed over, and pairs of incidents that may be about the same child.

The lists show ids and codes. Letting an agency take part, ending its part and handing an incident over take two officers
(G-07, P-05, P-09): they are asked for here and done when the other agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.approvals import ask
from gateway.console.deliveries import said
from gateway.console.door import Console, Visit
from gateway.console.pages import page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.core.sandbox import SANDBOX, is_of_sandbox
from gateway.store import directory, incidents, likenesses, overview, sharing
from gateway.store.overview import MOST_LISTED
from gateway.store.sharing import GuestLine
from gateway.store.transaction import Tx

HANDED_OVER_DAYS = timedelta(days=90)


async def get_same_child(console: Console, visit: Visit) -> Response:
    """Pairs that nobody has looked at, the longest waiting first."""
    within, now = visit.signed_in.partnerships, console.parts.clock()
    rows = await console.parts.store.read(lambda tx: likenesses.possible(tx, within, MOST_LISTED))
    return page(visit, "same_child.html", here="today", rows=rows, now=now, most=MOST_LISTED)


async def get_guests(console: Console, visit: Visit) -> Response:
    """What others have not taken up; with `?all` every guest, and what was handed over of late."""
    within, now = visit.signed_in.partnerships, console.parts.clock()
    shows_all = "all" in visit.request.query_params
    since = now - HANDED_OVER_DAYS

    def read(tx: Tx) -> dict[str, Any]:
        if shows_all:
            return {
                "guests": sharing.guests(tx, within, MOST_LISTED),
                "transfers": sharing.handed_over(tx, within, since, MOST_LISTED),
            }
        return {
            "guests": sharing.guests_waited_for(tx, within, MOST_LISTED),
            "transfers": sharing.not_taken_up(tx, within, MOST_LISTED),
        }

    found = await console.parts.store.read(read)
    names = await console.parts.store.read(lambda tx: _names(tx, found["guests"]))
    return page(visit, "guests.html", here="today", shows_all=shows_all, names=names, now=now, **found)


async def get_incident_guests(console: Console, visit: Visit) -> Response:
    """Who takes part in one incident, with the forms that ask for another guest, for a guest's end, or to hand it over."""
    officer, wanted = visit.signed_in, IncidentId(visit.path("incident"))
    partnership = await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, wanted))
    await console.parts.perform(view, Viewing(officer.name, partnership, wanted), partnership, wanted)
    shown = await console.parts.store.read(lambda tx: _read(tx, partnership, wanted))
    return page(visit, "incident_guests.html", here="incidents", **shown)


async def post_invited(console: Console, visit: Visit) -> Response:
    said(visit, "reason", "Say why it should take part.")
    return await ask(console, visit, "invite-guest", IncidentId(visit.path("incident")))


async def post_dismissed(console: Console, visit: Visit) -> Response:
    said(visit, "reason", "Say why its part ends.")
    return await ask(console, visit, "dismiss-guest", IncidentId(visit.path("incident")))


async def post_handed_over(console: Console, visit: Visit) -> Response:
    """To another partnership here, or to a council that is none of ours."""
    said(visit, "reason", "Say why it is handed over.")
    wanted, to = IncidentId(visit.path("incident")), visit.form.get("to", "")
    if to:
        here = await console.parts.store.read(overview.partnerships)
        if to not in here or to == SANDBOX:
            raise Refused(ErrorCode.MALFORMED_REQUEST)
        return await ask(console, visit, "transfer", wanted)
    said(visit, "council", "Choose a partnership, or name the council.")
    said(visit, "taken_by", "Name who took it over there.")
    return await ask(console, visit, "transfer-elsewhere", wanted)


def _read(tx: Tx, partnership: PartnershipId, wanted: IncidentId) -> dict[str, Any]:
    found = incidents.find(tx, partnership, wanted)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    part = incidents.taking_part(tx, partnership, wanted)
    everybody = directory.bodies(tx)
    here = [one for one in overview.partnerships(tx) if one not in (partnership, SANDBOX)]
    return {
        "incident": found,
        "taking_part": part,
        "names": {one.id: one.name for one in directory.known(tx, part).values()},
        "others": sorted(
            (one for one in everybody.items() if _may_come(one[0], part)), key=lambda one: one[1]
        ),
        "partnerships": [(one, words.spoken(one)) for one in here],
    }


def _may_come(agency: AgencyId, taking_part: Mapping[AgencyId, bool]) -> bool:
    return agency not in taking_part and not is_of_sandbox(agency)


def _names(tx: Tx, rows: list[GuestLine]) -> dict[AgencyId, str]:
    """A guest may be of another partnership's directory."""
    return {one.id: one.name for one in directory.known(tx, [row.agency for row in rows]).values()}
