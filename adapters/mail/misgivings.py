"""Why a mail is not recorded without a person, apart from its answers: its sender, its form, what it quotes, its subject.

Each misgiving is a stable flag and a reason in plain words. Sources: S2-22; reference on secure e-mail, replies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from adapters.mail import kinds
from adapters.mail.authenticity import aligned, the_sender
from adapters.mail.findings import Expected, Reading
from adapters.mail.lines import Page
from adapters.mail.opened import Opened, addresses
from adapters.mail.secured import vouched
from adapters.mail.sources import Body, Doubt, FormRead
from adapters.mail.surroundings import telling
from adapters.mail.vocabulary import words


def about_sender(opened: Opened, expected: Expected, base: Reading) -> list[Doubt]:
    """Whether it is from an enrolled address and truly so."""
    doubts: list[Doubt] = []
    verdict = vouched(opened, expected)
    if not verdict.passed:
        doubts.append(("auth_failed", verdict.reason or "The sender could not be checked."))
    known = enrolled(expected)
    if not known:
        doubts.append(
            ("not_enrolled", "No address is enrolled for this letter, so nobody's answer can be recorded.")
        )
    elif base.sender not in known:
        doubts.append(
            ("different_sender", "The mail is not from the address that is enrolled for this letter.")
        )
    shown = the_sender(opened.headers)
    if shown and any(
        found != shown.address
        for found in re.findall(r"[^\s<>\"']+@[^\s<>\"']+", opened.one("from").rpartition("<")[0].lower())
    ):
        doubts.append(("misleading_name", "The name shown for the sender is another e-mail address."))
    others = addresses([*opened.all("sender"), *opened.all("resent-from"), *opened.all("resent-sender")])
    if shown and any(address.lower() != shown.address for address in others):
        doubts.append(("sent_by_another", "The mail was sent by somebody else than it names as its writer."))
    reply_domains = {address.lower().rpartition("@")[2] for address in addresses(opened.all("reply-to"))}
    if shown and reply_domains - {shown.domain}:
        doubts.append(
            ("reply_to_elsewhere", "Answers to this mail would go to another domain than the sender's.")
        )
    return doubts


def about_reference(base: Reading, found: Sequence[str]) -> list[Doubt]:
    """Whether it names one letter."""
    if base.reference is None:
        return [("no_reference", "The mail does not name the letter's reference.")]
    letters = [reference for reference in found if reference[:2] == base.reference[:2]]
    if len(letters) > 1:
        return [("several_references", "The mail names more than one reference.")]
    return []


def about_shape(opened: Opened, bodies: Sequence[Body], form: FormRead) -> list[Doubt]:
    """What the mail is made of: portals, encryption, forwarding, files, doubled fields, strange characters."""
    doubts: list[Doubt] = []
    if kinds.is_wrapped(opened):
        doubts.append(
            ("portal_wrapped", "The reply is behind a secure-mail portal: a person has to open it.")
        )
    if opened.encrypted:
        doubts.append(("encrypted", "The reply is encrypted: a person has to open it."))
    if kinds.is_forwarded(opened) or any(body.page.forwarded for body in bodies):
        doubts.append(("forwarded", "The mail was forwarded: its words may be somebody else's."))
    if len(opened.files) > (1 if form.is_ours else 0) or opened.forwarded:
        doubts.append(("attachment", "Something is attached."))
    if any(
        len(opened.all(name)) > 1
        for name in ("subject", "content-type", "to", "date", "message-id", "mime-version")
    ):
        doubts.append(("duplicate_fields", "A header field that may stand once stands twice."))
    if any(body.page.hidden for body in bodies):
        doubts.append(("hidden_text", "The mail holds text that its reader does not see."))
    if any(body.page.reordered for body in bodies):
        doubts.append(("reordered_text", "The text holds characters that change the order of reading."))
    if kinds.is_list_mail(opened):
        doubts.append(("bulk_mail", "The mail was sent as a circular, yet it holds answers."))
    if not bodies and not form.is_ours:
        doubts.append(("empty", "The mail has no text."))
    return [*doubts, *form.doubts]


_YES_OR_NO = re.compile(r"[\s/]*(?:yes|no)?[\s/]*(?:yes|no)?[\s/.]*", re.IGNORECASE)


_FORM_IS_ATTACHED = re.compile(
    r"(?:(?:hi|hello|dear)\s+\w+,?\s+)?(?:i\s+attach|(?:please\s+)?(?:find|see)(?:\s+(?:attached|enclosed))?)?\s*(?:(?:the|our|my|a|your)\s+)?(?:(?:completed|filled(?:\s+in)?|answer|signed)\s+)*"
    r"(?:form|pdf|reply|response|answers)(?:\s+(?:is|are))?(?:\s+(?:attached|enclosed))?(?:\s+as\s+requested)?\s*[.,]?",
    re.IGNORECASE,
)


_FILES_ARE_ATTACHED = re.compile(
    r"(?:please\s+)?(?:find|see)?\s*(?:attached|enclosed)(?:\s+is|\s+are)?(?:\s+(?:the|our|a|an|my))?(?:\s+(?:completed|new))*"
    r"(?:\s+(?:referral|notification|alert|form|return|return\s+of\s+information|information\s+return|call\s+log|message|files?))?"
    r"(?:\s+(?:form|message|files?))?\s*[.,]?",
    re.IGNORECASE,
)


def says_more(bodies: Sequence[Body]) -> bool:
    """Whether a text beside attached files says anything but that they are attached, greetings and signatures."""
    return any(not _FILES_ARE_ATTACHED.fullmatch(line[:200]) for body in bodies for line in body.added)


def about_additions(bodies: Sequence[Body], opened: Opened, form: FormRead) -> list[Doubt]:
    """What stands beside the answers; that the form is attached may be said where it is."""
    doubts: list[Doubt] = []
    added = [line for body in bodies for line in body.added]
    if form.is_ours:
        added = [line for line in added if not _FORM_IS_ATTACHED.fullmatch(line[:200])]
    if added:
        doubts.append(("additional_information", "They wrote more than the three answers: please read it."))
    if any(not _YES_OR_NO.fullmatch(piece) for body in bodies for piece in body.page.struck):
        doubts.append(("struck_out_text", "Words other than Yes or No are struck out."))
    if len(opened.pictures) > 8 or any(picture.size_bytes > 150_000 for picture in opened.pictures):
        doubts.append(("attachment", "There is a large picture in the mail."))
    return doubts


def about_quotation(bodies: Sequence[Body], opened: Opened, expected: Expected, sender: str) -> list[Doubt]:
    """Answers that stand in a quotation count only when every mail quoted around them is ours: else they are somebody else's."""
    theirs = sender.rpartition("@")[2]
    ours = [address.rpartition("@")[2] for address in (*recipients(opened), *expected.envelope_to)]
    ours += [expected.authserv_id] if expected.authserv_id else []
    ours = [domain for domain in ours if domain and not aligned(theirs, domain)]
    for body in bodies:
        if any(_is_their_own_remark(body, place, ours) for place in body.sheet.rest):
            return [("additional_information", "A mail of theirs that they quote says more: please read it.")]
        for answer in body.sheet.answers:
            if (answer.value is None and answer.guess is None) or not answer.quoted:
                continue
            writers = list(_quoted_writers(body.page, answer.place))
            foreign = any(
                writer and not any(aligned(writer, domain) for domain in ours) for writer in writers
            )
            if answer.depth > 1 or foreign or (len(writers) > 1 and None in writers):
                return [("quoted_answers", "The answers stand in a mail that somebody else wrote.")]
    return []


def _is_their_own_remark(body: Body, place: int, ours: Sequence[str]) -> bool:
    """A telling line in a mail that they quote and that none of us wrote: a colleague's "I found a file"."""
    line = body.page.lines[place]
    if not line.quoted or line.introduces or not telling(line.text):
        return False
    writer = (list(_quoted_writers(body.page, place)) or [None])[-1]
    return writer is not None and not any(aligned(writer, domain) for domain in ours)


def about_subject(subject: str) -> list[Doubt]:
    """What the subject says besides our own words, the usual prefixes and the reference."""
    own = r"\[[^\]]{1,40}\]|S[GI]-[0-9A-Z-]{10,14}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\b\d{1,2}(?:st|nd|rd|th)?\b|\b20\d\d\b"
    left = re.findall(r"[^\W_]+", re.sub(own, " ", subject, flags=re.IGNORECASE).lower())
    if all(word in _SUBJECT_WORDS for word in left):
        return []
    return [("additional_information", "The subject says more than it was asked: please read it.")]


_SUBJECT_WORDS = words("subjects")


def enrolled(expected: Expected) -> frozenset[str]:
    return frozenset(address.strip().lower() for address in expected.enrolled)


def recipients(opened: Opened) -> list[str]:
    names = ("delivered-to", "x-original-to", "envelope-to", "to", "cc")
    return addresses([value for name in names for value in opened.all(name)])


def _quoted_writers(page: Page, place: int) -> Iterator[str | None]:
    """The domains of those who wrote the quotations above this line; None for one whose introduction shows no address."""
    run: list[str] = []
    for line in [*page.lines[:place], None]:
        if line is not None and line.introduces and not (run and _BEGINS.match(line.text)):
            run.append(line.text)
            continue
        if run and any(_BEGINS.match(one) or one.rstrip().endswith(":") for one in run):
            found = re.search(r"[^\s<>\"'\[\]():]+@([^\s<>\"'\[\]():,;]+)", _who(run))
            yield found[1].lower().rstrip(".") if found else None
        run = [line.text] if line is not None and line.introduces else []


_BEGINS = re.compile(r"^\W*(?:from|oddi wrth|o)\s*:", re.IGNORECASE)


def _who(run: Sequence[str]) -> str:
    """The part of an introduction that names the writer, not the recipients."""
    begins = next((one for one in run if _BEGINS.match(one)), None)
    return begins if begins is not None else " ".join(run)
