"""A seventh partnership is a folder of data: checked, put in force by two officers, lived through. No Python knows its name.

Its arrangements differ from every shipped pack: other hours, closed days of its own, one seat that decides, a deputy, a
matter that comes round.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.submit import Accepted
from gateway.actions.take import Speaker, prepare, take
from gateway.app import build_parts, close
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.dispatch.timetable import chase_due, open_periodic_matters
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import deliveries, duties, incidents, messages
from schemas import read_message
from tests.edges.office import OFFICERS, Office, deployed
from tests.gateway_house import MovableClock, example
from tests.structure.source import house as sources

FOLDER = Path(__file__).parent / "invented-vale"
VALE = PartnershipId("invented-vale")
COUNCIL, UNIT, CHARITY = "vale-council", "vale-unit", "vale-charity"
MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    """A deployment in which Invented Vale is in force, by the commands that an operator types."""
    office = deployed(template, tmp_path, monkeypatch, capsys)
    shutil.copytree(FOLDER, tmp_path / "invented-vale")
    for words in (
        ("rules", "check", "./invented-vale"),
        ("rules", "replay", "./invented-vale", "--since", "2026-11-01"),
        ("rules", "activate", "./invented-vale", *OFFICERS),
        ("directory", "import", "invented-vale/directory.csv", "--partnership", VALE, *OFFICERS),
    ):
        told = office(*words)
        assert told.status == 0, told
    return office


@dataclass
class Life:
    """What happens under the pack, at instants that the test chooses."""

    parts: Parts
    clock: MovableClock

    async def send(self, agency: str, slug: str, body: dict[str, Any], **envelope: Any) -> Accepted:
        """Taken as any door takes it, from an agency enrolled here."""
        envelope |= {"partnership": VALE, "reference": secrets.token_hex(6)}
        document = example(slug, body, **({"created_at": self.clock().isoformat()} | envelope))
        raw = json.dumps(document).encode()
        speaker = Speaker(AgencyId(agency), frozenset({VALE}))
        return await take(self.parts, await prepare(self.parts, raw, read_message(raw), speaker))

    async def owed(self, about: Accepted) -> dict[str, tuple[str, str | None]]:
        """By clock and role: the state and the due instant."""
        rows = await self.parts.store.read(lambda tx: duties.of_incident(tx, VALE, about.incident))
        return {
            f"{row.clock} {row.role}": (row.state.value, row.due_at.isoformat() if row.due_at else None)
            for row in rows
        }

    async def told(self, message: str) -> set[str]:
        rows = await self.parts.store.read(lambda tx: deliveries.of_message(tx, message))  # type: ignore[arg-type]
        return {f"{row.role}@{row.agency}" for row in rows}

    async def label(self, incident: IncidentId) -> str | None:
        found = await self.parts.store.read(lambda tx: incidents.find(tx, VALE, incident))
        assert found is not None
        return found.label


@asynccontextmanager
async def living(at: datetime = MONDAY) -> AsyncIterator[Life]:
    clock = MovableClock(at)
    parts = build_parts(Settings.load(), clock)
    try:
        yield Life(parts, clock)
    finally:
        await close(parts)


def place() -> dict[str, Any]:
    account = example("referral")["body"]["incident"]
    account["place"]["local_authority"] = "990"
    return {"incident": account}


def criteria(seat: str, outcome: str, clock: MovableClock, actions: list[Any]) -> dict[str, Any]:
    by = {"name": "Perpetua Hollin", "post": "Director"}
    now = clock().isoformat()
    decided = {"seat": seat, "decided_by": by, "outcome": outcome, "reasons": "So it is.", "decided_at": now}
    return {"review": "sin-criteria", "decisions": [decided], "further_actions": actions}


def test_a_matter_is_lived_through_under_a_pack_of_data_alone(gateway: Office) -> None:
    async def life() -> None:
        async with living() as vale:
            concern = await vale.send(CHARITY, "referral", place(), incident=None)
            assert concern.decision == "forward"
            assert await vale.told(concern.id) == {"service-director@vale-council"}
            assert await vale.owed(concern) == {
                "V1 service-director": ("open", "2026-11-04T16:30:00+00:00"),
                "K12 service-director": ("open", "2026-11-10T00:00:00+00:00"),
            }
            about = {"incident": concern.incident, "in_reply_to": concern.id}
            action = {"agency": CHARITY, "action": "Keep the record.", "due_on": "2026-12-04"}
            body = criteria("service-director", "met", vale.clock, [action])
            decided = await vale.send(COUNCIL, "review-decision", body, **about)
            assert await vale.label(concern.incident) == "Vale matter"
            assert "sbu@vale-unit" in await vale.told(concern.id), "the concern is sent on"
            done = {"task": "vale-action", "done_at": vale.clock().isoformat()}
            about["in_reply_to"] = decided.id
            await vale.send(CHARITY, "task-record", done, **about)
            vale.clock.move_to(datetime(2026, 11, 10, 0, 30, tzinfo=UTC))
            assert await chase_due(vale.parts, frozenset()) > 0
            chases = await vale.parts.store.read(
                lambda tx: messages.of_incident(tx, VALE, concern.incident, "chase")
            )
            assert {seat for one in chases for seat in await vale.told(one.id)} == {
                "service-director@vale-council",
                "sbu@vale-unit",
            }
            assert await vale.owed(concern) == {
                "V1 service-director": ("met", "2026-11-04T16:30:00+00:00"),
                "K12 service-director": ("missed", "2026-11-10T00:00:00+00:00"),
                "V2 agency-responder": ("met", "2026-12-05T00:00:00+00:00"),
            }

    asyncio.run(life())


def test_the_deputy_decides_while_the_director_is_away_and_the_outcome_ends_what_it_names(
    gateway: Office,
) -> None:
    days = ("--from", "2026-11-01", "--until", "2026-11-08")
    told = gateway("absence", "set", COUNCIL, "service-director", "0", *days, "--partnership", VALE)
    assert told.status == 0, told

    async def life() -> None:
        async with living() as vale:
            concern = await vale.send(CHARITY, "referral", place(), incident=None)
            assert await vale.told(concern.id) == {"head-of-service@vale-council"}
            body = criteria("head-of-service", "not-met", vale.clock, [])
            about = {"incident": concern.incident, "in_reply_to": concern.id}
            await vale.send(COUNCIL, "review-decision", body, **about)
            assert await vale.label(concern.incident) == "Vale note"
            states = {name: state for name, (state, _) in (await vale.owed(concern)).items()}
            assert states == {"V1 head-of-service": "met", "K12 head-of-service": "waived"}

    asyncio.run(life())


def test_its_months_come_round_by_its_own_calendar(gateway: Office) -> None:
    async def life() -> None:
        async with living() as vale:
            vale.clock.move_to(datetime(2026, 12, 1, 0, 0, tzinfo=UTC))
            await open_periodic_matters(vale.parts)
            rows = await vale.parts.store.read(lambda tx: duties.every(tx, partnership=VALE))
            assert {(row.clock, row.role, row.expects) for row in rows} >= {("V3", "sbu", "learning-digest")}

    asyncio.run(life())


def test_no_python_knows_the_seventh_partnership() -> None:
    assert [
        source.name for source in sources() if "invented-vale" in source.text or "vale-action" in source.text
    ] == []
