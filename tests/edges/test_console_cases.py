"""The console's list of incidents, search, today's stream and the evidence page: what is found, what is stated, what is not shown.

One deployment for the whole module: each test reads what is its own.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import pytest_asyncio

from gateway.actions.view import Viewing, view
from gateway.console.reading import MOST_TOLD
from gateway.core.messages import IncidentId
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import log
from tests.edges.console_person import Browser, signed_in
from tests.edges.test_console import COUNCIL, ICB, POLICE, decide, refer
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("cases")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def decided(house: House) -> str:
    """An incident on which all three have decided, a second that waits for them; made before any test moves the clock."""
    referral = await refer(house, "NP-decided")
    for agency, seat in ((POLICE, "dsp-police"), (COUNCIL, "dsp-la"), (ICB, "dsp-icb")):
        await decide(house, referral, agency, seat)
    await refer(house, "NP-waiting", children=[another(house)])
    return str(referral["incident"])


@pytest_asyncio.fixture(loop_scope="module")
async def officer(house: House) -> AsyncIterator[Browser]:
    async with signed_in(house) as person:
        yield person


def another(house: House) -> dict[str, Any]:
    child: dict[str, Any] = house.example("referral")["body"]["children"][0]
    nobody = {"nhs_number": None, "nhs_number_absence": "not-available", "other_names": []}
    return child | {"family_name": "Larkspur", "given_names": "Ivo", "date_of_birth": "2019-03-04"} | nobody


async def events(house: House, incident: str) -> list[str]:
    found = await house.parts.store.read(
        lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, IncidentId(incident))
    )
    return [entry.event for entry in found]


async def listed(officer: Browser, query: str) -> set[str]:
    page = await officer.get(f"/console/incidents?{query}")
    assert page.status == 200, query
    return set(
        re.findall(r'<th scope="row"><a class="reference" href="/console/incidents/(SI-[^"]+)"', page.text)
    )


# --- the list


async def test_filters_find_what_they_say_and_each_can_be_taken_away(decided: str, officer: Browser) -> None:
    everything = await listed(officer, "")
    assert decided in everything
    assert await listed(officer, "stage=triage") == everything - {decided}
    assert await listed(officer, "stage=notify") == everything
    assert await listed(officer, "stage=gathering") == set()
    assert await listed(officer, f"owed_by={ICB}") == everything - {decided}
    assert await listed(officer, "owed_by=harbour-view-primary") == set()
    label = re.search(
        r'<option value="([^"]+)">Serious incident<', (await officer.get("/console/incidents")).text
    )
    assert label is not None
    assert await listed(officer, f"label={label[1]}") == {decided}
    assert await listed(officer, "due_before=2026-11-02") == set()
    assert await listed(officer, "due=week") == everything
    assert await listed(officer, "state=closed") == set()
    page = await officer.get(f"/console/incidents?stage=notify&label={label[1]}")
    assert "Remove filter: National notification owed" in page.words
    assert f'href="/console/incidents?{urlencode({"label": label[1]})}"' in unescape(page.text)


@pytest.mark.parametrize(
    "query", ["stage=x", "state=x", "due=x", "sort=x", "due_before=yesterday", "after=2026~x", "after=x"]
)
async def test_an_address_that_is_none_of_ours_is_not_found(officer: Browser, query: str) -> None:
    assert (await officer.get(f"/console/incidents?{query}")).status == 404


async def test_a_saved_view_is_its_officer_s_own(house: House, decided: str, officer: Browser) -> None:
    await officer.get("/console/incidents?stage=notify")
    kept = await officer.send("/console/views", name="  To   notify ", stage="notify")
    assert kept.headers["location"] == "/console/incidents?stage=notify&done=kept"
    page = await officer.get("/console/incidents")
    assert 'href="/console/incidents?stage=notify">To notify</a>' in page.text
    async with signed_in(house, "Desmond Quill") as other:
        assert "To notify" not in (await other.get("/console/incidents")).words
    page = await officer.get("/console/incidents?stage=notify")
    removed = re.search(r'action="/console(/views/[^"]+/removed)"', page.text)
    assert removed is not None
    await officer.send(f"/console{removed[1]}")
    assert "To notify" not in (await officer.get("/console/incidents")).words
    await officer.get("/console/incidents?stage=notify")
    assert (await officer.send("/console/views", name=" ", stage="notify")).status == 400


async def test_an_auditor_sees_lists_and_takes_nothing_away(house: House, decided: str) -> None:
    async with signed_in(house, "Ada Ledger", [OfficerRole.AUDITOR]) as auditor:
        page = await auditor.get(f"/console/incidents/{decided}")
        assert page.status == 200
        for words in ("Open what it says", "Check the evidence", "Take it away"):
            assert words not in page.words
        assert "Search" not in (await auditor.get("/console/")).words
        assert (await auditor.send(f"/console/incidents/{decided}/evidence", content="yes")).status == 403


# --- search


async def test_a_child_is_found_by_number_or_name_and_the_search_is_on_record(
    house: House, decided: str, officer: Browser
) -> None:
    """Domain section 8: searches are receipted, with a reason; what was typed stands in no address and comes back on no page."""
    child = house.example("referral")["body"]["children"][0]
    born = dict(
        zip(("born_on_year", "born_on_month", "born_on_day"), child["date_of_birth"].split("-"), strict=True)
    )
    before = (await events(house, decided)).count(Event.INCIDENT_SEARCHED.text)
    for asked in ({"nhs_number": child["nhs_number"]}, {"family_name": child["family_name"], **born}):
        await officer.get("/console/search")
        page = await officer.send("/console/search/child", reason="duplicate-check", **asked)
        assert page.status == 200
        assert f'href="/console/incidents/{decided}"' in page.text
        assert not [typed for typed in asked.values() if len(typed) > 4 and typed in page.text]
    assert (await events(house, decided)).count(Event.INCIDENT_SEARCHED.text) == before + 2


@pytest.mark.parametrize(
    ("fields", "slip"),
    [
        ({"reason": "duplicate-check", "nhs_number": "999 123 4560"}, "This is no NHS number"),
        ({"reason": "duplicate-check", "family_name": "Testington"}, "Give an NHS number, or"),
        (
            {
                "reason": "duplicate-check",
                "family_name": "T",
                "born_on_day": "31",
                "born_on_month": "2",
                "born_on_year": "2011",
            },
            "This is no date",
        ),
        ({"reason": "", "nhs_number": "9990000018"}, "Say why you search"),
        ({"reason": "because", "nhs_number": "9990000018"}, "Say why you search"),
    ],
)
async def test_a_search_without_a_reason_or_a_child_is_none(
    officer: Browser, fields: dict[str, str], slip: str
) -> None:
    await officer.get("/console/search")
    page = await officer.send("/console/search/child", **fields)
    assert page.status == 422
    assert "There is a problem" in page.words
    assert slip in page.words


async def test_a_reference_leads_to_its_incident_however_it_is_typed(decided: str, officer: Browser) -> None:
    await officer.get("/console/search")
    typed = decided.lower().replace("-", " ")
    page = await officer.send("/console/search/reference", reference=typed)
    assert page.headers["location"] == f"/console/incidents/{decided}"
    await officer.get("/console/search")
    assert (await officer.send("/console/search/reference", reference="SI-0000-0000-00")).status == 422


# --- today's stream


async def test_the_stream_tells_the_figures_of_today(house: House, decided: str, officer: Browser) -> None:
    answer = await officer.session.get(f"{house.base_url}/console/events")
    async with answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert await answer.content.readline() == b"retry: 10000\n"
        while not (line := await answer.content.readline()).startswith(b"data:"):
            pass
    assert b'"awaiting_triage":' in line


async def test_a_page_that_is_left_open_keeps_no_session_alive(house: House) -> None:
    async with signed_in(house, "Iris Longstay") as idle:
        for _ in range(4):
            house.clock.move_by(minutes=4)
            stream = await idle.session.get(f"{house.base_url}/console/events", allow_redirects=False)
            stream.close()
        assert (await idle.get("/console/")).status == 303


async def test_an_open_stream_does_not_keep_a_gateway_from_stopping(tmp_path: Path) -> None:
    """It ends as streams end, and is not cut off when the time to drain is over."""
    async with AsyncExitStack() as later:
        async with gateway_house(tmp_path, drain_seconds=60.0) as house:
            officer = await later.enter_async_context(signed_in(house))
            stream = await officer.session.get(f"{house.base_url}/console/events")
            assert await stream.content.readline() == b"retry: 10000\n"
        assert b"event: figures" in await stream.read()


# --- the incident


async def test_a_due_date_says_how_it_was_counted(decided: str, officer: Browser) -> None:
    """C-15, S4-03: five working days, the weekend passed over, by law."""
    page = await officer.get(f"/console/incidents/{decided}")
    assert "5 working days from 10am on Monday 2 November 2026, set by law (clock K12)" in page.words
    assert "Passed over: Saturday 7 November 2026, Sunday 8 November 2026." in page.words


async def test_steps_say_what_is_done_and_what_has_been_asked(decided: str, officer: Browser) -> None:
    page = await officer.get(f"/console/incidents/{decided}")
    assert "Decision of the partners 3 of 3 Completed" in page.words
    assert re.search(r"National notification 0 of 1, .*? Asked, nothing back yet", page.words)


async def test_evidence_is_checked_in_the_page_and_taken_away_with_a_receipt(
    house: House, decided: str, officer: Browser
) -> None:
    await officer.get(f"/console/incidents/{decided}")
    checked = await officer.send(f"/console/incidents/{decided}/evidence/check")
    assert "The evidence holds" in checked.words
    assert "Every message and file is the one that its receipt commits to." in checked.words
    before = (await events(house, decided)).count(Event.EVIDENCE_EXPORTED.text)
    await officer.get(f"/console/incidents/{decided}")
    taken = await officer.session.post(
        f"{house.base_url}/console/incidents/{decided}/evidence",
        data={"form_token": officer.last.hidden("form_token"), "content": "no"},  # type: ignore[union-attr]
    )
    async with taken:
        assert f'filename="evidence-{decided}-without-content.zip"' in taken.headers["Content-Disposition"]
        names = zipfile.ZipFile(io.BytesIO(await taken.read())).namelist()
    assert not [name for name in names if name.startswith("payloads/")]
    assert (await events(house, decided)).count(Event.EVIDENCE_EXPORTED.text) == before + 1


async def test_a_long_timeline_goes_on_page_by_page(house: House, decided: str, officer: Browser) -> None:
    incident = IncidentId(decided)
    for _ in range(MOST_TOLD):
        house.clock.move_by(seconds=7)
        asked = Viewing("W. Stave", SOUTH_TYNESIDE, incident)
        await house.parts.perform(view, asked, SOUTH_TYNESIDE, incident)
    newest = await officer.get(f"/console/incidents/{decided}")
    assert "Decision reached" not in newest.words
    link = re.search(r'rel="next" href="([^"]+)"', newest.text)
    assert link is not None
    older = await officer.get(urlsplit(unescape(link[1])).path + "?" + urlsplit(unescape(link[1])).query)
    assert "Back to the newest" in older.words
    assert "Decision reached" in older.words
