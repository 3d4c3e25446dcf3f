"""M06: any agency refers a potential serious incident or a near miss to the partnership (S4-04, S4-09, S4-11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.core.messages import AgencyId, Facts
from schemas.fields import Coded, Distinct, Instant, Line, ShortText, Slug
from schemas.incidents import IncidentDetails, check_awareness, every_birth, incident_codes, schools_of
from schemas.model import Body, Model, Path, words
from schemas.people import Child, Person


class ReferralKind(StrEnum):
    """What the sender believes this to be. The partners decide."""

    POTENTIAL_SIN = "potential-sin"
    NEAR_MISS = "near-miss"


class Endorsement(Model):
    """The agency's own safeguarding lead has seen this. Its absence never stops a referral (S4-11)."""

    endorsed_by: Person
    """The agency's designated or named safeguarding lead."""
    endorsed_at: Instant
    """When."""
    comment: ShortText | None = None
    """What the lead adds."""


class Referral(Body):
    """A referral of a potential serious incident or a near miss, by any agency, to the safeguarding partners."""

    TYPE = "referral"
    CODE = "M06"
    TITLE = "Referral of a potential serious incident or near miss"

    referral_kind: Coded[ReferralKind]
    """Potential serious incident notification, or near miss."""
    children: Annotated[tuple[Child, ...], Field(strict=False, min_length=1, max_length=26)]
    """Every child whom it concerns; their order gives each a letter."""
    incident: IncidentDetails
    """What happened."""
    agencies_involved: Distinct[Slug] = ()
    """Agencies known to be involved, by their slugs in the directory."""
    other_agencies: Distinct[Line] = ()
    """Agencies known to be involved that are not in the directory."""
    safeguarding_lead_endorsement: Endorsement | None = None
    """The endorsement of the agency's safeguarding lead, if there is one already."""
    linked_national_reference: Line | None = None
    """The reference of an earlier national notification about the same matter."""

    @model_validator(mode="after")
    def _awareness_follows_the_incident(self) -> Self:
        check_awareness(self.incident, self.children)
        return self

    def facts(self) -> Facts:
        """Instants of the incident, its coded values, the agencies and the children's schools."""
        return Facts(
            moments=self.incident.instants(),
            codes={
                "referral_kind": words(self.referral_kind),
                **incident_codes(self.incident, self.children),
            },
            agencies=tuple(AgencyId(agency) for agency in self.agencies_involved),
            schools=schools_of(self.children),
        )

    def births(self) -> Iterator[tuple[Path, date]]:
        """The children's dates of birth and those of people connected to them."""
        return every_birth(self.children)
