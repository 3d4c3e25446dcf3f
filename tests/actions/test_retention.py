"""Retention and legal holds: the clock lists, two officers decide, a hold bars (G-12)."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from gateway.actions.end_retention import Approval, PastRetention, approve_erasure, past_retention
from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.hold_legally import LegalHold, lift_legal_hold, place_legal_hold
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import complete_erasure
from gateway.dispatch.intake import read_kept
from gateway.dispatch.keeping import watch_retention
from gateway.store import incidents
from gateway.store import tables as t
from tests.actions.scene import coarse_reason, entries_named, incident_of, refer
from tests.gateway_house import House

FIRST, SECOND = "Winifred Stave", "Desmond Quill"
TWO = TwoOfficers(FIRST, SECOND)


async def ended(house: House) -> IncidentId:
    """An incident that is closed now, as `close` leaves it."""
    incident = IncidentId((await refer(house))["incident"])
    values = {"state": "closed", "ended_at": house.clock()}
    await house.parts.store.transact(lambda tx: incidents.change(tx, SOUTH_TYNESIDE, incident, **values))
    return incident


async def past(house: House) -> list[PastRetention]:
    pack, at = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack, house.clock()
    return await house.parts.store.read(lambda tx: past_retention(tx, pack, at))


async def approve(house: House, incident: IncidentId) -> None:
    await house.parts.perform(approve_erasure, Approval(incident, TWO), SOUTH_TYNESIDE, None)


async def refused(house: House, action: object, asked: object, incident: IncidentId) -> Refused:
    with pytest.raises(Refused) as found:
        await house.parts.perform(action, asked, SOUTH_TYNESIDE, incident)  # type: ignore[arg-type]
    return found.value


async def test_what_is_past_its_class_is_listed_and_goes_on_two_officers_word_alone(house: House) -> None:
    incident = await ended(house)
    house.clock.move_to(house.clock().replace(year=2051))
    assert await past(house) == []
    assert (await refused(house, approve_erasure, Approval(incident, TWO), incident)).code is (
        ErrorCode.NOT_ACCEPTABLE_STATE
    )
    house.clock.move_to(house.clock().replace(year=2101, month=12))
    (found,) = await past(house)
    assert (found.incident, found.ended_on, found.is_held) == (incident, date(2026, 11, 2), False)
    assert await watch_retention(house.parts)
    assert (await incident_of(house, {"incident": incident})).state == "closed", "the clock erases nothing"
    assert not await watch_retention(house.parts), "once a day"
    await approve(house, incident)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)
    assert (await incident_of(house, {"incident": incident})).state == "erased"
    assert coarse_reason((await entries_named(house, "ErasureOrdered"))[0]) == "retention-ended"
    (erased,) = await entries_named(house, "ContentErased")
    assert coarse_reason(erased) == "data-keys-destroyed-in-backups-2101-12-16"
    assert await past(house) == []


async def test_a_legal_hold_bars_every_erasure_and_two_officers_lift_it(house: House) -> None:
    incident = await ended(house)
    held = LegalHold(incident, FIRST, "inquiry")
    await house.parts.perform(place_legal_hold, held, SOUTH_TYNESIDE, incident)
    house.clock.move_to(house.clock().replace(year=2110))
    assert [one.is_held for one in await past(house)] == [True]
    for action, asked in (
        (approve_erasure, Approval(incident, TWO)),
        (begin_erasure, Erasure(incident, FIRST, SECOND, "retention-ended")),
        (place_legal_hold, held),
    ):
        assert (await refused(house, action, asked, incident)).code is ErrorCode.NOT_ACCEPTABLE_STATE
    alone = LegalHold(incident, FIRST, "inquiry-closed", FIRST.upper())
    assert (await refused(house, lift_legal_hold, alone, incident)).code is ErrorCode.NOT_PERMITTED
    both = LegalHold(incident, FIRST, "inquiry-closed", SECOND)
    await house.parts.perform(lift_legal_hold, both, SOUTH_TYNESIDE, incident)
    assert (await refused(house, lift_legal_hold, both, incident)).code is ErrorCode.NOT_ACCEPTABLE_STATE
    placed = (await entries_named(house, "LegalHoldPlaced"))[0]
    lifted = (await entries_named(house, "LegalHoldLifted"))[0]
    assert (coarse_reason(placed), coarse_reason(lifted)) == ("inquiry", "inquiry-closed")
    await approve(house, incident)


async def test_a_hold_needs_a_reason_without_words_and_an_incident_that_is_there(house: House) -> None:
    incident = await ended(house)
    worded = LegalHold(incident, FIRST, "Mrs Quibblethorpe asked")
    assert (await refused(house, place_legal_hold, worded, incident)).code is ErrorCode.MALFORMED_REQUEST
    unknown = LegalHold(IncidentId("SI-7K3M-9QPX-2D"), FIRST, "inquiry")
    assert (await refused(house, place_legal_hold, unknown, incident)).code is ErrorCode.NOT_FOUND


async def test_mail_that_belongs_to_no_incident_goes_after_a_year_with_its_key(house: House) -> None:
    raw = b"From: a@b.example\r\nTo: letters@council.example\r\nSubject: Lunch\r\n\r\nNothing of yours.\r\n"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    while await read_kept(house.parts):
        pass
    settle = sa.update(t.raw_mail).values(state="settled")
    await house.parts.store.transact(lambda tx: tx.execute(settle).rowcount)
    (key,) = await house.parts.store.read(
        lambda tx: tx.execute(sa.select(t.raw_mail.c.data_key)).scalars().all()
    )
    house.clock.move_by(days=364)
    await watch_retention(house.parts)
    assert await house.parts.key_by_id(key) is not None
    house.clock.move_by(days=2)
    await watch_retention(house.parts)
    assert await house.parts.key_by_id(key) is None
    (row,) = await house.parts.store.read(lambda tx: list(tx.execute(sa.select(t.raw_mail))))
    assert (row.sealed, row.sealed_reading, row.data_key) == (None, None, None)
    assert row.digest, "the same mail is known again"
