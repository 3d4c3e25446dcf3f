"""`gateway absence`: who is away is noted in all their seats, with an entry in the ledger; deputies take over (G-04, S3-07)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory
from gateway.store import directory, tables
from tests.edges.office import OFFICERS, Office, Told, deployed

P = PartnershipId("south-tyneside")
FILE = """id,kind,name,code,agency,role,rank,email,telephone,adapter,address,works
council,local-authority,Invented Council,E08000023
,,Ada Placeholder,,council,head-of-service-sqa,0,ada@council.example,01632 960101
,,Bo Placeholder,,council,head-of-service-sqa,1,bo@council.example,01632 960102
,,Ada Placeholder,,council,dsp-la,0,ada@council.example,01632 960101
"""
SQA, DSP = (Seat(AgencyId("council"), RoleId(role)) for role in ("head-of-service-sqa", "dsp-la"))
ADVENT = datetime(2027, 12, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    office = deployed(template, tmp_path, monkeypatch, capsys)
    office.write("file.csv", FILE)
    assert office("directory", "import", "file.csv", "--partnership", P, *OFFICERS).status == 0
    return office


def absence(gateway: Office, *words: str) -> Told:
    return gateway("absence", *words, "--partnership", P, "--json")


def now(gateway: Office) -> Directory:
    return gateway.read(lambda tx: directory.load(tx, P))


def test_s3_07_the_deputy_takes_over_for_the_days_away_and_no_longer(gateway: Office) -> None:
    told = absence(gateway, "set", "council", SQA.role, "0", "--from", "2027-12-01", "--until", "2027-12-04")
    assert (told.status, told.document["roles"]) == (0, ["dsp-la", "head-of-service-sqa"])
    found = now(gateway)
    for at, name in (
        (datetime(2027, 11, 30, 23, 59, tzinfo=UTC), "Ada Placeholder"),
        (datetime(2027, 12, 1, 0, 0, tzinfo=UTC), "Bo Placeholder"),
        (datetime(2027, 12, 4, 23, 59, tzinfo=UTC), "Bo Placeholder"),
        (datetime(2027, 12, 5, 0, 0, tzinfo=UTC), "Ada Placeholder"),
    ):
        holder = found.present_holder(SQA, at)
        assert holder is not None
        assert holder.name == name


def test_g_04_a_person_away_in_one_seat_is_away_in_all_and_an_empty_seat_is_named(gateway: Office) -> None:
    told = absence(gateway, "set", "council", SQA.role, "0", "--from", "2027-12-01")
    assert told.document["nobody_left"] == ["dsp-la"]
    assert now(gateway).present_holder(DSP, ADVENT) is None
    (line, warning) = gateway("absence", "set", "council", "dsp-la", "0", "--partnership", P).out.splitlines()
    assert "away in dsp-la, head-of-service-sqa" in line
    assert warning.startswith("NOBODY IS THEN AT WORK in dsp-la of council")


def test_who_is_back_is_present_again_and_each_change_is_an_entry(gateway: Office) -> None:
    absence(gateway, "set", "council", SQA.role, "0")
    (first, second) = absence(gateway, "list").document["absences"]
    assert (first["name"], first["absent_now"], first["at_work_now"]) == ("Ada Placeholder", True, None)
    assert (second["role"], second["at_work_now"]) == ("head-of-service-sqa", "Bo Placeholder")
    assert absence(gateway, "clear", "council", SQA.role, "0").document["absent_from"] is None
    assert absence(gateway, "list").document["absences"] == []
    query = tables.entry.select().where(tables.entry.c.event == Event.ABSENCE_ANNOUNCED.text)
    assert len(gateway.read(lambda tx: tx.execute(query).all())) == 2


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("set", "council", "dsp-la", "7"), 1),
        (("set", "nowhere", "dsp-la", "0"), 1),
        (("set", "council", "dsp-la", "0", "--from", "2027-12-04", "--until", "2027-12-01"), 1),
        (("set", "council", "dsp-la", "0", "--from", "soon"), 2),
        (("set", "council", "dsp-la", "0", "--from", "2027-12-04T10:00"), 2),
    ],
)
def test_what_is_no_absence_is_one_line(gateway: Office, words: tuple[str, ...], status: int) -> None:
    told = absence(gateway, *words)
    assert (told.status, told.out) == (status, "")
    assert len([line for line in told.err.splitlines() if line.startswith("gateway:")]) == 1
