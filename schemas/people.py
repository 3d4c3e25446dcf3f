"""The people and places that messages name: who speaks, the child, what is known of the child's circumstances.

Fields follow what the national notification asks (domain section 6.1); everything that a sender may not know yet is
optional or has a word for "unknown", so that a form never blocks an urgent referral (S0-06, X-23).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.fields import (
    Coded,
    Date,
    DistinctSome,
    Email,
    Instant,
    Line,
    LocalAuthorityCode,
    NhsNumber,
    Postcode,
    Reference,
    SchoolUrn,
    Several,
    ShortText,
    Telephone,
    Upn,
)
from schemas.model import Model, Need, Path, fault
from schemas.vocabulary import YesNoUnknown


class Person(Model):
    """Someone who speaks or decides in a post."""

    name: Line
    """Full name, as the person uses it."""
    post: Line
    """The post held at the time."""


class Contact(Person):
    """Someone in a post who may be rung or written to about the message."""

    telephone: Telephone | None = None
    """A number in that post."""
    email: Email | None = None
    """An address in that post."""


class CaseRecord(Model):
    """Where a matter stands in a case system, and that it was put on record there (S1-13, S3-17)."""

    system: Line
    """The system's name, as the agency calls it."""
    reference: Reference | None = None
    """The record's own id there; it must carry no personal data."""
    recorded_at: Instant | None = None
    """When it was put on record; absent while it is not."""
    recorded_by: Person | None = None
    """Who did."""


class BirthDateStatus(StrEnum):
    """How far a date of birth is known. `expected` is for a child not yet born."""

    KNOWN = "known"
    ESTIMATED = "estimated"
    EXPECTED = "expected"
    UNKNOWN = "unknown"


class NhsNumberAbsence(StrEnum):
    """Why there is no NHS number."""

    NOT_AVAILABLE = "not-available"
    NON_RESIDENT_IN_ENGLAND = "non-resident-in-england"
    NOT_YET_BORN = "not-yet-born"


class ChildIdentity(Model):
    """Which child is meant: what an agency needs to find its own records."""

    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("date_of_birth_status", "known", requires=("date_of_birth",)),
        Need("date_of_birth_status", "estimated", requires=("date_of_birth",)),
        Need("date_of_birth_status", "expected", requires=("date_of_birth",)),
        Need("date_of_birth_status", "unknown", forbids=("date_of_birth",)),
    )
    ONE_OF: ClassVar[tuple[tuple[str, ...], ...]] = (("nhs_number", "nhs_number_absence"),)

    given_names: Line | None = None
    """Forenames in their usual order."""
    family_name: Line | None = None
    """Surname."""
    other_names: Several[Line] = ()
    """Names also used, former names and other spellings."""
    date_of_birth: Date | None = None
    """Date of birth, or the expected date of a child not yet born."""
    date_of_birth_status: Coded[BirthDateStatus]
    """Whether the date is known, estimated, expected or unknown."""
    nhs_number: NhsNumber | None = None
    """Ten digits without spaces, with its check digit."""
    nhs_number_absence: Coded[NhsNumberAbsence] | None = None
    """Why there is no NHS number; exactly one of the two is given."""

    def births(self, *at: str | int) -> Iterator[tuple[Path, date]]:
        """The date of birth, where one is claimed to have happened."""
        if self.date_of_birth is not None and self.date_of_birth_status is not BirthDateStatus.EXPECTED:
            yield (*at, "date_of_birth"), self.date_of_birth


class ChildStatus(StrEnum):
    """How the child is known to services (S1-03, S3 form field 5)."""

    LOOKED_AFTER = "looked-after"
    CHILD_PROTECTION_PLAN = "child-protection-plan"
    CHILD_IN_NEED = "child-in-need"
    TEAM_AROUND_THE_CHILD = "team-around-the-child"
    EARLY_HELP = "early-help"
    YOUTH_JUSTICE = "youth-justice"
    EXPLOITATION_OR_MISSING_SERVICE = "exploitation-or-missing-service"
    UNACCOMPANIED_ASYLUM_SEEKING = "unaccompanied-asylum-seeking"
    CARE_LEAVER = "care-leaver"
    UNBORN = "unborn"
    UNKNOWN_TO_SERVICES = "unknown-to-services"
    STATUS_NOT_KNOWN = "status-not-known"


class Sex(StrEnum):
    """As recorded by the sender."""

    FEMALE = "female"
    MALE = "male"
    INDETERMINATE = "indeterminate"
    NOT_KNOWN = "not-known"


class Placement(StrEnum):
    """Where the child lives."""

    WITH_FAMILY = "with-family"
    KINSHIP_CARE = "kinship-care"
    FOSTER_CARE = "foster-care"
    CHILDRENS_HOME = "childrens-home"
    SECURE_SETTING = "secure-setting"
    SUPPORTED_ACCOMMODATION = "supported-accommodation"
    RESIDENTIAL_SCHOOL = "residential-school"
    HOSPITAL = "hospital"
    INDEPENDENT_LIVING = "independent-living"
    OTHER = "other"
    NOT_KNOWN = "not-known"


class Relationship(StrEnum):
    """What someone is to the child."""

    PARENT = "parent"
    CARER = "carer"
    SIBLING = "sibling"
    OTHER_RELATIVE = "other-relative"
    PARTNER_OF_PARENT = "partner-of-parent"
    PROFESSIONAL = "professional"
    OTHER = "other"


class RelatedPerson(Model):
    """A parent, carer, brother, sister or other person connected to the child."""

    name: Line
    """Full name as known."""
    relationship: Line
    """Relationship to the child, in words."""
    kind: Coded[Relationship] | None = None
    """The same as a code."""
    date_of_birth: Date | None = None
    """If known."""
    age_years: Annotated[int, Field(ge=0, le=130)] | None = None
    """Age in years, where the date is not known."""
    in_household: Coded[YesNoUnknown] | None = None
    """Whether the person lives in the child's household."""


class Child(ChildIdentity):
    """A child whom the referral is about, with what the sender knows."""

    statuses: DistinctSome[Coded[ChildStatus]]
    """How the child is known to services; `unknown-to-services` or `status-not-known` where nothing else is true."""
    sex: Coded[Sex] | None = None
    """Sex as recorded."""
    ethnicity: Annotated[str, Field(pattern=r"^(?:[A-HJ-NPRSZ]|99)$")] | None = None
    """NHS Data Dictionary ethnic category code; `Z` not stated, `99` not known."""
    disability: Coded[YesNoUnknown] | None = None
    """Whether the child is disabled."""
    upn: Upn | None = None
    """Unique pupil number: only where the sender may lawfully use it."""
    school_urn: SchoolUrn | None = None
    """The six-digit URN of the child's school or college (GIAS)."""
    address: ShortText | None = None
    """Where the child lives, without the postcode."""
    postcode: Postcode | None = None
    """In capitals, with its space."""
    home_local_authority: LocalAuthorityCode | None = None
    """The council where the child normally lives: DfE three-digit or ONS nine-character code."""
    responsible_local_authority: LocalAuthorityCode | None = None
    """The council that looks after the child or owes leaving-care duties, if another."""
    placement: Coded[Placement] | None = None
    """The kind of home the child lives in."""
    legal_status: Line | None = None
    """For example the order in force."""
    health: ShortText | None = None
    """What of the child's health matters here."""
    related_people: Several[RelatedPerson] = ()
    """Parents, carers, brothers and sisters, others in the household."""
    case_records: Annotated[Several[CaseRecord], Field(max_length=20)] = ()
    """The child's records in case systems."""

    def every_birth(self, *at: str | int) -> Iterator[tuple[Path, date]]:
        """The child's date of birth and those of the people connected to the child."""
        yield from self.births(*at)
        for number, person in enumerate(self.related_people):
            if person.date_of_birth is not None:
                yield (*at, "related_people", number, "date_of_birth"), person.date_of_birth

    @model_validator(mode="after")
    def _can_be_identified(self) -> Self:
        unborn = ChildStatus.UNBORN in self.statuses
        if self.given_names is None and self.family_name is None and not unborn:
            raise fault("required", "family_name")
        if self.date_of_birth_status is BirthDateStatus.EXPECTED and not unborn:
            raise fault("expected-but-not-unborn", "date_of_birth_status")
        return self
