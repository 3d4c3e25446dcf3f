"""Carrying an erasure through: the keys, what they sealed, the free pages, the statement; and doing it again after a restore.

Invariant: what was erased stays erased. Each erasure is written beside the keys and in the custody store before its keys are
destroyed; when a gateway starts, whatever stands in either and is alive in a restored database is erased again before anything is
served. A crash between two steps leaves the state `erasing`, or an erasure on record whose keys still live: both are taken up again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from gateway.actions.erase import data_keys_of, empty_content, finish_erasure, reapply_erasure
from gateway.actions.prove import Occasion
from gateway.core.errors import Unavailable
from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Parts, Supply
from gateway.store import custody, erased, incidents
from gateway.store.transaction import Store, Tx
from keys import erasures
from keys.erasures import Erased

SCRUB_TRIES, SCRUB_PAUSE_SECONDS = 10, 0.2

_log = structlog.get_logger()

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


async def finish_erasures(parts: Parts) -> int:
    """Take up erasures that a crash interrupted."""
    waiting = await parts.store.read(incidents.being_erased)
    for incident in waiting:
        await complete_erasure(parts, incident.partnership, incident.id)
    return len(waiting)


async def complete_erasure(parts: Parts, partnership: PartnershipId, incident: IncidentId) -> None:
    """Destroy the data keys, empty what they sealed, leave nothing in free pages, and then state the erasure.

    Unavailable when a database stays busy: the incident is still `erasing`, and whoever comes by next goes on.
    """
    named = await parts.store.read(lambda tx: data_keys_of(tx, partnership, incident))
    named += await parts.custody.read(lambda tx: custody.keys_of(tx, incident))
    await _carry_through(parts, Erased(incident, partnership, frozenset(named), parts.clock()))


async def reapply_erasures(parts: Parts) -> int:
    """Erase again what a restored back-up brought back; how many. For the start, before anything is served."""
    directory = parts.settings.keys_dir
    filed = erasures.recorded(directory)
    kept = await parts.custody.read(erased.recorded)
    every = erasures.united(filed, kept)
    erasures.record(directory, [one for incident, one in every.items() if filed.get(incident) != one])
    missing = [one for incident, one in every.items() if kept.get(incident) != one]
    await parts.custody.transact(lambda tx: erased.record(tx, missing))
    undone = await parts.custody.read(lambda tx: erased.with_living_keys(tx, every.values()))
    undone |= await parts.store.read(lambda tx: erased.not_erased(tx, every.values()))
    for incident in sorted(undone):
        await _carry_through(parts, every[incident])
        _log.warning("erasure.reapplied", incident=incident)
    return len(undone)


async def _carry_through(parts: Parts, one: Erased) -> None:
    """Each step may be done twice. The record comes first: a restore of older databases must not lose it."""
    partnership, incident = PartnershipId(one.partnership), IncidentId(one.incident)
    await asyncio.to_thread(erasures.record, parts.settings.keys_dir, [one])
    at = parts.clock()
    await parts.custody.transact(lambda tx: _destroy(tx, one))
    await scrub(parts.custody)
    await parts.store.transact(lambda tx: erased.empty_sealed_by(tx, one.keys, at))
    await _settle(parts, reapply_erasure, (partnership, incident))
    await _settle(parts, empty_content, (partnership, incident))
    await scrub(parts.store)
    await _settle(parts, finish_erasure, (partnership, incident))


def _destroy(tx: Tx, one: Erased) -> None:
    erased.record(tx, [one])
    custody.destroy(tx, one.incident, sorted(one.keys), one.at)


async def _settle(
    parts: Parts, action: Callable[[Tx, Parts, Occasion, Asked], Answer], asked: Asked
) -> Answer:
    """An action that asks no rule pack: a partnership that is in force no more erases all the same."""
    occasion_at, seed = parts.clock(), secrets.token_bytes(32)
    return await parts.store.transact(
        lambda tx: action(tx, parts, Occasion(occasion_at, Supply(seed)), asked)
    )


async def scrub(store: Store) -> None:
    """Scrub, waiting out readers whose snapshots still need the log: they are short."""
    for _ in range(SCRUB_TRIES - 1):
        with suppress(Unavailable):
            return await store.scrub()
        await asyncio.sleep(SCRUB_PAUSE_SECONDS)
    return await store.scrub()
