"""Who officers are to each other: how names are compared, and two people for whatever can redirect or silence (architecture
section 9)."""

from __future__ import annotations

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
    """A name as it is kept: its spaces made one."""
    return " ".join(name.split())


def name_key(name: str) -> str:
    """A name as it is compared: two that a reader would take for one have one key."""
    return unicodedata.normalize("NFKC", tidy_name(name)).casefold()
