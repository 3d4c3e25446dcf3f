"""Writes the public JSON Schema files from the models: `python -m schemas.publish`.

The invariant: the same models give the same bytes, and a released schema never changes (contract section 4). What is
released stands in `v1/SHA256SUMS`; publishing adds new files to it and refuses to change one that it names.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import ModelSchema

from schemas.envelope import Envelope
from schemas.model import Model
from schemas.registry import FOLDER, REGISTRY, body_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """JSON Schema 2020-12 without the titles that pydantic makes up from names."""

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """With what stands below each member in the source; only publishing reads it, so a start need not wait for it."""
        made = super().model_schema(schema)
        described = {
            name: words for one in reversed(schema["cls"].__mro__) for name, words in _written_below(one)
        }
        for name, member in made["properties"].items():
            member["description"] = described[name]
        return made

    def generate(self, schema: CoreSchema, mode: str = "validation") -> JsonSchemaValue:
        made = super().generate(schema, "validation")
        for definition in made.get("$defs", {}).values():
            definition.pop("title", None)
            definition["description"] = _unwrapped(definition["description"])
        return made


@cache
def _written_below(model: type) -> tuple[tuple[str, str], ...]:
    """The members of a class and the text below each (PEP 257, attribute docstrings)."""
    if not issubclass(model, Model) or "[" in model.__name__:  # Envelope[Body] has no source of its own
        return ()
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    return tuple(_described(definition.body))


def _described(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for member, below in pairwise(statements):
        match member, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                yield name, inspect.cleandoc(words)


def schema_of(model: type[Envelope[Any]]) -> JsonSchemaValue:
    """The closed JSON Schema of a whole message: envelope and body, with its type and version fixed."""
    made = model.model_json_schema(schema_generator=_Generator)
    body = body_of(model)
    properties = made.pop("properties")
    properties["type"] = {"const": body.TYPE, "description": "The message type."}
    properties["version"] = {"const": body.VERSION, "description": "The version of this schema."}
    required = made.pop("required")
    if body.ANSWERS:
        answered = next(option for option in properties["in_reply_to"]["anyOf"] if option["type"] == "string")
        properties["in_reply_to"] = {**answered, "description": properties["in_reply_to"]["description"]}
        required.append("in_reply_to")
    return {
        "$schema": DIALECT,
        "$id": f"urn:safeguarding-gateway:schema:{body.TYPE}:{body.VERSION}",
        "title": f"{body.TITLE} ({body.CODE}), version {body.VERSION}",
        "description": _unwrapped(body.__doc__ or body.TITLE),
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
        "$defs": made["$defs"],
    }


def _unwrapped(docstring: str) -> str:
    """Paragraphs without the line breaks of the source, so that re-wrapping a docstring publishes nothing."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in docstring.strip().split("\n\n"))


def schema_bytes(model: type[Envelope[Any]]) -> bytes:
    """The published file of a message type, the same on every run."""
    return (json.dumps(schema_of(model), indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def released(folder: Path = FOLDER) -> dict[str, str]:
    """The SHA-256 digest of each released schema file, by its path under `schemas/`."""
    sums = folder / "v1" / "SHA256SUMS"
    lines = sums.read_text("ascii").splitlines() if sums.exists() else []
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def publish(folder: Path = FOLDER) -> list[str]:
    """Write every schema file that is new; answers the released ones that would change, which are left as they are."""
    sums = released(folder)
    changed = []
    for (slug, version), model in REGISTRY.items():
        name, content = f"v{version}/{slug}.schema.json", schema_bytes(model)
        digest = hashlib.sha256(content).hexdigest()
        if sums.setdefault(name, digest) == digest:
            _write(folder / name, content)
        else:
            changed.append(name)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    _write(folder / "v1" / "SHA256SUMS", lines.encode("ascii"))
    return changed


def main() -> int:
    """0 when all is published; 1 when a released schema would change."""
    changed = publish()
    if changed:
        print(f"released, so not changed; make a new version: {', '.join(changed)}", file=sys.stderr)
    return 1 if changed else 0


def _write(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
