"""What commands on a living deployment share: its parts, opened and closed again, and one way to answer.

The invariant: parts that were opened are closed, however the command ends. What a command raises (Refused, Unavailable,
Misconfigured) becomes one line on standard error and the exit status of contract section 2 in `gateway.__main__`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, NoReturn, Protocol, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError

from gateway.actions.prove import Occasion
from gateway.actions.settle import settle as settle  # for commands that open the deployment themselves
from gateway.app import build_parts, close
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.working_days import TimeFault, read_instant
from gateway.parts import Parts, Work
from gateway.settings import FILE_VARIABLE, Settings, SettingsUnreadable, is_set_up
from gateway.settings.checks import refusals
from gateway.store import incidents, migrations
from gateway.store.transaction import Tx

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]
After = Annotated[
    str | None, typer.Option(metavar="ID", help="Go on after this one: `next` of the list before.")
]
PAGE = 1000  # how many a list shows unless it is told otherwise

JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]
Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="Who does this.")]
SecondOfficer = Annotated[
    str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
]


NO_SETTINGS = f"there are no settings here: run `gateway init` (for real use `gateway init --production`), or name the file in {FILE_VARIABLE}"


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[Parts]:
    """The deployment's parts while this lasts; Misconfigured with one line when they cannot be made."""
    in_force = settings or usable_settings()
    parts = build_parts(in_force)
    try:
        yield parts
    finally:
        await close(parts)


def usable_settings() -> Settings:
    """The settings in force, with databases that this release can use; Misconfigured saying what to mend first."""
    try:
        settings = Settings.load()
        if not is_set_up():
            raise Misconfigured(NO_SETTINGS)
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None
    if not refusals(settings):  # else building the parts says which
        for which, url in migrations.urls(settings).items():
            if trouble := _trouble_with(which, url):
                raise Misconfigured(f"the {which} database {trouble}")
    return settings


def _trouble_with(which: migrations.Which, url: str) -> str | None:
    try:
        return migrations.trouble(url, which)
    except SQLAlchemyError:
        return (
            "cannot be reached or does not answer: is it running, is its URL right, and may this account write to its file"
            " and folder?"
        )


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a command's coroutine in an event loop of its own."""
    return asyncio.run(coroutine)


def answer(document: object, lines: Sequence[str], as_json: bool) -> None:
    """Print one JSON document, or the same in plain words."""
    typer.echo(json.dumps(document, indent=2) if as_json else "\n".join(lines))


async def settled(action: Callable[[Tx, Parts, Occasion, Asked], Answer], asked: Asked) -> Answer:
    """Run an action on a deployment that is opened for it (no incident, no pack needed)."""
    async with opened() as parts:
        return await settle(parts, action, asked)


class AboutIncident(Protocol):
    """What is asked of one incident."""

    @property
    def incident(self) -> IncidentId: ...


Matter = TypeVar("Matter", bound=AboutIncident)


async def on_incident(action: Callable[[Tx, Parts, Work, Matter], Answer], asked: Matter) -> Answer:
    """Run an action on an incident, with its data key, on a deployment that is opened for it; Refused when there is none."""
    async with opened() as parts:
        partnership = await partnership_of(parts, asked.incident)
        return await parts.perform(action, asked, partnership, asked.incident)


async def partnership_of(parts: Parts, incident: IncidentId) -> PartnershipId:
    """The partnership of an incident; Refused when there is no such incident."""
    found = await parts.store.read(lambda tx: incidents.partnership_of(tx, incident))
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    return found


def instant_in(text: str, option: str) -> datetime:
    """An instant that carries its offset, in UTC (C-14); else wrong use of the option."""
    found = read_instant(text)
    if isinstance(found, TimeFault):
        stop(f"write {option} as an ISO 8601 instant with its offset, such as 2026-11-23T10:00+00:00", 2)
    return found


def stop(words: str, status: int) -> NoReturn:
    """One line on standard error that says what to do, and the exit status of contract section 2."""
    typer.echo(f"gateway: {' '.join(words.split())}", err=True)
    raise typer.Exit(status)


def more(following: str | None) -> list[str]:
    """The last line of a list that goes on."""
    return [f"There are more: --after {following}"] if following else []


def no_such_place() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, detail="--after names nothing that is here.")
