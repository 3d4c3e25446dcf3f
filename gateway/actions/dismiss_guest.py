"""A guest takes part no more: nothing further is sent to it, and its inbox is closed for the incident. Two officers."""

from __future__ import annotations

from gateway.actions.invite_guest import GuestChange, open_incident, state_change
from gateway.core.errors import ErrorCode, Refused
from gateway.parts import Parts, Work
from gateway.store import incidents
from gateway.store.transaction import Tx


def dismiss_guest(tx: Tx, parts: Parts, work: Work, asked: GuestChange) -> str:
    """End a guest's part in an incident; the receipt's id. Refused when it is no guest there."""
    incident = open_incident(tx, work, asked)
    if not incidents.taking_part(tx, incident.partnership, incident.id).get(asked.agency, False):
        raise Refused(ErrorCode.NOT_FOUND, detail="This agency is no guest of that incident.")
    incidents.leave(tx, incident.partnership, incident.id, asked.agency)
    return state_change(tx, parts, work, incident, asked, "guest-removed")
