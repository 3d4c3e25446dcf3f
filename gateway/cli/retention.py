"""`gateway retention`: what is kept past its class, and two officers' word that it goes (G-12).

The clock lists and never erases by itself. Exit status as in contract section 2.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.end_retention import Approval, PastRetention, approve_erasure, past_retention
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, partnership_of, run
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.dispatch.erasing import complete_erasure
from gateway.parts import Parts
from gateway.store import overview

app = typer.Typer(help="What is kept past its retention class.", no_args_is_help=True)


@app.command("list")
def list_past(as_json: JsonFlag = False) -> None:
    """List closed and transferred incidents whose class has run out, those under a legal hold marked.

    Example: gateway retention list
    """
    found = run(_list())
    lines = [
        f"{one['incident']}  {one['class']}, ended {one['ended_on']}, kept until {one['until_on']}"
        f"{', UNDER A LEGAL HOLD' if one['legal_hold'] else ''}"
        for one in found
    ]
    answer({"past_retention": found}, lines or ["Nothing is kept past its class."], as_json)


@app.command()
def approve(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Erase one incident whose class has run out; refused for any other. Two officers. It cannot be undone.

    Example: gateway retention approve SI-7K3M-9QPX-2D --officer "W. Stave" --second-officer "C. Reed"
    """
    asked = Approval(IncidentId(incident), TwoOfficers(officer, second_officer))
    told = run(_approve(asked))
    line = f"{incident} is erased: {told['keys_destroyed']} data keys destroyed. Its receipts still verify."
    answer(told, [line], as_json)


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        names = await parts.store.read(overview.partnerships)
        return [{"partnership": name, **_document(one)} for name in names for one in await _past(parts, name)]


async def _past(parts: Parts, name: Any) -> list[PastRetention]:
    pack, at = (await parts.partnerships.snapshot(name)).pack, parts.clock()
    return await parts.store.read(lambda tx: past_retention(tx, pack, at))


def _document(one: PastRetention) -> dict[str, Any]:
    return {
        "incident": one.incident,
        "class": one.kind,
        "ended_on": one.ended_on.isoformat(),
        "until_on": one.until_on.isoformat(),
        "legal_hold": one.is_held,
    }


async def _approve(asked: Approval) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, asked.incident)
        named = await parts.perform(approve_erasure, asked, partnership, None)
        await complete_erasure(parts, partnership, asked.incident)
    return {"incident": asked.incident, "state": "erased", "keys_destroyed": len(named)}
