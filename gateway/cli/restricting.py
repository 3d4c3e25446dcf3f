"""Commands of `gateway incidents` on who may open one: restrict, admit, unrestrict."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.restrict_incident import (
    Admission,
    Lifting,
    Restriction,
    admit_officer,
    lift_restriction,
    restrict_incident,
)
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, on_incident, run
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers

One = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")]


def restrict(
    incident: One,
    officer: Officer,
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="Why, as a code without names: police-investigation.")
    ],
    admit: Annotated[
        list[str] | None, typer.Option("--admit", metavar="NAME", help="Who else may open it; repeatable.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Let only named officers open an incident from now on: you, and those whom you name.

    Example: gateway incidents restrict SI-7K3M-9QPX-2D --officer "W. Stave" --reason police-investigation
    """
    told = run(_restrict(Restriction(IncidentId(incident), officer, reason, tuple(admit or ()))))
    answer(told, [f"{incident} is restricted, receipt {told['receipt']}"], as_json)


def admit(
    incident: One,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The officer who may open it.")],
    officer: Officer,
    as_json: JsonFlag = False,
) -> None:
    """Name another officer on a restricted incident. Only who is named can.

    Example: gateway incidents admit SI-7K3M-9QPX-2D "D. Quill" --officer "W. Stave"
    """
    told = run(_admit(Admission(IncidentId(incident), officer, name)))
    answer(told, [f"{name} may open {incident}, receipt {told['receipt']}"], as_json)


def unrestrict(
    incident: One, officer: Officer, second_officer: SecondOfficer, as_json: JsonFlag = False
) -> None:
    """Let every officer open an incident again: two officers, the first of them named on it.

    Example: gateway incidents unrestrict SI-7K3M-9QPX-2D --officer "W. Stave" --second-officer "C. Reed"
    """
    told = run(_lift(Lifting(IncidentId(incident), TwoOfficers(officer, second_officer))))
    answer(told, [f"{incident} is open to every officer again, receipt {told['receipt']}"], as_json)


async def _restrict(asked: Restriction) -> dict[str, Any]:
    done = await on_incident(restrict_incident, asked)
    return {"incident": asked.incident, "receipt": done.id}


async def _admit(asked: Admission) -> dict[str, Any]:
    done = await on_incident(admit_officer, asked)
    return {"incident": asked.incident, "officer": asked.admitted, "receipt": done.id}


async def _lift(asked: Lifting) -> dict[str, Any]:
    done = await on_incident(lift_restriction, asked)
    return {"incident": asked.incident, "receipt": done.id}
