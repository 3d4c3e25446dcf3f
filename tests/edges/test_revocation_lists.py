"""Certificates that their authority took back: RFC 5280 section 5. The lists are made by `cryptography`, one is read by openssl."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.dates_at_hand import Dates
from gateway.cli.operator import about_revocation
from gateway.oauth.certificates import (
    Presented,
    authority_entry,
    check_certificate,
    client_certificates,
    thumbprint_of,
)
from gateway.oauth.reasons import Reason, Rejected
from gateway.oauth.revocation_lists import RevocationLists
from gateway.partnerships.calendars import shipped_holidays
from gateway.settings import Settings
from tests.edges.behind_nginx import Identity, identity
from tests.gateway_house import MovableClock

NAME = "https://northshire-icb.example/safeguarding"
AT = datetime.now(UTC)


def revocation_list(
    by: Identity,
    revoked: Iterable[Identity] = (),
    *,
    begins: timedelta = timedelta(hours=-1),
    days: float = 7,
    critical: bool = False,
    signed_by: Identity | None = None,
) -> bytes:
    """A list (DER) of what `by` took back."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(AT + begins)
        .next_update(AT + timedelta(days=days))
    )
    if critical:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    for one in revoked:
        serial = one.certificate.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(AT).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign((signed_by or by).key, hashes.SHA256()).public_bytes(Encoding.DER)


class Authority:
    """A registered authority, a folder of lists and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, MovableClock(AT)
        self.own = identity(is_authority=True)
        self.lists = RevocationLists(folder, self.clock)
        self.one = self.issue()

    def issue(self) -> Identity:
        return identity([x509.UniformResourceIdentifier(NAME)], by=self.own)

    def write(self, content: bytes, name: str = "icb.crl") -> None:
        (self.folder / name).write_bytes(content)

    def reason(self, one: Identity) -> Reason | None:
        """Why this certificate is refused; None: it is let in."""
        entry = authority_entry(self.own.pem, "uri", NAME, AT)
        shown = Presented(one.certificate, thumbprint_of(one.certificate), is_verified=True)
        try:
            check_certificate(shown, client_certificates([entry]), self.clock(), self.lists)
        except Rejected as rejected:
            return rejected.reason
        return None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_what_is_on_the_list_is_refused_and_the_rest_let_in(authority: Authority) -> None:
    taken_back = authority.issue()
    authority.write(revocation_list(authority.own, [taken_back]))
    assert authority.reason(taken_back) is Reason.CERTIFICATE_REVOKED
    assert authority.reason(authority.one) is None


def test_a_list_in_pem_form_serves_too_and_is_what_openssl_reads(authority: Authority) -> None:
    der = revocation_list(authority.own, [authority.one])
    pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
    authority.write(pem)
    assert authority.reason(authority.one) is Reason.CERTIFICATE_REVOKED
    printed = subprocess.run(
        ["openssl", "crl", "-noout", "-text"], input=pem, capture_output=True, check=True
    )
    assert f"{authority.one.certificate.serial_number:X}".encode() in printed.stdout


@pytest.mark.parametrize(
    "how",
    ["none", "over", "not begun", "a delta", "a stranger's", "by another key", "no list at all"],
)
def test_without_a_sound_list_in_date_nobody_of_that_authority_is_let_in(
    authority: Authority, how: str
) -> None:
    own, stranger = authority.own, identity(is_authority=True)
    content = {
        "over": revocation_list(own, days=-0.01),
        "not begun": revocation_list(own, begins=timedelta(hours=1)),
        "a delta": revocation_list(own, critical=True),
        "a stranger's": revocation_list(stranger),
        "by another key": revocation_list(own, signed_by=stranger),
        "no list at all": b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    }.get(how)
    if content is not None:
        authority.write(content)
    assert authority.reason(authority.one) is Reason.CERTIFICATE_STATUS_UNKNOWN


def test_a_renewed_list_is_found_within_a_minute_and_the_newest_counts(authority: Authority) -> None:
    authority.write(revocation_list(authority.own))
    assert authority.reason(authority.one) is None
    newer = revocation_list(authority.own, [authority.one], begins=timedelta(minutes=-1))
    authority.write(newer, "an-earlier-name.crl")
    assert authority.reason(authority.one) is None, "looked at once a minute"
    authority.clock.move_by(seconds=61)
    assert authority.reason(authority.one) is Reason.CERTIFICATE_REVOKED


@pytest.mark.parametrize(
    ("days", "ok", "word"),
    [(None, False, "shut out"), (-0.01, False, "shut out"), (0.5, True, "warning"), (7, True, "")],
)
def test_doctor_warns_a_day_before_a_list_ends_and_says_who_is_shut_out(
    authority: Authority, days: float | None, ok: bool, word: str
) -> None:
    if days is not None:
        authority.write(revocation_list(authority.own, days=days))
    found = Dates({}, (), shipped_holidays(), 0, (), (("icb-1", authority.own.pem.decode()),))
    (finding,) = about_revocation(Settings(client_crl_dir=authority.folder), found)
    assert finding.ok is ok
    assert word in finding.advice
    assert about_revocation(Settings(), found) == []
