"""Restricted incidents, opening one without being named, and unusual use: who is stopped, what is stated, who is told."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.actions.change_officer import (
    QuietAsked,
    Turn,
    TurnEnd,
    end_turn,
    put_on_call,
    set_quiet_hours,
)
from gateway.actions.export import Export, export
from gateway.actions.find_incidents_of_child import ChildSought, find_incidents_of_child
from gateway.actions.link_incidents import Linking, Word, link_incidents
from gateway.actions.need_to_know import Restricted
from gateway.actions.override_restriction import Override, override_restriction
from gateway.actions.prove import Occasion
from gateway.actions.reconcile import reconcile
from gateway.actions.record_breach import Breach, BreachKind, record_breach
from gateway.actions.restrict_incident import (
    Admission,
    Lifting,
    Restriction,
    admit_officer,
    lift_restriction,
    restrict_incident,
)
from gateway.actions.second_officer import Answering, Asking, answer_asking, ask_second
from gateway.actions.tell_managers import recipient_of
from gateway.actions.view import Viewing, view
from gateway.actions.warn_unit import warn_unit
from gateway.console.routes import GET, ROUTES
from gateway.core.alerts import QuietHours
from gateway.core.errors import Refused
from gateway.core.identity import Identity
from gateway.core.messages import AgencyId, IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.permissions import OfficerRole
from gateway.core.spoken_words import role
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import brief_units, chase_due, seal_waiting
from gateway.parts import Parts, Supply
from gateway.store import duties, holds, log, messages, officers, proposals
from gateway.store.transaction import Tx
from tests.actions.scene import deliveries_of, duty_of, refer, waiting
from tests.command_line import attempt
from tests.edges.console_person import signed_in
from tests.edges.mail_catcher import Catcher, mail_catcher, text_of
from tests.gateway_house import House, gateway_house
from tests.partner_agency import Notice, WebhookServer, webhook_server

NAMED, OTHER, THIRD = "Winifred Stave", "Desmond Quill", "Clara Reed"
REASON = "police-investigation"
MANAGER = "mona.ager@council.example"


@dataclass
class Unit:
    house: House
    mail: Catcher
    hook: WebhookServer

    async def incident(self) -> IncidentId:
        answer = await refer(self.house)
        return IncidentId(answer["incident"])

    async def restricted(self) -> IncidentId:
        incident = await self.incident()
        await self.do(restrict_incident, Restriction(incident, NAMED, REASON))
        return incident

    async def do(self, action: Any, asked: Any) -> Any:
        incident = getattr(asked, "incident", None)
        return await self.house.parts.perform(action, asked, SOUTH_TYNESIDE, incident)

    async def look(self, incident: IncidentId, officer: str) -> None:
        await self.do(view, Viewing(officer, SOUTH_TYNESIDE, incident))

    async def events(self, incident: IncidentId) -> list[str]:
        rows = await self.house.parts.store.read(
            lambda tx: log.entries_of_incident(tx, SOUTH_TYNESIDE, incident)
        )
        return [row.event for row in rows]


@pytest.fixture
async def unit(tmp_path: Path) -> AsyncIterator[Unit]:
    """One for each test: a clock only goes forward, and what one was told of is not told again.

    The day on which it begins has been told: a notice still under way would be too old once the clock has moved.
    """
    async with _furnished(tmp_path) as one:
        await brief_units(one.house.parts)
        await one.mail.next("What the day asks for")
        await told_by(one.hook, "officer.day")
        yield one


@asynccontextmanager
async def _furnished(folder: Path) -> AsyncIterator[Unit]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "hooks.pem")
    secret = folder / "hook-secret"
    secret.touch(mode=0o600)
    async with (
        mail_catcher(folder, authority) as mail,
        webhook_server(authority) as hook,
    ):
        secret.write_text(hook.secret + "\n")
        settings = mail.settings | {
            "alert_webhook_url": hook.url,
            "alert_webhook_secret_file": secret,
            "fetch_ca_file": folder / "hooks.pem",
            "alert_searches_per_day": 3,
            "alert_exports_per_day": 2,
        }
        async with gateway_house(folder, authority=authority, **settings) as house:
            hook.clock = house.clock
            await house.parts.store.transact(lambda tx: manager(tx, house, "Mona Ager", MANAGER))
            yield Unit(house, mail, hook)


def manager(tx: Tx, house: House, name: str, email: str) -> None:
    values = {
        "roles": ["manager"],
        "partnerships": [SOUTH_TYNESIDE],
        "email": email,
        "state": officers.ACTIVE,
        "source": officers.LIST,
        "added_at": house.clock(),
        "added_by": "test",
    }
    officers.add(tx, name, values)


async def test_a_restricted_incident_is_opened_linked_and_taken_out_by_named_officers_alone(
    unit: Unit,
) -> None:
    """Domain section 8: need to know. However the name is written."""
    incident, open_to_all = await unit.restricted(), await unit.incident()
    await unit.look(incident, "winifred  STAVE")
    await unit.look(open_to_all, OTHER)
    before = await unit.events(incident)
    for action, asked in (
        (view, Viewing(OTHER, SOUTH_TYNESIDE, incident)),
        (view, Viewing(OTHER, SOUTH_TYNESIDE, incident, "msg-x")),
        (export, Export(incident, OTHER)),
        (link_incidents, Linking(open_to_all, incident, OTHER, Word.SAME)),
        (admit_officer, Admission(incident, OTHER, OTHER)),
        (lift_restriction, Lifting(incident, TwoOfficers(OTHER, NAMED))),
    ):
        with pytest.raises(Restricted):
            await unit.do(action, asked)
    assert await unit.events(incident) == before
    assert "AccessRestricted" in before


async def test_a_named_officer_names_another_and_two_open_it_to_all_again(unit: Unit) -> None:
    incident = await unit.restricted()
    await unit.do(admit_officer, Admission(incident, NAMED, OTHER))
    await unit.look(incident, OTHER)
    with pytest.raises(Restricted):
        await unit.look(incident, THIRD)
    await unit.do(lift_restriction, Lifting(incident, TwoOfficers(OTHER, THIRD)))
    await unit.look(incident, THIRD)
    assert {"AccessGranted", "RestrictionLifted"} <= set(await unit.events(incident))
    with pytest.raises(Refused, match="conflicting-state"):
        await unit.do(override_restriction, Override(incident, THIRD, "child-at-risk-now"))


async def test_breaking_the_glass_lasts_for_hours_names_nobody_for_good_and_is_told_at_once(
    unit: Unit,
) -> None:
    incident, parts = await unit.restricted(), unit.house.parts
    with pytest.raises(Refused):
        await unit.do(override_restriction, Override(incident, OTHER, "Because Rupert said so"))
    await unit.do(override_restriction, Override(incident, OTHER, "child-at-risk-now", "Seen at the pier."))
    letter = await unit.mail.next("opened by an officer who is not named")
    text = text_of(letter)
    assert letter["To"] == MANAGER
    assert "child at risk now" in text
    assert f"{parts.settings.console_address}/console/incidents/{incident}" in text
    assert not [word for word in (OTHER, "pier") if word in letter.as_string()]
    await unit.look(incident, OTHER)
    with pytest.raises(Restricted):
        await unit.do(admit_officer, Admission(incident, OTHER, OTHER))
    await seal_waiting(parts)
    assert not (await reconcile(parts)).findings
    unit.house.clock.move_by(seconds=parts.settings.override_seconds)
    with pytest.raises(Restricted):
        await unit.look(incident, OTHER)
    assert "RestrictionOverridden" in await unit.events(incident)


async def test_the_managers_are_told_once_a_day_when_an_officer_searches_or_takes_out_more_than_usual(
    unit: Unit,
) -> None:
    """Domain section 8: audit of searches and exports."""
    incident = await unit.incident()
    sought = ChildSought(Identity(nhs_number="9990000123"), THIRD, "call-received")
    for _ in range(5):
        await unit.do(find_incidents_of_child, sought)
    await unit.mail.next("searched for children more often")
    for _ in range(3):
        await unit.do(export, Export(incident, THIRD))
    await unit.mail.next("evidence and registers")
    unit.house.clock.move_by(days=1)
    for _ in range(3):
        await unit.do(find_incidents_of_child, replace(sought, officer="clara reed"))
    await unit.mail.next("searched for children more often")
    assert not unit.mail.waiting("than is usual")


async def test_the_console_restricts_names_and_lets_in_for_a_reason(unit: Unit) -> None:
    incident, house = await unit.incident(), unit.house
    path = f"/console/incidents/{incident}"
    async with (
        signed_in(house, "Mara Anger", [OfficerRole.MANAGER]) as manager,
        signed_in(house, OTHER, [OfficerRole.OFFICER]) as officer,
        signed_in(house, "Audrey Tor", [OfficerRole.AUDITOR]) as auditor,
    ):
        await manager.get(f"{path}/access")
        assert (
            await manager.send(f"{path}/access/restrict", reason="media-interest", admitted="No Body")
        ).status == 400
        assert (
            await manager.send(f"{path}/access/restrict", reason="media-interest", admitted="")
        ).status == 303
        stopped = await officer.get(path)
        assert stopped.status == 403
        assert "This incident is restricted" in stopped.words
        assert "Open it and tell the managers" in stopped.words
        assert "Open it and tell the managers" not in (await auditor.get(path)).words
        await officer.get("/console/account")
        assert (await officer.send(f"{path}/override", reason="child-at-risk-now", words=" ")).status == 400
        taken = await officer.send(f"{path}/override", reason="child-at-risk-now", words="It is now.")
        assert taken.headers["location"] == path
        assert (await officer.get(path)).status == 200
        await unit.mail.next("opened by an officer who is not named")
        page = await manager.get("/console/access")
        assert f"{incident} {OTHER}" in page.words
        assert "A child may be at risk now" in page.words
        await manager.get(f"{path}/access")
        assert (await manager.send(f"{path}/access/admit", admitted="Audrey Tor")).status == 303
        assert (await auditor.get(path)).status == 200


async def test_what_takes_two_is_asked_by_one_officer_and_done_when_another_agrees_once(unit: Unit) -> None:
    incident, parts = await unit.incident(), unit.house.parts
    laid = await parts.store.read(lambda tx: duties.of_incident(tx, SOUTH_TYNESIDE, incident))
    duty = next(one for one in laid if one.expects == "triage-decision")  # the law's own is never waived
    said: dict[str, str] = {"duty": duty.id, "reason": "Told by telephone."}

    async def ask(act: str = "waive-duty", fields: dict[str, str] = said) -> str:
        asked = Asking(incident, act, fields, NAMED)
        return str(await parts.perform(ask_second, asked, SOUTH_TYNESIDE, incident))

    async def answer(proposal: str, officer: str, refuse: bool = False) -> None:
        asked = Answering(proposal, officer, refuse)
        await parts.perform(answer_asking, asked, SOUTH_TYNESIDE, incident)

    async def state() -> str:
        found = await parts.store.read(lambda tx: duties.find(tx, duty.id))
        assert found is not None
        return found.state.value

    for act, fields in (("waive-duty", {"duty": duty.id}), ("unheard-of", said)):
        with pytest.raises(Refused, match="malformed-request"):
            await ask(act, fields)
    first, second, third = await ask(), await ask(), await ask()
    with pytest.raises(Refused, match="not-permitted"):
        await answer(first, " winifred STAVE")
    await answer(second, NAMED, refuse=True)
    assert await state() == "open"
    await answer(first, OTHER)
    assert await state() == "waived"
    for settled in (first, second):
        with pytest.raises(Refused, match="conflicting-state"):
            await answer(settled, THIRD)
    await seal_waiting(parts)
    unit.house.clock.move_by(days=7)
    with pytest.raises(Refused, match="conflicting-state"):
        await answer(third, OTHER)
    await parts.store.transact(lambda tx: proposals.forget_lapsed(tx, unit.house.clock()))
    lapsed = await parts.store.read(lambda tx: proposals.find(tx, SOUTH_TYNESIDE, third))
    assert lapsed is not None
    assert (lapsed.state, lapsed.sealed) == ("waiting", None)
    kept = await parts.store.read(lambda tx: proposals.find(tx, SOUTH_TYNESIDE, first))
    assert kept is not None
    assert (kept.state, kept.sealed, kept.settled_by) == ("agreed", None, OTHER)
    assert {"AgreementAsked", "AgreementRefused", "DutyWaived"} <= set(await unit.events(incident))


async def test_the_console_lists_what_waits_and_lets_another_officer_agree(unit: Unit) -> None:
    """A restricted incident is opened to all again by two managers; whoever may not open it sees not what is asked."""
    incident, house, both = await unit.restricted(), unit.house, [OfficerRole.MANAGER]
    await unit.do(admit_officer, Admission(incident, NAMED, "Mara Anger"))
    async with (
        signed_in(house, NAMED, both) as first,
        signed_in(house, "Mara Anger", both) as second,
        signed_in(house, "Tom Third", both) as third,
    ):
        await first.get(f"/console/incidents/{incident}/access")
        path = f"/console/incidents/{incident}/access/unrestrict"
        taken = await first.send(path, reason="The inquiry is over.")
        assert taken.headers["location"] == "/console/approvals?done=asked"
        listed = await first.get("/console/approvals?done=asked")
        assert "another officer agrees" in listed.words
        (item,) = re.findall(
            rf'href="(/console/approvals/[^"]+)"[^>]*>[^<]+</a></th><td>{incident}', listed.text
        )
        assert "You asked for it" in (await first.get(item)).words
        assert (await first.send(item + "/agree")).status == 403
        assert "This incident is restricted" in (await third.get(item)).words
        assert "The inquiry is over." in (await second.get(item)).words
        assert (await second.send(item + "/agree")).headers["location"].endswith("done=agreed")
        assert (await third.get(f"/console/incidents/{incident}")).status == 200


async def test_the_unit_is_told_before_a_duty_is_missed_once_without_names_and_not_at_night(
    unit: Unit,
) -> None:
    """What is owed, who owes it, by when, and where to look; a test alert reaches the same people."""
    house = unit.house
    house.clock.move_to(datetime(2027, 3, 1, 10, 0, tzinfo=UTC))  # a Monday
    incident = await unit.incident()
    rows = await house.parts.store.read(lambda tx: duties.of_incident(tx, SOUTH_TYNESIDE, incident))
    duty = next(row for row in rows if row.clock == "K11" and row.due_at)
    assert duty.due_at is not None
    house.clock.move_to(duty.due_at - timedelta(minutes=1))
    owners = {f"{role(row.role)} of {row.agency}" for row in rows if row.clock == "K11"}
    for _ in range(2 * len(owners)):  # other duties of the incident may be due soon too
        if not owners:
            break
        text = text_of(await unit.mail.next(f"/console/incidents/{incident}"))
        assert "A duty is due soon" in text
        assert "Testington" not in text
        owners = {owner for owner in owners if owner not in text}
        notice = (await told_by(unit.hook, "officer.duty-due")).document
        assert notice["url"].startswith(f"{house.parts.settings.console_address}/console/incidents/SI-")
        assert set(notice) == {"type", "timestamp", "id", "partnership", "told", "url"}
        assert set(notice["told"]) <= {"expects", "owner", "due", "error"}
    assert not owners, "each was told of"
    status, out, err = await attempt(house, "alerts", "test")
    assert (status, "test alerts are on their way" in out) == (0, True), err
    await unit.mail.next("This is a test")
    await told_by(unit.hook, "officer.test")


async def test_k12_the_unit_is_told_at_once_of_a_message_that_is_held_while_the_law_counts(
    unit: Unit,
) -> None:
    """K12, X-01: nothing is owed before its release, and the five days run; alert, page and command say until when."""
    house = unit.house
    house.clock.move_to(datetime(2027, 3, 1, 10, 0, tzinfo=UTC))  # a Monday: until the end of the next
    place = house.example("referral")["body"]["incident"]["place"] | {"local_authority": "E08000021"}
    told = house.example("referral")["body"]["incident"] | {"place": place}
    answer = await refer(house, body={"incident": told})
    assert answer["decision"] == "hold"
    text = text_of(await unit.mail.next("A message waits for a person's word"))
    assert "Due: the end of Monday 8 March 2027" in text
    assert "Testington" not in text
    notice = (await told_by(unit.hook, "officer.held-by-law")).document
    (held,) = [one for one in await waiting(house) if one.subject == answer["id"]]
    assert notice["url"].endswith(f"/console/held/{held.id}")
    async with signed_in(house, OTHER, [OfficerRole.OFFICER]) as officer:
        assert (
            "Due by the end of Monday 8 March 2027" in (await officer.get(f"/console/held/{held.id}")).words
        )
    status, out, err = await attempt(house, "held", "show", held.id, "--officer", OTHER, "--json")
    assert (status, json.loads(out)["by_law_at"]) == (0, "2027-03-09T00:00:00Z"), err


async def told_by(hook: WebhookServer, kind: str) -> Notice:
    """The next notice of this kind; its signature held."""
    async with asyncio.timeout(20):
        while (notice := await hook.next_notice()).document["type"] != kind:
            pass
    assert hook.forged == 0
    return notice


async def test_at_night_what_the_law_sets_is_told_to_who_is_on_call_and_to_the_others_in_the_morning(
    unit: Unit,
) -> None:
    """And to everybody at once while nobody is on call; hours of one's own say when one's morning is."""
    house, parts = unit.house, unit.house.parts
    house.clock.move_to(datetime(2027, 4, 6, 22, 0, tzinfo=UTC))  # a Tuesday night, summer time
    incident = await unit.incident()
    await parts.store.transact(lambda tx: manager(tx, house, "Nora Night", "nora.night@council.example"))
    rows = await parts.store.read(lambda tx: duties.of_incident(tx, SOUTH_TYNESIDE, incident))
    duty = next(row for row in rows if row.clock == "K12")

    async def told(number: int) -> dict[str, datetime]:
        changed = replace(duty, due_changes=tuple({} for _ in range(number)))  # each is said once
        await parts.perform(warn_unit, changed, SOUTH_TYNESIDE, incident)
        people = await parts.store.read(officers.every)
        found = await parts.store.read(
            lambda tx: {
                row.name: messages.by_reference(
                    tx,
                    SOUTH_TYNESIDE,
                    AgencyId(parts.settings.issuer),
                    f"alert-{duty.id}-{number}-{recipient_of(parts, row)}",
                )
                for row in people
                if row.email
            }
        )
        sent = [(name, await deliveries_of(house, row.id)) for name, row in found.items() if row is not None]
        return {name: rows[0].next_at or house.clock() for name, rows in sent}

    at_once = house.clock()
    assert await told(1) == {"Mona Ager": at_once, "Nora Night": at_once}
    turn = Turn("nora night", at_once - timedelta(hours=4), at_once + timedelta(hours=9), THIRD)
    await settled(parts, put_on_call, turn)
    morning = datetime(2027, 4, 7, 7, 0, tzinfo=UTC)
    assert await told(2) == {"Mona Ager": morning, "Nora Night": at_once}
    own = QuietHours(time(20, 0), time(9, 30))
    await settled(parts, set_quiet_hours, QuietAsked("Mona Ager", own, THIRD))
    assert await told(3) == {"Mona Ager": morning + timedelta(minutes=90), "Nora Night": at_once}
    with pytest.raises(Refused, match="malformed-request"):
        await settled(
            parts, set_quiet_hours, QuietAsked("Mona Ager", QuietHours(time(1, 0), time(23, 0)), THIRD)
        )
    await settled(parts, set_quiet_hours, QuietAsked("Mona Ager", None, THIRD))
    (row,) = await parts.store.read(lambda tx: officers.turns(tx, at_once))
    await settled(parts, end_turn, TurnEnd(row.id, THIRD))
    with pytest.raises(Refused, match="not-found"):
        await settled(parts, end_turn, TurnEnd(row.id, THIRD))
    await parts.store.transact(lambda tx: officers.change(tx, "Nora Night", state=officers.SUSPENDED))


async def settled(parts: Parts, action: Any, asked: Any) -> None:
    occasion = Occasion(parts.clock(), Supply(secrets.token_bytes(32)))
    await parts.store.transact(lambda tx: action(tx, parts, occasion, asked))


async def test_each_working_morning_the_unit_is_told_once_how_much_the_day_asks_for(unit: Unit) -> None:
    """Counts and links, no reference and no name; not at night, not on a closed day, not twice."""
    house, parts = unit.house, unit.house.parts
    incident = await unit.incident()
    for closed in (datetime(2027, 5, 8, 10, tzinfo=UTC), datetime(2027, 5, 10, 6, 59, tzinfo=UTC)):
        house.clock.move_to(closed)  # a Saturday; a Monday before eight o'clock in summer
        assert await brief_units(parts) == 0
    await chase_due(parts, frozenset())  # nobody answered the referral in half a year
    house.clock.move_to(datetime(2027, 5, 10, 7, 0, tzinfo=UTC))
    await brief_units(parts)
    text = text_of(await unit.mail.next("Overdue: "))  # nothing was on the day on which the house opened
    assert "What the day asks for" in text
    console = parts.settings.console_address
    assert re.search(rf"Overdue: \d+, {re.escape(console)}/console/duties/overdue\r?\n", text)
    assert re.search(rf"Awaiting triage: \d+, {re.escape(console)}/console/awaiting-triage\r?\n", text)
    assert incident not in text
    assert "Testington" not in text
    while "overdue" not in (notice := (await told_by(unit.hook, "officer.day")).document)["told"]:
        pass
    assert int(notice["told"]["overdue"]) > 0
    assert await brief_units(parts) == 0
    assert not unit.mail.waiting("What the day asks for")


EVERYTHING_TYPED = {
    "reason": "proceedings-ended",
    "because": "Nothing is owed.",
    "answer": "notified",
    "words": "It cannot wait.",
    "name": "Dr Q. Placeholder",
    "outcome": "rapid-review",
    "until_day": "2031-01-02",
    "until_time": "17:00",
    "note": "Rung twice.",
    "content": "no",
    "post": "Director",
    "entries": "1",
    "reference": "by-telephone-0123456789abcdef",
    "criteria_met": "yes",
    "decided_by": "Dr Q. Placeholder",
    "reasons": "Told by telephone.",
    "message": "msg-x",
    "second_officer": NAMED,
    "agency": "northshire-police",
    "admitted": "Pry Ing",
    "to": "",
    "council": "Elsewhere Council",
    "taken_by": "Dr Q. Placeholder",
    "kind": "near-miss",
    "aware_on": "2026-11-02",
    "aware_time": "00:00",
}
REASONS_OF = {
    "/incidents/{incident}/change/legal-hold": "inquiry",
    "/incidents/{incident}/access/police-hold": "sub-judice",
    "/incidents/{incident}/access/restrict": "media-interest",
}
MAY_BE_SENT = {
    "/incidents/{incident}/override",
    "/incidents/{incident}/access",
}  # what lets one in, who is in


async def test_no_page_of_a_restricted_incident_opens_and_no_form_of_it_does_anything_for_who_is_not_named(
    unit: Unit,
) -> None:
    """Domain section 8, from the table of routes: whatever names an incident, a duty, a delivery, a hold, or an asking of it."""
    house, parts = unit.house, unit.house.parts
    answer = await refer(house)
    incident, other = IncidentId(answer["incident"]), await unit.incident()
    duty = await duty_of(house, answer, "dsp-icb", "triage-decision")
    (sent, *_) = await deliveries_of(house, answer["id"])
    call = {
        "id": f"hld-{incident}",
        "partnership": SOUTH_TYNESIDE,
        "incident": incident,
        "subject_kind": "failed-delivery",
        "subject": sent.id,
        "reasons": ["telephone-them"],
        "held_at": house.clock(),
    }
    await parts.store.transact(lambda tx: holds.place(tx, call))
    asking = Asking(incident, "waive-duty", {"duty": duty.id, "reason": "Told by telephone."}, NAMED)
    proposal = await parts.perform(ask_second, asking, SOUTH_TYNESIDE, incident)
    breach = await unit.do(record_breach, Breach(incident, house.clock(), BreachKind.NEAR_MISS, NAMED))
    await unit.do(restrict_incident, Restriction(incident, NAMED, REASON))
    named = {
        "breach": breach.breach,
        "incident": incident,
        "duty": duty.id,
        "delivery": sent.id,
        "hold": f"hld-{incident}",
        "message": answer["id"],
        "other": other,
        "proposal": proposal,
    }
    before, opened = await unit.events(incident), []
    async with signed_in(house, "Pry Ing", [OfficerRole.OFFICER, OfficerRole.MANAGER]) as person:
        for route in ROUTES:
            wanted = set(re.findall(r"{(\w+)}", route.path))
            if not wanted or not wanted <= named.keys() or route.path in MAY_BE_SENT:
                continue
            await person.get("/console/account")
            path = "/console" + route.path.format(**named)
            typed = EVERYTHING_TYPED | {"reason": REASONS_OF.get(route.path, EVERYTHING_TYPED["reason"])}
            page = await (person.get(path) if route.methods == GET else person.send(path, **typed))
            if page.status != 403 or "This incident is restricted" not in page.words:
                opened.append((route.path, page.status, page.words[-300:-100]))
    assert not opened
    assert await unit.events(incident) == before
