"""What the page of one incident shows, made from what was read: steps, duties with their reasons, and the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from json import JSONDecodeError, loads
from typing import Any

from gateway.console import words
from gateway.console.listing import address, written
from gateway.console.reading import MOST_TOLD, IncidentRead
from gateway.console.words import Tag
from gateway.core import clocks, stages
from gateway.core.clocks import Clock, Unit
from gateway.core.presence import local_day
from gateway.core.rules import Pack
from gateway.core.stages import Owed, Progress, Step
from gateway.core.working_days import CalendarEnds, Convention
from gateway.store.caseload import RETURNS
from gateway.store.duties import DutyRow
from gateway.store.overview import Place

PROGRESS: Mapping[Progress, Tag] = {
    Progress.COMPLETED: Tag("Completed", "green"),
    Progress.IN_PROGRESS: Tag("In progress", "blue"),
    Progress.ASKED: Tag("Asked, nothing back yet", "yellow"),
    Progress.NOT_STARTED: Tag("Not yet started"),
    Progress.CANNOT_START: Tag("Cannot start yet"),
    Progress.NOT_NEEDED: Tag("Not needed"),
}
STEPS: Mapping[str, str] = {
    "acknowledge": "Messages acknowledged by a person",
    "decide": "Decision of the partners",
    "notify": "National notification",
    "schools": "Schools' confirmations",
    "returns": "Agencies' returns",
    "review": "Review",
    "final": "Final decision",
    "panel": "Answer of the national Panel",
    "other": "Other tasks",
}
GONE_WRONG = ("Failure", "Rejection", "Missed", "Undeliverable", "Breach")
UNITS = {
    Unit.HOURS: "hour",
    Unit.WORKING_DAYS: "working day",
    Unit.CALENDAR_DAYS: "day",
    Unit.MONTHS: "month",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline: a message that came or a receipt, with what it says and does not say."""

    at: datetime
    order: int
    title: str
    words: str
    message: str | None = None
    sender: str | None = None
    receipt: str | None = None
    is_sealed: bool = True
    kind: str = ""  # came: a message; wrong: a failure
    times: int = 1  # so many receipts in a row that say the same

    @property
    def day_key(self) -> date:
        return local_day(self.at)

    @property
    def day(self) -> str:
        return words.day(self.day_key)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a duty is due when it is: the rule in words, the days counted, and those passed over with the reason."""

    rule: str
    counted: tuple[date, ...]
    skipped: tuple[tuple[date, str], ...]


def shown(read: IncidentRead, pack: Pack, now: datetime, *, is_newest: bool) -> dict[str, Any]:
    """The page's values without names and law."""
    returns = [duty for duty in read.duties if duty.expects in RETURNS and duty.state.value != "waived"]
    older = read.told[MOST_TOLD - 1] if len(read.told) > MOST_TOLD else None
    path = f"/incidents/{read.incident.id}"
    return {
        "read": read,
        "pack": pack,
        "progress": [_step(step) for step in _steps(read, pack, now)],
        "answers": (sum(duty.met_at is not None for duty in returns), len(returns)),
        "duties": [
            (
                duty,
                words.left_of(duty, now, pack),
                why(duty, pack, read.clocks.get((duty.pack_version, duty.clock))),
            )
            for duty in read.duties
        ],
        "timeline": _timeline(read, is_newest=is_newest),
        "older": address(path, {"before": written(Place(older.at, older.id))}) if older else None,
        "is_newest": is_newest,
    }


def why(duty: DutyRow, pack: Pack, clock: Clock | None) -> Why | None:
    """How the due instant was counted, by the clock of the rules that laid the duty; None when it was set by a person."""
    if clock is None or clock.amount is None or duty.due_at is None:
        return None
    try:
        due = clocks.due_of_duty(clock, duty.start_at, pack.calendar)
    except CalendarEnds:
        return None
    if due.due_at != duty.due_at:
        return None
    return Why(_rule(clock, duty.start_at), due.counted, tuple((one.on, one.why) for one in due.skipped))


def _rule(clock: Clock, start_at: datetime) -> str:
    unit = UNITS.get(clock.unit, "day")
    amount = f"{clock.amount} {unit}{'' if clock.amount == 1 else 's'}"
    law = "set by law" if clock.statutory else "set by the partnership"
    counts = {
        Convention.A: "; that day itself is not counted",
        Convention.B: "; what comes after hours counts from the next working day",
        Convention.C: "; that day itself counts",
    }[clock.convention]
    counting = counts if clock.unit is Unit.WORKING_DAYS else ""
    return f"{amount} from {words.when(start_at)}, {law} (clock {clock.id}){counting}."


def _steps(read: IncidentRead, pack: Pack, now: datetime) -> tuple[Step, ...]:
    owed = [Owed(duty.expects, duty.state, duty.due_at) for duty in read.duties]
    told = [row.type for row in read.messages]
    is_open = read.incident.state == "open"
    decided = bool(read.incident.outcomes)
    known = stages.expected_types(pack)
    return stages.steps(known, told, owed, now, is_decided=decided, is_open=is_open)


def _step(step: Step) -> tuple[str, Tag, str]:
    said = []
    if step.asked:
        said.append(f"{step.came} of {step.asked}")
    if step.overdue:
        said.append(f"{step.overdue} overdue")
    if step.due_at is not None and step.progress is not Progress.COMPLETED:
        said.append(f"next by {words.due(step.due_at)}")
    return STEPS[step.id], PROGRESS[step.progress], ", ".join(said)


def _timeline(read: IncidentRead, *, is_newest: bool) -> list[Moment]:
    """Messages and receipts together, the newest first; of messages those of the time that the receipts span."""
    told = read.told[:MOST_TOLD]
    since = told[-1].at if len(read.told) > MOST_TOLD else None
    until = None if is_newest or not told else told[0].at
    found = [*_stated(told), *_came(read, since, until)]
    return _folded(sorted(found, key=lambda moment: (moment.at, moment.order), reverse=True))


def _folded(moments: list[Moment]) -> list[Moment]:
    """What says the same at the same minute, as when one message goes to six agencies, is one line."""
    folded: list[Moment] = []
    for moment in moments:
        last = folded[-1] if folded else None
        if last is not None and moment.message is None and _same(last) == _same(moment):
            folded[-1] = replace(last, times=last.times + 1)
        else:
            folded.append(moment)
    return folded


def _same(moment: Moment) -> tuple[object, ...]:
    minute = moment.at.replace(second=0, microsecond=0)
    return minute, moment.title, moment.words, moment.message, moment.is_sealed


def _came(read: IncidentRead, since: datetime | None, until: datetime | None) -> Iterator[Moment]:
    for row in read.messages:
        if (since is None or row.arrived_at > since) and (until is None or row.arrived_at <= until):
            title = words.message_title(row.type)
            late = words.entered_late(row.created_at, row.arrived_at)
            yield Moment(row.arrived_at, -1, title, late, row.id, row.agency, row.receipt, kind="came")


def _stated(told: list[Any]) -> Iterator[Moment]:
    for entry in told:
        said = " ".join(filter(None, (_reason(entry.statement), words.event_meaning(entry.event))))
        kind = "wrong" if any(word in entry.event for word in GONE_WRONG) else ""
        title = words.event_title(entry.event)
        is_sealed = entry.leaf_index is not None
        yield Moment(entry.at, entry.seq, title, said, receipt=entry.id, is_sealed=is_sealed, kind=kind)


def _reason(statement: bytes) -> str:
    """The coarse reason that a statement gives, in words."""
    try:
        found = words.reason(loads(statement).get("reason"))
    except (JSONDecodeError, UnicodeDecodeError, AttributeError):
        return ""
    return f"{found}." if found else ""
