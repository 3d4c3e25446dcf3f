"""What reading one e-mail found: the value that the reader hands on, and its JSON.

Invariant: `answers` holds only what may be recorded without a person; everything else is `suggested`, and a reading whose
verdict is not `complete` has no answers at all. A reading that came from the limited child process is checked value by
value before it is believed. Source: contract section 2 (`gateway mail read`), S2-22.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What an e-mail is. BOUNCE covers every delivery status, good news too: a status may only raise an alarm."""

    REPLY = "reply"
    RETURN = "return"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    READ_RECEIPT = "read_receipt"
    UNRELATED = "unrelated"
    UNREADABLE = "unreadable"


class Verdict(Enum):
    COMPLETE = "complete"
    NEEDS_REVIEW = "needs_review"
    NOT_AN_ANSWER = "not_an_answer"


@dataclass(frozen=True, slots=True)
class Answers:
    """The three questions of the letter. Dates are ISO 8601, as precise as the school was; None is "nothing read"."""

    roll_from: str | None = None
    roll_to: str | None = None  # or "present"
    previous_school: str | None = None  # or "not_applicable"
    records_held: bool | None = None

    def whole(self) -> bool:
        """All three questions are answered (S2-22: all mandatory)."""
        return None not in (self.roll_from, self.roll_to, self.previous_school, self.records_held)


@dataclass(frozen=True, slots=True)
class Attached:
    """One file that came with the mail. `name` is for showing to a person, never a path."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """What a delivery status notification says (RFC 3464). Forgeable: it may raise an alarm, never close anything."""

    action: str  # failed, delayed, delivered, relayed, expanded; "failed" when only a second opinion says so
    status: str | None = None  # 5.1.1
    envelope_id: str | None = None  # the ENVID that we sent: a delivery id
    message_id: str | None = None  # the Message-ID of ours that it quotes


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an officer may want to do next, for example write to another school. Nothing is done before they say so."""

    kind: str  # letter_to_school, or one of the flags
    school: str | None = None  # as the mail names it
    words: str | None = None  # the sentence that it rests on


@dataclass(frozen=True, slots=True)
class Reading:
    """One e-mail, read. `flags` are stable words, `reasons` say the same to a person in plain words."""

    kind: Kind
    verdict: Verdict
    reference: str | None = None
    answers: Answers = Answers()
    suggested: Answers = Answers()
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sender: str | None = None
    token: str | None = None  # from the plus address it came to: it locates, it never authenticates
    answers_to: tuple[str, ...] = ()  # message ids named by In-Reply-To and References
    message_id: str | None = None
    attachments: tuple[Attached, ...] = ()
    delivery: DeliveryStatus | None = None
    rests_on: tuple[tuple[str, str], ...] = ()  # question -> the words that its suggestion rests on
    proposals: tuple[Proposal, ...] = ()
    vouched_by: str | None = (
        None  # who shows that it is from its sender: "signature" (S/MIME) or "domain" (DKIM)
    )
    opened_text: str | None = None  # the beginning of a text that cannot be seen in the bytes that came
    says_more: bool = False  # beside files and answers its text says something that is not certainly harmless

    def contract(self) -> dict[str, object]:
        """The JSON of `gateway mail read`, and nothing else."""
        return {
            "kind": self.kind.value,
            "reference": self.reference,
            "verdict": self.verdict.value,
            "answers": asdict(self.answers),
            "suggested": asdict(self.suggested),
            "flags": list(self.flags),
            "reasons": [*self.reasons, *self._in_words()],
        }

    def _in_words(self) -> list[str]:
        """The words that suggestions rest on, and what is proposed, as sentences."""
        if self.verdict is not Verdict.NEEDS_REVIEW:
            return []
        named = {
            "roll": "Dates on roll",
            "previous_school": "Previous school",
            "records_held": "Records held",
        }
        found = [f'{named[question]} rests on the words "{words}".' for question, words in self.rests_on]
        schools = dict.fromkeys(one.school for one in self.proposals if one.school)
        return found + [f"A letter to {school} may be called for." for school in schools]


def unreadable(reason: str) -> Reading:
    """A mail that could not be read safely: the raw bytes are kept and a person looks, it is never dropped."""
    return Reading(Kind.UNREADABLE, Verdict.NEEDS_REVIEW, flags=("unreadable",), reasons=(reason,))


def expected_from(told: Mapping[str, Any]) -> Expected:
    """What `asdict` of an Expected became on its way through JSON, to the child process."""
    vouching = told["vouching"]
    records = vouching["dkim_records"]
    return Expected(
        enrolled=tuple(told["enrolled"]),
        authserv_id=told["authserv_id"],
        stamped_below=told["stamped_below"],
        envelope_to=tuple(told["envelope_to"]),
        letters=tuple(told["letters"]),
        form=tuple(told["form"]) if told["form"] else None,
        vouching=Vouching(
            vouching["needs_signature"],
            None if records is None else tuple((name, record) for name, record in records),
            vouching["smime_roots"],
            tuple(vouching["smime_revocations"]),
            vouching["content_key"],
        ),
    )


def to_json(reading: Reading) -> str:
    """The whole reading as one line of JSON, for the pipe between the child process and its parent."""
    loose = asdict(reading)
    loose["kind"], loose["verdict"] = reading.kind.value, reading.verdict.value
    return json.dumps(loose)


def from_json(text: str) -> Reading:
    """The reading that `to_json` wrote; ValueError, KeyError or TypeError when it is anything else."""
    loose = json.loads(text)
    status = loose["delivery"]
    reading = Reading(
        kind=Kind(loose["kind"]),
        verdict=Verdict(loose["verdict"]),
        reference=_words(loose["reference"]),
        answers=_answers(loose["answers"]),
        suggested=_answers(loose["suggested"]),
        flags=_all_words(loose["flags"]),
        reasons=_all_words(loose["reasons"]),
        sender=_words(loose["sender"]),
        token=_words(loose["token"]),
        answers_to=_all_words(loose["answers_to"]),
        message_id=_words(loose["message_id"]),
        attachments=tuple(_attached(one) for one in loose["attachments"]),
        delivery=None if status is None else _status(status),
        rests_on=tuple(_pair(one) for one in _short(loose["rests_on"])),
        proposals=tuple(_proposal(one) for one in _short(loose["proposals"])),
        vouched_by=_words(loose["vouched_by"]),
        opened_text=_words(loose["opened_text"]),
        says_more=loose["says_more"] is not False,
    )
    if (reading.verdict is Verdict.COMPLETE) != reading.answers.whole():
        raise ValueError("answers and verdict disagree")
    return reading


@dataclass(frozen=True, slots=True)
class Vouching:
    """What else is known when the sender is judged. All of it can only lower the word of our mail server, but for an S/MIME
    signature, which stands for itself.

    `needs_signature`: DMARC that passed on SPF alone is too weak. `dkim_records`: DNS name and TXT record of the DKIM keys
    that the mail names, looked up beforehand; None where they are not looked up. `smime_roots`: authorities (PEM) whose
    signers are believed; `smime_revocations`: their lists (base64 of DER). `content_key`: opens an encrypted mail (hex).
    """

    needs_signature: bool = False
    dkim_records: tuple[tuple[str, str], ...] | None = None
    smime_roots: str | None = field(default=None, repr=False)
    smime_revocations: tuple[str, ...] = field(default=(), repr=False)
    content_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reader is told before it reads: who is enrolled for the letter and whose word on authenticity counts."""

    enrolled: tuple[str, ...] = ()
    authserv_id: str | None = None
    stamped_below: bool = False  # our server writes its verdict beneath its own Received line
    envelope_to: tuple[str, ...] = ()
    letters: tuple[str, ...] = field(
        default=(), repr=False
    )  # texts of our letters, so that they are known when quoted
    form: tuple[str, str] | None = field(
        default=None, repr=False
    )  # the letter's reference and the MAC that its answer form carries: see `form.is_bound`
    vouching: Vouching = Vouching()


LONGEST_WORD = 4000


def _words(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_WORD:
        raise ValueError("not a short text")
    return value


def _all_words(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > 200:
        raise ValueError("not a short list")
    return tuple(word for word in map(_words, values) if word is not None)


def _short(values: object) -> list[Any]:
    if not isinstance(values, list) or len(values) > 20:
        raise ValueError("not a short list")
    return values


def _pair(loose: Sequence[object]) -> tuple[str, str]:
    question, words = loose
    return _words(question) or "", _words(words) or ""


def _proposal(loose: Mapping[str, object]) -> Proposal:
    return Proposal(_words(loose["kind"]) or "", _words(loose["school"]), _words(loose["words"]))


def _answers(loose: Mapping[str, object]) -> Answers:
    held = loose["records_held"]
    if held is not None and not isinstance(held, bool):
        raise ValueError("records_held is true, false or null")
    return Answers(
        _words(loose["roll_from"]), _words(loose["roll_to"]), _words(loose["previous_school"]), held
    )


def _attached(loose: Mapping[str, object]) -> Attached:
    size = loose["size_bytes"]
    if not isinstance(size, int):
        raise TypeError("size is a number of bytes")
    return Attached(
        _words(loose["name"]) or "", _words(loose["media_type"]) or "", size, _words(loose["sha256"]) or ""
    )


def _status(loose: Mapping[str, object]) -> DeliveryStatus:
    return DeliveryStatus(
        _words(loose["action"]) or "failed",
        _words(loose["status"]),
        _words(loose["envelope_id"]),
        _words(loose["message_id"]),
    )
