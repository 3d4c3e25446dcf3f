"""M13, asking: each named agency is to write an individual management review (S4-16).

The panel sets the time for each case: `imr_due_at` is its word, and the only clock that a message brings itself (K19).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from pydantic import Field

from gateway.core.messages import AgencyId, Facts
from schemas.fields import DistinctSome, Instant, LongText, ShortText, Slug
from schemas.information_request import Period
from schemas.model import Body, Path, moments
from schemas.people import ChildIdentity


class ImrRequest(Body):
    """A request for an individual management review to named agencies."""

    TYPE = "imr-request"
    CODE = "M13"
    TITLE = "Request for an individual management review"

    agencies: DistinctSome[Slug]
    """The agencies asked, by their slugs in the directory."""
    children: Annotated[tuple[ChildIdentity, ...], Field(strict=False, max_length=26)] = ()
    """Whom the agencies are to look for in their records."""
    period: Period
    """The time to be reviewed."""
    terms_of_reference: LongText
    """What the review is to look at."""
    questions: Annotated[tuple[ShortText, ...], Field(strict=False, max_length=50)] = ()
    """Particular questions, one each."""
    template_note: ShortText | None = None
    """Which template is to be used and where it is."""
    imr_due_at: Instant
    """By when, as the panel or the business unit has set it."""

    def facts(self) -> Facts:
        """Which agencies are asked, and by when."""
        return Facts(
            moments=moments(imr_due_at=self.imr_due_at),
            agencies=tuple(AgencyId(agency) for agency in self.agencies),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth."""
        for number, child in enumerate(self.children):
            yield from child.births("children", number)
