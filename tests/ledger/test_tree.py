"""The tree against third-party vectors, against a plain recursive definition, and by its own laws."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger import tiles, tree
from tests.ledger.vectors import vectors

Hashes = list[bytes]


def leaves(count: int) -> Hashes:
    return [tree.leaf_hash(b"leaf %d" % number) for number in range(count)]


def recursive_root(hashes: Hashes) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it, from leaf hashes."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else tree.EMPTY_ROOT
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return tree.node_hash(recursive_root(hashes[:middle]), recursive_root(hashes[middle:]))


class Kept:
    """Tiles as they are kept: in memory, grown batch by batch."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0

    def __call__(self, level: int, number: int) -> bytes:
        return self.tiles.get((level, number), b"")

    def add(self, hashes: Hashes) -> None:
        self.tiles |= tiles.grow(self, self.size, hashes)
        self.size += len(hashes)


def kept(count: int) -> Kept:
    grown = Kept()
    grown.add(leaves(count))
    return grown


def _cases(kind: str) -> list[tuple[str, dict[str, object]]]:
    folder = vectors("merkle") / kind
    return [
        (str(path.relative_to(folder)), json.loads(path.read_bytes()))
        for path in sorted(folder.rglob("*.json"))
    ]


def _unb64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_every_inclusion_vector_is_answered_as_its_authors_say() -> None:
    cases = _cases("inclusion")
    wrong = [
        name
        for name, case in cases
        if tree.verify_inclusion(
            _unb64(case["leafHash"]),
            case["leafIdx"],
            case["treeSize"],
            [_unb64(part) for part in case["proof"] or ()],
            _unb64(case["root"]),
        )
        == case["wantErr"]
    ]
    assert (len(cases), wrong) == (98, [])


def test_every_consistency_vector_is_answered_as_its_authors_say() -> None:
    """A proof from an empty tree is refused, unlike by C2SP witnesses: nothing is shown by it."""
    cases = _cases("consistency")
    wrong = [
        name
        for name, case in cases
        if tree.verify_consistency(
            case["size1"],
            case["size2"],
            _unb64(case["root1"]),
            _unb64(case["root2"]),
            [_unb64(part) for part in case["proof"] or ()],
        )
        == case["wantErr"]
    ]
    assert (len(cases), wrong) == (98, [])


def test_the_eight_leaf_tree_of_certificate_transparency_has_its_published_root() -> None:
    """The old reference tree of RFC 6962's own implementation."""
    data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    grown = Kept()
    grown.add([tree.leaf_hash(bytes.fromhex(one)) for one in data])
    expected = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert tree.root_hash(grown, 8).hex() == expected


def test_a_leaf_never_hashes_like_a_node() -> None:
    left, right = leaves(2)
    assert tree.leaf_hash(left + right) != tree.node_hash(left, right)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_tiles_grown_in_any_batches_give_the_recursive_root(batches: list[int]) -> None:
    every = leaves(sum(batches))
    grown = Kept()
    for count in batches:
        grown.add(every[grown.size : grown.size + count])
    assert tree.root_hash(grown, grown.size) == recursive_root(every)
    assert {place for place, tile in grown.tiles.items() if len(tile) < 8192} == set(
        tiles.right_edge(grown.size)
    )


BIG = kept(66_000)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_is_proved_for_every_leaf_of_every_earlier_size(data: st.DataObject) -> None:
    """From tiles that have grown since: only what was final at that size may be used."""
    size = data.draw(
        st.one_of(st.integers(1, 66_000), st.sampled_from([1, 255, 256, 257, 65_535, 65_536, 65_537]))
    )
    index = data.draw(st.integers(0, size - 1))
    root = tree.root_hash(BIG, size)
    path = tree.inclusion_proof(BIG, index, size)
    leaf = tree.leaf_hash(b"leaf %d" % index)
    assert tree.verify_inclusion(leaf, index, size, path, root)
    assert not tree.verify_inclusion(leaf, index, size, [*path, root], root)
    spoiled = bytes([leaf[0] ^ 1]) + leaf[1:]
    assert not tree.verify_inclusion(spoiled, index, size, path, root)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_consistency_is_proved_between_any_two_sizes(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, 66_000))
    size1 = data.draw(st.integers(1, size2))
    root1, root2 = tree.root_hash(BIG, size1), tree.root_hash(BIG, size2)
    path = tree.consistency_proof(BIG, size1, size2)
    assert tree.verify_consistency(size1, size2, root1, root2, path)
    if size1 != size2:
        assert not tree.verify_consistency(size1, size2, root2, root1, path)
        assert not tree.verify_consistency(size1, size2, root1, root2, path[:-1])
        assert not tree.verify_consistency(size1, size2, root1, root2, [*path, root1])


def test_roots_of_the_earlier_sizes_agree_with_the_recursive_definition() -> None:
    every = leaves(600)
    grown = kept(600)
    assert all(tree.root_hash(grown, size) == recursive_root(every[:size]) for size in range(601))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_no_proof_for_a_leaf_outside_of_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError):
        tree.inclusion_proof(BIG, index, size)


@pytest.mark.parametrize(("size1", "size2"), [(0, 5), (6, 5), (-1, 2)])
def test_no_consistency_with_an_empty_or_larger_tree(size1: int, size2: int) -> None:
    with pytest.raises(ValueError):
        tree.consistency_proof(BIG, size1, size2)


def test_a_missing_hash_is_noticed_and_never_invented() -> None:
    with pytest.raises(tree.MissingHash):
        tree.root_hash(kept(10), 11)


def test_a_tree_of_seventy_thousand_has_the_tiles_that_c2sp_counts() -> None:
    """C2SP tlog-tiles, section Partial Tiles: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    assert [tiles.partial_width(level, 70_000) for level in (0, 1, 2)] == [112, 17, 1]
    assert tiles.right_edge(70_000) == [(0, 273), (1, 1), (2, 0)]
    assert tiles.right_edge(256) == [(1, 0)]
    assert [tiles.width_served(0, number, 70_000) for number in (0, 272, 273, 274)] == [256, 256, 112, 0]
