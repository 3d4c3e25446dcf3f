"""What MESH tells of a message after it took it: the recipient's system collected it, or nobody did in five days.

Invariant: a report never makes a message delivered that was not, and one that nobody collected never stays delivered: it goes up its
ladder, or fails before an officer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.actions.climb import CARRIED, climb_from_failure, heard_from
from gateway.actions.hold import hold
from gateway.actions.prove import Said, Subject, prove
from gateway.core.deliveries import DeliveryState
from gateway.core.ladder import Until
from gateway.core.messages import DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, incidents
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx

NOT_COLLECTED = "not-collected"


@dataclass(frozen=True, slots=True)
class Uncollected:
    """A report by its id at MESH: nobody took this delivery from the recipient's mailbox."""

    delivery: DeliveryId
    report: str


@dataclass(frozen=True, slots=True)
class Collected:
    delivery: DeliveryId


def uncollected(tx: Tx, parts: Parts, work: Work, asked: Uncollected) -> DeliveryState | None:
    """The new state; None when a repeat, or the recipient was heard meanwhile or it has gone up its ladder."""
    row = _locked(tx, asked.delivery)
    if row is None or row.state is not DeliveryState.DELIVERED or row.way != "mesh" or _is_heard(row):
        return None
    failed = DeliveryState.FAILED_PARTNER
    deliveries.change(tx, row.id, state=failed.value, last_reason=NOT_COLLECTED, done_at=work.at)
    fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "way": row.way}
    said = Said(Event.UNDELIVERABLE, fields | {"report": asked.report}, reason=NOT_COLLECTED)
    prove(tx, parts, work, _subject(work, row), [said])
    if climb_from_failure(tx, parts, work, replace(row, state=failed)) in CARRIED:
        return DeliveryState.PENDING
    hold(tx, work, row.partnership, row.incident, ("failed-delivery", row.id), (NOT_COLLECTED,))
    return failed
    # A crash before the commit leaves the report at MESH unacknowledged: it is read again.


def collected(tx: Tx, parts: Parts, work: Work, asked: Collected) -> bool:
    """State once that the recipient's own system took it; a person's acknowledgement is another thing."""
    row = _locked(tx, asked.delivery)
    if row is None or row.opened_at is not None:
        return False
    deliveries.change(tx, row.id, opened_at=work.at)
    heard_from(tx, work, row, Until.COLLECTED)
    fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "way": row.way}
    prove(tx, parts, work, _subject(work, row), [Said(Event.CONTENT_HANDOVER, fields)])
    return True


def _locked(tx: Tx, delivery: DeliveryId) -> DeliveryRow | None:
    found = deliveries.find(tx, delivery)
    if found is not None and found.incident is not None:
        incidents.lock(tx, found.partnership, found.incident)
    return deliveries.find(tx, delivery)


def _is_heard(row: DeliveryRow) -> bool:
    return row.opened_at is not None or row.acknowledged_at is not None


def _subject(work: Work, row: DeliveryRow) -> Subject:
    return Subject(row.message, row.partnership, row.incident, work.key)
