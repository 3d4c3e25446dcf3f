"""A legal hold: nothing of the incident may be erased while it stands, whatever its retention class says.

Placing one only keeps, so one officer does it; lifting one lets content be destroyed again, so it takes two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import incidents
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

REASON = re.compile("[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class LegalHold:
    """`reason` is a coarse code (an inquiry, a claim): it stands in the ledger for good."""

    incident: IncidentId
    officer: str
    reason: str
    second_officer: str = ""


def place_legal_hold(tx: Tx, parts: Parts, work: Work, asked: LegalHold) -> Stated:
    """Bar erasure; the receipt. Refused when it is barred already, or when the content is erased or being erased."""
    incident = _named(tx, work, asked)
    if incident.legal_hold:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is under a legal hold already.")
    if incident.state in ("erasing", "erased"):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="Its data keys are destroyed: nothing is left to hold."
        )
    return _set(tx, parts, work, incident, asked, Event.LEGAL_HOLD_PLACED)


def lift_legal_hold(tx: Tx, parts: Parts, work: Work, asked: LegalHold) -> Stated:
    """Let it be erased again; the receipt. Two officers; Refused where no hold stands."""
    incident = _named(tx, work, asked)
    TwoOfficers(asked.officer, asked.second_officer)
    if not incident.legal_hold:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is under no legal hold.")
    return _set(tx, parts, work, incident, asked, Event.LEGAL_HOLD_LIFTED)


def _named(tx: Tx, work: Work, asked: LegalHold) -> Incident:
    if not REASON.fullmatch(asked.reason):
        detail = "The reason is a code: small letters, figures, hyphens."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at, asked.second_officer)
    return incident


def _set(tx: Tx, parts: Parts, work: Work, incident: Incident, asked: LegalHold, event: Event) -> Stated:
    is_placed = event is Event.LEGAL_HOLD_PLACED
    incidents.change(tx, incident.partnership, incident.id, legal_hold=is_placed)
    fields = {"officer": asked.officer, "second_officer": asked.second_officer}
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, [Said(event, fields, reason=asked.reason)])[0]
    # A crash before the commit leaves the hold as it was; the officer says it again.
