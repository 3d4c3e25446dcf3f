"""`gateway sandbox`: let a partner's developer try everything with fake peers, apart from every real partnership.

The invariant: what is enrolled here is in the sandbox alone, under an id of its own, and needs two officers and proof of the
keys like any other client. Exit status as in contract section 2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.actions.enrol_in_sandbox import TestAgency, enrol_in_sandbox
from gateway.actions.register_client import Registration, register_client
from gateway.api.door import READ, WRITE
from gateway.cli.agency_keys import read_keys
from gateway.cli.client_approval import asked_for, tell_asked
from gateway.cli.client_options import ChallengeOut, Jwks, Key
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, run, settled, stop
from gateway.core.messages import AgencyKind
from gateway.core.officers import TwoOfficers
from gateway.core.routing import Agency
from gateway.core.sandbox import SANDBOX, Manner, of_sandbox
from gateway.partnerships.directory_rows import is_https, is_secret, is_slug

LONGEST_NAME = 48  # the client's id is this and `sandbox-`
KINDS = tuple(kind.value for kind in AgencyKind)

app = typer.Typer(
    help="An invented partnership for partners' developers to try everything in.", no_args_is_help=True
)


@app.command(
    "enrol",
    epilog="Example: gateway sandbox enrol northshire-police --kind police --jwks police.jwks "
    "--officer 'Winifred Stave' --second-officer 'Desmond Quill'",
)
def enrol(
    agency: Annotated[
        str, typer.Argument(metavar="AGENCY", help="The partner; in the sandbox its id begins with sandbox-.")
    ],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    officer: Officer,
    second_officer: SecondOfficer,
    jwks: Jwks = None,
    key: Key = None,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", metavar="URL", help="The partner's own endpoint, told of what waits."),
    ] = None,
    webhook_secret: Annotated[
        Path | None, typer.Option("--webhook-secret", metavar="FILE", help="Holds its secret: whsec_….")
    ] = None,
    challenge_file: ChallengeOut = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a partner's test agency and its test client beside the fake peers; with --json also the client's challenge.

    The client has the agency's id. Its keys wait for proof and approval as with `gateway clients add`; use a key that no real
    client has.
    """
    if kind not in KINDS or not is_slug(agency) or len(agency) > LONGEST_NAME:
        stop(
            f"name the agency in small letters, digits and dashes, and as --kind one of {', '.join(KINDS)}", 2
        )
    name = of_sandbox(agency)
    keys, private = read_keys(jwks, key)
    officers = TwoOfficers(officer, second_officer)
    tried = TestAgency(
        Agency(name, AgencyKind(kind), f"{agency} (sandbox)", None),
        officers,
        _webhook(webhook, webhook_secret),
    )
    run(settled(enrol_in_sandbox, tried))
    asked = Registration(name, name, (WRITE, READ), officer, keys)
    told = run(asked_for(register_client, asked, officer, second_officer, private))
    tell_asked(
        {"agency": name, "partnership": SANDBOX, "scopes": [WRITE, READ]} | told, challenge_file, as_json
    )


@app.command("words", epilog="Example: gateway sandbox words")
def words(as_json: JsonFlag = False) -> None:
    """List what the fake peers do by the first word of a message's reference."""
    known = {manner.name: manner.value for manner in Manner if manner is not Manner.USUAL}
    lines = [f"{word}-…: {means}" for word, means in known.items()] + [f"anything else: {Manner.USUAL.value}"]
    answer(known, lines, as_json)


def _webhook(address: str | None, file: Path | None) -> tuple[str, bytes] | None:
    """The address and its secret; one line and exit 2 unless both are given and of their form."""
    if address is None and file is None:
        return None
    try:
        secret = file.read_text("ascii").strip() if file else ""
    except (OSError, ValueError):
        secret = ""
    if not is_https(address or "") or not secret or not all(map(is_secret, secret.split())):
        stop(
            "--webhook is an https URL, and --webhook-secret a file that holds whsec_ and base64 of 24 to 64 bytes",
            2,
        )
    return str(address), secret.encode()
