"""Who the officers are, their roles and their passkeys. A suspended officer is found, and may nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import delete, insert, select, update

from gateway.core.alerts import QuietHours
from gateway.core.messages import PartnershipId
from gateway.core.officers import name_key
from gateway.core.permissions import OfficerRole, known_roles
from gateway.store import tables as t
from gateway.store.transaction import Tx

ACTIVE, SUSPENDED = "active", "suspended"
LIST, CLAIMS, DEVELOPMENT = "list", "claims", "development"


@dataclass(frozen=True, slots=True)
class OfficerRow:
    """An officer. `partnerships` None: all that are here. `subject`: who they are to the identity provider."""

    key: str
    name: str
    roles: frozenset[OfficerRole]
    partnerships: tuple[PartnershipId, ...] | None
    subject: str | None
    email: str | None
    state: str
    source: str
    added_at: datetime
    added_by: str
    seconded_by: str | None
    quiet: QuietHours | None = None  # hours of their own; None: the unit's
    signed_in_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether they may sign in: a role of ours, and not suspended."""
        return self.state == ACTIVE and bool(self.roles)


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn on call, its end not included."""

    id: str
    officer: str
    starts_at: datetime
    ends_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """A passkey's public half. `sign_count` is the authenticator's own counter as last seen."""

    id: str
    officer: str
    public_key: bytes
    sign_count: int
    added_at: datetime
    used_at: datetime | None


def find(tx: Tx, name: str) -> OfficerRow | None:
    """The officer of that name, however it is written."""
    row = tx.execute(select(*t.officer.c).where(t.officer.c.key == name_key(name))).first()
    return None if row is None else officer_row(dict(row._mapping))


def of_subject(tx: Tx, subject: str) -> OfficerRow | None:
    row = tx.execute(select(*t.officer.c).where(t.officer.c.subject == subject)).first()
    return None if row is None else officer_row(dict(row._mapping))


def every(tx: Tx) -> list[OfficerRow]:
    """All of them, by name; there are tens."""
    return [
        officer_row(dict(row._mapping)) for row in tx.execute(select(*t.officer.c).order_by(t.officer.c.key))
    ]


def add(tx: Tx, name: str, values: Mapping[str, Any]) -> None:
    """A new officer; the caller has looked that there is none of that name."""
    tx.execute(insert(t.officer).values(key=name_key(name), name=name, **values))


def change(tx: Tx, name: str, **values: Any) -> None:
    tx.execute(update(t.officer).where(t.officer.c.key == name_key(name)).values(**values))


def set_quiet_hours(tx: Tx, name: str, quiet: QuietHours | None) -> None:
    starts, ends = (None, None) if quiet is None else (f"{quiet.starts:%H:%M}", f"{quiet.ends:%H:%M}")
    change(tx, name, quiet_from=starts, quiet_until=ends)


def add_turn(tx: Tx, row: TurnRow) -> None:
    tx.execute(insert(t.on_call).values(**{name: getattr(row, name) for name in row.__slots__}))


def turn(tx: Tx, wanted: str) -> TurnRow | None:
    row = tx.execute(select(*t.on_call.c).where(t.on_call.c.id == wanted)).first()
    return None if row is None else TurnRow(**row._mapping)


def end_turn(tx: Tx, wanted: str) -> bool:
    """Take a turn back; whether there was one."""
    return tx.execute(delete(t.on_call).where(t.on_call.c.id == wanted)).rowcount > 0


def turns(tx: Tx, now: datetime) -> list[TurnRow]:
    """Who is on call now and later, the soonest first."""
    c = t.on_call.c
    query = select(*c).where(c.ends_at > now).order_by(c.starts_at, c.id)
    return [TurnRow(**row._mapping) for row in tx.execute(query)]


def on_call_at(tx: Tx, at: datetime) -> frozenset[str]:
    """The keys of those whose turn it is."""
    c = t.on_call.c
    rows = tx.execute(select(c.officer).where(c.starts_at <= at, c.ends_at > at))
    return frozenset(row.officer for row in rows)


def add_passkey(tx: Tx, row: PasskeyRow) -> None:
    tx.execute(
        insert(t.passkey).values(
            id=row.id,
            officer=row.officer,
            public_key=row.public_key,
            sign_count=row.sign_count,
            added_at=row.added_at,
            used_at=row.used_at,
        )
    )


def passkey(tx: Tx, credential: str) -> PasskeyRow | None:
    row = tx.execute(select(*t.passkey.c).where(t.passkey.c.id == credential)).first()
    return None if row is None else PasskeyRow(**row._mapping)


def passkeys_of(tx: Tx, officer: str) -> list[PasskeyRow]:
    query = select(*t.passkey.c).where(t.passkey.c.officer == officer).order_by(t.passkey.c.added_at)
    return [PasskeyRow(**row._mapping) for row in tx.execute(query)]


def passkey_used(tx: Tx, credential: str, sign_count: int, at: datetime) -> None:
    tx.execute(
        update(t.passkey).where(t.passkey.c.id == credential).values(sign_count=sign_count, used_at=at)
    )


def drop_passkeys(tx: Tx, officer: str) -> int:
    """Forget all passkeys of an officer; how many."""
    return tx.execute(delete(t.passkey).where(t.passkey.c.officer == officer)).rowcount


def roles_as_kept(roles: Sequence[OfficerRole] | frozenset[OfficerRole]) -> list[str]:
    """Roles in the order of the table, as a row holds them."""
    return [role.value for role in OfficerRole if role in roles]


def officer_row(row: Mapping[str, Any]) -> OfficerRow:
    """An officer from the columns of its row."""
    within = row["partnerships"]
    return OfficerRow(
        key=row["key"],
        name=row["name"],
        roles=known_roles(row["roles"]),
        partnerships=None if within is None else tuple(PartnershipId(each) for each in within),
        subject=row["subject"],
        email=row["email"],
        state=row["state"],
        source=row["source"],
        added_at=row["added_at"],
        added_by=row["added_by"],
        seconded_by=row["seconded_by"],
        quiet=_quiet(row["quiet_from"], row["quiet_until"]),
        signed_in_at=row["signed_in_at"],
    )


def _quiet(starts: str | None, ends: str | None) -> QuietHours | None:
    if starts is None or ends is None:
        return None
    return QuietHours(time.fromisoformat(starts), time.fromisoformat(ends))
