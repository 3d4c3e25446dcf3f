"""The envelope of one typed message, as the core sees it.

The body stays a model of `schemas`; the core sees the envelope and the few typed facts that rules read, so no field is
written twice. All identifiers are random and carry neither time nor sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType

MessageId = NewType("MessageId", str)  # msg-…
DeliveryId = NewType("DeliveryId", str)  # dlv-…
DutyId = NewType("DutyId", str)  # dty-…
EntryId = NewType("EntryId", str)  # ev-…  (a receipt is an entry handed out)
IncidentId = NewType("IncidentId", str)  # SI-7K3M-9QPX-2D
AgencyId = NewType("AgencyId", str)  # a slug from the directory
RoleId = NewType("RoleId", str)  # a slug of the contract: dsp-police, dsl, sbu, …
PartnershipId = NewType("PartnershipId", str)  # a rule pack's folder name


class AgencyKind(Enum):
    LOCAL_AUTHORITY = "local-authority"
    POLICE = "police"
    ICB = "icb"
    HEALTH_PROVIDER = "health-provider"
    SCHOOL = "school"
    BUSINESS_UNIT = "business-unit"
    VOLUNTARY = "voluntary"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Seat:
    """A role in an agency: what messages are addressed to. People are resolved when sending."""

    agency: AgencyId
    role: RoleId


@dataclass(frozen=True, slots=True)
class ActionAsked:
    """One thing that a message asks of one agency: of which role there, if it says so, and by when (S4-24)."""

    agency: AgencyId
    role: RoleId | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may read of a message: instants that start clocks, coded values, agencies it names.

    `moments` are aware UTC instants by event name (`aware_at`, `sin_submitted_at`, …), never inferred from one another.
    `codes` are the closed-vocabulary values of the body (`outcome`, `nature`, …). `schools` are school URNs named by
    the body, `agencies` directory slugs it names, `actions` what it asks of each agency. No personal data.
    """

    moments: Mapping[str, datetime] = field(default_factory=dict)
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    agencies: tuple[AgencyId, ...] = ()
    schools: tuple[str, ...] = ()
    actions: tuple[ActionAsked, ...] = ()


LATE_ENTRY = timedelta(hours=2)


def is_entered_late(written_at: datetime, arrived_at: datetime) -> bool:
    """Whether a message was written well before it came: on paper, or while the gateway could not be reached (G-13, C-16)."""
    return arrived_at - written_at > LATE_ENTRY


@dataclass(frozen=True, slots=True)
class Message:
    """One typed communication after reading: envelope and facts, without the body.

    `author_roles` are the seats of the sender's agency that the directory gives the author, by name, at the door.
    """

    id: MessageId
    type: str
    version: int
    partnership: PartnershipId
    agency: AgencyId
    agency_kind: AgencyKind
    reference: str
    incident: IncidentId | None
    in_reply_to: MessageId | None
    arrived_at: datetime
    facts: Facts
    author_roles: frozenset[RoleId] = frozenset()
