"""M06: any agency refers a potential serious incident or a near miss to the partnership (S4-04, S4-09, S4-11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gateway.core.messages import AgencyId, Facts
from schemas.fields import (
    Coded,
    Distinct,
    Instant,
    Line,
    LocalAuthorityCode,
    LongText,
    Postcode,
    ShortText,
    Slug,
)
from schemas.model import Body, Model, Need, Path, fault, moments, words
from schemas.people import Child, ChildStatus, Person
from schemas.vocabulary import YesNoUnknown


class ReferralKind(StrEnum):
    """What the sender believes this to be. The partners decide."""

    POTENTIAL_SIN = "potential-sin"
    NEAR_MISS = "near-miss"


class Nature(StrEnum):
    """What happened, or for a near miss what nearly did. Status at death (looked after, care leaver) is the child's."""

    DEATH = "death"
    SERIOUS_HARM = "serious-harm"
    NEAR_MISS = "near-miss"
    OTHER = "other"


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


class IncidentDetails(Model):
    """What happened, when, and when the sender's agency learnt of it. The two instants are never inferred."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("ongoing", False, requires=("incident_at",)),)

    incident_at: Instant | None = None
    """When it happened; may be absent only for something ongoing."""
    incident_at_precision: Coded[TimePrecision] = TimePrecision.EXACT
    """How exact that is."""
    aware_at: Instant
    """When the agency became aware; may be long after (S2-04)."""
    ongoing: bool = False
    """Whether it goes on, or began before a birth: only then may `aware_at` be before `incident_at`."""
    place: Place
    """Where it happened."""
    nature: Coded[Nature]
    """Death, serious harm, a near miss."""
    suspected_suicide: Coded[YesNoUnknown] | None = None
    """Whether suicide is suspected."""
    abuse_or_neglect: Coded[AbuseOrNeglect]
    """Known, suspected, none or unknown."""
    abuse_types: Distinct[Coded[AbuseType]] = ()
    """Which kinds."""
    contributory_factor: ShortText | None = None
    """Why abuse or neglect is thought to be a cause or contributory factor, or not (S4-01)."""
    description: LongText
    """What is known, in facts."""
    immediate_actions: LongText
    """What has been done to make the child and others safe."""
    media_interest: Coded[MediaInterest]
    """Interest of press or public."""
    police_investigation: Coded[PoliceInvestigation]
    """Whether the police investigate."""
    coroner_informed: Coded[YesNoUnknown] | None = None
    """After a death."""
    child_death_review_informed: Coded[YesNoUnknown] | None = None
    """After a death."""
    family_informed: Coded[YesNoUnknown] | None = None
    """Whether the family knows of this referral (S4-21)."""


class Endorsement(Model):
    """The agency's own safeguarding lead has seen this. Its absence never stops a referral (S4-11)."""

    endorsed_by: Person
    """The agency's designated or named safeguarding lead."""
    endorsed_at: Instant
    """When."""
    comment: ShortText | None = None
    """What the lead adds."""


class Referral(Body):
    """A referral of a potential serious incident or a near miss, by any agency, to the safeguarding partners."""

    TYPE = "referral"
    CODE = "M06"
    TITLE = "Referral of a potential serious incident or near miss"

    referral_kind: Coded[ReferralKind]
    """Potential serious incident notification, or near miss."""
    children: Annotated[tuple[Child, ...], Field(strict=False, min_length=1, max_length=26)]
    """Every child whom it concerns; their order gives each a letter."""
    incident: IncidentDetails
    """What happened."""
    agencies_involved: Distinct[Slug] = ()
    """Agencies known to be involved, by their slugs in the directory."""
    other_agencies: Distinct[Line] = ()
    """Agencies known to be involved that are not in the directory."""
    safeguarding_lead_endorsement: Endorsement | None = None
    """The endorsement of the agency's safeguarding lead, if there is one already."""
    linked_national_reference: Line | None = None
    """The reference of an earlier national notification about the same matter."""

    @model_validator(mode="after")
    def _awareness_follows_the_incident(self) -> Self:
        incident = self.incident
        if incident.incident_at is None or incident.ongoing or self._about_the_unborn():
            return self
        if incident.aware_at < incident.incident_at:
            raise fault("before-incident", "incident", "aware_at")
        return self

    def facts(self) -> Facts:
        """Instants of the incident, its coded values, the agencies and the children's schools."""
        incident = self.incident
        statuses = [status for child in self.children for status in child.statuses]
        homes = [child.home_local_authority for child in self.children if child.home_local_authority]
        return Facts(
            moments=moments(incident_at=incident.incident_at, aware_at=incident.aware_at),
            codes={
                "referral_kind": words(self.referral_kind),
                "nature": words(incident.nature),
                "abuse_or_neglect": words(incident.abuse_or_neglect),
                "child_status": tuple(dict.fromkeys(words(*statuses))),
                "place": (incident.place.local_authority,) if incident.place.local_authority else (),
                "outside_england": ("yes" if incident.place.outside_england else "no",),
                "home_local_authority": tuple(dict.fromkeys(homes)),
                "media_interest": words(incident.media_interest),
                "police_investigation": words(incident.police_investigation),
            },
            agencies=tuple(AgencyId(agency) for agency in self.agencies_involved),
            schools=tuple(dict.fromkeys(child.school_urn for child in self.children if child.school_urn)),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        for number, child in enumerate(self.children):
            yield from child.births("children", number)
            for other, person in enumerate(child.related_people):
                if person.date_of_birth is not None:
                    yield ("children", number, "related_people", other, "date_of_birth"), person.date_of_birth

    def _about_the_unborn(self) -> bool:
        return any(ChildStatus.UNBORN in child.statuses for child in self.children)
