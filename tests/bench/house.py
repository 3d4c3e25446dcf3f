"""The gateway that is measured: a folder of its own, real keys and databases, the invented partnership, open incidents."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway.actions.submit import Accepted
from gateway.actions.take import Speaker, prepare, take
from gateway.app import build_parts, close
from gateway.core.messages import AgencyId
from gateway.demo.partnership import AGENCIES, Enrolment, enrol
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import migrations
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX, FileSigner
from schemas import example_path, read_message
from tests.bench.floor import FLOOR_KEY
from tests.bench.folder import SETTINGS, settings_of

POLICE, HOSPITALS = AgencyId("northshire-police"), AgencyId("northshire-hospitals")
BUSINESS_UNIT = AgencyId("south-tyneside-sbu")
PARTNERSHIP = "south-tyneside"
INCIDENTS = 500  # so that each has a few dozen messages by the end, as in life
DOCUMENT_BYTES = 4096
FILLING = "The child was seen at home and at school; what was seen is set out day by day. "


def furnish(
    folder: Path, port: int, operator_port: int, incidents: int = INCIDENTS, **settings_besides: Any
) -> None:
    """Make keys, databases, enrolments and open incidents in an empty folder."""
    address = f"127.0.0.1:{port}"
    given = {
        "mode": "development",
        "public_url": f"http://{address}",
        "listen": address,
        "operator_listen": f"127.0.0.1:{operator_port}",
        "var_dir": str(folder / "var"),
        "keys_dir": str(folder / "keys"),
        "drain_seconds": 1.0,
        **dict.fromkeys(  # what is measured is the gateway, not its patience
            (
                f"{who}_{limit}"
                for who in ("address", "client")
                for limit in ("requests_per_second", "burst_requests")
            ),
            1_000_000,
        ),
        **settings_besides,
    }
    (folder / SETTINGS).write_text(json.dumps(given))
    settings = settings_of(folder)
    settings.var_dir.mkdir(mode=0o700)
    custody.create(settings.keys_dir, DEVELOPMENT_PREFIX)
    migrations.migrate(settings.book_url, "book")
    migrations.migrate(settings.keys_book_url, "custody")
    (folder / FLOOR_KEY).write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes_raw())
    asyncio.run(_inhabit(folder, settings, incidents))


def environment(folder: Path) -> dict[str, str]:
    """The same settings for the command `gateway`, and no others."""
    given = json.loads((folder / SETTINGS).read_text())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    said = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in given.items()}
    return kept | {f"GATEWAY_{name.upper()}": value for name, value in said.items()}


def document(slug: str, reference: str, incident: str | None) -> bytes:
    """A message of 4 KiB, whatever its type; the gateway and the floor are sent the same."""
    made = json.loads(example_path(slug).read_text())
    made |= {"reference": reference, "incident": incident, "created_at": datetime.now(UTC).isoformat()}
    if "children" in made["body"]:
        _about_somebody_else(made["body"], reference)
    if slug == "information-return":
        body = made["body"]
        missing = DOCUMENT_BYTES - len(json.dumps(made)) + len(body["involvement"])
        body["involvement"] = (FILLING * 100)[:missing].strip() + "."
    return json.dumps(made).encode()


def _about_somebody_else(body: dict[str, Any], reference: str) -> None:
    """Another child on another day for each reference: a flood about one child is no ordinary day's work."""
    chance = int.from_bytes(hashlib.sha256(reference.encode()).digest()[:8], "big")
    if "incident" in body:
        happened_at = datetime.fromisoformat(body["incident"]["incident_at"]) - timedelta(days=chance % 300)
        body["incident"]["incident_at"] = happened_at.isoformat()
    for child in body["children"]:
        letters = "".join(chr(ord("a") + chance // 26**place % 26) for place in range(10))
        born_on = date(2010, 1, 1) + timedelta(days=chance // 300 % 4000)
        child |= {"family_name": letters.title(), "other_names": [], "date_of_birth": born_on.isoformat()}
        child |= {"nhs_number": None, "nhs_number_absence": "not-available"}
        chance //= 7


async def _inhabit(folder: Path, settings: Settings, count: int) -> None:
    keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
    parts = build_parts(settings)
    try:
        await enrol(parts, Enrolment(keys))
        incidents = [await open_incident(parts, number) for number in range(count)]
    finally:
        await close(parts)
    (folder / "incidents.json").write_text(json.dumps(incidents))
    for agency in (POLICE, HOSPITALS, BUSINESS_UNIT):
        (folder / f"{agency}.jwk").write_text(json.dumps(keys[agency].private_jwk()))


async def open_incident(parts: Parts, number: int) -> dict[str, Any]:
    """An incident, and the request for information that the hospitals answer with their returns."""
    opened = await accepted(parts, POLICE, document("referral", f"opened-{number}", None))
    asked = document("information-request", f"asked-{number}", opened.incident)
    return {"incident": opened.incident, "message": (await accepted(parts, BUSINESS_UNIT, asked)).id}


async def accepted(parts: Parts, agency: AgencyId, raw: bytes) -> Accepted:
    speaker = Speaker(agency, frozenset({PARTNERSHIP}))
    answer = await take(parts, await prepare(parts, raw, read_message(raw), speaker))
    assert answer.decision == "forward", answer
    return answer
