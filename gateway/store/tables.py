"""Every table, and what an attacker who can edit it could do: the sentence above each one, beginning "Editing it".

Two databases: `book` holds the gateway's work, `custody` holds wrapped data keys and nothing else, so that their back-ups
can have a short life of their own. Every row about an incident names its partnership, and so does every query about one.
Instants are stored as ISO 8601 text in UTC with microseconds, which sorts as time does on both engines. No text has a length
here: PostgreSQL would hold to it and SQLite would not. What comes from outside is bounded where it comes in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as sortable text; a naive datetime is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware")
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


book = MetaData()
custody = MetaData()


def _id(name: str = "id") -> Column[str]:
    return Column(name, Text, primary_key=True)


def _where(condition: str, postgresql: str | None = None) -> dict[str, Any]:
    """An index over those rows alone: the others cost it nothing."""
    return {"sqlite_where": text(condition), "postgresql_where": text(postgresql or condition)}


# --- agencies: who they are, who sits where, how they are reached ----------------------------------------------------

# Editing it: redirect an agency's messages. Every change is an entry in the ledger, and the old address is told.
agency = Table(
    "agency",
    book,
    _id(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("code", Text),  # ODS, force, LA code or school URN
    Column("standing", Text),  # of a school in the register of schools: open, closed, proposed
    Column("council", Text),  # a school's local authority, DfE code
    Column("opened_on", Date),
    Column("closed_on", Date),
    Column("office_email", Text),  # for an officer who looks for the lead; no letter goes there
    Column("office_telephone", Text),
)

# Editing it: let an agency see or miss a partnership's incidents.
membership = Table(
    "membership",
    book,
    Column("partnership", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
)

# Editing it: redirect one seat's messages to another address.
seat = Table(
    "seat",
    book,
    Column("partnership", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("rank", Integer, primary_key=True),  # 0 holder, 1… deputies in order
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("telephone", Text),
    Column("absent_from", Instant),
    Column("absent_until", Instant),
    Column("works", Text),  # a weekly pattern or rota; null: every day
)

# Editing it: have a letter go out in a school's holidays, or be held without need. Imports are entries in the ledger.
term = Table(
    "term",
    book,
    Column("partnership", Text, primary_key=True),
    Column("agency", Text, primary_key=True),  # a school, or a council for all its schools
    Column("starts_on", Date, primary_key=True),
    Column("ends_on", Date, nullable=False),
    Column("name", Text, nullable=False),
)

# Editing it: change by which way, and to which URL or address, an agency's role is reached.
way = Table(
    "way",
    book,
    Column("partnership", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    Column("role", Text, primary_key=True),  # "*" for every role of the agency
    Column("adapter", Text, nullable=False),
    Column("address", Text),
    Column("secret", LargeBinary),  # sealed under the master key
)

# Editing it: have an officer agree to another URL than was asked for. What is in force stands in `way`.
webhook = Table(
    "webhook",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("role", Text, nullable=False),  # "*" for every role of the agency
    Column("address", Text, nullable=False),
    Column("client", Text, nullable=False),  # whose software asked for it
    Column("state", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("ends_at", Instant),  # when the asking lapses, or the secret before the newest ends
    Column("settled_at", Instant),
    Column("settled_by", Text),  # officers, where some agreed, refused or ended it
    Column("began_at", Instant),  # since when it was in force; empty: it never was
    CheckConstraint("state NOT IN ('waiting', 'agreed') OR ends_at IS NOT NULL", name="webhook_asking_ends"),
    Index("webhook_of_agency", "agency", "partnership"),
    Index("webhook_ending", "ends_at", **_where("ends_at IS NOT NULL")),
)

# Editing it: let other software speak for an agency. Key changes are entries in the ledger.
client = Table(
    "client",
    book,
    _id(),
    Column("agency", Text, nullable=False),
    Column("jwks", JSON, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("message_types", JSON(none_as_null=True)),  # which it may send; null: all that its agency may
    Column("status", Text, nullable=False),  # pending, active, suspended
    Column("tokens_not_before", Instant),
    Column("registered_at", Instant, nullable=False),
    Column("waiting", JSON(none_as_null=True)),  # who asked for its pending keys, and what they must sign
    Column("legacy_audience_until", Instant),  # until then assertions may name the token address as audience
    Column("jwks_uri", Text),  # where it publishes its keys; absent: they came by value
    Column("keys_fetched_at", Instant),
    Column("keys_tried_at", Instant),
    Column("keys_fault", Text),  # why the last fetch brought nothing: a coarse code
    Column("must_send", JSON, nullable=False),  # headers without which its messages are not taken
    Column("receives", JSON, nullable=False),  # message type -> the version it is shown; others: as sent
    Column("certificates", JSON, nullable=False),  # of mutual TLS: pinned, or issued by an authority
)

# Editing it: nothing lasting; proofs live for minutes. Deleting rows allows a replay within that time.
replay = Table("replay", book, _id("key"), Column("expires_at", Instant, nullable=False, index=True))


# --- arrangements in force -------------------------------------------------------------------------------------------

# Editing it: have old duties explained by other rules than those in force. Activations are entries in the ledger.
pack = Table(
    "pack",
    book,
    Column("partnership", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("files", JSON, nullable=False),  # file name -> text: whole, so old duties stay explainable
    Column("digest", Text, nullable=False),
    Column("activated_at", Instant, nullable=False),
    Column("activated_by", Text, nullable=False),
    Column("seconded_by", Text, nullable=False),
    Column("current", Boolean, nullable=False),
)

# Editing it: have due dates counted by other closed days. Every list put in force is an entry in the ledger.
holidays = Table(
    "holidays",
    book,
    _id("version"),
    Column("document", Text, nullable=False),  # the dated copy, as partnerships.calendars reads it
    Column("uploaded_at", Instant, nullable=False),
    Column("uploaded_by", Text, nullable=False),
    Column("seconded_by", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("recounted_at", Instant),  # once every open duty has been counted anew
)


# --- incidents, and what finds them ----------------------------------------------------------------------------------

# Editing it: hide an incident or move it to another partnership; its entries in the ledger stay.
incident = Table(
    "incident",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("pack_version", Text, nullable=False),
    Column("label", Text),
    Column("state", Text, nullable=False),
    Column("outcomes", JSON, nullable=False),  # every decision reached, coded, in order
    Column("opened_at", Instant, nullable=False),
    Column("legal_hold", Boolean, nullable=False, default=False),
    Column("police_hold", Text),  # why disclosure waits, a code; null while none does
    Column("ended_at", Instant),  # since when it is closed or transferred: retention counts from here
    Column("erased_at", Instant),
    Column("transferred_to", Text),  # another incident here (SI-…), or the council that took it over
    Index("incident_by_partnership", "partnership", "opened_at"),
    Index("incident_by_state", "partnership", "state", "opened_at"),
    Index("incident_held", "partnership", "id", **_where("legal_hold IS 1", "legal_hold IS true")),
    Index("incident_by_end", "partnership", "state", "ended_at"),
    Index("incident_erasing", "partnership", "id", **_where("state = 'erasing'")),
)

# Editing it: show an incident to an agency that is not involved.
participant = Table(
    "participant",
    book,
    Column("partnership", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    Column("guest", Boolean, nullable=False, default=False),
    Index("participant_guest", "partnership", "guest", "incident"),
)

# Editing it: move the start of clocks. The statement of the message that brought it commits to it.
moment = Table(
    "moment",
    book,
    Column("partnership", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("message", Text),  # none when the calendar brought it
)

# Editing it: have a matter that comes round opened twice, or not at all. Each opening is an entry in the ledger.
period = Table(
    "period",
    book,
    Column("partnership", Text, primary_key=True),
    Column("periodic", Text, primary_key=True),  # the rule's id
    Column("key", Text, primary_key=True),  # 2026-11
    Column("opens_at", Instant, nullable=False),
    Column("incident", Text, nullable=False),
)

# Editing it: hide that two incidents are about one child, or pretend it. Reading it: how many incidents share a child; who
# it is stands behind a key. Erasing an incident removes its rows.
blind_index = Table(
    "blind_index",
    book,
    Column("partnership", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("child", Text, primary_key=True),  # the child's letter in its incident
    Column("kind", Text, primary_key=True),
    Column("term", Text, primary_key=True),  # keyed: see keys.custody.BlindIndex
    Index(
        "blind_index_term", "partnership", "term", "incident"
    ),  # with the incident: else the primary key is walked
)

# Editing it: hide a likeness from the officer, or show a link that nobody made. Links are entries in the ledger.
likeness = Table(
    "likeness",
    book,
    Column("partnership", Text, primary_key=True),
    Column("first", Text, primary_key=True),  # two incidents, in the order of their ids
    Column("second", Text, primary_key=True),
    Column("state", Text, nullable=False),  # possible, linked, apart
    Column("strength", Text, nullable=False),  # strong, likely, or "officer": nobody but an officer saw it
    Column("reasons", JSON, nullable=False),  # coarse codes
    Column("children", JSON, nullable=False),  # pairs of letters: a child of the first, one of the second
    Column("found_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_by", Text),
    Index("likeness_second", "partnership", "second"),
    Index("likeness_by_state", "partnership", "state", "found_at"),
)

# Editing it: hide who searched for a child. That a search was made, and why, is an entry in the ledger.
search = Table(
    "search",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("reason", Text, nullable=False),  # a coarse code
    Column("searched_at", Instant, nullable=False),
    Column("found", Integer, nullable=False),  # how many incidents
)


# --- messages, what was promised for them, what is owed --------------------------------------------------------------

# Editing it: break a message; its content cannot be exchanged unseen, since the ledger commits to it.
message = Table(
    "message",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("incident", Text),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("agency", Text, nullable=False),  # who speaks
    Column("client", Text),  # by which software, when it came by the API
    Column("reference", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),  # keyed digest of the content: same reference, same content?
    Column("idempotency_key", Text),
    Column("in_reply_to", Text),
    Column("facts", JSON, nullable=False),  # moments, codes, agencies, schools: no personal data
    Column("avoids", Boolean, nullable=False, default=False),  # whether the facts say not to contact somebody
    Column("created_at", Instant, nullable=False),
    Column("arrived_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("taken_back_at", Instant),  # since when it is withdrawn from everybody: a vote counts no more
    Column("decision", Text, nullable=False),  # forward, hold, refuse
    Column("rule", Text, nullable=False),
    Column("answer", JSON, nullable=False),  # what the sender was answered: duties; a repeat gets the same
    Column("receipt", Text, nullable=False),  # the entry that is this message's receipt
    Column("sealed", LargeBinary),
    Column("data_key", Text),
    UniqueConstraint("partnership", "agency", "reference", name="message_reference"),
    Index(
        "message_idempotency",
        "client",
        "idempotency_key",
        unique=True,
        **_where("idempotency_key IS NOT NULL"),
    ),
    Index("message_by_incident", "partnership", "incident", "type"),
    Index(
        "message_avoiding", "partnership", "incident", **_where("avoids IS 1", postgresql="avoids IS true")
    ),
)

# Editing it: stop or repeat a delivery. What was sent is in the ledger.
delivery = Table(
    "delivery",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("incident", Text),
    Column("message", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("priority", Integer, nullable=False, default=5),  # smaller goes first
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False),  # which rule owes it
    Column("pack_version", Text),  # of which version; none where no pack asks for it
    Column("to_deputy", Boolean, nullable=False, default=False),  # to who ranks after the person present
    Column("rung", Text),  # how far up its ladder: mail, deputy, telephone; none: the way in `adapter`
    Column("rung_at", Instant),  # when the next rung is due, unless something is heard before
    # The number of the attempt is also the fence: what a worker records under an older one is refused.
    Column("attempt", Integer, nullable=False, default=0),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant),  # set exactly while the delivery is to be carried: a constraint below
    Column("lease_until", Instant),
    Column("last_reason", Text),
    Column("done_at", Instant),
    Column("opened_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),  # person, system
    Column("recalled_at", Instant),  # taken back: its content is handed out no more
    Column("notice", Boolean, nullable=False, default=False),  # says only that there is a message
    Column("copies", Text),  # what the recipient says became of copies: destroyed, returned
    Column("trace", Text),  # in the log's lines of what owed it, and of every attempt
    ForeignKeyConstraint(["message"], ["message.id"]),
    CheckConstraint("(state = 'pending') = (next_at IS NOT NULL)", name="delivery_never_rests"),
    Index("delivery_due", "state", "next_at"),
    Index("delivery_in_turn", "priority", "agency", "next_at", "id", **_where("next_at IS NOT NULL")),
    Index("delivery_inbox", "agency", "partnership", "created_at"),
    Index("delivery_by_message", "message"),
    Index("delivery_by_state", "partnership", "state", "created_at"),
    Index("delivery_rung", "rung_at", **_where("rung_at IS NOT NULL")),
)

# Editing it: move or close a duty. Duties met and missed are entries in the ledger, with the due instant committed.
duty = Table(
    "duty",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("message", Text),  # the message that made the duty; none when the calendar did
    Column("agency", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("expects", Text, nullable=False),  # a message type, or "acknowledgement"
    Column("clock", Text, nullable=False),
    Column("rule", Text, nullable=False),  # which rule laid it
    Column("pack_version", Text, nullable=False),
    Column("start_at", Instant, nullable=False),
    Column("due_on", Date),
    Column("due_at", Instant),
    Column("due_inclusive", Boolean, nullable=False),  # 17:00:00 itself is in time; midnight is not
    Column("state", Text, nullable=False),
    Column("met_at", Instant),
    Column("met_by", Text),
    Column("waived_reason", Text),
    Column("chase_stage", Text),  # the last stage chased
    Column("next_chase_at", Instant),
    Column("task", Text),  # which of several like answers meets it
    Column("event", Text),  # the moment of the answer that counts in place of its arrival
    Column("event_at", Instant),  # when that was; met_at stays the arrival
    Column("due_changes", JSON(none_as_null=True)),  # each with the due before and after, the cause and when
    Column("is_early", Boolean, nullable=False, default=False),  # met before its exact day (C-11)
    Column(
        "explained_at", Instant
    ),  # a reason for its lateness, or for its being early, stands in the ledger
    Index("duty_chase", "state", "next_chase_at"),
    Index("duty_due", "state", "due_at"),
    Index("duty_by_incident", "partnership", "incident", "state"),
    Index("duty_by_agency", "agency", "partnership", "state"),
    Index("duty_uncounted", "partnership", "state", **_where("due_at IS NULL AND due_changes IS NOT NULL")),
    Index(
        "duty_owed", "partnership", "due_at", "incident", "expects", **_where("state IN ('open', 'missed')")
    ),
)

# Editing it: let something held go on unseen, or hide it from the officer. Releases are entries in the ledger.
hold = Table(
    "hold",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("incident", Text),
    Column("subject_kind", Text, nullable=False),  # message, delivery, mail, attachment
    Column("subject", Text, nullable=False),
    Column("reasons", JSON, nullable=False),  # coarse codes
    Column("held_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_by", Text),
    Column("settled_as", Text),  # released, refused, answered
    Index("hold_open", "partnership", "settled_at"),
)

# Editing it: match a reply to another letter; the reply stays, and an officer sees both.
letter = Table(
    "letter",
    book,
    _id("reference"),  # SG-…
    Column("partnership", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("duty", Text),
    Column("agency", Text, nullable=False),
    Column("token", Text, nullable=False, unique=True),
    Index("letter_by_message", "message"),
)


# --- what comes by mail and as files, and the watching of the clock --------------------------------------------------

# Editing it: lose or change a received mail; the statement of its arrival commits to its digest.
raw_mail = Table(
    "raw_mail",
    book,
    _id(),
    Column("way_in", Text, nullable=False),  # which mailbox or receiver
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("digest", Text, nullable=False, unique=True),  # keyed digest of the raw bytes: exactly once
    Column("envelope_to", Text),  # our own reply address, which carries only a token
    Column("arrived_at", Instant, nullable=False),
    Column("stored_at", Instant, nullable=False),
    Column("is_awaited", Boolean, nullable=False),  # it came to a letter's own reply address: read first
    Column("state", Text, nullable=False),  # stored, read, held, settled
    Column("kind", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("partnership", Text),
    Column("incident", Text),
    Column("agency", Text),  # whose it is, as far as that is known
    Column("peer", Text),  # keyed digest of the sender's address, for counting
    Column("letter", Text),
    Column("message", Text),
    Column("sealed", LargeBinary),
    Column("sealed_reading", LargeBinary),
    Column("data_key", Text),
    Index("raw_mail_state", "state", "is_awaited", "stored_at"),
    Index("raw_mail_peer", "peer", "stored_at"),
)

# Editing it: hand out what an officer withheld, or hide a file; it cannot be exchanged unseen, since the ledger commits to it.
attachment = Table(
    "attachment",
    book,
    _id(),
    Column("agency", Text, nullable=False),  # who sent it: only its own messages can name it
    Column("client", Text, nullable=False),
    Column("state", Text, nullable=False),  # receiving, kept, withheld, erased
    Column("reasons", JSON, nullable=False),  # coarse codes: why a person must look before anyone gets it
    Column("media_type", Text),  # by content
    Column("size_bytes", BigInteger, nullable=False),  # while it is received: the most that it may become
    Column("chunks", Integer, nullable=False, default=0),
    Column("fingerprint", Text),  # keyed digest of its SHA-256: is it what the message names?
    Column("data_key", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),  # destroyed then, unless a message has named it
    Column("partnership", Text),  # with incident and message: null until a message names it
    Column("incident", Text),
    Column("message", Text),
    Index("attachment_by_incident", "partnership", "incident"),
    Index("attachment_by_message", "message"),
    Index("attachment_unnamed", "agency", "expires_at"),
)

# Editing it: break an attachment; its chunks open only whole, in their order, under the key of that attachment.
attachment_chunk = Table(
    "attachment_chunk",
    book,
    Column("attachment", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["attachment"], ["attachment.id"], ondelete="CASCADE"),
)

# Editing it: make a chase state too early that nothing came. Set only by intake, after a complete read.
watermark = Table("watermark", book, _id("way_in"), Column("read_until", Instant, nullable=False))

# Editing it: have a daily round of the timetable left out for a day. What a round erases is an entry in the ledger.
daily_round = Table("daily_round", book, _id("name"), Column("done_on", Date, nullable=False))


# --- registers and breaches ------------------------------------------------------------------------------------------

# Editing it: change what the register shows of the time before the gateway. No clock, duty or decision reads it.
imported_alert = Table(
    "imported_alert",
    book,
    Column("partnership", Text, primary_key=True),
    Column("source", Text, primary_key=True),  # the officers' name for the spreadsheet
    Column("reference", Text, primary_key=True),  # the spreadsheet's own
    Column("alerted_on", Date, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("label", Text),
    Column("decision", Text),
    Column("decided_on", Date),
    Column("notified_on", Date),
    Column("national_reference", Text),
    Column("rapid_review_on", Date),
    Column("panel_on", Date),
    Column("outcome", Text),
    Column("imported_at", Instant, nullable=False),
    Column("imported_by", Text, nullable=False),
)

# Editing it: name another person or reason for an export or import. That it was made is an entry in the ledger, by this id.
register_use = Table(
    "register_use",
    book,
    _id(),
    Column("partnership", Text, nullable=False),
    Column("act", Text, nullable=False),  # exported, imported
    Column("what", Text, nullable=False),  # which register or report, or the imported source
    Column("form", Text, nullable=False),  # csv, xlsx, json, api
    Column("rows", Integer, nullable=False),
    Column("with_names", Boolean, nullable=False),
    Column("officer", Text, nullable=False),
    Column("second_officer", Text),
    Column("why", Text, nullable=False),  # a code without names
    Column("at", Instant, nullable=False),
    Index("register_use_by_partnership", "partnership", "at"),
)

# Editing it: hide a breach of personal data from the log of breaches; that it was recorded stands in the ledger.
breach = Table(
    "breach",
    book,
    _id(),  # brc-…
    Column("partnership", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("message", Text),  # the message that went astray, if it was one
    Column("kind", Text, nullable=False),
    Column("duty", Text),  # the 72 hours; none for a near miss
    Column("aware_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("state", Text, nullable=False),  # open, reported, not-reportable
    Column("closed_at", Instant),
    Column("ico_reference", Text),
    Index("breach_by_partnership", "partnership", "recorded_at"),
    Index("breach_by_state", "partnership", "state", "aware_at"),
)


# --- the ledger ------------------------------------------------------------------------------------------------------

# Editing it: nothing unseen; every statement is signed, chained by `prev`, and a leaf of the tree.
entry = Table(
    "entry",
    book,
    _id(),
    Column("partnership", Text),
    Column("incident", Text),
    Column("chain", Text, nullable=False),  # the statement's ref
    Column("seq", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kid", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),  # the leaf's bytes
    Column("jws", Text, nullable=False),
    Column("disclosures", LargeBinary),  # salts and values, sealed under the incident's data key
    Column("data_key", Text),
    Column("log", Text),  # the origin of the log that it is a leaf of; null until sealed
    Column("leaf_index", BigInteger),  # in that log; null until sealed
    UniqueConstraint("chain", "seq", name="entry_chain"),
    Index("entry_by_incident", "partnership", "incident", "at"),
    Index("entry_leaf", "log", "leaf_index", unique=True, **_where("leaf_index IS NOT NULL")),
    Index("entry_unsealed", "leaf_index", **_where("leaf_index IS NULL")),
)

# Editing it: break a chain; the verifier sees it.
chain = Table(
    "chain",
    book,
    _id("ref"),
    Column("partnership", Text),
    Column("incident", Text),
    Column("seq", Integer, nullable=False),  # of the last entry
    Column("head", Text, nullable=False),  # leaf hash of the last entry, hex
)

# Editing it: break proofs; checkpoints, witnesses and bundles already handed out contradict it.
tile = Table(
    "tile",
    book,
    Column("log", Text, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),  # up to 256 × 32 bytes
)

# Editing it: as `tile`. One row per sealed batch, numbered over all logs; `number` is the compare-and-swap guard of the sequencer.
checkpoint = Table(
    "checkpoint",
    book,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("log", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("sealed_at", Instant, nullable=False),
    UniqueConstraint("log", "size", name="checkpoint_of_log"),
)

# Editing it: show other signatures than witnesses and authorities gave; the verifier refuses them. A row never changes.
anchor = Table(
    "anchor",
    book,
    Column("number", BigInteger, nullable=False, index=True),  # of the last checkpoint within it
    Column("log", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # with its witnesses' lines, as it was stamped
    Column("token", LargeBinary),  # RFC 3161 responses over the note
    Column("second_token", LargeBinary),
    Column("anchored_at", Instant, nullable=False),
)

# Editing it: leaves that say nothing no longer lead to the root that is signed; whoever reads the whole log sees it.
filler = Table(
    "filler",
    book,
    Column("log", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),  # leaf index
    Column("count", Integer, nullable=False),
    Column("seed", LargeBinary, nullable=False),
)

# Editing it: make the gateway run on a book that is behind, until a witness says so again; or stop it. The notes are signed.
contradiction = Table(
    "contradiction",
    book,
    Column("log", Text, primary_key=True),
    Column("witness", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),  # signed by our own key; the log here does not continue it
    Column("seen_at", Instant, nullable=False),
)


# --- officers: who they are, what they may see, what they ask for ----------------------------------------------------

# Editing it: make anybody an officer, or give an officer another role. Each change is an entry in the ledger.
officer = Table(
    "officer",
    book,
    _id("key"),  # the name as it is compared: receipts name officers, so no two may have one name
    Column("name", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("partnerships", JSON(none_as_null=True)),  # whose incidents they see; absent: all that are here
    Column("subject", Text, unique=True),  # at the identity provider: its issuer, a space, its name for them
    Column("email", Text),  # for alerts
    Column("quiet_from", Text),  # when their own quiet hours begin, "19:00"; null: with the unit's
    Column("quiet_until", Text),
    Column("signed_in_at", Instant),  # when they last did
    Column("state", Text, nullable=False),  # active, suspended
    Column("source", Text, nullable=False),  # list, claims, development
    Column("added_at", Instant, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("seconded_by", Text),
)

# Editing it: have somebody else be told at night of what cannot wait; whoever sleeps is told in the morning all the same. Each
# turn that is set or ended is an entry in the ledger.
on_call = Table(
    "on_call",
    book,
    _id(),
    Column("officer", Text, nullable=False, index=True),  # the key of an officer
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("set_by", Text, nullable=False),
)

# Editing it: sign in as an officer with a key of one's own. Reading it signs nobody in: these are public keys.
passkey = Table(
    "passkey",
    book,
    _id(),  # the credential's id, base64url
    Column("officer", Text, nullable=False, index=True),
    Column("public_key", LargeBinary, nullable=False),  # COSE
    Column("sign_count", BigInteger, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("used_at", Instant),
)

# Editing it: sign an officer out, or (with a row of one's own making) in. Only digests of the secrets are here: reading
# it signs nobody in.
session = Table(
    "session",
    book,
    _id(),  # SHA-256 of the secret in the officer's cookie
    Column("officer", Text, nullable=False, index=True),  # the key of an officer
    Column("way", Text, nullable=False),  # link, oidc, passkey
    Column("signed_in_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),  # the longest it may last, however busy
)

# Editing it: have somebody signed in under another name; links that sign in are for development only, and an invitation
# lets its holder make a passkey.
sign_in_link = Table(
    "sign_in_link",
    book,
    _id(),  # SHA-256 of the secret in the link
    Column("kind", Text, nullable=False),  # sign-in, invitation
    Column("officer", Text, nullable=False),
    Column("roles", JSON, nullable=False),  # of an officer whom the link makes: development only
    Column("expires_at", Instant, nullable=False, index=True),
)

# Editing it: have a sign-in that was begun fail. What the browser must bring is derived from a secret that only it has.
sign_in_try = Table(
    "sign_in_try",
    book,
    _id(),  # SHA-256 of the secret in the browser's cookie
    Column("kind", Text, nullable=False),  # oidc, passkey
    Column("expires_at", Instant, nullable=False, index=True),
)

# Editing it: have a form that was sent twice done twice, or a first one not done. Nothing that it said is here.
form_use = Table(
    "form_use",
    book,
    _id(),  # keyed digest of the form, its page and its session
    Column("used_at", Instant, nullable=False, index=True),
    Column("location", Text),  # where the browser was sent on; null while it is being done
)

# Editing it: give an officer another view of the list of incidents than they saved. It holds filters: codes, no content.
saved_view = Table(
    "saved_view",
    book,
    _id(),
    Column("officer", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),  # as it stands in the address of the page
    UniqueConstraint("officer", "name", name="saved_view_name"),
)

# Editing it: hide how much an officer searched, opened or took out in a day; each of those is an entry in the ledger.
officer_use = Table(
    "officer_use",
    book,
    Column("officer", Text, primary_key=True),
    Column("used_on", Date, primary_key=True),
    Column("act", Text, primary_key=True),  # searched, opened, exported
    Column("count", Integer, nullable=False),
)

# Editing it: let every officer of the partnership open a restricted incident, or bar them from one.
restriction = Table(
    "restriction",
    book,
    Column("partnership", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("reason", Text, nullable=False),  # a coarse code
    Column("restricted_by", Text, nullable=False),
    Column("restricted_at", Instant, nullable=False),
)

# Editing it: let an officer open a restricted incident. Each admission is an entry in the ledger.
admission = Table(
    "admission",
    book,
    Column("partnership", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("officer", Text, primary_key=True),  # the name as it is compared
    Column("name", Text, nullable=False),
    Column("admitted_by", Text, nullable=False),
    Column("admitted_at", Instant, nullable=False),
    Column("until", Instant),  # set: they opened it against the restriction, for so long
    Column("reason", Text),  # why they did: a coarse code
)

# Editing it: have a second officer agree to something else than the first asked for; what is then done is in the ledger.
proposal = Table(
    "proposal",
    book,
    _id(),
    Column("partnership", Text),  # with incident: null where it is about the deployment
    Column("incident", Text),
    Column("act", Text, nullable=False),  # a name of the console's list
    Column("sealed", LargeBinary),  # what is asked for, under the incident's key; null once it is settled
    Column("arrangement", JSON),  # what is asked for where it is about no incident and nobody; null likewise
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("state", Text, nullable=False),  # waiting, agreed, refused
    Column("settled_by", Text),
    Column("settled_at", Instant),
    Index("proposal_waiting", "state", "expires_at"),
)


# --- custody: a database of its own ----------------------------------------------------------------------------------

# Editing it: unwrap nothing (the master key is elsewhere); deleting a row makes content unreadable for ever.
data_key = Table(
    "data_key",
    custody,
    _id(),
    Column("incident", Text, index=True),  # null until the piece it seals is matched to one
    Column("wrapped", LargeBinary),  # null once destroyed
    Column("master", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("destroyed_at", Instant),
)

# Editing it: have an erased incident come back after a restore; the file beside the keys still says that it was erased.
erasure = Table(
    "erasure",
    custody,
    _id("incident"),
    Column("partnership", Text, nullable=False),
    Column("keys", JSON, nullable=False),  # the ids of the data keys that were destroyed
    Column("erased_at", Instant, nullable=False),
)
