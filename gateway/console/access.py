"""Restricted incidents: who may open them, opening one without being named, and what the managers and auditors see of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from gateway.actions.hold_disclosure import PoliceHold, place_police_hold
from gateway.actions.override_restriction import Override, override_restriction
from gateway.actions.restrict_incident import Admission, Restriction, admit_officer, restrict_incident
from gateway.actions.watch_use import bounds
from gateway.console import reading
from gateway.console.door import Console, Visit
from gateway.console.officer_words import (
    HOLD_REASONS,
    LIFT_REASONS,
    OVERRIDE_REASONS,
    RESTRICTION_REASONS,
    USES,
)
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.presence import local_day
from gateway.store import access, incidents, officers

MOST_SHOWN = 100
MOST_WORDS = 500
DAYS_SHOWN = timedelta(days=30)


async def get_access(console: Console, visit: Visit) -> Response:
    """Restricted incidents, who opened them without being named, and days of unusual use."""
    within, now = visit.signed_in.partnerships, console.parts.clock()
    since, many = local_day(now - DAYS_SHOWN), bounds(console.parts.settings)
    shown: dict[str, Any] = await console.parts.store.read(
        lambda tx: {
            "restricted": access.restricted_in(tx, within),
            "overrides": access.overrides_in(tx, within, MOST_SHOWN),
            "uses": access.uses_since(tx, since, many),
            "people": {row.key: row.name for row in officers.every(tx)},
        }
    )
    words: dict[str, Any] = {
        "override_reasons": OVERRIDE_REASONS,
        "restriction_reasons": RESTRICTION_REASONS,
        "acts": USES,
    }
    return page(visit, "access.html", here="access", now=now, **shown, **words)


async def get_incident_access(console: Console, visit: Visit) -> Response:
    """Who may open one incident, with the form that restricts it or names another officer."""
    wanted, partnership = await _where(console, visit)
    shown: dict[str, Any] = await console.parts.store.read(
        lambda tx: {
            "restriction": access.restriction(tx, partnership, wanted),
            "admissions": access.admissions(tx, partnership, wanted),
            "people": [row.name for row in officers.every(tx) if row.is_active],
            "police_hold": (found := incidents.find(tx, partnership, wanted)) and found.police_hold,
        }
    )
    words: dict[str, Any] = {
        "reasons": RESTRICTION_REASONS,
        "hold_reasons": HOLD_REASONS,
        "lift_reasons": LIFT_REASONS,
    }
    return page(visit, "incident_access.html", here="incidents", incident=wanted, **words, **shown)


async def post_police_hold(console: Console, visit: Visit) -> Response:
    """Stop what the rules name from being disclosed; a second officer must agree to its end (G-11)."""
    wanted, partnership = await _where(console, visit)
    asked = PoliceHold(wanted, visit.signed_in.name, _chosen(visit, HOLD_REASONS))
    await console.parts.perform(place_police_hold, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/access")


async def post_restrict(console: Console, visit: Visit) -> Response:
    """Only the officers named on the form, and who sends it, open the incident from now on."""
    wanted, partnership = await _where(console, visit)
    reason = _chosen(visit, RESTRICTION_REASONS)
    names = tuple(line for line in visit.form.get("admitted", "").splitlines() if line.strip())
    await _must_be_officers(console, names)
    asked = Restriction(wanted, visit.signed_in.name, reason, names)
    await console.parts.perform(restrict_incident, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/access")


async def post_admit(console: Console, visit: Visit) -> Response:
    wanted, partnership = await _where(console, visit)
    name = visit.form.get("admitted", "")
    await _must_be_officers(console, (name,))
    asked = Admission(wanted, visit.signed_in.name, name)
    await console.parts.perform(admit_officer, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/access")


async def post_override(console: Console, visit: Visit) -> Response:
    """Open it all the same, for some hours; the managers are told."""
    wanted, partnership = await _where(console, visit)
    reason, words = _chosen(visit, OVERRIDE_REASONS), visit.form.get("words", "").strip()
    if not words or len(words) > MOST_WORDS:
        detail = "Say in your own words why it cannot wait: at most 500 characters. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    asked = Override(wanted, visit.signed_in.name, reason, words)
    await console.parts.perform(override_restriction, asked, partnership, wanted)
    return go(f"/incidents/{wanted}")


def restricted_page(visit: Visit, incident: IncidentId, detail: str) -> Response:
    """What an officer sees of an incident that others are named on."""
    return page(
        visit, "restricted.html", 403, incident=incident, told=detail, override_reasons=OVERRIDE_REASONS
    )


async def _where(console: Console, visit: Visit) -> tuple[IncidentId, PartnershipId]:
    officer, wanted = visit.signed_in, IncidentId(visit.path("incident"))
    return wanted, await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, wanted))


def _chosen(visit: Visit, reasons: dict[str, str]) -> str:
    reason = visit.form.get("reason", "")
    if reason not in reasons:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose a reason. Go back and try again.")
    return reason


async def _must_be_officers(console: Console, names: tuple[str, ...]) -> None:
    """A slip in a name would let nobody in, or somebody else later."""
    known = await console.parts.store.read(lambda tx: [officers.find(tx, name) for name in names])
    if not all(row is not None and row.is_active for row in known):
        detail = "Not every name is an officer's here: write each as their account has it, one a line."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
