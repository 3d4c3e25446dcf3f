"""M22: what has been learnt in a month or a year, without anyone in it (S3-15, S0-24, section 6.2).

There is no member for a case: figures, themes, and short lessons that hold neither a long number nor a postcode. A small
figure is not given: `suppressed` stands in its place, because two notifications a year make every cut of them disclosive.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import TEXT_PATTERN, Coded, Date, Distinct, Instant, Several, Slug
from schemas.model import Body, Model, Need, fault, moments, words

SMALLEST_FIGURE = 5  # below it a figure may point at someone
_NUMBER = re.compile(r"\d(?:[ /.-]?\d){5}")  # a date, an NHS number, a telephone number
_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b", re.IGNORECASE)


class DigestKind(StrEnum):
    """How long a time it covers."""

    MONTHLY = "monthly"
    ANNUAL = "annual"


class Forum(StrEnum):
    """Who reads it, or how it is passed on (S3-15, S0-24)."""

    STATUTORY_PARTNERS = "statutory-partners"
    EXECUTIVE = "executive"
    SENIOR_LEADERSHIP_TEAM = "senior-leadership-team"
    MANAGERS_FORUM = "managers-forum"
    CHIEF_OFFICER_GROUP = "chief-officer-group"
    TEAM_BRIEFING = "team-briefing"
    LEARNING_EVENT = "learning-event"
    OTHER_MULTI_AGENCY = "other-multi-agency"


def _without_identifiers(value: str) -> str:
    if _NUMBER.search(value) or _POSTCODE.search(value):
        raise fault("may-identify-someone")
    return value


Theme = Annotated[str, Field(max_length=100, pattern=TEXT_PATTERN), AfterValidator(_without_identifiers)]
Lesson = Annotated[str, Field(max_length=500, pattern=TEXT_PATTERN), AfterValidator(_without_identifiers)]


class Figure(Model):
    """How many, of what."""

    ONE_OF: ClassVar[tuple[tuple[str, ...], ...]] = (("count", "suppressed"),)

    of: Slug
    """What is counted: `alerts`, `serious-incident`, `statutory-review`, `near-miss`."""
    count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """How many: none, or at least five."""
    suppressed: Annotated[bool, Field(json_schema_extra={"const": True})] | None = None
    """True where there were some, but so few that the figure could point at someone."""

    @model_validator(mode="after")
    def _is_not_small(self) -> Self:
        if self.count is not None and 0 < self.count < SMALLEST_FIGURE:
            raise fault("may-identify-someone", "count")
        if self.suppressed is False:
            raise fault("not-in-vocabulary", "suppressed")
        return self


class Timeliness(Model):
    """How a clock was kept, in per cent (S4-22)."""

    clock: Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}[a-z]?$")]
    """The clock."""
    in_time_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Kept in time, in per cent; null where there were too few to say."""


class LearningDigest(Body):
    """A digest of learning for a month or a year, anonymised."""

    TYPE = "learning-digest"
    CODE = "M22"
    TITLE = "Learning digest"
    NEEDS: ClassVar[tuple[Need, ...]] = (Need("kind", "annual", requires=("themes",)),)

    kind: Coded[DigestKind]
    """Monthly or annual."""
    period_from_on: Date
    """First day."""
    period_to_on: Date
    """Last day."""
    figures: Several[Figure] = ()
    """How many, by class, category or label."""
    timeliness: Several[Timeliness] = ()
    """How clocks were kept."""
    themes: Annotated[Several[Theme], Field(max_length=50)] = ()
    """Themes, a few words each."""
    lessons: Several[Lesson] = ()
    """Lessons in general words, one each; about nobody."""
    forums: Distinct[Coded[Forum]] = ()
    """Who it is for, and how it is passed on."""
    tabled_at: Instant | None = None
    """When it was put before the group that receives it."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.period_to_on < self.period_from_on:
            raise fault("before-start", "period_to_on")
        return self

    def facts(self) -> Facts:
        """Monthly or annual, which period, and for whom."""
        return Facts(
            moments=moments(tabled_at=self.tabled_at),
            codes={
                "kind": words(self.kind),
                "period": (f"{self.period_from_on.isoformat()}/{self.period_to_on.isoformat()}",),
                "forum": words(*self.forums),
            },
        )
