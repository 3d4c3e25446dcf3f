"""Erasing: nothing of an incident can be read again, in any byte of either database, and its receipts still verify."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.actions.erase import Erasure, begin_erasure
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import finish_erasures
from gateway.store import custody, deliveries, duties, holds, incidents, mail
from gateway.store import tables as t
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

ORDER = (
    *("--reason", "retention-ended"),
    *("--officer", "Winifred Stave", "--second-officer", "Caspian Reed"),
)
SAID_BY_TELEPHONE = "Spoken words that nobody may find again"
REPLIED = "He joined us in September, ask Mrs Quibblethorpe. No - but please ring me."
NEVER_AGAIN = (
    "Testington",
    "Elowen",
    "Rosalind",
    "9990000018",
    "D393999924017",
    "14 Example Terrace",
    "Quibblethorpe",
    SAID_BY_TELEPHONE,
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


@pytest.fixture
async def incident(house: House) -> IncidentId:
    """A referral that all three decided on, a letter released, its reply held; one telephone call recorded."""
    async with house.client("northshire-police") as police:
        referral = await police.submit(house.example("referral", reference="NP-1"))
    for agency, seat in (("northshire-police", "dsp-police"), ("south-tyneside-council", "dsp-la")):
        await _decide(house, referral, agency, seat)
    await _telephone(house, referral["incident"])
    (letter,) = [one for one in await _holds(house) if one["subject_kind"] == "delivery"]
    await gateway(house, "held", "release", letter["id"], "--officer", "Winifred Stave")
    await _reply(house, letter["subject"])
    return IncidentId(referral["incident"])


async def _decide(house: House, referral: dict[str, Any], agency: str, seat: str) -> None:
    body = {"seat": seat, "decided_at": house.clock().isoformat()}
    names = {"incident": referral["incident"], "in_reply_to": referral["id"], "reference": f"decision-{seat}"}
    async with house.client(agency) as partner:
        await partner.submit(house.example("triage-decision", body, **names))


async def _telephone(house: House, incident: str) -> None:
    listed = (await gateway(house, "duties", "list", "--incident", incident, "--state", "open"))["duties"]
    (duty,) = [one for one in listed if one["expects"] == "triage-decision"]
    said = ("--outcome", "sin-and-rapid-review", "--criteria-met", "yes", "--reasons", SAID_BY_TELEPHONE)
    who = ("--decided-by", "Henrietta Sorley", "--post", "Director of Nursing", "--officer", "W. Stave")
    await gateway(house, "duties", "complete", duty["id"], *said, *who)


async def _holds(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await gateway(house, "held", "list"))["holds"]
    return found


async def _reply(house: House, delivery: str) -> None:
    """An unclear reply arrives, is kept, read and held."""
    row = await house.parts.store.read(lambda tx: deliveries.find(tx, delivery))  # type: ignore[arg-type]
    assert row is not None
    letter = await house.parts.store.read(lambda tx: mail.letter_of_message(tx, row.message))
    assert letter is not None
    message = EmailMessage()
    message["From"], message["To"] = "dsl@harbour-view.example", "letters@council.example"
    message["Subject"] = f"Re: reference {letter.reference}"
    message.set_content(REPLIED)
    to = f"letters+{letter.token}@council.example"
    at = house.clock()
    await intake.keep(house.parts, "mailbox", message.as_bytes(), envelope_to=to, arrived_at=at)
    async with asyncio.timeout(20):
        while not any(one["subject_kind"] == "mail" for one in await _holds(house)):
            await asyncio.sleep(0.1)


async def _keys_of(house: House, incident: IncidentId) -> int:
    """How many data keys of the incident can still be opened."""
    return int(await house.parts.custody.read(lambda tx: custody.of_incident(tx, incident)) is not None)


def _files(house: House) -> dict[str, bytes]:
    """Every byte of both databases, write-ahead logs among them."""
    found = {path.name: path.read_bytes() for path in (house.folder / "var").glob("gateway*.sqlite3*")}
    assert {"gateway.sqlite3", "gateway-custody.sqlite3"} <= found.keys()
    return found


async def _wrapped(house: House) -> list[bytes]:
    query = select(t.data_key.c.wrapped).where(t.data_key.c.wrapped.is_not(None))
    return list(await house.parts.custody.read(lambda tx: tx.execute(query).scalars().all()))


async def _sealed(house: House) -> list[bytes]:
    columns = (t.message.c.sealed, t.entry.c.disclosures, t.raw_mail.c.sealed, t.raw_mail.c.sealed_reading)
    queries = [select(column).where(column.is_not(None)) for column in columns]
    return list(
        await house.parts.store.read(
            lambda tx: [one for q in queries for one in tx.execute(q).scalars().all()]
        )
    )


def _pieces(sealed: bytes) -> list[bytes]:
    """What is longer than a page of the database lies in several, and nowhere in one piece."""
    return [sealed[at : at + 32] for at in range(0, len(sealed) - 31, 32)]


async def test_no_byte_of_either_database_tells_anything_afterwards(
    house: House, incident: IncidentId
) -> None:
    wrapped, sealed = await _wrapped(house), await _sealed(house)
    assert len(wrapped) >= 2, "the incident's key and the reply's"
    assert len(sealed) > 10
    before = b"".join(_files(house).values())
    assert all(one in before for one in wrapped), "the search finds what is there"
    assert all(any(piece in before for piece in _pieces(one)) for one in sealed), "and this too"
    told = await gateway(house, "erase", incident, *ORDER)
    assert told["state"] == "erased"
    for name, content in _files(house).items():
        assert not [word for word in NEVER_AGAIN if word.encode() in content], name
        assert not [key for key in wrapped if key in content], f"{name} still holds a wrapped data key"
        left = [one for one in sealed if any(piece in content for piece in _pieces(one))]
        assert not left, f"{name} still holds sealed content"
    assert await _wrapped(house) == []


async def test_nothing_waits_and_nothing_is_sent_of_an_erased_incident(
    house: House, incident: IncidentId
) -> None:
    await gateway(house, "erase", incident, *ORDER)
    assert await house.parts.store.read(holds.open_holds) == []
    counts = await house.parts.store.read(deliveries.counts_by_state)
    assert not counts.keys() & {"pending", "held"}
    now = house.clock().replace(year=house.clock().year + 1)
    assert await house.parts.store.read(lambda tx: duties.to_chase(tx, now, 50)) == []
    assert await house.parts.store.read(lambda tx: duties.lapsed(tx, now, 50)) == []


async def test_the_same_receipts_verify_before_and_after(house: House, incident: IncidentId) -> None:
    before, after, policy = (str(house.folder / name) for name in ("before.zip", "after.zip", "policy.json"))
    await gateway(house, "evidence", "policy", "--out", policy)
    await gateway(house, "evidence", "export", incident, "--out", before)
    first = await gateway(house, "evidence", "verify", before, "--policy", policy)
    await gateway(house, "erase", incident, *ORDER)
    await gateway(house, "evidence", "export", incident, "--out", after)
    second = await gateway(house, "evidence", "verify", after, "--policy", policy)
    assert (first["verdict"], first["content"]) == ("VALID", "matches")
    assert (second["verdict"], second["content"]) == ("VALID", "erased")
    assert second["receipts"] > first["receipts"]
    figures = await gateway(house, "reconcile")
    assert figures["unexplained"] == 0, figures["findings"]


async def test_a_legal_hold_forbids_it(house: House, incident: IncidentId) -> None:
    await house.parts.store.transact(
        lambda tx: incidents.change(tx, SOUTH_TYNESIDE, incident, legal_hold=True)
    )
    status, out, err = await attempt(house, "erase", incident, *ORDER)
    assert (status, out, err) == (
        1,
        "",
        "gateway: A legal hold forbids erasure: two officers lift it first.\n",
    )
    assert await _keys_of(house, incident) == 1


async def test_one_person_alone_cannot_order_it(house: House, incident: IncidentId) -> None:
    alone = ("--reason", "retention-ended", "--officer", "W. Stave", "--second-officer", " w.  stave ")
    status, out, err = await attempt(house, "erase", incident, *alone)
    assert (status, out) == (1, "")
    assert err == "gateway: A second officer, another person, must agree to this.\n"
    assert await _keys_of(house, incident) == 1


async def test_a_reason_with_words_in_it_is_wrong_use(house: House, incident: IncidentId) -> None:
    words = ("--reason", "Elowen moved", "--officer", "A", "--second-officer", "B")
    status, out, err = await attempt(house, "erase", incident, *words)
    assert (status, out) == (2, "")
    assert "Elowen" not in err
    assert await _keys_of(house, incident) == 1


async def test_an_erasure_that_a_crash_interrupted_is_finished_by_the_timetable(
    house: House, incident: IncidentId
) -> None:
    asked = Erasure(incident, "Winifred Stave", "Caspian Reed", "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    await finish_erasures(house.parts)
    found = await house.parts.store.read(lambda tx: incidents.find(tx, SOUTH_TYNESIDE, incident))
    assert found is not None
    assert (found.state, found.erased_at is not None) == ("erased", True)
    assert await _wrapped(house) == []
    assert not [
        word for word in NEVER_AGAIN for content in _files(house).values() if word.encode() in content
    ]


async def test_it_is_done_once_and_takes_no_more_messages(house: House, incident: IncidentId) -> None:
    await gateway(house, "erase", incident, *ORDER)
    status, _, err = await attempt(house, "erase", incident, *ORDER)
    assert (status, err) == (1, "gateway: This incident is erased already.\n")
    submission = json.dumps(house.example("triage-decision", {"seat": "dsp-icb"}, incident=incident))
    async with house.client("northshire-icb") as icb:
        with pytest.raises(Exception, match="409"):
            await icb.submit(submission.encode())


async def test_an_unknown_incident_cannot_be_erased(house: House) -> None:
    asked = Erasure(IncidentId("SI-7K3M-9QPX-2D"), "Winifred Stave", "Caspian Reed", "retention-ended")
    with pytest.raises(Refused) as refused:
        await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    assert refused.value.code is ErrorCode.NOT_FOUND
