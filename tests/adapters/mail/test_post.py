"""Letters through real Postfix and Dovecot and back: TLS or nothing, 250 is not delivery, nothing is lost on the way in."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiosmtplib
import pytest
import trustme

from adapters.mail.connections import Relay, relay_from_url
from adapters.mail.findings import Expected, Kind
from adapters.mail.letter import Correspondence
from adapters.mail.mailbox import Account, Mailbox, Position, RawMail, account_from_url, watch
from adapters.mail.reading import read_mail
from adapters.mail.receiver import Receiver
from adapters.mail.sending import MailAdapter, Manner, outcome_of
from gateway.app import system_clock
from gateway.core.deliveries import Fault, Letter, Outcome, Parcel, Relayed, TryLater, Undeliverable
from gateway.core.messages import AgencyId, DeliveryId, MessageId, RoleId
from tests.mail_servers import MailHouse, free_ports, send_raw

OURS = Correspondence("council.example", "safeguarding@council.example", "South Example Council")
LETTER = Letter(
    "Private and confidential: confirmation needed, reference SG-7K3M-9QPX-2D", "Dear school\n", "", (), None
)


def parcel(address: str | None = "dsl@hillside.example", token: str | None = None) -> Parcel:
    delivery = DeliveryId("dlv-" + secrets.token_hex(8))
    return Parcel(
        delivery=delivery,
        message=MessageId("msg-x"),
        message_type="dsl-letter",
        incident=None,
        agency=AgencyId("hillside"),
        role=RoleId("dsl"),
        address=address,
        attempt=1,
        created_at=datetime(2026, 10, 5, 8, tzinfo=UTC),
        letter=replace(LETTER, reply_token=token),
    )


def relay(house: MailHouse) -> Relay:
    return relay_from_url(house.smtp_url(), str(house.ca_file))


def account(house: MailHouse, address: str) -> Account:
    return account_from_url(house.imap_url(address), str(house.ca_file))


def collect(house: MailHouse, address: str) -> RawMail:
    """The one mail that lies in a mailbox, waited for as the product waits."""
    with Mailbox(account(house, address)) as mailbox:
        for _ in range(30):
            for mail in mailbox.fetch():
                mailbox.mark(mail.uid)
                return mail
            mailbox.wait(1)
    raise AssertionError("no mail came")


@asynccontextmanager
async def sending(
    to: Relay, ours: Correspondence = OURS, manner: Manner | None = None
) -> AsyncIterator[MailAdapter]:
    adapter = MailAdapter(to, ours, manner)
    try:
        yield adapter
    finally:
        await adapter.aclose()


def fresh(local: str, domain: str = "hillside.example") -> str:
    return f"{local}-{secrets.token_hex(4)}@{domain}"


async def test_a_letter_travels_over_tls_and_is_read_from_the_mailbox(house: MailHouse) -> None:
    address = fresh("dsl")
    async with sending(relay(house)) as adapter:
        outcome = await adapter.deliver(parcel(address, "tok1"))
    assert isinstance(outcome, Relayed)
    assert outcome.event == "RelayToNonERDS"
    assert outcome.evidence["tls_version"] == "TLSv1.3"
    assert len(outcome.evidence["peer_certificate_sha256"]) == 64
    assert outcome.evidence["queue_id"] in house.postfix_log()
    mail = collect(house, address)
    assert b"Reply-To: reply+tok1@council.example" in mail.raw
    assert b"ESMTPS" in mail.raw
    assert mail.arrived_at.tzinfo is not None


async def test_a_receipt_arrives_from_nobody(house: MailHouse) -> None:
    address = fresh("dsl")
    receipt = replace(parcel(address), letter=replace(LETTER, is_receipt=True))
    async with sending(relay(house)) as adapter:
        assert isinstance(await adapter.deliver(receipt), Relayed)
    assert b"Return-Path: <>" in await asyncio.to_thread(lambda: collect(house, address).raw)


async def test_a_success_notice_comes_back_to_the_bounce_address(house: MailHouse) -> None:
    """RFC 3461: what the mail server says it did; a notice that may raise an alarm and never close a request."""
    wanted = parcel(fresh("dsl"), "tok2")
    async with sending(relay(house), replace(OURS, domain="notices.example")) as adapter:
        assert isinstance(await adapter.deliver(wanted), Relayed)
    reading = read_mail(collect(house, "bounce@notices.example").raw, Expected())
    assert (reading.kind, reading.token) == (Kind.BOUNCE, "tok2")
    assert reading.delivery is not None
    assert (reading.delivery.action, reading.delivery.envelope_id) == ("relayed", wanted.delivery)
    assert reading.delivery.message_id == f"<{wanted.delivery}@notices.example>"


async def test_one_connection_carries_many_letters_and_a_cut_one_is_made_again(house: MailHouse) -> None:
    async with sending(relay(house)) as adapter:
        outcomes = [await adapter.deliver(parcel(fresh("dsl"))) for _ in range(3)]
        assert adapter.connections_made == 1
        await asyncio.to_thread(house.restart_postfix)
        outcomes.append(await adapter.deliver(parcel(fresh("dsl"))))
        assert adapter.connections_made == 2
    assert all(isinstance(outcome, Relayed) for outcome in outcomes)


@pytest.mark.parametrize("most", [1, 2])
async def test_letters_at_the_same_time_share_the_few_connections_that_there_may_be(
    most: int, house: MailHouse
) -> None:
    async with sending(relay(house), manner=Manner(connections=most)) as adapter:
        outcomes = await asyncio.gather(*(adapter.deliver(parcel(fresh("dsl"))) for _ in range(5)))
        assert adapter.connections_made == most
    assert all(isinstance(outcome, Relayed) for outcome in outcomes)


async def test_a_refused_recipient_is_the_partners_and_the_connection_stays(house: MailHouse) -> None:
    async with sending(relay(house)) as adapter:
        refused = await adapter.deliver(parcel("dsl@elsewhere.example"))
        assert isinstance(refused, Undeliverable)
        assert refused.fault is Fault.PARTNER
        assert isinstance(await adapter.deliver(parcel(fresh("dsl"))), Relayed)
        assert adapter.connections_made == 1


async def test_a_server_with_a_stranger_certificate_gets_nothing(house: MailHouse) -> None:
    async with sending(replace(relay(house), ca_file=str(house.other_ca_file))) as adapter:
        assert await adapter.deliver(parcel()) == TryLater("tls")


async def test_nobody_listening_means_later() -> None:
    async with sending(Relay("127.0.0.1", free_ports(1)[0])) as adapter:
        assert await adapter.deliver(parcel()) == TryLater("refused-connection")


async def test_a_name_that_does_not_exist_means_later() -> None:
    assert outcome_of(OSError()) == TryLater("refused-connection")
    error = OSError()
    error.__cause__ = socket.gaierror(-2, "x")
    assert outcome_of(error) == TryLater("dns")


async def test_a_server_that_never_answers_is_left_alone() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with sending(Relay("127.0.0.1", silent.getsockname()[1], timeout_seconds=0.3)) as adapter:
            assert await adapter.deliver(parcel()) == TryLater("time-out")


@pytest.mark.parametrize(
    ("parcel_", "outcome"),
    [
        (parcel("si\u00e2n@hillside.example"), Undeliverable("unsafe-address", Fault.SYSTEM)),
        (parcel("a@b.example\r\nRCPT TO:<x@y.example>"), Undeliverable("unsafe-address", Fault.SYSTEM)),
        (parcel(None), Undeliverable("no-letter", Fault.SYSTEM)),
        (replace(parcel(), letter=None), Undeliverable("no-letter", Fault.SYSTEM)),
    ],
    ids=["not ASCII", "two lines", "no address", "no letter"],
)
async def test_what_cannot_be_sent_safely_is_our_own_fault_and_never_leaves(
    parcel_: Parcel, outcome: Outcome
) -> None:
    async with sending(Relay("127.0.0.1", 9)) as adapter:
        assert await adapter.deliver(parcel_) == outcome
        assert adapter.connections_made == 0


SCRIPTS: dict[str, tuple[dict[str, str], Outcome]] = {
    "greylisted": ({"RCPT": "451 4.7.1 later"}, TryLater("greylisted")),
    "busy": ({"MAIL": "421 4.3.2 busy"}, TryLater("server-error")),
    "no such mailbox": ({"RCPT": "550 5.1.1 no such user"}, Undeliverable("refused-address", Fault.PARTNER)),
    "content refused": ({".": "554 5.7.1 no"}, Undeliverable("refused", Fault.PARTNER)),
    "our sender refused": ({"MAIL": "553 5.7.1 not yours"}, Undeliverable("refused-address", Fault.SYSTEM)),
    "login wanted": ({"MAIL": "530 5.7.0 Authentication required"}, TryLater("our-login")),
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_servers_answer_decides_what_becomes_of_the_letter(name: str, tmp_path: Path) -> None:
    answers, expected = SCRIPTS[name]
    async with scripted_server(tmp_path, answers) as to, sending(to) as adapter:
        outcome = await adapter.deliver(parcel())
    assert isinstance(outcome, TryLater | Undeliverable)
    assert replace(outcome, evidence={}) == expected
    assert outcome.evidence["smtp_reply"] == next(iter(answers.values()))


async def test_a_server_without_starttls_never_sees_the_letter(tmp_path: Path) -> None:
    seen: list[str] = []
    async with scripted_server(tmp_path, {}, starttls=False, seen=seen) as to, sending(to) as adapter:
        assert await adapter.deliver(parcel()) == TryLater("tls")
    assert not any(line.startswith(("MAIL", "RCPT", "DATA")) for line in seen)


async def test_a_login_that_is_refused_waits_for_an_operator(tmp_path: Path) -> None:
    answers = {"AUTH": "535 5.7.8 no"}
    async with (
        scripted_server(tmp_path, answers) as to,
        sending(replace(to, username="u", password="p")) as adapter,
    ):
        assert await adapter.deliver(parcel()) == TryLater("our-login")


def test_a_relays_password_is_not_shown() -> None:
    shown = repr(relay_from_url("smtp://u:geheim@mail.example:587"))
    assert "geheim" not in shown
    for wrong in ("smtps://mail.example", "mail.example:25", "smtp://"):
        with pytest.raises(ValueError):
            relay_from_url(wrong)


# --- the way in -------------------------------------------------------------------------------------------------------


def test_a_mail_is_moved_and_never_deleted_once_it_is_marked(house: MailHouse) -> None:
    address = fresh("reply", "council.example")
    for number in range(3):
        send_raw(house, "dsl@hillside.example", address, f"Subject: {number}\r\n\r\nx\r\n".encode())
        collect_waiting(house, address, number + 1)
    with Mailbox(account(house, address)) as mailbox:
        first, second, third = mailbox.fetch()
        assert [b"Subject: 0" in first.raw, b"Subject: 1" in second.raw, b"Subject: 2" in third.raw] == [
            True
        ] * 3
        mailbox.mark(second.uid)
        assert [mail.uid for mail in mailbox.fetch()] == [first.uid, third.uid]
        assert [mail.uid for mail in mailbox.fetch(Position(mailbox.uidvalidity, first.uid))] == [third.uid]
        assert len(list(mailbox.fetch(Position(mailbox.uidvalidity + 1, third.uid)))) == 2
    with Mailbox(replace(account(house, address), folder="Processed")) as processed:
        assert [b"Subject: 1" in mail.raw for mail in processed.fetch()] == [True]


def collect_waiting(house: MailHouse, address: str, count: int) -> None:
    with Mailbox(account(house, address)) as mailbox:
        for _ in range(30):
            if len(list(mailbox.fetch())) >= count:
                return
            mailbox.wait(1)
    raise AssertionError("no mail came")


def test_reading_marks_nothing_as_seen_and_keeps_every_byte(house: MailHouse) -> None:
    address = fresh("reply", "council.example")
    send_raw(house, "dsl@hillside.example", address, b"Subject: bytes\r\n\r\n\xff\xfe caf\xc3\xa9\r\n")
    assert collect(house, address).raw.endswith(b"\xff\xfe caf\xc3\xa9\r\n")


@pytest.mark.parametrize("implicit", [True, False], ids=["imaps", "starttls"])
def test_a_mailbox_with_a_stranger_certificate_is_not_entered(house: MailHouse, implicit: bool) -> None:
    port = house.imaps_port if implicit else house.imap_port
    known = replace(account(house, "x@council.example"), port=port, implicit_tls=implicit)
    with Mailbox(known) as mailbox:
        assert list(mailbox.fetch()) == []
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        Mailbox(replace(known, ca_file=str(house.other_ca_file))),
    ):
        pass


def test_watching_stores_before_it_marks_and_comes_back_after_trouble(house: MailHouse) -> None:
    """The first hand-over fails: the mail stays and comes again, and only then everything is caught up."""
    address = fresh("reply", "council.example")
    stop, tries, troubles, caught = threading.Event(), list[bytes](), list[str](), list[int]()

    def store(mail: RawMail) -> None:
        tries.append(mail.raw)
        if len(tries) == 1:
            raise OSError("disk full")

    def caught_up(read_until: datetime) -> None:
        caught.append(len(tries))
        if len(tries) == 2:
            stop.set()

    send_raw(house, "dsl@hillside.example", address, b"Subject: once\r\n\r\nx\r\n")
    collect_waiting(house, address, 1)
    watch(
        lambda: account(house, address),
        store,
        stop,
        clock=system_clock,
        caught_up=caught_up,
        trouble=troubles.append,
        poll_seconds=1,
        retry_seconds=0,
    )
    assert tries[0] == tries[1]
    assert (troubles, caught) == (["connection"], [2])


def test_watching_hears_of_a_mail_that_comes_while_it_waits(house: MailHouse) -> None:
    address = fresh("reply", "council.example")
    stop, came = threading.Event(), list[bytes]()

    def store(mail: RawMail) -> None:
        came.append(mail.raw)
        stop.set()

    def caught_up(read_until: datetime) -> None:
        if not came:
            send_raw(house, "dsl@hillside.example", address, b"Subject: later\r\n\r\nx\r\n")

    watch(
        lambda: account(house, address), store, stop, clock=system_clock, caught_up=caught_up, poll_seconds=20
    )
    assert b"Subject: later" in came[0]


def test_a_wrong_password_is_reported_as_such(house: MailHouse) -> None:
    stop, troubles = threading.Event(), list[str]()

    def trouble(code: str) -> None:
        troubles.append(code)
        stop.set()

    wrong = replace(account(house, "x@council.example"), password="wrong")
    watch(lambda: wrong, lambda mail: None, stop, clock=system_clock, trouble=trouble)
    assert troubles == ["login"]


def test_a_mailboxs_password_is_not_shown() -> None:
    assert "geheim" not in repr(account_from_url("imaps://a%40b.example:geheim@mail.example"))
    for wrong in ("imap://mail.example", "pop3://a:b@mail.example", "imaps://"):
        with pytest.raises(ValueError):
            account_from_url(wrong)


# --- the receiver -----------------------------------------------------------------------------------------------------


def server_tls(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def test_the_receiver_answers_250_only_after_it_stored(tmp_path: Path) -> None:
    stored: list[tuple[bytes, str, str]] = []

    async def store(raw: bytes, envelope_to: str, mail_from: str) -> None:
        if len(stored) == 1:
            raise OSError("disk full")
        stored.append((raw, envelope_to, mail_from))

    receiver = Receiver(store, server_tls(tmp_path))
    port = await receiver.start()
    try:
        async with sending(Relay("localhost", port, ca_file=str(tmp_path / "ca.pem"))) as adapter:
            first = await adapter.deliver(parcel("dsl+x@hillside.example", "tok3"))
            second = await adapter.deliver(parcel())
    finally:
        await receiver.stop()
    assert isinstance(first, Relayed)
    assert isinstance(second, TryLater)
    raw, envelope_to, mail_from = stored[0]
    assert (envelope_to, mail_from) == ("dsl+x@hillside.example", "bounce+tok3@council.example")
    assert b"Subject: Private and confidential" in raw


async def test_the_receiver_takes_nothing_in_clear(tmp_path: Path) -> None:
    async def store(raw: bytes, envelope_to: str, mail_from: str) -> None:
        raise AssertionError("stored a mail that came in clear")

    receiver = Receiver(store, server_tls(tmp_path))
    reader, writer = await asyncio.open_connection("127.0.0.1", await receiver.start())
    try:
        await reader.readline()
        writer.write(b"HELO x\r\nMAIL FROM:<a@b.example>\r\n")
        await reader.readline()
        assert (await reader.readline()).startswith(b"530")
    finally:
        writer.close()
        await writer.wait_closed()
        await receiver.stop()


@asynccontextmanager
async def scripted_server(
    folder: Path, answers: dict[str, str], starttls: bool = True, seen: list[str] | None = None
) -> AsyncIterator[Relay]:
    """An SMTP server that answers what a test wants: a far end, since Postfix cannot be told to greylist on the spot."""
    tls = server_tls(folder)
    heard = seen if seen is not None else []

    sessions: list[asyncio.Task[None] | None] = []

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sessions.append(asyncio.current_task())
        writer.write(b"220 scripted\r\n")
        in_data = False
        while received := await reader.readline():
            line = received.decode("ascii", "replace").strip("\r\n")
            if in_data and line != ".":
                continue
            verb = line.split(" ")[0].upper()
            heard.append(line)
            in_data = verb == "DATA"
            if verb == "EHLO":
                offered = "250-STARTTLS\r\n" if starttls else ""
                writer.write(f"250-scripted\r\n{offered}250-AUTH PLAIN\r\n250 DSN\r\n".encode())
            elif verb == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.drain()
                await writer.start_tls(tls)
            else:
                said = answers.get(
                    verb, "354 go" if in_data else "221 bye" if verb == "QUIT" else "250 2.0.0 ok"
                )
                writer.write(f"{said}\r\n".encode())
            if verb == "QUIT":
                break
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    try:
        yield Relay(
            "localhost",
            server.sockets[0].getsockname()[1],
            ca_file=str(folder / "ca.pem"),
            timeout_seconds=10,
        )
    finally:
        server.close()
        await asyncio.gather(*(session for session in sessions if session))  # the client has hung up by now
        await server.wait_closed()


def test_the_class_of_a_refusal_is_kept_apart_from_the_servers_words() -> None:
    """RFC 3463: the enhanced code tells what kind of fault it was, without the address that the words may hold."""
    told = outcome_of(aiosmtplib.SMTPDataError(550, "5.1.1 <nobody@harbour-view.example> no such mailbox"))
    assert isinstance(told, Undeliverable)
    assert told.evidence["enhanced_status"] == "5.1.1"
    plain = outcome_of(aiosmtplib.SMTPDataError(550, "no such mailbox 5.1.1"))
    assert isinstance(plain, Undeliverable)
    assert "enhanced_status" not in plain.evidence
