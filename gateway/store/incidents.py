"""Incidents, who is involved in them, and the instants that start their clocks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, literal_column, or_, select, update

from gateway.core.messages import AgencyId, IncidentId, MessageId, PartnershipId
from gateway.store import tables as t
from gateway.store.prepared import Places, Prepared
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Incident:
    id: IncidentId
    partnership: PartnershipId
    chain: str
    pack_version: str
    label: str | None
    state: str  # open, erasing, erased, closed, transferred
    outcomes: Sequence[Mapping[str, Any]]
    opened_at: datetime
    legal_hold: bool
    erased_at: datetime | None
    police_hold: str | None = None  # why disclosure waits, a code (G-11)
    ended_at: datetime | None = None  # since when it is closed or transferred
    transferred_to: str | None = None  # another incident here, or a council elsewhere

    @property
    def outcome(self) -> dict[str, Any] | None:
        """The decision reached last, coded; None while none is."""
        return {name: self.outcomes[-1][name] for name in OUTCOME} if self.outcomes else None


# What is told of a decision that was reached. A row keeps besides: `about` (the message decided on), `reached_at`.
OUTCOME = ("decision", "outcome", "dissent")


_COLUMNS = [
    t.incident.c[name]
    for name in (
        "id",
        "partnership",
        "chain",
        "pack_version",
        "label",
        "state",
        "outcomes",
        "opened_at",
        "legal_hold",
        "erased_at",
        "police_hold",
        "ended_at",
        "transferred_to",
    )
]
_BY_ID = select(*_COLUMNS).where(
    t.incident.c.partnership == bindparam("partnership"), t.incident.c.id == bindparam("incident")
)
_LOCKED = Prepared(_BY_ID.with_for_update())
_PLACES = Places("incident")
_LOCKED_EACH = Prepared(  # waits for nobody: who holds several may not hold them up for one
    select(t.incident.c.id)
    .where(
        t.incident.c.partnership == bindparam("partnership"),
        t.incident.c.id.in_(_PLACES.binds),
    )
    .with_for_update(skip_locked=True)
)
_PARTICIPANTS = Prepared(
    select(t.participant.c.agency, t.participant.c.guest).where(
        t.participant.c.partnership == bindparam("partnership"),
        t.participant.c.incident == bindparam("incident"),
    )
)
_MOMENTS = Prepared(
    select(t.moment.c.name, t.moment.c.at).where(
        t.moment.c.partnership == bindparam("partnership"), t.moment.c.incident == bindparam("incident")
    )
)
_OPEN = Prepared(insert(t.incident))
_INVOLVE = Prepared(insert(t.participant))
_RECORD_MOMENT = Prepared(insert(t.moment))


def lock(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> Incident | None:
    """The incident with its row locked until the transaction ends: every action on an incident begins so."""
    return _incident(tx.execute(_LOCKED, {"partnership": partnership, "incident": incident}).first())


def lock_each(tx: Tx, partnership: PartnershipId, incidents: Sequence[IncidentId]) -> bool:
    """Lock up to `AT_ONCE` incidents of a partnership; False when somebody else has one. On SQLite the writer is the lock."""
    if tx.engine_name == "sqlite":
        return True
    wanted = sorted(set(incidents))
    asked = {"partnership": partnership, **_PLACES.of(wanted)}
    return len(tx.execute(_LOCKED_EACH, asked).rows) == len(wanted)


def find(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> Incident | None:
    return _incident(tx.execute(_BY_ID, {"partnership": partnership, "incident": incident}).first())


def partnership_of(tx: Tx, incident: IncidentId) -> PartnershipId | None:
    """The officer's commands name an incident alone; agencies' requests never come through here."""
    row = tx.execute(select(t.incident.c.partnership).where(t.incident.c.id == incident)).first()
    return None if row is None else PartnershipId(row.partnership)


def partnership_for(
    tx: Tx, agency: AgencyId, partnerships: Sequence[str], incident: IncidentId
) -> PartnershipId | None:
    """Where an incident belongs that this agency takes part in; foreign and unknown cost the same and look the same."""
    query = select(t.incident.c.partnership).where(
        t.incident.c.id == incident,
        t.incident.c.partnership.in_(partnerships),
        select(t.participant.c.agency)
        .where(
            t.participant.c.partnership == t.incident.c.partnership,
            t.participant.c.incident == t.incident.c.id,
            t.participant.c.agency == agency,
        )
        .exists(),
    )
    row = tx.execute(query).first()
    return None if row is None else PartnershipId(row.partnership)


def newly_opened(
    incident: IncidentId,
    partnership: PartnershipId,
    chain: str,
    pack_version: str,
    at: datetime,
    label: str | None = None,
) -> dict[str, Any]:
    """The row of an incident at its beginning."""
    return {
        "id": incident,
        "partnership": partnership,
        "chain": chain,
        "pack_version": pack_version,
        "label": label,
        "state": "open",
        "outcomes": [],
        "opened_at": at,
        "legal_hold": False,
        "erased_at": None,
        "police_hold": None,
        "ended_at": None,
    }


def open_new(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(_OPEN, dict(values))


def change(tx: Tx, partnership: PartnershipId, incident: IncidentId, **values: Any) -> None:
    tx.execute(
        update(t.incident)
        .where(t.incident.c.partnership == partnership, t.incident.c.id == incident)
        .values(**values)
    )


def every(
    tx: Tx, partnerships: Sequence[str], after: Incident | None = None, most: int | None = None
) -> list[Incident]:
    """Newest first, older than `after`; all of them unless `most` is given."""
    opened_at, key = t.incident.c.opened_at, t.incident.c.id
    query = select(*_COLUMNS).where(t.incident.c.partnership.in_(partnerships))
    if after is not None:
        same = and_(opened_at == after.opened_at, key < after.id)
        query = query.where(or_(opened_at < after.opened_at, same))
    rows = tx.execute(query.order_by(opened_at.desc(), key.desc()).limit(most))
    return [found for row in rows if (found := _incident(row))]


def exists(tx: Tx, incident: str) -> bool:
    """Whether an incident of this id was ever opened here, in whichever partnership: for sweeping unused keys."""
    return tx.execute(select(t.incident.c.id).where(t.incident.c.id == incident)).first() is not None


def ended_before(tx: Tx, partnership: PartnershipId, before: datetime) -> list[Incident]:
    """Closed or transferred before an instant and not erased, those under a legal hold among them; the oldest first."""
    query = select(*_COLUMNS).where(
        t.incident.c.partnership == partnership,
        t.incident.c.state.in_(("closed", "transferred")),
        t.incident.c.ended_at < before,
    )
    rows = tx.execute(query.order_by(t.incident.c.ended_at, t.incident.c.id))
    return [found for row in rows if (found := _incident(row))]


def held_legally(tx: Tx, partnerships: Sequence[str]) -> list[Incident]:
    """Every incident under a legal hold, by its id."""
    where = (t.incident.c.partnership.in_(partnerships), t.incident.c.legal_hold.is_(True))
    rows = tx.execute(select(*_COLUMNS).where(*where).order_by(t.incident.c.id))
    return [found for row in rows if (found := _incident(row))]


def held_from_disclosure(tx: Tx, partnerships: Sequence[str]) -> list[Incident]:
    """Every incident under a police hold, by its id."""
    where = (t.incident.c.partnership.in_(partnerships), t.incident.c.police_hold.is_not(None))
    rows = tx.execute(select(*_COLUMNS).where(*where).order_by(t.incident.c.id))
    return [found for row in rows if (found := _incident(row))]


def being_erased(tx: Tx, within: Sequence[str] | None = None) -> list[Incident]:
    """Erasures under way, or that a crash interrupted; the timetable finishes them."""
    query = select(*_COLUMNS).where(t.incident.c.state == literal_column("'erasing'"))  # as its index says
    if within is not None:
        query = query.where(t.incident.c.partnership.in_(within))
    rows = tx.execute(query)
    return [found for row in rows if (found := _incident(row))]


def taking_part(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> dict[AgencyId, bool]:
    """Every agency of an incident, and whether it is a guest there."""
    rows = tx.execute(_PARTICIPANTS, {"partnership": partnership, "incident": incident})
    return {AgencyId(row[0]): bool(row[1]) for row in rows}


def participants(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[AgencyId]:
    return list(taking_part(tx, partnership, incident))


def leave(tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId) -> None:
    """The agency takes part no more; what was delivered to it stays on record."""
    tx.execute(
        delete(t.participant).where(
            t.participant.c.partnership == partnership,
            t.participant.c.incident == incident,
            t.participant.c.agency == agency,
        )
    )


def involve(
    tx: Tx,
    partnership: PartnershipId,
    incident: IncidentId,
    agencies: list[AgencyId],
    guest: bool = False,
) -> None:
    """Add agencies to an incident, as guests or not; those already involved stay as they are."""
    known = set(participants(tx, partnership, incident))
    fresh = [agency for agency in dict.fromkeys(agencies) if agency not in known]
    if fresh:
        rows = [
            {"partnership": partnership, "incident": incident, "agency": a, "guest": guest} for a in fresh
        ]
        tx.execute(_INVOLVE, rows)


def moments(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> dict[str, datetime]:
    return dict(tx.execute(_MOMENTS, {"partnership": partnership, "incident": incident}))


def record_moments(
    tx: Tx,
    partnership: PartnershipId,
    incident: IncidentId,
    message: MessageId | None,
    at: Mapping[str, datetime],
) -> dict[str, datetime]:
    """Set start events once; a later message never moves a clock that runs (C-13). All that are known afterwards."""
    known = moments(tx, partnership, incident)
    fresh = {name: instant for name, instant in at.items() if name not in known}
    if fresh:
        rows = [
            {
                "partnership": partnership,
                "incident": incident,
                "name": name,
                "at": instant,
                "message": message,
            }
            for name, instant in fresh.items()
        ]
        tx.execute(_RECORD_MOMENT, rows)
    return {**known, **fresh}


def forget_moments(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, message: MessageId, names: Collection[str]
) -> frozenset[str]:
    """Take away those start events of these names that a message brought; which. What told of them is in the ledger."""
    m = t.moment.c
    mine = (m.partnership == partnership, m.incident == incident, m.message == message, m.name.in_(names))
    found = frozenset(tx.execute(select(m.name).where(*mine)).scalars())
    if found:
        tx.execute(delete(t.moment).where(*mine))
    return found


def _incident(row: Any) -> Incident | None:
    return None if row is None else Incident(*row)
