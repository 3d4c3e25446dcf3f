"""What the DNS says about a mail domain, asked of a real name server on the loopback; and what `doctor` makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.mail.domains import (
    Ask,
    Seen,
    asker,
    look_at_ours,
    look_at_partner,
    records_to_publish,
)
from adapters.mail.form import FilledForm, read_form
from gateway.cli import mail as mail_commands
from gateway.cli.operator import app as operator_app
from keys.letters import LetterKeys, load_letter_keys, make_dkim_keys
from tests.adapters.mail.name_server import name_server
from tests.mail_servers import free_ports

DOMAIN, REPLIES = "council.test", "replies.council.test"
SOUND = {
    "MX hillside.test": "10 mx.hillside.test.",
    "hillside.test": "v=spf1 include:mail.test -all\nother=1",
    "_dmarc.hillside.test": "v=DMARC1; p=reject; rua=mailto:a@hillside.test",
    "_mta-sts.hillside.test": "v=STSv1; id=20261122",
    "_smtp._tls.hillside.test": "v=TLSRPTv1; rua=mailto:a@hillside.test",
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> LetterKeys:
    folder = tmp_path_factory.mktemp("keys")
    make_dkim_keys(folder, "gw1")
    return load_letter_keys(folder)


def seen_with(**changed: str) -> dict[str, Seen]:
    """What is seen of a sound partner after some records changed; `name_` stands for `_name`."""
    found = SOUND | {
        f"{name.replace('__', '_').replace('DOT', '.')}hillside.test": text for name, text in changed.items()
    }

    def ask(name: str, kind: str) -> list[str]:
        return found.get(name if kind == "TXT" else f"{kind} {name}", "").splitlines()

    return {one.what: one for one in look_at_partner(ask, "hillside.test")}


def published(keys: LetterKeys) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in records_to_publish(DOMAIN, REPLIES, "mx.council.test", keys.dkim, "20261122"):
        found[record.name if record.type == "TXT" else f"{record.type} {record.name}"] = record.value
    return found | {f"MX {DOMAIN}": "10 mx.council.test."}


def test_what_we_print_to_publish_is_what_we_look_for(keys: LetterKeys) -> None:
    with name_server(published(keys)) as address:
        ask = asker(address)
        ours = look_at_ours(ask, DOMAIN, keys.dkim)
        replies = look_at_partner(ask, REPLIES)
    assert [one.what for one in ours] == ["SPF", "DKIM gw1e", "DKIM gw1r", "DMARC", "MTA-STS", "TLS-RPT"]
    assert all(one.ok for one in [*ours, *replies]), [*ours, *replies]


def test_a_key_that_is_not_published_or_is_another_one_is_seen(keys: LetterKeys) -> None:
    found = published(keys)
    del found[f"gw1e._domainkey.{DOMAIN}"]
    found[f"gw1r._domainkey.{DOMAIN}"] = "v=DKIM1; k=rsa; p=AAAA"
    with name_server(found) as address:
        ours = {one.what: one for one in look_at_ours(asker(address), DOMAIN, keys.dkim)}
    assert not ours["DKIM gw1e"].ok
    assert "another key" in ours["DKIM gw1r"].advice


def test_a_partner_that_publishes_everything_has_nothing_to_mend() -> None:
    assert all(one.ok for one in seen_with().values())


@pytest.mark.parametrize(
    ("name", "text", "what", "told"),
    [
        ("", "v=spf1 +all", "SPF", "-all"),
        ("", "v=spf1 -all\nv=spf1 mx -all", "SPF", "not several"),
        ("", "nothing", "SPF", "publish one"),
        ("__dmarcDOT", "", "DMARC", "p=reject"),
        ("__dmarcDOT", "v=DMARC1; p=none", "DMARC", "p=reject"),
        ("__dmarcDOT", "v=DMARC1; p=reject; pct=50", "DMARC", "take out `pct`"),
        ("__dmarcDOT", "v=DMARC1; p=reject; t=y", "DMARC", "in test"),
        ("__dmarcDOT", "v=DMARC1; p=reject\nv=DMARC1; p=none", "DMARC", "not several"),
        ("__mta-stsDOT", "v=STSv1", "MTA-STS", "id="),
        ("__smtpDOT__tlsDOT", "v=TLSRPTv1", "TLS-RPT", "rua"),
    ],
)  # fmt: skip
def test_what_is_missing_weak_or_outdated_is_named(name: str, text: str, what: str, told: str) -> None:
    """RFC 9989 ended `pct`; several records of a kind count as none."""
    seen = seen_with(**{name: text})
    assert [one.what for one in seen.values() if not one.ok] == [what]
    assert told in seen[what].advice


def test_a_policy_above_the_domain_counts_by_what_it_says_of_what_is_below() -> None:
    def ask_with(policy_above: str) -> Ask:
        return lambda name, kind: {"_dmarc.hillside.test": [policy_above]}.get(name, [])

    def dmarc(policy_above: str) -> Seen:
        return next(
            one for one in look_at_partner(ask_with(policy_above), "a.b.hillside.test") if one.what == "DMARC"
        )

    assert dmarc("v=DMARC1; p=none; sp=reject").ok
    assert not dmarc("v=DMARC1; p=reject; sp=none").ok


Doctor = Callable[[str | None], dict[str, tuple[bool, str]]]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    (tmp_path / "policy.toml").write_text('[[domain]]\nname = "hillside.test"\nclass = "gov-secure"\n')
    for name, value in {
        "SMTP_URL": "smtp://localhost", "MAIL_FROM": f"a@{DOMAIN}", "MAIL_DOMAIN": REPLIES, "MODE": "development",
        "MAIL_POLICY_FILE": "policy.toml", "KEYS_DIR": str(tmp_path / "keys"), "MAIL_AUTHSERV_ID": "mx.council.test",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    runner.invoke(operator_app, ["init"])

    def examined(resolver: str | None) -> dict[str, tuple[bool, str]]:
        if resolver:
            monkeypatch.setenv("GATEWAY_MAIL_RESOLVER", resolver)
        rows = json.loads(runner.invoke(operator_app, ["doctor", "--json"]).stdout)
        return {row["check"]: (row["ok"], row["advice"]) for row in rows}

    return examined


OURS, PARTNERS = "our mail domains in the DNS", "partners' mail domains in the DNS"


def test_doctor_asks_to_mend_our_own_domain_and_only_warns_about_a_partners(doctor: Doctor) -> None:
    with name_server({**SOUND, "hillside.test": "v=spf1 +all"}) as address:
        rows = doctor(address)
    assert not rows[OURS][0]
    assert f"{DOMAIN}: SPF" in rows[OURS][1]
    assert rows[PARTNERS] == (True, "warning: hillside.test: SPF (end the SPF record with `-all`)")
    assert "gateway mail keys" in rows["e-mail is signed (DKIM)"][1]


def test_doctor_is_not_ill_because_the_dns_is_silent(doctor: Doctor) -> None:
    rows = doctor(f"127.0.0.1:{free_ports(1)[0]}")
    assert rows[OURS] == (True, "warning: not looked at, for the DNS cannot be reached from here")
    assert rows[PARTNERS] == rows[OURS]


def test_doctor_asks_no_public_dns_about_names_that_are_not_public(doctor: Doctor) -> None:
    rows = doctor(None)
    assert rows[OURS] == (True, "not looked at: there is none that a public DNS could know")


def invoked(*words: str) -> Result:
    return CliRunner().invoke(mail_commands.app, list(words))


def test_keys_are_made_once_and_their_records_printed_for_a_zone(doctor: Doctor) -> None:
    assert json.loads(invoked("keys", "--json").stdout) == {"selectors": ["gw1r", "gw1e"]}
    assert invoked("keys").exit_code == 1
    assert invoked("keys", "--stem", "a b").exit_code == 2
    told = json.loads(invoked("dns", "--json").stdout)
    assert f"gw1r._domainkey.{DOMAIN}" in [one["name"] for one in told["records"]]
    assert "pct" not in json.dumps(told)
    assert "mode: enforce" in told["mta_sts_policy"]
    lines = invoked("dns").stdout.splitlines()
    assert max(map(len, next(line for line in lines if line.startswith("gw1r")).split('"'))) <= 255
    assert invoked("relay-map").stdout == "hillside.test secure protocols=>=TLSv1.2\n"


def test_a_sample_letter_can_be_looked_at_before_anything_is_sent(doctor: Doctor, tmp_path: Path) -> None:
    told = json.loads(invoked("preview", "--sample", "--out", str(tmp_path), "--json").stdout)
    mail, pdf = (Path(one).read_bytes() for one in told["files"])
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert [part.get_content() for part in message.iter_attachments()] == [pdf]
    assert isinstance(read_form(pdf), FilledForm)
    assert invoked("preview").exit_code == 2
    assert (
        invoked("preview", "--sample", "--pack", "statutory-minimum", "--out", str(tmp_path)).exit_code == 1
    )
