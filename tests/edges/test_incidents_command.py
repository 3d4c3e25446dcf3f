"""`gateway incidents`: lists, links, searches, and never a name among the arguments of a command."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import blind_index
from gateway.store import tables as t
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

POLICE, HOSPITALS = "northshire-police", "northshire-hospitals"
OFFICER = ("--officer", "Winifred Stave")
WHY = ("--reason", "One fall, told twice.")
LOOK = (*OFFICER, "--reason", "duplicate-check", "--from", "-")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


async def refer(house: House, agency: str) -> str:
    async with house.client(agency) as client:
        answer: dict[str, Any] = await client.submit(house.example("referral", reference=f"R-{agency}"))
    return str(answer["incident"])


@pytest.fixture
async def pair(house: House) -> tuple[str, str]:
    return await refer(house, POLICE), await refer(house, HOSPITALS)


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What is piped into the command."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


async def test_g05_the_list_and_the_page_of_an_incident_say_what_may_be_the_same_child(
    house: House, pair: tuple[str, str]
) -> None:
    first, second = pair
    listed = {one["id"]: one for one in (await gateway(house, "incidents", "list"))["incidents"]}
    assert listed[first]["possible_duplicates"] == [second]
    shown = await gateway(house, "incidents", "show", first, *OFFICER)
    (alike,) = shown["alike"]
    assert (alike["incident"], alike["strength"], alike["state"]) == (second, "strong", "possible")
    assert "the NHS number is the same" in alike["in_words"]
    assert ["a", "a"] in alike["children"]
    (held,) = [
        one
        for one in (await gateway(house, "held", "list"))["holds"]
        if "possible-duplicate" in one["reasons"]
    ]
    assert (held["incident"], held["subject"]) == (second, first)
    _, said, _ = await attempt(house, "held", "list")
    assert f"[{first}]" in said


async def test_linked_told_apart_and_unlinked_with_exit_1_when_it_is_done_already(
    house: House, pair: tuple[str, str]
) -> None:
    told = await gateway(house, "incidents", "link", *pair, *OFFICER, *WHY)
    assert told["state"] == "linked"
    assert len(told["receipts"]) == 2
    status, out, err = await attempt(house, "incidents", "link", *pair, *OFFICER, *WHY)
    assert (status, out, err) == (1, "", "gateway: These two are linked already.\n")
    assert (await gateway(house, "incidents", "show", pair[0], *OFFICER))["linked"] == [pair[1]]
    found = (await gateway(house, "incidents", "doubled", *pair))["doubled"]
    assert {"dsp-la", "dsp-icb", "dsp-police"} <= {one["role"] for one in found}
    assert all([duty["incident"] for duty in one["duties"]] == list(pair) for one in found)
    assert (await gateway(house, "incidents", "unlink", *pair, *OFFICER, *WHY))["state"] == "unlinked"
    status, _, err = await attempt(house, "incidents", "link", *pair, "--not-the-same", *OFFICER, *WHY)
    assert (status, err) == (1, "gateway: These two have been told apart already.\n")


async def test_a_child_is_searched_for_from_a_file_from_standard_input_and_at_a_prompt(
    house: House, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    who = house.folder / "child.json"
    who.write_text(json.dumps({"nhs_number": "999 000 0018"}))
    found = (await gateway(house, "incidents", "search", *LOOK[:4], "--from", str(who)))["found"]
    assert {one["incident"] for one in found} == set(pair)
    type_in(monkeypatch, json.dumps({"family_name": "testington", "date_of_birth": "2021-05-14"}))
    found = (await gateway(house, "incidents", "search", *LOOK))["found"]
    assert {(one["incident"], one["child"], one["strength"]) for one in found} == {
        (incident, "a", "likely") for incident in pair
    }
    type_in(monkeypatch, "9990000018\n")
    found = (await gateway(house, "incidents", "search", *LOOK[:4]))["found"]
    assert {one["strength"] for one in found} == {"strong"}
    made = await house.parts.store.read(lambda tx: blind_index.searches(tx, SOUTH_TYNESIDE))
    assert [row[1] for row in made] == ["Winifred Stave"] * 3


@pytest.mark.parametrize(
    "said",
    [
        '{"nhs_number": "9990000019"}',
        '{"family_name": "Testington"}',
        '{"family_name": "Testington", "date_of_birth": "14.5.2021"}',
        '{"name": "Testington"}',
        "Testington",
        '["Testington"]',
    ],
)
async def test_what_is_no_search_is_wrong_use_and_is_not_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    type_in(monkeypatch, said)
    status, out, err = await attempt(house, "incidents", "search", *LOOK)
    assert (status, out) == (2, "")
    assert not [word for word in ("Testington", "9990000019", "14.5.2021") if word in err]


async def test_an_unknown_incident_or_partnership_is_exit_1(house: House, pair: tuple[str, str]) -> None:
    for words in (
        ("show", "SI-7K3M-9QPX-2D", *OFFICER),
        ("link", pair[0], "SI-7K3M-9QPX-2D", *OFFICER, *WHY),
        ("doubled", pair[0], "SI-7K3M-9QPX-2D"),
        ("list", "--partnership", "nowhere"),
    ):
        assert (await attempt(house, "incidents", *words))[0] == 1


async def test_the_index_can_be_made_anew_from_the_sealed_messages_and_asks_nothing_twice(
    house: House, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway(house, "incidents", "link", *pair, "--not-the-same", *OFFICER, *WHY)
    await house.parts.store.transact(lambda tx: tx.execute(delete(t.blind_index)).rowcount)
    assert await gateway(house, "incidents", "reindex", *OFFICER) == {"incidents": 2}
    type_in(monkeypatch, '{"nhs_number": "9990000018"}')
    found = (await gateway(house, "incidents", "search", *LOOK))["found"]
    assert {one["incident"] for one in found} == set(pair)
    assert not [
        one
        for one in (await gateway(house, "held", "list"))["holds"]
        if "possible-duplicate" in one["reasons"]
    ]
