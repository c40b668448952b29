"""Posts and readers put straight into a store, and the ledger's verbs with the arguments a run would give.

No files, no messages, no provider: what is tested with it is the store alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from newsletter.catalogue import Entry, Standing, Survey
from newsletter.config import Identity, Rules
from newsletter.mail import About, Accepted, Address, Mailbox, Outcome, Rejected, Reply
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.attempts import Begun, Claim, Result
from newsletter.store.planning import Planned
from newsletter.subscribers import Row

IDENTITY = Identity("Letters", Mailbox("Maya", Address.parse("maya@letters.example.org")), "12 Birch Lane")
SLOT = datetime(2026, 3, 2, 9, tzinfo=UTC)  #: a Monday's
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LEASE, DOUBT = 20 * MINUTE, 10 * MINUTE
PROMPT = timedelta(hours=12)
BUSY = Reply(451, "4.7.1", "try again later")
GONE = Rejected(Reply(550, "5.1.1", "no such user"), About.ADDRESS)
SPAM = Rejected(Reply(554, "5.7.1", "looks like spam"), About.MESSAGE)


def hashed(key: str) -> str:
    """Stands in for the keyed hash."""
    return f"hash-{len(key)}-{sum(ord(c) * n for n, c in enumerate(key, 1))}"


def row(reader: str, **changes: Any) -> Row:
    """The row of *reader* in a file."""
    return Row(2, Address.parse(f"{reader}@example.org"), **changes)


class Desk:
    """One store at one instant; a second one on the same store is another worker."""

    def __init__(self, store: Store, *, at: datetime = SLOT, **rules: Any) -> None:
        self.store, self.at = store, at
        self.rules = Rules(**{"every": 1, **rules})
        self._posts: dict[int, Entry] = {}

    def publish(self, *numbers: int, **changes: Any) -> None:
        """Put live posts into the catalogue, as known for long."""
        long_ago = SLOT - 30 * DAY
        for n in numbers:
            entry = Entry(f"post-{n}", n, f"{n:03d}-post.md", f"Post {n}", f"digest-{n}", "live", Standing.LIVE)
            self._posts[n] = replace(entry, present_from=long_ago, live_since=long_ago, **changes)
        self.store.catalogue.apply(Survey(tuple(self._posts.values()), ()), at=self.at, first=True)
        for entry in self.store.catalogue.entries():
            assert entry.key is not None
            self.store.ledger.keep_template(f"revision-{entry.number}", entry.key, b"template", at=self.at)

    def join(self, *names: str, **changes: Any) -> None:
        """Readers who have been active since yesterday."""
        rows = [row(name, **changes) for name in names]
        self.store.audience.import_rows(rows, confirmed=True, floor=-1, fingerprint=hashed, at=self.at - DAY)

    def plan(self) -> Planned:
        return self.store.planner.plan(IDENTITY, self.rules, at=self.at)

    def claim(self, size: int = 500) -> list[Claim]:
        """Everything that may leave now."""
        batches = self.store.ledger.claims(at=self.at, lease=LEASE, prompt=PROMPT, size=size)
        return [claim for batch in batches for claim in batch]

    def begin(self, claims: Iterable[Claim], **changes: Any) -> set[int]:
        attempts = [self.begun(claim)._replace(**changes) for claim in claims]
        return self.store.ledger.begin(attempts, provider="fake", at=self.at, lease=LEASE)

    def begun(self, claim: Claim) -> Begun:
        revision = claim.revision or f"revision-{claim.ident.removeprefix('post-')}"
        ident = f"{claim.ident}.{claim.token.hex()}.{claim.copy}@letters.example.org"
        return Begun(claim, revision, claim.first_at or self.at, ident, claim.content or "content")

    def record(self, claims: Iterable[Claim], outcome: Outcome, retry: timedelta | None = None) -> int:
        results = [Result(c, outcome, self.at + retry if retry else None) for c in claims]
        return self.store.ledger.record(results, provider="fake", at=self.at, doubt_for=DOUBT)

    def submitting(self) -> list[Claim]:
        """Plan, claim and begin what is due."""
        self.plan()
        claims = self.claim()
        assert self.begin(claims) == {c.id for c in claims}
        return claims

    def deliver(self, outcome: Outcome | None = None, retry: timedelta | None = None) -> list[Claim]:
        """A whole run, with one outcome for all."""
        claims = self.submitting()
        self.record(claims, outcome or Accepted("id-1"), retry)
        return claims

    def sweep(self) -> int:
        return self.store.ledger.sweep(at=self.at, doubt_for=DOUBT)

    # Questions

    def record_of(self, name: str, number: int = 1, copy: int = 0) -> Record:
        reader = self.store.audience.find(f"{name}@example.org")
        (found,) = [r for r in self.store.accounts.history(reader) if r.post == number and r.copy == copy]
        return found

    def states(self, name: str) -> list[str]:
        """``1 accepted`` for every delivery to *name*, by number."""
        reader = self.store.audience.find(f"{name}@example.org")
        found = sorted(self.store.accounts.history(reader), key=lambda r: (r.post, r.copy))
        return [f"{r.post} {r.state}" for r in found]

    def sql(self, statement: str, **values: Any) -> int:
        """Change rows behind the ledger's back; returns how many."""
        with self.store.write() as c:
            return c.execute(text(statement), values).rowcount

    def ask(self, question: str, **values: Any) -> Sequence[Any]:
        with self.store.read() as c:
            return [tuple(r) for r in c.execute(text(question), values)]

    def verify(self) -> list[str]:
        return self.store.accounts.verify()
