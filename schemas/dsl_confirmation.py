"""M10: a school's answer to the letter: dates on roll, previous school, whether it holds records (S2-22).

Dates are as precise as the school was: a year, a month or a day. All three answers are mandatory, unless the child was
never on roll, when there are no dates to give and the other two may be left open.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import (
    PARTIAL_DATE_PATTERN,
    Instant,
    LetterReference,
    Line,
    PartialDate,
    ShortText,
    earliest,
    real_partial_date,
)
from schemas.model import Body, Need, fault
from schemas.people import Person

PRESENT = "present"
NOT_APPLICABLE = "not_applicable"


def _real_end(value: str) -> str:
    return value if value == PRESENT else real_partial_date(value)


RollEnd = Annotated[
    str, Field(pattern=f"^(?:{PRESENT}|{PARTIAL_DATE_PATTERN[1:-1]})$"), AfterValidator(_real_end)
]


class DslConfirmation(Body):
    """A school's answer to the letter about one child."""

    TYPE = "dsl-confirmation"
    CODE = "M10"
    TITLE = "Confirmation by a designated safeguarding lead"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("never_on_roll", False, requires=("roll_from", "roll_to", "previous_school", "records_held")),
        Need("never_on_roll", True, forbids=("roll_from", "roll_to")),
    )

    letter_reference: LetterReference
    """The reference of the letter that this answers."""
    never_on_roll: bool = False
    """Whether the child was never on the school's roll."""
    roll_from: PartialDate | None = None
    """First date on roll: a year, a month or a day."""
    roll_to: RollEnd | None = None
    """Last date on roll, or `present` for a child still on roll."""
    previous_school: Line | None = None
    """The previous school in words, or `not_applicable`."""
    records_held: bool | None = None
    """Whether the school holds records that indicate welfare or child protection concerns."""
    answered_by: Person
    """Who answers for the school."""
    answered_at: Instant | None = None
    """When, if not when the message was written."""
    additional_information: ShortText | None = None
    """What else the school says; an officer reads it."""

    @model_validator(mode="after")
    def _roll_runs_forward(self) -> Self:
        if self.roll_from is None or self.roll_to is None or self.roll_to == PRESENT:
            return self
        precision = min(len(self.roll_from), len(self.roll_to))  # compare only what both say
        if earliest(self.roll_from[:precision]) > earliest(self.roll_to[:precision]):
            raise fault("before-start", "roll_to")
        return self

    def facts(self) -> Facts:
        """Which letter, and whether an officer must read additional words; the answers themselves are about a child."""
        more = "yes" if self.additional_information else "no"
        return Facts(codes={"letter_reference": (self.letter_reference,), "additional_information": (more,)})
