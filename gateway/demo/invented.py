"""The invented messages of the demonstration, made from the published examples. Nobody in them exists."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from schemas import example_path


def message(
    slug: str, at: datetime, reference: str, incident: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A valid message made from the published example: at another time, with another reference and changed body."""
    document: dict[str, Any] = json.loads(example_path(slug).read_text("utf-8"))
    document |= {"reference": reference, "incident": incident, "created_at": text(at)}
    document["in_reply_to"] = changes.pop("in_reply_to", None)
    if "author" in changes:
        document["author"] = changes.pop("author")
    document["body"] |= changes
    return document


def referral(at: datetime, reference: str) -> dict[str, Any]:
    """Two children of two schools, seriously harmed at home the evening before."""
    document = message("referral", at, reference)
    body = document["body"]
    body["incident"] |= {
        "incident_at": text(at - timedelta(hours=14)),
        "aware_at": text(at - timedelta(hours=12)),
    }
    body["agencies_involved"] = ["northshire-police", "northshire-hospitals"]
    second = body["children"][1]
    second |= {"school_urn": "999902", "date_of_birth": "2014-08-03", "given_names": "Jory"}
    body["safeguarding_lead_endorsement"] = None
    return document


def other_referral(at: datetime, reference: str, child: tuple[str, str, str]) -> dict[str, Any]:
    """Another matter, for the live incidents that are left to look at; the child by given name, family name and birth."""
    document, (given, family, born_on) = referral(at, reference), child
    document["author"] = {"name": "Oluwaseun Hartfield", "post": "Named Nurse for Safeguarding Children"}
    document["lawful_basis"] = "public-task-health"
    children = document["body"]["children"][:1]
    children[0] |= {
        "given_names": given,
        "family_name": family,
        "date_of_birth": born_on,
        "other_names": [],
        "nhs_number": None,
        "nhs_number_absence": "not-available",
    }
    children[0] |= {"related_people": [], "upn": None}
    document["body"]["children"] = children
    return document


def decision(
    at: datetime, reference: str, incident: str, referral_id: str, seat: str, person: tuple[str, str]
) -> dict[str, Any]:
    """One partner's decision: notify and review."""
    by = {"name": person[0], "post": person[1]}
    return message(
        "triage-decision",
        at,
        reference,
        incident,
        in_reply_to=referral_id,
        author=by,
        seat=seat,
        decided_by=by,
        decided_at=text(at),
    )


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
