"""M04: a significant event is notified to the Director of Children's Services (S1-02 to S1-15).

The usual path is through the head of service; when time is short the manager goes to the directors at once and says why,
and the head of service's review follows (S1-15). Asking other teams first never blocks (S1-12). The head of service's
oversight and what the directors decide are review decisions, which a sender cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import Coded, DistinctSome, Instant, Line, LongText, Several, ShortText
from schemas.incidents import (
    IncidentAccount,
    SubjectType,
    check_awareness,
    every_birth,
    incident_codes,
    schools_of,
)
from schemas.model import Body, Model, Need, Path, fault, moments, words
from schemas.people import CaseRecord, Child, Relationship


class Situation(StrEnum):
    """The four situations in which the Director is told (S1-02)."""

    SERIOUS_INCIDENT = "serious-incident"
    NARROWLY_MISSED = "narrowly-missed"
    STAFF_INJURY_OR_RISK = "staff-injury-or-risk"
    HIGH_PROFILE = "high-profile"


class EventCategory(StrEnum):
    """What kind of event it is (S1-03 to S1-10); an accident may be of staff or of others: see `subject_types` (X-25)."""

    CHILD_DEATH_OR_SERIOUS_INJURY = "child-death-or-serious-injury"
    CHILD_SERIOUS_ILLNESS = "child-serious-illness"
    CHILD_MISSING = "child-missing"
    ACCIDENT_DEATH_OR_SERIOUS_INJURY = "accident-death-or-serious-injury"
    STAFF_ALLEGED_CRIME = "staff-alleged-crime"
    INTER_AGENCY_FAILURE = "inter-agency-failure"
    MEDIA_INTEREST = "media-interest"
    PARENT_DEATH = "parent-death"
    OTHER = "other"


class NotificationPath(StrEnum):
    """Which way the notification goes."""

    THROUGH_HEAD_OF_SERVICE = "through-head-of-service"
    DIRECT = "direct"


class FailureBasis(StrEnum):
    """Whether a failure of inter-agency working is perceived or evidenced (S1-07)."""

    PERCEIVED = "perceived"
    EVIDENCED = "evidenced"


class InterAgencyFailure(Model):
    """A major failure of inter-agency working."""

    basis: Coded[FailureBasis]
    """Perceived or evidenced."""
    account: LongText
    """What failed, in facts."""


class Consultation(Model):
    """One team of Children's Services that was asked what it knows (S1-12)."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("nothing_known", True, requires=("answered_at",)),)

    team: Line
    """The team or service."""
    asked_at: Instant
    """When it was asked."""
    answered_at: Instant | None = None
    """When it answered; absent while it has not."""
    nothing_known: bool = False
    """Whether the answer was that nothing is known."""
    answer: ShortText | None = None
    """What the team said."""

    @model_validator(mode="after")
    def _answered_after_asking(self) -> Self:
        if self.answered_at is not None and self.answered_at < self.asked_at:
            raise fault("before-start", "answered_at")
        return self


class DcsNotification(Body):
    """A notification of a significant event to the Director of Children's Services and the assistant directors."""

    TYPE = "dcs-notification"
    CODE = "M04"
    TITLE = "Notification of a significant event to the Director of Children's Services"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("path", "direct", requires=("bypass_reason",)),
        Need("categories", "child-missing", requires=("children", "missing_since"), among=True),
        Need("categories", "child-death-or-serious-injury", requires=("children",), among=True),
        Need("categories", "child-serious-illness", requires=("children",), among=True),
        Need("categories", "parent-death", requires=("children",), among=True),
        Need("categories", "inter-agency-failure", requires=("inter_agency_failure",), among=True),
        Need("categories", "other", requires=("other_category",), among=True),
    )

    situations: DistinctSome[Coded[Situation]]
    """Why the Director is told."""
    categories: DistinctSome[Coded[EventCategory]]
    """What kind of event it is; the list is of examples."""
    other_category: ShortText | None = None
    """In words, where the list has none that fits (S1-10)."""
    subject_types: DistinctSome[Coded[SubjectType]]
    """Whom or what it is about."""
    path: Coded[NotificationPath] = NotificationPath.THROUGH_HEAD_OF_SERVICE
    """Through the head of service, or direct in extremely time-sensitive circumstances."""
    bypass_reason: ShortText | None = None
    """Why it goes direct."""
    children: Annotated[tuple[Child, ...], Field(strict=False, max_length=26)] = ()
    """Every child whom it concerns, with how each is known to services."""
    missing_since: Instant | None = None
    """Since when the child has been missing (S1-05)."""
    incident: IncidentAccount
    """What happened, and the immediate safeguarding decisions."""
    inter_agency_failure: InterAgencyFailure | None = None
    """A failure of inter-agency working."""
    staff_welfare: LongText | None = None
    """What has been done for the welfare of staff (S1-13)."""
    case_record: CaseRecord | None = None
    """Where the immediate decisions were recorded on the case system (S1-13)."""
    consultations: Several[Consultation] = ()
    """The teams that were asked what they know."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        check_awareness(self.incident, self.children)
        if EventCategory.PARENT_DEATH in self.categories and not self._names_a_parent():
            raise fault("names-no-parent", "children")
        return self

    def facts(self) -> Facts:
        """The situations, categories and path, since when a child is missing, whether the decisions are on the case system
        (S1-13), and the codes that every form gives."""
        failure = self.inter_agency_failure
        return Facts(
            moments={**self.incident.instants(), **moments(missing_since=self.missing_since)},
            codes={
                "situation": words(*self.situations),
                "categories": words(*self.categories),
                "subject_type": words(*self.subject_types),
                "path": words(self.path),
                "inter_agency_failure": words(failure.basis if failure else None),
                "case_recorded": ("yes" if self.case_record and self.case_record.recorded_at else "no",),
                **incident_codes(self.incident, self.children),
            },
            schools=schools_of(self.children),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)

    def _names_a_parent(self) -> bool:
        people = (person for child in self.children for person in child.related_people)
        return any(person.kind is Relationship.PARENT for person in people)
