"""Entries are chained, signed and kept in the transaction of what they tell of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger.appending import append, append_all, disclosures_label
from gateway.ledger.statement import Anchor, draft
from gateway.ledger.verify import leaf_hash
from gateway.store import log, tables
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen, DataKey
from tests.ledger.conftest import ISSUER, NORTH, NOW, Begin, log_one

KEY = DataKey("dk-1", b"k" * 32)
INCIDENT = IncidentId("SI-7K3M-9QPX-2D")
SOUTH = PartnershipId("south")


def test_each_entry_names_the_one_before_it(begin: Begin) -> None:
    with begin() as tx:
        first = log_one(tx, "one")
    with begin() as tx:
        second = log_one(tx, "one")
        other = log_one(tx, "two")
    read = [json.loads(entry.statement) for entry in (first, second, other)]
    assert [(one["seq"], one["prev"]) for one in read] == [(1, ""), (2, first.leaf_hash), (1, "")]
    assert first.leaf_hash == leaf_hash(first.statement).hex()


def test_several_drafts_become_one_chain_in_their_order(begin: Begin) -> None:
    drafts = [draft(Event.ROUTED, "one", NOW, {}) for _ in range(4)]
    with begin() as tx:
        log_one(tx, "one")
        entries = append_all(
            tx,
            ISSUER,
            drafts,
            partnership=NORTH,
            incident=None,
            seal=None,
            data_key=None,
            after=Anchor(9, "ab" * 32),
        )
        rows = log.entries_of_chain(tx, NORTH, "one")
        head = log.chain_head(tx, "one")
    assert [entry.id for entry in entries] == [one.id for one in drafts]
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.statement for row in rows[1:]] == [entry.statement for entry in entries]
    assert head == log.ChainHead(NORTH, None, 5, entries[-1].leaf_hash)
    assert all(json.loads(entry.statement)["after"] == {"root": "ab" * 32, "size": 9} for entry in entries)


def test_any_number_of_drafts_costs_three_statements_of_sql(begin: Begin) -> None:
    drafts = [draft(Event.ROUTED, "one", NOW, {}) for _ in range(5)]
    with begin() as tx:
        counted = _CountingTx(tx)
        append_all(counted, ISSUER, drafts, partnership=NORTH, incident=None, seal=None, data_key=None)  # type: ignore[arg-type]
    assert counted.statements == 3


class _CountingTx:
    """A transaction that counts the statements sent through it."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.statements = 0

    def execute(self, *call: Any) -> Any:
        self.statements += 1
        return self._tx.execute(*call)


def test_disclosures_are_sealed_and_open_only_for_their_own_entry(begin: Begin) -> None:
    one = draft(Event.ROUTED, "one", NOW, {"sender": "Wearmouth Police"})
    with begin() as tx:
        entry = append(tx, ISSUER, one, partnership=NORTH, incident=INCIDENT, seal=KEY.seal, data_key=KEY.id)
        row = log.find_entry(tx, NORTH, entry.id)
    assert row is not None
    assert row.disclosures is not None
    assert row.data_key == KEY.id
    assert b"Wearmouth" not in row.disclosures
    assert json.loads(KEY.open(disclosures_label(entry.id), row.disclosures)) == list(one.disclosures)
    with pytest.raises(CannotOpen):
        KEY.open(disclosures_label("ev-other"), row.disclosures)


def test_fields_without_a_key_that_could_seal_them_are_refused(begin: Begin) -> None:
    one = draft(Event.ROUTED, "one", NOW, {"sender": "A"})
    with begin() as tx, pytest.raises(ValueError):
        append(tx, ISSUER, one, partnership=NORTH, incident=None, seal=None, data_key=None)


def test_a_key_without_its_name_is_refused(begin: Begin) -> None:
    one = draft(Event.ROUTED, "one", NOW, {})
    with begin() as tx, pytest.raises(ValueError):
        append(tx, ISSUER, one, partnership=NORTH, incident=None, seal=KEY.seal, data_key=None)


@pytest.mark.parametrize("refs", [[], ["one", "two"]])
def test_drafts_of_more_or_fewer_than_one_chain_are_refused(begin: Begin, refs: list[str]) -> None:
    drafts = [draft(Event.ROUTED, ref, NOW, {}) for ref in refs]
    with begin() as tx, pytest.raises(ValueError):
        append_all(tx, ISSUER, drafts, partnership=NORTH, incident=None, seal=None, data_key=None)


def test_a_chain_stays_with_its_partnership(begin: Begin) -> None:
    with begin() as tx:
        entry = log_one(tx, "one")
    with begin() as tx, pytest.raises(ValueError):
        append(
            tx,
            ISSUER,
            draft(Event.ROUTED, "one", NOW, {}),
            partnership=SOUTH,
            incident=None,
            seal=None,
            data_key=None,
        )
    with begin() as tx:
        assert log.find_entry(tx, SOUTH, entry.id) is None
        assert log.find_entry(tx, None, entry.id) is None
        assert log.entries_of_chain(tx, SOUTH, "one") == []


def test_an_entry_of_the_gateway_itself_belongs_to_no_partnership(begin: Begin) -> None:
    one = draft(Event.KEY_INTRODUCED, "gateway", NOW, {})
    with begin() as tx:
        append(tx, ISSUER, one, partnership=None, incident=None, seal=None, data_key=None)
        found = log.find_entry(tx, None, one.id)
    assert found is not None
    assert found.event == "KeyIntroduced"


def test_a_transaction_that_fails_leaves_no_entry_and_no_gap(begin: Begin) -> None:
    with begin() as tx:
        log_one(tx, "one")
    with begin(keep=False) as tx:
        log_one(tx, "one")
    with begin() as tx:
        again = log_one(tx, "one")
        assert (again.seq, log.count_unsealed(tx)) == (2, 2)


def test_a_chain_that_moved_on_meanwhile_stops_the_append(begin: Begin) -> None:
    with begin() as tx:
        log_one(tx, "one")
        tx.execute(update(tables.chain).values(seq=7))
        assert not log.advance_chain(tx, "one", was=1, now=2, head="00")
        assert log.advance_chain(tx, "one", was=7, now=8, head="00")


def test_the_same_draft_in_a_transaction_run_again_gives_the_same_receipt(begin: Begin) -> None:
    one = draft(Event.ROUTED, "one", NOW, {"sender": "A"})
    made = []
    for _ in range(2):
        with begin(keep=False) as tx:
            made.append(
                append(tx, ISSUER, one, partnership=NORTH, incident=None, seal=KEY.seal, data_key=KEY.id)
            )
    assert made[0] == made[1]
