"""The master key in shares: any k of n give it back, fewer and wrong ones nothing. The drill that the operator's guide asks for."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from keys import custody
from keys.escrow import CannotRecover, interpolate, inverse, join, multiply, read, split, value_at, written
from tests.edges.office import OFFICERS, deployed

SECRET = json.dumps({"id": "test-master-1", "key": "5a" * 32}).encode()


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, section 4.2: {57}·{83} = {c1} and {57}·{13} = {fe}; every element but zero has an inverse."""
    assert (multiply(0x57, 0x83), multiply(0x57, 0x13)) == (0xC1, 0xFE)
    assert all(multiply(a, inverse(a)) == 1 for a in range(1, 256))
    assert multiply(0, 0xFF) == multiply(0xFF, 0) == 0


def test_the_published_vector() -> None:
    """draft-mcgrew-tss-03, section 9: threshold 2, the secret "test" with a zero byte."""
    points = {1: bytes.fromhex("B9FA07E185"), 2: bytes.fromhex("F5409B4511")}
    assert interpolate(points) == b"test\0"


@pytest.mark.parametrize(("shares", "needed"), [(2, 2), (5, 3), (5, 5), (20, 2)])
def test_any_that_are_enough_give_it_back_whole(shares: int, needed: int) -> None:
    made = split(SECRET, "test-master-1", shares, needed)
    for chosen in itertools.islice(itertools.combinations(made, needed), 12):
        assert join(chosen) == SECRET
    assert join(made) == SECRET


def test_fewer_than_needed_fit_every_secret_alike() -> None:
    """Of one byte, two of three shares: for each secret there is exactly one polynomial through both."""
    coefficients = itertools.product(range(256), repeat=2)
    seen = Counter((value_at(bytes([7, a, b]), 1), value_at(bytes([7, a, b]), 2)) for a, b in coefficients)
    assert len(seen) == 256 * 256, "for the secret 7 every pair of shares is equally likely, as for any other"


def test_what_is_too_few_wrong_or_of_another_set_gives_nothing() -> None:
    made, others = split(SECRET, "test-master-1", 5, 3), split(SECRET, "test-master-1", 5, 3)
    wrong = replace(made[2], values=bytes([made[2].values[0] ^ 1]) + made[2].values[1:])
    for given, why in (
        ([], "no share"),
        (made[:2], "3 different shares are needed"),
        ([made[0], made[0], made[1]], "3 different shares are needed"),
        ([*made[:2], others[2]], "not of one set"),
        ([*made[:2], wrong], "do not fit together"),
    ):
        with pytest.raises(CannotRecover, match=why):
            join(given)
    for numbers in ((3, 1), (3, 4), (21, 2)):
        with pytest.raises(ValueError, match="at least 2"):
            split(SECRET, "test-master-1", *numbers)


def test_a_share_is_typed_again_from_paper_and_a_slip_is_told() -> None:
    (one, _) = split(SECRET, "test-master-1", 2, 2)
    text = written(one)
    assert read(text) == one
    assert (
        read(text.lower().replace("safeguarding", "Safeguarding").replace(" \n", "\n")).values == one.values
    )
    letters = text.rstrip()[-5:]
    slip = text.rstrip()[:-5] + ("A" if letters[0] != "A" else "B") + letters[1:]
    with pytest.raises(CannotRecover, match="miscopied"):
        read(slip)
    for nothing in ("", "share: 1/2", text.partition("check:")[0]):
        with pytest.raises(CannotRecover, match=r"no share|miscopied"):
            read(nothing)
    assert "5a5a" not in repr(one)


def test_the_drill_a_lost_master_key_comes_back_from_shares_and_opens_what_was_sealed(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    office = deployed(tmp_path_factory.mktemp("template"), tmp_path, monkeypatch, capsys)
    sealed = office.look(_seal)
    told = office("keys", "escrow", "--shares", "5", "--needed", "3", "--out", "shares", "--json", *OFFICERS)
    assert told.status == 0, told.err
    files = told.document["files"]
    assert [Path(file).stat().st_mode & 0o777 for file in files] == [0o600] * 5
    master = tmp_path / "var/keys" / custody.MASTER
    kept = json.loads(master.read_bytes())
    assert kept["key"] not in told.out
    chosen = [files[1], files[4], files[2]]
    assert office("keys", "recover", "--check", *chosen).status == 0
    assert office("keys", "recover", *chosen).status == 1, "a key that is there is never overwritten"
    master.unlink()
    assert office("keys", "list").status == 2
    assert office("keys", "recover", *chosen[:2]).status == 1
    assert not master.exists()
    assert office("keys", "recover", *chosen).status == 0
    assert json.loads(master.read_bytes()) == kept
    assert master.stat().st_mode & 0o777 == 0o600
    assert office.look(lambda parts: _open(parts, sealed)) == b"sealed before"
    assert office("keys", "rotate", "master", *OFFICERS).status == 0
    assert office("keys", "recover", "--check", *chosen).status == 1, "new shares are needed"
    assert office("keys", "recover", str(tmp_path / "nothing.txt")).status == 2
    assert office("keys", "escrow", "--shares", "3", "--needed", "4", "--out", "more", *OFFICERS).status == 2


async def _seal(parts):  # type: ignore[no-untyped-def]
    return parts.keys.seal_secret("drill", b"sealed before")


async def _open(parts, sealed):  # type: ignore[no-untyped-def]
    return parts.keys.open_secret("drill", sealed)
