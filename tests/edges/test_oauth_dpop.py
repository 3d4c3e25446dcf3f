"""Proofs of possession at both doors: RFC 9449 sections 4.3 and 7."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from gateway.oauth.dpop import check_proof
from gateway.oauth.reasons import Rejected
from gateway.oauth.recent import Recent
from tests.edges.conftest import Door
from tests.edges.oauth_caller import Caller, Key, b64, b64_number, send

INVALID_PROOF = {"error": "invalid_dpop_proof", "error_description": "A valid DPoP proof is required"}
ALGS = "ES256 PS256 Ed25519 EdDSA"


@pytest.fixture
def token(caller: Caller) -> str:
    return caller.token()


def expect_refused(caller: Caller, token: str, reason: str, **proof: Any) -> None:
    """The same fault is refused at the token endpoint and at a protected route, each in its own words."""
    with capture_logs() as logs:
        asked = caller.ask_token(proofs=[caller.proof(**proof)])
        called = caller.call(token, caller.proof("GET", "/v1/ping", token=token, **proof))
    assert (asked.status, asked.json) == (400, INVALID_PROOF)
    assert (called.status, called.json) == (401, {"code": "not-authenticated"})
    metadata = f"{caller.base}/.well-known/oauth-protected-resource"
    assert called.headers["WWW-Authenticate"] == (
        f'DPoP error="invalid_dpop_proof", algs="{ALGS}", resource_metadata="{metadata}"'
    )
    assert {line["reason"] for line in logs} == {reason}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param({"typ": "JWT"}, "proof-type", id="typ JWT"),
        pytest.param({"typ": ...}, "proof-type", id="typ missing"),
        pytest.param({"typ": "text/dpop+jwt"}, "proof-type", id="typ of another tree"),
        pytest.param({"typ": ["dpop+jwt"]}, "proof-type", id="typ list"),
        pytest.param({"alg": "none"}, "proof-algorithm", id="alg none"),
        pytest.param({"alg": "HS256"}, "proof-algorithm", id="alg HS256"),
        pytest.param({"alg": "ES384"}, "proof-algorithm", id="alg ES384"),
        pytest.param({"alg": ["ES256"]}, "proof-malformed", id="alg list"),
        pytest.param({"crit": []}, "proof-malformed", id="crit"),
        pytest.param({"jwk": ...}, "proof-key", id="jwk missing"),
        pytest.param({"jwk": []}, "proof-key", id="jwk list"),
        pytest.param({"jwk": "https://keys.example"}, "proof-key", id="jwk address"),
        pytest.param({"jwk": {"kty": "oct", "k": "AAAA"}}, "proof-key", id="symmetric jwk"),
        pytest.param({"jwk": {"kty": ["EC"], "crv": "P-256"}}, "proof-key", id="kty list"),
        pytest.param(
            {"jwk": {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}}, "proof-key", id="other curve"
        ),
        pytest.param(
            {"jwk": {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))}},
            "proof-key",
            id="off the curve",
        ),
        pytest.param({"jwk": {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))}}, "proof-key", id="X25519"),
        pytest.param(["dpop+jwt"], "proof-malformed", id="header is a list"),
    ],
)
def test_a_header_that_is_not_strictly_right_is_refused(
    caller: Caller, token: str, header: Any, reason: str
) -> None:
    expect_refused(caller, token, reason, header=header)


@pytest.mark.parametrize("member", ["d", "p", "k", "dq"])
def test_a_private_member_in_the_proof_is_refused(caller: Caller, token: str, member: str) -> None:
    jwk = {**caller.proof_key.jwk, member: "AAAA"}
    expect_refused(caller, token, "proof-key", header={"jwk": jwk})


def test_weak_rsa_keys_bind_nothing(caller: Caller, token: str) -> None:
    small = rsa.generate_private_key(65537, 1024)
    key = Key("PS256", small, "small")
    expect_refused(caller, token, "proof-key", key=key)
    odd = {**Key.make("PS256").jwk, "e": b64_number(3)}
    expect_refused(caller, token, "proof-key", header={"alg": "PS256", "jwk": odd})


def test_a_proof_under_another_algorithm_than_its_keys_is_refused(caller: Caller, token: str) -> None:
    expect_refused(caller, token, "proof-signature", header={"alg": "Ed25519"})


def test_a_proof_signed_by_another_key_than_it_shows_is_refused(caller: Caller, token: str) -> None:
    expect_refused(
        caller, token, "proof-signature", header={"jwk": caller.proof_key.jwk}, key=Key.make("ES256")
    )


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"htm": "PUT"}, "proof-method", id="htm other"),
        pytest.param({"htm": "post"}, "proof-method", id="htm lower case"),
        pytest.param({"htm": ["POST", "GET"]}, "proof-method", id="htm list"),
        pytest.param({"htm": ...}, "proof-method", id="htm missing"),
        pytest.param({"iat": -120}, "proof-time", id="iat two minutes old"),
        pytest.param({"iat": 30}, "proof-time", id="iat half a minute ahead"),
        pytest.param({"iat": ...}, "proof-time", id="iat missing"),
        pytest.param({"exp": 1}, "proof-time", id="exp over"),
        pytest.param({"exp": "never"}, "proof-time", id="exp text"),
        pytest.param({"nbf": 9999999999}, "proof-time", id="nbf to come"),
        pytest.param({"jti": ...}, "proof-id", id="jti missing"),
        pytest.param({"jti": "seven77"}, "proof-id", id="jti short"),
        pytest.param({"jti": "j" * 257}, "proof-id", id="jti long"),
        pytest.param({"jti": ["a" * 8]}, "proof-id", id="jti list"),
        pytest.param({"jti": "a" * 8 + "\n"}, "proof-id", id="jti newline"),
        pytest.param({"jti": "\ud800" * 8}, "proof-id", id="jti surrogate"),
    ],
)
def test_claims_that_are_not_strictly_right_are_refused(
    caller: Caller, token: str, claims: Any, reason: str
) -> None:
    if isinstance(claims.get("iat"), int):
        claims = {"iat": int(time.time()) + claims["iat"]}
    expect_refused(caller, token, reason, claims=claims)


@pytest.mark.parametrize("value", ["NaN", "1e400", '"now"', "true", "null", "[1]", "1." + "0" * 20])
def test_an_iat_that_is_no_time_is_refused(caller: Caller, value: str) -> None:
    claims = json.dumps({"htm": "POST", "htu": f"{caller.base}/oauth2/token", "jti": secrets.token_hex(8)})
    proof = caller.proof(claims=f'{claims[:-1]}, "iat": {value}}}'.encode())
    assert caller.ask_token(proofs=[proof]).json == INVALID_PROOF


@pytest.mark.parametrize("typ", ["DPoP+JWT", "application/dpop+jwt"])
def test_a_type_is_a_media_type_in_any_case_with_or_without_application(
    caller: Caller, token: str, typ: str
) -> None:
    """RFC 7515 section 4.1.9."""
    assert caller.ask_token(proofs=[caller.proof(header={"typ": typ})]).status == 200
    assert caller.call(token, caller.proof("GET", "/v1/ping", token=token, header={"typ": typ})).status == 200


def test_times_may_have_fractions_of_a_second_and_an_end_of_their_own(caller: Caller, token: str) -> None:
    """RFC 7519 section 2."""
    now = time.time()
    claims = {"iat": now - 0.5, "exp": now + 30.5, "nbf": now - 1}
    assert caller.ask_token(proofs=[caller.proof(claims=claims)]).status == 200
    assert caller.call(token, caller.proof("GET", "/v1/ping", token=token, claims=claims)).status == 200


def test_a_used_proof_is_said_to_be_what_is_wrong(caller: Caller) -> None:
    """RFC 9449 section 5. Nothing is burnt then: the same assertion may come again with a new proof."""
    proof, form = caller.proof(), caller.form()
    assert caller.ask_token(proofs=[proof]).status == 200
    with capture_logs() as logs:
        refused = caller.ask_token(form, proofs=[proof])
    assert (refused.status, refused.json) == (400, INVALID_PROOF)
    assert [line["reason"] for line in logs] == ["proof-replayed"]
    assert caller.ask_token(form).status == 200


WRONG_URLS = [
    "http://other.example/oauth2/token",
    "BASE/oauth2/revoke",
    "BASE/oauth2/token/",
    "BASE//oauth2/token",
    "BASE/oauth2/./token",
    "BASE/x/../oauth2/token",
    "BASE/x/%2e%2e/oauth2/token",
    "BASE/oauth2%2Ftoken",
    "BASE/OAUTH2/token",
    "BASE/oauth2/token;x",
    "BASE\\oauth2\\token",
    "BASE/oauth2/token\n",
    "BASE/oauth2/to\tken",
    " BASE/oauth2/token",
    "https:REST/oauth2/token",
    "http://user@HOST/oauth2/token",
    "http://user:pass@HOST/oauth2/token",
    "http://@HOST/oauth2/token",
    "http://[::1/oauth2/token",
    "http://127.0.0.1:99999/oauth2/token",
    "http://127.0.0.1:x/oauth2/token",
    "http://127.0.0.1/oauth2/token",
    "//HOST/oauth2/token",
    "/oauth2/token",
    "HOST/oauth2/token",
    "",
    "x" * 2500,
    None,
    7,
    ["BASE/oauth2/token"],
    ...,
]


@pytest.mark.parametrize("htu", WRONG_URLS)
def test_a_proof_for_another_address_is_refused(caller: Caller, htu: Any) -> None:
    host = caller.base.removeprefix("http://")
    if isinstance(htu, str):
        htu = htu.replace("BASE", caller.base).replace("HOST", host).replace("REST", f"//{host}")
    with capture_logs() as logs:
        answer = caller.ask_token(proofs=[caller.proof(claims={"htu": htu})])
    assert (answer.status, answer.json) == (400, INVALID_PROOF)
    assert logs[0]["reason"] == "proof-url"


@pytest.mark.parametrize(
    "spelling",
    [
        "BASE/oauth2/token",
        "HTTP:REST/oauth2/token",
        "BASE/oauth2/token?scope=a",
        "BASE/oauth2/token#part",
        "BASE/%6Fauth2/token",
        "BASE/oauth2/%74oken",
    ],
)
def test_other_spellings_of_the_same_address_are_taken(caller: Caller, spelling: str) -> None:
    rest = caller.base.removeprefix("http:")
    htu = spelling.replace("BASE", caller.base).replace("REST", rest)
    assert caller.ask_token(proofs=[caller.proof(claims={"htu": htu})]).status == 200


@pytest.mark.parametrize(
    ("htu", "url", "is_same"),
    [
        ("https://gateway.example:443/v1/messages", "https://gateway.example/v1/messages", True),
        ("HTTPS://Gateway.Example/v1/messages", "https://gateway.example/v1/messages", True),
        ("https://gateway.example/v1/%7Ea%2fb", "https://gateway.example/v1/~a%2Fb", True),
        ("https://gateway.example", "https://gateway.example/", True),
        ("https://gateway.example:0443/v1/messages", "https://gateway.example/v1/messages", True),
        ("https://gateway.example:80/v1/messages", "https://gateway.example/v1/messages", False),
        ("http://gateway.example:443/v1/messages", "https://gateway.example/v1/messages", False),
        ("https://gateway.example./v1/messages", "https://gateway.example/v1/messages", False),
        ("https://gateway.example/v1/Messages", "https://gateway.example/v1/messages", False),
        ("https://gateway.example.evil.example/v1/messages", "https://gateway.example/v1/messages", False),
    ],
)
def test_addresses_are_compared_after_rfc_3986_normalisation(htu: str, url: str, is_same: bool) -> None:
    caller = Caller("https://gateway.example", "c", Key.make("ES256"))
    raw = caller.proof("POST", claims={"htu": htu}).encode()
    ask = lambda: check_proof(raw, method="POST", url=url, now=time.time(), keys_seen=Recent(4))  # noqa: E731
    if is_same:
        assert ask().thumbprint == caller.proof_key.thumbprint
    else:
        with pytest.raises(Rejected, match="proof-url"):
            ask()


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded"])
def test_the_address_never_comes_from_a_header(caller: Caller, name: str) -> None:
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    proof = caller.proof(claims={"htu": "http://evil.example/oauth2/token"})
    answer = caller.post("/oauth2/token", caller.form(), [(name, value), ("DPoP", proof)])
    assert (answer.status, answer.json) == (400, INVALID_PROOF)
    right = caller.post("/oauth2/token", caller.form(), [(name, value), ("DPoP", caller.proof())])
    assert right.status == 200


@pytest.mark.parametrize(
    ("proofs", "reason"),
    [
        pytest.param(0, "proof-missing", id="none"),
        pytest.param(2, "proof-repeated", id="two"),
    ],
)
def test_there_is_exactly_one_proof(caller: Caller, token: str, proofs: int, reason: str) -> None:
    with capture_logs() as logs:
        asked = caller.ask_token(proofs=[caller.proof() for _ in range(proofs)])
        given = [("DPoP", caller.proof("GET", "/v1/ping", token=token)) for _ in range(proofs)]
        called = send(caller.base, "GET", "/v1/ping", [("Authorization", f"DPoP {token}"), *given])
    assert (asked.status, called.status) == (400, 401)
    assert [line["reason"] for line in logs] == [reason, reason]


def test_two_proofs_in_one_header_or_a_long_one_are_refused(caller: Caller) -> None:
    joined = ", ".join((caller.proof(), caller.proof()))
    for proof in (joined, caller.proof(claims={"pad": "x" * 5000}), "", "a.b.c", "a.b", "...."):
        assert caller.ask_token(proofs=[proof]).json == INVALID_PROOF


@pytest.mark.parametrize("ath", [..., "", "AAAA", ["x"], None, "\ud800", b64(bytes(32))])
def test_a_proof_without_this_very_token_is_refused(caller: Caller, token: str, ath: Any) -> None:
    with capture_logs() as logs:
        answer = caller.call(token, caller.proof("GET", "/v1/ping", token=token, claims={"ath": ath}))
    assert answer.status == 401
    assert logs[0]["reason"] == "proof-token-hash"


def test_a_stolen_token_is_worth_nothing_without_its_key(caller: Caller, token: str) -> None:
    with capture_logs() as logs:
        answer = caller.call(token, caller.proof("GET", "/v1/ping", token=token, key=Key.make("ES256")))
    assert answer.status == 401
    assert logs[0]["reason"] == "proof-of-another-key"


def test_a_proof_is_used_once_at_each_door(caller: Caller, token: str) -> None:
    at_token = caller.proof()
    assert caller.ask_token(proofs=[at_token]).status == 200
    assert caller.ask_token(proofs=[at_token]).json == INVALID_PROOF
    at_call = caller.proof("GET", "/v1/ping", token=token)
    assert caller.call(token, at_call).status == 200
    again = caller.call(token, at_call)
    assert (again.status, again.json) == (401, {"code": "proof-replayed"})
    assert 'error="invalid_dpop_proof"' in again.headers["WWW-Authenticate"]


def test_the_same_id_in_a_new_proof_is_a_replay(caller: Caller, token: str) -> None:
    jti = secrets.token_hex(8)
    for iat, status in ((0, 200), (-1, 401)):
        claims = {"jti": jti, "iat": int(time.time()) + iat}
        assert (
            caller.call(token, caller.proof("GET", "/v1/ping", token=token, claims=claims)).status == status
        )


def test_one_keys_ids_do_not_burn_anothers(door: Door) -> None:
    jti = {"jti": secrets.token_hex(8)}
    for _ in range(2):
        caller = door.caller()
        token = caller.token()
        assert caller.call(token, caller.proof("GET", "/v1/ping", token=token, claims=jti)).status == 200


def test_the_query_of_a_call_is_no_part_of_the_proved_address(caller: Caller, token: str) -> None:
    proof = caller.proof("GET", "/v1/ping", token=token)
    answer = send(
        caller.base, "GET", "/v1/ping?after=x", [("Authorization", f"DPoP {token}"), ("DPoP", proof)]
    )
    assert answer.status == 200


@pytest.mark.parametrize("alg", ["PS256", "Ed25519", "EdDSA"])
def test_every_announced_algorithm_binds_and_calls_twice(door: Door, alg: str) -> None:
    caller = door.caller()
    caller.proof_key = Key.make(alg)
    token = caller.token()
    assert [caller.call(token).status for _ in range(2)] == [200, 200]  # the second by the remembered key


def test_a_remembered_key_still_needs_a_right_signature() -> None:
    caller = Caller("https://gateway.example", "c", Key.make("ES256"))
    seen: Recent[bytes, Any] = Recent(4)
    url, right = "https://gateway.example/oauth2/token", caller.proof().encode()
    ask = {"method": "POST", "url": url, "now": time.time(), "keys_seen": seen}
    check_proof(right, **ask)  # type: ignore[arg-type]
    assert len(seen) == 1
    forged = caller.proof(header={"jwk": caller.proof_key.jwk}, key=Key.make("ES256")).encode()
    assert forged.split(b".")[0] == right.split(b".")[0]
    with pytest.raises(Rejected, match="proof-signature"):
        check_proof(forged, **ask)  # type: ignore[arg-type]


def test_a_key_is_remembered_only_once_it_signed_and_only_so_many() -> None:
    caller = Caller("https://gateway.example", "c", Key.make("ES256"))
    seen: Recent[bytes, Any] = Recent(2)
    ask = {
        "method": "POST",
        "url": "https://gateway.example/oauth2/token",
        "now": time.time(),
        "keys_seen": seen,
    }
    shown = Key.make("ES256")
    with pytest.raises(Rejected):
        check_proof(caller.proof(header={"jwk": shown.jwk}).encode(), **ask)  # type: ignore[arg-type]
    assert len(seen) == 0
    for _ in range(3):
        check_proof(caller.proof(key=Key.make("Ed25519")).encode(), **ask)  # type: ignore[arg-type]
    assert len(seen) == 2
