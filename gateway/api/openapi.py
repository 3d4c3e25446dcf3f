"""The OpenAPI document: made from the route table and the published schemas, so that it cannot say something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from gateway.core.errors import ErrorCode
from schemas import TYPES, example_path, schema_path


def openapi_document(paths: Iterable[tuple[str, str, str]], public: Collection[str]) -> dict[str, Any]:
    """OpenAPI 3.1 of the agencies' surface, with an example for every message type."""
    described: dict[str, Any] = {}
    for method, path, words in paths:
        clean = path.replace(":path}", "}")
        described.setdefault(clean, {})[method.lower()] = _operation(method, clean, words, path in public)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safeguarding gateway",
            "version": "1",
            "description": "Structured safeguarding notifications between partner agencies, with signed receipts.",
        },
        "paths": described,
        "components": {
            "securitySchemes": {
                "dpop": {
                    "type": "oauth2",
                    "description": "client_credentials with private_key_jwt; DPoP-bound tokens only (RFC 9449).",
                    "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": _SCOPES}},
                }
            },
            "schemas": {"Problem": _PROBLEM, **{slug: _schema(slug) for slug in sorted(TYPES)}},
        },
    }


_SCOPES = {
    "messages.write": "submit messages and answer deliveries",
    "messages.read": "read the inbox, own messages, duties and receipts",
    "log.read": "read the transparency log (witnesses and auditors)",
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Never echoes what was sent.",
    "required": ["type", "title", "status", "code", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [code.slug for code in ErrorCode]},
        "instance": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}},
            },
        },
    },
}


@lru_cache(maxsize=64)
def _schema(slug: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(schema_path(slug).read_text("utf-8"))
    return document


def _operation(method: str, path: str, words: str, is_public: bool) -> dict[str, Any]:
    summary = " ".join(words.split())
    operation: dict[str, Any] = {
        "summary": summary[:120],
        "description": summary,
        "operationId": f"{method.lower()}{path.replace('/', '_').replace('{', '').replace('}', '')}",
        "security": [] if is_public else [{"dpop": []}],
        "parameters": [
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in path.split("/")
            if part.startswith("{")
        ],
        "responses": {
            "201" if method == "POST" else "200": {"description": "Done"},
            "default": {
                "description": "A problem document",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if path == "/v1/messages" and method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": _messages()}}
    return operation


def _messages() -> dict[str, Any]:
    slugs = sorted(TYPES)
    return {
        "schema": {"oneOf": [{"$ref": f"#/components/schemas/{slug}"} for slug in slugs]},
        "examples": {slug: {"value": json.loads(example_path(slug).read_text("utf-8"))} for slug in slugs},
    }
