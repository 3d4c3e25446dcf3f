"""The guides are true: their examples run against a whole gateway, their commands do what the text says, in its order."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.webhook import signature_headers
from tests.edges.test_oauth_third_parties import NPM, node
from tests.gateway_house import House, RealTime, gateway_house
from tests.structure.source import ROOT

EXAMPLES = ROOT / "deploy" / "guides" / "examples"
POLICE, ICB = "northshire-police", "northshire-icb"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"type":"delivery.waiting"}'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway that keeps the real time, since the examples' programs do."""
    async with gateway_house(tmp_path, clock=RealTime()) as house:
        yield house


@pytest.fixture(params=["python", "javascript"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The example as a partner would start it; the JavaScript one beside the packages that it needs."""
    if request.param == "python":
        return [sys.executable, str(EXAMPLES / "connect.py")]
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "node_modules").symlink_to(NPM / "node_modules")
    return [node(), shutil.copy(EXAMPLES / "connect.mjs", tmp_path / "js")]


async def run(house: House, program: list[str], agency: str, *words: str) -> tuple[int, str, str]:
    trusts = {"SSL_CERT_FILE": str(house.ca_file), "NODE_EXTRA_CA_CERTS": str(house.ca_file)}
    process = await asyncio.create_subprocess_exec(
        *program,
        house.base_url,
        agency,
        str(house.key_file(agency)),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), **trusts},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_example_sends_collects_and_acknowledges(house: House, program: list[str]) -> None:
    message = house.folder / "referral.json"
    message.write_text(json.dumps(house.example("referral", reference="NP-1")))
    first, again = [await run(house, program, POLICE, "send", str(message)) for _ in range(2)]
    assert first[0] == 0, first[2]
    assert first[1].endswith("the receipt holds\n")
    assert again == first, "a repeat has the same answer"
    status, out, err = await run(house, program, ICB, "collect", "Henrietta Sorley")
    assert status == 0, err
    assert out.startswith("referral of SI-")
    async with house.client(ICB) as icb:
        assert await icb.inbox() == [], "everything was acknowledged"


async def test_the_example_says_why_it_was_refused(house: House, program: list[str]) -> None:
    message = house.folder / "referral.json"
    message.write_text(json.dumps(house.example("referral") | {"surplus": 1}))
    status, _, err = await run(house, program, POLICE, "send", str(message))
    assert status != 0
    assert "refused: 422" in err


def test_the_example_knows_a_genuine_notice_from_a_false_one_in_python() -> None:
    module = _module("webhook.py")
    for name, headers, body, now, genuine in _notices():
        assert module.is_genuine(headers, body, SECRET, now) is genuine, name


async def test_the_example_knows_a_genuine_notice_from_a_false_one_in_javascript(tmp_path: Path) -> None:
    script = (
        "import { isGenuine } from './webhook.mjs'\n"
        "const rows = JSON.parse(await new Response(process.stdin).text())\n"
        "console.log(JSON.stringify(rows.map(([h, b, s, now]) => isGenuine(h, Buffer.from(b), s, now))))\n"
    )
    shutil.copy(EXAMPLES / "webhook.mjs", tmp_path)
    (tmp_path / "check.mjs").write_text(script)
    rows = [[headers, body.decode(), SECRET, now] for _, headers, body, now, _ in _notices()]
    process = await asyncio.create_subprocess_exec(
        node(), str(tmp_path / "check.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps(rows).encode())
    assert json.loads(out) == [genuine for *_, genuine in _notices()]


def _notices() -> list[tuple[str, dict[str, str], bytes, float, bool]]:
    """What the gateway's own adapter signs, and what somebody made of it."""
    at = RealTime()()
    now = at.timestamp()
    old, new = bytes(32), base64.b64decode(SECRET.removeprefix("whsec_"))
    headers = signature_headers("dlv-1", at, BODY, [new])
    rotating = signature_headers("dlv-1", at, BODY, [old, new])
    return [
        ("genuine", headers, BODY, now, True),
        ("two secrets during a rotation", rotating, BODY, now, True),
        ("another body", headers, BODY + b" ", now, False),
        ("another id", headers | {"webhook-id": "dlv-2"}, BODY, now, False),
        ("another secret", signature_headers("dlv-1", at, BODY, [old]), BODY, now, False),
        ("kept too long", headers, BODY, now + 301, False),
    ]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("guide_example", EXAMPLES / name)
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
