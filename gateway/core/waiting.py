"""What kind of work something held is: a call to make, a reply to read, or a message or letter to decide on."""

from __future__ import annotations

from collections.abc import Collection

CALLS, REPLIES, MESSAGES = "calls", "replies", "messages"

# A person has to ring somebody: nothing that the gateway can send will do.
CALL_REASONS = frozenset(
    {
        "telephone-them",
        "ring-out-of-hours",
        "everybody-absent",
        "answer-taken-back",
        "nobody-to-ring",
        "address-not-enrolled",
        "unknown-school",
        "nobody-to-write-to",
        "school-closed",
        "bounce",
    }
)


def kind_of_wait(subject_kind: str, reasons: Collection[str]) -> str:
    """Which list it stands in."""
    if subject_kind == "failed-delivery" or CALL_REASONS.intersection(reasons):
        return CALLS
    if any(code.startswith("nobody-holds-") for code in reasons):
        return CALLS
    return REPLIES if subject_kind == "mail" else MESSAGES
