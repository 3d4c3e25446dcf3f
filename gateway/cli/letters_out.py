"""Behind `gateway mail keys|dns|relay-map|preview`: what outgoing e-mail is signed with, what to publish, and how a letter looks.

Nothing here sends anything or opens the database.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from adapters.mail.composing import compose_letter
from adapters.mail.dkim_signature import sign_mail
from adapters.mail.domains import Record, mta_sts_policy, records_to_publish
from adapters.mail.letter import Correspondence, build_posting
from adapters.mail.message_form import message_form
from adapters.mail.policy import relay_map as relay_map_of
from gateway.actions.message_in_mail import BY_MAIL
from gateway.app import local_today
from gateway.app.correspondence import correspondence, letter_keys, mail_policy
from gateway.cli.session import answer, stop
from gateway.core.errors import Misconfigured
from gateway.partnerships import packs
from gateway.settings import Settings, SettingsUnreadable
from keys.letters import make_dkim_keys
from schemas.registry import REGISTRY, body_of

_SAMPLE_REFERENCE, _SAMPLE_TOKEN = "SG-7K3M-9QPX-2D", "0123456789abcdef0123"
_SAMPLE = {
    "type": "dsl-letter",
    "author": {"name": "Alex Adviser", "post": "Child Protection Adviser"},
    "body": {
        "letter_reference": _SAMPLE_REFERENCE,
        "council": "Sample Council",
        "school_urn": "999999",
        "school_name": "Hillside Invented School",
        "dsl_name": "Jane Invented",
        "child_name": "Robin Invented",
        "child_date_of_birth": "2012-02-29",
        "adviser": {"name": "Alex Adviser", "telephone": "0191 496 0000"},
    },
}
_SAMPLE_OURS = Correspondence("replies.council.example", "safeguarding@council.example", "Sample Council")


def make_keys(stem: str, as_json: bool) -> None:
    """Make two DKIM keys under selectors that begin with `stem`."""
    if not stem.isascii() or not stem.isalnum() or len(stem) > 20:
        stop("--stem is one word of letters and digits", 2)
    settings = _settings()
    try:
        made = make_dkim_keys(settings.keys_dir, stem.lower())
    except FileExistsError:
        stop("there are keys of that name already: choose another --stem", 1)
    except OSError as fault:
        stop(f"the keys cannot be written ({fault.strerror}): see GATEWAY_KEYS_DIR", 2)
    answer({"selectors": list(made)}, [f"Made {' and '.join(made)}. Next: gateway mail dns"], as_json)


def write_form(slug: str, out: Path, partnership: str, children: int, as_json: bool) -> None:
    """Write the empty form of a message type that is taken by e-mail."""
    if slug not in BY_MAIL:
        stop(f"messages of this type are not taken by e-mail; these are: {', '.join(sorted(BY_MAIL))}", 1)
    title = body_of(REGISTRY[slug, 1]).TITLE
    form = message_form(slug, title, partnership=partnership, children=children)
    try:
        with out.open("xb") as written:
            written.write(form)
    except FileExistsError:
        stop(f"{out} is there already: name another file", 2)
    except OSError as fault:
        stop(f"{out} cannot be written: {fault.strerror}", 2)
    answer({"type": slug, "version": 1, "file": str(out)}, [f"Wrote the form for {slug}: {out}"], as_json)


def print_records(mail_server: str | None, as_json: bool) -> None:
    """Print what is to be published for our own domains."""
    settings = _settings()
    server = mail_server or settings.mail_authserv_id
    if not settings.mail_domain or not settings.mail_from or not server:
        stop("set GATEWAY_MAIL_DOMAIN and GATEWAY_MAIL_FROM, and name the server with --mail-server", 2)
    domain = correspondence(settings).from_address.rpartition("@")[2]
    keys, changed_on = letter_keys(settings).dkim, f"{local_today():%Y%m%d}"
    records = records_to_publish(domain, settings.mail_domain, server, keys, changed_on)
    policy = mta_sts_policy(server)
    told = {"records": [asdict(one) for one in records], "mta_sts_policy": policy}
    lines = [f"{one.name}. {one.type} {_zone_text(one)}" for one in records]
    served = f"# Serve this at https://mta-sts.{settings.mail_domain}/.well-known/mta-sts.txt:"
    answer(told, [*lines, "", served, policy.rstrip()], as_json)


def print_relay_map(as_json: bool) -> None:
    """Print how the relay is to demand TLS onward."""
    lines = relay_map_of(mail_policy(_settings()))
    answer(
        {"lines": lines}, lines or ["# The policy names no domain: the relay's own default holds."], as_json
    )


def write_sample(pack: str, out: Path, as_json: bool) -> None:
    """Write a letter with invented data into a folder: the e-mail and its PDF."""
    templates = {
        name.removeprefix("letters/"): text
        for name, text in _files(pack).items()
        if name.startswith("letters/")
    }
    if "dsl-letter.txt" not in templates:
        stop("that rule pack sends no letters to schools", 1)
    settings, written_at = _settings(), datetime.combine(local_today(), time(9), UTC)
    document: dict[str, Any] = {**_SAMPLE, "created_at": written_at.isoformat()}
    letter = compose_letter(templates, document, _SAMPLE_TOKEN, lambda *_: "0" * 32)
    ours = correspondence(settings) if settings.mail_from and settings.mail_domain else _SAMPLE_OURS
    content = build_posting(letter, "dlv-sample", "dsl@hillside.example", ours, written_at).content
    signed = sign_mail(content, letter_keys(settings).dkim, ours.from_address.rpartition("@")[2], written_at)
    written = {f"{_SAMPLE_REFERENCE}.eml": signed, letter.files[0].name: letter.files[0].content}
    try:
        for name, content in written.items():
            (out / name).write_bytes(content)
    except OSError as fault:
        stop(f"the folder cannot be written to ({fault.strerror})", 2)
    files = [str(out / name) for name in written]
    answer({"files": files}, [f"Wrote {one}" for one in files], as_json)


def _files(pack: str) -> dict[str, str]:
    if pack not in packs.names():
        stop("there is no rule pack of that name; `gateway rules list` shows those there are", 1)
    return dict(packs.read_files(packs.HERE / pack))


def _settings() -> Settings:
    try:
        return Settings.load()
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None


def _zone_text(record: Record) -> str:
    """A record's value as a zone file has it: text in strings of at most 255 bytes."""
    if record.type != "TXT":
        return record.value
    return " ".join(json.dumps(record.value[at : at + 255]) for at in range(0, len(record.value), 255))
