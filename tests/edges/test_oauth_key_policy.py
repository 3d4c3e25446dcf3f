"""Which keys may be registered: RFC 7517, FAPI 2.0 section 5.4, and what joserfc would let in."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.oauth.key_policy import KeyFault, KeyRefused, check_jwks, public_key
from keys.signing import FileSigner
from tests.edges.oauth_caller import Key, b64, b64_number

POINT = Key.make("ES256").jwk
EDWARDS = Key.make("Ed25519").jwk
MODULUS = Key.make("PS256").jwk


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_a_good_key_is_kept_with_kid_alg_and_use_and_nothing_else(alg: str) -> None:
    key = Key.make(alg)
    kept = check_jwks(
        {"keys": [{**key.jwk, "x5c": ["AAAA"], "x5u": "https://x.example", "note": "n"}], "more": 1}
    )
    assert kept == {"keys": [{**key.jwk, "kid": key.thumbprint, "alg": alg, "use": "sig"}]}


def test_our_own_signers_keys_pass_and_keep_their_names() -> None:
    signer = FileSigner.generate("agency-key", "Ed25519")
    assert check_jwks({"keys": [signer.public_jwk()]}) == {"keys": [signer.public_jwk()]}


def test_the_older_name_of_ed25519_is_understood_and_rewritten() -> None:
    assert check_jwks({"keys": [{**EDWARDS, "alg": "EdDSA"}]})["keys"][0]["alg"] == "Ed25519"


@pytest.mark.parametrize(
    ("jwk", "fault"),
    [
        pytest.param({**POINT, "d": "AAAA"}, KeyFault.PRIVATE, id="private EC"),
        pytest.param({**MODULUS, "p": "AAAA"}, KeyFault.PRIVATE, id="private RSA"),
        pytest.param({"kty": "oct", "k": "AAAA"}, KeyFault.PRIVATE, id="symmetric"),
        pytest.param({"kty": "oct"}, KeyFault.PRIVATE, id="symmetric without k"),
        pytest.param({**POINT, "k": "AAAA"}, KeyFault.PRIVATE, id="EC with k"),
        pytest.param({**POINT, "crv": "P-384"}, KeyFault.KIND, id="P-384"),
        pytest.param({**POINT, "kty": "ec"}, KeyFault.KIND, id="kty lower case"),
        pytest.param({**POINT, "kty": ["EC"]}, KeyFault.KIND, id="kty list"),
        pytest.param({**EDWARDS, "crv": "Ed448"}, KeyFault.KIND, id="Ed448"),
        pytest.param({**EDWARDS, "crv": "X25519"}, KeyFault.KIND, id="X25519"),
        pytest.param({**MODULUS, "crv": "P-256"}, KeyFault.KIND, id="RSA with a curve"),
        pytest.param({}, KeyFault.KIND, id="empty"),
        pytest.param([], KeyFault.NOT_A_KEY, id="list"),
        pytest.param("key", KeyFault.NOT_A_KEY, id="text"),
        pytest.param(None, KeyFault.NOT_A_KEY, id="null"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": POINT["x"]}, KeyFault.NOT_A_KEY, id="no y"),
        pytest.param({**POINT, "x": 7}, KeyFault.NOT_A_KEY, id="x number"),
        pytest.param({**POINT, "x": POINT["x"] + "="}, KeyFault.NOT_A_KEY, id="x padded"),
        pytest.param({**POINT, "x": "\u00e9" * 43}, KeyFault.NOT_A_KEY, id="x not ASCII"),
        pytest.param({**POINT, "x": b64(b"\x00" + bytes(32))}, KeyFault.NOT_A_KEY, id="x of 33 bytes"),
        pytest.param({**EDWARDS, "x": b64(bytes(31))}, KeyFault.NOT_A_KEY, id="Ed25519 of 31 bytes"),
        pytest.param({**POINT, "x": POINT["y"], "y": POINT["x"]}, KeyFault.OFF_CURVE, id="off the curve"),
        pytest.param({**POINT, "x": b64(bytes(32)), "y": b64(bytes(32))}, KeyFault.OFF_CURVE, id="infinity"),
        pytest.param({**MODULUS, "n": b64_number((1 << 2046) + 1)}, KeyFault.RSA_SIZE, id="RSA of 2047 bits"),
        pytest.param({**MODULUS, "n": b64_number((1 << 4096) + 1)}, KeyFault.RSA_SIZE, id="RSA of 4097 bits"),
        pytest.param({**MODULUS, "n": b64_number(1 << 2047)}, KeyFault.NOT_A_KEY, id="even modulus"),
        pytest.param({**MODULUS, "n": b64(b"\x00" * 300)}, KeyFault.NOT_A_KEY, id="leading zeros"),
        pytest.param({**MODULUS, "n": "A" * 701}, KeyFault.NOT_A_KEY, id="huge"),
        pytest.param({**MODULUS, "e": b64_number(3)}, KeyFault.RSA_EXPONENT, id="e = 3"),
        pytest.param({**MODULUS, "e": b64_number(1)}, KeyFault.RSA_EXPONENT, id="e = 1"),
    ],
)
def test_a_key_that_breaks_the_policy_is_refused_with_its_fault(jwk: Any, fault: KeyFault) -> None:
    with pytest.raises(KeyRefused) as alone:
        public_key(jwk)
    assert alone.value.fault is fault
    with pytest.raises(KeyRefused) as in_set:
        check_jwks({"keys": [POINT, jwk]})
    assert (in_set.value.fault, in_set.value.position) == (fault, 1)


def test_a_modulus_with_the_roca_print_is_refused() -> None:
    order = 1
    for prime in (p for p in range(2, 168) if all(p % q for q in range(2, p))):
        order *= prime
    lifted = (1 << 2047) // order * order + order  # a multiple of the primorial, of 2048 bits
    with pytest.raises(KeyRefused) as refused:
        public_key({"kty": "RSA", "n": b64_number(lifted + pow(65537, 5, order)), "e": "AQAB"})
    assert refused.value.fault is KeyFault.RSA_ROCA


def test_ordinary_rsa_keys_of_every_allowed_size_pass() -> None:
    for bits in (2048, 3072):
        numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
        jwk = {"kty": "RSA", "n": b64_number(numbers.n), "e": "AQAB"}
        assert public_key(jwk).algorithm == "PS256"


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        pytest.param({"alg": "RS256"}, KeyFault.ALGORITHM, id="alg RS256"),
        pytest.param({"alg": "Ed25519"}, KeyFault.ALGORITHM, id="alg of another kind"),
        pytest.param({"alg": ["ES256"]}, KeyFault.ALGORITHM, id="alg list"),
        pytest.param({"use": "enc"}, KeyFault.USE, id="use enc"),
        pytest.param({"key_ops": ["sign"]}, KeyFault.USE, id="key_ops sign"),
        pytest.param({"key_ops": 5}, KeyFault.USE, id="key_ops number"),
        pytest.param({"kid": ""}, KeyFault.KID, id="kid empty"),
        pytest.param({"kid": "a b"}, KeyFault.KID, id="kid with a space"),
        pytest.param({"kid": "a\n"}, KeyFault.KID, id="kid with a newline"),
        pytest.param({"kid": "k" * 257}, KeyFault.KID, id="kid long"),
        pytest.param({"kid": 7}, KeyFault.KID, id="kid number"),
    ],
)
def test_what_stands_beside_the_key_is_checked_too(members: dict[str, Any], fault: KeyFault) -> None:
    with pytest.raises(KeyRefused) as refused:
        check_jwks({"keys": [{**POINT, **members}]})
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        pytest.param({}, KeyFault.NOT_A_SET, id="no keys"),
        pytest.param({"keys": []}, KeyFault.NOT_A_SET, id="empty"),
        pytest.param({"keys": POINT}, KeyFault.NOT_A_SET, id="a key in place of a list"),
        pytest.param([POINT], KeyFault.NOT_A_SET, id="list"),
        pytest.param(None, KeyFault.NOT_A_SET, id="null"),
        pytest.param({"keys": [POINT] * 6}, KeyFault.TOO_MANY, id="six keys"),
        pytest.param({"keys": [POINT, POINT]}, KeyFault.KID_REPEATED, id="the same key twice"),
        pytest.param(
            {"keys": [{**POINT, "kid": "a"}, {**EDWARDS, "kid": "a"}]},
            KeyFault.KID_REPEATED,
            id="the same kid",
        ),
        pytest.param(
            {"keys": [{**POINT, "kid": "a"}, {**POINT, "kid": "b"}]},
            KeyFault.KEY_REPEATED,
            id="under two kids",
        ),
    ],
)
def test_a_set_that_is_not_a_small_set_of_different_keys_is_refused(document: Any, fault: KeyFault) -> None:
    with pytest.raises(KeyRefused) as refused:
        check_jwks(document)
    assert refused.value.fault is fault


def test_a_key_of_another_client_is_refused() -> None:
    foreign = public_key(EDWARDS).thumbprint
    with pytest.raises(KeyRefused) as refused:
        check_jwks({"keys": [POINT, EDWARDS]}, is_foreign=lambda thumbprint: thumbprint == foreign)
    assert (refused.value.fault, refused.value.position) == (KeyFault.KEY_OF_ANOTHER, 1)


def test_thumbprints_are_those_of_rfc_7638_and_rfc_8037() -> None:
    example = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha"
        "jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
    }
    assert public_key(example).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    edwards = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert public_key(edwards).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_fault_never_shows_the_key() -> None:
    with pytest.raises(KeyRefused) as refused:
        public_key({**POINT, "d": "the-private-part"})
    assert "the-private-part" not in repr(refused.value)
