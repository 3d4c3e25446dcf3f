"""Sealing: the single sequencer that puts waiting entries into the tree and signs the new tree head.

Invariant: leaf indices, tiles and the checkpoint that covers them are written in one transaction, on top of exactly the
checkpoint that was read (compare and swap). Signed checkpoints are therefore always of one history, whoever else seals,
pauses or crashes. Entries are picked by state, never by the order of ids or of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.ledger import tiles, tree
from gateway.ledger.checkpoint import proof_text, sign_checkpoint
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow
from gateway.store.transaction import Tx
from keys.signing import Signer

BATCH = 1000

Waiting = tuple[str, bytes]  # an entry's id and its statement


class LedgerDamaged(Exception):
    """The stored tree is not the one that was last signed: nothing may be signed on top of it. Alarm; restore; look."""


def seal(
    tx: Tx, signer: Signer, origin: str, now: datetime, limit: int = BATCH, link: Waiting | None = None
) -> CheckpointRow | None:
    """Seal up to `limit` waiting entries in the log of this origin; None when none waits.

    A log that follows another begins with `link` alone, the entry that names the last checkpoint of the one before.
    Raises `store.log.Overtaken` when another sequencer was faster (try again in a new transaction) and LedgerDamaged when
    the stored tiles are not those of the newest checkpoint. `signer` is the log's (Ed25519).
    """
    waiting = log.unsealed(tx, limit) if link is None else [link]
    if not waiting:
        return None
    newest = log.latest_checkpoint(tx)
    if newest is not None and (newest.log != origin) != (link is not None):
        raise log.Overtaken("another sequencer began this log, or a later one")
    base = None if link else newest
    size = base.size if base else 0
    read = _Tiles(tx, origin, tiles.right_edge(size))
    if base is not None and _root(read, size) != base.root:
        raise LedgerDamaged("the stored tree does not have the root that was last signed")
    changed = tiles.grow(read, size, [tree.leaf_hash(statement) for _, statement in waiting])
    read.known.update(changed)
    total = size + len(waiting)
    root = tree.root_hash(read, total)
    number = newest.number + 1 if newest else 1
    made = CheckpointRow(number, origin, total, root, sign_checkpoint(signer, origin, total, root), now)
    log.number_leaves(tx, origin, size, [entry for entry, _ in waiting])
    log.add_checkpoint(tx, made)
    log.write_tiles(tx, origin, changed, existing=tiles.right_edge(size))
    # A crash before the commit leaves everything unsealed, and the signed note was seen by nobody; after it, all is served.
    return made


def prove(tx: Tx, index: int, checkpoint: CheckpointRow | AnchorRow) -> str:
    """The offline proof of the leaf at `index` under a stored checkpoint (tlog-proof@v1)."""
    path = tree.inclusion_proof(_Tiles(tx, checkpoint.log), index, checkpoint.size)
    return proof_text(index, path, checkpoint.note)


def prove_all(tx: Tx, indices: Iterable[int], checkpoint: CheckpointRow | AnchorRow) -> dict[int, str]:
    """Proofs of several leaves under one checkpoint; each tile is read once."""
    read = _Tiles(tx, checkpoint.log)
    return {
        index: proof_text(index, tree.inclusion_proof(read, index, checkpoint.size), checkpoint.note)
        for index in indices
    }


def prove_consistency(tx: Tx, origin: str, size1: int, size2: int) -> list[bytes]:
    """The hashes that show a log's tree of `size1` leaves to be the beginning of that of `size2`."""
    return tree.consistency_proof(_Tiles(tx, origin), size1, size2)


def served_tile(tx: Tx, origin: str | None, level: int, number: int, width: int) -> bytes | None:
    """A tile for a log's readers (None: of the log in use); None when its newest checkpoint does not cover that much of it."""
    newest = log.latest_checkpoint(tx, origin)
    if newest is None or not 0 < width <= tiles.width_served(level, number, newest.size):
        return None
    found = log.read_tiles(tx, newest.log, [(level, number)])
    return found[level, number][: width * tree.HASH_BYTES]


def served_entries(tx: Tx, origin: str | None, number: int, width: int) -> bytes | None:
    """An entry bundle for a log's readers, under the same rule as `served_tile`."""
    newest = log.latest_checkpoint(tx, origin)
    if newest is None or not 0 < width <= tiles.width_served(0, number, newest.size):
        return None
    return tiles.entry_bundle(log.statements(tx, newest.log, number * tree.TILE_WIDTH, width))


class _Tiles:
    """A log's tiles in the store, each read once in a transaction."""

    def __init__(self, tx: Tx, origin: str, wanted: Iterable[tiles.Place] = ()) -> None:
        self._tx, self._origin = tx, origin
        places = list(wanted)
        self.known = log.read_tiles(tx, origin, places) if places else {}

    def __call__(self, level: int, number: int) -> bytes:
        if (level, number) not in self.known:
            self.known |= {(level, number): b""} | log.read_tiles(self._tx, self._origin, [(level, number)])
        return self.known[level, number]


def _root(read: _Tiles, size: int) -> bytes | None:
    try:
        return tree.root_hash(read, size)
    except tree.MissingHash:
        return None
