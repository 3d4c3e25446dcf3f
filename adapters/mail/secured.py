"""A mail with its security taken off: what was inside an encryption, what a signature covers, and who vouches for the sender.

Only for use inside the limited child process. Invariants: nothing of a mail whose encryption has no integrity (CBC) is shown
unless the signature inside holds (EFAIL); of a signed mail only what was signed is read; every look again can only lower
the word of our own mail server. Sources: RFC 8551, RFC 6376, RFC 8601.
"""

from __future__ import annotations

import base64

from adapters.mail import references
from adapters.mail.authenticity import Authenticity, assess, has_signature, recheck, the_sender
from adapters.mail.findings import Expected, Vouching
from adapters.mail.opened import Opened, open_mail
from adapters.mail.signed import Checked, Signature, Trust, check_signature, der_of, is_enveloped


class NotShown(Exception):
    """Nothing of this encrypted mail may be shown. Its text is for a person and the same whatever was wrong."""

    def __init__(self) -> None:
        super().__init__("This mail is encrypted in a way that cannot be opened safely here.")


def open_secured(raw: bytes, expected: Expected) -> Opened:
    """The mail as it is to be read; NotShown, Malformed, or what the parser raises."""
    bare = open_mail(raw)
    sender = the_sender(bare.headers)
    vouching = expected.vouching
    address = sender.address if sender else None
    if is_enveloped(raw):
        return bare if vouching.content_key is None else _opened(raw, address, vouching)
    checked = check_signature(raw, address, _trust(vouching))
    return bare if checked.signature is Signature.ABSENT else _as_checked(raw, checked)


def vouched(opened: Opened, expected: Expected) -> Authenticity:
    """Whether the mail is from whom it says.

    A signature by S/MIME covers the body alone: it stands for itself only when the body names the letter, for an old answer
    could be sent again under another subject.
    """
    if opened.signature is Signature.BROKEN:
        return Authenticity(
            False, "The mail's own signature (S/MIME) does not hold: it was changed, or is somebody else's."
        )
    if opened.signature is Signature.VERIFIED and any(
        references.in_text(text) for text in [*opened.plain, *opened.html]
    ):
        return Authenticity(True)
    verdict = assess(opened.headers, expected.authserv_id, expected.stamped_below)
    vouching, authserv_id = expected.vouching, expected.authserv_id
    if verdict.passed and vouching.needs_signature and authserv_id:
        verdict = has_signature(opened.headers, authserv_id, expected.stamped_below)
    if vouching.dkim_records is None:
        return verdict
    records = dict(vouching.dkim_records)

    def txt_record(name: bytes, timeout: int = 5) -> bytes | None:
        found = records.get(name.decode("ascii", "replace").rstrip(".").lower())
        return None if found is None else found.encode("utf-8", "surrogateescape")

    return recheck(opened.raw, opened.headers, verdict, txt_record)


def vouched_by(opened: Opened, expected: Expected) -> str | None:
    """What shows that a mail is from its sender: `signature` by S/MIME over the whole of what was read, `domain`, or nothing."""
    if the_sender(opened.headers) is None:
        return None
    if opened.signature is Signature.VERIFIED:
        return "signature"
    return "domain" if vouched(opened, expected).passed else None


def _opened(raw: bytes, sender: str | None, vouching: Vouching) -> Opened:
    from adapters.mail.enveloped import CannotOpen, opened  # costs start-up time that most mail never needs

    try:
        inside = opened(der_of(raw), bytes.fromhex(vouching.content_key or ""))
    except (CannotOpen, ValueError):
        raise NotShown from None
    checked = check_signature(inside.content, sender, _trust(vouching))
    if not inside.is_whole and checked.signature is not Signature.VERIFIED:
        raise NotShown
    if checked.signature is Signature.ABSENT:
        shown = open_mail(raw, inside.content)
        shown.is_hidden = True
        return shown
    return _as_checked(raw, checked, is_hidden=True)


def _as_checked(raw: bytes, checked: Checked, is_hidden: bool = False) -> Opened:
    """What was signed, and nothing beside it; a signature that cannot even be parted leaves the mail as it came."""
    opened = open_mail(raw, checked.content)
    opened.signature = checked.signature
    opened.is_hidden = is_hidden or (checked.content is not None and checked.content not in raw)
    return opened


def _trust(vouching: Vouching) -> Trust | None:
    if vouching.smime_roots is None:
        return None
    return Trust(vouching.smime_roots, tuple(base64.b64decode(one) for one in vouching.smime_revocations))
