"""The verifier is weakened in one place at a time, and the tamper cases must notice each time.

Every check that refuses is a condition; each of its alternatives (the parts of an `or`) is switched off in turn. So is each
part of what a function needs for its yes, where the check is the function's answer, and each row of the tables that say what a
document may be. A part whose absence no case notices is a check that is not tested, or one that another always comes before.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from gateway.ledger import verify
from tests.ledger.scene import RECEIPTS, RECIPIENT, Scene, public_part
from tests.ledger.test_tamper import CASES, change_jws, change_statement_text, resign

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


def _parts(
    owner: ast.AST, name: str, kind: type[ast.boolop]
) -> Iterator[tuple[ast.expr, ast.AST, str, int | None]]:
    """Each value of an `or` (or `and`), else the whole of it, with where it stands: its parent, the field, the place."""
    value = getattr(owner, name)
    if isinstance(value, ast.BoolOp) and isinstance(value.op, kind):
        yield from ((part, value, "values", place) for place, part in enumerate(value.values))
    else:
        yield value, owner, name, None


def places(source: str = SOURCE) -> list[tuple[int, int, str, str]]:
    """(which condition, which part of it, its text, the refusal's words)."""
    return [
        (number, place, ast.unparse(part), message)
        for number, (node, message) in enumerate(guarded(_tree(source)))
        for place, (part, *_) in enumerate(_parts(node, "test", ast.Or))
    ]


def weakened(number: int, place: int, source: str = SOURCE) -> ModuleType:
    """The verifier without that part of that condition."""
    _, *where = list(_parts(_conditions(source)[number], "test", ast.Or))[place]
    return _changed(source, *where, NEVER)


@cache
def _conditions(source: str) -> list[ast.If]:
    return [node for node, _ in guarded(_tree(source))]


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


@cache
def _pieces(source: str) -> list[tuple[ast.stmt, CodeType]]:
    """The module statement by statement: a mutant is compiled only where it differs."""
    return [(node, _compiled(node)) for node in _tree(source).body]


def _compiled(node: ast.stmt) -> CodeType:
    flags = annotations.compiler_flag
    module = ast.fix_missing_locations(ast.Module([node], []))
    code: CodeType = compile(module, "weakened", "exec", flags=flags, dont_inherit=True)
    return code


def _changed(source: str, owner: ast.AST, name: str, place: int | None, new: ast.expr) -> ModuleType:
    """The module with one part of it replaced; the tree is as before afterwards."""
    within = next(node for node, _ in _pieces(source) if any(one is owner for one in ast.walk(node)))
    target: Any = owner.__dict__ if place is None else getattr(owner, name)
    key: Any = name if place is None else place
    before, target[key] = target[key], new
    try:
        changed = _compiled(within)
    finally:
        target[key] = before
    return _made(changed if node is within else code for node, code in _pieces(source))


def _made(pieces: Iterable[CodeType]) -> ModuleType:
    module = ModuleType("weakened_verifier")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    for piece in pieces:
        exec(piece, module.__dict__)
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
    return bool(finding.verdict == "INVALID" and finding.reason.partition(": ")[2] == message)


# --- answers: functions that say no, and each of the parts that their yes needs ------------------------------------------

ALWAYS = ast.Constant(value=True)
SELECTING = {
    "_can_check_stamps": "whether a time-stamp can be checked at all: the verdict is PROVISIONAL where it cannot",
    "_accepted": "tells which receipts are of accepted messages; nothing is refused for its answer alone",
    "is_stamped": "reads the policy",
}
IMPLIED = {
    "receipt.index is not None": "what is in no log has an origin that is no log's: said for readers and type checkers",
}
NUMBER = "the statement is not of the form receipt/1"
FELT_IN = {  # the refusals that come of a function's no
    "_accepts": ("the receipt's signature is false",),
    "whole": (NUMBER,),
    "is_instant": (NUMBER,),
    "to_the_millisecond": (NUMBER,),
    "counts": (NUMBER,),
    "fits": (NUMBER,),
    "_is_plain": ("a file is not stored plainly",),
    "_reads_one_way": ("two programs could read different files from the zip",),
    "_holds": (
        "the statement claims a time after others had seen it",
        "the key was revoked, and nobody saw the receipt before that",
    ),
}

A, B, C, D, SHORT = b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32, b"s" * 31
node = verify.node_hash
SIGNED = RECEIPTS.sign(b"data")
OWN = {name: value for name, value in RECEIPTS.public_jwk().items() if name in ("crv", "kty", "x", "y")}
PUBLIC = verify.load_policy(json.dumps(Scene().policy).encode()).receipt_keys[RECEIPTS.kid].public
PROBES: list[tuple[str, tuple[Any, ...]]] = [  # each is wrong in one thing alone: the answer is no
    ("verify_inclusion", (A, 1, 1, [], A)),  # beyond the tree
    ("verify_inclusion", (SHORT, 0, 1, [], SHORT)),  # no hash
    ("verify_inclusion", (A, 0, 1, [B], node(B, A))),  # too long
    ("verify_inclusion", (A, 1, 2, [SHORT], node(SHORT, A))),
    ("verify_inclusion", (A, 0, 2, [], A)),  # too short
    ("verify_inclusion", (A, 0, 2, [B], node(B, A))),  # another root
    ("verify_consistency", (2, 2, A, A, [B])),  # of one size there is nothing to show
    ("verify_consistency", (2, 2, A, B, [])),
    ("verify_consistency", (3, 1, A, A, [A])),  # smaller than the first
    ("verify_consistency", (3, 4, A, A, [])),
    ("verify_consistency", (1, 2, A, node(A, SHORT), [SHORT])),
    ("verify_consistency", (3, 4, node(D, node(C, A)), node(D, node(C, node(A, B))), [A, B, C, D])),
    ("verify_consistency", (3, 4, A, A, [A])),  # too short
    ("verify_consistency", (3, 4, D, node(C, node(A, B)), [A, B, C])),  # another first root
    ("verify_consistency", (3, 4, node(C, A), D, [A, B, C])),  # another second root
    ("es256_ok", (PUBLIC, SIGNED[:32] + b"\0" + SIGNED[32:], b"data")),  # another length, the same numbers
    ("jwk_ok", (OWN | {"x": OWN["y"]}, "ES256", SIGNED, b"data")),  # no point of the curve
    ("jwk_ok", (OWN, "none", b"", b"data")),
    ("amount", (True,)),  # what only policies say: they are refused in tests of their own
    ("amount", (-1,)),
    ("maybe_instant", ("never",)),
    ("to_the_second", ("2026-W47-5T09:02:50Z",)),
    ("to_the_second", ("2026-13-20T09:02:50Z",)),
    ("to_the_millisecond", ("2026-W47-5T09:02:50.000Z",)),
]


def answers(tree: ast.AST) -> Iterator[tuple[str, ast.expr, ast.AST, str, int | None]]:
    """(function, the part, where it stands: its parent, the field, the place) of all that a yes needs."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in SELECTING:
            continue
        if function.returns is None or ast.unparse(function.returns) != "bool":
            continue
        for one in ast.walk(function):
            if isinstance(one, ast.If) and ast.unparse(one.body[0]) == "return False":
                yield from ((function.name, *part) for part in _parts(one, "test", ast.Or))
            elif isinstance(one, ast.Return) and isinstance(one.value, ast.BoolOp):
                yield from ((function.name, *part) for part in _parts(one, "value", ast.And))


ANSWERS = list(answers(_tree(SOURCE)))


def answering(number: int) -> ModuleType:
    """The verifier in which that part never stands in the way of a yes."""
    _, _, owner, name, place = ANSWERS[number]
    is_refusing = isinstance(owner, ast.If) or isinstance(getattr(owner, "op", None), ast.Or)
    return _changed(SOURCE, owner, name, place, NEVER if is_refusing else ALWAYS)


@pytest.mark.parametrize(
    ("number", "function", "text"),
    [
        pytest.param(number, function, ast.unparse(part), id=f"{function}-{ast.unparse(part)[:50]}")
        for number, (function, part, *_) in enumerate(ANSWERS)
        if ast.unparse(part) not in IMPLIED
    ],
)
def test_a_no_that_is_left_out_is_noticed(number: int, function: str, text: str) -> None:
    """Also where a check is a function's answer and not a refusal of its own: every part of every such answer."""
    verifier = answering(number)
    assert Scene().play_with(verifier).verdict == "VALID"
    if any(_says_yes(verifier, name, given) for name, given in PROBES if name == function):
        return
    felt = FELT_IN.get(function, ())
    if any(not _still_refused(verifier, spoil, words) for _, words, spoil in CASES if words in felt):
        return
    pytest.fail(f"nothing notices that {function} does not ask: {text}")


def test_the_probes_are_refused_by_the_verifier_as_it_is() -> None:
    assert not any(_says_yes(verify, name, given) for name, given in PROBES)


def _says_yes(verifier: ModuleType, name: str, given: tuple[Any, ...]) -> bool:
    try:
        return bool(getattr(verifier, name)(*given))
    except Exception:
        return True  # what the check kept out now breaks the verifier: noticed


# --- tables: every row of what a document may say -------------------------------------------------------------------------

TABLES = {
    "STATEMENT": NUMBER,
    "RECEIPT_HEADER": "the JWS header has other members than alg ES256, kid and typ receipt+jws",
    "ACKNOWLEDGEMENT_HEADER": (
        "the recipient's JWS header has other members than alg, a public jwk and typ acknowledgement+jws"
    ),
    "ACKNOWLEDGEMENT": "the recipient's statement is not of the form acknowledgement/1",
    "MANIFEST": "the manifest is not of the form bundle/1",
}


def rows() -> list[tuple[str, str, str]]:
    """(table, member, what is given up): its form, or that it must be there."""
    found = []
    for table in TABLES:
        for member in getattr(verify, table):
            found.append((table, member, "form"))
            if not member.endswith("?"):
                found.append((table, member, "presence"))
    return found


@pytest.mark.parametrize(("table", "member", "given_up"), rows())
def test_a_row_that_is_left_out_is_noticed(table: str, member: str, given_up: str) -> None:
    """A document that breaks this row alone is refused, and no longer once the row is left out."""
    spoil = breaking(table, member.removesuffix("?"), given_up)
    assert _still_refused(verify, spoil, TABLES[table])
    form = dict(getattr(verify, table))
    shape = form.pop(member)
    form |= {member: lambda _: True} if given_up == "form" else {f"{member}?": shape}
    verifier = _made(code for _, code in _pieces(SOURCE))
    setattr(verifier, table, form)
    assert not _still_refused(verifier, spoil, TABLES[table])


def breaking(table: str, member: str, given_up: str) -> Callable[[Scene], None]:
    """Its member is what no row takes, or is not there."""

    def change(document: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in document.items() if name != member}
        return kept if given_up == "presence" else kept | {member: [7]}

    def spoil(scene: Scene) -> None:
        match table:
            case "MANIFEST":
                scene.on_manifest = change
            case "STATEMENT":
                change_statement_text(scene, 2, lambda payload: verify.canonical(change(json.loads(payload))))
            case "ACKNOWLEDGEMENT":
                scene.acknowledgement = change(scene.acknowledgement)
                scene.acknowledge()
            case "ACKNOWLEDGEMENT_HEADER":
                header = {"alg": "ES256", "typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT)}
                scene.acknowledge(change=lambda jws: resign(change(header), jws, RECIPIENT))
            case _:
                header = {"alg": "ES256", "kid": RECEIPTS.kid, "typ": "receipt+jws"}
                change_jws(scene, 2, lambda jws: resign(change(header), jws))

    return spoil
