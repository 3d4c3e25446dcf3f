"""What each operation answers when it succeeds, for the OpenAPI document: media types and JSON Schemas.

Invariant: every member that is given out stands here; `tests/edges/test_openapi.py` holds real answers against it. Readers ignore
members that they do not know, so that the schemas are open and later versions may add some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.api.registers import CSV, XLSX
from gateway.core.content_types import TAKEN

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
ANYTHING: Schema = {"type": "object"}


def answer_of(method: str, path: str) -> tuple[str, Schema]:
    """Status and response object of success."""
    content = _CONTENT[method, path]
    headers = {name: {"description": words, "schema": TEXT} for name, words in _TOLD.get((method, path), ())}
    told: Schema = {"description": "Done", "content": content}
    return "201" if method == "POST" else "200", told | ({"headers": headers} if headers else {})


def _object(optional: Iterable[str] = (), **members: Schema) -> Schema:
    required = [name for name in members if name not in set(optional)]
    return {"type": "object", "required": required, "properties": members}


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_null(of: Schema) -> Schema:
    return {"anyOf": [of, {"type": "null"}]}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


_RECEIPT = _object(
    id=TEXT, jws=TEXT, disclosures=_list(TEXT)
)  # the statement, signed, and what opens its commitments
_FILE = _object(
    id=TEXT, media_type=TEXT, size_bytes=COUNT, available=FLAG, withheld=_list(TEXT)
)  # of a message
_ITEM = {
    "id": TEXT,
    "message": TEXT,
    "type": TEXT,
    "incident": _or_null(TEXT),
    "partnership": TEXT,
    "role": TEXT,
    "notice": FLAG,
    "created_at": INSTANT,
    "opened_at": _or_null(INSTANT),
    "recalled_at": _or_null(INSTANT),
}
_CONTENT_OF_ITEM = {
    "from": TEXT,
    "content": ANYTHING,
    "converted": _or_null(_object(from_version=COUNT, left_out=_list(TEXT))),
    "payload": {"type": "string", "contentEncoding": "base64"},
    "attachments": _list(_FILE),
    "receipt": _RECEIPT,
}
_WEBHOOK = {
    "id": TEXT,
    "partnership": TEXT,
    "role": _or_null(TEXT),
    "url": TEXT,
    "state": TEXT,
    "asked_at": INSTANT,
    "waits_until": _or_null(INSTANT),
    "previous_secret_until": _or_null(INSTANT),
}

SCHEMAS: dict[str, Schema] = {
    "Receipt": _RECEIPT,
    "Statement": _object(id=TEXT, event=TEXT, jws=TEXT, sealed=FLAG),
    "Duty": _object(
        id=TEXT,
        partnership=TEXT,
        incident=TEXT,
        message=TEXT,
        agency=TEXT,
        role=TEXT,
        expects=TEXT,
        task=_or_null(TEXT),
        clock=TEXT,
        rule=_or_null(TEXT),
        pack_version=TEXT,
        start_at=_or_null(INSTANT),
        due_on=_or_null(DAY),
        due_at=_or_null(INSTANT),
        original_due_at=_or_null(INSTANT),
        due_changes=_list(ANYTHING),
        uncounted=FLAG,
        state=TEXT,
        met_at=_or_null(INSTANT),
        event_at=_or_null(INSTANT),
        met_by=_or_null(TEXT),
        early=FLAG,
        reason_missing=FLAG,
        chase_stage=_or_null(TEXT),
    ),
    "Accepted": _object(
        id=TEXT,
        incident=TEXT,
        reference=TEXT,
        decision=_one_of("forward", "hold"),
        duties=_list(_named("Duty")),
        receipt=_named("Receipt"),
    ),
    "Message": _object(
        id=TEXT,
        incident=_or_null(TEXT),
        reference=TEXT,
        type=TEXT,
        decision=_one_of("forward", "hold"),
        created_at=INSTANT,
        arrived_at=INSTANT,
        entered_late=FLAG,
        duties=_list(_named("Duty")),
        attachments=_list(_FILE),
        receipt=_object(id=TEXT, jws=TEXT),
        deliveries=_list(
            _object(id=TEXT, agency=TEXT, role=TEXT, state=TEXT, acknowledged_by=_or_null(TEXT))
        ),
    ),
    "InboxItem": _object(**_ITEM),
    "Delivery": _object(
        _CONTENT_OF_ITEM, **_ITEM, **_CONTENT_OF_ITEM
    ),  # of a notice the item's members alone
    "Answered": _object(delivery=TEXT, by=_one_of("person", "system", "declined"), receipt=_named("Receipt")),
    "Webhook": _object(**_WEBHOOK),
    "WebhookTold": _object(**_WEBHOOK, secret=_or_null(TEXT)),
}

_FILES: Schema = {one: {"schema": {}} for one in (CSV, XLSX)}
_SHEET = (
    _json(
        _object(name=TEXT, title=TEXT, columns=_list(TEXT), rows=_list(ANYTHING), export=TEXT, watermark=TEXT)
    )
    | _FILES
)
_NOTE = {"text/plain": {"schema": TEXT}}
_BYTES: Schema = {"application/octet-stream": {"schema": {}}}

_CONTENT: dict[tuple[str, str], Schema] = {
    ("POST", "/v1/messages"): _json(_named("Accepted")),
    ("POST", "/v1/attachments"): _json(
        _object(
            id=TEXT, sha256=TEXT, media_type=TEXT, size_bytes=COUNT, withheld=_list(TEXT), expires_at=INSTANT
        )
    ),
    ("GET", "/v1/messages/{message}"): _json(_named("Message")),
    ("GET", "/v1/messages/{message}/receipts"): _json(_object(receipts=_list(_named("Statement")))),
    ("GET", "/v1/receipts/jwks"): _json(_object(keys=_list(ANYTHING))),
    ("GET", "/v1/receipts/policy"): _json(ANYTHING),
    ("GET", "/v1/receipts/{receipt}"): _json(_named("Statement")),
    ("GET", "/v1/receipts/{receipt}/proof"): _NOTE,
    ("GET", "/v1/duties"): _json(
        _object(owed_by_me=_list(_named("Duty")), owed_to_me=_list(_named("Duty")), next=_or_null(TEXT))
    ),
    ("GET", "/v1/incidents/{incident}"): _json(
        _object(
            id=TEXT,
            partnership=TEXT,
            linked=_list(TEXT),
            opened_at=_or_null(INSTANT),
            label=_or_null(TEXT),
            outcome=_or_null(TEXT),
            outcomes=_list(ANYTHING),
            statutory=_list(ANYTHING),
            timeline=_list(
                _object(
                    **{"from": TEXT},
                    id=TEXT,
                    type=TEXT,
                    created_at=INSTANT,
                    arrived_at=INSTANT,
                    entered_late=FLAG,
                )
            ),
        )
    ),
    ("GET", "/v1/partnerships/{partnership}/directory"): _json(
        _object(
            partnership=TEXT,
            agencies=_list(_object(id=TEXT, kind=TEXT, name=TEXT, code=_or_null(TEXT), roles=_list(TEXT))),
        )
    ),
    ("GET", "/v1/partnerships/{partnership}/registers/{name}"): _SHEET,
    ("GET", "/v1/partnerships/{partnership}/reports/{name}"): _SHEET,
    ("GET", "/v1/inbox"): _json(_object(deliveries=_list(_named("InboxItem")), next=_or_null(TEXT))),
    ("GET", "/v1/inbox/{delivery}"): _json(_named("Delivery")),
    ("GET", "/v1/inbox/{delivery}/attachments/{attachment}"): {one: {"schema": {}} for one in TAKEN},
    ("POST", "/v1/inbox/{delivery}/acknowledgement"): _json(_named("Answered")),
    ("POST", "/v1/inbox/{delivery}/decline"): _json(_named("Answered")),
    ("POST", "/v1/webhooks"): _json(_named("WebhookTold")),
    ("GET", "/v1/webhooks"): _json(_object(webhooks=_list(_named("Webhook")))),
    ("GET", "/v1/webhooks/{webhook}"): _json(_named("Webhook")),
    ("DELETE", "/v1/webhooks/{webhook}"): _json(_named("Webhook")),
    ("POST", "/v1/webhooks/{webhook}/secret"): _json(_named("WebhookTold")),
    ("POST", "/v1/webhooks/{webhook}/ping"): _json(
        _object(webhook=TEXT, taken=FLAG, reason=_or_null(TEXT), status=_or_null(COUNT))
    ),
    ("GET", "/v1/log/checkpoint"): _NOTE,
    ("GET", "/v1/log/tile/{tile}"): _BYTES,
    ("GET", "/v1/log/{log}/checkpoint"): _NOTE,
    ("GET", "/v1/log/{log}/tile/{tile}"): _BYTES,
}

_REPLAYED = ("Idempotency-Replayed", "`true` when it was answered before; else absent.")
_TOLD: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("POST", "/v1/messages"): (("Location", "Where the message's state is read."), _REPLAYED),
    ("POST", "/v1/webhooks"): (("Location", "Where the endpoint stands."),),
    ("POST", "/v1/inbox/{delivery}/acknowledgement"): (_REPLAYED,),
    ("POST", "/v1/inbox/{delivery}/decline"): (_REPLAYED,),
    ("GET", "/v1/inbox"): (("Preference-Applied", "The wait that was heeded, if one was asked for."),),
}
