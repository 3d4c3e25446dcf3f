"""From a rule's recipients to seats of the directory. Recipients come only from the directory; nobody is guessed.

A role that nobody holds is a gap: it is reported for an officer, never dropped. Whoever is absent (leave, a day that is not
worked, a rota, a school's holidays) is passed over for the next deputy, then for the seat's team mailbox, then for the
agency's out-of-hours team (G-03, G-04, S3-23). Where nobody present holds a role at all, the pack's deputies of that role
stand in, in their order (S3-07).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import assert_never

from gateway.core.messages import AgencyId, AgencyKind, Facts, PartnershipId, RoleId, Seat
from gateway.core.presence import Pattern, School, Season, Term, is_in_term, local_day
from gateway.core.rules import Recipients, Whom, fits

_KIND_OF: Mapping[RoleId, AgencyKind] = {
    RoleId("sbu"): AgencyKind.BUSINESS_UNIT,
    RoleId("dsp-icb"): AgencyKind.ICB,
    RoleId("dsp-police"): AgencyKind.POLICE,
}
EVERY_ROLE, OUT_OF_HOURS = RoleId("*"), RoleId("edt")


@dataclass(frozen=True, slots=True)
class Holder:
    """A person in a seat, with the dates of an announced absence and the days that they work (None: every day)."""

    name: str
    email: str | None
    telephone: str | None
    rank: int
    absent_from: datetime | None = None
    absent_until: datetime | None = None
    works: Pattern | None = None

    def is_absent(self, at: datetime, in_term: bool | None = None) -> bool:
        """`in_term` is what the agency's term dates say of that day; None where there are none."""
        return self.is_on_leave(at) or (self.works is not None and not self.works.is_at_work(at, in_term))

    def is_on_leave(self, at: datetime) -> bool:
        if self.absent_from is None or at < self.absent_from:
            return False
        return self.absent_until is None or at < self.absent_until


@dataclass(frozen=True, slots=True)
class Way:
    """How a seat is reached: an adapter's name and its address there; by mail that is the seat's team mailbox (S3-23)."""

    adapter: str
    address: str | None = None
    secret: bytes | None = field(default=None, repr=False)  # sealed under `way_label`


def way_label(partnership: PartnershipId, agency: AgencyId) -> str:
    """What the secrets of an agency's ways are sealed under: one copied into another agency's row opens nothing."""
    return f"way:{partnership}:{agency}"


@dataclass(frozen=True, slots=True)
class Agency:
    id: AgencyId
    kind: AgencyKind
    name: str
    code: str | None
    school: School | None = None  # what the register of schools says, once it was read


@dataclass(frozen=True, slots=True)
class Directory:
    """One partnership's address book as a snapshot."""

    partnership: PartnershipId
    agencies: Mapping[AgencyId, Agency]
    seats: Mapping[Seat, tuple[Holder, ...]]  # in order of rank
    ways: Mapping[Seat, Way]  # role "*" serves every role of the agency
    _by_role: Mapping[RoleId, tuple[Seat, ...]]
    terms: Mapping[AgencyId, tuple[Term, ...]] = field(default_factory=dict)  # of schools and councils

    @classmethod
    def of(
        cls,
        partnership: PartnershipId,
        agencies: Iterable[Agency],
        seats: Mapping[Seat, tuple[Holder, ...]],
        ways: Mapping[Seat, Way],
        terms: Mapping[AgencyId, tuple[Term, ...]] | None = None,
    ) -> Directory:
        by_role: dict[RoleId, list[Seat]] = {}
        for seat in sorted(seats, key=lambda s: (s.role, s.agency)):
            by_role.setdefault(seat.role, []).append(seat)
        frozen = {role: tuple(found) for role, found in by_role.items()}
        return cls(partnership, {agency.id: agency for agency in agencies}, seats, ways, frozen, terms or {})

    def seats_of(self, role: RoleId) -> tuple[Seat, ...]:
        return self._by_role.get(role, ())

    def vacant(self, role: RoleId) -> Seat | None:
        """The seat of a role that nobody holds, at the agency whose it is by its kind: a council's, unless the role says
        otherwise; of several agencies the one with the most seats here. None where no such agency is enrolled."""
        kind = _KIND_OF.get(role, AgencyKind.LOCAL_AUTHORITY)
        held = Counter(seat.agency for seat in self.seats)
        of_kind = (agency.id for agency in self.agencies.values() if agency.kind is kind)
        found = max(of_kind, key=lambda agency: (held[agency], agency), default=None)
        return None if found is None else Seat(found, role)

    def roles_of(self, agency: AgencyId, name: str) -> frozenset[RoleId]:
        """The seats that a person of this name holds at an agency, as holder or as deputy; capitals and spaces aside."""
        wanted = _plain(name)
        return frozenset(
            seat.role
            for seat, holders in self.seats.items()
            if seat.agency == agency and any(_plain(holder.name) == wanted for holder in holders)
        )

    def school(self, urn: str) -> AgencyId | None:
        """The school with this URN, if it is enrolled."""
        schools = (a for a in self.agencies.values() if a.kind is AgencyKind.SCHOOL and a.code == urn)
        return next((agency.id for agency in schools), None)

    def way_to(self, seat: Seat) -> Way:
        """How the seat is reached; the inbox when nothing else is enrolled."""
        return self.ways.get(seat) or self.ways.get(Seat(seat.agency, EVERY_ROLE)) or Way("inbox")

    def present_holder(self, seat: Seat, at: datetime) -> Holder | None:
        """The first holder or deputy who is not absent; an absent person is never the only addressee (G-04)."""
        return next(iter(self.present_holders(seat, at)), None)

    def present_holders(self, seat: Seat, at: datetime) -> tuple[Holder, ...]:
        """Everybody in the seat who is at work, in order of rank; in a school's holidays its holiday contact first."""
        in_term = self.in_term(seat.agency, local_day(at))
        present = [h for h in self.seats.get(seat, ()) if not h.is_absent(at, in_term)]
        return tuple(sorted(present, key=lambda h: h.works is None or h.works.season is not Season.HOLIDAYS))

    def is_deserted(self, seat: Seat, at: datetime) -> bool:
        """Somebody holds the seat and nobody of them is at work."""
        return bool(self.seats.get(seat)) and not self.present_holders(seat, at)

    def mail_address(self, seat: Seat, at: datetime) -> str | None:
        """Where e-mail to a seat goes now: the first person at work, else the team mailbox, else the out-of-hours team.

        None when all three are missing: an officer must find somebody. What only an absent person reads is no team mailbox.
        """
        for holder in self.present_holders(seat, at):
            if holder.email is not None:
                return holder.email
        team = self.team_mailbox(seat)
        absent = {(holder.email or "").casefold() for holder in self.seats.get(seat, ())}
        if team is not None and team.casefold() not in absent:
            return team
        rota = self.present_holders(Seat(seat.agency, OUT_OF_HOURS), at)
        return next((h.email for h in rota if h.email and h.email.casefold() not in absent), None)

    def deputy_address(self, seat: Seat, at: datetime) -> str | None:
        """Where e-mail goes to who ranks after the person present; where nobody does, as to the seat (G-02)."""
        others = (holder.email for holder in self.present_holders(seat, at)[1:] if holder.email)
        return next(others, None) or self.mail_address(seat, at)

    def team_mailbox(self, seat: Seat) -> str | None:
        way = self.way_to(seat)
        return way.address if way.adapter == "mail" else None

    def on_call(self, agency: AgencyId, at: datetime) -> Holder | None:
        """Who answers for an agency out of hours at this instant, by its roster (the seat `edt`); G-03."""
        return self.present_holder(Seat(agency, OUT_OF_HOURS), at)

    def in_term(self, agency: AgencyId, on: date) -> bool | None:
        """By the agency's own term dates, else for a school by its council's; None where none are known."""
        own = self.terms.get(agency) or self.terms.get(self._council_of(agency) or agency, ())
        return is_in_term(own, on)

    def _council_of(self, agency: AgencyId) -> AgencyId | None:
        """The council whose code the school's register entry gives; else the only one that has term dates."""
        known = self.agencies.get(agency)
        if known is None or known.kind is not AgencyKind.SCHOOL:
            return None
        councils = [a for a in self.agencies.values() if a.kind is AgencyKind.LOCAL_AUTHORITY]
        code = known.school.council if known.school else None
        named = next((a.id for a in councils if code is not None and a.code == code), None)
        with_terms = [a.id for a in councils if a.id in self.terms]
        return named or (with_terms[0] if len(with_terms) == 1 else None)

    def is_manned(self, seat: Seat, at: datetime) -> bool:
        """Whether somebody present holds the seat, or the agency's own system finds who does."""
        by_system = seat not in self.seats and Seat(seat.agency, RoleId("*")) in self.ways
        return by_system or self.present_holder(seat, at) is not None


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What recipients may depend on besides the directory."""

    sender: AgencyId
    involved: tuple[AgencyId, ...] = ()
    named: tuple[AgencyId, ...] = ()
    schools: tuple[str, ...] = ()
    asker: AgencyId | None = None
    recipients: tuple[Seat, ...] = ()  # of the message that is corrected or answered
    guests: tuple[AgencyId, ...] = ()
    # seats that some message of the incident says not to contact (G-08)
    avoided: frozenset[str] = frozenset()
    told: Facts = field(default_factory=Facts)  # what rules may read of the message
    received: frozenset[str] = frozenset()  # the types of message that the incident has already
    deputies: Mapping[RoleId, tuple[RoleId, ...]] = field(default_factory=dict)
    at: datetime | None = None  # who is absent then; without it nobody stands in for anybody


@dataclass(frozen=True, slots=True)
class Resolved:
    seats: tuple[Seat, ...]
    gaps: tuple[str, ...]  # coarse codes: nobody-holds-<role>, unknown-agency, unknown-school


def resolve(recipients: Recipients, directory: Directory, now: Circumstances) -> Resolved:
    """The seats that a rule's recipients stand for, and what could not be found; nobody where the codes do not fit."""
    if not fits(recipients, now.told.codes):
        return Resolved((), ())
    role = recipients.role
    match recipients.whom:
        case Whom.SEAT:
            seats = _seats(role, directory, now)
            return Resolved(seats, () if seats else (f"nobody-holds-{role}",))
        case Whom.INVOLVED:
            return _at(role, [a for a in now.involved if a != now.sender], directory, now)
        case Whom.NAMED:
            named = now.named or tuple(a for a in now.involved if a != now.sender)
            return _at(role, named, directory, now)
        case Whom.SCHOOLS:
            found = [directory.school(urn) for urn in now.schools]
            known = _at(role, [agency for agency in found if agency], directory, now)
            return Resolved(known.seats, known.gaps + ("unknown-school",) * found.count(None))
        case Whom.ASKER:
            return _at(role, [now.asker] if now.asker else [], directory, now)
        case Whom.SENDER:
            return _at(role, [now.sender], directory, now)
        case Whom.ACTING:
            return _acting(recipients, directory, now)
        case Whom.RECIPIENTS:
            # Inside one council it is the sender's own agency that had it.
            others = [seat for seat in now.recipients if seat.agency != now.sender] or now.recipients
            return Resolved(tuple(seat for seat in others if role in (EVERY_ROLE, seat.role)), ())
        case Whom.GUESTS:
            # Two officers named them; one of another partnership has its inbox here and stands in no directory of ours.
            return Resolved(tuple(Seat(agency, role) for agency in now.guests if agency != now.sender), ())
        case _:
            assert_never(recipients.whom)


def _acting(recipients: Recipients, directory: Directory, now: Circumstances) -> Resolved:
    found = [
        _at(action.role or recipients.role, [action.agency], directory, now) for action in now.told.actions
    ]
    seats = dict.fromkeys(seat for one in found for seat in one.seats)
    return Resolved(tuple(seats), tuple(gap for one in found for gap in one.gaps))


def standing_in(
    role: RoleId, directory: Directory, deputies: Mapping[RoleId, tuple[RoleId, ...]], at: datetime
) -> tuple[Seat, ...]:
    """The seats of the first deputy who is present, when nobody present holds a role; else none (S3-07)."""
    if role not in deputies or any(directory.is_manned(seat, at) for seat in directory.seats_of(role)):
        return ()
    present = (
        tuple(seat for seat in directory.seats_of(deputy) if directory.is_manned(seat, at))
        for deputy in deputies[role]
    )
    return next((seats for seats in present if seats), ())


def _seats(role: RoleId, directory: Directory, now: Circumstances) -> tuple[Seat, ...]:
    held = directory.seats_of(role)
    if now.at is None:
        return held
    return standing_in(role, directory, now.deputies, now.at) or held


def _at(role: RoleId, agencies: Iterable[AgencyId], directory: Directory, now: Circumstances) -> Resolved:
    """The role at each agency. A seat without a holder still receives when the agency has a way of its own."""
    seats: list[Seat] = []
    gaps: list[str] = []
    for agency in dict.fromkeys(agencies):
        seat = _in_place_of(Seat(agency, role), directory, now)
        if agency not in directory.agencies:
            gaps.append("unknown-agency")
        elif seat in directory.seats or Seat(agency, EVERY_ROLE) in directory.ways:
            seats.append(seat)
        else:
            gaps.append(f"nobody-holds-{role}")
    return Resolved(tuple(seats), tuple(gaps))


def _in_place_of(seat: Seat, directory: Directory, now: Circumstances) -> Seat:
    """The seat itself, or the first deputy's at the same agency when nobody present holds it."""
    if now.at is None or seat.role not in now.deputies or directory.is_manned(seat, now.at):
        return seat
    others = (Seat(seat.agency, deputy) for deputy in now.deputies[seat.role])
    return next((other for other in others if directory.is_manned(other, now.at)), seat)
