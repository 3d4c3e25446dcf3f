"""`gateway keys`: the deployment's own keys: which there are, and a new one in good time, without a restart.

The invariant: a key's coming into use is stated in the ledger, under the key before it; keys for receipts and of the log stay
published, so that what they signed can be checked for ever. Exit status as in contract section 2.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from gateway.actions.introduce_key import Introduction, introduce_key, retire_key
from gateway.actions.settle import settle
from gateway.cli import escrow
from gateway.cli.client_rows import utc_or_none
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, stop
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.dispatch.rewrapping import rewrap_all
from gateway.oauth.token_keys import PUBLISHED_BEFORE, in_force
from gateway.parts import Parts
from keys.custody import (
    PURPOSES,
    KeyRing,
    forget_former_masters,
    next_master_id,
    put_in_use_from,
    rotate_master,
    stage_key,
)
from keys.signing import DEVELOPMENT_PREFIX

TOKENS, MASTER = "tokens", "master"
ROTATED_HERE = {"receipts": "receipts", "oauth": TOKENS, "tokens": TOKENS, "log": "log", MASTER: MASTER}
SEEN_BEFORE = timedelta(
    minutes=1
)  # every process has looked by then, so that all sign with the new key at once
CURRENT, NEXT, RETIRED = "current", "next", "retired"
OVER = "over"  # retired, and no token that it signed can live any more

app = typer.Typer(help="The deployment's own keys.", no_args_is_help=True)
app.registered_commands.extend(escrow.app.registered_commands)


@app.command("list", epilog="Example: gateway keys list --json")
def list_keys(as_json: JsonFlag = False) -> None:
    """List every key by purpose: its id, its state, whether it was made for development."""
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
        typer.Argument(
            metavar="PURPOSE", help="receipts, log, oauth (access tokens; `tokens` is the same) or master."
        ),
    ],
    officer: Officer,
    second_officer: SecondOfficer,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="oauth only: the key before and every token are dead at once."),
    ] = False,
    forget_former: Annotated[
        bool,
        typer.Option(
            "--forget-former", help="master only: destroy former master keys instead of making one."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key for a purpose. Every running process finds it within a minute; none is restarted.

    One for tokens is published at once and signs after a day, and so does the log's where witnesses watch, who must be given it. Keys
    for receipts, and of a log that nobody watches, sign a minute later; those before stay published, and the policy names both. A new master key wraps every data key anew; the one before is kept until back-ups of the
    custody store that need it are gone (--forget-former).
    """
    kind = ROTATED_HERE.get(purpose)
    if kind is None or (compromised and kind != TOKENS) or (forget_former and kind != MASTER):
        stop(
            "the purpose is receipts, log, oauth (alone with --compromised) or master (with --forget-former)",
            2,
        )
    asked = Introduction(kind, TwoOfficers(officer, second_officer))
    if kind == MASTER:
        told = run(_forget_former(asked) if forget_former else _rotate_master(asked))
    else:
        told = run(_rotate(asked, compromised))
    answer(told, [*_in_words(told), f"receipt: {told['receipt']['id']}"], as_json)


def _in_words(told: dict[str, Any]) -> list[str]:
    match told["purpose"]:
        case "master" if "forgotten" in told:
            return [f"destroyed: {', '.join(told['forgotten'])}"]
        case "master":
            return [
                f"{told['kid']} wraps every data key: {told['rewrapped']} were wrapped anew",
                "make new shares now (`gateway keys escrow`): those of the key before open nothing that comes",
                f"when back-ups from before are gone: gateway keys rotate master --forget-former, from "
                f"{told['forget_from_at']} on",
            ]
        case "tokens":
            return [
                f"{told['kid']} signs tokens from {told['signs_from_at']}; running processes need no restart"
            ]
    return [
        f"{told['kid']} signs {told['purpose']} from {told['signs_from_at']}; running processes need no restart",
        "send partners the new policy on the agreed path: they cannot check what is newer without it",
    ]


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return key_rows(parts.keys, parts.clock())


def key_rows(ring: KeyRing, at: datetime) -> list[dict[str, Any]]:
    """Every key as it may be shown: its id and state, never more."""
    states = _states(ring, at)
    begins = {signer.kid: begins_at for timed in ring.timed.values() for signer, begins_at in timed.keys}
    signing = [
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
    return signing + [_master_row(ring, kid) for kid in (*ring.former_masters, ring.master_id)]


def _master_row(ring: KeyRing, kid: str) -> dict[str, Any]:
    is_current = kid == ring.master_id
    return {
        "purpose": MASTER,
        "kid": kid,
        "algorithm": "A256GCM",
        "current": is_current,
        "status": CURRENT if is_current else RETIRED,
        "signs_from_at": None,
        "development": kid.startswith(DEVELOPMENT_PREFIX),
    }


def _states(ring: KeyRing, at: datetime) -> dict[str, str]:
    published = {str(jwk["kid"]) for jwk in in_force(ring.tokens, at).others}
    states = {s.kid: RETIRED if s.kid in published else OVER for s, _ in ring.tokens.retired(at)}
    states |= {signer.kid: NEXT for signer, _ in ring.tokens.following(at)}
    for purpose in ("receipts", "log"):
        states |= {signer.kid: RETIRED for signer, _ in ring.timed[purpose].retired(at)}
        states |= {signer.kid: NEXT for signer, _ in ring.timed[purpose].following(at)}
    return states | {ring.timed[purpose].current(at).kid: CURRENT for purpose in PURPOSES}


async def _rotate(asked: Introduction, compromised: bool) -> dict[str, Any]:
    async with opened() as parts:
        at = parts.clock()
        _none_follows(parts, asked.purpose, at, compromised)
        begins_at = at if compromised else at + _ahead(parts, asked.purpose)
        kid, staged = stage_key(parts.settings.keys_dir, asked.purpose, parts.ring.home)
        receipt = await settle(parts, introduce_key, asked)
        put_in_use_from(staged, begins_at, alone=compromised)
    begins = utc_or_none(begins_at)
    told = {"id": receipt.id, "jws": receipt.jws}
    common = {"purpose": asked.purpose, "kid": kid, "restart_needed": False}
    return {**common, "signs_from_at": begins, "receipt": told}


def _ahead(parts: Parts, purpose: str) -> timedelta:
    """How long a key is published before it signs. Witnesses must be given a log's next key: they sign under no other."""
    is_watched = purpose == "log" and bool(parts.notaries.witnesses)
    return PUBLISHED_BEFORE if purpose == TOKENS or is_watched else SEEN_BEFORE


async def _rotate_master(asked: Introduction) -> dict[str, Any]:
    """Goes on where a run before was interrupted: what is wrapped otherwise is wrapped anew in any case."""
    async with opened() as parts:
        kid, at = next_master_id(parts.settings.keys_dir), parts.clock()
        await settle(parts, introduce_key, asked)
        rotate_master(parts.settings.keys_dir, kid, at, parts.ring.home)
        parts.ring.look()
        rewrapped = await rewrap_all(parts)
        receipt = await settle(parts, retire_key, asked)
        forget_from = at + timedelta(days=parts.settings.custody_backup_days)
    told = {"id": receipt.id, "jws": receipt.jws}
    common = {"purpose": MASTER, "kid": kid, "restart_needed": False, "rewrapped": rewrapped}
    return {**common, "forget_from_at": utc_or_none(forget_from), "receipt": told}


async def _forget_former(asked: Introduction) -> dict[str, Any]:
    async with opened() as parts:
        await rewrap_all(parts)  # a process that had not looked yet may have wrapped one under the key before
        before = parts.clock() - timedelta(days=parts.settings.custody_backup_days)
        gone = forget_former_masters(parts.settings.keys_dir, before, parts.ring.home)
        if not gone:
            detail = "No former master key is old enough: a back-up of the custody store may still need it."
            raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
        receipt = await settle(parts, retire_key, asked)
    return {"purpose": MASTER, "forgotten": gone, "receipt": {"id": receipt.id, "jws": receipt.jws}}


def _none_follows(parts: Parts, purpose: str, at: datetime, compromised: bool) -> None:
    if parts.keys.timed[purpose].following(at) and not compromised:
        detail = f"A next key for {purpose} is published already and has not begun to sign: see `gateway keys list`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
