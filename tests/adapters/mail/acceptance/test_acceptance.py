"""Replies written by somebody who knew the letter but not the reader: what schools really send, and what must never pass.

The sets were written before the reader was looked at. A person takes in whatever is not complete, so the only failure that
cannot be mended is a wrong `complete`: a false "No" hides a child at risk. S2-22, X-28.
"""

from typing import Any

import pytest

from tests.adapters.mail.acceptance.mails import Reply, read, replies


def _said(reply: Reply) -> tuple[str, dict[str, Any], dict[str, Any]]:
    reading: Any = read(reply.mail).contract()
    answers, suggested = reading["answers"], reading["suggested"]
    shown = {key: suggested[key] if value is None else value for key, value in answers.items()}
    return reading["verdict"], answers, shown


@pytest.mark.parametrize(
    ("file", "least"), [("never.txt", 100), ("hostile.txt", 100), ("never_later.txt", 80)]
)
def test_no_doubtful_reply_is_recorded_without_a_person_s2_22(file: str, least: int) -> None:
    taken = [reply.name for reply in replies(file) if _said(reply)[0] == "complete"]
    assert not taken
    assert len({reply.name for reply in replies(file)}) == len(replies(file)) >= least


@pytest.mark.parametrize("file", ["clear.txt", "clear_later.txt"])
def test_clear_replies_are_read_right_and_most_need_no_person_s2_22(file: str) -> None:
    """The figures are floors: all but one are read right and four in five are recorded at once.

    First run of the later set, before anything was mended for it: 82 of 82 right, 62 (76 %) without a person, and none
    of its 85 doubtful replies taken.
    """
    said = [(reply, *_said(reply)) for reply in replies(file)]
    wrong = [
        reply.name for reply, verdict, answers, _ in said if verdict == "complete" and answers != reply.says
    ]
    unread = [reply.name for reply, _, _, shown in said if shown != reply.says]
    complete = sum(verdict == "complete" for _, verdict, _, _ in said)
    assert not wrong
    assert len(said) >= 80
    assert len(unread) <= 1, unread
    assert complete >= 0.8 * len(said)
