"""A second partnership in the same house: Fellside, whose council and business unit are strangers to South Tyneside."""

from __future__ import annotations

import hashlib
import json

from gateway.api.door import READ, WRITE
from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId
from gateway.core.routing import Agency
from gateway.demo.partnership import ICB, POLICE, SOUTH_TYNESIDE
from gateway.oauth.key_policy import check_jwks
from gateway.partnerships import packs
from gateway.store import clients, directory
from gateway.store import packs as pack_rows
from gateway.store.directory import SeatRow
from gateway.store.packs import PackRow
from gateway.store.transaction import Tx
from keys.signing import FileSigner
from tests.gateway_house import House

FELLSIDE = PartnershipId("fellside")
FELLSIDE_COUNCIL, FELLSIDE_UNIT = AgencyId("fellside-council"), AgencyId("fellside-sbu")

_AGENCIES = (
    Agency(FELLSIDE_COUNCIL, AgencyKind.LOCAL_AUTHORITY, "Fellside Council", None),
    Agency(FELLSIDE_UNIT, AgencyKind.BUSINESS_UNIT, "Fellside Safeguarding Business Unit", None),
    Agency(POLICE, AgencyKind.POLICE, "Northshire Police", None),
    Agency(ICB, AgencyKind.ICB, "NHS Northshire Integrated Care Board", None),
)
_SEATS = (
    (FELLSIDE_COUNCIL, "dsp-la", "Ambrose Thackley"),
    (FELLSIDE_UNIT, "sbu", "Perpetua Hale"),
    (POLICE, "dsp-police", "Alasdair Holt"),
    (ICB, "dsp-icb", "Henrietta Sorley"),
)


async def fellside_joins(house: House) -> None:
    """Its pack in force, its directory filled, and its council's software registered."""
    files = packs.read_files(packs.HERE / SOUTH_TYNESIDE)
    files["rules.toml"] = files["rules.toml"].replace('name = "south-tyneside"', 'name = "fellside"')
    files["rules.toml"] = files["rules.toml"].replace('"393", "E08000023"', '"990"')
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    at = house.clock()
    row = PackRow(FELLSIDE, packs.parse(FELLSIDE, files).version, files, digest, at)
    key = house.keys[FELLSIDE_COUNCIL] = FileSigner.generate("fellside-council-1", "ES256")
    jwks = check_jwks({"keys": [key.public_jwk()]})

    def write(tx: Tx) -> None:
        pack_rows.activate(tx, row, "invented-officer-1", "invented-officer-2")
        directory.enrol_agencies(tx, FELLSIDE, _AGENCIES)
        for agency, role, name in _SEATS:
            seat = SeatRow(agency, RoleId(role), 0, name, f"{role}@fellside.example", None)
            directory.replace_seats(tx, FELLSIDE, agency, [seat])
        clients.add(tx, FELLSIDE_COUNCIL, FELLSIDE_COUNCIL, jwks, (WRITE, READ), at)

    await house.parts.store.transact(write)
    house.parts.partnerships.forget()
