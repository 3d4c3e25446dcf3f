"""Messages: recorded once, found by their sender's reference, content sealed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, insert, or_, select, true

from gateway.core.deliveries import DeliveryState
from gateway.core.messages import (
    ActionAsked,
    AgencyId,
    Facts,
    IncidentId,
    MessageId,
    PartnershipId,
    RoleId,
)
from gateway.store import tables as t
from gateway.store.prepared import Prepared
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: MessageId
    partnership: PartnershipId
    incident: IncidentId | None
    type: str
    version: int
    agency: AgencyId
    client: str | None
    reference: str
    fingerprint: str
    idempotency_key: str | None
    in_reply_to: MessageId | None
    facts: Mapping[str, Any]
    created_at: datetime
    arrived_at: datetime
    decision: str
    rule: str
    answer: Mapping[str, Any]
    receipt: str
    sealed: bytes | None
    data_key: str | None
    recorded_at: datetime
    taken_back_at: datetime | None


_NAMES = (
    "id",
    "partnership",
    "incident",
    "type",
    "version",
    "agency",
    "client",
    "reference",
    "fingerprint",
    "idempotency_key",
    "in_reply_to",
    "facts",
    "created_at",
    "arrived_at",
    "decision",
    "rule",
    "answer",
    "receipt",
    "sealed",
    "data_key",
    "recorded_at",
    "taken_back_at",
)
_ALL = select(*[t.message.c[name] for name in _NAMES])
_BY_REFERENCE = Prepared(
    _ALL.where(
        t.message.c.partnership == bindparam("partnership"),
        t.message.c.agency == bindparam("agency"),
        t.message.c.reference == bindparam("reference"),
    )
)
_BY_KEY = Prepared(
    _ALL.where(t.message.c.client == bindparam("client"), t.message.c.idempotency_key == bindparam("key"))
)
_SENDER = Prepared(
    select(t.message.c.agency).where(
        t.message.c.id == bindparam("message"),
        t.message.c.partnership == bindparam("partnership"),
        t.message.c.incident == bindparam("incident"),
    )
)
_KNOWN = Prepared(
    select(t.message.c.id).where(
        t.message.c.id == bindparam("message"),
        t.message.c.partnership == bindparam("partnership"),
        t.message.c.incident == bindparam("incident"),
        or_(
            t.message.c.agency == bindparam("agency"),
            exists().where(
                t.delivery.c.message == t.message.c.id,
                t.delivery.c.agency == bindparam("agency"),
                t.delivery.c.state != DeliveryState.HELD.value,
            ),
            exists().where(
                t.duty.c.partnership
                == bindparam("partnership"),  # with the incident: that finds the few, by index
                t.duty.c.incident == bindparam("incident"),
                t.duty.c.message == t.message.c.id,
                t.duty.c.agency == bindparam("agency"),
            ),
        ),
    )
)
_AVOIDING = Prepared(
    select(t.message.c.facts).where(
        t.message.c.partnership == bindparam("partnership"),
        t.message.c.incident == bindparam("incident"),
        t.message.c.avoids.is_(true()),  # few do: the others stay unread
    )
)


class Raced(Exception):
    """Another transaction has just recorded this reference or key: run the action again, and it finds the answer."""


_INSERT = Prepared(insert(t.message), taken=Raced)
AVOIDED = "do_not_contact"  # the fact that names them


def record(tx: Tx, values: Mapping[str, Any]) -> None:
    """Keep one message; Raced when its reference was taken meanwhile, which SQLite's single writer rules out."""
    tx.execute(_INSERT, {**values, "avoids": bool(values["facts"]["codes"].get(AVOIDED))})


def by_reference(tx: Tx, partnership: PartnershipId, agency: AgencyId, reference: str) -> MessageRow | None:
    found = tx.execute(_BY_REFERENCE, {"partnership": partnership, "agency": agency, "reference": reference})
    return _row(found.first())


def by_idempotency_key(tx: Tx, client: str, key: str) -> MessageRow | None:
    return _row(tx.execute(_BY_KEY, {"client": client, "key": key}).first())


def find(tx: Tx, partnerships: Sequence[str], message: MessageId) -> MessageRow | None:
    """A message of any of these partnerships."""
    query = _ALL.where(t.message.c.id == message, t.message.c.partnership.in_(partnerships))
    return _row(tx.execute(query).first())


def sender_of(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, message: MessageId
) -> AgencyId | None:
    """Who sent a message of this incident; None when it is another's, or none at all."""
    row = tx.execute(_SENDER, {"message": message, "partnership": partnership, "incident": incident}).first()
    return None if row is None else AgencyId(row[0])


def is_known_to(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, message: MessageId, agency: AgencyId
) -> bool:
    """Whether a message of this incident was sent by, sent to, or lays a duty on this agency."""
    values = {"message": message, "partnership": partnership, "incident": incident, "agency": agency}
    return tx.execute(_KNOWN, values).first() is not None


def concerns(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId, but: MessageId
) -> bool:
    """Whether anything but one message ties an agency to an incident: something it sent, received or owes."""
    here = (t.message.c.partnership == partnership, t.message.c.incident == incident, t.message.c.id != but)
    query = select(t.message.c.id).where(
        *here,
        or_(
            t.message.c.agency == agency,
            exists().where(t.delivery.c.message == t.message.c.id, t.delivery.c.agency == agency),
            exists().where(t.duty.c.message == t.message.c.id, t.duty.c.agency == agency),
        ),
    )
    return tx.execute(query).first() is not None


def of_incident(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, message_type: str | None = None
) -> list[MessageRow]:
    """Oldest first; of one type when named."""
    query = _ALL.where(t.message.c.partnership == partnership, t.message.c.incident == incident)
    if message_type is not None:
        query = query.where(t.message.c.type == message_type)
    rows = tx.execute(query.order_by(t.message.c.arrived_at, t.message.c.id))
    return [found for row in rows if (found := _row(row))]


def incidents_since(tx: Tx, partnership: PartnershipId, since_at: datetime) -> list[IncidentId]:
    """Every incident of a partnership to which something came at or after an instant."""
    query = (
        select(t.message.c.incident)
        .distinct()
        .where(
            t.message.c.partnership == partnership,
            t.message.c.arrived_at >= since_at,
            t.message.c.incident.is_not(None),
        )
    )
    return [IncidentId(row[0]) for row in tx.execute(query.order_by(t.message.c.incident))]


def corrections_of(tx: Tx, row: MessageRow) -> list[MessageRow]:
    """The corrections and recalls of one message that the rules let pass, oldest first."""
    if row.incident is None:
        return []
    every = of_incident(tx, row.partnership, row.incident, "correction")
    return [
        one for one in every if one.decision == "forward" and row.id in one.facts["codes"].get("corrects", ())
    ]


def avoided(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> frozenset[str]:
    """The seats that any message of the incident says not to contact, as rules read them (G-08)."""
    rows = tx.execute(_AVOIDING, {"partnership": partnership, "incident": incident})
    return frozenset(seat for row in rows for seat in row[0]["codes"].get(AVOIDED, ()))


def forwarded(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> set[tuple[str, str]]:
    """The type and the rule of every message of an incident that has gone on."""
    query = select(t.message.c.type, t.message.c.rule).where(
        t.message.c.partnership == partnership,
        t.message.c.incident == incident,
        t.message.c.decision == "forward",
    )
    return {(row.type, row.rule) for row in tx.execute(query)}


def seen_by(tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId) -> list[MessageRow]:
    """Those of an incident that an agency sent, or that a delivery names it for; oldest first."""
    query = _ALL.where(
        t.message.c.partnership == partnership,
        t.message.c.incident == incident,
        or_(
            t.message.c.agency == agency,
            exists().where(t.delivery.c.message == t.message.c.id, t.delivery.c.agency == agency),
        ),
    )
    rows = tx.execute(query.order_by(t.message.c.arrived_at, t.message.c.id))
    return [found for row in rows if (found := _row(row))]


def awaits_release(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId, message_type: str
) -> bool:
    """Whether a message of this kind from this agency is held and an officer has not ended the hold."""
    query = (
        select(t.message.c.id)
        .join(t.hold, t.hold.c.subject == t.message.c.id)
        .where(
            t.message.c.partnership == partnership,
            t.message.c.incident == incident,
            t.message.c.agency == agency,
            t.message.c.type == message_type,
            t.message.c.decision == "hold",
            t.hold.c.partnership == partnership,
            t.hold.c.settled_at.is_(None),
        )
    )
    return tx.execute(query).first() is not None


def is_sealed_by(tx: Tx, key_id: str) -> bool:
    """Whether a message names this data key."""
    return tx.execute(select(t.message.c.id).where(t.message.c.data_key == key_id)).first() is not None


def change(tx: Tx, partnership: PartnershipId, message: MessageId, **values: Any) -> None:
    tx.execute(
        t.message.update()
        .where(t.message.c.id == message, t.message.c.partnership == partnership)
        .values(**values)
    )


def forget_content(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """Erasure: the sealed content goes, and the keyed digest that could still tell a guess from the truth."""
    tx.execute(
        t.message.update()
        .where(t.message.c.partnership == partnership, t.message.c.incident == incident)
        .values(sealed=None, fingerprint="erased")
    )


def _row(row: Any) -> MessageRow | None:
    return None if row is None else MessageRow(*row)


def facts_document(facts: Facts, author_roles: Collection[RoleId] | None = None) -> dict[str, Any]:
    """Facts as they are stored, with the seats that the author held at the door: no personal data is among them."""
    seats = {} if author_roles is None else {"author_roles": sorted(author_roles)}
    return {
        **seats,
        "moments": {name: at.isoformat() for name, at in facts.moments.items()},
        "codes": {name: list(values) for name, values in facts.codes.items()},
        "agencies": list(facts.agencies),
        "schools": list(facts.schools),
        "actions": [
            [each.agency, each.role, each.due_at.isoformat() if each.due_at else None]
            for each in facts.actions
        ],
    }


def author_roles_of(document: Mapping[str, Any]) -> frozenset[RoleId]:
    """The seats that the author held when the message came."""
    return frozenset(RoleId(role) for role in document.get("author_roles", ()))


def facts_of(document: Mapping[str, Any]) -> Facts:
    """Stored facts as rules read them."""
    return Facts(
        {name: datetime.fromisoformat(at) for name, at in document["moments"].items()},
        {name: tuple(values) for name, values in document["codes"].items()},
        tuple(AgencyId(agency) for agency in document["agencies"]),
        tuple(document["schools"]),
        tuple(
            ActionAsked(
                AgencyId(agency),
                RoleId(role) if role else None,
                datetime.fromisoformat(due_at) if due_at else None,
            )
            for agency, role, due_at in document.get("actions", ())
        ),
    )
