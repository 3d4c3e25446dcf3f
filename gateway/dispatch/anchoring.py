"""Anchoring: on a fixed rhythm witnesses sign the newest checkpoint, then authorities stamp it, then it is kept.

Invariant: what witnesses do not confirm as the continuation of what they saw stops the gateway; what they or the authorities
do not answer stops nothing: receipts stay pending and the log says so. No time is claimed that nobody stamped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.actions.anchor import anchor
from gateway.core.errors import Misconfigured
from gateway.core.notaries import COSIGNATURES, STAMP_QUERY
from gateway.ledger import sealing
from gateway.ledger.anchoring import Witness, WrongTime, own_line, read_stamp, stamp_request, submission
from gateway.ledger.checkpoint import log_key, origin_at, sign_checkpoint
from gateway.ledger.tree import EMPTY_ROOT
from gateway.ledger.verify import Invalid
from gateway.parts import Parts
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow, Overtaken

SAW_MORE, SAW_OTHER = "saw-more", "saw-other"
_log = structlog.get_logger()


class RolledBack(Misconfigured):
    """A witness has signed a larger log than ours, or another one: this is an older or a forked book. Nothing may run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one witness said about our newest checkpoint: its line, or a coarse code for why not.

    `saw-more`: it has signed a larger log (of `size` leaves). `saw-other`: it has signed one that ours does not continue.
    """

    witness: str
    line: str | None = None
    trouble: str | None = None
    size: int | None = None

    @property
    def contradicts(self) -> bool:
        return self.trouble in (SAW_MORE, SAW_OTHER)


async def anchor_newest(parts: Parts) -> AnchorRow | None:
    """Have the newest checkpoint confirmed and keep it; None when it is already, or not everybody needed answers. After the
    turn of a year the old log's last one comes first, and the new log's with the next turn.

    RolledBack when a witness contradicts us.
    """
    if not parts.settings.is_anchored:
        return None
    newest = await parts.store.read(log.next_to_anchor)
    if newest is None:
        return None
    seen = await ask_witnesses(parts, newest)
    refuse_if_contradicted(seen, newest.size)
    lines = [one.line for one in seen if one.line is not None]
    if len(lines) < parts.notaries.quorum:
        _log.error("log.pending", size=newest.size, witnesses=len(lines), needed=parts.notaries.quorum)
        return None
    note = newest.note + "".join(lines)
    tokens = await _stamps(parts, note)
    if parts.notaries.stamp_urls and not tokens:
        _log.error("log.pending", size=newest.size, stamps=0, needed=1)
        return None
    confirmed = AnchorRow(newest.number, newest.log, newest.size, newest.root, note, tokens, parts.clock())
    return confirmed if await _keep(parts, confirmed) else None


async def compare_with_witnesses(parts: Parts) -> list[Seen]:
    """What every witness says about our newest checkpoint; of a log that is not begun here, about an empty tree: a book of the
    old year would else find out only after it began this year's log a second time."""
    newest, at = await parts.store.read(log.latest_checkpoint), parts.clock()
    due = origin_at(parts.settings.issuer, at, newest.log if newest else None)
    seen = [] if newest is None else await ask_witnesses(parts, newest)
    if newest is None or newest.log != due:
        seen += await ask_witnesses(parts, _empty(parts, due, at))
    return seen


async def must_not_be_rolled_back(parts: Parts) -> bool:
    """Before anything runs: RolledBack when a witness contradicts us; False when none answers, which is said: ask again."""
    if not parts.notaries.witnesses:
        return True
    seen = await compare_with_witnesses(parts)
    newest = await parts.store.read(log.latest_checkpoint)
    refuse_if_contradicted(seen, newest.size if newest else 0)
    if any(one.line is not None for one in seen):
        return True
    _log.error("log.unwitnessed", advice="no witness answers: whether this is an older book is not known")
    return False


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


async def ask_witnesses(parts: Parts, checkpoint: CheckpointRow) -> list[Seen]:
    """All at once; each that does not confirm is told of."""
    seen = await asyncio.gather(*(_ask(parts, one, checkpoint) for one in parts.notaries.witnesses))
    for one in seen:
        if one.line is None and not one.contradicts:
            _log.warning("witness.trouble", witness=one.witness, reason=one.trouble)
    return list(seen)


async def _ask(parts: Parts, witness: Witness, checkpoint: CheckpointRow) -> Seen:
    """Submit as if it had seen our newest anchored checkpoint; if it saw another one it says which, and is asked again."""
    name = witness.key.name
    done = await parts.store.read(lambda tx: log.newest_anchor_of(tx, checkpoint.log))
    old = min(done.size, checkpoint.size) if done else 0
    for _ in range(2):
        proof = await _proof(parts, checkpoint.log, old, checkpoint.size)
        body = submission(old, proof, checkpoint.note)
        told = await parts.ask_notary(f"{witness.url}/add-checkpoint", body, COSIGNATURES)
        if told.status != 409:
            break
        theirs = _size(told.body)
        if theirs is None:
            return Seen(name, trouble="not-a-witness")
        if theirs > checkpoint.size:
            return await _ahead(parts, name, checkpoint.log, theirs)
        if theirs == old:
            return Seen(name, trouble=SAW_OTHER, size=theirs)
        old = theirs
    else:
        return Seen(name, trouble="busy")
    if told.fault is not None:
        return Seen(name, trouble=told.fault)
    if told.status == 422:
        return Seen(name, trouble=SAW_OTHER, size=old)
    if told.status != 200:
        return Seen(name, trouble=f"status-{told.status}")
    return _believed(parts, witness, checkpoint, told.body)


async def _ahead(parts: Parts, name: str, origin: str, theirs: int) -> Seen:
    """It saw more than what we asked about: another process of ours was faster, or this book is an older one."""
    newest = await parts.store.read(lambda tx: log.latest_checkpoint(tx, origin))
    is_ours = newest is not None and newest.size >= theirs
    return Seen(name, trouble="busy" if is_ours else SAW_MORE, size=theirs)


def _believed(parts: Parts, witness: Witness, checkpoint: CheckpointRow, answer: bytes) -> Seen:
    logs = [log_key(checkpoint.log, signer) for signer, _ in parts.keys.timed["log"].keys]
    try:
        return Seen(witness.key.name, own_line(witness, logs, checkpoint.note, answer, parts.clock()))
    except Invalid:
        return Seen(witness.key.name, trouble="false-signature")
    except WrongTime:
        return Seen(witness.key.name, trouble="clock")


async def _proof(parts: Parts, origin: str, old: int, size: int) -> list[bytes]:
    if not 0 < old < size:
        return []
    return await parts.store.read(lambda tx: sealing.prove_consistency(tx, origin, old, size))


def _size(body: bytes) -> int | None:
    text = body.decode("ascii", errors="replace").strip()
    return int(text) if text.isdecimal() and len(text) <= 19 else None


def _empty(parts: Parts, origin: str, at: datetime) -> CheckpointRow:
    """Signed only to be compared: an empty tree is the beginning of every log."""
    note = sign_checkpoint(parts.keys.log, origin, 0, EMPTY_ROOT)
    return CheckpointRow(0, origin, 0, EMPTY_ROOT, note, at)


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
