"""M07: what the delegated safeguarding partners decide about a referral (S4-05 to S4-07).

Two shapes, because "within one working day" may be met either way (X-29): one partner's own decision, or the record of
the exceptional meeting of the three with attendance and three decisions. `decisions` reads both alike.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, LongText, Several
from schemas.meetings import Attendance, MeetingMeans, PartnerSeat
from schemas.model import Body, Model, fault, moments, words
from schemas.people import Person


class CriteriaMet(StrEnum):
    """Whether the partner finds the criteria for notification met."""

    YES = "yes"
    NO = "no"
    MORE_INFORMATION = "more-information"


class TriageOutcome(StrEnum):
    """What is to be done (S4-07)."""

    SIN_AND_RAPID_REVIEW = "sin-and-rapid-review"
    SIN_ONLY = "sin-only"
    REVIEW_WITHOUT_SIN = "review-without-sin"
    NEAR_MISS_REVIEW = "near-miss-review"
    NO_FURTHER_ACTION = "no-further-action"
    MORE_INFORMATION = "more-information"


class DecisionMeans(StrEnum):
    """How the decision was given."""

    SYSTEM = "system"
    TELEPHONE = "telephone"
    MEETING = "meeting"


class PartnerDecision(Model):
    """One partner's decision."""

    seat: Coded[PartnerSeat]
    """For which partner."""
    decided_by: Person
    """Who decided: the holder of the seat or the deputy."""
    criteria_met: Coded[CriteriaMet]
    """Whether the criteria are met."""
    outcome: Coded[TriageOutcome]
    """What is to be done."""
    reasons: LongText
    """Why."""


class ExceptionalMeeting(Model):
    """The record of the partners' exceptional meeting."""

    held_at: Instant
    """When it began."""
    means: Coded[MeetingMeans]
    """In person or virtual."""
    attendance: Annotated[Several[Attendance], Field(min_length=1)]
    """Who was there."""
    decisions: Annotated[tuple[PartnerDecision, ...], Field(strict=False, min_length=3, max_length=3)]
    """The three decisions, one for each seat."""
    decided_at: Instant
    """When the three had decided."""
    note: LongText | None = None
    """What else is to be on record, such as dissent."""

    @model_validator(mode="after")
    def _every_seat_decides_once(self) -> Self:
        if {decision.seat for decision in self.decisions} != set(PartnerSeat):
            raise fault("each-seat-once", "decisions")
        if self.decided_at < self.held_at:
            raise fault("before-meeting", "decided_at")
        return self


_OWN_DECISION = ("seat", "decided_by", "criteria_met", "outcome", "reasons", "decided_at", "means")


def _publish_both_shapes(schema: JsonDict) -> None:
    absent: JsonDict = {"enum": [None]}
    present: JsonDict = {"not": absent}
    own: JsonDict = {
        "required": [*_OWN_DECISION],
        "properties": {**dict.fromkeys(_OWN_DECISION, present), "exceptional_meeting": absent},
    }
    meeting: JsonDict = {
        "required": ["exceptional_meeting"],
        "properties": {**dict.fromkeys(_OWN_DECISION, absent), "exceptional_meeting": present},
    }
    schema["oneOf"] = [own, meeting]


class TriageDecision(Body):
    """One partner's decision about a referral, or the record of the exceptional meeting of the three."""

    model_config = {"json_schema_extra": _publish_both_shapes}

    TYPE = "triage-decision"
    CODE = "M07"
    TITLE = "Triage decision of the delegated safeguarding partners"

    seat: Coded[PartnerSeat] | None = None
    """For which partner."""
    decided_by: Person | None = None
    """Who decided: the holder of the seat or the deputy."""
    criteria_met: Coded[CriteriaMet] | None = None
    """Whether the criteria are met."""
    outcome: Coded[TriageOutcome] | None = None
    """What is to be done."""
    reasons: LongText | None = None
    """Why."""
    decided_at: Instant | None = None
    """When."""
    means: Coded[DecisionMeans] | None = None
    """Through this system, by telephone or in a meeting."""
    exceptional_meeting: ExceptionalMeeting | None = None
    """The record of the meeting of the three: then none of the members above is given."""

    @model_validator(mode="after")
    def _has_one_shape(self) -> Self:
        for name in _OWN_DECISION:
            given = getattr(self, name) is not None
            if given and self.exceptional_meeting is not None:
                raise fault("not-allowed-here", name)
            if not given and self.exceptional_meeting is None:
                raise fault("required", name)
        return self

    @property
    def decisions(self) -> tuple[PartnerDecision, ...]:
        """One decision, or the three of the meeting."""
        if self.exceptional_meeting is not None:
            return self.exceptional_meeting.decisions
        own = {name: getattr(self, name) for name in PartnerDecision.model_fields}
        return (PartnerDecision.model_construct(**own),)

    def facts(self) -> Facts:
        """When, and by seat: `seat`, `criteria_met` and `outcome` stand in the same order, one for each decision."""
        meeting = self.exceptional_meeting
        decisions = self.decisions
        return Facts(
            moments=moments(
                decided_at=self.decided_at if meeting is None else meeting.decided_at,
                exceptional_meeting_at=None if meeting is None else meeting.held_at,
            ),
            codes={
                "seat": words(*(decision.seat for decision in decisions)),
                "criteria_met": words(*(decision.criteria_met for decision in decisions)),
                "outcome": words(*(decision.outcome for decision in decisions)),
                "means": words(self.means) if meeting is None else (DecisionMeans.MEETING.value,),
            },
        )
