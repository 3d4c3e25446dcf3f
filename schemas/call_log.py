"""M02: a call is on record: who rang which office, when, and what was said (S0-10).

For the gravest incidents the call comes before the form, so it may stand alone, before there is any incident.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, LongText, ShortText, Slug, Telephone
from schemas.model import Body, Need, moments, words
from schemas.people import Person
from schemas.vocabulary import Role


class CallOutcome(StrEnum):
    """Whether someone was reached."""

    SPOKE = "spoke"
    LEFT_MESSAGE = "left-message"
    NO_ANSWER = "no-answer"


class CallLog(Body):
    """The record of a telephone call about an incident."""

    TYPE = "call-log"
    CODE = "M02"
    TITLE = "Call log"
    NEEDS: ClassVar[tuple[Need, ...]] = (Need("outcome", "spoke", requires=("answered_by", "summary")),)

    called_at: Instant
    """When the call was made."""
    caller: Person
    """Who rang."""
    called_agency: Slug | None = None
    """The agency that was rung, by its slug in the directory."""
    called_role: Coded[Role]
    """The office that was rung."""
    called_number: Telephone | None = None
    """The number."""
    outcome: Coded[CallOutcome]
    """Whether someone in that office was reached."""
    answered_by: Person | None = None
    """Who answered."""
    summary: LongText | None = None
    """What happened and what has been done, as it was told."""
    agreed_actions: LongText | None = None
    """What was agreed."""
    missing_since: Instant | None = None
    """Since when a child has been missing, where that is what was reported (S1-05)."""
    call_again_note: ShortText | None = None
    """What is to be tried next, if nobody was reached."""

    def facts(self) -> Facts:
        """When, to which office, whether someone was reached, and since when a child is missing."""
        return Facts(
            moments=moments(called_at=self.called_at, missing_since=self.missing_since),
            codes={"outcome": words(self.outcome), "role": words(self.called_role)},
        )
