"""Mail coming in: raw bytes are durable before anything reads them, each mail is read once, nothing is dropped.

Fetch -> store under a data key of its own -> mark on the server -> read in a limited child process -> `reply`. A crash at any
point repeats a step that finds its work done: raw bytes are known by their keyed digest, a settled mail by its state.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain

import structlog
from structlog.contextvars import bound_contextvars

from gateway.actions.confirm_for_school import DSL
from gateway.actions.confirm_for_school import confirmation as confirmation
from gateway.actions.keep_mail import Arrived, keep_mail
from gateway.actions.mail_files import files_of, judged_files
from gateway.actions.reply import Belonging, Read, reading_document, reply
from gateway.actions.submit import Submission
from gateway.actions.take import attach_keys, forget_key
from gateway.core.errors import Unavailable, place_of
from gateway.core.messages import MessageId, PartnershipId, Seat
from gateway.core.replies import MailExpected, MailReading
from gateway.core.sandbox import SANDBOX
from gateway.dispatch.belonging import belonging, letter_of_notice
from gateway.dispatch.mail_submission import Looked, not_taken_by, submission_in
from gateway.parts import TRACE, Parts
from gateway.store import custody, incidents, mail, packs
from gateway.store.mail import LetterRow, RawMail
from gateway.store.transaction import Tx

AT_ONCE = 4
MAIL_ID = "eml-"  # and a number, which is the trace of whatever follows from the mail
MOST_HEADER_BYTES = 64 * 1024
MOST_TRIES = 3
MOST_TOKENS = 10  # in one header: whoever guesses tokens is read with everybody else
BY_OFFICER = "no-by-officer"
IN_OWN_WORDS = "agency-writes"
AN_HOUR = timedelta(hours=1)
TOO_MANY = "too-many-mails"

_TOKEN = re.compile(r"\+([0-9a-f]{36})@")
_TOKEN_IN_BYTES = re.compile(rb"\+([0-9a-f]{36})@")
_REFERENCE_IN_BYTES = re.compile(
    rb"(?<![0-9A-Za-z_-])SG-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}(?![0-9A-Za-z_-])", re.IGNORECASE
)
_log = structlog.get_logger()


async def keep(
    parts: Parts,
    way_in: str,
    raw: bytes,
    *,
    envelope_to: str | None,
    arrived_at: datetime,
    uidvalidity: int = 0,
    uid: int = 0,
) -> bool:
    """Make one mail durable; True when it is new. After this returns, the far end may be told that we have it."""
    at = parts.clock()
    key = await parts.make_key(None, at)
    tokens = _tokens(raw, envelope_to)
    is_awaited = 0 < len(tokens) <= MOST_TOKENS and any(_is_ours(parts, token) for token in tokens)
    arrived = Arrived(
        f"{MAIL_ID}{secrets.token_hex(16)}",
        way_in,
        uidvalidity,
        uid,
        raw,
        envelope_to,
        arrived_at,
        is_awaited,
    )
    is_new = await parts.store.transact(lambda tx: keep_mail(tx, parts, key, arrived, at))
    _log.info("mail.kept", mail=arrived.id, way_in=way_in, new=is_new)
    return is_new


async def read_kept(parts: Parts) -> int:
    """Read one batch of kept mail; how many there were."""
    waiting = await parts.store.read(lambda tx: mail.unread(tx, AT_ONCE))
    for raw in waiting:
        try:
            with bound_contextvars(**{TRACE: raw.id.removeprefix(MAIL_ID)}):
                await _read_one(parts, raw)
        except Unavailable:
            raise  # nothing is wrong with the mail: it waits with all the others
        except Exception as fault:  # one mail never stops those behind it
            _log.error("mail.fault", mail=raw.id, fault=type(fault).__name__, where=place_of(fault))
            await _set_aside(parts, raw)
    return len(waiting)


async def _set_aside(parts: Parts, raw: RawMail) -> None:
    """Read it again a little later; after a few times it is an officer's to read."""
    tried = raw.attempts + 1
    await parts.store.transact(lambda tx: mail.change_raw(tx, raw.id, attempts=tried))
    if tried >= MOST_TRIES:
        asked = Read(raw.id, "unreadable", ("could-not-be-taken",), None, None)
        await parts.perform(reply, asked, await _any_partnership(parts), None)


async def _read_one(parts: Parts, raw: RawMail) -> None:
    key = await parts.key_by_id(raw.data_key)
    if key is None or raw.sealed is None:
        await parts.store.transact(lambda tx: mail.change_raw(tx, raw.id, state="settled", kind="erased"))
        return
    content = key.open(f"raw-mail:{raw.id}", raw.sealed)
    reading, letter = await _understand(parts, raw, content)
    if letter is None and reading.kind == "bounce":
        letter = await letter_of_notice(parts, reading)
    opened = await files_of(parts, content, reading.files)
    files = await judged_files(parts, opened, reading)
    document = {**reading.document, "vouched_by": reading.vouched_by, "files": files}
    is_crowd = await _note_reading(
        parts, raw, reading, key.seal(f"reading:{raw.id}", reading_document(document))
    )
    is_answer = letter is not None and reading.is_complete and not is_crowd
    is_no = bool(letter and is_answer) and await _officer_confirms(parts, reading, letter)
    answer = await _answer(parts, raw, reading, letter) if letter and is_answer and not is_no else None
    looked = await submission_in(parts, raw, reading, opened) if letter is None and not is_crowd else Looked()
    belongs = await belonging(parts, reading) if letter is None and looked.submitted is None else None
    not_taken = await not_taken_by(parts, reading, looked, belongs)
    besides = [
        (BY_OFFICER,) if is_no else (),
        (IN_OWN_WORDS,) if _is_draft(reading, looked, belongs) else (),
        looked.reasons,
        (TOO_MANY,) if is_crowd else (),
        *(file["reasons"] for file in files),
    ]
    asked = Read(
        raw.id,
        reading.kind,
        _coarse(reading, letter, *besides),
        letter,
        answer,
        document,
        hashlib.sha256(content).hexdigest(),
        belongs,
        reading.vouched_by is not None,
        looked.submitted,
        not_taken,
    )
    outcome = await _settle(parts, asked)
    settled = await parts.store.read(lambda tx: mail.find_raw(tx, raw.id))
    if settled is not None and settled.incident is not None:
        incident = settled.incident
        await parts.custody.transact(lambda tx: custody.attach(tx, key.id, incident))
    _log.info("mail.read", mail=raw.id, kind=reading.kind, verdict=reading.verdict, outcome=outcome)


async def _settle(parts: Parts, asked: Read) -> str:
    """Run the action under the key of the incident that the mail belongs to, or opens."""
    if asked.submitted is None:
        place = asked.place
        partnership = place.partnership if place else await _any_partnership(parts)
        return await parts.perform(reply, asked, partnership, place.incident if place else None)
    submission = asked.submitted.submission
    message = submission.message
    opens = submission.opens
    outcome = await parts.perform(reply, asked, message.partnership, message.incident, new_key_for=opens)
    if opens is not None and not await parts.store.read(lambda tx: incidents.exists(tx, opens)):
        await forget_key(parts, submission)
    if submission.attachments:
        await _attach_files(parts, asked.mail)
    return outcome


async def _attach_files(parts: Parts, mail_id: str) -> None:
    """The keys of its files are the incident's from now on."""
    settled = await parts.store.read(lambda tx: mail.find_raw(tx, mail_id))
    if settled is not None and settled.partnership and settled.incident and settled.message:
        await attach_keys(parts, settled.partnership, MessageId(settled.message), settled.incident)


async def _note_reading(parts: Parts, raw: RawMail, reading: MailReading, sealed: bytes) -> bool:
    """Keep the reading beside its mail; whether its sender has written more than anyone would (loops, floods)."""
    if reading.sender is None:
        await parts.store.transact(lambda tx: mail.change_raw(tx, raw.id, sealed_reading=sealed))
        return False
    peer, since = parts.keys.fingerprint("peer", reading.sender.encode()), parts.clock() - AN_HOUR

    def note(tx: Tx) -> int:
        mail.change_raw(tx, raw.id, sealed_reading=sealed, peer=peer)
        return mail.came_from(tx, peer, since)

    return await parts.store.transact(note) > parts.settings.mail_sender_mails_per_hour


async def _understand(parts: Parts, raw: RawMail, content: bytes) -> tuple[MailReading, LetterRow | None]:
    """Which letter it answers, by the token in our own address or else the reference it quotes; then what it says.

    The letter is looked for in the bytes first, so that a mail is read once, with what is to be expected of it. Only one that
    names its letter nowhere but in an encoded text is read a second time.
    """
    to = (raw.envelope_to,) if raw.envelope_to else ()
    letter, by_token = await _located(parts, raw, content)
    reading = await _reading(parts, content, to, letter)
    if letter is None:
        letter = await _letter(parts, reading.token, reading.reference)
        if letter is None:
            return reading, None
        by_token = reading.token == letter.token
        if reading.kind == "reply":
            reading = await _reading(parts, content, to, letter)
    if reading.reference != letter.reference and (reading.reference is not None or not by_token):
        return reading, None  # it speaks of another letter than the address it came to: a person decides
    return reading, letter


async def _located(parts: Parts, raw: RawMail, content: bytes) -> tuple[LetterRow | None, bool]:
    """The one letter that the envelope, the header's reply tokens or a reference in plain sight name, and whether it was a
    token; None when unsure. Both locate and never authenticate: what the reading finds must agree."""
    envelope = _TOKEN.search(raw.envelope_to or "")
    tokens = _tokens(content, None)
    for token in ([envelope[1]] if envelope else []) + (tokens if len(tokens) == 1 else []):
        if (letter := await _letter(parts, token, None)) is not None:
            return letter, True
    references = {found.decode("ascii").upper() for found in _REFERENCE_IN_BYTES.findall(content)}
    return (await _letter(parts, None, references.pop()) if len(references) == 1 else None), False


def _tokens(content: bytes, envelope_to: str | None) -> list[str]:
    """The reply tokens in the header, and in the envelope where it is told, each once; nobody has looked whether they are ours."""
    head = content[:MOST_HEADER_BYTES].partition(b"\r\n\r\n")[0].partition(b"\n\n")[0]
    envelope = _TOKEN.findall(envelope_to or "")
    return list({*envelope, *(found.decode("ascii") for found in _TOKEN_IN_BYTES.findall(head))})


def _is_ours(parts: Parts, token: str) -> bool:
    return hmac.compare_digest(parts.keys.token_mac(token[:20]).encode(), token[20:].encode())


async def _reading(
    parts: Parts, content: bytes, to: tuple[str, ...], letter: LetterRow | None
) -> MailReading:
    """The mail read in a child process, with the addresses and letters of the school that it is to come from."""
    if letter is None:
        return await asyncio.to_thread(parts.read_mail, content, MailExpected((), to))
    enrolled = await _enrolled(parts, letter)
    pack = (await parts.partnerships.snapshot(letter.partnership)).pack
    ours = tuple(words for name, words in pack.letters.items() if name.endswith("-letter.txt"))
    form = (letter.reference, parts.keys.form_mac(letter.token, letter.reference))
    return await asyncio.to_thread(parts.read_mail, content, MailExpected(enrolled, to, ours, form))


async def _letter(parts: Parts, token: str | None, reference: str | None) -> LetterRow | None:
    if token is not None and _is_ours(parts, token):
        found = await parts.store.read(lambda tx: mail.letter_by_token(tx, token))
        if found is not None:
            return found
    if reference is not None:
        return await parts.store.read(lambda tx: mail.letter_by_reference(tx, reference))
    return None


async def _enrolled(parts: Parts, letter: LetterRow) -> tuple[str, ...]:
    """The addresses of the school's leads and deputies as enrolled, and their team's mailbox."""
    directory = (await parts.partnerships.snapshot(letter.partnership)).directory
    seat = Seat(letter.agency, DSL)
    addresses = [holder.email for holder in directory.seats.get(seat, ())]
    return tuple(address for address in [*addresses, directory.team_mailbox(seat)] if address)


async def _officer_confirms(parts: Parts, reading: MailReading, letter: LetterRow | None) -> bool:
    """Whether it says No and the pack has an officer confirm every No."""
    if letter is None:
        return False
    pack = (await parts.partnerships.snapshot(letter.partnership)).pack
    rules = (rule for consequence in pack.consequences for rule in consequence.letters)
    return reading.answers.get("records_held") is False and any(rule.officer_confirms_no for rule in rules)


async def _answer(parts: Parts, raw: RawMail, reading: MailReading, letter: LetterRow) -> Submission:
    return await confirmation(parts, letter, reading.answers, raw.arrived_at, f"mail-{raw.id}")


def _is_draft(reading: MailReading, looked: Looked, belongs: Belonging | None) -> bool:
    """Whether an enrolled agency, shown to be itself, tells something that is no answer and no message: an officer's to complete."""
    is_agencys = belongs is not None and belongs.agency is not None and reading.vouched_by is not None
    return is_agencys and reading.kind == "unrelated" and not looked.reasons and looked.submitted is None


def _coarse(reading: MailReading, letter: LetterRow | None, *besides: Iterable[str]) -> tuple[str, ...]:
    """Why a person must look, as coarse codes without content."""
    reasons = [reading.kind.replace("_", "-"), *(flag.replace("_", "-") for flag in reading.flags)]
    if letter is None:
        reasons.append("no-letter-matched")
    return tuple(dict.fromkeys((*reasons, *chain.from_iterable(besides))))


async def _any_partnership(parts: Parts) -> PartnershipId:
    """Mail that belongs to no letter is held where an officer sees it: in the first partnership in force that is no sandbox."""
    rows = await parts.store.read(packs.in_force)
    return min((row.partnership for row in rows), key=lambda name: (name == SANDBOX, name))
