"""What can be refused, and with which stable code.

The tree:

    GatewayError
    ├── Refused          the caller's request cannot be taken: carries an ErrorCode, never the caller's input
    ├── Unavailable      we cannot answer now (queue full, disk full, connection lost): 503, the sender's repeat is safe
    └── Misconfigured    settings or a rule pack are unsafe or contradictory: refuses to start

Anything else that is raised is a bug. Problem documents (RFC 9457) are made from these only in `api/problems.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorCode(Enum):
    """A stable code, its HTTP status and its one-line title. Codes never change meaning once released."""

    MALFORMED_JSON = ("malformed-json", 400, "The body is not strict JSON")
    MALFORMED_REQUEST = ("malformed-request", 400, "The request is not well formed")
    DIGEST_MISMATCH = ("digest-mismatch", 400, "Content-Digest does not match the body")
    NOT_AUTHENTICATED = ("not-authenticated", 401, "A valid sender-constrained token is required")
    PROOF_REPLAYED = ("proof-replayed", 401, "This proof of possession has been used before")
    INSUFFICIENT_SCOPE = ("insufficient-scope", 403, "The token does not carry the scope this needs")
    NOT_PERMITTED = ("not-permitted", 403, "Your agency may not do this under the partnership's rules")
    NOT_FOUND = ("not-found", 404, "There is nothing here that your agency may see")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This method is not allowed here")
    NOT_ACCEPTABLE_STATE = ("conflicting-state", 409, "What you ask does not fit the present state")
    TOO_LARGE = ("too-large", 413, "The body is larger than is taken here")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "Only application/json is taken here")
    TYPE_NOT_TAKEN = ("file-type-not-taken", 415, "A file of this type is not taken as an attachment")
    INFECTED = ("attachment-infected", 422, "The virus scanner found something in this file; it was not kept")
    MISDIRECTED = ("misdirected", 421, "The request did not come by way of the gateway's proxy")
    INVALID_MESSAGE = ("invalid-message", 422, "The message does not meet its schema")
    REFERENCE_REUSED = ("reference-reused", 422, "This reference was used before with other content")
    KEY_REUSED = ("idempotency-key-reused", 422, "This Idempotency-Key was used before with other content")
    SIGNATURE_NOT_TAKEN = (
        "signature-not-taken",
        422,
        "The sender's or recipient's own signature cannot be taken",
    )
    OTHER_CONTENT = ("other-content", 422, "The answer is signed for other content than was sent")
    TOO_MANY_REQUESTS = ("too-many-requests", 429, "Slow down and try again later")
    INTERNAL = ("internal", 500, "Something went wrong here; nothing was accepted")
    NO_SCANNER = ("scanner-unavailable", 503, "Files cannot be scanned for viruses now; try again later")
    UNAVAILABLE = ("unavailable", 503, "Cannot take this now; try again, a repeat is safe")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in a message: a JSON pointer to the field and a coarse code; never the offending value."""

    pointer: str
    code: str


class GatewayError(Exception):
    """The root of everything this house raises on purpose."""


class Refused(GatewayError):
    """The request cannot be taken; nothing of it was kept."""

    def __init__(
        self, code: ErrorCode, errors: tuple[FieldError, ...] = (), detail: str | None = None
    ) -> None:
        super().__init__(code.slug)
        self.code = code
        self.errors = errors
        self.detail = detail  # our own words only, never the caller's


class TooFast(Refused):
    """Asked faster than is allowed; `wait_seconds` until the next request is taken."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(ErrorCode.TOO_MANY_REQUESTS)
        self.wait_seconds = wait_seconds


class Unavailable(GatewayError):
    """Nothing is known to be kept; the caller repeats with the same reference."""

    def __init__(self, reason: str, retry_after_seconds: int = 5) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


def place_of(fault: BaseException) -> str:
    """File and line where a fault arose: enough to find it, and no value of any variable may reach a log."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


class Misconfigured(GatewayError):
    """Start-up is refused: says what is unsafe and the remedy in one line."""
