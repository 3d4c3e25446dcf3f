"""Who was at a meeting and how it was held; shared by every record of one."""

from __future__ import annotations

from enum import StrEnum

from schemas.fields import Slug
from schemas.model import Model
from schemas.people import Person


class PartnerSeat(StrEnum):
    """The three delegated safeguarding partners."""

    LOCAL_AUTHORITY = "dsp-la"
    ICB = "dsp-icb"
    POLICE = "dsp-police"


class MeetingMeans(StrEnum):
    """How the meeting was held."""

    IN_PERSON = "in-person"
    VIRTUAL = "virtual"
    HYBRID = "hybrid"


class Attendance(Model):
    """Someone at the meeting."""

    person: Person
    """Name and post."""
    agency: Slug | None = None
    """The agency's slug in the directory."""
