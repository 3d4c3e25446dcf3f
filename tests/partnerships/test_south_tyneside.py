"""What South Tyneside's pack promises in words and no worked example can show."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.core.clocks import due
from gateway.core.messages import PartnershipId
from gateway.partnerships import packs
from gateway.partnerships.calendars import load_calendar
from gateway.partnerships.clock_tables import load_clock_table
from tests.schemas import ABSENT, changed, faults

PACK = "south-tyneside"
ROOT = Path(__file__).resolve().parents[2]
ENDORSEMENT = "/body/safeguarding_lead_endorsement"


def test_a_school_asked_for_an_answer_is_never_late() -> None:
    """B13, X-08: "without delay" names no number of days, so the duty only ages."""
    (clock,) = [clock for clock in load_clock_table(PACK).clocks.values() if clock.id == "B13"]
    answer = due(clock, datetime(2026, 11, 23, 10, 0, tzinfo=UTC), load_calendar(PACK))
    assert (answer.due_on, answer.due_at, clock.statutory) == (None, None, False)


def test_a_referral_never_waits_for_the_agency_s_own_safeguarding_lead() -> None:
    """S4-11: the lead's endorsement is taken when there is one, and its absence stops nothing."""
    assert faults(changed("referral", {ENDORSEMENT: ABSENT})) == []
    assert faults(changed("referral", {ENDORSEMENT: None})) == []
    half = {"endorsed_by": {"name": "Tobias Greengrass", "post": "Force safeguarding lead"}}
    assert faults(changed("referral", {ENDORSEMENT: half})) == [(f"{ENDORSEMENT}/endorsed_at", "required")]


def test_a_management_review_asks_for_facts_and_learning_and_never_for_blame() -> None:
    """S4-17: the published form's own words; the analysis holds good practice beside missed opportunities."""
    schema = json.loads((ROOT / "schemas/v1/imr.schema.json").read_text("utf-8"))
    entry = schema["$defs"]["ChronologyEntry"]["properties"]
    assert "in facts" in entry["event"]["description"]
    assert set(schema["$defs"]["Analysis"]["required"]) == {
        "key_decisions",
        "actions",
        "missed_opportunities",
        "good_practice",
    }
    assert not [name for name in re.findall(r'"([a-z_]+)": \{', json.dumps(schema)) if "blame" in name]


@pytest.mark.parametrize("slug", ["information-request", "information-return"])
def test_every_request_and_return_says_on_what_legal_ground_and_consent_is_not_taken_for_granted(
    slug: str,
) -> None:
    """S4-18: the lawful basis is demanded, and has no default."""
    assert faults(changed(slug, {"/lawful_basis": ABSENT})) == [("/lawful_basis", "required")]


def test_a_return_tells_involvement_actions_and_learning() -> None:
    """S4-20: three sections, each of its own."""
    schema = json.loads((ROOT / "schemas/v1/information-return.schema.json").read_text("utf-8"))
    names = set(re.findall(r'"([a-z_]+)": \{', json.dumps(schema)))
    assert {"involvement", "actions", "learning"} <= names


def test_the_partners_are_three_and_each_seat_has_a_deputy_s_place() -> None:
    """S4-05, X-14: who decides, and how many must, is data of the pack; the directory holds holder and deputies by rank."""
    pack = packs.shipped(PACK)
    triage = next(decision for decision in pack.decisions if decision.id == "triage")
    assert (triage.seats, triage.lead, triage.quorum) == (("dsp-la", "dsp-icb", "dsp-police"), "dsp-la", None)
    shorter = packs.read_files(packs.HERE / PACK)
    shorter["rules.toml"] = shorter["rules.toml"].replace(
        'lead = "dsp-la"\ncode = "outcome"', 'lead = "dsp-la"\nquorum = 2\ncode = "outcome"'
    )
    changed_pack = packs.parse(PartnershipId(PACK), shorter)
    assert next(decision for decision in changed_pack.decisions if decision.id == "triage").quorum == 2


def test_what_the_gateway_takes_of_a_notification_is_the_record_of_it() -> None:
    """S4-08, X-19: the council submits in the national system, whatever that is called; name, reference and time are on record."""
    assert faults(changed("sin-record", {"/body/submitted_at": ABSENT})) == [
        ("/body/submitted_at", "required")
    ]
    assert faults(changed("sin-record", {"/body/national_system": "Whatever it is called by then"})) == []
    route = next(route for route in packs.shipped(PACK).routes if route.message == "sin-record")
    assert {kind.value for kind in route.senders} == {"local-authority"}
