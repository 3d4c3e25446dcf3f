"""The token endpoint and what is published: RFC 6749, RFC 8414, RFC 9728, RFC 9068."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from structlog.testing import capture_logs

from gateway.core.errors import Misconfigured
from gateway.oauth import forms
from gateway.oauth.access_tokens import AccessToken, mint, open_token
from gateway.oauth.key_policy import public_key
from gateway.oauth.metadata import server_metadata
from gateway.oauth.parts import OAuthParts
from gateway.oauth.reasons import Reason, Rejected
from gateway.oauth.registry import parts_of_store
from gateway.oauth.token_keys import always
from gateway.store.tables import book
from gateway.store.transaction import Store
from keys.signing import FileSigner
from tests.edges.conftest import Door, open_door
from tests.edges.oauth_caller import Caller, Key, send

INVALID_CLIENT = {"error": "invalid_client", "error_description": "Client authentication failed"}


def claims_of(token: str) -> Any:
    segment = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519", "EdDSA"])
def test_a_client_that_proves_itself_gets_a_bound_token_and_calls_with_it(door: Door, alg: str) -> None:
    caller = door.caller(alg)
    caller.proof_key = Key.make(alg)
    answer = caller.ask_token()
    assert answer.status == 200
    assert answer.json["token_type"] == "DPoP"
    assert answer.json["expires_in"] == 300
    assert answer.headers["Cache-Control"] == "no-store"
    called = caller.call(answer.json["access_token"])
    assert called.status == 200
    assert called.json == {"client": caller.client_id, "scopes": ["messages.read", "messages.write"]}


def test_a_token_says_what_rfc_9068_asks_and_the_agency_comes_from_the_register(
    door: Door, caller: Caller
) -> None:
    claims = claims_of(caller.token(agency="another-agency"))
    assert claims.pop("exp") - claims.pop("iat") == 300
    assert len(claims.pop("jti")) == 24
    assert claims == {
        "iss": door.base,
        "aud": door.base,
        "sub": caller.client_id,
        "client_id": caller.client_id,
        "scope": "messages.read messages.write",
        "agency": "invented-police",
        "cnf": {"jkt": caller.proof_key.thumbprint},
    }


def test_a_smaller_scope_is_granted_as_asked(caller: Caller) -> None:
    token = caller.token(scope="messages.read")
    assert claims_of(token)["scope"] == "messages.read"
    refused = caller.call(token)
    assert refused.status == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param("messages.write log.read", id="more than registered"),
        pytest.param("messages.read  messages.write", id="two spaces"),
        pytest.param('messages.read "', id="quote"),
        pytest.param("messages.read\\", id="backslash"),
        pytest.param(" ".join(["messages.read"] * 40), id="forty words"),
    ],
)
def test_a_scope_beyond_or_beside_the_registered_is_refused(caller: Caller, scope: str) -> None:
    answer = caller.ask_token(caller.form(scope=scope))
    assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "grant_type", ["password", "refresh_token", "authorization_code", 'x"y', "Client_Credentials"]
)
def test_only_client_credentials_is_a_grant(caller: Caller, grant_type: Any) -> None:
    answer = caller.ask_token(caller.form(grant_type=grant_type))
    assert (answer.status, answer.json["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("grant_type", ["", ...])
def test_a_request_without_a_grant_type_lacks_a_parameter(caller: Caller, grant_type: Any) -> None:
    """RFC 6749 section 5.2; a parameter without a value counts as not sent (section 3.2)."""
    answer = caller.ask_token(caller.form(grant_type=grant_type))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert caller.post("/oauth2/token", b"").json["error"] == "invalid_request"


def test_a_parameter_without_a_value_counts_as_not_sent(caller: Caller) -> None:
    """RFC 6749 section 3.2."""
    answer = caller.ask_token(caller.form(scope="", client_id="", client_secret=""))
    assert (answer.status, answer.json["scope"]) == (200, "messages.read messages.write")


def test_what_is_asked_for_is_refused_before_it_is_known_who_asks(caller: Caller) -> None:
    answer = caller.post("/oauth2/token", b"grant_type=password&username=a&password=b")
    assert (answer.status, answer.json["error"]) == (400, "unsupported_grant_type")


def test_tokens_are_for_this_gateway_alone(caller: Caller) -> None:
    """RFC 8707 section 2."""
    for ours in (caller.base, f"{caller.base}/", f"{caller.base}/v1/messages"):
        assert caller.ask_token(caller.form(resource=ours)).status == 200, ours
    for other in ("https://other.example", f"{caller.base}0", f"{caller.base}/v1#x", "v1"):
        refused = caller.ask_token(caller.form(resource=other))
        assert (refused.status, refused.json["error"]) == (400, "invalid_target"), other


@pytest.mark.parametrize(
    ("sent", "told"), [("Basic YTpi", "Basic"), ("bearer x", "Bearer"), ("Digest x", None), ("", None)]
)
def test_whoever_tried_by_a_header_is_told_so_in_its_scheme(
    caller: Caller, sent: str, told: str | None
) -> None:
    """RFC 6749 section 5.2. Without the header there is no scheme to name."""
    headers = [("DPoP", caller.proof()), *([("Authorization", sent)] if sent else [])]
    answer = caller.post("/oauth2/token", FORM, headers)
    assert (answer.status, answer.json) == (401, INVALID_CLIENT)
    assert answer.headers.get("WWW-Authenticate", "").partition(" ")[0] == (told or "")


FORM = b"grant_type=client_credentials"


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        pytest.param(
            b'{"grant_type":"x"}', [("Content-Type", "application/json")], "form-media-type", id="json"
        ),
        pytest.param(
            b"x", [("Content-Type", "multipart/form-data; boundary=b")], "form-media-type", id="multipart"
        ),
        pytest.param(FORM, [("Content-Type", "text/plain")], "form-media-type", id="text"),
        pytest.param(
            FORM,
            [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Encoding", "gzip")],
            "form-media-type",
            id="compressed",
        ),
        pytest.param(FORM + b"&scope=a&scope=a", [], "form-repeated-parameter", id="repeated parameter"),
        pytest.param(FORM + b"&scope=%00", [], "form-malformed", id="NUL"),
        pytest.param(FORM + b"&scope=a%0Ab", [], "form-malformed", id="newline"),
        pytest.param(FORM + b"&scope=%E2%80%A8", [], "form-malformed", id="U+2028"),
        pytest.param(FORM + b"&scope=%FF", [], "form-malformed", id="not UTF-8"),
        pytest.param(FORM + "&scope=\u00e9".encode(), [], "form-malformed", id="not ASCII"),
        pytest.param(FORM + b"&&a=b", [], "form-malformed", id="empty parameter"),
        pytest.param(b"&".join(b"p%d=1" % n for n in range(21)), [], "form-malformed", id="21 parameters"),
        pytest.param(FORM + b"&scope=" + b"a" * 16384, [], "form-too-large", id="too large"),
        pytest.param(FORM + b"&scope=" + b"a" * 1_000_000, [], "form-too-large", id="1 MB"),
    ],
)
def test_anything_but_a_small_plain_form_is_refused(
    caller: Caller, body: bytes, headers: list[tuple[str, str]], reason: str
) -> None:
    with capture_logs() as logs:
        answer = caller.post("/oauth2/token", body, headers)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert [line["reason"] for line in logs] == [reason]


def test_a_body_without_length_is_measured_as_it_comes(caller: Caller) -> None:
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    body = chunk * 2 + b"0\r\n\r\n"
    answer = caller.post("/oauth2/token", body, [("Transfer-Encoding", "chunked")])
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def half_a_form(base: str) -> socket.socket:
    """A connection whose request promises more than it sends."""
    host, port = base.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    connection.sendall(f"{head}Content-Length: 100\r\n\r\ngrant_type=".encode())
    return connection


def test_a_body_that_does_not_come_to_an_end_is_given_up(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "SLOWEST_BODY_SECONDS", 0.05)
    with capture_logs() as logs, half_a_form(caller.base) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert [line["reason"] for line in logs] == ["form-too-slow"]


def test_two_token_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    twin = FileSigner.generate("k", "ES256").public_jwk()
    with pytest.raises(Misconfigured):
        parts_at("https://gateway.example", tmp_path, other_keys=(twin,))


def test_credentials_in_the_address_are_refused(caller: Caller) -> None:
    answer = caller.post(f"/oauth2/token?client_assertion={caller.assertion()}", caller.form())
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE"])
def test_tokens_are_asked_for_by_post_alone(caller: Caller, method: str) -> None:
    assert send(caller.base, method, "/oauth2/token").status == 405


@pytest.mark.parametrize(
    ("changes", "headers", "status", "error"),
    [
        pytest.param(
            {"client_secret": "s", "client_assertion": ...}, [], 401, "invalid_client", id="secret in form"
        ),
        pytest.param(
            {"client_assertion": ...}, [("Authorization", "Basic YTpi")], 401, "invalid_client", id="basic"
        ),
        pytest.param({"client_secret": "s"}, [], 400, "invalid_request", id="secret and assertion"),
        pytest.param({}, [("Authorization", "Basic YTpi")], 400, "invalid_request", id="basic and assertion"),
    ],
)
def test_there_are_no_secrets(
    caller: Caller, changes: dict[str, Any], headers: list[tuple[str, str]], status: int, error: str
) -> None:
    answer = caller.post("/oauth2/token", caller.form(**changes), [*headers, ("DPoP", caller.proof())])
    assert (answer.status, answer.json["error"]) == (status, error)


def test_metadata_says_exactly_what_holds(door: Door) -> None:
    answer = send(door.base, "GET", "/.well-known/oauth-authorization-server")
    algorithms = ["ES256", "PS256", "Ed25519", "EdDSA"]
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json == {
        "issuer": door.base,
        "token_endpoint": f"{door.base}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": f"{door.base}/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": f"{door.base}/oauth2/introspect",
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "jwks_uri": f"{door.base}/oauth2/jwks",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "dpop_signing_alg_values_supported": algorithms,
        "protected_resources": [door.base],
        "scopes_supported": ["messages.write", "messages.read"],
    }


def test_resource_metadata_names_the_server_and_asks_for_bound_tokens(door: Door) -> None:
    answer = send(door.base, "GET", "/.well-known/oauth-protected-resource")
    assert answer.json == {
        "resource": door.base,
        "authorization_servers": [door.base],
        "dpop_bound_access_tokens_required": True,
        "dpop_signing_alg_values_supported": ["ES256", "PS256", "Ed25519", "EdDSA"],
        "scopes_supported": ["messages.write", "messages.read"],
    }


def parts_at(
    url: str, folder: Path, algorithm: Any = "ES256", other_keys: tuple[dict[str, str], ...] = ()
) -> OAuthParts:
    store = Store.open(f"sqlite:///{folder}/book.sqlite", book)
    store.close()
    clock = lambda: None  # noqa: E731 - nothing asks for the time here
    signer = FileSigner.generate("k", algorithm)
    return parts_of_store(store, public_url=url, keys_now=always(signer, other_keys), clock=clock)  # type: ignore[arg-type]


def test_metadata_is_valid_by_authlibs_reading_of_rfc_8414(tmp_path: Path) -> None:
    AuthorizationServerMetadata(server_metadata(parts_at("https://gateway.example", tmp_path))).validate()


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example",
        "https://gateway.example/",
        "https://gateway.example/v1",
        "https://Gateway.example",
        "https://user@gateway.example",
        "https://gateway.example?x",
        "ftp://127.0.0.1",
        "gateway.example",
        "",
    ],
)
def test_a_public_url_that_could_be_spelt_two_ways_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(Misconfigured):
        parts_at(url, tmp_path)


def test_tokens_are_signed_with_es256_alone(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        parts_at("https://gateway.example", tmp_path, "Ed25519")


def test_the_key_set_holds_current_next_and_retired_keys_and_tokens_survive_a_rotation(
    tmp_path: Path,
) -> None:
    old, new, later = (FileSigner.generate(f"token-key-{n}", "ES256") for n in (1, 2, 3))
    before = open_door(tmp_path, signer=old, other_keys=(new.public_jwk(),))
    first = next(before)
    caller = first.caller()
    token = caller.token()
    before.close()
    after = open_door(tmp_path, signer=new, other_keys=(later.public_jwk(), old.public_jwk()))
    second = next(after)
    caller.base = second.base
    keys = send(second.base, "GET", "/oauth2/jwks").json["keys"]
    assert [key["kid"] for key in keys] == ["token-key-2", "token-key-3", "token-key-1"]
    assert all("d" not in key and key["use"] == "sig" and key["alg"] == "ES256" for key in keys)
    assert json.loads(base64.urlsafe_b64decode(caller.token().split(".")[0] + "=="))["kid"] == "token-key-2"
    assert token.split(".")[0] != caller.token().split(".")[0]
    after.close()


def test_a_token_of_a_retired_key_opens_and_one_of_a_forgotten_key_does_not(tmp_path: Path) -> None:
    now = int(time.time())
    old, new = (FileSigner.generate(f"token-key-{n}", "ES256") for n in (1, 2))
    token = AccessToken("id", "c", "a", frozenset({"s"}), now, now + 300, "print")
    raw = mint(token, "https://a.example", "https://b.example", old).encode()
    published = {key.kid: public_key(key.public_jwk()) for key in (old, new)}
    assert open_token(raw, published, "https://a.example", "https://b.example", now) == token
    del published[old.kid]
    with pytest.raises(Rejected) as refused:
        open_token(raw, published, "https://a.example", "https://b.example", now)
    assert refused.value.reason is Reason.TOKEN_KEY


def test_when_the_store_is_down_no_token_leaves(own_door: Door) -> None:
    caller = own_door.caller()
    assert caller.ask_token().status == 200
    own_door.store.close()
    answer = caller.ask_token()
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_the_log_names_client_and_key_and_never_the_token_or_the_assertion(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assertion, proof = caller.assertion(), caller.proof()
    with capture_logs() as logs:
        token = caller.ask_token(caller.form(client_assertion=assertion), [proof]).json["access_token"]
        caller.ask_token(caller.form(client_assertion=assertion), [proof])
        caller.call(token, proof)
        caller.ask_token(caller.form(client_assertion=caller.assertion({"kid": "secret-in-a-kid"})))
        caller.ask_token(
            caller.form(client_assertion=caller.assertion(claims={"sub": "nobody", "iss": "nobody"}))
        )
    issued, replay, call, unknown_key, unknown = logs
    assert (issued["event"], issued["client"], issued["kid"]) == (
        "oauth.token_issued",
        caller.client_id,
        caller.key.kid,
    )
    assert issued["token"] == claims_of(token)["jti"]
    assert (replay["event"], replay["reason"]) == ("oauth.refused", "assertion-replayed")
    assert (call["event"], call["reason"], call["client"]) == (
        "oauth.call_refused",
        "proof-method",
        caller.client_id,
    )
    assert (unknown_key["reason"], unknown_key.get("kid")) == ("assertion-key-unknown", None)
    assert (unknown["reason"], unknown.get("client")) == ("client-unknown", None)
    everything = repr(logs) + caplog.text
    for hidden in (token, assertion, proof, "secret-in-a-kid", "nobody"):
        assert hidden not in everything
        assert hidden.split(".")[-1] not in everything


def test_a_clients_own_token_is_described_and_revoked(door: Door) -> None:
    caller = door.caller()
    token = caller.token()
    shown = caller.post("/oauth2/introspect", caller.form(token=token, grant_type=...))
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.json == {
        **{name: claims_of(token)[name] for name in claims_of(token)},
        "active": True,
        "token_type": "DPoP",
    }
    assert caller.call(token).status == 200
    assert (
        caller.post("/oauth2/revoke", caller.form(token=token, token_type_hint="access_token")).status == 200
    )
    assert caller.call(token).status == 401
    assert caller.post("/oauth2/introspect", caller.form(token=token)).json == {"active": False}
    assert caller.post("/oauth2/revoke", caller.form(token=token)).status == 200


def test_another_clients_token_is_neither_described_nor_revoked(door: Door) -> None:
    owner, stranger = door.caller(), door.caller()
    token = owner.token()
    assert stranger.post("/oauth2/introspect", stranger.form(token=token)).json == {"active": False}
    assert stranger.post("/oauth2/revoke", stranger.form(token=token)).status == 200
    assert owner.call(token).status == 200


@pytest.mark.parametrize("endpoint", ["/oauth2/introspect", "/oauth2/revoke"])
def test_revocation_and_introspection_authenticate_the_client_once(caller: Caller, endpoint: str) -> None:
    form = caller.form(token="no token of ours")
    assert caller.post(endpoint, form).status == 200
    again = caller.post(endpoint, form)
    assert (again.status, again.json) == (401, INVALID_CLIENT)
    nobody = caller.post(endpoint, {"token": "x"})
    assert (nobody.status, nobody.json) == (401, INVALID_CLIENT)
    incomplete = caller.post(endpoint, caller.form())
    assert (incomplete.status, incomplete.json["error"]) == (400, "invalid_request")


def test_an_unknown_client_and_a_wrong_key_look_the_same(caller: Caller) -> None:
    name = f"client-{secrets.token_hex(6)}"
    unknown = caller.ask_token(
        caller.form(client_assertion=caller.assertion(claims={"iss": name, "sub": name}))
    )
    wrong = caller.ask_token(caller.form(client_assertion=caller.assertion(key=Key.make("ES256"))))
    assert (unknown.status, unknown.json) == (wrong.status, wrong.json) == (401, INVALID_CLIENT)
    assert sorted(unknown.headers.keys()) == sorted(wrong.headers.keys())
