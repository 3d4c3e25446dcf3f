"""Registers and reports as pure tables: what stands in a row, what counts as in time, what is withheld."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gateway.core.duties import DutyState
from gateway.core.figures import april_year
from gateway.core.messages import AgencyId, DutyId, IncidentId, MessageId, RoleId
from gateway.core.registers import (
    Addition,
    Case,
    Ground,
    ImportedAlert,
    Owed,
    Said,
    Sheet,
    alert_register,
    case_list,
    learning_log,
    return_tracker,
    status,
)
from gateway.core.reports import annual, digest, timeliness
from gateway.partnerships.calendars import load_calendar

MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GROUND = Ground(MONDAY + 30 * DAY, load_calendar("south-tyneside"), ("K12", "K17"))
POLICE, ICB = AgencyId("northshire-police"), AgencyId("northshire-icb")


def said(slug: str, at: datetime = MONDAY, **changes: Any) -> Said:
    given: dict[str, Any] = {
        "agency": POLICE,
        "in_reply_to": None,
        "decision": "forward",
        "codes": {},
        "moments": {},
    }
    return Said(MessageId(f"msg-{slug}"), slug, reference="r", arrived_at=at, **(given | changes))


def owed(clock: str, state: DutyState = DutyState.MET, **changes: Any) -> Owed:
    duty = Owed(
        DutyId("dty-1"),
        IncidentId("SI-1"),
        MessageId("msg-1"),
        ICB,
        RoleId("agency-responder"),
        "information-return",
        clock,
        MONDAY,
        date(2026, 11, 9),
        datetime(2026, 11, 9, 17, 0, tzinfo=UTC),
        True,
        state,
        MONDAY + 2 * DAY if state is DutyState.MET else None,
    )
    return replace(duty, **changes)


def case(number: int = 1, **changes: Any) -> Case:
    given: dict[str, Any] = {"label": None, "state": "open", "outcomes": (), "decided_at": None}
    given |= {"messages": (said("referral", codes={"nature": ("death",)}),)}
    return Case(IncidentId(f"SI-{number}"), opened_at=MONDAY, **(given | changes))


def column(sheet: Sheet, name: str) -> list[Any]:
    at = sheet.columns.index(name)
    return [row[at] for row in sheet.rows]


def figures(sheet: Sheet, section: str) -> dict[Any, Any]:
    return {row[1]: row[2] for row in sheet.rows if row[0] == section}


def test_the_alert_register_has_every_column_of_the_spreadsheet_it_replaces() -> None:
    """S3-18: reference, date, reasons, status, decision, its date, national date, review, Panel, outcome, on-time flags."""
    one = case(
        label="Serious incident",
        outcomes=("sin-and-rapid-review",),
        decided_at=MONDAY + DAY,
        moments={"sin_submitted_at": MONDAY + 2 * DAY, "sent_to_panel_at": MONDAY + 20 * DAY},
        messages=(
            said("referral", codes={"nature": ("death",)}),
            said(
                "meeting-notice", codes={"meeting": ("rapid-review",)}, moments={"held_at": MONDAY + 10 * DAY}
            ),
            said("final-decision", codes={"decision": ("none",)}),
        ),
        duties=(owed("K12"), owed("K17", DutyState.MET_LATE)),
    )
    sheet = alert_register([one], [], GROUND)
    assert dict(zip(sheet.columns, sheet.rows[0], strict=True)) == {
        "reference": "SI-1",
        "source": "gateway",
        "opened_on": "2026-11-02",
        "first_message": "referral",
        "reasons": "death",
        "label": "Serious incident",
        "status": "sent-to-panel",
        "decision": "sin-and-rapid-review",
        "decided_on": "2026-11-03",
        "notified_on": "2026-11-04",
        "rapid_review_on": "2026-11-12",
        "panel_on": "2026-11-22",
        "outcome": "none",
        "panel_view": None,
        "K12_on_time": "yes",
        "K17_on_time": "no",
    }


def test_a_flag_is_as_bad_as_the_worst_duty_of_its_clock() -> None:
    later = GROUND.now + DAY
    running = owed("K12", DutyState.OPEN, due_at=later)
    duties = {
        None: (),
        "yes": (owed("K12"),),
        "running": (owed("K12"), running),
        "no": (running, owed("K12", DutyState.MET_LATE)),
        "overdue": (owed("K12", DutyState.MET_LATE), owed("K12", DutyState.OPEN)),
    }
    for word, laid in duties.items():
        assert column(alert_register([case(duties=laid)], [], GROUND), "K12_on_time") == [word]


def test_imported_rows_are_marked_and_have_no_clock() -> None:
    old = ImportedAlert(
        "alerts-2025", "SI/25/7", date(2025, 6, 3), ("death",), "Need to Know case", "not-met"
    )
    sheet = alert_register([case()], [old], GROUND)
    assert column(sheet, "reference") == ["SI/25/7", "SI-1"]
    assert column(sheet, "status") == ["imported", "alerted"]
    assert column(sheet, "source") == ["imported: alerts-2025", "gateway"]
    assert column(sheet, "K12_on_time") == [None, None]


def test_the_lists_by_label_hold_the_cases_of_that_label() -> None:
    """S3-12: statutory review cases and need to know cases."""
    cases = [case(1, label="Statutory Review case"), case(2, label="Need to Know case"), case(3)]
    whole = alert_register(cases, [], GROUND)
    assert column(case_list("statutory-review", whole), "reference") == ["SI-1"]
    assert column(case_list("need-to-know", whole), "reference") == ["SI-2"]


def test_names_stand_in_columns_of_their_own_and_only_when_opened() -> None:
    opened = Addition({IncidentId("SI-1"): "Robin Example"}, {IncidentId("SI-1"): "N-1"}, {})
    assert not {"children", "national_reference"} & set(alert_register([case()], [], GROUND).columns)
    sheet = alert_register([case()], [], GROUND, opened)
    assert (column(sheet, "children"), column(sheet, "national_reference")) == (["Robin Example"], ["N-1"])


def test_the_return_tracker_counts_late_working_days_and_chases() -> None:
    """S4-12: incident by agency, requested, due, received, days late, chases."""
    late = owed("K14", DutyState.MET_LATE, met_at=datetime(2026, 11, 11, 9, 0, tzinfo=UTC), chases=2)
    evening = owed("K14", DutyState.MET_LATE, met_at=datetime(2026, 11, 9, 18, 0, tzinfo=UTC))
    other = owed("K11", expects="triage-decision")
    sheet = return_tracker([case(duties=(late, evening, owed("K14"), other))], GROUND)
    assert column(sheet, "working_days_late") == [2, 1, None]
    assert column(sheet, "chases") == [2, 0, 0]
    assert column(sheet, "received_on") == ["2026-11-11", "2026-11-09", "2026-11-04"]


def test_actions_of_a_review_stand_in_the_log_with_owner_due_day_and_state() -> None:
    """S4-24."""
    action = owed("K19", DutyState.OPEN, expects="task-record", task="audit-files")
    report = said("rapid-review-report", codes={"recommendation": ("no-cspr",)})
    sheet = learning_log([case(messages=(report,), duties=(action,))], GROUND)
    assert column(sheet, "kind") == ["learning", "owed"]
    assert column(sheet, "what") == ["rapid-review-report, no-cspr", "audit-files"]
    assert column(sheet, "agency") == [POLICE, ICB]
    assert column(sheet, "state") == [None, "open"]
    assert "words" not in sheet.columns


def test_the_status_is_the_latest_step_on_record() -> None:
    assert status(case()) == "alerted"
    assert status(case(outcomes=("no-further-action",))) == "decided"
    assert status(case(outcomes=("x",), moments={"notification_decided_at": MONDAY})) == "to-be-notified"
    assert status(case(moments={"sin_submitted_at": MONDAY})) == "notified"
    assert status(case(state="erased", moments={"sin_submitted_at": MONDAY})) == "erased"


def test_timeliness_is_by_clock_and_by_agency() -> None:
    """S4-22."""
    duties = [
        owed("K14"),
        owed("K14", DutyState.MET_LATE, met_at=MONDAY + 8 * DAY, agency=POLICE),
        owed("K14", DutyState.MISSED),
        owed("K14", DutyState.WAIVED),
        owed("K14", DutyState.OPEN, due_at=GROUND.now + DAY),
    ]
    sheet = timeliness(duties, GROUND)
    assert column(sheet, "agency") == ["all", ICB, POLICE]
    whole = dict(zip(sheet.columns, sheet.rows[0], strict=True))
    assert [whole[name] for name in ("due", "met", "met_late", "missed", "open", "waived")] == [
        5,
        1,
        1,
        1,
        1,
        1,
    ]
    assert whole["in_time_percent"] == 33, "neither the waived nor the running one counts"
    assert (whole["median_working_days"], whole["median_hours"]) == (4.0, 120.0)


def test_a_late_entry_counts_both_ways() -> None:
    """C-16: in time by the event, late by its arrival; both are shown."""
    entered = owed("K12", arrived_at=datetime(2026, 11, 12, 9, 0, tzinfo=UTC))
    (row, _) = timeliness([entered], GROUND).rows
    found = dict(zip(timeliness([entered], GROUND).columns, row, strict=True))
    assert (found["in_time_percent"], found["in_time_by_arrival_percent"]) == (100, 0)


def test_a_digest_shows_no_small_number() -> None:
    """S3-15: the month's counts with both labels, anonymised."""
    cases = [case(n, label="Need to Know case") for n in range(20)]
    cases += [case(n, label="Statutory Review case") for n in range(20, 22)]
    found = figures(digest(cases, [], [], GROUND), "alerts by label")
    assert found == {"total": 22, "Need to Know case": "c", "Statutory Review case": "c"}
    assert all(count in ("c", 0) or count >= 5 for *_, count, _, _ in _counts(digest(cases, [], [], GROUND)))


def test_features_that_add_up_to_all_alerts_do_not_give_a_small_one_away() -> None:
    cases = [
        case(n, messages=(said("referral", codes={"nature": (kind,)}),))
        for n, kind in enumerate(["death"] * 12 + ["serious-harm"] * 9 + ["other"] * 2)
    ]
    found = figures(digest(cases, [], [], GROUND), "nature")
    assert found["other"] == "c"
    assert list(found.values()).count("c") > 1


def test_the_year_counts_by_quarter_class_and_theme() -> None:
    """S0-24, P-13, P-16."""
    autumn = [case(n) for n in range(7)]
    spring = [ImportedAlert("old", str(n), date(2026, 5, 1), ("serious-harm",)) for n in range(9)]
    duties = [owed("K12") for _ in range(8)] + [owed("K12", DutyState.MISSED) for _ in range(6)]
    sheet = annual(autumn, spring, duties, GROUND, april_year(2026))
    assert figures(sheet, "quarter") == {"total": 16, "Q1": 9, "Q2": 0, "Q3": 7, "Q4": 0}
    assert figures(sheet, "nature") == {"death": 7, "serious-harm": 9}
    assert [row for row in sheet.rows if row[0] == "in time by clock"] == [
        ("in time by clock", "K12", 8, 14, 57)
    ]
    assert not any(str(value).startswith("SI-") for row in sheet.rows for value in row)


def _counts(sheet: Sheet) -> list[Any]:
    return [row for row in sheet.rows if row[2] is not None]
