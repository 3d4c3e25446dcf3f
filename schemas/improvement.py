"""What reviews ask for: actions of named agencies with a date each, and recommendations (S4-24, S0-19)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.core.messages import ActionAsked, AgencyId, RoleId
from schemas.fields import Coded, Date, Line, ShortText, Slug, end_of
from schemas.model import Model
from schemas.vocabulary import Role


class AgencyAction(Model):
    """One thing that one agency is to do by a date."""

    agency: Slug
    """The agency's slug in the directory."""
    role: Coded[Role] | None = None
    """Who there, if it is not the agency's responder."""
    action: ShortText
    """What is to be done."""
    due_on: Date | None = None
    """The last day for it."""


class Recommendation(Model):
    """One recommendation, with whoever is to see to it."""

    recommendation: ShortText
    """What is recommended."""
    owner: Line | None = None
    """The post or body that is to see to it."""
    due_on: Date | None = None
    """The last day for it."""


def acting(actions: Iterable[AgencyAction]) -> tuple[AgencyId, ...]:
    """The agencies that are to act, each once."""
    return tuple(dict.fromkeys(AgencyId(action.agency) for action in actions))


def asked(actions: Iterable[AgencyAction]) -> tuple[ActionAsked, ...]:
    """Each action as rules read it: of whom, and the end of the day by which (S4-24)."""
    return tuple(
        ActionAsked(
            AgencyId(action.agency),
            RoleId(action.role.value) if action.role else None,
            end_of(action.due_on) if action.due_on else None,
        )
        for action in actions
    )


def first_due_at(actions: Iterable[AgencyAction]) -> datetime | None:
    """The end of the earliest day by which something is to be done; None when no action has a date."""
    days = [action.due_on for action in actions if action.due_on is not None]
    return end_of(min(days)) if days else None
