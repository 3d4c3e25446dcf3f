"""Groups 30, 44 and 72: credentials in an address, nonces that nobody gave out, and clocks that step."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from tests.edges.at_the_door import MARKER
from tests.edges.conftest import Door
from tests.edges.oauth_caller import Caller, send


def test_30_credentials_in_an_address_are_refused_and_not_logged(caller: Caller) -> None:
    form = caller.form()
    query = urlencode({**form, "client_secret": MARKER})
    with capture_logs() as lines:
        answer = caller.post(f"/oauth2/token?{query}", form, [("DPoP", caller.proof())])
        other = caller.call(MARKER, path=f"/v1/ping?access_token={MARKER}")
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert other.status == 401
    assert {line["event"] for line in lines} == {"oauth.refused", "oauth.call_refused"}
    for secret in (MARKER, form["client_assertion"]):
        assert secret not in str(lines)
        assert secret.encode() not in answer.body + other.body


def test_30_a_token_in_the_address_or_body_is_no_token(caller: Caller) -> None:
    """RFC 6750 sections 2.2 and 2.3 are not offered."""
    token = caller.token()
    proof = caller.proof("GET", "/v1/ping", token=token)
    answer = send(caller.base, "GET", f"/v1/ping?access_token={token}", [("DPoP", proof)])
    assert answer.status == 401


@pytest.mark.parametrize("nonce", ["", "forged", 7, ["a"], None, "n" * 1000])
def test_44_a_nonce_that_nobody_gave_out_neither_helps_nor_harms(caller: Caller, nonce: object) -> None:
    """No nonces are given out (freshness is by `iat` and single use), so none is asked for and none is believed."""
    token = caller.token()
    proof = caller.proof("GET", "/v1/ping", token=token, claims={"nonce": nonce})
    first, again = caller.call(token, proof), caller.call(token, proof)
    assert (first.status, again.status) == (200, 401)
    assert "DPoP-Nonce" not in first.headers
    stale = caller.proof("GET", "/v1/ping", token=token, claims={"nonce": nonce, "iat": 1_700_000_000})
    assert caller.call(token, stale).status == 401


@pytest.mark.parametrize("minutes", [5, -5])
def test_72_while_the_clock_is_wrong_nobody_gets_in_and_nothing_that_was_used_works_again(
    own_door: Door, minutes: int
) -> None:
    caller = own_door.caller()
    token = caller.token()
    used = caller.proof("GET", "/v1/ping", token=token)
    assert caller.call(token, used).status == 200
    own_door.clock.ahead = timedelta(minutes=minutes)
    assert caller.call(token).status == 401
    assert caller.ask_token().status in (400, 401)
    own_door.clock.ahead = timedelta()
    assert caller.call(token, used).status == 401
    assert caller.call(token).status == 200
