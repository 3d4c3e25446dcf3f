"""A message that the gateway itself writes on an agency's behalf: a letter, a chase. Proved and recorded like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.actions.prove import Said
from gateway.actions.say_own import OwnMessage, record_own
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, Facts, Message, MessageId, Seat
from gateway.core.receipts import Event
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx
from schemas import read_message


@dataclass(frozen=True, slots=True)
class Composition:
    """What is said for whom. `author` is name and post; `recipients` and `said` go into the ledger with its acceptance."""

    type: str
    reference: str
    rule: str
    sender: Seat
    author: tuple[str, str]
    marking: str
    body: Mapping[str, Any]
    recipients: Sequence[Seat]
    said: Sequence[Said] = ()
    in_reply_to: MessageId | None = None
    schools: tuple[str, ...] = field(default=())
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    agencies: tuple[AgencyId, ...] = ()
    moments: Mapping[str, datetime] = field(default_factory=dict)
    do_not_contact: Sequence[Mapping[str, Any]] = ()


def compose(tx: Tx, parts: Parts, work: Work, incident: Incident, asked: Composition) -> Message:
    """Record one message of the gateway's own; Refused when it does not meet its public schema, and nothing is kept."""
    assert work.key is not None
    message = _message(work, incident, asked)
    raw = json.dumps(_document(work, message, asked), ensure_ascii=False).encode()
    read_message(raw)
    fields = {
        "sender": asked.sender.agency,
        "type": asked.type,
        "reference": asked.reference,
        "recipients": " ".join(f"{seat.role}@{seat.agency}" for seat in asked.recipients),
        "payload_sha256": hashlib.sha256(raw).hexdigest(),
    }
    own = OwnMessage(
        message.id,
        message.partnership,
        incident.id,
        message.type,
        message.agency,
        message.reference,
        asked.rule,
        raw,
        work.key,
        message.facts,
        message.version,
        message.in_reply_to,
    )
    record_own(tx, parts, work, own, [Said(Event.SUBMISSION_ACCEPTANCE, fields), *asked.said])
    return message


def _message(work: Work, incident: Incident, asked: Composition) -> Message:
    return Message(
        MessageId(work.supply.id(IdKind.MESSAGE)),
        asked.type,
        1,
        incident.partnership,
        asked.sender.agency,
        work.directory.agencies[asked.sender.agency].kind,
        asked.reference,
        incident.id,
        asked.in_reply_to,
        work.at,
        Facts(asked.moments, asked.codes, asked.agencies, asked.schools),
    )


def _document(work: Work, message: Message, asked: Composition) -> dict[str, Any]:
    name, post = asked.author
    return {
        "type": asked.type,
        "version": 1,
        "partnership": message.partnership,
        "reference": asked.reference,
        "incident": message.incident,
        "in_reply_to": asked.in_reply_to,
        "created_at": written(work.at),
        "author": {"name": name, "post": post},
        "lawful_basis": "public-task",
        "marking": asked.marking,
        "attachments": [],
        "do_not_contact": list(asked.do_not_contact),
        "body": dict(asked.body),
    }
