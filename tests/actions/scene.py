"""What happens again and again in these tests, and what the books say afterwards.

Everything goes in by the real door (HTTPS, token, proof); what officers do goes through the actions that console and command
line call.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.actions.release import Release, release
from gateway.core.messages import AgencyId, IncidentId, RoleId, Seat
from gateway.core.routing import Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import deliveries, directory, duties, holds, incidents, log, mail, messages
from gateway.store import tables as t
from gateway.store.deliveries import DeliveryRow
from gateway.store.directory import WayRow
from gateway.store.duties import DutyRow
from gateway.store.holds import HoldRow
from gateway.store.incidents import Incident
from gateway.store.log import EntryRow
from gateway.store.mail import LetterRow
from tests.gateway_house import House

POLICE, ICB, COUNCIL = "northshire-police", "northshire-icb", "south-tyneside-council"
UNIT, SCHOOL, HOSPITALS = "south-tyneside-sbu", "harbour-view-primary", "northshire-hospitals"
PARTNERS = {"dsp-la": COUNCIL, "dsp-icb": ICB, "dsp-police": POLICE}
NOTIFY = "sin-and-rapid-review"
TUESDAY_COB = datetime(
    2026, 11, 3, 17, 0, tzinfo=UTC
)  # one working day after the Monday on which tests begin


async def send(
    house: House, agency: str, slug: str, body: dict[str, Any] | None = None, **envelope: Any
) -> Any:
    """One message by the agency's own software; the answer, its receipt checked."""
    envelope.setdefault("reference", f"{agency}-{secrets.token_hex(6)}")
    async with house.client(agency) as client:
        return await client.submit(house.example(slug, body, **envelope))


async def refer(house: House, agency: str = POLICE, **changes: Any) -> Any:
    """A referral of a potential serious incident; the answer."""
    return await send(house, agency, "referral", **changes)


def vote(house: House, seat: str, outcome: str = NOTIFY) -> dict[str, Any]:
    """The body of one partner's decision, made now."""
    said = (
        "yes" if outcome.startswith("sin-") else "more-information" if outcome.startswith("more-") else "no"
    )
    return {
        "seat": seat,
        "outcome": outcome,
        "criteria_met": said,
        "decided_at": house.clock().isoformat(),
    }


async def decide(house: House, referral: Any, seat: str, outcome: str = NOTIFY, **changes: Any) -> Any:
    """One partner's own decision on a referral."""
    agency = changes.pop("agency", PARTNERS[seat])
    about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
    return await send(house, agency, "triage-decision", vote(house, seat, outcome), **(about | changes))


async def decide_all(house: House, referral: Any, outcome: str = NOTIFY) -> None:
    for seat in PARTNERS:
        await decide(house, referral, seat, outcome)


def meeting(house: House, outcomes: dict[str, str]) -> dict[str, Any]:
    """The body of a record of the partners' exceptional meeting."""
    own = house.example("triage-decision")["body"]
    kept = ("decided_by", "criteria_met", "reasons")
    now = house.clock().isoformat()
    return dict.fromkeys(own) | {
        "exceptional_meeting": {
            "held_at": now,
            "means": "virtual",
            "attendance": [{"person": own["decided_by"], "agency": COUNCIL}],
            "decisions": [
                {"seat": seat, "outcome": outcome} | {name: own[name] for name in kept}
                for seat, outcome in outcomes.items()
            ],
            "decided_at": now,
        }
    }


async def incident_of(house: House, answer: Any) -> Incident:
    found = await house.parts.store.read(
        lambda tx: incidents.find(tx, SOUTH_TYNESIDE, IncidentId(answer["incident"]))
    )
    assert found is not None
    return found


async def duties_of(house: House, answer: Any) -> list[DutyRow]:
    return await house.parts.store.read(
        lambda tx: duties.of_incident(tx, SOUTH_TYNESIDE, IncidentId(answer["incident"]))
    )


async def duty_of(house: House, answer: Any, role: str, expects: str, agency: str | None = None) -> DutyRow:
    """The one duty of a role to send one kind of message."""
    found = [
        duty
        for duty in await duties_of(house, answer)
        if duty.role == role and duty.expects == expects and agency in (None, duty.agency)
    ]
    assert len(found) == 1, [(duty.role, duty.expects) for duty in await duties_of(house, answer)]
    return found[0]


async def deliveries_of(house: House, message: str) -> list[DeliveryRow]:
    return await house.parts.store.read(lambda tx: deliveries.of_message(tx, message))  # type: ignore[arg-type]


async def waiting(house: House) -> list[HoldRow]:
    """What waits for an officer."""
    return await house.parts.store.read(lambda tx: holds.open_holds(tx, SOUTH_TYNESIDE))


async def reasons(house: House) -> list[str]:
    return sorted(reason for hold in await waiting(house) for reason in hold.reasons)


async def let_go(house: House, hold: HoldRow, refuse: bool = False) -> None:
    """An officer's word on a hold."""
    await house.parts.perform(
        release, Release(hold.id, "Officer Placeholder", refuse), hold.partnership, hold.incident
    )


async def entries_of(house: House, chain: str) -> list[EntryRow]:
    return await house.parts.store.read(lambda tx: log.entries_of_chain(tx, SOUTH_TYNESIDE, chain))


async def events_of(house: House, chain: str) -> list[str]:
    return [entry.event for entry in await entries_of(house, chain)]


async def entries_named(house: House, event: str) -> list[EntryRow]:
    """Every entry with this event, whatever it is about."""
    query = t.entry.select().where(t.entry.c.event == event).order_by(t.entry.c.at, t.entry.c.seq)
    return await house.parts.store.read(lambda tx: [EntryRow(*row) for row in tx.execute(query)])


async def participants_of(house: House, incident: str) -> list[str]:
    found = await house.parts.store.read(
        lambda tx: incidents.participants(tx, SOUTH_TYNESIDE, IncidentId(incident))
    )
    return list(found)


def coarse_reason(entry: EntryRow) -> str | None:
    """The reason that a statement gives in clear."""
    found: str | None = json.loads(entry.statement).get("reason")
    return found


async def sent_by_the_house(house: House, answer: Any, slug: str) -> list[dict[str, Any]]:
    """The content of the messages of a type on an incident, opened."""
    rows = await house.parts.store.read(
        lambda tx: messages.of_incident(tx, SOUTH_TYNESIDE, IncidentId(answer["incident"]), slug)
    )
    key = await house.parts.key_of(IncidentId(answer["incident"]))
    assert key is not None
    return [
        json.loads(key.open(f"message:{row.id}", row.sealed)) | {"id": row.id} for row in rows if row.sealed
    ]


async def rows(house: House) -> dict[str, int]:
    """How many rows every table has, the proofs of possession aside: they are burnt whatever comes of a request."""

    def count(tx: Any) -> dict[str, int]:
        tables = [
            table for table in t.book.sorted_tables if table.name not in ("replay", "tile", "checkpoint")
        ]
        found = {
            table.name: tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() for table in tables
        }
        return dict(found)

    keys = await house.parts.custody.read(
        lambda tx: tx.execute(sa.select(sa.func.count()).select_from(t.data_key)).scalar()
    )
    return await house.parts.store.read(count) | {"data_key": keys}


async def empty_seat(house: House, agency: str, role: str) -> None:
    """Nobody holds this seat from now on."""
    await hold_seat(house, agency, role, ())


async def hold_seat(house: House, agency: str, role: str, holders: tuple[Holder, ...]) -> None:
    seat = Seat(AgencyId(agency), RoleId(role))
    await house.parts.store.transact(lambda tx: directory.replace_holders(tx, SOUTH_TYNESIDE, seat, holders))
    house.parts.partnerships.forget()


async def reach_by(house: House, agency: str, adapter: str, role: str = "*") -> None:
    """The agency is reached by this way from now on."""
    way = WayRow(AgencyId(agency), RoleId(role), adapter, None, None)
    await house.parts.store.transact(lambda tx: directory.set_way(tx, SOUTH_TYNESIDE, way))
    house.parts.partnerships.forget()


async def letter_to_the_school(house: House) -> tuple[dict[str, Any], LetterRow]:
    """A referral on which all have decided, and its letter to the school, let go."""
    referral = await refer(house)
    await decide_all(house, referral)
    for held in await waiting(house):
        if (held.incident, held.subject_kind) == (referral["incident"], "delivery"):
            await let_go(house, held)
    (letter,) = await sent_by_the_house(house, referral, "dsl-letter")
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    return referral, row
