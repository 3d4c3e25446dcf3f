"""Move responsibility for an incident: to another partnership here, or to a council that is none of ours (P-05, P-09, G-07).

No statutory duty vanishes: with a partnership here the notification's clock (K12) starts anew from its own awareness, which is
this instant, and every other unanswered duty of the law goes over as it runs. With a council elsewhere somebody there is named
who took it over. The incident that stays behind takes no more messages; its content and receipts remain until they are erased.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.actions.circumstances import circumstances
from gateway.actions.compose import Composition, compose
from gateway.actions.forward import forward
from gateway.actions.hold import TRANSFERRED, hold
from gateway.actions.lay_duties import add_duties
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, Message, PartnershipId, RoleId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.routing import Directory
from gateway.core.rules import DutyRule, Forward, Pack, Recipients, decide
from gateway.parts import Parts, Work
from gateway.store import breaches, duties, holds, incidents, messages
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx
from keys.sealing import DataKey
from schemas import facts, read_message

REASON = "incident-transferred"
NOTIFY, AWARE, LEAD, UNIT = "K12", "aware_at", RoleId("dsp-la"), RoleId("sbu")


@dataclass(frozen=True, slots=True)
class Receiving:
    """The partnership here that takes over, and the incident that it will have, its data key made before."""

    incident: IncidentId
    pack: Pack
    directory: Directory
    key: DataKey


@dataclass(frozen=True, slots=True)
class Transfer:
    """To `receiving`, or to the council `council`, where `taken_by` (name and post) took it over."""

    incident: IncidentId
    officers: TwoOfficers
    reason: str
    receiving: Receiving | None = None
    council: str = ""
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Transferred:
    receipt: str
    ended: tuple[str, ...]  # ids of the duties that end here
    incident: IncidentId | None  # the new one, when a partnership here takes over


def transfer(tx: Tx, parts: Parts, work: Work, asked: Transfer) -> Transferred:
    """End the incident here and open it there; Refused while something of it is held, or a breach of it is open."""
    incident = _ready(tx, work, asked)
    laid = duties.of_incident(tx, incident.partnership, incident.id)
    open_duties = [duty for duty in laid if duty.state in UNANSWERED]
    statutory = [duty for duty in open_duties if work.pack.is_statutory(duty.clock)]
    ended = [_ended(tx, asked, duty) for duty in open_duties]
    fields = {
        "from": incident.partnership,
        "to": asked.receiving.pack.partnership if asked.receiving else asked.council,
        "new_incident": asked.receiving.incident if asked.receiving else "",
        "taken_by": asked.taken_by,
        "officer": asked.officers.first,
        "second_officer": asked.officers.second,
        "words": asked.reason,
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    reason = "to-a-partnership-here" if asked.receiving else "to-another-council"
    receipt = prove(tx, parts, work, subject, [Said(Event.TRANSFERRED, fields, reason=reason), *ended])[0]
    if asked.receiving is not None:
        _receive(tx, parts, work, incident, asked.receiving, statutory, fields)
    to = asked.receiving.incident if asked.receiving else asked.council
    to_change = {"state": TRANSFERRED, "transferred_to": to, "ended_at": work.at}
    incidents.change(tx, incident.partnership, incident.id, **to_change)
    new = asked.receiving.incident if asked.receiving else None
    return Transferred(receipt.id, tuple(duty.id for duty in open_duties), new)
    # A crash before the commit leaves the incident as it was; the new data key seals nothing and is swept.


async def receiving_in(parts: Parts, partnership: PartnershipId) -> Receiving:
    """The partnership as it stands, with a data key for the incident that it will have; Refused when it is not here."""
    snapshot = await parts.partnerships.snapshot(partnership)
    incident = parts.new_incident_id()
    key = await parts.make_key(incident, parts.clock())
    return Receiving(incident, snapshot.pack, snapshot.directory, key)


def _ready(tx: Tx, work: Work, asked: Transfer) -> Incident:
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    if incident is None or work.key is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officers, work.at)
    if incident.state != "open":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is closed, transferred or erased.")
    here = incident.partnership
    if asked.receiving is not None and asked.receiving.pack.partnership == here:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This partnership is responsible already.")
    if asked.receiving is None and not (asked.council.strip() and asked.taken_by.strip()):
        raise Refused(
            ErrorCode.INVALID_MESSAGE, detail="Name the council, and who there took the incident over."
        )
    if any(held.incident == incident.id for held in holds.open_holds(tx, here)):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Something of it is held: deal with that first.")
    if any(row.incident == incident.id and row.state == "open" for row in breaches.every(tx, [here])):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="A breach of it is open: close that first.")
    return incident


def _ended(tx: Tx, asked: Transfer, duty: DutyRow) -> Said:
    duties.change(tx, duty.id, state=DutyState.WAIVED.value, waived_reason=REASON, next_chase_at=None)
    fields = {
        "duty": duty.id,
        "owner": f"{duty.role}@{duty.agency}",
        "clock": duty.clock,
        "officer": asked.officers.first,
        "second_officer": asked.officers.second,
    }
    return Said(Event.DUTY_WAIVED, fields, reason=REASON)


def _receive(
    tx: Tx,
    parts: Parts,
    work: Work,
    left: Incident,
    there: Receiving,
    statutory: Sequence[DutyRow],
    fields: dict[str, str],
) -> None:
    """Open the incident there with a referral in the name of its own business unit, under its own rules."""
    document = _referral(tx, work, left)
    own = replace(work, pack=there.pack, directory=there.directory, key=there.key)
    sender = next(iter(there.directory.seats_of(UNIT)), None)
    if sender is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="Nobody holds the seat sbu in that partnership: enrol somebody there first.",
        )
    chain = f"inc-{work.supply.take(16).hex()}"
    opened = incidents.newly_opened(
        there.incident, there.pack.partnership, chain, there.pack.version, work.at
    )
    values = opened | {"legal_hold": left.legal_hold, "police_hold": left.police_hold}
    incidents.open_new(tx, values)
    incident = Incident(**values)
    subject = Subject(incident.chain, incident.partnership, incident.id, own.key)
    prove(tx, parts, own, subject, [Said(Event.TRANSFERRED, fields, reason="received")])
    composed = _composed(own, left, there, sender, document)
    message = compose(tx, parts, own, incident, composed)
    decision = decide(message, there.pack, released=True)  # two officers say that the place is theirs
    if not isinstance(decision, Forward):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="That partnership's rules take no referral from its business unit.",
        )
    result = forward(tx, own, message, incident, decision.route)
    _carry_over(tx, own, message, incident, statutory, result)
    routed = {"recipients": " ".join(result.recipients), "duties": " ".join(result.duties_in_short)}
    about = Subject(message.id, incident.partnership, incident.id, own.key)
    prove(tx, parts, own, about, [Said(Event.ROUTED, {"rule": decision.route.id, **routed})])
    result.record(tx)
    for gap in result.gaps:
        hold(tx, own, incident.partnership, incident.id, ("message", message.id), (gap,))


def _composed(
    own: Work, left: Incident, there: Receiving, sender: Seat, document: dict[str, Any]
) -> Composition:
    """The referral as the receiving unit makes it: what the first said, but the awareness, which is its own."""
    known = facts(read_message(json.dumps(document).encode()))
    holder = there.directory.present_holder(sender, own.at)
    return Composition(
        type="referral",
        reference=f"transfer-{left.id}-{there.incident}",
        rule="transfer",
        sender=sender,
        author=(holder.name if holder else "Safeguarding gateway", "Safeguarding Business Unit"),
        marking=document["marking"],
        body=document["body"],
        recipients=(),
        schools=known.schools,
        codes=known.codes,
        agencies=known.agencies,
        moments={name: at for name, at in known.moments.items() if name != AWARE},
        do_not_contact=document["do_not_contact"],
    )


def _referral(tx: Tx, work: Work, left: Incident) -> dict[str, Any]:
    """The referral that opened the incident; what later messages say not to contact binds there too."""
    assert work.key is not None
    rows = messages.of_incident(tx, left.partnership, left.id, "referral")
    row = next((one for one in rows if one.decision == "forward" and one.data_key == work.key.id), None)
    if row is None or row.sealed is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="It has no referral that the other side could take up."
        )
    document: dict[str, Any] = json.loads(work.key.open(f"message:{row.id}", row.sealed))
    said = list(document.get("do_not_contact", []))
    known = set(facts(read_message(json.dumps(document).encode())).codes.get("do_not_contact", ()))
    for seat in sorted(messages.avoided(tx, left.partnership, left.id) - known - {"person"}):
        agency, _, role = seat.partition("/")
        whom = {"agency": None if agency == "*" else agency, "role": None if role == "*" else role}
        said.append({**whom, "reason": "Said in the incident before its transfer."})
    return document | {"do_not_contact": said}


def _carry_over(
    tx: Tx, own: Work, message: Message, incident: Incident, statutory: Sequence[DutyRow], result: Forwarded
) -> None:
    """K12 from the new side's own awareness, whatever its pack's route lays; the law's other clocks as they run."""
    now = circumstances(tx, own, message, incident)
    laid = {(row["expects"], row["clock"]) for row in result.duties}
    for duty in statutory:
        if (duty.expects, duty.clock) in laid:
            continue
        role = duty.role if own.directory.seats_of(duty.role) else UNIT
        started = own.at if duty.clock == NOTIFY else duty.start_at
        moments = {own.pack.clocks[duty.clock].start: started}
        incidents.record_moments(tx, incident.partnership, incident.id, message.id, moments)
        rule = DutyRule(Recipients(role), duty.expects, duty.clock, duty.task, met_at=duty.event)
        add_duties(own, message.id, incident, rule, moments, now, result)
