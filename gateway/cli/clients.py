"""`gateway clients`: which software may speak for which agency, and with which keys.

Invariants: the gateway only ever keeps public halves; every change needs two officers and is an entry in the ledger.
Exit status as in contract section 2. Sources: RFC 7523, RFC 7517, FAPI 2.0 section 5.4.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.prove import Stated
from gateway.actions.register_client import Registration, register_client
from gateway.actions.rotate_client_keys import Rotation, rotate_client_keys
from gateway.actions.suspend_client import Suspension, suspend_client
from gateway.api.door import READ, SCOPES, WRITE
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, settle, stop
from gateway.core.messages import AgencyId
from gateway.core.officers import TwoOfficers
from gateway.oauth.key_policy import KeyRefused, check_jwks
from gateway.store import clients
from gateway.store.clients import ClientRow
from keys.signing import Algorithm, FileSigner, write_secret

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
LARGEST_BYTES = 100_000
OFFICERS = "--officer 'Winifred Stave' --second-officer 'Desmond Quill'"

_CLIENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_CLIENT = 57  # its chain in the ledger is `client-<id>`, of at most 64 characters

app = typer.Typer(help="The agencies' software: who may speak, with which keys.", no_args_is_help=True)

Client = Annotated[
    str, typer.Argument(metavar="CLIENT", help="The client's id, such as northshire-police-1.")
]
Jwks = Annotated[
    Path | None, typer.Option("--jwks", metavar="FILE.jwks", help="The client's public keys (RFC 7517).")
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE.jwk", help="One key; of a private one only the public half is taken."
    ),
]


@app.command(
    "add",
    epilog=f"Example: gateway clients add northshire-police-1 --agency northshire-police --jwks police.jwks {OFFICERS}",
)
def add(
    client: Client,
    agency: Annotated[
        str, typer.Option("--agency", metavar="A", help="For whom it speaks; see `directory list`.")
    ],
    officer: Officer,
    second_officer: SecondOfficer,
    jwks: Jwks = None,
    key: Key = None,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="SCOPES", help=f"Separated by spaces, of: {' '.join(SCOPES)}.")
    ] = f"{WRITE} {READ}",
    as_json: JsonFlag = False,
) -> None:
    """Register software that may speak for an agency."""
    if len(client) > _LONGEST_CLIENT or not _CLIENT.fullmatch(client):
        stop("a client's id is small letters, digits and single dashes, such as northshire-police-1", 2)
    wanted = tuple(dict.fromkeys(scopes.replace(",", " ").split()))
    if not wanted or not set(wanted) <= set(SCOPES):
        stop(f"--scopes takes {' '.join(SCOPES)}", 2)
    keys, was_private = read_keys(jwks, key)
    asked = Registration(client, AgencyId(agency), keys, wanted, TwoOfficers(officer, second_officer))
    receipts = run(_settled(register_client, asked))
    told = {"client": client, "agency": agency, "scopes": list(wanted), "kids": _kids(keys)}
    lines = [f"{client} may speak for {agency}"]
    answer(*_with_receipts(told, lines, receipts, was_private), as_json)


@app.command("list", epilog="Example: gateway clients list --json")
def list_clients(as_json: JsonFlag = False) -> None:
    """List every client with its agency, status, scopes and keys."""
    rows, at = run(_listed())
    told = [_row(row, at) for row in rows]
    lines = [f"{row['client']}: {row['agency']}, {row['status']}, {len(row['keys'])} keys" for row in told]
    answer(told, lines or ["no client is registered yet"], as_json)


@app.command(
    "rotate", epilog=f"Example: gateway clients rotate northshire-police-1 --jwks new.jwks {OFFICERS}"
)
def rotate(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    jwks: Jwks = None,
    key: Key = None,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=720, help="How long the keys before still work.")
    ] = 24,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The keys before and every token in hand are dead at once.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Give a client new keys."""
    keys, was_private = read_keys(jwks, key)
    overlap = timedelta(0) if compromised else timedelta(hours=overlap_hours)
    asked = Rotation(client, keys, overlap, compromised, TwoOfficers(officer, second_officer))
    receipts = run(_settled(rotate_client_keys, asked))
    lines = [
        f"{client} has new keys; those before {'are dead' if compromised else f'end in {overlap_hours} h'}"
    ]
    told = {"client": client, "kids": _kids(keys), "compromised": compromised}
    answer(*_with_receipts(told, lines, receipts, was_private), as_json)


@app.command("suspend", epilog=f"Example: gateway clients suspend northshire-police-1 {OFFICERS}")
def suspend(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    lift: Annotated[bool, typer.Option("--lift", help="End the suspension instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Shut a client out within 30 seconds; its tokens stay dead even when the suspension ends."""
    receipt = run(_settled(suspend_client, Suspension(client, lift, TwoOfficers(officer, second_officer))))
    told = {"client": client, "status": clients.ACTIVE if lift else clients.SUSPENDED}
    answer(*_with_receipts(told, [f"{client} is {told['status']}"], [receipt], False), as_json)


@app.command("new-key", epilog="Example: gateway clients new-key police.jwk")
def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE.jwk", help="Where the private key goes (mode 0600).")],
    algorithm: Annotated[str, typer.Option(metavar="ES256|Ed25519", help="The kind of key.")] = "ES256",
    as_json: JsonFlag = False,
) -> None:
    """The agency's side: make a key pair. The private half stays; `FILE.jwks` beside it is for the gateway.

    Needs no database and no running gateway.
    """
    chosen: dict[str, Algorithm] = {"ES256": "ES256", "Ed25519": "Ed25519"}
    if algorithm not in chosen:
        stop("--algorithm is ES256 or Ed25519", 2)
    public = file.with_suffix(".jwks")
    if file.suffix == ".jwks" or file.exists() or public.exists():
        stop("name a new file ending in .jwk: a key is never written over another", 2)
    signer = FileSigner.generate(f"client-{secrets.token_hex(8)}", chosen[algorithm])
    try:
        write_secret(file, json.dumps(signer.private_jwk()).encode())
        public.write_text(json.dumps({"keys": [signer.public_jwk()]}, indent=2) + "\n", "utf-8")
    except OSError:
        stop("cannot write there: name a file in a folder that you may write to", 2)
    told = {"kid": signer.kid, "algorithm": algorithm, "private": str(file), "public": str(public)}
    answer(told, [f"private key: {file}: keep it", f"public keys: {public}: send it to the gateway"], as_json)


def read_keys(jwks: Path | None, key: Path | None) -> tuple[dict[str, Any], bool]:
    """The checked public keys of the one file given, and whether a private half had to be left out."""
    if (jwks is None) == (key is None):
        stop("give either --jwks FILE.jwks or --key FILE.jwk", 2)
    file = jwks or key
    assert file is not None
    try:
        with file.open("rb") as opened_file:
            document = json.loads(opened_file.read(LARGEST_BYTES))
    except (OSError, ValueError):
        stop("cannot read that file: name one JSON file with a key (RFC 7517)", 2)
    was_private = (
        isinstance(document, Mapping) and key is not None and not PRIVATE_MEMBERS.isdisjoint(document)
    )
    if key is not None:
        document = {"keys": [_public_half(document)]}
    try:
        return check_jwks(document), was_private
    except KeyRefused as refused:
        which = "" if refused.position is None else f"key {refused.position + 1}: "
        stop(f"{which}{refused.fault.value}", 1)


def _public_half(jwk: object) -> object:
    if not isinstance(jwk, Mapping):
        return jwk
    hidden = PRIVATE_MEMBERS | {"key_ops"}
    return {name: value for name, value in jwk.items() if name not in hidden}


async def _settled(action: Any, asked: Any) -> Any:
    async with opened() as parts:
        return await settle(parts, action, asked)


async def _listed() -> tuple[tuple[ClientRow, ...], datetime]:
    async with opened() as parts:
        return await parts.store.read(clients.listed), parts.clock()


def _row(row: ClientRow, at: datetime) -> dict[str, Any]:
    return {
        "client": row.id,
        "agency": row.agency,
        "status": row.status,
        "scopes": list(row.scopes),
        "partnerships": sorted(row.partnerships),
        "registered_at": _utc(row.registered_at),
        "tokens_not_before": _utc(row.tokens_not_before) if row.tokens_not_before else None,
        "keys": [
            {
                "kid": key["kid"],
                "algorithm": key["alg"],
                "ends_at": _utc(datetime.fromtimestamp(key["exp"], UTC)) if "exp" in key else None,
                "works": "revoked" not in key and key.get("exp", at.timestamp() + 1) > at.timestamp(),
            }
            for key in row.jwks["keys"]
        ],
    }


def _with_receipts(
    told: dict[str, Any], lines: list[str], receipts: Iterable[Stated], was_private: bool
) -> tuple[dict[str, Any], list[str]]:
    given = list(receipts)
    warning = "that file held a private key: only its public half was taken, and the private half is the agency's alone"
    told |= {"private_half_left_out": was_private, "receipts": [{"id": r.id, "jws": r.jws} for r in given]}
    return told, [*lines, *([warning] if was_private else []), *(f"receipt: {r.id}" for r in given)]


def _kids(keys: Mapping[str, Any]) -> list[str]:
    return [key["kid"] for key in keys["keys"]]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
