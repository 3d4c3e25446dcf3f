"""Signed and encrypted mail as OpenSSL makes it, each variant, read by the real child process. RFC 8551, RFC 5084, RFC 5753."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from adapters.mail.enveloped import CannotOpen, opened, recipients
from adapters.mail.findings import Expected, Kind, Reading, Verdict, Vouching
from adapters.mail.reading import read_mail
from adapters.mail.signed import Signature, Trust, check_signature, der_of, revocation_lists
from keys.opening import MailKeys, load_mail_keys
from tests.adapters.mail.mails import ENROLLED, REFERENCE, SERVER, SUBJECT, VOUCHED, filled

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NOW = datetime.now(UTC)  # certificates are judged by the machine's clock, by OpenSSL too


@dataclass(frozen=True)
class Post:
    """An authority, a school's signer, somebody else's, and our own two mailbox certificates, as files."""

    folder: Path
    keys: MailKeys

    @property
    def roots(self) -> str:
        return self.certificate("authority")

    def certificate(self, name: str) -> str:
        """A certificate without its key."""
        return (self.folder / f"{name}.pem").read_text().partition("-----END PRIVATE KEY-----\n")[2]

    def openssl(self, *words: str, given: bytes) -> bytes:
        program = shutil.which("openssl")
        assert program
        done = subprocess.run(
            [program, *words], input=given, capture_output=True, cwd=self.folder, timeout=20, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def signed(self, inner: bytes, signer: str = "school", *more: str) -> bytes:
        return self.openssl("cms", "-sign", "-signer", f"{signer}.pem", "-md", "sha256", *more, given=inner)

    def encrypted(self, inner: bytes, cipher: str, to: str = "ours-rsa", *how: str) -> bytes:
        return self.openssl("cms", "-encrypt", cipher, "-recip", f"{to}.pem", *how, given=inner)


def certificate(
    folder: Path,
    name: str,
    key: Key,
    issuer: tuple[x509.Name, Key] | None,
    address: str | None,
    valid_days: int = 30,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=valid_days) if valid_days else NOW - timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage(is_authority=issuer is None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.RFC822Name(address)])
        builder = builder.add_extension(names, critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
    made = builder.sign(issuer_key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return made


def usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Post:
    folder = tmp_path_factory.mktemp("smime")
    authority_key, stranger_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = certificate(folder, "authority", authority_key, None, None)
    stranger = certificate(folder, "stranger-authority", stranger_key, None, None)
    trusted, untrusted = (authority.subject, authority_key), (stranger.subject, stranger_key)
    school = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    school_certificate = certificate(folder, "school", school, trusted, ENROLLED)
    certificate(folder, "school-ec", ec.generate_private_key(ec.SECP256R1()), trusted, ENROLLED.upper())
    certificate(
        folder, "somebody", ec.generate_private_key(ec.SECP256R1()), trusted, "somebody@hillside.example"
    )
    certificate(folder, "stranger", ec.generate_private_key(ec.SECP256R1()), untrusted, ENROLLED)
    (folder / "mail").mkdir()
    ours = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate(folder, "ours-rsa", ours, trusted, "replies@council.example")
    certificate(
        folder, "ours-ec", ec.generate_private_key(ec.SECP256R1()), trusted, "replies@council.example"
    )
    certificate(
        folder, "theirs", ec.generate_private_key(ec.SECP256R1()), trusted, "replies@elsewhere.example"
    )
    for name in ("ours-rsa", "ours-ec"):
        shutil.copy(folder / f"{name}.pem", folder / "mail")
    for name, serials in (("none", []), ("school", [school_certificate.serial_number])):
        revoked(folder / f"{name}.crl", trusted, serials)
    ended = ec.generate_private_key(ec.SECP256R1())
    certificate(folder, "ended", ended, trusted, ENROLLED, valid_days=0)
    return Post(folder, load_mail_keys(folder))


def revoked(path: Path, issuer: tuple[x509.Name, Key], serials: Sequence[int]) -> None:
    builder = x509.CertificateRevocationListBuilder(
        issuer[0], NOW - timedelta(hours=1), NOW + timedelta(days=7)
    )
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - timedelta(hours=1))
        builder = builder.add_revoked_certificate(one.build())
    path.write_bytes(builder.sign(issuer[1], hashes.SHA256()).public_bytes(serialization.Encoding.DER))


INNER = (
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    + (f"Reference {REFERENCE}\n" + filled()).replace("\n", "\r\n")
).encode()


def as_mail(entity: bytes, *top: str) -> bytes:
    """OpenSSL's entity under the fields of a mail; with CRLF throughout, as mail travels."""
    head = "\r\n".join(
        [*top, f"From: Jane Smith <{ENROLLED}>", "To: replies@council.example", f"Subject: {SUBJECT}", ""]
    )
    return head.encode() + entity.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read(post: Post, raw: bytes, **vouching: object) -> Reading:
    told = Vouching(**({"smime_roots": post.roots} | vouching))  # type: ignore[arg-type]
    return read_mail(raw, Expected((ENROLLED,), SERVER, vouching=told), post.keys)


SIGNATURES = {
    "RSA": ("school",),
    "RSA-PSS": ("school", "-keyopt", "rsa_padding_mode:pss"),
    "ECDSA": ("school-ec",),
    "opaque": ("school-ec", "-nodetach"),
}


@pytest.mark.parametrize("variant", SIGNATURES)
def test_each_kind_of_signature_of_the_sender_is_verified_over_the_bytes_that_came(
    post: Post, variant: str
) -> None:
    signer, *more = SIGNATURES[variant]
    raw = as_mail(post.signed(INNER, signer, *more))
    checked = check_signature(raw, ENROLLED, Trust(post.roots))
    assert (checked.signature, checked.content) == (Signature.VERIFIED, INNER)


def test_what_is_changed_added_or_of_somebody_else_is_broken_and_a_stranger_is_nobody(post: Post) -> None:
    trust = Trust(post.roots)
    good = as_mail(post.signed(INNER))
    assert (
        check_signature(good.replace(b"present", b"absent!"), ENROLLED, trust).signature is Signature.BROKEN
    )
    boundary = good.split(b'boundary="')[1].split(b'"')[0]
    third = b"--" + boundary + b"\r\n\r\nadded\r\n--" + boundary + b"--"
    assert (
        check_signature(good.replace(b"--" + boundary + b"--", third), ENROLLED, trust).signature
        is Signature.BROKEN
    )
    other = as_mail(post.signed(INNER, "somebody"))
    assert check_signature(other, ENROLLED, trust).signature is Signature.BROKEN
    stranger = as_mail(post.signed(INNER, "stranger"))
    assert check_signature(stranger, ENROLLED, trust).signature is Signature.UNKNOWN
    assert check_signature(good, ENROLLED, None).signature is Signature.UNKNOWN
    assert check_signature(as_mail(INNER), ENROLLED, trust).signature is Signature.ABSENT


def test_a_revoked_certificate_is_not_believed_and_without_a_list_none_is(post: Post) -> None:
    raw = as_mail(post.signed(INNER))
    for name, verdict in (("none", Signature.VERIFIED), ("school", Signature.UNKNOWN)):
        trust = Trust(post.roots, ((post.folder / f"{name}.crl").read_bytes(),))
        assert check_signature(raw, ENROLLED, trust).signature is verdict


def test_a_list_counts_in_der_or_pem_and_several_may_stand_in_one_file(post: Post) -> None:
    der = [(post.folder / f"{name}.crl").read_bytes() for name in ("none", "school")]
    pem = [x509.load_der_x509_crl(one).public_bytes(serialization.Encoding.PEM) for one in der]
    assert revocation_lists(der[1]) == (der[1],)
    assert revocation_lists(b"issued today\n" + b"".join(pem)) == tuple(der)
    with pytest.raises(ValueError, match="torn"):
        revocation_lists(pem[1] + pem[0][:200])


def test_one_partners_own_certificate_may_be_trusted_alone(post: Post) -> None:
    """In place of its authority: then no other certificate of that authority is believed, nor one that has run out."""
    raw = as_mail(post.signed(INNER))
    alone = Trust(post.certificate("school"))
    assert check_signature(raw, ENROLLED, alone).signature is Signature.VERIFIED
    listed = replace(alone, revocations=((post.folder / "none.crl").read_bytes(),))
    assert check_signature(raw, ENROLLED, listed).signature is Signature.VERIFIED
    other = as_mail(post.signed(INNER, "school-ec"))
    assert check_signature(other, ENROLLED, alone).signature is Signature.UNKNOWN
    ended = as_mail(post.signed(INNER, "ended"))
    assert check_signature(ended, ENROLLED, Trust(post.certificate("ended"))).signature is Signature.UNKNOWN


def test_a_partner_who_is_trusted_alone_vouches_for_nobody_else(post: Post) -> None:
    """Its certificate is no authority's: one that its key issued for another partner's address is nobody's."""
    own = serialization.load_pem_private_key((post.folder / "school.pem").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(post.certificate("school").encode()).subject
    assert isinstance(own, rsa.RSAPrivateKey)
    other = "dsl@another-school.example"
    certificate(post.folder, "issued", ec.generate_private_key(ec.SECP256R1()), (issuer, own), other)
    raw = as_mail(post.signed(INNER, "issued", "-certfile", "school.pem"))
    alone = Trust(post.certificate("school"))
    assert check_signature(raw, other, alone).signature is Signature.UNKNOWN
    both = Trust(post.certificate("school") + post.roots)
    assert check_signature(raw, other, both).signature is Signature.UNKNOWN
    assert check_signature(as_mail(post.signed(INNER)), ENROLLED, both).signature is Signature.VERIFIED


def test_a_self_signed_certificate_that_calls_itself_an_authority_vouches_for_itself_alone(
    post: Post,
) -> None:
    """As programs make them when nothing else is said; it names an address, so it is one sender's."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = certificate(post.folder, "self-made", key, None, ENROLLED)
    raw = as_mail(post.signed(INNER, "self-made"))
    alone = Trust(post.certificate("self-made"))
    assert check_signature(raw, ENROLLED, alone).signature is Signature.VERIFIED
    other = "dsl@another-school.example"
    certificate(
        post.folder, "issued-by-it", ec.generate_private_key(ec.SECP256R1()), (own.subject, key), other
    )
    forged = as_mail(post.signed(INNER, "issued-by-it", "-certfile", "self-made.pem"))
    assert check_signature(forged, other, alone).signature is Signature.UNKNOWN


ENVELOPES = {
    "AES-128-CBC": ("-aes128", "ours-rsa"),
    "AES-192-CBC": ("-aes192", "ours-rsa"),
    "AES-256-CBC": ("-aes256", "ours-rsa"),
    "AES-256-GCM": ("-aes-256-gcm", "ours-rsa"),
    "OAEP": ("-aes256", "ours-rsa", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
    "by key identifier": ("-aes256", "ours-rsa", "-keyid"),
    "ECDH": ("-aes256", "ours-ec"),
    "ECDH with SHA-256": ("-aes-128-gcm", "ours-ec", "-keyopt", "ecdh_kdf_md:sha256"),
}


@pytest.mark.parametrize("variant", ENVELOPES)
def test_each_kind_of_encryption_to_us_is_opened(post: Post, variant: str) -> None:
    cipher, to, *how = ENVELOPES[variant]
    der = der_of(as_mail(post.encrypted(INNER, cipher, to, *how)))
    (mine,) = [one for one in recipients(der) if post.keys.opens(one.recipient)]
    content = opened(der, post.keys.content_key(mine))
    assert (content.content, content.is_whole) == (INNER, "gcm" in cipher)
    changed = der[:-40] + bytes([der[-40] ^ 1]) + der[-39:]
    if content.is_whole:
        with pytest.raises(CannotOpen):
            opened(changed, post.keys.content_key(mine))


def test_what_does_not_open_gives_a_key_of_the_same_length_and_no_reason(post: Post) -> None:
    """RFC 3218: an error that tells one wrong thing from another would be an oracle."""
    der = der_of(as_mail(post.encrypted(INNER, "-aes256")))
    (mine,) = recipients(der)
    for wrong in (
        replace(mine, encrypted=mine.encrypted[:-1]),
        replace(mine, recipient="serial:unknown:1"),
        replace(mine, oaep=("sha256", "sha256")),
        replace(mine, key_bytes=24),
    ):
        assert len(post.keys.content_key(wrong)) == wrong.key_bytes
    assert "PRIVATE" not in repr(post.keys)


def told(reading: Reading) -> tuple[Kind, Verdict, bool]:
    return reading.kind, reading.verdict, "auth_failed" in reading.flags


def test_a_signed_and_encrypted_reply_is_read_like_any_other_by_its_signature(post: Post) -> None:
    """Through the real child processes: nobody stamped it, the enrolled sender signed it."""
    raw = as_mail(post.encrypted(post.signed(INNER), "-aes256"))
    reading = read(post, raw)
    assert told(reading) == (Kind.REPLY, Verdict.COMPLETE, False)
    assert (reading.answers.roll_from, reading.answers.records_held) == ("2021-09-06", False)


def test_nothing_is_shown_of_a_mail_whose_encryption_nobody_signed(post: Post) -> None:
    """EFAIL: CBC has no integrity. Stamped by our server or not, signed by a stranger, or not ours to open: one answer."""
    stamped = as_mail(post.encrypted(INNER, "-aes256"), VOUCHED)
    stranger = as_mail(post.encrypted(post.signed(INNER, "stranger"), "-aes256"))
    foreign = as_mail(post.encrypted(post.signed(INNER), "-aes256", "theirs"))
    readings = [read(post, raw) for raw in (stamped, stranger, foreign)]
    assert {reading.reasons for reading in readings} == {
        ("This mail is encrypted in a way that cannot be opened safely here.",)
    }
    assert {told(reading)[:2] for reading in readings} == {(Kind.UNREADABLE, Verdict.NEEDS_REVIEW)}


def test_a_broken_signature_lowers_what_our_server_vouched_for(post: Post) -> None:
    raw = as_mail(post.signed(INNER), VOUCHED)
    assert told(read(post, raw)) == (Kind.REPLY, Verdict.COMPLETE, False)
    changed = raw.replace(b"Valley", b"Hollow")
    assert told(read(post, changed)) == (Kind.REPLY, Verdict.NEEDS_REVIEW, True)


def test_an_old_signed_answer_under_another_subject_vouches_for_nothing(post: Post) -> None:
    """A signature covers the body alone; a body that names no letter could answer any."""
    bare = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + filled().replace("\n", "\r\n").encode()
    assert told(read(post, as_mail(post.signed(bare)))) == (Kind.REPLY, Verdict.NEEDS_REVIEW, True)


def test_keys_that_are_not_whole_are_named(tmp_path: Path, post: Post) -> None:
    assert not load_mail_keys(tmp_path).opens("serial:x:1")
    (tmp_path / "mail").mkdir()
    key = (post.folder / "ours-rsa.pem").read_text().partition("-----BEGIN CERTIFICATE-----")[0]
    for content in ("nothing", key + (post.folder / "ours-ec.pem").read_text().partition("KEY-----\n")[2]):
        (tmp_path / "mail" / "a.pem").write_text(content)
        with pytest.raises(ValueError, match=r"a\.pem"):
            load_mail_keys(tmp_path)
