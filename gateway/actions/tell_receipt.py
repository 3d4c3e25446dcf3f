"""Tell an agency that submitted by e-mail that its message was taken: a mail with the receipt, owed in the very transaction.

Invariant: it goes to the enrolled address that the message came from, names nobody, and carries the same signed statement that
the API would have answered; a repeat is told the same receipt again. Nothing is told of what was held before it was a message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.actions.prove import Occasion, Said
from gateway.actions.say_own import OwnMessage, owe_own, record_own
from gateway.actions.submit import Accepted
from gateway.core.deliveries import Letter, LetterFile
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, DeliveryId, MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger.appending import disclosures_label
from gateway.parts import Parts, Work
from gateway.store import log
from gateway.store.transaction import Tx
from keys.sealing import DataKey

MAIL_RECEIPT = "mail-receipt"  # of the gateway's own: no agency may send one


@dataclass(frozen=True, slots=True)
class Receipted:
    """Who is told of what was taken. `key` seals the address; it is no incident's, for nothing of the matter is told."""

    partnership: PartnershipId
    agency: AgencyId
    to: str
    accepted: Accepted
    key: DataKey


def owe_receipt(tx: Tx, parts: Parts, occasion: Occasion | Work, told: Receipted) -> DeliveryId | None:
    """Owe the mail; None where this deployment sends none."""
    if "mail" not in parts.adapters:
        return None
    own, fields = _mail(tx, parts, occasion, told)
    record_own(tx, parts, occasion, own, [Said(Event.SUBMISSION_ACCEPTANCE, fields)])
    return owe_own(tx, occasion, own, (told.agency, "*"), MAIL_RECEIPT)


def receipt_letter(body: Mapping[str, Any]) -> tuple[str, Letter]:
    """The address, and the words with the receipt as a file."""
    went = "An officer looks at it first." if body["decision"] == "hold" else "It has taken its route."
    text = (
        f"Your message {body['reference']} was taken as {body['message']}, incident {body['incident']}.\n{went}\n\n"
        "The attached file holds the signed receipt, exactly as the API would have answered it. Keep it.\n"
        "Use the incident's reference in everything further. This e-mail carries no details on purpose.\n"
    )
    told = {key: value for key, value in body.items() if key != "to"}
    content = json.dumps(told, ensure_ascii=False, indent=2).encode()
    file = LetterFile(f"receipt-{body['receipt']['id']}.json", "application/json", content)
    subject = f"Safeguarding gateway: your message was taken, incident {body['incident']}"
    return body["to"], Letter(subject, text, html="", files=(file,))


def _mail(
    tx: Tx, parts: Parts, occasion: Occasion | Work, told: Receipted
) -> tuple[OwnMessage, dict[str, str]]:
    """The message, and what its statement commits to."""
    message = MessageId(occasion.supply.id(IdKind.MESSAGE))
    accepted = told.accepted
    body = {
        "to": told.to,
        "reference": accepted.reference,
        "message": accepted.id,
        "incident": accepted.incident,
        "decision": accepted.decision,
        "duties": list(accepted.duties),
        "receipt": {
            "id": accepted.receipt_id,
            "jws": accepted.jws,
            "disclosures": list(accepted.disclosures) or _handed_out_before(tx, parts, told),
        },
    }
    raw = json.dumps({"type": MAIL_RECEIPT, "body": body}, ensure_ascii=False, default=str).encode()
    fields = {
        "type": MAIL_RECEIPT,
        "reference": message,
        "recipients": f"*@{told.agency}:mail",
        "payload_sha256": hashlib.sha256(raw).hexdigest(),
    }
    own = OwnMessage(
        message, told.partnership, None, MAIL_RECEIPT, told.agency, message, MAIL_RECEIPT, raw, told.key
    )
    return own, fields


def _handed_out_before(tx: Tx, parts: Parts, told: Receipted) -> list[str]:
    """Of a repeat: what opens the receipt's commitments, as it was first handed out; nothing once it is erased."""
    entry = log.find_entry(tx, told.partnership, told.accepted.receipt_id)
    key = parts.key_named(entry.data_key) if entry is not None and entry.data_key else None
    if entry is None or entry.disclosures is None or key is None:
        return []
    return list(json.loads(key.open(disclosures_label(entry.id), entry.disclosures)))
