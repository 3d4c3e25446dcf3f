"""M08: the record of a notification made in the national system (S2-05, S2-06, S2-20).

The gateway never submits to the national system: it records the reference and the evidence. `sin_submitted_at` starts
the Rapid Review's clock (X-22). What was notified can stand here in the national form's blocks (section 6.1); the instants
in them are a copy of what was said there and start no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, Line, LocalAuthorityCode, LongText, Several, ShortText
from schemas.incidents import IncidentDetails, every_birth
from schemas.model import Body, Model, Path, moments, words
from schemas.people import Child, Contact, Person
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
        """When it was submitted, and to whom."""
        return Facts(
            moments=moments(sin_submitted_at=self.submitted_at),
            codes={
                "recipient": tuple(dict.fromkeys(words(*(entry.recipient for entry in self.recipients)))),
                "reason": words(self.reason),
                "place": (self.local_authority,) if self.local_authority else (),
            },
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
