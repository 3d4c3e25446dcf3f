"""M09: the letter to a school's designated safeguarding lead, one for each child and school (S2-21, S2-26).

It says that the council is submitting a notification and asks three questions. It carries no detail of the incident.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from gateway.core.messages import Facts
from schemas.fields import Date, LetterReference, Line, SchoolUrn, Telephone
from schemas.model import Body, Model, Path


class Adviser(Model):
    """Whom the school may ring to check that the letter is genuine."""

    name: Line
    """Full name."""
    telephone: Telephone
    """The council's own number."""


class DslLetter(Body):
    """The letter that asks a school for one child's dates on roll, previous school and records."""

    TYPE = "dsl-letter"
    CODE = "M09"
    TITLE = "Letter to a designated safeguarding lead"

    letter_reference: LetterReference | None = None
    """The letter's reference; absent, the gateway gives one when it is sent."""
    school_urn: SchoolUrn
    """The school's six-digit URN (GIAS)."""
    school_name: Line
    """The school's name as it is to stand in the letter."""
    dsl_name: Line | None = None
    """The designated safeguarding lead or leads; absent, the directory's."""
    child_name: Line
    """The child's full name."""
    child_date_of_birth: Date | None = None
    """Where the school needs it to tell two pupils apart."""
    adviser: Adviser
    """Whom to ring."""
    council: Line
    """The council that writes."""

    def facts(self) -> Facts:
        """Which school; nothing of the child."""
        return Facts(schools=(self.school_urn,))

    def births(self) -> Iterator[tuple[Path, date]]:
        """The child's date of birth."""
        if self.child_date_of_birth is not None:
            yield ("child_date_of_birth",), self.child_date_of_birth
