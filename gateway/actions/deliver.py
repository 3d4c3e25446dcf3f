"""Record what came of one attempt to deliver, and what happens next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, assert_never

from gateway.actions.climb import CARRIED, begin_ladder, climb_from_failure
from gateway.actions.end_webhook import close_endpoint
from gateway.actions.hold import hold
from gateway.actions.prove import Said, Subject, ask_ahead, prove, prove_each
from gateway.core.deliveries import (
    GONE,
    OUR_FAULT,
    Delivered,
    DeliveryState,
    Fault,
    Outcome,
    Relayed,
    TryLater,
    Undeliverable,
    next_attempt_at,
)
from gateway.core.messages import IncidentId, MessageId, PartnershipId, Seat
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, incidents
from gateway.store.deliveries import DeliveryRow
from gateway.store.prepared import AT_ONCE
from gateway.store.transaction import Tx

TOGETHER = AT_ONCE  # attempts that `deliver_each` takes


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt and its outcome. The attempt number is the fence."""

    delivery: DeliveryRow
    outcome: Outcome


class NotTogether(Exception):
    """Somebody else has one of several attempts' deliveries or incidents at this moment."""


def deliver(tx: Tx, parts: Parts, work: Work, asked: Attempted) -> DeliveryState | None:
    """Record one attempt; the new state, or None when another worker holds the fence or the delivery is final."""
    values, said = _consequences(asked, work)
    row = asked.delivery
    if isinstance(asked.outcome, TryLater) and _is_recalled(tx, row):
        # It was taken back while it was being carried: it is not tried again.
        values = _failed(DeliveryState.CANCELLED, "recalled", work)
        said = Said(Event.RECALLED, _fields(asked, {}), reason="cancelled-before-leaving")
    if row.incident is not None:
        incidents.lock(tx, row.partnership, row.incident)  # two outcomes of one message share its chain
    if not deliveries.settle(tx, row.id, row.attempt, values):
        return None
    if rung_at := begin_ladder(work, row):
        deliveries.change(tx, row.id, **rung_at)
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    prove(tx, parts, work, subject, [said])
    state = DeliveryState(values.get("state", DeliveryState.PENDING.value))
    if isinstance(asked.outcome, Undeliverable) and asked.outcome.reason == GONE:
        close_endpoint(tx, parts, work, row.partnership, Seat(row.agency, row.role), _endpoint(asked.outcome))
    if state in (DeliveryState.FAILED_PARTNER, DeliveryState.FAILED_SYSTEM):
        reason = values["last_reason"]
        if climb_from_failure(tx, parts, work, replace(row, state=state)) in CARRIED:
            return DeliveryState.PENDING
        hold(tx, work, row.partnership, row.incident, ("failed-delivery", row.id), (reason,))
    return state
    # A crash between carrying and this commit leaves the lease to run out: the parcel is carried again under the same id.


def is_plain(asked: Attempted) -> bool:
    """Whether nothing but its own state follows from an attempt, so that it may be recorded by `deliver_each`."""
    return isinstance(asked.outcome, Delivered | Relayed) and asked.delivery.incident is not None


def deliver_each(tx: Tx, parts: Parts, work: Work, asked: Sequence[Attempted]) -> list[DeliveryState]:
    """`deliver` for up to `TOGETHER` plain attempts of one partnership, in as many statements as one takes.

    NotTogether, and other failures of one of them, are of all: roll back and record each alone.
    """
    rows = [one.delivery for one in asked]
    of = [row.incident for row in rows if row.incident is not None]
    found = [_consequences(one, work) for one in asked]
    keys = parts.own_keys(of)
    tx.ahead(lambda tx: _ask(tx, parts, rows[0].partnership, of, [row.message for row in rows]))
    if not incidents.lock_each(tx, rows[0].partnership, of):
        raise NotTogether("somebody else has one of these incidents")
    states = [DeliveryState(values["state"]) for values, _ in found]
    for state in dict.fromkeys(states):
        alike = {row.id: row.attempt for row, one in zip(rows, states, strict=True) if one is state}
        if not deliveries.settle_alike(tx, alike, _done(state, work)) or len(alike) != states.count(state):
            raise NotTogether("another worker has one of these deliveries, or it is final")
    for row in rows:
        if rung_at := begin_ladder(work, row):
            deliveries.change(tx, row.id, **rung_at)
    subjects = [
        Subject(row.message, row.partnership, row.incident, keys.get(row.incident or "")) for row in rows
    ]
    prove_each(tx, parts, work, [(one, said) for one, (_, said) in zip(subjects, found, strict=True)])
    return states
    # A crash before the commit leaves all the leases to run out, as in `deliver`.


def _ask(
    tx: Tx, parts: Parts, partnership: PartnershipId, of: Sequence[IncidentId], messages: Sequence[MessageId]
) -> None:
    """What `deliver_each` asks, the locks first."""
    incidents.lock_each(tx, partnership, of)
    ask_ahead(tx, parts, messages)


def _endpoint(outcome: Undeliverable) -> str:
    return outcome.evidence.get("endpoint", "")


def _is_recalled(tx: Tx, row: DeliveryRow) -> bool:
    if row.incident is not None:
        incidents.lock(tx, row.partnership, row.incident)
    now = deliveries.find(tx, row.id)
    return now is not None and now.recalled_at is not None


def _consequences(asked: Attempted, work: Work) -> tuple[dict[str, Any], Said]:
    outcome = asked.outcome
    match outcome:
        case Delivered():
            return _done(DeliveryState.DELIVERED, work), _said(asked, outcome.event, outcome.evidence)
        case Relayed():
            return _done(DeliveryState.RELAYED, work), _said(asked, outcome.event, outcome.evidence)
        case Undeliverable():
            partner = outcome.fault is Fault.PARTNER
            state = DeliveryState.FAILED_PARTNER if partner else DeliveryState.FAILED_SYSTEM
            return _failed(state, outcome.reason, work), _failure(asked, outcome.reason, outcome.evidence)
        case TryLater():
            return _later(asked, outcome, work)
        case _:
            assert_never(outcome)


def _later(asked: Attempted, outcome: TryLater, work: Work) -> tuple[dict[str, Any], Said]:
    row = asked.delivery
    at = next_attempt_at(row.attempt, row.created_at, work.at, outcome)
    if at is None:
        is_ours = outcome.reason == OUR_FAULT
        state = DeliveryState.FAILED_SYSTEM if is_ours else DeliveryState.FAILED_PARTNER
        values = _failed(state, outcome.reason, work)
        return values, _failure(asked, outcome.reason, outcome.evidence)
    values = {"next_at": max(at, work.at + timedelta(milliseconds=1)), "last_reason": outcome.reason}
    return values, Said(Event.RELAY_ATTEMPT, _fields(asked, outcome.evidence), reason=outcome.reason)


def _done(state: DeliveryState, work: Work) -> dict[str, Any]:
    return {"state": state.value, "done_at": work.at, "next_at": None, "last_reason": None}


def _failed(state: DeliveryState, reason: str, work: Work) -> dict[str, Any]:
    return {"state": state.value, "done_at": work.at, "next_at": None, "last_reason": reason}


def _said(asked: Attempted, event: str, evidence: Mapping[str, str]) -> Said:
    return Said(Event.named(event), _fields(asked, evidence))


def _failure(asked: Attempted, reason: str, evidence: Mapping[str, str]) -> Said:
    by_mail = asked.delivery.way == "mail"
    event = Event.RELAY_TO_NON_ERDS_FAILURE if by_mail else Event.UNDELIVERABLE
    return Said(event, _fields(asked, evidence), reason=reason)


def _fields(asked: Attempted, evidence: Mapping[str, str]) -> dict[str, str | int]:
    row = asked.delivery
    return {
        "delivery": row.id,
        "recipient": row.agency,
        "role": row.role,
        "way": row.way,
        "attempt": row.attempt,
        **evidence,
    }
