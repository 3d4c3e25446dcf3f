"""Tell a school that its reply reached us: once for each letter, to who holds the seat by the directory, without content.

Invariant: it answers a person's reply to one of our letters and nothing else, so that no two machines can answer each other;
it goes to the enrolled seat and never to the address that a mail claims to come from. So a lead in whose name somebody else
wrote learns of it.
Source: RFC 3834 sections 2 and 4; S2-23.
"""

from __future__ import annotations

from gateway.actions.compose import Composition, compose
from gateway.actions.owe_deliveries import delivery_row
from gateway.actions.what_follows import Forwarded
from gateway.core.messages import RoleId, Seat
from gateway.core.rules import letter_rule
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import incidents, messages
from gateway.store.mail import LetterRow, RawMail
from gateway.store.transaction import Tx

RULE = "reply-received"
REFERENCE = "received-"  # before the letter's: one receipt for each conversation
WRITTEN_BY_PEOPLE = frozenset({"reply", "return"})
DSL = RoleId("dsl")


def acknowledge_reply(tx: Tx, parts: Parts, work: Work, raw: RawMail, letter: LetterRow) -> None:
    """Owe the receipt, if none was owed for this letter; nothing where the school is not reached by e-mail."""
    seat = Seat(letter.agency, DSL)
    incident = incidents.find(tx, letter.partnership, letter.incident)
    about = messages.find(tx, [letter.partnership], letter.message)
    if incident is None or about is None or work.key is None or work.directory.way_to(seat).adapter != "mail":
        return
    reference = f"{REFERENCE}{letter.reference}"
    if messages.by_reference(tx, letter.partnership, about.agency, reference) is not None:
        return
    role = _signed_as(work, about.type)
    asked = Composition(
        type="acknowledgement",
        reference=reference,
        rule=RULE,
        sender=Seat(about.agency, role),
        author=("Safeguarding gateway", "Automatic receipt"),
        marking="OFFICIAL",
        body={"by": "system", "role": role, "acknowledged_at": _written(raw)},
        recipients=[seat],
        in_reply_to=letter.message,
    )
    message = compose(tx, parts, work, incident, asked)
    Forwarded(RULE, [delivery_row(work, message, incident, seat)]).record(tx)


def _signed_as(work: Work, message_type: str) -> RoleId:
    """The role that signs such letters by the pack in force."""
    rule = letter_rule(work.pack, message_type)
    return rule.sender_role if rule else RoleId("school-improvement")


def _written(raw: RawMail) -> str:
    return written(raw.arrived_at)
