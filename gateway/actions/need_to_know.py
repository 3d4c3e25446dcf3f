"""Who may open an incident: everybody of the unit, or of a restricted one only who was named (domain section 8, need to know).

Invariant: every action that shows what an incident says, or decides on it for an officer, asks here, inside its own transaction.
"""

from __future__ import annotations

from datetime import datetime

from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.officers import TwoOfficers, name_key
from gateway.store import access
from gateway.store.transaction import Tx


class Restricted(Refused):
    """Only named officers open this incident, and this one is none of them."""

    def __init__(self, incident: IncidentId) -> None:
        super().__init__(
            ErrorCode.NOT_PERMITTED, detail="This incident is restricted to named officers: ask one of them."
        )
        self.incident = incident


def must_know(
    tx: Tx,
    partnership: PartnershipId,
    incident: IncidentId | None,
    officer: str | TwoOfficers,
    at: datetime,
    second: str = "",
) -> None:
    """Restricted unless the incident is open to all, or each of these officers is admitted to it at this instant."""
    if incident is None or access.restriction(tx, partnership, incident) is None:
        return
    asking = (officer, second) if isinstance(officer, str) else (officer.first, officer.second)
    if not all(is_admitted(tx, partnership, incident, one, at) for one in asking if one):
        raise Restricted(incident)


def is_admitted(tx: Tx, partnership: PartnershipId, incident: IncidentId, officer: str, at: datetime) -> bool:
    """Named, or in by an override that still lasts."""
    key = name_key(officer)
    rows = access.admissions(tx, partnership, incident)
    return any(row.officer == key and row.holds_at(at) for row in rows)
