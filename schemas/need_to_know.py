"""M03: a senior manager must know now, although the facts are not complete (S0-25 to S0-27).

Five blocks; every one of them may be blank, and a message with a blank one says so. (Another sense of the words is the
label of a case in which the criteria are not met; that is `case-label` of a review decision.)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, LongText
from schemas.incidents import MediaInterest, every_birth, schools_of
from schemas.model import Body, Path, moments, words
from schemas.people import Child

BLOCKS = (
    "child_information",
    "incident_of_concern",
    "interim_safety_plan",
    "next_steps",
    "potential_media_involvement",
)


class NeedToKnow(Body):
    """A Need to Know message to a head of service, a director or above."""

    TYPE = "need-to-know"
    CODE = "M03"
    TITLE = "Need to Know"

    child_information: LongText | None = None
    """Key information on the child."""
    incident_of_concern: LongText | None = None
    """The incident, as far as it is known."""
    interim_safety_plan: LongText | None = None
    """What keeps the child and others safe for now."""
    next_steps: LongText | None = None
    """What happens next."""
    potential_media_involvement: LongText | None = None
    """What press or public may do, or that nothing is expected."""
    media_interest: Coded[MediaInterest] = MediaInterest.UNKNOWN
    """The same as a code."""
    incident_at: Instant | None = None
    """When it happened, if that is known."""
    aware_at: Instant | None = None
    """When the sender became aware."""
    children: Annotated[tuple[Child, ...], Field(strict=False, max_length=26)] = ()
    """The child or children in fields, where the sender has them."""

    @property
    def blank(self) -> tuple[str, ...]:
        """The blocks that have not been filled in."""
        return tuple(name for name in BLOCKS if getattr(self, name) is None)

    @property
    def complete(self) -> bool:
        """Whether every block has been filled in; a message is sent all the same when one is not."""
        return not self.blank

    def facts(self) -> Facts:
        """Whether it is complete and which blocks are blank, the media, and the instants that are known."""
        return Facts(
            moments=moments(incident_at=self.incident_at, aware_at=self.aware_at),
            codes={
                "complete": ("yes" if self.complete else "no",),
                "blank": self.blank,
                "media": words(self.media_interest),
                "media_interest": words(self.media_interest),
            },
            schools=schools_of(self.children),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
