"""An officer opens what was said about a duty in somebody's own words: why it was late, why more time, why it was waived.

Those words stand nowhere but in the entries that commit to them, sealed under the incident's key: they are stated to be opened
before they are shown, and are gone once the incident is erased. Source: S4-22, G-02, G-10.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.watch_use import OPENED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId
from gateway.core.receipts import Event
from gateway.ledger.appending import disclosures_label
from gateway.ledger.statement import fields_of
from gateway.parts import Parts, Work
from gateway.store import duties, incidents, log
from gateway.store.log import EntryRow
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen, DataKey

IN_WORDS = frozenset(
    event.text for event in (Event.DUTY_EXPLAINED, Event.DUTY_RESCHEDULED, Event.DUTY_WAIVED)
)


@dataclass(frozen=True, slots=True)
class DutyViewing:
    duty: DutyId
    officer: str


@dataclass(frozen=True, slots=True)
class SaidOfDuty:
    """One statement about the duty that has words. `event` is the ledger's name for what was done."""

    event: str
    at: datetime
    officer: str
    words: str


@dataclass(frozen=True, slots=True)
class DutyViewed:
    receipt: str
    said: tuple[SaidOfDuty, ...]  # oldest first


def view_duty(tx: Tx, parts: Parts, work: Work, asked: DutyViewing) -> DutyViewed:
    """State that it was opened, and what is said; Refused(not-found) when there is no such duty. Nothing after erasure."""
    duty = duties.find(tx, asked.duty)
    incident = incidents.lock(tx, duty.partnership, duty.incident) if duty else None
    if duty is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    watch_use(tx, parts, work, asked.officer, OPENED)
    entries = log.entries_of_chain(tx, duty.partnership, incident.chain)
    said = tuple(_said(entries, duty.id, work.key)) if work.key is not None else ()
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    fields = {"officer": asked.officer, "opened": duty.id}
    stated = prove(tx, parts, work, subject, [Said(Event.INCIDENT_VIEWED, fields)])[0]
    return DutyViewed(stated.id, said)
    # A crash after the commit: it is stated that something was opened which was then never shown. Harmless.


def _said(entries: list[EntryRow], duty: DutyId, key: DataKey) -> Iterator[SaidOfDuty]:
    for entry in entries:
        if entry.event not in IN_WORDS or entry.disclosures is None or entry.data_key != key.id:
            continue
        told = _fields(key, entry.id, entry.disclosures)
        if told.get("duty") == duty and told.get("words"):
            yield SaidOfDuty(entry.event, entry.at, told.get("officer", ""), told["words"])


def _fields(key: DataKey, entry: str, sealed: bytes) -> dict[str, Any]:
    """What the entry commits to, by name."""
    try:
        opened = json.loads(key.open(disclosures_label(entry), sealed))
    except CannotOpen:
        raise Refused(ErrorCode.INTERNAL, detail="What an entry says does not open; see the log.") from None
    return fields_of(opened)
