"""M17: what the national Panel answered, transcribed by whoever received it (S2-17)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, Line, LongText, ShortText
from schemas.model import Body, Need, moments, words
from schemas.people import Person
from schemas.vocabulary import YesNoUnknown


class PanelView(StrEnum):
    """What the Panel thinks of the decision."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    MORE_INFORMATION = "more-information"


class PanelResponse(Body):
    """The national Panel's response to a rapid review and its decision."""

    TYPE = "panel-response"
    CODE = "M17"
    TITLE = "Response of the national Panel"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("view", "disagrees", requires=("statement",)),
        Need("view", "more-information", requires=("information_asked",)),
    )

    view: Coded[PanelView]
    """Agrees, disagrees, or asks for more."""
    national_review: Coded[YesNoUnknown]
    """Whether the Panel has an interest in a national review."""
    panel_responded_at: Instant
    """When the Panel's letter was written or received."""
    panel_reference: Line | None = None
    """The Panel's reference."""
    statement: LongText | None = None
    """What the Panel says; the letter itself may be attached."""
    information_asked: ShortText | None = None
    """What the Panel asks for."""
    transcribed_by: Person
    """Who wrote this from the Panel's letter."""

    def facts(self) -> Facts:
        """The Panel's view, its national interest, and when."""
        return Facts(
            moments=moments(panel_responded_at=self.panel_responded_at),
            codes={"view": words(self.view), "national_review": words(self.national_review)},
        )
