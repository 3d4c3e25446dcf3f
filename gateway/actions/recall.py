"""Take a message back: stop what has not left, withdraw what is unopened, ask the others to confirm (G-06).

By the sender's agency through a `correction` of the kind withdraw or recall-misdirected, or by two officers. What became of
every delivery is stated one by one on the message's own chain, and nothing that was sent is ever said not to have been.
A wrong recipient who had opened it is a personal-data breach until somebody decides otherwise: an officer is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.actions.compose import Composition, compose
from gateway.actions.decided_on import message_of
from gateway.actions.forward import forward
from gateway.actions.hold import hold
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.core.deliveries import FINAL_STATES, DeliveryState
from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, Message, MessageId, RoleId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.rules import (
    ACKNOWLEDGEMENT,
    CORRECTION,
    OF_ONE_MESSAGE,
    UNDONE_WITH_IT,
    WITHDRAW,
    Forward,
    answered_message,
    consequence,
    decide,
    joint_decision,
    takes_back,
)
from gateway.core.statutory import CLOCK as NOTIFICATION
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import deliveries, duties, holds, incidents, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

OPENED_WRONGLY = "opened-by-wrong-recipient"
DUTIES_REMAIN, OWED_AGAIN = "duties-outlive-recall", "answer-taken-back"
MISDIRECTED = "recall-misdirected"
_FAILED = (DeliveryState.FAILED_PARTNER, DeliveryState.FAILED_SYSTEM)


class Fate(Enum):
    """What a recall could still do about one delivery; the coarse reason of its statement."""

    CANCELLED = "cancelled-before-leaving"
    WITHDRAWN = "withdrawn-unopened"
    OPENED = "opened-before-recall"
    LEFT_BY_MAIL = "left-by-mail"  # nobody can call an e-mail back, nor say whether it was read
    NEVER_ARRIVED = "never-arrived"


@dataclass(frozen=True, slots=True)
class Recall:
    """Two officers' word on one message. `reason` goes to the recipients; `misdirected_to` are those who should not have
    had it: none named means that it is withdrawn from everybody."""

    message: MessageId
    officers: TwoOfficers
    reason: str
    misdirected_to: tuple[AgencyId, ...] = ()


@dataclass(frozen=True, slots=True)
class Recalled:
    """What became of each delivery, and the correction that asks for confirmation when anyone may have the message."""

    receipt: str
    fates: Mapping[str, Fate]  # delivery id -> what became of it
    correction: MessageId | None


def recall(tx: Tx, parts: Parts, work: Work, asked: Recall) -> Recalled:
    """Take a message back on the word of two officers; Refused when it is unknown, erased, or taken back already."""
    row, incident = _locked(tx, work, asked.message)
    must_know(tx, incident.partnership, incident.id, asked.officers, work.at)
    by = {"officer": asked.officers.first, "second_officer": asked.officers.second, "words": asked.reason}
    if row.decision == "hold":
        holds.settle_of_subject(tx, "message", row.id, work.at, asked.officers.first, "refused")
    fates = _take_back(tx, parts, work, row.id, incident, asked.misdirected_to, by)
    if not fates and (row.decision != "hold" or asked.misdirected_to):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="Nothing of this message is left to recall from them."
        )
    said = Said(Event.RECALLED, {**by, "deliveries": len(fates)}, reason="recalled-by-officers")
    receipt = prove(tx, parts, work, _subject(work, row.id, incident), [said])[0]
    correction = None
    if any(fate not in (Fate.CANCELLED, Fate.NEVER_ARRIVED) for fate in fates.values()):
        correction = _ask_for_confirmation(tx, parts, work, row, incident, asked)
    return Recalled(receipt.id, fates, correction)
    # A crash before the commit leaves everything as it was; the officers ask again.


def recall_as_corrected(tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident) -> None:
    """What a correction that the rules let pass does to the message it is about, before it is delivered itself."""
    original = answered_message(message)
    if message.type != CORRECTION or original is None:
        return
    if takes_back(message):
        by = {"correction": message.id, "sender": message.agency}
        wrong = message.facts.agencies  # a recall names them; a withdrawal is from everybody
        _take_back(tx, parts, work, original, incident, wrong, by)
    else:
        said = Said(Event.CORRECTED, {"correction": message.id, "sender": message.agency})
        prove(tx, parts, work, _subject(work, original, incident), [said])


def may_correct(tx: Tx, work: Work, message: Message) -> bool:
    """Whether a message of this incident is the sender's own. The Safeguarding Business Unit may put right another's, but
    not take it back: that silences somebody, and needs two officers."""
    original = answered_message(message)
    if message.incident is None or original is None:
        return False
    sender = messages.sender_of(tx, message.partnership, message.incident, original)
    is_unit = Seat(message.agency, RoleId("sbu")) in work.directory.seats
    return sender is not None and (sender == message.agency or (is_unit and not takes_back(message)))


def _locked(tx: Tx, work: Work, message: MessageId) -> tuple[MessageRow, Incident]:
    row = messages.find(tx, [work.pack.partnership], message)
    incident = incidents.lock(tx, row.partnership, row.incident) if row and row.incident else None
    if row is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no message of this id.")
    if incident.state != "open":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is closed or erased.")
    return row, incident


def _take_back(
    tx: Tx,
    parts: Parts,
    work: Work,
    message: MessageId,
    incident: Incident,
    agencies: Collection[AgencyId],
    by: Mapping[str, str],
) -> dict[str, Fate]:
    """Stop or withdraw every delivery of a message (to these agencies, when any are named), and state each."""
    mine = [row for row in deliveries.of_message(tx, message) if not agencies or row.agency in agencies]
    fates: dict[str, Fate] = {}
    said: list[Said] = []
    for row in mine:
        if row.recalled_at is not None or _was_given_up(row):
            continue
        fate = fates[row.id] = _withdraw(tx, work, row)
        opened = {"opened_at": written(row.opened_at)} if row.opened_at else {}
        fields = {"delivery": row.id, "recipient": f"{row.role}@{row.agency}", **opened, **by}
        said.append(Said(Event.RECALLED, fields, reason=fate.value))
    subject = _subject(work, message, incident)
    if said:
        prove(tx, parts, work, subject, said)
    if not agencies:
        _undo_beginnings(tx, parts, work, message, incident)
    _end_duties(tx, parts, work, message, incident, {row.agency for row in mine if row.id in fates})
    if not agencies:
        messages.change(tx, incident.partnership, message, taken_back_at=work.at)
        _owe_again(tx, parts, work, message, incident)
    else:
        _part_with(tx, work, incident, message, agencies, fates, mine)
    return fates


def _was_given_up(row: DeliveryRow) -> bool:
    return row.state is DeliveryState.CANCELLED and row.opened_at is None


def _withdraw(tx: Tx, work: Work, row: DeliveryRow) -> Fate:
    """Stop one delivery where that is still possible; its content is handed out no more in any case."""
    deliveries.change(tx, row.id, recalled_at=work.at)
    stopped = row.state not in FINAL_STATES and deliveries.cancel_unless_leased(tx, row.id, work.at)
    holds.settle_of_subject(tx, "delivery", row.id, work.at, "recall", "refused")
    if row.opened_at is not None or row.acknowledged_at is not None:
        return Fate.OPENED
    if stopped:
        return Fate.CANCELLED
    if row.adapter != "mail":
        return Fate.WITHDRAWN
    return Fate.NEVER_ARRIVED if row.state in _FAILED else Fate.LEFT_BY_MAIL


def _end_duties(
    tx: Tx, parts: Parts, work: Work, message: MessageId, incident: Incident, agencies: Collection[AgencyId]
) -> None:
    """End what only this message asked for. What the matter itself demands stays owed, and an officer hears of it."""
    laid = [
        duty
        for duty in duties.of_incident(tx, incident.partnership, incident.id)
        if duty.message == message and duty.state in UNANSWERED and duty.agency in agencies
    ]
    said: list[Said] = []
    remain = False
    for duty in laid:
        clock = work.pack.clocks.get(duty.clock)
        own = duty.expects == ACKNOWLEDGEMENT or (clock is not None and clock.start in OF_ONE_MESSAGE)
        if clock is None or clock.statutory or not own:
            remain = True
            continue
        duties.change(tx, duty.id, state=DutyState.WAIVED.value, next_chase_at=None)
        fields = {"duty": duty.id, "owner": f"{duty.role}@{duty.agency}", "clock": duty.clock}
        said.append(Said(Event.DUTY_WAIVED, fields, reason="message-recalled"))
    if said:
        prove(tx, parts, work, _subject(work, message, incident), said)
    if remain:
        hold(tx, work, incident.partnership, incident.id, ("message", message), (DUTIES_REMAIN,))


def _undo_beginnings(tx: Tx, parts: Parts, work: Work, message: MessageId, incident: Incident) -> None:
    """What the message said to have been done never was: its clocks did not begin, and what they counted is not owed (P-10).

    What it answered is owed again all the same, so that no duty of the law is lost; a new record counts from its own instant.
    """
    names = incidents.forget_moments(tx, incident.partnership, incident.id, message, UNDONE_WITH_IT)
    said: list[Said] = []
    for duty in duties.of_incident(tx, incident.partnership, incident.id) if names else ():
        clock = work.pack.clocks.get(duty.clock)
        if clock is None or clock.start not in names or duty.state not in UNANSWERED:
            continue
        ended = {"state": DutyState.WAIVED.value, "waived_reason": duties.NEVER_BEGAN}
        duties.change(tx, duty.id, **ended, next_chase_at=None)
        fields = {"duty": duty.id, "owner": f"{duty.role}@{duty.agency}", "clock": duty.clock}
        said.append(Said(Event.DUTY_WAIVED, fields, reason=duties.NEVER_BEGAN))
    if said:
        prove(tx, parts, work, _subject(work, message, incident), said)


def _owe_again(tx: Tx, parts: Parts, work: Work, message: MessageId, incident: Incident) -> None:
    """What the message answered is owed as before: an answer that was taken back from everybody answers nothing (P-05).

    So is the notification, where the message had a part in the decision that ended it: nobody stays silent on a vote withdrawn.
    """
    met = [
        duty
        for duty in duties.of_incident(tx, incident.partnership, incident.id)
        if duty.met_by == message and duty.state in (DutyState.MET, DutyState.MET_LATE)
    ]
    said: list[Said] = []
    for duty in (*met, *_ended_by_a_part_of(tx, work, message, incident)):
        duties.owe_again(tx, duty.id, work.at)
        fields = {"duty": duty.id, "owner": f"{duty.role}@{duty.agency}", "clock": duty.clock}
        said.append(Said(Event.DUTY_OWED_AGAIN, fields, reason=OWED_AGAIN))
    if said:
        prove(tx, parts, work, _subject(work, message, incident), said)
        hold(tx, work, incident.partnership, incident.id, ("message", message), (OWED_AGAIN,))


def _ended_by_a_part_of(tx: Tx, work: Work, message: MessageId, incident: Incident) -> list[DutyRow]:
    row = messages.find(tx, [incident.partnership], message)
    told = message_of(row, work) if row is not None and row.agency in work.directory.agencies else None
    decision = joint_decision(work.pack, told.type, told.facts) if told is not None else None
    reached = [one["outcome"] for one in incident.outcomes if decision and one["decision"] == decision.id]
    follows = (consequence(work.pack, decision.id, outcome) for outcome in reached) if decision else ()
    if not any(one is not None and one.ends for one in follows):
        return []
    return duties.ended_by_decision(tx, incident.partnership, incident.id, NOTIFICATION)


def _part_with(
    tx: Tx,
    work: Work,
    incident: Incident,
    message: MessageId,
    agencies: Collection[AgencyId],
    fates: Mapping[str, Fate],
    rows: Sequence[DeliveryRow],
) -> None:
    """Those who should never have had it leave the incident, unless they take part in it by anything else."""
    seen = (Fate.OPENED, Fate.LEFT_BY_MAIL)
    if any(fates.get(row.id) in seen for row in rows):
        hold(tx, work, incident.partnership, incident.id, ("message", message), (OPENED_WRONGLY,))
    for agency in agencies:
        if not messages.concerns(tx, incident.partnership, incident.id, agency, message):
            incidents.leave(tx, incident.partnership, incident.id, agency)


def _ask_for_confirmation(
    tx: Tx, parts: Parts, work: Work, row: MessageRow, incident: Incident, asked: Recall
) -> MessageId:
    """The business unit's correction to those who have the message, as the pack routes one; each is asked to confirm."""
    sender = next(iter(work.directory.seats_of(RoleId("sbu"))), None)
    if sender is None or work.key is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="Nobody holds the seat sbu, in whose name to ask: enrol somebody first.",
        )
    holder = work.directory.present_holder(sender, work.at)
    action = MISDIRECTED if asked.misdirected_to else WITHDRAW
    composed = Composition(
        type=CORRECTION,
        reference=f"recall-{work.supply.take(13).hex()}",
        rule="recall",
        sender=sender,
        author=(holder.name if holder else asked.officers.first, "Safeguarding Business Unit"),
        marking="OFFICIAL-SENSITIVE",
        body={
            "message": row.id,
            "action": action,
            "reason": asked.reason,
            "misdirected_to": list(asked.misdirected_to),
        },
        recipients=deliveries.recipients(tx, incident.partnership, incident.id, row.id),
        in_reply_to=row.id,
        codes={"action": (action,), "corrects": (row.id,)},
        agencies=asked.misdirected_to,
    )
    message = compose(tx, parts, work, incident, composed)
    decision = decide(message, work.pack, released=True)
    if not isinstance(decision, Forward):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="The partnership's rules have no route for a correction."
        )
    result = forward(tx, work, message, incident, decision.route)
    result.record(tx)
    for gap in result.gaps:
        hold(tx, work, incident.partnership, incident.id, ("message", message.id), (gap,))
    return message.id


def _subject(work: Work, message: MessageId, incident: Incident) -> Subject:
    return Subject(message, incident.partnership, incident.id, work.key)
