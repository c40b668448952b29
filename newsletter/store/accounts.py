"""Questions to the ledger: who got #4, one reader's history, counts, and whether the accounts balance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.store.ledger_sql import BELIEVED
from newsletter.store.requests import Evidence
from newsletter.store.schema import State, instant, optional_instant
from newsletter.store.verifying import contradictions

if TYPE_CHECKING:
    from newsletter.store import Store
    from newsletter.store.audience import Reader


@dataclass(frozen=True, slots=True)
class Record:
    """One delivery as the owner sees it."""

    id: int
    address: str
    post: int  #: the post's number today
    ident: str
    title: str
    state: State
    reason: str
    at: datetime  #: when it came to that
    copy: int
    late: bool
    slot: datetime
    message_id: str
    attempts: int
    resent: bool  #: sent again after doubt: may have arrived twice
    reply: str  #: the provider's last words
    revision: str | None
    date: datetime | None
    recipient: tuple[str, str] | None  #: name and address of the first attempt
    content: str | None
    token: bytes
    epoch: int
    about_address: bool  #: what a rejection was about; else about the message
    suppressed: bool  #: the reader, whom nothing more is sent
    came_back_at: datetime | None  #: accepted, and a failure was told of afterwards
    came_back: str  #: what was told of it
    complained_at: datetime | None  #: the reader called it spam


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that was told about a reader."""

    at: datetime
    kind: str
    source: str
    effect: str
    post: int | None  #: the number of the post whose letter it was about
    reply: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How one post fared, from what servers and readers said; nothing is known of who read it."""

    accepted: int = 0
    failed: int = 0  #: rejected, or accepted and came back
    complained: int = 0
    unsubscribed: int = 0  #: after this post, before the next


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt."""

    n: int
    at: datetime
    provider: str
    outcome: str
    reply: str


class Accounts:
    """Read-only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def who_got(self, number: int) -> Iterator[Record]:
        """Every delivery of post *number*, streamed."""
        yield from self._records("p.number = :number", {"number": number})

    def history(self, reader: Reader) -> list[Record]:
        """Every delivery to one reader, in order of time."""
        found = self._records("d.subscriber_id = :id AND d.post_id IN (SELECT id FROM post)", {"id": reader.id})
        return sorted(found, key=lambda r: (r.at, r.id))

    def consent(self, reader: Reader) -> list[tuple[datetime, str, str, str]]:
        """(at, cause, status after it, detail), oldest first."""
        with self._store.read() as c:
            sql = text("SELECT at, cause, status, detail FROM consent WHERE subscriber_id = :id ORDER BY id")
            return [(instant(r[0]), r[1], r[2], r[3]) for r in c.execute(sql, {"id": reader.id})]

    def evidence(self, reader: Reader) -> list[Evidence]:
        """What was shown for each row of `consent`, in its order; empty where no page was."""
        with self._store.read() as c:
            sql = text("SELECT form, wording, origin FROM consent WHERE subscriber_id = :id ORDER BY id")
            return [Evidence(r.form, r.wording, r.origin) for r in c.execute(sql, {"id": reader.id})]

    def events(self, reader: Reader) -> list[EventRecord]:
        """What was told about one reader, oldest first."""
        with self._store.read() as c:
            rows = c.execute(_EVENTS, {"id": reader.id})
            return [EventRecord(instant(r.at), r.kind, r.source, r.effect, r.number, _reply(r)) for r in rows]

    def attempts(self, delivery: int) -> list[AttemptRecord]:
        """Every attempt of one delivery."""
        with self._store.read() as c:
            sql = text(
                "SELECT n, at, provider, outcome, code, status, diagnostic FROM attempt WHERE delivery_id = :id ORDER"
                " BY n"
            )
            return [
                AttemptRecord(r.n, instant(r.at), r.provider, r.outcome, _reply(r))
                for r in c.execute(sql, {"id": delivery})
            ]

    def doubtful(self) -> list[Record]:
        """What the owner should know of: uncertain, quarantined, and rejected as long as she can do something."""
        return list(self._records(f"{_DOUBTFUL} AND (d.state <> 'rejected' OR {_UNREPAIRED})", {}))

    def came_back(self) -> list[Record]:
        """What was accepted and came back, as long as nothing was sent in its place."""
        return list(self._records(f"d.id IN ({_RETURNED}) AND d.state = 'accepted' AND {_UNREPAIRED}", {}))

    def sent_twice(self) -> list[Record]:
        """What was sent once more after doubt: at most one of the two arrived twice."""
        return list(self._records(f"d.resent = 1 AND NOT {_DOUBTFUL}", {}))

    def under_way(self) -> list[Record]:
        """What is being handed over now; if the run that did it died, so much is in doubt."""
        return list(self._records("d.state IN ('claimed', 'submitting') AND d.state = 'submitting'", {}))

    def hand_overs(self, delivery: int) -> list[datetime]:
        """When one delivery was handed over, as far as anybody knows: what was refused did not arrive."""
        return [a.at for a in self.attempts(delivery) if a.outcome in ("accepted", "uncertain")]

    def positions(self) -> dict[int, int]:
        """Active readers by the number they have come to."""
        with self._store.read() as c:
            return {r[0]: r[1] for r in c.execute(_POSITIONS)}

    def counts(self) -> dict[str, int]:
        """Deliveries by state; every state is named."""
        with self._store.read() as c:
            found = {r[0]: r[1] for r in c.execute(text("SELECT state, COUNT(*) FROM delivery GROUP BY state"))}
        return {s.value: int(found.get(s.value, 0)) for s in State}

    def by_post(self) -> list[dict[str, Any]]:
        """For each post, its number, title, standing, how many deliveries were promised, and those by state."""
        with self._store.read() as c:
            posts = (
                c.execute(text("SELECT id, number, ident, title, status, standing, reason FROM post ORDER BY number"))
                .mappings()
                .all()
            )
            counts: dict[int, dict[str, int]] = {}
            for key, state, count in c.execute(
                text("SELECT post_id, state, COUNT(*) FROM delivery GROUP BY post_id, state")
            ):
                counts.setdefault(key, {})[state] = count
            journal = text("SELECT post_id, SUM(count) FROM promise GROUP BY post_id")
            promised = {key: int(count) for key, count in c.execute(journal)}
        return [{**p, "promised": promised.get(p["id"], 0), "deliveries": counts.get(p["id"], {})} for p in posts]

    def figures(self) -> dict[str, Figures]:
        """How each post fared, by its id."""
        with self._store.read() as c:
            return {r.ident: Figures(r.accepted, r.failed, r.complained, r.unsubscribed) for r in c.execute(_FIGURES)}

    def unknown_events(self) -> int:
        """What was told about nobody we know."""
        with self._store.read() as c:
            return int(c.scalar(text("SELECT COUNT(*) FROM event WHERE effect = 'unknown'")) or 0)

    def late(self) -> dict[str, int]:
        """For each post (its id) how many who are past it still get it."""
        with self._store.read() as c:
            return {r.ident: r.n for r in c.execute(_LATE)}

    def sent_by(self, provider: str) -> int:
        """Messages *provider* accepted."""
        with self._store.read() as c:
            sql = text("SELECT COUNT(*) FROM delivery WHERE state = 'accepted' AND provider = :p")
            return int(c.scalar(sql, {"p": provider}) or 0)

    def verify(self, *, progress: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
        """Everything that contradicts the guarantees, as sentences; an empty list is a proof that they held."""
        with self._store.read() as c:
            return list(contradictions(c, progress))

    def _records(self, where: str, values: dict[str, Any]) -> Iterator[Record]:
        with self._store.read() as c:
            yield from _records(c, where, values)


def _records(c: Connection, where: str, values: dict[str, Any]) -> Iterator[Record]:
    rows = c.execute(text(_RECORDS.format(where=where)), values, execution_options={"stream_results": True})
    for r in rows:
        recipient = tuple(json.loads(r.recipient)) if r.recipient else None
        yield Record(
            r.id,
            r.address,
            r.post,
            r.ident,
            r.title,
            State(r.state),
            r.reason,
            instant(r.moment),
            r.copy,
            bool(r.late),
            instant(r.slot),
            r.message_id or "",
            r.attempts,
            bool(r.resent),
            _reply(r),
            r.revision,
            optional_instant(r.date),
            recipient,
            r.content,
            bytes(r.token),
            r.epoch,
            r.about == "address",
            r.reader_status == "suppressed",
            optional_instant(r.came_back_at),
            " ".join(str(part) for part in (r.told_code, r.told_status, r.told_diagnostic) if part),
            optional_instant(r.complained_at),
        )


def _reply(row: Any) -> str:
    return " ".join(str(part) for part in (row.code, row.status, row.diagnostic) if part)


_RECORDS = (
    "SELECT d.*, s.address, s.token, s.status AS reader_status, p.number AS post, p.ident, p.title,"
    " COALESCE(d.accepted_at, d.begun_at, d.planned_at) AS moment,"
    " b.at AS came_back_at, b.code AS told_code, b.status AS told_status, b.diagnostic AS told_diagnostic,"
    " (SELECT MIN(x.at) FROM event x WHERE x.delivery_id = d.id AND x.kind = 'complained'"
    f"  AND {BELIEVED.format(e='x')}) AS complained_at"
    " FROM delivery d JOIN post p ON p.id = d.post_id JOIN subscriber s ON s.id = d.subscriber_id"
    " LEFT JOIN event b ON d.state = 'accepted' AND b.id = (SELECT MAX(e.id) FROM event e WHERE e.delivery_id = d.id"
    f"  AND e.kind = 'bounced' AND {BELIEVED.format(e='e')})"
    " WHERE {where} ORDER BY d.id"
)
_EVENTS = text(
    "SELECT e.at, e.kind, e.source, e.effect, e.code, e.status, e.diagnostic, p.number FROM event e"
    " LEFT JOIN delivery d ON d.id = e.delivery_id LEFT JOIN post p ON p.id = d.post_id"
    " WHERE e.subscriber_id = :id ORDER BY e.id"
)
_RETURNED = f"SELECT e.delivery_id FROM event e WHERE e.kind = 'bounced' AND {BELIEVED.format(e='e')}"
_COMPLAINED = f"SELECT e.delivery_id FROM event e WHERE e.kind = 'complained' AND {BELIEVED.format(e='e')}"
# Whoever leaves has read the latest letter, not that of three weeks ago; no link tells which one it was.
_LEFT_AFTER = (
    "SELECT (SELECT d.post_id FROM delivery d WHERE d.subscriber_id = c.subscriber_id"
    " AND d.post_id IN (SELECT id FROM post) AND d.state = 'accepted' AND d.accepted_at <= c.at"
    " ORDER BY d.accepted_at DESC LIMIT 1) AS post_id FROM consent c WHERE c.cause = 'unsubscribed'"
)
_FIGURES = text(
    "SELECT p.ident, COALESCE(n.accepted, 0) AS accepted, COALESCE(n.failed, 0) AS failed,"
    " COALESCE(n.complained, 0) AS complained, COALESCE(u.n, 0) AS unsubscribed FROM post p LEFT JOIN ("
    "  SELECT d.post_id, COUNT(CASE WHEN d.state = 'accepted' THEN 1 END) AS accepted,"
    f"  COUNT(CASE WHEN d.state = 'rejected' OR (d.state = 'accepted' AND d.id IN ({_RETURNED})) THEN 1 END) AS failed,"
    f"  COUNT(CASE WHEN d.id IN ({_COMPLAINED}) THEN 1 END) AS complained"
    "  FROM delivery d GROUP BY d.post_id) n ON n.post_id = p.id"
    f" LEFT JOIN (SELECT post_id, COUNT(*) AS n FROM ({_LEFT_AFTER}) AS l GROUP BY post_id) u ON u.post_id = p.id"
    " ORDER BY p.number"
)
_DOUBTFUL = "d.state IN ('uncertain', 'quarantined', 'rejected')"
# Nothing came after it: no copy, no leaving, no new beginning.
_UNREPAIRED = (
    "(s.status IN ('active', 'suppressed') AND d.epoch = s.epoch AND NOT EXISTS (SELECT 1 FROM delivery n"
    " WHERE n.post_id = d.post_id AND n.subscriber_id = d.subscriber_id AND n.epoch = d.epoch AND n.copy > d.copy))"
)
_POSITIONS = text(
    "SELECT COALESCE((SELECT p.number FROM post p WHERE p.id = s.high_water), s.floor), COUNT(*) FROM subscriber s"
    " WHERE s.status = 'active' GROUP BY 1"
)
_LATE = text(
    "SELECT p.ident, COUNT(*) AS n FROM delivery d JOIN post p ON p.id = d.post_id WHERE d.reopen = 1 AND d.late = 1"
    " AND d.state = 'skipped' GROUP BY p.ident"
)
