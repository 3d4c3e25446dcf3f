"""`gateway evidence`: a bundle and its policy leave the house, and a stranger checks them."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.dispatch.timetable import seal_waiting
from gateway.ledger import verify
from gateway.ledger.checkpoint import sign_checkpoint
from gateway.store import log
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

NAMES = (b"Testington", b"Elowen", b"9990000018")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


@pytest.fixture
async def referral(house: House) -> dict[str, Any]:
    async with house.client("northshire-police") as police:
        answer: dict[str, Any] = await police.submit(house.example("referral", reference="NP-1"))
    return answer


async def exported(house: House, incident: str, *more: str) -> tuple[Path, Path]:
    """The bundle and the policy."""
    bundle, policy = house.folder / "evidence.zip", house.folder / "policy.json"
    await gateway(house, "evidence", "export", incident, "--out", str(bundle), "--officer", "W. Stave", *more)
    await gateway(house, "evidence", "policy", "--out", str(policy))
    return bundle, policy


async def test_an_exported_bundle_is_valid_with_content_for_whoever_has_the_policy(
    house: House, referral: dict[str, Any]
) -> None:
    bundle, policy = await exported(house, referral["incident"])
    found = await gateway(house, "evidence", "verify", str(bundle), "--policy", str(policy))
    assert (found["verdict"], found["content"]) == ("VALID", "matches")
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert any(name in bundle.read_bytes() for name in NAMES)


async def test_the_bundle_brings_a_verifier_that_needs_no_gateway(
    house: House, referral: dict[str, Any]
) -> None:
    bundle, policy = await exported(house, referral["incident"])
    alone = house.folder / "stranger"
    with zipfile.ZipFile(bundle) as archive:
        archive.extract("verify.py", alone)
    command = [sys.executable, "-I", "verify.py", str(bundle), "--policy", str(policy)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("VALID:")


async def test_without_content_nothing_personal_leaves_and_it_is_still_valid(
    house: House, referral: dict[str, Any]
) -> None:
    bundle, policy = await exported(house, referral["incident"], "--without-content")
    found = await gateway(house, "evidence", "verify", str(bundle), "--policy", str(policy))
    assert (found["verdict"], found["content"]) == ("VALID", "not supplied")
    assert not any(name in bundle.read_bytes() for name in NAMES)


async def test_every_export_leaves_an_entry_that_its_own_bundle_holds_sealed(
    house: House, referral: dict[str, Any]
) -> None:
    await exported(house, referral["incident"])
    bundle, _ = await exported(house, referral["incident"])
    entries = await house.parts.store.read(
        lambda tx: log.entries_of_incident(tx, house.example("referral")["partnership"], referral["incident"])
    )
    assert [entry.event for entry in entries].count("EvidenceExported") == 2
    assert all(entry.leaf_index is not None for entry in entries if entry.event == "EvidenceExported")
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
    receipts = [name for name in names if name.endswith(".jws")]
    proofs = [name for name in names if name.endswith(".proof")]
    assert len(receipts) == len(proofs) > 0


async def test_single_fields_of_one_receipt_are_given_to_somebody_who_may_see_no_more(
    house: House, referral: dict[str, Any]
) -> None:
    bundle, policy = await exported(house, referral["incident"])
    part, receipt = house.folder / "part.zip", referral["receipt"]["id"]
    asked = (
        "evidence",
        "disclose",
        str(bundle),
        "--receipt",
        receipt,
        "--field",
        "sender",
        "--out",
        str(part),
    )
    assert (await gateway(house, *asked))["fields"] == ["sender"]
    found = await gateway(house, "evidence", "verify", str(part), "--policy", str(policy))
    assert (found["verdict"], found["content"]) == ("VALID", "not supplied")
    assert not any(name in part.read_bytes() for name in NAMES)
    status, _, err = await attempt(house, *asked[:-4], "--field", "child", "--out", str(part))
    assert (status, err.count("\n")) == (1, 1)
    status, _, err = await attempt(house, "evidence", "disclose", str(policy), *asked[3:])
    assert (status, err.count("\n")) == (2, 1)


async def test_a_checkpoint_that_somebody_else_kept_must_lead_to_the_evidence(
    house: House, referral: dict[str, Any]
) -> None:
    """Whoever holds a checkpoint from another source sees a log that was forked or cut."""
    await seal_waiting(house.parts)
    kept = await house.parts.store.read(log.latest_checkpoint)
    assert kept is not None
    note = house.folder / "kept.note"
    note.write_text(kept.note)
    bundle, policy = await exported(house, referral["incident"], "--pinned", str(kept.size))
    asked = ("evidence", "verify", str(bundle), "--policy", str(policy), "--pinned", str(note))
    assert (await gateway(house, *asked))["verdict"] == "VALID"
    other = sign_checkpoint(house.parts.keys.log, kept.log, kept.size, bytes(32))
    note.write_text(other)
    status, out, _ = await attempt(house, *asked, "--json")
    assert (status, json.loads(out)["reason"]) == (
        1,
        "checkpoints: two checkpoints of one size have different roots",
    )
    note.write_text("kept by nobody\n")
    assert (await attempt(house, *asked))[0] == 2
    out_file = str(house.folder / "x.zip")
    status, _, err = await attempt(
        house, "evidence", "export", referral["incident"], "--out", out_file, "--pinned", "999999"
    )
    assert (status, err) == (
        1,
        "gateway: The log signed no checkpoint of this size: it stands in the checkpoint's second line.\n",
    )


async def test_evidence_for_an_agency_that_nobody_knows_is_refused_and_nothing_is_written(
    house: House, referral: dict[str, Any]
) -> None:
    """A slip of the pen would else hand out a bundle that opens nothing, and state an export to nobody."""
    out = house.parts.settings.var_dir / "nobody.zip"
    status, said, err = await attempt(
        house, "evidence", "export", referral["incident"], "--out", str(out), "--for", "northshire-icp"
    )
    assert (status, said, err) == (1, "", "gateway: There is no agency of this id.\n")
    assert not out.exists()


async def test_a_partner_gets_what_is_about_itself_and_nothing_of_the_others(
    house: House, referral: dict[str, Any]
) -> None:
    bundle, policy = await exported(house, referral["incident"], "--for", "northshire-icb")
    found = await gateway(house, "evidence", "verify", str(bundle), "--policy", str(policy))
    assert (found["verdict"], found["content"]) == ("VALID", "not supplied")
    with zipfile.ZipFile(bundle) as archive:
        told = [
            json.loads(verify.unb64url(one))[1:]
            for name in archive.namelist()
            if name.endswith(".disclosures")
            for one in json.loads(archive.read(name))
        ]
        example = json.loads(archive.read("policy.example.json"))
    assert [peer["agency"] for peer in example["peers"]] == ["northshire-icb"], (
        "who else is connected is not told"
    )
    assert ["recipient", "northshire-icb"] in told
    assert {value for name, value in told if name in ("sender", "recipient")} == {"northshire-icb"}
    assert not {name for name, _ in told} & {"recipients", "duties", "officer", "payload_sha256"}


async def test_the_whole_log_shows_what_did_not_happen_and_holds_nothing_personal(
    house: House, referral: dict[str, Any]
) -> None:
    _, policy = await exported(house, referral["incident"])
    folder = house.folder / "log"
    two = ("--officer", "W. Stave", "--second-officer", "C. Reed")
    told = await gateway(house, "evidence", "log", "--out", str(folder), *two)
    lines = (folder / "leaves.jsonl").read_bytes().splitlines()
    assert told["leaves"] == len(lines)
    assert json.loads(lines[-1])["reason"] == "whole-log", "the export is its own last leaf"
    assert not any(name in line for name in NAMES for line in lines)
    submitted = [one for one in map(json.loads, lines) if one["event"] == "SubmissionAcceptance"][-1]["time"]
    asked = ("evidence", "absence", str(folder), "--ref", referral["id"], "--policy", str(policy))
    found = await gateway(house, *asked, "--event", "ConsignmentAcceptance", "--before", submitted)
    assert (found["verdict"], found["absent"]) == ("VALID", True)
    status, out, _ = await attempt(
        house, *asked, "--event", "SubmissionAcceptance", "--before", "2100-01-01T00:00:00Z", "--json"
    )
    assert (status, json.loads(out)["absent"]) == (1, False)
    status, _, err = await attempt(house, "evidence", "log", "--out", str(folder), *two)
    assert (status, err.count("\n")) == (2, 1)
    alone = ("--officer", "W. Stave", "--second-officer", "w. stave")
    status, _, err = await attempt(house, "evidence", "log", "--out", str(folder / "other"), *alone)
    assert (status, (folder / "other").exists()) == (1, False)


async def test_a_bundle_that_was_meddled_with_is_invalid(house: House, referral: dict[str, Any]) -> None:
    bundle, policy = await exported(house, referral["incident"])
    broken = house.folder / "broken.zip"
    broken.write_bytes(bundle.read_bytes().replace(b"Testington", b"Restington"))
    status, out, _ = await attempt(
        house, "evidence", "verify", str(broken), "--policy", str(policy), "--json"
    )
    assert (status, json.loads(out)["verdict"]) == (1, "INVALID")


async def test_an_unknown_incident_and_a_file_that_cannot_be_written_are_told_in_one_line(
    house: House, referral: dict[str, Any]
) -> None:
    out = house.folder / "evidence.zip"
    status, told, err = await attempt(house, "evidence", "export", "SI-7K3M-9QPX-2D", "--out", str(out))
    assert (status, told, err) == (1, "", "gateway: There is no incident of this id.\n")
    assert not out.exists()
    nowhere = str(house.folder / "nowhere" / "evidence.zip")
    status, told, err = await attempt(house, "evidence", "export", referral["incident"], "--out", nowhere)
    assert (status, told, err.count("\n")) == (2, "", 1)
