"""Put a partner's test agency into the sandbox beside the fake peers, on the word of two officers.

Only the partner's own endpoint is ever told of anything there: no seat has an address.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import RoleId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.routing import Agency, Holder, way_label
from gateway.core.sandbox import SANDBOX
from gateway.partnerships.sandbox_peers import LEAD, PEERS, RESPONDER, peers_seats
from gateway.parts import Parts
from gateway.store import directory
from gateway.store import packs as pack_rows
from gateway.store.directory import WayRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class TestAgency:
    """A partner's agency as the sandbox knows it: its id begins with `sandbox-`. `webhook`: its own https address and secret."""

    agency: Agency
    officers: TwoOfficers
    webhook: tuple[str, bytes] | None = None


def enrol_in_sandbox(tx: Tx, parts: Parts, occasion: Occasion, asked: TestAgency) -> Stated:
    """Enrol it, and the peers with it; Refused when the sandbox is not in force, or the id is a peer's."""
    agency = asked.agency
    if pack_rows.current(tx, SANDBOX) is None:
        detail = "The sandbox is not in force here: `gateway rules activate sandbox`, by two officers."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if agency.id in {peer.id for peer in PEERS}:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="A fake peer has this id: name the partner otherwise."
        )
    directory.enrol_agencies(tx, SANDBOX, [*PEERS, agency])
    own = (Holder(f"Test desk of {agency.name}", None, None, 1),)
    for seat, holders in (peers_seats() | {Seat(agency.id, role): own for role in (RESPONDER, LEAD)}).items():
        directory.replace_holders(tx, SANDBOX, seat, holders)
    address, secret = asked.webhook or (None, None)
    sealed = parts.keys.seal_secret(way_label(SANDBOX, agency.id), secret) if secret else None
    adapter = "webhook" if address else "inbox"
    directory.set_way(tx, SANDBOX, WayRow(agency.id, RoleId("*"), adapter, address, sealed))
    subject = Subject(f"directory-{SANDBOX}", SANDBOX, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.DIRECTORY_CHANGED)])[0]
    # A crash before the commit leaves the sandbox as it was; the officers repeat the command.
