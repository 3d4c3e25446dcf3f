"""A duty as JSON, the same for agencies, officers and the answer to a message: ids and codes, never content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.actions.change_calendar import EXTENDED
from gateway.core.duties import DutyState
from gateway.core.written_times import written_or_null
from gateway.store.duties import DutyRow

LATE = (DutyState.MET_LATE.value, DutyState.MISSED.value)


def duty_document(duty: DutyRow | Mapping[str, Any]) -> dict[str, Any]:
    """A duty as it stands, or as it is being laid. Instants are UTC; `due_at` is null where there is no limit.

    `due_changes` are the due before and after with cause and time (C-12); `original_due_at` is what the figures count by when
    an officer gave more time (G-10). `uncounted`: it has a limit, and no date before a newer list of holidays is uploaded.
    `early`: it was met before its exact day (C-11). `reason_missing`: it was late or early, and nobody has said why.
    """
    row = {name: getattr(duty, name) for name in duty.__slots__} if isinstance(duty, DutyRow) else duty
    state = row["state"].value if isinstance(row["state"], DutyState) else row["state"]
    wants_reason = state in LATE or bool(row.get("is_early"))
    changes: Sequence[Mapping[str, Any]] = row.get("due_changes") or ()
    return {
        "id": row["id"],
        "partnership": row["partnership"],
        "incident": row["incident"],
        "message": row["message"],
        "agency": row["agency"],
        "role": row["role"],
        "expects": row["expects"],
        "task": row.get("task"),
        "clock": row["clock"],
        "rule": row.get("rule"),
        "pack_version": row["pack_version"],
        "start_at": written_or_null(row["start_at"]),
        "due_on": row["due_on"].isoformat() if row["due_on"] else None,
        "due_at": written_or_null(row["due_at"]),
        "original_due_at": _original(changes) or written_or_null(row["due_at"]),
        "due_changes": [dict(change) for change in changes],
        "uncounted": row["due_at"] is None and bool(changes),
        "state": state,
        "met_at": written_or_null(row.get("met_at")),
        "event_at": written_or_null(row.get("event_at")),
        "met_by": row.get("met_by"),
        "early": bool(row.get("is_early")),
        "reason_missing": wants_reason and row.get("explained_at") is None,
        "chase_stage": row.get("chase_stage"),
    }


def _original(changes: Sequence[Mapping[str, Any]]) -> str | None:
    """The due before the first extension; what a list of holidays moved counts from where it was moved to."""
    return next((str(each["old_due_at"]) for each in changes if each["cause"] == EXTENDED), None)
