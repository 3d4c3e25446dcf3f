"""Say on a fixed rhythm that the gateway runs, with its open work as commitments: so the log grows by night too.

So a witness, who sees only how large the log is, cannot tell a quiet hour from one in which nobody was there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import deliveries, holds, log
from gateway.store.transaction import Tx

CHAIN = "gateway-heartbeat"
COUNTED_TO = 100_000  # of each state
EPOCH = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


def beat(tx: Tx, parts: Parts, occasion: Occasion, every: timedelta) -> Stated | None:
    """One heartbeat for the present beat of the rhythm; None when it is made already, by whichever process."""
    log.chain_head(tx, CHAIN)  # locks the chain: two processes do not both find it missing
    last = log.last_of_chain(tx, CHAIN)
    begun_at = EPOCH + (occasion.at - EPOCH) // every * every
    if last is not None and last >= begun_at:
        return None
    counted = {
        f"deliveries_{state.replace('-', '_')}": count
        for state, count in deliveries.counts_by_state(tx, COUNTED_TO).items()
    }
    fields = {**counted, "holds_open": holds.count_open(tx), "unsealed": log.count_unsealed(tx)}
    subject = Subject(CHAIN, None, None, parts.keys.own)
    return prove(tx, parts, occasion, subject, [Said(Event.HEARTBEAT, fields)])[0]
    # A crash before the commit leaves the beat undone; the next round makes it, late but within its hour.
