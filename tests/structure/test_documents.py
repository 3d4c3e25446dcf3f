"""What the documents say is there: commands, options, settings, log lines, error codes, endpoints, links.

That the commands do what the text says is shown by `tests/edges/test_guides.py`, which runs them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer

from gateway.api.application import ROUTES
from gateway.cli.groups import application
from gateway.cli.held import REASONS
from gateway.core.errors import ErrorCode
from gateway.settings import FILE_VARIABLE, PREFIX, Settings
from tests.structure.source import ROOT, house, suite, text_of, tracked

GUIDES = tuple(
    f"deploy/guides/{name}.md"
    for name in ("partner-developer", "operator", "officer", "inspector", "witness")
)
MANUALS = ("README.md", *GUIDES)
RUN_IN_ORDER = frozenset(GUIDES[1:4])  # by tests/edges/test_guides.py

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(gateway [a-z][^`]*)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LOGGED = re.compile(r"_log\.\w+\(\s*\"([a-z._]+)\"")
ENDPOINT = re.compile(r"`(?:(?:GET|POST) )?(/[a-z0-9_./{}-]+)`")
STARTERS = {"gateway": "gateway", ".venv/bin/gateway": "gateway", "make": "make"}


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Every command of the command line by its words."""
    return dict(_below((), typer.main.get_command(application([]))))


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, one in command.commands.items():
        yield from _below((*words, name), one)


def console_lines() -> list[tuple[str, str]]:
    """Every command line shown in a manual, with the manual's name."""
    return [
        (name, line)
        for name in MANUALS
        for block in CONSOLE.findall(text_of(name))
        for line in block.splitlines()
        if line.strip()
    ]


def named_command(words: list[str]) -> tuple[str, ...]:
    """The command that the words begin with; () when there is none."""
    return next((known for known in commands() if tuple(words[: len(known)]) == known), ())


def options_of(command: Any) -> set[str]:
    return {"--help"} | {option for one in command.params for option in one.opts}


def test_the_manuals_show_commands() -> None:
    assert len(console_lines()) > 40


@pytest.mark.parametrize(("name", "line"), console_lines())
def test_every_command_line_shown_is_one_that_the_command_line_knows(name: str, line: str) -> None:
    first, *words = shlex.split(line)
    assert first in STARTERS, "a console block holds commands alone, one a line"
    if STARTERS[first] == "make":
        assert re.search(rf"^{words[0]}:", text_of("Makefile"), re.MULTILINE)
        return
    known = named_command(words)
    assert known, line
    command = commands()[known]
    options = {word for word in words if word.startswith("--")}
    assert options <= options_of(command)
    required = {one.opts[0] for one in command.params if one.required and one.opts[0].startswith("-")}
    assert required <= options, "a line that is shown can be typed as it stands"


@pytest.mark.parametrize(("name", "line"), [pair for pair in console_lines() if pair[0] not in RUN_IN_ORDER])
def test_every_command_of_the_other_manuals_is_run_by_some_test(name: str, line: str) -> None:
    first, *words = shlex.split(line)
    last = words[0] if STARTERS[first] == "make" else named_command(words)[-1]
    if last == "run":
        last = "demo"  # what `make run` starts
    assert any(f'"{last}"' in source.text for source in suite() if source.name.startswith("tests/"))


def test_every_command_named_in_the_text_is_there_with_its_options() -> None:
    unknown = []
    for name in MANUALS:
        for said in INLINE.findall(text_of(name)):
            words = said.split()[1:]
            known = named_command(words)
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            if not known or not options <= options_of(commands()[known]):
                unknown.append((name, said))
    assert not unknown


@pytest.mark.parametrize("words", sorted(commands()))
def test_every_command_has_help_with_an_example_that_can_be_typed(words: tuple[str, ...]) -> None:
    command = commands()[words]
    said = " ".join(f"{command.help or ''} {command.epilog or ''}".split())
    assert f"Example: gateway {' '.join(words)}" in said
    example = said.partition("Example: ")[2].partition(" (then ")[0]
    options = set(re.findall(r"(?<!\S)--[a-z-]+", example))
    assert options <= options_of(command)


def test_every_setting_named_is_one() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    named = {word for name in MANUALS for word in re.findall(r"\bGATEWAY_[A-Z_]+\b", text_of(name))}
    assert len(named) > 10
    assert not named - known


def test_every_line_of_the_log_is_explained_to_the_operator_and_no_other() -> None:
    logged = {event for source in house() for event in LOGGED.findall(source.text)}
    table = text_of("deploy/guides/operator.md").partition("| line | means |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", table))
    assert explained == logged


def test_every_error_code_stands_in_the_developers_table_with_its_status() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", text_of("deploy/guides/partner-developer.md"), re.M)
    assert {slug: int(status) for slug, status in rows} == {code.slug: code.status for code in ErrorCode}


def test_every_endpoint_that_the_developer_reads_of_is_there() -> None:
    shapes = {re.sub(r"\{[^}]*\}", "{}", path) for _, path, _ in ROUTES}
    named = {
        re.sub(r"\{[^}]*\}", "{}", path)
        for path in ENDPOINT.findall(text_of("deploy/guides/partner-developer.md"))
    }
    ours = {path for path in named if path.startswith("/v1/")}
    assert len(ours) > 8
    assert ours <= shapes


def test_the_reasons_explained_to_officers_are_those_that_the_list_shows() -> None:
    table = text_of("deploy/guides/officer.md").partition("| it says | and means |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)) - {"---"}
    assert len(explained) > 5
    assert explained <= set(REASONS.values())


def test_every_link_leads_to_something() -> None:
    broken = [
        (name, target)
        for name in tracked()
        if name.endswith(".md")
        for target in LINK.findall(text_of(name))
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (ROOT / name).parent.joinpath(target.partition("#")[0]).exists()
    ]
    assert not broken
