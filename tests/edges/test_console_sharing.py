"""Work lists across incidents: breaches of personal data, guests and transfers, pairs that may be the same child."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.core.permissions import OfficerRole
from gateway.store import breaches, incidents
from tests.actions.neighbours import FELLSIDE, FELLSIDE_COUNCIL, fellside_joins
from tests.actions.scene import COUNCIL, duty_of, incident_of, refer, send
from tests.actions.test_breach import with_officer
from tests.edges.console_person import Browser, signed_in
from tests.edges.test_console_work import agreed, follow
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
SURNAMES = ("Quillfeather", "Brambleton", "Oxtongue", "Merrivale", "Thistlewick")
NUMBERS = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("sharing")) as running:
        await fellside_joins(running)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def officer(house: House) -> AsyncIterator[Browser]:
    async with signed_in(house) as person:
        yield person


def child(house: House) -> dict[str, object]:
    """A referral about a child like no other here."""
    number = next(NUMBERS)
    one = house.example("referral")["body"]["children"][0] | {
        "family_name": SURNAMES[number],
        "other_names": [],
        "date_of_birth": f"20{number + 10}-0{number + 1}-1{number}",
        "nhs_number": None,
        "nhs_number_absence": "not-available",
    }
    return {"children": [one]}


async def listed(officer: Browser, figure: str, path: str) -> str:
    """The words of a list that has as many rows as its figure on the first page says."""
    today = (await officer.get("/console/")).text
    found = re.search(rf'href="/console{path}"><span class="count" data-figure="{figure}">(\d+)<', today)
    assert found is not None
    page = await officer.get(f"/console{path}")
    assert page.text.count('<th scope="row">') == int(found[1])
    return page.words


async def test_a_breach_is_recorded_in_the_page_and_its_72_hours_end_with_the_report(
    house: House, officer: Browser
) -> None:
    """K21: known since a day and hour of London; what the form lacks is asked for; a second sending records nothing more."""
    referral = await with_officer(house)
    incident = referral["incident"]
    path = f"/console/incidents/{incident}/breach"
    form = await officer.get(path)
    day = re.search(r'name="aware_on" value="([^"]+)"', form.text)
    assert day is not None
    said = {"aware_on": day[1], "aware_time": "00:00", "words": "The letter reached a neighbour."}
    assert (await officer.send(path, kind="", **said)).status == 400
    assert (await officer.send(path, kind="misdirected", **(said | {"aware_on": "soon"}))).status == 400
    token = {"form_token": form.hidden("form_token")}
    first, again = [await officer.post(path, kind="misdirected", **said, **token) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    told = await follow(officer, first)
    assert "The 72 hours to report it run" in told.words
    assert "neighbour" not in told.text
    assert incident in await listed(officer, "breaches", "/breaches")
    breach = first.headers["location"].partition("?")[0]
    assert (await officer.send(f"{breach}/reported", reference=" ")).status == 400
    done = await follow(officer, await officer.send(f"{breach}/reported", reference="IC-000000-X0X0"))
    assert "Closed: it was reported" in done.words
    assert incident not in await listed(officer, "breaches", "/breaches")
    assert incident in (await officer.get("/console/breaches?all=yes")).words
    duty = await duty_of(house, referral, "ig-officer", "breach-report")
    assert duty.state.value == "met"
    assert "It went to the wrong person" in (await officer.get(f"/console/incidents/{incident}")).words


async def test_that_a_breach_need_not_be_reported_two_officers_say(house: House, officer: Browser) -> None:
    referral = await with_officer(house)
    path = f"/console/incidents/{referral['incident']}/breach"
    await officer.get(path)
    said = {"aware_on": house.clock().date().isoformat(), "aware_time": "00:01", "words": "Unopened."}
    made = await officer.send(path, kind="lost", **said)
    breach = made.headers["location"].partition("?")[0]
    await officer.get(breach)
    asked = await officer.send(f"{breach}/not-reportable", reason="It came back sealed.")
    assert (await agreed(house, officer, asked)).status == 303
    row = await house.parts.store.read(
        lambda tx: breaches.find(tx, ["south-tyneside"], breach.rpartition("/")[2])
    )
    assert row is not None
    assert row.state == "not-reportable"


async def test_g_07_a_guest_who_has_opened_nothing_stands_in_the_list_until_they_do(
    house: House, officer: Browser
) -> None:
    referral = await refer(house, body=child(house))
    incident = referral["incident"]
    path = f"/console/incidents/{incident}/guests"
    await officer.get(path)
    assert (await officer.send(f"{path}/invited", agency=FELLSIDE_COUNCIL, reason="")).status == 400
    asked = await officer.send(f"{path}/invited", agency=FELLSIDE_COUNCIL, reason="The home council.")
    assert (await agreed(house, officer, asked)).status == 303
    assert "Fellside Council Guest" in (await officer.get(path)).words
    assert incident not in await listed(officer, "guests", "/guests")  # nothing was sent to it yet
    await send(house, COUNCIL, "sin-record", incident=incident, in_reply_to=None)
    assert "Guest: nothing opened yet" in await listed(officer, "guests", "/guests")
    async with house.client(FELLSIDE_COUNCIL) as guest:
        (item,) = [one for one in await guest.inbox() if one["incident"] == incident]
        await guest.fetch(item["id"])
    assert incident not in await listed(officer, "guests", "/guests")
    assert incident in (await officer.get("/console/guests?all=yes")).words
    await officer.get(path)
    asked = await officer.send(f"{path}/dismissed", agency=FELLSIDE_COUNCIL, reason="Another is responsible.")
    assert (await agreed(house, officer, asked)).status == 303
    assert incident not in (await officer.get("/console/guests?all=yes")).words


async def test_p_09_an_incident_is_handed_over_by_two_and_is_listed_until_somebody_takes_it_up(
    house: House, officer: Browser
) -> None:
    referral = await refer(house, body=child(house))
    incident = referral["incident"]
    path = f"/console/incidents/{incident}/guests"
    assert "Fellside" in (await officer.get(path)).words
    for wrong in ({"to": "nowhere"}, {"council": "Elsewhere Council", "taken_by": ""}):
        assert (await officer.send(f"{path}/handed-over", reason="It happened there.", **wrong)).status == 400
    asked = await officer.send(f"{path}/handed-over", to=FELLSIDE, reason="It happened there.")
    assert (await agreed(house, officer, asked)).status == 303
    moved = await incident_of(house, referral)
    assert (moved.state, moved.transferred_to is not None) == ("transferred", True)
    assert "Handed over: nobody has taken it up" in await listed(officer, "guests", "/guests")
    there = str(moved.transferred_to)
    assert await house.parts.store.read(lambda tx: incidents.partnership_of(tx, there)) == FELLSIDE  # type: ignore[arg-type]
    assert "Hand the incident over" not in (await officer.get(path)).words


async def test_p_05_a_council_elsewhere_takes_over_with_a_name(house: House, officer: Browser) -> None:
    referral = await refer(house, body=child(house))
    path = f"/console/incidents/{referral['incident']}/guests"
    await officer.get(path)
    said = {"council": "Elsewhere Council", "taken_by": "Q. Placeholder, head of service", "reason": "Moved."}
    asked = await officer.send(f"{path}/handed-over", to="", **said)
    assert (await agreed(house, officer, asked)).status == 303
    assert (await incident_of(house, referral)).transferred_to == "Elsewhere Council"


async def test_g_05_pairs_that_may_be_the_same_child_are_listed_until_an_officer_says(
    house: House, officer: Browser
) -> None:
    first, second = [(await refer(house))["incident"] for _ in range(2)]
    page = await listed(officer, "same_child", "/same-child")
    pair = f"{max(first, second)} : compare with {min(first, second)}"
    assert pair in page
    await officer.get(f"/console/incidents/{first}")
    assert (await officer.send(f"/console/incidents/{first}/told-apart/{second}")).status == 303
    assert pair not in await listed(officer, "same_child", "/same-child")


async def test_an_auditor_sees_these_lists_and_changes_nothing(house: House) -> None:
    referral = await refer(house, body=child(house))
    async with signed_in(house, "Audrey Tor", [OfficerRole.AUDITOR]) as auditor:
        for path in ("/guests", "/breaches", "/same-child", f"/incidents/{referral['incident']}/guests"):
            page = await auditor.get(f"/console{path}")
            assert page.status == 200
            assert "Ask a second officer" not in page.words
