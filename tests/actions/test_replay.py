"""A changed pack is tried on the messages of the past before it may rule; a broken one never rules, nor starts anything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.activate_pack import Activated, Activation, activate_pack, replay_here
from gateway.actions.prove import Occasion
from gateway.actions.replay import NOT_TRIED, Replayed
from gateway.cli.replaying import in_words, replayed
from gateway.core.errors import Misconfigured, Refused
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.partnerships import packs
from gateway.parts import SNAPSHOT_LIFE, Supply
from gateway.serving import build, running
from gateway.store import packs as pack_rows
from gateway.store import tables as t
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    UNIT,
    decide,
    decide_all,
    duty_of,
    events_of,
    let_go,
    refer,
    rows,
    send,
    waiting,
)
from tests.gateway_house import START, House, gateway_house

FILES = packs.read_files(packs.HERE / SOUTH_TYNESIDE)
OFFICERS = TwoOfficers("Winifred Stave", "Desmond Quill")


def changed(*changes: tuple[str, str], version: str = "2026.2") -> dict[str, str]:
    text = FILES["rules.toml"].replace('version = "2026.1"', f'version = "{version}"')
    for old, new in changes:
        assert old in text, "the test changes what is there"
        text = text.replace(old, new, 1)
    return FILES | {"rules.toml": text}


async def tried(house: House, files: dict[str, str], since_at: datetime = START) -> Replayed:
    found = await house.parts.store.read(lambda tx: replay_here(tx, SOUTH_TYNESIDE, files, since_at))
    assert found is not None
    return found


async def activate(house: House, files: dict[str, str], seen: str | None = None) -> Activated:
    asked, occasion = Activation(SOUTH_TYNESIDE, files, OFFICERS, seen), Occasion(house.clock(), Supply(b"x"))
    done = await house.parts.store.transact(lambda tx: activate_pack(tx, house.parts, occasion, asked))
    house.parts.partnerships.forget()
    return done


async def a_whole_matter(house: House) -> Any:
    """Referral, triage, notification, a request and a return: what the past may hold."""
    referral = await refer(house)
    await decide_all(house, referral)
    about = {"incident": referral["incident"]}
    await send(house, COUNCIL, "sin-record", {"submitted_at": house.clock().isoformat()}, **about)
    request = await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, **about)
    await send(house, HOSPITALS, "information-return", in_reply_to=request["id"], **about)
    return referral


K15 = ('id = "K15"\namount = 8', 'id = "K15"\namount = 7')
K14 = ('id = "K14"\namount = 5', 'id = "K14"\namount = 3')


async def test_a_pack_with_other_words_and_the_same_rules_differs_in_nothing(house: House) -> None:
    await a_whole_matter(house)
    found = await tried(house, changed(('title = "South Tyneside', 'title = "Another')))
    assert (found.looked_at, found.differences) == (7, ())


async def test_a_shorter_clock_shows_at_each_message_that_lays_its_duty(house: House) -> None:
    await a_whole_matter(house)
    (found,) = (await tried(house, changed(K14))).differences
    assert (found.type, found.in_what) == ("information-request", ("duties",))
    assert [duty["due_at"] for duty in found.now["duties"]] == ["2026-11-09T17:00:00Z"]
    assert [duty["due_at"] for duty in found.then["duties"]] == ["2026-11-05T17:00:00Z"]


async def test_other_recipients_another_rule_and_a_refusal_are_differences(house: House) -> None:
    await a_whole_matter(house)
    wider = (
        'deliver = ["sbu"]\nincomplete_when = { kind = ["partial"',
        'deliver = ["sbu", "dsp-la"]\nincomplete_when = { kind = ["partial"',
    )
    (found,) = (await tried(house, changed(wider))).differences
    assert (found.type, found.in_what) == ("information-return", ("deliveries",))
    renamed = ('id = "information-return"', 'id = "return"')
    (found,) = (await tried(house, changed(renamed))).differences
    assert found.in_what == ("rule",)
    narrower = (
        'from = ["police", "icb", "health-provider", "school", "voluntary", "local-authority", "other"]\ndeliver = ["sbu"]\nincomplete_when = { kind = ["partial"',
        'from = ["police"]\ndeliver = ["sbu"]\nincomplete_when = { kind = ["partial"',
    )
    (found,) = (await tried(house, changed(narrower))).differences
    assert (found.now["decision"], found.then["decision"]) == ("forward", "refuse")


async def test_what_a_joint_decision_sets_going_is_replayed_with_the_answer_that_reaches_it(
    house: House,
) -> None:
    """S4-06: the third answer, not the first; a quorum of two would have decided with the second."""
    referral = await a_whole_matter(house)
    quorum = ('lead = "dsp-la"\ncode = "outcome"', 'lead = "dsp-la"\nquorum = 2\ncode = "outcome"')
    found = (await tried(house, changed(quorum))).differences
    assert [(one.type, one.in_what) for one in found] == [("triage-decision", ("follows",))] * 2
    assert "follows" not in found[0].now
    assert found[0].then["follows"]["outcome"] == "sin-and-rapid-review"
    assert "follows" not in found[1].then
    await decide(house, referral, "dsp-la", "no-further-action")
    assert len((await tried(house, changed(quorum))).differences) == 2, "after the outcome nothing follows"


async def test_what_an_officer_let_go_is_compared_as_let_go_and_what_still_waits_is_not(house: House) -> None:
    answer = await refer(
        house, do_not_contact=[{"person": "Rowan Example", "reason": "The concern is about them."}]
    )
    longer = changed(('id = "K11"\namount = 1', 'id = "K11"\namount = 2'))
    assert (await tried(house, longer)).differences == (), "nothing has followed from it"
    (hold,) = [hold for hold in await waiting(house) if hold.subject == answer["id"]]
    await let_go(house, hold)
    (found,) = (await tried(house, longer)).differences
    assert (found.now["decision"], found.then["decision"], found.in_what) == ("hold", "hold", ("duties",))


async def test_what_is_laid_once_is_replayed_as_laid_once_and_a_withdrawn_vote_as_no_vote(
    house: House,
) -> None:
    """A second record of the notification lays no second duty by the same clock, whichever pack; a first request alone is
    guarded; the vote that its own sender withdrew is not counted."""
    referral = await refer(house)
    early = await decide(house, referral, "dsp-icb", "no-further-action")
    house.clock.move_by(minutes=1)
    nothing = dict.fromkeys(("statement", "corrected_incident_at", "corrected_aware_at"))
    withdrawn = {"action": "withdraw", "message": early["id"], **nothing}
    await send(house, ICB, "correction", withdrawn, incident=referral["incident"], in_reply_to=early["id"])
    house.clock.move_by(minutes=1)
    await decide_all(house, referral)
    about = {"incident": referral["incident"]}
    submitted = {"submitted_at": house.clock().isoformat()}
    for _ in range(2):
        house.clock.move_by(minutes=1)
        await send(house, COUNCIL, "sin-record", submitted, **about)
    for agency in (HOSPITALS, POLICE):
        house.clock.move_by(minutes=1)
        await send(house, UNIT, "information-request", {"agencies": [agency]}, **about)
    found = (await tried(house, changed(K15, K14))).differences
    assert [one.type for one in found] == ["sin-record", "information-request", "information-request"]
    assert "K15" in str(found[0].then["duties"]), "of the two records only the first"
    guarded = changed(('id = "information-request"\n', 'id = "information-request"\nguard_fan_out = true\n'))
    held = [(one.type, one.then["held"]) for one in (await tried(house, guarded)).differences]
    assert held == [("information-request", ["first-fan-out"])], "the second goes out as the first did"
    quorum = ('lead = "dsp-la"\ncode = "outcome"', 'lead = "dsp-la"\nquorum = 2\ncode = "outcome"')
    reaching = [one for one in (await tried(house, changed(quorum))).differences if "follows" in one.then]
    assert [one.then["follows"]["outcome"] for one in reaching] == ["sin-and-rapid-review"]


async def test_the_seats_that_authors_held_and_likely_duplicates_are_replayed(house: House) -> None:
    """Who holds a seat of the sender's is asked at the door, by name: the answer is kept, the name only sealed."""
    submitted = {"submitted_at": house.clock().isoformat()}
    referral = await refer(house)
    house.clock.move_by(minutes=1)
    await refer(house, ICB)
    house.clock.move_by(minutes=1)
    author = {"name": "Philippa Marlowe", "post": "Invented post"}
    about = {"incident": referral["incident"]}
    await send(house, COUNCIL, "sin-record", submitted, author=author, **about)
    await send(house, COUNCIL, "sin-record", submitted, **about)
    stricter = changed(('id = "sin-record"\n', 'id = "sin-record"\nby = ["dsp-la"]\n'))
    (found,) = (await tried(house, stricter)).differences
    assert found.then["held"] == ["author-not-in-seat"]
    later = changed(('id = "K11"\namount = 1', 'id = "K11"\namount = 2'))
    held = [one.now["held"] for one in (await tried(house, later)).differences]
    assert held == [[], ["possible-duplicate"]]


async def test_what_a_replay_cannot_show_it_says(house: House) -> None:
    await refer(house)
    quieter = changed(('to = ["owner", "owner-deputy", "sbu"]', 'to = ["owner", "sbu"]'))
    shown = await replayed(house.parts, SOUTH_TYNESIDE, quieter, START.date())
    assert (shown["differing"], shown["beside"], shown["left_out"]) == (0, ["chases"], 0)
    assert "differs too, and no message of the past shows it: chases" in in_words(shown)
    assert {f"not tried: {one}" for one in NOT_TRIED} <= set(in_words(shown))
    gone = t.message.update().values(agency="gone-police")
    await house.parts.store.transact(lambda tx: tx.execute(gone).rowcount)
    shown = await replayed(house.parts, SOUTH_TYNESIDE, quieter, START.date())
    assert (shown["messages"], shown["left_out"]) == (0, 1)
    assert "not tried: 1 messages of agencies that the directory has no more" in in_words(shown)


async def test_only_what_came_since_is_looked_at_and_known_moments_come_from_before(house: House) -> None:
    referral = await a_whole_matter(house)
    house.clock.move_by(days=2)
    since = house.clock()
    report = await send(house, UNIT, "rapid-review-report", {"actions": []}, incident=referral["incident"])
    other = ('clock = "K17", met_at = "sent_to_panel_at"', 'clock = "K14", met_at = "sent_to_panel_at"')
    start = (
        'id = "K14"\namount = 5\nunit = "working-days"\nstart = "request_sent_at"',
        'id = "K14"\namount = 5\nunit = "working-days"\nstart = "sin_submitted_at"',
    )
    found = await tried(house, changed(other, start), since)
    assert found.looked_at == 1
    (one,) = found.differences
    assert one.message == report["id"]
    assert [duty["due_at"] for duty in one.then["duties"]] == ["2026-11-09T17:00:00Z"]


async def test_a_replay_writes_nothing_and_shows_no_content(house: House) -> None:
    await a_whole_matter(house)
    before = await rows(house)
    shown = await replayed(house.parts, SOUTH_TYNESIDE, changed(K14), START.date())
    assert await rows(house) == before
    told = json.dumps(shown) + "\n".join(in_words(shown))
    example = json.dumps(house.example("referral")["body"])
    assert not [word for word in ("Testington", "Elowen", "9990000018") if word in told]
    assert "Testington" in example
    assert "due" not in shown
    assert "agency-responder@northshire-hospitals information-return K14 by 2026-11-09T17:00:00Z" in told


async def test_a_pack_that_differs_rules_only_once_both_officers_name_what_they_saw(house: House) -> None:
    """Activated with a second officer and a ledger entry after a replay on past messages was shown."""
    await a_whole_matter(house)
    files = changed(K14)
    with pytest.raises(Refused):
        await activate(house, files)
    with pytest.raises(Refused):
        await activate(house, files, seen="0" * 12)
    current = await house.parts.store.read(lambda tx: pack_rows.current(tx, SOUTH_TYNESIDE))
    assert current is not None
    assert current.version == "2026.1"
    await activate(house, files, seen=(await tried(house, files)).mark)
    assert (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack.version == "2026.2"
    assert await events_of(house, f"pack-{SOUTH_TYNESIDE}") == ["PackReplayed", "PackActivated"]


async def test_the_mark_stands_for_kinds_of_difference_and_not_for_single_messages(house: House) -> None:
    referral = await a_whole_matter(house)
    files = changed(K14)
    seen = (await tried(house, files)).mark
    about = {"incident": referral["incident"]}
    await send(house, UNIT, "information-request", {"agencies": [POLICE]}, **about)
    assert (await tried(house, files)).mark == seen
    other = changed(K14, ('id = "information-return"', 'id = "return"'))
    assert (await tried(house, other)).mark != seen


async def test_old_duties_keep_the_rules_they_were_made_under(house: House) -> None:
    """Each version's text is kept in the store."""
    referral = await a_whole_matter(house)
    files = changed(K14)
    await activate(house, files, seen=(await tried(house, files)).mark)
    duty = await duty_of(house, referral, "agency-responder", "information-return")
    assert duty.pack_version == "2026.1"
    old = await house.parts.store.read(lambda tx: pack_rows.version(tx, SOUTH_TYNESIDE, "2026.1"))
    assert old is not None
    assert old.files == FILES


# --- a broken pack ---


async def test_a_broken_pack_is_refused_and_the_good_one_goes_on(house: House) -> None:
    broken = changed(('clock = "K14"', 'clock = "K99"'))
    with pytest.raises(Misconfigured, match="clock that the pack lacks"):
        await activate(house, broken)
    assert (await refer(house))["decision"] == "forward"


@pytest.mark.parametrize(
    "spoilt", ["another text under its digest", "a newer version with a fault", "no text"]
)
async def test_a_pack_broken_in_the_store_does_not_replace_the_good_one_that_runs(
    house: House, spoilt: str
) -> None:
    """Somebody who can write to the database, or a fault of ours, stops no running gateway."""
    assert (await refer(house))["decision"] == "forward"
    await spoil(house, spoilt)
    house.parts.partnerships.forget()
    house.clock.move_by(seconds=SNAPSHOT_LIFE / timedelta(seconds=1) + 1)
    assert (await refer(house))["decision"] == "forward"
    assert (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack.version == "2026.1"


@pytest.mark.parametrize(
    "spoilt", ["another text under its digest", "a newer version with a fault", "no text"]
)
async def test_a_gateway_with_a_broken_pack_does_not_start(tmp_path: Path, spoilt: str) -> None:
    async with gateway_house(tmp_path) as house:
        settings = house.parts.settings
        await spoil(house, spoilt)
    with pytest.raises(Misconfigured, match="rule pack"):
        async with running(build(settings)):
            pytest.fail("it started")


async def test_a_good_pack_takes_the_place_of_one_that_was_broken_in_the_store(house: House) -> None:
    await spoil(house, "another text under its digest")
    await activate(house, changed())
    assert (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack.version == "2026.2"


async def spoil(house: House, how: str) -> None:
    files = changed(('clock = "K14"', 'clock = "K99"'), version="2026.1")
    digest = packs.digest(files)
    values: dict[str, Any] = {
        "another text under its digest": {"files": changed(K14, version="2026.1")},
        "a newer version with a fault": {"files": files, "digest": digest, "version": "2026.9"},
        "no text": {"files": {}, "digest": packs.digest({})},
    }[how]
    await house.parts.store.transact(lambda tx: tx.execute(t.pack.update().values(**values)).rowcount)
