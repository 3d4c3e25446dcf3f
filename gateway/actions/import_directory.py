"""Change a partnership's directory from a file, whole or not at all, on the word of two officers.

Whoever can change an address can redirect a message: every import that changes something is an entry in the ledger, and
each address that was replaced (`Change.old_address`) is owed word of it by the outbox.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.actions.tell_old_address import Notice, owe_notice
from gateway.core.messages import PartnershipId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.routing import way_label
from gateway.partnerships.directory_plan import Plan, plan
from gateway.partnerships.directory_rows import DirectoryFile
from gateway.parts import Parts
from gateway.store import directory
from gateway.store.directory import WayRow
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen, DataKey


@dataclass(frozen=True, slots=True)
class DirectoryImport:
    """A read file for one partnership. Without officers it is a dry run; with them `key` seals the notices."""

    partnership: PartnershipId
    file: DirectoryFile
    officers: TwoOfficers | None
    key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What was changed, or would be. Nothing is written when the plan has faults; no receipt then, nor without changes."""

    plan: Plan
    receipt: Stated | None
    notices: tuple[Notice, ...] = ()


def import_directory(tx: Tx, parts: Parts, occasion: Occasion, asked: DirectoryImport) -> Imported:
    """Plan the file against the directory as it stands and, when two officers asked and nothing is wrong, do it."""
    planned = planned_import(tx, parts, asked)
    if planned.faults or not planned.changes or asked.officers is None:
        return Imported(planned, None)
    assert asked.key is not None
    directory.enrol_agencies(tx, asked.partnership, planned.agencies)
    for seat, holders in planned.seats.items():
        directory.replace_holders(tx, asked.partnership, seat, holders)
    for agency, terms in planned.terms.items():
        directory.replace_terms(tx, asked.partnership, agency, terms)
    for seat, way in planned.ways.items():
        secret = None
        if way.secret is not None:
            secret = parts.keys.seal_secret(way_label(asked.partnership, seat.agency), way.secret)
        row = WayRow(seat.agency, seat.role, way.adapter, way.address, secret)
        directory.set_way(tx, asked.partnership, row)
    subject = Subject(f"directory-{asked.partnership}", asked.partnership, None, None)
    receipt = prove(tx, parts, occasion, subject, [Said(Event.DIRECTORY_CHANGED)])[0]
    notices = [
        owe_notice(tx, parts, occasion, asked.partnership, change, asked.key)
        for change in planned.changes
        if change.old_address is not None
    ]
    return Imported(planned, receipt, tuple(notices))
    # A crash before the commit leaves the directory as it was; the officers import the file again. After it, dispatch tells
    # the old addresses, and tries again until they have it.


def planned_import(tx: Tx, parts: Parts, asked: DirectoryImport) -> Plan:
    """What the file would do to the directory as it stands; reads only."""

    def is_same(seat: Seat, clear: bytes, sealed: bytes) -> bool:
        try:
            before = parts.keys.open_secret(way_label(asked.partnership, seat.agency), sealed)
        except CannotOpen:
            return False
        return hmac.compare_digest(before, clear)

    now = directory.load(tx, asked.partnership)
    known = directory.known(tx, [agency.id for _, agency in asked.file.agencies])
    return plan(asked.file, now, known, is_same)
