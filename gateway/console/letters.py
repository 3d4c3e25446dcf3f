"""Letters to schools of one incident: which were written, how far each came, send one again, write another.

The list shows references, schools and states. Children's names are opened on request, and that is stated. Whatever is written or sent
again here waits among what is held, where a person sees it as it will be sent and what stands against it: nothing leaves by this page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.actions.draft_letters import Pupil, children_of
from gateway.actions.resend_letter import MAY_LEAVE, Resending, resend_letter
from gateway.actions.view import Viewing, view
from gateway.actions.write_letter import LetterWanted, write_letter
from gateway.console import reading
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, AgencyKind, DeliveryId, IncidentId, MessageId, PartnershipId
from gateway.core.rules import letter_rule
from gateway.parts import Parts, Snapshot, Work
from gateway.store import deliveries, duties, holds, incidents, mail
from gateway.store.deliveries import DeliveryRow
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class LetterShown:
    """One letter: its copies, the newest last, what is owed for it, and the hold of a copy that waits."""

    reference: str
    agency: AgencyId
    copies: tuple[DeliveryRow, ...]
    owed: DutyRow | None
    hold: str | None

    @property
    def may_go_again(self) -> bool:
        """Every copy has left or was stopped, and none was taken back."""
        return not any(one.state in MAY_LEAVE or one.recalled_at is not None for one in self.copies)


async def get_letters(console: Console, visit: Visit) -> Response:
    """The letters; the opening of the incident is stated."""
    wanted, snapshot = await _where(console, visit)
    partnership = snapshot.pack.partnership
    await console.parts.perform(view, Viewing(visit.signed_in.name, partnership, wanted), partnership, wanted)
    return await _shown(console, visit, wanted, snapshot, None)


async def post_children(console: Console, visit: Visit) -> Response:
    """The same with the children whom a letter may be about, once each opening of a referral is durable."""
    wanted, snapshot = await _where(console, visit)
    partnership, officer = snapshot.pack.partnership, visit.signed_in.name
    known = await console.parts.perform(_children, wanted, partnership, wanted)
    for message in dict.fromkeys(message for message, _, _ in known):
        await console.parts.perform(view, Viewing(officer, partnership, wanted, message), partnership, wanted)
    return await _shown(console, visit, wanted, snapshot, known)


async def post_written(console: Console, visit: Visit) -> Response:
    """Draft a letter to the chosen school about the chosen child, and lead to it."""
    wanted, snapshot = await _where(console, visit)
    message, _, place = visit.form.get("child", "").partition("~")
    if not place.isdecimal() or len(place) > 3:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose a child. Go back and try again.")
    school = AgencyId(visit.form.get("school", ""))
    asked = LetterWanted(wanted, MessageId(message), int(place), school, visit.signed_in.name)
    hold = await console.parts.perform(write_letter, asked, snapshot.pack.partnership, wanted)
    return go(f"/held/{hold}")


async def post_again(console: Console, visit: Visit) -> Response:
    """Hold the letter once more, to be sent again, and lead to it."""
    wanted, snapshot = await _where(console, visit)
    delivery = DeliveryId(visit.path("delivery"))
    row = await console.parts.store.read(lambda tx: deliveries.find(tx, delivery))
    if row is None or row.incident != wanted:
        raise Refused(ErrorCode.NOT_FOUND)
    asked = Resending(delivery, visit.signed_in.name)
    hold = await console.parts.perform(resend_letter, asked, snapshot.pack.partnership, wanted)
    return go(f"/held/{hold}")


async def _shown(
    console: Console,
    visit: Visit,
    wanted: IncidentId,
    snapshot: Snapshot,
    children: Sequence[tuple[MessageId, int, Pupil]] | None,
) -> Response:
    partnership = snapshot.pack.partnership
    schools = [
        (one.id, one.name)
        for one in snapshot.directory.agencies.values()
        if one.kind is AgencyKind.SCHOOL and one.code
    ]
    letters, is_open = await console.parts.store.read(lambda tx: _read(tx, partnership, wanted))
    shown: dict[str, Any] = {
        "incident": wanted,
        "letters": letters,
        "is_open": is_open,
        "names": reading.agency_names(snapshot.directory),
        "children": children,
        "schools": sorted(schools, key=lambda one: one[1]),
    }
    return page(visit, "letters.html", here="incidents", **shown)


def _read(tx: Tx, partnership: PartnershipId, wanted: IncidentId) -> tuple[list[LetterShown], bool]:
    incident = incidents.find(tx, partnership, wanted)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    owed = {duty.message: duty for duty in duties.of_incident(tx, partnership, wanted)}
    waits = {hold.subject: hold.id for hold in holds.about_incident(tx, partnership, wanted)}
    found = []
    for letter in mail.letters_of_incident(tx, partnership, wanted):
        copies = tuple(sorted(deliveries.of_message(tx, letter.message), key=lambda one: one.created_at))
        hold = next((waits[one.id] for one in copies if one.id in waits), None)
        found.append(LetterShown(letter.reference, letter.agency, copies, owed.get(letter.message), hold))
    return found, incident.state == "open"


def _children(tx: Tx, parts: Parts, work: Work, wanted: IncidentId) -> Sequence[tuple[MessageId, int, Pupil]]:
    incident = incidents.find(tx, work.pack.partnership, wanted)
    if incident is None or work.key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is erased.")
    return children_of(tx, work, incident)


async def _where(console: Console, visit: Visit) -> tuple[IncidentId, Snapshot]:
    """The incident, when the officer may open it and its rules write to schools."""
    wanted, partnership = await reading.openable(console, visit)
    snapshot = await console.parts.partnerships.snapshot(partnership)
    if letter_rule(snapshot.pack) is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return wanted, snapshot
