"""Clients' buckets in Valkey (or Redis), for all serving processes together.

The same algorithm as `core.rates`, as one script that runs there at once, by the server's own clock. Nothing is kept longer than
a bucket takes to fill. It answers within a quarter of a second or raises: by default the library waits and tries again for over
ten seconds.
"""

from __future__ import annotations

import hashlib

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.core.rates import Rate

PATIENCE_SECONDS = 0.25
PREFIX = "gateway:rate:"

# KEYS[1] a client's bucket; ARGV seconds for one request, requests at once. Answers the seconds to wait, as text: a number
# would be cut to whole ones.
_TAKE = """
local clock = redis.call('TIME')
local now, one = clock[1] + clock[2] / 1000000, tonumber(ARGV[1])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + one
local wait = full_at - now - tonumber(ARGV[2]) * one
if wait > one / 1000 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000) + 1)
return '0'
"""


class SharedBuckets:
    """As many clients as there are; one short text for each that asked of late."""

    def __init__(self, url: str) -> None:
        self._valkey = Redis.from_url(
            url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._take = self._valkey.register_script(_TAKE)

    async def take(self, key: str, rate: Rate) -> float:
        """Take one from the key's bucket: 0, or the seconds to wait. Raises redis.RedisError when it cannot be told."""
        name = PREFIX + hashlib.sha256(key.encode()).hexdigest()
        return float(await self._take(keys=[name], args=[1 / rate.per_second, rate.burst]))

    async def aclose(self) -> None:
        await self._valkey.aclose()
