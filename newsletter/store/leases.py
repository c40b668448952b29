"""A worker's hold on the ledger: one batch, under short leases that the worker prolongs while it lives.

A run on one machine leases for longer than any answer takes. Among workers that is too long: what a dead one had must
go on elsewhere in seconds. So a lease is short here, and whoever is frozen loses it; the fence does the rest.

Guarantees
    A commit whose answer was lost is asked for once more, and done once: results are recorded where the fence and the
    state still fit, and an attempt that had begun is found again by its instant.

What goes wrong
    A database that stays away: after `_PATIENCE` the batch ends; what had no result recorded is in doubt, and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from newsletter.errors import StoreError
from newsletter.store.attempts import Begun, Claim, Result, begin, record
from newsletter.store.ledger import Ledger
from newsletter.store.schema import micros

if TYPE_CHECKING:
    from newsletter.store import Store

LEASE = timedelta(seconds=10)  #: with a beat of two seconds a batch goes on elsewhere within fifteen
_AGAIN = timedelta(seconds=1)  # between two attempts to reach the database
_PATIENCE = 120  # attempts


class Leased(Ledger):
    """The ledger for one batch of *size* deliveries; *open* are those that the worker must prolong."""

    def __init__(self, store: Store, *, size: int, wait: Callable[[timedelta], None]) -> None:
        super().__init__(store)
        self.open: dict[int, int] = {}  # delivery → fence
        self._left, self._wait = size, wait

    def sweep(self, *, at: datetime, doubt_for: timedelta) -> int:
        """Nothing: a beat sweeps once for all workers."""
        return 0

    def claims(self, *, lease: timedelta, size: int = 0, **rest: Any) -> Iterator[list[Claim]]:
        if self._left <= 0:
            return
        for batch in super().claims(lease=LEASE, size=self._left, **rest):
            self.open |= {claim.id: claim.fence for claim in batch}
            self._left -= len(batch)
            yield batch
            if self._left <= 0:
                return

    def release(self, claims: Iterable[Claim]) -> None:
        claims = list(claims)
        super().release(claims)
        self._let_go(claim.id for claim in claims)

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
        if not results and not attempts:
            return set()

        def work(c: Connection) -> set[int]:
            record(c, results, provider, at, doubt_for)
            return begin(c, attempts, provider, at, LEASE)

        begun = self._surely(work, attempts, at)
        self._let_go(result.claim.id for result in results)
        self._let_go(a.claim.id for a in attempts if a.claim.id not in begun)
        return begun

    def _surely(self, work: Callable[[Connection], set[int]], attempts: Sequence[Begun], at: datetime) -> set[int]:
        """What *work* returns; done anew for as long as nobody says that it was done."""
        for patience in range(_PATIENCE, -1, -1):
            again = patience < _PATIENCE
            try:
                with self._store.write() as c:
                    begun = work(c)
                    return begun | _begun_before(c, attempts, at) if again else begun
            except StoreError:
                if not patience:
                    raise
                self._wait(_AGAIN)
        raise AssertionError("the last attempt returns or raises")

    def _let_go(self, deliveries: Iterable[int]) -> None:
        for delivery in deliveries:
            self.open.pop(delivery, None)


def _begun_before(c: Connection, attempts: Sequence[Begun], at: datetime) -> set[int]:
    """Of *attempts*, those that began with a commit whose answer never came; nothing of them was submitted yet."""
    values = {
        "ids": [a.claim.id for a in attempts],
        "fences": [a.claim.fence for a in attempts],
        "at": micros(at),
    }
    return {row[0] for row in c.execute(_BEGUN_BEFORE, values)} if attempts else set()


_BEGUN_BEFORE = text(
    "SELECT d.id FROM delivery d JOIN unnest(CAST(:ids AS BIGINT[]), CAST(:fences AS INTEGER[])) AS mine (id, fence)"
    " ON d.id = mine.id AND d.fence = mine.fence WHERE d.state = 'submitting' AND d.begun_at = :at"
)
