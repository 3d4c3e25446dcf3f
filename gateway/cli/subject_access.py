"""`gateway subject-access`: everything held about one child, as files with an index, for an officer to redact and hand over.

Invariant: who the child is never stands in the arguments; each incident is opened on record; a folder is new, for its owner alone.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.answer_subject import Held, held_about
from gateway.actions.find_incidents_of_child import ChildSought, find_incidents_of_child
from gateway.actions.view import Viewing, view
from gateway.cli.incidents import ask_child, read_child
from gateway.cli.session import JsonFlag, Officer, answer, opened, run, stop
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.errors import Refused
from gateway.core.identity import Identity
from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Parts
from gateway.store import incidents, overview
from keys.signing import write_secret

REDACT = """Before this leaves the house:

1. See that each incident is about the child of the request: likenesses are listed in index.json, and a machine does not decide.
2. Read every file. Where "others" in the index names a place, or says *, somebody else's data may stand there: a sibling, a
   parent, whoever reported, staff. Redact it, or write down why it may be disclosed (DPA 2018, Schedule 2, paragraph 16).
3. See whether an exemption applies: serious harm (Schedule 3), a criminal investigation, legal privilege. Ask your information
   governance officer.
4. "not_opened" lists what was not shown: erased, restricted to others, damaged, or under a police hold. Ask the police what of
   that may be disclosed; two officers lift the hold with "gateway hold lift-police".
5. Destroy this folder when the answer has been given.
"""

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class _Request:
    child: Identity
    officer: str
    reason: str


@app.command("subject-access")
def subject_access(
    child: Annotated[
        str,
        typer.Argument(
            metavar="CHILD",
            help='A file that says who, as for `gateway incidents search`; "-" asks, or reads standard input.',
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for what is held.")],
    officer: Officer,
    reason: Annotated[
        str, typer.Option("--reason", metavar="CODE", help="Why, as a code without names.")
    ] = "subject-access",
    as_json: JsonFlag = False,
) -> None:
    """Write what is held about a child as files with an index. Every incident opened is an entry in the ledger.

    Other people's data is marked where the form says so, and never taken out: an officer redacts before it leaves the house.

    Example: gateway subject-access child.json --out answer --officer "W. Stave"
    """
    is_asked = child == "-" and sys.stdin is not None and sys.stdin.isatty()
    asked = _Request(ask_child() if is_asked else read_child(child), officer, reason)
    index = run(_gather(asked, out))
    lines = [f"{len(index['files'])} files about {len(index['incidents'])} incidents in {out}"]
    lines += [f"not opened: {one['incident']} ({one['why']})" for one in index["not_opened"]]
    answer(index, [*lines, f"Read {out}/REDACT.txt before anything leaves the house."], as_json)


async def _gather(asked: _Request, out: Path) -> dict[str, Any]:
    index: dict[str, Any] = {"incidents": [], "files": [], "not_opened": []}
    async with opened() as parts:
        _make(out)
        for partnership in await parts.store.read(overview.partnerships):
            sought = ChildSought(asked.child, asked.officer, asked.reason)
            found = await parts.perform(find_incidents_of_child, sought, partnership, None)
            about = {"partnership": partnership}
            rows = [
                {"incident": one.incident, "strength": one.strength, "reasons": list(one.reasons)}
                for one in found
            ]
            index["incidents"] += [about | row for row in rows]
            for incident in dict.fromkeys(one.incident for one in found):
                await _open(parts, asked.officer, partnership, incident, out, index)
    write_secret(out / "index.json", json.dumps(index, indent=2).encode() + b"\n")
    write_secret(out / "REDACT.txt", REDACT.encode())
    return index


async def _open(
    parts: Parts,
    officer: str,
    partnership: PartnershipId,
    incident: IncidentId,
    out: Path,
    index: dict[str, Any],
) -> None:
    """One incident: on record first, then read on one snapshot, then written. Under a police hold none of it (G-11)."""
    known = await parts.store.read(lambda tx: incidents.find(tx, partnership, incident))
    if known is not None and known.police_hold is not None:
        index["not_opened"].append({"incident": incident, "why": POLICE_HOLD})
        return
    viewing = Viewing(officer, partnership, incident, opened="subject-access")
    try:
        await parts.perform(view, viewing, partnership, incident)
    except Refused as refused:
        index["not_opened"].append({"incident": incident, "why": refused.code.slug})
        return
    for held in await parts.store.read(lambda tx: held_about(tx, parts, partnership, incident)):
        if held.content is None:
            index["not_opened"].append({"incident": incident, "why": "does-not-open", "file": held.name})
        else:
            index["files"].append({"incident": incident, **_written(held, out)})


def _written(held: Held, out: Path) -> dict[str, Any]:
    write_secret(out / held.name, held.content or b"")
    members = {"file": held.name, "kind": held.kind, "about": held.about, "arrived_at": held.arrived_at}
    return {**members, "others": list(held.others)}


def _make(out: Path) -> None:
    try:
        out.mkdir(mode=0o700)
    except OSError as fault:
        stop(f"{out} cannot be made: {fault.strerror}; name a folder that is not there yet", 2)
