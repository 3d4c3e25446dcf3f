"""A message of the gateway's own: proved, recorded and owed in one way, whoever it is for.

Invariant: content and the disclosures of its statement are sealed under one key; without a key there must be nothing to seal.
Its reference is made here, so that no sender's repeat can be taken for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.actions.owe_deliveries import URGENT
from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.deliveries import DeliveryState
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, DeliveryId, Facts, IncidentId, MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, messages
from gateway.store.transaction import Tx
from keys.sealing import DataKey


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """One message of the gateway's own. `raw` is kept sealed under `key`, or not at all where there is none."""

    id: MessageId
    partnership: PartnershipId
    incident: IncidentId | None
    type: str
    agency: AgencyId | str  # in whose name it stands
    reference: str
    rule: str
    raw: bytes
    key: DataKey | None
    facts: Facts = field(default_factory=Facts)
    version: int = 1
    in_reply_to: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A mail of ours to the very address in `body["to"]`, whatever the directory says by then. `key` seals it; it is of no incident."""

    type: str  # of the gateway's own: no agency may send one
    partnership: PartnershipId
    agency: AgencyId
    body: Mapping[str, Any]
    key: DataKey
    role: str = "*"


def owe_note(tx: Tx, parts: Parts, occasion: Occasion | Work, note: Note, rule: str) -> DeliveryId:
    """Record the note and owe its delivery by e-mail."""
    raw = json.dumps({"type": note.type, "body": note.body}, ensure_ascii=False).encode()
    message = MessageId(occasion.supply.id(IdKind.MESSAGE))
    fields = {
        "type": note.type,
        "reference": message,
        "recipients": f"{note.role}@{note.agency}:mail",
        "payload_sha256": hashlib.sha256(raw).hexdigest(),
    }
    own = OwnMessage(
        message, note.partnership, None, note.type, note.agency, message, note.type, raw, note.key
    )
    record_own(tx, parts, occasion, own, [Said(Event.SUBMISSION_ACCEPTANCE, fields)])
    return owe_own(tx, occasion, own, (note.agency, note.role), rule)


def record_own(
    tx: Tx, parts: Parts, occasion: Occasion | Work, own: OwnMessage, said: Sequence[Said]
) -> Stated:
    """Prove and record it; its receipt, which is the first of what is `said`."""
    subject = Subject(own.id, own.partnership, own.incident, own.key)
    receipt = prove(tx, parts, occasion, subject, said)[0]
    messages.record(
        tx,
        {
            "id": own.id,
            "partnership": own.partnership,
            "incident": own.incident,
            "type": own.type,
            "version": own.version,
            "agency": own.agency,
            "client": None,
            "reference": own.reference,
            "fingerprint": parts.keys.fingerprint("content", own.raw),
            "idempotency_key": None,
            "in_reply_to": own.in_reply_to,
            "facts": messages.facts_document(own.facts),
            "created_at": occasion.at,
            "arrived_at": occasion.at,
            "recorded_at": occasion.at,
            "decision": "forward",
            "rule": own.rule,
            "answer": {"duties": [], "jws": receipt.jws},
            "receipt": receipt.id,
            "sealed": None if own.key is None else own.key.seal(f"message:{own.id}", own.raw),
            "data_key": None if own.key is None else own.key.id,
        },
    )
    return receipt


def owe_own(
    tx: Tx,
    occasion: Occasion | Work,
    own: OwnMessage,
    to: tuple[AgencyId | str, str],
    rule: str,
    not_before: datetime | None = None,
    way: str = "mail",
) -> DeliveryId:
    """Owe it to an agency's role, by e-mail unless another way is named. No pack asks for it, so none is named."""
    delivery = DeliveryId(occasion.supply.id(IdKind.DELIVERY))
    owed = {
        "id": delivery,
        "partnership": own.partnership,
        "incident": own.incident,
        "message": own.id,
        "agency": to[0],
        "role": to[1],
        "adapter": way,
        "rule": rule,
        "pack_version": None,
        "priority": URGENT,
        "state": DeliveryState.PENDING.value,
        "attempt": 0,
        "created_at": occasion.at,
        "next_at": max(not_before or occasion.at, occasion.at),
    }
    deliveries.owe(tx, [owed])
    return delivery
