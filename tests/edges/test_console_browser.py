"""The console in a real browser: no barrier that axe finds, by keyboard alone, without JavaScript, small and doubled, on paper."""

from __future__ import annotations

from tests.edges.test_console import COUNCIL, ICB, POLICE, decide, refer, the_hold
from tests.gateway_house import House


async def seeded(house: House) -> tuple[str, str]:
    """A few days' work: incidents at several stages, one with everything decided and a letter that waits. Returns it and the hold."""
    first = await refer(house, "NP-1")
    house.clock.move_by(hours=6)
    for number in range(2, 9):
        body = house.example("referral")["body"]
        child = body["children"][0] | {"family_name": f"Stavely{'abcdefghi'[number]}", "nhs_number": None, "nhs_number_absence": "not-available"}
        await refer(house, f"NP-{number}", children=[child | {"date_of_birth": f"2011-0{number}-11"}])
        house.clock.move_by(hours=5)
    for agency, seat in ((POLICE, "dsp-police"), (COUNCIL, "dsp-la"), (ICB, "dsp-icb")):
        await decide(house, first, agency, seat)
    hold = await the_hold(house, "delivery")
    house.clock.move_by(days=1)
    return first["incident"], hold.id
