"""Mutual TLS as an equal of DPoP (RFC 8705), behind Debian's nginx with the configuration that is shipped."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from requests.adapters import HTTPAdapter

from gateway.actions.prove import Occasion
from gateway.actions.register_certificates import Renewal, renew_certificates
from gateway.agency.client import AgencyProblem
from gateway.cli.certificates import authorities_pem
from gateway.core.officers import TwoOfficers
from gateway.oauth.certificates import pin_entry
from gateway.oauth.key_policy import check_jwks
from gateway.parts import Supply
from gateway.store import clients
from keys.signing import FileSigner
from tests.edges.behind_nginx import (
    SERVER_AUTH,
    Edge,
    Identity,
    behind_nginx,
    document,
    identity,
)
from tests.edges.test_oauth_third_parties import NPM, node
from tests.edges.test_revocation_lists import revocation_list
from tests.nginx import API_NAME, MTLS_NAME
from tests.structure.source import ROOT

pytestmark = pytest.mark.needs("nginx")

NAME = "https://northshire-icb.example/safeguarding"
GUIDE = ROOT / "deploy" / "guides" / "partner-developer.md"


@pytest.fixture
def away() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        yield Path(folder)


@pytest.fixture
async def edge(tmp_path: Path, away: Path) -> AsyncIterator[Edge]:
    async with behind_nginx(tmp_path, away) as edge:
        yield edge


@pytest.fixture
def shown() -> Identity:
    return identity()


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded


async def a_token(edge: Edge, client: str, shown: Identity, **form: str) -> str:
    answer = await edge.token(client, shown, **form)
    assert answer.status == 200, answer.body
    return str(answer.json["access_token"])


async def test_a_pinned_certificate_gets_a_token_bound_to_its_sha_256_and_is_let_in_with_it(
    edge: Edge, shown: Identity
) -> None:
    """RFC 8705 sections 2.2 and 3.1: the thumbprint is the one that openssl computes."""
    await edge.pin("icb-1", shown)
    answer = await edge.token("icb-1", shown)
    assert (answer.status, answer.json["token_type"], answer.json["expires_in"]) == (200, "Bearer", 300)
    token = answer.json["access_token"]
    printed = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"],
        input=shown.pem,
        capture_output=True,
        check=True,
    ).stdout.decode()
    digest = bytes.fromhex(printed.partition("=")[2].strip().replace(":", ""))
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert claims(token)["cnf"] == {"x5t#S256": expected}
    assert claims(token)["iss"] == claims(token)["aud"] == edge.proxy.api_url
    assert (await edge.call(token, shown)).status == 200


async def test_a_message_goes_out_and_its_receipt_holds_over_mutual_tls(edge: Edge, shown: Identity) -> None:
    await edge.pin("icb-1", shown)
    async with edge.client("icb-1", shown) as icb:
        first = await icb.submit(edge.house.example("referral", reference="ICB-1"))
        again = await icb.submit(edge.house.example("referral", reference="ICB-2"))
        assert await icb.receipts(first["id"])
    assert first["id"] != again["id"]


async def test_a_token_is_worth_nothing_without_its_certificate(edge: Edge, shown: Identity) -> None:
    """RFC 8705 section 3: with none, with another client's, on the other host, under the other scheme: refused."""
    other = identity()
    await edge.pin("icb-1", shown)
    await edge.pin("icb-2", other)
    token = await a_token(edge, "icb-1", shown)
    stolen = [
        await edge.call(token, None),
        await edge.call(token, other),
        await edge.call(token, identity()),
        await edge.call(token, shown, host=API_NAME),
        await edge.ask("GET", "/v1/inbox", [("Authorization", f"DPoP {token}")], shown=shown),
        await edge.call(token, shown, ("DPoP", "a.b.c")),
    ]
    assert [answer.status for answer in stolen] == [401] * len(stolen)
    assert (await edge.call(token, shown)).status == 200


async def test_no_certificate_or_a_strangers_gets_no_token(edge: Edge, shown: Identity) -> None:
    await edge.pin("icb-1", shown)
    refused = [
        await edge.token("icb-1", None),
        await edge.token("icb-1", identity()),
        await edge.token("icb-1", identity(key=shown.key)),  # another certificate of the same key
        await edge.token("nobody", shown),
        await edge.token("", shown),
        await edge.token("icb-1", shown, client_secret="x" * 20),
        await edge.token("icb-1", shown, client_assertion="a.b.c"),
    ]
    assert [(answer.status, answer.json["error"]) for answer in refused[:6]] == [(401, "invalid_client")] * 6
    assert refused[6].status == 401
    assert len({answer.body for answer in refused[:5]}) == 1, "nothing tells one from the other"


async def test_headers_that_a_client_writes_itself_are_dropped(edge: Edge, shown: Identity) -> None:
    """Spoofed `X-Client-*`, underscore variants and `Client-Cert`: on both hosts they give no identity."""
    await edge.pin("icb-1", shown)
    token = await a_token(edge, "icb-1", shown)
    written = quote(shown.pem.decode(), safe="")
    der = base64.b64encode(base64.b64decode("".join(shown.pem.decode().splitlines()[1:-1]))).decode()
    forged = [
        (("X-Client-Verify", "SUCCESS"), ("X-Client-Cert", written)),
        (("X_Client_Verify", "SUCCESS"), ("X_Client_Cert", written)),
        (("x-client_verify", "SUCCESS"), ("x-client_cert", written)),
        (("X-Client-Verify", "SUCCESS"), ("X-Client-Verify", "SUCCESS"), ("X-Client-Cert", written)),
        (("Client-Cert", f":{der}:"), ("X-SSL-Client-Cert", written)),
    ]
    for host in (MTLS_NAME, API_NAME):
        for headers in forged:
            assert (await edge.call(token, None, *headers, host=host)).status == 401, (host, headers[0])
    for headers in forged:
        assert (await edge.token("icb-1", None, *headers)).status == 401
        assert (await edge.call(token, identity(), *headers)).status == 401


async def test_whoever_goes_round_the_proxy_is_refused_whatever_he_says(edge: Edge, shown: Identity) -> None:
    """The socket answers nothing without the secret, exactly once; with forged headers no more than without."""
    await edge.pin("icb-1", shown)
    token = await a_token(edge, "icb-1", shown)
    says = (
        ("Authorization", f"Bearer {token}"),
        ("X-Client-Verify", "SUCCESS"),
        ("X-Client-Cert", quote(shown.pem.decode(), safe="")),
    )
    secret = (edge.away / "proxy-secret").read_text().strip()
    right, wrong = ("X-Proxy-Secret", secret), ("X-Proxy-Secret", "0" * 64)
    for secrets in ((), (wrong,), (right, right), (right, wrong), (("X_Proxy_Secret", secret),)):
        for path in ("/v1/inbox", "/oauth2/jwks", "/console/"):
            answer = await edge.past_the_proxy(path, *secrets, *says)
            assert (answer.status, document(answer)["code"]) == (421, "misdirected")
    assert (await edge.past_the_proxy("/v1/inbox", right, *says)).status == 200, (
        "it is the secret that counts"
    )
    doubled = (*says, says[2])
    assert (await edge.past_the_proxy("/v1/inbox", right, *doubled)).status == 401


async def test_a_client_of_dpop_cannot_fall_back_to_a_certificate(edge: Edge, shown: Identity) -> None:
    """A certificate in the handshake is no way round the proof, nor DPoP a way round a certificate."""
    key = FileSigner.generate("icb-dpop", "ES256")
    await edge.enrol("icb-dpop", (), check_jwks({"keys": [key.public_jwk()]}))
    async with edge.client("icb-dpop", shown, key=key) as falls_back:
        with pytest.raises(AgencyProblem) as refused:
            await falls_back.token()
    assert (refused.value.status, refused.value.code) == (400, "invalid_dpop_proof")
    assert (await edge.token("icb-dpop", shown)).json["error"] == "invalid_client"
    async with edge.client(
        "icb-dpop", shown, key=key, certificate=None, base_url=edge.proxy.api_url
    ) as agency:
        token = await agency.token()
        assert await agency.inbox() == []
    assert (await edge.call(token, shown)).status == 401
    assert (await edge.call(token, None, host=API_NAME)).status == 401


async def test_a_client_with_a_key_and_a_certificate_needs_both(edge: Edge, shown: Identity) -> None:
    """RFC 8705 section 3: private_key_jwt authenticates, the certificate binds."""
    key = FileSigner.generate("icb-both", "ES256")
    await edge.pin("icb-both", shown, jwks=check_jwks({"keys": [key.public_jwk()]}))
    async with edge.client("icb-both", shown, key=key) as agency:
        token = await agency.token()
        assert await agency.inbox() == []
    assert set(claims(token)["cnf"]) == {"x5t#S256"}
    assert (await edge.token("icb-both", shown)).json["error"] == "invalid_client"
    for changes in ({"certificate": None}, {"certificate": None, "base_url": edge.proxy.api_url}):
        async with edge.client("icb-both", shown, key=key, **changes) as agency:
            with pytest.raises(AgencyProblem):
                await agency.token()
    async with edge.client("icb-both", identity(), key=key) as agency:
        with pytest.raises(AgencyProblem) as refused:
            await agency.token()
    assert refused.value.code == "invalid_client"


async def test_an_issuing_authority_and_a_name_let_in_what_it_issued_under_that_name(
    tmp_path: Path, away: Path
) -> None:
    """RFC 8705 section 2.1: authority and name both, by the proxy's word and by our own check."""
    root, stranger = identity(is_authority=True), identity(is_authority=True)
    issuing = identity(by=root, is_authority=True)
    uri, dns = x509.UniformResourceIdentifier(NAME), x509.DNSName("gateway.northshire-icb.example")
    (away / "tls").mkdir()
    trusted = root.pem + issuing.pem + stranger.pem
    (away / "tls" / "client-authorities.pem").write_bytes(trusted)
    lists = away / "lists"
    lists.mkdir()
    (lists / "icb.crl").write_bytes(revocation_list(issuing))
    changes = {"# ssl_client_certificate": "ssl_client_certificate"}
    async with behind_nginx(tmp_path, away, changes, client_crl_dir=lists) as edge:
        await edge.trust("icb-uri", issuing, "uri", NAME)
        await edge.trust("icb-dns", issuing, "dns", "gateway.northshire-icb.example")
        first, renewed = identity([uri], by=issuing), identity([uri], by=issuing)
        for one in (first, renewed):
            token = await a_token(edge, "icb-uri", one)
            assert (await edge.call(token, one)).status == 200
        assert (await edge.call(token, first)).status == 401, "the token is the other certificate's"
        assert await a_token(edge, "icb-dns", identity([dns, uri], by=issuing))
        refused = {
            "another name": identity([x509.UniformResourceIdentifier(f"{NAME}/x")], by=issuing),
            "no name": identity(by=issuing),
            "the name as another kind": identity([x509.DNSName("northshire-icb.example")], by=issuing),
            "another authority that the proxy trusts": identity([uri], by=stranger),
            "the authority above": identity([uri], by=root),
            "nobody's": identity([uri]),
            "an authority under it": identity([uri], by=issuing, is_authority=True),
        }
        for why, one in refused.items():
            assert (await edge.token("icb-uri", one)).status == 401, why
        wildcard = identity([x509.DNSName("*.northshire-icb.example")], by=issuing)
        assert (await edge.token("icb-dns", wildcard)).status == 401
        rows = await edge.house.parts.store.read(clients.listed)
        assert authorities_pem(rows, edge.house.clock()).encode() == issuing.pem

        (lists / "icb.crl").write_bytes(revocation_list(issuing, [renewed]))
        edge.house.clock.move_by(seconds=61)
        assert (await edge.call(token, renewed)).status == 401, "its authority took it back"
        assert (await edge.token("icb-uri", renewed)).json["error"] == "invalid_client"
        assert await a_token(edge, "icb-uri", first)


async def test_what_an_authority_issued_needs_the_proxys_word_too(edge: Edge) -> None:
    """Where the proxy has no list of authorities it verifies nothing: fail closed."""
    issuing = identity(is_authority=True)
    await edge.trust("icb-uri", issuing, "uri", NAME)
    one = identity([x509.UniformResourceIdentifier(NAME)], by=issuing)
    assert (await edge.token("icb-uri", one)).status == 401


async def test_a_certificate_is_renewed_without_a_gap(edge: Edge, shown: Identity) -> None:
    """Old and next overlap; when the overlap ends the old one and its tokens are over, and the next goes on."""
    following = identity()
    await edge.pin("icb-1", shown)
    before = await a_token(edge, "icb-1", shown)
    await renew(edge, "icb-1", following, timedelta(hours=2))
    for one in (shown, following):
        token = await a_token(edge, "icb-1", one)
        assert (await edge.call(token, one)).status == 200
    assert (await edge.call(before, shown)).status == 200, "a token in hand lives on"
    edge.house.clock.move_by(hours=1, minutes=59)
    late = await a_token(edge, "icb-1", shown)
    edge.house.clock.move_by(minutes=2)
    assert (await edge.call(late, shown)).status == 401
    assert (await edge.token("icb-1", shown)).status == 401
    assert (await edge.call(await a_token(edge, "icb-1", following), following)).status == 200


async def test_a_compromised_certificate_is_dead_within_half_a_minute(edge: Edge, shown: Identity) -> None:
    following = identity()
    await edge.pin("icb-1", shown)
    token = await a_token(edge, "icb-1", shown)
    await renew(edge, "icb-1", following, timedelta(0), compromised=True)
    edge.house.clock.move_by(seconds=31)
    assert (await edge.call(token, shown)).status == 401
    assert (await edge.token("icb-1", shown)).status == 401
    assert await a_token(edge, "icb-1", following)


async def test_a_certificate_counts_within_its_own_dates_alone(edge: Edge, shown: Identity) -> None:
    """nginx refuses one that has expired; the gateway looks again, by its own clock."""
    await edge.pin("icb-1", shown)
    token = await a_token(edge, "icb-1", shown)
    over = identity(days=-0.01)
    assert (await edge.call(token, over)).status == 400
    edge.house.clock.move_by(days=366)
    assert (await edge.token("icb-1", shown)).status == 401


async def test_a_certificate_for_servers_alone_is_not_taken(edge: Edge) -> None:
    """Its extended key usage excludes clients: the proxy refuses it, pinned or not."""
    (entry,) = [pin_entry(identity().pem, edge.house.clock())]
    for_servers = identity(usages=[SERVER_AUTH])
    digest = hashlib.sha256(for_servers.certificate.public_bytes(Encoding.DER)).digest()
    entry["x5t#S256"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    await edge.enrol("icb-1", [entry])
    assert (await edge.token("icb-1", for_servers)).status == 400


@pytest.mark.parametrize("bits", [2048, 4096])
async def test_rsa_certificates_of_integration_engines_are_taken(edge: Edge, bits: int) -> None:
    own = identity(key=rsa.generate_private_key(65537, bits), usages=None)
    await edge.pin("icb-1", own)
    assert (await edge.call(await a_token(edge, "icb-1", own), own)).status == 200


async def test_the_metadata_says_where_certificates_are_asked_for(edge: Edge) -> None:
    """RFC 8705 sections 3.3 and 5, RFC 9728 section 2."""
    server = document(await edge.ask("GET", "/.well-known/oauth-authorization-server", host=API_NAME))
    assert server["issuer"] == edge.proxy.api_url
    assert server["tls_client_certificate_bound_access_tokens"] is True
    assert server["mtls_endpoint_aliases"] == {
        f"{name}_endpoint": f"{edge.proxy.mtls_url}/oauth2/{path}"
        for name, path in (("token", "token"), ("revocation", "revoke"), ("introspection", "introspect"))
    }
    methods = ["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"]
    assert server["token_endpoint_auth_methods_supported"] == methods
    resource = document(await edge.ask("GET", "/.well-known/oauth-protected-resource", host=API_NAME))
    assert resource["dpop_bound_access_tokens_required"] is False
    assert resource["tls_client_certificate_bound_access_tokens"] is True


async def test_openid_client_and_oauth4webapi_live_their_whole_lives_over_mutual_tls(
    edge: Edge, shown: Identity
) -> None:
    """panva's clients: discovery, the aliases, tls_client_auth, calls, introspection, revocation."""
    await edge.pin("icb-1", shown)
    certificate, key = shown.files(edge.away, "node")
    order = {
        "url": edge.proxy.api_url,
        "resource": f"{edge.proxy.mtls_url}/v1/inbox",
        "clientId": "icb-1",
        "cert": certificate.read_text(),
        "key": key.read_text(),
        "ca": edge.proxy.authority.cert_pem.bytes().decode(),
    }
    for program in ("mutual_tls.mjs", "mutual_tls_bare.mjs"):
        assert await _lived(program, order) == {
            "tokenType": "bearer",
            "boundToCertificate": True,
            "get": 200,
            "withoutCertificate": 401,
            "introspection": True,
            "afterRevocation": 401,
            "introspectionAfterRevocation": False,
        }


async def _lived(program: str, order: dict[str, str]) -> Any:
    process = await asyncio.create_subprocess_exec(
        node(),
        str(NPM / program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", "")},
    )
    out, err = await process.communicate(json.dumps(order).encode())
    assert process.returncode == 0, err.decode()
    return json.loads(out)


class ByName(HTTPAdapter):
    """requests on a machine where the proxy's name for certificates means this one."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        names = {"server_hostname": MTLS_NAME, "assert_hostname": MTLS_NAME}
        super().init_poolmanager(*args, **settings, **names)


async def test_authlibs_session_gets_a_token_and_calls_over_mutual_tls(edge: Edge, shown: Identity) -> None:
    """authlib's own client over requests: no client authentication of its own, the certificate does it."""
    await edge.pin("icb-1", shown)
    files = shown.files(edge.away, "authlib")
    (edge.away / "ca.pem").write_bytes(edge.proxy.authority.cert_pem.bytes())
    base = f"https://127.0.0.1:{edge.proxy.port}"

    def live() -> tuple[str, int, int]:
        with OAuth2Session("icb-1", token_endpoint_auth_method="none", scope="messages.read") as session:
            session.trust_env = False
            session.mount("https://", ByName())
            session.headers["Host"] = f"{MTLS_NAME}:{edge.proxy.port}"
            session.verify = str(edge.away / "ca.pem")
            session.cert = tuple(map(str, files))
            token = session.fetch_token(f"{base}/oauth2/token", grant_type="client_credentials")
            called = session.get(f"{base}/v1/inbox")
        with requests.Session() as thief:
            thief.trust_env = False
            thief.mount("https://", ByName())
            headers = {"Host": MTLS_NAME, "Authorization": f"Bearer {token['access_token']}"}
            stolen = thief.get(f"{base}/v1/inbox", headers=headers, verify=str(edge.away / "ca.pem"))
        return token["token_type"], called.status_code, stolen.status_code

    assert await asyncio.to_thread(live) == ("Bearer", 200, 401)


async def test_the_guides_curl_commands_work_as_they_stand(edge: Edge, shown: Identity) -> None:
    await edge.pin("northshire-icb-1", shown)
    shown.files(edge.away, "icb")
    (edge.away / "ca.pem").write_bytes(edge.proxy.authority.cert_pem.bytes())
    settings = f'cacert = "{edge.away}/ca.pem"\nresolve = "{MTLS_NAME}:{edge.proxy.port}:127.0.0.1"\nfail\n'
    (edge.away / ".curlrc").write_text(settings)
    (script,) = re.findall(r"^```sh\n(token=.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-euc",
        script,
        cwd=edge.away,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "CURL_HOME": str(edge.away), "MTLS": edge.proxy.mtls_url},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["deliveries"] == []


async def renew(
    edge: Edge, client: str, following: Identity, overlap: timedelta, compromised: bool = False
) -> None:
    parts, at = edge.house.parts, edge.house.clock()
    officers = TwoOfficers("Winifred Stave", "Desmond Quill")
    asked = Renewal(client, (pin_entry(following.pem, at),), overlap, compromised, officers)
    occasion = Occasion(at, Supply(os.urandom(32)))
    await parts.store.transact(lambda tx: renew_certificates(tx, parts, occasion, asked))
    edge.house.clock.move_by(seconds=31)  # what other processes remember of a client
