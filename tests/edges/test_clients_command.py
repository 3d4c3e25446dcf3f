"""`gateway clients` and `gateway keys`: public halves only, two officers, an entry for every key."""

from __future__ import annotations

import base64
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws

from gateway.api.operator import operator_app
from gateway.core.receipts import Event
from gateway.oauth.key_policy import check_jwks
from gateway.parts import Parts
from gateway.store import clients, tables
from keys.signing import FileSigner, jwk_thumbprint
from schemas import newest
from tests.edges.oauth_caller import Key, compact
from tests.edges.office import OFFICERS, Office, Told, deployed

ASKING, AGREEING = OFFICERS[:2], OFFICERS[2:]
SOON, LATER = (
    (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)).isoformat() for days in (20, 40)
)
CLIENT_COMMANDS = [
    "add",
    "approve",
    "challenge",
    "list",
    "rotate",
    "revoke",
    "suspend",
    "permit",
    "receive",
    "demand",
    "legacy-audience",
    "new-key",
    "prove",
]
AGENCIES = "id,kind,name,code\nnorthshire-police,police,Northshire Police,E23000099\n"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    """A deployment whose directory holds one police force."""
    office = deployed(template, tmp_path, monkeypatch, capsys)
    file = office.write("agencies.csv", AGENCIES)
    assert office("directory", "import", file, "--partnership", "south-tyneside", *OFFICERS).status == 0
    return office


def a_key(gateway: Office, name: str = "police") -> dict[str, Any]:
    assert gateway("clients", "new-key", f"{name}.jwk").status == 0
    key: dict[str, Any] = json.loads((gateway.folder / f"{name}.jwk").read_text())
    return key


def add(gateway: Office, client: str, *more: str) -> Told:
    return gateway("clients", "add", client, "--agency", "northshire-police", "--json", *ASKING, *more)


def approve(
    gateway: Office, client: str, challenge: dict[str, str], *keys: str, by: tuple[str, ...] = AGREEING
) -> Told:
    """The agency signs with its keys, and the second officer is handed the proofs."""
    gateway.write("the.json", json.dumps(challenge))
    held = [word for key in keys for word in ("--key", key)]
    proved = gateway("clients", "prove", "the.json", *held, "--out", "the.proof")
    assert proved.status == 0, proved.err
    return gateway("clients", "approve", client, "--proof", "the.proof", "--json", *by)


def registered(gateway: Office, client: str = "np-1", *more: str) -> dict[str, Any]:
    """A client that is in, with one key: that key."""
    key = a_key(gateway)
    told = add(gateway, client, "--jwks", "police.jwks", *more)
    assert told.status == 0, told.err
    assert approve(gateway, client, told.document["challenge"], "police.jwk").status == 0
    return key


def the_client(gateway: Office, client: str = "np-1") -> clients.ClientRow:
    row: clients.ClientRow | None = gateway.read(lambda tx: clients.find(tx, client))
    assert row is not None
    return row


def statuses(gateway: Office) -> dict[str, str]:
    (row,) = gateway("clients", "list", "--json").document
    return {key["kid"]: key["status"] for key in row["keys"]}


def opened_fields(receipt: dict[str, Any]) -> dict[str, str]:
    """What an entry commits to, opened by what was handed out with it."""
    found = [json.loads(base64.urlsafe_b64decode(one + "==")) for one in receipt["disclosures"]]
    return {name: value for _, name, value in found}


def events(gateway: Office, chain: str) -> list[str]:
    query = tables.entry.select().where(tables.entry.c.chain == chain).order_by(tables.entry.c.seq)
    return [row.event for row in gateway.read(lambda tx: tx.execute(query).all())]


def test_a_new_key_is_private_to_its_owner_and_its_public_half_passes_the_policy(gateway: Office) -> None:
    key = a_key(gateway)
    assert stat.S_IMODE((gateway.folder / "police.jwk").stat().st_mode) == 0o600
    public = json.loads((gateway.folder / "police.jwks").read_text())
    assert key["d"] not in json.dumps(public)
    assert check_jwks(public)["keys"][0]["kid"] == key["kid"]
    assert gateway("clients", "new-key", "police.jwk").status == 2, "no key is written over another"
    assert json.loads((gateway.folder / "police.jwk").read_text()) == key


def test_a_client_waits_until_it_proved_its_key_and_a_second_officer_agreed(gateway: Office) -> None:
    key = a_key(gateway)
    told = add(gateway, "np-1", "--jwks", "police.jwks")
    assert told.status == 0, told.err
    assert (told.document["status"], told.document["private_half_left_out"]) == ("pending", False)
    assert told.document["keys"] == [{"kid": key["kid"], "thumbprint": jwk_thumbprint(key)}]
    assert the_client(gateway).status == "pending"
    assert statuses(gateway) == {key["kid"]: "pending"}
    challenge = told.document["challenge"]
    assert approve(gateway, "np-1", challenge, "police.jwk").status == 0
    row = the_client(gateway)
    assert (row.agency, row.status, row.waiting) == ("northshire-police", "active", None)
    assert set(row.scopes) == {"messages.write", "messages.read"}
    assert statuses(gateway) == {key["kid"]: "active"}
    assert events(gateway, "client-np-1") == [Event.CLIENT_CHANGED.text, Event.KEY_INTRODUCED.text]
    assert approve(gateway, "np-1", challenge, "police.jwk").status == 1, "nothing waits any more"


def test_the_entry_names_client_key_and_both_officers_under_commitments(gateway: Office) -> None:
    key = a_key(gateway)
    challenge = add(gateway, "np-1", "--jwks", "police.jwks").document["challenge"]
    (receipt,) = approve(gateway, "np-1", challenge, "police.jwk").document["receipts"]
    assert opened_fields(receipt) == {
        "client": "np-1",
        "kid": key["kid"],
        "thumbprint": jwk_thumbprint(key),
        "asked_by": "Winifred Stave",
        "agreed_by": "Desmond Quill",
    }
    statement = base64.urlsafe_b64decode(receipt["jws"].split(".")[1] + "==")
    assert b"Winifred" not in statement
    assert key["kid"].encode() not in statement


def test_the_officer_who_asked_cannot_agree(gateway: Office) -> None:
    a_key(gateway)
    challenge = add(gateway, "np-1", "--jwks", "police.jwks").document["challenge"]
    alone = approve(gateway, "np-1", challenge, "police.jwk", by=("--second-officer", "winifred  STAVE"))
    assert (alone.status, alone.out) == (1, "")
    assert the_client(gateway).status == "pending"


def test_a_proof_by_another_key_for_another_client_gateway_or_challenge_is_refused(gateway: Office) -> None:
    a_key(gateway)
    a_key(gateway, "other")
    challenge = add(gateway, "np-1", "--jwks", "police.jwks").document["challenge"]

    def refused(key: str = "police.jwk", **changes: str) -> str:
        told = approve(gateway, "np-1", challenge | changes, key)
        assert (told.status, told.out) == (1, "")
        return told.err

    assert "none of the keys" in refused("other.jwk")
    assert "another client" in refused(client="np-2")
    assert "another gateway" in refused(audience="https://else.example")
    assert "another challenge" in refused(nonce="0" * 64)
    again = gateway("clients", "challenge", "np-1", "--json", *ASKING).document["challenge"]
    assert "another challenge" in refused()
    assert the_client(gateway).status == "pending"
    assert approve(gateway, "np-1", again, "police.jwk").status == 0


def test_what_the_agency_has_to_sign_is_written_to_a_file_for_it(gateway: Office) -> None:
    a_key(gateway)
    told = add(gateway, "np-1", "--jwks", "police.jwks", "--challenge", "np.json")
    assert json.loads((gateway.folder / "np.json").read_text()) == told.document["challenge"]
    for words in (
        ("np.json", "--key", "police.jwks"),
        ("police.jwks", "--key", "police.jwk"),
        ("none", "--key", "x"),
    ):
        assert gateway("clients", "prove", *words).status == 2
    shown = gateway("clients", "prove", "np.json", "--key", "police.jwk", "--json")
    assert len(shown.document["proofs"]) == 1


def test_an_assertion_is_no_proof_though_its_key_and_audience_are_right(gateway: Office) -> None:
    key = a_key(gateway)
    challenge = add(gateway, "np-1", "--jwks", "police.jwks").document["challenge"]
    claims = json.dumps(
        {"iss": "np-1", "sub": "np-1", "aud": challenge["audience"], "nonce": challenge["nonce"]}
    )
    header = {"alg": "ES256", "typ": "JWT", "kid": key["kid"]}
    gateway.write("a.proof", jws.serialize_compact(header, claims, jwk.import_key(key)))
    told = gateway("clients", "approve", "np-1", "--proof", "a.proof", *AGREEING)
    assert (told.status, "typ" in told.err) == (1, True)
    for rubbish in ("a.b", "{}", "....", "a" * 9000):
        gateway.write("a.proof", rubbish)
        assert gateway("clients", "approve", "np-1", "--proof", "a.proof", *AGREEING).status == 1
    gateway.write("a.proof", "")
    assert gateway("clients", "approve", "np-1", "--proof", "a.proof", *AGREEING).status == 2


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_any_jose_library_makes_a_proof(gateway: Office, alg: str) -> None:
    key = Key.make(alg)
    gateway.write("np.jwks", json.dumps({"keys": [{**key.jwk, "kid": key.kid}]}))
    told = add(gateway, "np-1", "--jwks", "np.jwks").document["challenge"]
    claims = {"iss": "np-1", "aud": told["audience"], "nonce": told["nonce"]}
    gateway.write("np.proof", compact({"alg": alg, "typ": "client-key-proof+jwt"}, claims, key))
    assert gateway("clients", "approve", "np-1", "--proof", "np.proof", *AGREEING).status == 0


def test_every_key_of_a_set_must_be_proved(gateway: Office) -> None:
    one, two = a_key(gateway), a_key(gateway, "two")
    public = [
        json.loads((gateway.folder / f"{name}.jwks").read_text())["keys"][0] for name in ("police", "two")
    ]
    gateway.write("both.jwks", json.dumps({"keys": public}))
    challenge = add(gateway, "np-1", "--jwks", "both.jwks").document["challenge"]
    assert approve(gateway, "np-1", challenge, "police.jwk").status == 1
    assert the_client(gateway).status == "pending"
    told = approve(gateway, "np-1", challenge, "police.jwk", "two.jwk")
    assert (told.status, set(told.document["kids"])) == (0, {one["kid"], two["kid"]})


def test_a_challenge_that_has_expired_is_given_out_anew(gateway: Office) -> None:
    a_key(gateway)
    challenge = add(gateway, "np-1", "--jwks", "police.jwks").document["challenge"]
    waiting = the_client(gateway).waiting
    assert waiting is not None
    assert timedelta(days=13) < waiting.expires_at - datetime.now(UTC) <= timedelta(days=14)
    over = replace(waiting, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    jwks = the_client(gateway).jwks
    gateway.look(lambda parts: parts.store.transact(lambda tx: clients.ask_for_keys(tx, "np-1", jwks, over)))
    late = approve(gateway, "np-1", challenge, "police.jwk")
    assert (late.status, "expired" in late.err) == (1, True)
    fresh = gateway("clients", "challenge", "np-1", "--json", *ASKING).document["challenge"]
    assert approve(gateway, "np-1", fresh, "police.jwk").status == 0


def test_doctor_and_the_figures_tell_whom_to_see_to(gateway: Office) -> None:
    registered(gateway, "np-1", "--not-after", SOON)
    a_key(gateway, "other")
    assert add(gateway, "np-2", "--jwks", "other.jwks").status == 0
    rows = {row["check"]: row for row in gateway("doctor", "--json").document}
    found = rows["clients' keys, approvals and exceptions"]
    assert found["ok"]
    assert "client np-1: its last key ends on" in found["advice"]
    assert "client np-2: keys wait" in found["advice"]

    async def figures(parts: Parts) -> str:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(event: Any) -> None:
            sent.append(event)

        scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [], "query_string": b""}
        await operator_app(parts)(scope, receive, send)
        return b"".join(event.get("body", b"") for event in sent).decode()

    told = gateway.look(figures)
    for concern, count in (("keys-end-soon", 1), ("waits-for-approval", 1), ("no-key-works", 0)):
        assert f'gateway_clients_to_see_to{{concern="{concern}"}} {count}.0' in told


def test_a_private_key_is_proof_enough_when_both_officers_are_there_and_only_its_public_half_is_kept(
    gateway: Office,
) -> None:
    key = a_key(gateway)
    told = add(gateway, "np-1", "--key", "police.jwk", *AGREEING)
    assert (told.status, told.document["private_half_left_out"]) == (0, True)
    assert (told.document["status"], told.document["challenge"]) == ("active", None)
    assert the_client(gateway).status == "active"
    assert key["d"] not in json.dumps(the_client(gateway).jwks)
    assert key["d"] not in told.out
    a_key(gateway, "more")
    waits = add(gateway, "np-2", "--jwks", "more.jwks", *AGREEING)
    assert (waits.status, waits.document["status"]) == (0, "pending"), "public keys alone prove nothing"


def test_a_key_set_with_a_private_key_in_it_is_refused(gateway: Office) -> None:
    key = a_key(gateway)
    gateway.write("both.jwks", json.dumps({"keys": [key]}))
    told = add(gateway, "np-1", "--jwks", "both.jwks")
    assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert gateway.read(clients.listed) == ()


def test_what_stands_in_the_way_of_a_registration(gateway: Office) -> None:
    a_key(gateway)
    assert add(gateway, "np-1", "--jwks", "police.jwks").status == 0
    assert add(gateway, "np-1", "--jwks", "police.jwks").status == 1, "the id is taken"
    assert add(gateway, "np-2", "--jwks", "police.jwks").status == 1, (
        "the key is another's, though it only waits"
    )
    a_key(gateway, "other")
    unknown = gateway("clients", "add", "x-1", "--agency", "nowhere", "--jwks", "other.jwks", *ASKING)
    assert unknown.status == 1
    alone = ("--second-officer", "Winifred Stave")
    assert add(gateway, "x-1", "--key", "other.jwk", *alone).status == 1
    for words in (
        ("Not A Slug", "--jwks", "other.jwks"),
        ("x-1",),
        ("x-1", "--jwks", "absent.jwks"),
        ("x-1", "--jwks", "other.jwks", "--scopes", "everything"),
        ("x-1", "--jwks", "other.jwks", "--types", "poem"),
        ("x-1", "--jwks", "other.jwks", "--not-after", "tomorrow"),
        ("x-1", "--jwks", "other.jwks", "--not-before", LATER, "--not-after", SOON),
    ):
        assert add(gateway, *words).status == 2
    assert [row.id for row in gateway.read(clients.listed)] == ["np-1"]


def test_new_keys_work_beside_the_old_ones_until_the_overlap_ends(gateway: Office) -> None:
    old = registered(gateway)
    new = a_key(gateway, "new")
    told = gateway(
        "clients", "rotate", "np-1", "--jwks", "new.jwks", "--overlap-hours", "2", "--json", *ASKING
    )
    assert told.status == 0, told.err
    assert statuses(gateway) == {old["kid"]: "active", new["kid"]: "pending"}, "the old key goes on"
    assert approve(gateway, "np-1", told.document["challenge"], "new.jwk").status == 0
    (row,) = gateway("clients", "list", "--json").document
    assert {key["kid"]: (key["works"], key["status"], key["ends_at"] is None) for key in row["keys"]} == {
        new["kid"]: (True, "active", True),
        old["kid"]: (True, "retiring", False),
    }
    again = gateway("clients", "rotate", "np-1", "--jwks", "new.jwks", *ASKING)
    assert again.status == 1, "the kid is there already"


def test_a_second_request_for_new_keys_takes_the_place_of_the_first(gateway: Office) -> None:
    old = registered(gateway)
    a_key(gateway, "first")
    second = a_key(gateway, "second")
    first = gateway("clients", "rotate", "np-1", "--jwks", "first.jwks", "--json", *ASKING).document
    last = gateway("clients", "rotate", "np-1", "--jwks", "second.jwks", "--json", *ASKING).document
    assert statuses(gateway) == {old["kid"]: "active", second["kid"]: "pending"}
    assert approve(gateway, "np-1", first["challenge"], "first.jwk").status == 1
    assert approve(gateway, "np-1", last["challenge"], "second.jwk").status == 0


def test_a_client_has_at_most_five_keys_together_with_those_that_wait(gateway: Office) -> None:
    registered(gateway)
    keys = [Key.make("Ed25519", f"k{number}") for number in range(5)]
    public = [{**key.jwk, "kid": key.kid} for key in keys]
    gateway.write("five.jwks", json.dumps({"keys": public}))
    assert gateway("clients", "rotate", "np-1", "--jwks", "five.jwks", *ASKING).status == 1
    gateway.write("four.jwks", json.dumps({"keys": public[:4]}))
    assert gateway("clients", "rotate", "np-1", "--jwks", "four.jwks", *ASKING).status == 0


def test_a_window_stands_beside_the_key_and_its_end_is_announced(gateway: Office) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    registered(gateway, "np-1", "--not-after", ends.isoformat())
    (row,) = gateway("clients", "list", "--json").document
    assert row["keys"][0]["ends_at"] == ends.isoformat().replace("+00:00", "Z")
    assert [one["concern"] for one in row["concerns"]] == ["keys-end-soon"]
    assert "MEND" in gateway("clients", "list").out


def test_compromised_keys_and_their_tokens_are_dead_at_once(gateway: Office) -> None:
    old = registered(gateway)
    new = a_key(gateway, "new")
    lost = ("clients", "rotate", "np-1", "--key", "new.jwk", "--compromised")
    assert gateway(*lost, *ASKING).status == 2, "it takes two to kill keys"
    assert gateway(*lost, *OFFICERS).status == 0
    assert statuses(gateway) == {old["kid"]: "revoked", new["kid"]: "active"}
    assert the_client(gateway).tokens_not_before is not None
    assert events(gateway, "client-np-1")[2:] == [
        Event.KEY_REVOKED.text,
        Event.CLIENT_CHANGED.text,
        Event.KEY_INTRODUCED.text,
    ]


def test_one_key_is_revoked_and_can_never_come_back(gateway: Office) -> None:
    old = registered(gateway)
    told = gateway("clients", "revoke", "np-1", old["kid"], "--json", *OFFICERS)
    assert told.status == 0, told.err
    assert opened_fields(told.document["receipts"][0])["thumbprint"] == jwk_thumbprint(old)
    assert statuses(gateway) == {old["kid"]: "revoked"}
    assert the_client(gateway).tokens_not_before is not None
    assert gateway("clients", "revoke", "np-1", old["kid"], *OFFICERS).status == 1
    public = {**json.loads((gateway.folder / "police.jwks").read_text())["keys"][0], "kid": "another-name"}
    gateway.write("again.jwks", json.dumps({"keys": [public]}))
    assert gateway("clients", "rotate", "np-1", "--jwks", "again.jwks", *ASKING).status == 1
    assert add(gateway, "np-2", "--jwks", "again.jwks").status == 1
    (row,) = gateway("clients", "list", "--json").document
    assert [one["concern"] for one in row["concerns"]] == ["no-key-works"]


def test_a_suspended_client_comes_back_only_by_two_officers_and_its_tokens_stay_dead(gateway: Office) -> None:
    a_key(gateway)
    add(gateway, "np-1", "--jwks", "police.jwks")
    assert gateway("clients", "suspend", "np-1", "--lift", *OFFICERS).status == 1, (
        "no way in past the approval"
    )
    challenge = gateway("clients", "challenge", "np-1", "--json", *ASKING).document["challenge"]
    assert approve(gateway, "np-1", challenge, "police.jwk").status == 0
    assert gateway("clients", "suspend", "np-1", *OFFICERS).status == 0
    assert gateway("clients", "suspend", "np-1", *OFFICERS).status == 1
    assert gateway("clients", "list", "--json").document[0]["status"] == "suspended"
    told = gateway("clients", "suspend", "np-1", "--lift", "--json", *OFFICERS)
    assert told.document["status"] == "active"
    row = the_client(gateway)
    assert (row.status, row.tokens_not_before is None) == ("active", False)
    assert events(gateway, "client-np-1")[-2:] == [Event.CLIENT_CHANGED.text] * 2
    assert gateway("clients", "suspend", "nobody", *OFFICERS).status == 1


def test_what_a_client_may_do_is_changed_by_two_officers_with_an_entry(gateway: Office) -> None:
    registered(gateway, "np-1", "--types", "referral")
    assert the_client(gateway).message_types == ("referral",)
    told = gateway(
        "clients",
        "permit",
        "np-1",
        "--types",
        "referral,call-log",
        "--scopes",
        "messages.write",
        "--json",
        *OFFICERS,
    )
    assert told.document["message_types"] == ["referral", "call-log"]
    assert told.document["scopes"] == ["messages.write"]
    assert opened_fields(told.document["receipts"][0])["message_types"] == "referral call-log"
    assert gateway("clients", "permit", "np-1", "--types", "any", *OFFICERS).status == 0
    assert (the_client(gateway).message_types, the_client(gateway).scopes) == (None, ("messages.write",))
    assert gateway("clients", "permit", "np-1", *OFFICERS).status == 2
    assert gateway("clients", "permit", "nobody", "--types", "any", *OFFICERS).status == 1


def test_a_client_is_shown_the_versions_of_its_day_until_officers_choose_others(gateway: Office) -> None:
    registered(gateway)
    assert the_client(gateway).receives == newest()
    words = ("clients", "receive", "np-1", "--versions")
    for wrong in ("referral=9", "nonsense=1", "referral", "referral=²", " "):
        assert gateway(*words, wrong, *OFFICERS).status == 2
    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred  STAVE")
    assert gateway(*words, "referral=1", *alone).status == 1
    told = gateway(*words, "referral=1", "--json", *OFFICERS)
    assert told.document["receives"] == {"referral": 1}
    assert opened_fields(told.document["receipts"][0])["receives"] == "referral=1"
    (row,) = gateway("clients", "list", "--json").document
    assert row["receives"] == newest()


def test_two_officers_demand_headers_of_a_client_and_a_signature_only_where_there_is_a_key(
    gateway: Office,
) -> None:
    registered(gateway)
    words = ("clients", "demand", "np-1")
    told = gateway(*words, "--headers", "signature, Content-Digest", "--json", *OFFICERS)
    assert (told.status, told.document["must_send"]) == (0, ["content-digest", "signature"])
    assert opened_fields(told.document["receipts"][0])["must_send"] == "content-digest signature"
    (row,) = gateway("clients", "list", "--json").document
    assert row["must_send"] == ["content-digest", "signature"]
    for wrong in (("--headers", "authorization"), (), ("--headers", "signature", "--end")):
        assert gateway(*words, *wrong, *OFFICERS).status == 2
    assert gateway(*words, "--end", *OFFICERS).status == 0
    assert the_client(gateway).must_send == ()
    (key,) = the_client(gateway).keys
    assert gateway("clients", "revoke", "np-1", key["kid"], *OFFICERS).status == 0
    assert gateway(*words, "--headers", "signature", *OFFICERS).status == 1
    assert gateway(*words, "--headers", "idempotency-key", *OFFICERS).status == 0
    assert gateway("clients", "demand", "nobody", "--headers", "signature", *OFFICERS).status == 1


def test_the_older_audience_is_never_for_new_clients_and_always_ends(gateway: Office) -> None:
    registered(gateway)
    words = ("clients", "legacy-audience", "np-1")
    new = gateway(*words, "--until", SOON, *OFFICERS)
    assert (new.status, "new client" in new.err) == (1, True)
    long_ago = datetime.now(UTC) - timedelta(days=60)
    older = tables.client.update().values(registered_at=long_ago)
    gateway.look(lambda parts: parts.store.transact(lambda tx: tx.execute(older) and None))
    assert (
        gateway(*words, "--until", (datetime.now(UTC) + timedelta(days=200)).isoformat(), *OFFICERS).status
        == 1
    )
    assert gateway(*words, "--until", "2020-01-01T00:00+00:00", *OFFICERS).status == 1
    assert gateway(*words, *OFFICERS).status == 2
    told = gateway(*words, "--until", SOON, "--json", *OFFICERS)
    assert told.status == 0, told.err
    assert events(gateway, "client-np-1")[-1] == Event.CLIENT_CHANGED.text
    (row,) = gateway("clients", "list", "--json").document
    assert [one["concern"] for one in row["concerns"]] == ["legacy-audience"]
    assert gateway(*words, "--end", *OFFICERS).status == 0
    assert the_client(gateway).legacy_audience_until is None


def test_a_new_receipt_key_is_announced_under_the_old_one_and_the_old_one_stays_published(
    gateway: Office,
) -> None:
    before = {row["purpose"]: row["kid"] for row in gateway("keys", "list", "--json").document}
    told = gateway("keys", "rotate", "receipts", "--json", *OFFICERS)
    assert told.status == 0, told.err
    rows = [row for row in gateway("keys", "list", "--json").document if row["purpose"] == "receipts"]
    assert [(row["kid"], row["status"]) for row in rows] == [
        (before["receipts"], "current"),
        (told.document["kid"], "next"),
    ]
    query = tables.entry.select().where(tables.entry.c.chain == "keys-receipts")
    (entry,) = gateway.read(lambda tx: tx.execute(query).all())
    assert (entry.event, entry.kid) == (Event.KEY_INTRODUCED.text, before["receipts"])


def test_the_tenth_key_follows_the_ninth(gateway: Office) -> None:
    folder = gateway.folder / "var/keys/tokens"
    for number in range(2, 10):
        kid = f"development-tokens-{number}"
        FileSigner.generate(kid, "ES256").save(folder / f"{kid}.pem")
    assert gateway("keys", "rotate", "tokens", *OFFICERS).status == 0
    rows = gateway("keys", "list", "--json").document
    states = {row["kid"].removeprefix("development-tokens-"): row["status"] for row in rows}
    assert (states["9"], states["10"]) == ("current", "next")
    assert all(row["development"] for row in rows)


def test_one_officer_rotates_none_and_what_is_no_purpose_is_wrong_use(gateway: Office) -> None:
    assert gateway("keys", "rotate", "letters", *OFFICERS).status == 2
    assert gateway("keys", "rotate", "log", "--compromised", *OFFICERS).status == 2
    assert gateway("keys", "rotate", "log", "--forget-former", *OFFICERS).status == 2
    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred stave")
    assert gateway("keys", "rotate", "receipts", *alone).status == 1
    assert gateway("keys", "rotate", "master", *alone).status == 1
    assert len(gateway("keys", "list", "--json").document) == 4


@pytest.mark.parametrize(
    ("group", "command"),
    [("clients", c) for c in CLIENT_COMMANDS] + [("keys", c) for c in ("list", "rotate")],
)
def test_every_command_has_help_with_an_example(gateway: Office, group: str, command: str) -> None:
    told = gateway(group, command, "--help")
    assert told.status == 0
    assert f"Example: gateway {group} {command}" in " ".join(told.out.split())
