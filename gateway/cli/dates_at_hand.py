"""What of a deployment grows old by itself: its rule packs' reviews, its bank holidays (X-24, C-12), its clients' keys.

Only read here: `gateway doctor` says what is a warning and what a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.actions.change_calendar import in_force
from gateway.actions.client_concerns import Noted, concerns
from gateway.core.client_certificates import end_of
from gateway.core.errors import GatewayError, Misconfigured
from gateway.partnerships import packs
from gateway.partnerships.calendars import HOLIDAYS_SHOULD_REACH, BankHolidays
from gateway.settings import Settings
from gateway.store import clients, duties, overview, tables
from gateway.store import packs as pack_rows
from gateway.store.transaction import Store, Tx

MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Dates:
    """When each pack in force is to be reviewed, which is broken, the holidays in force, what to see to about clients."""

    reviews: Mapping[str, date]
    broken: tuple[str, ...]  # packs in force that cannot be read, or are not the text that was put in force
    listed: BankHolidays
    uncounted: int  # duties that have a limit and no date, because the list ended before it
    clients: tuple[Noted, ...]
    authorities: tuple[tuple[str, str], ...] = ()  # client, and its issuer's certificate (PEM)


def read_dates(settings: Settings, at: datetime) -> Dates | None:
    """All of them as they stand in the database; None when it is not there or cannot be read."""
    url = settings.book_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return None
    try:
        return asyncio.run(_read(url, at))
    except (SQLAlchemyError, GatewayError, OSError):
        return None


def warnings(listed: BankHolidays, today: date) -> list[str]:
    """What an officer should know of a list: that it ends within a year."""
    if listed.covers_until - today >= HOLIDAYS_SHOULD_REACH:
        return []
    return [f"holiday data ends on {listed.covers_until}: upload a newer file"]


async def _read(url: str, at: datetime) -> Dates:
    store = Store.open(url, tables.book)
    try:
        return await store.read(lambda tx: _dates(tx, at))
    finally:
        await store.aclose()


def _dates(tx: Tx, at: datetime) -> Dates:
    listed = in_force(tx)
    reviews: dict[str, date] = {}
    broken: list[str] = []
    for row in pack_rows.in_force(tx):
        try:
            pack = packs.parse_stored(row.partnership, row.files, row.digest, listed)
            reviews[row.partnership] = pack.review_due_on
        except Misconfigured:
            broken.append(row.partnership)
    rows = clients.listed(tx)
    noted = tuple(one for row in rows for one in concerns(row, at))
    waiting = duties.uncounted(tx, overview.partnerships(tx), MOST_COUNTED)
    authorities = tuple(
        (row.id, entry["chain"][0])
        for row in rows
        for entry in row.certificates
        if "chain" in entry and row.status != clients.SUSPENDED and at < end_of(entry)
    )
    return Dates(reviews, tuple(broken), listed, waiting, noted, authorities)
