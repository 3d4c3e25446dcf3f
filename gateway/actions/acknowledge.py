"""Acknowledge or decline a delivery. Only a person's acknowledgement is one, and only it meets a duty to acknowledge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.actions.climb import heard_from
from gateway.actions.hold import hold
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.actions.reopen import reopened_by
from gateway.core.duties import settled_state
from gateway.core.errors import ErrorCode, Refused
from gateway.core.ladder import Until
from gateway.core.messages import AgencyId, DeliveryId
from gateway.core.receipts import Event
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import deliveries, duties, incidents
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Signed:
    """The recipient's own signature under its answer, checked by the edge, and the thumbprint (RFC 7638) of its key."""

    jws: str
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the recipient says of a delivery. `name` is committed to, never written in clear."""

    agency: AgencyId
    partnerships: tuple[str, ...]
    delivery: DeliveryId
    by: Literal["person", "system", "declined"]
    role: str
    name: str | None = None
    reason: str | None = None
    copies: str | None = None  # what became of copies of a message that was taken back
    recorded_by: str | None = None  # the officer who took it down, from a telephone call for instance
    signed: Signed | None = None


def acknowledge(tx: Tx, parts: Parts, work: Work, asked: Acknowledgement) -> Stated:
    """State the recipient's answer; a person's also meets a duty to acknowledge. Refused when it is not theirs."""
    by_officer = asked.recorded_by is not None
    row = locked_delivery(tx, asked.agency, asked.partnerships, asked.delivery, with_letters=by_officer)
    if asked.recorded_by is not None:
        must_know(tx, row.partnership, row.incident, asked.recorded_by, work.at)
    if row.acknowledged_by not in _MAY_FOLLOW[asked.by]:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This delivery has been answered already.")
    said = [said_of(asked, row)]
    if asked.by == "person":
        said += _meet(tx, work, row)
    if asked.by == "declined":
        reopened_by(tx, parts, work, row.partnership, row.incident, row.id)
        hold(tx, work, row.partnership, row.incident, ("delivery", row.id), ("declined",))
    deliveries.change(tx, row.id, acknowledged_at=work.at, acknowledged_by=asked.by, copies=asked.copies)
    heard_from(tx, work, row, Until.COLLECTED if asked.by == "system" else Until.ACKNOWLEDGED)
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    return prove(tx, parts, work, subject, said)[0]


_MAY_FOLLOW: Mapping[str, tuple[str | None, ...]] = {  # what may have been said before
    "system": (None,),
    "declined": (None, "system"),  # its system took it; a person sends it back
    "person": (None, "system", "declined"),  # who declined may think again; nothing follows a person's word
}


def locked_delivery(
    tx: Tx,
    agency: AgencyId,
    partnerships: tuple[str, ...],
    delivery: DeliveryId,
    *,
    with_letters: bool = False,
) -> DeliveryRow:
    """A delivery of this agency's inbox as it stands under its incident's lock; `with_letters`, for an officer who takes down
    what a reader tells by telephone, also what went by e-mail.

    Refused(not-found) when it is not theirs; Refused(conflicting-state) once the incident is being erased.
    """
    found = deliveries.find_for_agency(tx, agency, partnerships, delivery, with_letters=with_letters)
    if found is not None and found.incident is not None:
        incident = incidents.lock(tx, found.partnership, found.incident)
        if incident is None or incident.state in ("erasing", "erased"):
            raise Refused(
                ErrorCode.NOT_ACCEPTABLE_STATE, detail="The content of this message has been erased."
            )
    row = deliveries.find_for_agency(tx, agency, partnerships, delivery, with_letters=with_letters)
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return row


def said_of(asked: Acknowledgement, row: DeliveryRow) -> Said:
    """The statement of an answer: everything in it is committed to."""
    fields = {"delivery": row.id, "recipient": row.agency, "role": asked.role, "by": asked.by}
    fields |= {"name": asked.name} if asked.name else {}
    fields |= {"copies": asked.copies} if asked.copies else {}
    fields |= {"recorded_by": asked.recorded_by} if asked.recorded_by else {}
    fields |= _own_proof(asked.signed) if asked.signed else {}
    match asked.by:
        case "person":
            return Said(Event.CONSIGNMENT_ACCEPTANCE, fields)
        case "system":
            return Said(Event.CONTENT_HANDOVER, fields)
        case "declined":
            return Said(
                Event.CONSIGNMENT_REJECTION, fields | {"words": asked.reason or ""}, reason="declined"
            )


def _own_proof(signed: Signed) -> dict[str, str]:
    """The signature itself is sealed with what opens the entry; bundles carry it as a file that `peer_sha256` names."""
    digest = hashlib.sha256(signed.jws.encode()).hexdigest()
    return {"peer_jws": signed.jws, "peer_key": signed.thumbprint, "peer_sha256": digest}


def _meet(tx: Tx, work: Work, row: DeliveryRow) -> list[Said]:
    """The duty to acknowledge this very message, if the agency has one."""
    if row.incident is None:
        return []
    owed = duties.owed(tx, row.partnership, row.incident, row.agency, "acknowledgement")
    for duty in owed:
        if duty.message == row.message:
            state = settled_state(duty.due_at, duty.due_inclusive, work.at)
            duties.meet(tx, duty.id, state, work.at, row.id)
            owner, due = f"{duty.role}@{duty.agency}", written(duty.due_at) if duty.due_at else "no limit"
            fields = {"duty": duty.id, "owner": owner, "clock": duty.clock, "due_at": due}
            return [Said(Event.DUTY_MET, fields, reason=state.value)]
    return []
