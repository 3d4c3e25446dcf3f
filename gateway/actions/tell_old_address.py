"""Tell an address that it was replaced: a delivery of the outbox like any other, so that it is tried again until it arrives.

Invariant: it is owed in the very transaction that replaces the address, goes to the old one whatever the directory says by
then, and names nobody. When patience runs out an officer hears of it, as of every failed delivery. Whoever had an address
taken from them unnoticed can object at once (architecture section 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.actions.prove import Occasion
from gateway.actions.say_own import Note, owe_note
from gateway.core.deliveries import Letter
from gateway.core.messages import DeliveryId, PartnershipId
from gateway.core.spoken_words import role
from gateway.partnerships.directory_plan import Change
from gateway.parts import Parts
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
    role = change.role or "*"
    body = {"to": change.old_address, "agency": change.agency, "role": role}
    note = Note(DIRECTORY_CHANGE, partnership, change.agency, body, key, role)
    return Notice(change, owe_note(tx, parts, occasion, note, "address-replaced"))


def notice_letter(body: Mapping[str, str]) -> tuple[str, Letter]:
    """The old address and the words for it."""
    whom = "every seat" if body["role"] == "*" else f"the {role(body['role'])}"
    text = (
        f"This address no longer receives what the safeguarding gateway sends to {whom} of {body['agency']}.\n\nTwo officers of the partnership changed the directory. If you did not expect this, telephone "
        "the partnership's business unit at once, by a number that you already have.\n"
    )
    subject = "Safeguarding gateway: your address was replaced"
    return body["to"], Letter(subject, text, html="")  # the way out by e-mail makes it from the text
