"""`gateway clients`: which software may speak for which agency, and with which keys.

Invariants: the gateway only ever keeps public halves; no key is in use before its holder proved to have it and a second
officer agreed; every change is an entry in the ledger. Exit status as in contract section 2. Sources: RFC 7523, RFC 7517,
FAPI 2.0 section 5.4.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.register_certificates import (
    CertifiedRegistration,
    register_certified_client,
)
from gateway.actions.register_client import Registration, register_client
from gateway.api.door import READ, SCOPES, WRITE
from gateway.cli import client_approval, client_permissions, client_rotation
from gateway.cli.agency_keys import new_key, prove, read_keys
from gateway.cli.certificates import (
    Authority,
    Certificate,
    Name,
    authorities_pem,
    read_certificates,
)
from gateway.cli.client_answers import tell_certified
from gateway.cli.client_approval import asked_for, tell_asked
from gateway.cli.client_options import (
    ANY,
    Agreeing,
    ChallengeOut,
    Client,
    Jwks,
    Key,
    NotAfter,
    NotBefore,
    Types,
    scopes_in,
    types_in,
    window_of,
)
from gateway.cli.client_rows import client_lines, client_row
from gateway.cli.session import JsonFlag, Officer, answer, opened, run, settled, stop
from gateway.core.client_keys import ALWAYS
from gateway.core.errors import Misconfigured
from gateway.core.messages import AgencyId
from gateway.core.officers import TwoOfficers
from gateway.core.published_keys import may_publish_at
from gateway.settings import Settings, SettingsUnreadable
from gateway.store import clients
from gateway.store.clients import ClientRow

NO_KEYS: dict[str, Any] = {"keys": []}

_CLIENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_CLIENT = 57  # its chain in the ledger is `client-<id>`, of at most 64 characters

app = typer.Typer(help="The agencies' software: who may speak, with which keys.", no_args_is_help=True)


@app.command(
    "add",
    epilog="Example: gateway clients add northshire-police-1 --agency northshire-police --jwks police.jwks "
    "--officer 'Winifred Stave'",
)
def add(
    client: Client,
    agency: Annotated[
        str, typer.Option("--agency", metavar="A", help="For whom it speaks; see `directory list`.")
    ],
    officer: Officer,
    second_officer: Agreeing = None,
    jwks: Jwks = None,
    key: Key = None,
    jwks_uri: Annotated[
        str | None,
        typer.Option("--jwks-uri", metavar="URL", help="Where the client publishes its keys itself."),
    ] = None,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="SCOPES", help=f"Separated by spaces, of: {' '.join(SCOPES)}.")
    ] = f"{WRITE} {READ}",
    types: Types = ANY,
    not_before: NotBefore = "",
    not_after: NotAfter = "",
    challenge_file: ChallengeOut = None,
    certificate: Certificate = None,
    authority: Authority = None,
    san: Name = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for software to be let in that speaks for an agency: its keys wait for proof and approval.

    Prints a challenge that the agency signs with each new key (`gateway clients prove`). A certificate (mutual TLS) needs
    none: with a second officer it is in use at once.
    """
    if len(client) > _LONGEST_CLIENT or not _CLIENT.fullmatch(client):
        stop("a client's id is small letters, digits and single dashes, such as northshire-police-1", 2)
    wanted, allowed = scopes_in(scopes), types_in(types)
    if certificates := read_certificates(certificate, authority, san, jwks or key):
        by_two = TwoOfficers(officer, second_officer or "")
        certified = CertifiedRegistration(client, AgencyId(agency), certificates, wanted, by_two, allowed)
        tell_certified(client, certificates, run(settled(register_certified_client, certified)), as_json)
        return
    keys, private = (NO_KEYS, None) if jwks_uri and not (jwks or key) else read_keys(jwks, key)
    window = window_of(not_before, not_after)
    if jwks_uri is not None:
        _may_publish(jwks_uri, keys is NO_KEYS and window == ALWAYS)
    asked = Registration(
        client, AgencyId(agency), wanted, officer, keys, jwks_uri, message_types=allowed, window=window
    )
    told = run(asked_for(register_client, asked, officer, second_officer, private))
    tell_asked(
        {"agency": agency, "scopes": list(wanted), "message_types": allowed} | told, challenge_file, as_json
    )


@app.command("list", epilog="Example: gateway clients list --json")
def list_clients(as_json: JsonFlag = False) -> None:
    """List every client with its agency, status, scopes and keys, and what should be seen to."""
    rows, at = run(_listed())
    told = [client_row(row, at) for row in rows]
    answer(
        told, [line for row in told for line in client_lines(row)] or ["no client is registered yet"], as_json
    )


@app.command("authorities", epilog="Example: gateway clients authorities --out client-authorities.pem")
def authorities(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pem", help="Where the proxy reads them.")],
    as_json: JsonFlag = False,
) -> None:
    """Write the authorities of clients registered with --ca, for the proxy to verify certificates against."""
    rows, at = run(_listed())
    pem = authorities_pem(rows, at)
    if not pem:
        stop("no client is registered by its issuing authority", 1)
    try:
        out.write_text(pem, "ascii")
    except OSError:
        stop("cannot write there: name a file in a folder that you may write to", 2)
    count = pem.count("BEGIN CERTIFICATE")
    answer({"file": str(out), "authorities": count}, [f"{count} authorities: {out}"], as_json)


app.add_typer(client_approval.app)
app.add_typer(client_rotation.app)
app.add_typer(client_permissions.app)
app.command("new-key", epilog="Example: gateway clients new-key police.jwk")(new_key)
app.command(
    "prove",
    epilog="Example: gateway clients prove police.challenge.json --key police.jwk --out police.proof",
)(prove)


def _may_publish(address: str, is_alone: bool) -> None:
    if not is_alone:
        stop("--jwks-uri stands alone: its keys come from there, and last as long as they stand there", 2)
    try:
        hosts = Settings.load().client_key_hosts
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None
    if not may_publish_at(address, hosts):
        stop("--jwks-uri is an https address on a host named in GATEWAY_CLIENT_KEY_HOSTS", 2)


async def _listed() -> tuple[tuple[ClientRow, ...], datetime]:
    async with opened() as parts:
        return await parts.store.read(clients.listed), parts.clock()
