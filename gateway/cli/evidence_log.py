"""`gateway evidence log` and `gateway evidence absence`: the whole log leaves the house, and shows what did not happen.

As with bundles, what makes an export is imported only when one is made: checking needs the verifier and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.ledger import absence as checker
from gateway.ledger import verify as verifier

if TYPE_CHECKING:
    from gateway.parts import Parts

Pinned = Annotated[
    list[Path],
    typer.Option(
        "--pinned", metavar="FILE.note", help="A checkpoint of the log that you got from somebody else."
    ),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]


def log(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder to make and fill.")],
    officer: Annotated[str, typer.Option("--officer", metavar="NAME", help="Who takes it out of the house.")],
    second_officer: Annotated[
        str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Write the whole log for an inspectorate: every leaf and the checkpoints, no personal data. Leaves an entry itself.

    Example: gateway evidence log --out log-2026 --officer "W. Stave" --second-officer "C. Reed"
    """
    from gateway.cli.session import answer, run, stop

    try:
        leaves = run(_log(out, officer, second_officer))
    except OSError as fault:
        stop(f"{out} cannot be made: {fault.strerror}", 2)
    told = {"folder": str(out), "leaves": leaves}
    answer(told, [f"Wrote {leaves} leaves to {out}; its README.txt says how to check it."], as_json)


def absence(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The log, from `gateway evidence log`.")],
    ref: Annotated[
        str, typer.Option(metavar="REF", help="The chain: of a message (msg-…) or an incident (inc-…).")
    ],
    event: Annotated[str, typer.Option(metavar="NAME", help="The event, as ConsignmentAcceptance.")],
    before: Annotated[str, typer.Option(metavar="INSTANT", help="ISO 8601 with its offset.")],
    policy: Annotated[
        Path,
        typer.Option(metavar="POLICY.json", help="Whom to trust; obtained on another path than the log."),
    ],
    pinned: Pinned = [],  # noqa: B006 - typer reads it, nothing changes it
    as_json: JsonFlag = False,
) -> None:
    """Check that the log does not state an event before an instant. Exit status: 0 absent, 1 stated or invalid, 2 unreadable.

    Example: gateway evidence absence log-2026 --ref msg-2k7xa --event ConsignmentAcceptance --before 2026-11-03T17:00:00Z
    --policy policy.json
    """
    try:
        found = checker.check_files(folder, policy, ref, event, before, pinned)
    except verifier.Unreadable as fault:
        typer.echo(f"{fault}: give a log made by `gateway evidence log` and its policy", err=True)
        raise typer.Exit(2) from None
    typer.echo(checker.report(found, as_json))
    raise typer.Exit(0 if found.absent else 1)


async def _log(folder: Path, officer: str, second_officer: str) -> int:
    """State the export, seal until nothing waits, then write log after log, leaf after leaf as far as its newest checkpoint reaches."""
    from gateway.actions.export_log import export_log
    from gateway.actions.settle import settle
    from gateway.cli.session import opened
    from gateway.core.officers import TwoOfficers
    from gateway.dispatch.timetable import seal_waiting
    from gateway.ledger import log_export
    from gateway.store import log as rows

    officers = TwoOfficers(officer, second_officer)
    async with opened() as parts:
        log_export.begin(folder)
        await settle(parts, export_log, officers)
        await seal_waiting(parts)
        *earlier, current = await parts.store.read(rows.origins)  # the export itself was just sealed
        leaves = 0
        for origin in earlier:
            within = folder / checker.EARLIER / verifier.label(origin)
            log_export.begin_log(within)
            leaves += await _write_log(parts, within, origin)
        return leaves + await _write_log(parts, folder, current)


async def _write_log(parts: Parts, folder: Path, origin: str) -> int:
    """Every leaf of one log, its newest checkpoint and its newest anchored one; how many leaves."""
    from gateway.ledger import log_export
    from gateway.store import log as rows
    from gateway.store.transaction import Tx

    newest = await parts.store.read(lambda tx: rows.latest_checkpoint(tx, origin))
    assert newest is not None  # a log is known by its checkpoints
    for first in range(0, newest.size, log_export.AT_ONCE):
        count = min(log_export.AT_ONCE, newest.size - first)

        def read(tx: Tx, first: int = first, count: int = count) -> list[bytes]:
            return rows.statements(tx, origin, first, count)

        log_export.add_leaves(folder, await parts.store.read(read))
    log_export.add_checkpoint(folder, newest)
    if (anchored := await parts.store.read(lambda tx: rows.newest_anchor_of(tx, origin))) is not None:
        log_export.add_checkpoint(folder, anchored)
    return newest.size
