"""The ledger: what was promised to whom, and what came of it.

Guarantees
    An attempt is durable (`begin`) before the provider can accept anything, so a crash shows as
    `submitting` and then `uncertain`, never as nothing. Consent, suppression and pauses are read when a
    delivery is claimed and again when it begins. Revision, Date and the reader's values are fixed by the
    first attempt: every further one has the same bytes and the same Message-ID.

Diagnostics
    A result that comes after another worker took the delivery over finds a higher fence and changes
    nothing; `record` says how many such there were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, text

from newsletter.errors import NotFound, StoreError
from newsletter.mail import About, Accepted, Address, Deferred, Mailbox, Outcome, Rejected, Reply, Uncertain
from newsletter.store.schema import micros, optional_instant
from newsletter.subscribers import Pause

if TYPE_CHECKING:
    from newsletter.store import Store

FAULTS_MAX = 5  #: times a message may fail to be composed


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery under lease, with all that composing it needs."""

    id: int
    fence: int
    post_id: int
    ident: str
    epoch: int
    copy: int
    attempts: int  #: before this one
    token: bytes  #: the subscriber's
    recipient: Mailbox
    first_at: datetime | None  #: date of the first attempt
    revision: str | None  #: fixed by it
    content: str | None  #: its hash


@dataclass(frozen=True, slots=True)
class Begun:
    """What `begin` fixes for one attempt."""

    claim: Claim
    revision: str
    date: datetime
    message_id: str
    content: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """One delivery that was handed over and never answered."""

    delivery: int
    message_id: str
    provider: str
    resent: bool  #: it was sent once more already


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome with what it does next."""

    claim: Claim
    outcome: Outcome
    retry_at: datetime | None = None  #: of a Deferred; None = given up for this time


class _DryRun(Exception):
    """Rolls back what was only counted."""


class Ledger:
    """One statement per verb, the same for both databases."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Leases

    def sweep(self, *, at: datetime, doubt_for: timedelta) -> int:
        """Settle expired leases: claimed → planned, submitting → uncertain. Returns how many became uncertain."""
        with self._store.write() as c:
            values = {"at": micros(at), "wait": doubt_for // timedelta(microseconds=1)}
            c.execute(_RELEASE_EXPIRED, values)
            c.execute(_ATTEMPT_UNKNOWN, values)
            return c.execute(_DOUBT_EXPIRED, values).rowcount

    def claims(self, *, at: datetime, lease: timedelta, prompt: timedelta, size: int = 500) -> Iterator[list[Claim]]:
        """Batch after batch of what may leave now, each a durable claim.

        A row that is passed over in one batch (its zone asleep, its post held) is not looked at again here,
        so a run costs one walk over what is due, however much of it must wait.
        """
        after: tuple[int, int] = (-1, -1)
        while True:
            with self._store.write() as c:
                skip_locked = "FOR UPDATE OF d SKIP LOCKED" if c.dialect.name == "postgresql" else ""
                values = {
                    "at": micros(at), "late": micros(at - prompt), "lease": micros(at + lease),
                    "size": size, "after_time": after[0], "after_id": after[1],
                }  # fmt: skip
                ids = [row[0] for row in c.execute(text(_CLAIM.format(skip_locked=skip_locked)), values)]
                batch, last = _read_claims(c, ids)
            if not ids:
                return
            after = last
            yield batch

    def release(self, claims: Iterable[Claim]) -> None:
        """Give deliveries back that certainly were not handed over, whether or not they had begun."""
        rows = [_fenced(claim) for claim in claims]
        if rows:
            with self._store.write() as c:
                c.execute(_RELEASE, rows)

    def withdraw_inactive(self) -> int:
        """Withdraw what is planned for people who left, were suppressed or paused; returns how many."""
        with self._store.write() as c:
            return c.execute(_WITHDRAW_INACTIVE).rowcount

    # Attempts

    def begin(self, attempts: Sequence[Begun], *, provider: str, at: datetime, lease: timedelta) -> set[int]:
        """Make attempts durable; returns the deliveries that may really be submitted.

        Missing from it: whose lease another worker took, and who left, was suppressed or paused in the
        meantime; the latter are withdrawn.
        """
        if not attempts:
            return set()
        rows = [
            _fenced(a.claim) | {
                "at": micros(at), "lease": micros(at + lease), "revision": a.revision, "date": micros(a.date),
                "recipient": json.dumps([a.claim.recipient.name, str(a.claim.recipient.address)], ensure_ascii=False),
                "message_id": a.message_id, "content": a.content, "provider": provider,
            }
            for a in attempts
        ]  # fmt: skip
        ids = [a.claim.id for a in attempts]
        with self._store.write() as c:
            c.execute(_BEGIN, rows)
            ours = {(a.claim.id, a.claim.fence) for a in attempts}
            begun = {row.id for row in c.execute(_BEGUN, {"ids": ids}) if (row.id, row.fence) in ours}
            c.execute(_WITHDRAW, [_fenced(a.claim) for a in attempts])
        return begun

    def record(self, results: Sequence[Result], *, provider: str, at: datetime, doubt_for: timedelta) -> int:
        """Keep what came of attempts, in one commit; returns how many came too late to count."""
        if not results:
            return 0
        with self._store.write() as c:
            lost = 0
            for result in results:
                lost += not _record(c, result, provider, at, doubt_for)
            return lost

    def fault(self, claim: Claim, problem: str, *, at: datetime, wait: timedelta) -> bool:
        """A message could not be composed: try it again later, or quarantine it. True when quarantined."""
        values = _fenced(claim) | {
            "diagnostic": problem, "at": micros(at), "retry": micros(at + wait), "most": FAULTS_MAX,
            "subscriber_at": micros(at),
        }  # fmt: skip
        with self._store.write() as c:
            c.execute(_FAULT, values)
            quarantined = c.execute(_QUARANTINE, values).rowcount == 1
            if quarantined:
                c.execute(_PASS_ON, values)  # the sequence goes on after one `every`
            return quarantined

    def take_back(self, claims: Iterable[Claim], *, at: datetime) -> None:
        """Undo refusals of messages: the provider's trouble was not these readers'."""
        rows = [_fenced(claim) | {"at": micros(at)} for claim in claims]
        if rows:
            with self._store.write() as c:
                c.execute(_TAKE_BACK, rows)

    # Doubt

    def in_doubt(self, *, at: datetime) -> list[Doubt]:
        """Every open doubt whose waiting time is over."""
        with self._store.read() as c:
            return [
                Doubt(r.id, r.message_id, r.provider or "", bool(r.resent))
                for r in c.execute(_IN_DOUBT, {"at": micros(at)})
            ]

    def settle_doubt(self, delivery: int, *, arrived: bool | None, at: datetime, resend: bool) -> None:
        """Close one doubt: it *arrived*, it did not, or (None) nobody can say: then *resend* once or hold."""
        with self._store.write() as c:
            values = {"id": delivery, "at": micros(at)}
            if arrived:
                _accept_uncertain(c, delivery, at=None, why="found at the provider")
            elif arrived is False or resend:
                c.execute(_RESEND, values | {"resent": int(arrived is None)})
            else:
                c.execute(_HOLD_DOUBT, values)
                c.execute(_PASS_ON, values)

    def settle(self, delivery: int, *, accepted: bool, at: datetime, gap: timedelta = timedelta(0)) -> None:
        """The owner closes a doubt or a quarantine by hand: it arrived, or it is to be sent again after *gap*.

        Raises `NotFound` when the delivery is in neither, `StoreError` when another post is under way.
        """
        with self._store.write() as c:
            row = c.execute(_SETTLING, {"id": delivery}).one_or_none()
            if row is None:
                raise NotFound("there is nothing to settle: that delivery is neither uncertain nor quarantined.")
            if not accepted and row.other:
                raise StoreError(
                    "another post is under way to this reader; try again when it has left (`newsletter history`)."
                )
            if accepted:
                c.execute(
                    text("UPDATE delivery SET state = 'uncertain' WHERE id = :id AND attempts > 0"), {"id": delivery}
                )
                if not row.attempts:
                    raise NotFound(
                        "it was never handed over, so it can't have been accepted; `settle … resend` tries it again."
                    )
                _accept_uncertain(c, delivery, at=None, why="settled by the owner")
            else:
                c.execute(_SEND_AGAIN, {"id": delivery, "at": micros(at), "gap": gap // timedelta(microseconds=1)})

    def copies(
        self,
        number: int,
        which: str,
        revision: str,
        *,
        gap: timedelta,
        at: datetime,
        news: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Plan copies of post *number* for those who are "missing" it, for whom it "failed", or who had another revision.

        Readers with a post under way, or not yet at this post (unless posts are *news*, for everybody at once),
        are left to the planner. Returns how many.
        """
        values = {
            "number": number, "at": micros(at), "gap": gap // timedelta(microseconds=1), "revision": revision, "news": int(news),
        }  # fmt: skip
        statement = text(_COPIES.format(which=_WHICH[which], greatest=self._greatest))
        try:
            with self._store.write() as c:
                count = c.execute(statement, values).rowcount
                if dry_run:
                    raise _DryRun
                c.execute(_PROMISE_COPIES, values | {"count": count})
        except _DryRun:
            pass
        return count

    @property
    def _greatest(self) -> str:
        return "GREATEST" if self._store.engine.dialect.name == "postgresql" else "MAX"

    # Templates

    def keep_template(self, revision: str, post_id: int, body: bytes, *, at: datetime) -> None:
        """Store a compiled template under its hash."""
        with self._store.write() as c:
            c.execute(_KEEP, {"revision": revision, "post": post_id, "at": micros(at), "body": body})

    def template(self, revision: str) -> bytes | None:
        """The compiled template of *revision*."""
        with self._store.read() as c:
            body = c.scalar(text("SELECT body FROM template WHERE revision = :r"), {"r": revision})
            return None if body is None else bytes(body)


def _fenced(claim: Claim) -> dict[str, Any]:
    return {"id": claim.id, "fence": claim.fence}


def _read_claims(c: Connection, ids: list[int]) -> tuple[list[Claim], tuple[int, int]]:
    """The claims in the order in which they fell due, and the last one's place in it."""
    if not ids:
        return [], (-1, -1)
    rows = c.execute(_READ_CLAIMS, {"ids": ids}).all()
    claims = []
    for row in rows:
        name, address = json.loads(row.recipient) if row.revision else (row.name, row.address)
        local, _, domain = address.rpartition("@")
        claims.append(
            Claim(
                row.id, row.fence, row.post_id, row.ident, row.epoch, row.copy, row.attempts, bytes(row.token),
                Mailbox(name, Address(local, domain)), optional_instant(row.date), row.revision, row.content,
            )
        )  # fmt: skip
    return claims, (rows[-1].not_before, rows[-1].id)


def _record(c: Connection, result: Result, provider: str, at: datetime, doubt_for: timedelta) -> bool:
    """One result; False when another worker holds the delivery by now."""
    outcome = result.outcome
    reply = outcome.diagnostic if isinstance(outcome, Uncertain) else outcome.reply
    words = reply if isinstance(reply, Reply) else Reply(0, "", reply or "")
    values: dict[str, Any] = _fenced(result.claim) | {
        "at": micros(at), "provider": provider, "code": words.code or None, "status": words.status or None,
        "diagnostic": words.text or None,
    }  # fmt: skip
    match outcome:
        case Accepted():
            done = c.execute(_ACCEPT, values | {"provider_id": outcome.provider_id or None}).rowcount
            if done:
                c.execute(_ADVANCE, values)
        case Deferred() if result.retry_at is not None:
            done = c.execute(_DEFER, values | {"retry": micros(result.retry_at)}).rowcount
        case Deferred():
            done = c.execute(_GIVE_UP, values).rowcount
            if done:
                c.execute(_STRIKE, values)
        case Rejected():
            blamed = outcome.about is About.ADDRESS
            verdict = {
                "about": outcome.about.value,
                "reopen": int(blamed),
                "reason": "dead" if outcome.suppress else "",
            }
            done = c.execute(_REJECT, values | verdict).rowcount
            if done and blamed:
                c.execute(_PAUSE, values | {"pause": int(Pause.ADDRESS)})
        case Uncertain():
            done = c.execute(_DOUBT, values | {"retry": micros(at + doubt_for)}).rowcount
    if done:
        c.execute(_ATTEMPT, values | {"outcome": type(outcome).__name__.lower()})
    return bool(done)


def _accept_uncertain(c: Connection, delivery: int, *, at: datetime | None, why: str) -> None:
    """Settle an uncertain delivery as accepted, at *at* or (None) when it was last handed over."""
    values = {"id": delivery, "at": micros(at) if at else None, "why": why}
    c.execute(_ACCEPT_UNCERTAIN, values)
    begun = c.scalar(text("SELECT accepted_at FROM delivery WHERE id = :id"), values)
    c.execute(_ADVANCE, values | {"at": begun})
    c.execute(text("UPDATE attempt SET outcome = 'accepted', diagnostic = :why WHERE delivery_id = :id AND n ="
                   " (SELECT attempts FROM delivery WHERE id = :id)"), values)  # fmt: skip


_ACTIVE = "s.status = 'active' AND s.pauses = 0"
_CLAIM = (
    "UPDATE delivery SET state = 'claimed', fence = fence + 1, lease_until = :lease WHERE id IN ("
    " SELECT d.id FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id JOIN zone z ON z.id = s.zone_id"
    " JOIN post p ON p.id = d.post_id"
    " WHERE d.open = 1 AND d.state IN ('planned', 'deferred') AND d.not_before <= :at"
    " AND (d.not_before > :after_time OR (d.not_before = :after_time AND d.id > :after_id))"
    f" AND {_ACTIVE} AND COALESCE(s.not_before, 0) <= :at"
    " AND z.quiet = 0 AND (z.daytime = 1 OR d.slot >= :late)"
    " AND p.standing = 'live'"
    " ORDER BY d.not_before, d.id LIMIT :size {skip_locked}) RETURNING id"
)
_READ_CLAIMS = text(
    "SELECT d.id, d.fence, d.post_id, p.ident, d.epoch, d.copy, d.attempts, d.not_before, d.date, d.revision,"
    " d.content,"
    " d.recipient, s.token, s.name, s.address"
    " FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id JOIN post p ON p.id = d.post_id"
    " WHERE d.id IN :ids ORDER BY d.not_before, d.id"
).bindparams(bindparam("ids", expanding=True))
_MINE = "id = :id AND fence = :fence"
_RELEASE = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL,"
    " attempts = CASE WHEN state = 'submitting' THEN attempts - 1 ELSE attempts END"
    f" WHERE {_MINE} AND state IN ('claimed', 'submitting')"
)
_BEGIN = text(
    "UPDATE delivery SET state = 'submitting', attempts = attempts + 1, begun_at = :at, lease_until = :lease,"
    " provider = :provider, revision = :revision, date = :date, recipient = :recipient, message_id = :message_id,"
    " content = :content"
    f" WHERE {_MINE} AND state = 'claimed'"
    f" AND EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber_id AND {_ACTIVE})"
)
_BEGUN = text("SELECT id, fence FROM delivery WHERE id IN :ids AND state = 'submitting'").bindparams(
    bindparam("ids", expanding=True)
)
_WITHDRAW = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1, lease_until = NULL"
    f" WHERE {_MINE} AND state = 'claimed'"
)
_WITHDRAW_INACTIVE = text(
    "UPDATE delivery SET state = 'withdrawn', reason = 'left or paused', open = NULL, reopen = 1"
    " WHERE open = 1 AND state IN ('planned', 'deferred')"
    f" AND NOT EXISTS (SELECT 1 FROM subscriber s WHERE s.id = delivery.subscriber_id AND {_ACTIVE})"
)
# Late results of our own attempt still count after its lease ran out: the fence says that nobody else tried.
_OURS = f"{_MINE} AND state IN ('submitting', 'uncertain')"
_REPLY = "lease_until = NULL, provider = :provider, code = :code, status = :status, diagnostic = :diagnostic"
_IS_BEHIND = (
    "number < (SELECT COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
    " FROM subscriber s WHERE s.id = delivery.subscriber_id)"
)
# A result so late that its doubt was held in the meantime may find the reader at a later post.
_ACCEPT = text(
    "UPDATE delivery SET state = 'accepted', open = NULL, reopen = 0, accepted_at = :at, provider_id = :provider_id,"
    f" {_REPLY},"
    f" late = CASE WHEN open IS NULL AND copy = 0 AND {_IS_BEHIND} THEN 1 ELSE late END WHERE {_OURS}"
)
# Copies and late posts never move the position; nothing ever moves it back.
_ADVANCE = text(
    "UPDATE subscriber SET handed_over_at = CASE WHEN handed_over_at > :at THEN handed_over_at ELSE :at END,"
    " anchor_at = CASE WHEN d.copy > 0 OR anchor_at > :at THEN anchor_at ELSE :at END, strikes = 0, struck_at = NULL,"
    " high_water = CASE WHEN d.copy = 0 AND d.late = 0 AND d.number >"
    "  COALESCE((SELECT h.number FROM post h WHERE h.id = subscriber.high_water), subscriber.floor)"
    "  THEN d.post_id ELSE high_water END"
    " FROM (SELECT post_id, subscriber_id, copy, late, number FROM delivery WHERE id = :id) AS d"
    " WHERE subscriber.id = d.subscriber_id"
)
_DEFER = text(f"UPDATE delivery SET state = 'deferred', not_before = :retry, {_REPLY} WHERE {_OURS}")
_GIVE_UP = text(
    f"UPDATE delivery SET state = 'deferred', open = NULL, reopen = 1, reason = 'given up for now', {_REPLY} WHERE"
    f" {_OURS}"
)
_STRIKE = text(
    "UPDATE subscriber SET strikes = strikes + 1, struck_at = COALESCE(struck_at, :at), not_before = :at"
    " WHERE id = (SELECT subscriber_id FROM delivery WHERE id = :id)"
)
_REJECT = text(
    "UPDATE delivery SET state = 'rejected', open = NULL, reopen = :reopen, about = :about, reason = :reason,"
    f" {_REPLY} WHERE {_OURS}"
)
_PAUSE = text(
    "UPDATE subscriber SET pauses = pauses | :pause WHERE id = (SELECT subscriber_id FROM delivery WHERE id = :id)"
)
_DOUBT = text(f"UPDATE delivery SET state = 'uncertain', not_before = :retry, {_REPLY} WHERE {_OURS}")
_ATTEMPT = text(
    "INSERT INTO attempt (delivery_id, n, at, provider, outcome, code, status, diagnostic)"
    " SELECT id, attempts, begun_at, :provider, :outcome, :code, :status, :diagnostic FROM delivery WHERE id = :id"
    " ON CONFLICT (delivery_id, n) DO UPDATE SET outcome = excluded.outcome, code = excluded.code,"
    " status = excluded.status, diagnostic = excluded.diagnostic"
)
# SQLite uses a partial index only when the query repeats its condition word for word.
_LEASED = "state IN ('claimed', 'submitting')"
_DOUBTFUL = "state IN ('uncertain', 'quarantined', 'rejected')"
_RELEASE_EXPIRED = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL"
    f" WHERE {_LEASED} AND state = 'claimed' AND lease_until <= :at"
)
_EXPIRED = f"{_LEASED} AND state = 'submitting' AND lease_until <= :at"
_ATTEMPT_UNKNOWN = text(
    "INSERT INTO attempt (delivery_id, n, at, provider, outcome, diagnostic)"
    f" SELECT id, attempts, begun_at, '', 'uncertain', 'the run ended before the answer' FROM delivery WHERE {_EXPIRED}"
    " ON CONFLICT (delivery_id, n) DO NOTHING"
)
_DOUBT_EXPIRED = text(
    "UPDATE delivery SET state = 'uncertain', lease_until = NULL, not_before = begun_at + :wait,"
    f" diagnostic = 'the run ended before the answer' WHERE {_EXPIRED}"
)
_IN_DOUBT = text(
    f"SELECT id, message_id, provider, resent FROM delivery WHERE {_DOUBTFUL} AND state = 'uncertain' AND open = 1"
    " AND not_before <= :at ORDER BY id"
)
_RESEND = text(
    "UPDATE delivery SET state = 'planned', resent = CASE WHEN :resent = 1 THEN 1 ELSE resent END, not_before = :at"
    " WHERE id = :id AND state = 'uncertain'"
)
_HOLD_DOUBT = text("UPDATE delivery SET open = NULL, reason = 'held' WHERE id = :id AND state = 'uncertain'")
# Doubt and quarantine let the sequence go on, one `every` after the attempt.
_PASS_ON = text(
    "UPDATE subscriber SET anchor_at = COALESCE(d.begun_at, :at), handed_over_at = COALESCE(d.begun_at, handed_over_at)"
    " FROM (SELECT subscriber_id, begun_at FROM delivery WHERE id = :id) AS d WHERE subscriber.id = d.subscriber_id"
)
_ACCEPT_UNCERTAIN = text(
    "UPDATE delivery SET state = 'accepted', open = NULL, reopen = 0, accepted_at = COALESCE(:at, begun_at),"
    " diagnostic = :why,"
    f" late = CASE WHEN copy = 0 AND {_IS_BEHIND} THEN 1 ELSE late END WHERE id = :id AND state = 'uncertain'"
)
_FAULT = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL, faults = faults + 1, not_before = :retry, diagnostic"
    " = :diagnostic"
    f" WHERE {_MINE} AND state = 'claimed'"
)
_QUARANTINE = text(
    f"UPDATE delivery SET state = 'quarantined', open = NULL WHERE {_MINE} AND state = 'planned' AND faults >= :most"
)
_TAKE_BACK = text(
    # Mended or not, what leaves next is the post of that day: the refused bytes never arrived.
    "UPDATE delivery SET state = 'planned', open = 1, about = NULL, not_before = :at,"
    " revision = NULL, date = NULL, recipient = NULL, content = NULL"
    f" WHERE {_MINE} AND state = 'rejected' AND about = 'message'"
)
_SETTLING = text(
    "SELECT d.id, d.attempts, (SELECT COUNT(*) FROM delivery o WHERE o.subscriber_id = d.subscriber_id AND o.open = 1"
    " AND o.id <> d.id)"
    " AS other FROM delivery d WHERE d.id = :id AND d.state IN ('uncertain', 'quarantined')"
)
_SEND_AGAIN = text(
    "UPDATE delivery SET state = 'planned', open = 1, reason = '', faults = 0, resent = CASE WHEN attempts > 0 THEN 1"
    " ELSE 0 END,"
    " slot = :at, not_before = (SELECT CASE WHEN COALESCE(s.handed_over_at, 0) + :gap > :at THEN s.handed_over_at +"
    " :gap ELSE :at END"
    "  FROM subscriber s WHERE s.id = delivery.subscriber_id),"
    f" late = CASE WHEN {_IS_BEHIND} THEN 1 ELSE late END WHERE id = :id AND state IN ('uncertain', 'quarantined')"
)
_GOT = "EXISTS (SELECT 1 FROM delivery g WHERE g.post_id = p.id AND g.subscriber_id = s.id AND g.epoch = s.epoch AND g.state = 'accepted')"
_PASSED = "p.number <= COALESCE((SELECT h.number FROM post h WHERE h.id = s.high_water), s.floor)"
_WHICH = {
    # Those whose sequence went by without it; news: everybody who does not have it.
    "missing": f"NOT {_GOT} AND ({_PASSED} OR (:news = 1 AND p.release_at < :at))",
    "failed": f"NOT {_GOT} AND EXISTS (SELECT 1 FROM delivery f WHERE f.post_id = p.id AND f.subscriber_id = s.id"
    " AND f.epoch = s.epoch AND f.state IN ('rejected', 'quarantined'))",
    "revised": f"{_GOT} AND NOT EXISTS (SELECT 1 FROM delivery g WHERE g.post_id = p.id AND g.subscriber_id = s.id"
    " AND g.epoch = s.epoch AND g.state = 'accepted' AND g.revision = :revision)",
}
_COPIES = (
    "INSERT INTO delivery (post_id, subscriber_id, epoch, copy, number, late, state, open, slot, not_before,"
    " planned_at)"
    " SELECT p.id, s.id, s.epoch, 1 + COALESCE((SELECT MAX(m.copy) FROM delivery m WHERE m.post_id = p.id AND"
    " m.subscriber_id = s.id"
    "  AND m.epoch = s.epoch), 0), p.number, 1, 'planned', 1, :at, {greatest}(:at, COALESCE(s.handed_over_at + :gap,"
    " 0)), :at"
    " FROM subscriber s JOIN post p ON p.number = :number AND p.status IN ('live', 'draft') AND p.standing <> 'blocks'"
    " WHERE s.status = 'active' AND s.pauses = 0 AND :revision = :revision AND :news = :news"
    " AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.subscriber_id = s.id AND o.open = 1) AND {which}"
    " ORDER BY s.id"
)
_PROMISE_COPIES = text(
    "INSERT INTO promise (at, post_id, kind, count) SELECT :at, id, 'copy', :count FROM post WHERE number = :number"
    " AND status IN ('live', 'draft') AND standing <> 'blocks' AND :count > 0"
)
_KEEP = text(
    "INSERT INTO template (revision, post_id, created_at, body) VALUES (:revision, :post, :at, :body)"
    " ON CONFLICT (revision) DO NOTHING"
)
