"""Southampton: the Quality Assurance Unit decides and submits, and what hangs off a notification, through the real doors.

The example's incident is on Sunday 1 November 2026, known at 21:15; the children are of a school and of none.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.agency.client import AgencyProblem
from gateway.core.messages import AgencyId, AgencyKind, PartnershipId
from gateway.core.routing import Agency
from gateway.partnerships import packs
from tests.partnerships.stage import Stage, holder, on_stage

COUNCIL, UNIT, POLICE, ICB = "solent-council", "solent-partnership", "solent-police", "solent-icb"
PRIMARY, SECONDARY = "quayside-primary", "saltmarsh-secondary"
MANAGER, HEAD, WORKER = "Desmond Quill", "Philomena Drake", "Idris Fallowfield"
AGENCIES = (
    Agency(AgencyId(COUNCIL), AgencyKind.LOCAL_AUTHORITY, "Invented council", "E06000045"),
    Agency(AgencyId(UNIT), AgencyKind.BUSINESS_UNIT, "Invented partnership team", None),
    Agency(AgencyId(POLICE), AgencyKind.POLICE, "Invented police", None),
    Agency(AgencyId(ICB), AgencyKind.ICB, "Invented integrated care board", None),
    Agency(AgencyId(PRIMARY), AgencyKind.SCHOOL, "Invented primary school", "999901"),
    Agency(AgencyId(SECONDARY), AgencyKind.SCHOOL, "Invented secondary school", "999902"),
)
PEOPLE = (
    holder(COUNCIL, "reporter", WORKER),
    holder(COUNCIL, "line-manager", "Corisande Pell"),
    holder(COUNCIL, "service-manager", "Tamsin Rook"),
    holder(COUNCIL, "head-of-service-sqa", MANAGER),
    holder(COUNCIL, "head-of-service-sqa", HEAD, 1),
    holder(COUNCIL, "school-improvement", "Leonie Wraxall"),
    holder(COUNCIL, "child-protection-advisor", "Benedict Fairley"),
    holder(COUNCIL, "dsp-la", "Philippa Marlowe"),
    holder(UNIT, "sbu", "Winifred Stave"),
    holder(UNIT, "rapid-review-group", "Winifred Stave"),
    holder(UNIT, "reporter", "Winifred Stave"),
    holder(POLICE, "dsp-police", "Alasdair Holt"),
    holder(POLICE, "reporter", "Morag Ashdown"),
    holder(ICB, "dsp-icb", "Henrietta Sorley"),
    holder(PRIMARY, "dsl", "Bethany Oakes"),
    holder(SECONDARY, "dsl", "Bertrand Silverleaf"),
)
MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
WEDNESDAY = datetime(2026, 11, 4, 16, 30, tzinfo=UTC)
PLACE = "E06000045"
EVERYBODY = ("panel", "ofsted", "safeguarding-partners")
AT_THE_START = {
    "service-manager: task-record case-holding-team, A02",
    "school-improvement: task-record dsl-letters, A02",
    "child-protection-advisor: task-record contacts-agreed, A02",
    "service-manager: task-record staff-support, A02",
    "head-of-service-sqa: task-record social-care-records, A02",
    "head-of-service-sqa: task-record education-records, A02",
}
SIN = "head-of-service-sqa: sin-record"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path, "southampton", AGENCIES, PEOPLE, MONDAY) as running:
        yield running


async def refer(stage: Stage, agency: str = COUNCIL, **body: Any) -> Any:
    """A referral about a place of the partnership's own; `incident` may change what happened."""
    incident = stage.house.example("referral")["body"]["incident"] | body.pop("incident", {})
    incident["place"] = {**incident["place"], "local_authority": PLACE}
    told = body.pop("children", stage.house.example("referral")["body"]["children"])
    at_home = [{**child, "home_local_authority": PLACE} for child in told]
    return await stage.send(agency, "referral", {"incident": incident, "children": at_home, **body})


async def decide(stage: Stage, about: Any, outcome: str = "met", author: str = MANAGER) -> Any:
    """The nominated officer's decision, made now."""
    own = {
        "seat": "head-of-service-sqa",
        "decided_by": {"name": author, "post": "Invented post"},
        "outcome": outcome,
        "reasons": "Likely long-term impairment; that recovery is possible does not exclude it.",
        "decided_at": stage.house.clock().isoformat(),
    }
    body = {"review": "sin-criteria", "decisions": [own], "further_actions": [], "onward_notifications": []}
    return await stage.answer(COUNCIL, "review-decision", about, body, author=author)


async def notify(
    stage: Stage, about: Any, told: tuple[str, ...] = EVERYBODY, author: str = MANAGER, **body: Any
) -> Any:
    at = stage.house.clock().isoformat()
    recipients = [
        {"recipient": one, "told_at": at, "means": "as each wishes", "evidence": "kept"} for one in told
    ]
    said = {"submitted_at": at, "local_authority": PLACE, "recipients": recipients, **body}
    return await stage.answer(COUNCIL, "sin-record", about, said, author=author)


async def task(stage: Stage, about: Any, name: str, **body: Any) -> Any:
    at = stage.house.clock().isoformat()
    return await stage.answer(COUNCIL, "task-record", about, {"task": name, "done_at": at, **body})


async def test_a_practitioner_reaches_the_nominated_officers_directly(stage: Stage) -> None:
    """S2-08: line manager and service manager hear at the same time; nothing waits for them."""
    told = await refer(stage)
    assert await stage.told(told) == sorted(
        f"{role}@{COUNCIL}" for role in ("head-of-service-sqa", "line-manager", "service-manager")
    )
    assert await stage.laid(told, "K12") == {SIN: "2026-11-07T00:00:00Z"}


async def test_what_the_partnership_s_own_work_brings_to_light_runs_from_awareness(stage: Stage) -> None:
    """S2-04, K12: years after the incident, from the arrival at the council."""
    told = await refer(stage, UNIT, incident={"incident_at": "2023-05-04T12:00:00Z"})
    assert await stage.laid(told, "K12") == {SIN: "2026-11-10T00:00:00Z"}


async def test_a_start_makes_the_tasks_of_each_team_and_sends_them_the_referral(stage: Stage) -> None:
    """S2-09, S2-10, S2-19: case-holding team, school improvement, child protection advisor; support; records up to date."""
    told = await refer(stage, POLICE)
    await decide(stage, told)
    assert await stage.owed(told) >= AT_THE_START
    assert {f"school-improvement@{COUNCIL}", f"child-protection-advisor@{COUNCIL}"} <= set(
        await stage.told(told)
    )
    assert (await stage.incident(told)).label == "Serious incident notification"


async def test_staff_support_is_confirmed_with_the_list_of_who_was_told(stage: Stage) -> None:
    """S2-10, S2-11: managers of staff with current or previous involvement; one record for each who owes it."""
    told = await refer(stage)
    await decide(stage, told)
    names = ["Assessment team", "Former fostering team", "Practice Development Team"]
    for name in ("contacts-agreed", "staff-support"):
        await task(stage, told, name, told=names)
    assert not {duty for duty in await stage.owed(told) if "staff-support" in duty or "contacts" in duty}
    assert [one["body"]["told"] for one in await stage.content(told, "task-record")] == [names, names]


async def test_records_are_checked_on_both_sides(stage: Stage) -> None:
    """S2-19: social care and education, each for itself."""
    told = await refer(stage)
    await decide(stage, told)
    await task(stage, told, "social-care-records")
    owed = await stage.owed(told)
    assert "head-of-service-sqa: task-record social-care-records, A02" not in owed
    assert "head-of-service-sqa: task-record education-records, A02" in owed


@pytest.mark.parametrize("author", [MANAGER, HEAD])
async def test_only_the_nominated_officers_mark_it_as_submitted(stage: Stage, author: str) -> None:
    """S2-07, S2-05: either of the two; what another of the council writes waits and starts no clock."""
    told = await refer(stage)
    await decide(stage, told, author=author)
    held = await notify(stage, told, author=WORKER)
    assert held["decision"] == "hold"
    assert [list(hold.reasons) for hold in await stage.held() if "author-not-in-seat" in hold.reasons]
    assert await stage.laid(told, "K17") == {}
    record = await notify(stage, told, author=author)
    assert record["decision"] == "forward"
    assert await stage.state(told, "K12", SIN) == "met"


async def test_another_s_decision_waits_too(stage: Stage) -> None:
    """S2-07, X-14: the nominated officer decides."""
    told = await refer(stage)
    assert (await decide(stage, told, author=WORKER))["decision"] == "hold"
    assert (await stage.incident(told)).outcome is None
    with pytest.raises(AgencyProblem) as refused:
        await stage.answer(POLICE, "sin-record", await refer(stage, POLICE), {})
    assert refused.value.code == "not-permitted"


async def test_each_recipient_is_evidenced_by_the_same_clock(stage: Stage) -> None:
    """S2-06, X-05: three recipients, one clock, separate evidences; who is not evidenced yet becomes a task."""
    told = await refer(stage)
    await decide(stage, told)
    await notify(stage, told, ("panel",))
    ofsted, partners = (f"head-of-service-sqa: task-record tell-{one}" for one in ("ofsted", "partnership"))
    by = "2026-11-07T00:00:00Z"
    assert await stage.laid(told, "K12") == {SIN: by, ofsted: by, partners: by}
    await task(stage, told, "tell-ofsted", note="Confirmation kept with the record.")
    assert (await stage.state(told, "K12", ofsted), await stage.state(told, "K12", partners)) == (
        "met",
        "open",
    )


async def test_with_all_evidence_in_the_record_nobody_is_left_to_tell(stage: Stage) -> None:
    """S2-06."""
    told = await refer(stage)
    await decide(stage, told)
    await notify(stage, told)
    assert set(await stage.laid(told, "K12")) == {SIN}


@pytest.mark.parametrize("reason", ["looked-after-child-death", "care-leaver-death"])
async def test_the_death_of_a_looked_after_child_is_told_to_the_secretary_of_state_and_ofsted(
    stage: Stage, reason: str
) -> None:
    """S2-03, X-05: whether or not abuse is suspected; recipients of their own."""
    told = await refer(stage, incident={"nature": "death", "abuse_or_neglect": "none", "abuse_types": []})
    await decide(stage, told)
    await notify(stage, told, ("panel", "safeguarding-partners"), reason=reason)
    assert {
        "head-of-service-sqa: task-record tell-secretary-of-state, K12",
        "head-of-service-sqa: task-record tell-ofsted, K12",
    } <= await stage.owed(told)


async def test_the_partnership_gets_a_copy_and_a_person_there_acknowledges_it(stage: Stage) -> None:
    """S2-20."""
    told = await refer(stage)
    await decide(stage, told)
    record = await notify(stage, told)
    assert f"sbu@{UNIT}" in await stage.told(record)
    assert "sbu: acknowledgement, A03" in await stage.owed(told)
    await stage.acknowledge(UNIT, "sbu", record["id"], "Winifred Stave")
    assert "sbu: acknowledgement, A03" not in await stage.owed(told)


async def letters_of(stage: Stage, told: Any) -> list[dict[str, Any]]:
    return await stage.content(told, "dsl-letter")


def children(stage: Stage) -> list[dict[str, Any]]:
    """Two at one school, one of them at another one too by a second entry."""
    first = stage.house.example("referral")["body"]["children"][0] | {"related_people": [], "upn": None}
    numbers = ("9990000018", "9990000026", "9990000034")
    schools = ("999901", "999901", "999902")
    names = ("Elowen", "Jory", "Senara")
    return [
        first | {"given_names": name, "nhs_number": number, "school_urn": school}
        for name, number, school in zip(names, numbers, schools, strict=True)
    ]


async def test_one_letter_for_each_child_and_school_waits_for_a_person(stage: Stage) -> None:
    """S2-21, S2-26, X-27: drafted at the decision to notify, before the submission; each names one child only."""
    told = await refer(stage, children=children(stage))
    await decide(stage, told)
    letters = await letters_of(stage, told)
    assert sorted((one["body"]["school_urn"], one["body"]["child_name"].split()[0]) for one in letters) == [
        ("999901", "Elowen"),
        ("999901", "Jory"),
        ("999902", "Senara"),
    ]
    for one in letters:
        others = {"Elowen", "Jory", "Senara"} - {one["body"]["child_name"].split()[0]}
        assert not [name for name in others if name in json.dumps(one)], "a school sees its own pupil only"
    assert {row.state.value for one in letters for row in await stage.deliveries(one["id"])} == {"held"}
    assert await stage.laid(told, "K13") == {}
    for hold in await stage.held():
        await stage.release(hold)
    k13 = [duty for duty in await stage.duties(told) if duty.clock == "K13"]
    assert sorted(duty.agency for duty in k13) == [PRIMARY, PRIMARY, SECONDARY]


async def test_a_school_that_does_not_answer_is_never_late(stage: Stage) -> None:
    """S2-21, X-08, K13: "without delay" is no number of days; the duty only ages, and the answer still meets it."""
    told = await refer(stage, children=children(stage)[:1])
    await decide(stage, told)
    (hold,) = await stage.held()
    await stage.release(hold)
    assert await stage.laid(told, "K13") == {"dsl: dsl-confirmation": "no limit"}
    stage.house.clock.move_by(days=60)
    await stage.chase()
    assert await stage.state(told, "K13", "dsl: dsl-confirmation") == "open"
    (letter,) = await letters_of(stage, told)
    at = stage.house.clock().isoformat()
    body = {"letter_reference": letter["body"]["letter_reference"], "answered_at": at}
    about = {"incident": told["incident"], "in_reply_to": letter["id"]}
    reply = await stage.send(PRIMARY, "dsl-confirmation", body, **about)
    assert await stage.told(reply) == sorted(
        f"{role}@{COUNCIL}" for role in ("school-improvement", "head-of-service-sqa")
    )
    assert await stage.state(told, "K13", "dsl: dsl-confirmation") == "met"


async def test_the_letter_is_marked_asks_three_things_and_tells_nothing_else() -> None:
    """S2-21, S2-22, S2-24, X-05, X-28: private and confidential, the notification and its recipients, without delay."""
    letters = packs.shipped(PartnershipId("southampton")).letters
    text = letters["dsl-letter.txt"]
    assert text.startswith("PRIVATE AND CONFIDENTIAL")
    for words in ("is submitting a serious incident notification", "and Ofsted", "without delay"):
        assert words in text
    for label in ("a. Dates on roll (from and to):", "b. Previous school (if applicable):", "Yes / No"):
        assert label in text
    assert "nothing further is required of you unless we contact you again" in text
    assert "incident_" not in text
    assert "child_name" not in letters["dsl-letter.subject.txt"]


async def test_the_rapid_review_and_its_decision_reach_the_panel_in_fifteen_working_days(
    stage: Stage,
) -> None:
    """S2-12, S2-15, S2-16, X-22, K17: from the submission, that day being day 0; the three partners receive it (S2-13, X-18)."""
    told = await refer(stage)
    await decide(stage, told)
    stage.house.clock.move_to(WEDNESDAY)
    await notify(stage, told)
    by = "2026-11-26T00:00:00Z"
    assert await stage.laid(told, "K17") == {"sbu: rapid-review-report": by, "sbu: final-decision": by}
    report = await stage.answer(UNIT, "rapid-review-report", told, {"actions": []})
    partners = {f"dsp-la@{COUNCIL}", f"dsp-icb@{ICB}", f"dsp-police@{POLICE}"}
    assert partners <= set(await stage.told(report))
    stage.house.clock.move_to(datetime(2026, 11, 25, 23, 30, tzinfo=UTC))
    at = stage.house.clock().isoformat()
    stage.house.clock.move_by(hours=2)
    decided = {"actions": [], "decided_at": at, "sent_to_panel": True, "sent_to_panel_at": at}
    await stage.answer(UNIT, "final-decision", told, decided)
    assert await stage.state(told, "K17", "sbu: final-decision") == "met", "sent in time, told later"
    assert "sbu: panel-response, A05" in await stage.owed(told)
    answer = await stage.answer(UNIT, "panel-response", told)
    assert partners <= set(await stage.told(answer))
    assert "sbu: panel-response, A05" not in await stage.owed(told)


@pytest.mark.parametrize(
    "section", ["facts_established", "immediate_action", "potential_for_improvement", "next_steps"]
)
async def test_a_rapid_review_without_one_of_its_four_sections_is_no_review(
    stage: Stage, section: str
) -> None:
    """S2-14."""
    told = await refer(stage)
    await decide(stage, told)
    await notify(stage, told)
    with pytest.raises(AgencyProblem) as refused:
        await stage.answer(UNIT, "rapid-review-report", told, {"actions": [], section: None})
    assert refused.value.errors[0]["pointer"] == f"/body/{section}"


async def test_the_panel_s_view_is_on_record(stage: Stage) -> None:
    """S2-17: agrees, does not agree, asks for more; and whether there is national interest."""
    told = await refer(stage)
    await decide(stage, told)
    await notify(stage, told)
    body = {"view": "disagrees", "national_review": "yes", "statement": "A review is likely to find more."}
    await stage.answer(UNIT, "panel-response", told, body)
    (kept,) = await stage.content(told, "panel-response")
    assert (kept["body"]["view"], kept["body"]["national_review"]) == ("disagrees", "yes")


async def test_after_each_meeting_of_the_learning_group_the_advisor_tells_the_service_managers(
    stage: Stage,
) -> None:
    """S2-18: a task after each meeting held, none for its notice."""
    told = await refer(stage)
    await decide(stage, told)
    await notify(stage, told)
    plain: dict[str, Any] = {
        "meeting": "silg",
        "agencies": [],
        "actions": [],
        "attendance": [],
        "apologies": [],
    }
    empty = {"held_at": None, "minutes": None}
    at = stage.house.clock().isoformat()
    await stage.answer(UNIT, "meeting-notice", told, {**plain, **empty, "stage": "notice", "meeting_at": at})
    updated = "child-protection-advisor: task-record service-managers-updated"
    assert await stage.laid(told, "A04") == {}
    there = stage.house.example("meeting-notice")["body"]["attendance"]
    for number in (1, 2):
        stage.house.clock.move_by(days=1)
        at = stage.house.clock().isoformat()
        held = {**plain, "stage": "held", "meeting_at": at, "held_at": at, "attendance": there}
        meeting = await stage.answer(UNIT, "meeting-notice", told, held)
        assert f"child-protection-advisor@{COUNCIL}" in await stage.told(meeting)
        assert len([duty for duty in await stage.duties(told) if duty.clock == "A04"]) == number
        await task(stage, told, "service-managers-updated")
    assert f"{updated}, A04" not in await stage.owed(told)
    assert "sbu: meeting-notice silg, A03" not in await stage.owed(told)


async def test_where_the_criteria_are_not_met_the_duty_ends_with_the_reasons_on_record(stage: Stage) -> None:
    """S2-01, S2-02: the rationale is part of the decision; no letter and no task follows."""
    told = await refer(stage)
    await decide(stage, told, "not-met")
    assert await stage.state(told, "K12", SIN) == "waived"
    (kept,) = await stage.content(told, "review-decision")
    assert "does not exclude" in kept["body"]["decisions"][0]["reasons"]
    assert not AT_THE_START & await stage.owed(told)
    assert await letters_of(stage, told) == []


@pytest.mark.parametrize(("status", "born"), [("looked-after", "2012-03-04"), ("care-leaver", "2003-03-04")])
async def test_s2_03_not_met_is_no_answer_to_the_death_of_a_looked_after_child(
    stage: Stage, status: str, born: str
) -> None:
    """S2-03, S4-02, P-04: no abuse is suspected, so the criteria are not met; the death is notified in five days all the same,
    an officer hears that it is, and two may end what proves needless."""
    child = children(stage)[0] | {"statuses": [status], "date_of_birth": born}
    natural = {"nature": "death", "abuse_or_neglect": "none", "abuse_types": []}
    told = await refer(stage, incident=natural, children=[child])
    await decide(stage, told, "not-met")
    assert await stage.state(told, "K12", SIN) == "open"
    assert [reason for hold in await stage.held() for reason in hold.reasons] == ["notification-still-owed"]
    await notify(
        stage,
        told,
        ("ofsted", "secretary-of-state"),
        reason=f"{status.replace('after', 'after-child')}-death",
    )
    assert await stage.state(told, "K12", SIN) == "met"


async def test_s2_04_another_agency_s_near_miss_that_is_notified_after_all_counts_from_the_council_s_awareness(
    stage: Stage,
) -> None:
    """X-01, X-15: not from when the police knew, who told of it days later."""
    known_at = (stage.house.clock() - timedelta(days=1)).isoformat()
    missed = {"nature": "near-miss", "aware_at": known_at, "incident_at": known_at}
    told = await refer(stage, POLICE, incident=missed, referral_kind="near-miss")
    heard_at = stage.house.clock()
    assert await stage.laid(told, "K12") == {}
    stage.house.clock.move_by(hours=5)
    decided = await refer(stage, POLICE, incident=missed, referral_kind="near-miss")
    await decide(stage, decided)
    assert set(await stage.laid(decided, "K12")) == {SIN}  # the nominated officer finds the criteria met
    worse = stage.house.example("referral")["body"]["incident"]
    worse["place"] = {**worse["place"], "local_authority": PLACE}
    await stage.answer(POLICE, "referral", told, {"incident": worse})
    (record,) = [duty for duty in await stage.duties(told) if duty.clock == "K12"]
    assert record.start_at == heard_at


async def test_the_pack_says_that_its_review_date_has_passed_and_works_on() -> None:
    """S2-25, X-24: version, dates and an overdue review that warns and stops nothing."""
    pack = packs.shipped(PartnershipId("southampton"))
    assert pack.review_due_on < MONDAY.date()
    assert pack.version
    assert packs.check("southampton", packs.read_files(packs.HERE / "southampton")) == []
