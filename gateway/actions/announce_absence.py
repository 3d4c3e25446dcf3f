"""Note when somebody of the directory is away, in every seat that they hold at their agency, or that they are back.

Invariant: a person who is away in one seat of an agency is away in all: nothing reaches them under another role (G-04).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory, Holder
from gateway.parts import Parts
from gateway.store import directory
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Absence:
    """Who is away between which instants (aware, the end excluded; no end: until further notice). No start: they are back."""

    partnership: PartnershipId
    seat: Seat
    rank: int
    absent_from: datetime | None
    absent_until: datetime | None


@dataclass(frozen=True, slots=True)
class Announced:
    """The seats in which the person is noted as away, and those of them in which nobody is at work then."""

    person: str
    seats: tuple[Seat, ...]
    deserted: tuple[Seat, ...]
    receipt: Stated


def announce_absence(tx: Tx, parts: Parts, occasion: Occasion, asked: Absence) -> Announced:
    """Note one person's absence or return; Refused when nobody holds that seat in that rank, or the span is no span."""
    found = directory.load(tx, asked.partnership)
    person = next((h for h in found.seats.get(asked.seat, ()) if h.rank == asked.rank), None)
    if person is None:
        raise Refused(
            ErrorCode.NOT_FOUND, detail="Nobody holds this seat in this rank: see `gateway directory list`."
        )
    if asked.absent_until is not None and (
        asked.absent_from is None or asked.absent_until <= asked.absent_from
    ):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="The absence ends before it begins.")
    values = {"absent_from": asked.absent_from, "absent_until": asked.absent_until}
    seats = []
    for seat, rank in _seats_of(person, asked.seat, found):
        directory.set_absence(tx, asked.partnership, seat, rank, values)
        seats.append(seat)
    reason = "away" if asked.absent_from else "back"
    subject = Subject(f"directory-{asked.partnership}", asked.partnership, None, None)
    receipt = prove(tx, parts, occasion, subject, [Said(Event.ABSENCE_ANNOUNCED, reason=reason)])[0]
    then = max(occasion.at, asked.absent_from or occasion.at)
    after = directory.load(tx, asked.partnership)
    deserted = tuple(seat for seat in dict.fromkeys(seats) if after.is_deserted(seat, then))
    return Announced(person.name, tuple(dict.fromkeys(seats)), deserted, receipt)
    # A crash before the commit leaves the directory as it was: the officer types it again.


def _seats_of(person: Holder, where: Seat, found: Directory) -> list[tuple[Seat, int]]:
    """The same name and address at the same agency is the same person."""
    return [
        (seat, holder.rank)
        for seat, holders in found.seats.items()
        for holder in holders
        if seat.agency == where.agency
        and (holder.name.casefold(), (holder.email or "").casefold())
        == (person.name.casefold(), (person.email or "").casefold())
    ]
