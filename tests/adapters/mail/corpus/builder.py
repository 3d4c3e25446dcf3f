"""Replies as data: a text, how the writer's mail program sends it, and what must be read from it.

One case in a file:  `=== name | style | expectation`, then the text as typed. The style is a mail program with options
(`outlook html-only`, `gmail base64`); the expectation is `complete FROM TO HELD SCHOOL` or `review FROM TO HELD SCHOOL`, a dash
for what must not be suggested, `?` for what may be either; flags that must be there follow behind ` + `. `any` stands for
"a person, whatever is suggested". In the text `{letter}` is the quoted letter, `{a}`, `{b}`, `{c}` its three lines.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.adapters.mail.mails import (
    ENROLLED,
    LETTER,
    REFERENCE,
    SUBJECT,
    A,
    B,
    C,
    mail,
    quoted,
)

FOLDER = Path(__file__).parent
_REAL = FOLDER.parents[3] / "gateway/partnerships/southampton/letters/dsl-letter.txt"
_FILLED = {
    "reference": REFERENCE,
    "council": "Hillside Council",
    "date_on": "2 October 2026",
    "dsl_names": "Ms Jane Smith",
    "school": "Hillside School",
    "child_name": "Sam Invented",
    "adviser_name": "Alex Adviser",
    "adviser_telephone": "0191 496 0000",
    "adviser_post": "School Improvement Adviser",
    "child_born_on": "1 May 2014",
}


def real_letter() -> str:
    """The letter of a pack with its gaps filled."""
    text = re.sub(r"\{%.*?%\}", "", _REAL.read_text("utf-8"))
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: _FILLED[match[1]], text)


TEMPLATES = (_REAL.read_text("utf-8"),)


@dataclass(frozen=True)
class Case:
    name: str
    style: str
    verdict: str
    expected: tuple[str, ...]  # from, to, held, school
    flags: tuple[str, ...]
    text: str

    def raw(self) -> bytes:
        return build(self.style, self.text)


def cases(name: str) -> list[Case]:
    """All cases of one file."""
    return list(_read((FOLDER / f"{name}.txt").read_text("utf-8")))


def _read(text: str) -> Iterator[Case]:
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        name, style, expectation = (piece.strip() for piece in head.split("|"))
        wanted, _, flags = expectation.partition(" + ")
        verdict, *values = wanted.split(maxsplit=4)
        yield Case(name, style, verdict, tuple(values), tuple(flags.split()), body.strip("\n"))


# --- mail programs ----------------------------------------------------------------------------------------------------

Program = Callable[[str, str, bool], tuple[str, str]]
_FROM = "Alex Adviser <alex@council.example>"
_TITLE = f"Private and confidential: confirmation needed, reference {REFERENCE}"


def build(style: str, text: str) -> bytes:
    """The mail as this program would send it."""
    program, *options = style.split()
    letter = LETTER if "generic" in options else real_letter()
    answered = real_letter().replace(A, f"{A} 06/09/2021 to present").replace(B, f"{B} Valley Primary School")
    answered = _header_block() + "\n" + answered.replace("Yes / No", "No")
    concern = "He came in with a black eye.\n\n"
    text = text.replace(
        "{edited-front}", answered.replace("Please confirm the", concern + "Please confirm the")
    )
    text = text.replace("{edited-behind}", answered.replace("Yours sincerely", concern + "Yours sincerely"))
    text = text.replace("{edited}", answered)
    text = text.replace("{a}", A).replace("{b}", B).replace("{c}", C).replace("\\u200b", "\u200b")
    text = (
        text.replace("\\n", "\n").replace("\\t", "\t").replace("\\xa0", "\u00a0").replace("\\u202e", "\u202e")
    )
    encoding = "base64" if "base64" in options else "quoted-printable" if "qp" in options else "8bit"
    charset = "cp1252" if "cp1252" in options else "utf-8"
    subject = SUBJECT
    more: tuple[str, ...] = ()
    if "flowed" in options:
        more = ()
    plain, page = _PROGRAMS[program](text, letter, "bottom" in options)
    if "html-only" in options:
        raw = mail(None, html=page, encoding=encoding, charset=charset, subject=subject)
    elif "html" in options:
        raw = mail(plain, html=page, encoding=encoding, charset=charset, subject=subject, more=more)
    else:
        raw = mail(plain, encoding=encoding, charset=charset, subject=subject, more=more)
    if "flowed" in options:
        raw = raw.replace(b"text/plain; charset=utf-8", b"text/plain; charset=utf-8; format=flowed")
    return raw


def _around(text: str, quotation: str, bottom: bool) -> str:
    if "{letter}" in text:
        return text.replace("{letter}", quotation)
    return f"{quotation}\n\n{text}" if bottom else f"{text}\n\n{quotation}"


def _paragraphs(text: str) -> str:
    return "".join(f"<div>{_line(line)}</div>\n" for line in text.split("\n"))


def _line(text: str) -> str:
    """Tags that a case writes itself (`<s>`, `<b>`, `<td>`) stay; the rest is escaped."""
    if re.search(r"</?(?:s|b|del|strike|span|td|tr|table|ol|li|u|font|p)\b", text):
        return text
    return html.escape(text, quote=False).replace("  ", " &nbsp;") or "<br>"


def _header_block(sent: str = "Sent", at: str = "To", name: str = "From", subject: str = "Subject") -> str:
    return f"{name}: {_FROM}\n{sent}: 02 October 2026 09:00\n{at}: Jane Smith <{ENROLLED}>\n{subject}: {_TITLE}\n"


def _outlook(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    plain = _around(text, f"{_header_block()}\n{letter}", bottom)
    block = "<br>".join(
        f"<b>{html.escape(line.partition(':')[0])}:</b>{html.escape(line.partition(':')[2])}"
        for line in _header_block().strip().split("\n")
    )
    below = (
        f'<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">{block}</p></div>'
        + "".join(f'<p class="MsoNormal">{html.escape(line)}<o:p></o:p></p>' for line in letter.split("\n"))
    )
    top = "".join(f'<p class="MsoNormal">{_line(line)}<o:p></o:p></p>\n' for line in text.split("\n"))
    page = f"<html><head><style>p.MsoNormal {{margin:0cm}}</style></head><body lang=EN-GB>{_around(top, below, bottom)}</body></html>"
    return plain, page


def _welsh(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    block = _header_block("Anfonwyd", "At", "Oddi wrth", "Pwnc")
    return _around(text, f"{block}\n{letter}", bottom), _paragraphs(
        _around(text, f"{block}\n{letter}", bottom)
    )


def _original(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    plain = _around(text, f"-----Original Message-----\n{_header_block()}\n{letter}", bottom)
    return plain, _paragraphs(plain)


def _attributed(attribution: str) -> Program:
    def program(text: str, letter: str, bottom: bool) -> tuple[str, str]:
        plain = _around(text, f"{attribution}\n{quoted(letter)}", bottom)
        below = (
            f'<div class="gmail_quote"><div dir="ltr" class="gmail_attr">{html.escape(attribution)}<br></div>'
            f'<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex">{_paragraphs(letter)}</blockquote></div>'
        )
        return plain, f'<div dir="ltr">{_around(_paragraphs(text), below, bottom)}</div>'

    return program


def _alone(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    return text, f"<html><body>{_paragraphs(text)}</body></html>"


def _owa(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    plain = _around(text, f"{'_' * 32}\n{_header_block()}\n{letter}", bottom)
    block = "<br>".join(html.escape(line) for line in _header_block().strip().split("\n"))
    below = f'<hr tabindex="-1" style="display:inline-block; width:98%"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri">{block}</font></div><div>{_paragraphs(letter)}</div>'
    return plain, f'<div class="elementToProof">{_around(_paragraphs(text), below, bottom)}</div>'


def _samsung(text: str, letter: str, bottom: bool) -> tuple[str, str]:
    block = f"-------- Original message --------\nFrom: {_FROM}\nDate: 02/10/2026 09:00 (GMT+00:00)\nTo: Jane Smith <{ENROLLED}>\nSubject: {_TITLE}\n"
    plain = _around(text, f"{block}\n{letter}", bottom)
    return plain, _paragraphs(plain)


_PROGRAMS: dict[str, Program] = {
    "outlook": _outlook,
    "welsh": _welsh,
    "exchange": _original,
    "gmail": _attributed(f"On Fri, 2 Oct 2026 at 09:00, {_FROM} wrote:"),
    "apple": _attributed(f"On 2 Oct 2026, at 09:00, {_FROM} wrote:\n"),
    "thunderbird": _attributed(f"On 02/10/2026 09:00, {_FROM}\nwrote:"),
    "yahoo": _attributed(f"On Friday, 2 October 2026 at 09:00:00 BST, {_FROM} wrote:\n"),
    "alone": _alone,
    "owa": _owa,
    "samsung": _samsung,
}
