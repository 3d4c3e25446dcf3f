"""The South Tyneside pack with more rules, put in force: for tests of words that it does not use itself."""

from __future__ import annotations

import re
from typing import Any

from gateway.core.routing import Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import packs
from gateway.store import packs as pack_rows
from gateway.store.packs import PackRow
from tests.actions.scene import COUNCIL, hold_seat, send
from tests.gateway_house import House

FILES = packs.read_files(packs.HERE / SOUTH_TYNESIDE)

# One council's own way: notifications to the director through a head of service, each reviewed; tasks; deputies.
COUNCIL_RULES = """
[[clock]]
id = "T0"
unit = "none"
start = "notified_at"
day_end = "midnight"
clause = "invented"

[[clock]]
id = "T1"
unit = "none"
start = "overseen_at"
day_end = "midnight"
clause = "invented"

[[route]]
id = "notification"
message = "dcs-notification"
from = ["local-authority"]
opens = true
moments = ["notified_at"]
deliver = [
    { role = "head-of-service", whom = "sender" },
    { role = "dcs", when = { path = ["direct"] } },
    { role = "strategic-director", unless = { path = ["direct"] } },
]
duties = [
    { owner = "head-of-service", expects = "review-decision", task = "hos-oversight", clock = "T0" },
    { owner = "head-of-service", expects = "task-record", task = "case-note", clock = "T0" },
    { owner = "head-of-service", expects = "task-record", task = "staff-welfare", clock = "T0" },
    { owner = "head-of-service", expects = "call-log", clock = "T0", unless_received = "call-log" },
]
clause = "S1-14, S1-15"

[[route]]
id = "review"
message = "review-decision"
from = ["local-authority"]
deliver = ["sbu"]
clause = "S1-16"

[[route]]
id = "task"
message = "task-record"
from = ["local-authority"]
when = { task = ["case-note", "staff-welfare"] }
clause = "S1-13"

[[decision]]
id = "oversight"
message = "review-decision"
when = { review = ["hos-oversight"] }
seats = ["head-of-service"]
lead = "head-of-service"
code = "outcome"
each = true
outcomes_silent = ["return-with-actions"]
clause = "S1-16"

[[consequence]]
decision = "oversight"
outcomes = ["forward"]
moments = ["overseen_at"]
label = "With the director"
deliver = ["dcs", "assistant-director"]
duties = [{ owner = "dcs", expects = "review-decision", task = "dcs-review", clock = "T1" }]
clause = "S1-16"

[[decision]]
id = "director"
message = "review-decision"
when = { review = ["dcs-review"] }
seats = ["dcs", "assistant-director"]
lead = "dcs"
code = "outcome"
quorum = 1
outcomes_silent = ["further-actions"]
clause = "S1-17"

[[consequence]]
decision = "director"
outcomes = ["noted"]
label = "Noted"
ends = ["call-log"]
clause = "S1-17"

[[deputy]]
role = "head-of-service"
by = ["principal-social-worker", "service-manager"]
clause = "S3-07"
"""
HOLDERS = {
    "head-of-service": "Perpetua Vane",
    "dcs": "Philippa Marlowe",
    "assistant-director": "Rufus Ainsley",
    "strategic-director": "Octavia Penn",
}


async def arrange(house: House, more: str = "", *changes: tuple[str, str]) -> None:
    """Put the pack with more rules in force; each change replaces one text by another."""
    text = re.sub(r'version = "[^"]*"', 'version = "test.1"', FILES["rules.toml"], count=1)
    text = re.sub(r"places = \[[^\]]*\]", "places = []", text, count=1)
    for old, new in changes:
        assert old in text, "the test changes what is there"
        text = text.replace(old, new)
    files = FILES | {"rules.toml": text + more}
    assert packs.check(SOUTH_TYNESIDE, files) == []
    row = PackRow(SOUTH_TYNESIDE, "test.1", files, packs.digest(files), house.clock())
    await house.parts.store.transact(lambda tx: pack_rows.activate(tx, row, "First", "Second"))
    house.parts.partnerships.forget()


async def arrange_council(house: House, *changes: tuple[str, str]) -> None:
    """The council's own rules, and somebody in every seat of them."""
    await arrange(house, COUNCIL_RULES, *changes)
    for role, name in HOLDERS.items():
        await hold_seat(house, COUNCIL, role, (Holder(name, None, None, 0),))


async def notify(house: House, **envelope: Any) -> Any:
    """A notification to the director by the council's own software."""
    body = envelope.pop("body", {"path": "through-head-of-service", "bypass_reason": None})
    return await send(house, COUNCIL, "dcs-notification", body, partnership=SOUTH_TYNESIDE, **envelope)


async def review(
    house: House, answered: Any, kind: str, seat: str, outcome: str, agency: str = COUNCIL, **envelope: Any
) -> Any:
    """One seat's decision on a message."""
    own = house.example("review-decision")["body"]
    one = own["decisions"][0] | {"seat": seat, "outcome": outcome, "decided_at": house.clock().isoformat()}
    lists = {"further_actions": [], "onward_notifications": []}
    body = dict.fromkeys(own) | lists | {"review": kind, "decisions": [one]}
    about = {"incident": answered["incident"], "in_reply_to": answered["id"], "partnership": SOUTH_TYNESIDE}
    return await send(house, agency, "review-decision", body, **(about | envelope))


async def record_task(house: House, answered: Any, task: str, **body: Any) -> Any:
    about = {"incident": answered["incident"], "in_reply_to": None, "partnership": SOUTH_TYNESIDE}
    told = {"task": task, "done_at": house.clock().isoformat()} | body
    return await send(house, COUNCIL, "task-record", told, **about)
