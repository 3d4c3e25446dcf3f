"""Taking a message back: what has not left stays here, what is unopened is withdrawn, the others confirm (G-06)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.actions.recall import Fate, Recall, Recalled, recall
from gateway.actions.reconcile import reconcile
from gateway.agency.client import AgencyProblem
from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, MessageId
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.carrying import carry_due
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    UNIT,
    coarse_reason,
    decide_all,
    deliveries_of,
    duties_of,
    entries_of,
    participants_of,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House

TWO = TwoOfficers("Winifred Stave", "Desmond Quill")
WRONG = "It was sent to the wrong agency."


async def carry_all(house: House) -> None:
    while await carry_due(house.parts):
        pass


async def take_back(house: House, answer: Any, *agencies: str) -> Recalled:
    asked = Recall(MessageId(answer["id"]), TWO, WRONG, tuple(AgencyId(agency) for agency in agencies))
    return await house.parts.perform(recall, asked, SOUTH_TYNESIDE, IncidentId(answer["incident"]))


async def correct(house: House, answer: Any, action: str, agency: str = POLICE, **body: Any) -> Any:
    """A correction by an agency of the message that was answered so."""
    plain = {"superseded_by": None, "statement": None, "misdirected_to": [], "message": answer["id"]}
    dates = {"corrected_incident_at": None, "corrected_aware_at": None}
    about = {"incident": answer["incident"], "in_reply_to": answer["id"]}
    return await send(
        house, agency, "correction", plain | dates | {"action": action, "reason": WRONG} | body, **about
    )


async def ask_for_information(house: House) -> tuple[Any, Any]:
    """A referral, and a request that goes to the hospitals and to the ICB."""
    referral = await refer(house)
    body = {"agencies": [HOSPITALS, ICB]}
    request = await send(house, UNIT, "information-request", body, incident=referral["incident"])
    return referral, request


async def waits_for(house: House, agency: str, message: str) -> dict[str, Any] | None:
    async with house.client(agency) as client:
        return next((item for item in await client.inbox() if item["message"] == message), None)


async def test_g_06_what_has_not_left_is_cancelled_and_nobody_is_told(house: House) -> None:
    _, request = await ask_for_information(house)
    done = await take_back(house, request)
    assert set(done.fates.values()) == {Fate.CANCELLED}
    assert done.correction is None
    assert {row.state for row in await deliveries_of(house, request["id"])} == {DeliveryState.CANCELLED}
    await carry_all(house)
    assert await waits_for(house, HOSPITALS, request["id"]) is None
    assert (await reconcile(house.parts)).findings == ()


async def test_g_06_what_is_unopened_is_withdrawn_and_the_recipient_sees_that_it_was(house: House) -> None:
    _, request = await ask_for_information(house)
    await carry_all(house)
    done = await take_back(house, request)
    assert set(done.fates.values()) == {Fate.WITHDRAWN}
    item = await waits_for(house, HOSPITALS, request["id"])
    assert item is not None
    assert item["recalled_at"] is not None
    async with house.client(HOSPITALS) as hospitals:
        with pytest.raises(AgencyProblem) as refused:
            await hospitals.fetch(item["id"])
    assert refused.value.status == 409
    assert (await reconcile(house.parts)).findings == ()


async def test_g_06_who_opened_it_is_on_record_and_asked_to_confirm(house: House) -> None:
    _, request = await ask_for_information(house)
    await carry_all(house)
    item = await waits_for(house, HOSPITALS, request["id"])
    assert item is not None
    async with house.client(HOSPITALS) as hospitals:
        await hospitals.fetch(item["id"])
    done = await take_back(house, request)
    assert done.fates[item["id"]] is Fate.OPENED
    said = {
        coarse_reason(entry) for entry in await entries_of(house, request["id"]) if entry.event == "Recalled"
    }
    assert said == {"opened-before-recall", "withdrawn-unopened", "recalled-by-officers"}
    assert done.correction is not None
    await carry_all(house)
    notice = await waits_for(house, HOSPITALS, done.correction)
    assert notice is not None
    async with house.client(HOSPITALS) as hospitals:
        await hospitals.acknowledge(notice["id"], "person", "agency-responder", copies="destroyed")
    rows = {row.agency: row for row in await deliveries_of(house, done.correction)}
    assert rows[AgencyId(HOSPITALS)].copies == "destroyed"
    assert rows[AgencyId(ICB)].acknowledged_by is None


async def test_g_06_each_recipient_of_the_original_and_no_other_owes_a_confirmation(house: House) -> None:
    referral, request = await ask_for_information(house)
    await carry_all(house)
    done = await take_back(house, request)
    owed = {d.agency: d.state for d in await duties_of(house, referral) if d.message == done.correction}
    assert owed == {HOSPITALS: DutyState.OPEN, ICB: DutyState.OPEN}
    ended = {d.state for d in await duties_of(house, referral) if d.message == request["id"]}
    assert ended == {DutyState.WAIVED}, "nobody is chased for an answer to what was taken back"


async def test_g_06_a_correction_goes_to_all_who_had_the_original(house: House) -> None:
    _, request = await ask_for_information(house)
    answer = await correct(house, request, "correct", UNIT, statement="The period begins in 2024.")
    assert {row.agency for row in await deliveries_of(house, answer["id"])} == {HOSPITALS, ICB, UNIT}
    assert [e.event for e in await entries_of(house, request["id"])].count("Corrected") == 1
    assert {row.recalled_at for row in await deliveries_of(house, request["id"])} == {None}


async def test_g_06_a_sender_withdraws_its_own_message(house: House) -> None:
    referral = await refer(house)
    await carry_all(house)
    answer = await correct(house, referral, "withdraw")
    assert all(row.recalled_at for row in await deliveries_of(house, referral["id"]))
    assert {row.agency for row in await deliveries_of(house, answer["id"])} == {COUNCIL, ICB, UNIT}
    assert await reasons(house) == ["duties-outlive-recall"]
    kept = {d.clock for d in await duties_of(house, referral) if d.state is DutyState.OPEN}
    assert {"K11", "K12"} <= kept, "a sender alone silences no decision and no duty of the law"


@pytest.mark.parametrize("agency", [ICB, HOSPITALS])
async def test_g_06_nobody_corrects_another_agency_s_message(house: House, agency: str) -> None:
    referral = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await correct(house, referral, "withdraw", agency)
    assert refused.value.status in (403, 404)
    assert not any(row.recalled_at for row in await deliveries_of(house, referral["id"]))


async def test_g_06_the_wrong_recipient_leaves_the_incident_and_the_right_one_keeps_its_message(
    house: House,
) -> None:
    referral, request = await ask_for_information(house)
    await carry_all(house)
    await correct(house, request, "recall-misdirected", UNIT, misdirected_to=[HOSPITALS])
    rows = {row.agency: row.recalled_at for row in await deliveries_of(house, request["id"])}
    assert rows[AgencyId(HOSPITALS)] is not None
    assert rows[AgencyId(ICB)] is None
    assert HOSPITALS not in await participants_of(house, referral["incident"])
    assert "opened-by-wrong-recipient" not in await reasons(house)


async def test_g_06_a_wrong_recipient_who_opened_it_makes_an_officer_look_for_a_breach(house: House) -> None:
    _, request = await ask_for_information(house)
    await carry_all(house)
    item = await waits_for(house, HOSPITALS, request["id"])
    assert item is not None
    async with house.client(HOSPITALS) as hospitals:
        await hospitals.fetch(item["id"])
    await take_back(house, request, HOSPITALS)
    assert await reasons(house) == ["opened-by-wrong-recipient"]


async def test_g_06_a_letter_that_waits_for_release_is_stopped_and_one_that_left_is_asked_back(
    house: House,
) -> None:
    referral = await refer(house)
    await decide_all(house, referral)
    (letter,) = await sent_by_the_house(house, referral, "dsl-letter")
    answer = {"id": letter["id"], "incident": referral["incident"]}
    done = await take_back(house, answer)
    assert list(done.fates.values()) == [Fate.CANCELLED]
    assert await waiting(house) == []
    with pytest.raises(Refused) as refused:
        await take_back(house, answer)
    assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE


async def test_g_06_a_seat_not_to_be_contacted_is_not_told_of_a_recall_either(house: House) -> None:
    referral, request = await ask_for_information(house)
    await carry_all(house)
    concern = {"agency": HOSPITALS, "role": None, "person": None, "reason": "The concern is about this post."}
    await send(house, UNIT, "call-log", incident=referral["incident"], do_not_contact=[concern])
    done = await take_back(house, request)
    assert done.correction is not None
    assert {row.agency for row in await deliveries_of(house, done.correction)} == {ICB, UNIT}
    assert "do-not-contact" in await reasons(house)
