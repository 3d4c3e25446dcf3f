"""Certificates for mutual TLS on the command line: read from files, listed with their ends, warned of in time (RFC 8705)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.app import system_clock
from gateway.cli.session import stop
from gateway.core.written_times import written
from gateway.oauth.certificates import (
    CertificateRefused,
    Window,
    authority_entry,
    client_certificates,
    pin_entry,
)
from gateway.store.clients import ClientRow

LARGEST_BYTES = 100_000

Certificate = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="FILE.pem", help="Mutual TLS: the client's own certificate."),
]
Authority = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE.pem",
        help="Mutual TLS: the authority that issues the client's certificates, then those above it.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--san", metavar="URI:…|DNS:…", help="With --ca: the name that stands in them."),
]


def read_certificates(
    certificate: Path | None, authority: Path | None, san: str | None, keys: Path | None
) -> tuple[dict[str, Any], ...]:
    """What is to be registered of the file given, or nothing; stops with the reason when it cannot be."""
    if (authority is None) != (san is None) or (certificate is not None and authority is not None):
        stop("give either --certificate FILE.pem, or --ca FILE.pem with --san URI:… or DNS:…", 2)
    file = certificate or authority
    if file is None:
        return ()
    if keys is not None:
        stop(
            "keys and certificates are registered one after the other: first the keys, then `rotate --certificate`",
            2,
        )
    pem, now = _read(file), system_clock()
    try:
        if san is None:
            return (pin_entry(pem, now),)
        return (authority_entry(pem, *_name(san), now),)
    except CertificateRefused as refused:
        stop(f"{file.name}: {refused}", 1)


def certificate_rows(entries: Iterable[Mapping[str, Any]], at: datetime) -> list[dict[str, Any]]:
    """How `clients list` shows what a client has."""
    return [_row(entry, at) for entry in entries]


def authorities_pem(rows: Iterable[ClientRow], at: datetime) -> str:
    """Every registered authority with those above it, each once: what the proxy verifies certificates against."""
    chains = {
        pem: None
        for row in rows
        for entry in row.certificates
        if _window(entry).holds(at)
        for pem in entry.get("chain", ())
    }
    return "".join(chains)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened_file:
            return opened_file.read(LARGEST_BYTES)
    except OSError:
        stop("cannot read that file: name one with a certificate in PEM form", 2)


def _name(san: str) -> tuple[str, str]:
    kind, _, name = san.partition(":")
    if (
        kind.lower() not in ("uri", "dns")
        or not name.isascii()
        or not name.isprintable()
        or " " in name
        or not name
    ):
        stop("--san is URI:… or DNS:…, as in URI:https://northshire-police.example/safeguarding", 2)
    return kind.lower(), name if kind.lower() == "uri" else name.lower()


def _row(entry: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    window = _window(entry)
    names = {kind: entry[kind] for kind in ("uri", "dns") if kind in entry}
    return {
        "x5t#S256": entry["x5t#S256"],
        "registered_as": "authority" if "chain" in entry else "certificate",
        **names,
        "ends_at": written(window.ends_at),
        "works": window.holds(at),
    }


def _window(entry: Mapping[str, Any]) -> Window:
    (one,) = client_certificates([entry])
    return one.window
