"""`gateway forms`: a rule pack's forms on paper, to print before the gateway cannot be reached (G-13)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.packs_at_hand import read
from gateway.cli.session import JsonFlag, answer
from gateway.console import words
from gateway.console.paper import html, sheet_of, style_sheet, types_of
from gateway.console.paper_pdf import pdf
from gateway.core.rules import Pack
from gateway.partnerships import packs

app = typer.Typer(
    help="A rule pack's forms on paper, for the hours in which the gateway cannot be reached.",
    no_args_is_help=True,
)

PackArgument = Annotated[
    str, typer.Argument(metavar="PACK", help="A shipped pack by name, or a folder such as ./my-pack.")
]


@app.command("list")
def list_forms(pack: PackArgument, as_json: JsonFlag = False) -> None:
    """List the forms that a pack takes.

    Example: gateway forms list tower-hamlets
    """
    found = _pack(pack)
    told = [{"type": slug, "title": words.message_title(slug)} for slug in types_of(found)]
    about = {"pack": found.partnership, "version": found.version, "forms": told}
    answer(about, [f"{one['type']}  {one['title']}" for one in told], as_json)


@app.command("print")
def print_forms(
    pack: PackArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go; made if it is not there.")],
    only: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this form; may be repeated.")
    ] = None,
    as_html: Annotated[bool, typer.Option("--html", help="Pages in place of PDFs.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a pack's forms as files to print: blank, with every field, room to write, and who sends it to whom by when.

    Example: gateway forms print tower-hamlets --out forms
    """
    found = _pack(pack)
    sheets = [sheet_of(found, slug) for slug in only or types_of(found)]  # all before any is written
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = []
        for sheet in sheets:
            file = out / f"{found.partnership}-{sheet.slug}.{'html' if as_html else 'pdf'}"
            file.write_bytes(html(sheet, style=style_sheet()).encode() if as_html else pdf(sheet))
            files.append(str(file))
    except OSError as fault:
        raise typer.BadParameter(f"--out cannot be written: {fault.strerror}") from None
    about = {"pack": found.partnership, "version": found.version, "files": files}
    answer(
        about,
        [*files, f"rules {found.version}: print them again when these change"],
        as_json,
    )


def _pack(name: str) -> Pack:
    return packs.parse(*read(name))
