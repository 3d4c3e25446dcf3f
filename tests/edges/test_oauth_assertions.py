"""Client assertions: every way to be wrong gets the same 401, and the log knows which it was (RFC 7523, RFC
10070).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.store import clients
from tests.edges.conftest import Door
from tests.edges.oauth_caller import Caller, Key, b64, b64_number, compact

INVALID_CLIENT = {"error": "invalid_client", "error_description": "Client authentication failed"}

NOW = "now"  # stands for the present second, to which a number is added


def at(seconds: int) -> tuple[str, int]:
    return (NOW, seconds)


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    """`at(...)` values as seconds since 1970."""
    now = int(time.time())
    return {k: now + v[1] if isinstance(v, tuple) and v[0] == NOW else v for k, v in claims.items()}


def expect_refused(caller: Caller, assertion: str, reason: str) -> None:
    with capture_logs() as logs:
        answer = caller.ask_token(caller.form(client_assertion=assertion))
    assert (answer.status, answer.json) == (401, INVALID_CLIENT)
    assert "WWW-Authenticate" not in answer.headers
    assert [line["reason"] for line in logs] == [reason]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param({"alg": "none"}, "assertion-algorithm", id="alg none"),
        pytest.param({"alg": "nOnE"}, "assertion-algorithm", id="alg nOnE"),
        pytest.param({"alg": "HS256"}, "assertion-algorithm", id="alg HS256"),
        pytest.param({"alg": "RS256"}, "assertion-algorithm", id="alg RS256"),
        pytest.param({"alg": "PS256"}, "assertion-key-unknown", id="alg of another kind of key"),
        pytest.param({"alg": ["ES256"]}, "assertion-malformed", id="alg list"),
        pytest.param({"alg": 256}, "assertion-malformed", id="alg number"),
        pytest.param({"alg": ...}, "assertion-malformed", id="alg missing"),
        pytest.param({"kid": "../../etc/passwd"}, "assertion-key-unknown", id="kid path"),
        pytest.param({"kid": "' OR 1=1 --"}, "assertion-key-unknown", id="kid SQL"),
        pytest.param({"kid": "k" * 4000}, "assertion-key-unknown", id="kid long"),
        pytest.param({"kid": "\x00\r\n"}, "assertion-key-unknown", id="kid control characters"),
        pytest.param({"kid": ["key-1"]}, "assertion-key-unknown", id="kid list"),
        pytest.param({"kid": None}, "assertion-key-unknown", id="kid null"),
        pytest.param({"crit": ["exp"]}, "assertion-malformed", id="crit"),
        pytest.param({"b64": False}, "assertion-malformed", id="b64"),
        pytest.param({"typ": "dpop+jwt"}, "assertion-type", id="a DPoP proof"),
        pytest.param({"typ": "at+jwt"}, "assertion-type", id="an access token"),
        pytest.param({"typ": ["JWT"]}, "assertion-type", id="typ list"),
        pytest.param(["alg", "ES256"], "assertion-malformed", id="header is a list"),
        pytest.param(b"[" * 1500, "assertion-malformed", id="deep header"),
        pytest.param(b'{"alg":"ES256","alg":"none"}', "assertion-malformed", id="alg twice"),
        pytest.param(b'\xef\xbb\xbf{"alg":"ES256"}', "assertion-malformed", id="byte order mark"),
        pytest.param('{"alg":"ES256"}'.encode("utf-16"), "assertion-malformed", id="UTF-16"),
    ],
)
def test_a_header_that_is_not_strictly_right_is_refused(caller: Caller, header: Any, reason: str) -> None:
    expect_refused(caller, caller.assertion(header), reason)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"aud": "https://other.example"}, "assertion-audience", id="aud of another server"),
        pytest.param({"aud": "TOKEN_URL"}, "assertion-audience", id="aud token URL (RFC 10070)"),
        pytest.param({"aud": ["ISSUER"]}, "assertion-audience", id="aud list of one (RFC 10070)"),
        pytest.param({"aud": ["ISSUER", "https://b.example"]}, "assertion-audience", id="aud list of two"),
        pytest.param({"aud": "ISSUER/"}, "assertion-audience", id="aud with slash"),
        pytest.param({"aud": ...}, "assertion-audience", id="aud missing"),
        pytest.param({"exp": at(-1)}, "assertion-time", id="exp past"),
        pytest.param({"exp": at(0)}, "assertion-time", id="exp now"),
        pytest.param({"exp": at(3600)}, "assertion-time", id="exp in an hour"),
        pytest.param({"exp": at(315)}, "assertion-time", id="exp beyond 300 s and skew"),
        pytest.param({"exp": ...}, "assertion-time", id="exp missing"),
        pytest.param({"exp": "9999999999"}, "assertion-time", id="exp text"),
        pytest.param({"exp": True}, "assertion-time", id="exp true"),
        pytest.param({"exp": 10**400}, "assertion-time", id="exp 10^400"),
        pytest.param({"exp": 1e300}, "assertion-time", id="exp far away"),
        pytest.param({"nbf": at(3600)}, "assertion-time", id="nbf in an hour"),
        pytest.param({"iat": at(61)}, "assertion-time", id="iat in a minute"),
        pytest.param({"iat": "now"}, "assertion-time", id="iat text"),
        pytest.param({"iss": "somebody-else"}, "assertion-issuer-or-subject", id="iss differs"),
        pytest.param({"iss": ...}, "assertion-issuer-or-subject", id="iss missing"),
        pytest.param({"sub": ...}, "assertion-issuer-or-subject", id="sub missing"),
        pytest.param({"iss": ["a"], "sub": ["a"]}, "assertion-issuer-or-subject", id="sub list"),
        pytest.param({"iss": {"a": 1}, "sub": {"a": 1}}, "assertion-issuer-or-subject", id="sub object"),
        pytest.param({"iss": "a\ud800", "sub": "a\ud800"}, "assertion-issuer-or-subject", id="sub surrogate"),
        pytest.param({"iss": "a\x00", "sub": "a\x00"}, "assertion-issuer-or-subject", id="sub NUL"),
        pytest.param({"iss": "a\n", "sub": "a\n"}, "assertion-issuer-or-subject", id="sub newline"),
        pytest.param({"iss": "a" * 65, "sub": "a" * 65}, "assertion-issuer-or-subject", id="sub long"),
        pytest.param({"jti": ...}, "assertion-id", id="jti missing"),
        pytest.param({"jti": 12345678}, "assertion-id", id="jti number"),
        pytest.param({"jti": "short"}, "assertion-id", id="jti short"),
        pytest.param({"jti": "j" * 2048}, "assertion-id", id="jti 2 kB"),
        pytest.param({"jti": "\ud800" * 8}, "assertion-id", id="jti surrogates"),
    ],
)
def test_claims_that_are_not_strictly_right_are_refused(caller: Caller, claims: Any, reason: str) -> None:
    words = json.dumps(claims | {k: None for k, v in claims.items() if v is ...})
    missing = {k: ... for k, v in claims.items() if v is ...}
    filled = json.loads(
        words.replace("TOKEN_URL", caller.base + "/oauth2/token").replace("ISSUER", caller.base)
    )
    ready = timed({k: tuple(v) if isinstance(v, list) and v[:1] == [NOW] else v for k, v in filled.items()})
    expect_refused(caller, caller.assertion(claims=ready | missing), reason)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" * 5000, "0x7f"])
def test_numbers_that_are_not_json_or_not_finite_are_refused(caller: Caller, number: str) -> None:
    right = json.dumps(
        {"iss": caller.client_id, "sub": caller.client_id, "aud": caller.base, "jti": secrets.token_hex()}
    )
    with capture_logs() as logs:
        answer = caller.ask_token(
            caller.form(client_assertion=caller.assertion(claims=f'{right[:-1]}, "exp": {number}}}'.encode()))
        )
    assert (answer.status, answer.json) == (401, INVALID_CLIENT)
    assert logs[0]["reason"] == ("assertion-time" if number == "1e400" else "assertion-malformed")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'{"sub":"a","sub":"b"}', id="sub twice"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 1500 + b"]" * 1500, id="deep"),
        pytest.param(b'{"a":' * 1500 + b"1" + b"}" * 1500, id="deep object"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"a":1} x', id="trailing text"),
        pytest.param(b'{"a":"\n"}', id="raw control character"),
    ],
)
def test_a_payload_that_is_not_one_strict_object_is_refused(caller: Caller, payload: bytes) -> None:
    expect_refused(caller, caller.assertion(claims=payload), "assertion-malformed")


def tail_changed(text: str) -> str:
    """The same bytes by a lenient decoder: the unused low bits of the last character are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda a: a + "=", id="padding"),
        pytest.param(lambda a: a + "\n", id="newline"),
        pytest.param(lambda a: " " + a, id="space"),
        pytest.param(lambda a: a.replace(".", "..", 1), id="four segments"),
        pytest.param(lambda a: a + ".e30.e30", id="five segments: a JWE"),
        pytest.param(lambda a: a.rsplit(".", 1)[0], id="two segments"),
        pytest.param(
            lambda a: json.dumps(dict(zip(("protected", "payload", "signature"), a.split("."), strict=True))),
            id="JSON serialization",
        ),
        pytest.param(tail_changed, id="non-canonical tail"),
        pytest.param(lambda a: a.rsplit(".", 1)[0] + "." + "+/" * 43, id="the other alphabet"),
        pytest.param(lambda a: a + "A" * 9000, id="too long"),
    ],
)
def test_only_the_canonical_compact_serialization_is_read(
    caller: Caller, spoil: Callable[[str], str]
) -> None:
    with capture_logs() as logs:
        answer = caller.ask_token(caller.form(client_assertion=spoil(caller.assertion())))
    assert answer.status in (400, 401)
    assert logs[0]["reason"] in ("assertion-malformed", "form-malformed")


def with_signature(assertion: str, signature: bytes) -> str:
    return f"{assertion.rsplit('.', 1)[0]}.{b64(signature)}"


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(64), id="zeros"),
        pytest.param(bytes(31) + b"\x01" + bytes(31) + b"\x01", id="ones"),
        pytest.param(b"\xff" * 64, id="beyond the order"),
        pytest.param(bytes(63), id="short"),
        pytest.param(bytes(65), id="long"),
        pytest.param(bytes.fromhex("3006020101020101"), id="DER"),
    ],
)
def test_a_made_up_signature_is_refused(caller: Caller, signature: bytes) -> None:
    expect_refused(caller, with_signature(caller.assertion(), signature), "assertion-signature")


def test_a_signature_by_another_clients_key_is_refused(door: Door, caller: Caller) -> None:
    expect_refused(caller, caller.assertion(key=door.caller().key), "assertion-signature")


def test_a_changed_claim_breaks_the_signature(caller: Caller) -> None:
    header, payload, signature = caller.assertion().split(".")
    _, other, _ = caller.assertion().split(".")
    assert payload != other
    expect_refused(caller, f"{header}.{other}.{signature}", "assertion-signature")


@pytest.mark.parametrize("secret", ["jwk", "x", "pem"])
def test_a_mac_keyed_with_the_public_key_is_refused(caller: Caller, secret: str) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = caller.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys = {"jwk": json.dumps(caller.key.jwk).encode(), "x": caller.key.jwk["x"].encode(), "pem": pem}
    signed = caller.assertion({"alg": "HS256"}).rsplit(".", 1)[0]
    mac = hmac.digest(keys[secret], signed.encode(), hashlib.sha256)
    expect_refused(caller, f"{signed}.{b64(mac)}", "assertion-algorithm")


def test_a_key_or_address_in_the_header_is_neither_used_nor_fetched(caller: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        attacker = Key.make("ES256", caller.key.kid)
        header = {"jwk": attacker.jwk, "jku": address, "x5u": address, "x5c": ["AAAA"]}
        expect_refused(caller, caller.assertion(header, key=attacker), "assertion-signature")
        assert (
            caller.ask_token(caller.form(client_assertion=caller.assertion({"jku": address}))).status == 200
        )
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": at(5)},
        {"nbf": at(5)},
        {"exp": at(304), "iat": at(4)},
        {"iat": ..., "nbf": ...},
        {"iat": at(-250)},
    ],
)
def test_a_clock_some_seconds_off_is_tolerated(caller: Caller, claims: dict[str, Any]) -> None:
    assert (
        caller.ask_token(caller.form(client_assertion=caller.assertion(claims=timed(claims)))).status == 200
    )


def test_a_kid_may_be_left_out_while_one_key_of_the_kind_is_live(door: Door, caller: Caller) -> None:
    assert caller.ask_token(caller.form(client_assertion=caller.assertion({"kid": ...}))).status == 200
    first, second = Key.make("ES256", "a+b/c="), Key.make("ES256", "two")
    two = door.caller(key=first)
    keys = [{**key.jwk, "kid": key.kid, "alg": "ES256", "use": "sig"} for key in (first, second)]
    door.change(lambda tx: clients.approve(tx, two.client_id, {"keys": keys}))
    expect_refused(two, two.assertion({"kid": ...}), "assertion-key-unknown")
    assert two.ask_token(two.form(client_assertion=two.assertion({"kid": "two"}, key=second))).status == 200
    assert two.ask_token(two.form(client_assertion=two.assertion({"kid": "a+b/c="}))).status == 200


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"revoked": {"reason": "compromised"}}, id="revoked"),
        pytest.param({"nbf": at(3600)}, id="not yet"),
        pytest.param({"exp": at(-1)}, id="retired"),
    ],
)
def test_a_key_outside_its_time_is_no_key(door: Door, marks: dict[str, Any]) -> None:
    caller = door.caller()
    stored = {**caller.key.jwk, "kid": caller.key.kid, **timed(marks)}
    door.change(lambda tx: clients.approve(tx, caller.client_id, {"keys": [stored]}))
    expect_refused(caller, caller.assertion(), "assertion-key-unknown")


def test_a_key_within_its_time_is_a_key(door: Door) -> None:
    caller = door.caller()
    stored = {**caller.key.jwk, "kid": caller.key.kid, **timed({"nbf": at(-60), "exp": at(60)})}
    door.change(lambda tx: clients.approve(tx, caller.client_id, {"keys": [stored]}))
    assert caller.ask_token().status == 200


def test_a_stored_key_that_breaks_the_policy_lets_nobody_in(door: Door) -> None:
    caller = door.caller()
    weak = {"kty": "RSA", "n": b64_number((1 << 1023) + 1), "e": "AQAB", "kid": "weak"}
    door.change(lambda tx: clients.approve(tx, caller.client_id, {"keys": [weak]}))
    with capture_logs() as logs:
        assert caller.ask_token().json == INVALID_CLIENT
    assert [(line["event"], line.get("fault")) for line in logs] == [
        ("oauth.stored_key_refused", "rsa_size"),
        ("oauth.refused", None),
    ]


def test_a_suspended_client_gets_no_token_and_after_its_return_does(own_door: Door) -> None:
    caller = own_door.caller()
    own_door.change(lambda tx: clients.suspend(tx, caller.client_id, own_door.clock()))
    expect_refused(caller, caller.assertion(), "client-suspended")
    own_door.change(lambda tx: clients.reinstate(tx, caller.client_id))
    own_door.clock.ahead = timedelta(seconds=31)  # the client is remembered for 30 s
    ahead = {name: (NOW, 31 + add) for name, add in (("iat", 0), ("exp", 60))}
    proof = caller.proof(claims=timed({"iat": at(31)}))
    form = caller.form(client_assertion=caller.assertion(claims=timed(ahead)))
    assert caller.ask_token(form, [proof]).status == 200


def test_a_client_id_beside_the_assertion_must_be_the_same(caller: Caller) -> None:
    assert caller.ask_token(caller.form(client_id=caller.client_id)).status == 200
    answer = caller.ask_token(caller.form(client_id="another"))
    assert (answer.status, answer.json) == (401, INVALID_CLIENT)


@pytest.mark.parametrize(
    "changes", [{"client_assertion_type": "x"}, {"client_assertion_type": ...}, {"client_assertion": ...}]
)
def test_an_assertion_of_another_type_or_none_is_refused(caller: Caller, changes: dict[str, Any]) -> None:
    answer = caller.ask_token(caller.form(**changes))
    assert (answer.status, answer.json) == (401, INVALID_CLIENT)


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "jwt",
        "client-authentication+jwt",
        "CLIENT-AUTHENTICATION+JWT",
        "application/client-authentication+jwt",
        ...,
    ],
)
def test_a_type_is_a_media_type_in_any_case_with_or_without_application(caller: Caller, typ: Any) -> None:
    """RFC 7515 section 4.1.9."""
    assert caller.ask_token(caller.form(client_assertion=caller.assertion({"typ": typ}))).status == 200


def test_times_may_have_fractions_of_a_second(caller: Caller) -> None:
    """RFC 7519 section 2: a NumericDate need not be whole, and Python's `time.time()` is not."""
    now = time.time()
    assertion = caller.assertion(claims={"exp": now + 60.5, "iat": now, "nbf": now - 0.25})
    assert caller.ask_token(caller.form(client_assertion=assertion)).status == 200
    expect_refused(caller, caller.assertion(claims={"exp": now - 0.5}), "assertion-time")


def test_an_assertion_is_used_once(caller: Caller) -> None:
    assertion = caller.assertion()
    assert caller.ask_token(caller.form(client_assertion=assertion)).status == 200
    expect_refused(caller, assertion, "assertion-replayed")


def test_the_same_id_in_a_new_assertion_is_a_replay(caller: Caller) -> None:
    jti = secrets.token_hex(8)
    assert caller.ask_token(caller.form(client_assertion=caller.assertion(claims={"jti": jti}))).status == 200
    expect_refused(caller, caller.assertion(claims={"jti": jti}), "assertion-replayed")


def test_one_clients_ids_do_not_burn_anothers(door: Door) -> None:
    first, second = door.caller(), door.caller()
    jti = {"jti": secrets.token_hex(8)}
    for caller in (first, second):
        assert caller.ask_token(caller.form(client_assertion=caller.assertion(claims=jti))).status == 200


def test_an_assertion_refused_for_another_fault_is_not_used_up(caller: Caller) -> None:
    assertion = caller.assertion()
    assert caller.ask_token(caller.form(client_assertion=assertion), ["no proof"]).status == 400
    assert caller.ask_token(caller.form(client_assertion=assertion, scope="unknown")).status == 400
    assert caller.ask_token(caller.form(client_assertion=assertion)).status == 200


def test_what_signs_with_an_enrolled_key_yet_is_no_assertion_is_refused(caller: Caller) -> None:
    proof = compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": caller.key.jwk}, {"htm": "POST"}, caller.key)
    expect_refused(caller, proof, "assertion-issuer-or-subject")
