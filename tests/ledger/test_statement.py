"""Statements are canonical, hold no field in clear, and come out the same when they are made again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.receipts import Event
from gateway.ledger import statement as statements
from gateway.ledger.statement import Anchor, Draft, commitment, disclosure, draft, sign_statement, statement
from gateway.ledger.verify import LIMIT_STATEMENT_BYTES, b64url, check_statement, es256_ok, unb64url
from keys.signing import FileSigner
from tests.ledger.scene import RECEIPTS

AT = datetime(2026, 11, 22, 0, 54, 53, 530_999, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"]))
integers = st.integers(-(2**53) + 1, 2**53 - 1)
names = st.from_regex("[a-z][a-z0-9_]{0,20}", fullmatch=True)


def made(fields: dict[str, str | int], reason: str | None = None, event: Event = Event.ROUTED) -> Draft:
    return draft(event, "msg-one", AT, fields, reason)


@given(
    st.dictionaries(names, text | integers, max_size=6),
    st.integers(1, 2**53 - 1),
    st.booleans(),
    st.booleans(),
)
def test_a_statement_is_what_rfc_8785_writes_and_what_the_verifier_takes(
    fields: dict[str, str | int], seq: int, has_reason: bool, has_anchor: bool
) -> None:
    one = made(fields, "k11" if has_reason else None)
    anchor = Anchor(1000, "ab" * 32) if has_anchor else None
    encoded = statement(one, "gateway.example", RECEIPTS.kid, seq, "cd" * 32, anchor)
    read = check_statement(encoded)
    assert rfc8785.dumps(read) == encoded
    assert read["time"] == "2026-11-22T00:54:53.530Z"
    assert ("after" in read, "reason" in read) == (has_anchor, has_reason)


@given(names, text | integers)
def test_a_disclosure_is_a_canonical_array_of_salt_name_and_value(name: str, value: str | int) -> None:
    """RFC 9901 section 4.2.1."""
    encoded = unb64url(disclosure(b"s" * 16, name, value))
    assert encoded == rfc8785.dumps([b64url(b"s" * 16), name, value])


def test_the_digest_of_a_disclosure_is_that_of_rfc_9901() -> None:
    """The example of RFC 9901 section 4.2.3."""
    example = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert commitment(example) == "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY"


def test_no_field_stands_in_clear() -> None:
    encoded = statement(made({"sender": "Wearmouth Police", "case": 12345}), "gateway.example", "k", 1, "")
    assert b"Wearmouth" not in encoded
    assert b"sender" not in encoded
    assert b"12345" not in encoded


def test_one_value_is_committed_to_differently_each_time() -> None:
    one, two = made({"sender": "A"}), made({"sender": "A"})
    assert not set(one.digests) & set(two.digests)
    assert one.id != two.id


def test_a_draft_made_again_from_the_same_randomness_is_the_same() -> None:
    def again() -> Draft:
        numbers = iter(range(100))
        return draft(Event.ROUTED, "r", AT, {"a": 1, "b": "x"}, random=lambda n: bytes([next(numbers)]) * n)

    assert again() == again()


def test_an_instant_in_another_zone_is_written_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=1)))
    assert draft(Event.ROUTED, "r", local, {}).time == AT.replace(microsecond=530_000)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"a": 1.5}, TypeError),
        ({"a": None}, TypeError),
        ({"a": True}, TypeError),
        ({"a": ["x"]}, TypeError),
        ({"a": 2**53}, ValueError),
        ({"a": -(2**53)}, ValueError),
        ({"a": "\ud800"}, ValueError),
        ({"_sd": "x"}, ValueError),
        ({"...": "x"}, ValueError),
        ({"Größe": "x"}, ValueError),
        ({"": "x"}, ValueError),
    ],
)
def test_only_plain_names_strings_and_whole_numbers_are_committed_to(
    fields: dict[str, str | int], fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        made(fields)


@pytest.mark.parametrize("reason", ["", "Not Known", "550 5.1.1 <a@b.example>", "a" * 65, "é"])
def test_a_reason_is_a_coarse_code_and_no_text(reason: str) -> None:
    with pytest.raises(ValueError):
        made({}, reason)


@pytest.mark.parametrize("ref", ["", "a b", "pupil@school.example", "x" * 65])
def test_a_ref_is_an_id_and_no_text(ref: str) -> None:
    with pytest.raises(ValueError):
        draft(Event.ROUTED, ref, AT, {})


@pytest.mark.parametrize("event", [event for event in Event if event.needs_reason])
def test_an_event_that_tells_of_a_failure_needs_a_reason(event: Event) -> None:
    with pytest.raises(ValueError):
        made({}, event=event)
    assert made({}, "k11", event).reason == "k11"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError):
        draft(Event.ROUTED, "r", AT.replace(tzinfo=None), {})


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError):
        disclosure(b"s" * 15, "a", "b")


def test_a_statement_that_no_entry_bundle_could_hold_is_refused() -> None:
    """C2SP tlog-tiles gives an entry's length as a uint16."""
    count = LIMIT_STATEMENT_BYTES // 46 + 1
    with pytest.raises(ValueError):
        statement(made({f"f{number}": 1 for number in range(count)}), "gateway.example", "k", 1, "")


def test_the_receipt_is_a_compact_jws_with_exactly_three_members_in_its_header() -> None:
    encoded = statement(made({"a": "b"}), "gateway.example", RECEIPTS.kid, 1, "")
    header, payload, signature = sign_statement(encoded, RECEIPTS).split(".")
    assert json.loads(unb64url(header)) == {"alg": "ES256", "kid": RECEIPTS.kid, "typ": "receipt+jws"}
    assert unb64url(payload) == encoded
    public = RECEIPTS._key.public_key()
    assert es256_ok(public, unb64url(signature), f"{header}.{payload}".encode())


def test_a_repeat_of_a_statement_has_the_same_signature() -> None:
    encoded = statement(made({"a": "b"}), "gateway.example", RECEIPTS.kid, 1, "")
    assert sign_statement(encoded, RECEIPTS) == sign_statement(encoded, RECEIPTS)


def test_a_key_id_that_a_file_name_could_not_hold_is_refused() -> None:
    with pytest.raises(ValueError):
        sign_statement(b"{}", FileSigner.generate("../key", "ES256"))


def test_the_standards_own_event_names_stand_before_ours() -> None:
    assert [event for event in Event if event.is_etsi][-1] is Event.ACCEPTANCE_REJECTION_EXPIRY


def test_every_event_has_a_name_of_its_own_and_says_what_it_does_not_prove() -> None:
    assert len({event.text for event in Event}) == len(Event)
    assert all(Event.named(event.text) is event for event in Event)
    assert all(len(event.meaning.split(";")) == 2 and event.meaning.endswith(".") for event in Event)


def test_a_mail_server_that_took_a_message_never_makes_it_delivered() -> None:
    """K: SMTP 250 is never 'delivered'; only a person's acknowledgement is an acknowledgement."""
    assert "not that it was delivered" in Event.RELAY_TO_NON_ERDS.meaning
    assert [event.text for event in Event if "acknowledged" in event.meaning] == ["ConsignmentAcceptance"]


def test_the_leaf_is_the_statement_and_not_its_signature() -> None:
    """So a receipt can be signed anew with another key without changing the tree."""
    from gateway.ledger.verify import leaf_hash

    encoded = statement(made({}), "gateway.example", "k", 1, "")
    assert leaf_hash(encoded) == hashlib.sha256(b"\x00" + encoded).digest()
    assert statements.LARGEST_INTEGER == 2**53 - 1
