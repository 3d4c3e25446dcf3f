"""Letters to schools in the page: sent again to whoever is enrolled then, or written to another school; held until a person looked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.core.deliveries import DeliveryState
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.core.routing import Holder
from gateway.store import deliveries, log
from gateway.store.transaction import Tx
from tests.actions.scene import (
    SCHOOL,
    deliveries_of,
    duties_of,
    hold_seat,
    letter_to_the_school,
    reach_by,
    refer,
)
from tests.edges.console_person import signed_in
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHER_SCHOOL = "cliffside-secondary"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("letters")) as running:
        await running.gateway.dispatch.stop()
        yield running


async def owed(house: House, referral: Any) -> int:
    return sum(duty.expects == "dsl-confirmation" for duty in await duties_of(house, referral))


async def relayed(house: House, message: str) -> None:
    """As if the relay had taken every copy that was let go."""
    rows = [row for row in await deliveries_of(house, message) if row.state is DeliveryState.PENDING]

    def relay(tx: Tx) -> None:
        for row in rows:
            deliveries.change(tx, row.id, state=DeliveryState.RELAYED.value, next_at=None)

    await house.parts.store.transact(relay)


async def test_s2_22_a_letter_is_sent_again_under_the_same_guard_and_one_answer_stays_owed(
    house: House,
) -> None:
    await reach_by(house, SCHOOL, "mail")
    referral, letter = await letter_to_the_school(house)
    path = f"/console/incidents/{referral['incident']}/letters"
    assert await owed(house, referral) == 1
    async with signed_in(house) as officer:
        assert path in (await officer.get(f"/console/incidents/{referral['incident']}")).text
        page = await officer.get(path)
        assert letter.reference in page.words
        assert "Send it again" not in page.words, "it is on its way"
        (first,) = await deliveries_of(house, letter.message)
        assert (await officer.send(f"{path}/{first.id}/again")).status == 409
        await relayed(house, letter.message)
        await officer.get(f"/console/delivery/{first.id}")
        told = await officer.send(f"/console/delivery/{first.id}/told", name="Q. Placeholder")
        assert told.status == 303, "what went by e-mail is acknowledged by telephone too"
        await hold_seat(house, SCHOOL, "dsl", (Holder("Another Lead", "new@harbour-view.example", None, 1),))
        page = await officer.get(path)
        token = {"form_token": page.hidden("form_token")}
        twice = [await officer.post(f"{path}/{first.id}/again", **token) for _ in range(2)]
        assert [one.status for one in twice] == [303, 303], twice[0].words
        assert twice[0].headers["location"] == twice[1].headers["location"], "done once"
        held = await officer.get(twice[0].headers["location"])
        assert "it is to be sent again" in held.words
        assert "Tick what you answer for" in held.words, "the letter names another lead: the guard asks"
        release = f"{twice[0].headers['location']}/release"
        assert (await officer.send(release)).status == 409
        assert (await officer.send(release, **{"confirm-dsl-changed": "yes"})).status == 303
    copies = await deliveries_of(house, letter.message)
    assert sorted(one.state.value for one in copies) == ["pending", "relayed"]
    assert await owed(house, referral) == 1, "whichever copy is answered"
    rows = await house.parts.store.read(
        lambda tx: log.entries_of_chain(tx, letter.partnership, letter.message)
    )
    assert [row.event for row in rows].count(Event.HELD.text) == 2


async def test_s2_22_a_letter_to_another_school_is_drafted_once_and_leaves_only_when_released(
    house: House,
) -> None:
    referral, _ = await letter_to_the_school(house)
    path = f"/console/incidents/{referral['incident']}/letters"
    await reach_by(house, OTHER_SCHOOL, "mail")
    async with signed_in(house) as officer:
        page = await officer.get(path)
        name = house.example("referral")["body"]["children"][0]["family_name"]
        assert name not in page.words, "a name is content"
        opened = await officer.send(f"{path}/children")
        assert name in opened.words
        child = re.findall(r'<option value="(msg-[^"]+~0)"', opened.text)[0]
        bad = {"child": "msg-unknown~0", "school": OTHER_SCHOOL}
        assert (await officer.send(f"{path}/written", **bad)).status == 400
        assert (await officer.send(f"{path}/written", child=child, school="northshire-police")).status == 400
        assert (await officer.send(f"{path}/written", child=child, school=SCHOOL)).status == 409, "has one"
        done = await officer.send(f"{path}/written", child=child, school=OTHER_SCHOOL)
        assert done.status == 303, done.words
        held = await officer.get(done.headers["location"])
        assert "no decision named" in held.words
        shown = await officer.send(f"{done.headers['location']}/words")
        assert name in shown.words
        again = await officer.send(f"{path}/written", child=child, school=OTHER_SCHOOL)
        assert again.status == 409, "one letter per child and school"
        assert "Look at it: release or stop it" in (await officer.get(path)).words
    async with signed_in(house, "Ada Tally", [OfficerRole.AUDITOR]) as auditor:
        page = await auditor.get(path)
        assert "<button" not in page.text.split('id="main"')[1]


async def test_before_the_partners_decide_the_page_says_that_no_letter_was_written(house: House) -> None:
    referral = await refer(house)
    async with signed_in(house) as officer:
        page = await officer.get(f"/console/incidents/{referral['incident']}/letters")
        assert "No letter has been written." in page.words
