"""What `gateway doctor` says of mail domains: ours, and those of partners that letters go to.

Warns about partners, asks to mend our own, and where the DNS cannot be reached says that nothing was looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from adapters.mail.domains import Ask, Seen, Unreachable, asker, is_reserved, look_at_ours, look_at_partner
from gateway.app.correspondence import correspondence, letter_keys, mail_policy
from gateway.core.errors import GatewayError, Misconfigured
from gateway.settings import Settings
from gateway.settings.checks import Finding
from gateway.store import directory, tables
from gateway.store import packs as pack_rows
from gateway.store.transaction import Store, Tx

MOST_PARTNERS = 40
AT_ONCE = 8

_OURS, _PARTNERS = "our mail domains in the DNS", "partners' mail domains in the DNS"


def mail_domains(settings: Settings) -> list[Finding]:
    """Nothing where no e-mail is set up."""
    if not settings.mail_domain or not settings.mail_from:
        return []
    try:
        keys, policy = letter_keys(settings), mail_policy(settings)
    except Misconfigured as fault:
        return [Finding("e-mail can be signed and sent by its policy", False, str(fault))]
    signed = (
        ""
        if keys.dkim
        else "warning: the gateway signs no e-mail: `gateway mail keys`, unless the relay signs"
    )
    found = [Finding("e-mail is signed (DKIM)", True, signed)]
    ask = asker(settings.mail_resolver or "system")
    ours = [correspondence(settings).from_address.rpartition("@")[2], settings.mail_domain]
    known = {one for one in policy.domains if not one.startswith("*")} | _written_to(settings)
    partners = sorted(known - {one.lower() for one in ours})
    from_domain, reply_domain = ours
    questions: dict[str, Callable[[], list[Seen]]] = {
        from_domain: lambda: look_at_ours(ask, from_domain, keys.dkim)
    }
    questions.setdefault(reply_domain, lambda: look_at_partner(ask, reply_domain))
    looked = _looked(settings, questions)
    found.append(_finding(_OURS, looked, is_ours=True))
    is_silent = bool(looked) and not any(looked.values())
    of_partners = dict.fromkeys(partners) if is_silent else _looked(settings, _of_partners(ask, partners))
    return [*found, _finding(_PARTNERS, of_partners, is_ours=False)]


def _of_partners(ask: Ask, partners: list[str]) -> dict[str, Callable[[], list[Seen]]]:
    def looking(domain: str) -> Callable[[], list[Seen]]:
        return lambda: look_at_partner(ask, domain)

    return {domain: looking(domain) for domain in partners[:MOST_PARTNERS]}


def _looked(
    settings: Settings, questions: dict[str, Callable[[], list[Seen]]]
) -> dict[str, list[Seen] | None]:
    """What was seen of each domain, None where the DNS gave no answer; reserved names are asked only of a server named for it."""
    asked = [
        name for name in questions if settings.mail_resolver not in (None, "system") or not is_reserved(name)
    ]

    def look(name: str) -> list[Seen] | None:
        try:
            return questions[name]()
        except Unreachable:
            return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(asked, threads.map(look, asked), strict=True))


def _finding(check: str, looked: Mapping[str, list[Seen] | None], *, is_ours: bool) -> Finding:
    """Only what was seen to be wrong with our own is to be mended; a silence and a partner's faults are warnings."""
    if not looked:
        return Finding(check, True, "not looked at: there is none that a public DNS could know")
    if not any(looked.values()):
        return Finding(check, True, "warning: not looked at, for the DNS cannot be reached from here")
    wrong = [
        f"{name}: {', '.join(f'{one.what} ({one.advice})' for one in seen if not one.ok)}"
        for name, seen in looked.items()
        if seen is not None and not all(one.ok for one in seen)
    ]
    silent = [f"{name}: the DNS gave no answer" for name, seen in looked.items() if seen is None]
    is_wrong = is_ours and bool(wrong)
    said = "; ".join([*wrong, *silent])
    return Finding(check, not is_wrong, f"warning: {said}" if said and not is_wrong else said)


def _written_to(settings: Settings) -> set[str]:
    """The domains of every address in the directories in force; none where there is no database to read."""
    url = settings.book_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return set()
    try:
        return asyncio.run(_read(url))
    except (SQLAlchemyError, GatewayError, OSError):
        return set()


async def _read(url: str) -> set[str]:
    store = Store.open(url, tables.book)
    try:
        return await store.read(_domains)
    finally:
        await store.aclose()


def _domains(tx: Tx) -> set[str]:
    found: set[str] = set()
    for row in pack_rows.in_force(tx):
        known = directory.load(tx, row.partnership)
        addresses = [holder.email for holders in known.seats.values() for holder in holders]
        addresses += [way.address for way in known.ways.values() if way.adapter == "mail"]
        found |= {address.rpartition("@")[2].lower() for address in addresses if address}
    return found
