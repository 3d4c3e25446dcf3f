"""M05: the serious incident alert, fields 1 to 16 of its form (S3-01 to S3-06, S3-22, S3-26, S3-27; table 2.3a).

Fields 17 to 20 are the decision-makers' half: the review decision `sin-criteria`, which no sender of an alert can write.
Field 15 can be completed by another team: as a second alert message with `part` `other-team`, which answers the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import Coded, Distinct, Instant, Line, LongText, ShortText
from schemas.incidents import IncidentAccount, check_awareness, every_birth, incident_codes, schools_of
from schemas.model import Body, Model, Need, Path, words
from schemas.people import Child, Person, Relationship
from schemas.vocabulary import YesNoUnknown


class AlertPart(StrEnum):
    """The alert itself, or the section that another team completes."""

    ALERT = "alert"
    OTHER_TEAM = "other-team"


class AlertReason(StrEnum):
    """Why the alert is raised (S3-04)."""

    DEATH = "death"
    ATTEMPTED_SUICIDE = "attempted-suicide"
    SERIOUS_INJURY = "serious-injury"
    SERIOUS_SEXUAL_ASSAULT = "serious-sexual-assault"
    SERIOUS_ALLEGATION_AGAINST_ADULT = "serious-allegation-against-adult"
    GOLD_GROUP = "gold-group"
    MEDIA_ATTENTION = "media-attention"
    REPUTATION_RISK = "reputation-risk"


class AlertPurpose(StrEnum):
    """What the alert is for."""

    INFORMATION = "information"
    ACTION = "action"
    MEDIA_INTEREST = "media-interest"


class ChildRole(StrEnum):
    """The child's part in what happened; the process is the same for each (S3-03)."""

    VICTIM = "victim"
    PERPETRATOR = "perpetrator"
    BOTH = "both"
    UNKNOWN = "unknown"


class AlertSource(StrEnum):
    """Where the alert comes from (S3-05)."""

    EMERGENCY_DUTY_TEAM = "emergency-duty-team"
    MASH = "mash"
    EARLY_HELP = "early-help"
    YOUNG_PEOPLES_SERVICE = "young-peoples-service"
    YOUTH_JUSTICE = "youth-justice"
    ALLOCATED_SOCIAL_WORKER = "allocated-social-worker"
    INDEPENDENT_REVIEWING_OFFICER = "independent-reviewing-officer"
    MASE = "mase"
    CHILD_DEATH_OVERVIEW_CONTACT = "child-death-overview-contact"
    OTHER_AUTHORITY_OR_AGENCY = "other-authority-or-agency"
    DFE_OR_OFSTED = "dfe-or-ofsted"


class AlertSubject(StrEnum):
    """Whom the incident is about (S3-27)."""

    CHILD = "child"
    CONNECTED_ADULT = "connected-adult"


class SourceMeans(StrEnum):
    """How the information came."""

    TELEPHONE = "telephone"
    EMAIL = "email"
    POST = "post"
    MEETING = "meeting"
    IN_PERSON = "in-person"
    OTHER = "other"


class Notifier(Model):
    """Who raises the alert (field 1)."""

    name: Line
    """Full name."""
    agency: Line
    """The agency."""
    team: Line
    """The team."""


class ConnectedAdult(Model):
    """An adult connected to the child, to whom it happened."""

    name: Line
    """Full name as known."""
    kind: Coded[Relationship]
    """What the adult is to the child."""
    relationship: Line
    """The same in words."""


class OriginalSource(Model):
    """Where the information first came from, when the alert is opened on someone's behalf (S3-26)."""

    source: Line
    """Who gave it: a person, team or agency."""
    received_at: Instant
    """When it came."""
    means: Coded[SourceMeans]
    """How."""


class KnownElsewhere(Model):
    """Whether another team or service knows the child (field 15)."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("known", "yes", requires=("teams",)),)

    known: Coded[YesNoUnknown]
    """Whether it does."""
    teams: Distinct[Line] = ()
    """Which teams or services."""
    outline: LongText | None = None
    """What they know, in outline."""
    asked_to_complete: Distinct[Line] = ()
    """The teams that were asked to complete this section themselves."""


class OtherTeam(Model):
    """The section that another team completes."""

    team: Line
    """The team or service."""
    completed_by: Person
    """Who completes it."""
    known: bool
    """Whether the team knows the child."""
    outline: LongText
    """What it knows and does, in outline."""


_ALERT = (
    "notifier", "alerted_at", "reasons", "purposes", "sources", "subjects", "children", "child_role", "incident",
    "known_elsewhere",
)  # fmt: skip
_PROMPTS = ("injury_nature", "injury_reason", "injury_impact", "safety_planning")


class SeriousIncidentAlert(Body):
    """A serious incident alert to the head of service for safeguarding and quality assurance."""

    TYPE = "serious-incident-alert"
    CODE = "M05"
    TITLE = "Serious incident alert"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("part", "alert", requires=_ALERT, forbids=("other_team",)),
        Need(
            "part",
            "other-team",
            requires=("other_team",),
            forbids=(*_ALERT, *_PROMPTS, "connected_adult", "original_source"),
        ),
        Need("subjects", "connected-adult", requires=("connected_adult",), among=True),
    )

    part: Coded[AlertPart] = AlertPart.ALERT
    """The alert, or another team's section of it."""
    notifier: Notifier | None = None
    """Field 1: notifier, agency and team."""
    alerted_at: Instant | None = None
    """Field 2: date of alert."""
    reasons: Distinct[Coded[AlertReason]] = ()
    """Field 3: reasons for the alert."""
    purposes: Distinct[Coded[AlertPurpose]] = ()
    """Field 4: for information, for action, media interest."""
    sources: Distinct[Coded[AlertSource]] = ()
    """Where the alert comes from."""
    retrospective: bool = False
    """Whether it came to light only later, for example at a review (X-02)."""
    subjects: Distinct[Coded[AlertSubject]] = ()
    """Whether it happened to the child or to an adult connected to the child."""
    children: Annotated[tuple[Child, ...], Field(strict=False, max_length=26)] = ()
    """Fields 5 to 12: status, name, date of birth, case record, legal status, address, parents, brothers and sisters."""
    child_role: Coded[ChildRole] | None = None
    """Victim, perpetrator, both or not known."""
    connected_adult: ConnectedAdult | None = None
    """The adult to whom it happened."""
    incident: IncidentAccount | None = None
    """Fields 13, 14 and 16: when, what, and the action taken."""
    injury_nature: ShortText | None = None
    """Field 14: the nature of the injury (S3-02)."""
    injury_reason: ShortText | None = None
    """Field 14: the reason for it."""
    injury_impact: ShortText | None = None
    """Field 14: its impact."""
    known_elsewhere: KnownElsewhere | None = None
    """Field 15: known to other teams or services."""
    safety_planning: LongText | None = None
    """Field 16: safety planning for the child and the family."""
    original_source: OriginalSource | None = None
    """Where the information first came from, when the alert is opened on someone's behalf."""
    other_team: OtherTeam | None = None
    """Field 15, as the other team completes it."""

    @model_validator(mode="after")
    def _awareness_follows_the_incident(self) -> Self:
        if self.incident is not None:
            check_awareness(self.incident, self.children)
        return self

    @property
    def answers(self) -> bool:
        """Another team's section says which alert it belongs to."""
        return self.part is AlertPart.OTHER_TEAM

    def facts(self) -> Facts:
        """Reasons, purposes, source and subject, and the codes that every form gives; of another team's part, the part."""
        if self.incident is None:
            return Facts(codes={"part": words(self.part)})
        return Facts(
            moments=self.incident.instants(),
            codes={
                "part": words(self.part),
                "reason": words(*self.reasons),
                "purpose": words(*self.purposes),
                "source": words(*self.sources),
                "retrospective": ("yes" if self.retrospective else "no",),
                "subject_type": words(*self.subjects),
                "child_role": words(self.child_role),
                **incident_codes(self.incident, self.children),
            },
            schools=schools_of(self.children),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
