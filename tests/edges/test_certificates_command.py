"""`gateway clients … --certificate` and `--ca`: certificates are registered by two officers, listed, warned of and renewed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client.parser import text_string_to_metric_families

from gateway.api import operator
from gateway.api.proxy import read_secret
from gateway.app import system_clock
from gateway.core.errors import Misconfigured
from gateway.core.receipts import Event
from gateway.store import clients, tables
from tests.edges.behind_nginx import SERVER_AUTH, Identity, identity
from tests.edges.office import OFFICERS, Office, Told, deployed

AGENCIES = "id,kind,name,code\nnorthshire-icb,icb,NHS Northshire Integrated Care Board,QXX\n"
SAN = "URI:https://northshire-icb.example/safeguarding"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    office = deployed(template, tmp_path, monkeypatch, capsys)
    file = office.write("agencies.csv", AGENCIES)
    assert office("directory", "import", file, "--partnership", "south-tyneside", *OFFICERS).status == 0
    return office


def add(gateway: Office, client: str, *more: str, officers: tuple[str, ...] = OFFICERS) -> Told:
    return gateway("clients", "add", client, "--agency", "northshire-icb", "--json", *officers, *more)


def pem(gateway: Office, shown: Identity, name: str = "icb") -> str:
    return gateway.write(f"{name}.pem", shown.pem)


def events(gateway: Office, chain: str) -> list[str]:
    query = tables.entry.select().where(tables.entry.c.chain == chain).order_by(tables.entry.c.seq)
    return [row.event for row in gateway.read(lambda tx: tx.execute(query).all())]


def row_of(gateway: Office, client: str) -> clients.ClientRow:
    row = gateway.read(lambda tx: clients.find(tx, client))
    assert isinstance(row, clients.ClientRow)
    return row


def test_a_certificate_is_registered_by_two_officers_and_stated(gateway: Office) -> None:
    file = pem(gateway, identity())
    told = add(gateway, "icb-1", "--certificate", file, "--types", "referral")
    assert told.status == 0, told.err
    (shown,) = told.document["certificates"]
    assert (shown["registered_as"], shown["works"]) == ("certificate", True)
    assert re.fullmatch(r"[\w-]{43}", shown["x5t#S256"])
    row = row_of(gateway, "icb-1")
    assert (row.status, row.keys, row.message_types) == ("active", (), ("referral",))
    assert events(gateway, "client-icb-1") == [Event.KEY_INTRODUCED.text]
    alone = ("--officer", "Winifred Stave", "--second-officer", "Winifred Stave")
    assert add(gateway, "icb-2", "--certificate", pem(gateway, identity()), officers=alone).status == 1
    assert add(gateway, "icb-2", "--certificate", file, officers=alone[:2]).status != 0


def test_an_authority_is_registered_with_the_name_that_counts(gateway: Office) -> None:
    root = identity(is_authority=True)
    issuing = identity(by=root, is_authority=True)
    file = gateway.write("ca.pem", issuing.pem + root.pem)
    told = add(gateway, "icb-1", "--ca", file, "--san", SAN)
    assert told.status == 0, told.err
    (shown,) = told.document["certificates"]
    assert (shown["registered_as"], shown["uri"]) == ("authority", SAN.removeprefix("URI:"))
    assert gateway("clients", "authorities", "--out", "authorities.pem").status == 0
    assert (gateway.folder / "authorities.pem").read_bytes() == issuing.pem + root.pem
    assert add(gateway, "icb-2", "--ca", file, "--san", SAN).status == 1, "the name is another client's"
    assert add(gateway, "icb-2", "--ca", file, "--san", f"{SAN}/2").status == 0
    backwards = gateway.write("backwards.pem", root.pem + issuing.pem)
    assert add(gateway, "icb-3", "--ca", backwards, "--san", "DNS:x.example").status == 1
    leaf = pem(gateway, identity(by=root))
    assert add(gateway, "icb-3", "--ca", leaf, "--san", "DNS:x.example").status == 1


def test_what_is_no_sound_certificate_for_a_client_is_refused_with_the_reason(gateway: Office) -> None:
    weak = identity(key=rsa.generate_private_key(65537, 1024))
    two = identity().pem + identity().pem
    for name, content, why in (
        ("expired", identity(days=-0.01).pem, "expired"),
        ("weak", weak.pem, "RSA"),
        ("curve", identity(key=ec.generate_private_key(ec.SECP521R1())).pem, "P-256"),
        ("servers", identity(usages=[SERVER_AUTH]).pem, "client authentication"),
        ("two", two, "more than one"),
        ("none", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "PEM"),
        ("text", b"hello", "PEM"),
    ):
        told = add(gateway, "icb-1", "--certificate", gateway.write(f"{name}.pem", content))
        assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1), name
        assert why in told.err, name
    assert gateway.read(clients.listed) == ()


def test_wrong_use_is_told_in_one_line(gateway: Office) -> None:
    file = pem(gateway, identity())
    for words in (
        ("--ca", file),
        ("--certificate", file, "--san", SAN),
        ("--certificate", file, "--ca", file, "--san", SAN),
        ("--certificate", "absent.pem"),
        ("--certificate", file, "--jwks", "some.jwks"),
        ("--ca", file, "--san", "northshire-icb.example"),
        ("--ca", file, "--san", "DNS:"),
    ):
        told = add(gateway, "icb-1", *words)
        assert (told.status, told.out, len(told.err.splitlines())) == (2, "", 1), words
    assert gateway("clients", "authorities", "--out", "authorities.pem").status == 1


def test_one_certificate_speaks_for_one_client_and_is_renewed_beside_the_next(gateway: Office) -> None:
    file, following = pem(gateway, identity()), pem(gateway, identity(), "next")
    assert add(gateway, "icb-1", "--certificate", file).status == 0
    assert add(gateway, "icb-2", "--certificate", file).status == 1
    renewed = ("clients", "rotate", "icb-1", "--certificate", following, "--overlap-hours", "48", *OFFICERS)
    assert gateway(*renewed).status == 0
    assert gateway(*renewed).status == 1, "it is there already"
    (row,) = gateway("clients", "list", "--json").document
    assert [one["works"] for one in row["certificates"]] == [True, True]
    late, early = (one["ends_at"] for one in row["certificates"])
    assert early < late
    assert gateway("clients", "rotate", "nobody", "--certificate", file, *OFFICERS).status == 1
    third = pem(gateway, identity(), "third")
    killed = gateway("clients", "rotate", "icb-1", "--certificate", third, "--compromised", *OFFICERS)
    assert killed.status == 0
    assert len(row_of(gateway, "icb-1").certificates) == 1
    assert row_of(gateway, "icb-1").tokens_not_before is not None
    introduced, revoked = Event.KEY_INTRODUCED.text, Event.KEY_REVOKED.text
    assert events(gateway, "client-icb-1") == [introduced] * 3 + [revoked] * 2


def test_a_certificate_that_ends_within_a_month_is_told_everywhere_until_the_next_is_there(
    gateway: Office,
) -> None:
    ending = pem(gateway, identity(days=20))
    assert add(gateway, "icb-1", "--certificate", ending).status == 0
    words = "icb-1: its last certificate ends on"
    assert "certificates-end-soon" in gateway("clients", "list", "--json").out
    assert words in gateway("doctor").out
    days = gateway.read(lambda tx: operator._figures(tx, system_clock())).decode()
    figures = {f.name: f.samples for f in text_string_to_metric_families(days)}
    (left,) = figures["gateway_client_certificate_days_left"]
    assert (left.labels, round(left.value)) == ({"client": "icb-1"}, 20)
    following = pem(gateway, identity(), "next")
    assert gateway("clients", "rotate", "icb-1", "--certificate", following, *OFFICERS).status == 0
    assert words not in gateway("doctor").out
    assert "certificates-end-soon" not in gateway("clients", "list", "--json").out


@pytest.mark.parametrize("content", ["", "short", "x" * 40 + " y", 'a"' * 20, "é" * 40])
def test_a_proxy_secret_that_is_none_stops_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content)
    with pytest.raises(Misconfigured):
        read_secret(tmp_path / "secret")
    with pytest.raises(Misconfigured):
        read_secret(tmp_path / "absent")


def test_a_proxy_secret_is_taken_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0f" * 32 + "\n")
    assert read_secret(tmp_path / "secret") == b"0f" * 32


def test_submit_shows_a_key_or_a_certificate_with_its_key(gateway: Office) -> None:
    shown = identity()
    shown.files(gateway.folder, "icb")
    identity().files(gateway.folder, "other")
    gateway.write("message.json", "{}")
    command = ("submit", "message.json", "--to", "https://localhost:1", "--client", "icb-1")
    for words in (
        (),
        ("--certificate", "icb.pem"),
        ("--certificate", "icb.pem", "--certificate-key", "other.key"),
        ("--certificate", "absent.pem", "--certificate-key", "icb.key"),
    ):
        told = gateway(*command, *words)
        assert (told.status, len(told.err.splitlines())) == (2, 1), words
        assert "certificate" in told.err
