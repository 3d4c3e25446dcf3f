"""Which certificates of a registered authority are taken back before their end: RFC 5280 section 5, RFC 8705 section 7.2.

Invariant: where the operator keeps revocation lists, a certificate that an authority issued counts only while a list that this
very authority signed is in date and does not name it; without such a list nobody of that authority is let in. Lists are looked
at again every minute, so that a renewed one needs no restart. Only whole lists are read: one with a critical extension (a delta,
or for some certificates only) is none. Pinned certificates need none: `gateway clients rotate --compromised` takes them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.oauth.reasons import Reason, Rejected

LOOK_EVERY = timedelta(seconds=60)
LARGEST_BYTES = 16 * 1024 * 1024

_log = structlog.get_logger()

Clock = Callable[[], datetime]
Crl = x509.CertificateRevocationList


class RevocationLists:
    """The lists in a folder (`*.crl`, DER or PEM). One per process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._looked_at: datetime | None = None
        self._lists: tuple[Crl, ...] = ()
        self._newest: dict[bytes, Crl | None] = {}  # by the authority's fingerprint, since the last look

    def check(self, certificate: x509.Certificate, authority: x509.Certificate) -> None:
        """Rejected unless the authority's newest list is in date and does not name the certificate."""
        at = self._clock()
        found = self._list_of(authority, at)
        if found is None or not _is_in_date(found, at):
            raise Rejected(Reason.CERTIFICATE_STATUS_UNKNOWN)
        if found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise Rejected(Reason.CERTIFICATE_REVOKED)

    def ends_at(self, authority: x509.Certificate) -> datetime | None:
        """Until when the authority's newest list is in date; None when there is none to go by."""
        found = self._list_of(authority, self._clock())
        return None if found is None else found.next_update_utc  # an empty list is a list, and falsy

    def _list_of(self, authority: x509.Certificate, at: datetime) -> Crl | None:
        if self._looked_at is None or not timedelta(0) <= at - self._looked_at < LOOK_EVERY:
            self._lists, self._newest, self._looked_at = tuple(_read(self._folder)), {}, at
        fingerprint = authority.fingerprint(hashes.SHA256())
        if fingerprint not in self._newest:
            own = [one for one in self._lists if _is_whole(one) and _is_of(one, authority)]
            self._newest[fingerprint] = max(own, key=lambda one: one.last_update_utc, default=None)
        return self._newest[fingerprint]


def _read(folder: Path) -> Iterable[Crl]:
    """Those that can be read; one that is being written just now is found whole a minute later."""
    try:
        files = sorted(folder.glob("*.crl"))
    except OSError:
        files = []
    for file in files:
        try:
            with file.open("rb") as opened:
                content = opened.read(LARGEST_BYTES)
            is_pem = content.lstrip().startswith(b"-----BEGIN")
            yield x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content)
        except (OSError, ValueError) as fault:
            _log.error("oauth.revocation_list_unreadable", file=file.name, fault=type(fault).__name__)


def _is_whole(one: Crl) -> bool:
    try:
        return not any(extension.critical for extension in one.extensions)
    except (ValueError, x509.DuplicateExtension):
        return False


def _is_of(one: Crl, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    try:
        return one.issuer == authority.subject and one.is_signature_valid(key)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a key or a hash that signs no lists
        return False


def _is_in_date(one: Crl, at: datetime) -> bool:
    return one.next_update_utc is not None and one.last_update_utc <= at < one.next_update_utc
