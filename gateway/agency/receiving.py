"""The agency's look at a receipt: is it signed by the gateway's published key, and is it about the bytes that were sent?

Invariant: a receipt that passed names, under the signature, the SHA-256 of exactly the payload that the sender holds. What
is proved here is the gateway's promise; that it was kept (sealed in the log) is shown by `gateway evidence verify`, with a
policy that came on another path. The receipt's form is that of `gateway.ledger.verify`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.core.receipts import Event
from gateway.ledger import verify

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class ReceiptFalse(Exception):
    """The receipt does not hold. The text is fixed and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt whose signature held, with its statement and what its commitments opened to."""

    id: str
    event: str
    issuer: str
    statement: Mapping[str, Any]
    disclosed: Mapping[str, Any]


def check_receipt(receipt: Mapping[str, Any], jwks: Mapping[str, Any], issuer: str | None = None) -> Checked:
    """Check a receipt as the API hands it out: `{id, jws, disclosures}`; ReceiptFalse when it does not hold.

    `issuer` is the name that the statement must carry; None takes the one that it claims. Key windows and sealing are
    the business of the offline verifier.
    """
    try:
        opened = verify.open_receipt(receipt["jws"].encode(), _policy(receipt["jws"], jwks, issuer))
        verify.add_disclosures(opened, json.dumps(receipt.get("disclosures", [])).encode())
    except verify.Invalid as fault:
        raise ReceiptFalse(str(fault)) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ReceiptFalse("the receipt or the gateway's keys are not of their form") from None
    statement = opened.statement
    if receipt.get("id") != statement["id"]:
        raise ReceiptFalse("the receipt's id is not that of its statement")
    return Checked(statement["id"], statement["event"], statement["iss"], statement, opened.disclosed)


def check_acceptance(checked: Checked, message: str, payload: bytes) -> None:
    """The statement must say that `message`, with exactly this payload, was taken; ReceiptFalse otherwise."""
    if checked.event != Event.SUBMISSION_ACCEPTANCE.text:
        raise ReceiptFalse("the receipt does not say that a message was taken")
    if checked.statement["ref"] != message:
        raise ReceiptFalse("the receipt is about another message")
    if checked.disclosed.get("payload_sha256") != hashlib.sha256(payload).hexdigest():
        raise ReceiptFalse("the receipt is about other content than was sent")


def knows(jwks: Mapping[str, Any], jws: str) -> bool:
    """Whether the key that a receipt names is in the set; ReceiptFalse when either is not of its form."""
    try:
        header = json.loads(verify.unb64url(jws.split(".")[0]))
        return any(key["kid"] == header["kid"] for key in jwks["keys"])
    except (verify.Invalid, KeyError, TypeError, ValueError, AttributeError):
        raise ReceiptFalse("the receipt or the gateway's keys are not of their form") from None


def _policy(jws: str, jwks: Mapping[str, Any], issuer: str | None) -> verify.Policy:
    """The verifier's policy for a signature alone: these keys, at any time, for this issuer."""
    if issuer is None:
        issuer = str(verify.strict_json(verify.unb64url(jws.split(".")[1]))["iss"])
    keys = {key["kid"]: verify.ReceiptKey(_public(key), _ALWAYS, None, None) for key in jwks["keys"]}
    return verify.Policy(issuer, (), (), 0, "none", keys, (), timedelta(0))


def _public(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
    x, y = (int.from_bytes(verify.unb64url(jwk[part]), "big") for part in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
