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
from gateway.ledger.statement import fields_of, opened
from gateway.store import log
from gateway.store.log import AnchorRow, CheckpointRow, EntryRow
from gateway.store.transaction import Tx

Place = tuple[str, int]  # a log's origin and a size of it


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the ledger has about an incident, read on one snapshot.

    `entries` stand in the order of the bundle. `proofs` are by entry id; an entry without one is not sealed yet.
    `checkpoints` are notes, `stamps` the time-stamps over them, `consistency` the hashes that lead from one to the largest of
    its log. `links` are the first entries of logs that follow another, each with its proof, by origin.
    """

    incident: IncidentId
    entries: tuple[EntryRow, ...]
    proofs: Mapping[str, str]
    checkpoints: Mapping[Place, str]
    consistency: Mapping[tuple[str, int, int], Sequence[bytes]]
    stamps: Mapping[Place, Sequence[bytes]] = field(default_factory=dict)
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)


Head = CheckpointRow | AnchorRow


def gather(
    tx: Tx,
    partnership: PartnershipId,
    incident: IncidentId,
    consistent_with: Sequence[Place] = (),
    *,
    anchored: bool = False,
) -> Gathered:
    """Read an incident's entries, their proofs, and how the newest checkpoint of each log follows on earlier ones.

    Each entry is proved under its log's newest checkpoint; with `anchored` under the first one after it that witnesses signed
    and authorities stamped, and not at all while there is none. Earlier ones are those that statements were made after, and
    those in `consistent_with` (what the asker pinned). Where they are of several logs, the links between these are there too.
    """
    entries = _in_order(log.entries_of_incident(tx, partnership, incident))
    heads: dict[Place, Head] = {}
    proofs: dict[str, str] = {}
    for origin in sorted({entry.log for entry in entries if entry.log is not None}):
        sealed = {e.leaf_index: e.id for e in entries if e.log == origin and e.leaf_index is not None}
        holding = _holding(tx, origin, sealed, anchored=anchored)
        proofs |= _proofs(tx, sealed, holding)
        heads |= {(head.log, head.size): head for head in holding}
    places = {place for after in _anchors(entries) if (place := _place(tx, after)) is not None}
    for place in sorted(places | set(consistent_with)):
        if (named := _named(tx, place, anchored=anchored)) is not None:
            heads.setdefault(place, named)
    links = _links(tx, heads, anchored=anchored) if heads else {}
    largest = {head.log: head for head in sorted(heads.values(), key=lambda head: head.size)}
    earlier = sorted(
        (origin, size)
        for origin, size in {*heads, *consistent_with}
        if origin in largest and 0 < size < largest[origin].size
    )
    return Gathered(
        incident,
        entries,
        proofs,
        {place: head.note for place, head in heads.items()},
        {
            (origin, size, largest[origin].size): sealing.prove_consistency(
                tx, origin, size, largest[origin].size
            )
            for origin, size in earlier
        },
        {place: head.tokens for place, head in heads.items() if isinstance(head, AnchorRow) and head.tokens},
        {origin: (entry.jws, sealing.prove(tx, 0, largest[origin])) for origin, entry in links.items()},
    )


def _holding(tx: Tx, origin: str, indices: Collection[int], *, anchored: bool) -> list[Head]:
    """The checkpoints of one log under which its leaves are proved, the smallest first."""
    if not anchored:
        newest = log.latest_checkpoint(tx, origin)
        return [] if newest is None else [newest]
    found = {row.size: row for one in indices if (row := log.anchor_holding(tx, origin, one)) is not None}
    return [found[size] for size in sorted(found)]


def _proofs(tx: Tx, sealed: Mapping[int, str], heads: Sequence[Head]) -> dict[str, str]:
    """Each entry under the first of the heads (in order of size) that holds it."""
    proofs: dict[str, str] = {}
    before = 0
    for head in heads:
        mine = [index for index in sealed if before <= index < head.size]
        proofs |= {sealed[index]: proof for index, proof in sealing.prove_all(tx, mine, head).items()}
        before = head.size
    return proofs


def _place(tx: Tx, after: tuple[int, str]) -> Place | None:
    named = (after[0], bytes.fromhex(after[1]))
    row = log.anchor_of_root(tx, *named) or log.checkpoint_of_root(tx, *named)
    return None if row is None else (row.log, row.size)


def _named(tx: Tx, place: Place, *, anchored: bool) -> Head | None:
    """A checkpoint that a statement was made after or that somebody holds, as it was anchored; else as the log signed it."""
    confirmed = log.anchor_of_size(tx, *place)
    return confirmed if confirmed is not None or anchored else log.checkpoint_of_size(tx, *place)


def _links(tx: Tx, heads: dict[Place, Head], *, anchored: bool) -> dict[str, EntryRow]:
    """The entries that join the logs of `heads`, to which the last checkpoint of each log but the newest is added."""
    logs = log.origins(tx)
    there = sorted(logs.index(origin) for origin, _ in heads)
    links = {}
    for number in range(there[0], there[-1]):
        last, first = log.latest_checkpoint(tx, logs[number]), log.first_leaf(tx, logs[number + 1])
        assert last is not None  # a log is known by its checkpoints
        assert first is not None
        if (closed := _named(tx, (last.log, last.size), anchored=anchored)) is not None:
            heads[last.log, last.size] = closed
        links[logs[number + 1]] = first
    return links


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
        "policy.example.json": verify.written(policy),
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
    files |= _history(gathered)
    chains = [entry.chain for entry in gathered.entries]
    return store_zip(files | {"manifest.json": manifest(gathered.incident, chains, files)})


def _history(gathered: Gathered) -> dict[str, bytes]:
    """Checkpoints, what stamps them, and how they hang together; of several logs, each file is named by its log too."""
    files: dict[str, bytes] = {}
    several = len({origin for origin, _ in gathered.checkpoints}) > 1
    prefix = {origin: f"{verify.label(origin)}_" if several else "" for origin, _ in gathered.checkpoints}
    for (origin, size), note in gathered.checkpoints.items():
        name = f"checkpoints/{prefix[origin]}{size}"
        files[f"{name}.note"] = note.encode()
        tokens = gathered.stamps.get((origin, size), ())
        files |= dict(zip((f"{name}.tsr", f"{name}-2.tsr"), tokens, strict=False))
    for (origin, size1, size2), path in gathered.consistency.items():
        lines = b"".join(base64.b64encode(one) + b"\n" for one in path)
        files[f"consistency/{prefix[origin]}{size1}-{size2}.txt"] = lines
    for origin, (jws, proof) in gathered.links.items():
        name = f"links/{verify.label(origin)}"
        files |= {f"{name}.jws": jws.encode(), f"{name}.proof": proof.encode()}
    return files


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
    by_name = {opened(one)[0]: one for one in json.loads(raw)}
    return [by_name[name] for name in sorted(set(fields))]


def manifest(incident: str, chains: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """The list of files with their digests, the chains and the count of receipts; `chains` has one name for each receipt."""
    return verify.written(
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


def _anchors(entries: Sequence[EntryRow]) -> set[tuple[int, str]]:
    statements = (json.loads(entry.statement) for entry in entries)
    return {(one["after"]["size"], one["after"]["root"]) for one in statements if "after" in one}


def _check_contents(
    gathered: Gathered, disclosures: Mapping[str, Sequence[str]], contents: Mapping[str, bytes]
) -> None:
    accepted = {one.id for one in gathered.entries if one.event == Event.SUBMISSION_ACCEPTANCE.text}
    for entry, content in contents.items():
        committed = fields_of(disclosures.get(entry, ())).get("payload_sha256")
        if entry not in accepted or committed != hashlib.sha256(content).hexdigest():
            raise ValueError("a payload is not the one that its receipt commits to")


def _check_attachments(disclosures: Mapping[str, Sequence[str]], attachments: Mapping[str, bytes]) -> None:
    listed = [str(fields_of(several).get("attachments", "")) for several in disclosures.values()]
    named = {file for one in listed for file in one.split()}
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
        fields = fields_of(several)
        if "peer_jws" in fields:
            files[f"peer/{entry}.jws"] = str(fields["peer_jws"]).encode()
        if entry in mails and fields.get("peer_sha256") != hashlib.sha256(mails[entry]).hexdigest():
            raise ValueError("a mail is not the one that its receipt commits to")
    if not set(mails) <= set(disclosures):
        raise ValueError("a mail has no receipt that commits to it")
    return files


def _key_files(policy: Mapping[str, object]) -> dict[str, bytes]:
    """The keys one file each, for tools such as `jose`; for information only."""
    read = verify.load_policy(verify.written(policy))  # refuses a policy that nobody could use
    files = {f"keys/log-{number}.vkey": f"{key}\n".encode() for number, key in enumerate(read.logs)}
    files |= {f"keys/witness-{number}.vkey": f"{key}\n".encode() for number, key in enumerate(read.witnesses)}
    listed = policy["receipt_keys"]
    assert isinstance(listed, list)  # load_policy has read it
    return files | {f"keys/{key['jwk']['kid']}.jwk": verify.written(key["jwk"]) for key in listed}
