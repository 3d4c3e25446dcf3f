"""What of a deployment grows old by itself: its rule packs' reviews and its bank holidays (X-24, C-12). Warns, never stops."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.actions.change_calendar import in_force
from gateway.core.errors import GatewayError
from gateway.partnerships import packs
from gateway.partnerships.calendars import BankHolidays
from gateway.settings import Settings
from gateway.store import packs as pack_rows
from gateway.store import tables
from gateway.store.transaction import Store, Tx

SHOULD_REACH = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Dates:
    """When each pack in force is to be reviewed, and the list of bank holidays in force."""

    reviews: Mapping[str, date]
    listed: BankHolidays


def read_dates(settings: Settings) -> Dates | None:
    """Both as they stand in the database; None when it is not there or cannot be read."""
    url = settings.book_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return None
    try:
        return asyncio.run(_read(url))
    except (SQLAlchemyError, GatewayError, OSError):
        return None


def warnings(listed: BankHolidays, today: date) -> list[str]:
    """What an officer should know of a list: that it ends within a year."""
    if listed.covers_until - today >= SHOULD_REACH:
        return []
    return [f"holiday data ends on {listed.covers_until}: upload a newer file"]


async def _read(url: str) -> Dates:
    store = Store.open(url, tables.book)
    try:
        return await store.read(_dates)
    finally:
        await store.aclose()


def _dates(tx: Tx) -> Dates:
    listed = in_force(tx)
    reviews: dict[str, date] = {
        row.partnership: packs.parse(row.partnership, row.files, listed).review_due_on
        for row in pack_rows.in_force(tx)
    }
    return Dates(reviews, listed)
