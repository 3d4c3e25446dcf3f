"""Owe a message to the seats that it is for: one delivery each, which waits where a police hold stops it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.actions.what_follows import DO_NOT_CONTACT, EVERYBODY_ABSENT, Forwarded, gap, seats_of
from gateway.core.deliveries import DeliveryState
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, Message, Seat
from gateway.core.routing import Circumstances
from gateway.core.rules import Recipients, is_avoided
from gateway.core.urgency import is_urgent
from gateway.parts import Work
from gateway.store.incidents import Incident

IMMEDIATE, URGENT, ORDINARY = 1, 3, 5  # what cannot wait for a desk; incidents; digests


def add_deliveries(
    work: Work,
    message: Message,
    incident: Incident,
    to: Iterable[Recipients],
    now: Circumstances,
    result: Forwarded,
) -> None:
    """Add a delivery for each seat that these recipients stand for.

    A seat that must not be told gets none, and an officer is asked. A seat that would get both the message and a notice of
    it gets the message.
    """
    is_notice: dict[Seat, bool] = {}
    for each in to:
        for seat in seats_of(work, each, now, result):
            is_notice[seat] = each.notice and is_notice.get(seat, True)
    for seat, notice in is_notice.items():
        if is_avoided(now.avoided, seat.agency, seat.role):
            gap(result, DO_NOT_CONTACT)  # an officer finds another recipient
        else:
            owe_delivery(work, message, incident, seat, result, notice)
            if work.directory.is_deserted(seat, work.at):
                gap(result, EVERYBODY_ABSENT)


def owe_delivery(
    work: Work, message: Message, incident: Incident, seat: Seat, result: Forwarded, notice: bool = False
) -> None:
    """Add one delivery; where a police hold stops it, it waits for an officer (G-11)."""
    stopped = is_stopped(work, incident, message.type, seat.agency)
    row = delivery_row(work, message, incident, seat, held=stopped, notice=notice)
    result.deliveries.append(row)
    if stopped:
        result.withheld.append(_withheld(work, row))


def is_stopped(work: Work, incident: Incident, message_type: str, to: AgencyId) -> bool:
    """Whether such a message to this agency waits because of a police hold on the incident (G-11)."""
    if incident.police_hold is None:
        return False
    agency = work.directory.agencies.get(to)
    return work.pack.disclosure.stops(message_type, agency.kind if agency else None)


def delivery_row(
    work: Work, message: Message, incident: Incident, seat: Seat, held: bool = False, notice: bool = False
) -> dict[str, Any]:
    way = work.directory.way_to(seat)
    return {
        "id": work.supply.id(IdKind.DELIVERY),
        "partnership": incident.partnership,
        "incident": incident.id,
        "message": message.id,
        "agency": seat.agency,
        "role": seat.role,
        "adapter": way.adapter,
        "priority": _priority(message),
        "pack_version": work.pack.version,
        "notice": notice,
        "state": (DeliveryState.HELD if held else DeliveryState.PENDING).value,
        "attempt": 0,
        "created_at": work.at,
        "next_at": None if held else work.at,
    }


def _withheld(work: Work, delivery: Mapping[str, Any]) -> dict[str, Any]:
    """The hold of a delivery that may not leave yet."""
    return {
        "id": f"hld-{work.supply.take(13).hex()}",
        "partnership": delivery["partnership"],
        "incident": delivery["incident"],
        "subject_kind": "delivery",
        "subject": delivery["id"],
        "reasons": [POLICE_HOLD],
        "held_at": work.at,
    }


def _priority(message: Message) -> int:
    """In which class it is carried: what says that it cannot wait overtakes all else (G-03)."""
    if message.type in ("learning-digest", "dsl-letter", "chase"):
        return ORDINARY
    return IMMEDIATE if is_urgent(message) else URGENT
