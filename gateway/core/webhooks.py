"""An agency's own endpoint for notices: the states of its registration, and how long each may last.

Invariant: a registration that waits for somebody lapses, and a secret that was replaced ends, at an instant that stands in its row.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

WAITS = timedelta(days=7)  # for two officers, and then for the agency to fetch the secret
OVERLAP = timedelta(hours=24)  # how long the secret before is still signed with
MOST_OF_AN_AGENCY = 20  # that wait or are in force


class WebhookState(StrEnum):
    """Where a registration stands; the last five are final."""

    WAITING = "waiting"  # it would redirect: two officers must agree
    AGREED = "agreed"  # they did: in force once the agency has fetched its secret
    IN_FORCE = "in-force"
    REFUSED = "refused"
    LAPSED = "lapsed"
    REPLACED = "replaced"
    REMOVED = "removed"
    GONE = "gone"  # the endpoint itself answered 410


OPEN = (WebhookState.WAITING, WebhookState.AGREED, WebhookState.IN_FORCE)
