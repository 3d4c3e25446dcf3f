"""Two people for whatever can redirect or silence (architecture section 9)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.errors import ErrorCode, Refused


@dataclass(frozen=True, slots=True)
class TwoOfficers:
    """Who does it and who agrees. Cannot be made of one person: whoever holds one, two have been named."""

    first: str
    second: str

    def __post_init__(self) -> None:
        first, second = " ".join(self.first.split()), " ".join(self.second.split())
        if not first or not second or first.casefold() == second.casefold():
            raise Refused(
                ErrorCode.NOT_PERMITTED, detail="A second officer, another person, must agree to this."
            )
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)
