"""The guides are true: their examples run against a whole gateway, their commands do what the text says, in its order."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from adapters.webhook import signature_headers
from gateway.core.messages import AgencyId, IncidentId
from gateway.demo.partnership import HOSPITALS, SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.oauth.key_policy import check_jwks
from gateway.store import clients, incidents
from keys.signing import Signer, signer_from_jwk
from tests.actions.scene import UNIT, send
from tests.command_line import attempt, gateway
from tests.edges.office import Office, office_in
from tests.edges.test_oauth_third_parties import NPM, node
from tests.edges.test_officer_commands import refer, reply_to, the_hold
from tests.gateway_house import House, RealTime, example, gateway_house
from tests.nginx import API_NAME, MTLS_NAME, PROXY_SECRET, NamedClient, Proxy, nginx
from tests.structure.source import ROOT

EXAMPLES = ROOT / "deploy" / "guides" / "examples"
POLICE, ICB = "northshire-police", "northshire-icb"
SEATS = ((POLICE, "dsp-police"), ("south-tyneside-council", "dsp-la"), (ICB, "dsp-icb"))
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
UNCLEAR = """a. Dates on roll (from and to): September 2021 to present
b. Previous school (if applicable): n/a
c. Do you hold any records? Please ring me about this.
"""
BODY = b'{"type":"delivery.waiting"}'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway that keeps the real time, since the examples' programs do."""
    async with gateway_house(tmp_path, clock=RealTime()) as house:
        yield house


@pytest.fixture(params=["python", "javascript"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The example as a partner would start it; the JavaScript one beside the packages that it needs."""
    if request.param == "python":
        return [sys.executable, str(EXAMPLES / "connect.py")]
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "node_modules").symlink_to(NPM / "node_modules")
    return [node(), shutil.copy(EXAMPLES / "connect.mjs", tmp_path / "js")]


async def run(house: House, program: list[str], agency: str, *words: str) -> tuple[int, str, str]:
    trusts = {"SSL_CERT_FILE": str(house.ca_file), "NODE_EXTRA_CA_CERTS": str(house.ca_file)}
    process = await asyncio.create_subprocess_exec(
        *program,
        house.base_url,
        agency,
        str(house.key_file(agency)),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), **trusts},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_example_sends_collects_and_acknowledges(house: House, program: list[str]) -> None:
    message = house.folder / "referral.json"
    message.write_text(json.dumps(house.example("referral", reference="NP-1")))
    first, again = [await run(house, program, POLICE, "send", str(message)) for _ in range(2)]
    assert first[0] == 0, first[2]
    assert first[1].endswith("the receipt holds\n")
    assert again == first, "a repeat has the same answer"
    status, out, err = await run(house, program, ICB, "collect", "Henrietta Sorley")
    assert status == 0, err
    assert out.startswith("referral of SI-")
    async with house.client(ICB) as icb:
        assert await icb.inbox() == [], "everything was acknowledged"


async def test_the_python_example_sends_a_file_that_its_message_then_names(house: House) -> None:
    program = [sys.executable, str(EXAMPLES / "connect.py")]
    notes = house.folder / "notes.txt"
    notes.write_text("Ring me.")
    status, out, err = await run(house, program, POLICE, "attach", str(notes))
    assert status == 0, err
    message = house.folder / "referral.json"
    message.write_text(json.dumps(house.example("referral", attachments=[json.loads(out)])))
    status, out, err = await run(house, program, POLICE, "send", str(message))
    assert status == 0, err
    assert out.endswith("the receipt holds\n")


async def test_the_example_says_why_it_was_refused(house: House, program: list[str]) -> None:
    message = house.folder / "referral.json"
    message.write_text(json.dumps(house.example("referral") | {"surplus": 1}))
    status, _, err = await run(house, program, POLICE, "send", str(message))
    assert status != 0
    assert "refused: 422" in err


async def test_the_example_with_curl_sends_and_asks_and_shows_a_refusal(house: House) -> None:
    if not all(map(shutil.which, ("curl", "openssl"))):
        pytest.skip("NOT RUN: curl or openssl is not installed")
    key = ed25519.Ed25519PrivateKey.generate()
    private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (house.folder / "curl.pem").write_bytes(key.private_bytes(*private))
    public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    keys = check_jwks({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public, "kid": "curl-1"}]})
    at, scopes = house.clock(), ("messages.write", "messages.read")
    await house.parts.store.transact(lambda tx: clients.add(tx, "curl-1", AgencyId(POLICE), keys, scopes, at))
    sent = house.folder / "referral.json"
    sent.write_text(json.dumps(house.example("referral", reference="NP-curl")))
    status, out, err = await curl(house, "POST", "/v1/messages", str(sent))
    assert status == 0, err
    assert json.loads(out)["reference"] == "NP-curl"
    status, out, _ = await curl(house, "GET", "/v1/duties?limit=5")
    told = json.loads(out)
    assert (status, len(told["owed_to_me"] + told["owed_by_me"])) == (0, 5)
    sent.write_text(json.dumps(house.example("referral", {"surplus": 1}, reference="NP-curl-2")))
    status, out, _ = await curl(house, "POST", "/v1/messages", str(sent))
    assert status != 0
    assert json.loads(out)["code"] == "invalid-message"


async def curl(house: House, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(
            "sh",
            str(EXAMPLES / "connect.sh"),
            house.base_url,
            "curl-1",
            str(house.folder / "curl.pem"),
            *words,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "CURL_CA_BUNDLE": str(house.ca_file)},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_the_example_knows_a_genuine_notice_from_a_false_one_in_python() -> None:
    module = _module("webhook.py")
    for name, headers, body, now, genuine in _notices():
        assert module.is_genuine(headers, body, SECRET, now) is genuine, name


async def test_the_example_knows_a_genuine_notice_from_a_false_one_in_javascript(tmp_path: Path) -> None:
    script = (
        "import { isGenuine } from './webhook.mjs'\n"
        "const rows = JSON.parse(await new Response(process.stdin).text())\n"
        "console.log(JSON.stringify(rows.map(([h, b, s, now]) => isGenuine(h, Buffer.from(b), s, now))))\n"
    )
    shutil.copy(EXAMPLES / "webhook.mjs", tmp_path)
    (tmp_path / "check.mjs").write_text(script)
    rows = [[headers, body.decode(), SECRET, now] for _, headers, body, now, _ in _notices()]
    process = await asyncio.create_subprocess_exec(
        node(), str(tmp_path / "check.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps(rows).encode())
    assert json.loads(out) == [genuine for *_, genuine in _notices()]


def _notices() -> list[tuple[str, dict[str, str], bytes, float, bool]]:
    """What the gateway's own adapter signs, and what somebody made of it."""
    at = RealTime()()
    now = at.timestamp()
    old, new = bytes(32), base64.b64decode(SECRET.removeprefix("whsec_"))
    headers = signature_headers("dlv-1", at, BODY, [new])
    rotating = signature_headers("dlv-1", at, BODY, [old, new])
    return [
        ("genuine", headers, BODY, now, True),
        ("two secrets during a rotation", rotating, BODY, now, True),
        ("another body", headers, BODY + b" ", now, False),
        ("another id", headers | {"webhook-id": "dlv-2"}, BODY, now, False),
        ("another secret", signature_headers("dlv-1", at, BODY, [old]), BODY, now, False),
        ("kept too long", headers, BODY, now + 301, False),
    ]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("guide_example", EXAMPLES / name)
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the operator's and the officer's guide: their commands, in their order


GUIDES = ROOT / "deploy" / "guides"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What ends otherwise than with 0 in the guide's own course, as its text says.
OTHER_ENDS = {("operator.md", "gateway directory check"): 1}


def blocks(guide: str) -> list[tuple[str, str]]:
    """The guide's fenced blocks: language and text, in order."""
    return [(kind, text) for kind, text in FENCE.findall((GUIDES / guide).read_text("utf-8"))]


def command_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("gateway ")]


def expected_end(guide: str, line: str) -> int:
    return next(
        (end for (name, start), end in OTHER_ENDS.items() if guide == name and line.startswith(start)), 0
    )


@pytest.fixture
def away() -> Iterator[Path]:
    """A folder with a short name: a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        yield Path(folder)


class Served:
    """`gateway serve` as the guide starts it, a program of its own."""

    def __init__(self, folder: Path, operator_port: int) -> None:
        self.folder, self.port = folder, operator_port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], cwd=self.folder, stdout=subprocess.PIPE
        )
        assert self.process.stdout
        assert self.process.stdout.readline().startswith(b"Serving agencies at"), "it says when it is ready"

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, answer.read().decode()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0, "SIGTERM ends it in order"
            assert self.process.stdout
            self.process.stdout.close()
            self.process = None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def office(
    tmp_path: Path, away: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    """An empty folder with what the operator's guide takes for granted."""
    office = office_in(tmp_path, monkeypatch, capsys)
    for name in ("schemas", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    mesh = ("mesh-password", "mesh-shared-key", "mesh.crt", "mesh.key")
    for name in ("smtp-password", "imap-password", "smime-authorities.pem", *mesh):
        (away / name).touch(mode=0o600)
    (away / "smime-crl").mkdir()
    (away / "proxy-secret").touch(mode=0o600)
    (away / "proxy-secret").write_text(PROXY_SECRET)
    write_certificates(tmp_path)
    office.write("reply.eml", "From: dsl@harbour-view.example\nTo: x@replies.council.test\n\nNo.\n")
    return office


def write_certificates(folder: Path) -> None:
    """What partners with mutual TLS sent: an ICB's own certificate and its next, and an authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "icb-ca.pem")
    for name in ("icb", "icb-next"):
        certificate = trustme.CA().issue_cert("gateway.northshire-icb.example")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")


@pytest.fixture
def served(office: Office) -> Iterator[Served]:
    served = Served(office.folder, free_port())
    yield served
    served.stop()


def follow_the_operators_guide(
    office: Office, served: Served, away: Path, until_served: bool = False
) -> None:
    for kind, text in blocks("operator.md"):
        if kind == "toml":
            add_settings(office.folder / "var" / "gateway.toml", text, away, served.port)
        for line in command_lines(text) if kind == "console" else ():
            follow(office, served, line)
            if until_served and line == "gateway serve":
                return


def test_the_operators_guide_leads_from_nothing_to_serving(
    office: Office, served: Served, away: Path
) -> None:
    follow_the_operators_guide(office, served, away)
    assert served.get("/livez") == (200, "alive\n")
    assert json.loads(served.get("/readyz")[1])["ready"] is True
    figures = served.get("/metrics")[1]
    guide = (GUIDES / "operator.md").read_text("utf-8")
    measured = set(re.findall(r"^# HELP (gateway_\w+)", figures, re.MULTILINE))
    assert measured == set(re.findall(r"`(gateway_\w+)", guide))


def follow(office: Office, served: Served, line: str) -> None:
    """One command line; before databases are migrated the gateway is stopped, as the text says."""
    if line == "gateway serve":
        served.start()
        return
    if line == "gateway migrate":
        served.stop()
    told = office(*shlex.split(line)[1:])
    assert told.status == expected_end("operator.md", line), (line, told.err)
    if line.startswith("gateway doctor"):
        assert "MEND" not in told.out


def add_settings(file: Path, text: str, away: Path, operator_port: int) -> None:
    """The guide's lines, with this machine's folders and with doors that lead nowhere."""
    text = text.replace("/run/gateway/", f"{away}/").replace("/etc/gateway/", f"{away}/")
    text = re.sub(r"@mail\.council\.test:\d+", "@127.0.0.1:9", text)
    if "\noperator_listen" not in file.read_text():
        text += f'operator_listen = "127.0.0.1:{operator_port}"\n'
    with file.open("a") as opened:
        opened.write(text)


async def test_the_officers_guide_deals_with_whatever_waits(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alerts-2025.csv").write_text(
        "reference,alerted_on,label\nA/25/7,03/06/2025,Need to Know case\n"
    )
    stage = Stage(house)
    for line in [
        line for kind, text in blocks("officer.md") if kind == "console" for line in command_lines(text)
    ]:
        words = [await stage.stand_in(word, line) for word in shlex.split(line)[1:]]
        status, out, err = await attempt(house, *words)
        assert status == 0, (line, err)
        if line.startswith("gateway evidence verify"):
            assert out.startswith("VALID:")
            assert "matches" in out


class Stage:
    """What stands for HOLD, DUTY, DELIVERY, MESSAGE, BREACH, INCIDENT and OTHER in each command of the guide, made when it is needed."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.incident = ""
        self.other = ""
        self.message = ""
        self.count = 0
        self.drafted = ""
        self.letter: dict[str, Any] = {}

    async def stand_in(self, word: str, line: str) -> str:
        match word:
            case "HOLD":
                return await self.hold(line)
            case "DUTY":
                return await self.duty("G01" if "--acknowledged-by" in line else "K11")
            case "DELIVERY":
                return str((await self.a_letter())["subject"])
            case "MESSAGE":
                self.message = self.message or (await refer(self.house, "NP-message"))["id"]
                return self.message
            case "OTHER":
                self.other = self.other or (await refer(self.house, "NP-other"))["incident"]
                return self.other
            case "child.json":
                Path(word).write_text('{"nhs_number": "999 000 0018"}')
                return word
            case "AGENCY":
                return "cliffside-secondary"  # one that no referral of the demonstration names
            case "BREACH":
                return str((await gateway(self.house, "breach", "list"))["breaches"][0]["id"])
            case "INCIDENT" if line.startswith("gateway retention approve"):
                return await self.past_retention()
            case "INCIDENT" if line.startswith("gateway hold "):
                return await self.stand_in("OTHER", line)  # the other one is erased by now
            case "INCIDENT":
                self.incident = self.incident or (await refer(self.house, "NP-incident"))["incident"]
                return self.incident
        return word

    async def past_retention(self) -> str:
        """An incident that ended when the oldest of its officers were children."""
        incident = str((await refer(self.house, "NP-long-over"))["incident"])
        ended = {"state": "closed", "ended_at": self.house.clock() - timedelta(days=36_525)}
        await self.house.parts.store.transact(
            lambda tx: incidents.change(tx, SOUTH_TYNESIDE, IncidentId(incident), **ended)
        )
        return incident

    async def hold(self, line: str) -> str:
        """A letter to look at and release, another to refuse, a school's unclear reply to answer."""
        if line.startswith("gateway held take-return"):
            return await self.a_return()
        if line.startswith("gateway held draft"):
            self.drafted = await self.a_message_by_mail()
        if line.startswith(("gateway held draft", "gateway held submit")):
            return self.drafted
        if line.startswith("gateway held answer"):
            await reply_to(self.house, self.letter, UNCLEAR)
            return str((await the_hold(self.house, "mail"))["id"])
        if line.startswith("gateway held show"):
            self.letter = await self.a_letter()
        held = await self.a_letter() if line.startswith("gateway held refuse") else self.letter
        return str(held["id"])

    async def a_message_by_mail(self) -> str:
        """An agency's referral that nothing shows to be its own."""
        document = json.dumps(self.house.example("referral", reference="NP-by-mail"))
        sent = EmailMessage()
        sent["From"], sent["To"] = "o.hartfield@northshire-hospitals.example", "letters@council.example"
        sent.set_content("Attached.")
        sent.add_attachment(document.encode(), maintype="application", subtype="json", filename="m.json")
        await intake.keep(
            self.house.parts, "mailbox", sent.as_bytes(), envelope_to=None, arrived_at=self.house.clock()
        )
        return str((await the_hold(self.house, "mail"))["id"])

    async def a_return(self) -> str:
        """An agency's answer to a request for information, by e-mail."""
        incident = str((await refer(self.house, "NP-return"))["incident"])
        await send(self.house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=incident)
        answer = EmailMessage()
        answer["From"], answer["To"] = "o.hartfield@northshire-hospitals.example", "letters@council.example"
        answer["Subject"] = f"Return {incident}"
        answer.set_content("We saw the family twice in May; our record is as follows.")
        await intake.keep(
            self.house.parts, "mailbox", answer.as_bytes(), envelope_to=None, arrived_at=self.house.clock()
        )
        return str((await the_hold(self.house, "mail"))["id"])

    async def a_letter(self) -> dict[str, Any]:
        """The letter that waits after all three have decided on a new incident."""
        await self.decided()
        held = await the_hold(self.house, "delivery")
        self.incident = self.incident or held["incident"]
        return held

    async def decided(self) -> None:
        self.count += 1
        referral = await refer(self.house, f"NP-{self.count}")
        for agency, seat in SEATS:
            said = {"seat": seat, "decided_at": self.house.clock().isoformat()}
            reference = f"decision-{self.count}-{seat}"
            about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
            document = self.house.example("triage-decision", said, reference=reference, **about)
            async with self.house.client(agency) as partner:
                await partner.submit(document)

    async def duty(self, clock: str) -> str:
        rows = (await gateway(self.house, "duties", "list", "--state", "open"))["duties"]
        waiting = [row for row in rows if row["clock"] == clock]
        if not waiting:
            await refer(self.house, "NP-telephone")
            return await self.duty(clock)
        return str(waiting[0]["id"])


@pytest.mark.needs("nginx")
def test_a_partners_message_comes_through_the_proxy_to_the_gateway_that_the_guide_set_up(
    office: Office, served: Served, away: Path
) -> None:
    """The sample configuration as it stands, with this machine's folders, port and certificate; so is the guide's client."""
    follow_the_operators_guide(office, served, away, until_served=True)
    key = signer_from_jwk(json.loads((office.folder / "police-2.jwk").read_text()))
    api, mtls = f"https://{API_NAME}", f"https://{MTLS_NAME}"
    shown = (office.folder / "icb-next.pem", office.folder / "icb-next.key")
    with nginx(away, free_port()) as door:
        answer = asyncio.run(send_referral(door, api, "northshire-police-1", key))
        by_certificate = asyncio.run(send_referral(door, mtls, "northshire-icb-1", None, shown))
    for one in (answer, by_certificate):
        assert one["decision"] == "forward"
        assert {duty["role"] for duty in one["duties"]} == {"dsp-la", "dsp-icb", "dsp-police", "sbu"}
    assert office("reconcile").status == 0


async def send_referral(
    door: Proxy, url: str, client: str, key: Signer | None, certificate: tuple[Path, Path] | None = None
) -> dict[str, Any]:
    async with NamedClient(
        f"{url}:{door.port}",
        client,
        key,
        clock=RealTime(),
        tls=door.trusting(),
        issuer="https://gateway.council.test",
        certificate=certificate,
    ) as partner:
        return await partner.submit(
            example("referral", created_at=RealTime()().isoformat(), reference=f"by-{client}")
        )
