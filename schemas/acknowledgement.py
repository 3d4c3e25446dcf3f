"""M20: a recipient says that a message has been received (S3-16). Only a person's counts as an acknowledgement."""

from __future__ import annotations

from enum import StrEnum

from gateway.core.messages import Facts
from schemas.fields import Coded, DeliveryReference, Instant, Line, ShortText
from schemas.model import Body, moments, words
from schemas.vocabulary import Role


class AcknowledgedBy(StrEnum):
    """Whether a person has seen it, or only a system has it."""

    PERSON = "person"
    SYSTEM = "system"


class Acknowledgement(Body):
    """A recipient's acknowledgement of the message that the envelope's `in_reply_to` names."""

    TYPE = "acknowledgement"
    CODE = "M20"
    TITLE = "Acknowledgement"
    ANSWERS = True

    by: Coded[AcknowledgedBy]
    """A person or a system."""
    role: Coded[Role]
    """In which role it was received."""
    name: Line | None = None
    """The person's name, where the person gives it."""
    acknowledged_at: Instant
    """When it was seen."""
    delivery: DeliveryReference | None = None
    """The delivery by which it came, if known."""
    note: ShortText | None = None
    """A word to the sender."""

    def facts(self) -> Facts:
        """Person or system, in which role, and when."""
        return Facts(
            moments=moments(acknowledged_at=self.acknowledged_at),
            codes={"by": words(self.by), "role": words(self.role)},
        )
