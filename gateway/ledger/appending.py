"""Appending: one signed entry for each thing that happened, inside the transaction that records the thing itself.

Invariant: a chain is numbered without gaps and each entry names the leaf hash of the one before it. An entry is a promise
until it is sealed. The ledger holds no content keys: disclosures are sealed by the callable that is passed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.messages import EntryId, IncidentId, PartnershipId
from gateway.ledger.statement import Anchor, Draft, sign_statement, statement
from gateway.ledger.verify import leaf_hash
from gateway.store import log
from gateway.store.transaction import Tx
from keys.signing import Signer

Seal = Callable[[str, bytes], bytes]  # (label, content) -> sealed: `DataKey.seal` as it stands


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs receipts: the issuer's name in every statement and the receipts' signer (ES256)."""

    name: str
    signer: Signer


@dataclass(frozen=True, slots=True)
class Entry:
    """An appended entry; `jws` is the receipt to hand out."""

    id: EntryId
    jws: str
    statement: bytes
    seq: int
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class Addition:
    """A draft for a chain that has begun, with the key that seals what opens it: see `append_all`."""

    made: Draft
    incident: IncidentId | None
    seal: Seal | None
    data_key: str | None


def append(
    tx: Tx,
    issuer: Issuer,
    made: Draft,
    *,
    partnership: PartnershipId | None,
    incident: IncidentId | None,
    seal: Seal | None,
    data_key: str | None,
    after: Anchor | None = None,
) -> Entry:
    """Append one draft to its chain; see `append_all`."""
    return append_all(
        tx,
        issuer,
        [made],
        partnership=partnership,
        incident=incident,
        seal=seal,
        data_key=data_key,
        after=after,
    )[0]


def append_all(
    tx: Tx,
    issuer: Issuer,
    drafts: Sequence[Draft],
    *,
    partnership: PartnershipId | None,
    incident: IncidentId | None,
    seal: Seal | None,
    data_key: str | None,
    after: Anchor | None = None,
) -> list[Entry]:
    """Append drafts of one chain in order, with three statements of SQL in all.

    `seal` and `data_key` keep the disclosures until erasure; with neither, a draft must have no fields, since nobody could
    ever open them. The caller has locked the incident. ValueError when the drafts are not of one chain of this partnership.
    """
    if len({made.ref for made in drafts}) != 1:
        raise ValueError("drafts of one chain are appended together")
    for made in drafts:
        _must_be_sealed(made, seal, data_key)
    ref = drafts[0].ref
    before = log.chain_head(tx, ref)
    if before is not None and before.partnership != partnership:
        raise ValueError("the chain is another partnership's")
    seq, prev = (before.seq, before.head) if before else (0, "")
    entries: list[Entry] = []
    for made in drafts:
        seq += 1
        entries.append(_sign(issuer, made, seq, prev, after))
        prev = entries[-1].leaf_hash
    shared = {
        "partnership": partnership,
        "incident": incident,
        "kid": issuer.signer.kid,
        "data_key": data_key,
    }
    log.add_entries(tx, [shared | _row(m, e, seal) for m, e in zip(drafts, entries, strict=True)])
    if before is None:
        log.start_chain(tx, ref, partnership, incident, seq, prev)
    elif not log.advance_chain(tx, ref, before.seq, seq, prev):
        raise log.ChainMoved("the chain moved on while it was being appended to")
    # A crash before the commit leaves nothing; after it, the entries wait unsealed and `seal` picks them up by state.
    return entries


def append_each(
    tx: Tx,
    issuer: Issuer,
    additions: Sequence[Addition],
    *,
    partnership: PartnershipId | None,
    after: Anchor | None,
) -> list[Entry]:
    """Append drafts of several chains of a partnership, up to `AT_ONCE`, with three statements of SQL in all.

    The caller has locked their incidents. log.ChainMoved when one of the chains has not begun or moved on; ValueError as `append_all`.
    """
    heads = log.chain_heads(tx, [one.made.ref for one in additions])
    moves: dict[str, tuple[int, int, str]] = {}
    entries, rows = [], []
    for one in additions:
        _must_be_sealed(one.made, one.seal, one.data_key)
        entry = _next_entry(issuer, one.made, heads, moves, partnership, after)
        entries.append(entry)
        keys = {"kid": issuer.signer.kid, "data_key": one.data_key}
        shared = {"partnership": partnership, "incident": one.incident, **keys}
        rows.append(shared | _row(one.made, entry, one.seal))
    log.add_entries(tx, rows)
    if not log.advance_chains(tx, moves):
        raise log.ChainMoved("a chain moved on while it was being appended to")
    return entries


def disclosures_label(entry: str) -> str:
    """What sealed disclosures are bound to, so that they do not open in another row."""
    return f"entry/{entry}/disclosures"


def _must_be_sealed(made: Draft, seal: Seal | None, data_key: str | None) -> None:
    if (seal is None) != (data_key is None) or (seal is None and made.disclosures):
        raise ValueError("commitments need a data key that seals what opens them")


def _next_entry(
    issuer: Issuer,
    made: Draft,
    heads: Mapping[str, log.ChainHead],
    moves: dict[str, tuple[int, int, str]],
    partnership: PartnershipId | None,
    after: Anchor | None,
) -> Entry:
    """The entry that follows what `moves` has appended to its chain by now."""
    before = heads.get(made.ref)
    if before is None:
        raise log.ChainMoved("the chain has not begun")
    if before.partnership != partnership:
        raise ValueError("the chain is another partnership's")
    was, seq, prev = moves.get(made.ref, (before.seq, before.seq, before.head))
    entry = _sign(issuer, made, seq + 1, prev, after)
    moves[made.ref] = (was, entry.seq, entry.leaf_hash)
    return entry


def _sign(issuer: Issuer, made: Draft, seq: int, prev: str, after: Anchor | None) -> Entry:
    encoded = statement(made, issuer.name, issuer.signer.kid, seq, prev, after)
    signed = sign_statement(encoded, issuer.signer)
    return Entry(EntryId(made.id), signed, encoded, seq, leaf_hash(encoded).hex())


def _row(made: Draft, entry: Entry, seal: Seal | None) -> dict[str, object]:
    sealed = None
    if seal is not None and made.disclosures:
        sealed = seal(disclosures_label(made.id), json.dumps(made.disclosures).encode())
    return {
        "id": entry.id,
        "chain": made.ref,
        "seq": entry.seq,
        "event": made.event.text,
        "at": made.time,
        "statement": entry.statement,
        "jws": entry.jws,
        "disclosures": sealed,
        "log": None,
        "leaf_index": None,
    }
