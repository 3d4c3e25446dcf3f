"""The lists of the console on both engines: each row once over all pages, in order, and never an offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.store import (
    breaches,
    caseload,
    incidents,
    likenesses,
    officers,
    overview,
    proposals,
    sharing,
    views,
)
from gateway.store import tables as t
from gateway.store.caseload import STAGES, Filters, Found
from gateway.store.officers import TurnRow
from gateway.store.overview import Day, Place
from gateway.store.transaction import Store, Tx

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
DAY = Day(NOW, NOW + timedelta(hours=14))
HERE, THERE = "south-tyneside", "derby"
MANY = 60


@pytest.fixture
def filled() -> Any:
    def fill(tx: Tx) -> None:
        tx.execute(sa.insert(t.incident), [_incident(number) for number in range(MANY)])
        tx.execute(sa.insert(t.duty), [duty for number in range(MANY) for duty in _duties(number)])

    return fill


def _incident(number: int) -> dict[str, Any]:
    place = {
        "id": f"SI-{number:02}",
        "partnership": THERE if number % 7 == 0 else HERE,
        "chain": f"inc-{number}",
    }
    state = {
        "label": "Serious incident",
        "state": "closed" if number % 10 == 9 else "open",
        "legal_hold": False,
    }
    opened = {
        "opened_at": NOW - timedelta(hours=number // 2),
        "outcomes": [{"outcome": "x"}] if number % 2 else [],
    }
    return {"pack_version": "1"} | place | state | opened


def _duties(number: int) -> list[dict[str, Any]]:
    """Of five incidents one owes nothing and one has no limit; the others owe two things, some at the same instant."""
    if number % 5 == 0:
        return []
    limits = [None] if number % 5 == 1 else [NOW + timedelta(hours=number // 3 - 5), NOW + timedelta(days=9)]
    common = {
        "partnership": THERE if number % 7 == 0 else HERE, "incident": f"SI-{number:02}", "agency": f"agency-{number % 3}",
        "role": "sbu", "expects": "information-return", "clock": "K14", "rule": "r", "pack_version": "1",
        "start_at": NOW - timedelta(days=5), "due_inclusive": True, "state": "missed" if number % 4 else "open",
    }  # fmt: skip
    return [common | {"id": f"dty-{number:02}-{at}", "due_at": due_at} for at, due_at in enumerate(limits)]


async def test_every_incident_stands_on_one_page_and_what_is_due_comes_first(
    database_url: str, filled: Any
) -> None:
    store = Store.open(database_url, t.book)
    store.create_tables()
    await store.transact(filled)
    seen: list[Found] = []
    after, limited, more = None, True, True
    while more:
        page, more = await store.read(
            lambda tx: caseload.page(tx, [HERE, THERE], Filters(), after, limited)  # noqa: B023
        )
        seen += page
        after, limited = page[-1].place, page[-1].is_limited
    open_ones = {f"SI-{number:02}" for number in range(MANY) if number % 10 != 9}
    assert len(seen) == len({one.id for one in seen}) == len(open_ones)
    assert {one.id for one in seen} == open_ones
    with_limit = [one.place.at for one in seen if one.is_limited]
    assert with_limit == sorted(with_limit, key=str)
    assert [one.is_limited for one in seen] == sorted((one.is_limited for one in seen), reverse=True)
    lines = await store.read(lambda tx: caseload.lines(tx, seen[:25]))
    assert [line.id for line in lines] == [one.id for one in seen[:25]]
    assert all(line.soonest_due_at == one.place.at for line, one in zip(lines, seen, strict=False))
    await store.aclose()


async def test_every_filter_and_list_is_understood_by_the_engine_and_counts_what_it_lists(
    database_url: str, filled: Any
) -> None:
    store = Store.open(database_url, t.book)
    store.create_tables()
    await store.transact(filled)

    def look(tx: Tx) -> None:
        asked = [Filters(stage=stage) for stage in STAGES]
        asked += [
            Filters(owed_by=AgencyId("agency-1")),
            Filters(due_before=NOW),
            Filters(None, label="Serious incident"),
        ]
        for wanted in asked:
            found, more = caseload.page(tx, [HERE], wanted, None, True)
            counted = caseload.count(tx, [HERE], wanted)
            assert counted == len(found) or (more and counted > len(found)), wanted
        counts = overview.duty_counts(tx, [HERE, THERE], DAY)
        late = overview.overdue(tx, [HERE, THERE], DAY)
        assert 0 < len(late) == counts["overdue"]
        last = Place(late[2].due_at, late[2].id)
        assert overview.overdue(tx, [HERE, THERE], DAY, last) == late[3:]
        assert counts["awaiting_triage"] == caseload.count(tx, [HERE, THERE], Filters(stage="triage"))
        assert overview.failing_partners(tx, [HERE]) == []
        assert caseload.newest(tx, [HERE], Filters(), None)[1]
        assert caseload.awaiting_triage(tx, [HERE], Place(NOW, "SI-zz")) == ([], False)

    await store.read(look)
    await store.aclose()


async def test_what_others_take_part_in_and_who_is_on_call_is_read_on_both_engines(
    database_url: str, filled: Any
) -> None:
    """A pair and a breach until they are settled; a transfer until the incident there is decided on; a turn while it lasts."""
    store = Store.open(database_url, t.book)
    store.create_tables()
    await store.transact(filled)
    one, other, there = (
        IncidentId("SI-02"),
        IncidentId("SI-04"),
        "SI-14",
    )
    said = {"kind": "lost", "aware_at": NOW, "recorded_at": NOW, "recorded_by": "W. Stave", "state": "open"}

    def write(tx: Tx) -> None:
        incidents.involve(tx, PartnershipId(HERE), one, [AgencyId("guest")], guest=True)
        found = {"state": likenesses.POSSIBLE, "strength": "strong", "reasons": [], "found_at": NOW}
        likenesses.record(tx, PartnershipId(HERE), (one, other), [("A", "A")], **found)
        breaches.record(tx, {"id": "brc-1", "partnership": HERE, "incident": one} | said)
        moved = {"state": "transferred", "transferred_to": there, "ended_at": NOW}
        incidents.change(tx, PartnershipId(HERE), other, **moved)
        incidents.change(tx, PartnershipId(HERE), one, legal_hold=True)
        officers.add_turn(tx, TurnRow("turn-1", "w. stave", NOW, NOW + timedelta(hours=1), "C. Reed"))

    await store.transact(write)

    def look(tx: Tx) -> None:
        assert [(row.incident, row.agency) for row in sharing.guests(tx, [HERE], 9)] == [(one, "guest")]
        assert sharing.guests_waited_for(tx, [HERE], 9) == []
        assert [row.to for row in sharing.not_taken_up(tx, [HERE], 9)] == [there]
        assert [row.incident for row in sharing.handed_over(tx, [HERE], NOW, 9)] == [other]
        assert [row.second for row in likenesses.possible(tx, [THERE, HERE], 9)] == [other]
        assert [row.id for row in breaches.still_open(tx, [HERE], 9)] == ["brc-1"]
        assert [row.id for row in incidents.held_legally(tx, [HERE])] == [one]
        assert officers.on_call_at(tx, NOW) == {"w. stave"}
        assert officers.on_call_at(tx, NOW + timedelta(hours=1)) == frozenset()
        counts = overview.counts(tx, [HERE], DAY)
        assert (counts.same_child, counts.breaches, counts.guests) == (1, 1, 1)
        assert overview.has_incidents(tx, [HERE])
        assert not overview.has_incidents(tx, ["nowhere"])

    await store.read(look)
    assert await store.transact(lambda tx: proposals.forget_lapsed(tx, NOW)) == 0
    await store.aclose()


async def test_an_officer_keeps_so_many_views_and_one_of_a_name(database_url: str) -> None:
    store = Store.open(database_url, t.book)
    store.create_tables()

    def keep(tx: Tx) -> list[bool]:
        made = [
            views.SavedView(f"view-{number}", f"view {number}", "") for number in range(views.MOST_VIEWS + 1)
        ]
        return [views.save(tx, "W. Stave", one) for one in made]

    assert (await store.transact(keep)).count(False) == 1
    again = views.SavedView("view-x", "view 3", "due=today")
    assert await store.transact(lambda tx: views.save(tx, "W. Stave", again))
    kept = await store.read(lambda tx: views.of_officer(tx, "W. Stave"))
    assert len(kept) == views.MOST_VIEWS
    assert again in kept
    await store.aclose()
