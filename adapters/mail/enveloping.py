"""S/MIME for a partner with a certificate: the mail's content signed by us, then encrypted for them.

Invariants: everything but the outer header is inside; signed first, so that only who may read it sees who wrote it, and
nobody can put another signature on it. AES-256 in CBC mode with RSA key transport, for widely used mail programs open no
other; the signature inside gives the integrity that CBC lacks. Private-key operations stay in `keys`.
Source: RFC 8551 sections 2.7, 3.3, 3.5 and 3.6.
"""

from __future__ import annotations

import base64
import re

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from keys.letters import MailIdentity

_CONTENT = re.compile(rb"content-[a-z-]+\s*:", re.IGNORECASE)
_OUTER = (
    b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n'
    b"Content-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="smime.p7m"\r\n'
)


def signed_and_encrypted(content: bytes, identity: MailIdentity, recipient: x509.Certificate) -> bytes:
    """The mail (CRLF lines) with its content in an envelope. New bytes each time: the key inside is random."""
    head, _, body = content.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    inner = [field for field in fields if _CONTENT.match(field)]
    outer = [field for field in fields if not _CONTENT.match(field)]
    entity = b"\r\n".join(inner) + b"\r\n\r\n" + body
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(identity.sign(entity)).add_recipient(recipient)
    builder = builder.set_content_encryption_algorithm(AES256)
    sealed = builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    lines = base64.encodebytes(sealed).replace(b"\n", b"\r\n")
    return b"\r\n".join(outer) + b"\r\n" + _OUTER + b"\r\n" + lines
