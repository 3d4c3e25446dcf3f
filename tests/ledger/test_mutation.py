"""The verifier is weakened in one place at a time, and the tamper cases must notice each time.

Every check that refuses is a condition; each of its alternatives (the parts of an `or`) is switched off in turn. A part
whose absence no case notices is a check that is not tested, or one that another always comes before.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gateway.ledger import verify
from tests.ledger.scene import Scene
from tests.ledger.test_tamper import CASES

SOURCE = Path(verify.__file__).read_text()
NEVER = ast.Constant(value=False)

# Parts that cannot be provoked through a whole bundle, each with the reason.
BEYOND_A_BUNDLE = {
    "len(bundle) > limit_bytes": "has a test of its own with a small limit",
}


def guarded(tree: ast.AST) -> Iterator[tuple[ast.If, str]]:
    """Conditions that refuse, with the words of the refusal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise):
            call = node.body[0].exc
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("Invalid", "verify.Invalid"):
                yield node, ast.literal_eval(call.args[0])


def places(source: str = SOURCE) -> list[tuple[int, int, str, str]]:
    """(which condition, which part of it, its text, the refusal's words)."""
    found = []
    for number, (node, message) in enumerate(guarded(ast.parse(source))):
        parts = (
            node.test.values
            if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or)
            else [node.test]
        )
        found += [(number, place, ast.unparse(part), message) for place, part in enumerate(parts)]
    return found


def weakened(number: int, place: int, source: str = SOURCE) -> ModuleType:
    """The verifier without that part of that condition."""
    tree = ast.parse(source)
    node = list(guarded(tree))[number][0]
    if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
        node.test.values[place] = NEVER
    else:
        node.test = NEVER
    module = ModuleType("weakened_verifier")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(ast.fix_missing_locations(tree), "weakened", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    ("number", "place", "text", "message"),
    [pytest.param(*found, id=f"{found[2][:60]}") for found in places() if found[2] not in BEYOND_A_BUNDLE],
)
def test_a_weakened_verifier_is_noticed(number: int, place: int, text: str, message: str) -> None:
    verifier = weakened(number, place)
    assert Scene().play_with(verifier).verdict == "VALID"
    for _, expected, spoil in CASES:
        if expected == message and not _still_refused(verifier, spoil, message):
            return
    pytest.fail(f"no case notices that this is not checked: {text}")


def _still_refused(verifier: ModuleType, spoil: object, message: str) -> bool:
    scene = Scene()
    spoil(scene)  # type: ignore[operator]
    content = scene.zip()
    policy = verifier.load_policy(json.dumps(scene.policy).encode())
    try:
        finding = verifier.verify_bundle(content, policy)
    except Exception:
        return False  # what the check kept out now breaks the verifier
    return finding.verdict == "INVALID" and finding.reason.partition(": ")[2] == message
