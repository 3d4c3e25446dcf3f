"""What one officer asked for and another must agree to. What exactly is sealed until it is settled, and then gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx

WAITING, AGREED, REFUSED = "waiting", "agreed", "refused"


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """`act` is a name of the list of acts; `sealed` opens with the incident's key."""

    id: str
    partnership: PartnershipId
    incident: IncidentId
    act: str
    sealed: bytes | None
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    state: str
    settled_by: str | None
    settled_at: datetime | None

    def waits_at(self, at: datetime) -> bool:
        return self.state == WAITING and at < self.expires_at


def add(tx: Tx, row: ProposalRow) -> None:
    tx.execute(insert(t.proposal).values(**{name: getattr(row, name) for name in row.__slots__}))


def find(tx: Tx, partnership: PartnershipId, proposal: str) -> ProposalRow | None:
    c = t.proposal.c
    row = tx.execute(select(*c).where(c.partnership == partnership, c.id == proposal)).first()
    return None if row is None else ProposalRow(**row._mapping)


def waiting(tx: Tx, within: Sequence[PartnershipId], now: datetime) -> list[ProposalRow]:
    """What nobody has settled and is not too old, the oldest first."""
    c = t.proposal.c
    query = select(*c).where(c.partnership.in_(list(within)), c.state == WAITING, c.expires_at > now)
    return [ProposalRow(**row._mapping) for row in tx.execute(query.order_by(c.asked_at, c.id))]


def settle(tx: Tx, row: ProposalRow, state: str, by: str, at: datetime) -> bool:
    """End it once; what it asked for is forgotten. False when somebody already did."""
    c = t.proposal.c
    done = tx.execute(
        update(t.proposal)
        .where(c.partnership == row.partnership, c.id == row.id, c.state == WAITING)
        .values(state=state, settled_by=by, settled_at=at, sealed=None)
    )
    return done.rowcount == 1
