"""A police or sub judice hold: what it stops, who places it, who lifts it (G-11); and notices without content (S0-30)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.actions.hold_disclosure import HoldLifting, PoliceHold, lift_police_hold, place_police_hold
from gateway.actions.second_officer import Answering, Asking, answer_asking, ask_second
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from tests.actions.arrangements import arrange
from tests.actions.scene import (
    UNIT,
    coarse_reason,
    decide_all,
    deliveries_of,
    entries_named,
    incident_of,
    let_go,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House

FIRST, SECOND = "Winifred Stave", "Desmond Quill"
SUB_JUDICE = {"parallel_processes": [{"process": "criminal-proceedings", "lead_agency": "Northshire Police"}]}
LIFTED = "proceedings-ended"


def told_by_police(house: House) -> dict[str, Any]:
    return {"incident": house.example("referral")["body"]["incident"] | SUB_JUDICE}


@contextmanager
def refused(told: str) -> Iterator[None]:
    with pytest.raises(Refused) as stopped:
        yield
    assert told in (stopped.value.detail or "")


async def place(house: House, incident: IncidentId) -> None:
    asked = PoliceHold(incident, FIRST, "criminal-proceedings")
    await house.parts.perform(place_police_hold, asked, SOUTH_TYNESIDE, incident)


async def test_g_11_no_letter_to_a_school_leaves_until_two_officers_have_lifted_the_hold(
    house: House,
) -> None:
    referral = await refer(house, body=told_by_police(house))
    incident = (await incident_of(house, referral)).id
    assert (await incident_of(house, referral)).police_hold == "police-hold", "the police said so themselves"
    await decide_all(house, referral)
    letters = [hold for hold in await waiting(house) if "awaits-release" in hold.reasons]
    assert letters
    assert all("police-hold" in hold.reasons for hold in letters)
    with refused("police hold"):
        await let_go(house, letters[0])
    alone = (incident, TwoOfficers(FIRST, SECOND), "The trial is over")
    with refused("is a code"):
        await house.parts.perform(lift_police_hold, HoldLifting(*alone), SOUTH_TYNESIDE, incident)
    asked = Asking(incident, "lift-police-hold", {"reason": LIFTED}, FIRST)
    proposal = await house.parts.perform(ask_second, asked, SOUTH_TYNESIDE, incident)
    with refused("second officer"):
        await house.parts.perform(answer_asking, Answering(proposal, FIRST), SOUTH_TYNESIDE, incident)
    await house.parts.perform(answer_asking, Answering(proposal, SECOND), SOUTH_TYNESIDE, incident)
    assert (await incident_of(house, referral)).police_hold is None
    await let_go(house, letters[0])
    (letter, *_) = await sent_by_the_house(house, referral, "dsl-letter")
    assert any(row.state is not DeliveryState.HELD for row in await deliveries_of(house, letter["id"]))
    placed, lifted = (
        await entries_named(house, "PoliceHoldPlaced"),
        await entries_named(house, "PoliceHoldLifted"),
    )
    assert [coarse_reason(one) for one in (*placed, *lifted)] == ["police-hold", LIFTED]


STOPPED = ('messages = ["dsl-letter", "learning-digest"]', 'messages = ["dsl-letter", "rapid-review-report"]')
BRIEFED = (
    '    "dsp-police",\n    { role = "agency-responder", whom = "acting" }',
    '    { role = "dsp-police", content = "notice" }',
)


async def report(house: House, referral: Any) -> Any:
    return await send(house, UNIT, "rapid-review-report", {"actions": []}, incident=referral["incident"])


async def test_g_11_what_the_rules_name_waits_and_what_they_do_not_name_goes(house: House) -> None:
    await arrange(house, "", STOPPED)
    referral = await refer(house)
    before = await report(house, referral)
    assert {row.state for row in await deliveries_of(house, before["id"])} == {DeliveryState.PENDING}
    await place(house, IncidentId(referral["incident"]))
    assert {row.state for row in await deliveries_of(house, before["id"])} == {DeliveryState.HELD}
    after = await report(house, referral)
    assert {row.state for row in await deliveries_of(house, after["id"])} == {DeliveryState.HELD}
    assert (await reasons(house)).count("police-hold") == 6
    assert DeliveryState.HELD not in {row.state for row in await deliveries_of(house, referral["id"])}
    with refused("already"):
        await place(house, IncidentId(referral["incident"]))


async def test_s0_30_an_elected_member_is_told_of_a_matter_and_reads_nothing_of_it(house: House) -> None:
    await arrange(house, "", BRIEFED)
    referral = await refer(house)
    sent = await report(house, referral)
    rows = {row.role: row for row in await deliveries_of(house, sent["id"])}
    assert {role: row.notice for role, row in rows.items()} == {
        "dsp-la": False,
        "dsp-icb": False,
        "dsp-police": True,
    }
    async with house.client(rows["dsp-police"].agency) as client:  # type: ignore[arg-type]
        told = await client.fetch(rows["dsp-police"].id)
    assert told["notice"]
    assert told["incident"] == referral["incident"]
    assert not {"content", "payload", "attachments", "receipt"} & told.keys()
    async with house.client(rows["dsp-la"].agency) as client:
        assert (await client.fetch(rows["dsp-la"].id))["content"]["body"]
