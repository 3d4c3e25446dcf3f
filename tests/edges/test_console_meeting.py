"""The exceptional meeting in the page: notice, attendance, and three decisions in one record that meets all three duties."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.console.meeting import SEATS, Partner, notice_of, record_of, slips_of
from gateway.core.duties import DutyState
from gateway.core.errors import FieldError
from gateway.core.messages import AgencyId
from gateway.core.permissions import OfficerRole
from gateway.core.routing import Directory, Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import messages
from gateway.store.messages import MessageRow
from tests.actions.scene import ICB, POLICE, deliveries_of, duty_of, incident_of, refer
from tests.edges.console_person import Page, signed_in
from tests.gateway_house import House, gateway_house

in_one_house = pytest.mark.asyncio(loop_scope="module")
HELD = "2026-11-02T15:00"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("meeting")) as running:
        yield running


def typed(**changes: str) -> dict[str, str]:
    """The whole record as an officer types it; who was there is of the directory, and one more."""
    decisions = {
        f"{seat}.{name}": text
        for seat in SEATS
        for name, text in {
            "decided_by.name": "Q. Placeholder",
            "decided_by.post": "Director",
            "criteria_met": "no",
            "outcome": "no-further-action",
            "reasons": "As was said in the meeting.",
        }.items()
    }
    others = {"other.0.name": "Honora Sorley", "other.0.post": "Director of Nursing", "other.0.agency": ICB}
    whole = {"held_at": HELD, "decided_at": "2026-11-02T15:40", "means": "virtual", "note": "", **others}
    return {**whole, **decisions, **changes}


async def messages_of(house: House, referral: Any) -> list[MessageRow]:
    incident = (await incident_of(house, referral)).id
    return await house.parts.store.read(lambda tx: messages.of_incident(tx, SOUTH_TYNESIDE, incident))


def test_a_record_holds_whom_one_ticked_and_leaves_out_what_is_empty() -> None:
    """X-29: attendance and three decisions; nothing is guessed."""
    holder = Holder("Philippa Marlowe", None, None, 1)
    partner = Partner(SEATS[0], AgencyId("south-tyneside-council"), ((holder, False),))
    made = record_of(typed(**{f"present.{SEATS[0]}.1": "yes", "present.dsp-icb.1": "yes"}), [partner])
    assert [one["person"]["name"] for one in made["attendance"]] == ["Philippa Marlowe", "Honora Sorley"]
    assert [one["agency"] for one in made["attendance"]] == ["south-tyneside-council", ICB]
    assert [one["seat"] for one in made["decisions"]] == list(SEATS)
    assert made["held_at"] == "2026-11-02T15:00:00+00:00"
    assert "note" not in made
    empty = record_of({}, [partner])
    assert empty == {"decisions": [{"seat": seat, "decided_by": {}} for seat in SEATS]}
    assert notice_of({}, Directory.of(SOUTH_TYNESIDE, (), {}, {})) == {
        "meeting": "exceptional",
        "stage": "notice",
    }


def test_each_fault_finds_the_field_that_it_is_about() -> None:
    faults = {
        "/body/exceptional_meeting/held_at": "required",
        "/body/exceptional_meeting/decisions/1/decided_by/name": "required",
        "/body/exceptional_meeting/decisions/2/decided_by": "required",
        "/body/exceptional_meeting/attendance/0/person/post": "required",
        "/body/exceptional_meeting/decided_at": "before-meeting",
        "/body/chair/post": "required",
    }
    slips = slips_of([FieldError(pointer, code) for pointer, code in faults.items()], "record")
    assert slips == {
        "record.held_at": "When it began: this is needed",
        "record.dsp-icb.decided_by.name": slips["record.dsp-icb.decided_by.name"],
        "record.dsp-police.decided_by.name": slips["record.dsp-police.decided_by.name"],
        "record.attendance": "Who was there: this is needed",
        "record.decided_at": "When the three had decided: this is before the meeting began",
        "record.chair.post": "Chair: post: this is needed",
    }
    assert slips["record.dsp-icb.decided_by.name"].endswith("who decided: this is needed")


@in_one_house
async def test_s4_06_one_record_of_the_meeting_decides_for_all_three_and_a_double_click_does_it_once(
    house: House,
) -> None:
    """X-29, S4-06: notice to those invited, then attendance and three decisions; the receipt names the officer."""
    referral = await refer(house)
    path = f"/console/incidents/{referral['incident']}/meeting"
    async with signed_in(house) as officer:
        assert path in (await officer.get(f"/console/incidents/{referral['incident']}")).text
        page = await officer.get(path)
        assert "0 of 3 have decided" in page.words
        assert "S4-06" in page.words
        reference = reference_of(page)
        begins = (house.clock() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
        slip = await officer.send(f"{path}/notice", reference=f"{reference}-n", where="By video")
        assert (slip.status, slip.headers.get("location")) == (422, None)
        assert 'href="#notice.meeting_at">When it begins: this is needed' in slip.text
        assert 'value="By video"' in slip.text
        told = {"reference": f"{reference}-n", "meeting_at": begins, "means": "virtual", "where": "By video"}
        invited = {f"invited.{agency}": "yes" for agency in (POLICE, ICB)}
        assert (await officer.send(f"{path}/notice", **told, **invited)).status == 303
        page = await officer.get(path)
        assert begins in page.text, "the record begins with the time of the notice"
        (sent,) = [row for row in await messages_of(house, referral) if row.type == "meeting-notice"]
        assert {POLICE, ICB} <= {row.agency for row in await deliveries_of(house, sent.id)}

        ticked = {"present.dsp-la.1": "yes", "present.dsp-police.1": "yes"}
        slip = await officer.send(f"{path}/record", reference=f"{reference}-r", **typed(held_at="", **ticked))
        assert slip.status == 422
        assert 'href="#record.held_at"' in slip.text
        assert "As was said in the meeting." in slip.text
        token = {"form_token": slip.hidden("form_token"), "reference": f"{reference}-r"}
        twice = [await officer.post(f"{path}/record", **token, **typed(**ticked)) for _ in range(2)]
        assert [one.status for one in twice] == [303, 303], twice[0].words
        page = await officer.get(path)
        assert "No further action" in page.words
    records = [row for row in await messages_of(house, referral) if row.type == "triage-decision"]
    assert len(records) == 1
    assert records[0].in_reply_to == referral["id"]
    for seat in SEATS:
        duty = await duty_of(house, referral, seat, "triage-decision")
        assert (duty.state, duty.met_by) == (DutyState.MET, records[0].id)
    assert (await incident_of(house, referral)).outcomes[0]["outcome"] == "no-further-action"


@in_one_house
async def test_an_auditor_sees_the_meeting_and_writes_nothing_and_a_foreign_form_is_refused(
    house: House,
) -> None:
    referral = await refer(house)
    path = f"/console/incidents/{referral['incident']}/meeting"
    async with signed_in(house, "Ada Tally", [OfficerRole.AUDITOR]) as auditor:
        page = await auditor.get(path)
        assert "0 of 3 have decided" in page.words
        assert "<button" not in page.text.split('id="main"')[1]
    async with signed_in(house) as officer:
        await officer.get(path)
        assert (await officer.send(f"{path}/record", reference="mine", **typed())).status == 400
        assert (await officer.get("/console/incidents/SI-0000-0000-00/meeting")).status == 404


def reference_of(page: Page) -> str:
    (found,) = set(re.findall(r'name="reference" value="(meeting-[0-9a-f]+)-[nr]"', page.text))
    return str(found)
