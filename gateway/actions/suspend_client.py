"""Shut an agency's software out, or let it in again: on two officers' word, and never silently."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import registered, subject_of
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Suspension:
    """`ends`: the client is let in again; tokens from before stay dead."""

    client: str
    ends: bool
    officers: TwoOfficers


def suspend_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Suspension) -> Stated:
    """Change the client's status and state it; Refused when it is unknown or is so already."""
    row = registered(tx, asked.client)
    if row.status == clients.PENDING:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="This client was not let in yet: there is nothing to suspend.",
        )
    if (row.status == clients.SUSPENDED) != asked.ends:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=f"This client is {row.status} already.")
    if asked.ends:
        clients.reinstate(tx, asked.client)
    else:
        clients.suspend(tx, asked.client, occasion.at)
    by: dict[str, str | int] = {"asked_by": asked.officers.first, "agreed_by": asked.officers.second}
    said = Said(Event.CLIENT_CHANGED, by, "reinstated" if asked.ends else "suspended")
    return prove(tx, parts, occasion, subject_of(parts, asked.client), [said])[0]
    # A crash before the commit leaves the client as it was; the officers repeat the command.
