"""`gateway duties`: who owes what by when, how far joint decisions have come, and an officer's word on a duty.

A duty completed here goes through the same door as every message: the agency speaks, and the statement commits to the officer
who recorded it (X-29). Nothing here has a power of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.answer_for_agency import Told, acknowledge_for, answer_for
from gateway.actions.decide_jointly import reached, tally_of
from gateway.actions.explain import Explanation
from gateway.actions.explain import explain as explain_one
from gateway.actions.extend import Extension
from gateway.actions.extend import extend as extend_one
from gateway.actions.tell_duty import duty_document
from gateway.actions.view_duty import DutyViewing, view_duty
from gateway.actions.waive import Waiver
from gateway.actions.waive import waive as waive_one
from gateway.cli.session import (
    PAGE,
    After,
    JsonFlag,
    Limit,
    Officer,
    SecondOfficer,
    answer,
    instant_in,
    more,
    no_such_place,
    opened,
    run,
)
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId, IncidentId, PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.rules import Pack
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store import duties, incidents
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx

TRIAGE = "triage-decision"

app = typer.Typer(help="Who owes what by when.", no_args_is_help=True)

DutyArgument = Annotated[str, typer.Argument(metavar="DUTY", help="The duty's id, as listed.")]


@app.command("list")
def list_duties(
    incident: Annotated[str | None, typer.Option(metavar="INCIDENT", help="Only of this incident.")] = None,
    state: Annotated[DutyState | None, typer.Option(help="Only in this state.")] = None,
    limit: Limit = PAGE,
    after: After = None,
    as_json: JsonFlag = False,
) -> None:
    """List duties, soonest first, and how far each joint decision has come.

    Example: gateway duties list --incident SI-7K3M-9QPX-2D --state open
    """
    told = run(_list(incident, state, after, limit))
    lines = [
        f"{one['id']}  {one['state']:<8} {one['role']}@{one['agency']} owes {one['expects']} ({one['clock']}) "
        f"by {limit_of(one)}{_remarks(one)}"
        for one in told["duties"]
    ]
    lines += [f"{one['incident']}: {one['in_words']}" for one in told["decisions"]]
    answer(told, [*lines, *more(told["next"])] or ["No duties."], as_json)


@app.command()
def show(duty: DutyArgument, officer: Officer, as_json: JsonFlag = False) -> None:
    """Show one duty with what was said about it: why it was late, got more time or was waived. This leaves an entry.

    Example: gateway duties show dty-… --officer "W. Stave"
    """
    told = run(_show(duty, officer))
    one = told["duty"]
    lines = [
        f"{one['role']}@{one['agency']} owes {one['expects']} ({one['clock']}) by {limit_of(one)}",
        f"{one['state']}{_remarks(one)}",
    ]
    lines += [f"{each['at']}  {each['event']}, {each['officer']}: {each['words']}" for each in told["said"]]
    answer(told, lines, as_json)


@app.command("waive")
def waive_duty(
    duty: DutyArgument,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Release an agency from a duty, on the word of two officers. What the law sets cannot be waived.

    Example: gateway duties waive dty-… --reason "Answered in the meeting" --officer "W. Stave" --second-officer "C. Reed"
    """
    told = run(_waive(duty, reason, TwoOfficers(officer, second_officer)))
    answer(told, [f"{duty} is waived, receipt {told['receipt']}"], as_json)


@app.command()
def complete(
    duty: DutyArgument,
    officer: Officer,
    answer_file: Annotated[
        Path | None,
        typer.Option("--answer", metavar="FILE.json", help="The whole message that the duty expects."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="OUTCOME", help="A triage decision's outcome.")
    ] = None,
    criteria_met: Annotated[str | None, typer.Option(metavar="yes|no", help="Are the criteria met?")] = None,
    decided_by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided.")] = None,
    post: Annotated[str | None, typer.Option(metavar="POST", help="Their post.")] = None,
    reasons: Annotated[str | None, typer.Option(metavar="TEXT", help="Why they decided so.")] = None,
    acknowledged_by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who acknowledged the message, of a duty to acknowledge."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Record what an agency said by telephone, on its behalf: a whole message, a triage decision in short, or that a
    person there has the message (--acknowledged-by).

    Example: gateway duties complete dty-… --outcome sin-and-rapid-review --criteria-met yes --decided-by "H. Sorley"
    --post "Director of Nursing" --reasons "Told by telephone." --officer "W. Stave"
    """
    short = (outcome, criteria_met, reasons, decided_by, post)
    if acknowledged_by is not None and not any(short) and answer_file is None:
        done = run(_acknowledge(duty, officer, acknowledged_by))
        answer(
            done, [f"Acknowledged, receipt {done['receipt']}; the duty is {done['duty']['state']}"], as_json
        )
        return
    if not all(short) if answer_file is None else any(short):
        raise typer.BadParameter(
            "give --answer FILE.json, or all of --outcome --criteria-met --decided-by --post --reasons, "
            "or --acknowledged-by alone"
        )
    try:
        said: Told | bytes = (
            Told(*(str(one) for one in short)) if answer_file is None else answer_file.read_bytes()
        )
    except OSError as fault:
        raise typer.BadParameter(f"--answer cannot be read: {fault.strerror}") from None
    told = run(_complete(duty, officer, said))
    lines = [f"Recorded as {told['message']}, receipt {told['receipt']}; the duty is {told['duty']['state']}"]
    answer(told, lines, as_json)


@app.command()
def extend(
    duty: DutyArgument,
    until: Annotated[
        str,
        typer.Option(metavar="INSTANT", help="The new due instant, itself in time: ISO 8601 with offset."),
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")],
    officer: Officer,
    second_officer: Annotated[
        str, typer.Option(metavar="NAME", help="Who agrees; needed when it was extended before.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give an agency more time: once on one officer's word, again on two. The original due date stays for the figures; what
    the law sets cannot be extended.

    Example: gateway duties extend dty-… --until 2026-12-04T17:00+00:00 --reason "Records are at the archive" --officer "W. Stave"
    """
    told = run(_extend(duty, instant_in(until, "--until"), reason, officer, second_officer))
    line = f"{duty} is due by {told['duty']['due_at']}, originally by {told['duty']['original_due_at']}"
    answer(told, [f"{line}; receipt {told['receipt']}"], as_json)


@app.command()
def explain(
    duty: DutyArgument,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why it was late or early; sealed with the incident.")
    ],
    officer: Officer,
    as_json: JsonFlag = False,
) -> None:
    """Record why a duty was missed, met late or met before its exact day. Until then it is listed with "reason missing".

    Example: gateway duties explain dty-… --reason "The records were at the archive" --officer "W. Stave"
    """
    told = run(_explain(duty, reason, officer))
    answer(told, [f"The reason is recorded, receipt {told['receipt']}"], as_json)


def limit_of(one: Mapping[str, Any]) -> str:
    """By when a duty is due, of its document."""
    return one["due_at"] or ("a date not counted yet" if one["uncounted"] else "no limit")


def _remarks(one: Mapping[str, Any]) -> str:
    """What else is to be said of a duty in a list."""
    moved = [f"was {each['old_due_at'] or 'not counted'}: {each['cause']}" for each in one["due_changes"]]
    early = ["before its day"] if one["early"] else []
    unsaid = ["reason missing"] if one["reason_missing"] else []
    return "".join(f" ({each})" for each in [*moved, *early, *unsaid])


async def _list(
    incident: str | None, state: DutyState | None, after: str | None, most: int
) -> dict[str, Any]:
    async with opened() as parts:
        rows = await parts.store.read(lambda tx: _chosen(tx, incident, state, after, most))
        names = dict.fromkeys(row.partnership for row in rows)
        packs = {name: (await parts.partnerships.snapshot(name)).pack for name in names}
        counted = await parts.store.read(lambda tx: _counted(tx, rows, packs))
    shown = [row for row in rows if state in (None, row.state)]
    following = rows[-1].id if incident is None and len(rows) == most else None
    return {"duties": [duty_document(row) for row in shown], "decisions": counted, "next": following}


def _chosen(
    tx: Tx, incident: str | None, state: DutyState | None, after: str | None, most: int
) -> list[DutyRow]:
    """A page of all duties, or those of one incident in whatever state; Refused when there is no such incident."""
    if incident is None:
        last = None if after is None else duties.find(tx, DutyId(after))
        if after is not None and last is None:
            raise no_such_place()
        return duties.every(tx, duties.place_of(last) if last else None, most, state=state)
    partnership = incidents.partnership_of(tx, IncidentId(incident))
    if partnership is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    return duties.of_incident(tx, partnership, IncidentId(incident))


def _counted(tx: Tx, rows: list[DutyRow], packs: Mapping[PartnershipId, Pack]) -> list[dict[str, Any]]:
    """How far each joint decision on these duties' incidents has come: "2 of 3 have decided, ICB missing"."""
    told: list[dict[str, Any]] = []
    for partnership, incident in dict.fromkeys((row.partnership, row.incident) for row in rows):
        found = incidents.find(tx, partnership, incident)
        expected = {row.expects for row in rows if row.incident == incident}
        for decision in packs[partnership].decisions:
            if found is None or decision.message not in expected:
                continue
            count = tally_of(tx, packs[partnership], decision, found)
            outcome = reached(found, decision)
            told.append(
                {
                    "incident": incident,
                    "decision": decision.id,
                    "decided": list(count.decided),
                    "missing": list(count.missing),
                    "outcome": outcome["outcome"] if outcome else None,
                    "in_words": count.in_words(),
                }
            )
    return told


async def _waive(duty: str, reason: str, officers: TwoOfficers) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, duty)
        asked = Waiver(row.id, officers, reason)
        stated = await parts.perform(waive_one, asked, row.partnership, row.incident)
    return {"duty": row.id, "state": DutyState.WAIVED.value, "receipt": stated.id}


async def _extend(duty: str, until: datetime, reason: str, officer: str, second: str) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, duty)
        asked = Extension(row.id, until, officer, reason, second)
        stated = await parts.perform(extend_one, asked, row.partnership, row.incident)
        after = await _find(parts, duty)
    return {"duty": duty_document(after), "receipt": stated.id}


async def _show(duty: str, officer: str) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, duty)
        viewed = await parts.perform(view_duty, DutyViewing(row.id, officer), row.partnership, row.incident)
    said = [asdict(one) | {"at": written(one.at)} for one in viewed.said]
    return {"duty": duty_document(row), "said": said, "receipt": viewed.receipt}


async def _explain(duty: str, reason: str, officer: str) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, duty)
        asked = Explanation(row.id, officer, reason)
        stated = await parts.perform(explain_one, asked, row.partnership, row.incident)
        after = await _find(parts, duty)
    return {"duty": duty_document(after), "receipt": stated.id}


async def _acknowledge(duty: str, officer: str, name: str) -> dict[str, Any]:
    """That a person at the agency has the message, as the agency's own acknowledgement would say it."""
    async with opened() as parts:
        row = await _find(parts, duty)
        stated = await acknowledge_for(parts, row, name, officer)
        after = await _find(parts, duty)
    return {"duty": duty_document(after), "message": row.message, "receipt": stated.id}


async def _complete(duty: str, officer: str, said: Told | bytes) -> dict[str, Any]:
    async with opened() as parts:
        row = await _find(parts, duty)
        taken = await answer_for(parts, row, said, officer)
        after = await _find(parts, duty)
    return {
        "duty": duty_document(after),
        "message": taken.id,
        "incident": taken.incident,
        "decision": taken.decision,
        "receipt": taken.receipt_id,
    }


async def _find(parts: Parts, duty: str) -> DutyRow:
    row = await parts.store.read(lambda tx: duties.find(tx, DutyId(duty)))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    return row
