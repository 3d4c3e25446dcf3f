"""`gateway mail`: what the mailbox reader makes of an e-mail, without storing anything.

Source: contract section 2. The trusted mail server comes from `--authserv-id` or GATEWAY_MAIL_AUTHSERV_ID.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adapters.mail.findings import Expected, Reading
from adapters.mail.reading import MOST_BYTES, read_mail

app = typer.Typer(help="Read inbound e-mail as the mailbox reader would.", no_args_is_help=True)

_LETTERS = Path(__file__).resolve().parents[1] / "partnerships"


@app.callback()
def mail() -> None:
    """Read inbound e-mail as the mailbox reader would."""


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="One e-mail as a file (.eml).", show_default=False)],
    enrolled: Annotated[
        list[str] | None, typer.Option(help="The address enrolled for this letter; may be given again.")
    ] = None,
    authserv_id: Annotated[
        str | None,
        typer.Option(envvar="GATEWAY_MAIL_AUTHSERV_ID", help="The name under which our mail server vouches."),
    ] = None,
    stamped_below: Annotated[
        bool,
        typer.Option(
            envvar="GATEWAY_MAIL_STAMPED_BELOW",
            help="Our server vouches beneath its own Received line, and strips forged lines.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.")] = False,
) -> None:
    """Say what one e-mail is, what may be recorded from it, and what a person must look at. Stores nothing.

    Example: gateway mail read reply.eml --enrolled dsl@hillside.example --authserv-id mx.council.example --json
    """
    expected = Expected(
        enrolled=tuple(enrolled or ()),
        authserv_id=authserv_id or None,
        stamped_below=stamped_below,
        letters=_letters(),
    )
    reading = read_mail(_bytes_of(file), expected)
    typer.echo(json.dumps(reading.contract(), indent=2, ensure_ascii=True) if as_json else _in_words(reading))


def _bytes_of(file: Path) -> bytes:
    """At most a little more than is read at all, so that a huge file is "too large" and not a full memory."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError:
        typer.echo("Cannot read that file: name one e-mail file (.eml) that you may open.", err=True)
        raise typer.Exit(2) from None


def _letters() -> tuple[str, ...]:
    """The letters that the installed rule packs send, so that our own words are known when they are quoted."""
    return tuple(path.read_text("utf-8") for path in sorted(_LETTERS.glob("*/letters/*-letter.txt")))


def _in_words(reading: Reading) -> str:
    lines = [f"{reading.kind.value}: {reading.verdict.value}", f"reference: {reading.reference or 'none'}"]
    for title, answers in (
        ("answers", reading.contract()["answers"]),
        ("suggested", reading.contract()["suggested"]),
    ):
        lines += [f"{title}: {json.dumps(answers)}"]
    return "\n".join([*lines, *(f"- {reason}" for reason in reading.reasons)])
