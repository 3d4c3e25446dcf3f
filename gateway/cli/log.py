"""`gateway log`: whether witnesses confirm the log here, and what to do when they do not. It changes nothing by looking."""

from __future__ import annotations

from typing import Any

import typer

from gateway.cli.session import JsonFlag, answer, opened, run
from gateway.dispatch.anchoring import compare_with_witnesses
from gateway.store import log

app = typer.Typer(help="The log of receipts, and those who confirm it.", no_args_is_help=True)

MEANS = {
    "saw-more": "it signed a larger log: this book is an older one, and entries are missing here",
    "saw-other": "it signed a log that this one does not continue: one of the two was changed",
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
            "Do not start the gateway on this book. Stop it, keep a copy, and restore a newer back-up; what to do when there is",
            "none stands in the operator's guide under `A log that witnesses contradict`.",
        ]
    elif not told["witnesses"]:
        lines.append("nobody is asked: GATEWAY_WITNESSES is empty")
    answer(told, lines, as_json)
    if told["contradicted"]:
        raise typer.Exit(1)


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
