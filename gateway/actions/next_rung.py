"""What follows when a letter did not reach a reader: it came back, or its reader is away.

The one place where the ladder begins (another person in the seat, the school's office, a telephone call). Today its only rung is
an officer, who is told with the mail that said so. Such a mail can be forged: it never closes a duty and never stops a chase.
"""

from __future__ import annotations

from gateway.actions.hold import hold
from gateway.parts import Work
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

CAME_BACK, DELAYED, READER_AWAY = "letter-came-back", "letter-delayed", "reader-away"


def next_rung(
    tx: Tx, work: Work, letter: LetterRow, mail: str, why: str, besides: tuple[str, ...] = ()
) -> str:
    """Go on to whoever is next for this letter; `why` is one of the words above. The id of what waits for an officer."""
    reasons = (why, *(reason for reason in besides if reason != why))
    return hold(tx, work, letter.partnership, letter.incident, ("mail", mail), reasons)
