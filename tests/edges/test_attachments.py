"""Attachments at the door: streamed, judged by content, scanned, sealed; named once within a day, or destroyed."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from gateway.actions.keep_attachment import Sent, keep_attachment
from gateway.agency.client import AgencyProblem
from gateway.core.attachments import LARGEST_BYTES
from gateway.core.content_types import PDF, TEXT
from gateway.core.messages import AgencyId
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.timetable import sweep_attachments, sweep_keys
from gateway.store import tables as t
from keys.sealing import CHUNK_BYTES
from tests import files
from tests.actions.scene import COUNCIL, ICB, POLICE, SCHOOL, entries_named, entries_of, events_of, rows, send
from tests.edges.at_the_door import MARKER, Raw, Said
from tests.gateway_house import House, gateway_house
from tests.scanners import EICAR, Clamd, real_clamd, scripted_clamd
from tests.servers import PostgresServer

WHERE = "/v1/attachments"


@pytest.fixture
async def clamd() -> AsyncIterator[Clamd]:
    async with scripted_clamd() as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, clamd: Clamd) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, scanner_url=clamd.url) as running:
        await running.gateway.dispatch.stop()
        yield running


async def attach(house: House, content: bytes, media_type: str = PDF, agency: str = POLICE) -> dict[str, Any]:
    async with house.client(agency) as client:
        return await client.attach(content, media_type)


def named(answer: dict[str, Any]) -> dict[str, str]:
    return {"id": answer["id"], "sha256": answer["sha256"]}


async def refused(house: House, content: bytes, media_type: str = PDF) -> AgencyProblem:
    with pytest.raises(AgencyProblem) as problem:
        await attach(house, content, media_type)
    return problem.value


async def uploaded(house: House, body: Any, headers: list[tuple[str, str]]) -> Said:
    async with Raw(house, POLICE) as raw:
        return await raw.call("POST", WHERE, body, headers)


def large(size: int) -> bytes:
    """Like a scanned document: no words, and no name of a PDF's by chance."""
    return b"%PDF-1.7\n" + secrets.token_bytes(size - 9).replace(b"/", b"\\")


async def unknown(house: House, *attachments: dict[str, str], agency: str = POLICE) -> tuple[str, str]:
    """The one answer to an attachment that a message may not name."""
    with pytest.raises(AgencyProblem) as problem:
        await send(house, agency, "referral", attachments=list(attachments))
    ((error),) = problem.value.errors
    assert (problem.value.status, problem.value.code) == (422, "invalid-message")
    return error["pointer"], error["code"]


async def first_delivery(house: House, agency: str) -> str:
    await carry_due(house.parts)
    async with house.client(agency) as client:
        found: str = (await client.inbox())[0]["id"]
        return found


async def test_a_file_goes_from_one_agency_to_another_and_is_the_same(house: House, tmp_path: Path) -> None:
    content = large(3 * CHUNK_BYTES + 17)
    kept = await attach(house, content)
    assert kept["sha256"] == hashlib.sha256(content).hexdigest()
    assert (kept["media_type"], kept["size_bytes"], kept["withheld"]) == (PDF, len(content), [])
    answer = await send(house, POLICE, "referral", attachments=[named(kept)])
    delivery = await first_delivery(house, COUNCIL)
    async with house.client(COUNCIL) as council:
        read = await council.fetch(delivery)
        (file,) = read["attachments"]
        assert read["content"]["attachments"] == [named(kept)]
        assert file == {
            "id": kept["id"],
            "media_type": PDF,
            "size_bytes": len(content),
            "available": True,
            "withheld": [],
        }
        await council.fetch_attachment(delivery, kept["id"], kept["sha256"], tmp_path / "got.pdf")
    assert (tmp_path / "got.pdf").read_bytes() == content
    events = [entry.event for entry in await entries_of(house, answer["id"])]
    assert events.count("ContentHandover") == 2  # the message, and the file


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
async def test_files_of_every_length_come_back_whole(house: House, tmp_path: Path, size: int) -> None:
    content = b"x" * size
    if not content:
        assert (await refused(house, content, TEXT)).code == "file-type-not-taken"
        return
    kept = await attach(house, content, TEXT)
    await send(house, POLICE, "referral", attachments=[named(kept)])
    delivery = await first_delivery(house, COUNCIL)
    async with house.client(COUNCIL) as council:
        await council.fetch_attachment(delivery, kept["id"], kept["sha256"], tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == content


async def test_it_is_handed_out_as_a_download_that_no_browser_interprets(house: House) -> None:
    kept = await attach(house, b"<script>alert(1)</script>", TEXT)
    await send(house, POLICE, "referral", attachments=[named(kept)])
    delivery = await first_delivery(house, COUNCIL)
    async with Raw(house, COUNCIL) as raw:
        said = await raw.call("GET", f"/v1/inbox/{delivery}/attachments/{kept['id']}", headers=())
    assert said.status == 200
    assert said.headers["Content-Disposition"] == f'attachment; filename="{kept["id"]}.txt"'
    assert said.headers["X-Content-Type-Options"] == "nosniff"
    assert said.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert said.headers["Content-Type"].startswith("text/plain")


async def test_asking_for_the_headers_alone_hands_no_file_over(house: House) -> None:
    kept = await attach(house, files.pdf())
    sent = await send(house, POLICE, "referral", attachments=[named(kept)])
    delivery = await first_delivery(house, COUNCIL)
    async with Raw(house, COUNCIL) as raw:
        path = f"/v1/inbox/{delivery}/attachments/"
        said = await raw.call("HEAD", path + kept["id"], headers=())
        none = await raw.call("HEAD", path + "att-none", headers=())
    assert (said.status, said.body, said.headers["Content-Type"]) == (200, b"", PDF)
    assert none.status == 404
    assert "ContentHandover" not in await events_of(house, sent["id"])


async def test_the_receipt_commits_to_the_files_that_the_message_names(house: House) -> None:
    kept = await attach(house, files.pdf())
    answer = await send(house, POLICE, "referral", attachments=[named(kept)])
    async with house.client(POLICE) as police:
        checked = await police.check(answer["receipt"])
    assert checked.disclosed["attachments"] == f"{kept['id']}={kept['sha256']}"


async def test_nothing_of_a_file_lies_in_clear_in_the_database(house: House) -> None:
    await attach(house, MARKER.encode() * 40_000, TEXT)
    await house.parts.store.scrub()
    database = house.folder / "var" / "gateway.sqlite3"
    assert b"Zyxw" not in database.read_bytes()


async def test_types_and_sizes_are_told_before_anything_is_read(house: House) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    too_large = [
        ("Content-Type", PDF),
        ("Content-Length", str(LARGEST_BYTES + 1)),
        ("Expect", "100-continue"),
    ]
    said = await uploaded(house, never(), too_large)
    assert (said.status, said.code) == (413, "too-large")
    assert "25 MiB" in said.document["detail"]
    other = [
        ("Content-Type", "application/x-msdownload"),
        ("Content-Length", "10"),
        ("Expect", "100-continue"),
    ]
    said = await uploaded(house, never(), other)
    assert (said.status, said.code) == (415, "file-type-not-taken")
    assert PDF in said.document["detail"]


async def test_a_body_is_held_to_its_limit_while_it_is_read_and_leaves_nothing(house: House) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7\n"
        for _ in range(27):
            yield bytes(1 << 20)

    before = await rows(house)
    said = await uploaded(house, endless(), [("Content-Type", PDF)])
    assert (said.status, said.code) == (413, "too-large")
    assert await rows(house) == before


async def test_exactly_25_mib_are_taken(house: House, clamd: Clamd) -> None:
    content = large(LARGEST_BYTES)
    kept = await attach(house, content)
    assert clamd.received == [(LARGEST_BYTES, kept["sha256"])]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"MZ\x90\0", "application/octet-stream"),
        (b"MZ\x90\0" + bytes(600_000), PDF),
        (files.png(), PDF),
        (files.compound("WordDocument"), files.DOCX),
        (MARKER.encode(), PDF),
    ],
    ids=["program", "large-program", "picture", "old-word-file", "text"],
)
async def test_what_is_not_what_it_is_said_to_be_is_refused_and_leaves_nothing(
    house: House, content: bytes, media_type: str
) -> None:
    before = await rows(house)
    problem = await refused(house, content, media_type)
    assert (problem.status, problem.code) == (415, "file-type-not-taken")
    assert MARKER not in str(problem)
    assert await rows(house) == before


async def test_a_digest_that_does_not_match_leaves_nothing(house: House) -> None:
    before = await rows(house)
    digest = ("Content-Digest", "sha-256=:AAAA:")
    said = await uploaded(house, files.pdf(), [("Content-Type", PDF), digest])
    assert (said.status, said.code) == (400, "digest-mismatch")
    assert await rows(house) == before


async def test_a_torn_upload_leaves_nothing(house: House) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield large(600_000)
        raise ConnectionResetError("the line broke")

    before = await rows(house)
    with pytest.raises(aiohttp.ClientError):
        await uploaded(house, torn(), [("Content-Type", PDF)])
    async with asyncio.timeout(20):
        while await rows(house) != before:
            await asyncio.sleep(0.05)


async def test_a_compressed_body_is_refused(house: House) -> None:
    said = await uploaded(house, files.pdf(), [("Content-Type", PDF), ("Content-Encoding", "gzip")])
    assert (said.status, said.code) == (415, "unsupported-media-type")


async def test_nobody_sends_a_file_without_a_token(house: House) -> None:
    async with Raw(house, POLICE) as raw:
        said = await raw.call("POST", WHERE, files.pdf(), [("Content-Type", PDF)], credentials={})
    assert said.status == 401


# --- the scanner


async def test_an_infected_file_is_refused_stated_without_content_and_not_kept(house: House) -> None:
    before = await rows(house)
    problem = await refused(house, b"words " + EICAR, TEXT)
    assert (problem.status, problem.code) == (422, "attachment-infected")
    (entry,) = await entries_named(house, "SubmissionRejection")
    assert (entry.partnership, entry.incident, entry.disclosures) == (None, None, None)
    assert entry.chain.startswith("att-")
    after = await rows(house)
    assert {name for name in after if after[name] != before[name]} == {"entry", "chain"}


async def test_without_a_verdict_nothing_is_taken(house: House, clamd: Clamd) -> None:
    before = await rows(house)
    clamd.drops = True
    problem = await refused(house, files.pdf())
    assert (problem.status, problem.code) == (503, "scanner-unavailable")
    clamd.path.unlink()
    assert (await refused(house, files.pdf())).code == "scanner-unavailable"
    assert await rows(house) == before


async def test_what_the_scanner_cannot_judge_is_withheld(house: House, clamd: Clamd) -> None:
    clamd.gives_up_after = 100
    assert (await attach(house, large(400_000)))["withheld"] == ["attachment-unscannable"]


async def test_in_development_a_file_that_no_scanner_saw_is_withheld(tmp_path: Path) -> None:
    async with gateway_house(tmp_path) as house:
        assert (await attach(house, files.pdf()))["withheld"] == ["attachment-not-scanned"]


@pytest.mark.needs("clamav")
async def test_with_the_real_scanner_honest_files_pass_and_the_test_virus_does_not(tmp_path: Path) -> None:
    with real_clamd() as url:
        async with gateway_house(tmp_path, scanner_url=url) as house:
            for media_type, content in files.TAKEN.items():
                assert (await attach(house, content, media_type))["withheld"] == []
            assert (await refused(house, EICAR, TEXT)).code == "attachment-infected"
            hidden = files.docx({"word/notes.txt": EICAR})
            assert (await refused(house, hidden, files.DOCX)).code == "attachment-infected"
            locked = files.archive({"a.txt": b"words"}, is_encrypted=True)
            assert (await attach(house, locked, "application/zip"))["withheld"] == ["attachment-encrypted"]
            assert (await attach(house, large(LARGEST_BYTES)))["withheld"] == []


# --- memory


@dataclass
class Resident:
    """How much memory this process has had at most since the last look, in bytes (proc(5): VmHWM, clear_refs)."""

    def peak(self) -> int:
        status = Path("/proc/self/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def forget(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")


async def _large_ones(house: House, count: int, at_once: int = 4) -> None:
    """So many uploads of 25 MiB, by several connections, whose sender holds no file either."""
    piece = large(1 << 16)

    async def body() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7\n" + piece[9:]
        for _ in range(LARGEST_BYTES // len(piece) - 1):
            yield piece

    async def several() -> None:
        async with Raw(house, POLICE) as raw:
            for _ in range(count // at_once):
                said = await raw.call("POST", WHERE, body(), [("Content-Type", PDF)])
                assert (said.status, said.document["size_bytes"]) == (201, LARGEST_BYTES)

    await asyncio.gather(*(several() for _ in range(at_once)))


async def _memory_stays(house: House, count: int) -> None:
    resident = Resident()
    await _large_ones(house, 4)
    resident.forget()
    before = resident.peak()
    await _large_ones(house, count)
    assert resident.peak() - before < LARGEST_BYTES, (
        "four files are on their way at once: not one of them is in memory"
    )


async def test_uploads_of_25_mib_do_not_grow_memory(house: House) -> None:
    await _memory_stays(house, 8)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_hundred_uploads_of_25_mib_do_not_grow_memory(house: House) -> None:
    await _memory_stays(house, 100)


# --- naming


async def test_unknown_foreign_other_named_and_expired_files_look_the_same(house: House) -> None:
    known = named(await attach(house, files.pdf()))
    foreign = named(await attach(house, files.pdf(), agency=ICB))
    no_such = known | {"id": "att-" + "a" * 26}
    other = known | {"sha256": "0" * 64}
    expected = ("/attachments/0", "unknown-attachment")
    assert [await unknown(house, one) for one in (foreign, no_such, other)] == [expected] * 3
    assert await unknown(house, known, known) == ("/attachments/1", "unknown-attachment")
    await send(house, POLICE, "referral", attachments=[known])  # all those refusals left it as it was
    assert await unknown(house, known) == expected
    late = named(await attach(house, files.pdf()))
    house.clock.move_by(days=1)
    assert await unknown(house, late) == expected


async def test_a_repeat_of_the_message_has_the_same_answer(house: House) -> None:
    kept = await attach(house, files.pdf())
    message = house.example("referral", reference="NP-1", attachments=[named(kept)])
    async with house.client(POLICE) as police:
        first, second = await police.submit(message), await police.submit(message)
    assert first["receipt"]["jws"] == second["receipt"]["jws"]


async def _raced(house: House) -> None:
    kept = named(await attach(house, files.pdf()))
    sent = (send(house, POLICE, "referral", attachments=[kept]) for _ in range(6))
    answers = await asyncio.gather(*sent, return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, dict)]
    problems = [answer for answer in answers if isinstance(answer, AgencyProblem)]
    assert (len(taken), len(problems)) == (1, 5)
    assert {problem.code for problem in problems} == {"invalid-message"}


async def test_of_messages_that_race_for_a_file_one_gets_it(house: House) -> None:
    await _raced(house)


async def test_of_messages_that_race_for_a_file_one_gets_it_on_postgresql_too(
    tmp_path: Path, clamd: Clamd, postgres: PostgresServer
) -> None:
    book, keys = postgres.fresh_database(), postgres.fresh_database()
    changes = {"database_url": book, "custody_url": keys, "scanner_url": clamd.url}
    async with gateway_house(tmp_path, **changes) as house:
        await house.gateway.dispatch.stop()
        await _raced(house)
        before = await rows(house)
        await refused(house, b"%PDF-1.7\n" + bytes(600_000) + EICAR)
        kept = named(await attach(house, large(700_000)))
        house.clock.move_by(days=1)
        assert await sweep_attachments(house.parts) == 1
        assert await unknown(house, kept) == ("/attachments/0", "unknown-attachment")
        after = await rows(house)
        assert {name for name in after if after[name] != before[name]} == {"entry", "chain"}
    for url in (book, keys):
        postgres.give_back(url)


async def test_a_file_that_no_message_names_within_a_day_is_destroyed_with_its_key(house: House) -> None:
    before = await rows(house)
    await attach(house, large(600_000))
    named_one = await attach(house, files.pdf())
    await send(house, POLICE, "referral", attachments=[named(named_one)])
    house.clock.move_by(hours=23, minutes=59)
    assert await sweep_attachments(house.parts) == 0
    house.clock.move_by(minutes=1)
    assert await sweep_attachments(house.parts) == 1
    after = await rows(house)
    assert (after["attachment"], after["attachment_chunk"]) == (1, 1)
    assert after["data_key"] == before["data_key"] + 2  # the incident's, and the named file's
    house.clock.move_by(hours=1)
    assert await sweep_keys(house.parts) == 0


async def test_what_a_crash_left_torn_is_destroyed_within_hours(house: House) -> None:
    before = await rows(house)
    await attach(house, files.pdf())
    torn = sa.update(t.attachment).values(state="receiving", fingerprint=None)
    await house.parts.store.transact(lambda tx: tx.execute(torn).rowcount)
    assert await sweep_attachments(house.parts) == 0
    house.clock.move_by(hours=1, minutes=1)
    assert await sweep_attachments(house.parts) == 1
    assert await rows(house) == before


async def test_an_agency_cannot_fill_the_disk_with_files_that_no_message_names(
    tmp_path: Path, clamd: Clamd
) -> None:
    changes = {"scanner_url": clamd.url, "attachments_unnamed_limit_bytes": 50_000}
    async with gateway_house(tmp_path, **changes) as house:
        await attach(house, b"x" * 30_000, TEXT)
        problem = await refused(house, b"x" * 30_000, TEXT)
        assert (problem.status, problem.code) == (429, "too-many-requests")
        await attach(house, b"x" * 30_000, TEXT, agency=ICB)


async def test_an_agency_cannot_hold_the_scanner_with_files_that_never_end(
    tmp_path: Path, clamd: Clamd
) -> None:
    """Each file on its way has a connection of the scanner, for ten minutes if it likes; others' files wait for none of them."""
    begun, ends = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * (CHUNK_BYTES + 1)
        begun.set()
        await ends.wait()

    async with gateway_house(tmp_path, scanner_url=clamd.url, attachments_at_once=1) as house:
        sent = Sent(AgencyId(POLICE), "police", TEXT, LARGEST_BYTES)
        held = asyncio.create_task(keep_attachment(house.parts, sent, slow()))
        await begun.wait()
        async with Raw(house, POLICE) as police:
            said = await police.call("POST", WHERE, b"x", headers=(("Content-Type", TEXT),))
        assert (said.status, said.code, said.headers["Retry-After"]) == (429, "too-many-requests", "2")
        await attach(house, b"x", TEXT, agency=ICB)
        ends.set()
        await held
        await attach(house, b"x", TEXT)


async def test_only_recipients_of_the_message_get_its_files(house: House) -> None:
    kept = await attach(house, files.pdf())
    await send(house, POLICE, "referral", attachments=[named(kept)])
    other = await attach(house, files.pdf())
    delivery = await first_delivery(house, COUNCIL)
    for agency, file in ((SCHOOL, kept["id"]), (COUNCIL, other["id"]), (COUNCIL, "att-" + "a" * 26)):
        async with Raw(house, agency) as raw:
            said = await raw.call("GET", f"/v1/inbox/{delivery}/attachments/{file}", headers=())
        assert (said.status, said.code) == (404, "not-found")
