"""Chase a duty: remind its owner, tell others when it is late, and state a silence once every way in has been read.

Each duty and stage is chased once, by the reference of the chase itself; after an outage only the latest stage is sent.
Chases carry no personal data (G-02).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.actions.compose import Composition, compose
from gateway.actions.hold import hold
from gateway.actions.owe_deliveries import delivery_row
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.warn_unit import warn_unit
from gateway.actions.what_follows import DO_NOT_CONTACT, EVERYBODY_ABSENT, Forwarded
from gateway.core import clocks
from gateway.core.alerts import last_before_due
from gateway.core.clocks import Reminder, Stage
from gateway.core.duties import UNANSWERED, DutyState, latest_reached, next_chase_at
from gateway.core.messages import DutyId, RoleId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances, resolve
from gateway.core.rules import (
    OWNER,
    OWNER_DEPUTY,
    OWNER_LEAD,
    OWNER_MANAGER,
    Recipients,
    Whom,
    chase_rule,
    is_avoided,
)
from gateway.core.written_times import written, written_or_null
from gateway.partnerships import packs
from gateway.parts import Parts, Work
from gateway.store import duties, mail, messages
from gateway.store import packs as pack_rows
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

# A silence is stated only when every way in is read this far past the due instant.
MARGIN = timedelta(minutes=1)
BUSINESS_UNIT, LEAD = RoleId("sbu"), RoleId("agency-safeguarding-lead")
MANAGERS = (RoleId("line-manager"), RoleId("service-manager"))
_AT_THE_OWNER_S = (OWNER_LEAD, OWNER_MANAGER)
CHASE_RULE = "chase"
REMINDERS = (Stage.HALF, Stage.DAY_BEFORE)
ADVICE = {"dcs-notification": "notify-dcs"}  # a child missing for as long as the clock says (S1-05, K07)
STAGE_NAMES = {  # as the public schema of a chase has them
    Stage.HALF: "half-way",
    Stage.DAY_BEFORE: "day-before",
    Stage.DUE: "due",
    Stage.ONE_AFTER: "overdue-1",
    Stage.TWO_AFTER: "overdue-2",
}


@dataclass(frozen=True, slots=True)
class Chase:
    """A duty to look at. `read_until` is how far every way in has been read completely."""

    duty: DutyId
    read_until: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """A seat that is told; `is_deputy` means those after its first person present."""

    seat: Seat
    is_deputy: bool = False


def chase(tx: Tx, parts: Parts, work: Work, asked: Chase) -> list[str]:
    """Do what is due on one duty now; what was done: a stage's name, `missed`, or nothing."""
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None or incident.state != "open" or duty.state not in UNANSWERED:
        return []
    done = _state_silence(tx, parts, work, duty, incident, asked.read_until)
    plan = _plan(tx, work, duty)
    reached = latest_reached(plan, work.at)
    if reached is not None and reached.stage.value != duty.chase_stage:
        _send(tx, parts, work, duty, incident, reached)
        if reached.stage is last_before_due(plan):
            warn_unit(tx, parts, work, duty)
        done.append(reached.stage.value)
    duties.change(
        tx,
        duty.id,
        chase_stage=reached.stage.value if reached else duty.chase_stage,
        next_chase_at=next_chase_at(plan, work.at),
    )
    return done
    # A crash before the commit leaves the stage unchased; the timetable comes by again.


def _plan(tx: Tx, work: Work, duty: DutyRow) -> tuple[Reminder, ...]:
    """When to chase: by the clock that made the duty, whatever the pack in force has become since, to the due it has."""
    pack = work.pack
    if pack.version != duty.pack_version and (
        row := pack_rows.version(tx, duty.partnership, duty.pack_version)
    ):
        pack = packs.parse(duty.partnership, row.files)
    due = clocks.Due(pack.clocks[duty.clock], duty.start_at, duty.due_on, duty.due_at)
    return clocks.reminders(due, work.pack.calendar)


def _state_silence(
    tx: Tx, parts: Parts, work: Work, duty: DutyRow, incident: Incident, read_until: datetime
) -> list[str]:
    """State that nothing had reached the gateway by the due instant; never before all ways in are read past it."""
    if duty.state is not DutyState.OPEN or duty.due_at is None or read_until < duty.due_at + MARGIN:
        return []
    if messages.awaits_release(tx, incident.partnership, incident.id, duty.agency, duty.expects):
        return []  # something did come and an officer has not decided on it: that is no silence
    if mail.waits_for_officer(tx, incident.partnership, incident.id, duty.agency):
        return []
    duties.change(tx, duty.id, state=DutyState.MISSED.value)
    fields = {
        "duty": duty.id,
        "owner": f"{duty.role}@{duty.agency}",
        "expects": duty.expects,
        "clock": duty.clock,
        "due_at": written(duty.due_at),
        "read_until": written(read_until),
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    prove(tx, parts, work, subject, [Said(Event.DEADLINE_MISSED, fields, reason="nothing-received")])
    return ["missed"]


def _send(tx: Tx, parts: Parts, work: Work, duty: DutyRow, incident: Incident, reached: Reminder) -> None:
    """One chase message to everyone whom the pack names for this stage."""
    rule = chase_rule(work.pack, reached.stage, duty.expects, duty.clock)
    if rule is None or work.key is None:
        return
    sender = _sender(work, duty)
    if sender is None:
        hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), ("nobody-holds-sbu",))
        return
    reference = "-".join([duty.id, reached.stage.value, *_moves(duty)])
    if messages.by_reference(tx, incident.partnership, sender.agency, reference) is not None:
        return
    found, gaps = _recipients(work, duty, rule.to)
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    told = [one for one in found if not is_avoided(avoided, one.seat.agency, one.seat.role)]
    if len(told) < len(found):
        gaps.append(DO_NOT_CONTACT)
    if any(work.directory.is_deserted(one.seat, work.at) for one in told):
        gaps.append(EVERYBODY_ABSENT)
    event = Event.REMINDER_SENT if reached.stage in REMINDERS else Event.ESCALATED
    reason = None if event is Event.REMINDER_SENT else reached.stage.value
    asked = Composition(
        type="chase",
        reference=reference,
        rule=CHASE_RULE,
        sender=sender,
        author=("Safeguarding gateway", "Timetable"),
        marking="OFFICIAL",
        body=_body(duty, reached),
        recipients=list(dict.fromkeys(one.seat for one in told)),
        said=[Said(event, {"duty": duty.id}, reason=reason)],
        in_reply_to=duty.message,
    )
    message = compose(tx, parts, work, incident, asked)
    rows: list[Mapping[str, Any]] = [
        delivery_row(work, message, incident, one.seat) | {"to_deputy": one.is_deputy} for one in told
    ]
    Forwarded(CHASE_RULE, rows).record(tx)
    for gap in gaps:
        hold(tx, work, incident.partnership, incident.id, ("message", message.id), (gap,))


def _moves(duty: DutyRow) -> list[str]:
    """How often the due instant was moved: each new one is chased anew."""
    return [str(len(duty.due_changes))] if duty.due_changes else []


def _sender(work: Work, duty: DutyRow) -> Seat | None:
    """In whose name it is sent: the business unit's; inside one council that has none, the owner's own."""
    unit = next(iter(work.directory.seats_of(BUSINESS_UNIT)), None)
    has_none = not any(BUSINESS_UNIT in rule.to for rule in work.pack.chases)
    return Seat(duty.agency, duty.role) if unit is None and has_none else unit


def _recipients(work: Work, duty: DutyRow, to: tuple[str, ...]) -> tuple[list[_Told], list[str]]:
    told: list[_Told] = []
    gaps: list[str] = []
    now = Circumstances(duty.agency, named=(duty.agency,), deputies=work.pack.deputies, at=work.at)
    for word in to:
        if word == OWNER:
            told.append(_Told(Seat(duty.agency, duty.role)))
        elif word == OWNER_DEPUTY:
            told.extend(_deputies(work, duty))
        else:
            whom = Whom.NAMED if word in _AT_THE_OWNER_S else Whom.SEAT
            resolved = resolve(Recipients(_role(work, duty, word), whom), work.directory, now)
            told.extend(_Told(seat) for seat in resolved.seats)
            gaps.extend(resolved.gaps)
    return list(dict.fromkeys(told)), gaps


def _role(work: Work, duty: DutyRow, word: str) -> RoleId:
    """The role that a word of a chase stands for: of the owner's managers the nearest that there is."""
    if word == OWNER_LEAD:
        return LEAD
    if word != OWNER_MANAGER:
        return RoleId(word)
    held = (role for role in MANAGERS if Seat(duty.agency, role) in work.directory.seats)
    return next(held, MANAGERS[0])


def _deputies(work: Work, duty: DutyRow) -> list[_Told]:
    """Who ranks after the person present in the owner's seat, and the first role that stands in for the owner's.

    In a shared inbox they see the chase that the owner gets; by e-mail they are written to themselves.
    """
    seat = Seat(duty.agency, duty.role)
    by_mail = work.directory.way_to(seat).adapter == "mail"
    several = len(work.directory.present_holders(seat, work.at)) > 1
    told = [_Told(seat, by_mail)] if several or not by_mail else []
    others = (Seat(duty.agency, role) for role in work.pack.deputies.get(duty.role, ()))
    present = next((other for other in others if work.directory.is_manned(other, work.at)), None)
    return [*told, *([_Told(present)] if present else [])]


def _body(duty: DutyRow, reached: Reminder) -> Mapping[str, Any]:
    return {
        "duty": duty.id,
        "stage": STAGE_NAMES[reached.stage],
        "expects": duty.expects,
        "clock": duty.clock,
        "owed_by": {"agency": duty.agency, "role": duty.role},
        "due_on": duty.due_on.isoformat() if duty.due_on else None,
        "due_at": written_or_null(duty.due_at),
        "advice": ADVICE.get(duty.expects) if reached.stage not in REMINDERS else None,
    }
