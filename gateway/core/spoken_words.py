"""Codes as people read them, on pages and in e-mails alike: a seat by its name, any other code with its hyphens as spaces.

Codes are ours and never hold content; what stands here names seats and nobody in them.
"""

from __future__ import annotations

from collections.abc import Mapping

ABBREVIATIONS = frozenset(
    {"cspr", "dcs", "dsl", "dsp", "edt", "icb", "imr", "la", "nhs", "sbu", "sin", "sqa", "upn", "urn"}
)
ROLES: Mapping[str, str] = {
    "dcs": "Director of Children’s Services",
    "dsl": "designated safeguarding lead",
    "dsp-icb": "ICB decision-maker",
    "dsp-la": "council decision-maker",
    "dsp-police": "police decision-maker",
    "edt": "emergency duty team",
    "head-of-service-sqa": "head of service, safeguarding and quality assurance",
    "ig-officer": "information governance officer",
    "national": "national bodies",
    "sbu": "Safeguarding Business Unit",
    "sqa-service-manager": "service manager, safeguarding and quality assurance",
}


def role(slug: str) -> str:
    """A seat as it stands within a sentence: "agency responder"."""
    found = spoken(slug)
    return ROLES.get(slug, found if found[1:2].isupper() else found[:1].lower() + found[1:])


def spoken(code: str) -> str:
    """A code of ours as words: "dsl_name" as "DSL name"."""
    parted = code.replace("-", " ").replace("_", " ").split(" ")
    words = " ".join(word.upper() if word in ABBREVIATIONS else word for word in parted)
    return words[:1].upper() + words[1:]
