"""The envelope: what is the same for every message, whatever its type (contract section 4).

The invariant: type and version on the outside are those of the body inside, a typed answer says what it answers, and no
one is said to be born after the message was written. Recipients are not here: they come from the directory.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Generic, Self, TypeVar

from pydantic import Field, model_validator

from gateway.core.messages import Facts
from schemas.fields import (
    AttachmentReference,
    Coded,
    Incident,
    Instant,
    Line,
    MessageReference,
    Reference,
    Several,
    Sha256,
    ShortText,
    Slug,
)
from schemas.model import Body, Model, fault
from schemas.people import Person
from schemas.vocabulary import LawfulBasis, Marking, Role

BodyT = TypeVar("BodyT", bound=Body)

_LOCAL_TIME_AHEAD = timedelta(hours=1)  # British Summer Time: a child may be born "tomorrow" by UTC


class Attachment(Model):
    """A file sent before, named by what the gateway answered."""

    id: AttachmentReference
    """The attachment's id."""
    sha256: Sha256
    """SHA-256 of the file's bytes, in lower-case hexadecimal."""


class DoNotContact(Model):
    """Someone who must not be told or asked, because the concern is about them (G-08).

    An agency with a role means that seat alone; an agency alone means everyone there; a role alone means that role in
    every agency.
    """

    SOME_OF: ClassVar[tuple[tuple[str, ...], ...]] = (("agency", "role", "person"),)

    agency: Slug | None = None
    """The agency's slug in the directory."""
    role: Coded[Role] | None = None
    """The role."""
    person: Line | None = None
    """The person's name; an officer then looks before anything goes out."""
    reason: ShortText
    """Why."""

    def code(self) -> str:
        """What rules may read: `agency/role` with `*` for any, or `person`, without the name."""
        return "person" if self.person is not None else f"{self.agency or '*'}/{self.role or '*'}"


class Envelope(Model, Generic[BodyT]):
    """One typed message between agencies."""

    type: Slug
    """The message type."""
    version: Annotated[int, Field(ge=1, le=999)]
    """The version of the type's schema."""
    partnership: Slug
    """The partnership under whose arrangements this is sent."""
    reference: Reference
    """The sender's own id for this message; it makes a repeat safe. It must carry no personal data."""
    incident: Incident | None = None
    """The incident this belongs to, once there is one."""
    in_reply_to: MessageReference | None = None
    """The message this answers."""
    created_at: Instant
    """When the sender wrote it: RFC 3339 with offset."""
    author: Person
    """Who wrote it, and in what post."""
    lawful_basis: Coded[LawfulBasis]
    """Why this may be shared."""
    marking: Coded[Marking]
    """How it is to be handled."""
    attachments: Annotated[Several[Attachment], Field(max_length=20)] = ()
    """Files sent before this message."""
    do_not_contact: Annotated[Several[DoNotContact], Field(max_length=20)] = ()
    """Who must not be told or asked."""
    body: BodyT
    """What the message says, by its type."""

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> Self:
        if self.type != self.body.TYPE:
            raise fault("unknown-type", "type")
        if self.version != self.body.VERSION:
            raise fault("unknown-version", "version")
        if self.body.answers and self.in_reply_to is None:
            raise fault("required", "in_reply_to")
        latest_birth_on = (self.created_at + _LOCAL_TIME_AHEAD).date()
        for at, born_on in self.body.births():
            if born_on > latest_birth_on:
                raise fault("in-the-future", "body", *at)
        return self


def facts(envelope: Envelope[BodyT]) -> Facts:
    """What rules may read of a message: the body's facts and whom it says not to contact. No personal data."""
    found = envelope.body.facts()
    avoided = tuple(dict.fromkeys(entry.code() for entry in envelope.do_not_contact))
    return replace(found, codes={**found.codes, "do_not_contact": avoided}) if avoided else found
