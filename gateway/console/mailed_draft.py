"""What an agency wrote in a plain e-mail, made a message in the page: the form of its type, filled in as far as the e-mail says it.

The actions are those of `gateway held draft` and `gateway held submit`; opening the form is stated as opening the e-mail is. A slip
brings the page back with what was typed (X-29).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from gateway.actions.mail_draft import Draft, draft_of, take_draft
from gateway.actions.view_held import Viewing, view_held
from gateway.console import words
from gateway.console.door import Console, Visit
from gateway.console.forms import BY_HOUSE, Field, Group, form_of, message_of, slips_of, typed_instant
from gateway.console.held import found, words_of_mail
from gateway.console.pages import go
from gateway.console.reading import HeldRead, agency_names
from gateway.console.taken_down import MOST_ENTRIES, Asked, entries_of, shown_form
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId
from schemas.filled_form import values_of
from schemas.registry import TYPES

TOO_MUCH = "The page has no room for all of this message: complete it with `gateway held draft`."


async def get_draft(console: Console, visit: Visit) -> Response:
    """The form with what the e-mail says; the opening is stated first."""
    read = await _waiting(console, visit)
    wanted = visit.request.query_params.get("type") or None
    opening = Viewing(read.hold.id, visit.signed_in.name)
    await console.parts.perform(view_held, opening, read.hold.partnership, read.hold.incident)
    draft = await _draft(console, read, wanted)
    slug = str(draft.document["type"])
    room = _room(draft.document)
    typed = dict(typed_of(form_of(slug, *room), draft.document))
    told = {name.replace("/", ".").lstrip(".") for name, value in values_of(draft.document).items() if value}
    shown = {name.partition("~")[0] for name in typed}
    if any(name not in shown and name.partition(".")[0] not in BY_HOUSE for name in told):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=TOO_MUCH)  # nothing of it may get lost
    return _shown(visit, await _asked(console, visit, read, slug), typed, {}, room)


async def post_draft(console: Console, visit: Visit) -> Response:
    """Record it as the agency's own message, as of the e-mail's arrival."""
    read = await _waiting(console, visit)
    slug, room = visit.form.get("type", ""), (entries_of(visit), _deeper(visit))
    if slug not in TYPES:
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    asked = await _asked(console, visit, read, slug)
    known = read.mail.agency if read.mail else None
    chosen = visit.form.get("agency", "")
    if known is None and chosen not in dict(asked.agencies):
        slip = {"agency": "Say which agency writes"}
        return _shown(visit, asked, dict(visit.form), slip, room)
    form = form_of(slug, *room)
    draft = await _draft(console, read, slug)
    kept = {name: value for name, value in draft.document.items() if name not in ("body", "author")}
    document = json.dumps({**kept, **message_of(form, visit.form)}, ensure_ascii=False).encode()
    brings = visit.form.get("without_files") != "yes"
    whose, officer = known or AgencyId(chosen), visit.signed_in.name
    try:
        taken = await take_draft(console.parts, read.hold, whose, document, officer, brings_files=brings)
    except Refused as refused:
        if not refused.errors:
            raise
        slips = slips_of([(error.pointer, error.code) for error in refused.errors], form)
        return _shown(visit, asked, dict(visit.form), slips, room)
    return go(f"/incidents/{taken.incident}")


def _shown(
    visit: Visit, asked: Asked, typed: Mapping[str, str], slips: Mapping[str, str], room: tuple[int, int]
) -> Response:
    return shown_form(visit, asked, typed, slips, room[0], deeper=room[1], is_begun=True)


async def _waiting(console: Console, visit: Visit) -> HeldRead:
    read = await found(console, visit)
    if read.mail is None or read.hold.settled_at is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This is no e-mail that waits.")
    return read


async def _draft(console: Console, read: HeldRead, slug: str | None) -> Draft:
    said = await words_of_mail(console.parts, read)
    return await draft_of(console.parts, read.hold, slug, said.text)


async def _asked(console: Console, visit: Visit, read: HeldRead, slug: str) -> Asked:
    names = agency_names((await console.parts.partnerships.snapshot(read.hold.partnership)).directory)
    path = f"/held/{read.hold.id}"
    agency = read.mail.agency if read.mail else None
    return Asked(
        slug,
        words.message_title(slug),
        f"{path}/message",
        path,
        names.get(agency, agency) if agency else "",
        ()
        if agency
        else tuple(sorted(((str(one), name) for one, name in names.items()), key=lambda one: one[1])),
        told="Written by e-mail",
        says="The form holds what the e-mail says. Complete it with its sender, and telephone if anything is urgent. It is recorded as "
        "their agency's own message, as of the moment at which the e-mail arrived, taken down by you. Nothing is guessed.",
        has_files=bool(read.mail),
    )


def typed_of(part: Field | Group, document: Any) -> Iterator[tuple[str, str]]:
    """A document as its form's fields hold it."""
    if isinstance(part, Group):
        for inner in part.parts:
            yield from typed_of(inner, document)
        return
    value = _at(document, part.name)
    if value is None:
        return
    if part.kind == "choices" and isinstance(value, list):
        yield from ((f"{part.name}~{one}", "yes") for one in value)
    elif part.kind == "lines" and isinstance(value, list):
        yield part.name, "\n".join(map(str, value))
    elif isinstance(value, bool):
        yield part.name, "yes" if value else "no"
    elif part.kind == "instant":
        yield part.name, typed_instant(str(value))
    elif isinstance(value, str | int):
        yield part.name, str(value)


def _at(document: Any, name: str) -> Any:
    for part in name.split("."):
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list) and part.isdecimal():
            document = document[int(part)] if int(part) < len(document) else None
        else:
            return None
    return document


def _room(document: Mapping[str, Any]) -> tuple[int, int]:
    """How many entries the longest list of things has, and the longest inside such a list."""
    places = [[int(part) for part in name.split("/") if part.isdigit()] for name in values_of(document)]
    deepest = [
        1 + max((found[depth] for found in places if len(found) > depth), default=0) for depth in (0, 1)
    ]
    return min(MOST_ENTRIES, deepest[0]), min(MOST_ENTRIES, deepest[1])


def _deeper(visit: Visit) -> int:
    text = visit.form.get("deeper", "1")
    return min(MOST_ENTRIES, max(1, int(text))) if text.isdecimal() and len(text) < 3 else 1
