"""Whether an S/MIME signature (RFC 8551) shows that a mail is from the address in From and was not changed since.

Only for use inside the limited child process. The exact bytes that came are verified, never a re-serialised copy. A signature
counts when it is intact, its certificate leads to an authority that this deployment trusts, for e-mail, not revoked by the lists
it was given, and names the address in From: a good signature of somebody else is the classic bypass. One partner's own certificate may
be trusted in its authority's place: it vouches for itself, and for nothing that its key may have issued. Nothing is fetched.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any


class Signature(Enum):
    """ABSENT: no signature at all. UNKNOWN: sound, of nobody whom we trust. BROKEN: changed, or of somebody else."""

    ABSENT = "absent"
    VERIFIED = "verified"
    UNKNOWN = "unknown"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Trust:
    """The authorities, or partners' own certificates to trust alone (PEM), and the revocation lists (DER). With lists, a certificate on none
    of them is not believed. One that names an e-mail address, or is no authority's, vouches for itself and for no other."""

    roots: str
    revocations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict, and the entity that was signed, header and all; None when there is nothing signed."""

    signature: Signature
    content: bytes | None = None


_HEADER_END = re.compile(rb"\r?\n\r?\n")
_TYPE = re.compile(rb"^content-type[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t\r\n]*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_ENCODING = re.compile(rb"^content-transfer-encoding[ \t]*:[ \t]*base64", re.IGNORECASE | re.MULTILINE)
_OPAQUE = (b"application/pkcs7-mime", b"application/x-pkcs7-mime")


def content_type(raw: bytes) -> bytes:
    """The entity's own Content-Type field, lower case without folding; empty when there is none, or more than one."""
    found = _TYPE.findall(_HEADER_END.split(raw, maxsplit=1)[0])
    return re.sub(rb"\s+", b" ", found[0]).strip() if len(found) == 1 else b""


def revocation_lists(content: bytes) -> tuple[bytes, ...]:
    """The revocation lists in a file as DER: one in DER as it is, or each of those in PEM. ValueError where it is neither."""
    from asn1crypto import pem

    if not pem.detect(content):
        return (content,)
    found = tuple(der for kind, _, der in pem.unarmor(content, multiple=True) if kind == "X509 CRL")
    if len(found) != content.count(b"-----BEGIN"):
        raise ValueError(
            "not a list of revoked certificates, or a torn one"
        )  # never as if nobody were revoked
    return found


def is_enveloped(raw: bytes) -> bool:
    """Whether this entity is encrypted as a whole."""
    kind = content_type(raw).lower()
    return kind.startswith(_OPAQUE) and b"signed-data" not in kind and b"certs-only" not in kind


def der_of(raw: bytes) -> bytes:
    """The bytes of an entity whose body is one base64 (or plain) CMS structure."""
    head, _, body = _parted(raw)
    return base64.b64decode(body, validate=False) if _ENCODING.search(head) else body


def check_signature(raw: bytes, sender: str | None, trust: Trust | None) -> Checked:
    """The verdict on an entity that is signed as a whole, detached or opaque. Never raises for what a stranger wrote."""
    kind = content_type(raw).lower()
    try:
        if kind.startswith(b"multipart/signed") and b"pkcs7-signature" in kind:
            content, signature = _detached(raw)
        elif kind.startswith(_OPAQUE) and b"signed-data" in kind:
            content, signature = None, der_of(raw)
        else:
            return Checked(Signature.ABSENT)
        return _checked(content, signature, sender, trust)
    except Exception:  # built to do harm, or an algorithm that we do not take
        return Checked(Signature.BROKEN)


def _parted(raw: bytes) -> tuple[bytes, bytes, bytes]:
    match = _HEADER_END.search(raw)
    return (raw, b"", b"") if match is None else (raw[: match.start()], match[0], raw[match.end() :])


def _detached(raw: bytes) -> tuple[bytes, bytes]:
    """The first part as it stands between its boundaries, and the signature in the second; there may be no third."""
    named = _BOUNDARY.search(content_type(raw))
    if named is None:
        raise ValueError("no boundary")
    line = re.compile(rb"(?:^|\r?\n)--" + re.escape(named[1] or named[2]) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    marks = list(line.finditer(b"\n" + _parted(raw)[2]))
    body = b"\n" + _parted(raw)[2]
    if len(marks) != 3 or marks[0][1] or marks[1][1] or not marks[2][1]:
        raise ValueError("not two parts")
    first, second = (
        re.sub(rb"\A\r?\n", b"", body[here.end() : there.start()], count=1) for here, there in pairwise(marks)
    )
    return _with_crlf(first), der_of(second)


def _with_crlf(content: bytes) -> bytes:
    """What was signed has CRLF (RFC 8551 section 3.1.1); a mail that was kept with bare LF is brought back to it."""
    return content if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def _checked(content: bytes | None, der: bytes, sender: str | None, trust: Trust | None) -> Checked:
    import asyncio  # these cost start-up time that most mail never needs

    from asn1crypto import cms

    info = cms.ContentInfo.load(der)
    if info["content_type"].native != "signed_data" or len(info["content"]["signer_infos"]) != 1:
        return Checked(Signature.BROKEN)
    signed = info["content"]
    if content is None:
        content = bytes(signed["encap_content_info"]["content"].native)
        signed["encap_content_info"] = {"content_type": "data"}  # verified as if it had come beside it
    trusted = _trusted_now(trust)
    status = asyncio.run(_status(content, signed, trust, [one for one in trusted if _is_authority(one)]))
    own = [one for one in trusted if not _is_authority(one) and one.dump() == status.signing_cert.dump()]
    if own and not status.trusted:
        status = asyncio.run(_status(content, signed, trust, own))
    if not (status.intact and status.valid):
        return Checked(Signature.BROKEN, content)
    if not status.trusted:
        return Checked(Signature.UNKNOWN, content)
    is_senders = sender is not None and sender.lower() in _addresses(status.signing_cert)
    return Checked(Signature.VERIFIED if is_senders else Signature.BROKEN, content)


def _trusted_now(trust: Trust | None) -> list[Any]:
    """The certificates to trust that are valid at this moment."""
    from asn1crypto import pem, x509
    from pyhanko_certvalidator import ValidationContext

    now = ValidationContext(trust_roots=[], allow_fetching=False).moment  # of this check
    trusted = pem.unarmor(trust.roots.encode(), multiple=True) if trust else ()
    return [one for one in (x509.Certificate.load(der) for _, _, der in trusted) if _is_valid(one, now)]


def _is_authority(certificate: Any) -> bool:
    """Whether what it issued is believed. RFC 5280 section 6.1.1 lets any trust anchor issue: one partner, whose own certificate is
    trusted alone, could else vouch for every other. Self-signed ones often call themselves an authority, and name their address."""
    usage = certificate.key_usage_value
    may_issue = usage is None or "key_cert_sign" in usage.native
    return bool(certificate.ca) and may_issue and not _addresses(certificate)


async def _status(content: bytes, signed: Any, trust: Trust | None, roots: list[Any]) -> Any:
    from asn1crypto import crl
    from pyhanko.sign.validation import async_validate_detached_cms
    from pyhanko.sign.validation.settings import KeyUsageConstraints
    from pyhanko_certvalidator import ValidationContext

    lists = [crl.CertificateList.load(der) for der in trust.revocations] if trust else []
    context = ValidationContext(
        trust_roots=roots,
        allow_fetching=False,
        crls=lists,
        revocation_mode="require" if lists else "soft-fail",
    )
    # Without this it asks for non-repudiation, which mail certificates rarely have.
    usage = KeyUsageConstraints(key_usage={"digital_signature"}, extd_key_usage={"email_protection"})
    return await async_validate_detached_cms(
        content, signed, signer_validation_context=context, key_usage_settings=usage
    )


def _is_valid(certificate: Any, at: datetime) -> bool:
    """What is trusted by itself, an authority or one partner's own certificate, is so only for as long as it says."""
    validity = certificate["tbs_certificate"]["validity"]
    return bool(validity["not_before"].native <= at <= validity["not_after"].native)


def _addresses(certificate: Any) -> set[str]:
    """The e-mail addresses that the certificate names (rfc822Name), lower case."""
    names = certificate.subject_alt_name_value
    return {str(name.native).lower() for name in names or () if name.name == "rfc822_name"}
