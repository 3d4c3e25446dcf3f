"""The Merkle tree of the log: RFC 6962 section 2.1 hashes, proofs made from tiles (RFC 9162 section 2.1.3 and 2.1.4).

Invariant: whatever is computed for a tree of some size reads only hashes that were final at that size, so an older proof
comes out the same from tiles that have grown since. What checks proofs stands once, in `verify`, which travels with each
bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from gateway.ledger.verify import leaf_hash, node_hash, verify_consistency, verify_inclusion

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "ReadTile",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_hash",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()

ReadTile = Callable[[int, int], bytes]  # (level, number) -> the tile's hashes, as far as they are known


class MissingHash(Exception):
    """A tile does not hold a hash that its tree must have: the log is damaged or a larger size was asked for."""


def root_hash(read: ReadTile, size: int) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _range_hash(read, 0, size) if size else EMPTY_ROOT


def inclusion_proof(read: ReadTile, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, sibling first (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in a tree of this size")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(read, middle, end))
            end = middle
        else:
            path.append(_range_hash(read, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(read: ReadTile, size1: int, size2: int) -> list[bytes]:
    """That the first `size1` leaves are a prefix of the first `size2` (RFC 9162 section 2.1.4.1); none for equal sizes."""
    if not 0 < size1 <= size2:
        raise ValueError("nothing is consistent with an empty or larger tree")
    start, end, path = 0, size2, []
    while size1 != end:
        middle = start + _split(end - start)
        if size1 <= middle:
            path.append(_range_hash(read, middle, end))
            end = middle
        else:
            path.append(_range_hash(read, start, middle))
            start = middle
    if start:
        path.append(_range_hash(read, start, end))
    return path[::-1]


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range_hash(read: ReadTile, start: int, end: int) -> bytes:
    """The hash over leaves from `start` to before `end`, where `start` is where a subtree of that size may begin."""
    count = end - start
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return _node(read, height, start >> height)
    middle = start + _split(count)
    return node_hash(_range_hash(read, start, middle), _range_hash(read, middle, end))


def _node(read: ReadTile, height: int, place: int) -> bytes:
    """The hash of a complete subtree, folded from the tile that holds its leaves."""
    level, above = divmod(height, TILE_HEIGHT)
    number, offset = divmod(place << above, TILE_WIDTH)
    hashes = read(level, number)[offset * HASH_BYTES : (offset + (1 << above)) * HASH_BYTES]
    if len(hashes) != HASH_BYTES << above:
        raise MissingHash("a tile lacks a hash that a tree of this size must have")
    return fold(hashes)


def fold(hashes: bytes) -> bytes:
    """The root over a power of two of concatenated hashes."""
    layer = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(layer) > 1:
        layer = [node_hash(layer[at], layer[at + 1]) for at in range(0, len(layer), 2)]
    return layer[0]
