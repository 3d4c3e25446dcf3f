"""Two incidents that may be about one child: found blind, asked of an officer, linked on a person's word, never merged (G-05)."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.find_incidents_of_child import ChildSought, FoundIncident, find_incidents_of_child
from gateway.actions.link_incidents import Doubled, Linking, Word, doubled_duties, link_incidents
from gateway.actions.release import Release, release
from gateway.actions.waive import Waiver, waive
from gateway.agency.client import AgencyProblem
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identity import Identity
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.erasing import complete_erasure
from gateway.store import blind_index, likenesses
from gateway.store import tables as t
from gateway.store.holds import HoldRow
from gateway.store.likenesses import LikenessRow
from keys.custody import BlindIndex
from tests.actions import scene
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    POLICE,
    duties_of,
    entries_named,
    entries_of,
    events_of,
    incident_of,
    waiting,
)
from tests.gateway_house import House, example, gateway_house
from tests.servers import PostgresServer

OFFICER, SECOND = "Winifred Stave", "Caspian Reed"
TWIN_NUMBER = "9990000034"
THE_CHILD = example("referral")["body"]["children"][0]
SAME_NUMBER = ("same-nhs-number", "same-surname", "same-date-of-birth", "same-incident-date")


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Once on each engine; dispatch stands still."""
    settings: dict[str, str] = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        settings = {"database_url": server.fresh_database(), "custody_url": server.fresh_database()}
    async with gateway_house(tmp_path, **settings) as running:
        await running.gateway.dispatch.stop()
        yield running
    for url in settings.values():
        server.give_back(url)


def children(**changes: Any) -> dict[str, Any]:
    """The body's children: the example's one child, changed."""
    return {"children": [THE_CHILD | changes]}


async def refer(house: House, agency: str = POLICE, **envelope: Any) -> Any:
    """A referral of the one child, unless another body is given."""
    return await scene.refer(house, agency, **({"body": children()} | envelope))


def without_number(**changes: Any) -> dict[str, Any]:
    return children(nhs_number=None, nhs_number_absence="not-available", **changes)


async def pairs_of(house: House, answer: Any) -> list[LikenessRow]:
    return await house.parts.store.read(
        lambda tx: likenesses.of_partnership(tx, SOUTH_TYNESIDE, IncidentId(answer["incident"]))
    )


async def questions(house: House) -> list[HoldRow]:
    return [hold for hold in await waiting(house) if "possible-duplicate" in hold.reasons]


async def say(house: House, one: Any, other: Any, word: Word = Word.SAME) -> Any:
    asked = Linking(IncidentId(one["incident"]), IncidentId(other["incident"]), OFFICER, word, "One fall.")
    return await house.parts.perform(link_incidents, asked, SOUTH_TYNESIDE, None)


async def search(house: House, child: Identity, reason: str = "duplicate-check") -> list[FoundIncident]:
    asked = ChildSought(child, OFFICER, reason)
    return await house.parts.perform(find_incidents_of_child, asked, SOUTH_TYNESIDE, None)


async def doubled(house: House, one: Any, other: Any) -> list[Doubled]:
    pack = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack
    names = IncidentId(one["incident"]), IncidentId(other["incident"])
    return await house.parts.store.read(lambda tx: doubled_duties(tx, pack, *names))


async def with_any_of(house: House, terms: list[str]) -> list[IncidentId]:
    return await house.parts.store.read(
        lambda tx: blind_index.incidents_with(tx, SOUTH_TYNESIDE, terms, most=10)
    )


async def terms_of(house: House, answer: Any) -> dict[str, set[str]]:
    """Each indexed child's terms by its letter."""
    found = await house.parts.store.read(
        lambda tx: blind_index.children_of(tx, SOUTH_TYNESIDE, [IncidentId(answer["incident"])])
    )
    return {child.letter: set(child.kinds) for child in found}


async def erase(house: House, answer: Any) -> None:
    incident = IncidentId(answer["incident"])
    asked = Erasure(incident, OFFICER, SECOND, "retention-ended")
    await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)


# --- found -------------------------------------------------------------------------------------------------------------


async def test_g05_police_and_health_refer_the_same_child_and_an_officer_is_asked_once(house: House) -> None:
    first = await refer(house, POLICE)
    second = await refer(house, HOSPITALS)
    assert (first["decision"], second["decision"]) == ("forward", "forward"), "nothing is stopped"
    (question,) = await questions(house)
    assert (question.subject_kind, question.subject) == ("incident", first["incident"])
    assert question.incident == second["incident"]
    assert question.reasons == ("possible-duplicate", *SAME_NUMBER)
    (pair,) = await pairs_of(house, first)
    assert (pair.state, pair.strength, pair.letters(first["incident"])) == (
        "possible",
        "strong",
        (("a", "a"),),
    )
    chain = (await incident_of(house, second)).chain
    assert await events_of(house, chain) == ["PossibleDuplicate"]
    assert await duties_of(house, second), "its duties are laid as ever"


@pytest.mark.parametrize(
    "changes",
    [
        {"family_name": "TESTINGTON"},
        {"family_name": "Testington-Sample", "given_names": "Elowen"},
        {"family_name": "Testingdon"},
        {"given_names": "Testington", "family_name": "Elowen"},
    ],
)
async def test_g05_it_is_found_though_the_name_is_spelled_otherwise(
    house: House, changes: dict[str, Any]
) -> None:
    await refer(house, POLICE)
    await refer(house, HOSPITALS, body=without_number(**changes))
    (question,) = await questions(house)
    assert "same-date-of-birth" in question.reasons
    assert "same-nhs-number" not in question.reasons


async def test_g05_it_is_found_though_day_and_month_of_birth_are_exchanged(house: House) -> None:
    await refer(house, POLICE, body=children(date_of_birth="2019-03-12"))
    await refer(house, HOSPITALS, body=without_number(date_of_birth="2019-12-03"))
    (question,) = await questions(house)
    assert "day-and-month-exchanged" in question.reasons


async def test_twins_are_asked_about_and_it_is_said_that_their_numbers_differ(house: House) -> None:
    await refer(house, POLICE)
    await refer(house, HOSPITALS, body=children(nhs_number=TWIN_NUMBER, given_names="Rowan"))
    (question,) = await questions(house)
    assert {"nhs-numbers-differ", "given-names-differ", "same-surname"} <= set(question.reasons)
    (pair,) = await house.parts.store.read(lambda tx: likenesses.of_partnership(tx, SOUTH_TYNESIDE))
    assert pair.strength == "likely"


async def test_one_nhs_number_with_two_names_is_strong_and_the_conflict_is_said(house: House) -> None:
    await refer(house, POLICE)
    other = {"family_name": "Brackenbury", "date_of_birth": "2011-01-30", "other_names": []}
    await refer(house, HOSPITALS, body=children(**other))
    (question,) = await questions(house)
    assert question.reasons == ("possible-duplicate", "same-nhs-number", "name-or-date-of-birth-differs")


async def test_another_child_is_not_asked_about(house: House) -> None:
    await refer(house, POLICE)
    other = {"family_name": "Brackenbury", "date_of_birth": "2011-01-30", "other_names": []}
    await refer(house, HOSPITALS, body=children(nhs_number=TWIN_NUMBER, **other))
    assert await questions(house) == []


async def test_a_repeat_under_the_same_reference_is_no_duplicate(house: House) -> None:
    first = await refer(house, POLICE, reference="NP-1")
    assert (await refer(house, POLICE, reference="NP-1"))["incident"] == first["incident"]
    assert await questions(house) == []


async def test_two_that_come_in_the_same_instant_find_each_other(house: House) -> None:
    """On PostgreSQL over several connections: neither sees what the other has not committed."""
    answers = await asyncio.gather(*(refer(house, agency) for agency in (POLICE, HOSPITALS, COUNCIL)))
    assert len({answer["incident"] for answer in answers}) == 3
    found = await house.parts.store.read(lambda tx: likenesses.of_partnership(tx, SOUTH_TYNESIDE))
    assert len(found) == 3, "each with each"


async def test_a_later_message_of_the_incident_keeps_the_childs_letter_and_adds_what_is_new(
    house: House,
) -> None:
    first = await refer(house, POLICE, body=without_number())
    sibling = THE_CHILD | {"nhs_number": TWIN_NUMBER, "given_names": "Rowan", "date_of_birth": "2021-05-05"}
    await refer(house, HOSPITALS, incident=first["incident"], body={"children": [sibling, THE_CHILD]})
    found = await terms_of(house, first)
    assert set(found) == {"a", "b"}
    assert await questions(house) == []
    await refer(house, COUNCIL, body=children(family_name="Brackenbury", other_names=[]))
    (question,) = await questions(house)
    assert "same-nhs-number" in question.reasons, "by the number that only the later message told"


async def test_a_person_who_is_asked_often_is_asked_about_the_newest_only(house: House) -> None:
    """A flood about one child must not make every further message slower."""
    for _ in range(12):
        house.clock.move_by(minutes=1)
        last = await refer(house, POLICE)
    assert len(await pairs_of(house, last)) == 10


async def test_the_same_nhs_number_is_found_behind_any_number_of_mere_likenesses(house: House) -> None:
    oldest = await refer(house, POLICE)
    for _ in range(11):
        house.clock.move_by(minutes=1)
        await refer(house, POLICE, body=without_number())
    house.clock.move_by(minutes=1)
    last = await refer(house, HOSPITALS)
    (strong,) = [pair for pair in await pairs_of(house, last) if pair.strength == "strong"]
    assert strong.other(last["incident"]) == oldest["incident"]


async def test_a_child_is_found_by_any_of_more_terms_than_are_asked_for_at_once(house: House) -> None:
    referral = await refer(house, POLICE)
    ((one, *_),) = (await terms_of(house, referral)).values()
    absent = [f"{number:032}" for number in range(2 * blind_index.AT_ONCE)]
    for place in (0, blind_index.AT_ONCE - 1, blind_index.AT_ONCE, len(absent)):
        assert await with_any_of(house, [*absent[:place], one, *absent[place:]]) == [referral["incident"]]
    assert await with_any_of(house, absent) == []


def test_a_term_is_half_of_an_hmac_over_kind_and_value() -> None:
    """HMAC-SHA-256 (RFC 2104): what is indexed is found again only while its terms stay as they are."""
    index = BlindIndex(HMAC(bytes(range(32)), SHA256()))
    told = [index.term("nhs-number", "9990000018") for _ in range(2)]
    assert told == ["11733f672a61ec4031433d0213de8cae"] * 2
    assert told[0] == hmac.digest(bytes(range(32)), b"nhs-number\0" + b"9990000018", "sha256")[:16].hex()


async def test_what_is_kept_shows_no_name_and_differs_in_another_partnership(house: House) -> None:
    referral = await refer(house, POLICE)
    (terms,) = (await terms_of(house, referral)).values()
    assert all(len(term) == 32 and set(term) <= set("0123456789abcdef") for term in terms)
    keys = house.parts.keys
    here, there = (
        keys.blind_index(name).term("nhs-number", "9990000018") for name in (SOUTH_TYNESIDE, "elsewhere")
    )
    assert here in terms
    assert there not in terms
    assert keys.blind_index(SOUTH_TYNESIDE).term("birth-sound", "9990000018") != here


async def test_an_incident_of_another_partnership_is_never_compared(house: House) -> None:
    await refer(house, POLICE)
    moved = sa.update(t.blind_index).values(partnership="elsewhere")
    await house.parts.store.transact(lambda tx: tx.execute(moved).rowcount)
    await refer(house, HOSPITALS)
    assert await questions(house) == []


# --- an officer's word ---------------------------------------------------------------------------------------------------


async def test_g05_linking_is_said_on_both_chains_and_merges_nothing(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    before = [await duties_of(house, one) for one in (first, second)]
    receipts = await say(house, first, second)
    assert await questions(house) == []
    (pair,) = await pairs_of(house, second)
    assert (pair.state, pair.settled_by) == ("linked", OFFICER)
    in_order = sorted((first, second), key=lambda one: str(one["incident"]))
    for one, receipt in zip(in_order, receipts, strict=True):
        chain = (await incident_of(house, one)).chain
        (entry,) = [entry for entry in await entries_of(house, chain) if entry.event == "IncidentsLinked"]
        assert entry.id == receipt.id
    assert [await duties_of(house, one) for one in (first, second)] == before


async def test_an_officer_may_link_what_nobody_found(house: House) -> None:
    other = {"family_name": "Brackenbury", "date_of_birth": "2011-01-30", "other_names": []}
    first = await refer(house, POLICE)
    second = await refer(house, HOSPITALS, body=children(nhs_number=TWIN_NUMBER, **other))
    await say(house, first, second)
    (pair,) = await pairs_of(house, first)
    assert (pair.state, pair.strength, pair.reasons) == ("linked", "officer", ())


async def test_what_is_told_apart_is_not_asked_again(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    await say(house, first, second, Word.NOT_THE_SAME)
    assert await questions(house) == []
    changed = children(other_names=["Elowen Quibble"])
    await refer(house, HOSPITALS, incident=second["incident"], body=changed)
    assert await questions(house) == []
    third = await refer(house, COUNCIL)
    assert {hold.subject for hold in await questions(house)} == {first["incident"], second["incident"]}
    assert {hold.incident for hold in await questions(house)} == {third["incident"]}


async def test_mere_likeness_told_apart_is_asked_about_again_once_the_nhs_number_turns_out_the_same(
    house: House,
) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS, body=without_number())
    await say(house, first, second, Word.NOT_THE_SAME)
    await refer(house, HOSPITALS, incident=second["incident"], body=children())
    (question,) = await questions(house)
    assert "same-nhs-number" in question.reasons


async def test_a_link_can_be_taken_back_and_is_then_not_asked_about(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    await say(house, first, second)
    await say(house, second, first, Word.UNLINKED)
    (pair,) = await pairs_of(house, first)
    assert pair.state == "apart"
    for one in (first, second):
        assert "IncidentsUnlinked" in await events_of(house, (await incident_of(house, one)).chain)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        (Word.SAME, Word.SAME),
        (Word.SAME, Word.NOT_THE_SAME),
        (Word.NOT_THE_SAME, Word.NOT_THE_SAME),
        (Word.NOT_THE_SAME, Word.UNLINKED),
    ],
)
async def test_a_second_click_changes_nothing(house: House, said: Word, then: Word) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    await say(house, first, second, said)
    with pytest.raises(Refused) as refused:
        await say(house, first, second, then)
    assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE


async def test_two_officers_at_once_are_heard_once(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    done = await asyncio.gather(say(house, first, second), say(house, second, first), return_exceptions=True)
    assert sorted(isinstance(one, Refused) for one in done) == [False, True]
    assert len(await entries_named(house, "IncidentsLinked")) == 2


async def test_an_incident_cannot_be_linked_to_itself_or_to_one_of_another_partnership(house: House) -> None:
    first = await refer(house, POLICE)
    with pytest.raises(Refused) as refused:
        await say(house, first, first)
    assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE
    with pytest.raises(Refused) as refused:
        await say(house, first, {"incident": "SI-7K3M-9QPX-2D"})
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_the_question_is_not_released_like_a_letter(house: House) -> None:
    """Else it would be gone with nobody having said whether it is the same child."""
    await refer(house, POLICE)
    await refer(house, HOSPITALS)
    (question,) = await questions(house)
    with pytest.raises(Refused):
        await house.parts.perform(release, Release(question.id, OFFICER), SOUTH_TYNESIDE, question.incident)
    assert await questions(house) == [question]


# --- duties owed twice ---------------------------------------------------------------------------------------------------


async def test_g05_what_both_expect_of_one_seat_by_one_clock_is_listed_and_waived_by_two_officers(
    house: House,
) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    found = await doubled(house, first, second)
    triage = [one for one in found if one.first.expects == "triage-decision"]
    assert sorted(one.first.role for one in triage) == ["dsp-icb", "dsp-la", "dsp-police"]
    for one in found:
        assert one.first.incident == first["incident"]
        assert one.second.incident == second["incident"]
    (waived, *_) = triage
    officers = TwoOfficers(OFFICER, SECOND)
    await house.parts.perform(
        waive, Waiver(waived.second.id, officers, "Linked."), SOUTH_TYNESIDE, waived.second.incident
    )
    states = {
        one.first.id: (one.first.state, one.second.state) for one in await doubled(house, first, second)
    }
    assert states[waived.first.id] == (DutyState.OPEN, DutyState.WAIVED)


# --- what agencies see ---------------------------------------------------------------------------------------------------


async def test_a_linked_incident_is_shown_only_to_agencies_involved_in_both(house: House) -> None:
    first = await refer(house, POLICE, body=children() | {"agencies_involved": []})
    second = await refer(house, HOSPITALS)
    await say(house, first, second)

    async def seen(agency: str, answer: Any) -> list[str]:
        async with house.client(agency) as client:
            document = await client.incident(answer["incident"])
            return list(document["linked"])

    assert await seen(COUNCIL, first) == [second["incident"]], "a partner decides on both"
    assert await seen(HOSPITALS, second) == [], "the hospitals have no part in the first"
    async with house.client(HOSPITALS) as hospitals:
        with pytest.raises(AgencyProblem):
            await hospitals.incident(first["incident"])


async def test_a_possible_duplicate_is_shown_to_no_agency(house: House) -> None:
    first = await refer(house, POLICE)
    await refer(house, HOSPITALS)
    async with house.client(COUNCIL) as council:
        assert (await council.incident(first["incident"]))["linked"] == []


# --- search --------------------------------------------------------------------------------------------------------------


async def test_a_child_is_found_by_nhs_number_and_by_name_and_birth(house: House) -> None:
    referral = await refer(house, POLICE)
    (found,) = await search(house, Identity(nhs_number=THE_CHILD["nhs_number"]))
    assert (found.incident, found.child, found.strength) == (referral["incident"], "a", "strong")
    born_on = date.fromisoformat(THE_CHILD["date_of_birth"])
    (found,) = await search(house, Identity(family_name="testingdon", born_on=born_on))
    assert (found.strength, found.reasons) == ("likely", ("surname-sounds-alike", "same-date-of-birth"))
    assert await search(house, Identity(family_name="Brackenbury", born_on=born_on)) == []


async def test_every_search_is_on_record_with_its_reason_and_officer_and_not_with_whom_it_was_for(
    house: House,
) -> None:
    referral = await refer(house, POLICE)
    await search(house, Identity(nhs_number="9990000018"))
    await search(house, Identity(nhs_number=TWIN_NUMBER), "subject-access")
    entries = await entries_named(house, "IncidentSearched")
    assert len(entries) == 3, "one for each search, one for the incident found"
    chain = (await incident_of(house, referral)).chain
    (own,) = [entry for entry in await entries_of(house, chain) if entry.event == "IncidentSearched"]
    assert own.disclosures is not None, "with the officer's name, sealed"
    made = await house.parts.store.read(lambda tx: blind_index.searches(tx, SOUTH_TYNESIDE))
    assert sorted((officer, reason, found) for _, officer, reason, _, found in made) == [
        (OFFICER, "duplicate-check", 1),
        (OFFICER, "subject-access", 0),
    ]
    assert not [entry for entry in entries if b"999000" in entry.statement]


async def test_a_search_with_words_for_a_reason_is_refused_and_shows_nothing(house: House) -> None:
    await refer(house, POLICE)
    with pytest.raises(Refused):
        await search(house, Identity(nhs_number="9990000018"), "Elowen moved")
    assert await entries_named(house, "IncidentSearched") == []


# --- erasing -------------------------------------------------------------------------------------------------------------


async def test_erasing_one_removes_its_terms_and_leaves_the_other(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    await erase(house, first)
    assert await terms_of(house, first) == {}
    assert set(await terms_of(house, second)) == {"a"}
    assert await questions(house) == [], "there is nothing left to compare with"
    assert await pairs_of(house, second) == []
    (found,) = await search(house, Identity(nhs_number="9990000018"))
    assert found.incident == second["incident"]
    assert (await incident_of(house, second)).state == "open"


async def test_a_link_outlives_the_erasure_of_one_and_is_taken_back_no_more(house: House) -> None:
    first, second = await refer(house, POLICE), await refer(house, HOSPITALS)
    await say(house, first, second)
    await erase(house, first)
    (pair,) = await pairs_of(house, second)
    assert pair.state == "linked"
    with pytest.raises(Refused):
        await say(house, first, second, Word.UNLINKED)


async def test_no_byte_of_the_database_holds_an_erased_term(
    house: House, request: pytest.FixtureRequest
) -> None:
    referral = await refer(house, POLICE)
    stays = await refer(
        house,
        HOSPITALS,
        body=children(
            nhs_number=TWIN_NUMBER, family_name="Brackenbury", date_of_birth="2011-01-30", other_names=[]
        ),
    )
    (terms,), (kept,) = (await terms_of(house, referral)).values(), (await terms_of(house, stays)).values()
    before = _bytes_of(house, request)
    assert all(term.encode() in before for term in terms | kept), "the search finds what is there"
    await erase(house, referral)
    after = _bytes_of(house, request)
    assert not [term for term in terms - kept if term.encode() in after]
    assert all(term.encode() in after for term in kept)


def _bytes_of(house: House, request: pytest.FixtureRequest) -> bytes:
    """Every byte of the book; on PostgreSQL of its tables, since the write-ahead log goes its own way."""
    if house.parts.settings.database_url and "postgresql" in house.parts.settings.database_url:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.administer("CHECKPOINT")
        name = sa.make_url(house.parts.settings.database_url).database
        number = server.administer(f"SELECT oid FROM pg_database WHERE datname = '{name}'")[0][0]
        files = list((server.folder / "data" / "base" / str(number)).iterdir())
    else:
        files = list((house.folder / "var").glob("gateway*.sqlite3*"))
    return b"".join(file.read_bytes() for file in files if file.is_file())
