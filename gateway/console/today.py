"""The first page: what needs the business unit now, in figures that lead to their lists, and whether the gateway is well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

from starlette.responses import Response, StreamingResponse

from gateway.actions.change_calendar import in_force
from gateway.console import words
from gateway.console.door import HEADERS, Console, Officer, Visit
from gateway.console.first_steps import first_steps
from gateway.console.lists import agency_names, day_of, pack_of, snapshots
from gateway.console.pages import page
from gateway.console.words import Tag
from gateway.core.errors import Unavailable
from gateway.core.presence import local_day
from gateway.partnerships.calendars import HOLIDAYS_SHOULD_REACH
from gateway.store import deliveries, duties, log, mail, overview
from gateway.store.overview import Counts, Day, DutyLine
from gateway.store.transaction import Tx

NEXT_DUE = 8
SEALED_WITHIN = timedelta(minutes=2)  # a receipt normally waits a second for its seal
CARRIED_WITHIN = timedelta(minutes=5)  # how long a delivery may wait past its instant before it is a stop
READ_WITHIN = timedelta(minutes=15)  # how long ago every way in must have been read to its end
ANCHORED_WITHIN = timedelta(minutes=10)
NOBODY = (
    "No witness and no time-stamping authority is set up: the time of a receipt is the gateway's own word."
)
LOOK_EVERY_SECONDS = 5.0
MOST_LOOKS = 24  # then the browser asks anew, and is let in anew or not
WELL, WAITS = Tag("Working", "green"), Tag("Not in use")


@dataclass(frozen=True, slots=True)
class Health:
    """What can be seen of the gateway's own work: the oldest of what waits too long, None where nothing does."""

    sealed_at: datetime | None
    unsealed_since: datetime | None
    carried_since: datetime | None
    read_until: dict[str, datetime]
    anchored_size: int
    unanchored_since: datetime | None
    holidays_until: date
    uncounted: int  # duties that have a limit and no date, because the holiday data ended


@dataclass(frozen=True, slots=True)
class TodayRead:
    """The first page on one snapshot."""

    counts: Counts
    health: Health
    soonest: list[DutyLine]


async def get_today(console: Console, visit: Visit) -> Response:
    """What waits, what is due next, and the gateway's own state."""
    officer, day = visit.signed_in, day_of(console)
    read = await console.parts.store.read(lambda tx: _read(tx, officer, day))
    known = await snapshots(console, officer)
    lines = [
        (
            row,
            words.left_of(row, day.now, pack_of(known, row.partnership)),
        )
        for row in read.soonest
    ]
    health = list(health_told(read.health, day.now, is_anchored=console.parts.settings.is_anchored))
    is_quiet = not any(asdict(read.counts).values())
    names = agency_names(known)
    return page(
        visit,
        "today.html",
        here="today",
        read=read,
        now=day.now,
        lines=lines,
        names=names,
        health=health,
        quiet=is_quiet,
        steps=await first_steps(console.parts, officer, known),
    )


async def get_events(console: Console, visit: Visit) -> Response:
    """The figures as server-sent events, each time that they change. It ends when the session does, or the gateway."""
    headers = HEADERS | {"X-Accel-Buffering": "no"}
    return StreamingResponse(_events(console, visit), media_type="text/event-stream", headers=headers)


async def _events(console: Console, visit: Visit) -> AsyncIterator[str]:
    """Ends within two minutes, and at once when the gateway stops; the browser then asks anew, and is let in anew or not."""
    officer, told = visit.signed_in, ""
    yield "retry: 10000\n\n"
    for _ in range(MOST_LOOKS):
        day = day_of(console)
        try:
            counts = await console.parts.store.read(
                lambda tx, day=day: overview.counts(tx, officer.partnerships, day)  # type: ignore[misc]
            )
        except Unavailable:
            return
        figures = json.dumps(asdict(counts), separators=(",", ":"))
        yield f"event: figures\ndata: {figures}\n\n" if figures != told else ": still here\n\n"
        told = figures
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_SECONDS):
                await console.closing.wait()
        if console.closing.is_set():
            return


def _read(tx: Tx, officer: Officer, day: Day) -> TodayRead:
    soonest = overview.soonest_due(tx, officer.partnerships, day, NEXT_DUE)
    return TodayRead(overview.counts(tx, officer.partnerships, day), _health(tx, officer, day.now), soonest)


def _health(tx: Tx, officer: Officer, now: datetime) -> Health:
    newest = log.latest_checkpoint(tx)
    return Health(
        sealed_at=newest.sealed_at if newest else None,
        unsealed_since=log.unsealed_since(tx),
        carried_since=deliveries.waits_since(tx, now),
        read_until=mail.watermarks(tx),
        anchored_size=anchor[0] if (anchor := log.newest_anchor(tx)) else 0,
        unanchored_since=log.oldest_unanchored(tx),
        holidays_until=in_force(tx).covers_until,
        uncounted=duties.uncounted(tx, officer.partnerships, overview.MOST_COUNTED),
    )


def health_told(health: Health, now: datetime, *, is_anchored: bool) -> Iterator[tuple[str, Tag, str]]:
    """Each part of the gateway: its name, its state, and what that means."""
    late = health.unsealed_since is not None and now - health.unsealed_since > SEALED_WITHIN
    sealed = f"Last sealed at {words.when(health.sealed_at)}." if health.sealed_at else "Nothing to seal yet."
    told = f"Receipts wait since {words.when(health.unsealed_since)}: tell the technical team."
    yield "Receipts are sealed", Tag("Stopped", "red") if late else WELL, told if late else sealed
    yield _anchored_told(health, now) if is_anchored else ("The log is confirmed by others", WAITS, NOBODY)
    stuck = health.carried_since is not None and now - health.carried_since > CARRIED_WITHIN
    waits = (
        f"Something due to go out waits since {words.when(health.carried_since)}: tell the technical team."
    )
    yield (
        "Messages go out",
        Tag("Stopped", "red") if stuck else WELL,
        waits if stuck else "Nothing waits that should be gone.",
    )
    yield _mail_told(list(health.read_until.values()), now)
    yield _dates_told(health, local_day(now))


def _dates_told(health: Health, today: date) -> tuple[str, Tag, str]:
    """No date is counted past the end of the list of bank holidays: it is told a year ahead (edge case 14 of section 11.6)."""
    title, ends = (
        "Due dates can be counted",
        f"Bank holidays are known until {words.day(health.holidays_until)}",
    )
    newer = "Have gov.uk's newer list uploaded."
    if health.uncounted:
        return title, Tag("Stopped", "red"), f"{ends}. Duties without a date: {health.uncounted:,}. {newer}"
    if health.holidays_until - today < HOLIDAYS_SHOULD_REACH:
        return title, Tag("Ends soon", "yellow"), f"{ends}. {newer}"
    return title, WELL, f"{ends}."


def _anchored_told(health: Health, now: datetime) -> tuple[str, Tag, str]:
    """Witnesses and time-stamping authorities: without them a receipt's time is the gateway's own word."""
    title, since = "The log is confirmed by others", health.unanchored_since
    if since is not None and now - since > ANCHORED_WITHIN:
        told = f"Not since {words.when(since)}: receipts are held, but provisional. Tell the technical team."
        return title, Tag("Waiting", "yellow"), told
    told = (
        f"The first {health.anchored_size:,} entries are confirmed."
        if health.anchored_size
        else "Nothing yet."
    )
    return title, WELL, told


def _mail_told(read_until: Sequence[datetime], now: datetime) -> tuple[str, Tag, str]:
    """Every way in must have been read: a mailbox that is down hides answers."""
    title = "Mail comes in"
    if not read_until:
        return title, WAITS, "No mailbox has been read yet."
    oldest = min(read_until)
    if now - oldest > READ_WITHIN:
        told = (
            f"Not read to its end since {words.when(oldest)}: answers may lie there. Tell the technical team."
        )
        return title, Tag("Stopped", "red"), told
    return title, WELL, f"Everything that came before {words.when(oldest)} has been read."
