"""Whole lives under Derby's policy, through the real door: who receives, what is owed by when, who decides (S0-01 to S0-33)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.close_incident import Closing, close_incident
from gateway.agency.client import AgencyProblem
from gateway.core import clocks
from gateway.core.errors import Refused
from gateway.core.messages import IncidentId
from gateway.dispatch.timetable import open_periodic_matters
from gateway.partnerships import packs
from gateway.store import incidents
from schemas.serious_incident_form import FormCategory, SeriousIncidentForm
from tests.gateway_house import MovableClock, example
from tests.partnerships.council import Council, council

MONDAY = datetime(2026, 11, 23, 11, 40, tzinfo=UTC)
PEOPLE = {
    "reporter": "Leopold Ashgrove",
    "head-of-service": "Beatrix Holloway",
    "service-director": "Ignatius Fell",
    "strategic-director": "Rosalind Thorne",
    "chief-executive": "Cuthbert Vane",
    "investigating-officer": "Perpetua Lindqvist",
}
THREE = ["head-of-service", "service-director", "strategic-director"]
SIGN = {"catastrophic_signs": ["death-or-serious-injury"]}
GROUNDS = {
    "abuse-death": {"nature": "death", "abuse_or_neglect": "suspected", "suspected_suicide": "yes"},
    "abuse-serious-harm": {"nature": "serious-harm", "abuse_or_neglect": "known"},
    "looked-after-death": {"nature": "death", "abuse_or_neglect": "none", "regulated_setting": "no"},
    "regulated-setting-death": {"nature": "death", "abuse_or_neglect": "none", "regulated_setting": "yes"},
}


@pytest.fixture
async def derby(tmp_path: Path) -> AsyncIterator[Council]:
    async with council(tmp_path, "derby", PEOPLE, MovableClock(MONDAY)) as house:
        yield house


def form(classification: str = "serious", **body: Any) -> dict[str, Any]:
    """A form of that class; without an urgent concern unless it is given."""
    calm = {"urgent_concern": False, "urgent_concern_at": None, "urgent_concern_note": None}
    return calm | {"classification": classification} | body


def what_happened(**changes: Any) -> dict[str, Any]:
    incident = example("serious-incident-form")["body"]["incident"]
    return {"incident": incident | changes}


async def test_s0_13_the_form_goes_to_strategic_director_service_director_and_head_of_service(
    derby: Council,
) -> None:
    """S0-12, S0-15: its own limit is on record, a person acknowledges, the service director considers a strategy meeting."""
    answer = await derby.send("serious-incident-form", form())
    assert await derby.reached(answer) == THREE
    assert sorted(await derby.owed(answer)) == [
        "reporter: task-record/initial-discussion, K01, 2026-11-23T10:10:00Z",
        "service-director: acknowledgement, D01, 2026-11-24T17:00:00Z",
        "service-director: review-decision/strategy-meeting, D00, None",
    ]
    assert await derby.states(answer, "serious-incident-form") == ["met"]


async def test_s0_13_while_nobody_present_is_strategic_director_the_chief_executive_s_office_receives(
    derby: Council,
) -> None:
    """X-11: chief executive or strategic director; the pack names the one, the other stands in."""
    await derby.empty_seat("strategic-director")
    answer = await derby.send("serious-incident-form", form())
    assert await derby.reached(answer) == ["chief-executive", "head-of-service", "service-director"]


async def test_s0_13_a_seat_that_nobody_holds_is_an_officer_s_question_and_stops_nothing(
    derby: Council,
) -> None:
    await derby.empty_seat("service-director")
    answer = await derby.send("serious-incident-form", form())
    assert (answer["decision"], await derby.held()) == ("forward", ["nobody-holds-service-director"])
    assert await derby.reached(answer) == ["head-of-service", "strategic-director"]


@pytest.mark.parametrize("classified", ["near-miss", "serious"])
async def test_s0_03_a_near_miss_goes_the_same_way_as_what_is_serious(
    derby: Council, classified: str
) -> None:
    """S0-03, S0-04, S0-08: the same form and the same seats; here media interest alone makes it one."""
    nobody = {"subject_types": ["premises"], "children": [], "people_involved": []}
    interest = {"media_or_legal_interest": "yes", "categories": ["media-or-legal-interest"]}
    body = form(classified, **nobody, **interest, **what_happened(nature="other"))
    assert await derby.reached(await derby.send("serious-incident-form", body)) == THREE


async def test_s0_12_a_form_after_the_next_working_day_s_close_is_late_by_its_classification(
    derby: Council,
) -> None:
    """K02, X-09: classified on Friday afternoon, sent on Monday evening; the same working day was the aim."""
    classified_at = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    derby.clock.move_to(datetime(2026, 11, 23, 17, 0, 1, tzinfo=UTC))
    body = form(classified_at=classified_at.isoformat())
    answer = await derby.send("serious-incident-form", body)
    assert await derby.states(answer, "serious-incident-form") == ["met-late"]
    pack = packs.shipped("derby")
    aim = clocks.target(pack.clocks["K02"], classified_at, pack.calendar)
    assert aim is not None
    assert aim.due_at == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


async def test_s0_10_a_catastrophic_form_without_a_call_is_taken_and_asks_for_one(derby: Council) -> None:
    """S0-06, S0-10: a prompt, never a block; a call that reached nobody answers nothing."""
    answer = await derby.send("serious-incident-form", form("catastrophic", **SIGN))
    assert (answer["decision"], await derby.reached(answer)) == ("forward", THREE)
    assert "reporter: call-log, D00, None" in await derby.owed(answer)
    nobody = {"outcome": "no-answer", "answered_by": None, "summary": None}
    await derby.reply(answer, "call-log", nobody)
    assert await derby.states(answer, "call-log") == ["open"]
    await derby.reply(answer, "call-log")
    assert await derby.states(answer, "call-log") == ["met"]


async def test_s0_10_after_the_call_the_form_is_owed_and_asks_for_no_second_call(derby: Council) -> None:
    called_at = (MONDAY - timedelta(hours=1)).isoformat()
    call = await derby.send("call-log", {"called_at": called_at, "called_role": "chief-executive"})
    assert await derby.owed(call) == ["reporter: serious-incident-form, D03, 2026-11-24T17:00:00Z"]
    answer = await derby.reply(call, "serious-incident-form", form("catastrophic", **SIGN))
    assert await derby.states(answer, "call-log") == []
    assert await derby.states(answer, "serious-incident-form") == ["met", "met"]  # D03 and K02


async def test_s0_10_a_call_that_reached_nobody_does_not_stand_for_one(derby: Council) -> None:
    nobody = {"outcome": "left-message", "answered_by": None, "summary": None}
    call = await derby.send("call-log", nobody)
    answer = await derby.reply(call, "serious-incident-form", form("catastrophic", **SIGN))
    assert await derby.states(answer, "call-log") == ["open"]


async def test_s0_09_signs_of_a_catastrophe_under_another_class_are_reviewed_by_the_head_of_service(
    derby: Council,
) -> None:
    """S0-07, S0-09: the class is looked at again; found catastrophic, the call is asked for."""
    answer = await derby.send("serious-incident-form", form("serious", **SIGN))
    assert await derby.states(answer, "classification-review") == ["open"]
    await derby.decide(answer, "classification-review", "catastrophic", "head-of-service")
    assert (await derby.incident(answer)).label == "Catastrophic"
    assert await derby.states(answer, "call-log") == ["open"]


async def test_s0_05_in_doubt_the_head_of_service_decides_and_then_it_is_reported(derby: Council) -> None:
    answer = await derby.send("serious-incident-form", form("unsure"))
    assert await derby.reached(answer) == ["head-of-service"]
    assert "head-of-service: review-decision/hos-doubt, D01, 2026-11-24T17:00:00Z" in await derby.owed(answer)
    await derby.decide(answer, "hos-doubt", "report", "head-of-service")
    assert await derby.reached(answer) == THREE
    assert await derby.states(answer, "strategy-meeting") == ["open"]
    assert await derby.outcomes(answer) == [("doubt", "report")]


async def test_s0_05_whoever_is_still_unsure_after_the_review_decides_the_doubt(derby: Council) -> None:
    """S0-08: a review that ends unsure is no end; the decision task follows from it."""
    answer = await derby.send("serious-incident-form", form("serious"))
    assert await derby.states(answer, "hos-doubt") == []
    await derby.decide(answer, "classification-review", "unsure", "head-of-service")
    assert await derby.states(answer, "hos-doubt") == ["open"]


async def test_s0_05_a_doubt_that_nobody_decides_is_chased_up_to_the_service_director(
    derby: Council,
) -> None:
    """Never silently dropped (G-02): owner at the due, others after it."""
    answer = await derby.send("serious-incident-form", form("unsure"))
    (doubt,) = [duty for duty in await derby.duties(answer) if duty.task == "hos-doubt"]
    derby.clock.move_to(datetime(2026, 11, 25, 17, 1, tzinfo=UTC))
    assert await derby.chase(doubt) == ["head-of-service", "service-director"]
    assert await derby.states(answer, "hos-doubt") == ["missed"]


async def test_s0_05_only_the_head_of_service_decides_on_doubt(derby: Council) -> None:
    """Somebody else of the same council waits for an officer."""
    answer = await derby.send("serious-incident-form", form("unsure"))
    told = await derby.decide(answer, "hos-doubt", "do-not-report", "head-of-service", author="reporter")
    assert (told["decision"], await derby.held()) == ("hold", ["author-not-in-seat"])
    assert await derby.outcomes(answer) == []


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("classified", ["unsure", "not-serious", "serious"])
async def test_s0_01_each_ground_of_the_diversion_rule_makes_the_referral_a_task(
    derby: Council, ground: str, classified: str
) -> None:
    """S0-01: whatever the class; the four grounds of the policy, and K12 where the ground is the law's too."""
    children = example("serious-incident-form")["body"]["children"]
    looked_after = [
        children[0]
        | {"statuses": ["looked-after"] if ground == "looked-after-death" else ["unknown-to-services"]}
    ]
    body = form(classified, children=looked_after, **what_happened(**GROUNDS[ground]))
    answer = await derby.send("serious-incident-form", body)
    assert await derby.states(answer, "child-pathway-referral") == ["open"]
    of_the_law = ["strategic-director: sin-record, K12, 2026-12-01T00:00:00Z"]
    notify = [duty for duty in await derby.owed(answer) if "sin-record" in duty]
    assert notify == ([] if ground == "regulated-setting-death" else of_the_law)


async def test_c_16_a_notification_sent_late_on_the_fifth_day_and_recorded_next_morning_is_on_time(
    derby: Council,
) -> None:
    """C-10, C-16, K12: half past eleven at night is in time; when somebody wrote it down here makes no breach of it."""
    answer = await derby.send(
        "serious-incident-form", form("serious", **what_happened(**GROUNDS["looked-after-death"]))
    )
    derby.clock.move_to(datetime(2026, 12, 1, 8, 30, tzinfo=UTC))
    await derby.reply(answer, "sin-record", {"submitted_at": "2026-11-30T23:30:00Z"})
    assert await derby.states(answer, "sin-record") == ["met"]


async def test_p_05_the_council_s_own_decision_ends_the_duty_to_notify_but_not_after_a_death_in_care(
    derby: Council,
) -> None:
    """P-05, S2-03: what is not to be notified is not missed for ever, and the death of a looked-after child always is to be."""
    harm = form("serious", **what_happened(**GROUNDS["abuse-serious-harm"]))
    for body, state in (
        (harm, "waived"),
        (form("serious", **what_happened(**GROUNDS["looked-after-death"])), "open"),
    ):
        answer = await derby.send("serious-incident-form", body)
        assert await derby.states(answer, "sin-record") == ["open"]
        await derby.decide(answer, "sin-criteria", "not-met", "strategic-director")
        assert await derby.states(answer, "sin-record") == [state]
    assert (await derby.held()).count("notification-still-owed") == 1


async def test_s0_01_a_ground_that_a_missing_fact_leaves_open_makes_it_a_task_as_well(derby: Council) -> None:
    body = form("not-serious", **what_happened(nature="serious-harm", abuse_or_neglect="unknown"))
    answer = await derby.send("serious-incident-form", body)
    assert await derby.states(answer, "child-pathway-referral") == ["open"]
    assert await derby.states(answer, "sin-record") == []


async def test_s0_01_such_a_case_is_not_closed_before_the_referral_is_recorded(derby: Council) -> None:
    """S0-01: done with a reference, or not applicable with a recorded reason."""
    body = form("not-serious", **what_happened(**GROUNDS["regulated-setting-death"]))
    children = example("serious-incident-form")["body"]["children"]
    body["children"] = [children[0] | {"statuses": ["unknown-to-services"]}]
    answer = await derby.send("serious-incident-form", body)
    with pytest.raises(Refused) as refused:
        await _close(derby, answer)
    assert "(task-record, head-of-service@" in (refused.value.detail or "")
    unsaid = {"task": "child-pathway-referral", "status": "not-applicable", "done_at": None, "done_by": None}
    with pytest.raises(AgencyProblem) as without_reason:
        await derby.reply(answer, "task-record", unsaid | {"note": None})
    assert "/body/note" in [error["pointer"] for error in without_reason.value.errors]
    await derby.done(answer, "child-pathway-referral", case_reference="SI-2026-7")
    assert await derby.states(answer, "child-pathway-referral") == ["met"]


async def _close(derby: Council, answer: Any) -> None:
    asked = Closing(IncidentId(answer["incident"]), "Officer Placeholder", "Nothing more is to be done.")
    await derby.house.parts.perform(close_incident, asked, derby.partnership, IncidentId(answer["incident"]))


async def test_s0_11_the_discussion_counts_when_it_was_held_two_hours_after_the_response(
    derby: Council,
) -> None:
    """K01, C-16: from the end of the immediate response, not of the incident; told later, it was in time all the same."""
    for held_at, state in (("10:10:00", "met"), ("10:10:01", "met-late")):
        answer = await derby.send("serious-incident-form", form())
        at = datetime.fromisoformat(f"2026-11-23T{held_at}+00:00")
        await derby.done(answer, "initial-discussion", at)
        assert await derby.states(answer, "initial-discussion") == [state]


async def test_s0_15_to_s0_17_a_strategy_decision_a_nomination_and_its_acceptance(derby: Council) -> None:
    """S0-15: whether and when a meeting is held; S0-16: a manager is nominated and accepts; S0-17: the report within 28 days
    of the form (K03, X-10), by an earlier day where both agree on one."""
    answer = await derby.send("serious-incident-form", form())
    meeting_at = "2026-11-26T10:00:00+00:00"
    await derby.decide(answer, "strategy-meeting", "hold", "service-director", {"meeting_at": meeting_at})
    assert "service-director: meeting-notice/strategy, D04, 2026-11-27T00:00:00Z" not in await derby.owed(
        answer
    )
    assert "service-director: meeting-notice/strategy, D04, 2026-11-26T10:00:00Z" in await derby.owed(answer)
    assert await derby.states(answer, "investigator-nomination") == ["open"]
    nominated = await derby.decide(answer, "investigator-nomination", "nominated", "service-director")
    assert await derby.states(answer, "investigator-nomination") == ["met", "open"]
    assert await derby.states(answer, "investigation-report") == []
    agreed = {"investigation_due_on": "2026-12-11"}
    await derby.decide(nominated, "investigator-nomination", "accepted", "investigating-officer", agreed)
    assert sorted(duty for duty in await derby.owed(answer) if "investigation-report" in duty) == [
        "investigating-officer: investigation-report, D04, 2026-12-12T00:00:00Z",
        "investigating-officer: investigation-report, K03, 2026-12-22T00:00:00Z",
    ]


async def test_s0_16_whoever_declines_hands_the_nomination_back(derby: Council) -> None:
    answer = await derby.send("serious-incident-form", form())
    await derby.decide(answer, "strategy-meeting", "not-needed", "service-director")
    nominated = await derby.decide(answer, "investigator-nomination", "nominated", "service-director")
    await derby.decide(nominated, "investigator-nomination", "declined", "investigating-officer")
    assert await derby.states(answer, "investigator-nomination") == ["met", "met", "open"]
    derby.clock.move_by(hours=1)
    again = await derby.decide(answer, "investigator-nomination", "nominated", "service-director")
    assert await derby.states(answer, "investigator-nomination") == ["met", "met", "met", "open"]
    await derby.decide(again, "investigator-nomination", "accepted", "investigating-officer")
    assert "open" in await derby.states(answer, "investigation-report")


async def _investigated(derby: Council, **report: Any) -> tuple[Any, Any]:
    """A form with its investigation report, on Monday 14 December at 15:00."""
    answer = await derby.send("serious-incident-form", form())
    await derby.decide(answer, "strategy-meeting", "not-needed", "service-director")
    nominated = await derby.decide(answer, "investigator-nomination", "nominated", "service-director")
    await derby.decide(nominated, "investigator-nomination", "accepted", "investigating-officer")
    derby.clock.move_to(datetime(2026, 12, 14, 15, 0, tzinfo=UTC))
    told = await derby.reply(answer, "investigation-report", report, author="investigating-officer")
    return answer, told


async def test_s0_20_to_s0_22_the_report_is_reviewed_and_goes_on_to_the_strategic_director(
    derby: Council,
) -> None:
    """S0-19, S0-20: K04 from the completed investigation; S0-21: feedback and monitoring are recorded decisions; S0-22: the
    report with its summary goes on; S0-33: feedback at the latest 28 days after (K05b), or by the day that is set."""
    answer, report = await _investigated(derby)
    assert await derby.reached(report) == ["head-of-service", "service-director"]
    assert "met" in await derby.states(answer, "investigation-report")
    assert "service-director: review-decision/investigation-review, K04, 2027-01-12T00:00:00Z" in (
        await derby.owed(answer)
    )
    feedback = {"time": "by-date", "by_on": "2026-12-21", "process": "In the team meeting."}
    body = {"feedback": feedback, "monitoring": "Each quarter in the management meeting."}
    await derby.decide(report, "investigation-review", "actions-confirmed", "service-director", body)
    assert await derby.reached(report) == ["head-of-service", "service-director", "strategic-director"]
    assert sorted(duty for duty in await derby.owed(answer) if "staff-feedback" in duty) == [
        "service-director: task-record/staff-feedback, D04, 2026-12-22T00:00:00Z",
        "service-director: task-record/staff-feedback, K05b, 2027-01-12T00:00:00Z",
    ]
    assert await derby.states(answer, "monitoring-agreed") == []
    await derby.done(answer, "staff-feedback")
    assert await derby.states(answer, "staff-feedback") == ["met", "met"]


async def test_s0_21_without_a_recorded_way_of_monitoring_it_is_a_task(derby: Council) -> None:
    answer, report = await _investigated(derby)
    no_feedback = {"time": "not-appropriate", "by_on": None, "process": "Nobody was involved."}
    body = {"feedback": no_feedback, "monitoring": None}
    await derby.decide(report, "investigation-review", "actions-confirmed", "service-director", body)
    assert await derby.states(answer, "monitoring-agreed") == ["open"]
    assert await derby.states(answer, "staff-feedback") == []


async def test_s0_20_a_report_that_is_sent_back_comes_again_and_is_reviewed_again(derby: Council) -> None:
    answer, report = await _investigated(derby)
    await derby.decide(report, "investigation-review", "return-with-actions", "service-director")
    assert await derby.states(answer, "investigation-report") == ["met", "met", "open"]
    derby.clock.move_by(days=1)
    again = await derby.reply(answer, "investigation-report", author="investigating-officer")
    assert await derby.states(answer, "investigation-report") == ["met", "met", "met"]
    assert await derby.states(answer, "investigation-review") == ["met", "open"]
    await derby.decide(again, "investigation-review", "actions-confirmed", "service-director")
    assert "strategic-director" in await derby.reached(again)


async def test_s0_18_without_a_debriefing_the_investigating_officer_owes_one(derby: Council) -> None:
    support = {"staff_debriefed": False, "staff_support": "Offered for next week."}
    answer, _ = await _investigated(derby, **support)
    assert "investigating-officer: task-record/staff-debriefing, D00, None" in await derby.owed(answer)


async def test_s0_23_each_urgent_concern_has_28_days_of_its_own(derby: Council) -> None:
    """K05: one in the form and another in the report are two; the same one told again is not."""
    body = {"urgent_concern": True, "urgent_concern_note": "Blankets are missing."}
    first = body | {"urgent_concern_at": "2026-11-23T10:50:00Z"}
    answer = await derby.send("serious-incident-form", form(**first))
    await derby.reply(answer, "serious-incident-form", form(**first))
    derby.clock.move_to(datetime(2026, 12, 14, 15, 0, tzinfo=UTC))
    second = body | {"urgent_concern_at": "2026-12-14T12:00:00Z"}
    await derby.reply(answer, "investigation-report", second, author="investigating-officer")
    assert sorted(duty for duty in await derby.owed(answer) if "urgent-concern" in duty) == [
        "service-director: task-record/urgent-concern, K05, 2026-12-22T00:00:00Z",
        "service-director: task-record/urgent-concern, K05, 2027-01-12T00:00:00Z",
    ]


async def test_s0_24_the_year_s_report_is_owed_by_the_strategic_director(derby: Council) -> None:
    """K06: from 1 April, twelve months; a monthly digest is no annual report."""
    derby.clock.move_to(datetime(2027, 4, 1, 8, 0, tzinfo=UTC))
    await open_periodic_matters(derby.house.parts)
    (matter,) = await derby.house.parts.store.read(lambda tx: incidents.every(tx, [derby.partnership]))
    about = {"incident": matter.id}
    assert matter.label == "Annual report on serious incidents"
    assert await derby.owed(about) == ["strategic-director: learning-digest, K06, 2028-04-01T23:00:00Z"]
    for kind, state in (("monthly", "open"), ("annual", "met")):
        told = await derby.send("learning-digest", {"kind": kind}, author="strategic-director", **about)
        assert await derby.reached(told) == ["chief-executive", "head-of-service", "service-director"]
        assert await derby.states(about, "learning-digest") == [state]


async def test_s0_25_to_s0_27_a_need_to_know_goes_with_blanks_and_stays_a_task_until_plans_are_made(
    derby: Council,
) -> None:
    """S0-25: sent though a block is blank; S0-26: to head of service and director; S0-27: the follow-up stays open."""
    answer = await derby.send("need-to-know")
    assert (answer["decision"], await derby.reached(answer)) == (
        "forward",
        ["head-of-service", "service-director"],
    )
    assert sorted(await derby.owed(answer)) == [
        "head-of-service: acknowledgement, N01, 2026-11-24T17:00:00Z",
        "head-of-service: task-record/follow-up-plan, N00, None",
    ]
    await derby.done(answer, "follow-up-plan", status="not-yet", done_at=None, done_by=None)
    assert await derby.states(answer, "follow-up-plan") == ["open"]
    await derby.done(answer, "follow-up-plan")
    assert await derby.states(answer, "follow-up-plan") == ["met"]


async def test_a_correction_reaches_the_seats_of_the_council_that_had_the_form(derby: Council) -> None:
    """G-06: inside one council its own seats are the recipients."""
    answer = await derby.send("serious-incident-form", form())
    body = example("correction")["body"] | {"message": answer["id"]}
    told = await derby.send("correction", body, incident=answer["incident"])
    assert await derby.reached(told) == THREE


def test_s0_30_no_rule_tells_an_elected_member_unless_the_council_adds_one() -> None:
    pack = packs.shipped("derby")
    named = {to.role for route in pack.routes for to in route.deliver}
    named |= {to.role for follows in pack.consequences for to in follows.deliver}
    assert "elected-member" not in named


def test_s0_31_the_form_has_no_member_for_blame() -> None:
    words = ("blame", "fault", "disciplin", "misconduct", "negligen")
    assert [name for name in SeriousIncidentForm.model_fields if any(word in name for word in words)] == []


def test_s0_02_s0_32_the_form_names_every_kind_of_serious_incident_and_is_data_by_version() -> None:
    """S0-02: injury, money, premises, confidentiality; S0-32: the policy's own form was not supplied."""
    kinds = {"financial-irregularity", "premises-damage", "confidentiality-breach", "near-miss"}
    assert kinds <= {category.value for category in FormCategory}
    assert example("serious-incident-form")["version"] == 1
