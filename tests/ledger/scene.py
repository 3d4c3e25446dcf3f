"""A small incident whose evidence can be spoiled at any one layer, with everything above that layer made anew and signed.

A tamper case changes one step; the later ones (signature, tree, checkpoint, witnesses, manifest, zip) follow from it, so
that exactly one rule is broken.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from gateway.agency.client import compact_jws
from gateway.core.receipts import Event
from gateway.ledger import bundle, tiles, tree, verify
from gateway.ledger.checkpoint import cosignature, log_key, proof_text, sign_checkpoint, witness_key
from gateway.ledger.policy import ReceiptKeyWindow, make_policy
from gateway.ledger.statement import commitment, disclosure, sign_statement
from gateway.ledger.verify import Finding, b64url, canonical
from keys.signing import FileSigner
from tests.ledger.stamping import POLICY, Authority

ISSUER = "gateway.example"
ORIGIN = "gateway.example/ledger/2026"
NEXT_YEAR = "gateway.example/ledger/2027"
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
COSIGNED = START + timedelta(hours=2)
PAYLOAD = b'{"type":"referral","invented":true}'

RECEIPTS = FileSigner.generate("receipts-2026", "ES256")
OTHER_RECEIPTS = FileSigner.generate("receipts-other", "ES256")
LOG = FileSigner.generate("log-2026", "Ed25519")
OTHER_LOG = FileSigner.generate("log-other", "Ed25519")
WITNESSES = {f"witness-{n}.example": FileSigner.generate(f"witness-{n}", "Ed25519") for n in (1, 2, 3)}

RECIPIENT = FileSigner.generate("wearmouth-1", "ES256")
MAIL = b"From: MAILER-DAEMON\r\n\r\nThis is an invented mail.\r\n"

Change = Callable[[Any], Any]


def public_part(signer: FileSigner) -> dict[str, str]:
    """A signer's public key with no other member than a key has."""
    return {
        name: value
        for name, value in signer.public_jwk().items()
        if name in ("kty", "crv", "x", "y", "e", "n")
    }


def thumbprint_of(signer: FileSigner) -> str:
    return b64url(hashlib.sha256(canonical(public_part(signer))).digest())


class Memory:
    """Tiles in memory."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.tiles = tiles.grow(lambda level, number: b"", 0, leaves)

    def __call__(self, level: int, number: int) -> bytes:
        return self.tiles.get((level, number), b"")


def entry_id(number: int) -> str:
    return f"ev-{number:032x}"


def statement(
    number: int, event: Event, ref: str, seq: int, opened: list[str], **more: object
) -> dict[str, Any]:
    """A statement as a dict; `prev` is filled in when the scene is played."""
    return {
        "_sd": sorted(commitment(one) for one in opened),
        "_sd_alg": "sha-256",
        "event": event.text,
        "id": entry_id(number),
        "iss": ISSUER,
        "kid": RECEIPTS.kid,
        "prev": "",
        "ref": ref,
        "seq": seq,
        "time": f"{START + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}.000Z",
        "v": "receipt/1",
    } | more


AUTHORITY, OTHER_AUTHORITY = Authority(), Authority()


class Scene:
    """Two chains, six receipts, foreign leaves before, between and after them; three witnesses."""

    def __init__(self) -> None:
        digest = hashlib.sha256(PAYLOAD).hexdigest()
        self.opened: list[list[str]] = [
            [
                disclosure(b"a" * 16, "payload_sha256", digest),
                disclosure(b"b" * 16, "sender", "Wearmouth Police"),
            ],
            [disclosure(b"c" * 16, "recipients", 3)],
            [],
            [disclosure(b"d" * 16, "actor", "R. Example")],
            [],
            [],
        ]
        events = [
            (Event.SUBMISSION_ACCEPTANCE, "msg-one", 1, {}),
            (Event.ROUTED, "msg-one", 2, {}),
            (Event.DUTY_OPENED, "chain-two", 1, {}),
            (Event.CONSIGNMENT_ACCEPTANCE, "msg-one", 3, {}),
            (Event.DEADLINE_MISSED, "chain-two", 2, {"reason": "k11"}),
            (Event.CLOSED, "chain-two", 3, {"chains": {"msg-one": 3}}),
        ]
        self.statements = [
            statement(number, event, ref, seq, self.opened[number], **more)
            for number, (event, ref, seq, more) in enumerate(events)
        ]
        self.acknowledgement = {
            "by": "person",
            "content_sha256": digest,
            "delivery": "dlv-one",
            "message": "msg-one",
            "role": "sbu",
            "time": "2026-11-20T09:02:50Z",
            "v": "acknowledgement/1",
        }
        self.peers: dict[str, bytes] = {}
        self.signers = [RECEIPTS] * len(events)
        self.payloads: dict[str, bytes] = {entry_id(0): PAYLOAD}
        self.foreign = [tree.leaf_hash(b"another incident %d" % number) for number in range(300)]
        self.positions = [5, 40, 41, 200, 258, 270]  # where the receipts stand in the log
        self.indices = list(self.positions)  # what their proofs say
        self.unsealed: set[int] = set()
        self.older: list[int] = []  # sizes of earlier checkpoints in the bundle
        self.turn: int | None = None  # from this receipt on all stand in the next year's log
        self.next_year = NEXT_YEAR
        self.link_at = 0  # which leaf of the new log it is
        self.link: dict[str, Any] = {}  # what the link between the two logs says otherwise
        self.log = LOG
        self.origin = ORIGIN
        self.cosigned_at = COSIGNED
        self.cosigned_at_size: dict[int, datetime] = {}  # where it differs
        self.stamps: dict[str, Callable[[bytes], bytes]] = {}  # by file name: makes the token over the note
        self.witnesses = dict(WITNESSES)
        self.policy = make_policy(
            ISSUER,
            [log_key(ORIGIN, LOG)],
            [ReceiptKeyWindow(RECEIPTS.public_jwk(), START - timedelta(days=1))],
            witnesses=[witness_key(name, signer) for name, signer in WITNESSES.items()],
            quorum=2,
            peers={"wearmouth-police": [thumbprint_of(RECIPIENT)]},
        )
        self.links = True  # fill in `prev`
        self.on_payload: Callable[[int, bytes], bytes] = lambda number, payload: payload
        self.on_jws: Callable[[int, str], str] = lambda number, jws: jws
        self.on_text: Change = lambda text: text
        self.on_note: Change = lambda note: note
        self.on_proof: Callable[[int, str], str] = lambda number, proof: proof
        self.on_files: Change = lambda files: files
        self.on_manifest: Change = lambda manifest: manifest
        self.on_listed: Change = lambda files: files
        self.on_zip: Change = lambda content: content

    def acknowledge(
        self,
        signer: FileSigner = RECIPIENT,
        change: Callable[[str], str] = lambda jws: jws,
        header: Mapping[str, Any] | None = None,
        **fields: str | None,
    ) -> None:
        """Sign the recipient's answer, and commit to it in the receipt of it, where `fields` replace what is committed to."""
        named = {"typ": "acknowledgement+jws", "jwk": public_part(signer)} if header is None else header
        jws = change(compact_jws(named, self.acknowledgement, signer))
        committed = {
            "actor": "R. Example",
            "delivery": "dlv-one",
            "recipient": "wearmouth-police",
            "peer_key": thumbprint_of(signer),
            "peer_sha256": hashlib.sha256(jws.encode()).hexdigest(),
        } | fields
        salts = (bytes([65 + number]) * 16 for number in range(len(committed)))
        self.opened[3] = [disclosure(next(salts), name, value) for name, value in committed.items() if value]
        self.statements[3]["_sd"] = sorted(commitment(one) for one in self.opened[3])
        self.peers[f"peer/{entry_id(3)}.jws"] = jws.encode()

    def sign_request(
        self,
        signer: FileSigner = RECIPIENT,
        content: bytes = PAYLOAD,
        seconds_later: int = 0,
        base: Callable[[str], str] = lambda base: base,
        **fields: str | None,
    ) -> None:
        """The sender's own signature over its request (RFC 9421), and the commitment to it, where `fields` replace."""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        created = int(START.timestamp()) + seconds_later
        signed = base(
            f'"@method": POST\n"content-digest": sha-256=:{digest}:\n'
            f'"@signature-params": ("@method" "content-digest");created={created};keyid="1"'
        ).encode()
        committed = {
            "payload_sha256": hashlib.sha256(PAYLOAD).hexdigest(),
            "sender": "wearmouth-police",
            "http_signature": base64.b64encode(signer.sign(signed)).decode(),
            "http_signature_base": base64.b64encode(signed).decode(),
            "http_signature_jwk": json.dumps(public_part(signer)),
        } | fields
        salts = (bytes([97 + number]) * 16 for number in range(len(committed)))
        self.opened[0] = [disclosure(next(salts), name, value) for name, value in committed.items() if value]
        self.statements[0]["_sd"] = sorted(commitment(one) for one in self.opened[0])

    def bounce(self) -> None:
        """A mail that the gateway got, whole, and the commitment to it."""
        self.opened[1] = [disclosure(b"c" * 16, "peer_sha256", hashlib.sha256(MAIL).hexdigest())]
        self.statements[1]["_sd"] = [commitment(one) for one in self.opened[1]]
        self.peers[f"peer/{entry_id(1)}.eml"] = MAIL

    # --- playing it ---

    def play(self) -> Finding:
        """Make everything anew from the first changed step, and verify."""
        return self.play_with(verify)

    def play_with(self, verifier: ModuleType) -> Finding:
        """As `play`, with this verifier: the one that is meant, or one that was weakened."""
        policy = verifier.load_policy(json.dumps(self.policy).encode())
        finding: Finding = verifier.verify_bundle(self.zip(), policy)
        return finding

    def zip(self) -> bytes:
        self.payload_bytes = self._payloads()
        leaves = list(self.foreign)
        old = list(zip(self.positions, self.payload_bytes, strict=True))[: self.turn]
        for position, payload in old:
            leaves[position] = tree.leaf_hash(payload)
        self.leaves = leaves
        made = self._files(leaves) if self.turn is None else self._files_over_new_year(leaves, self.turn)
        files = self.on_files(made)
        listed = self.on_listed(files | {"manifest.json": self._manifest(files)})
        return self.on_zip(bundle.store_zip(listed))

    def note(self, leaves: list[bytes], size: int) -> str:
        """A checkpoint of the first `size` leaves with its witnesses."""
        root = tree.root_hash(Memory(leaves[:size]), size)
        note = sign_checkpoint(self.log, self.origin, size, root)
        if (text := self.on_text(note.split("\n\n")[0] + "\n")) != note.split("\n\n")[0] + "\n":
            key = log_key(self.origin, self.log)
            line = base64.b64encode(key.id + self.log.sign(text.encode())).decode()
            note = f"{text}\n— {key.name} {line}\n"
        at = self.cosigned_at_size.get(size, self.cosigned_at)
        cosigned = "".join(cosignature(self.witnesses[name], name, note, at) for name in self.witnesses)
        return str(self.on_note(note + cosigned))

    def _payloads(self) -> list[bytes]:
        payloads: list[bytes] = []
        last: dict[str, str] = {}
        for number, one in enumerate(self.statements):
            if self.links:
                one["prev"] = last.get(one["ref"], "")
            payload = self.on_payload(number, canonical(one))
            payloads.append(payload)
            last[one["ref"]] = tree.leaf_hash(payload).hex()
        return payloads

    def _files(self, leaves: list[bytes]) -> dict[str, bytes]:
        size = len(leaves)
        note = self.note(leaves, size)
        read = Memory(leaves)
        files = {"README.txt": b"read me", f"checkpoints/{size}.note": note.encode()}
        for number, payload in enumerate(self.payload_bytes):
            name = f"receipts/{number:04d}"
            files[name + ".jws"] = self.on_jws(number, sign_statement(payload, self.signers[number])).encode()
            if self.opened[number]:
                files[name + ".disclosures"] = json.dumps(self.opened[number]).encode()
            if number not in self.unsealed:
                path = tree.inclusion_proof(read, self.positions[number], size)
                files[name + ".proof"] = self.on_proof(
                    number, proof_text(self.indices[number], path, note)
                ).encode()
        for entry, content in self.payloads.items():
            files[f"payloads/{entry}.bin"] = content
        files |= self.peers
        for older in self.older:
            files[f"checkpoints/{older}.note"] = self.note(leaves, older).encode()
            files[f"consistency/{older}-{size}.txt"] = consistency_text(leaves, older)
        for name, stamp in self.stamps.items():
            files[name] = stamp(files[name.removesuffix(".tsr").removesuffix("-2") + ".note"])
        return files

    def _files_over_new_year(self, leaves: list[bytes], turn: int) -> dict[str, bytes]:
        """The old log as it is closed, and the new one: the link, other leaves, and the receipts from `turn` on."""
        before, size = self.origin, len(leaves)
        root = tree.root_hash(Memory(leaves), size).hex()
        first = statement(90, Event.LOG_CONTINUED, "log-2027", 1, [], reason="follows-2026")
        encoded = canonical(first | {"after": {"root": root, "size": size}} | self.link)
        mine = self.payload_bytes[turn:]
        fresh = [tree.leaf_hash(one) for one in (b"a foreign leaf", *mine)]
        fresh.insert(self.link_at, tree.leaf_hash(encoded))
        unsealed, self.unsealed = self.unsealed, {*range(turn, len(self.payload_bytes))}
        files = {
            name.replace("checkpoints/", "checkpoints/2026_"): content
            for name, content in self._files(leaves).items()
        }
        self.unsealed, self.origin = unsealed, self.next_year
        note, read = self.note(fresh, len(fresh)), Memory(fresh)
        self.origin = before
        files[f"checkpoints/{verify.label(self.next_year)}_{len(fresh)}.note"] = note.encode()
        for number in range(len(mine)):
            path = tree.inclusion_proof(read, number + 2, len(fresh))
            files[f"receipts/{turn + number:04d}.proof"] = proof_text(number + 2, path, note).encode()
        path = tree.inclusion_proof(read, self.link_at, len(fresh))
        files["links/2027.jws"] = sign_statement(encoded, RECEIPTS).encode()
        files["links/2027.proof"] = proof_text(self.link_at, path, note).encode()
        return files

    def _manifest(self, files: dict[str, bytes]) -> bytes:
        value = {
            "v": "bundle/1",
            "incident": "SI-7K3M-9QPX-2D",
            "refs": sorted({one["ref"] for one in self.statements}),
            "count": sum(name.startswith("receipts/") and name.endswith(".jws") for name in files),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
        changed = self.on_manifest(value)
        return changed if isinstance(changed, bytes) else verify.written(changed)


def over_new_year(scene: Scene) -> Scene:
    """The scene with its last two receipts in the next year's log, whose key the policy names."""
    scene.turn = 4
    scene.policy["log"].append(str(log_key(NEXT_YEAR, LOG)))
    return scene


STAMPED_FIRST = START - timedelta(minutes=30)  # the checkpoint that every statement names
STAMPED_LAST = COSIGNED + timedelta(seconds=5)


def stamped(scene: Scene) -> Scene:
    """The scene under a policy that asks for time-stamps: every statement is made after the checkpoint of size 5."""
    scene.older = [5]
    scene.cosigned_at_size[5] = STAMPED_FIRST
    scene.policy |= {
        "timestamps": "required",
        "tsa": {"roots": AUTHORITY.root, "policies": [POLICY], "max_window_seconds": 86_400},
    }
    stamp_at(scene, 5, STAMPED_FIRST)
    stamp_at(scene, 300, STAMPED_LAST)
    after = {"root": root_of(scene, 5), "size": 5}
    for one in scene.statements:
        one["after"] = after
    return scene


def stamp_at(scene: Scene, size: int, at: datetime, authority: Authority = AUTHORITY, **more: str) -> None:
    """Stamp the checkpoint of that size at an instant."""
    scene.stamps[f"checkpoints/{size}.tsr"] = lambda note: authority.stamp(note, at, **more)


def consistency_text(leaves: list[bytes], older: int) -> bytes:
    path = tree.consistency_proof(Memory(leaves), older, len(leaves))
    return b"".join(base64.b64encode(one) + b"\n" for one in path)


def root_of(scene: Scene, size: int) -> str:
    """The root in hex of the scene's log at `size`, as it stands before any change."""
    scene.zip()
    return tree.root_hash(Memory(scene.leaves[:size]), size).hex()
