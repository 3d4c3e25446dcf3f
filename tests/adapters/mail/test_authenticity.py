"""The sender's check again with real signatures: it can only lower a verdict. RFC 6376, RFC 8601."""

from __future__ import annotations

import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.mail.authenticity import aligned, assess, parse_results, recheck, the_sender
from adapters.mail.dkim_records import names_in, records_of, resolver
from adapters.mail.findings import Expected, Reading, Verdict, Vouching
from adapters.mail.opened import open_mail
from adapters.mail.reading import read_mail
from adapters.mail.replies import read_opened
from tests.adapters.mail.mails import ENROLLED, RECEIVED, SERVER, VOUCHED, filled, mail
from tests.adapters.mail.name_server import name_server

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)


def txt_record(name: bytes, timeout: int = 5) -> bytes | None:
    return b"v=DKIM1; k=rsa; p=" + PUBLIC if name.startswith(b"sel._domainkey.hillside.example") else None


def signed(domain: bytes = b"hillside.example") -> bytes:
    bare = mail(filled(), top=())
    signature: bytes = dkim.sign(bare, b"sel", domain, PEM, include_headers=[b"from", b"subject", b"to"])
    return f"{VOUCHED}\r\n{RECEIVED}\r\n".encode() + signature + bare


def checked_again(raw: bytes) -> bool:
    headers = open_mail(raw).headers
    return recheck(raw, headers, assess(headers, SERVER), txt_record).passed


def test_a_good_signature_of_the_senders_domain_keeps_the_verdict() -> None:
    assert checked_again(signed())


@pytest.mark.parametrize(
    "raw",
    [
        signed().replace(b"present", b"absent!"),
        signed(b"other.example"),
        mail(filled()),
        signed().replace(b"b=", b"b=!", 1),
    ],
    ids=["text changed", "other domain", "not signed", "damaged"],
)
def test_anything_else_lowers_it(raw: bytes) -> None:
    assert assess(open_mail(raw).headers, SERVER).passed
    assert not checked_again(raw)


def test_a_failing_look_up_lowers_it() -> None:
    def broken(name: bytes, timeout: int = 5) -> bytes | None:
        raise OSError("no resolver")

    headers = open_mail(signed()).headers
    assert not recheck(signed(), headers, assess(headers, SERVER), broken).passed


def test_a_second_check_never_raises_a_verdict() -> None:
    headers = open_mail(signed()).headers
    refused = assess(headers, "mx.other.example")
    assert recheck(signed(), headers, refused, txt_record) == refused


def test_stamps_beneath_our_received_line_count_only_where_the_server_is_known_for_it() -> None:
    headers = open_mail(mail(filled(), top=(RECEIVED, VOUCHED))).headers
    assert not assess(headers, SERVER).passed
    assert assess(headers, SERVER, stamped_below=True).passed
    below_the_next = open_mail(
        mail(filled(), top=(RECEIVED, "Received: from a by b.example", VOUCHED))
    ).headers
    assert not assess(below_the_next, SERVER, stamped_below=True).passed


def test_results_are_parsed_as_rfc_8601_writes_them() -> None:
    server, results = parse_results(
        'mx.example 1; dkim=pass (a; "b" (c; dmarc=pass) \\) d) reason="x; dmarc=pass" header.d=h.example;;\tdmarc=Fail header.from=h.example'
    )
    assert server == "mx.example"
    assert [(result.method, result.value) for result in results] == [("dkim", "pass"), ("dmarc", "fail")]
    assert results[0].property("header.d") == "h.example"
    assert parse_results("spf=pass smtp.mailfrom=x.example")[0] is None


@pytest.mark.parametrize(
    "value",
    [
        'mx.example; spf=none smtp.mailfrom="a\\"; dmarc=pass header.from=h.example; x=\\""',
        "mx.example; dmarc=fail (comment; dmarc=pass",
        'mx.example; dmarc=fail reason="never closed; dmarc=pass',
    ],
)
def test_the_senders_own_words_in_a_result_are_no_result(value: str) -> None:
    assert not any(result.method == "dmarc" and result.value == "pass" for result in parse_results(value)[1])


@pytest.mark.parametrize(
    ("signing", "sending", "fits"),
    [("h.example", "h.example", True), ("H.Example.", "h.example", True), ("h.example", "m.h.example", True),
     ("m.h.example", "h.example", True), ("ah.example", "h.example", False), ("example", "h.example", False)],
)  # fmt: skip
def test_alignment_is_the_same_domain_or_one_beneath_the_other(
    signing: str, sending: str, fits: bool
) -> None:
    assert aligned(signing, sending) is fits


@pytest.mark.parametrize(
    "value",
    ["a@b.example, c@d.example", "x <a@b.example> <c@d.example>", "a@b.example <c@d.example>", "undisclosed", "",
     "group: a@b.example;", "<a@b.example>, <c@d.example>", '"a@b.example" c@d.example', "a@b.example\x00@c.example"],
)  # fmt: skip
def test_a_from_that_can_be_read_in_two_ways_is_nobody(value: str) -> None:
    assert the_sender([("from", value)]) is None


NAME = "sel._domainkey.hillside.example"


def looked_up(raw: bytes, address: str) -> Reading:
    """The mail read as the house reads it: keys looked up beforehand, signatures checked in the child process."""
    vouching = Vouching(needs_signature=True, dkim_records=records_of(raw, resolver(address)))
    return read_mail(raw, Expected((ENROLLED,), SERVER, vouching=vouching))


def test_a_signature_is_checked_again_with_the_key_that_the_name_server_gives() -> None:
    asked: list[str] = []
    record = "v=DKIM1; k=rsa; p=" + PUBLIC.decode()
    with name_server({NAME: record}, asked) as address:
        assert looked_up(signed(), address).verdict is Verdict.COMPLETE
        assert asked == [NAME]
        changed = looked_up(signed().replace(b"Valley", b"Hollow"), address)
        foreign = looked_up(signed(b"other.example"), address)
        assert asked == [NAME] * 2, "no name of another domain than the sender's is asked for"
    with name_server({}) as address:
        unknown = looked_up(signed(), address)
    for lowered in (changed, foreign, unknown):
        assert (lowered.verdict, "auth_failed" in lowered.flags) == (Verdict.NEEDS_REVIEW, True)


@pytest.mark.parametrize(
    "signature",
    [
        b"d=hillside.example",
        b"d=hillside.example; s=..",
        b"d=hillside.example; s=a b!",
        b"d=hillside.example; s=" + b"x" * 300,
        b"d=example; s=sel",
        b"d=evil.example; s=sel",
    ],
)
def test_a_name_that_is_none_or_another_s_is_not_asked_for(signature: bytes) -> None:
    raw = (
        b"From: a@hillside.example\r\nDKIM-Signature: v=1; "
        + signature
        + b"\r\n\r\nDKIM-Signature: d=x; s=y\r\n"
    )
    assert names_in(raw) == ()


@pytest.mark.parametrize(
    ("stamp", "passes"),
    [
        ("dkim=pass header.d=hillside.example; dmarc=pass header.from=hillside.example", True),
        ("spf=pass smtp.mailfrom=hillside.example; dmarc=pass header.from=hillside.example", False),
        ("dkim=pass; spf=pass; dmarc=pass header.from=hillside.example", False),
    ],
    ids=["signature", "where it came from alone", "a signature of nobody"],
)
def test_dmarc_that_passed_without_a_signature_of_the_domain_is_weak(stamp: str, passes: bool) -> None:
    raw = mail(filled(), top=(f"Authentication-Results: {SERVER}; {stamp}", RECEIVED))
    weak = Expected((ENROLLED,), SERVER, vouching=Vouching(needs_signature=True))
    assert (read_opened(open_mail(raw), weak).verdict is Verdict.COMPLETE) is passes
    assert read_opened(open_mail(raw), Expected((ENROLLED,), SERVER)).verdict is Verdict.COMPLETE
