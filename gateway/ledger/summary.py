"""What a bundle says to people: the read-me and the timeline in plain words.

Neither is signed, and both say so. They hold ids, times and event names only: no personal data.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from html import escape

from gateway.core.receipts import Event
from gateway.store.log import EntryRow

README = """\
EVIDENCE BUNDLE
===============
Receipts of one incident, and what is needed to check them without the gateway that made them.
This text and SUMMARY.html are not signed. What counts is what the check below says.

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
  checkpoints/, consistency/   the signed states of the log, and that each follows on the earlier ones

By hand: `jose jws ver -i receipts/0000.jws -k keys/KEY.jwk -O-` shows a statement; any C2SP tool reads a proof.

What none of this proves: that nothing happened which was never logged; that a receipt at the end of a chain was not left
out; what a person has read or understood. An answer of an ordinary mail server is not a delivery.
"""

_PAGE = """\
<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>Timeline of {incident}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1rem/1.5 sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #111; background: #fff }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; font-weight: bold; padding: .5rem 0 }}
th, td {{ border: 1px solid #767676; padding: .4rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>Timeline of incident {incident}</h1>
<p><strong>This page is not signed.</strong> It repeats in plain words what the receipts say. What counts is the check
described in README.txt. Times are UTC and are the gateway's own claim unless the check says that others confirm them.</p>
<table>
<caption>{count} receipts, {sealed} of them in the log</caption>
<thead><tr><th scope="col">Receipt</th><th scope="col">Time (UTC)</th><th scope="col">Event</th><th scope="col">Reason</th>
<th scope="col">What it shows, and what not</th><th scope="col">Chain and number</th><th scope="col">In the log</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""


def summary_page(incident: str, entries: Sequence[EntryRow], sealed: Collection[str]) -> str:
    """The timeline as one accessible page without scripts or outside resources."""
    rows = [_row(number, entry, entry.id in sealed) for number, entry in enumerate(entries)]
    return _PAGE.format(
        incident=escape(incident), count=len(entries), sealed=len(sealed), rows="\n".join(rows)
    )


def _row(number: int, entry: EntryRow, is_sealed: bool) -> str:
    try:
        meaning = Event.named(entry.event).meaning
    except KeyError:
        meaning = "An event that this version of the gateway does not know."
    cells = [
        f"{entry.at:%d %B %Y, %H:%M:%S}",
        entry.event,
        _reason(entry.statement),
        meaning,
        f"{entry.chain}, {entry.seq}",
        "yes" if is_sealed else "not yet",
    ]
    return (
        f'<tr><th scope="row">{number:04d}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )


def _reason(statement: bytes) -> str:
    return str(json.loads(statement).get("reason", "none"))
