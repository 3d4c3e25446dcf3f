"""`gateway demo`: plays the demonstration incident and leaves the gateway up, or stops after it with `--once`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.session import JsonFlag
from gateway.demo.run import Demonstration, perform
from gateway.demo.story import Step

app = typer.Typer()


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the demonstration.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where it leaves its files.")] = Path("var/demo"),
    port: Annotated[int, typer.Option("--port", help="HTTPS port; the operator's is the next.")] = 8443,
    as_json: JsonFlag = False,
) -> None:
    """Play one invented incident through the real doors and verify every receipt.

    Exit 0 only if every step and every receipt verified.

    Example: gateway demo --once
    """

    def tell(step: Step) -> None:
        if not as_json:
            typer.echo(f"  {'ok' if step.ok else 'FAILED'}  {step.step}")
            if step.receipt:
                typer.echo(f"        receipt {step.receipt}")

    def tell_open(words: str) -> None:
        if not as_json:
            typer.echo(words)

    try:
        result = asyncio.run(perform(Demonstration(folder, once, port, tell, tell_open)))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    if as_json:
        typer.echo(json.dumps([asdict(step) for step in result]))
    if not all(step.ok for step in result):
        raise typer.Exit(1)
