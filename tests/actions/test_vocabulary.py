"""The words of rule packs that concern more than one message: tasks, reviews, deputies, events that count, guards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agency.client import AgencyProblem
from gateway.core.duties import DutyState
from gateway.core.routing import Holder
from gateway.dispatch.timetable import chase_due
from tests.actions.arrangements import arrange, arrange_council, notify, record_task, review
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    POLICE,
    UNIT,
    deliveries_of,
    duties_of,
    duty_of,
    empty_seat,
    entries_named,
    hold_seat,
    incident_of,
    let_go,
    reasons,
    refer,
    send,
    waiting,
)
from tests.gateway_house import House

DAY_FIVE_ENDS = datetime(2026, 11, 10, 0, 0, tzinfo=UTC)  # K12 of a referral on Monday 2 November


async def states(house: House, answer: Any) -> dict[str, DutyState]:
    return {duty.task or duty.expects: duty.state for duty in await duties_of(house, answer)}


async def roles_told(house: House, message: str) -> list[str]:
    return sorted(row.role for row in await deliveries_of(house, message))


async def test_a_notification_sent_late_on_the_last_day_and_recorded_next_morning_is_on_time(
    house: House,
) -> None:
    """C-16, S4-03, edge case 12: what counts is when it was sent; both instants stay on record."""
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert duty.due_at == DAY_FIVE_ENDS
    house.clock.move_to(DAY_FIVE_ENDS + timedelta(hours=8))
    await chase_due(house.parts, frozenset())
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MISSED
    sent_at = DAY_FIVE_ENDS - timedelta(minutes=30)
    await record_notification(house, referral, sent_at)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (duty.state, duty.event_at) == (DutyState.MET, sent_at)
    assert duty.met_at is not None
    assert duty.met_at >= DAY_FIVE_ENDS + timedelta(hours=8)


async def record_notification(house: House, referral: Any, sent_at: datetime) -> Any:
    own = house.example("sin-record")["body"]
    told = [entry | {"told_at": sent_at.isoformat()} for entry in own["recipients"]]
    body = {"submitted_at": sent_at.isoformat(), "recipients": told}
    return await send(house, COUNCIL, "sin-record", body, incident=referral["incident"])


async def test_a_notification_sent_after_the_last_day_is_late_however_it_is_recorded(house: House) -> None:
    """C-16."""
    referral = await refer(house)
    house.clock.move_to(DAY_FIVE_ENDS + timedelta(hours=8))
    await record_notification(house, referral, DAY_FIVE_ENDS)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MET_LATE


async def test_an_event_cannot_lie_after_its_telling(house: House) -> None:
    referral = await refer(house)
    now = house.clock()
    await record_notification(house, referral, now + timedelta(minutes=4))
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert duty.event_at == duty.met_at


async def test_the_notice_of_the_meeting_holds_no_meeting_and_its_record_counts_from_when_it_was_held(
    house: House,
) -> None:
    """S4-13, C-16, K15."""
    referral = await refer(house)
    await record_notification(house, referral, house.clock())
    about = {"incident": referral["incident"]}
    for stage in ("notice", "papers"):
        await send(house, UNIT, "meeting-notice", meeting_of(house, stage), **about)
        assert (await duty_of(house, referral, "sbu", "meeting-notice")).state is DutyState.OPEN
    due_at = (await duty_of(house, referral, "sbu", "meeting-notice")).due_at
    assert due_at is not None
    house.clock.move_to(due_at + timedelta(hours=15))
    held = meeting_of(house, "held") | {"held_at": (due_at - timedelta(hours=3)).isoformat()}
    other = held | {"meeting": "strategy"}
    await send(house, UNIT, "meeting-notice", other, **about)
    assert (await duty_of(house, referral, "sbu", "meeting-notice")).state is DutyState.OPEN
    await send(house, UNIT, "meeting-notice", held, **about)
    duty = await duty_of(house, referral, "sbu", "meeting-notice")
    assert (duty.state, duty.event_at) == (DutyState.MET, due_at - timedelta(hours=3))


def meeting_of(house: House, stage: str) -> dict[str, Any]:
    now = house.clock().isoformat()
    agencies = [POLICE, HOSPITALS]
    body = {"stage": stage, "meeting_at": now, "agencies": agencies, "actions": [], "apologies": []}
    if stage == "held":
        return body
    return body | {"held_at": None, "attendance": [], "minutes": None}


async def test_recipients_and_duties_are_narrowed_by_what_the_message_says(house: House) -> None:
    """S1-14, S1-15: through the head of service, or straight to the director."""
    await arrange_council(house)
    through = await notify(house)
    assert await roles_told(house, through["id"]) == ["head-of-service", "strategic-director"]
    direct = await notify(house, body={})
    assert await roles_told(house, direct["id"]) == ["dcs", "head-of-service"]


async def test_what_has_been_received_already_is_not_asked_for_again(house: House) -> None:
    """S0-10: the call came first."""
    await arrange_council(house)
    first = await notify(house)
    assert "call-log" in await states(house, first)
    call = await send(house, COUNCIL, "call-log", {"called_agency": None}, incident=first["incident"])
    assert call["decision"] == "forward"
    second = await notify(house, incident=first["incident"])
    assert "call-log" not in {duty["expects"] for duty in second["duties"]}


async def test_a_task_is_met_by_its_own_record_and_by_none_that_says_not_yet(house: House) -> None:
    """S1-13, S3-17."""
    await arrange_council(house)
    notified = await notify(house)
    await record_task(house, notified, "case-note", status="not-yet", done_at=None, done_by=None)
    assert (await states(house, notified))["case-note"] is DutyState.OPEN
    await record_task(house, notified, "staff-welfare")
    found = await states(house, notified)
    assert (found["case-note"], found["staff-welfare"]) == (DutyState.OPEN, DutyState.MET)
    await record_task(house, notified, "case-note", status="not-applicable", note="No record is kept here.")
    assert (await states(house, notified))["case-note"] is DutyState.MET


async def test_each_notification_is_reviewed_and_what_was_reviewed_goes_on(house: House) -> None:
    """S1-16: the head of service reviews, then it goes to the director and the assistant director."""
    await arrange_council(house)
    first = await notify(house)
    second = await notify(house, incident=first["incident"])
    await review(house, second, "hos-oversight", "head-of-service", "forward")
    assert await roles_told(house, second["id"]) == [
        "assistant-director",
        "dcs",
        "head-of-service",
        "strategic-director",
    ]
    assert await roles_told(house, first["id"]) == ["head-of-service", "strategic-director"]
    open_reviews = [d for d in await duties_of(house, first) if d.task == "hos-oversight"]
    assert {d.message: d.state for d in open_reviews} == {
        first["id"]: DutyState.OPEN,
        second["id"]: DutyState.MET,
    }
    await review(house, first, "hos-oversight", "head-of-service", "forward")
    await review(house, first, "hos-oversight", "head-of-service", "return-with-actions")
    incident = await incident_of(house, first)
    reached = [(one["decision"], one["outcome"], one["about"]) for one in incident.outcomes]
    assert reached == [("oversight", "forward", second["id"]), ("oversight", "forward", first["id"])]
    assert len([d for d in await duties_of(house, first) if d.task == "dcs-review"]) == 2


async def test_an_incident_keeps_every_decision_and_the_latest_label(house: House) -> None:
    """X-14: several decisions of one pack, one of them with a quorum."""
    await arrange_council(house)
    notified = await notify(house)
    forwarded = await review(house, notified, "hos-oversight", "head-of-service", "forward")
    assert (await incident_of(house, notified)).label == "With the director"
    await review(house, forwarded, "dcs-review", "assistant-director", "noted")
    incident = await incident_of(house, notified)
    assert [one["decision"] for one in incident.outcomes] == ["oversight", "director"]
    assert incident.outcome == {"decision": "director", "outcome": "noted", "dissent": False}
    assert incident.label == "Noted"
    assert len(await entries_named(house, "DecisionReached")) == 2


async def test_an_outcome_ends_what_it_makes_needless_with_a_receipt(house: House) -> None:
    await arrange_council(house)
    notified = await notify(house)
    await review(house, notified, "dcs-review", "dcs", "noted")
    found = await states(house, notified)
    assert (found["call-log"], found["case-note"]) == (DutyState.WAIVED, DutyState.OPEN)
    assert len(await entries_named(house, "DutyEnded")) == 1


async def test_while_nobody_present_holds_a_seat_the_deputy_receives_owes_and_decides(house: House) -> None:
    """S3-07, X-11, G-04."""
    await arrange_council(house)
    deputy = (Holder("Sabrina Kell", None, None, 0),)
    await hold_seat(house, COUNCIL, "principal-social-worker", deputy)
    present = await notify(house)
    with pytest.raises(AgencyProblem) as refused:
        await review(house, present, "hos-oversight", "principal-social-worker", "forward")
    assert refused.value.code == "not-permitted"
    away = Holder("Perpetua Vane", None, None, 0, absent_from=house.clock() - timedelta(days=1))
    await hold_seat(house, COUNCIL, "head-of-service", (away,))
    absent = await notify(house)
    assert await roles_told(house, absent["id"]) == ["principal-social-worker", "strategic-director"]
    duty = await duty_of(house, absent, "principal-social-worker", "review-decision")
    await review(house, absent, "hos-oversight", "principal-social-worker", "forward")
    assert [one["outcome"] for one in (await incident_of(house, absent)).outcomes] == ["forward"]
    found = {one.id: one.state for one in await duties_of(house, absent)}
    assert found[duty.id] is DutyState.MET


async def test_a_deputy_decides_for_the_empty_seat_by_its_name_too(house: House) -> None:
    """S3-07."""
    await arrange_council(house)
    await empty_seat(house, COUNCIL, "head-of-service")
    await hold_seat(house, COUNCIL, "service-manager", (Holder("Ned Ogden", None, None, 0),))
    notified = await notify(house)
    await review(house, notified, "hos-oversight", "head-of-service", "forward")
    assert [one["outcome"] for one in (await incident_of(house, notified)).outcomes] == ["forward"]


GUARDED = ('id = "information-request"\n', 'id = "information-request"\nguard_fan_out = true\n')


async def ask(house: House, referral: Any, **envelope: Any) -> Any:
    body = {"agencies": [POLICE, HOSPITALS]}
    return await send(house, UNIT, "information-request", body, incident=referral["incident"], **envelope)


async def test_the_first_request_to_the_agencies_waits_for_a_person_and_the_next_goes_out(
    house: House,
) -> None:
    """G-06: a misdirected first request would tell every agency."""
    await arrange(house, "", GUARDED)
    referral = await refer(house)
    first = await ask(house, referral)
    assert (first["decision"], await reasons(house)) == ("hold", ["first-fan-out"])
    assert await deliveries_of(house, first["id"]) == []
    (hold,) = await waiting(house)
    await let_go(house, hold)
    assert len(await deliveries_of(house, first["id"])) == 2
    assert len([d for d in await duties_of(house, referral) if d.expects == "information-return"]) == 2
    second = await ask(house, referral)
    assert second["decision"] == "forward"
    assert (await ask(house, await refer(house)))["decision"] == "hold"


async def test_what_nobody_was_asked_when_it_was_held_is_asked_at_its_release(house: House) -> None:
    """A release takes the path of an arrival: it slips no guard by."""
    referral = await refer(house)
    held = await ask(house, referral, do_not_contact=[{"person": "Winifred Stave", "reason": "About her."}])
    await arrange(house, "", GUARDED)
    (hold,) = await waiting(house)
    await let_go(house, hold)
    assert (await reasons(house), await deliveries_of(house, held["id"])) == (["first-fan-out"], [])
    (hold,) = await waiting(house)
    await let_go(house, hold)
    assert len(await deliveries_of(house, held["id"])) == 2


async def test_a_duty_is_due_when_the_message_that_lays_it_says(house: House) -> None:
    """S4-16, K19."""
    referral = await refer(house)
    due_at = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    body = {"agencies": [POLICE], "imr_due_at": due_at.isoformat()}
    await send(house, UNIT, "imr-request", body, incident=referral["incident"])
    duty = await duty_of(house, referral, "agency-responder", "imr")
    assert (duty.due_at, duty.due_on) == (due_at, due_at.date())
    assert duty.next_chase_at is not None
    assert duty.next_chase_at < due_at
