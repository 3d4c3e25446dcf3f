"""The one decision on every message, as a pure function of message and pack."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.clocks import Stage
from gateway.core.errors import ErrorCode
from gateway.core.messages import (
    AgencyId,
    AgencyKind,
    Facts,
    IncidentId,
    Message,
    MessageId,
    PartnershipId,
    RoleId,
)
from gateway.core.rules import (
    WRITTEN_HERE,
    ChaseRule,
    Forward,
    Hold,
    JointDecision,
    Pack,
    Recipients,
    Refuse,
    Route,
    answers_in_full,
    answers_task,
    chase_rule,
    decide,
    flags,
    is_avoided,
    is_each_time,
    joint_decision,
    moment_values,
)
from gateway.partnerships import packs

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
PACK: Pack = packs.shipped(PartnershipId("south-tyneside"))
REFERRAL = Message(
    MessageId("msg-" + "a" * 26),
    "referral",
    1,
    PACK.partnership,
    AgencyId("invented-police"),
    AgencyKind.POLICE,
    "REF-1",
    None,
    None,
    NOW,
    Facts(codes={"referral_kind": ("potential-sin",), "place": ("E08000023",)}),
)
KNOWN = IncidentId("SI-7K3M-9QPX-2D")


def with_codes(message: Message, **codes: tuple[str, ...]) -> Message:
    return replace(message, facts=replace(message.facts, codes={**message.facts.codes, **codes}))


def test_the_same_question_has_the_same_answer() -> None:
    assert decide(REFERRAL, PACK) == decide(REFERRAL, PACK)
    assert isinstance(decide(REFERRAL, PACK), Forward)


def test_a_type_that_the_pack_does_not_know_is_refused() -> None:
    answer = decide(replace(REFERRAL, type="learning-digest"), PACK)
    assert answer == Refuse("no-such-message-here", ErrorCode.NOT_PERMITTED, "/type")


@pytest.mark.parametrize("slug", sorted(WRITTEN_HERE))
def test_what_only_the_gateway_writes_is_refused_whatever_a_pack_says(slug: str) -> None:
    lax = Route("lax", slug, frozenset(AgencyKind), (Recipients(RoleId("sbu")),), opens=True)
    for pack in (PACK, replace(PACK, routes=(*PACK.routes, lax))):
        for released in (False, True):
            assert isinstance(decide(replace(REFERRAL, type=slug), pack, released), Refuse)


def test_only_the_council_records_a_notification() -> None:
    """S4-04."""
    for kind in AgencyKind:
        record = replace(REFERRAL, type="sin-record", agency_kind=kind, incident=KNOWN)
        assert isinstance(decide(record, PACK), Forward) == (kind is AgencyKind.LOCAL_AUTHORITY)


def test_a_message_that_opens_nothing_must_name_its_incident() -> None:
    answer = decide(replace(REFERRAL, type="information-return"), PACK)
    assert answer == Refuse("information-return", ErrorCode.INVALID_MESSAGE, "/incident")


def test_no_rule_for_these_facts_is_an_officer_s_question() -> None:
    answer = decide(with_codes(REFERRAL, referral_kind=("something-else",)), PACK)
    assert answer == Hold("no-rule-fits", ("no-rule-fits",))


def test_what_only_others_may_say_is_refused_and_never_held_for_nobody_to_release() -> None:
    """S3-09: a sender of one kind of review decision is no sender of every kind."""
    ours = Route("ours", "call-log", frozenset({AgencyKind.POLICE}), (), when={"kind": frozenset({"ours"})})
    theirs = Route(
        "theirs", "call-log", frozenset({AgencyKind.ICB}), (), when={"kind": frozenset({"theirs"})}
    )
    pack = replace(PACK, routes=(ours, theirs))
    call = replace(REFERRAL, type="call-log", incident=KNOWN, agency_kind=AgencyKind.POLICE)
    assert decide(with_codes(call, kind=("ours",)), pack) == Forward(ours)
    for released in (False, True):
        refused = Refuse("sender-not-permitted", ErrorCode.NOT_PERMITTED, "/type")
        assert decide(with_codes(call, kind=("theirs",)), pack, released) == refused
    assert isinstance(decide(with_codes(call, kind=("neither",)), pack), Hold)


@pytest.mark.parametrize(
    ("codes", "reasons"),
    [
        ({"place": ("E08000021",)}, ("place-outside-partnership",)),
        ({"place": ("E08000021", "E08000023")}, ()),
        ({"place": ()}, ()),
        ({"do_not_contact": ("person",)}, ("do-not-contact-person",)),
        ({"do_not_contact": ("icb/*",)}, ()),
        (
            {"place": ("E08000021",), "do_not_contact": ("person",)},
            ("place-outside-partnership", "do-not-contact-person"),
        ),
    ],
)
def test_doubts_hold_with_every_reason_until_an_officer_has_looked(
    codes: dict[str, tuple[str, ...]], reasons: tuple[str, ...]
) -> None:
    message = with_codes(REFERRAL, **codes)
    answer = decide(message, PACK)
    assert (answer.reasons if isinstance(answer, Hold) else ()) == reasons
    assert isinstance(decide(message, PACK, released=True), Forward)


def test_a_release_takes_nothing_that_is_refused() -> None:
    assert isinstance(decide(replace(REFERRAL, type="information-return"), PACK, released=True), Refuse)


@pytest.mark.parametrize(
    ("avoided", "agency", "role", "expected"),
    [
        ("icb/dsp-icb", "icb", "dsp-icb", True),
        ("icb/dsp-icb", "icb", "agency-responder", False),
        ("icb/*", "icb", "agency-responder", True),
        ("*/dsp-icb", "other-icb", "dsp-icb", True),
        ("*/dsp-icb", "icb", "dsp-la", False),
        ("person", "icb", "dsp-icb", False),
    ],
)
def test_who_must_not_be_told(avoided: str, agency: str, role: str, expected: bool) -> None:
    """G-08."""
    assert is_avoided((avoided,), AgencyId(agency), RoleId(role)) is expected


@pytest.mark.parametrize(
    ("by", "expected"),
    [(("person",), True), (("system",), False), ((), False), (("system", "person"), False)],
)
def test_only_a_person_s_acknowledgement_answers_in_full(by: tuple[str, ...], expected: bool) -> None:
    route = next(route for route in PACK.routes if route.message == "acknowledgement")
    message = with_codes(replace(REFERRAL, type="acknowledgement"), by=by)
    assert answers_in_full(route, message) is expected


@pytest.mark.parametrize(
    ("kind", "expected"), [("full", True), ("nil", True), ("partial", False), ("extension-request", False)]
)
def test_a_partial_return_answers_nothing_and_a_nil_return_does(kind: str, expected: bool) -> None:
    """G-09, G-10."""
    route = next(route for route in PACK.routes if route.message == "information-return")
    message = with_codes(replace(REFERRAL, type="information-return"), kind=(kind,))
    assert answers_in_full(route, message) is expected


def test_a_rule_s_own_moments_are_the_arrival_whatever_the_body_says() -> None:
    earlier = NOW - timedelta(days=9)
    message = replace(REFERRAL, facts=Facts({"aware_at": earlier, "incident_at": earlier}))
    route = next(route for route in PACK.routes if route.id == "referral")
    values = moment_values(route, message)
    assert values == {"aware_at": NOW, "incident_at": earlier, "referral_received_at": NOW}


def test_what_only_some_seats_may_say_waits_when_another_wrote_it() -> None:
    """S2-07: only who holds the submitter's seat marks a notification as submitted; the directory says who does."""
    submitter = RoleId("head-of-service-sqa")
    routes = tuple(replace(r, by=frozenset({submitter})) if r.id == "referral" else r for r in PACK.routes)
    strict = replace(PACK, routes=routes)
    assert isinstance(decide(replace(REFERRAL, author_roles=frozenset({submitter})), strict), Forward)
    for roles in (frozenset[RoleId](), frozenset({RoleId("reporter")})):
        written = replace(REFERRAL, author_roles=roles)
        assert decide(written, strict) == Hold("referral", ("author-not-in-seat",))
        assert isinstance(decide(written, strict, released=True), Forward)


REVIEW = with_codes(replace(REFERRAL, type="review-decision"), review=("hos-oversight",), seat=("dcs",))
OVERSIGHT = JointDecision(
    "oversight",
    "review-decision",
    (RoleId("dcs"),),
    RoleId("dcs"),
    "outcome",
    {"review": frozenset({"hos-oversight"})},
    each=True,
)
LABEL = replace(OVERSIGHT, id="label", when={"review": frozenset({"case-label"})}, each=False)


def test_a_message_answers_in_the_one_decision_that_its_facts_name() -> None:
    """X-14."""
    pack = replace(PACK, decisions=(LABEL, OVERSIGHT))
    assert joint_decision(pack, REVIEW.type, REVIEW.facts) == OVERSIGHT
    assert joint_decision(pack, REVIEW.type, with_codes(REVIEW, review=("dcs-review",)).facts) is None


@pytest.mark.parametrize(
    ("expects", "task", "expected"),
    [
        ("acknowledgement", None, True),
        ("review-decision", "hos-oversight", True),
        ("review-decision", "case-label", False),
        ("review-decision", None, True),
        ("task-record", "case-note", False),
    ],
)
def test_what_is_owed_anew_for_each_message(expects: str, task: str | None, expected: bool) -> None:
    assert is_each_time(replace(PACK, decisions=(LABEL, OVERSIGHT)), expects, task) is expected


@pytest.mark.parametrize(
    ("slug", "codes", "task", "expected"),
    [
        ("task-record", {"task": ("case-note",)}, "case-note", True),
        ("task-record", {"task": ("staff-welfare",)}, "case-note", False),
        ("review-decision", {"review": ("dcs-review",)}, "dcs-review", True),
        ("information-return", {}, None, True),
        ("information-return", {"task": ("case-note",)}, "case-note", False),
    ],
)
def test_an_answer_meets_the_task_that_it_names(
    slug: str, codes: dict[str, tuple[str, ...]], task: str | None, expected: bool
) -> None:
    message = replace(REFERRAL, type=slug, facts=Facts(codes=codes))
    assert answers_task(task, message) is expected


@pytest.mark.parametrize(
    ("status", "expected"), [("done", True), ("not-applicable", True), ("not-yet", False)]
)
def test_a_task_that_is_not_done_yet_answers_nothing(status: str, expected: bool) -> None:
    route = Route("task", "task-record", frozenset(AgencyKind), ())
    message = with_codes(replace(REFERRAL, type="task-record"), status=(status,))
    assert answers_in_full(route, message) is expected
    assert not answers_in_full(route, replace(message, facts=Facts()))


def test_a_code_that_says_yes_is_a_flag() -> None:
    """X-02: retrospective."""
    facts = Facts(codes={"retrospective": ("yes",), "media": ("no",), "nature": ("death",)})
    assert flags(facts) == ("retrospective",)


def test_the_narrower_chase_wins_and_no_other_stage_s_does() -> None:
    wide = ChaseRule(Stage.DUE, ("owner",))
    by_type = ChaseRule(Stage.DUE, ("sbu",), expects=frozenset({"imr"}))
    by_both = ChaseRule(Stage.DUE, ("dcs",), expects=frozenset({"imr"}), clocks=frozenset({"K19"}))
    pack = replace(PACK, chases=(wide, by_type, by_both))
    assert chase_rule(pack, Stage.DUE, "imr", "K19") == by_both
    assert chase_rule(pack, Stage.DUE, "imr", "K14") == by_type
    assert chase_rule(pack, Stage.DUE, "sin-record", "K12") == wide
    assert chase_rule(pack, Stage.HALF, "imr", "K19") is None
