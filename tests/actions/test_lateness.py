"""More time, reasons for lateness, and what a chase advises (G-10, G-02, S1-05, S4-22)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.actions.chase import MARGIN
from gateway.actions.explain import Explanation, explain
from gateway.actions.extend import Extension, extend
from gateway.actions.tell_duty import duty_document
from gateway.actions.view_duty import DutyViewing, view_duty
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.dispatch.timetable import chase_due
from gateway.store import duties, log
from gateway.store.duties import DutyRow
from tests.actions.arrangements import arrange
from tests.actions.scene import (
    HOSPITALS,
    TUESDAY_COB,
    UNIT,
    coarse_reason,
    decide,
    duty_of,
    entries_named,
    reasons,
    refer,
    send,
    sent_by_the_house,
)
from tests.gateway_house import House

NO_WAYS: frozenset[str] = frozenset()
DUE = datetime(2026, 11, 9, 17, tzinfo=UTC)
UNTIL = datetime(2026, 11, 13, 17, tzinfo=UTC)


async def asked_for_a_return(house: House) -> tuple[Any, DutyRow]:
    """The hospitals owe a return by Monday 9 November."""
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    return referral, await duty_of(house, referral, "agency-responder", "information-return")


async def request_more_time(house: House, referral: Any) -> Any:
    own = house.example("information-return")["body"]
    body = {name: [] if isinstance(value, list) else None for name, value in own.items()}
    body |= {"kind": "extension-request", "extension_reason": "Records are archived."}
    body["extension_until_on"] = "2026-11-13"
    return await send(house, HOSPITALS, "information-return", body, incident=referral["incident"])


async def give_time(house: House, duty: DutyRow, until: datetime = UNTIL) -> None:
    asked = Extension(duty.id, until, "Winifred Stave", "The records are at the archive.")
    await house.parts.perform(extend, asked, duty.partnership, duty.incident)


async def refused(house: House, action: Any, asked: Any, duty: DutyRow) -> ErrorCode:
    with pytest.raises(Refused) as stopped:
        await house.parts.perform(action, asked, duty.partnership, duty.incident)
    return stopped.value.code


async def test_g_10_a_request_for_more_time_waits_for_an_officer_whose_word_ends_it(house: House) -> None:
    """The original due date stays for the figures."""
    referral, duty = await asked_for_a_return(house)
    await request_more_time(house, referral)
    assert await reasons(house) == ["extension-requested"]
    await give_time(house, duty)
    assert await reasons(house) == []
    after = await duty_of(house, referral, "agency-responder", "information-return")
    told = duty_document(after)
    assert (told["due_at"], told["original_due_at"]) == ("2026-11-13T17:00:00Z", "2026-11-09T17:00:00Z")
    (entry,) = await entries_named(house, "DutyRescheduled")
    assert coarse_reason(entry) == "extended"


async def test_chases_follow_the_extended_date(house: House) -> None:
    referral, duty = await asked_for_a_return(house)
    await give_time(house, duty)
    house.clock.move_to(DUE + timedelta(hours=2))
    await chase_due(house.parts, NO_WAYS)
    assert (await duty_of(house, referral, "agency-responder", "information-return")).state is DutyState.OPEN
    house.clock.move_to(UNTIL + MARGIN)
    await chase_due(house.parts, NO_WAYS)
    chases = [chase["body"] for chase in await sent_by_the_house(house, referral, "chase")]
    mine = [body for body in chases if body["duty"] == duty.id]
    assert (mine[-1]["stage"], mine[-1]["due_at"]) == ("due", "2026-11-13T17:00:00Z")
    assert not [body for body in mine if body["stage"] == "due" and body["due_at"].startswith("2026-11-09")]


async def test_an_extension_after_the_due_was_missed_opens_the_duty_and_its_due_is_chased_again(
    house: House,
) -> None:
    referral, duty = await asked_for_a_return(house)
    house.clock.move_to(DUE + MARGIN)
    await chase_due(house.parts, NO_WAYS)
    assert (
        await duty_of(house, referral, "agency-responder", "information-return")
    ).state is DutyState.MISSED
    await give_time(house, duty)
    house.clock.move_to(UNTIL + MARGIN)
    await chase_due(house.parts, NO_WAYS)
    found = [chase["body"] for chase in await sent_by_the_house(house, referral, "chase")]
    dues = [body["due_at"] for body in found if body["duty"] == duty.id and body["stage"] == "due"]
    assert dues == ["2026-11-09T17:00:00Z", "2026-11-13T17:00:00Z"]
    assert len(await entries_named(house, "DeadlineMissed")) >= 2


async def test_one_officer_extends_a_duty_once_and_two_officers_again(house: House) -> None:
    referral, duty = await asked_for_a_return(house)
    await give_time(house, duty)
    later = Extension(duty.id, UNTIL + timedelta(days=7), "Winifred Stave", "Not found yet.")
    for alone in ("", " winifred  stave"):
        again = replace(later, second_officer=alone)
        assert await refused(house, extend, again, duty) is ErrorCode.NOT_PERMITTED
    both = replace(later, second_officer="Desmond Quill")
    await house.parts.perform(extend, both, duty.partnership, duty.incident)
    after = await duty_of(house, referral, "agency-responder", "information-return")
    assert after.due_at == both.until


async def test_k12_an_earlier_awareness_told_later_brings_the_notification_forward(house: House) -> None:
    """Both instants stay on record, an officer hears, and no later awareness ever moves it back."""
    received = 'moments = ["referral_received_at"'
    await arrange(house, "", (f'{received}, "aware_at"]', f"{received}]"))
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    told = house.example("referral")["body"]["incident"]
    for at in ("2026-10-29T10:00:00Z", "2026-11-01T10:00:00Z"):
        body = {"incident": told | {"incident_at": "2026-10-28T10:00:00Z", "aware_at": at}}
        await refer(house, body=body, incident=referral["incident"])
        after = duty_document(await duty_of(house, referral, "dsp-la", "sin-record"))
        assert after["due_at"] == "2026-11-06T00:00:00Z"
        assert after["start_at"] == duty_document(duty)["start_at"]
    (change,) = after["due_changes"]
    assert (change["cause"], change["start_at"]) == ("earlier-start", "2026-10-29T10:00:00Z")
    assert (await reasons(house)).count("earlier-start") == 1
    assert coarse_reason((await entries_named(house, "DutyRescheduled"))[0]) == "earlier-start"


async def test_what_the_law_sets_is_never_extended(house: House) -> None:
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    late = Extension(duty.id, datetime(2026, 12, 24, tzinfo=UTC), "Winifred Stave", "Busy.")
    assert await refused(house, extend, late, duty) is ErrorCode.NOT_PERMITTED


async def test_an_extension_is_later_than_now_and_than_the_due_it_had(house: House) -> None:
    _, duty = await asked_for_a_return(house)
    for until in (DUE, DUE - timedelta(days=1)):
        asked = Extension(duty.id, until, "Winifred Stave", "Less time.")
        assert await refused(house, extend, asked, duty) is ErrorCode.NOT_ACCEPTABLE_STATE


async def test_a_late_duty_wants_a_reason_until_one_is_given(house: House) -> None:
    """S4-22: shown as missing a reason; the words themselves stand only under the incident's key."""
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    early = Explanation(duty.id, "Winifred Stave", "Nothing to explain.")
    assert await refused(house, explain, early, duty) is ErrorCode.NOT_ACCEPTABLE_STATE
    house.clock.move_to(TUESDAY_COB + timedelta(hours=2))
    await decide(house, referral, "dsp-icb")
    late = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert (late.state, duty_document(late)["reason_missing"]) == (DutyState.MET_LATE, True)
    words = "The director was at another incident."
    await house.parts.perform(
        explain, Explanation(duty.id, "Winifred Stave", words), duty.partnership, duty.incident
    )
    assert (
        duty_document(await duty_of(house, referral, "dsp-icb", "triage-decision"))["reason_missing"] is False
    )
    (entry,) = await entries_named(house, "DutyExplained")
    assert coarse_reason(entry) == "met-late"
    assert words.encode() not in entry.statement


async def test_s4_22_what_was_said_of_a_duty_is_opened_with_an_entry_and_gone_after_erasure(
    house: House,
) -> None:
    """In the order in which it was said; what was said of another duty is not shown."""
    referral, duty = await asked_for_a_return(house)
    await give_time(house, duty)
    other = await duty_of(house, referral, "dsp-icb", "triage-decision")
    house.clock.move_to(UNTIL + MARGIN)
    await chase_due(house.parts, NO_WAYS)
    for one, words in ((duty, "The archive was flooded."), (other, "Nobody was told.")):
        asked = Explanation(one.id, "Winifred Stave", words)
        await house.parts.perform(explain, asked, one.partnership, one.incident)
    assert await entries_named(house, "IncidentViewed") == []
    asking = DutyViewing(duty.id, "Caspian Reed")
    viewed = await house.parts.perform(view_duty, asking, duty.partnership, duty.incident)
    assert [(said.event, said.officer, said.words) for said in viewed.said] == [
        ("DutyRescheduled", "Winifred Stave", "The records are at the archive."),
        ("DutyExplained", "Winifred Stave", "The archive was flooded."),
    ]
    assert [entry.id for entry in await entries_named(house, "IncidentViewed")] == [viewed.receipt]
    await house.parts.store.transact(lambda tx: log.forget_disclosures(tx, duty.partnership, duty.incident))
    after = await house.parts.perform(view_duty, asking, duty.partnership, duty.incident)
    assert after.said == ()


async def test_s1_05_the_chase_of_a_missing_childs_notification_advises_to_notify_the_director(
    house: House,
) -> None:
    """K07: at its due instant and after, the chase says what is to be done; before, and of other duties, nothing."""
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    await house.parts.store.transact(lambda tx: duties.change(tx, duty.id, expects="dcs-notification"))
    for at in (TUESDAY_COB - timedelta(hours=3), TUESDAY_COB + MARGIN):
        house.clock.move_to(at)
        await chase_due(house.parts, NO_WAYS)
    chases = [chase["body"] for chase in await sent_by_the_house(house, referral, "chase")]
    advice = [(body["stage"], body["advice"]) for body in chases if body["duty"] == duty.id]
    assert advice == [("half-way", None), ("due", "notify-dcs")]
    assert {body["advice"] for body in chases if body["duty"] != duty.id} == {None}
