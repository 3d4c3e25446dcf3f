"""Whoever asks why a delivery or a duty is there is told the pack, its version and the rule."""

from __future__ import annotations

from gateway.actions.tell_duty import duty_document
from gateway.cli.deliveries import delivery_document
from tests.actions.scene import decide_all, deliveries_of, duties_of, refer, sent_by_the_house
from tests.gateway_house import House


async def test_every_delivery_and_duty_names_the_rule_and_the_version_that_caused_it(house: House) -> None:
    referral = await refer(house)
    await decide_all(house, referral)
    (letter, *_) = await sent_by_the_house(house, referral, "dsl-letter")
    sent = [*await deliveries_of(house, referral["id"]), *await deliveries_of(house, letter["id"])]
    told = [delivery_document(row) for row in sent]
    owed = [duty_document(row) for row in await duties_of(house, referral)]
    version = (await house.parts.partnerships.snapshot(told[0]["partnership"])).pack.version
    assert {each["pack_version"] for each in told + owed} == {version}
    assert {each["rule"] for each in owed} >= {"referral"}
    assert {"referral", "letter"} == {each["rule"] for each in told}
