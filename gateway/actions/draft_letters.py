"""Draft the letters that a decision calls for: one per child and school, held until a person releases each (S2-26, X-27)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from gateway.actions.forward import DO_NOT_CONTACT, Forwarded, delivery_row
from gateway.actions.hold import hold
from gateway.actions.prove import Said, Subject, prove
from gateway.core.identifiers import IdKind, make_letter_reference
from gateway.core.messages import AgencyId, Facts, Message, MessageId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Holder
from gateway.core.rules import LetterRule, is_avoided
from gateway.parts import Parts, Work
from gateway.store import incidents, mail, messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

AWAITS_RELEASE = "awaits-release"


@dataclass(frozen=True, slots=True)
class Pupil:
    """A child of the referral who has a school: all that a letter says of the matter."""

    name: str
    school_urn: str
    born_on: str | None


def draft_letters(tx: Tx, parts: Parts, work: Work, incident: Incident, rule: LetterRule) -> None:
    """Draft and hold one letter for each pupil; a school that is not enrolled, or has no lead, is a hold for an officer."""
    sender = next(iter(work.directory.seats_of(rule.sender_role)), None)
    if sender is None:
        hold(
            tx,
            work,
            incident.partnership,
            incident.id,
            ("incident", incident.id),
            (f"nobody-holds-{rule.sender_role}",),
        )
        return
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    for pupil in _pupils(tx, work, incident):
        school = work.directory.school(pupil.school_urn)
        seat = Seat(school, rule.to.role) if school else None
        if seat is None or seat not in work.directory.seats:
            hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), ("unknown-school",))
            continue
        if is_avoided(avoided, seat.agency, seat.role):
            hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (DO_NOT_CONTACT,))
            continue
        _draft(tx, parts, work, incident, rule, sender, seat, pupil)


def _pupils(tx: Tx, work: Work, incident: Incident) -> list[Pupil]:
    """The children named by the incident's referrals who have a school, each once per school."""
    assert work.key is not None
    found: dict[tuple[str, str, str | None], Pupil] = {}  # of two pupils with one name each has a letter
    for row in messages.of_incident(tx, incident.partnership, incident.id, "referral"):
        if row.decision != "forward":
            continue  # held: an officer has not let it go on
        for child in _body(work, row).get("children", []):
            urn = child.get("school_urn")
            if urn:
                name = " ".join(filter(None, (child.get("given_names"), child.get("family_name"))))
                born_on = child.get("date_of_birth")
                found.setdefault((urn, name.casefold(), born_on), Pupil(name, urn, born_on))
    return list(found.values())


def _body(work: Work, row: MessageRow) -> dict[str, Any]:
    assert work.key is not None
    if row.sealed is None or row.data_key != work.key.id:
        return {}
    body: dict[str, Any] = json.loads(work.key.open(f"message:{row.id}", row.sealed))["body"]
    return body


def _draft(
    tx: Tx,
    parts: Parts,
    work: Work,
    incident: Incident,
    rule: LetterRule,
    sender: Seat,
    seat: Seat,
    pupil: Pupil,
) -> None:
    assert work.key is not None
    reference = make_letter_reference(work.supply.take(5))
    message = _message(work, incident, rule, sender, reference)
    raw = _letter_document(parts, work, message, sender, seat, pupil, reference)
    facts = {"moments": {}, "codes": {}, "agencies": [], "schools": [pupil.school_urn]}
    digest = parts.keys.fingerprint("content", raw)
    fields = {"sender": sender.agency, "type": rule.message, "reference": reference, "recipient": seat.agency}
    receipt = prove(
        tx,
        parts,
        work,
        Subject(message.id, incident.partnership, incident.id, work.key),
        [
            Said(Event.SUBMISSION_ACCEPTANCE, fields | {"payload_sha256": sha256(raw)}),
            Said(Event.HELD, reason=AWAITS_RELEASE),
        ],
    )[0]
    messages.record(
        tx,
        own_message_row(work, message, "letter", raw, digest, facts)
        | {
            "receipt": receipt.id,
            "answer": {"duties": [], "jws": receipt.jws},
        },
    )
    row = delivery_row(work, message, incident, seat, held=True)
    Forwarded(deliveries=[row]).record(tx)
    incidents.involve(tx, incident.partnership, incident.id, [seat.agency])
    token = work.supply.take(10).hex()
    mail.record_letter(
        tx,
        {
            "reference": reference,
            "partnership": incident.partnership,
            "incident": incident.id,
            "message": message.id,
            "duty": None,
            "agency": seat.agency,
            "token": f"{token}{parts.keys.token_mac(token)}",
        },
    )
    hold(tx, work, incident.partnership, incident.id, ("delivery", row["id"]), (AWAITS_RELEASE,))


def _message(work: Work, incident: Incident, rule: LetterRule, sender: Seat, reference: str) -> Message:
    return Message(
        MessageId(work.supply.id(IdKind.MESSAGE)),
        rule.message,
        1,
        incident.partnership,
        sender.agency,
        work.directory.agencies[sender.agency].kind,
        reference,
        incident.id,
        None,
        work.at,
        Facts(),
    )


def _letter_document(
    parts: Parts, work: Work, message: Message, sender: Seat, seat: Seat, pupil: Pupil, reference: str
) -> bytes:
    """The letter as a message of the public schema `dsl-letter`: what is sealed, and what the e-mail is made from."""
    adviser = work.directory.present_holder(sender, work.at) or _nobody(work, sender.agency)
    lead = work.directory.present_holder(seat, work.at) or _nobody(work, seat.agency)
    body = {
        "letter_reference": reference,
        "council": work.directory.agencies[sender.agency].name,
        "school_urn": pupil.school_urn,
        "school_name": work.directory.agencies[seat.agency].name,
        "dsl_name": lead.name,
        "child_name": pupil.name,
        "adviser": {"name": adviser.name, "telephone": adviser.telephone or ""},
    }
    if pupil.born_on is not None:
        body["child_date_of_birth"] = pupil.born_on
    document = {
        "type": message.type,
        "version": 1,
        "partnership": message.partnership,
        "reference": reference,
        "incident": message.incident,
        "in_reply_to": None,
        "created_at": work.at.isoformat().replace("+00:00", "Z"),
        "author": {"name": adviser.name, "post": "School improvement"},
        "lawful_basis": "public-task",
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        "do_not_contact": [],
        "body": body,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _nobody(work: Work, agency: AgencyId) -> Holder:
    return Holder(work.directory.agencies[agency].name, None, None, 0)


def own_message_row(
    work: Work, message: Message, rule: str, raw: bytes, fingerprint: str, facts: dict[str, Any]
) -> dict[str, Any]:
    """The row of a message that the gateway itself composes, without its receipt."""
    assert work.key is not None
    return {
        "id": message.id,
        "partnership": message.partnership,
        "incident": message.incident,
        "type": message.type,
        "version": message.version,
        "agency": message.agency,
        "client": None,
        "reference": message.reference,
        "fingerprint": fingerprint,
        "idempotency_key": None,
        "in_reply_to": message.in_reply_to,
        "facts": facts,
        "created_at": work.at,
        "arrived_at": message.arrived_at,
        "recorded_at": work.at,
        "decision": "forward",
        "rule": rule,
        "sealed": work.key.seal(f"message:{message.id}", raw),
        "data_key": work.key.id,
    }


def sha256(raw: bytes) -> str:
    """Hex digest of a payload's exact bytes."""
    return hashlib.sha256(raw).hexdigest()
