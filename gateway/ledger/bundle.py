"""Evidence bundles: everything about one incident that a stranger needs to check it without the gateway.

Invariant: a bundle is a stored zip whose bytes follow from its content alone. Every chain that has to do with the incident
is in it whole. After erasure the same receipts still verify; disclosures and payloads are absent, and the entry that says
so is there. What is inside is believed only as far as the reader's own policy reaches.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger import sealing, verify
from gateway.ledger import summary as words
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow, EntryRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the ledger has about an incident, read on one snapshot.

    `entries` stand in the order of the bundle. `proofs` are by entry id; an entry without one is not sealed yet.
    `checkpoints` are notes by size; `consistency` holds hashes by (smaller, larger) size; `stamps` are the time-stamps over
    checkpoints by size.
    """

    incident: IncidentId
    entries: tuple[EntryRow, ...]
    proofs: Mapping[str, str]
    checkpoints: Mapping[int, str]
    consistency: Mapping[tuple[int, int], Sequence[bytes]]
    stamps: Mapping[int, Sequence[bytes]] = field(default_factory=dict)


def gather(
    tx: Tx,
    partnership: PartnershipId,
    incident: IncidentId,
    consistent_with: Sequence[int] = (),
    *,
    anchored: bool = False,
) -> Gathered:
    """Read an incident's entries, their proofs, and how the newest checkpoint follows on earlier ones.

    Each entry is proved under the newest checkpoint; with `anchored` under the first one after it that witnesses signed and
    authorities stamped, and not at all while there is none. Earlier ones are those that statements were made after, and the
    sizes in `consistent_with` (what the asker pinned).
    """
    entries = _in_order(log.entries_of_incident(tx, partnership, incident))
    newest = log.latest_checkpoint(tx)
    if newest is None:
        return Gathered(incident, entries, {}, {}, {})
    sealed = {entry.leaf_index: entry.id for entry in entries if entry.leaf_index is not None}
    if anchored:
        heads = {row.size: row for index in sealed if (row := log.anchor_holding(tx, index)) is not None}
    else:
        heads = {newest.size: AnchorRow(newest.size, newest.root, newest.note, (), newest.sealed_at)}
    proofs = _proofs(tx, sealed, sorted(heads.values(), key=lambda head: head.size))
    for size in _anchors(entries) | set(consistent_with):
        if (named := _named(tx, size, anchored=anchored)) is not None:
            heads.setdefault(size, named)
    last = max(heads, default=0)
    earlier = {size for size in {*heads, *consistent_with} if 0 < size < last}
    return Gathered(
        incident,
        entries,
        proofs,
        {size: head.note for size, head in heads.items()},
        {(size, last): sealing.prove_consistency(tx, size, last) for size in sorted(earlier)},
        {size: head.tokens for size, head in heads.items() if head.tokens},
    )


def _proofs(tx: Tx, sealed: Mapping[int, str], heads: Sequence[AnchorRow]) -> dict[str, str]:
    """Each entry under the first of the heads (in order of size) that holds it."""
    proofs: dict[str, str] = {}
    before = 0
    for head in heads:
        mine = [index for index in sealed if before <= index < head.size]
        under = CheckpointRow(head.size, head.root, head.note, head.anchored_at)
        proofs |= {sealed[index]: proof for index, proof in sealing.prove_all(tx, mine, under).items()}
        before = head.size
    return proofs


def _named(tx: Tx, size: int, *, anchored: bool) -> AnchorRow | None:
    """A checkpoint that a statement was made after or that somebody holds, as it was anchored; else as the log signed it."""
    confirmed, row = log.anchor_of_size(tx, size), log.checkpoint_of_size(tx, size)
    if confirmed is not None or row is None or anchored:
        return confirmed
    return AnchorRow(row.size, row.root, row.note, (), row.sealed_at)


def build_bundle(
    gathered: Gathered,
    *,
    disclosures: Mapping[str, Sequence[str]],
    contents: Mapping[str, bytes],
    policy: Mapping[str, object],
    attachments: Mapping[str, bytes] | None = None,
    mails: Mapping[str, bytes] | None = None,
) -> bytes:
    """The zip. `disclosures` and `contents` are by entry id; leave both empty after erasure or to withhold content.

    Contents belong to entries of `SubmissionAcceptance`, and each must be what that entry's `payload_sha256` commits to:
    ValueError otherwise, so that no bundle leaves that its own verifier would refuse. So must `attachments`, by their ids, be
    files that some entry's `attachments` commits to, and `mails`, by entry id, what its `peer_sha256` commits to. What
    recipients signed stands in the disclosures and becomes files of its own. `policy` is a `policy/1`.
    """
    attachments = attachments or {}
    _check_contents(gathered, disclosures, contents)
    _check_attachments(disclosures, attachments)
    files = {
        "README.txt": words.README.encode(),
        **_summaries(gathered, disclosures),
        "policy.example.json": _json(policy),
        "verify.py": Path(verify.__file__).read_bytes(),
        **_key_files(policy),
    }
    for number, entry in enumerate(gathered.entries):
        files[f"receipts/{number:04d}.jws"] = entry.jws.encode()
        if entry.id in gathered.proofs:
            files[f"receipts/{number:04d}.proof"] = gathered.proofs[entry.id].encode()
        if disclosures.get(entry.id):
            files[f"receipts/{number:04d}.disclosures"] = json.dumps(list(disclosures[entry.id])).encode()
    files |= {f"payloads/{entry}.bin": content for entry, content in contents.items()}
    files |= _peer_files(disclosures, mails or {})
    files |= {f"attachments/{one}.bin": content for one, content in attachments.items()}
    files |= {f"checkpoints/{size}.note": note.encode() for size, note in gathered.checkpoints.items()}
    for size, tokens in gathered.stamps.items():
        names = (f"checkpoints/{size}.tsr", f"checkpoints/{size}-2.tsr")
        files |= dict(zip(names, tokens, strict=False))
    for (size1, size2), path in gathered.consistency.items():
        files[f"consistency/{size1}-{size2}.txt"] = b"".join(base64.b64encode(one) + b"\n" for one in path)
    chains = [entry.chain for entry in gathered.entries]
    return store_zip(files | {"manifest.json": manifest(gathered.incident, chains, files)})


def disclose(bundle: bytes, entry: str, fields: Collection[str]) -> bytes:
    """The same evidence with only these fields of one receipt opened (RFC 9901 section 7.2), and no content at all.

    Every receipt and proof stays, so it verifies as before. KeyError when the bundle has no such receipt, or the receipt
    has none of these names opened; `verify.Unreadable` or `verify.Invalid` when it is no whole bundle.
    """
    files = verify.read_zip(bundle, verify.LIMIT_BYTES)
    told = verify.check_manifest(files)
    names = sorted(name.removesuffix(".jws") for name in files if re.fullmatch("receipts/.*jws", name))
    kept = {name: content for name, content in files.items() if not _OPENS.fullmatch(name)}
    lines, found = [], False
    for name in names:
        statement = verify.unb64url(files[f"{name}.jws"].decode().split(".")[1])
        chosen: list[str] = []
        if json.loads(statement)["id"] == entry:
            found, chosen = True, _chosen(files.get(f"{name}.disclosures", b"[]"), fields)
            kept[f"{name}.disclosures"] = json.dumps(chosen).encode()
        lines.append(words.line(statement, chosen, f"{name}.proof" in files))
    if not found:
        raise KeyError(entry)
    kept |= _written(words.summary(told["incident"], lines))
    chains = [str(one.statement["ref"]) for one in lines]
    return store_zip(kept | {"manifest.json": manifest(told["incident"], chains, kept)})


_OPENS = re.compile(r"(payloads|attachments|peer)/.*|receipts/.*\.disclosures|SUMMARY\..*|manifest\.json")


def _chosen(raw: bytes, fields: Collection[str]) -> list[str]:
    opened = {json.loads(verify.unb64url(one))[1]: one for one in json.loads(raw)}
    return [opened[name] for name in sorted(set(fields))]


def manifest(incident: str, chains: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """The list of files with their digests, the chains and the count of receipts; `chains` has one name for each receipt."""
    return _json(
        {
            "v": "bundle/1",
            "incident": incident,
            "refs": sorted(set(chains)),
            "count": len(chains),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        }
    )


def store_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip without compression, times or owners: the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # 1 January 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _in_order(entries: Sequence[EntryRow]) -> tuple[EntryRow, ...]:
    """By time as far as that keeps each chain in its own order: clocks of two machines may differ a little."""
    latest: dict[str, EntryRow] = {}
    keyed = []
    for entry in entries:  # each chain comes in order of seq
        before = latest.get(entry.chain)
        latest[entry.chain] = entry if before is None or entry.at > before.at else before
        keyed.append(((latest[entry.chain].at, entry.chain, entry.seq), entry))
    return tuple(entry for _, entry in sorted(keyed, key=lambda pair: pair[0]))


def _anchors(entries: Sequence[EntryRow]) -> set[int]:
    statements = (json.loads(entry.statement) for entry in entries)
    return {one["after"]["size"] for one in statements if "after" in one}


def _check_contents(
    gathered: Gathered, disclosures: Mapping[str, Sequence[str]], contents: Mapping[str, bytes]
) -> None:
    accepted = {one.id for one in gathered.entries if one.event == Event.SUBMISSION_ACCEPTANCE.text}
    for entry, content in contents.items():
        opened = [json.loads(verify.unb64url(one)) for one in disclosures.get(entry, ())]
        committed = [value for _, name, value in opened if name == "payload_sha256"]
        if entry not in accepted or committed != [hashlib.sha256(content).hexdigest()]:
            raise ValueError("a payload is not the one that its receipt commits to")


def _check_attachments(disclosures: Mapping[str, Sequence[str]], attachments: Mapping[str, bytes]) -> None:
    opened = [json.loads(verify.unb64url(one)) for several in disclosures.values() for one in several]
    named = {file for _, name, value in opened if name == "attachments" for file in str(value).split()}
    if not {f"{one}={hashlib.sha256(content).hexdigest()}" for one, content in attachments.items()} <= named:
        raise ValueError("an attachment is not one that a receipt commits to")


def _summaries(gathered: Gathered, disclosures: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    lines = [
        words.line(entry.statement, disclosures.get(entry.id, ()), entry.id in gathered.proofs)
        for entry in gathered.entries
    ]
    return _written(words.summary(gathered.incident, lines))


def _written(blocks: Sequence[words.Block]) -> dict[str, bytes]:
    from gateway.ledger.summary_pdf import pdf  # it draws: loaded when something is drawn

    return {"SUMMARY.html": words.page(blocks).encode(), "SUMMARY.pdf": pdf(blocks)}


def _peer_files(disclosures: Mapping[str, Sequence[str]], mails: Mapping[str, bytes]) -> dict[str, bytes]:
    """What recipients signed and mails as they came, named by the receipts that commit to them."""
    files = {f"peer/{entry}.eml": content for entry, content in mails.items()}
    for entry, several in disclosures.items():
        opened = dict(json.loads(verify.unb64url(one))[1:] for one in several)
        if "peer_jws" in opened:
            files[f"peer/{entry}.jws"] = opened["peer_jws"].encode()
        if entry in mails and opened.get("peer_sha256") != hashlib.sha256(mails[entry]).hexdigest():
            raise ValueError("a mail is not the one that its receipt commits to")
    if not set(mails) <= set(disclosures):
        raise ValueError("a mail has no receipt that commits to it")
    return files


def _key_files(policy: Mapping[str, object]) -> dict[str, bytes]:
    """The keys one file each, for tools such as `jose`; for information only."""
    read = verify.load_policy(_json(policy))  # refuses a policy that nobody could use
    files = {f"keys/log-{number}.vkey": f"{key}\n".encode() for number, key in enumerate(read.logs)}
    files |= {f"keys/witness-{number}.vkey": f"{key}\n".encode() for number, key in enumerate(read.witnesses)}
    listed = policy["receipt_keys"]
    assert isinstance(listed, list)  # load_policy has read it
    return files | {f"keys/{key['jwk']['kid']}.jwk": _json(key["jwk"]) for key in listed}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
