"""What is looked at once a day, whichever machine comes first; and what has a term of its own outside incidents."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import delete, insert, select, update

from gateway.core.messages import PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx


def is_due(tx: Tx, name: str, today: date) -> bool:
    """Whether the round has not been done today or later."""
    done_on = tx.execute(select(t.daily_round.c.done_on).where(t.daily_round.c.name == name)).scalar()
    return done_on is None or done_on < today


def done(tx: Tx, name: str, today: date) -> None:
    """It is done for today; twice is harmless."""
    changed = tx.execute(update(t.daily_round).where(t.daily_round.c.name == name).values(done_on=today))
    if changed.rowcount == 0:
        tx.execute(insert(t.daily_round).values(name=name, done_on=today))


def unmatched_mail(tx: Tx, before: datetime, most: int) -> list[tuple[str, str]]:
    """Mail that arrived before an instant, belongs to no incident and waits for nobody: (id, data key)."""
    where = (
        t.raw_mail.c.incident.is_(None),
        t.raw_mail.c.arrived_at < before,
        t.raw_mail.c.state.not_in(("stored", "held")),
        t.raw_mail.c.sealed.is_not(None),
    )
    rows = tx.execute(select(t.raw_mail.c.id, t.raw_mail.c.data_key).where(*where).limit(most))
    return [(row.id, row.data_key) for row in rows]


def empty_mail(tx: Tx, mail: str) -> None:
    """Its content goes; its digest stays, so that the same mail is not taken for a new one."""
    values = {"sealed": None, "sealed_reading": None, "data_key": None}
    tx.execute(
        update(t.raw_mail).where(t.raw_mail.c.id == mail, t.raw_mail.c.incident.is_(None)).values(**values)
    )


def forget_imported(tx: Tx, partnership: PartnershipId, before: date) -> int:
    """Rows of an older register that were alerted before a day; how many."""
    where = (t.imported_alert.c.partnership == partnership, t.imported_alert.c.alerted_on < before)
    return tx.execute(delete(t.imported_alert).where(*where)).rowcount


def forget_sessions(tx: Tx, now: datetime) -> int:
    """Officers' sessions that have ended, and links that nobody used in time; how many."""
    links = tx.execute(delete(t.sign_in_link).where(t.sign_in_link.c.expires_at <= now)).rowcount
    return links + tx.execute(delete(t.session).where(t.session.c.ends_at <= now)).rowcount
