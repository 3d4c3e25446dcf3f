"""The life of a delivery as the operator's guide draws it is the one that the code knows."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.core.deliveries import FINAL_STATES, MOVES, DeliveryState

GUIDE = (Path(__file__).resolve().parents[2] / "deploy" / "guides" / "operator.md").read_text()
DRAWN = GUIDE.partition("stateDiagram-v2")[2].partition("```")[0]


def test_the_diagram_shows_every_move_that_there_is_and_no_other() -> None:
    names = {state.value.replace("-", "_"): state for state in DeliveryState}
    arrows = re.findall(r"^ *(\w+) --> (\w+):", DRAWN, re.MULTILINE)
    assert {(names[a], names[b]) for a, b in arrows} == {(a, b) for a, to in MOVES.items() for b in to}


def test_no_state_is_a_dead_end_that_nobody_sees() -> None:
    """What is open can end, and what failed can be tried again; only what was given up is at its end."""
    assert set(MOVES) == set(DeliveryState)
    resting = {state for state, to in MOVES.items() if not to}
    assert resting == {DeliveryState.CANCELLED}
    for state in set(DeliveryState) - FINAL_STATES:
        assert MOVES[state] & FINAL_STATES, state
