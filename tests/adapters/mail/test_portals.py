"""Replies that a secure-mail portal wrapped: what came is a link or a sealed file, so a person opens it there; never "no reply".

The samples follow what the portals' own manuals and the schools' guidance say of them; no real mail was at hand.
"""

from __future__ import annotations

import pytest

from adapters.mail.findings import Answers, Expected, Kind, Verdict
from adapters.mail.opened import open_mail
from adapters.mail.replies import read_opened
from tests.adapters.mail.mails import ENROLLED, REFERENCE, SERVER, SUBJECT, file_part, filled, mail

HTML, RPMSG = "text/html", "application/x-microsoft-rpmsg-message"
WRAPPED = {
    "Microsoft Purview, rpmsg": mail("", parts=(file_part("message.rpmsg", RPMSG),)),
    "Microsoft, older rpmsg": mail("You have a message.", parts=(file_part("message_v2.rpmsg", "application/octet-stream"),)),
    "Microsoft Purview, button": mail(
        html=f"<p>Jane Smith ({ENROLLED}) has sent you a protected message.</p><p><a href='https://outlook.office365.com/x'>Read the"
        " message</a></p><p>Learn about messages protected by Microsoft Purview Message Encryption.</p>"
    ),
    "Office 365 Message Encryption, page": mail(
        "You've received an encrypted message from dsl@hillside.example\nTo view your message, save and open the attachment.",
        parts=(file_part("message.html", HTML),),
    ),
    "Egress, link": mail("Jane Smith has sent you a secure email.\n\nClick here to read this secure email online: https://switch.egress.com/ui/x"),
    "Egress, file": mail("This message has been sent securely by Egress Protect.", parts=(file_part("Reply.switch", "application/octet-stream"),)),
    "Egress, page": mail("Please open the attachment.", parts=(file_part("Encrypted_Message.htm", HTML),)),
    "NHSmail [secure]": mail(
        "You have received a secure email from NHSmail.\nClick to read this secure email online.", subject=f"RE: [secure] {SUBJECT}"
    ),
    "Mimecast": mail("Jane Smith has sent you a secure message.\n\nSign in to view the message: https://login.mimecast.example/u/x"),
    "Mimecast, its name": mail("A message waits for you in the Mimecast Secure Messaging portal."),
    "Proofpoint": mail("This is a secure message.\nClick here by 05/11/2026 to read your message.", parts=(file_part("SecureMessageAtt.html", HTML),)),
    "Cisco registered envelope": mail(
        "You have received a Secure Registered Envelope.\nOpen securedoc_20261005T090000.html", parts=(file_part("securedoc_20261005T090000.html", HTML),)
    ),
    "Zix": mail("You have received a secure e-mail message from Jane Smith.\nTo view it visit the Zix Secure Message Center."),
    "Galaxkey": mail("Jane Smith has sent you an encrypted email using Galaxkey.", parts=(file_part("message.gxk", "application/octet-stream"),)),
}  # fmt: skip


@pytest.mark.parametrize("portal", WRAPPED)
def test_a_reply_behind_a_portal_is_a_persons_with_its_reason(portal: str) -> None:
    reading = read_opened(open_mail(WRAPPED[portal]), Expected((ENROLLED,), SERVER))
    assert (reading.kind, reading.verdict) == (Kind.REPLY, Verdict.NEEDS_REVIEW)
    assert "portal_wrapped" in reading.flags
    assert (reading.answers, reading.reference) == (Answers(), REFERENCE)


def test_a_reply_in_the_open_that_only_speaks_of_secure_mail_is_none() -> None:
    signed = filled() + "\n\nPlease send confidential information by Egress or CJSM.\n"
    reading = read_opened(open_mail(mail(signed)), Expected((ENROLLED,), SERVER))
    assert "portal_wrapped" not in reading.flags
