"""What the DNS says about a mail domain, ours or a partner's, and what ought to stand there for ours.

Invariant: looking never raises and never lasts: a DNS that cannot be reached is said to be so, and is nobody's fault. A record
in the DNS is advice here and decides nothing about a single mail. Sources: RFC 7208 (SPF), RFC 6376 and 8463 (DKIM), RFC
9989 (DMARC: `pct`, `rf` and `ri` are gone), RFC 8461 (MTA-STS), RFC 8460 (TLS-RPT); GOV.UK "Securing government email".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dns.exception
import dns.resolver

from keys.letters import DkimKey

LOOK_SECONDS = 3.0  # for one question
RESERVED = (".example", ".test", ".invalid", ".localhost", ".local", "localhost")
_OUT_OF_DMARC = ("pct", "rf", "ri")

Ask = Callable[
    [str, str], list[str]
]  # a name and a type: the records as text, [] when there are none; Unreachable


class Unreachable(Exception):
    """The DNS gave no answer: nothing can be said."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was looked at; `advice` says what to publish or to ask the partner for."""

    what: str
    ok: bool
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One DNS record to publish."""

    name: str
    type: str
    value: str


def is_reserved(domain: str) -> bool:
    """A name that no public DNS may know (RFC 2606, RFC 6761)."""
    return f".{domain.lower().rstrip('.')}".endswith(RESERVED)


def asker(address: str) -> Ask:
    """Questions to the machine's own DNS servers (`system`), or to the one at `address:port`. Each blocks for seconds."""

    def ask(name: str, kind: str) -> list[str]:
        try:
            asking = _resolver(address)
            answer = asking.resolve(name, kind, lifetime=LOOK_SECONDS, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError) as fault:
            raise Unreachable from fault
        records = list(answer.rrset or ())
        if kind == "TXT":
            return [b"".join(one.strings).decode("utf-8", "replace") for one in records]
        return [one.to_text() for one in records]

    return ask


def look_at_ours(ask: Ask, domain: str, keys: Sequence[DkimKey]) -> list[Seen]:
    """The domain that letters come from: all that a partner's server goes by. Unreachable where the DNS is."""
    return [
        _spf(ask, domain),
        *(_dkim(ask, domain, key) for key in keys),
        _dmarc(ask, domain),
        *_receiving(ask, domain),
    ]


def look_at_partner(ask: Ask, domain: str) -> list[Seen]:
    """A domain that we write to and hear from. Its DKIM keys have names that nobody can guess. Unreachable likewise."""
    return [_spf(ask, domain), _dmarc(ask, domain), *_receiving(ask, domain)]


def records_to_publish(
    domain: str, reply_domain: str, mail_server: str, keys: Sequence[DkimKey], policy_id: str
) -> list[Record]:
    """For the domain of letters and that of replies, which one mail server receives for. `policy_id` changes with the policy."""
    found = [Record(f"{key.selector}._domainkey.{domain}", "TXT", key.record()) for key in keys]
    for one in dict.fromkeys((domain, reply_domain)):
        found += [
            Record(one, "TXT", "v=spf1 mx -all"),
            Record(
                f"_dmarc.{one}",
                "TXT",
                f"v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:dmarc-reports@{domain}",
            ),
            Record(f"_smtp._tls.{one}", "TXT", f"v=TLSRPTv1; rua=mailto:tls-reports@{domain}"),
            Record(f"_mta-sts.{one}", "TXT", f"v=STSv1; id={policy_id}"),
        ]
    return [*found, Record(reply_domain, "MX", f"10 {mail_server}.")]


def mta_sts_policy(mail_server: str) -> str:
    """The file to serve at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`."""
    return f"version: STSv1\nmode: enforce\nmx: {mail_server}\nmax_age: 604800\n"


def _resolver(address: str) -> dns.resolver.Resolver:
    if address == "system":
        return dns.resolver.Resolver()
    host, _, port = address.rpartition(":") if address.count(":") == 1 else (address, "", "53")
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers, asking.port = [host], int(port)
    return asking


def _spf(ask: Ask, domain: str) -> Seen:
    found = [text for text in ask(domain, "TXT") if re.match(r"v=spf1(?:\s|$)", text, re.IGNORECASE)]
    if len(found) != 1:
        return Seen(
            "SPF",
            False,
            "publish one TXT record `v=spf1 … -all`" if not found else "publish one SPF record, not several",
        )
    is_closed = re.search(r"(?:\s[-~]all|\sredirect=\S+)\s*$", found[0], re.IGNORECASE)
    return Seen("SPF", bool(is_closed), "" if is_closed else "end the SPF record with `-all`")


def _dkim(ask: Ask, domain: str, key: DkimKey) -> Seen:
    what = f"DKIM {key.selector}"
    found = [_tags(text).get("p") for text in ask(f"{key.selector}._domainkey.{domain}", "TXT")]
    if not found:
        return Seen(what, False, "publish the record that `gateway mail dns` prints")
    is_ours = found == [_tags(key.record())["p"]]
    return Seen(
        what,
        is_ours,
        "" if is_ours else "the record holds another key: publish what `gateway mail dns` prints",
    )


def _dmarc(ask: Ask, domain: str) -> Seen:
    """Its own record or the nearest above it (RFC 9989 section 4.10: a walk up the tree)."""
    for at in _upwards(domain):
        found = [text for text in ask(f"_dmarc.{at}", "TXT") if re.match(r"v=DMARC1(?:\s*;|$)", text)]
        if len(found) > 1:
            return Seen("DMARC", False, "publish one DMARC record, not several")
        if found:
            return _judged(_tags(found[0]), at != domain)
    return Seen("DMARC", False, "publish `_dmarc` with `v=DMARC1; p=reject`")


def _judged(tags: dict[str, str], is_above: bool) -> Seen:
    wanted = tags.get("sp", tags.get("p", "")) if is_above else tags.get("p", "")
    if tags.get("t", "n").lower() == "y":
        return Seen("DMARC", False, "it is in test (`t=y`): take that out")
    if wanted.lower() not in {"reject", "quarantine"}:
        return Seen("DMARC", False, "ask for `p=reject`, at least `p=quarantine`")
    if old := [name for name in _OUT_OF_DMARC if name in tags]:
        return Seen("DMARC", False, f"take out `{old[0]}`, which RFC 9989 ended")
    return Seen("DMARC", True)


def _receiving(ask: Ask, domain: str) -> Iterator[Seen]:
    """How others are told to send to the domain: over TLS with a certificate that holds, and with reports."""
    if not ask(domain, "MX"):
        yield Seen("MX", False, "it takes no e-mail: publish an MX record if letters or answers go there")
        return
    sts = [text for text in ask(f"_mta-sts.{domain}", "TXT") if _tags(text).get("v") == "STSv1"]
    is_sound = len(sts) == 1 and re.fullmatch(r"[A-Za-z0-9]{1,32}", _tags(sts[0]).get("id", ""))
    yield Seen(
        "MTA-STS",
        bool(is_sound),
        "" if is_sound else "publish `_mta-sts` with `v=STSv1; id=…`, and its policy file",
    )
    reports = [text for text in ask(f"_smtp._tls.{domain}", "TXT") if _tags(text).get("v") == "TLSRPTv1"]
    has_reports = len(reports) == 1 and bool(_tags(reports[0]).get("rua"))
    yield Seen(
        "TLS-RPT", has_reports, "" if has_reports else "publish `_smtp._tls` with `v=TLSRPTv1; rua=mailto:…`"
    )


def _upwards(domain: str) -> Iterator[str]:
    """The domain and what is above it, down to two labels; at most eight questions."""
    labels = domain.split(".")
    for start in range(max(1, min(len(labels) - 1, 8))):
        yield ".".join(labels[start:])


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): re.sub(r"\s+", "", value) for name, equals, value in pairs if equals}
