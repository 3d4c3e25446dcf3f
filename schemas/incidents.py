"""What happened: the block that every form of an incident shares, and what rules may read of it.

The four forms that may open an incident (M01, M04, M05, M06) give the same codes under the same names, because one
statutory test is asked of all of them (S2-01, S2-03, S4-02, S0-01). What follows from the codes is the partnership's data;
here nothing is decided, and nothing that is not known is taken for "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core import statutory
from gateway.core.ages import ADULT_AGE, CARE_LEAVER_LAST_AGE, age_on
from gateway.core.statutory import Standing
from schemas.fields import (
    LONDON,
    Coded,
    Distinct,
    Instant,
    Line,
    LocalAuthorityCode,
    LongText,
    Postcode,
    ShortText,
)
from schemas.model import Model, Need, Path, fault, moments, words
from schemas.people import BirthDateStatus, Child, ChildStatus, Placement
from schemas.vocabulary import YesNoUnknown


class SubjectType(StrEnum):
    """Whom or what the incident is about (S0-02, S1-06, S3-27, X-25)."""

    CHILD = "child"
    CONNECTED_ADULT = "connected-adult"
    STAFF = "staff"
    SERVICE_USER = "service-user"
    PUBLIC = "public"
    PREMISES = "premises"
    FINANCES = "finances"
    INFORMATION = "information"
    OTHER = "other"


class Nature(StrEnum):
    """What happened, or for a near miss what nearly did. Status at death (looked after, care leaver) is the child's."""

    DEATH = "death"
    SERIOUS_HARM = "serious-harm"
    NEAR_MISS = "near-miss"
    OTHER = "other"
    NOT_KNOWN = "not-known"


class AbuseOrNeglect(StrEnum):
    """Whether abuse or neglect is known or suspected (the statutory test: S2-01, X-07)."""

    KNOWN = "known"
    SUSPECTED = "suspected"
    NONE = "none"
    UNKNOWN = "unknown"


class AbuseType(StrEnum):
    """Kinds of abuse or neglect, known or suspected."""

    PHYSICAL = "physical"
    EMOTIONAL = "emotional"
    SEXUAL = "sexual"
    NEGLECT = "neglect"
    CRIMINAL_EXPLOITATION = "criminal-exploitation"
    SEXUAL_EXPLOITATION = "sexual-exploitation"
    DOMESTIC_ABUSE = "domestic-abuse"
    ONLINE = "online"
    OTHER = "other"
    NOT_KNOWN = "not-known"


class PlaceKind(StrEnum):
    """The kind of place where it happened."""

    HOME = "home"
    OTHER_HOME = "other-home"
    FOSTER_HOME = "foster-home"
    CHILDRENS_HOME = "childrens-home"
    SCHOOL_OR_COLLEGE = "school-or-college"
    EARLY_YEARS_SETTING = "early-years-setting"
    HOSPITAL = "hospital"
    SECURE_SETTING = "secure-setting"
    PUBLIC_PLACE = "public-place"
    ONLINE = "online"
    OTHER = "other"
    NOT_KNOWN = "not-known"


class TimePrecision(StrEnum):
    """How exact `incident_at` is: for `day`, give midnight local time."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    DAY = "day"


class MediaInterest(StrEnum):
    """Whether the press or the public take an interest."""

    NONE = "none"
    POSSIBLE = "possible"
    LIKELY = "likely"
    PRESENT = "present"
    UNKNOWN = "unknown"


class PoliceInvestigation(StrEnum):
    """Whether the police are investigating."""

    NONE = "none"
    EXPECTED = "expected"
    UNDER_WAY = "under-way"
    CONCLUDED = "concluded"
    UNKNOWN = "unknown"


class Place(Model):
    """Where it happened: it decides which council must notify (S2-01, P-05, G-07)."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("outside_england", False, requires=("local_authority",)),)

    local_authority: LocalAuthorityCode | None = None
    """The council in whose area it happened; may be absent only outside England."""
    kind: Coded[PlaceKind]
    """The kind of place."""
    outside_england: bool
    """Whether it happened outside England."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """ISO 3166-1 two-letter code, when outside the United Kingdom."""
    description: ShortText | None = None
    """The place in words."""
    postcode: Postcode | None = None
    """Its postcode, if it has one."""


class ParallelProcess(StrEnum):
    """A process about the same matter under another duty (S3-06, domain section 6.1)."""

    DOMESTIC_HOMICIDE_REVIEW = "domestic-homicide-review"
    CRITICAL_INCIDENT_REVIEW = "critical-incident-review"
    CHILD_DEATH_REVIEW = "child-death-review"
    HEALTH_SERIOUS_INCIDENT_REVIEW = "health-serious-incident-review"
    EDUCATION_CRITICAL_INCIDENT = "education-critical-incident"
    SAFEGUARDING_ADULTS_REVIEW = "safeguarding-adults-review"
    CRIMINAL_PROCEEDINGS = "criminal-proceedings"
    OTHER = "other"


class LinkedProcess(Model):
    """Another process about the same matter."""

    process: Coded[ParallelProcess]
    """Which."""
    lead_agency: Line
    """Who leads it."""
    reference: Line | None = None
    """Its reference there."""
    began_first: Coded[YesNoUnknown] = YesNoUnknown.UNKNOWN
    """Whether it began before this message, and so was its source."""


class FamilyContact(Model):
    """Who speaks with the family, or why nobody has yet (S4-21)."""

    SOME_OF: ClassVar[tuple[tuple[str, ...], ...]] = (("lead", "not_yet_because"),)

    lead: Line | None = None
    """Who keeps contact with the family."""
    contacted_at: Instant | None = None
    """When the family was told."""
    not_yet_because: ShortText | None = None
    """Why not yet."""


class IncidentAccount(Model):
    """What happened, when, and when the sender's agency learnt of it. The two instants are never inferred."""

    incident_at: Instant | None = None
    """When it happened, if that is known."""
    incident_at_precision: Coded[TimePrecision] = TimePrecision.EXACT
    """How exact that is."""
    aware_at: Instant
    """When the agency became aware; may be long after (S2-04)."""
    ongoing: bool = False
    """Whether it goes on, or began before a birth: only then may `aware_at` be before `incident_at`."""
    place: Place | None = None
    """Where it happened, if that is known."""
    regulated_setting: Coded[YesNoUnknown] | None = None
    """Whether in a regulated setting or service (S0-01); absent, a registered kind of place or placement says yes."""
    nature: Coded[Nature]
    """Death, serious harm, a near miss."""
    suspected_suicide: Coded[YesNoUnknown] | None = None
    """Whether suicide is suspected."""
    cause_of_death: ShortText | None = None
    """After a death, if known."""
    abuse_or_neglect: Coded[AbuseOrNeglect]
    """Known, suspected, none or unknown."""
    abuse_types: Distinct[Coded[AbuseType]] = ()
    """Which kinds."""
    alleged_perpetrator: Line | None = None
    """What the alleged perpetrator is to the child, without a name."""
    contributory_factor: ShortText | None = None
    """Why abuse or neglect is thought to be a cause or contributory factor, or not (S4-01)."""
    description: LongText
    """What is known, in facts: without opinion or conjecture (S0-14)."""
    immediate_actions: LongText
    """What has been done and decided to make the child and others safe."""
    media_interest: Coded[MediaInterest] = MediaInterest.UNKNOWN
    """Interest of press or public."""
    police_investigation: Coded[PoliceInvestigation] = PoliceInvestigation.UNKNOWN
    """Whether the police investigate."""
    coroner_informed: Coded[YesNoUnknown] | None = None
    """After a death."""
    child_death_review_informed: Coded[YesNoUnknown] | None = None
    """After a death."""
    family_informed: Coded[YesNoUnknown] | None = None
    """Whether the family knows of this message (S4-21)."""
    family_contact: FamilyContact | None = None
    """Who speaks with the family."""
    parallel_processes: Annotated[tuple[LinkedProcess, ...], Field(strict=False, max_length=20)] = ()
    """Other processes about the same matter."""

    def instants(self) -> dict[str, datetime]:
        """The instants that start clocks, each of its own."""
        return moments(incident_at=self.incident_at, aware_at=self.aware_at)


class IncidentDetails(IncidentAccount):
    """What happened, when and where, as partners need it to decide. The two instants are never inferred."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("ongoing", False, requires=("incident_at",)),)

    place: Place
    """Where it happened."""
    media_interest: Coded[MediaInterest]
    """Interest of press or public."""
    police_investigation: Coded[PoliceInvestigation]
    """Whether the police investigate."""


class AgeBand(StrEnum):
    """How old a child or young person was when it happened, as the law asks it (X-23, P-04)."""

    UNBORN = "unborn"
    UNDER_18 = "under-18"
    FROM_18_TO_24 = "18-to-24"
    FROM_25 = "25-or-over"
    UNKNOWN = "unknown"


# What may oblige the council to notify or refer, whatever a local procedure says; `none` where none of them is met.
GROUNDS = (
    statutory.ABUSE_DEATH,
    statutory.ABUSE_SERIOUS_HARM,
    statutory.LOOKED_AFTER_DEATH,
    statutory.REGULATED_SETTING_DEATH,
    statutory.CARE_LEAVER_DEATH,
)
_AGES = {"child", "age"}
_REGISTERED_PLACES = {PlaceKind.FOSTER_HOME, PlaceKind.CHILDRENS_HOME, PlaceKind.SECURE_SETTING}
_REGISTERED_PLACEMENTS = {
    Placement.FOSTER_CARE,
    Placement.CHILDRENS_HOME,
    Placement.SECURE_SETTING,
    Placement.SUPPORTED_ACCOMMODATION,
}


def check_awareness(incident: IncidentAccount, children: Iterable[Child]) -> None:
    """Awareness follows the incident, unless it is ongoing or about an unborn child (edge case 17 of section 11.6)."""
    if incident.incident_at is None or incident.ongoing:
        return
    if any(ChildStatus.UNBORN in child.statuses for child in children):
        return
    if incident.aware_at < incident.incident_at:
        raise fault("before-incident", "incident", "aware_at")


def incident_codes(incident: IncidentAccount, children: Sequence[Child]) -> dict[str, tuple[str, ...]]:
    """The codes that every form of an incident gives; over several children, each value once."""
    codes = _circumstances(incident, children)
    met, undecided = statutory_grounds(codes) if children else ((), ())
    return {**codes, "statutory_ground": met or ("none",), "statutory_ground_undecided": undecided}


def _circumstances(incident: IncidentAccount, children: Sequence[Child]) -> dict[str, tuple[str, ...]]:
    place = incident.place
    responsible = (child.responsible_local_authority for child in children)
    homes = (child.home_local_authority or statutory.NOT_KNOWN for child in children)
    return {
        "nature": words(incident.nature),
        "abuse_or_neglect": words(incident.abuse_or_neglect),
        "suspected_suicide": words(incident.suspected_suicide),
        "child_status": _once(status for child in children for status in child.statuses),
        "age_band": _once(age_band(child, incident) for child in children),
        "placement": _once(child.placement for child in children),
        "home_local_authority": tuple(dict.fromkeys(homes)),
        "responsible_local_authority": tuple(dict.fromkeys(council for council in responsible if council)),
        "place": (place.local_authority,) if place and place.local_authority else (),
        "place_kind": (place.kind.value,) if place else (),
        "outside_england": (("yes" if place.outside_england else "no") if place else "unknown",),
        "regulated_setting": (regulated_setting(incident, children).value,),
        "media_interest": words(incident.media_interest),
        "police_investigation": words(incident.police_investigation),
        "parallel_process": _once(linked.process for linked in incident.parallel_processes),
    }


def statutory_grounds(codes: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The grounds that are met by these codes, and those that a missing fact leaves undecided.

    Whoever is listed as a child counts as one as long as no age says otherwise: an age that is not known takes no duty away.
    """
    findings = statutory.assess(statutory.situation(codes, ()))
    open_ones = [f for f in findings if f.criterion in GROUNDS and f.standing is not Standing.NOT_MET]
    met = [f for f in open_ones if f.standing is Standing.MET or _AGES.issuperset(f.missing)]
    return (
        tuple(finding.criterion.id for finding in met),
        tuple(finding.criterion.id for finding in open_ones if finding not in met),
    )


def age_band(child: Child, incident: IncidentAccount) -> AgeBand:
    """The child's age on London's date of the incident, or of awareness where the incident's is not known.

    Nobody is said to be grown up by a date that is only estimated, nor because it came to light late: who is of age when an
    incident of unknown date becomes known may have been a child in it (S2-04, X-23). Then the age is not known.
    """
    if child.date_of_birth_status is BirthDateStatus.EXPECTED:
        return AgeBand.UNBORN
    if child.date_of_birth is None:
        return AgeBand.UNBORN if ChildStatus.UNBORN in child.statuses else AgeBand.UNKNOWN
    happened_on = (incident.incident_at or incident.aware_at).astimezone(LONDON).date()
    age = age_on(child.date_of_birth, happened_on)
    if age < 0:
        return AgeBand.UNBORN
    if age < ADULT_AGE:
        return AgeBand.UNDER_18
    if incident.incident_at is None or child.date_of_birth_status is BirthDateStatus.ESTIMATED:
        return AgeBand.UNKNOWN
    return AgeBand.FROM_18_TO_24 if age <= CARE_LEAVER_LAST_AGE else AgeBand.FROM_25


def regulated_setting(incident: IncidentAccount, children: Iterable[Child]) -> YesNoUnknown:
    """As stated; else yes for a registered kind of place or placement, and otherwise not known."""
    if incident.regulated_setting is not None:
        return incident.regulated_setting
    at_place = incident.place is not None and incident.place.kind in _REGISTERED_PLACES
    if at_place or any(child.placement in _REGISTERED_PLACEMENTS for child in children):
        return YesNoUnknown.YES
    return YesNoUnknown.UNKNOWN


def schools_of(children: Iterable[Child]) -> tuple[str, ...]:
    """The children's schools, each once."""
    return tuple(dict.fromkeys(child.school_urn for child in children if child.school_urn))


def every_birth(children: Sequence[Child]) -> Iterator[tuple[Path, date]]:
    """The dates of birth in the member `children` of a body."""
    for number, child in enumerate(children):
        yield from child.every_birth("children", number)


def _once(values: Iterable[StrEnum | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words(*values)))
