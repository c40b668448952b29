"""The tables, once for both databases. Flags are small integers, so that one statement serves both."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from newsletter.store.columns import Instant, State, instant, micros, optional_instant

__all__ = ["HOME_ZONE", "Instant", "State", "instant", "metadata", "micros", "optional_instant"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite numbers rows by itself only for a column that is exactly INTEGER.
_Key = BigInteger().with_variant(Integer, "sqlite")


def _flag(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False, server_default="0")


def _refers(column: str, to: str) -> ForeignKeyConstraint:
    """A reference that PostgreSQL need not look up row by row: see the migration 0009."""
    return ForeignKeyConstraint([column], [to]).ddl_if(dialect="sqlite")


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

zone = Table(  # `sequence.Window` of every zone in use, refreshed by each tick; row 1 is the newsletter's own
    "zone",
    metadata,
    Column("id", Integer, Identity(start=2), primary_key=True),  # PostgreSQL's numbering leaves row 1 to us
    Column("name", Text, nullable=False, unique=True),
    Column("slot", Instant, nullable=False),
    Column("cutoff", Instant, nullable=False),
    Column("day_end", Instant, nullable=False),
    Column("opens", Instant, nullable=False),
    _flag("daytime"),
    _flag("quiet"),
)
HOME_ZONE = 1

post = Table(  # `catalogue.Entry`
    "post",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ident", Text, nullable=False, unique=True),
    Column("number", Integer, nullable=False, index=True),  # the planner seeks the next one for each reader
    Column("file", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _flag("late"),
    Column("tags", Text, nullable=False, server_default=""),  # "|one|two|"; empty = everyone
    Column("publish_at", Instant),
    Column("release_at", Instant),
    Column("present_from", Instant),
    Column("live_since", Instant),
    Column("off_since", Instant),
    Column("frozen_at", Instant),
    Column("changed_at", Instant),
)

audience = Table(  # a post's tags as LIKE patterns over subscriber.tags
    "audience",
    metadata,
    Column("post_id", ForeignKey("post.id"), primary_key=True),
    Column("pattern", Text, primary_key=True),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("token", LargeBinary(16), nullable=False, unique=True),  # 128 random bits: the id in URLs and Message-IDs
    Column("address", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # Address.key
    Column("name", Text, nullable=False, server_default=""),
    Column("zone_id", ForeignKey("zone.id"), nullable=False, server_default=str(HOME_ZONE)),
    Column("tags", Text, nullable=False, server_default=""),  # "|one|two|"
    Column("status", Text, nullable=False),  # subscribers.Status
    Column("pauses", SmallInteger, nullable=False, server_default="0"),  # subscribers.Pause
    _flag("in_file"),  # stood in the owner's file at the last look
    _flag("own_fields"),  # fields the reader set: no file overwrites them
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant),  # the evidence's own date
    Column("active_since", Instant),  # the planner's: slots from here on count
    Column("not_before", Instant),
    Column("epoch", SmallInteger, nullable=False, server_default="0"),  # restarts
    Column("high_water", Integer),  # the post last handed over
    Column("floor", Integer, nullable=False, server_default="-1"),  # counts as having had this number
    Column("anchor_at", Instant),  # the previous hand-over as the cadence sees it: an owner's pause shifts it
    Column("handed_over_at", Instant),  # the previous hand-over itself
    Column("strikes", SmallInteger, nullable=False, server_default="0"),  # posts given up for soft bounces
    Column("struck_at", Instant),  # the first of them
    Column("language", Text, nullable=False, server_default=""),  # BCP 47, the reader's choice; empty = none
    Column("pace", SmallInteger, nullable=False, server_default="0"),  # days, the reader's choice; 0 = the newsletter's
    _refers("high_water", "post.id"),
    postgresql_with={"fillfactor": 80},  # room on the page for the row's next version: no index has to follow
)
_OWN_PACE = text("pace > 0")
Index("ix_subscriber_pace", subscriber.c.zone_id, subscriber.c.pace, sqlite_where=_OWN_PACE, postgresql_where=_OWN_PACE)

pace = Table(  # `Window.cutoff` of each zone for readers who go at a pace of their own, refreshed by each tick
    "pace",
    metadata,
    Column("zone_id", ForeignKey("zone.id"), primary_key=True, autoincrement=False),
    Column("every", SmallInteger, primary_key=True, autoincrement=False),  # subscriber.pace
    Column("cutoff", Instant, nullable=False),
)

consent = Table(  # append-only evidence
    "consent",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("subscriber_id", ForeignKey("subscriber.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("cause", Text, nullable=False),
    Column("status", Text, nullable=False),  # after it
    Column("detail", Text, nullable=False, server_default=""),
    Column("form", Text, nullable=False, server_default=""),  # by which page or button
    Column("wording", Text, nullable=False, server_default=""),  # what it said
    Column("origin", Text, nullable=False, server_default=""),  # block of network addresses; here and nowhere else
)

import_file = Table(  # a file that was imported once, and may be taken back
    "import_file",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("file", Text, nullable=False),  # its name, without folders
    Column("source", Text, nullable=False, server_default=""),  # where its people said yes, in the owner's words
    _flag("confirmed"),  # on the owner's word
    Column("added", BigInteger, nullable=False, server_default="0"),  # how many joined by it
    Column("undone_at", Instant),
)

imported = Table(  # what an import did to whom; a field that it left alone is NULL
    "imported",
    metadata,
    Column("import_id", ForeignKey("import_file.id"), primary_key=True, autoincrement=False),
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True, autoincrement=False, index=True),
    _flag("joined"),  # else they were known
    _flag("confirmed"),  # they were pending before
    _flag("vouched"),  # on the owner's word
    Column("name_before", Text),
    Column("name_after", Text),
    Column("zone_before", Integer),
    Column("zone_after", Integer),
    Column("tags_before", Text),
    Column("tags_after", Text),
)

left_elsewhere = Table(  # of whom an import's file said that they had left; kept out by `suppression`
    "left_elsewhere",
    metadata,
    Column("import_id", ForeignKey("import_file.id"), primary_key=True, autoincrement=False),
    Column("hash", Text, primary_key=True),
)

merged = Table(  # a record, and the one that stands for both; never in chains
    "merged",
    metadata,
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    Column("into_id", ForeignKey("subscriber.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
)

sign_up = Table(  # typed into a form and not looked at yet: the answer is the same whoever it is
    "sign_up",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("address", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("origin", Text, nullable=False),
)

request = Table(  # who was asked to confirm, and until when they may
    "request",
    metadata,
    Column("subscriber_id", ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("remind_at", Instant),  # NULL = reminded
    Column("expires_at", Instant, nullable=False, index=True),
)

asked = Table(  # letters to an address that has not said yes; a keyed hash, no address: it outlives an erasure
    "asked",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("at", Instant, nullable=False),  # the last
    Column("count", SmallInteger, nullable=False),
)

suppression = Table(  # survives erasure: a keyed hash, no address
    "suppression",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)

template = Table(  # compose.MessageTemplate under its hash, so that a retry has the same bytes
    "template",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("post_id", ForeignKey("post.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("post_id", Integer, nullable=False),
    Column("subscriber_id", _Key, nullable=False),
    Column("epoch", SmallInteger, nullable=False),
    Column("copy", SmallInteger, nullable=False, server_default="0"),  # the planner makes copy 0, `resend` the others
    Column("number", Integer, nullable=False),  # of the post when this was planned
    _flag("late"),  # out of the order of numbers on purpose: catch_up, or settled by hand
    Column("state", Text, nullable=False),
    Column("open", SmallInteger),  # 1 while it keeps the next post back, else NULL
    _flag("reopen"),  # closed but not settled: planned again when the reader is active again
    Column("reason", Text, nullable=False, server_default=""),
    Column("slot", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),  # rises with each claim
    Column("lease_until", Instant),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("faults", SmallInteger, nullable=False, server_default="0"),  # uncomposable, or it broke the connection
    _flag("resent"),  # sent once more after doubt: at most one copy may have arrived
    Column("begun_at", Instant),  # the last attempt
    # Fixed by the first attempt, so that every further one has the same bytes:
    Column("revision", Text),
    Column("date", Instant),
    Column("recipient", Text),  # JSON [name, address]
    Column("message_id", Text),
    Column("content", Text),  # a hash of the bytes without signatures, `MessageTemplate.fingerprint`
    # What came of it:
    Column("provider", Text),
    Column("provider_id", Text),
    Column("code", SmallInteger),
    Column("status", Text),  # RFC 3463
    Column("diagnostic", Text),
    Column("about", Text),  # mail.About
    Column("accepted_at", Instant),
    _refers("post_id", "post.id"),
    _refers("subscriber_id", "subscriber.id"),
    _refers("revision", "template.revision"),
    UniqueConstraint("post_id", "subscriber_id", "epoch", "copy"),
    CheckConstraint("open IS NULL OR open = 1", name="open"),
    postgresql_with={"fillfactor": 80},
)

# The database itself refuses a second post while one is under way.
Index(
    "uq_delivery_open",
    delivery.c.subscriber_id,
    unique=True,
    sqlite_where=text("open = 1"),
    postgresql_where=text("open = 1"),
)
_CLAIMABLE = text("open = 1 AND state IN ('planned', 'deferred')")
Index(
    "ix_delivery_claimable", delivery.c.not_before, delivery.c.id, sqlite_where=_CLAIMABLE, postgresql_where=_CLAIMABLE
)
_LEASED = text("state IN ('claimed', 'submitting')")
Index("ix_delivery_leased", delivery.c.lease_until, sqlite_where=_LEASED, postgresql_where=_LEASED)
_DOUBT = text("state IN ('uncertain', 'quarantined', 'rejected')")
Index("ix_delivery_doubt", delivery.c.state, sqlite_where=_DOUBT, postgresql_where=_DOUBT)
_REOPEN = text("reopen = 1")
Index("ix_delivery_reopen", delivery.c.subscriber_id, sqlite_where=_REOPEN, postgresql_where=_REOPEN)
_KNOWN = text("provider_id IS NOT NULL")
Index("ix_delivery_provider_id", delivery.c.provider_id, sqlite_where=_KNOWN, postgresql_where=_KNOWN)

attempt = Table(  # append-only: what each attempt came to
    "attempt",
    metadata,
    Column("delivery_id", _Key, primary_key=True, autoincrement=False),
    Column("n", SmallInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("provider", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", SmallInteger),
    Column("status", Text),
    Column("diagnostic", Text),
    _refers("delivery_id", "delivery.id"),
    sqlite_with_rowid=False,
)

notice = Table(  # mail outside the sequence: confirmation, reminder, alert, test
    "notice",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("kind", Text, nullable=False),  # store.notices.Kind
    Column("key", Text, unique=True),  # one notice a key: an alert is not repeated the same day
    Column("name", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("not_before", Instant, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),  # what nobody needs any more is not sent
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", Instant),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("faults", SmallInteger, nullable=False, server_default="0"),
    _flag("resent"),
    Column("begun_at", Instant, index=True),
    Column("date", Instant, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the message, written once; emptied when it is settled
    Column("content", Text),
    Column("provider", Text),
    Column("provider_id", Text),
    Column("code", SmallInteger),
    Column("status", Text),
    Column("diagnostic", Text),
    Column("accepted_at", Instant),
)
_UNSETTLED = text("state IN ('planned', 'claimed', 'submitting', 'deferred', 'uncertain')")
Index("ix_notice_unsettled", notice.c.not_before, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)

bucket = Table(  # how much may still leave, and what is left alone: see store.buckets
    "bucket",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("step", SmallInteger, nullable=False, server_default="0"),  # times it pushed back in a row
    Column("paused_until", Instant),
)

event = Table(  # what came back, told by the mailbox or by a provider: ids and codes; no address
    "event",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("ident", Text, nullable=False, unique=True),  # keyed hash of the teller and its id: it counts once
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),  # events.EventKind
    Column("at", Instant, nullable=False),  # when it happened, as far as that is credible
    Column("heard_at", Instant, nullable=False),
    Column("effect", Text, nullable=False),  # store.feedback.Effect
    Column("subscriber_id", ForeignKey("subscriber.id"), index=True),  # NULL: about nobody we know
    Column("delivery_id", ForeignKey("delivery.id"), index=True),
    _flag("hard"),  # a bounce for good, whoever is to blame
    _flag("dead"),  # of these: the address is not there
    Column("code", SmallInteger),
    Column("status", Text),  # RFC 3463
    Column("diagnostic", Text),
)
Index("ix_event_heard_at", event.c.heard_at)
_WAITING = text("effect = 'quarantined'")
Index("ix_event_waiting", event.c.id, sqlite_where=_WAITING, postgresql_where=_WAITING)

nonce = Table(  # what a request may be signed with once
    "nonce",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)

promise = Table(  # the journal: what `plan`, `resend` and `erase` did to the number of rows
    "promise",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("post_id", ForeignKey("post.id"), nullable=False),
    Column("kind", Text, nullable=False),  # planned, skipped, copy, erased
    Column("count", BigInteger, nullable=False),
)

stirred = Table(  # readers whom something befell that may make a post due, see store.stirring
    "stirred",
    metadata,
    Column("subscriber_id", _Key, nullable=False),
    Column("at", Instant, nullable=False),  # not to be looked at before
)

worker = Table(  # who delivers beside the run that plans: see store.workers
    "worker",
    metadata,
    Column("ident", Text, primary_key=True),  # of one process
    Column("host", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("heard_at", Instant, nullable=False),  # by the database's clock, as all times of workers
    Column("done", BigInteger, nullable=False),  # messages with an outcome, since it started
    Column("rate", BigInteger, nullable=False),  # of these, in the last minute
    Column("trouble", Text, nullable=False),  # why it can't work, as a sentence
)
