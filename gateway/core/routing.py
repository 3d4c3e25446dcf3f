"""From a rule's recipients to seats of the directory. Recipients come only from the directory; nobody is guessed.

A role that nobody holds is a gap: it is reported for an officer, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId, Seat
from gateway.core.rules import Recipients, Whom


@dataclass(frozen=True, slots=True)
class Holder:
    """A person in a seat, with the dates of an announced absence."""

    name: str
    email: str | None
    telephone: str | None
    rank: int
    absent_from: datetime | None = None
    absent_until: datetime | None = None

    def is_absent(self, at: datetime) -> bool:
        if self.absent_from is None or at < self.absent_from:
            return False
        return self.absent_until is None or at < self.absent_until


@dataclass(frozen=True, slots=True)
class Way:
    """How a seat is reached: an adapter's name and its address there."""

    adapter: str
    address: str | None = None
    secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Agency:
    id: AgencyId
    kind: AgencyKind
    name: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Directory:
    """One partnership's address book as a snapshot."""

    partnership: PartnershipId
    agencies: Mapping[AgencyId, Agency]
    seats: Mapping[Seat, tuple[Holder, ...]]  # in order of rank
    ways: Mapping[Seat, Way]  # role "*" serves every role of the agency
    _by_role: Mapping[RoleId, tuple[Seat, ...]]

    @classmethod
    def of(
        cls,
        partnership: PartnershipId,
        agencies: Iterable[Agency],
        seats: Mapping[Seat, tuple[Holder, ...]],
        ways: Mapping[Seat, Way],
    ) -> Directory:
        by_role: dict[RoleId, list[Seat]] = {}
        for seat in sorted(seats, key=lambda s: (s.role, s.agency)):
            by_role.setdefault(seat.role, []).append(seat)
        frozen = {role: tuple(found) for role, found in by_role.items()}
        return cls(partnership, {agency.id: agency for agency in agencies}, seats, ways, frozen)

    def seats_of(self, role: RoleId) -> tuple[Seat, ...]:
        return self._by_role.get(role, ())

    def school(self, urn: str) -> AgencyId | None:
        """The school with this URN, if it is enrolled."""
        schools = (a for a in self.agencies.values() if a.kind is AgencyKind.SCHOOL and a.code == urn)
        return next((agency.id for agency in schools), None)

    def way_to(self, seat: Seat) -> Way:
        """How the seat is reached; the inbox when nothing else is enrolled."""
        return self.ways.get(seat) or self.ways.get(Seat(seat.agency, RoleId("*"))) or Way("inbox")

    def present_holder(self, seat: Seat, at: datetime) -> Holder | None:
        """The first holder or deputy who is not absent; an absent person is never the only addressee (G-04)."""
        return next((holder for holder in self.seats.get(seat, ()) if not holder.is_absent(at)), None)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What recipients may depend on besides the directory."""

    sender: AgencyId
    involved: tuple[AgencyId, ...] = ()
    named: tuple[AgencyId, ...] = ()
    schools: tuple[str, ...] = ()
    asker: AgencyId | None = None
    avoided: frozenset[str] = (
        frozenset()
    )  # seats that some message of the incident says not to contact (G-08)


@dataclass(frozen=True, slots=True)
class Resolved:
    seats: tuple[Seat, ...]
    gaps: tuple[str, ...]  # coarse codes: nobody-holds-<role>, unknown-agency, unknown-school


def resolve(recipients: Recipients, directory: Directory, now: Circumstances) -> Resolved:
    """The seats that a rule's recipients stand for, and what could not be found."""
    role = recipients.role
    match recipients.whom:
        case Whom.SEAT:
            seats = directory.seats_of(role)
            return Resolved(seats, () if seats else (f"nobody-holds-{role}",))
        case Whom.INVOLVED:
            return _at(role, [a for a in now.involved if a != now.sender], directory)
        case Whom.NAMED:
            named = now.named or tuple(a for a in now.involved if a != now.sender)
            return _at(role, named, directory)
        case Whom.SCHOOLS:
            found = [directory.school(urn) for urn in now.schools]
            known = _at(role, [agency for agency in found if agency], directory)
            return Resolved(known.seats, known.gaps + ("unknown-school",) * found.count(None))
        case Whom.ASKER:
            return _at(role, [now.asker] if now.asker else [], directory)


def _at(role: RoleId, agencies: Iterable[AgencyId], directory: Directory) -> Resolved:
    """The role at each agency. A seat without a holder still receives when the agency has a way of its own."""
    seats: list[Seat] = []
    gaps: list[str] = []
    for agency in dict.fromkeys(agencies):
        seat = Seat(agency, role)
        if agency not in directory.agencies:
            gaps.append("unknown-agency")
        elif seat in directory.seats or Seat(agency, RoleId("*")) in directory.ways:
            seats.append(seat)
        else:
            gaps.append(f"nobody-holds-{role}")
    return Resolved(tuple(seats), tuple(gaps))
