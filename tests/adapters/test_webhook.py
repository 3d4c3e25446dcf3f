"""The webhook adapter keeps to Standard Webhooks 1.0.0, sends ids only, and reads every answer for what it means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fetch import Answer, Fetcher
from adapters.webhook import Circuit, WebhookAdapter, decode_secret, outcome_of, signature_headers
from gateway.core.deliveries import Delivered, Fault, Outcome, TryLater, Undeliverable
from tests.adapters.far_end import FarEnd, Received, far_end, loopback, trusting
from tests.adapters.parcels import AT, SECRET, a_parcel

NOW = AT + timedelta(minutes=5)
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def is_signed(secret: str, received: Received, now: datetime) -> bool:
    """The receiver's side, written from the specification and not from the adapter."""
    id_, timestamp = received.headers["webhook-id"], received.headers["webhook-timestamp"]
    if abs(now.timestamp() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret[len("whsec_") :])
    content = id_.encode() + b"." + timestamp.encode() + b"." + received.body
    ours = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    theirs = [entry.split(",", 1) for entry in received.headers["webhook-signature"].split(" ")]
    return any(hmac.compare_digest(ours, value) for version, value in theirs if version == "v1")


def test_the_specification_s_own_example_is_reproduced() -> None:
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        [decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_a_notice_is_posted_signed_and_carries_ids_only() -> None:
    async with far_end() as end, webhook(end) as adapter:
        outcome = await adapter.deliver(a_parcel(end.url))
    (received,) = end.received
    assert isinstance(outcome, Delivered)
    assert (outcome.event, outcome.evidence["status"]) == ("ConsignmentNotification", "204")
    assert is_signed(SECRET, received, NOW)
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body) == {
        "type": "delivery.waiting",
        "timestamp": "2026-03-02T09:30:00+00:00",
        "delivery": "dlv-4kq7",
        "message": "msg-9x2m",
        "incident": "SI-7K3M-9QPX-2D",
        "url": "https://gateway.example/v1/inbox/dlv-4kq7",
    }


async def test_a_changed_body_or_another_secret_does_not_verify() -> None:
    async with far_end() as end, webhook(end) as adapter:
        await adapter.deliver(a_parcel(end.url))
    (received,) = end.received
    assert not is_signed(OTHER_SECRET, received, NOW)
    assert not is_signed(SECRET, Received(received.headers, received.path, received.body + b" "), NOW)
    assert not is_signed(SECRET, received, NOW + timedelta(minutes=6))


async def test_repeats_have_one_id_and_body_under_a_new_timestamp() -> None:
    times = [NOW, NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=1)]
    async with far_end() as end:
        fetcher = Fetcher(tls=trusting(), resolve=loopback, development_hosts=[end.host])
        adapter = WebhookAdapter(fetcher, lambda: times.pop(0), "https://gateway.example")
        await adapter.deliver(a_parcel(end.url, attempt=1))
        await adapter.deliver(a_parcel(end.url, attempt=2))
        await adapter.aclose()
    first, second = end.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "dlv-4kq7"
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600
    assert is_signed(SECRET, second, NOW + timedelta(hours=1))


async def test_during_a_rotation_both_secrets_verify() -> None:
    async with far_end() as end, webhook(end) as adapter:
        await adapter.deliver(a_parcel(end.url, secret=f"{OTHER_SECRET} {SECRET}"))
    (received,) = end.received
    assert is_signed(SECRET, received, NOW)
    assert is_signed(OTHER_SECRET, received, NOW)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (410, "gone"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (301, "redirect"),
        (308, "redirect"),
    ],
)
async def test_what_the_partner_must_mend_is_its_fault_and_not_repeated(status: int, reason: str) -> None:
    outcome = await answered(status, {"Location": "https://elsewhere.example/"} if status < 400 else {})
    assert isinstance(outcome, Undeliverable)
    assert (outcome.reason, outcome.fault) == (reason, Fault.PARTNER)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(408, "busy"), (425, "busy"), (429, "rate-limited"), (500, "server-error"), (503, "server-error")],
)
async def test_what_may_pass_by_itself_is_tried_later(status: int, reason: str) -> None:
    outcome = await answered(status)
    assert isinstance(outcome, TryLater)
    assert (outcome.reason, outcome.after_seconds) == (reason, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 02 Mar 2026 09:45:00 GMT", 600.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured_in_both_its_forms(said: str, seconds: float | None) -> None:
    for status in (429, 503):
        outcome = await answered(status, {"Retry-After": said})
        assert isinstance(outcome, TryLater)
        assert outcome.after_seconds == seconds


@given(st.integers(200, 999), st.text(max_size=60))
def test_every_answer_has_a_meaning_whatever_its_headers_say(status: int, said: str) -> None:
    outcome = outcome_of(Answer(status, {"retry-after": said}, b"", True, {}), NOW)
    assert isinstance(outcome, Delivered) == (200 <= status < 300)


@given(st.sampled_from(["+9999999999", "-2400", "GMT"]), st.integers(0, 10**12), st.integers(0, 10**6))
def test_an_impossible_date_in_retry_after_is_no_date(zone: str, year: int, hour: int) -> None:
    said = f"Mon, 02 Mar {year} {hour}:00:00 {zone}"
    outcome = outcome_of(Answer(503, {"retry-after": said}, b"", True, {}), NOW)
    assert isinstance(outcome, TryLater)
    assert outcome.after_seconds is None or outcome.after_seconds >= 0


@pytest.mark.parametrize(
    "secret", [None, "", " ", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "plain", f"{SECRET} whsec_!"]
)
async def test_without_a_usable_secret_nothing_is_sent_and_it_is_our_fault(secret: str | None) -> None:
    async with far_end() as end, webhook(end) as adapter:
        outcome = await adapter.deliver(a_parcel(end.url, secret=secret))
    assert isinstance(outcome, Undeliverable)
    assert outcome.fault is Fault.SYSTEM
    assert end.connections == 0


@pytest.mark.parametrize(
    "address",
    ["http://partner.example/", "https://10.0.0.1/", "https://169.254.169.254/latest", "not an address"],
)
async def test_an_address_inside_or_without_tls_is_the_partner_s_to_mend(address: str) -> None:
    async with far_end() as end, webhook(end) as adapter:
        outcome = await adapter.deliver(a_parcel(address))
    assert isinstance(outcome, Undeliverable)
    assert outcome.fault is Fault.PARTNER
    assert end.connections == 0


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_neither_parcel_nor_refusal_shows_the_secret(secret: str) -> None:
    assert secret not in repr(a_parcel("https://partner.example/", secret=secret))
    with pytest.raises(ValueError, match=r"secret|base64") as caught:
        decode_secret(secret[:-6])
    assert secret[6:-6] not in str(caught.value)


async def answered(status: int, headers: dict[str, str] | None = None) -> Outcome:
    """What the adapter makes of this answer by a real far end."""
    async with far_end() as end, webhook(end) as adapter:
        end.says(status, headers)
        return await adapter.deliver(a_parcel(end.url))


@asynccontextmanager
async def webhook(*ends: FarEnd) -> AsyncIterator[WebhookAdapter]:
    fetcher = Fetcher(tls=trusting(), resolve=loopback, development_hosts=[end.host for end in ends])
    adapter = WebhookAdapter(fetcher, lambda: NOW, "https://gateway.example/")
    yield adapter
    await adapter.aclose()


def test_an_endpoint_in_trouble_rests_then_one_try_finds_out_and_an_answer_opens_it_again() -> None:
    circuit, later = Circuit(), TryLater("time-out")
    for _ in range(4):
        circuit.learn(later, NOW)
    assert circuit.shut_for(NOW) is None
    circuit.learn(later, NOW)
    assert circuit.shut_for(NOW) == 10
    after = NOW + timedelta(seconds=10)
    assert circuit.shut_for(after) is None
    with circuit:
        assert circuit.shut_for(after), "one try at a time finds out"
    circuit.learn(later, after)
    assert circuit.shut_for(after) == 20, "it rests for longer each time"
    circuit.learn(TryLater("rate-limited"), after)
    assert circuit.shut_for(after) is None, "who answers is there"


async def test_a_resting_endpoint_is_not_called_and_another_is() -> None:
    async with far_end() as ill, far_end() as well:
        for _ in range(5):
            ill.says(503)
        async with webhook(ill, well) as adapter:
            for attempt in range(1, 8):
                outcome = await adapter.deliver(a_parcel(ill.url, attempt=attempt))
            assert outcome == TryLater("endpoint-resting", 10.0)
            assert len(ill.received) == 5
            assert isinstance(await adapter.deliver(a_parcel(well.url)), Delivered)
