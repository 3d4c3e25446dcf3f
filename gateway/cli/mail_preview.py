"""Behind `gateway mail preview INCIDENT`: what would leave by e-mail for an incident, and to whom by the directory as it is now.

Nothing is sent and nothing let go. What is shown is opened as an officer opens it: each message is stated first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from adapters.mail.letter import build_posting
from gateway.actions.view import Viewing, view
from gateway.app.correspondence import correspondence, mail_policy
from gateway.cli.session import opened, partnership_of
from gateway.core.deliveries import DeliveryState, Letter
from gateway.core.messages import IncidentId, MessageId, PartnershipId
from gateway.dispatch.carrying import letter_of
from gateway.parts import Parts
from gateway.store import deliveries, messages
from gateway.store.deliveries import DeliveryRow

_WAITING = (DeliveryState.HELD, DeliveryState.PENDING)


async def preview(incident: IncidentId, officer: str, out: Path | None) -> dict[str, Any]:
    """Every delivery of the incident that is held or still to be carried, with the words of what goes by e-mail."""
    async with opened() as parts:
        return {"incident": incident, "waiting": await waiting_of(parts, incident, officer, out)}


async def waiting_of(
    parts: Parts, incident: IncidentId, officer: str, out: Path | None = None
) -> list[dict[str, Any]]:
    """The same; each message whose words are shown is stated as opened first. Refused when there is no such incident."""
    partnership = await partnership_of(parts, incident)
    rows = await parts.store.read(lambda tx: deliveries.every(tx, partnership, _WAITING))
    mine = sorted((row for row in rows if row.incident == incident), key=lambda row: row.created_at)
    opened = dict.fromkeys(row.message for row in mine if row.way == "mail")
    for one in opened or ("incident",):  # who may not know of it sees not even what waits
        asked = Viewing(officer, partnership, incident, opened=one)
        await parts.perform(view, asked, partnership, incident)
    return [await _shown(parts, partnership, row, out) for row in mine]


def in_words(told: dict[str, Any]) -> list[str]:
    """The same for a person."""
    lines = []
    for one in told["waiting"]:
        to = one["to"]
        where = f" <{to['address']}>" if to["address"] else ""
        lines.append(
            f"{one['delivery']}  {one['type']}, {one['state']}, to {to['role']} of {to['agency']} by {to['way']}{where}"
        )
        if one["text"]:
            lines += [
                f"  Class {one['class']}. Subject: {one['subject']}",
                *(f"  | {line}" for line in one["text"].splitlines()),
            ]
        lines += [f"  wrote {file}" for file in one["files"]]
    return lines or ["Nothing of this incident waits to be sent."]


async def _shown(
    parts: Parts, partnership: PartnershipId, row: DeliveryRow, out: Path | None
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "delivery": row.id,
        "type": row.message_type,
        "state": row.state.value,
        "to": {"agency": row.agency, "role": row.role, "way": row.way, "address": None},
        **dict.fromkeys(("class", "subject", "text")),
        "files": [],
    }
    if row.way != "mail":
        return told
    directory = (await parts.partnerships.snapshot(partnership)).directory
    message = await parts.store.read(lambda tx: messages.find(tx, [partnership], MessageId(row.message)))
    address, letter = await letter_of(parts, row, message, directory) if message else (None, None)
    if address is None or letter is None:
        return told
    told["to"]["address"] = address
    told |= {
        "class": mail_policy(parts.settings).class_of(address).value,
        "subject": letter.subject,
        "text": letter.text,
        "files": _written(parts, row, address, letter, out) if out else [],
    }
    return told


def _written(parts: Parts, row: DeliveryRow, address: str, letter: Letter, out: Path) -> list[str]:
    """The e-mail before it is signed and encrypted, in a file that only its owner may read."""
    ours = correspondence(parts.settings)
    posting = build_posting(letter, row.id, address, ours, parts.clock())
    file = out / f"{row.id}.eml"
    try:
        file.touch(mode=0o600)
        file.write_bytes(posting.content)
    except OSError as fault:
        typer.echo(f"gateway: the folder cannot be written to ({fault.strerror})", err=True)
        raise typer.Exit(2) from None
    return [str(file)]
