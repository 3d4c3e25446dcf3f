"""What is kept past its class: it is listed, two officers agree, and then it is erased like anything else (G-12).

Nothing is erased because time passes alone: the clock lists, people decide. A legal hold is shown beside what is due and bars it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.actions.erase import order_erasure
from gateway.actions.need_to_know import must_know
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.retention import Kept, kept_until
from gateway.core.rules import Pack
from gateway.parts import Parts, Work
from gateway.store import incidents, messages
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

REASON = "retention-ended"
SHORTEST_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class PastRetention:
    """One incident that has been kept as long as its retention class says; `is_held`: a legal hold bars its erasure."""

    incident: IncidentId
    kind: str
    ended_on: date
    until_on: date
    is_held: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """Two officers agree that one incident, whose retention has ended, is erased."""

    incident: IncidentId
    officers: TwoOfficers


def past_retention(tx: Tx, pack: Pack, at: datetime) -> list[PastRetention]:
    """Ended incidents past their class by the pack in force, the longest over first; at most those of one partnership."""
    if not pack.retention:
        return []
    least = min(rule.years for rule in pack.retention)
    candidates = incidents.ended_before(tx, pack.partnership, at - least * SHORTEST_YEAR)
    kept = [(one, _kept(tx, pack, one)) for one in candidates]
    return [
        PastRetention(one.id, found.kind.value, one.ended_at.date(), found.until_on, one.legal_hold)
        for one, found in kept
        if found is not None and one.ended_at is not None and found.until_on < at.date()
    ]


def approve_erasure(tx: Tx, parts: Parts, work: Work, asked: Approval) -> list[str]:
    """Begin the erasure; the data keys to destroy. Refused while the class runs, under a legal hold, or when it is not over."""
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officers, work.at)
    if incident.state != "erasing" and not _is_past(tx, work.pack, incident, work.at):
        detail = "Its retention has not ended: see `gateway retention list`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return order_erasure(tx, parts, work, (incident.id, REASON))


def _is_past(tx: Tx, pack: Pack, incident: Incident, at: datetime) -> bool:
    kept = _kept(tx, pack, incident)
    return kept is not None and kept.until_on < at.date()


def _kept(tx: Tx, pack: Pack, incident: Incident) -> Kept | None:
    """None for ever: it has not ended, or the pack names no class."""
    if incident.ended_at is None or incident.state not in ("closed", "transferred"):
        return None
    rows = messages.of_incident(tx, incident.partnership, incident.id)
    told = [(row.type, row.facts["codes"]) for row in rows]
    return kept_until(pack.retention, incident.ended_at.date(), told)
