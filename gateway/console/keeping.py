"""What is kept and until when: what has been kept long enough and waits for two officers, what comes due soon, what a legal hold bars.

Nothing is erased because time passes alone (G-12): each line leads to the page on which one officer asks and another agrees.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.responses import Response

from gateway.actions.end_retention import PastRetention, past_retention
from gateway.console.door import Console, Visit
from gateway.console.lists import snapshots
from gateway.console.pages import page
from gateway.console.work import LEGAL_REASONS
from gateway.core.messages import PartnershipId
from gateway.core.receipts import Event
from gateway.core.rules import Pack
from gateway.store import incidents, log, proposals
from gateway.store.incidents import Incident
from gateway.store.overview import MOST_LISTED
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

AHEAD = timedelta(days=90)
LASTING = ("confirm-erasure", "lift-legal-hold")


@dataclass(frozen=True, slots=True)
class HoldLine:
    """A legal hold: since when, and why, a coarse code."""

    incident: Incident
    placed_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class KeepingRead:
    past: list[PastRetention]
    coming: list[PastRetention]
    holds: list[HoldLine]
    being_erased: list[Incident]
    asked: list[ProposalRow]


async def get_retention(console: Console, visit: Visit) -> Response:
    """Every list on one page; each is short where erasure is kept up with."""
    known, now = await snapshots(console, visit.signed_in), console.parts.clock()
    within = visit.signed_in.partnerships
    packs = [known[one].pack for one in within if one in known]
    read = await console.parts.store.read(lambda tx: read_at(tx, packs, within, now))
    waits = {row.incident: row for row in read.asked}
    return page(
        visit,
        "retention.html",
        here="reports",
        read=read,
        waits=waits,
        reasons=LEGAL_REASONS,
        most=MOST_LISTED,
    )


def read_at(tx: Tx, packs: list[Pack], within: tuple[PartnershipId, ...], now: datetime) -> KeepingRead:
    """The lists as they stand at an instant."""
    due = [one for pack in packs for one in past_retention(tx, pack, now + AHEAD)]
    asked = [row for row in proposals.waiting(tx, within, now) if row.act in LASTING]
    return KeepingRead(
        past=[one for one in due if one.until_on < now.date()][:MOST_LISTED],
        coming=sorted((one for one in due if one.until_on >= now.date()), key=_soonest)[:MOST_LISTED],
        holds=[_hold(tx, one) for one in incidents.held_legally(tx, within)[:MOST_LISTED]],
        being_erased=incidents.being_erased(tx, within),
        asked=asked,
    )


def _soonest(one: PastRetention) -> tuple[date, str]:
    return one.until_on, one.incident


def _hold(tx: Tx, incident: Incident) -> HoldLine:
    placed = log.newest_of(tx, incident.partnership, incident.id, Event.LEGAL_HOLD_PLACED.text)
    reason = json.loads(placed.statement).get("reason") or "" if placed else ""
    return HoldLine(incident, placed.at if placed else None, reason)
