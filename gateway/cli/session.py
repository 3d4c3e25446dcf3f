"""What commands on a living deployment share: its parts, opened and closed again, and one way to answer.

The invariant: parts that were opened are closed, however the command ends. What a command raises (Refused, Unavailable,
Misconfigured) becomes one line on standard error and the exit status of contract section 2 in `gateway.__main__`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import typer

from gateway.app import build_parts, close
from gateway.core.errors import ErrorCode, Refused
from gateway.parts import Parts
from gateway.settings import Settings

Answer = TypeVar("Answer")

JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]
Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="Who does this.")]
SecondOfficer = Annotated[
    str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
]


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[Parts]:
    """The deployment's parts while this lasts; Misconfigured with one line when they cannot be made."""
    parts = build_parts(settings or Settings.load())
    try:
        yield parts
    finally:
        await close(parts)


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a command's coroutine in an event loop of its own."""
    return asyncio.run(coroutine)


def answer(document: object, lines: Sequence[str], as_json: bool) -> None:
    """Print one JSON document, or the same in plain words."""
    typer.echo(json.dumps(document, indent=2) if as_json else "\n".join(lines))


def two_officers(officer: str, second_officer: str) -> tuple[str, str]:
    """Both names without surrounding space; Refused when one is empty or both are the same person (S4-06, E-11)."""
    first, second = " ".join(officer.split()), " ".join(second_officer.split())
    if not first or not second or first.casefold() == second.casefold():
        raise Refused(ErrorCode.NOT_PERMITTED, detail="A second officer, another person, must agree to this.")
    return first, second
