"""The audit in the console: what people did is told with their names, reads among it, to managers and auditors alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.actions.activate_pack import Activation, activate_pack
from gateway.actions.settle import settle
from gateway.console.audit import KINDS
from gateway.console.search import REASONS
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.permissions import OfficerRole
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import packs
from gateway.store import log
from tests.edges.console_person import OFFICER, signed_in
from tests.edges.test_console import refer
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
AUDITOR = "Ottoline Fairweather"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("audit")) as running:
        yield running


async def test_who_opened_what_is_told_with_the_name_and_what_was_searched_with_the_reason(
    house: House,
) -> None:
    """Domain section 8: audit of every access, reads too."""
    referral = await refer(house, "NP-audited")
    async with signed_in(house) as person:
        await person.get(f"/console/incidents/{referral['incident']}")
        await person.get("/console/search")
        await person.send("/console/search/child", nhs_number="9990000018", reason=REASONS[0][0])
        await person.get("/console/reports/alerts")
        taken = {"partnership": SOUTH_TYNESIDE, "form": "csv", "why": "inspection"}
        await person.send("/console/reports/alerts/taken", **taken)
    async with signed_in(house, AUDITOR, [OfficerRole.AUDITOR]) as auditor:
        opened = await auditor.get("/console/audit?kind=opened")
        assert f"{OFFICER} Incident viewed" in opened.words
        assert referral["incident"] in opened.words
        assert f"{OFFICER} Register exported" in (await auditor.get("/console/audit?kind=taken-out")).words
        assert f"{OFFICER} Incident searched" in (await auditor.get("/console/audit?kind=searched")).words
        by_another = await auditor.get(f"/console/audit?officer={AUDITOR.replace(' ', '+')}")
        assert "Incident viewed" not in by_another.words
        child = house.example("referral")["body"]["children"][0]["family_name"]
        assert child not in opened.words


async def test_rules_put_in_force_are_told_with_both_officers(house: House) -> None:
    files = packs.read_files(packs.HERE / "south-tyneside")
    files["rules.toml"] = files["rules.toml"].replace('version = "2026.1"', 'version = "2026.1-again"', 1)
    asked = Activation(SOUTH_TYNESIDE, files, TwoOfficers(OFFICER, "Caspian Reed"))
    await settle(house.parts, activate_pack, asked)
    async with signed_in(house) as person:
        page = await person.get("/console/audit?kind=rules")
        assert f"{OFFICER} and Caspian Reed Pack activated" in page.words


async def test_of_an_erased_incident_it_is_told_what_was_done_and_no_longer_by_whom(house: House) -> None:
    referral = await refer(house, "NP-to-erase")
    incident = IncidentId(referral["incident"])
    async with signed_in(house) as person:
        await person.get(f"/console/incidents/{incident}")
        path = f"/console/audit?kind=opened&incident={incident}"
        assert f"{OFFICER} Incident viewed" in (await person.get(path)).words
        await house.parts.store.transact(lambda tx: log.forget_disclosures(tx, SOUTH_TYNESIDE, incident))
        after = await person.get(path)
        assert "Incident viewed" in after.words
        assert f"{OFFICER} Incident viewed" not in after.words


async def test_filters_that_there_are_not_are_not_found_and_every_kind_opens(house: House) -> None:
    async with signed_in(house) as person:
        for kind in KINDS:
            assert (await person.get(f"/console/audit?kind={kind}")).status == 200, kind
        for query in ("kind=none", "since=never", "until=9999-12-31", "after=x"):
            assert (await person.get(f"/console/audit?{query}")).status == 404, query


async def test_an_officer_of_the_daily_work_is_not_shown_who_did_what(house: House) -> None:
    async with signed_in(house, "Daily Worker", [OfficerRole.OFFICER]) as person:
        assert (await person.get("/console/audit")).status == 403
