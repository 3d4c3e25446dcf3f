"""Ask an officer, or whoever watches at night, to ring the out-of-hours team: an urgent message has come (G-03).

Invariant: the message itself never waits for the call, and the call never waits for the message's release. Whom to ring is
read from the rota (the seat `edt`) when the prompt is opened, not when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.actions.hold import hold
from gateway.actions.what_follows import Forwarded
from gateway.core.messages import AgencyId, AgencyKind, Message, Seat
from gateway.core.routing import OUT_OF_HOURS, Directory
from gateway.core.rules import is_avoided
from gateway.core.urgency import is_out_of_hours, is_urgent
from gateway.parts import Parts, Work
from gateway.store import messages
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

RING = "ring-out-of-hours"


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who answers for an agency now, by its rota."""

    agency: AgencyId
    name: str
    telephone: str | None


def ring_out_of_hours(tx: Tx, work: Work, message: Message, incident: Incident, result: Forwarded) -> None:
    """Place a prompt on the incident when the message is urgent, nobody is at a desk and somebody has a rota."""
    if not is_urgent(message) or not is_out_of_hours(work.pack.calendar, message.arrived_at):
        return
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    avoided |= frozenset(message.facts.codes.get("do_not_contact", ()))
    rotas = [
        seat for seat in _rotas(work.directory, result) if not is_avoided(avoided, seat.agency, seat.role)
    ]
    if rotas:
        hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (RING,))


def _rotas(directory: Directory, result: Forwarded) -> list[Seat]:
    """The rotas of its recipients; where none of them has one, or it is held, the councils' emergency duty teams."""
    rotas = directory.seats_of(OUT_OF_HOURS)
    recipients = {row["agency"] for row in result.deliveries}
    theirs = [seat for seat in rotas if seat.agency in recipients]
    return theirs or [
        seat for seat in rotas if directory.agencies[seat.agency].kind is AgencyKind.LOCAL_AUTHORITY
    ]


async def whom_to_ring(parts: Parts, held: HoldRow) -> tuple[OnCall, ...]:
    """Who is on call now, for a prompt that is still open; nobody for anything else that is held."""
    if RING not in held.reasons or held.settled_at is not None:
        return ()
    directory = (await parts.partnerships.snapshot(held.partnership)).directory
    return on_call(directory, parts.clock())


def on_call(directory: Directory, at: datetime) -> tuple[OnCall, ...]:
    """Everybody who is first on an agency's rota at this instant."""
    found = [(seat.agency, directory.on_call(seat.agency, at)) for seat in directory.seats_of(OUT_OF_HOURS)]
    return tuple(OnCall(agency, holder.name, holder.telephone) for agency, holder in found if holder)
