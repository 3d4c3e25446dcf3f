"""M19: the report of the investigating officer (S0-17 to S0-19, S0-22, S0-23)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Instant, LongText, Several, ShortText
from schemas.improvement import Recommendation
from schemas.model import Body, Need, moments
from schemas.people import Person


class InvestigationReport(Body):
    """The report of an investigation into a serious incident."""

    TYPE = "investigation-report"
    CODE = "M19"
    TITLE = "Investigation report"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("urgent_concern", True, requires=("urgent_concern_at", "urgent_concern_note")),
        Need("staff_debriefed", False, requires=("staff_support",)),
    )

    investigating_officer: Person
    """Who investigated."""
    investigation_completed_at: Instant
    """When the investigation was complete."""
    summary: LongText | None = None
    """A summary, for the copy to the strategic director (S0-22)."""
    circumstances: LongText
    """The circumstances in detail."""
    lessons: Annotated[tuple[ShortText, ...], Field(strict=False, min_length=1, max_length=100)]
    """Lessons to be learnt, one each."""
    recommendations: Several[Recommendation] = ()
    """How it could be kept from happening again."""
    learning_opportunities: LongText | None = None
    """What department and council can learn beyond this matter."""
    staff_debriefed: bool
    """Whether staff have been de-briefed (S0-18)."""
    staff_support: LongText | None = None
    """The support arrangements, or why there was no de-briefing yet."""
    urgent_concern: bool = False
    """Whether something must be put right at once (S0-23)."""
    urgent_concern_at: Instant | None = None
    """When that was seen."""
    urgent_concern_note: ShortText | None = None
    """What it is."""

    def facts(self) -> Facts:
        """When it was complete, and whether there is an urgent concern."""
        return Facts(
            moments=moments(
                investigation_completed_at=self.investigation_completed_at,
                urgent_concern_at=self.urgent_concern_at,
            ),
            codes={
                "urgent_concern": ("yes" if self.urgent_concern else "no",),
                "staff_debriefed": ("yes" if self.staff_debriefed else "no",),
            },
        )
