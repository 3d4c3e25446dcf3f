"""What comes by e-mail beside a school's answer: notices, agencies' returns and submissions, files. Nothing closes by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.keep_attachment import Infected
from gateway.actions.need_to_know import Restricted
from gateway.actions.restrict_incident import Restriction, restrict_incident
from gateway.actions.take_held_return import take_held_return
from gateway.actions.take_return import Judged
from gateway.cli.mail_preview import waiting_of
from gateway.console.held import NOT_SHOWN, plain_words
from gateway.core.duties import DutyState
from gateway.core.errors import Refused
from gateway.core.ladder import Rung
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId
from gateway.demo.partnership import HOSPITALS, SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.store import attachments, breaches, deliveries, mail
from gateway.store.mail import LetterRow
from tests.actions.arrangements import arrange
from tests.actions.mail_stage import HOSPITAL, LEAD, PDF, SERVER, mail_held, stamped, take_in, written
from tests.actions.scene import (
    SCHOOL,
    UNIT,
    decide_all,
    deliveries_of,
    duties_of,
    entries_named,
    letter_to_the_school,
    reach_by,
    refer,
    send,
    waiting,
)
from tests.adapters.mail.test_hostile import HOSTILE
from tests.edges.console_person import signed_in
from tests.gateway_house import House, gateway_house
from tests.scanners import EICAR, real_clamd, scripted_clamd


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with (
        scripted_clamd() as clamd,
        gateway_house(
            tmp_path,
            mail_authserv_id=SERVER,
            scanner_url=clamd.url,
            mail_sender_mails_per_hour=3,
            smtp_url="smtp://localhost:9",  # nothing is carried here
            mail_from="safeguarding@council.example",
            mail_domain="council.example",
        ) as running,
    ):
        await running.gateway.dispatch.stop()
        yield running


async def a_sent_letter(house: House) -> tuple[Any, LetterRow, str]:
    """The referral, the letter to the school, and the id of its delivery."""
    referral, row = await letter_to_the_school(house)
    (delivery,) = await deliveries_of(house, row.message)
    return referral, row, delivery.id


def notice(action: str, *fields: str, to: str = "bounce@council.example") -> bytes:
    """RFC 3464, as a far end sends it; it names the recipient, which matches nothing."""
    head = [f"To: {to}", "From: MAILER-DAEMON@far.example", "Subject: Delivery status"]
    head += ['Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "", "--b"]
    status = ["Content-Type: message/delivery-status", "", *fields, "", f"Final-Recipient: rfc822; {LEAD}"]
    return "\r\n".join([*head, *status, f"Action: {action}", "Status: 5.1.1", "", "--b--", ""]).encode()


# --- what machines write ----------------------------------------------------------------------------------------------


async def test_a_letter_that_came_back_alarms_an_officer_by_its_envelope_and_closes_nothing(
    house: House,
) -> None:
    referral, letter, delivery = await a_sent_letter(house)
    await take_in(house, notice("failed", f"Original-Envelope-Id: {delivery}"))
    (held,) = await mail_held(house)
    assert (held.incident, held.reasons[0]) == (letter.incident, "letter-came-back")
    owed = [duty for duty in await duties_of(house, referral) if duty.expects == "dsl-confirmation"]
    assert {duty.state for duty in owed} == {DutyState.OPEN}
    assert not await waits_for_officer(house, letter), "a notice may be forged: it keeps no silence back"
    await take_in(house, notice("failed", "Reporting-MTA: dns; far.example"))
    (_, unmatched) = await mail_held(house)
    assert (unmatched.incident, "no-letter-matched" in unmatched.reasons) == (None, True)


async def waits_for_officer(house: House, letter: LetterRow) -> bool:
    return await house.parts.store.read(
        lambda tx: mail.waits_for_officer(tx, letter.partnership, letter.incident, letter.agency)
    )


async def test_a_delay_is_told_and_a_relay_is_only_noted(house: House) -> None:
    *_, delivery = await a_sent_letter(house)
    for action in ("relayed", "delivered", "delayed"):
        await take_in(house, notice(action, f"Original-Envelope-Id: {delivery}"))
    (held,) = await mail_held(house)
    assert held.reasons[0] == "letter-delayed"


async def test_an_automatic_reply_alerts_once_for_a_letter_and_answers_nothing(house: House) -> None:
    _, letter, _ = await a_sent_letter(house)
    for number in (1, 2):
        raw = written(
            LEAD,
            f"Automatic reply: {letter.reference}",
            f"I am away ({number}). Yes / No",
            Auto_Submitted="auto-replied",
        )
        await take_in(house, stamped(raw))
    (held,) = await mail_held(house)
    assert (held.incident, held.reasons[0]) == (letter.incident, "reader-away")
    assert not await waits_for_officer(house, letter)


async def test_a_mail_that_goes_round_in_circles_and_a_flood_wait_for_a_person(house: House) -> None:
    looped = b"".join(b"Received: from a by b%d.example\r\n" % n for n in range(26))
    await take_in(house, looped + written(LEAD, "x", "x"))
    (held,) = await mail_held(house)
    assert "unreadable" in held.reasons
    for number in range(4):
        await take_in(house, stamped(written(LEAD, f"number {number}", "hello")))
    floods = ["too-many-mails" in held.reasons for held in await mail_held(house)]
    assert floods == [False] * 4 + [True]


async def test_a_letter_at_the_wrong_school_is_held_and_its_breach_runs_from_the_mail(house: House) -> None:
    """K21: on the word of whoever was written to; on anybody's else an officer decides."""
    _, letter, _ = await a_sent_letter(house)
    words = "You have the wrong school."
    text = (
        f"{words} I am not the designated lead. Wrong recipient, wrong school. Reference {letter.reference}"
    )
    await take_in(house, stamped(written("somebody@elsewhere.example", f"Re: {letter.reference}", text)))
    (held,) = await mail_held(house)
    assert "breach-to-decide" in held.reasons
    assert await breaches_of(house, letter) == []
    for _ in range(2):
        await take_in(
            house, stamped(written(LEAD, f"Re: {letter.reference}", text + " " * len(await mail_held(house))))
        )
    assert ["breach-opened" in held.reasons for held in await mail_held(house)] == [False, True, True]
    (breach,) = await breaches_of(house, letter)
    assert breach.message == letter.message


async def breaches_of(house: House, letter: LetterRow) -> list[Any]:
    rows = await house.parts.store.read(lambda tx: breaches.every(tx, [letter.partnership]))
    return [row for row in rows if row.incident == letter.incident]


async def test_no_hostile_mail_is_lost_and_none_is_opened_for_an_officer(house: House) -> None:
    """Every one is kept as it came and waits; the serving process parses none of them."""
    raws = {name: raw for name, raw in HOSTILE.items() if len(raw) < 10_000_000}
    for raw in raws.values():
        await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    while await intake.read_kept(house.parts):
        pass
    kept = []
    for held in await mail_held(house):
        found = await house.parts.store.read(lambda tx, held=held: mail.find_raw(tx, held.subject))  # type: ignore[misc]
        assert found is not None
        assert found.kind == "unreadable"
        key = await house.parts.key_by_id(found.data_key)
        assert key is not None
        kept.append(key.open(f"raw-mail:{found.id}", found.sealed))
        assert plain_words(kept[-1], found.kind) == ("", NOT_SHOWN)
    assert sorted(kept) == sorted(raws.values())


# --- an agency's return -----------------------------------------------------------------------------------------------


async def asked(house: House) -> tuple[Any, Any]:
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    (duty,) = [d for d in await duties_of(house, referral) if d.expects == "information-return"]
    return referral, duty


async def test_a_return_by_mail_meets_the_duty_as_of_its_arrival_on_an_officer_s_word(house: House) -> None:
    referral, duty = await asked(house)
    arrived_at = house.clock()
    raw = written(
        HOSPITAL,
        f"Return {referral['incident']}",
        "Please find our return.",
        ("return.pdf", "application/pdf", PDF),
    )
    await take_in(house, stamped(raw))
    (held,) = await mail_held(house)
    assert (held.incident, "information-return" in held.reasons) == (referral["incident"], True)
    assert await house.parts.store.read(
        lambda tx: mail.waits_for_officer(tx, held.partnership, held.incident, AgencyId(HOSPITALS))
    ), "something came in time: that is no silence"
    house.clock.move_by(hours=30)
    taken = await take_held_return(house.parts, held, None, Judged("full"), "Winifred Stave")
    (met,) = [d for d in await duties_of(house, referral) if d.id == duty.id]
    assert (met.met_at, met.met_by) == (arrived_at, taken.id)
    (file,) = await house.parts.store.read(
        lambda tx: attachments.of_message(tx, held.partnership, MessageId(taken.id))
    )
    assert (file.media_type, file.agency, file.size_bytes) == ("application/pdf", HOSPITALS, len(PDF))
    with pytest.raises(Refused):
        await take_held_return(house.parts, held, None, Judged("full"), "Winifred Stave")


async def test_a_mailed_return_is_taken_in_the_page_once_and_what_is_missing_is_asked_for(
    house: House,
) -> None:
    """M12, G-09: the officer opens it, says how fully it answers, and the duty is met as of its arrival."""
    referral, duty = await asked(house)
    arrived_at = house.clock()
    raw = written(HOSPITAL, f"Return {referral['incident']}", "See file.", ("r.pdf", "application/pdf", PDF))
    await take_in(house, stamped(raw))
    (held,) = await mail_held(house)
    path = f"/console/held/{held.id}"
    house.clock.move_by(minutes=5)
    async with signed_in(house) as officer:
        page = await officer.get(path)
        assert "Open what it says first." in page.words
        page = await officer.send(f"{path}/words")
        assert "Take it as their return" in page.words
        assert "take-return" not in page.words
        slip = await officer.send(f"{path}/return", kind="nil", words="", records="")
        assert slip.status == 422
        assert re.findall(r"href=\"#(\w+)\">", slip.text)[1:] == ["words", "records"]
        assert (await officer.send(f"{path}/return", kind="full", request="msg-of-another")).status == 400
        token = {"form_token": slip.hidden("form_token")}
        said = {"kind": "nil", "words": "We had no contact.", "records": "Patient system\nArchive"}
        twice = [await officer.post(f"{path}/return", **token, **said) for _ in range(2)]
        assert [one.status for one in twice] == [303, 303], twice[0].words
        assert "as of the moment" in (await officer.get(twice[0].headers["location"])).words
    (met,) = [d for d in await duties_of(house, referral) if d.id == duty.id]
    assert met.met_at == arrived_at
    assert met.met_by is not None
    files = await house.parts.store.read(
        lambda tx: attachments.of_message(tx, held.partnership, MessageId(str(met.met_by)))
    )
    assert [file.media_type for file in files] == ["application/pdf"]


async def test_a_file_is_scanned_before_anyone_opens_it_and_an_infected_one_is_never_taken(
    house: House,
) -> None:
    referral, _ = await asked(house)
    files = (("a.txt", "text/plain", EICAR), ("b.doc", "application/msword", b"\x00\x01binary"))
    await take_in(house, stamped(written(HOSPITAL, f"Return {referral['incident']}", "Return.", *files)))
    (held,) = await mail_held(house)
    assert {"attachment-infected", "attachment-other-type"} <= set(held.reasons)
    with pytest.raises(Infected):
        await take_held_return(house.parts, held, None, Judged("full"), "Winifred Stave")
    assert await mail_held(house) == [held]


@pytest.mark.needs("clamav")
async def test_the_real_scanner_finds_the_test_file_in_a_mail(house: House) -> None:
    from adapters.scanner import ClamdScanner
    from gateway.actions.mail_files import files_of, judged_files
    from gateway.core.replies import MailExpected

    raw = stamped(
        written(HOSPITAL, "x", "x", ("a.txt", "text/plain", EICAR), ("b.pdf", "application/pdf", PDF))
    )
    with real_clamd() as url:
        parts = replace(house.parts, scan=ClamdScanner(url, 60))
        reading = parts.read_mail(raw, MailExpected())
        found = await judged_files(parts, await files_of(parts, raw, reading.files), reading)
    assert [one["reasons"] for one in found] == [["attachment-infected"], []]


async def test_a_stranger_who_names_an_incident_reaches_none(house: House) -> None:
    referral, _ = await asked(house)
    await take_in(house, stamped(written("x@elsewhere.example", f"Return {referral['incident']}", "x")))
    (held,) = await mail_held(house)
    assert held.incident is None


async def test_a_letter_that_came_back_goes_to_the_deputy_and_a_second_time_to_an_officers_telephone(
    house: House,
) -> None:
    """G-04, S3-23: whoever is next is one that the directory has; the notice itself closes nothing."""
    _, _, delivery = await a_sent_letter(house)
    rungs = []
    for number in (1, 2):
        await take_in(house, notice("failed", f"Original-Envelope-Id: {delivery}", f"X-Number: {number}"))
        row = await house.parts.store.read(lambda tx: deliveries.find(tx, DeliveryId(delivery)))
        assert row is not None
        rungs.append((row.rung, row.to_deputy, row.state.value))
    assert rungs == [(Rung.DEPUTY, True, "pending"), (Rung.TELEPHONE, True, "pending")]
    calls = [held for held in await waiting(house) if "telephone-them" in held.reasons]
    assert [call.reasons for call in calls] == [("telephone-them", "letter-came-back")]


# --- a school's reply -------------------------------------------------------------------------------------------------


def answered(letter: LetterRow, held: str, more: str = "") -> bytes:
    text = f"a. 03/09/2018 to 21/07/2023\nb. N/A\nc. {held}\n{more}"
    return stamped(written(LEAD, f"RE: confirmation needed, reference {letter.reference}", text))


async def test_a_clear_no_waits_for_an_officer_where_the_pack_says_so_and_a_yes_does_not(
    house: House,
) -> None:
    """S2-22: a false No hides a child at risk; a partnership may have every one confirmed (`officer_confirms_no`)."""
    said = 'expects = "dsl-confirmation"\nclock = "B13"\n'
    await arrange(house, "", (said, said + "officer_confirms_no = true\n"))
    states = {}
    for answer in ("No", "Yes"):
        referral, letter, _ = await a_sent_letter(house)
        await take_in(house, answered(letter, answer))
        states[answer] = {
            d.state for d in await duties_of(house, referral) if d.expects == "dsl-confirmation"
        }
    assert states == {"No": {DutyState.OPEN}, "Yes": {DutyState.MET}}
    (held,) = await mail_held(house)
    assert "no-by-officer" in held.reasons


async def test_s2_22_a_file_that_went_to_another_school_has_a_letter_drafted_there(house: House) -> None:
    """Only on the word of the lead who was written to; it is released by a person or not at all, and drafted once."""
    _, letter, _ = await a_sent_letter(house)
    more = "The child protection file was transferred to Cliffside Secondary School in July 2023.\n"
    for raw in (
        answered(letter, "Yes", more).replace(b"dkim=pass", b"dkim=fail"),
        answered(letter, "Yes", more),
    ):
        await take_in(house, raw)
    await take_in(house, b"X-Again: 1\r\n" + answered(letter, "Yes", more))
    drafted = [held for held in await waiting(house) if held.subject_kind == "delivery"]
    assert [{"awaits-release", "file-transferred"} <= set(held.reasons) for held in drafted] == [True]
    assert drafted[0].incident == letter.incident


async def test_a_reply_behind_a_portal_waits_for_a_person_and_is_no_silence(house: House) -> None:
    """Reference 1.1: nothing may state that nobody answered while a reply waits to be opened; its clock runs on."""
    referral, letter, _ = await a_sent_letter(house)
    text = f"Click to read this secure email online. {letter.reference}"
    await take_in(
        house, stamped(written(LEAD, f"RE: confirmation needed, reference {letter.reference}", text))
    )
    (held,) = await mail_held(house)
    assert (held.incident, "portal-wrapped" in held.reasons) == (letter.incident, True)
    assert await waits_for_officer(house, letter)
    owed = {d.state for d in await duties_of(house, referral) if d.expects == "dsl-confirmation"}
    assert owed == {DutyState.OPEN}


async def test_a_preview_shows_what_would_leave_and_to_whom_states_it_and_sends_nothing(
    house: House, tmp_path: Path
) -> None:
    await reach_by(house, SCHOOL, "mail", "dsl")
    referral = await refer(house)
    await decide_all(house, referral)
    incident = referral["incident"]
    (letter,) = [
        one
        for one in await waiting_of(house.parts, incident, "Winifred Stave", tmp_path)
        if one["type"] == "dsl-letter"
    ]
    assert letter["to"] == {"agency": letter["to"]["agency"], "role": "dsl", "way": "mail", "address": LEAD}
    assert (letter["state"], letter["class"]) == ("held", "gov-secure")
    assert "Elowen" in letter["text"]
    assert "Elowen" not in letter["subject"]
    (file,) = (Path(name) for name in letter["files"])
    assert file.stat().st_mode & 0o077 == 0
    assert f"To: {LEAD}".encode() in file.read_bytes()
    (delivery,) = [
        row for row in await house.parts.store.read(deliveries.every) if row.id == letter["delivery"]
    ]
    assert (delivery.state.value, delivery.attempt) == ("held", 0)
    assert len(await entries_named(house, "IncidentViewed")) == 1


async def test_a_preview_of_a_restricted_incident_shows_nobody_else_even_what_waits(house: House) -> None:
    referral = await refer(house)
    incident = IncidentId(referral["incident"])
    wanted = Restriction(incident, "Winifred Stave", "staff-named")
    await house.parts.perform(restrict_incident, wanted, SOUTH_TYNESIDE, incident)
    assert await waiting_of(house.parts, incident, "Winifred Stave")
    with pytest.raises(Restricted):
        await waiting_of(house.parts, incident, "Desmond Quill")


async def test_what_comes_to_a_letters_own_address_is_read_before_strangers_mails(house: House) -> None:
    """Anybody may write to the mailbox, a thousand mails if they like: a school's answer waits behind none of them."""
    _, letter, _ = await a_sent_letter(house)
    guessed = letter.token[:-1] + ("0" if letter.token[-1] != "0" else "1")
    answer = ("answers", f"replies+{letter.token}@council.example")
    for subject, to in (
        ("first", "x@council.example"),
        ("guessed", f"replies+{guessed}@council.example"),
        answer,
    ):
        raw = stamped(written(LEAD, subject, "Words", to=to))
        await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    first = await house.parts.store.read(lambda tx: mail.unread(tx, 3))
    assert await intake.read_kept(house.parts) == 3
    rows = [await house.parts.store.read(lambda tx: mail.find_raw(tx, row.id)) for row in first]  # noqa: B023
    assert [row is not None and row.incident for row in rows] == [letter.incident, None, None]
