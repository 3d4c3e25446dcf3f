"""An officer rang whoever a message could not reach by any other way, and records what came of it.

Invariant: every call leaves a receipt, also one that nobody answered. A person's word on the telephone that they have the message is
their acknowledgement, taken down by the officer; having been told is none. Whom to ring is read from the directory when the call is
shown, not when it was asked for (G-02, G-03; M02, M20).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.actions.acknowledge import Acknowledgement, acknowledge
from gateway.actions.climb import SUBJECT, TELEPHONE
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory
from gateway.parts import Parts, Work
from gateway.store import deliveries, holds, incidents
from gateway.store.deliveries import DeliveryRow
from gateway.store.holds import HoldRow
from gateway.store.transaction import Tx


class Outcome(Enum):
    """They have it and say so; they were told of it; nobody answered, and the call stays open."""

    HAS_IT = "has-it"
    TOLD = "told"
    NOT_REACHED = "not-reached"


@dataclass(frozen=True, slots=True)
class Call:
    """What came of one call. `name` is who answered: committed to, and never written in clear."""

    hold: str
    officer: str
    outcome: Outcome
    name: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """Somebody to ring, in the order of trying."""

    who: str
    post: str
    telephone: str


def record_call(tx: Tx, parts: Parts, work: Work, asked: Call) -> Stated:
    """State one call; unless nobody was reached, the task is done. Refused when it is unknown, or done already."""
    held = holds.find(tx, asked.hold)
    if held is None or TELEPHONE not in held.reasons or held.subject_kind != SUBJECT:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no call to make of this id.")
    if held.incident is not None:
        incident = incidents.lock(tx, held.partnership, held.incident)
        if incident is None or incident.state != "open":
            raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is closed or erased.")
    must_know(tx, held.partnership, held.incident, asked.officer, work.at)
    row = deliveries.find(tx, DeliveryId(held.subject))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no delivery of this id.")
    if asked.outcome is not Outcome.NOT_REACHED and not asked.name:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say who answered the telephone: --name.")
    if asked.outcome is not Outcome.NOT_REACHED and not holds.settle(
        tx, held.id, work.at, asked.officer, "answered"
    ):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Somebody has already dealt with this.")
    fields = {"officer": asked.officer, "hold": held.id, "delivery": row.id, "outcome": asked.outcome.value}
    fields |= {"name": asked.name} if asked.name else {}
    fields |= {"words": asked.note} if asked.note else {}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    stated = prove(
        tx, parts, work, subject, [Said(Event.RELEASED, fields, reason=f"telephoned-{asked.outcome.value}")]
    )[0]
    if asked.outcome is Outcome.HAS_IT:
        acknowledge(tx, parts, work, _taken_down(held, row, asked))
    return stated
    # A crash before the commit leaves the call to be made; the officer says again what came of it.


def _taken_down(held: HoldRow, row: DeliveryRow, asked: Call) -> Acknowledgement:
    if row.adapter == "mail":
        detail = (
            "A letter is not acknowledged: say `told`, and what they answer goes by `gateway held answer`."
        )
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return Acknowledgement(
        row.agency,
        (held.partnership,),
        row.id,
        "person",
        row.role,
        asked.name,
        recorded_by=asked.officer,
    )


def numbers_of(directory: Directory, seat: Seat, at: datetime) -> tuple[Number, ...]:
    """Whom to ring for a seat: who is at work in it, in order, then the others, the office, who is on call."""
    present = directory.present_holders(seat, at)
    away = tuple(holder for holder in directory.seats.get(seat, ()) if holder not in present)
    found = [Number(h.name, seat.role, h.telephone) for h in present if h.telephone]
    agency = directory.agencies.get(seat.agency)
    if agency is not None and agency.school is not None and agency.school.office_telephone:
        found.append(Number(agency.name, "office", agency.school.office_telephone))
    on_call = directory.on_call(seat.agency, at)
    if on_call is not None and on_call.telephone:
        found.append(Number(on_call.name, "on call", on_call.telephone))
    found += [Number(h.name, f"{seat.role}, away", h.telephone) for h in away if h.telephone]
    return tuple(dict.fromkeys(found))


def what_to_say(incident: str | None, message_type: str) -> str:
    """The words for the call: nothing that the wrong person at the telephone may not hear (S0-26)."""
    about = f" about incident {incident}" if incident else ""
    return (
        f"We sent you a message{about} ({message_type}) and have not heard that anybody has it. "
        "Please look for it now and tell me whether you have it, and who will deal with it. "
        "I cannot give details before I know whom I speak to: I can ring you back on a number that we have for you."
    )
