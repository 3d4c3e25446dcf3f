"""On PostgreSQL two connections do the same at the same moment, or two things that exclude each other: exactly one takes effect.

The first is held just before its commit until the other waits for it or is done: a race that is lost whenever it can be.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from gateway.actions.activate_pack import Activation, activate_pack
from gateway.actions.agree_arrangements import ArrangementAsked, answer_arrangement, ask_arrangement
from gateway.actions.change_calendar import CalendarChange, change_calendar, in_force
from gateway.actions.change_officer import Invitation, NewOfficer, add_officer, invite_officer
from gateway.actions.extend import Extension, extend
from gateway.actions.invite_guest import invite_guest
from gateway.actions.link_incidents import Linking, Word, link_incidents
from gateway.actions.prove import Occasion
from gateway.actions.recall import Recall, recall
from gateway.actions.resend_letter import Resending, resend_letter
from gateway.actions.second_officer import Answering, Asking, answer_asking, ask_second
from gateway.actions.transfer import Transfer, transfer
from gateway.actions.try_way import WayTrial, write_test
from gateway.actions.write_letter import LetterWanted, write_letter
from gateway.core.errors import Refused
from gateway.core.messages import AgencyId, IncidentId, MessageId, RoleId, Seat
from gateway.core.permissions import OfficerRole
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import packs
from gateway.parts import Supply, Work
from gateway.store import tables as t
from gateway.store.transaction import Tx
from tests.actions.neighbours import fellside_joins
from tests.actions.scene import (
    HOSPITALS,
    ICB,
    UNIT,
    deliveries_of,
    duty_of,
    letter_to_the_school,
    reach_by,
    refer,
    send,
)
from tests.actions.test_calendar_change import OFFICERS, PROCLAIMED, listed
from tests.actions.test_guests import change
from tests.actions.test_recall import TWO, WRONG
from tests.edges.test_console_letters import relayed
from tests.gateway_house import House, gateway_house
from tests.servers import PostgresServer

Done = Callable[[Tx], object]
LOOKS = 400


@pytest.fixture
async def house(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[House]:
    urls = postgres.fresh_database(), postgres.fresh_database()
    async with gateway_house(tmp_path, database_url=urls[0], custody_url=urls[1]) as running:
        await running.gateway.dispatch.stop()
        yield running
    for url in urls:
        postgres.give_back(url)


async def raced(house: House, postgres: PostgresServer, first: Done, second: Done) -> list[object]:
    """What became of both: a value, or what was raised."""
    is_done, other_is_over = threading.Event(), threading.Event()
    book = make_url(house.parts.settings.book_url).database
    waiting = (
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{book}' AND wait_event_type IN ('Lock')"
    )

    def held(tx: Tx) -> object:
        value = first(tx)
        tx.send()
        is_done.set()
        for _ in range(LOOKS):
            if other_is_over.wait(0.01) or postgres.administer(waiting)[0][0]:
                break
        return value

    async def after() -> object:
        try:
            assert await asyncio.to_thread(is_done.wait, 30)
            return await house.parts.store.transact(second)
        finally:
            other_is_over.set()

    return list(await asyncio.gather(house.parts.store.transact(held), after(), return_exceptions=True))


async def acting(house: House, action: Any, asked: Any, incident: str) -> Done:
    """As `Parts.perform` runs it, in a transaction of the caller's."""
    snapshot = await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)
    key = await house.parts.key_of(IncidentId(incident))
    work = Work(house.clock(), Supply(secrets.token_bytes(32)), snapshot.pack, snapshot.directory, key)
    return lambda tx: action(tx, house.parts, work, asked)


def on_occasion(house: House, action: Any, asked: Any) -> Done:
    occasion = Occasion(house.clock(), Supply(secrets.token_bytes(32)))
    return lambda tx: action(tx, house.parts, occasion, asked)


def one_refused(answers: list[object]) -> bool:
    kinds = [type(answer) for answer in answers if isinstance(answer, BaseException)]
    return kinds == [Refused]


async def once(
    house: House, postgres: PostgresServer, action: Any, asked: Any, incident: str, effect: str
) -> None:
    """The same asked twice at once: one is done, one is refused, and one more of `effect` stands."""
    before = await counted(house, effect)
    both = [await acting(house, action, asked, incident) for _ in range(2)]
    answers = await raced(house, postgres, both[0], both[1])
    assert one_refused(answers), (action.__name__, answers)
    assert await counted(house, effect) - before == 1, action.__name__


async def counted(house: House, what: str) -> int:
    found = await house.parts.store.read(
        lambda tx: tx.execute(sa.text(f"SELECT count(*) FROM {what}")).scalar()
    )
    return int(found or 0)


async def test_what_officers_do_to_one_incident_at_once_takes_effect_once(
    house: House, postgres: PostgresServer
) -> None:
    """Recall, a guest, linking, more time, a second officer's agreement, transfer: each twice at the same moment."""
    moved = await refer(house, reference="NP-MOVED")
    to = {"council": "Fellside", "taken_by": "Audrey Tor, Director"}
    away = Transfer(IncidentId(moved["incident"]), TWO, "It happened there.", **to)
    await once(house, postgres, transfer, away, moved["incident"], "entry WHERE event = 'Transferred'")
    referral, other = await refer(house), await refer(house, reference="NP-OTHER")
    incident = referral["incident"]
    await fellside_joins(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=incident)
    duty = await duty_of(house, referral, "agency-responder", "information-return")
    assert duty.due_at is not None
    until: datetime = duty.due_at + timedelta(days=3)
    asking = Asking(
        IncidentId(incident), "waive-duty", {"duty": duty.id, "reason": "Told by telephone."}, TWO.first
    )
    proposal = await house.parts.perform(ask_second, asking, SOUTH_TYNESIDE, IncidentId(incident))
    pairs = (IncidentId(incident), IncidentId(other["incident"]))
    acts: list[tuple[Any, Any, str]] = [
        (invite_guest, change(referral), "entry WHERE event = 'GuestsChanged'"),
        (
            link_incidents,
            Linking(*pairs, TWO.first, Word.SAME, "One fall."),
            "likeness WHERE state = 'linked'",
        ),
        (extend, Extension(duty.id, until, TWO.first, "Archive."), "entry WHERE event = 'DutyRescheduled'"),
        (answer_asking, Answering(proposal, TWO.second), "entry WHERE event = 'DutyWaived'"),
        (
            recall,
            Recall(MessageId(referral["id"]), TWO, WRONG),
            "(SELECT DISTINCT message FROM delivery WHERE recalled_at IS NOT NULL) AS one",
        ),
    ]
    for action, asked, effect in acts:
        await once(house, postgres, action, asked, incident, effect)


async def test_a_letter_or_a_test_asked_for_twice_at_once_is_written_once(
    house: House, postgres: PostgresServer
) -> None:
    """S2-22: sent again, written to another school, and the test of a way."""
    referral, letter = await letter_to_the_school(house)
    await relayed(house, letter.message)
    (sent,) = await deliveries_of(house, letter.message)
    incident = IncidentId(referral["incident"])
    wanted = LetterWanted(incident, MessageId(referral["id"]), 0, AgencyId("cliffside-secondary"), TWO.first)
    await reach_by(house, ICB, "mail")
    seat = WayTrial(SOUTH_TYNESIDE, Seat(AgencyId(ICB), RoleId("dsp-icb")))
    acts: list[tuple[Any, Any, str]] = [
        (resend_letter, Resending(sent.id, TWO.first), "delivery WHERE rule = 'letter'"),
        (write_letter, wanted, "letter"),
        (write_test, seat, "delivery WHERE rule = 'way-test'"),
    ]
    for action, asked, effect in acts:
        await once(house, postgres, action, asked, incident, effect)


async def test_two_lists_of_holidays_put_in_force_at_once_are_joined_and_one_is_in_force(
    house: House, postgres: PostgresServer
) -> None:
    """C-12: else the days of the first would be lost, and two lists stand as current."""
    another = date(2026, 12, 18)
    lists = listed({PROCLAIMED: "Invented Day"}), listed({another: "Other Day"}, "2026-11-22-bbbbbbbb")
    both = [on_occasion(house, change_calendar, CalendarChange(each, OFFICERS)) for each in lists]
    answers = await raced(house, postgres, both[0], both[1])
    assert not any(isinstance(answer, BaseException) for answer in answers), answers
    assert await counted(house, "holidays WHERE current") == 1
    assert (await house.parts.store.read(in_force)).version == lists[1].version


async def test_rules_agreed_to_twice_at_once_come_into_force_once_and_of_two_versions_one_is_in_force(
    house: House, postgres: PostgresServer
) -> None:
    shipped = packs.shipped(SOUTH_TYNESIDE).version
    both = [on_occasion(house, activate_pack, version(each)) for each in ("2026.0-one", "2026.0-two")]
    answers = await raced(house, postgres, both[0], both[1])
    assert not any(isinstance(answer, BaseException) for answer in answers), answers
    assert await counted(house, "pack WHERE current AND partnership = 'south-tyneside'") == 1
    files = packs.read_files(packs.HERE / SOUTH_TYNESIDE)
    fields = {"version": shipped, "digest": packs.digest(files), "mark": "none"}
    asked = ArrangementAsked("activate-pack", SOUTH_TYNESIDE, fields, TWO.first)
    proposal = await house.parts.store.transact(on_occasion(house, ask_arrangement, asked))
    said = Answering(str(proposal), TWO.second)
    agreed = [on_occasion(house, agree, said) for _ in range(2)]
    assert one_refused(await raced(house, postgres, agreed[0], agreed[1]))
    entries = "entry WHERE event = 'PackActivated'"
    assert await counted(house, entries) == 3


def version(name: str) -> Activation:
    files = dict(packs.read_files(packs.HERE / SOUTH_TYNESIDE))
    now = packs.shipped(SOUTH_TYNESIDE).version
    files["rules.toml"] = files["rules.toml"].replace(f'version = "{now}"', f'version = "{name}"', 1)
    return Activation(SOUTH_TYNESIDE, files, OFFICERS)


def agree(tx: Tx, parts: Any, occasion: Occasion, said: Answering) -> object:
    return answer_arrangement(tx, parts, occasion, SOUTH_TYNESIDE, said)


async def test_of_two_invitations_at_once_only_the_later_lets_anybody_in(
    house: House, postgres: PostgresServer
) -> None:
    new = NewOfficer("Clara Reed", frozenset({OfficerRole.OFFICER}), by="Caspian Reed")
    both = [on_occasion(house, add_officer, new) for _ in range(2)]
    assert one_refused(await raced(house, postgres, both[0], both[1]))
    links = [Invitation("Clara Reed", digest, "Caspian Reed") for digest in ("one", "two")]
    asked = [on_occasion(house, invite_officer, each) for each in links]
    await raced(house, postgres, asked[0], asked[1])
    left = await house.parts.store.read(lambda tx: list(tx.execute(sa.select(t.sign_in_link.c)).all()))
    assert len(left) == 1
