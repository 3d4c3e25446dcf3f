"""Project Wycheproof's vectors against our one verifying function, and joserfc beside it as a second opinion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from gateway.oauth.jose import (
    ALGORITHM_NAMES,
    BadSignature,
    Malformed,
    PublicKey,
    decode,
    read_header,
    split,
    verify,
    verify_bytes,
)
from gateway.oauth.key_policy import KeyRefused, check_jwks, public_key
from tests.edges.oauth_caller import Key, b64, b64_number

FOLDER = Path(__file__).resolve().parents[2] / "../shared/vectors/wycheproof"

# RFC 7520 section 4.2 signs with PS384, which is not taken here, though the vectors' key says PS256.
SIGNED_WITH_PS384 = {346, 350}


def groups(name: str) -> list[dict[str, Any]]:
    path = FOLDER / f"{name}_test.json"
    if not path.exists():
        pytest.skip("NOT RUN: vectors not found")
    found: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return found


def cases(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return ((group, case) for group in groups(name) for case in group["tests"])


def disagreements(name: str, accepts: Callable[[dict[str, Any], dict[str, Any]], bool]) -> set[int]:
    """The cases whose verdict is not the vectors' own; "acceptable" is either."""
    return {
        case["tcId"]
        for group, case in cases(name)
        if case["result"] != "acceptable" and accepts(group, case) != (case["result"] == "valid")
    }


def jwk_of(described: Mapping[str, Any]) -> dict[str, str]:
    if "pk" in described:
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes.fromhex(described["pk"]))}
    point = bytes.fromhex(described["uncompressed"])
    return {"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}


def verifies(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        verify_bytes(key, signed, signature)
    except BadSignature:
        return False
    return True


@pytest.mark.parametrize("name", ["ecdsa_secp256r1_sha256_p1363", "ed25519"])
def test_bare_signatures_are_judged_as_the_vectors_say(name: str) -> None:
    def accepts(group: dict[str, Any], case: dict[str, Any]) -> bool:
        key = public_key(jwk_of(group["publicKey"]))
        return verifies(key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))

    assert sum(1 for _ in cases(name)) > 140
    assert disagreements(name, accepts) == set()


def registered(jwk: Mapping[str, Any]) -> PublicKey:
    """A key as a client's registration would keep it."""
    return public_key(check_jwks({"keys": [jwk]})["keys"][0])


def accepts_jws(jwk: Mapping[str, Any], token: str) -> bool:
    try:
        key, compact = registered(jwk), split(token.encode(), 8192)
        verify(key, read_header(compact.header)["alg"], compact)
    except (KeyRefused, Malformed, BadSignature):
        return False
    return True


def test_web_signatures_are_judged_as_the_vectors_say_and_foreign_algorithms_never_pass() -> None:
    def accepts(group: dict[str, Any], case: dict[str, Any]) -> bool:
        return accepts_jws(group.get("public", group["private"]), case["jws"])

    def is_ours(group: dict[str, Any]) -> bool:
        return group.get("public", {}).get("alg") in ALGORITHM_NAMES

    differing = disagreements("json_web_signature", accepts)
    foreign = {c["tcId"] for g, c in cases("json_web_signature") if not is_ours(g) and c["result"] == "valid"}
    assert differing == foreign | SIGNED_WITH_PS384
    accepted = sum(accepts(group, case) for group, case in cases("json_web_signature"))
    assert accepted == 8  # under ES256 and PS256


def test_joserfc_has_the_same_opinion_of_every_signature_under_our_algorithms() -> None:
    def joserfc_accepts(group: dict[str, Any], case: dict[str, Any]) -> bool:
        try:
            jws.deserialize_compact(case["jws"], import_key(group["public"]), algorithms=["ES256", "PS256"])
        except (JoseError, ValueError):
            return False
        return True

    ours = [
        (g, c) for g, c in cases("json_web_signature") if g.get("public", {}).get("alg") in ALGORITHM_NAMES
    ]
    assert len(ours) == 89
    differing = {c["tcId"] for g, c in ours if joserfc_accepts(g, c) != accepts_jws(g["public"], c["jws"])}
    assert differing == set()


def test_key_sets_that_joserfc_takes_are_refused_by_the_policy() -> None:
    """The exceptions pinned: what the vectors call valid and we refuse, being HMAC or RS256."""
    refused_by_choice = set()
    for group, case in cases("json_web_key"):
        keys = group.get("public", group["private"])
        try:
            kept = check_jwks(keys)["keys"]
            kid = read_header(case["jws"].split(".")[0].encode()).get("kid")
            named = [key for key in kept if key["kid"] == kid or kid is None]
            is_accepted = len(named) == 1 and accepts_jws(named[0], case["jws"])
        except (KeyRefused, Malformed):
            is_accepted = False
        assert not (is_accepted and case["result"] == "invalid"), case["comment"]
        if case["result"] == "valid" and not is_accepted:
            refused_by_choice.add(case["tcId"])
    assert refused_by_choice == {2, 5, 13, 14, 15}


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_what_joserfc_signs_verifies_here_and_no_bit_of_it_may_change(alg: str) -> None:
    key = Key.make(alg)
    private = import_key(private_jwk(key))
    token = jws.serialize_compact({"alg": alg, "typ": "dpop+jwt"}, b'{"a":1}', private, algorithms=[alg])
    assert accepts_jws(key.jwk, token)
    head, signature = token.rsplit(".", 1)
    raw = bytearray(decode(signature.encode()))
    for position in range(0, len(raw), 7):
        raw[position] ^= 1
        assert not accepts_jws(key.jwk, f"{head}.{b64(bytes(raw))}")
        raw[position] ^= 1


def private_jwk(key: Key) -> dict[str, Any]:
    """The private key in the form that joserfc reads."""
    match key.private:
        case ec.EllipticCurvePrivateKey() as point:
            return {**key.jwk, "d": b64(point.private_numbers().private_value.to_bytes(32, "big"))}
        case ed25519.Ed25519PrivateKey() as edwards:
            return {**key.jwk, "d": b64(edwards.private_bytes_raw())}
        case rsa.RSAPrivateKey() as modulus:
            n = modulus.private_numbers()
            names = {"d": n.d, "p": n.p, "q": n.q, "dp": n.dmp1, "dq": n.dmq1, "qi": n.iqmp}
            return {**key.jwk, **{name: b64_number(value) for name, value in names.items()}}
