"""`gateway conformance`: the contract test that a partner runs against the sandbox, by themselves.

The invariant: exit 0 means that every check held; nothing is sent but invented examples, and nothing outside the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway.agency.client import AgencyClient, Unreachable
from gateway.agency.conformance import Finding, Run, conformance
from gateway.agency.notices import listening
from gateway.cli.submit import ANSWER_IS_NO, WRONG_USE, address_of, signer_of, stop, tls_of
from keys.signing import Signer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

EXAMPLE = (
    "Example: gateway conformance --to https://gateway.council.example --client sandbox-northshire-police"
    " --key police-test.jwk"
)


@app.command("conformance", epilog=EXAMPLE)
def run_conformance(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The gateway's public address.")],
    client: Annotated[str, typer.Option("--client", metavar="ID", help="Your test client's id, sandbox-….")],
    key: Annotated[Path, typer.Option("--key", metavar="KEY.jwk", help="Your test client's private key.")],
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Authorities to trust in place of the usual.")
    ] = None,
    wait: Annotated[
        int,
        typer.Option("--wait", min=1, max=600, metavar="SECONDS", help="How long peers may take to answer."),
    ] = 60,
    webhook_listen: Annotated[
        str | None,
        typer.Option(
            "--webhook-listen", metavar="HOST:PORT", help="Where your server passes notices on, by HTTP."
        ),
    ] = None,
    webhook_secret: Annotated[
        Path | None,
        typer.Option("--webhook-secret", metavar="FILE", help="Holds the webhook's secret, whsec_…."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
    ] = False,
) -> None:
    """Try everything that your software must live with against the sandbox's fake peers: exit 1 if a check fails."""
    address, signer, tls = address_of(to), signer_of(key), tls_of(ca)
    hook = _hook(webhook_listen, webhook_secret)
    try:
        findings = asyncio.run(_run(address, client, signer, tls, wait, hook))
    except Unreachable as fault:
        stop(WRONG_USE, f"{fault}. Look at --to, at your network and at --ca.")
    except OSError as fault:
        stop(WRONG_USE, f"cannot listen at --webhook-listen: {fault.strerror}")
    _tell(findings, as_json)
    raise typer.Exit(0 if all(found.ok for found in findings) else ANSWER_IS_NO)


async def _run(
    to: str,
    client: str,
    key: Signer,
    tls: ssl.SSLContext | None,
    wait: int,
    hook: tuple[str, int, str] | None,
) -> list[Finding]:
    from gateway.app import system_clock  # late, as in `gateway submit`

    async with AgencyClient(to, client, key, clock=system_clock, tls=tls) as agency:
        run = Run(agency, system_clock, wait)
        if hook is None:
            return await conformance(run)
        async with listening(*hook, system_clock) as run.notices:
            return await conformance(run)


def _hook(listen: str | None, secret: Path | None) -> tuple[str, int, str] | None:
    if listen is None and secret is None:
        return None
    host, _, port = (listen or "").rpartition(":")
    try:
        words = secret.read_text("ascii").strip() if secret else ""
    except (OSError, ValueError):
        words = ""
    if not host or not port.isdecimal() or not words.startswith("whsec_"):
        stop(WRONG_USE, "give both --webhook-listen HOST:PORT and --webhook-secret FILE, which holds whsec_…")
    return host.strip("[]"), int(port), words


def _tell(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(found) for found in findings], indent=2))
        return
    for found in findings:
        typer.echo(
            f"{'ok  ' if found.ok else 'MEND'}  {found.check}{': ' if found.advice else ''}{found.advice}"
        )
