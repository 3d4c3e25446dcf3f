"""The partnership's registers as sheets: every alert, every return, every action, made from rows and coded facts alone.

They replace the spreadsheet that the business unit keeps by hand (S3-18), the case lists by label (S3-12) and the return
tracker (S4-12). The invariant: nothing here is personal. References, codes, dates and agencies only; what an officer adds to
that (`Addition`) comes from sealed content, is asked for with a reason, and stands in columns of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from gateway.core.duties import DutyState, settled_state
from gateway.core.messages import AgencyId, DutyId, IncidentId, MessageId, RoleId
from gateway.core.working_days import Calendar, CalendarEnds, working_days_left

Cell = str | int | float | None

RETURNS = frozenset({"information-return", "imr"})
ACTIONS = frozenset({"task-record"})
LEARNING = frozenset(
    {
        "information-return",
        "imr",
        "investigation-report",
        "rapid-review-report",
        "case-review",
        "learning-digest",
    }
)
IMPORTED = "imported"
ON_TIME, LATE, RUNNING, OVERDUE = "yes", "no", "running", "overdue"
# What a case is about, in the codes of whatever message brought it; the kinds of message differ by partnership.
REASONS = (
    "classification",
    "situation",
    "reason",
    "nature",
    "abuse_or_neglect",
    "categories",
    "referral_kind",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to hand out: a slug, a title in words, and rows of as many cells as there are columns."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a case without its content. `decision` is what the rules did with it: forward, hold, refuse."""

    id: MessageId
    type: str
    agency: AgencyId
    in_reply_to: MessageId | None
    reference: str
    arrived_at: datetime
    decision: str
    codes: Mapping[str, tuple[str, ...]]
    moments: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Owed:
    """One duty. `arrived_at` is when the answer that met it reached a door of ours, `met_at` the instant that counts (C-16)."""

    id: DutyId
    incident: IncidentId
    message: MessageId | None
    agency: AgencyId
    role: RoleId
    expects: str
    clock: str
    start_at: datetime
    due_on: date | None
    due_at: datetime | None
    inclusive: bool
    state: DutyState
    met_at: datetime | None
    arrived_at: datetime | None = None
    chases: int = 0
    task: str | None = None  # which of several like answers is owed

    def is_late(self, now: datetime) -> bool:
        """Missed, met late, or open past its due instant."""
        if self.state is DutyState.OPEN:
            return settled_state(self.due_at, self.inclusive, now) is DutyState.MET_LATE
        return self.state in (DutyState.MET_LATE, DutyState.MISSED)


@dataclass(frozen=True, slots=True)
class Case:
    """One incident with what came about it, oldest first, and what is owed on it."""

    id: IncidentId
    opened_at: datetime
    label: str | None
    state: str
    outcomes: tuple[str, ...]
    decided_at: datetime | None
    moments: Mapping[str, datetime] = field(default_factory=dict)
    messages: tuple[Said, ...] = ()
    duties: tuple[Owed, ...] = ()

    def codes(self, name: str) -> tuple[str, ...]:
        """Every value that any message of the case gave a code, once each."""
        found = (value for message in self.messages for value in message.codes.get(name, ()))
        return tuple(dict.fromkeys(found))

    def latest(self, message_type: str) -> Said | None:
        """The last message of a type that the rules let through."""
        found = [said for said in self.messages if said.type == message_type and said.decision == "forward"]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class ImportedAlert:
    """A row of the spreadsheet from before the gateway: marked as such; no clock runs and nobody owes anything on it."""

    source: str
    reference: str
    alerted_on: date
    reasons: tuple[str, ...] = ()
    label: str | None = None
    decision: str | None = None
    decided_on: date | None = None
    notified_on: date | None = None
    national_reference: str | None = None
    rapid_review_on: date | None = None
    panel_on: date | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing that a message says was learnt, is recommended or is to be done, in its own words; personal until read."""

    kind: str  # lesson, recommendation, action
    words: str
    owner: str | None = None
    due_on: str | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """What was opened for an officer who asked for names: personal, by incident and by message."""

    children: Mapping[IncidentId, str]
    national_references: Mapping[IncidentId, str]
    lessons: Mapping[MessageId, tuple[Lesson, ...]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every register is made with: the instant it is, the calendar, and the statutory clocks of the pack."""

    now: datetime
    calendar: Calendar
    statutory: tuple[str, ...]

    def day(self, at: datetime | None) -> str | None:
        """An instant's day in the partnership's zone, ISO 8601."""
        return None if at is None else self.calendar.local(at).date().isoformat()

    def working_days(self, since: date, until: date) -> int | None:
        """Working days after `since` up to `until`; None where the holiday data does not reach."""
        try:
            return working_days_left(self.calendar, since, until)
        except CalendarEnds:
            return None


ALERT_COLUMNS = (
    "reference",
    "source",
    "opened_on",
    "first_message",
    "reasons",
    "label",
    "status",
    "decision",
    "decided_on",
    "notified_on",
    "rapid_review_on",
    "panel_on",
    "outcome",
    "panel_view",
)
RETURN_COLUMNS = (
    "reference",
    "agency",
    "expects",
    "clock",
    "requested_on",
    "due_on",
    "received_on",
    "state",
    "working_days_late",
    "chases",
)
LEARNING_COLUMNS = (
    "reference",
    "kind",
    "what",
    "agency",
    "role",
    "clock",
    "laid_on",
    "due_on",
    "done_on",
    "state",
)


def alert_register(
    cases: Sequence[Case], imported: Sequence[ImportedAlert], ground: Ground, opened: Addition | None = None
) -> Sheet:
    """Every alert, oldest first, with an on-time flag for each statutory clock; imported rows have none (S3-18)."""
    flags = tuple(f"{clock}_on_time" for clock in ground.statutory)
    more = ("children", "national_reference") if opened else ()
    lines = [(ground.calendar.local(case.opened_at).date(), _alert(case, ground, opened)) for case in cases]
    lines += [(row.alerted_on, _imported(row, ground, opened)) for row in imported]
    lines.sort(key=lambda line: (line[0], str(line[1][0])))
    return Sheet(
        "alerts", "Alert register", (*ALERT_COLUMNS, *flags, *more), tuple(line for _, line in lines)
    )


def case_list(name: str, whole: Sheet) -> Sheet:
    """The alert register's rows whose label says so: `need-to-know` lists what is labelled "Need to Know case" (S3-12)."""
    at = whole.columns.index("label")
    wanted = name.replace("-", " ")
    rows = tuple(row for row in whole.rows if _plain(row[at]).startswith(wanted))
    return Sheet(name, f"{wanted.capitalize()} cases", whole.columns, rows)


def return_tracker(cases: Sequence[Case], ground: Ground) -> Sheet:
    """Incident by agency: what was asked, what came, how late, how often chased (S4-12)."""
    owed = [duty for case in cases for duty in case.duties if duty.expects in RETURNS]
    rows = (
        (
            duty.incident,
            duty.agency,
            duty.expects,
            duty.clock,
            ground.day(duty.start_at),
            duty.due_on.isoformat() if duty.due_on else None,
            ground.day(duty.met_at),
            duty.state.value,
            days_late(duty, ground),
            duty.chases,
        )
        for duty in owed
    )
    return Sheet("returns", "Return tracker", RETURN_COLUMNS, tuple(rows))


def learning_log(cases: Sequence[Case], ground: Ground, opened: Addition | None = None) -> Sheet:
    """What agencies and reviews learnt or recommended, and the actions laid on agencies with owner, due day and state (S4-24).

    Its words are sealed content: they stand here only when they were opened.
    """
    rows: list[tuple[Cell, ...]] = []
    for case in cases:
        for said in case.messages:
            if said.type in LEARNING and said.decision == "forward":
                rows += _learnt(case, said, ground, opened)
        for duty in case.duties:
            if duty.expects in ACTIONS:
                rows.append((*_action(duty, ground), *((None,) if opened else ())))
    more = ("words",) if opened else ()
    return Sheet("learning", "Actions and learning log", (*LEARNING_COLUMNS, *more), tuple(rows))


def days_late(duty: Owed, ground: Ground) -> int | None:
    """Working days begun after the limit until it was met, or until now; None when it is not late or cannot be counted."""
    if duty.due_on is None or not duty.is_late(ground.now):
        return None
    until = ground.calendar.local(duty.met_at or ground.now).date()
    counted = ground.working_days(duty.due_on, max(until, duty.due_on))
    return None if counted is None else max(counted, 1)


def flag(duties: Iterable[Owed], now: datetime) -> str | None:
    """Whether the duties of one clock were met in time: the worst of them counts; None when there were none."""
    found = [_flag(duty, now) for duty in duties if duty.state is not DutyState.WAIVED]
    return next((word for word in (OVERDUE, LATE, RUNNING, ON_TIME) if word in found), None)


def status(case: Case) -> str:
    """How far a case has come, in one coded word; the latest step that is on record counts."""
    if case.state != "open":
        return case.state
    return next((word for word, reached in _STEPS if reached(case)), "alerted")


def rapid_review_at(case: Case) -> datetime | None:
    """When the review met: as the record of the meeting says, else when the duty to hold it was met."""
    held = (
        said.moments.get("held_at") or said.moments.get("meeting_at")
        for said in reversed(case.messages)
        if said.type == "meeting-notice" and "rapid-review" in said.codes.get("meeting", ())
    )
    if found := next((at for at in held if at is not None), None):
        return found
    met = [
        d.met_at for d in case.duties if d.expects in ("meeting-notice", "rapid-review-report") and d.met_at
    ]
    return min(met, default=None)


def panel_at(case: Case) -> datetime | None:
    """When the decision went to the national Panel."""
    if known := case.moments.get("sent_to_panel_at"):
        return known
    said = case.latest("final-decision")
    return said.arrived_at if said and "yes" in said.codes.get("sent_to_panel", ()) else None


def first_message(case: Case) -> str | None:
    """The type of the message that opened the case."""
    return case.messages[0].type if case.messages else None


def final_outcome(case: Case) -> str | None:
    """What the partners finally decided (S4-18)."""
    said = case.latest("final-decision")
    return _joined(said.codes.get("decision", ())) if said else None


def panel_view(case: Case) -> str | None:
    """What the Panel answered."""
    said = case.latest("panel-response")
    return _joined(said.codes.get("view", ())) if said else None


# The latest step first.
_STEPS: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("panel-responded", lambda case: case.latest("panel-response") is not None),
    ("sent-to-panel", lambda case: panel_at(case) is not None),
    ("final-decision", lambda case: case.latest("final-decision") is not None),
    ("review-reported", lambda case: case.latest("rapid-review-report") is not None),
    ("notified", lambda case: "sin_submitted_at" in case.moments),
    ("to-be-notified", lambda case: "notification_decided_at" in case.moments),
    ("review-required", lambda case: "review_required_at" in case.moments),
    ("decided", lambda case: bool(case.outcomes)),
)


def _alert(case: Case, ground: Ground, opened: Addition | None) -> tuple[Cell, ...]:
    flags = (flag((d for d in case.duties if d.clock == clock), ground.now) for clock in ground.statutory)
    more = (opened.children.get(case.id), opened.national_references.get(case.id)) if opened else ()
    return (
        case.id,
        "gateway",
        ground.day(case.opened_at),
        first_message(case),
        _joined(value for name in REASONS for value in case.codes(name)),
        case.label,
        status(case),
        _joined(case.outcomes),
        ground.day(case.decided_at),
        ground.day(case.moments.get("sin_submitted_at")),
        ground.day(rapid_review_at(case)),
        ground.day(panel_at(case)),
        final_outcome(case),
        panel_view(case),
        *flags,
        *more,
    )


def _imported(row: ImportedAlert, ground: Ground, opened: Addition | None) -> tuple[Cell, ...]:
    return (
        row.reference,
        f"{IMPORTED}: {row.source}",
        row.alerted_on.isoformat(),
        None,
        _joined(row.reasons),
        row.label,
        IMPORTED,
        row.decision,
        _iso(row.decided_on),
        _iso(row.notified_on),
        _iso(row.rapid_review_on),
        _iso(row.panel_on),
        row.outcome,
        None,
        *(None for _ in ground.statutory),
        *((None, row.national_reference) if opened else ()),
    )


def _learnt(case: Case, said: Said, ground: Ground, opened: Addition | None) -> list[tuple[Cell, ...]]:
    """One row for the message; when its words were opened, one for each thing that it says."""
    what = _joined((said.type, *said.codes.get("recommendation", ())))
    day = ground.day(said.arrived_at)
    lessons = opened.lessons.get(said.id, ()) if opened else ()
    if lessons:
        return [
            (
                case.id,
                one.kind,
                what,
                one.owner or said.agency,
                None,
                None,
                day,
                one.due_on,
                None,
                None,
                one.words,
            )
            for one in lessons
        ]
    row = (case.id, "learning", what, said.agency, None, None, day, None, None, None)
    return [(*row, None) if opened else row]


def _action(duty: Owed, ground: Ground) -> tuple[Cell, ...]:
    due = duty.due_on.isoformat() if duty.due_on else None
    return (
        duty.incident,
        "owed",
        duty.task or duty.expects,
        duty.agency,
        duty.role,
        duty.clock,
        ground.day(duty.start_at),
        due,
        ground.day(duty.met_at),
        duty.state.value,
    )


def _flag(duty: Owed, now: datetime) -> str:
    match duty.state:
        case DutyState.MET:
            return ON_TIME
        case DutyState.MET_LATE:
            return LATE
        case DutyState.MISSED:
            return OVERDUE
        case _:
            return OVERDUE if duty.is_late(now) else RUNNING


def _joined(values: Iterable[str]) -> str | None:
    return ", ".join(dict.fromkeys(values)) or None


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _plain(cell: Cell) -> str:
    return str(cell or "").casefold().replace("-", " ")
