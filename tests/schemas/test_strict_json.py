"""JSON has one reading here or none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import ErrorCode, Refused
from schemas.strict_json import DEEPEST_LEVEL, LARGEST_INTEGER, parse


def refusal(raw: bytes) -> str:
    with pytest.raises(Refused) as caught:
        parse(raw)
    assert caught.value.code is ErrorCode.MALFORMED_JSON
    [error] = caught.value.errors
    assert error.pointer == ""
    return error.code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not-json"),
        (b" ", "not-json"),
        (b"{", "not-json"),
        (b'{"a":1,}', "not-json"),
        (b"{'a':1}", "not-json"),
        (b'{"a":1} {"b":2}', "not-json"),
        (b'{"a":01}', "not-json"),
        (b'{"a":+1}', "not-json"),
        (b'{"a":"line\nbreak"}', "not-json"),
        (b'{"a":"\x00"}', "not-json"),
        (b'{"a":1}\x00', "not-json"),
        (b'{"a":"\\x41"}', "not-json"),
        (b'{"a": /* no */ 1}', "not-json"),
        (b'{"a":NaN}', "not-json"),
        (b'{"a":Infinity}', "not-json"),
        (b'{"a":[-Infinity]}', "not-json"),
        (b'\xef\xbb\xbf{"a":1}', "byte-order-mark"),
        ('{"a":1}'.encode("utf-16"), "not-utf-8"),
        ('{"a":1}'.encode("utf-16-le"), "not-json"),
        ('{"a":1}'.encode("utf-32-be"), "not-json"),
        (b'{"a":"\xff"}', "not-utf-8"),
        (b'{"a":"\xc0\x80"}', "not-utf-8"),  # NUL in two bytes
        (b'{"a":"\xed\xa0\x80"}', "not-utf-8"),  # half a surrogate pair in three bytes
        (b'{"a":"caf\xe9"}', "not-utf-8"),
        (b'{"a":1,"a":1}', "duplicate-member"),
        (b'{"a":1,"\\u0061":2}', "duplicate-member"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "duplicate-member"),
        (b'{"a":1e400}', "number-out-of-range"),
        (b'{"a":-1e400}', "number-out-of-range"),
        (b'{"a":9007199254740992}', "number-out-of-range"),
        (b'{"a":-9007199254740992}', "number-out-of-range"),
        (b'{"a":' + b"9" * 100_000 + b"}", "number-out-of-range"),
        (b'{"a":"\\u0000"}', "nul-character"),
        (b'{"\\u0000":1}', "nul-character"),
        (b'{"a":["x\\ud800y"]}', "lone-surrogate"),
        (b'{"a":"\\udc00\\ud800"}', "lone-surrogate"),
        (b'{"\\uDFFF":1}', "lone-surrogate"),
        (b"[]", "not-an-object"),
        (b'"text"', "not-an-object"),
        (b"null", "not-an-object"),
        (b"1", "not-an-object"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "too-deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too-deep"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too-deep"),
        (b"[" * 200_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw) == code


def test_the_bounds_themselves_are_taken() -> None:
    deep = b'{"a":' + b"[" * (DEEPEST_LEVEL - 1) + b"]" * (DEEPEST_LEVEL - 1) + b"}"
    assert parse(deep)
    assert parse(b'{"a":9007199254740991,"b":-9007199254740991}') == {
        "a": LARGEST_INTEGER,
        "b": -LARGEST_INTEGER,
    }


def test_many_shallow_values_are_not_deep() -> None:
    wide = {"a": [{"b": [number]} for number in range(500)]}
    assert parse(json.dumps(wide).encode()) == wide


def test_escapes_of_ordinary_characters_and_of_whole_pairs_are_taken() -> None:
    assert parse(b'{"a":"\\u00e9\\ud83d\\ude00 \\\\u0000"}') == {"a": "é😀 \\u0000"}


def test_text_is_kept_as_sent_and_not_normalised() -> None:
    decomposed = "Zoe\u0308"
    assert parse(json.dumps({"a": decomposed}, ensure_ascii=False).encode())["a"] == decomposed


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
def test_strict_json_is_read_as_any_reader_reads_it(value: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    if "\\u0000" in text or "\x00" in repr(value):
        return
    assert parse(text.encode("utf-8")) == value


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0d8e1-.NaIfty \x00é', max_size=60).map(str.encode)
)
@example(b'{"a":"\\ud83d"}')
def test_hostile_bytes_are_refused_or_read_and_never_crash(raw: bytes) -> None:
    try:
        value: object = parse(raw)
    except Refused as refused:
        value = refused
    assert isinstance(value, dict) or (isinstance(value, Refused) and value.code is ErrorCode.MALFORMED_JSON)
