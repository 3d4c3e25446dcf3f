"""A reply with the letter's answer form attached: bound, it answers like labelled lines; anything else is a person's. S2-22."""

from __future__ import annotations

import base64

import pytest

from adapters.mail.findings import Answers, Expected, Reading, Verdict
from adapters.mail.opened import open_mail
from adapters.mail.paper import AnswerForm, paper
from adapters.mail.replies import read_opened
from tests.adapters.mail.corpus.builder import TEMPLATES
from tests.adapters.mail.mails import ENROLLED, REFERENCE, SERVER, mail
from tests.adapters.mail.test_form import filled

MAC = "0123456789abcdef" * 2
WORDS = "PRIVATE AND CONFIDENTIAL\n\nDear Jane Smith\n\na. Dates on roll (from and to):\n"
WHOLE = {"ROLL-FROM": "06/09/2021", "STILL-ON-ROLL": "/Yes", "PREVIOUS-SCHOOL": "Valley Primary School", "RECORDS-NO": "/Yes"}  # fmt: skip
SHORT = "a. 06/09/2021 to present\nb. Valley Primary School\nc. No\n"
READ = Answers("2021-09-06", "present", "Valley Primary School", False)


@pytest.fixture(scope="module")
def sent() -> bytes:
    return paper(WORDS, REFERENCE, AnswerForm(REFERENCE, MAC, "Robin Invented"))


def read(
    text: str, *pdfs: bytes, reference: str = REFERENCE, mac: str = MAC, expects_form: bool = True
) -> Reading:
    parts = tuple(
        "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="form{n}.pdf"\n\n{base64.encodebytes(pdf).decode()}'
        for n, pdf in enumerate(pdfs)
    )
    form = (reference, mac) if expects_form else None
    expected = Expected((ENROLLED,), SERVER, letters=TEMPLATES, form=form)
    return read_opened(open_mail(mail(text, parts=parts)), expected)


def test_s2_22_the_bound_form_answers_alone_or_agrees_with_the_text(sent: bytes) -> None:
    form = filled(sent, WHOLE)
    for text in ("Dear Alex\n\nPlease find the completed form attached.\n\nKind regards\nJane", SHORT):
        reading = read(text, form)
        assert (reading.verdict, reading.answers, reading.flags) == (Verdict.COMPLETE, READ, ()), text


def test_s2_22_a_form_that_differs_from_the_text_is_a_person_s(sent: bytes) -> None:
    form = filled(sent, {**WHOLE, "RECORDS-NO": "/Off", "RECORDS-YES": "/Yes"})
    reading = read(SHORT, form)
    assert (reading.verdict, reading.suggested.records_held) == (Verdict.NEEDS_REVIEW, None)
    assert "contradictory_answers" in reading.flags


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"RECORDS-YES": "/Yes"}, "unclear_answer"),
        ({"RECORDS-NO": "/Off"}, "incomplete"),
        ({"ROLL-TO": "12/07/2024"}, "unclear_answer"),
        ({"ROLL-FROM": "06/09/21"}, "unclear_answer"),
        ({"PREVIOUS-SCHOOL": "ask mum"}, "unclear_answer"),
        ({"NO-PREVIOUS-SCHOOL": "/Yes"}, "unclear_answer"),
        ({"NEVER-ON-ROLL": "/Yes"}, "never_on_roll"),
        ({"TWO-PUPILS": "/Yes"}, "name_shared"),
        ({"WRONG-PERSON": "/Yes"}, "wrong_recipient"),
        ({"FILE-SENT-TO": "Dale Academy"}, "file_transferred"),
    ],
)
def test_s2_22_a_form_with_any_doubt_in_it_is_a_person_s(
    sent: bytes, changes: dict[str, str], flag: str
) -> None:
    reading = read("", filled(sent, {**WHOLE, **changes}))
    assert reading.verdict is Verdict.NEEDS_REVIEW
    assert flag in reading.flags


def test_a_form_that_is_not_bound_only_suggests(sent: bytes) -> None:
    form = filled(sent, WHOLE)
    for reading in (
        read("", form, mac="f" * 32),
        read("", form, reference="SG-AB12-CD34-5E"),
        read("", form, expects_form=False),
        read("", filled(sent, {**WHOLE, "REF": "SG-AB12-CD34-5E"})),
    ):
        assert (reading.verdict, reading.suggested) == (Verdict.NEEDS_REVIEW, READ)
        assert {"form_not_bound", "attachment"} <= set(reading.flags)


def test_two_forms_another_file_or_a_sentence_beside_the_form_are_a_person_s(sent: bytes) -> None:
    form = filled(sent, WHOLE)
    assert "several_forms" in read("", form, form).flags
    assert "attachment" in read("", form, b"%PDF-1.4 another").flags
    assert "additional_information" in read("He has a bruise.", form).flags


def test_a_text_longer_than_any_answer_is_not_read_at_all() -> None:
    """The bound that keeps every pattern short is the product's own."""
    reading = read(SHORT + "a" * 70_000)
    assert (reading.verdict, reading.flags) == (Verdict.NEEDS_REVIEW, ("too_long",))
    nearly = read(SHORT + "\n" + ("On a. b) (c) 1. From: 06/09/2021 to, No but " * 1400))
    assert nearly.verdict is Verdict.NEEDS_REVIEW
