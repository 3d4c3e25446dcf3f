"""Settings come from the environment, then the file, then a safe default; what is unsafe together is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.settings import PREFIX, Settings, SettingsUnreadable
from gateway.settings.checks import Finding, check, refusals
from gateway.settings.listing import list_settings, unknown_variables
from keys import custody


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


SOUND_IN_PRODUCTION = {
    "mode": "production",
    "issuer": "gateway.council.test",
    "public_url": "https://gateway.council.test",
    "listen": "unix:/run/gateway/web.socket",
    "proxy_secret_file": "/run/gateway/proxy-secret",
}


def refused(**settings: object) -> list[str]:
    return [finding.check for finding in refusals(Settings(**settings))]  # type: ignore[arg-type]


def test_without_any_setting_nothing_unsafe_is_served() -> None:
    settings = Settings.load()
    assert settings.is_production
    assert settings.book_url == "sqlite:///var/gateway.sqlite3"
    assert settings.keys_book_url == "sqlite:///var/gateway-custody.sqlite3"
    assert settings.broker_url is None
    assert settings.listen.startswith("127.0.0.1:")
    assert refusals(settings), "production does not start without a certificate or a proxy's socket"


def test_a_sound_production_and_a_bare_development_are_not_refused() -> None:
    assert refused(**SOUND_IN_PRODUCTION) == []
    wrong = {finding.check for finding in check(Settings(**SOUND_IN_PRODUCTION)) if not finding.ok}  # type: ignore[arg-type]
    assert wrong <= {"every file that a setting names is there"}, "they lie on no disk here"
    assert refused(mode="development") == []


@pytest.mark.parametrize(
    ("unsafe", "check"),
    [
        ({"clock": "development"}, "system clock"),
        ({"public_url": "http://gateway.council.test"}, "partners reach the gateway over TLS"),
        ({"console_url": "http://localhost:8080"}, "partners reach the gateway over TLS"),
        ({"listen": "0.0.0.0:8443"}, "the listener is a socket or has a certificate"),
        ({"proxy_secret_file": None}, "nothing comes round the proxy"),
        ({"operator_listen": "0.0.0.0:8444"}, "health and metrics stay inside"),
        ({"fetch_development_hosts": ("localhost",)}, "fetches go to public hosts over TLS only"),
        ({"issuer": "gateway.example"}, "the deployment has a name of its own"),
        ({"imap_url": "imaps://reader@mail.example"}, "the trusted mail server is named"),
        ({"database_url": "postgresql://db.example/book"}, "data keys and book are apart"),
    ],
)
def test_production_refuses_what_development_may_do(unsafe: dict[str, object], check: str) -> None:
    assert refused(**SOUND_IN_PRODUCTION | unsafe) == [check]
    assert refused(**SOUND_IN_PRODUCTION | unsafe | {"mode": "development"}) == []


@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize(
    ("unsafe", "check"),
    [
        ({"broker_url": "redis://localhost"}, "one process on SQLite"),
        ({"tls_cert_file": "cert.pem"}, "certificate and key go together"),
        ({"alert_webhook_url": "https://alerts.council.test"}, "the unit's webhook is named whole"),
        ({"alert_quiet_from": "06:00"}, "somebody is told by day"),
        ({"mtls_url": "http://mtls.council.test"}, "certificates are taken from the proxy alone"),
        ({"mtls_url": SOUND_IN_PRODUCTION["public_url"]}, "certificates are taken from the proxy alone"),
    ],
)
def test_no_mode_takes_what_cannot_work(unsafe: dict[str, object], check: str, mode: str) -> None:
    assert refused(**SOUND_IN_PRODUCTION | unsafe | {"mode": mode}) == [check]


@pytest.mark.parametrize(
    "round_it",
    [{"proxy_secret_file": None}, {"listen": "127.0.0.1:8443", "tls_cert_file": "c", "tls_key_file": "k"}],
)
def test_no_certificate_is_taken_where_others_than_the_proxy_could_show_one(
    round_it: dict[str, object],
) -> None:
    settings = {
        **SOUND_IN_PRODUCTION,
        "mtls_url": "https://mtls.council.test",
        **round_it,
        "mode": "development",
    }
    assert refused(**settings) == ["certificates are taken from the proxy alone"]


def test_production_refuses_keys_made_for_development(tmp_path: Path) -> None:
    custody.create(tmp_path / "keys", "development-")
    with_keys = SOUND_IN_PRODUCTION | {"keys_dir": tmp_path / "keys"}
    assert refused(**with_keys) == ["no development keys"]


def test_keys_and_passwords_that_others_can_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o750)
    (tmp_path / "password").touch(mode=0o644)
    found = refused(mode="development", keys_dir=tmp_path / "keys", smtp_password_file=tmp_path / "password")
    assert found == ["GATEWAY_KEYS_DIR is private", "GATEWAY_SMTP_PASSWORD_FILE is private"]


def test_every_file_of_a_secret_is_refused_when_others_can_read_it(tmp_path: Path) -> None:
    secrets = [name for name in Settings.model_fields if name.endswith(("_secret_file", "_password_file"))]
    assert "proxy_secret_file" in secrets
    (tmp_path / "secret").touch(mode=0o644)
    named = dict.fromkeys(secrets, tmp_path / "secret")
    found = refused(mode="development", **named)
    assert {f"GATEWAY_{name.upper()} is private" for name in secrets} <= set(found)


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.toml").write_text('issuer = "file.test"\nlease_seconds = 7\n')
    monkeypatch.setenv("GATEWAY_SETTINGS_FILE", str(tmp_path / "s.toml"))
    monkeypatch.setenv("GATEWAY_ISSUER", "environment.test")
    settings = Settings.load()
    assert (settings.issuer, settings.lease_seconds, settings.drain_seconds) == ("environment.test", 7, 20)
    listed = {entry.variable: (entry.value, entry.origin) for entry in list_settings(settings)}
    assert listed["GATEWAY_ISSUER"] == ("environment.test", "environment")
    assert listed["GATEWAY_LEASE_SECONDS"] == ("7.0", "file")
    assert listed["GATEWAY_DRAIN_SECONDS"] == ("20.0", "default")
    assert listed["GATEWAY_SETTINGS_FILE"] == (str(tmp_path / "s.toml"), "environment")


def test_lists_are_separated_by_commas_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_FETCH_DEVELOPMENT_HOSTS", "one.example, two.example:8443,")
    assert Settings.load().fetch_development_hosts == ("one.example", "two.example:8443")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("isuer = 'slip.test'", "GATEWAY_ISUER"),
        ("lease_seconds = -1", "GATEWAY_LEASE_SECONDS"),
        ("mode = 'staging'", "GATEWAY_MODE"),
        ("listen = 'everywhere'", "GATEWAY_LISTEN"),
        ("smtp_url = 'smtp://user:hunter2@mail.example'", "GATEWAY_SMTP_URL"),
        ("imap_url = 'smtp://mail.example'", "GATEWAY_IMAP_URL"),
        ("public_url = 'gateway'", "GATEWAY_PUBLIC_URL"),
        ("= nonsense", "not TOML"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_and_its_value_not_shown(text: str, named: str) -> None:
    Path("var").mkdir()
    Path("var/gateway.toml").write_text(text)
    with pytest.raises(SettingsUnreadable, match=named) as caught:
        Settings.load()
    assert text.rpartition("=")[2].strip().strip("'") not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_settings_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SETTINGS_FILE", "nowhere.toml")
    with pytest.raises(SettingsUnreadable, match="GATEWAY_SETTINGS_FILE"):
        Settings.load()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://gateway:hunter2@db.example/book",
        "postgresql://hunter2@db.example/book?sslpassword=hunter2",
        "postgresql:///book?host=/run&password=hunter2",
    ],
)
def test_no_listing_or_repr_shows_a_credential(address: str) -> None:
    settings = Settings(database_url=address, custody_url=address, broker_url=address)
    shown = repr(list_settings(settings)) + repr(settings) + str(settings) + repr(check(settings))
    assert "hunter2" not in shown
    assert "book" in repr(list_settings(settings))


def test_every_setting_says_what_it_means_and_every_time_and_size_its_unit() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            unit = name.rpartition("_")[2]
            counts = {"length", "connections", "once", "processes", "requests"}
            assert unit in {"seconds", "days", "bytes"} | counts or name.endswith(
                ("_per_second", "_per_hour", "_per_day", "_per_anchoring")
            ), name


def test_slips_of_the_pen_in_the_environment_are_found() -> None:
    assert unknown_variables({"GATEWAY_ISUER": "x", "GATEWAY_ISSUER": "y", "PATH": "z"}) == ["GATEWAY_ISUER"]


def test_advice_is_given_for_what_is_wrong_and_only_then() -> None:
    findings: list[Finding] = check(Settings(mode="production"))
    assert {finding.ok for finding in findings} == {True, False}
    assert all(bool(finding.advice) != finding.ok for finding in findings)


@pytest.mark.parametrize("url", ["http://127.0.0.1:3310", "unix:clamd.ctl", "tcp://", "/run/clamd.ctl"])
def test_the_scanner_is_named_as_a_socket_or_a_port(url: str) -> None:
    with pytest.raises(ValueError, match="neither unix"):
        Settings(scanner_url=url)
