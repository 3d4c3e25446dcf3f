"""What registers and reports are made from: cases, duties and imported rows of one partnership, read in a few queries each.

Reads take the same handful of statements however many cases there are, and none of them touches sealed content but
`contents`, which an officer's export with names asks for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select

from gateway.core.duties import DutyState
from gateway.core.messages import IncidentId, MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.core.registers import Case, ImportedAlert, Owed, Said
from gateway.store import tables as t
from gateway.store.transaction import Tx

CHASE = "chase"
_MESSAGE = ("id", "incident", "type", "agency", "in_reply_to", "reference", "arrived_at", "decision", "facts")
_DUTY = (
    "id",
    "incident",
    "message",
    "agency",
    "role",
    "expects",
    "clock",
    "start_at",
    "due_on",
    "due_at",
    "due_inclusive",
    "state",
    "met_at",
    "event_at",
    "task",
)
_IMPORTED = tuple(ImportedAlert.__dataclass_fields__)


def cases(tx: Tx, partnership: PartnershipId, since: datetime | None, until: datetime | None) -> list[Case]:
    """Every incident opened from `since` until before `until` (None: no bound), oldest first, without any content."""
    chosen = _chosen(partnership, since, until)
    moments = _moments(tx, partnership, chosen)
    messages = _messages(tx, partnership, chosen)
    owed = defaultdict(list)
    for duty in _owed(tx, t.duty.c.partnership == partnership, t.duty.c.incident.in_(chosen)):
        owed[duty.incident].append(duty)
    decided = _decided(tx, partnership, chosen)
    columns = [t.incident.c[name] for name in ("id", "opened_at", "label", "state", "outcomes")]
    query = select(*columns).where(t.incident.c.partnership == partnership, t.incident.c.id.in_(chosen))
    rows = tx.execute(query.order_by(t.incident.c.opened_at, t.incident.c.id))
    return [
        Case(
            row.id,
            row.opened_at,
            row.label,
            row.state,
            tuple(str(one["outcome"]) for one in row.outcomes),
            decided.get(row.id),
            moments.get(row.id, {}),
            tuple(messages.get(row.id, ())),
            tuple(owed.get(row.id, ())),
        )
        for row in rows
    ]


def owed_in(tx: Tx, partnership: PartnershipId, since: datetime, until: datetime) -> list[Owed]:
    """Every duty due from `since` until before `until`; one without a limit counts by its start."""
    at = func.coalesce(t.duty.c.due_at, t.duty.c.start_at)
    return _owed(tx, t.duty.c.partnership == partnership, at >= since, at < until)


def imported(
    tx: Tx, partnership: PartnershipId, since: date | None, until: date | None
) -> list[ImportedAlert]:
    """Rows of older registers, by their own day."""
    columns = [t.imported_alert.c[name] for name in _IMPORTED]
    where = [t.imported_alert.c.partnership == partnership]
    where += [] if since is None else [t.imported_alert.c.alerted_on >= since]
    where += [] if until is None else [t.imported_alert.c.alerted_on < until]
    found = tx.execute(select(*columns).where(*where).order_by(t.imported_alert.c.alerted_on, *columns[:2]))
    return [_imported(row) for row in found]


def imported_of(tx: Tx, partnership: PartnershipId, source: str) -> dict[str, ImportedAlert]:
    """The rows of one source that are there already, by their reference."""
    columns = [t.imported_alert.c[name] for name in _IMPORTED]
    query = select(*columns).where(
        t.imported_alert.c.partnership == partnership, t.imported_alert.c.source == source
    )
    return {row.reference: _imported(row) for row in tx.execute(query)}


def take_over(
    tx: Tx, partnership: PartnershipId, rows: Sequence[ImportedAlert], by: str, at: datetime
) -> None:
    """Keep rows of an older register; one that is there already is replaced. No clock is started and no duty made."""
    table = t.imported_alert
    for row in rows:
        tx.execute(
            delete(table).where(
                table.c.partnership == partnership,
                table.c.source == row.source,
                table.c.reference == row.reference,
            )
        )
    if rows:
        values = [asdict(row) | {"reasons": list(row.reasons)} for row in rows]
        said = {"partnership": partnership, "imported_at": at, "imported_by": by}
        tx.execute(insert(table), [one | said for one in values])


def note_use(tx: Tx, values: Mapping[str, Any]) -> None:
    """Keep who exported or imported what, when and why."""
    tx.execute(insert(t.register_use), dict(values))


@dataclass(frozen=True, slots=True)
class Use:
    """One export or import of a register; that it was is an entry in the ledger, whose chain is `id`."""

    id: str
    act: str
    what: str
    form: str
    rows: int
    with_names: bool
    officer: str
    second_officer: str | None
    why: str
    at: datetime


def uses(tx: Tx, partnership: PartnershipId) -> list[Use]:
    """Every export and import of a partnership, newest first."""
    columns = [t.register_use.c[name] for name in Use.__dataclass_fields__]
    query = select(*columns).where(t.register_use.c.partnership == partnership)
    found = tx.execute(query.order_by(t.register_use.c.at.desc(), t.register_use.c.id))
    return [Use(*row) for row in found]


@dataclass(frozen=True, slots=True)
class Content:
    """A sealed message of an incident."""

    incident: IncidentId
    message: MessageId
    type: str
    sealed: bytes
    data_key: str


def contents(
    tx: Tx, partnership: PartnershipId, since: datetime | None, until: datetime | None, types: Collection[str]
) -> Iterator[Content]:
    """Sealed messages of these types that the rules let through, of incidents opened in these days; oldest first."""
    columns = [t.message.c[name] for name in ("incident", "id", "type", "sealed", "data_key")]
    query = select(*columns).where(
        t.message.c.partnership == partnership,
        t.message.c.incident.in_(_chosen(partnership, since, until)),
        t.message.c.type.in_(types),
        t.message.c.decision == "forward",
        t.message.c.sealed.is_not(None),
    )
    for row in tx.execute(query.order_by(t.message.c.arrived_at, t.message.c.id)):
        yield Content(*row)


def incidents_in(
    tx: Tx, partnership: PartnershipId, since: datetime | None, until: datetime | None
) -> list[IncidentId]:
    """The incidents opened in these days whose content was not erased."""
    query = select(t.incident.c.id).where(
        t.incident.c.partnership == partnership,
        t.incident.c.id.in_(_chosen(partnership, since, until)),
        t.incident.c.state == "open",
    )
    return [IncidentId(row.id) for row in tx.execute(query.order_by(t.incident.c.id))]


def _chosen(partnership: PartnershipId, since: datetime | None, until: datetime | None) -> Select[tuple[str]]:
    where = [t.incident.c.partnership == partnership]
    where += [] if since is None else [t.incident.c.opened_at >= since]
    where += [] if until is None else [t.incident.c.opened_at < until]
    return select(t.incident.c.id).where(*where)


def _moments(
    tx: Tx, partnership: PartnershipId, chosen: Select[tuple[str]]
) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = defaultdict(dict)
    query = select(t.moment.c.incident, t.moment.c.name, t.moment.c.at).where(
        t.moment.c.partnership == partnership, t.moment.c.incident.in_(chosen)
    )
    for row in tx.execute(query):
        found[row.incident][row.name] = row.at
    return found


def _messages(tx: Tx, partnership: PartnershipId, chosen: Select[tuple[str]]) -> dict[str, list[Said]]:
    """All but the gateway's own chases, oldest first."""
    columns = [t.message.c[name] for name in _MESSAGE]
    query = select(*columns).where(
        t.message.c.partnership == partnership, t.message.c.incident.in_(chosen), t.message.c.type != CHASE
    )
    found: dict[str, list[Said]] = defaultdict(list)
    for row in tx.execute(query.order_by(t.message.c.arrived_at, t.message.c.recorded_at, t.message.c.id)):
        found[row.incident].append(_said(row))
    return found


def _owed(tx: Tx, *where: ColumnElement[bool]) -> list[Owed]:
    """Duties with the arrival of what met each, and how often each was chased."""
    chases = _chases(tx, *where)
    query = (
        select(*[t.duty.c[name] for name in _DUTY], t.message.c.arrived_at)
        .outerjoin(t.message, t.message.c.id == t.duty.c.met_by)
        .where(*where)
        .order_by(t.duty.c.start_at, t.duty.c.agency, t.duty.c.id)
    )
    return [_duty(row, chases[row.id]) for row in tx.execute(query)]


def _chases(tx: Tx, *where: ColumnElement[bool]) -> Counter[str]:
    """How many chases were sent for each duty: a chase answers the duty's message, and its reference begins with the duty."""
    chased = t.message.alias("chase")
    query = (
        select(t.duty.c.id)
        .join(
            chased,
            (chased.c.partnership == t.duty.c.partnership)
            & (chased.c.incident == t.duty.c.incident)
            & (chased.c.type == CHASE)
            & chased.c.reference.startswith(t.duty.c.id),
        )
        .where(*where)
    )
    return Counter(tx.execute(query).scalars())


def _decided(tx: Tx, partnership: PartnershipId, chosen: Select[tuple[str]]) -> dict[str, datetime]:
    """When the latest decision on each incident was reached."""
    query = (
        select(t.entry.c.incident, func.max(t.entry.c.at).label("at"))
        .where(
            t.entry.c.partnership == partnership,
            t.entry.c.incident.in_(chosen),
            t.entry.c.event == Event.DECISION_REACHED.text,
        )
        .group_by(t.entry.c.incident)
    )
    return {row.incident: row.at for row in tx.execute(query)}


def _said(row: Any) -> Said:
    codes = {name: tuple(values) for name, values in row.facts.get("codes", {}).items()}
    moments = {name: datetime.fromisoformat(at) for name, at in row.facts.get("moments", {}).items()}
    return Said(
        row.id,
        row.type,
        row.agency,
        row.in_reply_to,
        row.reference,
        row.arrived_at,
        row.decision,
        codes,
        moments,
    )


def _duty(row: Any, chases: int) -> Owed:
    return Owed(
        row.id,
        row.incident,
        row.message,
        row.agency,
        row.role,
        row.expects,
        row.clock,
        row.start_at,
        row.due_on,
        row.due_at,
        row.due_inclusive,
        DutyState(row.state),
        row.event_at or row.met_at,
        row.arrived_at,
        chases,
        row.task,
    )


def _imported(row: Any) -> ImportedAlert:
    values = dict(row._mapping)
    return ImportedAlert(**(values | {"reasons": tuple(values["reasons"])}))
