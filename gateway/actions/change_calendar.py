"""Put another list of bank holidays in force, and count every open duty anew by it (C-12).

Closed duties are never counted anew, and neither is a day that an officer set. Statutory clocks move as well: a bank holiday
is no working day for them either. Each change is recorded with the due before and after and its cause, and leaves a receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core import clocks
from gateway.core.clocks import Clock, Due, Unit
from gateway.core.duties import DutyState, is_early, next_chase_at, settled_state
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import DutyId, PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.rules import Pack
from gateway.core.working_days import Calendar
from gateway.core.written_times import written
from gateway.partnerships import packs
from gateway.partnerships.calendars import (
    BankHolidays,
    joined,
    read_government_list,
    read_holidays,
    shipped_holidays,
    write_holidays,
)
from gateway.parts import Parts, Work
from gateway.store import duties, holidays
from gateway.store import packs as pack_rows
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx

LARGEST_LIST_BYTES = 1_048_576
NEW_HOLIDAYS, EXTENDED, EARLIER = "holiday-list-changed", "extended", "earlier-start"


@dataclass(frozen=True, slots=True)
class CalendarChange:
    """A list as gov.uk publishes it, read and dated, and the two who put it in force."""

    listed: BankHolidays
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class Moved:
    """A duty whose due instant another list of holidays moves."""

    duty: DutyRow
    due: Due


def government_list(raw: bytes, before: BankHolidays, today: date) -> BankHolidays:
    """gov.uk's list, named by its day and content; the name sorts after that of the list before. Misconfigured when it is none."""
    if len(raw) > LARGEST_LIST_BYTES:
        raise Misconfigured("bank holidays: that is too large to be gov.uk's bank-holidays.json")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Misconfigured("bank holidays: give gov.uk's bank-holidays.json as it is downloaded") from None
    day = max(today.isoformat(), before.version[:10])
    return read_government_list(text, f"{day}-{sha256(raw).hexdigest()[:8]}")


def in_force(tx: Tx) -> BankHolidays:
    """The list by which dates are counted now."""
    version = holidays.current_version(tx)
    return shipped_holidays() if version is None else read_holidays(holidays.document(tx, version))


def change_calendar(tx: Tx, parts: Parts, occasion: Occasion, asked: CalendarChange) -> Stated:
    """Put the list in force; the receipt. Refused when it says nothing new, or when an open duty would lose its date."""
    tx.take_turns(
        "calendar"
    )  # else two lists at once would each be joined to the one before, and both be in force
    before = in_force(tx)
    listed = joined(before, asked.listed)
    if listed.divisions == before.divisions and listed.covers_until == before.covers_until:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This list is in force already.")
    would_move(tx, listed)
    values = {
        "version": listed.version,
        "document": write_holidays(listed),
        "uploaded_at": occasion.at,
        "uploaded_by": asked.officers.first,
        "seconded_by": asked.officers.second,
    }
    holidays.put_in_force(tx, values)
    subject = Subject(f"calendar-{listed.version}", None, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.CALENDAR_CHANGED)])[0]
    # A crash after the commit leaves open duties to be counted anew: the timetable sees `recounted_at` missing and does it.


def would_move(tx: Tx, listed: BankHolidays) -> list[Moved]:
    """The duties that this list moves, with their new due. Raises CalendarEnds when it does not reach one that has a date."""
    found: list[Moved] = []
    calendars: dict[PartnershipId, Calendar] = {}
    for duty in duties.open_with_due(tx):
        if duty.partnership not in calendars:
            row = pack_rows.current(tx, duty.partnership)
            if row is None:
                continue
            calendars[duty.partnership] = packs.parse(duty.partnership, row.files, listed).calendar
        due = _counted(clock_of(tx, duty), duty, calendars[duty.partnership])
        if due is not None and due.due_at != duty.due_at:
            found.append(Moved(duty, due))
    return found


@dataclass(frozen=True, slots=True)
class Recount:
    """One open duty, to be counted by the list of this version."""

    duty: DutyId
    version: str


def recount(tx: Tx, parts: Parts, work: Work, asked: Recount) -> Stated | None:
    """Count one duty anew; the receipt when its due instant moved. Misconfigured when another list is in force here.

    One that was answered before it ever had a date is counted as well, and was in time or late by it.
    """
    if work.pack.calendar.version != asked.version:
        raise Misconfigured("another list of holidays is in force: count again")
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None or incident.state != "open":
        return None
    if duty.state is not DutyState.OPEN and not (duty.is_uncounted and duty.met_at):
        return None
    due = _counted(clock_of(tx, duty, work.pack), duty, work.pack.calendar)
    if due is None or due.due_at is None or due.due_at == duty.due_at:
        return None
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return reschedule(tx, parts, work, subject, duty, due, NEW_HOLIDAYS, {"calendar": asked.version})


def reschedule(
    tx: Tx,
    parts: Parts,
    work: Work,
    subject: Subject,
    duty: DutyRow,
    due: Due,
    cause: str,
    fields: Mapping[str, str],
    told_start_at: datetime | None = None,
) -> Stated:
    """Give a duty another due instant: old and new, the cause and when stay with it; chases follow the new one.

    `told_start_at`: its clock began earlier than it was laid to, as somebody told since.
    """
    plan = clocks.reminders(due, work.pack.calendar) if duty.met_at is None else ()
    change = {
        "old_due_at": _text(duty.due_at),
        "new_due_at": _text(due.due_at),
        "cause": cause,
        "at": _text(work.at),
    } | ({"start_at": _text(told_start_at)} if told_start_at else {})
    duties.change(
        tx,
        duty.id,
        due_on=due.due_on,
        due_at=due.due_at,
        due_changes=[*(duty.due_changes or ()), change],
        chase_stage=None,
        next_chase_at=next_chase_at(plan, work.at),
        state=_state(duty, due).value,
        is_early=_is_early(duty, due, work.pack.calendar),
    )
    told: dict[str, Any] = {"duty": duty.id, "clock": duty.clock, **change, **fields}
    said = Said(Event.DUTY_RESCHEDULED, told, reason=cause)
    return prove(tx, parts, work, subject, [said])[0]


def _state(duty: DutyRow, due: Due) -> DutyState:
    """Open, whatever it was; but what was answered before it had a date is not asked for again."""
    if duty.met_at is None:
        return DutyState.OPEN
    return settled_state(due.due_at, due.inclusive, duty.event_at or duty.met_at)


def _is_early(duty: DutyRow, due: Due, calendar: Calendar) -> bool:
    at = duty.event_at or duty.met_at
    return at is not None and is_early(due.clock, due.due_on, at, calendar)


def clock_of(tx: Tx, duty: DutyRow, at_hand: Pack | None = None) -> Clock:
    """The clock that made the duty, whatever the pack in force has become since.

    The pack `at_hand` serves where it is that version: it was read when it was sound, whatever the stored text is now.
    """
    made_by = (duty.partnership, duty.pack_version)
    if at_hand is not None and (at_hand.partnership, at_hand.version) == made_by:
        return at_hand.clocks[duty.clock]
    row = pack_rows.version(tx, duty.partnership, duty.pack_version)
    if row is None:
        raise Misconfigured("the rule pack that made this duty is not on record")
    return packs.parse(duty.partnership, row.files).clocks[duty.clock]


def _counted(clock: Clock, duty: DutyRow, calendar: Calendar) -> Due | None:
    """The due by this calendar; None where a person set the day, which no list of holidays moves."""
    by_person = any(change["cause"] == EXTENDED for change in duty.due_changes or ())
    if by_person or clock.unit in (Unit.AS_SET, Unit.NONE):
        return None
    told = [str(change["start_at"]) for change in duty.due_changes or () if change["cause"] == EARLIER]
    start_at = min([duty.start_at, *map(datetime.fromisoformat, told)])
    if duty.is_uncounted:
        return clocks.due_or_uncounted(clock, start_at, calendar)[0]
    return clocks.due_of_duty(clock, start_at, calendar)


def _text(at: datetime | None) -> str:
    return "" if at is None else written(at)
