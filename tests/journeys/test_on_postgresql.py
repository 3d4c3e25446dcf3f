"""The whole gateway on a real PostgreSQL, book and custody apart: one incident from its referral to its erasure.

Each test asks of the whole what engines differ in: row locks on several connections, lengths, JSON, ordering, rewriting tables.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from adapters.memory import MemoryAdapter
from gateway.actions.enrol_webhook import (
    Endpoint,
    Enrolled,
    Renewal,
    enrol_webhook,
    renew_webhook_secret,
)
from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.export import Export, export, own_policy, read_bundle
from gateway.actions.prove import Occasion
from gateway.actions.reconcile import reconcile
from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from gateway.core.errors import Refused
from gateway.core.messages import AgencyId, IncidentId, RoleId, Seat
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.erasing import complete_erasure
from gateway.dispatch.intake import read_kept
from gateway.dispatch.timetable import chase_due, seal_waiting
from gateway.ledger import verify
from gateway.parts import Supply
from gateway.store import custody, directory, holds, incidents, log, mail
from gateway.store import tables as t
from tests.actions.scene import (
    ICB,
    PARTNERS,
    SCHOOL,
    UNIT,
    decide,
    deliveries_of,
    duties_of,
    duty_of,
    entries_named,
    incident_of,
    let_go,
    reach_by,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House, gateway_house
from tests.servers import PostgresServer

UNCLEAR = "He joined us in September. No - but please ring me."


@pytest.fixture
async def house(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[House]:
    """Served from PostgreSQL alone; dispatch stands still, so that what happens when is exact."""
    book, keys = postgres.fresh_database(), postgres.fresh_database()
    async with gateway_house(tmp_path, database_url=book, custody_url=keys) as running:
        await running.gateway.dispatch.stop()
        running.parts.adapters["memory"] = MemoryAdapter()  # type: ignore[index]
        yield running
    for url in (book, keys):
        postgres.give_back(url)


async def _carry_all(house: House) -> None:
    """Until nothing is due, by two workers at once, as two machines would."""
    while any(await asyncio.gather(carry_due(house.parts), carry_due(house.parts))):
        pass


async def _decided(house: House) -> Any:
    """A referral on which all three decided at once, over three connections."""
    await reach_by(house, SCHOOL, "memory")
    referral = await refer(house)
    await asyncio.gather(*(decide(house, referral, seat) for seat in PARTNERS))
    return referral


async def _reply(house: House, letter: dict[str, Any]) -> None:
    """An unclear reply to a letter comes twice, and is kept and read once."""
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    message = EmailMessage()
    message["From"], message["To"] = "dsl@harbour-view.example", "letters@council.example"
    message["Subject"] = f"Re: reference {row.reference}"
    message.set_content(UNCLEAR)
    to = f"letters+{row.token}@council.example"
    kept = [
        await intake.keep(
            house.parts, "mailbox", message.as_bytes(), envelope_to=to, arrived_at=house.clock(), uid=uid
        )
        for uid in (1, 2)
    ]
    assert kept == [True, False]
    assert await read_kept(house.parts) == 1


async def _evidence(house: House, incident: IncidentId) -> bytes:
    parts = house.parts
    key = await parts.key_of(incident)
    await parts.perform(export, Export(incident, "Winifred Stave"), SOUTH_TYNESIDE, incident)
    await seal_waiting(parts)
    return await parts.store.read(lambda tx: read_bundle(tx, parts, SOUTH_TYNESIDE, incident, key))


async def _erase(house: House, incident: IncidentId) -> None:
    asked = Erasure(incident, "Winifred Stave", "Caspian Reed", "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)


async def _pieces(house: House) -> list[bytes]:
    """Pieces of every wrapped data key and of everything sealed; what is long lies in several places of a file."""
    wrapped = select(t.data_key.c.wrapped).where(t.data_key.c.wrapped.is_not(None))
    found = await house.parts.custody.read(lambda tx: list(tx.execute(wrapped).scalars()))
    for column in (
        t.message.c.sealed,
        t.entry.c.disclosures,
        t.raw_mail.c.sealed,
        t.raw_mail.c.sealed_reading,
    ):
        query = select(column).where(column.is_not(None))
        found += await house.parts.store.read(lambda tx, query=query: list(tx.execute(query).scalars()))  # type: ignore[misc]
    return [bytes(one)[at : at + 32] for one in found for at in range(0, max(1, len(one) - 31), 32)]


def _left_in_files(house: House, postgres: PostgresServer, pieces: list[bytes]) -> int:
    """How many pieces stand in the files of both databases, once what is in memory is written out."""
    postgres.administer("CHECKPOINT")
    names = [
        make_url(url).database for url in (house.parts.settings.book_url, house.parts.settings.keys_book_url)
    ]
    numbers = [
        postgres.administer(f"SELECT oid FROM pg_database WHERE datname = '{name}'")[0][0] for name in names
    ]
    folders = [postgres.folder / "data" / "base" / str(number) for number in numbers]
    content = b"".join(file.read_bytes() for folder in folders for file in folder.iterdir() if file.is_file())
    return sum(piece in content for piece in pieces)


async def test_an_incident_lives_from_its_referral_to_its_erasure(
    house: House, postgres: PostgresServer
) -> None:
    """Three decisions at once, a letter released and sent, a reply held, a return, evidence before and after erasure."""
    referral = await _decided(house)
    assert (await incident_of(house, referral)).outcome is not None
    assert len(await entries_named(house, "DecisionReached")) == 1
    (letter,) = await sent_by_the_house(house, referral, "dsl-letter")
    (held,) = await waiting(house)
    await let_go(house, held)
    await _carry_all(house)
    (sent,) = await deliveries_of(house, letter["id"])
    assert (sent.state, sent.attempt) == (DeliveryState.DELIVERED, 1)
    await _reply(house, letter)
    (unread,) = await waiting(house)
    assert unread.subject_kind == "mail"
    await _ask_and_return(house, referral)

    incident = IncidentId(referral["incident"])
    policy = verify.load_policy(json.dumps(own_policy(house.parts)).encode())
    before = verify.verify_bundle(await _evidence(house, incident), policy)
    assert (before.verdict, before.content) == ("VALID", "matches")
    pieces = await _pieces(house)
    assert _left_in_files(house, postgres, pieces) > len(pieces) // 2, "the search finds what is there"
    await _erase(house, incident)
    # The key of the mail that came twice seals nothing; the timetable sweeps it.
    unused = set(await _pieces(house))
    assert len(unused) == 1
    assert _left_in_files(house, postgres, [piece for piece in pieces if piece not in unused]) == 0
    after = verify.verify_bundle(await _evidence(house, incident), policy)
    assert (after.verdict, after.content) == ("VALID", "erased")
    assert await house.parts.custody.read(lambda tx: custody.of_incident(tx, incident)) is None
    assert await house.parts.store.read(holds.open_holds) == []
    assert (await reconcile(house.parts)).findings == ()


async def _ask_and_return(house: House, referral: Any) -> None:
    about = {"incident": referral["incident"]}
    request = await send(house, UNIT, "information-request", **about)
    await send(house, PARTNERS["dsp-police"], "information-return", in_reply_to=request["id"], **about)
    duty = await duty_of(
        house, referral, "agency-responder", "information-return", agency=PARTNERS["dsp-police"]
    )
    assert duty.state is DutyState.MET


async def test_every_stage_of_a_chase_is_sent_and_the_silence_is_stated(house: House) -> None:
    referral = await refer(house)
    for _ in range(8 * 24):
        house.clock.move_by(hours=1)
        await chase_due(house.parts, frozenset())
    stages = {chase["body"]["stage"] for chase in await sent_by_the_house(house, referral, "chase")}
    assert {"due", "overdue-1", "overdue-2"} <= stages
    timed = [duty for duty in await duties_of(house, referral) if duty.due_at is not None]
    passed = [duty for duty in timed if duty.due_at and duty.due_at < house.clock() - timedelta(minutes=1)]
    assert passed
    assert {duty.state for duty in passed} == {DutyState.MISSED}


async def test_the_same_reference_sent_at_once_over_several_connections_opens_one_incident(
    house: House,
) -> None:
    answers = await asyncio.gather(*(refer(house, reference="NP-SAME") for _ in range(6)))
    assert len({(answer["id"], answer["incident"], answer["receipt"]["jws"]) for answer in answers}) == 1
    assert len(await house.parts.store.read(lambda tx: incidents.every(tx, ["south-tyneside"]))) == 1


async def test_chains_stay_whole_while_deliveries_are_collected_and_answered_at_once(house: House) -> None:
    """An entry appended beside another would fork its chain; the sealed log would not verify."""
    referral = await refer(house)
    await _carry_all(house)
    async with house.client(UNIT) as unit:
        (waits,) = [item for item in await unit.inbox() if item["message"] == referral["id"]]
        await asyncio.gather(*(unit.fetch(waits["id"]) for _ in range(4)))
    await seal_waiting(house.parts)
    entries = await house.parts.store.read(
        lambda tx: log.entries_of_chain(tx, SOUTH_TYNESIDE, referral["id"])
    )
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.event for entry in entries].count("ContentHandover") == 1


async def test_of_two_servers_that_register_one_endpoint_at_once_one_does(house: House) -> None:
    """And of two secrets that are asked for at once, both hold until the next: neither server's work is lost."""
    parts = house.parts
    asked = Endpoint(SOUTH_TYNESIDE, AgencyId(ICB), RoleId("*"), "https://hooks.icb.example/", ICB)

    async def settled(action: Any, wanted: Any) -> Any:
        occasion = Occasion(parts.clock(), Supply(secrets.token_bytes(32)))
        return await parts.store.transact(lambda tx: action(tx, parts, occasion, wanted))

    both = await asyncio.gather(*(settled(enrol_webhook, asked) for _ in range(4)), return_exceptions=True)
    (made,) = [one for one in both if isinstance(one, Enrolled)]
    assert all(isinstance(one, Enrolled | Refused) for one in both)
    key = await parts.make_key(None, parts.clock())
    renewal = Renewal(made.row.id, AgencyId(ICB), frozenset({SOUTH_TYNESIDE}), key)
    renewed = await asyncio.gather(*(settled(renew_webhook_secret, renewal) for _ in range(2)))
    seat = Seat(AgencyId(ICB), RoleId("*"))
    way = await parts.store.read(lambda tx: directory.way_enrolled(tx, SOUTH_TYNESIDE, seat))
    held = parts.keys.open_secret(f"way:{SOUTH_TYNESIDE}:{ICB}", way.secret).decode().split()
    assert set(held) == {one.secret for one in renewed}
