"""Finding the reference that a mail names: `SG-XXXX-XXXX-CC` (a letter) or `SI-XXXX-XXXX-CC` (an incident).

A reference is found by its exact shape and never guessed: a missing or strange character means there is none. The two
check characters only raise a flag, for a reference locates and never authenticates. Source: contract section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.core.identifiers import normalise_reference

_SYMBOL = "[0-9A-HJKMNP-TV-Z]"
_IN_TEXT = re.compile(
    rf"(?<![0-9A-Z\-_])(SG|SI)[-\u2010\u2011]({_SYMBOL}{{4}})[-\u2010\u2011]({_SYMBOL}{{4}})[-\u2010\u2011]({_SYMBOL}{{2}})(?![0-9A-Z]|[-_][0-9A-Z])",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(
    rf"(?<![0-9A-Z])(SG|SI)-?({_SYMBOL}{{4}})-?({_SYMBOL}{{4}})-?({_SYMBOL}{{2}})(?![0-9A-Z])", re.IGNORECASE
)
_TOKEN = re.compile(r"(?<![^\s<,;:\"'])(?:reply|bounce)\+([A-Za-z0-9._=-]{1,200})@", re.IGNORECASE)


def in_text(text: str) -> tuple[str, ...]:
    """The references that running text names, each once, in order, in capitals."""
    return _distinct(_IN_TEXT, text)


def in_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """The references inside e-mail addresses and message ids, where dashes may be missing and a code may follow."""
    return _distinct(_IN_ADDRESS, " ".join(texts))


def token_in(addresses: Iterable[str]) -> str | None:
    """The token of a `reply+TOKEN@` or `bounce+TOKEN@` address; None when there is none or they differ."""
    tokens = {match[1] for address in addresses for match in _TOKEN.finditer(address)}
    return tokens.pop() if len(tokens) == 1 else None


def well_typed(reference: str) -> bool:
    """Whether the two check characters fit."""
    return normalise_reference(reference) == reference


def _distinct(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys("-".join(match.groups()).upper() for match in pattern.finditer(text)))
