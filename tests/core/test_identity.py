"""Which identities look alike, and what is said for and against it (G-05)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.identity import (
    Birth,
    Identity,
    Kind,
    Likeness,
    Sign,
    Strength,
    birth_forms,
    child_letter,
    forms_to_keep,
    forms_to_look_for,
    is_same_child,
    judge,
    normalised,
    sound,
    surname_forms,
)

BORN_ON, DAY = date(2019, 3, 12), date(2026, 10, 30)
ONE, ANOTHER = "9990000018", "9990000026"


def child(**changes: object) -> Identity:
    known = {"given_names": "Elowen", "family_name": "Testington", "born_on": BORN_ON}
    return Identity(**(known | changes))  # type: ignore[arg-type]


def compare(
    ours: Identity, theirs: Identity, our_day: date | None = None, their_day: date | None = None
) -> Likeness | None:
    """As the index does, without its key."""
    sought, kept = forms_to_look_for(ours, our_day), forms_to_keep(theirs, their_day)
    signs = {sought[form] for form in kept if form in sought}
    return judge(signs, {f.kind for f in forms_to_keep(ours, our_day)}, {f.kind for f in kept})


def reasons(ours: Identity, theirs: Identity) -> set[str]:
    found = compare(ours, theirs)
    return set(found.reasons) if found else set()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("O'Brien", "obrien"),
        ("O’BRIEN", "obrien"),
        ("Núñez-Łukasz", "nunez lukasz"),
        ("Strauß", "strauss"),
        ("  Smith  –  Jones ", "smith jones"),
        ("Sørensen", "sorensen"),
        ("İnce", "ince"),
        ("", ""),
    ],
)
def test_case_accents_apostrophes_and_hyphens_make_no_difference(name: str, plain: str) -> None:
    assert normalised(name) == plain


def test_each_part_of_a_double_barrelled_surname_is_a_form_and_particles_are_not() -> None:
    assert surname_forms("Smith-Jones") == ("smithjones", "smith", "jones")
    assert surname_forms("van der Berg") == ("vanderberg", "berg")
    assert surname_forms("O Brien")[0] == surname_forms("O'Brien")[0] == "obrien"
    assert surname_forms("Mc Donald")[0] == surname_forms("McDonald")[0]


@pytest.mark.parametrize(
    ("one", "other"), [("smith", "smyth"), ("wright", "rite"), ("mohammed", "muhammad"), ("clark", "clarke")]
)
def test_surnames_that_sound_alike_have_one_code(one: str, other: str) -> None:
    assert sound(one) == sound(other)


def test_a_name_in_another_script_is_found_as_it_is_written_and_has_no_sound() -> None:
    assert sound(normalised("محمد")) is None
    assert "same-surname" in reasons(child(family_name="محمد"), child(family_name="محمد"))


def test_a_date_of_birth_is_found_with_day_and_month_or_neighbouring_digits_exchanged() -> None:
    forms = birth_forms(BORN_ON)
    assert forms[BORN_ON] is Birth.SAME
    assert forms[date(2019, 12, 3)] is Birth.TRANSPOSED
    assert forms[date(2019, 3, 21)] is Birth.SLIPPED
    assert forms[date(2091, 3, 12)] is Birth.SLIPPED
    assert len(forms) < 9


def test_the_same_nhs_number_is_strong_whatever_else_differs() -> None:
    found = compare(
        child(nhs_number=ONE), child(nhs_number=ONE, family_name="Sample", born_on=date(2011, 1, 1))
    )
    assert found == Likeness(Strength.STRONG, ("same-nhs-number", "name-or-date-of-birth-differs"))


def test_the_same_nhs_number_with_the_same_name_has_nothing_against_it() -> None:
    found = compare(child(nhs_number=ONE), child(nhs_number=ONE))
    assert found == Likeness(Strength.STRONG, ("same-nhs-number", "same-surname", "same-date-of-birth"))


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"family_name": "TESTINGTON"}, {"same-surname", "same-date-of-birth"}),
        ({"family_name": "Sample-Testington"}, {"same-surname", "same-date-of-birth"}),
        (
            {"family_name": "Sample", "other_names": ("Elowen Testington",)},
            {"same-surname", "same-date-of-birth"},
        ),
        ({"born_on": date(2019, 12, 3)}, {"same-surname", "day-and-month-exchanged"}),
        ({"born_on": date(2019, 3, 21)}, {"same-surname", "digits-of-date-of-birth-exchanged"}),
        ({"family_name": "Testingdon"}, {"surname-sounds-alike", "same-date-of-birth"}),
        (
            {"family_name": "Elowen", "given_names": "Testington"},
            {"names-in-other-order", "same-date-of-birth"},
        ),
    ],
)
def test_a_birth_with_a_surname_is_likely_though_spelled_or_transposed_otherwise(
    theirs: dict[str, object], said: set[str]
) -> None:
    found = compare(child(), child(**theirs))
    assert found is not None
    assert found.strength is Strength.LIKELY
    assert set(found.reasons) == said


@pytest.mark.parametrize(
    "theirs",
    [
        {"family_name": "Sample"},
        {"born_on": date(2018, 7, 9)},
        {"born_on": None},
        {"family_name": "Sample", "given_names": "Testington"},
        {"family_name": None, "given_names": None},
    ],
)
def test_a_birth_alone_or_a_surname_alone_means_nothing(theirs: dict[str, object]) -> None:
    assert compare(child(), child(**theirs)) is None


def test_the_day_of_the_incident_with_a_birth_or_a_surname_is_likely() -> None:
    by_birth = compare(child(), child(family_name="Sample"), DAY, DAY)
    assert by_birth == Likeness(Strength.LIKELY, ("same-date-of-birth", "same-incident-date"))
    by_name = compare(child(born_on=None), child(born_on=None), DAY, DAY)
    assert by_name == Likeness(Strength.LIKELY, ("same-surname", "same-incident-date"))
    assert compare(child(), child(family_name="Sample", born_on=None), DAY, DAY) is None


def test_twins_are_likely_and_it_is_said_that_their_nhs_numbers_and_given_names_differ() -> None:
    found = compare(child(nhs_number=ONE), child(nhs_number=ANOTHER, given_names="Rowan"))
    assert found is not None
    assert found.strength is Strength.LIKELY
    assert {"nhs-numbers-differ", "given-names-differ"} <= set(found.reasons)
    assert not is_same_child(found)


def test_another_incident_of_the_same_child_is_told_by_its_day() -> None:
    found = compare(child(nhs_number=ONE), child(nhs_number=ONE), DAY, date(2024, 2, 2))
    assert found is not None
    assert "incident-dates-differ" in found.reasons


def test_a_missing_nhs_number_speaks_against_nothing() -> None:
    assert "nhs-numbers-differ" not in reasons(child(nhs_number=ONE), child())


def test_no_sign_is_no_likeness() -> None:
    assert judge(set(), set(Kind), set(Kind)) is None
    assert judge({Sign(Kind.GIVEN, Birth.SAME)}, set(Kind), set(Kind)) is None


def test_children_beyond_the_alphabet_get_two_letters() -> None:
    assert [child_letter(number) for number in (0, 1, 25, 26, 27, 51, 52)] == [
        "a",
        "b",
        "z",
        "aa",
        "ab",
        "az",
        "ba",
    ]


def test_neither_identity_nor_form_shows_what_it_holds() -> None:
    shown = repr(child(nhs_number=ONE)) + repr(forms_to_keep(child(nhs_number=ONE), DAY))
    assert not [word for word in ("Elowen", "elowen", "testington", ONE, "2019") if word in shown]


letters = st.sampled_from("abcdefghijklmnopqrstuvwxyzÀÉñöø'’- ")
names = st.text(letters, max_size=14)
births = st.dates(date(1990, 1, 1), date(2030, 12, 31))
identities = st.builds(
    Identity,
    st.none() | names,
    st.none() | names,
    st.lists(names, max_size=2).map(tuple),
    st.none() | st.sampled_from([BORN_ON, date(2019, 12, 3), date(2019, 3, 21)]) | births,
    st.none() | st.sampled_from([ONE, ANOTHER]),
)


@given(identities, identities)
def test_being_alike_is_mutual(one: Identity, other: Identity) -> None:
    there, back = compare(one, other, DAY, DAY), compare(other, one, DAY, DAY)
    assert (there is None) == (back is None)
    if there and back:
        assert there.strength is back.strength


@given(identities)
def test_whoever_can_be_found_is_found_as_they_are(one: Identity) -> None:
    if one.nhs_number or (one.born_on and surname_forms(one.family_name or "")):
        found = compare(one, one)
        assert found is not None
        assert not {"nhs-numbers-differ", "given-names-differ", "name-or-date-of-birth-differs"} & set(
            found.reasons
        )


@given(births)
def test_a_form_of_a_date_has_that_date_among_its_own(born_on: date) -> None:
    for other, birth in birth_forms(born_on).items():
        assert birth_forms(other)[born_on] is birth


@given(names)
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)
    assert normalised(name.upper()) == normalised(name.lower()) == normalised(name)
