"""Waiting for a second officer: what was asked, what exactly, and the other officer's word on it.

Other pages ask with `ask`: they name an act of `actions.second_officer.ACTS` and pass on its fields from their form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from gateway.actions.agree_arrangements import ARRANGEMENTS
from gateway.actions.second_officer import (
    ACTS,
    TRANSFER,
    Answering,
    Asking,
    answer_asking,
    ask_second,
    is_own,
    what_is_asked,
)
from gateway.actions.transfer import Receiving, receiving_in
from gateway.actions.view import Viewing, view
from gateway.console import arrangements, reading, words
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DutyId, IncidentId, MessageId, PartnershipId
from gateway.parts import Parts, Work
from gateway.store import breaches, duties, messages, proposals
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

NOTICES = {
    "asked": "Asked. It is done when another officer agrees, within a week.",
    "agreed": "Done, with both your names.",
    "refused": "Refused. Nothing was done.",
}


async def get_approvals(console: Console, visit: Visit) -> Response:
    """What waits, the oldest first."""
    within, now = visit.signed_in.partnerships, console.parts.clock()
    with_all = await arrangements.sees_all(console, visit)
    rows = await console.parts.store.read(lambda tx: proposals.waiting(tx, within, now, with_all=with_all))
    notice = NOTICES.get(visit.request.query_params.get("done", ""))
    return page(
        visit, "approvals.html", here="approvals", rows=rows, acts={**ACTS, **ARRANGEMENTS}, notice=notice
    )


async def get_approval(console: Console, visit: Visit) -> Response:
    """One, with what was asked for; its opening is stated first."""
    officer, row = visit.signed_in, await _found(console, visit)
    if row.act in ARRANGEMENTS:
        return await arrangements.approval_page(console, visit, row)
    partnership, incident = _about(row)
    asked = Viewing(officer.name, partnership, incident, row.id)
    await console.parts.perform(view, asked, partnership, incident)
    fields = await console.parts.perform(_fields, row, partnership, incident)
    names = reading.agency_names((await console.parts.partnerships.snapshot(partnership)).directory)
    shown: dict[str, Any] = {
        "row": row,
        "act": ACTS[row.act],
        "fields": fields,
        "meant": await console.parts.store.read(lambda tx: dict(_meant(tx, partnership, fields, names))),
        "is_own": is_own(row, officer.name),
    }
    return page(visit, "approval.html", here="approvals", **shown, now=console.parts.clock())


def _meant(
    tx: Tx, partnership: PartnershipId, fields: Mapping[str, str], names: Mapping[AgencyId, str]
) -> Iterator[tuple[str, str]]:
    """What an id among the fields stands for: nobody can agree to a thing of which they see the id alone."""
    message = messages.find(tx, (partnership,), MessageId(fields.get("message", "")))
    if message is not None:
        agency = names.get(message.agency, message.agency)
        yield "message", f"{words.message_title(message.type)}, {agency}, {words.when(message.arrived_at)}"
    duty = duties.find(tx, DutyId(fields.get("duty", "")))
    if duty is not None and duty.partnership == partnership:
        agency = names.get(duty.agency, duty.agency)
        yield "duty", f"{words.expected(duty.expects)}, owed by {agency}, due {words.due_of(duty)}"
    breach = breaches.find(tx, (partnership,), fields.get("breach", ""))
    if breach is not None:
        yield "breach", words.BREACH_KINDS[breach.kind]
    if (agency_id := AgencyId(fields.get("agency", ""))) in names:
        yield "agency", names[agency_id]


async def post_agree(console: Console, visit: Visit) -> Response:
    return await _answer(console, visit, refuse=False)


async def post_refuse(console: Console, visit: Visit) -> Response:
    return await _answer(console, visit, refuse=True)


async def post_unrestrict(console: Console, visit: Visit) -> Response:
    """Ask a second officer to let everybody open an incident again."""
    return await ask(console, visit, "unrestrict", IncidentId(visit.path("incident")))


async def post_lift_police_hold(console: Console, visit: Visit) -> Response:
    """Ask a second officer to let disclosure go on by the rules (G-11)."""
    return await ask(console, visit, "lift-police-hold", IncidentId(visit.path("incident")))


async def ask(
    console: Console, visit: Visit, act: str, incident: IncidentId, given: Mapping[str, str] | None = None
) -> Response:
    """Ask a second officer for `act`; its fields are those of the visitor's form, and what is `given` by the page."""
    officer = visit.signed_in
    _must_may(visit, act)
    partnership = await console.parts.store.read(lambda tx: reading.partnership_of(tx, officer, incident))
    typed = {**visit.form, **(given or {})}
    asked = Asking(incident, act, {name: typed.get(name, "") for name in ACTS[act].fields}, officer.name)
    await console.parts.perform(ask_second, asked, partnership, incident)
    return go("/approvals?done=asked")


async def _answer(console: Console, visit: Visit, *, refuse: bool) -> Response:
    row = await _found(console, visit)
    _must_may(visit, row.act)
    if row.act in ARRANGEMENTS:
        await arrangements.answer(console, visit, row, refuse=refuse)
    else:
        there = None if refuse or row.act != TRANSFER else await _receiving(console, row)
        asked = Answering(row.id, visit.signed_in.name, refuse, there)
        await console.parts.perform(answer_asking, asked, *_about(row))
        console.parts.partnerships.forget()
    return go(f"/approvals?done={'refused' if refuse else 'agreed'}")


async def _receiving(console: Console, row: ProposalRow) -> Receiving | None:
    """The other side of a transfer to a partnership here; its unused data key is swept where nothing comes of it."""
    fields = await console.parts.perform(_fields, row, *_about(row))
    return await receiving_in(console.parts, PartnershipId(fields["to"])) if fields else None


async def _found(console: Console, visit: Visit) -> ProposalRow:
    """The asking, in one of the officer's partnerships, or about all where they see them all."""
    named = visit.path("proposal")
    within: list[PartnershipId | None] = [*visit.signed_in.partnerships]
    if await arrangements.sees_all(console, visit):
        within.append(None)

    def look(tx: Tx) -> ProposalRow | None:
        return next((row for each in within if (row := proposals.find(tx, each, named))), None)

    row = await console.parts.store.read(look)
    if row is None or row.act not in (ARRANGEMENTS if row.incident is None else ACTS):
        raise Refused(ErrorCode.NOT_FOUND)
    return row


def _about(row: ProposalRow) -> tuple[PartnershipId, IncidentId]:
    if row.partnership is None or row.incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return row.partnership, row.incident


def _must_may(visit: Visit, act: str) -> None:
    needs = ACTS[act].needs if act in ACTS else ARRANGEMENTS[act].needs
    if not visit.signed_in.may(needs):
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Your role does not let you do this.")


def _fields(tx: Tx, parts: Parts, work: Work, row: ProposalRow) -> dict[str, str]:
    return dict(what_is_asked(work, row) or {})
