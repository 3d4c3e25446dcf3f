"""Let something held go on, on an officer's word: a letter, a message the rules stopped, or mail that needed reading."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.actions.circumstances import circumstances
from gateway.actions.climb import TELEPHONE
from gateway.actions.decided_on import message_of
from gateway.actions.doubts import doubts, forbidden
from gateway.actions.draft_letters import LETTER_RULE
from gateway.actions.go_on import go_on
from gateway.actions.hold import TRANSFERRED, hold
from gateway.actions.index_children import POSSIBLE_DUPLICATE
from gateway.actions.lay_duties import add_duties
from gateway.actions.misdirection import misdirections
from gateway.actions.need_to_know import must_know
from gateway.actions.owe_deliveries import is_stopped
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId, Facts, Message, MessageId
from gateway.core.receipts import Event
from gateway.core.rules import DutyRule, Forward, Recipients, Whom, decide, letter_rule
from gateway.parts import Parts, Work
from gateway.store import attachments, deliveries, duties, holds, incidents, mail, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Release:
    """An officer's word on one hold. `refuse` ends it without letting anything go on. `reason` is in the officer's own
    words: committed to under the incident's key and kept nowhere in clear."""

    hold: str
    officer: str
    refuse: bool = False
    reason: str = ""
    confirmed: frozenset[str] = (
        frozenset()
    )  # reasons against sending (misdirection.py) that the officer answers for


_ENDED = "The incident is closed or erased: refuse this."
_NOT_OPEN = {TRANSFERRED: "The incident was handed over: tell who took it over, and refuse this."}


def release(tx: Tx, parts: Parts, work: Work, asked: Release) -> HoldRow:
    """End a hold once and let its subject go on (or not); Refused when it is unknown or already ended.

    Nothing goes on of an incident that is closed, handed over or erased; what is held of it can still be refused.
    """
    held = holds.find(tx, asked.hold)
    if held is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if POSSIBLE_DUPLICATE in held.reasons:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say whether it is the same child: link or not.")
    incident = incidents.lock(tx, held.partnership, held.incident) if held.incident else None
    if incident is not None and incident.state != "open" and not asked.refuse:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=_NOT_OPEN.get(incident.state, _ENDED))
    must_know(tx, held.partnership, held.incident, asked.officer, work.at)
    if not asked.refuse and _is_stopped(tx, work, held, incident):
        detail = "The incident is under a police hold: two officers lift that first, or refuse this."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    against = () if asked.refuse else misdirections(tx, work.directory, work.at, work.key, held)
    if held.settled_at is None and (unconfirmed := [one for one in against if one not in asked.confirmed]):
        detail = f"Confirm each reason against sending it, or refuse it: {', '.join(unconfirmed)}."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if not holds.settle(tx, held.id, work.at, asked.officer, "refused" if asked.refuse else "released"):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Somebody has already dealt with this.")
    ref = _subject_ref(tx, held, incident)
    subject = Subject(ref, held.partnership, held.incident, work.key)
    fields = {"officer": asked.officer, "hold": held.id, "outcome": "refused" if asked.refuse else "released"}
    if against:
        fields["confirmed"] = " ".join(against)
    if asked.reason:
        fields["words"] = asked.reason
    prove(tx, parts, work, subject, [Said(Event.RELEASED, fields, reason=_reason(asked))])
    if incident is not None and not asked.refuse:
        _go_on(tx, parts, work, held, incident)
    elif asked.refuse and held.subject_kind == "delivery" and TELEPHONE not in held.reasons:
        deliveries.cancel_unless_leased(tx, DeliveryId(held.subject), work.at)
    if held.subject_kind == "mail":
        mail.change_raw(tx, held.subject, state="settled")
    return held
    # A crash before the commit leaves the hold as it was; the officer clicks again.


def _is_stopped(tx: Tx, work: Work, held: HoldRow, incident: Incident | None) -> bool:
    delivery = deliveries.find(tx, DeliveryId(held.subject)) if held.subject_kind == "delivery" else None
    if delivery is None or incident is None or delivery.state is not DeliveryState.HELD:
        return False
    return is_stopped(work, incident, delivery.message_type, delivery.agency)


def _reason(asked: Release) -> str:
    return "refused-by-officer" if asked.refuse else "released-by-officer"


def _subject_ref(tx: Tx, held: HoldRow, incident: Incident | None) -> str:
    if held.subject_kind == "delivery":
        delivery = deliveries.find(tx, DeliveryId(held.subject))
        return delivery.message if delivery else held.id
    if held.subject_kind == "message":
        return held.subject
    if held.subject_kind == "attachment":
        file = attachments.find(tx, held.partnership, held.subject)
        return file.message if file and file.message else held.id
    return incident.chain if incident else held.id


def _go_on(tx: Tx, parts: Parts, work: Work, held: HoldRow, incident: Incident) -> None:
    if held.subject_kind == "delivery":
        delivery = deliveries.find(tx, DeliveryId(held.subject))
        if delivery is None or delivery.state is not DeliveryState.HELD:
            return  # one that its recipient declined has arrived: dealing with it is all there is to do
        # Owed from now: patience with the far end and the order of its inbox count from the release.
        values = {"created_at": work.at, "next_at": work.at}
        deliveries.change(tx, delivery.id, state=DeliveryState.PENDING.value, **values)
        _owe_the_reply(tx, work, delivery, incident)
    elif held.subject_kind == "attachment":
        attachments.let_go(tx, held.partnership, held.subject)
    elif held.subject_kind == "message":
        row = messages.find(tx, [held.partnership], MessageId(held.subject))
        if row is not None and row.decision == "hold":
            _forward_held(tx, parts, work, row, incident, held)


def _owe_the_reply(tx: Tx, work: Work, delivery: DeliveryRow, incident: Incident) -> None:
    """A released letter starts the clock of its answer (K13: `letter_sent_at`)."""
    rule = letter_rule(work.pack, delivery.message_type)
    if rule is None:
        return
    if any(
        duty.message == delivery.message
        and duty.expects == rule.expects
        and duty.state is not DutyState.WAIVED
        for duty in duties.of_incident(tx, incident.partnership, incident.id)
    ):
        return  # sent again: one answer is owed, whichever copy is answered
    result = Forwarded(LETTER_RULE)
    owner = Recipients(delivery.role, Whom.NAMED)
    duty = DutyRule(owner, rule.expects, rule.clock)
    now = replace(
        circumstances(tx, work, _stub(delivery.message, incident, work), incident), named=(delivery.agency,)
    )
    add_duties(work, delivery.message, incident, duty, {"letter_sent_at": work.at}, now, result)
    result.record(tx)


def _stub(message: MessageId, incident: Incident, work: Work) -> Message:
    row_agency = AgencyId("")
    kind = next(iter(work.directory.agencies.values())).kind
    partnership = incident.partnership
    return Message(message, "", 1, partnership, row_agency, kind, "", incident.id, None, work.at, Facts())


def _forward_held(
    tx: Tx, parts: Parts, work: Work, row: MessageRow, incident: Incident, held: HoldRow
) -> None:
    """Let a message that the rules held take its route: clocks start from its arrival, not from the release.

    Doubts that have come up since it was held are put to an officer now.
    """
    message = message_of(row, work)
    decision = decide(message, work.pack, released=True)
    if not isinstance(decision, Forward):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="No rule of the pack in force takes this message: refuse it with a reason, or change the pack.",
        )
    if forbidden(tx, work, message):
        raise Refused(ErrorCode.NOT_PERMITTED, detail="The sender may not say this: see who holds the seat.")
    rule = decision.route.id
    subject = Subject(message.id, message.partnership, incident.id, work.key)
    if unasked := tuple(r for r in doubts(tx, work, message, rule) if r not in held.reasons):
        prove(tx, parts, work, subject, [Said(Event.HELD, reason=reason) for reason in unasked])
        hold(tx, work, message.partnership, incident.id, ("message", message.id), unasked)
        return

    def record(result: Forwarded) -> None:
        recipients, laid = " ".join(result.recipients), " ".join(result.duties_in_short)
        routed = {"rule": rule, "recipients": recipients, "duties": laid}
        prove(tx, parts, work, subject, [Said(Event.ROUTED, routed), *result.said])
        messages.change(tx, row.partnership, row.id, decision="forward", rule=rule)

    go_on(tx, parts, work, message, incident, decision.route, record)
