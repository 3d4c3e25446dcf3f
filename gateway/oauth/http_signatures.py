"""Did the client sign this very request? HTTP message signatures: RFC 9421, with Content-Digest (RFC 9530).

The profile: one signature with the tag `safeguarding-gateway`, made within the last minute by a registered key of the client,
over at least `@method`, `@target-uri` and `content-digest`. Neither `authorization` nor `dpop` may be covered: the signature is
kept as evidence of who sent the message, and no token belongs there. The algorithm is the key's own, as for JWS (section
3.3.7); a parameter `alg` must agree with it. Other signatures, of a proxy for instance, are not looked at.

Invariant: what was signed is rebuilt from the request as it came, never from what the signature says of it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.oauth.jose import BadSignature, PublicKey, verify_bytes

TAG = "safeguarding-gateway"
COVERED = ("@method", "@target-uri", "content-digest")
OLDEST_SECONDS, AHEAD_SECONDS = 60, 10

_SECRETS = frozenset(("authorization", "dpop", "cookie"))
_ALGORITHMS = {
    "ES256": "ecdsa-p256-sha256",
    "Ed25519": "ed25519",
}  # PS256 has no name in the registry of RFC 9421

_KEY = r"[a-z*][a-z0-9_\-.*]*"
_STRING = r'"[\x20\x21\x23-\x5b\x5d-\x7e]*"'
_BARE = rf"(?:-?\d{{1,15}}|{_STRING}|:[A-Za-z0-9+/=]*:|\?[01]|[A-Za-z*][A-Za-z0-9_.*/:-]*)"
_PARAMETERS = rf"(?:;{_KEY}(?:={_BARE})?)*"
_ITEM = rf"{_STRING}{_PARAMETERS}"
_INPUT = re.compile(rf"({_KEY})=(\((?:{_ITEM}(?: {_ITEM})*)?\){_PARAMETERS})")
_SIGNATURE = re.compile(rf"({_KEY})=:([A-Za-z0-9+/]+={{0,2}}):")
_PARAMETER = re.compile(rf";({_KEY})(?:=({_BARE}))?")
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_PLAIN = re.compile(r"@?[a-z0-9-]+")


class NotSigned(ValueError):
    """The signature cannot be taken; the words are for the client's developer and show nothing of the request."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as it was sent: what it covers, under which parameters, and both as they were written."""

    components: tuple[str, ...]
    parameters: Mapping[str, str | int]
    written: str
    signature: bytes


def signature_in(inputs: Sequence[str], signatures: Sequence[str], tag: str = TAG) -> Signed | None:
    """The one signature of that tag in `Signature-Input` and `Signature`; None when there is none, NotSigned when malformed."""
    found = [
        (label, written)
        for label, written in _members(inputs, _INPUT).items()
        if _parameters(written).get("tag") == tag
    ]
    if not found:
        return None
    if len(found) > 1:
        raise NotSigned("more than one signature has the tag")
    ((label, written),) = found
    sent = _members(signatures, _SIGNATURE).get(label)
    if sent is None:
        raise NotSigned("the header Signature lacks what Signature-Input announces")
    components = re.findall(_ITEM, written[: written.index(")")])
    if not all(_PLAIN.fullmatch(one[1:-1]) for one in components):
        raise NotSigned("a covered component has parameters or is no plain name")
    names = tuple(one[1:-1] for one in components)
    if len(set(names)) != len(names):
        raise NotSigned("a component is covered twice")
    return Signed(names, _parameters(written), written, _bytes(sent))


def signature_base(signed: Signed, values: Mapping[str, str]) -> bytes:
    """What was signed (section 2.5); NotSigned when the request has not what the signature covers."""
    try:
        lines = [f'"{name}": {values[name]}' for name in signed.components]
    except KeyError:
        raise NotSigned("a covered component is not in the request") from None
    return "\n".join([*lines, f'"@signature-params": {signed.written}']).encode("latin-1")


def check_signature(
    signed: Signed, values: Mapping[str, str], keys: Mapping[str, PublicKey], now: float
) -> tuple[bytes, PublicKey]:
    """The signature base and the key; NotSigned with the reason.

    1. it covers method, address and content, and no secret   2. made in the last minute, and not over
    3. by a key of `keys` (by kid) under that key's algorithm   4. the signature holds.
    What the caller must still do: see that `content-digest` is the digest of the body that came.
    """
    if not set(COVERED) <= set(signed.components):
        raise NotSigned(f"the signature must cover {', '.join(COVERED)}")
    if _SECRETS & set(signed.components):
        raise NotSigned("the signature may not cover a token or a proof")
    _check_times(signed.parameters, now)
    key = keys.get(str(signed.parameters.get("keyid")))
    if key is None:
        raise NotSigned("the key is not one of this client that may sign now")
    if signed.parameters.get("alg", _ALGORITHMS.get(key.algorithm)) != _ALGORITHMS.get(key.algorithm):
        raise NotSigned("the algorithm is not that of the key")
    base = signature_base(signed, values)
    try:
        verify_bytes(key, base, signed.signature)
    except BadSignature:
        raise NotSigned("the signature does not hold for this request") from None
    return base, key


def _check_times(parameters: Mapping[str, str | int], now: float) -> None:
    created, expires = parameters.get("created"), parameters.get("expires", now + 1)
    if not isinstance(created, int) or not now - OLDEST_SECONDS <= created <= now + AHEAD_SECONDS:
        raise NotSigned("it was not created within the last minute")
    if isinstance(expires, str) or expires <= now:
        raise NotSigned("it has expired")


def _members(sent: Sequence[str], form: re.Pattern[str]) -> dict[str, str]:
    """A dictionary of structured fields (RFC 8941 section 3.2) whose members all have one form."""
    found = list(_each(", ".join(sent), form)) if sent else []
    members = dict(found)
    if len(members) != len(found):
        raise NotSigned("a label stands twice")
    return members


def _each(text: str, form: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while match := form.match(text, at):
        yield match[1], match[2]
        at = match.end()
        if at == len(text):
            return
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    raise NotSigned("the header is not a dictionary as RFC 9421 section 4 has it")


def _parameters(written: str) -> dict[str, str | int]:
    """Those behind the list of components; repeated ones are refused."""
    found = _PARAMETER.findall(written[written.rindex(")") + 1 :])
    if len({name for name, _ in found}) != len(found):
        raise NotSigned("a parameter stands twice")
    return {
        name: value.strip('"') if not value.lstrip("-").isdecimal() else int(value) for name, value in found
    }


def _bytes(sent: str) -> bytes:
    try:
        return base64.b64decode(sent, validate=True)
    except ValueError:
        raise NotSigned("the signature is not base64") from None
