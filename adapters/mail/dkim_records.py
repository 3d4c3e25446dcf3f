"""The DKIM keys that a mail names, looked up before the mail is read: the process that opens hostile mail has no network.

Invariant: only names that belong to the domain in From are asked for, at most five, within a few seconds; whatever goes wrong
is "there is no such key", which can only lower a verdict. Sources: RFC 6376 sections 3.6.2 and 6.1.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from adapters.mail.authenticity import aligned

MOST_SIGNATURES = 5
MOST_HEADER_BYTES = 64 * 1024
LONGEST_LOOK_UP_SECONDS = 3.0

_SIGNATURE = re.compile(rb"^dkim-signature[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(rb"^from[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_DOMAIN = re.compile(rb"@([A-Za-z0-9.-]{1,253})")
_LABELS = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

LookUp = Callable[[str], str | None]


def records_of(raw: bytes, look_up: LookUp) -> tuple[tuple[str, str], ...]:
    """Name and TXT record of each key that the mail's signatures of the sender's own domain name."""
    names = names_in(raw)
    found = ((name, look_up(name)) for name in names)
    return tuple((name, record) for name, record in found if record is not None)


def names_in(raw: bytes) -> tuple[str, ...]:
    """The DNS names of those keys, lower case."""
    head = re.split(rb"\r?\n\r?\n", raw[:MOST_HEADER_BYTES], maxsplit=1)[0]
    senders = [found.decode("ascii") for value in _FROM.findall(head) for found in _DOMAIN.findall(value)]
    names: list[str] = []
    for value in _SIGNATURE.findall(head)[:MOST_SIGNATURES]:
        tags = dict(
            re.findall(r"(?:^|;)([a-z]+)=([^;]*)", re.sub(r"\s+", "", value.decode("ascii", "replace")))
        )
        domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
        name = f"{selector}._domainkey.{domain}"
        if len(name) <= 253 and _LABELS.fullmatch(name) and any(aligned(domain, one) for one in senders):
            names.append(name)
    return tuple(dict.fromkeys(names))


def resolver(address: str) -> LookUp:
    """Looks names up with the machine's own resolver (`system`) or the one at `address[:port]`. Blocks for seconds."""
    import dns.exception  # loaded only where signatures are checked again
    import dns.resolver

    asking = dns.resolver.Resolver(configure=address == "system")
    if address != "system":
        host, _, port = address.rpartition(":") if address.count(":") == 1 else (address, "", "53")
        asking.nameservers, asking.port = [host], int(port)

    def look_up(name: str) -> str | None:
        try:
            answer = asking.resolve(name, "TXT", lifetime=LONGEST_LOOK_UP_SECONDS, search=False)
        except (dns.exception.DNSException, OSError):
            return None
        texts = [b"".join(record.strings) for record in answer]
        return texts[0].decode("utf-8", "surrogateescape") if len(texts) == 1 else None

    return look_up
