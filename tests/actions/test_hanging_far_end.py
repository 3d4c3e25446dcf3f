"""A far end that hangs has its share of what is carried and no more, round after round, and everybody else is told meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.core.messages import AgencyId
from gateway.dispatch.celery_worker import CARRY, JOBS
from tests.actions.scene import COUNCIL, ICB, refer
from tests.gateway_house import gateway_house
from tests.partner_agency import Manners, webhook_server

REFERRALS = 6


@pytest.mark.parametrize("by_worker", [False, True], ids=["in the serving process", "in a worker"])
async def test_whoever_hangs_has_a_share_in_all_and_everybody_else_is_told_meanwhile(
    tmp_path: Path, by_worker: bool
) -> None:
    """Of four that are carried at once one is its share. What waits for its turn there is carried as soon as it answers, long
    before the next sweep."""
    authority = trustme.CA()
    async with webhook_server(authority) as hanging, webhook_server(authority) as healthy:
        hanging.manners = Manners.HANGING
        hooks = {AgencyId(ICB): hanging, AgencyId(COUNCIL): healthy}
        settings: dict[str, Any] = {"deliveries_at_once": 4, "sweep_interval_seconds": 600}
        async with gateway_house(tmp_path, authority=authority, hooks=hooks, **settings) as house:
            if by_worker:
                await house.gateway.dispatch.stop()
            for _ in range(REFERRALS):
                await refer(house)
            work = asyncio.ensure_future(JOBS[CARRY](house.parts)) if by_worker else None
            for _ in range(REFERRALS):
                await healthy.next_notice()
            assert hanging.attempts == 1
            hanging.may_answer.set()
            for _ in range(REFERRALS):
                await hanging.next_notice()
            if work is not None:
                await work
