"""`gateway officers`: who may work in the console, in which role, and the links with which they make a passkey."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import time
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import typer

from gateway.actions.change_officer import (
    Invitation,
    NewAddress,
    NewOfficer,
    NewRoles,
    QuietAsked,
    Suspension,
    Turn,
    TurnEnd,
    add_officer,
    change_address,
    change_roles,
    end_turn,
    invite_officer,
    put_on_call,
    set_quiet_hours,
    suspend_officer,
)
from gateway.actions.prove import Occasion, Stated
from gateway.cli.session import JsonFlag, Officer, answer, instant_in, opened, run, settle, settled
from gateway.console.door import BASE, digest
from gateway.core.alerts import QuietHours
from gateway.core.messages import PartnershipId
from gateway.core.permissions import OfficerRole
from gateway.parts import Parts
from gateway.store import officers
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx

Asked = TypeVar("Asked")

app = typer.Typer(
    help="Who may work in the console: officers, their roles and their passkeys.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The officer, as receipts name them.")]
Roles = Annotated[
    list[OfficerRole], typer.Option("--role", help="officer, manager, auditor, administrator; repeatable.")
]
Second = Annotated[
    str,
    typer.Option("--second-officer", metavar="NAME", help="Who agrees; needed wherever an administrator is."),
]


@app.command()
def add(
    name: Name,
    role: Roles,
    officer: Officer,
    second_officer: Second = "",
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where alerts reach them; managers need one.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="SUB", help="Their `sub` at the identity provider (GATEWAY_OIDC_ISSUER)."),
    ] = None,
    partnership: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only of this partnership; repeatable.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make somebody an officer. They sign in with the identity provider, or with a passkey after `gateway officers invite`.

    Example: gateway officers add "Winifred Stave" --role officer --email w.stave@council.example --officer "C. Reed"
    """
    within = None if not partnership else tuple(PartnershipId(each) for each in partnership)
    asked = NewOfficer(name, frozenset(role), officer, second_officer, email, subject, within)
    told = run(_add(asked))
    answer(told, [f"{name} is an officer, receipt {told['receipt']}"], as_json)


@app.command("list")
def list_officers(as_json: JsonFlag = False) -> None:
    """List the officers: their roles, whether they may sign in, and how many passkeys they have.

    Example: gateway officers list
    """
    found = run(_list())
    lines = [
        f"{one['name']}  {', '.join(one['roles']) or 'no role'}  {one['state']}  passkeys: {one['passkeys']}"
        for one in found
    ]
    answer({"officers": found}, lines or ["No officers."], as_json)


@app.command()
def roles(
    name: Name, role: Roles, officer: Officer, second_officer: Second = "", as_json: JsonFlag = False
) -> None:
    """Give an officer these roles in place of theirs, from the next page they open.

    Example: gateway officers roles "Winifred Stave" --role officer --role manager --officer "C. Reed"
    """
    told = {"officer": name} | run(
        _settled(change_roles, NewRoles(name, frozenset(role), officer, second_officer))
    )
    answer(told, [f"{name} has other roles, receipt {told['receipt']}"], as_json)


@app.command()
def suspend(
    name: Name,
    officer: Officer,
    second_officer: Second = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let them sign in again.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Sign an officer out everywhere and let them in no more, at once.

    Example: gateway officers suspend "Winifred Stave" --officer "C. Reed"
    """
    told = {"officer": name} | run(_settled(suspend_officer, Suspension(name, officer, second_officer, lift)))
    line = f"{name} may sign in again" if lift else f"{name} is suspended and signed out everywhere"
    answer(told, [f"{line}, receipt {told['receipt']}"], as_json)


@app.command()
def invite(
    name: Name,
    officer: Officer,
    second_officer: Second = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="The passkeys they have are void from now on: lost or stolen.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a link with which an officer makes a passkey, once within 24 hours. Hand it over in person or by telephone.

    Example: gateway officers invite "Winifred Stave" --officer "C. Reed"
    """
    told = run(_invite(name, officer, second_officer, replace))
    answer(told, [told["url"]], as_json)


@app.command()
def address(
    name: Name,
    officer: Officer,
    email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where alerts reach them; without it nowhere.")
    ] = None,
    second_officer: Second = "",
    as_json: JsonFlag = False,
) -> None:
    """Set where alerts reach an officer. Another address in place of one, or none, takes two officers.

    Example: gateway officers address "Winifred Stave" --email w.stave@council.example --officer "C. Reed"
    """
    told = run(_settled(change_address, NewAddress(name, email, officer, second_officer)))
    line = "alerts reach them there" if email else "alerts reach them no more"
    answer(told, [f"{name}: {line}, receipt {told['receipt']}"], as_json)


@app.command()
def quiet(
    name: Name,
    officer: Officer,
    starts: Annotated[
        str | None, typer.Option("--from", metavar="HH:MM", help="From when in the evening.")
    ] = None,
    ends: Annotated[
        str | None, typer.Option("--until", metavar="HH:MM", help="Until when in the morning.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Set hours of an officer's own in which alerts wait for the morning; without hours the unit's hold again.

    Example: gateway officers quiet "Winifred Stave" --from 19:00 --until 07:30 --officer "C. Reed"
    """
    if (starts is None) != (ends is None):
        raise typer.BadParameter("give --from and --until, or neither")
    hours = None if starts is None or ends is None else QuietHours(_time(starts), _time(ends))
    told = run(_settled(set_quiet_hours, QuietAsked(name, hours, officer)))
    line = f"quiet from {starts} until {ends}" if hours else "quiet when the unit is"
    answer(told, [f"{name} is {line}, receipt {told['receipt']}"], as_json)


@app.command("on-call")
def on_call(
    name: Name,
    officer: Officer,
    starts: Annotated[str, typer.Option("--from", metavar="INSTANT", help="From when, with offset.")],
    ends: Annotated[str, typer.Option("--until", metavar="INSTANT", help="Until when, with offset.")],
    as_json: JsonFlag = False,
) -> None:
    """Put an officer on call: at night they are told of what the law sets, and the others in the morning.

    Example: gateway officers on-call "Winifred Stave" --from 2026-11-23T18:00+00:00 --until 2026-11-30T08:00+00:00 --officer "C. Reed"
    """
    asked = Turn(name, instant_in(starts, "--from"), instant_in(ends, "--until"), officer)
    told = run(_settled(put_on_call, asked))
    answer(told, [f"{name} is on call, receipt {told['receipt']}"], as_json)


@app.command()
def rota(as_json: JsonFlag = False) -> None:
    """List who is on call now and later. While nobody is, at night everybody is told of what the law sets.

    Example: gateway officers rota
    """
    found = run(_rota())
    lines = [f"{one['turn']}  {one['officer']}  {one['from']} to {one['until']}" for one in found]
    answer({"turns": found}, lines or ["Nobody is on call."], as_json)


@app.command("off-call")
def off_call(
    turn: Annotated[str, typer.Argument(metavar="TURN", help="The turn's id: see `gateway officers rota`.")],
    officer: Officer,
    as_json: JsonFlag = False,
) -> None:
    """Take a turn on call back.

    Example: gateway officers off-call turn-… --officer "C. Reed"
    """
    told = run(_settled(end_turn, TurnEnd(turn, officer)))
    answer(told, [f"{turn} is taken back, receipt {told['receipt']}"], as_json)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise typer.BadParameter("a time of the day is written 19:00") from None


async def _settled(action: Callable[[Tx, Parts, Occasion, Asked], Stated], asked: Asked) -> dict[str, Any]:
    return {"receipt": (await settled(action, asked)).id}


async def _rota() -> list[dict[str, Any]]:
    async with opened() as parts:
        now = parts.clock()
        rows, people = await parts.store.read(
            lambda tx: (officers.turns(tx, now), {row.key: row.name for row in officers.every(tx)})
        )
    return [
        {
            "turn": row.id,
            "officer": people.get(row.officer, row.officer),
            "from": row.starts_at.isoformat(),
            "until": row.ends_at.isoformat(),
        }
        for row in rows
    ]


async def _add(asked: NewOfficer) -> dict[str, Any]:
    async with opened() as parts:
        if asked.subject is not None:
            issuer = parts.settings.oidc_issuer or ""
            subject = f"{issuer} {asked.subject}"
            asked = NewOfficer(
                asked.name, asked.roles, asked.by, asked.second, asked.email, subject, asked.partnerships
            )
        done = await settle(parts, add_officer, asked)
    return {"officer": asked.name, "receipt": done.id}


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return await parts.store.read(
            lambda tx: [_told(row, len(officers.passkeys_of(tx, row.key))) for row in officers.every(tx)]
        )


def _told(row: OfficerRow, passkeys: int) -> dict[str, Any]:
    return {
        "name": row.name,
        "roles": officers.roles_as_kept(row.roles),
        "state": row.state,
        "source": row.source,
        "partnerships": None if row.partnerships is None else list(row.partnerships),
        "has_email": row.email is not None,
        "has_account": row.subject is not None,
        "passkeys": passkeys,
    }


async def _invite(name: str, officer: str, second: str, replace: bool) -> dict[str, Any]:
    secret = secrets.token_urlsafe(32)
    async with opened() as parts:
        done = await settle(parts, invite_officer, Invitation(name, digest(secret), officer, second, replace))
        address = parts.settings.console_address
    url = f"{address}{BASE}/invitation?{urlencode({'token': secret})}"
    return {"officer": name, "url": url, "receipt": done.id}
