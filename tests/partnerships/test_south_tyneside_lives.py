"""Whole lives under South Tyneside's rules, through the real doors: what the law and the guidance ask of whom, by when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.explain import Explanation, explain
from gateway.actions.tell_duty import duty_document
from gateway.core.duties import DutyState
from gateway.core.errors import Refused
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store.duties import DutyRow
from tests.actions.neighbours import FELLSIDE_COUNCIL, fellside_joins
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    SCHOOL,
    UNIT,
    coarse_reason,
    decide_all,
    deliveries_of,
    duties_of,
    duty_of,
    entries_named,
    events_of,
    incident_of,
    let_go,
    refer,
    send,
    waiting,
)
from tests.actions.test_guests import invite
from tests.gateway_house import House, gateway_house

SUBMITTED_AT = "2026-11-02T09:30:00Z"  # a Monday: the eighth working day is the 12th, the fifteenth the 23rd
PANEL_LIMIT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def on(house: House, referral: Any, agency: str, slug: str, body: Any = None, **envelope: Any) -> Any:
    """One message on the incident of a referral."""
    envelope |= {"incident": referral["incident"], "partnership": SOUTH_TYNESIDE}
    return await send(house, agency, slug, body, **envelope)


async def notified(house: House) -> Any:
    """A referral that the partners decided to notify, and the council's record that it did."""
    referral = await refer(house)
    await decide_all(house, referral)
    await on(house, referral, COUNCIL, "sin-record", {"submitted_at": SUBMITTED_AT})
    return referral


async def held(house: House, referral: Any, stage: str = "held", **body: Any) -> Any:
    told = {"meeting": "rapid-review", "stage": stage, "agencies": [], "actions": []}
    if stage != "held":
        told |= {"held_at": None, "attendance": [], "apologies": [], "minutes": None}
    return await on(house, referral, UNIT, "meeting-notice", told | body)


async def reported(house: House, referral: Any, actions: list[Any] | None = None) -> Any:
    return await on(house, referral, UNIT, "rapid-review-report", {"actions": actions or []})


async def decided(house: House, referral: Any, decision: str, agency: str = UNIT, **body: Any) -> Any:
    told = {"decision": decision, "actions": [], "decided_at": house.clock().isoformat(), **body}
    if decision != "initiate-cspr":
        told["terms_of_reference"] = None
    return await on(house, referral, agency, "final-decision", told)


def done(house: House, task: str) -> dict[str, Any]:
    return {
        "task": task,
        "status": "done",
        "done_at": house.clock().isoformat(),
        "case_system": None,
        "case_reference": None,
    }


def nearly(house: House) -> dict[str, Any]:
    """A near miss: what nearly happened did not."""
    return {
        "referral_kind": "near-miss",
        "incident": house.example("referral")["body"]["incident"] | {"nature": "near-miss"},
    }


async def actions_of(house: House, referral: Any) -> list[DutyRow]:
    return [duty for duty in await duties_of(house, referral) if duty.task == "agency-action"]


async def test_s4_10_a_near_miss_is_reviewed_in_proportionate_time_and_has_no_statutory_clock(
    house: House,
) -> None:
    """S4-09, S4-10, X-15: the same form and the same three partners; what follows only ages (N15)."""
    referral = await refer(house, HOSPITALS, body=nearly(house))
    await decide_all(house, referral, "near-miss-review")
    incident = await incident_of(house, referral)
    assert incident.label == "Near miss review"
    meeting = await duty_of(house, referral, "sbu", "meeting-notice")
    assert (meeting.clock, meeting.due_at) == ("N15", None)
    assert not {duty.clock for duty in await duties_of(house, referral)} & {"K12", "K15", "K17"}
    house.clock.move_by(days=60)
    await held(house, referral)
    assert (await duty_of(house, referral, "sbu", "meeting-notice")).state is DutyState.MET


async def test_s2_01_what_is_called_a_near_miss_and_was_serious_harm_is_owed_to_the_panel(
    house: House,
) -> None:
    """S2-01, S4-09, P-05: the sender's word for it takes no duty of the law away, only all three partners' decision does."""
    referral = await refer(house, HOSPITALS, body={"referral_kind": "near-miss"})
    record = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (record.clock, record.state) == ("K12", DutyState.OPEN)
    await decide_all(house, referral, "near-miss-review")
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.WAIVED


async def test_p_03_a_looked_after_child_s_death_is_told_to_the_secretary_of_state_and_ofsted(
    house: House,
) -> None:
    """P-03, S4-02: in the same five days, whatever reason the record gives; done once somebody records it."""
    referral = await refer(house)
    child = house.example("sin-record")["body"]["children"][0] | {"statuses": ["looked-after"]}
    died = house.example("sin-record")["body"]["incident"] | {"nature": "death"}
    body = {"submitted_at": SUBMITTED_AT, "reason": "death", "children": [child], "incident": died}
    body["recipients"] = [{"recipient": "ofsted", "told_at": SUBMITTED_AT, "means": "by telephone"}]
    await on(house, referral, COUNCIL, "sin-record", body)
    (tell,) = [duty for duty in await duties_of(house, referral) if (duty.task or "").startswith("tell-")]
    assert (tell.role, tell.task, tell.clock, tell.due_at) == (
        "dsp-la",
        "tell-secretary-of-state",
        "K12",
        datetime(2026, 11, 10, tzinfo=UTC),
    )
    assert {"K15", "K17"} <= {duty.clock for duty in await duties_of(house, referral)}
    await on(house, referral, COUNCIL, "task-record", done(house, "tell-secretary-of-state"))
    (told,) = [duty for duty in await duties_of(house, referral) if duty.id == tell.id]
    assert told.state is DutyState.MET


async def test_x_01_a_near_miss_that_is_notified_after_all_is_owed_from_the_council_s_awareness(
    house: House,
) -> None:
    """X-01, X-29, K12: the council heard of it with the referral; a delay of the decision gives it no more time."""
    referral = await refer(house, HOSPITALS, body=nearly(house))
    heard_at = house.clock()
    house.clock.move_by(days=1)
    await decide_all(house, referral)
    record = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (record.clock, record.start_at) == ("K12", heard_at)
    assert record.due_at == datetime(2026, 11, 10, tzinfo=UTC)


async def test_the_decision_to_notify_lays_no_second_duty_where_one_is_owed(house: House) -> None:
    referral = await refer(house)
    await decide_all(house, referral)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).clock == "K12"


async def test_s4_13_only_the_meeting_held_meets_its_clock_and_by_the_time_at_which_it_was_held(
    house: House,
) -> None:
    """S4-13, K15, C-16, X-04: notice, papers and another meeting's record meet nothing; a late record of a timely meeting does."""
    referral = await notified(house)
    due = await duty_of(house, referral, "sbu", "meeting-notice")
    assert due.due_at == datetime(2026, 11, 12, 17, tzinfo=UTC)
    await held(house, referral, "notice", meeting_at="2026-11-12T13:00:00Z")
    await held(house, referral, "papers", meeting_at="2026-11-12T13:00:00Z")
    await held(house, referral, meeting="exceptional", held_at="2026-11-02T13:00:00Z")
    assert (await duty_of(house, referral, "sbu", "meeting-notice")).state is DutyState.OPEN
    house.clock.move_to(datetime(2026, 11, 13, 9, tzinfo=UTC))
    await held(house, referral, held_at="2026-11-12T13:05:00Z")
    met = await duty_of(house, referral, "sbu", "meeting-notice")
    assert (met.state, met.met_at, met.event_at) == (
        DutyState.MET,
        house.clock(),
        datetime(2026, 11, 12, 13, 5, tzinfo=UTC),
    )


async def test_s4_16_each_agency_asked_owes_its_review_by_the_day_that_the_panel_sets(house: House) -> None:
    """S4-16, K19; G-10: a request for more time answers nothing."""
    referral = await notified(house)
    asked = {"agencies": [POLICE, HOSPITALS], "imr_due_at": "2026-12-18T17:00:00Z"}
    request = await on(house, referral, UNIT, "imr-request", asked)
    assert {(row.agency, row.role) for row in await deliveries_of(house, request["id"])} == {
        (POLICE, "agency-responder"),
        (HOSPITALS, "agency-responder"),
    }
    for agency in (POLICE, HOSPITALS):
        owed = await duty_of(house, referral, "agency-responder", "imr", agency)
        assert (owed.clock, owed.due_at) == ("K19", datetime(2026, 12, 18, 17, tzinfo=UTC))
    more_time = {
        "chronology": [],
        "lessons": [],
        "recommendations": [],
        "kind": "extension-request",
        "analysis": None,
        "signed_off_by": None,
        "signed_off_at": None,
        "extension_reason": "The records of one ward are elsewhere.",
        "extension_until_on": "2027-01-08",
    }
    await on(house, referral, HOSPITALS, "imr", more_time, in_reply_to=request["id"])
    assert (await duty_of(house, referral, "agency-responder", "imr", HOSPITALS)).state is DutyState.OPEN
    house.clock.move_to(datetime(2026, 12, 18, 17, tzinfo=UTC))
    await on(house, referral, HOSPITALS, "imr", in_reply_to=request["id"])
    house.clock.move_by(seconds=1)
    await on(house, referral, POLICE, "imr", in_reply_to=request["id"])
    states = {
        agency: (await duty_of(house, referral, "agency-responder", "imr", agency)).state
        for agency in (POLICE, HOSPITALS)
    }
    assert states == {HOSPITALS: DutyState.MET, POLICE: DutyState.MET_LATE}


async def test_s4_24_what_a_review_asks_of_each_agency_is_a_duty_of_its_own_with_its_own_day(
    house: House,
) -> None:
    """S4-24: two actions of one agency and one of another's named seat; one without a day only ages; each is met by its record."""
    referral = await notified(house)
    actions = [
        {"agency": HOSPITALS, "role": None, "action": "Audit attendances.", "due_on": "2027-01-29"},
        {"agency": HOSPITALS, "role": None, "action": "Brief the wards.", "due_on": "2026-12-04"},
        {"agency": SCHOOL, "role": "dsl", "action": "Record each call.", "due_on": None},
    ]
    report = await reported(house, referral, actions)
    assert {(duty.agency, duty.role, duty.due_at) for duty in await actions_of(house, referral)} == {
        (HOSPITALS, "agency-responder", datetime(2027, 1, 30, tzinfo=UTC)),
        (HOSPITALS, "agency-responder", datetime(2026, 12, 5, tzinfo=UTC)),
        (SCHOOL, "dsl", None),
    }
    seats = {(row.agency, row.role) for row in await deliveries_of(house, report["id"])}
    assert {(HOSPITALS, "agency-responder"), (SCHOOL, "dsl")} <= seats
    assert not [agency for agency, _ in seats if agency == UNIT]
    await on(
        house, referral, HOSPITALS, "task-record", done(house, "agency-action"), in_reply_to=report["id"]
    )
    met = {duty.due_at for duty in await actions_of(house, referral) if duty.state is DutyState.MET}
    assert met == {datetime(2026, 12, 5, tzinfo=UTC)}, "the earliest first"
    await on(
        house, referral, HOSPITALS, "task-record", done(house, "agency-action"), in_reply_to=report["id"]
    )
    late = [duty for duty in await actions_of(house, referral) if duty.state is DutyState.OPEN]
    assert [duty.agency for duty in late] == [SCHOOL]


async def test_s4_24_a_later_meeting_asks_the_same_agency_for_something_else(house: House) -> None:
    referral = await notified(house)
    one = {"agency": ICB, "role": None, "action": "Name a reviewer.", "due_on": "2026-12-11"}
    await reported(house, referral, [one])
    await held(house, referral, actions=[one | {"action": "Name a deputy.", "due_on": "2026-12-18"}])
    assert sorted(str(duty.due_on) for duty in await actions_of(house, referral)) == [
        "2026-12-11",
        "2026-12-18",
    ]


@pytest.mark.parametrize(("day", "early"), [(11, True), (12, False)])
async def test_c_11_a_meeting_before_its_exact_day_breaches_nothing_and_wants_a_reason(
    house: House, day: int, early: bool
) -> None:
    """C-11, K15: "reason missing" until an officer says why; on the eighth working day itself nothing is asked."""
    referral = await notified(house)
    held_at = datetime(2026, 11, day, 14, tzinfo=UTC)
    house.clock.move_to(held_at + timedelta(hours=1))
    await held(house, referral, held_at=held_at.isoformat())
    meeting = await duty_of(house, referral, "sbu", "meeting-notice")
    assert (meeting.state, meeting.event_at, meeting.is_early) == (DutyState.MET, held_at, early)
    assert duty_document(meeting)["reason_missing"] is early
    (entry,) = [
        one for one in await entries_named(house, "DutyMet") if coarse_reason(one) == "met-early"
    ] or [None]
    assert (entry is not None) is early
    asked = Explanation(meeting.id, "Winifred Stave", "All could come a day before.")
    if not early:
        with pytest.raises(Refused):
            await house.parts.perform(explain, asked, meeting.partnership, meeting.incident)
        return
    await house.parts.perform(explain, asked, meeting.partnership, meeting.incident)
    document = duty_document(await duty_of(house, referral, "sbu", "meeting-notice"))
    assert (document["early"], document["reason_missing"]) == (True, False)


async def test_s4_24_an_action_of_an_agency_that_nobody_knows_waits_for_an_officer(house: House) -> None:
    referral = await notified(house)
    unknown = {"agency": "nowhere-trust", "role": None, "action": "Audit.", "due_on": "2026-12-11"}
    await reported(house, referral, [unknown])
    assert await actions_of(house, referral) == []
    assert ["unknown-agency"] in [list(hold.reasons) for hold in await waiting(house)]


async def test_s4_14_report_and_decision_are_with_the_panel_within_the_same_fifteen_days(
    house: House,
) -> None:
    """S4-14, K17, P-08: the decision counts by the instant at which it was sent to the Panel; one that was not sent answers nothing."""
    referral = await notified(house)
    assert (await duty_of(house, referral, "sbu", "rapid-review-report")).due_at == PANEL_LIMIT
    await reported(house, referral)
    assert (await duty_of(house, referral, "sbu", "rapid-review-report")).state is DutyState.MET
    owed = await duty_of(house, referral, "dsp-la", "final-decision")
    assert (owed.clock, owed.due_at) == ("K17", PANEL_LIMIT)
    house.clock.move_to(datetime(2026, 11, 23, 15, tzinfo=UTC))
    unsent = {"sent_to_panel": False, "sent_to_panel_at": None, "panel_evidence": None}
    await decided(house, referral, "none", **unsent)
    assert (await duty_of(house, referral, "dsp-la", "final-decision")).state is DutyState.OPEN
    house.clock.move_to(datetime(2026, 11, 24, 9, tzinfo=UTC))
    await decided(house, referral, "none", sent_to_panel_at="2026-11-23T23:30:00Z")
    met = await duty_of(house, referral, "dsp-la", "final-decision")
    assert (met.state, met.event_at) == (DutyState.MET, datetime(2026, 11, 23, 23, 30, tzinfo=UTC))


async def test_s4_15_a_practice_review_is_to_be_published_within_six_months_of_the_decision(
    house: House,
) -> None:
    """S4-15, K20, P-12: from the partners' decision, met by the day of publication."""
    referral = await notified(house)
    await reported(house, referral)
    house.clock.move_to(datetime(2026, 11, 23, 15, tzinfo=UTC))
    decision = await decided(house, referral, "initiate-cspr", sent_to_panel_at="2026-11-23T14:00:00Z")
    assert (await incident_of(house, referral)).label == "Local child safeguarding practice review"
    owed = [duty for duty in await duties_of(house, referral) if duty.expects == "task-record"]
    assert {(duty.clock, duty.task, duty.due_at) for duty in owed} == {
        ("K20", "publication", datetime(2027, 5, 23, 23, tzinfo=UTC)),
        ("F21", "family-contact", None),
    }
    house.clock.move_to(datetime(2027, 5, 21, 9, tzinfo=UTC))
    await on(house, referral, UNIT, "task-record", done(house, "publication"), in_reply_to=decision["id"])
    states = {duty.clock: duty.state for duty in await duties_of(house, referral)}
    assert (states["K20"], states["F21"]) == (DutyState.MET, DutyState.OPEN)


async def test_without_a_practice_review_nothing_is_to_be_published(house: House) -> None:
    referral = await notified(house)
    await decided(house, referral, "alternative-approach", approach="A learning event.")
    assert not [duty for duty in await duties_of(house, referral) if duty.clock == "K20"]


async def test_k17_ends_with_a_receipt_when_the_criteria_turn_out_not_to_be_met(house: House) -> None:
    """P-10, K15, K17: after a notification a review is required unless that is decided; the notification's own duty stays met."""
    referral = await notified(house)
    await decided(house, referral, "criteria-not-met-after-notification", COUNCIL)
    incident = await incident_of(house, referral)
    assert incident.label == "Criteria not met after notification"
    states = {duty.clock: duty.state for duty in await duties_of(house, referral)}
    assert (states["K15"], states["K17"]) == (DutyState.WAIVED, DutyState.WAIVED)
    assert states["K12"] is DutyState.MET
    assert (await events_of(house, incident.chain)).count("DutyEnded") == 2


async def test_the_criteria_may_fall_away_after_another_decision_too(house: House) -> None:
    """P-10."""
    referral = await notified(house)
    await decided(house, referral, "none")
    await decided(house, referral, "criteria-not-met-after-notification")
    assert [one["decision"] for one in (await incident_of(house, referral)).outcomes] == [
        "triage",
        "final",
        "criteria-not-met",
    ]


async def test_the_panel_s_view_is_written_down_and_goes_to_the_partners(house: House) -> None:
    """Borrowed: S2-17."""
    referral = await notified(house)
    answer = await on(house, referral, UNIT, "panel-response")
    agencies = {row.agency for row in await deliveries_of(house, answer["id"])}
    assert {COUNCIL, ICB, POLICE} <= agencies


async def test_p_09_the_home_council_is_asked_to_the_review_and_has_its_report(house: House) -> None:
    """P-09, G-07, X-13: a guest has what its part is: notification, meeting, report, decision."""
    await fellside_joins(house)
    referral = await notified(house)
    await invite(house, referral)
    sent = [
        await held(house, referral, "notice", meeting_at="2026-11-12T13:00:00Z"),
        await reported(house, referral),
        await decided(house, referral, "none"),
    ]
    for one in sent:
        assert FELLSIDE_COUNCIL in {row.agency for row in await deliveries_of(house, one["id"])}


async def test_s4_21_contact_with_the_family_or_why_not_yet_is_on_record(house: House) -> None:
    """S4-21: a record of its own at any time, besides the fields of referral and report."""
    referral = await notified(house)
    not_yet = done(house, "family-contact") | {
        "status": "not-yet",
        "done_at": None,
        "done_by": None,
        "note": "The police ask that the parents are not told before Thursday.",
    }
    record = await on(house, referral, COUNCIL, "task-record", not_yet)
    assert {(row.agency, row.role) for row in await deliveries_of(house, record["id"])} == {(UNIT, "sbu")}


async def test_a_report_that_waited_asks_the_same_of_everybody_when_it_is_released(house: House) -> None:
    """S4-24: an officer's word takes the path of an arrival, actions with their days included."""
    referral = await notified(house)
    one = {"agency": ICB, "role": None, "action": "Name a reviewer.", "due_on": "2026-12-11"}
    named = [{"person": "Rowan Example", "reason": "The concern is about this person."}]
    body = {"actions": [one]}
    answer = await on(house, referral, UNIT, "rapid-review-report", body, do_not_contact=named)
    assert answer["decision"] == "hold"
    (hold,) = [hold for hold in await waiting(house) if hold.subject == answer["id"]]
    await let_go(house, hold)
    assert [str(duty.due_on) for duty in await actions_of(house, referral)] == ["2026-12-11"]
    snapshot = await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)
    assert snapshot.pack.clocks["A24"].statutory is False


async def test_s4_23_every_agency_finds_whom_to_ask_for_advice(house: House) -> None:
    """S4-23: the business unit stands in the directory that every agency of the partnership may read."""
    async with house.client(HOSPITALS) as hospitals:
        told = await hospitals.directory(SOUTH_TYNESIDE)
    roles = {agency["id"]: agency["roles"] for agency in told["agencies"]}
    assert "sbu" in roles[UNIT]
