"""`gateway keys`: the deployment's own signing keys: which there are, and a new one in good time.

The invariant: a key's coming into use is stated in the ledger, under the key before it; old keys stay published, so that
what they signed can be checked for ever. Exit status as in contract section 2.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.introduce_key import Introduction, introduce_key
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, settle, stop
from gateway.core.officers import TwoOfficers
from keys.custody import PURPOSES, KeyRing, put_in_use, stage_key
from keys.signing import DEVELOPMENT_PREFIX

ROTATED_HERE = ("receipts", "tokens")

app = typer.Typer(help="The deployment's own signing keys.", no_args_is_help=True)


@app.command("list", epilog="Example: gateway keys list --json")
def list_keys(as_json: JsonFlag = False) -> None:
    """List every signing key by purpose: its id, whether it signs now, whether it was made for development."""
    rows = run(_list())
    lines = [
        f"{row['purpose']}: {row['kid']} ({row['algorithm']}){', signs now' if row['current'] else ', retired'}"
        f"{', FOR DEVELOPMENT ONLY' if row['development'] else ''}"
        for row in rows
    ]
    answer(rows, lines, as_json)


@app.command(
    "rotate",
    epilog="Example: gateway keys rotate receipts --officer 'Winifred Stave' --second-officer 'Desmond Quill'",
)
def rotate(
    purpose: Annotated[str, typer.Argument(metavar="PURPOSE", help="receipts or tokens.")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key for a purpose. It signs from the next start; the one before stays published.

    A log keeps its key for life: its checkpoints are verified under the key that partners' policies pin.
    """
    if purpose not in ROTATED_HERE:
        stop(f"the purpose is one of {', '.join(ROTATED_HERE)}; a log keeps its key for life", 2)
    told = run(_rotate(Introduction(purpose, TwoOfficers(officer, second_officer))))
    lines = [f"{told['kid']} signs {purpose} from the next start: restart every process of the gateway"]
    if purpose == "receipts":
        lines.append(
            "send partners the new policy on the agreed path: they cannot check newer receipts without it"
        )
    answer(told, [*lines, f"receipt: {told['receipt']['id']}"], as_json)


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return key_rows(parts.keys)


def key_rows(ring: KeyRing) -> list[dict[str, Any]]:
    """Every signing key as it may be shown."""
    current = {ring.receipts.kid, ring.tokens.kid, ring.log.kid}
    return [
        {
            "purpose": purpose,
            "kid": jwk["kid"],
            "algorithm": jwk["alg"],
            "current": jwk["kid"] in current,
            "development": jwk["kid"].startswith(DEVELOPMENT_PREFIX),
        }
        for purpose in PURPOSES
        for jwk in ring.published[purpose]
    ]


async def _rotate(asked: Introduction) -> dict[str, Any]:
    async with opened() as parts:
        kid, staged = stage_key(parts.settings.keys_dir, asked.purpose)
        receipt = await settle(parts, introduce_key, asked)
        put_in_use(staged)
    told = {"id": receipt.id, "jws": receipt.jws}
    return {"purpose": asked.purpose, "kid": kid, "restart_needed": True, "receipt": told}
