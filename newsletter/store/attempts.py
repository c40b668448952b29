"""Attempts: what is claimed, what begins, and what came of it, row by row on a connection.

The ledger's verbs say when; here stands how. Whole windows of rows go to the database in one statement, straight
through the driver.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from newsletter.mail import About, Accepted, Address, Deferred, Mailbox, Outcome, Rejected, Reply, Uncertain
from newsletter.store import ledger_sql as sql
from newsletter.store.arrays import in_arrays
from newsletter.store.engine import straight
from newsletter.store.schema import micros, optional_instant
from newsletter.subscribers import Pause

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


class Result(NamedTuple):
    """An outcome with what it does next."""

    claim: Claim
    outcome: Outcome
    retry_at: datetime | None = None  #: of a Deferred; None = given up for this time


def fenced(claim: Claim) -> dict[str, Any]:
    return {"id": claim.id, "fence": claim.fence}


def claim(c: Connection, values: dict[str, Any], without: Collection[str]) -> tuple[list[Claim], tuple[int, int]]:
    """Claim the next that are due, in the order in which they fell due; and the last one's place in it.

    On PostgreSQL those that another worker is just claiming are passed over.
    """
    skip_locked = "FOR UPDATE OF d SKIP LOCKED" if c.dialect.name == "postgresql" else ""
    left_out = {f"without_{n}": f"%@{domain}" for n, domain in enumerate(sorted(without))}
    elsewhere = "".join(f" AND s.key NOT LIKE :{name}" for name in left_out)
    rows = _driver(c, sql.CLAIMABLE.format(skip_locked=skip_locked, elsewhere=elsewhere), values | left_out)
    if not rows:
        return [], (-1, -1)
    _driver(c, sql.CLAIM, {"lease": values["lease"], "ids": [row[:1] for row in rows]})
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
    if c.dialect.name == "postgresql":
        return straight(c, *in_arrays(statement, values))
    sizes = tuple((len(v), len(v[0])) if isinstance(v, list) else None for v in values.values())
    spelled, names = _spelled(statement, tuple(values), sizes)
    bound: list[Any] = []
    for name in names:
        value = values[name]
        bound.extend(chain.from_iterable(value)) if isinstance(value, list) else bound.append(value)
    return straight(c, spelled, bound)


@lru_cache(maxsize=512)
def _spelled(
    statement: str, names: tuple[str, ...], sizes: tuple[tuple[int, int] | None, ...]
) -> tuple[str, list[str]]:
    """*statement* with the driver's marks, and the names of its values in their order."""
    size, order = dict(zip(names, sizes, strict=True)), list[str]()

    def place(found: re.Match[str]) -> str:
        order.append(found[1])
        if (rows := size[found[1]]) is None:
            return "?"
        return ", ".join([f"({', '.join(['?'] * rows[1])})"] * rows[0])

    return _PLACE.sub(place, statement), order


def begin(c: Connection, attempts: Sequence[Begun], provider: str, at: datetime, lease: timedelta) -> set[int]:
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
        c.execute(sql.WITHDRAW, [fenced(a.claim) for a in attempts if a.claim.id not in begun])
    return begun


def record(c: Connection, results: Sequence[Result], provider: str, at: datetime, doubt_for: timedelta) -> int:
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
    values: dict[str, Any] = fenced(result.claim) | {
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
