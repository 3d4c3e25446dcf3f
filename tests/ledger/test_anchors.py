"""Anchored checkpoints in a real database, on both engines: kept once, found by what they hold, and in the bundle as they were stamped."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.messages import IncidentId
from gateway.core.receipts import Event
from gateway.ledger import sealing, verify
from gateway.ledger.anchoring import steady_size
from gateway.ledger.appending import append
from gateway.ledger.bundle import build_bundle, gather
from gateway.ledger.checkpoint import (
    cosignature,
    log_key,
    origin_anew,
    origin_at,
    sign_checkpoint,
    witness_key,
)
from gateway.ledger.policy import ReceiptKeyWindow, StampersNamed, make_policy
from gateway.ledger.statement import Anchor, draft
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow
from tests.ledger.conftest import ISSUER as SIGNED_BY
from tests.ledger.conftest import NORTH, NOW, Begin, log_one, seal_now
from tests.ledger.scene import AUTHORITY, ISSUER, LOG, NEXT_YEAR, ORIGIN, OTHER_AUTHORITY, RECEIPTS, WITNESSES
from tests.ledger.stamping import POLICY

NAME, SIGNER = next(iter(WITNESSES.items()))
INCIDENT = IncidentId("SI-7K3M-9QPX-2D")


def confirmed(made: CheckpointRow, *, stamps: int = 1) -> AnchorRow:
    at = made.sealed_at
    note = made.note + cosignature(SIGNER, NAME, made.note, at)
    tokens = tuple(one.stamp(note.encode(), at) for one in (AUTHORITY, OTHER_AUTHORITY)[:stamps])
    return AnchorRow(made.number, made.log, made.size, made.root, note, tokens, at)


def sealed_three_times(begin: Begin) -> list[CheckpointRow]:
    """Three checkpoints, of one, two and three entries of one incident, a minute apart."""
    made = []
    for number in range(3):
        with begin() as tx:
            log_one(tx, "one-chain", 60 * number, INCIDENT)
            head = seal_now(tx, NOW + timedelta(minutes=number))
            assert head is not None
            made.append(head)
    return made


def policy(*roots: str) -> dict[str, object]:
    return make_policy(
        ISSUER,
        [log_key(ORIGIN, LOG)],
        [ReceiptKeyWindow(RECEIPTS.public_jwk(), NOW - timedelta(days=1))],
        witnesses=[witness_key(NAME, SIGNER)],
        quorum=1,
        timestamps="required",
        tsa=StampersNamed("".join(roots), [POLICY]),
    )


def test_an_anchor_is_kept_once_and_comes_back_as_it_was(begin: Begin) -> None:
    first, *_ = sealed_three_times(begin)
    row = confirmed(first, stamps=2)
    with begin() as tx:
        assert log.newest_anchor(tx) is None
        assert log.oldest_unanchored(tx) == first.sealed_at
        assert log.add_anchor(tx, row)
        assert not log.add_anchor(tx, confirmed(first, stamps=1))
    with begin() as tx:
        assert log.anchor_of_size(tx, ORIGIN, first.size) == row
        assert log.newest_anchor(tx) == (first.size, first.root)
        assert log.oldest_unanchored(tx) == NOW + timedelta(minutes=1)


def test_a_leaf_is_held_by_the_first_anchor_after_it(begin: Begin) -> None:
    made = sealed_three_times(begin)
    with begin() as tx:
        for head in (made[0], made[2]):
            log.add_anchor(tx, confirmed(head))
    with begin() as tx:
        held = [log.anchor_holding(tx, ORIGIN, index) for index in range(4)]
    assert [one and one.size for one in held] == [1, 3, 3, None]


@pytest.mark.parametrize("stamps", [1, 2])
def test_a_bundle_holds_each_receipt_under_its_anchor_with_every_stamp(begin: Begin, stamps: int) -> None:
    made = sealed_three_times(begin)
    with begin() as tx:
        for head in (made[0], made[2]):
            log.add_anchor(tx, confirmed(head, stamps=stamps))
    with begin() as tx:
        gathered = gather(tx, NORTH, INCIDENT, anchored=True)
    whom = policy(AUTHORITY.root, OTHER_AUTHORITY.root)
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=whom)
    names = set(zipfile.ZipFile(io.BytesIO(bundle)).namelist())
    expected = {f"checkpoints/{size}{end}.tsr" for size in (1, 3) for end in ("", "-2")[:stamps]}
    assert {name for name in names if name.endswith(".tsr")} == expected
    finding = verify.verify_bundle(bundle, verify.load_policy(json.dumps(whom).encode()))
    assert finding.verdict == "PROVISIONAL", "these statements name nothing before them"
    assert "only its latest time is known" in finding.reason
    as_it_was = verify.load_policy(json.dumps(whom | {"timestamps": "none"}).encode())
    assert verify.verify_bundle(bundle, as_it_was).verdict == "VALID"


def test_what_is_not_anchored_yet_has_no_proof_and_makes_the_verdict_provisional(begin: Begin) -> None:
    first, *_ = sealed_three_times(begin)
    with begin() as tx:
        log.add_anchor(tx, confirmed(first))
    with begin() as tx:
        gathered = gather(tx, NORTH, INCIDENT, anchored=True)
    assert len(gathered.proofs) == 1
    whom = policy(AUTHORITY.root)
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=whom)
    finding = verify.verify_bundle(bundle, verify.load_policy(json.dumps(whom).encode()))
    assert (finding.verdict, finding.reason.partition(" ")[0]) == ("PROVISIONAL", "2")


def test_nothing_anchored_is_nothing_proved_and_still_a_bundle(begin: Begin) -> None:
    sealed_three_times(begin)
    with begin() as tx:
        gathered = gather(tx, NORTH, INCIDENT, anchored=True)
    whom = policy(AUTHORITY.root)
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=whom)
    assert (
        verify.verify_bundle(bundle, verify.load_policy(json.dumps(whom).encode())).verdict == "PROVISIONAL"
    )


def test_over_new_year_the_old_logs_last_checkpoint_is_anchored_first_and_the_bundle_leads_over_both(
    begin: Begin,
) -> None:
    *_, closed = sealed_three_times(begin)
    with begin() as tx:
        named = Anchor(closed.size, closed.root.hex())
        one = draft(Event.LOG_CONTINUED, "log-2027", NOW, {}, reason="follows-2026")
        kept = {"partnership": None, "incident": None, "seal": None, "data_key": None}
        link = append(tx, SIGNED_BY, one, **kept, after=named)  # type: ignore[arg-type]
        begun = seal_now(tx, origin=NEXT_YEAR, link=(link.id, link.statement))
        assert begun is not None
        log_one(tx, "one-chain", 240, INCIDENT)
    with begin() as tx:
        latest = seal_now(tx, NOW + timedelta(minutes=5), NEXT_YEAR)
        assert latest is not None
        assert (begun.size, latest.size, latest.number) == (1, 2, 5)
    turns = []
    with begin() as tx:
        while (head := log.next_to_anchor(tx)) is not None:
            turns.append((head.log, head.size))
            log.add_anchor(tx, confirmed(head))
        gathered = gather(tx, NORTH, INCIDENT, anchored=True)
    assert turns == [(ORIGIN, 3), (NEXT_YEAR, 2)]
    whom = policy(AUTHORITY.root) | {
        "log": [str(log_key(origin, LOG)) for origin in (ORIGIN, NEXT_YEAR)],
        "timestamps": "none",
    }
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=whom)
    finding = verify.verify_bundle(bundle, verify.load_policy(json.dumps(whom).encode()))
    assert (finding.verdict, finding.receipts) == ("VALID", 4), finding.reason


@pytest.mark.parametrize(
    ("shown", "newest", "growth", "size"),
    [
        (0, 0, 8, 8),  # filled up
        (8, 9, 8, 16),
        (8, 16, 8, 16),
        (8, 60, 8, 16),  # the rest waits
        (0, 80, 8, 8),
        (0, 81, 8, 80),  # more than ten steps behind: at once, in whole steps
        (5, 1005, 8, 1005),
        (13, 17, 8, 21),  # steps go on from wherever it was
        (8, 9, 0, 9),  # as it comes
    ],
)
def test_what_is_shown_next_is_one_step_more(shown: int, newest: int, growth: int, size: int) -> None:
    assert steady_size(shown, newest, growth) == size


def test_logs_that_are_begun_anew_sort_within_their_year() -> None:
    names = [ORIGIN, origin_anew(ORIGIN), origin_anew(origin_anew(ORIGIN)), NEXT_YEAR]
    assert names == sorted(names)
    assert names[1:3] == [f"{ORIGIN}b", f"{ORIGIN}c"]
    assert origin_at("gateway.example", NOW, names[2]) == names[2]
    with pytest.raises(ValueError, match="so often"):
        origin_anew(f"{ORIGIN}z")


def test_a_log_that_is_given_up_ends_at_its_last_confirmed_state(begin: Begin) -> None:
    """A confirmed size between two checkpoints, fillers before and behind it, and a year that began after it."""
    with begin() as tx:
        for number in range(6):
            log_one(tx, "msg-one", number, INCIDENT)
        seal_now(tx, limit=2)
        planned = sealing.plan(tx, ORIGIN, limit=4, fill_to=9, seed=bytes(32))
        assert planned is not None
        made = sealing.seal(tx, planned, planned.signed(LOG), NOW)
        assert made.size == 9
        leaves = log.statements(tx, ORIGIN, 0, 9)
        root = sealing.root_at(tx, ORIGIN, 4)
        assert root is not None
        note = sign_checkpoint(LOG, ORIGIN, 4, root)
        between = CheckpointRow(log.number_within(tx, ORIGIN, 4), ORIGIN, 4, root, note, NOW)
        assert log.add_anchor(tx, confirmed(between))
        link = log_one(tx, "log-2027")
        seal_now(tx, origin=NEXT_YEAR, link=(link.id, link.statement))
    with begin() as tx:
        base = log.last_anchor(tx)
        assert base is not None
        assert log.cut_back(tx, base) == 3, "two entries behind it, and the next year's first"
        assert log.cut_back(tx, base) == 0
    with begin() as tx:
        newest = log.latest_checkpoint(tx)
        assert newest is not None
        assert (newest.log, newest.size, newest.root, newest.note) == (ORIGIN, 4, root, note)
        assert log.statements(tx, ORIGIN, 0, 4) == leaves[:4]
        assert log.origins(tx) == [ORIGIN]
        assert log.next_to_anchor(tx) is None
        last = log_one(tx, f"log-{verify.label(origin_anew(ORIGIN))}")
        begun = seal_now(tx, origin=origin_anew(ORIGIN), link=(last.id, last.statement))
        assert begun is not None
        assert begun.number > made.number
        rest = seal_now(tx, origin=origin_anew(ORIGIN))
        assert rest is not None
        assert rest.size == 4


def test_what_stands_against_a_log_that_was_given_up_stops_nothing_any_more(begin: Begin) -> None:
    other = "other.example/ledger/2026"
    with begin() as tx:
        log_one(tx, "one")
        seal_now(tx)
        for origin in (ORIGIN, other, ORIGIN.replace("2026", "2025")):
            row = log.ContradictionRow(origin, NAME, 99, "note", NOW)
            log.note_contradiction(tx, row)
            log.note_contradiction(tx, replace(row, size=100))
        assert [(one.log, one.size) for one in log.contradictions(tx)] == [(ORIGIN, 99)]
        link = log_one(tx, "log-2026b")
        seal_now(tx, origin=origin_anew(ORIGIN), link=(link.id, link.statement))
        assert log.contradictions(tx) == []
