"""`gateway tasks`: the telephone calls that officers are asked to make, because nothing else reached anybody."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.actions.climb import TELEPHONE
from gateway.actions.record_call import Call, Outcome, numbers_of, record_call, what_to_say
from gateway.cli.session import JsonFlag, Officer, answer, opened, run
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId, Seat
from gateway.parts import Parts
from gateway.store import deliveries, holds
from gateway.store.holds import HoldRow
from gateway.store.transaction import Tx

app = typer.Typer(help="Telephone calls to make, because nothing else reached anybody.", no_args_is_help=True)


@app.command("list")
def list_tasks(as_json: JsonFlag = False) -> None:
    """List the calls to make, the longest waiting first: whom to ring, and what to say.

    Example: gateway tasks list
    """
    found = run(_list())
    lines: list[str] = []
    for one in found:
        lines.append(
            f"{one['id']}  {one['role']}@{one['agency']}: {one['type']} of {one['incident']} ({one['why']})"
        )
        lines += [
            f"    ring {number['who']} ({number['post']}): {number['telephone']}" for number in one["ring"]
        ]
        lines += ["    nobody in the directory has a telephone number"] if not one["ring"] else []
        lines.append(f"    say: {one['say']}")
    answer(found, lines or ["No calls to make."], as_json)


@app.command()
def done(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The id in the list.")],
    outcome: Annotated[Outcome, typer.Option(help="What came of the call.")],
    officer: Officer,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Who answered; sealed.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was said; sealed with the incident.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Record a call. `has-it` is that person's acknowledgement; after `not-reached` the call stays to be made.

    Example: gateway tasks done hld-… --outcome has-it --name "R. Placeholder" --officer "W. Stave"
    """
    told = run(_done(Call(task, officer, outcome, name, note)))
    lines = [f"{task}: {outcome.value}" + (", still to be made" if told["open"] else "")]
    answer(told, lines, as_json)


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        rows = await parts.store.read(_calls)
        return [await _shown(parts, held) for held in rows]


def _calls(tx: Tx) -> list[HoldRow]:
    return [held for held in holds.open_holds(tx) if TELEPHONE in held.reasons]


async def _shown(parts: Parts, held: HoldRow) -> dict[str, Any]:
    row = await parts.store.read(lambda tx: deliveries.find(tx, DeliveryId(held.subject)))
    assert row is not None
    directory = (await parts.partnerships.snapshot(held.partnership)).directory
    return {
        "id": held.id,
        "partnership": held.partnership,
        "incident": held.incident,
        "delivery": row.id,
        "type": row.message_type,
        "agency": row.agency,
        "role": row.role,
        "why": next((reason for reason in held.reasons if reason != TELEPHONE), None),
        "since": held.held_at.isoformat(),
        "ring": [asdict(one) for one in numbers_of(directory, Seat(row.agency, row.role), parts.clock())],
        "say": what_to_say(held.incident, row.message_type),
    }


async def _done(asked: Call) -> dict[str, Any]:
    async with opened() as parts:
        held = await parts.store.read(lambda tx: holds.find(tx, asked.hold))
        if held is None:
            raise Refused(ErrorCode.NOT_FOUND, detail="There is no call to make of this id.")
        stated = await parts.perform(record_call, asked, held.partnership, held.incident)
    return {
        "task": asked.hold,
        "outcome": asked.outcome.value,
        "open": asked.outcome is Outcome.NOT_REACHED,
        "receipt": stated.id,
    }
