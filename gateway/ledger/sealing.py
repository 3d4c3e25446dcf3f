"""Sealing: the single sequencer that puts waiting entries into the tree, between whose steps the new tree head is signed.

Invariant: leaf indices, tiles and the checkpoint that covers them are written in one transaction, on top of exactly the
checkpoint that was read (compare and swap). Signed checkpoints are therefore always of one history, whoever else seals,
pauses or crashes. Entries are picked by state, never by the order of ids or of time. A signature is made between reading and
writing, in no transaction, since a hardware module may take its time; it is shown to nobody before what it signs is durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.ledger import tiles, tree
from gateway.ledger.checkpoint import proof_text, sign_checkpoint
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow, FillerRow
from gateway.store.transaction import Tx
from keys.signing import Signer

BATCH = 1000

Waiting = tuple[str, bytes]  # an entry's id and its statement


class LedgerDamaged(Exception):
    """The stored tree is not the one that was last signed: nothing may be signed on top of it. Alarm; restore; look."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The next checkpoint as it will be, once it is signed and if nobody is faster. `base` leaves are in the log already."""

    number: int
    log: str
    base: int
    size: int
    root: bytes
    waiting: tuple[Waiting, ...]
    changed: Mapping[tiles.Place, bytes]
    filler: FillerRow | None = None
    link: Waiting | None = None

    def signed(self, signer: Signer) -> str:
        """The note; `signer` is the log's (Ed25519). Call it in no transaction."""
        return sign_checkpoint(signer, self.log, self.size, self.root)


def plan(
    tx: Tx,
    origin: str,
    limit: int = BATCH,
    link: Waiting | None = None,
    fill_to: int = 0,
    seed: bytes = b"",
) -> Planned | None:
    """Up to `limit` waiting entries for the log of this origin, and leaves that say nothing until it has `fill_to`; None when
    nothing is to be added. Reads only.

    A log that follows another begins with `link` alone, the entry that names the last checkpoint of the one before; that entry
    need not be kept yet. Raises `store.log.Overtaken` when another sequencer was faster (read again) and LedgerDamaged when
    the stored tiles are not those of the newest checkpoint.
    """
    waiting = log.unsealed(tx, limit) if link is None else [link]
    newest = log.latest_checkpoint(tx)
    if newest is not None and (newest.log != origin) != (link is not None):
        raise log.Overtaken("another sequencer began this log, or a later one")
    base = newest.size if newest and link is None else 0
    filler = FillerRow(origin, base + len(waiting), fill_to - base - len(waiting), seed)
    leaves = [tree.leaf_hash(statement) for _, statement in waiting]
    leaves += [tree.leaf_hash(filler.leaf(filler.first + one)) for one in range(filler.count)]
    if not leaves:
        return None
    read = _Tiles(tx, origin, tiles.right_edge(base))
    if base and newest and _root(read, base) != newest.root:
        raise LedgerDamaged("the stored tree does not have the root that was last signed")
    changed = tiles.grow(read, base, leaves)
    read.known.update(changed)
    size = base + len(leaves)
    return Planned(
        newest.number + 1 if newest else 1,
        origin,
        base,
        size,
        tree.root_hash(read, size),
        tuple(waiting),
        changed,
        filler if filler.count > 0 else None,
        link,
    )


def seal(tx: Tx, planned: Planned, note: str, now: datetime) -> CheckpointRow:
    """Write what was planned under its signed note; `store.log.Overtaken` when another sequencer was faster: plan again."""
    made = CheckpointRow(planned.number, planned.log, planned.size, planned.root, note, now)
    log.number_leaves(tx, planned.log, planned.base, [entry for entry, _ in planned.waiting])
    log.add_checkpoint(tx, made)
    if planned.filler is not None:
        log.fill(tx, planned.filler)
    log.write_tiles(tx, planned.log, planned.changed, existing=tiles.right_edge(planned.base))
    # A crash before the commit leaves everything unsealed, and the signed note was seen by nobody; after it, all is served.
    return made


def root_at(tx: Tx, origin: str, size: int) -> bytes | None:
    """The root of a log's first `size` leaves; None when it has fewer, or is damaged."""
    newest = log.latest_checkpoint(tx, origin)
    if newest is None or size > newest.size:
        return tree.EMPTY_ROOT if size == 0 else None
    return newest.root if size == newest.size else _root(_Tiles(tx, origin), size)


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
