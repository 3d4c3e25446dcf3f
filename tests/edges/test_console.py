"""The console over HTTPS, as a browser without JavaScript: who is let in, what is shown, what an officer can do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.routing import Mount

from gateway.actions.extend import Extension, extend
from gateway.console.door import FORM_TOKEN
from gateway.console.sign_in import create_sign_in_link
from gateway.core.errors import Misconfigured
from gateway.core.messages import AgencyId, AgencyKind, IncidentId
from gateway.core.presence import Term
from gateway.core.receipts import Event
from gateway.core.routing import Agency
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.store import deliveries, directory, duties, holds, log, mail
from gateway.store.holds import HoldRow
from tests.actions.scene import waiting
from tests.edges.console_person import OFFICER, Browser, browser, signed_in
from tests.gateway_house import House, gateway_house

POLICE, ICB, COUNCIL = "northshire-police", "northshire-icb", "south-tyneside-council"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        yield running


@pytest.fixture
async def officer(house: House) -> AsyncIterator[Browser]:
    async with signed_in(house) as person:
        yield person


async def refer(house: House, reference: str = "NP-1", **body: Any) -> dict[str, Any]:
    async with house.client(POLICE) as police:
        answer: dict[str, Any] = await police.submit(house.example("referral", body, reference=reference))
    return answer


async def decide(house: House, referral: dict[str, Any], agency: str, seat: str) -> None:
    document = house.example(
        "triage-decision",
        {"seat": seat, "decided_at": house.clock().isoformat()},
        reference=f"decision-{seat}",
        incident=referral["incident"],
        in_reply_to=referral["id"],
    )
    async with house.client(agency) as partner:
        await partner.submit(document)


async def decided(house: House) -> dict[str, Any]:
    referral = await refer(house)
    for agency, seat in ((POLICE, "dsp-police"), (COUNCIL, "dsp-la"), (ICB, "dsp-icb")):
        await decide(house, referral, agency, seat)
    return referral


async def the_hold(house: House, kind: str) -> HoldRow:
    async with asyncio.timeout(20):
        while True:
            found = [h for h in await house.parts.store.read(holds.open_holds) if h.subject_kind == kind]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def viewings(house: House, incident: str) -> int:
    entries = await house.parts.store.read(
        lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, IncidentId(incident))
    )
    return sum(entry.event == Event.INCIDENT_VIEWED.text for entry in entries)


# --- signing in


async def test_a_link_signs_in_once(house: House) -> None:
    link = await create_sign_in_link(house.parts, OFFICER)
    async with browser(house) as first, browser(house) as second:
        assert (await first.get("/console")).headers["location"] == "/console/", "typed without the slash"
        assert (await first.sign_in(link)).headers["location"] == "/console/"
        assert OFFICER in (await first.get("/console/")).words
        refused = await second.sign_in(link)
        assert refused.status == 403
        assert "cannot be used" in refused.words
        assert (await second.get("/console/")).status == 303


async def test_looking_at_a_link_does_not_use_it_up(house: House) -> None:
    link = await create_sign_in_link(house.parts, OFFICER)
    async with browser(house) as preview, browser(house) as person:
        await preview.get(link.removeprefix(house.base_url))
        assert (await person.sign_in(link)).status == 303


async def test_a_link_lasts_fifteen_minutes(house: House) -> None:
    late = await create_sign_in_link(house.parts, OFFICER)
    house.clock.move_by(minutes=15)
    async with browser(house) as person:
        assert (await person.sign_in(late)).status == 403


async def test_a_session_ends_when_left_alone_and_at_the_latest_after_its_longest_life(house: House) -> None:
    async with browser(house) as person:
        await person.sign_in(await create_sign_in_link(house.parts, OFFICER))
        for _ in range(32):  # 32 times 14 minutes and a half: never idle for 15 minutes, yet near 8 hours
            house.clock.move_by(minutes=14.5)
            assert (await person.get("/console/")).status == 200
        house.clock.move_by(minutes=14.5)
        house.clock.move_by(minutes=2)
        assert (await person.get("/console/")).status == 303
    async with browser(house) as idle:
        await idle.sign_in(await create_sign_in_link(house.parts, OFFICER))
        house.clock.move_by(minutes=15)
        assert (await idle.get("/console/")).status == 303


async def test_signing_out_ends_the_session_itself(house: House, officer: Browser) -> None:
    await officer.get("/console/")
    kept = [(cookie.key, cookie.value) for cookie in officer.session.cookie_jar]
    assert (await officer.send("/console/sign-out")).headers["location"] == "/console/sign-in"
    officer.session.cookie_jar.update_cookies(dict(kept))
    assert (await officer.get("/console/")).status == 303


async def test_the_cookie_is_kept_to_this_host_from_scripts_and_other_sites(house: House) -> None:
    async with browser(house) as person:
        page = await person.sign_in(await create_sign_in_link(house.parts, OFFICER))
    name, _, rest = page.headers["set-cookie"].partition("=")
    attributes = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == "__Host-console"
    assert attributes == {"httponly", "path=/", "samesite=strict", "secure"}


async def test_production_makes_no_links(house: House) -> None:
    in_production = house.parts.settings.model_copy(update={"mode": "production"})
    parts = replace(house.parts, settings=in_production)
    with pytest.raises(Misconfigured, match="development"):
        await create_sign_in_link(parts, OFFICER)


# --- every page


async def test_pages_are_neither_stored_nor_framed_and_run_no_script_but_our_own_files(
    house: House, officer: Browser
) -> None:
    headers = (await officer.get("/console/")).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


async def test_every_page_has_its_landmarks_and_one_heading(house: House, officer: Browser) -> None:
    referral = await decided(house)
    hold = await the_hold(house, "delivery")
    paths = ["/", "/incidents", "/awaiting-triage", f"/incidents/{referral['incident']}", "/held"]
    paths += [
        f"/held/{hold.id}",
        "/deliveries",
        "/deliveries/pending",
        "/duties/overdue",
        "/duties/due-today",
    ]
    for path in [*paths, "/duties/unacknowledged", "/nothing-here"]:
        page = await officer.get("/console" + path)
        assert page.text.count("<h1") == 1, path
        assert '<html lang="en-GB" ' in page.text
        assert 'href="#main"' in page.text
        assert page.text.count("<main") == 1
        assert page.text.count("<table") == page.text.count("<caption"), path
        assert not re.findall(r"<th(?! scope=)[ >]", page.text), path
        assert not re.findall(r"<script(?! src=)", page.text), path
        assert not re.findall(r"\son\w+=|\sstyle=", page.text), path


async def test_what_is_unknown_is_a_page_of_its_own(house: House, officer: Browser) -> None:
    unknown = [
        "/incidents/SI-0000-0000-00",
        "/held/hld-x",
        "/duties/x",
        "/deliveries/x",
        "/incidents?after=x",
        "/x",
    ]
    for path in unknown:
        page = await officer.get("/console" + path)
        assert page.status == 404, path
        assert "Page not found" in page.words


async def test_a_form_without_its_token_changes_nothing(house: House, officer: Browser) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    for fields in ({}, {FORM_TOKEN: "0" * 64}):
        assert (await officer.post(f"/console/held/{hold.id}/release", **fields)).status == 403
    assert await the_hold(house, "delivery") == hold


async def test_a_form_of_another_site_is_refused_though_the_cookie_came(
    house: House, officer: Browser
) -> None:
    await officer.get("/console/")
    officer.session.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await officer.send("/console/sign-out")).status == 403


# --- what is shown


async def test_today_counts_what_waits_and_each_figure_leads_to_as_many_rows(house: House) -> None:
    await decided(house)
    await refer(house, "NP-2")
    await the_hold(house, "delivery")
    house.clock.move_by(days=4)
    async with signed_in(house) as officer:
        page = await officer.get("/console/")
        figures = {
            path: int(count)
            for path, count in re.findall(
                r'href="/console(/[^"]*)"><span class="count" data-figure="\w+">(\d+)</span>', page.text
            )
        }
        assert figures["/duties/overdue"] > 0
        assert figures["/awaiting-triage"] == 1
        assert figures["/held?kind=messages"] > 0
        for path, count in figures.items():
            listed = await officer.get("/console" + path)
            assert listed.text.count('<th scope="row">') == count, path


async def test_incidents_are_listed_soonest_due_first_in_pages(house: House) -> None:
    first = await refer(house)
    house.clock.move_by(days=1)
    for number in range(2, 28):
        await refer(house, f"NP-{number}")
    async with signed_in(house) as officer:
        page = await officer.get("/console/incidents")
        onward = re.search(r'rel="next" href="([^"]+)"', page.text)
        assert onward is not None
        rest = await officer.get(unescape(onward[1]))
    references = re.findall(r'href="/console/incidents/(SI-[^"]+)"', page.text + rest.text)
    assert references[0] == first["incident"]
    assert len(set(references)) == 27
    assert "25 shown of 27" in page.words
    assert "2 shown of 27" in rest.words
    assert 'rel="next"' not in rest.text


async def test_an_incident_says_who_has_decided_and_how_long_is_left(house: House, officer: Browser) -> None:
    referral = await refer(house)
    await decide(house, referral, POLICE, "dsp-police")
    await decide(house, referral, COUNCIL, "dsp-la")
    page = await officer.get(f"/console/incidents/{referral['incident']}")
    assert "2 of 3 have decided, ICB missing" in page.words
    assert "K11" in page.words
    assert "1 working day left" in page.words
    assert "5pm on Tuesday 3 November 2026" in page.words
    assert "the end of Monday 9 November 2026" in page.words
    assert Event.SUBMISSION_ACCEPTANCE.meaning in page.words


async def test_the_page_says_what_the_law_asks_by_the_facts_told(house: House, officer: Browser) -> None:
    """S2-01, P-05: who notifies whom by when; what is not known is for a person to settle."""
    async with house.client(POLICE) as police:
        document = house.example("referral", reference="NP-law")
        document["body"]["incident"] |= {"nature": "death", "abuse_or_neglect": "unknown"}
        incident = (await police.submit(document))["incident"]
    page = await officer.get(f"/console/incidents/{incident}")
    law = page.words.partition("What the law asks By the coded facts")[2].partition("Duties")[0]
    assert "A person decides" in law
    assert "abuse or neglect" in law
    assert "the national Panel" in law


async def test_a_moved_due_shows_what_it_was_and_lateness_without_a_reason_shows_too(
    house: House, officer: Browser
) -> None:
    """C-12, G-10, S4-22."""
    referral = await refer(house)
    rows = await house.parts.store.read(
        lambda tx: duties.of_incident(tx, SOUTH_TYNESIDE, IncidentId(referral["incident"]))
    )
    duty = next(row for row in rows if row.role == "dsp-icb")
    more = Extension(duty.id, house.clock() + timedelta(days=7), OFFICER, "Away.")
    await house.parts.perform(extend, more, duty.partnership, duty.incident)
    page = await officer.get(f"/console/incidents/{referral['incident']}")
    assert "Was 5pm on Tuesday 3 November 2026: An officer gave more time" in page.words
    assert "Reason missing" not in page.words
    await house.parts.store.transact(lambda tx: duties.change(tx, duty.id, state="missed"))
    page = await officer.get(f"/console/incidents/{referral['incident']}")
    assert "Reason missing" in page.words


async def test_opening_an_incident_and_each_message_leaves_an_entry(house: House, officer: Browser) -> None:
    referral = await refer(house)
    incident, message = referral["incident"], referral["id"]
    child = house.example("referral")["body"]["children"][0]["family_name"]
    page = await officer.get(f"/console/incidents/{incident}")
    assert child not in page.text
    assert await viewings(house, incident) == 1
    opened = await officer.send(f"/console/incidents/{incident}/messages/{message}")
    assert child in opened.words
    assert await viewings(house, incident) == 2
    await officer.get("/console/incidents")
    assert await viewings(house, incident) == 2


async def test_a_message_is_shown_only_under_its_own_incident(house: House, officer: Browser) -> None:
    one, other = await refer(house), await refer(house, "NP-2")
    await officer.get("/console/")
    page = await officer.send(f"/console/incidents/{other['incident']}/messages/{one['id']}")
    assert page.status == 404
    assert await viewings(house, other["incident"]) == 0


async def test_lists_and_addresses_name_no_person(house: House, officer: Browser) -> None:
    referral = await decided(house)
    await the_hold(house, "delivery")
    children = house.example("referral")["body"]["children"]
    names = {child[part] for child in children for part in ("given_names", "family_name", "nhs_number")}
    for path in ("/", "/incidents", f"/incidents/{referral['incident']}", "/held", "/deliveries/pending"):
        page = await officer.get("/console" + path)
        assert not [name for name in names if name and name in page.text], path
        assert OFFICER.split()[1] not in " ".join(re.findall(r'(?:href|action)="([^"]*)"', page.text))


async def test_hostile_names_stay_words(house: House) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x>"
    police = Agency(AgencyId(POLICE), AgencyKind.POLICE, hostile, None)
    await house.parts.store.transact(lambda tx: directory.enrol_agencies(tx, SOUTH_TYNESIDE, [police]))
    house.parts.partnerships.forget()
    referral = await refer(house)
    async with browser(house) as person:
        await person.sign_in(await create_sign_in_link(house.parts, hostile))
        page = await person.get(f"/console/incidents/{referral['incident']}")
    assert "<script" not in page.text
    assert "<img src=x" not in page.text
    assert page.text.count("&lt;script&gt;alert(1)") > 1


# --- what an officer does


async def test_a_letter_is_read_then_released_once(house: House, officer: Browser) -> None:
    referral = await decided(house)
    hold = await the_hold(house, "delivery")
    shown = await officer.get(f"/console/held/{hold.id}")
    assert "Private and confidential" not in shown.words
    before = await viewings(house, referral["incident"])
    words = await officer.send(f"/console/held/{hold.id}/words")
    assert "Private and confidential" in words.words
    assert await viewings(house, referral["incident"]) == before + 1
    first, second = await asyncio.gather(
        officer.send(f"/console/held/{hold.id}/release"), officer.send(f"/console/held/{hold.id}/release")
    )
    assert (first.status, second.status) == (303, 303), "a double click does it once and tells both the same"
    entries = await house.parts.store.read(
        lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, IncidentId(referral["incident"]))
    )
    assert sum(entry.event == Event.RELEASED.text for entry in entries) == 1
    assert first.headers["location"] == second.headers["location"]
    done = await officer.get(urlsplit(first.headers["location"]).path)
    assert hold.id not in done.text


async def test_what_stands_against_a_letter_is_ticked_before_it_goes(house: House, officer: Browser) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    last_year = Term("Long over", date(2020, 9, 1), date(2020, 12, 18))
    school = AgencyId("harbour-view-primary")
    await house.parts.store.transact(
        lambda tx: directory.replace_terms(tx, SOUTH_TYNESIDE, school, [last_year])
    )
    house.parts.partnerships.forget()
    assert "on holiday by its term dates" in (await officer.get(f"/console/held/{hold.id}")).words
    assert (await officer.send(f"/console/held/{hold.id}/release")).status == 409
    ticked = {"confirm-school-in-holiday": "yes"}
    assert (await officer.send(f"/console/held/{hold.id}/release", **ticked)).status == 303


async def test_stopping_a_letter_needs_a_reason_and_cancels_it(house: House, officer: Browser) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    await officer.get(f"/console/held/{hold.id}")
    assert (await officer.send(f"/console/held/{hold.id}/refuse", reason=" ")).status == 400
    assert (await officer.send(f"/console/held/{hold.id}/refuse", reason="Wrong school")).status == 303
    figures = await house.parts.store.read(deliveries.counts_by_state)
    assert figures["cancelled"] == 1
    assert "dealt with: refused" in (await officer.get(f"/console/held/{hold.id}")).words


async def test_a_held_reply_is_read_and_its_answer_recorded(house: House, officer: Browser) -> None:
    await decided(house)
    letter_hold = await the_hold(house, "delivery")
    await officer.get(f"/console/held/{letter_hold.id}")
    await officer.send(f"/console/held/{letter_hold.id}/release")
    delivery = await house.parts.store.read(lambda tx: deliveries.find(tx, letter_hold.subject))  # type: ignore[arg-type]
    assert delivery is not None
    letter = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, delivery.message))
    assert letter is not None
    raw = (
        f"From: dsl@harbour-view.example\r\nTo: letters@council.example\r\nSubject: Re: {letter.reference}\r\n\r\n"
        "He joined in September. <b>Please ring me.</b>\r\n"
    ).encode()
    to = f"letters+{letter.token}@council.example"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    hold = await the_hold(house, "mail")
    await officer.get(f"/console/held/{hold.id}")
    words = await officer.send(f"/console/held/{hold.id}/words")
    assert "&lt;b&gt;Please ring me.&lt;/b&gt;" in words.text
    answers = {"previous_school": "not_applicable", "records_held": "yes"}
    slip = await officer.send(
        f"/console/held/{hold.id}/answer", roll_from="never", roll_to="present", **answers
    )
    assert slip.status == 422
    assert "There is a problem" in slip.words
    assert 'value="never"' in slip.text
    assert '<a href="#roll_from">Write from when: a day, a month or a year' in slip.text
    answers["previous_school"] = "Not applicable"
    done = await officer.send(
        f"/console/held/{hold.id}/answer", roll_from="3/9/2025", roll_to="Present", **answers
    )
    assert done.headers["location"] == "/console/held?done=answered"
    assert "The answer is recorded" in (await officer.get("/console/held?done=answered")).words
    page = await officer.get(f"/console/incidents/{letter.incident}")
    assert "Confirmation by a designated safeguarding lead" in page.words


async def test_an_officer_sees_what_may_be_the_same_child_and_links_it_or_tells_it_apart(
    house: House, officer: Browser
) -> None:
    """G-05: on the page of either incident; a second click finds that it is done."""
    first, second, third = [(await refer(house, f"NP-{number}"))["incident"] for number in (1, 2, 3)]
    asked = await the_hold(house, "incident")
    page = await officer.get(f"/console/held/{asked.id}")
    assert "Compare it with" in page.words
    assert "Open what it says" not in page.words
    assert (await officer.send(f"/console/held/{asked.id}/release")).status == 409
    page = await officer.get(f"/console/incidents/{first}")
    assert f"{second} May be the same child" in page.words
    assert "The NHS number is the same" in page.words
    assert "Testington" not in page.text
    assert (await officer.send(f"/console/incidents/{first}/linked/{second}")).status == 303
    await officer.get("/console/")
    assert (await officer.send(f"/console/incidents/{first}/linked/{second}")).status == 409
    assert f"{first} Linked" in (await officer.get(f"/console/incidents/{second}")).words
    assert (await officer.send(f"/console/incidents/{first}/told-apart/{third}")).status == 303
    assert third not in (await officer.get(f"/console/incidents/{first}")).text
    assert (await officer.send(f"/console/incidents/{second}/unlinked/{first}")).status == 303
    assert f"Linked to {first}" not in (await officer.get(f"/console/incidents/{second}")).words
    assert (await officer.post(f"/console/incidents/{second}/linked/{third}")).status == 403, "no form token"
    unknown = await officer.send(f"/console/incidents/{second}/linked/SI-7K3M-9QPX-2D")
    assert unknown.status == 404


async def test_an_incident_lists_its_attachments_and_an_officer_lets_a_withheld_one_go(
    house: House, officer: Browser
) -> None:
    """Without a scanner, which development allows, every file waits for an officer."""
    async with house.client(POLICE) as police:
        kept = await police.attach(b"Ring me.", "text/plain")
        named = [{"id": kept["id"], "sha256": kept["sha256"]}]
        referral = await police.submit(house.example("referral", reference="NP-1", attachments=named))
    page = await officer.get(f"/console/incidents/{referral['incident']}")
    assert f"{kept['id']} Northshire Police TXT 1 KiB Withheld" in page.words
    (hold,) = [one for one in await waiting(house) if one.subject_kind == "attachment"]
    page = await officer.get(f"/console/held/{hold.id}")
    assert "An attachment that came, held" in page.words
    assert "no virus scanner is set up" in page.words
    assert "TXT, 1 KiB, from Northshire Police" in page.words
    assert (await officer.send(f"/console/held/{hold.id}/release")).status == 303
    page = await officer.get(f"/console/incidents/{referral['incident']}")
    assert "TXT 1 KiB Recipients may have it" in page.words


async def test_the_public_listener_and_the_console_serve_the_same_pages(house: House) -> None:
    mounts = [route for route in house.gateway.web.router.routes if isinstance(route, Mount)]
    assert [mount.path for mount in mounts] == ["/console"]
