"""What an agency answers by telephone, written down by an officer: the agency speaks, and the statement commits to the officer
who recorded it (X-29). It goes through the same door as every message; nothing here has a power of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from gateway.actions.acknowledge import Acknowledgement, acknowledge
from gateway.actions.prove import Stated
from gateway.actions.submit import Accepted
from gateway.actions.take import Speaker, prepare, take
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.rules import ACKNOWLEDGEMENT
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store import deliveries
from gateway.store.duties import DutyRow
from schemas import read_message

TRIAGE = "triage-decision"


@dataclass(frozen=True, slots=True)
class Told:
    """A partner's triage decision as somebody told it by telephone: the codes of `schemas.triage_decision`."""

    outcome: str
    criteria_met: str
    reasons: str
    decided_by: str
    post: str


async def acknowledge_for(parts: Parts, row: DutyRow, name: str, officer: str) -> Stated:
    """That a person at the agency has the message; Refused when the duty expects no acknowledgement, or is answered."""
    asked = row.message
    if asked is None or row.expects != ACKNOWLEDGEMENT or row.state not in UNANSWERED:
        detail = "This duty expects no acknowledgement, or is answered already."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    sent = await parts.store.read(lambda tx: deliveries.of_message(tx, asked))
    theirs = [one for one in sent if one.agency == row.agency]
    wanted = next((one for one in theirs if one.role == row.role), next(iter(theirs), None))
    if wanted is None:
        detail = "The message was not sent to this agency: send it first, then record that they have it."
        raise Refused(ErrorCode.NOT_FOUND, detail=detail)
    within = (str(row.partnership),)
    said = Acknowledgement(row.agency, within, wanted.id, "person", row.role, name, recorded_by=officer)
    return await parts.perform(acknowledge, said, row.partnership, row.incident)


async def answer_for(parts: Parts, row: DutyRow, said: Told | bytes, officer: str) -> Accepted:
    """What the duty expects, as the agency's own message: `said` is its bytes, or a triage decision in the duty's seat."""
    if row.state not in UNANSWERED:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This duty is answered or waived already.")
    raw = said if isinstance(said, bytes) else _triage_document(row, said, parts.clock())
    envelope = read_message(raw)
    expected = {"type": row.expects, "incident": row.incident, "partnership": row.partnership}
    wrong = [name for name, value in expected.items() if getattr(envelope, name) != value]
    if wrong:
        faults = tuple(FieldError(f"/{name}", "not-of-this-duty") for name in wrong)
        raise Refused(ErrorCode.INVALID_MESSAGE, faults)
    speaker = Speaker(row.agency, frozenset({row.partnership}), recorded_by=officer)
    return await take(parts, await prepare(parts, raw, envelope, speaker))


def _triage_document(row: DutyRow, said: Told, at: datetime) -> bytes:
    """A triage decision for the duty's own seat, told by telephone at this moment."""
    if row.expects != TRIAGE:
        raise Refused(
            ErrorCode.INVALID_MESSAGE,
            detail=f"This duty expects {row.expects}: give it with --answer FILE.json.",
        )
    person = {"name": said.decided_by, "post": said.post}
    document = {
        "type": TRIAGE,
        "version": 1,
        "partnership": row.partnership,
        "reference": f"by-telephone-{row.id}",
        "incident": row.incident,
        "in_reply_to": row.message,
        "created_at": written(at),
        "author": person,
        "lawful_basis": "legal-obligation",
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        "do_not_contact": [],
        "body": {
            "seat": row.role,
            "decided_by": person,
            "criteria_met": said.criteria_met,
            "outcome": said.outcome,
            "reasons": said.reasons,
            "decided_at": written(at),
            "means": "telephone",
        },
    }
    return json.dumps(document, ensure_ascii=False).encode()
