"""`gateway submit`: an agency's software as a command, a program of its own against a whole gateway."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.agency.receiving import check_receipt
from gateway.cli.submit import _Letter
from gateway.core.messages import AgencyId
from gateway.store import attachments
from keys.signing import FileSigner
from tests.edges.office import office_in
from tests.gateway_house import House, RealTime, gateway_house

POLICE = "northshire-police"


@dataclass
class Ended:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """The folder that the agency's software works in."""

    house: House
    folder: Path

    def write(self, name: str, document: Any) -> Path:
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    async def submit(self, message: Path, *words: str, **changes: str) -> Ended:
        options = {
            "to": self.house.base_url,
            "client": POLICE,
            "key": str(self.house.key_file(POLICE)),
            "ca": str(self.house.ca_file),
        } | changes
        named = [word for name, value in options.items() for word in (f"--{name}", value)]
        return await run(self.folder, "submit", str(message), *named, *words)


async def run(folder: Path, *words: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *words,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    (tmp_path / "desk").mkdir()
    (tmp_path / "house").mkdir()
    async with gateway_house(tmp_path / "house", clock=RealTime()) as house:
        yield Desk(house, tmp_path / "desk")


async def test_a_message_is_sent_and_its_receipt_kept_for_its_owner_alone(desk: Desk) -> None:
    message = desk.write("referral.json", desk.house.example("referral", reference="NP-1"))
    ended = await desk.submit(message, "--json", "--sign")
    assert (ended.status, ended.err) == (0, "")
    answer = ended.json
    assert answer["accepted"] is True
    receipt = answer["receipt"]
    files = {path.name: path for path in (desk.folder / "receipts").iterdir()}
    assert set(files) == {f"{receipt['id']}.jws", f"{receipt['id']}.disclosures", f"{answer['id']}.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    kept = {
        "id": receipt["id"],
        "jws": files[f"{receipt['id']}.jws"].read_text(),
        "disclosures": json.loads(files[f"{receipt['id']}.disclosures"].read_text()),
    }
    checked = check_receipt(kept, {"keys": [desk.house.parts.keys.receipts.public_jwk()]})
    assert checked.disclosed["reference"] == "NP-1"
    assert checked.disclosed["http_signature"], "the request was signed too"


async def test_a_repeat_is_harmless_and_other_content_under_the_reference_is_a_no(desk: Desk) -> None:
    message = desk.write("referral.json", desk.house.example("referral", reference="NP-2"))
    first, again = await desk.submit(message, "--json"), await desk.submit(message, "--json")
    assert first.json["receipt"] == again.json["receipt"]
    message.write_text(json.dumps(desk.house.example("referral", reference="NP-2", marking="OFFICIAL")))
    other = await desk.submit(message, "--json")
    assert (other.status, other.json["accepted"], other.json["code"]) == (1, False, "reference-reused")


async def test_in_words_it_says_what_was_taken_and_what_was_refused(desk: Desk) -> None:
    taken = await desk.submit(desk.write("one.json", desk.house.example("referral", reference="NP-3")))
    assert taken.status == 0
    assert taken.out.startswith("Taken as msg-")
    assert "dsp-la of south-tyneside-council owes triage-decision by" in taken.out
    faulty = desk.house.example("referral", {"referral_kind": "Elowen"})
    refused = await desk.submit(desk.write("two.json", faulty))
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "/body/referral_kind" in refused.err
    assert "Elowen" not in refused.err


async def test_a_stranger_is_refused_and_a_strange_certificate_is_not_talked_to(desk: Desk) -> None:
    message = desk.write("referral.json", desk.house.example("referral"))
    strange = FileSigner.generate(f"{POLICE}-1", "ES256").private_jwk()
    stranger = await desk.submit(message, "--json", key=str(desk.write("other.jwk", strange)))
    assert (stranger.status, stranger.json["code"]) == (1, "invalid_client")
    unknown = await run(
        desk.folder, "submit", str(message), "--to", desk.house.base_url, "--client", POLICE, "--key",
        str(desk.house.key_file(POLICE)),
    )  # fmt: skip
    assert (unknown.status, unknown.out, unknown.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"message": "absent.json"}, "cannot be read"),
        ({"message": "no.json"}, "not one JSON object"),
        ({"key": "absent.jwk"}, "cannot be read"),
        ({"key": "public.jwk"}, "not a private JWK"),
        ({"key": "no.json"}, "not a private JWK"),
        ({"ca": "no.json"}, "no certificates"),
        ({"to": "http://gateway.example"}, "write --to as https://"),
        ({"to": "gateway.example"}, "write --to as https://"),
        ({"attach": "plan.pdf"}, "a file to attach cannot be read"),
        ({"to": "https://127.0.0.1:9"}, "gave no answer"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    says: str,
) -> None:
    signer = FileSigner.generate("key-1", "ES256")
    for name, text in {
        "message.json": "{}",
        "no.json": "[]",
        "key.jwk": json.dumps(signer.private_jwk()),
        "public.jwk": json.dumps(signer.public_jwk()),
    }.items():
        (tmp_path / name).write_text(text)
    options = {"to": "https://gateway.example", "client": POLICE, "key": "key.jwk"} | changes
    message = options.pop("message", "message.json")
    named = [word for name, value in options.items() for word in (f"--{name}", value)]
    ended = office_in(tmp_path, monkeypatch, capsys)("submit", message, *named)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert says in ended.err


async def test_files_go_with_the_message_and_a_repeat_sends_no_second_copy(desk: Desk) -> None:
    """In development without a scanner a file is withheld; that it came, and with which message, shows all the same."""
    message = desk.write("referral.json", desk.house.example("referral", reference="NP-7"))
    notes, plan = desk.write("notes.txt", "Ring me."), desk.write("plan.txt", "By Friday.")
    words = ("--json", "--attach", str(notes), "--attach", str(plan))
    first, again = await desk.submit(message, *words), await desk.submit(message, *words)
    assert (first.status, again.status) == (0, 0)
    assert first.json["receipt"]["jws"] == again.json["receipt"]["jws"]
    async with desk.house.client(POLICE) as police:
        state = await police.message(first.json["id"])
    assert [one["size_bytes"] for one in state["attachments"]] in ([8, 10], [10, 8])
    waits = await desk.house.parts.store.read(
        lambda tx: attachments.unnamed_bytes(tx, AgencyId(POLICE), desk.house.clock())
    )
    assert waits == 0, "the repeat named the files of the first try"


async def test_files_that_were_destroyed_meanwhile_are_sent_again(desk: Desk) -> None:
    document = desk.house.example("referral", reference="NP-8")
    message, notes = desk.write("referral.json", document), desk.write("notes.txt", "Ring me.")
    gone = {"id": "att-" + "a" * 26, "sha256": "0" * 64}
    kept = _Letter(message.read_bytes(), (notes,), desk.folder / "receipts")._kept_in
    kept.parent.mkdir()
    kept.write_text(json.dumps(document | {"attachments": [gone]}))  # an earlier try, more than a day ago
    ended = await desk.submit(message, "--json", "--attach", str(notes))
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(kept.read_text())["attachments"] != [gone]
