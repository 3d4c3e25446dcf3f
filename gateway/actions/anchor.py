"""Keep a checkpoint that witnesses signed and authorities stamped: statements made from now on name it as earlier than they are."""

from __future__ import annotations

from gateway.ledger import sealing
from gateway.ledger.checkpoint import log_key, open_checkpoint
from gateway.ledger.verify import Invalid
from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import AnchorRow
from gateway.store.transaction import Tx


def anchor(tx: Tx, parts: Parts, confirmed: AnchorRow) -> bool:
    """False when another process anchored this checkpoint first. ValueError when it is not a checkpoint of this log."""
    logs = [log_key(confirmed.log, signer) for signer, _ in parts.keys.timed["log"].keys]
    try:
        head = open_checkpoint(confirmed.note.encode(), logs, [], 0)
    except Invalid as fault:
        raise ValueError("only the log's own checkpoints are anchored") from fault
    kept = sealing.root_at(tx, confirmed.log, confirmed.size)
    if (head.size, head.root) != (confirmed.size, confirmed.root) or kept != confirmed.root:
        raise ValueError("only the log's own checkpoints are anchored")
    return log.add_anchor(tx, confirmed)
    # A crash before the commit leaves the checkpoint unanchored: the next round asks witnesses and authorities again.
