"""Chases (G-02): each stage once, only the latest after an outage, and no silence stated before every way in is read (S4-22)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.actions.chase import MARGIN, Chase, chase
from gateway.actions.erase import Erasure, begin_erasure
from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, IncidentId, RoleId, Seat
from gateway.core.routing import Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import chase_due
from gateway.partnerships import packs
from gateway.store import mail
from gateway.store import packs as pack_rows
from gateway.store.packs import PackRow
from schemas import read_message
from tests.actions.arrangements import arrange
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    TUESDAY_COB,
    UNIT,
    coarse_reason,
    decide,
    deliveries_of,
    duties_of,
    duty_of,
    empty_seat,
    entries_named,
    hold_seat,
    let_go,
    reach_by,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House

NO_WAYS: frozenset[str] = frozenset()
MAILBOX = frozenset({"mailbox"})
LATER = TUESDAY_COB + MARGIN


async def stages(house: House, referral: Any, expects: str, role: str) -> list[str]:
    """The stages chased so far of one duty, in order of sending."""
    duty = await duty_of(house, referral, role, expects)
    found = [chase["body"] for chase in await sent_by_the_house(house, referral, "chase")]
    return [body["stage"] for body in found if body["duty"] == duty.id]


async def look(house: House, at: datetime, ways_in: frozenset[str] = NO_WAYS) -> None:
    house.clock.move_to(at)
    await chase_due(house.parts, ways_in)


async def test_each_stage_is_sent_once_however_often_one_looks(house: House) -> None:
    referral = await refer(house)
    at = house.clock()
    while at < datetime(2026, 11, 6, 18, 0, tzinfo=UTC):
        await look(house, at)
        await chase_due(house.parts, NO_WAYS)
        at += timedelta(hours=1)
    found = await stages(house, referral, "triage-decision", "dsp-icb")
    assert found == ["half-way", "due", "overdue-1", "overdue-2"]


async def test_after_an_outage_only_the_latest_stage_is_sent(house: House) -> None:
    referral = await refer(house)
    await look(house, datetime(2026, 11, 6, 18, 0, tzinfo=UTC))
    assert await stages(house, referral, "triage-decision", "dsp-icb") == ["overdue-2"]


async def test_a_chase_is_a_valid_message_and_carries_no_personal_data(house: House) -> None:
    referral = await refer(house)
    await look(house, LATER)
    chases = await sent_by_the_house(house, referral, "chase")
    assert chases
    for found in chases:
        document = {name: value for name, value in found.items() if name != "id"}
        assert read_message(json.dumps(document).encode()).type == "chase"
    text = json.dumps(chases)
    assert not [name for name in ("Testington", "Elowen", "9990000018", "Holt", "NE33") if name in text]


async def test_when_it_is_due_its_owner_and_the_unit_are_told_and_later_the_three(house: House) -> None:
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    told = {}
    for at in (LATER, LATER + timedelta(days=1), LATER + timedelta(days=2)):
        await look(house, at)
    for found in await sent_by_the_house(house, referral, "chase"):
        if found["body"]["duty"] == duty.id:
            rows = await deliveries_of(house, found["id"])
            told[found["body"]["stage"]] = {f"{row.role}@{row.agency}" for row in rows}
    owner, unit = f"dsp-icb@{ICB}", f"sbu@{UNIT}"
    assert told == {
        "due": {owner, unit},
        "overdue-1": {owner, unit, f"agency-safeguarding-lead@{ICB}"},
        "overdue-2": {owner, unit, f"dsp-la@{COUNCIL}", f"dsp-police@{POLICE}"},
    }


async def test_a_silence_is_stated_a_minute_past_the_due_instant_and_not_before(house: House) -> None:
    referral = await refer(house)
    await look(house, LATER - timedelta(microseconds=1))
    assert await entries_named(house, "DeadlineMissed") == []
    assert (await duty_of(house, referral, "dsp-icb", "triage-decision")).state is DutyState.OPEN
    await look(house, LATER)
    await chase_due(house.parts, NO_WAYS)
    stated = await entries_named(house, "DeadlineMissed")
    assert len(stated) == 4, "three decisions and the unit's acknowledgement"
    assert {coarse_reason(entry) for entry in stated} == {"nothing-received"}
    assert (await duty_of(house, referral, "dsp-icb", "triage-decision")).state is DutyState.MISSED


async def test_a_mailbox_that_is_down_means_waiting_and_no_signed_silence(house: House) -> None:
    await refer(house)
    await look(house, TUESDAY_COB + timedelta(hours=30), MAILBOX)
    assert await entries_named(house, "DeadlineMissed") == []
    for read_until, missed in ((LATER - timedelta(seconds=1), 0), (LATER, 4)):
        await house.parts.store.transact(
            lambda tx, read_until=read_until: mail.set_watermark(tx, "mailbox", read_until)  # type: ignore[misc]
        )
        await chase_due(house.parts, MAILBOX)
        assert len(await entries_named(house, "DeadlineMissed")) == missed


async def test_mail_that_is_kept_but_unread_keeps_silences_back(house: House) -> None:
    from gateway.dispatch.intake import keep, read_kept

    await refer(house)
    house.clock.move_to(TUESDAY_COB - timedelta(minutes=1))
    raw = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\nGood day\r\n"
    await keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    await look(house, LATER)
    assert await entries_named(house, "DeadlineMissed") == []
    await read_kept(house.parts)
    await chase_due(house.parts, NO_WAYS)
    assert len(await entries_named(house, "DeadlineMissed")) == 4


async def test_what_came_in_time_but_is_held_is_no_silence(house: House) -> None:
    referral = await refer(house)
    concern = {"person": "Winifred Stave", "reason": "The concern is about her."}
    await decide(house, referral, "dsp-icb", do_not_contact=[concern])
    arrived_at = house.clock()
    await look(house, LATER)
    assert len(await entries_named(house, "DeadlineMissed")) == 3
    (held,) = [hold for hold in await waiting(house) if hold.subject_kind == "message"]
    await let_go(house, held)
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert (duty.state, duty.met_at) == (DutyState.MET, arrived_at)


async def test_an_answer_ends_the_chase_and_a_missed_one_is_still_answered_late(house: House) -> None:
    referral = await refer(house)
    await look(house, LATER)
    await decide(house, referral, "dsp-icb")
    before = await stages(house, referral, "triage-decision", "dsp-icb")
    await look(house, LATER + timedelta(days=5))
    assert await stages(house, referral, "triage-decision", "dsp-icb") == before
    assert (await duty_of(house, referral, "dsp-icb", "triage-decision")).state is DutyState.MET_LATE


async def test_a_seat_that_must_not_be_contacted_is_not_chased_either(house: House) -> None:
    concern = {"role": "dsp-la", "reason": "The concern is about this post."}
    referral = await refer(house, do_not_contact=[concern])
    await look(house, datetime(2026, 11, 13, 0, 0, tzinfo=UTC))
    for found in await sent_by_the_house(house, referral, "chase"):
        assert "dsp-la" not in {row.role for row in await deliveries_of(house, found["id"])}
    assert "do-not-contact" in await reasons(house)


async def test_without_a_business_unit_an_officer_hears_that_nobody_chases(house: House) -> None:
    referral = await refer(house)
    await empty_seat(house, UNIT, "sbu")
    await look(house, LATER)
    assert await sent_by_the_house(house, referral, "chase") == []
    assert "nobody-holds-sbu" in await reasons(house)


async def test_a_missing_safeguarding_lead_is_told_to_an_officer(house: House) -> None:
    await refer(house)
    await empty_seat(house, ICB, "agency-safeguarding-lead")
    await look(house, LATER + timedelta(days=1))
    assert "nobody-holds-agency-safeguarding-lead" in await reasons(house)


async def test_a_duty_whose_clock_the_pack_in_force_lacks_is_chased_by_the_pack_that_made_it(
    house: House,
) -> None:
    referral = await refer(house)
    current = await house.parts.store.read(lambda tx: pack_rows.current(tx, SOUTH_TYNESIDE))
    assert current is not None
    rules = current.files["rules.toml"].replace('version = "2026.1"', 'version = "2026.2"')
    rules = rules.replace('"K11"', '"K91"')
    files = dict(current.files) | {"rules.toml": rules}
    newer = PackRow(SOUTH_TYNESIDE, "2026.2", files, packs.digest(files), house.clock())
    await house.parts.store.transact(lambda tx: pack_rows.activate(tx, newer, "officer-1", "officer-2"))
    house.parts.partnerships.forget()
    await look(house, LATER)
    assert await stages(house, referral, "triage-decision", "dsp-icb") == ["due"]
    assert len(await entries_named(house, "DeadlineMissed")) == 4


async def test_an_incident_that_is_being_erased_is_chased_no_more(house: House) -> None:
    referral = await refer(house)
    incident = IncidentId(referral["incident"])
    order = Erasure(incident, "First Officer", "Second Officer", "retention")
    duty = await duty_of(house, referral, "dsp-icb", "triage-decision")
    await house.parts.perform(begin_erasure, order, SOUTH_TYNESIDE, incident)
    await look(house, LATER)
    asked = Chase(duty.id, house.clock())
    assert await house.parts.perform(chase, asked, SOUTH_TYNESIDE, incident) == []
    assert await entries_named(house, "DeadlineMissed") == []


@pytest.mark.parametrize(
    ("role", "expects", "due_at"),
    [
        ("dsp-icb", "triage-decision", TUESDAY_COB),  # K11: one working day, close of business
        ("dsp-la", "sin-record", datetime(2026, 11, 10, 0, 0, tzinfo=UTC)),  # K12: five, until midnight
        ("sbu", "acknowledgement", TUESDAY_COB),  # G01
    ],
)
async def test_a_referral_s_clocks_run_from_its_arrival(
    house: House, role: str, expects: str, due_at: datetime
) -> None:
    referral = await refer(house)
    duty = await duty_of(house, referral, role, expects)
    assert (duty.start_at, duty.due_at) == (house.clock(), due_at)


async def test_a_council_s_own_referral_runs_from_its_awareness(house: House) -> None:
    """X-01: the law's five working days run from when the council became aware, here Sunday 1 November at 21:15."""
    referral = await refer(house, agency=COUNCIL)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert duty.start_at == datetime(2026, 11, 1, 21, 15, tzinfo=UTC)
    assert duty.due_at == datetime(2026, 11, 7, 0, 0, tzinfo=UTC)


async def test_after_the_notification_the_review_is_due_by_its_instant_of_submission(house: House) -> None:
    """S4-13 (K15: on the eighth working day) and P-08 (K17: fifteen), from the submission and not from the record's arrival."""
    referral = await refer(house)
    house.clock.move_to(datetime(2026, 11, 9, 16, 0, tzinfo=UTC))
    body = {"submitted_at": "2026-11-04T16:12:00Z"}
    about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
    await send(house, COUNCIL, "sin-record", body, **about)
    meeting = await duty_of(house, referral, "sbu", "meeting-notice")
    report = await duty_of(house, referral, "sbu", "rapid-review-report")
    assert (meeting.clock, meeting.due_at) == ("K15", datetime(2026, 11, 16, 17, 0, tzinfo=UTC))
    assert (report.clock, report.due_at) == ("K17", datetime(2026, 11, 26, 0, 0, tzinfo=UTC))


async def test_a_second_record_never_moves_the_review_s_clock(house: House) -> None:
    """C-13: from the first successful submission."""
    referral = await refer(house)
    house.clock.move_to(datetime(2026, 11, 9, 16, 0, tzinfo=UTC))
    for submitted_at in ("2026-11-04T16:12:00Z", "2026-11-09T09:00:00Z"):
        await send(
            house,
            COUNCIL,
            "sin-record",
            {"submitted_at": submitted_at},
            incident=referral["incident"],
            in_reply_to=referral["id"],
        )
        house.clock.move_by(hours=1)
    duty = await duty_of(house, referral, "sbu", "rapid-review-report")
    assert duty.due_at == datetime(2026, 11, 26, 0, 0, tzinfo=UTC)


async def test_over_the_change_to_summer_time_a_day_ends_at_local_midnight(house: House) -> None:
    """Clocks go forward on Sunday 28 March 2027; Good Friday is 26 March, Easter Monday 29 March."""
    house.clock.move_to(datetime(2027, 3, 23, 11, 0, tzinfo=UTC))
    referral = await refer(house)
    record = await duty_of(house, referral, "dsp-la", "sin-record")
    assert record.due_at == datetime(2027, 4, 1, 23, 0, tzinfo=UTC)  # 2 April 00:00 BST
    decision = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert decision.due_at == datetime(2027, 3, 24, 17, 0, tzinfo=UTC)


async def test_a_second_referral_of_the_matter_lays_only_the_duty_to_acknowledge_it(house: House) -> None:
    first = await refer(house)
    house.clock.move_by(hours=8)
    second = await refer(house, agency=HOSPITALS, incident=first["incident"])
    assert [duty["expects"] for duty in second["duties"]] == ["acknowledgement"]
    assert len([duty for duty in await duties_of(house, first) if duty.expects == "triage-decision"]) == 3
    starts = [duty.start_at for duty in await duties_of(house, first) if duty.expects == "acknowledgement"]
    assert starts == [house.clock() - timedelta(hours=8), house.clock()]


async def test_every_agency_asked_owes_a_return_and_each_request_has_a_clock_of_its_own(house: House) -> None:
    """S4-12, K14: five working days from this very request."""
    referral = await refer(house)
    asked = {"agencies": [POLICE, HOSPITALS]}
    await send(house, UNIT, "information-request", asked, incident=referral["incident"])
    house.clock.move_by(days=1)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    owed = {
        (duty.agency, duty.start_at, duty.due_at)
        for duty in await duties_of(house, referral)
        if duty.expects == "information-return"
    }
    monday, tuesday = house.clock() - timedelta(days=1), house.clock()
    due = datetime(2026, 11, 9, 17, 0, tzinfo=UTC)
    assert owed == {
        (POLICE, monday, due),
        (HOSPITALS, monday, due),
        (HOSPITALS, tuesday, due + timedelta(days=1)),
    }


NIL = {
    "kind": "nil",
    "no_involvement": "Not known to this agency.",
    "involvement": None,
    "actions": None,
    "learning": None,
}
PARTIAL = {"kind": "partial", "still_to_come": "The maternity records."}
EXTENSION = {
    "kind": "extension-request",
    "extension_reason": "Paper records must be fetched.",
    "extension_until_on": "2026-11-20",
    "involvement": None,
    "actions": None,
    "learning": None,
}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({}, DutyState.MET),
        (NIL, DutyState.MET),  # G-09
        (PARTIAL, DutyState.OPEN),  # G-10
        (EXTENSION, DutyState.OPEN),
    ],
    ids=["full", "nil", "partial", "extension"],
)
async def test_a_full_or_nil_return_meets_the_duty_and_a_partial_one_leaves_it_open(
    house: House, body: dict[str, Any], state: DutyState
) -> None:
    referral = await refer(house)
    asked = await send(
        house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"]
    )
    about = {"incident": referral["incident"], "in_reply_to": asked["id"]}
    await send(house, HOSPITALS, "information-return", body, **about)
    assert (await duty_of(house, referral, "agency-responder", "information-return")).state is state
    house.clock.move_by(days=14)
    await send(house, HOSPITALS, "information-return", **about)
    late = DutyState.MET if state is DutyState.MET else DutyState.MET_LATE
    assert (await duty_of(house, referral, "agency-responder", "information-return")).state is late


async def test_a_return_meets_the_request_it_answers_and_a_second_one_no_other(house: House) -> None:
    referral = await refer(house)
    asked = [
        await send(
            house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"]
        )
        for _ in range(2)
    ]
    about = {"incident": referral["incident"], "in_reply_to": asked[1]["id"]}
    for _ in range(2):
        await send(house, HOSPITALS, "information-return", **about)
    states = {
        duty.message: duty.state
        for duty in await duties_of(house, referral)
        if duty.expects == "information-return"
    }
    assert states == {asked[0]["id"]: DutyState.OPEN, asked[1]["id"]: DutyState.MET}


COUNCIL_CHASES = """
[[chase]]
stage = "due"
to = ["owner", "owner-deputy", "owner-manager"]
expects = ["sin-record"]
"""


async def test_the_narrower_chase_tells_who_ranks_after_the_owner_and_the_owner_s_manager(
    house: House,
) -> None:
    """G-02: at the due instant the owner, the deputy and the owner's own manager."""
    await arrange(house, COUNCIL_CHASES + '[[deputy]]\nrole = "dsp-la"\nby = ["assistant-director"]\n')
    for role in ("service-manager", "assistant-director"):
        await hold_seat(house, COUNCIL, role, (Holder("Rufus Ainsley", "r@council.example", None, 0),))
    people = (Holder("Ada", "ada@council.example", None, 0), Holder("Bea", "bea@council.example", None, 1))
    await hold_seat(house, COUNCIL, "dsp-la", people)
    await reach_by(house, COUNCIL, "mail", role="dsp-la")
    referral = await refer(house)
    due_at = (await duty_of(house, referral, "dsp-la", "sin-record")).due_at
    assert due_at is not None
    await look(house, due_at + MARGIN)
    (found,) = [
        one
        for one in await sent_by_the_house(house, referral, "chase")
        if (one["body"]["expects"], one["body"]["stage"]) == ("sin-record", "due")
    ]
    told = [(row.role, row.to_deputy) for row in await deliveries_of(house, found["id"])]
    expected = [
        ("assistant-director", False),
        ("dsp-la", False),
        ("dsp-la", True),
        ("service-manager", False),
    ]
    assert sorted(told) == expected
    directory = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).directory
    seat = Seat(AgencyId(COUNCIL), RoleId("dsp-la"))
    assert directory.mail_address(seat, house.clock()) == "ada@council.example"
    assert directory.deputy_address(seat, house.clock()) == "bea@council.example"


async def test_inside_one_council_without_a_business_unit_a_chase_goes_in_the_owner_s_name(
    house: House,
) -> None:
    only = ('"owner-deputy", "sbu"]', '"owner-deputy"]'), ('"owner-lead", "sbu"]', '"owner-lead"]')
    await arrange(house, "", *only, ('"dsp-police", "sbu"]', '"dsp-police"]'))
    await empty_seat(house, UNIT, "sbu")
    referral = await refer(house)
    await look(house, LATER)
    assert await stages(house, referral, "triage-decision", "dsp-la") == ["due"]
