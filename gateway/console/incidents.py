"""One incident, and one of its messages on request. Each opening is stated in the ledger before anything is shown."""

from __future__ import annotations

from starlette.responses import Response

from gateway.actions.ask_the_law import asked_of_incident
from gateway.actions.link_incidents import Linking, Word, link_incidents
from gateway.actions.view import Viewing, view
from gateway.console import case_page, reading, words
from gateway.console.door import Console, Visit
from gateway.console.listing import place
from gateway.console.meeting import meeting_decides
from gateway.console.pages import go, page
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.rules import letter_rule


async def get_incident(console: Console, visit: Visit) -> Response:
    """The incident without content: what is owed, what was delivered, what happened."""
    wanted, partnership = await _opened(console, visit)
    snapshot = await console.parts.partnerships.snapshot(partnership)
    before = place(visit, "before")
    earlier = (before.at, before.id) if before is not None and before.at is not None else None
    read = await console.parts.store.read(lambda tx: reading.incident(tx, snapshot.pack, wanted, earlier))
    law = await console.parts.store.read(
        lambda tx: asked_of_incident(tx, snapshot.pack, wanted, read.messages)
    )
    shown = case_page.shown(read, snapshot.pack, console.parts.clock(), is_newest=earlier is None)
    shown |= {
        "law": [words.asked(each) for each in law if each["standing"] != "not-met"],
        "law_was_read": bool(law),
        "names": reading.agency_names(snapshot.directory),
        "may_write": letter_rule(snapshot.pack) is not None,
        "may_meet": meeting_decides(snapshot.pack, snapshot.directory) is not None,
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
