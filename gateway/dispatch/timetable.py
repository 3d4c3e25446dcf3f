"""What is done because time passes: chases, silences, seals, finished erasures, swept proofs.

Each step reads what is due from the database and does it through an action; running twice, or on two machines, is harmless.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta

import structlog
from structlog.contextvars import bound_contextvars

from gateway.actions.beat import beat
from gateway.actions.brief_unit import brief_unit, is_time_to_brief, name_of_round
from gateway.actions.change_calendar import Recount, recount
from gateway.actions.chase import MARGIN, Chase, chase
from gateway.actions.climb import Climb, climb
from gateway.actions.end_webhook import end_waiting
from gateway.actions.open_periodic import Opening, open_periodic
from gateway.actions.prove import Occasion
from gateway.actions.seal import plan, seal
from gateway.core.attachments import RECEIVING_LIFE
from gateway.core.errors import Unavailable, place_of
from gateway.core.messages import PartnershipId
from gateway.core.periods import Period
from gateway.core.periods import periods as coming_round
from gateway.core.rules import Periodic
from gateway.core.sandbox import SANDBOX
from gateway.dispatch.erasing import scrub
from gateway.parts import TRACE, Parts, Supply
from gateway.store import (
    attachments,
    custody,
    deliveries,
    duties,
    holidays,
    incidents,
    log,
    mail,
    messages,
    overview,
    periods,
    replay,
    rounds,
    webhooks,
)
from gateway.store import packs as pack_rows
from gateway.store.duties import DutyRow
from gateway.store.log import ChainMoved, CheckpointRow, Overtaken
from gateway.store.transaction import Tx

AT_ONCE = 1000
KNOWN_EVERYWHERE_AFTER = timedelta(seconds=30)  # no process goes by the list of holidays before for as long
UNUSED_FROM, UNUSED_UNTIL = timedelta(days=1), timedelta(days=3)

_log = structlog.get_logger()


async def seal_waiting(parts: Parts) -> int:
    """Seal until nothing waits; the size of the tree, or 0 when nothing was sealed."""
    size = 0
    while (made := await _seal_once(parts)) is not None:
        size = made.size
    return size


async def fill_up(parts: Parts, origin: str, size: int) -> None:
    """Seal what waits, and let that log have so many leaves at least, unless its year is over."""
    while (made := await _seal_once(parts, (origin, size))) is not None:
        if made.log != origin or made.size >= size:
            return


async def begin_anew(parts: Parts, origin: str) -> None:
    """Begin a log of another name, joined to the one before."""
    await _seal_once(parts, anew=origin)
    await seal_waiting(parts)


async def _seal_once(
    parts: Parts, fill: tuple[str, int] | None = None, anew: str | None = None
) -> CheckpointRow | None:
    """One batch, planned again for as long as another sequencer is faster. None when there is nothing to add."""
    while True:
        try:
            return await _planned_and_sealed(parts, fill, anew)
        except (Overtaken, ChainMoved):
            continue


async def _planned_and_sealed(
    parts: Parts, fill: tuple[str, int] | None, anew: str | None
) -> CheckpointRow | None:
    """Planned on a snapshot, signed in no transaction, written in one."""
    at, seed = parts.clock(), secrets.token_bytes(32)
    planned = await parts.store.read(lambda tx: plan(tx, parts, Occasion(at, Supply(seed)), fill, anew))
    if planned is None:
        return None
    note = await asyncio.to_thread(planned.signed, parts.keys.log)
    return await parts.store.transact(
        lambda tx: seal(tx, parts, Occasion(at, Supply(seed)), planned, note), shared=False
    )


async def beat_when_due(parts: Parts) -> bool:
    """The hourly heartbeat, at most once in its hour; whether one was made."""
    at, seed = parts.clock(), secrets.token_bytes(32)
    every = timedelta(seconds=parts.settings.heartbeat_interval_seconds)
    made = await parts.store.transact(lambda tx: beat(tx, parts, Occasion(at, Supply(seed)), every))
    return made is not None


async def begin_log(parts: Parts) -> None:
    """An empty log gets a heartbeat first, so that the first receipts too are made after something that others confirmed."""
    if await parts.store.read(log.latest_checkpoint) is None:
        await beat_when_due(parts)
        await seal_waiting(parts)


async def chase_due(parts: Parts, ways_in: frozenset[str]) -> int:
    """Look at every duty whose stage or due instant is reached; how many there were."""
    now = parts.clock()
    read_until = await parts.store.read(lambda tx: _read_until(tx, now, ways_in))
    due = await parts.store.read(lambda tx: _due(tx, now, read_until))
    for duty in due:
        with bound_contextvars(**{TRACE: secrets.token_hex(16)}):
            await _chase(parts, duty, read_until)
    return len(due)


async def _chase(parts: Parts, duty: DutyRow, read_until: datetime) -> None:
    """One duty; a fault with it is told and keeps nobody from looking at the others."""
    try:
        done = await parts.perform(chase, Chase(duty.id, read_until), duty.partnership, duty.incident)
    except Unavailable:
        raise
    except Exception as fault:
        _log.error("duty.fault", duty=duty.id, fault=type(fault).__name__, where=place_of(fault))
        return
    if done:
        _log.info("duty.chased", duty=duty.id, clock=duty.clock, done=done)


async def climb_due(parts: Parts) -> int:
    """Look at every delivery whose next rung is due; how many went up."""
    now, climbed = parts.clock(), 0
    for row in await parts.store.read(lambda tx: deliveries.rungs_due(tx, now, AT_ONCE)):
        try:
            rung = await parts.perform(climb, Climb(row.id), row.partnership, row.incident)
        except Unavailable:
            raise
        except Exception as fault:  # one delivery's fault is told and keeps nobody from looking at the others
            _log.error("rung.fault", delivery=row.id, fault=type(fault).__name__, where=place_of(fault))
            continue
        if rung is not None:
            climbed += 1
            _log.info("delivery.climbed", delivery=row.id, rung=rung.value, trace=row.trace)
    return climbed


async def recount_open(parts: Parts) -> int:
    """Count open duties anew after another list of holidays came into force (C-12); how many moved.

    For half a minute afterwards they are counted again at every step, since another process may still lay duties by the old list.
    """
    waits = await parts.store.read(holidays.waits_for_recount)
    if waits is None:
        return 0
    version = waits.version
    parts.partnerships.forget()
    moved = 0
    for duty in await parts.store.read(duties.open_with_due):
        asked = Recount(duty.id, version)
        moved += await parts.perform(recount, asked, duty.partnership, duty.incident) is not None
    at = parts.clock()
    if at - waits.uploaded_at >= KNOWN_EVERYWHERE_AFTER:
        await parts.store.transact(lambda tx: holidays.recounted(tx, version, at))
    _log.info("calendar.recounted", version=version, moved=moved)
    return moved


async def open_periodic_matters(parts: Parts) -> int:
    """Open what has come round since it last did, or since the pack came into force; how many."""
    now = parts.clock()
    opened = 0
    for row in await parts.store.read(pack_rows.in_force):
        pack = (await parts.partnerships.snapshot(row.partnership)).pack
        for rule in pack.periodic:
            last = await parts.store.read(lambda tx, p=row.partnership, r=rule.id: periods.latest(tx, p, r))  # type: ignore[misc]
            for period in coming_round(rule, pack.calendar, last or row.activated_at, now):
                opened += await _open(parts, row.partnership, rule, period)
    return opened


async def _open(parts: Parts, partnership: PartnershipId, rule: Periodic, period: Period) -> bool:
    """One matter; a fault with it is told and keeps nobody from opening the others."""
    opening = Opening(rule, period, parts.new_incident_id())
    try:
        done = await parts.perform(open_periodic, opening, partnership, None, new_key_for=opening.incident)
    except Unavailable:
        raise
    except Exception as fault:
        _log.error("matter.fault", rule=rule.id, fault=type(fault).__name__, where=place_of(fault))
        return False
    _log.info("matter.opened", rule=rule.id, period=period.key)
    return done


async def brief_units(parts: Parts) -> int:
    """The start of each partnership's working day; how many were told."""
    now, told = parts.clock(), 0
    for partnership in await parts.store.read(overview.partnerships):
        if partnership == SANDBOX:
            continue
        pack = (await parts.partnerships.snapshot(partnership)).pack
        name, today = name_of_round(partnership), pack.calendar.local(now).date()
        if is_time_to_brief(pack, parts.settings, now) and await parts.store.read(
            lambda tx, n=name, d=today: rounds.is_due(tx, n, d)  # type: ignore[misc]
        ):
            told += await parts.perform(brief_unit, None, partnership, None)
    if told:
        _log.info("day.told", people=told)
    return told


async def sweep_proofs(parts: Parts) -> None:
    """Forget proofs of possession that no one could replay any more."""
    now = parts.clock()
    await parts.store.transact(lambda tx: replay.sweep(tx, now))


async def sweep_keys(parts: Parts) -> int:
    """Forget data keys that a crash, or a mail that was here already, left without anything to seal; how many.

    Looks at keys made one to three days ago: long after whatever they were made for was recorded or given up.
    """
    now = parts.clock()
    after, before = now - UNUSED_UNTIL, now - UNUSED_FROM
    made = await parts.custody.read(lambda tx: custody.made_between(tx, after, before))
    unused = await parts.store.read(
        lambda tx: [key for key, incident in made if not _seals(tx, key, incident)]
    )
    if unused:
        await parts.custody.transact(lambda tx: custody.forget(tx, unused))
        _log.info("keys.swept", count=len(unused))
    return len(unused)


async def end_waiting_webhooks(parts: Parts) -> int:
    """Let askings for endpoints lapse, and end the secrets before the newest; how many."""
    at = parts.clock()
    if not await parts.store.read(lambda tx: webhooks.ending(tx, at, 1)):
        return 0
    ended = await parts.store.transact(lambda tx: end_waiting(tx, parts, at, AT_ONCE))
    parts.partnerships.forget()
    return ended


async def sweep_attachments(parts: Parts) -> int:
    """Destroy attachments that no message named within a day, and what a crash left torn; how many.

    The row goes first: a crash then leaves a key that seals nothing, which `sweep_keys` forgets.
    """
    now = parts.clock()
    gone = await parts.store.read(lambda tx: attachments.expired(tx, now, now - RECEIVING_LIFE, AT_ONCE))
    if not gone:
        return 0
    for attachment, _ in gone:
        await parts.store.transact(lambda tx, one=attachment: attachments.discard(tx, one))  # type: ignore[misc]
    await parts.custody.transact(lambda tx: custody.forget(tx, [key for _, key in gone]))
    await scrub(parts.custody)
    _log.info("attachments.swept", count=len(gone))
    return len(gone)


def _seals(tx: Tx, key: str, incident: str | None) -> bool:
    if incident is not None and incidents.exists(tx, incident):
        return True
    return any(one.is_sealed_by(tx, key) for one in (mail, messages, attachments))


def _read_until(tx: Tx, now: datetime, ways_in: frozenset[str]) -> datetime:
    """How far every way in is read: the API answers as it reads; a mailbox as far as its watermark says."""
    marks = mail.watermarks(tx)
    missing = now - timedelta(days=36500)
    reached = [marks.get(way, missing) for way in ways_in]
    unread = mail.oldest_unread_arrival(tx)
    return min([now, *reached, *([unread] if unread else [])])


def _due(tx: Tx, now: datetime, read_until: datetime) -> list[DutyRow]:
    found = {duty.id: duty for duty in duties.to_chase(tx, now, AT_ONCE)}
    for duty in duties.lapsed(tx, read_until - MARGIN, AT_ONCE):
        found.setdefault(duty.id, duty)
    return list(found.values())
