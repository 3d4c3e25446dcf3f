"""Go up a delivery's ladder by one rung: by e-mail, to who ranks next, at last an officer's telephone call.

Invariant: one delivery, one id, one effect, whatever the way: whoever acknowledges, collects or answers first ends the others, and
each rung leaves a receipt. Nobody is written to who is not enrolled for the seat, and never when a message names a person who must
not be contacted: then an officer rings whom they judge right (G-02, G-04, G-08, S3-23).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.actions.hold import hold
from gateway.actions.owe_deliveries import is_stopped
from gateway.actions.prove import Said, Subject, prove
from gateway.core.deliveries import DeliveryState
from gateway.core.ladder import LadderRule, Rung, Until, ladder_for, rungs_above
from gateway.core.messages import DeliveryId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory
from gateway.core.rules import is_avoided
from gateway.parts import Parts, Work
from gateway.store import deliveries, duties, holds, incidents, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx

TELEPHONE = "telephone-them"  # why a call waits for an officer: see `gateway tasks`
SUBJECT = "delivery"
NOT_TAKEN_UP, NOT_DELIVERED = "not-taken-up", "not-delivered"
CARRIED = (Rung.MAIL, Rung.DEPUTY)  # rungs that dispatch takes; the last is an officer's
_PERSON = "person"


@dataclass(frozen=True, slots=True)
class Climb:
    """Look at one delivery whose next rung is due, or (`why`) has become due by what was heard."""

    delivery: DeliveryId
    why: str = NOT_TAKEN_UP


def climb(tx: Tx, parts: Parts, work: Work, asked: Climb) -> Rung | None:
    """Go to the next rung there is; None when the ladder has ended, or a worker has the delivery in hand just now."""
    found = deliveries.find(tx, asked.delivery)
    if found is None:
        return None
    incident = incidents.lock(tx, found.partnership, found.incident) if found.incident else None
    row = deliveries.find(tx, asked.delivery)  # as it is under the lock
    if row is None:
        return None
    rule = ladder_for(work.pack.ladders, row.message_type)
    if asked.why == NOT_TAKEN_UP and (row.rung_at is None or row.rung_at > work.at):
        return None
    if rule is None or (incident is not None and incident.state != "open") or is_over(tx, rule, row):
        deliveries.end_ladder(tx, row.id, work.at)
        return None
    return _go_up(tx, parts, work, row, rule, asked.why)
    # A crash before the commit leaves the rung due; the timetable comes by again.


def begin_ladder(work: Work, row: DeliveryRow) -> dict[str, Any]:
    """What a first attempt writes beside its outcome: when the next rung is due."""
    rule = ladder_for(work.pack.ladders, row.message_type)
    if rule is None or row.rung_at is not None or row.rung is Rung.TELEPHONE:
        return {}
    return {"rung_at": rule.next_at(row.created_at)}


def climb_from_failure(tx: Tx, parts: Parts, work: Work, row: DeliveryRow) -> Rung | None:
    """The rung that takes over from a way that failed for good; None when there is no ladder, or it has ended.

    The telephone does not take over: the failure stands before an officer, who is asked to ring besides.
    """
    rule = ladder_for(work.pack.ladders, row.message_type)
    if rule is None or is_over(tx, rule, row):
        return None
    return _go_up(tx, parts, work, row, rule, NOT_DELIVERED)


def heard_from(tx: Tx, work: Work, row: DeliveryRow, until: Until) -> None:
    """The recipient collected or acknowledged: where that is what the pack waits for, the other ways end and so does the call."""
    rule = ladder_for(work.pack.ladders, row.message_type)
    if rule is None or (until is Until.COLLECTED and rule.until is Until.ACKNOWLEDGED):
        return
    deliveries.end_ladder(tx, row.id, work.at)
    if row.rung is Rung.TELEPHONE:
        for held in calls_about(tx, row):
            holds.settle(tx, held, work.at, row.agency, "answered")


def calls_about(tx: Tx, row: DeliveryRow) -> list[str]:
    """The ids of open calls about one delivery."""
    if row.incident is None:
        return []
    about = holds.open_of_incident(tx, row.partnership, row.incident, TELEPHONE)
    return [held.id for held in about if held.subject == row.id]


def is_over(tx: Tx, rule: LadderRule, row: DeliveryRow) -> bool:
    """Whether the recipient has been heard, or nothing is to be said to it any more."""
    if row.recalled_at is not None or row.state in (DeliveryState.HELD, DeliveryState.CANCELLED):
        return True
    if row.acknowledged_by == _PERSON or row.acknowledged_by == "declined":
        return True
    if rule.until is Until.COLLECTED and (row.opened_at or row.acknowledged_at):
        return True
    return row.incident is not None and any(
        duty.met_by is not None
        for duty in duties.of_incident(tx, row.partnership, row.incident)
        if (duty.message, duty.agency) == (row.message, row.agency)
    )


def _go_up(tx: Tx, parts: Parts, work: Work, row: DeliveryRow, rule: LadderRule, why: str) -> Rung | None:
    incident = incidents.find(tx, row.partnership, row.incident) if row.incident else None
    if incident is not None and is_stopped(work, incident, row.message_type, row.agency):
        deliveries.change(
            tx, row.id, rung_at=None
        )  # under a police hold it goes out by no further way (G-11)
        return None
    above = _passable(tx, parts, work, row, rungs_above(rule, row.rung))
    rung = above[0] if above else None
    if rung is None:
        deliveries.change(tx, row.id, rung_at=None)
        return None
    values: Mapping[str, Any] = {"rung": rung.value, "rung_at": None}
    if rung is not Rung.TELEPHONE:
        values = _carried_anew(rung, rule, work.at)
    if not deliveries.climb_unless_leased(tx, row.id, work.at, values):
        return None
    fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "rung": rung.value}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    prove(tx, parts, work, subject, [Said(Event.ESCALATED, fields, reason=why)])
    if rung is Rung.TELEPHONE:
        hold(tx, work, row.partnership, row.incident, (SUBJECT, row.id), (TELEPHONE, why))
    return rung


def _carried_anew(rung: Rung, rule: LadderRule, at: datetime) -> dict[str, Any]:
    """Owed from now by the new way: patience with it and the next rung count from here, as after a redrive."""
    return {
        "rung": rung.value,
        "rung_at": rule.next_at(at),
        "to_deputy": rung is Rung.DEPUTY,
        "state": DeliveryState.PENDING.value,
        "created_at": at,
        "next_at": at,
        "done_at": None,
        "last_reason": None,
    }


def _passable(
    tx: Tx, parts: Parts, work: Work, row: DeliveryRow, rungs: tuple[Rung, ...]
) -> tuple[Rung, ...]:
    """The rungs that lead somewhere else than where the message has been, and may be taken."""
    if row.incident is None or "mail" not in parts.adapters or _is_for_a_person_to_judge(tx, row):
        return tuple(rung for rung in rungs if rung is Rung.TELEPHONE and row.incident is not None)
    seat = Seat(row.agency, row.role)
    open_to = {
        Rung.MAIL: row.adapter != "mail" and work.directory.mail_address(seat, work.at) is not None,
        Rung.DEPUTY: next_in_seat(work.directory, seat, work.at) is not None,
        Rung.TELEPHONE: True,
    }
    return tuple(rung for rung in rungs if open_to[rung])


def _is_for_a_person_to_judge(tx: Tx, row: DeliveryRow) -> bool:
    """Whether somebody in the incident must not be contacted: it may be the very next person."""
    if row.incident is None:
        return False
    said = messages.avoided(tx, row.partnership, row.incident)
    return _PERSON in said or is_avoided(said, row.agency, row.role)


def next_in_seat(directory: Directory, seat: Seat, at: datetime) -> str | None:
    """The e-mail address of who ranks after the first person present, if it is another's."""
    present = directory.present_holders(seat, at)
    first = (present[0].email or "").casefold() if present else ""
    others = (holder.email for holder in present[1:] if holder.email)
    return next((email for email in others if email.casefold() != first), None)
