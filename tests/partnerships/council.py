"""One council with its own arrangements in a house of real parts: a pack in force, its seats held, its software enrolled.

    async with council(tmp_path, "derby", SEATS) as house:
        form = await house.send("serious-incident-form", author="reporter")
        assert await house.owed(form) == ["service-director: acknowledgement, D01, 2026-11-03T17:00:00Z", ...]

Everything goes in by the council's own client over HTTPS; the books are read as they stand.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.actions.chase import Chase, chase
from gateway.api.door import READ, WRITE
from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, AgencyKind, IncidentId, MessageId, PartnershipId, RoleId, Seat
from gateway.core.routing import Agency
from gateway.oauth.key_policy import check_jwks
from gateway.partnerships import packs
from gateway.store import clients, deliveries, directory, duties, holds, incidents, messages
from gateway.store import packs as pack_rows
from gateway.store.directory import SeatRow
from gateway.store.duties import DutyRow
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.packs import PackRow
from gateway.store.transaction import Tx
from keys.signing import FileSigner
from tests.gateway_house import House, MovableClock, gateway_house

COUNCIL = AgencyId("invented-council")


@dataclass
class Council:
    """The house, and the council's one partnership in it. `people` is who holds each role."""

    house: House
    partnership: PartnershipId
    people: Mapping[str, str]

    @property
    def clock(self) -> MovableClock:
        return self.house.clock

    async def send(
        self, slug: str, body: dict[str, Any] | None = None, author: str = "reporter", **envelope: Any
    ) -> Any:
        """The published example of a type with changes, written now by whoever holds the author's role; the answer."""
        now = {
            "partnership": self.partnership,
            "reference": f"{slug}-{secrets.token_hex(6)}",
            "author": {"name": self.people[author], "post": author},
            "incident": None,
            "in_reply_to": None,
        }
        async with self.house.client(COUNCIL) as client:
            return await client.submit(self.house.example(slug, body, **(now | envelope)))

    async def reply(self, to: Any, slug: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """A message on the same incident that answers another."""
        return await self.send(slug, body, **({"incident": to["incident"], "in_reply_to": to["id"]} | more))

    async def decide(
        self, to: Any, review: str, outcome: str, seat: str, body: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        """A review decision by the holder of one seat."""
        told = {"review": review, "decisions": [self.seat_decision(seat, outcome)]}
        plain = {
            "further_actions": [],
            "onward_notifications": [],
            "file_audit": None,
            "file_audit_note": None,
        }
        wanted = plain | told | (body or {})
        return await self.reply(to, "review-decision", wanted, **({"author": seat} | more))

    def seat_decision(self, seat: str, outcome: str) -> dict[str, Any]:
        by = {"name": self.people[seat], "post": seat}
        at = self.clock().isoformat()
        return {"seat": seat, "decided_by": by, "outcome": outcome, "reasons": "Invented.", "decided_at": at}

    async def done(self, to: Any, task: str, at: datetime | None = None, **body: Any) -> Any:
        """The record that a task is done."""
        by = {"name": self.people["reporter"], "post": "reporter"}
        told = {"task": task, "status": "done", "done_at": (at or self.clock()).isoformat(), "done_by": by}
        return await self.reply(to, "task-record", told | body)

    async def duties(self, answer: Any) -> list[DutyRow]:
        return await self.house.parts.store.read(
            lambda tx: duties.of_incident(tx, self.partnership, IncidentId(answer["incident"]))
        )

    async def owed(self, answer: Any) -> list[str]:
        """What is open or missed on the incident: role, what (and which task), clock, due instant."""
        unanswered = (DutyState.OPEN, DutyState.MISSED)
        return [in_short(duty) for duty in await self.duties(answer) if duty.state in unanswered]

    async def states(self, answer: Any, task_or_type: str) -> list[str]:
        """The states of the duties for a task or a message type, sorted."""
        found = (d for d in await self.duties(answer) if task_or_type in (d.task, d.expects))
        return sorted(duty.state.value for duty in found)

    async def reached(self, answer: Any) -> list[str]:
        """The roles to which a message has gone."""
        rows = await self.house.parts.store.read(
            lambda tx: deliveries.of_message(tx, MessageId(answer["id"]))
        )
        return sorted(row.role for row in rows)

    async def incident(self, answer: Any) -> Incident:
        found = await self.house.parts.store.read(
            lambda tx: incidents.find(tx, self.partnership, IncidentId(answer["incident"]))
        )
        assert found is not None
        return found

    async def outcomes(self, answer: Any) -> list[tuple[str, str]]:
        """Every decision that was reached, with what it came to."""
        return [(one["decision"], one["outcome"]) for one in (await self.incident(answer)).outcomes]

    async def held(self) -> list[str]:
        found: list[HoldRow] = await self.house.parts.store.read(
            lambda tx: holds.open_holds(tx, self.partnership)
        )
        return sorted(reason for row in found for reason in row.reasons)

    async def chase(self, duty: DutyRow) -> list[str]:
        """The timetable looks at one duty now, with every way in read; the roles told by the newest chase."""
        parts = self.house.parts
        await parts.perform(chase, Chase(duty.id, self.clock()), duty.partnership, duty.incident)
        sent = await parts.store.read(
            lambda tx: messages.of_incident(tx, self.partnership, duty.incident, "chase")
        )
        return await self.reached({"id": sent[-1].id}) if sent else []

    async def empty_seat(self, role: str) -> None:
        """Nobody holds this seat from now on."""
        seat = Seat(COUNCIL, RoleId(role))
        await self.house.parts.store.transact(
            lambda tx: directory.replace_holders(tx, self.partnership, seat, ())
        )
        self.house.parts.partnerships.forget()


def in_short(duty: DutyRow) -> str:
    what = f"{duty.expects}/{duty.task}" if duty.task else duty.expects
    due = duty.due_at.isoformat().replace("+00:00", "Z") if duty.due_at else None
    return f"{duty.role}: {what}, {duty.clock}, {due}"


@asynccontextmanager
async def council(
    folder: Path, pack: str, people: Mapping[str, str], clock: MovableClock | None = None
) -> AsyncIterator[Council]:
    """A house in which `people` hold the seats of a council under a shipped pack; dispatch stands still."""
    async with gateway_house(folder, clock=clock) as house:
        await house.gateway.dispatch.stop()
        partnership = PartnershipId(pack)
        await _join(house, partnership, people)
        yield Council(house, partnership, people)


async def _join(house: House, partnership: PartnershipId, people: Mapping[str, str]) -> None:
    files = packs.read_files(packs.HERE / partnership)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    at = house.clock()
    row = PackRow(partnership, packs.parse(partnership, files).version, files, digest, at)
    key = house.keys[COUNCIL] = FileSigner.generate(f"{COUNCIL}-1", "ES256")
    jwks = check_jwks({"keys": [key.public_jwk()]})

    def write(tx: Tx) -> None:
        pack_rows.activate(tx, row, "invented-officer-1", "invented-officer-2")
        agency = Agency(COUNCIL, AgencyKind.LOCAL_AUTHORITY, "Invented Council", None)
        directory.enrol_agencies(tx, partnership, [agency])
        directory.replace_seats(tx, partnership, COUNCIL, [_seat(*one) for one in people.items()])
        clients.add(tx, COUNCIL, COUNCIL, jwks, (WRITE, READ), at)

    await house.parts.store.transact(write)
    house.parts.partnerships.forget()


def _seat(role: str, name: str) -> SeatRow:
    return SeatRow(COUNCIL, RoleId(role), 0, name, f"{role}@council.example", None)
