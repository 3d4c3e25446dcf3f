"""`gateway clients rotate|revoke|fetch`: the keys and certificates that a client goes on with, and those that are over."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from gateway.actions.prove import Stated
from gateway.actions.register_certificates import Renewal, renew_certificates
from gateway.actions.revoke_client_keys import Revocation, revoke_client_keys
from gateway.actions.rotate_client_keys import Rotation, rotate_client_keys
from gateway.cli.agency_keys import read_keys
from gateway.cli.certificates import Authority, Certificate, Name, read_certificates
from gateway.cli.client_answers import found, receipt_rows, refuse, tell_certified, tell_changed
from gateway.cli.client_approval import asked_for, tell_asked
from gateway.cli.client_options import (
    OFFICERS,
    Agreeing,
    ChallengeOut,
    Client,
    Jwks,
    Key,
    NotAfter,
    NotBefore,
    window_of,
)
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, settled, stop
from gateway.core import client_keys
from gateway.core.officers import TwoOfficers
from gateway.dispatch.published_keys import look
from gateway.store.clients import ClientRow

app = typer.Typer()


@app.command(
    "rotate",
    epilog="Example: gateway clients rotate northshire-police-1 --jwks new.jwks --officer 'Winifred Stave'",
)
def rotate(
    client: Client,
    officer: Officer,
    second_officer: Agreeing = None,
    jwks: Jwks = None,
    key: Key = None,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=720, help="How long the keys before still work.")
    ] = 24,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The keys before and every token in hand are dead at once.")
    ] = False,
    not_before: NotBefore = "",
    not_after: NotAfter = "",
    challenge_file: ChallengeOut = None,
    certificate: Certificate = None,
    authority: Authority = None,
    san: Name = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for new keys for a client: they wait for proof and approval, and those in use go on until then.

    With a certificate: its next one, in use at once beside those before. A client that had only keys signs on with them, and
    its tokens are bound to certificates from then on in place of DPoP.
    """
    if certificates := read_certificates(certificate, authority, san, jwks or key):
        by_two, hours = TwoOfficers(officer, second_officer or ""), 0 if compromised else overlap_hours
        renewal = Renewal(client, certificates, timedelta(hours=hours), compromised, by_two)
        tell_certified(client, certificates, run(settled(renew_certificates, renewal)), as_json)
        return
    keys, private = read_keys(jwks, key)
    asked = Rotation(client, keys, timedelta(hours=overlap_hours), officer, window_of(not_before, not_after))
    dead: list[Stated] = []
    if compromised:
        if second_officer is None:
            stop("--compromised kills keys and tokens at once: name --second-officer too", 2)
        dead = run(
            settled(revoke_client_keys, Revocation(client, None, TwoOfficers(officer, second_officer)))
        )
    told = run(asked_for(rotate_client_keys, asked, officer, second_officer, private))
    told["receipts"] = [*receipt_rows(dead), *told["receipts"]]
    tell_asked({"compromised": compromised} | told, challenge_file, as_json)


@app.command(
    "revoke", epilog=f"Example: gateway clients revoke northshire-police-1 client-0f3a9c21d4e8b765 {OFFICERS}"
)
def revoke(
    client: Client,
    kid: Annotated[str, typer.Argument(metavar="KID", help="Which key; see `clients list`.")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """One key may be in wrong hands: it signs nothing more, and every token of the client in hand is dead."""
    asked = Revocation(client, kid, TwoOfficers(officer, second_officer))
    receipts = run(settled(revoke_client_keys, asked))
    told = {"client": client, "kid": kid, "status": client_keys.REVOKED}
    tell_changed(told, "the key and every token in hand are dead", receipts, as_json)


@app.command("fetch", epilog="Example: gateway clients fetch northshire-police-1")
def fetch(client: Client, as_json: JsonFlag = False) -> None:
    """Look now at the address where a client publishes its keys; by itself this is done every quarter of an hour."""
    row, fault = run(_fetched(client))
    kids = [key["kid"] for key in row.keys if "revoked" not in key]
    line = f"{client} publishes: {', '.join(kids)}" if fault is None else f"nothing was taken: {fault}"
    answer({"client": client, "fault": fault, "kids": kids}, [line], as_json)
    if fault is not None:
        raise typer.Exit(1)


async def _fetched(client: str) -> tuple[ClientRow, str | None]:
    async with opened() as parts:
        row = await found(parts, client)
        if row.jwks_uri is None:
            refuse("This client's keys came by value: there is nothing to fetch.")
        fault = await look(parts, row)
        return await found(parts, client), fault
