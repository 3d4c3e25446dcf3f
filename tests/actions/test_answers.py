"""What a message may say that it answers: only what its sender knows, of the same incident; and a letter that it was sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.actions.confirm_for_school import DSL
from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.letter_to_previous_school import suggest_letter
from gateway.actions.reply import Read, reply
from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, IncidentId, Seat
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import complete_erasure
from gateway.parts import Parts, Work
from gateway.store import mail
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx
from tests.actions.scene import (
    COUNCIL,
    POLICE,
    SCHOOL,
    UNIT,
    decide_all,
    duties_of,
    entries_named,
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


async def test_s2_22_the_same_answer_again_corroborates_and_another_one_is_owed_again(house: House) -> None:
    """A second lead who says the same changes nothing; another answer, even after the first was complete, alerts an officer."""
    referral, letters = await _sent_letters(house, "Elowen", "Jory")
    letter = letters["Jory"]
    first, same = await _confirm(house, letter), await _confirm(house, letter)
    assert (first["decision"], same["decision"], await reasons(house)) == ("forward", "forward", [])
    body = {"letter_reference": letter["body"]["letter_reference"], "records_held": _held_not(house)}
    about = {"incident": letter["incident"], "in_reply_to": None}
    other = await send(house, SCHOOL, "dsl-confirmation", body, **about)
    assert (other["decision"], await reasons(house)) == ("hold", ["answers-differ"])
    assert await _states(house, referral, letter) == {DutyState.OPEN}
    assert "DutyOwedAgain" in [entry.event for entry in await entries_named(house, "DutyOwedAgain")]
    (held,) = await waiting(house)
    await let_go(house, held)
    assert await _states(house, referral, letter) == {DutyState.MET}


def _held_not(house: House) -> bool:
    return not house.example("dsl-confirmation")["body"]["records_held"]


async def _states(house: House, referral: Any, letter: dict[str, Any]) -> set[DutyState]:
    owed = [duty for duty in await duties_of(house, referral) if duty.expects == "dsl-confirmation"]
    return {duty.state for duty in owed if duty.message == letter["id"]}


async def _mail_from_the_school(house: House, letter: dict[str, Any], **reading: Any) -> str:
    """A mail as the reader read it, settled by the action."""
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    raw = f"Subject: {letter['id']}\r\n\r\n{reading}\r\n".encode()
    await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    (kept,) = await house.parts.store.read(lambda tx: mail.unread(tx, 5))
    asked = Read(kept.id, "reply", ("reply",), row, None, {"flags": [], "suggested": {}, **reading})
    return await house.parts.perform(reply, asked, SOUTH_TYNESIDE, row.incident)


async def test_s2_22_a_mail_that_corrects_the_answer_on_record_opens_the_duty_again(house: House) -> None:
    referral, letters = await _sent_letters(house, "Elowen", "Jory")
    letter = letters["Jory"]
    await _mail_from_the_school(house, letter, flags=["correction"])
    assert await reasons(house) == ["reply"]  # nothing is on record yet
    await _confirm(house, letter)
    held = house.example("dsl-confirmation")["body"]["records_held"]
    await _mail_from_the_school(house, letter, suggested={"records_held": held})
    assert await _states(house, referral, letter) == {DutyState.MET}
    other = {"records_held": not held}
    await _mail_from_the_school(house, letter, suggested=other, flags=["auth_failed"])
    assert await _states(house, referral, letter) == {DutyState.MET}
    await _mail_from_the_school(house, letter, suggested=other, flags=["incomplete"])
    assert await _states(house, referral, letter) == {DutyState.OPEN}
    assert (await reasons(house)).count("answers-differ") == 2


async def test_s2_22_a_previous_school_of_the_directory_suggests_a_letter_there_once(house: House) -> None:
    """By its whole name, never one of several; held until an officer releases it; never to the school that answered."""
    _, letters = await _sent_letters(house, "Elowen", "Jory")
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letters["Jory"]["id"]))
    assert row is not None
    directory = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).directory
    dale = replace(
        directory.agencies[row.agency], id=AgencyId("dale"), name="St. Dale's School", code="100777"
    )
    twins = [replace(dale, id=AgencyId(f"twin-{n}"), name="Twin School", code=f"10088{n}") for n in (1, 2)]
    wider = replace(
        directory,
        agencies={**directory.agencies, **{school.id: school for school in (dale, *twins)}},
        seats={**directory.seats, Seat(dale.id, DSL): directory.seats[Seat(row.agency, DSL)]},
    )

    async def suggested(named: str | None) -> bool:
        def act(tx: Tx, parts: Parts, work: Work, letter: LetterRow) -> bool:
            return suggest_letter(tx, parts, replace(work, directory=wider), letter, named)

        return await house.parts.perform(act, row, SOUTH_TYNESIDE, row.incident)

    own = directory.agencies[row.agency].name
    assert [await suggested(name) for name in (None, "Nowhere School", "Twin School", own)] == [False] * 4
    assert [await suggested("St Dales school"), await suggested("St Dales school")] == [True, False]
    (held,) = await waiting(house)
    assert (held.subject_kind, {"awaits-release", "previous-school"} <= set(held.reasons)) == (
        "delivery",
        True,
    )
