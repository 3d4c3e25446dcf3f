"""Tell an agency that what it submitted by e-mail was not taken, and why: owed in the very transaction that holds its mail.

Invariant: it goes only to an enrolled address whose mail was shown to be its own, and holds our words, pointers and coarse codes:
nothing of what was sent, so nothing can be made to echo. The mail itself waits for an officer besides. Source: RFC 3834 section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.actions.say_own import Note, owe_note
from gateway.core import spoken_times
from gateway.core.deliveries import Letter
from gateway.core.errors import FieldError
from gateway.core.messages import AgencyId, DeliveryId, PartnershipId
from gateway.core.presence import LONDON
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store.transaction import Tx
from keys.sealing import DataKey

MAIL_REFUSAL = "mail-refusal"  # of the gateway's own: no agency may send one
MOST_FAULTS = 20
WORDS: Mapping[str, str] = {
    "submission-unreadable": "The message in it is not as its published schema says: see the fields below.",
    "several-submissions": "It brings more than one message: send each in an e-mail of its own.",
    "not-by-mail": "Messages of this type are never taken by e-mail: use the API, or telephone.",
    "attachment-infected": "The virus scanner found something in a file: nothing of it was taken.",
    "file-type-not-taken": "A file in it is of a type that is not taken.",
    "too-large": "A file in it is too large.",
    "scanner-unavailable": "Its files could not be scanned for viruses at that moment.",
    "reference-reused": "Its reference was used before for a message with other content: give it one of its own.",
    "not-found": "The incident that it names is not one of your agency's.",
}


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Who is told, and what: `reasons` are coarse codes. `key` seals the address; it is no incident's."""

    partnership: PartnershipId
    agency: AgencyId
    to: str
    reasons: tuple[str, ...]
    faults: tuple[FieldError, ...]
    key: DataKey


def owe_refusal(tx: Tx, parts: Parts, work: Work, told: NotTaken, arrived_at: datetime) -> DeliveryId | None:
    """Owe the mail; None where this deployment sends none."""
    if "mail" not in parts.adapters:
        return None
    body = {
        "to": told.to,
        "arrived_at": written(arrived_at),
        "reasons": list(told.reasons),
        "faults": [[fault.pointer, fault.code] for fault in told.faults[:MOST_FAULTS]],
    }
    return owe_note(
        tx, parts, work, Note(MAIL_REFUSAL, told.partnership, told.agency, body, told.key), MAIL_REFUSAL
    )


def refusal_letter(body: Mapping[str, Any]) -> tuple[str, Letter]:
    """The address and the words."""
    why = [WORDS.get(reason, f"The rules do not let it pass ({reason}).") for reason in body["reasons"]]
    arrived = spoken_times.when(datetime.fromisoformat(body["arrived_at"]).astimezone(LONDON))
    faults = [f"  {pointer or '/'}: {code}" for pointer, code in body["faults"]]
    text = "\n".join(
        [
            f"Your e-mail that reached us at {arrived} brought a message that was NOT taken.",
            *why,
            *(["", "Fields and what is wrong with each:", *faults] if faults else []),
            "",
            "Correct it and send it again, or telephone if it is urgent. An officer has been told that it came.",
            "This e-mail carries no details on purpose.",
            "",
        ]
    )
    return body["to"], Letter("Safeguarding gateway: your message was not taken", text, html="")
