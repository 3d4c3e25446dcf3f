"""`gateway clients permit|receive|demand|suspend|legacy-audience`: what a client may do and what it is sent, and for how long."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.actions.permit_client import (
    Demanded,
    LegacyAudience,
    Permission,
    Versions,
    allow_legacy_audience,
    demand_of_client,
    permit_client,
    show_client_versions,
)
from gateway.actions.prove import Stated
from gateway.actions.suspend_client import Suspension, suspend_client
from gateway.cli.client_answers import found, tell_changed
from gateway.cli.client_options import OFFICERS, Client, scopes_in, types_in, versions_in
from gateway.cli.client_rows import utc_or_none
from gateway.cli.session import (
    JsonFlag,
    Officer,
    SecondOfficer,
    instant_in,
    opened,
    run,
    settle,
    settled,
    stop,
)
from gateway.core.demands import DEMANDS
from gateway.core.officers import TwoOfficers
from gateway.store import clients
from gateway.store.clients import ClientRow

app = typer.Typer()


@app.command("suspend", epilog=f"Example: gateway clients suspend northshire-police-1 {OFFICERS}")
def suspend(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    lift: Annotated[bool, typer.Option("--lift", help="End the suspension instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Shut a client out within 30 seconds; its tokens stay dead even when the suspension ends."""
    receipt = run(settled(suspend_client, Suspension(client, lift, TwoOfficers(officer, second_officer))))
    told = {"client": client, "status": clients.ACTIVE if lift else clients.SUSPENDED}
    tell_changed(told, f"{client} is {told['status']}", [receipt], as_json)


@app.command(
    "permit",
    epilog=f"Example: gateway clients permit northshire-police-1 --types referral,call-log {OFFICERS}",
)
def permit(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="SCOPES", help="As with `add`; left out, they stay.")
    ] = "",
    types: Annotated[
        str, typer.Option("--types", metavar="TYPES", help="As with `add`; left out, they stay.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Change what a client may do. It bites within 30 seconds, also for tokens in hand."""
    if not scopes and not types:
        stop("say --scopes, --types or both", 2)
    wanted = scopes_in(scopes) if scopes else None
    allowed = types_in(types) if types else None
    officers = TwoOfficers(officer, second_officer)
    row, receipt = run(_permitted(client, wanted, allowed, bool(types), officers))
    told = {"client": client, "scopes": list(row.scopes), "message_types": row.message_types}
    tell_changed(told, f"{client} may now do that and nothing else", [receipt], as_json)


@app.command(
    "receive",
    epilog=f"Example: gateway clients receive northshire-police-1 --versions referral=1,call-log=1 {OFFICERS}",
)
def receive(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    versions: Annotated[
        str,
        typer.Option(
            "--versions", metavar="TYPE=N,…", help="Published versions; other types stay as they are."
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Choose the version of each type in which a client's inbox shows `content`; what was sent stands beside it unchanged."""
    asked = Versions(client, versions_in(versions), TwoOfficers(officer, second_officer))
    if not asked.receives:
        stop("--versions takes types with a published version, such as referral=1,call-log=1", 2)
    receipt = run(settled(show_client_versions, asked))
    told = {"client": client, "receives": dict(asked.receives)}
    tell_changed(told, f"{client} is shown: {versions}", [receipt], as_json)


@app.command(
    "demand",
    epilog=f"Example: gateway clients demand northshire-police-1 --headers content-digest,signature {OFFICERS}",
)
def demand(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    headers: Annotated[
        str, typer.Option("--headers", metavar="HEADERS", help=f"Some of {', '.join(DEMANDS)}.")
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="Demand nothing instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take a client's messages only with these headers, within 30 seconds; what comes is checked anyhow."""
    wanted = tuple(dict.fromkeys(headers.lower().replace(",", " ").split()))
    if bool(wanted) == end or not set(wanted) <= set(DEMANDS):
        stop(f"say either --headers with some of {', '.join(DEMANDS)}, or --end", 2)
    asked = Demanded(client, wanted, TwoOfficers(officer, second_officer))
    receipt = run(settled(demand_of_client, asked))
    told = {"client": client, "must_send": sorted(wanted)}
    tell_changed(told, f"{client} must send: {', '.join(wanted) or 'nothing besides'}", [receipt], as_json)


@app.command(
    "legacy-audience",
    epilog=f"Example: gateway clients legacy-audience northshire-police-1 --until 2027-03-31T17:00+00:00 {OFFICERS}",
)
def legacy_audience(
    client: Client,
    officer: Officer,
    second_officer: SecondOfficer,
    until: Annotated[
        str, typer.Option("--until", metavar="INSTANT", help="When it ends, within half a year.")
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """For a while, take a client's assertions that name the token address as audience; never for a new client."""
    if bool(until) == end:
        stop("say either --until INSTANT or --end", 2)
    until_at = None if end else instant_in(until, "--until")
    asked = LegacyAudience(client, until_at, TwoOfficers(officer, second_officer))
    receipt = run(settled(allow_legacy_audience, asked))
    told = {"client": client, "legacy_audience_until": utc_or_none(until_at)}
    line = f"{client} names the issuer alone" if end else f"{client} may name the token address until {until}"
    tell_changed(told, line, [receipt], as_json)


async def _permitted(
    client: str,
    scopes: tuple[str, ...] | None,
    types: tuple[str, ...] | None,
    types_too: bool,
    officers: TwoOfficers,
) -> tuple[ClientRow, Stated]:
    async with opened() as parts:
        row = await found(parts, client)
        asked = Permission(client, scopes or row.scopes, types if types_too else row.message_types, officers)
        receipt = await settle(parts, permit_client, asked)
        return await found(parts, client), receipt
