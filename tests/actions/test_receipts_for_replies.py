"""A school's reply is answered with one receipt, without content, and no machine's mail ever is. RFC 3834; S2-23."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.memory import MemoryAdapter
from gateway.core.deliveries import Letter
from gateway.core.replies import MailExpected, MailReading
from gateway.dispatch import intake
from gateway.dispatch.carrying import carry_due
from gateway.store import mail
from tests.actions.scene import SCHOOL, letter_to_the_school, reach_by, sent_by_the_house
from tests.gateway_house import House


async def comes(house: House, row: mail.LetterRow, kind: str, words: str) -> None:
    """A mail to the letter's own address, read as `kind`."""

    def read(_: bytes, __: MailExpected) -> MailReading:
        return MailReading(kind, "needs_review", row.reference, row.token, {}, (), (), {})

    to, raw = f"reply+{row.token}@council.example", f"Subject: x\r\n\r\n{words}\r\n".encode()
    parts = replace(house.parts, read_mail=read)
    await intake.keep(parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    assert await intake.read_kept(parts) == 1


async def receipts(house: House, referral: dict[str, Any]) -> list[dict[str, Any]]:
    return await sent_by_the_house(house, referral, "acknowledgement")


async def test_the_first_reply_to_a_letter_has_a_receipt_and_the_second_none(house: House) -> None:
    await reach_by(house, SCHOOL, "mail")
    referral, row = await letter_to_the_school(house)
    await comes(house, row, "reply", "We shall look.")
    (receipt,) = await receipts(house, referral)
    assert (receipt["reference"], receipt["body"]["by"]) == (f"received-{row.reference}", "system")
    await comes(house, row, "return", "Here it is.")
    assert len(await receipts(house, referral)) == 1


async def test_what_no_person_wrote_has_none(house: House) -> None:
    await reach_by(house, SCHOOL, "mail")
    referral, row = await letter_to_the_school(house)
    for kind in ("auto_reply", "bounce", "read_receipt", "unrelated", "unreadable"):
        await comes(house, row, kind, f"This is a mail of the kind {kind}.")
        assert await receipts(house, referral) == [], kind


async def test_the_receipt_leaves_without_a_sender_that_could_be_answered_and_says_nothing_of_the_child(
    house: House,
) -> None:
    await reach_by(house, SCHOOL, "mail")
    referral, row = await letter_to_the_school(house)
    memory = MemoryAdapter()
    parts = replace(house.parts, adapters={**house.parts.adapters, "mail": memory})
    await comes(house, row, "reply", "Robin was here.")
    while await carry_due(parts):
        pass
    sent = [one.letter for one in memory.held.values() if one.message_type == "acknowledgement"]
    assert [isinstance(one, Letter) and one.is_receipt for one in sent] == [True]
    assert sent[0] is not None
    assert sent[0].subject == f"We received your reply, reference {row.reference}"
    assert "Testington" not in sent[0].text
    assert await receipts(house, referral)
