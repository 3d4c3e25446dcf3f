"""The operator's commands: `init` writes a configuration, `migrate` brings the databases up to date, `doctor` looks.

Exit status: 0 done, 1 the answer is no, 2 wrong use or unreadable input, with one line on standard error that says what
to do. With `--json` standard output is one JSON document and nothing else. No command shows the value of a secret.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer
from cryptography.x509 import load_pem_x509_certificate
from sqlalchemy.exc import SQLAlchemyError

from gateway.app import home_of, local_today, must_have_master, system_clock
from gateway.app.ways_out import notaries_of
from gateway.cli.dates_at_hand import Dates, read_dates, warnings
from gateway.cli.mail_domains import mail_domains
from gateway.core.errors import GatewayError, Misconfigured
from gateway.oauth.revocation_lists import RevocationLists
from gateway.settings import (
    DEFAULT_FILE,
    FILE_VARIABLE,
    PREFIX,
    Settings,
    SettingsUnreadable,
)
from gateway.settings import checks as settings_checks
from gateway.settings.checks import Finding
from gateway.settings.listing import Listed, list_settings, unknown_variables
from gateway.store import engines, migrations
from keys import custody
from keys.hardware import ModuleTrouble
from keys.signing import DEVELOPMENT_PREFIX

LEAST_FREE_BYTES = 1_073_741_824

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]


@app.command()
def init(
    production: Annotated[
        bool, typer.Option("--production", help="For real use: no development keys.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a settings file and a set of keys; what is already there is kept.

    Example: gateway init
    """
    with _one_line_on_failure():
        file = Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
        is_new = _write_settings(file, "production" if production else "development")
        settings = Settings.load()
        settings.var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        must_have_master(settings)
        custody.create(
            settings.keys_dir, "" if settings.is_production else DEVELOPMENT_PREFIX, home_of(settings)
        )
    told = {"settings": str(file), "is_new": is_new, "keys": str(settings.keys_dir), "mode": settings.mode}
    lines = [
        f"{'Wrote' if is_new else 'Kept'} {file} (mode: {settings.mode})",
        f"Keys are in {settings.keys_dir}" + ("" if settings.is_production else ", for DEVELOPMENT ONLY"),
        "Next: gateway migrate, then gateway doctor",
    ]
    _answer(told, lines, as_json)


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the databases to the tables of this release; nothing happens when they are there already.

    Example: gateway migrate
    """
    with _one_line_on_failure():
        settings = Settings.load()
        settings.var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for which, url in migrations.urls(settings).items():
            migrations.migrate(url, which)
    told = [{"database": which, "is_current": True} for which in migrations.urls(settings)]
    _answer(told, [f"{row['database']}: up to date" for row in told], as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at settings, keys and databases, and say what to do about what is wrong: exit 1 if anything is.

    Lists the settings that were made, with their values (never a secret); with --json every setting, and every check by name.

    Example: gateway doctor --json
    """
    with _one_line_on_failure():
        settings = Settings.load()
        findings = examine(settings)
        listing = list_settings(settings)
    rows: list[dict[str, object]] = [
        {"check": found.check, "ok": found.ok, "advice": found.advice} for found in findings
    ]
    rows += [
        {
            "check": entry.variable,
            "ok": True,
            "advice": entry.means,
            "value": entry.value,
            "origin": entry.origin,
        }
        for entry in listing
    ]
    _answer(rows, [*_settings_told(listing), "", *_findings_told(findings)], as_json)
    if not all(found.ok for found in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> list[Finding]:
    """Everything that `doctor` looks at, in the order of what must be mended first."""
    unknown = unknown_variables(os.environ)
    return [
        Finding(
            "no unknown settings in the environment",
            not unknown,
            f"not a setting, perhaps misspelt: {', '.join(unknown)}" if unknown else "",
        ),
        *settings_checks.check(settings),
        _keys(settings),
        _disk(settings),
        _scanner(settings),
        _notaries(settings),
        *(_database(which, url) for which, url in migrations.urls(settings).items()),
        *_in_date(settings),
        *mail_domains(settings),
    ]


def _scanner(settings: Settings) -> Finding:
    """A deployment may do without: then production takes no attachment."""
    without = (
        "warning: no attachment is taken: set GATEWAY_SCANNER_URL to clamd if agencies are to send files"
    )
    is_without = settings.scanner_url is None and settings.is_production
    return Finding("attachments are scanned", True, without if is_without else "")


def _notaries(settings: Settings) -> Finding:
    """Witnesses and time-stamping authorities, as far as the settings tell; `gateway log compare` asks them."""
    check = "others confirm the log"
    try:
        notaries = notaries_of(settings)
    except Misconfigured as fault:
        return Finding(check, False, str(fault), True)
    lacks = (
        [] if notaries.witnesses else ["nobody would notice an older or another log: set GATEWAY_WITNESSES"]
    )
    if not notaries.stamp_urls:
        lacks.append("times are the gateway's own claim: set GATEWAY_TIMESTAMP_URLS")
    return Finding(check, True, f"warning: {'; '.join(lacks)}" if lacks else "")


def _in_date(settings: Settings) -> list[Finding]:
    """Reviews of packs that lapsed, and holiday data that ends within a year, warn (X-24, C-12); a fault is what cannot be counted
    or read any more: holiday data that has ended, a broken pack, a revocation list that is missing."""
    found = read_dates(settings, system_clock())
    if found is None:
        return []  # what is wrong with the database is said already
    today = local_today()
    overdue = [f"{name} (since {day})" for name, day in found.reviews.items() if today > day]
    reviews = f"warning: overdue: {', '.join(overdue)}" if overdue else ""
    noted = "; ".join(f"warning: client {one.client}: {one.words}" for one in found.clients)
    mend = f"{', '.join(found.broken)}: put a sound one in force with `gateway rules activate`"
    return [
        Finding("rule packs in force are sound", not found.broken, mend if found.broken else ""),
        Finding("reviews of the rule packs in force", True, reviews),
        about_holidays(found, today),
        Finding("clients' keys, approvals and exceptions", True, noted),
        *about_revocation(settings, found),
    ]


def about_revocation(settings: Settings, found: Dates) -> list[Finding]:
    """A list that is missing or has ended shuts out every client of its authority; warns a day before."""
    if settings.client_crl_dir is None or not found.authorities:
        return []
    now = system_clock()
    lists = RevocationLists(settings.client_crl_dir, lambda: now)
    ends = [
        (client, lists.ends_at(load_pem_x509_certificate(pem.encode()))) for client, pem in found.authorities
    ]
    check = "revocation lists of clients' authorities are in date"
    shut_out = sorted(client for client, ends_at in ends if ends_at is None or ends_at <= now)
    if shut_out:
        mend = f"shut out for want of a list: {', '.join(shut_out)}: fetch it into GATEWAY_CLIENT_CRL_DIR"
        return [Finding(check, False, mend)]
    soon = sorted(client for client, at in ends if at and at - now < timedelta(days=1))
    words = f"warning: the lists of {', '.join(soon)} end within a day: fetch the next" if soon else ""
    return [Finding(check, True, words)]


def about_holidays(found: Dates, today: date) -> Finding:
    """Warns a year ahead; no date is counted past the end of the list, so there it is a fault (edge case 14 of section 11.6)."""
    words = "; ".join(warnings(found.listed, today))
    if found.uncounted or found.listed.covers_until < today:
        mend = f"{words}: gateway calendar upload; duties that have no date until then: {found.uncounted}"
        return Finding("holiday data reaches a year ahead", False, mend)
    return Finding("holiday data reaches a year ahead", True, f"warning: {words}" if words else "")


def _keys(settings: Settings) -> Finding:
    try:
        ring = custody.load(settings.keys_dir, home=home_of(settings))
    except (OSError, ValueError, KeyError, TypeError):
        return Finding("the key ring opens", False, "make keys with `gateway init`, or mend GATEWAY_KEYS_DIR")
    if settings.is_production and ring.are_for_development:
        return Finding("the key ring opens", False, "these keys were made for development: make others", True)
    return Finding("the key ring opens", True, "")


def _disk(settings: Settings) -> Finding:
    try:
        enough = shutil.disk_usage(settings.var_dir).free >= LEAST_FREE_BYTES
    except OSError:
        return Finding("there is room on the disk", False, "GATEWAY_VAR_DIR is not there: run `gateway init`")
    return Finding("there is room on the disk", enough, "" if enough else "less than 1 GiB is free")


def _database(which: migrations.Which, url: str) -> Finding:
    """Whether it is reached and up to date. A SQLite file that is not there is not made by looking."""
    check = f"the {which} database is up to date"
    try:
        if not engines.is_there(url):
            return Finding(check, False, "it is not there yet: run `gateway migrate`")
        current = migrations.is_current(url, which)
    except (SQLAlchemyError, GatewayError, OSError):
        variable = "GATEWAY_DATABASE_URL" if which == "book" else "GATEWAY_CUSTODY_URL"
        return Finding(check, False, f"it cannot be reached: is it running, and is {variable} right?")
    return Finding(check, current, "" if current else "run `gateway migrate`")


def _write_settings(file: Path, mode: str) -> bool:
    """Write every setting with its meaning, commented out but for the mode; False when the file is there already."""
    # Whoever may write there may put in other keys.
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as opened:
        opened.write("\n".join(_settings_text(mode)) + "\n")
    return True


def _settings_text(mode: str) -> Iterator[str]:
    yield "# Settings of the safeguarding gateway. What is commented out has the value shown."
    yield f"# A variable of the environment ({PREFIX}<NAME>) goes before a line here. `gateway doctor` lists them all."
    for name, field in Settings.model_fields.items():
        yield f"\n# {field.description}"
        yield f'mode = "{mode}"' if name == "mode" else f"# {name} = {_toml(field.default)}".rstrip()


def _toml(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case tuple():
            return json.dumps(list(value))
    return json.dumps(str(value))


@contextmanager
def _one_line_on_failure() -> Iterator[None]:
    """What an operator can mend is one line on standard error and exit 2."""
    try:
        yield
    except (SettingsUnreadable, Misconfigured) as fault:
        _stop(str(fault))
    except SQLAlchemyError:
        _stop("the database cannot be reached or refuses: is it running, and are its URL and role right?")
    except ModuleTrouble as fault:
        _stop(str(fault))
    except OSError as fault:
        _stop(f"{fault.filename or 'a file'}: {fault.strerror}")


def _stop(line: str) -> None:
    sys.stderr.write(line.replace("\n", " ") + "\n")
    raise typer.Exit(2)


def _settings_told(listing: Sequence[Listed]) -> list[str]:
    """What somebody set; the many defaults would bury what is to mend."""
    made = [entry for entry in listing if entry.origin != "default" or entry.variable == FILE_VARIABLE]
    lines = [f"{entry.variable}={entry.value}  ({entry.origin}: {entry.means})" for entry in made]
    return [*lines, f"{len(listing) - len(made)} other settings have their defaults: gateway doctor --json"]


def _findings_told(findings: Sequence[Finding]) -> list[str]:
    """What is to mend stands last, where a terminal shows it."""
    sound = [found for found in findings if found.ok and not found.advice]
    warned = [found for found in findings if found.ok and found.advice]
    wrong = [found for found in findings if not found.ok]
    return [
        f"ok    {len(sound)} checks",
        *(f"warn  {found.check}: {found.advice.removeprefix('warning: ')}" for found in warned),
        *(f"MEND  {found.check}: {found.advice}" for found in wrong),
        "",
        f"To mend: {len(wrong)}. Warnings: {len(warned)}.",
    ]


def _answer(document: object, lines: list[str], as_json: bool) -> None:
    typer.echo(json.dumps(document, indent=2) if as_json else "\n".join(lines))
