"""M18: the case review of an incident that does not meet the criteria: an initial and a detailed one (S3-13, S3-14)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, LongText, Several, ShortText
from schemas.improvement import AgencyAction, acting, asked, first_due_at
from schemas.model import Body, moments, words
from schemas.people import Person
from schemas.vocabulary import YesNoUnknown


class CaseReviewKind(StrEnum):
    """The first look for what needs attention at once, or the detailed review."""

    INITIAL = "initial"
    DETAILED = "detailed"


class CaseReview(Body):
    """A case review by safeguarding and quality assurance."""

    TYPE = "case-review"
    CODE = "M18"
    TITLE = "Case review"

    review: Coded[CaseReviewKind]
    """Initial or detailed."""
    reviewed_at: Instant
    """When it was done."""
    reviewed_by: Person
    """Who did it."""
    immediate_attention: Coded[YesNoUnknown]
    """Whether anything needs attention at once."""
    immediate_attention_note: ShortText | None = None
    """What, and what is done about it."""
    findings: LongText
    """What the review found."""
    learning: Annotated[Several[ShortText], Field(max_length=50)] = ()
    """What is to be learnt, one lesson each."""
    actions: Several[AgencyAction] = ()
    """What is to be done by whom, with a date each."""

    def facts(self) -> Facts:
        """Which review, when, whether something needs attention at once, and who is to act."""
        return Facts(
            moments=moments(reviewed_at=self.reviewed_at, actions_due_at=first_due_at(self.actions)),
            codes={"review": words(self.review), "immediate_attention": words(self.immediate_attention)},
            agencies=acting(self.actions),
            actions=asked(self.actions),
        )
