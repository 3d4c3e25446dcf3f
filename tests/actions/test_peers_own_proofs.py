"""What recipients and mail systems said themselves is kept, bound to our statement of it, and goes into the evidence."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.export import own_policy, peers_of, read_bundle
from gateway.agency.client import AgencyClient, AgencyProblem
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import complete_erasure
from gateway.dispatch.timetable import seal_waiting
from gateway.ledger import verify
from gateway.store import mail
from keys.signing import FileSigner
from tests.actions.scene import (
    UNIT,
    coarse_reason,
    decide_all,
    deliveries_of,
    entries_of,
    let_go,
    refer,
    sent_by_the_house,
    waiting,
)
from tests.gateway_house import House

BOUNCE = b"""\
From: MAILER-DAEMON@post.example
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

No such mailbox.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; post.example

Final-Recipient: rfc822; dsl@harbour-view.example
Action: failed
Status: 5.1.1

--b--
"""
READ = b"""\
From: dsl@harbour-view.example
Subject: Read: Private and confidential
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain

Your message was displayed.
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; dsl@harbour-view.example
Disposition: manual-action/MDN-sent-manually; displayed

--b--
"""


async def at_the_unit(house: House) -> tuple[Any, str]:
    """A referral, and its delivery to the business unit."""
    referral = await refer(house)
    found = [row.id for row in await deliveries_of(house, referral["id"]) if row.agency == UNIT]
    return referral, found[0]


async def evidence(house: House, incident: str) -> tuple[verify.Finding, dict[str, bytes]]:
    """The verdict on the incident's bundle under this deployment's policy, and the bundle's files."""
    named = IncidentId(incident)
    await seal_waiting(house.parts)
    key = await house.parts.key_of(named)
    bundle, peers = await house.parts.store.read(
        lambda tx: (read_bundle(tx, house.parts, SOUTH_TYNESIDE, named, key), peers_of(tx))
    )
    policy = verify.load_policy(json.dumps(own_policy(house.parts, peers)).encode())
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return verify.verify_bundle(bundle, policy), files


async def test_a_fetched_message_is_acknowledged_under_the_recipients_own_signature(house: House) -> None:
    referral, delivery = await at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.fetch(delivery)
        await unit.acknowledge(delivery, "system", "sbu")
        said = await unit.acknowledge(delivery, "person", "sbu", "Winifred Stave")
    finding, files = await evidence(house, referral["incident"])
    assert finding.verdict == "VALID"
    assert finding.reason.endswith("; peers: 2 signed by keys that the policy names")
    own = verify.open_acknowledgement(files[f"peer/{said['receipt']['id']}.jws"])
    assert (own.said["by"], own.said["name"], own.said["message"]) == (
        "person",
        "Winifred Stave",
        referral["id"],
    )


async def test_a_declined_message_is_declined_under_the_recipients_own_signature(house: House) -> None:
    referral, delivery = await at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.fetch(delivery)
        await unit.decline(delivery, "Not one of ours")
    finding, files = await evidence(house, referral["incident"])
    assert finding.verdict == "VALID"
    (signed,) = [content for name, content in files.items() if name.startswith("peer/")]
    assert verify.open_acknowledgement(signed).said["reason"] == "Not one of ours"


async def test_a_signature_that_does_not_hold_is_refused_and_the_delivery_waits_on(house: House) -> None:
    _, delivery = await at_the_unit(house)
    stranger = FileSigner.generate("stranger-1", "ES256")
    async with house.client(UNIT) as unit:
        await unit.fetch(delivery)
        said = {"by": "person", "role": "sbu"}
        good = unit.signature(delivery, said)["signed"]
        head, _, signature = good.rpartition(".")
        other_role = unit.signature(delivery, said | {"role": "dsl"})["signed"]
        by_stranger = _signed_by(unit, stranger, delivery, said)
        faults = {
            "signature-not-taken": [f"{head}.{signature[:-8]}AAAAAAAA", other_role, by_stranger],
            "other-content": [_about_other_content(unit, delivery, said)],
        }
        for code, several in faults.items():
            for signed in several:
                assert await _refused(unit, delivery, said | {"signed": signed}) == (422, code)
        house.clock.move_by(hours=1)
        early = _signed_at(unit, house.clock() + timedelta(hours=1), delivery, said)
        assert await _refused(unit, delivery, said | {"signed": early}) == (422, "signature-not-taken")
        assert [one["id"] for one in await unit.inbox()] == [delivery]
        await unit._say(f"/v1/inbox/{delivery}/acknowledgement", said | {"signed": good})


async def _refused(unit: AgencyClient, delivery: str, said: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(AgencyProblem) as problem:
        await unit._say(f"/v1/inbox/{delivery}/acknowledgement", said)
    return problem.value.status, problem.value.code


def _signed_by(unit: AgencyClient, key: FileSigner, delivery: str, said: dict[str, str]) -> str:
    own, unit._key = unit._key, key
    signed = unit.signature(delivery, said)["signed"]
    unit._key = own
    return signed


def _signed_at(unit: AgencyClient, at: Any, delivery: str, said: dict[str, str]) -> str:
    clock, unit._clock = unit._clock, lambda: at
    signed = unit.signature(delivery, said)["signed"]
    unit._clock = clock
    return signed


def _about_other_content(unit: AgencyClient, delivery: str, said: dict[str, str]) -> str:
    return unit.signature(delivery, said | {"content_sha256": "0" * 64})["signed"]


async def test_what_mail_systems_say_of_a_letter_is_stated_as_their_claim_and_kept_whole(
    house: House,
) -> None:
    """A notice of return and a read receipt are bound by digest; neither closes anything, and erasure takes both."""
    referral = await refer(house)
    await decide_all(house, referral)
    (letter, *_) = await sent_by_the_house(house, referral, "dsl-letter")
    for held in [one for one in await waiting(house) if one.subject_kind == "delivery"]:
        await let_go(house, held)
    row = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, letter["id"]))
    assert row is not None
    to = f"letters+{row.token}@council.example"
    for raw in (BOUNCE, READ):
        await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    assert await intake.read_kept(house.parts) == 2
    stated = {entry.event: coarse_reason(entry) for entry in await entries_of(house, letter["id"])}
    assert stated["RelayToNonERDSFailure"] == "dsn-5-1-1"
    assert "ContentAccessTracking" in stated
    finding, files = await evidence(house, referral["incident"])
    assert (finding.verdict, finding.content) == ("VALID", "matches")
    assert finding.reason.endswith("; peers: 2 mails as they came")
    assert sorted(content for name, content in files.items() if name.endswith(".eml")) == sorted(
        (BOUNCE, READ)
    )
    asked = Erasure(IncidentId(referral["incident"]), "Winifred Stave", "Caspian Reed", "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, IncidentId(referral["incident"]))
    finding, files = await evidence(house, referral["incident"])
    assert (finding.verdict, finding.content) == ("VALID", "erased")
    assert not any(name.startswith("peer/") for name in files)
