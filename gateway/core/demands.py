"""What a client can be registered to send with every message, beside what everybody must (contract section 3).

Each is checked when it comes; two officers may make it a condition for one client.
"""

from __future__ import annotations

CONTENT_DIGEST = "content-digest"  # RFC 9530: what arrived is what was sent
IDEMPOTENCY_KEY = "idempotency-key"
SIGNATURE = "signature"  # RFC 9421: the sender cannot deny it
DEMANDS = (CONTENT_DIGEST, IDEMPOTENCY_KEY, SIGNATURE)
