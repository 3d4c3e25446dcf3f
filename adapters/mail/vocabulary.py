"""The word lists beside this module: which words signatures, small print and closing offers are made of.

A list is data, so that a word that turns up in real mail is added without touching a rule; every list names harmless words.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "words"


def words(name: str) -> frozenset[str]:
    """The words of one list, in small letters."""
    return frozenset((_FOLDER / f"{name}.txt").read_text("utf-8").split())
