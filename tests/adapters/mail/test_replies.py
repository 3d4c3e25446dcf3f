"""What may be recorded from a school's reply without a person, and what may not: one line a case.

S2-22, S2-26, X-28; contract section 2 (`gateway mail read`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from adapters.mail.findings import Answers, Expected, Kind, Reading, Verdict
from adapters.mail.opened import open_mail
from adapters.mail.replies import read_opened
from tests.adapters.mail.mails import (
    ATTRIBUTION,
    ENROLLED,
    LETTER,
    OUTLOOK,
    RECEIVED,
    REFERENCE,
    SERVER,
    SUBJECT,
    VOUCHED,
    WELSH_OUTLOOK,
    A,
    B,
    C,
    file_part,
    filled,
    letter_with,
    mail,
    multipart,
    part,
    quoted,
    table,
)

PRESENT = Answers("2021-09-06", "present", "Valley Primary School", False)
LEFT = Answers("2021-09-06", "2024-07-12", "not_applicable", True)
SHORT = "a. 06/09/2021 to present\nb. Valley Primary School\nc. No\n"


def read(raw: bytes, enrolled: tuple[str, ...] = (ENROLLED,), server: str | None = SERVER) -> Reading:
    return read_opened(open_mail(raw), Expected(enrolled, server))


COMPLETE: dict[str, tuple[bytes, Answers]] = {
    "answers on top, letter quoted with marks": (
        mail(f"Hello\n\n{filled()}\nKind regards\nJane\n\n{ATTRIBUTION}\n{quoted(LETTER)}"), PRESENT),
    "answers on top by letter only": (mail(f"{SHORT}\n{ATTRIBUTION}\n{quoted(LETTER)}"), PRESENT),
    "short labels with brackets": (
        mail(f"a) 06/09/2021 to present\nb) Valley Primary School\nc) No\n\n{ATTRIBUTION}\n{quoted(LETTER)}"), PRESENT),
    "short labels in round brackets": (
        mail(f"(a) 06/09/2021 to present\n(b) Valley Primary School\n(c) No\n\n{OUTLOOK}\n{LETTER}"), PRESENT),
    "answers under the quoted letter": (mail(f"{ATTRIBUTION}\n{quoted(LETTER)}\n\n{SHORT}\nMany thanks\nJane Smith"), PRESENT),
    "answers typed inside the quotation": (mail(f"{ATTRIBUTION}\n{quoted(letter_with())}"), PRESENT),
    "Apple's Mail marks its attribution like the letter": (
        mail(f"{SHORT}\n{quoted(ATTRIBUTION)}\n> \n> We would be grateful for answers to three questions.\n{quoted(LETTER)}"), PRESENT),
    "what points at the answers": (
        mail("a. --> 06/09/2021 to present\nb. -> Valley Primary School\nc. Answer: No\n"), PRESENT),
    "answers between the quoted lines": (
        mail(f"{ATTRIBUTION}\n> {A}\n06/09/2021 to present\n> {B}\nValley Primary School\n> {C} Yes / No\nNo\n"), PRESENT),
    "answers on the line under each label": (
        mail(f"{A}\n06/09/2021 to present\n\n{B}\nValley Primary School\n\n{C} Yes / No\n\nNo\n"), PRESENT),
    "two dates on two lines": (
        mail(f"{A}\nFrom: 06/09/2021\nTo: 12/07/2024\n{B} N/A\n{C} Yes\n"), LEFT),
    "Outlook puts the letter below without marks": (mail(f"{filled()}\nRegards\n\n{OUTLOOK}\n{LETTER}"), PRESENT),
    "Outlook, answers typed into the letter below": (
        mail(f"Please see my answers in red below.\n\nKind regards\nJane Smith\nDesignated Safeguarding Lead\n\n{OUTLOOK}\n{letter_with()}"), PRESENT),
    "Welsh Outlook header block": (mail(f"Bore da\n\n{filled()}\nCofion\nJane\n\n{WELSH_OUTLOOK}\n{LETTER}"), PRESENT),
    "Welsh attribution": (
        mail(f"{SHORT}\nDiolch\n\nAr Llun, 5 Hyd 2026 am 09:00, Alex <alex@council.example> ysgrifennodd:\n{quoted(LETTER)}"), PRESENT),
    "original message line": (mail(f"{SHORT}\n-----Original Message-----\n{OUTLOOK}\n{LETTER}"), PRESENT),
    "typed after the choice that was left standing": (mail(filled(held="Yes / No: No")), PRESENT),
    "one word deleted, slash left": (mail(filled("06/09/2021 to 12/07/2024", "N/A", "Yes /")), LEFT),
    "one word deleted, slash left in front": (mail(filled(held="/ No")), PRESENT),
    "capitals and full stop": (mail(filled(held="NO.")), PRESENT),
    "month names": (mail(filled("6 September 2021 - 12th July 2024", "Not applicable", "Yes")), LEFT),
    "ISO dates": (mail(filled("2021-09-06 to 2024-07-12", "not applicable", "yes")), LEFT),
    "only months are known": (
        mail(filled("September 2021 to July 2024", "None", "Yes")), Answers("2021-09", "2024-07", "not_applicable", True)),
    "only years are known": (mail(filled("2021 to 2024", "n/a", "Yes")), Answers("2021", "2024", "not_applicable", True)),
    "still on roll": (mail(filled("From 06/09/2021, still on roll")), PRESENT),
    "quoted-printable": (mail(filled(), encoding="quoted-printable"), PRESENT),
    "base64": (mail(filled(), encoding="base64"), PRESENT),
    "Windows character set and dash": (mail(filled("06/09/2021 \u2013 present"), charset="cp1252", encoding="quoted-printable"), PRESENT),
    "a school's name with Welsh letters": (
        mail(filled(school="Ysgol D\u0175r y Ll\u0177n")), Answers("2021-09-06", "present", "Ysgol D\u0175r y Ll\u0177n", False)),
    "HTML table": (mail(html=table("06/09/2021 to present", "Valley Primary School", "No")), PRESENT),
    "HTML, No struck out": (
        mail(html=table("06/09/2021 to 12/07/2024", "N/A", "Yes / <s>No</s>")), LEFT),
    "HTML, Yes struck out with del": (
        mail(html=table("06/09/2021 to present", "Valley Primary School", "<del>Yes</del> / No")), PRESENT),
    "HTML, struck out by style": (
        mail(html=table("06/09/2021 to present", "Valley Primary School", '<span style="text-decoration:line-through">Yes /</span> No')), PRESENT),
    "plain text lost the strike-out that HTML has": (
        mail(filled("06/09/2021 to 12/07/2024", "N/A", "Yes / No"), html=table("06/09/2021 to 12/07/2024", "N/A", "Yes / <strike>No</strike>")), LEFT),
    "both alternatives agree": (mail(filled(), html=table("06/09/2021 to present", "Valley Primary School", "No")), PRESENT),
    "HTML reply over an HTML quotation": (
        mail(html=f'<div>{SHORT.replace(chr(10), "<br>")}</div><div class="gmail_quote"><div class="gmail_attr">{ATTRIBUTION.replace("<", "&lt;").replace(">", "&gt;")}</div>'
             f'<blockquote class="gmail_quote" style="border-left:1px solid">{LETTER.replace(chr(10), "<br>")}</blockquote></div>'), PRESENT),
    "banner of the school's own mail system": (
        mail(f"{filled()}\n{OUTLOOK}\nCAUTION: This email originated from outside the school. Do not click links.\n\n{LETTER}"), PRESENT),
    "banner of our own mail system on top": (
        mail(f"EXTERNAL EMAIL: This email originated from outside the council. Do not click links or open attachments.\n\n{filled()}"), PRESENT),
    "polite words around": (
        mail(
            f"Dear Alex\n\nThank you for your letter. I can confirm the following:\n\n{filled()}\nThanks Jane\n\n{ATTRIBUTION}\n{quoted(LETTER)}"
        ),
        PRESENT,
    ),
    "signature and small print": (
        mail(f"{filled()}\nKind regards\n\nJane Smith\nDesignated Safeguarding Lead\nHillside School\nTel: 0191 496 0000 | www.hillside.example\n\n"
             "This email and any attachments are confidential and intended solely for the addressee. Yes, really, and no,\nyou may not copy it."), PRESENT),
    "sent from a telephone": (mail(f"{SHORT}\nSent from my iPhone\n\n{ATTRIBUTION}\n{quoted(LETTER)}"), PRESENT),
    "reference only in the subject": (mail(filled()), PRESENT),
    "reference only in the address it came to": (
        mail(filled(), subject="Re: your letter", to="reply+SG-7K3M-9QPX-2D.x7fa@council.example"), PRESENT),
    "reference in small letters in the address": (
        mail(filled(), subject="Re: your letter", to="reply+sg-7k3m-9qpx-2d@council.example"), PRESENT),
    "reference only in the thread": (
        mail(filled(), subject="Re: your letter", more=("In-Reply-To: <SG-7K3M-9QPX-2D@council.example>",)), PRESENT),
    "reference only in References": (
        mail(filled(), subject="Re: your letter", more=("References: <x@y.example>\n <dlv-1.SG-7K3M-9QPX-2D@council.example>",)), PRESENT),
    "reference only in the text": (mail(f"Reference: {REFERENCE}\n\n{filled()}", subject="Our answer"), PRESENT),
    "school's tag before the subject": (mail(filled(), subject=f"[EXTERNAL] {SUBJECT}"), PRESENT),
    "encoded subject": (mail(filled(), subject=f"=?utf-8?Q?Re:_{REFERENCE.replace('-', '=2D')}?="), PRESENT),
    "address in other capitals": (mail(filled(), sender="Jane Smith <DSL@Hillside.Example>"), PRESENT),
    "bare address": (mail(filled(), sender=ENROLLED), PRESENT),
    "only DMARC is reported": (
        mail(filled(), top=(f"Authentication-Results: {SERVER}; dmarc=pass header.from=hillside.example", RECEIVED)), PRESENT),
    "results in two fields of ours": (
        mail(filled(), top=(f"Authentication-Results: {SERVER}; dmarc=pass header.from=hillside.example",
                            f"Authentication-Results: {SERVER}; dkim=fail header.d=other.example; dkim=pass header.d=hillside.example", RECEIVED)), PRESENT),
    "handed over inside the house afterwards": (
        mail(filled(), top=(f"Received: from {SERVER} by store.council.example with LMTP id 9", VOUCHED, RECEIVED)), PRESENT),
    "a forged failure below changes nothing": (
        mail(filled(), top=(VOUCHED, RECEIVED, f"Authentication-Results: {SERVER}; dmarc=fail header.from=hillside.example")), PRESENT),
    "S/MIME signature is no attachment": (
        mail(filled(), parts=(part("application/pkcs7-signature", "MIIB", "base64", more='Content-Disposition: attachment; filename="smime.p7s"\n'),)), PRESENT),
    "small logo inside the signature": (
        mail(html=table("06/09/2021 to present", "Valley Primary School", "No") + "<p>Kind regards</p><p>Jane <img src='cid:logo'></p>"), PRESENT),
    "stars of a bold text": (mail(f"*{A}* 06/09/2021 to present\n*{B}* Valley Primary School\n*{C}* *No*\n"), PRESENT),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLETE)
def test_an_unambiguous_answer_is_recorded(name: str) -> None:
    raw, answers = COMPLETE[name]
    reading = read(raw)
    assert (reading.kind, reading.verdict, reading.reasons) == (Kind.REPLY, Verdict.COMPLETE, ())
    assert reading.answers == answers
    assert reading.reference == REFERENCE
    assert reading.suggested == Answers()


@dataclass(frozen=True)
class Review:
    """A mail that a person must read: the flags it must carry and the answer about records that may be suggested."""

    raw: bytes
    flags: tuple[str, ...]
    suggests: bool | None = None
    kind: Kind = Kind.REPLY


FORGED = f"Authentication-Results: {SERVER}; dkim=pass header.d=hillside.example; dmarc=pass header.from=hillside.example"
DOUBTFUL: dict[str, Review] = {
    # what they say
    "No, but see attached": Review(mail(filled(held="No - but see attached")), ("unclear_answer",)),
    "No and something attached": Review(mail(filled(), parts=(file_part("chronology.pdf"),)), ("attachment",), False),
    "Yes and something attached": Review(mail(filled(held="Yes"), parts=(file_part("note.docx"),)), ("attachment",), True),
    "No and a sentence below": Review(mail(f"{filled()}\nHowever there was a referral in 2022.\n"), ("additional_information",), False),
    "Yes and a sentence below": Review(mail(f"{filled(held='Yes')}\nPlease ring me today.\n"), ("additional_information",), True),
    "No and a sentence above": Review(mail(f"We did worry about attendance last year.\n\n{filled()}"), ("additional_information",), False),
    "No and a sentence in the signature": Review(mail(f"{filled()}\nKind regards\nJane\nPS there was a bruise once"), ("additional_information",), False),
    "No and a name-like line": Review(mail(f"{filled()}\nEarly Help Involved\n"), ("additional_information",), False),
    "No and a sentence posing as small print": Review(mail(f"{filled()}\nThis email is to say that we were worried in 2022.\n"), ("additional_information",), False),
    "No and a sentence in an indented block": Review(
        mail(html=table("06/09/2021 to present", "Valley Primary School", "No") + '<blockquote style="margin:0 0 0 40px;border:none">A concern was logged.</blockquote>'), ("additional_information",), False),
    "No and a sentence inside the quotation": Review(
        mail(f"{ATTRIBUTION}\n{quoted(letter_with() + chr(10) + 'However a concern was logged.')}"), ("additional_information",), False),
    "a sentence between the answers": Review(
        mail(f"{A} 06/09/2021 to present\nShe was away for a term.\n{B} Valley Primary School\n{C} No\n"), ("additional_information",), False),
    "prose says no records": Review(mail(f"We hold no records for this child.\n\n{ATTRIBUTION}\n{quoted(LETTER)}"), ("incomplete", "additional_information"), False),
    "prose hedges": Review(mail("We do not hold any child protection records, although there was a welfare concern in 2022."), ("incomplete", "additional_information")),
    "only the word No": Review(mail(f"No\n\n{ATTRIBUTION}\n{quoted(LETTER)}"), ("incomplete",)),
    "None held behind the label": Review(mail(filled(held="None held")), ("unclear_answer",), False),
    "N is not a word": Review(mail(filled(held="N")), ("unclear_answer",), False),
    "not to our knowledge": Review(mail(filled(held="Not to our knowledge")), ("unclear_answer",)),
    "text that HTML hides is no answer, and a person looks": Review(
        mail(html='<div style="display:none">a. 01/01/2001 to present</div>' + table("06/09/2021 to present", "Valley Primary School", "No")), ("hidden_text",), False),
    "Welsh no": Review(mail(filled(held="Nac oes")), ("unclear_answer",), False),
    "yes and no": Review(mail(filled(held="Yes and No")), ("unclear_answer",)),
    "a look-alike letter in No": Review(mail(filled(held="N\u043e")), ("unclear_answer",)),
    "No marked bold is a guess": Review(mail(html=table("06/09/2021 to present", "Valley Primary School", "Yes / <b>No</b>")), ("incomplete",)),
    "both words struck out": Review(mail(html=table("06/09/2021 to present", "Valley Primary School", "<s>Yes</s> / <s>No</s>")), ("incomplete",)),
    "a date struck out": Review(mail(html=table("<s>06/09/2020</s> 06/09/2021 to present", "Valley Primary School", "No")), ("struck_out_text",), False),
    "template sent back untouched": Review(mail(f"{ATTRIBUTION}\n{quoted(LETTER)}"), ("incomplete",)),
    "template sent back untouched under Outlook": Review(mail(f"Please see below\n\n{OUTLOOK}\n{LETTER}"), ("incomplete",)),
    "one question left blank": Review(mail(filled(school="")), ("incomplete",), False),
    "roll left blank": Review(mail(filled(roll="")), ("incomplete",), False),
    "c left blank, letter below": Review(mail(f"{A} 06/09/2021 to present\n{B} N/A\n{C}\n\nKind regards\nJane"), ("incomplete",)),
    "two-digit years": Review(mail(filled("06/09/21 to 12/07/24")), ("unclear_answer",), False),
    "American order": Review(mail(filled("09/13/2021 to present")), ("unclear_answer",), False),
    "impossible date": Review(mail(filled("31/02/2021 to present")), ("unclear_answer",), False),
    "from after to": Review(mail(filled("12/07/2024 to 06/09/2021")), ("unclear_answer",), False),
    "dates in the future": Review(mail(filled("06/09/2021 to 12/07/2031")), ("unclear_answer",), False),
    "wrong weekday": Review(mail(filled("Tuesday 6 September 2021 to present")), ("unclear_answer",), False),
    "academic year": Review(mail(filled("2021/22 to 2023/24")), ("unclear_answer",), False),
    "about": Review(mail(filled("around September 2021 to present")), ("unclear_answer",), False),
    "only one date": Review(mail(filled("06/09/2021")), ("incomplete",), False),
    "two previous schools": Review(mail(filled(school="Valley Primary, then Dale Primary")), ("unclear_answer",), False),
    "unsure previous school": Review(mail(filled(school="We think Valley Primary")), ("unclear_answer",), False),
    "unknown previous school": Review(mail(filled(school="Unknown")), ("unclear_answer",), False),
    "never on roll": Review(mail(filled("never on roll", "N/A", "No")), ("unclear_answer", "never_on_roll"), False),
    "file went elsewhere": Review(mail("The file was transferred to Dale Primary in 2023."), ("file_transferred",)),
    "two pupils share the name": Review(mail("We have two pupils with the same name. Which one do you mean?"), ("name_shared",)),
    "wrong person": Review(mail("I am not the DSL, you have the wrong person."), ("wrong_recipient",)),
    "different answers on top and inside": Review(mail(f"{SHORT}\n{ATTRIBUTION}\n{quoted(letter_with(held='Yes'))}"), ("contradictory_answers",)),
    "HTML and plain text differ": Review(mail(filled(held="No"), html=table("06/09/2021 to present", "Valley Primary School", "Yes")), ("contradictory_answers",)),
    "two children, two answers": Review(mail(f"Child one\n{SHORT}\nChild two\n{SHORT.replace('c. No', 'c. Yes')}"), ("contradictory_answers", "additional_information")),
    "two children, same answers": Review(mail(f"{SHORT}\n{SHORT}"), ("several_answers",), False),
    "two references": Review(mail(f"{SHORT}\nSG-AB12-CD34-5E\n"), ("several_references",), False),
    "characters that change the reading order": Review(mail(filled(held="\u202eoN")), ("reordered_text",)),
    # how it comes
    "forwarded by subject": Review(mail(filled(), subject=f"FW: {SUBJECT}"), ("forwarded",), False),
    "forwarded to a colleague": Review(
        mail(f"I think no concerns but check CPOMS\n\n---------- Forwarded message ---------\n{OUTLOOK}\n{LETTER}", subject=f"Fwd: {SUBJECT}"), ("forwarded", "incomplete")),
    "a whole mail attached in its newer form": Review(mail(filled(), parts=("Content-Type: message/global\n\nFrom: x@y.example\nSubject: z\n\nWe worried.\n",)), ("attachment", "forwarded"), False),
    "a part of a mail attached": Review(mail(filled(), parts=('Content-Type: message/partial; id="a"; number=1\n\nWe worried.\n',)), ("attachment", "forwarded"), False),
    "a file that calls itself a signature": Review(mail(filled(), parts=(file_part("concerns.pdf", "application/pkcs7-signature"),)), ("attachment",), False),
    "a whole mail attached": Review(mail(filled(), parts=("Content-Type: message/rfc822\n\nFrom: x@y.example\nSubject: z\n\nhello\n",)), ("attachment", "forwarded"), False),
    "an answer inside an attached mail": Review(
        mail("Attached.", parts=(f"Content-Type: message/rfc822\n\nFrom: {ENROLLED}\n\n{filled()}\n",)), ("attachment", "forwarded", "incomplete")),
    "an answer inside an attached text": Review(mail("See attached.", parts=(file_part("answers.txt", "text/plain", filled()),)), ("attachment", "incomplete")),
    "Microsoft portal": Review(mail("You have received an encrypted message.", parts=(file_part("message_v4.rpmsg", "application/x-microsoft-rpmsg-message"),)), ("portal_wrapped",)),
    "Egress portal": Review(mail("Jane Smith has sent you a secure email. Click to read this secure email online: https://switch.egress.com/ui"), ("portal_wrapped",)),
    "S/MIME encrypted": Review(
        mail("", parts=()).replace(b"Content-Type: text/plain; charset=utf-8", b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'), ("encrypted",)),
    "Outlook's rich text file": Review(mail(filled(), parts=(file_part("winmail.dat", "application/ms-tnef"),)), ("attachment",), False),
    "no reference": Review(mail(filled(), subject="Re: your letter"), ("no_reference",), False),
    "a mis-typed reference is not guessed": Review(mail(filled(), subject="Re: SG-7K3M-9QP-2D"), ("no_reference",), False),
    "a reference with a letter that does not exist": Review(mail(filled(), subject="Re: SG-7K3M-9QPO-2D"), ("no_reference",), False),
    "picture among the answers": Review(mail(html=table("06/09/2021 to present", "Valley Primary School", "No") + "<p><img src='cid:x'></p>"), ("additional_information",), False),
    "answers in a circular": Review(mail(filled(), more=("Precedence: bulk",)), ("bulk_mail",), False),
    "an answer in prose by somebody who will be away": Review(
        mail("Hi, we hold a file for her. I am on annual leave from Friday, so ring me before."),
        ("incomplete", "additional_information"),
        True,
    ),
    "a colleague's answers passed on": Review(
        mail(
            f"See below\n\nFrom: Head <head@hillside.example>\nSent: 05 October 2026 09:00\nTo: Jane\nSubject: x\n\n{filled()}"
        ),
        ("quoted_answers",),
        False,
    ),
    "answers in a quotation of a quotation": Review(
        mail(f"{ATTRIBUTION}\n> Head wrote:\n{quoted(filled(), '>> ')}"), ("quoted_answers",), False
    ),
    "a sentence in the subject": Review(
        mail(filled(), subject=f"{SUBJECT} - please call, child at risk"), ("additional_information",), False
    ),
    "a sentence after the small print": Review(
        mail(f"{filled()}\nThis email is confidential and intended for you.\nHowever a concern was raised."),
        ("additional_information",),
        False,
    ),
    "a word in the signature": Review(
        mail(f"{filled()}\nKind regards\nJane\nRisk assessment pending"), ("additional_information",), False
    ),
    # who it is from
    "another sender": Review(mail(filled(), sender="Jane Smith <jane@hillside.example>"), ("different_sender",), False),
    "enrolled address as a name": Review(
        mail(filled(), sender=f'"{ENROLLED}" <jane@evil.example>', top=(VOUCHED.replace("hillside", "evil"), RECEIVED)), ("different_sender", "misleading_name"), False),
    "two addresses in From": Review(mail(filled(), sender=f"{ENROLLED}, jane@evil.example"), ("auth_failed", "different_sender"), False),
    "two From fields": Review(mail(filled(), more=("From: x@evil.example",)), ("auth_failed", "different_sender"), False),
    "no From": Review(mail(filled()).replace(f"From: Jane Smith <{ENROLLED}>\r\n".encode(), b""), ("auth_failed", "different_sender"), False),
    "look-alike domain": Review(mail(filled(), sender="Jane <dsl@hi\u04cflside.example>"), ("auth_failed", "different_sender"), False),
    "subdomain of the school": Review(mail(filled(), sender="Jane <dsl@mail.hillside.example>"), ("different_sender",), False),
    "answers would go elsewhere": Review(mail(filled(), more=("Reply-To: jane@evil.example",)), ("reply_to_elsewhere",), False),
    "two subjects": Review(mail(filled(), more=("Subject: other",)), ("duplicate_fields",), False),
    # whether that is so
    "nobody vouches": Review(mail(filled(), top=(RECEIVED,)), ("auth_failed",), False),
    "DMARC failed": Review(mail(filled(), top=(VOUCHED.replace("dmarc=pass", "dmarc=fail"), RECEIVED)), ("auth_failed",), False),
    "DMARC none": Review(mail(filled(), top=(VOUCHED.replace("dmarc=pass", "dmarc=none"), RECEIVED)), ("auth_failed",), False),
    "SPF alone carried DMARC": Review(mail(filled(), top=(VOUCHED.replace("dkim=pass", "dkim=fail"), RECEIVED)), ("auth_failed",), False),
    "signature of another domain": Review(mail(filled(), top=(VOUCHED.replace("header.d=hillside", "header.d=other"), RECEIVED)), ("auth_failed",), False),
    "DMARC for another domain": Review(mail(filled(), top=(VOUCHED.replace("header.from=hillside", "header.from=evil"), RECEIVED)), ("auth_failed",), False),
    "another server vouches": Review(mail(filled(), top=(VOUCHED.replace(SERVER, "mx.evil.example"), RECEIVED)), ("auth_failed",), False),
    "a server whose name begins like ours": Review(mail(filled(), top=(VOUCHED.replace(SERVER, SERVER + ".evil.example"), RECEIVED)), ("auth_failed",), False),
    "forged results below our Received line": Review(mail(filled(), top=(RECEIVED,), more=(FORGED,)), ("auth_failed",), False),
    "ours fails, a forged pass below": Review(mail(filled(), top=(VOUCHED.replace("=pass", "=fail"), RECEIVED), more=(FORGED,)), ("auth_failed",), False),
    "forged results in a comment": Review(
        mail(filled(), top=(f"Authentication-Results: {SERVER}; dmarc=fail (dmarc=pass header.from=hillside.example); spf=none", RECEIVED)), ("auth_failed",), False),
    "forged results in a quoted string": Review(
        mail(filled(), top=(f'Authentication-Results: {SERVER}; spf=pass smtp.mailfrom="x; dmarc=pass"', RECEIVED)), ("auth_failed",), False),
    "ours fails and there is no Received line": Review(mail(filled(), top=(VOUCHED.replace("dmarc=pass", "dmarc=fail"),), more=(FORGED,)), ("auth_failed",), False),
    "signature covers part of the text": Review(mail(filled(), more=("DKIM-Signature: v=1; a=rsa-sha256; d=hillside.example; s=x; l=10; b=AA",)), ("auth_failed",), False),
    # a return
    "an agency's return": Review(mail("Please find our return attached.", subject="Return for SI-7K3M-9QPX-2D", parts=(file_part("return.pdf"),)), ("attachment",), kind=Kind.RETURN),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
def test_any_doubt_goes_to_a_person_with_nothing_recorded(name: str) -> None:
    case = DOUBTFUL[name]
    reading = read(case.raw)
    assert (reading.kind, reading.verdict) == (case.kind, Verdict.NEEDS_REVIEW)
    assert set(case.flags) <= set(reading.flags)
    assert reading.answers == Answers()
    assert reading.suggested.records_held is case.suggests
    assert reading.reasons


AWAY = "Thank you for your email. Yes, I am out of the office until Monday."
NOT_ANSWERS: dict[str, tuple[bytes, Kind]] = {
    "out of office by header": (mail(AWAY, more=("Auto-Submitted: auto-replied",)), Kind.AUTO_REPLY),
    "out of office by subject": (mail(AWAY, subject=f"Automatic reply: {SUBJECT}"), Kind.AUTO_REPLY),
    "out of office by its words": (mail(f"{AWAY}\n\n{OUTLOOK}\n{LETTER}"), Kind.AUTO_REPLY),
    "Welsh out of office": (mail("Diolch", subject=f"Ateb awtomatig: {SUBJECT}"), Kind.AUTO_REPLY),
    "ticket system": (mail("Your request has been received.", more=("Auto-Submitted: auto-generated",)), Kind.AUTO_REPLY),
    "automatic mail that quotes filled answers": (mail(filled(), more=("Auto-Submitted: auto-replied",)), Kind.AUTO_REPLY),
    "Exchange's read note": (mail(f"Your message\n\nTo: Jane\nSubject: {SUBJECT}\n\nwas read on 05 October 2026.", subject=f"Read: {SUBJECT}"), Kind.READ_RECEIPT),
    "disposition notification": (
        mail("x").replace(b"Content-Type: text/plain; charset=utf-8", b"Content-Type: message/disposition-notification"), Kind.READ_RECEIPT),
    "an old responder answers in bulk": (mail("yes", more=("Precedence: bulk",)), Kind.AUTO_REPLY),
    "circular": (mail("Menus for next week", subject="Newsletter", more=("List-Id: <news.hillside.example>",)), Kind.UNRELATED),
    "a mail about nothing of ours": (mail("Can we borrow the hall?", subject="Hall booking", sender="x@other.example"), Kind.UNRELATED),
    "the enrolled school about something else": (mail("Can we borrow the hall?", subject="Hall booking"), Kind.UNRELATED),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_ANSWERS)
def test_what_nobody_wrote_as_an_answer_is_none(name: str) -> None:
    raw, kind = NOT_ANSWERS[name]
    reading = read(raw)
    assert (reading.kind, reading.verdict) == (kind, Verdict.NOT_AN_ANSWER)
    assert reading.answers == reading.suggested == Answers()


def test_without_an_enrolled_address_nothing_is_complete() -> None:
    reading = read(mail(filled()), enrolled=())
    assert reading.verdict is Verdict.NEEDS_REVIEW
    assert reading.suggested == PRESENT


def test_without_a_trusted_server_nothing_is_complete() -> None:
    assert "auth_failed" in read(mail(filled()), server=None).flags


def test_an_enrolled_school_in_prose_without_reference_still_reaches_a_person() -> None:
    reading = read(mail("About your letter: we hold no child protection file.", subject="Your query"))
    assert (reading.kind, reading.verdict) == (Kind.REPLY, Verdict.NEEDS_REVIEW)


def test_a_reference_with_wrong_check_characters_is_only_flagged() -> None:
    reading = read(mail(filled(), subject="Re: SG-7K3M-9QPX-2E"))
    assert (reading.verdict, reading.flags) == (Verdict.COMPLETE, ("reference_check",))


def test_our_own_letter_sent_back_with_answers_typed_into_it_is_an_answer() -> None:
    template = "Dear {{ dsl_names }}\n\nWe are writing about a child who may be on your roll.\n\nYours sincerely\n{{ adviser }}\n"
    expected = Expected((ENROLLED,), SERVER, letters=(template,))
    raw = mail(letter_with().replace("Alex Adviser", "Jane Smith"))
    assert read_opened(open_mail(raw), expected).answers == PRESENT
    added = mail(letter_with().replace("\nYours", "\nWe are writing about a worry.\n\nYours"))
    assert "additional_information" in read_opened(open_mail(added), expected).flags


def test_the_token_locates_the_letter_and_the_thread_is_told() -> None:
    raw = mail(filled(), to="reply+Abc123.x@council.example", more=("In-Reply-To: <dlv-1@council.example>",))
    reading = read(raw)
    assert (reading.token, reading.answers_to) == ("Abc123.x", ("<dlv-1@council.example>",))


def test_alternatives_inside_a_mixed_mail_are_read() -> None:
    bodies = multipart(
        "alternative",
        part("text/plain", filled()),
        part("text/html", table("06/09/2021 to present", "Valley Primary School", "No")),
    )
    raw = mail("x").partition(b"Content-Type")[0] + multipart("mixed", bodies).encode()
    assert read(raw).answers == PRESENT


@pytest.mark.parametrize(
    ("above", "below", "verdict"),
    [
        ("Please answer these in a reply to this e-mail:", "", Verdict.COMPLETE),
        ("Please ask me about his bruises.", "", Verdict.NEEDS_REVIEW),
        ("", "Please contact social care about him.", Verdict.NEEDS_REVIEW),
        ("Following a notification we must ask you about a pupil.", "", Verdict.COMPLETE),
        ("", "We made a referral about him in May.", Verdict.NEEDS_REVIEW),
    ],
)
def test_a_letter_quoted_in_other_words_is_still_the_letter_and_a_schools_own_words_are_not(
    above: str, below: str, verdict: Verdict
) -> None:
    """Under Outlook's header block nothing marks what the school wrote there; how to answer stands below the questions."""
    how = "If the child was never on roll, please say so. If the file went to another school, tell us which."
    letter = "\n\n".join(["Dear Ms Smith", above, A, B, C, how, "Yours sincerely\nAlex Adviser", below])
    raw = mail(f"{filled()}\nRegards\n\n{OUTLOOK}\n{letter}")
    expected = Expected(enrolled=(ENROLLED,), authserv_id=SERVER, letters=(LETTER,))
    assert read_opened(open_mail(raw), expected).verdict is verdict
