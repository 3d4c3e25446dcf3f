"""Officers' sign-in at their organisation's provider: panva's oidc-provider, really running, and tokens that it would never make."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientSession, CookieJar
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from gateway.actions.change_officer import NewOfficer, add_officer
from gateway.actions.prove import Occasion
from gateway.actions.settle import settle
from gateway.console.door import Console
from gateway.console.sign_in_oidc import _officer
from gateway.console.sign_in_provider import Person, SignInFailed, person_of, verified
from gateway.core.permissions import OfficerRole
from gateway.parts import Supply
from gateway.settings import Settings
from gateway.store import officers
from tests.edges.console_person import Browser, Page, browser
from tests.edges.test_oauth_third_parties import NPM, node
from tests.gateway_house import House, RealTime, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT, SECRET = "gateway-console", "a secret of the test, long enough"
CALLBACK = "/console/sign-in/callback"


class Idp:
    """The provider's process, and a browser's way through its pages."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.issuer = ""

    async def start(self, base_url: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            node(),
            str(NPM / "identity_provider.mjs"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", "")},
        )
        order = {"redirectUri": base_url + CALLBACK, "leaveUri": base_url + "/console/sign-in"}
        told = await self.tell(**order, clientId=CLIENT, clientSecret=SECRET)
        self.issuer = told["issuer"]

    async def tell(self, **words: Any) -> dict[str, Any]:
        """Say one thing to the process and hear its answer."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        async with asyncio.timeout(30):
            answer: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return answer

    async def account(self, sub: str, name: str = "", **more: Any) -> None:
        """Who signs in from now on."""
        claims = {"name": name or sub, "groups": more.pop("groups", [])}
        await self.tell(sub=sub, claims=claims, **{"acr": "mfa", "amr": ["pwd", "otp"], **more})

    async def answer(self, address: str) -> str:
        """Where the provider sends the browser back to: path and query."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            for _ in range(5):
                async with session.get(address, allow_redirects=False) as step:
                    assert step.status in (302, 303), await step.text()
                    address = step.headers["location"]
                if CALLBACK in address:
                    return urlsplit(address).path + "?" + urlsplit(address).query
                if address.startswith("/"):
                    address = self.issuer + address
        raise AssertionError("the provider never sent the browser back")

    async def stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            await asyncio.wait_for(self.process.wait(), 20)


@dataclass
class World:
    house: House
    idp: Idp

    async def add(self, name: str, *roles: OfficerRole) -> None:
        asked = NewOfficer(
            name, frozenset(roles), "Test", "Other", subject=f"{self.idp.issuer} {name.split()[0].lower()}"
        )
        await settle(self.house.parts, add_officer, asked)

    @asynccontextmanager
    async def person(self) -> AsyncIterator[Browser]:
        async with browser(self.house) as person:
            yield person

    async def asked(self, person: Browser) -> str:
        """The provider's address to which the console sends this browser."""
        page = await person.get("/console/sign-in/oidc")
        assert page.status == 303, page.words
        return str(page.headers["location"])

    async def sign_in(self, person: Browser) -> Page:
        return await person.get(await self.idp.answer(await self.asked(person)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Roles come from the list here; the provider's own test asks for its groups."""
    folder, idp = tmp_path_factory.mktemp("oidc"), Idp()
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"https://127.0.0.1:{listener.getsockname()[1]}"
    await idp.start(base)
    secret = folder / "oidc-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    settings = {
        "public_url": base,
        "oidc_issuer": idp.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret_file": secret,
        "oidc_required_acr": ("mfa",),
        "oidc_required_amr": ("otp",),
    }
    try:
        async with gateway_house(folder, clock=RealTime(), listener=listener, **settings) as house:
            yield World(house, idp)
    finally:
        await idp.stop()


async def test_an_officer_signs_in_at_the_provider_and_out_of_it(world: World) -> None:
    await world.add("Ines Gate", OfficerRole.OFFICER)
    await world.idp.account("ines")
    async with world.person() as person:
        page = await world.sign_in(person)
        assert (page.status, "You are signed in" in page.words) == (200, True)
        assert 'content="0; url=/console/"' in page.text
        cookies = {cookie.key: cookie for cookie in person.session.cookie_jar}
        assert cookies["__Host-console"]["samesite"] == "strict"
        assert "__Host-console-try" not in {key for key, cookie in cookies.items() if cookie.value}
        assert "Ines Gate" in (await person.get("/console/account")).words
        assert "Your organisation's sign-in" in (await person.get("/console/account")).words
        out = await person.send("/console/sign-out")
        page = await person.get(out.headers["location"])
        (leave,) = re.findall(r'href="(http[^"]+)"', page.text)
        assert leave.startswith(f"{world.idp.issuer}/session/end?client_id={CLIENT}")
        async with ClientSession() as session, session.get(leave.replace("&amp;", "&")) as answer:
            assert answer.status == 200, "the provider takes our way back"


async def test_the_browser_is_sent_with_pkce_state_and_nonce_and_our_exact_address(world: World) -> None:
    """OpenID Connect Core 3.1.2.1, RFC 7636, RFC 9700 section 2.1."""
    async with world.person() as one, world.person() as other:
        asked, again = [
            {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
            for address in (await world.asked(one), await world.asked(other))
        ]
    assert asked["redirect_uri"] == world.house.base_url + CALLBACK
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["acr_values"] == "mfa"
    fresh = {asked["state"], asked["nonce"], asked["code_challenge"]}
    assert len(fresh) == 3
    assert not fresh & {again["state"], again["nonce"], again["code_challenge"]}


async def test_an_answer_is_taken_once_in_the_browser_that_asked_with_its_state_and_from_its_issuer(
    world: World,
) -> None:
    """Replayed code, missing and foreign state, a mix-up of issuers (RFC 9207), another browser (login CSRF)."""
    await world.add("Remy Play", OfficerRole.OFFICER)
    await world.idp.account("remy")
    async with world.person() as person, world.person() as other:
        answer = await world.idp.answer(await world.asked(person))
        said = {name: value for name, (value,) in parse_qs(urlsplit(answer).query).items()}
        assert said["iss"] == world.idp.issuer

        async def brings(who: Browser, **changes: str | None) -> int:
            words = {name: value for name, value in (said | changes).items() if value is not None}
            return (await who.get(f"{CALLBACK}?{urlencode(words)}")).status

        assert await brings(other) == 403, "another browser"
        assert (await person.get(answer)).status == 200
        assert await brings(person) == 403, "the same answer again"
    for changes in (
        {"state": None},
        {"state": "x"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"code": None},
        {"error": "access_denied"},
    ):
        async with world.person() as person:
            answer = await world.idp.answer(await world.asked(person))
            said = {name: value for name, (value,) in parse_qs(urlsplit(answer).query).items()}
            assert await brings(person, **changes) == 403, changes
            assert (await person.get("/console/")).status == 303
            assert await brings(person) == 403, "what failed once cannot be mended"


async def test_a_code_that_was_used_is_refused_by_the_provider_and_here(world: World) -> None:
    await world.idp.account("remy")
    async with world.person() as person:
        answer = await world.idp.answer(await world.asked(person))
        assert (await person.get(answer)).status in (200, 403)
        code = parse_qs(urlsplit(answer).query)["code"][0]
        state = parse_qs(urlsplit(await world.asked(person)).query)["state"][0]
        replayed = urlencode({"code": code, "state": state, "iss": world.idp.issuer})
        assert (await person.get(f"{CALLBACK}?{replayed}")).status == 403


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({"sub": "nobody-here"}, "you are no officer here"),
        ({"sub": "otto", "acr": "password"}, "second factor"),
        ({"sub": "otto", "amr": ["pwd"]}, "second factor"),
        ({"sub": "otto", "refuses": True}, "did not let you in"),
        ({"sub": "sue"}, "does not let you in"),
    ],
)
async def test_who_is_no_officer_or_signed_in_too_weakly_or_is_suspended_stays_out(
    world: World, account: dict[str, Any], told: str
) -> None:
    for name in ("Otto Fficer", "Sue Spended"):
        if await world.house.parts.store.read(lambda tx, n=name: officers.find(tx, n)) is None:  # type: ignore[misc]
            await world.add(name, OfficerRole.OFFICER)
    await world.house.parts.store.transact(lambda tx: officers.change(tx, "Sue Spended", state="suspended"))
    await world.idp.account(**account)
    async with world.person() as person:
        page = await world.sign_in(person)
        assert (page.status, told in page.words) == (403, True), page.words
        assert (await person.get("/console/")).status == 303


async def test_groups_at_the_provider_make_officers_and_take_their_roles_away_again(world: World) -> None:
    """Nobody is given another's name; who has no group of ours any more is out; who was suspended here stays out."""
    parts = world.house.parts
    console, occasion = Console(parts), Occasion(world.house.clock(), Supply(b"seed"))
    unit, nothing = frozenset({OfficerRole.OFFICER}), frozenset[OfficerRole]()

    async def comes(subject: str, name: str, roles: frozenset[OfficerRole] | None) -> str:
        row, why = await parts.store.transact(
            lambda tx: _officer(tx, console, Person(subject, name, roles), occasion)
        )
        return why or ("in" if row is not None and row.is_active else "out")

    assert await comes("i gina", "Gina Roup", nothing) == "no-officer"
    assert await comes("i gina", "Gina Roup", unit) == "in"
    assert await comes("i other", "gina  roup", unit) == "name-taken"
    assert await comes("i nameless", "", unit) == "name-taken"
    assert await comes("i gina", "Gina Roup", nothing) == "out"
    assert await comes("i gina", "Gina Roup", unit) == "in"
    await parts.store.transact(lambda tx: officers.change(tx, "Gina Roup", state="suspended"))
    assert await comes("i gina", "Gina Roup", unit) == "out"


# --- what a provider of ours would never say


KEY = ECKey.generate_key("P-256", {"kid": "k"}, private=True)
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
ISSUER = "https://login.council.example"
SETTINGS = Settings(
    oidc_issuer=ISSUER,
    oidc_client_id=CLIENT,
    oidc_roles_claim="groups",
    oidc_roles=("sg-unit=officer", "sg-lead=manager", "sg-lead=king"),
)
CLAIMS = {
    "iss": ISSUER,
    "sub": "w.stave",
    "aud": CLIENT,
    "exp": int((NOW + timedelta(minutes=5)).timestamp()),
    "iat": int(NOW.timestamp()),
    "nonce": "n",
    "name": "Winifred  Stave",
    "groups": ["sg-unit", "choir"],
}


def opened(changes: dict[str, Any], key: Any = KEY, alg: str = "ES256") -> Any:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    token = jwt.encode({"alg": alg, "kid": "k"}, claims, key, algorithms=[alg])
    published = KeySet.import_key_set({"keys": [KEY.as_dict(private=False)]})
    return person_of(SETTINGS, verified(token, published), "n", "access", NOW)


async def test_a_token_says_who_it_is_and_which_roles_the_groups_give() -> None:
    person = opened({})
    assert (person.subject, person.name) == (f"{ISSUER} w.stave", "Winifred Stave")
    assert person.roles == {OfficerRole.OFFICER}
    assert opened({"groups": ["choir"]}).roles == frozenset()
    assert opened({"groups": "sg-unit"}).roles == {OfficerRole.OFFICER}
    assert opened({"groups": None}).roles == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://elsewhere.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another-client"},
        {"exp": int((NOW - timedelta(seconds=61)).timestamp())},
        {"exp": None},
        {"iat": int((NOW + timedelta(hours=1)).timestamp())},
        {"iat": None},
        {"sub": None},
        {"at_hash": "x"},
        {"amr": "mfa"},
    ],
)
async def test_a_token_of_another_issuer_client_time_or_sign_in_is_refused(changes: dict[str, Any]) -> None:
    """OpenID Connect Core 3.1.3.7."""
    with pytest.raises(SignInFailed):
        opened(changes)


async def test_a_token_that_no_published_key_signed_is_refused() -> None:
    for key, alg in (
        (ECKey.generate_key("P-256", private=True), "ES256"),
        (OctKey.import_key(json.dumps(KEY.as_dict(private=False)).encode()), "HS256"),
    ):
        with pytest.raises(SignInFailed, match="not-genuine"):
            opened({}, key, alg)
    body = jwt.encode({"alg": "ES256", "kid": "k"}, CLAIMS, KEY, algorithms=["ES256"]).split(".")
    published = KeySet.import_key_set({"keys": [KEY.as_dict(private=False)]})
    for token in ("eyJhbGciOiJub25lIn0." + body[1] + ".", ".".join([*body[:2], ""]), "x", ""):
        with pytest.raises(SignInFailed, match="not-genuine"):
            verified(token, published)
