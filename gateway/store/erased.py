"""Erasures on record, and what of them a restored database has alive again. `record` and `recorded` are the custody store's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import delete, insert, select, update

from gateway.store import tables as t
from gateway.store.transaction import Tx
from keys.erasures import Erased

AT_ONCE = 500


def record(tx: Tx, made: Iterable[Erased]) -> None:
    """Keep erasures in the custody store; one that is there already gets the keys of both."""
    for one in made:
        tx.execute(delete(t.erasure).where(t.erasure.c.incident == one.incident))
        values = {"incident": one.incident, "partnership": one.partnership, "keys": sorted(one.keys)}
        tx.execute(insert(t.erasure).values(**values, erased_at=one.at))


def recorded(tx: Tx) -> dict[str, Erased]:
    rows = tx.execute(select(t.erasure))
    found = (Erased(row.incident, row.partnership, frozenset(row.keys), row.erased_at) for row in rows)
    return {one.incident: one for one in found}


def with_living_keys(tx: Tx, every: Collection[Erased]) -> set[str]:
    """In the custody store: erased incidents of which a data key can be unwrapped again."""
    by_key = {key: one.incident for one in every for key in one.keys}
    alive = set()
    for some in _chunks(by_key):
        where = (t.data_key.c.id.in_(some), t.data_key.c.wrapped.is_not(None))
        alive |= {by_key[row.id] for row in tx.execute(select(t.data_key.c.id).where(*where))}
    for some in _chunks(one.incident for one in every):
        own = (t.data_key.c.incident.in_(some), t.data_key.c.wrapped.is_not(None))
        alive |= set(tx.execute(select(t.data_key.c.incident).where(*own)).scalars())
    return {incident for incident in alive if incident is not None}


def not_erased(tx: Tx, every: Collection[Erased]) -> set[str]:
    """In the book: erased incidents that stand there as if they were not."""
    found: set[str] = set()
    for some in _chunks(one.incident for one in every):
        where = (t.incident.c.id.in_(some), t.incident.c.state != "erased")
        found |= set(tx.execute(select(t.incident.c.id).where(*where)).scalars())
    return found


def empty_sealed_by(tx: Tx, keys: Collection[str], at: datetime) -> int:
    """In the book: empty mail and files that came before their incident, and are not matched with it in an older back-up."""
    emptied = 0
    for some in _chunks(keys):
        loose = (t.raw_mail.c.data_key.in_(some), t.raw_mail.c.incident.is_(None))
        mails = list(tx.execute(select(t.raw_mail.c.id).where(*loose)).scalars())
        ended = {"settled_at": at, "settled_by": "erasure", "settled_as": "erased"}
        held = (t.hold.c.subject_kind == "mail", t.hold.c.subject.in_(mails), t.hold.c.settled_at.is_(None))
        tx.execute(update(t.hold).where(*held).values(**ended))
        values = {"sealed": None, "sealed_reading": None, "state": "settled", "kind": "erased"}
        tx.execute(update(t.raw_mail).where(t.raw_mail.c.id.in_(mails)).values(**values))
        unnamed = (t.attachment.c.data_key.in_(some), t.attachment.c.message.is_(None))
        emptied += len(mails) + tx.execute(delete(t.attachment).where(*unnamed)).rowcount
    return emptied


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(values)
    while some := list(islice(left, AT_ONCE)):
        yield some
