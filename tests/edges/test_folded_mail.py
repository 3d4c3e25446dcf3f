"""What an officer is shown of a held mail: the new words apart from the quoted ones, and nothing lost of either."""

from __future__ import annotations

from gateway.console.held import MOST_CHARACTERS, folded

REPLY = "c. No, but see below\n\nOn Fri, 2 Oct 2026 at 09:00, Alex <alex@council.example> wrote:\n> c. Do you hold any records?\n"


def test_the_quoted_part_is_folded_and_nothing_is_lost() -> None:
    pieces = folded(REPLY)
    assert [is_new for is_new, _ in pieces] == [True, False]
    assert "No, but see below" in pieces[0][1]
    assert "Do you hold any records?" in pieces[1][1]


def test_a_text_that_quotes_nothing_is_shown_whole_and_a_long_one_is_cut() -> None:
    assert folded("c. No") == ((True, "c. No"),)
    assert sum(len(piece) for _, piece in folded("x " * MOST_CHARACTERS)) <= MOST_CHARACTERS
