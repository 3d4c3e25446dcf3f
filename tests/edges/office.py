"""An officer at the command line of a deployment of their own: `gateway …` run as a person would, in this process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog

from gateway.__main__ import main
from gateway.app import build_parts, close
from gateway.parts import Parts
from gateway.settings import PREFIX, Settings
from gateway.store.transaction import Tx

T = TypeVar("T")

OFFICERS = ("--officer", "Winifred Stave", "--second-officer", "Desmond Quill")


@dataclass(frozen=True)
class Told:
    """What one command answered."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Office:
    """A folder with a deployment in it, or an empty one before `gateway init`."""

    folder: Path
    _monkeypatch: pytest.MonkeyPatch
    _capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Told:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["gateway", *words])
        was_configured = structlog.is_configured()
        with pytest.raises(SystemExit) as left:
            main()
        if not was_configured:  # each command is a process of its own: its standard error ends with it
            structlog.reset_defaults()
        said = self._capsys.readouterr()
        return Told(int(left.value.code or 0), said.out, said.err)

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def read(self, fn: Callable[[Tx], T]) -> T:
        """What the database holds."""
        return self.look(lambda parts: parts.store.read(fn))

    def look(self, ask: Callable[[Parts], Any]) -> Any:
        """Ask the deployment's parts, opened for it and closed again."""

        async def inside() -> Any:
            parts = build_parts(Settings.load())
            try:
                return await ask(parts)
            finally:
                await close(parts)

        return asyncio.run(inside())


def office_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Office:
    """No setting comes from outside."""
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    return Office(folder, monkeypatch, capsys)


def deployed(
    template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    """A deployment, made once in `template` and copied, since every test changes it."""
    office = office_in(folder, monkeypatch, capsys)
    if not (template / "var").exists():
        for command in ("init", "migrate"):
            assert office(command).status == 0
        shutil.copytree(folder / "var", template / "var", symlinks=True)
    else:
        shutil.copytree(template / "var", folder / "var", symlinks=True)
    return office
