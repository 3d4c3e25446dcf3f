"""Builds the acceptance replies: blocks of a text file become authenticated mail from an enrolled school.

A block is `=== name | options | expected…`, then the words as written. The mail around them (headers, the
quoted letter as the mail program quotes it, the signature) is put together here, so that each block holds
only what a person wrote. Invariant: unless a block says otherwise, the mail is genuine, from the enrolled
address, and about the reference that the letter named. Source: S2-21, S2-22, X-28.
"""

import base64
import functools
import quopri
import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from adapters.mail.findings import Expected, Reading
from adapters.mail.replies import read_opened
from adapters.mail.secured import open_secured

HERE = Path(__file__).parent
LETTERS = tuple(
    path.read_text() for path in sorted(Path("gateway/partnerships").glob("*/letters/*-letter.txt"))
)
SERVER, SCHOOL, REFERENCE = "mx.council.example", "dsl@oakfield.example", "SG-7K3M-9QPX-2D"
EXPECTED = Expected(enrolled=(SCHOOL,), authserv_id=SERVER, stamped_below=False, letters=LETTERS)
CHILD, OTHER_REFERENCE = "Robin Ashdown", "SG-2222-3333-44"

A = "a. Dates on roll (from and to):"
B = "b. Previous school (if applicable):"
C_ALONE = (
    "c. Do you hold any records that indicate child welfare or child protection concerns"
    " relating to this child?"
)
C = f"{C_ALONE} Yes / No"

_BLOCK = re.compile(r"^=== (?P<head>[^\n]+)\n(?P<text>.*?)(?=^=== |\Z)", re.M | re.S)
_SCHOOL = """
Mrs Jo Kerr
Deputy Headteacher, Designated Safeguarding Lead and SENDCo
Oakfield Primary School
Oakfield Lane, Northam, NM1 2AB
Tel: 01632 960123 | Mob: 07700 900123
dsl@oakfield.example | www.oakfield.example
"""
SIGNATURES = MappingProxyType(
    {
        "none": "",
        "short": "\n\nKind regards\n\nJo Kerr\nDSL\n",
        "school": f"\n{_SCHOOL}",
        "ios": "\n\nSent from Outlook for iOS\n",
        "android": "\n\nGet Outlook for Android\n",
        "samsung": "\n\nSent from my Galaxy\n",
        "arbor": f"\n{_SCHOOL}\nThis message was sent by Oakfield Primary School using Arbor.\n",
        "bromcom": f"\n{_SCHOOL}\nSent via Bromcom MIS on behalf of Oakfield Primary School\n",
        "green": f"\n{_SCHOOL}\nPlease consider the environment before printing this e-mail.\n",
        "hours": f"\n{_SCHOOL}\nMy working days are Monday, Tuesday and Thursday. I do not expect a reply"
        " outside your own working hours.\n",
        "concern": f"\n{_SCHOOL}\nIf you are worried about a child, call the MASH on 01632 960999."
        " In an emergency call 999.\n",
        "disclaimer": f"\n{_SCHOOL}\n[cid:image001.png@01DB2F3C.4A5B6C70]\n\n"
        "This email and any files transmitted with it are confidential and intended solely for the use of"
        " the individual or entity to whom they are addressed. If you have received this email in error"
        " please notify the sender and delete it. Oakfield Primary School does not accept liability for any"
        " loss arising from its use. Registered in England and Wales No. 01234567.\n",
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its name, the whole mail, and what it says (None where no answer may be recorded)."""

    name: str
    mail: bytes
    says: dict[str, object] | None


def read(mail: bytes) -> Reading:
    """As `read_mail` reads it, without a child process for each mail; what makes a mail unreadable raises."""
    return read_opened(open_secured(mail, EXPECTED), EXPECTED)


@functools.cache
def replies(file: str) -> tuple[Reply, ...]:
    """Every reply in FILE, which stands beside this module."""
    return tuple(_reply(found) for found in _BLOCK.finditer((HERE / file).read_bytes().decode("utf-8")))


def _reply(found: re.Match[str]) -> Reply:
    name, options, *says = (part.strip() for part in found["head"].split("|"))
    chosen = dict(one.partition("=")[::2] for one in options.split())
    return Reply(name, _mail(_filled(found["text"].rstrip("\n")), chosen), _said(says))


def _said(says: list[str]) -> dict[str, object] | None:
    if not says:
        return None
    start, end, previous, held = says
    return {
        "roll_from": start,
        "roll_to": end,
        "previous_school": previous,
        "records_held": {"yes": True, "no": False}[held],
    }


def _filled(text: str) -> str:
    for mark, value in (
        ("{ABC}", "{AB}\nc. No"), ("{AB}", "a. 03/09/2018 to present\nb. Meadow View School"), ("{A}", A), ("{B}", B), ("{CQ}", C_ALONE), ("{C}", C), ("{REF}", REFERENCE), ("{CHILD}", CHILD),
        ("{OTHER}", OTHER_REFERENCE), ("{LETTER}", letter()),
        ("{ZWSP}", "\u200b"), ("{RLO}", "\u202e"), ("{NBSP}", "\u00a0"), ("{CYR_o}", "\u043e"),
        ("{LONG}", "word " * 16_000), ("{BLANKS}", "\n" * 60), ("{TAGS}", "\U000e0041"),
    ):  # fmt: skip
        text = text.replace(mark, value)
    return text


@functools.cache
def letter(answers: tuple[str, str, str] | None = None) -> str:
    """The letter as a school sees it, with ANSWERS typed behind its three lines where given."""
    text = (Path("gateway/partnerships/southampton/letters") / "dsl-letter.txt").read_text()
    text = re.sub(r"\{% if child_born_on %\}.*?\{% endif %\}", "", text)
    for name, value in (
        ("council", "Northam City Council"), ("date_on", "5 October 2026"), ("reference", REFERENCE),
        ("dsl_names", "Jo Kerr"), ("school", "Oakfield Primary School"), ("child_name", CHILD),
        ("adviser_name", "Ada Mbeki"), ("adviser_telephone", "01632 960000"),
        ("adviser_post", "School Improvement Adviser"),
    ):  # fmt: skip
        text = text.replace("{{ " + name + " }}", value)
    for label, answer in zip((A, B, C), answers or ("", "", ""), strict=True):
        kept = C_ALONE if label == C and answer else label
        text = text.replace(label, f"{kept} {answer}".rstrip())
    return text


def _quoted(text: str, style: str) -> str:
    header = (
        "From: Ada Mbeki <adviser@council.example>\nSent: 05 October 2026 09:00\n"
        f"To: Jo Kerr <{SCHOOL}>\n"
        f"Subject: Private and confidential: confirmation needed, reference {REFERENCE}\n\n"
    )
    wrote = "On Mon, 5 Oct 2026 at 09:00, Ada Mbeki <adviser@council.example> wrote:\n"
    marked = "".join(f"> {line}".rstrip() + "\n" for line in letter().splitlines())
    if style == "filled":
        return f"Please see below.\n\n{header}{letter(tuple(text.split(';')))}"
    return (
        text
        + {
            "none": "",
            "outlook": f"\n\n{header}{letter()}",
            "owa": f"\n\n________________________________\n{header}{letter()}",
            "gmail": f"\n\n{wrote}\n{marked}",
            "apple": "\n\n> On 5 Oct 2026, at 09:00, Ada Mbeki <adviser@council.example> wrote:\n>\n"
            + marked,
            "welsh": "\n\nOddi wrth: Ada Mbeki <adviser@council.example>\nAnfonwyd: 05 Hydref 2026 09:00\n"
            f"At: Jo Kerr <{SCHOOL}>\nPwnc: Private and confidential: confirmation needed,"
            f" reference {REFERENCE}\n\n{letter()}",
            "htmloutlook": '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Ada Mbeki'
            "<br><b>Sent:</b> 05 October 2026 09:00<br><b>To:</b> Jo Kerr<br><b>Subject:</b> Private and"
            f" confidential: confirmation needed, reference {REFERENCE}</p></div>{_as_html(letter())}",
            "htmlgmail": '<br><div class="gmail_quote"><div class="gmail_attr">On Mon, 5 Oct 2026 at 09:00, Ada'
            " Mbeki &lt;adviser@council.example&gt; wrote:<br></div><blockquote class=gmail_quote>"
            f"{_as_html(letter())}</blockquote></div>",
        }[style]
    )


def _as_html(text: str) -> str:
    return "".join(f"<p>{line}</p>" for line in text.splitlines() if line)


def _mail(text: str, chosen: dict[str, str]) -> bytes:
    said = text + ("" if chosen.get("quote") == "filled" else SIGNATURES[chosen.get("sig", "none")])
    body = _quoted(said, chosen.get("quote", "none"))
    kind, content = _content(body, chosen)
    head = {
        "Return-Path": f"<{SCHOOL}>",
        "Authentication-Results": f"{SERVER}; dkim=pass header.d=oakfield.example;"
        f" spf=pass smtp.mailfrom=oakfield.example; dmarc={chosen.get('dmarc', 'pass')} (p=reject)"
        " header.from=oakfield.example",
        "Received": f"from mail.oakfield.example by {SERVER} with ESMTPS id 9;"
        " Tue, 6 Oct 2026 11:00:00 +0100",
        "From": chosen.get("from", f"Jo_Kerr_<{SCHOOL}>").replace("_", " "),
        "To": "reply@council.example",
        "Subject": _filled(
            chosen.get("subject", "RE:_Private_and_confidential:_confirmation_needed,_reference_{REF}")
        ).replace("_", " "),
        "Date": "Tue, 6 Oct 2026 10:59:58 +0100",
        "Message-ID": "<u1@oakfield.example>",
        "MIME-Version": "1.0",
    }
    if "header" in chosen:
        name, _, value = chosen["header"].partition(":")
        head[name] = value.replace("_", " ")
    return "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + kind + content


def _content(body: str, chosen: dict[str, str]) -> tuple[bytes, bytes]:
    first = _part(body, "html" if "html" in chosen else "plain", chosen)
    if "both" in chosen:
        return b"", _several("alternative", first, _part(_as_html(body.replace("<", "&lt;")), "html", {}))
    if "attach" in chosen:
        name = chosen["attach"]
        file = f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"'
        return b"", _several("mixed", first, f"{file}\r\n\r\nThe answers are in here.\r\n".encode())
    return b"", first


def _part(body: str, kind: str, chosen: dict[str, str]) -> bytes:
    encoding, cte = chosen.get("enc", "utf-8"), chosen.get("cte", "8bit")
    raw = body.replace("\n", "\r\n").encode(encoding)
    if cte == "base64":
        raw = base64.encodebytes(raw)
    elif cte == "qp":
        raw, cte = quopri.encodestring(raw), "quoted-printable"
    head = f"Content-Type: text/{kind}; charset={encoding}\r\nContent-Transfer-Encoding: {cte}\r\n\r\n"
    return head.encode() + raw


def _several(kind: str, *parts: bytes) -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="edge"\r\n\r\n'.encode()
    return head + b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"
