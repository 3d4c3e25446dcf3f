"""What a police or sub judice hold on an incident stops from going out, by the partnership's own data (G-11).

The invariant: a hold stops only what is disclosed beyond those who act on the matter. Corrections, chases and acknowledgements
always go: a recall must reach whoever has a message. The duties of the law run on; nothing here moves a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.messages import AgencyKind, Facts

ALWAYS_GO = frozenset({"correction", "chase", "acknowledgement"})
POLICE_HOLD = "police-hold"  # why a delivery waits, and the reason of a hold that a message itself asks for


@dataclass(frozen=True, slots=True)
class DisclosureHold:
    """`messages` go to nobody, and nothing goes to agencies of the kinds `to`, while a hold stands. A message from one of
    the kinds `placed_by` with one of the codes `when` places one by itself; without `when` only an officer does."""

    messages: frozenset[str] = frozenset({"dsl-letter", "learning-digest"})
    to: frozenset[AgencyKind] = frozenset({AgencyKind.SCHOOL})
    placed_by: frozenset[AgencyKind] = frozenset({AgencyKind.POLICE})
    when: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def stops(self, message_type: str, to: AgencyKind | None) -> bool:
        """Whether such a message waits under a hold; an agency unknown to the directory counts as one that may not have it."""
        if message_type in ALWAYS_GO:
            return False
        return message_type in self.messages or to is None or to in self.to

    def asked_by(self, sender: AgencyKind, facts: Facts) -> bool:
        """Whether this message places a hold by itself."""
        said = (allowed.intersection(facts.codes.get(code, ())) for code, allowed in self.when.items())
        return sender in self.placed_by and any(said)
