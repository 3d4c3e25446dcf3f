"""Is everything that was accepted accounted for? Rows and ledger are held against each other, on one snapshot.

Invariant: every message and every delivery is counted once, as delivered, pending, held, failed or unexplained; cancelled
by an officer, by a recall or by erasure counts as failed. `unexplained` is what no state of this gateway can be: it is an alarm, never a
figure to get used to. Erased incidents are explained by their erasure: what opened their statements is gone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, func, select

from gateway.core.deliveries import DeliveryState
from gateway.core.messages import MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.store import tables as t
from gateway.store.transaction import Tx

UNSEALED_TOO_LONG = timedelta(minutes=1)
UNREAD_TOO_LONG = timedelta(minutes=5)

_AT_ONCE = 500
_S = DeliveryState
_GROUPS = {
    _S.DELIVERED.value: "delivered",
    _S.RELAYED.value: "delivered",
    _S.PENDING.value: "pending",
    _S.HELD.value: "held",
    _S.FAILED_PARTNER.value: "failed",
    _S.FAILED_SYSTEM.value: "failed",
    _S.CANCELLED.value: "failed",
}
# Which statements a final state may rest on. A hand-over is none: an agency's own fetching makes one too.
_ARRIVED = (Event.CONTENT_CONSIGNMENT.text, Event.CONSIGNMENT_NOTIFICATION.text)
_RELAYED = (Event.RELAY_TO_NON_ERDS.text,)
_FAILED = (Event.UNDELIVERABLE.text, Event.RELAY_TO_NON_ERDS_FAILURE.text)
_GIVEN_UP = (Event.RECALLED.text, Event.UNDELIVERABLE.text, Event.RELEASED.text)
_PROOF: Mapping[str, Sequence[str]] = {
    _S.DELIVERED.value: _ARRIVED,
    _S.RELAYED.value: _RELAYED,
    _S.FAILED_PARTNER.value: _FAILED,
    _S.FAILED_SYSTEM.value: _FAILED,
    _S.CANCELLED.value: _GIVEN_UP,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """`accepted` is the sum of the others."""

    accepted: int = 0
    delivered: int = 0
    pending: int = 0
    held: int = 0
    failed: int = 0
    unexplained: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unexplained: what it is, in plain words, and whose id to look for.

    What `waits` for a process is explained while none is up.
    """

    what: str
    id: str
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Reconciliation:
    messages: Figures
    deliveries: Figures
    findings: tuple[Finding, ...]


class Unsent(NamedTuple):
    """A message that goes to nobody, and the entry that says whether that is right."""

    message: MessageId
    partnership: PartnershipId
    receipt: str


class _Owed(NamedTuple):
    """One delivery as far as it is looked at here."""

    id: str
    state: str
    next_at: datetime | None


def without_deliveries(tx: Tx) -> list[Unsent]:
    """Forwarded messages of incidents not erased, none of whose deliveries exist."""
    m, i = t.message.c, t.incident.c
    query = (
        select(m.id, m.partnership, m.receipt)
        .select_from(
            t.message.join(t.incident, i.id == m.incident).outerjoin(t.delivery, t.delivery.c.message == m.id)
        )
        .where(m.decision == "forward", i.state.not_in(("erasing", "erased")), t.delivery.c.id.is_(None))
    )
    return [Unsent(*row) for row in tx.execute(query)]


def reconcile(tx: Tx, now: datetime, broken: Mapping[MessageId, str]) -> Reconciliation:
    """Count everything and name what nothing explains. `now` is an aware UTC instant.

    `broken` says what is wrong with those of `without_deliveries` that promised one.
    """
    erased = set(tx.execute(select(t.incident.c.id).where(t.incident.c.state == "erased")).scalars())
    holds = _holds(tx)
    owed = _deliveries(tx)
    stated = _statements(tx)
    by_group: Counter[str] = Counter()
    by_delivery: Counter[str] = Counter()
    findings: list[Finding] = []
    for message in _messages(tx):
        is_erased = message.incident in erased
        mine = owed.pop(message.id, [])
        wrong = list(_message_faults(message, holds, broken))
        groups: list[str] = []
        for delivery, fault in _judged(mine, stated[message.id], holds, is_erased):
            group = "unexplained" if fault else _GROUPS[delivery.state]
            findings += [Finding(fault, delivery.id)] if fault else []
            by_delivery[group] += 1
            groups.append(group)
        findings += [Finding(fault, message.id) for fault in wrong]
        by_group["unexplained" if wrong else _message_group(message, groups, holds)] += 1
    for stray in (one for left in owed.values() for one in left):
        findings.append(Finding("a delivery stands without its message", stray.id))
        by_delivery["unexplained"] += 1
    findings += _without_rows(tx)
    by_group["unexplained"] += sum(1 for found in findings if found.what == _NO_ROW)
    findings += [*_unsealed(tx, now), *_unread(tx, now)]
    return Reconciliation(_figures(by_group), _figures(by_delivery), tuple(findings))


_NO_ROW = "a message was accepted in the ledger and has no row"
_WORST_FIRST = ("unexplained", "held", "pending", "failed")


def _figures(counted: Mapping[str, int]) -> Figures:
    return Figures(accepted=sum(counted.values()), **{name: n for name, n in counted.items() if n})


def _messages(tx: Tx) -> Iterator[Any]:
    """Every message, with the event of the entry that its receipt names."""
    m, e = t.message.c, t.entry.c
    query = select(m.id, m.incident, m.decision, e.event).select_from(
        t.message.outerjoin(t.entry, and_(e.id == m.receipt, e.chain == m.id))
    )
    yield from tx.execute(query.execution_options(yield_per=_AT_ONCE))


def _deliveries(tx: Tx) -> dict[str, list[_Owed]]:
    d = t.delivery.c
    query = select(d.message, d.id, d.state, d.next_at)
    found: defaultdict[str, list[_Owed]] = defaultdict(list)
    for row in tx.execute(query.execution_options(yield_per=_AT_ONCE)):
        found[row.message].append(_Owed(row.id, row.state, row.next_at))
    return found


def _statements(tx: Tx) -> defaultdict[str, Counter[str]]:
    """How often each final event was stated about each message."""
    wanted = sorted({event for events in _PROOF.values() for event in events})
    e = t.entry.c
    query = select(e.chain, e.event, func.count()).where(e.event.in_(wanted)).group_by(e.chain, e.event)
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for chain, event, count in tx.execute(query.execution_options(yield_per=_AT_ONCE)):
        found[chain][event] = count
    return found


def _holds(tx: Tx) -> dict[str, bool]:
    """Subjects that are or were held: True while at least one hold on them is open."""
    found: dict[str, bool] = {}
    for row in tx.execute(select(t.hold.c.subject, t.hold.c.settled_at)):
        found[row.subject] = found.get(row.subject, False) or row.settled_at is None
    return found


def _message_faults(
    message: Any, holds: Mapping[str, bool], broken: Mapping[MessageId, str]
) -> Iterator[str]:
    if message.event != Event.SUBMISSION_ACCEPTANCE.text:
        yield "a message stands without the entry that accepted it"
    if message.decision == "hold" and message.id not in holds:
        yield "a message is held and no officer is asked"
    if message.id in broken:
        yield broken[message.id]


def _judged(
    mine: Sequence[_Owed], stated: Counter[str], holds: Mapping[str, bool], is_erased: bool
) -> Iterator[tuple[_Owed, str | None]]:
    """Each delivery with what is wrong with it. A statement explains one delivery and is then used up."""
    left = Counter(stated)
    for one in sorted(mine, key=lambda each: each.state != _S.DELIVERED.value):
        if one.state == _S.PENDING.value:
            yield one, None if one.next_at else "a delivery waits for no instant"
        elif one.state == _S.HELD.value:
            yield one, None if holds.get(one.id) else "a delivery is held and no officer is asked"
        elif is_erased and one.state == _S.CANCELLED.value:
            yield one, None
        else:
            event = next((name for name in _PROOF[one.state] if left[name] > 0), None)
            left[event or ""] -= 1
            yield one, None if event else "a delivery is final and the ledger does not say so"


def _message_group(message: Any, groups: Sequence[str], holds: Mapping[str, bool]) -> str:
    """A message is as far as its slowest delivery; one that nobody has to get is delivered."""
    if message.decision == "hold":
        return "held" if holds.get(message.id) else "failed"  # an officer refused it
    settled = [group for group in groups if group != "unexplained"]  # counted once, with its delivery
    return next((name for name in _WORST_FIRST if name in settled), "delivered")


def _without_rows(tx: Tx) -> list[Finding]:
    e = t.entry.c
    query = (
        select(e.chain)
        .select_from(t.entry.outerjoin(t.message, t.message.c.id == e.chain))
        .where(e.event == Event.SUBMISSION_ACCEPTANCE.text, t.message.c.id.is_(None))
    )
    return [Finding(_NO_ROW, chain) for chain in tx.execute(query).scalars()]


def _unsealed(tx: Tx, now: datetime) -> list[Finding]:
    e = t.entry.c
    query = select(e.id).where(e.leaf_index.is_(None), e.at < now - UNSEALED_TOO_LONG)
    what = "an entry has not been sealed for more than a minute"
    return [Finding(what, entry, waits=True) for entry in tx.execute(query).scalars()]


def _unread(tx: Tx, now: datetime) -> list[Finding]:
    m = t.raw_mail.c
    query = select(m.id).where(m.state == "stored", m.stored_at < now - UNREAD_TOO_LONG)
    what = "a mail was kept more than five minutes ago and has not been read"
    return [Finding(what, one, waits=True) for one in tx.execute(query).scalars()]
