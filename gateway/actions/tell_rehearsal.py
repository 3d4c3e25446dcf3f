"""What the rules would do, as one document: roles, agencies, dates and coarse reasons, and nothing of a message's content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.actions.rehearse import Follows, Rehearsal
from gateway.core.written_times import written


def told(found: Rehearsal) -> dict[str, Any]:
    """The answer of contract section 2."""
    answer: dict[str, Any] = {
        "decision": found.decision,
        "rule": found.rule,
        "deliveries": [_picked(row, "role", "adapter", "agency") for row in found.deliveries],
        "duties": [_duty(row) for row in found.duties],
        "held": list(found.held),
    }
    if found.refused is not None:
        code, pointer = found.refused
        answer["refused"] = {"code": code.slug, "pointer": pointer}
    if found.follows is not None:
        answer["follows"] = _followed(found.follows)
    return answer


def _followed(follows: Follows) -> dict[str, Any]:
    return {
        "decision": follows.decision,
        "outcome": follows.outcome,
        "label": follows.label,
        "deliveries": [_picked(row, "role", "adapter", "agency") for row in follows.deliveries],
        "duties": [_duty(row) for row in follows.duties],
        "ends": list(follows.ends),
        "letters": list(follows.letters),
        "held": list(follows.held),
    }


def _duty(row: Mapping[str, Any]) -> dict[str, Any]:
    due_at = row["due_at"]
    return {
        **_picked(row, "role", "clock"),
        "due_at": written(due_at) if due_at else None,
        **_picked(row, "agency", "expects", "task"),
    }


def _picked(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}
