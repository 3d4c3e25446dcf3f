"""A person confirms that a task has been done, does not apply, or is not done yet (S1-13, S2-09, S2-10, S2-19, S3-17, S3-21).

Which tasks there are is the partnership's data. `not-yet` is on record and meets nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from gateway.core.messages import Facts
from schemas.fields import Coded, Instant, Line, Reference, Several, ShortText, Slug
from schemas.model import Body, Need, moments, words
from schemas.people import Person


class TaskStatus(StrEnum):
    """How the task stands."""

    DONE = "done"
    NOT_APPLICABLE = "not-applicable"
    NOT_YET = "not-yet"


class TaskRecord(Body):
    """The record of one task by the person who did it, or who says why not."""

    TYPE = "task-record"
    CODE = "M25"
    TITLE = "Task record"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("status", "done", requires=("done_at", "done_by")),
        Need("status", "not-applicable", requires=("note",)),
        Need("status", "not-yet", forbids=("done_at",)),
    )

    task: Slug
    """Which task, by the partnership's name for it."""
    status: Coded[TaskStatus]
    """Done, not applicable, or not yet."""
    done_at: Instant | None = None
    """When it was done."""
    done_by: Person | None = None
    """Who did it."""
    case_system: Line | None = None
    """The case system in which it was put on record, as the agency calls it."""
    case_reference: Reference | None = None
    """The record's own id there; it must carry no personal data."""
    told: Annotated[Several[Line], Field(max_length=100)] = ()
    """Which teams or posts were told, for a task of telling people (S2-10, S3-21)."""
    note: ShortText | None = None
    """A remark; for a task that does not apply, why."""

    def facts(self) -> Facts:
        """Which task, how it stands, and when it was done."""
        return Facts(
            moments=moments(done_at=self.done_at),
            codes={"task": (self.task,), "status": words(self.status)},
        )
