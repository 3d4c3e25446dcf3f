"""The form of a message: drawn within its pages, filled in by others' programs, read back as typed or refused in one word."""

from __future__ import annotations

import io
import itertools
import json
from functools import cache
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from adapters.mail.findings import Expected
from adapters.mail.form import Unfit, read_form
from adapters.mail.message_form import FilledMessage, message_form, read_message_form
from adapters.mail.reading import read_files
from tests.adapters.mail.judges import by_node
from tests.adapters.mail.mails import file_part, mail


@cache
def empty(slug: str = "call-log") -> bytes:
    return message_form(slug, "Call log", partnership="south-tyneside")


def test_an_empty_form_says_what_it_is_and_nothing_else_but_the_partnership() -> None:
    form = read_message_form(empty())
    assert isinstance(form, FilledMessage)
    assert (form.type, form.version) == ("call-log", 1)
    assert {name: value for name, value in form.values.items() if value} == {"/partnership": "south-tyneside"}
    assert empty() == message_form("call-log", "Call log", partnership="south-tyneside")
    assert read_form(empty()) is Unfit.NO_FORM, "it is no answer to a letter"


def test_every_field_of_the_longest_form_stands_on_its_page_and_over_no_other() -> None:
    for page in PdfReader(io.BytesIO(empty("serious-incident-alert"))).pages:
        boxes = [[float(edge) for edge in one["/Rect"]] for one in map(_object, page.get("/Annots", []))]
        assert all(30 <= left < right <= 560 and 30 <= low < high <= 800 for left, low, right, high in boxes)
        for one, other in itertools.combinations(boxes, 2):
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)


def _object(one: object) -> DictionaryObject:
    found = one.get_object()  # type: ignore[attr-defined]
    assert isinstance(found, DictionaryObject)
    return found


def test_a_form_filled_in_by_another_program_is_read_back_through_the_child(tmp_path: Path) -> None:
    """The judge is pdf-lib, which knows nothing of the two libraries that draw and read the form here."""
    values = {"/author/name": "Ann Llywelyn", "/reference": "HH-1", "/marking#OFFICIAL": True}
    names = {name: tmp_path / name for name in ("empty.pdf", "filled.pdf", "values.json")}
    names["empty.pdf"].write_bytes(empty())
    names["values.json"].write_text(json.dumps(values))
    by_node("pdf-lib", "fill_message_form.mjs", *(str(path) for path in names.values()))
    filled = names["filled.pdf"].read_bytes()
    raw = mail("Attached.", parts=(file_part("notes.txt", "text/plain", "some notes"),))
    whole = _with_file(raw, filled)
    files = read_files(whole, Expected())
    assert files is not None
    assert [file.content for file in files] == [b"some notes", filled]
    assert (files[0].form, files[1].form is not None) == (None, True)
    assert files[1].form is not None
    found = {name: value for name, value in files[1].form.values.items() if value}
    assert found == {**values, "/partnership": "south-tyneside"}


def _with_file(raw: bytes, content: bytes) -> bytes:
    import base64

    part = (
        b"--=_mixed_boundary\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="form.pdf"\r\n\r\n' + base64.encodebytes(content)
    )
    return raw.replace(b"--=_mixed_boundary--", part + b"--=_mixed_boundary--")


@pytest.mark.parametrize(
    ("change", "unfit"),
    [
        ("cut", Unfit.UNREADABLE),
        ("script", Unfit.ACTIVE_CONTENT),
        ("another", Unfit.NO_FORM),
        ("says nonsense", Unfit.NO_FORM),
        ("a box of its own", Unfit.CHANGED),
        ("huge", Unfit.TOO_LARGE),
    ],
)
def test_a_pdf_that_is_no_such_form_gives_one_word(change: str, unfit: Unfit) -> None:
    assert read_message_form(_changed(change)) is unfit


def _changed(change: str) -> bytes:
    if change == "cut":
        return empty()[:2000]
    writer = PdfWriter(clone_from=io.BytesIO(empty()))
    fields = [_object(one) for page in writer.pages for one in page.get("/Annots", [])]
    by_name = {str(one["/T"]): one for one in fields}
    if change == "script":
        script = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert(1)")}
        writer.root_object[NameObject("/OpenAction")] = DictionaryObject(
            {NameObject(name): value for name, value in script.items()}
        )
    elif change == "another":
        by_name["FORM"][NameObject("/T")] = TextStringObject("OTHER")
    elif change == "says nonsense":
        by_name["FORM"][NameObject("/V")] = TextStringObject("../../etc/1")
    elif change == "a box of its own":
        by_name["/marking#OFFICIAL"][NameObject("/V")] = NameObject("/Maybe")
    else:
        by_name["/author/name"][NameObject("/V")] = TextStringObject("x" * 130_000)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
