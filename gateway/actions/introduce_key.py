"""Say that a new key of the deployment comes into use, before it does, and that one before is used no more."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Introduction:
    """Which purpose gets a new key, and the two who decided it."""

    purpose: str
    officers: TwoOfficers


def introduce_key(tx: Tx, parts: Parts, occasion: Occasion, asked: Introduction) -> Stated:
    """State it under the key in use until now, so that the old key vouches for the new one's time."""
    subject = Subject(f"keys-{asked.purpose}", None, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.KEY_INTRODUCED)])[0]
    # A crash after the commit leaves a staged key that nobody uses: the officers repeat the command.


def retire_key(tx: Tx, parts: Parts, occasion: Occasion, asked: Introduction) -> Stated:
    """State that the key before wraps nothing any more, once everything is wrapped anew."""
    subject = Subject(f"keys-{asked.purpose}", None, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.KEY_RETIRED)])[0]


def escrow_key(tx: Tx, parts: Parts, occasion: Occasion, asked: Introduction) -> Stated:
    """State that the key is split into shares, before anybody has one."""
    subject = Subject(f"keys-{asked.purpose}", None, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.KEY_ESCROWED)])[0]
