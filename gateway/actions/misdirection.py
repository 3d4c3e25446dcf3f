"""What speaks against letting a letter go, as the directory stands at the moment of its release.

Invariant: a letter that would go to a school that is closed or on holiday, to another lead than the one it names, to nobody
enrolled or to somebody who must not be contacted stays held until an officer confirms each of these by name; what was
confirmed is stated with the release. Source: domain analysis G-06, G-08, S2-21, section 7 (open on the date).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.actions.what_follows import DO_NOT_CONTACT, EVERYBODY_ABSENT
from gateway.core.deliveries import DeliveryState
from gateway.core.messages import AgencyKind, DeliveryId, Seat
from gateway.core.presence import local_day
from gateway.core.routing import EVERY_ROLE, Directory
from gateway.core.rules import is_avoided
from gateway.parts import Parts
from gateway.store import deliveries, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.holds import HoldRow
from gateway.store.transaction import Tx
from keys.sealing import DataKey

SCHOOL_CLOSED, SCHOOL_IN_HOLIDAY = "school-closed", "school-in-holiday"
DSL_CHANGED, ADDRESS_NOT_ENROLLED = "dsl-changed", "address-not-enrolled"
MISDIRECTIONS = (
    SCHOOL_CLOSED,
    SCHOOL_IN_HOLIDAY,
    DSL_CHANGED,
    EVERYBODY_ABSENT,
    ADDRESS_NOT_ENROLLED,
    DO_NOT_CONTACT,
)


async def standing_against(parts: Parts, held: HoldRow) -> tuple[str, ...]:
    """The reasons that an officer would have to confirm now, for a page or a list; reads only."""
    if held.subject_kind != "delivery" or held.settled_at is not None:
        return ()
    directory = (await parts.partnerships.snapshot(held.partnership)).directory
    key, at = await parts.key_of(held.incident), parts.clock()
    return await parts.store.read(lambda tx: misdirections(tx, directory, at, key, held))


def misdirections(
    tx: Tx, directory: Directory, at: datetime, key: DataKey | None, held: HoldRow
) -> tuple[str, ...]:
    """The reasons against releasing a held delivery now; none for anything else that is held."""
    delivery = deliveries.find(tx, DeliveryId(held.subject)) if held.subject_kind == "delivery" else None
    if delivery is None or delivery.state is not DeliveryState.HELD:
        return ()
    seat = Seat(delivery.agency, delivery.role)
    found = {*against(directory, seat, at), *_by_the_letter(tx, directory, seat, at, key, delivery)}
    if delivery.incident is not None:
        avoided = messages.avoided(tx, delivery.partnership, delivery.incident)
        found |= {DO_NOT_CONTACT} if is_avoided(avoided, seat.agency, seat.role) else set()
    return tuple(reason for reason in MISDIRECTIONS if reason in found)


def against(directory: Directory, seat: Seat, at: datetime) -> Iterator[str]:
    """What the directory alone says against writing to a seat now."""
    agency, today = directory.agencies.get(seat.agency), local_day(at)
    if agency is not None and agency.school is not None and not agency.school.is_open(today):
        yield SCHOOL_CLOSED
    is_school = agency is not None and agency.kind is AgencyKind.SCHOOL
    if is_school and directory.in_term(seat.agency, today) is False:
        yield SCHOOL_IN_HOLIDAY
    if directory.is_deserted(seat, at):
        yield EVERYBODY_ABSENT
    has_way = seat in directory.ways or Seat(seat.agency, EVERY_ROLE) in directory.ways
    is_mail = directory.way_to(seat).adapter == "mail"
    if directory.mail_address(seat, at) is None if is_mail else not (has_way or seat in directory.seats):
        yield ADDRESS_NOT_ENROLLED


def _by_the_letter(
    tx: Tx, directory: Directory, seat: Seat, at: datetime, key: DataKey | None, delivery: DeliveryRow
) -> Iterator[str]:
    """The lead whom the letter names is not the one who would have it. The machine reads the name; nobody is shown it."""
    row = messages.find(tx, [delivery.partnership], delivery.message)
    if row is None or key is None or row.sealed is None or row.data_key != key.id:
        return
    body: dict[str, Any] = json.loads(key.open(f"message:{row.id}", row.sealed))["body"]
    lead = directory.present_holder(seat, at)
    named = body.get("dsl_name")
    if named and lead is not None and lead.name != named:
        yield DSL_CHANGED
