"""Notices: mail outside the sequence (confirmation, reminder, alert, test), with the ledger's verbs.

`delivery` drives this book and the ledger by one loop, so a notice is lost or doubled no more than a post is. It
differs in three things: its message is written once, when it is planned; it is of no use for long, so it expires; and
there is a cap on how many leave in an hour, for what plans them may be a stranger with a form, or a fault that recurs.

Guarantees
    One notice a key. Once settled its words are gone from the database; who, what kind and what came of it stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.mail import Accepted, Address, Deferred, Mailbox, Rejected, Reply, Uncertain
from newsletter.store.attempts import Begun, Claim, Result
from newsletter.store.ledger import Doubt
from newsletter.store.schema import State, instant, micros

if TYPE_CHECKING:
    from newsletter.store import Store

PER_HOUR = 200  #: notices that leave in an hour, all kinds together
_HOUR = timedelta(hours=1)
_FAULTS_MAX = 5
_NO_POST = "notice"  # stands where a delivery has a post and a revision


class Kind(StrEnum):
    """What a notice is for."""

    CONFIRMATION = "confirmation"  #: asks a new reader whether they meant it
    REMINDER = "reminder"  #: asks once more
    SETTINGS = "settings"  #: the link to a reader's own page, which they asked for
    ALERT = "alert"  #: tells the owner what needs her
    TEST = "test"  #: shows the owner a post in her own inbox


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of mail outside the sequence, as planned."""

    kind: Kind
    recipient: Mailbox
    date: datetime
    message_id: str  #: without angle brackets
    body: bytes  #: the whole message
    lifetime: timedelta = timedelta(hours=48)
    key: str | None = None  #: planned once only; None = as often as asked


@dataclass(frozen=True, slots=True)
class Fate:
    """What came of one notice."""

    id: int
    kind: Kind
    address: str
    state: State
    at: datetime
    reply: str
    provider_id: str


class Notices:
    """The book of notices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def plan(self, notice: Notice, *, at: datetime) -> int | None:
        """Promise *notice*; its id, or None when one with its key was planned before."""
        with self._store.write() as c:
            return plan(c, notice, at=at)

    def fate(self, notice: int) -> Fate | None:
        """What came of one notice so far."""
        with self._store.read() as c:
            row = c.execute(_FATE, {"id": notice}).one_or_none()
        if row is None:
            return None
        reply = str(Reply(row.code or 0, row.status or "", row.diagnostic or ""))
        return Fate(
            row.id, Kind(row.kind), row.address, State(row.state), instant(row.at), reply, row.provider_id or ""
        )

    def body(self, notice: int) -> tuple[str, bytes]:
        """Message-ID and bytes of one that is not settled yet."""
        with self._store.read() as c:
            row = c.execute(_BODY, {"id": notice}).one()
            return row.message_id, bytes(row.body)

    def waiting(self, *, at: datetime | None = None) -> int:
        """How many have still to leave; with *at*, those that may then."""
        with self._store.read() as c:
            return int(c.scalar(_WAITING, {"at": micros(at) if at else _NO_END}) or 0)

    def counts(self) -> dict[str, int]:
        """Notices by state."""
        with self._store.read() as c:
            return {row[0]: int(row[1]) for row in c.execute(_COUNTS)}

    # The ledger's verbs

    def sweep(self, *, at: datetime, doubt_for: timedelta) -> int:
        """Settle expired leases as the ledger does, and let go of what nobody needs any more."""
        values = {"at": micros(at), "wait": _micros(doubt_for), "empty": b""}
        with self._store.write() as c:
            c.execute(_EXPIRE, values)
            c.execute(_RELEASE_EXPIRED, values)
            return c.execute(_DOUBT_EXPIRED, values).rowcount

    def claims(
        self,
        *,
        at: datetime,
        lease: timedelta,
        prompt: timedelta,
        size: int = 50,
        clock: Callable[[], datetime] | None = None,
        room: Callable[[int], int] | None = None,
        without: Collection[str] = (),
    ) -> Iterator[list[Claim]]:
        """Batch after batch of what may leave now, never more in an hour than `PER_HOUR`.

        *room* and *without* are for the list's sake; a confirmation is one letter, and somebody waits for it.
        """
        while True:
            values = {"at": micros(at), "lease": micros((clock() if clock else at) + lease), "hour": micros(at - _HOUR)}
            with self._store.write() as c:
                left = PER_HOUR - int(c.scalar(_LEFT_LATELY, values) or 0)
                skip = "FOR UPDATE SKIP LOCKED" if c.dialect.name == "postgresql" else ""
                claim = text(_CLAIM.format(skip_locked=skip))
                rows = c.execute(claim, values | {"size": min(size, left)}).all() if left > 0 else []
            if not rows:
                return
            yield [_claim(row) for row in sorted(rows, key=lambda row: row.id)]

    def turn(
        self,
        results: Sequence[Result],
        attempts: Sequence[Begun],
        *,
        provider: str,
        at: datetime,
        doubt_for: timedelta,
        lease: timedelta,
    ) -> set[int]:
        """Keep what came of attempts and make others durable, in one commit; the notices that may be submitted."""
        if not results and not attempts:
            return set()
        begun = [
            _fenced(a.claim)
            | {"at": micros(at), "lease": micros(at + lease), "content": a.content, "provider": provider}
            for a in attempts
        ]
        with self._store.write() as c:
            for result in results:
                c.execute(_RECORD, _values(result, provider, at, doubt_for))
            return {row["id"] for row in begun if c.execute(_BEGIN, row).rowcount}

    def release(self, claims: Iterable[Claim]) -> None:
        """Give notices back that certainly were not handed over."""
        if rows := [_fenced(claim) for claim in claims]:
            with self._store.write() as c:
                c.execute(_RELEASE, rows)

    def fault(self, claim: Claim, problem: str, *, at: datetime, wait: timedelta) -> bool:
        """A notice could not be written out: later again, or never. True when never."""
        values = _fenced(claim) | {"retry": micros(at + wait), "diagnostic": problem, "most": _FAULTS_MAX}
        with self._store.write() as c:
            c.execute(_FAULT, values)
            return c.execute(_QUARANTINE, values).rowcount == 1

    def take_back(self, claims: Iterable[Claim], *, at: datetime) -> None:
        """Refusals of notices stand: each is a message of its own."""

    def in_doubt(self, *, at: datetime) -> list[Doubt]:
        """Every doubt whose waiting time is over."""
        with self._store.read() as c:
            rows = c.execute(_IN_DOUBT, {"at": micros(at)}).all()
        return [Doubt(r.id, r.message_id, r.provider or "", bool(r.resent), instant(r.begun_at)) for r in rows]

    def settle_doubt(self, notice: int, *, arrived: bool | None, at: datetime, resend: bool) -> None:
        """Close one doubt as the ledger does; one that is not resent stays uncertain, for good."""
        values = {"id": notice, "at": micros(at), "resent": int(arrived is None), "empty": b""}
        with self._store.write() as c:
            c.execute(_FOUND if arrived else _RESEND if arrived is False or resend else _HOLD_DOUBT, values)


def plan(c: Connection, notice: Notice, *, at: datetime) -> int | None:
    """As `Notices.plan`, within a transaction."""
    values = {
        "kind": notice.kind.value, "key": notice.key, "name": notice.recipient.name,
        "address": str(notice.recipient.address), "at": micros(at), "expires": micros(at + notice.lifetime),
        "date": micros(notice.date), "message_id": notice.message_id, "body": notice.body,
    }  # fmt: skip
    return c.execute(_PLAN, values).scalar_one_or_none()


def _micros(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1)


def _fenced(claim: Claim) -> dict[str, Any]:
    return {"id": claim.id, "fence": claim.fence}


def _claim(row: Any) -> Claim:
    local, _, domain = row.address.rpartition("@")
    recipient = Mailbox(row.name, Address(local, domain))
    return Claim(
        row.id, row.fence, 0, _NO_POST, 0, 0, row.attempts, b"", recipient, instant(row.date), _NO_POST, row.content
    )


def _values(result: Result, provider: str, at: datetime, doubt_for: timedelta) -> dict[str, Any]:
    outcome = result.outcome
    state, retry, provider_id, settled = State.REJECTED, at, None, True
    match outcome:
        case Accepted():
            state, provider_id = State.ACCEPTED, outcome.provider_id or None
        case Deferred() if result.retry_at is not None:
            state, retry, settled = State.DEFERRED, result.retry_at, False
        case Uncertain():
            state, retry, settled = State.UNCERTAIN, at + doubt_for, False
        case Deferred() | Rejected():
            pass
    reply = Reply(0, "", outcome.diagnostic) if isinstance(outcome, Uncertain) else outcome.reply or Reply(0, "", "")
    return _fenced(result.claim) | {
        "state": state.value, "at": micros(at), "retry": micros(retry), "provider": provider,
        "provider_id": provider_id, "code": reply.code or None, "status": reply.status or None,
        "diagnostic": reply.text or None, "settled": int(settled), "empty": b"",
    }  # fmt: skip


# SQLite uses a partial index only when the query repeats its condition word for word.
_UNSETTLED = "state IN ('planned', 'claimed', 'submitting', 'deferred', 'uncertain')"
_MINE = "id = :id AND fence = :fence"
_PLAN = text(
    "INSERT INTO notice (kind, key, name, address, state, not_before, planned_at, expires_at, date, message_id, body)"
    " VALUES (:kind, :key, :name, :address, 'planned', :at, :at, :expires, :date, :message_id, :body)"
    " ON CONFLICT (key) DO NOTHING RETURNING id"
)
_FATE = text(
    "SELECT id, kind, address, state, COALESCE(accepted_at, begun_at, planned_at) AS at, code, status, diagnostic,"
    " provider_id"
    " FROM notice WHERE id = :id"
)
_BODY = text("SELECT message_id, body FROM notice WHERE id = :id")
_NO_END = (1 << 63) - 1
_WAITING = text(f"SELECT COUNT(*) FROM notice WHERE {_UNSETTLED} AND reason = '' AND not_before <= :at")
_COUNTS = text("SELECT state, COUNT(*) FROM notice GROUP BY state")
_EXPIRE = text(
    f"UPDATE notice SET state = 'withdrawn', reason = 'too late', body = :empty WHERE {_UNSETTLED}"
    " AND state IN ('planned', 'deferred') AND expires_at <= :at"
)
_RELEASE_EXPIRED = text(
    f"UPDATE notice SET state = 'planned', lease_until = NULL WHERE {_UNSETTLED}"
    " AND state = 'claimed' AND lease_until <= :at"
)
_DOUBT_EXPIRED = text(
    "UPDATE notice SET state = 'uncertain', lease_until = NULL, not_before = begun_at + :wait,"
    f" diagnostic = 'the run ended before the answer' WHERE {_UNSETTLED} AND state = 'submitting'"
    " AND lease_until <= :at"
)
_LEFT_LATELY = text("SELECT COUNT(*) FROM notice WHERE begun_at > :hour")
_CLAIM = (
    "UPDATE notice SET state = 'claimed', fence = fence + 1, lease_until = :lease WHERE id IN ("
    f" SELECT id FROM notice WHERE {_UNSETTLED} AND state IN ('planned', 'deferred') AND not_before <= :at"
    " AND expires_at > :at ORDER BY not_before, id LIMIT :size {skip_locked})"
    " RETURNING id, fence, attempts, name, address, date, content"
)
_BEGIN = text(
    "UPDATE notice SET state = 'submitting', attempts = attempts + 1, begun_at = :at, lease_until = :lease,"
    f" provider = :provider, content = :content WHERE {_MINE} AND state = 'claimed'"
)
_RECORD = text(
    "UPDATE notice SET state = :state, lease_until = NULL, not_before = :retry, provider = :provider,"
    " provider_id = :provider_id, code = :code, status = :status, diagnostic = :diagnostic,"
    " accepted_at = CASE WHEN :state = 'accepted' THEN :at END, body = CASE WHEN :settled = 1 THEN :empty ELSE body END"
    f" WHERE {_MINE} AND state IN ('submitting', 'uncertain')"
)
_RELEASE = text(
    "UPDATE notice SET state = 'planned', lease_until = NULL,"
    " attempts = CASE WHEN state = 'submitting' THEN attempts - 1 ELSE attempts END"
    f" WHERE {_MINE} AND state IN ('claimed', 'submitting')"
)
_FAULT = text(
    "UPDATE notice SET state = 'planned', lease_until = NULL, faults = faults + 1, not_before = :retry,"
    f" diagnostic = :diagnostic WHERE {_MINE} AND state = 'claimed'"
)
_QUARANTINE = text(f"UPDATE notice SET state = 'quarantined' WHERE {_MINE} AND state = 'planned' AND faults >= :most")
_IN_DOUBT = text(
    f"SELECT id, message_id, provider, resent, begun_at FROM notice WHERE {_UNSETTLED} AND state = 'uncertain'"
    " AND reason = '' AND not_before <= :at ORDER BY id"
)
_FOUND = text(
    "UPDATE notice SET state = 'accepted', accepted_at = begun_at, diagnostic = 'found at the provider', body = :empty"
    " WHERE id = :id AND state = 'uncertain'"
)
_RESEND = text(
    "UPDATE notice SET state = 'planned', not_before = :at, resent = CASE WHEN :resent = 1 THEN 1 ELSE resent END"
    " WHERE id = :id AND state = 'uncertain'"
)
_HOLD_DOUBT = text("UPDATE notice SET reason = 'held' WHERE id = :id AND state = 'uncertain'")
