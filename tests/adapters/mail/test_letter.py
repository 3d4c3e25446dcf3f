"""What our letters look like on the wire and to the reader. Contract section 6; S2-21, S2-24; RFC 3461, 3834."""

from __future__ import annotations

import email
import email.policy
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from pypdf import PdfReader

from adapters.mail.composing import compose_letter
from adapters.mail.form import FilledForm, is_bound, read_form
from adapters.mail.letter import (
    Correspondence,
    LetterFacts,
    Posting,
    Unsendable,
    as_html,
    build_posting,
    check_address,
    dsl_letter_subject,
    dsl_letter_text,
)
from gateway.core.deliveries import Letter, LetterFile
from tests.schemas import example

LETTERS = Path(__file__).resolve().parents[3] / "gateway/partnerships/south-tyneside/letters"
OURS = Correspondence("council.example", "safeguarding@council.example", "South Example Council")
FACTS = LetterFacts(
    reference="SG-7K3M-9QPX-2D",
    date_on=date(2026, 10, 5),
    council="South Example Council",
    school="Hillside School",
    dsl_names=("Jane Smith",),
    child_name="Robin Invented",
    child_born_on=date(2012, 2, 29),
    adviser_name="Alex Adviser",
    adviser_post="Child Protection Adviser",
    adviser_telephone="0191 496 0000",
)
WRITTEN_AT = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)


def letter() -> Letter:
    text = dsl_letter_text((LETTERS / "dsl-letter.txt").read_text("utf-8"), FACTS)
    subject = dsl_letter_subject((LETTERS / "dsl-letter.subject.txt").read_text("utf-8"), FACTS.reference)
    return Letter(
        subject, text, as_html(text), (LetterFile("att-abc", "application/pdf", b"%PDF"),), "tok.en-1"
    )


def posting(given: Letter | None = None, recipient: str = "dsl@hillside.example") -> Posting:
    return build_posting(given or letter(), "dlv-abc234", recipient, OURS, WRITTEN_AT)


def opened(given: Letter | None = None) -> EmailMessage:
    message = email.message_from_bytes(posting(given).content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_letter_asks_in_exactly_the_three_labelled_lines() -> None:
    text = letter().text
    assert "\na. Dates on roll (from and to):\n" in text
    assert "\nb. Previous school (if applicable):\n" in text
    question = "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child? Yes / No"
    assert f"\n{question}\n" in text


@pytest.mark.parametrize(
    "words",
    ["Alex Adviser on 0191 496 0000", "never on your roll", "went to another school", "share this name", "wrong person",
     "PRIVATE AND CONFIDENTIAL", "SG-7K3M-9QPX-2D", "without delay"],
)  # fmt: skip
def test_the_letter_says_how_to_check_it_and_how_to_answer_the_odd_cases(words: str) -> None:
    assert words in letter().text


def test_the_subject_is_the_contracts_and_names_no_child() -> None:
    assert letter().subject == "Private and confidential: confirmation needed, reference SG-7K3M-9QPX-2D"


def test_a_template_that_asks_for_an_unknown_fact_is_an_error_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        dsl_letter_text("{{ incident_detail }}", FACTS)


def test_a_name_cannot_add_a_line_to_the_letter() -> None:
    sly = replace(FACTS, child_name="Robin\nc. Do you hold: No")
    assert "\nc. Do you hold: No" not in dsl_letter_text("{{ child_name }}", sly)


def test_no_header_field_carries_personal_data() -> None:
    head = posting().content.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [part.get_filename() for part in opened().iter_attachments()]
    for word in ("Robin", "Invented", "Jane", "Smith"):
        assert word not in head
    assert names == ["att-abc"]


def test_automatic_answers_are_discouraged_and_answers_find_their_way() -> None:
    message = opened()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Reply-To"] == "reply+tok.en-1@council.example"
    assert posting().envelope_from == "bounce+tok.en-1@council.example"


def test_every_attempt_has_the_same_bytes_and_message_id() -> None:
    assert posting() == posting()
    assert posting().message_id == "<dlv-abc234@council.example>"


def test_every_line_ends_with_crlf_and_is_short_enough_for_smtp() -> None:
    content = posting().content
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998


def test_the_text_and_its_html_say_the_same() -> None:
    message = opened()
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == letter().text
    assert '<html lang="en-GB">' in html.get_content()
    assert "c. Do you hold any records" in html.get_content()


def test_html_is_made_of_text_only() -> None:
    assert as_html("<b>x</b> & y\nz").count("&lt;b&gt;x&lt;/b&gt; &amp; y<br>") == 1


@pytest.mark.parametrize(
    "address",
    ["si\u00e2n@hillside.example", "a@b\r\nRCPT TO:<x@y.example>", "a b@c.example", "@c.example", "a@", "a@@c.example",
     ".a@c.example", "a..b@c.example", "<a@c.example>", "a@c.example>", "a@c_d.example", "a" * 65 + "@c.example"],
)  # fmt: skip
def test_an_address_that_smtp_could_misread_is_refused(address: str) -> None:
    """A non-ASCII local part is accepted by some servers and then lost in silence."""
    with pytest.raises(Unsendable):
        check_address(address)
    with pytest.raises(Unsendable):
        posting(recipient=address)


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@y.example", "Si\u00e2n", "x" * 201])
def test_a_subject_that_is_not_one_plain_line_is_refused(subject: str) -> None:
    with pytest.raises(Unsendable):
        posting(replace(letter(), subject=subject))


@pytest.mark.parametrize("token", ["a b", "x@y", "a\r\nb", ""])
def test_a_token_that_is_not_safe_in_an_address_is_refused_or_replaced(token: str) -> None:
    given = replace(letter(), reply_token=token)
    if token:
        with pytest.raises(Unsendable):
            posting(given)
    else:
        assert posting(given).envelope_from == "bounce+dlv-abc234@council.example"


def test_a_file_name_that_could_name_a_child_is_refused() -> None:
    with pytest.raises(Unsendable):
        posting(replace(letter(), files=(LetterFile("Robin Invented.pdf", "application/pdf", b"x"),)))


def composed(**body: object) -> Letter:
    document = example("dsl-letter")
    document["body"] |= {"letter_reference": FACTS.reference, "child_name": "Robin Invented", **body}
    templates = {path.name: path.read_text("utf-8") for path in LETTERS.iterdir()}
    return compose_letter(templates, document, "tok1", lambda token, reference: f"mac-of-{token}-{reference}")


def test_a_letter_to_a_school_brings_its_answer_form_bound_to_it_and_named_by_its_reference() -> None:
    file = composed().files[0]
    assert (file.name, file.media_type) == (f"{FACTS.reference}.pdf", "application/pdf")
    form = read_form(file.content)
    assert isinstance(form, FilledForm)
    assert is_bound(form, FACTS.reference, f"mac-of-tok1-{FACTS.reference}")
    assert composed() == composed()


@pytest.mark.parametrize("gives_date", [True, False])
def test_the_pack_decides_whether_the_date_of_birth_is_given(gives_date: bool) -> None:
    words = "{{ child_name }} {{ child_born_on }}" if gives_date else "{{ child_name }}"
    templates = {"dsl-letter.txt": words, "dsl-letter.subject.txt": "{{ reference }}"}
    document = example("dsl-letter")
    document["body"] |= {"letter_reference": FACTS.reference, "child_date_of_birth": "2012-02-29"}
    letter = compose_letter(templates, document, "tok1", lambda *_: "mac")
    pages = PdfReader(io.BytesIO(letter.files[0].content)).pages
    shown = letter.text + " ".join(page.extract_text() for page in pages)
    assert ("29 February 2012" in shown) == gives_date


def test_the_heading_of_a_letter_is_a_heading_for_who_hears_it_read_aloud() -> None:
    assert as_html("PRIVATE AND CONFIDENTIAL\n\nDear school").count("<h1>PRIVATE AND CONFIDENTIAL</h1>") == 1


def test_a_receipt_has_nobody_to_answer_and_its_subject_holds_a_letters_reference_alone() -> None:
    """RFC 3834: an empty envelope sender, and said to be an automatic answer."""
    document = example("acknowledgement") | {"reference": f"received-{FACTS.reference}"}
    receipt = compose_letter({}, document, None)
    assert posting(receipt).envelope_from == ""
    assert opened(receipt)["Auto-Submitted"] == "auto-replied"
    assert receipt.subject == f"We received your reply, reference {FACTS.reference}"
    with pytest.raises(Unsendable):
        compose_letter({}, document | {"reference": "received-Robin Invented"}, None)
