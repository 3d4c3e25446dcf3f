"""What a bundle says to people: the read-me, and the summary as a page and as a PDF of the same words.

Neither is signed, and both say so. The summary is written from the receipts alone, and as far as their commitments are
opened here: without disclosures it holds ids, times and event names, and with them agencies, roles and due instants. It never
repeats a person's name, an address or any of a message's content, whatever is disclosed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from gateway.core.duties import EARLY, DutyState
from gateway.core.receipts import Event
from gateway.ledger import verify
from gateway.ledger.statement import fields_of

README = """\
EVIDENCE BUNDLE
===============
Receipts of one incident, and what is needed to check them without the gateway that made them.
This text, SUMMARY.html and SUMMARY.pdf are not signed. What counts is what the check below says.

To check everything (Python 3.11 or later with the package `cryptography`; no network):

    python verify.py BUNDLE.zip --policy POLICY.json

Use your own copy of verify.py, and a POLICY.json that reached you on another path than this bundle: it says whom to
trust. policy.example.json and keys/ are for information only.

  VALID        every receipt is genuine, unchanged, complete in its chain and in the log
  PROVISIONAL  genuine, but not yet in the log, or a required time-stamp is still pending
  INVALID      a rule is broken; the reason says where
  content      "matches": each payload and attachment is what was committed to. "erased": the gateway destroyed its keys to the
               content, and the receipt of that is here; what happened, and when, can still be checked. "not supplied":
               the bundle was made without some or all of the content.

What is here:
  manifest.json       the digest (SHA-256) of every file
  receipts/0000.jws   one signed statement for each event (compact JWS, ES256)
  receipts/*.proof    that the statement is in the log (C2SP tlog-proof@v1)
  receipts/*.disclosures   what opens the statement's salted commitments (RFC 9901); holds personal data
  attachments/        the files beside the messages, also those that an officer withheld as doubtful: open them with
                      care, and none by a double click
  payloads/           the messages, named by the receipt of their acceptance; holds personal data
  peer/*.jws          what recipients signed with their own keys, named by the receipt that commits to it
  peer/*.eml          mails as they came, named by the receipt of their arrival: open them with care; they hold personal data
  checkpoints/, consistency/   the signed states of the log, and that each follows on the earlier ones
  links/              where there are several logs (one a year): that each begins at the last state of the one before

By hand: `jose jws ver -i receipts/0000.jws -k keys/KEY.jwk -O-` shows a statement; any C2SP tool reads a proof.

What none of this proves: that nothing happened which was never logged; that a receipt at the end of a chain was not left
out after closing or erasure last counted it; what a person has read or understood. An answer of an ordinary mail server is not a delivery. A read receipt and a notice
of return are claims by machines, which anyone can forge. A recipient's signature shows that whoever holds its key gave this
answer for this content, and it binds the recipient only if the policy names its key: else it is the gateway's word that the
key is the recipient's.
"""

NOT_PROVED = (
    "That nothing happened which was never logged, or that nothing was cut off at the end of a chain "
    "after a receipt of closing or erasure last counted it.",
    "What a person has read or understood. Only a person's acknowledgement is an acknowledgement.",
    "That an ordinary mail server delivered what it took. A read receipt or a notice of return is a machine's claim.",
    "That what anybody stated is true, or that a decision was right.",
)
VERDICTS = (
    ("VALID", "every receipt is genuine, unchanged, complete in its chain and in the log"),
    (
        "PROVISIONAL",
        "genuine, but not yet in the log, or a required time-stamp is still pending: check again later",
    ),
    (
        "INVALID",
        "a rule is broken; the reason says where. Keep the file, and ask who gave it to you for another",
    ),
)


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Words:
    text: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    several: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a caption; the first cell of a row names it. `widths` are shares of the page, for paper."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...] = field(default=())


Block = Heading | Words | Items | Grid


@dataclass(frozen=True, slots=True)
class Line:
    """One receipt: its statement, what of it is opened, whether its proof is there."""

    statement: Mapping[str, Any]
    told: Mapping[str, Any]
    is_sealed: bool

    @property
    def event(self) -> str:
        return str(self.statement["event"])

    @property
    def time(self) -> datetime:
        return verify.instant(self.statement["time"])

    def __getitem__(self, name: str) -> str:
        return str(self.told.get(name, ""))


def line(statement: bytes, disclosures: Sequence[str], is_sealed: bool) -> Line:
    """A receipt as the summary reads it; `disclosures` as they stand in the bundle."""
    return Line(json.loads(statement), fields_of(disclosures), is_sealed)


def summary(incident: str, lines: Sequence[Line]) -> list[Block]:
    """What the receipts say, in plain words and in order."""
    blocks: list[Block] = [
        Heading(f"Evidence about incident {incident}", 1),
        Words("This page is not signed.", is_strong=True),
        Words(
            "It repeats in plain words what the receipts say. What counts is the check described below and in README.txt. "
            "Times are UTC, and are the gateway's own claim unless the check says that others confirm them."
        ),
        *_at_a_glance(lines),
        *_duties(lines),
        Heading("What happened"),
    ]
    chains = dict.fromkeys(str(one.statement["ref"]) for one in lines)
    for ref in chains:
        blocks += _chain(ref, lines)
    return blocks + _meanings(lines) + _how_to_check()


def _at_a_glance(lines: Sequence[Line]) -> list[Block]:
    accepted = [one for one in lines if one.event == Event.SUBMISSION_ACCEPTANCE.text]
    opened = sum(bool(one.told) for one in lines)
    sealed = sum(one.is_sealed for one in lines)
    signed = sum("peer_key" in one.told for one in lines)
    rows = [
        ("Receipts", f"{len(lines)}, {sealed} of them in the log"),
        ("From", _when(lines[0].time) if lines else "nothing yet"),
        ("To", _when(max(one.time for one in lines)) if lines else "nothing yet"),
        ("Messages accepted", str(len(accepted))),
        ("Answers signed by recipients", str(signed) if opened else "not opened here"),
        (
            "Opened here",
            f"what {opened} of the receipts commit to" if opened else "nothing: events and times alone",
        ),
    ]
    return [Grid("At a glance", ("What", "How much"), tuple(rows), (3, 7))]


def _chain(ref: str, lines: Sequence[Line]) -> list[Block]:
    """One message's receipts, or one of the incident's other chains."""
    numbered = [(number, one) for number, one in enumerate(lines) if one.statement["ref"] == ref]
    first = numbered[0][1]
    title = "The incident itself"
    if first.event == Event.SUBMISSION_ACCEPTANCE.text:
        sender = f" from {first['sender']}" if first["sender"] else ""
        title = f"{_spoken(first['type']).capitalize() or 'Message'}{sender}"
    elif first.event == Event.RECEIVED_FROM_NON_ERDS.text:
        title = "A mail that came in"
    rows = [
        (f"{number:04d}", _when(one.time), said(one), "yes" if one.is_sealed else "not yet")
        for number, one in numbered
    ]
    head = ("Receipt", "Time (UTC)", "What happened", "In the log")
    return [Heading(title, 3), Grid(f"Chain {ref}", head, tuple(rows), (2, 4, 10, 2))]


def said(one: Line) -> str:
    """What one receipt says, in plain words; only as much as is opened."""
    try:
        words = Event.named(one.event).title
    except KeyError:
        return f"{one.event} (an event that this version of the gateway does not know)"
    parts = [f"{name} {_value(one, key)}" for key, name in _TOLD.items() if one[key]]
    reason = one.statement.get("reason")
    told = "; ".join(parts)
    return f"{words}{': ' + told if told else ''}{f' (reason: {_spoken(str(reason))})' if reason else ''}"


_TOLD = {  # of all that may be opened, what the summary repeats: never a person's name, an address or free text
    "sender": "by",
    "type": "a",
    "owner": "owed by",
    "expects": "which is a",
    "recipient": "to",
    "role": "in the role",
    "way": "by way of",
    "attempt": "attempt",
    "basis": "on the basis of",
    "by": "answered by a",
    "peer_key": "signed with the recipient's key",
    "clock": "clock",
    "due_at": "due",
    "decision": "decision",
    "outcome": "outcome",
    "queue_id": "queue id",
    "enhanced_status": "status",
    "tls_version": "over",
    "peer_certificate_sha256": "to the holder of certificate",
}
_BASES = {
    "mdn": "a read receipt",
    "dsn": "a notice of return",
    "portal-login": "a sign-in",
    "api-pull": "a fetch",
}


def _value(one: Line, name: str) -> str:
    value = one[name]
    if name in ("type", "expects", "outcome", "decision", "role"):
        return _spoken(value)
    if name in ("peer_certificate_sha256", "peer_key"):
        return f"{value[:16]}…"
    if name == "due_at":
        return _due(value)
    return _BASES.get(value, value) if name == "basis" else value


_OUTCOMES = {
    Event.DUTY_MET.text: "met",
    Event.DEADLINE_MISSED.text: "missed",
    Event.DUTY_WAIVED.text: "waived",
    Event.DUTY_ENDED.text: "ended",
    Event.DUTY_OWED_AGAIN.text: "owed again",
    Event.DUTY_RESCHEDULED.text: "due at another time",
}


_HOW = {DutyState.MET_LATE.value: " late", EARLY: " before its day"}


def _duties(lines: Sequence[Line]) -> list[Block]:
    """Who owed what by when, and what came of it: laid by an accepted message, ended by later receipts."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for number, one in enumerate(lines):
        for duty in one["duties"].split():
            clock, _, rest = duty.partition(":")
            owner, _, due = rest.partition("=")
            told = f"owed from {_when(one.time)} (receipt {number:04d})"
            found.setdefault((owner, clock, _due(due)), []).append(told)
    for number, one in enumerate(lines):
        if one.event in _OUTCOMES:
            how = _HOW.get(str(one.statement.get("reason")), "")
            told = f"{_OUTCOMES[one.event]}{how} on {_when(one.time)} (receipt {number:04d})"
            found.setdefault(_which(one, found), []).append(told)
    if not found:
        return []
    rows = tuple(
        (owner or "not opened here", clock, due, "; ".join(several))
        for (owner, clock, due), several in found.items()
    )
    head = ("Who", "Clock", "Due (UTC)", "What came of it")
    return [Heading("Who owed what, and by when"), Grid("Duties", head, rows, (8, 2, 5, 11))]


def _which(one: Line, known: Collection[tuple[str, str, str]]) -> tuple[str, str, str]:
    """The duty that a receipt is about; by owner and clock where the receipt does not repeat the due instant."""
    owner, clock, due = one["owner"], one["clock"], _due(one["due_at"])
    if not due:
        due = next((other[2] for other in known if other[:2] == (owner, clock)), "")
    return owner, clock, due


def _meanings(lines: Sequence[Line]) -> list[Block]:
    known = {event.text: event for event in Event}
    met = [known[name] for name in dict.fromkeys(one.event for one in lines) if name in known]
    rows = tuple((event.title, event.meaning) for event in sorted(met, key=lambda event: event.title))
    return [
        Heading("What these receipts show, and what they do not"),
        Grid("Each kind of receipt in this bundle", ("Receipt", "What it shows; and what not"), rows, (3, 7)),
        Words("What none of them shows:"),
        Items(NOT_PROVED),
    ]


def _how_to_check() -> list[Block]:
    return [
        Heading("How to check"),
        Words(
            "With a policy that reached you on another path than this bundle, and your own copy of verify.py: "
            "python verify.py BUNDLE.zip --policy POLICY.json"
        ),
        Grid("What the check answers", ("Verdict", "Means"), VERDICTS, (2, 8)),
    ]


def _when(at: datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M:%S}"


def _due(text: str) -> str:
    """An instant as it was committed to, in UTC; what is none ("no limit") as it stands."""
    try:
        return _when(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError:
        return text.replace("-", " ")


def _spoken(code: str) -> str:
    return code.replace("-", " ")


# --- as a page -------------------------------------------------------------------------------------------------------

_PAGE = """\
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1rem/1.5 sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #111; background: #fff }}
h1 {{ font-size: 1.8rem; line-height: 1.2; border-bottom: .3rem solid #1d4f78; padding-bottom: .5rem }}
h2 {{ font-size: 1.35rem; margin-top: 2.2rem; color: #1d4f78 }}
h3 {{ font-size: 1.1rem; margin: 1.6rem 0 0 }}
table {{ border-collapse: collapse; width: 100%; margin: .3rem 0 1rem }}
caption {{ text-align: left; color: #444; padding: .3rem 0; overflow-wrap: anywhere }}
th, td {{ border-bottom: 1px solid #b1b4b6; padding: .35rem .6rem .35rem 0; text-align: left; vertical-align: top;
  overflow-wrap: anywhere }}
thead th {{ overflow-wrap: normal; border-bottom: 2px solid #111 }}
tbody th {{ font-weight: normal }}
.notice {{ border-left: .4rem solid #1d4f78; background: #eef3f7; padding: .6rem 1rem }}
@media print {{
  @page {{ size: A4; margin: 16mm }}
  body {{ font-size: 9.5pt; margin: 0; max-width: none; padding: 0 }}
  h2, h3 {{ break-after: avoid }}
  tr, caption {{ break-inside: avoid }}
  thead {{ display: table-header-group }}
}}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(blocks: Sequence[Block]) -> str:
    """One accessible page to read and to print, without scripts or outside resources."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    return _PAGE.format(title=escape(title), body="\n".join(map(_html, blocks)))


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Words(text, is_strong):
            return (
                f'<p class="notice"><strong>{escape(text)}</strong></p>'
                if is_strong
                else f"<p>{escape(text)}</p>"
            )
        case Items(several):
            return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in several) + "</ul>"
        case Grid(caption, head, rows, widths):
            shares = widths or (1,) * len(head)
            columns = "".join(f'<col style="width: {100 * share // sum(shares)}%">' for share in shares)
            heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
            body = "\n".join(map(_row, rows))
            return (
                f"<table><caption>{escape(caption)}</caption>\n<colgroup>{columns}</colgroup>\n<thead><tr>{heads}</tr></thead>\n"
                f"<tbody>\n{body}\n</tbody></table>"
            )


def _row(row: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
    return f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>'
