"""Tell an address that it was replaced: a delivery of the outbox like any other, so that it is tried again until it arrives.

Invariant: it is owed in the very transaction that replaces the address, goes to the old one whatever the directory says by
then, and names nobody. When patience runs out an officer hears of it, as of every failed delivery. Whoever had an address
taken from them unnoticed can object at once (architecture section 9).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.actions.forward import URGENT
from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core.deliveries import DeliveryState, Letter
from gateway.core.identifiers import IdKind
from gateway.core.messages import DeliveryId, Facts, MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.partnerships.directory_plan import Change
from gateway.parts import Parts
from gateway.store import deliveries, messages
from gateway.store.transaction import Tx
from keys.sealing import DataKey

DIRECTORY_CHANGE = "directory-change"  # of the gateway's own: no agency may send one


@dataclass(frozen=True, slots=True)
class Notice:
    """Which old address is owed word of it, and by which delivery."""

    change: Change
    delivery: DeliveryId


def owe_notice(
    tx: Tx, parts: Parts, occasion: Occasion, partnership: PartnershipId, change: Change, key: DataKey
) -> Notice:
    """Record the notice to `change.old_address` and owe its delivery. `key` seals the address."""
    message = MessageId(occasion.supply.id(IdKind.MESSAGE))
    delivery = DeliveryId(occasion.supply.id(IdKind.DELIVERY))
    _record(tx, parts, occasion, partnership, change, message, key)
    owed = {
        "id": delivery,
        "partnership": partnership,
        "incident": None,
        "message": message,
        "agency": change.agency,
        "role": change.role or "*",
        "adapter": "mail",
        "rule": "address-replaced",
        "pack_version": None,  # the directory, no pack, asks for it
        "priority": URGENT,
        "state": DeliveryState.PENDING.value,
        "attempt": 0,
        "created_at": occasion.at,
        "next_at": occasion.at,
    }
    deliveries.owe(tx, [owed])
    return Notice(change, delivery)


def notice_letter(body: Mapping[str, str]) -> tuple[str, Letter]:
    """The old address and the words for it."""
    text = (
        f"This address no longer receives what the safeguarding gateway sends to the role {body['role']} of "
        f"{body['agency']}.\n\nTwo officers of the partnership changed the directory. If you did not expect this, telephone "
        "the partnership's business unit at once, by a number that you already have.\n"
    )
    subject = "Safeguarding gateway: your address was replaced"
    return body["to"], Letter(subject, text, html="")  # the way out by e-mail makes it from the text


def _record(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId,
    change: Change,
    message: MessageId,
    key: DataKey,
) -> None:
    role = change.role or "*"
    document = {
        "type": DIRECTORY_CHANGE,
        "body": {"to": change.old_address, "agency": change.agency, "role": role},
    }
    raw = json.dumps(document).encode()
    fields = {
        "type": DIRECTORY_CHANGE,
        "reference": message,
        "recipients": f"{role}@{change.agency}:mail",
        "payload_sha256": hashlib.sha256(raw).hexdigest(),
    }
    subject = Subject(message, partnership, None, key)
    receipt = prove(tx, parts, occasion, subject, [Said(Event.SUBMISSION_ACCEPTANCE, fields)])[0]
    messages.record(
        tx,
        {
            "id": message,
            "partnership": partnership,
            "incident": None,
            "type": DIRECTORY_CHANGE,
            "version": 1,
            "agency": change.agency,
            "client": None,
            "reference": message,
            "fingerprint": parts.keys.fingerprint("content", raw),
            "idempotency_key": None,
            "in_reply_to": None,
            "facts": messages.facts_document(Facts()),
            "created_at": occasion.at,
            "arrived_at": occasion.at,
            "recorded_at": occasion.at,
            "decision": "forward",
            "rule": DIRECTORY_CHANGE,
            "answer": {"duties": [], "jws": receipt.jws},
            "receipt": receipt.id,
            "sealed": key.seal(f"message:{message}", raw),
            "data_key": key.id,
        },
    )
