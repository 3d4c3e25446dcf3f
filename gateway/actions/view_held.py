"""State that a person opened something held: what is read leaves an entry, before it is read."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.actions.watch_use import OPENED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import holds, incidents
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Viewing:
    hold: str
    officer: str


def view_held(tx: Tx, parts: Parts, work: Work, asked: Viewing) -> Stated:
    """The receipt of the viewing. On mail that belongs to no incident there is no key to commit under: the event stands alone."""
    held = holds.find(tx, asked.hold)
    if held is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no hold of this id.")
    incident = incidents.lock(tx, held.partnership, held.incident) if held.incident else None
    must_know(tx, held.partnership, held.incident, asked.officer, work.at)
    watch_use(tx, parts, work, asked.officer, OPENED)
    fields = {"officer": asked.officer, "hold": held.id, "kind": held.subject_kind}
    subject = Subject(incident.chain if incident else held.id, held.partnership, held.incident, work.key)
    return prove(tx, parts, work, subject, [Said(Event.INCIDENT_VIEWED, fields)])[0]
