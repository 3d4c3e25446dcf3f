"""What becomes of a file that a message named: withheld until an officer has looked, exported with the incident, erased with it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.export import own_policy, read_bundle
from gateway.agency.client import AgencyProblem
from gateway.core.content_types import DOCX, PDF
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.erasing import complete_erasure
from gateway.dispatch.timetable import seal_waiting
from gateway.ledger import verify
from gateway.ledger.bundle import store_zip
from gateway.store import tables as t
from tests import files
from tests.actions.scene import COUNCIL, POLICE, entries_of, let_go, send, waiting
from tests.gateway_house import House, gateway_house
from tests.scanners import scripted_clamd

MACROS = files.docx({"word/vbaProject.bin": b"x"})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with scripted_clamd() as clamd, gateway_house(tmp_path, scanner_url=clamd.url) as running:
        await running.gateway.dispatch.stop()
        yield running


async def refer_with(house: House, *contents: tuple[bytes, str]) -> tuple[Any, list[dict[str, Any]]]:
    async with house.client(POLICE) as police:
        kept = [await police.attach(content, media_type) for content, media_type in contents]
    named = [{"id": one["id"], "sha256": one["sha256"]} for one in kept]
    return await send(house, POLICE, "referral", attachments=named), kept


async def council_fetches(house: House, kept: dict[str, Any]) -> bytes:
    await carry_due(house.parts)
    into = house.folder / "fetched"
    async with house.client(COUNCIL) as council:
        (delivery,) = await council.inbox()
        await council.fetch_attachment(delivery["id"], kept["id"], kept["sha256"], into)
    return into.read_bytes()


async def test_a_doubtful_file_waits_for_an_officer_and_its_message_does_not(house: House) -> None:
    answer, (kept,) = await refer_with(house, (MACROS, DOCX))
    assert kept["withheld"] == ["attachment-macros"]
    assert answer["decision"] == "forward"
    (hold,) = [one for one in await waiting(house) if one.subject_kind == "attachment"]
    assert (hold.subject, hold.incident, hold.reasons) == (
        kept["id"],
        answer["incident"],
        ("attachment-macros",),
    )
    with pytest.raises(AgencyProblem) as problem:
        await council_fetches(house, kept)
    assert (problem.value.status, problem.value.code) == (409, "conflicting-state")
    await let_go(house, hold)
    assert await council_fetches(house, kept) == MACROS
    events = [entry.event for entry in await entries_of(house, answer["id"])]
    assert [event for event in events if event in ("Held", "Released")] == ["Held", "Released"]


async def test_a_file_that_an_officer_stops_reaches_nobody(house: House) -> None:
    _, (kept,) = await refer_with(house, (files.encrypted_pdf(), PDF))
    (hold,) = [one for one in await waiting(house) if one.subject_kind == "attachment"]
    await let_go(house, hold, refuse=True)
    with pytest.raises(AgencyProblem) as problem:
        await council_fetches(house, kept)
    assert problem.value.status == 409


async def test_the_sender_sees_what_became_of_its_files(house: House) -> None:
    answer, kept = await refer_with(house, (files.pdf(), PDF), (MACROS, DOCX))
    async with house.client(POLICE) as police:
        told = {one["id"]: one for one in (await police.message(answer["id"]))["attachments"]}
    assert [told[one["id"]]["available"] for one in kept] == [True, False]
    assert told[kept[1]["id"]]["withheld"] == ["attachment-macros"]


async def _bundle(house: House, incident: IncidentId) -> bytes:
    await seal_waiting(house.parts)
    key = await house.parts.key_of(incident)
    return await house.parts.store.read(
        lambda tx: read_bundle(tx, house.parts, SOUTH_TYNESIDE, incident, key)
    )


def _finding(house: House, bundle: bytes) -> verify.Finding:
    policy = verify.load_policy(json.dumps(own_policy(house.parts)).encode())
    return verify.verify_bundle(bundle, policy)


def _changed(bundle: bytes, change: Any) -> bytes:
    """The bundle with other attachments, and a manifest that agrees."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    manifest = json.loads(content.pop("manifest.json"))
    manifest["files"] = {name: verify.hashlib.sha256(one).hexdigest() for name, one in content.items()}
    return store_zip(content | {"manifest.json": verify.written(manifest)})


async def test_the_bundle_holds_every_file_and_its_verifier_knows_another_one(house: House) -> None:
    answer, kept = await refer_with(house, (files.pdf(), PDF), (MACROS, DOCX))
    bundle = await _bundle(house, IncidentId(answer["incident"]))
    names = {one["id"]: f"attachments/{one['id']}.bin" for one in kept}
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        assert archive.read(names[kept[0]["id"]]) == files.pdf()
        assert archive.read(names[kept[1]["id"]]) == MACROS
    assert (_finding(house, bundle).verdict, _finding(house, bundle).content) == ("VALID", "matches")
    first = names[kept[0]["id"]]
    other = _finding(house, _changed(bundle, lambda content: content.update({first: b"%PDF- another"})))
    assert (other.verdict, other.reason) == (
        "INVALID",
        "content: an attachment is not one that a message was committed to",
    )
    without = _finding(house, _changed(bundle, lambda content: content.pop(first)))
    assert (without.verdict, without.content) == ("VALID", "not supplied")


async def test_erasing_an_incident_destroys_its_files_and_their_keys(house: House) -> None:
    answer, kept = await refer_with(house, (files.pdf(), PDF), (MACROS, DOCX))
    incident = IncidentId(answer["incident"])
    await carry_due(house.parts)

    def left(tx: Any) -> tuple[int, int]:
        chunks = tx.execute(sa.select(sa.func.count()).select_from(t.attachment_chunk)).scalar()
        digests = tx.execute(sa.select(sa.func.count(t.attachment.c.fingerprint))).scalar()
        return chunks, digests

    assert await house.parts.store.read(left) == (2, 2)
    asked = Erasure(incident, "Officer Placeholder", "Second Placeholder", "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, incident)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)
    assert await house.parts.store.read(left) == (0, 0)
    keys = await house.parts.custody.read(
        lambda tx: tx.execute(sa.select(sa.func.count(t.data_key.c.wrapped))).scalar()
    )
    assert keys == 0
    assert await waiting(house) == []
    finding = _finding(house, await _bundle(house, incident))
    assert (finding.verdict, finding.content) == ("VALID", "erased")
    with pytest.raises(AgencyProblem) as problem:
        await council_fetches(house, kept[0])
    assert problem.value.status == 409
