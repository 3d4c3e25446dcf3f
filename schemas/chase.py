"""M21: a duty is coming due or has been missed (G-02). It carries no free text and so no personal data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gateway.core.messages import AgencyId, Facts
from schemas.fields import Coded, Date, Distinct, DutyReference, Instant, Slug
from schemas.model import Body, Model, words
from schemas.vocabulary import Role


class ChaseStage(StrEnum):
    """How far the duty has run: half of its time, one working day before, due, one and two working days after."""

    HALF_WAY = "half-way"
    DAY_BEFORE = "day-before"
    DUE = "due"
    OVERDUE_1 = "overdue-1"
    OVERDUE_2 = "overdue-2"
    AGEING = "ageing"


class ChaseAdvice(StrEnum):
    """What a chase that is due suggests."""

    NOTIFY_DCS = "notify-dcs"


class SeatNamed(Model):
    """A role in an agency."""

    agency: Slug
    """The agency's slug in the directory."""
    role: Coded[Role]
    """The role."""


class Chase(Body):
    """A reminder or escalation about one duty."""

    TYPE = "chase"
    CODE = "M21"
    TITLE = "Chase"

    duty: DutyReference
    """The duty that is chased."""
    stage: Coded[ChaseStage]
    """How far it has run. `ageing` is for a duty without a limit."""
    expects: Slug
    """The message type that would meet the duty."""
    clock: Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}[a-z]?$")]
    """The clock that gave it its due instant."""
    owed_by: SeatNamed
    """Who owes it."""
    escalated_to: Distinct[Coded[Role]] = ()
    """Who else is told at this stage."""
    due_on: Date | None = None
    """The due date; null where there is no limit."""
    due_at: Instant | None = None
    """The due instant; null where there is no limit."""

    advice: Coded[ChaseAdvice] | None = None
    """What to do now that it is due, where there is one thing to do: notify the Director of Children's Services (S1-05)."""

    def facts(self) -> Facts:
        """The stage, what is expected, and who owes it."""
        return Facts(
            codes={"stage": words(self.stage), "expects": (self.expects,), "role": words(self.owed_by.role)},
            agencies=(AgencyId(self.owed_by.agency),),
        )
