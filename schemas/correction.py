"""M23: the sender corrects, replaces or withdraws a message, or recalls one that went to the wrong place (G-06).

Nothing is overwritten: the first message stays on record beside this one. A corrected instant is a fact of its own name,
so that no clock ever moves by itself; the rules decide what follows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gateway.core.messages import AgencyId, Facts
from schemas.fields import Coded, Distinct, Instant, LongText, MessageReference, ShortText, Slug
from schemas.model import Body, Need, moments, words


class CorrectionAction(StrEnum):
    """What is done to the earlier message."""

    CORRECT = "correct"
    SUPERSEDE = "supersede"
    WITHDRAW = "withdraw"
    RECALL_MISDIRECTED = "recall-misdirected"


class Correction(Body):
    """A correction, replacement, withdrawal or recall of an earlier message by its sender."""

    TYPE = "correction"
    CODE = "M23"
    TITLE = "Correction"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("action", "correct", requires=("statement",)),
        Need("action", "supersede", requires=("superseded_by",)),
        Need("action", "recall-misdirected", requires=("misdirected_to",)),
    )

    message: MessageReference
    """The message that is corrected."""
    action: Coded[CorrectionAction]
    """What is done to it."""
    reason: ShortText
    """Why."""
    statement: LongText | None = None
    """What is right, in words."""
    superseded_by: MessageReference | None = None
    """The message that takes its place."""
    misdirected_to: Distinct[Slug] = ()
    """The agencies that should not have had it."""
    corrected_incident_at: Instant | None = None
    """When it happened, if that was wrong."""
    corrected_aware_at: Instant | None = None
    """When the agency became aware, if that was wrong."""
    corrected_submitted_at: Instant | None = None
    """When the notification was submitted, if that was wrong."""

    def facts(self) -> Facts:
        """What is done to which message, corrected instants under their own names, and where a misdirected one went."""
        return Facts(
            moments=moments(
                corrected_incident_at=self.corrected_incident_at,
                corrected_aware_at=self.corrected_aware_at,
                corrected_sin_submitted_at=self.corrected_submitted_at,
            ),
            codes={"action": words(self.action), "corrects": (self.message,)},
            agencies=tuple(AgencyId(agency) for agency in self.misdirected_to),
        )
