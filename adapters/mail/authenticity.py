"""Whether a mail is from whom it says: the verdict of our own mail server, believed only where it cannot be forged.

1. Exactly one From field with exactly one plain address; anything else is nobody's mail.
2. Only `Authentication-Results` fields with our server's own name count (RFC 8601 section 5), and only above the Received
   line by which the mail entered our server: what stands lower came with the mail and may be forged.
3. DMARC must have passed for the domain in From (RFC 9989), and where signatures are reported one that belongs to that
   domain must have passed: DMARC alone also passes on SPF with a broken signature.
4. A signature that covers only part of the body (`l=`) is not enough.
`recheck` verifies the signature again and may only lower the verdict.
The caller must still compare the sender with whoever is enrolled.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Any

Headers = Sequence[tuple[str, str]]  # lower-case name and unfolded value, in the order of the mail


@dataclass(frozen=True, slots=True)
class Sender:
    """The one address in From, lower case, and the name shown beside it."""

    address: str
    shown_name: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Authenticity:
    """`passed` with no reason, or not passed with the reason in plain words."""

    passed: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One method's result in an Authentication-Results field, such as dkim=pass with header.d."""

    method: str
    value: str
    properties: tuple[tuple[str, str], ...]

    def property(self, name: str) -> str | None:
        return next((value for key, value in self.properties if key == name), None)


_ADDRESS = r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
_FROM = re.compile(
    rf"(?:(?P<name>[^<>]*)<(?P<angled>{_ADDRESS})>|(?P<bare>{_ADDRESS})(?:\s*\([^()<>]*\))?)", re.IGNORECASE
)


def the_sender(headers: Headers) -> Sender | None:
    """The one sender, or None when there is no From, more than one, or one that can be read in two ways."""
    values = [value for name, value in headers if name == "from"]
    if len(values) != 1 or len(values[0]) > 1000:
        return None
    match = _FROM.fullmatch(values[0].strip())
    if match is None:
        return None
    address = (match["angled"] or match["bare"]).lower()
    read_otherwise = [found.lower() for _, found in getaddresses([values[0]]) if found]
    if read_otherwise != [address]:
        return None
    return Sender(address, (match["name"] or "").strip().strip('"'))


def assess(headers: Headers, authserv_id: str | None, stamped_below: bool = False) -> Authenticity:
    """The verdict on one mail by the trusted server's own stamp; without a trusted server nothing passes.

    `stamped_below` also believes stamps directly beneath our server's own Received line: only for a server that writes
    them there and is known to strip forged ones.
    """
    sender = the_sender(headers)
    if sender is None:
        return Authenticity(False, "The mail does not have exactly one clear sender.")
    if not authserv_id:
        return Authenticity(False, "No trusted mail server is named, so nobody vouches for the sender.")
    results = trusted_results(headers, authserv_id, stamped_below)
    if not results:
        return Authenticity(False, "Our mail server has not vouched for the sender.")
    return _judge(results, headers, sender.domain)


def has_signature(headers: Headers, authserv_id: str, stamped_below: bool = False) -> Authenticity:
    """A pass that rests on a signature of the sender's own domain; DMARC may have passed on SPF alone, which is weak."""
    sender = the_sender(headers)
    results = trusted_results(headers, authserv_id, stamped_below)
    named = [r for r in results if r.method == "dkim" and (_named(r, "header.d") or _named(r, "header.i"))]
    if sender and any(_signed_by(result, sender.domain) for result in named):
        return Authenticity(True)
    return Authenticity(
        False, "No signature of the sender's own domain is reported, only where the mail came from."
    )


def trusted_results(headers: Headers, authserv_id: str, stamped_below: bool = False) -> list[Result]:
    """The results in the fields that only our own server can have written."""
    found: list[Result] = []
    for name, value in headers[: _entry(headers, authserv_id, stamped_below)]:
        if name == "authentication-results":
            server, results = parse_results(value)
            if server == authserv_id.strip().lower():
                found += results
    return found


def parse_results(value: str) -> tuple[str | None, list[Result]]:
    """The server's name and its results (RFC 8601 section 2.2); comments are dropped, nonsense is left out."""
    plain = _plain(value)
    if plain is None:
        return None, []
    head, *statements = plain.split(";")
    words = head.split()
    server = words[0].lower() if words and "=" not in words[0] else None
    return server, [result for text in statements if (result := _result(text)) is not None]


def aligned(signing_domain: str, from_domain: str) -> bool:
    """Whether a signing domain speaks for the domain in From: the same, or one a subdomain of the other."""
    signing, sending = signing_domain.lower().rstrip("."), from_domain.lower().rstrip(".")
    if signing == sending:
        return True
    shorter = min(signing, sending, key=len)
    return shorter.count(".") >= 1 and (sending.endswith("." + signing) or signing.endswith("." + sending))


def recheck(
    raw: bytes, headers: Headers, verdict: Authenticity, txt_record: Callable[..., bytes | None]
) -> Authenticity:
    """The same verdict, lowered when no signature of the sender's domain verifies now (RFC 6376).

    `txt_record` is the look-up that dkimpy calls with a name as bytes; DNS failures count as not verified.
    """
    sender = the_sender(headers)
    if not verdict.passed or sender is None:
        return verdict
    if any(aligned(domain, sender.domain) for domain in verified_domains(raw, txt_record)):
        return verdict
    return Authenticity(False, "The signature of the sender's domain does not verify.")


def verified_domains(raw: bytes, txt_record: Callable[..., bytes | None]) -> list[str]:
    """The domains whose DKIM signature on these bytes verifies."""
    dkim: Any = importlib.import_module(
        "dkim"
    )  # untyped, and costs start-up time that most readers never need
    checked = dkim.DKIM(raw)
    count = sum(1 for name, _ in checked.headers if name.lower() == b"dkim-signature")
    domains = (_verified_domain(checked, place, txt_record) for place in range(min(count, 5)))
    return [domain for domain in domains if domain is not None]


def _verified_domain(checked: Any, place: int, txt_record: Callable[..., bytes | None]) -> str | None:
    try:
        passed = checked.verify(idx=place, dnsfunc=txt_record)
    except Exception:  # whatever a hostile signature or the DNS does is "not verified"
        return None
    return str(checked.domain.decode("ascii", "replace")).lower() if passed else None


def _judge(results: list[Result], headers: Headers, domain: str) -> Authenticity:
    policy = [result for result in results if result.method == "dmarc"]
    if not policy or any(result.value != "pass" for result in policy):
        return Authenticity(False, "The sender's domain did not pass the authenticity check (DMARC).")
    if any(_named(result, "header.from") not in {None, domain} for result in policy):
        return Authenticity(False, "The authenticity check was for another domain than the sender's.")
    signatures = [result for result in results if result.method == "dkim"]
    if signatures and not any(_signed_by(result, domain) for result in signatures):
        return Authenticity(
            False, "No signature of the sender's own domain passed, so the text may have been changed."
        )
    if _partly_signed(headers, domain):
        return Authenticity(False, "The signature covers only part of the text.")
    return Authenticity(True)


def _named(result: Result, name: str) -> str | None:
    value = result.property(name)
    return value.lower().rpartition("@")[2].rstrip(".") if value is not None else None


def _signed_by(result: Result, domain: str) -> bool:
    signer = _named(result, "header.d") or _named(result, "header.i")
    return result.value == "pass" and (signer is None or aligned(signer, domain))


def _partly_signed(headers: Headers, domain: str) -> bool:
    for name, value in headers:
        if name == "dkim-signature":
            tags = dict(re.findall(r"(?:^|;)\s*([a-z]+)\s*=\s*([^;\s]*)", value))
            if "l" in tags and aligned(tags.get("d", ""), domain):
                return True
    return False


def _entry(headers: Headers, authserv_id: str, stamped_below: bool) -> int:
    """Where the mail entered our server: fields before this place are our own.

    The Received line by our server, or else the first one that is not a hand-over inside the house (LMTP). A mail with
    no Received line at all was put into the mailbox by us.
    """
    received = [place for place, (name, _) in enumerate(headers) if name == "received"]
    ours = [place for place in received if _received_by(headers[place][1], authserv_id)]
    outside = [
        place for place in received if not re.search(r"\bwith\s+LMTPS?A?\b", headers[place][1], re.IGNORECASE)
    ]
    by_smtp = [place for place in ours if place in outside]
    entry = next(iter(by_smtp or ours or outside), len(headers))
    if stamped_below and by_smtp:
        entry += 1
        while entry < len(headers) and headers[entry][0] in {"authentication-results", "received-spf"}:
            entry += 1
    return entry


def _received_by(value: str, authserv_id: str) -> bool:
    match = re.search(r"\bby\s+([A-Za-z0-9.-]+)", value)
    name = authserv_id.strip().lower()
    host = match[1].lower() if match else ""
    return host == name or host.endswith("." + name)


def _plain(value: str) -> str | None:
    """The field without comments, and with quoted strings made harmless; None when a quote or comment never ends.

    A sender's own words can stand in comments and quoted strings, so nothing in them may look like a result.
    """
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for character in value:
        if escaped:
            kept.append("_" if depth == 0 else "")
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and depth == 0:
            quoted = not quoted
        elif quoted:
            kept.append(character if character.isalnum() or character in "._@+-/" else "_")
        elif character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
        elif depth == 0:
            kept.append(character)
    return None if quoted or depth or escaped else "".join(kept)


def _result(statement: str) -> Result | None:
    words = re.findall(r"([A-Za-z0-9._/-]+)\s*=\s*(\S+)", statement)
    if not words:
        return None
    method, value = words[0][0].partition("/")[0].lower(), words[0][1].lower()
    return Result(method, value, tuple((key.lower(), found) for key, found in words[1:]))
