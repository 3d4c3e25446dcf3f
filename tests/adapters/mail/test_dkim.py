"""Our DKIM signatures, judged by two programs of others: opendkim and the npm package mailauth. RFC 6376, RFC 8463."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from adapters.mail.dkim_signature import sign_mail
from keys.letters import DkimKey, load_letter_keys, make_dkim_keys
from tests.adapters.mail.judges import by_node
from tests.adapters.mail.test_letter import WRITTEN_AT, posting

DOMAIN = "council.example"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[DkimKey, ...]:
    folder = tmp_path_factory.mktemp("keys")
    make_dkim_keys(folder, "gw1")
    return load_letter_keys(folder).dkim


@pytest.fixture(scope="module")
def signed(keys: tuple[DkimKey, ...]) -> bytes:
    return sign_mail(posting().content, keys, DOMAIN, WRITTEN_AT)


def changed(mail: bytes) -> dict[str, bytes]:
    """What somebody on the way could do to a mail of ours."""
    return {
        "body changed": mail.replace(b"without delay", b"when you like"),
        "text added": mail + b"Ring this number instead.\r\n",
        "second From": b"From: Council <other@evil.example>\r\n" + mail,
        "second Subject": b"Subject: Please pay\r\n" + mail,
        "second Reply-To": b"Reply-To: other@evil.example\r\n" + mail,
        "second To": b"To: other@evil.example\r\n" + mail,
        "second Content-Type": b"Content-Type: text/html\r\n" + mail,
        "second Message-ID": b"Message-ID: <other@evil.example>\r\n" + mail,
        "other Subject": mail.replace(b"Subject: Private", b"Subject: Public"),
    }


def test_mailauth_takes_both_signatures_and_neither_of_any_changed_mail(
    keys: tuple[DkimKey, ...], signed: bytes
) -> None:
    bad = changed(signed)
    given = {
        "mails": [base64.b64encode(mail).decode() for mail in (signed, *bad.values())],
        "records": {f"{key.selector}._domainkey.{DOMAIN}": key.record() for key in keys},
    }
    good, *others = json.loads(by_node("mailauth", "verify_dkim.mjs", given=json.dumps(given).encode()))
    assert {one["selector"]: one["result"] for one in good} == {"gw1r": "pass", "gw1e": "pass"}
    for name, results in zip(bad, others, strict=True):
        assert len(results) == 2, name
        assert "pass" not in {one["result"] for one in results}, name


@pytest.mark.needs("opendkim")
@pytest.mark.parametrize("place", [0, 1], ids=["Ed25519", "RSA"])
def test_opendkim_takes_each_signature_and_none_of_a_changed_mail(
    place: int, keys: tuple[DkimKey, ...], tmp_path: Path
) -> None:
    """It judges the first signature of a mail alone, so each key signs a mail of its own here."""
    key = keys[place]
    records = tmp_path / "records"
    records.write_text(f"{key.selector}._domainkey.{DOMAIN} {key.record()}\n")
    config = tmp_path / "opendkim.conf"
    config.write_text(f"TestPublicKeys {records}\nMode v\n")
    program = shutil.which("opendkim") or "/usr/sbin/opendkim"

    def passes(mail: bytes, name: str) -> bool:
        file = tmp_path / name.replace(" ", "-")
        file.write_bytes(mail)
        done = subprocess.run(
            [program, "-x", str(config), "-t", str(file)], capture_output=True, text=True, check=False, timeout=30
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert "verification" in said, said
        return " succeeded" in said

    mail = sign_mail(posting().content, [key], DOMAIN, WRITTEN_AT)
    assert passes(mail, "good")
    for name in ("body changed", "second From", "second Subject"):
        assert not passes(changed(mail)[name], name), name


def test_the_same_mail_is_signed_with_the_same_bytes_in_lines_that_smtp_takes(
    keys: tuple[DkimKey, ...], signed: bytes
) -> None:
    assert sign_mail(posting().content, keys, DOMAIN, WRITTEN_AT) == signed
    assert max(map(len, signed.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 320
    assert signed.endswith(posting().content)


def test_a_key_that_others_can_read_or_that_is_too_weak_is_refused(tmp_path: Path) -> None:
    make_dkim_keys(tmp_path, "gw1")
    with pytest.raises(FileExistsError):
        make_dkim_keys(tmp_path, "gw1")
    (tmp_path / "letters/dkim/gw1r.pem").chmod(0o644)
    with pytest.raises(ValueError, match="owner alone"):
        load_letter_keys(tmp_path)
