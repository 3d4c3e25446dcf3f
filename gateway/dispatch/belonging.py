"""Whose matter a mail is that answers no letter of ours: by its sender's enrolled address, and the incident that it names.

An address locates an agency and never authenticates: whether the sender was vouched for is said beside it. Nobody is enrolled by
a domain. Of several agencies or partnerships none is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.actions.reply import Belonging
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, PartnershipId
from gateway.core.replies import MailReading
from gateway.core.routing import Directory
from gateway.parts import Parts
from gateway.store import deliveries, incidents, mail, packs
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx


async def letter_of_notice(parts: Parts, reading: MailReading) -> LetterRow | None:
    """The letter that a delivery notice is about, by the envelope id or the Message-ID that we sent, never by its recipient."""
    status = reading.document.get("delivery") or {}
    quoted = str(status.get("message_id") or "").strip("<>").partition("@")[0]

    def find(tx: Tx) -> LetterRow | None:
        for sent in filter(None, (status.get("envelope_id"), quoted)):
            delivery = deliveries.find(tx, DeliveryId(str(sent)))
            if delivery is not None:
                return mail.letter_of_message(tx, delivery.message)
        return None

    return await parts.store.read(find)


async def belonging(parts: Parts, reading: MailReading) -> Belonging | None:
    """The partnership, and as far as they are certain the incident and the agency; None when nothing of that is."""
    senders = await enrolled_as(parts, reading.sender)
    named = reading.reference if (reading.reference or "").startswith("SI-") else None
    if named is not None:
        incident = IncidentId(named)
        found = await parts.store.read(lambda tx: incidents.partnership_of(tx, incident))
        if found is not None:
            taking_part = await parts.store.read(lambda tx: incidents.participants(tx, found, incident))
            agencies = {agency for _, agency in senders if agency in taking_part}
            # A stranger who guesses an incident's id is told nothing, and its officers are not troubled with it.
            return Belonging(found, incident, agencies.pop()) if len(agencies) == 1 else None
    partnerships = {partnership for partnership, _ in senders}
    agencies = {agency for _, agency in senders}
    if len(partnerships) != 1:
        return None
    return Belonging(partnerships.pop(), None, agencies.pop() if len(agencies) == 1 else None)


async def enrolled_as(parts: Parts, address: str | None) -> list[tuple[PartnershipId, AgencyId]]:
    """Under which partnership and agency this very address is enrolled, as a person's or as a team's mailbox."""
    if address is None:
        return []
    rows = await parts.store.read(packs.in_force)
    found: dict[tuple[PartnershipId, AgencyId], None] = {}
    for partnership in sorted(row.partnership for row in rows):
        directory = (await parts.partnerships.snapshot(partnership)).directory
        found |= {(partnership, agency): None for agency in _agencies(directory, address.casefold())}
    return list(found)


def _agencies(directory: Directory, address: str) -> Iterator[AgencyId]:
    for seat, holders in directory.seats.items():
        if any((holder.email or "").casefold() == address for holder in holders):
            yield seat.agency
    for seat, way in directory.ways.items():
        if way.adapter == "mail" and (way.address or "").casefold() == address:
            yield seat.agency
