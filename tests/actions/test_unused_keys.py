"""Data keys that seal nothing go; those that seal something stay, however long."""

from __future__ import annotations

from datetime import timedelta

from gateway.core.messages import IncidentId
from gateway.dispatch import intake
from gateway.dispatch.timetable import sweep_keys
from gateway.store import custody
from tests.actions.scene import refer
from tests.gateway_house import House


async def test_only_keys_that_seal_nothing_are_swept_and_not_before_a_day(house: House) -> None:
    referral = await refer(house)
    raw = b"From: someone@school.example\r\nSubject: hello\r\n\r\nHello.\r\n"
    for _ in range(2):  # the second is known already, and the key made for it seals nothing
        await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    await house.parts.make_key(
        house.parts.new_incident_id(), house.clock()
    )  # as after a crash before the record
    assert await sweep_keys(house.parts) == 0
    house.clock.move_to(house.clock() + timedelta(days=1, minutes=1))
    assert await sweep_keys(house.parts) == 2
    assert await sweep_keys(house.parts) == 0
    incident = IncidentId(referral["incident"])
    assert await house.parts.custody.read(lambda tx: custody.of_incident(tx, incident)) is not None
    assert await intake.read_kept(house.parts) == 1
