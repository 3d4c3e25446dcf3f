"""Responsibility moves: to a partnership here, or to a council elsewhere; no duty of the law vanishes (P-05, P-09, G-07)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.actions.transfer import Transfer, Transferred, receiving_in, transfer
from gateway.agency.client import AgencyProblem
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.store import duties, holds, incidents, mail, messages
from gateway.store.duties import DutyRow
from tests.actions.neighbours import FELLSIDE, FELLSIDE_COUNCIL, FELLSIDE_UNIT, fellside_joins
from tests.actions.scene import (
    COUNCIL,
    ICB,
    POLICE,
    UNIT,
    coarse_reason,
    decide,
    decide_all,
    duties_of,
    entries_of,
    incident_of,
    let_go,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.actions.test_breach import record, with_officer
from tests.actions.test_recall import TWO, carry_all
from tests.gateway_house import House


async def move(house: House, answer: Any, **to: Any) -> Transferred:
    asked = Transfer(IncidentId(answer["incident"]), TWO, "It happened there.", **to)
    if not to:
        asked = replace(asked, receiving=await receiving_in(house.parts, FELLSIDE))
    return await house.parts.perform(transfer, asked, SOUTH_TYNESIDE, asked.incident)


async def there(house: House, done: Transferred) -> list[DutyRow]:
    assert done.incident is not None
    new = done.incident
    return await house.parts.store.read(lambda tx: duties.of_incident(tx, FELLSIDE, new))


async def test_p_09_the_receiving_council_s_clock_runs_from_its_own_awareness(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    house.clock.move_by(days=2)  # Wednesday
    done = await move(house, referral)
    (notify,) = [duty for duty in await there(house, done) if duty.clock == "K12"]
    assert (notify.agency, notify.start_at) == (FELLSIDE_COUNCIL, house.clock())
    assert notify.due_at == datetime(2026, 11, 12, tzinfo=UTC)
    assert {duty.state for duty in await duties_of(house, referral)} == {DutyState.WAIVED}


async def test_p_05_what_ends_here_is_stated_duty_by_duty_and_on_both_sides(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    done = await move(house, referral)
    left = await entries_of(house, (await incident_of(house, referral)).chain)
    assert [e.event for e in left].count("DutyWaived") == len(done.ended) == 5
    assert {coarse_reason(e) for e in left if e.event == "DutyWaived"} == {"incident-transferred"}
    assert "to-a-partnership-here" in {coarse_reason(e) for e in left}
    new = await house.parts.store.read(lambda tx: incidents.every(tx, [FELLSIDE]))
    assert [incident.id for incident in new] == [done.incident]
    assert (await incident_of(house, referral)).state == "transferred"


async def test_p_05_a_duty_of_the_law_goes_over_with_what_answers_it(house: House) -> None:
    """K20 is met by the publication, on the other side too, and by no other task."""
    await fellside_joins(house)
    referral = await refer(house)
    await send(house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=None)
    body = {"decision": "initiate-cspr", "actions": []}
    await send(house, UNIT, "final-decision", body, incident=referral["incident"], in_reply_to=None)
    (before,) = [duty for duty in await duties_of(house, referral) if duty.clock == "K20"]
    done = await move(house, referral)
    (after,) = [duty for duty in await there(house, done) if duty.clock == "K20"]
    assert (after.expects, after.task, after.event) == (before.expects, before.task, before.event)
    assert after.task == "publication"


async def test_k17_runs_on_from_the_submission_that_was_made(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    await send(house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=None)
    (before,) = [duty for duty in await duties_of(house, referral) if duty.clock == "K17"]
    done = await move(house, referral)
    (after,) = [duty for duty in await there(house, done) if duty.clock == "K17"]
    assert (after.start_at, after.due_at, after.agency) == (before.start_at, before.due_at, FELLSIDE_UNIT)


async def test_g_08_who_is_not_to_be_contacted_stays_so_on_the_other_side(house: House) -> None:
    await fellside_joins(house)
    concern = {"agency": ICB, "role": "dsp-icb", "person": None, "reason": "The concern is about this post."}
    referral = await refer(house)
    await decide(house, referral, "dsp-police", do_not_contact=[concern])
    for held in await waiting(house):
        await let_go(
            house, held
        )  # an officer has looked whom it excludes; a transfer leaves nothing held behind
    done = await move(house, referral)
    assert done.incident is not None
    new = done.incident
    avoided = await house.parts.store.read(lambda tx: messages.avoided(tx, FELLSIDE, new))
    assert avoided == {f"{ICB}/dsp-icb"}
    assert ICB not in {duty.agency for duty in await there(house, done)}


async def test_the_incident_that_stays_takes_no_more_messages(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    await move(house, referral)
    with pytest.raises(AgencyProblem) as refused:
        await send(house, POLICE, "call-log", incident=referral["incident"])
    assert refused.value.status == 409
    with pytest.raises(Refused):
        await move(house, referral)


async def test_a_council_that_is_not_here_is_named_with_whoever_took_it_over(house: House) -> None:
    referral = await refer(house)
    with pytest.raises(Refused) as refused:
        await move(house, referral, council="Farshire County Council")
    assert refused.value.code is ErrorCode.INVALID_MESSAGE
    done = await move(
        house, referral, council="Farshire County Council", taken_by="R. Alder, head of service"
    )
    assert done.incident is None
    assert (await incident_of(house, referral)).state == "transferred"


async def test_nothing_moves_while_a_breach_of_it_is_open(house: House) -> None:
    await fellside_joins(house)
    referral = await with_officer(house)
    await record(house, referral)
    with pytest.raises(Refused) as refused:
        await move(house, referral)
    assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE


async def test_g_07_what_arises_after_the_transfer_is_the_old_unit_s_to_end_and_the_new_one_hears_once(
    house: House,
) -> None:
    """Two recipients decline what was sent before: the content stays where it is, nothing goes on, and nothing is stuck."""
    await fellside_joins(house)
    referral = await refer(house)
    await carry_all(house)
    done = await move(house, referral)
    assert done.incident is not None
    for agency in (ICB, COUNCIL):
        async with house.client(agency) as client:
            (item, *_) = [one for one in await client.inbox() if one["message"] == referral["id"]]
            await client.decline(item["id"], "not ours")
    (first, second) = [hold for hold in await waiting(house) if hold.reasons == ("declined",)]
    there_held = await house.parts.store.read(lambda tx: holds.open_holds(tx, FELLSIDE))
    notices = [hold for hold in there_held if hold.reasons == ("arose-where-it-came-from",)]
    assert [hold.incident for hold in notices] == [done.incident]
    with pytest.raises(Refused) as refused:
        await let_go(house, first)
    assert "handed over" in (refused.value.detail or "")
    for hold in (first, second):
        await let_go(house, hold, refuse=True)
    assert [hold for hold in await waiting(house) if hold.incident == referral["incident"]] == []
    await let_go(house, notices[0])
    left = await house.parts.store.read(lambda tx: holds.open_holds(tx, FELLSIDE))
    assert notices[0].id not in {hold.id for hold in left}
    with pytest.raises(Refused):
        await let_go(house, first, refuse=True)


async def test_g_07_a_school_s_mail_after_the_transfer_is_the_old_unit_s_and_the_new_one_hears(
    house: House,
) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    await decide_all(house, referral)
    for hold in await waiting(house):
        await let_go(house, hold)
    (letter, *_) = await sent_by_the_house(house, referral, "dsl-letter")
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    done = await move(house, referral)
    to, raw = f"letters+{row.token}@council.example", b"Subject: late\r\n\r\nPlease ring me.\r\n"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    assert await intake.read_kept(house.parts) == 1
    (mailed,) = await waiting(house)
    assert (mailed.subject_kind, mailed.incident) == ("mail", None)
    assert "incident-handed-over" in mailed.reasons
    held_there = await house.parts.store.read(lambda tx: holds.open_holds(tx, FELLSIDE))
    assert done.incident in {
        hold.incident for hold in held_there if "arose-where-it-came-from" in hold.reasons
    }
    await let_go(house, mailed, refuse=True)
    assert (await incident_of(house, referral)).state == "transferred"
