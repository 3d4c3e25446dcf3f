"""Close an incident: only when nothing is owed, held or under way, and the statutory question is answered (S0-01).

The question stands while a criterion of `core.statutory` is met or undecided. It is answered by the record (the national
notification was made, or the matter was referred to the partners) or by an officer with a reason. That nothing is required
although a criterion is met takes two officers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.actions.ask_the_law import found_in
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, counting, prove
from gateway.actions.reopen import CLOSED
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.statutory import Finding, Standing, unsettled
from gateway.parts import Parts, Work
from gateway.store import deliveries, duties, holds, incidents, likenesses, log, messages
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

NOTIFIED_AT, REFERRAL = "sin_submitted_at", "referral"
MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Closing:
    """`reason` and `because` are in the officer's own words: committed to and kept nowhere in clear."""

    incident: IncidentId
    officer: str
    reason: str
    answer: str | None = None  # notified, referred, not-required
    because: str = ""
    second_officer: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The receipt, and how the statutory question was answered: by the record, by an officer, or not asked."""

    receipt: Stated
    answer: str


def close_incident(tx: Tx, parts: Parts, work: Work, asked: Closing) -> Closed:
    """Close it; Refused with what stands in the way: duties, holds, deliveries, or the statutory question."""
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at, asked.second_officer)
    if incident.state != "open":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is not open.")
    if in_the_way := _unfinished(tx, incident):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=_listed(in_the_way))
    rows = messages.of_incident(tx, incident.partnership, incident.id)
    asks = unsettled(found_in(work.pack, rows))
    answer = _answer(tx, incident, asked, asks)
    incidents.change(tx, incident.partnership, incident.id, state=CLOSED, ended_at=work.at)
    fields: dict[str, str | int] = {
        "officer": asked.officer,
        "second_officer": asked.second_officer,
        "words": asked.reason,
        "statutory_answer": answer,
        "because": asked.because,
        **log.count_of_incident(tx, incident.partnership, incident.id),
        "criteria": " ".join(f"{each.criterion.id}:{each.standing.value}" for each in asks),
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    said = counting(tx, subject, Said(Event.CLOSED, fields, reason=f"statutory-{answer}"))
    return Closed(prove(tx, parts, work, subject, said)[-1], answer)
    # A crash before the commit leaves the incident open; the officer closes it again.


def _unfinished(tx: Tx, incident: Incident) -> list[str]:
    """What is owed, held or on its way, each in short."""
    owed = [
        f"{duty.id} ({duty.expects}, {duty.role}@{duty.agency})"
        for duty in duties.of_incident(tx, incident.partnership, incident.id)
        if duty.state in UNANSWERED
    ]
    held = [
        f"{hold.id} (held)"
        for hold in holds.open_holds(tx, incident.partnership)
        if hold.incident == incident.id
    ]
    sent = [
        f"{one} (not delivered yet)" for one in deliveries.under_way(tx, incident.partnership, incident.id)
    ]
    return owed + held + sent


def _listed(in_the_way: Sequence[str]) -> str:
    more = len(in_the_way) - MOST_NAMED
    named = "; ".join(in_the_way[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return f"This incident cannot be closed while these stand: {named}."


def _answer(tx: Tx, incident: Incident, asked: Closing, asks: Sequence[Finding]) -> str:
    """How the statutory question is answered; Refused when it is not."""
    if not asks:
        return "not-asked"
    if asked.answer is not None:
        return _officers_answer(asked, asks)
    if NOTIFIED_AT in incidents.moments(tx, incident.partnership, incident.id):
        return "notified"
    if _is_referred(tx, incident):
        return "referred"
    names = ", ".join(f"{each.criterion.id} ({each.standing.value})" for each in asks)
    detail = f"What the law asks is not answered: {names}. Give --statutory-answer with --because."
    raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


def _officers_answer(asked: Closing, asks: Sequence[Finding]) -> str:
    if not asked.because.strip():
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="The statutory answer needs a reason: --because."
        )
    if asked.answer == "not-required" and any(each.standing is Standing.MET for each in asks):
        TwoOfficers(asked.officer, asked.second_officer)
    return str(asked.answer)


def _is_referred(tx: Tx, incident: Incident) -> bool:
    """Whether this incident, or one linked with it, has been referred to the partners."""
    found = likenesses.of_incident(tx, incident.partnership, incident.id)
    linked = [each.other(incident.id) for each in found if each.state == likenesses.LINKED]
    return any(
        message_type == REFERRAL
        for one in (incident.id, *linked)
        for message_type, _ in messages.forwarded(tx, incident.partnership, one)
    )
