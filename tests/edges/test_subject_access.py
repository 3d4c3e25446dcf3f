"""A subject access request: what is held about a child, found blind, opened on record, others' data marked and never taken out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.actions.answer_subject import CHILDREN, OTHERS
from gateway.partnerships.readable import _kinds
from schemas import REGISTRY, TYPES
from schemas.model import Model
from schemas.registry import body_of
from tests.actions.scene import entries_named, refer
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

OFFICER = ("--officer", "Winifred Stave")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        await running.gateway.dispatch.stop()
        yield running


async def test_what_is_held_comes_as_files_with_an_index_and_each_opening_is_on_record(house: House) -> None:
    referral = await refer(house)
    child, out = house.folder / "child.json", house.folder / "answer"
    child.write_text('{"nhs_number": "999 000 0018"}')
    index = await gateway(house, "subject-access", str(child), "--out", str(out), *OFFICER)
    assert [one["incident"] for one in index["incidents"]] == [referral["incident"]]
    (held,) = index["files"]
    assert (held["file"], held["about"]) == (f"{referral['id']}.json", "referral")
    content = json.loads((out / held["file"]).read_bytes())
    assert content["body"]["children"][0]["nhs_number"] == "9990000018"
    assert "/author" in held["others"]
    assert content["author"]["name"], "marked for an officer, not guessed away"
    assert json.loads((out / "index.json").read_bytes()) == index
    assert "Redact" in (out / "REDACT.txt").read_text()
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    assert len(await entries_named(house, "IncidentSearched")) >= 1
    assert len(await entries_named(house, "IncidentViewed")) == 1
    status, told, err = await attempt(house, "subject-access", str(child), "--out", str(out), *OFFICER)
    assert (status, told) == (2, "")
    assert "999 000" not in err


async def test_a_child_of_whom_nothing_is_held_gets_an_empty_index(house: House) -> None:
    child, out = house.folder / "child.json", house.folder / "answer"
    child.write_text('{"nhs_number": "999 000 0026"}')
    index = await gateway(house, "subject-access", str(child), "--out", str(out), *OFFICER)
    assert index == {"incidents": [], "files": [], "not_opened": []}


def persons(model: type[Model], seen: tuple[type[Model], ...] = ()) -> Iterator[str]:
    """Every member of a form that holds somebody's name."""
    for name, field in model.model_fields.items():
        for kind in _kinds(field.annotation):
            if not issubclass(kind, Model) or kind in seen:
                continue
            if {"name", "family_name"} & kind.model_fields.keys() and {
                "post",
                "telephone",
                "family_name",
                "relationship",
            } & kind.model_fields.keys():
                yield name
            yield from persons(kind, (*seen, model))


def test_whatever_a_form_says_of_people_is_marked() -> None:
    found = {name for slug in TYPES for name in persons(body_of(REGISTRY[slug, 1]))}
    assert len(found) > 10
    assert found - OTHERS - {CHILDREN} == set()
