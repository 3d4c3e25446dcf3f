"""A file is what its content says: no name is asked, and what it is said to be must agree."""

from __future__ import annotations

import pytest

from gateway.core.attachments import ACTIVE, ARCHIVE, ENCRYPTED, MACROS, UNREADABLE
from gateway.core.content_types import DOCX, PDF, PNG, TEXT, UNSAID, XLSX, ZIP, Examination, Found
from gateway.core.errors import ErrorCode, Refused
from tests import files


def examined(content: bytes, declared: str = UNSAID, piece_bytes: int = 4096) -> Found:
    examination = Examination(declared)
    for at in range(0, len(content), piece_bytes):
        examination.take(content[at : at + piece_bytes])
    return examination.finish(len(content), lambda offset, count: content[offset : offset + count])


def refusal(content: bytes, declared: str = UNSAID, piece_bytes: int = 4096) -> ErrorCode:
    with pytest.raises(Refused) as refused:
        examined(content, declared, piece_bytes)
    assert refused.value.detail is not None
    return refused.value.code


@pytest.mark.parametrize("piece_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("media_type", files.TAKEN)
def test_every_type_that_is_taken_is_known_by_its_content_however_it_comes(
    media_type: str, piece_bytes: int
) -> None:
    assert examined(files.TAKEN[media_type], media_type, piece_bytes) == Found(media_type)


@pytest.mark.parametrize("media_type", sorted(set(files.TAKEN) - {"text/csv"}))
def test_a_type_need_not_be_said(media_type: str) -> None:
    assert examined(files.TAKEN[media_type]).media_type == media_type


@pytest.mark.parametrize("declared", files.TAKEN)
@pytest.mark.parametrize("media_type", files.TAKEN)
def test_what_it_is_said_to_be_must_agree_with_what_it_is(declared: str, media_type: str) -> None:
    texts = {"text/plain", "text/csv"}  # a table is a text, and only its sender can say which
    if declared == media_type or {declared, media_type} == texts:
        assert examined(files.TAKEN[media_type], declared).media_type == declared
    else:
        assert refusal(files.TAKEN[media_type], declared) is ErrorCode.TYPE_NOT_TAKEN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\0 a program",
        b"MZ and nothing but text",
        b"#!/bin/sh\nrm -rf /\n",
        b"{\\rtf1 words}",
        b"GIF89a\1\0\1\0",
        b"text at first " * 200 + b"\0",
        b"\xff\xfet\0e\0x\0t\0",
        b"words before\n%PDF-1.7\n",
        b"\x1b[2J steers a terminal",
        files.compound("WordDocument"),
    ],
    ids=range(11),  # a file's bytes are no name for a test, and some differ each time they are made
)
@pytest.mark.parametrize("piece_bytes", [7, 1 << 20])
def test_whatever_else_it_is_is_not_taken(content: bytes, piece_bytes: int) -> None:
    assert refusal(content, piece_bytes=piece_bytes) is ErrorCode.TYPE_NOT_TAKEN


def test_a_type_that_is_not_taken_is_refused_before_any_content() -> None:
    with pytest.raises(Refused, match="file-type-not-taken"):
        Examination("application/x-msdownload")


def test_a_file_of_another_type_is_refused_with_its_first_piece() -> None:
    examination = Examination(PDF)
    with pytest.raises(Refused, match="file-type-not-taken"):
        examination.take(b"MZ" + bytes(2000))


@pytest.mark.parametrize(
    ("content", "declared", "found"),
    [
        (files.encrypted_pdf(), PDF, Found(PDF, (ENCRYPTED,))),
        (files.pdf_with_script(), PDF, Found(PDF, (ACTIVE,))),
        (files.pdf() + b"1 0 obj << /J#61vaScript (x) >>", PDF, Found(PDF, (ACTIVE,))),
        (files.compound("EncryptedPackage"), DOCX, Found(DOCX, (ENCRYPTED,))),
        (files.compound("EncryptedPackage"), XLSX, Found(XLSX, (ENCRYPTED,))),
        (files.docx({"word/vbaProject.bin": b"x"}), DOCX, Found(DOCX, (MACROS,))),
        (files.docx({"word/VBAPROJECT.BIN": b"x"}), DOCX, Found(DOCX, (MACROS,))),
        (files.docx({"word/embeddings/sheet.bin": b"x"}), DOCX, Found(DOCX, (MACROS,))),
        (
            files.docx(main="application/vnd.ms-word.document.macroEnabled.main+xml"),
            DOCX,
            Found(DOCX, (MACROS,)),
        ),
        (
            files.docx(main="application/vnd.ms-word.document.&#109;acroEnabled"),
            DOCX,
            Found(ZIP, (UNREADABLE,)),
        ),
        (files.docx(is_encrypted=True), DOCX, Found(ZIP, (ENCRYPTED,))),
        (files.docx() + b"more after its end", DOCX, Found(ZIP, (UNREADABLE,))),
        (files.archive({"a.txt": b"words"}), ZIP, Found(ZIP, (ARCHIVE,))),
        (files.archive({"a.txt": b"words"}, is_encrypted=True), ZIP, Found(ZIP, (ENCRYPTED,))),
    ],
    ids=range(14),
)
@pytest.mark.parametrize("piece_bytes", [64, 1 << 20])
def test_what_cannot_be_judged_waits_for_a_person(
    content: bytes, declared: str, found: Found, piece_bytes: int
) -> None:
    assert examined(content, declared, piece_bytes) == found


def test_a_word_file_with_macros_under_another_name_is_found_by_its_list_of_parts() -> None:
    renamed = '<Default Extension="dat" ContentType="application/vnd.ms-office.vbaProject"/>'
    listed = files.docx({files.LIST: f"<Types>{renamed}</Types>".encode(), "word/notes.dat": b"x"})
    assert examined(listed, DOCX).reasons == (MACROS,)
    listed = files.docx({files.LIST: f"<Types>{renamed}</Types>".encode("utf-16"), "word/notes.dat": b"x"})
    assert examined(listed, DOCX).reasons == (MACROS,)


def test_an_archive_that_is_no_word_file_is_not_taken_for_one() -> None:
    assert refusal(files.archive({"a.txt": b"words"}), DOCX) is ErrorCode.TYPE_NOT_TAKEN


def test_a_list_of_parts_that_unpacks_to_a_flood_is_not_read() -> None:
    flood = files.docx({files.LIST: b" " * (64 << 20)})
    assert examined(flood, DOCX) == Found(ZIP, (UNREADABLE,))


def test_an_archive_with_a_directory_of_many_megabytes_is_not_read() -> None:
    asked: list[int] = []
    content = files.archive({f"{number}-{'x' * 200}": b"" for number in range(5000)})

    def read_at(offset: int, count: int) -> bytes:
        asked.append(count)
        return content[offset : offset + count]

    examination = Examination(ZIP)
    examination.take(content)
    assert examination.finish(len(content), read_at) == Found(ZIP, (UNREADABLE,))
    assert max(asked) <= 70_000


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_torn_archive_never_breaks_the_reader(cut: int) -> None:
    assert examined(files.docx()[:-cut], ZIP) == Found(ZIP, (UNREADABLE,))


def test_a_picture_is_not_searched_for_words_of_a_pdf() -> None:
    assert examined(files.png() + b"/JavaScript /Encrypt 1", PNG) == Found(PNG)


def test_a_text_about_pdfs_is_a_text() -> None:
    assert examined(b"It says /JavaScript and /Encrypt in it.", TEXT) == Found(TEXT)


@pytest.mark.parametrize("piece_bytes", [1, 7, 4096])
def test_three_bytes_of_a_picture_are_no_script(piece_bytes: int) -> None:
    """A dictionary's /JS has a value; the same letters in compressed data have none, and hold nobody's scan back."""
    picture = b"%PDF-1.7\nstream\n\x8f/JS\x02\xee/XFA\x91\nendstream\n%%EOF\n"
    script = b"%PDF-1.7\n<< /S /Other /JS 12 0 R >>\n%%EOF\n"
    assert ACTIVE not in examined(picture, PDF, piece_bytes).reasons
    assert ACTIVE in examined(script, PDF, piece_bytes).reasons
