"""Agencies' own endpoints: who asked for which, and where that stands. What notices go by is the way in the directory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from gateway.core.messages import AgencyId, PartnershipId, RoleId
from gateway.core.webhooks import OPEN, WebhookState
from gateway.store import tables as t
from gateway.store.transaction import Tx

_C = t.webhook.c


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One registration. `ends_at`: when its asking lapses, or the secret before its newest ends. `began_at`: None, it never was in
    force."""

    id: str
    partnership: PartnershipId
    agency: AgencyId
    role: RoleId
    address: str
    client: str
    state: WebhookState
    asked_at: datetime
    ends_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    began_at: datetime | None = None


def add(tx: Tx, row: WebhookRow) -> None:
    values = {name: getattr(row, name) for name in row.__slots__}
    tx.execute(insert(t.webhook).values(**values | {"state": row.state.value}))


def change(tx: Tx, row: WebhookRow) -> WebhookRow:
    """Keep where it stands now; what was asked for never changes."""
    standing = ("ends_at", "settled_at", "settled_by", "began_at")
    values = {name: getattr(row, name) for name in standing}
    tx.execute(update(t.webhook).where(_C.id == row.id).values(state=row.state.value, **values))
    return row


def find(tx: Tx, webhook: str) -> WebhookRow | None:
    row = tx.execute(select(*_C).where(_C.id == webhook)).first()
    return None if row is None else _row(row)


def of_agency(tx: Tx, agency: AgencyId, partnerships: Collection[str]) -> list[WebhookRow]:
    """Those of an agency that wait or are in force, the oldest first."""
    query = select(*_C).where(_C.agency == agency, _C.partnership.in_(list(partnerships)), _is_open())
    return [_row(row) for row in tx.execute(query.order_by(_C.asked_at, _C.id))]


def ended(tx: Tx, agency: AgencyId, partnership: PartnershipId) -> list[WebhookRow]:
    """Those of an agency that were in force until somebody removed them or they answered 410, the last begun first."""
    states = (WebhookState.REMOVED.value, WebhookState.GONE.value)
    where = (
        _C.agency == agency,
        _C.partnership == partnership,
        _C.state.in_(states),
        _C.began_at.is_not(None),
    )
    return [_row(row) for row in tx.execute(select(*_C).where(*where).order_by(_C.began_at.desc(), _C.id))]


def every(tx: Tx, with_ended: bool, most: int) -> list[WebhookRow]:
    """The newest first."""
    query = select(*_C) if with_ended else select(*_C).where(_is_open())
    return [_row(row) for row in tx.execute(query.order_by(_C.asked_at.desc(), _C.id).limit(most))]


def waiting(tx: Tx, within: Collection[str]) -> list[WebhookRow]:
    """Those of these partnerships that wait for two officers, the oldest first."""
    where = (_C.state == WebhookState.WAITING.value, _C.partnership.in_(list(within)))
    return [_row(row) for row in tx.execute(select(*_C).where(*where).order_by(_C.asked_at, _C.id))]


def count_waiting(tx: Tx) -> int:
    """How many wait for officers."""
    query = select(func.count()).where(_C.state == WebhookState.WAITING.value)
    return int(tx.execute(query).scalar_one())


def ending(tx: Tx, now: datetime, most: int) -> list[WebhookRow]:
    """Whose asking has lapsed, or whose secret before the newest has ended."""
    query = select(*_C).where(_C.ends_at <= now).order_by(_C.ends_at).limit(most)
    return [_row(row) for row in tx.execute(query)]


def _is_open() -> Any:
    return _C.state.in_([state.value for state in OPEN])


def _row(row: Any) -> WebhookRow:
    return WebhookRow(**{**row._mapping, "state": WebhookState(row.state)})
