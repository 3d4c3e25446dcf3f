"""`gateway log`: whether witnesses confirm the log here, and what to do when they do not. It changes nothing by looking."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.restart_log import Restart, restart_log
from gateway.actions.settle import settle
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run
from gateway.core.officers import TwoOfficers
from gateway.dispatch.anchoring import compare_with_witnesses, look_for_contradiction
from gateway.dispatch.timetable import begin_anew
from gateway.ledger.checkpoint import log_key, origin_anew
from gateway.store import log
from gateway.store.serving_lock import alone_on_sqlite

app = typer.Typer(help="The log of receipts, and those who confirm it.", no_args_is_help=True)

MEANS = {
    "saw-more": "it signed a larger log: this book is an older one, and entries are missing here",
    "saw-other": "it signed a log that this one does not continue: one of the two was changed",
    "unproven": "it says that it signed another log, and shows none that our key signed: its word alone is not believed",
    "busy": "another process asks it at this moment: look again",
    "clock": "its clock and ours are more than a minute apart",
    "false-signature": "its answer does not carry the key that the settings name",
}


@app.command("compare", epilog="Example: gateway log compare --json")
def compare(as_json: JsonFlag = False) -> None:
    """Ask every witness about the newest state of the log: exit 1 when one contradicts it, and nothing may run on it."""
    told = run(_compare())
    lines = [
        f"here: {told['size']} entries, of which {told['anchored_size']} are anchored",
        *(f"{one['witness']}: {_in_words(one, told['size'])}" for one in told["witnesses"]),
    ]
    if told["contradicted"]:
        lines += [
            "Do not start the gateway on this book. Stop it, keep a copy, and restore a newer back-up; when there is none, two officers",
            "begin the log anew: `gateway log restart`; see `A log that witnesses contradict` in the operator's guide.",
        ]
    elif not told["witnesses"]:
        lines.append("nobody is asked: GATEWAY_WITNESSES is empty")
    answer(told, lines, as_json)
    if told["contradicted"]:
        raise typer.Exit(1)


@app.command(
    "restart",
    epilog="Example: gateway log restart --officer 'Winifred Stave' --second-officer 'Desmond Quill' "
    "--reason 'The disk is lost, and the newest back-up is of Monday'",
)
def restart(
    officer: Officer,
    second_officer: SecondOfficer,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What was lost, and how; kept sealed.")],
    as_json: JsonFlag = False,
) -> None:
    """Begin the log anew by another name when entries are lost for good: only when a witness shows that this book is an older one.

    Stop every process first. Entries that nobody confirmed go into the new log; what is missing stays missing.
    """
    told = run(_restart(Restart(TwoOfficers(officer, second_officer), reason)))
    lines = [
        f"{told['ended']} ends at {told['size']} entries; {told['log']} begins, with {told['again']} of its entries again",
        f"receipt: {told['receipt']['id']}",
        "Give this line to every witness (gateway witness init --log … beside the old one) and, with the new policy, to partners:",
        *told["keys"],
        "Then: gateway serve, gateway reconcile, and ask partners for the receipts that they hold.",
    ]
    answer(told, lines, as_json)


async def _restart(asked: Restart) -> dict[str, Any]:
    async with opened() as parts:
        with alone_on_sqlite(parts.settings):
            await look_for_contradiction(parts)
            ended = await settle(parts, restart_log, asked)
            origin = origin_anew(ended.given_up)
            await begin_anew(parts, origin)
        keys = [str(log_key(origin, signer)) for signer, _ in parts.keys.timed["log"].keys]
    return {
        "ended": ended.log,
        "size": ended.size,
        "again": ended.again,
        "log": origin,
        "keys": keys,
        "receipt": {"id": ended.receipt.id, "jws": ended.receipt.jws},
    }


def _in_words(one: dict[str, Any], ours: int) -> str:
    if one["confirms"]:
        return "confirms it"
    missing = (
        f" ({one['size'] - ours} entries missing here)"
        if one["size"] and one["trouble"] == "saw-more"
        else ""
    )
    return MEANS.get(one["trouble"], f"no confirmation ({one['trouble']})") + missing


async def _compare() -> dict[str, Any]:
    async with opened() as parts:
        newest = await parts.store.read(log.latest_checkpoint)
        done = await parts.store.read(log.newest_anchor)
        seen = await compare_with_witnesses(parts) if parts.notaries.witnesses else []
    return {
        "size": newest.size if newest else 0,
        "anchored_size": done[0] if done else 0,
        "contradicted": any(one.contradicts for one in seen),
        "witnesses": [
            {
                "witness": one.witness,
                "confirms": one.line is not None,
                "trouble": one.trouble,
                "size": one.size,
            }
            for one in seen
        ],
    }
