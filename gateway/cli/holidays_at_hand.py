"""By which list of bank holidays a date is counted here: the one in force in this deployment, else the shipped one (C-12).

The invariant: what `gateway rules` tells is counted by the list that the deployment's duties are counted by, and says which.
Where a deployment is here and its list cannot be read nothing is told: a date by another list would be silently wrong. Where
there is none, no database library is loaded.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import GatewayError, Misconfigured
from gateway.partnerships.calendars import BankHolidays, shipped_holidays

SHIPPED, UPLOADED = "shipped", "uploaded"
VARIABLES, FOLDER = "GATEWAY_", Path("var")  # without any of these no deployment can be meant
UNREADABLE = "the deployment's list of bank holidays cannot be read: see `gateway doctor`"


@dataclass(frozen=True, slots=True)
class Listed:
    """A list and where it comes from: `shipped` with this release, or `uploaded` by two officers."""

    holidays: BankHolidays
    source: str

    def in_words(self) -> str:
        return f"bank holidays: {self.holidays.version}, {self.source}"


def holidays_here() -> Listed:
    """The list in force; Misconfigured when this deployment's database is there and cannot be read."""
    if not (FOLDER.is_dir() or any(name.startswith(VARIABLES) for name in os.environ)):
        return Listed(shipped_holidays(), SHIPPED)
    from sqlalchemy.exc import SQLAlchemyError

    from gateway.settings import Settings, SettingsUnreadable

    try:
        url = Settings.load().book_url
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
            return Listed(shipped_holidays(), SHIPPED)
        return asyncio.run(_read(url))
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None
    except (SQLAlchemyError, GatewayError, OSError):
        raise Misconfigured(UNREADABLE) from None


async def _read(url: str) -> Listed:
    from gateway.actions.change_calendar import in_force
    from gateway.store import holidays, tables
    from gateway.store.transaction import Store

    store = Store.open(url, tables.book)
    try:
        version, listed = await store.read(lambda tx: (holidays.current_version(tx), in_force(tx)))
    finally:
        await store.aclose()
    return Listed(listed, SHIPPED if version is None else UPLOADED)
