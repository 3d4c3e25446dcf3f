"""What the pages read: one function a page, each on one snapshot. SQL stands in the store.

An incident or hold of a partnership that the officer does not see is not found, as one that does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.actions.change_calendar import clock_of
from gateway.actions.decide_jointly import tally_of
from gateway.actions.need_to_know import must_know
from gateway.console import words
from gateway.console.door import Console, Officer, Visit
from gateway.core.clocks import Clock
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId, PartnershipId
from gateway.core.routing import Directory
from gateway.core.rules import Pack
from gateway.parts import Parts
from gateway.store import (
    attachments,
    breaches,
    deliveries,
    duties,
    holds,
    incidents,
    likenesses,
    log,
    mail,
    messages,
    overview,
)
from gateway.store.attachments import AttachmentRow
from gateway.store.breaches import BreachRow
from gateway.store.duties import DutyRow
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.likenesses import LikenessRow
from gateway.store.log import Told
from gateway.store.mail import LetterRow, RawMail
from gateway.store.messages import MessageRow
from gateway.store.overview import DeliveryLine
from gateway.store.transaction import Tx

MOST_TOLD = 60  # entries of a timeline on one page


@dataclass(frozen=True, slots=True)
class DecisionRead:
    """How far one decision has come, and its outcome once there is one."""

    title: str
    words: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class IncidentRead:
    """One incident without any content. `alike` are pairs with incidents that are linked or may be; `told` are entries, the
    newest first, and one more than a page where there are older ones; `taking_part` says of each agency whether it is a guest;
    `clocks` are those of its duties, by the version of the rules that laid them and the clock's id."""

    incident: Incident
    decisions: tuple[DecisionRead, ...]
    duties: list[DutyRow]
    deliveries: list[DeliveryLine]
    messages: list[MessageRow]
    told: list[Told]
    taking_part: Mapping[AgencyId, bool]
    holds: list[HoldRow]
    alike: list[LikenessRow]
    attachments: list[AttachmentRow]
    clocks: Mapping[tuple[str, str], Clock]
    breaches: list[BreachRow]


@dataclass(frozen=True, slots=True)
class HeldRead:
    """One thing held and what it is about; what belongs to its kind is set, the rest None."""

    hold: HoldRow
    message: MessageRow | None = None
    delivery: DeliveryLine | None = None
    mail: RawMail | None = None
    letter: LetterRow | None = None
    attachment: AttachmentRow | None = None


def partnership_of(tx: Tx, officer: Officer, incident: str) -> PartnershipId:
    """The incident's partnership; Refused(not-found) when it is not one of the officer's."""
    found = incidents.partnership_of(tx, IncidentId(incident))
    if found is None or found not in officer.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    return found


def must_open(tx: Tx, officer: Officer, partnership: PartnershipId, wanted: str | None, at: datetime) -> None:
    """Refused when what is asked for is not one of the officer's, or its incident is restricted to others."""
    if partnership not in officer.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    must_know(tx, partnership, IncidentId(wanted) if wanted else None, officer.name, at)


async def openable(console: Console, visit: Visit) -> tuple[IncidentId, PartnershipId]:
    """The incident that the address names, when the officer may open it; else Refused as `partnership_of` and `must_open` do."""
    officer, wanted, now = visit.signed_in, IncidentId(visit.path("incident")), console.parts.clock()

    def look(tx: Tx) -> PartnershipId:
        partnership = partnership_of(tx, officer, wanted)
        must_open(tx, officer, partnership, wanted, now)
        return partnership

    return wanted, await console.parts.store.read(look)


def is_seen(tx: Tx, officer: Officer, incident: str) -> bool:
    """Whether there is such an incident in one of the officer's partnerships."""
    return incidents.partnership_of(tx, IncidentId(incident)) in officer.partnerships


def incident(
    tx: Tx, pack: Pack, wanted: IncidentId, before: tuple[datetime, str] | None = None
) -> IncidentRead:
    """Everything about an incident but what its messages say; its timeline from its newest entry, or `before` one."""
    partnership = pack.partnership
    found = incidents.find(tx, partnership, wanted)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    owed = duties.of_incident(tx, partnership, wanted)
    return IncidentRead(
        incident=found,
        decisions=tuple(_decisions(tx, pack, found)),
        duties=sorted(owed, key=_soonest),
        clocks=_clocks(tx, pack, owed),
        deliveries=overview.deliveries_of_incident(tx, partnership, wanted),
        messages=messages.of_incident(tx, partnership, wanted),
        told=log.timeline(tx, partnership, wanted, MOST_TOLD + 1, before),
        taking_part=incidents.taking_part(tx, partnership, wanted),
        holds=holds.about_incident(tx, partnership, wanted),
        alike=likenesses.of_incident(tx, partnership, wanted),
        attachments=attachments.of_incident(tx, partnership, wanted),
        breaches=breaches.of_incident(tx, partnership, wanted),
    )


def clock_of_duty(tx: Tx, pack: Pack, duty: DutyRow) -> Clock | None:
    """The clock that made a duty, whatever rules are in force by now; None when its text cannot be read any more."""
    try:
        return clock_of(tx, duty, pack)
    except (Misconfigured, KeyError):
        return None


def _clocks(tx: Tx, pack: Pack, owed: Iterable[DutyRow]) -> dict[tuple[str, str], Clock]:
    one_each = {(duty.pack_version, duty.clock): duty for duty in owed}
    found = {of: clock_of_duty(tx, pack, duty) for of, duty in one_each.items()}
    return {of: clock for of, clock in found.items() if clock is not None}


def _decisions(tx: Tx, pack: Pack, found: Incident) -> Iterator[DecisionRead]:
    """Every decision of the pack that is under way or reached here; the only one of a pack always."""
    several = len(pack.decisions) > 1
    for decision in pack.decisions:
        title = "Joint decision" if len(decision.seats) > 1 else "Decision"
        title += f" ({words.spoken(decision.id).lower()})" if several else ""
        count = tally_of(tx, pack, decision, found)
        outcomes = [one["outcome"] for one in found.outcomes if one["decision"] == decision.id]
        if decision.each and outcomes:
            yield from (DecisionRead(title, "reached", outcome) for outcome in outcomes)
        elif outcomes or count.decided or not several:
            yield DecisionRead(title, count.in_words(), outcomes[-1] if outcomes else None)


def message(tx: Tx, partnership: PartnershipId, wanted: IncidentId, message_id: str) -> MessageRow:
    """A message of this incident."""
    row = messages.find(tx, [partnership], MessageId(message_id))
    if row is None or row.incident != wanted:
        raise Refused(ErrorCode.NOT_FOUND)
    return row


def held_list(tx: Tx, officer: Officer) -> list[HoldRow]:
    """Everything that waits, the longest first."""
    return holds.waiting(tx, officer.partnerships)


def held(tx: Tx, officer: Officer, hold_id: str, at: datetime) -> HeldRead:
    """One thing held, with the rows it is about; Refused when its incident is restricted to others."""
    hold = holds.find(tx, hold_id)
    if hold is None:
        raise Refused(ErrorCode.NOT_FOUND)
    must_open(tx, officer, hold.partnership, hold.incident, at)
    match hold.subject_kind:
        case "mail":
            raw = mail.find_raw(tx, hold.subject)
            letter = mail.letter_by_reference(tx, raw.letter) if raw and raw.letter else None
            return HeldRead(hold, mail=raw, letter=letter)
        case "delivery" | "failed-delivery":
            line = deliveries.find(tx, DeliveryId(hold.subject))
            row = messages.find(tx, [hold.partnership], line.message) if line else None
            shown = hold.incident and overview.deliveries_of_incident(tx, hold.partnership, hold.incident)
            return HeldRead(hold, row, next((d for d in shown or () if d.id == hold.subject), None))
        case "attachment":
            file = attachments.find(tx, hold.partnership, hold.subject)
            return HeldRead(hold, attachment=file)
        case _:
            return HeldRead(hold, messages.find(tx, [hold.partnership], MessageId(hold.subject)))


async def content(parts: Parts, row: MessageRow) -> dict[str, Any] | None:
    """What a message says; None when it has been erased. Call it only after the opening has been stated."""
    key = await parts.key_by_id(row.data_key)
    if key is None or row.sealed is None:
        return None
    document: dict[str, Any] = json.loads(key.open(f"message:{row.id}", row.sealed))
    return document


def agency_names(directory: Directory) -> Mapping[AgencyId, str]:
    return {agency.id: agency.name for agency in directory.agencies.values()}


def _soonest(duty: DutyRow) -> tuple[bool, bool, str, str]:
    """Unanswered first, then by the due instant; what has no limit comes last."""
    is_answered = duty.met_at is not None or duty.state.value == "waived"
    return is_answered, duty.due_at is None, duty.due_at.isoformat() if duty.due_at else "", duty.id
