"""Let an agency take part in an incident as a guest: a child's home council, a partner out of area (G-07, S3-24, P-09).

A guest sees what is delivered to it and nothing else: what a rule sends to `involved` agencies passes it by. It may be an
agency of another partnership here; its inbox is then open for this incident alone. Two officers, since it widens the circle.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.decided_on import message_of
from gateway.actions.need_to_know import must_know
from gateway.actions.owe_deliveries import owe_delivery
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.rules import Whom, is_avoided
from gateway.core.sandbox import SANDBOX, is_of_sandbox
from gateway.parts import Parts, Work
from gateway.store import deliveries, directory, incidents, messages
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class GuestChange:
    """`reason` is in the officers' own words: committed to under the incident's key and kept nowhere in clear."""

    incident: IncidentId
    agency: AgencyId
    officers: TwoOfficers
    reason: str


@dataclass(frozen=True, slots=True)
class Invited:
    receipt: str
    sent: tuple[str, ...]  # ids of the earlier messages that it now gets too


def invite_guest(tx: Tx, parts: Parts, work: Work, asked: GuestChange) -> Invited:
    """Add a guest, and owe it the messages that the rules send to guests, those that came before it too."""
    incident = open_incident(tx, work, asked)
    if asked.agency not in directory.known(tx, [asked.agency]):
        raise Refused(
            ErrorCode.NOT_FOUND, detail="No directory here has an agency of this id: import it first."
        )
    if is_of_sandbox(asked.agency) or incident.partnership == SANDBOX:
        raise Refused(ErrorCode.NOT_PERMITTED, detail="The sandbox mixes with no other partnership.")
    if asked.agency in incidents.taking_part(tx, incident.partnership, incident.id):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This agency takes part already.")
    if f"{asked.agency}/*" in messages.avoided(tx, incident.partnership, incident.id):
        raise Refused(
            ErrorCode.NOT_PERMITTED, detail="A message of the incident says not to contact this agency."
        )
    incidents.involve(tx, incident.partnership, incident.id, [asked.agency], guest=True)
    receipt = state_change(tx, parts, work, incident, asked, "guest-added")
    return Invited(receipt, tuple(_catch_up(tx, parts, work, incident, asked.agency)))
    # A crash before the commit leaves the incident as it was; the officers ask again.


def open_incident(tx: Tx, work: Work, asked: GuestChange) -> Incident:
    """The incident, locked; Refused when it is unknown, closed or erased."""
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officers, work.at)
    if incident.state != "open":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is closed or erased.")
    return incident


def state_change(
    tx: Tx, parts: Parts, work: Work, incident: Incident, asked: GuestChange, reason: str
) -> str:
    """State who joined or left, by whose word; the receipt's id."""
    fields = {
        "agency": asked.agency,
        "officer": asked.officers.first,
        "second_officer": asked.officers.second,
        "words": asked.reason,
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, [Said(Event.GUESTS_CHANGED, fields, reason=reason)])[0].id


def _catch_up(tx: Tx, parts: Parts, work: Work, incident: Incident, guest: AgencyId) -> list[str]:
    routes = {route.id: route for route in work.pack.routes}
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    sent: list[str] = []
    for row in messages.of_incident(tx, incident.partnership, incident.id):
        route = routes.get(row.rule) if row.decision == "forward" else None
        recalled = any(one.recalled_at for one in deliveries.of_message(tx, row.id))
        to = [one for one in (route.deliver if route else ()) if one.whom is Whom.GUESTS]
        to = [one for one in to if not is_avoided(avoided, guest, one.role)]
        if recalled or not to or row.agency == guest:
            continue
        result = Forwarded(row.rule)
        for one in to:
            owe_delivery(work, message_of(row, work), incident, Seat(guest, one.role), result, one.notice)
        subject = Subject(row.id, incident.partnership, incident.id, work.key)
        said = Said(Event.ROUTED, {"rule": row.rule, "recipients": " ".join(result.recipients)})
        prove(tx, parts, work, subject, [said])
        result.record(tx)
        sent.append(row.id)
    return sent
