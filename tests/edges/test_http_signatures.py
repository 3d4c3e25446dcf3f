"""Signed requests: RFC 9421, with its own vectors, at the door, and in the evidence."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.agency.client import content_digest
from gateway.agency.request_signature import signature_headers
from gateway.core.demands import DEMANDS
from gateway.core.messages import AgencyId
from gateway.ledger import verify
from gateway.oauth.http_signatures import NotSigned, check_signature, signature_base, signature_in
from gateway.oauth.jose import BadSignature, verify_bytes
from gateway.oauth.key_policy import public_key
from gateway.store import clients
from keys.signing import FileSigner
from tests.actions.test_peers_own_proofs import evidence
from tests.edges.at_the_door import JSON, Raw, Said
from tests.gateway_house import House, gateway_house

POLICE = "northshire-police"
ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
}  # appendix B.1.4
VECTOR = (  # appendix B.2.6
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"'
)
SIGNATURE = (
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
)
REQUEST = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "@method": "POST",
    "@path": "/foo",
    "@authority": "example.com",
    "content-type": "application/json",
    "content-length": "18",
}
SIGNER = FileSigner.generate("police-1", "ES256")
VALUES = {
    "@method": "POST",
    "@target-uri": "https://gateway.council.example/v1/messages",
    "content-digest": content_digest(b"{}"),
    "authorization": "DPoP secret",
}
NOW = 1_764_000_000


def test_the_vector_of_rfc_9421_appendix_b_2_6_holds_and_nothing_near_it_does() -> None:
    tagged = VECTOR + ';tag="x"'  # the vector has no tag: it is read under one, and rebuilt without
    signed = signature_in([tagged], [SIGNATURE], "x")
    assert signed is not None
    whole = dataclasses.replace(signed, written=VECTOR.partition("=")[2])
    key = public_key(ED25519)
    verify_bytes(key, signature_base(whole, REQUEST), whole.signature)
    for name in REQUEST:
        with pytest.raises(BadSignature):
            verify_bytes(key, signature_base(whole, REQUEST | {name: "other"}), whole.signature)


def made(**changes: Any) -> tuple[list[str], list[str]]:
    given: dict[str, Any] = {"digest": VALUES["content-digest"], "created": NOW, "key": SIGNER} | changes
    headers = signature_headers(
        given["key"], "POST", VALUES["@target-uri"], given["digest"], given["created"]
    )
    return [headers["Signature-Input"]], [headers["Signature"]]


def judge(inputs: list[str], signatures: list[str], values: dict[str, str] = VALUES) -> None:
    signed = signature_in(inputs, signatures)
    assert signed is not None
    check_signature(signed, values, {"police-1": public_key(SIGNER.public_jwk())}, NOW)


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_a_right_signature_is_taken_also_beside_others(alg: Any) -> None:
    signer = FileSigner.generate("k", alg)
    inputs, signatures = made(key=signer)
    beside = 'proxy=("@method";req "x");created=1;tag="other"'
    signed = signature_in([beside, *inputs], ["proxy=:AAAA:", *signatures])
    assert signed is not None
    base, key = check_signature(signed, VALUES, {"k": public_key(signer.public_jwk())}, NOW)
    assert b'"content-digest": sha-256=:' in base
    assert key.algorithm == alg


def test_no_signature_of_ours_is_none_at_all() -> None:
    assert signature_in([], []) is None
    assert signature_in(['a=("@method");created=1;tag="other"'], ["a=:AAAA:"]) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("created=1764000000", "created=1763999900"), "last minute"),
        (("created=1764000000", "created=1764000011"), "last minute"),
        (("created=1764000000", 'created="1764000000"'), "last minute"),
        ((";created=1764000000", ""), "last minute"),
        ((";tag", ";expires=1764000000;tag"), "expired"),
        ((";tag", ';alg="ed25519";tag'), "algorithm"),
        ((";tag", ';alg="hmac-sha256";tag'), "algorithm"),
        (('keyid="police-1"', 'keyid="another"'), "key"),
        ((' "content-digest"', ""), "must cover"),
        ((' "content-digest"', ' "content-digest" "authorization"'), "token"),
        ((' "content-digest"', ' "content-digest" "x-absent"'), "not in the request"),
        ((' "content-digest"', ' "content-digest" "@method"'), "twice"),
        ((' "content-digest"', ' "content-digest";sf'), "plain name"),
        ((";tag", ";nonce=7;tag"), "does not hold"),
        ((";tag", ";created=1;tag"), "stands twice"),
    ],
)
def test_what_is_not_signed_right_is_refused_with_the_reason(change: tuple[str, str], why: str) -> None:
    inputs, signatures = made()
    assert change[0] in inputs[0]
    with pytest.raises(NotSigned, match=why):
        judge([inputs[0].replace(*change)], signatures)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "sender",
        "sender=",
        "sender=()",
        "=();x",
        'sender=("@method"',
        'sender=("@method")("x")',
        'sender=("@method");tag="safeguarding-gateway" x',
        'sender=("@method");tag="safeguarding-gateway",',
        'sender=("@method\x00");tag="safeguarding-gateway"',
        'SENDER=("@method");tag="safeguarding-gateway"',
        "(" * 5000,
        '"' * 5000,
        'sender=("a" ' * 2000,
    ],
)
def test_malformed_headers_are_refused_and_cost_nothing(malformed: str) -> None:
    """No pattern runs away: the test's own time limit bounds it."""
    try:
        signed = signature_in([malformed], ["sender=:AAAA:"])
    except NotSigned:
        return
    assert signed is None


def test_a_label_twice_and_a_signature_that_is_missing_are_refused() -> None:
    inputs, signatures = made()
    for one, other in (
        (inputs * 2, signatures),
        (inputs, signatures * 2),
        (inputs, []),
        (inputs, ["x=:AAAA:"]),
    ):
        with pytest.raises(NotSigned):
            signature_in(one, other)


# --- at the door -------------------------------------------------------------------------------------------------------

in_one_house = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("signed")) as running:
        await running.gateway.dispatch.stop()  # nothing is stated while evidence is looked at
        yield running


async def sent(house: House, reference: str, more: Mapping[str, str] | None = None, **changes: Any) -> Said:
    """One message, signed rightly but for `changes` of what is signed."""
    async with Raw(house, POLICE) as police:
        body = json.dumps(house.example("referral", reference=reference)).encode()
        right = {
            "key": house.keys[AgencyId(POLICE)],
            "method": "POST",
            "target_uri": f"{house.base_url}/v1/messages",
            "digest": content_digest(body),
            "created": int(house.clock().timestamp()),
        }
        headers = signature_headers(**(right | changes)) | {"Content-Digest": content_digest(body)}
        return await police.post(body, [("Content-Type", JSON), *headers.items(), *(more or {}).items()])


@in_one_house
async def test_a_signed_message_is_kept_with_its_signature_and_the_evidence_checks_it(house: House) -> None:
    async with house.client(POLICE, signs=True) as police:
        answer = await police.submit(house.example("referral", reference="SIGNED-1"))
    opened = dict(
        json.loads(base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)))[1:]
        for one in answer["receipt"]["disclosures"]
    )
    assert json.loads(opened["http_signature_jwk"])["kty"] == "EC"
    base = base64.b64decode(opened["http_signature_base"]).decode()
    assert f'"@target-uri": {house.base_url}/v1/messages\n' in base
    assert "DPoP" not in base, "no token and no proof is kept"
    finding, _ = await evidence(house, answer["incident"])
    assert finding.verdict == "VALID"
    assert "1 messages signed by senders' keys that the policy names" in finding.reason


@in_one_house
@pytest.mark.parametrize(
    "changes",
    [
        {"digest": content_digest(b"other")},
        {"target_uri": "https://gateway.elsewhere.example/v1/messages"},
        {"method": "PUT"},
        {"created": 1_600_000_000},
        {"key": FileSigner.generate("northshire-police-1", "ES256")},
        {"key": FileSigner.generate("another", "ES256")},
    ],
    ids=["content", "address", "method", "time", "key", "kid"],
)
async def test_a_signature_over_another_request_is_refused(house: House, changes: dict[str, Any]) -> None:
    said = await sent(house, "NOT-TAKEN", **changes)
    assert (said.status, said.code) == (422, "signature-not-taken")


@in_one_house
async def test_a_signature_without_a_digest_that_evidence_can_check_is_refused(house: House) -> None:
    """The digest holds, and is of SHA-512 alone."""
    body = json.dumps(house.example("referral", reference="LONG")).encode()
    digest = f"sha-512=:{base64.b64encode(hashlib.sha512(body).digest()).decode()}:"
    key, at = house.keys[AgencyId(POLICE)], int(house.clock().timestamp())
    headers = signature_headers(key, "POST", f"{house.base_url}/v1/messages", digest, at)
    async with Raw(house, POLICE) as police:
        sent = [("Content-Type", JSON), ("Content-Digest", digest), *headers.items()]
        said = await police.post(body, sent)
    assert (said.status, said.code) == (422, "signature-not-taken")
    assert "sha-256" in said.document["detail"]


@in_one_house
async def test_a_client_sends_nothing_without_what_is_demanded_of_it(house: House) -> None:
    await house.parts.store.transact(lambda tx: clients.demand(tx, POLICE, DEMANDS))
    house.clock.move_by(seconds=31)
    body = json.dumps(house.example("referral", reference="DEMANDED")).encode()
    digest, key = ("Content-Digest", content_digest(body)), ("Idempotency-Key", "one")
    async with Raw(house, POLICE) as police:
        bare = await police.post(body)
        keyless = await police.post(body, [("Content-Type", JSON), digest])
        unsigned = await police.post(body, [("Content-Type", JSON), digest, key])
        file = await police.call(
            "POST", "/v1/attachments", b"%PDF-1.7", [("Content-Type", "application/pdf")]
        )
    assert [(one.status, one.code) for one in (bare, keyless, unsigned, file)] == [
        (400, "malformed-request"),
        (400, "malformed-request"),
        (422, "signature-not-taken"),
        (400, "malformed-request"),
    ]
    told = [one.document["detail"] for one in (bare, keyless, unsigned)]
    assert [next(word for word in ("Digest", "Idempotency", "sign") if word in one) for one in told] == [
        "Digest",
        "Idempotency",
        "sign",
    ]
    assert (await sent(house, "SIGNED-2", more={"Idempotency-Key": "two"})).status == 201
    await house.parts.store.transact(lambda tx: clients.demand(tx, POLICE, ()))
    house.clock.move_by(seconds=31)


# --- in the evidence -----------------------------------------------------------------------------------------------------


def a_receipt(**changes: Any) -> verify.Receipt:
    """What is looked at of a receipt for a signed message."""
    payload = b"{}"
    headers = signature_headers(SIGNER, "POST", VALUES["@target-uri"], content_digest(payload), NOW)
    written = headers["Signature-Input"].partition("=")[2]
    covered = [f'"{name}": {VALUES[name]}' for name in ("@method", "@target-uri", "content-digest")]
    base = "\n".join([*covered, f'"@signature-params": {written}'])
    jwk = {name: value for name, value in SIGNER.public_jwk().items() if name in ("kty", "crv", "x", "y")}
    disclosed = {
        "sender": POLICE,
        "payload_sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "http_signature": headers["Signature"].partition("=:")[2].rstrip(":"),
        "http_signature_base": base64.b64encode(base.encode()).decode(),
        "http_signature_jwk": json.dumps(jwk),
    }
    statement = {"event": "SubmissionAcceptance", "time": "2025-11-24T16:00:05.000Z"}
    told = {name: value for name, value in (disclosed | changes).items() if value is not None}
    return verify.Receipt(statement, b"", told)


def policy(**peers: frozenset[str]) -> verify.Policy:
    return verify.Policy("gateway.example", (), (), 0, "none", {}, (), timedelta(minutes=1), peers=peers)


def test_the_verifier_counts_what_senders_signed_and_by_whose_word() -> None:
    """A key that the policy does not name may be one that the gateway made."""
    named = frozenset({public_key(SIGNER.public_jwk()).thumbprint})
    told = "1 messages signed by senders' keys that"
    assert verify.check_senders([a_receipt()], policy(**{POLICE: named})) == f"{told} the policy names"
    for believed in (policy(), policy(others=frozenset())):
        assert verify.check_senders([a_receipt()], believed) == f"{told} only the gateway names"
    assert verify.check_senders([a_receipt(http_signature=None)], policy()) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"payload_sha256": "00" * 32}, "other content"),
        ({"http_signature": base64.b64encode(bytes(64)).decode()}, "false"),
        ({"http_signature_base": base64.b64encode(b"x").decode()}, "false"),
        ({"http_signature_base": "!"}, "not whole"),
        ({"http_signature_base": None}, "not whole"),
        ({"http_signature_jwk": "[]"}, "no public one"),
        ({"http_signature_jwk": '{"kty":"oct","k":"AA"}'}, "no public one"),
    ],
)
def test_a_senders_signature_that_does_not_fit_its_receipt_makes_the_evidence_invalid(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(verify.Invalid, match=why):
        verify.check_senders([a_receipt(**changes)], policy())


def test_a_key_that_the_policy_does_not_name_and_another_time_make_it_invalid() -> None:
    with pytest.raises(verify.Invalid, match="policy names"):
        verify.check_senders([a_receipt()], policy(**{POLICE: frozenset({"another"})}))
    later = dataclasses.replace(
        a_receipt(), statement={"event": "SubmissionAcceptance", "time": "2025-11-24T17:00:00.000Z"}
    )
    with pytest.raises(verify.Invalid, match="another time"):
        verify.check_senders([later], policy())
