"""A school that answers a letter twice: the same again corroborates; another answer opens the question again (S2-22).

Invariant: an answer that differs from the one on record never replaces it by itself. What was met is owed again, an officer is
asked, and both answers stay. An officer who recorded the second one has decided already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.actions.prove import Said, Subject, prove
from gateway.core.duties import DutyState
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import duties, messages
from gateway.store.mail import LetterRow
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

CONFIRMATION = "dsl-confirmation"
ANSWERS_DIFFER = "answers-differ"
_ANSWERS = ("never_on_roll", "roll_from", "roll_to", "previous_school", "records_held")


def differs(tx: Tx, work: Work, letter: LetterRow, body: Mapping[str, Any]) -> bool:
    """Whether these answers say something else than the school's newest answer to this letter that counts."""
    before = _answer_on_record(tx, work, letter)
    if before is None:
        return False
    return any(_stated(name, body) != _stated(name, before) for name in _ANSWERS)


def contradicts(tx: Tx, work: Work, letter: LetterRow, suggested: Mapping[str, Any]) -> bool:
    """Whether what a mail seems to say differs from the answer on record; what it does not say contradicts nothing."""
    before = _answer_on_record(tx, work, letter)
    told = {name: value for name, value in suggested.items() if name in _ANSWERS and value is not None}
    return before is not None and any(_stated(name, told) != _stated(name, before) for name in told)


def is_answered(tx: Tx, work: Work, letter: LetterRow) -> bool:
    """Whether an answer to this letter is on record."""
    return _answer_on_record(tx, work, letter) is not None


def owe_answer_again(tx: Tx, parts: Parts, work: Work, letter: LetterRow) -> None:
    """What the school's answers to this letter met is owed as before, and that is stated."""
    answers = {row.id for row in _answers(tx, letter)}
    said: list[Said] = []
    for duty in duties.of_incident(tx, letter.partnership, letter.incident):
        if duty.met_by in answers and duty.state in (DutyState.MET, DutyState.MET_LATE):
            duties.owe_again(tx, duty.id, work.at)
            fields = {"duty": duty.id, "owner": f"{duty.role}@{duty.agency}", "clock": duty.clock}
            said.append(Said(Event.DUTY_OWED_AGAIN, fields, reason=ANSWERS_DIFFER))
    if said:
        prove(tx, parts, work, Subject(letter.message, letter.partnership, letter.incident, work.key), said)


def _answers(tx: Tx, letter: LetterRow) -> list[MessageRow]:
    rows = messages.of_incident(tx, letter.partnership, letter.incident, CONFIRMATION)
    return [row for row in rows if row.in_reply_to == letter.message and row.agency == letter.agency]


def _answer_on_record(tx: Tx, work: Work, letter: LetterRow) -> dict[str, Any] | None:
    """The newest answer that was let through; None when there is none, or when its content cannot be opened any more."""
    counted = [row for row in _answers(tx, letter) if row.decision == "forward"]
    if not counted or work.key is None:
        return None
    row = counted[-1]
    if row.sealed is None or row.data_key != work.key.id:
        return None
    body: dict[str, Any] = json.loads(work.key.open(f"message:{row.id}", row.sealed))["body"]
    return body


def _stated(name: str, body: Mapping[str, Any]) -> object:
    """One answer in a form that can be compared: capitals and spaces of a school's name tell nothing."""
    value = body.get(name, False if name == "never_on_roll" else None)
    return " ".join(value.casefold().split()) if isinstance(value, str) else value
