"""The address book: agencies, memberships, seats and their holders, and the ways they are reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId, Seat
from gateway.core.presence import School, Standing, Term, read_pattern
from gateway.core.routing import Agency, Directory, Holder, Way
from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class SeatRow:
    """One holder of one seat, as a directory file gives it."""

    agency: AgencyId
    role: RoleId
    rank: int
    name: str
    email: str | None
    telephone: str | None


@dataclass(frozen=True, slots=True)
class WayRow:
    agency: AgencyId
    role: RoleId
    adapter: str
    address: str | None
    secret: bytes | None  # sealed under `way_label`


def load(tx: Tx, partnership: PartnershipId) -> Directory:
    """The whole directory of one partnership as a snapshot."""
    agencies = tx.execute(
        select(t.agency)
        .join(t.membership, t.membership.c.agency == t.agency.c.id)
        .where(t.membership.c.partnership == partnership)
    )
    seats: dict[Seat, list[Holder]] = {}
    rows = tx.execute(
        select(t.seat).where(t.seat.c.partnership == partnership).order_by(t.seat.c.agency, t.seat.c.rank)
    )
    for row in rows:
        works = read_pattern(row.works) if row.works else None
        absence = (row.absent_from, row.absent_until)
        holder = Holder(row.name, row.email, row.telephone, row.rank, *absence, works)
        seats.setdefault(Seat(AgencyId(row.agency), RoleId(row.role)), []).append(holder)
    ways = {
        Seat(AgencyId(row.agency), RoleId(row.role)): Way(row.adapter, row.address, row.secret)
        for row in tx.execute(select(t.way).where(t.way.c.partnership == partnership))
    }
    return Directory.of(
        partnership,
        [_agency(row) for row in agencies],
        {seat: tuple(holders) for seat, holders in seats.items()},
        ways,
        _terms(tx, partnership),
    )


def partnerships_of(tx: Tx, agency: AgencyId) -> frozenset[str]:
    rows = tx.execute(select(t.membership.c.partnership).where(t.membership.c.agency == agency))
    return frozenset(row.partnership for row in rows)


def enrol_agencies(tx: Tx, partnership: PartnershipId, agencies: Iterable[Agency]) -> None:
    """Add or replace agencies and make them members."""
    for agency in agencies:
        said = {"kind": agency.kind.value, "name": agency.name, "code": agency.code}
        _put(tx, t.agency, {"id": agency.id}, said | _school_values(agency.school))
        _put(tx, t.membership, {"partnership": partnership, "agency": agency.id}, {})


def replace_seats(tx: Tx, partnership: PartnershipId, agency: AgencyId, seats: Iterable[SeatRow]) -> None:
    """The file's holders of an agency take the place of those before."""
    rows = list(seats)
    for role in {row.role for row in rows}:
        tx.execute(
            delete(t.seat).where(
                t.seat.c.partnership == partnership, t.seat.c.agency == agency, t.seat.c.role == role
            )
        )
    for row in rows:
        tx.execute(
            insert(t.seat).values(
                partnership=partnership,
                agency=agency,
                role=row.role,
                rank=row.rank,
                name=row.name,
                email=row.email,
                telephone=row.telephone,
            )
        )


def replace_holders(tx: Tx, partnership: PartnershipId, seat: Seat, holders: Iterable[Holder]) -> None:
    """Exactly these people hold the seat from now on, with their announced absences; none empties it."""
    where = {"partnership": partnership, "agency": seat.agency, "role": seat.role}
    tx.execute(delete(t.seat).where(*(t.seat.c[name] == value for name, value in where.items())))
    for holder in holders:
        tx.execute(
            insert(t.seat).values(
                **where,
                rank=holder.rank,
                name=holder.name,
                email=holder.email,
                telephone=holder.telephone,
                absent_from=holder.absent_from,
                absent_until=holder.absent_until,
                works=holder.works.text if holder.works else None,
            )
        )


def replace_terms(tx: Tx, partnership: PartnershipId, agency: AgencyId, terms: Iterable[Term]) -> None:
    """Exactly these are the terms of a school, or of a council's schools, from now on."""
    tx.execute(delete(t.term).where(t.term.c.partnership == partnership, t.term.c.agency == agency))
    for term in terms:
        values = {"name": term.name, "starts_on": term.starts_on, "ends_on": term.ends_on}
        tx.execute(insert(t.term).values(partnership=partnership, agency=agency, **values))


def known(tx: Tx, agencies: Iterable[AgencyId]) -> dict[AgencyId, Agency]:
    """Those of these agencies that any partnership here knows."""
    rows = tx.execute(select(t.agency).where(t.agency.c.id.in_(list(agencies))))
    return {AgencyId(row.id): _agency(row) for row in rows}


def bodies(tx: Tx) -> dict[AgencyId, str]:
    """The name of every agency of every directory here that is no school."""
    c = t.agency.c
    rows = tx.execute(select(c.id, c.name).where(c.kind != AgencyKind.SCHOOL.value))
    return {AgencyId(row.id): row.name for row in rows}


def set_way(tx: Tx, partnership: PartnershipId, way: WayRow) -> None:
    _put(
        tx,
        t.way,
        {"partnership": partnership, "agency": way.agency, "role": way.role},
        {"adapter": way.adapter, "address": way.address, "secret": way.secret},
    )


def end_way(tx: Tx, partnership: PartnershipId, seat: Seat) -> None:
    """The seat is reached as if nothing had been enrolled for it: as its agency's other roles are, or by the inbox."""
    w = t.way.c
    tx.execute(
        delete(t.way).where(w.partnership == partnership, w.agency == seat.agency, w.role == seat.role)
    )


def way_enrolled(tx: Tx, partnership: PartnershipId, seat: Seat) -> WayRow | None:
    """The way of exactly this seat, without what stands for every role of its agency."""
    columns = [t.way.c[name] for name in ("agency", "role", "adapter", "address", "secret")]
    found = (t.way.c.partnership == partnership, t.way.c.agency == seat.agency, t.way.c.role == seat.role)
    row = tx.execute(select(*columns).where(*found)).first()
    return None if row is None else WayRow(*row)


def hold_agency(tx: Tx, partnership: PartnershipId, agency: AgencyId) -> bool:
    """Until this transaction ends nobody else changes how the agency is reached this way; False when it is no member.

    On SQLite the writer is the lock.
    """
    m = t.membership.c
    query = select(m.agency).where(m.partnership == partnership, m.agency == agency).with_for_update()
    return tx.execute(query).first() is not None


def set_absence(tx: Tx, partnership: PartnershipId, seat: Seat, rank: int, values: Mapping[str, Any]) -> int:
    """Announce the absence of one holder, or end it; how many rows it touched (0: nobody there)."""
    found = tx.execute(
        t.seat.update()
        .where(
            t.seat.c.partnership == partnership,
            t.seat.c.agency == seat.agency,
            t.seat.c.role == seat.role,
            t.seat.c.rank == rank,
        )
        .values(**values)
    )
    return found.rowcount


def _agency(row: Any) -> Agency:
    school = None
    if row.standing is not None:
        facts = (row.council, row.opened_on, row.closed_on, row.office_email, row.office_telephone)
        school = School(Standing(row.standing), *facts)
    return Agency(AgencyId(row.id), AgencyKind(row.kind), row.name, row.code, school)


def _school_values(school: School | None) -> dict[str, Any]:
    """Nothing when the file says nothing of it: what the register said before stays."""
    if school is None:
        return {}
    return {
        "standing": school.standing.value,
        "council": school.council,
        "opened_on": school.opened_on,
        "closed_on": school.closed_on,
        "office_email": school.office_email,
        "office_telephone": school.office_telephone,
    }


def _terms(tx: Tx, partnership: PartnershipId) -> dict[AgencyId, tuple[Term, ...]]:
    found: dict[AgencyId, tuple[Term, ...]] = {}
    rows = tx.execute(select(t.term).where(t.term.c.partnership == partnership).order_by(t.term.c.starts_on))
    for row in rows:
        agency = AgencyId(row.agency)
        found[agency] = (*found.get(agency, ()), Term(row.name, row.starts_on, row.ends_on))
    return found


def _put(tx: Tx, table: Any, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    where = [table.c[name] == value for name, value in key.items()]
    exists = tx.execute(select(*[table.c[name] for name in key]).where(*where)).first()
    if exists is None:
        tx.execute(insert(table).values(**key, **values))
    elif values:
        tx.execute(table.update().where(*where).values(**values))


def sealed_ways(tx: Tx) -> list[tuple[PartnershipId, WayRow]]:
    """Every way that has a secret, in all partnerships: for a new master key, under which each is sealed anew."""
    columns = [t.way.c[name] for name in ("agency", "role", "adapter", "address", "secret")]
    rows = tx.execute(select(t.way.c.partnership, *columns).where(t.way.c.secret.is_not(None)))
    return [(PartnershipId(row[0]), WayRow(*row[1:])) for row in rows]
