"""Who officers are to each other: how names are compared, and two people for whatever can redirect or silence (architecture
section 9)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gateway.core.errors import ErrorCode, Refused


@dataclass(frozen=True, slots=True)
class TwoOfficers:
    """Who does it and who agrees. Cannot be made of one person: whoever holds one, two have been named."""

    first: str
    second: str

    def __post_init__(self) -> None:
        first, second = tidy_name(self.first), tidy_name(self.second)
        if not first or not second or name_key(first) == name_key(second):
            raise Refused(
                ErrorCode.NOT_PERMITTED, detail="A second officer, another person, must agree to this."
            )
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)

    @property
    def both(self) -> str:
        """Their names in one, as a row keeps them that only shows who it was."""
        return f"{self.first}; {self.second}"


def tidy_name(name: str) -> str:
    """A name as it is kept: its spaces made one, and nothing in it that cannot be seen (Unicode's formats and controls)."""
    seen = (one for one in name if one.isspace() or unicodedata.category(one) not in ("Cc", "Cf", "Cn", "Co"))
    return " ".join("".join(seen).split())


def name_key(name: str) -> str:
    """A name as it is compared: two that a reader would take for one have one key, also with a letter of another script that
    looks the same (UTS 39 section 4, of which the letters that Latin names could be feigned with are enough here)."""
    plain = unicodedata.normalize("NFKC", tidy_name(name)).casefold()
    return "".join(one for one in plain if not _VARIATION.match(one)).translate(_LOOKS_LIKE)


_VARIATION = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f]")
_LOOKS_LIKE = str.maketrans(  # Cyrillic and Greek, large ones as the small ones that they fold to
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "abekmhopctyxsijhdqw" + "abezhikmnoptyx",
)
