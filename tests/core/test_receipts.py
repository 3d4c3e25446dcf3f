"""Each event says in one sentence what it shows and what not, and no event claims more than it may."""

from __future__ import annotations

import re

import pytest

from gateway.core.receipts import Event

# Words that claim that somebody has a message or knows of it, and the events that alone may claim it.
CLAIMS = {
    r"\bdelivered\b": set(),
    r"\b(read|understood|seen)\b": {"DeadlineMissed"},  # there it is our own mailboxes that were read
    r"\backnowledged\b": {"ConsignmentAcceptance"},
    r"message was opened": {"ContentAccessTracking", "NotificationAccessTracking"},
    r"\bproves?\b": set(),
}
LIMITS = re.compile(r"\bnot\b|nothing about|still waits|stays (good|as it was)")


@pytest.mark.parametrize("event", Event, ids=lambda event: event.text)
def test_an_event_says_in_one_sentence_what_it_shows_and_what_it_does_not(event: Event) -> None:
    shows, separator, limit = event.meaning.rpartition("; ")
    assert separator
    assert re.fullmatch(r"[A-Z][^.]*\.", event.meaning), "one sentence"
    assert LIMITS.search(limit), "it says what is not shown"
    for words, allowed in CLAIMS.items():
        assert event.text in allowed or not re.search(words, shows), words


def test_a_mail_servers_yes_is_never_called_delivered_and_a_read_receipt_is_called_a_claim() -> None:
    """SMTP 250 is RelayToNonERDS; RFC 8098 section 6.3: a disposition notification can be forged."""
    assert "not that it was delivered" in Event.RELAY_TO_NON_ERDS.meaning
    assert "claims" in Event.CONTENT_ACCESS_TRACKING.meaning
    assert "anyone can forge" in Event.RELAY_TO_NON_ERDS_FAILURE.meaning


def test_an_event_that_tells_of_a_failure_needs_a_reason_and_has_a_title_to_read() -> None:
    failing = {event.text for event in Event if event.needs_reason}
    assert {"RelayToNonERDSFailure", "DeliveryFailure", "ConsignmentRejection", "DeadlineMissed"} <= failing
    assert "RelayToNonERDS" not in failing
    assert Event.RELAY_TO_NON_ERDS.title == "Relay to ordinary mail"
