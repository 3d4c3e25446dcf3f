"""Our own letter's sentences, known again when a school sends the letter back with the answers typed into it.

The texts are the rule packs' letter templates; their placeholders match any short run of words. The three question lines
are never masked, for the answers stand in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.mail.answers import label_spans
from adapters.mail.lines import Page

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def known_lines(page: Page, letters: Sequence[str]) -> list[int]:
    """The lines of the page that hold nothing but sentences of our own letters."""
    text = "\n".join(line.text for line in page.lines)
    kept = list(text)
    for pattern in (pattern for letter in letters for pattern in _sentences(letter)):
        for match in pattern.finditer(text):
            for place in range(match.start(), match.end()):
                kept[place] = "\n" if kept[place] == "\n" else " "
    left = "".join(kept).split("\n")
    return [place for place, line in enumerate(page.lines) if line.text and not left[place].strip(" .")]


def _sentences(letter: str) -> list[re.Pattern[str]]:
    """A pattern for every sentence of three words or more, and for every whole shorter line; wrapping does not matter."""
    patterns: list[re.Pattern[str]] = []
    for paragraph in re.split(r"\n\s*\n", _TAG.sub("\n\n", letter)):
        if label_spans(paragraph):
            continue
        for sentence in re.split(r"(?<=[.?!])\s+|\n(?=[A-Z{])", paragraph):
            words = _PLACEHOLDER.sub(" \x00 ", re.sub(r"[*\u2022]", " ", sentence)).split()
            if sum(word != "\x00" for word in words) >= 2:
                patterns.append(_pattern(words))
    return patterns


def _pattern(words: list[str]) -> re.Pattern[str]:
    pieces = [r"[^\n]{1,80}?" if word == "\x00" else re.escape(word) for word in words]
    return re.compile(r"(?<![^\s>])" + r"\s*".join(pieces) + r"(?!\w)", re.IGNORECASE)
