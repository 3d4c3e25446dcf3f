"""Mail built to do harm, and every sample of the corpora: never an exception, never a hang, never "complete"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.mail.bounces import read_bounce
from adapters.mail.findings import Answers, Expected, Kind, Reading, Verdict, from_json, to_json
from adapters.mail.markup import HIDDEN, html_lines
from adapters.mail.opened import Malformed, open_mail
from adapters.mail.reading import MOST_BYTES, ChildFailed, _in_child, fault_in_bytes, read_mail
from adapters.mail.replies import read_opened
from tests.adapters.mail.mails import ENROLLED, RECEIVED, SERVER, VOUCHED, filled, mail

EXPECTED = Expected((ENROLLED,), SERVER)
VECTORS = Path(__file__).resolve().parents[4] / "shared/vectors/mail"


def head(*fields: str) -> str:
    return "\r\n".join([VOUCHED, RECEIVED, f"From: {ENROLLED}", *fields])


def nested(depth: int) -> bytes:
    opening = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))
    return (head("Subject: x") + "\r\n" + opening + "\r\nx").encode()


HOSTILE: dict[str, bytes] = {
    "a subject of twenty thousand encoded words": (head("Subject: " + "\r\n ".join(["=?utf-8?q?aaa?="] * 20_000)) + "\r\n\r\nx").encode(),
    "one field of a megabyte": (head("X: " + "a" * 1_000_000) + "\r\n\r\nx").encode(),
    "a hundred thousand fields": (head(*[f"X-{n}: y" for n in range(100_000)]) + "\r\n\r\nx").encode(),
    "twenty thousand recipients": (head("To: " + ", ".join(["a@b.example"] * 20_000)) + "\r\n\r\nx").encode(),
    "three thousand nested parts": nested(3000),
    "ten thousand flat parts": (head('Content-Type: multipart/mixed; boundary="b"') + "\r\n\r\n" + "--b\r\n\r\nx\r\n" * 10_000).encode(),
    "larger than anything we read": b"Subject: x\r\n\r\n" + b"a" * (MOST_BYTES + 1),
    "no header at all": b"hello",
    "nothing": b"",
    "zeros": b"\x00" * 1000,
    "a text of a hundred megabytes in small": (head("Content-Type: text/plain") + "\r\n\r\n" + "a. " * 300_000).encode(),
    "HTML nested without end": (head("Content-Type: text/html") + "\r\n\r\n" + "<div>" * 50_000).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_unreadable_and_goes_to_a_person(name: str) -> None:
    reading = read_mail(HOSTILE[name], EXPECTED)
    assert (reading.kind, reading.verdict) == (Kind.UNREADABLE, Verdict.NEEDS_REVIEW)
    assert reading.answers == Answers()
    assert reading.reasons


MANY = 40_000
ENDLESS = {
    "tags": "<div>" + "<b " * MANY,
    "end tags": "</" * MANY,
    "comments": "<!--" * MANY,
    "comments among tags": "<!-- > " * (MANY // 2),
    "style elements": "<style" * MANY,
    "style sheets": "<style>" + "a," * 2 * MANY + "</style>x" + "<style>" + "a," * 2 * MANY + "</style>x",
}
LONG_STYLES = {
    "a font that is never told": "<p style='" + "font:" * MANY + "'>x",
    "a place that is never told": "<p style='" + "left:-" * MANY + "'>x",
    "a line that is never told": "<p style='" + "text-decoration:" * (MANY // 3) + "'>x",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_html_that_would_be_walked_through_again_and_again_is_not_read_at_all(name: str) -> None:
    """A stranger's mails stand in one queue with a school's, and each of these took the child's five seconds of work."""
    with pytest.raises(ValueError, match=r"many tags or comments|too long"):
        html_lines(ENDLESS[name])


@pytest.mark.parametrize("name", LONG_STYLES)
def test_a_style_that_is_too_long_to_be_looked_at_is_believed_to_hide(name: str) -> None:
    assert [line.text for line in html_lines(LONG_STYLES[name]) if line.text] == [HIDDEN]


@pytest.mark.parametrize(
    "style",
    [
        ".a{color:red} .b{display:none",
        "@media screen{.b{display:none}}",
        "p{}/* } */ .b{font-size:0} /*",
        ".a,.b{x:y;left:-999px}",
        r".\62{display:none}",
    ],
)
def test_what_a_style_sheet_hides_is_hidden_however_it_is_written(style: str) -> None:
    lines = html_lines(f"<style>{style}</style><p class='b'>c. No</p><p>b. None</p>")
    assert [line.text for line in lines if line.text] == [HIDDEN, "b. None"]


@pytest.mark.parametrize(
    "style",
    [
        r"d\69splay:none",
        "display/**/:/* */none",
        "display:var(--none)",
        "left:-9in",
        "margin-left:-50em",
        "margin-left:-9e3px",
        "zoom:0.01",
        "scale:0",
        "translate:-900px",
        "line-height:0",
        "max-height:1px",
        "height:.1px",
        "color:rgb(100%,100%,100%)",
        "color:hsl(0,0%,100%)",
        "color:rgba(0,0,0,0)",
        "color:rgb(0 0 0 / 0)",
        "color:#0000",
        "color:#12345601",
        r"color:\77hite",
        "color:#000;background:#000",
        "font-size:0.01in",
    ],
)
def test_an_answer_that_its_writer_cannot_see_is_none(style: str) -> None:
    """By a sheet of theirs or beside the words: what the writer saw before sending counts, and a person looks."""
    hidden = [f"<p style='{style}'>c. No</p>", f"<style>p{{{style}}}</style><p>c. No</p>"]
    for markup in hidden:
        assert [line.text for line in html_lines(markup) if line.text] == [HIDDEN]


def test_what_is_hidden_by_an_attribute_may_be_anything() -> None:
    lines = html_lines("<style>p[data-x]{display:none}</style><p data-x>c. No</p>")
    assert [line.text for line in lines if line.text] == [HIDDEN]


OUTLOOK_HEAD = (
    "<head><meta charset=utf-8><title>x</title><!--[if !mso]><style>v\\:* {behavior:url(#default#VML);}</style><![endif]-->"
    '<style><!-- @font-face {font-family:"\\@SimSun"; panose-1:2 15 5 2 2 2 4 3 2 4;} '
    "p.MsoNormal {margin:0cm; margin-bottom:.0001pt; font-size:11.0pt;} --></style>"
    '<!--[if gte mso 9]><xml><o:shapelayout v:ext="edit">96</o:shapelayout></xml><![endif]--></head>'
)


@pytest.mark.parametrize(
    "style",
    [
        "margin-left:-5.4pt;text-indent:-18.0pt;mso-list:l0 level1 lfo1",
        "font-family: Aptos, Calibri, sans-serif; font-size: 12pt; color: rgb(0, 0, 0);",
        'font:7.0pt "Times New Roman";line-height:105%;color:#0563C1;background:white',
        "width:1%;white-space:nowrap;height:15.0pt;min-width:0;line-height:normal",
        "color:rgba(33, 33, 33, 1);background-color:rgb(255, 255, 255);max-width:100%",
    ],
)
def test_what_mail_programs_write_hides_nothing(style: str) -> None:
    """The head and the styles of Outlook, old and new, of Gmail and Apple's."""
    told = html_lines(
        f"{OUTLOOK_HEAD}<body><!--[if mso]>&nbsp;<![endif]--><p class=MsoNormal style='{style}'>c. No</p></body>"
    )
    assert [line.text.strip() for line in told if line.text.strip()] == ["c. No"]


def test_words_for_one_program_alone_or_before_the_body_are_not_passed_over() -> None:
    for markup in ("c. No<!--[if mso]><p>We worried</p><![endif]-->", "<head><p>We worried</p></head>c. No"):
        assert any(HIDDEN in line.text for line in html_lines(markup))


def test_a_style_that_tells_nothing_hides_nothing() -> None:
    lines = html_lines(
        "<style>"
        + "\n" * 1000
        + "p{margin:0}"
        + " " * 1000
        + "</style><p style='margin:0;color:#123'>c. No</p>"
    )
    assert [line.text for line in lines if line.text] == ["c. No"]


def test_a_mail_of_more_html_than_any_answer_is_read_by_a_person() -> None:
    part = "--b\r\nContent-Type: text/html\r\n\r\n" + "<p></p>" * 20_000 + "\r\n"
    raw = head('Content-Type: multipart/mixed; boundary="b"') + "\r\n\r\n" + part * 4 + "--b--"
    assert read_mail(raw.encode(), EXPECTED).flags == ("too_long",)


@pytest.mark.parametrize(
    "raw",
    [
        (head("Subject: x", "From: " + "(" * 4000) + "\r\n\r\nx").encode(),
        mail(filled(), encoding="base64").replace(b"charset=utf-8", b"charset=utf-7"),
        mail(filled()).replace(b"charset=utf-8", b"charset=zlib"),
        mail(filled()).replace(b"charset=utf-8", b"charset=" + b"x" * 3000),
        mail(filled() + "\n" + "> " * 30_000),
        mail(filled() + "\n" + "On " + "a " * 30_000 + "wrote:"),
        mail(html="<s>" * 150 + "x" * 20_000),
        mail("(" * 60_000),
        mail("a. " + "1/" * 30_000),
        mail("Dates on roll " * 5_000),
    ],
    ids=[
        "brackets",
        "utf-7",
        "zlib",
        "charset",
        "marks",
        "attribution",
        "struck",
        "parens",
        "dates",
        "labels",
    ],
)
def test_odd_mail_is_read_within_its_limits(raw: bytes) -> None:
    reading = read_mail(raw, EXPECTED)
    assert reading.kind in {Kind.REPLY, Kind.UNRELATED, Kind.UNREADABLE}


BOMBS = {
    "encoded words": HOSTILE["a subject of twenty thousand encoded words"],
    "recipients": HOSTILE["twenty thousand recipients"],
    "nested": HOSTILE["three thousand nested parts"],
    "brackets": (head("Subject: x").replace(ENROLLED, "(" * 4000) + "\r\n\r\nx").encode(),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_slips_past_the_look_at_the_bytes_ends_only_the_child(name: str) -> None:
    """The second line: with its own limits on memory and time, whatever it is."""
    try:
        reading = from_json(_in_child("read", BOMBS[name], EXPECTED).decode())
    except ChildFailed:
        return
    assert reading.verdict is not Verdict.COMPLETE


def test_a_mail_that_went_through_too_many_servers_is_read_by_nobody() -> None:
    looped = b"Received: from a.example by b.example\r\n" * 26 + mail(filled())
    assert fault_in_bytes(looped) == "The mail goes round in circles."
    assert fault_in_bytes(looped.partition(b"\r\n")[2].partition(b"\r\n")[2]) is None


def test_a_reading_survives_the_pipe_and_anything_else_is_refused() -> None:
    reading = read_opened(open_mail(mail(filled())), EXPECTED)
    assert from_json(to_json(reading)) == reading == read_mail(mail(filled()), EXPECTED)
    for bad in (
        "{}",
        "[]",
        "null",
        to_json(reading).replace('"complete"', '"needs_review"'),
        to_json(reading)[:-1],
    ):
        with pytest.raises((ValueError, KeyError, TypeError)):
            from_json(bad)


def test_a_name_with_a_path_is_only_a_name() -> None:
    from tests.adapters.mail.mails import file_part

    reading = read_opened(open_mail(mail(filled(), parts=(file_part("../../etc/pass\x01wd.pdf"),))), EXPECTED)
    assert [file.name for file in reading.attachments] == ["....etcpasswd.pdf"]


def corpus(name: str) -> list[Path]:
    files = sorted((VECTORS / name).rglob("*.eml"))
    if not files:
        pytest.skip("NOT RUN: vectors not found")
    return files


def test_no_bounce_of_the_corpus_is_taken_for_an_answer(
    record_property: Callable[[str, object], None],
) -> None:
    kinds: Counter[str] = Counter()
    for file in corpus("bounces"):
        raw = file.read_bytes()
        if fault_in_bytes(raw) is None:
            reading = read_opened(open_mail(raw), EXPECTED)
            assert reading.verdict is not Verdict.COMPLETE, file.name
            kinds[reading.kind.value] += 1
        else:
            kinds["unreadable"] += 1
    record_property("kinds", dict(kinds))
    assert kinds["bounce"] >= 0.75 * sum(kinds.values()), kinds


def test_no_odd_mail_of_the_corpus_breaks_the_reader(record_property: Callable[[str, object], None]) -> None:
    """Not one exception; some go through the real child process besides, and tell the same there."""
    kinds: Counter[str] = Counter()
    for number, file in enumerate(corpus("parser")):
        raw = file.read_bytes()
        reading = None if fault_in_bytes(raw) else _or_malformed(raw)
        assert reading is None or reading.verdict is not Verdict.COMPLETE, file.name
        kinds[reading.kind.value if reading else "unreadable"] += 1
        if number % 12 == 0:
            assert read_mail(raw, EXPECTED).kind is (reading.kind if reading else Kind.UNREADABLE), file.name
    record_property("kinds", dict(kinds))
    assert kinds["unrelated"] > 0


def _or_malformed(raw: bytes) -> Reading | None:
    """The reading in this process; None where the reader itself refuses to go on."""
    try:
        return read_opened(open_mail(raw), EXPECTED)
    except Malformed:
        return None


def test_a_persons_mail_that_carries_a_bounce_is_no_bounce() -> None:
    inner = "Content-Type: multipart/report; boundary=q\r\n\r\n--q\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\n\r\n--q--\r\n"
    raw = mail("Look at this", parts=("Content-Type: message/rfc822\n\nFrom: x@y.example\n" + inner,))
    assert read_bounce(open_mail(raw)) is None
