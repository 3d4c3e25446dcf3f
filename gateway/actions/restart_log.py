"""Begin the log anew after a loss: two officers state that witnesses signed more, or another log, than this book has.

The old log ends at its last state that others confirmed: what was sealed here after it becomes leaves of the new one, so that every
receipt in the book is confirmed again. Nothing that is missing comes back by this; whoever holds the old log's later states can show
them against us for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.ledger.verify import label
from gateway.parts import Parts
from gateway.store import log
from gateway.store.transaction import Tx

CHAIN = "log-restarts"


@dataclass(frozen=True, slots=True)
class Restart:
    """`reason` is in the officers' own words: committed to and kept nowhere in clear."""

    officers: TwoOfficers
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The receipt, the log that is given up, which log ends at how many leaves, and how many entries go into the new one."""

    receipt: Stated
    given_up: str
    log: str
    size: int
    again: int


def restart_log(tx: Tx, parts: Parts, occasion: Occasion, asked: Restart) -> Ended:
    """Cut the log in use back to what others confirmed, and state it; the next seal begins the new log. Refused unless a witness
    has shown that it must be."""
    against = log.contradictions(tx)
    newest = log.latest_checkpoint(tx)
    if not against:
        detail = "No witness contradicts the log here: it goes on, and cannot be begun anew."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    base = log.last_anchor(tx)
    again = log.cut_back(tx, base)
    shown = against[0]
    fields: dict[str, str | int] = {
        "officer": asked.officers.first,
        "second_officer": asked.officers.second,
        "words": asked.reason,
        "log": shown.log,
        "witness": shown.witness,
        "witness_size": shown.size,
        "witness_note": shown.note,
        "size_before": newest.size if newest else 0,
    }
    said = Said(Event.LOG_RESTARTED, fields, reason=f"witness-signed-{shown.size}-of-{label(shown.log)}")
    receipt = prove(tx, parts, occasion, Subject(CHAIN, None, None, parts.keys.own), [said])[0]
    given_up = max(shown.log, newest.log) if newest else shown.log
    return Ended(receipt, given_up, base.log if base else given_up, base.size if base else 0, again)
    # A crash after the commit leaves the old log at its last confirmed state, still contradicted: nothing runs, and the officers
    # begin it anew again.
