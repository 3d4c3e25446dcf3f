"""Access tokens at a protected route: RFC 9068 section 4, RFC 9449 section 7, RFC 6750 section 3.1."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.store import clients
from tests.edges.conftest import Door
from tests.edges.oauth_caller import Caller, b64, changed, segment, send


def minted(door: Door, caller: Caller, header: Any = None, claims: Any = None, signer: Any = None) -> str:
    """A token made by hand with the door's own key: right but for the changes."""
    signer = signer or door.parts.signer
    now = int(time.time())
    right_header = {"typ": "at+jwt", "alg": "ES256", "kid": door.parts.signer.kid}
    right_claims = {
        "iss": door.base,
        "aud": door.base,
        "sub": caller.client_id,
        "client_id": caller.client_id,
        "iat": now,
        "exp": now + 300,
        "jti": secrets.token_hex(12),
        "scope": "messages.write",
        "agency": "invented-police",
        "cnf": {"jkt": caller.proof_key.thumbprint},
    }
    parts = [
        changed(right, change) if isinstance(change, dict) else change or right
        for right, change in ((right_header, header), (right_claims, claims))
    ]
    signed = ".".join(segment(part) for part in parts)
    return f"{signed}.{b64(signer.sign(signed.encode()))}"


def expect_refused(caller: Caller, token: str, reason: str, error: str = "invalid_token") -> None:
    with capture_logs() as logs:
        answer = caller.call(token)
    assert (answer.status, answer.json) == (401, {"code": "not-authenticated"})
    assert answer.headers["WWW-Authenticate"].startswith(f'DPoP error="{error}", algs=')
    assert [line["reason"] for line in logs] == [reason]


def test_the_hand_made_token_is_right_but_for_what_a_test_changes(door: Door, caller: Caller) -> None:
    assert caller.call(minted(door, caller)).status == 200


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param({"typ": "JWT"}, "token-type", id="typ JWT: an identity token"),
        pytest.param({"typ": ...}, "token-type", id="typ missing: a receipt"),
        pytest.param({"typ": "AT+JWT"}, "token-type", id="typ upper case"),
        pytest.param({"typ": ["at+jwt"]}, "token-type", id="typ list"),
        pytest.param({"alg": "none"}, "token-algorithm", id="alg none"),
        pytest.param({"alg": "HS256"}, "token-algorithm", id="alg HS256"),
        pytest.param({"alg": "Ed25519"}, "token-signature", id="alg of another kind"),
        pytest.param({"kid": "another"}, "token-key-unknown", id="kid of nobody"),
        pytest.param({"kid": ...}, "token-key-unknown", id="kid missing"),
        pytest.param({"kid": ["token-key-1"]}, "token-key-unknown", id="kid list"),
        pytest.param({"crit": ["x"]}, "token-malformed", id="crit"),
        pytest.param(b"[1]", "token-malformed", id="header is a list"),
    ],
)
def test_a_token_with_another_header_is_refused(door: Door, caller: Caller, header: Any, reason: str) -> None:
    expect_refused(caller, minted(door, caller, header), reason)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"iss": "https://other.example"}, "token-claims", id="iss"),
        pytest.param({"iss": ...}, "token-claims", id="iss missing"),
        pytest.param({"aud": "https://other.example"}, "token-claims", id="aud"),
        pytest.param({"aud": ["AUD"]}, "token-claims", id="aud list"),
        pytest.param({"aud": ...}, "token-claims", id="aud missing"),
        pytest.param({"sub": "somebody-else"}, "token-claims", id="sub"),
        pytest.param({"client_id": 7}, "token-claims", id="client_id number"),
        pytest.param({"jti": ...}, "token-claims", id="jti missing"),
        pytest.param({"scope": ["messages.write"]}, "token-claims", id="scope list"),
        pytest.param({"agency": ...}, "token-claims", id="agency missing"),
        pytest.param({"exp": -1}, "token-time", id="exp past"),
        pytest.param({"exp": 10**18}, "token-time", id="exp in the far future"),
        pytest.param({"exp": ...}, "token-time", id="exp missing"),
        pytest.param({"exp": True}, "token-time", id="exp true"),
        pytest.param({"iat": ...}, "token-time", id="iat missing"),
        pytest.param({"cnf": ...}, "token-unbound", id="unbound"),
        pytest.param({"cnf": {}}, "token-unbound", id="cnf empty"),
        pytest.param({"cnf": "print"}, "token-unbound", id="cnf text"),
        pytest.param({"cnf": {"jkt": ["print"]}}, "token-unbound", id="jkt list"),
        pytest.param({"cnf": {"jkt": ""}}, "token-unbound", id="jkt empty"),
        pytest.param(
            {"cnf": {"x5t#S256": "print"}},
            "token-bound-otherwise-than-registered",
            id="bound to a certificate",
        ),
        pytest.param({"cnf": {"jkt": "print", "x5t#S256": "print"}}, "token-unbound", id="bound twice"),
        pytest.param(
            {"client_id": "nobody", "sub": "nobody"}, "token-client-not-active", id="unknown client"
        ),
        pytest.param({"agency": "another-agency"}, "token-client-not-active", id="of another agency now"),
        pytest.param(b'{"iss":"a","iss":"b"}', "token-malformed", id="claim twice"),
        pytest.param(b"[]", "token-malformed", id="payload is a list"),
    ],
)
def test_a_token_with_other_claims_is_refused(door: Door, caller: Caller, claims: Any, reason: str) -> None:
    if isinstance(claims, dict):
        claims = {k: [door.base] if v == ["AUD"] else v for k, v in claims.items()}
        if claims.get("exp") == -1:
            claims = {"iat": int(time.time()) - 200, "exp": int(time.time()) - 1}
    expect_refused(caller, minted(door, caller, claims=claims), reason)


def test_a_token_from_the_future_is_refused(door: Door, caller: Caller) -> None:
    now = int(time.time())
    expect_refused(caller, minted(door, caller, claims={"iat": now + 60, "exp": now + 300}), "token-time")


def test_a_token_signed_by_the_client_itself_is_refused(door: Door, caller: Caller) -> None:
    expect_refused(caller, minted(door, caller, signer=caller.key), "token-signature")
    expect_refused(
        caller, minted(door, caller, {"kid": caller.key.kid}, signer=caller.key), "token-key-unknown"
    )


def test_an_assertion_is_no_token(caller: Caller) -> None:
    expect_refused(caller, caller.assertion(), "token-type")


def test_a_changed_signature_is_refused_even_after_the_right_one_was_seen(door: Door, caller: Caller) -> None:
    token = minted(door, caller)
    assert caller.call(token).status == 200
    head, _ = token.rsplit(".", 1)
    expect_refused(caller, f"{head}.{b64(bytes(64))}", "token-signature")


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "e30.e30.", "e30.e30.AA", "." * 5000, "a b"])
def test_rubbish_in_place_of_a_token_is_refused(caller: Caller, token: str) -> None:
    reason = "credentials-scheme" if token == "" else "token-malformed"
    expect_refused(caller, token, reason)


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "DPoPx", ""])
def test_a_bound_token_under_another_scheme_is_refused(caller: Caller, scheme: str) -> None:
    with capture_logs() as logs:
        assert caller.call(caller.token(), scheme=scheme).status == 401
    assert logs[-1]["reason"] == "credentials-scheme"


def test_the_name_of_the_scheme_has_no_case(caller: Caller) -> None:
    for scheme in ("dpop", "DPoP  "):  # one space or more: RFC 9110 section 11.4
        assert caller.call(caller.token(), scheme=scheme).status == 200


def test_without_credentials_the_answer_says_what_is_wanted_and_no_fault(caller: Caller) -> None:
    answer = send(caller.base, "GET", "/v1/ping")
    metadata = f"{caller.base}/.well-known/oauth-protected-resource"
    expected = f'DPoP algs="ES256 PS256 Ed25519 EdDSA", resource_metadata="{metadata}"'
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, expected)


def test_two_authorization_headers_are_refused(caller: Caller) -> None:
    token = caller.token()
    headers = [("Authorization", f"DPoP {token}")] * 2 + [
        ("DPoP", caller.proof("GET", "/v1/ping", token=token))
    ]
    with capture_logs() as logs:
        assert send(caller.base, "GET", "/v1/ping", headers).status == 401
    assert logs[0]["reason"] == "credentials-repeated"


def call_at(door: Door, caller: Caller, token: str) -> int:
    """A call whose proof is made at the door's own time."""
    iat = {"iat": int(door.clock().timestamp())}
    return caller.call(token, caller.proof("GET", "/v1/ping", token=token, claims=iat)).status


def test_a_remembered_token_ends_with_its_300_seconds(own_door: Door) -> None:
    caller = own_door.caller()
    token = caller.token()
    for seconds, status in ((0, 200), (50, 200), (240, 200), (301, 401)):
        own_door.clock.ahead = timedelta(seconds=seconds)
        assert call_at(own_door, caller, token) == status


def test_a_suspension_bites_within_thirty_seconds_though_the_token_lives(own_door: Door) -> None:
    caller = own_door.caller()
    token = caller.token()
    assert call_at(own_door, caller, token) == 200
    own_door.change(lambda tx: clients.suspend(tx, caller.client_id, own_door.clock()))
    own_door.clock.ahead = timedelta(seconds=31)
    assert call_at(own_door, caller, token) == 401
    own_door.change(lambda tx: clients.reinstate(tx, caller.client_id))
    own_door.clock.ahead = timedelta(seconds=62)
    assert call_at(own_door, caller, token) == 401  # tokens from before the suspension stay dead


def test_recalled_tokens_die_and_new_ones_live(own_door: Door) -> None:
    caller = own_door.caller()
    token = caller.token()
    own_door.change(
        lambda tx: clients.recall_tokens(tx, caller.client_id, own_door.clock() + timedelta(seconds=5))
    )
    own_door.clock.ahead = timedelta(seconds=40)
    assert call_at(own_door, caller, token) == 401
    now = int(own_door.clock().timestamp())
    form = caller.form(client_assertion=caller.assertion(claims={"iat": now, "exp": now + 60}))
    fresh = caller.ask_token(form, [caller.proof(claims={"iat": now})])
    assert call_at(own_door, caller, fresh.json["access_token"]) == 200


def test_a_token_revoked_by_another_process_is_refused_within_a_minute(own_door: Door) -> None:
    caller = own_door.caller()
    token = minted(own_door, caller, claims={"jti": "revoked-elsewhere"})
    assert call_at(own_door, caller, token) == 200
    asyncio.run(own_door.parts.revoke("revoked-elsewhere", own_door.clock() + timedelta(seconds=300)))
    own_door.clock.ahead = timedelta(seconds=61)
    assert call_at(own_door, caller, token) == 401


def test_a_scope_taken_from_the_client_is_gone_from_its_tokens(door: Door) -> None:
    caller = door.caller(scopes=("messages.read",))
    answer = caller.call(minted(door, caller))
    assert (answer.status, answer.json) == (403, {"code": "insufficient-scope"})


def test_when_the_store_is_down_nobody_is_let_in(own_door: Door) -> None:
    caller = own_door.caller()
    token = caller.token()
    own_door.store.close()
    assert caller.call(token).status == 503
