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
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, text

from newsletter.errors import NotFound, StoreError
from newsletter.mail import About, Accepted, Address, Deferred, Mailbox, Outcome, Rejected, Reply, Uncertain
from newsletter.store import ledger_sql as sql
from newsletter.store.engine import straight
from newsletter.store.schema import instant, micros, optional_instant
from newsletter.subscribers import Pause

if TYPE_CHECKING:
    from newsletter.store import Store

_JSON = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes an encoder each time
_NO_REPLY = Reply(0, "", "")
_PLACE = re.compile(r":(\w+)")
FAULTS_MAX = 5  #: times a message may fail to be composed, or break the connection to the server


class Claim(NamedTuple):
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
    content: str | None  #: the hash of its bytes, without signatures


class Begun(NamedTuple):
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
    since: datetime  #: its last attempt began


class Result(NamedTuple):
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
                skip_locked = "FOR UPDATE OF d SKIP LOCKED" if c.dialect.name == "postgresql" else ""
                values = {
                    "at": micros(at),
                    "late": micros(at - prompt),
                    "lease": micros((clock() if clock else at) + lease),
                    "size": limit,
                    "after_time": after[0],
                    "after_id": after[1],
                }
                left_out = {f"without_{n}": f"%@{domain}" for n, domain in enumerate(sorted(without))}
                elsewhere = "".join(f" AND s.key NOT LIKE :{name}" for name in left_out)
                claim = text(sql.CLAIM.format(skip_locked=skip_locked, elsewhere=elsewhere))
                ids = [row[0] for row in c.execute(claim, values | left_out)]
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
                c.execute(sql.RELEASE, rows)

    def withdraw_inactive(self) -> int:
        """Withdraw what is planned for people who left, were suppressed or paused; returns how many."""
        with self._store.write() as c:
            return c.execute(sql.WITHDRAW_INACTIVE).rowcount

    # Attempts

    def begin(self, attempts: Sequence[Begun], *, provider: str, at: datetime, lease: timedelta) -> set[int]:
        """Make attempts durable; returns the deliveries that may really be submitted.

        Missing from it: whose lease another worker took, and who left, was suppressed or paused in the
        meantime; the latter are withdrawn.
        """
        if not attempts:
            return set()
        with self._store.write() as c:
            return _begin(c, attempts, provider, at, lease)

    def record(self, results: Sequence[Result], *, provider: str, at: datetime, doubt_for: timedelta) -> int:
        """Keep what came of attempts, in one commit; returns how many came too late to count."""
        if not results:
            return 0
        with self._store.write() as c:
            return _record(c, results, provider, at, doubt_for)

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
            _record(c, results, provider, at, doubt_for)
            return _begin(c, attempts, provider, at, lease)

    def fault(self, claim: Claim, problem: str, *, at: datetime, wait: timedelta) -> bool:
        """A message could not be composed: try it again later, or quarantine it. True when quarantined."""
        values = _fenced(claim) | {
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
        rows = [_fenced(claim) | {"at": micros(at), "others": ~int(Pause.ADDRESS)} for claim in claims]
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


def _fenced(claim: Claim) -> dict[str, Any]:
    return {"id": claim.id, "fence": claim.fence}


def _read_claims(c: Connection, ids: list[int]) -> tuple[list[Claim], tuple[int, int]]:
    """The claims in the order in which they fell due, and the last one's place in it."""
    if not ids:
        return [], (-1, -1)
    rows = _driver(c, sql.READ_CLAIMS, {"ids": [[i] for i in ids]})
    claims = []
    for (
        key, fence, post_id, ident, epoch, copy, attempts, date, revision, content, recipient, token, name, address,
        _not_before,
    ) in rows:  # fmt: skip
        if revision:
            name, address = json.loads(recipient)
        local, _, domain = address.rpartition("@")
        mailbox = Mailbox(name, Address(local, domain))
        first_at = optional_instant(date)
        claims.append(
            Claim(key, fence, post_id, ident, epoch, copy, attempts, bytes(token), mailbox, first_at, revision, content)
        )
    return claims, (rows[-1][-1], claims[-1].id)


def _driver(c: Connection, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What *statement* returns; a list of rows among its *values* becomes ``(?, ?), (?, ?)``."""
    sizes = tuple((len(v), len(v[0])) if isinstance(v, list) else None for v in values.values())
    spelled, names = _spelled(statement, c.dialect.paramstyle, tuple(values), sizes)
    bound: list[Any] = []
    for name in names:
        value = values[name]
        bound.extend(chain.from_iterable(value)) if isinstance(value, list) else bound.append(value)
    return straight(c, spelled, bound)


@lru_cache(maxsize=512)
def _spelled(
    statement: str, paramstyle: str, names: tuple[str, ...], sizes: tuple[tuple[int, int] | None, ...]
) -> tuple[str, list[str]]:
    """*statement* with the driver's marks, and the names of its values in their order."""
    mark = "?" if paramstyle == "qmark" else "%s"
    size, order = dict(zip(names, sizes, strict=True)), list[str]()

    def place(found: re.Match[str]) -> str:
        order.append(found[1])
        if (rows := size[found[1]]) is None:
            return mark
        return ", ".join([f"({', '.join([mark] * rows[1])})"] * rows[0])

    return _PLACE.sub(place, statement), order


def _begin(c: Connection, attempts: Sequence[Begun], provider: str, at: datetime, lease: timedelta) -> set[int]:
    if not attempts:
        return set()
    rows = [
        (
            a.claim.id,
            a.claim.fence,
            a.revision,
            micros(a.date),
            _JSON([a.claim.recipient.name, str(a.claim.recipient.address)]),
            a.message_id,
            a.content,
        )
        for a in attempts
    ]
    values = {"at": micros(at), "lease": micros(at + lease), "provider": provider, "rows": rows}
    begun = {row[0] for row in _driver(c, sql.BEGIN, values)}
    if len(begun) < len(attempts):
        c.execute(sql.WITHDRAW, [_fenced(a.claim) for a in attempts if a.claim.id not in begun])
    return begun


def _record(c: Connection, results: Sequence[Result], provider: str, at: datetime, doubt_for: timedelta) -> int:
    """Returns how many came too late: another worker holds the delivery by now."""
    accepted = [r for r in results if isinstance(r.outcome, Accepted)]
    lost = len(accepted) - _accept(c, accepted, provider, at)
    for result in results:
        if not isinstance(result.outcome, Accepted):
            lost += not _record_other(c, result, provider, at, doubt_for)
    return lost


def _accept(c: Connection, results: Sequence[Result], provider: str, at: datetime) -> int:
    """What nearly every message comes to, set by set."""
    if not results:
        return 0
    rows = []
    for r in results:
        assert isinstance(r.outcome, Accepted)
        reply = r.outcome.reply or _NO_REPLY
        words = (reply.code or None, reply.status or None, reply.text or None)
        rows.append((r.claim.id, r.claim.fence, r.outcome.provider_id or None, *words))
    values = {"at": micros(at), "provider": provider, "rows": rows}
    if done := _driver(c, sql.ACCEPT, values):
        _driver(c, sql.ADVANCE_ALL, {"at": micros(at), "ids": done})
        _driver(c, sql.ATTEMPT_ACCEPTED, {"ids": done})
    return len(done)


def _record_other(c: Connection, result: Result, provider: str, at: datetime, doubt_for: timedelta) -> bool:
    """One result that isn't `Accepted`; False when another worker holds the delivery by now."""
    outcome = result.outcome
    assert not isinstance(outcome, Accepted)
    reply = outcome.diagnostic if isinstance(outcome, Uncertain) else outcome.reply
    words = reply if isinstance(reply, Reply) else Reply(0, "", reply)
    values: dict[str, Any] = _fenced(result.claim) | {
        "at": micros(at),
        "provider": provider,
        "code": words.code or None,
        "status": words.status or None,
        "diagnostic": words.text or None,
    }
    match outcome:
        case Deferred() if result.retry_at is not None:
            values |= {"retry": micros(result.retry_at), "faults": int(outcome.poison), "most": FAULTS_MAX}
            done = c.execute(sql.DEFER, values).rowcount
            if done and outcome.poison and c.execute(sql.QUARANTINE, values).rowcount:
                c.execute(sql.PASS_ON, values)
        case Deferred():
            done = c.execute(sql.GIVE_UP, values).rowcount
            if done:
                c.execute(sql.STRIKE, values)
        case Rejected():
            blamed = outcome.about is About.ADDRESS
            verdict = {
                "about": outcome.about.value,
                "reopen": int(blamed),
                "reason": "dead" if outcome.suppress else "",
            }
            done = c.execute(sql.REJECT, values | verdict).rowcount
            if done and blamed:
                c.execute(sql.PAUSE, values | {"pause": int(Pause.ADDRESS)})
        case Uncertain():
            done = c.execute(sql.DOUBT, values | {"retry": micros(at + doubt_for)}).rowcount
    if done:
        c.execute(sql.ATTEMPT, values | {"outcome": type(outcome).__name__.lower()})
    return bool(done)


def accept_uncertain(c: Connection, delivery: int, *, at: datetime | None, why: str) -> None:
    """Settle an uncertain delivery as accepted, at *at* or (None) when it was last handed over."""
    values = {"id": delivery, "at": micros(at) if at else None, "why": why}
    c.execute(sql.ACCEPT_UNCERTAIN, values)
    begun = c.scalar(text("SELECT accepted_at FROM delivery WHERE id = :id"), values)
    c.execute(sql.ADVANCE, values | {"at": begun})
    c.execute(
        text(
            "UPDATE attempt SET outcome = 'accepted', diagnostic = :why WHERE delivery_id = :id AND n ="
            " (SELECT attempts FROM delivery WHERE id = :id)"
        ),
        values,
    )


def send_again(c: Connection, subscriber: int, at: datetime) -> int:
    """Plan anew what came back since the last letter that did not; returns how many."""
    posts = [row[0] for row in c.execute(sql.AGAIN, {"subscriber": subscriber, "at": micros(at)})]
    for post in posts:
        c.execute(sql.PROMISE_COPY, {"post": post, "at": micros(at)})
    return len(posts)
