"""A message is read strictly or refused with pointers and coarse codes that show nothing of it (contract section 4)."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from gateway.core.errors import ErrorCode, Refused
from schemas import (
    REGISTRY,
    TYPES,
    Envelope,
    example_path,
    read_message,
    read_object,
    schema_path,
    strict_json,
    write_message,
)
from schemas.people import ChildStatus
from schemas.reading import MOST_ERRORS
from schemas.referral import Referral
from tests.schemas import ABSENT, as_bytes, changed, example, faults, places, put, refusal

SLUGS = sorted(TYPES)


def published(slug: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_path(slug).read_bytes()), format_checker=FormatChecker())


@pytest.mark.parametrize("slug", SLUGS)
def test_every_member_of_an_example_survives_the_round_trip(slug: str) -> None:
    message = read_message(example_path(slug).read_bytes())
    assert json.loads(write_message(message)) == example(slug)
    assert read_message(write_message(message)) == message


@pytest.mark.parametrize("slug", SLUGS)
def test_members_that_may_be_null_may_be_left_out(slug: str) -> None:
    sparse = example(slug)
    for pointer, value in sorted(places(example(slug)), reverse=True):
        if value is None or value == []:
            put(sparse, pointer, ABSENT)
    assert json.loads(write_message(read_message(as_bytes(sparse)))) == example(slug)


def test_a_read_message_is_frozen() -> None:
    message = read_message(example_path("referral").read_bytes())
    with pytest.raises(ValueError, match="frozen"):
        message.reference = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        message.body.children[0].family_name = "Other"


def test_neither_a_message_nor_an_error_about_it_prints_what_was_sent() -> None:
    message: Envelope[Referral] = read_message(example_path("referral").read_bytes())
    child = message.body.children[0]
    assert (repr(message), str(child)) == ("Envelope[Referral]()", "Child()")
    bad = changed(
        "referral", {"/body/children/0/date_of_birth": "SECRET", "/SECRET": "SECRET", "/marking": "SECRET"}
    )
    with pytest.raises(ValueError, match="3 validation errors") as caught:
        REGISTRY["referral", 1].model_validate(bad)
    assert "input_value" not in str(caught.value)
    with pytest.raises(Refused) as refused:
        read_object(bad)
    assert "SECRET" not in repr(
        (refused.value, refused.value.errors, refused.value.detail, refused.value.__cause__)
    )
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"/type": ABSENT}, ("/type", "required")),
        ({"/type": "unheard-of"}, ("/type", "unknown-type")),
        ({"/type": ["referral"]}, ("/type", "unknown-type")),
        ({"/type": None}, ("/type", "unknown-type")),
        ({"/version": ABSENT}, ("/version", "required")),
        ({"/version": 2}, ("/version", "unknown-version")),
        ({"/version": 1.5}, ("/version", "unknown-version")),
        ({"/version": True}, ("/version", "unknown-version")),
        ({"/version": "1"}, ("/version", "unknown-version")),
        ({"/body": ABSENT}, ("/body", "required")),
        ({"/body": []}, ("/body", "wrong-type")),
        ({"/body": None}, ("/body", "wrong-type")),
        ({"/extra": 1}, ("", "unknown-member")),
        ({"/body/children/0/extra": 1}, ("/body/children/0", "unknown-member")),
        ({"/reference": ""}, ("/reference", "bad-format")),
        ({"/reference": " x"}, ("/reference", "bad-format")),
        ({"/reference": "x" * 129}, ("/reference", "too-long")),
        ({"/reference": 7}, ("/reference", "wrong-type")),
        ({"/partnership": "South Tyneside"}, ("/partnership", "bad-format")),
        ({"/incident": "SI-7K3M-9QPX-2E"}, ("/incident", "wrong-check-digit")),
        ({"/incident": "si-7k3m-9qpx-2d"}, ("/incident", "bad-format")),
        ({"/in_reply_to": "SI-7K3M-9QPX-2D"}, ("/in_reply_to", "bad-format")),
        ({"/author": {"name": "A B"}}, ("/author/post", "required")),
        ({"/author/name": "   "}, ("/author/name", "blank")),
        ({"/author/name": ""}, ("/author/name", "blank")),
        ({"/author/name": "A\nB"}, ("/author/name", "control-character")),
        ({"/author/name": "A\x7fB"}, ("/author/name", "control-character")),
        ({"/author/name": "A\u202eB"}, ("/author/name", "bidi-control")),
        ({"/author/name": "A\u2066B"}, ("/author/name", "bidi-control")),
        ({"/author/name": "A" * 201}, ("/author/name", "too-long")),
        ({"/lawful_basis": ABSENT}, ("/lawful_basis", "required")),
        ({"/lawful_basis": "because"}, ("/lawful_basis", "not-in-vocabulary")),
        ({"/lawful_basis": None}, ("/lawful_basis", "not-in-vocabulary")),
        ({"/marking": "official-sensitive"}, ("/marking", "not-in-vocabulary")),
        ({"/created_at": "2026-11-02T09:40:00"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-02-30T09:40:00Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-11-02T09:40:60Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-11-02T24:00:00Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "1899-12-31T23:59:59Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2101-01-01T00:00:00Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-11-02 09:40:00Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-11-02T09:40:00Z\n"}, ("/created_at", "bad-instant")),
        ({"/created_at": "2026-11-02T09:40:00+15:00"}, ("/created_at", "bad-instant")),
        ({"/created_at": "20261102T094000Z"}, ("/created_at", "bad-instant")),
        ({"/created_at": 1793612400}, ("/created_at", "wrong-type")),
        ({"/attachments": [{"id": "att-x", "sha256": "0" * 64}]}, ("/attachments/0/id", "bad-format")),
        ({"/attachments": {}}, ("/attachments", "wrong-type")),
        ({"/attachments": "att"}, ("/attachments", "wrong-type")),
        ({"/do_not_contact": [{"reason": "x"}]}, ("/do_not_contact/0/agency", "required")),
        (
            {"/do_not_contact": [{"role": "king", "reason": "x"}]},
            ("/do_not_contact/0/role", "not-in-vocabulary"),
        ),
        ({"/do_not_contact": [{"role": "dsl"}]}, ("/do_not_contact/0/reason", "required")),
        ({"/body/children": []}, ("/body/children", "too-few")),
        ({"/body/incident/ongoing": 0}, ("/body/incident/ongoing", "wrong-type")),
        ({"/body/incident/ongoing": "false"}, ("/body/incident/ongoing", "wrong-type")),
        ({"/body/incident/description": "a\rb"}, ("/body/incident/description", "control-character")),
        ({"/body/incident/description": "a\u202ab"}, ("/body/incident/description", "bidi-control")),
        ({"/body/incident/description": " \n\t "}, ("/body/incident/description", "blank")),
        ({"/body/incident/description": "x" * 20_001}, ("/body/incident/description", "too-long")),
        ({"/body/agencies_involved": ["a", "a"]}, ("/body/agencies_involved", "duplicate-item")),
        ({"/body/agencies_involved": ["a b"]}, ("/body/agencies_involved/0", "bad-format")),
    ],
)
def test_a_fault_has_its_pointer_and_its_code(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert faults(changed("referral", changes)) == [expected]


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("2026-11-02T09:40:00Z", "2026-11-02T09:40:00Z"),
        ("2026-11-02T09:40Z", "2026-11-02T09:40:00Z"),
        ("2026-06-02T10:40:00+01:00", "2026-06-02T09:40:00Z"),
        ("2026-11-02T09:40:00.25Z", "2026-11-02T09:40:00.250000Z"),
        ("2026-11-02T09:40:00.1234567Z", "2026-11-02T09:40:00.123456Z"),
        ("2026-10-25T01:30:00+01:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25T01:30:00Z"),
    ],
)
def test_an_instant_is_taken_with_its_offset_and_becomes_utc(sent: str, understood: str) -> None:
    message = read_message(as_bytes(changed("dsl-letter", {"/created_at": sent})))
    assert json.loads(write_message(message))["created_at"] == understood


def test_a_message_made_by_the_house_keeps_the_same_rules() -> None:
    made = {
        **example("chase"),
        "created_at": datetime(2026, 11, 11, 18, 0, 30, tzinfo=timezone(timedelta(hours=1))),
        "body": {**example("chase")["body"], "due_on": date(2026, 11, 11)},
    }
    message = REGISTRY["chase", 1].model_validate(made)
    assert json.loads(write_message(message)) == example("chase")
    with pytest.raises(ValueError, match="no-offset"):
        REGISTRY["chase", 1].model_validate({**made, "created_at": datetime(2026, 11, 11, 17)})
    with pytest.raises(ValueError, match="wrong-type"):
        REGISTRY["chase", 1].model_validate({**made, "body": {**made["body"], "due_on": made["created_at"]}})


def test_names_are_kept_exactly_as_sent() -> None:
    for name in ["Zoe\u0308", "Zoë", "José María O’Brien-Smith", "محمد", "Nguyễn Thị", "李小龍", " padded "]:
        message = read_message(as_bytes(changed("referral", {"/body/children/0/given_names": name})))
        assert message.body.children[0].given_names == name


def test_an_unknown_member_is_reported_where_it_stands_without_its_name() -> None:
    assert faults(changed("referral", {"/body/tommy_testington": 1})) == [("/body", "unknown-member")]


def test_a_message_full_of_faults_is_answered_with_a_few() -> None:
    many = changed("referral", {"/body/children": [{"statuses": [number]} for number in range(26)]})
    assert len(faults(many)) == MOST_ERRORS


def test_an_answer_says_what_it_answers() -> None:
    assert faults(changed("acknowledgement", {"/in_reply_to": None})) == [("/in_reply_to", "required")]


def test_one_types_body_is_not_taken_under_another_types_name() -> None:
    mixed = changed("referral", {"/type": "chase"})
    assert ("/body", "unknown-member") in faults(mixed)
    with pytest.raises(ValueError, match="1 validation error"):
        REGISTRY["referral", 1].model_validate(mixed)
    with pytest.raises(ValueError, match="unknown-version"):
        REGISTRY["referral", 1].model_validate(changed("referral", {"/version": 2}))


def test_statuses_are_a_list_of_words_and_nothing_that_looks_like_one() -> None:
    assert (
        ChildStatus.CHILD_IN_NEED
        in read_message(example_path("referral").read_bytes()).body.children[0].statuses
    )
    for wrong in ["child-in-need", {"child-in-need": True}, [["child-in-need"]], [True]]:
        [(pointer, code), *_] = faults(changed("referral", {"/body/children/0/statuses": wrong}))
        assert pointer.startswith("/body/children/0/statuses")
        assert code in {"wrong-type", "not-in-vocabulary"}


HOSTILE = [
    None, True, False, 0, 1, -1, 10**15, 1.5, "", "x", " ", "\t", "a\u202eb", "present", "yes", "dsp-la", "nil", "9990000018",
    "2026-11-02", "2026-13-41", "2026-11-02T09:40:00Z", "SI-7K3M-9QPX-2D", "x" * 30_000, [], ["x"], [None], {}, {"x": 1}, ABSENT,
]  # fmt: skip
LATER_ITEM = re.compile(r"/[1-9][0-9]*(/|$)")
BEYOND_THE_SCHEMA = {  # relations and check digits that JSON Schema cannot say
    "wrong-check-digit", "before-incident", "before-start", "before-meeting", "in-the-future", "expected-but-not-unborn",
    "each-seat-once", "bad-date", "bad-instant", "not-of-this-review", "names-no-parent", "may-identify-someone",
}  # fmt: skip


@pytest.mark.parametrize("slug", SLUGS)
def test_published_schema_and_model_take_and_refuse_the_same(slug: str) -> None:
    """One member at a time is replaced by each hostile value, left out, or joined by a stranger; of a list the first item."""
    schema = published(slug)
    for pointer in (place for place, _ in places(example(slug)) if not LATER_ITEM.search(place)):
        for value in HOSTILE:
            if pointer in {"/type", "/version"} or (value is ABSENT and pointer.rsplit("/", 1)[1].isdigit()):
                continue
            message = changed(slug, {pointer: value})
            found = faults(message)
            beyond = {code for _, code in found} <= BEYOND_THE_SCHEMA or found == [
                ("/body/children/0/family_name", "required")
            ]
            assert schema.is_valid(message) == (not found) or (schema.is_valid(message) and beyond), (
                pointer,
                found,
            )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200)
@given(st.data())
def test_any_value_anywhere_is_taken_or_refused_and_never_crashes(data: st.DataObject) -> None:
    slug = data.draw(st.sampled_from(SLUGS))
    pointer = data.draw(st.sampled_from([pointer for pointer, _ in places(example(slug))]))
    refused = refusal(as_bytes(changed(slug, {pointer: data.draw(JSON_VALUES)})))
    if refused is not None:
        assert refused.code in {ErrorCode.INVALID_MESSAGE, ErrorCode.MALFORMED_JSON}
        assert 1 <= len(refused.errors) <= MOST_ERRORS
        assert "invalid" not in {error.code for error in refused.errors}


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    """JSON Schema 2020-12 section 6.1.1: what the published schema takes is taken here, and 1.5 by neither."""
    for version in (1.0, 1e0):
        assert faults(changed("referral", {"/version": version})) == []
    assert strict_json.parse(b'{"count": 14.0, "share": 0.5, "large": 1e300}') == {
        "count": 14,
        "share": 0.5,
        "large": 1e300,
    }
    assert type(strict_json.parse(b'{"count": 14.0}')["count"]) is int
