"""Whoever a message says not to contact is told of it by no rule of any pack, whichever seats are avoided (G-08)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.actions.rehearse import SENDER, Rehearsal, assumed_directory, rehearse, sender_kind
from gateway.core.messages import IncidentId, Message, MessageId, RoleId
from gateway.core.rules import Pack, is_avoided
from gateway.partnerships import packs
from gateway.partnerships.vocabulary import ROLES
from schemas import facts, read_message

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "v1" / "examples"


@cache
def pack_named(name: str) -> Pack:
    return packs.shipped(name)


@cache
def messages_of(name: str) -> tuple[Message, ...]:
    """Every published example of a type that the pack takes, from a sender that may send it."""
    return tuple(_messages(pack_named(name)))


def _messages(pack: Pack) -> Iterator[Message]:
    for slug in sorted({route.message for route in pack.routes}):
        raw = json.loads((EXAMPLES / f"{slug}.json").read_text("utf-8"))
        envelope = read_message(json.dumps(raw | {"partnership": pack.partnership}).encode())
        read = facts(envelope)
        kind = sender_kind(pack, slug, read.codes)
        if kind is not None:
            yield Message(
                MessageId("msg-tried"),
                slug,
                1,
                pack.partnership,
                SENDER,
                kind,
                envelope.reference,
                IncidentId("SI-7K3M-9QPX-2D"),
                MessageId("msg-before"),
                envelope.created_at,
                read,
                author_roles=frozenset(RoleId(role) for role in ROLES),
            )


def told(found: Rehearsal) -> list[Mapping[str, Any]]:
    return list(found.deliveries)


def owed(found: Rehearsal) -> list[Mapping[str, Any]]:
    follows = found.follows
    return [*found.duties, *(follows.duties if follows else ())]


@given(data=st.data())
def test_g_08_no_rule_of_any_pack_tells_or_burdens_a_seat_that_is_avoided(data: st.DataObject) -> None:
    """Every other seat is told as before; what the law itself demands stays owed by whoever owes it."""
    name = data.draw(st.sampled_from(packs.names()))
    pack = pack_named(name)
    message = data.draw(st.sampled_from(messages_of(name)))
    directory = assumed_directory(pack, message)
    seats = sorted(directory.seats, key=lambda seat: (seat.agency, seat.role))
    words = [word for s in seats for word in (f"{s.agency}/{s.role}", f"{s.agency}/*", f"*/{s.role}")]
    avoided = tuple(data.draw(st.lists(st.sampled_from(words), unique=True, max_size=6))) if words else ()
    codes = {**message.facts.codes, "do_not_contact": avoided}
    narrowed = replace(message, facts=replace(message.facts, codes=codes))
    before = rehearse(pack, directory, message, released=True)
    after = rehearse(pack, directory, narrowed, released=True)
    expected = [row for row in told(before) if not is_avoided(avoided, row["agency"], row["role"])]
    assert [(r["agency"], r["role"]) for r in told(after)] == [(r["agency"], r["role"]) for r in expected]
    for row in owed(after):
        assert pack.clocks[row["clock"]].statutory or not is_avoided(avoided, row["agency"], row["role"])
    law = [row for row in owed(before) if pack.clocks[row["clock"]].statutory]
    kept = [row for row in owed(after) if pack.clocks[row["clock"]].statutory]
    assert [(r["agency"], r["clock"]) for r in kept] == [(r["agency"], r["clock"]) for r in law]
