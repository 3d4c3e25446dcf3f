"""`gateway evidence`: make evidence bundles, and check them without database, network or a running gateway.

What makes bundles is imported only when one is made: checking one needs the verifier and nothing else of the gateway.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.evidence_log import JsonFlag, Pinned, absence, log
from gateway.ledger import verify as verifier

app = typer.Typer(help="Make and check evidence bundles.", no_args_is_help=True)
app.command()(log)
app.command()(absence)


@app.callback()
def evidence() -> None:
    """Make and check evidence bundles."""


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.zip", help="The evidence bundle.")],
    policy: Annotated[
        Path,
        typer.Option(metavar="POLICY.json", help="Whom to trust; obtained on another path than the bundle."),
    ],
    pinned: Pinned = [],  # noqa: B006 - typer reads it, nothing changes it
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> None:
    """Check a bundle offline. Exit status: 0 valid or provisional, 1 invalid, 2 cannot be read.

    Example: gateway evidence verify evidence.zip --policy policy.json
    """
    try:
        finding = verifier.verify_files(bundle, policy, pinned)
    except verifier.Unreadable as fault:
        typer.echo(f"{fault}: give a bundle made by `gateway evidence export` and its policy", err=True)
        raise typer.Exit(2) from None
    typer.echo(verifier.report(finding, as_json))
    raise typer.Exit(1 if finding.verdict == "INVALID" else 0)


@app.command()
def export(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")],
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="Where to write the bundle.")],
    officer: Annotated[
        str, typer.Option("--officer", metavar="NAME", help="Who takes it out of the house.")
    ] = "the command line",
    without_content: Annotated[
        bool, typer.Option("--without-content", help="Receipts and proofs only: nothing personal.")
    ] = False,
    reader: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="AGENCY", help="No content, and only what is about this agency opened."
        ),
    ] = None,
    pinned: Annotated[
        list[str],
        typer.Option(
            metavar="[YEAR/]SIZE",
            help="Size of a checkpoint that the reader holds, of this year's log unless given: how the log grew from it.",
        ),
    ] = [],  # noqa: B006 - typer reads it, nothing changes it
    as_json: JsonFlag = False,
) -> None:
    """Write everything that a stranger needs to check an incident. The export itself leaves an entry in the ledger.

    Example: gateway evidence export SI-7K3M-9QPX-2D --out evidence.zip --officer "W. Stave"
    """
    from gateway.cli.session import answer, run

    content = run(_export(incident, officer, not without_content, pinned, reader))
    _write(out, content)
    told = {"incident": incident, "file": str(out), "bytes": len(content)}
    answer(told, [f"Wrote {out}. Check it with: gateway evidence verify {out} --policy POLICY.json"], as_json)


@app.command()
def disclose(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.zip", help="An evidence bundle with disclosures.")],
    receipt: Annotated[str, typer.Option(metavar="ID", help="The receipt to open, ev-….")],
    field: Annotated[list[str], typer.Option(metavar="NAME", help="A field of it to open; may be repeated.")],
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="Where to write the bundle.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a bundle of the same receipts in which only these fields are opened, for somebody who may see no more.

    Example: gateway evidence disclose evidence.zip --receipt ev-0000 --field recipient --field role --out part.zip
    """
    from gateway.ledger.bundle import disclose as disclosed

    try:
        content = disclosed(bundle.read_bytes(), receipt, field)
    except KeyError:
        typer.echo("the bundle has no such receipt, or it does not open all of these fields", err=True)
        raise typer.Exit(1) from None
    except (OSError, verifier.Unreadable, verifier.Invalid):
        typer.echo(
            f"{bundle} is not a whole evidence bundle: give one that `gateway evidence export` made", err=True
        )
        raise typer.Exit(2) from None
    _write(out, content)
    told = {"file": str(out), "receipt": receipt, "fields": sorted(set(field))}
    typer.echo(
        json.dumps(told) if as_json else f"Wrote {out}: it opens {', '.join(sorted(set(field)))} of {receipt}"
    )


@app.command()
def events(as_json: JsonFlag = False) -> None:
    """Say of each kind of receipt, in one sentence, what it shows and what it does not.

    Example: gateway evidence events
    """
    from gateway.core.receipts import Event

    several = sorted(Event, key=lambda event: event.title)
    told = [
        {"event": event.text, "of_the_standard": event.is_etsi, "shows": event.meaning} for event in several
    ]
    lines = [f"{event.title}\n    {event.meaning}" for event in several]
    typer.echo(json.dumps(told, indent=2) if as_json else "\n".join(lines))


@app.command("policy")
def write_policy(
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where to write the policy.")],
    as_json: JsonFlag = False,
) -> None:
    """Write what this deployment's bundles are checked with. Give it to verifiers on another path than the bundles.

    Example: gateway evidence policy --out policy.json
    """
    from gateway.cli.session import answer, run

    policy = run(_policy())
    _write(out, (json.dumps(policy, indent=2) + "\n").encode())
    answer({"file": str(out), "policy": policy}, [f"Wrote {out}"], as_json)


async def _export(
    incident: str, officer: str, with_content: bool, pinned: list[str], reader: str | None
) -> bytes:
    """State the export, seal until nothing waits, then read one snapshot."""
    from gateway.actions.export import Export, read_bundle
    from gateway.actions.export import export as state_export
    from gateway.cli.session import opened
    from gateway.core.errors import ErrorCode, Refused
    from gateway.core.messages import AgencyId, IncidentId
    from gateway.dispatch.timetable import seal_waiting
    from gateway.store import incidents

    named = IncidentId(incident)
    async with opened() as parts:
        partnership = await parts.store.read(lambda tx: incidents.partnership_of(tx, named))
        if partnership is None:
            raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
        only_for = AgencyId(reader) if reader else None
        asked = Export(named, officer, with_content and not reader, only_for)
        await parts.perform(state_export, asked, partnership, named)
        await seal_waiting(parts)
        key = await parts.key_of(named) if with_content else None
        held = [_held(one) for one in pinned]
        return await parts.store.read(
            lambda tx: read_bundle(tx, parts, partnership, named, key, held, only_for)
        )


def _held(text: str) -> tuple[str, int]:
    """SIZE or YEAR/SIZE as a log's name and a size."""
    name, _, size = text.rpartition("/")
    if not size.isdecimal():
        raise typer.BadParameter("--pinned takes a size, or a year and a size as in 2026/1050")
    return name, int(size)


async def _policy() -> dict[str, Any]:
    from gateway.actions.export import own_policy, peers_of
    from gateway.cli.session import opened
    from gateway.store import log

    async with opened() as parts:
        return own_policy(parts, await parts.store.read(peers_of), await parts.store.read(log.origins))


def _write(out: Path, content: bytes) -> None:
    """Private to its owner: a bundle with content is as sensitive as the incident."""
    try:
        out.touch(mode=0o600)
        out.write_bytes(content)
    except OSError as fault:
        typer.echo(f"{out} cannot be written: {fault.strerror}", err=True)
        raise typer.Exit(2) from None
