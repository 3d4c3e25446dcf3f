"""Wrap every data key anew after the master key was rotated: in batches, beside a gateway that serves.

Invariant: a data key is wrapped under a master key that the keys directory holds, before, between and after; what is sealed under
data keys is not touched. Each batch is one transaction: a crash leaves some wrapped under the key before, which still unwraps, and
the next run goes on with those. A destroyed key is never brought back.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from gateway.core.messages import Seat
from gateway.core.routing import way_label
from gateway.parts import Parts
from gateway.store import custody, directory
from gateway.store.transaction import Tx
from keys.sealing import WrappedKey

AT_ONCE = 200

_log = structlog.get_logger()


async def rewrap_all(parts: Parts) -> int:
    """Until nothing is wrapped under another master key than the one in use; how many data keys and secrets were."""
    done = 0
    while found := await parts.custody.read(lambda tx: _otherwise(tx, parts)):
        fresh = [(parts.keys.rewrap(one), one.master) for one in found]
        done += await parts.custody.transact(lambda tx, fresh=fresh: _exchange(tx, fresh))  # type: ignore[misc]
    done += await parts.store.transact(lambda tx: _seal_ways(tx, parts))
    if done:
        _log.info("keys.rewrapped", count=done, master=parts.keys.master_id)
    return done


def _otherwise(tx: Tx, parts: Parts) -> list[WrappedKey]:
    return custody.wrapped_otherwise(tx, parts.keys.master_id, AT_ONCE)


def _exchange(tx: Tx, fresh: list[tuple[WrappedKey, str]]) -> int:
    return sum(custody.exchange(tx, one, before) for one, before in fresh)


def _seal_ways(tx: Tx, parts: Parts) -> int:
    """Secrets of ways out are sealed under the master key itself; those that open under the one in use stay."""
    changed = 0
    for partnership, found in directory.sealed_ways(tx):
        directory.hold_agency(tx, partnership, found.agency)
        way = directory.way_enrolled(tx, partnership, Seat(found.agency, found.role))
        label = way_label(partnership, found.agency)
        if way is None or way.secret is None or parts.keys.is_sealed_now(label, way.secret):
            continue
        secret = parts.keys.seal_secret(label, parts.keys.open_secret(label, way.secret))
        directory.set_way(tx, partnership, replace(way, secret=secret))
        changed += 1
    return changed
