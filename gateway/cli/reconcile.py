"""`gateway reconcile` and `gateway erase`: is everything accounted for, and let an incident's content go for good."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.export import own_policy
from gateway.actions.reconcile import reconcile as reconcile_all
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, partnership_of, run
from gateway.core.messages import IncidentId
from gateway.dispatch.erasing import complete_erasure
from gateway.ledger.verify import Invalid, Policy, load_policy, open_receipt
from gateway.store import log
from gateway.store.reconcile import Finding
from gateway.store.serving_lock import is_held

MOST_SHOWN = 100

app = typer.Typer(no_args_is_help=True)


@app.command()
def reconcile(
    receipts: Annotated[
        Path | None,
        typer.Option(
            "--receipts",
            metavar="DIR",
            help="Receipts that an agency kept (*.jws): which of them are not here?",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold every message and delivery against the ledger: exit 1 when anything is unexplained.

    With --receipts, hold an agency's receipts against the book instead: after a restore, what they have and we lost. Each is
    checked against this deployment's own keys first.

    Example: gateway reconcile --json
    """
    told, lines = run(_reconcile() if receipts is None else _hold_against(receipts))
    answer(told, lines, as_json)
    if told["unexplained"]:
        raise typer.Exit(1)


@app.command()
def erase(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")],
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="Why, as a code without names: retention-ended.")
    ],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Destroy an incident's data keys: its content can never be read again, its receipts still verify.

    Example: gateway erase SI-7K3M-9QPX-2D --reason retention-ended --officer "W. Stave" --second-officer "C. Reed"
    """
    if not re.fullmatch("[a-z0-9-]{1,64}", reason):
        raise typer.BadParameter(
            "a code of small letters, figures and hyphens: it stands in the ledger for good"
        )
    told = run(_erase(IncidentId(incident), reason, officer, second_officer))
    lines = [
        f"{incident} is erased: {told['keys_destroyed']} data keys destroyed. Its receipts still verify."
    ]
    answer(told, lines, as_json)


async def _reconcile() -> tuple[dict[str, Any], list[str]]:
    async with opened() as parts:
        found = await reconcile_all(parts)
        is_up = not parts.settings.is_on_sqlite or is_held(parts.settings.var_dir / "serving.lock")
    views = {"messages": asdict(found.messages), "deliveries": asdict(found.deliveries)}
    waiting = [] if is_up else [one for one in found.findings if one.waits]
    findings = [one for one in found.findings if one not in waiting]
    total = {**views["deliveries"], "unexplained": len(findings), **views}
    told = {**total, "findings": _shown(findings), "waiting": _shown(waiting)}
    return told, _in_words(findings, len(waiting), views)


def _shown(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [{"what": one.what, "id": one.id} for one in findings[:MOST_SHOWN]]


async def _hold_against(folder: Path) -> tuple[dict[str, Any], list[str]]:
    async with opened() as parts:
        policy = load_policy(
            json.dumps(own_policy(parts, origins=await parts.store.read(log.origins))).encode()
        )
        kept = _receipts(folder, policy)
        genuine = {one["id"]: one for one in kept if one["genuine"]}
        known = await parts.store.read(lambda tx: log.known(tx, list(genuine)))
    missing = [one for entry, one in genuine.items() if entry not in known]
    false = [one["file"] for one in kept if not one["genuine"]]
    lines = [f"{len(kept)} receipts, {len(known)} of them are in the book"]
    lines += [f"MISSING  {one['event']} of {one['ref']} at {one['time']}: {one['file']}" for one in missing]
    lines += [f"NOT OURS  {file}" for file in false]
    told = {"receipts": len(kept), "known": len(known), "missing": missing, "not_ours": false}
    return {**told, "unexplained": len(missing)}, lines


def _receipts(folder: Path, policy: Policy) -> list[dict[str, Any]]:
    return [_receipt(file, policy) for file in sorted(folder.glob("*.jws"))]


def _receipt(file: Path, policy: Policy) -> dict[str, Any]:
    """What one file says, once its signature holds under a key of ours."""
    try:
        said = open_receipt(file.read_bytes().strip(), policy).statement
    except (Invalid, OSError):
        return {"file": file.name, "genuine": False}
    return {
        "file": file.name,
        "genuine": True,
        **{name: said[name] for name in ("id", "event", "ref", "time")},
    }


def _in_words(findings: Sequence[Finding], waiting: int, views: dict[str, dict[str, int]]) -> list[str]:
    lines = [
        f"{name}: " + ", ".join(f"{count} {word}" for word, count in figures.items())
        for name, figures in views.items()
    ]
    if waiting:
        lines.append(f"{waiting} entries and mails wait until a gateway serves: none does")
    if not findings:
        return [*lines, "Everything is accounted for."]
    shown = [f"UNEXPLAINED  {one.what}: {one.id}" for one in findings[:MOST_SHOWN]]
    hidden = len(findings) - len(shown)
    return [*lines, *shown, *([f"and {hidden} more"] if hidden else [])]


async def _erase(incident: IncidentId, reason: str, officer: str, second_officer: str) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, incident)
        asked = Erasure(incident, officer, second_officer, reason)
        named = await parts.perform(begin_erasure, asked, partnership, None)
        await complete_erasure(parts, partnership, incident)
    return {"incident": incident, "state": "erased", "keys_destroyed": len(named)}
