"""What a message may say that it answers: only what its sender knows, of the same incident; and a letter that it was sent."""

from __future__ import annotations

from typing import Any

from gateway.actions.erase import Erasure, begin_erasure
from gateway.core.duties import DutyState
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import complete_erasure
from gateway.store import mail
from tests.actions.scene import (
    COUNCIL,
    POLICE,
    SCHOOL,
    UNIT,
    decide_all,
    duties_of,
    let_go,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House


async def _sent_letters(house: House, *names: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    """One released letter for each child, by the child's name."""
    first = house.example("referral")["body"]["children"][0] | {"related_people": [], "upn": None}
    numbers = ("9990000018", "9990000026")
    children = [
        first | {"given_names": n, "nhs_number": number} for n, number in zip(names, numbers, strict=True)
    ]
    referral = await refer(house, body={"children": children})
    await decide_all(house, referral)
    for hold in await waiting(house):
        await let_go(house, hold)
    letters = await sent_by_the_house(house, referral, "dsl-letter")
    return referral, {letter["body"]["child_name"].split()[0]: letter for letter in letters}


async def _confirm(house: House, letter: dict[str, Any], **envelope: Any) -> Any:
    body = {"letter_reference": letter["body"]["letter_reference"]}
    about = {"incident": letter["incident"], "in_reply_to": None} | envelope
    return await send(house, SCHOOL, "dsl-confirmation", body, **about)


async def test_a_pointer_to_a_foreign_or_unknown_message_answers_nothing_and_stops_nothing(
    house: House,
) -> None:
    """Foreign and unknown look the same; the seat's own duty is met, the other incident's is not."""
    other = await refer(house)
    for answered in (other["id"], "msg-zklycewkdo64v6wcggzzui64ju"):
        one = await refer(house)
        body = {"seat": "dsp-la", "decided_at": house.clock().isoformat()}
        told = await send(
            house, COUNCIL, "triage-decision", body, incident=one["incident"], in_reply_to=answered
        )
        met = [duty.role for duty in await duties_of(house, one) if duty.state is DutyState.MET]
        assert (told["decision"], met) == ("forward", ["dsp-la"])
    assert {duty.state for duty in await duties_of(house, other)} == {DutyState.OPEN}


async def test_with_several_answers_owed_a_pointer_to_nothing_known_is_an_officer_s_to_read(
    house: House,
) -> None:
    referral = await refer(house)
    about = {"incident": referral["incident"]}
    for _ in range(2):
        await send(house, UNIT, "information-request", {"agencies": [POLICE]}, **about)
    told = await send(
        house, POLICE, "information-return", in_reply_to="msg-zklycewkdo64v6wcggzzui64ju", **about
    )
    assert told["decision"] == "hold"
    assert await reasons(house) == ["answers-unknown-message"]
    owed = [duty for duty in await duties_of(house, referral) if duty.expects == "information-return"]
    assert {duty.state for duty in owed} == {DutyState.OPEN}


async def test_what_opens_an_incident_answers_nothing(house: House) -> None:
    earlier = await refer(house)
    later = await refer(house, in_reply_to=earlier["id"])
    assert later["incident"] != earlier["incident"]
    assert {duty.state for duty in await duties_of(house, earlier)} == {DutyState.OPEN}


async def test_a_confirmation_answers_the_letter_that_it_names(house: House) -> None:
    referral, letters = await _sent_letters(house, "Elowen", "Jory")
    for name in ("Jory", "Elowen"):
        await _confirm(house, letters[name])
        met = {d.message for d in await duties_of(house, referral) if d.met_by and d.role == "dsl"}
        assert letters[name]["id"] in met


async def test_a_confirmation_of_no_letter_to_that_school_is_held(house: House) -> None:
    referral, letters = await _sent_letters(house, "Elowen", "Jory")
    mixed = await _confirm(house, letters["Jory"], in_reply_to=letters["Elowen"]["id"])
    unknown = letters["Jory"] | {"body": {"letter_reference": "SG-7K3M-9QPX-2D"}}
    assert [mixed["decision"], (await _confirm(house, unknown))["decision"]] == ["hold", "hold"]
    assert await reasons(house) == ["no-such-letter", "no-such-letter"]
    owed = [d for d in await duties_of(house, referral) if d.expects == "dsl-confirmation"]
    assert {d.state for d in owed} == {DutyState.OPEN}


async def test_a_mail_that_comes_after_the_erasure_waits_apart_and_an_officer_can_end_it(
    house: House,
) -> None:
    referral, letters = await _sent_letters(house, "Elowen", "Jory")
    incident = IncidentId(referral["incident"])
    letter_row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letters["Jory"]["id"]))
    assert letter_row is not None
    asked = Erasure(incident, "Winifred Stave", "Caspian Reed", "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)
    to, raw = f"letters+{letter_row.token}@council.example", b"Subject: late\r\n\r\nToo late.\r\n"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    assert await intake.read_kept(house.parts) == 1
    (held,) = await waiting(house)
    assert (held.subject_kind, held.incident) == ("mail", None)
    assert "incident-closed" in held.reasons
    await let_go(house, held, refuse=True)
    assert await waiting(house) == []
