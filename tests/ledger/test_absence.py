"""That something is not stated before an instant: only in a whole log, hashed leaf by leaf, and the answer says what it rests on."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.core.receipts import Event
from gateway.ledger import absence, log_export, tree, verify
from gateway.ledger.absence import Answer, Tree
from gateway.ledger.checkpoint import cosignature, sign_checkpoint
from gateway.ledger.verify import canonical
from gateway.store.log import AnchorRow, CheckpointRow
from tests.ledger.scene import LOG, ORIGIN, OTHER_LOG, START, WITNESSES, Memory, Scene, statement
from tests.ledger.test_mutation import places, weakened

ACKNOWLEDGED = "ConsignmentAcceptance"
NOON = START + timedelta(hours=3)
Spoil = Callable[["Log"], None]
CASES: list[tuple[str, Spoil]] = []


class Log:
    """Twelve leaves: a message that is acknowledged at 09:10, and others; a checkpoint that three witnesses saw at 13:00."""

    def __init__(self) -> None:
        told = {
            0: Event.SUBMISSION_ACCEPTANCE,
            4: Event.CONTENT_CONSIGNMENT,
            10: Event.CONSIGNMENT_ACCEPTANCE,
        }
        self.statements = [
            statement(n, told[n], "msg-one", list(told).index(n) + 1, [])
            if n in told
            else statement(n, Event.ROUTED, f"other-{n}", 1, [])
            for n in range(12)
        ]
        self.size = 12
        self.seen_at = START + timedelta(hours=4)
        self.signer = LOG
        self.witnesses = dict(WITNESSES)
        self.links = True
        self.names: dict[int, str] = {}
        self.policy = Scene().policy
        self.pinned: list[bytes] = []
        self.on_lines: Callable[[list[bytes]], list[bytes]] = lambda lines: lines

    def write(self, folder: Path) -> None:
        last = ""
        for one in self.statements:
            if self.links and one["ref"] == "msg-one":
                one["prev"], last = last, tree.leaf_hash(canonical({**one, "prev": last})).hex()
        self.leaves = [canonical(one) for one in self.statements]
        log_export.begin(folder)
        (folder / absence.LEAVES).write_bytes(b"".join(self.on_lines([leaf + b"\n" for leaf in self.leaves])))
        note = self.note(self.size)
        path = folder / "checkpoints" / self.names.get(self.size, f"{self.size}.note")
        path.write_text(note)

    def note(self, size: int, root: bytes | None = None) -> str:
        hashes = [tree.leaf_hash(leaf) for leaf in self.leaves[:size]]
        note = sign_checkpoint(self.signer, ORIGIN, size, root or tree.root_hash(Memory(hashes), size))
        return note + "".join(
            cosignature(signer, name, note, self.seen_at) for name, signer in self.witnesses.items()
        )

    def ask(
        self,
        folder: Path,
        event: str = ACKNOWLEDGED,
        before: datetime = NOON,
        ref: str = "msg-one",
        by: Any = absence,
    ) -> Answer:
        self.write(folder / "log")
        policy = verify.load_policy(json.dumps(self.policy).encode())
        found: Answer = by.check_absence(folder / "log", policy, ref, event, before, self.pinned)
        return found


def case(message: str) -> Callable[[Spoil], Spoil]:
    def add(spoil: Spoil) -> Spoil:
        CASES.append((message, spoil))
        return spoil

    return add


@case("the leaves of this ref are not one chain without gaps")
def a_leaf_of_the_chain_left_out(log: Log) -> None:
    del log.statements[4]
    log.size = 11


@case("the leaves of this ref are not one chain without gaps")
def a_leaf_that_names_another_before_it(log: Log) -> None:
    log.statements[10]["prev"] = "0" * 64
    log.links = False


@case("a checkpoint's file is not named by its size")
def checkpoint_named_by_another_size(log: Log) -> None:
    log.names[12] = "11.note"


@case("there is no checkpoint that the policy believes")
def witnesses_missing(log: Log) -> None:
    log.witnesses = {}


@case("a line is not one whole leaf")
def last_line_cut(log: Log) -> None:
    log.on_lines = lambda lines: [*lines[:-1], lines[-1].removesuffix(b"\n")]


@case("a line is not one whole leaf")
def line_without_end(log: Log) -> None:
    log.statements[11]["ref"] = "x" * 70_000


@case("the leaves do not have the root that a checkpoint signs or that was pinned")
def a_leaf_exchanged(log: Log) -> None:
    log.on_lines = lambda lines: [
        line.replace(b"ConsignmentAcceptance", b"ContentHandover") for line in lines
    ]


@case("the leaves do not have the root that a checkpoint signs or that was pinned")
def another_log_than_somebody_else_saw(log: Log) -> None:
    log.policy["pinned"] = [{"size": 5, "root": "11" * 32, "seen": None}]


@case("the log is shorter than a checkpoint that was signed or pinned")
def log_cut_below_its_checkpoint(log: Log) -> None:
    log.on_lines = lambda lines: lines[:-1]


@case("the log is shorter than a checkpoint that was signed or pinned")
def log_cut_below_what_somebody_else_saw(log: Log) -> None:
    log.policy["pinned"] = [{"size": 13, "root": "11" * 32, "seen": None}]


@case("a log does not begin at the last state of the one before it")
def log_that_follows_one_which_is_not_there(log: Log) -> None:
    log.statements[0]["event"] = verify.LINK


@case("a leaf is a statement of another issuer")
def leaf_of_another_issuer(log: Log) -> None:
    log.statements[7]["iss"] = "other.example"


@pytest.mark.parametrize(("message", "spoil"), [pytest.param(m, s, id=s.__name__) for m, s in CASES])
def test_a_log_that_was_tampered_with_says_nothing(tmp_path: Path, message: str, spoil: Spoil) -> None:
    log = Log()
    spoil(log)
    answer = log.ask(tmp_path)
    assert (answer.verdict, answer.absent, answer.reason) == ("INVALID", None, message)


SOURCE = Path(absence.__file__).read_text()


@pytest.mark.parametrize(
    ("number", "place", "text", "message"), [pytest.param(*one, id=one[2][:50]) for one in places(SOURCE)]
)
def test_a_weakened_check_is_noticed(
    tmp_path: Path, number: int, place: int, text: str, message: str
) -> None:
    """Each condition that refuses is switched off in turn, and a case above must notice."""
    by = weakened(number, place, SOURCE)
    for turn, (expected, spoil) in enumerate(CASES):
        if expected == message and not _still_refused(by, spoil, message, tmp_path / str(turn)):
            return
    pytest.fail(f"no case notices that this is not checked: {text}")


def _still_refused(by: ModuleType, spoil: Spoil, message: str, folder: Path) -> bool:
    folder.mkdir()
    log = Log()
    spoil(log)
    try:
        return bool(log.ask(folder, by=by).reason == message)
    except Exception:
        return False  # what the check kept out now breaks it


def test_every_refusal_has_a_case_above() -> None:
    calls = [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.Call)]
    messages = [ast.literal_eval(c.args[0]) for c in calls if ast.unparse(c.func) == "verify.Invalid"]
    assert sorted(set(messages)) == sorted(messages)
    assert set(messages) == {message for message, _ in CASES}


def test_what_is_stated_in_time_is_found(tmp_path: Path) -> None:
    answer = Log().ask(tmp_path)
    assert (answer.verdict, answer.absent) == ("VALID", False)
    assert answer.reason == "the log states it at 2026-11-20T09:10:00.000Z"


def test_what_is_stated_too_late_was_absent_before_and_the_answer_says_on_what_it_rests(
    tmp_path: Path,
) -> None:
    answer = Log().ask(tmp_path, before=START + timedelta(minutes=10))
    assert (answer.verdict, answer.absent, answer.leaves) == ("VALID", True, 12)
    assert answer.reason == (
        "no leaf states it before the instant; it is stated later, at 2026-11-20T09:10:00.000Z; this rests on 12 leaves, all of "
        "them under the checkpoint that others saw at 2026-11-20T13:00:00+00:00; no checkpoint from elsewhere was given"
    )


def test_a_checkpoint_from_elsewhere_strengthens_the_answer(tmp_path: Path) -> None:
    log = Log()
    log.write(tmp_path / "first")
    log.pinned = [log.note(7).encode()]
    answer = log.ask(tmp_path, event="Closed")
    assert (answer.verdict, answer.absent) == ("VALID", True)
    assert answer.reason.endswith("; 1 checkpoints from elsewhere are of the same log")
    log.signer = OTHER_LOG
    with pytest.raises(verify.Unreadable):
        verify.with_pinned(verify.load_policy(json.dumps(log.policy).encode()), [log.note(7).encode()])


def test_nothing_is_shown_yet_where_the_log_ends_before_the_instant_or_knows_no_such_ref(
    tmp_path: Path,
) -> None:
    early = Log().ask(tmp_path, event="Closed", before=START + timedelta(days=1))
    assert (early.verdict, early.absent) == ("PROVISIONAL", True)
    (tmp_path / "two").mkdir()
    unknown = Log().ask(tmp_path / "two", ref="msg-typo")
    assert (unknown.verdict, unknown.absent) == ("PROVISIONAL", True)
    assert "is it the right one?" in unknown.reason


def test_without_witnesses_the_answer_rests_on_the_gateways_own_claim(tmp_path: Path) -> None:
    log = Log()
    log.policy |= {"witnesses": [], "quorum": 0}
    answer = log.ask(tmp_path, event="Closed", before=START + timedelta(minutes=11))
    assert (answer.verdict, answer.absent) == ("VALID", True)
    assert "whose time is the gateway's own claim" in answer.reason


def test_a_required_time_stamp_that_is_not_there_leaves_it_open(tmp_path: Path) -> None:
    log = Log()
    log.policy["timestamps"] = "required"
    answer = log.ask(tmp_path, event="Closed")
    assert (answer.verdict, answer.absent) == ("PROVISIONAL", True)


def test_an_anchored_checkpoint_counts_where_the_newest_has_no_witnesses_yet(tmp_path: Path) -> None:
    """The newest is signed by the log alone; what witnesses signed before it carries the answer."""
    log = Log()
    log.write(tmp_path / "first")
    anchored, log.witnesses = AnchorRow(2, ORIGIN, 9, b"", log.note(9), (), START), {}
    log.write(tmp_path / "log")
    log_export.add_checkpoint(tmp_path / "log", anchored)
    policy = verify.load_policy(json.dumps(log.policy).encode())
    answer = absence.check_absence(tmp_path / "log", policy, "msg-one", ACKNOWLEDGED, NOON)
    assert (answer.verdict, answer.absent, answer.leaves) == ("VALID", True, 9)


def test_leaf_by_leaf_every_root_is_the_trees(tmp_path: Path) -> None:
    leaves = [b"leaf %d" % number for number in range(70)]
    grown = Tree()
    for number, leaf in enumerate(leaves):
        assert grown.root() == tree.root_hash(
            Memory([tree.leaf_hash(one) for one in leaves[:number]]), number
        )
        grown.add(leaf)


def test_the_program_runs_alone_in_the_folder_of_the_log(tmp_path: Path) -> None:
    log = Log()
    log.write(tmp_path / "log")
    log_export.add_checkpoint(tmp_path / "log", CheckpointRow(3, ORIGIN, 12, b"", log.note(12), START))
    (tmp_path / "policy.json").write_text(json.dumps(log.policy))
    asked = [".", "--ref", "msg-one", "--event", "Closed", "--before", "2026-11-20T12:00:00Z"]
    for changed, status in (
        (asked, 0),
        ([*asked[:4], ACKNOWLEDGED, *asked[5:]], 1),
        ([*asked[:6], "noon"], 2),
    ):
        command = [sys.executable, "absence.py", *changed, "--policy", "../policy.json", "--json"]
        done = subprocess.run(command, cwd=tmp_path / "log", capture_output=True, text=True, env={})
        assert done.returncode == status, done.stderr
