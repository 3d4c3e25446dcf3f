"""Builds e-mails as schools and others send them: readable pieces, no binary files. All names are invented."""

from __future__ import annotations

import base64
import quopri

SERVER = "mx.council.example"
ENROLLED = "dsl@hillside.example"
REFERENCE = "SG-7K3M-9QPX-2D"
SUBJECT = f"RE: Private and confidential: confirmation needed, reference {REFERENCE}"

A = "a. Dates on roll (from and to):"
B = "b. Previous school (if applicable):"
C = "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child?"

RECEIVED = (
    f"Received: from mail.hillside.example by {SERVER} with ESMTPS id 4X; Mon, 5 Oct 2026 10:00:00 +0100"
)
VOUCHED = (
    f"Authentication-Results: {SERVER}; dkim=pass header.d=hillside.example; spf=pass smtp.mailfrom=hillside.example;"
    " dmarc=pass (p=reject) header.from=hillside.example"
)
LETTER = f"""Dear Ms Smith

We are writing about a child who may be on your roll.

{A}

{B}

{C} Yes / No

Yours sincerely
Alex Adviser
"""
ATTRIBUTION = "On Mon, 5 Oct 2026 at 09:00, Alex Adviser <alex@council.example> wrote:"
OUTLOOK = f"""From: Alex Adviser <alex@council.example>
Sent: 05 October 2026 09:00
To: Jane Smith <{ENROLLED}>
Subject: Private and confidential: confirmation needed, reference {REFERENCE}
"""
WELSH_OUTLOOK = f"""Oddi wrth: Alex Adviser <alex@council.example>
Anfonwyd: 05 Hydref 2026 09:00
At: Jane Smith <{ENROLLED}>
Pwnc: Private and confidential: confirmation needed, reference {REFERENCE}
"""


def quoted(text: str, mark: str = "> ") -> str:
    """As mail programs quote: every line marked, long lines wrapped."""
    lines: list[str] = []
    for line in text.split("\n"):
        words, now = line.split(" "), ""
        for word in words:
            if now and len(now) + len(word) > 70:
                lines.append(now)
                now = word
            else:
                now = f"{now} {word}" if now else word
        lines.append(now)
    return "\n".join((mark + line).rstrip() for line in lines)


def filled(
    roll: str = "06/09/2021 to present", school: str = "Valley Primary School", held: str = "No"
) -> str:
    """The three lines of the letter with answers behind them."""
    return f"{A} {roll}\n{B} {school}\n{C} {held}\n"


def letter_with(
    roll: str = "06/09/2021 to present", school: str = "Valley Primary School", held: str = "No"
) -> str:
    """The whole letter with the answers typed into it."""
    return LETTER.replace(A, f"{A} {roll}").replace(B, f"{B} {school}").replace("Yes / No", held)


def mail(
    text: str | None = None,
    *,
    html: str | None = None,
    sender: str = f"Jane Smith <{ENROLLED}>",
    to: str = "Alex Adviser <alex@council.example>",
    subject: str | None = SUBJECT,
    top: tuple[str, ...] = (VOUCHED, RECEIVED),
    more: tuple[str, ...] = (),
    encoding: str = "8bit",
    charset: str = "utf-8",
    parts: tuple[str, ...] = (),
) -> bytes:
    """One whole mail. `top` are the fields that our own server wrote, `more` the sender's further ones."""
    head = [*top, f"From: {sender}", f"To: {to}"]
    if subject is not None:
        head.append(f"Subject: {subject}")
    head += [
        "Date: Mon, 5 Oct 2026 10:00:00 +0100",
        "Message-ID: <one@hillside.example>",
        "MIME-Version: 1.0",
        *more,
    ]
    bodies = [
        part("text/" + kind, body, encoding, charset)
        for kind, body in (("plain", text), ("html", html))
        if body is not None
    ]
    content = bodies[0] if len(bodies) == 1 else multipart("alternative", *bodies)
    if parts:
        content = multipart("mixed", content, *parts)
    return ("\n".join(head) + "\n" + content).replace("\n", "\r\n").encode(charset, "surrogateescape")


def part(kind: str, body: str, encoding: str = "8bit", charset: str = "utf-8", more: str = "") -> str:
    """One MIME part, header and all."""
    raw = body.encode(charset)
    shown = body
    if encoding == "base64":
        shown = base64.encodebytes(raw).decode("ascii")
    elif encoding == "quoted-printable":
        shown = quopri.encodestring(raw).decode("ascii")
    return f"Content-Type: {kind}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n{more}\n{shown}"


def multipart(kind: str, *parts: str, more: str = "") -> str:
    """A multipart of the parts; boundaries differ by kind, so that one can stand inside another."""
    boundary = f"=_{kind}_boundary"
    inside = "".join(f"--{boundary}\n{one}\n" for one in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}\n\n{inside}--{boundary}--\n'


def file_part(name: str, kind: str = "application/pdf", content: str = "%PDF-1.4 invented") -> str:
    """An attached file."""
    return part(kind, content, "base64", more=f'Content-Disposition: attachment; filename="{name}"\n')


def table(roll: str, school: str, held: str) -> str:
    """The letter as an Outlook table with the answers in the second column."""
    rows = ((A, roll), (B, school), (C, held))
    cells = "".join(
        f"<tr><td width=300><p class=MsoNormal><b>{label}</b><o:p></o:p></p></td><td><p class=MsoNormal>{value}<o:p></o:p></p></td></tr>"
        for label, value in rows
    )
    return (
        f"<html><head><style>p {{margin:0}}</style></head><body><table border=1>{cells}</table></body></html>"
    )
