"""The scanner says CLEAN only when clamd said OK about the whole file; whatever else happens is no verdict."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.scanner import ClamdScanner
from gateway.core.attachments import Scanned, ScannerUnavailable, Verdict
from tests import files
from tests.scanners import EICAR, SIGNATURE, real_clamd, scripted_clamd


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def scanner(url: str, timeout_seconds: float = 20) -> ClamdScanner:
    return ClamdScanner(url, timeout_seconds)


async def test_the_whole_file_is_sent_and_ok_is_clean() -> None:
    content = files.pdf() * 50
    async with scripted_clamd() as clamd:
        assert await scanner(clamd.url)(pieces(content)) == Verdict(Scanned.CLEAN)
    assert clamd.received == [(len(content), hashlib.sha256(content).hexdigest())]


async def test_what_is_found_is_named_in_plain_characters() -> None:
    async with scripted_clamd() as clamd:
        assert await scanner(clamd.url)(pieces(b"before" + EICAR, 10)) == Verdict(Scanned.INFECTED, SIGNATURE)
    async with scripted_clamd(answer="stream: Win.\x1b[2J<b> FOUND") as clamd:
        assert await scanner(clamd.url)(pieces(b"x")) == Verdict(Scanned.INFECTED, "Win.--2J-b-")


@pytest.mark.parametrize(
    ("said", "scanned"),
    [
        ("Heuristics.Encrypted.PDF", Scanned.ENCRYPTED),
        ("Heuristics.Encrypted.Zip", Scanned.ENCRYPTED),
        ("Heuristics.OLE2.ContainsMacros.VBA", Scanned.MACROS),
        ("Heuristics.Limits.Exceeded.MaxFileSize", Scanned.UNSCANNABLE),
        ("Heuristics.Phishing.Email", Scanned.INFECTED),
    ],
)
async def test_what_clamd_cannot_judge_is_no_virus_and_not_clean_either(said: str, scanned: Scanned) -> None:
    async with scripted_clamd(answer=f"stream: {said} FOUND") as clamd:
        assert (await scanner(clamd.url)(pieces(b"x"))).scanned is scanned


async def test_a_file_over_the_daemons_own_limit_is_read_to_its_end_and_not_clean() -> None:
    read: list[int] = []

    async def counted() -> AsyncIterator[bytes]:
        for number in range(400):
            read.append(number)
            yield bytes(10_000)

    async with scripted_clamd(gives_up_after=50_000) as clamd:
        assert (await scanner(clamd.url)(counted())).scanned is Scanned.UNSCANNABLE
    assert len(read) == 400


@pytest.mark.parametrize(
    "said", ["stream: Okay", "OK", "", "UNKNOWN COMMAND", "stream: OK FOUND ERROR", "stream: OK\nstream: OK"]
)
async def test_an_answer_that_is_not_understood_is_no_verdict(said: str) -> None:
    async with scripted_clamd(answer=said or " ") as clamd:
        with pytest.raises(ScannerUnavailable) as fault:
            await scanner(clamd.url)(pieces(b"x"))
    assert fault.value.reason == "error"


async def test_a_daemon_that_is_silent_or_goes_away_is_no_verdict() -> None:
    async with scripted_clamd(hangs=True) as clamd:
        with pytest.raises(ScannerUnavailable) as fault:
            await scanner(clamd.url, timeout_seconds=0.2)(pieces(b"x"))
    assert fault.value.reason == "time-out"
    async with scripted_clamd(drops=True) as clamd:
        with pytest.raises(ScannerUnavailable) as fault:
            await scanner(clamd.url)(pieces(b"x"))
    assert fault.value.reason == "connection"


async def test_a_daemon_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    for url in (f"unix:{tmp_path}/nobody", "tcp://127.0.0.1:1"):
        with pytest.raises(ScannerUnavailable) as fault:
            await scanner(url)(pieces(b"x"))
        assert fault.value.reason == "connection"


async def test_what_is_wrong_with_the_file_itself_passes_through() -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("the sender went away")

    async with scripted_clamd() as clamd:
        with pytest.raises(LookupError):
            await scanner(clamd.url)(torn())
    assert clamd.received == []


@pytest.mark.needs("clamav")
async def test_the_real_daemon_finds_the_test_file_also_in_an_archive_and_nothing_in_honest_files() -> None:
    with real_clamd() as url:
        for content in (EICAR, files.archive({"a.txt": EICAR}), files.docx({"word/x.txt": EICAR})):
            assert (await scanner(url)(pieces(content))).scanned is Scanned.INFECTED
        for content in files.TAKEN.values():
            assert await scanner(url)(pieces(content)) == Verdict(Scanned.CLEAN)


@pytest.mark.needs("clamav")
async def test_the_real_daemon_tells_of_what_is_too_large_for_it() -> None:
    with real_clamd() as url:
        verdict = await scanner(url)(pieces(bytes(27 << 20), 1 << 18))
    assert verdict.scanned is Scanned.UNSCANNABLE
