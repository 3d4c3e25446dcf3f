"""The real mail servers for these tests, started once for each pytest worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mail_servers import MailHouse, mail_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailHouse]:
    with mail_house(tmp_path_factory.mktemp("mail"), ("council.example", "hillside.example")) as running:
        yield running
