"""An invented partnership to try the gateway with: agencies, the people in their seats, and software that speaks for them.

Nobody here exists: names and `.example` addresses are made up, and the school's number is of a range never issued. The
agencies are those of `schemas/v1/examples`, so that the examples can be sent as they stand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.api.door import READ, REPORTS, WRITE
from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId
from gateway.core.routing import Agency
from gateway.oauth.key_policy import check_jwks
from gateway.partnerships import packs
from gateway.parts import Parts
from gateway.store import clients, directory
from gateway.store import packs as pack_rows
from gateway.store.directory import SeatRow, WayRow
from gateway.store.packs import PackRow
from gateway.store.transaction import Tx
from keys.signing import Signer

SOUTH_TYNESIDE = PartnershipId("south-tyneside")

POLICE = AgencyId("northshire-police")
ICB = AgencyId("northshire-icb")
COUNCIL = AgencyId("south-tyneside-council")
BUSINESS_UNIT = AgencyId("south-tyneside-sbu")
SCHOOL = AgencyId("harbour-view-primary")
SECONDARY = AgencyId("cliffside-secondary")
HOSPITALS = AgencyId("northshire-hospitals")

AGENCIES = (
    Agency(POLICE, AgencyKind.POLICE, "Northshire Police", None),
    Agency(ICB, AgencyKind.ICB, "NHS Northshire Integrated Care Board", None),
    Agency(COUNCIL, AgencyKind.LOCAL_AUTHORITY, "South Tyneside Council (invented staff)", "E08000023"),
    Agency(BUSINESS_UNIT, AgencyKind.BUSINESS_UNIT, "Safeguarding Business Unit (invented staff)", None),
    Agency(SCHOOL, AgencyKind.SCHOOL, "Harbour View Primary School", "999901"),
    Agency(SECONDARY, AgencyKind.SCHOOL, "Cliffside Secondary School", "999902"),
    Agency(HOSPITALS, AgencyKind.HEALTH_PROVIDER, "Northshire Hospitals NHS Trust", None),
)

RESPONDER, LEAD = RoleId("agency-responder"), RoleId("agency-safeguarding-lead")

_PEOPLE: tuple[tuple[AgencyId, str, int, str, str, str], ...] = (
    (POLICE, "dsp-police", 1, "Alasdair Holt", "a.holt@northshire-police.example", "01632 960101"),
    (POLICE, RESPONDER, 1, "Morag Ashdown", "m.ashdown@northshire-police.example", "01632 960102"),
    (POLICE, LEAD, 1, "Tobias Greengrass", "t.greengrass@northshire-police.example", "01632 960103"),
    (ICB, "dsp-icb", 1, "Henrietta Sorley", "h.sorley@northshire-icb.example", "01632 960111"),
    (ICB, RESPONDER, 1, "Kit Marchbanks", "k.marchbanks@northshire-icb.example", "01632 960112"),
    (ICB, LEAD, 1, "Yusra Penhallow", "y.penhallow@northshire-icb.example", "01632 960113"),
    (COUNCIL, "dsp-la", 1, "Philippa Marlowe", "p.marlowe@council.example", "01632 960121"),
    (COUNCIL, "school-improvement", 1, "Leonie Wraxall", "l.wraxall@council.example", "01632 960124"),
    (COUNCIL, RESPONDER, 1, "Desmond Quill", "d.quill@council.example", "01632 960122"),
    (COUNCIL, LEAD, 1, "Imelda Farthing", "i.farthing@council.example", "01632 960123"),
    (BUSINESS_UNIT, "sbu", 1, "Winifred Stave", "w.stave@sbu.example", "01632 960131"),
    (BUSINESS_UNIT, "sbu", 2, "Caspian Reed", "c.reed@sbu.example", "01632 960132"),
    (BUSINESS_UNIT, RESPONDER, 1, "Winifred Stave", "w.stave@sbu.example", "01632 960131"),
    (BUSINESS_UNIT, LEAD, 1, "Caspian Reed", "c.reed@sbu.example", "01632 960132"),
    (SCHOOL, "dsl", 1, "Bethany Oakes", "dsl@harbour-view.example", "01632 960141"),
    (SCHOOL, "dsl", 2, "Rafferty Lund", "deputy.dsl@harbour-view.example", "01632 960142"),
    (SECONDARY, "dsl", 1, "Bertrand Silverleaf", "dsl@cliffside.example", "01632 960161"),
    (SCHOOL, RESPONDER, 1, "Bethany Oakes", "dsl@harbour-view.example", "01632 960141"),
    (SCHOOL, LEAD, 1, "Bethany Oakes", "dsl@harbour-view.example", "01632 960141"),
    (
        HOSPITALS,
        RESPONDER,
        1,
        "Oluwaseun Hartfield",
        "o.hartfield@northshire-hospitals.example",
        "01632 960151",
    ),
    (HOSPITALS, LEAD, 1, "Oluwaseun Hartfield", "o.hartfield@northshire-hospitals.example", "01632 960151"),
)
SEATS = tuple(
    SeatRow(agency, RoleId(role), rank, name, email, telephone)
    for agency, role, rank, name, email, telephone in _PEOPLE
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who joins, with what software: a client id equals its agency's id."""

    keys: Mapping[AgencyId, Signer]
    ways: tuple[WayRow, ...] = ()


async def enrol(parts: Parts, enrolment: Enrolment, partnership: PartnershipId = SOUTH_TYNESIDE) -> None:
    """Put the shipped pack in force, fill the directory and register each agency's software."""
    at = parts.clock()
    pack = pack_row(partnership, at)
    jwks = {agency: check_jwks({"keys": [key.public_jwk()]}) for agency, key in enrolment.keys.items()}

    def write(tx: Tx) -> None:
        pack_rows.activate(tx, pack, "invented-officer-1", "invented-officer-2")
        directory.enrol_agencies(tx, partnership, AGENCIES)
        for agency in AGENCIES:
            seats = [seat for seat in SEATS if seat.agency == agency.id]
            directory.replace_seats(tx, partnership, agency.id, seats)
        for way in enrolment.ways:
            directory.set_way(tx, partnership, way)
        for agency_id, keys in jwks.items():
            more = (REPORTS,) if agency_id in (BUSINESS_UNIT, COUNCIL) else ()
            clients.add(tx, agency_id, agency_id, keys, (WRITE, READ, *more), at)
        # A crash before the commit leaves an empty directory: enrol again.

    await parts.store.transact(write)
    parts.partnerships.forget()


def pack_row(partnership: PartnershipId, at: datetime) -> PackRow:
    """The shipped pack as the store keeps it; Misconfigured when it is faulty."""
    pack = packs.shipped(partnership)
    files = packs.read_files(packs.HERE / partnership)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return PackRow(partnership, pack.version, files, digest, at)
