"""Which way e-mail may leave, by the recipient's domain, and that nothing falls back to a weaker one."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from adapters.mail.connections import Relay
from adapters.mail.enveloping import signed_and_encrypted
from adapters.mail.policy import (
    ClassRules,
    MailClass,
    NotAllowed,
    Policy,
    PolicyUnreadable,
    read_policy,
    relay_map,
)
from adapters.mail.sending import MailAdapter, Manner
from gateway.core.deliveries import Fault, TryLater, Undeliverable
from keys.letters import LetterKeys, MailIdentity, load_letter_keys
from tests.adapters.mail.judges import by_openssl
from tests.adapters.mail.test_letter import posting
from tests.adapters.mail.test_post import OURS, parcel
from tests.mail_servers import free_ports

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
FILE = """
default = "hold"

[[domain]]
name = "council.example"
class = "gov-secure"

[[domain]]
name = "*.sch.example"
class = "gov-secure"

[[domain]]
name = "old.sch.example"
class = "hold"

[[domain]]
name = "police.example"
class = "cjsm"

[[domain]]
name = "icb.example"
class = "smime"

[[certificate]]
address = "Duty@icb.example"
file = "icb.pem"

[class.cjsm]
relay_url = "smtp://cjsm.council.example:587"
give_up_after_hours = 2
"""


def _identity(address: str, folder: Path, stem: str) -> tuple[Path, Path]:
    """A self-signed certificate for an address and its key, as PEM files."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Invented")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7)
        .not_valid_before(AT - timedelta(days=9))
        .not_valid_after(AT + timedelta(days=3650))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
    )
    certificate = builder.sign(key, hashes.SHA256())
    certificate_file, key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key_file.chmod(0o600)
    return certificate_file, key_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    _identity("duty@icb.example", folder, "icb")
    certificate, key = _identity(OURS.from_address, folder, "ours")
    (folder / "letters").mkdir()
    certificate.rename(folder / "letters/smime.crt")
    key.rename(folder / "letters/smime.pem")
    (folder / "policy.toml").write_text(FILE)
    return folder


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return read_policy(folder / "policy.toml")


@pytest.fixture(scope="module")
def identity(folder: Path) -> MailIdentity:
    found = load_letter_keys(folder).identity
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("dsl@council.example", MailClass.GOV_SECURE),
        ("dsl@COUNCIL.example", MailClass.GOV_SECURE),
        ("dsl@hillside.sch.example", MailClass.GOV_SECURE),
        ("dsl@a.hillside.sch.example", MailClass.GOV_SECURE),
        ("dsl@old.sch.example", MailClass.HOLD),
        ("dsl@sub.council.example", MailClass.HOLD),
        ("dsl@elsewhere.example", MailClass.HOLD),
        ("duty@police.example", MailClass.CJSM),
    ],
)
def test_the_nearest_entry_decides_and_else_the_default(
    address: str, expected: MailClass, policy: Policy
) -> None:
    assert policy.class_of(address) is expected


def test_without_a_file_every_domain_needs_a_verified_server() -> None:
    assert Policy().handling("dsl@hillside.example", AT).mail_class is MailClass.GOV_SECURE


def test_cjsm_goes_to_the_suffixed_address_by_its_own_gateway_and_never_otherwise(policy: Policy) -> None:
    handling = policy.handling("duty@police.example", AT)
    assert handling.recipient == "duty@police.example.cjsm.net"
    assert (handling.rules.tag, handling.rules.relay_url) == ("CJSM", "smtp://cjsm.council.example:587")
    suffixed = replace(policy, default=MailClass.CJSM).handling("duty@police.example.cjsm.net", AT)
    assert suffixed.recipient == "duty@police.example.cjsm.net"
    with pytest.raises(NotAllowed, match="no-cjsm-gateway"):
        Policy(default=MailClass.CJSM).handling("duty@police.example", AT)


def test_a_certificate_must_be_there_and_in_date(policy: Policy) -> None:
    assert policy.handling("DUTY@icb.example", AT).certificate is not None
    with pytest.raises(NotAllowed, match="no-certificate"):
        policy.handling("other@icb.example", AT)
    with pytest.raises(NotAllowed, match="certificate-out-of-date"):
        policy.handling("duty@icb.example", AT + timedelta(days=5000))


async def outcome(manner: Manner, address: str, token: str | None = "tok1") -> tuple[object, int]:
    adapter = MailAdapter(Relay("127.0.0.1", free_ports(1)[0]), OURS, manner)
    try:
        return await adapter.deliver(parcel(address, token)), adapter.connections_made
    finally:
        await adapter.aclose()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("a@elsewhere.example", "mail-policy-hold"), ("other@icb.example", "no-certificate"),
     ("duty@icb.example", "no-signing-certificate")],
)  # fmt: skip
async def test_what_may_not_leave_is_an_officers_to_deal_with_and_no_server_hears_of_it(
    address: str, reason: str, policy: Policy
) -> None:
    told, connections = await outcome(Manner(policy, clock=lambda: AT), address)
    assert told == Undeliverable(reason, Fault.SYSTEM)
    assert connections == 0


async def test_after_its_classes_patience_an_officer_is_told_instead_of_another_try() -> None:
    """The letter was written at 08:00; the usual patience is four hours."""
    early = Manner(clock=lambda: AT - timedelta(seconds=1))
    assert await outcome(early, "dsl@hillside.example") == (TryLater("refused-connection"), 1)
    late = Manner(clock=lambda: AT)
    expected = Undeliverable("refused-connection", Fault.SYSTEM)
    assert await outcome(late, "dsl@hillside.example") == (expected, 1)
    is_a_notice = await outcome(late, "dsl@hillside.example", None)
    assert is_a_notice == (TryLater("refused-connection"), 1), "nobody waits for its answer"


def test_the_relay_is_told_to_demand_a_verified_server_for_each_domain(policy: Policy) -> None:
    """What Postfix reads as `smtp_tls_policy_maps`; a leading dot is everything under a name."""
    assert relay_map(policy) == [
        ".sch.example secure protocols=>=TLSv1.2",
        "council.example secure protocols=>=TLSv1.2",
        "icb.example secure protocols=>=TLSv1.2",
    ]


@pytest.mark.needs("postfix")
def test_postfix_reads_that_map(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    (tmp_path / "map").write_text("\n".join(relay_map(policy)) + "\n")
    for name in ("council.example", ".sch.example"):
        command = ["postmap", "-c", str(tmp_path), "-q", name, f"texthash:{tmp_path}/map"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        assert done.stdout == "secure protocols=>=TLSv1.2\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('default = "open"', "a class is one of"),
        ('[[domain]]\nname = "x y"\nclass = "hold"', "needs a name"),
        ('[[domain]]\nname = "x.example"\nclass = "hold"\nplain = true', "has no 'plain'"),
        ('[class.cjsm]\nrelay_url = "smtp://u:secret@h"', "password in a file"),
        ('[class.cjsm]\nsubject_tag = "a\\r\\nb"', "one plain word"),
        ("[class.nhs]\ngive_up_after_hours = 0", "more than 0"),
        ("[class.nhs]\ngive_up_after_hours = true", "more than 0"),
        ('[[certificate]]\naddress = "other@icb.example"\nfile = "icb.pem"', "another address"),
        ('[[certificate]]\naddress = "duty@icb.example"\nfile = "none.pem"', "PEM file"),
        ("domain = 3", "once for each"),
        ("class = 3", "write [class.NAME]"),
        ("class.hold = 3", "is a table"),
        ("=", "not TOML"),
    ],
)  # fmt: skip
def test_a_policy_that_is_not_sound_says_what_to_mend_and_shows_no_secret(
    text: str, told: str, folder: Path
) -> None:
    file = folder / "bad.toml"
    file.write_text(text)
    with pytest.raises(PolicyUnreadable) as fault:
        read_policy(file)
    assert told in str(fault.value)
    assert "secret" not in str(fault.value)
    with pytest.raises(PolicyUnreadable):
        read_policy(folder / "nowhere.toml")


def test_an_encrypted_letter_is_opened_and_found_signed_by_openssl(
    policy: Policy, identity: MailIdentity, folder: Path
) -> None:
    certificate = policy.handling("duty@icb.example", AT).certificate
    assert certificate is not None
    plain = posting().content
    sealed = signed_and_encrypted(plain, identity, certificate)
    head = sealed.partition(b"\r\n\r\n")[0]
    assert b"Subject: Private and confidential" in head
    assert b"enveloped-data" in head
    assert b"Robin" not in sealed
    opened = by_openssl(
        "cms", "-decrypt", "-recip", str(folder / "icb.pem"), "-inkey", str(folder / "icb.key"), given=sealed
    )  # fmt: skip
    assert opened.returncode == 0, opened.stderr
    verify = ("cms", "-verify", "-CAfile", str(folder / "letters/smime.crt"), "-purpose", "smimesign")
    verified = by_openssl(*verify, given=opened.stdout)
    assert verified.returncode == 0, verified.stderr
    assert plain.partition(b"\r\n\r\n")[2].rstrip() in verified.stdout
    changed = opened.stdout.replace(b"without delay", b"when you like")
    assert changed != opened.stdout
    assert by_openssl(*verify, given=changed).returncode != 0


def test_a_signing_certificate_that_is_not_the_keys_own_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    for name, source in (("smime.crt", folder / "icb.pem"), ("smime.pem", folder / "letters/smime.pem")):
        (tmp_path / "letters" / name).write_bytes(source.read_bytes())
        (tmp_path / "letters" / name).chmod(0o600)
    with pytest.raises(ValueError, match="not the RSA key"):
        load_letter_keys(tmp_path)


def test_rules_of_a_class_that_the_file_does_not_name_are_the_usual_ones(policy: Policy) -> None:
    assert policy.rules[MailClass.CJSM].patience == timedelta(hours=2)
    assert policy.rules[MailClass.NHS] == ClassRules()
    assert LetterKeys() == load_letter_keys(Path("nowhere"))


def test_the_policy_that_the_operators_guide_shows_is_one(folder: Path) -> None:
    guide = (Path(__file__).resolve().parents[3] / "deploy/guides/operator.md").read_text("utf-8")
    shown = (
        'default = "gov-secure"' + guide.partition('```text\ndefault = "gov-secure"')[2].partition("```")[0]
    )
    _identity("duty@icb.test", folder, "duty-icb")
    file = folder / "shown.toml"
    file.write_text(shown)
    policy = read_policy(file)
    assert policy.class_of("dsl@hillside.sch.test") is MailClass.GOV_SECURE
    assert policy.handling("duty@icb.test", AT).certificate is not None
    assert policy.rules[MailClass.CJSM].patience == timedelta(hours=2)
