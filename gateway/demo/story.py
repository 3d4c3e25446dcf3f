"""The demonstration incident, step by step, through the real doors.

Each step says in plain words what happened and is checked: the demonstration succeeds only if every step and every receipt
verified. What partners do goes over HTTPS with OAuth and by e-mail over STARTTLS; what an officer does goes through the
command line, as a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.agency.client import AgencyClient, AgencyProblem
from gateway.demo import invented
from gateway.demo.partners import OwnMailServer, School, WebhookReceiver, letter_reference, post_mail
from gateway.demo.partnership import BUSINESS_UNIT, COUNCIL, HOSPITALS, ICB, POLICE
from gateway.demo.stage import Stage
from gateway.serving import Gateway
from gateway.store.serving_lock import turn

PATIENCE_SECONDS = 30
LEFT = ("policy.json", "evidence.zip", "evidence-erased.zip")
OFFICER, SECOND_OFFICER = "Winifred Stave", "Caspian Reed"


class StepFailed(Exception):
    """Something was not as it should be: says what."""


@dataclass(slots=True)
class Step:
    step: str
    ok: bool
    receipt: str | None = None


@dataclass(slots=True)
class Cast:
    """Who takes part: the gateway, the partners' software, the schools, the officer's command line."""

    gateway: Gateway
    stage: Stage
    clients: dict[str, AgencyClient]
    schools: dict[str, School]
    webhook: WebhookReceiver
    mail_server: OwnMailServer
    own_mail_port: int
    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    incident: str = ""
    referral: str = ""

    def done(self, words: str, receipt: str | None = None) -> None:
        step = Step(words, True, receipt)
        self.steps.append(step)
        self.tell(step)

    @property
    def now(self) -> datetime:
        return self.stage.clock()

    async def command(self, *arguments: str) -> Any:
        """Run one `gateway` command against this deployment, as an officer would; its JSON."""
        status, out, err = await self.attempt(*arguments)
        if status != 0:
            raise StepFailed(f"gateway {arguments[0]} {arguments[1]}: exit {status}: {err.strip()}")
        return json.loads(out)

    async def attempt(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *arguments,
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "GATEWAY_SETTINGS_FILE": str(self.stage.settings_file)},
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


async def play(cast: Cast) -> None:
    """The whole story; StepFailed at the first thing that is not as it should be."""
    for act in (
        notify,
        collect,
        decide,
        write_to_schools,
        submit_record,
        ask_for_information,
        miss_a_deadline,
        prove_and_erase,
    ):
        await act(cast)


async def notify(cast: Cast) -> None:
    """A police system notifies; a repeat is harmless, other content under the same reference is refused."""
    police = cast.clients[POLICE]
    document = invented.referral(cast.now, "NP-2026-118204")
    answer = await police.submit(document)
    cast.incident, cast.referral = answer["incident"], answer["id"]
    receipt = answer["receipt"]["id"]
    cast.done(
        f"Northshire Police notified a potential serious incident over OAuth and HTTPS: incident {cast.incident} opened, "
        f"{len(answer['duties'])} duties follow, receipt signed",
        receipt,
    )
    again = await police.submit(document)
    _must(again["receipt"]["jws"] == answer["receipt"]["jws"], "a repeat must get the same receipt")
    cast.done("The same notification again got the very same receipt: nothing was doubled", receipt)
    document["body"]["incident"]["description"] += " Changed."
    try:
        await police.submit(document)
        raise StepFailed("other content under the same reference was taken")
    except AgencyProblem as problem:
        _must(problem.status == 422, "other content under the same reference must be refused with 422")
    cast.done("Other content under the same reference was refused (422)")
    triage = [duty for duty in answer["duties"] if duty["expects"] == "triage-decision"]
    _must(len(triage) == 3, "three partners must owe a triage decision")
    cast.done(
        f"The three safeguarding partners owe a decision by {_when(triage[0]['due_at'])} (one working day)"
    )


async def collect(cast: Cast) -> None:
    """One partner collects from its inbox, one is told by webhook; people acknowledge."""
    council, icb, unit = cast.clients[COUNCIL], cast.clients[ICB], cast.clients[BUSINESS_UNIT]
    delivery = await _waiting(council, "referral")
    await council.fetch(delivery)
    said = await council.acknowledge(delivery, "person", "dsp-la", "Philippa Marlowe")
    cast.done("The council collected it from its inbox and a person acknowledged", said["receipt"]["id"])
    told = await asyncio.wait_for(cast.webhook.told.get(), PATIENCE_SECONDS)
    await icb.fetch(told)
    cast.done("The ICB's system was told by a signed webhook (ids only) and fetched it with its own token")
    delivery = await _waiting(unit, "referral")
    said = await unit.acknowledge(delivery, "person", "sbu", "Winifred Stave")
    cast.done(
        "The business unit has its copy; a person there acknowledged, which meets that duty",
        said["receipt"]["id"],
    )


async def decide(cast: Cast) -> None:
    """Two partners decide by their systems; the third's decision is recorded from a telephone call."""
    seats = (
        (COUNCIL, "dsp-la", ("Philippa Marlowe", "Director of Children's Services")),
        (POLICE, "dsp-police", ("Alasdair Holt", "Chief Superintendent")),
    )
    for agency, seat, person in seats:
        cast.stage.clock.move_to(cast.now + timedelta(minutes=40))
        document = invented.decision(cast.now, f"DECISION-{seat}", cast.incident, cast.referral, seat, person)
        answer = await cast.clients[agency].submit(document)
        cast.done(f"{person[0]} ({seat}) decided: notify, and a rapid review", answer["receipt"]["id"])
    state = await cast.command("duties", "list", "--incident", cast.incident)
    words = json.dumps(state)
    _must("2 of 3 have decided, ICB missing" in words, "the duties must say that the ICB is missing")
    cast.done("The duties show: 2 of 3 have decided, ICB missing")
    duty = await _duty(cast, "triage-decision", ICB)
    await cast.command(
        "duties",
        "complete",
        duty["id"],
        "--outcome",
        "sin-and-rapid-review",
        "--criteria-met",
        "yes",
        "--decided-by",
        "Henrietta Sorley",
        "--post",
        "Director of Nursing",
        "--reasons",
        "Told by telephone: the criteria are met.",
        "--officer",
        OFFICER,
    )
    incident = await cast.clients[COUNCIL].incident(cast.incident)
    outcome = incident["outcome"] or {}
    _must(outcome.get("outcome") == "sin-and-rapid-review", "the outcome must follow from the three")
    cast.done(
        "The ICB's decision was recorded from a telephone call; the outcome followed, once: notify and review"
    )


async def write_to_schools(cast: Cast) -> None:
    """The letters wait for a person; one school answers clearly, the other in a way that a person must read."""
    held = await cast.command("held", "list")
    letters = [hold for hold in held["holds"] if "awaits-release" in hold["reasons"]]
    _must(len(letters) == 2, "one letter for each child and school must wait for release")
    for hold in letters:
        await cast.command("held", "release", hold["id"], "--officer", OFFICER)
    cast.done("Two letters to schools, one for each child, were released by a person")
    primary, secondary = cast.schools["harbour-view.example"], cast.schools["cliffside.example"]
    first = await asyncio.wait_for(primary.next_letter(), PATIENCE_SECONDS)
    second = await asyncio.wait_for(secondary.next_letter(), PATIENCE_SECONDS)
    _must("Testington" not in str(first["Subject"]), "no name may stand in a subject")
    cast.done(
        f"Each school's mail server took its letter over STARTTLS (reference {letter_reference(first)})"
    )
    cast.stage.clock.move_to(cast.now + timedelta(hours=1))
    clear = (
        "a. Dates on roll (from and to): 03/09/2025 - present\n"
        "b. Previous school (if applicable): not applicable\n"
        "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child? Yes\n"
    )
    unclear = "He joined us in September. No - but please ring me, there was something last year.\n"
    await reply(cast, primary, first, "dsl@harbour-view.example", clear)
    await reply(cast, secondary, second, "dsl@cliffside.example", unclear)
    confirmation = await _message_of(cast, COUNCIL, "dsl-confirmation")
    cast.done(
        "Harbour View's e-mail answered the three questions: recorded as its confirmation", confirmation
    )
    hold = await held_mail(cast)
    cast.done("Cliffside's e-mail was unclear: held for an officer, nothing was guessed")
    await cast.command(
        "held",
        "answer",
        hold,
        "--officer",
        OFFICER,
        "--roll-from",
        "2025-09",
        "--roll-to",
        "present",
        "--previous-school",
        "not_applicable",
        "--records-held",
        "yes",
    )
    cast.done("The officer rang the school, and recorded what it answered through the command line")


async def submit_record(cast: Cast) -> None:
    """The council notifies the national panel itself and records that here: two clocks start."""
    cast.stage.clock.move_to(_next_day(cast.now, hour=10))
    document = invented.message(
        "sin-record",
        cast.now,
        "STC-SIN-0093",
        cast.incident,
        in_reply_to=cast.referral,
        submitted_at=invented.text(cast.now),
    )
    for evidence in document["body"]["recipients"]:
        evidence["told_at"] = invented.text(cast.now)
    answer = await cast.clients[COUNCIL].submit(document)
    due = {duty["clock"]: duty["due_on"] for duty in answer["duties"]}
    _must({"K15", "K17"} <= set(due), "the meeting and the review must have their clocks")
    cast.done(
        f"The council recorded its national notification: meeting on {due['K15']} (8th working day), review to the panel "
        f"by {due['K17']} (15 working days)",
        answer["receipt"]["id"],
    )


async def ask_for_information(cast: Cast) -> None:
    """Information requests to every involved agency; two returns, one of them "no involvement"."""
    asked = [POLICE, ICB, HOSPITALS]
    document = invented.message(
        "information-request", cast.now, "SBU-RR-0058-1", cast.incident, agencies=asked
    )
    answer = await cast.clients[BUSINESS_UNIT].submit(document)
    _must(len(answer["duties"]) == len(asked), "every agency asked must owe a return")
    cast.done(
        f"The business unit asked {len(asked)} agencies; each owes a return by {_when(answer['duties'][0]['due_at'])}",
        answer["receipt"]["id"],
    )
    cast.stage.clock.move_to(_next_day(cast.now, hour=11))
    full = invented.message(
        "information-return", cast.now, "NSH-SG-2026-0772", cast.incident, in_reply_to=answer["id"]
    )
    receipt = (await cast.clients[HOSPITALS].submit(full))["receipt"]["id"]
    cast.done("Northshire Hospitals returned what it knows", receipt)
    nil = invented.message(
        "information-return",
        cast.now,
        "NP-RETURN-1",
        cast.incident,
        in_reply_to=answer["id"],
        kind="nil",
        involvement=None,
        actions=None,
        learning=None,
        no_involvement="No trace of the child, parents or address before this incident.",
    )
    receipt = (await cast.clients[POLICE].submit(nil))["receipt"]["id"]
    cast.done('Northshire Police returned "no involvement" before this incident: a full answer', receipt)


async def miss_a_deadline(cast: Cast) -> None:
    """The ICB stays silent: reminder, escalation, and a signed statement that nothing had come."""
    duty = await _duty(cast, "information-return", ICB)
    due_at = datetime.fromisoformat(duty["due_at"])
    cast.stage.clock.move_to(due_at - timedelta(hours=1))
    await _chased(cast, {"reminder"})
    cast.done("One hour before the due instant the ICB has been reminded")
    cast.stage.clock.move_to(due_at + timedelta(minutes=2))
    await _until(lambda: _is_missed(cast, duty["id"]), "the missed duty must be stated")
    await _chased(cast, {"escalation"})
    cast.done(f"Nothing had reached the gateway by {_when(duty['due_at'])}: stated, signed, and escalated")


async def prove_and_erase(cast: Cast) -> None:
    """Evidence before and after erasure, verified offline by the same stand-alone verifier."""
    policy, before, after = (cast.stage.folder / name for name in LEFT)
    await cast.command("evidence", "policy", "--out", str(policy))
    await cast.command("evidence", "export", cast.incident, "--out", str(before), "--officer", OFFICER)
    verdict = await cast.command("evidence", "verify", str(before), "--policy", str(policy))
    _must(verdict["verdict"] == "VALID" and verdict["content"] == "matches", f"evidence: {verdict}")
    cast.done(f"The evidence verified offline: {verdict['receipts']} receipts valid, content matches")
    await cast.command(
        "erase",
        cast.incident,
        "--reason",
        "demonstration-ended",
        "--officer",
        OFFICER,
        "--second-officer",
        SECOND_OFFICER,
    )
    await cast.command("evidence", "export", cast.incident, "--out", str(after), "--officer", OFFICER)
    verdict = await cast.command("evidence", "verify", str(after), "--policy", str(policy))
    _must(verdict["verdict"] == "VALID" and verdict["content"] == "erased", f"after erasure: {verdict}")
    cast.done(f"The incident was erased; {verdict['receipts']} receipts still verify, content: erased")
    _leave_evidence(cast.stage.folder)
    figures = await cast.command("reconcile")
    _must(figures["unexplained"] == 0, f"reconcile: {figures}")
    cast.done("Everything that was ever accepted is accounted for: nothing unexplained")


def _leave_evidence(folder: Path) -> None:
    """The three that belong together go where everybody looks, in one turn: another demonstration may end beside this one."""
    with turn(folder.parent):
        for name in LEFT:
            (folder / name).replace(folder.parent / name)


async def reply(cast: Cast, school: School, letter: Any, writer: str, words: str) -> None:
    """The school's server sends to ours over STARTTLS; ours checks DKIM and hands it to the gateway."""
    raw = school.reply(letter, writer, words)
    recipient = str(letter["Reply-To"]).strip("<>")
    await post_mail(raw, writer, recipient, cast.own_mail_port, cast.stage.certificates.client())


async def _waiting(client: AgencyClient, message_type: str) -> str:
    """The delivery of a message type in an agency's inbox, waiting for it by long poll."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        for item in await client.inbox(wait_seconds=5):
            if item["type"] == message_type:
                return str(item["id"])
    raise StepFailed(f"no {message_type} came into the inbox")


async def _duty(cast: Cast, expects: str, agency: str) -> dict[str, Any]:
    duties = (await cast.clients[agency].duties())["owed_by_me"]
    found = [d for d in duties if d["expects"] == expects and d["incident"] == cast.incident]
    if not found:
        raise StepFailed(f"{agency} owes no {expects}")
    return found[0]


async def _message_of(cast: Cast, agency: str, message_type: str) -> str:
    delivery = await _waiting(cast.clients[agency], message_type)
    return str((await cast.clients[agency].fetch(delivery))["receipt"]["id"])


async def held_mail(cast: Cast) -> str:
    found: list[str] = []

    async def look() -> bool:
        held = await cast.command("held", "list")
        found.extend(h["id"] for h in held["holds"] if h["subject_kind"] == "mail")
        return bool(found)

    await _until(look, "the unclear reply must be held")
    return found[0]


async def _chased(cast: Cast, wanted: set[str]) -> None:
    """A chase has come into the ICB's inbox."""
    stages = {"reminder": {"half-way", "day-before"}, "escalation": {"due"}}
    icb = cast.clients[ICB]

    async def look() -> bool:
        seen: set[str] = set()
        for item in await icb.inbox():
            if item["type"] == "chase":
                seen.add((await icb.fetch(item["id"]))["content"]["body"]["stage"])
        return all(stages[word] & seen for word in wanted)

    await _until(look, f"a chase must reach the ICB: {', '.join(sorted(wanted))}")


async def _is_missed(cast: Cast, duty: str) -> bool:
    duties = (await cast.clients[ICB].duties())["owed_by_me"]
    return any(d["id"] == duty and d["state"] == "missed" for d in duties)


async def _until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not await is_so():
        if asyncio.get_running_loop().time() > deadline:
            raise StepFailed(what)
        await asyncio.sleep(0.2)


def _must(is_so: bool, what: str) -> None:
    if not is_so:
        raise StepFailed(what)


def _next_day(at: datetime, hour: int) -> datetime:
    """The next weekday at an hour (UTC)."""
    day = at + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day.astimezone(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)


def _when(instant: str) -> str:
    at = datetime.fromisoformat(instant)
    return f"{at:%A} {at.day} {at:%B %Y}, {at:%H:%M} UTC"
