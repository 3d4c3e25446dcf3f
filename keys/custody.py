"""The key ring of one deployment: its signers and its master key, loaded once from a directory.

Layout of the directory: `receipts/<kid>.pem`, `tokens/<kid>.pem`, `log/<kid>.pem`, or `<kid>.module` for a key whose private half is in
a hardware module, which has no PEM and nothing secret in its file (the highest number at a kid's end signs,
the others are retired but still published), `master.key`. Of each purpose, `schedule.json` beside the keys says from when each signs
(absent: always), so that the next one can be published before it is used. Keys made for development carry `development-` in their
id, are shouted about at start-up and refused in production.

`master.key` holds the key that wraps data keys, those that did so before (until they are forgotten), and the root from which the
keys of fingerprints, reply tokens and blind indexes are derived: the root stays when the wrapping key changes, since what was keyed
with it could not be found again. Where a hardware module is its home, the file holds all that sealed by the module.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from keys.hardware import SUFFIX, HardwareHome, HardwareSigner
from keys.sealing import CannotOpen, DataKey, WrappedKey, new_secret
from keys.signing import DEVELOPMENT_PREFIX, Algorithm, FileSigner, Signer, write_secret

TERM_LENGTH = 32
SCHEDULE = "schedule.json"
MASTER = "master.key"
PEM = ".pem"
PURPOSES: dict[str, Algorithm] = {"receipts": "ES256", "tokens": "ES256", "log": "Ed25519"}


class UnknownMaster(CannotOpen):
    """A data key names a master key that this reading of the directory does not have: look again."""


@dataclass(frozen=True, slots=True)
class BlindIndex:
    """Turns a form of somebody's identity into a term that can be compared and tells nothing to whoever lacks the key."""

    _keyed: HMAC = field(repr=False)  # the key taken in once: a referral asks for some eighty terms

    def term(self, kind: str, value: str) -> str:
        """32 hex characters (128 bits) of HMAC-SHA-256 over the kind and the value; the kind keeps the domains apart."""
        mac = self._keyed.copy()
        mac.update(kind.encode() + b"\0" + value.encode())
        return mac.finalize().hex()[:TERM_LENGTH]


@dataclass(frozen=True, slots=True)
class TimedKeys:
    """The keys of one purpose, oldest first, each with the instant from which it signs (None: since ever)."""

    keys: tuple[tuple[Signer, datetime | None], ...]

    def current(self, at: datetime) -> Signer:
        """The newest whose time has come."""
        begun = [signer for signer, begins_at in self.keys if begins_at is None or begins_at <= at]
        return begun[-1] if begun else self.keys[0][0]

    def following(self, at: datetime) -> tuple[tuple[Signer, datetime], ...]:
        """Those whose time has not come yet."""
        return tuple((s, begins_at) for s, begins_at in self.keys if begins_at is not None and begins_at > at)

    def retired(self, at: datetime) -> tuple[tuple[Signer, datetime | None], ...]:
        """Those before the current one, each with the instant at which its successor began (None: not known)."""
        kids = [signer.kid for signer, _ in self.keys]
        count = kids.index(self.current(at).kid)
        return tuple((self.keys[one][0], self.keys[one + 1][1]) for one in range(count))


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every private key this process may use. `published` are the public keys by purpose, current and retired."""

    receipts: Signer
    tokens: TimedKeys
    log: Signer
    published: Mapping[str, tuple[dict[str, str], ...]]
    timed: Mapping[str, TimedKeys]
    _master: DataKey = field(repr=False)
    _formers: Mapping[str, DataKey] = field(repr=False)
    _fingerprint_key: bytes = field(repr=False)
    _token_key: bytes = field(repr=False)
    _index_key: bytes = field(repr=False)
    _own_key: bytes = field(repr=False)
    _nonce_key: bytes = field(repr=False)

    @property
    def own(self) -> DataKey:
        """The key under which the deployment seals what it says of itself: clients and their keys, never an incident."""
        return DataKey("deployment", self._own_key)

    @property
    def nonce_key(self) -> bytes:
        """The key of the nonces in DPoP proofs, the same in every process of the deployment."""
        return self._nonce_key

    @property
    def are_for_development(self) -> bool:
        tokens = (signer.kid for signer, _ in self.tokens.keys)
        kids = (self.receipts.kid, *tokens, self.log.kid, self._master.id)
        return any(kid.startswith(DEVELOPMENT_PREFIX) for kid in kids)

    def new_data_key(self, key_id: str) -> tuple[DataKey, WrappedKey]:
        """A fresh data key and its wrapped form for the custody store."""
        key = DataKey(key_id, new_secret())
        return key, WrappedKey(key_id, self._master.seal(f"data-key:{key_id}", key.secret), self._master.id)

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """The data key; UnknownMaster when it was wrapped under a master key that is not here, CannotOpen when changed."""
        master = self._masters.get(wrapped.master)
        if master is None:
            raise UnknownMaster("this data key was wrapped under another master key")
        return DataKey(wrapped.id, master.open(f"data-key:{wrapped.id}", wrapped.wrapped))

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """The same data key wrapped under the master key in use."""
        secret = self.unwrap(wrapped).secret
        return WrappedKey(wrapped.id, self._master.seal(f"data-key:{wrapped.id}", secret), self._master.id)

    @property
    def master_id(self) -> str:
        return self._master.id

    @property
    def former_masters(self) -> tuple[str, ...]:
        """The ids of master keys that wrap nothing new and may still unwrap."""
        return tuple(self._formers)

    @property
    def _masters(self) -> dict[str, DataKey]:
        return {self._master.id: self._master, **self._formers}

    def seal_secret(self, label: str, secret: bytes) -> bytes:
        """Seal a credential (a webhook secret, say) under the master key itself."""
        return self._master.seal(f"secret:{label}", secret)

    def open_secret(self, label: str, sealed: bytes) -> bytes:
        """The credential, or CannotOpen; one that was sealed under a former master key opens too."""
        for master in self._formers.values():
            with suppress(CannotOpen):
                return master.open(f"secret:{label}", sealed)
        return self._master.open(f"secret:{label}", sealed)

    def is_sealed_now(self, label: str, sealed: bytes) -> bool:
        """Whether a credential is sealed under the master key in use, rather than under a former one."""
        try:
            self._master.open(f"secret:{label}", sealed)
        except CannotOpen:
            return False
        return True

    def fingerprint(self, scope: str, content: bytes) -> str:
        """A keyed digest, hex: tells whether two contents are equal and nothing to whoever lacks the key."""
        return hmac.new(self._fingerprint_key, scope.encode() + b"\0" + content, hashlib.sha256).hexdigest()

    def blind_index(self, partnership: str) -> BlindIndex:
        """What makes one partnership's index terms: under its own key, so that indexes of two cannot be joined.

        The key is derived from the root beside the master key, and stays when the master key is rotated.
        """
        key = hmac.new(self._index_key, partnership.encode(), hashlib.sha256).digest()
        return BlindIndex(HMAC(key, SHA256()))

    def token_mac(self, token: str) -> str:
        """16 hex characters that mark a reply token as ours. It locates a letter; it authenticates nobody."""
        return hmac.new(self._token_key, token.encode(), hashlib.sha256).hexdigest()[:16]

    def form_mac(self, token: str, reference: str) -> str:
        """32 hex characters that bind an answer form to one letter, by the letter's token and reference."""
        bound = b"form\0" + token.encode() + b"\0" + reference.encode()
        return hmac.new(self._token_key, bound, hashlib.sha256).hexdigest()[:32]


def create(directory: Path, prefix: str, home: HardwareHome | None = None) -> None:
    """Make a full set of keys under `directory` (mode 0700) with ids `<prefix><purpose>-1`; never overwrites. A purpose
    whose keys are all set aside (`.lost`, `.revoked`) gets the next number."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for purpose, algorithm in PURPOSES.items():
        folder = directory / purpose
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _listed(folder):
            gone = [_ordered(path)[1] for path in folder.iterdir() if path.suffix in (".revoked", ".lost")]
            kid = f"{prefix}{purpose}-{max(gone, default=0) + 1}"  # no id is ever given to two keys
            in_module = home is not None and purpose in home.signs
            _make_key(folder / f"{kid}{SUFFIX if in_module else PEM}", kid, purpose, algorithm, home)
    if not (directory / MASTER).exists():
        if home is not None:
            home.make_key()
        write_master(directory, {"id": f"{prefix}master-1", "key": new_secret().hex()}, home)


def stage_key(directory: Path, purpose: str, home: HardwareHome | None = None) -> tuple[str, Path]:
    """Make the next key of a purpose without using it yet: its kid, and the file that `put_in_use` takes. In the module where
    this purpose's keys are made there.

    A key staged before and never put in use is replaced. KeyError for an unknown purpose.
    """
    folder = directory / purpose
    algorithm = PURPOSES[purpose]
    prefix, number = _ordered(_key_files(folder)[-1])
    kid = f"{prefix}{number + 1}"
    staged = folder / f"{kid}.staged"
    staged.unlink(missing_ok=True)
    _make_key(staged, kid, purpose, algorithm, home)
    return kid, staged


def _make_key(file: Path, kid: str, purpose: str, algorithm: Algorithm, home: HardwareHome | None) -> None:
    if home is not None and purpose in home.signs:
        home.make_signing_key(kid, algorithm, file)
    else:
        FileSigner.generate(kid, algorithm).save(file)


def put_in_use_from(staged: Path, begins_at: datetime, *, alone: bool = False) -> None:
    """A key that is published from now on and signs from `begins_at` on; running processes find it by themselves.

    `alone`: the keys before were lost. They are set aside and what they signed opens nothing more.
    """
    folder = staged.parent
    schedule = {**_schedule(folder), staged.stem: begins_at.isoformat()}
    fresh = folder / f"{SCHEDULE}.new"
    fresh.write_text(json.dumps(schedule, indent=2) + "\n", "utf-8")
    fresh.replace(folder / SCHEDULE)  # first: without an entry the key would sign at once
    before = _key_files(folder)
    is_pem = staged.read_bytes().startswith(b"-----")
    staged.rename(staged.with_suffix(PEM if is_pem else SUFFIX))
    for path in before if alone else ():
        path.rename(path.with_suffix(".revoked"))
    # A crash before the rename leaves an entry for a key that is not there yet: staging it again replaces both.


def load_token_keys(directory: Path, home: HardwareHome | None = None) -> TimedKeys:
    """The keys for tokens as they lie there now; OSError or ValueError when they cannot be read."""
    return _timed(directory / "tokens", home)


def _timed(folder: Path, home: HardwareHome | None) -> TimedKeys:
    schedule = {kid: datetime.fromisoformat(at) for kid, at in _schedule(folder).items()}
    return TimedKeys(tuple((signer, schedule.get(signer.kid)) for signer in _signers(folder, home)))


def _schedule(folder: Path) -> dict[str, str]:
    file = folder / SCHEDULE
    return dict(json.loads(file.read_bytes())) if file.exists() else {}


def load(directory: Path, at: datetime | None = None, home: HardwareHome | None = None) -> KeyRing:
    """The key ring in `directory` as it is at an instant (None: with the newest keys of all).

    OSError or ValueError, naming no key material, when it is not whole.
    """
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        raise ValueError("the keys directory must be readable by its owner alone (chmod 700)")
    timed = {purpose: _timed(directory / purpose, home) for purpose in PURPOSES}
    signing = {purpose: found.current(at) if at else found.keys[-1][0] for purpose, found in timed.items()}
    document = read_master(directory, home)
    master, root = (
        _master_key(document),
        DataKey("root", bytes.fromhex(document.get("root", document["key"]))),
    )
    return KeyRing(
        receipts=signing["receipts"],
        tokens=timed["tokens"],
        log=signing["log"],
        published={
            purpose: tuple(signer.public_jwk() for signer, _ in found.keys)
            for purpose, found in timed.items()
        },
        timed=timed,
        _master=master,
        _formers={one["id"]: _master_key(one) for one in document.get("former", ())},
        _fingerprint_key=_derive(root, "fingerprint"),
        _token_key=_derive(root, "reply-token"),
        _index_key=_derive(root, "blind-index"),
        _own_key=_derive(root, "deployment"),
        _nonce_key=_derive(root, "dpop-nonce"),
    )


def read_master(directory: Path, home: HardwareHome | None = None) -> dict[str, Any]:
    """What `master.key` says. Whoever holds it holds everything: never shown, never logged."""
    document = dict(json.loads((directory / MASTER).read_bytes()))
    if "sealed" not in document:
        return document
    if home is None:
        raise ValueError(
            "the master key lies in a hardware module: set GATEWAY_PKCS11_MODULE and its companions"
        )
    return dict(json.loads(home.open(bytes.fromhex(document["sealed"]))))


def next_master_id(directory: Path) -> str:
    prefix, number = _ordered(Path(json.loads((directory / MASTER).read_bytes())["id"]))
    return f"{prefix}{number + 1}"


def rotate_master(directory: Path, key_id: str, at: datetime, home: HardwareHome | None = None) -> None:
    """Wrap under a new master key from now on. The one before still unwraps, until it is forgotten; the root stays."""
    before = read_master(directory, home)
    if home is not None:
        home.make_key()
    former = {"id": before["id"], "key": before["key"], "retired_at": at.isoformat()}
    fresh = {"id": key_id, "key": new_secret().hex(), "root": before.get("root", before["key"])}
    write_master(directory, fresh | {"former": [*before.get("former", []), former]}, home)


def forget_former_masters(
    directory: Path, retired_before: datetime, home: HardwareHome | None = None
) -> list[str]:
    """Destroy former master keys that were retired before an instant; their ids. What they wrapped opens never again."""
    document = read_master(directory, home)
    former = document.get("former", [])
    gone = [one["id"] for one in former if datetime.fromisoformat(one["retired_at"]) < retired_before]
    if gone:
        write_master(directory, document | {"former": [one for one in former if one["id"] not in gone]}, home)
    return gone


def write_master(directory: Path, document: Mapping[str, Any], home: HardwareHome | None = None) -> None:
    """Whole or not at all: a crash leaves the file as it was. With a home, nothing of it is readable without the module."""
    content = json.dumps(dict(document)).encode()
    if home is not None:
        content = json.dumps({"id": document["id"], "sealed": home.seal(content).hex()}).encode()
    fresh = directory / f"{MASTER}.new"
    fresh.unlink(missing_ok=True)
    write_secret(fresh, content)
    fresh.replace(directory / MASTER)


def _master_key(document: Mapping[str, Any]) -> DataKey:
    return DataKey(document["id"], bytes.fromhex(document["key"]))


def _signers(folder: Path, home: HardwareHome | None) -> list[Signer]:
    return [
        FileSigner.load(path) if path.suffix == PEM else HardwareSigner.load(path, home)
        for path in _key_files(folder)
    ]


def _listed(folder: Path) -> list[Path]:
    return [*folder.glob(f"*{PEM}"), *folder.glob(f"*{SUFFIX}")]


def _key_files(folder: Path) -> list[Path]:
    """Oldest first: `receipts-10` comes after `receipts-9`."""
    found = sorted(_listed(folder), key=lambda path: (_ordered(path)[1], path.name))
    if not found:
        raise ValueError(f"no key for {folder.name}; make a set with `gateway init`")
    return found


def _ordered(path: Path) -> tuple[str, int]:
    """A kid without the number at its end, and that number (0 when it has none)."""
    bare = path.stem.rstrip("0123456789")
    digits = path.stem[len(bare) :]
    return (bare, int(digits)) if digits else (f"{bare}-", 0)


def _derive(master: DataKey, purpose: str) -> bytes:
    return hmac.new(master.secret, f"gateway:{purpose}".encode(), hashlib.sha256).digest()
