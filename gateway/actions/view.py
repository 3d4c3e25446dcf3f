"""An officer opens an incident, or what one of its messages says: stated before anything is shown."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.watch_use import OPENED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import incidents
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Viewing:
    """Who opens what. `opened` is `incident`, or the id of the message whose content is opened."""

    officer: str
    partnership: PartnershipId
    incident: IncidentId
    opened: str = "incident"


def view(tx: Tx, parts: Parts, work: Work, asked: Viewing) -> None:
    """State that it was opened; Refused(not-found) when there is no such incident, Restricted when others are named."""
    incident = incidents.lock(tx, asked.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    must_know(tx, asked.partnership, asked.incident, asked.officer, work.at)
    watch_use(tx, parts, work, asked.officer, OPENED)
    subject = Subject(incident.chain, asked.partnership, incident.id, work.key)
    fields = {"officer": asked.officer, "opened": asked.opened}
    prove(tx, parts, work, subject, [Said(Event.INCIDENT_VIEWED, fields)])
    # A crash after the commit: it is stated that something was opened which was then never shown. Harmless.
