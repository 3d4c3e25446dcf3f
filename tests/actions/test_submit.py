"""The step where the gateway begins to owe a delivery: routes, holds, refusals, and what each leaves behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.take import Speaker, prepare
from gateway.agency.client import AgencyProblem
from gateway.core.messages import AgencyId, IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.erasing import complete_erasure
from schemas import read_message
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    UNIT,
    coarse_reason,
    decide,
    deliveries_of,
    duties_of,
    empty_seat,
    entries_named,
    entries_of,
    events_of,
    let_go,
    participants_of,
    reasons,
    refer,
    rows,
    send,
    waiting,
)
from tests.gateway_house import House, gateway_house

ELSEWHERE = "E08000021"


def somewhere_else(house: House) -> dict[str, object]:
    """The body of a referral about a place that this partnership does not cover."""
    incident = house.example("referral")["body"]["incident"]
    return {"incident": incident | {"place": incident["place"] | {"local_authority": ELSEWHERE}}}


async def test_a_referral_reaches_the_three_partners_and_the_unit_and_nobody_else(house: House) -> None:
    answer = await refer(house)
    seats = {(row.agency, row.role) for row in await deliveries_of(house, answer["id"])}
    assert seats == {(COUNCIL, "dsp-la"), (ICB, "dsp-icb"), (POLICE, "dsp-police"), (UNIT, "sbu")}


async def test_a_fingerprint_is_made_of_sorted_members_in_ascii_and_differs_with_any_value(
    house: House,
) -> None:
    """HMAC-SHA-256 of these very bytes: a repeat after an upgrade is still told from other content."""
    said = house.example("referral", reference="R-1")
    said["author"]["name"] = "Zo\u00eb Quay"
    speaker = Speaker(AgencyId(POLICE), frozenset({SOUTH_TYNESIDE}))

    async def fingerprint(raw: bytes) -> str:
        return (await prepare(house.parts, raw, read_message(raw), speaker)).fingerprint

    turned = dict(reversed(said.items()))
    plain = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()
    expected = house.parts.keys.fingerprint("content", plain)
    assert await fingerprint(json.dumps(said, ensure_ascii=False).encode()) == expected
    assert await fingerprint(json.dumps(turned, indent=1).encode()) == expected
    assert await fingerprint(json.dumps(said | {"reference": "R-2"}).encode()) != expected


async def test_a_place_elsewhere_is_held_and_opens_an_incident_that_its_sender_sees(house: House) -> None:
    answer = await refer(house, body=somewhere_else(house))
    assert (answer["decision"], answer["duties"]) == ("hold", [])
    assert answer["incident"].startswith("SI-")
    assert await deliveries_of(house, answer["id"]) == []
    assert await reasons(house) == ["place-outside-partnership"]
    async with house.client(POLICE) as police:
        assert [entry["id"] for entry in (await police.incident(answer["incident"]))["timeline"]] == [
            answer["id"]
        ]
    assert await events_of(house, answer["id"]) == ["SubmissionAcceptance", "Held"]


async def test_what_is_released_takes_its_route_with_clocks_from_its_arrival(house: House) -> None:
    answer = await refer(house, body=somewhere_else(house))
    arrived_at = house.clock()
    house.clock.move_by(hours=26)
    await let_go(house, (await waiting(house))[0])
    assert len(await deliveries_of(house, answer["id"])) == 4
    assert {duty.start_at for duty in await duties_of(house, answer)} == {arrived_at}
    async with house.client(POLICE) as police:
        state = await police.message(answer["id"])
    assert state["decision"] == "forward"
    assert {duty["clock"] for duty in state["duties"]} == {"K11", "K12", "G01"}


async def test_what_an_officer_refuses_goes_nowhere(house: House) -> None:
    answer = await refer(house, body=somewhere_else(house))
    await let_go(house, (await waiting(house))[0], refuse=True)
    assert await deliveries_of(house, answer["id"]) == []
    assert await duties_of(house, answer) == []


async def test_a_seat_that_must_not_be_contacted_gets_nothing_and_an_officer_hears_of_it(
    house: House,
) -> None:
    concern = {"agency": ICB, "role": "dsp-icb", "reason": "The concern is about this post."}
    answer = await refer(house, do_not_contact=[concern])
    assert ICB not in {row.agency for row in await deliveries_of(house, answer["id"])}
    assert "dsp-icb" not in {duty.role for duty in await duties_of(house, answer)}
    assert await reasons(house) == ["do-not-contact", "excludes-recipients"]


async def test_later_messages_of_the_incident_pass_that_seat_by_too(house: House) -> None:
    concern = {"role": "dsp-icb", "reason": "The concern is about this post."}
    referral = await refer(house, do_not_contact=[concern])
    record = await send(
        house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=referral["id"]
    )
    assert {row.agency for row in await deliveries_of(house, record["id"])} == {UNIT, POLICE}


async def test_the_law_s_own_clock_runs_though_its_owner_must_not_be_contacted(house: House) -> None:
    concern = {"role": "dsp-la", "reason": "The concern is about this post."}
    answer = await refer(house, do_not_contact=[concern])
    assert {duty.clock for duty in await duties_of(house, answer) if duty.role == "dsp-la"} == {"K12"}


async def test_a_named_person_who_must_not_be_told_makes_an_officer_look_first(house: House) -> None:
    concern = {"person": "Winifred Stave", "reason": "The concern is about her."}
    answer = await refer(house, do_not_contact=[concern])
    assert answer["decision"] == "hold"
    assert await reasons(house) == ["do-not-contact-person"]
    assert b"Winifred" not in b"".join(entry.statement for entry in await entries_of(house, answer["id"]))


async def test_a_role_that_nobody_holds_is_an_officer_s_and_the_others_are_served(house: House) -> None:
    await empty_seat(house, ICB, "dsp-icb")
    answer = await refer(house)
    assert answer["decision"] == "forward"
    assert len(await deliveries_of(house, answer["id"])) == 3
    assert await reasons(house) == ["nobody-holds-dsp-icb"]


async def test_gaps_found_at_a_release_are_told_as_well(house: House) -> None:
    await refer(house, body=somewhere_else(house))
    await empty_seat(house, ICB, "dsp-icb")
    await let_go(house, (await waiting(house))[0])
    assert await reasons(house) == ["nobody-holds-dsp-icb"]


async def test_a_seat_that_the_sender_does_not_hold_is_refused_and_stated_without_content(
    house: House,
) -> None:
    referral = await refer(house)
    before = await rows(house)
    with pytest.raises(AgencyProblem) as refused:
        await decide(house, referral, "dsp-la", agency=ICB)
    assert (refused.value.status, refused.value.code) == (403, "not-permitted")
    after = await rows(house)
    assert {name for name in after if after[name] != before[name]} == {"entry", "chain"}
    (stated,) = await entries_named(house, "SubmissionRejection")
    assert coarse_reason(stated) == "not-permitted"
    assert (stated.incident, stated.disclosures) == (None, None)


async def test_a_vote_for_a_foreign_seat_is_refused_even_when_an_officer_would_have_to_look_first(
    house: House,
) -> None:
    referral = await refer(house)
    person = {"person": "Philippa Marlowe", "reason": "The concern is about her."}
    with pytest.raises(AgencyProblem) as refused:
        await decide(house, referral, "dsp-la", agency=ICB, do_not_contact=[person])
    assert refused.value.code == "not-permitted"
    assert await waiting(house) == []


@pytest.mark.parametrize("slug", ["chase", "dsl-letter"])
async def test_what_only_the_gateway_writes_is_taken_from_nobody(house: House, slug: str) -> None:
    referral = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await send(house, UNIT, slug, incident=referral["incident"])
    assert (refused.value.status, refused.value.code) == (403, "not-permitted")


async def test_foreign_and_unknown_incidents_look_the_same(house: House) -> None:
    referral = await refer(house, body={"agencies_involved": [POLICE]})
    before, seen = await rows(house), []
    for incident in (referral["incident"], "SI-7K3M-9QPX-2D"):
        with pytest.raises(AgencyProblem) as refused:
            await send(house, HOSPITALS, "call-log", incident=incident)
        seen.append((refused.value.status, refused.value.code, refused.value.title, refused.value.detail))
        async with house.client(HOSPITALS) as hospitals:
            with pytest.raises(AgencyProblem) as unseen:
                await hospitals.incident(incident)
        assert (unseen.value.status, unseen.value.code) == (404, "not-found")
    assert await rows(house) == before
    assert seen[0] == seen[1]
    assert seen[0][:2] == (404, "not-found")


async def test_a_partnership_that_the_client_is_not_in_is_refused_and_leaves_nothing(house: House) -> None:
    before = await rows(house)
    with pytest.raises(AgencyProblem) as refused:
        await refer(house, partnership="southampton")
    assert (refused.value.status, refused.value.code) == (403, "not-permitted")
    assert await rows(house) == before


async def test_an_agency_named_but_unknown_to_the_directory_joins_nothing(house: House) -> None:
    answer = await refer(house, body={"agencies_involved": [HOSPITALS, "nobody-knows"]})
    async with house.client(HOSPITALS) as hospitals:
        assert (await hospitals.incident(answer["incident"]))["timeline"] == []
    named = await participants_of(house, answer["incident"])
    assert "nobody-knows" not in named


async def test_an_erased_incident_takes_no_more_messages_and_repeats_nothing(house: House) -> None:
    message = house.example("referral", reference="NP-77")
    async with house.client(POLICE) as police:
        answer = await police.submit(message)
        incident = IncidentId(answer["incident"])
        order = Erasure(incident, "First Officer", "Second Officer", "retention")
        await house.parts.perform(begin_erasure, order, SOUTH_TYNESIDE, incident)
        await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)
        for sent in (message, house.example("call-log", reference="NP-78", incident=incident)):
            with pytest.raises(AgencyProblem) as refused:
                await police.submit(sent)
            assert (refused.value.status, refused.value.code) == (409, "conflicting-state")
    async with house.client(UNIT) as unit:
        before = len(await events_of(house, answer["id"]))
        for delivery in await unit.inbox():
            with pytest.raises(AgencyProblem) as gone:
                await unit.fetch(delivery["id"])
            assert gone.value.status == 409
        assert len(await events_of(house, answer["id"])) == before, "what is erased is handed to nobody"


async def test_fifty_identical_submissions_at_once_are_one_message_with_one_receipt(house: House) -> None:
    message = json.dumps(house.example("referral", reference="NP-50")).encode()
    before = await rows(house)
    async with house.client(POLICE) as police:
        await police.token()
        answers = await asyncio.gather(*(police.submit(message) for _ in range(50)))
    assert all(answer == answers[0] for answer in answers)
    after = await rows(house)
    assert after["message"] - before["message"] == 1
    assert after["incident"] - before["incident"] == 1
    assert after["delivery"] - before["delivery"] == 4
    assert after["data_key"] - before["data_key"] == 1, "repeats leave no unused data keys"


async def test_on_postgresql_too_identical_submissions_at_once_are_one_message(
    tmp_path: Path, postgres_url: str
) -> None:
    """There two servers may record the same reference in the same instant: the slower finds the faster's answer."""
    async with gateway_house(tmp_path, database_url=postgres_url) as house:
        await house.gateway.dispatch.stop()
        message = json.dumps(house.example("referral", reference="NP-51")).encode()
        async with house.client(POLICE) as police:
            await police.token()
            answers = await asyncio.gather(*(police.submit(message) for _ in range(20)))
        assert all(answer == answers[0] for answer in answers)
        counted = await rows(house)
        assert (counted["message"], counted["incident"], counted["delivery"]) == (1, 1, 4)


async def test_a_partnership_is_read_once_for_all_who_wait_for_it_and_anew_after_a_change(
    house: House,
) -> None:
    partnerships = house.parts.partnerships
    partnerships.forget()
    first, *others = await asyncio.gather(*(partnerships.snapshot(SOUTH_TYNESIDE) for _ in range(8)))
    assert all(other is first for other in others)
    partnerships.forget()
    reading = asyncio.ensure_future(partnerships.snapshot(SOUTH_TYNESIDE))
    await asyncio.sleep(0)
    partnerships.forget()
    assert await partnerships.snapshot(SOUTH_TYNESIDE) is not await reading
