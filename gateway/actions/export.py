"""Gather everything about one incident into an evidence bundle that a stranger can check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.actions.keep_attachment import attachment_label, open_chunk
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.watch_use import EXPORTED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger.appending import disclosures_label
from gateway.ledger.bundle import Gathered, build_bundle, gather
from gateway.ledger.checkpoint import log_key, origin_at
from gateway.ledger.policy import ReceiptKeyWindow, StampersNamed, make_policy
from gateway.ledger.statement import fields_of, opened
from gateway.parts import Parts, Work
from gateway.store import attachments, clients, directory, incidents, log, mail, messages
from gateway.store.log import AnchorRow, CheckpointRow
from gateway.store.transaction import Tx
from keys.custody import TimedKeys
from keys.sealing import CannotOpen, DataKey
from keys.signing import jwk_thumbprint

KEYS_IN_FORCE_FROM = datetime(2020, 1, 1, tzinfo=UTC)  # of a key that no schedule names: a deployment's first
OVERLAP = timedelta(minutes=10)  # a process that has not looked yet signs a little longer with the key before


@dataclass(frozen=True, slots=True)
class Export:
    """Who exports which incident, with or without content."""

    incident: IncidentId
    officer: str
    with_content: bool = True
    reader: AgencyId | None = None  # the partner that it is for, who may see what is about itself alone


def export(tx: Tx, parts: Parts, work: Work, asked: Export) -> None:
    """State that evidence is exported, before it is: what leaves the house leaves an entry."""
    partnership = work.pack.partnership
    incident = incidents.lock(tx, partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if asked.reader is not None and asked.reader not in directory.known(tx, [asked.reader]):
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no agency of this id.")
    must_know(tx, partnership, incident.id, asked.officer, work.at)
    watch_use(tx, parts, work, asked.officer, EXPORTED)
    subject = Subject(incident.chain, partnership, incident.id, work.key)
    fields = {"officer": asked.officer, "content": "yes" if asked.with_content else "no"}
    fields |= {"reader": asked.reader} if asked.reader else {}
    prove(tx, parts, work, subject, [Said(Event.EVIDENCE_EXPORTED, fields)])


def read_bundle(
    tx: Tx,
    parts: Parts,
    partnership: PartnershipId,
    incident: IncidentId,
    key: DataKey | None,
    pinned: Sequence[tuple[str, int]] = (),
    reader: AgencyId | None = None,
) -> bytes:
    """The bundle of one incident on one snapshot. Without `key` (erased, or withheld) it has neither content nor disclosures.

    For a `reader` there is no content either, and of each receipt only what is about that agency itself is opened.
    `pinned` are checkpoints that the reader holds, each by its log's name (empty: the log in use) and size;
    Refused(not-found) when the log never signed one of that size.
    """
    held = [_held(tx, parts, name, size) for name, size in pinned]
    if None in held:
        raise Refused(
            ErrorCode.NOT_FOUND,
            detail="The log signed no checkpoint of this size: it stands in the checkpoint's second line.",
        )
    with_these = [(row.log, row.size) for row in held if row is not None]
    gathered = gather(tx, partnership, incident, with_these, anchored=parts.settings.is_anchored)
    disclosures = {} if key is None else _open_disclosures(gathered, key)
    if reader is not None:
        disclosures, key = (
            {entry: _of_reader(several, reader) for entry, several in disclosures.items()},
            None,
        )
    contents = {} if key is None else _contents(tx, gathered, partnership, incident, key)
    files = {} if key is None else _attachments(tx, parts, partnership, incident)
    mails = {} if key is None else _mails(tx, parts, gathered, partnership, incident, disclosures)
    peers = peers_of(tx)
    if (
        reader is not None
    ):  # only its own answers are opened for it, and who else is connected here is none of its business
        peers = {agency: keys for agency, keys in peers.items() if agency == reader}
    policy = own_policy(parts, peers, log.origins(tx))
    return build_bundle(
        gathered,
        disclosures=disclosures,
        contents=contents,
        policy=policy,
        attachments=files,
        mails=mails,
    )


def _held(tx: Tx, parts: Parts, name: str, size: int) -> CheckpointRow | AnchorRow | None:
    newest = log.latest_checkpoint(tx)
    origin = f"{parts.settings.issuer}/ledger/{name}" if name or newest is None else newest.log
    return log.checkpoint_of_size(tx, origin, size) or log.anchor_of_size(tx, origin, size)


_OF_READER = frozenset(  # neither who else was told or owes something, nor which officer did what
    [
        "sender",
        "type",
        "reference",
        "incident",
        "payload_sha256",
        "arrived_at",
        "delivery",
        "recipient",
        "role",
        "way",
        "attempt",
        "by",
        "name",
        "peer_jws",
        "peer_key",
        "peer_sha256",
        "owner",
        "duty",
        "clock",
        "due_at",
    ]
)


def _of_reader(disclosures: Sequence[str], reader: AgencyId) -> list[str]:
    told = fields_of(disclosures)
    about = {str(told[name]).rpartition("@")[2] for name in ("sender", "recipient", "owner") if name in told}
    return [one for one in disclosures if opened(one)[0] in _OF_READER] if about == {reader} else []


def peers_of(tx: Tx) -> dict[str, list[str]]:
    """The thumbprints of every key that an agency's software ever had here: it may have signed acknowledgements with any."""
    found: dict[str, list[str]] = {}
    for client in clients.listed(tx):
        keys = found.setdefault(client.agency, [])
        keys += [jwk_thumbprint(dict(key)) for key in client.keys if "revoked" not in key]
    return {agency: sorted(set(keys)) for agency, keys in found.items() if keys}


def own_policy(
    parts: Parts, peers: Mapping[str, Sequence[str]] | None = None, origins: Sequence[str] = ()
) -> dict[str, object]:
    """What to verify this deployment's bundles with: the logs so far (`origins`), this year's and the next one's, so that
    partners and witnesses have its key before the year turns. For information: a verifier's trust comes from another path."""
    issuer, keys, at = parts.settings.issuer, parts.keys, parts.clock()
    coming = (origin_at(issuer, when, None) for when in (at, at + timedelta(days=366)))
    logs = [
        log_key(origin, signer)
        for origin in dict.fromkeys((*origins, *coming))
        for signer, _ in keys.timed["log"].keys
    ]
    return make_policy(
        issuer,
        logs,
        _windows(keys.timed["receipts"]),
        witnesses=[one.key for one in parts.notaries.witnesses],
        quorum=parts.notaries.quorum,
        timestamps="required" if parts.notaries.stamp_urls else "none",
        tsa=StampersNamed(parts.notaries.roots, parts.notaries.stampers.policies),
        peers=peers,
    )


def _windows(receipts: TimedKeys) -> list[ReceiptKeyWindow]:
    """When each key for receipts is in force: from its beginning, until a little after its successor's."""
    begins = [begins_at or KEYS_IN_FORCE_FROM for _, begins_at in receipts.keys]
    ends = [*(at + OVERLAP if at != KEYS_IN_FORCE_FROM else None for at in begins[1:]), None]
    return [
        ReceiptKeyWindow(signer.public_jwk(), begin, end)
        for (signer, _), begin, end in zip(receipts.keys, begins, ends, strict=True)
    ]


def _open_disclosures(gathered: Gathered, key: DataKey) -> Mapping[str, list[str]]:
    opened: dict[str, list[str]] = {}
    for entry in gathered.entries:
        if entry.disclosures is not None and entry.data_key == key.id:
            opened[entry.id] = json.loads(key.open(disclosures_label(entry.id), entry.disclosures))
    return opened


def _contents(
    tx: Tx, gathered: Gathered, partnership: PartnershipId, incident: IncidentId, key: DataKey
) -> dict[str, bytes]:
    """The exact bytes of every message, by the entry that commits to them."""
    accepted = {e.chain: e.id for e in gathered.entries if e.event == Event.SUBMISSION_ACCEPTANCE.text}
    found: dict[str, bytes] = {}
    for row in messages.of_incident(tx, partnership, incident):
        if row.sealed is not None and row.data_key == key.id and row.id in accepted:
            found[accepted[row.id]] = _opened(key, row.id, row.sealed)
    return found


def _attachments(tx: Tx, parts: Parts, partnership: PartnershipId, incident: IncidentId) -> dict[str, bytes]:
    """Every file of the incident by its id, whole in memory, as the bundle is; those withheld too, since they are evidence."""
    found: dict[str, bytes] = {}
    for file in attachments.of_incident(tx, partnership, incident):
        key = parts.key_named(file.data_key)
        if key is None:
            continue
        stream = key.stream(attachment_label(file.id))
        try:
            chunks = [open_chunk(tx, stream, file.id, number, file.chunks) for number in range(file.chunks)]
        except CannotOpen:
            raise Refused(
                ErrorCode.INTERNAL, detail="An attachment's content does not open: tell the operator."
            ) from None
        found[file.id] = b"".join(chunks)
    return found


def _mails(
    tx: Tx,
    parts: Parts,
    gathered: Gathered,
    partnership: PartnershipId,
    incident: IncidentId,
    disclosures: Mapping[str, Sequence[str]],
) -> dict[str, bytes]:
    """Every mail of the incident as it came, by the entry of its arrival; one from before its digest was kept is left out."""
    arrivals = {
        entry.chain: entry.id
        for entry in gathered.entries
        if entry.event == Event.RECEIVED_FROM_NON_ERDS.text and entry.id in disclosures
    }
    found: dict[str, bytes] = {}
    for row in mail.raw_of_incident(tx, partnership, incident):
        key = parts.key_named(row.data_key) if row.data_key else None
        if row.id in arrivals and key is not None and row.sealed is not None:
            found[arrivals[row.id]] = key.open(f"raw-mail:{row.id}", row.sealed)
    return found


def _opened(key: DataKey, message: str, sealed: bytes) -> bytes:
    try:
        return key.open(f"message:{message}", sealed)
    except CannotOpen:
        raise Refused(
            ErrorCode.INTERNAL, detail="A message's content does not open: tell the operator."
        ) from None
