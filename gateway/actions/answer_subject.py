"""What is held about one child, for a subject access request: found by blind index, opened by an officer with a reason.

Invariant: each incident that is opened has an entry with the officer's name before anything of it is shown; a restricted incident
stays closed to whoever may not open it. Third parties' data is not taken out here: an officer looks and redacts (UK GDPR
Article 15(4), DPA 2018 Schedule 2 paragraph 16), and a machine would guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.actions.keep_attachment import attachment_label, open_chunk
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store import attachments, mail, messages
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen

# Members that name somebody other than the child, wherever they stand in a message; a test holds the list against the schemas.
_OTHERS = """
author decided_by investigating_officer done_by related_people recorded_by transcribed_by chair person classified_by
reviewed_by people_involved immediate_response_led_by answered_by submitted_by notifier signed_off_by endorsed_by
connected_adult completed_by adviser caller
"""
OTHERS = frozenset(_OTHERS.split())
CHILDREN = "children"  # of several, all but one are somebody else


@dataclass(frozen=True, slots=True)
class Held:
    """One file of the answer. `others`: JSON pointers to what may be somebody else's data; `*` when nobody can tell."""

    name: str
    kind: str
    about: str
    arrived_at: str | None
    content: bytes | None  # None: it does not open
    others: tuple[str, ...]


def held_about(tx: Tx, parts: Parts, partnership: PartnershipId, incident: IncidentId) -> list[Held]:
    """Every message, e-mail and file of an incident, opened. The caller has stated that it is opened."""
    return [
        *_messages(tx, parts, partnership, incident),
        *_mails(tx, parts, partnership, incident),
        *_files(tx, parts, partnership, incident),
    ]


def _messages(tx: Tx, parts: Parts, partnership: PartnershipId, incident: IncidentId) -> Iterator[Held]:
    for row in messages.of_incident(tx, partnership, incident):
        content = _opened(parts, row.data_key, f"message:{row.id}", row.sealed)
        others = tuple(_pointers(json.loads(content))) if content else ()
        pretty = json.dumps(json.loads(content), indent=2, ensure_ascii=False).encode() if content else None
        yield Held(f"{row.id}.json", "message", row.type, written(row.arrived_at), pretty, others)


def _mails(tx: Tx, parts: Parts, partnership: PartnershipId, incident: IncidentId) -> Iterator[Held]:
    for row in mail.raw_of_incident(tx, partnership, incident):
        content = _opened(parts, row.data_key, f"raw-mail:{row.id}", row.sealed)
        yield Held(f"{row.id}.eml", "e-mail", row.kind or "mail", written(row.arrived_at), content, ("*",))


def _files(tx: Tx, parts: Parts, partnership: PartnershipId, incident: IncidentId) -> Iterator[Held]:
    for row in attachments.of_incident(tx, partnership, incident):
        key = parts.key_named(row.data_key)
        content = None
        if key is not None:
            stream = key.stream(attachment_label(row.id))
            try:
                chunks = [open_chunk(tx, stream, row.id, at, row.chunks) for at in range(row.chunks)]
                content = b"".join(chunks)
            except CannotOpen:
                content = None
        kind = row.media_type or "application/octet-stream"
        yield Held(f"{row.id}.bin", "attachment", kind, None, content, ("*",))


def _opened(parts: Parts, key_id: str | None, label: str, sealed: bytes | None) -> bytes | None:
    key = parts.key_named(key_id) if key_id and sealed else None
    try:
        return key.open(label, sealed) if key is not None and sealed else None
    except CannotOpen:
        return None


def _pointers(value: Any, at: str = "") -> Iterator[str]:
    """JSON pointers (RFC 6901) to members that name others; what lies below one is not listed again."""
    if isinstance(value, dict):
        for name, inner in value.items():
            several = name == CHILDREN and isinstance(inner, list) and len(inner) > 1
            if inner and (name in OTHERS or several):
                yield f"{at}/{name}"
            else:
                yield from _pointers(inner, f"{at}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _pointers(inner, f"{at}/{number}")
