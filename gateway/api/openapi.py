"""The OpenAPI document: made from the route table and the published schemas, so that it cannot say something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from html import escape
from typing import Any

from gateway.api.inbox import LONGEST_WAIT_SECONDS, AcknowledgementBody, DeclineBody
from gateway.api.pages import MOST, PAGE
from gateway.api.webhooks import WebhookBody
from gateway.core.content_types import TAKEN
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
    "reports.read": "take out registers and reports (the partnership's business unit and council)",
    "log.read": "read the transparency log (witnesses and auditors)",
}


def _parameter(name: str, where: str, words: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": where, "description": words, "schema": schema}


_PERIOD = (
    _parameter("year", "query", "From 1 April of this year.", type="string", pattern="^20[0-9]{2}$"),
    _parameter("month", "query", "One month.", type="string", pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$"),
    _parameter(
        "Accept",
        "header",
        "`text/csv`, or the media type of an XLSX workbook, for a file; JSON otherwise.",
        type="string",
    ),
)
_PAGES = (
    _parameter("after", "query", "`next` of the page before.", type="string"),
    _parameter("limit", "query", "How many.", type="integer", minimum=1, maximum=MOST, default=PAGE),
)
_SENT: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("POST", "/v1/messages"): (
        _parameter("Idempotency-Key", "header", "One key for one message.", type="string", maxLength=255),
        _parameter("Content-Digest", "header", "RFC 9530, sha-256; checked when sent.", type="string"),
    ),
    ("GET", "/v1/partnerships/{partnership}/registers/{name}"): _PERIOD,
    ("GET", "/v1/partnerships/{partnership}/reports/{name}"): _PERIOD,
    ("GET", "/v1/duties"): _PAGES,
    ("GET", "/v1/inbox"): (
        *_PAGES,
        _parameter("Prefer", "header", f"`wait=N`: wait up to {LONGEST_WAIT_SECONDS} s.", type="string"),
    ),
}

_SENT[("POST", "/v1/attachments")] = _SENT[("POST", "/v1/messages")][1:]

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
    """The published schema as a component: its own references point into this document, whose dialect is the same."""
    text = schema_path(slug).read_text("utf-8")
    document: dict[str, Any] = json.loads(text.replace('"#/$defs/', f'"#/components/schemas/{slug}/$defs/'))
    return {name: value for name, value in document.items() if name not in ("$schema", "$id")}


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
        ]
        + list(_SENT.get((method, path), ())),
        "responses": {
            "201" if method == "POST" else "200": {"description": "Done"},
            "default": {
                "description": "A problem document",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if (method, path) == ("POST", "/v1/attachments"):
        content: dict[str, Any] = {
            media_type: {"schema": {}} for media_type in TAKEN
        }  # 3.1: bytes have no schema
        operation["requestBody"] = {"required": True, "content": content}
    body = _body(path) if method == "POST" else None
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    return operation


def _body(path: str) -> dict[str, Any] | None:
    match path.rpartition("/")[2]:
        case "messages":
            return _messages()
        case "acknowledgement":
            said = {"by": "person", "role": "sbu", "name": "Winifred Stave"}
            return {"schema": AcknowledgementBody.model_json_schema(), "example": said}
        case "webhooks":
            asked = {"partnership": "south-tyneside", "url": "https://hooks.northshire-icb.example/gateway"}
            return {"schema": WebhookBody.model_json_schema(), "example": asked}
        case "decline":
            return {"schema": DeclineBody.model_json_schema(), "example": {"reason": "Not one of ours."}}
    return None


def docs_page(document: dict[str, Any]) -> str:
    """The same document to read: every operation in words, and an example of every message type. No script."""
    operations = "".join(
        f"<dt><code>{method.upper()} {escape(path)}</code></dt><dd>{escape(operation['description'])}</dd>"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    examples = "".join(
        f"<h3 id='{slug}'>{slug}</h3><pre>{escape(json.dumps(example['value'], indent=2, ensure_ascii=False))}</pre>"
        for slug, example in _messages()["examples"].items()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Safeguarding gateway</title>"
        "<h1>Safeguarding gateway</h1><p>The same for machines: <a href='/openapi.json'>openapi.json</a>. "
        f"Nobody in the examples exists.</p><dl>{operations}</dl><h2>Messages</h2>{examples}</html>"
    )


def _messages() -> dict[str, Any]:
    slugs = sorted(TYPES)
    return {
        "schema": {"oneOf": [{"$ref": f"#/components/schemas/{slug}"} for slug in slugs]},
        "examples": {slug: {"value": json.loads(example_path(slug).read_text("utf-8"))} for slug in slugs},
    }
