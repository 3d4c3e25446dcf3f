"""M01: the serious incident notification form inside a council (S0-01 to S0-13, S0-28, S0-29).

Any serious incident or near miss: of a child, staff, the public, premises, money or information. It has no member for
blame (S0-31). What the senior person ticks never closes the statutory pathway: the grounds are read from the facts (S0-01).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import Coded, Date, Distinct, DistinctSome, Instant, Line, LongText, Several, ShortText
from schemas.incidents import (
    IncidentAccount,
    SubjectType,
    check_awareness,
    every_birth,
    incident_codes,
    schools_of,
)
from schemas.model import Body, Model, Need, Path, moments, words
from schemas.people import Child, Person
from schemas.vocabulary import YesNoUnknown


class Classification(StrEnum):
    """How grave the incident is (S0-08); `unsure` is for the head of service to decide (S0-05)."""

    CATASTROPHIC = "catastrophic"
    SERIOUS = "serious"
    NEAR_MISS = "near-miss"
    NOT_SERIOUS = "not-serious"
    UNSURE = "unsure"


class CatastrophicSign(StrEnum):
    """What makes an incident catastrophic (S0-09)."""

    DEATH_OR_SERIOUS_INJURY = "death-or-serious-injury"
    SERIOUS_PROPERTY_DAMAGE = "serious-property-damage"
    SERVICE_DISRUPTION = "service-disruption"
    PRESS_ENQUIRIES = "press-enquiries"


class FormCategory(StrEnum):
    """What kind of incident it is (S0-02 to S0-04)."""

    HARM_TO_SERVICE_USER = "harm-to-service-user"
    HARM_TO_STAFF = "harm-to-staff"
    HARM_TO_OTHERS = "harm-to-others"
    FINANCIAL_IRREGULARITY = "financial-irregularity"
    PREMISES_DAMAGE = "premises-damage"
    SERVICE_DISRUPTION = "service-disruption"
    CONFIDENTIALITY_BREACH = "confidentiality-breach"
    NEAR_MISS = "near-miss"
    MEDIA_OR_LEGAL_INTEREST = "media-or-legal-interest"
    OTHER = "other"


class OtherDuty(StrEnum):
    """Reporting duties that this form does not replace (S0-28, S0-29)."""

    SAFEGUARDING_CHILDREN = "safeguarding-children"
    SAFEGUARDING_ADULTS = "safeguarding-adults"
    MAJOR_INCIDENT = "major-incident"
    HEALTH_AND_SAFETY_EXECUTIVE = "health-and-safety-executive"
    CORONER = "coroner"
    FOSTERING_NOTIFIABLE_EVENT = "fostering-notifiable-event"
    CHILDRENS_HOME_NOTIFIABLE_EVENT = "childrens-home-notifiable-event"
    PERSONAL_DATA_BREACH = "personal-data-breach"


class DutyAnswer(StrEnum):
    """Whether the other duty has been met."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "not-applicable"


class OtherDutyMet(Model):
    """The answer to one other reporting duty."""

    duty: Coded[OtherDuty]
    """Which."""
    answer: Coded[DutyAnswer]
    """Reported, not reported, or not applicable."""
    reference: Line | None = None
    """The reference of that report."""
    reported_on: Date | None = None
    """When."""


class InvolvedPerson(Model):
    """Someone who was involved and is no child of the list."""

    name: Line
    """Full name as known."""
    kind: Coded[SubjectType]
    """Staff, service user, member of the public."""
    involvement: ShortText
    """How, and what injury if any, in facts."""


class SeriousIncidentForm(Body):
    """The serious incident notification form, from the most senior person available to the council's directors."""

    TYPE = "serious-incident-form"
    CODE = "M01"
    TITLE = "Serious incident notification form"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("urgent_concern", True, requires=("urgent_concern_at", "urgent_concern_note")),
        Need("categories", "other", requires=("other_category",), among=True),
        Need("subject_types", "child", requires=("children",), among=True),
    )

    classification: Coded[Classification]
    """How grave it is found to be."""
    classified_at: Instant
    """When it was classified."""
    classified_by: Person
    """The most senior person available, who classified it (S0-07)."""
    catastrophic_signs: Distinct[Coded[CatastrophicSign]] = ()
    """The signs of a catastrophic incident that are present."""
    reviewed_by: Person | None = None
    """The more senior manager who went over the immediate action with the person who led it (S0-07)."""
    reviewed_at: Instant | None = None
    """When they did."""
    categories: DistinctSome[Coded[FormCategory]]
    """What kind of incident it is."""
    other_category: ShortText | None = None
    """In words, where the list has none that fits."""
    subject_types: DistinctSome[Coded[SubjectType]]
    """Whom or what it is about."""
    children: Annotated[tuple[Child, ...], Field(strict=False, max_length=26)] = ()
    """Every child whom it concerns."""
    people_involved: Annotated[Several[InvolvedPerson], Field(max_length=50)] = ()
    """Others who were involved."""
    incident: IncidentAccount
    """What happened and what was done at once."""
    impact: LongText | None = None
    """Harm to services, premises, money or information."""
    immediate_response_led_by: Person | None = None
    """Who led the immediate response."""
    immediate_response_completed_at: Instant | None = None
    """When the immediate response ended; absent while it goes on."""
    media_or_legal_interest: Coded[YesNoUnknown]
    """Whether legal, media or other interest could by itself make this serious (S0-04)."""
    urgent_concern: bool = False
    """Whether something must be put right at once (S0-23)."""
    urgent_concern_at: Instant | None = None
    """When the urgent concern was seen."""
    urgent_concern_note: ShortText | None = None
    """What it is."""
    staff_support: LongText | None = None
    """Support given to staff."""
    other_duties: Annotated[Several[OtherDutyMet], Field(max_length=20)] = ()
    """Other reporting duties and whether they are met."""

    @model_validator(mode="after")
    def _awareness_follows_the_incident(self) -> Self:
        check_awareness(self.incident, self.children)
        return self

    def facts(self) -> Facts:
        """Instants of response and classification, the classification, and the codes that every form gives."""
        return Facts(
            moments={
                **self.incident.instants(),
                **moments(
                    immediate_response_completed_at=self.immediate_response_completed_at,
                    classified_at=self.classified_at,
                    urgent_concern_at=self.urgent_concern_at,
                ),
            },
            codes={
                "classification": words(self.classification),
                "catastrophic_sign": words(*self.catastrophic_signs),
                "categories": words(*self.categories),
                "subject_type": words(*self.subject_types),
                "media_or_legal_interest": words(self.media_or_legal_interest),
                "urgent_concern": ("yes" if self.urgent_concern else "no",),
                **incident_codes(self.incident, self.children),
            },
            schools=schools_of(self.children),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
