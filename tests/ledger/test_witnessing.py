"""A witness answers as C2SP tlog-witness says, and what it or an authority answers is believed only if it is of now and of us."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from rfc3161_client import decode_timestamp_response

from gateway.ledger import tree
from gateway.ledger.anchoring import (
    Witness,
    WrongTime,
    own_line,
    parse_submission,
    read_stamp,
    read_witness,
    stamp_request,
    submission,
)
from gateway.ledger.checkpoint import log_key, sign_checkpoint, witness_key
from gateway.ledger.verify import Invalid, open_checkpoint, read_stampers
from gateway.store.witnessed import Memory as WitnessMemory
from gateway.store.witnessed import MemoryUnusable, Remembered
from gateway.witness.witnessing import Answer, Witnessing
from keys.signing import FileSigner
from tests.ledger.scene import AUTHORITY, LOG, ORIGIN, OTHER_LOG, START, WITNESSES, Memory
from tests.ledger.stamping import POLICY

NAME, SIGNER = next(iter(WITNESSES.items()))
LEAVES = [tree.leaf_hash(b"%d" % number) for number in range(300)]
FORK = [*LEAVES[:50], *(tree.leaf_hash(b"other %d" % number) for number in range(250))]
Ask = Callable[..., Answer]


def asked(
    size: int,
    old: int = 0,
    leaves: list[bytes] = LEAVES,
    signer: FileSigner = LOG,
    origin: str = ORIGIN,
    proof: list[bytes] | None = None,
) -> bytes:
    read = Memory(leaves[:size])
    note = sign_checkpoint(signer, origin, size, tree.root_hash(read, size))
    if proof is None:
        proof = tree.consistency_proof(read, old, size) if 0 < old < size else []
    return submission(old, proof, note)


@pytest.fixture
def witness(tmp_path: Path) -> Witnessing:
    memory = WitnessMemory(tmp_path / "witnessed.sqlite3")
    return Witnessing(NAME, SIGNER, {ORIGIN: [log_key(ORIGIN, LOG)]}, memory, lambda: START)


def test_what_continues_the_last_checkpoint_is_signed_and_remembered(witness: Witnessing) -> None:
    for old, size in ((0, 100), (100, 256), (256, 256), (256, 300)):
        body = asked(size, old)
        answer = witness.add_checkpoint(body)
        assert answer.status == 200
        note = parse_submission(body)[2] + answer.body.encode()
        head = open_checkpoint(note, [log_key(ORIGIN, LOG)], [witness_key(NAME, SIGNER)], 1)
        assert (head.size, head.cosigned_at) == (size, (START,))
        last = witness.memory.last(ORIGIN)
        assert last is not None
        assert (last.size, last.note) == (size, note)


def test_a_strangers_lines_beside_the_logs_hide_nothing_of_what_was_signed(witness: Witnessing) -> None:
    """Anybody has a public checkpoint. With sixty lines more the note that is shown against a log would be one that nobody reads."""
    assert witness.add_checkpoint(asked(100)).status == 200
    before = witness.memory.last(ORIGIN)
    junk = b"".join(
        b"\xe2\x80\x94 stranger%d.example %s\n" % (n, base64.b64encode(bytes(9))) for n in range(62)
    )
    forged = (
        b"\xe2\x80\x94 "
        + NAME.encode()
        + b" "
        + base64.b64encode(witness_key(NAME, SIGNER).id + bytes(72))
        + b"\n"
    )
    assert witness.add_checkpoint(asked(100, 100) + junk + forged).status == 200
    last = witness.memory.last(ORIGIN)
    assert last == before
    assert last is not None
    assert open_checkpoint(last.note, [log_key(ORIGIN, LOG)], [witness_key(NAME, SIGNER)], 1).size == 100


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, b"", id="nothing"),
        pytest.param(400, asked(200, 100).replace(b"old 100", b"old 0100"), id="leading zero"),
        pytest.param(400, asked(200, 100).replace(b"old 100", b"new 100"), id="other word"),
        pytest.param(400, asked(200, 100, proof=[bytes(32)] * 64), id="more than 63 hashes"),
        pytest.param(400, asked(200, 300, proof=[]), id="old size larger than the checkpoint"),
        pytest.param(403, asked(200, 100, signer=OTHER_LOG), id="signed by another key"),
        pytest.param(404, asked(200, 100, origin="other.example/log"), id="unknown log"),
        pytest.param(422, asked(200, 100, leaves=FORK), id="fork"),
        pytest.param(422, asked(200, 100, proof=[]), id="no proof"),
        pytest.param(422, asked(200, 100, proof=[bytes(32)] * 8), id="false proof"),
    ],
)
def test_everything_else_is_refused_with_its_own_status_and_changes_nothing(
    witness: Witnessing, status: int, body: bytes
) -> None:
    assert witness.add_checkpoint(asked(100)).status == 200
    before = witness.memory.last(ORIGIN)
    assert witness.add_checkpoint(body).status == status
    assert witness.memory.last(ORIGIN) == before


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(asked(200), id="as if it had seen nothing"),
        pytest.param(asked(200, 50), id="as if it had seen less"),
        pytest.param(asked(50, 50), id="rolled back"),
        pytest.param(asked(100, 100, leaves=FORK), id="another root of that size"),
    ],
)
def test_a_mismatch_is_answered_with_the_size_that_was_signed_last(witness: Witnessing, body: bytes) -> None:
    assert witness.add_checkpoint(asked(100)).status == 200
    assert witness.add_checkpoint(body) == Answer(409, "100\n")


def test_a_proof_from_an_empty_tree_is_refused(witness: Witnessing) -> None:
    assert witness.add_checkpoint(asked(100, proof=[bytes(32)])).status == 422


def test_of_two_requests_at_once_one_is_signed_and_the_log_never_goes_back(witness: Witnessing) -> None:
    assert witness.add_checkpoint(asked(100)).status == 200
    with ThreadPoolExecutor(8) as pool:
        bodies = [asked(101 + number, 100) for number in range(24)]
        answers = list(pool.map(witness.add_checkpoint, bodies))
    signed = [101 + number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(signed) == 1
    last = witness.memory.last(ORIGIN)
    assert last is not None
    assert last.size == signed[0]
    assert {answer.body for answer in answers if answer.status != 200} <= {"100\n", f"{signed[0]}\n"}


def test_a_memory_that_is_none_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / "witnessed.sqlite3").write_bytes(b"not a database, " * 100)
    with pytest.raises(MemoryUnusable):
        WitnessMemory(tmp_path / "witnessed.sqlite3")


def test_an_advance_from_another_size_is_answered_with_what_is_remembered(tmp_path: Path) -> None:
    memory = WitnessMemory(tmp_path / "witnessed.sqlite3")
    first = Remembered(5, b"r" * 32, b"note")
    assert memory.advance(ORIGIN, 0, first) is None
    assert memory.advance(ORIGIN, 0, Remembered(3, b"s" * 32, b"other")) == first
    assert memory.last(ORIGIN) == first


# --- what the gateway believes ---------------------------------------------------------------------------------------

NOTE = parse_submission(asked(100))[2].decode()
SETTING = f"{witness_key(NAME, SIGNER)} https://witness.example/"
STAMPERS = read_stampers(AUTHORITY.root, [POLICY])


def believed(witness: Witnessing, **apart: float) -> str:
    answer = witness.add_checkpoint(asked(100)).body.encode()
    now = START + timedelta(**apart)
    return own_line(read_witness(SETTING), [log_key(ORIGIN, LOG)], NOTE, answer, now)


def test_a_witness_s_line_is_taken_over_and_others_beside_it_are_not(witness: Witnessing) -> None:
    line = believed(witness)
    with_more = f"— other.example AAAAAAAA\n{line}".encode()
    assert own_line(read_witness(SETTING), [log_key(ORIGIN, LOG)], NOTE, with_more, START) == line


@pytest.mark.parametrize("apart", [61, -61])
def test_a_witness_whose_clock_is_far_from_ours_does_not_count(witness: Witnessing, apart: int) -> None:
    with pytest.raises(WrongTime):
        believed(witness, seconds=apart)


@pytest.mark.parametrize("answer", [b"", b"signed\n", b"\xff", "— w.example AAAAAAAA\n".encode()])
def test_what_is_no_line_of_that_witness_is_not_believed(answer: bytes) -> None:
    with pytest.raises(Invalid):
        own_line(read_witness(SETTING), [log_key(ORIGIN, LOG)], NOTE, answer, START)


def test_another_witness_s_signature_is_not_this_one_s(witness: Witnessing) -> None:
    other = Witness(witness_key(NAME, OTHER_LOG), "https://witness.example")
    with pytest.raises(Invalid):
        own_line(other, [log_key(ORIGIN, LOG)], NOTE, witness.add_checkpoint(asked(100)).body.encode(), START)


def test_a_request_to_an_authority_is_about_the_whole_note_with_a_nonce_of_its_own() -> None:
    first, second = stamp_request(NOTE), stamp_request(NOTE)
    assert first.nonce != second.nonce
    assert first.content != second.content


def test_a_stamp_that_answers_another_question_is_not_believed() -> None:
    """Without our nonce it may be an old answer played again."""
    token = AUTHORITY.stamp(NOTE.encode(), START)
    assert decode_timestamp_response(token).tst_info.gen_time == START
    with pytest.raises(Invalid, match="another question"):
        read_stamp(token, NOTE, stamp_request(NOTE).nonce, STAMPERS, START)


@pytest.mark.parametrize(
    "text",
    ["", "https://w.example", f"{log_key(ORIGIN, LOG)} https://w.example", SETTING.split()[0]],
    ids=["nothing", "no key", "a log's key", "no address"],
)
def test_a_setting_that_names_no_witness_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_witness(text)
