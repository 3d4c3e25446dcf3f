"""What the commands about clients take: their options, and what is read from the words given for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.api.door import SCOPES
from gateway.cli.session import instant_in, stop
from gateway.core.client_keys import Window
from schemas import REGISTRY, TYPES

OFFICERS = "--officer 'Winifred Stave' --second-officer 'Desmond Quill'"
ANY = "any"

Client = Annotated[
    str, typer.Argument(metavar="CLIENT", help="The client's id, such as northshire-police-1.")
]
Jwks = Annotated[
    Path | None, typer.Option("--jwks", metavar="FILE.jwks", help="The client's public keys (RFC 7517).")
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE.jwk",
        help="One key. Of a private one only the public half is kept; having it is proof of possession.",
    ),
]
Agreeing = Annotated[
    str | None,
    typer.Option(
        "--second-officer",
        metavar="NAME",
        help="Who agrees to it: another person. With a private --key it is then done; else see `approve`.",
    ),
]
ChallengeOut = Annotated[
    Path | None,
    typer.Option("--challenge", metavar="FILE.json", help="Write what the agency has to sign there."),
]
NotBefore = Annotated[
    str, typer.Option("--not-before", metavar="INSTANT", help="From when the keys may be used.")
]
NotAfter = Annotated[
    str,
    typer.Option("--not-after", metavar="INSTANT", help="When the keys end; `clients list` warns before."),
]
Types = Annotated[
    str,
    typer.Option(
        "--types", metavar="TYPES", help="The only message types it may send, separated by commas, or `any`."
    ),
]


def scopes_in(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not wanted or not set(wanted) <= set(SCOPES):
        stop(f"--scopes takes {' '.join(SCOPES)}", 2)
    return wanted


def types_in(text: str) -> tuple[str, ...] | None:
    if text == ANY:
        return None
    wanted = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not wanted or not set(wanted) <= set(TYPES):
        stop(f"--types takes `{ANY}`, or some of {' '.join(TYPES)}", 2)
    return wanted


def versions_in(text: str) -> dict[str, int]:
    """`referral=2,call-log=1` as types with versions; stops when one is not published."""
    found: dict[str, int] = {}
    for word in text.replace(",", " ").split():
        slug, _, version = word.partition("=")
        if not version.isascii() or not version.isdecimal() or (slug, int(version)) not in REGISTRY:
            stop("--versions takes types with a published version, such as referral=1,call-log=1", 2)
        found[slug] = int(version)
    return found


def window_of(not_before: str, not_after: str) -> Window:
    begins = instant_in(not_before, "--not-before") if not_before else None
    ends = instant_in(not_after, "--not-after") if not_after else None
    if begins is not None and ends is not None and begins >= ends:
        stop("--not-before lies before --not-after", 2)
    return Window(begins, ends)
