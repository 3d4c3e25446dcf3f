"""Real Postfix and Dovecot on free ports of the loopback, each with its own tree in a temporary folder of its own.

    with mail_house(("council.example",)) as house:      # both, wired: SMTP with STARTTLS -> Postfix -> LMTP -> Dovecot -> IMAP
        house.smtp_port, house.imap_port, house.imaps_port, house.ca_file

Nothing can leave: whatever is not for the house's own domains is refused by Postfix itself. Debian packages: postfix
dovecot-core dovecot-imapd dovecot-lmtpd. Postfix starts only as root. No system service, no shared files, no fixed port:
a free port is found by binding port 0 on 127.0.0.1, all of one house's ports held until all are known, and a start that
loses the race for one is made again with new ports.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.not_run import LOUD, missing_programs

START_SECONDS = 20
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class MailHouse:
    """A running pair. Every mailbox `anything@domain` exists, with the one password; plus addresses work."""

    folder: Path
    hostname: str
    domains: tuple[str, ...]
    smtp_port: int
    lmtp_port: int
    imap_port: int  # STARTTLS
    imaps_port: int  # TLS from the first byte
    ca_file: Path
    other_ca_file: Path  # an authority that vouched for nothing here
    password: str
    token_key: ec.EllipticCurvePrivateKey  # what this key signs, Dovecot takes as an access token

    def smtp_url(self) -> str:
        return f"smtp://{self.hostname}:{self.smtp_port}"

    def imap_url(self, address: str) -> str:
        return f"imap://{address.replace('@', '%40')}:{self.password}@{self.hostname}:{self.imap_port}"

    def postfix_log(self) -> str:
        return (self.folder / "postfix.log").read_text("utf-8", "replace")

    def restart_postfix(self) -> None:
        """Stop and start the SMTP side: every open connection is cut."""
        _postfix(self.folder, "abort", check=False)
        _start_postfix(self.folder, self.smtp_port)


def require_mail_servers() -> None:
    """Skip loudly (a failure in CI) where Postfix and Dovecot are not installed or cannot start."""
    for name in ("postfix", "dovecot"):
        if missing := missing_programs(name):
            pytest.skip(f"{LOUD} {name} is not installed ({', '.join(missing)} not found)")
    if os.geteuid() != 0:
        pytest.skip(f"{LOUD} Postfix starts only as root")


@contextmanager
def mail_house(
    domains: tuple[str, ...] = ("council.example",), hostname: str = "localhost"
) -> Iterator[MailHouse]:
    """Both servers, up before the block and gone after it. Skips loudly where they cannot run."""
    require_mail_servers()
    last: Exception | None = None
    for _ in range(3):
        with ExitStack() as stack:
            # Not in pytest's folder: that is closed to other users, and the servers' own users must pass through.
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="mail-house-", ignore_cleanup_errors=True)
                )
            )
            try:
                house = _prepared(folder, domains, hostname)
                stack.enter_context(_dovecot_up(house))
                stack.enter_context(_postfix_up(house))
            except (OSError, subprocess.CalledProcessError) as error:
                last = error
                continue
            yield house
            return
    raise RuntimeError("the mail servers did not start") from last


@contextmanager
def postfix_alone(next_port: int) -> Iterator[int]:
    """The port of a Postfix without TLS that hands on what it has queued to `next_port`: for the bench."""
    with tempfile.TemporaryDirectory(prefix="postfix-", ignore_cleanup_errors=True) as name:
        house = _prepared(Path(name), ("council.example",), "localhost")
        file = house.folder / "postfix" / "main.cf"
        text = file.read_text().replace(
            "smtpd_tls_security_level = encrypt", "smtpd_tls_security_level = none"
        )
        file.write_text(
            text.replace(f"lmtp:inet:127.0.0.1:{house.lmtp_port}", f"smtp:[127.0.0.1]:{next_port}")
        )
        with _postfix_up(house):
            yield house.smtp_port


@contextmanager
def mailbox_server(domains: tuple[str, ...] = ("council.example",)) -> Iterator[MailHouse]:
    """Dovecot alone: mail is handed over by LMTP and read by IMAP. Mark tests with needs("dovecot")."""
    with tempfile.TemporaryDirectory(prefix="mailbox-", ignore_cleanup_errors=True) as name:
        house = _prepared(Path(name), domains, "localhost")
        with _dovecot_up(house):
            yield house


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _prepared(folder: Path, domains: tuple[str, ...], hostname: str) -> MailHouse:
    folder.chmod(0o755)
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "other-ca.pem")
    server = authority.issue_cert(hostname, "127.0.0.1")
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    (folder / "server.pem").chmod(0o600)
    smtp, lmtp, imap, imaps = free_ports(4)
    house = MailHouse(
        folder,
        hostname,
        domains,
        smtp,
        lmtp,
        imap,
        imaps,
        folder / "ca.pem",
        folder / "other-ca.pem",
        "correct-horse",
        ec.generate_private_key(ec.SECP256R1()),
    )
    _write_dovecot(house)
    _write_postfix(house)
    return house


# --- Dovecot ----------------------------------------------------------------------------------------------------------


def _write_dovecot(house: MailHouse) -> None:
    at = house.folder
    (at / "mail").mkdir()
    for name in ("run", "state", "token-keys/default/ES256"):
        (at / name).mkdir(parents=True)
    public = house.token_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (at / "token-keys/default/ES256/default").write_bytes(public)
    shutil.chown(at / "mail", "nobody", "nogroup")
    (at / "oauth2.conf").write_text(f"""
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={at}/token-keys/
username_attribute = sub
""")
    (at / "dovecot.conf").write_text(f"""
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {at}/run
state_dir = {at}/state
instance_name = test-{house.imap_port}
log_path = {at}/dovecot.log
ssl = required
ssl_cert = <{at}/server.pem
ssl_key = <{at}/server.pem
ssl_min_protocol = TLSv1.2
hostname = {house.hostname}
recipient_delimiter = +
mail_location = maildir:{at}/mail/%u
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
lmtp_save_to_detail_mailbox = no
namespace inbox {{
  inbox = yes
}}
auth_mechanisms = plain login xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {at}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={house.password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={at}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {house.imap_port}
  }}
  inet_listener imaps {{
    port = {house.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {house.lmtp_port}
  }}
}}
""")


@contextmanager
def _dovecot_up(house: MailHouse) -> Iterator[None]:
    configuration = str(house.folder / "dovecot.conf")
    _run(["dovecot", "-c", configuration])
    try:
        for port in (house.imap_port, house.imaps_port, house.lmtp_port):
            _await_port(port)
        yield
    finally:
        _run(["doveadm", "-c", configuration, "stop"], check=False)


# --- Postfix ----------------------------------------------------------------------------------------------------------


def _write_postfix(house: MailHouse) -> None:
    at = house.folder
    etc, queue, data = at / "postfix", at / "queue", at / "data"
    for one in (etc, queue, data):
        one.mkdir()
    shutil.chown(data, "postfix", "postfix")
    (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {house.hostname}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {at}/postfix.log
maillog_file_prefixes = {at}
alias_maps =
local_recipient_maps =
recipient_delimiter = +
virtual_mailbox_domains = {", ".join(house.domains)}
virtual_transport = lmtp:inet:127.0.0.1:{house.lmtp_port}
default_transport = error:5.7.1 nothing leaves this house
relay_transport = error:5.7.1 nothing leaves this house
smtpd_recipient_restrictions = permit_auth_destination, reject
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {at}/server.pem
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_received_header = yes
""")
    (etc / "master.cf").write_text(f"""
127.0.0.1:{house.smtp_port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")


@contextmanager
def _postfix_up(house: MailHouse) -> Iterator[None]:
    try:
        _start_postfix(house.folder, house.smtp_port)
        yield
    finally:
        _postfix(house.folder, "abort", check=False)


def _start_postfix(folder: Path, port: int) -> None:
    _postfix(folder, "start")
    _await_port(port)


def _postfix(folder: Path, command: str, check: bool = True) -> None:
    _run(["postfix", "-c", str(folder / "postfix"), command], check=check)


def _run(command: list[str], check: bool = True) -> None:
    with tempfile.TemporaryFile() as words:  # a file, not a pipe: daemons keep theirs open
        done = subprocess.run(command, stdout=words, stderr=words, env=ENVIRONMENT, timeout=60, check=False)
        words.seek(0)
        said = words.read()[-800:].decode("utf-8", "replace")
    if check and done.returncode:
        raise OSError(f"{command[0]}: {said}")


def _await_port(port: int) -> None:
    """Wait until somebody listens; the bound is a start's, nothing here waits a fixed time."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def send_raw(house: MailHouse, sender: str, recipient: str, raw: bytes) -> None:
    """Put one mail into the house as another mail server would: over STARTTLS."""
    tls = ssl.create_default_context(cafile=str(house.ca_file))
    with smtplib.SMTP(house.hostname, house.smtp_port, timeout=20) as client:
        client.starttls(context=tls)
        client.sendmail(sender, [recipient], raw)
