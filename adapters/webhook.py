"""Signed HTTPS push: tells a partner's system that something waits for it, and nothing more.

The body is thin (ids only): the partner fetches the content with its own token, so a wrong or stolen address learns no
personal data. Signed after Standard Webhooks 1.0.0 (HMAC-SHA256, `whsec_` secrets); `webhook-id` is the delivery's id
and, with the body, the same over all attempts, so that a receiver can know a repeat. During a rotation the parcel's
secret holds two secrets, newest first, separated by a space, and the signature header holds one of each.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from adapters.fetch import Answer, Fetcher, FetchFailed
from gateway.core.deliveries import (
    GONE,
    WEBHOOK_PING,
    Delivered,
    Fault,
    Outcome,
    Parcel,
    TryLater,
    Undeliverable,
    endpoint_digest,
)

SECRET_PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)  # Standard Webhooks, "Signature scheme": between 24 and 64 bytes

# Reasons of the fetcher that the partner must mend at its end; all the others may pass by themselves.
PARTNER_MUST_MEND = frozenset({"url-refused", "address-refused"})
ANSWERED = frozenset({"rate-limited", "busy"})
FAILURES_TO_REST, FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 5, 10, 300
AT_ONCE, CROWDED_SECONDS = 24, 2.0

LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Circuit:
    """What this process knows of one endpoint: after failures in a row it rests, so that it costs others nothing.

    Then one try is let through; if that succeeds it serves again, else it rests for longer. At most so many tries are under way
    at once, whatever the endpoint does.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until: datetime | None = None
        self._under_way = 0

    def shut_for(self, now: datetime) -> float | None:
        """Seconds until it is worth trying; None: now."""
        if self._under_way >= AT_ONCE:
            return CROWDED_SECONDS
        if self._rests_until is None:
            return None
        if now < self._rests_until:
            return (self._rests_until - now).total_seconds()
        return CROWDED_SECONDS if self._under_way else None  # one try finds out

    def learn(self, outcome: Outcome, now: datetime) -> None:
        """Only what looks like an endpoint in trouble counts; whoever answers for themselves is there."""
        if not isinstance(outcome, TryLater) or outcome.reason in ANSWERED:
            self._failures, self._rests_until = 0, None
            return
        self._failures += 1
        if self._failures >= FAILURES_TO_REST:
            doubled = FIRST_REST_SECONDS * (1 << min(self._failures - FAILURES_TO_REST, 10))
            self._rests_until = now + timedelta(seconds=min(doubled, LONGEST_REST_SECONDS))

    def __enter__(self) -> None:
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1


class WebhookAdapter:
    """Posts a thin notice to the address that the partner registered."""

    name = "webhook"

    def __init__(self, fetcher: Fetcher, clock: Callable[[], datetime], public_url: str) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._circuits: dict[str, Circuit] = {}

    async def deliver(self, parcel: Parcel) -> Outcome:
        """One attempt; repeats carry the same id and body under a new timestamp and signature."""
        if parcel.address is None or parcel.secret is None:
            return Undeliverable("not-registered", Fault.SYSTEM)
        keys = _keys(parcel.secret)
        if not keys:
            return Undeliverable("secret-unusable", Fault.SYSTEM)
        body = parcel.document or notice(parcel, self._public_url)
        now, circuit = self._clock(), self._circuits.setdefault(_endpoint(parcel.address), Circuit())
        if (shut_for := circuit.shut_for(now)) is not None:
            return TryLater("endpoint-resting", shut_for)
        with circuit:
            headers = signature_headers(parcel.delivery, now, body, keys)
            outcome = await self._post(parcel.address, headers, body)
        circuit.learn(outcome, now)
        if isinstance(outcome, Undeliverable) and outcome.reason == GONE:
            told = {**outcome.evidence, "endpoint": endpoint_digest(parcel.address)}
            return replace(outcome, evidence=told)
        return outcome

    async def _post(self, address: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        try:
            answer = await self._fetcher.request(
                "POST", address, headers={**headers, "Content-Type": "application/json"}, body=body
            )
        except FetchFailed as failed:
            if failed.reason in PARTNER_MUST_MEND:
                return Undeliverable(failed.reason, Fault.PARTNER)
            return TryLater(failed.reason)
        return outcome_of(answer, self._clock())

    async def aclose(self) -> None:
        await self._fetcher.aclose()


class UnitWebhook(WebhookAdapter):
    """The unit's own system, which is told of alerts: its address and secret stand in the settings, the body in the parcel."""

    name = "officer-webhook"

    def __init__(
        self, fetcher: Fetcher, clock: Callable[[], datetime], public_url: str, address: str, secret: str
    ) -> None:
        super().__init__(fetcher, clock, public_url)
        self._address, self._secret = address, secret

    async def deliver(self, parcel: Parcel) -> Outcome:
        return await super().deliver(replace(parcel, address=self._address, secret=self._secret))


def _endpoint(address: str) -> str:
    """Scheme, host and port: one machine that is down is down for all its paths."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        return ""


def notice(parcel: Parcel, public_url: str) -> bytes:
    """The body: what kind of notice, when it arose, and ids. The same bytes for every attempt."""
    at = parcel.created_at.astimezone(UTC).isoformat()
    if parcel.message_type == WEBHOOK_PING:
        ping = {"type": WEBHOOK_PING, "timestamp": at, "webhook": parcel.message}
        return json.dumps(ping, separators=(",", ":")).encode()
    document = {
        "type": "delivery.waiting",
        "timestamp": at,
        "delivery": parcel.delivery,
        "message": parcel.message,
        "incident": parcel.incident,
        "url": f"{public_url}/v1/inbox/{parcel.delivery}",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signature_headers(id_: str, at: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of Standard Webhooks: one `v1` signature of `id.timestamp.body` for each key."""
    timestamp = str(int(at.timestamp()))
    signed = f"{id_}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _keys(secrets: str) -> list[bytes]:
    """The keys of one secret, or of two during a rotation; none when any is unusable."""
    try:
        return [decode_secret(secret) for secret in secrets.split()]
    except ValueError:
        return []


def decode_secret(secret: str) -> bytes:
    """The key in a `whsec_…` secret; ValueError, without showing it, when it is not one of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError("not a webhook secret of 24 to 64 bytes")
    return key


def outcome_of(answer: Answer, now: datetime) -> Outcome:
    """What an answer means: only 2xx is delivered; a redirect is refused, since it would move a notice elsewhere."""
    evidence = {"status": str(answer.status), **answer.evidence}
    match answer.status:
        case status if 200 <= status < 300:
            return Delivered("ConsignmentNotification", evidence)
        case HTTPStatus.GONE:
            return Undeliverable(GONE, Fault.PARTNER, evidence)
        case status if status in LATER:
            reason = "rate-limited" if status == HTTPStatus.TOO_MANY_REQUESTS else "busy"
            return TryLater(reason, _asked_seconds(answer, now), evidence)
        case status if 300 <= status < 400:
            return Undeliverable("redirect", Fault.PARTNER, evidence)
        case status if 400 <= status < 500:
            return Undeliverable("refused", Fault.PARTNER, evidence)
    return TryLater("server-error", _asked_seconds(answer, now), evidence)


def _asked_seconds(answer: Answer, now: datetime) -> float | None:
    """`Retry-After` (RFC 9110 section 10.2.3) in seconds from now, or None when it is absent or no sense."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked[:9])
    try:
        at = parsedate_to_datetime(asked)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
