"""Which public keys may speak for a client or bind a token.

Invariant: a key that passed is an asymmetric public key of a kind we verify: P-256, Ed25519, or RSA of 2048
to 4096 bits with e = 65537, on its curve, in canonical encoding, without any private or symmetric member (RFC
7517, RFC 7518 section 6, FAPI 2.0 section 5.4). joserfc imports keys that this refuses: short RSA, ROCA RSA
(CVE-2017-15361), `oct`, mixed sets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.core.client_keys import MOST_KEYS
from gateway.core.errors import GatewayError
from gateway.oauth.jose import ALGORITHM_NAMES, Malformed, PublicKey, decode
from keys.signing import jwk_thumbprint

_PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_KID = re.compile(r"[\x21-\x7e]{1,256}\Z")  # base64 and slashes occur; a kid is only ever a dictionary key
_LONGEST_MEMBER = 700  # 4096 bits are 683 characters


class KeyFault(Enum):
    """Why a key was refused, in words for the person who registers it."""

    NOT_A_SET = "not a JSON Web Key Set with at least one key"
    TOO_MANY = "more keys than are taken here"
    NOT_A_KEY = "not a JSON Web Key, or a member is missing or wrongly encoded"
    PRIVATE = "contains private or symmetric key material: it must now be thought of as disclosed"
    KIND = "only EC P-256, OKP Ed25519 and RSA keys are taken"
    OFF_CURVE = "the point is not on its curve"
    RSA_SIZE = "an RSA key must have 2048 to 4096 bits"
    RSA_EXPONENT = "an RSA key must have the public exponent 65537"
    RSA_ROCA = "the RSA key comes from a generator with a known fault (ROCA)"
    ALGORITHM = "`alg` must be ES256, PS256 or Ed25519 and fit the key"
    USE = "`use` must be sig, and `key_ops`, when given, verify alone"
    KID = "`kid` must be 1 to 256 printable ASCII characters without spaces"
    KID_REPEATED = "two keys have the same `kid`"
    KEY_REPEATED = "the same key occurs twice"
    KEY_OF_ANOTHER = "the key is registered for another client"


class KeyRefused(GatewayError):
    """A key or key set breaks the policy; `fault` says how, `position` which key of the set (from 0)."""

    def __init__(self, fault: KeyFault, position: int | None = None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.position = position


def public_key(jwk: object) -> PublicKey:
    """Import one public key under the policy; KeyRefused when it breaks it."""
    if not isinstance(jwk, Mapping):
        raise KeyRefused(KeyFault.NOT_A_KEY)
    if not _PRIVATE_MEMBERS.isdisjoint(jwk) or jwk.get("kty") == "oct":
        raise KeyRefused(KeyFault.PRIVATE)
    kind = jwk.get("kty"), jwk.get("crv")
    try:
        match kind:
            case ("EC", "P-256"):
                return _point(_members(jwk, "kty", "crv", x=32, y=32))
            case ("OKP", "Ed25519"):
                return _edwards(_members(jwk, "kty", "crv", x=32))
            case ("RSA", None):
                return _modulus(_members(jwk, "kty", n=None, e=None))
            case _:
                raise KeyRefused(KeyFault.KIND)
    except (ValueError, JoseError):
        raise KeyRefused(KeyFault.NOT_A_KEY) from None


def check_jwks(
    document: object, is_foreign: Callable[[str], bool] = lambda _: False, most: int = MOST_KEYS
) -> dict[str, Any]:
    """A client's key set as it will be stored: at most `most` keys, whitelisted members, every key with `kid`,
    `alg` and `use`.

    `is_foreign(thumbprint)` says whether another client has this key. A key without `kid` gets its
    thumbprint. KeyRefused with the fault and the key's position. What the caller must still do: have the
    client prove possession of a new key, and have a second officer agree.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise KeyRefused(KeyFault.NOT_A_SET)
    if len(entries) > most:
        raise KeyRefused(KeyFault.TOO_MANY)
    kept: list[dict[str, str]] = []
    thumbprints: set[str] = set()
    for position, entry in enumerate(entries):
        try:
            clean, thumbprint = _registered(entry)
            _check_among(clean["kid"], thumbprint, {k["kid"] for k in kept}, thumbprints, is_foreign)
        except KeyRefused as refused:
            raise KeyRefused(refused.fault, position) from None
        kept.append(clean)
        thumbprints.add(thumbprint)
    return {"keys": kept}


def _registered(entry: object) -> tuple[dict[str, str], str]:
    key = public_key(entry)
    assert isinstance(entry, Mapping)
    algorithm = entry.get("alg", key.algorithm)
    if not isinstance(algorithm, str) or ALGORITHM_NAMES.get(algorithm) != key.algorithm:
        raise KeyRefused(KeyFault.ALGORITHM)
    if entry.get("use", "sig") != "sig" or entry.get("key_ops", ["verify"]) != ["verify"]:
        raise KeyRefused(KeyFault.USE)
    kid = entry.get("kid", key.thumbprint)
    if not isinstance(kid, str) or not _KID.match(kid):
        raise KeyRefused(KeyFault.KID)
    shape = {name: entry[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in entry}
    return {**shape, "kid": kid, "alg": key.algorithm, "use": "sig"}, key.thumbprint


def _check_among(
    kid: str, thumbprint: str, kids: set[str], thumbprints: set[str], is_foreign: Callable[[str], bool]
) -> None:
    if kid in kids:
        raise KeyRefused(KeyFault.KID_REPEATED)
    if thumbprint in thumbprints:
        raise KeyRefused(KeyFault.KEY_REPEATED)
    if is_foreign(thumbprint):
        raise KeyRefused(KeyFault.KEY_OF_ANOTHER)


def _members(jwk: Mapping[str, Any], *names: str, **lengths: int | None) -> dict[str, str]:
    """The whitelisted members alone; each encoded one canonical and, where a length in bytes is given,
    exactly so long.
    """
    chosen: dict[str, str] = {name: jwk[name] for name in names}
    for name, length in lengths.items():
        text = jwk.get(name)
        if not isinstance(text, str) or not text.isascii() or len(text) > _LONGEST_MEMBER:
            raise Malformed("member missing")
        raw = decode(text.encode())
        if not raw or (len(raw) != length if length else raw[0] == 0):
            raise Malformed("member wrongly encoded")
        chosen[name] = text
    return chosen


def _point(members: dict[str, str]) -> PublicKey:
    try:
        key = ECKey.import_key({**members})
    except ValueError:
        raise KeyRefused(KeyFault.OFF_CURVE) from None
    return PublicKey("ES256", key, jwk_thumbprint(members))


def _edwards(members: dict[str, str]) -> PublicKey:
    return PublicKey("Ed25519", OKPKey.import_key({**members}), jwk_thumbprint(members))


def _modulus(members: dict[str, str]) -> PublicKey:
    n = int.from_bytes(decode(members["n"].encode()), "big")
    if not 2048 <= n.bit_length() <= 4096:
        raise KeyRefused(KeyFault.RSA_SIZE)
    if members["e"] != "AQAB":
        raise KeyRefused(KeyFault.RSA_EXPONENT)
    if n % 2 == 0:
        raise KeyRefused(KeyFault.NOT_A_KEY)
    if _has_roca_print(n):
        raise KeyRefused(KeyFault.RSA_ROCA)
    return PublicKey("PS256", RSAKey.import_key({**members}), jwk_thumbprint(members))


def _has_roca_print(n: int) -> bool:
    """Whether `n` is a power of 65537 modulo every small prime, as no other generator's modulus is
    (CVE-2017-15361).
    """
    return all(n % prime in powers for prime, powers in _ROCA.items())


def _powers_of_65537(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))


_ROCA = {p: _powers_of_65537(p) for p in range(3, 168) if all(p % q for q in range(2, math.isqrt(p) + 1))}
