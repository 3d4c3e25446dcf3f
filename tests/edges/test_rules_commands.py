"""`gateway rules check`, `route` and `activate`: problems with line and remedy, the contract's dry run, two officers."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from gateway.core.messages import PartnershipId
from gateway.core.receipts import Event
from gateway.partnerships import packs
from gateway.partnerships.calendars import shipped_holidays
from gateway.settings import Settings
from gateway.store import log, tables
from gateway.store import packs as pack_rows
from tests.actions.test_calendar_change import government_list
from tests.edges.office import OFFICERS, Office, deployed

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "v1" / "examples"
REFERRAL = str(EXAMPLES / "referral.json")
SOUTH_TYNESIDE = PartnershipId("south-tyneside")

SEVENTH_RULES = """
[scope]
places = ["990"]

[[clock]]
id = "V1"
amount = 2
unit = "working-days"
start = "referral_received_at"
day_end = "cob"
clause = "invented"

[[route]]
id = "referral"
message = "referral"
from = ["police"]
opens = true
moments = ["referral_received_at", "aware_at"]
deliver = ["sbu", "service-director"]
duties = [
    { owner = "sbu", expects = "acknowledgement", clock = "V1" },
    { owner = "service-director", expects = "sin-record", clock = "K12" },
]
clause = "invented"

[[chase]]
stage = "due"
to = ["owner"]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    return deployed(template, tmp_path, monkeypatch, capsys)


def seventh(gateway: Office, more: str = SEVENTH_RULES, version: str = "1") -> str:
    """An invented partnership's folder: two files of data, the statutory minimum copied as its README says."""
    minimum = packs.read_files(packs.HERE / "statutory-minimum")
    clocks = minimum["rules.toml"].split("[[clock]]", 1)[1].split("[[route]]", 1)[0]
    head = (
        '[pack]\nname = "invented-vale"\ntitle = "Invented Vale"\n'
        f'version = "{version}"\neffective_on = 2026-01-01\nreview_due_on = 2027-01-01\n'
        'working_together = "2026"\nsource = "invented"\nstatus = "invented"\n\n[[clock]]'
    )
    gateway.write("invented-vale/rules.toml", head + clocks + more)
    gateway.write("invented-vale/calendar.toml", minimum["calendar.toml"])
    return "./invented-vale"


def test_every_shipped_pack_is_sound(gateway: Office) -> None:
    told = gateway("rules", "check", "--json")
    assert (told.status, told.document) == (0, [])


def test_a_problem_has_its_line_and_a_remedy_and_exit_1(gateway: Office) -> None:
    pack = seventh(gateway, SEVENTH_RULES.replace('"service-director"]', '"duke"]'))
    told = gateway("rules", "check", pack, "--json")
    assert told.status == 1
    (problem,) = told.document
    lines = (gateway.folder / "invented-vale/rules.toml").read_text().splitlines()
    assert '"duke"' in lines[problem["line"] - 1]
    assert list(problem) == ["pack", "line", "what", "remedy"]


REFUSED = {
    "an unknown table": ("[scope]", "[skope]", "skope", "README", "[skope]"),
    "an unknown key": ('message = "referral"', 'mesage = "referral"', "mesage", "README", "mesage"),
    "overlapping routes": (
        "[[chase]]",
        '[[route]]\nid = "again"\nmessage = "referral"\nfrom = ["police"]\nclause = "invented"\n[[chase]]',
        "overlap",
        "Separate them",
        'id = "again"',
    ),
    "an unreachable rule": (
        "[[chase]]",
        '[[consequence]]\ndecision = "tea"\noutcomes = ["met"]\n[[chase]]',
        "follows from no decision",
        "Add a [[decision]]",
        'decision = "tea"',
    ),
    "a role nobody holds": (
        '"service-director"]',
        '{ role = "dsl", whom = "sender" }]',
        "nobody there could hold",
        "Name a role that such an agency has",
        '"dsl"',
    ),
    "a clock from nothing": (
        'moments = ["referral_received_at", "aware_at"]',
        'moments = ["aware_at"]',
        "starts from nothing",
        "Record its start event",
        'clock = "V1"',
    ),
    "a weakened statutory clock": (
        'id = "K17"\namount = 15',
        'id = "K17"\namount = 20',
        "K17",
        "Copy its",
        'id = "K17"',
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_a_pack_is_refused_at_the_line_with_the_remedy(gateway: Office, refused: str) -> None:
    """Whatever is not known, contradicts itself, could never act or bends the law; exit 1 and nothing in force."""
    old, new, what, remedy, at_line = REFUSED[refused]
    pack = seventh(gateway)
    file = gateway.folder / "invented-vale/rules.toml"
    text = file.read_text()
    assert old in text, "the test changes what is there"
    file.write_text(text.replace(old, new, 1))
    told = gateway("rules", "check", pack, "--json")
    assert told.status == 1
    (found,) = [problem for problem in told.document if what in problem["what"]]
    assert remedy in found["remedy"]
    assert at_line in file.read_text().splitlines()[found["line"] - 1]
    assert gateway("rules", "activate", pack, *OFFICERS).status == 1
    assert gateway.read(lambda tx: pack_rows.current(tx, PartnershipId("invented-vale"))) is None


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ('["abuse-in-england"]', "looked-after-death is the law's and cannot be switched off"),
        ('["dangerous-weather"]', "there is no criterion dangerous-weather"),
    ],
)
def test_x_16_a_pack_switches_local_criteria_and_never_those_of_the_law(
    gateway: Office, criteria: str, says: str
) -> None:
    pack = seventh(gateway, f"{SEVENTH_RULES}\n[statutory]\ncriteria = {criteria}\n")
    told = gateway("rules", "check", pack, "--json")
    assert told.status == 1
    assert says in [problem["what"] for problem in told.document]


def test_the_dry_run_says_what_the_law_asks(gateway: Office) -> None:
    """S2-01, S2-06, X-16: each criterion with its source, whom to notify, by whom and by when."""
    answer = gateway("rules", "route", "south-tyneside", REFERRAL, "--json").document["statutory"]
    asked = {each["criterion"]: each for each in answer}["abuse-in-england"]
    assert asked["standing"] in ("met", "undecided")
    assert (asked["by"], asked["due_at"]) == ("council", "2026-11-10T00:00:00Z")
    assert asked["notify"] == ["panel", "ofsted", "safeguarding-partners"]
    assert "16C(1)(a)" in asked["source"]
    words = gateway("rules", "route", "south-tyneside", REFERRAL)
    assert "the law, abuse-in-england" in words.out


def test_an_unknown_pack_is_one_line_and_exit_1(gateway: Office) -> None:
    told = gateway("rules", "check", "nowhere")
    assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1)


def test_the_dry_run_is_the_contracts_document_and_stores_nothing(gateway: Office) -> None:
    told = gateway("rules", "route", "south-tyneside", REFERRAL, "--json")
    assert told.status == 0
    answer = told.document
    assert list(answer)[:5] == ["decision", "rule", "deliveries", "duties", "held"]
    assert (answer["decision"], answer["rule"]) == ("forward", "referral")
    assert [(d["role"], d["adapter"]) for d in answer["deliveries"]] == [
        ("dsp-la", "inbox"),
        ("dsp-icb", "inbox"),
        ("dsp-police", "inbox"),
        ("sbu", "inbox"),
    ]
    assert {(d["role"], d["clock"], d["due_at"]) for d in answer["duties"]} == {
        ("dsp-la", "K11", "2026-11-03T17:00:00Z"),
        ("dsp-icb", "K11", "2026-11-03T17:00:00Z"),
        ("dsp-police", "K11", "2026-11-03T17:00:00Z"),
        ("dsp-la", "K12", "2026-11-10T00:00:00Z"),
        ("sbu", "G01", "2026-11-03T17:00:00Z"),
    }
    assert (answer["held"], answer["assumed_directory"]) == ([], True)
    assert gateway.read(lambda tx: tx.execute(tables.message.select()).all()) == []


def test_c_12_in_a_deployment_dates_are_counted_by_the_list_in_force_and_it_is_named(gateway: Office) -> None:
    explained = ("rules", "explain", "south-tyneside", "K12", "--from", "2026-11-02T10:00+00:00", "--json")
    shipped = shipped_holidays().version
    before = gateway(*explained).document
    assert (before["due_on"], before["holidays"], before["holidays_from"]) == (
        "2026-11-09",
        shipped,
        "shipped",
    )
    file = gateway.write(
        "bank-holidays.json", json.dumps(government_list({date(2026, 11, 5): "Invented Day"}))
    )
    put = gateway("calendar", "upload", file, *OFFICERS, "--json")
    assert put.status == 0, put
    uploaded = {"holidays": put.document["version"], "holidays_from": "uploaded"}
    after = gateway(*explained).document
    assert after.items() >= uploaded.items()
    assert after["due_on"] == "2026-11-10"
    assert {"date": "2026-11-05", "why": "Invented Day"} in after["skipped"]
    assert gateway("rules", "list", "--json").document[0].items() >= uploaded.items()
    routed = gateway("rules", "route", "south-tyneside", REFERRAL, "--json").document
    assert routed.items() >= uploaded.items()
    assert {d["due_at"] for d in routed["duties"] if d["clock"] == "K12"} == {"2026-11-11T00:00:00Z"}
    for words in (explained[:-1], ("rules", "list"), ("rules", "route", "south-tyneside", REFERRAL)):
        assert f"bank holidays: {put.document['version']}, uploaded" in gateway(*words).out


@pytest.mark.parametrize("words", [("explain", "derby", "K01", "--from", "2026-11-02T10:00Z"), ("list",)])
def test_c_12_a_deployment_whose_list_cannot_be_read_gives_no_date(
    gateway: Office, words: tuple[str, ...]
) -> None:
    database = Path(Settings.load().book_url.removeprefix("sqlite:///"))
    database.write_bytes(b"no database " * 1000)
    told = gateway("rules", *words)
    assert (told.status, told.out) == (2, "")
    assert told.err.splitlines() == [
        "the deployment's list of bank holidays cannot be read: see `gateway doctor`"
    ]


def test_with_a_directory_here_its_gaps_are_reasons_to_hold(gateway: Office) -> None:
    people = "id,kind,name,agency,role\nforce,police,Invented Force\n,,Alasdair Holt,force,dsp-police\n"
    file = gateway.write("people.csv", people)
    imported = gateway("directory", "import", file, "--partnership", "south-tyneside", *OFFICERS)
    assert imported.status == 0, imported
    answer = gateway("rules", "route", "south-tyneside", REFERRAL, "--json").document
    assert answer["assumed_directory"] is False
    assert answer["sender"] == {"agency": "force", "kind": "police", "assumed": True}
    assert [d["role"] for d in answer["deliveries"]] == ["dsp-police"]
    assert answer["held"] == ["nobody-holds-dsp-la", "nobody-holds-dsp-icb", "nobody-holds-sbu"]


def test_what_the_rules_refuse_is_exit_1_with_the_rule(gateway: Office) -> None:
    record = str(EXAMPLES / "sin-record.json")
    told = gateway("rules", "route", "south-tyneside", record, "--sender", "police", "--json")
    assert told.status == 1
    assert (told.document["decision"], told.document["rule"]) == ("refuse", "sender-not-permitted")


@pytest.mark.parametrize(("content", "status"), [("{", 2), ('{"type": "referral"}', 1), ("[]", 2)])
def test_a_file_that_is_no_message_is_one_line_without_its_content(
    gateway: Office, content: str, status: int
) -> None:
    told = gateway("rules", "route", "south-tyneside", gateway.write("message.json", content), "--json")
    assert (told.status, told.out, len(told.err.splitlines())) == (status, "", 1)
    assert gateway("rules", "route", "south-tyneside", "absent.json").status == 2


def test_a_pack_is_put_in_force_whole_by_two_officers_with_an_entry(gateway: Office) -> None:
    told = gateway("rules", "activate", "south-tyneside", *OFFICERS, "--json")
    assert told.status == 0, told.err
    row = gateway.read(lambda tx: pack_rows.current(tx, SOUTH_TYNESIDE))
    assert row is not None
    assert row.files == packs.read_files(packs.HERE / "south-tyneside")
    assert row.digest == told.document["digest"] == packs.digest(row.files)
    entry = gateway.read(lambda tx: log.find_entry(tx, SOUTH_TYNESIDE, told.document["receipt"]["id"]))
    assert entry is not None
    assert (entry.chain, entry.event) == ("pack-south-tyneside", Event.PACK_ACTIVATED.text)


@pytest.mark.parametrize("second", ["Winifred Stave", "winifred  STAVE ", " "])
def test_one_officer_is_not_two(gateway: Office, second: str) -> None:
    told = gateway(
        "rules", "activate", "south-tyneside", "--officer", "Winifred Stave", "--second-officer", second
    )
    assert (told.status, len(told.err.splitlines())) == (1, 1)
    assert gateway.read(lambda tx: pack_rows.current(tx, SOUTH_TYNESIDE)) is None


def test_the_same_version_with_other_text_is_refused_and_an_older_version_may_come_back(
    gateway: Office,
) -> None:
    pack = seventh(gateway)
    assert gateway("rules", "activate", pack, *OFFICERS).status == 0
    seventh(gateway, SEVENTH_RULES.replace("amount = 2", "amount = 3"))
    refused = gateway("rules", "activate", pack, *OFFICERS)
    assert refused.status == 1
    assert "new version" in refused.err
    seventh(gateway, SEVENTH_RULES.replace("amount = 2", "amount = 3"), version="2")
    assert gateway("rules", "activate", pack, *OFFICERS).status == 0
    seventh(gateway)
    assert gateway("rules", "activate", pack, *OFFICERS).status == 0
    row = gateway.read(lambda tx: pack_rows.current(tx, PartnershipId("invented-vale")))
    assert row is not None
    assert row.version == "1"


def test_a_seventh_partnership_is_two_files_and_no_python(gateway: Office) -> None:
    """Checked, tried out and in force, from a folder of its own."""
    pack = seventh(gateway)
    assert gateway("rules", "check", pack).status == 0
    document = json.loads(Path(REFERRAL).read_text())
    document["partnership"] = "invented-vale"
    document["body"]["incident"]["place"]["local_authority"] = "990"
    message = gateway.write("message.json", json.dumps(document))
    answer = gateway("rules", "route", pack, message, "--json").document
    assert [(d["role"], d["clock"], d["due_at"]) for d in answer["duties"]] == [
        ("sbu", "V1", "2026-11-04T17:00:00Z"),
        ("service-director", "K12", "2026-11-10T00:00:00Z"),
    ]
    assert gateway("rules", "activate", pack, *OFFICERS).status == 0
    snapshot = gateway.look(lambda parts: parts.partnerships.snapshot(PartnershipId("invented-vale")))
    assert snapshot.pack == packs.parse(
        PartnershipId("invented-vale"), packs.read_files(gateway.folder / "invented-vale")
    )


@pytest.mark.parametrize("command", ["check", "route", "replay", "activate", "list", "explain"])
def test_every_command_has_help_with_an_example(gateway: Office, command: str) -> None:
    told = gateway("rules", command, "--help")
    assert told.status == 0
    assert f"Example: gateway rules {command}" in " ".join(told.out.split())


@pytest.mark.parametrize("command", ["replay", "activate"])
def test_a_pack_with_a_problem_is_not_even_tried(gateway: Office, command: str) -> None:
    """A broken pack never takes the place of a good one."""
    assert gateway("rules", "activate", seventh(gateway), *OFFICERS).status == 0
    pack = seventh(gateway, SEVENTH_RULES.replace('clock = "V1"', 'clock = "V9"'), version="2")
    told = gateway("rules", command, pack, *(OFFICERS if command == "activate" else ()))
    assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1)
    row = gateway.read(lambda tx: pack_rows.current(tx, PartnershipId("invented-vale")))
    assert row is not None
    assert row.version == "1"


def test_the_doctor_names_a_pack_that_was_changed_in_the_store(gateway: Office) -> None:
    assert gateway("rules", "activate", "south-tyneside", *OFFICERS).status == 0
    assert finding(gateway)["ok"]
    spoilt = tables.pack.update().values(files={"rules.toml": "", "calendar.toml": ""})
    gateway.look(lambda parts: parts.store.transact(lambda tx: tx.execute(spoilt).rowcount))
    found = finding(gateway)
    assert not found["ok"]
    assert "south-tyneside" in found["advice"]


def finding(gateway: Office) -> dict[str, object]:
    rows = gateway("doctor", "--json").document
    (found,) = [row for row in rows if row["check"] == "rule packs in force are sound"]
    return dict(found)
