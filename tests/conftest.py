"""Fixtures for the whole suite: real servers, started once for each pytest worker and only when a test asks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
import uvloop

from gateway.serving import spare_what_stays
from tests import servers

# A busy machine is no fault: no example has a time limit. In CI every run draws the same examples.
hypothesis.settings.register_profile("suite", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _log_as_the_product_does() -> Iterator[None]:
    """Each test begins with unconfigured logging: what one captures must not change where another's lines go."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the event loop that serves, and so does a gateway within one. In a journey and beside an adapter it is the
    partners' programs that run here: asyncio's own loop closes, as uvloop does not, the socket to who is killed while they
    connect, and one whose TLS has not said good-bye when the test ends."""
    own = bool({"journeys", "adapters"} & set(item.path.parts))
    return {"asyncio": asyncio.new_event_loop} if own else {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.PostgresServer]:
    with servers.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[servers.ValkeyServer]:
    with servers.valkey_server() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/book.sqlite"


@pytest.fixture
def postgres_url(postgres: servers.PostgresServer) -> Iterator[str]:
    url = postgres.fresh_database()
    yield url
    postgres.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of its own; the test runs once on each engine."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


def pytest_collection_finish() -> None:
    """All modules and tests stay to the end: the collector need not walk them, and so comes round to what a test leaves."""
    spare_what_stays()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole journeys first: each takes longer than hundreds of others, and would else run last with one process idle."""
    items.sort(key=lambda item: "journeys" not in item.path.parts)
