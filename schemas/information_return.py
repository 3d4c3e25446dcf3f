"""M12: an agency's return (S4-12, S4-20). A nil return is a valid answer (G-09); so is asking for more time (G-10)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from gateway.core.messages import Facts
from schemas.fields import Coded, Date, Distinct, Line, LongText, ShortText, end_of
from schemas.model import Body, Need, moments, words


class ReturnKind(StrEnum):
    """How complete the return is."""

    FULL = "full"
    PARTIAL = "partial"
    NIL = "nil"
    EXTENSION_REQUEST = "extension-request"


_SECTIONS = ("involvement", "actions", "learning")


class InformationReturn(Body):
    """What one agency answers to a request for information."""

    TYPE = "information-return"
    CODE = "M12"
    TITLE = "Return of information"
    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("kind", "full", requires=_SECTIONS, forbids=("no_involvement", "extension_reason")),
        Need("kind", "partial", requires=("involvement",), forbids=("no_involvement",)),
        Need("kind", "nil", requires=("no_involvement", "records_checked"), forbids=_SECTIONS),
        Need(
            "kind",
            "extension-request",
            requires=("extension_reason", "extension_until_on"),
            forbids=("no_involvement",),
        ),
    )

    kind: Coded[ReturnKind]
    """Full, partial with more to follow, nil, or a request for more time."""
    involvement: LongText | None = None
    """The agency's involvement with the child and family, in facts."""
    actions: LongText | None = None
    """What the agency did and does."""
    learning: LongText | None = None
    """What the agency has learnt already, or that there is nothing yet."""
    records_checked: Distinct[Line] = ()
    """The records and systems that were searched."""
    no_involvement: ShortText | None = None
    """For a nil return: the statement that the agency was not involved."""
    still_to_come: ShortText | None = None
    """For a partial return: what follows."""
    not_shared: ShortText | None = None
    """What the agency holds and has decided not to share, in general words, and why (P-15)."""
    extension_reason: ShortText | None = None
    """Why more time is needed."""
    extension_until_on: Date | None = None
    """The day by which the agency expects to answer; the original due date stays on record."""

    def facts(self) -> Facts:
        """How complete it is, whether something is not shared, and until when more time is asked for."""
        asked = self.extension_until_on
        return Facts(
            moments=moments(extension_until_at=end_of(asked) if asked else None),
            codes={"kind": words(self.kind), "not_shared": ("yes" if self.not_shared else "no",)},
        )
