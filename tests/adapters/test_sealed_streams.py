"""A sealed stream opens whole and in order or not at all: nothing in it can be changed, moved, repeated, cut or added."""

from __future__ import annotations

import pytest

from keys.sealing import CannotOpen, DataKey, StreamKey, new_secret

LABEL = "attachment:att-one"


@pytest.fixture
def key() -> DataKey:
    return DataKey("piece-1", new_secret())


def sealed(stream: StreamKey) -> list[bytes]:
    return [stream.seal(number, b"chunk %d" % number, number == 2) for number in range(3)]


def test_a_stream_opens_in_its_order(key: DataKey) -> None:
    stream = key.stream(LABEL)
    chunks = sealed(stream)
    assert [stream.open(n, one, n == 2) for n, one in enumerate(chunks)] == [
        b"chunk 0",
        b"chunk 1",
        b"chunk 2",
    ]


@pytest.mark.parametrize(
    ("place", "taken_from", "is_last"), [(0, 1, False), (1, 0, False), (1, 1, True), (2, 2, False)]
)
def test_a_chunk_opens_in_its_own_place_only(
    key: DataKey, place: int, taken_from: int, is_last: bool
) -> None:
    chunks = sealed(key.stream(LABEL))
    with pytest.raises(CannotOpen):
        key.stream(LABEL).open(place, chunks[taken_from], is_last)


def test_a_changed_chunk_another_stream_and_another_key_do_not_open(key: DataKey) -> None:
    first = sealed(key.stream(LABEL))[0]
    for stream, chunk in (
        (key.stream(LABEL), bytes([first[0] ^ 1]) + first[1:]),
        (key.stream(LABEL), first[:-1]),
        (key.stream(LABEL), b""),
        (key.stream("attachment:att-two"), first),
        (DataKey("piece-2", new_secret()).stream(LABEL), first),
    ):
        with pytest.raises(CannotOpen):
            stream.open(0, chunk, False)


def test_two_streams_of_one_key_share_no_keystream(key: DataKey) -> None:
    """Their nonces are the same numbers, so their keys must differ."""
    one, two = (key.stream(label).seal(0, bytes(64), False) for label in ("a", "b"))
    assert one != two
    assert "secret" not in repr(key.stream(LABEL))
