"""How e-mail may leave, by the recipient's domain: data that operators write, and pure decisions.

Invariants: nothing leaves in clear under any class, and no class falls back to a weaker one; what cannot leave as its class
demands is not sent, and an officer is told. A domain that the file does not name is treated as `default` says.
Sources: GOV.UK "Securing government email", CJSM, DCB1596 (NHSmail), RFC 8461 (MTA-STS), RFC 7672 (DANE), RFC 8551.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

_DOMAIN = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_TAG = re.compile(r"[A-Za-z0-9]{1,20}")


class MailClass(Enum):
    """What a recipient's domain asks of us. The relay enforces the way onward: `relay_map`."""

    GOV_SECURE = (
        "gov-secure"  # TLS 1.2 or newer with a verified certificate, all the way to the domain's server
    )
    NHS = "nhs"  # the same, for NHSmail and accredited systems: a class of its own, for it may change alone
    CJSM = "cjsm"  # by the CJSM gateway alone, to the suffixed address; never by the open internet
    SMIME = "smime"  # as gov-secure, and signed and encrypted for the recipient's certificate
    HOLD = "hold"  # not by e-mail: an officer tells them by telephone


class PolicyUnreadable(ValueError):
    """The policy file is not sound; says which entry and what to do, never a secret."""


class NotAllowed(Exception):
    """This letter may not leave by e-mail; `reason` is a coarse code that an officer is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ClassRules:
    """What the file may set for a class. `patience` is how long a mail is tried before an officer is told instead."""

    suffix: str = ""
    tag: str = ""
    relay_url: str | None = None
    relay_password_file: Path | None = None
    relay_ca_file: Path | None = None
    patience: timedelta = timedelta(hours=4)


DEFAULTS: Mapping[MailClass, ClassRules] = {
    **{one: ClassRules() for one in MailClass},
    MailClass.CJSM: ClassRules(suffix="cjsm.net", tag="CJSM"),
}


@dataclass(frozen=True, slots=True)
class Handling:
    """How one mail leaves: to which address, with which subject tag, by whose relay, for which certificate."""

    mail_class: MailClass
    recipient: str
    rules: ClassRules
    certificate: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. Without a file every domain is `gov-secure`."""

    default: MailClass = MailClass.GOV_SECURE
    domains: Mapping[str, MailClass] = field(
        default_factory=dict
    )  # in lower case; `*.` before a name: what is under it
    rules: Mapping[MailClass, ClassRules] = field(default_factory=lambda: DEFAULTS)
    certificates: Mapping[str, x509.Certificate] = field(default_factory=dict)  # by address in lower case

    def class_of(self, address: str) -> MailClass:
        """By the whole domain, else by the nearest `*.` above it, else the default."""
        domain = address.rpartition("@")[2].lower()
        if domain in self.domains:
            return self.domains[domain]
        while "." in domain:
            domain = domain.partition(".")[2]
            if f"*.{domain}" in self.domains:
                return self.domains[f"*.{domain}"]
        return self.default

    def handling(self, address: str, at: datetime | None) -> Handling:
        """How a mail to this address leaves; NotAllowed where it may not."""
        found = self.class_of(address)
        rules = self.rules[found]
        match found:
            case MailClass.HOLD:
                raise NotAllowed("mail-policy-hold")
            case MailClass.CJSM:
                if rules.relay_url is None:
                    raise NotAllowed("no-cjsm-gateway")
                return Handling(found, _suffixed(address, rules.suffix), rules)
            case MailClass.SMIME:
                return Handling(found, address, rules, self._certificate(address, at))
        return Handling(found, address, rules)

    def _certificate(self, address: str, at: datetime | None) -> x509.Certificate:
        found = self.certificates.get(address.lower())
        if found is None:
            raise NotAllowed("no-certificate")
        if at is not None and not found.not_valid_before_utc <= at <= found.not_valid_after_utc:
            raise NotAllowed("certificate-out-of-date")
        return found


def relay_map(policy: Policy) -> list[str]:
    """Lines of a Postfix `smtp_tls_policy_maps` (texthash) with which our relay enforces the classes onward.

    `secure` is TLS with a certificate for the domain's own name or its mail servers' names under it; a domain whose server
    bears a provider's name needs its MTA-STS policy (postfix-mta-sts-resolver) or DANE, and then no line here.
    """
    protected = {MailClass.GOV_SECURE, MailClass.NHS, MailClass.SMIME}
    lines = []
    for name, found in sorted(policy.domains.items()):
        if found in protected:
            lines.append(f"{name.removeprefix('*')} secure protocols=>=TLSv1.2")
    return lines


def read_policy(file: Path) -> Policy:
    """The policy in a TOML file; files that it names lie beside it. PolicyUnreadable says what to mend."""
    try:
        told = tomllib.loads(file.read_text("utf-8"))
    except OSError as fault:
        raise PolicyUnreadable(f"the mail policy cannot be read ({fault.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise PolicyUnreadable("the mail policy is not TOML") from None
    _only(told, {"default", "domain", "class", "certificate"}, "the file")
    rules = dict(DEFAULTS)
    for name, settings in _table(told, "class").items():
        rules[_class(name)] = _rules(name, settings, DEFAULTS[_class(name)], file.parent)
    domains = dict(_domain(entry) for entry in _entries(told, "domain"))
    certificates = dict(_enrolled(entry, file.parent) for entry in _entries(told, "certificate"))
    return Policy(_class(told.get("default", "gov-secure")), domains, rules, certificates)


def _suffixed(address: str, suffix: str) -> str:
    return address if address.lower().endswith(f".{suffix}") else f"{address}.{suffix}"


def _class(name: object) -> MailClass:
    try:
        return MailClass(name)
    except ValueError:
        raise PolicyUnreadable(f"a class is one of: {', '.join(one.value for one in MailClass)}") from None


def _domain(entry: Mapping[str, Any]) -> tuple[str, MailClass]:
    _only(entry, {"name", "class"}, "[[domain]]")
    name = str(entry.get("name", "")).lower()
    if not _DOMAIN.fullmatch(name):
        raise PolicyUnreadable("[[domain]] needs a name such as council.example or *.sch.example")
    return name, _class(entry.get("class"))


def _rules(name: str, entry: object, usual: ClassRules, folder: Path) -> ClassRules:
    if not isinstance(entry, dict):
        raise PolicyUnreadable(f"[class.{name}] is a table")
    known = {
        "suffix",
        "subject_tag",
        "relay_url",
        "relay_password_file",
        "relay_ca_file",
        "give_up_after_hours",
    }
    _only(entry, known, f"[class.{name}]")
    suffix, tag = str(entry.get("suffix", usual.suffix)).lower(), str(entry.get("subject_tag", usual.tag))
    if suffix and not _DOMAIN.fullmatch(suffix):
        raise PolicyUnreadable(f"[class.{name}]: suffix is a domain name")
    if tag and not _TAG.fullmatch(tag):
        raise PolicyUnreadable(f"[class.{name}]: subject_tag is one plain word")
    hours = entry.get("give_up_after_hours", usual.patience / timedelta(hours=1))
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 96:
        raise PolicyUnreadable(f"[class.{name}]: give_up_after_hours is more than 0 and at most 96")
    url = entry.get("relay_url")
    if url is not None:
        _check_relay(str(url), name)
    return ClassRules(
        suffix,
        tag,
        url,
        _file(entry.get("relay_password_file"), folder),
        _file(entry.get("relay_ca_file"), folder),
        timedelta(hours=hours),
    )


def _check_relay(url: str, name: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "smtp" or not parts.hostname or parts.password is not None:
        raise PolicyUnreadable(f"[class.{name}]: relay_url is smtp://user@host:port, its password in a file")


def _enrolled(entry: Mapping[str, Any], folder: Path) -> tuple[str, x509.Certificate]:
    """A partner's certificate. It must be for this very address, and RSA: what we encrypt for others can be no other kind."""
    _only(entry, {"address", "file"}, "[[certificate]]")
    address, path = str(entry.get("address", "")).lower(), _file(entry.get("file"), folder)
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes() if path else b"")
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = [name.lower() for name in names.get_values_for_type(x509.RFC822Name)]
    except (OSError, ValueError, x509.ExtensionNotFound):
        raise PolicyUnreadable("[[certificate]] needs a PEM file that names an e-mail address") from None
    if address not in addresses:
        raise PolicyUnreadable("[[certificate]]: the certificate is for another address")
    if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
        raise PolicyUnreadable("[[certificate]]: only RSA certificates can be encrypted for")
    return address, certificate


def _file(name: object, folder: Path) -> Path | None:
    return None if name is None else folder / str(name)


def _entries(told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = told.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise PolicyUnreadable(f"write [[{name}]] once for each")
    return found


def _table(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name, {})
    if not isinstance(found, dict):
        raise PolicyUnreadable(f"write [{name}.NAME]")
    return found


def _only(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(entry) - known):
        raise PolicyUnreadable(f"{where} has no {unknown[0]!r}: it may have {', '.join(sorted(known))}")
