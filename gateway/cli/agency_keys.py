"""An agency's keys in files: made, read, and proved to be held. No database and no running gateway is needed.

Invariant: of a private key only its owner's commands read the private half; what goes to the gateway is public.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.session import JsonFlag, answer, stop
from gateway.oauth.key_policy import KeyRefused, check_jwks
from gateway.oauth.possession import make_proof
from keys.signing import Algorithm, FileSigner, write_secret

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
LARGEST_BYTES = 100_000


def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE.jwk", help="Where the private key goes (mode 0600).")],
    algorithm: Annotated[str, typer.Option(metavar="ES256|Ed25519", help="The kind of key.")] = "ES256",
    as_json: JsonFlag = False,
) -> None:
    """The agency's side: make a key pair. The private half stays; `FILE.jwks` beside it is for the gateway.

    Needs no database and no running gateway.
    """
    chosen: dict[str, Algorithm] = {"ES256": "ES256", "Ed25519": "Ed25519"}
    if algorithm not in chosen:
        stop("--algorithm is ES256 or Ed25519", 2)
    public = file.with_suffix(".jwks")
    if file.suffix == ".jwks" or file.exists() or public.exists():
        stop("name a new file ending in .jwk: a key is never written over another", 2)
    signer = FileSigner.generate(f"client-{secrets.token_hex(8)}", chosen[algorithm])
    try:
        write_secret(file, json.dumps(signer.private_jwk()).encode())
        public.write_text(json.dumps({"keys": [signer.public_jwk()]}, indent=2) + "\n", "utf-8")
    except OSError:
        stop("cannot write there: name a file in a folder that you may write to", 2)
    told = {"kid": signer.kid, "algorithm": algorithm, "private": str(file), "public": str(public)}
    answer(told, [f"private key: {file}: keep it", f"public keys: {public}: send it to the gateway"], as_json)


def prove(
    challenge: Annotated[
        Path, typer.Argument(metavar="CHALLENGE.json", help="What the gateway's officer sent you to sign.")
    ],
    key: Annotated[
        list[Path], typer.Option("--key", metavar="KEY.jwk", help="A new private key; once for each.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the proofs there instead of showing them."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The agency's side: show that you hold your new keys, by signing the gateway's challenge with each.

    Needs no database and no running gateway. Any JOSE library does the same; the guide for partners says how.
    """
    asked = _object_in(challenge)
    named = {name: asked.get(name) for name in ("client", "audience", "nonce")}
    if not all(isinstance(value, str) and value for value in named.values()):
        stop("that file is no challenge: name the one that the gateway's officer sent you", 2)
    proofs = []
    for file in key:
        try:
            proofs.append(make_proof(_object_in(file), **named))
        except ValueError:
            stop("that is not a private key (JWK) of a kind that is taken", 2)
    lines = [f"signed for client {named['client']} at {named['audience']}:", *proofs]
    if out is not None:
        _write(out, "\n".join(proofs) + "\n")
        lines = [lines[0], f"{out}: send it to the gateway's officer; it holds no secret"]
    answer({"client": named["client"], "audience": named["audience"], "proofs": proofs}, lines, as_json)


def write_challenge(file: Path, document: Mapping[str, Any]) -> None:
    """What the agency is sent to sign."""
    _write(file, json.dumps(document, indent=2) + "\n")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError:
        stop("cannot write there: name a file in a folder that you may write to", 2)


def read_keys(jwks: Path | None, key: Path | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The checked public keys of the one file given, and the whole key when it was a private one."""
    if (jwks is None) == (key is None):
        stop("give either --jwks FILE.jwks or --key FILE.jwk", 2)
    file = jwks or key
    assert file is not None
    document = _object_in(file)
    private = document if key is not None and not PRIVATE_MEMBERS.isdisjoint(document) else None
    if key is not None:
        hidden = PRIVATE_MEMBERS | {"key_ops"}
        document = {"keys": [{name: value for name, value in document.items() if name not in hidden}]}
    try:
        return check_jwks(document), private
    except KeyRefused as refused:
        which = "" if refused.position is None else f"key {refused.position + 1}: "
        stop(f"{which}{refused.fault.value}", 1)


def _object_in(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened_file:
            document = json.loads(opened_file.read(LARGEST_BYTES))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, Mapping):
        stop("cannot read that file: name one JSON file with a key (RFC 7517)", 2)
    return dict(document)
