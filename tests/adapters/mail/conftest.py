"""The real mail servers for these tests, started once for each pytest worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mail_servers import MailHouse, mail_house


@pytest.fixture(scope="session")
def house() -> Iterator[MailHouse]:
    with mail_house(("council.example", "hillside.example", "notices.example")) as running:
        yield running
