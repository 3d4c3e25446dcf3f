"""The command `gateway`, run in this process beside a house that serves: the same code path as the program, without its start.

    told = await gateway(house, "held", "list")          # the JSON that it answered; AssertionError unless it exits with 0
    status, out, err = await attempt(house, "erase", …)

The house must run on real time (`RealTime`), since a command has a clock of its own.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.settings import PREFIX, Settings
from tests.gateway_house import House

PASSED_ON = (
    "mode",
    "issuer",
    "public_url",
    "listen",
    "tls_cert_file",
    "tls_key_file",
    "var_dir",
    "keys_dir",
    "mail_authserv_id",
    "fetch_ca_file",
    "fetch_development_hosts",
    "client_key_hosts",
    "witnesses",
    "smtp_url",
    "smtp_ca_file",
    "mail_from",
    "mail_domain",
    "alert_webhook_url",
    "alert_webhook_secret_file",
)


async def gateway(house: House, *words: str) -> Any:
    """What the command answers with `--json`."""
    status, out, err = await attempt(house, *words, "--json")
    assert status == 0, err
    return json.loads(out)


async def attempt(house: House, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output, and standard error without the log's lines."""
    return await asyncio.to_thread(_run, house.parts.settings, words)


def _run(settings: Settings, words: tuple[str, ...]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in PASSED_ON:
            if (value := getattr(settings, name)) is not None:
                patch.setenv(
                    PREFIX + name.upper(), ",".join(value) if isinstance(value, tuple) else str(value)
                )
        patch.setattr(sys, "argv", ["gateway", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    said = "".join(line for line in err.getvalue().splitlines(True) if not line.startswith("{"))
    return int(ended.value.code or 0), out.getvalue(), said
