"""Proof that a client holds the private halves of the keys that it asks to have registered.

The gateway gives out a challenge; the agency signs it with each new key; only then can a second officer approve the key.

Invariant: a proof is good for one client, one gateway and one challenge, and is no client assertion: its `typ` is its own
(RFC 8725 section 3.11). Any JOSE library makes one: a compact JWS (RFC 7515) over `iss` (the client's id), `aud` (the
gateway's public address) and `nonce` (the challenge), signed with the new key.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwk, jws
from joserfc.errors import JoseError

from gateway.core.errors import GatewayError
from gateway.oauth.jose import (
    ALGORITHM_NAMES,
    BadSignature,
    Malformed,
    PublicKey,
    media_type,
    read_header,
    read_object,
    split,
    verify,
)
from gateway.oauth.key_policy import public_key

PROOF_TYPE = "client-key-proof+jwt"
LONGEST_PROOF_BYTES = 8192


class NotProved(GatewayError):
    """A proof does not hold; the message says why, for the officer who was handed it."""


def proved_thumbprint(
    proof: str, *, client: str, audience: str, nonce: str, keys: Iterable[Mapping[str, Any]]
) -> str:
    """The RFC 7638 thumbprint of the one of `keys` that made this proof; NotProved with the reason.

    1. a compact JWS of at most 8 KiB whose `typ` is ours   2. the signature is one of `keys`'
    3. `iss`, `aud` and `nonce` are those of the challenge.
    What the caller must still do: see in the transaction that the challenge still stands and has not expired.
    """
    try:
        compact = split(proof.encode(), LONGEST_PROOF_BYTES)
        header, claims = read_header(compact.header), read_object(compact.payload)
        if media_type(header) != PROOF_TYPE:
            raise NotProved(f"the proof's header must say typ {PROOF_TYPE}")
        key = _signer_among([public_key(one) for one in keys], header, compact)
    except Malformed:
        raise NotProved("the proof is no compact JWS (RFC 7515)") from None
    if claims.get("iss") != client or claims.get("aud") != audience:
        raise NotProved("the proof is for another client or another gateway: see its iss and aud")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise NotProved("the proof answers another challenge: sign the one given out last")
    return key.thumbprint


def make_proof(private_jwk: Mapping[str, Any], *, client: object, audience: object, nonce: object) -> str:
    """The agency's side: a proof signed with this private key; ValueError when it is no key that is taken here."""
    try:
        key = jwk.import_key({**private_jwk})
        public = public_key(key.as_dict(private=False))
        kid = private_jwk.get("kid") or public.thumbprint
        header = {"typ": PROOF_TYPE, "alg": public.algorithm, "kid": kid}
        claims = json.dumps({"iss": client, "aud": audience, "nonce": nonce})
        return jws.serialize_compact(header, claims, key, algorithms=[public.algorithm])
    except (JoseError, GatewayError, KeyError, TypeError, AttributeError):
        raise ValueError("not a private key of a kind that is taken here") from None


def _signer_among(keys: list[PublicKey], header: Mapping[str, Any], compact: Any) -> PublicKey:
    """The key that verifies. A `kid` is not looked at: there are at most ten keys, and the signature decides."""
    for key in keys:
        if ALGORITHM_NAMES.get(header["alg"]) != key.algorithm:
            continue
        try:
            verify(key, header["alg"], compact)
        except BadSignature:
            continue
        return key
    raise NotProved("the proof is signed by none of the keys that wait for approval")
