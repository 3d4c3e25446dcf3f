"""Whom a message says not to contact gets nothing of the incident, by whatever the gateway sends (G-08): one place decides.

The whole of an incident is played with one seat avoided: requests, letters, chases, a correction, a recall and a guest.
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.messages import AgencyId, IncidentId, RoleId
from gateway.core.routing import Holder
from gateway.core.rules import is_avoided
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import chase_due
from gateway.store import deliveries, messages
from gateway.store.deliveries import DeliveryRow
from tests.actions.arrangements import arrange
from tests.actions.neighbours import fellside_joins
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    SCHOOL,
    UNIT,
    decide,
    decide_all,
    hold_seat,
    let_go,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.actions.test_guests import invite, notify
from tests.actions.test_letters import URN, pupils
from tests.actions.test_recall import carry_all, correct, take_back
from tests.gateway_house import House

AVOIDED = {
    "a seat": {"agency": ICB, "role": "dsp-icb"},
    "an agency": {"agency": HOSPITALS, "role": None},
    "a role": {"agency": None, "role": "agency-responder"},
    "a school's lead": {"agency": SCHOOL, "role": "dsl"},
    "a deputy of the owner's": {"agency": COUNCIL, "role": "assistant-director"},
    "who stands in": {"agency": POLICE, "role": "line-manager"},
}
STANDING_IN = """
[[deputy]]
role = "dsp-la"
by = ["assistant-director"]

[[deputy]]
role = "agency-responder"
by = ["line-manager"]
"""
LEARNING = """
[[route]]
id = "digest"
message = "learning-digest"
from = ["business-unit"]
deliver = [
    "dsp-icb",
    { role = "assistant-director", whom = "involved" },
    { role = "agency-responder", whom = "involved" },
    { role = "dsl", whom = "involved" },
]
clause = "S3-15"
"""
OTHER_SCHOOL, OTHER_URN = "cliffside-secondary", "999902"


async def with_deputies(house: House) -> None:
    """Learning goes to many seats; the council's partner has a deputy at work, the responder of the police is away."""
    now = house.clock()
    await arrange(house, STANDING_IN + LEARNING)
    for agency, role in ((COUNCIL, "assistant-director"), (POLICE, "line-manager")):
        await hold_seat(house, agency, role, (Holder("Invented Deputy", None, None, 0),))
    away = Holder("Invented Holder", None, None, 0, absent_from=now)
    await hold_seat(house, POLICE, "agency-responder", (away,))


async def everything_sent(house: House, incident: str) -> list[DeliveryRow]:
    rows = await house.parts.store.read(lambda tx: deliveries.every(tx, SOUTH_TYNESIDE))
    return [row for row in rows if row.incident == incident]


@pytest.mark.parametrize("whom", AVOIDED.values(), ids=AVOIDED.keys())
async def test_g_08_whoever_must_not_be_contacted_gets_nothing_by_any_way(
    house: House, whom: dict[str, Any]
) -> None:
    await fellside_joins(house)
    await with_deputies(house)
    concern = whom | {"person": None, "reason": "The concern is about this post."}
    referral = await refer(house, do_not_contact=[concern])
    about = referral["incident"]
    body = {"agencies": [HOSPITALS, POLICE, ICB]}
    await send(house, UNIT, "information-request", body, incident=about)
    await decide_all(house, referral)
    for hold in await waiting(house):
        if hold.subject_kind == "delivery":
            await let_go(house, hold)
    await notify(house, referral)
    await invite(house, referral)
    here = {"partnership": SOUTH_TYNESIDE, "incident": about, "in_reply_to": None}
    await send(house, UNIT, "learning-digest", **here)
    await carry_all(house)
    await correct(house, referral, "correct", UNIT, statement="The period begins in 2024.")
    await take_back(house, referral)
    house.clock.move_by(days=14)
    await chase_due(house.parts, frozenset())
    sent = await everything_sent(house, about)
    avoided = await house.parts.store.read(lambda tx: messages.avoided(tx, SOUTH_TYNESIDE, IncidentId(about)))
    assert len({row.message_type for row in sent}) >= 7
    reached = {(row.agency, row.role) for row in sent}
    for agency, role in ((COUNCIL, "assistant-director"), (POLICE, "line-manager")):
        assert ((agency, role) in reached) is not is_avoided(avoided, AgencyId(agency), RoleId(role))
    assert not [row for row in sent if is_avoided(avoided, row.agency, row.role)]


async def test_g_08_what_is_said_later_binds_from_then_on(house: House) -> None:
    referral = await refer(house)
    concern = {"agency": ICB, "role": None, "person": None, "reason": "The concern is about this post."}
    await decide(house, referral, "dsp-police", do_not_contact=[concern])
    before = {row.id for row in await everything_sent(house, referral["incident"])}
    await notify(house, referral)
    house.clock.move_by(days=14)
    await chase_due(house.parts, frozenset())
    later = [row for row in await everything_sent(house, referral["incident"]) if row.id not in before]
    assert later
    assert ICB not in {row.agency for row in later}


async def test_g_08_whom_a_partner_excludes_is_an_officers_question_at_once(house: House) -> None:
    """One agency's word could else cut another off from a child's matter, and nobody would look."""
    referral = await refer(house)
    concern = {"agency": ICB, "role": None, "person": None, "reason": "Invented."}
    said = await send(house, POLICE, "call-log", incident=referral["incident"], do_not_contact=[concern])
    (held,) = [one for one in await waiting(house) if one.subject == said["id"]]
    assert (said["decision"], held.reasons) == ("forward", ("excludes-recipients",))
    await let_go(house, held)
    assert said["id"] not in [one.subject for one in await waiting(house)]


async def test_s2_26_siblings_at_two_schools_each_school_sees_its_own_pupil_alone(house: House) -> None:
    elder = {"given_names": "Jory", "nhs_number": "9990000026", "school_urn": OTHER_URN}
    referral = await refer(house, body=pupils(house, {}, elder))
    await decide_all(house, referral)
    letters = await sent_by_the_house(house, referral, "dsl-letter")
    assert {(x["body"]["school_urn"], x["body"]["child_name"]) for x in letters} == {
        (URN, "Elowen Mae Testington"),
        (OTHER_URN, "Jory Testington"),
    }
    for hold in await waiting(house):
        await let_go(house, hold)
    await carry_all(house)
    for school, urn, stranger in ((SCHOOL, URN, "Jory"), (OTHER_SCHOOL, OTHER_URN, "Elowen")):
        async with house.client(school) as client:
            (item,) = [one for one in await client.inbox() if one["type"] == "dsl-letter"]
            shown = await client.fetch(item["id"])
        assert shown["content"]["body"]["school_urn"] == urn
        assert stranger not in str(shown)
