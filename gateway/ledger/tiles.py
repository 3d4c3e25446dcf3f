"""Tiles: how the tree's hashes are kept and served (C2SP tlog-tiles, 256 hashes to a tile, levels 0, 8, 16 …).

Invariant: a tile only ever grows at its right end, up to 256 hashes; a full one never changes. A hash stands in a tile
above only when the tile below it is full.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger.tree import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, ReadTile, fold

Place = tuple[int, int]  # (level, number)


def right_edge(size: int) -> list[Place]:
    """The partial tiles of a tree of `size` leaves: what an append reads and replaces."""
    edge = []
    for level in range((max(size, 1).bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT + 1):
        if partial_width(level, size):
            edge.append((level, size >> TILE_HEIGHT * (level + 1)))
    return edge


def partial_width(level: int, size: int) -> int:
    """How many hashes the rightmost tile of `level` has in a tree of `size` leaves; 0 when all its tiles are full."""
    return (size >> TILE_HEIGHT * level) % TILE_WIDTH


def grow(read: ReadTile, size: int, leaf_hashes: Sequence[bytes]) -> dict[Place, bytes]:
    """The tiles that are new or changed once `leaf_hashes` follow on the first `size` leaves."""
    changed: dict[Place, bytes] = {}
    level, hashes = 0, list(leaf_hashes)
    while hashes:
        number, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        row = read(level, number)[: width * HASH_BYTES] if width else b""
        row += b"".join(hashes)
        hashes = []
        for at in range(0, len(row), TILE_WIDTH * HASH_BYTES):
            tile = row[at : at + TILE_WIDTH * HASH_BYTES]
            changed[level, number] = tile
            number += 1
            if len(tile) == TILE_WIDTH * HASH_BYTES:
                hashes.append(fold(tile))
        level += 1
    return changed


def width_served(level: int, number: int, size: int) -> int:
    """How many hashes of this tile a tree of `size` leaves has: 0 (not to be served) to 256."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - number * TILE_WIDTH))
