"""`gateway clients approve|challenge`: keys that wait for proof of possession and a second officer.

Invariant: no key is in use before its holder proved to have it and another officer than the one who asked agreed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.approve_client import Approval, approve_client
from gateway.actions.rotate_client_keys import NewChallenge, challenge_again
from gateway.actions.settle import settle
from gateway.cli.agency_keys import LARGEST_BYTES, write_challenge
from gateway.cli.client_answers import found, receipt_rows, refuse, tell
from gateway.cli.client_options import ChallengeOut, Client
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, opened, run, stop
from gateway.core import client_keys
from gateway.core.officers import TwoOfficers
from gateway.core.written_times import written
from gateway.oauth.possession import NotProved, make_proof, proved_thumbprint
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.clients import ClientRow, Waiting
from keys.signing import jwk_thumbprint

app = typer.Typer()


@app.command(
    "approve",
    epilog="Example: gateway clients approve northshire-police-1 --proof police.proof --second-officer 'Desmond Quill'",
)
def approve(
    client: Client,
    proof: Annotated[
        list[Path],
        typer.Option("--proof", metavar="FILE", help="What the agency signed; once for each file."),
    ],
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Put a client's waiting keys in use, as the second officer: not the one who asked for them."""
    proofs = [word for file in proof for word in _words_in(file)]
    told = run(_approved(client, proofs, second_officer))
    tell(told, [f"{client} may now use: {', '.join(told['kids'])}"], as_json)


@app.command(
    "challenge",
    epilog="Example: gateway clients challenge northshire-police-1 --officer 'Winifred Stave'",
)
def challenge(
    client: Client, officer: Officer, challenge_file: ChallengeOut = None, as_json: JsonFlag = False
) -> None:
    """Give out another challenge for keys that wait: the one before expired, or went astray."""
    told = run(asked_for(challenge_again, NewChallenge(client, officer), officer, None, None))
    tell_asked(told, challenge_file, as_json)


async def asked_for(
    action: Any, asked: Any, officer: str, second_officer: str | None, private: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What waits now; approved at once when both officers are named and the file was the private key itself."""
    officers = None if second_officer is None else TwoOfficers(officer, second_officer)
    async with opened() as parts:
        waiting: Waiting = await settle(parts, action, asked)
        told = _challenge_document(parts, asked.client, await found(parts, asked.client), waiting)
        if officers is None or private is None:
            return told
        audience = parts.settings.public_url
        proof = make_proof(private, client=asked.client, audience=audience, nonce=waiting.nonce)
        done = await _approve(parts, asked.client, [proof], officers.second)
        return told | {"status": clients.ACTIVE, "challenge": None, "private_half_left_out": True} | done


async def _approved(client: str, proofs: Sequence[str], officer: str) -> dict[str, Any]:
    async with opened() as parts:
        return {"client": client, "status": clients.ACTIVE} | await _approve(parts, client, proofs, officer)


async def _approve(parts: Parts, client: str, proofs: Sequence[str], officer: str) -> dict[str, Any]:
    """Verify the proofs against what waits, then have it approved: the transaction sees whether it still stands."""
    row = await found(parts, client)
    if row.waiting is None:
        refuse("No key of this client waits for approval.")
    new = client_keys.waiting(row.keys)
    audience, nonce = parts.settings.public_url, row.waiting.nonce
    try:
        proved = [
            proved_thumbprint(one, client=client, audience=audience, nonce=nonce, keys=new) for one in proofs
        ]
    except NotProved as fault:
        refuse(f"{str(fault)[0].upper()}{str(fault)[1:]}.")
    receipts = await settle(parts, approve_client, Approval(client, officer, nonce, frozenset(proved)))
    return {"kids": [key["kid"] for key in new], "receipts": receipt_rows(receipts)}


def _words_in(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened_file:
            words = opened_file.read(LARGEST_BYTES).decode("ascii").split()
    except (OSError, ValueError):
        words = []
    if not words:
        stop("cannot read the proofs: name the file that the agency sent, one compact JWS a line", 2)
    return words


def _challenge_document(parts: Parts, client: str, row: ClientRow, waiting: Waiting) -> dict[str, Any]:
    keys = client_keys.waiting(row.keys)
    return {
        "client": client,
        "status": row.status,
        "kids": [key["kid"] for key in keys],
        "keys": [{"kid": key["kid"], "thumbprint": jwk_thumbprint(dict(key))} for key in keys],
        "challenge": {
            "client": client,
            "audience": parts.settings.public_url,
            "nonce": waiting.nonce,
            "expires_at": written(waiting.expires_at),
        },
        "private_half_left_out": False,
        "receipts": [],
    }


def tell_asked(told: dict[str, Any], file: Path | None, as_json: bool) -> None:
    lines = [f"{told['client']}: {key['kid']} (thumbprint {key['thumbprint']})" for key in told["keys"]]
    given = told["challenge"]
    if given is None:
        lines.append("in use: that file held the private key, whose place is with the agency alone")
    else:
        if file is not None:
            write_challenge(file, given)
        lines += [
            f"waits until {given['expires_at']} for proof of possession, then for a second officer",
            f"send the agency, to sign with each new key: {file or json.dumps(given)}",
        ]
    tell(told, lines, as_json)
