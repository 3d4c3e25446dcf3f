"""`gateway keys`: the deployment's own signing keys: which there are, and a new one in good time.

The invariant: a key's coming into use is stated in the ledger, under the key before it; keys for receipts stay published, so
that what they signed can be checked for ever. Exit status as in contract section 2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from gateway.actions.introduce_key import Introduction, introduce_key
from gateway.cli.client_rows import utc_or_none
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, settle, stop
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.oauth.token_keys import PUBLISHED_BEFORE, in_force
from gateway.parts import Parts
from keys.custody import PURPOSES, KeyRing, put_in_use, put_in_use_from, stage_key
from keys.signing import DEVELOPMENT_PREFIX

TOKENS, RECEIPTS = "tokens", "receipts"
ROTATED_HERE = {
    "receipts": RECEIPTS,
    "oauth": TOKENS,
    "tokens": TOKENS,
}  # as they are called -> where they lie
CURRENT, NEXT, RETIRED = "current", "next", "retired"
OVER = "over"  # retired, and no token that it signed can live any more

app = typer.Typer(help="The deployment's own signing keys.", no_args_is_help=True)


@app.command("list", epilog="Example: gateway keys list --json")
def list_keys(as_json: JsonFlag = False) -> None:
    """List every signing key by purpose: its id, its state, whether it was made for development."""
    rows = run(_list())
    lines = [
        f"{row['purpose']}: {row['kid']} ({row['algorithm']}), {row['status']}"
        f"{' from ' + row['signs_from_at'] if row['status'] == NEXT else ''}"
        f"{', FOR DEVELOPMENT ONLY' if row['development'] else ''}"
        for row in rows
    ]
    answer(rows, lines, as_json)


@app.command(
    "rotate",
    epilog="Example: gateway keys rotate oauth --officer 'Winifred Stave' --second-officer 'Desmond Quill'",
)
def rotate(
    purpose: Annotated[
        str,
        typer.Argument(metavar="PURPOSE", help="oauth (access tokens; `tokens` is the same) or receipts."),
    ],
    officer: Officer,
    second_officer: SecondOfficer,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="oauth only: the key before and every token are dead at once."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key for a purpose.

    One for tokens is published at once and signs after a day; every process finds it within a minute, none is restarted. One
    for receipts signs from the next start; the one before stays published. A log keeps its key for life: its checkpoints are
    verified under the key that partners' policies pin.
    """
    kind = ROTATED_HERE.get(purpose)
    if kind is None or (compromised and kind != TOKENS):
        stop("the purpose is oauth or receipts (--compromised: oauth alone); a log keeps its key for life", 2)
    asked = Introduction(kind, TwoOfficers(officer, second_officer))
    told = run(_rotate_tokens(asked, compromised) if kind == TOKENS else _rotate(asked))
    if kind == TOKENS:
        lines = [
            f"{told['kid']} signs tokens from {told['signs_from_at']}; running processes need no restart"
        ]
    else:
        lines = [
            f"{told['kid']} signs {kind} from the next start: restart every process of the gateway",
            "send partners the new policy on the agreed path: they cannot check newer receipts without it",
        ]
    answer(told, [*lines, f"receipt: {told['receipt']['id']}"], as_json)


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return key_rows(parts.keys, parts.clock())


def key_rows(ring: KeyRing, at: datetime) -> list[dict[str, Any]]:
    """Every signing key as it may be shown."""
    states = _states(ring, at)
    begins = {signer.kid: begins_at for signer, begins_at in ring.tokens.keys}
    return [
        {
            "purpose": purpose,
            "kid": jwk["kid"],
            "algorithm": jwk["alg"],
            "current": states.get(jwk["kid"]) == CURRENT,
            "status": states.get(jwk["kid"], RETIRED),
            "signs_from_at": utc_or_none(begins.get(jwk["kid"])),
            "development": jwk["kid"].startswith(DEVELOPMENT_PREFIX),
        }
        for purpose in PURPOSES
        for jwk in ring.published[purpose]
    ]


def _states(ring: KeyRing, at: datetime) -> dict[str, str]:
    published = {str(jwk["kid"]) for jwk in in_force(ring.tokens, at).others}
    states = {s.kid: RETIRED if s.kid in published else OVER for s, _ in ring.tokens.retired(at)}
    states |= {signer.kid: NEXT for signer, _ in ring.tokens.following(at)}
    return states | dict.fromkeys((ring.receipts.kid, ring.tokens.current(at).kid, ring.log.kid), CURRENT)


async def _rotate(asked: Introduction) -> dict[str, Any]:
    async with opened() as parts:
        kid, staged = stage_key(parts.settings.keys_dir, asked.purpose)
        receipt = await settle(parts, introduce_key, asked)
        put_in_use(staged)
    told = {"id": receipt.id, "jws": receipt.jws}
    return {"purpose": asked.purpose, "kid": kid, "restart_needed": True, "receipt": told}


async def _rotate_tokens(asked: Introduction, compromised: bool) -> dict[str, Any]:
    async with opened() as parts:
        at = parts.clock()
        _none_follows(parts, at, compromised)
        begins_at = at if compromised else at + PUBLISHED_BEFORE
        kid, staged = stage_key(parts.settings.keys_dir, asked.purpose)
        receipt = await settle(parts, introduce_key, asked)
        put_in_use_from(staged, begins_at, alone=compromised)
    told = {"id": receipt.id, "jws": receipt.jws}
    begins = utc_or_none(begins_at)
    return {
        "purpose": asked.purpose,
        "kid": kid,
        "signs_from_at": begins,
        "restart_needed": False,
        "receipt": told,
    }


def _none_follows(parts: Parts, at: datetime, compromised: bool) -> None:
    if parts.keys.tokens.following(at) and not compromised:
        detail = (
            "A next key for tokens is published already and has not begun to sign: see `gateway keys list`."
        )
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
