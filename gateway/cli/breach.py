"""`gateway breach`: the log of personal-data breaches, their 72 hours, and how each ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.close_breach import NOT_REPORTABLE, REPORTED, BreachClosing, close_breach
from gateway.actions.record_breach import Breach, BreachKind, record_breach
from gateway.cli.session import JsonFlag, Officer, answer, instant_in, on_incident, opened, run
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, MessageId
from gateway.store import breaches, deliveries, duties, overview
from gateway.store.breaches import BreachRow
from gateway.store.transaction import Tx

app = typer.Typer(help="Personal-data breaches.", no_args_is_help=True)


@app.command("open")
def open_breach(
    incident: Annotated[str, typer.Option(metavar="INCIDENT", help="The incident's id, SI-….")],
    aware_at: Annotated[str, typer.Option(metavar="INSTANT", help="Since when it is known, with offset.")],
    kind: Annotated[BreachKind, typer.Option(help="What kind of breach.")],
    officer: Officer,
    message: Annotated[str | None, typer.Option(metavar="MESSAGE", help="What went astray, msg-….")] = None,
    agency: Annotated[
        str | None,
        typer.Option(metavar="AGENCY", help="Whose breach it is, where several have an ig-officer."),
    ] = None,
    words: Annotated[
        str, typer.Option("--words", metavar="TEXT", help="What happened; sealed with the incident.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Record a breach: the 72 hours to report it run from --aware-at, weekends included. A near miss has none.

    Example: gateway breach open --incident SI-7K3M-9QPX-2D --aware-at 2026-11-23T10:00+00:00 --kind misdirected
    --message msg-… --officer "W. Stave"
    """
    asked = Breach(
        IncidentId(incident),
        instant_in(aware_at, "--aware-at"),
        kind,
        officer,
        words,
        MessageId(message) if message else None,
        AgencyId(agency) if agency else None,
    )
    told = run(_open(asked))
    due = f"report it by {told['due_at']}" if told["due_at"] else "nothing is to be reported"
    answer(told, [f"{told['breach']} is recorded, receipt {told['receipt']}: {due}"], as_json)


@app.command("list")
def list_breaches(as_json: JsonFlag = False) -> None:
    """List breaches and near misses, newest first: until when each is to be reported, and who opened what went astray.

    Example: gateway breach list
    """
    found = run(_list())
    lines: list[str] = []
    for one in found:
        limit = f", due {one['due_at']} ({one['duty_state']})" if one["due_at"] else ""
        lines.append(f"{one['id']}  {one['state']:<14} {one['kind']} of {one['incident']}{limit}")
        lines += [
            f"    opened by {who['role']}@{who['agency']} at {who['opened_at']}" for who in one["opened"]
        ]
    answer({"breaches": found}, lines or ["No breaches."], as_json)


@app.command("close")
def close(
    breach: Annotated[str, typer.Argument(metavar="BREACH", help="The breach's id, brc-….")],
    officer: Officer,
    ico_reference: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="It was reported: the ICO's reference.")
    ] = None,
    not_reportable: Annotated[
        bool,
        typer.Option("--not-reportable", help="It need not be reported; takes two officers and a reason."),
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")] = "",
    second_officer: Annotated[
        str, typer.Option("--second-officer", metavar="NAME", help="Who agrees: another person.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Close a breach: it was reported, or two officers decide that it need not be.

    Example: gateway breach close brc-… --ico-reference IC-000000-X0X0 --officer "W. Stave"
    """
    if (ico_reference is None) != not_reportable:
        raise typer.BadParameter("give --ico-reference REFERENCE, or say --not-reportable")
    told = run(_close(BreachClosing(breach, officer, ico_reference, second_officer, reason)))
    answer(told, [f"{breach} is closed as {told['state']}, receipt {told['receipt']}"], as_json)


async def _open(asked: Breach) -> dict[str, Any]:
    done = await on_incident(record_breach, asked)
    due_at = done.due_at.isoformat() if done.due_at else None
    return {"breach": done.breach, "incident": asked.incident, "receipt": done.receipt, "due_at": due_at}


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return await parts.store.read(
            lambda tx: [_document(tx, row) for row in breaches.every(tx, overview.partnerships(tx))]
        )


def _document(tx: Tx, row: BreachRow) -> dict[str, Any]:
    duty = duties.find(tx, row.duty) if row.duty else None
    sent = deliveries.of_message(tx, row.message) if row.message else []
    return {
        "id": row.id,
        "partnership": row.partnership,
        "incident": row.incident,
        "message": row.message,
        "kind": row.kind,
        "state": row.state,
        "aware_at": row.aware_at.isoformat(),
        "recorded_at": row.recorded_at.isoformat(),
        "duty": row.duty,
        "due_at": duty.due_at.isoformat() if duty and duty.due_at else None,
        "duty_state": duty.state.value if duty else None,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "ico_reference": row.ico_reference,
        "opened": [
            {"agency": one.agency, "role": one.role, "opened_at": one.opened_at.isoformat()}
            for one in sent
            if one.opened_at is not None
        ],
    }


async def _close(asked: BreachClosing) -> dict[str, Any]:
    async with opened() as parts:
        found = await parts.store.read(lambda tx: breaches.find(tx, overview.partnerships(tx), asked.breach))
        if found is None:
            raise Refused(ErrorCode.NOT_FOUND, detail="There is no breach of this id.")
        stated = await parts.perform(close_breach, asked, found.partnership, found.incident)
    state = REPORTED if asked.ico_reference else NOT_REPORTABLE
    return {"breach": found.id, "state": state, "receipt": stated.id}
