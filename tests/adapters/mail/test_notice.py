"""What an e-mail says when only word goes by mail: something waits, and for which incident; nothing that a sender wrote."""

from __future__ import annotations

import pytest

from adapters.mail.composing import compose_letter
from adapters.mail.letter import Unsendable
from gateway.core.identifiers import is_incident_id
from schemas import TYPES
from tests.schemas import example

INCIDENT = "SI-7K3M-9QPX-2D"
NOTICED = sorted(TYPES - {"dsl-letter"})  # a letter has words of its own


def test_s0_26_a_need_to_know_begins_with_these_words_and_then_holds_the_incidents_id_alone() -> None:
    document = {**example("need-to-know"), "incident": INCIDENT}
    assert compose_letter({}, document, None).subject == f"Need To Know {INCIDENT}"
    assert is_incident_id(INCIDENT)


@pytest.mark.parametrize("slug", NOTICED)
def test_s4_19_no_word_of_a_message_gets_into_the_mail_about_it(slug: str) -> None:
    """The mail is the same whatever the message holds: only type, incident and a correction's action count."""
    document = {**example(slug), "incident": INCIDENT}
    hollow = {"type": slug, "incident": INCIDENT, "body": {"action": document["body"].get("action")}}
    assert compose_letter({}, document, None) == compose_letter({}, hollow, None)


@pytest.mark.parametrize("slug", NOTICED)
@pytest.mark.parametrize(
    "stranger", ["Elowen Testington", "SI-7K3M-9QPX-2D Elowen", "SG-7K3M-9QPX-2D", "SI-7K3M-9QPX-2E", "9990000018", ""]
)  # fmt: skip
def test_what_is_no_incidents_id_never_stands_in_a_subject(slug: str, stranger: str) -> None:
    with pytest.raises(Unsendable):
        compose_letter({}, {**example(slug), "incident": stranger}, None)


@pytest.mark.parametrize("action", ["withdraw", "recall-misdirected"])
def test_word_that_a_message_was_taken_back_names_the_incident_alone(action: str) -> None:
    body = {**example("correction")["body"], "action": action}
    document = {**example("correction"), "incident": INCIDENT, "body": body}
    said = compose_letter({}, document, None)
    assert said.subject == f"Safeguarding gateway: a message was taken back, incident {INCIDENT}"
    with pytest.raises(Unsendable):
        compose_letter({}, {**document, "incident": "Elowen Testington"}, None)


def test_whoever_has_no_system_is_told_whom_to_ring_and_a_school_to_answer_its_letter() -> None:
    """G-02: a reminder reaches a school by e-mail; "collect it with your system" alone would be no use to it."""
    waits, reminder = (
        compose_letter({}, {**example(slug), "incident": INCIDENT}, None).text
        for slug in ("referral", "chase")
    )
    for text in (waits, reminder):
        assert (
            "telephone the council or the Safeguarding Business Unit, on a number that you already have"
            in text
        )
    assert "answer that letter: reply to it" in reminder
    assert "answer that letter" not in waits
