"""A named role's decision on a message (S0-05, S0-15 to S0-21, S1-16 to S1-19, S3-09, S3-12; fields 17 to 20 of table 2.3a).

One type for every review by one to three seats that has no form of its own. Which seats may decide what is the
partnership's data; here stands which outcomes a review can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import Coded, Date, Instant, Line, LongText, Several, ShortText, end_of
from schemas.improvement import AgencyAction, acting, asked, first_due_at
from schemas.model import Body, Model, Need, fault, moments, words
from schemas.people import Person
from schemas.vocabulary import Role


class Review(StrEnum):
    """What kind of review it is; `OUTCOMES` says what can come of each."""

    CLASSIFICATION_REVIEW = "classification-review"
    HOS_DOUBT = "hos-doubt"
    HOS_OVERSIGHT = "hos-oversight"
    DCS_REVIEW = "dcs-review"
    SERVICE_DIRECTOR_REVIEW = "service-director-review"
    STRATEGY_MEETING = "strategy-meeting"
    INVESTIGATOR_NOMINATION = "investigator-nomination"
    INVESTIGATION_REVIEW = "investigation-review"
    SIN_CRITERIA = "sin-criteria"
    CASE_LABEL = "case-label"
    PANEL_REFERRAL = "panel-referral"
    EXECUTIVE = "executive"


class Outcome(StrEnum):
    """What came of it; `OUTCOMES` says which review can have which."""

    CATASTROPHIC = "catastrophic"
    SERIOUS = "serious"
    NEAR_MISS = "near-miss"
    NOT_SERIOUS = "not-serious"
    UNSURE = "unsure"
    REPORT = "report"
    DO_NOT_REPORT = "do-not-report"
    FORWARD = "forward"
    RETURN_WITH_ACTIONS = "return-with-actions"
    NOTED = "noted"
    FURTHER_ACTIONS = "further-actions"
    INVESTIGATE = "investigate"
    NO_INVESTIGATION = "no-investigation"
    HOLD = "hold"
    NOT_NEEDED = "not-needed"
    NOMINATED = "nominated"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ACTIONS_CONFIRMED = "actions-confirmed"
    MET = "met"
    NOT_MET = "not-met"
    UNDECIDED = "undecided"
    STATUTORY_REVIEW = "statutory-review"
    NEED_TO_KNOW = "need-to-know"
    REFER = "refer"
    DO_NOT_REFER = "do-not-refer"
    INITIATE_CSPR = "initiate-cspr"
    ALTERNATIVE_APPROACH = "alternative-approach"
    NONE = "none"


_O = Outcome
OUTCOMES: Mapping[Review, tuple[Outcome, ...]] = {
    Review.CLASSIFICATION_REVIEW: (_O.CATASTROPHIC, _O.SERIOUS, _O.NEAR_MISS, _O.NOT_SERIOUS, _O.UNSURE),
    Review.HOS_DOUBT: (_O.REPORT, _O.DO_NOT_REPORT),
    Review.HOS_OVERSIGHT: (_O.FORWARD, _O.RETURN_WITH_ACTIONS),
    Review.DCS_REVIEW: (_O.NOTED, _O.FURTHER_ACTIONS),
    Review.SERVICE_DIRECTOR_REVIEW: (_O.NOTED, _O.FURTHER_ACTIONS, _O.INVESTIGATE, _O.NO_INVESTIGATION),
    Review.STRATEGY_MEETING: (_O.HOLD, _O.NOT_NEEDED),
    Review.INVESTIGATOR_NOMINATION: (_O.NOMINATED, _O.ACCEPTED, _O.DECLINED),
    Review.INVESTIGATION_REVIEW: (_O.ACTIONS_CONFIRMED, _O.RETURN_WITH_ACTIONS),
    Review.SIN_CRITERIA: (_O.MET, _O.NOT_MET, _O.UNDECIDED),
    Review.CASE_LABEL: (_O.STATUTORY_REVIEW, _O.NEED_TO_KNOW),
    Review.PANEL_REFERRAL: (_O.REFER, _O.DO_NOT_REFER),
    Review.EXECUTIVE: (_O.INITIATE_CSPR, _O.ALTERNATIVE_APPROACH, _O.NONE),
}


class SeatDecision(Model):
    """What one seat decides."""

    seat: Coded[Role]
    """For which role."""
    decided_by: Person
    """Who decided: the holder of the seat or the deputy."""
    outcome: Coded[Outcome]
    """What is decided."""
    reasons: LongText
    """Why; for a head of service, the oversight that goes on record (S1-16)."""
    decided_at: Instant
    """When."""


class FeedbackTime(StrEnum):
    """When staff are told (S0-33)."""

    IMMEDIATE = "immediate"
    BY_DATE = "by-date"
    NOT_APPROPRIATE = "not-appropriate"


class Feedback(Model):
    """How feedback is given to staff (S0-21, S0-33)."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("time", "by-date", requires=("by_on",)),)

    time: Coded[FeedbackTime]
    """At once, by a date, or not appropriate here."""
    by_on: Date | None = None
    """The last day."""
    process: ShortText
    """How, or why not."""


class OnwardNotification(Model):
    """Someone else who is to be told (S1-18)."""

    recipient: Line
    """Who."""
    reason: ShortText | None = None
    """Why."""
    notified_at: Instant | None = None
    """When; absent while it has not been done."""


class ReviewDecision(Body):
    """A decision of one to three seats on a message."""

    TYPE = "review-decision"
    CODE = "M24"
    TITLE = "Review decision"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("file_audit", True, requires=("file_audit_note",)),
        Need("responded_to_referrer", True, requires=("responded_to_referrer_on",)),
    )

    review: Coded[Review]
    """What is decided."""
    decisions: Annotated[tuple[SeatDecision, ...], Field(strict=False, min_length=1, max_length=3)]
    """One decision for each seat that speaks here."""
    dissent: ShortText | None = None
    """Who thought otherwise, and why."""
    further_actions: Several[AgencyAction] = ()
    """What is to be done besides, by whom, with a date each."""
    onward_notifications: Annotated[Several[OnwardNotification], Field(max_length=20)] = ()
    """Who else is to be told."""
    file_audit: bool | None = None
    """Whether a file audit is required (S1-19)."""
    file_audit_note: ShortText | None = None
    """Why."""
    rapid_review_referral: bool | None = None
    """Whether a referral to the rapid review panel is required (field 18)."""
    other_action: ShortText | None = None
    """Any other action (field 19)."""
    responded_to_referrer: bool | None = None
    """Whether the referrer has been answered (field 20)."""
    responded_to_referrer_on: Date | None = None
    """When (field 20)."""
    meeting_at: Instant | None = None
    """When the strategy meeting is to be (S0-15)."""
    investigating_officer: Person | None = None
    """The manager who is nominated (S0-16)."""
    investigation_due_on: Date | None = None
    """The day agreed for the investigation report (S0-17)."""
    feedback: Feedback | None = None
    """How feedback is given to staff (S0-21)."""
    monitoring: ShortText | None = None
    """How the recommendations are followed (S0-21)."""

    @model_validator(mode="after")
    def _decides_what_it_is_about(self) -> Self:
        seats = [decision.seat for decision in self.decisions]
        if len(set(seats)) != len(seats):
            raise fault("each-seat-once", "decisions")
        for number, decision in enumerate(self.decisions):
            if decision.outcome not in OUTCOMES[self.review]:
                raise fault("not-of-this-review", "decisions", number, "outcome")
        return self

    def facts(self) -> Facts:
        """What was decided, by seat in the same order (`seat`, `outcome`), when the last did, and what follows."""
        due, feedback = self.investigation_due_on, self.feedback
        by_on = feedback.by_on if feedback else None
        return Facts(
            moments=moments(
                decided_at=max(decision.decided_at for decision in self.decisions),
                meeting_at=self.meeting_at,
                investigation_due_at=end_of(due) if due else None,
                feedback_due_at=end_of(by_on) if by_on else None,
                actions_due_at=first_due_at(self.further_actions),
            ),
            codes={
                "review": words(self.review),
                "seat": words(*(decision.seat for decision in self.decisions)),
                "outcome": words(*(decision.outcome for decision in self.decisions)),
                "file_audit": _said(self.file_audit),
                "onward": ("yes" if self.onward_notifications else "no",),
                "further_actions": ("yes" if self.further_actions else "no",),
                "rapid_review_referral": _said(self.rapid_review_referral),
                "responded_to_referrer": _said(self.responded_to_referrer),
                "feedback": words(feedback.time if feedback else None),
                "monitoring": ("yes" if self.monitoring else "no",),
            },
            agencies=acting(self.further_actions),
            actions=asked(self.further_actions),
        )


def _said(answer: bool | None) -> tuple[str, ...]:
    return () if answer is None else ("yes" if answer else "no",)
