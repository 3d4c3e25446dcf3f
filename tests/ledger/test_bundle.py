"""Bundles made from the log are taken by their own verifier, before and after erasure, and are the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader
from sqlalchemy import update

from gateway.core.messages import IncidentId
from gateway.core.receipts import Event
from gateway.ledger.appending import append, disclosures_label
from gateway.ledger.bundle import Gathered, build_bundle, disclose, gather
from gateway.ledger.checkpoint import log_key
from gateway.ledger.policy import ReceiptKeyWindow, make_policy
from gateway.ledger.statement import Anchor, draft, statement
from gateway.ledger.summary import Grid, Heading, Line, Words, line, page, summary
from gateway.ledger.summary_pdf import pdf
from gateway.ledger.verify import Finding, load_policy, read_zip, unb64url, verify_bundle
from gateway.store import log, tables
from gateway.store.transaction import Tx
from keys.sealing import DataKey
from tests.ledger.conftest import ISSUER, NORTH, NOW, Begin, log_one, seal_now
from tests.ledger.scene import LOG, ORIGIN, RECEIPTS, START

INCIDENT = IncidentId("SI-7K3M-9QPX-2D")
KEY = DataKey("dk-1", b"k" * 32)
PAYLOAD = b'{"type":"referral","invented":true}'
POLICY = make_policy(
    "gateway.example", [log_key(ORIGIN, LOG)], [ReceiptKeyWindow(RECEIPTS.public_jwk(), START)]
)


def submitted(tx: Tx, ref: str = "msg-one", after: Anchor | None = None) -> str:
    """An accepted message of the incident, sealed content and all; its entry's id."""
    fields = {"payload_sha256": hashlib.sha256(PAYLOAD).hexdigest(), "sender": "Wearmouth Police"}
    one = draft(Event.SUBMISSION_ACCEPTANCE, ref, NOW, fields)
    append(
        tx,
        ISSUER,
        one,
        partnership=NORTH,
        incident=INCIDENT,
        seal=KEY.seal,
        data_key=KEY.id,
        after=after,
    )
    return one.id


def sealed(tx: Tx) -> log.CheckpointRow:
    made = seal_now(tx)
    assert made is not None
    return made


def opened(gathered: Gathered) -> dict[str, list[str]]:
    return {
        one.id: json.loads(KEY.open(disclosures_label(one.id), one.disclosures))
        for one in gathered.entries
        if one.disclosures is not None
    }


def verdict(bundle: bytes, policy: Mapping[str, object] = POLICY) -> Finding:
    return verify_bundle(bundle, load_policy(json.dumps(policy).encode()))


def test_the_evidence_of_an_incident_verifies_with_all_its_chains(begin: Begin) -> None:
    with begin() as tx:
        accepted = submitted(tx)
        for number in range(400):
            log_one(tx, f"other-{number}")
        log_one(tx, "chain-of-incident", 1, INCIDENT)
        log_one(tx, "msg-one", 2, INCIDENT)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    bundle = build_bundle(gathered, disclosures=opened(gathered), contents={accepted: PAYLOAD}, policy=POLICY)
    reason = "every receipt is in the log; its time is the gateway's own claim"
    assert verdict(bundle) == Finding("VALID", reason, 3, "matches")
    assert [entry.chain for entry in gathered.entries] == ["msg-one", "chain-of-incident", "msg-one"]


def test_a_chain_is_in_the_bundle_whole_with_what_came_before_its_incident(begin: Begin) -> None:
    with begin() as tx:
        log_one(tx, "early")
        log_one(tx, "early", 1, INCIDENT)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    assert [entry.seq for entry in gathered.entries] == [1, 2]
    assert verdict(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY)).verdict == "VALID"


def test_before_sealing_the_evidence_is_provisional(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        nothing_sealed = gather(tx, NORTH, INCIDENT)
        sealed(tx)
        log_one(tx, "msg-one", 1, INCIDENT)
        one_waits = gather(tx, NORTH, INCIDENT)
    for gathered in (nothing_sealed, one_waits):
        assert (
            verdict(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY)).verdict
            == "PROVISIONAL"
        )


def test_after_erasure_the_same_receipts_still_verify(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        log_one(tx, "msg-one", 1, INCIDENT, Event.CONTENT_ERASED)
        sealed(tx)
        tx.execute(update(tables.entry).values(disclosures=None))
        gathered = gather(tx, NORTH, INCIDENT)
    finding = verdict(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY))
    assert (finding.verdict, finding.content) == ("VALID", "erased")


def test_content_that_is_withheld_is_not_called_erased(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    assert (
        verdict(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY)).content == "not supplied"
    )


def test_no_bundle_is_made_with_content_that_its_receipt_does_not_commit_to(begin: Begin) -> None:
    with begin() as tx:
        accepted = submitted(tx)
        log_one(tx, "msg-one", 1, INCIDENT)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    known = opened(gathered)
    routed = gathered.entries[1].id
    for disclosures, contents in (
        (known, {accepted: b"other"}),
        ({}, {accepted: PAYLOAD}),
        (known, {routed: PAYLOAD}),
    ):
        with pytest.raises(ValueError):
            build_bundle(gathered, disclosures=disclosures, contents=contents, policy=POLICY)


def test_the_same_evidence_gives_the_same_bytes(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    one, two = (
        build_bundle(gathered, disclosures=opened(gathered), contents={}, policy=POLICY) for _ in range(2)
    )
    assert one == two


def test_a_statement_made_after_an_anchored_checkpoint_brings_that_checkpoint_along(begin: Begin) -> None:
    with begin() as tx:
        for number in range(20):
            log_one(tx, f"other-{number}")
        first = sealed(tx)
        submitted(tx, after=Anchor(first.size, first.root.hex()))
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=POLICY)
    assert {"checkpoints/20.note", "checkpoints/21.note", "consistency/20-21.txt"} <= set(
        read_zip(bundle, 1 << 20)
    )
    assert verdict(bundle).verdict == "VALID"


def test_an_asker_gets_consistency_with_the_checkpoint_that_it_pinned(begin: Begin) -> None:
    with begin() as tx:
        for number in range(20):
            log_one(tx, f"other-{number}")
        pinned = sealed(tx)
        submitted(tx)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT, consistent_with=[(ORIGIN, pinned.size)])
    policy = {**POLICY, "pinned": [{"size": pinned.size, "root": pinned.root.hex()}]}
    assert (
        verdict(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY), policy).verdict == "VALID"
    )


def test_a_partnership_sees_nothing_of_anothers_incident(begin: Begin) -> None:
    from gateway.core.messages import PartnershipId

    with begin() as tx:
        submitted(tx)
        sealed(tx)
        assert gather(tx, PartnershipId("south"), INCIDENT).entries == ()


def test_the_bundle_holds_the_verifier_the_keys_and_words_for_people(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    bundle = build_bundle(gathered, disclosures={}, contents={}, policy=POLICY)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        names = set(archive.namelist())
        policy = json.loads(archive.read("policy.example.json"))
        readme = archive.read("README.txt").decode()
        summary = archive.read("SUMMARY.html").decode()
    assert {"verify.py", f"keys/{RECEIPTS.kid}.jwk", "keys/log-0.vkey", "manifest.json"} <= names
    assert policy == POLICY
    assert "not signed" in readme
    assert "<strong>This page is not signed.</strong>" in summary
    assert "not that anyone else has it" in summary
    assert all(name.rpartition("/")[2].count(".") == 1 for name in names - {"policy.example.json"})


class Outline(HTMLParser):
    """What a screen reader depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_summary_page_is_accessible_and_fetches_nothing(begin: Begin) -> None:
    with begin() as tx:
        submitted(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    page = Outline()
    with zipfile.ZipFile(
        io.BytesIO(build_bundle(gathered, disclosures={}, contents={}, policy=POLICY))
    ) as archive:
        page.feed(archive.read("SUMMARY.html").decode())
    names = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en-GB"}) in page.tags
    assert {"title", "main", "h1", "caption"} <= set(names)
    assert not {"script", "img", "link", "iframe"} & set(names)
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")


def test_the_summary_says_the_same_on_the_page_and_on_paper(begin: Begin) -> None:
    """Who sent what stands there once it is opened; a person's name does not, whatever is opened."""
    blocks = summary(INCIDENT, _told())
    shown = page(blocks)
    paper = "".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf(blocks))).pages)
    read = PdfReader(io.BytesIO(pdf(blocks)))
    assert (read.metadata and read.metadata.title) == f"Evidence about incident {INCIDENT}"
    for block in blocks:
        words = [block.text] if isinstance(block, Heading | Words) else []
        words += list(block.head) if isinstance(block, Grid) else []
        for said in words:
            assert escape(said) in shown
            assert _dense(said) in _dense(paper)
    assert "Referral from wearmouth-police" in shown
    assert "met late on 22 November 2026, 10:00:00" in shown
    assert "Due (UTC)" in shown
    assert "Winifred" not in shown + paper
    assert pdf(blocks) == pdf(blocks)


def _dense(text: str) -> str:
    return "".join(text.split())


def _told() -> list[Line]:
    due = "dsp-la@wearmouth=2026-11-21T17:00:00Z"
    accepted = {"type": "referral", "sender": "wearmouth-police", "duties": f"K11:{due}"}
    met = {"owner": "dsp-la@wearmouth", "clock": "K11", "due_at": "2026-11-21T17:00:00Z"}
    drafts = [
        draft(Event.SUBMISSION_ACCEPTANCE, "msg-one", NOW, accepted),
        draft(Event.DUTY_MET, "msg-one", NOW, met, reason="met-late"),
        draft(Event.CONSIGNMENT_ACCEPTANCE, "msg-one", NOW, {"by": "person", "name": "Winifred Stave"}),
    ]
    statements = [statement(one, "gateway.example", "kid", n + 1, "") for n, one in enumerate(drafts)]
    return [line(made, one.disclosures, True) for made, one in zip(statements, drafts, strict=True)]


def test_the_summary_on_paper_stays_readable_for_an_event_of_a_later_release() -> None:
    later = [Line({**_told()[0].statement, "event": "Levitated"}, {}, False)]
    assert "Levitated (an event that this version of the gateway does not know)" in page(
        summary(INCIDENT, later)
    )


def test_a_summary_of_many_receipts_and_of_a_row_taller_than_a_page_goes_on_paper() -> None:
    blocks = [
        Heading("Much"),
        Grid("Rows", ("One", "Two"), (*((str(n), "x") for n in range(250)), ("last", "word " * 3000))),
    ]
    paper = PdfReader(io.BytesIO(pdf(blocks)))
    assert len(paper.pages) > 5
    assert "last" in "".join(one.extract_text() for one in paper.pages)


def test_single_fields_are_disclosed_and_nothing_else_and_the_evidence_still_verifies(begin: Begin) -> None:
    """RFC 9901 section 7.2: whoever holds a bundle opens to a court what it must see."""
    with begin() as tx:
        accepted = submitted(tx)
        log_one(tx, "msg-one", 1, INCIDENT)
        sealed(tx)
        gathered = gather(tx, NORTH, INCIDENT)
    whole = build_bundle(gathered, disclosures=opened(gathered), contents={accepted: PAYLOAD}, policy=POLICY)
    part = disclose(whole, accepted, ["sender"])
    files = read_zip(part, 1 << 20)
    (opens,) = json.loads(files["receipts/0000.disclosures"])
    assert json.loads(unb64url(opens))[1:] == ["sender", "Wearmouth Police"]
    assert not [name for name in files if name.startswith(("payloads/", "peer/", "attachments/"))]
    assert (verdict(part).verdict, verdict(part).content) == ("VALID", "not supplied")
    assert set(read_zip(whole, 1 << 20)) - set(files) == {f"payloads/{accepted}.bin"}
    for receipt, name in (
        (accepted, "payload"),
        ("ev-" + "0" * 32, "sender"),
        (gathered.entries[1].id, "sender"),
    ):
        with pytest.raises(KeyError):
            disclose(whole, receipt, [name])
