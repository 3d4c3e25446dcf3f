"""Each alert rule asks for a figure that the gateway gives, and the operator's guide says what to do about it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.api.operator import _figures
from gateway.store.tables import book
from gateway.store.transaction import Store

ROOT = Path(__file__).resolve().parents[2]
RULES = (ROOT / "deploy" / "alerts.yml").read_text()
GUIDE = (ROOT / "deploy" / "guides" / "operator.md").read_text()
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
async def figures(sqlite_url: str) -> str:
    opened = Store.open(sqlite_url, book)
    opened.create_tables()
    try:
        return (await opened.read(lambda tx: _figures(tx, NOW))).decode()
    finally:
        await opened.aclose()


async def test_every_figure_that_a_rule_asks_for_is_given(figures: str) -> None:
    asked = set(re.findall(r"gateway_[a-z_]+", RULES))
    assert asked
    given = set(re.findall(r"^# TYPE (gateway_[a-z_]+)", figures, re.MULTILINE))
    assert asked - given == set()


def test_every_rule_is_named_in_the_operators_guide_and_no_other() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES)
    assert len(alerts) == RULES.count("expr:") == RULES.count("severity:") - 1 == len(set(alerts))
    assert set(re.findall(r"`(Gateway[A-Z]\w+)`", GUIDE)) == set(alerts)


async def test_nothing_waiting_is_zero_seconds(figures: str) -> None:
    assert "gateway_delivery_waits_seconds 0.0" in figures


async def test_each_trouble_of_readyz_is_a_figure_that_rises(sqlite_url: str) -> None:
    """A mailbox that nobody reads at night woke nobody: /readyz is for people, rules see figures alone."""
    opened = Store.open(sqlite_url, book)
    opened.create_tables()
    try:
        told = (await opened.read(lambda tx: _figures(tx, NOW, ["mailbox"]))).decode()
    finally:
        await opened.aclose()
    assert 'gateway_trouble{trouble="mailbox"} 1.0' in told
    assert 'gateway_trouble{trouble="disk-low"} 0.0' in told
    section = GUIDE[GUIDE.index("## 8. Watch") : GUIDE.index("| `GatewayDown`")]
    assert set(re.findall(r'gateway_trouble\{trouble="([a-z-]+)"\}', told)) <= set(
        re.findall(r"`([a-z-]+)`", section)
    )
