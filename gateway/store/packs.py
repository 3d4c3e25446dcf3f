"""Activated rule packs, stored whole, so that every process has the same one and old duties stay explainable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from gateway.core.messages import PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class PackRow:
    partnership: PartnershipId
    version: str
    files: Mapping[str, str]
    digest: str
    activated_at: datetime


_ALL = select(t.pack.c.partnership, t.pack.c.version, t.pack.c.files, t.pack.c.digest, t.pack.c.activated_at)


def current(tx: Tx, partnership: PartnershipId) -> PackRow | None:
    row = tx.execute(_ALL.where(t.pack.c.partnership == partnership, t.pack.c.current.is_(True))).first()
    return None if row is None else PackRow(*row)


def version(tx: Tx, partnership: PartnershipId, wanted: str) -> PackRow | None:
    row = tx.execute(_ALL.where(t.pack.c.partnership == partnership, t.pack.c.version == wanted)).first()
    return None if row is None else PackRow(*row)


def versions(tx: Tx, partnership: PartnershipId) -> list[PackRow]:
    """Every version that was ever in force, the one put in force last first."""
    rows = tx.execute(_ALL.where(t.pack.c.partnership == partnership).order_by(t.pack.c.activated_at.desc()))
    return [PackRow(*row) for row in rows]


def in_force(tx: Tx) -> list[PackRow]:
    rows = tx.execute(_ALL.where(t.pack.c.current.is_(True)).order_by(t.pack.c.partnership))
    return [PackRow(*row) for row in rows]


def activate(tx: Tx, pack: PackRow, by: str, seconded_by: str) -> None:
    """Put a version in force; the one before stays for the duties made under it."""
    tx.execute(update(t.pack).where(t.pack.c.partnership == pack.partnership).values(current=False))
    known = version(tx, pack.partnership, pack.version)
    values = {
        "activated_at": pack.activated_at,
        "activated_by": by,
        "seconded_by": seconded_by,
        "current": True,
    }
    if known is None:
        row = {
            "partnership": pack.partnership,
            "version": pack.version,
            "files": dict(pack.files),
            "digest": pack.digest,
        }
        tx.execute(insert(t.pack).values(**row, **values))
    else:
        where = (t.pack.c.partnership == pack.partnership, t.pack.c.version == pack.version)
        tx.execute(update(t.pack).where(*where).values(**values))
