"""The fake peers of the sandbox: invented agencies, the invented people in their seats, and nothing to reach anybody by.

Invariant: no peer has an e-mail address, a telephone number or a webhook; the peers' answers are `gateway.dispatch.sandbox`.
"""

from __future__ import annotations

from gateway.core.messages import AgencyId, AgencyKind, RoleId, Seat
from gateway.core.routing import Agency, Holder

COUNCIL, UNIT = AgencyId("sandbox-council"), AgencyId("sandbox-unit")
POLICE, ICB = AgencyId("sandbox-police"), AgencyId("sandbox-icb")
HOSPITALS, SCHOOL = AgencyId("sandbox-hospitals"), AgencyId("sandbox-school")
RESPONDER, LEAD = RoleId("agency-responder"), RoleId("agency-safeguarding-lead")

PEERS = (
    Agency(COUNCIL, AgencyKind.LOCAL_AUTHORITY, "Sandbox Council (invented)", None),
    Agency(UNIT, AgencyKind.BUSINESS_UNIT, "Sandbox Business Unit (invented)", None),
    Agency(POLICE, AgencyKind.POLICE, "Sandbox Police (invented)", None),
    Agency(ICB, AgencyKind.ICB, "Sandbox Integrated Care Board (invented)", None),
    Agency(HOSPITALS, AgencyKind.HEALTH_PROVIDER, "Sandbox Hospitals (invented)", None),
    Agency(SCHOOL, AgencyKind.SCHOOL, "Sandbox School (invented)", "999909"),
)
PERSON = {
    COUNCIL: ("Philippa Marlowe", "Director of Children's Services"),
    UNIT: ("Winifred Stave", "Partnership Business Manager"),
    POLICE: ("Alasdair Holt", "Chief Superintendent"),
    ICB: ("Henrietta Sorley", "Director of Nursing"),
    HOSPITALS: ("Oluwaseun Hartfield", "Named Nurse for Safeguarding Children"),
    SCHOOL: ("Bethany Oakes", "Designated Safeguarding Lead"),
}
_SEATS = {COUNCIL: "dsp-la", UNIT: "sbu", POLICE: "dsp-police", ICB: "dsp-icb", SCHOOL: "dsl"}


def peers_seats() -> dict[Seat, tuple[Holder, ...]]:
    """Who sits where: every peer answers requests, and five hold a seat besides."""
    held = {Seat(agency.id, role): agency.id for agency in PEERS for role in (RESPONDER, LEAD)}
    held |= {Seat(agency, RoleId(role)): agency for agency, role in _SEATS.items()}
    return {seat: (Holder(PERSON[agency][0], None, None, 1),) for seat, agency in held.items()}
