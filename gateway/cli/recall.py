"""`gateway recall`: take a message back, on the word of two officers."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from gateway.actions.recall import Fate, Recall
from gateway.actions.recall import recall as recall_one
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, MessageId
from gateway.core.officers import TwoOfficers
from gateway.parts import Parts
from gateway.store import messages, overview
from gateway.store.messages import MessageRow

IN_WORDS = {
    Fate.CANCELLED: "stopped before they left",
    Fate.WITHDRAWN: "withdrawn unopened",
    Fate.OPENED: "had been opened",
    Fate.LEFT_BY_MAIL: "had left by e-mail",
    Fate.NEVER_ARRIVED: "had never arrived",
}

app = typer.Typer(no_args_is_help=True)


@app.command()
def recall(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, msg-….")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; the recipients read it.")],
    officer: Officer,
    second_officer: SecondOfficer,
    misdirected_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AGENCY", help="Only from this agency, which should not have had it. Repeatable."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a message back: stop what has not left, withdraw what is unopened, ask everybody else to confirm.

    Example: gateway recall msg-… --reason "Sent to the wrong trust" --misdirected-to northshire-hospitals
    --officer "W. Stave" --second-officer "C. Reed"
    """
    wrong = tuple(AgencyId(agency) for agency in misdirected_to or ())
    asked = Recall(MessageId(message), TwoOfficers(officer, second_officer), reason, wrong)
    told, lines = run(_recall(asked))
    answer(told, lines, as_json)


async def _recall(asked: Recall) -> tuple[dict[str, Any], list[str]]:
    async with opened() as parts:
        row = await message_named(parts, asked.message)
        done = await parts.perform(recall_one, asked, row.partnership, row.incident)
    counted = Counter(done.fates.values())
    told = {
        "message": row.id,
        "incident": row.incident,
        "receipt": done.receipt,
        "correction": done.correction,
        "deliveries": [{"id": one, "became": fate.value} for one, fate in done.fates.items()],
    }
    lines = [f"{row.id} is recalled, receipt {done.receipt}"]
    lines += [f"  {count} {IN_WORDS[fate]}" for fate, count in counted.items()]
    if done.correction:
        lines.append(f"Who confirms: gateway deliveries report {row.id}")
    if asked.misdirected_to and counted[Fate.OPENED] + counted[Fate.LEFT_BY_MAIL]:
        lines.append("A wrong recipient may have read it: gateway breach open …")
    return told, lines


async def message_named(parts: Parts, message: MessageId) -> MessageRow:
    """A message in whichever partnership; Refused when there is none."""
    row = await parts.store.read(lambda tx: messages.find(tx, overview.partnerships(tx), message))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no message of this id.")
    return row
