"""The house keeps its own rules: flat, plainly named, small functions, one clock, one custody."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.structure.source import ROOT, Source, house, suite, tracked

HIDES_AN_EDGE = {
    "utils",
    "util",
    "common",
    "helpers",
    "helper",
    "services",
    "service",
    "manager",
    "managers",
    "misc",
}

# What may stand on a third level: migrations, pages with what they need, and rule packs (data).
DEEPER = re.compile(
    r"gateway/(store/migrations/|(api|console|respond)/(templates|static|assets)/|partnerships/[a-z0-9-]+/)"
)

WALL_CLOCK = {
    "datetime.now", "datetime.utcnow", "datetime.today", "datetime.datetime.now", "datetime.datetime.utcnow",
    "date.today", "datetime.date.today", "time.time", "time.time_ns", "time.localtime", "time.gmtime", "uuid1",
}  # fmt: skip
MAY_READ_THE_CLOCK = {"gateway/app/__init__.py"}

PRIVATE_KEY_WORK = {
    "load_pem_private_key", "load_der_private_key", "load_ssh_private_key", "generate_private_key", "private_bytes",
    "derive_private_key", "from_private_bytes", "private_bytes_raw", "private_numbers", "AESGCM", "AESGCMSIV",
    "ChaCha20Poly1305", "Fernet", "aes_key_wrap", "aes_key_unwrap", "PKCS7SignatureBuilder",
    "pkcs7_decrypt_der", "pkcs7_decrypt_smime", "load_pkcs12", "load_key_and_certificates",
}  # fmt: skip


def test_there_is_no_third_level_but_for_migrations_pages_and_rule_packs() -> None:
    deep = [name for name in tracked() if name.startswith("gateway/") and name.count("/") > 2]
    assert not [name for name in deep if not DEEPER.match(name)]


def test_no_name_hides_an_edge() -> None:
    assert not [
        name
        for name in tracked()
        if {re.sub(r"\.\w+$", "", part) for part in name.split("/")} & HIDES_AN_EDGE
    ]


def test_functions_over_fifty_lines_are_under_three_in_a_hundred() -> None:
    lengths = {
        f"{source.name}:{node.name}": _lines(node) for source in house() for node in _functions(source)
    }
    long = {name: lines for name, lines in lengths.items() if lines > 50}
    assert len(long) < 0.03 * len(lengths), long


def test_modules_over_five_hundred_lines_are_under_three_in_a_hundred() -> None:
    counted = {source.name: source.text.count("\n") for source in house()}
    long = {name: lines for name, lines in counted.items() if lines > 500}
    assert len(long) < 0.03 * len(counted), long


def test_actions_write_every_instant_alike() -> None:
    """In messages, statements and answers: UTC with a final Z (`core.written_times`)."""
    assert not [
        (source.name, node.lineno)
        for source in house()
        if source.name.startswith("gateway/actions/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "isoformat"
        and re.search(r"(^|_)(at|until)$", ast.unparse(node.value).rpartition(".")[2])
    ]


def test_only_app_reads_the_wall_clock() -> None:
    """Everything else is told the time, so that tests and demonstrations can say what it is."""
    assert not [
        (source.name, sorted(found))
        for source in house()
        if source.name not in MAY_READ_THE_CLOCK and (found := set(source.names()) & WALL_CLOCK)
    ]


def test_only_custody_works_with_private_keys_and_data_keys() -> None:
    assert not [
        (source.name, sorted(found))
        for source in house()
        if not source.name.startswith("keys/") and (found := set(source.names()) & PRIVATE_KEY_WORK)
    ]


def test_every_action_of_an_officer_on_an_incident_asks_who_may_know_of_it() -> None:
    """Domain section 8: the page is not the guard; whoever calls the action, from the command line too, is asked."""
    said_by = re.compile(r"^ +(officers?: (str|TwoOfficers)|recorded_by: str)", re.MULTILINE)
    locked = re.compile(r"\b(incidents\.lock|duties\.find_locked|locked_delivery)\(")
    actions = [one for one in house() if one.name.startswith("gateway/actions/")]
    of_officers = [one for one in actions if said_by.search(one.text) and locked.search(one.text)]
    assert len(of_officers) > 20
    exempt = {
        "gateway/actions/override_restriction.py",  # is how one gets in, and is told
        "gateway/actions/reply.py",  # asks in `release`
        "gateway/actions/find_incidents_of_child.py",  # tells ids alone
        "gateway/actions/change_calendar.py",  # is about every incident at once
    }
    unasked = {one.name for one in of_officers if not re.search(r"must_(know|be_named)\(", one.text)}
    assert unasked <= exempt


def test_no_random_number_that_can_be_guessed_is_used() -> None:
    """`secrets` and `os.urandom` only: ids, salts and tokens must not be foreseen."""
    assert not [source.name for source in house() if "random" in source.imports()]


def test_every_module_says_what_it_is() -> None:
    silent = [source.name for source in house() if not ast.get_docstring(source.tree)]
    assert not [name for name in silent if not name.endswith("__init__.py")]


def test_no_test_waits_a_fixed_time() -> None:
    """A pause stands inside a loop that looks again; anywhere else it hopes that the other side is done. In the harness of faults a
    pause is itself the fault: how long a line is cut, a disk full, a process stopped."""
    assert not [
        f"{source.name}:{line}"
        for source in suite()
        if not source.name.startswith("tests/journeys/faults/")
        for line in _pauses(source.tree) - _pauses_in_loops(source.tree)
    ]


@pytest.mark.parametrize("room", ["gateway/core/"])
def test_the_core_has_no_coroutines(room: str) -> None:
    assert not [
        source.name
        for source in house()
        if source.name.startswith(room)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await) and not _is_protocol(source, node)
    ]


def test_the_project_has_a_lock_for_each_list_of_packages() -> None:
    for name in ("runtime", "dev", "uv"):
        assert (ROOT / f"deploy/locks/{name}.in").is_file()
        assert (ROOT / f"deploy/locks/{name}.txt").is_file()


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _pauses(tree: ast.AST) -> set[int]:
    """The lines that sleep. `sleep(0)` only gives way."""
    return {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"}
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    }


def _pauses_in_loops(tree: ast.AST) -> set[int]:
    loops = (node for node in ast.walk(tree) if isinstance(node, ast.While | ast.For | ast.AsyncFor))
    return set().union(*map(_pauses, loops))


def _is_protocol(source: Source, node: ast.AST) -> bool:
    """Whether this stands in a `Protocol`: a promise about others, not work of the core."""
    return any(
        isinstance(outer, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in outer.bases)
        for outer in ast.walk(source.tree)
        if isinstance(outer, ast.ClassDef) and node in list(ast.walk(outer))
    )


MAPPED_ROOMS = ("api", "console", "core", "dispatch", "ledger", "oauth", "partnerships")


@pytest.mark.parametrize("room", MAPPED_ROOMS)
def test_a_rooms_map_names_no_module_that_is_not_there(room: str) -> None:
    """The left column of the map in the room's own docstring."""
    text = next(source.text for source in house() if source.name == f"gateway/{room}/__init__.py")
    column = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*)(?:  |$)", text, re.M)
    named = {name for names in column for name in names.split(", ")}
    there = {name.rpartition("/")[2] for name in tracked() if name.startswith(f"gateway/{room}/")}
    assert named
    assert {f"{name}.py" for name in named} <= there
