"""M08: the record of a notification made in the national system (S2-05, S2-06, S2-20).

The gateway never submits to the national system: it records the reference and the evidence. `sin_submitted_at` starts
the Rapid Review's clock (X-22). What was notified can stand here in the national form's blocks (section 6.1); the instants
in them are a copy of what was said there and start no clock.

Two things are worked out for the rules, and neither from the stated reason alone: whether a looked-after child or a care
leaver died (the Secretary of State and Ofsted are to be told, P-03, P-04), and whether a rapid review is required (P-08) or
left to the partners' decision, as it is by itself after a care leaver's death (P-04, S4-02).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, Line, LocalAuthorityCode, LongText, Several, ShortText
from schemas.incidents import (
    AbuseOrNeglect,
    AgeBand,
    IncidentDetails,
    Nature,
    age_band,
    every_birth,
)
from schemas.model import Body, Model, Path, moments, words
from schemas.people import Child, ChildStatus, Contact, Person
from schemas.vocabulary import YesNoUnknown


class SinRecipient(StrEnum):
    """Who has been told. One national submission is shared onward; each report is evidenced apart (X-05)."""

    PANEL = "panel"
    DEPARTMENT_FOR_EDUCATION = "department-for-education"
    OFSTED = "ofsted"
    SECRETARY_OF_STATE = "secretary-of-state"
    SAFEGUARDING_PARTNERS = "safeguarding-partners"
    OTHER_AREA_PARTNERS = "other-area-partners"


class NotificationReason(StrEnum):
    """Under which criterion it was notified (S2-01, S2-03, S4-02)."""

    DEATH = "death"
    SERIOUS_HARM = "serious-harm"
    LOOKED_AFTER_CHILD_DEATH = "looked-after-child-death"
    CARE_LEAVER_DEATH = "care-leaver-death"
    OTHER = "other"


_DIED_AS = {
    NotificationReason.LOOKED_AFTER_CHILD_DEATH: ChildStatus.LOOKED_AFTER,
    NotificationReason.CARE_LEAVER_DEATH: ChildStatus.CARE_LEAVER,
}
_SUSPICION = {AbuseOrNeglect.KNOWN, AbuseOrNeglect.SUSPECTED, AbuseOrNeglect.UNKNOWN}
REQUIRED, BY_DECISION = "required", "by-decision"


class RecipientEvidence(Model):
    """That one recipient was told."""

    recipient: Coded[SinRecipient]
    """Who."""
    told_at: Instant
    """When."""
    means: Line
    """How, for example the national system's own confirmation."""
    evidence: ShortText | None = None
    """What shows it: a reference or where a copy is kept."""


class SinRecord(Body):
    """The record of a serious incident notification that the council made in the national system."""

    TYPE = "sin-record"
    CODE = "M08"
    TITLE = "Record of a serious incident notification"

    national_system: Line
    """The name of the national system (X-19)."""
    national_reference: Line
    """The reference that the national system gave; kept as it is."""
    submitted_at: Instant
    """When it was first submitted successfully."""
    submitted_by: Person
    """Who submitted it."""
    reason: Coded[NotificationReason] | None = None
    """The criterion under which it was notified."""
    local_authority: LocalAuthorityCode | None = None
    """The council that notified."""
    notifier: Contact | None = None
    """Whom the national bodies may ring or write to."""
    aware_at: Instant | None = None
    """When the council became aware, as it was notified."""
    linked_cases: Annotated[Several[Line], Field(max_length=20)] = ()
    """National references of linked notifications."""
    children: Annotated[tuple[Child, ...], Field(strict=False, max_length=26)] = ()
    """The children as notified: the national form takes four, others stand in its further information (P-07)."""
    incident: IncidentDetails | None = None
    """The incident as notified."""
    further_information: LongText | None = None
    """What else was notified."""
    rapid_review_threshold_met: Coded[YesNoUnknown] | None = None
    """Whether the threshold for a rapid review is met, where the form asks."""
    recipients: Annotated[Several[RecipientEvidence], Field(min_length=1)]
    """Who has been told, with the evidence of each."""

    def facts(self) -> Facts:
        """When it was submitted, to whom, who died in or after care, and whether a rapid review is required."""
        return Facts(
            moments=moments(sin_submitted_at=self.submitted_at),
            codes={
                "recipient": tuple(dict.fromkeys(words(*(entry.recipient for entry in self.recipients)))),
                "reason": words(self.reason),
                "death_of": words(*self._died_as()),
                "rapid_review": (BY_DECISION if self._review_waits_for_a_decision() else REQUIRED,),
                "place": (self.local_authority,) if self.local_authority else (),
            },
        )

    def _died_as(self) -> tuple[ChildStatus, ...]:
        """The statuses of looked-after children and care leavers whose death was notified, under whatever reason."""
        stated = {_DIED_AS[self.reason]} if self.reason in _DIED_AS else set()
        if self.incident is not None and self.incident.nature is Nature.DEATH:
            stated |= {status for child in self.children for status in child.statuses}
        return tuple(status for status in _DIED_AS.values() if status in stated)

    def _review_waits_for_a_decision(self) -> bool:
        """A care leaver's death, and a looked-after child's that is said not to meet the threshold, need no rapid review by
        themselves (P-04, P-07); whatever else was notified does (P-10). What was notified about a child comes first."""
        if self.rapid_review_threshold_met is YesNoUnknown.YES or self._may_concern_abuse_of_a_child():
            return False
        said_no = self.rapid_review_threshold_met is YesNoUnknown.NO
        return self.reason is NotificationReason.CARE_LEAVER_DEATH or (
            said_no and self.reason is NotificationReason.LOOKED_AFTER_CHILD_DEATH
        )

    def _may_concern_abuse_of_a_child(self) -> bool:
        incident = self.incident
        if incident is None or incident.abuse_or_neglect not in _SUSPICION:
            return False
        bands = {age_band(child, incident) for child in self.children}
        return bool(bands & {AgeBand.UNBORN, AgeBand.UNDER_18, AgeBand.UNKNOWN})

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
