"""Tell an agency that submitted by e-mail that its message was taken: a mail with the receipt, owed in the very transaction.

Invariant: it goes to the enrolled address that the message came from, names nobody, and carries the same signed statement that
the API would have answered; a repeat is told the same receipt again. Nothing is told of what was held before it was a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.actions.prove import Occasion
from gateway.actions.say_own import Note, owe_note
from gateway.actions.submit import Accepted
from gateway.core.deliveries import Letter, LetterFile
from gateway.core.messages import AgencyId, DeliveryId, PartnershipId
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
    body = _body(tx, parts, told)
    note = Note(MAIL_RECEIPT, told.partnership, told.agency, body, told.key)
    return owe_note(tx, parts, occasion, note, MAIL_RECEIPT)


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


def _body(tx: Tx, parts: Parts, told: Receipted) -> dict[str, Any]:
    accepted = told.accepted
    return {
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


def _handed_out_before(tx: Tx, parts: Parts, told: Receipted) -> list[str]:
    """Of a repeat: what opens the receipt's commitments, as it was first handed out; nothing once it is erased."""
    entry = log.find_entry(tx, told.partnership, told.accepted.receipt_id)
    key = parts.key_named(entry.data_key) if entry is not None and entry.data_key else None
    if entry is None or entry.disclosures is None or key is None:
        return []
    return list(json.loads(key.open(disclosures_label(entry.id), entry.disclosures)))
