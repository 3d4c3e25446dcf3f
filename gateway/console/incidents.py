"""One incident, and one of its messages on request. Each opening is stated in the ledger before anything is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from json import JSONDecodeError, loads
from typing import Any

from starlette.responses import Response

from gateway.actions.ask_the_law import asked_of_incident
from gateway.actions.link_incidents import Linking, Word, link_incidents
from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.console.reading import IncidentRead
from gateway.core.messages import IncidentId, PartnershipId


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline: a message that came or a receipt, with what it says and does not say."""

    at: datetime
    title: str
    words: str
    message: str | None = None
    sender: str | None = None
    is_sealed: bool = True


async def get_incident(console: Console, visit: Visit) -> Response:
    """The incident without content: what is owed, what was delivered, what happened."""
    wanted, partnership = await _opened(console, visit)
    snapshot = await console.parts.partnerships.snapshot(partnership)
    read = await console.parts.store.read(lambda tx: reading.incident(tx, snapshot.pack, wanted))
    law = await console.parts.store.read(
        lambda tx: asked_of_incident(tx, snapshot.pack, wanted, read.messages)
    )
    now = console.parts.clock()
    shown: dict[str, Any] = {
        "read": read,
        "pack": snapshot.pack,
        "duties": [(duty, words.left(now, duty.due_at, snapshot.pack.calendar)) for duty in read.duties],
        "timeline": _timeline(read),
        "law": [words.asked(each) for each in law if each["standing"] != "not-met"],
        "law_was_read": bool(law),
        "names": reading.agency_names(snapshot.directory),
    }
    return page(visit, "incident.html", here="incidents", **shown)


async def post_message(console: Console, visit: Visit) -> Response:
    """What one message says."""
    wanted = IncidentId(visit.path("incident"))
    officer = visit.signed_in
    partnership = await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, wanted))
    row = await console.parts.store.read(
        lambda tx: reading.message(tx, partnership, wanted, visit.path("message"))
    )
    await console.parts.perform(view, Viewing(officer.name, partnership, wanted, row.id), partnership, wanted)
    document = await reading.content(console.parts, row)
    names = reading.agency_names((await console.parts.partnerships.snapshot(partnership)).directory)
    return page(visit, "message.html", here="incidents", row=row, document=document, names=names)


async def post_linked(console: Console, visit: Visit) -> Response:
    return await _say(console, visit, Word.SAME)


async def post_told_apart(console: Console, visit: Visit) -> Response:
    return await _say(console, visit, Word.NOT_THE_SAME)


async def post_unlinked(console: Console, visit: Visit) -> Response:
    return await _say(console, visit, Word.UNLINKED)


async def _say(console: Console, visit: Visit, word: Word) -> Response:
    """The officer's word on two incidents; a second click finds that it is done and changes nothing."""
    officer, wanted = visit.signed_in, IncidentId(visit.path("incident"))
    partnership = await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, wanted))
    asked = Linking(wanted, IncidentId(visit.path("other")), officer.name, word)
    await console.parts.perform(link_incidents, asked, partnership, None)
    return go(f"/incidents/{wanted}")


async def _opened(console: Console, visit: Visit) -> tuple[IncidentId, PartnershipId]:
    """The incident asked for, once its opening is durable."""
    officer, wanted = visit.signed_in, IncidentId(visit.path("incident"))
    partnership = await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, wanted))
    await console.parts.perform(view, Viewing(officer.name, partnership, wanted), partnership, wanted)
    return wanted, partnership


def _timeline(read: IncidentRead) -> list[Moment]:
    """Messages and receipts together, the newest first."""
    came = (
        Moment(row.arrived_at, words.message_title(row.type), "", message=row.id, sender=row.agency)
        for row in read.messages
    )
    stated = (
        Moment(
            entry.at,
            words.event_title(entry.event),
            " ".join(filter(None, (_reason(entry.statement), words.event_meaning(entry.event)))),
            is_sealed=entry.leaf_index is not None,
        )
        for entry in read.entries
    )
    return sorted(chain(stated, came), key=lambda moment: moment.at, reverse=True)


def _reason(statement: bytes) -> str:
    """The coarse reason that a statement gives, in words."""
    try:
        found = words.reason(loads(statement).get("reason"))
    except (JSONDecodeError, UnicodeDecodeError, AttributeError):
        return ""
    return f"{found}." if found else ""
