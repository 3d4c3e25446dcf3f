"""What `gateway rules replay` and `activate` show of a pack tried on the messages of the past: ids, rules, roles and dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from gateway.actions.activate_pack import LOOKS_BACK, replay_here
from gateway.actions.replay import NOT_TRIED, Difference, Replayed
from gateway.core.messages import PartnershipId
from gateway.core.written_times import written
from gateway.partnerships.packs import parse
from gateway.parts import Parts


async def replayed(
    parts: Parts, partnership: PartnershipId, files: Mapping[str, str], since_on: date | None
) -> dict[str, Any]:
    """The replay as one document; `mark` stands for the differences of the past year, which `activate` asks for."""
    candidate = parse(partnership, files)
    since_at = parts.clock() - LOOKS_BACK
    if since_on is not None:
        since_at = candidate.calendar.instant(since_on, datetime.min.time())
    found = await parts.store.read(lambda tx: replay_here(tx, partnership, files, since_at))
    found = found or Replayed(0, ())
    return {
        "pack": partnership,
        "version": candidate.version,
        "since": written(since_at),
        "messages": found.looked_at,
        "differing": len(found.differences),
        "mark": found.mark if found.differences and since_on is None else None,
        "differences": [_document(one) for one in found.differences],
        "left_out": found.left_out,
        "beside": list(found.beside),
        "not_tried": list(NOT_TRIED),
    }


def in_words(told: Mapping[str, Any]) -> list[str]:
    lines = [f"{told['messages']} messages since {told['since']}: {told['differing']} treated otherwise"]
    for one in told["differences"]:
        lines.append(f"{one['message']} ({one['type']}, {one['arrived_at']}, {one['incident']})")
        lines += [
            f"  {name}: {_short(one['now'], name)} -> {_short(one['then'], name)}" for name in one["in"]
        ]
    if told["left_out"]:
        lines.append(f"not tried: {told['left_out']} messages of agencies that the directory has no more")
    if told["beside"]:
        lines.append(f"differs too, and no message of the past shows it: {', '.join(told['beside'])}")
    lines += [f"not tried: {one}" for one in told["not_tried"]]
    if told["mark"]:
        lines.append(f"seen and agreed: gateway rules activate ... --seen {told['mark']}")
    return lines


def _document(found: Difference) -> dict[str, Any]:
    return {
        "message": found.message,
        "incident": found.incident,
        "type": found.type,
        "arrived_at": written(found.arrived_at),
        "in": list(found.in_what),
        "now": dict(found.now),
        "then": dict(found.then),
    }


def _short(answer: Mapping[str, Any], name: str) -> str:
    """One member of an answer on one line: seats, duties with their dates, reasons."""
    match answer.get(name):
        case None | []:
            return "nothing"
        case list(items):
            return ", ".join(_item(item) for item in items)
        case dict(inner):
            return "; ".join(f"{key} {_short(inner, key)}" for key in inner if inner[key])
        case other:
            return str(other)


def _item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    seat = f"{item['role']}@{item['agency']}"
    if "clock" not in item:
        return seat
    return f"{seat} {item['expects']} {item['clock']} by {item['due_at'] or 'no limit'}"
