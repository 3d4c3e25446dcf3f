"""The answer form: drawn by us, filled in by others, read back whole or refused. S2-22, X-28; contract section 4."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    TextStringObject,
    create_string_object,
)

from adapters.mail.form import BOXES, MOST_BYTES, TEXTS, FilledForm, Unfit, is_bound, read_form
from adapters.mail.paper import AnswerForm, paper
from tests.adapters.mail.judges import by_node

REFERENCE, MAC_OF_LETTER = "SG-7K3M-9QPX-2D", "0123456789abcdef" * 2
FORM = AnswerForm(REFERENCE, MAC_OF_LETTER, "Robin Invented, born on 29 February 2012")
WORDS = "PRIVATE AND CONFIDENTIAL\n\nDear Jane Smith\n\na. Dates on roll (from and to):\n"
EMPTY = FilledForm(REFERENCE, MAC_OF_LETTER)


@pytest.fixture(scope="module")
def sent() -> bytes:
    return paper(WORDS, REFERENCE, FORM)


def filled(pdf: bytes, values: dict[str, str]) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    for page in writer.pages:
        if "/Annots" in page:
            writer.update_page_form_field_values(page, values, auto_regenerate=False)
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_form_that_nobody_filled_in_is_blank_and_bound_to_its_letter(sent: bytes) -> None:
    form = read_form(sent)
    assert form == EMPTY
    assert is_bound(EMPTY, REFERENCE, MAC_OF_LETTER)


def test_s2_22_what_a_school_typed_and_ticked_is_read_back(sent: bytes) -> None:
    values = {"ROLL-FROM": " 04/09/2019 ", "ROLL-TO": "21/07/2023", "PREVIOUS-SCHOOL": "Ysgol Llŷn", "RECORDS-NO": "/Yes"}  # fmt: skip
    wanted = replace(EMPTY, roll_from="04/09/2019", roll_to="21/07/2023", previous_school="Ysgol Llŷn", records_no=True)  # fmt: skip
    assert read_form(filled(sent, values)) == wanted


def test_s2_22_every_field_is_read_into_its_own_place(sent: bytes) -> None:
    """X-28: yes and no are two boxes, so that both, one or none can be told apart."""
    for name, attribute in {**TEXTS, **BOXES}.items():
        form = read_form(filled(sent, {name: "x" if name in TEXTS else "/Yes"}))
        assert form == replace(EMPTY, **{attribute: "x" if name in TEXTS else True}), name


@pytest.mark.parametrize(
    ("reference", "mac"),
    [("SG-0000-0000-00", MAC_OF_LETTER), (REFERENCE, "f" * 32), (REFERENCE, ""), ("", MAC_OF_LETTER)],
)
def test_a_form_of_another_letter_is_not_bound(reference: str, mac: str) -> None:
    assert not is_bound(EMPTY, reference, mac)
    assert not is_bound(replace(EMPTY, mac=""), REFERENCE, "")
    assert not is_bound(replace(EMPTY, mac="dé"), REFERENCE, MAC_OF_LETTER)


def test_a_reference_that_was_written_over_is_seen(sent: bytes) -> None:
    """A field that cannot be edited in a reader can be changed by a program, and no seal would tell."""
    form = read_form(filled(sent, {"REF": "SG-0000-0000-00"}))
    assert isinstance(form, FilledForm)
    assert not is_bound(form, REFERENCE, MAC_OF_LETTER)


def _catalog(writer: PdfWriter, **entries: Any) -> bytes:
    for name, value in entries.items():
        writer.root_object[NameObject(f"/{name}")] = value
    return written(writer)


def _script() -> DictionaryObject:
    return DictionaryObject(
        {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert(1)")}
    )


def _action(kind: str) -> DictionaryObject:
    return DictionaryObject({NameObject("/S"): NameObject(f"/{kind}")})


def hostile(name: str, pdf: bytes) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    match name:
        case "script at opening":
            return _catalog(writer, OpenAction=_script())
        case "script deep in an action":
            chain = _action("GoTo")
            chain[NameObject("/Next")] = ArrayObject([writer._add_object(_script())])
            return _catalog(writer, OpenAction=chain)
        case "program started":
            return _catalog(writer, OpenAction=_action("Launch"))
        case "form sent elsewhere":
            return _catalog(writer, OpenAction=_action("SubmitForm"))
        case "file inside":
            writer.add_attachment("a.exe", b"MZ")
            return written(writer)
        case "XFA":
            form = writer.root_object["/AcroForm"]
            form[NameObject("/XFA")] = create_string_object("x")  # type: ignore[index]
            return written(writer)
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    ["script at opening", "script deep in an action", "program started", "form sent elsewhere", "file inside", "XFA"],
)  # fmt: skip
def test_what_could_run_send_or_carry_something_is_refused(name: str, sent: bytes) -> None:
    assert read_form(hostile(name, sent)) is Unfit.ACTIVE_CONTENT


def test_a_file_with_a_password_is_refused(sent: bytes) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(sent))
    writer.encrypt("", "owner", algorithm="AES-256")
    assert read_form(written(writer)) is Unfit.ENCRYPTED


def test_too_large_and_too_long_files_are_refused(sent: bytes) -> None:
    assert read_form(sent + b" " * MOST_BYTES) is Unfit.TOO_LARGE
    writer = PdfWriter(clone_from=io.BytesIO(sent))
    for _ in range(20):
        writer.add_blank_page(100, 100)
    assert read_form(written(writer)) is Unfit.TOO_MANY_PAGES


def test_a_form_printed_into_pages_or_another_pdf_has_no_answers(sent: bytes) -> None:
    assert read_form(paper(WORDS, REFERENCE)) is Unfit.NO_FORM
    writer = PdfWriter(clone_from=io.BytesIO(sent))
    writer.remove_annotations(subtypes=None)
    assert isinstance(read_form(written(writer)), Unfit)


def test_a_form_without_one_of_its_fields_or_with_a_strange_state_is_changed(sent: bytes) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(sent))
    fields = writer.root_object["/AcroForm"]["/Fields"]  # type: ignore[index]
    box = next(one.get_object() for one in fields if one.get_object()["/T"] == "RECORDS-NO")
    box[NameObject("/V")] = NameObject("/Perhaps")
    assert read_form(written(writer)) is Unfit.CHANGED
    del fields[3]
    assert read_form(written(writer)) is Unfit.CHANGED


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_file_cut_short_never_raises(share: float, sent: bytes) -> None:
    cut = read_form(sent[: int(len(sent) * share)])
    assert cut == EMPTY or isinstance(cut, Unfit)


def test_a_bomb_never_raises() -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    stream = DecodedStreamObject()
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    stream._data = zlib.compress(b"\0" * 50_000_000)
    writer.root_object[NameObject("/AcroForm")] = writer._add_object(stream)
    assert isinstance(read_form(written(writer)), Unfit)
    assert isinstance(read_form(b"%PDF-1.7\n" + b"[" * 100_000), Unfit)


def test_the_same_letter_has_the_same_bytes_and_names_nobody_outside_its_pages(sent: bytes) -> None:
    assert paper(WORDS, REFERENCE, FORM) == sent
    reader = PdfReader(io.BytesIO(sent))
    told = " ".join([*map(str, (reader.metadata or {}).values()), *(reader.get_fields() or {})])
    assert not {"Robin", "Invented", "Jane"} & set(told.split())
    assert len(reader.pages) == 2


def test_a_name_with_letters_that_the_typeface_lacks_is_written_without_its_accents_and_says_so() -> None:
    def text_of(pdf: bytes) -> str:
        return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)

    assert "the e-mail has them right" in text_of(paper("Siân Ŵyn", REFERENCE))
    assert "Siân Wyn" in text_of(paper("Siân Ŵyn", REFERENCE))
    assert "the e-mail has them right" not in text_of(paper("Siân", REFERENCE))


def test_a_form_filled_in_by_another_program_is_read_back(sent: bytes, tmp_path: Path) -> None:
    """The judge is pdf-lib, which knows nothing of the two libraries that draw and read the form here."""
    sent_file, filled_file = tmp_path / "sent.pdf", tmp_path / "filled.pdf"
    sent_file.write_bytes(sent)
    by_node("pdf-lib", "fill_form.mjs", str(sent_file), str(filled_file))
    assert read_form(filled_file.read_bytes()) == replace(
        EMPTY, roll_from="04/09/2019", still_on_roll=True, no_previous_school=True, records_no=True, answered_by="Jane Smith, DSL"
    )  # fmt: skip
