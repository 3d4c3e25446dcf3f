"""Check an evidence bundle offline.

    python verify.py BUNDLE.zip --policy POLICY.json [--pinned FILE.note] [--json]

This file needs Python 3.11 and the package `cryptography` (and `rfc3161-client` when the policy asks for
time-stamps). It needs nothing of the gateway, no network and no database; a court brings its own copy.
Everything that is trusted comes from POLICY.json, which must reach you on another path than the bundle:
nothing inside the bundle is believed because the bundle says so.

Exit status: 0 VALID or PROVISIONAL, 1 INVALID, 2 the files cannot be read or the command was used wrongly.

VALID: every check below held.
PROVISIONAL: every check held, but a receipt is signed and not yet in the log, or a required time-stamp is
missing or could not be checked.
INVALID: a check failed; the reason says which.

How to read this file. It has sixteen parts, and each uses only what stands in the parts above it, so it can be
read from top to bottom. The order in which the checks run stands in part 15, `verify_bundle`.

     1. Bytes: the one spelling of JSON, base64 and times that is accepted
     2. The forms of documents: all that each document may say, as tables
     3. The tree: proofs that a leaf is in the log, and that the log only grew (RFC 9162)
     4. Signatures: ES256, Ed25519, PS256
     5. Checkpoints and proofs: what the log and its witnesses sign (C2SP signed-note, tlog-checkpoint,
        tlog-cosignature, tlog-proof)
     6. The policy: what is trusted
     7. One receipt: a signed statement (compact JWS, RFC 7515, over canonical JSON, RFC 8785), its proof, and the
        fields that are disclosed (by salted digests, as in RFC 9901)
     8. The bundle's files: the zip and its manifest
     9. Chains: the receipts of one matter, without gaps and as many as were counted
    10. Times and keys: each claimed time lies between what others saw (RFC 3161 time-stamps, witnesses), and the
        key was in force then and not revoked
    11. The log: all checkpoints of a log are of one history, and each log begins where the one before it ended
        (there is one log a year, and another after a loss)
    12. Content: each payload and attachment is the one that was committed to
    13. What recipients signed: an acknowledgement by the recipient's own key, over that content; mail as it came
    14. What senders signed: their signature over the request (RFC 9421), where a receipt discloses one
    15. The verdict
    16. The command

What nobody can detect offline: an event that was never logged; receipts cut off at the end of a chain after it
was last counted (closing and erasure count all chains of an incident, and the whole log shows the rest); that
a chain belongs to the incident, where no acceptance in it is opened; the gateway, the witnesses and the
time-stamping authorities all lying together. Nothing here shows what a person has read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


class Unreadable(Exception):
    """The input is not a bundle or not a policy: there is nothing to give a verdict on."""


class Invalid(Exception):
    """The bundle breaks a rule. The text is fixed and never repeats what the bundle holds."""


# --- 1. Bytes --------------------------------------------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """RFC 8785 for what occurs here: ASCII member names, strings, whole numbers below 2^53."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def written(value: object) -> bytes:
    """JSON as it stands in the files of a bundle that people read too."""
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def strict_json(raw: bytes) -> Any:
    """JSON without repeated members, fractions or NaN; refused otherwise."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Invalid("a JSON member appears twice")
        return dict(pairs)

    def no_number(_: str) -> None:
        raise ValueError("only whole numbers are used")

    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=members, parse_float=no_number, parse_constant=no_number
        )
        canonical(value)  # half a surrogate pair cannot be written as UTF-8
    except (ValueError, RecursionError) as fault:
        raise Invalid("this is not strict JSON") from fault
    return value


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """The bytes of base64url without padding; any but its one canonical form is refused."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError as fault:
        raise Invalid("this is not base64url") from fault
    if b64url(data) != text:
        raise Invalid("base64url is not in its one canonical form")
    return data


def unb64(text: str) -> bytes:
    """Standard base64 in its one canonical form; ValueError otherwise."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 is not in its one canonical form")
    return data


def instant(text: str) -> datetime:
    """An instant in UTC, written with a final Z; ValueError otherwise."""
    if not text.endswith("Z"):
        raise ValueError("an instant is written in UTC with a final Z")
    return datetime.fromisoformat(text)


# --- 2. The forms of documents ---------------------------------------------------------------------------------------


def fits(value: object, form: Any) -> bool:
    """Whether a value has a form. What a form means depends on what it is:

    - a string: a regular expression that the whole of a string matches
    - a list with one form: a list of values that each have that form
    - a dict: an object with exactly these members; a member named with a final ? may be absent
    - a tuple: a value that has at least one of these forms
    - a function: whatever it says yes to
    """
    if isinstance(form, str):
        return isinstance(value, str) and re.fullmatch(form, value, re.DOTALL) is not None
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(one, form[0]) for one in value)
    if isinstance(form, tuple):
        return any(fits(value, one) for one in form)
    if isinstance(form, dict):
        members = {name.removesuffix("?"): (shape, name.endswith("?")) for name, shape in form.items()}
        if not isinstance(value, dict) or not set(value) <= set(members):
            return False
        return all(
            fits(value[name], shape) if name in value else left_out
            for name, (shape, left_out) in members.items()
        )
    return bool(form(value))


def whole(value: object) -> bool:
    """A whole number from 1 that every JSON reader keeps exactly (below 2^53)."""
    return type(value) is int and 0 < value < 1 << 53


def amount(value: object) -> bool:
    """A whole number from 0: a count, or seconds up to a thousand years, so that no sum leaves the calendar."""
    return type(value) is int and 0 <= value <= 1000 * 366 * 86_400


def is_instant(value: object) -> bool:
    """A string that `instant` reads."""
    try:
        instant(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def maybe_instant(value: object) -> bool:
    """An instant, or null."""
    return value is None or is_instant(value)


def to_the_millisecond(value: object) -> bool:
    """An instant with exactly three decimals: as the gateway writes it."""
    return fits(value, TIME + r"\.[0-9]{3}Z") and is_instant(value)


def to_the_second(value: object) -> bool:
    """An instant with up to six decimals, or none: as recipients' software writes it."""
    return fits(value, TIME + r"(\.[0-9]{1,6})?Z") and is_instant(value)


def counts(value: object) -> bool:
    """An object that says of chains how many receipts each has."""
    return (
        isinstance(value, dict) and value != {} and all(fits(ref, REF) and whole(value[ref]) for ref in value)
    )


ANSWERS = {"person": "ConsignmentAcceptance", "system": "ContentHandover", "declined": "ConsignmentRejection"}
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
TEXT, REF, NAME, DIGEST = ".*", "[A-Za-z0-9_-]{1,64}", "[a-z0-9-]{1,64}", "[0-9a-f]{64}"
COMMITMENT = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"  # 32 bytes in base64url
# fmt: off
STATEMENT = {
    "_sd": [COMMITMENT], "_sd_alg": "sha-256", "v": "receipt/1", "iss": r"[\x21-\x7e]{1,255}", "kid": REF,
    "id": "ev-[0-9a-f]{32}", "event": "[A-Za-z]{1,64}", "reason?": NAME, "time": to_the_millisecond,
    "ref": REF, "seq": whole, "prev": f"({DIGEST})?", "after?": {"root": DIGEST, "size": whole}, "chains?": counts,
}
RECEIPT_HEADER = {"alg": "ES256", "kid": TEXT, "typ": r"receipt\+jws"}
PUBLIC_KEY = (
    {"kty": "EC", "crv": TEXT, "x": TEXT, "y": TEXT},
    {"kty": "OKP", "crv": TEXT, "x": TEXT},
    {"kty": "RSA", "e": TEXT, "n": TEXT},
)
ACKNOWLEDGEMENT_HEADER = {"alg": TEXT, "jwk": PUBLIC_KEY, "typ": r"acknowledgement\+jws"}
ACKNOWLEDGEMENT = {  # what a recipient signs; besides, perhaps, its own words
    "v": "acknowledgement/1", "by": "|".join(ANSWERS), "role": NAME, "time": to_the_second,
    "message": REF, "delivery": REF, "content_sha256": DIGEST, "name?": TEXT, "copies?": TEXT, "reason?": TEXT,
}
MANIFEST = {
    "v": "bundle/1", "incident": TEXT, "refs": [TEXT], "count": amount, "files": lambda value: type(value) is dict,
}
RECEIPT_KEY = {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": REF, "x": TEXT, "y": TEXT, "use?": TEXT}
POLICY = {
    "v": "policy/1", "issuer": TEXT, "log": [TEXT], "witnesses?": [TEXT], "quorum": amount, "skew_seconds?": amount,
    "receipt_keys": [{"jwk": RECEIPT_KEY, "nbf": is_instant, "exp?": maybe_instant, "revoked?": maybe_instant}],
    "pinned?": [{"size": whole, "root": DIGEST, "seen?": maybe_instant, "origin?": TEXT}],
    "timestamps": "none|required", "tsa?": {"roots": TEXT, "policies": [TEXT], "max_window_seconds": amount},
    "peers?": [{"agency": TEXT, "keys": [TEXT]}],
}
# fmt: on


# --- 3. The tree (RFC 9162 section 2.1) ------------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one entry (section 2.1.1). The prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees (section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (a leaf hash) stands at `index` in the tree of `size` leaves with `root` (section 2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != 32:
        return False
    position, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != 32:
            return False
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and current == root


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the first tree is a prefix of the second (section 2.1.4.2); False where the first is empty."""
    if 0 < size1 == size2:
        return not proof and root1 == root2
    if not 0 < size1 < size2 or not proof or any(len(part) != 32 for part in proof):
        return False
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    position, last = size1 - 1, size2 - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old == root1 and new == root2


# --- 4. Signatures ---------------------------------------------------------------------------------------------------


def es256_ok(public: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """ES256 as in RFC 7518 section 3.4: 64 bytes r‖s."""
    if len(signature) != 64:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    return _accepts(lambda: public.verify(der, data, ec.ECDSA(hashes.SHA256())))


def ed25519_ok(public: bytes, signature: bytes, data: bytes) -> bool:
    """Ed25519 as in RFC 8032, with the 32-byte public key."""
    return _accepts(lambda: ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, data))


def jwk_ok(jwk: dict[str, str], alg: str, signature: bytes, data: bytes) -> bool:
    """Whether a public JWK (RFC 7517) made the signature, by the one algorithm that its kind of key may use."""
    number = {
        name: int.from_bytes(unb64url(jwk[name]), "big") for name in ("x", "y", "e", "n") if name in jwk
    }
    try:
        match (alg, jwk["kty"], jwk.get("crv")):
            case ("ES256", "EC", "P-256"):
                point = ec.EllipticCurvePublicNumbers(number["x"], number["y"], ec.SECP256R1())
                return es256_ok(point.public_key(), signature, data)
            case ("Ed25519", "OKP", "Ed25519"):
                return ed25519_ok(unb64url(jwk["x"]), signature, data)
            case ("PS256", "RSA", None):
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
                public = rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()
                return _accepts(lambda: public.verify(signature, data, pss, hashes.SHA256()))
    except ValueError:  # no point of the curve, or no modulus
        return False
    return False


def _accepts(check: Callable[[], None]) -> bool:
    """Whether a check of `cryptography` passes: it raises when a signature or a key is false."""
    try:
        check()
    except (InvalidSignature, ValueError):
        return False
    return True


def thumbprint(jwk: dict[str, str]) -> str:
    """The thumbprint (RFC 7638) of a public JWK that has no other members than its kind needs."""
    return b64url(hashlib.sha256(canonical(jwk)).digest())


def compact(jws: bytes, limit_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
    """A compact JWS (RFC 7515 section 3.1): its header, payload and signature, and the bytes that were signed."""
    parts = jws.decode("ascii", errors="replace").split(".")
    if len(parts) != 3 or len(jws) > limit_bytes:
        raise Invalid("this is not a compact JWS")
    header, payload, signature = (unb64url(part) for part in parts)
    return header, payload, signature, jws.rpartition(b".")[0]


# --- 5. Checkpoints and proofs (C2SP) --------------------------------------------------------------------------------

LOG_KEY, WITNESS_KEY = 0x01, 0x04  # C2SP signed-note and tlog-cosignature signature types
LIMIT_SIGNATURES = 64


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key for notes: C2SP signed-note `name+id+base64(type ‖ key)`. `kind` 1 signs as a log, 4 as a witness."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of the hash of name, kind and key: how a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a vkey line; ValueError when it is not one or its id does not belong to it."""
    name, key_id, encoded = text.split("+", 2)
    raw = unb64(encoded)
    key = VerifierKey(name, raw[0] if raw else 0, raw[1:])
    if (
        len(key.public) != 32
        or not re.fullmatch(r"[^\s+]+", name)
        or str(key) != f"{name}+{key_id}+{encoded}"
    ):
        raise ValueError("not a verifier key")
    return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head whose signatures held, of the log named `origin`.

    `cosigned_at` has one instant for each witness that was counted, earliest first. `stamped_at` is the earliest
    instant at which a time-stamping authority of the policy saw the checkpoint; None unless the policy requires
    time-stamps.
    """

    size: int
    root: bytes
    cosigned_at: tuple[datetime, ...] = ()
    stamped_at: datetime | None = None
    origin: str = ""

    @property
    def seen_at(self) -> tuple[datetime, ...]:
        """Every instant at which somebody other than the gateway saw this checkpoint."""
        return self.cosigned_at if self.stamped_at is None else (*self.cosigned_at, self.stamped_at)


def open_checkpoint(
    note: bytes, logs: Iterable[VerifierKey], witnesses: Iterable[VerifierKey], quorum: int
) -> Checkpoint:
    """The tree head, if a key of its log and at least `quorum` different witnesses signed it; refused otherwise.

    A log's key signs for one log alone: the one whose origin is the key's name. Signatures by unknown keys are
    passed over (C2SP signed-note); a false signature by a known key refuses the whole checkpoint.
    """
    text, signatures = parse_note(note)
    origin, size, root = parse_checkpoint_text(text)
    own = [key for key in logs if key.name == origin]
    if not own:
        raise Invalid("the checkpoint is of another log")
    known = {(key.name, key.id): key for key in [*own, *witnesses]}
    signed: dict[VerifierKey, datetime | None] = {}
    for name, key_id, signature in signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        if key in signed:
            raise Invalid("a key signed the checkpoint twice")
        signed[key] = _signed_at(key, text, signature)
    if not any(key.kind == LOG_KEY for key in signed):
        raise Invalid("the log's signature on the checkpoint is missing")
    times: dict[str, datetime] = {}
    for key, at in signed.items():
        if at is not None:  # a witness with its old and its new key is one witness
            times[key.name] = max(at, times.get(key.name, at))
    if len(times) < quorum:
        raise Invalid("too few witnesses signed the checkpoint")
    return Checkpoint(size, root, tuple(sorted(times.values())), origin=origin)


def parse_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """A signed note's text and its signature lines as (key name, key id, signature)."""
    text, separator, lines = note.rpartition(b"\n\n")
    try:
        if not separator or re.search(rb"[\x00-\x09\x0b-\x1f]", note) or not lines.endswith(b"\n"):
            raise ValueError("not a note")
        signatures = [_signature_line(line) for line in lines[:-1].decode().split("\n")]
    except ValueError as fault:
        raise Invalid("the checkpoint is not a signed note") from fault
    if len(signatures) > LIMIT_SIGNATURES:
        raise Invalid("the checkpoint carries too many signatures")
    return text + b"\n", signatures


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    """One line `— NAME BASE64` as (key name, key id, signature); ValueError otherwise."""
    match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
    raw = unb64(match[2]) if match else b""
    if match is None or len(raw) < 5:
        raise ValueError("not a signature line")
    return match[1], raw[:4], raw[4:]


def parse_checkpoint_text(text: bytes) -> tuple[str, int, bytes]:
    """A checkpoint's origin, size and root; extension lines are refused, since nobody audits them."""
    lines = text.decode(errors="replace").split("\n")
    if len(lines) != 4:
        raise Invalid("the checkpoint has other than three lines")
    if not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
        raise Invalid("the checkpoint's size is not a plain number")
    try:
        root = unb64(lines[2])
    except ValueError:
        root = b""
    if len(root) != 32:
        raise Invalid("the checkpoint's root is not a SHA-256 hash")
    return lines[0], int(lines[1]), root


def _signed_at(key: VerifierKey, text: bytes, signature: bytes) -> datetime | None:
    """When a witness signed; None for the log's own signature, which has no time. A false signature is refused."""
    if key.kind == LOG_KEY:
        if not ed25519_ok(key.public, signature, text):
            raise Invalid("the log's signature on the checkpoint is false")
        return None
    timestamp = int.from_bytes(signature[:8], "big")
    if timestamp >> 36 or not ed25519_ok(key.public, signature[8:], cosigned_message(text, timestamp)):
        raise Invalid("a witness's signature on the checkpoint is false")
    return datetime.fromtimestamp(timestamp, UTC)


def cosigned_message(text: bytes, timestamp: int) -> bytes:
    """What a witness signs (C2SP tlog-cosignature, Ed25519)."""
    return b"cosignature/v1\ntime %d\n" % timestamp + text


def label(origin: str) -> str:
    """The short name of a log among those of one deployment: the last part of its origin, for example 2026."""
    return origin.rpartition("/")[2]


def parse_proof(proof: bytes) -> tuple[int, list[bytes], bytes]:
    """A C2SP tlog-proof@v1 as (leaf index, hashes, checkpoint note)."""
    head, _, note = proof.partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    try:
        path = [unb64(line) for line in lines[2:]]
    except ValueError:
        path = [b""]
    match = re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[1] if len(lines) > 1 else "")
    if lines[0] != "c2sp.org/tlog-proof@v1" or match is None or any(len(part) != 32 for part in path):
        raise Invalid("the proof is not in the form tlog-proof@v1")
    return int(match[1]), path, note


# --- 6. The policy: what is trusted ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A key that signs receipts, in force from `nbf` until before `exp`, and trusted only before `revoked`."""

    public: ec.EllipticCurvePublicKey
    nbf: datetime
    exp: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class Pinned:
    """A checkpoint of the log `origin` that the policy's holder got from elsewhere; `seen` is when, if known."""

    size: int
    root: bytes
    seen: datetime | None
    origin: str


@dataclass(frozen=True, slots=True)
class Stampers:
    """The time-stamping authorities that are believed.

    Their root certificates, the policies (OIDs) under which they must stamp, and how far the time-stamps before and
    after an event may lie apart.
    """

    roots: tuple[x509.Certificate, ...]
    policies: tuple[str, ...]
    max_window: timedelta


NOBODY_STAMPS = Stampers((), (), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom to believe.

    `logs` and `witnesses` are keys; the name of a log's key is that log's origin. At least `quorum` witnesses must
    have signed each checkpoint. `skew` is how far two honest clocks may differ.
    """

    issuer: str
    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]
    quorum: int
    timestamps: str
    receipt_keys: dict[str, ReceiptKey]
    pinned: tuple[Pinned, ...]
    skew: timedelta
    stampers: Stampers = NOBODY_STAMPS
    peers: dict[str, frozenset[str]] = field(default_factory=dict)  # by agency: its keys' thumbprints

    @property
    def is_stamped(self) -> bool:
        return self.timestamps == "required"


def load_policy(raw: bytes) -> Policy:
    """Read a policy; Unreadable when it is not one, or would check less than it seems to."""
    try:
        data = strict_json(raw)
        if not fits(data, POLICY):
            raise ValueError("other members than a policy has, or of another form")
        nobody = {"roots": "", "policies": []}
        absent = {"witnesses": [], "pinned": [], "skew_seconds": 60, "peers": [], "tsa": nobody}
        policy = _read_policy(absent | data)
    except (Invalid, KeyError, ValueError) as fault:
        raise Unreadable("the policy is not of the form policy/1") from fault
    keys = [*policy.logs, *policy.witnesses]
    kinds = {key.kind for key in policy.logs}, {key.kind for key in policy.witnesses}
    if kinds[0] != {LOG_KEY} or kinds[1] - {WITNESS_KEY}:
        raise Unreadable("the policy's log and witness keys are not of their kinds")
    witnesses = {key.public for key in policy.witnesses}
    if (
        len(set(keys)) != len(keys)
        or len(witnesses) != len(policy.witnesses)
        or witnesses & {key.public for key in policy.logs}
    ):
        raise Unreadable("the policy names one key twice")
    if not {pin.origin for pin in policy.pinned} <= {key.name for key in policy.logs}:
        raise Unreadable("a pinned checkpoint is of a log that the policy does not name")
    if len({label(key.name) for key in policy.logs}) != len({key.name for key in policy.logs}):
        raise Unreadable("two of the policy's logs would have one name in a bundle")
    if policy.quorum > len(policy.witnesses):
        raise Unreadable("the policy's quorum cannot be met")
    return policy


def _read_policy(data: dict[str, Any]) -> Policy:
    """The policy of a document that has the form POLICY and every member; ValueError when a name stands twice."""
    logs = tuple(parse_vkey(line) for line in data["log"])
    origins = {key.name for key in logs}
    only = (
        logs[0].name if len(origins) == 1 else ""
    )  # a pinned checkpoint without an origin is of the only log
    peers = {peer["agency"]: frozenset(peer["keys"]) for peer in data["peers"]}
    receipt_keys = {key["jwk"]["kid"]: _read_key(key) for key in data["receipt_keys"]}
    if (len(peers), len(receipt_keys)) != (len(data["peers"]), len(data["receipt_keys"])):
        raise ValueError("a peer or a key is named twice")
    return Policy(
        issuer=data["issuer"],
        logs=logs,
        witnesses=tuple(parse_vkey(line) for line in data["witnesses"]),
        quorum=data["quorum"],
        timestamps=data["timestamps"],
        receipt_keys=receipt_keys,
        pinned=tuple(
            Pinned(pin["size"], bytes.fromhex(pin["root"]), _when(pin.get("seen")), pin.get("origin", only))
            for pin in data["pinned"]
        ),
        skew=timedelta(seconds=data["skew_seconds"]),
        stampers=read_stampers(**data["tsa"]),
        peers=peers,
    )


def read_stampers(roots: str, policies: Sequence[str], max_window_seconds: int = 86_400) -> Stampers:
    """Authorities by their roots (PEM) and policies (OIDs); ValueError when one is there without the other."""
    read = x509.load_pem_x509_certificates(roots.encode()) if roots else []
    if bool(read) != bool(policies):
        raise ValueError("roots without policies, or policies without roots")
    oids = tuple(x509.ObjectIdentifier(oid).dotted_string for oid in policies)
    return Stampers(tuple(read), oids, timedelta(seconds=max_window_seconds))


def _read_key(data: dict[str, Any]) -> ReceiptKey:
    x, y = (int.from_bytes(unb64url(data["jwk"][part]), "big") for part in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return ReceiptKey(public, instant(data["nbf"]), _when(data.get("exp")), _when(data.get("revoked")))


def _when(text: str | None) -> datetime | None:
    return None if text is None else instant(text)


def with_pinned(policy: Policy, notes: Iterable[bytes]) -> Policy:
    """The policy with more pinned checkpoints; Unreadable when one is not signed by a log of the policy."""
    pins = []
    for note in notes:
        try:
            head = open_checkpoint(note, policy.logs, policy.witnesses, 0)
        except Invalid as fault:
            raise Unreadable("a pinned checkpoint is not one that the policy's log signed") from fault
        pins.append(Pinned(head.size, head.root, None, head.origin))
    return replace(policy, pinned=(*policy.pinned, *pins))


# --- 7. One receipt --------------------------------------------------------------------------------------------------

LIMIT_STATEMENT_BYTES = 65_535  # C2SP tlog-tiles: an entry's length is a uint16
NEEDS_REASON = re.compile(".*(Failure|Rejection|Expiry|Missed|Held|Waived|Revoked)")


@dataclass(slots=True)
class Receipt:
    """A receipt whose signature held."""

    statement: dict[str, Any]
    leaf: bytes  # the leaf hash
    disclosed: dict[str, Any] = field(default_factory=dict)
    index: int | None = None  # None: signed, but no proof that it is in the log
    checkpoint: Checkpoint | None = None

    @property
    def origin(self) -> str:
        """Of the log that holds it; empty while none is shown to."""
        return self.checkpoint.origin if self.checkpoint else ""

    @property
    def time(self) -> datetime:
        return instant(self.statement["time"])


def _read_receipt(name: str, files: dict[str, bytes], policy: Policy) -> Receipt:
    """The receipt NAME.jws, with NAME.disclosures (opened fields) and NAME.proof (place in the log) if present."""
    receipt = open_receipt(files[name + ".jws"], policy)
    if name + ".disclosures" in files:
        add_disclosures(receipt, files[name + ".disclosures"])
    if name + ".proof" in files:
        index, path, note = parse_proof(files[name + ".proof"])
        checkpoint = open_checkpoint(note, policy.logs, policy.witnesses, policy.quorum)
        if not verify_inclusion(receipt.leaf, index, checkpoint.size, path, checkpoint.root):
            raise Invalid("the proof does not lead from the statement to the checkpoint's root")
        receipt.index, receipt.checkpoint = index, checkpoint
    return receipt


def open_receipt(jws: bytes, policy: Policy) -> Receipt:
    """A receipt from its compact JWS: strict in form, signed by a key of the policy, of the policy's issuer."""
    header, payload, signature, signed = compact(jws, 2 * LIMIT_STATEMENT_BYTES)
    head = strict_json(header)
    if not fits(head, RECEIPT_HEADER):
        raise Invalid("the JWS header has other members than alg ES256, kid and typ receipt+jws")
    kid = head["kid"]
    key = policy.receipt_keys.get(kid)
    if key is None:
        raise Invalid("the key that signed the receipt is not in the policy")
    if not es256_ok(key.public, signature, signed):
        raise Invalid("the receipt's signature is false")
    statement = check_statement(payload)
    if statement["kid"] != kid:
        raise Invalid("the statement names another key than the signature")
    if statement["iss"] != policy.issuer:
        raise Invalid("the statement is of another issuer")
    receipt = Receipt(statement, leaf_hash(payload))
    if receipt.time < key.nbf or (key.exp is not None and receipt.time >= key.exp):
        raise Invalid("the key was not in force at the time that the statement claims")
    return receipt


def check_statement(payload: bytes) -> dict[str, Any]:
    """The statement, if it is canonical and has exactly the form `receipt/1`."""
    statement: dict[str, Any] = strict_json(payload)
    if not fits(statement, STATEMENT):
        raise Invalid("the statement is not of the form receipt/1")
    if canonical(statement) != payload:
        raise Invalid("the statement is not in canonical form")
    if statement["_sd"] != sorted(set(statement["_sd"])):
        raise Invalid("the statement's commitments are not sorted and different")
    if "reason" not in statement and NEEDS_REASON.fullmatch(statement["event"]):
        raise Invalid("an event that tells of a failure has no reason")
    return statement


def add_disclosures(receipt: Receipt, raw: bytes) -> None:
    """Open committed fields; a disclosure that matches none, or comes twice, is refused (RFC 9901 section 7.1)."""
    disclosures = strict_json(raw)
    if not fits(disclosures, [TEXT]):
        raise Invalid("the disclosures are not a list of strings")
    open_digests = set(receipt.statement["_sd"])
    for disclosure in disclosures:
        digest = b64url(hashlib.sha256(disclosure.encode()).digest())
        if digest not in open_digests:
            raise Invalid("a disclosure matches no commitment of its statement")
        open_digests.remove(digest)
        parts = strict_json(unb64url(disclosure))
        if not isinstance(parts, list) or [type(part) for part in parts] not in (
            [str, str, str],
            [str, str, int],
        ):
            raise Invalid("a disclosure is not a salt, a name and a value")
        if parts[1] in receipt.disclosed:
            raise Invalid("two disclosures of one receipt have one name")
        receipt.disclosed[parts[1]] = parts[2]


# --- 8. The bundle's files -------------------------------------------------------------------------------------------

LIMIT_BYTES = 1 << 30
LIMIT_EXPANSION = 100  # a bundle is stored as it is; one that was packed again must not be a bomb
PATHS = re.compile(
    r"manifest\.json|README\.txt|SUMMARY\.(html|pdf)|verify\.py|policy\.example\.json"
    r"|receipts/[0-9]{4,6}\.(jws|proof|disclosures)"
    r"|checkpoints/([a-z0-9-]{1,32}_)?[1-9][0-9]{0,18}(\.note|(-2)?\.tsr)"
    r"|consistency/([a-z0-9-]{1,32}_)?[1-9][0-9]{0,18}-[1-9][0-9]{0,18}\.txt"
    r"|links/[a-z0-9-]{1,32}\.(jws|proof)|peer/ev-[0-9a-f]{32}\.(jws|eml)"
    r"|payloads/ev-[0-9a-f]{32}\.bin|attachments/att-[a-z2-7]{26}\.bin|keys/[A-Za-z0-9_-]{1,64}\.(jwk|vkey)"
)


def read_zip(bundle: bytes, limit_bytes: int) -> dict[str, bytes]:
    """The files of the zip, if they are stored plainly (or deflated, as whoever packs them again does) and no byte lies outside
    of the files listed."""
    if len(bundle) > limit_bytes:
        raise Invalid("the bundle is larger than this program reads")
    try:
        archive = zipfile.ZipFile(io.BytesIO(bundle))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as fault:
        raise Unreadable("the bundle is not a zip file") from fault
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise Invalid("two files have one name")
    if not all(PATHS.fullmatch(name) and len(Path(name).parts) <= 2 for name in names):
        raise Invalid("a file has a name that a bundle does not hold")
    if not all(_is_plain(entry) for entry in entries):
        raise Invalid("a file is not stored plainly")
    if sum(entry.file_size for entry in entries) > min(limit_bytes, LIMIT_EXPANSION * len(bundle)):
        raise Invalid("the files are larger than this program unpacks")
    if len(bundle) != 22 + sum(76 + 2 * len(entry.filename) + entry.compress_size for entry in entries):
        raise Invalid("the zip holds data outside of its files")
    if not _reads_one_way(bundle, entries):
        raise Invalid("two programs could read different files from the zip")
    try:
        return {entry.filename: _unpacked(bundle, archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError) as fault:
        raise Invalid("the zip is damaged") from fault


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Neither encrypted nor a link: some programs would unpack that as the file that it leads to."""
    kind = entry.external_attr >> 16 & 0o170000
    is_whole = entry.compress_type == zipfile.ZIP_DEFLATED or (
        entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
    )
    return is_whole and not entry.flag_bits & ~0x806 and kind in (0, 0o100000)


def _unpacked(bundle: bytes, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The file's bytes; refused when something lies behind the end of what is deflated."""
    content = archive.read(entry)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        begins = entry.header_offset + 30 + len(entry.filename)
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        again = stream.decompress(bundle[begins : begins + entry.compress_size], entry.file_size + 1)
        if not stream.eof or stream.unused_data or again != content:
            raise Invalid("a file holds more than what is unpacked of it")
    return content


def _reads_one_way(bundle: bytes, entries: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether every program finds the same files.

    A zip describes each file twice: before its bytes, and in a directory at the end. Programs differ in which of
    the two they read, so both must agree and the files must follow each other without a gap.
    """
    at, listed = 0, sum(30 + len(entry.filename) + entry.compress_size for entry in entries)
    for entry in entries:
        head = b"PK\x03\x04" + bundle[listed + 6 : listed + 32] + entry.filename.encode()
        if entry.header_offset != at or bundle[at : at + len(head)] != head:
            return False
        at, listed = at + len(head) + entry.compress_size, listed + 46 + len(entry.filename)
    return True


def check_manifest(files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest, if it lists exactly the files that are there with their digests."""
    if "manifest.json" not in files:
        raise Invalid("manifest.json is missing")
    manifest: dict[str, Any] = strict_json(files["manifest.json"])
    if not fits(manifest, MANIFEST):
        raise Invalid("the manifest is not of the form bundle/1")
    if files["manifest.json"] != written(manifest):
        raise Invalid("the manifest is not written as a gateway writes it")
    listed = manifest["files"]
    if set(listed) != set(files) - {"manifest.json"}:
        raise Invalid("a file is missing, or there is one that the manifest does not list")
    if any(listed[name] != hashlib.sha256(files[name]).hexdigest() for name in listed):
        raise Invalid("a file is not the one that the manifest lists")
    return manifest


def _check_counts(
    manifest: dict[str, Any], receipts: list[Receipt], names: list[str], files: dict[str, bytes]
) -> None:
    """The receipts are those that the manifest counts, numbered without gaps; no proof is without its receipt."""
    if manifest["count"] != len(receipts) or manifest["refs"] != sorted(
        {one.statement["ref"] for one in receipts}
    ):
        raise Invalid("the count or the refs are not those of the receipts")
    if not receipts or names != [f"receipts/{number:04d}" for number in range(len(receipts))]:
        raise Invalid("the receipts are not numbered from 0000 without gaps")
    beside = {name.rpartition(".")[0] for name in files if name.startswith("receipts/")}
    if beside != set(names):
        raise Invalid("a proof or disclosure belongs to no receipt")


# --- 9. Chains: the receipts of one matter ---------------------------------------------------------------------------


def check_chains(receipts: list[Receipt]) -> None:
    """Each `ref` is one chain: numbered from 1 without gaps, each receipt naming the leaf of the one before it.

    A chain is at least as long as any receipt counted it (those of closing and of erasure count all chains of their
    incident), so that a chain cut off at its end is noticed.
    """
    if len({receipt.statement["id"] for receipt in receipts}) != len(receipts):
        raise Invalid("two receipts have one id")
    last: dict[str, Receipt] = {}
    for receipt in receipts:
        before = last.get(receipt.statement["ref"])
        if receipt.statement["seq"] != (before.statement["seq"] + 1 if before else 1):
            raise Invalid("a chain has a gap, a repetition or is out of order")
        if receipt.statement["prev"] != (before.leaf.hex() if before else ""):
            raise Invalid("a receipt does not name the one before it")
        last[receipt.statement["ref"]] = receipt
    for receipt in receipts:
        for ref, count in receipt.statement.get("chains", {}).items():
            if ref not in last or last[ref].statement["seq"] < count:
                raise Invalid("a receipt counted more receipts of a chain than there are")


# --- 10. Times and keys ----------------------------------------------------------------------------------------------

Window = tuple[datetime | None, datetime | None]  # the time-stamps before and after an event


def _check_time(receipt: Receipt, heads: list[Checkpoint], policy: Policy) -> Window:
    """The claimed time fits what others saw, on both sides, and the receipt's key was good then.

    Before the event: the checkpoint that the statement names as `after`. After it: every checkpoint that holds the
    receipt. Returns the two time-stamps between which the event lies, each None when there is none.
    """
    after = receipt.statement.get("after")
    named = [
        head for head in heads if after and (head.size, head.root.hex()) == (after["size"], after["root"])
    ]
    if after and not named:
        raise Invalid("the statement names an earlier checkpoint that is not there")
    if any(at - policy.skew > receipt.time for head in named for at in head.seen_at):
        raise Invalid("the statement claims a time before what it was made after")
    holding = [head for head in heads if _holds(receipt, head)]
    if any(receipt.time > at + policy.skew for head in holding for at in head.seen_at):
        raise Invalid("the statement claims a time after others had seen it")
    begins = max((head.stamped_at for head in named if head.stamped_at), default=None)
    ends = min((head.stamped_at for head in holding if head.stamped_at), default=None)
    if begins and ends and ends - begins > policy.stampers.max_window:
        raise Invalid("the time-stamps before and after the statement are too far apart")
    _check_key(receipt, begins, ends, holding, policy)
    return begins, ends


def _check_key(
    receipt: Receipt,
    begins: datetime | None,
    ends: datetime | None,
    holding: list[Checkpoint],
    policy: Policy,
) -> None:
    """The key was in force between the two time-stamps, and was not yet revoked when somebody else saw the receipt.

    When that was, time-stamps alone say if the policy requires them; else witnesses do, as many as the quorum. A
    pinned checkpoint with a time counts in both cases.
    """
    key = policy.receipt_keys[receipt.statement["kid"]]
    if (ends is not None and ends < key.nbf) or (begins and key.exp and begins >= key.exp):
        raise Invalid("the key was not in force at the time that is stamped")
    if policy.is_stamped:
        seen = [] if ends is None else [ends]
    else:
        quorums = max(policy.quorum, 1)  # one witness that lies about its time is none
        seen = [head.cosigned_at[quorums - 1] for head in holding if len(head.cosigned_at) >= quorums]
    seen += [pin.seen for pin in policy.pinned if pin.seen is not None and _holds(receipt, pin)]
    if key.revoked is not None and (not seen or min(seen) >= key.revoked):
        raise Invalid("the key was revoked, and nobody saw the receipt before that")


def _holds(receipt: Receipt, head: Checkpoint | Pinned) -> bool:
    """Whether a receipt is among the leaves under a checkpoint."""
    return receipt.index is not None and receipt.origin == head.origin and receipt.index < head.size


def with_stamp(head: Checkpoint, name: str, files: dict[str, bytes], policy: Policy) -> Checkpoint:
    """The checkpoint with the earliest of its time-stamps, if the policy requires them; each must hold.

    `name` is the checkpoint's file without its ending: NAME.note, with NAME.tsr and perhaps NAME-2.tsr beside it.
    """
    tokens = [files[one] for one in (f"{name}.tsr", f"{name}-2.tsr") if one in files]
    if not policy.is_stamped or not tokens or not _can_check_stamps(policy):
        return head
    stamped_at = min(check_stamp(token, files[f"{name}.note"], policy.stampers) for token in tokens)
    if any(abs(at - stamped_at) > policy.skew for at in head.cosigned_at):
        raise Invalid("a witness's time is far from that of the time-stamp over its signature")
    return replace(head, stamped_at=stamped_at)


def _can_check_stamps(policy: Policy) -> bool:
    """Whether the policy names authorities and the library for RFC 3161 is installed."""
    return bool(policy.stampers.roots) and importlib.util.find_spec("rfc3161_client") is not None


def check_stamp(token: bytes, note: bytes, stampers: Stampers) -> datetime:
    """When an authority saw exactly these bytes (RFC 3161). Its certificates are judged at that time, not today."""
    import rfc3161_client  # needed only for policies that ask for time-stamps

    try:
        response = rfc3161_client.decode_timestamp_response(token)
        stamp = response.tst_info
    except ValueError as fault:
        raise Invalid("a time-stamp is not a response that RFC 3161 knows") from fault
    if stamp.policy.dotted_string not in stampers.policies:
        raise Invalid("a time-stamp was made under another policy than the accepted ones")
    if stamp.message_imprint.message != hashlib.sha256(note).digest():
        raise Invalid("a time-stamp is over something else than its checkpoint's file")
    try:
        builder = rfc3161_client.VerifierBuilder(roots=list(stampers.roots))
        # That it was granted, the chain to a root, that the key is for time-stamping alone, and the signature:
        builder.build().verify_message(response, note)
    except (rfc3161_client.VerificationError, ValueError) as fault:
        raise Invalid("a time-stamp is not signed by a trusted authority in force at its time") from fault
    return stamp.gen_time


def _check_stamps_belong(files: dict[str, bytes]) -> None:
    """Every time-stamp stands beside the checkpoint that it is over."""
    stamped = {name.removesuffix(".tsr").removesuffix("-2") for name in files if name.endswith(".tsr")}
    if not stamped <= {name.removesuffix(".note") for name in files}:
        raise Invalid("a time-stamp belongs to no checkpoint")


# --- 11. The log: one history, and one log after another -------------------------------------------------------------

LINK = "LogContinued"  # the event of the first leaf of a log that follows another


def check_history(receipts: list[Receipt], files: dict[str, bytes], policy: Policy) -> list[Window]:
    """All checkpoints of a log are of one history, what the policy pinned among them, and log follows on log.

    Returns for each receipt the two time-stamps between which its event lies.
    """
    links = _read_links(files, policy)
    heads = [one.checkpoint for one in (*receipts, *links) if one.checkpoint is not None]
    notes = {
        name: open_checkpoint(files[name], policy.logs, policy.witnesses, policy.quorum)
        for name in files
        if name.endswith(".note")
    }
    origins = {head.origin for head in (*heads, *notes.values())}
    for name, head in notes.items():
        if name != f"checkpoints/{_prefix(head.origin, origins)}{head.size}.note":
            raise Invalid("a checkpoint's file is not named by its size")
        heads.append(with_stamp(head, name.removesuffix(".note"), files, policy))
    proofs: dict[str, Sequence[Checkpoint | Pinned]] = {}
    for origin in origins:
        proofs |= _pairs(origin, _prefix(origin, origins), heads, policy.pinned)
    if {name for name in files if name.startswith("consistency/")} != set(proofs):
        raise Invalid("a consistency proof between two checkpoints is missing or belongs to none")
    for name, (one, newest) in proofs.items():
        _check_consistency(one, newest, files[name])
    _check_stamps_belong(files)
    check_order(receipts, check_links(links, heads, origins))
    return [_check_time(receipt, heads, policy) for receipt in receipts]


def _prefix(origin: str, origins: set[str]) -> str:
    """What the names of a log's files begin with, where the bundle holds checkpoints of several logs."""
    return f"{label(origin)}_" if len(origins) > 1 else ""


def _pairs(
    origin: str, prefix: str, heads: Sequence[Checkpoint], pinned: Sequence[Pinned]
) -> dict[str, Sequence[Checkpoint | Pinned]]:
    """The checkpoints of one log that must be proved consistent, each with the newest, by the proof's file name."""
    by_size: dict[int, Checkpoint | Pinned] = {}
    known: list[Checkpoint | Pinned] = [*heads, *pinned]
    for one in (one for one in known if one.origin == origin):
        first = by_size.setdefault(one.size, one)
        if first.root != one.root:
            raise Invalid("two checkpoints of one size have different roots")
    newest = max(head.size for head in heads if head.origin == origin)
    if max(by_size) > newest:
        raise Invalid("the log is shorter than a checkpoint that the policy pinned")
    return {
        f"consistency/{prefix}{size}-{newest}.txt": (one, by_size[newest])
        for size, one in by_size.items()
        if size != newest
    }


def _check_consistency(one: Checkpoint | Pinned, newest: Checkpoint | Pinned, lines: bytes) -> None:
    """The log of one checkpoint is a prefix of the log of the newest; `lines` are the proof's hashes in base64."""
    try:
        path = [unb64(line) for line in lines.decode().removesuffix("\n").split("\n")]
    except ValueError:
        path = []
    if not verify_consistency(one.size, newest.size, one.root, newest.root, path):
        raise Invalid("two checkpoints are not of one history")


def _read_links(files: dict[str, bytes], policy: Policy) -> list[Receipt]:
    """The receipts under links/: each is shown to be the first leaf of a log that follows another."""
    links = []
    for name in sorted({name.rpartition(".")[0] for name in files if name.startswith("links/")}):
        link = _read_receipt(name, {f"{name}.jws": b"", **files}, policy)
        if link.index != 0 or name != f"links/{label(link.origin)}" or link.statement["event"] != LINK:
            raise Invalid("a link between two logs is not shown to be the first leaf of its log")
        links.append(link)
    return links


def check_links(links: list[Receipt], heads: list[Checkpoint], origins: set[str]) -> list[str]:
    """The logs in their order: each but the first begins by naming the last checkpoint of the one before."""
    last = {head.root.hex(): head for head in sorted(heads, key=lambda head: head.size)}
    ends = {head.origin: head for head in last.values()}
    follows: dict[str, str] = {}
    for link in links:
        after = link.statement.get("after", {})
        named = last.get(after.get("root", ""))
        if named is None or named.size != after["size"] or ends[named.origin] is not named:
            raise Invalid(
                "a log's first leaf names something else than the last checkpoint of a log before it"
            )
        follows[named.origin] = link.origin
    order = sorted(origins - set(follows.values()))[:1]
    while order and order[-1] in follows:
        order.append(follows[order[-1]])
    if set(order) != origins:
        raise Invalid("the link between two logs is missing")
    return order


def check_order(receipts: list[Receipt], logs: list[str]) -> None:
    """The receipts of each chain stand in the log, and from log to log, in the order of the chain.

    Receipts that are in no log yet come last.
    """
    last: dict[str, tuple[int, int]] = {}
    for receipt in receipts:
        ref, number = receipt.statement["ref"], receipt.statement["seq"]
        place = (len(logs), number) if receipt.index is None else (logs.index(receipt.origin), receipt.index)
        if place <= last.get(ref, (-1, 0)):
            raise Invalid("receipts went into the log in an impossible order")
        last[ref] = place


# --- 12. Content -----------------------------------------------------------------------------------------------------


def check_content(receipts: list[Receipt], files: dict[str, bytes]) -> str:
    """`matches`, `erased` or `not supplied`. A payload or attachment that is not the one committed to is refused.

    `matches`: every accepted message has its payload and all its attachments here, and nothing that its acceptance
    commits to stays shut, which could be more attachments. `erased`: there are neither content nor opened fields,
    and a receipt of the erasure that counted the chains of all these messages.
    """
    accepted = {one.statement["id"]: one for one in receipts if _accepted(one)}
    payloads = {name[len("payloads/") : -len(".bin")]: name for name in files if name.startswith("payloads/")}
    for entry, name in payloads.items():
        if entry not in accepted:
            raise Invalid("a payload belongs to no accepted message")
        if accepted[entry].disclosed.get("payload_sha256") != hashlib.sha256(files[name]).hexdigest():
            raise Invalid("a payload is not the one that was committed to")
    named = {file for one in accepted.values() for file in str(one.disclosed.get("attachments", "")).split()}
    attached = {
        f"{name[len('attachments/') : -len('.bin')]}={hashlib.sha256(files[name]).hexdigest()}"
        for name in files
        if name.startswith("attachments/")
    }
    if not attached <= named:
        raise Invalid("an attachment is not one that a message was committed to")
    whole = all(len(one.disclosed) == len(one.statement["_sd"]) for one in accepted.values())
    if accepted and set(payloads) == set(accepted) and attached == named and whole:
        return "matches"
    bare = not payloads and not attached and not any(one.disclosed for one in accepted.values())
    erased = {one.statement["ref"] for one in accepted.values()} <= _erased(receipts)
    return "erased" if bare and erased else "not supplied"


def check_incident(manifest: dict[str, Any], receipts: list[Receipt]) -> None:
    """Where an acceptance discloses its incident, it is the one that the manifest names."""
    told = manifest["incident"]
    if any(one.disclosed.get("incident", told) != told for one in receipts if _accepted(one)):
        raise Invalid("a message was accepted for another incident than the manifest names")


def _erased(receipts: list[Receipt]) -> set[str]:
    """The chains whose content was erased: the erasure's own, and all that stand counted in it."""
    own = {one.statement["ref"] for one in receipts if one.statement["event"] == "ContentErased"}
    counted = (one.statement.get("chains", {}) for one in receipts if one.statement["ref"] in own)
    return own.union(*counted)


def _accepted(receipt: Receipt) -> bool:
    """Whether the receipt is the one of a message's acceptance, which commits to its content."""
    return bool(receipt.statement["event"] == "SubmissionAcceptance")


# --- 13. What recipients signed themselves ---------------------------------------------------------------------------

PERSONS_ANSWERS = {ANSWERS["person"], ANSWERS["declined"]}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A recipient's own statement whose signature held, and the thumbprint (RFC 7638) of the key in its header."""

    said: dict[str, Any]
    thumbprint: str

    @property
    def time(self) -> datetime:
        return instant(self.said["time"])


def open_acknowledgement(jws: bytes) -> Acknowledgement:
    """An acknowledgement from its compact JWS, which carries its public key in the header.

    It does not show whose key that is: the caller must compare the thumbprint with one it knows.
    """
    header, payload, signature, signed = compact(jws, LIMIT_STATEMENT_BYTES)
    head, said = strict_json(header), strict_json(payload)
    if not fits(head, ACKNOWLEDGEMENT_HEADER):
        raise Invalid(
            "the recipient's JWS header has other members than alg, a public jwk and typ acknowledgement+jws"
        )
    jwk = head["jwk"]
    if not jwk_ok(jwk, head["alg"], signature, signed):
        raise Invalid("the recipient's signature is false")
    if not fits(said, ACKNOWLEDGEMENT):
        raise Invalid("the recipient's statement is not of the form acknowledgement/1")
    return Acknowledgement(said, thumbprint(jwk))


def check_peers(receipts: list[Receipt], files: dict[str, bytes], policy: Policy) -> str:
    """What recipients signed, and mails as they came, are what the receipts commit to. Returns a count in words."""
    by_id = {one.statement["id"]: one for one in receipts}
    contents: dict[str, Any] = {}
    for one in filter(_accepted, receipts):
        if one.statement["ref"] in contents:
            raise Invalid("a message was accepted twice")
        contents[one.statement["ref"]] = one.disclosed.get("payload_sha256")
    mails, named, unnamed = 0, 0, 0
    for name in (name for name in files if name.startswith("peer/")):
        receipt = by_id.get(name[len("peer/") : -len(".jws")])
        if receipt is None or receipt.disclosed.get("peer_sha256") != hashlib.sha256(files[name]).hexdigest():
            raise Invalid("a peer's own proof is not one that a receipt commits to")
        if name.endswith(".eml"):
            mails += 1
            continue
        _check_acknowledgement(open_acknowledgement(files[name]), receipt, contents, policy)
        is_named = receipt.disclosed.get("recipient") in policy.peers
        named, unnamed = named + is_named, unnamed + (not is_named)
    answers = [key for key, one in by_id.items() if one.statement["event"] in PERSONS_ANSWERS]
    shown = {Path(name).stem for name in files if name.startswith("peer/")}
    missing = sum("peer_sha256" in one.disclosed and key not in shown for key, one in by_id.items())
    counted = {
        "signed by keys that the policy names": named,
        "signed by keys that only the gateway names": unnamed,
        "answers without the recipient's own signature": sum(
            f"peer/{key}.jws" not in files for key in answers
        ),
        "mails as they came": mails,
        "committed to and not supplied": missing,
    }
    return ", ".join(f"{count} {words}" for words, count in counted.items() if count)


def _check_acknowledgement(
    signed: Acknowledgement, receipt: Receipt, contents: dict[str, Any], policy: Policy
) -> None:
    """The recipient signed by the agreed key, and for the delivery, answer and content that the receipt states."""
    said, disclosed = signed.said, receipt.disclosed
    if "recipient" not in disclosed:
        raise Invalid("the receipt does not say whose answer the recipient's signature is")
    if signed.thumbprint != disclosed.get("peer_key"):
        raise Invalid("the recipient's key is not the one that the receipt commits to")
    known = policy.peers.get(str(disclosed["recipient"]))
    if known is not None and signed.thumbprint not in known:
        raise Invalid("the recipient's key is not one that the policy names for it")
    if (said["message"], said["delivery"]) != (receipt.statement["ref"], disclosed.get("delivery")):
        raise Invalid("the recipient signed for another message or delivery")
    if ANSWERS[said["by"]] != receipt.statement["event"]:
        raise Invalid("the recipient signed another answer than the receipt states")
    if said["content_sha256"] != contents.get(said["message"]):
        raise Invalid("the recipient signed for other content than was accepted")
    if signed.time - receipt.time > policy.skew:
        raise Invalid("the recipient signed after the gateway says that it answered")


# --- 14. What senders signed themselves ------------------------------------------------------------------------------

SIGNED_WITHIN = timedelta(
    minutes=2
)  # the gateway takes a request signed within the last minute; one more until its receipt


def check_senders(receipts: list[Receipt], policy: Policy) -> str:
    """Senders' signatures over their requests (RFC 9421) are over what was accepted. Returns a count in words.

    The words tell apart keys that the policy names from keys that only the gateway names: those it could have made
    itself.
    """
    signed = [one for one in receipts if _accepted(one) and "http_signature" in one.disclosed]
    for one in signed:
        _check_request(one, policy)
    named = sum(one.disclosed["sender"] in policy.peers for one in signed)
    counted = {"that the policy names": named, "that only the gateway names": len(signed) - named}
    told = (f"{count} messages signed by senders' keys {words}" for words, count in counted.items() if count)
    return ", ".join(told)


def _check_request(receipt: Receipt, policy: Policy) -> None:
    """The sender's key signed this content, at the time at which the gateway accepted it."""
    disclosed = receipt.disclosed
    jwk, base, signature, content = _as_sent(disclosed)
    algorithm = {"EC": "ES256", "OKP": "Ed25519", "RSA": "PS256"}
    if not fits(jwk, PUBLIC_KEY) or not jwk_ok(jwk, algorithm[jwk["kty"]], signature, base):
        raise Invalid("the sender's signature is false, or its key is no public one")
    if "sender" not in disclosed:
        raise Invalid("the receipt does not say whose request the sender's signature is")
    known = policy.peers.get(str(disclosed["sender"]))
    if known is not None and thumbprint(jwk) not in known:
        raise Invalid("the sender's key is not one that the policy names for it")
    if re.findall(rb'^"content-digest": .*?sha-256=:([^:]*):', base, re.MULTILINE) != [content]:
        raise Invalid("the sender signed other content than was accepted")
    created = re.findall(rb'^"@signature-params": .*;created=([0-9]{1,12})', base, re.MULTILINE)
    apart = [abs(receipt.time.timestamp() - int(one)) for one in created]
    if not any(one <= (SIGNED_WITHIN + policy.skew).total_seconds() for one in apart):
        raise Invalid("the sender signed at another time than the gateway accepted")


def _as_sent(disclosed: dict[str, Any]) -> tuple[Any, bytes, bytes, bytes]:
    """What the receipt discloses of a request: key, signature base and signature; and the content's digest."""
    try:
        names = ("http_signature_base", "http_signature")
        base, signature = (base64.b64decode(str(disclosed[name]), validate=True) for name in names)
        content = base64.b64encode(bytes.fromhex(str(disclosed["payload_sha256"])))
        return strict_json(str(disclosed["http_signature_jwk"]).encode()), base, signature, content
    except (KeyError, ValueError):
        raise Invalid("a sender's signature is not whole") from None


# --- 15. The verdict -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer. `receipts` counts those in the bundle; `content` is `matches`, `erased` or `not supplied`."""

    verdict: str
    reason: str
    receipts: int
    content: str


def verify_bundle(bundle: bytes, policy: Policy, limit_bytes: int = LIMIT_BYTES) -> Finding:
    """The verdict on a bundle under a policy; Unreadable when it is not a zip at all.

    The numbers below are the parts of this file. `where` names the step, or the receipt, at which a check failed.
    """
    where = "bundle"
    count = 0
    try:
        # (8) the files are those of the manifest
        files = read_zip(bundle, limit_bytes)
        manifest = check_manifest(files)
        # (1 to 7) each receipt by itself: form, signature, disclosed fields, proof that it is in the log
        numbered = [name[:-4] for name in files if re.fullmatch("receipts/.*jws", name)]
        names = sorted(numbered, key=lambda name: (len(name), name))
        count = len(names)
        receipts: list[Receipt] = []
        for where in names:
            receipts.append(_read_receipt(where, files, policy))
        # (9) the receipts together: chains without gaps, and as many receipts as the manifest counts
        where = "chain"
        check_chains(receipts)
        where = "manifest.json"
        _check_counts(manifest, receipts, names, files)
        # (10, 11) one history of the log, and times and keys that agree with it
        where = "checkpoints"
        windows = check_history(receipts, files, policy)
        # (12 to 14) content, and what recipients and senders signed themselves
        where = "content"
        check_incident(manifest, receipts)
        content = check_content(receipts, files)
        where = "peer"
        peers = check_peers(receipts, files, policy)
        where = "sender"
        peers = ", ".join(filter(None, (peers, check_senders(receipts, policy))))
    except Invalid as fault:
        return Finding("INVALID", f"{where}: {fault}", count, "not supplied")
    verdict, reason = _verdict(receipts, windows, files, policy)
    return Finding(verdict, f"{reason}; peers: {peers}" if peers else reason, count, content)


def _verdict(
    receipts: list[Receipt], windows: list[Window], files: dict[str, bytes], policy: Policy
) -> tuple[str, str]:
    unsealed = sum(receipt.index is None for receipt in receipts)
    if unsealed:
        return (
            "PROVISIONAL",
            f"{unsealed} of {len(receipts)} receipts are signed but not yet proved to be in the log",
        )
    proved = "every receipt is in the log"
    proved += f", which at least {policy.quorum} witnesses saw" if policy.quorum else ""
    if policy.is_stamped:
        if any(None in bounds for bounds in windows):
            return "PROVISIONAL", _pending(windows, files, policy)
        return "VALID", f"{proved}; its time lies between two time-stamps"
    return "VALID", proved if policy.quorum else f"{proved}; its time is the gateway's own claim"


def _pending(windows: list[Window], files: dict[str, bytes], policy: Policy) -> str:
    """Why the times are not bounded on both sides."""
    if any(name.endswith(".tsr") for name in files) and not _can_check_stamps(policy):
        return "time-stamp not checked: the policy names no authority, or rfc3161-client is not installed"
    if all(end is not None for _, end in windows):
        return "a receipt names no time-stamped checkpoint before it: only its latest time is known"
    return "time-stamp pending"


# --- 16. The command -------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an evidence bundle offline against a policy.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--policy", type=Path, required=True, help="whom to trust; obtained on another path")
    parser.add_argument(
        "--pinned", type=Path, action="append", default=[], help="a checkpoint got from others"
    )
    parser.add_argument("--json", action="store_true", help="answer with one JSON document")
    given = parser.parse_args(arguments)
    try:
        finding = verify_files(given.bundle, given.policy, given.pinned)
    except Unreadable as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(report(finding, given.json) + "\n")
    return 1 if finding.verdict == "INVALID" else 0


def verify_files(bundle: Path, policy: Path, pinned: Sequence[Path] = ()) -> Finding:
    """The verdict on a bundle's file under a policy's file; Unreadable when either cannot be read.

    `pinned` are files of checkpoints that the reader got from somebody else than the gateway.
    """
    try:
        if bundle.stat().st_size > LIMIT_BYTES:
            raise Unreadable("the bundle is larger than this program reads")
        trusted = with_pinned(load_policy(policy.read_bytes()), [note.read_bytes() for note in pinned])
        return verify_bundle(bundle.read_bytes(), trusted)
    except OSError as fault:
        raise Unreadable("the bundle or the policy cannot be read") from fault


def report(finding: Finding, as_json: bool) -> str:
    """The finding as one JSON document or in plain words."""
    members = {name: getattr(finding, name) for name in ("verdict", "reason", "receipts", "content")}
    if as_json:
        return json.dumps(members)
    return "{verdict}: {reason}\nreceipts: {receipts}\ncontent: {content}".format(**members)


if __name__ == "__main__":
    sys.exit(main())
