"""`gateway close` and `gateway reopen`: end an incident once nothing is owed and the statutory question is answered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from gateway.actions.close_incident import Closing
from gateway.actions.close_incident import close_incident as close_one
from gateway.actions.reopen import Reopening
from gateway.actions.reopen import reopen as reopen_one
from gateway.cli.session import JsonFlag, Officer, answer, on_incident, run
from gateway.core.messages import IncidentId

app = typer.Typer(no_args_is_help=True)

Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")]


class StatutoryAnswer(StrEnum):
    """How an officer answers what the law asks."""

    NOTIFIED = "notified"
    REFERRED = "referred"
    NOT_REQUIRED = "not-required"


@app.command()
def close(
    incident: Incident,
    reason: Reason,
    officer: Officer,
    statutory_answer: Annotated[
        StatutoryAnswer | None,
        typer.Option(help="The answer to what the law asks, where the record does not give it."),
    ] = None,
    because: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason for that answer; sealed as well.")
    ] = "",
    second_officer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Another person: when nothing is required although a criterion is met."
        ),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Close an incident. Refused while anything is owed, held or on its way, or while the statutory question is open.

    Example: gateway close SI-7K3M-9QPX-2D --reason "All actions are done" --officer "W. Stave"
    """
    given = None if statutory_answer is None else statutory_answer.value
    asked = Closing(IncidentId(incident), officer, reason, given, because, second_officer)
    told = run(_close(asked))
    lines = [
        f"{incident} is closed (statutory question: {told['statutory_answer']}), receipt {told['receipt']}"
    ]
    answer(told, lines, as_json)


@app.command()
def reopen(incident: Incident, reason: Reason, officer: Officer, as_json: JsonFlag = False) -> None:
    """Take a closed incident up again. Whatever comes late by itself does so too.

    Example: gateway reopen SI-7K3M-9QPX-2D --reason "New information" --officer "W. Stave"
    """
    told = run(_reopen(Reopening(IncidentId(incident), officer, reason)))
    answer(told, [f"{incident} is open again, receipt {told['receipt']}"], as_json)


async def _close(asked: Closing) -> dict[str, Any]:
    done = await on_incident(close_one, asked)
    return {
        "incident": asked.incident,
        "state": "closed",
        "statutory_answer": done.answer,
        "receipt": done.receipt.id,
    }


async def _reopen(asked: Reopening) -> dict[str, Any]:
    stated = await on_incident(reopen_one, asked)
    return {"incident": asked.incident, "state": "open", "receipt": stated.id}
