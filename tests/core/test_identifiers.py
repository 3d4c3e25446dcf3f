"""Identifiers are checked by the published rules, and ours carry a typing check (domain section 7, contract section 4)."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import identifiers as ids

REFERENCES = st.binary(min_size=5, max_size=5).map(ids.make_incident_id)


@pytest.mark.parametrize(
    "number",
    [
        "9990000018",
        "9990000026",
        "9990000034",
        "9990000042",
        "9990000050",
        "9990000069",
        "9990000077",
        "9990000085",
    ],
)
def test_nhs_numbers_of_the_never_issued_range_pass(number: str) -> None:
    assert ids.is_nhs_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "9991234560",  # the check digit would have to be 10
        "9990000000",
        "9990000019",
        "999000001",
        "99900000188",
        "999 000 0018",
        "9990000018\n",
        "",
        "٩٩٩٠٠٠٠٠١٨",
    ],
)
def test_an_nhs_number_with_a_wrong_check_digit_or_shape_is_refused(number: str) -> None:
    assert not ids.is_nhs_number(number)


@given(st.integers(0, 999_999_999), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_in_an_nhs_number_is_always_seen(stem: int, place: int, change: int) -> None:
    digits = f"{stem:09}"
    valid = [digits + str(check) for check in range(10) if ids.is_nhs_number(digits + str(check))]
    assert len(valid) <= 1
    for number in valid:
        wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
        assert not ids.is_nhs_number(wrong)


def test_an_nhs_number_typed_in_groups_is_stored_as_digits() -> None:
    assert ids.normalise_nhs_number("999 000 0018") == "9990000018"
    assert ids.normalise_nhs_number("999-000-0018") == "9990000018"
    assert ids.normalise_nhs_number("999 000 0019") is None


@pytest.mark.parametrize("upn", ["B801200005001", "P207000016049", "B211123426002", "E39340212600A"])
def test_published_pupil_numbers_pass(upn: str) -> None:
    assert ids.is_upn(upn)


@pytest.mark.parametrize(
    "upn",
    [
        "Q207000016049",  # a vendor's page gives Q; the standard's own arithmetic gives P
        "I801200005001",
        "b801200005001",
        "B80120000500",
        "B8012000050011",
        "B80120000500S",
        "",
    ],
)
def test_a_pupil_number_with_a_wrong_check_letter_or_shape_is_refused(upn: str) -> None:
    assert not ids.is_upn(upn)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (ids.is_school_urn, ["999901", "100000"], ["99990", "9999011", "99990A", "999901\n", "९९९९०१"]),
        (ids.is_ods_code, ["QHM", "RTF", "A1B2C3"], ["QH", "qhm", "A1B2C3D", "QH M"]),
        (ids.is_police_force_code, ["E23000007"], ["E22000007", "E2300007", "e23000007"]),
        (
            ids.is_local_authority_code,
            [
                "393",
                "831",
                "E08000023",
                "E06000015",
                "E09000030",
                "E10000014",
                "W06000015",
                "S12000033",
                "N09000003",
            ],
            ["39", "3933", "E23000007", "E0800002", "e08000023", "South Tyneside"],
        ),
        (
            partial(re.fullmatch, ids.POSTCODE_PATTERN),
            [
                "NE33 1AA",
                "SW1A 1AA",
                "M1 1AE",
                "EC1A 1BB",
                "W1A 0AX",
                "B33 8TH",
                "CR2 6XH",
                "DN55 1PT",
                "GIR 0AA",
            ],
            ["NE331AA", "ne33 1aa", "NE33 1A", "NE33  1AA", "QE33 1AA", "NE33 1CA", "", "NE33 1AA\n"],
        ),
    ],
)
def test_shapes(check: object, good: list[str], bad: list[str]) -> None:
    assert callable(check)
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []


def test_the_examples_that_the_contract_prints_are_valid() -> None:
    assert ids.is_incident_id("SI-7K3M-9QPX-2D")
    assert ids.normalise_reference("SG-7K3M-9QPX-2D") == "SG-7K3M-9QPX-2D"
    assert not ids.is_incident_id("SG-7K3M-9QPX-2D")


@pytest.mark.parametrize(
    "typed",
    [
        "si-7k3m-9qpx-2d",
        "SI 7K3M 9QPX 2D",
        "  si7k3m9qpx2d ",
        "SI–7K3M–9QPX–2D",
        "S1-7K3M-9QPX-2D",
        "SI\u00a07K3M-9QPX-2D",
    ],
)
def test_a_reference_is_understood_as_people_type_it(typed: str) -> None:
    assert ids.normalise_reference(typed) == "SI-7K3M-9QPX-2D"
    assert not ids.is_incident_id(typed)


@given(st.binary(min_size=5, max_size=5))
def test_letters_that_look_like_digits_are_read_as_digits(random_bytes: bytes) -> None:
    reference = ids.make_letter_reference(random_bytes)
    typed = reference[:3] + reference[3:].replace("0", "o").replace("1", "l")
    assert ids.normalise_reference(typed) == reference


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "SI",
        "SI-7K3M-9QPX-2E",
        "SI-7K3M-9QPX",
        "XX-7K3M-9QPX-2D",
        "SI-7U3M-9QPX-2D",
        "SI-7K3M-9QPX-2D" * 9,
        "ſi7k3m9qpx2d",
    ],
)
def test_what_is_not_a_reference_is_none(typed: str) -> None:
    assert ids.normalise_reference(typed) is None


@given(REFERENCES)
def test_made_references_have_the_published_shape_and_check(reference: str) -> None:
    assert re.fullmatch(ids.INCIDENT_PATTERN, reference)
    assert re.fullmatch(ids.REFERENCE_PATTERN, reference)
    assert ids.is_incident_id(reference)


@given(
    REFERENCES, st.sampled_from([3, 4, 5, 6, 8, 9, 10, 11, 13, 14]), st.sampled_from(ids.REFERENCE_ALPHABET)
)
def test_one_wrong_symbol_in_a_reference_is_always_seen(reference: str, place: int, symbol: str) -> None:
    wrong = reference[:place] + symbol + reference[place + 1 :]
    assert (ids.normalise_reference(wrong) is None) == (wrong != reference)


@given(REFERENCES, st.integers(0, 8))
def test_two_neighbours_swapped_in_a_reference_are_always_seen(reference: str, place: int) -> None:
    symbols = reference[3:].replace("-", "")
    swapped = symbols[:place] + symbols[place + 1] + symbols[place] + symbols[place + 2 :]
    assert (ids.normalise_reference("SI" + swapped) is None) == (swapped != symbols)


def test_different_random_bytes_make_different_references_and_ids() -> None:
    stems = [number.to_bytes(5, "big") for number in range(0, 2**40, 2**30 + 12345)]
    assert len({ids.make_incident_id(stem) for stem in stems}) == len(stems)
    assert ids.make_incident_id(b"\xff" * 5).startswith("SI-ZZZZ-ZZZZ-")


@pytest.mark.parametrize("kind", list(ids.IdKind))
def test_a_random_id_is_its_prefix_and_26_symbols(kind: ids.IdKind) -> None:
    made = ids.make_id(kind, bytes(range(16)))
    assert made == f"{kind.value}-aaaqeayeaudaocajbifqydiob4"
    assert ids.is_id(kind, made)
    assert not any(ids.is_id(other, made) for other in ids.IdKind if other is not kind)
    assert not ids.is_id(kind, made + "\n")


@pytest.mark.parametrize("size", [0, 4, 6, 15, 17])
def test_too_little_or_too_much_randomness_is_a_fault_of_the_caller(size: int) -> None:
    with pytest.raises(ValueError, match="exactly 16"):
        ids.make_id(ids.IdKind.MESSAGE, b"x" * size)
    with pytest.raises(ValueError, match="exactly 5"):
        ids.make_incident_id(b"x" * size)
