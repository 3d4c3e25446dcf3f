"""Which matters that come round have been opened, so that each is opened once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx


def latest(tx: Tx, partnership: PartnershipId, periodic: str) -> datetime | None:
    """Since when the latest matter of this rule was there to be opened; None before the first."""
    query = select(func.max(t.period.c.opens_at)).where(
        t.period.c.partnership == partnership, t.period.c.periodic == periodic
    )
    found: datetime | None = tx.execute(query).scalar()
    return found


def take(
    tx: Tx, partnership: PartnershipId, periodic: str, key: str, opens_at: datetime, incident: IncidentId
) -> bool:
    """Note that this period's matter is opened here; False when it has been already."""
    where = (t.period.c.partnership == partnership, t.period.c.periodic == periodic, t.period.c.key == key)
    if tx.execute(select(t.period.c.key).where(*where)).first() is not None:
        return False
    values = {"partnership": partnership, "periodic": periodic, "key": key, "opens_at": opens_at}
    tx.execute(insert(t.period).values(incident=incident, **values))
    return True
