"""Seal what waits: a batch of entries becomes leaves under a signed checkpoint. Receipts are promises until then.

There is one log a year (UTC). The first seal of a new year begins the new log with the entry that names the last checkpoint of the
old one, which gets no leaf any more and stays served.
"""

from __future__ import annotations

from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core.receipts import Event
from gateway.ledger import sealing
from gateway.ledger.checkpoint import origin_at
from gateway.ledger.sealing import Waiting
from gateway.ledger.statement import Anchor
from gateway.ledger.verify import label
from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import CheckpointRow
from gateway.store.transaction import Tx


def seal(tx: Tx, parts: Parts, occasion: Occasion) -> CheckpointRow | None:
    """One batch; None when nothing waits. `store.log.Overtaken` when another sequencer was faster: try again."""
    newest = log.latest_checkpoint(tx)
    origin = origin_at(parts.settings.issuer, occasion.at, newest.log if newest else None)
    link = None
    if newest is not None and newest.log != origin:
        if not log.unsealed(tx, 1):
            return None
        link = _link(tx, parts, occasion, origin, newest)
    return sealing.seal(tx, parts.keys.log, origin, occasion.at, link=link)


def _link(tx: Tx, parts: Parts, occasion: Occasion, origin: str, last: CheckpointRow) -> Waiting:
    """The entry that begins a log: made after the last checkpoint of the one before, whether or not that one is anchored yet."""
    subject = Subject(f"log-{label(origin)}", None, None, None)
    named = Anchor(last.size, last.root.hex())
    said = Said(Event.LOG_CONTINUED, reason=f"follows-{label(last.log)}")
    stated = prove(tx, parts, occasion, subject, [said], after=named)[0]
    entry = log.find_entry(tx, None, stated.id)
    assert entry is not None  # it was just made
    return entry.id, entry.statement
    # A crash before the commit leaves the old log as it was: the next seal begins the new one.
