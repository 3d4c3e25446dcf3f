"""Take one message: the step where the gateway begins to owe its delivery.

Everything typed and authenticated comes through here: from the API, from a school's e-mail, from an officer who took a
telephone call. The sender's reference makes a repeat safe: the same reference with the same content gives the same answer
for as long as the record exists; with other content it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.actions.compare_answers import ANSWERS_DIFFER, differs, owe_answer_again
from gateway.actions.doubts import CONFIRMATION, doubts, forbidden, letter_answered
from gateway.actions.go_on import go_on
from gateway.actions.hold import hold
from gateway.actions.hold_disclosure import hold_if_said
from gateway.actions.index_children import BlindChild, index_children
from gateway.actions.name_attachments import Named, name_attachments, withheld
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.actions.reopen import CLOSED, reopened
from gateway.actions.ring_out_of_hours import ring_out_of_hours
from gateway.actions.warn_unit import warn_of_held
from gateway.actions.what_follows import Forwarded
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import IncidentId, Message
from gateway.core.receipts import Event
from gateway.core.rules import ACKNOWLEDGEMENT, Decision, Forward, Hold, Refuse, decide
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import duties, incidents, log, messages, replay
from gateway.store.incidents import Incident
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

CANNOT_REPEAT = "erased"


@dataclass(frozen=True, slots=True)
class Submission:
    """A read message with its exact bytes. `proof` is the replay key that must be burned with it (RFC 9449 section 11.1).

    `opens` is the incident id to use if the message names none and opens one; its data key is then `Work.key`. `recorded_by` names the
    officer who entered what another agency said, by telephone for instance. `children` are whom it names, as keyed terms.
    `is_of_its_types`: the client is registered for messages of this type.
    `attachments` are the files that it names. `signature` is the sender's own, over the request that brought it (RFC 9421).
    """

    raw: bytes
    payload_sha256: str
    message: Message
    fingerprint: str
    created_at: datetime
    opens: IncidentId | None
    client: str | None = None
    idempotency_key: str | None = None
    proof: tuple[str, datetime] | None = None
    recorded_by: str | None = None
    children: tuple[BlindChild, ...] = ()
    is_of_its_types: bool = True
    attachments: tuple[Named, ...] = ()
    signature: Mapping[str, str] = field(default_factory=dict)


_NOT_ITS_TYPE = Refuse("client", ErrorCode.NOT_PERMITTED, "/type")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to the sender. `receipt` is the signed statement; a promise until it is sealed.

    A repeat comes without disclosures: they are kept only sealed, and `take` opens them again.
    """

    id: str
    incident: IncidentId
    reference: str
    decision: str
    duties: tuple[Mapping[str, Any], ...]
    receipt_id: str
    jws: str
    disclosures: tuple[str, ...]
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Authenticated, typed and refused by the rules: stated in the ledger, without content."""

    code: ErrorCode
    pointer: str


def submit(tx: Tx, parts: Parts, work: Work, asked: Submission) -> Accepted | Rejected:
    """Record one message with everything that follows from it, or find the answer it had before."""
    tx.ahead(lambda tx: _ask(tx, asked))
    if asked.proof is not None and not replay.burn(tx, *asked.proof, work.at):
        raise Refused(ErrorCode.PROOF_REPLAYED)
    before = _answered_before(tx, parts, work, asked)
    if before is not None:
        return before
    incident = _incident_of(tx, work, asked)
    if incident is not None and asked.recorded_by is not None:
        must_know(tx, incident.partnership, incident.id, asked.recorded_by, work.at)
    message = asked.message
    answers_known = _answers_what_it_may(tx, message)
    if not answers_known:
        message = replace(message, in_reply_to=None)
    decision = _decide(tx, work, message, answers_known) if asked.is_of_its_types else _NOT_ITS_TYPE
    if message.type == CONFIRMATION and (letter := letter_answered(tx, message)):
        message = replace(message, in_reply_to=letter.message)  # of two letters, the one it names is answered
        decision = _compared(tx, parts, work, asked, letter, decision)
    if isinstance(decision, Refuse):
        return _reject(tx, parts, work, asked, decision)
    incident = incident or _open(tx, work, asked)
    if message.type != ACKNOWLEDGEMENT:
        incident = reopened(
            tx, parts, work, incident, message.id
        )  # nothing that comes late is refused for it
    if message.incident is None:
        message = replace(message, incident=incident.id)
    return _accept(tx, parts, work, asked, message, incident, decision)
    # A crash before the commit leaves nothing; the sender repeats. After it the deliveries are owed: dispatch claims them.


def _ask(tx: Tx, asked: Submission) -> None:
    """What most messages ask of the book, the locks first."""
    message = asked.message
    partnership, incident = message.partnership, message.incident
    if incident is not None:
        incidents.lock(tx, partnership, incident)
    log.chain_head(tx, message.id)
    messages.by_reference(tx, partnership, message.agency, message.reference)
    if incident is not None:
        incidents.taking_part(tx, partnership, incident)
        messages.avoided(tx, partnership, incident)
        duties.owed(tx, partnership, incident, message.agency, message.type)
        if message.in_reply_to is not None:
            messages.is_known_to(tx, partnership, incident, message.in_reply_to, message.agency)
            messages.sender_of(tx, partnership, incident, message.in_reply_to)


def _decide(tx: Tx, work: Work, message: Message, answers_known: bool) -> Decision:
    """What the pack says, and then what only the directory and the incident's own messages can tell."""
    decision = decide(message, work.pack)
    if isinstance(decision, Refuse):
        return decision
    rule = decision.rule if isinstance(decision, Hold) else decision.route.id
    if pointer := forbidden(tx, work, message):
        # Held or not: a vote for another's seat may not wait for a release.
        return Refuse(rule, ErrorCode.NOT_PERMITTED, pointer)
    reasons = decision.reasons if isinstance(decision, Hold) else ()
    found = doubts(tx, work, message, rule, answers_known)
    return Hold(rule, (*reasons, *found)) if found else decision


def _compared(
    tx: Tx, parts: Parts, work: Work, asked: Submission, letter: LetterRow, decision: Decision
) -> Decision:
    """An answer that differs from the one on record opens the question again and waits for an officer, who may record one."""
    if isinstance(decision, Refuse) or asked.recorded_by is not None:
        return decision
    if not differs(tx, work, letter, json.loads(asked.raw)["body"]):
        return decision
    owe_answer_again(tx, parts, work, letter)
    rule = decision.rule if isinstance(decision, Hold) else decision.route.id
    return Hold(rule, (*(decision.reasons if isinstance(decision, Hold) else ()), ANSWERS_DIFFER))


def _answers_what_it_may(tx: Tx, message: Message) -> bool:
    """Only a message of the same incident that the sender knows; foreign and unknown look the same.

    A pointer to anything else answers nothing and is let fall: refusing an urgent return for it would lose more.
    """
    if message.in_reply_to is None:
        return True
    if message.incident is None:
        return False
    return messages.is_known_to(
        tx, message.partnership, message.incident, message.in_reply_to, message.agency
    )


def _answered_before(tx: Tx, parts: Parts, work: Work, asked: Submission) -> Accepted | None:
    """The earlier answer to this reference; Refused when the reference or the Idempotency-Key had other content."""
    message = asked.message
    row = messages.by_reference(tx, message.partnership, message.agency, message.reference)
    if asked.idempotency_key is not None and asked.client is not None:
        keyed = messages.by_idempotency_key(tx, asked.client, asked.idempotency_key)
        if keyed is not None and (row is None or keyed.id != row.id):
            raise Refused(ErrorCode.KEY_REUSED)
    if row is None:
        return None
    if row.fingerprint == CANNOT_REPEAT:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The record of this reference has been erased.")
    if row.fingerprint != asked.fingerprint or row.incident is None:
        raise Refused(ErrorCode.REFERENCE_REUSED)
    return Accepted(
        row.id,
        row.incident,
        row.reference,
        row.decision,
        tuple(row.answer["duties"]),
        row.receipt,
        row.answer["jws"],
        (),
        is_repeat=True,
    )


def _incident_of(tx: Tx, work: Work, asked: Submission) -> Incident | None:
    """The incident named, locked; not found when it is foreign or unknown, which look the same."""
    message = asked.message
    if message.incident is None:
        return None
    incident = incidents.lock(tx, message.partnership, message.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    involved = incidents.participants(tx, message.partnership, incident.id)
    if message.agency not in involved:
        raise Refused(ErrorCode.NOT_FOUND)
    if incident.state not in ("open", CLOSED) or work.key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident takes no more messages.")
    return incident


def _open(tx: Tx, work: Work, asked: Submission) -> Incident:
    assert asked.opens is not None  # for the message names no incident
    partnership = asked.message.partnership
    chain = f"inc-{work.supply.take(16).hex()}"
    values = incidents.newly_opened(asked.opens, partnership, chain, work.pack.version, work.at)
    incidents.open_new(tx, values)
    return Incident(**values)


def _reject(tx: Tx, parts: Parts, work: Work, asked: Submission, decision: Refuse) -> Rejected:
    subject = Subject(asked.message.id, asked.message.partnership, None, None)
    prove(tx, parts, work, subject, [Said(Event.SUBMISSION_REJECTION, reason=decision.code.slug)])
    return Rejected(decision.code, decision.pointer)


def _accept(
    tx: Tx,
    parts: Parts,
    work: Work,
    asked: Submission,
    message: Message,
    incident: Incident,
    decision: Forward | Hold,
) -> Accepted:
    incident = hold_if_said(tx, parts, work, message, incident)
    recorded: list[tuple[Accepted, Forwarded]] = []
    files = name_attachments(tx, parts, work, message, asked.attachments)

    def record(result: Forwarded) -> None:
        receipt, rest = _statements(asked, message, work, decision, result)
        entries = prove(tx, parts, work, _subject(message, work), [receipt, *rest, *withheld(files)])
        answer = _answer(message, decision, result, entries[0])
        _record(tx, work, asked, message, decision, answer)
        recorded.append((answer, result))

    if isinstance(decision, Hold):
        record(Forwarded(decision.rule))
        incidents.involve(tx, message.partnership, incident.id, [message.agency])
        held = hold(tx, work, message.partnership, incident.id, ("message", message.id), decision.reasons)
        warn_of_held(tx, parts, work, message, decision.rule, held)
    else:
        go_on(tx, parts, work, message, incident, decision.route, record)
    ((answer, result),) = recorded
    for file in files:
        if file.reasons:
            hold(tx, work, message.partnership, incident.id, ("attachment", file.id), file.reasons)
    ring_out_of_hours(tx, work, message, incident, result)
    index_children(tx, parts, work, incident, asked.children, is_new=asked.message.incident is None)
    return answer


def _statements(
    asked: Submission, message: Message, work: Work, decision: Forward | Hold, result: Forwarded
) -> tuple[Said, list[Said]]:
    fields = {
        "sender": message.agency,
        "type": message.type,
        "reference": message.reference,
        "incident": message.incident or "",
        "payload_sha256": asked.payload_sha256,
        "arrived_at": written(message.arrived_at),
        "rule": decision.rule if isinstance(decision, Hold) else decision.route.id,
        "pack": f"{work.pack.partnership}@{work.pack.version}",
        "recipients": " ".join(result.recipients),
        "duties": " ".join(result.duties_in_short),
    }
    if asked.recorded_by is not None:
        fields["recorded_by"] = asked.recorded_by
    if asked.attachments:
        fields["attachments"] = " ".join(f"{file.id}={file.sha256}" for file in asked.attachments)
    fields |= asked.signature
    rest = [
        Said(Event.HELD, reason=reason) for reason in (decision.reasons if isinstance(decision, Hold) else ())
    ]
    return Said(Event.SUBMISSION_ACCEPTANCE, fields), rest + result.said


def _answer(message: Message, decision: Forward | Hold, result: Forwarded, receipt: Stated) -> Accepted:
    if message.incident is None:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/incident", "missing"),))
    return Accepted(
        message.id,
        message.incident,
        message.reference,
        "hold" if isinstance(decision, Hold) else "forward",
        tuple(result.duties_for_sender),
        receipt.id,
        receipt.jws,
        receipt.disclosures,
    )


def _record(
    tx: Tx, work: Work, asked: Submission, message: Message, decision: Forward | Hold, answer: Accepted
) -> None:
    assert work.key is not None
    messages.record(
        tx,
        {
            "id": message.id,
            "partnership": message.partnership,
            "incident": message.incident,
            "type": message.type,
            "version": message.version,
            "agency": message.agency,
            "client": asked.client,
            "reference": message.reference,
            "fingerprint": asked.fingerprint,
            "idempotency_key": asked.idempotency_key,
            "in_reply_to": message.in_reply_to,
            "facts": messages.facts_document(message.facts, message.author_roles),
            "created_at": asked.created_at,
            "arrived_at": message.arrived_at,
            "recorded_at": work.at,
            "decision": answer.decision,
            "rule": decision.rule if isinstance(decision, Hold) else decision.route.id,
            "answer": {
                "duties": list(answer.duties),
                "jws": answer.jws,
            },
            "receipt": answer.receipt_id,
            "sealed": work.key.seal(f"message:{message.id}", asked.raw),
            "data_key": work.key.id,
        },
    )


def _subject(message: Message, work: Work) -> Subject:
    return Subject(message.id, message.partnership, message.incident, work.key)
