"""Whatever bytes come, the readers answer or refuse in their own words: never another exception (a 500, a
clue).
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oauth.assertions import read_assertion
from gateway.oauth.dpop import check_proof
from gateway.oauth.forms import parse_form
from gateway.oauth.jose import Malformed, decode, encode, read_object
from gateway.oauth.key_policy import KeyRefused, check_jwks, public_key
from gateway.oauth.reasons import Reason, Rejected
from gateway.oauth.recent import Recent
from tests.edges.oauth_caller import Key, compact

KEY = Key.make("Ed25519")

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
CLAIMS = st.dictionaries(
    st.sampled_from(["htm", "htu", "iat", "jti", "ath", "iss", "sub", "aud", "exp"]), JSON
)
HEADERS = st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "kid", "crit"]), JSON | st.just("dpop+jwt"))
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "d"])
SHAPES = st.sampled_from(["EC", "OKP", "RSA", "P-256", "Ed25519", "AQAB", "A" * 43, "sig", "ES256"])


def prove(raw: bytes) -> None:
    url, now = "https://gateway.example/", time.time()
    check_proof(
        raw, method="POST", url=url, now=now, keys_seen=Recent(2), token_digest=b"x", bound_to=KEY.thumbprint
    )


@given(st.binary())
def test_any_bytes_as_a_proof(raw: bytes) -> None:
    with pytest.raises(Rejected):
        prove(raw)


@given(HEADERS, CLAIMS)
def test_any_json_in_a_signed_proof(header: dict[str, Any], claims: dict[str, Any]) -> None:
    for head in (header, {"typ": "dpop+jwt", "alg": "Ed25519", "jwk": KEY.jwk}):
        with pytest.raises(Rejected):
            prove(compact(head, claims, KEY).encode())


@given(st.text(), HEADERS, CLAIMS)
def test_any_text_and_any_json_as_an_assertion(
    text: str, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    for raw in (text, compact(header, claims, KEY)):
        try:
            assertion = read_assertion(raw)
        except Rejected:
            continue
        assert assertion.client_id == claims["sub"] == claims["iss"]


@given(JSON | st.dictionaries(MEMBERS, JSON | SHAPES))
def test_any_json_as_a_key(jwk: Any) -> None:
    with pytest.raises(KeyRefused):
        public_key(jwk)
    with pytest.raises(KeyRefused):
        check_jwks({"keys": [jwk]})


@given(st.binary())
def test_any_bytes_as_a_form(body: bytes) -> None:
    try:
        form = parse_form(body)
    except Rejected:
        return
    assert all(text.isascii() and text.isprintable() for pair in form.items() for text in pair)


@given(st.binary())
def test_every_byte_string_has_one_spelling_in_base64url(raw: bytes) -> None:
    assert decode(encode(raw)) == raw


@given(st.binary())
def test_a_segment_that_decodes_is_the_one_spelling(segment: bytes) -> None:
    try:
        raw = decode(segment)
    except Malformed:
        return
    assert encode(raw) == segment


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=8))
def test_an_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    if sum(json.dumps(value).count(bracket) for bracket in "[{") <= 16:
        assert read_object(encode(json.dumps(value).encode())) == value


def test_every_reason_has_its_own_code() -> None:
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes)
    assert len(Reason.__members__) == len(codes)


def test_a_memory_forgets_what_was_longest_unused() -> None:
    memory: Recent[str, int] = Recent(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)
    memory.forget("a")
    memory.forget("a")
    assert memory.get("a") is None
