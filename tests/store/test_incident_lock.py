"""Every action on an incident first locks its row: the lock guards "all three have decided"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.core.duties import DutyState
from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import duties, incidents, tables
from gateway.store.transaction import Store, Tx

ROUNDS = 200
PARTNERSHIP = PartnershipId("north-example")
AGENCIES = ("council", "police", "icb")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


async def test_three_decisions_on_three_connections_reach_exactly_one_outcome(database_url: str) -> None:
    """On SQLite three stores are three writers on three connections, as the command line writes beside the server."""
    stores = [Store.open(database_url, tables.book, writers=1, readers=1) for _ in AGENCIES]
    stores[0].create_tables()
    for number in range(ROUNDS):
        incident = IncidentId(f"SI-{number}")
        await stores[0].transact(open_incident(incident))
        decided = await asyncio.gather(
            *[
                store.transact(decide(incident, agency))
                for store, agency in zip(stores, AGENCIES, strict=True)
            ]
        )
        assert sorted(decided) == [False, False, True]
        found = await stores[0].read(lambda tx, i=incident: incidents.find(tx, PARTNERSHIP, i))  # type: ignore[misc]
        assert found is not None
        assert found.outcomes == [{"decided": "by all"}]
    for store in stores:
        await store.aclose()


def open_incident(incident: IncidentId) -> Callable[[Tx], None]:
    """An incident on which each of three agencies owes a decision."""

    def run(tx: Tx) -> None:
        incidents.open_new(
            tx,
            {
                "id": incident,
                "partnership": PARTNERSHIP,
                "chain": incident,
                "pack_version": "1",
                "state": "open",
                "outcomes": [],
                "opened_at": NOW,
            },
        )
        for agency in AGENCIES:
            duty = dict.fromkeys(("message", "role", "clock", "rule", "pack_version"), "x")
            duty |= {"id": f"{incident}-{agency}", "partnership": PARTNERSHIP, "incident": incident}
            duties.owe(
                tx,
                [
                    duty
                    | {"agency": agency, "expects": "triage-decision", "state": DutyState.OPEN.value}
                    | {"start_at": NOW, "due_inclusive": True}
                ],
            )

    return run


def decide(incident: IncidentId, agency: str) -> Callable[[Tx], bool]:
    """Meet the agency's duty; True for whoever finds that all have decided and that no outcome stands yet."""

    def run(tx: Tx) -> bool:
        locked = incidents.lock(tx, PARTNERSHIP, incident)
        assert locked is not None
        owed = duties.of_incident(tx, PARTNERSHIP, incident)
        mine = next(duty for duty in owed if duty.agency == agency)
        duties.meet(tx, mine.id, DutyState.MET, NOW, "message")
        others = [duty for duty in owed if duty.id != mine.id]
        if locked.outcomes or any(duty.state is DutyState.OPEN for duty in others):
            return False
        incidents.change(tx, PARTNERSHIP, incident, outcomes=[{"decided": "by all"}])
        return True

    return run
