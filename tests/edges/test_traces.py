"""One trace stands in every line that is logged of a message, from the door to each attempt to deliver it."""

from __future__ import annotations

from pathlib import Path

from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gateway.dispatch.carrying import carry_due
from tests.actions.scene import POLICE, refer
from tests.edges.at_the_door import Raw
from tests.gateway_house import gateway_house


async def test_a_message_is_followed_by_its_trace_and_a_problem_s_instance_is_one(tmp_path: Path) -> None:
    async with gateway_house(tmp_path) as house:
        await house.gateway.dispatch.stop()
        with capture_logs(processors=[merge_contextvars]) as lines:
            answers = [await refer(house) for _ in range(2)]
            while await carry_due(house.parts):
                pass
            async with Raw(house, POLICE) as police:
                refused = await police.post(b"{}")
    door = {one["message"]: one for one in lines if one["event"] == "message.accepted"}
    carried = [one for one in lines if one["event"] == "delivery.attempted"]
    assert set(door) == {answer["id"] for answer in answers}
    assert len({one["trace"] for one in door.values()}) == 2
    assert len(carried) > 2
    assert all(one["trace"] == door[one["message"]]["trace"] for one in carried)
    number = refused.document["instance"].removeprefix("urn:uuid:").replace("-", "")
    assert len(number) == 32
    assert number not in {one["trace"] for one in door.values()}
