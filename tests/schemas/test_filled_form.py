"""What a form asks is what the schema has; what was typed becomes the same message, or a fault that says where and shows nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.actions.message_in_mail import BY_MAIL
from gateway.core.errors import FieldError
from schemas import TYPES, example_path, read_object
from schemas.filled_form import document_of, values_of
from schemas.form_fields import sections_of


def example(slug: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(example_path(slug).read_text("utf-8"))
    return {name: value for name, value in found.items() if name != "attachments"}


@pytest.mark.parametrize("slug", sorted(BY_MAIL | {"triage-decision", "meeting-notice"}))
def test_a_message_written_into_its_form_comes_back_the_same(slug: str) -> None:
    wanted = example(slug)
    typed = {name: value for name, value in values_of(wanted).items() if name not in ("/type", "/version")}
    document, faults = document_of(slug, 1, typed)
    assert faults == ()
    assert read_object(document) == read_object(wanted)


def test_every_type_has_a_form_with_each_field_once() -> None:
    for slug in sorted(TYPES):
        fields = [field for section in sections_of(slug) for field in section.fields]
        assert len({field.pointer for field in fields}) == len(fields) > 5, slug
        assert not [field for field in fields if field.pointer.startswith("/attachments")]


@pytest.mark.parametrize(
    ("pointer", "typed", "value"),
    [
        ("/body/children/0/date_of_birth", "3/9/2018", "2018-09-03"),
        ("/body/children/0/date_of_birth", "03.09.2018", "2018-09-03"),
        ("/body/children/0/date_of_birth", "2018-09-03", "2018-09-03"),
        ("/created_at", "05/10/2026 09:30", "2026-10-05T09:30:00+01:00"),
        ("/created_at", "05/12/2026 at 9.30", "2026-12-05T09:30:00+00:00"),
        ("/created_at", "2026-10-05T09:30:00+01:00", "2026-10-05T09:30:00+01:00"),
        ("/body/children/0/nhs_number", "999 000 0018", "9990000018"),
        ("/body/children/0/postcode", "ne33 1aa", "NE33 1AA"),
        ("/body/incident/nature", "Serious Harm", "serious-harm"),
        ("/body/other_agencies", "The Hub\r\n\r\nA Charity", ["The Hub", "A Charity"]),
        ("/body/incident/ongoing", "YES", True),
    ],
)
def test_what_a_person_types_becomes_the_value_meant(pointer: str, typed: str, value: object) -> None:
    document, faults = document_of("referral", 1, {pointer: typed})
    assert faults == ()
    at: Any = document
    for part in pointer.strip("/").split("/"):
        at = at[int(part)] if part.isdigit() else at[part]
    assert at == value


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ({"/body/children/0/date_of_birth": "31/02/2020"}, ("/body/children/0/date_of_birth", "bad-date")),
        ({"/body/children/0/date_of_birth": "03/09/18"}, ("/body/children/0/date_of_birth", "bad-date")),
        ({"/created_at": "25/10/2026 01:30"}, ("/created_at", "bad-instant")),  # comes twice
        ({"/created_at": "29/03/2026 01:30"}, ("/created_at", "bad-instant")),  # never comes
        ({"/created_at": "yesterday"}, ("/created_at", "bad-instant")),
        ({"/marking": "TOP SECRET"}, ("/marking", "not-in-vocabulary")),
        (
            {"/body/incident/nature#death": True, "/body/incident/nature#serious-harm": True},
            ("/body/incident/nature", "one-of"),
        ),
        ({"/body/children/0/related_people/0/age_years": "nine"}, ("/body/children/0/related_people/0/age_years", "wrong-type")),
        ({"/body/robin-was-hit": "x"}, ("", "unknown-member")),
        ({"/body/children/40/given_names": "x"}, ("", "unknown-member")),
    ],
)  # fmt: skip
def test_nothing_is_guessed_and_no_fault_repeats_what_was_typed(
    typed: dict[str, str | bool], fault: tuple[str, str]
) -> None:
    _, faults = document_of("referral", 1, typed)
    assert faults == (FieldError(*fault),)


def test_what_is_empty_is_absent_and_a_place_left_out_closes_up() -> None:
    document, faults = document_of(
        "referral",
        1,
        {
            "/body/children/1/given_names": "Robin",
            "/body/children/0/given_names": "  ",
            "/body/incident/nature#death": False,
        },
    )
    assert (document["body"], faults) == ({"children": [{"given_names": "Robin"}]}, ())


@pytest.mark.parametrize("slug", sorted(TYPES))
def test_no_form_tells_people_what_is_said_to_developers(slug: str) -> None:
    """Paper, PDF and page have the schema's own descriptions; "slug" and an RFC's number help nobody with a pen."""
    told = " ".join(field.told for section in sections_of(slug) for field in section.fields)
    assert "slug" not in told
    assert "RFC" not in told
