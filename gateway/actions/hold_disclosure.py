"""A police or sub judice hold: what the partnership's rules name is not disclosed while it stands (G-11).

Placing one only keeps something back, so one officer does it, or the police by saying so in a message; lifting one lets it
go out, so it takes two. What was on its way is stopped where it has not left; what waited goes on only when an officer then
releases it, one by one. Nothing that has arrived is taken back by this: that is a recall.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gateway.actions.hold import hold
from gateway.actions.need_to_know import must_know
from gateway.actions.owe_deliveries import is_stopped
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, Message
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, incidents
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

CODE = re.compile("[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class PoliceHold:
    """`reason` is a coarse code (criminal-proceedings, sub-judice): it stands in the ledger for good."""

    incident: IncidentId
    officer: str
    reason: str


@dataclass(frozen=True, slots=True)
class HoldLifting:
    incident: IncidentId
    officers: TwoOfficers
    reason: str


def place_police_hold(tx: Tx, parts: Parts, work: Work, asked: PoliceHold) -> Stated:
    """Stop disclosure; the receipt. Refused when it is stopped already, or when the content is erased or being erased."""
    incident = _named(tx, work, asked.incident, asked.officer, asked.reason)
    if incident.police_hold is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is under a police hold already.")
    if incident.state in ("erasing", "erased"):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="Its data keys are destroyed: nothing can go out."
        )
    return _place(tx, parts, work, incident, asked.reason, {"officer": asked.officer})


def lift_police_hold(tx: Tx, parts: Parts, work: Work, asked: HoldLifting) -> Stated:
    """Let disclosure go on by the rules; the receipt. Refused where no hold stands."""
    incident = _named(tx, work, asked.incident, asked.officers.first, asked.reason)
    if incident.police_hold is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is under no police hold.")
    incidents.change(tx, incident.partnership, incident.id, police_hold=None)
    fields = {"officer": asked.officers.first, "second_officer": asked.officers.second}
    said = Said(Event.POLICE_HOLD_LIFTED, fields, reason=asked.reason)
    return prove(tx, parts, work, _chain(incident, work), [said])[0]
    # A crash before the commit leaves the hold as it was; the officers say it again.


def hold_if_said(tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident) -> Incident:
    """The incident, under a hold from now on where this message asks for one by the pack's words and none stands."""
    if incident.police_hold is not None:
        return incident
    if not work.pack.disclosure.asked_by(message.agency_kind, message.facts):
        return incident
    _place(tx, parts, work, incident, POLICE_HOLD, {"sender": message.agency, "message": message.id})
    return replace(incident, police_hold=POLICE_HOLD)


def _named(tx: Tx, work: Work, wanted: IncidentId, officer: str, reason: str) -> Incident:
    if not CODE.fullmatch(reason):
        detail = "The reason is a code: small letters, figures, hyphens."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    incident = incidents.lock(tx, work.pack.partnership, wanted)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, officer, work.at)
    return incident


def _place(
    tx: Tx, parts: Parts, work: Work, incident: Incident, reason: str, by: dict[str, str | int]
) -> Stated:
    incidents.change(tx, incident.partnership, incident.id, police_hold=reason)
    stopped = _stop_what_has_not_left(tx, work, replace(incident, police_hold=reason))
    said = Said(Event.POLICE_HOLD_PLACED, {**by, "stopped": stopped}, reason=reason)
    return prove(tx, parts, work, _chain(incident, work), [said])[0]
    # A crash before the commit leaves everything on its way; the officer, or the sender's repeat, says it again.


def _stop_what_has_not_left(tx: Tx, work: Work, incident: Incident) -> int:
    """Every delivery that the hold stops and no worker has in hand waits from now on; how many."""
    stopped = 0
    for delivery in deliveries.under_way(tx, incident.partnership, incident.id):
        row = deliveries.find(tx, delivery)
        if row is None or not is_stopped(work, incident, row.message_type, row.agency):
            continue
        if deliveries.hold_unless_leased(tx, delivery, work.at):
            hold(tx, work, incident.partnership, incident.id, ("delivery", delivery), (POLICE_HOLD,))
            stopped += 1
    return stopped


def _chain(incident: Incident, work: Work) -> Subject:
    return Subject(incident.chain, incident.partnership, incident.id, work.key)
