"""A bench's folder: the settings that its gateway is started with. Loads what `gateway serve` loads and nothing besides.

What a served process imports counts in its memory, so the floor's own libraries stay out of it.
"""

from __future__ import annotations

import json
from pathlib import Path

from gateway.settings import Settings

SETTINGS = "settings.json"


def settings_of(folder: Path) -> Settings:
    """As `tests.bench.house.furnish` wrote them."""
    return Settings(**json.loads((folder / SETTINGS).read_text()))
