"""What a delivery carries, what can come of one attempt, and when to try again.

`Adapter` is one of the house's three abstractions with more than one implementation: a way in or out of the building.
An adapter touches the network and never the database. It gets a `Parcel`, answers with an `Outcome` and raises nothing
for what a partner or a network does; whatever it raises is our own fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId, RoleId


class Fault(Enum):
    """Whose fault an undeliverable parcel is: kept apart in every figure."""

    PARTNER = "partner"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class LetterFile:
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter ready for e-mail. The subject carries a reference and no personal data; the text may name the child.

    An empty `html` is made from the text by whoever sends it.
    """

    subject: str
    text: str
    html: str
    files: tuple[LetterFile, ...] = ()
    reply_token: str | None = (
        None  # goes into the reply and bounce addresses; it locates, it never authenticates
    )
    is_receipt: bool = False  # answers a mail by itself: nothing may ever answer it (RFC 3834)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One attempt's worth of a delivery. `address` is an e-mail address, a URL or a mailbox id, from the directory.

    `secret` is the adapter's credential for this recipient (a webhook's signing secret) or None. `letter` is set only
    for adapters that carry words; the others carry ids and the recipient fetches the content with its own token.
    """

    delivery: DeliveryId
    message: MessageId
    message_type: str
    incident: IncidentId | None
    agency: AgencyId
    role: RoleId
    address: str | None
    attempt: int
    created_at: datetime
    letter: Letter | None = None
    secret: str | None = field(default=None, repr=False)
    document: bytes | None = field(default=None, repr=False)  # the whole message, for ways that carry it


@dataclass(frozen=True, slots=True)
class Posted:
    """What lay in a mailbox of ours: a message from `sender` there, or a report on one that we sent as `local_id`.

    `told` is the far end's own word on it, for a report.
    """

    id: str
    sender: str
    is_report: bool
    local_id: str | None
    told: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient's own system has it. `event` is the ETSI EN 319 522-3 name of what was proved."""

    event: str
    evidence: Mapping[str, str] = field(default_factory=dict)  # committed to, never written in clear


@dataclass(frozen=True, slots=True)
class Relayed:
    """A system that answers to nobody here took it (SMTP 250): never called delivered."""

    event: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TryLater:
    """`reason` is a coarse code (dns, tls, time-out, refused-connection, server-error, greylisted, rate-limited)."""

    reason: str
    after_seconds: float | None = None  # what the partner asked for (Retry-After), if it did
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undeliverable:
    reason: str
    fault: Fault
    evidence: Mapping[str, str] = field(default_factory=dict)


Outcome = Delivered | Relayed | TryLater | Undeliverable


class Adapter(Protocol):
    """A way out. `name` is the registry key that rule packs use (`inbox`, `webhook`, `mail`, `mesh`, `memory`)."""

    name: str

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Carry one parcel once. Safe to repeat with the same parcel: one id over all attempts."""
        ...

    async def aclose(self) -> None:
        """Close connections kept open."""
        ...


class DeliveryState(Enum):
    """The life of a delivery. HELD waits for an officer, PENDING for its next instant; the others are final."""

    HELD = "held"
    PENDING = "pending"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    FAILED_PARTNER = "failed-partner"
    FAILED_SYSTEM = "failed-system"
    CANCELLED = "cancelled"


NOTICE = (
    "notice"  # in place of a message's type: its recipient is told of it and gets none of its content (S0-30)
)
WEBHOOK_PING = "webhook.ping"  # the type of a notice that tells of nothing: an agency tries its endpoint
WAY_TEST = "way-test"  # the type of a test that an officer sends: about nobody
GONE = "gone"  # the endpoint itself says that it is closed for good
OUR_FAULT = "our-fault"  # the reason of a try that failed by a fault of this house

FINAL_STATES = frozenset(DeliveryState) - {DeliveryState.HELD, DeliveryState.PENDING}

# Every move that there is. What arrived may still go up its ladder, or come back uncollected; what failed may be driven again.
MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.HELD: frozenset({DeliveryState.PENDING, DeliveryState.CANCELLED}),
    DeliveryState.PENDING: FINAL_STATES | {DeliveryState.HELD},
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING, DeliveryState.FAILED_PARTNER}),
    DeliveryState.RELAYED: frozenset({DeliveryState.PENDING}),
    DeliveryState.FAILED_PARTNER: frozenset({DeliveryState.PENDING}),
    DeliveryState.FAILED_SYSTEM: frozenset({DeliveryState.PENDING}),
    DeliveryState.CANCELLED: frozenset(),
}

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=4)
PATIENCE = timedelta(days=4)


def next_attempt_at(attempt: int, first_at: datetime, now: datetime, outcome: TryLater) -> datetime | None:
    """When to try again after attempt number `attempt` (from 1), or None when patience (4 days) has run out.

    Waits double from 5 seconds to 4 hours; a partner's own `Retry-After` is honoured up to the longest wait.
    """
    if now - first_at >= PATIENCE:
        return None
    wait: timedelta = min(FIRST_WAIT * (1 << min(attempt - 1, 20)), LONGEST_WAIT)
    if outcome.after_seconds is not None:
        asked = timedelta(seconds=max(0.0, min(outcome.after_seconds, LONGEST_WAIT.total_seconds())))
        wait = max(wait, asked)
    return now + wait


def endpoint_digest(address: str) -> str:
    """What stands for an address where the address itself must not."""
    return hashlib.sha256(address.encode()).hexdigest()
