"""Was every promise kept? Asked of the book, of the partner, of the submitters and of the log, after everything."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

from gateway.actions.export import own_policy
from gateway.app import build_parts, close
from gateway.core.receipts import Event
from gateway.ledger import verify
from gateway.parts import Parts
from gateway.store import log
from tests.journeys.deployment import number_of, rows
from tests.journeys.faults.town import Town
from tests.journeys.mortal_gateway import command

FINAL = {
    "delivered": (Event.CONSIGNMENT_NOTIFICATION.text, Event.CONTENT_CONSIGNMENT.text),
    "relayed": (Event.RELAY_TO_NON_ERDS.text,),
}
LEAVES_AT_ONCE = 2000


async def settled(town: Town) -> float:
    """Seconds until nothing is owed any more: nothing pending, nothing unsealed."""
    began_at, found = time.monotonic(), {"never": 1}
    parts = build_parts(town.settings)
    try:
        while any(found.values()):
            assert time.monotonic() < began_at + town.scale.settle_seconds, (found, town.settings.var_dir)
            await asyncio.sleep(0.25)
            found = {
                "pending": await number_of(parts, "delivery WHERE state = 'pending'"),
                "unsealed": await number_of(parts, "entry WHERE leaf_index IS NULL"),
            }
    finally:
        await close(parts)
    return round(time.monotonic() - began_at, 1)


async def judged(town: Town) -> dict[str, Any]:
    """Everything that must hold, and how much of it there was."""
    parts = build_parts(town.settings)
    try:
        found = {
            **await _every_answer_stands_once(town, parts),
            **await _every_delivery_arrived(town, parts),
            **await _no_receipt_contradicts_another(town, parts),
            **await _log_verifies_whole(parts),
        }
    finally:
        await close(parts)
    status, out, err = await command(town.settings.var_dir.parent / "gateway.toml", "reconcile", "--json")
    assert status == 0, (out, err)
    figures = json.loads(out)
    assert figures["unexplained"] == figures["pending"] == figures["failed"] == 0, figures
    return found | {"reconciled": figures["accepted"], "unexplained": figures["unexplained"]}


async def _every_answer_stands_once(town: Town, parts: Parts) -> dict[str, int]:
    """By sender and reference: one message, the one that was answered, and no other."""
    stored = await rows(
        parts, "SELECT agency, reference, id, receipt, incident FROM message WHERE client IS NOT NULL"
    )
    assert set(Counter((row.agency, row.reference) for row in stored).values()) <= {1}
    by_name = {(row.agency, row.reference): row for row in stored}
    for name, answer in town.answers.items():
        row = by_name[name]
        assert (row.id, row.incident, row.receipt) == (
            answer["id"],
            answer["incident"],
            answer["receipt"]["id"],
        )
    assert len(by_name) == len(town.answers)
    return {
        "answered": len(town.answers),
        "answered again alike": town.repeats,
        "incidents": await number_of(parts, "incident"),
    }


async def _every_delivery_arrived(town: Town, parts: Parts) -> dict[str, int]:
    """Final, stated exactly once, and at the partner under its one id."""
    owed = await rows(parts, "SELECT id, adapter, state, message FROM delivery")
    final = {"delivered", "relayed"}
    assert {row.state for row in owed} <= final, Counter(row.state for row in owed)
    by_webhook = {row.id for row in owed if row.adapter == "webhook"}
    assert by_webhook == town.partner.known, (len(by_webhook - town.partner.known), "never arrived")
    assert all(town.partner.named[name] == {name} for name in by_webhook), "one delivery, one id"
    assert town.partner.forged == 0
    events = ", ".join(f"'{name}'" for names in FINAL.values() for name in names)
    stated = await rows(
        parts, f"SELECT chain, count(*) AS n FROM entry WHERE event IN ({events}) GROUP BY chain"
    )
    assert {row.chain: row.n for row in stated} == dict(Counter(row.message for row in owed))
    return {
        "deliveries": len(owed),
        "to the partner": len(by_webhook),
        "of them more than once": sum(town.partner.came[one] > 1 for one in by_webhook),
        "attempts that the partner saw": town.partner.came.total(),
    }


async def _no_receipt_contradicts_another(town: Town, parts: Parts) -> dict[str, int]:
    """Signed by our key, every chain without a gap or a fork, one acceptance to each message, answered as it stands."""
    policy = verify.load_policy(json.dumps(own_policy(parts)).encode())
    entries = await rows(parts, "SELECT id, chain, seq, event, jws, statement FROM entry ORDER BY chain, seq")
    jws: dict[str, str] = {}
    last = ("", 0, "")
    for entry in entries:
        receipt = await asyncio.to_thread(verify.open_receipt, entry.jws.encode(), policy)
        assert receipt.leaf == verify.leaf_hash(bytes(entry.statement))
        said = receipt.statement
        assert (said["ref"], said["seq"]) == (entry.chain, entry.seq)
        before = last if last[0] == entry.chain else (entry.chain, 0, "")
        assert entry.seq == before[1] + 1, f"{entry.chain} has a gap or a fork"
        assert said["prev"] == before[2], f"{entry.chain} does not continue"
        last = (entry.chain, entry.seq, receipt.leaf.hex())
        jws[entry.id] = entry.jws
    accepted = Counter(entry.chain for entry in entries if entry.event == Event.SUBMISSION_ACCEPTANCE.text)
    assert set(accepted.values()) == {1}
    for answer in town.answers.values():
        assert jws[answer["receipt"]["id"]] == answer["receipt"]["jws"]
    return {"receipts": len(entries), "chains": len({entry.chain for entry in entries})}


async def _log_verifies_whole(parts: Parts) -> dict[str, int]:
    """Every leaf hashed anew from its statement; the roots that were ever signed are those of the leaves before them."""
    total = await number_of(parts, "entry")
    signed = await rows(parts, "SELECT log, size, root, note FROM checkpoint ORDER BY size")
    assert signed, "something is sealed"
    assert signed[-1].size == total
    policy = verify.load_policy(json.dumps(own_policy(parts)).encode())
    for row in signed:
        head = verify.open_checkpoint(row.note.encode(), policy.logs, (), 0)
        assert (head.size, head.root) == (row.size, bytes(row.root))
    waiting = {row.size: row for row in signed}
    peaks: list[tuple[int, bytes]] = []
    size = 0
    for first in range(0, total, LEAVES_AT_ONCE):
        count = min(LEAVES_AT_ONCE, total - first)
        leaves = await parts.store.read(lambda tx, f=first, c=count: log.statements(tx, signed[0].log, f, c))  # type: ignore[misc]
        assert len(leaves) == count
        for leaf in leaves:
            size += 1
            _grow(peaks, verify.leaf_hash(bytes(leaf)))
            _check_root(waiting, peaks, size)
    return {"leaves": total, "checkpoints": len(signed)}


def _grow(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    """RFC 6962 section 2.1, one leaf at a time: the roots of the complete subtrees, largest first."""
    height, made = 0, leaf
    while peaks and peaks[-1][0] == height:
        made = verify.node_hash(peaks.pop()[1], made)
        height += 1
    peaks.append((height, made))


def _check_root(waiting: dict[int, Any], peaks: list[tuple[int, bytes]], size: int) -> None:
    row = waiting.get(size)
    if row is None:
        return
    root = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        root = verify.node_hash(left, root)
    assert root == bytes(row.root), f"the checkpoint of {size} was signed over other leaves"
