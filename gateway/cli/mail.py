"""`gateway mail`: what the mailbox reader makes of an e-mail, without storing anything, and what outgoing e-mail needs.

Source: contract section 2. The trusted mail server comes from `--authserv-id` or GATEWAY_MAIL_AUTHSERV_ID.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adapters.mail.findings import Expected, Reading
from adapters.mail.reading import MOST_BYTES, read_mail

app = typer.Typer(
    help="Read an e-mail as the mailbox reader would; what outgoing e-mail needs.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.")]

_HERE = Path()
_LETTERS = Path(__file__).resolve().parents[1] / "partnerships"


@app.callback()
def mail() -> None:
    """Read an e-mail as the mailbox reader would; what outgoing e-mail needs."""


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
    as_json: AsJson = False,
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


@app.command()
def keys(
    stem: Annotated[
        str, typer.Option(metavar="STEM", help="The selectors begin with this: letters and digits.")
    ] = "gw1",
    as_json: AsJson = False,
) -> None:
    """Make the two keys that sign outgoing e-mail (DKIM: RSA and Ed25519); keys that are there stay.

    Publish their records (`gateway mail dns`), then restart the gateway. To change keys, make two under another stem,
    publish, restart, and a week later take away the old files and records.

    Example: gateway mail keys --stem gw1
    """
    from gateway.cli import letters_out

    letters_out.make_keys(stem, as_json)


@app.command()
def dns(
    mail_server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST", help="The server that receives for us; absent: GATEWAY_MAIL_AUTHSERV_ID."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the DNS records to publish for our mail domains: DKIM, SPF, DMARC, TLS-RPT, MTA-STS with its policy, MX.

    SPF says `mx`: name your relay there too if another server receives.

    Example: gateway mail dns --mail-server mx.council.test
    """
    from gateway.cli import letters_out

    letters_out.print_records(mail_server, as_json)


@app.command("relay-map")
def relay_map(as_json: AsJson = False) -> None:
    """Print the lines of a Postfix `smtp_tls_policy_maps` with which the relay enforces the mail policy onward.

    Example: gateway mail relay-map
    """
    from gateway.cli import letters_out

    letters_out.print_relay_map(as_json)


@app.command("form")
def message_form(
    message_type: Annotated[
        str,
        typer.Argument(metavar="TYPE", help="A message type that may be sent by e-mail, such as referral."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE.pdf", help="Where the form goes; a file that is there stays.")
    ],
    partnership: Annotated[
        str, typer.Option(metavar="P", help="The partnership that stands in it already.")
    ] = "",
    children: Annotated[int, typer.Option(min=1, max=6, help="For how many children it has room.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Write the empty form (PDF) of a message, which an agency fills in and sends by secure e-mail in place of JSON.

    Example: gateway mail form referral --partnership south-tyneside --out var/referral.pdf
    """
    from gateway.cli import letters_out

    letters_out.write_form(message_type, out, partnership, children, as_json)


@app.command()
def preview(
    incident: Annotated[
        str | None,
        typer.Argument(metavar="[INCIDENT]", help="Whose waiting deliveries are shown.", show_default=False),
    ] = None,
    officer: Annotated[
        str | None, typer.Option("--officer", metavar="NAME", help="Who looks, for a real incident.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="With invented data.")] = False,
    pack: Annotated[
        str, typer.Option(metavar="PACK", help="The shipped rule pack whose wording is shown.")
    ] = "south-tyneside",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the files go; without it an incident's are only shown."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be sent for an incident, and to whom, or with --sample a letter with invented names. Sends nothing.

    Of an incident: every delivery that is held or still to be carried, with its address by the directory as it is now and the words of
    what goes by e-mail. Opening them leaves entries in the ledger. --out writes each e-mail as a file.

    Example: gateway mail preview SI-7K3M-9QPX-2D --officer "W. Stave"
    """
    if sample == (incident is not None) or (incident and not officer):
        typer.echo("gateway: name an incident and --officer, or say --sample.", err=True)
        raise typer.Exit(2)
    if incident and officer:
        from gateway.cli import mail_preview
        from gateway.cli.session import answer, run
        from gateway.core.messages import IncidentId

        told = run(mail_preview.preview(IncidentId(incident), officer, out))
        answer(told, mail_preview.in_words(told), as_json)
        return
    from gateway.cli import letters_out

    letters_out.write_sample(pack, out or _HERE, as_json)


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
