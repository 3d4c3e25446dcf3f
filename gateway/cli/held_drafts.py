"""Behind `gateway held draft|submit`: what an agency wrote in an e-mail, as a file to complete and to record on its behalf."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import typer

from gateway.actions.mail_draft import draft_of, take_draft
from gateway.actions.view_held import Viewing, view_held
from gateway.cli.held import find_hold, mail_shown
from gateway.cli.session import opened
from gateway.core.messages import AgencyId
from gateway.store import mail


async def write_draft(hold: str, officer: str, slug: str | None, out: Path) -> dict[str, Any]:
    """State the opening, then write the draft into a file that only its owner may read."""
    async with opened() as parts:
        held = await find_hold(parts, hold)
        await parts.perform(view_held, Viewing(hold, officer), held.partnership, held.incident)
        raw = await parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
        words = str((await mail_shown(parts, raw))["text"]) if held.subject_kind == "mail" and raw else ""
        made = await draft_of(parts, held, slug, words)
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            json.dump(made.document, written, ensure_ascii=False, indent=2)
    except OSError as fault:
        typer.echo(f"{out} cannot be written: {fault.strerror}", err=True)
        raise typer.Exit(2) from None
    return {"hold": hold, "type": made.document["type"], "file": str(out), "files": len(made.files)}


async def submit_draft(
    hold: str, officer: str, document: bytes, agency: str | None, brings_files: bool
) -> dict[str, Any]:
    """Record the completed draft as the agency's own message."""
    async with opened() as parts:
        held = await find_hold(parts, hold)
        whose = AgencyId(agency) if agency else None
        taken = await take_draft(parts, held, whose, document, officer, brings_files=brings_files)
    return {"hold": hold, "message": taken.id, "incident": taken.incident, "receipt": taken.receipt_id}
