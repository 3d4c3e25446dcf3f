"""M13, answering: one agency's individual management review (S4-16, S4-17), or its request for more time (G-10)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Date, Instant, Line, LongText, PartialDate, Several, ShortText, end_of
from schemas.improvement import Recommendation
from schemas.model import Body, Model, Need, moments, words
from schemas.people import Person


class ImrKind(StrEnum):
    """How much of an answer it is."""

    FULL = "full"
    EXTENSION_REQUEST = "extension-request"


class ChronologyEntry(Model):
    """One event of the chronology."""

    on: PartialDate
    """When: a year, a month or a day."""
    event: LongText
    """What happened, in facts."""
    source: Line | None = None
    """The record that shows it."""
    comment: ShortText | None = None
    """What the reviewer says of it."""


class Analysis(Model):
    """What the agency makes of its own part."""

    key_decisions: LongText
    """Key decisions and how they were made."""
    actions: LongText
    """What was done and what not."""
    missed_opportunities: LongText
    """Where more could have been done, or that there was none."""
    good_practice: LongText
    """What was done well."""


_SECTIONS = ("chronology", "analysis", "lessons", "signed_off_by")


class Imr(Body):
    """One agency's individual management review."""

    TYPE = "imr"
    CODE = "M13"
    TITLE = "Individual management review"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("kind", "full", requires=_SECTIONS, forbids=("extension_reason", "extension_until_on")),
        Need(
            "kind",
            "extension-request",
            requires=("extension_reason", "extension_until_on"),
            forbids=(*_SECTIONS, "recommendations"),
        ),
    )

    kind: Coded[ImrKind]
    """The review, or a request for more time."""
    chronology: Annotated[tuple[ChronologyEntry, ...], Field(strict=False, max_length=2_000)] = ()
    """A detailed chronology."""
    analysis: Analysis | None = None
    """Key decisions, actions, missed opportunities and good practice."""
    lessons: Several[ShortText] = ()
    """What is to be learnt, one lesson each."""
    recommendations: Several[Recommendation] = ()
    """What the agency recommends."""
    signed_off_by: Person | None = None
    """Who answers for the review in the agency."""
    signed_off_at: Instant | None = None
    """When."""
    extension_reason: ShortText | None = None
    """Why more time is needed."""
    extension_until_on: Date | None = None
    """The day by which the agency expects to answer; the due date that was set stays on record."""

    def facts(self) -> Facts:
        """A review or a request for more time, and until when."""
        asked = self.extension_until_on
        return Facts(
            moments=moments(extension_until_at=end_of(asked) if asked else None),
            codes={"kind": words(self.kind)},
        )
