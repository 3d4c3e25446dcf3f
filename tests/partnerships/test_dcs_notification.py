"""Whole lives of a notification to the director, through the real door: the chain, the bypass, the two directors (S1-01 to S1-20)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.agency.client import AgencyProblem
from gateway.core.clocks import Unit
from gateway.core.messages import PartnershipId
from gateway.partnerships import packs
from tests.gateway_house import MovableClock, example
from tests.partnerships.council import Council, council

MONDAY = datetime(2026, 11, 23, 9, 10, tzinfo=UTC)
PACK = "dcs-notification"
PEOPLE = {
    "reporter": "Quentin Marsh",
    "service-manager": "Ottilie Grange",
    "head-of-service": "Beatrix Holloway",
    "dcs": "Rosalind Thorne",
    "assistant-director": "Ignatius Fell",
}
CHAIN = ["head-of-service", "service-manager"]
EVERYBODY = ["assistant-director", "dcs", "head-of-service", "service-manager"]
NOT_MISSING = {"categories": ["media-interest"], "missing_since": None, "inter_agency_failure": None}
BY_THE_CHAIN = {"path": "through-head-of-service", "bypass_reason": None}


@pytest.fixture
async def children_s(tmp_path: Path) -> AsyncIterator[Council]:
    async with council(tmp_path, PACK, PEOPLE, MovableClock(MONDAY)) as house:
        yield house


def notification(**body: Any) -> dict[str, Any]:
    return NOT_MISSING | BY_THE_CHAIN | body


async def test_s1_13_s1_14_the_notification_goes_to_the_service_manager_and_head_of_service_first(
    children_s: Council,
) -> None:
    """S1-01: the directors have it only when the head of service forwards it; the decisions are on the case system."""
    answer = await children_s.send(PACK, notification())
    assert await children_s.reached(answer) == CHAIN
    assert await children_s.owed(answer) == ["head-of-service: review-decision/hos-oversight, A00, None"]


async def test_s1_13_until_the_decisions_are_on_the_case_system_the_service_manager_owes_their_record(
    children_s: Council,
) -> None:
    answer = await children_s.send(PACK, notification(case_record=None))
    assert await children_s.states(answer, "case-record") == ["open"]
    await children_s.done(answer, "case-record", case_system="Case system", case_reference="CS-1")
    assert await children_s.states(answer, "case-record") == ["met"]


async def test_s1_12_a_team_that_has_not_answered_stops_nothing(children_s: Council) -> None:
    asked = {"team": "Early Help", "asked_at": "2026-11-22T09:00:00Z", "answered_at": None}
    waiting = [asked | {"nothing_known": False, "answer": None}]
    for consultations in (waiting, []):
        answer = await children_s.send(PACK, notification(consultations=consultations))
        assert (answer["decision"], await children_s.reached(answer)) == ("forward", CHAIN)


async def test_s1_16_the_head_of_service_forwards_it_with_the_oversight_to_both_directors(
    children_s: Council,
) -> None:
    """S1-16, S1-17: the notification itself goes on; actions go back to the service manager; both directors review."""
    answer = await children_s.send(PACK, notification())
    action = {
        "agency": "invented-council",
        "role": "service-manager",
        "action": "Ring.",
        "due_on": "2026-11-25",
    }
    await children_s.decide(
        answer, "hos-oversight", "forward", "head-of-service", {"further_actions": [action]}
    )
    assert await children_s.reached(answer) == EVERYBODY
    assert sorted(await children_s.owed(answer)) == [
        "assistant-director: review-decision/dcs-review, A00, None",
        "dcs: review-decision/dcs-review, A00, None",
        "service-manager: task-record/oversight-actions, A01, 2026-11-26T00:00:00Z",
    ]
    assert (await children_s.incident(answer)).label == "With the directors"


async def test_s1_16_the_oversight_is_never_without_words(children_s: Council) -> None:
    answer = await children_s.send(PACK, notification())
    silent = children_s.seat_decision("head-of-service", "forward") | {"reasons": ""}
    with pytest.raises(AgencyProblem) as refused:
        await children_s.decide(
            answer, "hos-oversight", "forward", "head-of-service", {"decisions": [silent]}
        )
    assert "/body/decisions/0/reasons" in [error["pointer"] for error in refused.value.errors]


async def test_s1_16_what_is_returned_comes_again_and_is_reviewed_anew(children_s: Council) -> None:
    answer = await children_s.send(PACK, notification())
    await children_s.decide(answer, "hos-oversight", "return-with-actions", "head-of-service")
    assert await children_s.reached(answer) == CHAIN
    assert await children_s.owed(answer) == ["service-manager: dcs-notification, A01, None"]
    children_s.clock.move_by(hours=1)
    again = await children_s.reply(answer, PACK, notification())
    assert await children_s.states(answer, PACK) == ["met"]
    await children_s.decide(again, "hos-oversight", "forward", "head-of-service")
    assert await children_s.reached(again) == EVERYBODY
    assert await children_s.outcomes(answer) == [
        ("oversight", "return-with-actions"),
        ("oversight", "forward"),
    ]


async def test_s1_16_only_the_head_of_service_reviews(children_s: Council) -> None:
    answer = await children_s.send(PACK, notification())
    told = await children_s.decide(answer, "hos-oversight", "forward", "head-of-service", author="reporter")
    assert (told["decision"], await children_s.held()) == ("hold", ["author-not-in-seat"])
    assert await children_s.reached(answer) == CHAIN


async def test_s1_15_time_critical_goes_to_the_directors_at_once_and_the_head_of_service_s_review_follows(
    children_s: Council,
) -> None:
    """S1-15: with a copy and a task; the review afterwards sends nothing twice and asks the directors for nothing again."""
    answer = await children_s.send(PACK, NOT_MISSING)
    assert await children_s.reached(answer) == EVERYBODY
    both = ["assistant-director: review-decision/dcs-review, A00, None"]
    both += ["dcs: review-decision/dcs-review, A00, None"]
    review = "head-of-service: review-decision/hos-oversight, A00, None"
    assert sorted(await children_s.owed(answer)) == [*both, review]
    await children_s.decide(answer, "dcs-review", "noted", "dcs")
    await children_s.decide(answer, "hos-oversight", "forward", "head-of-service")
    assert await children_s.owed(answer) == both[:1]
    assert await children_s.reached(answer) == EVERYBODY


def test_s1_11_the_form_holds_at_least_what_the_guidance_asks_and_names_its_version() -> None:
    wanted = {"situations", "categories", "children", "incident", "staff_welfare", "consultations"}
    message = example(PACK)
    assert wanted <= message["body"].keys()
    assert message["version"] == 1


async def test_s1_15_the_bypass_needs_a_reason(children_s: Council) -> None:
    with pytest.raises(AgencyProblem) as refused:
        await children_s.send(PACK, NOT_MISSING | {"bypass_reason": None})
    assert [error["pointer"] for error in refused.value.errors] == ["/body/bypass_reason"]


async def test_s1_17_both_directors_review_and_of_two_answers_the_director_s_stands(
    children_s: Council,
) -> None:
    """S1-17, X-14: further actions go back to head of service and service manager, with their day."""
    answer = await children_s.send(PACK, NOT_MISSING)
    action = {
        "agency": "invented-council",
        "role": "service-manager",
        "action": "Ring.",
        "due_on": "2026-11-25",
    }
    told = await children_s.decide(
        answer, "dcs-review", "further-actions", "dcs", {"further_actions": [action]}
    )
    assert await children_s.outcomes(answer) == []
    await children_s.decide(answer, "dcs-review", "noted", "assistant-director")
    assert await children_s.outcomes(answer) == [("directors", "further-actions")]
    assert await children_s.reached(told) == CHAIN
    assert "service-manager: task-record/directors-actions, A01, 2026-11-26T00:00:00Z" in (
        await children_s.owed(answer)
    )


async def test_s1_18_s1_19_onward_notification_and_file_audit_become_tasks(children_s: Council) -> None:
    """S1-18, S1-19: whichever director asks for them, and in one record of both as well."""
    answer = await children_s.send(PACK, NOT_MISSING)
    decisions = [children_s.seat_decision(seat, "noted") for seat in ("dcs", "assistant-director")]
    onward = [{"recipient": "Lead member for children", "reason": None, "notified_at": None}]
    body = {"decisions": decisions, "onward_notifications": onward}
    body |= {"file_audit": True, "file_audit_note": "Moves of this year."}
    told = await children_s.decide(answer, "dcs-review", "noted", "dcs", body)
    assert await children_s.outcomes(answer) == [("directors", "noted")]
    for task in ("onward-notification", "file-audit"):
        assert await children_s.states(answer, task) == ["open"]
        await children_s.done(told, task)
        assert await children_s.states(answer, task) == ["met"]


async def test_s1_05_a_child_missing_for_72_hours_is_notified_by_then(children_s: Council) -> None:
    """K07 from a telephone log, before any form: a reminder at 72:00, bank holidays and weekends counted."""
    children_s.clock.move_to(datetime(2026, 12, 25, 12, 0, tzinfo=UTC))
    call = await children_s.send("call-log", {"missing_since": "2026-12-25T09:00:00Z", "called_agency": None})
    (duty,) = await children_s.duties(call)
    assert await children_s.owed(call) == ["service-manager: dcs-notification, K07, 2026-12-28T09:00:00Z"]
    children_s.clock.move_to(datetime(2026, 12, 28, 9, 0, 30, tzinfo=UTC))
    assert await children_s.chase(duty) == CHAIN
    missing = {"categories": ["child-missing"], "missing_since": "2026-12-25T09:00:00Z"}
    answer = await children_s.reply(call, PACK, notification(**missing))
    assert await children_s.states(answer, PACK) == ["met-late"]


@pytest.mark.parametrize(("second", "state"), [(0, "met"), (1, "met-late")])
async def test_s1_05_the_notification_itself_shows_whether_it_kept_the_72_hours(
    children_s: Council, second: int, state: str
) -> None:
    since = {"categories": ["child-missing"], "missing_since": "2026-11-20T09:30:00Z"}
    children_s.clock.move_to(datetime(2026, 11, 23, 9, 30, second, tzinfo=UTC))
    answer = await children_s.send(PACK, notification(**since))
    assert await children_s.states(answer, PACK) == [state]


async def test_a_ground_of_the_law_is_the_director_s_to_notify_whatever_the_review_says(
    children_s: Council,
) -> None:
    """P-05, K12: five working days from the council's awareness on Friday."""
    incident = example(PACK)["body"]["incident"] | {"nature": "serious-harm", "ongoing": False}
    answer = await children_s.send(PACK, notification(incident=incident))
    assert "dcs: sin-record, K12, 2026-11-28T00:00:00Z" in await children_s.owed(answer)
    children_s.clock.move_to(datetime(2026, 11, 28, 9, 0, tzinfo=UTC))
    await children_s.reply(answer, "sin-record", {"submitted_at": "2026-11-27T23:30:00Z"})
    assert await children_s.states(answer, "sin-record") == ["met"]  # by when it was sent (C-16)


async def test_x_01_a_ground_that_a_missing_fact_leaves_open_is_the_director_s_to_decide(
    children_s: Council,
) -> None:
    """X-01, P-05: found to be met, it is owed from the council's awareness on Friday and not from the decision."""
    incident = example(PACK)["body"]["incident"]
    unsure = incident | {"nature": "serious-harm", "ongoing": False, "abuse_or_neglect": "unknown"}
    answer = await children_s.send(PACK, notification(incident=unsure))
    assert await children_s.states(answer, "sin-record") == []
    assert await children_s.states(answer, "sin-criteria") == ["open"]
    await children_s.decide(answer, "sin-criteria", "met", "dcs")
    assert await children_s.states(answer, "sin-criteria") == ["met"]
    assert "dcs: sin-record, K12, 2026-11-28T00:00:00Z" in await children_s.owed(answer)


async def test_s1_13_naming_the_case_system_is_no_record_in_it(children_s: Council) -> None:
    """S1-13: recorded means at a time; a reference that was only opened leaves the service manager to record the decisions."""
    named = example(PACK)["body"]["case_record"] | {"recorded_at": None, "recorded_by": None}
    answer = await children_s.send(PACK, notification(case_record=named))
    assert await children_s.states(answer, "case-record") == ["open"]


async def test_the_director_s_decision_that_the_criteria_are_not_met_ends_the_duty_to_notify(
    children_s: Council,
) -> None:
    """P-05: and nobody else's does."""
    incident = example(PACK)["body"]["incident"] | {"nature": "serious-harm", "ongoing": False}
    answer = await children_s.send(PACK, notification(incident=incident))
    held = await children_s.decide(answer, "sin-criteria", "not-met", "dcs", author="assistant-director")
    assert (held["decision"], await children_s.states(answer, "sin-record")) == ("hold", ["open"])
    await children_s.decide(answer, "sin-criteria", "not-met", "dcs")
    assert await children_s.states(answer, "sin-record") == ["waived"]


def test_s1_20_no_limit_is_invented() -> None:
    """Of this pack's clocks only K07 and the law's four count towards a limit; the others age, or are set by a person."""
    clocks = packs.shipped(PACK).clocks.values()
    limited = {clock.id for clock in clocks if clock.unit not in (Unit.NONE, Unit.AS_SET)}
    assert limited == {"K07", "K12", "K17", "K20", "K21"}


def test_s1_20_x_17_a_profile_without_the_72_hours_or_with_other_hours_works() -> None:
    files = packs.read_files(packs.HERE / PACK)
    rules = files["rules.toml"]
    without = rules.replace('id = "K07"\namount = 72\nunit = "hours"', 'id = "K07"\nunit = "none"')
    without = without.replace(
        'start = "missing_since"\nday_end = "hours"', 'start = "missing_since"\nday_end = "cob"'
    )
    shorter = rules.replace(
        'amount = 72\nunit = "hours"\nstart = "missing_since"',
        'amount = 24\nunit = "hours"\nstart = "missing_since"',
    )
    for changed, amount in ((without, None), (shorter, 24)):
        assert changed != rules
        pack = packs.parse(PartnershipId(PACK), files | {"rules.toml": changed})
        assert pack.clocks["K07"].amount == amount
