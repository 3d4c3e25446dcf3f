"""What others take part in: guests of an incident who have taken nothing yet, and incidents that were handed over.

Ids, codes and instants alone. Of an incident in another partnership no more is told than whether anybody there has taken it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Text, cast, exists, select, true

from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx

OPEN, TRANSFERRED = "open", "transferred"


@dataclass(frozen=True, slots=True)
class GuestLine:
    """A guest of an open incident, with whatever was sent to it unopened and unacknowledged."""

    partnership: PartnershipId
    incident: IncidentId
    agency: AgencyId
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class TransferLine:
    """An incident that was handed over. `to`: another incident here, or the council that took it over."""

    partnership: PartnershipId
    incident: IncidentId
    to: str
    ended_at: datetime | None


def guests_waited_for(tx: Tx, within: Sequence[str], most: int) -> list[GuestLine]:
    """Guests to whom something was sent and who have neither opened nor acknowledged any of it, the oldest incident first."""
    found: list[GuestLine] = []
    for partnership in within:
        query = _guests(partnership).where(_sent(partnership, False), ~_sent(partnership, True))
        found.extend(GuestLine(*row) for row in tx.execute(query.limit(most)))
    return sorted(found, key=lambda one: (one.opened_at, one.incident, one.agency))[:most]


def guests(tx: Tx, within: Sequence[str], most: int) -> list[GuestLine]:
    """Every guest of an open incident, the oldest incident first."""
    rows = [GuestLine(*row) for partnership in within for row in tx.execute(_guests(partnership).limit(most))]
    return sorted(rows, key=lambda one: (one.opened_at, one.incident, one.agency))[:most]


def not_taken_up(tx: Tx, within: Sequence[str], most: int) -> list[TransferLine]:
    """Handed over to a partnership here, where nobody has decided or acknowledged anything yet; the longest ago first."""
    there = t.incident.alias("there")
    m, d = t.message.c, t.delivery.c
    answered = exists().where(
        m.partnership == there.c.partnership,
        m.incident == there.c.id,
        d.message == m.id,
        d.acknowledged_by == "person",
    )
    found: list[TransferLine] = []
    for partnership in within:
        query = _transfers(partnership).join(there, there.c.id == t.incident.c.transferred_to)
        query = query.where(there.c.state == OPEN, cast(there.c.outcomes, Text) == "[]", ~answered)
        found.extend(TransferLine(*row) for row in tx.execute(query.limit(most)))
    return sorted(found, key=lambda one: (str(one.ended_at), one.incident))[:most]


def handed_over(tx: Tx, within: Sequence[str], since: datetime, most: int) -> list[TransferLine]:
    """Handed over since an instant, the newest first."""
    rows = [
        TransferLine(*row)
        for partnership in within
        for row in tx.execute(_transfers(partnership).where(t.incident.c.ended_at >= since).limit(most))
    ]
    return sorted(rows, key=lambda one: (str(one.ended_at), one.incident), reverse=True)[:most]


def _guests(partnership: str) -> Select[tuple[str, str, str, datetime]]:
    p, i = t.participant.c, t.incident.c
    on_open = (i.id == p.incident) & (i.partnership == partnership) & (i.state == OPEN)
    query = select(p.partnership, p.incident, p.agency, i.opened_at).join(t.incident, on_open)
    return query.where(p.partnership == partnership, p.guest == true()).order_by(i.opened_at, p.incident)


def _sent(partnership: str, is_taken: bool) -> ColumnElement[bool]:
    """Whether anything was sent to the guest, and was opened or acknowledged or not. By its messages: they have the index."""
    d, m, p = t.delivery.c, t.message.c, t.participant.c
    taken = d.opened_at.is_not(None) | d.acknowledged_by.is_not(None)
    return (
        exists()
        .where(
            m.partnership == partnership,
            m.incident == p.incident,
            d.message == m.id,
            d.agency == p.agency,
            taken if is_taken else d.state != "cancelled",
        )
        .correlate(t.participant)
    )


def _transfers(partnership: str) -> Select[tuple[str, str, str, datetime | None]]:
    i = t.incident.c
    query = select(i.partnership, i.id, i.transferred_to, i.ended_at)
    return query.where(i.partnership == partnership, i.state == TRANSFERRED).order_by(i.ended_at, i.id)
