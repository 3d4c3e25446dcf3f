"""The officer's commands beside a serving gateway: held, duties, deliveries, reconcile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.core.deliveries import DeliveryState
from gateway.core.messages import AgencyId
from gateway.core.presence import Term
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.store import deliveries, directory, log, mail
from gateway.store import tables as t
from gateway.store.serving_lock import serving_lock
from gateway.store.transaction import Tx
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

POLICE, ICB, COUNCIL, SBU = (
    "northshire-police",
    "northshire-icb",
    "south-tyneside-council",
    "south-tyneside-sbu",
)
OFFICER, SECOND = "Winifred Stave", "Caspian Reed"
BY = ("--officer", OFFICER)
TRIAGE = (
    "--outcome",
    "sin-and-rapid-review",
    "--criteria-met",
    "yes",
    "--decided-by",
    "Henrietta Sorley",
    "--post",
    "Director of Nursing",
    "--reasons",
    "Told by telephone: the criteria are met.",
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


async def refer(house: House, reference: str = "NP-1") -> dict[str, Any]:
    async with house.client(POLICE) as police:
        answer: dict[str, Any] = await police.submit(house.example("referral", reference=reference))
    return answer


async def decide(house: House, referral: dict[str, Any], agency: str, seat: str) -> dict[str, Any]:
    document = house.example(
        "triage-decision",
        {"seat": seat, "decided_at": house.clock().isoformat()},
        reference=f"decision-{seat}",
        incident=referral["incident"],
        in_reply_to=referral["id"],
    )
    async with house.client(agency) as partner:
        answer: dict[str, Any] = await partner.submit(document)
    return answer


async def decided(house: House) -> dict[str, Any]:
    """An incident on which all three have decided, so that a letter waits for release."""
    referral = await refer(house)
    for agency, seat in ((POLICE, "dsp-police"), (COUNCIL, "dsp-la"), (ICB, "dsp-icb")):
        await decide(house, referral, agency, seat)
    return referral


async def the_hold(house: House, kind: str) -> dict[str, Any]:
    """The one hold of this kind; waits for it to appear."""
    async with asyncio.timeout(20):
        while True:
            found = [
                one for one in (await gateway(house, "held", "list"))["holds"] if one["subject_kind"] == kind
            ]
            if found:
                hold: dict[str, Any] = found[0]
                return hold
            await asyncio.sleep(0.1)


async def sealed(house: House) -> None:
    async with asyncio.timeout(20):
        while await house.parts.store.read(log.count_unsealed):
            await asyncio.sleep(0.02)


async def settled(house: House) -> None:
    """Nothing is pending any more."""
    async with asyncio.timeout(20):
        while (await house.parts.store.read(deliveries.counts_by_state)).get("pending"):
            await asyncio.sleep(0.02)


# --- duties


async def test_a_list_goes_on_where_the_one_before_ended(house: House) -> None:
    await refer(house)
    await refer(house, "NP-2")
    for group in ("duties", "deliveries", "incidents"):
        whole = (await gateway(house, group, "list"))[group]
        first = await gateway(house, group, "list", "--limit", "1")
        rest = await gateway(house, group, "list", "--after", first["next"])
        assert (first[group] + rest[group], rest["next"]) == (whole, None)
        status, _, err = await attempt(house, group, "list", "--after", "nothing-here")
        assert (status, err) == (1, "gateway: --after names nothing that is here.\n")


async def test_a_telephoned_decision_completes_the_missing_partners_duty_and_the_outcome_follows(
    house: House,
) -> None:
    referral = await refer(house)
    await decide(house, referral, POLICE, "dsp-police")
    await decide(house, referral, COUNCIL, "dsp-la")
    told = await gateway(house, "duties", "list", "--incident", referral["incident"], "--state", "open")
    assert [one["in_words"] for one in told["decisions"]] == ["2 of 3 have decided, ICB missing"]
    (duty,) = [one for one in told["duties"] if one["expects"] == "triage-decision"]
    assert (duty["agency"], duty["role"]) == (ICB, "dsp-icb")

    done = await gateway(house, "duties", "complete", duty["id"], *TRIAGE, *BY)
    assert done["duty"]["state"] == "met"
    assert done["duty"]["met_by"] == done["message"]
    after = await gateway(house, "duties", "list", "--incident", referral["incident"])
    assert [(one["outcome"], one["missing"]) for one in after["decisions"]] == [("sin-and-rapid-review", [])]

    status, out, err = await attempt(house, "duties", "complete", duty["id"], *TRIAGE, *BY)
    assert (status, out) == (1, "")
    assert err == "gateway: This duty is answered or waived already.\n"


async def test_a_whole_message_completes_only_the_duty_that_expects_it(house: House, tmp_path: Path) -> None:
    referral = await refer(house)
    listed = (await gateway(house, "duties", "list"))["duties"]
    duty = next(one for one in listed if one["role"] == "dsp-la" and one["expects"] == "triage-decision")
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(house.example("referral", incident=referral["incident"])))
    status, _, err = await attempt(house, "duties", "complete", duty["id"], "--answer", str(file), *BY)
    assert (status, err) == (1, "gateway: The message does not meet its schema: /type not-of-this-duty\n")
    document = house.example(
        "triage-decision",
        {"seat": "dsp-la", "decided_at": house.clock().isoformat()},
        incident=referral["incident"],
        in_reply_to=referral["id"],
    )
    file.write_text(json.dumps(document))
    done = await gateway(house, "duties", "complete", duty["id"], "--answer", str(file), *BY)
    assert done["duty"]["state"] == "met"
    status, _, err = await attempt(house, "duties", "complete", duty["id"], *BY)
    assert status == 2
    assert "--answer FILE.json" in err


async def test_a_duty_is_waived_by_two_people_and_what_the_law_sets_by_nobody(house: House) -> None:
    await refer(house)
    listed = {one["clock"]: one for one in (await gateway(house, "duties", "list"))["duties"]}
    words = ("--reason", "Answered in the meeting", *BY)
    waive = ("duties", "waive", listed["K11"]["id"], *words)
    status, _, err = await attempt(house, *waive, "--second-officer", OFFICER.upper())
    assert (status, err) == (1, "gateway: A second officer, another person, must agree to this.\n")
    assert (await gateway(house, *waive, "--second-officer", SECOND))["state"] == "waived"
    again = await attempt(house, *waive, "--second-officer", SECOND)
    assert again[0] == 1
    status, _, err = await attempt(
        house, "duties", "waive", listed["K12"]["id"], *words, "--second-officer", SECOND
    )
    assert (status, err) == (1, "gateway: The law sets this duty: no officer can waive it.\n")


# --- held


async def test_a_letter_is_read_and_released_and_opening_it_leaves_an_entry(house: House) -> None:
    referral = await decided(house)
    hold = await the_hold(house, "delivery")
    assert hold["reasons"] == ["awaits-release"]
    assert hold["in_words"] == ["a person must read this letter before it goes out"]
    assert "Testington" not in json.dumps(hold)
    shown = await gateway(house, "held", "show", hold["id"], *BY)
    assert "Elowen Mae Testington" in shown["letter_text"]
    assert "Testington" not in shown["letter_subject"]
    told = await gateway(house, "mail", "preview", referral["incident"], *BY)
    (letter,) = [one for one in told["waiting"] if one["type"] == "dsl-letter"]
    assert (letter["state"], letter["to"]["way"], letter["text"]) == ("held", "inbox", None)
    seen = await house.parts.store.read(
        lambda tx: [e.event for e in log.entries_of_incident(tx, hold["partnership"], referral["incident"])]
    )
    assert seen.count("IncidentViewed") == 2, "the letter opened, and the list of what waits"
    assert (await gateway(house, "held", "release", hold["id"], *BY))["settled_as"] == "released"
    status, out, err = await attempt(house, "held", "release", hold["id"], *BY)
    assert (status, out, err) == (1, "", "gateway: Somebody has already dealt with this.\n")
    assert (await gateway(house, "held", "list"))["holds"] == []
    waiting = (await gateway(house, "duties", "list"))["duties"]
    assert [one["agency"] for one in waiting if one["expects"] == "dsl-confirmation"] == [
        "harbour-view-primary"
    ]


async def test_a_refused_letter_is_never_sent(house: House) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    await gateway(house, "held", "refuse", hold["id"], *BY, "--reason", "The child has moved school")
    cancelled = await gateway(house, "deliveries", "list", "--state", "cancelled")
    assert [one["id"] for one in cancelled["deliveries"]] == [hold["subject"]]
    await settled(house)
    await sealed(house)
    figures = await gateway(house, "reconcile")
    assert (figures["unexplained"], figures["failed"]) == (0, 1)


async def reply_to(house: House, hold: dict[str, Any], words: str, quoting: bool = True) -> None:
    """A mail that answers the letter of a hold reaches the mailbox."""
    delivery = await house.parts.store.read(lambda tx: deliveries.find(tx, hold["subject"]))
    assert delivery is not None
    letter = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, delivery.message))
    assert letter is not None
    message = EmailMessage()
    message["From"], message["To"] = "dsl@harbour-view.example", "letters@council.example"
    message["Subject"] = f"Re: reference {letter.reference}" if quoting else "About a pupil"
    message.set_content(words)
    arrived_at = house.clock()
    to = f"letters+{letter.token}@council.example" if quoting else None
    await intake.keep(house.parts, "mailbox", message.as_bytes(), envelope_to=to, arrived_at=arrived_at)


async def test_an_unclear_reply_is_read_and_answered_by_an_officer(house: House) -> None:
    await decided(house)
    letter = await the_hold(house, "delivery")
    await gateway(house, "held", "release", letter["id"], *BY)
    await reply_to(house, letter, "He joined us in September. No - but please ring me.\n")
    hold = await the_hold(house, "mail")
    shown = await gateway(house, "held", "show", hold["id"], *BY)
    assert "please ring me" in shown["text"]
    assert shown["why"]
    assert shown["suggested"].keys() == {"roll_from", "roll_to", "previous_school", "records_held"}
    told = await gateway(
        house,
        *("held", "answer", hold["id"], *BY, "--roll-from", "2025-09", "--roll-to", "present"),
        *("--previous-school", "not_applicable", "--records-held", "yes"),
    )
    listed = (await gateway(house, "duties", "list"))["duties"]
    (duty,) = [one for one in listed if one["expects"] == "dsl-confirmation"]
    assert (duty["state"], duty["met_by"]) == ("met", told["message"])
    assert (await gateway(house, "held", "list"))["holds"] == []
    await settled(house)
    await sealed(house)
    assert (await gateway(house, "reconcile"))["unexplained"] == 0


async def test_a_reply_without_its_letter_is_answered_once_the_officer_names_the_letter(house: House) -> None:
    referral = await decided(house)
    letter = await the_hold(house, "delivery")
    await gateway(house, "held", "release", letter["id"], *BY)
    await reply_to(house, letter, "On roll since September 2025.\n", quoting=False)
    hold = await the_hold(house, "mail")
    assert hold["incident"] is None
    said = (
        "--roll-from",
        "2025-09",
        "--roll-to",
        "present",
        "--previous-school",
        "x",
        "--records-held",
        "no",
    )
    status, _, err = await attempt(house, "held", "answer", hold["id"], *BY, *said)
    assert (status, err) == (1, "gateway: No letter was matched: say which with --letter SG-….\n")
    delivery = await house.parts.store.read(lambda tx: deliveries.find(tx, letter["subject"]))
    assert delivery is not None
    known = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, delivery.message))
    assert known is not None
    await gateway(house, "held", "answer", hold["id"], *BY, *said, "--letter", known.reference)
    raw = await house.parts.store.read(lambda tx: mail.find_raw(tx, hold["subject"]))
    assert raw is not None
    assert (raw.incident, raw.letter, raw.state) == (referral["incident"], known.reference, "settled")


async def test_an_unknown_hold_is_an_answer_of_no(house: House) -> None:
    for command in (("show",), ("release", *BY), ("refuse", *BY, "--reason", "x"), ("answer", *BY)):
        status, out, err = await attempt(house, "held", command[0], "hld-unknown", *command[1:])
        assert (status, out, err) == (1, "", "gateway: There is no hold of this id.\n")


# --- deliveries


async def fail_one(house: House) -> str:
    """A delivery that failed, as dispatch leaves it; its id."""
    await refer(house)
    await settled(house)
    delivered = await house.parts.store.read(
        lambda tx: deliveries.every(tx, states=[DeliveryState.DELIVERED])
    )
    chosen = delivered[0].id

    def fail(tx: Any) -> None:
        deliveries.change(
            tx, chosen, state=DeliveryState.FAILED_PARTNER.value, next_at=None, last_reason="dns"
        )

    await house.parts.store.transact(fail)
    return str(chosen)


async def test_a_failed_delivery_is_redriven_and_arrives(house: House) -> None:
    failed = await fail_one(house)
    shown = (await gateway(house, "deliveries", "list", "--state", "failed-partner"))["deliveries"]
    assert [(one["id"], one["last_reason"]) for one in shown] == [(failed, "dns")]
    told = await gateway(house, "deliveries", "redrive", "--all-failed", *BY)
    assert told == {"redriven": [failed], "passed_over": []}
    await settled(house)
    row = await house.parts.store.read(lambda tx: deliveries.find(tx, failed))  # type: ignore[arg-type]
    assert row is not None
    assert row.state is DeliveryState.DELIVERED
    status, _, err = await attempt(house, "deliveries", "redrive", failed, *BY)
    assert (status, err) == (1, "gateway: Only a failed delivery can be redriven.\n")
    assert (await attempt(house, "deliveries", "redrive", *BY))[0] == 2


async def test_a_held_letter_is_cancelled_with_its_hold(house: House) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    cancel = ("deliveries", "cancel", hold["subject"], "--reason", "The school has closed", *BY)
    assert (await gateway(house, *cancel))["state"] == "cancelled"
    assert (await gateway(house, "held", "list"))["holds"] == []
    status, _, err = await attempt(house, *cancel)
    assert (status, err) == (1, "gateway: This delivery is done or given up already.\n")


# --- reconcile


async def test_after_ordinary_work_everything_is_accounted_for(house: House) -> None:
    await decided(house)
    await settled(house)
    await sealed(house)
    told = await gateway(house, "reconcile")
    keys = ["accepted", "delivered", "pending", "held", "failed", "unexplained"]
    assert told["unexplained"] == 0, told["findings"]
    assert [key for key in told if key in keys] == keys
    for view in (told, told["messages"], told["deliveries"]):
        assert view["accepted"] == sum(view[key] for key in keys[1:])
    assert told["held"] == 1, "the letter that waits for release"
    assert told["messages"]["accepted"] == 5, "a referral, three decisions, one letter"


async def _break(house: House, statement: Any) -> None:
    await house.parts.store.transact(lambda tx: tx.execute(statement).rowcount)


async def test_whatever_breaks_the_account_is_named_and_the_answer_is_no(house: House) -> None:
    referral = await decided(house)
    await settled(house)
    await sealed(house)
    hold = await the_hold(house, "delivery")
    long_ago = house.clock() - timedelta(hours=1)
    raw = {
        "id": "eml-stuck",
        "way_in": "mailbox",
        "uidvalidity": 1,
        "uid": 1,
        "digest": "x",
        "attempts": 0,
        "is_awaited": False,
    }
    raw |= {"arrived_at": long_ago, "stored_at": long_ago, "state": "stored"}
    delivered = (await house.parts.store.read(lambda tx: deliveries.of_message(tx, referral["id"])))[0].id
    breaks = {
        "a delivery is held and no officer is asked": update(t.hold)
        .where(t.hold.c.id == hold["id"])
        .values(settled_at=long_ago),
        "a delivery is final and the ledger does not say so": update(t.delivery)
        .where(t.delivery.c.id == delivered)
        .values(state="failed-system"),
        "a message stands without the entry that accepted it": update(t.message)
        .where(t.message.c.reference == "decision-dsp-la")
        .values(receipt="ev-other"),
        "an entry has not been sealed for more than a minute": update(t.entry)
        .where(t.entry.c.chain == referral["id"], t.entry.c.seq == 1)
        .values(leaf_index=None, at=long_ago),
    }
    await house.gateway.dispatch.stop()  # nobody mends meanwhile what is broken here
    for statement in breaks.values():
        await _break(house, statement)
    await _break(house, insert(t.raw_mail).values(**raw))
    with serving_lock(house.parts.settings.var_dir / "serving.lock"):
        status, out, _ = await attempt(house, "reconcile", "--json")
    told = json.loads(out)
    expected = {*breaks, "a mail was kept more than five minutes ago and has not been read"}
    assert status == 1
    assert {one["what"] for one in told["findings"]} == expected
    assert told["unexplained"] == len(told["findings"]) == len(expected)
    assert told["waiting"] == []
    status, out, _ = await attempt(
        house, "reconcile", "--json"
    )  # nothing serves: what waits for that is explained
    told = json.loads(out)
    assert {one["what"] for one in told["waiting"]} == {
        "an entry has not been sealed for more than a minute",
        "a mail was kept more than five minutes ago and has not been read",
    }
    assert told["unexplained"] == len(expected) - 2


async def test_a_promised_recipient_without_a_delivery_is_unexplained(house: House) -> None:
    referral = await refer(house)
    await settled(house)
    await sealed(house)
    await house.gateway.dispatch.stop()
    await _break(house, delete(t.delivery).where(t.delivery.c.message == referral["id"]))
    told = json.loads((await attempt(house, "reconcile", "--json"))[1])
    assert told["findings"] == [
        {"what": "a receipt promises recipients and no delivery is owed", "id": referral["id"]}
    ]


async def test_an_accepted_message_whose_row_is_gone_is_unexplained(house: House) -> None:
    referral = await refer(house)
    await settled(house)
    await sealed(house)
    await house.gateway.dispatch.stop()
    await _break(house, delete(t.delivery).where(t.delivery.c.message == referral["id"]))
    await _break(house, delete(t.message).where(t.message.c.id == referral["id"]))
    told = json.loads((await attempt(house, "reconcile", "--json"))[1])
    assert told["findings"] == [
        {"what": "a message was accepted in the ledger and has no row", "id": referral["id"]}
    ]
    assert (told["messages"]["accepted"], told["messages"]["unexplained"]) == (1, 1)


async def test_a_mail_that_cannot_be_taken_is_an_officers_and_stops_nobody_behind_it(house: House) -> None:
    at = house.clock()
    key = await house.parts.make_key(None, at)
    damaged = {
        "id": "eml-damaged",
        "way_in": "mailbox",
        "uidvalidity": 1,
        "uid": 1,
        "digest": "x",
        "is_awaited": False,
        "attempts": 0,
    }
    damaged |= {
        "arrived_at": at,
        "stored_at": at,
        "state": "stored",
        "sealed": b"damaged",
        "data_key": key.id,
    }
    await _break(house, insert(t.raw_mail).values(**damaged))
    await intake.keep(house.parts, "mailbox", b"Subject: behind\n\nwords", envelope_to=None, arrived_at=at)
    async with asyncio.timeout(20):
        while len(found := (await gateway(house, "held", "list"))["holds"]) < 2:
            await asyncio.sleep(0.1)
    reasons = {one["subject"]: one["reasons"] for one in found}
    assert len(reasons) == 2
    assert reasons["eml-damaged"] == ["could-not-be-taken"]


async def test_a_suggested_answer_is_taken_where_the_officer_says_nothing_else(house: House) -> None:
    await decided(house)
    letter = await the_hold(house, "delivery")
    await gateway(house, "held", "release", letter["id"], *BY)
    words = (
        "a. Dates on roll (from and to): 03/09/2025 - present\n"
        "b. Previous school (if applicable): not applicable\n"
        "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child? Yes\n"
    )
    await reply_to(house, letter, words)
    hold = await the_hold(house, "mail")  # complete in itself, but nothing shows that the school wrote it
    shown = await gateway(house, "held", "show", hold["id"], *BY)
    assert shown["suggested"]["roll_from"] == "2025-09-03"
    told = await gateway(house, "held", "answer", hold["id"], *BY, "--as-suggested", "--records-held", "no")
    message = await house.parts.store.read(lambda tx: mail.find_raw(tx, hold["subject"]))
    assert message is not None
    assert message.message == told["message"]


async def test_a_letter_to_a_school_on_holiday_goes_only_when_that_is_confirmed(house: House) -> None:
    await decided(house)
    hold = await the_hold(house, "delivery")
    last_year = Term("Long over", date(2020, 9, 1), date(2020, 12, 18))
    school = AgencyId("harbour-view-primary")
    await house.parts.store.transact(
        lambda tx: directory.replace_terms(tx, SOUTH_TYNESIDE, school, [last_year])
    )
    shown = await gateway(house, "held", "show", hold["id"], *BY)
    assert shown["to_confirm"] == ["school-in-holiday"]
    status, out, err = await attempt(house, "held", "release", hold["id"], *BY)
    assert (status, out) == (1, "")
    assert "school-in-holiday" in err
    assert (await attempt(house, "held", "release", hold["id"], *BY, "--confirm", "all"))[0] == 2
    done = await gateway(house, "held", "release", hold["id"], *BY, "--confirm", "school-in-holiday")
    assert done["settled_as"] == "released"


# --- closing


async def test_an_incident_is_closed_and_opened_again_and_what_stands_in_the_way_is_named(
    house: House,
) -> None:
    """S0-01: neither open duties nor the law's question are passed over."""
    referral = await refer(house)
    words = ("close", referral["incident"], "--reason", "Done.", *BY)
    status, out, err = await attempt(house, *words)
    assert (status, out) == (1, "")
    assert "cannot be closed while these stand: dty-" in err
    await house.parts.store.transact(lambda tx: tx.execute(update(t.duty).values(state="met")).rowcount)
    await settled(house)
    told = await gateway(house, *words)
    assert (told["state"], told["statutory_answer"]) == ("closed", "referred")
    again = await gateway(house, "reopen", referral["incident"], "--reason", "News.", *BY)
    assert (again["state"], again["receipt"][:3]) == ("open", "ev-")


async def test_an_acknowledgement_by_telephone_meets_its_duty(house: House) -> None:
    """G-01: a person at the agency has the message, and an officer took that down."""
    await refer(house)
    listed = (await gateway(house, "duties", "list", "--state", "open"))["duties"]
    (duty,) = [one for one in listed if one["expects"] == "acknowledgement"]
    await settled(house)
    done = await gateway(house, "duties", "complete", duty["id"], "--acknowledged-by", "Osric Vane", *BY)
    assert (done["duty"]["state"], done["receipt"][:3]) == ("met", "ev-")
    status, _, err = await attempt(
        house, "duties", "complete", duty["id"], "--acknowledged-by", "Osric Vane", *BY
    )
    assert (status, err) == (1, "gateway: This duty expects no acknowledgement, or is answered already.\n")


async def test_a_held_attachment_is_written_to_a_file_only_when_one_is_named_and_then_released(
    house: House,
) -> None:
    """Opening it is recorded; the file is its owner's alone, and nothing that is there is written over."""
    content = b"Ring me."
    async with house.client(POLICE) as police:
        kept = await police.attach(content, "text/plain")
        named = [{"id": kept["id"], "sha256": kept["sha256"]}]
        referral = await police.submit(house.example("referral", reference="NP-1", attachments=named))
    hold = await the_hold(house, "attachment")
    assert hold["reasons"] == ["attachment-not-scanned"]
    out = house.folder / "held.bin"
    shown = await gateway(house, "held", "show", hold["id"], *BY)
    assert (shown["message"], shown["media_type"], shown["size_bytes"]) == (referral["id"], "text/plain", 8)
    assert not out.exists()
    shown = await gateway(house, "held", "show", hold["id"], *BY, "--out", str(out))
    assert out.read_bytes() == content
    assert out.stat().st_mode & 0o777 == 0o600
    assert shown["receipt"].startswith("ev-")
    status, _, err = await attempt(house, "held", "show", hold["id"], *BY, "--out", str(out))
    assert (status, "cannot be written" in err) == (2, True)
    await gateway(house, "held", "release", hold["id"], *BY)
    async with house.client(POLICE) as police:
        assert (await police.message(referral["id"]))["attachments"][0]["available"] is True


async def test_a_reason_for_lateness_stands_in_no_list_and_is_opened_by_name(house: House) -> None:
    """S4-22: the list shows that there is a reason, `show` what it is, and the opening is an entry."""
    await refer(house)
    late = await house.parts.store.transact(_make_late)
    words = "The director was at another incident."
    await gateway(house, "duties", "explain", late, "--reason", words, *BY)
    for form in ((), ("--json",)):
        assert words not in (await attempt(house, "duties", "list", *form))[1]
    told = await gateway(house, "duties", "show", late, "--officer", SECOND)
    assert told["duty"]["reason_missing"] is False
    assert [(one["officer"], one["words"]) for one in told["said"]] == [(OFFICER, words)]
    entries = await house.parts.store.read(
        lambda tx: [row.id for row in tx.execute(t.entry.select().where(t.entry.c.event == "IncidentViewed"))]
    )
    assert entries == [told["receipt"]]
    assert words in (await attempt(house, "duties", "show", late, *BY))[1]
    status, out, _ = await attempt(house, "duties", "show", "dty-unknown", *BY)
    assert (status, out) == (1, "")


def _make_late(tx: Tx) -> str:
    """One duty stated as missed; its id."""
    duty = str(tx.execute(select(t.duty.c.id).order_by(t.duty.c.id).limit(1)).scalar_one())
    tx.execute(update(t.duty).where(t.duty.c.id == duty).values(state="missed"))
    return duty


async def test_g_11_a_police_hold_is_placed_by_one_listed_and_lifted_by_two(house: House) -> None:
    """What waited stays held after the lifting, until somebody releases it; each step is refused where it does not fit."""
    referral = await decided(house)
    incident = referral["incident"]
    before = await attempt(
        house, "hold", "lift-police", incident, "--reason", "x", *BY, "--second-officer", SECOND
    )
    assert (before[0], before[2]) == (1, "gateway: This incident is under no police hold.\n")
    placing = ("hold", "police", incident, "--reason", "criminal-proceedings", *BY)
    placed = await gateway(house, *placing)
    assert (placed["incident"], placed["police_hold"]) == (incident, "criminal-proceedings")
    assert placed["receipt"].startswith("ev-")
    assert (await attempt(house, *placing))[0] == 1, "it is placed once"
    (listed,) = (await gateway(house, "hold", "list"))["police_holds"]
    assert (listed["incident"], listed["state"], listed["reason"]) == (
        incident,
        "open",
        "criminal-proceedings",
    )
    status, out, _ = await attempt(house, "hold", "list")
    assert (status, "POLICE HOLD: criminal-proceedings" in out) == (0, True)
    letter = await the_hold(house, "delivery")
    status, _, err = await attempt(house, "held", "release", letter["id"], *BY)
    assert (status, "under a police hold" in err) == (1, True)
    for second in (OFFICER, ""):
        words = ("hold", "lift-police", incident, "--reason", "ended", *BY, "--second-officer", second)
        assert (await attempt(house, *words))[0] in (1, 2), "the second officer is another"
    lifted = await gateway(
        house, "hold", "lift-police", incident, "--reason", "ended", *BY, "--second-officer", SECOND
    )
    assert (lifted["police_hold"], (await gateway(house, "hold", "list"))["police_holds"]) == (None, [])
    assert (await the_hold(house, "delivery"))["id"] == letter["id"], "nothing has gone by itself"
    await gateway(house, "held", "release", letter["id"], *BY)
    for wrong in (("hold", "police", "SI-7K3M-9QPX-2D"), ("hold", "police", incident)):
        status, _, err = await attempt(house, *wrong, "--reason", "Not A Code", *BY)
        assert (status in (1, 2), "Traceback" in err) == (True, False)
