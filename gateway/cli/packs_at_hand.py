"""A rule pack by name or by folder, and a message tried out under it: what `gateway rules` needs beyond clocks.

Kept apart from `gateway.cli.rules` so that `rules explain` starts without any of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gateway.actions.ask_the_law import asked_of_message
from gateway.actions.rehearse import assumed_directory, rehearse, rehearsed_message
from gateway.actions.tell_rehearsal import told
from gateway.cli.holidays_at_hand import SHIPPED, Listed
from gateway.core.errors import ErrorCode, GatewayError, Refused
from gateway.core.messages import (
    AgencyId,
    AgencyKind,
    Message,
    PartnershipId,
    RoleId,
)
from gateway.core.routing import Directory
from gateway.core.rules import Pack
from gateway.core.written_times import written
from gateway.partnerships import packs
from gateway.partnerships.calendars import shipped_holidays
from gateway.partnerships.vocabulary import ROLES
from gateway.settings import Settings, SettingsUnreadable
from gateway.store import directory, tables
from gateway.store.transaction import Store
from schemas import Envelope, read_message


def folder_of(name: str) -> Path:
    """The folder of a shipped pack, or a folder given as a path; Refused when there is no pack."""
    if name in packs.names():
        return packs.HERE / name
    folder = Path(name)
    if "/" in name and (folder / "rules.toml").is_file():
        return folder.resolve()
    detail = (
        f"There is no such rule pack: name one of {', '.join(packs.names())}, or a folder such as ./my-pack."
    )
    raise Refused(ErrorCode.NOT_FOUND, detail=detail)


def read(name: str) -> tuple[PartnershipId, dict[str, str]]:
    """A pack's name, which is its folder's, and its files."""
    folder = folder_of(name)
    try:
        return PartnershipId(folder.name), packs.read_files(folder)
    except (OSError, UnicodeDecodeError):
        detail = "A file of the pack cannot be read: write it as UTF-8 text that you may open."
        raise Refused(ErrorCode.NOT_FOUND, detail=detail) from None


def problems(names: list[str]) -> list[packs.Problem]:
    """Everything wrong with these packs."""
    return [problem for name in names for problem in packs.check(*read(name))]


def route(
    name: str,
    raw: bytes,
    sender: str | None,
    at: datetime | None,
    released: bool = False,
    earlier: Mapping[str, datetime] | None = None,
    listed: Listed | None = None,
) -> dict[str, Any]:
    """The contract's dry run, counted by `listed`, else by the shipped bank holidays.

    `earlier` are instants that the incident is supposed to know already. Refused when the message is not one, or the sender is
    not in the directory.
    """
    listed = listed or Listed(shipped_holidays(), SHIPPED)
    pack = packs.parse(*read(name), listed.holidays)
    envelope = read_message(raw)
    known = directory_here(pack.partnership)
    message = _message(pack, envelope, known, sender, at)
    found = rehearse(pack, known or assumed_directory(pack, message), message, earlier, released)
    return {
        **told(found),
        "statutory": asked_of_message(pack, message, found.rule),
        "assumed_directory": known is None,
        "names_this_partnership": envelope.partnership == pack.partnership,
        "sender": {"agency": message.agency, "kind": message.agency_kind.value, "assumed": sender is None},
        "arrived_at": written(message.arrived_at),
        "holidays": listed.holidays.version,
        "holidays_from": listed.source,
    }


def directory_here(partnership: PartnershipId) -> Directory | None:
    """The directory of this deployment, or None when there is no deployment here or nobody is enrolled in it."""
    try:
        url = Settings.load().book_url
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
            return None
        found = asyncio.run(_load(url, partnership))
    except (SettingsUnreadable, SQLAlchemyError, GatewayError, OSError):
        return None
    return found if found.agencies else None


async def _load(url: str, partnership: PartnershipId) -> Directory:
    store = Store.open(url, tables.book)
    try:
        return await store.read(lambda tx: directory.load(tx, partnership))
    finally:
        await store.aclose()


def _message(
    pack: Pack, envelope: Envelope[Any], known: Directory | None, sender: str | None, at: datetime | None
) -> Message:
    """The message as it would be on arrival; by default at the instant at which it says it was written."""
    message = rehearsed_message(pack, envelope, at)
    return _with_author(_from(message, known, sender), known, envelope.author.name)


def _with_author(message: Message, known: Directory | None, name: str) -> Message:
    """Where a directory is assumed, the author is supposed to hold whatever seat is asked for."""
    roles = (
        frozenset(RoleId(role) for role in ROLES) if known is None else known.roles_of(message.agency, name)
    )
    return replace(message, author_roles=roles)


def _from(message: Message, known: Directory | None, sender: str | None) -> Message:
    """A kind of agency stands for some agency of that kind; an agency's own name needs a directory that holds it."""
    if sender in {kind.value for kind in AgencyKind}:
        message, sender = replace(message, agency_kind=AgencyKind(sender)), None
    if known is None and sender is not None:
        detail = (
            "There is no directory here that could hold this sender: give a kind of agency, such as police."
        )
        raise Refused(ErrorCode.NOT_FOUND, detail=detail)
    if known is None:
        return message
    if sender is not None and sender not in known.agencies:
        raise Refused(
            ErrorCode.NOT_FOUND, detail="The directory has no such sender; see `gateway directory list`."
        )
    alike = [a for a in sorted(known.agencies) if known.agencies[a].kind is message.agency_kind]
    agency = AgencyId(sender) if sender else next(iter(alike), message.agency)
    kind = known.agencies[agency].kind if agency in known.agencies else message.agency_kind
    return replace(message, agency=agency, agency_kind=kind)
