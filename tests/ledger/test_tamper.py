"""Evidence that was tampered with is refused, each time by the check that is meant to: one case for every check.

Each case spoils one step of the scene; everything after that step is signed and sealed anew. A test below reads the
verifier's source and fails when a refusal has no case here, or two refusals share their words.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.ledger import verify
from gateway.ledger.checkpoint import cosignature, witness_key
from gateway.ledger.statement import commitment, disclosure
from gateway.ledger.verify import b64url, canonical
from keys.signing import FileSigner
from tests.ledger.scene import (
    AUTHORITY,
    COSIGNED,
    MAIL,
    NEXT_YEAR,
    ORIGIN,
    OTHER_AUTHORITY,
    OTHER_LOG,
    OTHER_RECEIPTS,
    RECEIPTS,
    RECIPIENT,
    STAMPED_FIRST,
    STAMPED_LAST,
    START,
    WITNESSES,
    Scene,
    consistency_text,
    entry_id,
    over_new_year,
    public_part,
    root_of,
    stamp_at,
    stamped,
    thumbprint_of,
)
from tests.ledger.stamping import LIFE, REFUSAL, Authority

Case = Callable[[Scene], None]
CASES: list[tuple[str, str, Case]] = []


def case(message: str) -> Callable[[Case], Case]:
    def add(spoil: Case) -> Case:
        CASES.append((spoil.__name__, message, spoil))
        return spoil

    return add


def change_jws(scene: Scene, number: int, change: Callable[[str], str]) -> None:
    scene.on_jws = lambda n, jws: change(jws) if n == number else jws


def change_statement_text(scene: Scene, number: int, change: Callable[[bytes], bytes]) -> None:
    scene.on_payload = lambda n, payload: change(payload) if n == number else payload


def change_proof(scene: Scene, number: int, change: Callable[[str], str]) -> None:
    scene.on_proof = lambda n, proof: change(proof) if n == number else proof


def resign(header: object, jws: str, signer: Any = RECEIPTS) -> str:
    raw = header if isinstance(header, bytes) else canonical(header)
    signing_input = f"{b64url(raw)}.{jws.split('.')[1]}"
    return f"{signing_input}.{b64url(signer.sign(signing_input.encode()))}"


def replace_zip(scene: Scene, build: Callable[[zipfile.ZipFile, dict[str, bytes]], None]) -> None:
    def rebuild(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            build(archive, files)
        return buffer.getvalue()

    scene.on_zip = rebuild


# --- the receipt -----------------------------------------------------------------------------------------------------

FALSE_SIGNATURE = "the receipt's signature is false"
WRONG_HEADER = "the JWS header has other members than alg ES256, kid and typ receipt+jws"
NOT_A_STATEMENT = "the statement is not of the form receipt/1"


@case(FALSE_SIGNATURE)
def statement_changed(scene: Scene) -> None:
    def change(jws: str) -> str:
        header, payload, signature = jws.split(".")
        told = verify.unb64url(payload).replace(b"T09:03:00", b"T08:03:00")
        return f"{header}.{b64url(told)}.{signature}"

    change_jws(scene, 3, change)


@case(FALSE_SIGNATURE)
def bit_flipped_in_the_signature(scene: Scene) -> None:
    def change(jws: str) -> str:
        head, _, signature = jws.rpartition(".")
        raw = bytearray(verify.unb64url(signature))
        raw[10] ^= 4
        return f"{head}.{b64url(bytes(raw))}"

    change_jws(scene, 0, change)


@case(FALSE_SIGNATURE)
def attackers_key_under_the_true_name(scene: Scene) -> None:
    change_jws(
        scene,
        0,
        lambda jws: resign({"alg": "ES256", "kid": RECEIPTS.kid, "typ": "receipt+jws"}, jws, OTHER_RECEIPTS),
    )


@case(FALSE_SIGNATURE)
def signature_of_zeros(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws.rpartition(".")[0] + "." + b64url(bytes(64)))


@case(FALSE_SIGNATURE)
def signature_one_byte_short(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws.rpartition(".")[0] + "." + b64url(bytes(63)))


@case("the key that signed the receipt is not in the policy")
def signed_with_a_key_nobody_trusts(scene: Scene) -> None:
    scene.signers[2] = OTHER_RECEIPTS
    scene.statements[2]["kid"] = OTHER_RECEIPTS.kid


@case("the statement names another key than the signature")
def statement_names_another_key(scene: Scene) -> None:
    scene.statements[2]["kid"] = "receipts-2025"


@case(WRONG_HEADER)
def algorithm_none(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: resign({"alg": "none", "kid": RECEIPTS.kid, "typ": "receipt+jws"}, jws))


@case(WRONG_HEADER)
def key_in_the_header(scene: Scene) -> None:
    header = {"alg": "ES256", "jwk": OTHER_RECEIPTS.public_jwk(), "kid": RECEIPTS.kid, "typ": "receipt+jws"}
    change_jws(scene, 0, lambda jws: resign(header, jws, OTHER_RECEIPTS))


@case(WRONG_HEADER)
def other_type_of_token(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: resign({"alg": "ES256", "kid": RECEIPTS.kid, "typ": "JWT"}, jws))


@case(WRONG_HEADER)
def header_is_not_an_object(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: resign(["ES256"], jws))


@case(WRONG_HEADER)
def key_id_is_not_text(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: resign({"alg": "ES256", "kid": 7, "typ": "receipt+jws"}, jws))


@case("this is not a compact JWS")
def jws_of_two_parts(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws.rpartition(".")[0])


@case("this is not a compact JWS")
def jws_larger_than_any_statement(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws + "A" * 140_000)


@case("base64url is not in its one canonical form")
def base64url_with_padding(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws + "==")


@case("base64url is not in its one canonical form")
def base64url_with_loose_last_bits(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws[:-1] + chr(ord(jws[-1]) + 1))


@case("this is not base64url")
def base64url_with_letters_beyond_ascii(scene: Scene) -> None:
    change_jws(scene, 0, lambda jws: jws[:-2] + "é")


@case("a JSON member appears twice")
def member_named_twice(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda p: p.replace(b'"seq":1', b'"seq":1,"seq":1'))


@case("a JSON member appears twice")
def header_member_named_twice(scene: Scene) -> None:
    header = b'{"alg":"none","alg":"ES256","kid":"receipts-2026","typ":"receipt+jws"}'
    change_jws(scene, 0, lambda jws: resign(header, jws))


@case("this is not strict JSON")
def fraction_in_the_statement(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda p: p.replace(b'"seq":1', b'"seq":1.0'))


@case("this is not strict JSON")
def nested_beyond_measure(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda _: b"[" * 60_000)


@case("this is not strict JSON")
def half_a_surrogate_pair(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda p: p.replace(b'"receipt/1"', b'"\\ud800"'))


@case("the statement is not in canonical form")
def members_out_of_order(scene: Scene) -> None:
    change_statement_text(
        scene, 0, lambda p: json.dumps(dict(reversed(json.loads(p).items())), separators=(",", ":")).encode()
    )


@case("the statement is not in canonical form")
def spaces_between_members(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda p: json.dumps(json.loads(p), sort_keys=True).encode())


@case(NOT_A_STATEMENT)
def personal_data_in_clear(scene: Scene) -> None:
    scene.statements[0]["child"] = "Invented Person"


@case(NOT_A_STATEMENT)
def statement_without_a_number(scene: Scene) -> None:
    del scene.statements[5]["seq"]


@case(NOT_A_STATEMENT)
def list_of_the_members_names(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda _: canonical(sorted(verify.STATEMENT)))


@case(NOT_A_STATEMENT)
def tree_node_in_place_of_a_statement(scene: Scene) -> None:
    change_statement_text(scene, 0, lambda _: b'"a node is not a leaf"')


def _wrong_member(name: str, value: object) -> None:
    def spoil(scene: Scene) -> None:
        scene.statements[5][name] = value
        scene.links = name != "prev"

    spoil.__name__ = (
        f"wrong_{name}_{type(value).__name__}_{hashlib.sha256(repr(value).encode()).hexdigest()[:4]}"
    )
    case(NOT_A_STATEMENT)(spoil)


for _name, _value in [
    ("_sd_alg", "sha-512"),
    ("event", "Closed now"),
    ("event", 7),
    ("id", "ev-1"),
    ("iss", "gateway example"),
    ("kid", "../key"),
    ("prev", "0" * 63),
    ("ref", "sender@example"),
    ("time", "2026-11-20T09:05:00Z"),
    ("v", "receipt/2"),
    ("reason", "550 no such user <a@b.example>"),
    ("reason", None),
    ("reason", ""),
]:
    _wrong_member(_name, _value)

for _name, _value in [
    ("seq", 0),
    ("seq", 1 << 53),
    ("seq", True),
    ("seq", "3"),
    ("time", "2026-13-20T09:05:00.000Z"),
    ("after", {"root": "00", "size": 3}),
    ("after", {"root": "0" * 64, "size": 0}),
    ("after", {"root": "0" * 64}),
    ("after", {"root": 5, "size": 3}),
    ("after", "0" * 64),
    ("after", ["root", "size"]),
]:

    def _spoil(scene: Scene, name: str = _name, value: object = _value) -> None:
        scene.statements[5][name] = value

    _spoil.__name__ = f"wrong_{_name}_{_value!r}"
    case(NOT_A_STATEMENT)(_spoil)


for _value in ({}, "msg-one", {"a name": 1}, {"msg-one": 0}, {"msg-one": "3"}):

    def _counts(scene: Scene, value: object = _value) -> None:
        scene.statements[5]["chains"] = value

    _counts.__name__ = f"wrong_counts_{_value!r}"
    case(NOT_A_STATEMENT)(_counts)

CUT_OFF = "a receipt counted more receipts of a chain than there are"


@case(CUT_OFF)
def end_of_another_chain_cut_off(scene: Scene) -> None:
    """One more was there when the chain was closed: what is left is whole in itself, sealed and witnessed."""
    scene.statements[5]["chains"] = {"msg-one": 4}


@case(CUT_OFF)
def another_chain_left_out_whole(scene: Scene) -> None:
    scene.statements[5]["chains"] = {"msg-left-out": 1}


@case("the statement is of another issuer")
def receipt_of_another_issuer(scene: Scene) -> None:
    scene.statements[2]["iss"] = "other.example"


@case(NOT_A_STATEMENT)
def commitment_too_short(scene: Scene) -> None:
    scene.statements[5]["_sd"] = ["AAAA"]


@case(NOT_A_STATEMENT)
def commitment_with_loose_last_bits(scene: Scene) -> None:
    scene.statements[5]["_sd"] = ["A" * 42 + "B"]


@case(NOT_A_STATEMENT)
def commitments_not_a_list(scene: Scene) -> None:
    scene.statements[5]["_sd"] = {}


@case("the statement's commitments are not sorted and different")
def commitments_unsorted(scene: Scene) -> None:
    scene.statements[0]["_sd"].reverse()


@case("the statement's commitments are not sorted and different")
def commitment_twice(scene: Scene) -> None:
    scene.statements[0]["_sd"] = scene.statements[0]["_sd"][:1] * 2


@case("an event that tells of a failure has no reason")
def failure_without_a_reason(scene: Scene) -> None:
    del scene.statements[4]["reason"]


@case("the key was not in force at the time that the statement claims")
def signed_before_the_key_was_in_force(scene: Scene) -> None:
    scene.policy["receipt_keys"][0]["nbf"] = "2026-11-20T09:02:30.000Z"


@case("the key was not in force at the time that the statement claims")
def signed_when_the_key_had_expired(scene: Scene) -> None:
    scene.policy["receipt_keys"][0]["exp"] = "2026-11-20T09:02:00.000Z"


# --- chains ----------------------------------------------------------------------------------------------------------

GAP = "a chain has a gap, a repetition or is out of order"


@case("two receipts have one id")
def one_id_used_twice(scene: Scene) -> None:
    scene.statements[5]["id"] = scene.statements[4]["id"]


@case(GAP)
def middle_receipt_dropped_and_files_renumbered(scene: Scene) -> None:
    drop(scene, 1)


@case("a receipt does not name the one before it")
def middle_receipt_dropped_and_statements_renumbered(scene: Scene) -> None:
    scene.zip()
    before = scene.statements[3]["prev"]
    drop(scene, 1)
    scene.statements[2] |= {"seq": 2, "prev": before}
    scene.links = False


@case(GAP)
def last_receipt_twice(scene: Scene) -> None:
    for one in (scene.statements, scene.signers, scene.opened, scene.positions, scene.indices):
        one.append(one[5])  # type: ignore[attr-defined]
    scene.statements[6] = scene.statements[5] | {"id": entry_id(6)}
    scene.positions[6] = scene.indices[6] = 280


@case(GAP)
def chain_that_begins_later(scene: Scene) -> None:
    scene.statements[2]["seq"], scene.statements[4]["seq"], scene.statements[5]["seq"] = 2, 3, 4


@case(GAP)
def two_messages_in_one_chain(scene: Scene) -> None:
    scene.statements[2]["ref"] = "msg-one"


@case("a receipt does not name the one before it")
def first_receipt_names_one_before_it(scene: Scene) -> None:
    scene.zip()
    scene.statements[0]["prev"] = "0" * 64
    scene.links = False


@case("receipts went into the log in an impossible order")
def two_receipts_of_a_chain_swapped_in_the_log(scene: Scene) -> None:
    scene.positions[0], scene.positions[1] = 40, 5
    scene.indices = list(scene.positions)


@case("receipts went into the log in an impossible order")
def sealed_after_one_that_is_not(scene: Scene) -> None:
    scene.unsealed = {1}


def drop(scene: Scene, number: int) -> None:
    for one in (scene.statements, scene.signers, scene.opened, scene.positions, scene.indices):
        del one[number]  # type: ignore[attr-defined]


# --- proofs ----------------------------------------------------------------------------------------------------------

NO_PATH = "the proof does not lead from the statement to the checkpoint's root"
NO_PROOF = "the proof is not in the form tlog-proof@v1"


@case(NO_PATH)
def proof_of_another_leaf(scene: Scene) -> None:
    scene.positions[2], scene.indices[2] = 50, 40


@case(NO_PATH)
def statement_signed_again_with_the_true_key(scene: Scene) -> None:
    from gateway.ledger.statement import sign_statement

    def backdate(number: int, jws: str) -> str:
        if number != 3:
            return jws
        return sign_statement(
            verify.unb64url(jws.split(".")[1]).replace(b"T09:03:00", b"T08:03:00"), RECEIPTS
        )

    scene.on_jws = backdate


@case(NO_PATH)
def index_one_too_large(scene: Scene) -> None:
    scene.indices[0] += 1


@case(NO_PATH)
def index_one_too_small(scene: Scene) -> None:
    scene.indices[0] -= 1


@case(NO_PATH)
def index_beyond_the_tree(scene: Scene) -> None:
    scene.indices[0] = 300


@case(NO_PATH)
def proof_one_hash_short(scene: Scene) -> None:
    change_proof(scene, 0, lambda proof: "\n".join([*proof.split("\n")[:2], *proof.split("\n")[3:]]))


@case(NO_PATH)
def proof_one_hash_long(scene: Scene) -> None:
    change_proof(
        scene, 0, lambda proof: proof.replace("index 5\n", "index 5\n" + proof.split("\n")[2] + "\n", 1)
    )


@case(NO_PATH)
def proof_hash_changed(scene: Scene) -> None:
    other = base64.b64encode(bytes(32)).decode()
    change_proof(scene, 0, lambda proof: proof.replace(proof.split("\n")[2], other, 1))


@case(NO_PROOF)
def index_with_a_leading_zero(scene: Scene) -> None:
    change_proof(scene, 0, lambda proof: proof.replace("index 5", "index 05"))


@case(NO_PROOF)
def proof_of_another_version(scene: Scene) -> None:
    change_proof(scene, 0, lambda proof: proof.replace("@v1", "@v2"))


@case(NO_PROOF)
def proof_with_extra_data(scene: Scene) -> None:
    change_proof(scene, 0, lambda proof: proof.replace("index", "extra AAAA\nindex"))


@case(NO_PROOF)
def proof_hash_not_canonical(scene: Scene) -> None:
    def change(proof: str) -> str:
        first = proof.split("\n")[2]
        return proof.replace(first, first[:-2] + chr(ord(first[-2]) + 1) + "=", 1)

    change_proof(scene, 0, change)


@case(NO_PROOF)
def proof_that_is_empty(scene: Scene) -> None:
    change_proof(scene, 0, lambda _: "")


# --- checkpoints -----------------------------------------------------------------------------------------------------

NOT_A_NOTE = "the checkpoint is not a signed note"
LOG_FALSE = "the log's signature on the checkpoint is false"


@case("the log's signature on the checkpoint is missing")
def log_signature_gone(scene: Scene) -> None:
    scene.on_note = lambda note: "".join(line for line in note.splitlines(True) if f"— {ORIGIN} " not in line)


@case(LOG_FALSE)
def root_changed(scene: Scene) -> None:
    other = base64.b64encode(bytes(32)).decode()
    scene.on_note = lambda note: note.replace(note.split("\n")[2], other, 1)


@case(LOG_FALSE)
def tree_size_changed(scene: Scene) -> None:
    scene.on_note = lambda note: note.replace("\n300\n", "\n299\n", 1)


@case("the log's signature on the checkpoint is missing")
def signed_by_another_log_of_that_name(scene: Scene) -> None:
    scene.log = OTHER_LOG


@case("too few witnesses signed the checkpoint")
def quorum_missing(scene: Scene) -> None:
    scene.witnesses = {name: WITNESSES[name] for name in list(WITNESSES)[:1]}


@case("too few witnesses signed the checkpoint")
def witnesses_nobody_named(scene: Scene) -> None:
    scene.witnesses = {f"other-{number}.example": OTHER_LOG for number in range(3)}


@case("too few witnesses signed the checkpoint")
def witnesses_whose_names_only_look_alike(scene: Scene) -> None:
    """A Cyrillic letter in the name: whoever reads the note sees the true witnesses."""
    scene.witnesses = {
        name.replace("i", "\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}"): key
        for name, key in WITNESSES.items()
    }


@case("too few witnesses signed the checkpoint")
def one_witness_with_its_old_and_its_new_key(scene: Scene) -> None:
    """A partner that changes its key stays one partner."""
    name, signer = "witness-1.example", FileSigner.generate("witness-1-new", "Ed25519")
    scene.policy["witnesses"].append(str(witness_key(name, signer)))
    scene.witnesses = {name: WITNESSES[name]}
    scene.on_note = lambda note: note + cosignature(signer, name, note, scene.cosigned_at)


@case("a key signed the checkpoint twice")
def one_witness_twice(scene: Scene) -> None:
    scene.witnesses = {"witness-1.example": WITNESSES["witness-1.example"]}
    scene.on_note = lambda note: note + note.splitlines(True)[-1]


@case("a witness's signature on the checkpoint is false")
def witness_signed_something_else(scene: Scene) -> None:
    def change(note: str) -> str:
        *head, last = note.splitlines(True)
        name, encoded = last.split()[1:]
        raw = bytearray(base64.b64decode(encoded))
        raw[-1] ^= 1
        return "".join(head) + f"— {name} {base64.b64encode(raw).decode()}\n"

    scene.on_note = change


@case("a witness's signature on the checkpoint is false")
def witness_whose_time_was_moved(scene: Scene) -> None:
    def change(note: str) -> str:
        *head, last = note.splitlines(True)
        name, encoded = last.split()[1:]
        raw = bytearray(base64.b64decode(encoded))
        raw[11] ^= 1
        return "".join(head) + f"— {name} {base64.b64encode(raw).decode()}\n"

    scene.on_note = change


@case("a witness's signature on the checkpoint is false")
def witness_whose_time_is_beyond_all_calendars(scene: Scene) -> None:
    name, signer = "witness-1.example", WITNESSES["witness-1.example"]

    def change(note: str) -> str:
        text, _ = verify.parse_note(note.encode())
        signature = (1 << 60).to_bytes(8, "big") + signer.sign(verify.cosigned_message(text, 1 << 60))
        encoded = base64.b64encode(witness_key(name, signer).id + signature).decode()
        return f"{note}— {name} {encoded}\n"

    del scene.witnesses[name]
    scene.on_note = change


@case("the checkpoint is of another log")
def checkpoint_of_another_log(scene: Scene) -> None:
    scene.origin = "other.example/ledger"
    scene.log = OTHER_LOG


@case("the log's signature on the checkpoint is missing")
def checkpoint_signed_by_the_key_of_another_year(scene: Scene) -> None:
    over_new_year(scene).on_note = lambda note: note.replace(f"— {NEXT_YEAR} ", f"— {ORIGIN} ")


@case("the checkpoint's size is not a plain number")
def size_with_a_leading_zero(scene: Scene) -> None:
    scene.on_text = lambda text: text.replace("\n300\n", "\n0300\n")


@case("the checkpoint has other than three lines")
def extension_line(scene: Scene) -> None:
    scene.on_text = lambda text: text + "extension\n"


@case("the checkpoint's root is not a SHA-256 hash")
def root_too_short(scene: Scene) -> None:
    scene.on_text = lambda text: "\n".join([*text.split("\n")[:2], "AAAA", ""])


@case("the checkpoint's root is not a SHA-256 hash")
def root_not_canonical(scene: Scene) -> None:
    def change(text: str) -> str:
        origin, size, root, _ = text.split("\n")
        return f"{origin}\n{size}\n{root[:-2]}{chr(ord(root[-2]) + 1)}=\n"

    scene.on_text = change


@case(NOT_A_NOTE)
def note_with_carriage_returns(scene: Scene) -> None:
    scene.on_note = lambda note: note.replace("\n", "\r\n")


@case(NOT_A_NOTE)
def note_without_its_last_newline(scene: Scene) -> None:
    scene.on_note = lambda note: note[:-1]


@case(NOT_A_NOTE)
def signature_line_with_a_hyphen(scene: Scene) -> None:
    scene.on_note = lambda note: note.replace("—", "-")


@case(NOT_A_NOTE)
def signature_line_too_short(scene: Scene) -> None:
    scene.on_note = lambda note: note + "— other.example AAAA\n"


@case("the checkpoint carries too many signatures")
def signatures_without_end(scene: Scene) -> None:
    scene.on_note = lambda note: note + "— other.example AAAAAAAA\n" * 70


@case("a checkpoint's file is not named by its size")
def checkpoint_under_another_size(scene: Scene) -> None:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return files | {"checkpoints/299.note": files["checkpoints/300.note"]}

    scene.on_files = change


# --- one history -----------------------------------------------------------------------------------------------------

NO_CONSISTENCY = "a consistency proof between two checkpoints is missing or belongs to none"


def pin(scene: Scene, size: int, root: str, seen: str | None = None) -> None:
    scene.policy["pinned"].append({"size": size, "root": root, "seen": seen})


@case("two checkpoints of one size have different roots")
def split_view_against_a_pinned_checkpoint(scene: Scene) -> None:
    pin(scene, 300, "11" * 32)


@case("two checkpoints are not of one history")
def fork_signed_and_witnessed_again(scene: Scene) -> None:
    pin(scene, 100, "11" * 32)
    scene.older = [100]
    scene.on_files = lambda files: {n: c for n, c in files.items() if n != "checkpoints/100.note"}


@case("the log is shorter than a checkpoint that the policy pinned")
def log_cut_below_what_was_seen(scene: Scene) -> None:
    pin(scene, 301, "11" * 32)


@case(NO_CONSISTENCY)
def pinned_checkpoint_without_a_consistency_proof(scene: Scene) -> None:
    pin(scene, 100, root_of(scene, 100))


@case(NO_CONSISTENCY)
def consistency_proof_that_belongs_to_none(scene: Scene) -> None:
    scene.on_files = lambda files: files | {"consistency/7-300.txt": consistency_text(scene.leaves, 7)}


@case("two checkpoints are not of one history")
def consistency_proof_not_in_base64(scene: Scene) -> None:
    scene.older = [100]
    scene.on_files = lambda files: files | {"consistency/100-300.txt": b"not base64"}


# --- one log a year --------------------------------------------------------------------------------------------------

NO_LINK = "a link between two logs is not shown to be the first leaf of its log"
NOT_THE_LAST = "a log's first leaf names something else than the last checkpoint of a log before it"


@case("the link between two logs is missing")
def link_left_out(scene: Scene) -> None:
    over_new_year(scene).on_files = lambda files: {n: c for n, c in files.items() if "links/" not in n}


@case(NO_LINK)
def link_that_is_the_second_leaf(scene: Scene) -> None:
    """What stands before it would belong to no log before."""
    over_new_year(scene).link_at = 1


@case(NO_LINK)
def link_without_its_proof(scene: Scene) -> None:
    over_new_year(scene).on_files = lambda files: {n: c for n, c in files.items() if n != "links/2027.proof"}


@case(NO_LINK)
def link_under_another_logs_name(scene: Scene) -> None:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name.replace("links/2027", "links/2028"): content for name, content in files.items()}

    over_new_year(scene).on_files = change


@case(NO_LINK)
def link_that_states_something_else(scene: Scene) -> None:
    over_new_year(scene).link = {"event": "Routed"}


@case(NOT_THE_LAST)
def link_to_a_checkpoint_that_is_not_there(scene: Scene) -> None:
    """As one of another log would be."""
    over_new_year(scene).link = {"after": {"root": "33" * 32, "size": 300}}


@case(NOT_THE_LAST)
def link_to_a_root_of_another_size(scene: Scene) -> None:
    root = root_of(over_new_year(scene), 300)
    scene.link = {"after": {"root": root, "size": 299}}


@case(NOT_THE_LAST)
def old_log_that_went_on_after_the_new_one_began(scene: Scene) -> None:
    root = root_of(over_new_year(scene), 280)
    scene.older = [280]
    scene.link = {"after": {"root": root, "size": 280}}

    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name.replace("consistency/", "consistency/2026_"): content for name, content in files.items()}

    scene.on_files = change


# --- times and keys --------------------------------------------------------------------------------------------------

NO_AFTER = "the statement names an earlier checkpoint that is not there"


@case(NO_AFTER)
def earlier_checkpoint_invented(scene: Scene) -> None:
    scene.statements[5]["after"] = {"root": "22" * 32, "size": 100}


@case(NO_AFTER)
def earlier_checkpoint_with_another_root(scene: Scene) -> None:
    scene.older = [100]
    scene.statements[5]["after"] = {"root": "22" * 32, "size": 100}


@case("the statement claims a time before what it was made after")
def back_dated_by_the_operator(scene: Scene) -> None:
    scene.older = [100]
    scene.statements[5]["after"] = {"root": root_of(scene, 100), "size": 100}


@case("the statement claims a time after others had seen it")
def post_dated_by_the_operator(scene: Scene) -> None:
    scene.cosigned_at = START - timedelta(hours=1)


REVOKED = "the key was revoked, and nobody saw the receipt before that"


@case(REVOKED)
def key_revoked_before_anyone_saw_the_receipt(scene: Scene) -> None:
    scene.policy["receipt_keys"][0]["revoked"] = "2026-11-20T10:30:00.000Z"


@case(REVOKED)
def key_revoked_after_the_old_log_was_seen_and_before_the_new_one(scene: Scene) -> None:
    """What others saw of one log says nothing of the leaves of another."""
    over_new_year(scene).policy["receipt_keys"].append(
        {
            "jwk": OTHER_RECEIPTS.public_jwk(),
            "nbf": "2026-01-01T00:00:00.000Z",
            "revoked": "2026-11-20T10:30:00.000Z",
        }
    )
    scene.signers[5] = OTHER_RECEIPTS
    scene.statements[5]["kid"] = OTHER_RECEIPTS.kid
    scene.cosigned_at_size[300] = COSIGNED - timedelta(hours=1)


@case(REVOKED)
def key_revoked_and_one_witness_of_three_lies_about_when_it_saw_the_receipt(scene: Scene) -> None:
    """A thief with the receipts' key and one witness is not a quorum."""
    name, signer = "witness-1.example", scene.witnesses.pop("witness-1.example")
    earlier = COSIGNED - timedelta(hours=1)
    scene.on_note = lambda note: note + cosignature(signer, name, note, earlier)
    scene.policy["receipt_keys"][0]["revoked"] = "2026-11-20T10:30:00.000Z"


@case(REVOKED)
def key_revoked_and_no_witness_asked_for(scene: Scene) -> None:
    scene.policy |= {"witnesses": [], "quorum": 0}
    scene.policy["receipt_keys"][0]["revoked"] = "2027-11-20T10:30:00.000Z"


@case(REVOKED)
def key_revoked_and_not_in_the_log(scene: Scene) -> None:
    scene.unsealed = set(range(6))
    scene.policy["receipt_keys"][0]["revoked"] = "2027-11-20T10:30:00.000Z"


# --- time-stamps -----------------------------------------------------------------------------------------------------

UNTRUSTED_STAMP = "a time-stamp is not signed by a trusted authority in force at its time"
FAR_WITNESS = "a witness's time is far from that of the time-stamp over its signature"
NOT_A_STAMP = "a time-stamp is not a response that RFC 3161 knows"
KEY_WHEN_STAMPED = "the key was not in force at the time that is stamped"


def restamp(scene: Scene, authority: Authority) -> None:
    """The same instants from another authority."""
    stamp_at(scene, 5, STAMPED_FIRST, authority)
    stamp_at(scene, 300, STAMPED_LAST, authority)


def without_witnesses(scene: Scene) -> Scene:
    """So that the time-stamps alone bound a time."""
    scene.policy |= {"witnesses": [], "quorum": 0}
    return stamped(scene)


@case(UNTRUSTED_STAMP)
def stamped_by_an_authority_of_the_same_names(scene: Scene) -> None:
    restamp(stamped(scene), OTHER_AUTHORITY)


@case(UNTRUSTED_STAMP)
def stamped_when_the_authoritys_certificate_had_ended(scene: Scene) -> None:
    ended = Authority(life=(LIFE[0], STAMPED_LAST - timedelta(seconds=1)))
    restamp(stamped(scene), ended)
    scene.policy["tsa"]["roots"] = ended.root


@case(UNTRUSTED_STAMP)
def stamped_before_the_authoritys_certificate_began(scene: Scene) -> None:
    later = Authority(life=(STAMPED_FIRST + timedelta(seconds=1), LIFE[1]))
    restamp(stamped(scene), later)
    scene.policy["tsa"]["roots"] = later.root


@case(UNTRUSTED_STAMP)
def stamped_with_a_web_servers_certificate(scene: Scene) -> None:
    other = Authority(purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    restamp(stamped(scene), other)
    scene.policy["tsa"]["roots"] = other.root


@case(UNTRUSTED_STAMP)
def stamped_with_a_certificate_for_anything(scene: Scene) -> None:
    other = Authority(purpose=None)
    restamp(stamped(scene), other)
    scene.policy["tsa"]["roots"] = other.root


@case(UNTRUSTED_STAMP)
def stamp_whose_signature_was_changed(scene: Scene) -> None:
    stamped(scene)
    sound = scene.stamps["checkpoints/300.tsr"]

    def change(note: bytes) -> bytes:
        stamp = sound(note)  # once: each call signs anew
        return stamp[:-1] + bytes([stamp[-1] ^ 1])

    scene.stamps["checkpoints/300.tsr"] = change


@case(UNTRUSTED_STAMP)
def stamp_granted_with_changes(scene: Scene) -> None:
    stamp_at(stamped(scene), 300, STAMPED_LAST, status="granted_with_mods")


@case(UNTRUSTED_STAMP)
def second_authoritys_stamp_is_not_to_be_trusted(scene: Scene) -> None:
    stamped(scene)
    scene.stamps["checkpoints/300-2.tsr"] = lambda note: OTHER_AUTHORITY.stamp(note, STAMPED_LAST)


@case("a time-stamp was made under another policy than the accepted ones")
def stamped_under_another_policy(scene: Scene) -> None:
    stamp_at(stamped(scene), 300, STAMPED_LAST, policy="1.3.6.1.4.1.99999.2")


@case("a time-stamp is over something else than its checkpoint's file")
def stamp_of_another_checkpoint(scene: Scene) -> None:
    stamped(scene)
    scene.stamps["checkpoints/300.tsr"] = lambda note: AUTHORITY.stamp(note + b"\n", STAMPED_LAST)


@case("a time-stamp is over something else than its checkpoint's file")
def witness_added_after_the_stamp(scene: Scene) -> None:
    """The whole file is stamped, with its witnesses' lines: adding one later changes it."""
    stamped(scene)
    scene.stamps["checkpoints/300.tsr"] = lambda note: AUTHORITY.stamp(
        b"".join(note.splitlines(True)[:-1]), STAMPED_LAST
    )


@case(NOT_A_STAMP)
def stamp_that_is_not_one(scene: Scene) -> None:
    stamped(scene).stamps["checkpoints/300.tsr"] = lambda note: b"stamped, honestly"


@case(NOT_A_STAMP)
def stamp_that_was_refused(scene: Scene) -> None:
    stamped(scene).stamps["checkpoints/300.tsr"] = lambda note: REFUSAL


@case("a time-stamp belongs to no checkpoint")
def stamp_without_its_checkpoint(scene: Scene) -> None:
    scene.on_files = lambda files: files | {"checkpoints/299.tsr": b"x"}


@case(FAR_WITNESS)
def witnesses_long_before_the_stamp(scene: Scene) -> None:
    stamped(scene)
    scene.cosigned_at -= timedelta(minutes=10)


@case(FAR_WITNESS)
def witnesses_long_after_the_stamp(scene: Scene) -> None:
    stamped(scene)
    scene.cosigned_at += timedelta(minutes=10)


@case("the statement claims a time before what it was made after")
def back_dated_before_the_stamp(scene: Scene) -> None:
    stamp_at(without_witnesses(scene), 5, START + timedelta(minutes=3))


@case("the statement claims a time after others had seen it")
def post_dated_after_the_stamp(scene: Scene) -> None:
    stamp_at(without_witnesses(scene), 300, START + timedelta(minutes=3))


@case("the time-stamps before and after the statement are too far apart")
def window_between_the_stamps_too_wide(scene: Scene) -> None:
    stamped(scene).policy["tsa"]["max_window_seconds"] = 60 * 60


@case(KEY_WHEN_STAMPED)
def stamped_before_the_key_was_in_force(scene: Scene) -> None:
    """Within the skew of the claimed time, so that only the stamp shows it."""
    stamp_at(without_witnesses(scene), 300, START - timedelta(seconds=2))
    for one in scene.statements:
        one["time"] = f"{START:%Y-%m-%dT%H:%M:%S}.000Z"
    scene.policy["receipt_keys"][0]["nbf"] = "2026-11-20T09:00:00.000Z"


@case(KEY_WHEN_STAMPED)
def made_after_a_stamp_at_which_the_key_had_expired(scene: Scene) -> None:
    stamp_at(without_witnesses(scene), 5, START + timedelta(seconds=50))
    for one in scene.statements:
        one["time"] = f"{START:%Y-%m-%dT%H:%M:%S}.000Z"
    scene.policy["receipt_keys"][0]["exp"] = "2026-11-20T09:00:30.000Z"


@case(REVOKED)
def key_revoked_before_the_stamp_whatever_the_witnesses_say(scene: Scene) -> None:
    stamped(scene).policy["receipt_keys"][0]["revoked"] = "2026-11-20T11:00:03.000Z"


# --- disclosures and content -----------------------------------------------------------------------------------------

NO_MATCH = "a disclosure matches no commitment of its statement"
BAD_DISCLOSURE = "a disclosure is not a salt, a name and a value"
BAD_DISCLOSURES = "the disclosures are not a list of strings"


@case(NO_MATCH)
def disclosure_forged(scene: Scene) -> None:
    scene.opened[0][1] = disclosure(b"b" * 16, "sender", "Other Police")


@case(NO_MATCH)
def disclosure_moved_to_another_receipt(scene: Scene) -> None:
    scene.opened[5] = [scene.opened[0][1]]


@case(NO_MATCH)
def disclosure_given_twice(scene: Scene) -> None:
    scene.opened[0].append(scene.opened[0][0])


def _committed(value: object) -> Case:
    """A disclosure of odd form that the statement does commit to."""

    def spoil(scene: Scene) -> None:
        odd = b64url(json.dumps(value).encode())
        scene.opened[5] = [odd]
        scene.statements[5]["_sd"] = [commitment(odd)]

    spoil.__name__ = f"disclosure_{value!r}"
    return spoil


for _odd in (
    "abc",
    ["salt", "name"],
    ["salt", "name", True],
    ["salt", 1, "value"],
    {"a": 1},
    ["salt", "name", {"x": 1}],
):
    case(BAD_DISCLOSURE)(_committed(_odd))


@case("a message was accepted twice")
def second_acceptance_with_the_content_that_the_recipient_signed_for(scene: Scene) -> None:
    """The sender sent one thing, the recipient acknowledged another: both cannot be the message."""
    other = hashlib.sha256(b"other content").hexdigest()
    scene.statements[1]["event"] = "SubmissionAcceptance"
    scene.opened[1] = [disclosure(b"z" * 16, "payload_sha256", other)]
    scene.statements[1]["_sd"] = [commitment(scene.opened[1][0])]
    scene.acknowledgement["content_sha256"] = other
    scene.acknowledge()


@case("two disclosures of one receipt have one name")
def two_disclosures_of_one_name(scene: Scene) -> None:
    scene.opened[5] = [disclosure(b"x" * 16, "actor", "one"), disclosure(b"y" * 16, "actor", "two")]
    scene.statements[5]["_sd"] = sorted(commitment(one) for one in scene.opened[5])


@case(BAD_DISCLOSURES)
def disclosures_not_a_list(scene: Scene) -> None:
    scene.on_files = lambda files: files | {"receipts/0000.disclosures": b"{}"}


@case(BAD_DISCLOSURES)
def disclosures_not_of_strings(scene: Scene) -> None:
    scene.on_files = lambda files: files | {"receipts/0000.disclosures": b"[1]"}


@case("a payload is not the one that was committed to")
def payload_changed(scene: Scene) -> None:
    scene.payloads[entry_id(0)] += b" "


@case("a payload is not the one that was committed to")
def payload_whose_commitment_is_not_opened(scene: Scene) -> None:
    del scene.opened[0][0]


@case("an attachment is not one that a message was committed to")
def attachment_that_no_message_named(scene: Scene) -> None:
    scene.on_files = lambda files: files | {f"attachments/att-{'a' * 26}.bin": b"x"}


@case("a payload belongs to no accepted message")
def payload_of_something_else(scene: Scene) -> None:
    scene.payloads[entry_id(1)] = b"x"


# --- what the recipient signed ---------------------------------------------------------------------------------------

FALSE_PEER = "the recipient's signature is false"
PEER_HEADER = (
    "the recipient's JWS header has other members than alg, a public jwk and typ acknowledgement+jws"
)
PEER_FORM = "the recipient's statement is not of the form acknowledgement/1"
NO_COMMITMENT = "a peer's own proof is not one that a receipt commits to"
OTHER_CONTENT = "the recipient signed for other content than was accepted"
OTHER_DELIVERY = "the recipient signed for another message or delivery"


@case(NO_COMMITMENT)
def proof_of_a_peer_that_no_receipt_has(scene: Scene) -> None:
    scene.acknowledge()
    scene.peers[f"peer/{entry_id(99)}.jws"] = scene.peers[f"peer/{entry_id(3)}.jws"]


@case(NO_COMMITMENT)
def peers_mail_changed(scene: Scene) -> None:
    scene.bounce()
    scene.peers[f"peer/{entry_id(1)}.eml"] += b"it was refused"


@case(NO_COMMITMENT)
def proof_of_a_peer_moved_to_a_receipt_that_commits_to_none(scene: Scene) -> None:
    scene.peers[f"peer/{entry_id(5)}.eml"] = MAIL


@case("this is not a compact JWS")
def recipients_jws_of_two_parts(scene: Scene) -> None:
    scene.acknowledge(change=lambda jws: jws.rpartition(".")[0])


@case("this is not a compact JWS")
def recipients_jws_without_measure(scene: Scene) -> None:
    scene.acknowledgement["name"] = "x" * 50_000
    scene.acknowledge()


@case(PEER_HEADER)
def recipients_header_with_a_key_elsewhere(scene: Scene) -> None:
    scene.acknowledge(
        header={"typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT), "jku": "https://example"}
    )


@case(PEER_HEADER)
def recipients_header_of_another_type(scene: Scene) -> None:
    scene.acknowledge(header={"typ": "JWT", "jwk": public_part(RECIPIENT)})


def _recipients_header(raw: bytes) -> Callable[[str], str]:
    return lambda jws: f"{b64url(raw)}.{jws.partition('.')[2]}"


@case(PEER_HEADER)
def recipients_header_that_lists_names(scene: Scene) -> None:
    scene.acknowledge(change=_recipients_header(b'["alg","jwk","typ"]'))


@case(PEER_HEADER)
def recipients_key_is_text(scene: Scene) -> None:
    scene.acknowledge(header={"typ": "acknowledgement+jws", "jwk": "mine"})


@case(PEER_HEADER)
def recipients_key_with_a_number(scene: Scene) -> None:
    scene.acknowledge(header={"typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT) | {"x": 7}})


@case(PEER_HEADER)
def recipients_key_with_its_private_part(scene: Scene) -> None:
    scene.acknowledge(header={"typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT) | {"d": "AAAA"}})


@case(PEER_HEADER)
def recipients_key_is_a_shared_secret(scene: Scene) -> None:
    scene.acknowledge(header={"typ": "acknowledgement+jws", "jwk": {"kty": "oct", "k": "AAAA"}})


@case(FALSE_PEER)
def another_signed_under_the_recipients_key(scene: Scene) -> None:
    named = {"typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT)}
    scene.acknowledge(OTHER_RECEIPTS, header=named, peer_key=thumbprint_of(RECIPIENT))


@case(FALSE_PEER)
def recipients_algorithm_is_not_that_of_its_key(scene: Scene) -> None:
    scene.acknowledge(header={"alg": "PS256", "typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT)})


@case(FALSE_PEER)
def recipients_key_is_no_point_of_its_curve(scene: Scene) -> None:
    scene.acknowledge(
        header={"typ": "acknowledgement+jws", "jwk": public_part(RECIPIENT) | {"x": b64url(bytes(32))}}
    )


@case(PEER_FORM)
def recipient_says_more_than_an_acknowledgement(scene: Scene) -> None:
    scene.acknowledgement["verdict"] = "all done"
    scene.acknowledge()


@case(PEER_FORM)
def recipient_leaves_out_the_content(scene: Scene) -> None:
    del scene.acknowledgement["content_sha256"]
    scene.acknowledge()


@case(PEER_FORM)
def recipient_signs_a_list(scene: Scene) -> None:
    scene.acknowledgement = sorted(scene.acknowledgement)  # type: ignore[assignment]
    scene.acknowledge()


@case(PEER_FORM)
def recipients_digest_in_capitals(scene: Scene) -> None:
    scene.acknowledgement["content_sha256"] = scene.acknowledgement["content_sha256"].upper()
    scene.acknowledge()


@case(PEER_FORM)
def recipients_name_is_a_number(scene: Scene) -> None:
    scene.acknowledgement["name"] = 7  # type: ignore[assignment]
    scene.acknowledge()


@case(PEER_FORM)
def recipients_month_is_the_thirteenth(scene: Scene) -> None:
    scene.acknowledgement["time"] = "2026-13-20T09:02:50Z"
    scene.acknowledge()


@case("the recipient's key is not the one that the receipt commits to")
def receipt_commits_to_another_key_of_the_recipient(scene: Scene) -> None:
    scene.policy["peers"] = []
    scene.acknowledge(OTHER_RECEIPTS, peer_key=thumbprint_of(RECIPIENT))


@case("the recipient's key is not the one that the receipt commits to")
def receipt_commits_to_no_key(scene: Scene) -> None:
    scene.policy["peers"] = []
    scene.acknowledge(peer_key=None)


@case("the recipient's key is not one that the policy names for it")
def gateway_made_up_a_key_for_the_recipient(scene: Scene) -> None:
    scene.acknowledge(OTHER_RECEIPTS)


@case("the receipt does not say whose answer the recipient's signature is")
def made_up_key_and_nobody_named_to_whom_it_belongs(scene: Scene) -> None:
    """Else the keys that the policy names for the recipient would not be asked."""
    scene.acknowledge(OTHER_RECEIPTS, recipient=None)


@case(OTHER_DELIVERY)
def recipient_signed_for_another_message(scene: Scene) -> None:
    scene.acknowledgement["message"] = "chain-two"
    scene.acknowledge()


@case(OTHER_DELIVERY)
def recipient_signed_for_another_delivery(scene: Scene) -> None:
    scene.acknowledgement["delivery"] = "dlv-two"
    scene.acknowledge()


@case("the recipient signed another answer than the receipt states")
def system_signed_and_the_receipt_says_a_person(scene: Scene) -> None:
    scene.acknowledgement["by"] = "system"
    scene.acknowledge()


@case(OTHER_CONTENT)
def recipient_acknowledged_other_content(scene: Scene) -> None:
    scene.acknowledgement["content_sha256"] = hashlib.sha256(b"other content").hexdigest()
    scene.acknowledge()


@case(OTHER_CONTENT)
def recipient_acknowledged_content_whose_commitment_is_closed(scene: Scene) -> None:
    scene.acknowledge()
    scene.payloads = {}
    del scene.opened[0][0]


@case("the recipient signed after the gateway says that it answered")
def recipient_signed_an_hour_later(scene: Scene) -> None:
    scene.acknowledgement["time"] = "2026-11-20T10:02:50Z"
    scene.acknowledge()


# --- what the sender signed ------------------------------------------------------------------------------------------

FALSE_SENDER = "the sender's signature is false, or its key is no public one"


@case(FALSE_SENDER)
def another_signed_under_the_senders_key(scene: Scene) -> None:
    scene.sign_request(OTHER_RECEIPTS, http_signature_jwk=json.dumps(public_part(RECIPIENT)))


@case(FALSE_SENDER)
def senders_key_with_its_private_part(scene: Scene) -> None:
    scene.policy["peers"] = []
    scene.sign_request(http_signature_jwk=json.dumps({**public_part(RECIPIENT), "d": "AA"}))


@case("a sender's signature is not whole")
def senders_signature_without_what_it_is_over(scene: Scene) -> None:
    scene.sign_request(http_signature_base=None)


@case("a sender's signature is not whole")
def senders_signature_is_no_base64(scene: Scene) -> None:
    scene.sign_request(http_signature="!")


@case("the receipt does not say whose request the sender's signature is")
def made_up_key_and_no_sender_to_whom_it_belongs(scene: Scene) -> None:
    scene.sign_request(OTHER_RECEIPTS, sender=None)


@case("the sender's key is not one that the policy names for it")
def gateway_made_up_a_key_for_the_sender(scene: Scene) -> None:
    scene.sign_request(OTHER_RECEIPTS)


@case("the sender signed other content than was accepted")
def sender_signed_other_content(scene: Scene) -> None:
    scene.sign_request(content=b"other content")


@case("the sender signed other content than was accepted")
def sender_signed_two_contents(scene: Scene) -> None:
    scene.sign_request(base=lambda base: f'"content-digest": sha-256=:AAAA:\n{base}')


@case("the sender signed at another time than the gateway accepted")
def an_old_request_accepted_anew(scene: Scene) -> None:
    scene.sign_request(seconds_later=-3600)


@case("the sender signed at another time than the gateway accepted")
def sender_signed_at_no_time(scene: Scene) -> None:
    scene.sign_request(base=lambda base: base.replace(";created=", ";nonce="))


# --- the zip and its manifest ----------------------------------------------------------------------------------------

NOT_LISTED = "a file is missing, or there is one that the manifest does not list"
ODD_NAME = "a file has a name that a bundle does not hold"
NOT_PLAIN = "a file is not stored plainly"
TWO_READERS = "two programs could read different files from the zip"
NUMBERS = "the receipts are not numbered from 0000 without gaps"
COUNTS = "the count or the refs are not those of the receipts"


@case(NOT_LISTED)
def extra_file(scene: Scene) -> None:
    scene.on_listed = lambda files: files | {"SUMMARY.html": b"<p>it was all quite different</p>"}


@case(NOT_LISTED)
def missing_file(scene: Scene) -> None:
    scene.on_listed = lambda files: {n: c for n, c in files.items() if n != "receipts/0005.jws"}


@case("a file is not the one that the manifest lists")
def file_changed(scene: Scene) -> None:
    scene.on_listed = lambda files: files | {"README.txt": b"trust me"}


@case("manifest.json is missing")
def manifest_missing(scene: Scene) -> None:
    scene.on_listed = lambda files: {n: c for n, c in files.items() if n != "manifest.json"}


@case("the manifest is not of the form bundle/1")
def manifest_with_another_member(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: manifest | {"verdict": "VALID"}


@case("the manifest is not of the form bundle/1")
def manifest_that_lists_its_members_names(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: sorted(manifest)


@case("the manifest is not of the form bundle/1")
def manifest_of_another_version(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: manifest | {"v": "bundle/2"}


@case("the manifest is not of the form bundle/1")
def manifest_whose_files_are_a_list(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: manifest | {"files": []}


@case(COUNTS)
def count_too_small(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: manifest | {"count": 5}


@case(COUNTS)
def chain_not_named(scene: Scene) -> None:
    scene.on_manifest = lambda manifest: manifest | {"refs": ["msg-one"]}


@case(NUMBERS)
def receipts_with_a_gap_in_their_numbers(scene: Scene) -> None:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        return {name.replace("0005", "0006"): content for name, content in files.items()}

    scene.on_files = change


@case(NUMBERS)
def bundle_without_receipts(scene: Scene) -> None:
    scene.on_files = lambda files: {
        n: c for n, c in files.items() if not n.startswith(("receipts/", "payloads/"))
    }
    scene.on_manifest = lambda manifest: manifest | {"refs": []}


@case("a proof or disclosure belongs to no receipt")
def proof_without_a_receipt(scene: Scene) -> None:
    scene.on_files = lambda files: files | {"receipts/0006.proof": files["receipts/0005.proof"]}


@case("a message was accepted for another incident than the manifest names")
def evidence_of_one_incident_passed_off_as_anothers(scene: Scene) -> None:
    opened = disclosure(b"e" * 16, "incident", "SI-7K3M-9QPX-2E")
    scene.opened[0].append(opened)
    scene.statements[0]["_sd"] = sorted([*scene.statements[0]["_sd"], commitment(opened)])


@case("two files have one name")
def two_files_of_one_name(scene: Scene) -> None:
    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("README.txt", b"another")

    replace_zip(scene, build)


for _path in (
    "../README.txt",
    "/etc/passwd",
    "receipts/0000.es256.jws",
    "receipts\\0000.jws",
    "a/b/c",
    "keys/.jwk",
):

    def _odd_path(scene: Scene, path: str = _path) -> None:
        scene.on_files = lambda files: files | {path: b"x"}

    _odd_path.__name__ = f"path_{_path}"
    case(ODD_NAME)(_odd_path)


@case("the manifest is not written as a gateway writes it")
def manifest_with_a_line_more(scene: Scene) -> None:
    scene.on_listed = lambda files: files | {"manifest.json": files["manifest.json"] + b"\n"}


@case(NOT_PLAIN)
def link_in_place_of_a_file(scene: Scene) -> None:
    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (0o120777 if name == "README.txt" else 0o644) << 16
            archive.writestr(entry, content)

    replace_zip(scene, build)


@case(NOT_PLAIN)
def compressed_in_a_way_that_few_programs_read(scene: Scene) -> None:
    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            archive.writestr(name, content, zipfile.ZIP_BZIP2)

    replace_zip(scene, build)


@case(NOT_PLAIN)
def encrypted_as_both_headers_say(scene: Scene) -> None:
    def change(content: bytes) -> bytes:
        for flags_at in (content.index(b"README.txt") - 30 + 6, content.rindex(b"README.txt") - 46 + 8):
            content = content[:flags_at] + bytes([content[flags_at] | 1]) + content[flags_at + 1 :]
        return content

    scene.on_zip = change


def deflated_as(scene: Scene, pack: Callable[[bytes], bytes]) -> None:
    """README.txt is packed so, and both of the zip's headers tell the same of it: deflated, of its own length and sum."""
    plain = b""

    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        nonlocal plain
        plain = files["README.txt"]
        for name, content in (files | {"README.txt": pack(plain)}).items():
            archive.writestr(name, content)

    def change(content: bytes) -> bytes:
        crc, size = zlib.crc32(plain).to_bytes(4, "little"), len(plain).to_bytes(4, "little")
        for begins, method, sizes in (
            (content.index(b"README.txt") - 30, 8, 14),
            (content.rindex(b"README.txt") - 46, 10, 16),
        ):
            packed = content[begins + sizes + 4 : begins + sizes + 8]
            content = content[: begins + method] + b"\x08\0" + content[begins + method + 2 :]
            content = content[: begins + sizes] + crc + packed + size + content[begins + sizes + 12 :]
        return content

    replace_zip(scene, build)
    replaced = scene.on_zip
    scene.on_zip = lambda content: change(replaced(content))


def deflate(content: bytes, ends: int = zlib.Z_FINISH) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush(ends)


MORE_THAN_UNPACKED = "a file holds more than what is unpacked of it"


@case(MORE_THAN_UNPACKED)
def words_behind_the_end_of_what_is_deflated(scene: Scene) -> None:
    deflated_as(scene, lambda plain: deflate(plain) + b"hidden")


@case(MORE_THAN_UNPACKED)
def words_behind_the_length_that_is_told(scene: Scene) -> None:
    """One byte more: some programs unpack as much as there is, others as much as is told."""
    deflated_as(scene, lambda plain: deflate(plain + b"!"))


@case(MORE_THAN_UNPACKED)
def deflated_without_an_end(scene: Scene) -> None:
    """Some programs refuse it, others take what there is."""
    deflated_as(scene, lambda plain: deflate(plain, zlib.Z_SYNC_FLUSH))


@case("the files are larger than this program unpacks")
def compressed_bomb(scene: Scene) -> None:
    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("SUMMARY.html", bytes(50_000_000), zipfile.ZIP_DEFLATED)

    replace_zip(scene, build)


@case("the zip holds data outside of its files")
def data_before_the_zip(scene: Scene) -> None:
    scene.on_zip = lambda content: b"#!/bin/sh\n" + content


@case("the zip holds data outside of its files")
def comment_on_the_zip(scene: Scene) -> None:
    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = b"look here"

    replace_zip(scene, build)


def change_local_header(scene: Scene, at: int, value: bytes) -> None:
    """In what stands before the file README.txt, but not in the zip's directory."""

    def change(content: bytes) -> bytes:
        begins = content.index(b"README.txt") - 30 + at
        return content[:begins] + value + content[begins + len(value) :]

    scene.on_zip = change


for _what, _at, _value in (
    ("version", 4, b"\x63"),
    ("encrypted", 6, b"\x01"),
    ("compressed", 8, b"\x08"),
    ("checksum", 14, b"\x00"),
    ("length", 22, b"\x01"),
    ("extra_length", 28, b"\x02"),
):

    def _local(scene: Scene, at: int = _at, value: bytes = _value) -> None:
        change_local_header(scene, at, value)

    _local.__name__ = f"before_the_file_another_{_what}"
    case(TWO_READERS)(_local)


@case(TWO_READERS)
def file_inside_of_another_and_hidden_data_in_its_place(scene: Scene) -> None:
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(b"read me"), 7, 7, 10, 0)
    inner = head + b"README.txt" + b"read me"
    scene.on_files = lambda files: files | {"SUMMARY.html": b"<!--" + inner + b"-->"}

    def change(content: bytes) -> bytes:
        first = content.index(inner[30:]) - 30
        content = content[:first] + b"H" * len(inner) + content[first + len(inner) :]
        listed = content.rindex(b"README.txt") - 4  # where its directory entry says that it begins
        return content[:listed] + content.index(inner).to_bytes(4, "little") + content[listed + 4 :]

    scene.on_zip = change


@case(TWO_READERS)
def file_listed_where_a_copy_of_it_stands_inside_of_another(scene: Scene) -> None:
    copy = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(b"read me"), 7, 7, 10, 0)
    copy += b"README.txt" + b"read me"
    scene.on_files = lambda files: files | {"SUMMARY.html": b"<!--" + copy + b"-->"}

    def change(content: bytes) -> bytes:
        listed = content.rindex(b"README.txt") - 4
        return content[:listed] + content.rindex(copy).to_bytes(4, "little") + content[listed + 4 :]

    scene.on_zip = change


@case("the zip is damaged")
def bit_flipped_in_a_file(scene: Scene) -> None:
    scene.on_zip = lambda content: content.replace(b"read me", b"reed me", 1)


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("message", "spoil"), [pytest.param(m, s, id=n) for n, m, s in CASES])
def test_tampered_evidence_is_refused_by_the_check_that_is_meant_to(message: str, spoil: Case) -> None:
    scene = Scene()
    spoil(scene)
    finding = scene.play()
    assert (finding.verdict, finding.reason.partition(": ")[2]) == ("INVALID", message)


def test_the_scene_without_tampering_is_valid() -> None:
    """Without this, every case above could be refused for a fault of the scene."""
    finding = Scene().play()
    assert (finding.verdict, finding.receipts, finding.content) == ("VALID", 6, "matches")
    unsigned = "peers: 1 answers without the recipient's own signature"
    assert finding.reason == f"every receipt is in the log, which at least 2 witnesses saw; {unsigned}"


def test_a_bundle_that_somebody_packed_again_is_the_same_evidence() -> None:
    """Mail programs and archivers deflate: the evidence is the files, not how they are packed."""

    def build(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)

    scene = Scene()
    replace_zip(scene, build)
    assert scene.play() == Scene().play()


def test_what_the_sender_signed_is_counted() -> None:
    for seconds_later in (-120, 0, 60):
        scene = Scene()
        scene.sign_request(seconds_later=seconds_later)
        finding = scene.play()
        assert finding.verdict == "VALID"
        assert finding.reason.endswith(", 1 messages signed by senders' keys that the policy names")


def test_a_bundle_beyond_the_limit_is_refused_unread() -> None:
    scene = Scene()
    content = scene.zip()
    finding = verify.verify_bundle(
        content, verify.load_policy(json.dumps(scene.policy).encode()), len(content) - 1
    )
    assert finding.reason == "bundle: the bundle is larger than this program reads"


def test_every_refusal_of_the_verifier_has_a_case_and_words_of_its_own() -> None:
    """So a check that were switched off would be noticed: each message comes from one place and is provoked above."""
    tree = ast.parse(Path(verify.__file__).read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Invalid"
    ]
    messages = [ast.literal_eval(call.args[0]) for call in calls]
    assert len(messages) == len(set(messages))
    assert set(messages) - {"the bundle is larger than this program reads"} == {
        message for _, message, _ in CASES
    }


def test_words_of_refusals_never_repeat_what_the_bundle_holds() -> None:
    tree = ast.parse(Path(verify.__file__).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    refusals = [call for call in calls if ast.unparse(call.func) in ("Invalid", "Unreadable")]
    assert refusals
    assert all(isinstance(call.args[0], ast.Constant) for call in refusals)
