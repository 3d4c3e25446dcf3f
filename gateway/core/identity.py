"""When two messages may speak of the same child: which forms of an identity are compared, and what a likeness is worth (G-05).

Pure, and blind: forms are made here from what a sender wrote, keyed elsewhere (`keys`), and compared only as keyed terms.
Nothing here decides that two children are one; it says which likenesses an officer should look at, and why.

A form joins two facts (a name *and* a date of birth), so that the index shows neither common surnames nor birthdays, and
one form alone can be tried out by nobody who lacks the key. The NHS number stands alone: it is a person's own.

Phonetic forms are Metaphone codes. The match rating approach compares two names by a rating, which a blind index cannot do:
there, only equal codes meet, and its codes differ for Smith and Smyth, Wright and Rite. The pupil number (UPN) is not
indexed: it is for education only, and most agencies may not use it (domain section 7).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import NamedTuple

import jellyfish

_JOINED = re.compile(r"['’‘ʼʹ`´.]")  # O'Brien is Obrien; St. is St
_WORD = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_LATIN = re.compile(r"[a-z]+")
# Too common inside surnames to mean anything alone; they still count as part of the whole.
_PARTICLES = frozenset(
    "al abu ap ben bin bint da dal de del den der di do dos du el ibn la le mac mc o of st ter van von y".split()  # noqa: SIM905
)
_SHORTEST_PART = 2


class Kind(Enum):
    """What a form is made of. The value stands in the index beside the keyed term and is part of what is keyed."""

    NHS_NUMBER = "nhs-number"
    SURNAME = "birth-surname"
    SOUND = "birth-sound"
    GIVEN = "birth-given"
    BIRTH_AND_DAY = "birth-day"  # date of birth and day of the incident
    SURNAME_AND_DAY = "surname-day"


class Birth(Enum):
    """How two dates of birth are alike, the closest first; the value is the reason that an officer reads."""

    SAME = "same-date-of-birth"
    TRANSPOSED = "day-and-month-exchanged"
    SLIPPED = "digits-of-date-of-birth-exchanged"


class Form(NamedTuple):
    """One thing to compare. `value` is personal: it is keyed at once and never stored, logged or shown."""

    kind: Kind
    value: str

    def __repr__(self) -> str:
        return f"Form({self.kind})"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a message says of who a child is."""

    given_names: str | None = field(default=None, repr=False)
    family_name: str | None = field(default=None, repr=False)
    other_names: tuple[str, ...] = field(default=(), repr=False)
    born_on: date | None = field(default=None, repr=False)
    nhs_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """What it tells when a form of one child is found among those of another. `turned`: a given name met a surname."""

    kind: Kind
    birth: Birth | None = None
    turned: bool = False


class Strength(Enum):
    STRONG = "strong"
    LIKELY = "likely"


@dataclass(frozen=True, slots=True)
class Likeness:
    """Why two children may be one. `reasons` are coarse codes, what speaks against it among them; no personal data."""

    strength: Strength
    reasons: tuple[str, ...]


def forms_to_keep(child: Identity, occurred_on: date | None) -> frozenset[Form]:
    """The forms by which a child is found later. `occurred_on` is the day of the incident in London, where it is known."""
    return frozenset(_kept(child, occurred_on))


def forms_to_look_for(child: Identity, occurred_on: date | None) -> Mapping[Form, Sign]:
    """The forms under which the same child may have been kept, spelled or transposed differently, and what each would tell."""
    found: dict[Form, Sign] = {}
    for form, sign in _looked_for(child, occurred_on):
        found.setdefault(form, sign)  # the closest comes first
    return found


def judge(signs: Set[Sign], ours: Set[Kind], theirs: Set[Kind]) -> Likeness | None:
    """What the signs found on one other child are worth; None when they mean nothing.

    Strong is the same NHS number. Likely is a date of birth (also transposed) with a surname (also by sound, or with the
    names in the other order), or the day of the incident with a date of birth or a surname. `ours` and `theirs` are the
    kinds of form that each child has at all: what both have and do not share speaks against it, and is said.
    """
    same_number = Sign(Kind.NHS_NUMBER) in signs
    name = _name_reasons(signs)
    same_day = _same_day_reasons(signs)
    if not (same_number or name or same_day):
        return None
    both = ours & theirs
    against = _against(signs, both, same_number=same_number, named=bool(name))
    number = ("same-nhs-number",) if same_number else ()
    reasons = tuple(dict.fromkeys((*number, *name, *same_day, *against)))
    return Likeness(Strength.STRONG if same_number else Strength.LIKELY, reasons)


def is_same_child(likeness: Likeness) -> bool:
    """Whether two mentions in *one* incident are taken as one child there: not so for twins, brothers and sisters."""
    if likeness.strength is Strength.STRONG:
        return True
    reasons = set(likeness.reasons)
    is_named_so = {"same-surname", Birth.SAME.value} <= reasons
    return is_named_so and not reasons & {"nhs-numbers-differ", "given-names-differ"}


def child_letter(number: int) -> str:
    """The letter of the `number`-th child of an incident, from 0: a … z, then aa, ab …"""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def normalised(name: str) -> str:
    """A name without case, accents and apostrophes, its words parted by one space: "O'Brien-Núñez" as "obrien nunez"."""
    bare = unicodedata.normalize("NFKD", _JOINED.sub("", name))
    plain = "".join(c for c in bare if not unicodedata.combining(c)).casefold().translate(_LETTERS)
    return " ".join(_WORD.findall(plain))


def surname_forms(name: str) -> tuple[str, ...]:
    """The whole surname as one word, then each part of a double-barrelled one: Smith-Jones is found as Jones-Smith."""
    words = normalised(name).split()
    parts = [word for word in words if word not in _PARTICLES and len(word) >= _SHORTEST_PART]
    return tuple(dict.fromkeys(form for form in ("".join(words), *parts) if form))


def sound(name: str) -> str | None:
    """The Metaphone code of a normalised surname; None where it has no Latin letters to pronounce."""
    code = jellyfish.metaphone(name) if _LATIN.fullmatch(name) else ""
    return code.replace(" ", "") or None


def birth_forms(born_on: date) -> Mapping[date, Birth]:
    """A date of birth, then what it becomes with day and month exchanged, then with two neighbouring digits exchanged.

    Being alike is mutual: whatever is a form of a date has that date among its own forms.
    """
    found = {born_on: Birth.SAME}
    for day in _dates([(born_on.year, born_on.day, born_on.month)]):
        found.setdefault(day, Birth.TRANSPOSED)
    written = f"{born_on:%d%m}{born_on.year:04}"
    swapped = [
        written[:at] + written[at + 1] + written[at] + written[at + 2 :] for at in range(len(written) - 1)
    ]
    for day in _dates((int(text[4:]), int(text[2:4]), int(text[:2])) for text in swapped):
        found.setdefault(day, Birth.SLIPPED)
    return found


def _kept(child: Identity, occurred_on: date | None) -> Iterator[Form]:
    if child.nhs_number is not None:
        yield Form(Kind.NHS_NUMBER, child.nhs_number)
    surnames = _surnames(child)
    if occurred_on is not None:
        for name in surnames:
            yield _joined(Kind.SURNAME_AND_DAY, name, f"{occurred_on}")
    if child.born_on is None:
        return
    if occurred_on is not None:
        yield _joined(Kind.BIRTH_AND_DAY, f"{child.born_on}", f"{occurred_on}")
    on = f"{child.born_on}"
    for name in surnames:
        yield _joined(Kind.SURNAME, name, on)
        if code := sound(name):
            yield _joined(Kind.SOUND, code, on)
    for name in _given(child):
        yield _joined(Kind.GIVEN, name, on)


def _looked_for(child: Identity, occurred_on: date | None) -> Iterator[tuple[Form, Sign]]:
    if child.nhs_number is not None:
        yield Form(Kind.NHS_NUMBER, child.nhs_number), Sign(Kind.NHS_NUMBER)
    surnames, given = _surnames(child), _given(child)
    if occurred_on is not None:
        for name in surnames:
            yield _joined(Kind.SURNAME_AND_DAY, name, f"{occurred_on}"), Sign(Kind.SURNAME_AND_DAY)
    if child.born_on is None:
        return
    if occurred_on is not None:
        form = _joined(Kind.BIRTH_AND_DAY, f"{child.born_on}", f"{occurred_on}")
        yield form, Sign(Kind.BIRTH_AND_DAY, Birth.SAME)
    sounds = tuple(filter(None, map(sound, surnames)))
    for born_on, birth in birth_forms(child.born_on).items():
        on = f"{born_on}"
        for values, sign in (
            (surnames, Sign(Kind.SURNAME, birth)),
            (given, Sign(Kind.GIVEN, birth)),
            (sounds, Sign(Kind.SOUND, birth)),
            (surnames, Sign(Kind.GIVEN, birth, turned=True)),
            (given, Sign(Kind.SURNAME, birth, turned=True)),
        ):
            for value in values:
                yield _joined(sign.kind, value, on), sign


def _joined(kind: Kind, value: str, on: str) -> Form:
    """`on` is a date in ISO 8601."""
    return Form(kind, f"{on}|{value}")


def _surnames(child: Identity) -> tuple[str, ...]:
    """Forms of the family name and of other names in use; of those in several words also the last, which is the surname."""
    names = [child.family_name or ""]
    for other in child.other_names:
        words = other.split()
        names.append(words[-1] if words else "")
    return tuple(dict.fromkeys(form for name in names for form in surname_forms(name)))


def _given(child: Identity) -> tuple[str, ...]:
    words = normalised(child.given_names or "").split()
    return tuple(dict.fromkeys(word for word in words if len(word) >= _SHORTEST_PART))


def _dates(parts: Iterable[tuple[int, int, int]]) -> Iterator[date]:
    """Those of (year, month, day) that are dates."""
    for year, month, day in parts:
        try:
            yield date(year, month, day)
        except ValueError:
            continue


def _name_reasons(signs: Set[Sign]) -> tuple[str, ...]:
    """A surname with the closest date of birth on which it was met; () when none was."""
    for birth in Birth:
        if Sign(Kind.SURNAME, birth) in signs:
            return "same-surname", birth.value
        if {Sign(Kind.SURNAME, birth, turned=True), Sign(Kind.GIVEN, birth, turned=True)} <= signs:
            return "names-in-other-order", birth.value
        if Sign(Kind.SOUND, birth) in signs:
            return "surname-sounds-alike", birth.value
    return ()


def _same_day_reasons(signs: Set[Sign]) -> tuple[str, ...]:
    reasons: list[str] = []
    if Sign(Kind.BIRTH_AND_DAY, Birth.SAME) in signs:
        reasons += [Birth.SAME.value, "same-incident-date"]
    if Sign(Kind.SURNAME_AND_DAY) in signs:
        reasons += ["same-surname", "same-incident-date"]
    return tuple(reasons)


def _against(signs: Set[Sign], both: Set[Kind], *, same_number: bool, named: bool) -> Iterator[str]:
    """What both children have and do not share. Twins are alike in surname and birth: this is how they are told."""
    met = {sign.kind for sign in signs if not sign.turned}
    if Kind.NHS_NUMBER in both and not same_number:
        yield "nhs-numbers-differ"
    if same_number and Kind.SURNAME in both and not named:
        yield "name-or-date-of-birth-differs"
    if named and Kind.GIVEN in both and not any(sign.kind is Kind.GIVEN for sign in signs):
        yield "given-names-differ"
    has_same_birth = any(sign.birth is Birth.SAME for sign in signs)
    if has_same_birth and Kind.BIRTH_AND_DAY in both and Kind.BIRTH_AND_DAY not in met:
        yield "incident-dates-differ"
