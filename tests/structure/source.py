"""The project's own files, read once: what the structure tests look at."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "adapters", "schemas", "keys")


@dataclass(frozen=True)
class Source:
    """One Python file of the house: `name` is its path from the root, with forward slashes."""

    name: str
    text: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Every module that is imported, wherever in the file."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module=str(module), level=0, names=names):
                    yield module
                    yield from (f"{module}.{alias.name}" for alias in names)

    def names(self) -> Iterator[str]:
        """Every dotted name that is used, from the longest to its last part: `a.b.c`, and `c`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                dotted = ast.unparse(node)
                yield dotted
                yield dotted.rpartition(".")[2]


@cache
def house() -> tuple[Source, ...]:
    """Every Python file of the four rooms."""
    return tuple(_read(path) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))


@cache
def suite() -> tuple[Source, ...]:
    return tuple(
        _read(path) for path in sorted((ROOT / "tests").rglob("*.py")) if "node_modules" not in path.parts
    )


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git tracks and that is there, from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return tuple(name for name in listed if name and (ROOT / name).is_file())


@cache
def text_of(name: str) -> str:
    """The text of a tracked file; an empty one for what is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))
