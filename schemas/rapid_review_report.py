"""M15: the report of a rapid review with its recommendation (S2-14, S2-15, S4-14, P-11).

The first four sections are mandatory. Actions are of named agencies, so that each becomes a duty of its own (S4-24).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, LongText, Several, ShortText
from schemas.improvement import AgencyAction, acting, asked, first_due_at
from schemas.incidents import FamilyContact
from schemas.meetings import PartnerSeat
from schemas.model import Body, Model, moments, words
from schemas.people import Person
from schemas.vocabulary import YesNoUnknown


class ReviewRecommendation(StrEnum):
    """What the rapid review recommends."""

    CSPR = "cspr"
    NO_CSPR = "no-cspr"
    ALTERNATIVE_LEARNING = "alternative-learning"


class SignOff(Model):
    """One partner stands by the report."""

    seat: Coded[PartnerSeat]
    """For which partner."""
    signed_off_by: Person
    """Who."""
    signed_off_at: Instant
    """When."""


class RapidReviewReport(Body):
    """The report of a rapid review and its recommendation."""

    TYPE = "rapid-review-report"
    CODE = "M15"
    TITLE = "Rapid review report"

    facts_established: LongText
    """The facts so far as they can readily be established."""
    immediate_action: LongText
    """Immediate action for children's safety, and learning that has been shared."""
    potential_for_improvement: LongText
    """What improvements there may be to safeguard children."""
    next_steps: LongText
    """What is to be done next, a local child safeguarding practice review among it or not."""
    recommendation: Coded[ReviewRecommendation]
    """Whether to undertake a local child safeguarding practice review."""
    reasons: LongText
    """Why, or why not."""
    agency_involvement: LongText | None = None
    """Which agencies were involved, and how."""
    key_practice_episodes: LongText | None = None
    """The episodes of practice that matter most."""
    context_of_lives: LongText | None = None
    """The family's life: racism, inequality, protected characteristics, disability."""
    national_relevance: Coded[YesNoUnknown] = YesNoUnknown.UNKNOWN
    """Whether the matter is of national importance."""
    national_relevance_note: ShortText | None = None
    """Why."""
    child_and_family_voice: LongText | None = None
    """What the child and the family say."""
    family_contact: FamilyContact | None = None
    """Who speaks with the family, or why nobody has yet (S4-21)."""
    learning: Annotated[Several[ShortText], Field(max_length=50)] = ()
    """What has been learnt, one lesson each."""
    actions: Several[AgencyAction] = ()
    """What named agencies are to do, with a date each."""
    sign_off: Annotated[Several[SignOff], Field(max_length=3)] = ()
    """The partners who stand by it."""

    def facts(self) -> Facts:
        """The recommendation, national relevance, and the agencies that are to act, with the earliest date."""
        return Facts(
            moments=moments(actions_due_at=first_due_at(self.actions)),
            codes={
                "recommendation": words(self.recommendation),
                "national_relevance": words(self.national_relevance),
                "signed_off": words(*(entry.seat for entry in self.sign_off)),
            },
            agencies=acting(self.actions),
            actions=asked(self.actions),
        )
