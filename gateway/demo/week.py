"""A week's work for whoever looks at the console after the demonstration: live incidents that stand at different points.

Everything goes through the partners' own clients, at the days on which it is said to have happened: one decided, with letters that wait
for a person and agencies that were asked; one whose school answered in a way that a person must read; one that a partner has not
decided on in time; one new; and one that may be about a child who is known already. Nobody in it exists.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from typing import Any

from gateway.actions.change_officer import NewOfficer, Turn, add_officer, put_on_call
from gateway.actions.prove import Occasion
from gateway.actions.record_breach import Breach, BreachKind, record_breach
from gateway.core.messages import IncidentId
from gateway.core.permissions import OfficerRole
from gateway.demo import invented
from gateway.demo.partnership import BUSINESS_UNIT, COUNCIL, HOSPITALS, ICB, POLICE, SOUTH_TYNESIDE
from gateway.demo.story import OFFICER, PATIENCE_SECONDS, Cast, held_mail, reply
from gateway.parts import Supply
from gateway.store.transaction import Tx

DECIDERS = (
    (COUNCIL, "dsp-la", ("Philippa Marlowe", "Director of Children's Services")),
    (POLICE, "dsp-police", ("Alasdair Holt", "Chief Superintendent")),
    (ICB, "dsp-icb", ("Imelda Farrow", "Chief Nurse")),
)
AGREES = "Desmond Quill"  # whoever looks signs in as him too, to agree to what the other asks
PEOPLE = (
    ("Mona Ager", OfficerRole.MANAGER, "m.ager@council.example"),
    (AGREES, OfficerRole.OFFICER, "d.quill@council.example"),
    ("Audrey Tor", OfficerRole.AUDITOR, None),
    ("Ada Minton", OfficerRole.ADMINISTRATOR, None),
)
SECOND = "Caspian Reed"
KNOWN = ("Peregrine", "Placeholder", "2019-09-09")


async def leave_a_week(cast: Cast, real: datetime) -> list[str]:
    """Play the last days up to now; the incidents' ids, the newest last."""
    earliest, middle, yesterday = _mornings(real, 3)
    cast.stage.clock.move_to(max(earliest, cast.now))
    decided = await _decided(cast)
    unclear = await _answered_unclearly(cast)
    cast.stage.clock.move_to(max(middle, cast.now))
    late = await _refer(cast, POLICE, "NP-WEEK-2", ("Isolde", "Quillfeather", "2013-02-11"))
    await _decide(cast, late, DECIDERS[0])
    cast.stage.clock.move_to(max(yesterday, cast.now))
    fresh = await _refer(cast, HOSPITALS, "NSH-WEEK-3", ("Barnaby", "Oxtongue", "2021-06-30"))
    await _went_astray(cast, decided)
    cast.stage.clock.move_to(real)
    await _unit(cast, real)
    again = await _refer(cast, HOSPITALS, "NSH-WEEK-4", KNOWN)
    found = [str(each["incident"]) for each in (decided, unclear, late, fresh, again)]
    cast.done(f"A week's work is left to look at in the console: incidents {', '.join(found)}")
    return found


async def _decided(cast: Cast) -> dict[str, Any]:
    """All three decided; two agencies asked, one answered."""
    referral = await _refer(cast, POLICE, "NP-WEEK-1", KNOWN)
    for each in DECIDERS:
        cast.stage.clock.move_to(cast.now + timedelta(minutes=30))
        await _decide(cast, referral, each)
    request = invented.message(
        "information-request", cast.now, "SBU-WEEK-1", referral["incident"], agencies=[POLICE, HOSPITALS]
    )
    asked = await cast.clients[BUSINESS_UNIT].submit(request)
    answer = invented.message(
        "information-return", cast.now, "NSH-WEEK-1", referral["incident"], in_reply_to=asked["id"]
    )
    await cast.clients[HOSPITALS].submit(answer)
    return referral


async def _answered_unclearly(cast: Cast) -> dict[str, Any]:
    """All three decided, the letter went out, and the school wrote in its own words: the reply is left to be read."""
    referral = await _refer(cast, POLICE, "NP-WEEK-5", ("Leopold", "Thistledown", "2016-04-17"))
    for each in DECIDERS:
        await _decide(cast, referral, each)
    held = (await cast.command("held", "list"))["holds"]
    letter = next(
        one for one in held if one["incident"] == referral["incident"] and "awaits-release" in one["reasons"]
    )
    await cast.command("held", "release", letter["id"], "--officer", OFFICER)
    school = cast.schools["harbour-view.example"]
    arrived = await asyncio.wait_for(school.next_letter(), PATIENCE_SECONDS)
    cast.stage.clock.move_to(cast.now + timedelta(hours=1))
    said = "He came to us from Cliffside in September 2023 and is still here. We have a file, please ring me before you act on it.\n"
    await reply(cast, school, arrived, "dsl@harbour-view.example", said)
    await held_mail(cast)
    return referral


async def _went_astray(cast: Cast, decided: dict[str, Any]) -> None:
    """A letter reached the wrong desk: the 72 hours run."""
    incident = IncidentId(decided["incident"])
    said = "A copy lay at the front desk for an hour."
    asked = Breach(incident, cast.now, BreachKind.MISDIRECTED, OFFICER, said, agency=COUNCIL)
    await cast.gateway.parts.perform(record_breach, asked, SOUTH_TYNESIDE, incident)


async def _unit(cast: Cast, real: datetime) -> None:
    """The people of the unit, one of them on call for the week."""
    parts = cast.gateway.parts

    def add(tx: Tx) -> None:
        for name, role, address in PEOPLE:
            asked = NewOfficer(
                name, frozenset({role}), OFFICER, SECOND if role is OfficerRole.ADMINISTRATOR else "", address
            )
            add_officer(tx, parts, Occasion(real, Supply(secrets.token_bytes(32))), asked)
        turn = Turn(PEOPLE[0][0], real, real + timedelta(days=7), OFFICER)
        put_on_call(tx, parts, Occasion(real, Supply(secrets.token_bytes(32))), turn)

    await parts.store.transact(add)


async def _refer(cast: Cast, agency: str, reference: str, child: tuple[str, str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = await cast.clients[agency].submit(
        invented.other_referral(cast.now, reference, child)
    )
    return answer


async def _decide(cast: Cast, referral: dict[str, Any], who: tuple[str, str, tuple[str, str]]) -> None:
    agency, seat, person = who
    reference = f"WEEK-{seat}-{referral['incident']}"
    document = invented.decision(cast.now, reference, referral["incident"], referral["id"], seat, person)
    await cast.clients[agency].submit(document)


def _mornings(real: datetime, count: int) -> list[datetime]:
    """The last working mornings before a day, the earliest first."""
    found: list[datetime] = []
    day = real
    while len(found) < count:
        day -= timedelta(days=1)
        if day.weekday() < 5:
            found.insert(0, day.replace(hour=9, minute=30, second=0, microsecond=0))
    return found
