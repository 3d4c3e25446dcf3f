"""What the law asks after a child dies or is seriously harmed, from the coded facts of the messages alone.

The invariants: what is not known never makes a criterion "not met": it is undecided, and a person decides; more suspicion
never takes a duty away; no partner's silence or dissent is read here at all, for the duty to notify is the council's own
(P-05, X-29). Sources: Children Act 2004 section 16C(1) (P-01, S2-01), P-03, P-04, P-06, P-09, S0-01, X-07, X-16, X-23.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum, IntEnum

CLOCK = "K12"  # five working days from the council's awareness, for every notification (P-03, X-01)
NATURE = "nature"  # a message with this code speaks about the incident itself
NOT_KNOWN = "not-known"  # of several children's homes, one that nobody has named
# Who lives there, or came here alone, is nearly always looked after: a list of statuses that does not say so leaves it open.
_OF_LOOKED_AFTER = frozenset({"foster-care", "childrens-home", "secure-setting", "supported-accommodation"})
_CAME_ALONE = "unaccompanied-asylum-seeking"


class Known(IntEnum):
    """What is known of one condition, in an order: of several that must hold, the least counts (Kleene's logic)."""

    NO = 0
    UNKNOWN = 1
    YES = 2


class Standing(Enum):
    """How a criterion stands. UNDECIDED: a fact is missing, so a person decides."""

    NOT_MET = "not-met"
    UNDECIDED = "undecided"
    MET = "met"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the facts say of an incident. With several children a condition holds if it holds of any of them."""

    death: Known = Known.UNKNOWN
    serious_harm: Known = Known.UNKNOWN
    abuse_or_neglect: Known = (
        Known.UNKNOWN
    )  # known or suspected: the statutory test, without causation
    in_england: Known = Known.UNKNOWN
    in_this_area: Known = Known.UNKNOWN
    resident_here: Known = Known.UNKNOWN
    responsible_here: Known = (
        Known.UNKNOWN
    )  # that the council of this area looks or looked after the young person
    looked_after: Known = Known.UNKNOWN
    care_leaver: Known = Known.UNKNOWN
    regulated_setting: Known = Known.UNKNOWN
    child: Known = Known.UNKNOWN  # under 18 or not yet born (P-06)
    up_to_24: Known = Known.UNKNOWN  # 24 itself included (P-04, S4-02)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing the law or a local procedure asks. `referral`: it goes to the partners as a serious incident (S0-01)."""

    id: str
    title: str
    source: str
    notify: tuple[str, ...]
    statutory: bool = True
    referral: bool = True


ABUSE_IN_ENGLAND = Criterion(
    "abuse-in-england",
    "A child died or was seriously harmed, and abuse or neglect is known or suspected",
    "Children Act 2004 section 16C(1)(a); Working Together, chapter 5",
    ("panel", "ofsted", "safeguarding-partners"),
)
ABUSE_ABROAD = Criterion(
    "abuse-outside-england",
    "A child normally resident here died or was seriously harmed outside England, and abuse or neglect is known or suspected",
    "Children Act 2004 section 16C(1)(b); Working Together, chapter 5",
    ("panel", "ofsted", "safeguarding-partners"),
)
LOOKED_AFTER_DEATH = Criterion(
    "looked-after-death",
    "A looked-after child died, whether or not abuse or neglect is suspected",
    "Working Together, chapter 5",  # P-03, S2-03
    ("secretary-of-state", "ofsted", "safeguarding-partners"),
)
CARE_LEAVER_DEATH = Criterion(
    "care-leaver-death",
    "A care leaver up to and including the age of 24 died",
    "Working Together, chapter 5; by itself it needs no rapid review",  # P-04, S4-02
    ("secretary-of-state", "ofsted"),
    referral=False,
)
ABUSE_DEATH = Criterion(
    "abuse-death",
    "A child died, suspected suicide included, and abuse or neglect is known or suspected",
    "Local procedure",  # S0-01(a)
    (),
    statutory=False,
)
ABUSE_SERIOUS_HARM = Criterion(
    "abuse-serious-harm",
    "A child was seriously harmed, and abuse or neglect is known or suspected",
    "Local procedure",  # S0-01(b)
    (),
    statutory=False,
)
REGULATED_SETTING_DEATH = Criterion(
    "regulated-setting-death",
    "A child died in a regulated setting or service, whether or not abuse or neglect is suspected",
    "Local procedure",  # S0-01(d)
    (),
    statutory=False,
)
CRITERIA = (
    ABUSE_IN_ENGLAND,
    ABUSE_ABROAD,
    LOOKED_AFTER_DEATH,
    CARE_LEAVER_DEATH,
    ABUSE_DEATH,
    ABUSE_SERIOUS_HARM,
    REGULATED_SETTING_DEATH,
)
EVERY_CRITERION = frozenset(criterion.id for criterion in CRITERIA)
OF_THE_LAW = frozenset(criterion.id for criterion in CRITERIA if criterion.statutory)


@dataclass(frozen=True, slots=True)
class Finding:
    """How one criterion stands, and what follows if it is met.

    `by` says who must notify: `council` (of this partnership), `host-council` (where it happened, P-09),
    `responsible-council` (that looks or looked after the young person), `person-decides`, or None where nothing is to be
    notified nationally. `tell` are councils to be told besides. `missing` are the conditions that a person must settle.
    """

    criterion: Criterion
    standing: Standing
    by: str | None = None
    notify: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def clock(self) -> str | None:
        """The clock of the notification; None where nothing is to be notified nationally."""
        return CLOCK if self.by is not None else None


def situation(codes: Mapping[str, tuple[str, ...]], places: Collection[str]) -> Situation:
    """What one message's codes say. `places` are the local authorities that the partnership covers; empty: not known."""
    nature = codes.get(NATURE, ())
    status = codes.get("child_status", ())
    bands = codes.get("age_band", ())
    where = codes.get("place", ())
    in_england = _in_england(codes.get("outside_england", ()), where)
    return Situation(
        death=_of_a_child(_among(nature, {"death"}, {"not-known"}), codes),
        serious_harm=_of_a_child(_among(nature, {"serious-harm"}, {"not-known"}), codes),
        abuse_or_neglect=_among(codes.get("abuse_or_neglect", ()), {"known", "suspected"}, {"unknown"}),
        in_england=in_england,
        in_this_area=Known.NO if in_england is Known.NO else _of_area(where, places),
        resident_here=_of_area(codes.get("home_local_authority", ()), places),
        responsible_here=_of_area(codes.get("responsible_local_authority", ()), places),
        looked_after=_looked_after(status, codes.get("placement", ())),
        care_leaver=_among(status, {"care-leaver"}, {"status-not-known"}),
        regulated_setting=_among(codes.get("regulated_setting", ()), {"yes"}, {"unknown"}),
        child=Known.YES if "unborn" in status else _among(bands, {"unborn", "under-18"}, {"unknown"}),
        up_to_24=_up_to_24(bands),
    )


def together(told: Iterable[Situation]) -> Situation:
    """The situation that several messages on one incident give: a fact that any of them affirms is affirmed, and a fact that
    any of them knows is known."""
    several = tuple(told) or (Situation(),)
    merged = {f.name: _affirmed(getattr(one, f.name) for one in several) for f in fields(Situation)}
    return Situation(**merged)


def assess(facts: Situation, criteria: Collection[str] = EVERY_CRITERION) -> tuple[Finding, ...]:
    """How every criterion that is switched on stands; those of the law always are (X-16)."""
    wanted = OF_THE_LAW.union(criteria)
    conditions = _conditions(facts)
    return tuple(
        _find(criterion, facts, conditions[criterion.id]) for criterion in CRITERIA if criterion.id in wanted
    )


def unsettled(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is met or undecided: the question that an incident may not be closed without answering (S0-01)."""
    return tuple(finding for finding in findings if finding.standing is not Standing.NOT_MET)


def lives_elsewhere(codes: Mapping[str, tuple[str, ...]], places: Collection[str]) -> bool:
    """Whether a message says that a child's home or responsible council is another than this partnership's (P-09, G-07)."""
    named = (*codes.get("home_local_authority", ()), *codes.get("responsible_local_authority", ()))
    return bool(places) and any(code != NOT_KNOWN and code not in places for code in named)


def died_in_care(findings: Iterable[Finding]) -> bool:
    """Whether somebody died who was looked after, or a care leaver, or may have been: notified whatever is decided of abuse
    and neglect, so that "criteria not met" is no answer to it (S2-03, P-03, P-04)."""
    return any(
        finding.criterion in (LOOKED_AFTER_DEATH, CARE_LEAVER_DEATH) and "nature" not in finding.missing
        for finding in unsettled(findings)
    )


def _find(criterion: Criterion, facts: Situation, conditions: Mapping[str, Known]) -> Finding:
    least = min(conditions.values())
    standing = (Standing.NOT_MET, Standing.UNDECIDED, Standing.MET)[least]
    if standing is Standing.NOT_MET:
        return Finding(criterion, standing)
    missing = [name for name, known in conditions.items() if known is Known.UNKNOWN]
    if not criterion.statutory:
        return Finding(criterion, standing, missing=tuple(missing))
    if criterion is ABUSE_IN_ENGLAND:
        return _in_whose_area(criterion, standing, facts, missing)
    by = "council" if criterion is ABUSE_ABROAD else "responsible-council"
    tell = _home(facts)
    if criterion is not ABUSE_ABROAD and facts.responsible_here is Known.NO:
        tell += ("responsible-council",)
    return Finding(criterion, standing, by, criterion.notify, tell, tuple(missing))


def _conditions(facts: Situation) -> dict[str, Mapping[str, Known]]:
    """What must hold by criterion, each condition once, so that the least of them is what can be known of the whole."""
    harmed = max(facts.death, facts.serious_harm)
    abused = {"child": facts.child, "abuse-or-neglect": facts.abuse_or_neglect}
    death = {"nature": facts.death}
    return {
        ABUSE_IN_ENGLAND.id: {"nature": harmed, **abused, "outside-england": facts.in_england},
        ABUSE_ABROAD.id: {
            "nature": harmed,
            **abused,
            "outside-england": _not(facts.in_england),
            "home-local-authority": facts.resident_here,
        },
        LOOKED_AFTER_DEATH.id: {**death, "looked-after": facts.looked_after},
        CARE_LEAVER_DEATH.id: {**death, "care-leaver": facts.care_leaver, "age": facts.up_to_24},
        ABUSE_DEATH.id: {**death, **abused},
        ABUSE_SERIOUS_HARM.id: {"nature": facts.serious_harm, **abused},
        REGULATED_SETTING_DEATH.id: {
            **death,
            "child": facts.child,
            "regulated-setting": facts.regulated_setting,
        },
    }


def _in_whose_area(criterion: Criterion, standing: Standing, facts: Situation, missing: list[str]) -> Finding:
    """The council of the place notifies and leads; the child's home council is told (P-05, P-09, G-07)."""
    if facts.in_this_area is Known.NO:
        notify = tuple("other-partners" if to == "safeguarding-partners" else to for to in criterion.notify)
        return Finding(criterion, standing, "host-council", notify, ("host-council",), tuple(missing))
    open_place = facts.in_this_area is Known.UNKNOWN
    by = "person-decides" if open_place else "council"
    if open_place:
        missing.append("place")
    notify = criterion.notify + (("other-partners",) if facts.resident_here is Known.NO else ())
    return Finding(criterion, standing, by, notify, _home(facts), tuple(missing))


def _home(facts: Situation) -> tuple[str, ...]:
    return ("home-council",) if facts.resident_here is Known.NO else ()


def _among(said: Collection[str], yes: Collection[str], unknown: Collection[str] = ()) -> Known:
    """Yes when any value says so; no only when something was said and nothing was left open."""
    if any(value in yes for value in said):
        return Known.YES
    if not said or any(value in unknown for value in said):
        return Known.UNKNOWN
    return Known.NO


def _in_england(outside: Collection[str], where: Collection[str]) -> Known:
    if "no" in outside or (where and not outside):
        return Known.YES
    return Known.NO if "yes" in outside else Known.UNKNOWN


def _of_area(codes: Collection[str], places: Collection[str]) -> Known:
    if not codes or not places:
        return Known.UNKNOWN
    return _among(codes, places, {NOT_KNOWN})


def _of_a_child(happened: Known, codes: Mapping[str, tuple[str, ...]]) -> Known:
    """As told; but a form that is about somebody else, say a parent, does not say that it happened to a child (S1-09, S3-27)."""
    about = codes.get("subject_type", ())
    of_child = any(each.startswith("child") for each in (*about, *codes.get("categories", ())))
    return min(happened, Known.UNKNOWN) if about and not of_child else happened


def _looked_after(status: Collection[str], homes: Collection[str]) -> Known:
    """As the statuses say; but a foster home or a secure setting without that status is a question and not a "no" (S2-03)."""
    said = _among(status, {"looked-after"}, {"status-not-known", _CAME_ALONE})
    return max(said, Known.UNKNOWN) if _OF_LOOKED_AFTER.intersection(homes) else said


def _up_to_24(bands: Collection[str]) -> Known:
    """Which of several young people is the care leaver is not said, so that one who is older leaves it open."""
    if not bands or "unknown" in bands:
        return Known.UNKNOWN
    older = [band == "25-or-over" for band in bands]
    if all(older):
        return Known.NO
    return Known.UNKNOWN if any(older) else Known.YES


def _affirmed(said: Iterable[Known]) -> Known:
    """Yes beats no, and either beats not knowing."""
    values = set(said)
    if Known.YES in values:
        return Known.YES
    return Known.NO if Known.NO in values else Known.UNKNOWN


def _not(known: Known) -> Known:
    return Known(Known.YES - known)
