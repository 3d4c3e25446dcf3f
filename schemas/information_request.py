"""M11: the business unit asks agencies for what they know (S4-12, S3-11). Each asked agency then owes a return."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.core.messages import AgencyId, Facts
from schemas.fields import Date, DistinctSome, ShortText, Slug
from schemas.model import Body, Model, Path, fault
from schemas.people import ChildIdentity


class Period(Model):
    """The time asked about; without an end it runs to the present."""

    from_on: Date
    """First day."""
    to_on: Date | None = None
    """Last day, or null for the present."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.to_on is not None and self.to_on < self.from_on:
            raise fault("before-start", "to_on")
        return self


class InformationRequest(Body):
    """A request for information to named agencies."""

    TYPE = "information-request"
    CODE = "M11"
    TITLE = "Request for information"

    agencies: DistinctSome[Slug]
    """The agencies asked, by their slugs in the directory."""
    children: Annotated[tuple[ChildIdentity, ...], Field(strict=False, max_length=26)] = ()
    """Whom the agencies are to look for in their records."""
    questions: Annotated[tuple[ShortText, ...], Field(strict=False, min_length=1, max_length=50)]
    """What is asked, one question each."""
    period: Period
    """The time asked about."""
    purpose: ShortText
    """Why it is asked: necessary and proportionate (S4-18)."""
    return_by_note: ShortText | None = None
    """A remark about the date; the due instant itself comes from the partnership's rules."""

    def facts(self) -> Facts:
        """Which agencies are asked."""
        return Facts(agencies=tuple(AgencyId(agency) for agency in self.agencies))

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth."""
        for number, child in enumerate(self.children):
            yield from child.births("children", number)
