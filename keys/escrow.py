"""The master key in n shares of which any k give it back, and fewer say nothing (Shamir, 1979).

Each byte of the secret is the constant term of a random polynomial of degree k - 1 over GF(256), the field of AES (FIPS 197 section
4.2); share x holds its value at x. This is the scheme of draft-mcgrew-tss-03, whose vector is a test here. What is split is the
whole of `master.key` with its SHA-256 behind it, so that shares of two sets, or a wrong one, give nothing rather than a wrong key.
Each share carries a checksum of its own, so that a slip in copying it from paper is told apart. No library on the lock does this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_SHARES = 20
CHECK_BYTES = 32
GROUP, GROUPS_A_LINE = 5, 10


class CannotRecover(ValueError):
    """These shares do not give the key back; says why and never shows a share."""


@dataclass(frozen=True, slots=True)
class Share:
    """One share. `set_id` tells the shares of one splitting from another's; it is random and says nothing of the key."""

    key_id: str
    set_id: str
    number: int
    needed: int
    of: int
    values: bytes = field(repr=False)


def split(secret: bytes, key_id: str, shares: int, needed: int) -> list[Share]:
    """So many shares, of which any `needed` give the secret back; ValueError for impossible numbers."""
    if not 2 <= needed <= shares <= MOST_SHARES:
        raise ValueError(f"at least 2 shares are needed, and at most {MOST_SHARES} are made")
    whole = secret + hashlib.sha256(secret).digest()
    polynomials = [bytes([byte]) + secrets.token_bytes(needed - 1) for byte in whole]
    set_id = secrets.token_hex(4)
    return [
        Share(key_id, set_id, x, needed, shares, bytes(value_at(one, x) for one in polynomials))
        for x in range(1, shares + 1)
    ]


def join(shares: Sequence[Share]) -> bytes:
    """The secret; CannotRecover when there are too few, or when they are not of one set."""
    if not shares:
        raise CannotRecover("no share was given")
    first = shares[0]
    if len({(one.set_id, one.key_id, one.needed, len(one.values)) for one in shares}) != 1:
        raise CannotRecover("these shares are not of one set")
    points = {one.number: one.values for one in shares}
    if len(points) < first.needed:
        raise CannotRecover(f"{first.needed} different shares are needed, and {len(points)} were given")
    whole = interpolate(points)
    secret, check = whole[:-CHECK_BYTES], whole[-CHECK_BYTES:]
    if not hmac.compare_digest(hashlib.sha256(secret).digest(), check):
        raise CannotRecover("these shares do not fit together: one of them is wrong")
    return secret


def written(share: Share) -> str:
    """The share as text that can be printed, and typed again."""
    letters = base64.b32encode(share.values).decode().rstrip("=")
    groups = [letters[at : at + GROUP] for at in range(0, len(letters), GROUP)]
    lines = [" ".join(groups[at : at + GROUPS_A_LINE]) for at in range(0, len(groups), GROUPS_A_LINE)]
    head = (
        f"Safeguarding gateway: share {share.number} of {share.of} of a master key; any {share.needed} give it back.\n"
        f"Keep it apart from the others and from every back-up. Show it to nobody.\n"
        f"key: {share.key_id}\nset: {share.set_id}\nshare: {share.number}/{share.of}\nneeded: {share.needed}\n"
    )
    return f"{head}check: {_check(share)}\n\n" + "\n".join(lines) + "\n"


def read(text: str) -> Share:
    """A share from its text; CannotRecover when it is none, or was miscopied."""
    said = dict(re.findall(r"^(key|set|share|needed|check): *(\S+) *$", text, re.MULTILINE))
    letters = "".join(text.partition("check:")[2].split()[1:]).upper()
    try:
        number, of = (int(part) for part in said["share"].split("/"))
        values = base64.b32decode(letters + "=" * (-len(letters) % 8))
        share = Share(said["key"], said["set"], number, int(said["needed"]), of, values)
    except (KeyError, ValueError):
        raise CannotRecover("this is no share of a master key") from None
    if not 1 <= number <= MOST_SHARES or not hmac.compare_digest(said.get("check", ""), _check(share)):
        raise CannotRecover("a share was miscopied: its check does not fit")
    return share


def value_at(polynomial: bytes, x: int) -> int:
    """The polynomial at x in GF(256); its constant term stands first (Horner)."""
    value = 0
    for coefficient in reversed(polynomial):
        value = multiply(value, x) ^ coefficient
    return value


def interpolate(points: dict[int, bytes]) -> bytes:
    """The values at 0 of the polynomials through these points (Lagrange)."""
    weights = {}
    for x in points:
        above = below = 1
        for other in points:
            if other != x:
                above, below = multiply(above, other), multiply(below, other ^ x)
        weights[x] = multiply(above, inverse(below))
    columns = zip(*points.values(), strict=True)
    found = bytearray()
    for column in columns:
        value = 0
        for x, byte in zip(points, column, strict=True):
            value ^= multiply(byte, weights[x])
        found.append(value)
    return bytes(found)


def multiply(a: int, b: int) -> int:
    """The product in GF(256) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 section 4.2), without tables or branches on data."""
    product = 0
    for _ in range(8):
        product ^= a & -(b & 1)
        a = ((a << 1) ^ (0x11B & -(a >> 7))) & 0x1FF
        b >>= 1
    return product


def inverse(a: int) -> int:
    """The inverse in GF(256): a to the power of 254. Zero has none; points differ, so it never comes."""
    power = a
    for _ in range(6):
        power = multiply(multiply(power, power), a)
    return multiply(power, power)


def _check(share: Share) -> str:
    said = f"{share.key_id}\n{share.set_id}\n{share.number}/{share.of}\n{share.needed}\n".encode()
    return hashlib.sha256(said + share.values).hexdigest()[:16]
