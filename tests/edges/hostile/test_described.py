"""Every operation that /openapi.json describes, asked with right, nearly right and wild values by an authenticated client.

Whatever is asked, the answer is one that is described: success, or a problem document of the published form with a code of the
published list; never a fault of ours, never an echo. Requests are drawn from the document itself by hypothesis, so that a new
operation is asked from the day it is published. `LONG=1` asks many more.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.application import PUBLIC, ROUTES
from gateway.api.openapi import openapi_document
from tests.edges.at_the_door import MARKER, Raw, Said
from tests.gateway_house import gateway_house

ASKERS = ("northshire-police", "south-tyneside-sbu")  # the second may take out registers
JSON = "application/json"
DOCUMENT = openapi_document([(method, path, one.__doc__ or "") for method, path, one in ROUTES], PUBLIC)
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
Asked = tuple[str, str, bytes | None, list[tuple[str, str]], str, str]  # the last: which path of the document
PROBLEM = jsonschema.Draft202012Validator(DOCUMENT["components"]["schemas"]["Problem"])


@dataclass
class Served:
    """A house in a thread of its own, since hypothesis asks from outside any loop."""

    loop: asyncio.AbstractEventLoop
    raws: list[Raw]

    def ask(self, *asked: Any, asker: int = 0, **more: Any) -> Said:
        return asyncio.run_coroutine_threadsafe(self.raws[asker].call(*asked, **more), self.loop).result(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin(folder: Path) -> Served:
        unhurried = dict.fromkeys(("address_burst_requests", "client_burst_requests"), 1_000_000)
        house = await stack.enter_async_context(gateway_house(folder, **unhurried))
        await house.gateway.dispatch.stop()
        return Served(loop, [await stack.enter_async_context(Raw(house, agency)) for agency in ASKERS])

    def wait_for(coming: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coming, loop).result(60)

    try:
        yield wait_for(begin(tmp_path_factory.mktemp("described")))
    finally:
        wait_for(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


WORDS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[a-z]{2,4}-[a-z2-7]{26}", fullmatch=True),
    st.sampled_from(
        [MARKER, "..", "%", "0", "-1", "south-tyneside", "SI-7K3M-9QPX-2D", "2026", "2026-11", "9" * 30]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        found += places(one, (*path, name))
    return found


@st.composite
def bodies(draw: st.DrawFn, operation: dict[str, Any]) -> bytes | None:
    """An example that is published, with a value or two put wrong or taken away; or anything at all."""
    if "requestBody" not in operation:
        return None
    described = operation["requestBody"]["content"].get(JSON)
    if described is None or draw(st.integers(0, 9)) == 0:
        return draw(st.one_of(st.binary(max_size=200), VALUES.map(lambda one: json.dumps(one).encode())))
    shown = [one["value"] for one in described.get("examples", {}).values()] or [described["example"]]
    document = json.loads(json.dumps(draw(st.sampled_from(shown))))
    for _ in range(draw(st.integers(0, 2))):
        *path, last = draw(st.sampled_from(places(document)))
        holder = document
        for step in path:
            holder = holder[step]
        if draw(st.booleans()):
            holder[last] = draw(VALUES)
        elif isinstance(holder, dict):
            del holder[last]
        if not places(document):
            break
    return json.dumps(document).encode()


def sent_value(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.one_of(st.from_regex(schema["pattern"], fullmatch=True), WORDS)
    return st.one_of(st.integers(-5, 300).map(str), WORDS) if schema.get("type") == "integer" else WORDS


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    method, path = draw(st.sampled_from(OPERATIONS))
    where, operation = path, DOCUMENT["paths"][path][method.lower()]
    query, headers = [], []
    for parameter in operation["parameters"]:
        name, value = parameter["name"], draw(sent_value(parameter["schema"]))
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", quote(value, safe="") or "a")
        elif draw(st.booleans()):
            if parameter["in"] == "query":
                query.append((name, value))
            elif name != "Prefer":  # which only waits
                headers.append((name, value.encode("ascii", "ignore").decode().translate(_NO_CONTROLS)))
    body = draw(bodies(operation))
    if body is not None:
        headers.append(("Content-Type", draw(st.sampled_from([JSON, JSON, JSON, "text/plain"]))))
    return method, path, body, headers, f"?{urlencode(query, errors='replace')}" if query else "", where


_NO_CONTROLS = dict.fromkeys([*range(32), 127])


def ask_and_judge(served: Served, asked: Asked, asker: int) -> None:
    method, path, body, headers, query, where = asked
    said = served.ask(method, path, body, headers, query=query, asker=asker)
    operation = DOCUMENT["paths"][where][method.lower()]
    assert str(said.status) in operation["responses"] or ("{" in where and said.status == 404), (
        asked,
        said.body,
    )
    if 200 <= said.status < 300:
        return
    assert said.status < 500, (asked, said.body)
    assert said.headers["Content-Type"] == "application/problem+json"
    PROBLEM.validate(said.document)
    assert said.document["status"] == said.status
    assert MARKER.encode() not in said.body


ASKED = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)


@settings(ASKED, max_examples=75)
@given(requests(), st.integers(0, len(ASKERS) - 1))
def test_whatever_is_asked_the_answer_is_one_that_is_described(
    served: Served, asked: Asked, asker: int
) -> None:
    ask_and_judge(served, asked, asker)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(ASKED, max_examples=3000)
@given(requests(), st.integers(0, len(ASKERS) - 1))
def test_of_thousands_none_is_answered_otherwise(served: Served, asked: Asked, asker: int) -> None:
    ask_and_judge(served, asked, asker)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_answers_anybody_unless_it_says_so(served: Served, method: str, path: str) -> None:
    operation = DOCUMENT["paths"][path][method.lower()]
    said = served.ask(method, path.replace("{", "").replace("}", ""), None, (), credentials={})
    assert (said.status == 200) == (operation["security"] == [])
    assert said.status in (200, 401)
