"""`gateway clients` and `gateway keys`: public halves only, two officers, an entry for every key."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.core.receipts import Event
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients, tables
from keys.signing import FileSigner
from tests.edges.office import OFFICERS, Office, Told, deployed

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
    return gateway("clients", "add", client, "--agency", "northshire-police", "--json", *OFFICERS, *more)


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


def test_a_client_is_registered_with_public_keys_and_an_entry_for_each(gateway: Office) -> None:
    key = a_key(gateway)
    told = add(gateway, "np-1", "--jwks", "police.jwks")
    assert told.status == 0, told.err
    assert told.document["private_half_left_out"] is False
    row = gateway.read(lambda tx: clients.find(tx, "np-1"))
    assert row is not None
    assert (row.agency, row.status, set(row.scopes)) == (
        "northshire-police",
        "active",
        {"messages.write", "messages.read"},
    )
    assert [entry["kid"] for entry in row.jwks["keys"]] == [key["kid"]]
    assert events(gateway, "client-np-1") == [Event.KEY_INTRODUCED.text]


def test_of_a_private_key_only_the_public_half_is_taken_and_that_is_said(gateway: Office) -> None:
    key = a_key(gateway)
    told = add(gateway, "np-1", "--key", "police.jwk")
    assert (told.status, told.document["private_half_left_out"]) == (0, True)
    row = gateway.read(lambda tx: clients.find(tx, "np-1"))
    assert key["d"] not in json.dumps(row.jwks)
    assert key["d"] not in told.out


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
    assert add(gateway, "np-2", "--jwks", "police.jwks").status == 1, "the key is another's"
    a_key(gateway, "other")
    unknown = gateway("clients", "add", "x-1", "--agency", "nowhere", "--jwks", "other.jwks", *OFFICERS)
    assert unknown.status == 1
    alone = ("--officer", "Winifred Stave", "--second-officer", "Winifred Stave")
    one = gateway("clients", "add", "x-1", "--agency", "northshire-police", "--jwks", "other.jwks", *alone)
    assert one.status == 1
    for words in (
        ("Not A Slug", "--jwks", "other.jwks"),
        ("x-1",),
        ("x-1", "--jwks", "absent.jwks"),
        ("x-1", "--jwks", "other.jwks", "--scopes", "everything"),
    ):
        assert add(gateway, *words).status == 2
    assert [row.id for row in gateway.read(clients.listed)] == ["np-1"]


def test_new_keys_work_beside_the_old_ones_until_the_overlap_ends(gateway: Office) -> None:
    old = a_key(gateway)
    add(gateway, "np-1", "--jwks", "police.jwks")
    new = a_key(gateway, "new")
    told = gateway(
        "clients", "rotate", "np-1", "--jwks", "new.jwks", "--overlap-hours", "2", "--json", *OFFICERS
    )
    assert told.status == 0, told.err
    (row,) = gateway("clients", "list", "--json").document
    assert {key["kid"]: (key["works"], key["ends_at"] is None) for key in row["keys"]} == {
        new["kid"]: (True, True),
        old["kid"]: (True, False),
    }
    assert events(gateway, "client-np-1") == [Event.KEY_INTRODUCED.text] * 2
    again = gateway("clients", "rotate", "np-1", "--jwks", "new.jwks", *OFFICERS)
    assert again.status == 1, "the kid is there already"


def test_compromised_keys_and_their_tokens_are_dead_at_once(gateway: Office) -> None:
    a_key(gateway)
    add(gateway, "np-1", "--jwks", "police.jwks")
    new = a_key(gateway, "new")
    assert gateway("clients", "rotate", "np-1", "--jwks", "new.jwks", "--compromised", *OFFICERS).status == 0
    row = gateway.read(lambda tx: clients.find(tx, "np-1"))
    assert [key["kid"] for key in row.jwks["keys"]] == [new["kid"]]
    assert row.tokens_not_before is not None
    assert events(gateway, "client-np-1")[1:] == [Event.KEY_INTRODUCED.text, Event.KEY_REVOKED.text]


def test_a_suspended_client_comes_back_only_by_two_officers_and_its_tokens_stay_dead(gateway: Office) -> None:
    a_key(gateway)
    add(gateway, "np-1", "--jwks", "police.jwks")
    assert gateway("clients", "suspend", "np-1", *OFFICERS).status == 0
    assert gateway("clients", "suspend", "np-1", *OFFICERS).status == 1
    assert gateway("clients", "list", "--json").document[0]["status"] == "suspended"
    told = gateway("clients", "suspend", "np-1", "--lift", "--json", *OFFICERS)
    assert told.document["status"] == "active"
    row = gateway.read(lambda tx: clients.find(tx, "np-1"))
    assert (row.status, row.tokens_not_before is None) == ("active", False)
    assert events(gateway, "client-np-1")[1:] == [Event.CLIENT_CHANGED.text] * 2
    assert gateway("clients", "suspend", "nobody", *OFFICERS).status == 1


def test_a_new_receipt_key_is_announced_under_the_old_one_and_the_old_one_stays_published(
    gateway: Office,
) -> None:
    before = {row["purpose"]: row["kid"] for row in gateway("keys", "list", "--json").document}
    told = gateway("keys", "rotate", "receipts", "--json", *OFFICERS)
    assert told.status == 0, told.err
    rows = [row for row in gateway("keys", "list", "--json").document if row["purpose"] == "receipts"]
    assert [(row["kid"], row["current"]) for row in rows] == [
        (before["receipts"], False),
        (told.document["kid"], True),
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
    assert [row["kid"] for row in rows if row["purpose"] == "tokens" and row["current"]] == [
        "development-tokens-10"
    ]
    assert all(row["development"] for row in rows)


def test_a_log_keeps_its_key_and_one_officer_rotates_none(gateway: Office) -> None:
    assert gateway("keys", "rotate", "log", *OFFICERS).status == 2
    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred stave")
    assert gateway("keys", "rotate", "receipts", *alone).status == 1
    assert len(gateway("keys", "list", "--json").document) == 3


@pytest.mark.parametrize(
    ("group", "command"),
    [("clients", c) for c in ("add", "list", "rotate", "suspend", "new-key")]
    + [("keys", c) for c in ("list", "rotate")],
)
def test_every_command_has_help_with_an_example(gateway: Office, group: str, command: str) -> None:
    told = gateway(group, command, "--help")
    assert told.status == 0
    assert f"Example: gateway {group} {command}" in " ".join(told.out.split())
