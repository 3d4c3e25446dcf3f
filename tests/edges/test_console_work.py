"""Work in the page: deliveries, duties, calls and the incident itself. Every button is an action with a receipt, done once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.console import keeping
from gateway.console.keeping import KeepingRead
from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, RoleId, Seat
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.core.retention import RetentionClass
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import deliveries, duties, holds, incidents, proposals
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx
from tests.actions.scene import (
    HOSPITALS,
    ICB,
    POLICE,
    UNIT,
    deliveries_of,
    duty_of,
    events_of,
    incident_of,
    refer,
    send,
)
from tests.edges.console_person import Browser, Page, signed_in
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = "Cuthbert Reed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("work")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def officer(house: House) -> AsyncIterator[Browser]:
    async with signed_in(house) as person:
        yield person


async def follow(officer: Browser, page: Page) -> Page:
    """Where a form led."""
    assert page.status == 303, page.words
    return await officer.get(page.headers["location"])


async def failed(house: House, *agencies: str) -> list[str]:
    """A referral whose deliveries to these agencies have failed; their ids."""
    referral = await refer(house)
    rows = [row for row in await deliveries_of(house, referral["id"]) if row.agency in agencies]

    def fail(tx: Tx) -> None:
        for row in rows:
            deliveries.change(
                tx, row.id, state=DeliveryState.FAILED_PARTNER.value, next_at=None, last_reason="dns"
            )

    await house.parts.store.transact(fail)
    return [str(row.id) for row in rows]


async def state_of(house: House, delivery: str) -> DeliveryState:
    row = await house.parts.store.read(lambda tx: deliveries.find(tx, DeliveryId(delivery)))
    assert row is not None
    return row.state


async def agreed(house: House, officer: Browser, asked: Page) -> Page:
    """Another officer agrees to what was asked last."""
    assert asked.headers["location"] == "/console/approvals?done=asked", asked.words
    now = house.clock()
    rows = await house.parts.store.read(lambda tx: proposals.waiting(tx, [SOUTH_TYNESIDE], now))
    (newest,) = rows
    own = await officer.get(f"/console/approvals/{newest.id}")
    assert "another officer must agree" in own.words
    assert not re.search("<dd>(msg|dty|brc)-", own.text), "an id alone says nobody what they agree to"
    async with signed_in(house, SECOND) as other:
        await other.get(f"/console/approvals/{newest.id}")
        return await other.send(f"/console/approvals/{newest.id}/agree")


# --- deliveries


async def test_a_failed_delivery_is_tried_again_once_and_says_why_it_failed(
    house: House, officer: Browser
) -> None:
    """S4-22: the list by partner and way in plain words; one click, one receipt."""
    (one,) = await failed(house, ICB)
    listed = await officer.get(f"/console/deliveries?agency={ICB}&way=inbox")
    assert f"/console/delivery/{one}" in listed.text
    assert "was not found on the network" in listed.words
    assert one not in (await officer.get(f"/console/deliveries?agency={POLICE}")).text
    assert (await officer.get("/console/deliveries?agency=nobody-we-know")).status == 404
    page = await officer.get(f"/console/delivery/{one}")
    assert "Failed at the recipient" in page.words
    await officer.send(f"/console/delivery/{one}/again")
    assert await state_of(house, one) in (DeliveryState.PENDING, DeliveryState.DELIVERED)
    await officer.get(f"/console/delivery/{one}")
    assert (await officer.send(f"/console/delivery/{one}/again")).status == 409, "it has not failed any more"


async def test_several_are_tried_again_at_once_and_what_cannot_be_is_counted(
    house: House, officer: Browser
) -> None:
    chosen = await failed(house, ICB, "south-tyneside-council")
    await officer.get("/console/deliveries")
    ticks = {f"again-{one}": "yes" for one in [*chosen, "dlv-unknown"]}
    told = await follow(officer, await officer.send("/console/deliveries/again", **ticks))
    assert f"{len(chosen)} tried again now. 1 could not be" in told.words
    assert DeliveryState.FAILED_PARTNER not in [await state_of(house, one) for one in chosen]
    await officer.get("/console/deliveries")
    assert (await officer.send("/console/deliveries/again")).status == 400


async def test_who_has_it_by_telephone_is_their_acknowledgement(house: House, officer: Browser) -> None:
    """S4-22, X-29: the receipt commits to the officer who took it down."""
    referral = await refer(house)
    row = next(row for row in await deliveries_of(house, referral["id"]) if row.agency == ICB)
    page = await officer.get(f"/console/delivery/{row.id}")
    assert "Telephone them" in page.words
    done = await officer.send(f"/console/delivery/{row.id}/told", name="Q. Placeholder")
    assert "Recorded: a person there has it." in (await follow(officer, done)).words
    after = await house.parts.store.read(lambda tx: deliveries.find(tx, row.id))
    assert after is not None
    assert after.acknowledged_by == "person"


# --- duties


async def the_duty(house: House, referral: Any, officer: Browser) -> tuple[DutyRow, str]:
    """The duty of the health board to decide, and its page, to which its incident's page leads."""
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    path = f"/console/incidents/{referral['incident']}/duties/{duty.id}"
    assert path in (await officer.get(f"/console/incidents/{referral['incident']}")).text
    return duty, path


async def now_of(house: House, referral: Any) -> DutyRow:
    return await duty_of(house, referral, "dsp-icb", "triage-decision")


async def test_a_partner_who_phones_decides_and_the_duty_is_met(house: House, officer: Browser) -> None:
    """S4-06, X-29: the decision is the partner's, taken down by an officer."""
    referral = await refer(house)
    _, path = await the_duty(house, referral, officer)
    page = await officer.get(path)
    assert "They tell you their decision" in page.words
    said = {"criteria_met": "no", "outcome": "no-further-action", "reasons": "Told by telephone."}
    who = {"decided_by": "Q. Placeholder", "post": "Director of Nursing"}
    assert (await officer.send(f"{path}/decided", **said, **who | {"post": ""})).status == 400
    told = await follow(officer, await officer.send(f"{path}/decided", **said, **who))
    assert "taken down by you" in told.words
    assert (await now_of(house, referral)).state is DutyState.MET
    assert (await officer.send(f"{path}/decided", **said, **who)).status == 409, "it is answered"


async def test_releasing_an_agency_waits_for_another_officer(house: House, officer: Browser) -> None:
    """S4-22: a waiver with its reason, by two."""
    referral = await refer(house)
    _, path = await the_duty(house, referral, officer)
    await officer.get(path)
    assert (await officer.send(f"{path}/waive", reason="")).status == 400
    asked = await officer.send(f"{path}/waive", reason="Answered in the meeting.")
    assert (await now_of(house, referral)).state is DutyState.OPEN
    assert (await agreed(house, officer, asked)).status == 303
    assert (await now_of(house, referral)).state is DutyState.WAIVED
    page = await officer.get(path)
    assert "Release them from it" not in page.words
    assert "Answered in the meeting." in (await officer.send(f"{path}/words")).words


async def test_more_time_is_given_until_a_day_and_hour_of_london(house: House, officer: Browser) -> None:
    """G-10: the first date stays with the duty; what is no day is refused."""
    referral = await refer(house)
    duty, path = await the_duty(house, referral, officer)
    assert "Give more time" in (await officer.get(path)).words
    until = (house.clock() + timedelta(days=9)).date().isoformat()
    why = {"reason": "The partner asked.", "until_at": "12:30"}
    assert (await officer.send(f"{path}/extend", until_on="soon", **why)).status == 400
    told = await follow(officer, await officer.send(f"{path}/extend", until_on=until, **why))
    assert "12:30pm" in told.words
    after = await now_of(house, referral)
    assert after.due_at is not None
    assert duty.due_at is not None
    assert after.due_at > duty.due_at


async def test_a_duty_of_another_incident_is_not_found(house: House, officer: Browser) -> None:
    one, other = await refer(house), await refer(house)
    duty = await now_of(house, one)
    assert (await officer.get(f"/console/incidents/{other['incident']}/duties/{duty.id}")).status == 404


async def test_s4_12_an_incident_says_how_many_of_the_returns_are_in(house: House, officer: Browser) -> None:
    """What is asked of several agencies stands as "1 of 3", which nobody has to count."""
    referral = await refer(house)
    path, about = f"/console/incidents/{referral['incident']}", {"incident": referral["incident"]}
    assert "Answers in None has been asked for yet" in (await officer.get(path)).words
    asked = {"agencies": [HOSPITALS, ICB, POLICE]}
    request = await send(house, UNIT, "information-request", asked, **about)
    await send(house, HOSPITALS, "information-return", in_reply_to=request["id"], **about)
    assert "Answers in 1 of 3 returns and confirmations" in (await officer.get(path)).words


# --- calls, and who is away


async def test_a_call_is_recorded_with_who_answered_and_one_that_reached_nobody_stays(
    house: House, officer: Browser
) -> None:
    """S4-22, X-29: whom to ring, what came of it, once; a slip loses nothing of what was typed."""
    referral = await refer(house)
    row = next(row for row in await deliveries_of(house, referral["id"]) if row.agency == ICB)
    hold = {
        "id": f"hld-{referral['incident']}",
        "partnership": SOUTH_TYNESIDE,
        "incident": referral["incident"],
        "subject_kind": "delivery",
        "subject": row.id,
        "reasons": ["telephone-them", "not-taken-up"],
        "held_at": house.clock(),
    }
    await house.parts.store.transact(lambda tx: holds.place(tx, hold))
    path = f"/console/calls/{hold['id']}"
    assert path in (await officer.get("/console/calls")).text
    page = await officer.get(path)
    assert "Henrietta Sorley" in page.words
    slip = await officer.send(path, outcome="told", name="", note="Rung twice.")
    assert (slip.status, "Say who answered" in slip.words) == (422, True)
    assert "Rung twice." in slip.text
    told = await follow(officer, await officer.send(path, outcome="not-reached", name="", note=""))
    assert "The call is still to be made." in told.words
    assert path in told.text
    page = await officer.get(path)
    token = {"form_token": page.hidden("form_token")}
    said = {"outcome": "has-it", "name": "Q. Placeholder", "note": ""}
    twice = [await officer.post(path, **token, **said) for _ in range(2)]
    assert [one.headers["location"] for one in twice] == ["/console/calls?done=has-it"] * 2
    after = await house.parts.store.read(lambda tx: deliveries.find(tx, row.id))
    assert after is not None
    assert after.acknowledged_by == "person"
    assert path not in (await officer.get("/console/calls")).text


async def test_somebody_is_noted_as_away_and_back_in_the_page(house: House, officer: Browser) -> None:
    """In every seat that they hold; days count whole, and a day that is none is asked for again."""
    path = f"/console/partners/{SOUTH_TYNESIDE}/{ICB}"

    async def is_away() -> bool:
        known = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).directory
        (holder,) = known.seats[Seat(AgencyId(ICB), RoleId("dsp-icb"))]
        return holder.is_absent(house.clock())

    page = await officer.get(path)
    person = re.search(r'value="(dsp-icb\.\d+)"', page.text)
    assert person is not None
    today = house.clock().date().isoformat()
    assert (await officer.send(f"{path}/absence", person="dsp-icb", first=today)).status == 400
    assert (await officer.send(f"{path}/absence", person=person[1], first="soon")).status == 400
    told = await follow(
        officer, await officer.send(f"{path}/absence", person=person[1], first=today, last=today)
    )
    assert "Noted as away" in told.words
    assert await is_away()
    told = await follow(officer, await officer.send(f"{path}/absence", person=person[1], back="yes"))
    assert "Noted as back." in told.words
    assert not await is_away()


# --- the incident itself


async def test_a_legal_hold_is_placed_by_one_and_lifted_by_two(house: House, officer: Browser) -> None:
    incident = (await refer(house))["incident"]
    path = f"/console/incidents/{incident}/change"
    assert "It cannot be closed yet" in (await officer.get(path)).words
    assert (await officer.send(f"{path}/legal-hold", reason="because")).status == 400
    told = await follow(officer, await officer.send(f"{path}/legal-hold", reason="inquiry"))
    assert "Nothing of it can be erased" in told.words
    asked = await officer.send(f"{path}/lift", reason="inquiry-closed")
    assert (await incident_of(house, {"incident": incident})).legal_hold
    assert (await agreed(house, officer, asked)).status == 303
    assert not (await incident_of(house, {"incident": incident})).legal_hold


async def test_g_12_what_is_kept_long_enough_is_listed_and_two_officers_erase_it_unless_a_hold_bars(
    house: House, officer: Browser
) -> None:
    """What comes due soon, what is over, which legal holds stand and why; the erasure waits for another officer."""
    kept, held = [IncidentId((await refer(house))["incident"]) for _ in range(2)]
    now = house.clock()
    values = {"state": "closed", "ended_at": now}
    for one in (kept, held):
        await house.parts.store.transact(
            lambda tx, one=one: incidents.change(tx, SOUTH_TYNESIDE, one, **values)  # type: ignore[misc]
        )
    await officer.get(f"/console/incidents/{held}/change")
    await officer.send(f"/console/incidents/{held}/change/legal-hold", reason="court-order")
    pack = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack
    years = next(rule.years for rule in pack.retention if rule.kind is RetentionClass.CASE)
    long = timedelta(days=366 * years)
    before = await keeping_at(house, now + long - timedelta(days=60))
    assert not [one for one in before.past if one.incident in (kept, held)]
    assert {kept, held} <= {one.incident for one in before.coming}
    after = await keeping_at(house, now + long)
    assert {one.incident: one.is_held for one in after.past if one.incident in (kept, held)} == {
        kept: False,
        held: True,
    }
    page = await officer.get("/console/retention")
    assert f"{held} Closed" in page.words
    assert "A court order" in page.words
    values = {"ended_at": now - long}
    await house.parts.store.transact(lambda tx: incidents.change(tx, SOUTH_TYNESIDE, kept, **values))
    page = await officer.get("/console/retention")
    assert re.search(rf"{kept} .* To be looked at", page.words)
    path = f"/console/incidents/{kept}/change"
    assert "Confirm its erasure" in (await officer.get(path)).words
    asked = await officer.send(f"{path}/erase", reason="Read through.")
    assert "Waits for a second officer" in (await officer.get("/console/retention")).words
    assert (await agreed(house, officer, asked)).status == 303
    assert (await incident_of(house, {"incident": kept})).state in ("erasing", "erased")


async def keeping_at(house: House, at: datetime) -> KeepingRead:
    pack = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack
    return await house.parts.store.read(lambda tx: keeping.read_at(tx, [pack], (SOUTH_TYNESIDE,), at))


async def test_a_message_is_taken_back_by_two(house: House, officer: Browser) -> None:
    """G-06."""
    referral = await refer(house)
    path = f"/console/incidents/{referral['incident']}/change"
    assert referral["id"] in (await officer.get(path)).text
    asked = await officer.send(f"{path}/recall", message=referral["id"], reason="Sent in error.")
    assert Event.RECALLED.text not in await events_of(house, referral["id"])
    assert (await agreed(house, officer, asked)).status == 303
    assert Event.RECALLED.text in await events_of(house, referral["id"])


async def test_closing_takes_one_or_two_officers_and_opening_again_one(
    house: House, officer: Browser
) -> None:
    """S0-01: closed when nothing is owed; that the law requires nothing takes a second officer."""
    referral = await refer(house)
    path = f"/console/incidents/{referral['incident']}/change"
    await house.parts.store.transact(lambda tx: settle_everything(tx, referral["incident"], house.clock()))
    assert "Nothing is owed, held or on its way." in (await officer.get(path)).words
    told = await follow(officer, await officer.send(f"{path}/close", reason="All is done."))
    assert "The incident is closed" in told.words
    again = await follow(officer, await officer.send(f"{path}/reopen", reason="New information."))
    assert "open again" in again.words
    because = {"answer": "not-required", "because": "No child was harmed."}
    asked = await officer.send(f"{path}/close", reason="All is done.", **because)
    assert (await incident_of(house, referral)).state == "open"
    assert (await agreed(house, officer, asked)).status == 303
    assert (await incident_of(house, referral)).state == "closed"


def settle_everything(tx: Tx, named: str, at: datetime) -> None:
    """As if all had answered and collected: what stands in the way of closing is not what is tried here."""
    incident = IncidentId(named)
    for duty in duties.of_incident(tx, SOUTH_TYNESIDE, incident):
        duties.change(tx, duty.id, state=DutyState.MET.value)
    deliveries.cancel_open(tx, SOUTH_TYNESIDE, incident, at)
    holds.settle_of_incident(tx, SOUTH_TYNESIDE, incident, at, "released")


# --- written down by telephone


async def test_a_referral_told_by_telephone_opens_an_incident_and_slips_come_back(
    house: House, officer: Browser
) -> None:
    """X-29: the form is that of the schema; nothing is guessed, and what was typed is not lost."""
    page = await officer.get("/console/referral")
    asked = set(re.findall(r'name="(body[^"~]+)', page.text))
    assert {"body.referral_kind", "body.incident.aware_at", "body.children.0.date_of_birth"} <= asked
    typed = {"reference": page.hidden("reference"), "agency": POLICE} | TOLD
    slip = await officer.send(
        "/console/referral", **typed | {"author.name": "", "body.incident.aware_at": ""}
    )
    assert slip.status == 422
    assert 'href="#author.name">Name: this is needed' in slip.text
    assert 'href="#body.incident.aware_at"' in slip.text
    assert "Fernsby" in slip.text
    later = (house.clock() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    slip = await officer.send("/console/referral", **typed | {"told_at": later})
    assert (slip.status, 'href="#told_at"' in slip.text) == (422, True)
    on_paper = (house.clock() - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")  # G-13: written in an outage
    done = await officer.send("/console/referral", **typed | {"told_at": on_paper})
    assert done.status == 303, re.findall(r'href="#([^"]+)">([^<]+)', done.text)
    incident = await officer.get(done.headers["location"])
    assert "Entered late: written" in incident.words
    assert "Referral of a potential serious incident or near miss from Northshire Police" in incident.words


TOLD = {
    "author.name": "Q. Placeholder",
    "author.post": "Sergeant",
    "lawful_basis": "legal-obligation",
    "body.referral_kind": "near-miss",
    "body.children.0.family_name": "Fernsby",
    "body.children.0.date_of_birth_status": "unknown",
    "body.children.0.nhs_number_absence": "not-available",
    "body.children.0.statuses~status-not-known": "yes",
    "body.incident.incident_at": "2026-11-01T16:00",
    "body.incident.aware_at": "2026-11-02T09:30",
    "body.incident.place.kind": "other",
    "body.incident.place.local_authority": "E08000023",
    "body.incident.place.outside_england": "no",
    "body.incident.nature": "near-miss",
    "body.incident.abuse_or_neglect": "none",
    "body.incident.description": "As told.",
    "body.incident.immediate_actions": "None yet.",
    "body.incident.media_interest": "none",
    "body.incident.police_investigation": "none",
}


async def test_an_answer_to_a_duty_is_written_down_in_its_own_form(house: House, officer: Browser) -> None:
    referral = await refer(house)
    _, path = await the_duty(house, referral, officer)
    page = await officer.get(f"{path}/answer")
    assert 'name="body.seat"' in page.text
    typed = {
        "reference": page.hidden("reference"),
        "author.name": "Q. Placeholder",
        "author.post": "Director of Nursing",
        "lawful_basis": "legal-obligation",
        "body.seat": "dsp-icb",
        "body.decided_by.name": "Q. Placeholder",
        "body.decided_by.post": "Director of Nursing",
        "body.criteria_met": "no",
        "body.outcome": "no-further-action",
        "body.reasons": "Told by telephone.",
        "body.decided_at": house.clock().strftime("%Y-%m-%dT%H:%M"),
        "body.means": "telephone",
    }
    assert "taken down by you" in (await follow(officer, await officer.send(f"{path}/answer", **typed))).words
    assert (await now_of(house, referral)).state is DutyState.MET


async def test_an_auditor_sees_the_work_and_can_do_none_of_it(house: House) -> None:
    referral = await refer(house)
    async with signed_in(house, "Ada Tally", [OfficerRole.AUDITOR]) as auditor:
        path = f"/console/incidents/{referral['incident']}/change"
        page = await auditor.get(path)
        assert page.status == 200
        assert "<button" not in page.text.split('id="main"')[1]
        assert (await auditor.send(f"{path}/recall")).status == 403
        assert (await auditor.get("/console/referral")).status == 403
