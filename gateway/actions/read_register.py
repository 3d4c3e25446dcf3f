"""Make a register or a report from one snapshot of the store; nothing leaves the house here (see `export_register`).

Which sheets there are, and which of them can hold names: those are opened with each incident's own data key, which the caller
brings only after two officers asked.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.core import registers, reports, work_lists
from gateway.core.errors import ErrorCode, Refused
from gateway.core.figures import YEAR_BEGINS_MONTH, Period, april_year, month_of
from gateway.core.messages import IncidentId, MessageId
from gateway.core.registers import LEARNING, Addition, Ground, Lesson, Sheet
from gateway.core.rules import Pack
from gateway.core.work_lists import DUE_THIS_WEEK, OVERDUE_BY_AGENCY
from gateway.core.working_days import add_months
from gateway.store import registers as rows
from gateway.store.registers import Content
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen, DataKey

REGISTERS = (
    "alerts",
    "returns",
    "learning",
    "statutory-review",
    "need-to-know",
    DUE_THIS_WEEK,
    OVERDUE_BY_AGENCY,
)
REPORTS = ("timeliness", "digest", "annual")
HOLD_NAMES = frozenset({"alerts", "learning", "statutory-review", "need-to-know"})
# Messages that name children, those with the national reference, and where a body has what was learnt.
NAMES_CHILDREN = frozenset(
    {"referral", "serious-incident-form", "dcs-notification", "serious-incident-alert", "need-to-know"}
)
NATIONAL = "sin-record"
DIGEST = "learning-digest"
HOLD_LESSONS = frozenset({"digest", "annual"})
DIGEST_WITHIN_MONTHS = 6
LESSONS = ("learning", "lessons", "themes")
ASKED_FOR = {"recommendations": "recommendation", "actions": "action"}

Keys = Mapping[IncidentId, DataKey]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sheet, over which days. A register without a period is the whole of it; a report always has one."""

    name: str
    period: Period | None = None


def read_register(tx: Tx, pack: Pack, wanted: Wanted, now: datetime, keys: Keys | None = None) -> Sheet:
    """The sheet; with `keys`, by incident, its names and words are opened. Refused(not-found) when there is no such sheet."""
    ground = Ground(now, pack.calendar, tuple(sorted(c.id for c in pack.clocks.values() if c.statutory)))
    if wanted.name in REPORTS and wanted.period is not None:
        sheet = _report(tx, pack, wanted.name, wanted.period, ground)
        return sheet if keys is None else reports.with_lessons(sheet, _shared(tx, pack, wanted.period, keys))
    if wanted.name not in REGISTERS:
        raise Refused(ErrorCode.NOT_FOUND)
    bounds = _bounds(wanted.period, pack)
    cases = rows.cases(tx, pack.partnership, *bounds)
    opened = None
    if keys is not None:
        types = {*NAMES_CHILDREN, NATIONAL, *LEARNING}
        opened = _opened(rows.contents(tx, pack.partnership, *bounds, types), keys)
    match wanted.name:
        case "returns":
            return registers.return_tracker(cases, ground)
        case work_lists.DUE_THIS_WEEK:
            return work_lists.due_this_week(cases, ground)
        case work_lists.OVERDUE_BY_AGENCY:
            return work_lists.overdue_by_agency(cases, ground)
        case "learning":
            return registers.learning_log(cases, ground, opened)
    imported = rows.imported(tx, pack.partnership, *_days(wanted.period))
    alerts = registers.alert_register(cases, imported, ground, opened)
    return alerts if wanted.name == "alerts" else registers.case_list(wanted.name, alerts)


def incidents_opened(tx: Tx, pack: Pack, wanted: Wanted) -> list[IncidentId]:
    """Whose data keys a sheet with names, or a report with lessons, needs; erased incidents have none."""
    if wanted.name in HOLD_LESSONS and wanted.period is not None:
        return list(dict.fromkeys(content.incident for content in _digests(tx, pack, wanted.period)))
    return rows.incidents_in(tx, pack.partnership, *_bounds(wanted.period, pack))


def usual_period(name: str, today: date) -> Period | None:
    """When no days are named: the running year for timeliness, the last whole year or month for what others read, all of a register."""
    begins = today.year if today.month >= YEAR_BEGINS_MONTH else today.year - 1
    match name:
        case "timeliness":
            return april_year(begins)
        case "annual":
            return april_year(begins - 1)
        case "digest":
            last = today.replace(day=1) - timedelta(days=1)
            return month_of(last.year, last.month)
    return None


def _digests(tx: Tx, pack: Pack, period: Period) -> list[Content]:
    """Learning digests on matters opened in the period or soon after: a digest is written once its time is over."""
    later = Period(period.name, period.first_on, add_months(period.end_on, DIGEST_WITHIN_MONTHS))
    return list(rows.contents(tx, pack.partnership, *_bounds(later, pack), [DIGEST]))


def _shared(tx: Tx, pack: Pack, period: Period, keys: Keys) -> list[reports.Shared]:
    """What the digests of these days say. They name nobody: their schema refuses what could identify someone."""
    found = []
    for content in _digests(tx, pack, period):
        key = keys.get(content.incident)
        if key is None or key.id != content.data_key:
            continue
        body = _body(key, content)
        first_on, last_on = (date.fromisoformat(body[name]) for name in ("period_from_on", "period_to_on"))
        if period.first_on <= first_on <= last_on < period.end_on:
            said = (tuple(body.get(name) or ()) for name in ("themes", "lessons", "forums"))
            found.append(reports.Shared(*said))
    return found


def _report(tx: Tx, pack: Pack, name: str, period: Period, ground: Ground) -> Sheet:
    since, until = _bounds(period, pack)
    assert since is not None
    assert until is not None
    duties = rows.owed_in(tx, pack.partnership, since, until)
    if name == "timeliness":
        return reports.timeliness(duties, ground)
    cases = rows.cases(tx, pack.partnership, since, until)
    imported = rows.imported(tx, pack.partnership, *_days(period))
    if name == "digest":
        return reports.digest(cases, imported, duties, ground)
    return reports.annual(cases, imported, duties, ground, period)


def _bounds(period: Period | None, pack: Pack) -> tuple[datetime | None, datetime | None]:
    """The instants at which a period's days begin and end in the partnership's zone."""
    if period is None:
        return None, None
    return pack.calendar.instant(period.first_on, time(0)), pack.calendar.instant(period.end_on, time(0))


def _days(period: Period | None) -> tuple[date | None, date | None]:
    return (None, None) if period is None else (period.first_on, period.end_on)


def _opened(contents: Iterator[Content], keys: Keys) -> Addition:
    """What names and words the messages hold. A piece under another key than its incident's, or an erased one, stays shut."""
    children: dict[IncidentId, list[str]] = defaultdict(list)
    references: dict[IncidentId, str] = {}
    lessons: dict[MessageId, tuple[Lesson, ...]] = {}
    for content in contents:
        key = keys.get(content.incident)
        if key is None or key.id != content.data_key:
            continue
        body = _body(key, content)
        if content.type in NAMES_CHILDREN:
            children[content.incident] += _names(body)
        if content.type == NATIONAL:
            references[content.incident] = str(body.get("national_reference") or "")
        if content.type in LEARNING:
            lessons[content.message] = tuple(lessons_of(body))
    joined = {incident: "; ".join(dict.fromkeys(names)) for incident, names in children.items()}
    return Addition(joined, references, lessons)


def _body(key: DataKey, content: Content) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(key.open(f"message:{content.message}", content.sealed))["body"]
    except CannotOpen:
        raise Refused(
            ErrorCode.INTERNAL, detail="A message's content does not open: tell the operator."
        ) from None
    return found


def _names(body: Mapping[str, Any]) -> Iterator[str]:
    for child in body.get("children") or ([body["child"]] if body.get("child") else []):
        known = " ".join(part for part in (child.get("given_names"), child.get("family_name")) if part)
        yield known or "no name given"


def lessons_of(body: Mapping[str, Any]) -> Iterator[Lesson]:
    """What was learnt (a text or a list of texts), then what is recommended and asked for, each with owner and day."""
    for member in LESSONS:
        said = body.get(member) or ()
        for words in (said,) if isinstance(said, str) else said:
            yield Lesson("lesson", str(words))
    for member, kind in ASKED_FOR.items():
        said = body.get(member) or ()
        for one in (said,) if isinstance(said, str) else said:
            if isinstance(one, Mapping):
                owner = one.get("agency") or one.get("owner")
                yield Lesson(kind, str(one.get(kind) or ""), owner, one.get("due_on"))
            else:
                yield Lesson(kind, str(one))
