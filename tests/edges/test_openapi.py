"""What is published of the agencies' surface is valid, complete and true."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from openapi_spec_validator import validate
from starlette.routing import Mount, Route

from gateway.agency.client import FORM
from gateway.api.application import PUBLIC, ROUTES
from gateway.api.door import READ, SCOPES, WRITE
from gateway.api.openapi import openapi_document
from gateway.console.door import BASE as CONSOLE
from gateway.core.errors import ErrorCode
from schemas import TYPES
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, example, gateway_house

JSON, TEXT = "application/json", "text/plain"
UNIT = "south-tyneside-sbu"  # which may take out registers too
MAY_BE_ABSENT = {"Idempotency-Replayed", "Preference-Applied"}

OAUTH_PUBLIC = {  # how one comes to be authenticated
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/oauth2/jwks",
    "/oauth2/token",
    "/oauth2/revoke",
    "/oauth2/introspect",
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        yield running


@pytest.fixture
async def anybody(house: House) -> AsyncIterator[Raw]:
    async with Raw(house, "northshire-police") as raw:
        yield raw


async def published(anybody: Raw) -> dict[str, Any]:
    said = await anybody.call("GET", "/openapi.json", headers=(), credentials={})
    assert said.status == 200
    document: dict[str, Any] = said.document
    return document


async def test_the_document_is_valid_openapi_and_names_every_route(anybody: Raw) -> None:
    document = await published(anybody)
    validate(document)
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(method, path.replace(":path}", "}")) for method, path, _ in ROUTES}


async def test_whatever_the_document_refers_to_stands_in_it(anybody: Raw) -> None:
    document = await published(anybody)
    named = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    assert "#/components/schemas/AcknowledgementBody/$defs/Role" in named
    for reference in named:
        assert reference.startswith("#/")
        part: Any = document
        for step in reference[2:].split("/"):
            part = part[step]


async def test_every_message_type_has_its_schema_and_an_example_that_fits_it(anybody: Raw) -> None:
    document = await published(anybody)
    content = document["paths"]["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == set(TYPES)
    for slug, shown in content["examples"].items():
        whole = {"$ref": f"#/components/schemas/{slug}", "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(shown["value"])
        assert shown["value"] == example(slug)


async def test_the_codes_of_problems_are_those_that_are_used(anybody: Raw) -> None:
    document = await published(anybody)
    named = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert named == [code.slug for code in ErrorCode]


async def test_every_route_is_authenticated_or_listed_as_public(house: House, anybody: Raw) -> None:
    routes = [route for route in _every_route(house.gateway.web.routes) if route.path.startswith("/")]
    assert {route.path for route in routes} >= {path for _, path, _ in ROUTES}
    for route in routes:
        if route.path in PUBLIC | OAUTH_PUBLIC | {
            CONSOLE
        }:  # the last only leads to a page with a door of its own
            continue
        path = route.path.replace(":path}", "}")
        for name in route.param_convertors:
            path = path.replace("{" + name + "}", "a")
        for method in sorted(route.methods or ()):
            said = await anybody.call(method, path, b"{}" if method == "POST" else None, credentials={})
            assert (method, path, said.status) == (method, path, 401)
            assert "DPoP" in said.headers["WWW-Authenticate"]


def _every_route(routes: Any) -> list[Route]:
    """The agencies' routes, those of included routers too; an application mounted beside them has doors of its own."""
    found: list[Route] = []
    for route in routes:
        if isinstance(route, Route):
            found.append(route)
        elif not isinstance(route, Mount):
            found += _every_route(getattr(route, "routes", ()))
    return found


async def test_the_page_to_read_shows_an_example_of_every_type_and_runs_nothing(anybody: Raw) -> None:
    said = await anybody.call("GET", "/docs", headers=(), credentials={})
    page = said.body.decode()
    assert said.status == 200
    assert said.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in page
    assert all(f"id='{slug}'" in page for slug in TYPES)


async def test_whoever_has_the_document_is_not_sent_it_again(anybody: Raw) -> None:
    """RFC 9110 section 13.1.2."""
    for path in ("/openapi.json", "/docs"):
        first = await anybody.call("GET", path, headers=(), credentials={})
        tag = first.headers["ETag"]
        for known, status in ((tag, 304), (f'"other", W/{tag}', 304), ('"other"', 200)):
            again = await anybody.call("GET", path, headers=(("If-None-Match", known),), credentials={})
            assert (path, again.status, again.body) == (path, status, first.body if status == 200 else b"")


async def test_what_is_public_says_so_and_is_open(anybody: Raw) -> None:
    document = await published(anybody)
    for path in PUBLIC:
        said = await anybody.call("GET", path, headers=(), credentials={})
        assert (path, said.status) == (path, 200)
        assert said.headers["X-Content-Type-Options"] == "nosniff"
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert bool(operation["security"]) == (path not in PUBLIC)


async def test_each_operation_asks_for_the_scope_that_its_description_names(
    house: House, anybody: Raw
) -> None:
    """Police may read and write. Without the one scope, what needs it is refused by its name; log and reports always are."""
    document = await published(anybody)
    described = {
        (method.upper(), path): operation["security"][0]["dpop"][0]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["security"]
    }
    assert set(described.values()) == set(SCOPES)
    for kept in (READ, WRITE):
        async with Raw(house, "northshire-police") as raw:
            form = raw.client.token_form() + b"&" + urlencode({"scope": kept}).encode()
            asked = {"DPoP": raw.client.proof_of_key("POST", "/oauth2/token"), "Content-Type": FORM}
            token = (await raw.client.once("POST", "/oauth2/token", asked, form)).json()["access_token"]
            for (method, path), scope in described.items():
                where = re.sub(r"[{}]", "", path)
                proof = raw.client.proof_of_key(method, where, token)
                shown = {"Authorization": f"DPoP {token}", "DPoP": proof}
                said = await raw.call(method, where, b"{}" if method == "POST" else None, credentials=shown)
                if scope == kept:
                    assert said.status != 403, (method, path)
                else:
                    assert (said.status, said.code) == (403, "insufficient-scope"), (method, path)
                    assert f'scope="{scope}"' in said.headers["WWW-Authenticate"]


async def test_a_wrong_method_is_told_every_right_one(anybody: Raw) -> None:
    """RFC 9110 section 15.5.6, where one address takes several methods."""
    for path, allowed in (
        ("/v1/webhooks", "GET, HEAD, POST"),
        ("/v1/webhooks/a", "DELETE, GET, HEAD"),
        ("/v1/messages", "POST"),
        ("/oauth2/token", "POST"),
    ):
        said = await anybody.call("PATCH", path, headers=(), credentials={})
        assert (said.status, said.headers["Allow"]) == (405, allowed)


def test_where_certificates_are_taken_the_document_says_how() -> None:
    document = openapi_document([("GET", "/v1/inbox", "")], (), "https://mtls.gateway.council.example")
    validate(document)
    by_key, by_certificate = document["paths"]["/v1/inbox"]["get"]["security"]
    assert by_key == {"dpop": ["messages.read"]}
    assert by_certificate == {"certificateBound": ["messages.read"], "mutualTLS": []}
    assert document["components"]["securitySchemes"]["mutualTLS"]["type"] == "mutualTLS"


def closed(schema: Any) -> Any:
    """The same schema, in which a member that it does not name is a fault: readers are told of everything."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(one) for name, one in schema.items()}
    return inner | ({"additionalProperties": False} if "properties" in inner else {})


async def test_each_answer_has_the_members_that_its_description_names_and_no_others(
    house: House, anybody: Raw
) -> None:
    """One incident, asked about at every address that answers with JSON; the two that call an endpoint of a partner apart."""
    document, seen = await published(anybody), set()

    async def ask(raw: Raw, method: str, path: str, body: Any = None, **ids: str) -> Any:
        where = path
        for name, value in ids.items():
            where = where.replace("{" + name + "}", value)
        headers = [("Content-Type", TEXT if path == "/v1/attachments" else JSON)] if body is not None else []
        said = await raw.call(method, where, body, headers)
        described = document["paths"][path][method.lower()]["responses"][str(said.status)]
        schema = closed(described["content"][JSON]["schema"])
        parts = {name: closed(one) for name, one in document["components"]["schemas"].items()}
        whole = {**schema, "components": {"schemas": parts}}
        jsonschema.Draft202012Validator(whole).validate(said.document)
        assert set(described.get("headers", {})) - MAY_BE_ABSENT <= set(said.headers)
        seen.add((method, path))
        return said.document

    async with Raw(house, UNIT) as unit:
        sent = json.dumps(house.example("referral", reference="DESCRIBED")).encode()
        accepted = await ask(anybody, "POST", "/v1/messages", sent)
        await ask(anybody, "POST", "/v1/attachments", b"a note\n")
        here = {
            "message": accepted["id"],
            "incident": accepted["incident"],
            "receipt": accepted["receipt"]["id"],
        }
        for path in ("/v1/messages/{message}", "/v1/messages/{message}/receipts", "/v1/incidents/{incident}"):
            await ask(anybody, "GET", path, **here)
        for path in ("/v1/receipts/{receipt}", "/v1/receipts/jwks", "/v1/receipts/policy", "/v1/duties"):
            await ask(anybody, "GET", path, **here)
        await ask(unit, "GET", "/v1/partnerships/{partnership}/directory", partnership="south-tyneside")
        (item,) = (await ask(unit, "GET", "/v1/inbox"))["deliveries"]
        fetched = await ask(unit, "GET", "/v1/inbox/{delivery}", delivery=item["id"])
        assert fetched["content"]["reference"] == "DESCRIBED"
        answer = {"by": "person", "role": "sbu"}
        for verb, said in (("decline", {"reason": "Not ours"}), ("acknowledgement", answer)):
            path = "/v1/inbox/{delivery}/" + verb
            await ask(unit, "POST", path, json.dumps(said).encode(), delivery=item["id"])
        for kind, name in (("registers", "alerts"), ("reports", "digest")):
            path = "/v1/partnerships/{partnership}/" + kind + "/{name}"
            await ask(unit, "GET", path, partnership="south-tyneside", name=name)
        endpoint = json.dumps({"url": "https://192.0.2.1/"}).encode()
        refused = await unit.call("POST", "/v1/webhooks", endpoint)
        assert refused.document["errors"] == [{"pointer": "/url", "code": "address-refused"}]
        await ask(unit, "GET", "/v1/webhooks")
    left = {path.replace(":path}", "}") for _, path, _ in ROUTES} - {path for _, path in seen}
    assert {path for path in left if not path.startswith(("/v1/log/", "/v1/webhooks/"))} == {
        "/v1/receipts/{receipt}/proof",
        "/v1/inbox/{delivery}/attachments/{attachment}",
    }, "which answer with text and with files"
