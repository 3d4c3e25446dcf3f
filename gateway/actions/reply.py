"""What a received mail comes to: an answer recorded, a hold for an officer, or a note that it answers nothing.

The raw mail was stored durably before anything read it. Nothing is dropped: what cannot be taken without a person is held
with its reasons, and an automatic reply or a bounce never closes a duty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.actions.acknowledge_reply import WRITTEN_BY_PEOPLE, acknowledge_reply
from gateway.actions.compare_answers import ANSWERS_DIFFER, contradicts, is_answered, owe_answer_again
from gateway.actions.hold import TRANSFERRED, hold, tell_who_took_over
from gateway.actions.letter_to_previous_school import FILE_TRANSFERRED, suggest_letter
from gateway.actions.next_rung import CAME_BACK, DELAYED, READER_AWAY, next_rung
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.record_breach import EXPECTED, Breach, BreachKind, record_breach
from gateway.actions.release import Release, release
from gateway.actions.reopen import CLOSED as REOPENS
from gateway.actions.reopen import reopened_by
from gateway.actions.submit import Accepted, Rejected, Submission, submit
from gateway.actions.tell_receipt import Receipted, owe_receipt
from gateway.actions.tell_refusal import NotTaken, owe_refusal
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import duties, incidents, mail
from gateway.store.mail import LetterRow, RawMail
from gateway.store.transaction import Tx
from keys.sealing import DataKey

CLOSED, GIVEN_AWAY = "incident-closed", "incident-handed-over"
CORRECTION, FILE_SENT_ON = "correction", "file_transferred"  # flags of the reader
LETTER_TO_SCHOOL = "letter_to_school"  # what the reader proposes
MORE = "additional-information"
UNVOUCHED = frozenset({"auth_failed", "different_sender", "not_enrolled"})
MACHINES = ("auto_reply", "bounce", "read_receipt")
WRONG_SCHOOL, BREACH_OPENED, BREACH_TO_DECIDE = "wrong-recipient", "breach-opened", "breach-to-decide"
_BAD_NEWS = {"failed": CAME_BACK, "delayed": DELAYED}  # what else a notice says is that a server has it


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose matter a mail is that answers no letter: the incident that it names, the agency that its address is enrolled for."""

    partnership: PartnershipId
    incident: IncidentId | None
    agency: AgencyId | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A whole message that an enrolled agency sent by e-mail. `to` is told the receipt, or why it was not taken; `key` seals that
    address. `says_more`: the mail's own text says something besides, which a person must read."""

    submission: Submission
    to: str
    key: DataKey
    says_more: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """One mail as it was read. `answer` is set when its answers may be recorded without a person.

    `reading` is the whole reading (suggestions and reasons), kept sealed for the officer; `sha256` is of the bytes that came.
    """

    mail: str
    kind: str
    reasons: tuple[str, ...]
    letter: LetterRow | None
    answer: Submission | None
    reading: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    belongs: Belonging | None = None
    is_vouched: bool = False  # that it is from its sender was shown
    submitted: Submitted | None = None
    not_taken: NotTaken | None = None  # a message that it brought and that was not even tried

    @property
    def place(self) -> Belonging | None:
        """Where it belongs, by its letter or else by its sender."""
        letter = self.letter
        return Belonging(letter.partnership, letter.incident, letter.agency) if letter else self.belongs


def reply(tx: Tx, parts: Parts, work: Work, asked: Read) -> str:
    """Settle one stored mail once: `answered`, `submitted`, `held`, `noted`, or `done` when it was settled before."""
    raw = mail.lock_raw(tx, asked.mail)
    if raw is None or raw.state != "stored":
        return "done"
    asked = _of_an_open_incident(tx, work, asked)
    _state_arrival(tx, parts, work, raw, asked)
    if asked.letter is not None and asked.kind in WRITTEN_BY_PEOPLE:
        acknowledge_reply(tx, parts, work, raw, asked.letter)
    if asked.answer is not None and asked.letter is not None:
        return _record_answer(tx, parts, work, raw, asked, asked.answer, asked.letter)
    if asked.submitted is not None:
        return _submit(tx, parts, work, raw, asked, asked.submitted)
    if asked.kind in MACHINES and asked.letter is not None:
        return _note(tx, parts, work, raw, asked, asked.letter)
    besides: tuple[str, ...] = ()
    if (place := asked.place) is not None and place.incident is not None:
        reopened_by(tx, parts, work, place.partnership, place.incident, raw.id)
    if asked.letter is not None and WRONG_SCHOOL in asked.reasons:
        besides = (_open_breach(tx, parts, work, raw, asked, asked.letter),)
    if (letter := asked.letter) is not None:
        asked = _against_the_record(tx, parts, work, asked, letter)
        _write_to_whoever_has_the_file(tx, parts, work, asked, letter)
    if asked.not_taken is not None:
        owe_refusal(tx, parts, work, asked.not_taken, raw.arrived_at)
    return _hold(tx, work, raw, asked, besides)
    # A crash before the commit leaves the mail stored and unread; intake reads it again.


def _note(tx: Tx, parts: Parts, work: Work, raw: RawMail, asked: Read, letter: LetterRow) -> str:
    """What a machine wrote answers nothing. Where it says that nobody has the letter, or reads it now, the next is asked."""
    is_first = not mail.said_before(tx, letter.reference, asked.kind, raw.id)
    _settle(tx, raw, asked, "read")
    action = str((asked.reading.get("delivery") or {}).get("action") or "")
    why = {"auto_reply": READER_AWAY, "read_receipt": None}.get(asked.kind, _BAD_NEWS.get(action))
    if why is None or (why == READER_AWAY and not is_first):
        return "noted"
    if why != READER_AWAY:
        reopened_by(tx, parts, work, letter.partnership, letter.incident, raw.id)
    next_rung(tx, parts, work, letter, raw.id, why, asked.reasons)
    return "alerted"


def _open_breach(tx: Tx, parts: Parts, work: Work, raw: RawMail, asked: Read, letter: LetterRow) -> str:
    """A letter that reached the wrong school is a breach, and its hours run from the mail that says so (K21).

    Only on the word of whoever was written to; anyone can write that a letter went astray, and then an officer decides.
    """
    known = duties.of_incident(tx, letter.partnership, letter.incident)
    if any(duty.expects == EXPECTED and duty.message == letter.message for duty in known):
        return BREACH_OPENED
    if not asked.is_vouched or "different-sender" in asked.reasons:
        return BREACH_TO_DECIDE
    breach = Breach(
        letter.incident, raw.arrived_at, BreachKind.MISDIRECTED, "gateway", message=letter.message
    )
    try:  # it refuses only before it has written anything
        record_breach(tx, parts, work, breach)
    except Refused:
        return BREACH_TO_DECIDE
    return BREACH_OPENED


def _of_an_open_incident(tx: Tx, work: Work, asked: Read) -> Read:
    """The reading, under its incident's lock. A mail to an erased incident joins nothing: an officer must be able to end it.

    Nor does one to an incident that was handed over; whoever took it over here hears that there is something to ask for.
    """
    place = asked.place
    if place is None or place.incident is None:
        return asked
    incident = incidents.lock(tx, place.partnership, place.incident)
    if incident is not None and incident.state in ("open", REOPENS):
        return asked
    is_elsewhere = incident is not None and incident.state == TRANSFERRED
    if is_elsewhere:
        tell_who_took_over(tx, work, place.partnership, place.incident)
    why = GIVEN_AWAY if is_elsewhere else CLOSED
    return replace(asked, letter=None, answer=None, belongs=None, reasons=(*asked.reasons, why))


def _against_the_record(tx: Tx, parts: Parts, work: Work, asked: Read, letter: LetterRow) -> Read:
    """A later mail that corrects or contradicts the answer on record: that answer counts no more until an officer says so."""
    if asked.kind != "reply" or not is_answered(tx, work, letter):
        return asked
    flags = asked.reading.get("flags", ())
    told = {**asked.reading.get("suggested", {}), **_stated(asked.reading.get("answers", {}))}
    if CORRECTION not in flags and not contradicts(tx, work, letter, told):
        return asked
    if not UNVOUCHED.intersection(flags):  # a stranger's mail alarms an officer and undoes nothing
        owe_answer_again(tx, parts, work, letter)
    return replace(asked, reasons=(*asked.reasons, ANSWERS_DIFFER))


def _write_to_whoever_has_the_file(tx: Tx, parts: Parts, work: Work, asked: Read, letter: LetterRow) -> None:
    """The school says that the file went to another one: a letter to that school is drafted, and waits with the mail.

    Only on the word of whoever was written to; the mail itself is an officer's to read all the same.
    """
    flags = set(asked.reading.get("flags", ()))
    if not asked.is_vouched or FILE_SENT_ON not in flags or UNVOUCHED & flags:
        return
    schools = {one["school"] for one in asked.reading.get("proposals", ()) if one["kind"] == LETTER_TO_SCHOOL}
    named = schools - {asked.reading.get("suggested", {}).get("previous_school")} or schools
    if len(named) == 1:
        suggest_letter(tx, parts, work, letter, named.pop(), FILE_TRANSFERRED)


def _stated(answers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answers.items() if value is not None}


def _state_arrival(tx: Tx, parts: Parts, work: Work, raw: RawMail, asked: Read) -> None:
    """That a mail came, and what kind of thing it was; its digest is committed to under the incident's key."""
    letter, place = asked.letter, asked.place
    incident = place.incident if place else None
    key = work.key if incident is not None else None
    subject = Subject(raw.id, place.partnership if place else None, incident, key)
    fields = {"arrived_at": written(raw.arrived_at), "kind": asked.kind}
    if letter is not None:
        fields["letter"] = letter.reference
    if asked.sha256 is not None:
        fields["peer_sha256"] = asked.sha256
    prove(tx, parts, work, subject, [Said(Event.RECEIVED_FROM_NON_ERDS, fields)])
    claim = _claim(raw, asked)
    if letter is not None and claim is not None:
        about = Subject(letter.message, letter.partnership, letter.incident, work.key)
        prove(tx, parts, work, about, [claim])


def _claim(raw: RawMail, asked: Read) -> Said | None:
    """What a machine's mail claims of our letter. Anyone can forge one: it is stated as the claim that it is, and closes nothing."""
    fields = {"mail": raw.id} | ({"mail_sha256": asked.sha256} if asked.sha256 else {})
    if asked.kind == "read_receipt":
        return Said(Event.CONTENT_ACCESS_TRACKING, fields | {"basis": "mdn"})
    status = asked.reading.get("delivery") or {}
    if asked.kind == "bounce" and status.get("action") == "failed":
        code = str(status.get("status") or "").replace(".", "-")
        reason = f"dsn-{code}" if re.fullmatch(r"[245]-\d{1,3}-\d{1,3}", code) else "dsn-failed"
        return Said(Event.RELAY_TO_NON_ERDS_FAILURE, fields | {"basis": "dsn"}, reason=reason)
    return None


def _record_answer(
    tx: Tx, parts: Parts, work: Work, raw: RawMail, asked: Read, answer: Submission, letter: LetterRow
) -> str:
    outcome = _submitted(tx, parts, work, answer)
    if not isinstance(outcome, Accepted):
        return _hold(tx, work, raw, asked, (outcome.code.slug,))
    _settle(tx, raw, asked, "settled", message=outcome.id)
    subject = Subject(letter.message, letter.partnership, letter.incident, work.key)
    prove(tx, parts, work, subject, [Said(Event.REPLIED, {"reply": outcome.id})])
    if outcome.decision == "forward":
        suggest_letter(tx, parts, work, letter, _previous_school(answer))
    return "answered"


def _previous_school(answer: Submission) -> str | None:
    named: str | None = json.loads(answer.raw)["body"].get("previous_school")
    return named


def _submit(tx: Tx, parts: Parts, work: Work, raw: RawMail, asked: Read, submitted: Submitted) -> str:
    """Submit the message as the API would, with the same receipt. One that the rules refuse waits for an officer, and its
    sender is told why.

    Words in the mail besides the message are no part of it: an officer is asked to read them, and the message goes on.
    """
    outcome = _submitted(tx, parts, work, submitted.submission)
    message = submitted.submission.message
    if not isinstance(outcome, Accepted):
        faults = (FieldError(outcome.pointer, outcome.code.slug),) if outcome.pointer else ()
        reasons = (outcome.code.slug,)
        refused = NotTaken(message.partnership, message.agency, submitted.to, reasons, faults, submitted.key)
        owe_refusal(tx, parts, work, refused, raw.arrived_at)
        return _hold(tx, work, raw, asked, reasons)
    belongs = Belonging(message.partnership, outcome.incident, message.agency)
    _settle(tx, raw, replace(asked, belongs=belongs), "settled", message=outcome.id)
    told = Receipted(message.partnership, message.agency, submitted.to, outcome, submitted.key)
    owe_receipt(tx, parts, work, told)
    if submitted.says_more:
        hold(tx, work, message.partnership, outcome.incident, ("mail", raw.id), (MORE,))
    return "submitted"


def _submitted(tx: Tx, parts: Parts, work: Work, answer: Submission) -> Accepted | Rejected:
    """`submit` refuses by raising only before it has written anything, so a mail can still be held in its place."""
    try:
        return submit(tx, parts, work, answer)
    except Refused as refused:
        return Rejected(refused.code, "")


def _hold(tx: Tx, work: Work, raw: RawMail, asked: Read, besides: tuple[str, ...] = ()) -> str:
    place = asked.place
    _settle(tx, raw, asked, "held")
    hold(
        tx,
        work,
        place.partnership if place else work.pack.partnership,
        place.incident if place else None,
        ("mail", raw.id),
        (asked.reasons or (asked.kind,)) + besides,
    )
    return "held"


def _settle(tx: Tx, raw: RawMail, asked: Read, state: str, message: str | None = None) -> None:
    letter, place = asked.letter, asked.place
    mail.change_raw(
        tx,
        raw.id,
        state=state,
        kind=asked.kind,
        partnership=place.partnership if place else None,
        incident=place.incident if place else None,
        agency=place.agency if place else None,
        letter=letter.reference if letter else None,
        message=message,
    )


@dataclass(frozen=True, slots=True)
class OfficersAnswer:
    """An officer has read a held mail and says which letter it answers, and what the school answered."""

    hold: str
    officer: str
    answer: Submission
    letter: LetterRow


def answer_held_mail(tx: Tx, parts: Parts, work: Work, asked: OfficersAnswer) -> Accepted:
    """Record the answer of a held mail on an officer's word; Refused when somebody already dealt with it."""
    held = release(tx, parts, work, Release(asked.hold, asked.officer))
    if held.subject_kind != "mail":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This hold is not a mail: release or refuse it.")
    outcome = submit(tx, parts, work, asked.answer)
    if not isinstance(outcome, Accepted):
        raise Refused(outcome.code)
    letter = (
        asked.letter
    )  # erasure finds the mail by its incident, also one that no letter was matched to before
    mail.change_raw(
        tx,
        held.subject,
        message=outcome.id,
        partnership=letter.partnership,
        incident=letter.incident,
        agency=letter.agency,
        letter=letter.reference,
    )
    subject = Subject(letter.message, letter.partnership, letter.incident, work.key)
    prove(tx, parts, work, subject, [Said(Event.REPLIED, {"reply": outcome.id})])
    suggest_letter(tx, parts, work, letter, _previous_school(asked.answer))
    return outcome


def reading_document(reading: Mapping[str, Any]) -> bytes:
    """A reading as it is sealed beside its mail."""
    return json.dumps(reading, ensure_ascii=False).encode()
