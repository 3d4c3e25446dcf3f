"""What the law asks, over every combination of what can be known (S0-01, S2-01, S2-03, S2-06, S4-01, S4-02, P-01 to P-06,
P-09, X-07, X-16, X-23), and the laws that hold whatever is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise, product

import pytest

from gateway.core.ages import age_on
from gateway.core.statutory import (
    ABUSE_DEATH,
    CRITERIA,
    EVERY_CRITERION,
    NOT_KNOWN,
    OF_THE_LAW,
    Finding,
    Known,
    Standing,
    assess,
    situation,
    together,
    unsettled,
)

HERE, ELSEWHERE = "E08000023", "E08000021"
PLACES = frozenset({HERE})

NATURES = ("death", "serious-harm", "other", None)
ABUSE = ("known", "suspected", "none", "unknown")
WHERE = ("here", "elsewhere", "abroad", "unknown")
HOMES = ("here", "elsewhere", None)
STATUSES = ("looked-after", "care-leaver", "child-in-need", "status-not-known")
REGULATED = ("yes", "no", "unknown")
BANDS = ("unborn", "under-18", "18-to-24", "25-or-over", "unknown")
Case = tuple[str | None, str, str, str | None, str, str, str]
CASES: list[Case] = list(product(NATURES, ABUSE, WHERE, HOMES, STATUSES, REGULATED, BANDS))


def codes(case: Case) -> dict[str, tuple[str, ...]]:
    nature, abuse, where, home, status, regulated, band = case
    outside = {"here": "no", "elsewhere": "no", "abroad": "yes"}.get(where)
    place = {"here": HERE, "elsewhere": ELSEWHERE}.get(where)
    return {
        "nature": (nature,) if nature else (),
        "abuse_or_neglect": (abuse,),
        "outside_england": (outside,) if outside else ("unknown",),
        "place": (place,) if place else (),
        "home_local_authority": ({"here": HERE, "elsewhere": ELSEWHERE}[home],) if home else (),
        "child_status": (status,),
        "regulated_setting": (regulated,),
        "age_band": (band,),
    }


def found(case: Case) -> dict[str, Finding]:
    return {each.criterion.id: each for each in assess(situation(codes(case), PLACES))}


def by_hand(case: Case) -> frozenset[str]:
    """Which criteria a lawyer would call met when everything is known: written apart from the code under test."""
    nature, abuse, where, home, status, regulated, band = case
    child, suspected = band in ("unborn", "under-18"), abuse in ("known", "suspected")
    grave = nature in ("death", "serious-harm") and child and suspected
    met = {
        "abuse-in-england": grave and where in ("here", "elsewhere"),
        "abuse-outside-england": grave and where == "abroad" and home == "here",
        "looked-after-death": nature == "death" and status == "looked-after",
        "care-leaver-death": nature == "death" and status == "care-leaver" and band != "25-or-over",
        "abuse-death": grave and nature == "death",
        "abuse-serious-harm": grave and nature == "serious-harm",
        "regulated-setting-death": nature == "death" and child and regulated == "yes",
    }
    return frozenset(name for name, holds in met.items() if holds)


def completions(case: Case) -> list[Case]:
    """Everything that could turn out to be so once what is unknown is known."""
    nature, abuse, where, home, status, regulated, band = case
    return list(
        product(
            (nature,) if nature else NATURES[:3],
            (abuse,) if abuse != "unknown" else ABUSE[:3],
            (where,) if where != "unknown" else WHERE[:3],
            (home,) if home else HOMES[:2],
            (status,) if status != "status-not-known" else STATUSES[:3],
            (regulated,) if regulated != "unknown" else REGULATED[:2],
            (band,) if band != "unknown" else BANDS[:4],
        )
    )


HAND = {case: by_hand(case) for case in CASES if completions(case) == [case]}


@pytest.mark.parametrize("nature", NATURES)
def test_s2_01_every_combination_is_met_undecided_or_not_met_as_what_is_unknown_can_turn_out(
    nature: str | None,
) -> None:
    """Met in all completions: met. In none: not met. Else a person decides, and is told what to settle."""
    for case in (case for case in CASES if case[0] == nature):
        possible = [HAND[each] for each in completions(case)]
        for name, finding in found(case).items():
            holds = [name in met for met in possible]
            expected = Standing.MET if all(holds) else Standing.UNDECIDED if any(holds) else Standing.NOT_MET
            assert finding.standing is expected, (case, name)
            assert bool(finding.missing) >= (finding.standing is Standing.UNDECIDED), (case, name)


def test_adding_suspicion_never_removes_a_duty() -> None:
    order = ("none", "unknown", "suspected", "known")
    rank = {Standing.NOT_MET: 0, Standing.UNDECIDED: 1, Standing.MET: 2}
    for case in CASES:
        ranks = []
        for abuse in order:
            raised = (case[0], abuse, *case[2:])
            ranks.append({name: rank[each.standing] for name, each in found(raised).items()})
        for less, more in pairwise(ranks):
            assert all(more[name] >= less[name] for name in less), case


def test_known_and_suspected_are_one_test_and_causation_is_none() -> None:
    """X-07, S4-01: the statutory test asks whether abuse or neglect is known or suspected, not whether it was the cause."""
    for case in CASES:
        if case[1] == "known":
            assert found(case) == found((case[0], "suspected", *case[2:]))


def test_a_second_message_never_takes_away_what_the_first_affirmed() -> None:
    first = ("death", "suspected", "here", "here", "looked-after", "yes", "under-18")
    doubtful = ("other", "none", "abroad", "elsewhere", "child-in-need", "no", "25-or-over")
    alone = assess(situation(codes(first), PLACES))
    both = assess(together([situation(codes(each), PLACES) for each in (first, doubtful)]))
    met = {each.criterion.id for each in alone if each.standing is Standing.MET}
    assert met == {each.criterion.id for each in both if each.standing is Standing.MET} & met
    assert len(met) == 4


def test_what_only_the_second_message_knows_is_known() -> None:
    open_case = ("death", "unknown", "here", "here", "child-in-need", "no", "under-18")
    closed = ("death", "none", "here", "here", "child-in-need", "no", "under-18")
    assert unsettled(assess(situation(codes(open_case), PLACES)))
    assert not unsettled(assess(together([situation(codes(each), PLACES) for each in (open_case, closed)])))


def test_p_05_and_p_09_the_council_of_the_place_notifies_and_the_home_council_is_told() -> None:
    here = found(("death", "known", "here", "elsewhere", "child-in-need", "no", "under-18"))[
        "abuse-in-england"
    ]
    assert (here.by, here.tell, here.clock) == ("council", ("home-council",), "K12")
    assert here.notify == ("panel", "ofsted", "safeguarding-partners", "other-partners")
    there = found(("death", "known", "elsewhere", "here", "child-in-need", "no", "under-18"))[
        "abuse-in-england"
    ]
    assert (there.by, there.tell) == ("host-council", ("host-council",))
    assert "other-partners" in there.notify
    assert "safeguarding-partners" not in there.notify


def test_where_no_area_is_known_the_duty_stands_and_a_person_says_whose_it_is() -> None:
    """A partnership that lists no places cannot tell its own area from another: the duty is met all the same."""
    told = codes(("death", "known", "here", "here", "child-in-need", "no", "under-18"))
    (first, *_) = assess(situation(told, frozenset()))
    assert (first.standing, first.by, first.missing) == (Standing.MET, "person-decides", ("place",))


def test_s2_03_a_looked_after_death_goes_to_the_secretary_of_state_and_ofsted_whatever_the_suspicion() -> (
    None
):
    for abuse in ABUSE:
        each = found(("death", abuse, "abroad", None, "looked-after", "no", "unknown"))["looked-after-death"]
        assert (each.standing, each.by) == (Standing.MET, "responsible-council")
        assert set(each.notify) >= {"secretary-of-state", "ofsted"}
        assert "panel" not in each.notify


def test_s4_02_a_care_leavers_death_is_notified_and_needs_no_referral_by_itself() -> None:
    each = found(("death", "none", "here", "here", "care-leaver", "no", "18-to-24"))["care-leaver-death"]
    assert (each.standing, each.criterion.referral) == (Standing.MET, False)
    assert each.notify == ("secretary-of-state", "ofsted")


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("2001-06-15", "2026-06-14", 24),  # the day before the 25th birthday
        ("2001-06-15", "2026-06-15", 25),
        ("2004-02-29", "2029-02-28", 24),  # 29 February: the birthday falls on 1 March
        ("2004-02-29", "2029-03-01", 25),
        ("2000-02-29", "2025-02-28", 24),
        ("2008-02-29", "2026-02-28", 17),  # still a child: a care leaver under 18 is in scope as one
    ],
)
def test_edge_case_16_a_young_person_is_twenty_four_until_the_day_before_the_birthday(
    born: str, on: str, age: int
) -> None:
    """P-04, S4-02, X-23; which band a message's facts give is tested with the schemas."""
    assert age_on(date.fromisoformat(born), date.fromisoformat(on)) == age


def test_of_several_young_people_one_who_is_older_leaves_the_care_leavers_age_open() -> None:
    several = codes(("death", "none", "here", "here", "care-leaver", "no", "18-to-24"))
    several["age_band"] = ("18-to-24", "25-or-over")
    each = {e.criterion.id: e for e in assess(situation(several, PLACES))}["care-leaver-death"]
    assert (each.standing, each.missing) == (Standing.UNDECIDED, ("age",))


def test_s2_01_a_home_that_is_not_known_of_one_child_is_not_elsewhere_because_the_other_s_is() -> None:
    """Two children hurt abroad: one lives elsewhere, and of the other nobody has said where. That is no "not met"."""
    two = codes(("serious-harm", "known", "abroad", "elsewhere", "child-in-need", "no", "under-18"))
    two["home_local_authority"] = (ELSEWHERE, NOT_KNOWN)
    each = {e.criterion.id: e for e in assess(situation(two, PLACES))}["abuse-outside-england"]
    assert (each.standing, each.missing) == (Standing.UNDECIDED, ("home-local-authority",))
    two["home_local_authority"] = (HERE, NOT_KNOWN)
    each = {e.criterion.id: e for e in assess(situation(two, PLACES))}["abuse-outside-england"]
    assert each.standing is Standing.MET


@pytest.mark.parametrize(
    "told",
    [
        {"placement": ("foster-care",)},
        {"placement": ("with-family", "childrens-home")},
        {"placement": ("secure-setting",)},
        {"child_status": ("unaccompanied-asylum-seeking",)},
    ],
)
def test_s2_03_who_lives_in_care_or_came_alone_is_not_said_to_be_out_of_care(
    told: dict[str, tuple[str, ...]],
) -> None:
    """Another area's police tick "unknown to services" for a child in a foster home: a person decides, before five days pass."""
    death = codes(("death", "none", "here", "here", "unknown-to-services", "no", "under-18"))
    plain = {e.criterion.id: e for e in assess(situation(death, PLACES))}["looked-after-death"]
    assert plain.standing is Standing.NOT_MET
    each = {e.criterion.id: e for e in assess(situation(death | told, PLACES))}["looked-after-death"]
    assert (each.standing, each.missing) == (Standing.UNDECIDED, ("looked-after",))


@pytest.mark.parametrize("about", [("connected-adult",), ("staff", "public")])
def test_s1_09_s3_27_a_parent_s_death_is_not_said_to_be_a_child_s(about: tuple[str, ...]) -> None:
    """Nor is it said not to be one: a person decides. With a child among those whom it is about it is as told."""
    told = codes(("death", "suspected", "here", "here", "looked-after", "no", "under-18"))
    adult = {e.criterion.id: e for e in assess(situation(told | {"subject_type": about}, PLACES))}
    for name in ("abuse-in-england", "abuse-death", "looked-after-death"):
        assert (adult[name].standing, adult[name].missing[0]) == (Standing.UNDECIDED, "nature")
    both = assess(situation(told | {"subject_type": (*about, "child")}, PLACES))
    assert both == assess(situation(told, PLACES))
    category = {"subject_type": about, "categories": ("child-death-or-serious-injury",)}
    assert assess(situation(told | category, PLACES)) == both


def test_an_unborn_child_is_a_child_even_without_an_age() -> None:
    """P-06, X-23."""
    told = codes(("serious-harm", "suspected", "here", "here", "unborn", "no", "unknown"))
    assert situation(told, PLACES).child is Known.YES


def test_s0_01_each_of_the_four_grounds_goes_to_the_partners() -> None:
    grounds = {
        "abuse-death": ("death", "suspected", "here", "here", "child-in-need", "no", "under-18"),
        "abuse-serious-harm": ("serious-harm", "known", "here", "here", "child-in-need", "no", "under-18"),
        "looked-after-death": ("death", "none", "here", "here", "looked-after", "no", "under-18"),
        "regulated-setting-death": ("death", "none", "here", "here", "child-in-need", "yes", "under-18"),
    }
    for name, case in grounds.items():
        each = found(case)[name]
        assert (each.standing, each.criterion.referral) == (Standing.MET, True)


def test_a_near_miss_meets_no_criterion() -> None:
    told = codes(("other", "known", "here", "here", "looked-after", "yes", "under-18")) | {
        "nature": ("near-miss",)
    }
    assert not unsettled(assess(situation(told, PLACES)))


def test_x_16_local_criteria_are_switched_and_those_of_the_law_are_not() -> None:
    facts = situation(codes(("death", "known", "here", "here", "child-in-need", "yes", "under-18")), PLACES)
    assert {each.criterion.id for each in assess(facts, ())} == OF_THE_LAW
    assert {each.criterion.id for each in assess(facts)} == EVERY_CRITERION
    switched = assess(facts, ("regulated-setting-death",))
    assert {each.criterion.id for each in switched} == OF_THE_LAW | {"regulated-setting-death"}


def test_every_criterion_names_its_source_and_nothing_of_partners_votes_is_read() -> None:
    """P-05, X-29: the duty to notify is the council's own; a triage decision's codes change nothing here."""
    assert all(criterion.source and criterion.title for criterion in CRITERIA)
    told = codes(("death", "known", "here", "here", "child-in-need", "no", "under-18"))
    against = told | {"outcome": ("no-further-action",), "criteria_met": ("no",), "seat": ("dsp-la",)}
    assert situation(told, PLACES) == situation(against, PLACES)
    assert situation(told, PLACES) != replace(situation(told, PLACES), death=Known.NO)


def test_a_nature_that_is_said_to_be_not_known_leaves_every_criterion_open() -> None:
    """A form that does not know yet what happened (S0-06) never says that the law asks nothing."""
    told = situation(
        {"nature": ("not-known",), "abuse_or_neglect": ("suspected",), "age_band": ("under-18",)}, ()
    )
    assert (told.death, told.serious_harm) == (Known.UNKNOWN, Known.UNKNOWN)
    assert ABUSE_DEATH in {finding.criterion for finding in unsettled(assess(told))}
