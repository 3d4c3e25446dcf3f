"""A form on paper as values: what stands at its head, what the author's own software would have added, and its fields."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.console.forms import Field, Group

MARKING = "OFFICIAL-SENSITIVE when filled in. Private and confidential: keep it locked away and hand it over in person."
HOW = (
    "Use this only while the gateway cannot be reached. In immediate danger ring 999; nothing here comes before safety.",
    "Ring whoever must act before you write: the form follows the call.",
    "Write facts, as complete as you know them; leave empty what you do not know. Give the times at which things happened.",
    "For each further child, person or action use another copy of that part, and number the sheets.",
    "Once the gateway is back, enter it the same day under the reference below, with these times. It is then marked as entered late, "
    "and what is counted from what happened is counted from the times that you wrote.",
)
# What a sender's software adds by itself, and a person writes on paper.
HOUSE = (
    Field("reference", "Your own reference for this, without any name", "", "line", is_needed=True),
    Field("incident", "Incident (SI-…), if there is one", "", "line"),
    Field("in_reply_to", "What it answers: the id or reference of that message", "", "line"),
    Field("created_at", "Written", "", "instant", is_needed=True),
    Field("told", "Told by telephone: whom, and when", "", "line"),
)
ENTERED = "Entered in the gateway by ____________________ on ______________ at ________  Receipt ____________________"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One form of one pack. `senders`, `seats` and `owed` say in words who sends it, who gets it and what is then owed."""

    partnership: str
    version: str
    slug: str
    title: str
    senders: tuple[str, ...]
    seats: tuple[str, ...]
    owed: tuple[str, ...]
    clauses: tuple[str, ...]
    form: Group

    @property
    def head(self) -> tuple[tuple[str, str], ...]:
        """What stands at the head, each with its name; nothing where there is nothing to say."""
        told = (
            ("Who sends it", ", ".join(self.senders)),
            ("Who gets it", ", ".join(self.seats)),
            ("What is then owed", "; ".join(self.owed)),
            ("Source", "; ".join(self.clauses)),
        )
        return tuple((name, text) for name, text in told if text)

    @property
    def marking(self) -> str:
        return MARKING

    @property
    def how(self) -> tuple[str, ...]:
        return HOW

    @property
    def entered(self) -> str:
        return ENTERED
