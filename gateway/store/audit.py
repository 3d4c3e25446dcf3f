"""Who did what: the entries that tell of a person's act, over all incidents, newest first.

Names stand in no column of an entry: they are sealed with the rest under the incident's key. What leaves no incident behind it (a
search, a register taken out, rules or holidays put in force) has its officers in a row of its own, found by the entry's chain.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.overview import Place
from gateway.store.transaction import Tx

PACK, CALENDAR = "pack-", "calendar-"


@dataclass(frozen=True, slots=True)
class Looked:
    """Which acts: of these events, from `since` until before `until`, on one incident or any."""

    events: Collection[str]
    since: datetime
    until: datetime
    incident: IncidentId | None = None


@dataclass(frozen=True, slots=True)
class ActRow:
    """One entry. `disclosures` are sealed under the incident's key of the name `data_key`."""

    id: str
    partnership: PartnershipId | None
    incident: IncidentId | None
    chain: str
    event: str
    at: datetime
    statement: bytes
    disclosures: bytes | None
    data_key: str | None


def acts(
    tx: Tx, within: Sequence[PartnershipId], looked: Looked, after: Place | None, most: int
) -> list[ActRow]:
    """At most `most` of them, those of the deployment itself among them, after the place where a page before ended."""
    c = t.entry.c
    query = select(*[c[name] for name in ActRow.__slots__]).where(
        or_(c.partnership.in_(list(within)), c.partnership.is_(None)),
        c.event.in_(sorted(looked.events)),
        c.at >= looked.since,
        c.at < looked.until,
    )
    if looked.incident is not None:
        query = query.where(c.incident == looked.incident, c.partnership.in_(list(within)))
    if after is not None:
        query = query.where(or_(c.at < after.at, and_(c.at == after.at, c.id < after.id)))
    rows = tx.execute(query.order_by(c.at.desc(), c.id.desc()).limit(most))
    return [ActRow(*row) for row in rows]


def officers_of(
    tx: Tx, within: Sequence[PartnershipId], rows: Sequence[ActRow]
) -> dict[str, tuple[str, str | None]]:
    """By chain, for packs by chain and instant: who did it and who agreed, of what has no incident."""
    found: dict[str, tuple[str, str | None]] = {}
    search, use, pack, lists = t.search.c, t.register_use.c, t.pack.c, t.holidays.c
    mine, wanted = list(within), list({row.chain for row in rows})
    query = select(search.id, search.officer).where(search.id.in_(wanted), search.partnership.in_(mine))
    found |= {row.id: (row.officer, None) for row in tx.execute(query)}
    uses = select(use.id, use.officer, use.second_officer)
    uses = uses.where(use.id.in_(wanted), use.partnership.in_(mine))
    found |= {row.id: (row.officer, row.second_officer) for row in tx.execute(uses)}
    packs = select(pack.partnership, pack.activated_at, pack.activated_by, pack.seconded_by)
    for row in tx.execute(packs.where(pack.partnership.in_(mine))):
        found[of_pack(f"{PACK}{row.partnership}", row.activated_at)] = (row.activated_by, row.seconded_by)
    named = select(lists.version, lists.uploaded_by, lists.seconded_by)
    versions = [chain.removeprefix(CALENDAR) for chain in wanted if chain.startswith(CALENDAR)]
    for row in tx.execute(named.where(lists.version.in_(versions))):
        found[CALENDAR + row.version] = (row.uploaded_by, row.seconded_by)
    return found


def of_pack(chain: str, at: datetime) -> str:
    """A pack's chain has an entry for each activation: which one tells the instant."""
    return f"{chain}@{at.isoformat()}"
