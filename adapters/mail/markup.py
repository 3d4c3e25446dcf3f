"""HTML mail as the lines a person would see, with quoting depth, and with struck-out words marked.

Nothing is fetched and nothing is run. Hidden text is left out. Words that are struck out (`<s>`, `<strike>`, `<del>`,
`line-through`) stand between STRUCK and KEPT marks, because "Yes / No" with one word struck out is an answer (X-28).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

STRUCK, KEPT = "\ue000", "\ue001"  # private-use characters, removed from whatever comes in
IMAGE = "[image]"


@dataclass(frozen=True, slots=True)
class Line:
    """One visible line. `depth` counts the quotations it stands in."""

    text: str
    depth: int


def html_lines(html: str) -> list[Line]:
    """The visible lines of an HTML body; table cells of a row are parted by tabs."""
    reader = _Reader()
    reader.feed(html.replace(STRUCK, "").replace(KEPT, ""))
    reader.close()
    return reader.finish()


_BREAKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_UNSEEN = frozenset(["script", "style", "head", "title", "template", "noscript", "svg", "object"])
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_STRUCK_TAGS = frozenset({"s", "strike", "del"})
_STRUCK_STYLE = re.compile(r"text-decoration(?:-line)?\s*:[^;]*line-through", re.IGNORECASE)
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)|opacity\s*:\s*0\s*(?:;|$)",
    re.IGNORECASE,
)
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    hidden: bool
    struck: bool
    quoted: bool


@dataclass(slots=True)
class _Lists:
    counts: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def next_marker(self) -> str:
        if not self.kinds or not self.kinds[-1]:
            return ""
        self.counts[-1] += 1
        number = self.counts[-1]
        return f"{chr(96 + number)}. " if self.kinds[-1] in "aA" and number <= 26 else f"{number}. "


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[_Open] = []
        self._lists = _Lists()
        self._lines: list[Line] = []
        self._now: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _BREAKS or tag == "br":
            self._end_line()
        if tag in {"td", "th"} and "".join(self._now).strip():
            self._now.append("\t")
        if tag in _VOID:
            self._void(tag, values)
            return
        if len(self._open) >= _DEEPEST:
            raise ValueError("HTML is nested too deeply")
        self._open.append(_opened(tag, values))
        self._list_item(tag, values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKS:
            self._end_line()
        if tag in {"ol", "ul"} and self._lists.kinds:
            self._lists.kinds.pop()
            self._lists.counts.pop()
        places = [place for place, one in enumerate(self._open) if one.tag == tag]
        if places:
            del self._open[places[-1] :]

    def handle_data(self, data: str) -> None:
        if any(one.hidden for one in self._open):
            return
        text = re.sub(r"[ \t\r\n\f\v]+", " ", data)
        struck = any(one.struck for one in self._open)
        self._now.append(f"{STRUCK}{text}{KEPT}" if struck and text.strip() else text)

    def finish(self) -> list[Line]:
        self._end_line()
        return self._lines

    def _void(self, tag: str, values: dict[str, str]) -> None:
        if any(one.hidden for one in self._open):
            return
        if tag == "img" and values.get("width") not in {"0", "1"} and values.get("height") not in {"0", "1"}:
            self._now.append(f" {IMAGE} ")
        if tag == "input" and values.get("type", "text") != "hidden":
            self._now.append(" [form field] ")

    def _list_item(self, tag: str, values: dict[str, str]) -> None:
        if tag in {"ol", "ul"}:
            self._lists.kinds.append(values.get("type", "1") if tag == "ol" else "")
            start = values.get("start", "1")
            self._lists.counts.append(
                int(start) - 1 if start.isascii() and start.isdigit() and len(start) < 4 else 0
            )
        if tag == "li":
            self._now.append(self._lists.next_marker())

    def _end_line(self) -> None:
        text = "".join(self._now).replace(KEPT + STRUCK, "")
        depth = sum(one.quoted for one in self._open)
        self._lines.append(Line(text.strip(" "), depth))
        self._now.clear()


def _opened(tag: str, values: dict[str, str]) -> _Open:
    style = values.get("style", "")
    return _Open(
        tag,
        hidden=tag in _UNSEEN or "hidden" in values or bool(_HIDDEN_STYLE.search(style)),
        struck=tag in _STRUCK_TAGS or bool(_STRUCK_STYLE.search(style)),
        quoted=tag == "blockquote" and _is_quotation(values, style),
    )


def _is_quotation(values: dict[str, str], style: str) -> bool:
    """A reply's quotation, not an indentation: mail programs indent with the same element but without its border."""
    indented = re.search(r"border(?:-left)?\s*:\s*(?:none|0)", style, re.IGNORECASE)
    cited = values.get("type", "").lower() == "cite" or "cite" in values
    return not indented and (cited or "gmail_quote" in values.get("class", "") or "border-left" in style)
