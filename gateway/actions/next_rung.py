"""What follows when a letter did not reach a reader: it came back, or its reader is away.

The letter goes up its ladder at once where the pack gives it one (`climb`), and an officer is told with the mail that said so. Such
a mail can be forged: it never closes a duty and never stops a chase, and the next reader is always one that the directory has.
"""

from __future__ import annotations

from gateway.actions.climb import Climb, climb
from gateway.actions.hold import hold
from gateway.core.ladder import ladder_for
from gateway.parts import Parts, Work
from gateway.store import deliveries
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

CAME_BACK, DELAYED, READER_AWAY = "letter-came-back", "letter-delayed", "reader-away"


def next_rung(
    tx: Tx, parts: Parts, work: Work, letter: LetterRow, mail: str, why: str, besides: tuple[str, ...] = ()
) -> str:
    """Go on to whoever is next for this letter; `why` is one of the words above. The id of what waits for an officer.

    A delay is only told: the letter may still arrive, and the rung's own time runs.
    """
    if why != DELAYED:
        for row in deliveries.of_message(tx, letter.message):
            if row.agency == letter.agency and ladder_for(work.pack.ladders, row.message_type):
                climb(tx, parts, work, Climb(row.id, why))
    reasons = (why, *(reason for reason in besides if reason != why))
    return hold(tx, work, letter.partnership, letter.incident, ("mail", mail), reasons)
