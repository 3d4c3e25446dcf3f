"""Seal what waits: a batch of entries becomes leaves under a signed checkpoint. Receipts are promises until then.

Planned on a snapshot, signed in no transaction, written in one. There is one log a year (UTC), and another when two officers begin it anew after
a loss. The first seal of a new log begins it with the entry that names the last checkpoint of the old one, which gets no leaf any
more and stays served.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core.receipts import Event
from gateway.ledger import sealing
from gateway.ledger.checkpoint import origin_at
from gateway.ledger.sealing import Planned, Waiting
from gateway.ledger.statement import Anchor, draft, statement
from gateway.ledger.verify import label
from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import CheckpointRow, Overtaken
from gateway.store.transaction import Tx


def plan(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    fill: tuple[str, int] | None = None,
    anew: str | None = None,
) -> Planned | None:
    """One batch, and leaves that say nothing until the log that `fill` names has so many; None when there is nothing to add. Reads
    only, and `seal` with an occasion of the same seed writes it. `anew` names a log to be begun though the year has not turned."""
    newest = log.latest_checkpoint(tx)
    origin = anew or origin_at(parts.settings.issuer, occasion.at, newest.log if newest else None)
    link, fill_to = None, 0
    if newest is not None and newest.log != origin:
        if not fill and not log.unsealed(tx, 1):
            return None
        link = _link_of(parts, occasion, origin, newest)
    elif newest is not None and fill is not None and fill[0] == newest.log:
        fill_to = fill[1]
    return sealing.plan(tx, origin, link=link, fill_to=fill_to, seed=occasion.supply.take(32))


def seal(tx: Tx, parts: Parts, occasion: Occasion, planned: Planned, note: str) -> CheckpointRow:
    """Write the batch under its signed note. `store.log.Overtaken`, or `ChainMoved` where a log begins, when another sequencer was
    faster: plan again."""
    if planned.link is not None:
        _begin(tx, parts, occasion, planned.log, planned.link)
    return sealing.seal(tx, planned, note, occasion.at)
    # A crash before the commit leaves the old log as it was, without the link: the next seal begins the new one.


@dataclass(frozen=True, slots=True)
class _Joint:
    """What begins a log: made after the last checkpoint of the one before, whether or not that one is anchored yet."""

    subject: Subject
    said: Said
    after: Anchor


def _joint(origin: str, last: CheckpointRow) -> _Joint:
    said = Said(Event.LOG_CONTINUED, reason=f"follows-{label(last.log)}")
    return _Joint(Subject(f"log-{label(origin)}", None, None, None), said, Anchor(last.size, last.root.hex()))


def _link_of(parts: Parts, occasion: Occasion, origin: str, last: CheckpointRow) -> Waiting:
    """The entry as it will be: the first of its chain."""
    joint = _joint(origin, last)
    made = draft(
        joint.said.event,
        joint.subject.ref,
        occasion.at,
        {},
        reason=joint.said.reason,
        random=occasion.supply.take,
    )
    return made.id, statement(
        made, parts.settings.issuer, parts.keys.receipts.kid, seq=1, prev="", after=joint.after
    )


def _begin(tx: Tx, parts: Parts, occasion: Occasion, origin: str, planned: Waiting) -> None:
    """Keep the entry that was planned; Overtaken when it would be another one by now."""
    last = log.latest_checkpoint(tx)
    assert last is not None  # a link follows on one
    joint = _joint(origin, last)
    stated = prove(tx, parts, occasion, joint.subject, [joint.said], after=joint.after)[0]
    entry = log.find_entry(tx, None, stated.id)
    if entry is None or (entry.id, entry.statement) != planned:
        raise Overtaken("another sequencer began this log, or keys or the clock changed meanwhile")
