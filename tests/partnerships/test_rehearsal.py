"""A dry run shows what the real run does: the guard, and what follows when one answer decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from gateway.actions.rehearse import SENDER, Rehearsal, assumed_directory, rehearse
from gateway.core.messages import AgencyId, AgencyKind, Facts, Message, MessageId, PartnershipId
from gateway.core.rules import Pack
from gateway.partnerships import packs
from tests.actions.arrangements import COUNCIL_RULES

NAME = PartnershipId("south-tyneside")
FILES = packs.read_files(packs.HERE / NAME)
GUARD = ('id = "information-request"\n', 'id = "information-request"\nguard_fan_out = true\n')
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


def pack_with(more: str, *changes: tuple[str, str]) -> Pack:
    text = FILES["rules.toml"] + more
    for old, new in changes:
        text = text.replace(old, new, 1)
    return packs.parse(NAME, FILES | {"rules.toml": text})


def tried(pack: Pack, slug: str, kind: AgencyKind, facts: Facts, released: bool = False) -> Rehearsal:
    message = Message(
        MessageId("msg-tried"),
        slug,
        1,
        NAME,
        SENDER,
        kind,
        "R-1",
        None,
        MessageId("msg-before"),
        NOW,
        facts,
    )
    message = replace(message, incident=AgencyId("SI-7K3M-9QPX-2D"))  # type: ignore[arg-type]
    return rehearse(pack, assumed_directory(pack, message), message, released=released)


def test_a_guarded_request_is_held_and_shows_its_duties_as_if_released() -> None:
    """G-06."""
    pack = pack_with("", GUARD)
    facts = Facts(agencies=(AgencyId("northshire-police"),))
    held = tried(pack, "information-request", AgencyKind.BUSINESS_UNIT, facts)
    assert (held.decision, held.held, held.duties) == ("hold", ("first-fan-out",), ())
    released = tried(pack, "information-request", AgencyKind.BUSINESS_UNIT, facts, released=True)
    assert [duty["expects"] for duty in released.duties] == ["information-return"]


def test_g_08_what_follows_passes_over_whom_the_answer_says_not_to_contact() -> None:
    codes = {"review": ("hos-oversight",), "seat": ("head-of-service",), "outcome": ("forward",)}
    facts = Facts(codes=codes | {"do_not_contact": ("*/dcs",)})
    found = tried(pack_with(COUNCIL_RULES), "review-decision", AgencyKind.LOCAL_AUTHORITY, facts).follows
    assert found is not None
    assert [row["role"] for row in found.deliveries] == ["assistant-director"]
    assert (found.duties, found.held) == ((), ("do-not-contact",))


def test_one_seat_s_answer_shows_what_follows_from_it() -> None:
    """S1-16."""
    codes = {"review": ("hos-oversight",), "seat": ("head-of-service",), "outcome": ("forward",)}
    found = tried(
        pack_with(COUNCIL_RULES), "review-decision", AgencyKind.LOCAL_AUTHORITY, Facts(codes=codes)
    ).follows
    assert found is not None
    assert (found.decision, found.outcome, found.label) == ("oversight", "forward", "With the director")
    assert sorted(row["role"] for row in found.deliveries) == ["assistant-director", "dcs"]
    assert [(row["role"], row["task"]) for row in found.duties] == [("dcs", "dcs-review")]


def test_one_answer_of_three_decides_nothing_yet() -> None:
    codes = {"seat": ("dsp-la",), "outcome": ("sin-only",)}
    found = tried(pack_with(""), "triage-decision", AgencyKind.LOCAL_AUTHORITY, Facts(codes=codes))
    assert (found.decision, found.follows) == ("forward", None)
