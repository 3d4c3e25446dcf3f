"""What somebody tells by telephone, written down in the page on their agency's behalf: the answer to a duty, or a new referral.

The form is made from the message type's own schema. What is recorded goes through the door of every message as the agency's own,
and the receipt commits to the officer who took it down (X-29); a slip brings the page back with what was typed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from gateway.actions.answer_for_agency import answer_for
from gateway.actions.take import Speaker, prepare, take
from gateway.console import duty_page, words
from gateway.console.door import Console, Visit
from gateway.console.forms import Field, Group, form_of, instant_of, message_of, slips_of
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId, PartnershipId
from gateway.core.working_days import TimeFault, read_instant
from gateway.store.duties import DutyRow
from schemas import read_message
from schemas.registry import TYPES

REFERRAL = "referral"
MOST_ENTRIES = 6
PREFIX = "by-telephone-"
TOLD_AT = "told_at"
TOLD = Field(
    TOLD_AT,
    "When it was told or written, if before now",
    "As a form on paper says; it is then marked as entered late.",
    "instant",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The page of one form: what it is for, whose answer it is, and where it goes."""

    slug: str
    title: str
    path: str
    back: str
    agency: str = ""
    agencies: tuple[tuple[str, str], ...] = ()
    told: str = "Told by telephone or on paper"
    says: str = ""  # in place of the words for what is told by telephone
    has_files: bool = False


async def get_answer(console: Console, visit: Visit) -> Response:
    """The form of what a duty expects."""
    row = await duty_page.found(console, visit)
    return _shown(visit, await _of_duty(console, visit, row), {}, {})


async def post_answer(console: Console, visit: Visit) -> Response:
    row = await duty_page.found(console, visit)
    asked = await _of_duty(console, visit, row)
    about = {"incident": row.incident, "in_reply_to": row.message}
    try:
        raw = _written(console, visit, asked, row.partnership, {k: v for k, v in about.items() if v})
        await answer_for(console.parts, row, raw, visit.signed_in.name)
    except Refused as refused:
        return _slipped(visit, asked, refused)
    return go(f"/incidents/{row.incident}/duties/{row.id}?done=recorded")


async def get_referral(console: Console, visit: Visit) -> Response:
    """A new referral that somebody tells; it opens an incident."""
    return _shown(visit, await _of_referral(console, visit), {}, {})


async def post_referral(console: Console, visit: Visit) -> Response:
    asked, agency = await _of_referral(console, visit), visit.form.get("agency", "")
    partnership = await _partnership_of(console, visit, agency)
    if partnership is None:
        return _shown(visit, asked, dict(visit.form), {"agency": "Say which agency refers"})
    try:
        raw = _written(console, visit, asked, partnership, {})
        speaker = Speaker(AgencyId(agency), frozenset({partnership}), recorded_by=visit.signed_in.name)
        taken = await take(console.parts, await prepare(console.parts, raw, read_message(raw), speaker))
    except Refused as refused:
        return _slipped(visit, asked, refused)
    return go(f"/incidents/{taken.incident}")


async def _of_duty(console: Console, visit: Visit, row: DutyRow) -> Asked:
    if row.expects not in TYPES:
        raise Refused(ErrorCode.NOT_FOUND)
    known = await console.parts.partnerships.snapshot(row.partnership)
    agency = known.directory.agencies.get(row.agency)
    path = f"/incidents/{row.incident}/duties/{row.id}"
    title = words.message_title(row.expects)
    return Asked(row.expects, title, f"{path}/answer", path, agency.name if agency else row.agency)


async def _of_referral(console: Console, visit: Visit) -> Asked:
    names = agency_names(await snapshots(console, visit.signed_in))
    agencies = tuple(sorted(((str(one), name) for one, name in names.items()), key=lambda one: one[1]))
    return Asked(REFERRAL, words.message_title(REFERRAL), "/referral", "/incidents", agencies=agencies)


async def _partnership_of(console: Console, visit: Visit, agency: str) -> PartnershipId | None:
    """The one of the officer's partnerships whose member it is; None for an agency that is in none of them."""
    known = await snapshots(console, visit.signed_in)
    return next((each for each, here in known.items() if agency in here.directory.agencies), None)


def _written(
    console: Console, visit: Visit, asked: Asked, partnership: PartnershipId, about: Mapping[str, str]
) -> bytes:
    """The message as its author would have sent it. The form's own reference makes a second sending the same message."""
    reference = visit.form.get("reference", "")
    if not reference.startswith(PREFIX) or not reference.isascii() or len(reference) > 64:
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    document = {
        "type": asked.slug,
        "version": 1,
        "partnership": partnership,
        "reference": reference,
        "created_at": _told_at(visit, console.parts.clock()),
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        **about,
        **message_of(form_of(asked.slug, entries_of(visit)), visit.form),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _told_at(visit: Visit, now: datetime) -> str:
    """When it was told or written: now, unless it is entered from paper or told before; never later than now (G-13)."""
    typed = visit.form.get(TOLD_AT, "").strip()
    at = read_instant(instant_of(typed)) if typed else now
    if isinstance(at, TimeFault):
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError(f"/{TOLD_AT}", "bad-instant"),))
    if at > now:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError(f"/{TOLD_AT}", "in-the-future"),))
    return at.isoformat()


def _slipped(visit: Visit, asked: Asked, refused: Refused) -> Response:
    if not refused.errors:
        raise refused
    faults = [(error.pointer, error.code) for error in refused.errors]
    slips = slips_of(faults, Group("", "", "", (TOLD, *form_of(asked.slug, entries_of(visit)).parts)))
    return _shown(visit, asked, dict(visit.form), slips)


def _shown(visit: Visit, asked: Asked, typed: Mapping[str, str], slips: Mapping[str, str]) -> Response:
    return shown_form(visit, asked, typed, slips, entries_of(visit))


def shown_form(
    visit: Visit,
    asked: Asked,
    typed: Mapping[str, str],
    slips: Mapping[str, str],
    entries: int,
    *,
    deeper: int = 1,
    is_begun: bool = False,
) -> Response:
    """The form of a message; `is_begun` when what stands in it came from elsewhere, so that no more room is offered."""
    shown: dict[str, Any] = {
        "asked": asked,
        "form": form_of(asked.slug, entries, deeper),
        "entries": entries,
        "deeper": deeper,
        "before_now": None if is_begun else TOLD,
        "may_have_more": entries < MOST_ENTRIES and not is_begun,
        "typed": typed,
        "found": slips,
        "reference": typed.get("reference") or PREFIX + secrets.token_hex(8),
    }
    return page(visit, "taken_down.html", 422 if slips else 200, here="incidents", **shown)


def entries_of(visit: Visit) -> int:
    """How many entries each list of the form has room for."""
    text = visit.form.get("entries") or visit.request.query_params.get("entries", "1")
    return min(MOST_ENTRIES, max(1, int(text))) if text.isdecimal() and len(text) < 3 else 1
