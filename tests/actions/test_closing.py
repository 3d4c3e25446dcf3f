"""An incident is closed only when nothing is owed and the statutory question is answered; what comes late opens it again (S0-01)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from gateway.actions.ask_the_law import found_in
from gateway.actions.close_incident import Closed, Closing, close_incident
from gateway.actions.prove import Said, Subject, counting
from gateway.actions.reopen import Reopening, reopen
from gateway.actions.waive import Waiver, waive
from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, MessageId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.statutory import Standing
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.carrying import carry_due
from gateway.ledger import verify
from gateway.ledger.verify import unb64url
from gateway.store import duties, log, mail, messages
from tests.actions.scene import (
    HOSPITALS,
    UNIT,
    coarse_reason,
    decide_all,
    duties_of,
    duty_of,
    entries_named,
    incident_of,
    let_go,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House

OFFICER, SECOND = "Winifred Stave", "Desmond Quill"


async def close(house: House, referral: Any, **answer: Any) -> Closed:
    incident = IncidentId(referral["incident"])
    asked = Closing(incident, OFFICER, "All that was to be done is done.", **answer)
    return await house.parts.perform(close_incident, asked, SOUTH_TYNESIDE, incident)


async def refusal(house: House, referral: Any, **answer: Any) -> str:
    with pytest.raises(Refused) as refused:
        await close(house, referral, **answer)
    assert refused.value.code in (ErrorCode.NOT_ACCEPTABLE_STATE, ErrorCode.NOT_PERMITTED)
    return refused.value.detail or ""


async def finish(house: House, referral: Any) -> None:
    """Everything owed on the incident is settled, and everything sent has gone."""
    for duty in await duties_of(house, referral):
        if duty.state in UNANSWERED:
            await house.parts.store.transact(
                lambda tx, duty=duty: duties.meet(  # type: ignore[misc]
                    tx, duty.id, DutyState.MET, house.clock(), "msg-placeholder"
                )
            )
    while await carry_due(house.parts):
        pass


async def a_matter_of_its_own(house: House, **facts: str) -> Any:
    """An incident that opened with something else than a referral to the partners, saying these facts."""
    referral = await refer(house)
    await finish(house, referral)
    row = await house.parts.store.read(
        lambda tx: messages.find(tx, [SOUTH_TYNESIDE], MessageId(referral["id"]))
    )
    assert row is not None
    codes = row.facts["codes"] | {name: [value] for name, value in facts.items()}
    changed = dict(row.facts) | {"codes": codes}
    await house.parts.store.transact(
        lambda tx: messages.change(tx, SOUTH_TYNESIDE, row.id, type="serious-incident-form", facts=changed)
    )
    return referral


async def test_an_incident_with_open_duties_is_not_closed_and_they_are_named(house: House) -> None:
    referral = await refer(house)
    said = await refusal(house, referral)
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert duty.id in said
    assert "triage-decision" in said
    assert (await incident_of(house, referral)).state == "open"


async def test_a_missed_duty_stands_in_the_way_and_a_waived_one_does_not(house: House) -> None:
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    owed = await duty_of(house, referral, "agency-responder", "information-return")
    for duty in await duties_of(house, referral):
        if duty.id != owed.id:
            await house.parts.store.transact(
                lambda tx, duty=duty: duties.meet(tx, duty.id, DutyState.MET, house.clock(), "msg-x")  # type: ignore[misc]
            )
    while await carry_due(house.parts):
        pass
    await house.parts.store.transact(lambda tx: duties.change(tx, owed.id, state=DutyState.MISSED.value))
    assert owed.id in await refusal(house, referral)
    waiver = Waiver(owed.id, TwoOfficers(OFFICER, SECOND), "Answered in the meeting.")
    await house.parts.perform(waive, waiver, owed.partnership, owed.incident)
    assert (await close(house, referral)).answer == "referred"


async def test_what_is_still_on_its_way_stands_in_the_way(house: House) -> None:
    referral = await refer(house)
    for duty in await duties_of(house, referral):
        await house.parts.store.transact(
            lambda tx, duty=duty: duties.meet(tx, duty.id, DutyState.MET, house.clock(), "msg-x")  # type: ignore[misc]
        )
    assert "not delivered yet" in await refusal(house, referral)


async def test_s0_01_a_matter_that_the_law_asks_about_is_not_closed_without_an_answer(house: House) -> None:
    """Met or undecided, no referral opened or linked, no notification: a reason must be recorded."""
    referral = await a_matter_of_its_own(
        house, nature="death", abuse_or_neglect="unknown", age_band="under-18"
    )
    assert "abuse-death (undecided)" in await refusal(house, referral)
    assert "needs a reason" in await refusal(house, referral, answer="not-required")
    done = await close(house, referral, answer="not-required", because="The inquest found a natural cause.")
    assert done.answer == "not-required"
    assert (await incident_of(house, referral)).state == "closed"
    (entry,) = await entries_named(house, "Closed")
    assert coarse_reason(entry) == "statutory-not-required"
    assert b"natural cause" not in entry.statement


async def test_that_nothing_is_required_though_a_criterion_is_met_takes_two_officers(house: House) -> None:
    referral = await a_matter_of_its_own(house, nature="death", abuse_or_neglect="known", age_band="under-18")
    rows = await house.parts.store.read(
        lambda tx: messages.of_incident(tx, SOUTH_TYNESIDE, IncidentId(referral["incident"]))
    )
    pack = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack
    assert Standing.MET in {each.standing for each in found_in(pack, rows)}
    given = {"answer": "not-required", "because": "It was found to be an error."}
    assert "second officer" in await refusal(house, referral, **given)
    assert "second officer" in await refusal(house, referral, **given, second_officer=OFFICER.upper())
    assert (await close(house, referral, **given, second_officer=SECOND)).answer == "not-required"


async def test_a_matter_that_was_referred_is_closed_without_a_further_answer(house: House) -> None:
    referral = await refer(house)
    await finish(house, referral)
    assert (await close(house, referral)).answer == "referred"
    assert "not open" in await refusal(house, referral)


async def test_a_matter_of_no_criterion_is_not_asked_about(house: House) -> None:
    referral = await a_matter_of_its_own(house, nature="near-miss")
    assert (await close(house, referral)).answer == "not-asked"


async def test_the_closing_counts_the_chains_and_entries_before_it(house: House) -> None:
    """So a chain of the incident that is left out of its evidence, or cut off at its end, shows."""
    referral = await a_matter_of_its_own(house, nature="near-miss")
    incident = IncidentId(referral["incident"])
    before = await house.parts.store.read(lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, incident))
    closed = await close(house, referral)
    opened = {
        name: value for _, name, value in (json.loads(unb64url(one)) for one in closed.receipt.disclosures)
    }
    assert (opened["entries"], opened["chains"]) == (len(before), len({one.chain for one in before}))

    after = await house.parts.store.read(lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, incident))
    receipts = [verify.Receipt(json.loads(one.statement), verify.leaf_hash(one.statement)) for one in after]
    verify.check_chains(receipts)
    own = next(one.statement["ref"] for one in receipts if one.statement["id"] == closed.receipt.id)
    for number, (one, following) in enumerate(pairwise([*receipts, None])):
        assert one is not None
        ends = following is None or following.statement["ref"] != one.statement["ref"]
        if ends and one.statement["ref"] != own:  # the end of every other chain, cut off
            with pytest.raises(verify.Invalid, match="more receipts of a chain than there are"):
                verify.check_chains(receipts[:number] + receipts[number + 1 :])


async def test_more_chains_than_a_leaf_can_name_are_counted_in_several(house: House) -> None:
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    incident = await incident_of(house, referral)
    subject = Subject(incident.chain, SOUTH_TYNESIDE, incident.id, None)
    last = Said(Event.CLOSED)
    at_once, in_ones = [
        await house.parts.store.read(lambda tx, m=most: counting(tx, subject, last, m))  # type: ignore[misc]
        for most in (500, 1)
    ]
    assert len(at_once) == 1
    assert len(in_ones) == len(at_once[0].chains) > 1
    assert [one.event for one in in_ones] == [Event.CHAINS_COUNTED] * (len(in_ones) - 1) + [Event.CLOSED]
    assert {ref: count for one in in_ones for ref, count in one.chains.items()} == at_once[0].chains


async def test_what_comes_late_opens_the_incident_again_and_the_unit_is_told(house: House) -> None:
    """Nothing is refused silently because an incident was closed: the message goes its way and an officer sees it."""
    referral = await refer(house)
    await finish(house, referral)
    await close(house, referral)
    late = await send(
        house,
        UNIT,
        "information-request",
        {"agencies": [HOSPITALS]},
        incident=referral["incident"],
    )
    assert late["decision"] == "forward"
    assert (await incident_of(house, referral)).state == "open"
    assert "reopened-by-late-arrival" in await reasons(house)
    (entry,) = await entries_named(house, "Reopened")
    assert coarse_reason(entry) == "reopened-by-late-arrival"


async def test_an_officer_opens_a_closed_incident_again_once(house: House) -> None:
    referral = await refer(house)
    await finish(house, referral)
    await close(house, referral)
    incident = IncidentId(referral["incident"])
    asked = Reopening(incident, OFFICER, "New information.")
    await house.parts.perform(reopen, asked, SOUTH_TYNESIDE, incident)
    assert (await incident_of(house, referral)).state == "open"
    with pytest.raises(Refused):
        await house.parts.perform(reopen, asked, SOUTH_TYNESIDE, incident)


async def test_a_schools_mail_after_closing_opens_the_incident_and_is_read_by_an_officer(
    house: House,
) -> None:
    """S4-22: an answer is never lost because an incident was closed."""
    referral = await refer(house)
    await decide_all(house, referral)
    for held in [one for one in await waiting(house) if one.subject_kind == "delivery"]:
        await let_go(house, held)
    (letter, *_) = await sent_by_the_house(house, referral, "dsl-letter")
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    await finish(house, referral)
    for held in await waiting(house):
        await let_go(house, held, refuse=True)
    await close(house, referral)
    to, raw = f"letters+{row.token}@council.example", b"Subject: late\r\n\r\nPlease ring me.\r\n"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    assert await intake.read_kept(house.parts) == 1
    assert (await incident_of(house, referral)).state == "open"
    kinds = {held.subject_kind: held for held in await waiting(house)}
    assert kinds["mail"].incident == referral["incident"]
    assert kinds["incident"].reasons == ("reopened-by-late-arrival",)
    await let_go(house, kinds["mail"], refuse=True)
