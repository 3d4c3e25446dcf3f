"""HTML mail as the lines a person would see, with quoting depth, and with struck-out words marked.

Nothing is fetched and nothing is run. Hidden text (white, tiny, off the page, hidden by a style sheet) is left out, and a
HIDDEN mark says where some stood, for a person must see what a reader could not. Words that are struck out (`<s>`, `<strike>`, `<del>`,
`line-through`) stand between STRUCK and KEPT marks, because "Yes / No" with one word struck out is an answer (X-28).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

STRUCK, KEPT, HIDDEN = "\ue000", "\ue001", "\ue002"  # private-use characters, removed from whatever comes in
IMAGE = "[image]"


@dataclass(frozen=True, slots=True)
class Line:
    """One visible line. `depth` counts the quotations it stands in."""

    text: str
    depth: int


def html_lines(markup: str) -> list[Line]:
    """The visible lines of an HTML body; table cells of a row are parted by tabs."""
    clean = markup.replace(STRUCK, "").replace(KEPT, "").replace(HIDDEN, "")
    if _is_endless(clean):
        raise ValueError("HTML with many tags or comments that do not end")
    reader = _Reader(_hidden_names(clean))
    reader.feed(clean)
    if _FROM_ELSEWHERE.search(clean):  # what it would hide or write is not known
        reader.handle_elsewhere()
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
_UNIT = r"(?:px|pt|r?em|%|v[wh]|in|[cm]m|ex|ch|pc|q)"
_NEARLY_NOTHING = r"0?(?:\.[0-2]\d*|\.?0*)"
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|(?:visibility\s*:\s*(?:hidden|collapse))|mso-hide\s*:\s*all|"
    rf"opacity\s*:\s*{_NEARLY_NOTHING}\s*(?:!|$)|"
    r"(?<!-)font(?:-size)?\s*:.*?(?<![\d.#])(?:0(?:\.\d+)?|\.\d+|[0-3](?:\.\d+)?\s*(?:px|pt|mm)|\d(?:\.\d+)?%|[0-2]?\d%)\s*"
    rf"{_UNIT}?\s*(?:!|/|$)|"
    r"(?:left|right|top|bottom|text-indent|margin(?:-\w+)?)\s*:.*-\s*(?:\d{3,}|\d*\.?\d+e\d|\d{2,}(?:\.\d*)?\s*(?:r?em|%|v[wh]|cm|ch|ex|pc|in)|[2-9](?:\.\d*)?\s*in)|"
    rf"(?<![\w-])(?:max-)?(?:height|width)\s*:\s*(?:0(?:\.0*)?\s*{_UNIT}?|(?:0?\.\d+|[0-3](?:\.\d+)?)\s*(?:px|pt|mm))\s*(?:!|$)|"
    rf"line-height\s*:\s*0?(?:\.[0-4]\d*|\.?0*)\s*{_UNIT}?\s*(?:!|$)|"
    r"(?<![\w-])(?:clip(?:-path)?|transform|zoom|scale|translate|rotate|offset(?:-\w+)?|filter|mask(?:-\w+)?)\s*:|bidi-override|"
    r"(?<![\w-])color\s*:\s*(?:transparent|(?:hsla?|hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\(|rgba?\([^)]*%|"
    rf"rgba?\((?:[^,)]*,){{3}}\s*{_NEARLY_NOTHING}\s*\)|rgba?\([^)]*/\s*{_NEARLY_NOTHING}\s*\)|"
    r"#[\da-f]{3}[0-3](?![\da-f])|#[\da-f]{6}[0-3][\da-f])|"
    r"(?<![\w-])(?:var|env|attr|calc|clamp|min|max)\(",  # a value that stands elsewhere, or is worked out
    re.IGNORECASE,
)
_COLOURS = re.compile(r"(?<![\w-])(background(?:-color)?|color)\s*:\s*([^;!]+)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(?:([\da-f]{1,6})\s?|(.))", re.IGNORECASE | re.DOTALL)
_CONDITION = re.compile(r"\[if\b[^\]]{0,100}\]>", re.IGNORECASE)
_WHITE = r"(?:white|snow|ivory|ghostwhite|whitesmoke|window|#f[\da-f]f[\da-f]f[\da-f]|#fff|rgba?\(\s*2[45]\d\s*,\s*2[45]\d\s*,\s*2[45]\d[^)]*\))"
_WHITE_STYLE = re.compile(rf"(?<![\w-])color\s*:\s*{_WHITE}(?![\w-])", re.IGNORECASE)
_WHITE_VALUE = re.compile(_WHITE, re.IGNORECASE)
_BACKGROUND = re.compile(r"(?<![\w-])background(?:-color)?\s*:\s*([^;]+)", re.IGNORECASE)
_STYLE_SHEET = re.compile(r"<style\b[^<>]*>", re.IGNORECASE)
_SHEETS_END = re.compile(r"</style\s*>", re.IGNORECASE)
_FROM_ELSEWHERE = re.compile(r"@import\b|<link\b[^>]*stylesheet|<iframe\b|<textarea\b|<bdo\b", re.IGNORECASE)
_WRITES = re.compile(r"(?<![\w-])content\s*:\s*[\"']?\s*[^\"';\s]", re.IGNORECASE)
_QUIETLY = frozenset(["script", "style", "title"])  # what stands in these was never for reading
_COLOUR_OF = {"font": "color", "body": "text"}
_DEEPEST = 200
_MOST_OPEN = 200  # tags in a row of which none ends: a browser would read on for ever, and so would we
_LONGEST_DECLARATION = 400  # of a style; what is longer is believed to hide
_LONGEST_SHEETS = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    hidden: bool
    struck: bool
    quoted: bool
    backed: bool  # on a coloured ground, where white can be read


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
    def __init__(self, hidden_names: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._hidden_names = hidden_names
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
        backed = any(one.backed for one in self._open)
        self._open.append(_opened(tag, values, self._hidden_names, backed))
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

    def handle_elsewhere(self) -> None:
        self._end_line()
        self._lines.append(Line(HIDDEN, 0))

    def handle_data(self, data: str) -> None:
        if any(one.hidden for one in self._open):
            if re.search(r"\w", data) and not any(one.tag in _QUIETLY for one in self._open):
                self._now.append(HIDDEN)
            return
        text = re.sub(r"[ \t\r\n\f\v]+", " ", data)
        struck = any(one.struck for one in self._open)
        self._now.append(f"{STRUCK}{text}{KEPT}" if struck and text.strip() else text)

    def handle_comment(self, data: str) -> None:
        if _says_something(data):
            self._now.append(HIDDEN)

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


def _hidden_names(markup: str) -> frozenset[str]:
    """What the style sheets hide, or write words of their own into: tags, `.classes` and `#ids`."""
    found: set[str] = set()
    for sheet in _style_sheets(markup):
        for piece in sheet.split("}"):
            before, begun, raw = piece.rpartition("{")
            if not begun:
                continue
            declared = _plain_style(raw)
            selectors = _plain_style(before.rpartition("{")[2])  # within a condition such as @media
            writes = ":before" in selectors or ":after" in selectors
            if (
                _hides(declared)
                or _strikes(declared)
                or (_WHITE_STYLE.search(declared) and not _has_ground(declared, ""))
                or (writes and _WRITES.search(declared))
            ):
                for one in selectors.split(","):
                    last = (one.split() or [""])[-1].partition(":")[0].lower()
                    named = [] if "[" in one else re.findall(r"[.#]?[\w-]+", last)
                    found.update(named[-1:] or ["*"])  # by an attribute it may be anything
    return frozenset(found)


def _is_endless(markup: str) -> bool:
    """Whether it is built to be read from each of many places to its end. What is asked takes one pass."""
    if any(piece.count("<") > _MOST_OPEN for piece in markup.split(">")):
        return True
    return markup[markup.rfind("-->") + 1 :].count("<!--") > _MOST_OPEN


def _style_sheets(markup: str) -> list[str]:
    """The text of each style element, without comments; ValueError when there is more than any letter has."""
    found: list[str] = []
    at = 0
    while (opening := _STYLE_SHEET.search(markup, at)) is not None:
        closing = _SHEETS_END.search(markup, opening.end())
        at = closing.end() if closing else len(markup)
        found.append(_without_comments(markup[opening.end() : closing.start() if closing else at]))
        if sum(map(len, found)) > _LONGEST_SHEETS:
            raise ValueError("the style sheets are too long")
    return found


def _without_comments(sheet: str) -> str:
    """CSS without comments; one that does not end goes on to the end of the sheet (CSS Syntax 3, section 4.3.2)."""
    first, *rest = sheet.split("/*")
    kept = [first, *(one.partition("*/")[2] for one in rest)]
    return " ".join(kept).replace("<!--", " ").replace("-->", " ")


def _hides(style: str) -> bool:
    plain = _plain_style(style)
    if any(len(one) > _LONGEST_DECLARATION or _HIDDEN_STYLE.search(one) for one in plain.split(";")):
        return True
    colours = {name.lower()[:5]: value.strip().lower() for name, value in _COLOURS.findall(plain)}
    return "color" in colours and colours["color"] == colours.get("backg")


def _strikes(style: str) -> bool:
    return any(_STRUCK_STYLE.search(one[:_LONGEST_DECLARATION]) for one in _plain_style(style).split(";"))


def _plain_style(style: str) -> str:
    """Declarations as a browser reads them: without comments, and with escaped letters as what they stand for."""
    return _ESCAPED.sub(_unescaped, _without_comments(style) if "/*" in style else style)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def _says_something(comment: str) -> bool:
    """Whether a comment for Outlook alone holds words: its reader sees them, and nobody else."""
    begins = _CONDITION.match(comment)
    if begins is None:
        return False
    said = comment[begins.end() :]
    for element in ("xml", "style"):
        first, *rest = re.split(rf"<{element}\b", said, flags=re.IGNORECASE)
        ends = re.compile(rf"</{element}\s*>", re.IGNORECASE)
        said = first + "".join(ends.split(one, maxsplit=1)[1] if ends.search(one) else "" for one in rest)
    first, *tags = said.split("<")
    return any(
        re.search(r"\w", html.unescape(one)) for one in (first, *(tag.partition(">")[2] for tag in tags))
    )


def _has_ground(style: str, colour: str) -> bool:
    grounds = [*_BACKGROUND.findall(style), *([colour] if colour else [])]
    return any(
        not _WHITE_VALUE.match(one.strip()) and one.strip().lower() not in {"none", "transparent", "inherit"}
        for one in grounds
    )


def _is_hidden(tag: str, values: dict[str, str], hidden_names: frozenset[str], backed: bool) -> bool:
    style = _plain_style(values.get("style", ""))
    names = {"*", tag, "#" + values.get("id", "").lower()}
    names |= {"." + one for one in values.get("class", "").lower().split()}
    white = _WHITE_STYLE.search(style) or (
        tag in {"font", "body"} and _WHITE_VALUE.fullmatch(values.get(_COLOUR_OF[tag], "").strip())
    )
    return (
        tag in _UNSEEN
        or "hidden" in values
        or _hides(style)
        or not names.isdisjoint(hidden_names)
        or (bool(white) and not backed)
    )


def _opened(tag: str, values: dict[str, str], hidden_names: frozenset[str], backed: bool) -> _Open:
    style = _plain_style(values.get("style", ""))
    backed = backed or _has_ground(style, values.get("bgcolor", ""))
    return _Open(
        tag,
        hidden=_is_hidden(tag, values, hidden_names, backed),
        struck=tag in _STRUCK_TAGS or _strikes(style),
        quoted=tag == "blockquote" and _is_quotation(values, style),
        backed=backed,
    )


def _is_quotation(values: dict[str, str], style: str) -> bool:
    """A reply's quotation, not an indentation: mail programs indent with the same element but without its border."""
    indented = re.search(r"border(?:-left)?\s*:\s*(?:none|0)", style, re.IGNORECASE)
    cited = values.get("type", "").lower() == "cite" or "cite" in values
    return not indented and (cited or "gmail_quote" in values.get("class", "") or "border-left" in style)
