"""`gateway deliveries`: what is owed to whom, and an officer's word on what failed or should not go."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.cancel import Cancellation, cancel
from gateway.actions.redrive import FAILED, Redrive
from gateway.actions.redrive import redrive as redrive_one
from gateway.actions.resend_letter import Resending, resend_letter
from gateway.actions.write_letter import LetterWanted, write_letter
from gateway.cli.recall import message_named
from gateway.cli.session import (
    PAGE,
    After,
    JsonFlag,
    Limit,
    Officer,
    answer,
    more,
    no_such_place,
    on_incident,
    opened,
    run,
)
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId
from gateway.parts import Parts
from gateway.store import deliveries, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

app = typer.Typer(help="What is owed to whom.", no_args_is_help=True)


@app.command("list")
def list_deliveries(
    state: Annotated[DeliveryState | None, typer.Option(help="Only in this state.")] = None,
    agency: Annotated[str | None, typer.Option(metavar="AGENCY", help="Only to this agency.")] = None,
    limit: Limit = PAGE,
    after: After = None,
    as_json: JsonFlag = False,
) -> None:
    """List deliveries, newest first: ids and states, no content.

    Example: gateway deliveries list --state failed-partner
    """
    rows = run(_list(state, agency, after, limit))
    found = [delivery_document(row) for row in rows]
    following = rows[-1].id if len(rows) == limit else None
    lines = [
        f"{one['id']}  {one['state']:<14} {one['role']}@{one['agency']} by {one['adapter']}: "
        f"{one['type']} of {one['incident']}" + (f" ({one['last_reason']})" if one["last_reason"] else "")
        for one in found
    ]
    told = {"deliveries": found, "next": following}
    answer(told, [*lines, *more(following)] or ["No deliveries."], as_json)


@app.command()
def redrive(
    officer: Officer,
    delivery: Annotated[str | None, typer.Argument(metavar="DELIVERY", help="The delivery's id.")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Every delivery that has failed.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Try failed deliveries again, now, under the same ids; each leaves an entry in the ledger.

    Example: gateway deliveries redrive --all-failed --officer "W. Stave"
    """
    if (delivery is None) == (not all_failed):
        raise typer.BadParameter("name one DELIVERY, or say --all-failed")
    done = run(_redrive(delivery, officer))
    lines = [f"{one} is tried again" for one in done["redriven"]]
    lines += [f"{one} is passed over: its incident is closed" for one in done["passed_over"]]
    answer(done, lines or ["Nothing has failed."], as_json)


@app.command("cancel")
def cancel_delivery(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")],
    officer: Officer,
    as_json: JsonFlag = False,
) -> None:
    """Give up a delivery that is held or still waits: nothing of it is sent any more.

    Example: gateway deliveries cancel dlv-… --reason "The school has closed" --officer "W. Stave"
    """
    told = run(_cancel(delivery, officer, reason))
    answer(told, [f"{delivery} is cancelled"], as_json)


@app.command("resend")
def resend(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="A delivery of the letter.")],
    officer: Officer,
    as_json: JsonFlag = False,
) -> None:
    """Hold a letter to a school once more, to be sent again to the address enrolled then; `gateway held release` lets it go.

    Example: gateway deliveries resend dlv-… --officer "W. Stave"
    """
    hold = run(_resend(DeliveryId(delivery), officer))
    answer(
        {"delivery": delivery, "hold": hold}, [f"It waits as {hold}: look at it, then release it"], as_json
    )


@app.command("write-letter")
def write_letter_to(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id.")],
    school: Annotated[str, typer.Option(metavar="AGENCY", help="The school's id in the directory.")],
    referral: Annotated[str, typer.Option(metavar="MESSAGE", help="The referral that names the child.")],
    officer: Officer,
    child: Annotated[int, typer.Option(metavar="N", help="Which child of the referral, from 1.", min=1)] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Draft and hold a letter to a school about a child of a referral; `gateway held release` lets it go.

    Example: gateway deliveries write-letter SI-… --school hill-primary --referral msg-… --officer "W. Stave"
    """
    asked = LetterWanted(IncidentId(incident), MessageId(referral), child - 1, AgencyId(school), officer)
    hold = run(on_incident(write_letter, asked))
    answer(
        {"incident": incident, "hold": hold}, [f"It waits as {hold}: look at it, then release it"], as_json
    )


@app.command()
def report(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, msg-….")],
    as_json: JsonFlag = False,
) -> None:
    """Who received a message, who opened it when, and who has confirmed its correction or recall.

    Example: gateway deliveries report msg-…
    """
    told = run(_report(message))
    lines = [
        f"{one['role']}@{one['agency']} by {one['adapter']}: {_reached(one)}" for one in told["recipients"]
    ]
    lines += [f"Correction {one['message']}: {one['in_words']}" for one in told["corrections"]]
    answer(told, lines or ["It went to nobody."], as_json)


def _reached(one: dict[str, Any]) -> str:
    told = [one["state"]]
    for name in ("opened", "acknowledged", "recalled"):
        at = one[f"{name}_at"]
        told.append(f"{name} {at}" if at else f"not {name}")
    return ", ".join(told)


async def _report(message: str) -> dict[str, Any]:
    async with opened() as parts:
        row = await message_named(parts, MessageId(message))
        return await parts.store.read(lambda tx: _reported(tx, row))


def _reported(tx: Tx, row: MessageRow) -> dict[str, Any]:
    reached = [delivery_document(one) for one in deliveries.of_message(tx, row.id)]
    return {
        "message": row.id,
        "incident": row.incident,
        "recipients": reached,
        "corrections": [_confirmed(tx, row, one) for one in messages.corrections_of(tx, row)],
    }


def _confirmed(tx: Tx, row: MessageRow, correction: MessageRow) -> dict[str, Any]:
    """How many of those who had the message have confirmed its correction: "2 of 3 have confirmed"."""
    had = {(one.agency, one.role) for one in deliveries.of_message(tx, row.id)}
    asked = [one for one in deliveries.of_message(tx, correction.id) if (one.agency, one.role) in had]
    done = [one for one in asked if one.acknowledged_by == "person"]
    waiting = [f"{one.role}@{one.agency}" for one in asked if one not in done]
    return {
        "message": correction.id,
        "action": correction.facts["codes"].get("action", [None])[0],
        "confirmed": [
            {"agency": one.agency, "role": one.role, "copies": one.copies, "at": _at(one)} for one in done
        ],
        "missing": waiting,
        "in_words": f"{len(done)} of {len(asked)} have confirmed"
        + (f", {', '.join(waiting)} missing" if waiting else ""),
    }


def _at(row: DeliveryRow) -> str | None:
    return row.acknowledged_at.isoformat() if row.acknowledged_at else None


async def _resend(delivery: DeliveryId, officer: str) -> str:
    async with opened() as parts:
        row = await parts.store.read(lambda tx: deliveries.find(tx, delivery))
        if row is None:
            raise Refused(ErrorCode.NOT_FOUND, detail="There is no delivery of this id.")
        return await parts.perform(resend_letter, Resending(delivery, officer), row.partnership, row.incident)


async def _list(
    state: DeliveryState | None, agency: str | None, after: str | None, most: int
) -> list[DeliveryRow]:
    states = () if state is None else (state,)

    def listed(tx: Tx) -> list[DeliveryRow]:
        last = None if after is None else deliveries.find(tx, DeliveryId(after))
        if after is not None and last is None:
            raise no_such_place()
        return deliveries.every(tx, None, states, agency, last, most)

    async with opened() as parts:
        return await parts.store.read(listed)


def delivery_document(row: DeliveryRow) -> dict[str, Any]:
    """A delivery as officers see it, without content."""
    return {
        "id": row.id,
        "partnership": row.partnership,
        "incident": row.incident,
        "message": row.message,
        "type": row.message_type,
        "agency": row.agency,
        "role": row.role,
        "adapter": row.adapter,
        "rule": row.rule,
        "pack_version": row.pack_version,
        "state": row.state.value,
        "attempts": row.attempt,
        "last_reason": row.last_reason,
        "created_at": row.created_at.isoformat(),
        "next_at": row.next_at.isoformat() if row.next_at else None,
        "done_at": row.done_at.isoformat() if row.done_at else None,
        "opened_at": row.opened_at.isoformat() if row.opened_at else None,
        "acknowledged_at": _at(row),
        "acknowledged_by": row.acknowledged_by,
        "copies": row.copies,
        "recalled_at": row.recalled_at.isoformat() if row.recalled_at else None,
    }


async def _redrive(delivery: str | None, officer: str) -> dict[str, list[str]]:
    """What is tried again; of all that failed, what cannot be (its incident is closed) is passed over."""
    done: dict[str, list[str]] = {"redriven": [], "passed_over": []}
    async with opened() as parts:
        if delivery is not None:
            row = await _find(parts, delivery)
            await parts.perform(redrive_one, Redrive(row.id, officer), row.partnership, row.incident)
            return done | {"redriven": [row.id]}
        for row in await parts.store.read(lambda tx: deliveries.every(tx, states=FAILED)):
            try:
                await parts.perform(redrive_one, Redrive(row.id, officer), row.partnership, row.incident)
                done["redriven"].append(row.id)
            except Refused:
                done["passed_over"].append(row.id)
    return done


async def _cancel(delivery: str, officer: str, reason: str) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, delivery)
        asked = Cancellation(row.id, officer, reason)
        stated = await parts.perform(cancel, asked, row.partnership, row.incident)
    return {"delivery": row.id, "state": DeliveryState.CANCELLED.value, "receipt": stated.id}


async def _find(parts: Parts, delivery: str) -> DeliveryRow:
    row = await parts.store.read(lambda tx: deliveries.find(tx, DeliveryId(delivery)))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no delivery of this id.")
    return row
