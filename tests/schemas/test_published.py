"""The published schema files are closed, self-contained, valid, and never change once released (contract section 4)."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import REGISTRY, TYPES, example_path, schema_path
from schemas.publish import publish, released, schema_bytes
from schemas.registry import FOLDER, body_of
from tests.schemas import changed, example, places

SLUGS = sorted(TYPES)
CODES = {
    "serious-incident-form": "M01", "call-log": "M02", "need-to-know": "M03", "dcs-notification": "M04",
    "serious-incident-alert": "M05", "referral": "M06", "triage-decision": "M07", "sin-record": "M08", "dsl-letter": "M09",
    "dsl-confirmation": "M10", "information-request": "M11", "information-return": "M12", "imr-request": "M13",
    "imr": "M13", "meeting-notice": "M14", "rapid-review-report": "M15", "final-decision": "M16", "panel-response": "M17",
    "case-review": "M18", "investigation-report": "M19", "acknowledgement": "M20", "chase": "M21", "learning-digest": "M22",
    "correction": "M23", "review-decision": "M24", "task-record": "M25",
}  # fmt: skip


def on_disk(slug: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(schema_path(slug).read_bytes())
    return value


def test_every_type_has_its_slug_and_its_code() -> None:
    assert {slug: body_of(model).CODE for (slug, _), model in REGISTRY.items()} == CODES
    assert all(version == body_of(model).VERSION for (_, version), model in REGISTRY.items())


@pytest.mark.parametrize("slug", SLUGS)
def test_the_file_is_what_the_model_publishes(slug: str) -> None:
    assert schema_path(slug).read_bytes() == schema_bytes(REGISTRY[slug, 1])


def test_what_is_published_does_not_depend_on_the_run() -> None:
    slug = "referral"
    command = f"from schemas import *; from schemas.publish import *; import sys; sys.stdout.buffer.write(schema_bytes(REGISTRY[{slug!r}, 1]))"
    made = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
        cwd=FOLDER.parent,
    )
    assert made.stdout == schema_path(slug).read_bytes()


def test_a_released_schema_never_changes() -> None:
    """When this fails, a released file was changed: put it back and make a new version of the type."""
    on_record = released()
    assert set(on_record) == {str(path.relative_to(FOLDER)) for path in FOLDER.glob("v*/*.schema.json")}
    for name, digest in on_record.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_publishing_again_changes_nothing_and_a_released_file_is_left_alone(tmp_path: Path) -> None:
    assert publish(tmp_path) == []
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {
        path.relative_to(FOLDER): path.read_bytes() for path in FOLDER.glob("v1/*") if path.is_file()
    }
    sums = tmp_path / "v1" / "SHA256SUMS"
    sums.write_text(sums.read_text("ascii").replace(released()["v1/chase.schema.json"], "0" * 64), "ascii")
    (tmp_path / "v1" / "chase.schema.json").write_text("as released", "ascii")
    assert publish(tmp_path) == ["v1/chase.schema.json"]
    assert (tmp_path / "v1" / "chase.schema.json").read_text("ascii") == "as released"


@pytest.mark.parametrize("slug", SLUGS)
def test_the_schema_is_valid_and_takes_the_example(slug: str) -> None:
    Draft202012Validator.check_schema(on_disk(slug))
    Draft202012Validator(on_disk(slug), format_checker=FormatChecker()).validate(example(slug))


@pytest.mark.parametrize("slug", SLUGS)
def test_every_object_is_closed_and_described_and_no_reference_leaves_the_file(slug: str) -> None:
    schema = on_disk(slug)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    objects = [schema, *(value for _, value in places(schema) if isinstance(value, dict))]
    for value in objects:
        if value.get("type") == "object":
            assert value["additionalProperties"] is False
            assert value["description"]
            assert all("description" in member for member in value["properties"].values())
        assert value.get("$ref", "#/$defs/").startswith("#/$defs/")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_schema_takes_only_its_own_type_and_version(slug: str) -> None:
    schema = Draft202012Validator(on_disk(slug))
    assert not schema.is_valid(changed(slug, {"/type": "other"}))
    assert not schema.is_valid(changed(slug, {"/version": 2}))
    assert not schema.is_valid(changed(slug, {"/stranger": 1}))
    assert not schema.is_valid(changed(slug, {"/body/stranger": 1}))


@pytest.mark.parametrize("slug", SLUGS)
def test_an_example_is_complete_and_wholly_invented(slug: str) -> None:
    """Every member of the type stands in it, and an NHS number is from the range that is never issued."""
    message = example(slug)
    assert set(message) == set(on_disk(slug)["properties"])
    assert set(message["body"]) == set(body_of(REGISTRY[slug, 1]).model_fields)
    for pointer, value in places(message):
        if pointer.endswith("/nhs_number") and value is not None:
            assert value.startswith("999"), "only this range is never issued to a person"
        if isinstance(value, str):
            assert "@" not in value or value.endswith(".example")
            assert "http" not in value


def test_there_is_one_example_and_one_schema_for_each_type() -> None:
    assert {path.stem for path in FOLDER.glob("v1/examples/*")} == set(TYPES)
    assert {example_path(slug).name for slug in TYPES} == {path.name for path in FOLDER.glob("v1/examples/*")}


def test_schemas_know_the_core_and_nothing_else_of_the_house() -> None:
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                root = name.split(".")[0]
                assert name.startswith("gateway.core") or root in {
                    "schemas",
                    "pydantic",
                    "pydantic_core",
                    *sys.stdlib_module_names,
                }
