"""What a directory file would change of a partnership's directory as it stands.

The invariant: nothing is half done. A plan with a fault anywhere changes nothing, and what stands in no row stays as it is.
An address that is replaced is named, so that it can be told. Source: domain analysis S4-05, G-04; contract section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from gateway.core.messages import AgencyId, AgencyKind, RoleId, Seat
from gateway.core.presence import Standing, Term
from gateway.core.routing import Agency, Directory, Holder, Way
from gateway.core.sandbox import SANDBOX, is_of_sandbox
from gateway.partnerships.directory_rows import DirectoryFile, RowFault


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that becomes different. `old_address` is an e-mail address that must be told that it was replaced."""

    change: str  # added, changed, removed
    what: str  # agency, holder, way, terms
    agency: AgencyId
    role: RoleId | None = None
    rank: int | None = None
    old_address: str | None = None


@dataclass(slots=True)
class Plan:
    """What a file would do to one partnership's directory."""

    faults: list[RowFault] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    agencies: list[Agency] = field(default_factory=list)
    seats: dict[Seat, tuple[Holder, ...]] = field(default_factory=dict)
    ways: dict[Seat, Way] = field(default_factory=dict)
    terms: dict[AgencyId, tuple[Term, ...]] = field(default_factory=dict)
    passed_over: int = 0  # closed schools of the register that the directory does not know


SameSecret = Callable[[Seat, bytes, bytes], bool]  # (seat, in clear, sealed)


def plan(
    file: DirectoryFile,
    now: Directory,
    known_elsewhere: Mapping[AgencyId, Agency],
    same_secret: SameSecret = lambda seat, clear, sealed: False,
) -> Plan:
    """What the file changes of the directory as it is `now`; the plan's faults include the file's own.

    `known_elsewhere` are the file's agencies that any partnership knows: one that is no member here joins as it is.
    """
    result = Plan(faults=list(file.faults))
    if now.partnership == SANDBOX:
        result.faults.append(RowFault(1, "", "the sandbox takes no files: use `gateway sandbox enrol`"))
    _plan_agencies(result, file, now, known_elsewhere)
    members = {*now.agencies, *(agency.id for _, agency in file.agencies)}
    named = [(person.row, person.seat.agency) for person in file.people]
    for row, agency in named + [(row, agency) for row, agency, _ in file.terms]:
        if agency not in members:
            what = "this agency is not in the directory: give it a row of its own, or import agencies first"
            result.faults.append(RowFault(row, "agency", what))
    _plan_terms(result, file, now)
    _plan_seats(result, file, now)
    _plan_ways(result, file, now, same_secret)
    result.faults.sort(key=lambda fault: fault.row)
    return result


def _plan_agencies(
    result: Plan, file: DirectoryFile, now: Directory, elsewhere: Mapping[AgencyId, Agency]
) -> None:
    urns = {a.code: a.id for a in now.agencies.values() if a.kind is AgencyKind.SCHOOL and a.code}
    seen: set[AgencyId] = set()
    for row, said in file.agencies:
        agency = _as_known(said, urns, now)
        if (
            agency.school is not None
            and agency.school.standing is Standing.CLOSED
            and agency.id not in now.agencies
        ):
            result.passed_over += 1
            continue
        if agency.id in seen:
            result.faults.append(RowFault(row, "id", "this agency stands twice in the file"))
            continue
        seen.add(agency.id)
        if is_of_sandbox(agency.id):
            result.faults.append(
                RowFault(row, "id", "this id is one of the sandbox's, which mixes with nothing")
            )
        urn = agency.code if agency.kind is AgencyKind.SCHOOL else None
        if urn is not None and urns.setdefault(urn, agency.id) != agency.id:
            result.faults.append(RowFault(row, "code", "another school has this URN"))
        before = now.agencies.get(agency.id)
        if before is None and not _is_same(elsewhere.get(agency.id, agency), agency):
            what = "another partnership knows an agency of this id with another kind, name or code"
            result.faults.append(RowFault(row, "id", what))
        elif before != agency:
            result.agencies.append(agency)
            result.changes.append(Change("changed" if before else "added", "agency", agency.id))


def _as_known(said: Agency, urns: Mapping[str, AgencyId], now: Directory) -> Agency:
    """A school of the register under the id that it has here; an agency whose row says nothing of the register keeps it."""
    if said.school is not None and said.code is not None and said.code in urns:
        return replace(said, id=urns[said.code])
    before = now.agencies.get(said.id)
    return replace(said, school=before.school) if before and said.school is None else said


def _is_same(one: Agency, other: Agency) -> bool:
    return (one.kind, one.name, one.code) == (other.kind, other.name, other.code)


def _plan_terms(result: Plan, file: DirectoryFile, now: Directory) -> None:
    """The file's terms of a school or council take the place of all those before."""
    wanted: dict[AgencyId, list[Term]] = {}
    for row, agency, term in file.terms:
        terms = wanted.setdefault(agency, [])
        if any(term.starts_on <= other.ends_on and other.starts_on <= term.ends_on for other in terms):
            result.faults.append(RowFault(row, "starts_on", "this term overlaps another of the same agency"))
        terms.append(term)
    for agency, terms in wanted.items():
        after = tuple(sorted(terms, key=lambda term: term.starts_on))
        before = now.terms.get(agency, ())
        if after != before:
            result.terms[agency] = after
            result.changes.append(Change("changed" if before else "added", "terms", agency))


def _plan_seats(result: Plan, file: DirectoryFile, now: Directory) -> None:
    """The file's holders of a seat take the place of all those before; whoever stays keeps absence and pattern."""
    wanted: dict[Seat, list[Holder]] = {}
    always = {
        (person.seat, person.holder.rank) for person in file.people if person.holder and person.works_always
    }
    for person in file.people:
        if person.holder is None and not person.empties:
            continue
        holders = wanted.setdefault(person.seat, [])
        if person.holder is None:
            continue
        if any(holder.rank == person.holder.rank for holder in holders):
            what = "two people have this rank in the same seat"
            result.faults.append(RowFault(person.row, "rank", what))
        holders.append(person.holder)
    for seat, holders in wanted.items():
        before = {holder.rank: holder for holder in now.seats.get(seat, ())}
        after = {h.rank: _as_before(h, before.values(), (seat, h.rank) in always) for h in holders}
        changes = list(_holder_changes(seat, before, after))
        if changes:
            result.changes += changes
            result.seats[seat] = tuple(sorted(after.values(), key=lambda holder: holder.rank))


def _as_before(holder: Holder, before: Iterable[Holder], works_always: bool) -> Holder:
    """With the absence and the pattern that the same person had in this seat, where the row says none."""
    same = next((b for b in before if b.name == holder.name), None)
    if same is None:
        return holder
    if holder.absent_from is None:
        holder = replace(holder, absent_from=same.absent_from, absent_until=same.absent_until)
    return holder if holder.works or works_always else replace(holder, works=same.works)


def _holder_changes(
    seat: Seat, before: Mapping[int, Holder], after: Mapping[int, Holder]
) -> Iterator[Change]:
    still_reached = {(holder.email or "").casefold() for holder in after.values()}
    for rank in sorted({*before, *after}):
        old, new = before.get(rank), after.get(rank)
        if old == new:
            continue
        kind = "added" if old is None else "removed" if new is None else "changed"
        lost = old.email if old and old.email and old.email.casefold() not in still_reached else None
        yield Change(kind, "holder", seat.agency, seat.role, rank, lost)


def _plan_ways(result: Plan, file: DirectoryFile, now: Directory, same_secret: SameSecret) -> None:
    given: dict[Seat, Way] = {}
    for person in file.people:
        if person.way is None:
            continue
        before = now.ways.get(person.seat)
        way = person.way
        if given.setdefault(person.seat, way) != way:
            what = "the same seat is given two ways"
            result.faults.append(RowFault(person.row, "adapter", what))
        kept = before is not None and (before.adapter, before.address) == (way.adapter, way.address)
        if way.adapter == "webhook" and way.secret is None and not (kept and before and before.secret):
            result.faults.append(RowFault(person.row, "secret", "a new or moved webhook needs its secret"))
        secret_stays = way.secret is None or (
            before is not None
            and before.secret is not None
            and same_secret(person.seat, way.secret, before.secret)
        )
        if not (kept and secret_stays) and person.seat not in result.ways:
            result.ways[person.seat] = way
            kind = "added" if before is None else "changed"
            lost = before.address if before and before.adapter == "mail" and not kept else None
            result.changes.append(Change(kind, "way", person.seat.agency, person.seat.role, None, lost))
