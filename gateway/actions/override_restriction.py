"""Open a restricted incident without being named: for a child who cannot wait, with a reason, for a time, and told at once.

It is never refused for want of somebody to tell: that it was done is in the ledger and on the managers' page whatever happens to
the mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.actions.restrict_incident import CODE
from gateway.actions.tell_managers import Alert, tell_managers
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import name_key
from gateway.core.receipts import Event
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import access, incidents
from gateway.store.access import AdmissionRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Override:
    """`reason` is a coarse code: it stands in the ledger for good. `words` are the officer's own, sealed with the incident."""

    incident: IncidentId
    officer: str
    reason: str
    words: str = ""


def override_restriction(tx: Tx, parts: Parts, work: Work, asked: Override) -> Stated:
    """Let this officer open it for some hours from now, and tell the managers. Refused without a reason or a restriction."""
    if not CODE.fullmatch(asked.reason):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose why you open it.")
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if access.restriction(tx, incident.partnership, incident.id) is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This incident is not restricted.")
    key = name_key(asked.officer)
    named = [row for row in access.admissions(tx, incident.partnership, incident.id) if row.until is None]
    if any(row.officer == key for row in named):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="You may open this incident already.")
    until = work.at + timedelta(seconds=parts.settings.override_seconds)
    row = AdmissionRow(
        incident.partnership, incident.id, key, asked.officer, asked.officer, work.at, until, asked.reason
    )
    access.admit(tx, row)
    fields = {"officer": asked.officer, "until": written(until)}
    if asked.words:
        fields["words"] = asked.words
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    stated = prove(
        tx, parts, work, subject, [Said(Event.RESTRICTION_OVERRIDDEN, fields, reason=asked.reason)]
    )
    tell_managers(tx, parts, work, Alert("restriction-overridden", asked.reason, f"/incidents/{incident.id}"))
    return stated[0]
    # A crash before the commit: nothing was opened, and nobody was told.
