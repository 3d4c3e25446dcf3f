"""Erase an incident: its data keys are destroyed, and the ledger still verifies.

Four steps, because the data keys stand in a database of their own: the incident is closed to new work (`erasing`), the keys
are destroyed, the sealed columns are emptied and what they leave in free pages with them, and last the erasure is stated. A
crash between two steps leaves the state `erasing`, which the timetable takes up again; no step does harm twice. What a restored
back-up brings back is erased again before the gateway serves (`dispatch.erasing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Occasion, Said, Subject, counting, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import (
    attachments,
    blind_index,
    deliveries,
    holds,
    incidents,
    likenesses,
    log,
    mail,
    messages,
)
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Erasure:
    """Two officers' word on one incident. `reason` is a coarse code."""

    incident: IncidentId
    officer: str
    second_officer: str
    reason: str


def begin_erasure(tx: Tx, parts: Parts, work: Work, asked: Erasure) -> list[str]:
    """Close the incident to new work; the ids of every data key to destroy. Refused under a legal hold."""
    if incidents.lock(tx, work.pack.partnership, asked.incident) is None:
        raise Refused(ErrorCode.NOT_FOUND)
    both = TwoOfficers(asked.officer, asked.second_officer)  # Refused when both are one person
    must_know(tx, work.pack.partnership, asked.incident, both, work.at)
    return order_erasure(tx, parts, work, (asked.incident, asked.reason))


def order_erasure(tx: Tx, parts: Parts, work: Work, asked: tuple[IncidentId, str]) -> list[str]:
    """The same without an officer's word, for a reason that is a coarse code: what the sandbox no longer keeps."""
    partnership, (named, reason) = work.pack.partnership, asked
    incident = incidents.lock(tx, partnership, named)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if incident.legal_hold:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="A legal hold forbids erasure: two officers lift it first."
        )
    if incident.state == "erased":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is erased already.")
    if incident.state != "erasing":
        incidents.change(tx, partnership, incident.id, state="erasing")
        subject = Subject(incident.chain, partnership, incident.id, None)
        prove(tx, parts, work, subject, [Said(Event.ERASURE_ORDERED, reason=reason)])
    return data_keys_of(tx, partnership, incident.id)


def data_keys_of(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[str]:
    """Every data key that any row of an incident names."""
    named = {row.data_key for row in messages.of_incident(tx, partnership, incident)}
    named |= {row.data_key for row in attachments.of_incident(tx, partnership, incident)}
    named |= {row.data_key for row in mail.raw_of_incident(tx, partnership, incident)}
    return sorted(key for key in named if key)


def reapply_erasure(
    tx: Tx, parts: Parts, work: Work | Occasion, asked: tuple[PartnershipId, IncidentId]
) -> None:
    """A restored book has an erased incident back: close it again, whatever state or hold it was in then."""
    incident = incidents.lock(tx, *asked)
    if incident is None or incident.state in ("erasing", "erased"):
        return
    incidents.change(tx, incident.partnership, incident.id, state="erasing")
    subject = Subject(incident.chain, incident.partnership, incident.id, None)
    prove(tx, parts, work, subject, [Said(Event.ERASURE_ORDERED, reason="erased-before-restore")])


def empty_content(
    tx: Tx, parts: Parts, work: Work | Occasion, asked: tuple[PartnershipId, IncidentId]
) -> None:
    """Empty every sealed column and whatever could open or confirm a commitment, and end what still waited."""
    incident = incidents.lock(tx, *asked)
    if incident is None or incident.state != "erasing":
        return
    partnership = incident.partnership
    messages.forget_content(tx, partnership, incident.id)
    mail.forget_raw(tx, partnership, incident.id)
    attachments.forget_content(tx, partnership, incident.id)
    log.forget_disclosures(tx, partnership, incident.id)
    blind_index.forget(tx, partnership, incident.id)
    likenesses.forget_unlinked(tx, partnership, incident.id)
    deliveries.cancel_open(tx, partnership, incident.id, work.at)
    holds.settle_of_incident(tx, partnership, incident.id, work.at, "erased")
    # A crash here leaves the state `erasing`: the timetable empties again, scrubs and goes on.


def finish_erasure(
    tx: Tx, parts: Parts, work: Work | Occasion, asked: tuple[PartnershipId, IncidentId]
) -> None:
    """State that the content is erased, once the keys are destroyed and nothing is left in the files.

    The statement says by which day the last back-up of the data keys is destroyed too, as the operator has set it.
    """
    incident = incidents.lock(tx, *asked)
    if incident is None or incident.state != "erasing":
        return
    partnership = incident.partnership
    subject = Subject(incident.chain, partnership, incident.id, None)
    final_on = (work.at + timedelta(days=parts.settings.custody_backup_days)).date()
    said = Said(Event.CONTENT_ERASED, reason=f"data-keys-destroyed-in-backups-{final_on.isoformat()}")
    prove(tx, parts, work, subject, counting(tx, subject, said))
    incidents.change(tx, partnership, incident.id, state="erased", erased_at=work.at)
