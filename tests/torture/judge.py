"""The judge: what the mail server took, held against what the ledger says.

The server's record is the truth about messages; the ledger is only heard. A message that neither arrived nor is named
as doubtful or refused is *lost*; one that arrived twice is *doubled*, and *silently* so when the ledger does not name
it as one that may have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sink import Record

from newsletter.store import Store
from newsletter.store.schema import State


@dataclass(frozen=True)
class Entry:
    """One promise, as the sender's own books have it."""

    address: str
    number: int
    message_id: str  #: "" before the first attempt
    state: State
    named: bool  #: the owner is told that it may have arrived twice, or that nobody knows


@dataclass
class Verdict:
    """What one life came to."""

    messages: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[tuple[str, int, bool]] = field(default_factory=list)  #: Message-ID, run of the first one, named
    held: int = 0  #: never arrived, and the owner is told that nobody knows
    false: list[str] = field(default_factory=list)  #: anything else that the books have wrong


def books(store: Store, numbers: Iterable[int]) -> list[Entry]:
    """What the ledger says of these posts."""
    twice = {r.id for r in store.accounts.sent_twice()} | {r.id for r in store.accounts.doubtful()}
    return [
        Entry(r.address, r.post, r.message_id, r.state, r.id in twice)
        for number in numbers
        for r in store.accounts.who_got(number)
    ]


def judge(entries: list[Entry], record: Record, readers: Iterable[str], numbers: Iterable[int]) -> Verdict:
    """Compare. Each of *readers* should have each of *numbers*, unless a refusal stands in the way."""
    verdict = Verdict(messages=len(entries))
    arrived = Counter(t.message_id for t in record.taken)
    first = {t.message_id: t.run for t in reversed(record.taken)}
    for entry in entries:
        what = f"#{entry.number} to {entry.address} ({entry.state})"
        count = arrived.pop(entry.message_id, 0)
        if count > 1:
            verdict.doubled.append((entry.message_id, first[entry.message_id], entry.named))
        if count > 2:
            verdict.false.append(f"{what} arrived {count} times")
        match entry.state:
            case State.ACCEPTED:
                if not count:
                    verdict.lost.append(what)
            case State.UNCERTAIN:
                verdict.held += not count
            case State.REJECTED:
                if not count and entry.address not in record.refused:
                    verdict.lost.append(f"{what}, which the server never refused")
            case State.QUARANTINED | State.WITHDRAWN:
                if count:
                    verdict.false.append(f"{what} arrived")
            case _:
                verdict.lost.append(f"{what}: nothing comes of it")
    verdict.false += [f"{ident} arrived, and the books don't know it" for ident in arrived]
    booked = {(e.address, e.number) for e in entries}
    stopped = {e.address for e in entries if e.state in (State.REJECTED, State.WITHDRAWN)}
    verdict.lost += [
        f"#{n} to {a}: never promised" for a in readers for n in numbers if a not in stopped and (a, n) not in booked
    ]
    _bytes_and_order(record, verdict)
    return verdict


def _bytes_and_order(record: Record, verdict: Verdict) -> None:
    digests: dict[str, set[str]] = defaultdict(set)
    course: dict[str, list[int]] = defaultdict(list)
    for taken in record.taken:
        digests[taken.message_id].add(taken.digest)
        course[taken.recipient].append(taken.number)
    verdict.false += [f"{ident} arrived with different bytes" for ident, found in digests.items() if len(found) > 1]
    verdict.false += [
        f"{who} got {numbers}: out of order" for who, numbers in course.items() if numbers != sorted(numbers)
    ]
