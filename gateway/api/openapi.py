"""The OpenAPI document: made from the route table and the published schemas, so that it cannot say something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from html import escape
from typing import Any

from pydantic import BaseModel

from gateway.api import answers, content_digest, pages
from gateway.api.door import KEY_FORM, LOG, READ, REPORTS, WRITE
from gateway.api.inbox import LONGEST_WAIT_SECONDS, AcknowledgementBody, DeclineBody
from gateway.api.pages import MOST, PAGE
from gateway.api.webhooks import WebhookBody
from gateway.core.content_types import TAKEN
from gateway.core.errors import ErrorCode
from schemas import TYPES, example_path, schema_path


def openapi_document(
    paths: Iterable[tuple[str, str, str]], public: Collection[str], mtls_url: str | None = None
) -> dict[str, Any]:
    """OpenAPI 3.1 of the agencies' surface, with an example for every message type. `mtls_url`: where certificates are taken."""
    schemes = _schemes(mtls_url)
    described: dict[str, Any] = {}
    for method, path, words in paths:
        clean = path.replace(":path}", "}")
        described.setdefault(clean, {})[method.lower()] = _operation(
            method, clean, words, [] if path in public else _securities(method, clean, schemes)
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safeguarding gateway",
            "version": "1",
            "description": "Structured safeguarding notifications between partner agencies, with signed receipts.",
        },
        "paths": described,
        "components": {
            "securitySchemes": schemes,
            "responses": {
                str(status): _response(status) for status in sorted({one.status for one in ErrorCode})
            },
            "schemas": {
                "Problem": _PROBLEM,
                **answers.SCHEMAS,
                **{body.__name__: _shape(body) for body, _ in _BODIES.values()},
                **{slug: _schema(slug) for slug in sorted(TYPES)},
            },
        },
    }


_SCOPES = {
    "messages.write": "submit messages and answer deliveries",
    "messages.read": "read the inbox, own messages, duties and receipts",
    "reports.read": "take out registers and reports (the partnership's business unit and council)",
    "log.read": "read the transparency log (witnesses and auditors)",
}


def scope_of(method: str, path: str) -> str:
    """The scope that an operation asks for; a test asks each with a token that lacks it."""
    if path.startswith("/v1/log/"):
        return LOG
    if "/registers/" in path or "/reports/" in path:
        return REPORTS
    is_said = path in ("/v1/messages", "/v1/attachments") or path.endswith(("/acknowledgement", "/decline"))
    return WRITE if method == "POST" and is_said else READ


def _schemes(mtls_url: str | None) -> dict[str, Any]:
    flows = {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": _SCOPES}}
    words = "client_credentials with private_key_jwt; `Authorization: DPoP` and a proof with every call (RFC 9449)."
    schemes: dict[str, Any] = {"dpop": {"type": "oauth2", "description": words, "flows": flows}}
    if mtls_url is None:
        return schemes
    at = {"clientCredentials": {"tokenUrl": f"{mtls_url}/oauth2/token", "scopes": _SCOPES}}
    words = f"In place of DPoP: `Authorization: Bearer` at {mtls_url}, over a connection with the certificate (RFC 8705)."
    return schemes | {
        "certificateBound": {"type": "oauth2", "description": words, "flows": at},
        "mutualTLS": {"type": "mutualTLS", "description": "The certificate that two officers registered."},
    }


def _securities(method: str, path: str, schemes: Collection[str]) -> list[dict[str, list[str]]]:
    scope = [scope_of(method, path)]
    by_certificate = [{"certificateBound": scope, "mutualTLS": []}] if "mutualTLS" in schemes else []
    return [{"dpop": scope}, *by_certificate]


def _response(status: int) -> dict[str, Any]:
    """Every code that comes with a status."""
    words = "; ".join(f"`{one.slug}`: {one.title}" for one in ErrorCode if one.status == status)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {"schema": {"type": "string"}}
    named: dict[int, tuple[str, str]] = {
        401: ("WWW-Authenticate", "What is asked for (RFC 9449 section 7.1)."),
        403: ("WWW-Authenticate", "The scope that is lacking, where it is one."),
        405: ("Allow", "The methods that there are."),
        429: ("Retry-After", "Seconds to wait."),
        503: ("Retry-After", "Seconds to wait."),
    }
    told = {"description": words, "content": content}
    if status in named:
        name, text = named[status]
        told["headers"] = {name: {"description": text, **headers}}
    return told


def _refusals(method: str, path: str, is_public: bool) -> list[int]:
    """The statuses with which an operation may refuse."""
    if is_public:
        return [405, 429, 500, 503]
    found = [400, 401, 403, 404, 405, 429, 500, 503]
    if method != "GET":
        found += [409, 413, 415, 422]
    elif "{delivery}" in path:
        found.append(409)
    return sorted(found)


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
    _parameter("after", "query", "`next` of the page before.", type="string", pattern=pages.FORM),
    _parameter("limit", "query", "How many.", type="integer", minimum=1, maximum=MOST, default=PAGE),
)
_SENT: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("POST", "/v1/messages"): (
        _parameter("Idempotency-Key", "header", "One key for one message.", type="string", pattern=KEY_FORM),
        _parameter(
            "Content-Digest",
            "header",
            "RFC 9530, sha-256 or sha-512; each is checked when sent.",
            type="string",
            pattern=content_digest.FORM,
        ),
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
_SENT[("POST", "/v1/messages")] += (
    _parameter("Signature-Input", "header", "RFC 9421, with Signature: checked when sent.", type="string"),
    _parameter("Signature", "header", "The sender's own, over the request.", type="string"),
)

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


_BODIES: dict[
    str, tuple[type[BaseModel], dict[str, Any]]
] = {  # by the last step of the path, each with an example
    "acknowledgement": (AcknowledgementBody, {"by": "person", "role": "sbu", "name": "Winifred Stave"}),
    "decline": (DeclineBody, {"reason": "Not one of ours."}),
    "webhooks": (
        WebhookBody,
        {"partnership": "south-tyneside", "url": "https://hooks.northshire-icb.example/gateway"},
    ),
}


@lru_cache(maxsize=64)
def _schema(slug: str) -> dict[str, Any]:
    """The published schema of a message type as a component, whose dialect is the same."""
    document = _as_component(slug, schema_path(slug).read_text("utf-8"))
    return {name: value for name, value in document.items() if name not in ("$schema", "$id")}


def _shape(body: type[BaseModel]) -> dict[str, Any]:
    return _as_component(body.__name__, json.dumps(body.model_json_schema()))


def _as_component(name: str, schema: str) -> dict[str, Any]:
    """Its references point to its own parts, which stand elsewhere in this document."""
    document: dict[str, Any] = json.loads(schema.replace('"#/$defs/', f'"#/components/schemas/{name}/$defs/'))
    return document


def _operation(method: str, path: str, words: str, security: list[dict[str, list[str]]]) -> dict[str, Any]:
    summary = " ".join(words.split())
    status_told, told = answers.answer_of(method, path)
    operation: dict[str, Any] = {
        "summary": summary[:120],
        "description": summary,
        "operationId": f"{method.lower()}{path.replace('/', '_').replace('{', '').replace('}', '')}",
        "security": security,
        "parameters": [
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in path.split("/")
            if part.startswith("{")
        ]
        + list(_SENT.get((method, path), ())),
        "responses": {
            status_told: told,
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in _refusals(method, path, not security)
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
    last = path.rpartition("/")[2]
    if last == "messages":
        return _messages()
    if last in _BODIES:
        body, example = _BODIES[last]
        return {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}, "example": example}
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
