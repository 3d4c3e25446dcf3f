"""What one officer asked for and another must agree to. What exactly is kept until it is settled, and then gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, null, or_, select, update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx

WAITING, AGREED, REFUSED = "waiting", "agreed", "refused"


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """`act` is a name of the list of acts; `sealed` opens with the incident's key.

    Of an arrangement, which is about no incident, `arrangement` holds what is asked for; `partnership` is None where it is about all.
    """

    id: str
    partnership: PartnershipId | None
    incident: IncidentId | None
    act: str
    sealed: bytes | None
    arrangement: Mapping[str, str] | None
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    state: str
    settled_by: str | None
    settled_at: datetime | None

    def waits_at(self, at: datetime) -> bool:
        return self.state == WAITING and at < self.expires_at


def add(tx: Tx, row: ProposalRow) -> None:
    values = {name: getattr(row, name) for name in row.__slots__}
    kept = null() if row.arrangement is None else dict(row.arrangement)
    tx.execute(insert(t.proposal).values(**values | {"arrangement": kept}))


def find(tx: Tx, partnership: PartnershipId | None, proposal: str) -> ProposalRow | None:
    """One of a partnership, or without one of what is about all of them."""
    c = t.proposal.c
    row = tx.execute(select(*c).where(c.partnership == partnership, c.id == proposal)).first()
    return None if row is None else ProposalRow(**row._mapping)


def waiting(
    tx: Tx, within: Sequence[PartnershipId], now: datetime, *, with_all: bool = False
) -> list[ProposalRow]:
    """What nobody has settled and is not too old, the oldest first; `with_all` also what is about every partnership."""
    c = t.proposal.c
    theirs = c.partnership.in_(list(within))
    wanted = or_(theirs, c.partnership.is_(None)) if with_all else theirs
    query = select(*c).where(wanted, c.state == WAITING, c.expires_at > now)
    return [ProposalRow(**row._mapping) for row in tx.execute(query.order_by(c.asked_at, c.id))]


def forget_lapsed(tx: Tx, now: datetime) -> int:
    """What nobody agreed to in time is forgotten, as what was settled is; how many."""
    c = t.proposal.c
    kept = or_(c.sealed.is_not(None), c.arrangement.is_not(None))
    done = tx.execute(
        update(t.proposal)
        .where(c.state == WAITING, c.expires_at <= now, kept)
        .values(sealed=None, arrangement=null())
    )
    return done.rowcount


def settle(tx: Tx, row: ProposalRow, state: str, by: str, at: datetime) -> bool:
    """End it once; what it asked for is forgotten. False when somebody already did."""
    c = t.proposal.c
    done = tx.execute(
        update(t.proposal)
        .where(c.partnership == row.partnership, c.id == row.id, c.state == WAITING)
        .values(state=state, settled_by=by, settled_at=at, sealed=None, arrangement=null())
    )
    return done.rowcount == 1
