"""Officers' sessions, what begins them (links, sign-ins under way), and forms that were sent; of secrets only digests are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from gateway.core.permissions import OfficerRole, known_roles
from gateway.store import tables as t
from gateway.store.officers import OfficerRow, officer_row, roles_as_kept
from gateway.store.transaction import Tx

SIGN_IN, INVITATION = "sign-in", "invitation"
BY_LINK, BY_OIDC, BY_PASSKEY = "link", "oidc", "passkey"
FORMS_KEPT = timedelta(days=1)
FORM_GIVEN_UP = timedelta(seconds=60)  # a form still being done after this long was cut off by a crash


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it stands. `seen_at` is when its officer was last here, `way` how they signed in."""

    id: str
    officer: str
    way: str
    signed_in_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link that was used: what it is for, whose it is, and the roles of an officer whom it makes."""

    kind: str
    officer: str
    roles: frozenset[OfficerRole]


@dataclass(frozen=True, slots=True)
class FormUse:
    """A form that was sent before. `location`: where the browser was sent on; None while it is still being done."""

    used_at: datetime
    location: str | None


def add_link(
    tx: Tx, link: str, kind: str, officer: str, expires_at: datetime, roles: Sequence[OfficerRole] = ()
) -> None:
    """Keep a link's digest."""
    values = {"id": link, "kind": kind, "officer": officer, "roles": roles_as_kept(roles)}
    tx.execute(insert(t.sign_in_link).values(expires_at=expires_at, **values))


def look_at_link(tx: Tx, link: str, kind: str, now: datetime) -> LinkRow | None:
    """The link, unused and within its time."""
    c = t.sign_in_link.c
    found = tx.execute(select(*c).where(c.id == link, c.kind == kind, c.expires_at > now)).first()
    return None if found is None else LinkRow(found.kind, found.officer, known_roles(found.roles))


def use_link(tx: Tx, link: str, kind: str, now: datetime) -> LinkRow | None:
    """The link, once: used links are gone. None when unknown, used or past its time."""
    found = look_at_link(tx, link, kind, now)
    used = tx.execute(delete(t.sign_in_link).where(t.sign_in_link.c.id == link))
    return found if used.rowcount == 1 else None


def drop_links(tx: Tx, officer: str, kind: str) -> None:
    """Take back what was not used yet."""
    tx.execute(
        delete(t.sign_in_link).where(t.sign_in_link.c.officer == officer, t.sign_in_link.c.kind == kind)
    )


def add_try(tx: Tx, attempt: str, kind: str, now: datetime, expires_at: datetime) -> None:
    """A sign-in is under way; those that nobody finished are forgotten."""
    tx.execute(delete(t.sign_in_try).where(t.sign_in_try.c.expires_at <= now))
    tx.execute(insert(t.sign_in_try).values(id=attempt, kind=kind, expires_at=expires_at))


def use_try(tx: Tx, attempt: str, kind: str, now: datetime) -> bool:
    """End a sign-in that is under way, once; False when there is none such any more."""
    c = t.sign_in_try.c
    used = tx.execute(delete(t.sign_in_try).where(c.id == attempt, c.kind == kind, c.expires_at > now))
    return used.rowcount == 1


def begin(tx: Tx, row: SessionRow) -> None:
    """Begin a session, and forget links, sessions and forms that have ended."""
    now = row.signed_in_at
    tx.execute(delete(t.sign_in_link).where(t.sign_in_link.c.expires_at <= now))
    tx.execute(delete(t.session).where(t.session.c.ends_at <= now))
    tx.execute(delete(t.form_use).where(t.form_use.c.used_at <= now - FORMS_KEPT))
    values = {name: getattr(row, name) for name in row.__slots__}
    tx.execute(insert(t.session).values(**values))


def find(tx: Tx, session: str, now: datetime, idle: timedelta) -> tuple[SessionRow, OfficerRow] | None:
    """A session that neither has ended nor was left alone for longer than `idle`, and whose it is."""
    query = select(*t.session.c).where(
        t.session.c.id == session, t.session.c.ends_at > now, t.session.c.seen_at > now - idle
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    owner = tx.execute(select(*t.officer.c).where(t.officer.c.key == row.officer)).first()
    return None if owner is None else (SessionRow(**row._mapping), officer_row(dict(owner._mapping)))


def of_officer(tx: Tx, officer: str, now: datetime, idle: timedelta) -> list[SessionRow]:
    """An officer's sessions that go on, the newest first."""
    c = t.session.c
    query = select(*c).where(c.officer == officer, c.ends_at > now, c.seen_at > now - idle)
    return [SessionRow(**row._mapping) for row in tx.execute(query.order_by(c.signed_in_at.desc(), c.id))]


def touch(tx: Tx, session: str, now: datetime) -> None:
    """Its officer was here."""
    tx.execute(update(t.session).where(t.session.c.id == session).values(seen_at=now))


def end(tx: Tx, session: str) -> None:
    tx.execute(delete(t.session).where(t.session.c.id == session))


def end_all(tx: Tx, officer: str) -> int:
    """Sign an officer out everywhere; of how many sessions."""
    return tx.execute(delete(t.session).where(t.session.c.officer == officer)).rowcount


def end_everything(tx: Tx) -> int:
    """Sign everybody out and take every link back, invitations too; how many sessions ended."""
    for table in (t.sign_in_link, t.sign_in_try):
        tx.execute(delete(table))
    return tx.execute(delete(t.session)).rowcount


def claim_form(tx: Tx, form: str, now: datetime) -> FormUse | None:
    """None when this form is sent for the first time, or was cut off by a crash: whoever asked now does it."""
    tx.take_turns(f"form:{form}")
    c = t.form_use.c
    tx.execute(delete(t.form_use).where(c.id == form, c.location.is_(None), c.used_at <= now - FORM_GIVEN_UP))
    found = tx.execute(select(c.used_at, c.location).where(c.id == form)).first()
    if found is not None:
        return FormUse(found.used_at, found.location)
    tx.execute(insert(t.form_use).values(id=form, used_at=now, location=None))
    return None


def form_done(tx: Tx, form: str, location: str) -> None:
    """It was done, and this is where the browser was sent."""
    tx.execute(update(t.form_use).where(t.form_use.c.id == form).values(location=location))


def form_undone(tx: Tx, form: str) -> None:
    """It changed nothing: it may be sent again."""
    tx.execute(delete(t.form_use).where(t.form_use.c.id == form))
