"""What kind of mail this is, before anybody looks for answers in it.

The order matters: a machine's mail is told by its form first (RFC 3464, 8098, 3834), because an out-of-office note may well
contain the word "yes". A portal's wrapper around a secure reply is a reply that a person has to open.
"""

from __future__ import annotations

import re

from adapters.mail.opened import Opened
from adapters.mail.surroundings import without_titles

_AUTO_SUBJECT = re.compile(
    r"^\s*(?:(?:re|aw|sv)\s*:\s*)?(?:automatic reply|auto(?:matic)?[ -]?re(?:ply|sponse)|autoreply|auto\s*:|out of (?:the )?office|"
    r"ooo\b|ateb awtomatig|allan o'?r swyddfa|i am away|away from (?:the office|my desk)|on (?:annual |maternity )?leave\b)",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"\b(?:i am|i'm|i will be|we are)\s+(?:currently\s+)?(?:out of (?:the )?office|away (?:from|until|on)|on (?:annual |maternity |sick )?leave|"
    r"out of school)|\b(?:school|office)\s+is\s+(?:now\s+)?closed\s+(?:for|until)|\bthis is an automat(?:ed|ic)\s+(?:reply|response|message|e-?mail)|"
    r"\ballan o'?r swyddfa|\bdo not monitor this (?:mailbox|inbox)|\bthank you for (?:your e-?mail|contacting)\b.{0,200}\bwe aim to (?:respond|reply)",
    re.IGNORECASE | re.DOTALL,
)
_PORTAL_FILES = re.compile(
    r"\.rpmsg$|^encrypted_message\.html?$|^securemessage\w*\.html?$|^message\.html$|\.egress$|\.switch$|\.gxk$|^securedoc_\w+\.html?$|^secure[_ -]?message\.html?$",
    re.IGNORECASE,
)
_PORTAL_TEXT = re.compile(
    r"click (?:here )?to read th(?:is|e|your) secure (?:e-?mail|message)|has sent you (?:a|an) (?:protected|encrypted|secure) (?:message|e-?mail)|"
    r"read th(?:is|e) (?:secure|encrypted|protected) (?:message|e-?mail) online|you(?:'ve| have) received (?:a|an) (?:secure|encrypted|protected) (?:message|e-?mail)|"
    r"switch\.egress\.com|\begress secure|office 365 message encryption|microsoft purview message encryption|proofpoint encryption|"
    r"mimecast secure messag|secure registered envelope|zix secure message center|galaxkey|sign in to (?:view|read) (?:the|this) (?:secure |encrypted |protected )?message",
    re.IGNORECASE,
)
_TOPIC = re.compile(
    r"confirmation needed|dates? on roll|on roll\b|previous school|records? held|child protection|safeguarding|child welfare|cp file|cpoms|"
    r"your letter|welfare concern|never attended",
    re.IGNORECASE,
)
_MATTER = re.compile(
    r"\b(?:concern\w*|records?|file|files|roll|hold|held|safeguarding|child\s+protection|welfare|cpoms|attended|pupil|previous)\b",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(r"^\s*(?:\[[^\]]{1,30}\]\s*)?(?:fwd?|yml|ymlaen)\s*:", re.IGNORECASE)


def is_auto_reply(opened: Opened, written: str) -> bool:
    """An automatic answer (RFC 3834 section 5, and what Exchange and others do); `written` is the unquoted text."""
    submitted = opened.one("auto-submitted").partition(";")[0].strip().lower()
    if submitted not in {"", "no"}:
        return True
    if opened.all("x-autoreply") or opened.all("x-autorespond") or opened.all("x-auto-reply-from"):
        return True
    if opened.one("precedence").strip().lower() in {"auto_reply", "auto-reply"}:
        return True
    if _AUTO_SUBJECT.match(opened.one("subject")):
        return True
    # By its words alone only when they say nothing about the matter: "we hold a file; I am on leave from Friday" is a reply.
    return bool(_AWAY.search(written[:4000])) and not _MATTER.search(without_titles(written))


def is_declared_auto_reply(opened: Opened) -> bool:
    """An automatic answer by its header fields or subject alone."""
    return is_auto_reply(opened, "")


def is_list_mail(opened: Opened) -> bool:
    """A circular: it comes from a list or in bulk, so nobody wrote it as an answer."""
    if opened.one("precedence").strip().lower() in {"bulk", "list", "junk"}:
        return True
    return any(opened.all(name) for name in ("list-id", "list-unsubscribe", "list-post"))


def is_wrapped(opened: Opened) -> bool:
    """A secure-mail portal's envelope (Egress, Microsoft, Proofpoint, Mimecast): the reply itself is behind a link."""
    if any(_PORTAL_FILES.search(file.name) or "rpmsg" in file.media_type for file in opened.files):
        return True
    return any(_PORTAL_TEXT.search(text) for text in [*opened.plain, *opened.html])


def is_forwarded(opened: Opened) -> bool:
    """Somebody passed a mail on: the words in it are another's."""
    return opened.forwarded or bool(_FORWARD_SUBJECT.match(opened.one("subject")))


def is_on_topic(texts: list[str]) -> bool:
    """Whether a mail without any reference still speaks about what our letters ask."""
    return any(_TOPIC.search(text) for text in texts)
