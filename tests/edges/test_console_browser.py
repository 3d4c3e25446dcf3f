"""The console in a real browser: it shows its page and its style under our own policy, and complains of nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from gateway.console.sign_in import create_sign_in_link
from tests.gateway_house import gateway_house

LONGEST_SECONDS = 60


@pytest.mark.needs("chromium")
async def test_a_browser_shows_the_sign_in_page_and_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    """A breach of the content security policy, or a file that is missing, would be a message of the browser's console."""
    async with gateway_house(tmp_path) as house:
        link = await create_sign_in_link(house.parts, "Winifred Stave")
        document, said = await _dump(link, tmp_path / "profile")
    assert "<button>Sign in</button>" in document
    assert "CONSOLE" not in said, said


async def _dump(url: str, profile: Path) -> tuple[str, str]:
    """The page's document after loading, and what the browser logged."""
    program = shutil.which("chromium")
    assert program is not None
    options = ["--headless", "--disable-gpu", "--ignore-certificate-errors", "--enable-logging=stderr"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium's own sandbox does not run as root
    browser = await asyncio.create_subprocess_exec(
        program,
        *options,
        f"--user-data-dir={profile}",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(browser.communicate(), LONGEST_SECONDS)
    return out.decode(), err.decode()
