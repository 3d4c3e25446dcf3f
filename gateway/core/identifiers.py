"""Identifiers: what each one looks like, how it is checked, and how our own are made from random bytes.

Pure: randomness is passed in, and nothing here looks anything up, so a number that passes may still belong to nobody.
Our own identifiers carry neither time nor sequence (contract section 4). Sources of the check rules: domain section 7,
the NHS Data Dictionary (modulus 11), the DfE UPN standard 2.0 (modulus 23).
"""

from __future__ import annotations

import base64
import re
from enum import Enum

# Crockford's 32 symbols: no I, L, O (they read as 1, 1, 0) and no U, so that no id spells a common rude word.
REFERENCE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_PATTERN = r"^(?:SI|SG)-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{2}$"
INCIDENT_PATTERN = REFERENCE_PATTERN.replace("(?:SI|SG)", "SI")
LETTER_PATTERN = REFERENCE_PATTERN.replace("(?:SI|SG)", "SG")
REFERENCE_RANDOM_BYTES = 5
ID_RANDOM_BYTES = 16

NHS_NUMBER_PATTERN = r"^[0-9]{10}$"
UPN_PATTERN = r"^[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]$"
SCHOOL_URN_PATTERN = r"^[0-9]{6}$"
LOCAL_AUTHORITY_PATTERN = r"^(?:[0-9]{3}|(?:E06|E07|E08|E09|E10|W06|S12|N09)[0-9]{6})$"
ODS_PATTERN = r"^[A-Z0-9]{3,6}$"
POLICE_FORCE_PATTERN = r"^E23[0-9]{6}$"
POSTCODE_PATTERN = r"^(?:GIR 0AA|(?:[A-PR-UWYZ](?:[0-9][0-9A-HJKPSTUW]?|[A-HK-Y][0-9][0-9ABEHMNPRVWXY]?)) [0-9][ABD-HJLNP-UW-Z]{2})$"

_REFERENCE_MODULUS = 1021  # the largest prime below 32 × 32, so that two symbols hold any remainder
_REFERENCE_OFFSET = 1016  # makes the example that the contract prints a valid one
_UPN_ALPHABET = "ABCDEFGHJKLMNPQRTUVWXYZ"  # no I, O, S: A=0 … Z=22


class IdKind(Enum):
    """What a random id names; the value is its prefix."""

    MESSAGE = "msg"
    DELIVERY = "dlv"
    DUTY = "dty"
    ENTRY = "ev"  # a receipt is an entry handed out
    ATTACHMENT = "att"
    BREACH = "brc"
    REGISTER_USE = "reg"  # one export or import of a register
    WEBHOOK = "whk"


def make_id(kind: IdKind, random_bytes: bytes) -> str:
    """A random id such as `msg-` and 26 lower-case base32 characters (RFC 4648), from exactly 16 random bytes."""
    if len(random_bytes) != ID_RANDOM_BYTES:
        raise ValueError("an id is made from exactly 16 random bytes")
    return f"{kind.value}-{base64.b32encode(random_bytes).decode('ascii').rstrip('=').lower()}"


def id_pattern(kind: IdKind) -> str:
    """The shape of a random id, as a regular expression that JSON Schema, Python and Rust read alike."""
    return f"^{kind.value}-[a-z2-7]{{26}}$"


def is_id(kind: IdKind, text: str) -> bool:
    """Whether this has the shape of a random id of that kind."""
    return re.fullmatch(id_pattern(kind), text) is not None


def make_incident_id(random_bytes: bytes) -> str:
    """`SI-XXXX-XXXX-CC` from exactly 5 random bytes: eight symbols and two typing-check symbols."""
    return _make_reference("SI", random_bytes)


def make_letter_reference(random_bytes: bytes) -> str:
    """`SG-XXXX-XXXX-CC` from exactly 5 random bytes. It locates a letter; it authenticates nothing."""
    return _make_reference("SG", random_bytes)


def is_incident_id(text: str) -> bool:
    """Whether this is an incident's id in its canonical spelling with a right typing check."""
    return text.startswith("SI-") and normalise_reference(text) == text


def normalise_reference(typed: str) -> str | None:
    """The canonical spelling of an incident id or letter reference as a person typed it, or None.

    Lower case, spaces and any dashes are taken, and O, I, L are read as 0, 1, 1. None when the shape or the typing
    check is wrong: the check catches every single wrong symbol and every swap of two neighbours.
    """
    if len(typed) > 40:
        return None
    bare = re.sub(r"[\s\-\u2010-\u2015\u2212]", "", typed)
    if not bare.isascii():
        return None
    bare = bare.upper()
    prefix, symbols = _PREFIX_AS_TYPED.get(bare[:2]), bare[2:].translate(_LOOK_ALIKES)
    if prefix is None or len(symbols) != 10 or not set(symbols) <= set(REFERENCE_ALPHABET):
        return None
    if _check_symbols(symbols[:8]) != symbols[8:]:
        return None
    return f"{prefix}-{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def is_nhs_number(text: str) -> bool:
    """Ten digits without spaces whose last is the modulus 11 check digit; a remainder that would need 10 is invalid."""
    if re.fullmatch(NHS_NUMBER_PATTERN, text) is None:
        return False
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(text[:9]))
    return (11 - total % 11) % 11 == int(text[9])


def normalise_nhs_number(typed: str) -> str | None:
    """The ten digits of an NHS number as a person typed it (3-3-4 with spaces or dashes), or None if it is invalid."""
    digits = re.sub(r"[ \u00a0-]", "", typed)
    return digits if is_nhs_number(digits) else None


def is_upn(text: str) -> bool:
    """A permanent or temporary unique pupil number with a right check letter (DfE UPN standard 2.0).

    The check letter is the sum of value × weight, weights 2 to 13 from the second character, modulo 23. Whether its
    local-authority part is a known code is for whoever holds the list.
    """
    if re.fullmatch(UPN_PATTERN, text) is None:
        return False
    return _UPN_ALPHABET[_upn_total(text[1:]) % 23] == text[0]


def is_school_urn(text: str) -> bool:
    """Six digits (GIAS); there is no check digit, so the directory has the last word."""
    return re.fullmatch(SCHOOL_URN_PATTERN, text) is not None


def is_local_authority_code(text: str) -> bool:
    """A DfE three-digit code or an ONS nine-character code of a council in the United Kingdom."""
    return re.fullmatch(LOCAL_AUTHORITY_PATTERN, text) is not None


def is_ods_code(text: str) -> bool:
    """An NHS organisation code: three to six capitals and digits."""
    return re.fullmatch(ODS_PATTERN, text) is not None


def is_police_force_code(text: str) -> bool:
    """An ONS police force area code: E23 and six digits."""
    return re.fullmatch(POLICE_FORCE_PATTERN, text) is not None


def _make_reference(prefix: str, random_bytes: bytes) -> str:
    if len(random_bytes) != REFERENCE_RANDOM_BYTES:
        raise ValueError("a reference is made from exactly 5 random bytes")
    number = int.from_bytes(random_bytes, "big")
    symbols = "".join(REFERENCE_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))
    return f"{prefix}-{symbols[:4]}-{symbols[4:]}-{_check_symbols(symbols)}"


def _check_symbols(symbols: str) -> str:
    """Two symbols: the eight read as a number to base 32, plus an offset, modulo 1021.

    1021 is prime and 32 is not a multiple of it, so a wrong symbol or a swap of neighbours always changes the
    remainder. The offset changes nothing of that.
    """
    number = 0
    for symbol in symbols:
        number = number * 32 + REFERENCE_ALPHABET.index(symbol)
    check = (number + _REFERENCE_OFFSET) % _REFERENCE_MODULUS
    return REFERENCE_ALPHABET[check // 32] + REFERENCE_ALPHABET[check % 32]


def _upn_total(rest: str) -> int:
    values = (int(symbol) if symbol.isdigit() else _UPN_ALPHABET.index(symbol) for symbol in rest)
    return sum(value * weight for weight, value in enumerate(values, start=2))


_PREFIX_AS_TYPED = {"SI": "SI", "S1": "SI", "SL": "SI", "SG": "SG"}
_LOOK_ALIKES = str.maketrans("OIL", "011")
