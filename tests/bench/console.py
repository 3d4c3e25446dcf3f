"""What the console's pages cost with little and with much stored: the server's time for one page, by the page.

The books hold the same work under way (250 open incidents, what is owed on them, what is held and failed) and behind it ten
thousand messages that are over, or very many. Pages are asked of the console's application in this process, signed in, one
after another and the books in turn, so that what else the machine does falls on all of them. A book is made once and kept
under `var/bench`, by the digest of what it was made with.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import re
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import sqlalchemy as sa

from gateway.app import build_parts, close, system_clock
from gateway.console.application import console_site
from gateway.console.pages import STATIC
from gateway.console.sign_in import create_sign_in_link
from gateway.demo.partnership import AGENCIES, SOUTH_TYNESIDE, Enrolment, enrol
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import migrations, tables
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX, FileSigner

KEPT = Path("var/bench")
OPEN_INCIDENTS = 250
MESSAGES_OF_AN_INCIDENT = 30
HELD, FAILED = 60, 12
ROUNDS = 40
BLOCK = 30_000  # messages written at once: whole incidents
PAGES = {
    "today": "/",
    "incidents": "/incidents",
    "incidents, newest": "/incidents?sort=newest&state=any",
    "incidents, owed by": "/incidents?due=week&owed_by=northshire-police",
    "incidents, gathering": "/incidents?stage=gathering",
    "incidents, closed": "/incidents?state=closed",
    "awaiting triage": "/awaiting-triage",
    "overdue": "/duties/overdue",
    "unacknowledged": "/duties/unacknowledged",
    "deliveries, failed": "/deliveries/failed",
    "deliveries, delivered": "/deliveries/delivered",
    "partners": "/partners",
    "held": "/held",
    "calls": "/calls",
    "possible duplicates": "/same-child",
    "breaches": "/breaches",
    "guests and transfers": "/guests",
    "what is kept": "/retention",
    "second officer": "/approvals",
    "officers": "/officers",
    "one incident": f"/incidents/SI-{OPEN_INCIDENTS // 2:010}",
}


Figures = dict[
    str, float
]  # milliseconds: the median of processor time, the median by the clock, 95 of 100 by the clock


def pages(stored: Sequence[int]) -> dict[str, dict[int, Figures]]:
    """What each page costs, by how many messages are stored."""
    return asyncio.run(_pages(stored))


def reached(measured: dict[str, dict[int, Figures]]) -> dict[str, float]:
    """The dearest page's 95 of 100 by the clock, and how much dearer by processor time the most stored makes any page."""
    most = max(next(iter(measured.values())))
    few = min(next(iter(measured.values())))
    return {
        "console page p95 ms, most stored": max(each[most]["p95_ms"] for each in measured.values()),
        "console pages: most stored to fewest": round(
            statistics.median(each[most]["cpu_ms"] / each[few]["cpu_ms"] for each in measured.values()), 2
        ),
        "heaviest page KB": round(max(each[most]["kb"] for each in measured.values())),
        "dearest page: most stored to fewest": round(
            max(each[most]["cpu_ms"] / each[few]["cpu_ms"] for each in measured.values()), 2
        ),
    }


async def _pages(stored: Sequence[int]) -> dict[str, dict[int, Figures]]:
    houses = {count: build_parts(await asyncio.to_thread(kept_settings, count)) for count in stored}
    took: dict[str, dict[int, list[tuple[float, float]]]] = {
        name: {count: [] for count in stored} for name in PAGES
    }
    try:
        askers = {count: await _Asker.signed_in(parts) for count, parts in houses.items()}
        paths = {count: await _with_next(asker) for count, asker in askers.items()}
        took |= {name: {count: [] for count in stored} for name in paths[stored[0]]}
        weights = {name: await askers[stored[-1]].kilobytes(path) for name, path in paths[stored[-1]].items()}
        for _ in range(ROUNDS):
            for name in took:
                for count, asker in askers.items():
                    took[name][count].append(await asker.milliseconds(paths[count][name]))
    finally:
        for parts in houses.values():
            await close(parts)
    return {
        name: {count: _figures(one) | {"kb": weights[name]} for count, one in each.items()}
        for name, each in took.items()
    }


def _figures(took: list[tuple[float, float]]) -> Figures:
    cpu, clock = zip(*took, strict=True)
    return {
        "cpu_ms": round(statistics.median(cpu), 2),
        "p50_ms": round(statistics.median(clock), 1),
        "p95_ms": round(sorted(clock)[len(clock) * 95 // 100], 1),
    }


class _Asker:
    """A browser without a network: the application is called as a server calls it."""

    def __init__(self, parts: Parts) -> None:
        self.app, self.cookie = console_site(parts), b""
        self.origin = parts.settings.console_address.encode()

    @classmethod
    async def signed_in(cls, parts: Parts) -> _Asker:
        asker = cls(parts)
        link = urlsplit(await create_sign_in_link(parts, "Winifred Stave"))
        _, _, text = await asker.ask("GET", f"{link.path}?{link.query}")
        form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', text))
        form |= {name: values[0] for name, values in parse_qs(link.query).items()}
        status, headers, _ = await asker.ask("POST", link.path, urlencode(form).encode())
        assert status == 303, status
        asker.cookie = headers[b"set-cookie"].partition(b";")[0]
        return asker

    async def milliseconds(self, path: str) -> tuple[float, float]:
        """For one page: of the processor, in all threads, and by the clock."""
        cpu, began_at = time.process_time(), time.perf_counter()
        status, _, _ = await self.ask("GET", f"/console{path}")
        assert status == 200, (path, status)
        return (time.process_time() - cpu) * 1000, (time.perf_counter() - began_at) * 1000

    async def kilobytes(self, path: str) -> float:
        """Of one page with every file of ours that it may load, as a browser that was never here gets it."""
        _, _, text = await self.ask("GET", f"/console{path}")
        files = sum(len(file.content) for name, file in STATIC.items() if name in text)
        return round((len(text.encode()) + files) / 1000, 1)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[bytes, bytes], str]:
        target, _, query = path.partition("?")
        headers = [(b"cookie", self.cookie), (b"origin", self.origin)]
        headers += [(b"content-type", b"application/x-www-form-urlencoded")] if body else []
        scope = {"type": "http", "method": method, "path": target, "raw_path": target.encode()}
        scope |= {"query_string": query.encode(), "headers": headers, "root_path": "", "scheme": "http"}
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            said.append(dict(message))

        await self.app(scope | {"http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send)
        text = b"".join(one.get("body", b"") for one in said).decode("utf-8", "replace")
        return said[0]["status"], dict(said[0]["headers"]), text


async def _with_next(asker: _Asker) -> dict[str, str]:
    """Every page, and where the lists of incidents and deliveries go on."""
    paths = dict(PAGES)
    for name in ("incidents", "incidents, closed", "deliveries, delivered"):
        _, _, text = await asker.ask("GET", f"/console{PAGES[name]}")
        onward = re.search(r'rel="next" href="/console([^"]+)"', text)
        assert onward is not None, name
        paths[f"{name}, next"] = unescape(onward[1])
    return paths


def kept_settings(count: int) -> Settings:
    """A deployment with so many messages, made unless it stands there already."""
    parts = (_fill, _insert, _repeat, _message, _delivery, _entry, _duties, _holds, _incident)
    made_with = "".join(inspect.getsource(part) for part in parts) + inspect.getsource(tables)
    folder = KEPT / f"console-{count}-{hashlib.sha256(made_with.encode()).hexdigest()[:12]}"
    settings = Settings(
        mode="development",
        public_url="http://localhost:9",
        var_dir=folder / "var",
        keys_dir=folder / "keys",
    )
    if not (folder / "ready").exists():
        for older in KEPT.glob(f"console-{count}-*"):
            shutil.rmtree(older)
        settings.var_dir.mkdir(mode=0o700, parents=True)
        custody.create(settings.keys_dir, DEVELOPMENT_PREFIX)
        migrations.migrate(settings.book_url, "book")
        migrations.migrate(settings.keys_book_url, "custody")
        asyncio.run(_enrol(settings))
        _fill(settings.book_url, count)
        (folder / "ready").touch()
    return settings


async def _enrol(settings: Settings) -> None:
    parts = build_parts(settings)
    keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
    try:
        await enrol(parts, Enrolment(keys))
    finally:
        await close(parts)


def _fill(url: str, count: int) -> None:
    """Without secondary indexes and without waiting for the disk: both are made good at the end, before anything is measured."""
    engine = sa.create_engine(url)
    now = system_clock()
    with engine.connect() as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        filled = (tables.incident, tables.message, tables.delivery, tables.entry, tables.duty)
        indexes = [index for table in filled for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        for first in range(0, min(count, 2 * BLOCK), BLOCK):
            numbers = range(first, min(first + BLOCK, count))
            incidents = range(first // MESSAGES_OF_AN_INCIDENT, -(-numbers.stop // MESSAGES_OF_AN_INCIDENT))
            _insert(connection, tables.incident, (_incident(one, now) for one in incidents))
            _insert(connection, tables.message, (_message(one, now) for one in numbers))
            _insert(connection, tables.delivery, (_delivery(one, now) for one in numbers))
            _insert(connection, tables.entry, (_entry(one, now) for one in numbers))
            _insert(connection, tables.duty, (duty for one in incidents for duty in _duties(one, now)))
        _insert(connection, tables.hold, _holds(now))
        for first in range(2 * BLOCK, count, BLOCK):
            _repeat(connection, first - BLOCK, min(BLOCK, count - first))
        for index in indexes:
            index.create(connection)
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    engine.dispose()


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    """By the driver's own hands: each value through its column's type, the columns' defaults besides, and no more."""
    found = iter(rows)
    first = next(found, None)
    if first is None:
        return
    columns = [column for column in table.columns if column.name in first or column.default is not None]
    usual = {column.name: column.default.arg for column in columns if column.default is not None}  # type: ignore[attr-defined]
    kinds = [column.type.dialect_impl(connection.dialect) for column in columns]
    convert = [
        (column.name, kind.bind_processor(connection.dialect))
        for column, kind in zip(columns, kinds, strict=True)
    ]

    def values() -> Iterator[tuple[Any, ...]]:
        for row in chain([first], found):
            whole = usual | row
            yield tuple(kept(whole[name]) if kept else whole[name] for name, kept in convert)

    driver: Any = connection.connection.driver_connection
    names, places = ", ".join(name for name, _ in convert), ", ".join("?" * len(convert))
    driver.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', values())


def _repeat(connection: sa.Connection, shift: int, count: int) -> None:
    """The second block once more, `count` messages of it and what belongs to them, each so many numbers later and older.

    By the database itself: a million rows are made in seconds, and are what `_message` and the others would have made.
    """
    incidents = shift // MESSAGES_OF_AN_INCIDENT

    def later(column: str, digits: int, by: int, starts: int) -> str:
        """An id whose number stands after `starts` characters, so many later."""
        number = f"CAST(substr({column}, {starts + 1}, {digits}) AS INTEGER) + {by}"
        return f"substr({column}, 1, {starts}) || printf('%0{digits}d', {number}) || substr({column}, {starts + digits + 1})"

    def moved(column: str, by: str) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%S', {column}, '{by}') || substr({column}, 20)"

    older, incident = f"-{shift} minutes", later("incident", 10, incidents, 3)
    ofs = {
        tables.message: {"id": later("id", 8, shift, 4), "incident": incident, "reference": later("reference", 8, shift, 4), "receipt": later("receipt", 8, shift, 3)}
        | {name: moved(name, older) for name in ("created_at", "arrived_at", "recorded_at")},
        tables.delivery: {"id": later("id", 8, shift, 4), "incident": incident, "message": later("message", 8, shift, 4), "created_at": moved("created_at", older)},
        tables.entry: {"id": later("id", 8, shift, 3), "incident": incident, "chain": later("chain", 8, shift, 4), "at": moved("at", older), "leaf_index": f"leaf_index + {shift}"},
        tables.incident: {"id": later("id", 10, incidents, 3), "chain": later("chain", 8, incidents, 4), "opened_at": moved("opened_at", f"-{incidents} hours"), "ended_at": moved("ended_at", f"-{incidents} hours")},
        tables.duty: {"id": later("id", 8, incidents, 4), "incident": incident, "due_at": moved("due_at", f"{incidents} hours"), "met_at": moved("met_at", f"{incidents} hours")},
    }  # fmt: skip
    first, last = BLOCK, BLOCK + count
    of_incidents = f"BETWEEN 'SI-{first // MESSAGES_OF_AN_INCIDENT:010}' AND 'SI-{(last - 1) // MESSAGES_OF_AN_INCIDENT:010}'"
    bounds = {
        tables.message: f"id BETWEEN 'msg-{first:08}' AND 'msg-{last - 1:08}'",
        tables.delivery: f"id BETWEEN 'dlv-{first:08}' AND 'dlv-{last - 1:08}'",
        tables.entry: f"id BETWEEN 'ev-{first:08}' AND 'ev-{last - 1:08}'",
        tables.incident: f"id {of_incidents}",
        tables.duty: f"incident {of_incidents}",
    }
    for table, changed in ofs.items():
        names = [column.name for column in table.columns]
        values = ", ".join(changed.get(name, f'"{name}"') for name in names)
        listed = ", ".join(f'"{name}"' for name in names)
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({listed}) SELECT {values} FROM "{table.name}" WHERE {bounds[table]}'
        )


def _agency(number: int) -> str:
    return AGENCIES[number % len(AGENCIES)].id


def _incident(number: int, now: datetime) -> dict[str, Any]:
    is_open = number < OPEN_INCIDENTS
    outcome = {"decision": "triage", "outcome": "sin-and-rapid-review", "dissent": []}
    return {
        "id": f"SI-{number:010}",
        "partnership": SOUTH_TYNESIDE,
        "chain": f"inc-{number:08}",
        "pack_version": "2026.1",
        "label": "serious-incident" if number % 3 else None,
        "state": "open" if is_open else "closed",
        "outcomes": [] if is_open and number % 4 == 0 else [outcome],
        "opened_at": now - timedelta(hours=number),
        "ended_at": None if is_open else now - timedelta(hours=number - OPEN_INCIDENTS // 2),
        "legal_hold": False,
    }


def _message(number: int, now: datetime) -> dict[str, Any]:
    at = now - timedelta(minutes=number)
    return {
        "id": f"msg-{number:08}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "type": "referral" if number % MESSAGES_OF_AN_INCIDENT == 0 else "information-return",
        "version": 1,
        "agency": _agency(number),
        "reference": f"ref-{number:08}",
        "fingerprint": "0" * 64,
        "facts": {"moments": {}, "codes": {}, "agencies": [], "schools": []},
        "created_at": at,
        "arrived_at": at,
        "recorded_at": at,
        "decision": "forward",
        "rule": "referral",
        "answer": {},
        "receipt": f"ev-{number:08}",
        "avoids": False,
    }


def _delivery(number: int, now: datetime) -> dict[str, Any]:
    failed = number < FAILED
    return {
        "id": f"dlv-{number:08}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "message": f"msg-{number:08}",
        "agency": _agency(number + 1),
        "role": "sbu",
        "adapter": "inbox",
        "state": "failed-partner" if failed else "delivered",
        "rule": "referral",
        "created_at": now - timedelta(minutes=number),
        "last_reason": "time-out" if failed else None,
    }


def _entry(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": f"ev-{number:08}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "chain": f"msg-{number:08}",
        "seq": 0,
        "event": "SubmissionAcceptance",
        "at": now - timedelta(minutes=number),
        "kid": "bench",
        "statement": b"{}",
        "jws": "e30.e30.e30",
        "leaf_index": number,
    }


def _duties(incident: int, now: datetime) -> Iterator[dict[str, Any]]:
    """Six of each incident: on an open one three are answered, one is late, and two are due in time."""
    for number, expects in enumerate(["acknowledgement", "sin-record", *["information-return"] * 4]):
        is_open = incident < OPEN_INCIDENTS and number in (0, 1, 5)
        due_at = now + timedelta(hours=incident - 60 + 24 * number)
        yield {
            "id": f"dty-{incident:08}-{number}",
            "partnership": SOUTH_TYNESIDE,
            "incident": f"SI-{incident:010}",
            "agency": _agency(incident + number),
            "role": "sbu",
            "expects": expects,
            "clock": "K14",
            "rule": "information-request",
            "pack_version": "2026.1",
            "start_at": now - timedelta(days=9),
            "due_at": due_at,
            "due_inclusive": True,
            "state": "open" if is_open else "met",
            "met_at": None if is_open else due_at - timedelta(hours=1),
        }


def _holds(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(HELD):
        yield {
            "id": f"hld-{number}",
            "partnership": SOUTH_TYNESIDE,
            "incident": f"SI-{number:010}",
            "subject_kind": "message" if number % 2 else "mail",
            "subject": f"msg-{number:08}",
            "reasons": ["awaits-release"],
            "held_at": now - timedelta(hours=number),
        }


if __name__ == "__main__":  # python -m tests.bench.console 10000 1000000
    measured = pages([int(count) for count in sys.argv[1:]] or [10_000, 200_000])
    print(json.dumps({"ms_by_stored": measured, **reached(measured)}, indent=1))
