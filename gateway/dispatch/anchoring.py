"""Anchoring: on a fixed rhythm witnesses sign the log's next checkpoint, then authorities stamp it, then it is kept.

Invariant: what a witness shows to be another log than ours, signed by our own key, stops the gateway; its word alone stops
nothing, and what witnesses or authorities do not answer stops nothing: receipts stay pending and the log says so. No time is
claimed that nobody stamped. Where the log grows at one pace for others, they are shown sizes that tell of nothing that happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

import structlog

from gateway.actions.anchor import anchor
from gateway.core.errors import Misconfigured
from gateway.core.notaries import COSIGNATURES, STAMP_QUERY
from gateway.dispatch.timetable import fill_up
from gateway.ledger import sealing
from gateway.ledger.anchoring import (
    Witness,
    WrongTime,
    own_line,
    read_stamp,
    stamp_request,
    steady_size,
    submission,
)
from gateway.ledger.checkpoint import log_key, open_checkpoint, origin_at, sign_checkpoint
from gateway.ledger.tree import EMPTY_ROOT
from gateway.ledger.verify import Invalid, VerifierKey
from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow, ContradictionRow, Overtaken
from gateway.store.transaction import Tx

SAW_MORE, SAW_OTHER, UNPROVEN = "saw-more", "saw-other", "unproven"
_log = structlog.get_logger()


class RolledBack(Misconfigured):
    """A witness has signed a larger log than ours, or another one: this is an older or a forked book. Nothing may run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one witness said about a checkpoint of ours: its line over one of `size` leaves, or a coarse code for why not.

    `saw-more`: it has signed a larger log (of `size` leaves). `saw-other`: it has signed one that ours does not continue. Both
    only when it showed that checkpoint (`shown`) with our own signature on it; else its word is `unproven`.
    """

    witness: str
    log: str
    line: str | None = None
    trouble: str | None = None
    size: int | None = None
    shown: str = ""

    @property
    def contradicts(self) -> bool:
        return self.trouble in (SAW_MORE, SAW_OTHER)


async def anchor_newest(parts: Parts) -> AnchorRow | None:
    """Have the log's next checkpoint confirmed and keep it; None when it is already, or not everybody needed answers. After the
    turn of a year the old log's last one comes first, and the new log's with the next turn.

    RolledBack when a witness contradicts us.
    """
    if not parts.settings.is_anchored:
        return None
    await refuse_if_it_stands_contradicted(parts)
    next_one = await _next(parts)
    if next_one is None:
        return None
    seen = await ask_witnesses(parts, next_one)
    await _keep_contradictions(parts, seen)
    refuse_if_contradicted(seen, next_one.size)
    lines = [one.line for one in seen if one.line is not None and one.size == next_one.size]
    if len(lines) < parts.notaries.quorum:
        _log.error("log.pending", size=next_one.size, witnesses=len(lines), needed=parts.notaries.quorum)
        return None
    note = next_one.note + "".join(lines)
    tokens = await _stamps(parts, note)
    if parts.notaries.stamp_urls and not tokens:
        _log.error("log.pending", size=next_one.size, stamps=0, needed=1)
        return None
    confirmed = AnchorRow(
        next_one.number, next_one.log, next_one.size, next_one.root, note, tokens, parts.clock()
    )
    return confirmed if await _keep(parts, confirmed) else None


async def _next(parts: Parts) -> CheckpointRow | None:
    """The checkpoint to be confirmed now: the newest, or on a steady rhythm the one of the next step."""
    growth = parts.settings.steady_growth
    return await _next_step(parts, growth) if growth else await parts.store.read(log.next_to_anchor)


async def _next_step(parts: Parts, growth: int) -> CheckpointRow | None:
    """`growth` leaves more than were shown last, filled up if need be; None when that was done in this interval."""
    in_use, shown = await parts.store.read(lambda tx: (log.latest_checkpoint(tx), _shown_last(tx)))
    if shown is not None and _is_of_this_turn(parts, shown):
        return None
    if in_use is not None:
        await fill_up(parts, in_use.log, (shown.size if shown else 0) + growth)
    newest, in_use, shown = await parts.store.read(
        lambda tx: (log.next_to_anchor(tx), log.latest_checkpoint(tx), _shown_last(tx))
    )
    if newest is None or in_use is None or newest.log != in_use.log:
        return newest  # an earlier year's log is shown whole: the next one names its last checkpoint
    size = steady_size(shown.size if shown else 0, newest.size, growth)
    return newest if size >= newest.size else await _head(parts, newest.log, size)


def _shown_last(tx: Tx) -> AnchorRow | None:
    newest = log.latest_checkpoint(tx)
    return None if newest is None else log.newest_anchor_of(tx, newest.log)


def _is_of_this_turn(parts: Parts, shown: AnchorRow) -> bool:
    every = parts.settings.anchor_interval_seconds
    return parts.clock().timestamp() // every == shown.anchored_at.timestamp() // every


async def _head(parts: Parts, origin: str, size: int) -> CheckpointRow:
    """Our own checkpoint of a size that the log has passed; of no leaves at all it is the beginning of every log."""

    def read(tx: Tx) -> tuple[int, bytes | None]:
        return log.number_within(tx, origin, size), sealing.root_at(tx, origin, size)

    number, root = (0, EMPTY_ROOT) if size == 0 else await parts.store.read(read)
    if root is None:
        raise sealing.LedgerDamaged("the stored tree lacks hashes of a size that it had")
    note = await asyncio.to_thread(sign_checkpoint, parts.keys.log, origin, size, root)
    return CheckpointRow(number, origin, size, root, note, parts.clock())


async def compare_with_witnesses(parts: Parts) -> list[Seen]:
    """What every witness says about our newest checkpoint, on a steady rhythm about the newest that it was shown; of a log that is
    not begun here, about an empty tree: a book of the old year would else find out only after it began this year's log a second
    time."""
    newest, at = await parts.store.read(log.latest_checkpoint), parts.clock()
    due = origin_at(parts.settings.issuer, at, newest.log if newest else None)
    is_begun = newest is not None and newest.log == due
    seen = [] if is_begun else await ask_witnesses(parts, await _head(parts, due, 0))
    if newest is None:
        return seen
    if parts.settings.steady_growth:
        shown = await parts.store.read(_shown_last)
        newest = await _head(parts, newest.log, shown.size if shown else 0)
    return await ask_witnesses(parts, newest) + seen


async def must_not_be_rolled_back(parts: Parts) -> bool:
    """Before anything runs: RolledBack when a witness contradicts us; False when none answers, which is said: ask again."""
    if not parts.notaries.witnesses:
        return True
    await refuse_if_it_stands_contradicted(parts)
    seen = await compare_with_witnesses(parts)
    newest = await parts.store.read(log.latest_checkpoint)
    refuse_if_contradicted(seen, newest.size if newest else 0)
    if any(one.line is not None for one in seen):
        return True
    _log.error("log.unwitnessed", advice="no witness answers: whether this is an older book is not known")
    return False


async def refuse_if_it_stands_contradicted(parts: Parts) -> None:
    """RolledBack when any process of this deployment was shown that the log here is not the one that was signed."""
    standing, newest = await parts.store.read(lambda tx: (log.contradictions(tx), log.latest_checkpoint(tx)))
    ours = newest.size if newest else 0
    refuse_if_contradicted(
        [Seen(one.witness, one.log, None, _trouble(one.size, ours), one.size) for one in standing], ours
    )


async def look_for_contradiction(parts: Parts) -> list[Seen]:
    """Ask all witnesses, and keep what they show against the log here; what they said."""
    seen = await compare_with_witnesses(parts)
    await _keep_contradictions(parts, seen)
    return seen


def refuse_if_contradicted(seen: Sequence[Seen], size: int) -> None:
    against = [one for one in seen if one.contradicts]
    if not against:
        return
    for one in against:
        _log.critical("log.contradicted", witness=one.witness, reason=one.trouble, ours=size, theirs=one.size)
    words = ", ".join(f"{one.witness} ({one.trouble}: {one.size} entries)" for one in against)
    raise RolledBack(
        f"the log here ({size} entries) is older than, or another than, what witnesses signed: {words}; "
        "nothing runs on it: see `gateway log compare`"
    )


async def _keep_contradictions(parts: Parts, seen: Sequence[Seen]) -> None:
    """What was shown against the log stays on record, so that no process of this deployment goes on with it."""
    at = parts.clock()
    rows = [
        ContradictionRow(one.log, one.witness, one.size or 0, one.shown, at)
        for one in seen
        if one.contradicts
    ]

    def keep(tx: Tx) -> None:
        for row in rows:
            log.note_contradiction(tx, row)

    if rows:
        await parts.store.transact(keep)


async def ask_witnesses(parts: Parts, checkpoint: CheckpointRow) -> list[Seen]:
    """All at once; each that does not confirm is told of."""
    seen = await asyncio.gather(*(_ask(parts, one, checkpoint) for one in parts.notaries.witnesses))
    for one in seen:
        if one.trouble == UNPROVEN:
            _log.error("witness.unproven", witness=one.witness, claims=one.size)
        elif one.line is None and not one.contradicts:
            _log.warning("witness.trouble", witness=one.witness, reason=one.trouble)
    return list(seen)


async def _ask(parts: Parts, witness: Witness, checkpoint: CheckpointRow) -> Seen:
    """Submit as if it had seen our newest anchored checkpoint; if it saw another one it says which, and is asked again."""
    name, origin = witness.key.name, checkpoint.log
    done = await parts.store.read(lambda tx: log.newest_anchor_of(tx, origin))
    old = min(done.size, checkpoint.size) if done else 0
    for _ in range(3):
        proof = await _proof(parts, origin, old, checkpoint.size)
        body = submission(old, proof, checkpoint.note)
        told = await parts.ask_notary(f"{witness.url}/add-checkpoint", body, COSIGNATURES)
        if told.status != 409:
            break
        theirs = _size(told.body)
        if theirs is None:
            return Seen(name, origin, trouble="not-a-witness")
        if theirs == old or theirs > await _may_have_seen(parts, checkpoint):
            return await _contradicting(parts, witness, origin, theirs)
        if theirs > checkpoint.size:  # it signed what we did not keep, or another process of ours was faster
            checkpoint = await _head(parts, origin, theirs)
        old = theirs
    else:
        return Seen(name, origin, trouble="busy")
    if told.fault is not None:
        return Seen(name, origin, trouble=told.fault)
    if told.status == 422:
        return await _contradicting(parts, witness, origin, old)
    if told.status != 200:
        return Seen(name, origin, trouble=f"status-{told.status}")
    return _believed(parts, witness, checkpoint, told.body)


async def _may_have_seen(parts: Parts, asked: CheckpointRow) -> int:
    """The largest size that an honest witness of this book can name: on a steady rhythm that of the next step, so that none learns
    by naming sizes how far the log has really come."""

    def read(tx: Tx) -> int:
        newest, shown = log.latest_checkpoint(tx, asked.log), log.newest_anchor_of(tx, asked.log)
        if newest is None or not growth:
            return newest.size if newest else 0
        return min(newest.size, max(asked.size, (shown.size if shown else 0) + growth))

    growth = parts.settings.steady_growth
    return await parts.store.read(read)


async def _contradicting(parts: Parts, witness: Witness, origin: str, claimed: int) -> Seen:
    """It says that it signed what ours does not continue: that counts if it shows it, signed by our own key, and it is so."""
    unproven = Seen(witness.key.name, origin, trouble=UNPROVEN, size=claimed)
    address = f"{witness.url}/checkpoint/{quote(origin, safe='/')}"
    told = await parts.ask_notary(address, None, COSIGNATURES)
    if told.status != 200:
        return unproven
    try:
        head = open_checkpoint(told.body, _own_keys(parts, origin), [], 0)
    except Invalid:
        return unproven

    def read(tx: Tx) -> tuple[int, bytes | None]:
        newest = log.latest_checkpoint(tx, origin)
        return (newest.size if newest else 0), sealing.root_at(tx, origin, head.size)

    ours, root = await parts.store.read(read)
    if root == head.root:
        return unproven
    return replace(unproven, trouble=_trouble(head.size, ours), size=head.size, shown=told.body.decode())


def _trouble(theirs: int, ours: int) -> str:
    return SAW_MORE if theirs > ours else SAW_OTHER


def _own_keys(parts: Parts, origin: str) -> list[VerifierKey]:
    return [log_key(origin, signer) for signer, _ in parts.keys.timed["log"].keys]


def _believed(parts: Parts, witness: Witness, checkpoint: CheckpointRow, answer: bytes) -> Seen:
    logs = _own_keys(parts, checkpoint.log)
    try:
        line = own_line(witness, logs, checkpoint.note, answer, parts.clock())
        return Seen(witness.key.name, checkpoint.log, line, size=checkpoint.size)
    except Invalid:
        return Seen(witness.key.name, checkpoint.log, trouble="false-signature")
    except WrongTime:
        return Seen(witness.key.name, checkpoint.log, trouble="clock")


async def _proof(parts: Parts, origin: str, old: int, size: int) -> list[bytes]:
    if not 0 < old < size:
        return []
    return await parts.store.read(lambda tx: sealing.prove_consistency(tx, origin, old, size))


def _size(body: bytes) -> int | None:
    text = body.decode("ascii", errors="replace").strip()
    return int(text) if text.isdecimal() and len(text) <= 19 else None


async def _stamps(parts: Parts, note: str) -> tuple[bytes, ...]:
    """The tokens of all authorities that answered with one that the verifier would take."""
    answers = await asyncio.gather(*(_stamp(parts, url, note) for url in parts.notaries.stamp_urls))
    return tuple(token for token in answers if token is not None)


async def _stamp(parts: Parts, url: str, note: str) -> bytes | None:
    query = stamp_request(note)
    told = await parts.ask_notary(url, query.content, STAMP_QUERY)
    reason = told.fault or ("" if told.status == 200 else f"status-{told.status}")
    if not reason:
        try:
            read_stamp(told.body, note, query.nonce, parts.notaries.stampers, parts.clock())
            return told.body
        except Invalid:
            reason = "not-acceptable"
        except WrongTime:
            reason = "clock"
    number = parts.notaries.stamp_urls.index(url) + 1
    _log.error("stamp.trouble", authority=number, reason=reason)
    return None


async def _keep(parts: Parts, confirmed: AnchorRow) -> bool:
    try:
        kept = await parts.store.transact(lambda tx: anchor(tx, parts, confirmed))
    except Overtaken:
        return False
    if kept:
        _log.info("log.anchored", size=confirmed.size, stamps=len(confirmed.tokens))
    return kept
