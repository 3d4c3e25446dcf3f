"""Seal what waits: a batch of entries becomes leaves under a signed checkpoint. Receipts are promises until then."""

from __future__ import annotations

from datetime import datetime

from gateway.ledger import sealing
from gateway.parts import Parts
from gateway.store.log import CheckpointRow
from gateway.store.transaction import Tx


def seal(tx: Tx, parts: Parts, at: datetime) -> CheckpointRow | None:
    """One batch; None when nothing waits. `store.log.Overtaken` when another sequencer was faster: try again."""
    return sealing.seal(tx, parts.keys.log, parts.settings.issuer, at)
