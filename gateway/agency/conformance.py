"""The contract test that a partner runs against the sandbox: everything that an agency's software must live with, one check each.

It sends invented examples only, and only into the sandbox; of the inbox it answers nothing but what follows from its own
messages. A check that cannot be tried because an earlier one failed says so. Source: contract sections 3 and 4.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.agency.client import FORM, AgencyClient, AgencyProblem, Plain
from gateway.agency.receiving import ReceiptFalse, check_acceptance
from gateway.core.sandbox import SANDBOX
from schemas import TYPES, example_path

# Two are the gateway's own; a confirmation answers a letter, and here nobody was written to.
NOT_SENT = frozenset({"dsl-letter", "chase", "dsl-confirmation"})
PEERS = {  # the examples' agencies, as the sandbox has them
    "northshire-police": "sandbox-police",
    "northshire-icb": "sandbox-icb",
    "northshire-hospitals": "sandbox-hospitals",
    "south-tyneside-council": "sandbox-council",
    "south-tyneside-sbu": "sandbox-unit",
    "harbour-view-primary": "sandbox-school",
    "cliffside-secondary": "sandbox-school",
}
SEALED_WITHIN_SECONDS = 15.0
ASK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check ended. `advice` says what to do about it, or what to know."""

    check: str
    ok: bool
    advice: str


class NotMet(Exception):
    """A check failed; the words say what to do."""


@dataclass(slots=True)
class Run:
    """One run of the whole test, and what earlier checks found. `notices` are the genuine notices of the partner's webhook."""

    client: AgencyClient
    clock: Callable[[], datetime]
    patience_seconds: float
    notices: asyncio.Queue[str] | None = None
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    token: str = ""
    sent: bytes = b""
    answer: dict[str, Any] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def example(self, slug: str) -> dict[str, Any]:
        """The published example as this run's own message, following the run's referral when there is one."""
        text = example_path(slug).read_text("utf-8")
        for name, peer in PEERS.items():
            text = text.replace(f'"{name}"', f'"{peer}"')
        document: dict[str, Any] = json.loads(text)
        now = self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        document |= {"partnership": SANDBOX, "created_at": now, "attachments": []}
        document |= {"reference": f"CONFORMANCE-{self.mark}-{slug}", "incident": self.answer.get("incident")}
        document["in_reply_to"] = document["in_reply_to"] and self.answer.get("id")
        if slug == "correction":
            document["body"]["message"] = self.answer.get("id")
        return document

    def referral(self) -> dict[str, Any]:
        if not self.answer:
            raise NotMet("not tried: it needs the referral to be taken")
        return self.answer


Check = Callable[[Run], Awaitable[str]]


async def conformance(run: Run) -> list[Finding]:
    """Every check in order; Unreachable when nothing answers."""
    checks: list[tuple[str, Check]] = [
        ("the metadata name this address", metadata),
        ("a token, bound to a key of yours", token),
        ("an assertion works once", assertion_once),
        ("a call without a proof is refused", no_proof),
        ("a proof works once", proof_once),
        ("the directory can be read", directory),
        ("send referral", referral),
        ("the receipt holds by the published keys, offline", receipt_offline),
        ("the receipt is sealed into the log", sealed),
        ("a repeat has the same receipt", repeat),
        ("other content under the same reference is refused", other_content),
        ("a refusal is a problem document", problem_document),
        *((f"send {slug}", _sender(slug)) for slug in sorted(TYPES) if slug not in {"referral", *NOT_SENT}),
        ("the inbox tells of what comes (long poll)", inbox),
        ("a delivery holds what the receipt says", fetch),
        ("a person acknowledges", acknowledge),
        ("an agency declines", decline),
    ]
    if run.notices is not None:
        checks.append(("a webhook notice is signed with your secret", webhook))
    return [await _found(name, check, run) for name, check in checks]


async def _found(name: str, check: Check, run: Run) -> Finding:
    try:
        return Finding(name, True, await check(run))
    except NotMet as fault:
        return Finding(name, False, str(fault))
    except AgencyProblem as problem:
        where = "; ".join(f"{one.get('pointer')}: {one.get('code')}" for one in problem.errors)
        return Finding(name, False, f"refused with {problem}" + (f" ({where})" if where else ""))
    except ReceiptFalse as fault:
        return Finding(name, False, f"the receipt does not hold: {fault}")
    except (KeyError, TypeError, ValueError):
        return Finding(name, False, "the answer is not of its form: is a proxy between you and the gateway?")


# --- letting in ------------------------------------------------------------------------------------------------------


async def metadata(run: Run) -> str:
    said = (await run.client.once("GET", "/.well-known/oauth-authorization-server")).json()
    base = run.client.base_url
    _must(said.get("issuer") == base, "give --to as the gateway's public address, which is its issuer")
    _must(said.get("token_endpoint") == f"{base}/oauth2/token", "the token address is another host's")
    return ""


async def token(run: Run) -> str:
    try:
        run.token = await run.client.token()
    except AgencyProblem as problem:
        raise NotMet(
            f"{problem.code}: see the guide, section 2. Is the key the registered one, approved, and the clock right?"
        ) from None
    return ""


async def assertion_once(run: Run) -> str:
    _need_token(run)
    form = run.client.token_form()
    first, again = [await _ask_token(run, form) for _ in range(2)]
    _must(
        first.status == 200, "a second token was refused: is something between you and the gateway repeating?"
    )
    _must(
        again.json().get("error") == "invalid_client", "a used assertion was not refused: tell the operator"
    )
    return "make a new jti for every token request"


async def _ask_token(run: Run, form: bytes) -> Plain:
    headers = {"Content-Type": FORM, "DPoP": run.client.proof_of_key("POST", "/oauth2/token")}
    return await run.client.once("POST", "/oauth2/token", headers, form)


async def no_proof(run: Run) -> str:
    _need_token(run)
    answer = await run.client.once("GET", "/v1/duties", {"Authorization": f"DPoP {run.token}"})
    _is_problem(answer, 401, "not-authenticated")
    _must("DPoP" in answer.headers.get("WWW-Authenticate", ""), "the answer lacks WWW-Authenticate: DPoP")
    return ""


async def proof_once(run: Run) -> str:
    _need_token(run)
    proof = run.client.proof_of_key("GET", "/v1/duties", run.token)
    headers = {"Authorization": f"DPoP {run.token}", "DPoP": proof}
    first, again = [await run.client.once("GET", "/v1/duties", headers) for _ in range(2)]
    _must(first.status == 200, f"the first call was answered with {first.status}")
    _is_problem(again, 401, "proof-replayed")
    return "make a new proof for every request, repeats too"


async def directory(run: Run) -> str:
    _need_token(run)
    known = await run.client.directory(SANDBOX)
    _must(bool(known["agencies"]), "the sandbox's directory is empty: ask the operator to enrol you in it")
    return ""


# --- sending ---------------------------------------------------------------------------------------------------------


async def referral(run: Run) -> str:
    _need_token(run)
    run.sent = json.dumps(run.example("referral")).encode()
    run.answer = await run.client.submit(run.sent)
    return f"taken as {run.answer['id']}, incident {run.answer['incident']}"


async def receipt_offline(run: Run) -> str:
    answer = run.referral()
    checked = await run.client.check(answer["receipt"])
    check_acceptance(checked, answer["id"], run.sent)
    try:
        check_acceptance(checked, answer["id"], run.sent + b" ")
    except ReceiptFalse:
        return "keep jws and disclosures for good"
    raise NotMet("the receipt fits other content too: tell the operator")


async def sealed(run: Run) -> str:
    proof = await run.client.proof(run.referral()["receipt"]["id"], SEALED_WITHIN_SECONDS)
    _must("tlog-proof" in proof, "this is no proof")
    return ""


async def repeat(run: Run) -> str:
    again = await run.client.submit(run.sent) if run.referral() else {}
    _must(
        again["receipt"]["jws"] == run.answer["receipt"]["jws"],
        "the repeat got another receipt: tell the operator",
    )
    return "if no answer came, send the same bytes again"


async def other_content(run: Run) -> str:
    run.referral()
    changed = json.loads(run.sent)
    changed["body"]["incident"]["description"] += " Changed."
    await _refused(run, changed, 422, "reference-reused")
    return "a correction is a new message with a new reference"


async def problem_document(run: Run) -> str:
    _need_token(run)
    canary = f"surplus_{run.mark}"
    answer = await _post(run, run.example("referral") | {"reference": f"X-{run.mark}", canary: canary})
    _is_problem(answer, 422, "invalid-message")
    _must(bool(answer.json().get("errors")), "no field is named")
    return "decide by code, and look at errors"


def _sender(slug: str) -> Check:
    async def send(run: Run) -> str:
        run.referral()
        try:
            answer = await run.client.submit(run.example(slug))
        except AgencyProblem as problem:
            if problem.code != "not-permitted":
                raise
            return "your client may not send it"
        return "held for an officer" if answer["decision"] == "hold" else ""

    return send


async def _refused(run: Run, document: dict[str, Any], status: int, code: str) -> None:
    _is_problem(await _post(run, document), status, code)


async def _post(run: Run, document: dict[str, Any]) -> Plain:
    headers = {
        "Authorization": f"DPoP {run.token}",
        "DPoP": run.client.proof_of_key("POST", "/v1/messages", run.token),
        "Content-Type": "application/json",
    }
    return await run.client.once("POST", "/v1/messages", headers, json.dumps(document).encode())


# --- collecting ------------------------------------------------------------------------------------------------------


async def inbox(run: Run) -> str:
    """Two deliveries about the run's own incident: one to acknowledge and one to decline."""
    incident = run.referral()["incident"]
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + run.patience_seconds
    while True:
        found = await run.client.inbox(ASK_SECONDS)
        run.waiting = [item for item in found if item["incident"] == incident]
        if len(run.waiting) > 1:
            return ""
        _must(
            loop.time() < give_up_at,
            "no peer answered: ask the operator whether the sandbox's peers are at work",
        )
        await asyncio.sleep(0.5 if found else 0)


async def fetch(run: Run) -> str:
    found = await run.client.fetch(_waiting(run, 0)["id"])
    checked = await run.client.check(found["receipt"])
    payload = base64.b64decode(found["payload"])
    check_acceptance(checked, found["message"], payload)
    _must(json.loads(payload) == found["content"], "payload and content differ")
    return ""


async def acknowledge(run: Run) -> str:
    item = _waiting(run, 0)
    said = await run.client.acknowledge(item["id"], "person", item["role"], "A. Tester")
    await run.client.check(said["receipt"])
    return "never say person for a program"


async def decline(run: Run) -> str:
    said = await run.client.decline(_waiting(run, 1)["id"], "A try: this is not for us.")
    await run.client.check(said["receipt"])
    return ""


async def webhook(run: Run) -> str:
    assert run.notices is not None
    try:
        await asyncio.wait_for(run.notices.get(), run.patience_seconds)
    except TimeoutError:
        raise NotMet(
            "no genuine notice came: is your address registered, does it lead here, is the secret the same?"
        ) from None
    return ""


def _waiting(run: Run, place: int) -> dict[str, Any]:
    if len(run.waiting) <= place:
        raise NotMet("not tried: it needs something in the inbox")
    return run.waiting[place]


def _need_token(run: Run) -> None:
    _must(bool(run.token), "not tried: it needs a token")


def _is_problem(answer: Plain, status: int, code: str) -> None:
    said = answer.json()
    _must(answer.status == status, f"the status should be {status}, not {answer.status}")
    _must(answer.media_type == "application/problem+json", "this is no problem document: a proxy answered")
    _must(said.get("code") == code, f"the code should be {code}")


def _must(is_so: bool, advice: str) -> None:
    if not is_so:
        raise NotMet(advice)
