"""Hand out a register or a report: what leaves the house leaves an entry, with who took it, when and why (S3-18, S4-22).

What is made from rows and codes takes one officer and a reason. Names and words are sealed content: two officers, and an entry
on every incident that was opened for it. The entry comes first: a sheet is read, its export stated, and only then given out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.actions.watch_use import EXPORTED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind, make_id
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.registers import Sheet
from gateway.parts import Parts, Work
from gateway.store import incidents, registers
from gateway.store.transaction import Tx
from keys.sealing import DataKey

_CODE = re.compile("[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Export:
    """Who takes which sheet out of the house, in which form and why (a code without names).

    `with_names`: personal content stands in it, and then there are two officers. `opened` are the incidents of which anything
    was opened, with their data keys: also those of learning digests, which name nobody.
    """

    partnership: PartnershipId
    sheet: Sheet
    form: str
    officer: str
    why: str
    second_officer: str | None = None
    with_names: bool = False
    opened: Mapping[IncidentId, DataKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exported:
    """The use as it is on record, and its signed entry."""

    id: str
    at: datetime
    receipt: Stated

    def watermark(self, asked: Export) -> str:
        """The first row of the file: who, when, why."""
        who = asked.officer + (f" and {asked.second_officer}" if asked.second_officer else "")
        at = f"{self.at:%Y-%m-%dT%H:%M:%SZ}"
        marking = "OFFICIAL-SENSITIVE: PERSONAL" if asked.with_names else "OFFICIAL-SENSITIVE"
        return f"{marking}. {asked.sheet.title}, {asked.partnership}. Taken out by {who} at {at} for: {asked.why}. {self.id}"


def export_register(tx: Tx, parts: Parts, work: Work, asked: Export) -> Exported:
    """State that a sheet is handed out, before it is. Refused without a reason, or with content and one officer only."""
    if not _CODE.fullmatch(asked.why) or not asked.officer.strip():
        detail = "Say who takes it and why: a code of small letters, figures and hyphens, without names."
        raise Refused(ErrorCode.NOT_PERMITTED, detail=detail)
    if asked.with_names:
        TwoOfficers(asked.officer, asked.second_officer or "")
    use = make_id(IdKind.REGISTER_USE, work.supply.take(16))
    for incident_id in sorted(asked.opened):
        _state_opening(tx, parts, work, asked, use, incident_id)
    watch_use(tx, parts, work, asked.officer, EXPORTED)
    subject = Subject(use, asked.partnership, None, None)
    receipt = prove(tx, parts, work, subject, [Said(Event.REGISTER_EXPORTED, reason=asked.sheet.name)])[0]
    registers.note_use(
        tx,
        {
            "id": use,
            "partnership": asked.partnership,
            "act": "exported",
            "what": asked.sheet.name,
            "form": asked.form,
            "rows": len(asked.sheet.rows),
            "with_names": asked.with_names,
            "officer": asked.officer,
            "second_officer": asked.second_officer,
            "why": asked.why,
            "at": work.at,
        },
    )
    return Exported(use, work.at, receipt)
    # A crash after the commit: an export is stated that nobody was given. Harmless; the officer asks again.


def _state_opening(
    tx: Tx, parts: Parts, work: Work, asked: Export, use: str, incident_id: IncidentId
) -> None:
    """The entry on an incident whose content stands in the sheet, sealed under its own key."""
    incident = incidents.lock(tx, asked.partnership, incident_id)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    must_know(tx, asked.partnership, incident_id, asked.officer, work.at)
    fields = {
        "register": asked.sheet.name,
        "use": use,
        "officer": asked.officer,
        "second_officer": asked.second_officer or "",
        "why": asked.why,
    }
    subject = Subject(incident.chain, asked.partnership, incident.id, asked.opened[incident_id])
    prove(tx, parts, work, subject, [Said(Event.REGISTER_EXPORTED, fields)])
