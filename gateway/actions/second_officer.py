"""Ask a second officer to agree, and do what was asked once they do: one mechanism for all that takes two.

Invariant: what is done is exactly what was asked, by the very action that the command line calls, in the transaction in which the
second officer agrees; the two are different people (core.officers); an asking is settled once, and lapses after a week. What was asked
for is sealed under the incident's key. To add an act: one row in ACTS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from gateway.actions.close_breach import BreachClosing, close_breach
from gateway.actions.close_incident import Closing, close_incident
from gateway.actions.dismiss_guest import dismiss_guest
from gateway.actions.end_retention import Approval, approve_erasure
from gateway.actions.hold_disclosure import HoldLifting, lift_police_hold
from gateway.actions.hold_legally import LegalHold, lift_legal_hold
from gateway.actions.invite_guest import GuestChange, invite_guest
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.recall import Recall, recall
from gateway.actions.restrict_incident import Lifting, lift_restriction
from gateway.actions.transfer import Receiving, Transfer, transfer
from gateway.actions.waive import Waiver, waive
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DutyId, IncidentId, MessageId
from gateway.core.officers import TwoOfficers, name_key
from gateway.core.permissions import Needs
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import breaches, duties, incidents, messages, officers, proposals
from gateway.store.incidents import Incident
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

LIFE = timedelta(days=7)
TRANSFER = "transfer"
MOST_CHARACTERS = 500

Fields = Mapping[str, str]
Do = Callable[[Tx, Parts, Work, IncidentId, Fields, TwoOfficers], object]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that takes two: what it is called, what must be said, who may ask and agree, and the action."""

    title: str
    fields: tuple[str, ...]
    needs: Needs
    do: Do


@dataclass(frozen=True, slots=True)
class Asking:
    """The first officer asks. `fields` are those of the act, in the officer's own words where it takes a reason."""

    incident: IncidentId
    act: str
    fields: Fields
    officer: str


@dataclass(frozen=True, slots=True)
class Answering:
    """Another officer agrees, or somebody (also the first) refuses."""

    proposal: str
    officer: str
    refuse: bool = False
    receiving: Receiving | None = None  # of a transfer to a partnership here: its side, made ready before


def ask_second(tx: Tx, parts: Parts, work: Work, asked: Asking) -> str:
    """Keep what is asked for until another officer settles it; its id. Refused when something is missing."""
    act, incident = ACTS.get(asked.act), _locked(tx, work, asked.incident)
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    said = {name: asked.fields.get(name, "").strip() for name in act.fields} if act else {}
    if act is None or not all(0 < len(text) <= MOST_CHARACTERS for text in said.values()):
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="Something is missing, or longer than 500 characters."
        )
    if work.key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is erased.")
    proposal = f"ask-{work.supply.take(13).hex()}"
    sealed = work.key.seal(f"proposal:{proposal}", json.dumps(said).encode())
    row = ProposalRow(
        proposal,
        incident.partnership,
        incident.id,
        asked.act,
        sealed,
        None,
        asked.officer,
        work.at,
        work.at + LIFE,
        proposals.WAITING,
        None,
        None,
    )
    proposals.add(tx, row)
    _say(tx, parts, work, incident, Event.AGREEMENT_ASKED, asked.officer, row)
    return proposal


def answer_asking(tx: Tx, parts: Parts, work: Work, asked: Answering) -> ProposalRow:
    """Do it with both officers' names, or refuse it. Refused for one person alone, and when it was settled or has lapsed."""
    row = proposals.find(tx, work.pack.partnership, asked.proposal)
    if row is None or row.incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    incident = _locked(tx, work, row.incident)
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    fields = what_is_asked(work, row)
    if not row.waits_at(work.at) or fields is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="Somebody has already settled this, or it has lapsed."
        )
    state = proposals.REFUSED if asked.refuse else proposals.AGREED
    if not asked.refuse:
        asker_must_stand(tx, row)
        _do(tx, parts, work, row, incident.id, fields, asked)
    if not proposals.settle(tx, row, state, asked.officer, work.at):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Somebody has already settled this.")
    if asked.refuse:
        _say(tx, parts, work, incident, Event.AGREEMENT_REFUSED, asked.officer, row)
    return row
    # A crash before the commit: nothing was done and it still waits.


def _do(
    tx: Tx,
    parts: Parts,
    work: Work,
    row: ProposalRow,
    incident: IncidentId,
    fields: Fields,
    asked: Answering,
) -> None:
    both, there = TwoOfficers(row.asked_by, asked.officer), asked.receiving
    if row.act == TRANSFER and there is not None and there.pack.partnership == fields["to"]:
        transfer(tx, parts, work, Transfer(incident, both, fields["reason"], there))
    else:
        ACTS[row.act].do(tx, parts, work, incident, fields, both)


def what_is_asked(work: Work, row: ProposalRow) -> Fields | None:
    """The fields of a proposal; None once it is settled or its incident erased."""
    if row.sealed is None or work.key is None:
        return None
    fields: Fields = json.loads(work.key.open(f"proposal:{row.id}", row.sealed))
    return fields


def asker_must_stand(tx: Tx, row: ProposalRow) -> None:
    """Whoever was suspended since asks for nothing any more: another officer would be the only one who does it."""
    asker = officers.find(tx, row.asked_by)
    if asker is not None and not asker.is_active:
        detail = (
            "Whoever asked for it may not work here any more. Refuse it, and ask anew if it is still wanted."
        )
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


def is_own(row: ProposalRow, officer: str) -> bool:
    return name_key(row.asked_by) == name_key(officer)


def _locked(tx: Tx, work: Work, wanted: IncidentId) -> Incident:
    incident = incidents.lock(tx, work.pack.partnership, wanted)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return incident


def _say(
    tx: Tx, parts: Parts, work: Work, incident: Incident, event: Event, officer: str, row: ProposalRow
) -> None:
    fields = {"officer": officer, "act": row.act, "asking": row.id}
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    prove(tx, parts, work, subject, [Said(event, fields, reason=row.act)])


# --- the acts


def _waive(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    duty = duties.find(tx, DutyId(fields["duty"]))
    if duty is None or duty.incident != incident:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    return waive(tx, parts, work, Waiver(duty.id, officers, fields["reason"]))


def _recall(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    row = messages.find(tx, [work.pack.partnership], MessageId(fields["message"]))
    if row is None or row.incident != incident:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no message of this id.")
    return recall(tx, parts, work, Recall(row.id, officers, fields["reason"]))


def _invite(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    asked = GuestChange(incident, AgencyId(fields["agency"]), officers, fields["reason"])
    return invite_guest(tx, parts, work, asked)


def _dismiss(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    asked = GuestChange(incident, AgencyId(fields["agency"]), officers, fields["reason"])
    return dismiss_guest(tx, parts, work, asked)


def _unrestrict(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    return lift_restriction(tx, parts, work, Lifting(incident, officers))


def _lift_police_hold(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    return lift_police_hold(tx, parts, work, HoldLifting(incident, officers, fields["reason"]))


def _close(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    answer = Closing(
        incident, officers.first, fields["reason"], "not-required", fields["because"], officers.second
    )
    return close_incident(tx, parts, work, answer)


def _lift_hold(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    return lift_legal_hold(
        tx, parts, work, LegalHold(incident, officers.first, fields["reason"], officers.second)
    )


def _close_breach(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    """It need not be reported."""
    row = breaches.find(tx, [work.pack.partnership], fields["breach"])
    if row is None or row.incident != incident:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no breach of this id.")
    asked = BreachClosing(row.id, officers.first, None, officers.second, fields["reason"])
    return close_breach(tx, parts, work, asked)


def _transfer_elsewhere(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    council, taken_by = fields["council"], fields["taken_by"]
    asked = Transfer(incident, officers, fields["reason"], council=council, taken_by=taken_by)
    return transfer(tx, parts, work, asked)


def _transfer_unprepared(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    """Whoever agrees makes the other side's data key before: see `Answering.receiving`."""
    raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Agree to it on its page.")


def _erase(
    tx: Tx, parts: Parts, work: Work, incident: IncidentId, fields: Fields, officers: TwoOfficers
) -> object:
    """Ordered here; the timetable destroys the data keys at its next round."""
    return approve_erasure(tx, parts, work, Approval(incident, officers))


ACTS: Mapping[str, Act] = {
    "waive-duty": Act("Waive a duty", ("duty", "reason"), Needs.DECIDE, _waive),
    "recall-message": Act("Take a message back", ("message", "reason"), Needs.DECIDE, _recall),
    "invite-guest": Act("Let an agency take part as a guest", ("agency", "reason"), Needs.DECIDE, _invite),
    "dismiss-guest": Act("End a guest agency's part", ("agency", "reason"), Needs.DECIDE, _dismiss),
    "lift-police-hold": Act("Lift the police hold", ("reason",), Needs.DECIDE, _lift_police_hold),
    "close-not-required": Act(
        "Close an incident: the law requires nothing", ("reason", "because"), Needs.DECIDE, _close
    ),
    "lift-legal-hold": Act("Lift a legal hold", ("reason",), Needs.DECIDE, _lift_hold),
    "confirm-erasure": Act("Erase what has been kept long enough", ("reason",), Needs.DECIDE, _erase),
    "close-breach": Act("A breach need not be reported", ("breach", "reason"), Needs.DECIDE, _close_breach),
    TRANSFER: Act(
        "Hand an incident over to another partnership here",
        ("to", "reason"),
        Needs.DECIDE,
        _transfer_unprepared,
    ),
    "transfer-elsewhere": Act(
        "Hand an incident over to a council elsewhere",
        ("council", "taken_by", "reason"),
        Needs.DECIDE,
        _transfer_elsewhere,
    ),
    "unrestrict": Act("Let every officer open the incident", ("reason",), Needs.RESTRICT, _unrestrict),
}
