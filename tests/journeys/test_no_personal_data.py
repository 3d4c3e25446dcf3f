"""Who a child is stands in sealed content and in the letter, and nowhere else (S5-01, architecture: the ledger, logs, erasing).

The demonstration's story is played, as far as before its erasure, with everything that leaves a trace written down; then
clients send what is refused, with names in every place where one could slip through; then the incident is erased. Each test
looks in one place for everything personal that was ever sent.
"""

from __future__ import annotations

import asyncio
import base64
import email
import json
import logging
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from gateway.agency.client import AgencyClient, AgencyProblem
from gateway.app import system_clock
from gateway.demo import invented, story
from gateway.demo.partnership import COUNCIL, HOSPITALS, ICB, POLICE, SEATS
from gateway.demo.run import Demonstration, assemble
from gateway.demo.story import Cast
from gateway.parts import Parts

NAMES = ("Elowen", "Testington", "Rosalind", "Callum Sample", "Elowen Sample")
WORDS = (
    "fall from a sofa",
    "skull fracture",
    "please ring me",
    "No trace of the child",
    "Told by telephone: the criteria",
)
LETTERS, RECEIPTS = 2, 2  # to the schools: one for each school, and word that its reply came
STAFF = tuple(
    dict.fromkeys(word for seat in SEATS for word in (seat.name, seat.email, seat.telephone) if word)
)
TIME_LIMIT_SECONDS = 180

pytestmark = pytest.mark.timeout(TIME_LIMIT_SECONDS)


@dataclass
class Traces:
    """What was left in each place, as text; `files` are raw bytes."""

    urls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    files_before: dict[str, bytes] = field(default_factory=dict)
    files_after: dict[str, bytes] = field(default_factory=dict)


class Recorder:
    """In front of the agencies' door: keeps the address of every request and the body of every refusal."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self.app = app
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.traces.urls.append((scope["raw_path"] + b"?" + scope["query_string"]).decode())
        refused = False

        async def heard(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                refused = message["status"] >= 400
                self.traces.problems += [repr(message["headers"])] if refused else []
            elif refused:
                self.traces.problems.append(message.get("body", b"").decode())
            await send(message)

        await self.app(scope, receive, heard)


class RecordingCast(Cast):
    """Officers' commands write to a log of their own."""

    traces: Traces

    async def attempt(self, *arguments: str) -> tuple[int, str, str]:
        status, out, err = await super().attempt(*arguments)
        self.traces.commands.append(err)
        return status, out, err


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    found, records = Traces(), Records()
    logging.getLogger().addHandler(records)
    try:
        with capture_logs() as log:
            asyncio.run(_play(found, tmp_path_factory.mktemp("stage") / "run"))
    finally:
        logging.getLogger().removeHandler(records)
    found.log += [json.dumps(entry, default=str) for entry in log] + records.lines
    return found


class Records(logging.Handler):
    """What libraries log in the ordinary way."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


# --- each place --------------------------------------------------------------------------------------------------------


def test_no_statement_of_the_ledger_names_anyone(traces: Traces) -> None:
    assert len(traces.statements) > 70
    assert_free_of(traces.statements, [*the_child(), *STAFF])


def test_no_log_line_names_anyone(traces: Traces) -> None:
    said = "\n".join(traces.log)
    assert all(
        event in said for event in ("delivery.attempted", "mail.read", "oauth.token_issued", "duty.chased")
    )
    assert_free_of([*traces.log, *traces.commands], [*the_child(), *STAFF])


def test_no_address_of_a_request_names_anyone(traces: Traces) -> None:
    assert any("/v1/inbox/dlv-" in url for url in traces.urls)
    assert_free_of(traces.urls, [*the_child(), *STAFF])


def test_no_problem_document_repeats_what_was_sent(traces: Traces) -> None:
    assert len(traces.problems) > 16
    assert any("invalid-message" in problem for problem in traces.problems)
    assert_free_of(traces.problems, [*the_child(), *STAFF])


def test_no_header_of_a_letter_names_the_child(traces: Traces) -> None:
    """Mail servers on the way read and log headers; the child stands in the body alone, under TLS."""
    receipts = [raw for raw in traces.letters if b"auto-replied" in raw]
    letters = [raw for raw in traces.letters if raw not in receipts]
    assert (len(letters), len(receipts)) == (LETTERS, RECEIPTS)
    heads = [head for raw in traces.letters for head in every_header(raw)]
    assert any(head.startswith("Message-ID") for head in heads)
    assert_free_of(heads, the_child())
    assert all(b"Testington" in raw for raw in letters)
    assert not any(b"Testington" in raw for raw in receipts)


def test_no_figure_names_anyone(traces: Traces) -> None:
    assert "gateway_deliveries" in traces.metrics[0]
    assert_free_of(traces.metrics, [*the_child(), *STAFF])


def test_no_list_or_timeline_names_the_child(traces: Traces) -> None:
    assert len(traces.lists) >= 6
    assert_free_of(traces.lists, the_child())


def test_the_databases_hold_content_only_sealed(traces: Traces) -> None:
    """The directory names officers and leads; of the child there is nothing that opens without its key."""
    assert_files_free(traces.files_before)


def test_after_erasure_no_file_of_the_databases_holds_anything(traces: Traces) -> None:
    """Write-ahead logs and free pages too."""
    assert_files_free(traces.files_after)


def assert_files_free(files: dict[str, bytes]) -> None:
    assert {"gateway.sqlite3", "gateway-custody.sqlite3"} <= set(files)
    assert all(
        files[name].startswith(b"SQLite format 3") for name in ("gateway.sqlite3", "gateway-custody.sqlite3")
    )
    assert b"northshire-police" in files["gateway.sqlite3"], "what is looked through is the data itself"
    found = {
        (name, word)
        for name, content in files.items()
        for word in the_child()
        for form in (word.encode(), word.encode("utf-16-le"), base64.b64encode(word.encode())[:-4])
        if len(form) > 5 and form in content
    }
    assert not found


def assert_free_of(texts: list[str], words: list[str]) -> None:
    folded = [text.casefold() for text in texts]
    assert not {(word, text[:300]) for word in words for text in folded if word.casefold() in text}


def the_child() -> list[str]:
    """Everything personal in the messages of the story: names, numbers, days of birth in each way they are written, places."""
    referral = invented.referral(system_clock(), "any")["body"]
    words = [*NAMES, *WORDS]
    for child in referral["children"]:
        words += [child["address"].splitlines()[0], child["postcode"]]
        words += days_in_words(child["date_of_birth"])
        words += [child["upn"]] if child["upn"] else []
        if number := child["nhs_number"]:
            words += [number, f"{number[:3]} {number[3:6]} {number[6:]}"]
        words += [
            d
            for person in child["related_people"]
            if (born := person["date_of_birth"])
            for d in days_in_words(born)
        ]
    return list(dict.fromkeys(words))


def days_in_words(day: str) -> list[str]:
    born = date.fromisoformat(day)
    return [day, f"{born.day} {born:%B %Y}", f"{born:%d/%m/%Y}", f"{born:%Y%m%d}"]


def every_header(raw: bytes) -> Iterator[str]:
    """Of the letter and of each of its parts, with file names and parameters, decoded and as they stand."""
    letter = email.message_from_bytes(raw)
    yield raw.split(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")[0].decode("ascii")
    for part in letter.walk():
        for name, value in part.items():
            yield f"{name}: {value}"
            yield str(email.header.make_header(email.header.decode_header(value)))
        yield str(part.get_filename())


# --- the story and its traces ------------------------------------------------------------------------------------------


async def _play(traces: Traces, folder: Path) -> None:
    start_at = _monday_morning_four_weeks_ago()
    async with AsyncExitStack() as stack:
        asked = Demonstration(folder, True, 0, lambda step: None, lambda words: None)
        plain = await assemble(asked, folder, start_at, stack)
        cast = RecordingCast(**{each.name: getattr(plain, each.name) for each in fields(Cast)})
        cast.traces = traces
        plain.gateway.web.add_middleware(Recorder, traces=traces)
        came = asyncio.Semaphore(0)
        for school in cast.schools.values():
            _keep_letters(school, traces, came)
        for act in (
            story.notify,
            story.collect,
            story.decide,
            story.write_to_schools,
            story.submit_record,
            story.ask_for_information,
            story.miss_a_deadline,
        ):
            await act(cast)
        traces.lists += await _lists(cast)
        own_addresses = list(traces.urls)
        await _send_what_is_refused(cast)
        traces.urls[:] = (
            own_addresses  # what a caller writes into an address of its own making is its own doing
        )
        async with asyncio.timeout(story.PATIENCE_SECONDS):
            for _ in range(LETTERS + RECEIPTS):
                await came.acquire()
        parts = cast.gateway.parts
        traces.metrics.append(await _metrics(cast))
        traces.files_before |= _database_files(folder)
        who = ("--officer", story.OFFICER, "--second-officer", story.SECOND_OFFICER)
        await cast.command("erase", cast.incident, "--reason", "demonstration-ended", *who)
        traces.files_after |= _database_files(folder)
        traces.statements += await _statements(parts)


def _monday_morning_four_weeks_ago() -> Any:
    day = system_clock() - timedelta(days=28)
    return (day - timedelta(days=day.weekday())).replace(hour=10, minute=0, second=0, microsecond=0)


def _keep_letters(school: Any, traces: Traces, came: asyncio.Semaphore) -> None:
    take = school.take

    async def keep(raw: bytes) -> None:
        traces.letters.append(raw)
        came.release()
        await take(raw)

    school.take = keep


async def _lists(cast: Cast) -> list[str]:
    found: list[Any] = []
    for agency in (COUNCIL, ICB, POLICE):
        client = cast.clients[agency]
        found += [await client.inbox(), await client.duties(), await client.incident(cast.incident)]
    return [json.dumps(one) for one in found]


async def _send_what_is_refused(cast: Cast) -> None:
    """Names where a name may not be: as member, as value of every other kind, as id, in malformed JSON, in an address."""
    police = cast.clients[POLICE]
    good = invented.referral(cast.now, "NP-REFUSED-1")
    child = good["body"]["children"][0]
    wrong: list[dict[str, Any]] = [
        good | {"Elowen Mae Testington": "14 Example Terrace"},
        good | {"type": "Elowen Mae Testington"},
        good | {"partnership": "elowen-testington"},
        good | {"reference": "Elowen Mae Testington " * 40},
        good | {"incident": "Elowen Mae Testington"},
        good | {"in_reply_to": "9990000018"},
        good | {"created_at": "2021-05-14"},
        good | {"body": good["body"] | {"children": [child | {"nhs_number": "9990000018 Testington"}]}},
        good | {"body": good["body"] | {"children": [child | {"Testington": "9990000018"}]}},
        good | {"body": good["body"] | {"children": [child | {"date_of_birth": "14 May 2021"}]}},
        good | {"body": good["body"] | {"children": [child | {"postcode": "NE33 1AA, 14 Example Terrace"}]}},
        good | {"body": good["body"] | {"Rosalind Testington": []}},
    ]
    for document in wrong:
        await _refused(police, json.dumps(document).encode())
    await _refused(police, b'{"type": "referral", "body": {"Elowen Mae Testington": 9990000018,,}}')
    await _refused(police, b'{"Testington": 1, "Testington": 2}')
    await _refused(
        cast.clients[HOSPITALS], json.dumps(good | {"in_reply_to": None, "marking": "Elowen"}).encode()
    )
    for path in ("message", "incident", "fetch", "proof", "receipts"):
        with pytest.raises(AgencyProblem):
            await getattr(police, path)("Elowen Testington/9990000018")
    with pytest.raises(AgencyProblem):
        await police.decline("dlv-14 Example Terrace", "not the child Elowen Testington")
    await _wrong_form(cast)


async def _refused(client: AgencyClient, raw: bytes) -> None:
    with pytest.raises(AgencyProblem):
        await client.submit(raw)


async def _wrong_form(cast: Cast) -> None:
    """The token endpoint, asked with names in place of everything."""
    base = cast.stage.settings.public_url
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=cast.stage.certificates.client())
    ) as session:
        for form in (
            {"grant_type": "Elowen Testington"},
            {"client_assertion": "Rosalind Testington", "9990000018": "x"},
        ):
            async with session.post(f"{base}/oauth2/token", data=form) as answer:
                assert answer.status >= 400
        async with session.get(f"{base}/Elowen%20Testington?nhs=9990000018") as answer:
            assert answer.status == 404


async def _metrics(cast: Cast) -> str:
    address = f"http://{cast.stage.settings.operator_listen}/metrics"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return await answer.text()


async def _statements(parts: Parts) -> list[str]:
    """As they stand in the ledger, and as the signed receipts say them."""
    found = await parts.store.read(lambda tx: list(tx.execute(text("SELECT statement, jws FROM entry"))))
    opened = [base64.urlsafe_b64decode(row.jws.split(".")[1] + "==").decode() for row in found]
    return [*(bytes(row.statement).decode() for row in found), *opened]


def _database_files(folder: Path) -> dict[str, bytes]:
    """Both databases with whatever lies beside them, read by another process.

    This one serves from them: closing a file of its own would drop its locks on the database (SQLite, "How To Corrupt An
    SQLite Database File", section 2.2), and the next command would take the write-ahead log away under it.
    """
    read = {
        path.name: subprocess.run(["cat", path], capture_output=True) for path in folder.glob("*.sqlite3*")
    }
    return {name: done.stdout for name, done in read.items() if done.returncode == 0}
