"""What an agency submits by e-mail: the published JSON or its filled form, with files beside it, through the same door as the API."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pypdf import PdfWriter

from adapters.mail.message_form import message_form
from gateway.actions.erase import data_keys_of
from gateway.actions.mail_draft import draft_of, take_draft
from gateway.actions.tell_refusal import MAIL_REFUSAL, refusal_letter
from gateway.core.errors import Refused
from gateway.core.messages import MessageId
from gateway.demo.partnership import HOSPITALS
from gateway.dispatch import intake
from gateway.store import attachments, deliveries, mail, messages
from gateway.store.holds import HoldRow
from gateway.store.mail import RawMail
from gateway.store.messages import MessageRow
from schemas import read_object
from schemas.filled_form import values_of
from schemas.form_fields import fields_by_pattern
from tests.actions.mail_stage import HOSPITAL, PDF, SERVER, mail_held, stamped, written
from tests.adapters.mail.judges import by_openssl
from tests.adapters.mail.test_smime import certificate
from tests.edges.console_person import signed_in
from tests.gateway_house import House, gateway_house
from tests.scanners import EICAR, scripted_clamd

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFFICER = "Winifred Stave"
STRANGER = "x@northshire-hospitals.example"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital's own certificate and key in a folder, beside its authority's certificate alone."""
    folder = tmp_path_factory.mktemp("signer")
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate(folder, "authority", authority_key, None, None)
    trusted = (authority.subject, authority_key)
    certificate(folder, "hospital", ec.generate_private_key(ec.SECP256R1()), trusted, HOSPITAL)
    (folder / "roots.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, signer: Path) -> AsyncIterator[House]:
    async with (
        scripted_clamd() as clamd,
        gateway_house(
            tmp_path_factory.mktemp("submissions"),
            mail_authserv_id=SERVER,
            scanner_url=clamd.url,
            smtp_url="smtp://localhost:9",  # nothing is carried here
            mail_from="safeguarding@council.example",
            mail_domain="council.example",
            mail_smime_roots_file=signer / "roots.pem",
        ) as running,
    ):
        await running.gateway.dispatch.stop()
        yield running


def document(house: House, reference: str, slug: str = "referral", **changes: Any) -> dict[str, Any]:
    return house.example(slug, reference=reference, **changes)


def brought(found: dict[str, Any], *files: tuple[str, str, bytes], text: str = "Attached.") -> bytes:
    message = ("message.json", "application/json", json.dumps(found).encode())
    return written(HOSPITAL, "Notification", text, message, *files)


def form_of(found: dict[str, Any], says: str | None = None, **changes: str) -> bytes:
    """The form of such a message, filled in as a person would: words typed, boxes ticked."""
    slug = found["type"]
    known = fields_by_pattern(slug)
    typed: dict[str, str] = {} if says is None else {"FORM": says}
    for pointer, value in {**values_of(found), **changes}.items():
        field = known.get("/".join("0" if part.isdigit() else part for part in pointer.split("/")))
        if field is None:
            continue
        if field.is_boxed:
            typed |= {f"{pointer}#{one}": "/Yes" for one in value.split("\n") if one}
        else:
            typed[pointer] = value
    writer = PdfWriter(clone_from=io.BytesIO(message_form(slug, "Form")))
    for page in writer.pages:
        if "/Annots" in page:
            writer.update_page_form_field_values(page, typed, auto_regenerate=False)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def sent_form(pdf: bytes, *files: tuple[str, str, bytes]) -> bytes:
    return written(
        HOSPITAL,
        "Referral",
        "Please find attached our referral.",
        ("form.pdf", "application/pdf", pdf),
        *files,
    )


@dataclass(frozen=True)
class Came:
    """What a mail came to: as it was settled, why it waits, and what its sender is told (by type, with the body)."""

    mail: RawMail
    reasons: tuple[str, ...]
    told: list[tuple[str, dict[str, Any]]]


async def came(house: House, raw: bytes) -> Came:
    held_before = {held.id for held in await mail_held(house)}
    owed_before = {row.id for row in await house.parts.store.read(deliveries.every)}
    await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    (waiting,) = await house.parts.store.read(lambda tx: mail.unread(tx, 2))
    await intake.read_kept(house.parts)
    found = await house.parts.store.read(lambda tx: mail.find_raw(tx, waiting.id))
    assert found is not None
    held = [one for one in await mail_held(house) if one.id not in held_before]
    assert [one.subject for one in held] in ([], [found.id])
    owed = [row for row in await house.parts.store.read(deliveries.every) if row.id not in owed_before]
    told = [
        (row.message_type, await own_body(house, row)) for row in owed if row.message_type.startswith("mail-")
    ]
    return Came(found, held[0].reasons if held else (), told)


async def own_body(house: House, row: Any) -> dict[str, Any]:
    found = await house.parts.store.read(lambda tx: messages.find(tx, [row.partnership], row.message))
    assert found is not None
    assert found.sealed is not None
    key = await house.parts.key_by_id(found.data_key)
    assert key is not None
    body: dict[str, Any] = json.loads(key.open(f"message:{found.id}", found.sealed))["body"]
    return body


async def test_a_notification_by_mail_goes_through_the_same_door_and_its_receipt_is_owed_by_mail(
    house: House,
) -> None:
    """The sender's reference makes a repeat safe: another mail with the same message is told the same receipt."""
    raw = brought(document(house, "by-mail-1"))
    first, again = await came(house, stamped(raw)), await came(house, stamped(b"X-Sent: again\r\n" + raw))
    assert (first.reasons, again.reasons) == ((), ())
    assert first.mail.message == again.mail.message is not None
    assert [kind for kind, _ in first.told + again.told] == ["mail-receipt"] * 2
    assert first.told == again.told
    assert first.told[0][1]["to"] == HOSPITAL
    assert first.told[0][1]["receipt"]["disclosures"]


async def test_a_filled_form_says_the_same_as_the_json_and_the_same_form_again_is_the_same_message(
    house: House,
) -> None:
    """Without a reference of the sender's own the form's digest is one."""
    wanted = document(house, "form-1")
    pdf = form_of({**wanted, "reference": ""})
    reference = f"form-{hashlib.sha256(pdf).hexdigest()[:32]}"
    first, again = (
        await came(house, stamped(sent_form(pdf))),
        await came(house, stamped(b"X-Again: 1\r\n" + sent_form(pdf))),
    )
    assert (first.reasons, again.reasons) == ((), ())
    assert first.mail.message == again.mail.message is not None
    recorded = await message_of(house, first)
    assert read_object(recorded) == read_object({**wanted, "reference": reference})


async def message_of(house: House, one: Came) -> dict[str, Any]:
    row = await message_row(house, one)
    key = await house.parts.key_by_id(row.data_key)
    assert key is not None
    found: dict[str, Any] = json.loads(key.open(f"message:{row.id}", row.sealed))
    return found


async def message_row(house: House, one: Came) -> MessageRow:
    assert one.mail.partnership is not None
    assert one.mail.message is not None
    partnership, message = one.mail.partnership, one.mail.message
    row = await house.parts.store.read(lambda tx: messages.find(tx, [partnership], message))
    assert row is not None
    return row


async def test_a_signature_by_the_address_s_own_certificate_vouches_and_a_changed_mail_does_not(
    house: House, signer: Path
) -> None:
    """Nobody stamped it: S/MIME (RFC 8551), signed by OpenSSL, is enough, and nothing of a changed mail is taken."""
    raw = brought(document(house, "signed-1"))
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = [
        line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-", b"mime-", b" "))
    ]
    entity = b"Content-Type: " + head.partition(b"Content-Type: ")[2].split(b"\r\n")[0] + b"\r\n\r\n" + body
    made = by_openssl("cms", "-sign", "-signer", str(signer / "hospital.pem"), "-md", "sha256", given=entity)
    assert made.returncode == 0, made.stderr
    whole = b"\r\n".join(fields) + b"\r\n" + made.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    one = await came(house, whole)
    assert (one.reasons, one.mail.message is not None) == ((), True)
    changed = await came(house, whole.replace(b"Attached.", b"Attached!"))
    assert "submission-not-vouched" in changed.reasons


async def test_a_form_with_faults_waits_and_its_sender_is_told_where_without_a_word_of_it(
    house: House,
) -> None:
    wrong = {"/body/children/0/date_of_birth": "31/02/2020", "/author/name": ""}
    one = await came(house, stamped(sent_form(form_of(document(house, "form-2"), **wrong))))
    assert "submission-unreadable" in one.reasons
    ((kind, body),) = one.told
    assert (kind, body["to"], body["faults"]) == (
        MAIL_REFUSAL,
        HOSPITAL,
        [["/body/children/0/date_of_birth", "bad-date"]],
    )
    to, letter = refusal_letter(body)
    assert to == HOSPITAL
    assert "31/02/2020" not in letter.text
    assert "/body/children/0/date_of_birth: bad-date" in letter.text
    child = document(house, "x")["body"]["children"][0]
    assert child["family_name"] not in json.dumps(body)


async def test_files_beside_a_message_are_scanned_sealed_and_named_by_it(house: House) -> None:
    """A repeat is one only with the same files; an infected file refuses the whole, and its sender is told."""
    found, file = document(house, "files-1"), ("notes.pdf", "application/pdf", PDF)
    first = await came(house, stamped(brought(found, file)))
    again = await came(house, stamped(b"X-Again: 1\r\n" + brought(found, file)))
    assert first.mail.message == again.mail.message is not None
    assert first.told == again.told
    row = await message_row(house, first)
    files = await house.parts.store.read(
        lambda tx: attachments.of_message(tx, row.partnership, MessageId(row.id))
    )
    assert [(one.media_type, one.size_bytes, one.state) for one in files] == [
        ("application/pdf", len(PDF), attachments.KEPT)
    ]
    other = await came(house, stamped(brought(found, ("other.pdf", "application/pdf", PDF + b"\n% more"))))
    assert "reference-reused" in other.reasons
    infected = await came(house, stamped(brought(document(house, "files-2"), ("a.txt", "text/plain", EICAR))))
    assert "attachment-infected" in infected.reasons
    assert infected.told[0][1]["reasons"] == ["attachment-infected"]
    assert infected.mail.message is None


async def test_what_the_mail_says_besides_waits_for_a_person_and_keeps_nothing_back(house: House) -> None:
    text = "Attached.\n\nMum telephoned again this morning and was frightened."
    one = await came(house, stamped(brought(document(house, "besides-1"), text=text)))
    assert one.reasons == ("additional-information",)
    assert [kind for kind, _ in one.told] == ["mail-receipt"]


@pytest.mark.parametrize(
    ("case", "reason", "is_told"),
    [
        ("not vouched for", "submission-not-vouched", False),
        ("only the domain is enrolled", "address-not-enrolled", False),
        ("a decision", "not-by-mail", True),
        ("not by the schema", "submission-unreadable", True),
        ("two messages", "several-submissions", True),
        ("to an incident of others", "not-found", True),
        ("a form of no type of ours", "submission-unreadable", True),
    ],
)
async def test_any_other_submission_by_mail_is_held_and_opens_nothing(
    house: House, case: str, reason: str, is_told: bool
) -> None:
    """Nobody but an enrolled address that is vouched for is ever told anything."""
    found = document(house, f"held: {case}")
    json_file = ("m.json", "application/json", b"{}")
    raw = {
        "not vouched for": stamped(brought(found), "fail"),
        "only the domain is enrolled": stamped(brought(found).replace(HOSPITAL.encode(), STRANGER.encode())),
        "a decision": stamped(brought(document(house, "held", "triage-decision"))),
        "not by the schema": stamped(brought({**found, "nonsense": True})),
        "two messages": stamped(brought(found, json_file)),
        "to an incident of others": stamped(brought({**found, "incident": "SI-7K3M-9QPX-2D"})),
        "a form of no type of ours": stamped(sent_form(form_of(found, says="referral/9"))),
    }[case]
    one = await came(house, raw)
    assert reason in one.reasons
    assert (one.mail.incident, one.mail.message) == (None, None)
    assert [kind for kind, _ in one.told] == ([MAIL_REFUSAL] if is_told else [])


async def test_free_text_of_an_enrolled_agency_waits_in_its_own_partnership(house: House) -> None:
    one = await came(house, stamped(written(HOSPITAL, "A worry", "We are worried about a child.")))
    assert (one.mail.partnership, one.mail.incident) == ("south-tyneside", None)
    assert {"no-letter-matched", "agency-writes"} <= set(one.reasons)
    forged = await came(house, stamped(written(HOSPITAL, "A worry", "We are worried."), "fail"))
    assert "agency-writes" not in forged.reasons


# --- drafts -----------------------------------------------------------------------------------------------------------


async def hold_of(house: House, one: Came) -> HoldRow:
    (held,) = [held for held in await mail_held(house) if held.subject == one.mail.id]
    found: HoldRow = held
    return found


async def test_free_text_is_a_draft_that_an_officer_completes_and_records_for_the_agency(
    house: House,
) -> None:
    """X-29: the agency speaks, as of its mail's arrival and with its files; the officer took it down, and only once."""
    words, arrived_at = "We are worried about a child.", house.clock()
    raw = written(HOSPITAL, "A worry", words, ("notes.pdf", "application/pdf", PDF))
    held = await hold_of(house, await came(house, stamped(raw)))
    house.clock.move_by(hours=2)
    draft = await draft_of(house.parts, held, "referral", words)
    assert draft.document["body"] == {"incident": {"description": words}}
    assert draft.document["author"]["name"] == "Oluwaseun Hartfield"
    with pytest.raises(Refused, match="invalid-message"):
        await take_draft(house.parts, held, None, json.dumps(draft.document).encode(), OFFICER)
    whole = document(house, "x")
    whole = {**whole, **{name: draft.document[name] for name in ("reference", "created_at", "partnership")}}
    taken = await take_draft(house.parts, held, None, json.dumps(whole).encode(), OFFICER)
    row = await house.parts.store.read(lambda tx: messages.find(tx, [held.partnership], MessageId(taken.id)))
    assert row is not None
    assert (row.agency, row.arrived_at, row.type) == (HOSPITALS, arrived_at, "referral")
    files = await house.parts.store.read(
        lambda tx: attachments.of_message(tx, held.partnership, MessageId(taken.id))
    )
    assert [file.media_type for file in files] == ["application/pdf"]
    settled = await house.parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
    assert settled is not None
    assert (settled.incident, settled.message, settled.state) == (taken.incident, taken.id, "settled")
    erased_with_it = await house.parts.store.read(
        lambda tx: data_keys_of(tx, held.partnership, taken.incident)
    )
    assert {settled.data_key, files[0].data_key, row.data_key} <= set(erased_with_it)
    with pytest.raises(Refused, match="conflicting-state"):
        await take_draft(house.parts, held, None, json.dumps(whole).encode(), OFFICER)


async def test_a_decision_by_mail_is_only_ever_a_draft_and_a_draft_joins_no_other_partnership(
    house: House,
) -> None:
    sent = document(house, "decision-1", "triage-decision")
    held = await hold_of(house, await came(house, stamped(brought(sent))))
    draft = await draft_of(house.parts, held, None, "")
    assert {**draft.document} == sent
    with pytest.raises(Refused, match="conflicting-state"):
        await draft_of(house.parts, held, "no-such-type", "")
    other = {**document(house, "x"), "partnership": "southampton"}
    with pytest.raises(Refused, match="invalid-message"):
        await take_draft(house.parts, held, None, json.dumps(other).encode(), OFFICER)
    assert (await hold_of(house, Came(await raw_of(house, held), (), []))).settled_at is None


async def raw_of(house: House, held: HoldRow) -> RawMail:
    found = await house.parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
    assert found is not None
    return found


async def test_an_officer_makes_a_message_of_an_email_in_the_page(house: House) -> None:
    """The form begins with what the mail brings; a slip comes back with what was typed; a double click records it once."""
    found = document(house, "page-1")
    held = await hold_of(house, await came(house, stamped(brought(found), "fail")))
    async with signed_in(house) as officer:
        await officer.get(f"/console/held/{held.id}")
        page = await officer.send(f"/console/held/{held.id}/words")
        assert "Make a message of it" in page.words
        form = await officer.get(f"/console/held/{held.id}/message?type=")
        assert "Written by e-mail" in form.words
        assert found["body"]["children"][0]["family_name"] in form.text
        typed = form.fields("/message")
        slip = await officer.post(f"/console/held/{held.id}/message", **{**typed, "author.name": ""})
        assert slip.status == 422
        twice = [await officer.post(f"/console/held/{held.id}/message", **typed) for _ in range(2)]
    assert [one.status for one in twice] == [303, 303], twice[0].words
    assert len({one.headers["location"] for one in twice}) == 1
    settled = await raw_of(house, held)
    recorded = await message_of(house, Came(settled, (), []))
    one, other = (read_object(each).body.model_dump(mode="json") for each in (recorded, found))
    assert one == other
    assert recorded["reference"] == "page-1"
