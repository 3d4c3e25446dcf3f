"""Stop something for an officer, with coarse reasons.

After an incident was handed over, what is held on it stays with the unit that it came from, which alone has its content:
that unit's officers see it and can only end it. Where a partnership here took the incident over, its officers are told that
there is something to ask the first unit for.
"""

from __future__ import annotations

from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Work
from gateway.store import holds, incidents
from gateway.store.transaction import Tx

ENDED = ("erasing", "erased")
TRANSFERRED, HANDED_OVER = "transferred", "arose-where-it-came-from"


def hold(
    tx: Tx,
    work: Work,
    partnership: PartnershipId,
    incident: IncidentId | None,
    subject: tuple[str, str],
    reasons: tuple[str, ...],
) -> str:
    """Place a hold on a message, delivery or mail; the hold's id."""
    hold_id = f"hld-{work.supply.take(13).hex()}"
    kind, subject_id = subject
    holds.place(
        tx,
        {
            "id": hold_id,
            "partnership": partnership,
            "incident": incident,
            "subject_kind": kind,
            "subject": subject_id,
            "reasons": list(reasons),
            "held_at": work.at,
        },
    )
    if incident is not None:
        tell_who_took_over(tx, work, partnership, incident)
    return hold_id


def tell_who_took_over(tx: Tx, work: Work, partnership: PartnershipId, incident: IncidentId) -> None:
    """One open notice for the incident that it is now, in whichever partnership; nothing of what was held is told."""
    found = incidents.find(tx, partnership, incident)
    if found is None or found.state != TRANSFERRED or found.transferred_to is None:
        return
    to = IncidentId(found.transferred_to)
    there = incidents.partnership_of(tx, to)
    now = incidents.find(tx, there, to) if there is not None else None
    if there is None or now is None or now.state in ENDED:
        return
    if not holds.open_of_incident(tx, there, to, HANDED_OVER):
        hold(tx, work, there, to, ("incident", to), (HANDED_OVER,))  # told on if it has gone on from there
