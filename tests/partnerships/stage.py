"""A whole life of messages under any pack: an invented partnership beside the house's own, and what its books say.

    async with on_stage(tmp_path, "southampton", AGENCIES, PEOPLE) as stage:
        referral = await stage.send("solent-council", "referral")
        assert await stage.owed(referral) == {…}

Messages go in by the real door (HTTPS, token, proof); what officers do goes through the actions that console and command line
call. The house's clock stands still until a test moves it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.actions.release import Release, release
from gateway.agency.client import AgencyClient
from gateway.api.door import READ, WRITE
from gateway.core.messages import AgencyId, IncidentId, PartnershipId, RoleId, Seat
from gateway.core.routing import Agency, Holder
from gateway.demo.partnership import pack_row
from gateway.dispatch import timetable
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients, deliveries, directory, duties, holds, incidents, log, messages
from gateway.store import packs as pack_rows
from gateway.store.deliveries import DeliveryRow
from gateway.store.directory import SeatRow
from gateway.store.duties import DutyRow
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx
from keys.signing import FileSigner
from tests.gateway_house import House, MovableClock, gateway_house


def holder(agency: str, role: str, name: str, rank: int = 0) -> SeatRow:
    """A person in a seat, with an invented address and number."""
    address = f"{name.lower().replace(' ', '.')}@{agency}.example"
    return SeatRow(AgencyId(agency), RoleId(role), rank, name, address, "01632 960199")


@dataclass
class Stage:
    """One partnership on a running gateway."""

    house: House
    partnership: PartnershipId

    def client(self, agency: str) -> AgencyClient:
        return self.house.client(agency)

    async def send(
        self, agency: str, slug: str, body: dict[str, Any] | None = None, author: str = "", **envelope: Any
    ) -> Any:
        """One message by the agency's own software; the answer, its receipt checked."""
        envelope.setdefault("reference", f"{agency}-{secrets.token_hex(6)}")
        envelope["partnership"] = self.partnership
        if author:
            envelope["author"] = {"name": author, "post": "Invented post"}
        async with self.house.client(agency) as client:
            return await client.submit(self.house.example(slug, body, **envelope))

    async def answer(
        self, agency: str, slug: str, to: Any, body: dict[str, Any] | None = None, **envelope: Any
    ) -> Any:
        """A message on the incident of another, in reply to it."""
        about = {"incident": to["incident"], "in_reply_to": to["id"]}
        return await self.send(agency, slug, body, **(about | envelope))

    async def acknowledge(self, agency: str, role: str, message: str, name: str) -> None:
        """A person acknowledges the delivery of a message to a seat."""
        rows = await self.deliveries(message)
        found = next(row for row in rows if (row.agency, row.role) == (agency, role))
        async with self.house.client(agency) as client:
            await client.acknowledge(found.id, "person", role, name)

    async def duties(self, about: Any) -> list[DutyRow]:
        incident = IncidentId(about["incident"])
        return await self.house.parts.store.read(
            lambda tx: duties.of_incident(tx, self.partnership, incident)
        )

    async def laid(self, about: Any, clock: str) -> dict[str, str]:
        """What is or was owed by one clock: `role: what` and its due instant, `no limit` without one."""
        found = [duty for duty in await self.duties(about) if duty.clock == clock]
        return {_short(duty): _instant(duty.due_at) for duty in found}

    async def owed(self, about: Any) -> set[str]:
        """What is still unanswered: `role: what, clock`."""
        rows = await self.duties(about)
        return {f"{_short(duty)}, {duty.clock}" for duty in rows if duty.state.value in ("open", "missed")}

    async def state(self, about: Any, clock: str, what: str) -> str:
        """How the one duty `role: what` by a clock stands."""
        found = [duty for duty in await self.duties(about) if (duty.clock, _short(duty)) == (clock, what)]
        assert len(found) == 1, [(duty.clock, _short(duty)) for duty in await self.duties(about)]
        return found[0].state.value

    async def deliveries(self, message: str) -> list[DeliveryRow]:
        return await self.house.parts.store.read(lambda tx: deliveries.of_message(tx, message))  # type: ignore[arg-type]

    async def told(self, answer: Any) -> list[str]:
        """The seats that a message went to, `role@agency`."""
        return sorted(f"{row.role}@{row.agency}" for row in await self.deliveries(answer["id"]))

    async def incident(self, about: Any) -> Incident:
        found = await self.house.parts.store.read(
            lambda tx: incidents.find(tx, self.partnership, IncidentId(about["incident"]))
        )
        assert found is not None
        return found

    async def held(self) -> list[HoldRow]:
        return await self.house.parts.store.read(lambda tx: holds.open_holds(tx, self.partnership))

    async def release(self, hold: HoldRow) -> None:
        """An officer's word on a hold."""
        asked = Release(hold.id, "Officer Placeholder", confirmed=frozenset())
        await self.house.parts.perform(release, asked, hold.partnership, hold.incident)

    async def content(self, about: Any, slug: str) -> list[dict[str, Any]]:
        """The messages of a type on an incident, opened."""
        incident = IncidentId(about["incident"])
        rows = await self.house.parts.store.read(
            lambda tx: messages.of_incident(tx, self.partnership, incident, slug)
        )
        key = await self.house.parts.key_of(incident)
        assert key is not None
        return [
            json.loads(key.open(f"message:{row.id}", row.sealed)) | {"id": row.id}
            for row in rows
            if row.sealed
        ]

    async def events(self, chain: str) -> list[str]:
        rows = await self.house.parts.store.read(lambda tx: log.entries_of_chain(tx, self.partnership, chain))
        return [row.event for row in rows]

    async def chase(self) -> None:
        """What is due to be chased now is chased."""
        await timetable.chase_due(self.house.parts, frozenset())

    async def chased(self, about: Any) -> list[tuple[str, list[str]]]:
        """Each chase so far: what was owed, and who was told."""
        said = await self.content(about, "chase")
        return [
            (one["body"]["expects"], sorted({d.role for d in await self.deliveries(one["id"])}))
            for one in said
        ]

    async def seat(self, agency: str, role: str, *holders: Holder) -> None:
        """These hold the seat from now on."""
        seat = Seat(AgencyId(agency), RoleId(role))
        await self.house.parts.store.transact(
            lambda tx: directory.replace_holders(tx, self.partnership, seat, holders)
        )
        self.house.parts.partnerships.forget()


def _short(duty: DutyRow) -> str:
    return f"{duty.role}: {duty.expects}" + (f" {duty.task}" if duty.task else "")


def _instant(at: datetime | None) -> str:
    return "no limit" if at is None else at.isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def on_stage(
    folder: Path, pack: str, agencies: Sequence[Agency], people: Sequence[SeatRow], at: datetime
) -> AsyncIterator[Stage]:
    """A gateway at an instant, its dispatch standing still, with a partnership under a shipped pack."""
    async with gateway_house(folder, clock=MovableClock(at)) as house:
        await house.gateway.dispatch.stop()
        partnership = PartnershipId(pack)
        for agency in agencies:
            house.keys.setdefault(agency.id, FileSigner.generate(f"{agency.id}-1", "ES256"))
        await house.parts.store.transact(lambda tx: _enrol(tx, house, partnership, agencies, people))
        house.parts.partnerships.forget()
        yield Stage(house, partnership)


def _enrol(
    tx: Tx, house: House, partnership: PartnershipId, agencies: Sequence[Agency], people: Sequence[SeatRow]
) -> None:
    at = house.clock()
    pack_rows.activate(tx, pack_row(partnership, at), "invented-officer-1", "invented-officer-2")
    directory.enrol_agencies(tx, partnership, agencies)
    for agency in agencies:
        seats = [seat for seat in people if seat.agency == agency.id]
        directory.replace_seats(tx, partnership, agency.id, seats)
        if clients.find(tx, agency.id) is None:
            jwks = check_jwks({"keys": [house.keys[agency.id].public_jwk()]})
            clients.add(tx, agency.id, agency.id, jwks, (WRITE, READ), at)
