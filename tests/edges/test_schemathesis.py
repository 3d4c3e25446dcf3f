"""schemathesis, which others wrote, asks what /openapi.json describes, as an authenticated partner (tests/schemathesis_hooks.py).

It judges status, media type, schema and headers of each answer, that what is not described is refused, and that nothing is
answered without credentials. It runs in an environment of its own (`make schemathesis`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.api.application import ROUTES
from tests.gateway_house import RealTime, gateway_house
from tests.structure.source import ROOT

PROGRAM = ROOT / ".venv-schemathesis" / "bin" / "schemathesis"
UNIT = "south-tyneside-sbu"  # which may take out registers too
UNHURRIED = dict.fromkeys(("address_burst_requests", "client_burst_requests"), 1_000_000)


async def asked(folder: Path, *words: str) -> tuple[int | None, str]:
    """How it ended, and what it said."""
    if not PROGRAM.exists():
        pytest.skip("NOT RUN: schemathesis is not installed (make schemathesis)")
    async with gateway_house(folder, clock=RealTime(), **UNHURRIED) as house:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "--config-file",
            str(ROOT / "tests" / "schemathesis.toml"),
            "run",
            f"{house.base_url}/openapi.json",
            "--tls-verify",
            str(house.ca_file),
            "--continue-on-failure",
            "--no-shrink",
            *words,
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": str(ROOT),
                "SSL_CERT_FILE": str(house.ca_file),
                "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
                "SCHEMATHESIS_GATEWAY": house.base_url,
                "SCHEMATHESIS_CLIENT": UNIT,
                "SCHEMATHESIS_KEY": str(house.key_file(UNIT)),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_each_operation_answers_as_it_is_described(tmp_path: Path) -> None:
    status, said = await asked(tmp_path, "--phases=fuzzing", "--max-examples=1")
    assert status == 0, said
    assert f"Tested: {len(ROUTES)}" in said, said


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_every_boundary_of_every_operation_is_answered_as_it_is_described(tmp_path: Path) -> None:
    status, said = await asked(tmp_path, "--phases=examples,coverage,fuzzing", "--max-examples=25")
    assert status == 0, said
