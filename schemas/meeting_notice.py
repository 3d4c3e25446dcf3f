"""M14: a meeting is announced, its papers are sent, that it was held is recorded, its minutes follow (S4-06, S4-13, S3-11).

The stages are messages of their own. Only the record of a meeting held says that it took place, and who was there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core.messages import AgencyId, Facts
from schemas.fields import Coded, Distinct, Instant, Line, LongText, Several, ShortText, Slug
from schemas.improvement import AgencyAction, acting, asked, first_due_at
from schemas.meetings import Attendance, MeetingMeans
from schemas.model import Body, Need, moments, words
from schemas.people import Person


class MeetingKind(StrEnum):
    """Which meeting: the rapid response panel of one council is the rapid review's meeting (X-12)."""

    EXCEPTIONAL = "exceptional"
    RAPID_REVIEW = "rapid-review"
    STRATEGY = "strategy"
    SILG = "silg"
    PANEL = "panel"
    OTHER = "other"


class MeetingStage(StrEnum):
    """What this message is."""

    NOTICE = "notice"
    PAPERS = "papers"
    HELD = "held"
    MINUTES = "minutes"


class MeetingNotice(Body):
    """A meeting's notice, its papers, the record that it was held, or its minutes."""

    TYPE = "meeting-notice"
    CODE = "M14"
    TITLE = "Meeting: notice, papers, record"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("stage", "notice", requires=("meeting_at",), forbids=("held_at", "attendance", "minutes")),
        Need(
            "stage", "papers", requires=("meeting_at", "papers"), forbids=("held_at", "attendance", "minutes")
        ),
        Need("stage", "held", requires=("held_at", "attendance")),
        Need("stage", "minutes", requires=("minutes",)),
    )

    meeting: Coded[MeetingKind]
    """Which meeting."""
    stage: Coded[MeetingStage]
    """Notice, papers, record of the meeting held, or minutes."""
    meeting_at: Instant | None = None
    """When it is to begin."""
    means: Coded[MeetingMeans] | None = None
    """In person, virtual or both."""
    where: ShortText | None = None
    """The room, or how to join."""
    chair: Person | None = None
    """Who chairs it."""
    agencies: Distinct[Slug] = ()
    """The agencies invited, by their slugs in the directory."""
    agenda: Annotated[Several[ShortText], Field(max_length=50)] = ()
    """What is on the agenda."""
    papers: Annotated[Several[Line], Field(max_length=50)] = ()
    """The titles of the papers: those attached to this message, and messages sent before."""
    held_at: Instant | None = None
    """When it began."""
    attendance: Several[Attendance] = ()
    """Who was there."""
    apologies: Several[Attendance] = ()
    """Who was not."""
    minutes: LongText | None = None
    """What was said and decided."""
    actions: Several[AgencyAction] = ()
    """What agencies are to do."""

    def facts(self) -> Facts:
        """Which meeting and stage, when it is to be and was held, and the agencies invited or to act."""
        invited = tuple(AgencyId(agency) for agency in self.agencies)
        return Facts(
            moments=moments(
                meeting_at=self.meeting_at, held_at=self.held_at, actions_due_at=first_due_at(self.actions)
            ),
            codes={"meeting": words(self.meeting), "stage": words(self.stage)},
            agencies=tuple(dict.fromkeys((*invited, *acting(self.actions)))),
            actions=asked(self.actions),
        )
