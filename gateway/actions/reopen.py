"""Take a closed incident up again: on an officer's word, or because something came that a person must see.

Nothing that comes late is refused because an incident was closed (S4-22): it opens the incident, and the business unit finds
that held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.actions.hold import hold
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import incidents
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

CLOSED = "closed"
BY_OFFICER, BY_ARRIVAL = "reopened-by-officer", "reopened-by-late-arrival"


@dataclass(frozen=True, slots=True)
class Reopening:
    """`reason` is in the officer's own words: committed to under the incident's key and kept nowhere in clear."""

    incident: IncidentId
    officer: str
    reason: str


def reopen(tx: Tx, parts: Parts, work: Work, asked: Reopening) -> Stated:
    """Open a closed incident again; the receipt. Refused when it is not closed."""
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    if incident.state != CLOSED:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is not closed.")
    return _open(tx, parts, work, incident, BY_OFFICER, {"officer": asked.officer, "words": asked.reason})


def reopened(tx: Tx, parts: Parts, work: Work, incident: Incident, cause: str) -> Incident:
    """The incident, whose row is locked, open again if it was closed; `cause` is the id of what came."""
    if incident.state != CLOSED:
        return incident
    _open(tx, parts, work, incident, BY_ARRIVAL, {"cause": cause})
    hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (BY_ARRIVAL,))
    return replace(incident, state="open")


def reopened_by(
    tx: Tx, parts: Parts, work: Work, partnership: PartnershipId, incident: IncidentId | None, cause: str
) -> None:
    """As `reopened`, of an incident that is known by its id; nothing where there is none."""
    found = incidents.lock(tx, partnership, incident) if incident is not None else None
    if found is not None:
        reopened(tx, parts, work, found, cause)


def _open(
    tx: Tx, parts: Parts, work: Work, incident: Incident, reason: str, fields: dict[str, str]
) -> Stated:
    incidents.change(tx, incident.partnership, incident.id, state="open", ended_at=None)
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, [Said(Event.REOPENED, fields, reason=reason)])[0]
