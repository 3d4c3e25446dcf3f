"""Keep a checkpoint that witnesses signed and an authority stamped: from now on statements are made after it."""

from __future__ import annotations

from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import AnchorRow
from gateway.store.transaction import Tx


def anchor(tx: Tx, parts: Parts, confirmed: AnchorRow) -> bool:
    """False when another process anchored this checkpoint first. ValueError when it is not a checkpoint of this log."""
    sealed = log.checkpoint_of_size(tx, confirmed.log, confirmed.size)
    if sealed is None or sealed.root != confirmed.root or not confirmed.note.startswith(sealed.note):
        raise ValueError("only the log's own checkpoints are anchored")
    return log.add_anchor(tx, confirmed)
    # A crash before the commit leaves the checkpoint unanchored: the next round asks witnesses and authorities again.
