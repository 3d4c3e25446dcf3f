"""What a message may say that it answers: only what its sender knows, of the same incident; and a letter that it was sent."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.actions.erase import Erasure, begin_erasure
from gateway.agency.client import AgencyProblem
from gateway.core.duties import DutyState
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.timetable import complete_erasure
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


async def test_only_a_message_of_the_same_incident_can_be_answered(house: House) -> None:
    """Foreign and unknown look the same, and no duty is met by either."""
    one, other = await refer(house), await refer(house)
    body = {"seat": "dsp-la", "decided_at": house.clock().isoformat()}
    said = []
    for answered in (other["id"], "msg-zklycewkdo64v6wcggzzui64ju"):
        with pytest.raises(AgencyProblem) as refused:
            await send(
                house, COUNCIL, "triage-decision", body, incident=one["incident"], in_reply_to=answered
            )
        said.append((refused.value.code, refused.value.errors))
    assert said[0] == said[1]
    assert said[0][1][0]["pointer"] == "/in_reply_to"
    assert {d.state for d in await duties_of(house, one)} == {DutyState.OPEN}


async def test_a_message_that_was_never_sent_to_an_agency_cannot_be_answered_by_it(house: House) -> None:
    referral = await refer(house)
    about = {"incident": referral["incident"]}
    request = await send(
        house, UNIT, "information-request", {"agencies": [POLICE, "northshire-hospitals"]}, **about
    )
    returned = await send(house, POLICE, "information-return", in_reply_to=request["id"], **about)
    with pytest.raises(AgencyProblem) as refused:
        await send(house, "northshire-hospitals", "information-return", in_reply_to=returned["id"], **about)
    assert refused.value.code == "invalid-message"


async def test_what_opens_an_incident_answers_nothing(house: House) -> None:
    earlier = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await refer(house, in_reply_to=earlier["id"])
    assert refused.value.code == "invalid-message"


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
