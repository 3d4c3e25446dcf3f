"""`gateway evidence`: check evidence bundles without database, network or a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.ledger import verify as verifier

app = typer.Typer(help="Make and check evidence bundles.", no_args_is_help=True)


@app.callback()
def evidence() -> None:
    """Make and check evidence bundles."""


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.zip", help="The evidence bundle.")],
    policy: Annotated[
        Path,
        typer.Option(metavar="POLICY.json", help="Whom to trust; obtained on another path than the bundle."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> None:
    """Check a bundle offline. Exit status: 0 valid or provisional, 1 invalid, 2 cannot be read.

    Example: gateway evidence verify evidence.zip --policy policy.json
    """
    try:
        finding = verifier.verify_files(bundle, policy)
    except verifier.Unreadable as fault:
        typer.echo(f"{fault}: give a bundle made by `gateway evidence export` and its policy", err=True)
        raise typer.Exit(2) from None
    typer.echo(verifier.report(finding, as_json))
    raise typer.Exit(1 if finding.verdict == "INVALID" else 0)
