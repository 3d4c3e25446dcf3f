"""M16: the final decision after a rapid review, and that it was sent to the Panel (S2-16, S3-19, S3-20, P-10).

`lcspr_decided_at` is a fact only when a local child safeguarding practice review is begun: it starts K20.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, Line, LongText, Several, ShortText
from schemas.improvement import AgencyAction, acting, asked, first_due_at
from schemas.model import Body, Need, moments, words
from schemas.people import Person


class FinalOutcome(StrEnum):
    """How the matter goes on after the rapid review."""

    INITIATE_CSPR = "initiate-cspr"
    ALTERNATIVE_APPROACH = "alternative-approach"
    NONE = "none"
    CRITERIA_NOT_MET_AFTER_NOTIFICATION = "criteria-not-met-after-notification"


class FinalDecision(Body):
    """The final decision of the partnership's executive or of the partners."""

    TYPE = "final-decision"
    CODE = "M16"
    TITLE = "Final decision after a rapid review"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("sent_to_panel", True, requires=("sent_to_panel_at",)),
        Need("sent_to_panel", False, forbids=("sent_to_panel_at", "panel_evidence")),
        Need("decision", "alternative-approach", requires=("approach",)),
    )

    decision: Coded[FinalOutcome]
    """What has been decided."""
    decided_by: Annotated[tuple[Person, ...], Field(strict=False, min_length=1, max_length=20)]
    """Who decided."""
    deciding_body: Line | None = None
    """The body for which they decided, for example the executive."""
    decided_at: Instant
    """When."""
    reasons: LongText
    """Why."""
    approach: LongText | None = None
    """The other way in which the learning is found."""
    terms_of_reference: LongText | None = None
    """The terms of a local child safeguarding practice review, as far as they stand."""
    dissent: ShortText | None = None
    """Who thought otherwise, and why."""
    actions: Several[AgencyAction] = ()
    """What named agencies are to do, with a date each."""
    sent_to_panel: bool
    """Whether the rapid review and this decision have been sent to the Panel."""
    sent_to_panel_at: Instant | None = None
    """When."""
    panel_evidence: ShortText | None = None
    """What shows it."""

    def facts(self) -> Facts:
        """The decision, when it was made, and whether and when it went to the Panel."""
        begins = self.decision is FinalOutcome.INITIATE_CSPR
        return Facts(
            moments=moments(
                decided_at=self.decided_at,
                lcspr_decided_at=self.decided_at if begins else None,
                sent_to_panel_at=self.sent_to_panel_at,
                actions_due_at=first_due_at(self.actions),
            ),
            codes={
                "decision": words(self.decision),
                "sent_to_panel": ("yes" if self.sent_to_panel else "no",),
            },
            agencies=acting(self.actions),
            actions=asked(self.actions),
        )
