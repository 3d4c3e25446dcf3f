"""Reasons to refuse a message, or to have a person look, that only the directory and the incident's own messages can give.

They are looked for when a message arrives, and again when a held one is released, so that a hold lets nothing slip by.
"""

from __future__ import annotations

from gateway.actions.decide_jointly import not_a_seat_of_the_sender
from gateway.actions.recall import may_correct
from gateway.core.messages import Message
from gateway.core.rules import CORRECTION, answers_task
from gateway.parts import Work
from gateway.store import duties, mail, messages
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

CONFIRMATION, NO_SUCH_LETTER = "dsl-confirmation", "no-such-letter"
ANSWERS_UNKNOWN = "answers-unknown-message"
FIRST_FAN_OUT = "first-fan-out"


def forbidden(tx: Tx, work: Work, message: Message) -> str | None:
    """The pointer to what the sender may not say: a vote for another's seat, a correction of another's message."""
    if pointer := not_a_seat_of_the_sender(work, message):
        return pointer
    if message.type == CORRECTION and not may_correct(tx, work, message):
        return "/body/message"  # another's and none look the same
    return None


def doubts(tx: Tx, work: Work, message: Message, rule: str, answers_known: bool = True) -> tuple[str, ...]:
    """Why a person should look before this message takes the route of this id."""
    found = []
    if message.type == CONFIRMATION and letter_answered(tx, message) is None:
        found.append(NO_SUCH_LETTER)
    elif not answers_known and _may_mean_several(tx, message):
        found.append(ANSWERS_UNKNOWN)
    if _is_first_fan_out(tx, work, message, rule):
        found.append(FIRST_FAN_OUT)
    return tuple(found)


def letter_answered(tx: Tx, message: Message) -> LetterRow | None:
    """The letter it names, when that went to this school about this incident and is what it says it answers."""
    named = message.facts.codes.get("letter_reference", ())
    letter = mail.letter_by_reference(tx, named[0]) if named else None
    if letter is None or (letter.agency, letter.incident) != (message.agency, message.incident):
        return None
    return letter if message.in_reply_to in (None, letter.message) else None


def _may_mean_several(tx: Tx, message: Message) -> bool:
    """Whether its sender owes more than one answer of this kind, so that only a person can say which this is."""
    if message.incident is None:
        return False
    owed = duties.owed(tx, message.partnership, message.incident, message.agency, message.type)
    return len([duty for duty in owed if answers_task(duty.task, message)]) > 1


def _is_first_fan_out(tx: Tx, work: Work, message: Message, rule: str) -> bool:
    """Whether the route is guarded and nothing of this incident has gone out by it yet (G-06)."""
    if not any(route.id == rule and route.guard_fan_out for route in work.pack.routes):
        return False
    if message.incident is None:
        return True
    return rule not in {gone for _, gone in messages.forwarded(tx, message.partnership, message.incident)}
