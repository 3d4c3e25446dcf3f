"""Officers' sessions and the one-time links that begin them; of every secret only its digest is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it stands. `seen_at` is when its officer was last here."""

    id: str
    officer: str
    signed_in_at: datetime
    seen_at: datetime
    ends_at: datetime


def add_link(tx: Tx, link: str, officer: str, expires_at: datetime) -> None:
    """Keep a link's digest."""
    tx.execute(insert(t.sign_in_link).values(id=link, officer=officer, expires_at=expires_at))


def use_link(tx: Tx, link: str, now: datetime) -> str | None:
    """The officer whose link this is, once: used links are gone. None when unknown, used or past its time."""
    found = tx.execute(select(t.sign_in_link.c.officer).where(t.sign_in_link.c.id == link)).first()
    used = tx.execute(
        delete(t.sign_in_link).where(t.sign_in_link.c.id == link, t.sign_in_link.c.expires_at > now)
    )
    return str(found.officer) if found is not None and used.rowcount == 1 else None


def begin(tx: Tx, session: str, officer: str, now: datetime, ends_at: datetime) -> None:
    """Begin a session, and forget links and sessions that have ended."""
    tx.execute(delete(t.sign_in_link).where(t.sign_in_link.c.expires_at <= now))
    tx.execute(delete(t.session).where(t.session.c.ends_at <= now))
    values = {"id": session, "officer": officer, "signed_in_at": now, "seen_at": now, "ends_at": ends_at}
    tx.execute(insert(t.session).values(**values))


def find(tx: Tx, session: str, now: datetime, idle: timedelta) -> SessionRow | None:
    """A session that neither has ended nor was left alone for longer than `idle`."""
    query = select(*t.session.c).where(
        t.session.c.id == session, t.session.c.ends_at > now, t.session.c.seen_at > now - idle
    )
    row = tx.execute(query).first()
    return None if row is None else SessionRow(**row._mapping)


def touch(tx: Tx, session: str, now: datetime) -> None:
    """Its officer was here."""
    tx.execute(update(t.session).where(t.session.c.id == session).values(seen_at=now))


def end(tx: Tx, session: str) -> None:
    tx.execute(delete(t.session).where(t.session.c.id == session))
