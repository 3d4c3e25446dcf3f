"""The verifier's other answers: what it accepts, what it leaves provisional, and what it cannot read at all."""

from __future__ import annotations

import ast
import bisect
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli.evidence import app
from gateway.core.receipts import Event
from gateway.ledger import verify
from gateway.ledger.checkpoint import log_key, proof_text, witness_key
from gateway.ledger.statement import commitment, disclosure
from gateway.ledger.verify import Finding, Unreadable, load_policy, verify_bundle
from keys.signing import Algorithm, FileSigner
from tests.ledger.scene import (
    AUTHORITY,
    LOG,
    NEXT_YEAR,
    ORIGIN,
    OTHER_LOG,
    STAMPED_FIRST,
    STAMPED_LAST,
    START,
    WITNESSES,
    Scene,
    entry_id,
    over_new_year,
    root_of,
    stamp_at,
    stamped,
    thumbprint_of,
)
from tests.ledger.stamping import LIFE, Authority
from tests.ledger.vectors import vectors

Change = Callable[[dict[str, Any]], None]


UNSIGNED = "; peers: 1 answers without the recipient's own signature"  # what the scene's one answer is


def played(scene: Scene) -> tuple[str, str, str]:
    finding = scene.play()
    return finding.verdict, finding.reason.removesuffix(UNSIGNED), finding.content


# --- verdicts --------------------------------------------------------------------------------------------------------


def test_without_witnesses_the_reason_says_whose_claim_the_time_is() -> None:
    scene = Scene()
    scene.policy |= {"witnesses": [], "quorum": 0}
    assert played(scene)[:2] == ("VALID", "every receipt is in the log; its time is the gateway's own claim")


def test_an_unsealed_receipt_is_provisional() -> None:
    scene = Scene()
    scene.unsealed = {5}
    assert played(scene)[:2] == (
        "PROVISIONAL",
        "1 of 6 receipts are signed but not yet proved to be in the log",
    )


def test_a_bundle_with_no_checkpoint_at_all_is_provisional() -> None:
    scene = Scene()
    scene.unsealed = set(range(6))
    scene.on_files = lambda files: {n: c for n, c in files.items() if not n.startswith("checkpoints/")}
    assert played(scene)[0] == "PROVISIONAL"


def test_a_required_time_stamp_that_is_absent_is_pending_and_never_valid() -> None:
    scene = Scene()
    scene.policy["timestamps"] = "required"
    assert played(scene)[:2] == ("PROVISIONAL", "time-stamp pending")


def test_a_time_stamp_that_cannot_be_checked_is_never_valid() -> None:
    scene = Scene()
    scene.policy["timestamps"] = "required"
    scene.on_files = lambda files: files | {"checkpoints/300.tsr": b"not looked at"}
    words = "time-stamp not checked: the policy names no authority, or rfc3161-client is not installed"
    assert played(scene)[:2] == ("PROVISIONAL", words)


def test_a_time_between_two_time_stamps_is_valid() -> None:
    words = (
        "every receipt is in the log, which at least 2 witnesses saw; its time lies between two time-stamps"
    )
    assert played(stamped(Scene())) == ("VALID", words, "matches")


def test_of_two_time_stamps_the_earlier_one_counts() -> None:
    """The second authority may come later without making the evidence worse."""
    scene = stamped(Scene())
    scene.stamps["checkpoints/5-2.tsr"] = lambda note: AUTHORITY.stamp(note, STAMPED_LAST)
    assert played(scene)[0] == "VALID"


def test_a_stamp_still_holds_when_its_authoritys_certificate_has_ended_since() -> None:
    scene, authority = Scene(), Authority(life=(LIFE[0], STAMPED_LAST + timedelta(seconds=1)))
    stamped(scene).policy["tsa"]["roots"] = authority.root
    for size, at in ((5, STAMPED_FIRST), (300, STAMPED_LAST)):
        stamp_at(scene, size, at, authority)
    assert played(scene)[0] == "VALID"


def test_a_stamp_missing_after_the_event_is_pending() -> None:
    scene = stamped(Scene())
    del scene.stamps["checkpoints/300.tsr"]
    assert played(scene)[:2] == ("PROVISIONAL", "time-stamp pending")


def test_without_a_stamp_before_the_event_only_its_latest_time_is_known() -> None:
    scene = stamped(Scene())
    del scene.statements[3]["after"]
    words = "a receipt names no time-stamped checkpoint before it: only its latest time is known"
    assert played(scene)[:2] == ("PROVISIONAL", words)


def test_a_revoked_key_counts_for_what_was_stamped_before() -> None:
    scene = stamped(Scene())
    scene.policy["receipt_keys"][0]["revoked"] = "2026-11-20T11:00:06.000Z"
    assert played(scene)[0] == "VALID"


def test_time_stamps_are_not_looked_at_when_the_policy_does_not_ask_for_them() -> None:
    scene = stamped(Scene())
    scene.stamps["checkpoints/300.tsr"] = lambda note: b"not one"
    scene.policy["timestamps"] = "none"
    assert played(scene)[0] == "VALID"


def test_content_matches_only_when_every_accepted_message_has_its_payload() -> None:
    scene = Scene()
    scene.statements[5]["event"] = Event.SUBMISSION_ACCEPTANCE.text
    assert played(scene) == ("VALID", played(Scene())[1], "not supplied")


def test_content_is_erased_only_when_the_entry_of_the_erasure_is_there() -> None:
    scene = Scene()
    scene.payloads = {}
    scene.opened[0] = []
    assert played(scene)[2] == "not supplied"
    scene.statements[5]["event"] = Event.CONTENT_ERASED.text
    assert played(scene)[::2] == ("VALID", "erased")


def test_content_that_is_withheld_is_not_erased_by_another_incidents_erasure_beside_it() -> None:
    scene = Scene()
    scene.payloads = {}
    scene.opened[0] = []
    scene.statements[5] |= {"event": Event.CONTENT_ERASED.text, "chains": {"chain-two": 3}}
    assert played(scene)[::2] == ("VALID", "not supplied")


def test_content_matches_only_when_nothing_that_an_acceptance_commits_to_is_withheld() -> None:
    """Else whoever hands the bundle on could take out attachments together with the commitment to them."""
    scene = Scene()
    attachments = disclosure(b"e" * 16, "attachments", f"att-{'a' * 26}={'0' * 64}")
    scene.statements[0]["_sd"] = sorted([*scene.statements[0]["_sd"], commitment(attachments)])
    assert played(scene)[::2] == ("VALID", "not supplied")


def test_content_is_not_erased_while_its_disclosures_are_there() -> None:
    scene = Scene()
    scene.payloads = {}
    scene.statements[5]["event"] = Event.CONTENT_ERASED.text
    assert played(scene)[2] == "not supplied"


ONE_NAMED = "; peers: 1 signed by keys that the policy names"


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_a_recipients_own_signature_counts_by_the_key_that_the_policy_names(algorithm: Algorithm) -> None:
    scene, signer = Scene(), FileSigner.generate("any", algorithm)
    scene.acknowledge(signer)
    scene.policy["peers"] = [{"agency": "wearmouth-police", "keys": [thumbprint_of(signer)]}]
    assert played(scene)[0] == "VALID"
    assert played(scene)[1].endswith(ONE_NAMED)


def test_an_rsa_signature_of_a_recipient_is_checked_too() -> None:
    """PS256 is what many agencies' key stores offer (FAPI 2.0 section 5.4)."""
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    jwk = {"e": "AQAB", "kty": "RSA", "n": verify.b64url(numbers.n.to_bytes(256, "big"))}
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signature = private.sign(b"signed", pss, hashes.SHA256())
    assert verify.jwk_ok(jwk, "PS256", signature, b"signed")
    assert not verify.jwk_ok(jwk, "PS256", signature, b"other")
    assert not verify.jwk_ok(jwk, "RS256", signature, b"signed")


def test_a_key_that_only_the_gateway_names_is_told_apart() -> None:
    scene = Scene()
    scene.acknowledge()
    scene.bounce()
    scene.policy["peers"] = []
    told = "; peers: 1 signed by keys that only the gateway names, 1 mails as they came"
    assert played(scene)[1].endswith(told)


def test_what_is_signed_or_committed_to_and_not_there_is_told() -> None:
    """A bundle from which a peer's own proof was taken is not silent about it."""
    scene = Scene()
    scene.acknowledge()
    scene.bounce()
    scene.peers = {}
    missing = "1 answers without the recipient's own signature, 2 committed to and not supplied"
    assert played(scene)[:2] == (
        "VALID",
        f"every receipt is in the log, which at least 2 witnesses saw; peers: {missing}",
    )


def test_an_instant_at_the_end_of_all_calendars_is_no_crash() -> None:
    scene = Scene()
    scene.policy |= {"witnesses": [], "quorum": 0}
    scene.witnesses = {}
    scene.statements[3]["time"] = "9999-12-31T23:59:59.999Z"
    scene.acknowledge()
    assert played(scene)[0] == "VALID"


def test_a_log_that_grew_from_a_pinned_checkpoint_is_valid() -> None:
    scene = Scene()
    scene.older = [100, 256]
    scene.policy["pinned"] = [{"size": 100, "root": root_of(scene, 100)}]
    assert played(scene)[0] == "VALID"


def test_a_statement_made_after_an_anchored_checkpoint_is_valid() -> None:
    scene = Scene()
    scene.older = [100]
    scene.cosigned_at = START + timedelta(minutes=5)
    scene.statements[5]["after"] = {"root": root_of(scene, 100), "size": 100}
    assert played(scene)[0] == "VALID"


def test_a_revoked_key_counts_for_what_witnesses_had_seen_before() -> None:
    scene = Scene()
    scene.policy["receipt_keys"][0]["revoked"] = "2026-11-20T12:00:00.000Z"
    assert played(scene)[0] == "VALID"


def test_a_bundle_over_new_year_is_valid_under_both_logs_and_only_with_the_new_logs_key() -> None:
    scene = over_new_year(Scene())
    assert scene.play().verdict == "VALID"
    scene.policy["log"].pop()
    assert scene.play().reason.endswith("the checkpoint is of another log")


def test_a_pin_says_of_which_log_it_is_and_holds_for_that_one_alone() -> None:
    scene = over_new_year(Scene())
    scene.policy["pinned"] = [{"origin": NEXT_YEAR, "size": 300, "root": root_of(scene, 300)}]
    assert "shorter than a checkpoint" in scene.play().reason
    scene.policy["pinned"][0]["origin"] = ORIGIN
    assert scene.play().verdict == "VALID"


def test_a_chain_never_goes_back_to_an_earlier_log() -> None:
    def receipt(seq: int, index: int, origin: str) -> verify.Receipt:
        head = verify.Checkpoint(400, bytes(32), origin=origin)
        return verify.Receipt({"ref": "one", "seq": seq}, b"", index=index, checkpoint=head)

    verify.check_order([receipt(1, 300, ORIGIN), receipt(2, 5, NEXT_YEAR)], [ORIGIN, NEXT_YEAR])
    with pytest.raises(verify.Invalid, match="impossible order"):
        verify.check_order([receipt(1, 5, NEXT_YEAR), receipt(2, 300, ORIGIN)], [ORIGIN, NEXT_YEAR])


def test_a_revoked_key_counts_for_what_a_pinned_checkpoint_held_before() -> None:
    scene = Scene()
    seen = "2026-11-20T10:00:00.000Z"
    scene.policy["receipt_keys"][0]["revoked"] = "2026-11-20T10:30:00.000Z"
    scene.policy["pinned"] = [{"size": 300, "root": root_of(scene, 300), "seen": seen}]
    assert played(scene)[0] == "VALID"


def test_a_receipt_from_the_last_instant_of_a_retired_key_is_valid() -> None:
    scene = Scene()
    scene.policy["receipt_keys"][0]["exp"] = "2026-11-20T09:05:00.001Z"
    assert played(scene)[0] == "VALID"


def test_signatures_of_unknown_keys_are_ignored() -> None:
    """C2SP signed-note: clients must ignore them, which makes room for new witnesses."""
    scene = Scene()
    scene.on_note = lambda note: note + "— other.example AAAAAAAA\n"
    assert played(scene)[0] == "VALID"


# --- policies --------------------------------------------------------------------------------------------------------


def _policies() -> list[tuple[str, Change]]:
    def put(name: str, value: object) -> Change:
        return lambda policy: policy.update({name: value})

    def key(name: str, value: object) -> Change:
        return lambda policy: policy["receipt_keys"][0].update({name: value})

    def jwk(name: str, value: object) -> Change:
        return lambda policy: policy["receipt_keys"][0]["jwk"].update({name: value})

    witness = str(witness_key("w.example", WITNESSES["witness-1.example"]))
    return [
        ("other version", put("v", "policy/2")),
        ("unknown member", put("trust", "everyone")),
        ("no issuer", lambda policy: policy.pop("issuer") and None),
        ("issuer not text", put("issuer", 5)),
        ("quorum not a number", put("quorum", True)),
        ("quorum below nothing", put("quorum", -1)),
        ("quorum that cannot be met", put("quorum", 4)),
        ("unknown rule for time-stamps", put("timestamps", "sometimes")),
        ("no log key", put("log", [])),
        ("witness key for the log", put("log", [witness])),
        ("log key for a witness", put("witnesses", [str(log_key("w.example", OTHER_LOG))])),
        ("one witness under two names", lambda policy: policy["witnesses"].append(witness)),
        ("the log as its own witness", put("witnesses", [str(witness_key("w.example", LOG))])),
        (
            "vkey of another id",
            put("log", [f"{ORIGIN}+00000000+" + str(log_key(ORIGIN, LOG)).split("+", 2)[2]]),
        ),
        ("one log key twice", lambda policy: policy["log"].append(policy["log"][0])),
        (
            "two logs whose files would have one name",
            lambda policy: policy["log"].append(str(log_key("other.example/ledger/2026", OTHER_LOG))),
        ),
        ("pin of a log without a key", put("pinned", [{"origin": NEXT_YEAR, "size": 3, "root": "00" * 32}])),
        ("vkey not base64", put("log", [f"{ORIGIN}+00000000+%%"])),
        ("vkey without parts", put("log", ["key"])),
        ("vkey that is empty", put("log", [f"{ORIGIN}+00000000+"])),
        ("receipt key of another kind", jwk("kty", "RSA")),
        ("receipt key off the curve", jwk("x", "AAAA")),
        ("receipt key's time without zone", key("nbf", "2026-11-20T09:00:00")),
        ("receipt key's end not an instant", key("exp", "never")),
        ("one key id twice", lambda policy: policy["receipt_keys"].append(policy["receipt_keys"][0])),
        ("pin without a root", put("pinned", [{"size": 3}])),
        ("pin with a short root", put("pinned", [{"size": 3, "root": "00"}])),
        ("pin of an empty tree", put("pinned", [{"size": 0, "root": "00" * 32}])),
        ("skew beyond all time", put("skew_seconds", 10**18)),
        ("clocks that may differ by years", put("skew_seconds", 10**11)),
        ("clocks that differ by less than nothing", put("skew_seconds", -1)),
        ("keys of a peer not in a list", put("peers", [{"agency": "wearmouth-police", "keys": "abc"}])),
        ("one peer named twice", put("peers", [{"agency": "wearmouth-police", "keys": []}] * 2)),
        (
            "window below nothing",
            put("tsa", {"roots": "", "policies": [], "max_window_seconds": -1}),
        ),
        ("time-stamps with another member", put("tsa", {"roots": "", "policies": [], "max_window": 1})),
        ("window not a number", put("tsa", {"roots": "", "policies": [], "max_window_seconds": "1"})),
        (
            "roots that are not PEM",
            put("tsa", {"roots": "x", "policies": ["1.2.3"], "max_window_seconds": 1}),
        ),
        ("policies without roots", put("tsa", {"roots": "", "policies": ["1.2.3"], "max_window_seconds": 1})),
        (
            "policy not an OID",
            put("tsa", {"roots": AUTHORITY.root, "policies": ["x"], "max_window_seconds": 1}),
        ),
    ]


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in _policies()])
def test_a_policy_that_says_less_than_it_seems_to_is_unreadable(change: Change) -> None:
    policy = json.loads(json.dumps(Scene().policy))
    load_policy(json.dumps(policy).encode())
    change(policy)
    with pytest.raises(Unreadable):
        load_policy(json.dumps(policy).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b'{"v":"policy/1","v":"policy/1"}', b"\xff"])
def test_what_is_not_a_policy_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        load_policy(raw)


# --- hostile input ---------------------------------------------------------------------------------------------------

WHOLE = Scene().zip()
POLICY = load_policy(json.dumps(Scene().policy).encode())


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4
    )
)
@settings(max_examples=300, deadline=None)
def test_changed_bytes_are_never_valid_and_never_a_crash(changes: list[tuple[int, bytes]]) -> None:
    spoiled = bytearray(WHOLE)
    for at, new in changes:
        spoiled[at : at + len(new)] = new
    if bytes(spoiled) == WHOLE:
        return
    try:
        finding = verify_bundle(bytes(spoiled), POLICY)
    except Unreadable:
        return
    assert finding.verdict == "INVALID" or _same_files(bytes(spoiled))


def _same_files(spoiled: bytes) -> bool:
    """A changed date or owner in the zip's own tables changes no file."""
    limit = verify.LIMIT_BYTES
    return verify.read_zip(spoiled, limit) == verify.read_zip(WHOLE, limit)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_parsers_of_notes_and_proofs_refuse_anything_without_a_crash(raw: bytes) -> None:
    for parser in (verify.parse_note, verify.parse_proof, verify.parse_checkpoint_text):
        with pytest.raises(verify.Invalid):
            parser(raw)


@pytest.mark.parametrize("cut", [0, 1, 21, 1000, -1])
def test_what_is_not_a_zip_is_unreadable(cut: int) -> None:
    with pytest.raises(Unreadable):
        verify_bundle(WHOLE[:cut], POLICY)


# --- signatures against third-party vectors --------------------------------------------------------------------------


def test_every_wycheproof_ecdsa_vector_is_answered_as_its_authors_say() -> None:
    """P-256 with SHA-256, signatures as 64 bytes r‖s (P1363)."""
    suite = json.loads((vectors("wycheproof") / "ecdsa_secp256r1_sha256_p1363_test.json").read_bytes())
    counted, wrong = 0, []
    for group in suite["testGroups"]:
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        for one in group["tests"]:
            counted += 1
            ok = verify.es256_ok(public, bytes.fromhex(one["sig"]), bytes.fromhex(one["msg"]))
            if ok != (one["result"] == "valid"):
                wrong.append(one["tcId"])
    assert (counted, wrong) == (suite["numberOfTests"], [])


def test_every_wycheproof_ed25519_vector_is_answered_as_its_authors_say() -> None:
    suite = json.loads((vectors("wycheproof") / "ed25519_test.json").read_bytes())
    counted, wrong = 0, []
    for group in suite["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for one in group["tests"]:
            counted += 1
            ok = verify.ed25519_ok(public, bytes.fromhex(one["sig"]), bytes.fromhex(one["msg"]))
            if ok != (one["result"] == "valid"):
                wrong.append(one["tcId"])
    assert (counted, wrong) == (suite["numberOfTests"], [])


# --- C2SP's own examples ---------------------------------------------------------------------------------------------

EXAMPLE_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)


def test_the_published_example_note_is_read_up_to_its_last_blank_line() -> None:
    text, [(name, key_id, signature)] = verify.parse_note(EXAMPLE_NOTE.encode())
    assert text.decode().endswith("ed è subito sera.\n")
    assert (name, key_id.hex(), len(signature)) == ("quasimodo.example/salvatore", "367ba04b", 64)


def test_a_proof_reads_back_as_it_was_written() -> None:
    path = [bytes([number]) * 32 for number in range(3)]
    assert verify.parse_proof(proof_text(7, path, EXAMPLE_NOTE).encode()) == (7, path, EXAMPLE_NOTE.encode())


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bundle, policy = tmp_path / "evidence.zip", tmp_path / "policy.json"
    bundle.write_bytes(WHOLE)
    policy.write_text(json.dumps(Scene().policy))
    return bundle, policy


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_answers_with_one_json_document(files: tuple[Path, Path]) -> None:
    code, out, err = run(files[0], "--policy", files[1], "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "verdict": "VALID",
        "reason": f"every receipt is in the log, which at least 2 witnesses saw{UNSIGNED}",
        "receipts": 6,
        "content": "matches",
    }


def test_the_command_answers_in_words(files: tuple[Path, Path]) -> None:
    assert run(files[0], "--policy", files[1])[1].startswith("VALID: every receipt is in the log")


def test_the_command_says_no_with_status_1(files: tuple[Path, Path]) -> None:
    scene = Scene()
    scene.payloads[entry_id(0)] = b"other"
    files[0].write_bytes(scene.zip())
    code, out, err = run(files[0], "--policy", files[1], "--json")
    assert (code, json.loads(out)["verdict"], err) == (1, "INVALID", "")


def test_the_command_answers_provisional_with_status_0(files: tuple[Path, Path]) -> None:
    scene = Scene()
    scene.unsealed = {5}
    files[0].write_bytes(scene.zip())
    assert run(files[0], "--policy", files[1])[0] == 0


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("content", [None, b"", b"PK\x05\x06 nonsense", b"{}"])
def test_what_cannot_be_read_gets_one_line_and_status_2(
    files: tuple[Path, Path], which: int, content: bytes | None
) -> None:
    files[which].unlink()
    if content is not None:
        files[which].write_bytes(content)
    code, out, err = run(files[0], "--policy", files[1], "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_directory_in_place_of_the_bundle_cannot_be_read(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(tmp_path, "--policy", files[1])[0] == 2


def test_the_command_shows_an_example_in_its_help() -> None:
    assert "Example: gateway evidence verify" in run("--help")[1]


def test_the_verifier_runs_alone_without_the_gateway(files: tuple[Path, Path], tmp_path: Path) -> None:
    """As the bundle carries it: one file, no import of ours, run in isolation from this project."""
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
    command = [sys.executable, "-P", "verify.py", str(files[0]), "--policy", str(files[1]), "--json"]
    done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "VALID"
    assert "gateway" not in {line.split()[1].split(".")[0] for line in _imports()}


def _imports() -> list[str]:
    lines = Path(verify.__file__).read_text().splitlines()
    return [line for line in lines if line.startswith(("import ", "from "))]


def test_the_lone_verifier_gives_the_same_statuses(files: tuple[Path, Path]) -> None:
    assert verify.main([str(files[0]), "--policy", str(files[1])]) == 0
    scene = Scene()
    scene.payloads[entry_id(0)] = b"other"
    files[0].write_bytes(scene.zip())
    assert verify.main([str(files[0]), "--policy", str(files[1])]) == 1
    files[0].write_bytes(b"")
    assert verify.main([str(files[0]), "--policy", str(files[1])]) == 2


def test_each_part_of_the_verifier_uses_only_what_stands_in_the_parts_above_it() -> None:
    """So that an expert can read the file from top to bottom, as its first lines promise."""
    source = Path(verify.__file__).read_text()
    tree = ast.parse(source)
    parts = [number for number, line in enumerate(source.splitlines(), 1) if line.startswith("# --- ")]
    where = {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        below = [
            one.id
            for one in ast.walk(node)
            if isinstance(one, ast.Name)
            and bisect.bisect(parts, where.get(one.id, 0)) > bisect.bisect(parts, node.lineno)
        ]
        assert below == [], getattr(node, "name", node.lineno)


def test_the_answer_has_no_members_beyond_the_four() -> None:
    assert json.loads(verify.report(Finding("VALID", "r", 1, "matches"), as_json=True)).keys() == {
        "verdict",
        "reason",
        "receipts",
        "content",
    }


def test_events_that_need_a_reason_are_the_same_in_the_core_and_in_the_verifier() -> None:
    assert all(event.needs_reason == bool(verify.NEEDS_REASON.fullmatch(event.text)) for event in Event)
