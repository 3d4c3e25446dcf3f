"""Every field that a source's form asks for has a place in its message type, and comes back from it as it was sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.core.messages import Facts
from schemas import TYPES, facts, read_message, schema_path, write_message
from schemas.incidents import GROUNDS
from schemas.need_to_know import BLOCKS, NeedToKnow
from schemas.review_decision import OUTCOMES, Review
from tests.schemas import ABSENT, as_bytes, changed, example, faults

Changes = dict[str, Any]
CHILD = "/body/children/0"
PERSON = {"name": "Ignatius Fernsby", "post": "Team Manager"}

# Requirement and field of the source's form -> message type, place, and a value that a sender may give there.
FORMS: list[tuple[str, str, str, Any]] = [
    # M01, Derby
    ("S0-02 categories", "serious-incident-form", "/body/categories", ["financial-irregularity", "premises-damage", "confidentiality-breach"]),
    ("S0-03 near miss", "serious-incident-form", "/body/classification", "near-miss"),
    ("S0-04 media or legal interest", "serious-incident-form", "/body/media_or_legal_interest", "yes"),
    ("S0-05 unsure", "serious-incident-form", "/body/classification", "unsure"),
    ("S0-07 classifier", "serious-incident-form", "/body/classified_by", PERSON),
    ("S0-07 reviewer", "serious-incident-form", "/body/reviewed_by", PERSON),
    ("S0-08 catastrophic", "serious-incident-form", "/body/classification", "catastrophic"),
    ("S0-09 signs", "serious-incident-form", "/body/catastrophic_signs", ["death-or-serious-injury", "press-enquiries"]),
    ("S0-11 response completed", "serious-incident-form", "/body/immediate_response_completed_at", "2026-11-23T08:00:00Z"),
    ("S0-12 classified", "serious-incident-form", "/body/classified_at", "2026-11-23T10:00:00Z"),
    ("S0-14 what happened", "serious-incident-form", "/body/incident/description", "A pan caught fire."),
    ("S0-10 action taken", "serious-incident-form", "/body/incident/immediate_actions", "Everyone was brought out."),
    ("S0-18 staff", "serious-incident-form", "/body/staff_support", "De-briefing today."),
    ("S0-23 urgent concern", "serious-incident-form", "/body/urgent_concern_note", "Blankets are missing."),
    ("S0-28 other duties", "serious-incident-form", "/body/other_duties/2/answer", "yes"),
    ("S0-29 fostering event", "serious-incident-form", "/body/other_duties/1/duty", "fostering-notifiable-event"),
    ("S0-29 placement", "serious-incident-form", f"{CHILD}/placement", "foster-care"),
    # M02
    ("S0-10 when", "call-log", "/body/called_at", "2026-11-01T22:00:00Z"),
    ("S0-10 which office", "call-log", "/body/called_role", "chief-executive"),
    ("S0-10 what was said", "call-log", "/body/summary", "What happened and what was done."),
    ("S1-05 missing since", "call-log", "/body/missing_since", "2026-11-20T08:30:00Z"),
    # M03
    ("S0-25 child", "need-to-know", "/body/child_information", "A boy of fifteen."),
    ("S0-25 incident", "need-to-know", "/body/incident_of_concern", "A fire."),
    ("S0-25 interim safety plan", "need-to-know", "/body/interim_safety_plan", "Next door."),
    ("S0-25 next steps", "need-to-know", "/body/next_steps", "A meeting at noon."),
    ("S0-25 media", "need-to-know", "/body/potential_media_involvement", "None expected."),
    # M04
    ("S1-02 serious incident", "dcs-notification", "/body/situations", ["serious-incident"]),
    ("S1-02 narrowly missed", "dcs-notification", "/body/situations", ["narrowly-missed"]),
    ("S1-02 staff", "dcs-notification", "/body/situations", ["staff-injury-or-risk"]),
    ("S1-02 high profile", "dcs-notification", "/body/situations", ["high-profile"]),
    ("S1-03 death or injury", "dcs-notification", "/body/categories", ["child-death-or-serious-injury"]),
    ("S1-04 illness", "dcs-notification", "/body/categories", ["child-serious-illness"]),
    ("S1-05 missing", "dcs-notification", "/body/missing_since", "2026-11-19T08:30:00Z"),
    ("S1-06 accident", "dcs-notification", "/body/categories", ["accident-death-or-serious-injury"]),
    ("X-25 accident of staff", "dcs-notification", "/body/subject_types", ["staff"]),
    ("X-25 accident of others", "dcs-notification", "/body/subject_types", ["public", "child"]),
    ("S1-06 alleged crime", "dcs-notification", "/body/categories", ["staff-alleged-crime"]),
    ("S1-07 failure", "dcs-notification", "/body/inter_agency_failure/basis", "evidenced"),
    ("S1-08 media", "dcs-notification", "/body/categories", ["media-interest"]),
    ("S1-09 death of a parent", "dcs-notification", "/body/categories", ["parent-death"]),
    ("S1-10 other", "dcs-notification", "/body/other_category", "A matter of judgement."),
    ("S1-12 team", "dcs-notification", "/body/consultations/0/team", "Fostering"),
    ("S1-12 asked at", "dcs-notification", "/body/consultations/0/asked_at", "2026-11-22T08:00:00Z"),
    ("S1-12 answered at", "dcs-notification", "/body/consultations/1/answered_at", "2026-11-22T12:00:00Z"),
    ("S1-12 nothing known", "dcs-notification", "/body/consultations/0/nothing_known", False),
    ("S1-13 decisions", "dcs-notification", "/body/incident/immediate_actions", "A strategy meeting was held."),
    ("S1-13 staff welfare", "dcs-notification", "/body/staff_welfare", "Her manager sees her."),
    ("S1-13 on the case system", "dcs-notification", "/body/case_record/recorded_at", "2026-11-21T12:00:00Z"),
    ("S1-13 case reference", "dcs-notification", "/body/case_record/reference", "CS-1"),
    ("S1-15 bypass", "dcs-notification", "/body/bypass_reason", "There is no time."),
    # M05, table 2.3a, fields 1 to 16
    ("S3-22 field 1 name", "serious-incident-alert", "/body/notifier/name", "Ignatius Fernsby"),
    ("S3-22 field 1 agency", "serious-incident-alert", "/body/notifier/agency", "Council"),
    ("S3-22 field 1 team", "serious-incident-alert", "/body/notifier/team", "MASH"),
    ("S3-22 field 2", "serious-incident-alert", "/body/alerted_at", "2026-11-23T08:00:00Z"),
    *(
        (f"S3-04 field 3 reason {number}", "serious-incident-alert", "/body/reasons", [reason])
        for number, reason in enumerate(
            ("death", "attempted-suicide", "serious-injury", "serious-sexual-assault", "serious-allegation-against-adult",
             "gold-group", "media-attention", "reputation-risk"), 1)
    ),
    ("S3-22 field 4", "serious-incident-alert", "/body/purposes", ["information", "action", "media-interest"]),
    *(
        ("S3-22 field 5", "serious-incident-alert", f"{CHILD}/statuses", [status])
        for status in ("child-protection-plan", "child-in-need", "looked-after", "unaccompanied-asylum-seeking",
                       "early-help", "youth-justice", "status-not-known")
    ),
    ("S3-22 field 6", "serious-incident-alert", f"{CHILD}/family_name", "Otherly"),
    ("S3-22 field 7", "serious-incident-alert", f"{CHILD}/date_of_birth", "2009-09-10"),
    ("S3-22 field 8", "serious-incident-alert", f"{CHILD}/case_records/0/reference", "1234567"),
    ("S3-22 field 9", "serious-incident-alert", f"{CHILD}/legal_status", "Interim care order"),
    ("S3-22 field 10 address", "serious-incident-alert", f"{CHILD}/address", "1 Sample Street"),
    ("S3-22 field 10 postcode", "serious-incident-alert", f"{CHILD}/postcode", "E1 1AB"),
    ("S3-22 field 11", "serious-incident-alert", f"{CHILD}/related_people/0/name", "Leander Otherly"),
    ("S3-22 field 12", "serious-incident-alert", f"{CHILD}/related_people/1/date_of_birth", "2014-01-20"),
    ("S3-22 field 13", "serious-incident-alert", "/body/incident/incident_at", "2026-11-22T20:00:00Z"),
    ("S3-02 field 14 nature", "serious-incident-alert", "/body/injury_nature", "A stab wound."),
    ("S3-02 field 14 reason", "serious-incident-alert", "/body/injury_reason", "Not known."),
    ("S3-02 field 14 impact", "serious-incident-alert", "/body/injury_impact", "Not known yet."),
    ("S3-22 field 15 known", "serious-incident-alert", "/body/known_elsewhere/known", "unknown"),
    ("S3-22 field 15 outline", "serious-incident-alert", "/body/known_elsewhere/outline", "On an order."),
    ("S3-22 field 15 asked", "serious-incident-alert", "/body/known_elsewhere/asked_to_complete", ["Youth Justice Service"]),
    ("S3-22 field 16", "serious-incident-alert", "/body/incident/immediate_actions", "Police are with him."),
    ("S3-22 field 16 plan", "serious-incident-alert", "/body/safety_planning", "A place elsewhere."),
    # M05, table 2.3a, fields 17 to 20: the decision-makers'
    ("S3-22 field 17", "review-decision", "/body/decisions/0/outcome", "undecided"),
    ("S3-22 field 18", "review-decision", "/body/rapid_review_referral", False),
    ("S3-22 field 19", "review-decision", "/body/other_action", "A conversation with the school."),
    ("S3-22 field 20 date", "review-decision", "/body/responded_to_referrer_on", "2026-11-24"),
    *(
        ("S3-05 source", "serious-incident-alert", "/body/sources", [source])
        for source in ("emergency-duty-team", "mash", "early-help", "young-peoples-service", "youth-justice",
                       "allocated-social-worker", "independent-reviewing-officer", "mase", "child-death-overview-contact",
                       "other-authority-or-agency", "dfe-or-ofsted")
    ),
    ("S3-05 retrospective", "serious-incident-alert", "/body/retrospective", True),
    *(
        ("S3-06 parallel process", "serious-incident-alert", "/body/incident/parallel_processes/0/process", process)
        for process in ("domestic-homicide-review", "critical-incident-review", "child-death-review",
                        "health-serious-incident-review", "education-critical-incident")
    ),
    ("S3-03 role", "serious-incident-alert", "/body/child_role", "perpetrator"),
    ("S3-26 source", "serious-incident-alert", "/body/original_source/source", "A neighbour"),
    ("S3-26 time", "serious-incident-alert", "/body/original_source/received_at", "2026-11-22T23:00:00Z"),
    ("S3-26 means", "serious-incident-alert", "/body/original_source/means", "meeting"),
    ("S3-27 adult", "serious-incident-alert", "/body/connected_adult", {"name": "Leander Otherly", "kind": "parent", "relationship": "father"}),
    # M06 to M08
    ("S4-09 near miss", "referral", "/body/incident/nature", "near-miss"),
    ("X-07 contributory factor", "referral", "/body/incident/contributory_factor", "Not thought to be."),
    ("S4-21 family", "referral", "/body/incident/family_contact/not_yet_because", "The police ask us to wait."),
    ("S2-05 reference", "sin-record", "/body/national_reference", "CSIN-1"),
    ("S2-05 submitted", "sin-record", "/body/submitted_at", "2026-11-04T16:00:00Z"),
    ("S2-05 by whom", "sin-record", "/body/submitted_by", PERSON),
    ("X-05 Ofsted apart", "sin-record", "/body/recipients/1/recipient", "ofsted"),
    ("S2-03 Secretary of State", "sin-record", "/body/recipients/1/recipient", "secretary-of-state"),
    ("S3-24 other area", "sin-record", "/body/recipients/1/recipient", "other-area-partners"),
    *(
        (f"6.1 {block}", "sin-record", f"/body/{place}", value)
        for block, place, value in (
            ("notifier telephone", "notifier/telephone", "0191 498 0124"),
            ("notifier e-mail", "notifier/email", "qa@council.example"),
            ("linked cases", "linked_cases", ["CSIN-2"]),
            ("aware", "aware_at", "2026-11-01T21:00:00Z"),
            ("reason", "reason", "care-leaver-death"),
            ("suspected suicide", "incident/suspected_suicide", "yes"),
            ("surname", "children/0/family_name", "Otherly"),
            ("other names", "children/0/other_names", ["Elowen Other"]),
            ("birth", "children/0/date_of_birth", "2021-05-15"),
            ("sex", "children/0/sex", "not-known"),
            ("ethnicity", "children/0/ethnicity", "Z"),
            ("disability", "children/0/disability", "yes"),
            ("home council", "children/0/home_local_authority", "393"),
            ("placement", "children/0/placement", "kinship-care"),
            ("legal status", "children/0/legal_status", "Care order"),
            ("looked after", "children/0/statuses", ["looked-after"]),
            ("school", "children/0/school_urn", "999902"),
            ("NHS number", "children/0/nhs_number", "9990000026"),
            ("health", "children/0/health", "Asthma."),
            ("household", "children/0/related_people/0/in_household", "no"),
            ("sibling's age", "children/1/related_people/0/age_years", 5),
            ("time", "incident/incident_at", "2026-11-01T19:00:00Z"),
            ("kind of place", "incident/place/kind", "hospital"),
            ("outside England", "incident/place/outside_england", True),
            ("nature of harm", "incident/nature", "death"),
            ("abuse types", "incident/abuse_types", ["neglect"]),
            ("perpetrator", "incident/alleged_perpetrator", "not known"),
            ("cause of death", "incident/cause_of_death", "Not yet known."),
            ("media", "incident/media_interest", "likely"),
            ("police", "incident/police_investigation", "concluded"),
            ("coroner", "incident/coroner_informed", "yes"),
            ("child death review", "incident/child_death_review_informed", "yes"),
            ("other reviews", "incident/parallel_processes", [{"process": "other", "lead_agency": "Health", "reference": None, "began_first": "unknown"}]),
            ("partners informed", "recipients/1/told_at", "2026-11-04T17:00:00Z"),
            ("threshold", "rapid_review_threshold_met", "unknown"),
            ("further information", "further_information", "A fifth child."),
        )
    ),
    # M13 to M19
    ("K19 due", "imr-request", "/body/imr_due_at", "2026-12-20T17:00:00Z"),
    ("S4-16 chronology", "imr", "/body/chronology/0/event", "Seen twice."),
    *(
        ("S4-16 analysis", "imr", f"/body/analysis/{section}", "What was found.")
        for section in ("key_decisions", "actions", "missed_opportunities", "good_practice")
    ),
    ("S4-16 lessons", "imr", "/body/lessons", ["One lesson."]),
    ("S4-16 recommendations", "imr", "/body/recommendations/0/recommendation", "A first page."),
    ("S4-13 held", "meeting-notice", "/body/held_at", "2026-11-16T13:10:00Z"),
    ("S4-06 attendance", "meeting-notice", "/body/attendance/0/person", PERSON),
    *(
        ("S2-14 section", "rapid-review-report", f"/body/{section}", "What was found.")
        for section in ("facts_established", "immediate_action", "potential_for_improvement", "next_steps")
    ),
    ("S4-14 recommendation", "rapid-review-report", "/body/recommendation", "alternative-learning"),
    ("P-11 lives", "rapid-review-report", "/body/context_of_lives", "Three moves in a year."),
    ("P-11 voice", "rapid-review-report", "/body/child_and_family_voice", "The grandmother was seen."),
    ("S4-24 agency", "rapid-review-report", "/body/actions/0/agency", "northshire-police"),
    ("S4-24 date", "rapid-review-report", "/body/actions/0/due_on", "2027-02-01"),
    ("S3-19 decision", "final-decision", "/body/decision", "criteria-not-met-after-notification"),
    ("S2-16 to the Panel", "final-decision", "/body/sent_to_panel_at", "2026-11-24T11:00:00Z"),
    ("S2-17 national interest", "panel-response", "/body/national_review", "yes"),
    ("S3-13 initial", "case-review", "/body/review", "initial"),
    ("S3-14 detailed", "case-review", "/body/review", "detailed"),
    ("S0-19 circumstances", "investigation-report", "/body/circumstances", "In detail."),
    ("S0-19 lessons", "investigation-report", "/body/lessons", ["One lesson."]),
    ("S0-19 recommendations", "investigation-report", "/body/recommendations/0/owner", "Directors"),
    ("S0-19 learning", "investigation-report", "/body/learning_opportunities", "For other services."),
    ("S0-22 summary", "investigation-report", "/body/summary", "In short."),
    ("S0-18 de-briefing", "investigation-report", "/body/staff_debriefed", False),
    # reviews and tasks
    ("S0-15 meeting", "review-decision", "/body/meeting_at", "2026-11-24T10:00:00Z"),
    ("S0-16 officer", "review-decision", "/body/investigating_officer", PERSON),
    ("S0-17 agreed date", "review-decision", "/body/investigation_due_on", "2026-12-18"),
    ("S0-21 monitoring", "review-decision", "/body/monitoring", "Each quarter."),
    ("S0-33 feedback", "review-decision", "/body/feedback", {"time": "by-date", "by_on": "2026-12-20", "process": "In the team."}),
    ("S1-16 oversight", "review-decision", "/body/decisions/0/reasons", "I have read the plan."),
    ("S1-17 actions", "review-decision", "/body/further_actions/0/action", "See the brother."),
    ("S1-18 onward", "review-decision", "/body/onward_notifications/0/recipient", "Chief Executive"),
    ("S1-19 file audit", "review-decision", "/body/file_audit_note", "Moves of this year."),
    ("S3-09 dissent", "review-decision", "/body/dissent", "The Director would wait."),
    ("S3-17 case note", "task-record", "/body/case_reference", "7654321"),
    ("S2-10 told", "task-record", "/body/told", ["Team managers of Through Care"]),
    ("S3-15 lessons", "learning-digest", "/body/lessons", ["Plans name someone for each day."]),
    ("S0-24 dissemination", "learning-digest", "/body/forums", ["chief-officer-group", "team-briefing", "learning-event"]),
]  # fmt: skip


def at(message: dict[str, Any], pointer: str) -> Any:
    found: Any = message
    for part in pointer.split("/")[1:]:
        found = found[int(part)] if part.isdigit() else found[part]
    return found


def facts_of(slug: str, changes: Changes | None = None) -> Facts:
    return facts(read_message(as_bytes(changed(slug, changes or {}))))


@pytest.mark.parametrize(
    ("slug", "pointer", "value"), [row[1:] for row in FORMS], ids=[f"{row[0]}: {row[3]}"[:60] for row in FORMS]
)  # fmt: skip
def test_every_field_of_a_form_comes_back_as_it_was_sent(slug: str, pointer: str, value: Any) -> None:
    message = read_message(as_bytes(changed(slug, {pointer: value})))
    assert at(json.loads(write_message(message)), pointer) == value


# the codes that four forms give alike

FOUR = ("referral", "serious-incident-form", "dcs-notification", "serious-incident-alert")
ALIKE = {
    "nature", "abuse_or_neglect", "suspected_suicide", "child_status", "age_band", "placement", "home_local_authority", "responsible_local_authority",
    "place", "place_kind", "outside_england", "regulated_setting", "statutory_ground", "statutory_ground_undecided",
    "media_interest", "police_investigation", "parallel_process",
}  # fmt: skip


@pytest.mark.parametrize("slug", FOUR)
def test_s0_01_four_forms_give_the_statutory_codes_under_the_same_names(slug: str) -> None:
    assert set(facts_of(slug).codes) >= ALIKE
    assert {"aware_at"} <= set(facts_of(slug).moments)


DEATH: Changes = {
    "/body/incident/nature": "death",
    "/body/incident/abuse_or_neglect": "none",
    "/body/incident/regulated_setting": "no",
    f"{CHILD}/statuses": ["child-in-need"],
}


@pytest.mark.parametrize("slug", FOUR)
@pytest.mark.parametrize(
    ("changes", "grounds"),
    [
        ({}, ("none",)),
        ({"/body/incident/abuse_or_neglect": "suspected"}, ("abuse-death",)),
        (
            {"/body/incident/nature": "serious-harm", "/body/incident/abuse_or_neglect": "known"},
            ("abuse-serious-harm",),
        ),
        ({f"{CHILD}/statuses": ["looked-after"]}, ("looked-after-death",)),
        ({"/body/incident/regulated_setting": "yes"}, ("regulated-setting-death",)),
        (
            {f"{CHILD}/statuses": ["care-leaver"], f"{CHILD}/date_of_birth": "2001-11-25"},
            ("care-leaver-death",),
        ),
        ({f"{CHILD}/statuses": ["care-leaver"], f"{CHILD}/date_of_birth": "2001-01-01"}, ("none",)),
    ],
)
def test_s0_01_s4_02_each_ground_is_read_from_the_facts_of_every_form(
    slug: str, changes: Changes, grounds: tuple[str, ...]
) -> None:
    one_child = {"/body/children": [{**example(slug)["body"]["children"][0], "placement": None}]}
    assert facts_of(slug, {**one_child, **DEATH, **changes}).codes["statutory_ground"] == grounds


def test_s0_01_an_unknown_age_takes_no_ground_away_and_other_missing_facts_leave_it_undecided() -> None:
    unknown = {f"{CHILD}/date_of_birth": None, f"{CHILD}/date_of_birth_status": "unknown"}
    one_child = {"/body/children": example("referral")["body"]["children"][:1]}
    codes = facts_of("referral", {**one_child, **unknown}).codes
    assert (codes["age_band"], codes["statutory_ground"]) == (("unknown",), ("abuse-serious-harm",))
    codes = facts_of("referral", {"/body/incident/abuse_or_neglect": "unknown"}).codes
    assert codes["statutory_ground"] == ("none",)
    assert codes["statutory_ground_undecided"] == ("abuse-serious-harm",)
    codes = facts_of("referral", {"/body/incident/nature": "not-known"}).codes
    assert "abuse-death" in codes["statutory_ground_undecided"]


def test_the_grounds_are_of_children_and_none_is_read_where_no_child_is_named() -> None:
    nobody = {"/body/children": [], "/body/subject_types": ["staff"], "/body/incident/nature": "death"}
    codes = facts_of("serious-incident-form", nobody).codes
    assert (codes["statutory_ground"], codes["statutory_ground_undecided"]) == (("none",), ())
    assert len(GROUNDS) == 5


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2026-11-02", "unborn"),
        ("2026-11-01", "under-18"),
        ("2008-11-02", "under-18"),
        ("2008-11-01", "18-to-24"),
        ("2001-11-02", "18-to-24"),
        ("2001-11-01", "25-or-over"),
    ],
)
def test_x_23_the_age_is_that_on_the_day_of_the_incident(born: str, band: str) -> None:
    """The incident of the example is on 1 November 2026; 24 itself is included (S4-02)."""
    one = {"/body/children": example("referral")["body"]["children"][:1], f"{CHILD}/related_people": []}
    changes = {**one, "/created_at": "2026-11-03T09:00:00Z", f"{CHILD}/date_of_birth": born}
    assert facts_of("referral", changes).codes["age_band"] == (band,)


@pytest.mark.parametrize(
    "unsure",
    [
        {
            "/body/incident/incident_at": None
        },  # it came to light when the child was of age; nobody knows when it was
        {f"{CHILD}/date_of_birth_status": "estimated"},  # a child who came alone, whose age is disputed
    ],
)
def test_x_23_s2_04_nobody_is_of_age_by_an_estimate_or_because_it_came_to_light_late(unsure: Changes) -> None:
    """What would end the duty to notify is known, or it is not said: the duty stands (S2-01)."""
    one = {"/body/children": [{**example("dcs-notification")["body"]["children"][0], "placement": None}]}
    harm = {"/body/incident/nature": "serious-harm", "/body/incident/abuse_or_neglect": "suspected"}
    grown = {**one, **harm, f"{CHILD}/date_of_birth": "2008-10-01"}
    assert facts_of("dcs-notification", grown).codes["statutory_ground"] == ("none",)
    codes = facts_of("dcs-notification", {**grown, **unsure}).codes
    assert (codes["age_band"], codes["statutory_ground"]) == (("unknown",), ("abuse-serious-harm",))
    younger = {**grown, **unsure, f"{CHILD}/date_of_birth": "2010-10-01"}
    assert facts_of("dcs-notification", younger).codes["age_band"] == ("under-18",)


def test_x_23_the_home_of_each_child_is_told_or_said_to_be_missing() -> None:
    told = example("referral")["body"]["children"]
    two = [{**told[0], "home_local_authority": "211"}, {**told[0], "home_local_authority": None}]
    assert facts_of("referral", {"/body/children": two}).codes["home_local_authority"] == ("211", "not-known")


def test_the_age_is_counted_on_londons_day_not_on_that_of_utc() -> None:
    one = {"/body/children": example("referral")["body"]["children"][:1], f"{CHILD}/related_people": []}
    night = {
        "/body/incident/incident_at": "2026-07-01T23:30:00Z",
        "/body/incident/aware_at": "2026-07-02T09:00:00Z",
    }
    changes = {**one, **night, f"{CHILD}/date_of_birth": "2008-07-02"}
    assert facts_of("referral", changes).codes["age_band"] == ("18-to-24",)


def test_a_registered_place_or_placement_speaks_unless_the_sender_says_otherwise() -> None:
    unsaid = {"/body/incident/regulated_setting": None}
    assert facts_of("referral", unsaid).codes["regulated_setting"] == ("unknown",)
    home = {**unsaid, "/body/incident/place/kind": "childrens-home"}
    assert facts_of("referral", home).codes["regulated_setting"] == ("yes",)
    placed = {**unsaid, f"{CHILD}/placement": "foster-care"}
    assert facts_of("referral", placed).codes["regulated_setting"] == ("yes",)
    said = {**home, "/body/incident/regulated_setting": "no"}
    assert facts_of("referral", said).codes["regulated_setting"] == ("no",)


# what each form must say


@pytest.mark.parametrize(
    ("slug", "changes", "expected"),
    [
        ("serious-incident-form", {"/body/categories": ["other"]}, ("/body/other_category", "required")),
        ("serious-incident-form", {"/body/categories": []}, ("/body/categories", "too-few")),
        ("serious-incident-form", {"/body/children": []}, ("/body/children", "required")),
        ("serious-incident-form", {"/body/urgent_concern_at": None}, ("/body/urgent_concern_at", "required")),
        ("serious-incident-form", {"/body/blame": "someone"}, ("/body", "unknown-member")),
        ("serious-incident-form", {"/body/incident/aware_at": "2026-11-23T06:00:00Z"}, ("/body/incident/aware_at", "before-incident")),
        ("serious-incident-form", {f"{CHILD}/date_of_birth": "2027-01-01"}, (f"{CHILD}/date_of_birth", "in-the-future")),
        ("dcs-notification", {"/body/bypass_reason": None}, ("/body/bypass_reason", "required")),
        ("dcs-notification", {"/body/missing_since": None}, ("/body/missing_since", "required")),
        ("dcs-notification", {"/body/inter_agency_failure": None}, ("/body/inter_agency_failure", "required")),
        ("dcs-notification", {"/body/categories": ["parent-death"], f"{CHILD}/related_people": []}, ("/body/children", "names-no-parent")),
        ("dcs-notification", {f"{CHILD}/statuses": []}, (f"{CHILD}/statuses", "too-few")),
        ("dcs-notification", {"/body/consultations/0/answered_at": "2026-11-22T08:59:59Z"}, ("/body/consultations/0/answered_at", "before-start")),
        ("dcs-notification", {"/body/consultations/0/answered_at": None}, ("/body/consultations/0/answered_at", "required")),
        ("serious-incident-alert", {"/body/reasons": []}, ("/body/reasons", "required")),
        ("serious-incident-alert", {"/body/subjects": ["connected-adult"]}, ("/body/connected_adult", "required")),
        ("serious-incident-alert", {"/body/known_elsewhere/teams": []}, ("/body/known_elsewhere/teams", "required")),
        ("imr", {"/body/analysis": None}, ("/body/analysis", "required")),
        ("imr", {"/body/extension_reason": "Too many records."}, ("/body/extension_reason", "not-allowed-here")),
        ("imr-request", {"/body/imr_due_at": ABSENT}, ("/body/imr_due_at", "required")),
        ("meeting-notice", {"/body/attendance": []}, ("/body/attendance", "required")),
        ("meeting-notice", {"/body/stage": "notice"}, ("/body/held_at", "not-allowed-here")),
        ("meeting-notice", {"/body/stage": "minutes", "/body/minutes": None}, ("/body/minutes", "required")),
        ("final-decision", {"/body/sent_to_panel_at": None}, ("/body/sent_to_panel_at", "required")),
        ("final-decision", {"/body/sent_to_panel": False}, ("/body/sent_to_panel_at", "not-allowed-here")),
        ("panel-response", {"/body/view": "more-information"}, ("/body/information_asked", "required")),
        ("investigation-report", {"/body/lessons": []}, ("/body/lessons", "too-few")),
        ("investigation-report", {"/body/urgent_concern": True}, ("/body/urgent_concern_at", "required")),
        ("task-record", {"/body/done_at": None}, ("/body/done_at", "required")),
        ("task-record", {"/body/status": "not-yet"}, ("/body/done_at", "not-allowed-here")),
        ("task-record", {"/body/status": "not-applicable"}, ("/body/note", "required")),
        ("task-record", {"/body/case_reference": "with\nlines"}, ("/body/case_reference", "bad-format")),
        ("review-decision", {"/body/responded_to_referrer_on": None}, ("/body/responded_to_referrer_on", "required")),
        ("review-decision", {"/body/file_audit_note": None}, ("/body/file_audit_note", "required")),
        ("review-decision", {"/body/decisions": []}, ("/body/decisions", "too-few")),
        ("review-decision", {"/body/decisions/1/seat": "head-of-service-sqa"}, ("/body/decisions", "each-seat-once")),
        ("review-decision", {"/body/review": "case-label"}, ("/body/decisions/0/outcome", "not-of-this-review")),
    ],
)  # fmt: skip
def test_what_a_form_must_say(slug: str, changes: Changes, expected: tuple[str, str]) -> None:
    assert faults(changed(slug, changes)) == [expected]


def test_s0_06_s0_25_a_need_to_know_is_sent_with_every_block_blank_and_says_so() -> None:
    blank = {f"/body/{block}": None for block in BLOCKS}
    bare = {**blank, "/body/incident_at": None, "/body/aware_at": None}
    codes = facts_of("need-to-know", bare).codes
    assert (codes["complete"], codes["blank"]) == (("no",), BLOCKS)
    filled = {f"/body/{block}": "Known." for block in BLOCKS}
    assert facts_of("need-to-know", filled).codes["complete"] == ("yes",)


def test_s0_25_a_sender_cannot_say_that_a_blank_form_is_complete() -> None:
    assert "complete" not in NeedToKnow.model_fields
    assert faults(changed("need-to-know", {"/body/complete": True})) == [("/body", "unknown-member")]


@pytest.mark.parametrize(
    "theirs", ["criteria", "decision", "review", "decisions", "rapid_review_referral", "other_action", "responded_to_referrer"]
)  # fmt: skip
def test_s3_22_the_sender_of_an_alert_cannot_write_the_decision_makers_half(theirs: str) -> None:
    """Fields 17 to 20 of table 2.3a have no member in the alert."""
    assert faults(changed("serious-incident-alert", {f"/body/{theirs}": "met"})) == [
        ("/body", "unknown-member")
    ]


@pytest.mark.parametrize("outcome", ["met", "not-met", "undecided"])
def test_x_26_whether_the_criteria_are_met_has_three_states(outcome: str) -> None:
    codes = facts_of("review-decision", {"/body/decisions/1/outcome": outcome}).codes
    assert codes["seat"] == ("head-of-service-sqa", "service-director")
    assert codes["outcome"] == ("met", outcome)


def another_teams_part(**others: Any) -> dict[str, Any]:
    section = {
        "team": "Exploitation Team",
        "completed_by": PERSON,
        "known": True,
        "outline": "Open since May.",
    }
    body = {"part": "other-team", "other_team": section, **others}
    return changed("serious-incident-alert", {"/body": body, "/in_reply_to": "msg-" + "a" * 26})


def test_s3_22_another_team_completes_its_section_in_answer_to_the_alert() -> None:
    """Field 15 of table 2.3a."""
    assert facts(read_message(as_bytes(another_teams_part()))) == Facts(codes={"part": ("other-team",)})
    unanchored = {**another_teams_part(), "in_reply_to": None}
    assert faults(unanchored) == [("/in_reply_to", "required")]
    assert faults(another_teams_part(reasons=["death"])) == [("/body/reasons", "not-allowed-here")]
    assert faults(another_teams_part(other_team=None)) == [("/body/other_team", "required")]


def test_k07_the_instant_since_which_a_child_is_missing_is_a_fact_of_the_form_and_of_a_call() -> None:
    assert facts_of("dcs-notification").moments["missing_since"] == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    rung = {"/body/missing_since": "2026-11-20T08:30:00Z"}
    assert facts_of("call-log", rung).moments["missing_since"] == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def test_x_02_an_alert_says_whether_it_is_retrospective() -> None:
    assert facts_of("serious-incident-alert").codes["retrospective"] == ("no",)
    late = {"/body/retrospective": True}
    assert facts_of("serious-incident-alert", late).codes["retrospective"] == ("yes",)


def test_k20_runs_only_from_a_decision_that_begins_a_local_review() -> None:
    begun = facts_of("final-decision").moments
    assert begun["lcspr_decided_at"] == begun["decided_at"]
    other = facts_of("final-decision", {"/body/decision": "none"}).moments
    assert "lcspr_decided_at" not in other


def test_s4_24_the_agencies_that_are_to_act_are_named_with_the_earliest_date() -> None:
    found = facts_of("rapid-review-report")
    assert found.agencies == ("northshire-hospitals", "harbour-view-primary")
    assert found.moments["actions_due_at"] == datetime(2026, 12, 12, tzinfo=UTC)


def test_g_10_a_day_asked_for_ends_at_londons_midnight() -> None:
    asked = {
        "kind": "extension-request", "involvement": None, "actions": None, "learning": None, "records_checked": [],
        "extension_reason": "Paper.", "extension_until_on": "2026-07-03",
    }  # fmt: skip
    found = facts_of("information-return", {f"/body/{name}": value for name, value in asked.items()})
    assert found.moments == {"extension_until_at": datetime(2026, 7, 3, 23, tzinfo=UTC)}


def test_a_copy_of_what_was_notified_starts_no_clock_but_that_of_its_submission() -> None:
    assert set(facts_of("sin-record").moments) == {"sin_submitted_at"}


@pytest.mark.parametrize("review", Review)
def test_every_review_has_outcomes_and_takes_each_of_them(review: Review) -> None:
    assert len(OUTCOMES[review]) >= 2
    for outcome in OUTCOMES[review]:
        decision = {**example("review-decision")["body"]["decisions"][0], "outcome": outcome.value}
        found = facts_of("review-decision", {"/body/review": review.value, "/body/decisions": [decision]})
        assert (found.codes["review"], found.codes["outcome"]) == ((review.value,), (outcome.value,))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"/body/lessons/0": "The child born 14.05.2021 was not seen."}, ("/body/lessons/0", "may-identify-someone")),
        ({"/body/lessons/0": "See 999 000 0018."}, ("/body/lessons/0", "may-identify-someone")),
        ({"/body/themes/0": "Fires near NE33 1AA"}, ("/body/themes/0", "may-identify-someone")),
        ({"/body/figures/0/count": 4}, ("/body/figures/0/count", "may-identify-someone")),
        ({"/body/figures/0/suppressed": True}, ("/body/figures/0/suppressed", "one-of")),
        ({"/body/figures/1/suppressed": None}, ("/body/figures/1/count", "required")),
        ({"/body/children": []}, ("/body", "unknown-member")),
        ({"/body/note": "A boy of fifteen."}, ("/body", "unknown-member")),
        ({"/body/period_to_on": "2026-10-31"}, ("/body/period_to_on", "before-start")),
        ({"/body/kind": "annual", "/body/themes": []}, ("/body/themes", "required")),
    ],
)  # fmt: skip
def test_s3_15_a_digest_is_about_nobody(changes: Changes, expected: tuple[str, str]) -> None:
    assert faults(changed("learning-digest", changes)) == [expected]


def test_the_only_words_of_a_digest_are_its_themes_and_lessons() -> None:
    schema = json.loads(schema_path("learning-digest").read_bytes())
    body = schema["$defs"]["LearningDigest"]["properties"]
    free = {name for name, member in body.items() if "maxLength" in json.dumps(member)}
    assert free == {"themes", "lessons"}


def test_every_type_of_the_contract_is_there() -> None:
    assert len(TYPES) == 26


def test_any_national_system_is_recorded_by_its_name_and_reference_and_none_is_written_to() -> None:
    """S4-08, X-19: the council submits by hand, whatever the system is called; the record holds name and reference."""
    for name in ("IDAMS", "Child Safeguarding Incident Notification System"):
        body = read_message(as_bytes(changed("sin-record", {"/body/national_system": name}))).body
        assert body.national_system == name
        assert body.national_reference == example("sin-record")["body"]["national_reference"]
