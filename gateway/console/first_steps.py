"""What is to be set up before the first incident: shown on today's page while there is none, with how to do each.

Reads only what the gateway knows of itself; a step is done when its work can be seen, not when somebody says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.console.door import Officer
from gateway.core.messages import PartnershipId
from gateway.core.permissions import OfficerRole
from gateway.core.sandbox import SANDBOX
from gateway.parts import Parts, Snapshot
from gateway.store import officers, overview
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx

ENOUGH_PEOPLE = 2


@dataclass(frozen=True, slots=True)
class FirstStep:
    """`hint` says how it is done, `path` where in the console, if there."""

    name: str
    is_done: bool
    hint: str
    path: str = ""


async def first_steps(
    parts: Parts, officer: Officer, known: Mapping[PartnershipId, Snapshot]
) -> list[FirstStep]:
    """The steps in the order of doing them; none once there is an incident that the officer sees."""
    within = officer.partnerships

    def read(tx: Tx) -> tuple[bool, list[OfficerRow]]:
        return overview.has_incidents(tx, within), officers.every(tx)

    has_incidents, people = await parts.store.read(read)
    if has_incidents or not within:
        return []
    return _steps(parts, people, known)


def _steps(
    parts: Parts, people: list[OfficerRow], known: Mapping[PartnershipId, Snapshot]
) -> list[FirstStep]:
    ruled = [one for one in known if one != SANDBOX]
    seated = sum(bool(holders) for one in ruled for holders in known[one].directory.seats.values())
    here = [row for row in people if row.is_active and row.source != officers.DEVELOPMENT]
    reached = any(row.email and OfficerRole.MANAGER in row.roles for row in here)
    settings = parts.settings
    return [
        FirstStep("A partnership's rules are in force", bool(ruled), "gateway rules activate", "/rules"),
        FirstStep(
            "Its agencies and who holds their seats are enrolled",
            seated > 0,
            "gateway directory import",
            "/partners",
        ),
        FirstStep(
            "Two people may work here, so that one can agree to what another asks",
            len(here) >= ENOUGH_PEOPLE,
            "gateway officers add",
            "/officers",
        ),
        FirstStep(
            "A manager can be alerted by e-mail",
            reached,
            "gateway officers add --role manager --email",
            "/officers",
        ),
        FirstStep(
            "Letters can leave", "mail" in parts.adapters, "GATEWAY_SMTP_URL, then gateway alerts test"
        ),
        FirstStep("Replies are read", settings.imap_url is not None, "GATEWAY_IMAP_URL"),
        FirstStep(
            "Others confirm the log", settings.is_anchored, "GATEWAY_WITNESSES or GATEWAY_TIMESTAMP_URLS"
        ),
    ]
