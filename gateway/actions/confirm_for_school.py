"""A school's answers to a letter, however they came, made into the message that the API would have brought."""

from __future__ import annotations

import json
from datetime import datetime

from gateway.actions.submit import Submission
from gateway.actions.take import Speaker, prepare
from gateway.core.messages import RoleId, Seat
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store.mail import LetterRow
from schemas import read_message

DSL = RoleId("dsl")


async def confirmation(
    parts: Parts,
    letter: LetterRow,
    answers: object,
    arrived_at: datetime,
    reference: str,
    recorded_by: str | None = None,
) -> Submission:
    """A school's answers as a `dsl-confirmation` on the school's behalf, through the same door as every message."""
    snapshot = await parts.partnerships.snapshot(letter.partnership)
    lead = snapshot.directory.present_holder(Seat(letter.agency, DSL), arrived_at)
    name = lead.name if lead else snapshot.directory.agencies[letter.agency].name
    stated = {k: v for k, v in dict(answers).items() if v is not None}  # type: ignore[call-overload]
    document = {
        "type": "dsl-confirmation",
        "version": 1,
        "partnership": letter.partnership,
        "reference": reference,
        "incident": letter.incident,
        "in_reply_to": letter.message,
        "created_at": written(arrived_at),
        "author": {"name": name, "post": "Designated safeguarding lead"},
        "lawful_basis": "public-task",
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        "do_not_contact": [],
        "body": {
            "letter_reference": letter.reference,
            **stated,
            "answered_by": {"name": name, "post": "Designated safeguarding lead"},
        },
    }
    content = json.dumps(document, ensure_ascii=False).encode()
    speaker = Speaker(letter.agency, frozenset({letter.partnership}), recorded_by=recorded_by)
    return await prepare(parts, content, read_message(content), speaker, arrived_at)
