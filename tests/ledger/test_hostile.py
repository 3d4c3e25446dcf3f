"""A hostile gateway changes the files of a bundle and seals it anew: the verifier neither breaks nor believes anything new."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger import bundle, verify
from tests.ledger.scene import Scene, stamped
from tests.ledger.test_tamper import CASES

Files = dict[str, bytes]
Change = Callable[[bytes, bytes, int, bytes], bytes | None]

CHANGES: list[
    Change
] = [  # (content, another file's content, where, new bytes) -> content; None takes the file away
    lambda content, other, at, new: None,
    lambda content, other, at, new: other,
    lambda content, other, at, new: content[: at % (len(content) + 1)],
    lambda content, other, at, new: (
        content[: at % (len(content) + 1)] + new + content[at % (len(content) + 1) :]
    ),
    lambda content, other, at, new: (
        content[: at % (len(content) + 1)] + new + content[at % (len(content) + 1) + len(new) :]
    ),
    lambda content, other, at, new: content + other,
]


def _scene() -> tuple[Files, verify.Policy]:
    scene = stamped(Scene())
    scene.acknowledge()
    scene.bounce()
    with zipfile.ZipFile(io.BytesIO(scene.zip())) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    return files, verify.load_policy(json.dumps(scene.policy).encode())


FILES, POLICY = _scene()
NAMES = st.sampled_from(sorted(FILES))


def sealed(files: Files) -> bytes:
    """The bundle with a manifest that fits what is there."""
    told = sorted(name for name in files if name.endswith(".jws") and name.startswith("receipts/"))
    chains = []
    for name in told:
        try:
            chains.append(str(json.loads(verify.unb64url(files[name].decode().split(".")[1]))["ref"]))
        except (verify.Invalid, ValueError, KeyError, IndexError, TypeError):
            chains.append("odd")
    return bundle.store_zip(files | {"manifest.json": bundle.manifest("SI-7K3M-9QPX-2D", chains, files)})


def evidence(files: Files) -> set[tuple[str, str]]:
    """What a reader would take as shown: statements, and content under the name that ties it to them."""
    shown = {
        ("statement", one.decode().split(".")[1])
        for name, one in files.items()
        if name.startswith("receipts/") and name.endswith(".jws")
    }
    kinds = ("payloads/", "attachments/", "peer/")
    return shown | {
        (name, hashlib.sha256(one).hexdigest()) for name, one in files.items() if name.startswith(kinds)
    }


def test_the_bundle_that_is_spoiled_below_is_valid() -> None:
    assert verify.verify_bundle(sealed(FILES), POLICY).verdict == "VALID"


@given(
    st.lists(
        st.tuples(
            NAMES, NAMES, st.sampled_from(CHANGES), st.integers(0, 4000), st.binary(min_size=1, max_size=6)
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=80, deadline=None)
def test_nothing_new_is_believed_whatever_is_changed_and_sealed_again(
    changes: list[tuple[str, str, Change, int, bytes]],
) -> None:
    files = dict(FILES)
    for name, other, change, at, new in changes:
        content = change(files.get(name, b""), FILES[other], at, new)
        if content is None:
            files.pop(name, None)
        else:
            files[name] = content
    finding = verify.verify_bundle(sealed(files), POLICY)
    assert finding.verdict == "INVALID" or evidence(files) <= evidence(FILES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["v", "incident", "refs", "count", "files"]), JSON)
@settings(max_examples=40, deadline=None)
def test_a_manifest_of_any_form_is_no_crash(member: str, value: object) -> None:
    with zipfile.ZipFile(io.BytesIO(sealed(FILES))) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    raw = verify.written(manifest | {member: value})
    finding = verify.verify_bundle(bundle.store_zip(FILES | {"manifest.json": raw}), POLICY)
    assert finding.verdict == "INVALID" or member == "incident" or manifest[member] == value


# Every known way to cheat -> the case of test_tamper.py that plays it, each refused by the one rule that it breaks.
CHEATS = {
    "payload changed": "payload_changed",
    "statement changed and signed again with the true key": "statement_signed_again_with_the_true_key",
    "bit flipped": "bit_flipped_in_the_signature",
    "algorithm none": "algorithm_none",
    "signed with a key that was rotated out": "signed_when_the_key_had_expired",
    "attacker's key under the true name": "attackers_key_under_the_true_name",
    "key in the header": "key_in_the_header",
    "two receipts swapped": "two_receipts_of_a_chain_swapped_in_the_log",
    "proof of another leaf": "proof_of_another_leaf",
    "index one off": "index_one_too_large",
    "tree size changed": "tree_size_changed",
    "root changed": "root_changed",
    "proof too short": "proof_one_hash_short",
    "proof too long": "proof_one_hash_long",
    "middle receipt dropped and the rest renumbered": "middle_receipt_dropped_and_statements_renumbered",
    "last receipt twice": "last_receipt_twice",
    "log's signature gone": "log_signature_gone",
    "quorum missing": "quorum_missing",
    "one witness twice": "one_witness_twice",
    "one witness under two keys": "one_witness_with_its_old_and_its_new_key",
    "fork signed and witnessed again": "fork_signed_and_witnessed_again",
    "split view": "split_view_against_a_pinned_checkpoint",
    "log cut below what was seen, as one restored from a back-up": "log_cut_below_what_was_seen",
    "time-stamp of another checkpoint replayed": "stamp_of_another_checkpoint",
    "untrusted authority of the same names": "stamped_by_an_authority_of_the_same_names",
    "another policy of the authority": "stamped_under_another_policy",
    "key revoked before the stamp": "key_revoked_before_the_stamp_whatever_the_witnesses_say",
    "key stolen and one witness bribed": "key_revoked_and_one_witness_of_three_lies_about_when_it_saw_the_receipt",
    "node in place of a leaf": "tree_node_in_place_of_a_statement",
    "disclosure forged": "disclosure_forged",
    "disclosure moved to another receipt": "disclosure_moved_to_another_receipt",
    "JSON member twice": "member_named_twice",
    "base64url with padding": "base64url_with_padding",
    "file too many": "extra_file",
    "file missing": "missing_file",
    "other log": "checkpoint_of_another_log",
    "leading zero in a size": "size_with_a_leading_zero",
    "extension line": "extension_line",
    "back-dated": "back_dated_by_the_operator",
    "post-dated": "post_dated_by_the_operator",
    "id used twice": "one_id_used_twice",
    "two messages in one chain": "two_messages_in_one_chain",
    "personal data in clear": "personal_data_in_clear",
    "earlier checkpoint invented": "earlier_checkpoint_invented",
    "two files of one name": "two_files_of_one_name",
    "path out of the folder": "path_../README.txt",
    "compressed bomb": "compressed_bomb",
    "zip that two programs read differently": "file_inside_of_another_and_hidden_data_in_its_place",
    "consistency proof empty or damaged": "consistency_proof_not_in_base64",
    "witness's time far from the stamp's": "witnesses_long_before_the_stamp",
    "signature of zeros": "signature_of_zeros",
    "recipient acknowledged other content": "recipient_acknowledged_other_content",
    "message accepted a second time with other content": "second_acceptance_with_the_content_that_the_recipient_signed_for",
    "names of witnesses that look alike": "witnesses_whose_names_only_look_alike",
    "end of another chain cut off": "end_of_another_chain_cut_off",
    "another chain left out whole": "another_chain_left_out_whole",
    "sender signed for other content": "sender_signed_other_content",
    "old request of a sender accepted anew": "an_old_request_accepted_anew",
    "key made up for a sender": "gateway_made_up_a_key_for_the_sender",
    "key made up for a recipient": "gateway_made_up_a_key_for_the_recipient",
    "key made up and its owner hidden": "made_up_key_and_nobody_named_to_whom_it_belongs",
    "notice of return changed": "peers_mail_changed",
}


@pytest.mark.parametrize(("cheat", "name"), CHEATS.items())
def test_every_known_way_to_cheat_has_its_case(cheat: str, name: str) -> None:
    assert name in {known for known, _, _ in CASES}, cheat
