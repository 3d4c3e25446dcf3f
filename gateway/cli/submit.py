"""`gateway submit`: the agency's side of one message: gets a token, sends, checks the receipt and keeps it.

The invariant: exit 0 means that the gateway took exactly the bytes of the file and signed for it, and that the receipt lies
in the receipts directory. A repeat with the same file is harmless and has the same receipt (contract section 3).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import typer

from gateway.agency.client import AgencyClient, AgencyProblem, Unreachable
from gateway.agency.receiving import ReceiptFalse
from keys.signing import Signer, signer_from_jwk

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

ANSWER_IS_NO, WRONG_USE = 1, 2
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
EXAMPLE = (
    "Example: gateway submit referral.json --to https://gateway.council.example --client northshire-police"
    " --key northshire-police.jwk"
)


@app.command(epilog=EXAMPLE)
def submit(
    message: Annotated[Path, typer.Argument(metavar="MESSAGE.json", help="The message, as its schema says.")],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The gateway's public address.")],
    client: Annotated[str, typer.Option("--client", metavar="ID", help="Your client's registered id.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="KEY.jwk", help="Your client's private key (P-256 or Ed25519)."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE.pem", help="Your client's certificate, for mutual TLS."),
    ] = None,
    certificate_key: Annotated[
        Path | None,
        typer.Option("--certificate-key", metavar="FILE.pem", help="The certificate's private key."),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", metavar="URL", help="The gateway's public address, if --to is another."),
    ] = None,
    attach: Annotated[
        list[Path] | None,
        typer.Option("--attach", metavar="FILE", help="A file to send with it (several times for several)."),
    ] = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the request with the registered key too (RFC 9421).")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Authorities to trust in place of the usual.")
    ] = None,
    receipts: Annotated[
        Path, typer.Option("--receipts", metavar="DIR", help="Where receipts are kept.")
    ] = Path("receipts"),
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
    ] = False,
) -> None:
    """Send one message as your agency's software: get a token, submit, check the receipt and keep it."""
    payload, shows = _payload(message), _what_it_shows(key, certificate, certificate_key, tls_of(ca), sign)
    letter = _Letter(payload, tuple(attach or ()), receipts)
    try:
        answer = asyncio.run(_send(address_of(to), client, shows, issuer and address_of(issuer), letter))
    except (AgencyProblem, ReceiptFalse, Unreachable) as fault:
        _not_taken(fault, as_json)
    _tell(answer, _keep(receipts, answer), as_json)


class _Shown(NamedTuple):
    signer: Signer | None
    certificate: tuple[Path, Path] | None
    tls: ssl.SSLContext | None
    signs: bool


async def _send(to: str, client: str, shows: _Shown, issuer: str | None, letter: _Letter) -> dict[str, Any]:
    from gateway.app import (
        system_clock,  # the one place where the time is read; late, so that wrong use is told at once
    )

    async with AgencyClient(
        to,
        client,
        shows.signer,
        clock=system_clock,
        tls=shows.tls,
        issuer=issuer,
        certificate=shows.certificate,
        signs=shows.signs,
    ) as agency:
        if not letter.files:
            return await agency.submit(letter.payload)
        try:
            return await agency.submit(letter.kept or await letter.with_files_sent(agency))
        except AgencyProblem as problem:
            if letter.kept is None or not _names_what_is_gone(problem):
                raise
        return await agency.submit(await letter.with_files_sent(agency))


@dataclass(frozen=True)
class _Letter:
    """A message with the files that go with it. What was sent is kept, for a repeat must send the same bytes: a file sent
    again has another id."""

    payload: bytes
    files: tuple[Path, ...]
    receipts: Path

    @property
    def kept(self) -> bytes | None:
        """The message as an earlier try sent it, with the ids of the same files."""
        return self._kept_in.read_bytes() if self._kept_in.is_file() else None

    async def with_files_sent(self, agency: AgencyClient) -> bytes:
        """Send the files; the message that names them, kept before it is sent."""
        sent = [await agency.attach(file) for file in self.files]
        document = json.loads(self.payload)
        named = [{"id": one["id"], "sha256": one["sha256"]} for one in sent]
        document["attachments"] = [*document.get("attachments", ()), *named]
        payload = json.dumps(document, ensure_ascii=False)
        _keep_files(self.receipts, {self._kept_in.name: payload})
        return payload.encode()

    @cached_property
    def _kept_in(self) -> Path:
        digest = hashlib.sha256(self.payload)
        for file in self.files:
            digest.update(hashlib.sha256(_read(file, "a file to attach")).digest())
        return self.receipts / f"sent-{digest.hexdigest()[:32]}.json"


def _names_what_is_gone(problem: AgencyProblem) -> bool:
    """The files of an earlier try were never named and are destroyed by now."""
    return any(error.get("code") == "unknown-attachment" for error in problem.errors)


def _what_it_shows(
    key: Path | None,
    certificate: Path | None,
    certificate_key: Path | None,
    tls: ssl.SSLContext | None,
    signs: bool,
) -> _Shown:
    """A key, or a certificate with its key, or both; wrong use is told before anything is sent."""
    if (certificate is None) != (certificate_key is None) or (key is None and certificate is None):
        stop(WRONG_USE, "give --key KEY.jwk, or --certificate FILE.pem with --certificate-key FILE.pem")
    pair = None if certificate is None or certificate_key is None else (certificate, certificate_key)
    if pair is not None:
        try:
            ssl.create_default_context().load_cert_chain(*pair)
        except (ssl.SSLError, OSError):
            stop(WRONG_USE, "the certificate and its key cannot be read, or do not belong together")
    signer = None if key is None else signer_of(key)
    if signs and signer is None:
        stop(WRONG_USE, "--sign needs --key: a certificate signs no messages")
    return _Shown(signer, pair, tls, signs)


def _payload(file: Path) -> bytes:
    """The file's bytes, which are sent as they are."""
    payload = _read(file, "the message")
    try:
        is_object = isinstance(json.loads(payload), dict)
    except ValueError:
        is_object = False
    if not is_object:
        stop(WRONG_USE, "the message is not one JSON object")
    return payload


def signer_of(file: Path) -> Signer:
    try:
        return signer_from_jwk(json.loads(_read(file, "the key")))
    except (ValueError, KeyError, TypeError, AttributeError):
        stop(WRONG_USE, "the key is not a private JWK of P-256 or Ed25519")


def tls_of(file: Path | None) -> ssl.SSLContext | None:
    if file is None:
        return None
    try:
        return ssl.create_default_context(cadata=_read(file, "the --ca file").decode("ascii"))
    except (ssl.SSLError, ValueError):
        stop(WRONG_USE, "the --ca file holds no certificates in PEM form")


def address_of(to: str) -> str:
    """The gateway's address; without TLS only on this machine."""
    url = urlsplit(to)
    is_plain_here = url.scheme == "http" and url.hostname in LOOPBACK
    if not url.hostname or not (url.scheme == "https" or is_plain_here) or url.path.strip("/") or url.query:
        stop(WRONG_USE, "write --to as https://host or https://host:port")
    return f"{url.scheme}://{url.netloc}"


def _read(file: Path, what: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        stop(WRONG_USE, f"{what} cannot be read: {fault.strerror}")


def _keep(folder: Path, answer: dict[str, Any]) -> list[Path]:
    """The receipt as the offline verifier takes it, and the whole answer; readable by their owner alone."""
    receipt = answer["receipt"]
    contents = {
        f"{receipt['id']}.jws": receipt["jws"],
        f"{receipt['id']}.disclosures": json.dumps(receipt["disclosures"]),
        f"{answer['id']}.json": json.dumps(answer, indent=2),
    }
    return _keep_files(folder, contents, "the message was taken, but its receipt cannot be kept")


def _keep_files(
    folder: Path, contents: Mapping[str, str], otherwise: str = "what is sent cannot be kept"
) -> list[Path]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_write(folder / name, text) for name, text in contents.items()]
    except OSError as fault:
        stop(WRONG_USE, f"{otherwise}: {fault.strerror}")


def _write(file: Path, text: str) -> Path:
    """Whole or not at all: a repeat puts the same in place of what is there."""
    fresh = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    fresh.replace(file)
    return file


def _tell(answer: dict[str, Any], kept: list[Path], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**answer, "accepted": True, "kept": [str(file) for file in kept]}, indent=2))
        return
    held = " It is held for an officer." if answer["decision"] == "hold" else ""
    lines = [f"Taken as {answer['id']}, incident {answer['incident']}.{held}"]
    lines += [
        f"Duty: {duty['role']} of {duty['agency']} owes {duty['expects']} by {duty['due_at'] or 'no fixed time'}"
        for duty in answer["duties"]
    ]
    typer.echo("\n".join([*lines, f"Receipt {answer['receipt']['id']} holds; kept in {kept[0].parent}"]))


def _not_taken(fault: AgencyProblem | ReceiptFalse | Unreachable, as_json: bool) -> NoReturn:
    match fault:
        case AgencyProblem():
            _refused(fault, as_json)
        case ReceiptFalse():
            words = f"the gateway answered, but its receipt does not hold: {fault}. Ask its operator."
            stop(ANSWER_IS_NO, words)
        case Unreachable():
            stop(WRONG_USE, f"{fault}. Try again with the same file: a repeat is safe.")


def _refused(problem: AgencyProblem, as_json: bool) -> NoReturn:
    if as_json:
        told = {
            "accepted": False,
            "status": problem.status,
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
            "errors": [dict(error) for error in problem.errors],
        }
        typer.echo(json.dumps(told, indent=2))
        raise typer.Exit(ANSWER_IS_NO)
    faults = "; ".join(f"{error.get('pointer')}: {error.get('code')}" for error in problem.errors)
    stop(ANSWER_IS_NO, f"refused: {problem}" + (f" ({faults})" if faults else ""))


def stop(status: int, line: str) -> NoReturn:
    typer.echo(f"gateway: {' '.join(line.split())}", err=True)
    raise typer.Exit(status)
