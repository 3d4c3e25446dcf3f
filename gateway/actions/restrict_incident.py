"""Let only named officers open an incident, name another, or let everybody open it again.

Who restricts is admitted. Who is not admitted names nobody, and an override lets nobody name themselves for good. Lifting needs two
officers, the first of them named: it opens to all what was closed for a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.actions.need_to_know import Restricted, must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers, name_key, tidy_name
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import access, incidents
from gateway.store.access import AdmissionRow, RestrictionRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

CODE = re.compile("[a-z0-9-]{1,64}")
MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class Restriction:
    """Who restricts which incident, why (a code without names), and who else may open it."""

    incident: IncidentId
    officer: str
    reason: str
    admitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """A named officer names another."""

    incident: IncidentId
    officer: str
    admitted: str


@dataclass(frozen=True, slots=True)
class Lifting:
    incident: IncidentId
    officers: TwoOfficers


def restrict_incident(tx: Tx, parts: Parts, work: Work, asked: Restriction) -> Stated:
    """From now on only these officers open it. Refused when it is restricted already, or without a reason."""
    incident = _locked(tx, work, asked.incident)
    if not CODE.fullmatch(asked.reason):
        detail = "The reason is a code: small letters, figures, hyphens."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    if access.restriction(tx, incident.partnership, incident.id) is not None:
        must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is restricted already.")
    names = [name for name in map(tidy_name, (asked.officer, *asked.admitted)) if name]
    if not names or len(names) > MOST_NAMES:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Name who may open it: at most 50 officers.")
    row = RestrictionRow(incident.partnership, incident.id, asked.reason, asked.officer, work.at)
    access.restrict(tx, row)
    for name in names:
        _admit(tx, work, incident, name, asked.officer)
    fields = {"officer": asked.officer, "admitted": "; ".join(names)}
    return _say(tx, parts, work, incident, Said(Event.ACCESS_RESTRICTED, fields, reason=asked.reason))


def admit_officer(tx: Tx, parts: Parts, work: Work, asked: Admission) -> Stated:
    """One more may open it. Restricted when who asks is not named themselves."""
    incident, name = _restricted(tx, work, asked.incident), tidy_name(asked.admitted)
    _must_be_named(tx, incident, asked.officer)
    if not name:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Name the officer who may open it.")
    _admit(tx, work, incident, name, asked.officer)
    fields = {"officer": asked.officer, "admitted": name}
    return _say(tx, parts, work, incident, Said(Event.ACCESS_GRANTED, fields))


def lift_restriction(tx: Tx, parts: Parts, work: Work, asked: Lifting) -> Stated:
    """Every officer may open it again. Restricted when the first of the two is not named."""
    incident = _restricted(tx, work, asked.incident)
    _must_be_named(tx, incident, asked.officers.first)
    access.lift(tx, incident.partnership, incident.id)
    fields = {"officer": asked.officers.first, "second_officer": asked.officers.second}
    return _say(tx, parts, work, incident, Said(Event.RESTRICTION_LIFTED, fields))


def _locked(tx: Tx, work: Work, wanted: IncidentId) -> Incident:
    incident = incidents.lock(tx, work.pack.partnership, wanted)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return incident


def _restricted(tx: Tx, work: Work, wanted: IncidentId) -> Incident:
    incident = _locked(tx, work, wanted)
    if access.restriction(tx, incident.partnership, incident.id) is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is not restricted.")
    return incident


def _must_be_named(tx: Tx, incident: Incident, officer: str) -> None:
    rows = access.admissions(tx, incident.partnership, incident.id)
    if not any(row.officer == name_key(officer) and row.until is None for row in rows):
        raise Restricted(incident.id)


def _admit(tx: Tx, work: Work, incident: Incident, name: str, by: str) -> None:
    row = AdmissionRow(incident.partnership, incident.id, name_key(name), name, by, work.at, None, None)
    access.admit(tx, row)


def _say(tx: Tx, parts: Parts, work: Work, incident: Incident, said: Said) -> Stated:
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, [said])[0]
