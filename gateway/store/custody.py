"""The custody store: wrapped data keys, in a database of their own with a short back-up life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.store import tables as t
from gateway.store.prepared import Places, Prepared
from gateway.store.transaction import Store, Tx
from keys.sealing import WrappedKey

OWN, PIECE = (
    "key-",
    "piece-",
)  # an incident's own key; that of a piece which came apart and may be attached later

_OF_INCIDENT = Prepared(
    select(t.data_key.c.id, t.data_key.c.wrapped, t.data_key.c.master)
    .where(
        t.data_key.c.incident == bindparam("incident"),
        t.data_key.c.wrapped.is_not(None),
        t.data_key.c.id.startswith(OWN),
    )
    .order_by(t.data_key.c.created_at, t.data_key.c.id)
    .limit(1)
)
_INCIDENTS = Places("incident")
_OF_INCIDENTS = Prepared(
    select(t.data_key.c.incident, t.data_key.c.id, t.data_key.c.wrapped, t.data_key.c.master)
    .where(
        t.data_key.c.incident.in_(_INCIDENTS.binds),
        t.data_key.c.wrapped.is_not(None),
        t.data_key.c.id.startswith(OWN),
    )
    .order_by(t.data_key.c.created_at.desc(), t.data_key.c.id.desc())
)
_NAMED = Prepared(
    select(t.data_key.c.id, t.data_key.c.wrapped, t.data_key.c.master).where(
        t.data_key.c.id == bindparam("id"), t.data_key.c.wrapped.is_not(None)
    )
)
_KEEP = Prepared(insert(t.data_key))


def keep(tx: Tx, key: WrappedKey, incident: str | None, at: datetime) -> None:
    row = {"id": key.id, "wrapped": key.wrapped, "master": key.master}
    tx.execute(_KEEP, row | {"incident": incident, "created_at": at})


def of_incident(tx: Tx, incident: str) -> WrappedKey | None:
    """The incident's own data key; None when it is destroyed or never was."""
    row = tx.execute(_OF_INCIDENT, {"incident": incident}).first()
    return None if row is None else WrappedKey(*row)


def own_key(store: Store, incident: str) -> WrappedKey | None:
    """`of_incident` for a function that runs in a store's thread; `store` is the custody store."""
    row = store.look_up(_OF_INCIDENT, {"incident": incident}).first()
    return None if row is None else WrappedKey(*row)


def own_keys(store: Store, incidents: Sequence[str]) -> dict[str, WrappedKey]:
    """`own_key` of up to `AT_ONCE` incidents, by incident."""
    found = store.look_up(_OF_INCIDENTS, _INCIDENTS.of(incidents))
    return {incident: WrappedKey(*row) for incident, *row in found}  # of several the first that was made


def named_key(store: Store, key_id: str) -> WrappedKey | None:
    """`find` for a function that runs in another store's thread; `store` is the custody store."""
    row = store.look_up(_NAMED, {"id": key_id}).first()
    return None if row is None else WrappedKey(*row)


def find(tx: Tx, key_id: str) -> WrappedKey | None:
    query = select(t.data_key.c.id, t.data_key.c.wrapped, t.data_key.c.master)
    row = tx.execute(query.where(t.data_key.c.id == key_id, t.data_key.c.wrapped.is_not(None))).first()
    return None if row is None else WrappedKey(*row)


def keys_of(tx: Tx, incident: str) -> list[str]:
    """The ids of every data key of an incident, destroyed ones among them."""
    return list(tx.execute(select(t.data_key.c.id).where(t.data_key.c.incident == incident)).scalars())


def wrapped_otherwise(tx: Tx, master: str, most: int) -> list[WrappedKey]:
    """Living data keys that are wrapped under another master key than this one."""
    query = select(t.data_key.c.id, t.data_key.c.wrapped, t.data_key.c.master).where(
        t.data_key.c.wrapped.is_not(None), t.data_key.c.master != master
    )
    return [WrappedKey(*row) for row in tx.execute(query.limit(most))]


def masters(tx: Tx) -> list[str]:
    """The master keys under which some living data key is wrapped."""
    query = select(t.data_key.c.master).where(t.data_key.c.wrapped.is_not(None)).distinct()
    return sorted(tx.execute(query).scalars())


def exchange(tx: Tx, fresh: WrappedKey, before: str) -> bool:
    """Put the same data key, wrapped anew, in the place of the old; False when it was destroyed or exchanged meanwhile."""
    where = (t.data_key.c.id == fresh.id, t.data_key.c.master == before, t.data_key.c.wrapped.is_not(None))
    done = tx.execute(update(t.data_key).where(*where).values(wrapped=fresh.wrapped, master=fresh.master))
    return done.rowcount == 1


def attach(tx: Tx, key_id: str, incident: str) -> None:
    """A piece that came before its incident was matched: its key is destroyed with the incident's from now on."""
    tx.execute(update(t.data_key).where(t.data_key.c.id == key_id).values(incident=incident))


def made_between(tx: Tx, after: datetime, before: datetime) -> list[tuple[str, str | None]]:
    """Keys made in a span of time that are not destroyed: (id, incident)."""
    where = (
        t.data_key.c.created_at >= after,
        t.data_key.c.created_at < before,
        t.data_key.c.wrapped.is_not(None),
    )
    rows = tx.execute(select(t.data_key.c.id, t.data_key.c.incident).where(*where))
    return [(row.id, row.incident) for row in rows]


def forget(tx: Tx, key_ids: Sequence[str]) -> None:
    """Remove keys that seal nothing."""
    tx.execute(delete(t.data_key).where(t.data_key.c.id.in_(list(key_ids))))


def discard(tx: Tx, incident: str) -> None:
    """Forget the keys made for an incident that was never opened: they seal nothing."""
    tx.execute(delete(t.data_key).where(t.data_key.c.incident == incident))


def destroy(tx: Tx, incident: str, key_ids: Sequence[str], at: datetime) -> int:
    """Destroy every data key of an incident and those named besides; how many there were."""
    which = (t.data_key.c.incident == incident) | t.data_key.c.id.in_(list(key_ids))
    done = tx.execute(
        update(t.data_key)
        .where(which, t.data_key.c.wrapped.is_not(None))
        .values(wrapped=None, destroyed_at=at)
    )
    return done.rowcount
