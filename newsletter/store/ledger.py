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

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from newsletter.errors import NotFound, StoreError
from newsletter.store import ledger_sql as sql
from newsletter.store.attempts import (
    FAULTS_MAX,
    Begun,
    Claim,
    Result,
    accept_uncertain,
    begin,
    claim,
    fenced,
    record,
)
from newsletter.store.engine import plan_alone
from newsletter.store.schema import instant, micros
from newsletter.subscribers import Pause

if TYPE_CHECKING:
    from newsletter.store import Store


@dataclass(frozen=True, slots=True)
class Doubt:
    """One delivery that was handed over and never answered."""

    delivery: int
    message_id: str
    provider: str
    resent: bool  #: it was sent once more already
    since: datetime  #: its last attempt began


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
            c.execute(sql.RELEASE_EXPIRED, values)
            c.execute(sql.ATTEMPT_UNKNOWN, values)
            return c.execute(sql.DOUBT_EXPIRED, values).rowcount

    def claims(
        self,
        *,
        at: datetime,
        lease: timedelta,
        prompt: timedelta,
        size: int = 500,
        clock: Callable[[], datetime] | None = None,
        room: Callable[[int], int] | None = None,
        without: Collection[str] = (),
    ) -> Iterator[list[Claim]]:
        """Batch after batch of what may leave *at* this instant, each a durable claim. A lease begins when it is given.

        A row that is passed over in one batch (its zone asleep, its post held) is not looked at again here,
        so a run costs one walk over what is due, however much of it must wait. Before each batch *room* is asked how
        many it may have (none: the end), and addresses of the domains in *without* are left out.
        """
        after: tuple[int, int] = (-1, -1)
        while limit := room(size) if room else size:
            with self._store.write() as c:
                values = {
                    "at": micros(at),
                    "late": micros(at - prompt),
                    "lease": micros((clock() if clock else at) + lease),
                    "size": limit,
                    "after_time": after[0],
                    "after_id": after[1],
                }
                batch, last = claim(c, values, without)
            if not batch:
                return
            after = last
            yield batch

    def release(self, claims: Iterable[Claim]) -> None:
        """Give deliveries back that certainly were not handed over, whether or not they had begun."""
        rows = [fenced(claim) for claim in claims]
        if rows:
            with self._store.write() as c:
                c.execute(sql.RELEASE, rows)

    # Attempts

    def begin(self, attempts: Sequence[Begun], *, provider: str, at: datetime, lease: timedelta) -> set[int]:
        """Make attempts durable; returns the deliveries that may really be submitted.

        Missing from it: whose lease another worker took, and who left, was suppressed or paused in the
        meantime; the latter are withdrawn.
        """
        if not attempts:
            return set()
        with self._store.write() as c:
            return begin(c, attempts, provider, at, lease)

    def record(self, results: Sequence[Result], *, provider: str, at: datetime, doubt_for: timedelta) -> int:
        """Keep what came of attempts, in one commit; returns how many came too late to count."""
        if not results:
            return 0
        with self._store.write() as c:
            return record(c, results, provider, at, doubt_for)

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
        """`record` *results* and `begin` *attempts* in one commit: half the price, and no moment between them."""
        if not results and not attempts:
            return set()
        with self._store.write() as c:
            record(c, results, provider, at, doubt_for)
            return begin(c, attempts, provider, at, lease)

    def fault(self, claim: Claim, problem: str, *, at: datetime, wait: timedelta) -> bool:
        """A message could not be composed: try it again later, or quarantine it. True when quarantined."""
        values = fenced(claim) | {
            "diagnostic": problem,
            "at": micros(at),
            "retry": micros(at + wait),
            "most": FAULTS_MAX,
            "subscriber_at": micros(at),
        }
        with self._store.write() as c:
            c.execute(sql.FAULT, values)
            quarantined = c.execute(sql.QUARANTINE, values).rowcount == 1
            if quarantined:
                c.execute(sql.PASS_ON, values)  # the sequence goes on after one `every`
            return quarantined

    def take_back(self, claims: Iterable[Claim], *, at: datetime) -> None:
        """Undo refusals: the provider's trouble was not these readers'."""
        rows = [fenced(claim) | {"at": micros(at), "others": ~int(Pause.ADDRESS)} for claim in claims]
        if rows:
            with self._store.write() as c:
                c.execute(sql.UNBLAME, rows)
                c.execute(sql.TAKE_BACK, rows)

    # Doubt

    def in_doubt(self, *, at: datetime) -> list[Doubt]:
        """Every open doubt whose waiting time is over."""
        with self._store.read() as c:
            return [
                Doubt(r.id, r.message_id, r.provider or "", bool(r.resent), instant(r.begun_at))
                for r in c.execute(sql.IN_DOUBT, {"at": micros(at)})
            ]

    def settle_doubt(self, delivery: int, *, arrived: bool | None, at: datetime, resend: bool) -> None:
        """Close one doubt: it *arrived*, it did not, or (None) nobody can say: then *resend* once or hold."""
        with self._store.write() as c:
            values = {"id": delivery, "at": micros(at)}
            if arrived:
                accept_uncertain(c, delivery, at=None, why="found at the provider")
            elif arrived is False or resend:
                c.execute(sql.RESEND, values | {"resent": int(arrived is None)})
            else:
                c.execute(sql.HOLD_DOUBT, values)
                c.execute(sql.PASS_ON, values)

    def settle(self, delivery: int, *, accepted: bool, at: datetime, gap: timedelta = timedelta(0)) -> None:
        """The owner closes a doubt or a quarantine by hand: it arrived, or it is to be sent again after *gap*.

        Raises `NotFound` when the delivery is in neither, `StoreError` when another post is under way.
        """
        with self._store.write() as c:
            row = c.execute(sql.SETTLING, {"id": delivery}).one_or_none()
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
                accept_uncertain(c, delivery, at=None, why="settled by the owner")
            else:
                c.execute(sql.SEND_AGAIN, {"id": delivery, "at": micros(at), "gap": gap // timedelta(microseconds=1)})

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
        """Plan copies of post *number* for those who are "missing" it, whom it "failed", or who had it "revised" since.

        Only a live post leaves. Readers with a post under way, or not yet at this post (unless posts are *news*, for
        everybody at once), are left to the planner. Returns how many.
        """
        values = {
            "number": number,
            "at": micros(at),
            "gap": gap // timedelta(microseconds=1),
            "revision": revision,
            "news": int(news),
        }
        statement = text(sql.COPIES.format(which=sql.WHICH[which], greatest=self._greatest))
        try:
            with self._store.write() as c:
                plan_alone(c)
                count = c.execute(statement, values).rowcount
                if dry_run:
                    raise _DryRun
                c.execute(sql.PROMISE_COPIES, values | {"count": count})
                c.execute(sql.SETTLE_AUDIENCE, values | {"count": count})
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
            c.execute(sql.KEEP, {"revision": revision, "post": post_id, "at": micros(at), "body": body})

    def any_template(self) -> bool:
        """Whether a message was ever made, with links that are signed."""
        with self._store.read() as c:
            return c.scalar(text("SELECT 1 FROM template LIMIT 1")) is not None

    def template(self, revision: str) -> bytes | None:
        """The compiled template of *revision*."""
        with self._store.read() as c:
            body = c.scalar(text("SELECT body FROM template WHERE revision = :r"), {"r": revision})
            return None if body is None else bytes(body)
