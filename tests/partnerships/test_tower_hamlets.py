"""Tower Hamlets: one alert in two branches, a decision of two, and what each outcome sets going, through the real doors.

The example's incident is on Sunday 22 November 2026 at 21:10, known at 23:30; due instants are counted by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.waive import Waiver, waive
from gateway.agency.client import AgencyProblem
from gateway.core.errors import Refused
from gateway.core.messages import AgencyId, AgencyKind, DutyId, IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.routing import Agency, Holder
from gateway.dispatch import timetable
from gateway.store import incidents
from tests.partnerships.stage import Stage, holder, on_stage

COUNCIL, UNIT, POLICE, FENLAND = "tower-hamlets-council", "thames-reach-sbu", "lea-police", "fenland-council"
HEAD, WORKER = "Cordelia Winstanley", "Lettice Ormsby"
AGENCIES = (
    Agency(AgencyId(COUNCIL), AgencyKind.LOCAL_AUTHORITY, "Invented council", "E09000030"),
    Agency(AgencyId(UNIT), AgencyKind.BUSINESS_UNIT, "Invented business unit", None),
    Agency(AgencyId(POLICE), AgencyKind.POLICE, "Invented police", None),
    Agency(AgencyId(FENLAND), AgencyKind.LOCAL_AUTHORITY, "Invented council elsewhere", "E06000031"),
)
PEOPLE = (
    holder(COUNCIL, "reporter", "Ottoline Bracegirdle"),
    holder(COUNCIL, "line-manager", "Peregrine Ashby"),
    holder(COUNCIL, "head-of-service", "Sunniva Thorne"),
    holder(COUNCIL, "head-of-service-sqa", HEAD),
    holder(COUNCIL, "principal-social-worker", WORKER),
    holder(COUNCIL, "sqa-service-manager", "Jocasta Underhay"),
    holder(COUNCIL, "service-director", "Ambrose Tillinghast"),
    holder(COUNCIL, "dcs", "Marguerite Vane"),
    holder(COUNCIL, "agency-safeguarding-lead", "Peregrine Ashby"),
    holder(UNIT, "sbu", "Barnaby Quillfeather"),
    holder(UNIT, "rapid-review-group", "Barnaby Quillfeather"),
    holder(UNIT, "executive", "Honor Castellane"),
    holder(UNIT, "agency-safeguarding-lead", "Barnaby Quillfeather"),
    holder(POLICE, "reporter", "Linus Hartwell"),
    holder(POLICE, "agency-responder", "Linus Hartwell"),
    holder(POLICE, "agency-safeguarding-lead", "Isolde Marsh"),
    holder(FENLAND, "agency-safeguarding-lead", "Rufus Penn"),
)
TWO = TwoOfficers("Winifred Stave", "Desmond Quill")
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
TOLD = ("panel", "ofsted", "safeguarding-partners")
BEFORE_DECISION = {
    "head-of-service-sqa: acknowledgement, G01",
    "sbu: acknowledgement, G01",
    "service-director: task-record dcs-told, A01",
    "head-of-service-sqa: review-decision sin-criteria, A01",
    "service-director: review-decision sin-criteria, A01",
    "head-of-service-sqa: sin-record, K12",
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path, "tower-hamlets", AGENCIES, PEOPLE, MONDAY) as running:
        yield running


async def alert(stage: Stage, agency: str = COUNCIL, body: dict[str, Any] | None = None) -> Any:
    return await stage.send(agency, "serious-incident-alert", body)


def vote(stage: Stage, outcome: str, *seats: str, review: str = "sin-criteria") -> dict[str, Any]:
    """The body of a review decision by these seats, without actions for anybody."""
    at = stage.house.clock().isoformat()
    decisions = [
        {
            "seat": seat,
            "decided_by": {"name": HEAD, "post": "Invented post"},
            "outcome": outcome,
            "reasons": "As discussed.",
            "decided_at": at,
        }
        for seat in seats
    ]
    return {"review": review, "decisions": decisions, "further_actions": [], "onward_notifications": []}


async def decide(stage: Stage, about: Any, outcome: str) -> Any:
    both = vote(stage, outcome, "head-of-service-sqa", "service-director")
    return await stage.answer(COUNCIL, "review-decision", about, both)


async def notify(stage: Stage, about: Any, author: str = HEAD) -> Any:
    """The council's record that it notified now."""
    at = stage.house.clock().isoformat()
    body = {
        "submitted_at": at,
        "local_authority": "E09000030",
        "recipients": [_told(one, at) for one in TOLD],
    }
    return await stage.answer(COUNCIL, "sin-record", about, body, author=author)


def _told(recipient: str, at: str) -> dict[str, Any]:
    return {"recipient": recipient, "told_at": at, "means": "national system", "evidence": None}


async def task(stage: Stage, about: Any, name: str, agency: str = COUNCIL) -> Any:
    at = stage.house.clock().isoformat()
    return await stage.answer(agency, "task-record", about, {"task": name, "done_at": at})


async def test_one_alert_goes_up_the_line_and_to_the_business_unit_at_once(stage: Stage) -> None:
    """S3-08, S3-23, X-13: two branches, each with a receipt and a person's acknowledgement of its own."""
    told = await alert(stage)
    up = (
        "dcs",
        "head-of-service",
        "head-of-service-sqa",
        "line-manager",
        "service-director",
        "sqa-service-manager",
    )
    assert await stage.told(told) == sorted([*(f"{role}@{COUNCIL}" for role in up), f"sbu@{UNIT}"])
    assert await stage.owed(told) == BEFORE_DECISION
    assert await stage.held() == []
    await stage.acknowledge(UNIT, "sbu", told["id"], "Barnaby Quillfeather")
    assert "head-of-service-sqa: acknowledgement, G01" in await stage.owed(told)
    await stage.acknowledge(COUNCIL, "head-of-service-sqa", told["id"], HEAD)
    assert not {duty for duty in await stage.owed(told) if "acknowledgement" in duty}


async def test_the_referring_team_hears_from_a_person_s3_16(stage: Stage) -> None:
    """S3-16: the head of service acknowledges to the team; a system's word does not meet that."""
    told = await alert(stage, POLICE)
    said = {"role": "head-of-service-sqa", "name": HEAD, "delivery": None}
    await stage.answer(COUNCIL, "acknowledgement", told, {**said, "by": "system"})
    assert "head-of-service-sqa: acknowledgement, G01" in await stage.owed(told)
    answer = await stage.answer(COUNCIL, "acknowledgement", told, {**said, "by": "person"})
    assert await stage.told(answer) == [f"reporter@{POLICE}"]
    assert await stage.state(told, "G01", "head-of-service-sqa: acknowledgement") == "met"


async def test_an_alert_within_24_hours_of_the_incident_is_in_time_and_one_after_is_not(stage: Stage) -> None:
    """S3-01, K08: 24 hours from Sunday 21:10 by the clock; the alert itself meets it, in time or late."""
    early = await alert(stage)
    assert await stage.laid(early, "K08") == {"reporter: serious-incident-alert": "2026-11-23T21:10:00Z"}
    assert await stage.state(early, "K08", "reporter: serious-incident-alert") == "met"
    stage.house.clock.move_to(datetime(2026, 11, 23, 21, 10, 1, tzinfo=UTC))
    late = await alert(stage)
    assert await stage.state(late, "K08", "reporter: serious-incident-alert") == "met-late"


async def test_a_retrospective_alert_runs_from_awareness_and_says_so(stage: Stage) -> None:
    """X-02, S3-05: found at a review years later, it is not late at its birth; K12 runs from awareness too (X-01)."""
    incident = stage.house.example("serious-incident-alert")["body"]["incident"]
    found = {**incident, "incident_at": "2023-05-04T12:00:00Z", "aware_at": "2026-11-23T08:00:00Z"}
    source = ["independent-reviewing-officer"]
    told = await alert(stage, body={"retrospective": True, "incident": found, "sources": source})
    assert await stage.laid(told, "K08") == {"reporter: serious-incident-alert": "2026-11-24T08:00:00Z"}
    assert await stage.state(told, "K08", "reporter: serious-incident-alert") == "met"
    assert await stage.laid(told, "K12") == {"head-of-service-sqa: sin-record": "2026-12-01T00:00:00Z"}
    plain = await alert(stage, body={"retrospective": False, "incident": found})
    assert await stage.state(plain, "K08", "reporter: serious-incident-alert") == "met-late"


async def test_an_alert_opened_on_someone_s_behalf_keeps_its_source(stage: Stage) -> None:
    """S3-26: who gave it, when and by what means stay with the alert."""
    told = await alert(stage)
    (kept,) = await stage.content(told, "serious-incident-alert")
    assert kept["body"]["original_source"]["means"] == "telephone"
    assert kept["body"]["original_source"]["received_at"] == "2026-11-22T23:30:00Z"


async def test_an_alert_about_a_connected_adult_goes_the_same_way(stage: Stage) -> None:
    """S3-27."""
    adult = {"name": "Leander Testerley", "kind": "parent", "relationship": "father"}
    told = await alert(stage, body={"subjects": ["connected-adult"], "connected_adult": adult})
    assert await stage.owed(told) == BEFORE_DECISION


@pytest.mark.parametrize("part", ["victim", "perpetrator", "both", "unknown"])
async def test_the_process_is_one_for_victim_and_perpetrator(stage: Stage, part: str) -> None:
    """S3-03: the same seats, duties and clocks whatever the child's part was."""
    told = await alert(stage, body={"child_role": part})
    assert await stage.owed(told) == BEFORE_DECISION


async def test_further_recipients_are_evidenced_in_the_record_each_recipient_apart(stage: Stage) -> None:
    """S3-25, X-05: one national submission, and the report to partners with evidence of its own."""
    told = await alert(stage)
    await notify(stage, told)
    (kept,) = await stage.content(told, "sin-record")
    assert [one["recipient"] for one in kept["body"]["recipients"]] == [
        "panel",
        "ofsted",
        "safeguarding-partners",
    ]
    assert all(one["told_at"] for one in kept["body"]["recipients"])


async def test_another_team_completes_its_part_and_no_clock_starts_again(stage: Stage) -> None:
    """S3-22, field 15: a message of its own on the same incident."""
    told = await alert(stage)
    before = await stage.duties(told)
    empty = dict.fromkeys(stage.house.example("serious-incident-alert")["body"])
    lists: dict[str, Any] = {"reasons": [], "purposes": [], "sources": [], "subjects": [], "children": []}
    part = {
        "team": "Exploitation Team",
        "completed_by": {"name": "Piers Amberley", "post": "Practitioner"},
        "known": True,
        "outline": "Seen twice since August.",
    }
    body = {**empty, **lists, "retrospective": False, "part": "other-team", "other_team": part}
    answer = await stage.answer(COUNCIL, "serious-incident-alert", told, body)
    assert answer["incident"] == told["incident"]
    assert await stage.told(answer) == sorted(
        [f"head-of-service-sqa@{COUNCIL}", f"sqa-service-manager@{COUNCIL}", f"sbu@{UNIT}"]
    )
    assert await stage.duties(told) == before


async def test_the_decision_needs_both_and_records_dissent(stage: Stage) -> None:
    """S3-09, S3-12, X-14: with dissent the head of service's own answer stands, and the duty to notify with it."""
    told = await alert(stage)
    await stage.answer(COUNCIL, "review-decision", told, vote(stage, "met", "service-director"))
    assert (await stage.incident(told)).outcome is None
    await stage.answer(COUNCIL, "review-decision", told, vote(stage, "not-met", "head-of-service-sqa"))
    incident = await stage.incident(told)
    assert incident.outcome == {"decision": "criteria", "outcome": "not-met", "dissent": True}
    assert incident.label == "Need to Know case"
    assert "head-of-service-sqa: sin-record, K12" in await stage.owed(told)


async def test_what_a_decision_with_dissent_left_owed_two_officers_may_end(stage: Stage) -> None:
    """P-05, S3-09: the duty to notify stays, and does not stay for ever."""
    told = await alert(stage)
    sin = "head-of-service-sqa: sin-record"
    waiver = Waiver(await duty_id(stage, told, "K12"), TWO, "Both have looked at it again.")
    incident = IncidentId(told["incident"])
    with pytest.raises(Refused):
        await stage.house.parts.perform(waive, waiver, stage.partnership, incident)
    await stage.answer(COUNCIL, "review-decision", told, vote(stage, "met", "service-director"))
    await stage.answer(COUNCIL, "review-decision", told, vote(stage, "not-met", "head-of-service-sqa"))
    await stage.house.parts.perform(waive, waiver, stage.partnership, incident)
    assert await stage.state(told, "K12", sin) == "waived"


async def test_what_is_told_after_the_duty_to_notify_was_ended_is_owed_anew(stage: Stage) -> None:
    """P-05, X-01: worse news on the same matter is not lost because lesser news did not meet the criteria."""
    told = await alert(stage)
    await decide(stage, told, "not-met")
    assert "head-of-service-sqa: sin-record, K12" not in await stage.owed(told)
    stage.house.clock.move_by(days=3)
    again = await stage.answer(COUNCIL, "serious-incident-alert", told, {"incident": worse(stage)})
    assert again["incident"] == told["incident"]
    assert "head-of-service-sqa: sin-record, K12" in await stage.owed(told)
    (open_,) = [
        duty for duty in await stage.duties(told) if duty.clock == "K12" and duty.state.value == "open"
    ]
    assert open_.start_at == stage.house.clock()
    assert "duty-ended-before" in [reason for hold in await stage.held() for reason in hold.reasons]


def worse(stage: Stage) -> dict[str, Any]:
    own = stage.house.example("serious-incident-alert")["body"]["incident"]
    return {**own, "aware_at": stage.house.clock().isoformat()}


async def duty_id(stage: Stage, told: Any, clock: str) -> DutyId:
    (found,) = [duty.id for duty in await stage.duties(told) if duty.clock == clock]
    return found


async def test_p_03_not_met_leaves_the_death_of_a_child_we_care_for_to_be_notified(stage: Stage) -> None:
    """P-03, S3-09, S3-12: "Need to Know case" for want of abuse; the Secretary of State and Ofsted are told all the same."""
    own = stage.house.example("serious-incident-alert")["body"]
    natural = {**own["incident"], "nature": "death", "abuse_or_neglect": "none", "abuse_types": []}
    child = {**own["children"][0], "statuses": ["looked-after"]}
    told = await alert(stage, body={"incident": natural, "children": [child]})
    await decide(stage, told, "not-met")
    assert (await stage.incident(told)).label == "Need to Know case"
    assert "head-of-service-sqa: sin-record, K12" in await stage.owed(told)
    assert "notification-still-owed" in [reason for hold in await stage.held() for reason in hold.reasons]


@pytest.mark.parametrize("threshold", ["no", "yes"])
async def test_s4_02_a_care_leaver_s_death_is_told_to_two_more_and_needs_no_panel_by_itself(
    stage: Stage, threshold: str
) -> None:
    """P-04: unless the record says that the threshold of a rapid review is met."""
    told = await alert(stage)
    at = stage.house.clock().isoformat()
    body = {
        "submitted_at": at,
        "reason": "care-leaver-death",
        "local_authority": "E09000030",
        "children": [],
        "incident": None,
        "rapid_review_threshold_met": threshold,
        "recipients": [_told("safeguarding-partners", at)],
    }
    await stage.answer(COUNCIL, "sin-record", told, body, author=HEAD)
    owed = await stage.owed(told)
    assert {
        f"head-of-service-sqa: task-record {who}, K12" for who in ("tell-ofsted", "tell-secretary-of-state")
    } <= owed
    panel = {
        "sbu: meeting-notice rapid-review, K16",
        "sbu: final-decision, K17",
        "sbu: information-request, A03",
    }
    assert panel & owed == (panel if threshold == "yes" else set())


async def test_undecided_is_an_answer_that_decides_nothing(stage: Stage) -> None:
    """X-26: met, not met, undecided."""
    told = await alert(stage)
    await decide(stage, told, "undecided")
    assert (await stage.incident(told)).outcome is None
    stage.house.clock.move_by(minutes=5)
    await decide(stage, told, "met")
    assert (await stage.incident(told)).label == "Statutory Review case"


async def test_nobody_else_decides(stage: Stage) -> None:
    """S3-09, S3-22: the sender of an alert has no part in fields 17 to 20."""
    told = await alert(stage, POLICE)
    both = vote(stage, "not-met", "head-of-service-sqa", "service-director")
    for other in (POLICE, UNIT):  # both may send an executive's decision, and this one never
        with pytest.raises(AgencyProblem) as refused:
            await stage.answer(other, "review-decision", told, both)
        assert refused.value.code == "not-permitted"
    assert await stage.held() == []
    assert (await stage.incident(told)).outcomes == []


async def test_what_does_not_meet_the_criteria_is_reviewed_twice_from_the_alert(stage: Stage) -> None:
    """S3-12, S3-13, S3-14, X-06, K09, K10: calendar days from the alert, each review for itself."""
    told = await alert(stage)
    stage.house.clock.move_by(hours=6)
    decision = await decide(stage, told, "not-met")
    assert f"reporter@{COUNCIL}" in await stage.told(decision)
    assert (await stage.incident(told)).label == "Need to Know case"
    assert await stage.state(told, "K12", "head-of-service-sqa: sin-record") == "waived"
    assert await stage.laid(told, "K09") == {
        "head-of-service-sqa: case-review initial": "2026-11-26T00:00:00Z"
    }
    assert await stage.laid(told, "K10") == {
        "head-of-service-sqa: case-review detailed": "2026-11-29T00:00:00Z"
    }
    at = stage.house.clock().isoformat()
    await stage.answer(COUNCIL, "case-review", told, {"review": "detailed", "reviewed_at": at, "actions": []})
    assert await stage.state(told, "K09", "head-of-service-sqa: case-review initial") == "open"
    assert await stage.state(told, "K10", "head-of-service-sqa: case-review detailed") == "met"
    stage.house.clock.move_to(datetime(2026, 11, 26, tzinfo=UTC))
    at = stage.house.clock().isoformat()
    await stage.answer(COUNCIL, "case-review", told, {"review": "initial", "reviewed_at": at, "actions": []})
    assert await stage.state(told, "K09", "head-of-service-sqa: case-review initial") == "met-late"


async def test_what_meets_them_is_notified_by_both_clocks_and_then_reviewed(stage: Stage) -> None:
    """S3-10, S3-11, S3-20, X-01, K12, K12b, K16, K17, K17b: case F of the chained examples, sent on Wednesday at 15:00."""
    told = await alert(stage)
    await decide(stage, told, "met")
    assert (await stage.incident(told)).label == "Statutory Review case"
    sin = "head-of-service-sqa: sin-record"
    assert await stage.laid(told, "K12") == {sin: "2026-11-28T00:00:00Z"}
    assert await stage.laid(told, "K12b") == {sin: "2026-11-28T00:00:00Z"}
    stage.house.clock.move_to(WEDNESDAY)
    await notify(stage, told)
    assert [await stage.state(told, clock, sin) for clock in ("K12", "K12b")] == ["met", "met"]
    assert await stage.laid(told, "K16") == {"sbu: meeting-notice rapid-review": "2026-12-05T00:00:00Z"}
    assert await stage.laid(told, "K17") == {"sbu: final-decision": "2026-12-17T00:00:00Z"}
    assert await stage.laid(told, "K17b") == {
        "rapid-review-group: rapid-review-report": "2026-12-11T00:00:00Z",
        "sbu: final-decision": "2026-12-11T00:00:00Z",
    }


async def test_the_notification_is_the_head_of_service_s_to_record(stage: Stage) -> None:
    """S3-07, S3-10: what somebody else of the council writes waits for an officer, and starts no clock meanwhile."""
    told = await alert(stage)
    await decide(stage, told, "met")
    record = await notify(stage, told, author="Ottoline Bracegirdle")
    assert record["decision"] == "hold"
    (hold,) = await stage.held()
    assert list(hold.reasons) == ["author-not-in-seat"]
    assert await stage.laid(told, "K17") == {}
    await stage.release(hold)
    assert len(await stage.laid(told, "K17")) == 1


async def test_the_principal_social_worker_stands_in_with_authority_to_notify(stage: Stage) -> None:
    """S3-07: while the head of service is away, the alert, the decision and the notification are the deputy's."""
    away = Holder(
        HEAD, "h@thc.example", None, 0, datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    )
    await stage.seat(COUNCIL, "head-of-service-sqa", away)
    told = await alert(stage)
    assert f"principal-social-worker@{COUNCIL}" in await stage.told(told)
    assert "principal-social-worker: sin-record, K12" in await stage.owed(told)
    await stage.answer(
        COUNCIL, "review-decision", told, vote(stage, "met", "principal-social-worker", "service-director")
    )
    assert (await stage.incident(told)).label == "Statutory Review case"
    record = await notify(stage, told, author=WORKER)
    assert record["decision"] == "forward"
    assert not {duty for duty in await stage.owed(told) if "sin-record" in duty}


async def test_the_panel_sits_when_the_meeting_was_held_not_when_it_was_announced(stage: Stage) -> None:
    """S3-11, X-04, X-12, K16: no later than; announced, it is still owed; the checks come back to the business unit."""
    told = await alert(stage, POLICE)
    await decide(stage, told, "met")
    await notify(stage, told)
    asked = await stage.answer(UNIT, "information-request", told, {"agencies": [POLICE]})
    (first,) = [hold for hold in await stage.held() if "first-fan-out" in hold.reasons]  # G-06
    await stage.release(first)
    assert await stage.told(asked) == [f"agency-responder@{POLICE}"]
    assert await stage.laid(told, "B14") == {"agency-responder: information-return": "2026-11-30T17:00:00Z"}
    back = await stage.answer(POLICE, "information-return", asked)
    assert await stage.told(back) == [f"sbu@{UNIT}"]
    at = "2026-12-01T10:00:00Z"
    plain: dict[str, Any] = {
        "agencies": [],
        "actions": [],
        "attendance": [],
        "held_at": None,
        "minutes": None,
        "apologies": [],
    }
    await stage.answer(UNIT, "meeting-notice", told, {**plain, "stage": "notice", "meeting_at": at})
    panel = "sbu: meeting-notice rapid-review"
    assert await stage.state(told, "K16", panel) == "open"
    stage.house.clock.move_to(datetime(2026, 12, 8, 9, 0, tzinfo=UTC))
    there = stage.house.example("meeting-notice")["body"]["attendance"]
    held = {**plain, "stage": "held", "meeting_at": at, "held_at": at, "attendance": there}
    await stage.answer(UNIT, "meeting-notice", told, {**held, "meeting": "other"})
    assert await stage.state(told, "K16", panel) == "open"
    await stage.answer(UNIT, "meeting-notice", told, held)
    assert await stage.state(told, "K16", panel) == "met"


async def test_the_panel_recommends_and_the_executive_decides(stage: Stage) -> None:
    """S3-19, S3-20, S3-21: two stages; then the Panel is told, and management team, staff and record follow."""
    told = await alert(stage)
    await decide(stage, told, "met")
    await notify(stage, told)
    report = await stage.answer(UNIT, "rapid-review-report", told, {"actions": []})
    assert f"executive@{UNIT}" in await stage.told(report)
    assert "executive: review-decision executive, K17b" in await stage.owed(told)
    verdict = vote(stage, "initiate-cspr", "executive", review="executive")
    await stage.answer(UNIT, "review-decision", report, verdict)
    tasks = {
        "sqa-service-manager: task-record management-team-told, A04",
        "head-of-service: task-record staff-told, A04",
        "head-of-service-sqa: task-record decision-on-record, A04",
    }
    assert tasks <= await stage.owed(told)
    for name in ("management-team-told", "staff-told", "decision-on-record"):
        await task(stage, told, name)
    assert not tasks & await stage.owed(told)
    at = stage.house.clock().isoformat()
    kept = {
        "actions": [],
        "decided_at": at,
        "sent_to_panel": False,
        "sent_to_panel_at": None,
        "panel_evidence": None,
    }
    await stage.answer(UNIT, "final-decision", told, kept)
    assert await stage.state(told, "K17", "sbu: final-decision") == "open"
    sent = {"actions": [], "decided_at": at, "sent_to_panel": True, "sent_to_panel_at": at}
    await stage.answer(UNIT, "final-decision", told, sent)
    assert [await stage.state(told, clock, "sbu: final-decision") for clock in ("K17", "K17b")] == [
        "met",
        "met",
    ]
    assert await stage.laid(told, "K20") == {"sbu: task-record review-published": "2027-05-23T23:00:00Z"}


async def test_found_not_to_meet_the_criteria_after_all_nothing_more_is_owed(stage: Stage) -> None:
    """P-10: the law's own clock ends too, with a receipt."""
    told = await alert(stage)
    await decide(stage, told, "met")
    await notify(stage, told)
    at = stage.house.clock().isoformat()
    body = {"decision": "criteria-not-met-after-notification", "decided_at": at, "actions": []}
    unsent = {"sent_to_panel": False, "sent_to_panel_at": None, "panel_evidence": None}
    await stage.answer(UNIT, "final-decision", told, body | unsent)
    assert await stage.state(told, "K17", "sbu: final-decision") == "waived"
    incident = await stage.incident(told)
    assert incident.label == "Need to Know case"
    assert "DutyEnded" in await stage.events(incident.chain)


async def test_alert_and_outcome_are_noted_on_the_child_s_record(stage: Stage) -> None:
    """S3-17: a person confirms it; "not yet" confirms nothing."""
    told = await alert(stage)
    await decide(stage, told, "met")
    note = "head-of-service-sqa: task-record case-note"
    at = stage.house.clock().isoformat()
    await stage.answer(COUNCIL, "task-record", told, {"status": "not-yet", "done_at": None, "done_by": None})
    assert await stage.state(told, "A02", note) == "open"
    await stage.answer(COUNCIL, "task-record", told, {"done_at": at})
    assert await stage.state(told, "A02", note) == "met"


async def test_partners_of_another_area_receive_the_notification(stage: Stage) -> None:
    """S3-24: a child placed out of area; the other area's partners are guests of the incident."""
    told = await alert(stage)
    await decide(stage, told, "met")
    guest, incident = AgencyId(FENLAND), IncidentId(told["incident"])
    await stage.house.parts.store.transact(
        lambda tx: incidents.involve(tx, stage.partnership, incident, [guest], guest=True)
    )
    record = await notify(stage, told)
    assert f"agency-safeguarding-lead@{FENLAND}" in await stage.told(record)


async def test_who_is_late_is_chased_deputy_and_manager_too(stage: Stage) -> None:
    """G-02: no seed says what happens; at the due instant the owner and the deputy, later the business unit."""
    told = await alert(stage)
    await decide(stage, told, "met")
    stage.house.clock.move_to(datetime(2026, 11, 28, 0, 5, tzinfo=UTC))
    await stage.chase()
    assert await stage.state(told, "K12", "head-of-service-sqa: sin-record") == "missed"
    assert ("sin-record", ["head-of-service-sqa", "principal-social-worker"]) in await stage.chased(told)
    stage.house.clock.move_to(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    stage.house.clock.move_by(minutes=10)
    await stage.chase()
    told_of = [roles for what, roles in await stage.chased(told) if what == "sin-record"]
    assert any("sbu" in roles for roles in told_of)
    assert (await stage.incident(told)).label == "Statutory Review case"


async def test_each_month_s_learning_is_owed_and_shared(stage: Stage) -> None:
    """S3-15, K18: from the month's end, to partners, Executive, senior leadership and managers."""
    stage.house.clock.move_to(datetime(2026, 12, 1, tzinfo=UTC))
    assert await timetable.open_periodic_matters(stage.house.parts) == 1
    (matter,) = await stage.house.parts.store.read(lambda tx: incidents.every(tx, [stage.partnership]))
    about = {"incident": matter.id, "id": None}
    assert matter.label == "Monthly learning"
    assert await stage.laid(about, "K18") == {
        "head-of-service-sqa: learning-digest": "2026-12-31T00:00:00Z"  # a month from 30 November
    }
    digest = await stage.answer(COUNCIL, "learning-digest", about)
    heard = {told.partition("@")[0] for told in await stage.told(digest)}
    assert heard == {"sbu", "executive", "service-director", "dcs", "sqa-service-manager"}
    assert await stage.owed(about) == set()
