"""The ledger's rows: entries, the chains they form, the tiles of the tree and its checkpoints.

A deployment has one log a year, named by its origin; each is a tree of its own. Invariant: a leaf index is given once in its
log, without gaps, in one transaction with the tiles and the checkpoint that hold it. Checkpoints are numbered over all logs, and
that number is what stops a second sequencer: every batch takes the number after the checkpoint that it read, so two batches on one
base always meet there, whatever locks either of them believes it holds, and also when one goes on in the old log and the other
begins a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.prepared import Places, Prepared
from gateway.store.transaction import Tx


class Overtaken(Exception):
    """Another process sealed or anchored first: this transaction must be rolled back and begun anew."""


class ChainMoved(Exception):
    """Somebody appended to a chain that this transaction appends to: it must be rolled back."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last entry of a chain: its number and its leaf hash in hex."""

    partnership: PartnershipId | None
    incident: IncidentId | None
    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it stands. `disclosures` are sealed under `data_key`; `log` and `leaf_index` are None until it is sealed."""

    id: str
    partnership: PartnershipId | None
    incident: IncidentId | None
    chain: str
    seq: int
    event: str
    at: datetime
    kid: str
    statement: bytes
    jws: str
    disclosures: bytes | None
    data_key: str | None
    log: str | None
    leaf_index: int | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A signed state of a log (`log` is its origin). `number` counts the checkpoints of all logs, from 1."""

    number: int
    log: str
    size: int
    root: bytes
    note: str
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """A checkpoint that others confirmed: its note with witnesses' lines, and the time-stamps over it (one or two, or none).

    `number` is that of the last stored checkpoint within it: on a steady rhythm others are shown sizes between two of these.
    """

    number: int
    log: str
    size: int
    root: bytes
    note: str
    tokens: tuple[bytes, ...]
    anchored_at: datetime


@dataclass(frozen=True, slots=True)
class FillerRow:
    """`count` leaves of a log from `first` on that say nothing; each follows from the seed and its index."""

    log: str
    first: int
    count: int
    seed: bytes

    def leaf(self, index: int) -> bytes:
        """The bytes of one leaf: JSON as a statement is, and never to be taken for one."""
        content = hashlib.sha256(self.seed + index.to_bytes(8, "big")).hexdigest()
        return f'{{"filler":"{content}"}}'.encode()


@dataclass(frozen=True, slots=True)
class ContradictionRow:
    """A witness showed a checkpoint of this log that our own key signed and that the log here does not continue."""

    log: str
    witness: str
    size: int
    note: str
    seen_at: datetime


_CHAIN = Prepared(
    select(t.chain.c.partnership, t.chain.c.incident, t.chain.c.seq, t.chain.c.head)
    .where(t.chain.c.ref == bindparam("ref"))
    .with_for_update()
)
_REFS = Places("ref")
_CHAINS = Prepared(
    select(t.chain.c.ref, t.chain.c.partnership, t.chain.c.incident, t.chain.c.seq, t.chain.c.head)
    .where(t.chain.c.ref.in_(_REFS.binds))
    .order_by(t.chain.c.ref)
    .with_for_update()
)
_START = Prepared(insert(t.chain), taken=partial(ChainMoved, "the chain was begun by another transaction"))
_ADD_ENTRY = Prepared(insert(t.entry))
_ADVANCE = Prepared(
    update(t.chain)
    .where(t.chain.c.ref == bindparam("of"), t.chain.c.seq == bindparam("was"))
    .values(seq=bindparam("now"), head=bindparam("top"))
)
_ENTRY = select(*t.entry.c)
_UNSEALED = Prepared(
    select(t.entry.c.id, t.entry.c.statement)
    .where(t.entry.c.leaf_index.is_(None))
    .order_by(t.entry.c.seq, t.entry.c.chain)
    .limit(bindparam("most"))
)
_NUMBER = Prepared(
    update(t.entry)
    .where(t.entry.c.id == bindparam("entry"), t.entry.c.leaf_index.is_(None))
    .values(log=bindparam("of"), leaf_index=bindparam("index")),
    taken=partial(Overtaken, "another sequencer gave these leaf indices"),
)
_NUMBERED = Prepared(
    select(t.entry.c.id)
    .where(t.entry.c.log == bindparam("of"), t.entry.c.leaf_index >= bindparam("first"))
    .order_by(t.entry.c.leaf_index)
)
_CHECKPOINT = select(*t.checkpoint.c)
_ANCHOR = select(*t.anchor.c)
_NEWEST_ANCHOR_FIRST = (t.anchor.c.number.desc(), t.anchor.c.size.desc())
_NEWEST_ANCHOR = Prepared(select(t.anchor.c.size, t.anchor.c.root).order_by(*_NEWEST_ANCHOR_FIRST).limit(1))


# --- chains and entries ----------------------------------------------------------------------------------------------


def chain_head(tx: Tx, ref: str) -> ChainHead | None:
    """The chain's last entry; on PostgreSQL the row is locked until the transaction ends."""
    row = tx.execute(_CHAIN, {"ref": ref}).first()
    return None if row is None else ChainHead(*row)


def chain_heads(tx: Tx, refs: Sequence[str]) -> dict[str, ChainHead]:
    """`chain_head` of several chains, as many as one statement takes, by their names: those that have begun."""
    return {ref: ChainHead(*head) for ref, *head in tx.execute(_CHAINS, _REFS.of(refs))}


def start_chain(
    tx: Tx, ref: str, partnership: PartnershipId | None, incident: IncidentId | None, seq: int, head: str
) -> None:
    values = {"ref": ref, "partnership": partnership, "incident": incident, "seq": seq, "head": head}
    tx.execute(_START, values)


def advance_chain(tx: Tx, ref: str, was: int, now: int, head: str) -> bool:
    """Move a chain's head on; False when it is no longer where it was read."""
    return tx.execute(_ADVANCE, {"of": ref, "was": was, "now": now, "top": head}).rowcount == 1


def advance_chains(tx: Tx, moves: Mapping[str, tuple[int, int, str]]) -> bool:
    """`advance_chain` for several: by chain what its number was, what it is now and the new head."""
    rows = [{"of": ref, "was": was, "now": now, "top": head} for ref, (was, now, head) in moves.items()]
    return tx.execute(_ADVANCE, rows).rowcount == len(rows)


def add_entries(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    tx.execute(_ADD_ENTRY, rows)


def find_entry(tx: Tx, partnership: PartnershipId | None, entry: str) -> EntryRow | None:
    """One entry of a partnership; `partnership` None finds only the gateway's own entries."""
    query = _ENTRY.where(t.entry.c.id == entry, t.entry.c.partnership.is_not_distinct_from(partnership))
    row = tx.execute(query).first()
    return None if row is None else EntryRow(**row._mapping)


def find_entry_of_sender(
    tx: Tx, agency: AgencyId, partnerships: Sequence[str], entry: str
) -> EntryRow | None:
    """An entry about a message that this agency sent; foreign and unknown cost the same and look the same."""
    query = _ENTRY.where(
        t.entry.c.id == entry,
        t.entry.c.partnership.in_(partnerships),
        exists().where(
            t.message.c.id == t.entry.c.chain,
            t.message.c.partnership == t.entry.c.partnership,
            t.message.c.agency == agency,
        ),
    )
    row = tx.execute(query).first()
    return None if row is None else EntryRow(**row._mapping)


def find_entry_of_recipient(tx: Tx, agency: AgencyId, entry: str) -> EntryRow | None:
    """An entry about a message that was delivered to this agency; which of a message's entries it may read, the caller must see."""
    query = _ENTRY.where(
        t.entry.c.id == entry,
        exists().where(
            t.delivery.c.message == t.entry.c.chain,
            t.delivery.c.partnership == t.entry.c.partnership,
            t.delivery.c.agency == agency,
        ),
    )
    row = tx.execute(query).first()
    return None if row is None else EntryRow(**row._mapping)


def last_of_chain(tx: Tx, ref: str) -> datetime | None:
    """When the last entry of a chain of the gateway's own was made."""
    query = select(t.entry.c.at).where(t.entry.c.chain == ref, t.entry.c.partnership.is_(None))
    row = tx.execute(query.order_by(t.entry.c.seq.desc()).limit(1)).first()
    return None if row is None else row.at


def entries_of_chain(tx: Tx, partnership: PartnershipId | None, ref: str) -> list[EntryRow]:
    query = _ENTRY.where(t.entry.c.chain == ref, t.entry.c.partnership.is_not_distinct_from(partnership))
    return [EntryRow(**row._mapping) for row in tx.execute(query.order_by(t.entry.c.seq))]


def entries_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[EntryRow]:
    """Every entry of every chain that has to do with the incident, chains whole, each chain in order."""
    mine = and_(t.entry.c.partnership == partnership, t.entry.c.incident == incident)
    query = _ENTRY.where(t.entry.c.chain.in_(select(t.entry.c.chain).where(mine)))
    query = query.where(t.entry.c.partnership == partnership)
    return [EntryRow(**row._mapping) for row in tx.execute(query.order_by(t.entry.c.chain, t.entry.c.seq))]


@dataclass(frozen=True, slots=True)
class Told:
    """What a timeline shows of an entry."""

    id: str
    event: str
    at: datetime
    seq: int
    statement: bytes
    leaf_index: int | None


def newest_of(tx: Tx, partnership: PartnershipId, incident: IncidentId, event: str) -> EntryRow | None:
    """The last entry of one event about an incident."""
    c = t.entry.c
    query = _ENTRY.where(c.partnership == partnership, c.incident == incident, c.event == event)
    row = tx.execute(query.order_by(c.at.desc(), c.seq.desc()).limit(1)).first()
    return None if row is None else EntryRow(**row._mapping)


def timeline(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, most: int, before: tuple[datetime, str] | None
) -> list[Told]:
    """The newest entries of the incident's chains, or those before this instant and id; `most` at most."""
    of = t.entry.c
    mine = select(of.chain).where(of.partnership == partnership, of.incident == incident)
    query = select(of.id, of.event, of.at, of.seq, of.statement, of.leaf_index)
    query = query.where(of.chain.in_(mine), of.partnership == partnership)
    if before is not None:
        at, key = before
        query = query.where(or_(of.at < at, and_(of.at == at, of.id < key)))
    rows = tx.execute(query.order_by(of.at.desc(), of.id.desc()).limit(most))
    return [Told(*row) for row in rows]


def count_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> dict[str, int]:
    """How many chains and entries the incident has so far."""
    mine = and_(t.entry.c.partnership == partnership, t.entry.c.incident == incident)
    query = select(func.count(func.distinct(t.entry.c.chain)), func.count()).where(mine)
    chains, entries = tx.execute(query).one()
    return {"chains": int(chains), "entries": int(entries)}


def lengths_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> dict[str, int]:
    """How many entries each chain has that `entries_of_incident` finds, by the chain's id."""
    mine = and_(t.entry.c.partnership == partnership, t.entry.c.incident == incident)
    query = select(t.chain.c.ref, t.chain.c.seq).where(t.chain.c.partnership == partnership)
    rows = tx.execute(query.where(t.chain.c.ref.in_(select(t.entry.c.chain).where(mine))))
    return {row.ref: row.seq for row in rows}


# --- the tree: system rows, which belong to no partnership -------------------------------------------------------------


def unsealed(tx: Tx, limit: int) -> list[tuple[str, bytes]]:
    """Ids and statements of entries that are not leaves yet, at most `limit`; no entry before its forerunner's."""
    return [(row[0], row[1]) for row in tx.execute(_UNSEALED, {"most": limit})]


def count_unsealed(tx: Tx) -> int:
    query = select(func.count()).select_from(t.entry).where(t.entry.c.leaf_index.is_(None))
    return int(tx.execute(query).scalar_one())


def unsealed_since(tx: Tx) -> datetime | None:
    """When the oldest of the entries that wait for their seal was made; a thousand of them are looked at."""
    few = select(t.entry.c.at).where(t.entry.c.leaf_index.is_(None)).limit(1000).subquery()
    return tx.execute(select(func.min(few.c.at))).scalar_one()  # type: ignore[no-any-return]


def number_leaves(tx: Tx, of: str, first: int, entries: Sequence[str]) -> None:
    """Give leaf indices of a log from `first` on; Overtaken when one is taken or an entry has one."""
    rows = [{"entry": entry, "of": of, "index": first + place} for place, entry in enumerate(entries)]
    if rows:  # a batch may be of leaves that say nothing alone
        tx.execute(_NUMBER, rows)
    given = [row[0] for row in tx.execute(_NUMBERED, {"of": of, "first": first})]
    if given != list(entries):
        raise Overtaken("another sequencer sealed some of these entries")


def statements(tx: Tx, of: str, first: int, count: int) -> list[bytes]:
    """The bytes of a log's leaves from `first` on, in order: statements, and what fills the log up between them."""
    index = t.entry.c.leaf_index
    query = select(index, t.entry.c.statement).where(
        t.entry.c.log == of, index >= first, index < first + count
    )
    found: dict[int, bytes] = {row.leaf_index: row.statement for row in tx.execute(query)}
    f = t.filler.c
    runs = select(*f).where(f.log == of, f["first"] < first + count, f["first"] + f["count"] > first)
    for row in tx.execute(runs):
        run = FillerRow(**row._mapping)
        for leaf in range(max(first, run.first), min(first + count, run.first + run.count)):
            found[leaf] = run.leaf(leaf)
    return [found[leaf] for leaf in sorted(found)]


def fill(tx: Tx, row: FillerRow) -> None:
    """Keep a run of leaves that say nothing, in the transaction of the checkpoint that holds them."""
    try:
        tx.execute(insert(t.filler), asdict(row))
    except IntegrityError as fault:
        raise Overtaken("another sequencer filled this log up") from fault


def first_leaf(tx: Tx, of: str) -> EntryRow | None:
    """The entry that begins a log; in every log but the first it names the last checkpoint of the log before."""
    row = tx.execute(_ENTRY.where(t.entry.c.log == of, t.entry.c.leaf_index == 0)).first()
    return None if row is None else EntryRow(**row._mapping)


def read_tiles(tx: Tx, of: str, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """A log's tiles at these (level, number) places that exist."""
    wanted = or_(*(and_(t.tile.c.level == level, t.tile.c.number == number) for level, number in places))
    query = select(t.tile.c.level, t.tile.c.number, t.tile.c.hashes).where(t.tile.c.log == of, wanted)
    return {(row.level, row.number): row.hashes for row in tx.execute(query)}


def write_tiles(
    tx: Tx, of: str, tiles: Mapping[tuple[int, int], bytes], existing: Iterable[tuple[int, int]]
) -> None:
    """Insert a log's tiles, replacing those that `existing` names (partial ones that grew)."""
    there = set(existing)
    grown = [_tile(place, hashes) for place, hashes in tiles.items() if place in there]
    fresh = [_tile(place, hashes) for place, hashes in tiles.items() if place not in there]
    if grown:
        here = and_(
            t.tile.c.log == of,
            t.tile.c.level == bindparam("at_level"),
            t.tile.c.number == bindparam("at_number"),
        )
        tx.execute(update(t.tile).where(here).values(hashes=bindparam("content")), grown)
    if fresh:
        rows = [
            {"log": of, "level": r["at_level"], "number": r["at_number"], "hashes": r["content"]}
            for r in fresh
        ]
        tx.execute(insert(t.tile), rows)


def _tile(place: tuple[int, int], hashes: bytes) -> dict[str, Any]:
    return {"at_level": place[0], "at_number": place[1], "content": hashes}


# --- checkpoints -----------------------------------------------------------------------------------------------------


def latest_checkpoint(tx: Tx, of: str | None = None) -> CheckpointRow | None:
    """The newest checkpoint of a log; without one, of the log in use."""
    query = _CHECKPOINT if of is None else _CHECKPOINT.where(t.checkpoint.c.log == of)
    return _checkpoint(tx, query.order_by(t.checkpoint.c.number.desc()).limit(1))


def checkpoint_of_size(tx: Tx, of: str, size: int) -> CheckpointRow | None:
    return _checkpoint(tx, _CHECKPOINT.where(t.checkpoint.c.log == of, t.checkpoint.c.size == size))


def checkpoint_of_root(tx: Tx, size: int, root: bytes) -> CheckpointRow | None:
    """The checkpoint that a statement names: a root is of one log only."""
    return _checkpoint(tx, _CHECKPOINT.where(t.checkpoint.c.size == size, t.checkpoint.c.root == root))


def anchor_of_root(tx: Tx, size: int, root: bytes) -> AnchorRow | None:
    """The anchored checkpoint that a statement names."""
    return _anchor(tx, _ANCHOR.where(t.anchor.c.size == size, t.anchor.c.root == root))


def number_within(tx: Tx, of: str, size: int) -> int:
    """The number of a log's last checkpoint of at most this size; of none, that before its first."""
    numbers = t.checkpoint.c.number
    within = select(func.max(numbers)).where(t.checkpoint.c.log == of, t.checkpoint.c.size <= size)
    first = select(func.min(numbers)).where(t.checkpoint.c.log == of)
    return int(tx.execute(within).scalar() or (tx.execute(first).scalar() or 1) - 1)


def origins(tx: Tx) -> list[str]:
    """The deployment's logs by their origins, the oldest first."""
    began = func.min(t.checkpoint.c.number)
    query = select(t.checkpoint.c.log).group_by(t.checkpoint.c.log).order_by(began)
    return list(tx.execute(query).scalars())


def add_checkpoint(tx: Tx, row: CheckpointRow) -> None:
    """Add a checkpoint if its number is the next one (compare and swap), else Overtaken."""
    newest = tx.execute(select(func.max(t.checkpoint.c.number))).scalar() or 0
    if row.number != newest + 1:
        raise Overtaken("another sequencer made a newer checkpoint")
    try:
        tx.execute(insert(t.checkpoint), asdict(row))
    except IntegrityError as fault:
        raise Overtaken("another sequencer made a checkpoint on the same one") from fault


def _checkpoint(tx: Tx, query: Select[Any]) -> CheckpointRow | None:
    row = tx.execute(query).first()
    return None if row is None else CheckpointRow(**row._mapping)


# --- anchors: checkpoints that others confirmed ------------------------------------------------------------------------


def add_anchor(tx: Tx, row: AnchorRow) -> bool:
    """Keep an anchored checkpoint; False when it is there already: what was kept never changes."""
    if anchor_of_size(tx, row.log, row.size) is not None:
        return False
    values = asdict(row)
    first, second = (*values.pop("tokens"), None, None)[:2]
    try:
        tx.execute(insert(t.anchor), values | {"token": first, "second_token": second})
    except IntegrityError as fault:
        raise Overtaken("another process anchored this checkpoint") from fault
    return True


def newest_anchor(tx: Tx) -> tuple[int, bytes] | None:
    """Size and root of the newest anchored checkpoint of all logs."""
    row = tx.execute(_NEWEST_ANCHOR).first()
    return None if row is None else (row[0], row[1])


def last_anchor(tx: Tx) -> AnchorRow | None:
    """The newest anchored checkpoint of all logs."""
    return _anchor(tx, _ANCHOR.order_by(*_NEWEST_ANCHOR_FIRST).limit(1))


def newest_anchor_of(tx: Tx, of: str) -> AnchorRow | None:
    """The newest anchored checkpoint of one log."""
    return _anchor(tx, _ANCHOR.where(t.anchor.c.log == of).order_by(t.anchor.c.size.desc()).limit(1))


def anchor_of_size(tx: Tx, of: str, size: int) -> AnchorRow | None:
    return _anchor(tx, _ANCHOR.where(t.anchor.c.log == of, t.anchor.c.size == size))


def anchor_holding(tx: Tx, of: str, index: int) -> AnchorRow | None:
    """The first anchored checkpoint whose tree holds a log's leaf at `index`: the one that bounds its time most closely."""
    held = _ANCHOR.where(t.anchor.c.log == of, t.anchor.c.size > index)
    return _anchor(tx, held.order_by(t.anchor.c.size).limit(1))


def _anchor(tx: Tx, query: Select[Any]) -> AnchorRow | None:
    row = tx.execute(query).first()
    if row is None:
        return None
    tokens = tuple(token for token in (row.token, row.second_token) if token is not None)
    return AnchorRow(row.number, row.log, row.size, row.root, row.note, tokens, row.anchored_at)


def next_to_anchor(tx: Tx) -> CheckpointRow | None:
    """The newest checkpoint of the oldest log that has one later than every anchored one; None when nothing waits.

    The old log's last checkpoint is anchored before any of the new log's: none of its leaves stays unconfirmed.
    """
    row = tx.execute(_unanchored().limit(1)).first()
    return None if row is None else latest_checkpoint(tx, row.log)


def oldest_unanchored(tx: Tx) -> datetime | None:
    """When the first checkpoint was sealed that is later than every anchored one; None when nothing waits."""
    row = tx.execute(_unanchored().limit(1)).first()
    return None if row is None else row.sealed_at


def _unanchored() -> Select[Any]:
    done = select(func.coalesce(func.max(t.anchor.c.number), 0)).scalar_subquery()
    return _CHECKPOINT.where(t.checkpoint.c.number > done).order_by(t.checkpoint.c.number)


# --- what witnesses showed against this book -------------------------------------------------------------------------------


def note_contradiction(tx: Tx, row: ContradictionRow) -> None:
    """Keep what a witness showed; the first showing of each witness stays."""
    c = t.contradiction.c
    there = select(c.size).where(c.log == row.log, c.witness == row.witness)
    if tx.execute(there).first() is None:
        tx.execute(insert(t.contradiction), asdict(row))


def contradictions(tx: Tx) -> list[ContradictionRow]:
    """What stands against the log in use; nothing once another one was begun in its place."""
    newest = latest_checkpoint(tx)
    query = select(*t.contradiction.c).order_by(t.contradiction.c.size.desc())
    rows = [ContradictionRow(**row._mapping) for row in tx.execute(query)]
    if newest is None:
        return rows
    deployment = newest.log.rpartition("/")[0]
    return [row for row in rows if row.log.rpartition("/")[0] == deployment and row.log >= newest.log]


def cut_back(tx: Tx, base: AnchorRow | None) -> int:
    """Let the logs end at a confirmed state: what is later waits for its seal again; how many entries that are.

    Only for a log that is given up: its witnesses have seen another one, so that it can never be continued.
    """
    kept, size, number = (base.log, base.size, base.number) if base else ("", 0, 0)
    later = t.checkpoint.c.number > number
    given_up = set(tx.execute(select(t.checkpoint.c.log).where(later)).scalars()) - {kept}

    def beyond(of: ColumnElement[str | None], leaf: ColumnElement[int | None]) -> ColumnElement[bool]:
        return or_(of.in_(given_up), and_(of == kept, leaf >= size))

    waiting = update(t.entry).where(beyond(t.entry.c.log, t.entry.c.leaf_index))
    again = tx.execute(waiting.values(log=None, leaf_index=None)).rowcount
    tx.execute(delete(t.filler).where(beyond(t.filler.c["log"], t.filler.c["first"])))
    top = tx.execute(select(func.max(t.checkpoint.c.number))).scalar() or 0
    tx.execute(delete(t.checkpoint).where(later))
    if base is not None and checkpoint_of_size(tx, base.log, base.size) is None:
        note = base.note[: base.note.index("\n", base.note.index("\n\n") + 2) + 1]  # without witnesses' lines
        closed = CheckpointRow(top + 1, base.log, base.size, base.root, note, base.anchored_at)
        tx.execute(insert(t.checkpoint), asdict(closed))
        its_anchor = and_(t.anchor.c.log == base.log, t.anchor.c.size == base.size)
        tx.execute(update(t.anchor).where(its_anchor).values(number=closed.number))
    return again


# --- erasure and restores --------------------------------------------------------------------------------------------------


def forget_disclosures(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """Erasure: what opened the commitments goes; the statements and their place in the tree stay."""
    tx.execute(
        update(t.entry)
        .where(t.entry.c.partnership == partnership, t.entry.c.incident == incident)
        .values(disclosures=None)
    )


def known(tx: Tx, entries: Sequence[str]) -> set[str]:
    """Which of these entries are here: for receipts that an agency kept, after a restore."""
    found: set[str] = set()
    for at in range(0, len(entries), 500):
        query = select(t.entry.c.id).where(t.entry.c.id.in_(entries[at : at + 500]))
        found |= set(tx.execute(query).scalars())
    return found
