"""Suppressions: addresses that get nothing more, whatever a file or an import says.

Guarantees
    An address stays suppressed after its reader was erased: what is kept is a keyed hash, from which nobody reads the
    address. A complaint is for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from newsletter.errors import NotFound, SubscriberError
from newsletter.mail import Address
from newsletter.store import audience
from newsletter.store import audience_sql as sql
from newsletter.store.attempts import send_again
from newsletter.store.audience import Fingerprint
from newsletter.store.schema import instant, micros
from newsletter.subscribers import Cause, Pause, Status, may

if TYPE_CHECKING:
    from newsletter.store import Store


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address that gets nothing more."""

    address: str  #: empty when only its hash is kept
    since: datetime
    reason: str  #: bounced, complained or forbidden; of a hash alone also erased or corrected
    detail: str  #: the server's words, or the owner's

    @property
    def liftable(self) -> bool:
        """Whether `Suppressions.lift` ends it."""
        return self.reason in (Cause.BOUNCED, Cause.FORBIDDEN)


class Suppressions:
    """What stands in `suppression`, and the readers whom it is about."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, *, fingerprint: Fingerprint) -> Iterator[Suppression]:
        """Readers who are suppressed, the latest last; then the hashes of those who are none any more."""
        with self._store.read() as c:
            for r in c.execute(_READERS):
                yield Suppression(r.address, instant(r.at), r.cause, r.detail)
            known = {fingerprint(key) for (key,) in c.execute(_EVER)}
            for r in c.execute(text("SELECT hash, at, reason FROM suppression ORDER BY at, hash")):
                if r.hash not in known:
                    yield Suppression("", instant(r.at), r.reason, "")

    def add(self, address: Address, cause: Cause, *, detail: str, fingerprint: Fingerprint, at: datetime) -> bool:
        """Send nothing more to *address*; whether it was a reader's. Raises `SubscriberError` when that can't be."""
        with self._store.write() as c:
            row = c.execute(sql.BY_KEY, {"key": address.key}).one_or_none()
            if row is None:
                audience.keep_out(c, fingerprint(address.key), cause.value, at)
                return False
            before = Status(row.status)
            if not may(before, Status.SUPPRESSED, cause, suppressed_for=audience.last_cause(c, row.id)):
                raise SubscriberError(f"{address} is {before} already, and gets nothing; that is left as it is.")
            audience.suppress(c, row.id, fingerprint(row.key), cause, at, detail)
            return True

    def lift(self, address: Address, *, fingerprint: Fingerprint, at: datetime) -> bool:
        """End a suppression; whether a reader goes on. What came back in the meantime is planned anew.

        Raises `SubscriberError` for one that is for ever, `NotFound` when there is none.
        """
        with self._store.write() as c:
            reader = c.execute(sql.BY_KEY, {"key": address.key}).one_or_none()
            mark = {"hash": fingerprint(reader.key if reader else address.key)}
            kept = c.scalar(text("SELECT reason FROM suppression WHERE hash = :hash"), mark)
            if reader is None:
                if kept is None:
                    raise NotFound(f"{address} is not suppressed; no such address is on record.")
                if c.execute(sql.LIFT_HASH, mark).rowcount == 0:
                    raise SubscriberError(f"{address} {_FOR_EVER[kept]}.")
                return False
            row = audience.find(c, str(address))
            before, cause = Status(row.status), audience.last_cause(c, row.id)
            if before is not Status.SUPPRESSED:
                raise NotFound(f"{address} is not suppressed, it is {before}.")
            if not may(before, Status.ACTIVE, Cause.LIFTED, suppressed_for=cause):
                raise SubscriberError(f"{address} {_FOR_EVER[Cause.COMPLAINED]}.")
            audience.change(c, row.id, Cause.LIFTED, Status.ACTIVE, at, "by the owner")
            c.execute(sql.LIFT_HASH, mark)
            c.execute(sql.FORGIVE, {"id": row.id, "pause": int(Pause.ADDRESS), "at": micros(at)})
            send_again(c, row.id, at)
            return True


_FOR_EVER = {
    "complained": "called a letter spam; that is for ever, and nothing is sent there again",
    "left elsewhere": "had left where an imported list came from; only their own new request changes that",
    "erased": "was erased and stays out; only their own new request changes that",
}
_LAST = (
    "(SELECT MAX(c.id) FROM consent c WHERE c.subscriber_id = s.id"
    " AND c.cause NOT IN ('requested', 'preferred', 'merged'))"
)
_READERS = text(
    "SELECT s.address, n.at, n.cause, n.detail FROM subscriber s JOIN consent n ON n.subscriber_id = s.id"
    f" WHERE s.status = 'suppressed' AND n.id = {_LAST} ORDER BY n.at, s.id"
)
_EVER = text(
    "SELECT DISTINCT s.key FROM subscriber s JOIN consent c ON c.subscriber_id = s.id WHERE c.status = 'suppressed'"
)
