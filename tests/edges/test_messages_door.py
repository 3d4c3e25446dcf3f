"""`POST /v1/messages`: repeats are harmless, whatever is no message is refused in words of ours, and nothing of it is left."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.agency.client import AgencyProblem, content_digest
from gateway.core.messages import AgencyId
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients
from keys.signing import FileSigner
from tests.actions.scene import rows
from tests.edges.at_the_door import JSON, MARKER, Raw
from tests.gateway_house import House, gateway_house

POLICE, ICB, UNIT = "northshire-police", "northshire-icb", "south-tyneside-sbu"
TYPED = ("Content-Type", JSON)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


@pytest.fixture
async def police(house: House) -> AsyncIterator[Raw]:
    async with Raw(house, POLICE) as raw:
        yield raw


def as_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def turned_round(value: Any) -> Any:
    """The same content with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: turned_round(value[name]) for name in reversed(value)}
    return [turned_round(item) for item in value] if isinstance(value, list) else value


# --- repeats ---------------------------------------------------------------------------------------------------------


async def test_a_repeat_says_that_it_is_one_and_is_otherwise_the_same(house: House, police: Raw) -> None:
    body = as_bytes(house.example("referral", reference="NP-1"))
    first, again = await police.post(body), await police.post(body)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Location"] == again.headers["Location"] == f"/v1/messages/{first.document['id']}"


async def test_the_duties_that_follow_are_the_same_in_the_answer_and_afterwards(
    house: House, police: Raw
) -> None:
    answer = (await police.post(as_bytes(house.example("referral", reference="NP-2D")))).document
    state = (await police.call("GET", f"/v1/messages/{answer['id']}", headers=())).document
    assert answer["duties"]

    def by_id(duty: dict[str, Any]) -> str:
        return str(duty["id"])

    assert sorted(answer["duties"], key=by_id) == sorted(state["duties"], key=by_id)


async def test_order_of_members_and_white_space_are_no_other_content(house: House, police: Raw) -> None:
    document = house.example("referral", reference="NP-2")
    first = await police.post(as_bytes(document))
    before = await rows(house)
    again = await police.post(json.dumps(turned_round(document), indent=3).encode())
    assert again.document == first.document
    assert await rows(house) == before


async def test_the_same_reference_with_other_content_is_refused(house: House, police: Raw) -> None:
    await police.post(as_bytes(house.example("referral", reference="NP-3")))
    before = await rows(house)
    said = await police.post(as_bytes(house.example("referral", reference="NP-3", marking="OFFICIAL")))
    assert (said.status, said.code) == (422, "reference-reused")
    assert await rows(house) == before


async def test_a_reference_belongs_to_its_sender(house: House, police: Raw) -> None:
    document = house.example("referral", reference="SAME-1")
    async with Raw(house, ICB) as icb:
        first, second = await police.post(as_bytes(document)), await icb.post(as_bytes(document))
    assert first.document["id"] != second.document["id"]


async def test_a_key_used_for_another_message_is_refused(house: House, police: Raw) -> None:
    key = ("Idempotency-Key", '"once"')
    await police.post(as_bytes(house.example("referral", reference="NP-4")), (TYPED, key))
    before = await rows(house)
    said = await police.post(as_bytes(house.example("referral", reference="NP-5")), (TYPED, key))
    assert (said.status, said.code) == (422, "idempotency-key-reused")
    assert await rows(house) == before


async def test_another_client_s_key_is_its_own(house: House, police: Raw) -> None:
    """Another agency's client, and another client of the same agency."""
    at = house.clock()
    key = FileSigner.generate("second-1", "ES256")
    jwks = check_jwks({"keys": [key.public_jwk()]})
    await house.parts.store.transact(
        lambda tx: clients.add(tx, "police-second", AgencyId(POLICE), jwks, ("messages.write",), at)
    )
    message = {name: house.example("referral", reference=f"NP-{name}") for name in ("a", "b", "c")}
    first = await police.post(as_bytes(message["a"]), (TYPED, ("Idempotency-Key", "k")))
    async with Raw(house, ICB) as icb:
        other = await icb.post(as_bytes(message["b"]), (TYPED, ("Idempotency-Key", "k")))
    async with house.client("police-second", key=key) as second:
        third = await second.submit(message["c"], idempotency_key="k")
    assert len({first.document["id"], other.document["id"], third["id"]}) == 3


async def test_fifty_at_once_with_one_key_and_other_contents_are_one_message(
    house: House, police: Raw
) -> None:
    await police.client.token()
    key = (TYPED, ("Idempotency-Key", "race"))
    bodies = [as_bytes(house.example("referral", reference=f"NP-{number}")) for number in range(50)]
    said = await asyncio.gather(*(police.post(body, key) for body in bodies))
    assert sorted(one.status for one in said) == [201] + [422] * 49
    assert (await rows(house))["message"] == 1


@pytest.mark.parametrize("key", ['""', "", "k" * 256, '"a b"', "schlüssel", "a\tb"])
async def test_a_key_that_is_no_key_is_refused(house: House, police: Raw, key: str) -> None:
    before = await rows(house)
    body = as_bytes(house.example("referral", reference="NP-6"))
    said = await police.post(body, (TYPED, ("Idempotency-Key", key)))
    assert (said.status, said.code) == (400, "malformed-request")
    assert await rows(house) == before


async def test_two_keys_are_none(house: House, police: Raw) -> None:
    body = as_bytes(house.example("referral", reference="NP-6"))
    keys = (("Idempotency-Key", "a"), ("Idempotency-Key", "a"))
    assert (await police.post(body, (TYPED, *keys))).code == "malformed-request"


# --- what is no message ----------------------------------------------------------------------------------------------

_M = MARKER.encode()
HOSTILE_BODIES = {
    "empty": (b"", "malformed-json"),
    "text": (_M, "malformed-json"),
    "cut-off": (b'{"type": "' + _M, "malformed-json"),
    "a-list": (b'["' + _M + b'"]', "malformed-json"),
    "a-string": (b'"' + _M + b'"', "malformed-json"),
    "member-twice": (b'{"type": "referral", "type": "' + _M + b'"}', "malformed-json"),
    "member-twice-escaped": (b'{"' + _M + b'": 1, "\\u005ayxw-marker-9987": 2}', "malformed-json"),
    "nan": (b'{"' + _M + b'": NaN}', "malformed-json"),
    "infinity": (b'{"' + _M + b'": -Infinity}', "malformed-json"),
    "too-large-float": (b'{"' + _M + b'": 1e999}', "malformed-json"),
    "long-integer": (b'{"' + _M + b'": ' + b"9" * 5000 + b"}", "malformed-json"),
    "nul": (b'{"type": "' + _M + b'\\u0000"}', "malformed-json"),
    "raw-nul": (b'{"type": "' + _M + b'\x00"}', "malformed-json"),
    "lone-surrogate": (b'{"type": "' + _M + b'\\ud800"}', "malformed-json"),
    "surrogate-name": (b'{"' + _M + b'\\udfff": 1}', "malformed-json"),
    "deep": (b'{"' + _M + b'":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed-json"),
    "deep-objects": (b'{"a":' * 40 + b'"' + _M + b'"' + b"}" * 40, "malformed-json"),
    "byte-order-mark": (b'\xef\xbb\xbf{"a": "' + _M + b'"}', "malformed-json"),
    "utf-16": (('{"a": "' + MARKER + '"}').encode("utf-16"), "malformed-json"),
    "latin-1": (b'{"a": "' + _M + b'\xe9"}', "malformed-json"),
    "an-object": (b'{"' + _M + b'": "' + _M + b'"}', "invalid-message"),
    "unknown-type": (b'{"type": "' + _M + b'", "version": 1}', "invalid-message"),
}


async def test_what_is_no_message_is_refused_without_echo_and_leaves_nothing(
    house: House, police: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    for name, (body, code) in HOSTILE_BODIES.items():
        said = await police.post(body)
        assert (name, said.code, said.document["status"]) == (name, code, said.status)
        assert said.headers["Content-Type"] == "application/problem+json"
        _says_nothing_of_the_input(said, capsys)
        assert (name, await rows(house)) == (name, before)


FAULTS: list[dict[str, Any]] = [
    {"author": {"name": MARKER, "post": MARKER, MARKER: 1}},
    {"lawful_basis": MARKER},
    {"created_at": MARKER},
    {"created_at": "2026-02-30T00:00:00Z"},
    {"created_at": "2026-11-02T23:59:60Z"},
    {"created_at": "2026-11-02T09:40:00"},
    {"incident": "SI-7K3M-9QPX-2E"},
    {"incident": MARKER},
    {"reference": MARKER + "\n"},
    {"reference": ""},
    {"marking": MARKER},
    {"attachments": [{"id": MARKER, "sha256": MARKER}]},
    {"agency": MARKER},
    {"status": "accepted", "arrived_at": "2020-01-01T00:00:00Z"},
    {"version": 99},
    {"version": True},
    {"type": "triage-decision"},
    {"body": {MARKER: MARKER}},
    {"body": None},
]


async def test_faults_of_a_message_come_with_pointers_and_without_values(
    house: House, police: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    for changed in FAULTS:
        said = await police.post(as_bytes(house.example("referral", reference="NP-7") | changed))
        assert (changed, said.status, said.code) == (changed, 422, "invalid-message")
        assert all(set(error) == {"pointer", "code"} for error in said.document["errors"])
        assert said.document["errors"]
        _says_nothing_of_the_input(said, capsys)
    assert await rows(house) == before


async def test_a_message_larger_than_is_taken_is_refused_whatever_it_claims(
    house: House, police: Raw
) -> None:
    before = await rows(house)
    limit = house.parts.settings.body_limit_bytes

    async def without_a_length() -> AsyncIterator[bytes]:
        for _ in range(limit // 65_536 + 2):
            yield b" " * 65_536

    for body in (io.BytesIO(b'{"a": "' + b"x" * limit + b'"}'), without_a_length()):
        said = await police.post(body)
        assert (said.status, said.code) == (413, "too-large")
    assert await rows(house) == before


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Content-Type", "text/plain"),),
        (("Content-Type", "application/xml"),),
        (("Content-Type", "application/jsonx"),),
        (("Content-Type", JSON), ("Content-Type", "text/plain")),
        (("Content-Type", JSON), ("Content-Encoding", "gzip")),
        (("Content-Type", JSON), ("Content-Encoding", "identity"), ("Content-Encoding", "br")),
    ],
    ids=["none", "text", "xml", "jsonx", "twice", "gzip", "two codings"],
)
async def test_only_plain_json_is_taken(
    house: House, police: Raw, headers: tuple[tuple[str, str], ...]
) -> None:
    before = await rows(house)
    body = as_bytes(house.example("referral", reference="NP-8"))
    said = await police.post(
        gzip.compress(body) if ("Content-Encoding", "gzip") in headers else body, headers
    )
    assert (said.status, said.code) == (415, "unsupported-media-type")
    assert said.headers["Accept-Encoding"] == "identity", "RFC 9110 section 15.5.16"
    assert await rows(house) == before


async def test_a_body_that_says_that_it_is_not_coded_is_taken(house: House, police: Raw) -> None:
    body = as_bytes(house.example("referral", reference="NP-8I"))
    assert (await police.post(body, (TYPED, ("Content-Encoding", "Identity")))).status == 201


def _digest(body: bytes, name: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(name, body).digest()).decode()


@pytest.mark.parametrize(
    "digests",
    [
        ["sha-256=:" + _digest(b"another") + ":"],
        ["sha-256=" + _digest(b"x")],
        ["nonsense"],
        [""],
        ["sha-256=::"],
        ["GOOD", "sha-256=:" + _digest(b"another") + ":"],
        ["GOOD", "sha-512=:" + _digest(b"another", "sha512") + ":"],
        ["GOOD", "nonsense"],
        ["md5=:" + _digest(b"x", "md5") + ":"],
    ],
)
async def test_a_wrong_content_digest_is_refused(house: House, police: Raw, digests: list[str]) -> None:
    before = await rows(house)
    body = as_bytes(house.example("referral", reference="NP-9"))
    sent = [("Content-Digest", content_digest(body) if one == "GOOD" else one) for one in digests]
    said = await police.post(body, (TYPED, *sent))
    assert (said.status, said.code) == (400, "digest-mismatch")
    assert await rows(house) == before


async def test_each_algorithm_of_rfc_9530_is_checked_alone_or_beside_others(
    house: House, police: Raw
) -> None:
    body = as_bytes(house.example("referral", reference="NP-10"))
    short, long = content_digest(body), f"sha-512=:{_digest(body, 'sha512')}:"
    for sent in (short, long, f"{long}, {short}", f"{short};from=here , md5=:AAAA:"):
        assert (await police.post(body, (TYPED, ("Content-Digest", sent)))).status == 201, sent


# --- who is calling --------------------------------------------------------------------------------------------------


async def test_a_proof_is_good_for_one_message(house: House, police: Raw) -> None:
    proof = await police.credentials("POST", "/v1/messages")
    first = await police.post(as_bytes(house.example("referral", reference="NP-11")), credentials=proof)
    before = await rows(house)
    second = await police.post(as_bytes(house.example("referral", reference="NP-12")), credentials=proof)
    assert first.status == 201
    assert (second.status, second.code) == (401, "proof-replayed")
    assert second.headers["WWW-Authenticate"].startswith("DPoP ")
    assert await rows(house) == before


@pytest.mark.parametrize(
    "changed",
    [
        {"lawful_basis": "none"},  # refused by the schema
        {"partnership": "southampton"},  # refused before the transaction
        {"incident": "SI-7K3M-9QPX-2D"},  # refused in the transaction
        {"type": "chase"},  # refused as no referral
    ],
    ids=["schema", "before", "within", "type"],
)
async def test_a_proof_that_came_with_something_refused_is_used_up_too(
    house: House, police: Raw, changed: dict[str, Any]
) -> None:
    proof = await police.credentials("POST", "/v1/messages")
    wrong = as_bytes(house.example("referral", reference="NP-13") | changed)
    assert (await police.post(wrong, credentials=proof)).status in (403, 404, 422)
    again = await police.post(as_bytes(house.example("referral", reference="NP-14")), credentials=proof)
    assert (again.status, again.code) == (401, "proof-replayed")
    assert (await rows(house))["message"] == 0


async def test_a_call_may_come_before_any_form_and_a_return_needs_its_incident(
    house: House, police: Raw
) -> None:
    """S0-10: the published example of a call names no incident, and opens one."""
    call = await police.post(as_bytes(house.example("call-log", reference="NP-CALL")))
    assert (call.status, call.document["decision"]) == (201, "forward")
    assert call.document["incident"].startswith("SI-")
    said = await police.post(as_bytes(house.example("information-return", reference="NP-R", incident=None)))
    assert (said.status, said.document["errors"]) == (422, [{"pointer": "/incident", "code": "required"}])


async def test_what_the_rules_refuse_uses_its_proof_and_says_why(house: House, police: Raw) -> None:
    proof = await police.credentials("POST", "/v1/messages")
    body = as_bytes(house.example("chase", reference="NP-15", incident=None))
    first = await police.post(body, credentials=proof)
    assert (first.status, first.code) == (403, "not-permitted")
    assert (await police.post(body, credentials=proof)).code == "proof-replayed"


async def test_without_credentials_the_body_is_not_even_looked_at(
    house: House, police: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    said = await police.post(b"{" + _M, credentials={})
    assert (said.status, said.code) == (401, "not-authenticated")
    assert "WWW-Authenticate" in said.headers
    _says_nothing_of_the_input(said, capsys)
    assert await rows(house) == before


async def test_a_token_for_reading_writes_nothing(house: House) -> None:
    at = house.clock()
    key = FileSigner.generate("reader-1", "ES256")
    jwks = check_jwks({"keys": [key.public_jwk()]})
    await house.parts.store.transact(
        lambda tx: clients.add(tx, "police-reader", AgencyId(POLICE), jwks, ("messages.read",), at)
    )
    before = await rows(house)
    async with house.client("police-reader", key=key) as reader:
        with pytest.raises(AgencyProblem) as refused:
            await reader.submit(house.example("referral", reference="NP-16"))
        assert (refused.value.status, refused.value.code) == (403, "insufficient-scope")
        assert await reader.inbox() == []
    assert await rows(house) == before


async def test_an_acknowledgement_needs_the_scope_to_write_too(house: House, police: Raw) -> None:
    at = house.clock()
    key = FileSigner.generate("reader-1", "ES256")
    jwks = check_jwks({"keys": [key.public_jwk()]})
    await house.parts.store.transact(
        lambda tx: clients.add(tx, "unit-reader", AgencyId(UNIT), jwks, ("messages.read",), at)
    )
    await police.post(as_bytes(house.example("referral", reference="NP-17")))
    async with house.client("unit-reader", key=key) as reader:
        (item,) = await reader.inbox()
        with pytest.raises(AgencyProblem) as refused:
            await reader.acknowledge(item["id"], "person", "sbu")
    assert refused.value.code == "insufficient-scope"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/messages", 405),
        ("DELETE", "/v1/messages", 405),
        ("TRACE", "/v1/messages", 405),
        ("POST", "/v1/messages/", 404),
        ("POST", "/v1//messages", 404),
        ("GET", "/docs/../v1/nothing", 404),
        ("GET", f"/{MARKER}", 404),
    ],
)
async def test_what_is_not_there_is_said_in_our_words(
    police: Raw, capsys: pytest.CaptureFixture[str], method: str, path: str, status: int
) -> None:
    said = await police.call(method, path, headers=())
    assert said.status == status
    assert said.headers["Content-Type"] == "application/problem+json"
    assert "Location" not in said.headers
    _says_nothing_of_the_input(said, capsys)


async def test_an_id_that_is_none_is_not_found(police: Raw) -> None:
    for name in ("%00", "%0a", "..%2f..", "%ff", "x" * 1000, "msg-%C3%A9", "MSG-AAAA"):
        for place in ("messages", "receipts", "incidents", "inbox"):
            said = await police.call("GET", f"/v1/{place}/{name}", headers=())
            assert (place, name, said.status, said.code) == (place, name, 404, "not-found")


def _says_nothing_of_the_input(said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logged = capsys.readouterr()
    assert MARKER.encode() not in said.body
    assert MARKER not in logged.out + logged.err
    assert MARKER not in str(said.headers)
