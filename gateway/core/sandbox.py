"""The sandbox: what sets it apart, and what its fake peers do by the first word of a sender's reference.

Invariant: an agency whose id begins with `sandbox-` is in the sandbox and in no other partnership, and nobody else is in it;
so nothing that is tried can reach anybody real.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from gateway.core.messages import AgencyId, PartnershipId

SANDBOX = PartnershipId("sandbox")
PREFIX = "sandbox-"
KEPT = timedelta(days=3)  # then erased


class Manner(Enum):
    """What the peers do with a message: its name is the first word of the reference, its value says it to people."""

    USUAL = "they decide or answer, and a person acknowledges"
    SILENT = "nobody answers or acknowledges: reminders come, and then the statement that nothing did"
    DECLINE = "whoever receives it declines: it is not for them"
    SYSTEM = "only a system takes it, and no person acknowledges: the duty to acknowledge stays open"
    DISSENT = "the police decide otherwise than the other two"
    ASK = "the business unit asks your agency for information: you owe a return within an hour"
    NIL = "a request for information is answered with no involvement"
    PARTIAL = "a request for information is answered in part: the duty stays open"
    LATER = "a request for information is answered by asking for more time"


def manner(reference: str) -> Manner:
    """By the reference's first word, as in `DECLINE-2026-1`; whatever is no such word is the usual."""
    return Manner.__members__.get(reference.partition("-")[0].upper(), Manner.USUAL)


def is_of_sandbox(agency: AgencyId) -> bool:
    return agency.startswith(PREFIX)


def of_sandbox(name: str) -> AgencyId:
    """The id of an agency in the sandbox: a real one's own id is never used there."""
    return AgencyId(name if name.startswith(PREFIX) else PREFIX + name)
