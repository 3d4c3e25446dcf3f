"""Nonces in DPoP proofs, where the operator asks for them: RFC 9449 sections 8, 8.2 and 9."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.oauth.nonces import SLICE_SECONDS, Nonces
from tests.edges.conftest import Door, open_door
from tests.edges.oauth_caller import Answer, Caller
from tests.edges.test_guides import EXAMPLES, POLICE, run
from tests.edges.test_oauth_third_parties import NPM, node, run_node
from tests.gateway_house import RealTime, gateway_house

KEY = bytes(range(32))
NOW = 1_764_000_030.0  # in the middle of a slice


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that asks for nonces."""
    yield from open_door(tmp_path_factory.mktemp("nonces"), nonces=Nonces(KEY))


@pytest.fixture
def caller(asking: Door) -> Caller:
    return asking.caller()


def nonce_of(answer: Answer) -> str:
    (nonce,) = answer.headers.get_all("DPoP-Nonce") or []
    return nonce


@pytest.mark.parametrize(
    ("ago_seconds", "is_known"),
    [(0, True), (60, True), (120, True), (151, False), (600, False), (-60, True), (-120, False)],
)
def test_a_nonce_is_taken_for_two_minutes_and_a_host_may_be_a_minute_ahead(
    ago_seconds: float, is_known: bool
) -> None:
    assert Nonces(KEY).knows(Nonces(KEY).current(NOW - ago_seconds), NOW) is is_known


@pytest.mark.parametrize("nonce", [None, "", 7, ["x"], "A" * 24, "ü" * 24, Nonces(b"other").current(NOW)])
def test_what_was_not_given_out_under_this_key_is_no_nonce(nonce: object) -> None:
    """Hostile inputs, group 44: missing and forged."""
    assert not Nonces(KEY).knows(nonce, NOW)


def test_a_nonce_stays_the_same_within_its_slice_and_memory_does_not_grow() -> None:
    nonces = Nonces(KEY)
    assert nonces.current(NOW) == nonces.current(NOW + SLICE_SECONDS / 4)
    given = {nonces.current(NOW + SLICE_SECONDS * number) for number in range(100)}
    assert len(given) == 100
    assert len(nonces._made) < 20


def test_the_token_address_asks_for_its_nonce_and_then_takes_the_same_assertion(caller: Caller) -> None:
    """Hostile inputs, group 44. Nothing is used up by being asked: libraries repeat the body as it was."""
    form = caller.form()
    asked = caller.ask_token(form)
    assert (asked.status, asked.json["error"]) == (400, "use_dpop_nonce")
    given = caller.ask_token(form, [caller.proof(claims={"nonce": nonce_of(asked)})])
    assert given.status == 200, given.body
    assert nonce_of(given) == nonce_of(asked)


def test_a_resource_asks_for_its_nonce_by_the_challenge(caller: Caller) -> None:
    nonce = nonce_of(caller.ask_token())
    token = caller.ask_token(proofs=[caller.proof(claims={"nonce": nonce})]).json["access_token"]
    asked = caller.call(token)
    assert asked.status == 401
    assert 'error="use_dpop_nonce"' in asked.headers["WWW-Authenticate"]
    answered = caller.call(
        token, caller.proof("GET", "/v1/ping", token=token, claims={"nonce": nonce_of(asked)})
    )
    assert answered.status == 200


def test_a_stale_nonce_and_a_bad_proof_with_a_good_nonce_are_refused(caller: Caller) -> None:
    nonce = nonce_of(caller.ask_token())
    stale = Nonces(KEY).current((RealTime()() - timedelta(minutes=4)).timestamp())
    refused = caller.ask_token(proofs=[caller.proof(claims={"nonce": stale})])
    assert refused.json["error"] == "use_dpop_nonce"
    forged = caller.proof(claims={"nonce": nonce}).rpartition(".")[0] + "." + "A" * 86
    assert caller.ask_token(proofs=[forged]).json["error"] == "invalid_dpop_proof"


def test_openid_client_answers_with_the_nonce_by_itself_and_oauth4webapi_when_told_to_ask_again(
    asking: Door,
) -> None:
    lived = run_node("get_token.mjs", asking.caller(), "ES256", "ES256")
    assert (lived["get"], lived["post"], lived["stolen"], lived["afterRevocation"]) == (200, 200, 401, 401)
    said = run_node("resource_server.mjs", asking.caller("Ed25519"), "Ed25519", "ES256")
    assert (said["called"], said["again"]) == (200, 401)


async def test_the_whole_gateway_asks_and_its_own_client_and_the_guides_examples_answer(
    tmp_path: Path,
) -> None:
    async with gateway_house(tmp_path, clock=RealTime(), dpop_nonces=True) as house:
        async with house.client(POLICE) as police:
            answer = await police.submit(house.example("referral", reference="NP-0"))
            assert answer["decision"] == "forward"
            published = await police.once("GET", "/v1/receipts/jwks")
            assert "dpop-nonce" not in published.headers, "what anybody may cache names none"
            assert "dpop-nonce" in (await police.once("GET", "/v1/inbox")).headers
        (tmp_path / "js").mkdir()
        (tmp_path / "js" / "node_modules").symlink_to(NPM / "node_modules")
        message = tmp_path / "referral.json"
        programs = (
            [sys.executable, str(EXAMPLES / "connect.py")],
            [node(), shutil.copy(EXAMPLES / "connect.mjs", tmp_path / "js")],
        )
        for number, program in enumerate(programs):
            message.write_text(json.dumps(house.example("referral", reference=f"NP-1{number}")))
            status, out, err = await run(house, program, POLICE, "send", str(message))
            assert status == 0, err
            assert out.endswith("the receipt holds\n")
