"""Our own letter's sentences, known again when a school sends the letter back with the answers typed into it.

The texts are the rule packs' letter templates; their placeholders match any short run of words. The three question lines
are never masked, for the answers stand in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.mail.labels import label_spans
from adapters.mail.lines import Page
from adapters.mail.signatures import is_alarming, is_place_line
from adapters.mail.surroundings import telling

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_CHOICE = re.compile(r"\{%-?\s*if\b.*?%\}(.*?)\{%-?\s*endif\s*-?%\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_ANY, _MAY, _END = "\x00", "\x01", "\x02"  # stand for a placeholder and for the two ends of an optional part


def known_lines(page: Page, letters: Sequence[str]) -> list[int]:
    """The lines of the page that hold nothing but our own letters' words."""
    text = "\n".join(line.text for line in page.lines)
    kept = list(text)
    for pattern in (pattern for letter in letters for pattern in _patterns(letter)):
        for match in pattern.finditer(text):
            if any(telling(filled) or is_alarming(filled) for filled in match.groups() if filled):
                continue  # somebody wrote into a gap of the letter
            for place in range(match.start(), match.end()):
                kept[place] = "\n" if kept[place] == "\n" else " "
    left = "".join(kept).split("\n")
    furniture = [pattern for letter in letters for pattern in _lines(letter)]
    return [
        place
        for place, line in enumerate(page.lines)
        if line.text
        and (not left[place].strip(" .") or (line.quoted and _is_furniture(line.text, furniture)))
    ]


def _is_furniture(text: str, furniture: Sequence[re.Pattern[str]]) -> bool:
    """A line of gaps alone, as the school's name is, filled with names, dates and numbers."""
    if len(text) > 200:
        return False
    found = (match for pattern in furniture if (match := pattern.fullmatch(text)))
    return any(all(is_place_line(gap) for gap in match.groups() if gap) for match in found)


def _lines(letter: str) -> list[re.Pattern[str]]:
    """A pattern for every line of the letter that has a gap."""
    rows = [_marked(row).split() for row in letter.split("\n") if "{{" in row]
    return [_pattern(words) for words in rows if words and _literal(words) <= 4]


def _patterns(letter: str) -> list[re.Pattern[str]]:
    """Each side of the questions as a whole (so that lines made of placeholders are known too), then each sentence."""
    marked = _marked(letter)
    questions = label_spans(marked)
    if not questions:
        return _sentences(marked)
    before = marked[: questions[0][0]]
    after = marked[questions[-1][1] :].partition("\n")[2]
    wholes = [_pattern(side.split()) for side in (before, after) if _literal(side.split()) >= 8]
    return [*wholes, *_sentences(before), *_sentences(after)]


def _marked(letter: str) -> str:
    """The letter with its gaps and optional parts as single characters."""
    optional = _CHOICE.sub(rf" {_MAY} \1 {_END} ", re.sub(r"[*\u2022]", " ", letter))
    return _TAG.sub(" ", _PLACEHOLDER.sub(f" {_ANY} ", optional))


def _sentences(side: str) -> list[re.Pattern[str]]:
    """A pattern for every sentence with two words of our own or more; wrapping does not matter."""
    found = [sentence.split() for sentence in re.split(r"(?<=[.?!])\s+|\n\s*\n|\n(?=\s*[A-Z\x00])", side)]
    return [_pattern(words) for words in found if _literal(words) >= 2 and not {_MAY, _END} & set(words)]


def _literal(words: Sequence[str]) -> int:
    return sum(word not in {_ANY, _MAY, _END} for word in words)


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    pieces = {_ANY: r"([^\n]{1,80}?)", _MAY: "(?:", _END: ")?"}
    joined = r"\s*".join(pieces.get(word, re.escape(word)) for word in words)
    ends = r"(?=[ .]*(?:\n|\Z))" if words[-1] in {_ANY, _END} else r"(?!\w)"
    return re.compile(r"(?<![^\s>])" + joined + ends, re.IGNORECASE)
