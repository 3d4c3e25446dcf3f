"""Plain words for officers' roles, what these let them do, and how they signed in."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.permissions import Needs, OfficerRole

OFFICER_ROLES: Mapping[OfficerRole, str] = {
    OfficerRole.OFFICER: "Officer",
    OfficerRole.MANAGER: "Manager",
    OfficerRole.AUDITOR: "Auditor (reads, changes nothing)",
    OfficerRole.ADMINISTRATOR: "Administrator (sets officers up)",
}
ABILITIES: Mapping[Needs, str] = {
    Needs.SEE_LISTS: "See the lists: references, due times and counts",
    Needs.OPEN_INCIDENTS: "Open an incident: what is owed, what was sent, its receipts",
    Needs.OPEN_CONTENT: "Open what a message says",
    Needs.SEARCH: "Search for a child, with a reason",
    Needs.OPEN_HELD: "Open what is held",
    Needs.DECIDE: "Release, stop, answer and link",
    Needs.EXPORT: "Take evidence out",
    Needs.RESTRICT: "Restrict an incident to named officers",
    Needs.OVERRIDE: "Open a restricted incident without being named; the managers are told",
    Needs.SEE_ACCESS: "See who opened a restricted incident, and who searched and took out how much",
    Needs.SEE_OFFICERS: "See who the officers are",
    Needs.CHANGE_OFFICERS: "Set officers up and suspend them",
    Needs.SET_ROTA: "Set who is on call",
    Needs.AGREE: "Agree as the second officer",
}
WAYS_IN: Mapping[str, str] = {
    "link": "One-time link (development)",
    "oidc": "Your organisation's sign-in",
    "passkey": "Passkey",
}
OVERRIDE_REASONS: dict[str, str] = {
    "child-at-risk-now": "A child may be at risk now",
    "deadline-today": "A duty is due today and nobody who is named is here",
    "named-officers-away": "Everybody who is named is away",
    "ordered-by-court-or-police": "A court or the police ask for it",
}
RESTRICTION_REASONS: dict[str, str] = {
    "somebody-known-to-officers": "It is about somebody whom officers know",
    "police-investigation": "The police ask that few people know",
    "media-interest": "The press is interested",
    "about-an-agency-or-officer": "It is about an agency's staff or an officer",
}
HOLD_REASONS: dict[str, str] = {
    "criminal-proceedings": "The police ask: criminal proceedings are under way",
    "sub-judice": "A court asks, or the matter is before one",
    "police-hold": "The police said so in their message",
}
LIFT_REASONS: dict[str, str] = {
    "proceedings-ended": "The proceedings have ended",
    "police-agree": "The police agree that it may go on",
    "court-agrees": "The court agrees that it may go on",
    "placed-in-error": "It was placed by mistake",
}
USES: Mapping[str, str] = {
    "searched": "searches for a child",
    "opened": "incidents, messages and held things opened",
    "exported": "exports",
}
