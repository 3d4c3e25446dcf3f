"""Reports as sheets: timeliness by clock and agency, the month's digest, the year from April to March.

Timeliness is for those who run the process and shows every number. Digest and year are for others to read: they hold no case,
and every count goes through `figures.suppressed`. Sources: S4-22 (timeliness must be measurable), C-16 (the event's time
counts, both are on record), S3-15 (monthly learning), S0-24 and P-13 (yearly report), P-16 (breakdowns).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.core.duties import DutyState, settled_state
from gateway.core.figures import (
    Breakdown,
    Period,
    Share,
    middle,
    percent,
    quarters,
    share,
    suppressed,
    written,
)
from gateway.core.registers import (
    RETURNS,
    Case,
    Cell,
    Ground,
    ImportedAlert,
    Owed,
    Sheet,
    final_outcome,
    first_message,
    panel_view,
)

EVERY_AGENCY = "all"
NONE_YET = "none yet"
# Features of which a case has any number: each value is counted against the rest.
FEATURES = (
    "nature",
    "abuse_or_neglect",
    "child_status",
    "age_band",
    "placement",
    "categories",
    "situation",
    "reason",
    "subject_type",
    "statutory_ground",
    "regulated_setting",
    "home_local_authority",
    "place",
)
TIMELINESS_COLUMNS = (
    "clock",
    "agency",
    "statutory",
    "due",
    "met",
    "met_late",
    "missed",
    "open",
    "waived",
    "in_time_percent",
    "in_time_by_arrival_percent",
    "median_working_days",
    "median_hours",
)
FIGURE_COLUMNS = ("section", "item", "count", "of", "percent")


@dataclass(frozen=True, slots=True)
class Counted:
    """One alert as digest and year count it, from the gateway or from the spreadsheet before it."""

    opened_on: date
    label: str | None
    decision: str | None
    first_message: str | None
    outcome: str | None
    panel: str | None
    is_notified: bool
    features: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """What a learning digest of the time said: themes and lessons about nobody, and to whom it went (S3-15, S0-24)."""

    themes: tuple[str, ...]
    lessons: tuple[str, ...]
    forums: tuple[str, ...]


def with_lessons(sheet: Sheet, shared: Sequence[Shared]) -> Sheet:
    """The figures followed by themes, lessons and the ways in which they were passed on, each once."""
    rows: list[tuple[Cell, ...]] = list(sheet.rows)
    for section, said in (
        ("theme", (words for one in shared for words in one.themes)),
        ("lesson", (words for one in shared for words in one.lessons)),
        ("passed on to", (words for one in shared for words in one.forums)),
    ):
        rows += [(section, words, None, None, None) for words in dict.fromkeys(said)]
    return Sheet(sheet.name, sheet.title, sheet.columns, tuple(rows))


def timeliness(duties: Sequence[Owed], ground: Ground) -> Sheet:
    """Every clock, over all agencies and for each: what was due and how it was met (S4-22).

    In time by the event and by arrival stand side by side (C-16). What is open and not yet due counts as open alone.
    """
    rows: list[tuple[Cell, ...]] = []
    for clock in sorted({duty.clock for duty in duties}):
        of_clock = [duty for duty in duties if duty.clock == clock]
        rows.append(_timely(clock, EVERY_AGENCY, of_clock, ground))
        for agency in sorted({duty.agency for duty in of_clock}):
            rows.append(_timely(clock, agency, [d for d in of_clock if d.agency == agency], ground))
    return Sheet("timeliness", "Timeliness by clock and by agency", TIMELINESS_COLUMNS, tuple(rows))


def digest(
    cases: Sequence[Case], imported: Sequence[ImportedAlert], duties: Sequence[Owed], ground: Ground
) -> Sheet:
    """One month in numbers that may be shared: alerts, both labels, decisions, returns in time (S3-15)."""
    alerts = _counted(cases, imported, ground)
    rows = [
        *_alerts(alerts),
        *_exclusive("decision", (alert.decision for alert in alerts)),
        *_features(alerts, ("nature", "categories", "situation", "classification")),
        *_in_time("returns in time", {"all": [d for d in duties if d.expects in RETURNS]}, ground),
    ]
    return Sheet("digest", "Monthly digest", FIGURE_COLUMNS, tuple(rows))


def annual(
    cases: Sequence[Case],
    imported: Sequence[ImportedAlert],
    duties: Sequence[Owed],
    ground: Ground,
    year: Period,
) -> Sheet:
    """The year from April to March: by class, theme, quarter and label, decisions, the Panel's view, timeliness (S0-24, P-16)."""
    alerts = _counted(cases, imported, ground)
    by_clock = {clock: [d for d in duties if d.clock == clock] for clock in sorted({d.clock for d in duties})}
    returns = [d for d in duties if d.expects in RETURNS]
    agencies = sorted({str(d.agency) for d in returns})
    by_agency = {agency: [d for d in returns if d.agency == agency] for agency in agencies}
    rows = [
        *_alerts(alerts),
        *_exclusive("quarter", (_quarter(alert, year) for alert in alerts), [q.name for q in quarters(year)]),
        *_exclusive("first message", (alert.first_message for alert in alerts)),
        *_exclusive("decision", (alert.decision for alert in alerts)),
        *_exclusive("outcome", (alert.outcome for alert in alerts)),
        *_exclusive("panel's view", (alert.panel for alert in alerts)),
        *_features(alerts, ("classification", *FEATURES)),
        *_in_time("in time by clock", by_clock, ground),
        *_in_time("returns in time by agency", by_agency, ground),
    ]
    return Sheet("annual", "Year from April to March", FIGURE_COLUMNS, tuple(rows))


def _timely(clock: str, agency: str, duties: Sequence[Owed], ground: Ground) -> tuple[Cell, ...]:
    by_state = Counter(duty.state for duty in duties)
    settled = _settled(duties, ground)
    arrived = [duty for duty in settled if _arrived_in_time(duty)]
    answered = [(duty.start_at, duty.met_at) for duty in duties if duty.met_at is not None]
    days = [
        ground.working_days(ground.calendar.local(start_at).date(), ground.calendar.local(met_at).date())
        for start_at, met_at in answered
        if met_at >= start_at
    ]
    return (
        clock,
        agency,
        "yes" if clock in ground.statutory else "no",
        len(duties),
        by_state[DutyState.MET],
        by_state[DutyState.MET_LATE],
        by_state[DutyState.MISSED],
        by_state[DutyState.OPEN],
        by_state[DutyState.WAIVED],
        percent(sum(duty.state is DutyState.MET for duty in settled), len(settled)),
        percent(len(arrived), len(settled)),
        middle(day for day in days if day is not None),
        middle((met_at - start_at).total_seconds() / 3600 for start_at, met_at in answered),
    )


def _settled(duties: Iterable[Owed], ground: Ground) -> list[Owed]:
    """What can be judged: met, met late, missed, or open past its due instant. Waived duties count for nobody."""
    return [
        duty
        for duty in duties
        if duty.state is not DutyState.WAIVED and (duty.met_at is not None or duty.is_late(ground.now))
    ]


def _arrived_in_time(duty: Owed) -> bool:
    """By arrival alone, whatever time the answer states for its event."""
    at = duty.arrived_at or duty.met_at
    return at is not None and settled_state(duty.due_at, duty.inclusive, at) is DutyState.MET


def _counted(cases: Iterable[Case], imported: Iterable[ImportedAlert], ground: Ground) -> list[Counted]:
    found = [
        Counted(
            ground.calendar.local(case.opened_at).date(),
            case.label,
            case.outcomes[-1] if case.outcomes else None,
            first_message(case),
            final_outcome(case),
            panel_view(case),
            "sin_submitted_at" in case.moments,
            tuple((name, value) for name in ("classification", *FEATURES) for value in case.codes(name)),
        )
        for case in cases
    ]
    found += [
        Counted(
            row.alerted_on,
            row.label,
            row.decision,
            "imported",
            row.outcome,
            None,
            row.notified_on is not None,
            tuple(("nature", reason) for reason in row.reasons),
        )
        for row in imported
    ]
    return found


def _alerts(alerts: Sequence[Counted]) -> list[tuple[Cell, ...]]:
    notified = share(sum(alert.is_notified for alert in alerts), len(alerts))
    return [
        *_exclusive("alerts by label", (alert.label for alert in alerts)),
        ("alerts", "notified nationally", written(notified.part), written(notified.whole), notified.percent),
    ]


def _exclusive(
    section: str, values: Iterable[str | None], known: Sequence[str] = ()
) -> list[tuple[Cell, ...]]:
    """Every alert has exactly one of these; the cells add up to the total."""
    counts = Counter(dict.fromkeys(known, 0))
    counts.update(value or NONE_YET for value in values)
    shown: Breakdown = suppressed(counts)
    total = written(shown.total)
    rows: list[tuple[Cell, ...]] = [(section, "total", total, total, None)]
    return rows + [(section, name, written(shown.cells[name]), total, None) for name in sorted(counts)]


def _features(alerts: Sequence[Counted], names: Sequence[str]) -> list[tuple[Cell, ...]]:
    """An alert may have several of these, or none: each is counted against the alerts without it.

    Where every alert happens to have one, the values add up to the alerts: what that would give away is withheld as well.
    """
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        having = Counter(value for alert in alerts for value in {v for n, v in alert.features if n == name})
        together = suppressed(having)
        for value in sorted(having):
            figure = share(having[value], len(alerts))
            if together.cells[value] is None:
                figure = Share(None, figure.whole, None)
            words = name.replace("_", " ")
            rows.append((words, value, written(figure.part), written(figure.whole), figure.percent))
    return rows


def _in_time(section: str, groups: Mapping[str, Sequence[Owed]], ground: Ground) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name, duties in groups.items():
        settled = _settled(duties, ground)
        figure = share(sum(duty.state is DutyState.MET for duty in settled), len(settled))
        rows.append((section, name, written(figure.part), written(figure.whole), figure.percent))
    return rows


def _quarter(alert: Counted, year: Period) -> str | None:
    return next((q.name for q in quarters(year) if q.first_on <= alert.opened_on < q.end_on), None)
