"""Record a breach of personal data, and let its 72 hours run from the instant at which it was known (K21, domain section 8).

The hours are the law's: elapsed time, weekends included, and no officer can waive them. A near miss is logged without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from gateway.actions.hold import hold
from gateway.actions.lay_duties import add_duties
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.recall import OPENED_WRONGLY
from gateway.actions.what_follows import Forwarded
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, IncidentId, MessageId, RoleId
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances
from gateway.core.rules import DutyRule, Recipients, Whom
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import breaches, holds, incidents, messages
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

CLOCK, AWARE, EXPECTED = "K21", "breach_aware_at", "breach-report"
IG_OFFICER, UNIT = RoleId("ig-officer"), RoleId("sbu")


class BreachKind(Enum):
    MISDIRECTED = "misdirected"
    UNAUTHORISED_ACCESS = "unauthorised-access"
    DISCLOSED = "disclosed"
    LOST = "lost"
    ALTERED = "altered"
    NEAR_MISS = "near-miss"


@dataclass(frozen=True, slots=True)
class Breach:
    """`aware_at` is when the controller knew. `agency` is the controller whose breach it is, `message` what went astray.
    `words` are the officer's own: committed to under the incident's key and kept nowhere in clear."""

    incident: IncidentId
    aware_at: datetime
    kind: BreachKind
    officer: str
    words: str = ""
    message: MessageId | None = None
    agency: AgencyId | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    breach: str
    receipt: str
    due_at: datetime | None


def record_breach(tx: Tx, parts: Parts, work: Work, asked: Breach) -> Recorded:
    """Log it and open the duty to report; Refused when its incident or message is unknown, or it lies in the future."""
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    if asked.aware_at > work.at:
        raise Refused(
            ErrorCode.INVALID_MESSAGE, detail="Nobody can be aware of it before now: see --aware-at."
        )
    message = _message(tx, incident, asked)
    result = Forwarded("breach")
    if asked.kind is not BreachKind.NEAR_MISS:
        _owe_the_report(work, incident, message, asked, result)
    breach = work.supply.id(IdKind.BREACH)
    fields = {
        "breach": breach,
        "kind": asked.kind.value,
        "aware_at": written(asked.aware_at),
        "message": asked.message or "",
        "duties": " ".join(result.duties_in_short),
        "officer": asked.officer,
        "words": asked.words,
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    said = Said(Event.BREACH_RECORDED, fields, reason=asked.kind.value)
    (receipt,) = prove(tx, parts, work, subject, [said])
    result.record(tx)
    duty = result.duties[0] if result.duties else None
    breaches.record(tx, _row(work, incident, asked, breach, duty))
    for gap in result.gaps:
        hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (gap,))
    _settle_the_suggestion(tx, work, incident, asked)
    return Recorded(breach, receipt.id, duty["due_at"] if duty else None)
    # A crash before the commit leaves nothing; the officer records it again.


def _row(
    work: Work, incident: Incident, asked: Breach, breach: str, duty: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The breach as the log of breaches keeps it; `duty` is the one to report it, if it has one."""
    return {
        "id": breach,
        "partnership": incident.partnership,
        "incident": incident.id,
        "message": asked.message,
        "kind": asked.kind.value,
        "duty": duty["id"] if duty else None,
        "aware_at": asked.aware_at,
        "recorded_at": work.at,
        "recorded_by": asked.officer,
        "state": "open",
    }


def _message(tx: Tx, incident: Incident, asked: Breach) -> MessageId:
    """The message that the duty is about: the one that went astray, else the one that opened the incident."""
    known = messages.of_incident(tx, incident.partnership, incident.id)
    found = next((row.id for row in known if asked.message in (None, row.id)), None)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no message of this id in that incident.")
    return found


def _owe_the_report(
    work: Work, incident: Incident, message: MessageId, asked: Breach, result: Forwarded
) -> None:
    """One duty, of the controller's information-governance officer; while nobody holds that seat, of the business unit."""
    seats = [s for s in work.directory.seats_of(IG_OFFICER) if asked.agency in (None, s.agency)]
    if len(seats) > 1:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say whose breach it is with --agency.")
    unit = work.directory.seats_of(UNIT)[:1]
    if not seats and not unit:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="Nobody holds the seat ig-officer, nor sbu: enrol somebody first.",
        )
    if not seats:
        result.gaps.append(f"nobody-holds-{IG_OFFICER}")
    owner = (seats or unit)[0]
    rule = DutyRule(Recipients(owner.role, Whom.NAMED), EXPECTED, CLOCK)
    now = Circumstances(owner.agency, named=(owner.agency,))
    add_duties(work, message, incident, rule, {AWARE: asked.aware_at}, now, result)


def _settle_the_suggestion(tx: Tx, work: Work, incident: Incident, asked: Breach) -> None:
    """What a recall asked an officer to look at is now looked at."""
    for held in holds.open_holds(tx, incident.partnership):
        if held.subject == asked.message and held.reasons == (OPENED_WRONGLY,):
            holds.settle(tx, held.id, work.at, asked.officer, "released")
