"""Changing the rules in the page: another version of a pack, another list of bank holidays; each shown first, each by two officers.

Nothing is in force by one person's click: what would change is shown, a second officer is asked, and sees the same before they agree
(`actions.agree_arrangements`). A list of holidays concerns every partnership, so both must see them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from starlette.responses import Response

from gateway.actions.activate_pack import LOOKS_BACK, replay_here
from gateway.actions.agree_arrangements import (
    ARRANGEMENTS,
    NONE,
    ArrangementAsked,
    answer_arrangement,
    ask_arrangement,
    files_of_version,
)
from gateway.actions.change_calendar import government_list, in_force, would_move
from gateway.actions.prove import Occasion
from gateway.actions.replay import Replayed
from gateway.actions.second_officer import Answering, is_own
from gateway.actions.settle import settle
from gateway.console import words
from gateway.console.door import Console, Visit
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import PartnershipId
from gateway.core.presence import local_day
from gateway.partnerships import packs
from gateway.partnerships.calendars import ENGLAND, BankHolidays, joined
from gateway.parts import Parts
from gateway.store import overview, webhooks
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
MOST_SHOWN = 50
OF_ENDPOINTS = ("agree-webhook", "end-webhook")
NOT_ALL = "Bank holidays concern every partnership: only an officer who sees them all can do this."
LOOK_FIRST = "Look first at what would change, and say that you have."


@dataclass(frozen=True, slots=True)
class Trial:
    """A version of a pack tried on the past year: its text's digest, and what it would have done otherwise."""

    version: str
    digest: str
    found: Replayed


@dataclass(frozen=True, slots=True)
class ListTrial:
    """What a list of holidays would change: days of England that come or go, and the open duties that move."""

    covers_until: date
    added: tuple[tuple[date, str], ...]
    removed: tuple[tuple[date, str], ...]
    moves: tuple[tuple[str, str, Any, Any], ...]  # incident, clock, due now, due then


async def post_activate(console: Console, visit: Visit) -> Response:
    """Ask a second officer to put a version in force that this one has looked at."""
    partnership = PartnershipId(visit.path("partnership"))
    if partnership not in visit.signed_in.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    shown = await trial(console, partnership, visit.form.get("version", ""))
    if visit.form.get("mark") != shown.found.mark or visit.form.get("looked") != "yes":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=f"{LOOK_FIRST} Go back and try again.")
    fields = {"version": shown.version, "digest": shown.digest, "mark": shown.found.mark}
    return await _ask(console, visit, ArrangementAsked("activate-pack", partnership, fields, ""))


async def post_calendar(console: Console, visit: Visit) -> Response:
    """What a list that was chosen would change. Nothing is kept of it yet."""
    await must_see_all(console, visit)
    text = visit.form.get("file", "")
    tried = await list_trial(console, text)
    one_line = json.dumps(json.loads(text.removeprefix("\ufeff")), separators=(",", ":"))
    return page(visit, "calendar.html", here="rules", tried=tried, text=one_line, most=MOST_SHOWN)


async def post_calendar_asked(console: Console, visit: Visit) -> Response:
    await must_see_all(console, visit)
    text = visit.form.get("list", "")
    await list_trial(console, text)
    return await _ask(console, visit, ArrangementAsked("change-calendar", None, {"list": text}, ""))


async def approval_page(console: Console, visit: Visit, row: ProposalRow) -> Response:
    """What was asked for, as the first officer saw it, counted anew."""
    shown: dict[str, Any] = {"trial": None, "tried": None, "endpoint": None, "gone": ""}
    asked = row.arrangement or {}
    try:
        if row.act == "activate-pack" and row.partnership and asked:
            shown["trial"] = await trial(console, row.partnership, asked["version"])
        if row.act == "change-calendar" and asked:
            shown["tried"] = await list_trial(console, asked["list"])
        if row.act in OF_ENDPOINTS and asked:
            shown["endpoint"] = await console.parts.store.read(lambda tx: webhooks.find(tx, asked["webhook"]))
    except Refused as refused:
        shown["gone"] = refused.detail or refused.code.title
    shown |= {
        "names": agency_names(await snapshots(console, visit.signed_in)),
        "said": _in_words(row.act, asked),
        "row": row,
        "act": ARRANGEMENTS[row.act],
        "asked": asked,
        "is_own": is_own(row, visit.signed_in.name),
        "now": console.parts.clock(),
        "most": MOST_SHOWN,
    }
    return page(visit, "arrangement.html", here="approvals", **shown)


def _in_words(act: str, asked: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is asked about an officer; a link's digest says nothing to anybody."""
    if act in ("activate-pack", "change-calendar", *OF_ENDPOINTS):
        return []
    if act == "officer-address" and asked.get("email") == NONE:
        asked = {**asked, "email": "None: alerts reach them no more"}
    shown = [(name, text) for name, text in asked.items() if name != "link" and text != NONE]
    return [(words.spoken(name), text.replace(",", ", ")) for name, text in shown]


async def answer(console: Console, visit: Visit, row: ProposalRow, *, refuse: bool) -> None:
    """The second officer's word; to agree they too say that they have looked."""
    if not refuse and visit.form.get("looked") != "yes":
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=f"{LOOK_FIRST} Go back and try again.")
    said = Answering(row.id, visit.signed_in.name, refuse)

    def answered(tx: Tx, parts: Parts, occasion: Occasion, said: Answering) -> ProposalRow:
        return answer_arrangement(tx, parts, occasion, row.partnership, said)

    await settled(console, answered, said)


async def must_see_all(console: Console, visit: Visit) -> None:
    if not await sees_all(console, visit):
        raise Refused(ErrorCode.NOT_PERMITTED, detail=NOT_ALL)


async def sees_all(console: Console, visit: Visit) -> bool:
    """Whether the officer sees every partnership of the deployment."""
    within = visit.signed_in.partnerships
    return await console.parts.store.read(lambda tx: overview.are_all(tx, within))


async def trial(console: Console, partnership: PartnershipId, version: str) -> Trial:
    """A version tried on the messages of the past year; Refused(not-found) when there is none of that name."""
    since_at = console.parts.clock() - LOOKS_BACK

    def read(tx: Tx) -> Trial | None:
        files = files_of_version(tx, partnership, version)
        if files is None:
            return None
        found = replay_here(tx, partnership, files, since_at)
        return Trial(version, packs.digest(files), found or Replayed(0, ()))

    try:
        shown = await console.parts.store.read(read)
    except Misconfigured as fault:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail=f"These rules cannot be read: {fault}."
        ) from None
    if shown is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return shown


async def list_trial(console: Console, text: str) -> ListTrial:
    """What a list as gov.uk publishes it would change; Refused with what is wrong with it."""
    today = local_day(console.parts.clock())

    def read(tx: Tx) -> ListTrial:
        before = in_force(tx)
        after = joined(before, government_list(text.encode(), before, today))
        return _changes(tx, before, after)

    try:
        return await console.parts.store.read(read)
    except Misconfigured as fault:
        detail = f"{words.capital(str(fault))}. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail) from None


def _changes(tx: Tx, before: BankHolidays, after: BankHolidays) -> ListTrial:
    old, new = before.divisions[ENGLAND], after.divisions[ENGLAND]
    return ListTrial(
        after.covers_until,
        tuple((on, new[on]) for on in sorted(new.keys() - old.keys())),
        tuple((on, old[on]) for on in sorted(old.keys() - new.keys())),
        tuple(
            (each.duty.incident, each.duty.clock, each.duty.due_at, each.due.due_at)
            for each in would_move(tx, after)
        ),
    )


async def ask_about_all(console: Console, visit: Visit, act: str, fields: Mapping[str, str]) -> Response:
    """Ask a second officer for what is about the deployment itself."""
    return await _ask(console, visit, ArrangementAsked(act, None, fields, ""))


async def _ask(console: Console, visit: Visit, asked: ArrangementAsked) -> Response:
    by = ArrangementAsked(asked.act, asked.partnership, asked.fields, visit.signed_in.name)
    await settled(console, ask_arrangement, by)
    return go("/approvals?done=asked")


async def settled(
    console: Console, action: Callable[[Tx, Parts, Occasion, Asked], Answer], asked: Asked
) -> Answer:
    """`settle`, with what is wrong with rules or a list told in words."""
    try:
        return await settle(console.parts, action, asked)
    except Misconfigured as fault:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=f"{words.capital(str(fault))}.") from None
