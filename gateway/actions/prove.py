"""Say in the ledger that something happened: the statements of one chain, in order, inside the action's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger.appending import Addition, Issuer, append_all, append_each
from gateway.ledger.statement import Anchor, Draft, draft
from gateway.parts import Parts, Supply, Work
from gateway.store import log
from gateway.store.transaction import Tx
from keys.sealing import DataKey

MOST_COUNTED = 500  # chains in one statement: a leaf has at most 64 KiB


@dataclass(frozen=True, slots=True)
class Said:
    """One thing to state. `fields` are committed to under salts, never written in clear; `reason` is a coarse code, and `chains`
    how many entries other chains have, by their random ids."""

    event: Event
    fields: Mapping[str, str | int] = field(default_factory=dict)
    reason: str | None = None
    chains: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose chain it is: a message's id or an incident's chain, with the key that seals the disclosures."""

    ref: str
    partnership: PartnershipId | None
    incident: IncidentId | None
    key: DataKey | None


@dataclass(frozen=True, slots=True)
class Occasion:
    """When something of the deployment itself is done, and its randomness: what `Work` is to an incident's actions."""

    at: datetime
    supply: Supply


@dataclass(frozen=True, slots=True)
class Stated:
    """An appended entry as it can be handed out: a receipt and what opens its commitments."""

    id: str
    jws: str
    disclosures: tuple[str, ...]


def prove(
    tx: Tx,
    parts: Parts,
    work: Work | Occasion,
    subject: Subject,
    said: Sequence[Said],
    at: datetime | None = None,
    after: Anchor | None = None,
) -> list[Stated]:
    """Append statements to a subject's chain, in the order given; `after` is the newest anchored checkpoint unless given.

    Without a data key (after erasure, for a refused message, for matters of the deployment) nothing is committed to: the
    event and its coarse reason stand alone.
    """
    key = subject.key
    drafts = [_draft(work, subject, one, at or work.at) for one in said]
    entries = append_all(
        tx,
        Issuer(parts.settings.issuer, parts.keys.receipts),
        drafts,
        partnership=subject.partnership,
        incident=subject.incident,
        seal=None if key is None else key.seal,
        data_key=None if key is None else key.id,
        after=after or _after(tx, parts),
    )
    return [Stated(e.id, e.jws, d.disclosures) for e, d in zip(entries, drafts, strict=True)]


def prove_each(tx: Tx, parts: Parts, work: Work, said: Sequence[tuple[Subject, Said]]) -> None:
    """One statement for each of several subjects of one partnership, whose chains have begun: see `append_each`."""
    additions = [
        Addition(
            _draft(work, subject, one, work.at),
            subject.incident,
            None if subject.key is None else subject.key.seal,
            None if subject.key is None else subject.key.id,
        )
        for subject, one in said
    ]
    issuer = Issuer(parts.settings.issuer, parts.keys.receipts)
    append_each(tx, issuer, additions, partnership=said[0][0].partnership, after=_after(tx, parts))


def ask_ahead(tx: Tx, parts: Parts, refs: Sequence[str]) -> None:
    """What `prove_each` will ask of these chains, for `Tx.ahead`."""
    log.chain_heads(tx, refs)
    _after(tx, parts)


def counting(tx: Tx, subject: Subject, last: Said, most: int = MOST_COUNTED) -> list[Said]:
    """`last`, which says how many entries every other chain of the incident has by now.

    One statement holds at most `most` counts; where there are more chains, statements with the other counts come before it.
    """
    assert subject.partnership is not None  # an incident's
    assert subject.incident is not None
    lengths = log.lengths_of_incident(tx, subject.partnership, subject.incident)
    rest = sorted((ref, length) for ref, length in lengths.items() if ref != subject.ref)
    parts = [dict(rest[at : at + most]) for at in range(0, len(rest), most)] or [{}]
    return [*(Said(Event.CHAINS_COUNTED, chains=one) for one in parts[:-1]), replace(last, chains=parts[-1])]


def _draft(work: Work | Occasion, subject: Subject, one: Said, at: datetime) -> Draft:
    return draft(
        one.event,
        subject.ref,
        at,
        one.fields if subject.key is not None else {},
        reason=one.reason,
        random=work.supply.take,
        chains=one.chains,
    )


def _after(tx: Tx, parts: Parts) -> Anchor | None:
    """The newest checkpoint that others confirmed: the statement cannot be older than it, whatever time it claims."""
    found = log.newest_anchor(tx) if parts.settings.is_anchored else None
    return None if found is None else Anchor(found[0], found[1].hex())
