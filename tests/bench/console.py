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
import re
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import sqlalchemy as sa

from gateway.app import build_parts, close, system_clock
from gateway.console.application import console_site
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
        "dearest page: most stored to fewest": round(
            max(each[most]["cpu_ms"] / each[few]["cpu_ms"] for each in measured.values()), 2
        ),
    }


async def _pages(stored: Sequence[int]) -> dict[str, dict[int, Figures]]:
    houses = {count: build_parts(await asyncio.to_thread(_book, count)) for count in stored}
    took: dict[str, dict[int, list[tuple[float, float]]]] = {
        name: {count: [] for count in stored} for name in PAGES
    }
    try:
        askers = {count: await _Asker.signed_in(parts) for count, parts in houses.items()}
        paths = {count: await _with_next(asker) for count, asker in askers.items()}
        took |= {name: {count: [] for count in stored} for name in paths[stored[0]]}
        for _ in range(ROUNDS):
            for name in took:
                for count, asker in askers.items():
                    took[name][count].append(await asker.milliseconds(paths[count][name]))
    finally:
        for parts in houses.values():
            await close(parts)
    return {name: {count: _figures(one) for count, one in each.items()} for name, each in took.items()}


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


def _book(count: int) -> Settings:
    """A deployment with so many messages, made unless it stands there already."""
    parts = (_fill, _message, _delivery, _entry, _duties, _holds, _incident)
    made_with = "".join(map(inspect.getsource, parts)) + inspect.getsource(tables)
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
    engine = sa.create_engine(url)
    now = system_clock()
    with engine.begin() as connection:
        for first in range(0, count, 20_000):
            numbers = range(first, min(first + 20_000, count))
            incidents = sorted({number // MESSAGES_OF_AN_INCIDENT for number in numbers})
            connection.execute(
                sa.insert(tables.incident).prefix_with("OR IGNORE"),
                [_incident(one, now) for one in incidents],
            )
            connection.execute(sa.insert(tables.message), [_message(one, now) for one in numbers])
            connection.execute(sa.insert(tables.delivery), [_delivery(one, now) for one in numbers])
            connection.execute(sa.insert(tables.entry), [_entry(one, now) for one in numbers])
            duties = [duty for one in incidents for duty in _duties(one, now)]
            connection.execute(sa.insert(tables.duty).prefix_with("OR IGNORE"), duties)
        connection.execute(sa.insert(tables.hold), list(_holds(now)))
    with engine.connect() as connection:
        connection.execute(sa.text("ANALYZE"))
        connection.commit()
    engine.dispose()


def _agency(number: int) -> str:
    return AGENCIES[number % len(AGENCIES)].id


def _incident(number: int, now: datetime) -> dict[str, Any]:
    is_open = number < OPEN_INCIDENTS
    outcome = {"decision": "triage", "outcome": "sin-and-rapid-review", "dissent": []}
    return {
        "id": f"SI-{number:010}",
        "partnership": SOUTH_TYNESIDE,
        "chain": f"inc-{number}",
        "pack_version": "2026.1",
        "label": "serious-incident" if number % 3 else None,
        "state": "open" if is_open else "closed",
        "outcomes": [] if is_open and number % 4 == 0 else [outcome],
        "opened_at": now - timedelta(hours=number),
        "legal_hold": False,
    }


def _message(number: int, now: datetime) -> dict[str, Any]:
    at = now - timedelta(minutes=number)
    return {
        "id": f"msg-{number}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "type": "referral" if number % MESSAGES_OF_AN_INCIDENT == 0 else "information-return",
        "version": 1,
        "agency": _agency(number),
        "reference": f"ref-{number}",
        "fingerprint": "0" * 64,
        "facts": {"moments": {}, "codes": {}, "agencies": [], "schools": []},
        "created_at": at,
        "arrived_at": at,
        "recorded_at": at,
        "decision": "forward",
        "rule": "referral",
        "answer": {},
        "receipt": f"ev-{number}",
        "avoids": False,
    }


def _delivery(number: int, now: datetime) -> dict[str, Any]:
    failed = number < FAILED
    return {
        "id": f"dlv-{number}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "message": f"msg-{number}",
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
        "id": f"ev-{number}",
        "partnership": SOUTH_TYNESIDE,
        "incident": f"SI-{number // MESSAGES_OF_AN_INCIDENT:010}",
        "chain": f"msg-{number}",
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
            "id": f"dty-{incident}-{number}",
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
            "subject": f"msg-{number}",
            "reasons": ["awaits-release"],
            "held_at": now - timedelta(hours=number),
        }
