"""Groups 52, 58, 59, 60, 64 and 74: hostile words inside a message that is otherwise right.

Text is evidence: what is taken comes back to the recipient byte for byte, and what two people could read differently is refused
with its place and without its words.
"""

from __future__ import annotations

import asyncio
import io
import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.actions.scene import rows
from tests.edges.at_the_door import MARKER, Raw, Said
from tests.gateway_house import House, gateway_house

POLICE, UNIT = "northshire-police", "south-tyneside-sbu"
TYPED = ("Content-Type", "application/json")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


@pytest.fixture
async def police(house: House) -> AsyncIterator[Raw]:
    async with Raw(house, POLICE) as raw:
        yield raw


def referral(house: House, child: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    """A referral whose first child or body is changed."""
    document = house.example("referral", reference="NP-1")
    document["body"]["children"][0] |= child or {}
    document["body"] |= body
    return document


async def post(raw: Raw, document: dict[str, Any], ascii_only: bool = True) -> Said:
    return await raw.post(json.dumps(document, ensure_ascii=ascii_only).encode())


REFUSED_NAMES = {
    "52 an override of direction": "a\u202egpj." + MARKER,
    "52 an isolate": "a\u2066" + MARKER,
    "52 a line separator": "a\u2028" + MARKER,
    "52 a byte order mark": "\ufeff" + MARKER,
    "52 a control of C1": "a\x9b" + MARKER,
    "52 an escape sequence": "\x1b[31m" + MARKER,
    "52 nothing but spaces": "   ",
    "52 combining marks without end": "a" + "\u0301" * 5000,
    "60 a line break and a header": MARKER + "\r\nBcc: somebody@attacker.example",
    "60 a bare carriage return": MARKER + "\rBcc: somebody@attacker.example",
    "57 five million letters": "a" * 900_000,
}


@pytest.mark.parametrize("name", REFUSED_NAMES.values(), ids=REFUSED_NAMES)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
async def test_a_name_that_two_people_would_read_differently_is_refused_without_echo(
    house: House, police: Raw, name: str, ascii_only: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    said = await post(police, referral(house, {"family_name": name}), ascii_only)
    assert (said.status, said.code) == (422, "invalid-message")
    assert {error["pointer"] for error in said.document["errors"]} == {"/body/children/0/family_name"}
    assert MARKER.encode() not in said.body
    assert MARKER not in capsys.readouterr().err
    assert await rows(house) == before


TAKEN_NAMES = {
    "52 right to left": "\u0639\u0628\u062f \u0627\u0644\u0644\u0647",
    "52 a joiner of no width": "\u0915\u094d\u200d\u0937",
    "52 letters that look like others": "\u0410l\u0435x",
    "52 decomposed": unicodedata.normalize("NFD", "Zo\u00eb \u00c5str\u00f6m"),
    "52 some combining marks": "Z\u0301\u0302\u0303a",
    "52 beyond the basic plane": "\U00020bb7\u91ce \U0001f600",
    "60 a formula": "=HYPERLINK(0)",
    "60 HTML": "<img src=x onerror=alert(1)>",
    "60 a template": "{{7*7}}${7*7}%(name)s{0}",
    "60 SQL": "Robert'); DROP TABLE message;--",
    "60 a shell": "$(reboot)`reboot`",
}


@pytest.mark.parametrize("name", TAKEN_NAMES.values(), ids=TAKEN_NAMES)
async def test_a_name_is_words_and_comes_back_exactly_as_it_was_sent(
    house: House, police: Raw, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = await post(police, referral(house, {"family_name": name}))
    assert said.status == 201
    async with house.client(UNIT) as unit:
        (item,) = await unit.inbox()
        read = await unit.fetch(item["id"])
    assert read["content"]["body"]["children"][0]["family_name"] == name
    assert name not in capsys.readouterr().err


FAULTY = {
    "58 a line end after an id": ({}, {"incident": "SI-7K3M-9QPX-2D\n"}, "/incident"),
    "58 digits of another script in an id": ({}, {"reference": "NP-\u0661"}, "/reference"),
    "58 digits of another script in a number": (
        {"nhs_number": "\u0669" * 10},
        {},
        "/body/children/0/nhs_number",
    ),
    "58 digits of full width": ({"nhs_number": "\uff19" * 10}, {}, "/body/children/0/nhs_number"),
    "59 the year nought": ({"date_of_birth": "0000-01-01"}, {}, "/body/children/0/date_of_birth"),
    "59 the last year": ({"date_of_birth": "9999-12-31"}, {}, "/body/children/0/date_of_birth"),
    "59 the thirtieth of February": ({"date_of_birth": "2015-02-30"}, {}, "/body/children/0/date_of_birth"),
    "59 a birth yet to come": ({"date_of_birth": "2027-01-01"}, {}, "/body/children/0/date_of_birth"),
    "59 a date in other digits": (
        {"date_of_birth": "\u0662\u0660\u0661\u0660-01-01"},
        {},
        "/body/children/0/date_of_birth",
    ),
    "59 a week of the year": ({"date_of_birth": "2010-W01-1"}, {}, "/body/children/0/date_of_birth"),
    "59 a number": ({"date_of_birth": 20100101}, {}, "/body/children/0/date_of_birth"),
    "59 an instant for a date": (
        {"date_of_birth": "2010-01-01T00:00:00Z"},
        {},
        "/body/children/0/date_of_birth",
    ),
    "59 no offset": ({}, {"created_at": "2026-11-02T09:40:00"}, "/created_at"),
    "59 a leap second": ({}, {"created_at": "2016-12-31T23:59:60Z"}, "/created_at"),
    "59 an offset of a day": ({}, {"created_at": "2026-11-02T09:40:00+24:00"}, "/created_at"),
    "59 the hour twenty-four": ({}, {"created_at": "2026-11-02T24:00:00Z"}, "/created_at"),
}


@pytest.mark.parametrize("case", FAULTY.values(), ids=FAULTY)
async def test_what_only_looks_like_a_date_or_number_is_refused_at_its_place(
    house: House, police: Raw, case: tuple[dict[str, Any], dict[str, Any], str]
) -> None:
    child, envelope, pointer = case
    if "nhs_number" in child:
        child = child | {"nhs_number_absence": None}
    before = await rows(house)
    said = await post(police, referral(house, child) | envelope)
    assert (said.status, said.code) == (422, "invalid-message")
    assert pointer in {error["pointer"] for error in said.document["errors"]}
    assert await rows(house) == before


async def test_64_fifty_equal_messages_at_once_are_one_with_one_receipt(house: House, police: Raw) -> None:
    await police.client.token()
    body = json.dumps(house.example("referral", reference="NP-1")).encode()
    headers = (TYPED, ("Idempotency-Key", '"once"'))
    said = await asyncio.gather(*(police.post(body, headers) for _ in range(50)))
    assert {one.status for one in said} == {201}
    assert len({one.body for one in said}) == 1
    assert sum("Idempotency-Replayed" not in one.headers for one in said) == 1
    assert (await rows(house))["message"] == 1


async def test_74_no_refusal_repeats_what_it_refuses(
    house: House, police: Raw, capsys: pytest.CaptureFixture[str]
) -> None:
    """401, 403, 404, 405, 413, 415 and 422, with a marker everywhere that a caller can write."""
    token = {"Authorization": f"DPoP {MARKER}", "DPoP": MARKER}
    marked = (TYPED, ("X-Marker", MARKER), ("User-Agent", MARKER), ("Cookie", f"a={MARKER}"))
    body = json.dumps(house.example("chase", reference=MARKER, incident=None)).encode()
    said = [
        await _status(police, "POST", "/v1/messages", b"{}", marked, credentials=token),
        await _status(police, "POST", "/v1/messages", body, marked),
        await _status(police, "GET", f"/v1/messages/{MARKER}", None, marked[1:]),
        await _status(police, "GET", "/v1/messages", None, marked[1:], query=f"?a={MARKER}"),
        await _status(police, "POST", "/v1/messages", io.BytesIO(MARKER.encode() * 70_000), marked),
        await _status(police, "POST", "/v1/messages", b"{}", (("Content-Type", MARKER),)),
        await _status(police, "POST", "/v1/messages", json.dumps({MARKER: MARKER}).encode(), marked),
        await _status(police, "GET", "/v1/inbox", None, marked[1:], query=f"?after={MARKER}"),
    ]
    assert said == [401, 403, 404, 405, 413, 415, 422, 400]
    logged = capsys.readouterr()
    assert MARKER not in logged.out + logged.err


async def _status(police: Raw, *asked: Any, **more: Any) -> int:
    said = await police.call(*asked, **more)
    assert said.headers["Content-Type"] == "application/problem+json"
    assert MARKER not in said.body.decode() + str(said.headers)
    return said.status
