"""Stop something for an officer, with coarse reasons."""

from __future__ import annotations

from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Work
from gateway.store import holds
from gateway.store.transaction import Tx


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
    return hold_id
