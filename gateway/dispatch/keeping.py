"""What the clock does about retention, once a day: it counts what is past its class, and ends what has a short term (G-12).

Incidents are never erased here: officers do that, two of them (`actions.end_retention`). What belongs to no incident has terms of
its own: mail that matched none, rows of an older register, sessions. A crash anywhere leaves the round undone, and the next
look does it again; nothing is harmed twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from gateway.actions.end_retention import past_retention
from gateway.core.messages import PartnershipId
from gateway.core.retention import imported_years
from gateway.core.rules import Pack
from gateway.dispatch.erasing import scrub
from gateway.dispatch.rewrapping import rewrap_all
from gateway.parts import Parts
from gateway.store import custody, overview, proposals, rounds

ROUND = "retention"
AT_ONCE = 1000

_log = structlog.get_logger()


async def watch_retention(parts: Parts) -> bool:
    """One look; whether today's round was done by it."""
    now = parts.clock()
    if not await parts.store.read(lambda tx: rounds.is_due(tx, ROUND, now.date())):
        return False
    removed = 0
    for name in await parts.store.read(overview.partnerships):
        pack = (await parts.partnerships.snapshot(name)).pack
        await _count(parts, pack, now)
        removed += await _end_imported(parts, name, pack, now)
    mails = await _end_unmatched(parts, now)
    await parts.store.transact(lambda tx: rounds.forget_sessions(tx, now))
    await parts.store.transact(lambda tx: proposals.forget_lapsed(tx, now))
    if mails or removed:
        await scrub(parts.store)
        _log.info("retention.ended", mails=mails, imported_rows=removed)
    await rewrap_all(parts)  # what a crash left of a new master key's work
    await parts.store.transact(lambda tx: rounds.done(tx, ROUND, now.date()))
    return True


async def _count(parts: Parts, pack: Pack, now: datetime) -> None:
    found = await parts.store.read(lambda tx: past_retention(tx, pack, now))
    if found:
        held = sum(one.is_held for one in found)
        _log.warning("retention.due", partnership=pack.partnership, incidents=len(found), legal_holds=held)


async def _end_imported(parts: Parts, partnership: PartnershipId, pack: Pack, now: datetime) -> int:
    years = imported_years(pack.retention)
    if years is None:
        return 0
    before = (now - timedelta(days=years * 366)).date()  # a few days late rather than one early
    return await parts.store.transact(lambda tx: rounds.forget_imported(tx, partnership, before))


async def _end_unmatched(parts: Parts, now: datetime) -> int:
    """The key goes last: a crash before leaves one that seals nothing, and the mail without content."""
    before = now - timedelta(days=parts.settings.unmatched_mail_days)
    found = await parts.store.read(lambda tx: rounds.unmatched_mail(tx, before, AT_ONCE))
    if not found:
        return 0
    for mail, _ in found:
        await parts.store.transact(lambda tx, one=mail: rounds.empty_mail(tx, one))  # type: ignore[misc]
    await parts.custody.transact(lambda tx: custody.forget(tx, [key for _, key in found]))
    await scrub(parts.custody)
    return len(found)
