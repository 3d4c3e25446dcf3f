"""What each message type asks for beyond the shape of its members, and what rules may read of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core.messages import AgencyId, Facts
from schemas import TYPES, Envelope, example_path, facts, read_message
from schemas.triage_decision import TriageDecision
from schemas.vocabulary import HANDLING, LawfulBasis, Marking, Role
from tests.schemas import ABSENT, as_bytes, changed, example, faults, places

Changes = dict[str, Any]
CHILD = "/body/children/0"


def facts_of(slug: str, changes: Changes | None = None) -> Facts:
    return facts(read_message(as_bytes(changed(slug, changes or {}))))


def agencies(*slugs: str) -> tuple[AgencyId, ...]:
    return tuple(AgencyId(slug) for slug in slugs)


# M06 referral


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({f"{CHILD}/nhs_number": "9990000019"}, [(f"{CHILD}/nhs_number", "wrong-check-digit")]),
        ({f"{CHILD}/nhs_number": "999 000 0018"}, [(f"{CHILD}/nhs_number", "bad-format")]),
        ({f"{CHILD}/nhs_number": None}, [(f"{CHILD}/nhs_number", "required")]),
        ({f"{CHILD}/nhs_number_absence": "not-available"}, [(f"{CHILD}/nhs_number_absence", "one-of")]),
        ({f"{CHILD}/nhs_number": None, f"{CHILD}/nhs_number_absence": "non-resident-in-england"}, []),
        ({f"{CHILD}/upn": "Q393999924017"}, [(f"{CHILD}/upn", "wrong-check-digit")]),
        ({f"{CHILD}/school_urn": "99990"}, [(f"{CHILD}/school_urn", "bad-format")]),
        ({f"{CHILD}/postcode": "ne33 1aa"}, [(f"{CHILD}/postcode", "bad-format")]),
        ({f"{CHILD}/home_local_authority": "393"}, []),
        ({f"{CHILD}/home_local_authority": "E23000007"}, [(f"{CHILD}/home_local_authority", "bad-format")]),
        ({f"{CHILD}/date_of_birth": None}, [(f"{CHILD}/date_of_birth", "required")]),
        ({f"{CHILD}/date_of_birth": "2023-02-29"}, [(f"{CHILD}/date_of_birth", "bad-date")]),
        ({f"{CHILD}/date_of_birth": "14/05/2021"}, [(f"{CHILD}/date_of_birth", "bad-date")]),
        ({f"{CHILD}/date_of_birth": "2027-01-01"}, [(f"{CHILD}/date_of_birth", "in-the-future")]),
        ({f"{CHILD}/date_of_birth": None, f"{CHILD}/date_of_birth_status": "unknown"}, []),
        ({f"{CHILD}/date_of_birth_status": "unknown"}, [(f"{CHILD}/date_of_birth", "not-allowed-here")]),
        (
            {f"{CHILD}/date_of_birth_status": "expected"},
            [(f"{CHILD}/date_of_birth_status", "expected-but-not-unborn")],
        ),
        (
            {f"{CHILD}/related_people/0/date_of_birth": "2027-01-01"},
            [(f"{CHILD}/related_people/0/date_of_birth", "in-the-future")],
        ),
        ({f"{CHILD}/given_names": None}, []),
        (
            {f"{CHILD}/given_names": None, f"{CHILD}/family_name": None},
            [(f"{CHILD}/family_name", "required")],
        ),
        (
            {"/body/incident/place/local_authority": None},
            [("/body/incident/place/local_authority", "required")],
        ),
        ({"/body/incident/place/local_authority": None, "/body/incident/place/outside_england": True}, []),
        ({"/body/incident/incident_at": None}, [("/body/incident/incident_at", "required")]),
        ({"/body/incident/incident_at": None, "/body/incident/ongoing": True}, []),
        ({"/body/incident/aware_at": ABSENT}, [("/body/incident/aware_at", "required")]),
        ({"/body/safeguarding_lead_endorsement": None}, []),
    ],
)
def test_what_a_referral_must_say_of_child_and_incident(
    changes: Changes, expected: list[tuple[str, str]]
) -> None:
    assert faults(changed("referral", changes)) == expected


def test_s4_09_a_near_miss_uses_the_same_form() -> None:
    found = facts_of("referral", {"/body/referral_kind": "near-miss", "/body/incident/nature": "near-miss"})
    assert found.codes["referral_kind"] == ("near-miss",)


def test_awareness_before_the_incident_is_refused() -> None:
    """Edge case 17 of the domain's section 11.6."""
    early = {"/body/incident/aware_at": "2026-11-01T19:19:59Z"}
    assert faults(changed("referral", early)) == [("/body/incident/aware_at", "before-incident")]
    assert faults(changed("referral", {"/body/incident/aware_at": "2026-11-01T19:20:00Z"})) == []


@pytest.mark.parametrize("flag", [{"/body/incident/ongoing": True}, {f"{CHILD}/statuses": ["unborn"]}])
def test_awareness_may_come_first_when_it_is_ongoing_or_about_an_unborn_child(flag: Changes) -> None:
    assert faults(changed("referral", {"/body/incident/aware_at": "2026-10-01T09:00:00Z", **flag})) == []


def test_awareness_years_after_the_incident_is_a_retrospective_referral() -> None:
    """Edge case 18, S2-04: the instants are kept apart and neither is made from the other."""
    found = facts_of("referral", {"/body/incident/incident_at": "2019-03-04T12:00:00Z"})
    assert found.moments["incident_at"] == datetime(2019, 3, 4, 12, tzinfo=UTC)
    assert found.moments["aware_at"] == datetime(2026, 11, 1, 21, 15, tzinfo=UTC)


def test_x_23_an_unborn_child_needs_no_name_and_has_an_expected_date() -> None:
    unborn = {
        f"{CHILD}/statuses": ["unborn"],
        f"{CHILD}/given_names": None,
        f"{CHILD}/family_name": None,
        f"{CHILD}/date_of_birth": "2027-02-14",
        f"{CHILD}/date_of_birth_status": "expected",
        f"{CHILD}/nhs_number": None,
        f"{CHILD}/nhs_number_absence": "not-yet-born",
    }
    assert faults(changed("referral", unborn)) == []


def test_a_child_born_after_midnight_by_british_clocks_is_not_from_the_future() -> None:
    born = {f"{CHILD}/date_of_birth": "2026-07-02"}
    assert faults(changed("referral", {"/created_at": "2026-07-01T23:30:00Z", **born})) == []
    assert faults(changed("referral", {"/created_at": "2026-07-01T22:30:00Z", **born})) == [
        (f"{CHILD}/date_of_birth", "in-the-future")
    ]


def test_facts_of_a_referral() -> None:
    assert facts_of("referral") == Facts(
        moments={
            "incident_at": datetime(2026, 11, 1, 19, 20, tzinfo=UTC),
            "aware_at": datetime(2026, 11, 1, 21, 15, tzinfo=UTC),
        },
        codes={
            "referral_kind": ("potential-sin",),
            "nature": ("serious-harm",),
            "abuse_or_neglect": ("suspected",),
            "suspected_suicide": ("no",),
            "child_status": ("child-in-need",),
            "age_band": ("under-18",),
            "placement": ("with-family",),
            "home_local_authority": ("E08000023",),
            "responsible_local_authority": (),
            "place": ("E08000023",),
            "place_kind": ("home",),
            "outside_england": ("no",),
            "regulated_setting": ("no",),
            "statutory_ground": ("abuse-serious-harm",),
            "statutory_ground_undecided": (),
            "media_interest": ("possible",),
            "police_investigation": ("under-way",),
            "parallel_process": (),
        },
        agencies=agencies(
            "northshire-police",
            "northshire-hospitals",
            "south-tyneside-council",
            "harbour-view-primary",
        ),
        schools=("999901",),
    )


# M07 triage decision

OWN = ("seat", "decided_by", "criteria_met", "outcome", "reasons", "decided_at", "means")


def meeting(*seats: str) -> dict[str, Any]:
    own = example("triage-decision")["body"]
    decision = {name: own[name] for name in ("decided_by", "criteria_met", "outcome", "reasons")}
    return {
        "held_at": "2026-11-02T14:00:00Z",
        "means": "virtual",
        "attendance": [{"person": own["decided_by"], "agency": "south-tyneside-council"}],
        "decisions": [{"seat": seat, **decision} for seat in seats],
        "decided_at": "2026-11-02T14:40:00Z",
        "note": None,
    }


def test_one_partners_decision_is_one_decision() -> None:
    message: Envelope[TriageDecision] = read_message(example_path("triage-decision").read_bytes())
    [decision] = message.body.decisions
    assert (decision.seat, decision.decided_by.name) == ("dsp-la", "Philippa Marlowe")
    assert facts(message).codes == {
        "seat": ("dsp-la",),
        "criteria_met": ("yes",),
        "outcome": ("sin-and-rapid-review",),
        "means": ("system",),
    }
    assert facts(message).moments == {"decided_at": datetime(2026, 11, 2, 15, 5, tzinfo=UTC)}


def test_x_29_the_record_of_the_exceptional_meeting_holds_three_decisions() -> None:
    record = meeting("dsp-police", "dsp-la", "dsp-icb")
    record["decisions"][2]["outcome"] = "sin-only"
    body = {"exceptional_meeting": record}
    message: Envelope[TriageDecision] = read_message(as_bytes(changed("triage-decision", {"/body": body})))
    assert [decision.outcome for decision in message.body.decisions][2] == "sin-only"
    found = facts(message)
    assert found.codes["seat"] == ("dsp-police", "dsp-la", "dsp-icb")
    assert found.codes["outcome"] == ("sin-and-rapid-review", "sin-and-rapid-review", "sin-only")
    assert found.codes["means"] == ("meeting",)
    assert found.moments["decided_at"] == datetime(2026, 11, 2, 14, 40, tzinfo=UTC)


@pytest.mark.parametrize("name", OWN)
def test_a_partners_own_decision_is_whole(name: str) -> None:
    assert faults(changed("triage-decision", {f"/body/{name}": None})) == [(f"/body/{name}", "required")]


@pytest.mark.parametrize("name", OWN)
def test_a_meetings_record_and_an_own_decision_are_not_mixed(name: str) -> None:
    both = {
        "exceptional_meeting": meeting("dsp-la", "dsp-icb", "dsp-police"),
        name: example("triage-decision")["body"][name],
    }
    assert faults(changed("triage-decision", {"/body": both})) == [(f"/body/{name}", "not-allowed-here")]


def test_at_a_meeting_each_seat_decides_once() -> None:
    twice = {"exceptional_meeting": meeting("dsp-la", "dsp-la", "dsp-police")}
    assert faults(changed("triage-decision", {"/body": twice})) == [
        ("/body/exceptional_meeting/decisions", "each-seat-once")
    ]
    two = {"exceptional_meeting": meeting("dsp-la", "dsp-police")}
    assert faults(changed("triage-decision", {"/body": two})) == [
        ("/body/exceptional_meeting/decisions", "too-few")
    ]


def test_a_meeting_decides_after_it_begins() -> None:
    record = {**meeting("dsp-la", "dsp-icb", "dsp-police"), "decided_at": "2026-11-02T13:59:59Z"}
    assert faults(changed("triage-decision", {"/body": {"exceptional_meeting": record}})) == [
        ("/body/exceptional_meeting/decided_at", "before-meeting")
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        "sin-and-rapid-review",
        "sin-only",
        "review-without-sin",
        "near-miss-review",
        "no-further-action",
        "more-information",
    ],
)
def test_s4_07_every_outcome_can_be_decided(outcome: str) -> None:
    assert facts_of("triage-decision", {"/body/outcome": outcome}).codes["outcome"] == (outcome,)


# M08 to M10


def test_s2_05_a_notifications_record_gives_the_instant_that_starts_the_rapid_review() -> None:
    found = facts_of("sin-record")
    assert found.moments == {"sin_submitted_at": datetime(2026, 11, 4, 16, 12, tzinfo=UTC)}
    assert found.codes["recipient"] == ("panel", "safeguarding-partners")
    assert faults(changed("sin-record", {"/body/recipients": []})) == [("/body/recipients", "too-few")]


def test_s2_21_the_letter_to_a_school_has_no_room_for_detail_of_the_incident() -> None:
    assert set(example("dsl-letter")["body"]) == {
        "letter_reference", "school_urn", "school_name", "dsl_name", "child_name", "child_date_of_birth", "adviser", "council",
    }  # fmt: skip
    assert facts_of("dsl-letter") == Facts(schools=("999901",))


def test_a_letter_may_wait_for_its_reference_and_its_addressee() -> None:
    assert faults(changed("dsl-letter", {"/body/letter_reference": None, "/body/dsl_name": None})) == []
    assert faults(changed("dsl-letter", {"/body/letter_reference": "SG-7K3M-9QPX-2E"})) == [
        ("/body/letter_reference", "wrong-check-digit")
    ]


@pytest.mark.parametrize(
    ("roll_from", "roll_to", "code"),
    [
        ("2021-09-06", "2024-07-19", None),
        ("2021-09", "present", None),
        ("2021", "2021", None),
        ("2021-09-06", "2021", None),
        ("2021", "2021-01-01", None),
        ("2021-09-06", "2021-09", None),
        ("2021-09-06", "2021-09-05", "before-start"),
        ("2021-09", "2021-08-31", "before-start"),
        ("2022", "2021-12-31", "before-start"),
        ("2021-09-06", "2021-02-29", "bad-date"),
        ("2021-09-06", "2021-13", "bad-format"),
        ("2021-09-06", "now", "bad-format"),
        ("2021-09-06", "06/09/2021", "bad-format"),
    ],
)
def test_s2_22_dates_on_roll_run_forward_as_far_as_they_say(
    roll_from: str, roll_to: str, code: str | None
) -> None:
    found = faults(changed("dsl-confirmation", {"/body/roll_from": roll_from, "/body/roll_to": roll_to}))
    assert found == ([] if code is None else [("/body/roll_to", code)])


@pytest.mark.parametrize("name", ["roll_from", "roll_to", "previous_school", "records_held"])
def test_s2_22_all_three_questions_are_answered(name: str) -> None:
    assert faults(changed("dsl-confirmation", {f"/body/{name}": None})) == [(f"/body/{name}", "required")]


def test_a_child_who_was_never_on_roll_has_no_dates() -> None:
    never = {
        "/body/never_on_roll": True,
        "/body/roll_from": None,
        "/body/roll_to": None,
        "/body/previous_school": None,
    }
    assert faults(changed("dsl-confirmation", never)) == []
    assert faults(changed("dsl-confirmation", {**never, "/body/records_held": None})) == []
    assert faults(changed("dsl-confirmation", {"/body/never_on_roll": True})) == [
        ("/body/roll_from", "not-allowed-here")
    ]


def test_whether_records_are_held_is_yes_or_no_and_never_a_number() -> None:
    assert faults(changed("dsl-confirmation", {"/body/records_held": 1})) == [
        ("/body/records_held", "wrong-type")
    ]
    assert faults(changed("dsl-confirmation", {"/body/records_held": False})) == []


# M11 and M12


def test_facts_of_a_request_are_the_agencies_asked() -> None:
    assert facts_of("information-request") == Facts(
        agencies=agencies(
            "northshire-police", "northshire-icb", "northshire-hospitals", "south-tyneside-council", "harbour-view-primary",
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"/body/agencies": []}, ("/body/agencies", "too-few")),
        ({"/body/questions": []}, ("/body/questions", "too-few")),
        ({"/body/period/to_on": "2024-10-31"}, ("/body/period/to_on", "before-start")),
        (
            {"/body/children/0/date_of_birth": "2030-01-01"},
            ("/body/children/0/date_of_birth", "in-the-future"),
        ),
        ({"/body/purpose": ABSENT}, ("/body/purpose", "required")),
    ],
)
def test_what_a_request_must_say(changes: Changes, expected: tuple[str, str]) -> None:
    assert faults(changed("information-request", changes)) == [expected]


RETURNS: dict[str, Changes] = {
    "full": {},
    "partial": {"actions": None, "learning": None, "still_to_come": "Maternity records on Thursday."},
    "nil": {"involvement": None, "actions": None, "learning": None, "no_involvement": "No record of this family."},
    "extension-request": {
        "involvement": None, "actions": None, "learning": None, "records_checked": [],
        "extension_reason": "The records are on paper.", "extension_until_on": "2026-11-13",
    },
}  # fmt: skip


def a_return(kind: str, **others: Any) -> Changes:
    return {f"/body/{name}": value for name, value in {"kind": kind, **RETURNS[kind], **others}.items()}


@pytest.mark.parametrize("kind", RETURNS)
def test_s4_12_each_kind_of_return_is_taken(kind: str) -> None:
    found = facts_of("information-return", a_return(kind))
    assert found.codes == {"kind": (kind,), "not_shared": ("no",)}
    assert set(found.moments) == ({"extension_until_at"} if kind == "extension-request" else set())


@pytest.mark.parametrize(
    ("kind", "name", "value", "code"),
    [
        ("full", "involvement", None, "required"),
        ("full", "actions", None, "required"),
        ("full", "learning", None, "required"),
        ("full", "no_involvement", "None.", "not-allowed-here"),
        ("partial", "involvement", None, "required"),
        ("nil", "no_involvement", None, "required"),
        ("nil", "records_checked", [], "required"),
        ("nil", "involvement", "We saw the child.", "not-allowed-here"),
        ("extension-request", "extension_reason", None, "required"),
        ("extension-request", "extension_until_on", None, "required"),
    ],
)
def test_a_return_says_what_its_kind_needs_and_nothing_that_contradicts_it(
    kind: str, name: str, value: Any, code: str
) -> None:
    assert faults(changed("information-return", a_return(kind, **{name: value}))) == [(f"/body/{name}", code)]


# M20, M21, M02, M23


@pytest.mark.parametrize("by", ["person", "system"])
def test_s3_16_an_acknowledgement_says_whether_a_person_has_seen_it(by: str) -> None:
    assert facts_of("acknowledgement", {"/body/by": by, "/body/name": None}).codes == {
        "by": (by,),
        "role": ("sbu",),
    }


def test_g_02_a_chase_has_no_free_text() -> None:
    found = facts_of("chase")
    assert found.codes == {
        "stage": ("due",),
        "expects": ("information-return",),
        "role": ("agency-responder",),
    }
    assert found.agencies == ("northshire-icb",)
    for pointer, value in places(example("chase")["body"]):
        assert not isinstance(value, str) or " " not in value, pointer


def test_k13_a_duty_without_a_limit_is_chased_without_a_date() -> None:
    ageing = {"/body/stage": "ageing", "/body/clock": "K13", "/body/due_on": None, "/body/due_at": None}
    assert faults(changed("chase", ageing)) == []
    assert faults(changed("chase", {"/body/clock": "K12b"})) == []
    assert faults(changed("chase", {"/body/clock": "five days"})) == [("/body/clock", "bad-format")]


def test_s0_10_a_call_that_reached_someone_says_whom_and_what_was_said() -> None:
    assert facts_of("call-log").codes == {"outcome": ("spoke",), "role": ("dcs",)}
    assert faults(changed("call-log", {"/body/summary": None})) == [("/body/summary", "required")]
    missed = {"/body/outcome": "no-answer", "/body/answered_by": None, "/body/summary": None}
    assert faults(changed("call-log", missed)) == []


@pytest.mark.parametrize(
    ("action", "needs", "value"),
    [
        ("correct", "statement", "What is right."),
        ("supersede", "superseded_by", "msg-" + "a" * 26),
        ("recall-misdirected", "misdirected_to", ["northshire-icb"]),
        ("withdraw", "reason", "Sent in error."),
    ],
)
def test_g_06_each_kind_of_correction_says_what_it_needs(action: str, needs: str, value: Any) -> None:
    bare = {"/body/action": action, "/body/statement": None}
    if needs != "reason":
        assert faults(changed("correction", bare)) == [(f"/body/{needs}", "required")]
    said = facts_of("correction", {**bare, f"/body/{needs}": value}).codes
    assert said["action"] == (action,)
    assert said["corrects"] == (example("correction")["body"]["message"],)


def test_a_corrected_instant_never_goes_by_the_name_that_starts_a_clock() -> None:
    changes = {"/body/corrected_submitted_at": "2026-11-04T16:00:00Z"}
    assert set(facts_of("correction", changes).moments) == {
        "corrected_incident_at", "corrected_aware_at", "corrected_sin_submitted_at",
    }  # fmt: skip


# every type


def test_g_08_whom_not_to_contact_is_a_fact_without_a_persons_name() -> None:
    avoided = [
        {"agency": "harbour-view-primary", "role": "dsl", "reason": "The concern is about the lead."},
        {"agency": "northshire-icb", "reason": "See above."},
        {"role": "dcs", "reason": "See above."},
        {"person": "Somebody Named", "agency": "northshire-police", "reason": "See above."},
        {"agency": "northshire-icb", "reason": "Said twice."},
    ]
    assert facts_of("referral", {"/do_not_contact": avoided}).codes["do_not_contact"] == (
        "harbour-view-primary/dsl", "northshire-icb/*", "*/dcs", "person",
    )  # fmt: skip


@pytest.mark.parametrize("slug", sorted(TYPES))
def test_facts_carry_no_text_that_a_person_wrote(slug: str) -> None:
    """Whatever has a space, a capital name or a number of a child stays in the sealed body."""
    found = facts_of(slug)
    said = [word for words in found.codes.values() for word in words] + list(found.agencies)
    assert all(" " not in word and len(word) <= 64 for word in said)
    personal = {"Elowen", "Testington", "9990000018", "D393999924017", "2021-05-14", "NE33"}
    assert not any(word in repr(found) for word in personal)


def test_every_marking_has_its_handling_in_plain_words() -> None:
    assert set(HANDLING) == set(Marking)
    assert "OFFICIAL-SENSITIVE" in set(Marking)


def test_s4_18_consent_can_be_said_but_is_never_assumed() -> None:
    assert LawfulBasis.CONSENT in set(LawfulBasis)
    assert {example(slug)["lawful_basis"] for slug in TYPES}.isdisjoint({"consent"})
    assert faults(changed("information-return", {"/lawful_basis": ABSENT})) == [("/lawful_basis", "required")]


def test_the_roles_are_those_of_the_contract() -> None:
    assert len(Role) == 28
