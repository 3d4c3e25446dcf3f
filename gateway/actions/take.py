"""From a read message to a recorded one: what must be made before the transaction, then the transaction.

The same for every door: the API, a school's e-mail, an officer's word.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.actions.index_children import BlindChild, blind
from gateway.actions.name_attachments import Named
from gateway.actions.submit import Accepted, Rejected, Submission, submit
from gateway.core.errors import ErrorCode, FieldError, Refused, Unavailable
from gateway.core.identifiers import IdKind, make_id
from gateway.core.messages import AgencyId, Facts, IncidentId, Message, MessageId, PartnershipId
from gateway.core.presence import local_day
from gateway.ledger.appending import disclosures_label
from gateway.parts import Parts
from gateway.store import attachments, custody, log, messages
from gateway.store.transaction import Tx
from schemas import Envelope, facts

RACES = 3

_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Speaker:
    """For whom a message is taken: an agency, by its own software or on an officer's word (`recorded_by`).

    `partnerships` are those that the agency is enrolled in. `proof` is a replay key to burn with the message.
    `message_types` are the only ones that this software may send; None for whatever the rules let its agency.
    `signature` is what the receipt keeps of the sender's own signature, once checked.
    """

    agency: AgencyId
    partnerships: frozenset[str]
    client: str | None = None
    idempotency_key: str | None = None
    proof: tuple[str, datetime] | None = None
    recorded_by: str | None = None
    message_types: frozenset[str] | None = None
    signature: Mapping[str, str] = field(default_factory=dict)


async def prepare(
    parts: Parts, raw: bytes, envelope: Envelope[Any], speaker: Speaker, arrived_at: datetime | None = None
) -> Submission:
    """A read message made ready for `submit`: who speaks, what rules may read of it, and everything random."""
    partnership = PartnershipId(envelope.partnership)
    if partnership not in speaker.partnerships:
        raise Refused(ErrorCode.NOT_PERMITTED, (FieldError("/partnership", "not-enrolled"),))
    snapshot = await parts.partnerships.snapshot(partnership)
    agency = snapshot.directory.agencies.get(speaker.agency)
    if agency is None:
        raise Refused(ErrorCode.NOT_PERMITTED, (FieldError("/partnership", "not-enrolled"),))
    told = facts(envelope)
    message = Message(
        MessageId(make_id(IdKind.MESSAGE, secrets.token_bytes(16))),
        envelope.type,
        envelope.version,
        partnership,
        agency.id,
        agency.kind,
        envelope.reference,
        IncidentId(envelope.incident) if envelope.incident else None,
        MessageId(envelope.in_reply_to) if envelope.in_reply_to else None,
        arrived_at or parts.clock(),
        told,
        snapshot.directory.roles_of(agency.id, envelope.author.name),
    )
    return Submission(
        raw,
        hashlib.sha256(raw).hexdigest(),
        message,
        parts.keys.fingerprint("content", _canonical(raw)),
        envelope.created_at,
        None if envelope.incident else parts.new_incident_id(),
        speaker.client,
        speaker.idempotency_key,
        speaker.proof,
        speaker.recorded_by,
        blind_children(parts, envelope, told),
        speaker.message_types is None or envelope.type in speaker.message_types,
        tuple(Named(file.id, file.sha256) for file in envelope.attachments),
        speaker.signature,
    )


def blind_children(parts: Parts, envelope: Envelope[Any], told: Facts) -> tuple[BlindChild, ...]:
    """Whom a message is about, in its own order, as keyed terms: nothing else of a name leaves the open message."""
    children = envelope.body.children_index()
    if not children:
        return ()
    happened_at = told.moments.get("incident_at")
    occurred_on = local_day(happened_at) if happened_at else None
    index = parts.keys.blind_index(envelope.partnership)
    return tuple(blind(index, child, occurred_on) for child in children)


class RefusedByRules(Refused):
    """Refused and stated in the ledger: the proof that came with the message is burnt already, for good."""


async def take(parts: Parts, submission: Submission) -> Accepted:
    """Run the submission as one durable transaction; Refused when the rules refuse it."""
    message = submission.message
    try:
        outcome = await _submit(parts, submission)
    except Refused:
        await forget_key(parts, submission)
        raise
    if not isinstance(outcome, Accepted) or outcome.is_repeat:
        await forget_key(parts, submission)
    if not isinstance(outcome, Accepted):
        # The rules' one word about form is that an incident must be named.
        word = "required" if outcome.code is ErrorCode.INVALID_MESSAGE else outcome.code.slug
        raise RefusedByRules(outcome.code, (FieldError(outcome.pointer, word),))
    if submission.attachments:
        await attach_keys(parts, message.partnership, MessageId(outcome.id), outcome.incident)
    if not outcome.is_repeat:
        return outcome
    disclosures = await open_disclosures(parts, message.partnership, outcome.receipt_id)
    return replace(outcome, disclosures=disclosures)


async def _submit(parts: Parts, submission: Submission) -> Accepted | Rejected:
    """Run it again when another server took the same reference in the same instant: the second run finds a repeat."""
    message = submission.message
    for _ in range(RACES):
        with suppress(messages.Raced):
            return await parts.perform(
                submit, submission, message.partnership, message.incident, new_key_for=submission.opens
            )
    raise Unavailable("the same reference keeps coming")


async def attach_keys(
    parts: Parts, partnership: PartnershipId, message: MessageId, incident: IncidentId
) -> None:
    """The files' keys are the incident's from now on. A crash before this is harmless: erasure reads the files' rows too."""
    files = await parts.store.read(lambda tx: attachments.of_message(tx, partnership, message))

    def attach(tx: Tx) -> None:
        for file in files:
            custody.attach(tx, file.data_key, incident)

    await parts.custody.transact(attach)


async def forget_key(parts: Parts, submission: Submission) -> None:
    """No incident was opened, so the data key made for it seals nothing. A crash before this leaves an unused key."""
    if (opens := submission.opens) is not None:
        await parts.custody.transact(lambda tx: custody.discard(tx, opens))


async def open_disclosures(parts: Parts, partnership: PartnershipId, receipt: str) -> tuple[str, ...]:
    """What opens a receipt's commitments, as it was first handed out; nothing once the incident is erased."""
    entry = await parts.store.read(lambda tx: log.find_entry(tx, partnership, receipt))
    key = await parts.key_by_id(entry.data_key if entry else None)
    if entry is None or entry.disclosures is None or key is None:
        return ()
    return tuple(json.loads(key.open(disclosures_label(receipt), entry.disclosures)))


def _canonical(raw: bytes) -> bytes:
    """Content for comparing repeats: the same members and values, whatever their order and spacing."""
    return _sorted(json.loads(raw)).encode()
